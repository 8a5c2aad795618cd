//! What the device tests share: building a small C library, and the table of faults.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Things that were built for a test.
pub struct Built<T>(pub Vec<T>);

/// Compiles `tests/devices/libraries/SOURCE` into a shared library in `folder`. None, with a line
/// that says so, where there is no C compiler.
pub fn build(source: &str, flag: &str, folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/devices/libraries").join(source);
    let library = folder.join("libvendor.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-w", flag, "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-lm")
        .output();
    let Ok(compiled) = compiled else {
        eprintln!("skipped: no C compiler here, so no vendor library to try");
        return None;
    };
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    Some(library)
}

/// Faults tried on one device, what was told, and whether the device worked afterwards.
pub struct Table {
    device: &'static str,
    text: String,
    n_tried: u32,
    n_recovered: u32,
}

impl Table {
    /// An empty table.
    pub fn new(device: &'static str) -> Self {
        Self { device, text: String::new(), n_tried: 0, n_recovered: 0 }
    }

    /// One fault that was tried.
    pub fn row(&mut self, fault: &str, told: &str, recovered: bool) {
        let after = if recovered { "recovered" } else { "NOT RECOVERED" };
        writeln!(self.text, "{fault:<44} {told:<32} {after}").unwrap();
        self.n_tried += 1;
        self.n_recovered += u32::from(recovered);
    }

    /// Prints the table and compares the whole of it with what is expected.
    pub fn check(self, expected: &expect_test::ExpectFile) {
        let Self { device, mut text, n_tried, n_recovered } = self;
        writeln!(text, "{device}: {n_tried} faults tried and told, {n_recovered} recovered")
            .unwrap();
        // Not by a macro: the harness would keep it back.
        io::stdout().write_all(format!("\n{text}\n").as_bytes()).unwrap();
        expected.assert_eq(&text);
    }
}
