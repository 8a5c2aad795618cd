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
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => 4,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => 4,
            _ => 2,
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
