//! Convolutions in which every output channel sees every input channel; a kernel of
//! one pixel is a product of matrices. A tile of output, some pixels by some
//! registers of channels, stays in registers while all that it sees goes by.
#![expect(
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "tiles read through pointers whose bounds are checked once for the whole picture"
)]

use super::{
    Curve, Unit, bend,
    lanes::{Lanes, rectify},
    on_unit,
};

/// One convolution, ready to run. The input has its border already.
#[derive(Debug, Clone)]
pub(in crate::network) struct Dense {
    pub(in crate::network) unit: Unit,
    pub(in crate::network) channels_in: usize,
    pub(in crate::network) channels_out: usize,
    /// Rows and columns.
    pub(in crate::network) kernel: (usize, usize),
    pub(in crate::network) stride: (usize, usize),
    pub(in crate::network) dilation: (usize, usize),
    /// Floats from one row of the input to the next, and from one pixel to the next.
    pub(in crate::network) input_steps: (usize, usize),
    /// Where each picture of the batch starts.
    pub(in crate::network) starts: Vec<usize>,
    /// Rows and columns of the output.
    pub(in crate::network) size_out: (usize, usize),
    /// Floats from picture to picture, row to row, pixel to pixel of the output.
    pub(in crate::network) output_steps: (usize, usize, usize),
    /// From [`Dense::pack`].
    pub(in crate::network) weights: Vec<f32>,
    /// One a channel, and zeros up to whole registers.
    pub(in crate::network) bias: Vec<f32>,
    /// Negative sums times this; as many as `bias`.
    pub(in crate::network) slope: Option<Vec<f32>>,
    /// What becomes of a sum at last.
    pub(in crate::network) curve: Option<Curve>,
}

impl Dense {
    /// Weights (out, in, row, column) in the order in which tiles read them.
    pub(in crate::network) fn pack(
        unit: Unit,
        weights: &[f32],
        channels_in: usize,
        n_taps: usize,
        channels_out: usize,
    ) -> Vec<f32> {
        let mut packed = Vec::with_capacity(channels_out * channels_in * n_taps);
        for (first, n) in blocks(unit, channels_out) {
            for tap in 0..n_taps {
                for c in 0..channels_in {
                    packed.extend((first..first + n * unit.width()).map(|out| {
                        let at = (out * channels_in + c) * n_taps + tap;
                        if out < channels_out { weights[at] } else { 0.0 }
                    }));
                }
            }
        }
        packed
    }

    /// Reads `input`, adds `residual` (laid out as the output) and writes `output`.
    pub(in crate::network) fn run(
        &self,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
    ) {
        self.check(input.len(), output.len());
        assert!(residual.is_none_or(|r| r.len() >= output.len()), "a residual for each output");
        on_unit!(self.unit, run(
            dense: &Dense = self,
            input: &[f32] = input,
            residual: Option<&[f32]> = residual,
            output: &mut [f32] = output,
        ));
    }

    /// All that the tiles will touch lies inside.
    fn check(&self, n_input: usize, n_output: usize) {
        let last = |n: usize, stride: usize, kernel: usize, dilation: usize| {
            (n - 1) * stride + (kernel - 1) * dilation
        };
        let row = last(self.size_out.0, self.stride.0, self.kernel.0, self.dilation.0);
        let column = last(self.size_out.1, self.stride.1, self.kernel.1, self.dilation.1);
        let start = self.starts.iter().copied().max().expect("a batch has a picture");
        let (to_row, to_pixel) = self.input_steps;
        let end = start + row * to_row + column * to_pixel + self.channels_in;
        assert!(end <= n_input, "a convolution reads beyond its input");
        let (to_picture, to_row, to_pixel) = self.output_steps;
        let end = (self.starts.len() - 1) * to_picture
            + (self.size_out.0 - 1) * to_row
            + (self.size_out.1 - 1) * to_pixel
            + self.channels_out;
        assert!(end <= n_output, "a convolution writes beyond its output");
        let n: usize = blocks(self.unit, self.channels_out).map(|(_, n)| n).sum();
        let n = n * self.unit.width();
        let rows = self.channels_in * self.kernel.0 * self.kernel.1;
        assert!(self.weights.len() == n * rows && self.bias.len() == n, "weights are packed");
        assert!(self.slope.as_ref().is_none_or(|slope| slope.len() == n), "slopes are padded");
    }
}

/// Output channels in blocks of nearly the same number of registers: the first
/// channel and the registers of each.
fn blocks(unit: Unit, channels_out: usize) -> impl Iterator<Item = (usize, usize)> {
    let n_registers = channels_out.div_ceil(unit.width());
    let n_blocks = n_registers.div_ceil(unit.tall());
    (0..n_blocks).map(move |index| {
        let first = index * n_registers / n_blocks;
        let next = (index + 1) * n_registers / n_blocks;
        (first * unit.width(), next - first)
    })
}

/// # Safety
/// The unit of `V` exists and [`Dense::check`] passed.
#[inline(always)]
unsafe fn run<V: Lanes>(
    dense: &Dense,
    input: &[f32],
    residual: Option<&[f32]>,
    output: &mut [f32],
) {
    let (rows, columns) = dense.size_out;
    // Enough pixels to use the weights of a block again, few enough to stay near.
    let near = (NEAR / dense.channels_in).clamp(48, 480);
    for (picture, start) in dense.starts.iter().enumerate() {
        for y in 0..rows {
            for x in (0..columns).step_by(near) {
                let n = near.min(columns - x);
                let from = start
                    + y * dense.stride.0 * dense.input_steps.0
                    + x * dense.stride.1 * dense.input_steps.1;
                let (to_picture, to_row, to_pixel) = dense.output_steps;
                let to = picture * to_picture + y * to_row + x * to_pixel;
                let strip = Strip {
                    dense,
                    input: input.as_ptr().add(from),
                    residual: residual.map(|residual| residual.as_ptr().add(to)),
                    output: output.as_mut_ptr().add(to),
                    n,
                };
                strip.all_blocks::<V>();
                if let Some(curve) = dense.curve {
                    for pixel in 0..n {
                        let from = to + pixel * to_pixel;
                        // Neighbours without a gap are bent in one go.
                        if to_pixel == dense.channels_out {
                            bend::<V>(curve, &mut output[to..to + n * to_pixel]);
                            break;
                        }
                        bend::<V>(curve, &mut output[from..from + dense.channels_out]);
                    }
                }
            }
        }
    }
}

