//! Certifications that this terminal recorded itself, known at once and not only when the next roster comes.

use rusqlite::{Connection, params};

use kiosk_core::moment::Moment;
use kiosk_core::record::RecordId;

use crate::error::StoreError;
use crate::key::SubjectRef;
use crate::rows;
use crate::store::Store;

/// A certification for one benefit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Success {
    /// Policy pack of the benefit.
    pub pack: String,
    /// How it was achieved: `face`, `finger`, ….
    pub method: String,
    /// When the evidence was captured.
    pub captured: Moment,
}

impl Store {
    /// The newest certification of a person for each benefit, by pack.
    pub fn successes(&self, subject: &SubjectRef) -> Result<Vec<Success>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT pack, method, wall_ms, boot_id, mono_ms, doubt FROM success
             WHERE subject = ?1 ORDER BY pack",
        )?;
        let found = statement.query_map([subject.0], |row| {
            Ok(Success { pack: row.get(0)?, method: row.get(1)?, captured: rows::moment(row, 2)? })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

/// What a corrected record achieved no longer counts.
pub(crate) fn withdraw(
    connection: &Connection,
    subject: &SubjectRef,
    corrected: RecordId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM success
             WHERE subject = ?1 AND seq = (SELECT seq FROM record WHERE id = ?2)",
        )?
        .execute(params![subject.0, corrected.0])?;
    Ok(())
}

/// The later number wins, whatever the wall clock says.
pub(crate) fn put(
    connection: &Connection,
    subject: &SubjectRef,
    successes: &[Success],
    seq: u64,
) -> Result<(), StoreError> {
    for success in successes {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO success
                 (subject, pack, method, wall_ms, boot_id, mono_ms, doubt, seq)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                subject.0,
                success.pack,
                success.method,
                success.captured.wall_ms,
                success.captured.boot_id,
                success.captured.mono_ms.cast_signed(),
                success.captured.doubt.code(),
                seq.cast_signed(),
            ])?;
    }
    Ok(())
}
