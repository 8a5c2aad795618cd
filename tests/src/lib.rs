//! Everything seen from outside: starts the programs of the house as a person would, and reads what they leave.
//! The tests beside this file know files, lines and exit codes; they share no code with what they look at.

pub mod demo;
pub mod process;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A program of the house, as `make test` built it: a test runs in `…/debug/deps`, the programs are in `…/debug`.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let folder = test.parent().and_then(Path::parent).expect("a test runs in …/debug/deps");
    let program = folder.join(name);
    assert!(program.exists(), "{} is missing: cargo build --workspace --bins", program.display());
    program
}

/// The folder of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the tests are a folder of the repository").to_owned()
}

/// Whether networks and portraits are on this machine. Without them a test of a whole visit says so and is left out.
pub fn is_set_up() -> bool {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let models = std::env::var_os("CHANGQING_MODELS")
        .map_or_else(|| home.join(".cache/changqing/models"), PathBuf::from);
    let portraits = std::env::var_os("CHANGQING_PORTRAITS").map(PathBuf::from);
    let missing = if !models.join("fr_feature.onnx").exists() {
        "CHANGQING_MODELS names no folder with networks (make weights)"
    } else if !portraits.is_some_and(|folder| folder.join("man-00.png").exists()) {
        "CHANGQING_PORTRAITS names no folder with portraits (make portraits)"
    } else {
        return true;
    };
    eprintln!("SKIP: {missing}");
    false
}

/// What the authority says of its data: `status` or `check`.
pub fn authority(command: &str, data: &Path) -> Value {
    let mut asked = Command::new(program("authority"));
    let done = asked.args([command, "--json", "--data"]).arg(data).output();
    let done = done.expect("the authority runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "authority {command}: {said}");
    serde_json::from_slice(&done.stdout).expect("--json gives JSON")
}
