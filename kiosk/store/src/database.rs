//! Opening the encrypted database: key first, settings asserted back, check after a crash, and the schema.
//!
//! An edition that turns out bad is taken back after it has opened the store and served from it, and a broken slot starts
//! the edition before at any time. So the schema grows in steps that the program before can live with: it leaves alone what
//! it does not know. What it could not live with is taken away one edition later, when no slot holds it any more.

use std::path::Path;

use rusqlite::Connection;
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::meta;

/// How hard a commit waits for the disk. Only the power-loss test may ask for less than `Full`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Synchronous {
    Full,
    #[cfg(test)]
    Normal,
}

/// Opens or creates the database and brings it to the newest schema.
pub(crate) fn open(
    path: &Path,
    key: &[u8; 32],
    synchronous: Synchronous,
    unclean: bool,
) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    unlock(&connection, key)?;
    configure(&connection, synchronous)?;
    assert_settings(&connection, synchronous)?;
    if unclean {
        quick_check(&connection)?;
    }
    migrate(&mut connection)?;
    Ok(connection)
}

/// The key has to be the first thing said; a raw key needs no derivation of half a second.
pub(crate) fn unlock(connection: &Connection, key: &[u8; 32]) -> Result<(), StoreError> {
    let mut pragma = Zeroizing::new(String::with_capacity(96));
    pragma.push_str("PRAGMA key = \"x'");
    for byte in key {
        use std::fmt::Write;
        write!(pragma, "{byte:02x}").expect("a String takes every write");
    }
    pragma.push_str("'\"; PRAGMA cipher_log_level = NONE;");
    connection.execute_batch(&pragma)?;
    // Without SQLCipher the pragma above would be ignored and everything would lie in the clear.
    let cipher: Option<String> =
        connection.query_row("PRAGMA cipher_version", [], |row| row.get(0)).ok();
    if cipher.is_none() {
        return Err(StoreError::Setting("cipher"));
    }
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    Ok(())
}

fn configure(connection: &Connection, synchronous: Synchronous) -> Result<(), StoreError> {
    let level = match synchronous {
        Synchronous::Full => "FULL",
        #[cfg(test)]
        Synchronous::Normal => "NORMAL",
    };
    connection.execute_batch(&format!("{SETTINGS} PRAGMA synchronous = {level};"))?;
    Ok(())
}

/// A setting that silently did not take is the difference between "saved" and "maybe saved".
fn assert_settings(connection: &Connection, synchronous: Synchronous) -> Result<(), StoreError> {
    let full = i64::from(synchronous == Synchronous::Full);
    let wanted = [
        ("synchronous", 1 + full),
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("mmap_size", 0),
        ("temp_store", 2),
    ];
    for (name, value) in wanted {
        let is: i64 =
            connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap_or(0);
        if is != value {
            return Err(StoreError::Setting(name));
        }
    }
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(StoreError::Setting("journal_mode")) }
}

/// Reads every page; with SQLCipher each of them is authenticated. All rows are read: the first alone can mislead.
pub(crate) fn quick_check(connection: &Connection) -> Result<(), StoreError> {
    let mut statement = connection.prepare("PRAGMA quick_check")?;
    let answers = statement.query_map([], |row| row.get::<_, String>(0))?;
    for answer in answers {
        if answer? != "ok" {
            return Err(StoreError::Damaged("database"));
        }
    }
    Ok(())
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = newest();
    if found > known {
        let needed = meta::number(connection, meta::SCHEMA_NEEDED)?.unwrap_or(found.into());
        return if needed <= known.into() {
            tracing::warn!(found, known, "the store was brought further by a newer edition");
            Ok(())
        } else {
            Err(StoreError::TooNew { found, known })
        };
    }
    for (version, step) in (1..=known).zip(SCHEMA).skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step.sql)?;
        transaction.pragma_update(None, "user_version", version)?;
        let before = meta::number(&transaction, meta::SCHEMA_NEEDED)?.unwrap_or(0);
        meta::put_number(&transaction, meta::SCHEMA_NEEDED, before.max(step.needs.into()))?;
        transaction.commit()?;
    }
    Ok(())
}

/// The newest schema that this program knows.
fn newest() -> u32 {
    u32::try_from(SCHEMA.len()).expect("there are few steps")
}

