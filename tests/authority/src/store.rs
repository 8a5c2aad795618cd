//! The embedded database: devices, announcements, envelopes, receipts, refusals and events.
//! Each method that writes is one transaction; when it returns, what it wrote is on the disk.

mod count;

use std::{path::Path, time::Duration};

use p256::ecdsa::{SigningKey, VerifyingKey};
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};

use crate::{
    cose::{KeyId, key_id, sha256},
    manifest::{Entry, Manifest},
    receipt::Receipt,
    record::{Digest, Id, Picture, Record, id_text},
    refusal::Code,
};

pub(crate) use count::Count;

/// The open database.
pub struct Store {
    db: Connection,
}

/// A registered terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id, the common name of its certificate.
    pub id: String,
    /// Where it was sent.
    pub site: String,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// The answer to a manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Records that are not here yet.
    pub records: Vec<Id>,
    /// Pictures that are not here yet.
    pub pictures: Vec<Digest>,
    /// Records that are not taken, and why.
    pub refused: Vec<(Id, String)>,
}

/// How an offered manifest was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// It is known now, and this is the answer.
    Known(Answer),
    /// The batch id stands for another manifest.
    Conflict,
}

/// What a device announced of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The announced sequence number.
    pub seq: u64,
    /// The announced lane.
    pub lane: u64,
    /// The announced length of the envelope.
    pub len: u64,
    /// The announced digest of the envelope.
    pub digest: Digest,
    /// The announced pictures, in order of role and digest.
    pub pictures: Vec<Picture>,
}

/// A stored record's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The terminal it came from.
    pub device: String,
    /// The digest of its envelope.
    pub digest: Digest,
}

/// Something to remember about a device besides its records.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The device that did it.
    pub device: &'a str,
    /// What it was.
    pub code: &'a str,
    /// The record, picture or batch, in hexadecimal, or nothing.
    pub about: &'a str,
    /// Whether somebody should look into it.
    pub security: bool,
}

