//! The store as the rooms share it, and what the authority gave this terminal.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use kiosk_store::{Recovery, Store, StoreError, StoreKey};
use kiosk_sync::{AuthorityKeys, ContentType, FileKey, KeyError, OpenError, open_signed};
use tracing::{error, warn};
use zeroize::Zeroizing;

/// The one store of this terminal.
#[derive(Clone)]
pub struct Vault {
    store: Arc<Mutex<Store>>,
    /// Key of the store; it names people in its index.
    pub key: Arc<StoreKey>,
    /// What came back from the journal, if the database was lost and built anew at this start.
    pub recovery: Option<Arc<Recovery>>,
}

/// Why the terminal cannot start.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A file that must be there is not, or cannot be read.
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] std::io::Error),
    /// A file cannot be written.
    #[error("cannot write {0}")]
    Write(PathBuf, #[source] std::io::Error),
    /// The key file does not hold a key.
    #[error("{0} does not hold a key of 32 bytes")]
    Key(PathBuf),
    /// The key is gone and what it opens is still there: a new key would only hide that.
    #[error(
        "{0} is missing, and the store beside it cannot be read without it; bring the key back"
    )]
    KeyMissing(PathBuf),
    /// The store does not open.
    #[error("the store does not open")]
    Store(#[from] StoreError),
    /// A provisioned key is not right.
    #[error("the provisioned keys are not right")]
    Provisioned(#[from] KeyError),
    /// A signed file is not what its signature says.
    #[error("{0} is not signed by the authority")]
    Signed(PathBuf, #[source] OpenError),
}

impl Vault {
    /// Opens the store under `state`; makes its key at the first start, and never beside a store that has one. A
    /// database that is damaged is put aside, and built anew from the journal.
    pub fn open(state: &Path) -> Result<Self, VaultError> {
        fs::create_dir_all(state).map_err(|e| VaultError::Write(state.into(), e))?;
        let (key_file, folder) = (state.join("store.key"), state.join("store"));
        if folder.exists() && !key_file.exists() {
            return Err(VaultError::KeyMissing(key_file));
        }
        let key = store_key(&key_file)?;
        let (store, recovery) = match Store::open(&folder, &key) {
            Err(problem) if is_lost(&problem) => {
                error!(code = problem.code(), %problem, "the database is built anew from the journal");
                let (store, recovery) = Store::recover(&folder, &key)?;
                warn!(records = recovery.records, missing = recovery.missing.len(), "recovered");
                (store, Some(Arc::new(recovery)))
            }
            opened => (opened?, None),
        };
        Ok(Self { store: Arc::new(Mutex::new(store)), key: Arc::new(key), recovery })
    }

    /// The store, for a moment.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().expect("a room that panics ends the program")
    }

    /// Records that wait, and records that the centre refused. None when the store cannot count them.
    pub fn outbox_counts(&self) -> Option<(u32, u32)> {
        let summary = self.store().outbox_summary().ok()?;
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Some((count(summary.waiting), count(summary.held)))
    }
}

/// What the authority gave this terminal.
pub struct Provisioned {
    dir: PathBuf,
    /// Public keys of the authority, and who we are.
    pub keys: AuthorityKeys,
}

impl Provisioned {
    /// Reads the provisioned directory.
    pub fn read(dir: &Path) -> Result<Self, VaultError> {
        let text = read_text(&dir.join("authority.toml"))?;
        Ok(Self { dir: dir.into(), keys: AuthorityKeys::from_toml(&text)? })
    }

    /// The terminal's signing key.
    pub fn sign_key(&self) -> Result<FileKey, VaultError> {
        let pem = Zeroizing::new(read_text(&self.dir.join("sign.key.pem"))?);
        Ok(FileKey::from_pem(&pem)?)
    }

    /// The path of a provisioned file.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The roster's payload, if one came and its signature holds.
    pub fn roster(&self) -> Result<Option<Vec<u8>>, VaultError> {
        let file = self.dir.join("roster.cose");
        if !file.exists() {
            return Ok(None);
        }
        let bytes = fs::read(&file).map_err(|e| VaultError::Read(file.clone(), e))?;
        let payload = open_signed(ContentType::Roster, &self.keys.down, &bytes);
        payload.map(|p| Some(p.to_vec())).map_err(|e| VaultError::Signed(file, e))
    }
}

/// Whether the database is no good and the journal is what is left. What cannot be read under the key is no database:
/// its first page is damaged, or the key is; the old file stays either way.
fn is_lost(problem: &StoreError) -> bool {
    matches!(
        problem,
        StoreError::Damaged(_) | StoreError::WrongKey | StoreError::BehindJournal { .. }
    )
}

fn read_text(file: &Path) -> Result<String, VaultError> {
    fs::read_to_string(file).map_err(|e| VaultError::Read(file.into(), e))
}

/// A software key in a file only this user can read. A TPM or the firmware's key takes its place on a real box.
fn store_key(file: &Path) -> Result<StoreKey, VaultError> {
    if file.exists() {
        let bytes = Zeroizing::new(fs::read(file).map_err(|e| VaultError::Read(file.into(), e))?);
        let bytes: [u8; 32] =
            bytes.as_slice().try_into().map_err(|_| VaultError::Key(file.into()))?;
        return Ok(StoreKey::from_bytes(bytes));
    }
    let write = |e| VaultError::Write(file.into(), e);
    let key = StoreKey::generate().map_err(|e| write(std::io::Error::other(e)))?;
    write_whole(file, key.as_bytes(), 0o600).map_err(write)?;
    Ok(key)
}

/// Whole or not at all: a power cut leaves the file as it was. `mode` are the rights of a new file.
pub fn write_whole(file: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let fresh = file.with_extension("new");
    let mut out =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&fresh)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&fresh, file)?;
    fs::File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_key_is_told_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        drop(Vault::open(folder.path()).unwrap());
        let key = folder.path().join("store.key");
        fs::remove_file(&key).unwrap();
        let told = Vault::open(folder.path()).map(drop);
        assert!(matches!(told, Err(VaultError::KeyMissing(_))), "{told:?}");
        assert!(!key.exists(), "no new key hides the loss");
    }

    #[test]
    fn a_damaged_database_is_built_anew_and_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Vault::open(folder.path()).unwrap();
        assert!(opened.recovery.is_none());
        drop(opened);
        let database = folder.path().join("store/store.db");
        let mut bytes = fs::read(&database).unwrap();
        bytes[..4096].fill(0xa5);
        fs::write(&database, &bytes).unwrap();
        let opened = Vault::open(folder.path()).unwrap();
        let recovery = opened.recovery.as_deref().expect("it was recovered");
        assert!(recovery.missing.is_empty());
        assert_eq!(opened.outbox_counts(), Some((0, 0)));
        assert_eq!(fs::read(folder.path().join("store/store.db.damaged-1")).unwrap(), bytes);
        drop(opened);
        assert!(Vault::open(folder.path()).unwrap().recovery.is_none(), "once is enough");
    }
}
