//! Wavelet coefficients as questions with answers: is it zero, is it one, …, which sign.
//!
//! Each question is guessed from neighbours already known, from the coarser level and from the place.

use super::{
    coder::{Bits, Decoder, Encoder, Guess, Mixer},
    wavelet,
};

/// What was learnt so far about coefficients.
pub(super) struct Model {
    guesses: Vec<Guess>,
    mixers: Vec<Mixer<N_GUESSES>>,
}

impl Model {
    pub(super) fn new() -> Self {
        let start =
            |slot: usize| Guess::new(if slot.is_multiple_of(N_KINDS) { 12_000 } else { 26_000 });
        Self {
            guesses: (0..N_GUESSES * SLOTS_EACH).map(start).collect(),
            mixers: vec![Mixer::new(); N_KINDS],
        }
    }
}

/// Writes coefficients in steps of `step`.
pub(super) fn write(
    encoder: &mut Encoder,
    model: &mut Model,
    coefficients: &[f32],
    size: (usize, usize),
    step: f32,
    portrait: bool,
) {
    let mut levels = vec![0i32; coefficients.len()];
    for place in places(size) {
        let scaled = coefficients[place.at] / (step * coarseness(&place, portrait));
        let level = (scaled.abs() + ROUNDING).min(LEVEL_MAX as f32) as i32
            * if scaled < 0.0 { -1 } else { 1 };
        levels[place.at] = level;
        code(encoder, model, &levels, size, &place, level);
    }
}

/// Reads coefficients back.
pub(super) fn read(
    decoder: &mut Decoder<'_>,
    model: &mut Model,
    size: (usize, usize),
    step: f32,
    portrait: bool,
) -> Vec<f32> {
    let mut levels = vec![0i32; size.0 * size.1];
    let mut coefficients = vec![0.0; levels.len()];
    for place in places(size) {
        let level = code(decoder, model, &levels, size, &place, 0);
        levels[place.at] = level;
        let magnitude = if level == 0 { 0.0 } else { level.abs() as f32 - LEAN };
        coefficients[place.at] =
            magnitude * (level.signum() as f32) * step * coarseness(&place, portrait);
    }
    coefficients
}

/// One coefficient's place: its band, and where it lies in the band.
struct Place {
    at: usize,
    x: usize,
    y: usize,
    /// The band's first column and row.
    origin: (usize, usize),
    /// The band's columns and rows.
    extent: (usize, usize),
    /// 0 for the coarsest picture, then 1 coarse … finest.
    depth: usize,
    /// 0 the picture itself, 1 upright edges, 2 level edges, 3 corners.
    kind: usize,
}

/// All places, from coarse to fine.
fn places(size: (usize, usize)) -> Vec<Place> {
    let sizes = wavelet::sizes(size);
    let n_levels = sizes.len() - 1;
    let mut bands = vec![((0, 0), sizes[n_levels], 0, 0)];
    for (depth, pair) in sizes.windows(2).rev().enumerate() {
        let (full, half) = (pair[0], pair[1]);
        bands.push(((half.0, 0), (full.0 - half.0, half.1), depth + 1, 1));
        bands.push(((0, half.1), (half.0, full.1 - half.1), depth + 1, 2));
        bands.push(((half.0, half.1), (full.0 - half.0, full.1 - half.1), depth + 1, 3));
    }
    let mut places = Vec::with_capacity(size.0 * size.1);
    for (origin, extent, depth, kind) in bands {
        for y in 0..extent.1 {
            for x in 0..extent.0 {
                places.push(Place {
                    at: (origin.1 + y) * size.0 + origin.0 + x,
                    x,
                    y,
                    origin,
                    extent,
                    depth,
                    kind,
                });
            }
        }
    }
    places
}

/// How much coarser than the step a place is quantised: hair, collar and wall matter less than the face.
fn coarseness(place: &Place, portrait: bool) -> f32 {
    if !portrait || place.kind == 0 {
        return 1.0;
    }
    let u = (place.x as f32 + 0.5) / place.extent.0 as f32 - 0.5;
    let v = (place.y as f32 + 0.5) / place.extent.1 as f32 - FACE_MIDDLE;
    let outside = (u * u / (FACE_HALF.0 * FACE_HALF.0) + v * v / (FACE_HALF.1 * FACE_HALF.1) - 1.0)
        .clamp(0.0, 1.0);
    1.0 + outside * (OUTSIDE_COARSER - 1.0)
}

