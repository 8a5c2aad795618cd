//! One roster as an encrypted database of its own: how it is written whole, and how it is asked.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Params, params};

use kiosk_core::roster::RosterKeys;

use crate::database;
use crate::disk;
use crate::error::StoreError;
use crate::rows;

/// The roster in use.
pub(crate) struct RosterFile {
    pub(crate) connection: Connection,
    pub(crate) about: About,
}

/// What a roster file says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) version: u64,
    pub(crate) keyed_seq: u64,
    pub(crate) basis: Vec<u8>,
    pub(crate) cursor: i64,
}

/// A row as it lies in the file: who, their number and their entry, both sealed.
pub(crate) struct SealedRow {
    pub(crate) subject: [u8; 32],
    pub(crate) number: Vec<u8>,
    pub(crate) entry: Vec<u8>,
}

impl RosterFile {
    /// Opens a finished file. Its pages are not checked as a whole: each is authenticated when it is read.
    pub(crate) fn open(path: &Path, key: &[u8; 32]) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        database::unlock(&connection, key)?;
        // Days that a power cut takes back are computed again from the records.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192;",
        )?;
        connection.execute_batch(SETTINGS)?;
        let shape: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if shape != SHAPE {
            return Err(StoreError::Damaged("shape of the roster"));
        }
        let about = connection.query_row(
            "SELECT version, keyed_seq, basis, cursor FROM about",
            [],
            |row| {
                Ok(About {
                    version: rows::count(row, 0)?,
                    keyed_seq: rows::count(row, 1)?,
                    basis: row.get(2)?,
                    cursor: row.get(3)?,
                })
            },
        )?;
        Ok(Self { connection, about })
    }

    pub(crate) fn count(&self) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT count(*) FROM person")?;
        Ok(statement.query_row([], |row| rows::count(row, 0))?)
    }

    /// The sealed entry of somebody.
    pub(crate) fn entry_of(&self, subject: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sealed FROM entry WHERE id = (SELECT id FROM person WHERE subject = ?1)",
        )?;
        Ok(statement.query_row([subject], |row| row.get(0)).optional()?)
    }

    pub(crate) fn id_of(&self, subject: &[u8; 32]) -> Result<Option<i64>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT id FROM person WHERE subject = ?1")?;
        Ok(statement.query_row([subject], |row| row.get(0)).optional()?)
    }

    pub(crate) fn row(&self, id: i64) -> Result<SealedRow, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT subject, number, sealed FROM person JOIN entry USING (id) WHERE id = ?1",
        )?;
        Ok(statement.query_row([id], |row| {
            Ok(SealedRow { subject: row.get(0)?, number: row.get(1)?, entry: row.get(2)? })
        })?)
    }

    /// People in the order that a statement gives them; somebody whom it gives twice counts at the first place.
    pub(crate) fn ids(
        &self,
        sql: &str,
        values: impl Params,
        skip: usize,
        take: usize,
    ) -> Result<Vec<i64>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut found = statement.query(values)?;
        let (mut seen, mut ids) = (HashSet::new(), Vec::new());
        while ids.len() < take
            && let Some(row) = found.next()?
        {
            let id: i64 = row.get(0)?;
            if seen.insert(id) && seen.len() > skip {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// Takes over new days, and how far they were computed, in one step.
    pub(crate) fn rekey(
        &mut self,
        keys: &[(i64, RosterKeys)],
        about: About,
    ) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        for (id, keys) in keys {
            let (standing, day) = standing(keys);
            transaction
                .prepare_cached("UPDATE person SET standing = ?2, day = ?3 WHERE id = ?1")?
                .execute(params![id, standing, day])?;
        }
        transaction
            .prepare_cached("UPDATE about SET keyed_seq = ?1, basis = ?2, cursor = ?3")?
            .execute(params![about.keyed_seq.cast_signed(), about.basis, about.cursor])?;
        transaction.commit()?;
        self.about = about;
        Ok(())
    }
}

/// A roster file that is being written. Until it is finished and named nothing reads it.
pub(crate) struct Building {
    connection: Connection,
    n: i64,
    leftover: Leftover,
}

