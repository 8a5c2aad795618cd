//! Chance that gives the same row on every machine (SplitMix64). For simulation, never for keys.

/// A row of random numbers.
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The row that belongs to a path of labels, such as seed, person and purpose.
    pub fn of(path: &[u64]) -> Self {
        let mut chance = Self { state: 0x636f_756e_7479 };
        for &label in path {
            chance.state = chance.state.wrapping_add(label);
            chance.state = chance.bits();
        }
        chance
    }

    /// 64 random ones.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub fn is(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// In `low..=high`; `low` where the two are the wrong way round.
    pub fn within(&mut self, low: i32, high: i32) -> i32 {
        let width = i64::from(high) - i64::from(low) + 1;
        if width <= 1 {
            return low;
        }
        let width = width.unsigned_abs();
        let above = i32::try_from(self.bits() % width).unwrap_or(0);
        low + above
    }

    /// The index of a weight, drawn in proportion; none if all are zero.
    pub fn weighted(&mut self, weights: impl Iterator<Item = u32> + Clone) -> Option<usize> {
        let total: u64 = weights.clone().map(u64::from).sum();
        if total == 0 {
            return None;
        }
        let mut left = self.bits() % total;
        for (index, weight) in weights.enumerate() {
            let weight = u64::from(weight);
            if left < weight {
                return Some(index);
            }
            left -= weight;
        }
        None
    }
}
