//! The roster: checked, imported once for each version, and asked for the holder of a number.

use std::time::Instant;

use kiosk_core::benefit::{Method, Success};
use kiosk_core::decision::Modality;
use kiosk_core::event::Lookup;
use kiosk_core::identity::IdNumber;
use kiosk_core::roster::Beneficiary;
use kiosk_store::{RosterEntry, StoreError};
use models::face::FaceTemplate;
use models::iso19794;
use serde::Deserialize;
use tracing::{info, warn};

use crate::tray::{SharedTray, Tray};
use crate::vault::{Provisioned, Vault, VaultError};

/// Format of a face template in rosters and in the store.
pub const FACE_FORMAT: &str = "CQF1";
/// Format of a finger template in rosters and in the store.
pub const FINGER_FORMAT: &str = "ISO19794-2:2005";

/// The roster file.
#[derive(Deserialize)]
struct Roster {
    version: u64,
    people: Vec<serde_json::Value>,
}

/// Why a roster cannot be used. The one from before stays.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// Missing, unreadable or wrongly signed.
    #[error(transparent)]
    File(#[from] VaultError),
    /// Signed, but not a roster.
    #[error("the roster cannot be understood")]
    Parse(#[from] serde_json::Error),
    /// Somebody in it has a number that is none.
    #[error("entry {0} of the roster has no sound number")]
    Number(usize),
    /// It cannot be stored.
    #[error("the roster cannot be stored")]
    Store(#[from] StoreError),
}

/// Imports the provisioned roster if it is newer than the one in the store.
pub fn import(vault: &Vault, provisioned: &Provisioned) -> Result<(), RosterError> {
    let Some(payload) = provisioned.roster()? else {
        return Ok(());
    };
    let roster: Roster = serde_json::from_slice(&payload)?;
    let mut store = vault.store();
    if store.roster_version()?.is_some_and(|had| had >= roster.version) {
        return Ok(());
    }
    let started = Instant::now();
    let entries: Vec<RosterEntry> =
        roster.people.iter().enumerate().map(entry).collect::<Result<_, _>>()?;
    let n = entries.len();
    store.import_roster(roster.version, &entries)?;
    info!(version = roster.version, n, ms = started.elapsed().as_millis(), "roster imported");
    Ok(())
}

fn entry((index, person): (usize, &serde_json::Value)) -> Result<RosterEntry, RosterError> {
    let known: Beneficiary = serde_json::from_value(person.clone())?;
    let number = IdNumber::parse(&known.number).map_err(|_| RosterError::Number(index))?;
    Ok(RosterEntry { number, bytes: person.to_string().into_bytes() })
}

/// Everything this terminal knows about the holder of a number; their templates go onto the tray.
pub fn find(vault: &Vault, tray: &SharedTray, number: &IdNumber) -> Lookup {
    match look_up(vault, tray, number) {
        Ok(lookup) => lookup,
        Err(error) => {
            // The visit goes on as for somebody unknown; the store's own fault is told when it is to be written.
            warn!(code = error.code(), "roster");
            Lookup::default()
        }
    }
}

fn look_up(vault: &Vault, tray: &SharedTray, number: &IdNumber) -> Result<Lookup, StoreError> {
    let store = vault.store();
    let subject = vault.key.subject(number);
    let known = store.roster_find(number)?;
    let beneficiary: Option<Beneficiary> =
        known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let recent = store.successes(&subject)?.into_iter().filter_map(success).collect();
    let mut tray = tray.open();
    for reference in store.references(&subject)? {
        let name = format!("enrolled {}", reference.created.date());
        put(&mut tray, &reference.format, &reference.extractor, &reference.bytes, name);
    }
    for reference in beneficiary.iter().flat_map(|known| &known.references) {
        let name = format!("enrolled {}", reference.created);
        let bytes = crate::hex::decode(&reference.template).unwrap_or_default();
        put(&mut tray, &reference.format, &reference.extractor, &bytes, name);
    }
    Ok(Lookup { references: on_tray(&tray), beneficiary, recent })
}

fn success(kept: kiosk_store::Success) -> Option<(String, Success)> {
    let method = Method::from_id(&kept.method)?;
    Some((kept.pack, Success { on: kept.captured.date(), method }))
}

/// A template that cannot be read is left out: the person has other ways, and the centre has the original.
fn put(tray: &mut Tray, format: &str, extractor: &str, bytes: &[u8], name: String) {
    match format {
        FACE_FORMAT => match FaceTemplate::from_bytes(bytes) {
            Ok(template) => tray.faces.push((name, template)),
            Err(error) => warn!(%error, "face reference"),
        },
        FINGER_FORMAT => match iso19794::decode(bytes) {
            Ok(record) => {
                for mut view in record.views {
                    view.template.extractor = extractor.to_owned();
                    tray.fingers.push((name.clone(), view.position as u8, view.template));
                }
            }
            Err(error) => warn!(%error, "finger reference"),
        },
        _ => warn!(format, "a reference of a format that is not known here"),
    }
}

fn on_tray(tray: &Tray) -> Vec<(Modality, Option<u8>)> {
    let faces = tray.faces.iter().map(|_| (Modality::Face, None));
    let fingers = tray.fingers.iter().map(|(_, finger, _)| (Modality::Finger, Some(*finger)));
    let mut found: Vec<_> = faces.chain(fingers).collect();
    found.dedup();
    found
}
