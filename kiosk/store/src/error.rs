//! What can go wrong with the store, each with the code that messages and support hang on.

use std::io;

/// A fault of the disk, the file system or the key. The visit is kept; the operator is told by [`StoreError::code`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has this data directory open.
    #[error("another process has the store open")]
    InUse,
    /// The database does not open under this key, or is not a database.
    #[error("the key does not open the store")]
    WrongKey,
    /// No room on the disk.
    #[error("the disk is full")]
    DiskFull,
    /// The file system takes nothing any more: a worn card, or a fault after which it was made so.
    #[error("the disk can only be read")]
    ReadOnly,
    /// Pages, chains or files are not as they were written.
    #[error("the store is damaged: {0}")]
    Damaged(&'static str),
    /// The second copy has records that the database does not have; they must be recovered first.
    #[error("the journal has records up to {journal} and the database up to {database}")]
    BehindJournal {
        /// Last sequence number in the journal.
        journal: u64,
        /// Last sequence number in the database.
        database: u64,
    },
    /// The database was written by a newer program.
    #[error("the store has schema {found}, this program knows {known}")]
    TooNew {
        /// Schema version on disk.
        found: u32,
        /// Newest one known here.
        known: u32,
    },
    /// A durability or safety setting is not in force.
    #[error("setting {0} is not in force")]
    Setting(&'static str),
    /// No such record.
    #[error("no such record")]
    UnknownRecord,
    /// A record id came again with other content, or a digest that does not fit its bytes.
    #[error("the record differs from the one kept under its id")]
    RecordDiffers,
    /// A receipt that is not for what was sent. A security event; nothing was changed.
    #[error("the receipt is not for what this terminal sent")]
    ReceiptMismatch,
    /// A picture that was kept is not there, or has other bytes.
    #[error("a picture is missing or damaged")]
    PictureDamaged,
    /// Reading or writing failed.
    #[error("input or output failed")]
    Io(#[source] io::Error),
    /// SQLite refused.
    #[error("the database refused")]
    Database(#[source] rusqlite::Error),
    /// The operating system gave no random bytes.
    #[error("no random bytes")]
    Random,
}

impl StoreError {
    /// The stable word for messages and support. It never changes its meaning.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InUse => "store-in-use",
            Self::WrongKey => "store-wrong-key",
            Self::DiskFull => "store-disk-full",
            Self::ReadOnly => "store-read-only",
            Self::Damaged(_) => "store-damaged",
            Self::BehindJournal { .. } => "store-behind-journal",
            Self::TooNew { .. } => "store-too-new",
            Self::Setting(_) => "store-setting",
            Self::UnknownRecord => "store-unknown-record",
            Self::RecordDiffers => "store-record-differs",
            Self::ReceiptMismatch => "store-receipt-mismatch",
            Self::PictureDamaged => "store-picture-damaged",
            Self::Io(_) => "store-io",
            Self::Database(_) => "store-database",
            Self::Random => "store-random",
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Io(error),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{ErrorCode, ffi};
        let extended = |error: &rusqlite::Error| error.sqlite_error().map(|it| it.extended_code);
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged("database page"),
            // The first file that is made when a store is opened has no room.
            _ if extended(&error) == Some(ffi::SQLITE_IOERR_SHMSIZE) => Self::DiskFull,
            Some(ErrorCode::NotADatabase) => Self::WrongKey,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            _ => Self::Database(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_has_no_room_to_be_opened_is_full() {
        let error = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        let full = StoreError::from(error(rusqlite::ffi::SQLITE_IOERR_SHMSIZE));
        assert!(matches!(full, StoreError::DiskFull), "{full:?}");
        let other = StoreError::from(error(rusqlite::ffi::SQLITE_IOERR_READ));
        assert!(matches!(other, StoreError::Database(_)), "{other:?}");
    }
}
