//! What happens to each pixel by itself: curves and layer norms; and pools.
#![expect(
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "registers are loaded through pointers, whose bounds are checked before"
)]

use std::ops::Range;

use super::{
    Unit,
    lanes::{self, Lanes},
    on_unit,
};

/// A function of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::network) enum Curve {
    Exp,
    /// The one with the hyperbolic tangent.
    Gelu,
    /// `x` times the part of `x + 3` between 0 and 6, over 6; then scaled and moved.
    HardSwish {
        scale: f32,
        shift: f32,
    },
    Sigmoid,
    Tanh,
}

impl Curve {
    #[inline(always)]
    unsafe fn at<V: Lanes>(self, x: V) -> V {
        match self {
            Self::Exp => lanes::exp(x),
            Self::Gelu => lanes::gelu(x),
            Self::HardSwish { scale, shift } => {
                let gate = x.add(V::splat(3.0)).max(V::splat(0.0)).min(V::splat(6.0));
                x.mul(gate).mul_add(V::splat(scale / 6.0), V::splat(shift))
            }
            Self::Sigmoid => lanes::sigmoid(x),
            Self::Tanh => {
                let one = V::splat(1.0);
                lanes::sigmoid(x.add(x)).mul_add(V::splat(2.0), V::splat(0.0).sub(one))
            }
        }
    }

    /// Bends all values on the best unit.
    pub(in crate::network) fn run(self, unit: Unit, values: &mut [f32]) {
        on_unit!(unit, bend(curve: Curve = self, values: &mut [f32] = values));
    }
}

/// Bends all values.
///
/// # Safety
/// The unit of `V` exists.
#[inline(always)]
pub(in crate::network) unsafe fn bend<V: Lanes>(curve: Curve, values: &mut [f32]) {
    match curve {
        Curve::Exp => each::<V>(Curve::Exp, values),
        Curve::Gelu => each::<V>(Curve::Gelu, values),
        Curve::HardSwish { .. } => each::<V>(curve, values),
        Curve::Sigmoid => each::<V>(Curve::Sigmoid, values),
        Curve::Tanh => each::<V>(Curve::Tanh, values),
    }
}

#[inline(always)]
unsafe fn each<V: Lanes>(curve: Curve, values: &mut [f32]) {
    let (n, to) = (values.len(), values.as_mut_ptr());
    let mut at = 0;
    while at + V::N <= n {
        curve.at(V::load(to.add(at))).store(to.add(at));
        at += V::N;
    }
    if at < n {
        curve.at(V::load_part(to.add(at), n - at)).store_part(to.add(at), n - at);
    }
}

/// The layer norm of each pixel: its channels shifted and scaled to mean zero and
/// variance one, then scaled and shifted by channel, then perhaps bent.
#[derive(Debug, Clone)]
pub(in crate::network) struct Norm {
    pub(in crate::network) unit: Unit,
    pub(in crate::network) n_pixels: usize,
    pub(in crate::network) channels: usize,
    /// Added to the variance.
    pub(in crate::network) epsilon: f32,
    /// One a channel, and zeros up to whole registers.
    pub(in crate::network) gamma: Vec<f32>,
    /// As many as `gamma`.
    pub(in crate::network) beta: Vec<f32>,
    pub(in crate::network) curve: Option<Curve>,
}

impl Norm {
    /// Pixels without gaps, both in and out.
    pub(in crate::network) fn run(&self, input: &[f32], output: &mut [f32]) {
        let n = self.n_pixels * self.channels;
        let padded = self.channels.next_multiple_of(self.unit.width());
        assert!(input.len() >= n && output.len() >= n, "a norm has all its pixels");
        assert!(self.gamma.len() == padded && self.beta.len() == padded, "factors are padded");
        on_unit!(self.unit, normalise(
            norm: &Norm = self,
            input: &[f32] = input,
            output: &mut [f32] = output,
        ));
    }
}

/// # Safety
/// The unit of `V` exists and [`Norm::run`] checked the lengths.
#[inline(always)]
unsafe fn normalise<V: Lanes>(norm: &Norm, input: &[f32], output: &mut [f32]) {
    let channels = norm.channels;
    for strip in (0..norm.n_pixels).step_by(STRIP) {
        let n = STRIP.min(norm.n_pixels - strip);
        for pixel in strip..strip + n {
            let from = input.as_ptr().add(pixel * channels);
            normalise_one::<V>(norm, from, output.as_mut_ptr().add(pixel * channels));
        }
        if let Some(curve) = norm.curve {
            bend::<V>(curve, &mut output[strip * channels..(strip + n) * channels]);
        }
    }
}

