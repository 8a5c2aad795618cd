//! One process at a time owns a data directory, and the next one learns whether the last one closed it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::error::StoreError;

/// Held while a store is open. The kernel lets go of it however the process ends.
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock and says whether the last owner forgot to close.
    pub(crate) fn take(path: &Path) -> Result<(Self, bool), StoreError> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let mut left = Vec::new();
        file.read_to_end(&mut left)?;
        if left.is_empty() {
            file.write_all(OPEN_MARK)?;
            file.sync_all()?;
        }
        Ok((Self { file }, !left.is_empty()))
    }

    /// Leaves the sign that nothing was under way.
    pub(crate) fn close_clean(&self) -> Result<(), StoreError> {
        self.file.set_len(0)?;
        Ok(self.file.sync_all()?)
    }
}

const OPEN_MARK: &[u8] = b"open\n";