/// One step of the schema.
struct Step {
    sql: &'static str,
    /// The schema that a program has to know to read and write a store after this step.
    needs: u32,
}

/// Forward only; the place in this list is the schema's version.
const SCHEMA: &[Step] = &[
    Step { sql: include_str!("schema/0001_first.sql"), needs: 1 },
    Step { sql: include_str!("schema/0002_success_by_record.sql"), needs: 1 },
    Step { sql: include_str!("schema/0003_slip.sql"), needs: 1 },
    Step { sql: include_str!("schema/0004_reference_record.sql"), needs: 1 },
];

const SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA mmap_size = 0;
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = 200;
    PRAGMA journal_size_limit = 8388608;
    PRAGMA secure_delete = FAST;
    PRAGMA recursive_triggers = OFF;";

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::key::{Keys, StoreKey};
    use crate::power_loss::{commit, receipt};
    use crate::store::Store;

    /// The newest schema of the edition before this one. Goes up when an edition is delivered.
    const DELIVERED: u32 = 4;

    #[test]
    fn no_step_shuts_out_the_edition_that_an_update_may_go_back_to() {
        for (version, step) in (1..).zip(SCHEMA) {
            assert!(step.needs <= DELIVERED.min(version), "schema {version}");
        }
        assert!(DELIVERED <= newest());
    }

    #[test]
    fn a_store_that_a_newer_edition_brought_further_serves_the_one_before() {
        let folder = TempDir::new().unwrap();
        let key = StoreKey::from_bytes([42; 32]);
        Store::open(folder.path(), &key).unwrap().close().unwrap();
        let mut n = 0;
        for (needs, opens) in [(newest(), true), (newest() + 1, false), (newest(), true)] {
            tomorrow(folder.path(), &key, needs);
            match Store::open(folder.path(), &key) {
                Ok(mut store) => {
                    assert!(opens);
                    n += 1;
                    assert_eq!(store.commit(commit(n)).unwrap().0, n);
                    store.deliver(&receipt(n)).unwrap();
                    store.save_draft([7; 16], b"a visit under way").unwrap();
                    store.close().unwrap();
                }
                Err(StoreError::TooNew { found, known }) => {
                    assert!(!opens);
                    assert_eq!((found, known), (newest() + 1, newest()));
                }
                Err(error) => panic!("{error:?}"),
            }
            // It is still the newer edition's, which comes back and has nothing to do again.
            assert_eq!(version(folder.path(), &key), newest() + 1);
        }
    }

    #[test]
    fn a_newer_store_that_does_not_say_what_it_needs_is_refused() {
        let folder = TempDir::new().unwrap();
        let key = StoreKey::from_bytes([42; 32]);
        Store::open(folder.path(), &key).unwrap().close().unwrap();
        tomorrow(folder.path(), &key, newest());
        let connection = opened(folder.path(), &key);
        connection.execute("DELETE FROM meta WHERE key = ?1", [meta::SCHEMA_NEEDED]).unwrap();
        connection.close().unwrap();
        assert!(matches!(Store::open(folder.path(), &key), Err(StoreError::TooNew { .. })));
    }

    /// What an edition after this one may do: more columns, tables and keys.
    fn tomorrow(folder: &Path, key: &StoreKey, needs: u32) {
        let connection = opened(folder, key);
        if version(folder, key) == newest() {
            connection.execute_batch(TOMORROW).unwrap();
            connection.pragma_update(None, "user_version", newest() + 1).unwrap();
        }
        meta::put_number(&connection, meta::SCHEMA_NEEDED, needs.into()).unwrap();
        connection.close().unwrap();
    }

    fn version(folder: &Path, key: &StoreKey) -> u32 {
        let connection = opened(folder, key);
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    fn opened(folder: &Path, key: &StoreKey) -> Connection {
        let connection = Connection::open(folder.join("store.db")).unwrap();
        unlock(&connection, &Keys::of(key).database).unwrap();
        connection
    }

    const TOMORROW: &str = "
        ALTER TABLE record ADD COLUMN tomorrow TEXT;
        ALTER TABLE outbox ADD COLUMN tomorrow INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE reference ADD COLUMN tomorrow BLOB;
        ALTER TABLE meta ADD COLUMN tomorrow TEXT;
        CREATE TABLE tomorrow (seq INTEGER PRIMARY KEY REFERENCES record (seq)) STRICT;";
}
