//! A small generator of random numbers that gives the same row on every machine.
//!
//! SplitMix64 (Steele, Lea and Flood, 2014). Good enough for simulation, never for keys.

/// A row of random numbers.
#[derive(Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The row that belongs to a path of labels, such as seed, index and purpose.
    pub(crate) fn of(path: &[u64]) -> Self {
        let mut random = Self { state: 0x6368_616e_6771_696e };
        for &label in path {
            random.state = random.state.wrapping_add(label);
            random.state = random.next();
        }
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number in `0..n`; `n` is small, so the tiny bias of the remainder does not matter.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// A whole number in `low..=high`.
    pub(crate) fn within(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// In `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// In `low..high`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// About normal with mean 0 and deviation 1: the sum of four even numbers, so it never exceeds 3.5.
    pub(crate) fn bell(&mut self) -> f32 {
        (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * 1.732_050_8
    }
}
