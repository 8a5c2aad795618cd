//! Biometric references kept on the terminal, for the next comparison.

use std::fmt;

use rusqlite::{Connection, params};

use kiosk_core::moment::Moment;
use kiosk_core::record::RecordId;

use crate::error::StoreError;
use crate::key::SubjectRef;
use crate::rows;
use crate::store::Store;

/// A reference built in a visit; its creation is the visit's capture.
#[derive(Clone, PartialEq, Eq)]
pub struct NewReference {
    /// `face` or `finger`.
    pub modality: String,
    /// `ISO19794-2:2005`, `f32x512`, ….
    pub format: String,
    /// Name and hash of the extractor.
    pub extractor: String,
    /// The template.
    pub bytes: Vec<u8>,
    /// Quality at enrolment, 0 to 100.
    pub quality: u8,
    /// Where it comes from: `this-terminal`, or [`AUTOMATIC`].
    pub origin: String,
}

/// Origin of a view that joined the references by itself after a certification. It never replaces one that was enrolled;
/// few are kept, and it goes when its record is corrected or the centre does not take it.
pub const AUTOMATIC: &str = "automatic";

/// A reference as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Reference {
    /// `face` or `finger`.
    pub modality: String,
    /// `ISO19794-2:2005`, `f32x512`, ….
    pub format: String,
    /// Name and hash of the extractor.
    pub extractor: String,
    /// When it was captured.
    pub created: Moment,
    /// The template.
    pub bytes: Vec<u8>,
    /// Quality at enrolment, 0 to 100.
    pub quality: u8,
    /// Where it comes from.
    pub origin: String,
    /// The record it came with, where that is known.
    pub record: Option<RecordId>,
}

impl Reference {
    /// Whether nobody enrolled it.
    pub fn is_automatic(&self) -> bool {
        self.origin == AUTOMATIC
    }
}

impl fmt::Debug for NewReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewReference({} {}, …)", self.modality, self.format)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reference({} {}, …)", self.modality, self.format)
    }
}

impl Store {
    /// A person's references, oldest first.
    pub fn references(&self, subject: &SubjectRef) -> Result<Vec<Reference>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT modality, format, extractor, wall_ms, boot_id, mono_ms, doubt, bytes, quality, origin, record
             FROM reference WHERE subject = ?1 ORDER BY id",
        )?;
        let found = statement.query_map([subject.0], |row| {
            Ok(Reference {
                modality: row.get(0)?,
                format: row.get(1)?,
                extractor: row.get(2)?,
                created: rows::moment(row, 3)?,
                bytes: row.get(7)?,
                quality: row.get(8)?,
                origin: row.get(9)?,
                record: row.get::<_, Option<[u8; 16]>>(10)?.map(RecordId),
            })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// How many people have a face reference here: above 100,000 the filing duty of the law begins.
    pub fn stored_faces(&self) -> Result<u64, StoreError> {
        self.count_rows("SELECT count(DISTINCT subject) FROM reference WHERE modality = 'face'")
    }
}

/// What was built in a corrected visit may be somebody else's.
pub(crate) fn withdraw(
    connection: &Connection,
    subject: &SubjectRef,
    corrected: RecordId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM reference WHERE subject = ?1 AND (boot_id, mono_ms, wall_ms) =
             (SELECT boot_id, mono_ms, wall_ms FROM record WHERE id = ?2)",
        )?
        .execute(params![subject.0, corrected.0])?;
    Ok(())
}

/// What joined by itself with a record that the centre does not take.
pub(crate) fn withdraw_automatic(
    connection: &Connection,
    record: RecordId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM reference WHERE origin = ?1 AND record = ?2")?
        .execute(params![AUTOMATIC, record.0])?;
    Ok(())
}

/// A re-enrolment replaces what was there for the same modality; other modalities stay. A view that joins by itself
/// takes the place of one of the same season, or of the oldest of its kind.
pub(crate) fn put(
    connection: &Connection,
    subject: &SubjectRef,
    references: &[NewReference],
    (record, created): (&[u8; 16], &Moment),
) -> Result<(), StoreError> {
    let (automatic, enrolled): (Vec<_>, Vec<_>) =
        references.iter().partition(|reference| reference.origin == AUTOMATIC);
    for reference in &enrolled {
        connection
            .prepare_cached("DELETE FROM reference WHERE subject = ?1 AND modality = ?2")?
            .execute(params![subject.0, reference.modality])?;
    }
    for reference in &automatic {
        connection.prepare_cached(DELETE_SEASON)?.execute(params![
            subject.0,
            reference.modality,
            AUTOMATIC,
            created.wall_ms - SEASON_MS,
        ])?;
    }
    for reference in enrolled.iter().chain(&automatic) {
        connection.prepare_cached(INSERT)?.execute(params![
            subject.0,
            reference.modality,
            reference.format,
            reference.extractor,
            created.wall_ms,
            created.boot_id,
            created.mono_ms.cast_signed(),
            created.doubt.code(),
            reference.bytes,
            reference.quality,
            reference.origin,
            record,
        ])?;
    }
    for reference in &automatic {
        connection.prepare_cached(DELETE_OLDEST)?.execute(params![
            subject.0,
            reference.modality,
            AUTOMATIC,
            AUTOMATIC_MAX,
        ])?;
    }
    Ok(())
}

const INSERT: &str = "
    INSERT INTO reference
    (subject, modality, format, extractor, wall_ms, boot_id, mono_ms, doubt, bytes, quality, origin, record)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const DELETE_SEASON: &str = "
    DELETE FROM reference WHERE subject = ?1 AND modality = ?2 AND origin = ?3 AND wall_ms > ?4";
const DELETE_OLDEST: &str = "
    DELETE FROM reference WHERE id IN
    (SELECT id FROM reference WHERE subject = ?1 AND modality = ?2 AND origin = ?3
     ORDER BY id DESC LIMIT -1 OFFSET ?4)";
/// Views of one person that joined by themselves. With the five of an enrolment they are as many as a gallery holds.
const AUTOMATIC_MAX: u32 = 3;
/// Faces of the same few months tell nothing about age.
const SEASON_MS: i64 = 90 * 24 * 3600 * 1000;
