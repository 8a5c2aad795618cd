//! `device-sim`: the serial devices of a counter on ptys, for demonstrations and tests.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use device_sim::bench::{Bench, BenchSetup, read_script};
use device_sim::counter::Setup;
use device_sim::photo;

/// Plays the ID-card reader, the fingerprint module and the receipt printer.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = device_sim::script::ORDERS)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Subcommand)]
enum Command {
    /// Stand-in for the agency's photo decoder: 1024 bytes in, a BMP out. Refuses the
    /// photo of a real card.
    DecodePhoto,
}

#[derive(Args)]
struct Run {
    /// Folder for id-card, fingerprint, printer, control and printer.out.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// File of orders, one a line, carried out from the start.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Makes the people and every random choice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many people there are.
    #[arg(long, default_value_t = 1000)]
    people: u32,
    /// End when standard input closes.
    #[arg(long)]
    until_stdin_closes: bool,
    /// Bytes and work take no time.
    #[arg(long)]
    fast: bool,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::DecodePhoto) => {
            photo::decode(io::stdin().lock(), io::stdout().lock()).map_err(|e| e.to_string())
        }
        None => run(cli.run),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("device-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(run: Run) -> Result<(), String> {
    let script = run.script.as_deref().map(read_script).transpose()?;
    let setup = BenchSetup {
        counter: Setup { seed: run.seed, n_people: run.people, is_paced: !run.fast },
        dir: run.dir.ok_or("--dir is needed")?,
        script: script.unwrap_or_default(),
        until_stdin_closes: run.until_stdin_closes,
    };
    let bench = Bench::open(setup).map_err(|e| e.to_string())?;
    println!("ready");
    io::stdout().flush().map_err(|e| e.to_string())?;
    bench.run().map_err(|e| e.to_string())
}
