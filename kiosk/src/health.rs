//! `kiosk health`: whether this edition of the program works on this terminal. After an update it decides whether the
//! new edition stays, so it asks what an edition can spoil: networks, packs, sealing and keeping, and devices that the
//! edition before could drive. It is asked beside the running program, which has shown its screen.

pub mod devices;
mod visit;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kiosk_core::policy::Pack;
use kiosk_store::{Store, StoreKey};
use models::Manifest;
use models::face::FaceEngine;

use crate::config::{Config, ConfigError};
use crate::policy::in_force::Shelf;
use crate::vault::Provisioned;

type Answer = Result<String, Box<dyn Error>>;

/// Asks everything and prints a line for each; success if nothing failed.
pub fn run(config: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let settings = match Config::read(config) {
        Ok(settings) => Some(settings),
        Err(ConfigError::NotSetUp(_)) => None,
        Err(problem) => return Err(problem.into()),
    };
    let models = settings.as_ref().map_or(MODELS.into(), |s| s.terminal.models.clone());
    let mut is_well = say("networks", networks(&models));
    is_well &= say("policies", policies(POLICIES.as_ref()));
    match &settings {
        None => is_well &= say("store", store()),
        Some(settings) => {
            is_well &= say("policies of the site", policies_in_force(settings));
            is_well &= say("visit", synthetic_visit(settings));
        }
    }
    // Last, and only of an edition that is well: what works under it is remembered.
    if let Some(settings) = settings.filter(|_| is_well) {
        is_well &= say("devices", drives(&settings));
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints a line; whether it is a good one.
fn say(what: &str, answer: Answer) -> bool {
    match answer {
        Ok(said) => println!("ok    {what}: {said}"),
        Err(problem) => {
            println!("fault {what}: {}", crate::chain(&*problem));
            return false;
        }
    }
    true
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
    let scratch = Scratch::new("store")?;
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

/// Every pack that is in force here suits this edition too, so nobody loses a benefit by an update.
fn policies_in_force(settings: &Config) -> Answer {
    let provisioned = Provisioned::read(&settings.terminal.provisioned)?;
    let scratch = Scratch::new("policy")?;
    let in_force = settings.terminal.state.join("policy");
    let is_any = fs::read_dir(&in_force).is_ok_and(|mut files| files.next().is_some());
    if !is_any {
        return Ok("none was in force yet".into());
    }
    let found = Shelf::new(in_force, scratch.0.clone(), provisioned.keys.policy.clone()).load();
    match found.trouble {
        None => Ok(format!("{} in force suit this edition", found.packs.iter().count())),
        Some(trouble) => Err(trouble.name().into()),
    }
}

fn synthetic_visit(settings: &Config) -> Answer {
    let provisioned = Provisioned::read(&settings.terminal.provisioned)?;
    visit::visit(&provisioned, &Scratch::new("visit")?.0)
}

fn drives(settings: &Config) -> Answer {
    let edition = match fs::read_to_string(EDITION) {
        Ok(edition) => edition.trim().to_owned(),
        Err(_) => return Ok("not asked: this is no appliance".into()),
    };
    devices::devices(settings, &edition, &Path::new(RUNTIME).join(devices::TOLD))
}

/// A folder that goes when this does.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> std::io::Result<Self> {
        let folder = format!("kiosk-health-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
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
/// Which edition runs, where it is an appliance.
const EDITION: &str = "/usr/share/kiosk/version";
/// The runtime directory of `kiosk.service`.
const RUNTIME: &str = "/run/kiosk";
