//! What waits for the centre, what the centre refused, and what it has and signed for.

use rusqlite::{Connection, OptionalExtension, Row, params};

use kiosk_core::moment::Moment;
use kiosk_core::record::{Lane, Receipt, RecordId};

use crate::audit::{self, AuditLine};
use crate::commit;
use crate::error::StoreError;
use crate::key::SubjectRef;
use crate::reference;
use crate::rows;
use crate::store::Store;

/// A record's number on this terminal: from 1, in the order of saving, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(pub u64);

/// A picture's role, digest and sealed length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureLine {
    /// See [`kiosk_core::record::PictureRef::role`].
    pub role: String,
    /// SHA-256 of the sealed bytes.
    pub digest: [u8; 32],
    /// Length of the sealed bytes.
    pub len: u64,
}

/// A record that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its number.
    pub seq: Seq,
    /// Its id.
    pub record: RecordId,
    /// Its queue.
    pub lane: Lane,
    /// SHA-256 of the envelope.
    pub digest: [u8; 32],
    /// Length of the envelope.
    pub len: u64,
    /// Its pictures.
    pub pictures: Vec<PictureLine>,
    /// Claimed time of capture.
    pub captured: Moment,
    /// How often it was offered.
    pub tries: u32,
}

/// Where a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// To be sent.
    Waiting,
    /// The centre refused it with this code; an operator has to look.
    Held(String),
    /// The centre has it and signed for it.
    Delivered {
        /// Number of the receipt.
        receipt_no: u64,
    },
}

/// A record in the list on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordLine {
    /// Its number.
    pub seq: Seq,
    /// Its id.
    pub record: RecordId,
    /// Its visit.
    pub visit: [u8; 16],
    /// Outcome code.
    pub outcome: String,
    /// Claimed time of capture.
    pub captured: Moment,
    /// Where it is.
    pub state: RecordState,
    /// How often it was offered.
    pub tries: u32,
}

/// The outbox in four figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxSummary {
    /// Records to be sent.
    pub waiting: u64,
    /// Records that the centre refused.
    pub held: u64,
    /// Records with a verified receipt.
    pub delivered: u64,
    /// Capture of the oldest record that waits.
    pub oldest_waiting: Option<Moment>,
}

/// What a receipt changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The record was waiting and is delivered now.
    New,
    /// It had been delivered already.
    Known,
}

impl Store {
    /// The records to send next, by lane and then by number; at least one if any waits, however large.
    pub fn outbox_next(
        &self,
        max_records: usize,
        max_bytes: u64,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut statement = self.connection.prepare_cached(NEXT)?;
        let limit = i64::try_from(max_records).unwrap_or(i64::MAX);
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for entry in statement.query_map([limit], |row| entry(&self.connection, row))? {
            let entry = entry?;
            bytes += entry.len;
            if bytes > max_bytes && !entries.is_empty() {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The sealed bytes of a record, as they were saved.
    pub fn envelope(&self, record: RecordId) -> Result<Vec<u8>, StoreError> {
        self.connection
            .prepare_cached("SELECT envelope FROM record WHERE id = ?1")?
            .query_row([record.0], |row| row.get(0))
            .optional()?
            .ok_or(StoreError::UnknownRecord)
    }

    /// The sealed bytes of a picture; [`StoreError::PictureDamaged`] if they are not what was saved.
    pub fn picture(&self, digest: &[u8; 32]) -> Result<Vec<u8>, StoreError> {
        self.pictures.get(digest)
    }

    /// Takes a receipt whose signature was verified: keeps its signed bytes and ends the waiting, in one step.
    ///
    /// A receipt for another digest or number changes nothing but the audit trail.
    pub fn deliver(&mut self, receipt: &Receipt) -> Result<Delivery, StoreError> {
        let row = self
            .connection
            .prepare_cached("SELECT seq, digest FROM record WHERE id = ?1")?
            .query_row([receipt.record.0], |row| Ok((rows::count(row, 0)?, row.get(1)?)))
            .optional()?;
        if row != Some((receipt.seq, receipt.digest)) {
            self.audit(&mismatch_line(receipt.record))?;
            return Err(StoreError::ReceiptMismatch);
        }
        let seq = receipt.seq.cast_signed();
        let transaction = self.connection.transaction()?;
        let new = transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO receipt (seq, receipt_no, server_time_ms, signed)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                seq,
                receipt.receipt_no.cast_signed(),
                receipt.server_time_ms,
                receipt.signed
            ])?;
        transaction.prepare_cached("DELETE FROM outbox WHERE seq = ?1")?.execute([seq])?;
        transaction.commit()?;
        Ok(if new == 1 { Delivery::New } else { Delivery::Known })
    }

    /// Sets a waiting record aside with the centre's code. It stays until somebody decides; it blocks no other.
    pub fn hold(&mut self, record: RecordId, code: &str) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        let seq = seq_of(&transaction, record)?;
        let changed = transaction
            .prepare_cached("UPDATE outbox SET held = ?2 WHERE seq = ?1")?
            .execute(params![seq.0.cast_signed(), code])?;
        if changed == 1 {
            audit::append(&transaction, &self.keys, &held_line(record, code))?;
            reference::withdraw_automatic(&transaction, record)?;
        }
        Ok(transaction.commit()?)
    }

