//! Small facts under a name: boot counters, time anchors, the last batch.

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// A fact the program keeps under a name of its own.
    pub fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        get(&self.connection, &format!("{PROGRAM}{key}"))
    }

    /// Keeps a fact; the older one under that name is gone.
    pub fn set_meta(&mut self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        put(&self.connection, &format!("{PROGRAM}{key}"), value)
    }
}

pub(crate) fn get(connection: &Connection, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

pub(crate) fn put(connection: &Connection, key: &str, value: &[u8]) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
        .execute(params![key, value])?;
    Ok(())
}

pub(crate) fn number(connection: &Connection, key: &str) -> Result<Option<u64>, StoreError> {
    match get(connection, key)? {
        Some(bytes) => {
            let bytes = bytes.try_into().map_err(|_| StoreError::Damaged("a number in meta"))?;
            Ok(Some(u64::from_be_bytes(bytes)))
        }
        None => Ok(None),
    }
}

pub(crate) fn put_number(connection: &Connection, key: &str, n: u64) -> Result<(), StoreError> {
    put(connection, key, &n.to_be_bytes())
}

/// Length of the journal when the last record was committed.
pub(crate) const JOURNAL_LEN: &str = "store.journal-len";
/// The newest version of a roster that was ever in use.
pub(crate) const ROSTER_VERSION: &str = "store.roster-version";
/// Which of the two roster files is in use: 0 or 1.
pub(crate) const ROSTER_SLOT: &str = "store.roster-slot";
/// The schema that a program has to know to read and write this store.
pub(crate) const SCHEMA_NEEDED: &str = "store.schema-needed";
/// Keeps the program's names apart from the store's own.
const PROGRAM: &str = "program.";