/// Some pixels of a row of the output, one beside the other.
struct Strip<'d> {
    dense: &'d Dense,
    input: *const f32,
    residual: Option<*const f32>,
    output: *mut f32,
    n: usize,
}

/// The output channels of a tile.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    weights: *const f32,
}

impl Strip<'_> {
    #[inline(always)]
    unsafe fn all_blocks<V: Lanes>(&self) {
        let rows = self.dense.channels_in * self.dense.kernel.0 * self.dense.kernel.1;
        for (first, n) in blocks(self.dense.unit, self.dense.channels_out) {
            let block = Block { first, weights: self.dense.weights.as_ptr().add(first * rows) };
            // Only the tiles of this unit's height are compiled.
            match (V::TALL, n) {
                (4, 4) => self.tiles::<V, 6, 3, 4>(block),
                (4, 3) => self.tiles::<V, 8, 4, 3>(block),
                (4, 2) => self.tiles::<V, 12, 4, 2>(block),
                (4, _) => self.tiles::<V, 14, 4, 1>(block),
                (2, 2) => self.tiles::<V, 6, 3, 2>(block),
                (2, _) => self.tiles::<V, 10, 4, 1>(block),
                _ => self.tiles::<V, 4, 1, 1>(block),
            }
        }
    }

    /// Tiles of `P` pixels; the rest in tiles of `Q`, then one by one. The last tile
    /// goes back over pixels that were done rather than stand over the edge.
    #[inline(always)]
    unsafe fn tiles<V: Lanes, const P: usize, const Q: usize, const T: usize>(&self, block: Block) {
        let mut x = 0;
        while x + P <= self.n {
            self.tile::<V, P, T>(block, x);
            x += P;
        }
        if x < self.n && self.n >= P && self.n - x > Q {
            self.tile::<V, P, T>(block, self.n - P);
            return;
        }
        while x < self.n && self.n >= Q {
            self.tile::<V, Q, T>(block, x.min(self.n - Q));
            x += Q;
        }
        while x < self.n {
            self.tile::<V, 1, T>(block, x);
            x += 1;
        }
    }

    #[inline(always)]
    unsafe fn tile<V: Lanes, const P: usize, const T: usize>(&self, block: Block, x: usize) {
        let dense = self.dense;
        let (to_row, to_pixel) = dense.input_steps;
        let step = dense.stride.1 * to_pixel;
        // Columns of the kernel that lie side by side are one long run.
        let joined = to_pixel == dense.channels_in && dense.dilation.1 == 1;
        let (n_runs, run) = match joined {
            true => (1, dense.kernel.1 * dense.channels_in),
            false => (dense.kernel.1, dense.channels_in),
        };
        let mut sums = [[V::splat(0.0); T]; P];
        let mut weights = block.weights;
        let input = self.input.add(x * step);
        for ky in 0..dense.kernel.0 {
            for kx in 0..n_runs {
                let tap = ky * dense.dilation.0 * to_row + kx * dense.dilation.1 * to_pixel;
                let from = input.add(tap);
                for k in 0..run {
                    let mut factors = [V::splat(0.0); T];
                    for (t, factor) in factors.iter_mut().enumerate() {
                        *factor = V::load(weights.add(t * V::N));
                    }
                    weights = weights.add(T * V::N);
                    for (p, sums) in sums.iter_mut().enumerate() {
                        // Wrapping, since a check for each pixel costs as much as the rest.
                        let value = V::splat(*from.add(p.wrapping_mul(step).wrapping_add(k)));
                        for (sum, factor) in sums.iter_mut().zip(factors) {
                            *sum = factor.mul_add(value, *sum);
                        }
                    }
                }
            }
        }
        self.finish(block, x, sums);
    }

    #[inline(always)]
    unsafe fn finish<V: Lanes, const P: usize, const T: usize>(
        &self,
        block: Block,
        x: usize,
        sums: [[V; T]; P],
    ) {
        let dense = self.dense;
        for t in 0..T {
            let channel = block.first + t * V::N;
            let bias = V::load(dense.bias.as_ptr().add(channel));
            // No closure here: it would be compiled without the vector unit.
            let mut slope = None;
            if let Some(slopes) = &dense.slope {
                slope = Some(V::load(slopes.as_ptr().add(channel)));
            }
            let n = (dense.channels_out - channel).min(V::N);
            for (p, sums) in sums.iter().enumerate() {
                let at = (x + p) * dense.output_steps.2 + channel;
                let mut value = sums[t].add(bias);
                if let Some(residual) = self.residual {
                    value = value.add(match n == V::N {
                        true => V::load(residual.add(at)),
                        false => V::load_part(residual.add(at), n),
                    });
                }
                if let Some(slope) = slope {
                    value = rectify(value, slope);
                }
                match n == V::N {
                    true => value.store(self.output.add(at)),
                    false => value.store_part(self.output.add(at), n),
                }
            }
        }
    }
}

/// Input floats that are worked on before the next block of weights is taken.
const NEAR: usize = 16 * 1024;
