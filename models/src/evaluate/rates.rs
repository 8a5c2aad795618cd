//! Error rates from scores, and how far they can be trusted. Higher scores mean
//! genuine; a score at the threshold is accepted.

/// Scores of genuine and impostor comparisons, with the subjects they came from.
#[derive(Default)]
pub struct Scores {
    all: Vec<Score>,
}

struct Score {
    value: f32,
    genuine: bool,
    subjects: (usize, usize),
}

impl Scores {
    pub(super) fn add(&mut self, value: f32, genuine: bool, subjects: (usize, usize)) {
        self.all.push(Score { value, genuine, subjects });
    }

    pub(super) fn genuine(&self) -> impl Iterator<Item = f32> {
        self.all.iter().filter(|score| score.genuine).map(|score| score.value)
    }

    pub(super) fn impostor(&self) -> impl Iterator<Item = f32> {
        self.all.iter().filter(|score| !score.genuine).map(|score| score.value)
    }
}

/// The error rates at every threshold.
pub struct Rates {
    genuine: Vec<f32>,
    impostor: Vec<f32>,
}

impl Rates {
    /// Sorts the scores.
    pub fn of(scores: &Scores) -> Self {
        let sorted = |values: Vec<f32>| {
            let mut values = values;
            values.sort_by(f32::total_cmp);
            values
        };
        Self {
            genuine: sorted(scores.genuine().collect()),
            impostor: sorted(scores.impostor().collect()),
        }
    }

    /// Number of genuine comparisons.
    pub fn n_genuine(&self) -> usize {
        self.genuine.len()
    }

    /// Number of impostor comparisons.
    pub fn n_impostor(&self) -> usize {
        self.impostor.len()
    }

    /// Share of genuine comparisons refused at this threshold.
    pub fn fnmr(&self, threshold: f32) -> f64 {
        below(&self.genuine, threshold) as f64 / self.genuine.len().max(1) as f64
    }

    /// Share of impostor comparisons accepted at this threshold.
    pub fn fmr(&self, threshold: f32) -> f64 {
        let n = self.impostor.len();
        (n - below(&self.impostor, threshold)) as f64 / n.max(1) as f64
    }

    /// Where both errors are equal, as a fraction; nothing without both kinds.
    pub fn eer(&self) -> Option<f64> {
        let threshold = self.eer_threshold()?;
        Some((self.fnmr(threshold) + self.fmr(threshold)) / 2.0)
    }

    /// The threshold where both errors come closest.
    pub fn eer_threshold(&self) -> Option<f32> {
        if self.genuine.is_empty() || self.impostor.is_empty() {
            return None;
        }
        let gap = |t: &f32| (self.fnmr(*t) - self.fmr(*t)).abs();
        self.thresholds().min_by(|a, b| gap(a).total_cmp(&gap(b)))
    }

    /// The lowest threshold that keeps the false match rate at or below `fmr`;
    /// nothing when there are too few impostors to speak of such a rate.
    pub fn threshold_at(&self, fmr: f64) -> Option<f32> {
        let n = self.impostor.len();
        let allowed = (fmr * n as f64 + 1e-9).floor() as usize;
        if allowed == 0 || self.genuine.is_empty() {
            return None;
        }
        // Just above the first impostor that may not pass.
        Some(self.impostor[n - 1 - allowed.min(n - 1)].next_up())
    }

    /// The false non-match rate at that threshold.
    pub fn fnmr_at(&self, fmr: f64) -> Option<f64> {
        self.threshold_at(fmr).map(|threshold| self.fnmr(threshold))
    }

    /// A 95 % interval of the equal error rate: subjects drawn again with
    /// replacement, widened by what the mere counts allow (so that no errors among
    /// few comparisons do not read as perfection).
    pub fn eer_interval(&self, scores: &Scores) -> Option<[f64; 2]> {
        let eer = self.eer()?;
        let n = self.n_genuine().min(self.n_impostor());
        let [low, high] = wilson((eer * n as f64).round() as usize, n)?;
        let mut drawn = redrawn_eers(scores);
        drawn.sort_by(f64::total_cmp);
        if drawn.len() < 20 {
            return Some([low.min(eer), high.max(eer)]);
        }
        let at = |part: f64| drawn[((drawn.len() - 1) as f64 * part).round() as usize];
        Some([low.min(at(0.025)).min(eer), high.max(at(0.975)).max(eer)])
    }

