//! Arbitrary values for tests.

use std::ops::Range;

use proptest::prelude::*;

/// A number of a range. proptest's own ranges of floating-point numbers stop a test now and then at an assertion of
/// theirs (1.12.0, `float_samplers.rs`: `self.low - result < initial.step`), whatever is tested.
pub fn number(range: Range<f32>) -> impl Strategy<Value = f32> {
    let steps = 1u32 << 24;
    (0..steps)
        .prop_map(move |n| range.start + (range.end - range.start) * (n as f32 / steps as f32))
}
