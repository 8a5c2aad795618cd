//! The morning check of the social-card reader: the service runs, the reader is there, and
//! no card was left in it.

use std::time::Instant;

use super::{Reader, Settings, SocialCardError};
use crate::selftest::{Checked, Outcome};

/// Checks the reader; reads no card.
pub fn check(settings: Settings) -> Checked {
    let began = Instant::now();
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
