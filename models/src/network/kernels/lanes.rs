//! One register of floats, whatever its width: AVX-512, AVX2, NEON, or four plain
//! floats. The kernels beside are written once over it and compiled once for each.
#![expect(
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    reason = "vector instructions exist only on some machines, and registers are loaded through pointers"
)]

/// A register of `N` floats.
///
/// # Safety
/// The methods may be called only where the vector unit exists, and the pointers must
/// be good for `N` floats, or for `n` where a method takes `n`.
pub(super) trait Lanes: Copy {
    const N: usize;
    /// Registers for the output channels of one tile: as many as leave room.
    const TALL: usize;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// The first `n` lanes from memory, the others zero.
    unsafe fn load_part(from: *const f32, n: usize) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// Only the first `n` lanes.
    unsafe fn store_part(self, to: *mut f32, n: usize);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    unsafe fn max(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
    /// `self * times + plus`.
    unsafe fn mul_add(self, times: Self, plus: Self) -> Self;
    /// Two to the power of the whole number that was added to `WHOLE`.
    unsafe fn power_of_two(self) -> Self;
    unsafe fn sum(self) -> f32;
}

/// Adding this to a float of moderate size leaves its whole part in the lowest bits.
pub(super) const WHOLE: f32 = 12_582_912.0;

/// `e` to the power of each lane; right to a few units in the last place.
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
pub(super) unsafe fn exp<V: Lanes>(x: V) -> V {
    let x = x.max(V::splat(-87.0)).min(V::splat(88.0));
    let whole = x.mul_add(V::splat(std::f32::consts::LOG2_E), V::splat(WHOLE));
    let n = whole.sub(V::splat(WHOLE));
    // The logarithm of two in two parts, so that nothing is lost in the difference.
    let rest = n.mul_add(V::splat(-0.693_359_4), x);
    let rest = n.mul_add(V::splat(2.121_944_4e-4), rest);
    let mut sum = V::splat(1.987_569_1e-4);
    for factor in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5, 1.0, 1.0] {
        sum = sum.mul_add(rest, V::splat(factor));
    }
    sum.mul(whole.power_of_two())
}

/// `1 / (1 + e^-x)`.
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
pub(super) unsafe fn sigmoid<V: Lanes>(x: V) -> V {
    let one = V::splat(1.0);
    one.div(one.add(exp(V::splat(0.0).sub(x))))
}

/// `x / 2 * (1 + tanh(0.79788 * (x + 0.044715 x^3)))`, written with one exponential.
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
pub(super) unsafe fn gelu<V: Lanes>(x: V) -> V {
    let cubic =
        x.mul(x).mul_add(V::splat(2.0 * 0.797_884_6 * 0.044_715), V::splat(2.0 * 0.797_884_6));
    let one = V::splat(1.0);
    x.div(one.add(exp(V::splat(0.0).sub(cubic.mul(x)))))
}

/// Negative lanes times a slope.
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
pub(super) unsafe fn rectify<V: Lanes>(x: V, slope: V) -> V {
    let zero = V::splat(0.0);
    x.min(zero).mul_add(slope, x.max(zero))
}

/// Four floats, left to the compiler.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(super) struct Plain([f32; 4]);

impl Plain {
    #[inline(always)]
    fn zip(self, other: Self, of: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| of(self.0[lane], other.0[lane])))
    }
}

