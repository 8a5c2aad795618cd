//! Whether a picture shows the raster of a screen: one fine period that stands out of all
//! its detail, in light or in colour. A weak sign: fine screens, small pictures and blur
//! leave none, and printed patterns may look like one. It is for people's eyes.

use image::{Rgb, RgbImage};

use super::Corners;

/// How many times the strongest fine period rises above its neighbours; about 1 without one.
pub(super) fn of(frame: &RgbImage, corners: &Corners) -> f32 {
    let inner = |value: fn(&(f32, f32)) -> f32, size: u32| {
        let mut values = corners.map(|corner| value(&corner));
        values.sort_by(f32::total_cmp);
        // Between the sides of a card that is held about level: paper on all of it.
        let clamp = |v: f32| v.clamp(0.0, size as f32) as u32;
        (clamp(values[1] + EDGE), clamp(values[2] - EDGE))
    };
    let (left, right) = inner(|c| c.0, frame.width());
    let (top, bottom) = inner(|c| c.1, frame.height());
    let (columns, rows) = (left..right.max(left), top..bottom.max(top));
    let light = |Rgb([r, g, b]): Rgb<u8>| f32::from(r) + 2.0 * f32::from(g) + f32::from(b);
    let tint = |Rgb([r, _, b]): Rgb<u8>| 2.0 * (f32::from(r) - f32::from(b));
    let mut most = 1.0f32;
    for value in [light, tint] as [fn(Rgb<u8>) -> f32; 2] {
        let (mut across, mut down) = (Spectrum::new(), Spectrum::new());
        for y in rows.clone().step_by(STEP) {
            for x in columns.clone().step_by(LENGTH).filter(|x| x + LENGTH as u32 <= right) {
                across.add(|i| value(*frame.get_pixel(x + i, y)));
            }
        }
        for x in columns.clone().step_by(STEP) {
            for y in rows.clone().step_by(LENGTH).filter(|y| y + LENGTH as u32 <= bottom) {
                down.add(|i| value(*frame.get_pixel(x, y + i)));
            }
        }
        most = most.max(across.prominence()).max(down.prominence());
    }
    most
}

/// Shares of the fine periods in pieces of rows or columns. Print is in some of the pieces
/// and may be as even as a raster there; a raster is in most of them, so the median counts.
struct Spectrum {
    /// Sines and cosines of the parts of a turn.
    turns: [(f32, f32); LENGTH],
    shares: [Vec<f32>; LENGTH / 2],
}

impl Spectrum {
    fn new() -> Self {
        let angle = |i: usize| std::f32::consts::TAU * i as f32 / LENGTH as f32;
        let turns = std::array::from_fn(|i| angle(i).sin_cos());
        Self { turns, shares: std::array::from_fn(|_| Vec::new()) }
    }

    fn add(&mut self, value: impl Fn(u32) -> f32) {
        let values: [f32; LENGTH] = std::array::from_fn(|i| value(i as u32));
        let mean = values.iter().sum::<f32>() / LENGTH as f32;
        let turns = &self.turns;
        let windowed: [f32; LENGTH] =
            std::array::from_fn(|i| (values[i] - mean) * (0.5 - 0.5 * turns[i].1));
        let mut powers = [0.0f32; LENGTH / 2];
        for (k, power) in powers.iter_mut().enumerate().skip(FINEST) {
            let (mut re, mut im) = (0.0, 0.0);
            for (i, value) in windowed.iter().enumerate() {
                let (sin, cos) = turns[i * k % LENGTH];
                re += value * cos;
                im += value * sin;
            }
            *power = re * re + im * im;
        }
        let sum = powers.iter().sum::<f32>() + QUIET;
        self.shares.iter_mut().zip(powers).for_each(|(share, power)| share.push(power / sum));
    }

    fn prominence(mut self) -> f32 {
        if self.shares[0].len() < PIECES_MIN {
            return 1.0;
        }
        let medians = self.shares.each_mut().map(|shares| {
            let middle = shares.len() / 2;
            *shares.select_nth_unstable_by(middle, f32::total_cmp).1
        });
        let at = |k: usize| medians[k];
        let rise = |k: usize| {
            let around = [k - 4, k - 3, k + 3, k + 4];
            let mut around: Vec<f32> =
                around.into_iter().filter(|k| *k < LENGTH / 2).map(at).collect();
            around.sort_by(f32::total_cmp);
            at(k) / around[around.len() / 2].max(f32::MIN_POSITIVE)
        };
        // The blocks of a camera's JPEG are eight pixels wide.
        let is_of_blocks = |k: &usize| matches!(k % 8, 7 | 0 | 1);
        let periods = (FINEST + 4..LENGTH / 2).filter(|k| !is_of_blocks(k));
        periods.map(rise).fold(1.0, f32::max)
    }
}

const LENGTH: usize = 64;
/// Periods of more than eleven pixels are print's.
const FINEST: usize = 6;
/// Rows and columns looked at: every so many.
const STEP: usize = 8;
const EDGE: f32 = 12.0;
/// Fewer pieces than this leave chance peaks.
const PIECES_MIN: usize = 60;
/// Power of what is no more than the camera's own steps.
const QUIET: f32 = 2_000.0;