/// The database fails.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says why.
    #[error("the database")]
    Sqlite(#[from] rusqlite::Error),
    /// The file is there and was made by another version.
    #[error("the database has schema {0}, not {SCHEMA_VERSION}")]
    Schema(i64),
    /// A setting that durability rests on is not in force.
    #[error("the database does not accept {0}")]
    Setting(&'static str),
}

impl Store {
    /// Opens the database of `data` for reading and writing, making it if it is not there.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let mut db = Connection::open(data.join(FILE))?;
        db.busy_timeout(BUSY)?;
        set(&db, "journal_mode", "wal", "wal")?;
        set(&db, "synchronous", "full", "2")?;
        set(&db, "foreign_keys", "on", "1")?;
        set(&db, "trusted_schema", "off", "0")?;
        make_schema(&mut db)?;
        Ok(Self { db })
    }

    /// Opens the database of `data` beside a running authority, for reading alone.
    pub fn open_to_read(data: &Path) -> Result<Self, StoreError> {
        let db = Connection::open_with_flags(data.join(FILE), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.busy_timeout(BUSY)?;
        Ok(Self { db })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.db
    }

    /// Registers a device, or adds a key to one that is registered; a revoked one stays revoked.
    pub fn register(
        &mut self,
        id: &str,
        site: &str,
        public: &[u8],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let tx = self.begin()?;
        tx.execute(
            "INSERT INTO device (id, site, registered_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET site = ?2",
            params![id, site, now_ms],
        )?;
        tx.execute(
            "INSERT OR IGNORE INTO device_key (device, kid, public) VALUES (?1, ?2, ?3)",
            params![id, key_id(public), public],
        )?;
        Ok(tx.commit()?)
    }

    /// Revokes a device; false if there is none of this id.
    pub fn revoke(&mut self, id: &str, now_ms: i64) -> Result<bool, StoreError> {
        let changed = self.db.execute(
            "UPDATE device SET revoked_ms = coalesce(revoked_ms, ?2) WHERE id = ?1",
            params![id, now_ms],
        )?;
        Ok(changed == 1)
    }

    /// The device of this id.
    pub fn device(&self, id: &str) -> Result<Option<Device>, StoreError> {
        let device = self.db.query_row(
            "SELECT id, site, revoked_ms IS NOT NULL FROM device WHERE id = ?1",
            [id],
            |row| Ok(Device { id: row.get(0)?, site: row.get(1)?, revoked: row.get(2)? }),
        );
        Ok(device.optional()?)
    }

    /// The device's signing key with this key id.
    pub fn device_key(
        &self,
        device: &str,
        kid: &KeyId,
    ) -> Result<Option<VerifyingKey>, StoreError> {
        let public: Option<Vec<u8>> = self
            .db
            .query_row(
                "SELECT public FROM device_key WHERE device = ?1 AND kid = ?2",
                params![device, kid],
                |row| row.get(0),
            )
            .optional()?;
        Ok(public.and_then(|public| VerifyingKey::from_sec1_bytes(&public).ok()))
    }

    /// Takes a verified manifest, or gives the current answer to one that is known.
    pub fn offer(
        &mut self,
        manifest: &Manifest,
        signed: &[u8],
        now_ms: i64,
    ) -> Result<Offer, StoreError> {
        let digest = sha256(signed);
        let tx = self.begin()?;
        let known: Option<(String, Digest)> = tx
            .query_row("SELECT device, digest FROM batch WHERE id = ?1", [manifest.batch], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        match known {
            Some(known) if known != (manifest.device.clone(), digest) => {
                return Ok(Offer::Conflict);
            }
            Some(_) => (),
            None => take_manifest(&tx, manifest, signed, &digest, now_ms)?,
        }
        let answer = answer(&tx, manifest)?;
        tx.commit()?;
        Ok(Offer::Known(answer))
    }

    /// What the device announced of a record.
    pub fn claim(&self, device: &str, record: &Id) -> Result<Option<Claim>, StoreError> {
        claim(&self.db, device, record)
    }

    /// Why the device's announcement of a record was refused, if it was.
    pub fn refused_claim(&self, device: &str, record: &Id) -> Result<Option<String>, StoreError> {
        let code = self.db.query_row(
            "SELECT refused FROM batch_entry JOIN batch ON batch.id = batch_entry.batch
             WHERE record = ?2 AND device = ?1 AND refused IS NOT NULL LIMIT 1",
            params![device, record],
            |row| row.get(0),
        );
        Ok(code.optional()?)
    }

    /// Who stored which bytes under a record id.
    pub fn held(&self, record: &Id) -> Result<Option<Held>, StoreError> {
        let held =
            self.db.query_row("SELECT device, digest FROM record WHERE id = ?1", [record], |row| {
                Ok(Held { device: row.get(0)?, digest: row.get(1)? })
            });
        Ok(held.optional()?)
    }

    /// Keeps a record that was opened, verified and read.
    pub fn keep(
        &mut self,
        record: &Record,
        claim: &Claim,
        envelope: &[u8],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let summary = serde_json::to_string(&record.summary).expect("a summary has text keys only");
        let tx = self.begin()?;
        tx.execute(
            "INSERT INTO record (id, device, seq, lane, digest, envelope, visit, site, wall_ms,
                                 outcome, summary, supersedes, stored_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                record.id,
                record.device,
                Count(claim.seq),
                Count(claim.lane),
                claim.digest,
                envelope,
                record.visit,
                record.site,
                record.wall_ms,
                record.summary.outcome,
                summary,
                record.supersedes,
                now_ms
            ],
        )?;
        tx.execute(
            "DELETE FROM refusal WHERE device = ?1 AND record = ?2",
            params![record.device, record.id],
        )?;
        Ok(tx.commit()?)
    }

    /// Remembers that a record was refused, for the next answer to its manifest.
    pub fn refuse(
        &mut self,
        device: &str,
        record: &Id,
        digest: &Digest,
        code: Code,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.db.execute(
            "INSERT OR REPLACE INTO refusal (device, record, digest, code, at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![device, record, digest, code.text(), now_ms],
        )?;
        Ok(())
    }

    /// The announced length of a picture, if this device announced it.
    pub fn announced_picture(
        &self,
        device: &str,
        digest: &Digest,
    ) -> Result<Option<u64>, StoreError> {
        let len = self.db.query_row(
            "SELECT max(len) FROM claim_picture WHERE device = ?1 AND digest = ?2",
            params![device, digest],
            |row| row.get::<_, Option<Count>>(0),
        )?;
        Ok(len.map(|len| len.0))
    }

    /// Whether a picture is whole and durable.
    pub fn has_picture(&self, digest: &Digest) -> Result<bool, StoreError> {
        has_picture(&self.db, digest)
    }

    /// Remembers that a picture is whole and durable.
    pub fn keep_picture(
        &mut self,
        digest: &Digest,
        len: u64,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.db.execute(
            "INSERT OR IGNORE INTO picture (digest, len, stored_ms) VALUES (?1, ?2, ?3)",
            params![digest, Count(len), now_ms],
        )?;
        Ok(())
    }

    /// Forgets a picture whose file is gone, so that terminals are asked for it again.
    pub fn forget_picture(&mut self, digest: &Digest) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM picture WHERE digest = ?1", [digest])?;
        Ok(())
    }

    /// The digests of all pictures that are held to be durable.
    pub fn picture_digests(&self) -> Result<Vec<Digest>, StoreError> {
        let mut query = self.db.prepare("SELECT digest FROM picture")?;
        let rows = query.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Receipts of all complete records of a batch, issued now or before, in the batch's order.
    /// Nothing if the device has no such batch.
    pub fn commit(
        &mut self,
        device: &str,
        batch: &Id,
        key: &SigningKey,
        now_ms: i64,
    ) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
        let tx = self.begin()?;
        let known: Option<i64> = tx
            .query_row(
                "SELECT 1 FROM batch WHERE id = ?1 AND device = ?2",
                params![batch, device],
                |row| row.get(0),
            )
            .optional()?;
        if known.is_none() {
            return Ok(None);
        }
        let mut receipts = Vec::new();
        for record in batch_records(&tx, batch)? {
            if let Some(body) = receipt_of(&tx, device, &record, key, now_ms)? {
                receipts.push(body);
            }
        }
        tx.commit()?;
        Ok(Some(receipts))
    }

    /// The receipt of a device's record.
    pub fn receipt(&self, device: &str, record: &Id) -> Result<Option<Vec<u8>>, StoreError> {
        let body = self.db.query_row(
            "SELECT body FROM receipt JOIN record ON record.id = receipt.record
             WHERE record.id = ?1 AND record.device = ?2",
            params![record, device],
            |row| row.get(0),
        );
        Ok(body.optional()?)
    }

    /// Remembers an event; the same one again is counted.
    pub fn note(&mut self, event: Event<'_>, now_ms: i64) -> Result<(), StoreError> {
        note(&self.db, event, now_ms)
    }

    /// Counts one more of `name`.
    pub fn count(&mut self, name: &str) -> Result<(), StoreError> {
        self.db.execute(
            "INSERT INTO counter (name, n) VALUES (?1, 1) ON CONFLICT (name) DO UPDATE SET n = n + 1",
            [name],
        )?;
        Ok(())
    }

    fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        // Immediate: a reader that turns writer could meet the command line's writer half-way.
        Ok(self.db.transaction_with_behavior(TransactionBehavior::Immediate)?)
    }
}

