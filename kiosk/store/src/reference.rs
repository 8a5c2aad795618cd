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
    /// Where it comes from: `visit`, `chip-photo`, `centre`.
    pub origin: String,
}

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
            "SELECT modality, format, extractor, wall_ms, boot_id, mono_ms, doubt, bytes, quality, origin
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

/// A re-enrolment replaces what was there for the same modality; other modalities stay.
pub(crate) fn replace(
    connection: &Connection,
    subject: &SubjectRef,
    references: &[NewReference],
    created: &Moment,
) -> Result<(), StoreError> {
    for reference in references {
        connection
            .prepare_cached("DELETE FROM reference WHERE subject = ?1 AND modality = ?2")?
            .execute(params![subject.0, reference.modality])?;
    }
    for reference in references {
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
        ])?;
    }
    Ok(())
}

const INSERT: &str = "
    INSERT INTO reference
    (subject, modality, format, extractor, wall_ms, boot_id, mono_ms, doubt, bytes, quality, origin)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
