//! `kiosk health`: whether this edition of the program works on this terminal. After an update it decides whether the
//! new edition stays, so it asks nothing of devices: a pulled plug is not the edition's fault.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kiosk_core::policy::Pack;
use kiosk_store::{Store, StoreKey};
use models::Manifest;
use models::face::FaceEngine;

use crate::config::{Config, ConfigError};

type Answer = Result<String, Box<dyn Error>>;

/// Asks everything and prints a line for each; success if nothing failed.
pub fn run(config: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let settings = match Config::read(config) {
        Ok(settings) => Some(settings),
        Err(ConfigError::NotSetUp(_)) => None,
        Err(problem) => return Err(problem.into()),
    };
    let models = settings.as_ref().map_or(MODELS.into(), |s| s.terminal.models.clone());
    let questions = [
        ("networks", networks(&models)),
        ("store", store()),
        ("policies", policies(POLICIES.as_ref())),
    ];
    let mut is_well = true;
    for (what, answer) in questions {
        is_well &= answer.is_ok();
        match answer {
            Ok(said) => println!("ok    {what}: {said}"),
            Err(problem) => println!("fault {what}: {}", crate::chain(&*problem)),
        }
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every file is the measured one, and the networks for faces can be loaded.
fn networks(folder: &Path) -> Answer {
    let manifest = Manifest::of(folder)?;
    let checked = manifest.check(folder);
    let n_files = checked.len();
    for (_, _, whole) in checked {
        whole?;
    }
    FaceEngine::load(folder, &manifest)?;
    Ok(format!("{n_files} files, those for faces load"))
}

/// A store of its own is made, closed, opened again and thrown away; the terminal's is in use.
fn store() -> Answer {
    let scratch = Scratch::new()?;
    let key = StoreKey::generate().map_err(std::io::Error::other)?;
    let folder = scratch.0.join("store");
    Store::open(&folder, &key)?.close()?;
    Store::open(&folder, &key)?.close()?;
    Ok("made, closed and opened again".into())
}

/// Every pack that came with the edition is read, and gives what its own examples say.
fn policies(folder: &Path) -> Answer {
    let mut n_packs = 0;
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        if file.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let parsed = Pack::parse(&fs::read_to_string(&file)?);
        parsed.map_err(|faults| format!("{}: {} faults", file.display(), faults.len()))?;
        n_packs += 1;
    }
    Ok(format!("{n_packs} packs and their examples hold"))
}

/// A folder that goes when this does.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("kiosk-health-{}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left over, it is in memory and gone at the next start.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where an appliance has them before its site's settings are there.
const MODELS: &str = "/usr/share/kiosk/models";
const POLICIES: &str = "/usr/share/kiosk/policy";
