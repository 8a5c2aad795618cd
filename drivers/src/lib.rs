//! The devices of a counter: ID-card reader, fingerprint module, camera, receipt
//! printer and the card-photo decoder. Nothing here knows what a pension is, and
//! nothing here decides about a person: a driver gives blocks, images, answers
//! ("do not move the card") and faults with a stable code.

pub mod camera;
pub mod clock;
pub mod display;
pub mod finger_scanner;
pub mod fingerprint;
mod helper;
pub mod id_card;
pub mod link;
pub mod livescan;
pub mod memory_card;
pub mod panel;
pub mod photo;
pub mod photo_loader;
pub mod power;
pub mod printer;
pub mod sandbox;
pub mod selftest;
pub mod social_card;
pub mod speaker;

/// Shows what a test found; what the macros print, the harness keeps back of a test that passed.
#[cfg(test)]
fn show(table: &str) {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "\n{table}").expect("standard output is open");
}