/// Codes one level; the encoder passes it in, the decoder gets it out.
fn code(
    bits: &mut impl Bits,
    model: &mut Model,
    levels: &[i32],
    size: (usize, usize),
    place: &Place,
    level: i32,
) -> i32 {
    let around = Around::of(levels, size, place);
    let mut magnitude = 0;
    while magnitude < LEVEL_MAX {
        let kind = (magnitude as usize).min(N_KINDS - 1);
        let slots = around.slots(place, kind);
        if !model.mixers[kind].code(bits, &mut model.guesses, slots, level.abs() > magnitude) {
            break;
        }
        magnitude += 1;
    }
    if magnitude > 0 && bits.code(level < 0, 2048) { -magnitude } else { magnitude }
}

/// What is known around a place, as sums of magnitudes.
struct Around {
    beside: usize,
    wider: usize,
    parent: usize,
    sibling: usize,
}

impl Around {
    fn of(levels: &[i32], size: (usize, usize), place: &Place) -> Self {
        let here = |dx: isize, dy: isize| {
            let (x, y) = (place.x as isize + dx, place.y as isize + dy);
            let inside =
                x >= 0 && y >= 0 && x < place.extent.0 as isize && y < place.extent.1 as isize;
            if !inside {
                return 0;
            }
            levels[(place.origin.1 + y as usize) * size.0 + place.origin.0 + x as usize]
                .unsigned_abs() as usize
        };
        let beside = 2 * (here(-1, 0) + here(0, -1)) + here(-1, -1) + here(1, -1);
        let wider =
            here(-2, 0) + here(0, -2) + here(-2, -1) + here(2, -1) + here(-1, -2) + here(1, -2);
        Self {
            beside,
            wider,
            parent: parent(levels, size, place),
            sibling: siblings(levels, size, place),
        }
    }

    fn slots(&self, place: &Place, kind: usize) -> [usize; N_GUESSES] {
        let band = place.depth.min(5) * 2 + usize::from(place.kind == 3);
        let beside = grade(self.beside);
        let contexts = [
            band * 12 + beside,
            band * 64 + grade(self.parent) * 8 + grade(self.sibling).min(7),
            grade(self.beside + self.wider) * 16 + grade(self.parent + self.sibling).min(15),
            (beside * 12 + grade(self.wider)) * 4 + place.kind,
        ];
        let mut slots = [0; N_GUESSES];
        for (i, context) in contexts.into_iter().enumerate() {
            slots[i] = i * SLOTS_EACH + (context * N_KINDS + kind) % SLOTS_EACH;
        }
        slots
    }
}

/// The coefficient of the next coarser level over the same spot, and its four neighbours.
fn parent(levels: &[i32], size: (usize, usize), place: &Place) -> usize {
    if place.depth < 2 {
        return 0;
    }
    let origin = (place.origin.0.div_ceil(2), place.origin.1.div_ceil(2));
    let extent = (place.extent.0.div_ceil(2), place.extent.1.div_ceil(2));
    let at = |x: usize, y: usize| {
        let (x, y) = (x.min(extent.0.saturating_sub(1)), y.min(extent.1.saturating_sub(1)));
        levels[((origin.1 + y) * size.0 + origin.0 + x).min(levels.len() - 1)].unsigned_abs()
            as usize
    };
    let (x, y) = (place.x / 2, place.y / 2);
    2 * at(x, y)
        + (at(x.saturating_sub(1), y) + at(x + 1, y) + at(x, y.saturating_sub(1)) + at(x, y + 1))
            / 2
}

/// The bands of the same level that are already known, over the same spot.
fn siblings(levels: &[i32], size: (usize, usize), place: &Place) -> usize {
    let (half_x, half_y) = (place.origin.0.max(place.extent.0), place.origin.1.max(place.extent.1));
    let at = |x: usize, y: usize| {
        levels.get(y * size.0 + x).map_or(0, |level| level.unsigned_abs() as usize)
    };
    match place.kind {
        2 => at(half_x + place.x.min(half_x.saturating_sub(1)), place.y),
        3 => at(half_x + place.x, place.y) + at(place.x, half_y + place.y),
        _ => 0,
    }
}

/// Sums in a dozen grades.
fn grade(sum: usize) -> usize {
    match sum {
        0..=5 => sum,
        6..=7 => 6,
        8..=10 => 7,
        11..=15 => 8,
        16..=24 => 9,
        25..=40 => 10,
        _ => 11,
    }
}

const N_GUESSES: usize = 4;
const N_KINDS: usize = 6;
const SLOTS_EACH: usize = 12 * 64 * N_KINDS;
/// Less than a half: small coefficients become zero more easily, which saves more than it spoils.
const ROUNDING: f32 = 0.38;
/// Within its step a coefficient lies rather towards zero.
const LEAN: f32 = 0.06;
/// No coefficient of 102 x 126 samples of a byte comes near it.
const LEVEL_MAX: i32 = 4096;
const FACE_MIDDLE: f32 = 0.46;
const FACE_HALF: (f32, f32) = (0.30, 0.34);
const OUTSIDE_COARSER: f32 = 1.8;
