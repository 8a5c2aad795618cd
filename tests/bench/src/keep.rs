//! Sealing, the durable commit and the batch to a running authority, on records with a picture of 100 kB.

use std::error::Error;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use kiosk_core::identity::{CardIdentity, IdNumber, IdentitySource, PersonName, ValidTo};
use kiosk_core::moment::{Doubt, Moment};
use kiosk_core::outcome::Outcome;
use kiosk_core::record::{Evidence, Record, RecordId, SealedRecord};
use kiosk_store::{AuditLine, Commit, Store, StoreKey};
use kiosk_sync::{Picture, Sealer};
use rusqlite::{Connection, params};

use crate::centre::Centre;
use crate::clock::{Timed, one};
use crate::table::{Against, Table};

/// Seals, commits and sends `N_RECORDS` visits; all files go under `dir`.
pub(crate) fn measure(table: &mut Table, dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut centre = Centre::start(dir)?;
    let sealed = seal(table, &centre.sealer()?)?;
    let mut store = commit(table, dir, sealed)?;
    let singles = batches(&mut centre, &mut store, 1, N_SINGLE)?;
    table.time("visit-batch", singles, Against::Nothing);
    let full = batches(&mut centre, &mut store, BATCH, N_FULL)?;
    table.time("batch-of-ten", full, Against::Nothing);
    Ok(())
}

fn seal(table: &mut Table, sealer: &Sealer) -> Result<Vec<SealedRecord>, Box<dyn Error>> {
    let (mut millis, mut sealed) = (Vec::new(), Vec::new());
    for number in 0..N_RECORDS {
        let mut record = record(number)?;
        let picture = Picture { role: "live-face".into(), bytes: picture(number) };
        let (ms, one) = one(|| Ok(sealer.seal(&mut record, vec![picture])?))?;
        millis.push(ms);
        sealed.push(one);
    }
    table.time("visit-seal", Timed::of(millis), Against::Nothing);
    Ok(sealed)
}

/// Ours and the bare transaction take turns on the same disk, with the same bytes.
fn commit(
    table: &mut Table,
    dir: &Path,
    sealed: Vec<SealedRecord>,
) -> Result<Store, Box<dyn Error>> {
    let key = StoreKey::from_bytes([42; 32]);
    let mut store = Store::open(&dir.join("store"), &key)?;
    let mut bare = Connection::open(dir.join("bare.db"))?;
    bare.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE record (id BLOB, envelope BLOB, picture BLOB)",
    )?;
    let (mut ours, mut reference) = (Vec::new(), Vec::new());
    for record in sealed {
        let (id, envelope) = (record.id.0, record.envelope.clone());
        let picture = record.pictures[0].sealed.clone();
        let commit = whole(record, &key)?;
        ours.push(one(|| Ok(store.commit(commit)?))?.0);
        let insert = || {
            let transaction = bare.transaction()?;
            let sql = "INSERT INTO record VALUES (?1, ?2, ?3)";
            transaction.prepare_cached(sql)?.execute(params![id, envelope, picture])?;
            Ok(transaction.commit()?)
        };
        reference.push(one(insert)?.0);
    }
    let name = "one transaction in plain SQLite, WAL, synchronous FULL, the same bytes and disk";
    let reference = Timed::of(reference).median_ms;
    table.time("visit-commit", Timed::of(ours), Against::Millis(reference, name.into()));
    Ok(store)
}

/// Milliseconds of a turn with `size` records: manifest, uploads, receipts verified and kept. The first one, which
/// also opens the line, is left out.
fn batches(
    centre: &mut Centre,
    store: &mut Store,
    size: usize,
    n: usize,
) -> Result<Timed, Box<dyn Error>> {
    let mut millis = Vec::new();
    for number in 0..=n {
        let (ms, report) = one(|| centre.turn(store, now(), size))?;
        if report.delivered != size {
            return Err(format!("the authority took {} of {size}", report.delivered).into());
        }
        if number > 0 {
            millis.push(ms);
        }
    }
    Ok(Timed::of(millis))
}

fn whole(record: SealedRecord, key: &StoreKey) -> Result<Commit, Box<dyn Error>> {
    Ok(Commit {
        subject: key.subject(&IdNumber::parse(NUMBER)?),
        visit: record.id.0,
        supersedes: None,
        audit: AuditLine {
            at: record.captured,
            actor: "op-1".into(),
            event: "visit-sealed".into(),
            detail: record.id.to_string(),
        },
        record,
        references: Vec::new(),
        successes: Vec::new(),
        slip: vec![b' '; 600],
    })
}

/// A certification of somebody who does not exist.
fn record(n: u8) -> Result<Record, Box<dyn Error>> {
    let number = IdNumber::parse(NUMBER)?;
    let id = [1, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n];
    Ok(Record {
        id: RecordId(id),
        visit: id,
        device: crate::centre::DEVICE.into(),
        site: crate::centre::SITE.into(),
        captured: now(),
        subject: CardIdentity {
            name: PersonName("常青".into()),
            sex: number.sex(),
            birth: number.birth(),
            number,
            address: String::new(),
            issuer: String::new(),
            valid_from: None,
            valid_to: ValidTo::Open,
            source: IdentitySource::Chip,
            has_photo: true,
        },
        outcome: Outcome::Certified,
        benefits: Vec::new(),
        evidence: vec![evidence()],
        operators: vec!["op-1".into()],
        consent: None,
        pictures: Vec::new(),
        templates: Vec::new(),
        appeal: None,
        supersedes: None,
        legal_basis: "PIPL-13-1-3".into(),
    })
}

fn evidence() -> Evidence {
    Evidence {
        modality: "face".into(),
        verdict: "same".into(),
        score: Some(0.6),
        quality: Some(80),
        pad: Some(0.9),
        model: "face-embed".into(),
        threshold_set: "face-chip-1".into(),
        accept: Some(0.4),
        reference: "chip-photo".into(),
        reasons: Vec::new(),
        attempts: 1,
    }
}

/// A JPEG's first marker, then bytes that do not shrink.
fn picture(seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let noise = std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    [0xff, 0xd8, 0xff, 0xe0].into_iter().chain(noise).take(PICTURE_BYTES).collect()
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let wall_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Moment {
        wall_ms,
        boot_id: [7; 16],
        mono_ms: wall_ms.unsigned_abs(),
        doubt: Doubt::None,
        within: None,
    }
}

/// Of nobody; its checksum holds.
const NUMBER: &str = "11010519491231002X";
const PICTURE_BYTES: usize = 100_000;
/// Enough for both kinds of batch and the first of each, which is not counted.
const N_RECORDS: u8 = 121;
const N_SINGLE: usize = 40;
const BATCH: usize = 10;
const N_FULL: usize = 7;
