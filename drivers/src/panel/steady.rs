//! Makes one answer out of a switch that bounces and a sensor that flickers. No I/O.

use std::time::{Duration, Instant};

/// An input that changes only after it was steady for a while.
#[derive(Debug)]
pub(super) struct Steady {
    on_after: Duration,
    off_after: Duration,
    told: Option<bool>,
    differs_since: Option<Instant>,
}

impl Steady {
    /// Active after `on_after`, inactive after `off_after`. Zero means at once, and then a
    /// touch between two looks counts as well.
    pub(super) fn new(on_after: Duration, off_after: Duration) -> Self {
        Self { on_after, off_after, told: None, differs_since: None }
    }

    /// What is to be told now: nothing, or the new state. The first look always tells.
    pub(super) fn see(&mut self, is_active: bool, touched: bool, now: Instant) -> Option<bool> {
        let counts = is_active || (touched && self.on_after.is_zero());
        let Some(told) = self.told else {
            self.told = Some(counts);
            return Some(counts);
        };
        // A touch starts the wait for "steady again" anew.
        if counts == told || (touched && told) {
            self.differs_since = None;
        }
        if counts == told {
            return None;
        }
        let needed = if counts { self.on_after } else { self.off_after };
        let since = *self.differs_since.get_or_insert(now);
        if now.duration_since(since) < needed {
            return None;
        }
        self.differs_since = None;
        self.told = Some(counts);
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bouncing_switch_tells_once() {
        let mut door = Steady::new(ms(50), ms(50));
        let told = run(&mut door, "0 0 1 0 1 0 1 1 1 1 1 1 1 0 0 0 0 0 0 0");
        assert_eq!(told, "0@0 1@110 0@180");
    }

    #[test]
    fn what_counts_at_once_is_not_missed_between_two_looks() {
        let mut tamper = Steady::new(Duration::ZERO, ms(30));
        assert_eq!(run(&mut tamper, "0 0 t 0 0 0 0 0"), "0@0 1@20 0@60");
        let mut tamper = Steady::new(Duration::ZERO, ms(30));
        assert_eq!(run(&mut tamper, "t 0 0 0 0 0"), "1@0 0@40");
    }

    #[test]
    fn a_touch_again_keeps_it_active() {
        let mut tamper = Steady::new(Duration::ZERO, ms(30));
        assert_eq!(run(&mut tamper, "0 1 0 0 t 0 0 0 0 0"), "0@0 1@10 0@80");
    }

    /// Looks every 10 ms: `0`, `1`, or `t` for inactive but touched in between.
    fn run(steady: &mut Steady, looks: &str) -> String {
        let begin = Instant::now();
        let mut told = Vec::new();
        for (i, look) in looks.split(' ').enumerate() {
            let now = begin + ms(10) * i as u32;
            if let Some(is_active) = steady.see(look == "1", look != "0", now) {
                told.push(format!("{}@{}", u8::from(is_active), i * 10));
            }
        }
        told.join(" ")
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }
}
