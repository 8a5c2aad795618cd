//! Faults on order: a test tells the authority to misbehave, and it does, by a seed.
//! Nothing here runs unless it was asked for by its name.

use std::{str::FromStr, time::Duration};

/// The faults that were asked for; none by default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// Share of requests that are done and whose reply is lost.
    pub drop_replies: f64,
    /// Share of requests that are lost before anything is done.
    pub drop_requests: f64,
    /// Share of requests answered 503 before anything is done.
    pub busy: f64,
    /// Share of records answered 503 before they are looked at.
    pub refuse_records: f64,
    /// Share of records held to be unreadable, 422, whatever they are.
    pub spoil_records: f64,
    /// Share of receipts signed by a key that is not the authority's.
    pub forge_receipts: f64,
    /// Share of receipts that speak of another digest, signed by the true key.
    pub wrong_receipts: f64,
    /// Share of committed records whose receipt is left out of the reply.
    pub omit_receipts: f64,
    /// Share of replies whose body is noise.
    pub noise: f64,
    /// How long each reply waits.
    pub slow: Duration,
    /// How far the authority's clock is off, in milliseconds.
    pub clock_offset_ms: i64,
}

/// Draws by a seed which fault happens now.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    state: u64,
}

impl Faults {
    /// Adds the fault that a text `name=value` asks for.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once('=').ok_or("a fault is name=value")?;
        match name {
            "drop-replies" => self.drop_replies = share(value)?,
            "drop-requests" => self.drop_requests = share(value)?,
            "busy" => self.busy = share(value)?,
            "refuse-records" => self.refuse_records = share(value)?,
            "spoil-records" => self.spoil_records = share(value)?,
            "forge-receipts" => self.forge_receipts = share(value)?,
            "wrong-receipts" => self.wrong_receipts = share(value)?,
            "omit-receipts" => self.omit_receipts = share(value)?,
            "noise" => self.noise = share(value)?,
            "slow-ms" => self.slow = Duration::from_millis(number(value)?),
            "clock-offset-ms" => self.clock_offset_ms = number(value)?,
            _ => return Err(format!("no fault is called {name}")),
        }
        Ok(())
    }
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// True for `share` of the throws. A share of nothing throws no dice, so that one fault's
    /// draws do not depend on the faults that nobody asked for.
    pub(crate) fn falls(&mut self, share: f64) -> bool {
        share > 0.0 && self.throw() < share
    }

    /// A number from 0 up to 1 (splitmix64).
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
    fn throw(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn share(value: &str) -> Result<f64, String> {
    let share: f64 = number(value)?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(format!("{value} is no share of one"))
    }
}

fn number<T: FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{value} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_asked_for_by_its_name_and_share() {
        let mut faults = Faults::default();
        faults.add("drop-replies=0.25").expect("a fault");
        faults.add("slow-ms=5").expect("a fault");
        assert_eq!(faults.drop_replies, 0.25);
        assert_eq!(faults.slow, Duration::from_millis(5));
        for text in ["drop-replies", "drop-replies=2", "drop-replies=-0", "unknown=1", "slow-ms=x"]
        {
            assert_eq!(faults.add(text).is_err(), text != "drop-replies=-0", "{text}");
        }
    }

    #[test]
    fn dice_fall_as_often_as_their_share_and_the_same_for_a_seed() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            (0..10_000).map(|_| dice.falls(0.2)).collect::<Vec<_>>()
        };
        let hits = throws(7).iter().filter(|hit| **hit).count();
        assert!((1_800..2_200).contains(&hits), "{hits} of 10,000 at seed 7");
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
        assert!(!Dice::new(1).falls(0.0));
    }
}
