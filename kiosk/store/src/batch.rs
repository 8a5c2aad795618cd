//! Which batch is under way, so that after a crash the same bytes go out again, and the chain of batches.

use rusqlite::{OptionalExtension, params};

use kiosk_core::record::RecordId;

use crate::error::StoreError;
use crate::outbox::seq_of;
use crate::pictures::sha256;
use crate::rows;
use crate::store::Store;

/// A batch that was begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBatch {
    /// Its id.
    pub id: [u8; 16],
    /// The signed manifest, as it was first sent.
    pub manifest: Vec<u8>,
}

impl Store {
    /// Keeps a signed manifest before it is sent, and counts one try for each record in it. An older open one is ended.
    pub fn begin_batch(
        &mut self,
        id: [u8; 16],
        manifest: &[u8],
        records: &[RecordId],
    ) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        transaction
            .prepare_cached("UPDATE batch SET open = 0, manifest = NULL WHERE open = 1")?
            .execute([])?;
        transaction
            .prepare_cached(
                "INSERT INTO batch (id, number, digest, manifest, open)
                 SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, 1 FROM batch",
            )?
            .execute(params![id, sha256(manifest), manifest])?;
        for record in records {
            let seq = seq_of(&transaction, *record)?;
            transaction
                .prepare_cached("UPDATE outbox SET tries = tries + 1 WHERE seq = ?1")?
                .execute([seq.0.cast_signed()])?;
        }
        Ok(transaction.commit()?)
    }

    /// The batch that a crash or a lost line interrupted.
    pub fn open_batch(&self) -> Result<Option<OpenBatch>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT id, manifest FROM batch WHERE open = 1")?
            .query_row([], |row| Ok(OpenBatch { id: row.get(0)?, manifest: row.get(1)? }))
            .optional()?)
    }

    /// Ends a batch: nothing of it is to be sent again as this batch. What has no receipt goes into the next one.
    pub fn end_batch(&mut self, id: [u8; 16]) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE batch SET open = 0, manifest = NULL WHERE id = ?1")?
            .execute([id])?;
        Ok(())
    }

    /// SHA-256 of the newest signed manifest, which the next one names.
    pub fn last_manifest_digest(&self) -> Result<Option<[u8; 32]>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT digest FROM batch ORDER BY number DESC LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?)
    }

    /// How many batches were ever begun.
    pub fn batches(&self) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT coalesce(max(number), 0) FROM batch")?
            .query_row([], |row| rows::count(row, 0))?)
    }
}
