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
    fn store(&self, channel: usize, sums: &[f32], to: &mut [f32]) {
        let bias = self.bias[channel];
        let slope = self.slope.map_or(1.0, |slope| slope[channel]);
        for (to, sum) in to.iter_mut().zip(sums) {
            let value = sum + bias;
            *to = if value < 0.0 { value * slope } else { value };
        }
    }
}

impl Geometry {
    /// Weights of one output channel when it sees every input channel.
    fn rows(&self) -> usize {
        self.channels_in * self.kernel.0 * self.kernel.1
    }

    fn n_out(&self) -> usize {
        self.size_out.0 * self.size_out.1
    }

    fn n_in(&self) -> usize {
        self.size_in.0 * self.size_in.1
    }

    fn is_pointwise(&self) -> bool {
        self.kernel == (1, 1) && self.stride == 1 && self.pad == (0, 0)
    }
}

/// Weights (out, in, row, column) reordered so that one step reads those of a whole
/// tile side by side; missing rows are zero.
pub(super) fn pack_dense(weights: &[f32], geometry: &Geometry) -> Vec<f32> {
    let rows = geometry.rows();
    let mut packed = Vec::with_capacity(geometry.channels_out.next_multiple_of(TALL) * rows);
    for block in (0..geometry.channels_out).step_by(TALL) {
        for k in 0..rows {
            let of = |channel: usize| weights.get(channel * rows + k).copied();
            let tile = (block..block + TALL).map(of);
            packed.extend(tile.map(Option::unwrap_or_default));
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
    if geometry.is_pointwise() {
        pointwise_on::<WIDE, FUSED>(geometry, packed, finish, input, output);
    } else {
        spatial_on::<WIDE, FUSED>(geometry, packed, finish, input, output);
    }
}

/// A kernel of one pixel: a product of matrices, a strip of pixels at a time.
#[inline(always)]
fn pointwise_on<const WIDE: usize, const FUSED: bool>(
    geometry: &Geometry,
    packed: &[f32],
    finish: Finish<'_>,
    input: &[f32],
    output: &mut [f32],
) {
    let (rows, n) = (geometry.rows(), geometry.n_out());
    let mut strip = vec![[0.0f32; WIDE]; rows];
    for from in (0..n).step_by(WIDE) {
        let width = WIDE.min(n - from);
        for (to, plane) in strip.iter_mut().zip(input.chunks_exact(n)) {
            to[..width].copy_from_slice(&plane[from..from + width]);
        }
        for (block, weights) in packed.chunks_exact(rows * TALL).enumerate() {
            let sums = tile::<WIDE, FUSED>(weights, strip.iter());
            let channels = (geometry.channels_out - block * TALL).min(TALL);
            for (row, sums) in sums.iter().enumerate().take(channels) {
                let channel = block * TALL + row;
                finish.store(channel, sums, &mut output[channel * n + from..][..width]);
            }
        }
    }
}

/// A kernel of several pixels: each of its places reads a run of neighbours from the
/// padded picture, so nothing is copied for it.
#[inline(always)]
fn spatial_on<const WIDE: usize, const FUSED: bool>(
    geometry: &Geometry,
    packed: &[f32],
    finish: Finish<'_>,
    input: &[f32],
    output: &mut [f32],
) {
    let (rows, n) = (geometry.rows(), geometry.n_out());
    let mut padded = Padded::new(geometry, WIDE, geometry.channels_in);
    for (channel, input) in input.chunks_exact(geometry.n_in()).enumerate() {
        padded.fill(geometry, channel, input);
    }
    let taps = padded.tap_starts(geometry);
    let first = |channel| channel * padded.channel;
    let starts: Vec<usize> = (0..geometry.channels_in)
        .flat_map(|channel| taps.iter().map(move |tap| first(channel) + tap))
        .collect();
    for from in (0..padded.n_sums).step_by(WIDE) {
        let reach = &padded.values[from..];
        for (block, weights) in packed.chunks_exact(rows * TALL).enumerate() {
            let runs = starts.iter().map(|start| run(reach, *start));
            let sums = tile::<WIDE, FUSED>(weights, runs);
            let channels = (geometry.channels_out - block * TALL).min(TALL);
            for (row, sums) in sums.iter().enumerate().take(channels) {
                let channel = block * TALL + row;
                let to = &mut output[channel * n..][..n];
                padded.store(geometry, finish, channel, from, sums, to);
            }
        }
    }
}

#[inline(always)]
fn run<const WIDE: usize>(values: &[f32], start: usize) -> &[f32; WIDE] {
    values[start..].first_chunk().expect("planes have room for the last run")
}

/// The product of `TALL` rows of weights with `WIDE` columns of input. Six rows are
/// what the registers hold; with a power of two the compiler turns the loops round
/// and gathers, fifty times slower.
#[inline(always)]
fn tile<'a, const WIDE: usize, const FUSED: bool>(
    weights: &[f32],
    columns: impl Iterator<Item = &'a [f32; WIDE]>,
) -> [[f32; WIDE]; TALL] {
    let mut sums = [[0.0f32; WIDE]; TALL];
    let (weights, _) = weights.as_chunks::<TALL>();
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

#[inline(always)]
fn depthwise_on<const WIDE: usize, const FUSED: bool>(
    geometry: &Geometry,
    weights: &[f32],
    finish: Finish<'_>,
    input: &[f32],
    output: &mut [f32],
) {
    let n_taps = geometry.kernel.0 * geometry.kernel.1;
    let width_out = geometry.size_out.1;
    let mut padded = Padded::new(geometry, WIDE, 1);
    let starts = padded.tap_starts(geometry);
    let mut sums = vec![0.0f32; padded.n_sums.next_multiple_of(WIDE)];
    let inputs = input.chunks_exact(geometry.n_in());
    let outputs = output.chunks_exact_mut(geometry.n_out());
    let weights = weights.chunks_exact(n_taps);
    for (channel, ((input, taps), output)) in inputs.zip(weights).zip(outputs).enumerate() {
        padded.fill(geometry, 0, input);
        let (chunks, _) = sums.as_chunks_mut::<WIDE>();
        for (chunk, sums) in chunks.iter_mut().enumerate() {
            let reach = &padded.values[chunk * WIDE..];
            // A variable of its own, so that it stays in registers.
            let mut total = [0.0f32; WIDE];
            for (tap, start) in taps.iter().zip(&starts) {
                let from: &[f32; WIDE] = run(reach, *start);
                for (sum, value) in total.iter_mut().zip(from) {
                    *sum = multiply_add::<FUSED>(*tap, *value, *sum);
                }
            }
            *sums = total;
        }
        let rows = sums.chunks(padded.lane).zip(output.chunks_exact_mut(width_out));
        rows.for_each(|(sums, row)| finish.store(channel, sums, row));
    }
}

/// Channels with their border of zeros. With a stride of two, even and odd rows and
/// columns lie in planes of their own, so that the sums of a whole channel, laid end
/// to end, read one run of neighbours for each tap. A few sums at the end of each
/// row belong to no output and are dropped.
struct Padded {
    values: Vec<f32>,
    /// Rows and columns of a plane.
    rows: usize,
    lane: usize,
    /// Values of a plane, with room for the last run to read beyond.
    plane: usize,
    /// Values of all planes of a channel.
    channel: usize,
    n_sums: usize,
}

impl Padded {
    fn new(geometry: &Geometry, wide: usize, channels: usize) -> Self {
        let stride = geometry.stride;
        let rows = geometry.size_out.0 + (geometry.kernel.0 - 1) / stride;
        let lane = geometry.size_out.1 + (geometry.kernel.1 - 1) / stride;
        let plane = rows * lane + geometry.kernel.1 + wide;
        let channel = stride * stride * plane;
        let values = vec![0.0; channels * channel];
        let n_sums = geometry.size_out.0 * lane;
        Self { values, rows, lane, plane, channel, n_sums }
    }

    /// Where the run of each tap starts within a channel.
    fn tap_starts(&self, geometry: &Geometry) -> Vec<usize> {
        let stride = geometry.stride;
        let columns = geometry.kernel.1;
        let start = |tap: usize| {
            let (ky, kx) = (tap / columns, tap % columns);
            let plane = (ky % stride) * stride + kx % stride;
            plane * self.plane + (ky / stride) * self.lane + kx / stride
        };
        (0..geometry.kernel.0 * columns).map(start).collect()
    }

    /// Only the inside is written; the border stays zero from the start. The stride
    /// is one or two.
    #[inline(always)]
    fn fill(&mut self, geometry: &Geometry, channel: usize, input: &[f32]) {
        let (stride, (pad_y, pad_x)) = (geometry.stride, geometry.pad);
        for (y, from) in input.chunks_exact(geometry.size_in.1).enumerate() {
            let y = y + pad_y;
            if y / stride >= self.rows {
                break;
            }
            let phases = channel * self.channel + (y % stride) * stride * self.plane;
            let row = phases + (y / stride) * self.lane;
            if stride == 1 {
                let n = from.len().min(self.lane - pad_x);
                self.values[row + pad_x..][..n].copy_from_slice(&from[..n]);
                continue;
            }
            for phase in 0..stride {
                // The first input column of this phase, and where it goes.
                let first = (phase + stride - pad_x % stride) % stride;
                let at = (first + pad_x) / stride;
                let to = &mut self.values[row + phase * self.plane + at..][..self.lane - at];
                // Pairs of known size, so that the compiler can pick every other one.
                let (pairs, last) = from[first.min(from.len())..].as_chunks::<2>();
                to.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair[0]);
                if let (Some(to), Some(value)) = (to.get_mut(pairs.len()), last.first()) {
                    *to = *value;
                }
            }
        }
    }

    /// Stores those of a run of sums, from the `from`th on, that belong to an output.
    #[inline(always)]
    fn store(
        &self,
        geometry: &Geometry,
        finish: Finish<'_>,
        channel: usize,
        from: usize,
        sums: &[f32],
        output: &mut [f32],
    ) {
        let width_out = geometry.size_out.1;
        let (mut y, mut x) = (from / self.lane, from % self.lane);
        let mut rest = sums;
        while !rest.is_empty() && y < geometry.size_out.0 {
            let (row, tail) = rest.split_at(rest.len().min(self.lane - x));
            if x < width_out {
                let n = row.len().min(width_out - x);
                finish.store(channel, &row[..n], &mut output[y * width_out + x..][..n]);
            }
            rest = tail;
            (y, x) = (y + 1, 0);
        }
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

    fn has_avx512() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("fma")
    }

    fn has_avx2() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }

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
                if has_avx512() {
                    // SAFETY: the three features were just found on this machine.
                    unsafe { $wide(g, w, f, i, o) }
                } else if has_avx2() {
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
                let slope = finish.slope.map_or(1.0, |slope| slope[out]);
                output.push(if sum < 0.0 { sum * slope } else { sum });
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
