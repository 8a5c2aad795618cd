//! The inner loops: convolutions, layer norms and curves on pictures whose channels
//! lie side by side (row, column, channel). Written once over [`lanes::Lanes`],
//! compiled for each vector unit, chosen when the program starts.

mod dense;
mod depthwise;
mod lanes;
mod pixelwise;

pub(super) use dense::Dense;
pub(super) use depthwise::Depthwise;
use pixelwise::bend;
pub(super) use pixelwise::{Curve, Norm, Pool};

/// The vector unit of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// 32 registers of 16 floats.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 16 registers of 8 floats.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 32 registers of 4 floats; every aarch64 has it.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// What the compiler makes of four floats.
    Plain,
}

impl Unit {
    /// The best one of this machine.
    pub(super) fn here() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let has_fma = is_x86_feature_detected!("fma");
            if has_fma && is_x86_feature_detected!("avx512f") {
                return Self::Avx512;
            }
            if has_fma && is_x86_feature_detected!("avx2") {
                return Self::Avx2;
            }
        }
        #[cfg(target_arch = "aarch64")]
        return Self::Neon;
        #[expect(clippy::allow_attributes, reason = "only some architectures return before")]
        #[allow(unreachable_code, reason = "only some architectures return before")]
        Self::Plain
    }

    /// All that this machine has.
    #[cfg(test)]
    fn all() -> Vec<Self> {
        let mut units = vec![Self::Plain];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            units.push(Self::Avx2);
        }
        if !units.contains(&Self::here()) {
            units.push(Self::here());
        }
        units
    }

    /// Floats in a register.
    pub(super) fn width(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => 16,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => 8,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => 4,
            Self::Plain => 4,
        }
    }

    /// Registers for the output channels of one tile.
    fn tall(self) -> usize {
        use lanes::Lanes;
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => std::arch::x86_64::__m512::TALL,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::arch::x86_64::__m256::TALL,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::aarch64::float32x4_t::TALL,
            Self::Plain => lanes::Plain::TALL,
        }
    }
}

/// Runs a kernel written over `Lanes` on the vector unit that `$unit` names.
macro_rules! on_unit {
    ($unit:expr, $kernel:ident($($name:ident: $type:ty = $given:expr),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,fma")]
        fn avx512($($name: $type),*) {
            // SAFETY: this function is only called where AVX-512 was found.
            unsafe { $kernel::<std::arch::x86_64::__m512>($($name),*) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2($($name: $type),*) {
            // SAFETY: this function is only called where AVX2 was found.
            unsafe { $kernel::<std::arch::x86_64::__m256>($($name),*) }
        }
        match $unit {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a unit is only named where it was found.
            crate::network::kernels::Unit::Avx512 => unsafe { avx512($($given),*) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a unit is only named where it was found.
            crate::network::kernels::Unit::Avx2 => unsafe { avx2($($given),*) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: every aarch64 has NEON.
            crate::network::kernels::Unit::Neon => unsafe {
                $kernel::<std::arch::aarch64::float32x4_t>($($given),*)
            },
            // SAFETY: plain floats exist everywhere.
            crate::network::kernels::Unit::Plain => unsafe {
                $kernel::<crate::network::kernels::lanes::Plain>($($given),*)
            },
        }
    }};
}
use on_unit;

/// While this lives, numbers too small for a normal float count as zero on this
/// thread: arithmetic with them takes a hundred times as long, and no answer
/// depends on them.
pub(super) struct TinyIsZero {
    before: Control,
}

#[cfg(target_arch = "x86_64")]
type Control = u32;
#[cfg(target_arch = "aarch64")]
type Control = u64;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Control = ();

impl TinyIsZero {
    pub(super) fn set() -> Self {
        let before = control();
        #[cfg(target_arch = "x86_64")]
        set_control(before | 0x8040);
        #[cfg(target_arch = "aarch64")]
        set_control(before | 1 << 24);
        Self { before }
    }
}

impl Drop for TinyIsZero {
    fn drop(&mut self) {
        #[cfg_attr(
            not(any(target_arch = "x86_64", target_arch = "aarch64")),
            expect(clippy::unit_arg, reason = "there is nothing to restore")
        )]
        set_control(self.before);
    }
}

#[expect(unsafe_code, reason = "the control register is read by an instruction of its own")]
fn control() -> Control {
    #[cfg(target_arch = "x86_64")]
    {
        let mut now = 0u32;
        // SAFETY: stores the control register to a place of its size.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut now, options(nostack)) };
        now
    }
    #[cfg(target_arch = "aarch64")]
    {
        let now: u64;
        // SAFETY: reading the control register changes nothing.
        unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) now, options(nostack, nomem)) };
        now
    }
}

