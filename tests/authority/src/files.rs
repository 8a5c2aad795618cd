//! Files that are whole or absent: written aside, synced, renamed, and their folder synced.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Keys: the owner alone.
    Private,
    /// Certificates and signed files.
    Public,
}

/// Puts `bytes` at `path` so that a power cut leaves the old file or the new one.
pub(crate) fn write(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let aside = beside(path);
    let mode = if access == Access::Private { 0o600 } else { 0o644 };
    // A stale file from a crash might have other permissions.
    match fs::remove_file(&aside) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        _ => (),
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    settle(&aside, path)
}

/// Renames a synced file to its place and syncs the folder that holds it.
pub(crate) fn settle(aside: &Path, path: &Path) -> io::Result<()> {
    fs::rename(aside, path)?;
    sync_folder(path)
}

/// Makes a folder, with its parents, that only the owner may enter.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Where a file is written before it is renamed to `path`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