    /// Puts a held record back among the waiting, after an operator looked at it.
    pub fn release(&mut self, record: RecordId, audit: &AuditLine) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        let seq = seq_of(&transaction, record)?;
        transaction
            .prepare_cached("UPDATE outbox SET held = NULL WHERE seq = ?1")?
            .execute([seq.0.cast_signed()])?;
        audit::append(&transaction, &self.keys, audit)?;
        Ok(transaction.commit()?)
    }

    /// Waiting, held, delivered, and how old the oldest waiting one is.
    pub fn outbox_summary(&self) -> Result<OutboxSummary, StoreError> {
        let oldest = self
            .connection
            .prepare_cached(
                "SELECT wall_ms, boot_id, mono_ms, doubt FROM record
                 JOIN outbox USING (seq) WHERE held IS NULL ORDER BY seq LIMIT 1",
            )?
            .query_row([], |row| rows::moment(row, 0))
            .optional()?;
        Ok(OutboxSummary {
            waiting: self.count_rows("SELECT count(*) FROM outbox WHERE held IS NULL")?,
            held: self.count_rows("SELECT count(*) FROM outbox WHERE held IS NOT NULL")?,
            delivered: self.count_rows("SELECT count(*) FROM receipt")?,
            oldest_waiting: oldest,
        })
    }

    /// The newest records with their state, newest first.
    pub fn records(&self, limit: usize) -> Result<Vec<RecordLine>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self
            .connection
            .prepare_cached(&format!("{RECORD_LINE} ORDER BY record.seq DESC LIMIT ?1"))?;
        Ok(statement.query_map([limit], line)?.collect::<Result<_, _>>()?)
    }

    /// Where a record is.
    pub fn record_state(&self, record: RecordId) -> Result<RecordState, StoreError> {
        self.connection
            .prepare_cached(&format!("{RECORD_LINE} WHERE record.id = ?1"))?
            .query_row([record.0], line)
            .optional()?
            .map(|line| line.state)
            .ok_or(StoreError::UnknownRecord)
    }

    /// The record of a visit, if the visit was saved.
    pub fn visit_record(&self, visit: [u8; 16]) -> Result<Option<RecordLine>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(&format!(
                "{RECORD_LINE} WHERE record.visit = ?1 ORDER BY record.seq DESC LIMIT 1"
            ))?
            .query_row([visit], line)
            .optional()?)
    }

    /// The newest record about a person that was made here.
    pub fn latest_record(&self, subject: &SubjectRef) -> Result<Option<RecordLine>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(&format!(
                "{RECORD_LINE} WHERE record.subject = ?1 ORDER BY record.seq DESC LIMIT 1"
            ))?
            .query_row([subject.0], line)
            .optional()?)
    }

    /// The records of a person that ended in one of these outcomes and were not corrected, the oldest first.
    pub fn records_of(
        &self,
        subject: &SubjectRef,
        outcomes: &[&str],
    ) -> Result<Vec<RecordLine>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "{RECORD_LINE} WHERE record.subject = ?1 AND NOT EXISTS
                 (SELECT 1 FROM record AS newer
                  WHERE newer.subject = ?1 AND newer.supersedes = record.id)
             ORDER BY record.seq"
        ))?;
        let found = statement.query_map([subject.0], line)?;
        let wanted = |found: &rusqlite::Result<RecordLine>| match found {
            Ok(line) => outcomes.contains(&line.outcome.as_str()),
            Err(_) => true,
        };
        Ok(found.filter(wanted).collect::<Result<_, _>>()?)
    }

    /// The signed receipt of a delivered record.
    pub fn receipt(&self, record: RecordId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT signed FROM receipt JOIN record USING (seq) WHERE record.id = ?1",
            )?
            .query_row([record.0], |row| row.get(0))
            .optional()?)
    }
}

