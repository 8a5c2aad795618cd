//! Compares two sets of minutiae: neighbourhood descriptors in the manner of the
//! Minutia Cylinder Code propose pairs, each pair proposes an alignment, and the
//! best agreement of the aligned sets is the score. No training, no tuning to a
//! sensor; the score is symmetric, 0 for strangers and above 10 for good mates.

use std::f32::consts::{PI, TAU};

use crate::finger::{FingerTemplate, Minutia};

/// How well two templates agree, from 0; see the threshold sets for its meaning.
pub fn compare(a: &FingerTemplate, b: &FingerTemplate) -> f32 {
    let (a, b) = (a.descriptors(), b.descriptors());
    if a.points.len() < MINUTIAE_MIN || b.points.len() < MINUTIAE_MIN {
        return 0.0;
    }
    // One order for both, so that the score does not depend on who was probe.
    if a.order().le(b.order()) {
        score(a, b)
    } else {
        score(b, a)
    }
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
    let cells: Vec<_> = points
        .iter()
        .map(|p| neighbourhood(p, &points, &grid))
        .collect();
    let norms = cells.iter().map(|cell| dot(cell, cell).sqrt()).collect();
    Descriptors {
        points,
        cells,
        norms,
    }
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
        Self {
            x: m.x,
            y: m.y,
            angle: wrap(-m.angle),
            quality: m.quality,
        }
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
                cell.iter_mut()
                    .zip(slices)
                    .for_each(|(value, slice)| *value += near * slice);
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
    all.filter(|(x, y)| x * x + y * y <= RADIUS * RADIUS)
        .collect()
}

fn score(a: &Descriptors, b: &Descriptors) -> f32 {
    let table = Likeness::of(a, b);
    let best = table
        .roots
        .iter()
        .map(|root| aligned_score(a, b, &table, *root));
    best.fold(0.0, f32::max)
}

/// How alike each minutia of one side is to each of the other, by neighbourhood.
struct Likeness {
    values: Vec<f32>,
    width: usize,
    roots: Vec<(usize, usize)>,
}

impl Likeness {
    fn of(a: &Descriptors, b: &Descriptors) -> Self {
        let width = b.points.len();
        let mut values = vec![0.0; a.points.len() * width];
        let mut pairs = Vec::new();
        for i in 0..a.points.len() {
            for j in 0..width {
                if wrap(a.points[i].angle - b.points[j].angle).abs() > TURN_MAX {
                    continue;
                }
                let value = likeness(a, i, b, j);
                values[i * width + j] = value;
                if value > LIKENESS_MIN {
                    pairs.push((value, i, j));
                }
            }
        }
        pairs.sort_by(|p, q| q.0.total_cmp(&p.0));
        let roots = pairs
            .iter()
            .take(ROOTS_MAX)
            .map(|(_, i, j)| (*i, *j))
            .collect();
        Self {
            values,
            width,
            roots,
        }
    }

    fn at(&self, i: usize, j: usize) -> f32 {
        self.values[i * self.width + j]
    }
}

fn likeness(a: &Descriptors, i: usize, b: &Descriptors, j: usize) -> f32 {
    let sum = a.norms[i] + b.norms[j];
    if sum < 1e-3 {
        return 0.0;
    }
    let square = a.norms[i].powi(2) + b.norms[j].powi(2) - 2.0 * dot(&a.cells[i], &b.cells[j]);
    1.0 - square.max(0.0).sqrt() / sum
}

/// The score when minutia `i` of `a` is laid on minutia `j` of `b`.
fn aligned_score(
    a: &Descriptors,
    b: &Descriptors,
    table: &Likeness,
    (i, j): (usize, usize),
) -> f32 {
    let moved = Moved::onto(a, &a.points[i], &b.points[j]);
    let mut candidates = Vec::new();
    for (i, point) in moved.points.iter().enumerate() {
        let reach = REACH + STRETCH * moved.distances[i];
        for (j, other) in b.points.iter().enumerate() {
            if let Some(near) = nearness(point, other, reach) {
                let weight = near * (0.4 + 0.6 * table.at(i, j));
                candidates.push((weight, i, j));
            }
        }
    }
    candidates.sort_by(|p, q| q.0.total_cmp(&p.0));
    paired_score(&moved.points, &b.points, &candidates)
}

