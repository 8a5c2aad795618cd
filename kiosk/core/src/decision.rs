//! From a score to an answer: same, unsure or different, each with its reasons.
//!
//! A score never stands alone. [`Comparison`] carries quality, liveness, model and thresholds with it, so that no
//! decision can be made, or later be read, without them.

use crate::message::Id;
use crate::record::Evidence;

/// Calibrated limits of one model for one kind of reference. They come from the model's manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// Name of the calibrated set.
    pub id: String,
    /// At or above: the same person.
    pub accept: f32,
    /// At or above, and below `accept`: unsure.
    pub review: f32,
    /// Quality of the probe below which a low score proves nothing, 0 to 100.
    pub quality_min: u8,
    /// Liveness score at or above which the probe counts as live, 0 to 1.
    pub pad_min: f32,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modality {
    /// Face.
    Face,
    /// Finger.
    Finger,
}

impl Modality {
    /// The modality of this word.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Face, Self::Finger].into_iter().find(|modality| modality.name() == name)
    }

    /// The word in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Face => "face",
            Self::Finger => "finger",
        }
    }
}

/// How it was shown that the probe comes from a living person who is here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Liveness {
    /// Several frames judged without asking anything; median score.
    Passive(f32),
    /// The passive score was too low, but the person did what was asked.
    Action(f32),
    /// Neither convinced.
    NotShown(f32),
    /// This sensor cannot tell (an optical fingerprint module).
    NotEvaluated,
}

impl Liveness {
    fn score(self) -> Option<f32> {
        match self {
            Self::Passive(score) | Self::Action(score) | Self::NotShown(score) => Some(score),
            Self::NotEvaluated => None,
        }
    }
}

/// One probe against one reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Face or finger.
    pub modality: Modality,
    /// Higher = more alike. None when nothing could be taken.
    pub score: Option<f32>,
    /// Quality of the probe, 0 to 100.
    pub quality: u8,
    /// Liveness of the probe.
    pub liveness: Liveness,
    /// Name and hash of the network.
    pub model: String,
    /// Limits in force.
    pub thresholds: Thresholds,
    /// What it was compared with.
    pub reference: String,
}

impl Comparison {
    /// Whether it holds documents against the live face, which proves nobody's life and may only speak against.
    pub fn is_of_papers(&self) -> bool {
        self.reference.starts_with(PAPERS)
    }
}

/// How the references of comparisons with documents begin: their names are those of [`crate::event::Picture`].
pub const PAPERS: &str = "id-";

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same person.
    Same,
    /// Neither; a second pair of eyes or another method decides.
    Unsure,
    /// Not the same by this measure.
    Different,
    /// A picture, a screen or a mask is suspected.
    SuspectedFake,
}

impl Verdict {
    /// The word in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Unsure => "unsure",
            Self::Different => "different",
            Self::SuspectedFake => "suspected-fake",
        }
    }
}

/// An answer with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The answer.
    pub verdict: Verdict,
    /// Why, most important first. Empty when the answer is "same".
    pub reasons: Vec<Id>,
}

/// Judges one comparison.
///
/// A score exactly on a threshold passes it. Doubt about liveness comes before everything else: a perfect score of a
/// photograph proves nothing.
pub fn judge(comparison: &Comparison) -> Judgement {
    let limits = &comparison.thresholds;
    if let Liveness::NotShown(_) = comparison.liveness {
        return because(Verdict::SuspectedFake, [Id::WhyNotLive]);
    }
    let poor = comparison.quality < limits.quality_min;
    match comparison.score {
        Some(score) if score >= limits.accept && !poor => because(Verdict::Same, []),
        Some(score) if score >= limits.accept => because(Verdict::Unsure, [Id::WhyQualityLow]),
        Some(score) if score >= limits.review => because(Verdict::Unsure, [Id::WhyScoreBetween]),
        Some(_) if poor => because(Verdict::Unsure, [Id::WhyQualityLow, Id::WhyScoreLow]),
        Some(_) => because(Verdict::Different, [Id::WhyScoreLow]),
        None => because(Verdict::Unsure, [Id::WhyNoReference]),
    }
}

