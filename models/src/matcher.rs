//! Compares two sets of minutiae in the manner of the Minutia Cylinder Code
//! (Cappelli, Ferrara, Maltoni 2010): neighbourhood descriptors propose pairs, pairs
//! that fit one another keep their likeness, the rest fade; no common alignment is
//! needed, so stretched skin does little harm. Parameters are the published ones. The
//! score is symmetric, below 2 for strangers and above 5 for good mates.

use std::f32::consts::{PI, TAU};

use crate::finger::{FingerTemplate, Minutia};

/// How well two templates agree, from 0; see the threshold sets for its meaning.
pub fn compare(a: &FingerTemplate, b: &FingerTemplate) -> f32 {
    let (a, b) = (a.descriptors(), b.descriptors());
    if a.points.len() < MINUTIAE_MIN || b.points.len() < MINUTIAE_MIN {
        return 0.0;
    }
    // One order for both, so that the score does not depend on who was probe.
    if a.order().le(b.order()) { score(a, b) } else { score(b, a) }
}

/// The best agreement with any placement of the enrolled finger; 0 without one.
pub fn best_of(probe: &FingerTemplate, enrolled: &[FingerTemplate]) -> f32 {
    let scores = enrolled.iter().map(|template| compare(probe, template));
    scores.fold(0.0, f32::max)
}

/// What is derived once from a template's minutiae.
#[derive(Clone)]
pub(crate) struct Descriptors {
    points: Vec<Point>,
    cells: Vec<[f32; CELLS]>,
    norms: Vec<f32>,
}

/// A minutia in picture coordinates: y and angle grow downwards.
#[derive(Clone, Copy)]
struct Point {
    x: f32,
    y: f32,
    angle: f32,
    quality: f32,
}

/// Describes the neighbourhood of the best minutiae.
pub(crate) fn describe(minutiae: &[Minutia]) -> Descriptors {
    let mut points: Vec<Point> = minutiae.iter().map(Point::from).collect();
    points.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    points.truncate(MINUTIAE_MAX);
    let grid = cell_centres();
    let cells: Vec<_> = points.iter().map(|p| neighbourhood(p, &points, &grid)).collect();
    let norms = cells.iter().map(|cell| dot(cell, cell).sqrt()).collect();
    Descriptors { points, cells, norms }
}

impl Descriptors {
    /// What two templates are ordered by: fewer minutiae first, then any fixed rule.
    fn order(&self) -> impl Iterator<Item = u32> {
        let bits = |p: &Point| [p.x.to_bits(), p.y.to_bits(), p.angle.to_bits()];
        std::iter::once(self.points.len() as u32).chain(self.points.iter().flat_map(bits))
    }
}

impl From<&Minutia> for Point {
    fn from(m: &Minutia) -> Self {
        Self { x: m.x, y: m.y, angle: wrap(-m.angle), quality: m.quality }
    }
}

/// How much each cell of a turned grid round `centre` is filled by neighbours, by
/// the difference of their directions.
fn neighbourhood(centre: &Point, all: &[Point], grid: &[(f32, f32)]) -> [f32; CELLS] {
    let (sin, cos) = centre.angle.sin_cos();
    let mut cells = [0.0f32; CELLS];
    for point in all {
        let (dx, dy) = (point.x - centre.x, point.y - centre.y);
        let square = dx * dx + dy * dy;
        if square == 0.0 || square > (RADIUS + 3.0 * SPREAD).powi(2) {
            continue;
        }
        let (along, across) = (cos * dx + sin * dy, cos * dy - sin * dx);
        let turned = wrap(centre.angle - point.angle);
        let slices: [f32; SLICES] = std::array::from_fn(|k| {
            let middle = -PI + (k as f32 + 0.5) * TAU / SLICES as f32;
            gauss(wrap(middle - turned).powi(2), TURN_SPREAD)
        });
        for (cell, (x, y)) in cells.chunks_exact_mut(SLICES).zip(grid) {
            let square = (along - x).powi(2) + (across - y).powi(2);
            if square <= (3.0 * SPREAD).powi(2) {
                let near = gauss(square, SPREAD);
                cell.iter_mut().zip(slices).for_each(|(value, slice)| *value += near * slice);
            }
        }
    }
    cells.map(|value| 1.0 - (-2.0 * value).exp())
}

/// Middles of the grid cells that lie within the radius.
fn cell_centres() -> Vec<(f32, f32)> {
    let step = 2.0 * RADIUS / SIDE as f32;
    let at = |i: usize| (i as f32 + 0.5) * step - RADIUS;
    let all = (0..SIDE).flat_map(|i| (0..SIDE).map(move |j| (at(i), at(j))));
    all.filter(|(x, y)| x * x + y * y <= RADIUS * RADIUS).collect()
}

