//! What the authority holds, as numbers and as a list that names nobody.
//! It reads beside a running authority and changes nothing.

use std::{collections::BTreeMap, fmt};

use rusqlite::{Connection, Row};
use serde::Serialize;

use crate::{
    hex,
    store::{CHAIN_GAP, Count, DUPLICATES, Store, StoreError},
};

/// The numbers of `authority status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Records stored.
    pub records: u64,
    /// Receipts issued.
    pub receipts: u64,
    /// The number of the last receipt; equal to `receipts`, as numbers have no gaps.
    pub receipt_no_last: u64,
    /// Records stored that have no receipt yet.
    pub records_without_receipt: u64,
    /// Pictures stored whole.
    pub pictures: u64,
    /// Their sealed bytes.
    pub picture_bytes: u64,
    /// Manifests taken.
    pub batches: u64,
    /// Records by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Records that came again with the same bytes and were not stored twice.
    pub duplicates_refused: u64,
    /// Records that are announced and were refused, by code.
    pub refused: BTreeMap<String, u64>,
    /// Events that somebody should look into, all together.
    pub security_events: u64,
    /// The same by code.
    pub security_events_by_code: BTreeMap<String, u64>,
    /// Manifests that do not follow one that is known.
    pub chain_gaps: u64,
    /// The terminals.
    pub devices: Vec<DeviceStatus>,
}

/// One terminal in a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceStatus {
    /// Its id.
    pub id: String,
    /// Where it was sent.
    pub site: String,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Its records.
    pub records: u64,
    /// Its receipts.
    pub receipts: u64,
    /// Its highest sequence number stored.
    pub seq_last: u64,
    /// Sequence numbers below the highest that are not here yet.
    pub seq_missing: u64,
}

/// One record of `authority show`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordLine {
    /// Its id, hexadecimal.
    pub id: String,
    /// The terminal.
    pub device: String,
    /// Its place among the terminal's records.
    pub seq: u64,
    /// 0 appeal, 1 proof of life, 2 enrolment, 3 audit and the rest.
    pub lane: u64,
    /// Where the terminal stood.
    pub site: String,
    /// The terminal's clock, Unix milliseconds.
    pub wall_ms: i64,
    /// SHA-256 of the envelope, hexadecimal.
    pub digest: String,
    /// Pictures announced with it.
    pub pictures: u64,
    /// The record it replaces, hexadecimal.
    pub supersedes: Option<String>,
    /// The number of its receipt.
    pub receipt_no: Option<u64>,
    /// What may be shown of its content.
    pub content: serde_json::Value,
}

/// One line of `authority events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventLine {
    /// The device that did it.
    pub device: String,
    /// The code of the refusal, or `chain-gap`.
    pub code: String,
    /// The record, picture or batch, hexadecimal, or nothing.
    pub about: String,
    /// Whether somebody should look into it.
    pub security: bool,
    /// How often.
    pub times: u64,
    /// When first, Unix milliseconds.
    pub first_ms: i64,
    /// When last, Unix milliseconds.
    pub last_ms: i64,
}

impl Status {
    /// The status now.
    pub fn read(store: &Store) -> Result<Self, StoreError> {
        let db = store.connection();
        // One snapshot, so that the numbers fit each other while records arrive.
        let _snapshot = db.unchecked_transaction()?;
        let security = "SELECT code, sum(times) FROM event WHERE security GROUP BY code";
        let security_events_by_code = by_text(db, security)?;
        let records = number(db, "SELECT count(*) FROM record")?;
        let receipts = number(db, "SELECT count(*) FROM receipt")?;
        Ok(Self {
            records,
            receipts,
            receipt_no_last: number(db, "SELECT coalesce(max(number), 0) FROM receipt")?,
            records_without_receipt: records - receipts,
            pictures: number(db, "SELECT count(*) FROM picture")?,
            picture_bytes: number(db, "SELECT coalesce(sum(len), 0) FROM picture")?,
            batches: number(db, "SELECT count(*) FROM batch")?,
            outcomes: by_text(db, "SELECT outcome, count(*) FROM record GROUP BY outcome")?,
            duplicates_refused: named(
                db,
                "SELECT coalesce(sum(n), 0) FROM counter WHERE name = ?1",
                DUPLICATES,
            )?,
            refused: by_text(db, "SELECT code, count(*) FROM refusal GROUP BY code")?,
            security_events: security_events_by_code.values().sum(),
            security_events_by_code,
            chain_gaps: named(
                db,
                "SELECT coalesce(sum(times), 0) FROM event WHERE code = ?1",
                CHAIN_GAP,
            )?,
            devices: devices(db)?,
        })
    }
}

