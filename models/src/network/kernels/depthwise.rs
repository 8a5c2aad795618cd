//! Convolutions in which every channel sees only itself: registers hold channels, a
//! tile is a run of pixels of one row.
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
pub(in crate::network) struct Depthwise {
    pub(in crate::network) unit: Unit,
    pub(in crate::network) channels: usize,
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
    /// From [`Depthwise::pack`].
    pub(in crate::network) weights: Vec<f32>,
    /// One a channel, and zeros up to whole registers.
    pub(in crate::network) bias: Vec<f32>,
    /// Negative sums times this; as many as `bias`.
    pub(in crate::network) slope: Option<Vec<f32>>,
    /// What becomes of a sum at last.
    pub(in crate::network) curve: Option<Curve>,
}

impl Depthwise {
    /// Weights (channel, row, column) with channels side by side, in whole registers.
    pub(in crate::network) fn pack(unit: Unit, weights: &[f32], channels: usize) -> Vec<f32> {
        let n_taps = weights.len() / channels;
        let padded = channels.next_multiple_of(unit.width());
        let of = |tap: usize, c: usize| if c < channels { weights[c * n_taps + tap] } else { 0.0 };
        (0..n_taps).flat_map(|tap| (0..padded).map(move |c| of(tap, c))).collect()
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
            depthwise: &Depthwise = self,
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
        let end = start + row * to_row + column * to_pixel + self.channels;
        assert!(end <= n_input, "a convolution reads beyond its input");
        let (to_picture, to_row, to_pixel) = self.output_steps;
        let end = (self.starts.len() - 1) * to_picture
            + (self.size_out.0 - 1) * to_row
            + (self.size_out.1 - 1) * to_pixel
            + self.channels;
        assert!(end <= n_output, "a convolution writes beyond its output");
        let n = self.channels.next_multiple_of(self.unit.width());
        let n_taps = self.kernel.0 * self.kernel.1;
        assert!(self.weights.len() == n * n_taps && self.bias.len() == n, "weights are packed");
        assert!(self.slope.as_ref().is_none_or(|slope| slope.len() == n), "slopes are padded");
    }
}

/// # Safety
/// The unit of `V` exists and [`Depthwise::check`] passed.
#[inline(always)]
unsafe fn run<V: Lanes>(
    depthwise: &Depthwise,
    input: &[f32],
    residual: Option<&[f32]>,
    output: &mut [f32],
) {
    let (rows, columns) = depthwise.size_out;
    let (to_picture, to_row, to_pixel) = depthwise.output_steps;
    for (picture, start) in depthwise.starts.iter().enumerate() {
        for y in 0..rows {
            let from = start + y * depthwise.stride.0 * depthwise.input_steps.0;
            let to = picture * to_picture + y * to_row;
            let row = Row {
                depthwise,
                input: input.as_ptr().add(from),
                residual: residual.map(|residual| residual.as_ptr().add(to)),
                output: output.as_mut_ptr().add(to),
            };
            row.tiles::<V>(columns);
            if let Some(curve) = depthwise.curve {
                for x in 0..columns {
                    let from = to + x * to_pixel;
                    bend::<V>(curve, &mut output[from..from + depthwise.channels]);
                }
            }
        }
    }
}

/// One row of the output.
struct Row<'d> {
    depthwise: &'d Depthwise,
    input: *const f32,
    residual: Option<*const f32>,
    output: *mut f32,
}

impl Row<'_> {
    /// Long tiles, then shorter ones; the last goes back over pixels that were done
    /// rather than stand over the edge.
    #[inline(always)]
    unsafe fn tiles<V: Lanes>(&self, columns: usize) {
        let mut x = 0;
        while x + LONG <= columns {
            self.channels::<V, LONG>(x);
            x += LONG;
        }
        while x < columns && columns >= SHORT {
            self.channels::<V, SHORT>(x.min(columns - SHORT));
            x += SHORT;
        }
        while x < columns {
            self.channels::<V, 1>(x);
            x += 1;
        }
    }

    #[inline(always)]
    unsafe fn channels<V: Lanes, const P: usize>(&self, x: usize) {
        let channels = self.depthwise.channels;
        let whole = channels - channels % V::N;
        for channel in (0..whole).step_by(V::N) {
            self.tile::<V, P, false>(x, channel, V::N);
        }
        if whole < channels {
            self.tile::<V, P, true>(x, whole, channels - whole);
        }
    }

    #[inline(always)]
    unsafe fn tile<V: Lanes, const P: usize, const PART: bool>(
        &self,
        x: usize,
        channel: usize,
        n: usize,
    ) {
        let depthwise = self.depthwise;
        let (to_row, to_pixel) = depthwise.input_steps;
        let step = depthwise.stride.1 * to_pixel;
        let to_tap = depthwise.bias.len();
        let input = self.input.add(x * step + channel);
        let mut weights = depthwise.weights.as_ptr().add(channel);
        let mut sums = [V::load(depthwise.bias.as_ptr().add(channel)); P];
        for ky in 0..depthwise.kernel.0 {
            let row = input.add(ky * depthwise.dilation.0 * to_row);
            for kx in 0..depthwise.kernel.1 {
                let from = row.add(kx * depthwise.dilation.1 * to_pixel);
                let factor = V::load(weights);
                weights = weights.add(to_tap);
                for (p, sum) in sums.iter_mut().enumerate() {
                    // Wrapping, since a check for each pixel costs as much as the rest.
                    let value = load::<V, PART>(from.add(p.wrapping_mul(step)), n);
                    *sum = factor.mul_add(value, *sum);
                }
            }
        }
        // No closure here: it would be compiled without the vector unit.
        let mut slope = None;
        if let Some(slopes) = &depthwise.slope {
            slope = Some(V::load(slopes.as_ptr().add(channel)));
        }
        for (p, sum) in sums.iter().enumerate() {
            let at = (x + p) * depthwise.output_steps.2 + channel;
            let mut value = *sum;
            if let Some(residual) = self.residual {
                value = value.add(load::<V, PART>(residual.add(at), n));
            }
            if let Some(slope) = slope {
                value = rectify(value, slope);
            }
            match PART {
                true => value.store_part(self.output.add(at), n),
                false => value.store(self.output.add(at)),
            }
        }
    }
}

#[inline(always)]
unsafe fn load<V: Lanes, const PART: bool>(from: *const f32, n: usize) -> V {
    if PART { V::load_part(from, n) } else { V::load(from) }
}

/// Pixels of a tile, for wide and for narrow pictures.
const LONG: usize = 8;
const SHORT: usize = 4;