fn score(a: &Descriptors, b: &Descriptors) -> f32 {
    let pairs = likely_pairs(a, b);
    if pairs.len() < MINUTIAE_MIN {
        return 0.0;
    }
    let relaxed = relax(&pairs, &agreements(a, b, &pairs));
    // The pairs that kept most of their likeness are the mates.
    let mut kept: Vec<(f32, f32)> =
        pairs.iter().zip(relaxed).map(|(pair, now)| (now / pair.likeness, now)).collect();
    kept.sort_by(|p, q| q.0.total_cmp(&p.0));
    let n = n_counted(a.points.len().min(b.points.len())).min(kept.len());
    SCALE * kept[..n].iter().map(|(_, now)| now).sum::<f32>() / n as f32
}

/// Minutia `i` of one side may be minutia `j` of the other.
struct Pair {
    likeness: f32,
    i: usize,
    j: usize,
}

/// The most alike pairs by their neighbourhoods, each minutia once.
fn likely_pairs(a: &Descriptors, b: &Descriptors) -> Vec<Pair> {
    let mut all = Vec::new();
    for i in 0..a.points.len() {
        for j in 0..b.points.len() {
            if wrap(a.points[i].angle - b.points[j].angle).abs() <= TURN_MAX {
                let likeness = likeness(a, i, b, j);
                if likeness > 0.0 {
                    all.push(Pair { likeness, i, j });
                }
            }
        }
    }
    all.sort_by(|p, q| q.likeness.total_cmp(&p.likeness));
    let (mut used_a, mut used_b) = (vec![false; a.points.len()], vec![false; b.points.len()]);
    all.retain(|pair| {
        let free = !used_a[pair.i] && !used_b[pair.j];
        if free {
            (used_a[pair.i], used_b[pair.j]) = (true, true);
        }
        free
    });
    all
}

fn likeness(a: &Descriptors, i: usize, b: &Descriptors, j: usize) -> f32 {
    let sum = a.norms[i] + b.norms[j];
    if sum < 1e-3 {
        return 0.0;
    }
    let square = a.norms[i].powi(2) + b.norms[j].powi(2) - 2.0 * dot(&a.cells[i], &b.cells[j]);
    1.0 - square.max(0.0).sqrt() / sum
}

/// How well every two pairs fit one another, 0..1, row by row.
fn agreements(a: &Descriptors, b: &Descriptors, pairs: &[Pair]) -> Vec<f32> {
    let n = pairs.len();
    let mut table = vec![0.0; n * n];
    for p in 0..n {
        for q in 0..p {
            let one = (&a.points[pairs[p].i], &b.points[pairs[p].j]);
            let other = (&a.points[pairs[q].i], &b.points[pairs[q].j]);
            if let Some((forth, back)) = agreement(one, other) {
                table[p * n + q] = forth;
                table[q * n + p] = back;
            }
        }
    }
    table
}

/// Two minutiae of one finger keep their distance, the angle between their
/// directions, and the angle under which each sees the other. The first two are the
/// same seen from either minutia, the last is not. Nothing if they surely disagree.
fn agreement(one: (&Point, &Point), other: (&Point, &Point)) -> Option<(f32, f32)> {
    let offset = |p: &Point, q: &Point| (q.x - p.x, q.y - p.y);
    let (da, db) = (offset(one.0, other.0), offset(one.1, other.1));
    let stretched = (da.0.hypot(da.1) - db.0.hypot(db.1)).abs();
    let between = |p: &Point, q: &Point| wrap(p.angle - q.angle);
    let turned = wrap(between(one.0, other.0) - between(one.1, other.1)).abs();
    if stretched > STRETCHED_FAR || turned > TURNED_FAR {
        return None;
    }
    let common = fits(stretched, STRETCHED, STRETCHED_SLOPE) * fits(turned, TURNED, TURNED_SLOPE);
    let line = wrap(da.1.atan2(da.0) - db.1.atan2(db.0));
    let seen = |p: (&Point, &Point)| wrap(between(p.0, p.1) - line).abs();
    let fit = |p| common * fits(seen(p), TURNED, TURNED_SLOPE);
    Some((fit(one), fit(other)))
}

/// Near 1 well below the limit, 0.5 at it, near 0 well above.
fn fits(value: f32, limit: f32, slope: f32) -> f32 {
    1.0 / (1.0 + (slope * (value - limit)).exp())
}

