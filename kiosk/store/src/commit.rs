//! Saving a visit: everything about it in one durable step, once.

use rusqlite::{Connection, OptionalExtension, params};

use kiosk_core::record::{RecordId, SealedRecord};

use crate::audit::{self, AuditLine};
use crate::error::StoreError;
use crate::journal::Frame;
use crate::key::SubjectRef;
use crate::meta;
use crate::outbox::Seq;
use crate::pictures::sha256;
use crate::reference::{self, NewReference};
use crate::rows;
use crate::store::Store;
use crate::success::{self, Success};

/// A visit that is over and sealed, with all that has to change together.
pub struct Commit {
    /// The sealed record with its sealed pictures.
    pub record: SealedRecord,
    /// Whom it is about.
    pub subject: SubjectRef,
    /// The visit; its draft is dropped in the same step.
    pub visit: [u8; 16],
    /// The record that this one corrects: what it achieved and built no longer counts here.
    pub supersedes: Option<RecordId>,
    /// The line in the audit trail.
    pub audit: AuditLine,
    /// References built in this visit. They replace those of the same modality, but for one that joined by itself.
    pub references: Vec<NewReference>,
    /// Certifications achieved in this visit.
    pub successes: Vec<Success>,
    /// The slip in the program's own shape, to be printed again.
    pub slip: Vec<u8>,
}

impl Store {
    /// Saves a visit. When this returns the record survives a power cut, and "saved" may be said.
    ///
    /// The same visit again, after a crash for instance, returns the number it already has and changes nothing.
    pub fn commit(&mut self, commit: Commit) -> Result<Seq, StoreError> {
        if let Some(seq) = self.committed(&commit)? {
            return Ok(seq);
        }
        check_digests(&commit.record)?;
        for picture in &commit.record.pictures {
            self.pictures.put(&picture.digest, &picture.sealed)?;
        }
        let before = self.journal.len();
        let seq = Seq(last_seq(&self.connection)? + 1);
        let frame = frame(seq, &commit);
        self.journal.append(&frame)?;
        let kept = self.keep(&frame, &commit);
        if kept.is_err() {
            // Best effort: an unacknowledged frame does no harm, it is superseded by number.
            let _ = self.journal.cut(before);
        }
        kept.map(|()| seq)
    }

    /// The slip that was kept with a record; none for a record that came back from the journal alone.
    pub fn slip(&self, seq: Seq) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT bytes FROM slip WHERE seq = ?1")?
            .query_row([seq.0.cast_signed()], |row| row.get(0))
            .optional()?)
    }

    /// The number of this very visit or record, if it was saved before.
    fn committed(&self, commit: &Commit) -> Result<Option<Seq>, StoreError> {
        let by_visit = self
            .connection
            .prepare_cached("SELECT seq FROM record WHERE visit = ?1 AND supersedes IS NULL")?
            .query_row([commit.visit], |row| rows::count(row, 0))
            .optional()?;
        if let Some(seq) = by_visit {
            return Ok(Some(Seq(seq)));
        }
        let by_id = self
            .connection
            .prepare_cached("SELECT seq FROM record WHERE id = ?1")?
            .query_row([commit.record.id.0], |row| rows::count(row, 0))
            .optional()?;
        // The same record id in two visits would be two records under one name.
        if by_id.is_some() { Err(StoreError::RecordDiffers) } else { Ok(None) }
    }

    /// The one transaction.
    fn keep(&mut self, frame: &Frame, commit: &Commit) -> Result<(), StoreError> {
        let journal_len = self.journal.len();
        let transaction = self.connection.transaction()?;
        insert_frame(&transaction, frame)?;
        audit::append(&transaction, &self.keys, &commit.audit)?;
        if let Some(corrected) = commit.supersedes {
            success::withdraw(&transaction, &commit.subject, corrected)?;
            reference::withdraw(&transaction, &commit.subject, corrected)?;
        }
        let from = (&frame.record, &frame.captured);
        reference::put(&transaction, &commit.subject, &commit.references, from)?;
        success::put(&transaction, &commit.subject, &commit.successes, frame.seq)?;
        transaction
            .prepare_cached("INSERT INTO slip (seq, bytes) VALUES (?1, ?2)")?
            .execute(params![frame.seq.cast_signed(), commit.slip])?;
        transaction
            .prepare_cached("DELETE FROM draft WHERE visit = ?1")?
            .execute([commit.visit])?;
        meta::put_number(&transaction, meta::JOURNAL_LEN, journal_len)?;
        Ok(transaction.commit()?)
    }
}