pub(crate) fn seq_of(connection: &Connection, record: RecordId) -> Result<Seq, StoreError> {
    connection
        .prepare_cached("SELECT seq FROM record WHERE id = ?1")?
        .query_row([record.0], |row| rows::count(row, 0))
        .optional()?
        .map(Seq)
        .ok_or(StoreError::UnknownRecord)
}

fn entry(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<OutboxEntry> {
    let pictures = commit::pictures_of(connection, row.get(0)?)?;
    Ok(OutboxEntry {
        seq: Seq(rows::count(row, 0)?),
        record: RecordId(row.get(1)?),
        lane: lane(row.get(2)?),
        digest: row.get(3)?,
        len: rows::count(row, 4)?,
        pictures: pictures
            .into_iter()
            .map(|(role, digest, len)| PictureLine { role, digest, len })
            .collect(),
        captured: rows::moment(row, 5)?,
        tries: row.get(9)?,
    })
}

fn line(row: &Row<'_>) -> rusqlite::Result<RecordLine> {
    let receipt: Option<i64> = row.get(8)?;
    let held: Option<String> = row.get(9)?;
    Ok(RecordLine {
        seq: Seq(rows::count(row, 0)?),
        record: RecordId(row.get(1)?),
        visit: row.get(2)?,
        outcome: row.get(3)?,
        captured: rows::moment(row, 4)?,
        state: match (receipt, held) {
            (Some(no), _) => RecordState::Delivered { receipt_no: no.cast_unsigned() },
            (None, Some(code)) => RecordState::Held(code),
            (None, None) => RecordState::Waiting,
        },
        tries: row.get::<_, Option<u32>>(10)?.unwrap_or(0),
    })
}

/// The schema lets no other number in.
fn lane(code: u8) -> Lane {
    match code {
        0 => Lane::Appeal,
        1 => Lane::ProofOfLife,
        2 => Lane::Enrolment,
        _ => Lane::Rest,
    }
}

fn mismatch_line(record: RecordId) -> AuditLine {
    AuditLine {
        at: Default::default(),
        actor: "centre".into(),
        event: "security-receipt-mismatch".into(),
        detail: record.to_string(),
    }
}

fn held_line(record: RecordId, code: &str) -> AuditLine {
    AuditLine {
        at: Default::default(),
        actor: "centre".into(),
        event: "record-held".into(),
        detail: format!("{record} {code}"),
    }
}

const NEXT: &str = "
    SELECT outbox.seq, id, outbox.lane, digest, length(envelope), wall_ms, boot_id, mono_ms, doubt, tries
    FROM outbox JOIN record USING (seq) WHERE held IS NULL ORDER BY outbox.lane, outbox.seq LIMIT ?1";
const RECORD_LINE: &str = "
    SELECT record.seq, id, visit, outcome, wall_ms, boot_id, mono_ms, doubt, receipt_no, held, tries
    FROM record LEFT JOIN outbox USING (seq) LEFT JOIN receipt USING (seq)";