impl Lanes for Plain {
    const N: usize = 4;
    const TALL: usize = 1;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(from.cast::<[f32; 4]>().read_unaligned())
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, n: usize) -> Self {
        Self(std::array::from_fn(|lane| if lane < n { *from.add(lane) } else { 0.0 }))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        to.cast::<[f32; 4]>().write_unaligned(self.0);
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, n: usize) {
        std::ptr::copy_nonoverlapping(self.0.as_ptr(), to, n);
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn mul_add(self, times: Self, plus: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] * times.0[lane] + plus.0[lane]))
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        Self(self.0.map(|v| f32::from_bits((v.to_bits() << 23).wrapping_add(127 << 23))))
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        (self.0[0] + self.0[2]) + (self.0[1] + self.0[3])
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Lanes;

    impl Lanes for __m512 {
        const N: usize = 16;
        const TALL: usize = 4;
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            _mm512_set1_ps(value)
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            _mm512_loadu_ps(from)
        }
        #[inline(always)]
        unsafe fn load_part(from: *const f32, n: usize) -> Self {
            _mm512_maskz_loadu_ps(((1u32 << n) - 1) as u16, from)
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            _mm512_storeu_ps(to, self);
        }
        #[inline(always)]
        unsafe fn store_part(self, to: *mut f32, n: usize) {
            _mm512_mask_storeu_ps(to, ((1u32 << n) - 1) as u16, self);
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            _mm512_add_ps(self, other)
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            _mm512_sub_ps(self, other)
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            _mm512_mul_ps(self, other)
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            _mm512_div_ps(self, other)
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            _mm512_max_ps(self, other)
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            _mm512_min_ps(self, other)
        }
        #[inline(always)]
        unsafe fn mul_add(self, times: Self, plus: Self) -> Self {
            _mm512_fmadd_ps(self, times, plus)
        }
        #[inline(always)]
        unsafe fn power_of_two(self) -> Self {
            let bits = _mm512_slli_epi32::<23>(_mm512_castps_si512(self));
            _mm512_castsi512_ps(_mm512_add_epi32(bits, _mm512_set1_epi32(127 << 23)))
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            _mm512_reduce_add_ps(self)
        }
    }

    /// Minus one in as many lanes as are wanted, from the right place in this row.
    static ONES_THEN_ZEROS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

    #[inline(always)]
    unsafe fn mask(n: usize) -> __m256i {
        _mm256_loadu_si256(ONES_THEN_ZEROS.as_ptr().add(8 - n).cast())
    }

    impl Lanes for __m256 {
        const N: usize = 8;
        const TALL: usize = 2;
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            _mm256_set1_ps(value)
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            _mm256_loadu_ps(from)
        }
        #[inline(always)]
        unsafe fn load_part(from: *const f32, n: usize) -> Self {
            _mm256_maskload_ps(from, mask(n))
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            _mm256_storeu_ps(to, self);
        }
        #[inline(always)]
        unsafe fn store_part(self, to: *mut f32, n: usize) {
            _mm256_maskstore_ps(to, mask(n), self);
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            _mm256_add_ps(self, other)
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            _mm256_sub_ps(self, other)
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            _mm256_mul_ps(self, other)
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            _mm256_div_ps(self, other)
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            _mm256_max_ps(self, other)
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            _mm256_min_ps(self, other)
        }
        #[inline(always)]
        unsafe fn mul_add(self, times: Self, plus: Self) -> Self {
            _mm256_fmadd_ps(self, times, plus)
        }
        #[inline(always)]
        unsafe fn power_of_two(self) -> Self {
            let bits = _mm256_slli_epi32::<23>(_mm256_castps_si256(self));
            _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_set1_epi32(127 << 23)))
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            let four = _mm_add_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps::<1>(self));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;

    use super::Lanes;

    impl Lanes for float32x4_t {
        const N: usize = 4;
        const TALL: usize = 4;
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            vdupq_n_f32(value)
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            vld1q_f32(from)
        }
        #[inline(always)]
        unsafe fn load_part(from: *const f32, n: usize) -> Self {
            let mut lanes = [0.0; 4];
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), n);
            vld1q_f32(lanes.as_ptr())
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            vst1q_f32(to, self);
        }
        #[inline(always)]
        unsafe fn store_part(self, to: *mut f32, n: usize) {
            let mut lanes = [0.0; 4];
            vst1q_f32(lanes.as_mut_ptr(), self);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, n);
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            vaddq_f32(self, other)
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            vsubq_f32(self, other)
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            vmulq_f32(self, other)
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            vdivq_f32(self, other)
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            vmaxq_f32(self, other)
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            vminq_f32(self, other)
        }
        #[inline(always)]
        unsafe fn mul_add(self, times: Self, plus: Self) -> Self {
            vfmaq_f32(plus, self, times)
        }
        #[inline(always)]
        unsafe fn power_of_two(self) -> Self {
            let bits = vshlq_n_s32::<23>(vreinterpretq_s32_f32(self));
            vreinterpretq_f32_s32(vaddq_s32(bits, vdupq_n_s32(127 << 23)))
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            vaddvq_f32(self)
        }
    }
}