/// The best of several references decides: people age, and each reference was taken on another day.
///
/// Returns the index of the deciding comparison and the judgement; `None` when there is nothing to compare with.
pub fn judge_best(comparisons: &[Comparison]) -> Option<(usize, Judgement)> {
    comparisons.iter().map(judge).enumerate().min_by_key(|(_, judgement)| match judgement.verdict {
        Verdict::SuspectedFake => 0,
        Verdict::Same => 1,
        Verdict::Unsure => 2,
        Verdict::Different => 3,
    })
}

/// The why-log of one comparison, for the record.
pub fn evidence(comparison: &Comparison, judgement: &Judgement, attempts: u32) -> Evidence {
    Evidence {
        modality: comparison.modality.name().into(),
        verdict: judgement.verdict.name().into(),
        score: comparison.score,
        quality: Some(comparison.quality),
        pad: comparison.liveness.score(),
        model: comparison.model.clone(),
        threshold_set: comparison.thresholds.id.clone(),
        accept: Some(comparison.thresholds.accept),
        reference: comparison.reference.clone(),
        reasons: judgement.reasons.iter().map(|id| id.name().into()).collect(),
        attempts,
    }
}

fn because(verdict: Verdict, reasons: impl IntoIterator<Item = Id>) -> Judgement {
    Judgement { verdict, reasons: reasons.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(score: Option<f32>, quality: u8, liveness: Liveness) -> Comparison {
        Comparison {
            modality: Modality::Face,
            score,
            quality,
            liveness,
            model: "m".into(),
            thresholds: Thresholds {
                id: "t".into(),
                accept: 0.4,
                review: 0.3,
                quality_min: 40,
                pad_min: 0.5,
            },
            reference: "chip-photo".into(),
        }
    }

    #[track_caller]
    fn check(score: f32, quality: u8, liveness: Liveness, expected: Verdict) {
        assert_eq!(judge(&with(Some(score), quality, liveness)).verdict, expected);
    }

    #[test]
    fn a_score_exactly_on_a_threshold_passes_it() {
        let live = Liveness::Passive(0.9);
        check(0.4, 40, live, Verdict::Same);
        check(0.399_999, 40, live, Verdict::Unsure);
        check(0.3, 40, live, Verdict::Unsure);
        check(0.299_999, 40, live, Verdict::Different);
    }

    #[test]
    fn a_poor_picture_never_says_no() {
        check(0.0, 39, Liveness::Passive(0.9), Verdict::Unsure);
        check(0.9, 39, Liveness::Passive(0.9), Verdict::Unsure);
    }

    #[test]
    fn a_photograph_with_a_perfect_score_is_suspected() {
        check(1.0, 100, Liveness::NotShown(0.1), Verdict::SuspectedFake);
        check(1.0, 100, Liveness::Action(0.1), Verdict::Same);
    }

    #[test]
    fn the_best_reference_decides_but_a_suspicion_wins() {
        let live = Liveness::Passive(0.9);
        let old = with(Some(0.1), 80, live);
        let new = with(Some(0.8), 80, live);
        let (index, judgement) = judge_best(&[old.clone(), new]).unwrap();
        assert_eq!((index, judgement.verdict), (1, Verdict::Same));
        let fake = with(Some(0.9), 80, Liveness::NotShown(0.0));
        assert_eq!(judge_best(&[old, fake]).unwrap().1.verdict, Verdict::SuspectedFake);
        assert_eq!(judge_best(&[]), None);
    }

    #[test]
    fn every_answer_but_same_has_a_reason() {
        for score in [None, Some(0.0), Some(0.35), Some(0.9)] {
            for quality in [0, 100] {
                let judgement = judge(&with(score, quality, Liveness::NotEvaluated));
                assert_eq!(judgement.reasons.is_empty(), judgement.verdict == Verdict::Same);
            }
        }
    }
}
