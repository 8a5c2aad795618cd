//! Confines itself, then becomes a vendor's engine: no network, no other processes, no
//! devices, no files but the system's libraries and the model folder, limited memory, and
//! no life beyond the program that started it. `models::vendor` starts it; on its own it
//! is of no use.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::Parser;
use exit::{EXIT_NOT_STARTED, EXIT_UNCONFINED};
use sandbox::Limits;

#[path = "../vendor/exit.rs"]
mod exit;
#[path = "../../../drivers/src/sandbox.rs"]
#[expect(dead_code, reason = "the helper programs of the drivers use the rest of it")]
mod sandbox;

/// Runs a vendor's engine where it can harm nothing.
#[derive(Parser)]
struct Arguments {
    /// Address space it may use.
    #[arg(long)]
    memory_mb: u64,
    /// A folder that it may read; may repeat.
    #[arg(long)]
    reads: Vec<PathBuf>,
    /// The engine.
    program: PathBuf,
    /// What it is started with.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let reads: Vec<&Path> = arguments.reads.iter().map(PathBuf::as_path).collect();
    let limits = Limits {
        cpu_s: None,
        alarm_s: None,
        memory: arguments.memory_mb.saturating_mul(1 << 20),
        file_size: 0,
        n_files: N_FILES,
        reads: &reads,
        writes: &[],
    };
    if sandbox::confine_for_program(&limits).is_err() {
        return ExitCode::from(EXIT_UNCONFINED);
    }
    // Comes back only if it cannot be executed.
    let _ = Command::new(&arguments.program).args(&arguments.arguments).env_clear().exec();
    ExitCode::from(EXIT_NOT_STARTED)
}

const N_FILES: u64 = 256;
