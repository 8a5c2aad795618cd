//! The whole ridge picture of a finger, grown from noise.

use super::flow::Flow;
use crate::random::Random;

/// Ridges from -1 (valley) to 1 (ridge), 500 dpi.
pub(super) struct Master {
    ridges: Vec<f32>,
    /// Sweat pores sit on ridges where this noise is high.
    pub(super) seed: u64,
}

impl Master {
    pub(super) fn grow(path: &[u64], left_hand: bool) -> Self {
        let mut random = Random::of(&[path, &[MASTER]].concat());
        let flow = Flow::choose(&mut random, left_hand);
        let field = Field::of(&flow);
        let mut ridges: Vec<f32> = (0..WIDTH * HEIGHT).map(|_| random.bell() * 0.6).collect();
        for _ in 0..PASSES {
            ridges = field.filter(&ridges);
        }
        Self { ridges, seed: random.next() }
    }

    /// The ridge at a place from the middle of the finger, between the pixels.
    pub(super) fn at(&self, x: f32, y: f32) -> f32 {
        let (x, y) = (x + WIDTH as f32 / 2.0, y + HEIGHT as f32 / 2.0);
        let (x, y) = (x.clamp(0.0, (WIDTH - 2) as f32), y.clamp(0.0, (HEIGHT - 2) as f32));
        let (left, top) = (x as usize, y as usize);
        let (u, v) = (x - left as f32, y - top as f32);
        let at = top * WIDTH + left;
        let row = |at: usize| self.ridges[at] * (1.0 - u) + self.ridges[at + 1] * u;
        row(at) * (1.0 - v) + row(at + WIDTH) * v
    }
}

/// For each pixel which filter fits its flow: a bank of Gabor filters for angles and periods.
struct Field {
    choice: Vec<u16>,
    bank: Vec<Vec<f32>>,
}

impl Field {
    fn of(flow: &Flow) -> Self {
        let mut choice = Vec::with_capacity(WIDTH * HEIGHT);
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let (x, y) = (x as f32 - WIDTH as f32 / 2.0, y as f32 - HEIGHT as f32 / 2.0);
                let turns = (flow.angle(x, y) / std::f32::consts::PI).rem_euclid(1.0);
                let angle = (turns * ANGLES as f32) as usize % ANGLES;
                let period = ((flow.period(x, y) - PERIOD_MIN) / PERIOD_STEP).max(0.0) as usize;
                choice.push((period.min(PERIODS - 1) * ANGLES + angle) as u16);
            }
        }
        Self { choice, bank: (0..ANGLES * PERIODS).map(gabor).collect() }
    }

    fn filter(&self, ridges: &[f32]) -> Vec<f32> {
        let mut next = vec![0.0; ridges.len()];
        for y in REACH..HEIGHT - REACH {
            for x in REACH..=WIDTH - SIDE + REACH {
                let kernel = &self.bank[usize::from(self.choice[y * WIDTH + x])];
                // Eight sums side by side, which the machine adds at once.
                let mut sums = [0.0f32; LANES];
                for (row, weights) in kernel.chunks_exact(SIDE).enumerate() {
                    let start = (y + row - REACH) * WIDTH + x - REACH;
                    let samples = &ridges[start..start + SIDE];
                    for (samples, weights) in
                        samples.chunks_exact(LANES).zip(weights.chunks_exact(LANES))
                    {
                        (0..LANES).for_each(|lane| sums[lane] += samples[lane] * weights[lane]);
                    }
                }
                // Saturates, as skin is either ridge or valley.
                next[y * WIDTH + x] = (sums.iter().sum::<f32>() * GAIN).clamp(-1.0, 1.0);
            }
        }
        next
    }
}

/// A wave across the ridge under a bell, without a mean.
fn gabor(index: usize) -> Vec<f32> {
    let period = PERIOD_MIN + PERIOD_STEP * ((index / ANGLES) as f32 + 0.5);
    let angle = ((index % ANGLES) as f32 + 0.5) / ANGLES as f32 * std::f32::consts::PI;
    let (sin, cos) = angle.sin_cos();
    let deviation = period * 0.45;
    let mut kernel: Vec<f32> = (0..SIDE * ROWS)
        .map(|i| {
            let (x, y) = ((i % SIDE) as f32 - REACH as f32, (i / SIDE) as f32 - REACH as f32);
            let across = -x * sin + y * cos;
            (-(x * x + y * y) / (2.0 * deviation * deviation)).exp()
                * (across / period * std::f32::consts::TAU).cos()
        })
        .collect();
    let mean = kernel.iter().sum::<f32>() / kernel.len() as f32;
    kernel.iter_mut().for_each(|weight| *weight -= mean);
    let size: f32 = kernel.iter().map(|weight| weight.abs()).sum();
    kernel.iter_mut().for_each(|weight| *weight /= size);
    kernel
}

/// Wide enough for a finger that rolls a little: 17 x 21 mm.
const WIDTH: usize = 328;
const HEIGHT: usize = 416;
const ANGLES: usize = 48;
const PERIODS: usize = 10;
const PERIOD_MIN: f32 = 6.6;
const PERIOD_STEP: f32 = 0.5;
/// Rows above and below, and columns before; one column less stands behind, so that a row has whole lanes.
const REACH: usize = 8;
const SIDE: usize = 16;
const ROWS: usize = 2 * REACH + 1;
const LANES: usize = 8;
const PASSES: usize = 12;
const GAIN: f32 = 3.2;
const MASTER: u64 = 31;
