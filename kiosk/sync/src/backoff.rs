//! How long to wait after a failure: a random part of a growing span, so that a county does not knock all at once.

use std::time::Duration;

/// Full-jitter back-off from 5 seconds to 15 minutes. The caller waits and brings the randomness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure. `random` is any number; `asked` is the authority's `Retry-After`.
    pub fn after_failure(&mut self, random: u64, asked: Option<Duration>) -> Duration {
        let span = FIRST.saturating_mul(1 << self.failures.min(DOUBLINGS_MAX)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let span_ms = u64::try_from(span.as_millis()).expect("15 minutes are a small number");
        let jitter = Duration::from_millis(random % (span_ms + 1));
        match asked {
            // All terminals were told the same second; the jitter spreads them behind it.
            Some(asked) => asked.min(ASKED_LONGEST) + jitter.min(FIRST),
            None => jitter,
        }
    }

    /// After a success everything starts anew.
    pub fn success(&mut self) {
        self.failures = 0;
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// A hostile or broken answer cannot silence a terminal for longer than a night.
const ASKED_LONGEST: Duration = Duration::from_secs(6 * 3600);
const DOUBLINGS_MAX: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_its_span(randoms in proptest::collection::vec(any::<u64>(), 1..100)) {
            let mut backoff = Backoff::default();
            for (n, random) in randoms.into_iter().enumerate() {
                let span = FIRST * 2_u32.pow(u32::try_from(n.min(16)).unwrap());
                prop_assert!(backoff.after_failure(random, None) <= span.min(LONGEST));
            }
        }
    }

    #[test]
    fn the_authority_is_obeyed_but_not_for_ever() {
        let mut backoff = Backoff::default();
        let asked = Duration::from_secs(60);
        assert!(backoff.after_failure(u64::MAX, Some(asked)) >= asked);
        let endless = backoff.after_failure(0, Some(Duration::from_secs(u64::MAX)));
        assert_eq!(endless, ASKED_LONGEST);
    }
}
