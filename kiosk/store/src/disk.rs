//! Files and folders that are really on the disk when a function returns.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::error::StoreError;

/// Makes a folder that only this user reads, if it is not there, and its name durable.
pub(crate) fn make_folder(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, FOLDER_MODE);
    builder.recursive(true).create(path)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => Ok(()),
    }
}

/// Makes the names inside a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    Ok(File::open(path)?.sync_all()?)
}

/// Writes a file so that after a power cut either the whole of it or nothing has its name.
pub(crate) fn write_whole(path: &Path, scratch: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = File::create(scratch)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(scratch, path)?;
    sync_folder(path.parent().expect("a file stands in a folder"))
}

/// Bytes that this user can still write on the disk of `path`.
pub(crate) fn free_bytes(path: &Path) -> Result<u64, StoreError> {
    let stat = rustix::fs::statvfs(path).map_err(std::io::Error::from)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether the file system of `path` takes nothing any more, as after a fault of the card (`errors=remount-ro`).
pub(crate) fn is_read_only(path: &Path) -> Result<bool, StoreError> {
    let stat = rustix::fs::statvfs(path).map_err(std::io::Error::from)?;
    Ok(stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

const FOLDER_MODE: u32 = 0o700;