/// Each pair's likeness after it asked the others, several times.
fn relax(pairs: &[Pair], agreements: &[f32]) -> Vec<f32> {
    let n = pairs.len();
    let mut now: Vec<f32> = pairs.iter().map(|pair| pair.likeness).collect();
    for _ in 0..ROUNDS {
        let support = |row: &[f32]| row.iter().zip(&now).map(|(fit, other)| fit * other).sum();
        let asked: Vec<f32> = agreements.chunks_exact(n).map(support).collect();
        for (now, support) in now.iter_mut().zip(asked) {
            *now = 0.5 * *now + 0.5 * support / (n - 1) as f32;
        }
    }
    now
}

/// How many of the best pairs count: from 4 for few minutiae to 12 for many.
fn n_counted(n_minutiae: usize) -> usize {
    4 + (8.0 * fits(20.0, n_minutiae as f32, 0.4)).round() as usize
}

/// An angle in -pi..=pi.
fn wrap(angle: f32) -> f32 {
    let turns = (angle / TAU).round();
    angle - turns * TAU
}

fn gauss(square: f32, spread: f32) -> f32 {
    (-square / (2.0 * spread * spread)).exp()
}

/// Summed in eight lanes, which the compiler can keep in one register.
fn dot(a: &[f32; CELLS], b: &[f32; CELLS]) -> f32 {
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum()
}

/// Cells to a side of the grid, directions to a cell, and cells within the radius.
const SIDE: usize = 8;
const SLICES: usize = 6;
const CELLS: usize = 52 * SLICES;
/// Reach of a neighbourhood and how far a neighbour is felt, in pixels at 500 ppi.
const RADIUS: f32 = 70.0;
const SPREAD: f32 = 28.0 / 3.0;
const TURN_SPREAD: f32 = TAU / 9.0;
/// Fingers are not laid on more than a quarter turn apart.
const TURN_MAX: f32 = PI / 2.0;
/// Limits and slopes of the relaxation, as published with the Minutia Cylinder Code:
/// pixels for distances, radians for angles. Beyond the far limits nothing is left.
const STRETCHED: f32 = 5.0;
const STRETCHED_SLOPE: f32 = 1.6;
const STRETCHED_FAR: f32 = 12.0;
const TURNED: f32 = PI / 12.0;
const TURNED_SLOPE: f32 = 30.0;
const TURNED_FAR: f32 = PI / 12.0 + 0.3;
const ROUNDS: usize = 5;
const SCALE: f32 = 100.0;
const MINUTIAE_MIN: usize = 4;
const MINUTIAE_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::arbitrary::number;

    use super::*;
    use crate::finger::MinutiaKind;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_moved_turned_and_cropped_print_still_matches_its_own(
            seed in any::<u32>(),
            turn in number(-1.2..1.2),
            dx in number(-60.0..60.0),
            dy in number(-60.0..60.0),
            keep in number(0.7..1.0),
        ) {
            let own = scatter(seed, 45);
            let again = moved(&own, turn, dx, dy, keep);
            let stranger = template(scatter(seed ^ 0x5a5a_5a5a, 45));
            let mate = compare(&template(own.clone()), &template(again));
            let other = compare(&template(own), &stranger);
            prop_assert!(mate > 6.0 && mate > 3.0 * other, "mate {mate}, stranger {other}");
        }

        #[test]
        fn the_score_is_symmetric(a in any::<u32>(), b in any::<u32>(), n in 0usize..60) {
            let (a, b) = (template(scatter(a, n)), template(scatter(b, 30)));
            prop_assert_eq!(compare(&a, &b), compare(&b, &a));
        }
    }

    #[test]
    fn too_few_minutiae_agree_with_nobody() {
        let few = template(scatter(1, 3));
        assert_eq!(compare(&few, &few), 0.0);
    }

    fn template(minutiae: Vec<Minutia>) -> FingerTemplate {
        FingerTemplate::new(300, 400, minutiae, "test".into())
    }

    fn scatter(seed: u32, n: usize) -> Vec<Minutia> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 16_777_216.0
        };
        let mut one = || Minutia {
            x: 20.0 + 260.0 * next(),
            y: 20.0 + 360.0 * next(),
            angle: TAU * next(),
            kind: MinutiaKind::Ending,
            quality: 0.6 + 0.4 * next(),
        };
        (0..n).map(|_| one()).collect()
    }

    /// The finger laid down turned about its middle, moved, and only partly.
    fn moved(own: &[Minutia], turn: f32, dx: f32, dy: f32, keep: f32) -> Vec<Minutia> {
        let (sin, cos) = turn.sin_cos();
        let lay = |m: &Minutia| {
            let (x, y) = (m.x - 150.0, m.y - 200.0);
            Minutia {
                x: 150.0 + dx + cos * x + sin * y,
                y: 200.0 + dy - sin * x + cos * y,
                angle: (m.angle + turn).rem_euclid(TAU),
                ..*m
            }
        };
        own.iter().filter(|m| m.y < 20.0 + 360.0 * keep).map(lay).collect()
    }
}
