//! The morning check of the photo library: can it be loaded, confined as it will be? It
//! is given no block, for a vendor's library need not survive one that is not real.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::Fault;
use crate::selftest::{Checked, Outcome};

/// Checks the helper program `command` (program and arguments, as in the settings).
pub fn check(command: &[String]) -> Checked {
    let began = Instant::now();
    let outcome = probe(command);
    Checked { device: "photo-library", outcome, facts: Vec::new(), took: began.elapsed() }
}

fn probe(command: &[String]) -> Outcome {
    let Some((program, arguments)) = command.split_first() else {
        return Outcome::Fails(MISSING);
    };
    let status = Command::new(program)
        .arg(PROBE)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let Ok(status) = status else { return Outcome::Fails(MISSING) };
    match status.code() {
        Some(0) => Outcome::Works,
        // A signal: the process confines itself in time as well, so this comes to an end.
        None => Outcome::Fails(Fault::Crashed.code()),
        Some(code) => Outcome::Fails(Fault::told_by(code).map_or(MISSING, Fault::code)),
    }
}

/// The option by which the helper program only loads the library.
pub const PROBE: &str = "--probe";
const MISSING: &str = "photo-decoder-missing";
