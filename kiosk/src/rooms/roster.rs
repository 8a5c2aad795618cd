//! The roster: checked, imported once for each version, kept up to date, and asked for the holder of a number.

use std::fmt;
use std::time::Instant;

use jiff::civil::Date;
use kiosk_core::benefit::{Method, Success};
use kiosk_core::decision::Modality;
use kiosk_core::event::{Latest, Lookup};
use kiosk_core::identity::{CardIdentity, IdNumber};
use kiosk_core::outcome::Outcome;
use kiosk_core::policy::PackSet;
use kiosk_core::roster::{self, Beneficiary, Filed, Recent, RosterKeys};
use kiosk_store::{RosterEntry, RosterImport, RosterRow, Store, StoreError, StoreKey};
use models::face::FaceGallery;
use models::iso19794;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use tracing::{info, warn};

use crate::tray::{SharedTray, Tray};
use crate::vault::{Provisioned, Vault, VaultError};

pub mod lists;
#[cfg(test)]
mod tests;

/// Format of the views of a face in rosters and in the store. A program that knows only [`FACE_FORMAT_OLD`] leaves it
/// out and says so; the person then has the chip's photo and other ways.
pub const FACE_FORMAT: &str = "CQF2";
/// A single view, as it was written before there were several; read as an undated one.
pub const FACE_FORMAT_OLD: &str = "CQF1";
/// Views of a vendor's engine, which only that engine can compare.
pub const FACE_FORMAT_VENDOR: &str = "CQF3";
/// Format of a finger template in rosters and in the store.
pub const FINGER_FORMAT: &str = "ISO19794-2:2005";

/// What a roster file says about itself; the people are read one by one.
#[derive(Deserialize)]
struct Head {
    version: u64,
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

/// Imports the provisioned roster if it is newer than the one in the store, and brings the keys of everybody up to date.
pub fn import(
    vault: &Vault,
    provisioned: &Provisioned,
    packs: &PackSet,
    today: Date,
) -> Result<(), RosterError> {
    of_site(&mut vault.store(), &provisioned.keys.site)?;
    if let Some(payload) = provisioned.roster()? {
        take(&mut vault.store(), &payload, packs, today)?;
    }
    while refresh(vault, packs, today)? {}
    Ok(())
}

/// A terminal that began anew at another site forgets whom the old one expected.
fn of_site(store: &mut Store, site: &str) -> Result<(), StoreError> {
    let before = store.meta(SITE)?;
    if before.as_deref() == Some(site.as_bytes()) {
        return Ok(());
    }
    if before.is_some() {
        info!("the roster of another site is forgotten");
        store.forget_roster()?;
    }
    store.set_meta(SITE, site.as_bytes())
}

/// Takes over a roster whose signature was checked. Whoever is in it is written as soon as they are read.
fn take(
    store: &mut Store,
    payload: &[u8],
    packs: &PackSet,
    today: Date,
) -> Result<(), RosterError> {
    let Head { version } = serde_json::from_slice(payload)?;
    let Some(mut import) = store.begin_roster(version)? else {
        return Ok(());
    };
    let started = Instant::now();
    let mut people = People { import: &mut import, packs, today, n: 0, fault: None };
    let read = people.deserialize(&mut serde_json::Deserializer::from_slice(payload));
    let (n, fault) = (people.n, people.fault);
    if let Some(fault) = fault {
        return Err(fault);
    }
    read?;
    import.finish(&basis(packs, today))?;
    info!(version, n, ms = started.elapsed().as_millis(), "roster imported");
    Ok(())
}

/// Brings the keys of some more people up to date: of those certified here, and of everybody after the packs or the
/// month changed. Says whether there are more; a step is short, for the pauses between visits.
pub fn refresh(vault: &Vault, packs: &PackSet, today: Date) -> Result<bool, StoreError> {
    let mut store = vault.store();
    let Some(stale) = store.roster_stale(&basis(packs, today), REFRESH_STEP)? else {
        return Ok(false);
    };
    let keys = stale.rows.iter().map(|row| keys_of(&store, &vault.key, row, packs, today));
    let keys = keys.collect::<Result<_, _>>()?;
    store.roster_rekey(stale, keys)?;
    Ok(true)
}

fn keys_of(
    store: &Store,
    key: &StoreKey,
    row: &RosterRow,
    packs: &PackSet,
    today: Date,
) -> Result<RosterKeys, StoreError> {
    let recent = recent(store, key, &row.number)?;
    // An entry was understood when it came; one that no longer is has nothing due.
    let known = serde_json::from_slice::<Beneficiary>(&row.bytes).ok();
    Ok(known.map_or_else(RosterKeys::default, |known| {
        roster::keys(&known, &row.number, &recent, packs, today)
    }))
}

/// What keys are computed by: the packs and the month, because windows open and close.
fn basis(packs: &PackSet, today: Date) -> Vec<u8> {
    let packs = packs.iter().map(|pack| format!("{} {}\n", pack.id, pack.version));
    let month = format!("{}-{:02}", today.year(), today.month());
    packs.chain([month]).collect::<String>().into_bytes()
}

/// What was recorded here about somebody and the roster may not know.
fn recent(store: &Store, key: &StoreKey, number: &IdNumber) -> Result<Recent, StoreError> {
    let subject = key.subject(number);
    let successes = store.successes(&subject)?.into_iter().filter_map(success).collect();
    let filed = store.records_of(&subject, &Filed::OUTCOMES)?;
    let filed = filed.iter().filter_map(|line| Filed::of(&line.outcome, line.captured.date()));
    Ok(Recent { successes, filed: filed.collect() })
}

/// The people of a roster file on their way into the store, so that never more than one of them is in memory.
struct People<'i, 's> {
    import: &'i mut RosterImport<'s>,
    packs: &'i PackSet,
    today: Date,
    n: usize,
    /// What is wrong with the person at `n`, or with the store; the reader of JSON only learns that it has to stop.
    fault: Option<RosterError>,
}

impl People<'_, '_> {
    fn put(&mut self, person: serde_json::Value) -> Result<(), RosterError> {
        let bytes = person.to_string().into_bytes();
        let known: Beneficiary = serde_json::from_value(person)?;
        let number = IdNumber::parse(&known.number).map_err(|_| RosterError::Number(self.n))?;
        let keys = roster::keys(&known, &number, &Recent::default(), self.packs, self.today);
        self.import.put(&RosterEntry { number, bytes, keys })?;
        self.n += 1;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut People<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut People<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a roster")
    }