/// Sets a pragma and insists that it holds.
fn set(db: &Connection, name: &'static str, value: &str, holds: &str) -> Result<(), StoreError> {
    db.pragma_update(None, name, value)?;
    let found: rusqlite::types::Value = db.pragma_query_value(None, name, |row| row.get(0))?;
    let found = match found {
        rusqlite::types::Value::Text(text) => text,
        rusqlite::types::Value::Integer(number) => number.to_string(),
        _ => String::new(),
    };
    if found == holds { Ok(()) } else { Err(StoreError::Setting(name)) }
}

fn make_schema(db: &mut Connection) -> Result<(), StoreError> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        0 => {
            tx.execute_batch(include_str!("store/schema.sql"))?;
            tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            Ok(tx.commit()?)
        }
        SCHEMA_VERSION => Ok(()),
        other => Err(StoreError::Schema(other)),
    }
}

fn take_manifest(
    tx: &Transaction<'_>,
    manifest: &Manifest,
    signed: &[u8],
    digest: &Digest,
    now_ms: i64,
) -> Result<(), StoreError> {
    note_chain_gap(tx, manifest, now_ms)?;
    tx.execute(
        "INSERT INTO batch (id, device, digest, previous, audit_head, signed, offered_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            manifest.batch,
            manifest.device,
            digest,
            manifest.previous,
            manifest.audit_head,
            signed,
            now_ms
        ],
    )?;
    for (place, entry) in manifest.entries.iter().enumerate() {
        let refused = take_entry(tx, &manifest.device, entry, now_ms)?;
        tx.execute(
            "INSERT INTO batch_entry (batch, place, record, refused) VALUES (?1, ?2, ?3, ?4)",
            params![manifest.batch, Count(place as u64), entry.record, refused.map(Code::text)],
        )?;
    }
    Ok(())
}