/// Takes the best pairs first, each minutia once, and weighs the sum by how many
/// minutiae of the common area found a mate.
fn paired_score(a: &[Point], b: &[Point], candidates: &[(f32, usize, usize)]) -> f32 {
    let (mut used_a, mut used_b) = (vec![false; a.len()], vec![false; b.len()]);
    let mut area = Area::EMPTY;
    let (mut sum, mut n) = (0.0, 0usize);
    for (weight, i, j) in candidates {
        if !used_a[*i] && !used_b[*j] {
            (used_a[*i], used_b[*j]) = (true, true);
            area.add(&b[*j]);
            sum += weight;
            n += 1;
        }
    }
    if n < 3 {
        return 0.0;
    }
    let common = 0.5 * (area.count(a) + area.count(b)) as f32;
    sum * n as f32 / common.max(n as f32)
}

/// One side carried onto the other by a pair of minutiae.
struct Moved {
    points: Vec<Point>,
    distances: Vec<f32>,
}

impl Moved {
    fn onto(a: &Descriptors, root: &Point, target: &Point) -> Self {
        let turn = wrap(target.angle - root.angle);
        let (sin, cos) = turn.sin_cos();
        let offset = |p: &Point| (p.x - root.x, p.y - root.y);
        let points = a.points.iter().map(|p| {
            let (dx, dy) = offset(p);
            Point {
                x: target.x + cos * dx - sin * dy,
                y: target.y + sin * dx + cos * dy,
                angle: wrap(p.angle + turn),
                quality: p.quality,
            }
        });
        let points = points.collect();
        let distances = a
            .points
            .iter()
            .map(|p| offset(p).0.hypot(offset(p).1))
            .collect();
        Self { points, distances }
    }
}

/// How near two aligned minutiae are, 0..1; nothing if too far or turned.
fn nearness(a: &Point, b: &Point, reach: f32) -> Option<f32> {
    let (dx, dy) = (a.x - b.x, a.y - b.y);
    let square = dx * dx + dy * dy;
    if square > reach * reach {
        return None;
    }
    let turned = wrap(a.angle - b.angle).abs();
    if turned > TURNED_MAX {
        return None;
    }
    let place = 1.0 - 0.5 * square.sqrt() / reach;
    let direction = 1.0 - 0.5 * turned / TURNED_MAX;
    Some(place * direction * (0.5 + 0.5 * (a.quality * b.quality).sqrt()))
}

/// A box round the paired minutiae.
struct Area {
    x: (f32, f32),
    y: (f32, f32),
}

impl Area {
    const EMPTY: Self = Self {
        x: (f32::INFINITY, f32::NEG_INFINITY),
        y: (f32::INFINITY, f32::NEG_INFINITY),
    };

    fn add(&mut self, point: &Point) {
        self.x = (self.x.0.min(point.x), self.x.1.max(point.x));
        self.y = (self.y.0.min(point.y), self.y.1.max(point.y));
    }

    fn count(&self, points: &[Point]) -> usize {
        let inside =
            |p: &&Point| p.x >= self.x.0 && p.x <= self.x.1 && p.y >= self.y.0 && p.y <= self.y.1;
        points.iter().filter(inside).count()
    }
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
const LIKENESS_MIN: f32 = 0.25;
const ROOTS_MAX: usize = 40;
/// How far apart mates may lie: pixels, and per pixel from the root (skin stretches).
const REACH: f32 = 7.0;
const STRETCH: f32 = 0.06;
const TURNED_MAX: f32 = 0.45;
const MINUTIAE_MIN: usize = 4;
const MINUTIAE_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::finger::MinutiaKind;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_moved_turned_and_cropped_print_still_matches_its_own(
            seed in any::<u32>(),
            turn in -1.2f32..1.2,
            dx in -60.0f32..60.0,
            dy in -60.0f32..60.0,
            keep in 0.7f32..1.0,
        ) {
            let own = scatter(seed, 45);
            let again = moved(&own, turn, dx, dy, keep);
            let stranger = template(scatter(seed ^ 0x5a5a_5a5a, 45));
            let mate = compare(&template(own.clone()), &template(again));
            let other = compare(&template(own), &stranger);
            prop_assert!(mate > 8.0 && mate > 2.0 * other, "mate {mate}, stranger {other}");
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
        own.iter()
            .filter(|m| m.y < 20.0 + 360.0 * keep)
            .map(lay)
            .collect()
    }
}
