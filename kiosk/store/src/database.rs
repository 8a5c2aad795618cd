//! Opening the encrypted database: key first, settings asserted back, migrations forward only, check after a crash.

use std::path::Path;

use rusqlite::Connection;
use zeroize::Zeroizing;

use crate::error::StoreError;

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
    let known = u32::try_from(MIGRATIONS.len()).expect("there are few migrations");
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    for (version, sql) in (1..=known).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Forward only; the place in this list is the schema's version.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_first.sql"),
    include_str!("schema/0002_success_by_record.sql"),
    include_str!("schema/0003_slip.sql"),
    include_str!("schema/0004_reference_record.sql"),
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
