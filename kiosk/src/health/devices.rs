//! Whether an edition drives the devices that the edition before it drove. The running program leaves word of what is
//! broken in its runtime directory; what works is remembered, with the edition it worked under.
//!
//! A device that is broken under the edition it last worked under is a matter for the operator. One whose plug was
//! pulled has no node any more, and is no edition's fault either.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use kiosk_core::message::Id;
use kiosk_core::view::Trouble;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::Answer;
use crate::config::Config;
use crate::vault::write_whole;

/// Leaves word of what is broken, where systemd gave the program a runtime directory.
pub fn tell(troubles: &BTreeMap<&'static str, Trouble>) {
    let Some(file) = told() else {
        return;
    };
    let lines: String = troubles.keys().map(|device| format!("{device}\n")).collect();
    if let Err(problem) = fs::write(&file, lines) {
        warn!(%problem, "word of the devices");
    }
}

/// Waits for a while until everything works that worked under another edition; remembers what works now.
pub fn devices(settings: &Config, edition: &str, told: &Path) -> Answer {
    let state = &settings.terminal.state;
    let before = Memory::read(state);
    let wired = wired(settings);
    if before.as_ref().is_some_and(|before| before.edition != edition) {
        // Until a device was asked for the first time, nothing is said of it.
        thread::sleep(FIRST_WORDS);
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let broken = broken(told).ok_or("the program leaves no word of its devices")?;
        let lost = lost(before.as_ref(), edition, &broken, &wired);
        if lost.is_empty() {
            let works = wired.keys().filter(|device| !broken.contains(**device));
            let works: Vec<String> = works.map(|device| (*device).to_owned()).collect();
            let said = format!("{} of {} work", works.len(), wired.len());
            let now = Memory { edition: edition.into(), works };
            write_whole(&state.join(MEMORY), toml::to_string(&now)?.as_bytes(), 0o600)?;
            return Ok(said);
        }
        if Instant::now() > deadline {
            return Err(format!("worked under the edition before: {}", lost.join(", ")).into());
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// The edition that was found good last: what works is remembered only of one that is well.
pub fn found_good(state: &Path) -> Option<String> {
    Memory::read(state).map(|memory| memory.edition)
}

/// What worked when this was asked last, and under which edition.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Memory {
    edition: String,
    works: Vec<String>,
}

impl Memory {
    fn read(state: &Path) -> Option<Self> {
        toml::from_str(&fs::read_to_string(state.join(MEMORY)).ok()?).ok()
    }
}

/// Devices that worked under another edition, are there, and do not work.
fn lost<'a>(
    before: Option<&Memory>,
    edition: &str,
    broken: &BTreeSet<String>,
    wired: &BTreeMap<&'a str, PathBuf>,
) -> Vec<&'a str> {
    let Some(before) = before.filter(|before| before.edition != edition) else {
        return Vec::new();
    };
    let is_lost = |device: &str, node: &Path| {
        before.works.iter().any(|it| it == device) && broken.contains(device) && node.exists()
    };
    wired.iter().filter(|(device, node)| is_lost(device, node)).map(|(device, _)| *device).collect()
}

/// The devices of the settings that have a node of their own.
fn wired(settings: &Config) -> BTreeMap<&'static str, PathBuf> {
    let finger = settings.fingerprint.as_ref().and_then(|it| it.port.clone());
    let nodes = [
        (Id::DeviceIdCard, settings.id_card.as_ref().map(|it| it.port.clone())),
        (Id::DeviceFinger, finger),
        (Id::DevicePrinter, settings.printer.as_ref().map(|it| it.port.clone())),
        (Id::DeviceCamera, settings.camera.as_ref().map(|it| it.device.clone())),
    ];
    nodes.into_iter().filter_map(|(device, node)| Some((device.name(), node?))).collect()
}

fn broken(told: &Path) -> Option<BTreeSet<String>> {
    Some(fs::read_to_string(told).ok()?.lines().map(str::to_owned).collect())
}

/// Where the program leaves word: in the first of the directories that systemd made for it.
fn told() -> Option<PathBuf> {
    let folders = std::env::var("RUNTIME_DIRECTORY").ok()?;
    Some(Path::new(folders.split(':').next()?).join(TOLD))
}

/// Below the runtime directory.
pub const TOLD: &str = "devices";
/// Below the program's state.
pub const MEMORY: &str = "health.toml";
/// A module that has just got its power takes seconds, one that is asked again up to half a minute.
const PATIENCE: Duration = Duration::from_secs(90);
const FIRST_WORDS: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn only_a_device_that_is_there_and_worked_under_another_edition_is_lost() {
        let scratch = tempfile::tempdir().unwrap();
        let node = scratch.path().join("ttyUSB0");
        fs::write(&node, "").unwrap();
        let before = Memory { edition: "1".into(), works: vec!["device-id-card".into()] };
        let wired =
            BTreeMap::from([("device-id-card", node.clone()), ("device-printer", node.clone())]);
        let broken = set(&["device-id-card", "device-printer"]);
        assert_eq!(lost(Some(&before), "2", &broken, &wired), ["device-id-card"]);
        assert!(lost(Some(&before), "1", &broken, &wired).is_empty(), "the same edition");
        assert!(lost(Some(&before), "2", &set(&["device-printer"]), &wired).is_empty(), "works");
        assert!(lost(None, "2", &broken, &wired).is_empty(), "never asked before");
        fs::remove_file(node).unwrap();
        assert!(lost(Some(&before), "2", &broken, &wired).is_empty(), "the plug was pulled");
    }

    #[test]
    fn an_edition_that_answers_well_is_the_one_that_was_found_good() {
        let scratch = tempfile::tempdir().unwrap();
        let mut settings: Config = toml::from_str(include_str!("../../example.toml")).unwrap();
        settings.terminal.state = scratch.path().into();
        let told = scratch.path().join(TOLD);
        assert!(devices(&settings, "1", &told).is_err(), "the program left no word");
        assert_eq!(found_good(scratch.path()), None);
        fs::write(&told, "").unwrap();
        devices(&settings, "1", &told).unwrap();
        assert_eq!(found_good(scratch.path()), Some("1".into()));
    }
}