/// A file that goes with its builder: an import that found the disk full gives the room back at once.
struct Leftover {
    path: PathBuf,
    finished: bool,
}

impl Drop for Leftover {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed now is removed when the store is opened next.
            let _ = remove(&self.path);
        }
    }
}

impl Building {
    /// Begins a file; what a crash left under its name is gone first.
    pub(crate) fn begin(path: PathBuf, key: &[u8; 32]) -> Result<Self, StoreError> {
        remove(&path)?;
        let leftover = Leftover { path, finished: false };
        let connection = Connection::open(&leftover.path)?;
        database::unlock(&connection, key)?;
        // No journal: a file that is not finished is thrown away, and a finished one is synced before it is named.
        connection.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA cache_size = -16384;",
        )?;
        connection.execute_batch(SETTINGS)?;
        connection.execute_batch(include_str!("../schema/roster.sql"))?;
        connection.execute_batch("BEGIN")?;
        Ok(Self { connection, n: 0, leftover })
    }

    pub(crate) fn put(
        &mut self,
        subject: &[u8; 32],
        number: &[u8],
        entry: &[u8],
        keys: &RosterKeys,
    ) -> Result<(), StoreError> {
        self.n += 1;
        let (standing, day) = standing(keys);
        self.connection
            .prepare_cached(
                "INSERT INTO person (id, subject, number, name, village, standing, day)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![self.n, subject, number, keys.folded, keys.village, standing, day])?;
        self.connection
            .prepare_cached("INSERT INTO entry (id, sealed) VALUES (?1, ?2)")?
            .execute(params![self.n, entry])?;
        let mut spelling = self
            .connection
            .prepare_cached("INSERT INTO spelling (person, spelling) VALUES (?1, ?2)")?;
        for typed in &keys.spellings {
            spelling.execute(params![self.n, typed])?;
        }
        Ok(())
    }

    /// Sorts, and brings everything to the disk.
    pub(crate) fn finish(self, version: u64, basis: &[u8]) -> Result<(), StoreError> {
        self.connection.execute(
            "INSERT INTO about (version, keyed_seq, basis, cursor) VALUES (?1, 0, ?2, ?3)",
            params![version.cast_signed(), basis, i64::MAX],
        )?;
        self.connection.execute_batch("COMMIT")?;
        self.connection.execute_batch(include_str!("../schema/roster_order.sql"))?;
        self.connection.pragma_update(None, "user_version", SHAPE)?;
        let Self { connection, mut leftover, .. } = self;
        connection.close().map_err(|(_, error)| error)?;
        File::open(&leftover.path)?.sync_all()?;
        disk::sync_folder(leftover.path.parent().expect("a file stands in a folder"))?;
        leftover.finished = true;
        Ok(())
    }
}

/// Removes a roster file and what belongs to it, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// The least text that does not begin with this one but comes after all that do.
pub(crate) fn after(beginning: &str) -> String {
    format!("{beginning}\u{10FFFF}")
}

/// Days since 1970-01-01, as the file counts them.
pub(crate) fn day_number(day: Date) -> i64 {
    day.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24
}

/// Where somebody stands in the lists: the day that counts, and for what.
fn standing(keys: &RosterKeys) -> (i64, i64) {
    match (keys.suspended, keys.suspend, keys.due) {
        (_, Some(suspend), _) => (STOPS, day_number(suspend)),
        (true, None, Some(due)) => (STOPPED, day_number(due)),
        (false, None, Some(due)) => (DUE, day_number(due)),
        (_, None, None) => (NOTHING, NEVER),
    }
}

// Standings, as `schema/roster.sql` numbers them.
const STOPS: i64 = 0;
const DUE: i64 = 1;
const STOPPED: i64 = 2;
const NOTHING: i64 = 3;
/// Long after the last day that a date can hold.
const NEVER: i64 = 9_999_999;

/// Raised when a program can no longer read what one before wrote, or writes what it needs and they did not.
const SHAPE: u32 = 1;

const SETTINGS: &str = "
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA mmap_size = 0;
    PRAGMA temp_store = MEMORY;";
