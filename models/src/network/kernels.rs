//! The inner loops of convolutions, written so that the compiler keeps their sums
//! in vector registers, and compiled once for each vector unit that a machine may
//! have. Layout is channel, row, column throughout.

/// What is multiplied, in shapes that stay the same from run to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Geometry {
    pub(super) channels_in: usize,
    pub(super) channels_out: usize,
    /// Rows and columns of the kernel, in pixels.
    pub(super) kernel: (usize, usize),
    pub(super) stride: usize,
    /// Rows above and columns left of the picture that count as zero.
    pub(super) pad: (usize, usize),
    pub(super) size_in: (usize, usize),
    pub(super) size_out: (usize, usize),
}

/// What happens to a sum before it is stored.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    /// Added, one a channel.
    pub(super) bias: &'a [f32],
    /// Negative sums are multiplied by this, one a channel; none: left as they are.
    pub(super) slope: Option<&'a [f32]>,
}

impl Finish<'_> {
    #[inline(always)]
    fn slope(&self, channel: usize) -> f32 {
        self.slope.map_or(1.0, |slope| slope[channel])
    }
}

impl Geometry {
    fn rows(&self) -> usize {
        self.channels_in * self.kernel.0 * self.kernel.1
    }

    fn n_out(&self) -> usize {
        self.size_out.0 * self.size_out.1
    }

    fn is_pointwise(&self) -> bool {
        self.kernel == (1, 1) && self.stride == 1 && self.pad == (0, 0)
    }
}

/// Weights (out, in, row, column) reordered so that one step reads `TALL` of them
/// side by side; missing rows are zero.
pub(super) fn pack_dense(weights: &[f32], geometry: &Geometry) -> Vec<f32> {
    let rows = geometry.rows();
    let mut packed = Vec::with_capacity(geometry.channels_out.next_multiple_of(TALL) * rows);
    for block in (0..geometry.channels_out).step_by(TALL) {
        for k in 0..rows {
            let at = |channel: usize| weights.get(channel * rows + k).copied();
            let lanes = (block..block + TALL).map(|c| at(c).filter(|_| c < geometry.channels_out));
            packed.extend(lanes.map(Option::unwrap_or_default));
        }
    }
    packed
}

/// A convolution in which every output channel sees every input channel.
/// `packed` comes from [`pack_dense`].
pub(super) fn dense(
    geometry: &Geometry,
    packed: &[f32],
    finish: Finish<'_>,
    input: &[f32],
    output: &mut [f32],
) {
    vector::dense_on(geometry, packed, finish, input, output);
}

/// A convolution in which every channel sees only itself.
pub(super) fn depthwise(
    geometry: &Geometry,
    weights: &[f32],
    finish: Finish<'_>,
    input: &[f32],
    output: &mut [f32],
) {
    vector::depthwise_on(geometry, weights, finish, input, output);
}

#[inline(always)]
fn dense_on<const WIDE: usize, const FUSED: bool>(
    geometry: &Geometry,
    packed: &[f32],
    finish: Finish<'_>,
    input: &[f32],
    output: &mut [f32],
) {
    let (rows, n) = (geometry.rows(), geometry.n_out());
    let mut columns = vec![0.0f32; rows * WIDE];
    for from in (0..n).step_by(WIDE) {
        let width = WIDE.min(n - from);
        gather::<WIDE>(geometry, input, from, width, &mut columns);
        for (block, weights) in packed.chunks_exact(rows * TALL).enumerate() {
            let sums = tile::<WIDE, FUSED>(weights, &columns);
            let channels = (geometry.channels_out - block * TALL).min(TALL);
            for (row, sums) in sums.iter().enumerate().take(channels) {
                let channel = block * TALL + row;
                let (bias, slope) = (finish.bias[channel], finish.slope(channel));
                let to = &mut output[channel * n + from..][..width];
                for (to, sum) in to.iter_mut().zip(sums) {
                    *to = rectified(sum + bias, slope);
                }
            }
        }
    }
}

#[inline(always)]
fn rectified(value: f32, slope: f32) -> f32 {
    if value < 0.0 { value * slope } else { value }
}

/// The product of `TALL` rows of weights with `WIDE` columns of input.
#[inline(always)]
fn tile<const WIDE: usize, const FUSED: bool>(
    weights: &[f32],
    columns: &[f32],
) -> [[f32; WIDE]; TALL] {
    let mut sums = [[0.0f32; WIDE]; TALL];
    let (weights, _) = weights.as_chunks::<TALL>();
    let (columns, _) = columns.as_chunks::<WIDE>();
    for (weights, column) in weights.iter().zip(columns) {
        for row in 0..TALL {
            for lane in 0..WIDE {
                let sum = &mut sums[row][lane];
                *sum = multiply_add::<FUSED>(weights[row], column[lane], *sum);
            }
        }
    }
    sums
}

