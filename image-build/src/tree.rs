//! A folder as a sorted list with sums, and the one digest that says whether two folders are the same.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fault::Fault;

/// Something in a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Below the tree's root, with `/` between.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Size of a file.
    pub bytes: u64,
    /// SHA-256 of a file, lower-case hex.
    pub sha256: String,
}

/// Kinds of things in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File,
    /// A link, a socket, a device: never ours.
    Strange,
}

/// Everything below a folder, sorted by path.
pub fn walk(folder: &Path) -> Result<Vec<Item>, Fault> {
    let mut items = Vec::new();
    enter(folder, "", &mut items)?;
    items.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(items)
}

fn enter(folder: &Path, prefix: &str, items: &mut Vec<Item>) -> Result<(), Fault> {
    for entry in fs::read_dir(folder).map_err(|e| Fault::read(folder, e))? {
        let entry = entry.map_err(|e| Fault::read(folder, e))?;
        let file = entry.path();
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let meta = fs::symlink_metadata(&file).map_err(|e| Fault::read(&file, e))?;
        let mode = meta.permissions().mode() & 0o7777;
        if meta.is_dir() {
            enter(&file, &format!("{path}/"), items)?;
            items.push(Item { path, kind: Kind::Folder, mode, bytes: 0, sha256: String::new() });
        } else if meta.is_file() {
            let sha256 = sum_file(&file)?;
            items.push(Item { path, kind: Kind::File, mode, bytes: meta.len(), sha256 });
        } else {
            items.push(Item { path, kind: Kind::Strange, mode, bytes: 0, sha256: String::new() });
        }
    }
    Ok(())
}

/// The digest of a tree: paths, kinds, modes and contents. Owners and times are not in it.
pub fn digest(items: &[Item]) -> String {
    let mut sum = Sha256::new();
    for item in items {
        let Item { path, kind, mode, bytes, sha256 } = item;
        sum.update(format!("{path}\0{kind:?}\0{mode:o}\0{bytes}\0{sha256}\n"));
    }
    hex(&sum.finalize())
}

/// SHA-256 of bytes, lower-case hex.
pub fn sum_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of a file, lower-case hex.
pub fn sum_file(file: &Path) -> Result<String, Fault> {
    let mut open = fs::File::open(file).map_err(|e| Fault::read(file, e))?;
    let (mut sum, mut buffer) = (Sha256::new(), vec![0; BUFFER_SIZE]);
    loop {
        match open.read(&mut buffer).map_err(|e| Fault::read(file, e))? {
            0 => return Ok(hex(&sum.finalize())),
            n => sum.update(&buffer[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const BUFFER_SIZE: usize = 1 << 16;
