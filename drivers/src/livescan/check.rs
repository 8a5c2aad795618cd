//! The morning check of a LIVESCAN scanner: its plug-in starts, frames come, and the glass
//! is empty.

use std::time::{Duration, Instant};

use super::{LivescanError, Scanner, Settings};
use crate::selftest::{Checked, Outcome};

/// Checks the scanner in less than five seconds; takes no finger.
pub fn check(mut settings: Settings) -> Checked {
    let began = Instant::now();
    settings.open_max = settings.open_max.min(OPEN_MAX);
    settings.frame_max = settings.frame_max.min(FRAME_MAX);
    let mut facts = Vec::new();
    let failed = |error: LivescanError| Outcome::Fails(error.code());
    let empty = Scanner::open(settings).and_then(|mut scanner| {
        let window = scanner.window();
        facts.push(("size", format!("{}x{}", window.width, window.height)));
        facts.push(("interface", window.version.to_string()));
        facts.push(("about", window.about.clone()));
        scanner.finger_off(Instant::now())
    });
    let outcome = match empty {
        Ok(true) => Outcome::Works,
        Ok(false) => Outcome::Attention("finger-reader-glass-not-empty"),
        Err(error) => failed(error),
    };
    Checked { device: "finger-reader", outcome, facts, took: began.elapsed() }
}

/// Nobody waits longer in the morning; a scanner that needs more is seen to.
const OPEN_MAX: Duration = Duration::from_secs(3);
const FRAME_MAX: Duration = Duration::from_secs(1);