/// A manifest may be lost with the terminal's disk, so a gap is remembered and not refused.
fn note_chain_gap(
    tx: &Transaction<'_>,
    manifest: &Manifest,
    now_ms: i64,
) -> Result<(), StoreError> {
    let follows: bool = match &manifest.previous {
        Some(previous) => tx.query_row(
            "SELECT EXISTS (SELECT 1 FROM batch WHERE device = ?1 AND digest = ?2)",
            params![manifest.device, previous],
            |row| row.get(0),
        )?,
        None => tx.query_row(
            "SELECT NOT EXISTS (SELECT 1 FROM batch WHERE device = ?1)",
            [&manifest.device],
            |row| row.get(0),
        )?,
    };
    if follows {
        return Ok(());
    }
    let about = id_text(&manifest.batch);
    let event = Event { device: &manifest.device, code: CHAIN_GAP, about: &about, security: false };
    note(tx, event, now_ms)
}

/// Takes one announcement, or says why not.
fn take_entry(
    tx: &Transaction<'_>,
    device: &str,
    entry: &Entry,
    now_ms: i64,
) -> Result<Option<Code>, StoreError> {
    let code = match claim(tx, device, &entry.record)? {
        Some(known) if known == claim_of(entry) => return Ok(None),
        Some(_) => Code::RecordConflict,
        None if is_held_by_another(tx, device, &entry.record)? => Code::RecordConflict,
        None if seq_is_taken(tx, device, entry.seq)? => Code::SeqConflict,
        None => {
            insert_claim(tx, device, entry)?;
            return Ok(None);
        }
    };
    let about = id_text(&entry.record);
    note(tx, Event { device, code: code.text(), about: &about, security: true }, now_ms)?;
    Ok(Some(code))
}

fn claim_of(entry: &Entry) -> Claim {
    let mut pictures = entry.pictures.clone();
    pictures.sort();
    Claim { seq: entry.seq, lane: entry.lane, len: entry.len, digest: entry.digest, pictures }
}

fn is_held_by_another(tx: &Connection, device: &str, record: &Id) -> Result<bool, StoreError> {
    Ok(tx.query_row(
        "SELECT EXISTS (SELECT 1 FROM record WHERE id = ?1 AND device <> ?2)",
        params![record, device],
        |row| row.get(0),
    )?)
}

fn seq_is_taken(tx: &Connection, device: &str, seq: u64) -> Result<bool, StoreError> {
    Ok(tx.query_row(
        "SELECT EXISTS (SELECT 1 FROM claim WHERE device = ?1 AND seq = ?2)",
        params![device, Count(seq)],
        |row| row.get(0),
    )?)
}

fn insert_claim(tx: &Transaction<'_>, device: &str, entry: &Entry) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO claim (device, record, seq, lane, len, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![device, entry.record, Count(entry.seq), Count(entry.lane), Count(entry.len), entry.digest],
    )?;
    for (place, picture) in claim_of(entry).pictures.iter().enumerate() {
        tx.execute(
            "INSERT INTO claim_picture (device, record, place, role, digest, len)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                device,
                entry.record,
                Count(place as u64),
                picture.role,
                picture.digest,
                Count(picture.len)
            ],
        )?;
    }
    Ok(())
}

fn claim(db: &Connection, device: &str, record: &Id) -> Result<Option<Claim>, StoreError> {
    let claim = db
        .query_row(
            "SELECT seq, lane, len, digest FROM claim WHERE device = ?1 AND record = ?2",
            params![device, record],
            |row| {
                Ok(Claim {
                    seq: row.get::<_, Count>(0)?.0,
                    lane: row.get::<_, Count>(1)?.0,
                    len: row.get::<_, Count>(2)?.0,
                    digest: row.get(3)?,
                    pictures: Vec::new(),
                })
            },
        )
        .optional()?;
    claim
        .map(|claim| Ok(Claim { pictures: claim_pictures(db, device, record)?, ..claim }))
        .transpose()
}