/// A record with its pictures and its place in the outbox.
pub(crate) fn insert_frame(connection: &Connection, frame: &Frame) -> Result<(), StoreError> {
    let seq = frame.seq.cast_signed();
    connection.prepare_cached(INSERT_RECORD)?.execute(params![
        seq,
        frame.record,
        frame.visit,
        frame.subject,
        frame.lane,
        frame.outcome,
        frame.captured.wall_ms,
        frame.captured.boot_id,
        frame.captured.mono_ms.cast_signed(),
        frame.captured.doubt.code(),
        frame.digest,
        frame.envelope,
    ])?;
    let mut picture = connection.prepare_cached(
        "INSERT INTO record_picture (seq, place, role, digest, len) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (place, (role, digest, len)) in (0_i64..).zip(&frame.pictures) {
        picture.execute(params![seq, place, role, digest, len.cast_signed()])?;
    }
    connection
        .prepare_cached("INSERT INTO outbox (seq, lane) VALUES (?1, ?2)")?
        .execute(params![seq, frame.lane])?;
    Ok(())
}

/// The number of the last record, 0 while there is none.
pub(crate) fn last_seq(connection: &Connection) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM record")?;
    Ok(statement.query_row([], |row| rows::count(row, 0))?)
}

/// Every record as the journal keeps it.
pub(crate) fn all_frames(connection: &Connection) -> Result<Vec<Frame>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT seq, id, visit, subject, lane, outcome, wall_ms, boot_id, mono_ms, doubt, digest, envelope
         FROM record ORDER BY seq",
    )?;
    let frames = statement.query_map([], |row| {
        Ok(Frame {
            seq: rows::count(row, 0)?,
            record: row.get(1)?,
            visit: row.get(2)?,
            subject: row.get(3)?,
            lane: row.get(4)?,
            outcome: row.get(5)?,
            captured: rows::moment(row, 6)?,
            digest: row.get(10)?,
            envelope: row.get(11)?,
            pictures: pictures_of(connection, row.get(0)?)?,
        })
    })?;
    Ok(frames.collect::<Result<_, _>>()?)
}

/// Role, digest and sealed length of a record's pictures, in their order.
pub(crate) fn pictures_of(
    connection: &Connection,
    seq: i64,
) -> rusqlite::Result<Vec<(String, [u8; 32], u64)>> {
    connection
        .prepare_cached(
            "SELECT role, digest, len FROM record_picture WHERE seq = ?1 ORDER BY place",
        )?
        .query_map([seq], |row| Ok((row.get(0)?, row.get(1)?, rows::count(row, 2)?)))?
        .collect()
}

/// Bytes that do not fit their digest would be refused by the centre for ever.
fn check_digests(record: &SealedRecord) -> Result<(), StoreError> {
    let pictures_fit = record.pictures.iter().all(|p| sha256(&p.sealed) == p.digest);
    let fits = sha256(&record.envelope) == record.digest && pictures_fit;
    if fits { Ok(()) } else { Err(StoreError::RecordDiffers) }
}

fn frame(seq: Seq, commit: &Commit) -> Frame {
    let record = &commit.record;
    Frame {
        seq: seq.0,
        record: record.id.0,
        visit: commit.visit,
        subject: commit.subject.0,
        lane: record.lane.code(),
        outcome: record.outcome.clone(),
        captured: record.captured,
        digest: record.digest,
        envelope: record.envelope.clone(),
        pictures: record
            .pictures
            .iter()
            .map(|p| (p.role.clone(), p.digest, p.sealed.len() as u64))
            .collect(),
    }
}

const INSERT_RECORD: &str = "
    INSERT INTO record (seq, id, visit, subject, lane, outcome, wall_ms, boot_id, mono_ms, doubt, digest, envelope)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