#[inline(always)]
unsafe fn normalise_one<V: Lanes>(norm: &Norm, from: *const f32, to: *mut f32) {
    let channels = norm.channels;
    let (whole, part) = (channels - channels % V::N, channels % V::N);
    let ones = [1.0f32; 16];
    let there = V::load_part(ones.as_ptr(), part);
    let mut sum = V::load_part(from.add(whole), part);
    let mut c = 0;
    while c < whole {
        sum = sum.add(V::load(from.add(c)));
        c += V::N;
    }
    let mean = V::splat(sum.sum() / channels as f32);
    // Lanes beyond the last channel must not count.
    let off = V::load_part(from.add(whole), part).sub(mean).mul(there);
    let mut squares = off.mul(off);
    c = 0;
    while c < whole {
        let off = V::load(from.add(c)).sub(mean);
        squares = off.mul_add(off, squares);
        c += V::N;
    }
    let scale = V::splat(1.0 / (squares.sum() / channels as f32 + norm.epsilon).sqrt());
    c = 0;
    while c < whole {
        scaled::<V>(norm, V::load(from.add(c)).sub(mean), scale, c).store(to.add(c));
        c += V::N;
    }
    if part > 0 {
        let off = V::load_part(from.add(whole), part).sub(mean);
        scaled::<V>(norm, off, scale, whole).store_part(to.add(whole), part);
    }
}

#[inline(always)]
unsafe fn scaled<V: Lanes>(norm: &Norm, off: V, scale: V, channel: usize) -> V {
    let factor = V::load(norm.gamma.as_ptr().add(channel)).mul(scale);
    off.mul_add(factor, V::load(norm.beta.as_ptr().add(channel)))
}

/// The greatest or the mean value of a window, for each channel.
#[derive(Debug, Clone)]
pub(in crate::network) struct Pool {
    pub(in crate::network) greatest: bool,
    pub(in crate::network) channels: usize,
    /// Rows and columns.
    pub(in crate::network) kernel: (usize, usize),
    pub(in crate::network) stride: (usize, usize),
    /// Rows above and columns left of the picture; they never count.
    pub(in crate::network) pad: (usize, usize),
    /// Rows and columns of the input.
    pub(in crate::network) size_in: (usize, usize),
    /// Floats from one row of the input to the next, and from one pixel to the next.
    pub(in crate::network) input_steps: (usize, usize),
    /// Rows and columns of the output.
    pub(in crate::network) size_out: (usize, usize),
    /// Floats from row to row and from pixel to pixel of the output.
    pub(in crate::network) output_steps: (usize, usize),
}

impl Pool {
    pub(in crate::network) fn run(&self, input: &[f32], output: &mut [f32]) {
        let beside = self.input_steps.1 == self.channels && self.output_steps.1 == self.channels;
        if self.greatest && self.stride == (1, 1) && beside {
            return self.run_by_axes(input, output);
        }
        for y in 0..self.size_out.0 {
            let rows = self.span(y, |pair| pair.0);
            for x in 0..self.size_out.1 {
                let columns = self.span(x, |pair| pair.1);
                let at = y * self.output_steps.0 + x * self.output_steps.1;
                let to = &mut output[at..at + self.channels];
                let mut places = rows
                    .clone()
                    .flat_map(|row| columns.clone().map(move |column| (row, column)))
                    .map(|(row, column)| row * self.input_steps.0 + column * self.input_steps.1)
                    .map(|from| &input[from..from + self.channels]);
                let Some(first) = places.next() else { continue };
                to.copy_from_slice(first);
                for from in places {
                    match self.greatest {
                        true => to.iter_mut().zip(from).for_each(|(to, v)| *to = to.max(*v)),
                        false => to.iter_mut().zip(from).for_each(|(to, v)| *to += v),
                    }
                }
                if !self.greatest {
                    let share = 1.0 / (rows.len() * columns.len()) as f32;
                    to.iter_mut().for_each(|to| *to *= share);
                }
            }
        }
    }

    /// The greatest along the rows, then of those down the columns.
    fn run_by_axes(&self, input: &[f32], output: &mut [f32]) {
        let (n_rows, wide) = (self.size_in.0, self.size_out.1 * self.channels);
        let mut along = vec![f32::NEG_INFINITY; n_rows * wide];
        for (y, to) in along.chunks_exact_mut(wide).enumerate() {
            let from = &input[y * self.input_steps.0..][..self.size_in.1 * self.channels];
            for kx in 0..self.kernel.1 {
                // Output x sees input x + kx - pad.
                let (skip, ahead) = (self.pad.1.saturating_sub(kx), kx.saturating_sub(self.pad.1));
                let to = to.get_mut(skip * self.channels..).unwrap_or_default();
                let from = from.get(ahead * self.channels..).unwrap_or_default();
                to.iter_mut().zip(from).for_each(|(to, v)| *to = if *v > *to { *v } else { *to });
            }
        }
        for y in 0..self.size_out.0 {
            let to = &mut output[y * self.output_steps.0..][..wide];
            to.fill(f32::NEG_INFINITY);
            for row in self.span(y, |pair| pair.0) {
                let from = &along[row * wide..][..wide];
                to.iter_mut().zip(from).for_each(|(to, v)| *to = if *v > *to { *v } else { *to });
            }
        }
    }

    /// The rows or columns that an output sees.
    fn span(&self, at: usize, axis: fn((usize, usize)) -> usize) -> Range<usize> {
        let start = (at * axis(self.stride)) as isize - axis(self.pad) as isize;
        let end = (start + axis(self.kernel) as isize).min(axis(self.size_in) as isize);
        start.max(0) as usize..end.max(0) as usize
    }
}

/// Pixels that are normalised before they are bent, so that they are still near.
const STRIP: usize = 16;
