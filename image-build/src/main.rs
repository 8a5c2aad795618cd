//! `image-build`: the appliance's image, from a variant to a disk and a signed update.
//!
//! `plan` says what would be built and from what, `stage` assembles our overlay of the root file system, `check` looks
//! at a staged one, `image` builds everything. See README.md for what is not there yet.

mod check;
mod cross;
mod debian;
mod device_tree;
mod disk;
mod fault;
mod image;
mod machine;
mod overlay;
mod plan;
mod program;
mod root;
mod sbom;
mod scene;
mod setup;
mod sitter;
mod slot;
mod splash;
mod stage;
mod stick;
#[cfg(test)]
mod tests;
mod tree;
mod trial;
mod update;
mod variant;
mod weights;
mod workshop;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum as _};

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
        /// Recordings, as `image-build/prompts.sh` leaves them.
        #[arg(long)]
        prompts: PathBuf,
        /// Where it goes; an earlier staging there is replaced.
        #[arg(long)]
        out: PathBuf,
    },
    /// Builds the disk and the signed update of a variant; goes on where an earlier build stopped.
    Image {
        /// Such as counter, station, handheld or qemu.
        #[arg(long)]
        variant: String,
        #[command(flatten)]
        places: Places,
        /// What the edition is called.
        #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
        edition: String,
        /// Private key that signs updates, PEM; else one for the desk is made.
        #[arg(long, requires = "update_certificate")]
        update_key: Option<PathBuf>,
        /// Its certificate, which the image trusts.
        #[arg(long, requires = "update_key")]
        update_certificate: Option<PathBuf>,
    },
    /// Boots the image of the variant qemu in an emulated machine and looks at it.
    Trial {
        #[command(flatten)]
        places: Places,
        /// What is tried; else everything.
        #[arg(long = "part", value_delimiter = ',')]
        parts: Vec<trial::Part>,
        /// Compiles and packs nothing: boots a disk of what was built before to its first screen.
        #[arg(long, conflicts_with = "parts")]
        as_built: bool,
        /// Folder with `kiosk` (the desk build), `authority` and `device-sim`; else where this program lies.
        #[arg(long)]
        programs: Option<PathBuf>,
    },
    /// Seals what sets a new terminal up, for a USB stick; prints the code, which goes another way.
    Setup {
        /// What `authority provision --out` made.
        #[arg(long)]
        provisioned: PathBuf,
        /// Folder with the site's settings: `*.toml`, and `authority.address` with HOST:PORT.
        #[arg(long)]
        settings: PathBuf,
        /// The file, to be copied onto a FAT stick named CHANGQING as `setup.kiosk`.
        #[arg(long)]
        out: PathBuf,
    },
    /// Looks for everything that must not be in a staged tree.
    Check {
        /// What `stage --out` made.
        #[arg(long)]
        tree: PathBuf,
        /// Also the device trees of its boards: the folder `device-trees` of a built image.
        #[arg(long)]
        boards: Option<PathBuf>,
    },
}

/// Where an image's parts are.
#[derive(clap::Args)]
struct Places {
    /// Where everything is kept that need not be built again.
    #[arg(long)]
    cache: PathBuf,
    /// Weights, as `models fetch` left them.
    #[arg(long)]
    models: PathBuf,
    /// Recordings, as `image-build/prompts.sh` leaves them.
    #[arg(long)]
    prompts: PathBuf,
    /// Folder with an arm64 `kiosk` that was built elsewhere; else it is built here.
    #[arg(long)]
    bin: Option<PathBuf>,
    /// Whose Rust builds it: the one of this machine, or Debian's.
    #[arg(long, default_value = "installed", conflicts_with = "bin")]
    compiler: cross::Compiler,
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
        Command::Stage { variant, bin, models, prompts, out } => {
            let root = repository(arguments.root)?;
            let variant = Variant::read(&root, &variant)?;
            let parts = sbom::Parts::read(&root)?;
            let source = stage::Source { root, variant, bin, models, prompts, parts };
            let record = stage::stage(&source, &out)?;
            say(&record.to_text());
            Ok(ExitCode::SUCCESS)
        }
        Command::Image { variant, places, edition, update_key, update_certificate } => {
            let signer = update_key.zip(update_certificate);
            image::image(&image::Order {
                root: repository(arguments.root)?,
                variant,
                cache: places.cache,
                models: places.models,
                prompts: places.prompts,
                bin: places.bin,
                compiler: places.compiler,
                signer: signer.map(|(key, certificate)| update::Signer { key, certificate }),
                release: root::Release { version: edition, is_spoilt: false },
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Trial { places, mut parts, as_built, programs } => {
            if parts.is_empty() {
                parts = trial::Part::value_variants().to_vec();
            }
            let here = std::env::current_exe().map_err(|e| Fault::read("image-build", e))?;
            let beside = here.parent().unwrap_or(&here).to_owned();
            let order = image::Order {
                root: repository(arguments.root)?,
                variant: "qemu".into(),
                cache: places.cache,
                models: places.models,
                prompts: places.prompts,
                bin: places.bin,
                compiler: places.compiler,
                signer: None,
                release: root::Release {
                    version: env!("CARGO_PKG_VERSION").into(),
                    is_spoilt: false,
                },
            };
            if as_built {
                trial::first_screen(&order)?;
                return Ok(ExitCode::SUCCESS);
            }
            trial::trial(&order, &programs.unwrap_or(beside), &parts)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Setup { provisioned, settings, out } => {
            let code = setup::setup(&provisioned, &settings, &out)?;
            say(&code);
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { tree, boards } => {
            let mut report = check::check(&tree)?;
            if let Some(boards) = boards {
                let root = repository(arguments.root)?;
                let variant = Variant::read(&root, &stage::Record::read(&tree)?.variant)?;
                report.add(check::boards(&variant, &boards)?);
            }
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
