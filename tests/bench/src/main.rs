//! Measurements of this machine: each step of a visit without human waits and serial wire time, and each network,
//! beside a named reference that runs in the same minute. `bench PYTHON SCRIPT OUT` prints a table and writes
//! `OUT/summary.json`; `run.sh` beside this package brings the Python with onnxruntime and the script for it.

mod biometry;
mod centre;
mod clock;
mod devices;
mod inputs;
mod keep;
mod networks;
mod paper;
mod roster;
#[path = "../../../ui/src/samples.rs"]
mod samples;
mod screens;
mod table;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use models::Manifest;
use models::manifest::default_dir;

use networks::Networks;
use table::{Against, Table};

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let measured = match arguments.as_slice() {
        [python, script, out] => run(python, script, out),
        [part, out] if part == Path::new("roster") => run_part(out, roster::measure),
        [part, out] if part == Path::new("devices") => run_part(out, devices::measure),
        _ => {
            Err("usage: bench PYTHON SCRIPT OUT, or bench roster OUT, or bench devices OUT".into())
        }
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(python: &Path, script: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out)?;
    let work = tempfile::tempdir_in(out)?;
    let manifest = Manifest::built_in()?;
    let mut table = Table::default();
    screens::measure(&mut table)?;
    paper::measure(&mut table, work.path())?;
    keep::measure(&mut table, work.path())?;
    roster::measure(&mut table, work.path())?;
    devices::measure(&mut table, work.path())?;
    let inputs = out.join("inputs");
    let biometry = biometry::Biometry::load(&default_dir(), &manifest)?;
    inputs::write(&inputs, &manifest, &biometry)?;
    let mut networks = Networks::default();
    for _ in 0..ROUNDS {
        networks.measure_ours()?;
        networks.measure_reference(python, script, &inputs)?;
    }
    biometry.measure(&mut table, &networks)?;
    networks.rows(&mut table, &manifest);
    visit(&mut table);
    print!("{}", table.text());
    fs::write(out.join("summary.json"), table.json())?;
    Ok(())
}

/// Writes its rows into the table; the folder is for its work.
type Measure = fn(&mut Table, &Path) -> Result<(), Box<dyn Error>>;

/// A part alone, which needs no networks; the table is only printed.
fn run_part(out: &Path, measure: Measure) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out)?;
    let work = tempfile::tempdir_in(out)?;
    let mut table = Table::default();
    measure(&mut table, work.path())?;
    print!("{}", table.text());
    Ok(())
}

/// The machine's share of a whole visit, from the steps above.
fn visit(table: &mut Table) {
    let both: [(&str, u32); 8] = [
        ("visit-card-decode", 1),
        ("visit-roster-lookup", 1),
        ("visit-policy", 1),
        ("visit-seal", 1),
        ("visit-commit", 1),
        ("visit-batch", 1),
        ("visit-screen-first", 1),
        ("visit-screen-next", PAGES),
    ];
    let face = [
        ("visit-face-observe", FRAMES),
        ("visit-face-pad", FRAMES),
        ("visit-face-embed", 1),
        ("visit-chip-photo-template", 1),
        ("visit-face-compare", 1),
    ];
    let finger = [("visit-finger-extract", 1), ("visit-finger-compare", ENROLLED)];
    table.sum("visit-by-face", both.iter().chain(&face), Against::Nothing);
    table.sum("visit-by-finger", both.iter().chain(&finger), Against::Nothing);
}

/// A program of this house, as it was built with this one.
fn beside(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let path = env::current_exe()?.with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{name} is not built").into()) }
}

/// Ours and the reference take turns, so that a busy moment of the machine meets both.
const ROUNDS: usize = 3;
/// Frames of one face verification in the terminal.
const FRAMES: u32 = 5;
/// Pages after the first that a visit shows.
const PAGES: u32 = 9;
/// Placements that an enrolled finger is compared with.
const ENROLLED: u32 = 3;
