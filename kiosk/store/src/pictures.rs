//! Sealed pictures as files named by the SHA-256 of their bytes.
//!
//! A file gets its name only when all of it is on the disk, and the database learns of it only after that.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::disk;
use crate::error::StoreError;

/// The folder of pictures.
pub(crate) struct Pictures {
    root: PathBuf,
}

impl Pictures {
    /// Opens the folder and throws away what was half written when the power went.
    pub(crate) fn open(root: PathBuf) -> Result<Self, StoreError> {
        disk::make_folder(&root)?;
        let scratch = root.join(SCRATCH);
        disk::make_folder(&scratch)?;
        for left in fs::read_dir(&scratch)? {
            fs::remove_file(left?.path())?;
        }
        Ok(Self { root })
    }

    /// Keeps sealed bytes under their digest; nothing to do if they are there already.
    pub(crate) fn put(&self, digest: &[u8; 32], sealed: &[u8]) -> Result<(), StoreError> {
        if self.get(digest).is_ok() {
            return Ok(());
        }
        let path = self.path(digest);
        disk::make_folder(path.parent().expect("a picture stands in a folder"))?;
        disk::write_whole(&path, &self.root.join(SCRATCH).join(hex(digest)), sealed)
    }

    /// The sealed bytes, which are those that were put.
    pub(crate) fn get(&self, digest: &[u8; 32]) -> Result<Vec<u8>, StoreError> {
        let bytes = match fs::read(self.path(digest)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::PictureDamaged);
            }
            Err(error) => return Err(error.into()),
        };
        if sha256(&bytes) == *digest { Ok(bytes) } else { Err(StoreError::PictureDamaged) }
    }

    /// Removes files that no record names; returns how many.
    pub(crate) fn sweep(&self, named: &HashSet<[u8; 32]>) -> Result<u64, StoreError> {
        let named: HashSet<String> = named.iter().map(hex).collect();
        let mut swept = 0;
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            if folder.file_name() == SCRATCH {
                continue;
            }
            swept += sweep_folder(&folder.path(), &named)?;
        }
        Ok(swept)
    }

    fn path(&self, digest: &[u8; 32]) -> PathBuf {
        let name = hex(digest);
        self.root.join(&name[..2]).join(name)
    }
}

fn sweep_folder(folder: &Path, named: &HashSet<String>) -> Result<u64, StoreError> {
    let mut swept = 0;
    for file in fs::read_dir(folder)? {
        let file = file?;
        if !file.file_name().to_str().is_some_and(|name| named.contains(name)) {
            fs::remove_file(file.path())?;
            swept += 1;
        }
    }
    Ok(swept)
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

const SCRATCH: &str = "tmp";