impl RecordLine {
    /// All records in the order of device and sequence number.
    pub fn all(store: &Store) -> Result<Vec<Self>, StoreError> {
        let mut query = store.connection().prepare(
            "SELECT id, device, seq, lane, site, wall_ms, digest, supersedes, summary,
                    (SELECT number FROM receipt WHERE receipt.record = record.id) AS receipt_no,
                    (SELECT count(*) FROM claim_picture
                     WHERE claim_picture.device = record.device AND claim_picture.record = record.id)
                    AS pictures
             FROM record ORDER BY device, seq",
        )?;
        let rows = query.query_map([], Self::of)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let id: Vec<u8> = row.get("id")?;
        let digest: Vec<u8> = row.get("digest")?;
        let supersedes: Option<Vec<u8>> = row.get("supersedes")?;
        let summary: String = row.get("summary")?;
        Ok(Self {
            id: hex::encode(&id),
            device: row.get("device")?,
            seq: row.get::<_, Count>("seq")?.0,
            lane: row.get::<_, Count>("lane")?.0,
            site: row.get("site")?,
            wall_ms: row.get("wall_ms")?,
            digest: hex::encode(&digest),
            pictures: row.get::<_, Count>("pictures")?.0,
            supersedes: supersedes.map(|id| hex::encode(&id)),
            receipt_no: row.get::<_, Option<Count>>("receipt_no")?.map(|no| no.0),
            content: serde_json::from_str(&summary).unwrap_or_default(),
        })
    }
}

impl EventLine {
    /// All events, the oldest first.
    pub fn all(store: &Store) -> Result<Vec<Self>, StoreError> {
        let mut query = store.connection().prepare(
            "SELECT device, code, about, security, times, first_ms, last_ms FROM event
             ORDER BY first_ms, device, code, about",
        )?;
        let rows = query.query_map([], |row| {
            Ok(Self {
                device: row.get(0)?,
                code: row.get(1)?,
                about: row.get(2)?,
                security: row.get(3)?,
                times: row.get::<_, Count>(4)?.0,
                first_ms: row.get(5)?,
                last_ms: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl fmt::Display for EventLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.security { "!" } else { " " };
        write!(f, "{mark} {} {} {} times {}", self.device, self.code, self.times, self.about)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "records             {}", self.records)?;
        for (outcome, n) in &self.outcomes {
            writeln!(f, "  {outcome:<18}{n}")?;
        }
        writeln!(f, "receipts            {} (last no. {})", self.receipts, self.receipt_no_last)?;
        writeln!(f, "pictures            {} ({} bytes)", self.pictures, self.picture_bytes)?;
        writeln!(f, "batches             {} ({} chain gaps)", self.batches, self.chain_gaps)?;
        writeln!(f, "duplicates refused  {}", self.duplicates_refused)?;
        for (code, n) in &self.refused {
            writeln!(f, "refused             {n} {code}")?;
        }
        writeln!(f, "security events     {}", self.security_events)?;
        for (code, n) in &self.security_events_by_code {
            writeln!(f, "  {code:<18}{n}")?;
        }
        self.devices.iter().try_for_each(|device| writeln!(f, "{device}"))
    }
}

impl fmt::Display for DeviceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revoked = if self.revoked { ", revoked" } else { "" };
        write!(
            f,
            "device {} at {}: {} records, {} receipts, last seq {}, {} missing{revoked}",
            self.id, self.site, self.records, self.receipts, self.seq_last, self.seq_missing
        )
    }
}

impl fmt::Display for RecordLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |key: &str| self.content[key].as_str().unwrap_or("-").to_owned();
        let receipt = self.receipt_no.map_or("no receipt".to_owned(), |no| format!("receipt {no}"));
        write!(
            f,
            "{} {:>5} {} {:<20} {} {} pictures, {receipt}",
            self.device,
            self.seq,
            self.id,
            text("outcome"),
            text("number"),
            self.pictures
        )
    }
}

fn devices(db: &Connection) -> Result<Vec<DeviceStatus>, StoreError> {
    let mut query = db.prepare(
        "SELECT device.id, device.site, device.revoked_ms IS NOT NULL, count(record.id),
                count(receipt.record), coalesce(max(record.seq), 0)
         FROM device
         LEFT JOIN record ON record.device = device.id
         LEFT JOIN receipt ON receipt.record = record.id
         GROUP BY device.id ORDER BY device.id",
    )?;
    let rows = query.query_map([], |row| {
        let Count(records) = row.get(3)?;
        let Count(seq_last) = row.get(5)?;
        Ok(DeviceStatus {
            id: row.get(0)?,
            site: row.get(1)?,
            revoked: row.get(2)?,
            records,
            receipts: row.get::<_, Count>(4)?.0,
            seq_last,
            seq_missing: seq_last.saturating_sub(records),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn number(db: &Connection, sql: &str) -> Result<u64, StoreError> {
    Ok(db.query_row(sql, [], |row| row.get::<_, Count>(0))?.0)
}

fn named(db: &Connection, sql: &str, name: &str) -> Result<u64, StoreError> {
    Ok(db.query_row(sql, [name], |row| row.get::<_, Count>(0))?.0)
}

fn by_text(db: &Connection, sql: &str) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut query = db.prepare(sql)?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, Count>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
