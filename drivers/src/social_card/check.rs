//! The morning check of the social-card reader: the service runs, the reader is there, and
//! no card was left in it.

use std::time::{Duration, Instant};

use super::{Reader, Settings, SocialCardError};
use crate::selftest::{Checked, Outcome};

/// Checks the reader in less than five seconds; reads no card.
pub fn check(mut settings: Settings) -> Checked {
    let began = Instant::now();
    settings.patience = settings.patience.min(PATIENCE);
    let mut facts = Vec::new();
    let mut reader = Reader::new(settings);
    let failed = |error: SocialCardError| Outcome::Fails(error.code());
    let empty = reader.name().and_then(|name| {
        facts.push(("reader", name));
        reader.wait_for_removal(Instant::now())
    });
    let outcome = match empty {
        Ok(true) => Outcome::Works,
        Ok(false) => Outcome::Attention("social-card-left-in-reader"),
        Err(error) => failed(error),
    };
    Checked { device: "social-card-reader", outcome, facts, took: began.elapsed() }
}

const PATIENCE: Duration = Duration::from_millis(1500);
