//! What a program must be before it may go into a terminal: ours, for the right processor, and without a simulator.
//! The three beside the kiosk confine what others wrote: an agency's engine, its photo decoder, a scanner's library.

use std::fs;
use std::path::Path;

use crate::fault::Fault;
use crate::variant::Architecture;

/// A program of a terminal.
pub struct Program {
    /// As cargo names it.
    pub name: &'static str,
    /// Where it is in a terminal.
    pub path: &'static str,
    /// What only this program says: by it another one of the same name is known.
    sign: &'static str,
}

/// All that may be in a terminal.
pub const PROGRAMS: [Program; 4] = [
    Program { name: "kiosk", path: "usr/bin/kiosk", sign: SETTINGS },
    Program { name: "engine-cage", path: "usr/bin/engine-cage", sign: "memory-mb" },
    Program {
        name: "photo-decoder",
        path: "usr/libexec/kiosk/photo-decoder",
        sign: "photo decoder cannot read or write",
    },
    Program {
        name: "livescan-plugin",
        path: "usr/libexec/kiosk/livescan-plugin",
        sign: "LIVESCAN_BeginCapture",
    },
];

/// Refuses everything but this shipped program; returns its bytes.
pub fn read(program: &Program, file: &Path, wanted: Architecture) -> Result<Vec<u8>, Fault> {
    if !file.is_file() {
        return Err(Fault::NoProgram(file.into()));
    }
    let bytes = fs::read(file).map_err(|e| Fault::read(file, e))?;
    if let Some(marker) = simulator_in(&bytes) {
        return Err(Fault::SimulatorInside(file.into(), marker));
    }
    let machine = machine(&bytes).ok_or_else(|| Fault::NotElf(file.into()))?;
    let (number, name) = match wanted {
        Architecture::Arm64 => (EM_AARCH64, "arm64"),
        Architecture::Amd64 => (EM_X86_64, "amd64"),
    };
    if machine != number {
        let found = format!("ELF machine {machine}");
        return Err(Fault::WrongProcessor(file.into(), found, name.into()));
    }
    if !contains(&bytes, program.sign.as_bytes()) {
        return Err(Fault::NotTheKiosk(file.into()));
    }
    Ok(bytes)
}

/// The version of Rust that a program was made by, as compilers write it into their programs (`.comment`).
pub fn rust_of(bytes: &[u8]) -> Option<&str> {
    let at = bytes.windows(RUSTC.len()).rposition(|window| window == RUSTC)? + RUSTC.len();
    let end = bytes[at..].iter().position(|byte| matches!(byte, b' ' | 0))?;
    std::str::from_utf8(&bytes[at..at + end]).ok()
}

/// The first sign of a simulator in a program.
pub fn simulator_in(bytes: &[u8]) -> Option<&'static str> {
    SIMULATOR_MARKERS.into_iter().find(|marker| contains(bytes, marker.as_bytes()))
}

/// The processor of a 64-bit little-endian ELF file (`e_machine`).
fn machine(bytes: &[u8]) -> Option<u16> {
    let head = bytes.get(..20)?;
    head.starts_with(b"\x7fELF\x02\x01").then(|| u16::from_le_bytes([head[18], head[19]]))
}

/// Looks for the first byte and compares only there: a debug program has 150 MB.
fn contains(hay: &[u8], needle: &[u8]) -> bool {
    let mut rest = hay;
    while let Some(at) = rest.iter().position(|byte| *byte == needle[0]) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// Strings that only a desk build or a simulator has: the constant of the desk build, what `kiosk demo` says in its
/// help and on the terminal, what seeds its visits, and the source files that a panic would name.
const SIMULATOR_MARKERS: [&str; 7] = [
    "changqing-desk-build",
    "Shows whole visits with simulated people and devices",
    "no display here: the screens are drawn in memory",
    "changqing demo ",
    "device-sim",
    "tests/people/src/",
    "kiosk/src/desk/",
];
/// The default of `kiosk run --config`.
const SETTINGS: &str = "/etc/kiosk/kiosk.toml";
/// Beside the programs: the licences of the library of the Rust that made them, as Debian collected them.
pub const LIBRARY_LICENCE: &str = "rust-std.copyright";
const RUSTC: &[u8] = b"rustc version ";
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;
