//! `image-build`: what an appliance consists of, as data, and the part of it that is ours put together.
//!
//! `plan` says what would be built and from what, `stage` assembles our overlay of the root file system,
//! `check` looks at a staged one. See README.md for what is not built yet.

mod check;
mod fault;
mod overlay;
mod plan;
mod program;
mod sbom;
mod stage;
#[cfg(test)]
mod tests;
mod tree;
mod variant;
mod weights;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::fault::Fault;
use crate::variant::Variant;

/// Plans, stages and checks the appliance's files.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The repository; else the folder above that has `image-build/variants`.
    #[arg(long, global = true)]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Says step by step what the image of a variant is made from.
    Plan {
        /// Such as counter, station, handheld or qemu.
        #[arg(long)]
        variant: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Assembles the overlay of the root file system.
    Stage {
        /// Such as counter, station, handheld or qemu.
        #[arg(long)]
        variant: String,
        /// Folder with the release `kiosk`, built for the variant's processor and without `desk`.
        #[arg(long)]
        bin: PathBuf,
        /// Weights, as `models fetch` left them.
        #[arg(long)]
        models: PathBuf,
        /// Where it goes; an earlier staging there is replaced.
        #[arg(long)]
        out: PathBuf,
    },
    /// Looks for everything that must not be in a staged tree.
    Check {
        /// What `stage --out` made.
        #[arg(long)]
        tree: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("image-build: {}: {}", fault.code(), fault.chain());
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, Fault> {
    match arguments.command {
        Command::Plan { variant, json } => {
            let root = repository(arguments.root)?;
            let plan = plan::plan(&root, &Variant::read(&root, &variant)?)?;
            say(&if json { plan.to_json() } else { plan.to_text() });
            Ok(ExitCode::SUCCESS)
        }
        Command::Stage { variant, bin, models, out } => {
            let root = repository(arguments.root)?;
            let variant = Variant::read(&root, &variant)?;
            let parts = sbom::Parts::read(&root)?;
            let source = stage::Source { root, variant, bin, models, parts };
            let record = stage::stage(&source, &out)?;
            say(&record.to_text());
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { tree } => {
            let report = check::check(&tree)?;
            say(&report.to_text());
            Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// Whoever reads may stop reading, as `head` does.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn repository(given: Option<PathBuf>) -> Result<PathBuf, Fault> {
    if let Some(root) = given {
        return Ok(root);
    }
    let here = std::env::current_dir().map_err(|e| Fault::read(".", e))?;
    let root = here.ancestors().find(|folder| folder.join("image-build/variants").is_dir());
    root.map(Into::into).ok_or(Fault::NoRepository)
}