    /// Points of the DET curve as (false match, false non-match).
    pub(super) fn curve(&self) -> Vec<(f64, f64)> {
        let mut points: Vec<_> = self.thresholds().map(|t| (self.fmr(t), self.fnmr(t))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        points.dedup();
        points
    }

    fn thresholds(&self) -> impl Iterator<Item = f32> {
        let top = self.genuine.last().into_iter().chain(self.impostor.last());
        let above = top.copied().fold(f32::NEG_INFINITY, f32::max).next_up();
        self.genuine.iter().chain(&self.impostor).copied().chain([above])
    }
}

fn below(sorted: &[f32], threshold: f32) -> usize {
    sorted.partition_point(|value| *value < threshold)
}

/// Equal error rates of samples in which subjects were drawn with replacement.
fn redrawn_eers(scores: &Scores) -> Vec<f64> {
    let mut order: Vec<&Score> = scores.all.iter().collect();
    order.sort_by(|a, b| a.value.total_cmp(&b.value));
    let n_subjects = order.iter().map(|s| s.subjects.0.max(s.subjects.1) + 1).max().unwrap_or(0);
    let mut present = vec![false; n_subjects];
    for score in &order {
        (present[score.subjects.0], present[score.subjects.1]) = (true, true);
    }
    let subjects: Vec<usize> = (0..n_subjects).filter(|index| present[*index]).collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..DRAWS)
        .filter_map(|_| weighted_eer(&order, &draw(&subjects, n_subjects, &mut state)))
        .collect()
}

/// How often each subject was drawn.
fn draw(subjects: &[usize], n_subjects: usize, state: &mut u64) -> Vec<f64> {
    let mut weights = vec![0.0; n_subjects];
    for _ in subjects {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        weights[subjects[(*state % subjects.len() as u64) as usize]] += 1.0;
    }
    weights
}

fn weighted_eer(order: &[&Score], weights: &[f64]) -> Option<f64> {
    let weight = |score: &Score| match score.subjects {
        (a, b) if a == b => weights[a],
        (a, b) => weights[a] * weights[b],
    };
    let total = |genuine: bool| -> f64 {
        order.iter().filter(|s| s.genuine == genuine).map(|s| weight(s)).sum()
    };
    let (all_genuine, all_impostor) = (total(true), total(false));
    if all_genuine == 0.0 || all_impostor == 0.0 {
        return None;
    }
    let (mut refused, mut accepted) = (0.0, all_impostor);
    let mut best = (f64::INFINITY, 0.0);
    for score in order {
        let (fnmr, fmr) = (refused / all_genuine, accepted / all_impostor);
        if (fnmr - fmr).abs() < best.0 {
            best = ((fnmr - fmr).abs(), (fnmr + fmr) / 2.0);
        }
        match score.genuine {
            true => refused += weight(score),
            false => accepted -= weight(score),
        }
    }
    Some(best.1)
}

/// The 95 % Wilson interval of `k` out of `n`.
pub fn wilson(k: usize, n: usize) -> Option<[f64; 2]> {
    if n == 0 {
        return None;
    }
    let (n, p, z) = (n as f64, k as f64 / n as f64, 1.959_964);
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    Some([((middle - half) / whole).max(0.0), ((middle + half) / whole).min(1.0)])
}

const DRAWS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(genuine: &[f32], impostor: &[f32]) -> Scores {
        let mut scores = Scores::default();
        for (index, value) in genuine.iter().enumerate() {
            scores.add(*value, true, (index, index));
        }
        for (index, value) in impostor.iter().enumerate() {
            scores.add(*value, false, (index, index + 1));
        }
        scores
    }

    #[test]
    fn known_scores_have_known_rates() {
        let scores = scores(&[0.2, 0.7, 0.8, 0.9], &[0.1, 0.2, 0.3, 0.75]);
        let rates = Rates::of(&scores);
        assert_eq!(rates.eer(), Some(0.25));
        assert_eq!(rates.fnmr(0.7), 0.25);
        assert_eq!(rates.fmr(0.75), 0.25);
        assert_eq!(rates.fnmr_at(0.25), Some(0.25));
        assert_eq!(rates.fnmr_at(0.1), None);
        let [low, high] = rates.eer_interval(&scores).unwrap();
        assert!(low < 0.25 && high > 0.25);
    }

    #[test]
    fn no_error_among_few_is_not_perfection() {
        let scores = scores(&[0.9; 10], &[0.1; 10]);
        let rates = Rates::of(&scores);
        assert_eq!(rates.eer(), Some(0.0));
        let [low, high] = rates.eer_interval(&scores).unwrap();
        assert!(low == 0.0 && high > 0.2, "{low} {high}");
    }

    #[test]
    fn without_impostors_there_is_no_rate() {
        let rates = Rates::of(&scores(&[0.5], &[]));
        assert_eq!((rates.eer(), rates.fnmr_at(0.01)), (None, None));
    }

    #[test]
    fn wilson_is_as_in_the_books() {
        let [low, high] = wilson(0, 280).unwrap();
        assert!(low == 0.0 && (high - 0.01354).abs() < 1e-4, "{high}");
        assert_eq!(wilson(0, 0), None);
    }
}