#[expect(unsafe_code, reason = "the control register is set by an instruction of its own")]
fn set_control(value: Control) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: only the two bits about tiny numbers differ from what was there.
    unsafe {
        std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const value, options(nostack, readonly));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: only the bit about tiny numbers differs from what was there.
    unsafe {
        std::arch::asm!("msr fpcr, {}", in(reg) value, options(nostack));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::arbitrary::number;

    use super::*;

    /// A convolution in words that cannot be misread.
    #[derive(Debug, Clone)]
    struct Plan {
        depth: bool,
        channels_in: usize,
        channels_out: usize,
        kernel: usize,
        stride: usize,
        dilation: usize,
        size_out: (usize, usize),
        n_pictures: usize,
        gap: usize,
        seed: u32,
    }

    impl Plan {
        fn size_in(&self) -> (usize, usize) {
            let along = |n: usize| (n - 1) * self.stride + (self.kernel - 1) * self.dilation + 1;
            (along(self.size_out.0), along(self.size_out.1))
        }

        /// Input, weights, bias, slope, residual.
        fn numbers(&self) -> [Vec<f32>; 5] {
            let (rows, columns) = self.size_in();
            let seen = if self.depth { 1 } else { self.channels_in };
            let n_out = self.n_pictures * self.size_out.0 * self.size_out.1 * self.channels_out;
            let mut noise = noise(self.seed);
            [
                self.n_pictures * rows * columns * (self.channels_in + self.gap),
                self.channels_out * seen * self.kernel * self.kernel,
                self.channels_out,
                self.channels_out,
                n_out,
            ]
            .map(|n| noise.by_ref().take(n).collect())
        }

        fn by_definition(&self) -> Vec<f32> {
            let [input, weights, bias, slope, residual] = self.numbers();
            let (rows, columns) = self.size_in();
            let pixel = self.channels_in + self.gap;
            let mut output = Vec::new();
            for place in 0..self.n_pictures * self.size_out.0 * self.size_out.1 {
                let (x, y) = (place % self.size_out.1, place / self.size_out.1 % self.size_out.0);
                let picture = place / (self.size_out.0 * self.size_out.1);
                for out in 0..self.channels_out {
                    let seen = if self.depth { out..out + 1 } else { 0..self.channels_in };
                    let n_seen = seen.len();
                    let mut sum = f64::from(bias[out]) + f64::from(residual[output.len()]);
                    for tap in 0..self.kernel * self.kernel {
                        let (ky, kx) = (tap / self.kernel, tap % self.kernel);
                        let row = picture * rows + y * self.stride + ky * self.dilation;
                        let column = x * self.stride + kx * self.dilation;
                        for (index, channel) in seen.clone().enumerate() {
                            let value = input[(row * columns + column) * pixel + channel];
                            let weight = (out * n_seen + index) * self.kernel * self.kernel + tap;
                            sum += f64::from(value) * f64::from(weights[weight]);
                        }
                    }
                    let sum = if sum < 0.0 { sum * f64::from(slope[out]) } else { sum };
                    output.push((1.0 / (1.0 + (-sum).exp())) as f32);
                }
            }
            output
        }

        fn on(&self, unit: Unit) -> Vec<f32> {
            let [input, weights, mut bias, mut slope, residual] = self.numbers();
            let (rows, columns) = self.size_in();
            let n = self.channels_out.next_multiple_of(unit.width());
            bias.resize(n, 0.0);
            slope.resize(n, 0.0);
            let pixel = self.channels_in + self.gap;
            let row = self.size_out.1 * self.channels_out;
            let (unit, channels_out, kernel) =
                (unit, self.channels_out, (self.kernel, self.kernel));
            let (stride, dilation) = ((self.stride, self.stride), (self.dilation, self.dilation));
            let input_steps = (columns * pixel, pixel);
            let starts = (0..self.n_pictures).map(|i| i * rows * columns * pixel).collect();
            let output_steps = (self.size_out.0 * row, row, channels_out);
            let (slope, curve) = (Some(slope), Some(Curve::Sigmoid));
            let mut output = vec![f32::NAN; residual.len()];
            if self.depth {
                let weights = Depthwise::pack(unit, &weights, channels_out);
                Depthwise {
                    unit,
                    channels: channels_out,
                    kernel,
                    stride,
                    dilation,
                    input_steps,
                    starts,
                    size_out: self.size_out,
                    output_steps,
                    weights,
                    bias,
                    slope,
                    curve,
                }
                .run(&input, Some(&residual), &mut output);
            } else {
                let n_taps = self.kernel * self.kernel;
                let channels_in = self.channels_in;
                let weights = Dense::pack(unit, &weights, channels_in, n_taps, channels_out);
                Dense {
                    unit,
                    channels_in,
                    channels_out,
                    kernel,
                    stride,
                    dilation,
                    input_steps,
                    starts,
                    size_out: self.size_out,
                    output_steps,
                    weights,
                    bias,
                    slope,
                    curve,
                }
                .run(&input, Some(&residual), &mut output);
            }
            output
        }
    }

    fn plans() -> impl Strategy<Value = Plan> {
        let channels = (any::<bool>(), 1usize..70, 1usize..140);
        let window = (1usize..4, 1usize..3, 1usize..3);
        let size = (1usize..4, 1usize..40, 1usize..3, 0usize..3);
        (channels, window, size, any::<u32>()).prop_map(
            |((depth, channels_in, channels_out), (kernel, stride, dilation), size, seed)| Plan {
                depth,
                channels_in,
                channels_out: if depth { channels_in } else { channels_out },
                kernel,
                stride,
                dilation,
                size_out: (size.0, size.1),
                n_pictures: size.2,
                gap: size.3,
                seed,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_convolution_is_its_definition_on_every_unit(plan in plans()) {
            let expected = plan.by_definition();
            for unit in Unit::all() {
                for (value, expected) in plan.on(unit).iter().zip(&expected) {
                    prop_assert!((value - expected).abs() < 1e-4, "{unit:?}: {value}, {expected}");
                }
            }
        }

        #[test]
        fn a_norm_is_its_definition_on_every_unit(
            channels in 2usize..70, shift in number(-50.0..50.0), seed in any::<u32>(),
        ) {
            let n_pixels = 17;
            let input: Vec<f32> = noise(seed).take(n_pixels * channels).map(|v| v + shift).collect();
            for unit in Unit::all() {
                let n = channels.next_multiple_of(unit.width());
                let (gamma, beta) = (vec![2.0; n], vec![3.0; n]);
                // Wide enough that the rounding of a mean of 50 is not blown up where all values are alike.
                let epsilon = 1e-2;
                let norm = Norm { unit, n_pixels, channels, epsilon, gamma, beta, curve: None };
                let mut output = vec![f32::NAN; input.len()];
                norm.run(&input, &mut output);
                for (x, y) in input.chunks_exact(channels).zip(output.chunks_exact(channels)) {
                    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / channels as f64;
                    let centre = mean(&mut x.iter().map(|v| f64::from(*v)));
                    let spread = mean(&mut x.iter().map(|v| (f64::from(*v) - centre).powi(2)));
                    for (x, y) in x.iter().zip(y) {
                        let norm = (f64::from(*x) - centre) / (spread + f64::from(epsilon)).sqrt();
                        let off = f64::from(*y) - (2.0 * norm + 3.0);
                        prop_assert!(off.abs() < 1e-3, "{unit:?}: {y} is off by {off}");
                    }
                }
            }
        }
    }

    #[test]
    fn curves_are_what_their_names_say() {
        let values: Vec<f32> = (-400..=400).map(|i| i as f32 / 20.0).collect();
        let gelu = |x: f64| 0.5 * x * (1.0 + (0.797_884_56 * (x + 0.044_715 * x.powi(3))).tanh());
        let check = |curve: Curve, expected: &dyn Fn(f64) -> f64| {
            for unit in Unit::all() {
                let mut bent = values.clone();
                curve.run(unit, &mut bent);
                for (x, y) in values.iter().zip(&bent) {
                    let expected = expected(f64::from(*x));
                    let off = (f64::from(*y) - expected).abs();
                    assert!(off <= 1e-6 * expected.abs().max(1.0), "{unit:?} {curve:?}({x}): {y}");
                }
            }
        };
        check(Curve::Exp, &f64::exp);
        check(Curve::Gelu, &gelu);
        let hard = |x: f64| x * (x + 3.0).clamp(0.0, 6.0) / 6.0;
        check(Curve::HardSwish { scale: 1.0, shift: 0.0 }, &hard);
        check(Curve::HardSwish { scale: -0.5, shift: 0.25 }, &|x| 0.25 - 0.5 * hard(x));
        check(Curve::Sigmoid, &|x| 1.0 / (1.0 + (-x).exp()));
        check(Curve::Tanh, &f64::tanh);
    }

    #[test]
    fn a_pool_takes_the_greatest_or_the_mean_of_what_is_there() {
        let pool = |greatest, kernel, stride, size_out| Pool {
            greatest,
            channels: 1,
            kernel: (kernel, kernel),
            stride: (stride, stride),
            pad: (kernel / 2, kernel / 2),
            size_in: (3, 3),
            input_steps: (3, 1),
            size_out: (size_out, size_out),
            output_steps: (size_out, 1),
        };
        let input = [1.0, 5.0, 2.0, 0.0, 3.0, 4.0, 9.0, 7.0, 8.0];
        let mut output = vec![0.0; 9];
        pool(true, 3, 1, 3).run(&input, &mut output);
        assert_eq!(output, [5.0, 5.0, 5.0, 9.0, 9.0, 8.0, 9.0, 9.0, 8.0]);
        pool(true, 3, 2, 2).run(&input, &mut output[..4]);
        assert_eq!(output[..4], [5.0, 5.0, 9.0, 8.0]);
        pool(false, 3, 2, 2).run(&input, &mut output[..4]);
        assert_eq!(output[..4], [2.25, 3.5, 4.75, 5.5]);
    }

    #[test]
    fn tiny_numbers_are_zero_only_while_it_lives() {
        let half = |value: f32| std::hint::black_box(value) * std::hint::black_box(0.5);
        {
            let _tiny_is_zero = TinyIsZero::set();
            assert_eq!(half(f32::MIN_POSITIVE), 0.0);
        }
        assert!(half(f32::MIN_POSITIVE) > 0.0);
    }

    fn noise(seed: u32) -> impl Iterator<Item = f32> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
    }
}