#[inline(always)]
fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// Lays the input of `width` output pixels side by side, one row a weight.
#[inline(always)]
fn gather<const WIDE: usize>(
    geometry: &Geometry,
    input: &[f32],
    from: usize,
    width: usize,
    columns: &mut [f32],
) {
    let (height_in, width_in) = geometry.size_in;
    let plane = height_in * width_in;
    let (columns, _) = columns.as_chunks_mut::<WIDE>();
    if geometry.is_pointwise() {
        for (column, plane) in columns.iter_mut().zip(input.chunks_exact(plane)) {
            column[..width].copy_from_slice(&plane[from..from + width]);
        }
        return;
    }
    let width_out = geometry.size_out.1;
    let mut columns = columns.iter_mut();
    for plane in input.chunks_exact(plane) {
        for ky in 0..geometry.kernel.0 {
            for kx in 0..geometry.kernel.1 {
                let column = columns.next().expect("a row for each weight");
                let (mut oy, mut ox) = (from / width_out, from % width_out);
                for value in &mut column[..width] {
                    // Above and left of the picture the sum wraps to a huge number.
                    let y = (oy * geometry.stride + ky).wrapping_sub(geometry.pad.0);
                    let x = (ox * geometry.stride + kx).wrapping_sub(geometry.pad.1);
                    let inside = y < height_in && x < width_in;
                    *value = if inside { plane[y * width_in + x] } else { 0.0 };
                    ox += 1;
                    if ox == width_out {
                        (oy, ox) = (oy + 1, 0);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn depthwise_on<const WIDE: usize, const FUSED: bool>(
    geometry: &Geometry,
    weights: &[f32],
    finish: Finish<'_>,
    input: &[f32],
    output: &mut [f32],
) {
    let (height_out, width_out) = geometry.size_out;
    let n_taps = geometry.kernel.0 * geometry.kernel.1;
    let plane = geometry.size_in.0 * geometry.size_in.1;
    let mut padded = Padded::new(geometry);
    let channels = input.chunks_exact(plane).zip(weights.chunks_exact(n_taps));
    for (channel, (input, taps)) in channels.enumerate() {
        padded.fill(geometry, input);
        let (bias, slope) = (finish.bias[channel], finish.slope(channel));
        let rows = output[channel * geometry.n_out()..].chunks_exact_mut(width_out);
        for (y, row) in rows.enumerate().take(height_out) {
            row.fill(bias);
            for ky in 0..geometry.kernel.0 {
                for kx in 0..geometry.kernel.1 {
                    let tap = taps[ky * geometry.kernel.1 + kx];
                    let from = padded.row(y * geometry.stride + ky, kx, width_out);
                    for (sum, value) in row.iter_mut().zip(from) {
                        *sum = multiply_add::<FUSED>(tap, *value, *sum);
                    }
                }
            }
            row.iter_mut()
                .for_each(|value| *value = rectified(*value, slope));
        }
    }
}

/// One channel with its border of zeros; with a stride of two, even and odd columns
/// lie apart, so that a row of output always reads a run of neighbours.
struct Padded {
    values: Vec<f32>,
    stride: usize,
    lane: usize,
}

impl Padded {
    fn new(geometry: &Geometry) -> Self {
        let stride = geometry.stride;
        let lane = geometry.size_out.1 + geometry.kernel.1.div_ceil(stride);
        let height = (geometry.size_out.0 - 1) * stride + geometry.kernel.0;
        Self {
            values: vec![0.0; height * stride * lane],
            stride,
            lane,
        }
    }

    /// Only the inside is written; the border stays zero from the start.
    #[inline(always)]
    fn fill(&mut self, geometry: &Geometry, input: &[f32]) {
        let (pad_y, pad_x) = geometry.pad;
        let width_in = geometry.size_in.1;
        let rows = self
            .values
            .chunks_exact_mut(self.stride * self.lane)
            .skip(pad_y);
        for (to, from) in rows.zip(input.chunks_exact(width_in)) {
            if self.stride == 1 {
                let n = width_in.min(self.lane - pad_x);
                to[pad_x..pad_x + n].copy_from_slice(&from[..n]);
                continue;
            }
            for (x, value) in from.iter().enumerate() {
                let x = x + pad_x;
                let (lane, at) = (x % self.stride, x / self.stride);
                if at < self.lane {
                    to[lane * self.lane + at] = *value;
                }
            }
        }
    }

    #[inline(always)]
    fn row(&self, y: usize, kx: usize, n: usize) -> &[f32] {
        let lane = y * self.stride + kx % self.stride;
        &self.values[lane * self.lane + kx / self.stride..][..n]
    }
}

// Each kernel on the widest vector unit there is. Elsewhere than on x86-64 the unit
// is part of the architecture and needs no question.

#[cfg(target_arch = "x86_64")]
mod vector {
    #![expect(
        unsafe_code,
        reason = "a function compiled for a vector unit may be called only where the unit exists"
    )]

    use super::{Finish, Geometry};

    macro_rules! variants {
        ($kernel:ident, $wide:ident, $middle:ident) => {
            #[target_feature(enable = "avx512f,avx512vl,fma")]
            fn $wide(g: &Geometry, w: &[f32], f: Finish<'_>, i: &[f32], o: &mut [f32]) {
                super::$kernel::<32, true>(g, w, f, i, o);
            }

            #[target_feature(enable = "avx2,fma")]
            fn $middle(g: &Geometry, w: &[f32], f: Finish<'_>, i: &[f32], o: &mut [f32]) {
                super::$kernel::<16, true>(g, w, f, i, o);
            }

            pub(super) fn $kernel(
                g: &Geometry,
                w: &[f32],
                f: Finish<'_>,
                i: &[f32],
                o: &mut [f32],
            ) {
                let fma = is_x86_feature_detected!("fma");
                if fma
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                {
                    // SAFETY: the three features were just found on this machine.
                    unsafe { $wide(g, w, f, i, o) }
                } else if fma && is_x86_feature_detected!("avx2") {
                    // SAFETY: both features were just found on this machine.
                    unsafe { $middle(g, w, f, i, o) }
                } else {
                    super::$kernel::<8, false>(g, w, f, i, o);
                }
            }
        };
    }
    variants!(dense_on, dense_avx512, dense_avx2);
    variants!(depthwise_on, depthwise_avx512, depthwise_avx2);
}

#[cfg(not(target_arch = "x86_64"))]
mod vector {
    use super::{Finish, Geometry};

    pub(super) fn dense_on(g: &Geometry, w: &[f32], f: Finish<'_>, i: &[f32], o: &mut [f32]) {
        super::dense_on::<16, true>(g, w, f, i, o);
    }

    pub(super) fn depthwise_on(g: &Geometry, w: &[f32], f: Finish<'_>, i: &[f32], o: &mut [f32]) {
        super::depthwise_on::<16, true>(g, w, f, i, o);
    }
}

/// Output channels of one tile.
const TALL: usize = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_convolution_is_its_definition(
            (geometry, depth) in geometries(),
            seed in any::<u32>(),
        ) {
            let channels_in = if depth { 1 } else { geometry.channels_in };
            let n_weights =
                geometry.channels_out * channels_in * geometry.kernel.0 * geometry.kernel.1;
            let mut noise = noise(seed);
            let mut some = |n: usize| -> Vec<f32> { noise.by_ref().take(n).collect() };
            let weights = some(n_weights);
            let input = some(geometry.channels_in * geometry.size_in.0 * geometry.size_in.1);
            let (bias, slope) = (some(geometry.channels_out), some(geometry.channels_out));
            let finish = Finish { bias: &bias, slope: Some(&slope) };
            let mut output = vec![0.0; geometry.channels_out * geometry.n_out()];
            match depth {
                true => depthwise(&geometry, &weights, finish, &input, &mut output),
                false => {
                    dense(&geometry, &pack_dense(&weights, &geometry), finish, &input, &mut output);
                }
            }
            let expected = by_definition(&geometry, depth, &weights, finish, &input);
            for (value, expected) in output.iter().zip(&expected) {
                prop_assert!((value - expected).abs() < 1e-3, "{value} and not {expected}");
            }
        }
    }

    fn geometries() -> impl Strategy<Value = (Geometry, bool)> {
        let sizes = (1usize..9, 1usize..9, 1usize..12, 1usize..40);
        (sizes, 1usize..6, 1usize..3, any::<bool>(), 0usize..3).prop_map(
            |((channels_in, out, h, w), k, stride, depth, pad)| {
                let (pad, size_in) = (pad.min(k - 1), (h + k, w + k));
                let along = |n: usize| (n + 2 * pad - k) / stride + 1;
                let geometry = Geometry {
                    channels_in,
                    channels_out: if depth { channels_in } else { out },
                    kernel: (k, k),
                    stride,
                    pad: (pad, pad),
                    size_in,
                    size_out: (along(size_in.0), along(size_in.1)),
                };
                (geometry, depth)
            },
        )
    }

    fn by_definition(
        g: &Geometry,
        depth: bool,
        weights: &[f32],
        finish: Finish<'_>,
        input: &[f32],
    ) -> Vec<f32> {
        let channels = if depth { 1 } else { g.channels_in };
        let mut output = Vec::new();
        for out in 0..g.channels_out {
            for at in 0..g.n_out() {
                let (oy, ox) = (at / g.size_out.1, at % g.size_out.1);
                let mut sum = finish.bias[out];
                for c in 0..channels {
                    for (ky, kx) in
                        (0..g.kernel.0).flat_map(|y| (0..g.kernel.1).map(move |x| (y, x)))
                    {
                        let y = (oy * g.stride + ky) as i64 - g.pad.0 as i64;
                        let x = (ox * g.stride + kx) as i64 - g.pad.1 as i64;
                        let inside = (0..g.size_in.0 as i64).contains(&y)
                            && (0..g.size_in.1 as i64).contains(&x);
                        if inside {
                            let plane = if depth { out } else { c };
                            let from =
                                (plane * g.size_in.0 + y as usize) * g.size_in.1 + x as usize;
                            let weight = ((out * channels + c) * g.kernel.0 + ky) * g.kernel.1 + kx;
                            sum += weights[weight] * input[from];
                        }
                    }
                }
                output.push(if sum < 0.0 {
                    sum * finish.slope(out)
                } else {
                    sum
                });
            }
        }
        output
    }

    fn noise(seed: u32) -> impl Iterator<Item = f32> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
    }
}
