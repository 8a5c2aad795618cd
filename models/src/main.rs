//! `models`: brings, checks, lists and evaluates the weights of the manifest.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use models::{
    Manifest, ModelError,
    fetch::{Fetched, fetch},
    manifest::default_dir,
};

/// Weights for faces and fingerprints: bring, check, list, evaluate.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// A manifest to use instead of the built-in one.
    #[arg(long, global = true)]
    manifest: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring every missing model by its package name and check it.
    Fetch {
        /// The model folder [default: $CHANGQING_MODELS or ~/.cache/changqing/models].
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Check size and digest of every model.
    Check {
        /// The model folder.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Say what each model is, where it comes from and under which licence.
    List,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, ModelError> {
    let manifest = match &cli.manifest {
        Some(path) => Manifest::read(path)?,
        None => Manifest::built_in()?,
    };
    match cli.command {
        Command::Fetch { dir } => run_fetch(&manifest, dir.unwrap_or_else(default_dir)),
        Command::Check { dir } => Ok(run_check(&manifest, dir.unwrap_or_else(default_dir))),
        Command::List => Ok(run_list(&manifest)),
    }
}

fn run_fetch(manifest: &Manifest, dir: PathBuf) -> Result<ExitCode, ModelError> {
    for (model, fetched) in fetch(manifest, &dir)? {
        let what = match fetched {
            Fetched::Present => "present",
            Fetched::Brought => "brought",
        };
        println!("{what:8} {:14} {}", model.id, model.file);
    }
    Ok(ExitCode::SUCCESS)
}

fn run_check(manifest: &Manifest, dir: PathBuf) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for (model, checked) in manifest.check(&dir) {
        match checked {
            Ok(()) => println!("right    {:14} {}", model.id, model.file),
            Err(error) => {
                complain(&error);
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn run_list(manifest: &Manifest) -> ExitCode {
    for model in manifest.models() {
        let package = manifest.package(&model.package).expect("the manifest was checked");
        println!("{} ({} bytes, sha256 {})", model.id, model.bytes, model.sha256);
        println!("  from     {} {}: {}", package.name, package.version, model.inside);
        println!("  licence  {}", package.licence);
        println!("  origin   {}", package.provenance);
        println!("  input    {}", model.input);
        println!("  output   {}", model.output);
        for set in manifest.threshold_sets().iter().filter(|set| set.probe == model.id) {
            let (accept, review) = (set.accept, set.review);
            println!("  scores   {}: same from {accept}, different below {review}", set.id);
        }
    }
    ExitCode::SUCCESS
}

/// The error with its causes, then its code and what to do.
fn complain(error: &ModelError) {
    eprint!("models: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        eprint!(": {cause}");
        source = cause.source();
    }
    let advice = error.advice();
    eprintln!("\n  {}  {}  {}", advice.code, advice.zh, advice.en);
}