fn claim_pictures(db: &Connection, device: &str, record: &Id) -> Result<Vec<Picture>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT role, digest, len FROM claim_picture WHERE device = ?1 AND record = ?2 ORDER BY place",
    )?;
    let rows = query.query_map(params![device, record], |row| {
        Ok(Picture { role: row.get(0)?, digest: row.get(1)?, len: row.get::<_, Count>(2)?.0 })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn answer(tx: &Transaction<'_>, manifest: &Manifest) -> Result<Answer, StoreError> {
    let mut answer = Answer::default();
    for (record, refused) in batch_entries(tx, &manifest.batch)? {
        match refused.or(refusal(tx, &manifest.device, &record)?) {
            Some(code) => answer.refused.push((record, code)),
            None => add_needs(tx, &manifest.device, record, &mut answer)?,
        }
    }
    Ok(answer)
}

fn add_needs(
    tx: &Transaction<'_>,
    device: &str,
    record: Id,
    answer: &mut Answer,
) -> Result<(), StoreError> {
    let held: bool =
        tx.query_row("SELECT EXISTS (SELECT 1 FROM record WHERE id = ?1)", [record], |row| {
            row.get(0)
        })?;
    if !held {
        answer.records.push(record);
    }
    for picture in claim_pictures(tx, device, &record)? {
        if !answer.pictures.contains(&picture.digest) && !has_picture(tx, &picture.digest)? {
            answer.pictures.push(picture.digest);
        }
    }
    Ok(())
}

fn refusal(tx: &Transaction<'_>, device: &str, record: &Id) -> Result<Option<String>, StoreError> {
    let code = tx.query_row(
        "SELECT code FROM refusal WHERE device = ?1 AND record = ?2",
        params![device, record],
        |row| row.get(0),
    );
    Ok(code.optional()?)
}

fn batch_entries(
    tx: &Transaction<'_>,
    batch: &Id,
) -> Result<Vec<(Id, Option<String>)>, StoreError> {
    let mut query = tx.prepare_cached(
        "SELECT record, refused FROM batch_entry WHERE batch = ?1 ORDER BY place",
    )?;
    let rows = query.query_map([batch], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn batch_records(tx: &Transaction<'_>, batch: &Id) -> Result<Vec<Id>, StoreError> {
    let entries = batch_entries(tx, batch)?;
    Ok(entries.into_iter().filter(|(_, refused)| refused.is_none()).map(|(id, _)| id).collect())
}

/// The receipt a record has, or a new one if the record and all its pictures are here.
fn receipt_of(
    tx: &Transaction<'_>,
    device: &str,
    record: &Id,
    key: &SigningKey,
    now_ms: i64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let issued = tx.query_row(
        "SELECT body FROM receipt JOIN record ON record.id = receipt.record
         WHERE record.id = ?1 AND record.device = ?2",
        params![record, device],
        |row| row.get(0),
    );
    if let Some(body) = issued.optional()? {
        return Ok(Some(body));
    }
    let stored = tx.query_row(
        "SELECT digest, seq FROM record WHERE id = ?1 AND device = ?2",
        params![record, device],
        |row| Ok((row.get(0)?, row.get(1)?)),
    );
    let Some((digest, Count(seq))) = stored.optional()? else {
        return Ok(None);
    };
    for picture in claim_pictures(tx, device, record)? {
        if !has_picture(tx, &picture.digest)? {
            return Ok(None);
        }
    }
    let Count(number) =
        tx.query_row("SELECT coalesce(max(number), 0) + 1 FROM receipt", [], |row| row.get(0))?;
    let device = device.to_owned();
    let receipt = Receipt { record: *record, digest, device, seq, server_time_ms: now_ms, number };
    let body = receipt.sign(key);
    tx.execute(
        "INSERT INTO receipt (record, number, body, issued_ms) VALUES (?1, ?2, ?3, ?4)",
        params![record, Count(number), body, now_ms],
    )?;
    Ok(Some(body))
}

fn has_picture(db: &Connection, digest: &Digest) -> Result<bool, StoreError> {
    Ok(db.query_row(
        "SELECT EXISTS (SELECT 1 FROM picture WHERE digest = ?1)",
        [digest],
        |row| row.get(0),
    )?)
}

/// Beyond so many events of a device, what they are about is let go: they are still counted.
fn note(db: &Connection, event: Event<'_>, now_ms: i64) -> Result<(), StoreError> {
    let Count(events) =
        db.query_row("SELECT count(*) FROM event WHERE device = ?1", [event.device], |row| {
            row.get(0)
        })?;
    let about = if events < EVENTS_MAX { event.about } else { "" };
    db.execute(
        "INSERT INTO event (device, code, about, security, times, first_ms, last_ms)
         VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5)
         ON CONFLICT (device, code, about) DO UPDATE SET times = times + 1, last_ms = ?5",
        params![event.device, event.code, about, event.security, now_ms],
    )?;
    Ok(())
}

/// The event of a manifest that does not follow one that is known.
pub(crate) const CHAIN_GAP: &str = "chain-gap";
/// The counter of records that came again with the same bytes.
pub(crate) const DUPLICATES: &str = "duplicates";

const EVENTS_MAX: u64 = 1_000;
const FILE: &str = "authority.db";
const SCHEMA_VERSION: i64 = 1;
const BUSY: Duration = Duration::from_secs(10);
