//! A visit under way, so that a restart resumes it.

use rusqlite::{OptionalExtension, params};

use crate::error::StoreError;
use crate::store::Store;

/// What the program needs to take a visit up again. It stays on this terminal, under its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// The visit.
    pub visit: [u8; 16],
    /// Bytes in the program's own shape.
    pub bytes: Vec<u8>,
}

impl Store {
    /// Keeps the newest state of a visit.
    pub fn save_draft(&mut self, visit: [u8; 16], bytes: &[u8]) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO draft (visit, bytes) VALUES (?1, ?2)")?
            .execute(params![visit, bytes])?;
        Ok(())
    }

    /// Every visit that was begun and not ended, by visit id.
    pub fn drafts(&self) -> Result<Vec<Draft>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT visit, bytes FROM draft ORDER BY visit")?;
        let drafts =
            statement.query_map([], |row| Ok(Draft { visit: row.get(0)?, bytes: row.get(1)? }))?;
        Ok(drafts.collect::<Result<_, _>>()?)
    }

    /// What was kept of one visit.
    pub fn draft(&self, visit: [u8; 16]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT bytes FROM draft WHERE visit = ?1")?
            .query_row([visit], |row| row.get(0))
            .optional()?)
    }

    /// Forgets a visit that ended without a record.
    pub fn drop_draft(&mut self, visit: [u8; 16]) -> Result<(), StoreError> {
        self.connection.prepare_cached("DELETE FROM draft WHERE visit = ?1")?.execute([visit])?;
        Ok(())
    }
}