    /// The file itself.
    fn visit_map<A: MapAccess<'de>>(self, mut file: A) -> Result<(), A::Error> {
        while let Some(key) = file.next_key::<String>()? {
            match key.as_str() {
                "people" => file.next_value_seed(&mut *self)?,
                _ => _ = file.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }

    /// Its people.
    fn visit_seq<A: SeqAccess<'de>>(self, mut people: A) -> Result<(), A::Error> {
        while let Some(person) = people.next_element()? {
            if let Err(fault) = self.put(person) {
                self.fault = Some(fault);
                return Err(A::Error::custom("somebody in the roster cannot be taken over"));
            }
        }
        Ok(())
    }
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

/// Somebody of the roster as if their card had been read, for a visit that begins from a list.
pub fn open(vault: &Vault, number: &IdNumber) -> Option<CardIdentity> {
    let bytes = vault.store().roster_find(number).ok().flatten()?;
    let known: Beneficiary = serde_json::from_slice(&bytes).ok()?;
    Some(CardIdentity::of_roster(number, &known.name))
}

fn look_up(vault: &Vault, tray: &SharedTray, number: &IdNumber) -> Result<Lookup, StoreError> {
    let store = vault.store();
    let subject = vault.key.subject(number);
    let known = store.roster_find(number)?;
    let beneficiary: Option<Beneficiary> =
        known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let recent = recent(&store, &vault.key, number)?;
    let mut tray = tray.open();
    for reference in store.references(&subject)? {
        let created = Some(reference.created.date());
        if reference.is_automatic() {
            put_later(&mut tray, &reference);
            continue;
        }
        put(&mut tray, &reference.format, &reference.extractor, &reference.bytes, created);
    }
    for reference in beneficiary.iter().flat_map(|known| &known.references) {
        let created = reference.created.parse().ok();
        let bytes = crate::hex::decode(&reference.template).unwrap_or_default();
        put(&mut tray, &reference.format, &reference.extractor, &bytes, created);
    }
    let latest = store.latest_record(&subject)?.and_then(latest);
    Ok(Lookup { references: on_tray(&tray), beneficiary, recent, latest })
}

fn latest(line: kiosk_store::RecordLine) -> Option<Latest> {
    let outcome = Outcome::message_of(&line.outcome)?;
    Some(Latest { record: line.record, on: line.captured.date(), outcome })
}

fn success(kept: kiosk_store::Success) -> Option<(String, Success)> {
    let method = Method::from_id(&kept.method)?;
    Some((kept.pack, Success { on: kept.captured.date(), method }))
}

/// A template that cannot be read is left out: the person has other ways, and the centre has the original.
fn put(tray: &mut Tray, format: &str, extractor: &str, bytes: &[u8], created: Option<Date>) {
    let name = enrolled(created);
    match format {
        FACE_FORMAT | FACE_FORMAT_OLD | FACE_FORMAT_VENDOR => {
            match FaceGallery::from_bytes(bytes) {
                Ok(views) if views.views().is_empty() => warn!("a face reference without a view"),
                Ok(views) => tray.faces.push(match created {
                    Some(day) => views.dated(day_number(day)),
                    None => views,
                }),
                Err(error) => warn!(%error, "face reference"),
            }
        }
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

/// A view that joined by itself stands apart: it proves nothing alone.
fn put_later(tray: &mut Tray, reference: &kiosk_store::Reference) {
    match FaceGallery::from_bytes(&reference.bytes) {
        Ok(view) => tray.later_faces.push(view.dated(day_number(reference.created.date()))),
        Err(error) => warn!(%error, "a later face view"),
    }
}

/// How a reference is called in a record.
pub fn enrolled(created: Option<Date>) -> String {
    created.map_or_else(|| "enrolled".into(), |day| format!("enrolled {day}"))
}

/// A date as the models count it: days since 1970-01-01.
pub fn day_number(day: Date) -> u32 {
    let days = EPOCH.until(day).map_or(0, |span| span.get_days());
    u32::try_from(days).unwrap_or(0)
}

/// The date of such a number.
pub fn day_of(number: u32) -> Option<Date> {
    EPOCH.checked_add(jiff::Span::new().try_days(i64::from(number)).ok()?).ok()
}

fn on_tray(tray: &Tray) -> Vec<(Modality, Option<u8>)> {
    let faces = tray.faces.iter().map(|_| (Modality::Face, None));
    let fingers = tray.fingers.iter().map(|(_, finger, _)| (Modality::Finger, Some(*finger)));
    let mut found: Vec<_> = faces.chain(fingers).collect();
    found.dedup();
    found
}

/// Whose roster lies in the store.
const SITE: &str = "roster-site";
/// The first of the days that are counted.
const EPOCH: Date = Date::constant(1970, 1, 1);
/// Keys that one step computes anew: a few hundredths of a second.
const REFRESH_STEP: usize = 200;
