//! `image-build stage`: the overlay as a folder, the same bytes for the same inputs, there as a whole or not at all.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::overlay::Overlay;
use crate::sbom::Parts;
use crate::tree::{Item, Kind, digest, walk};
use crate::variant::Variant;

/// What a staging is made from.
pub struct Source {
    /// The repository.
    pub root: PathBuf,
    /// The terminal.
    pub variant: Variant,
    /// Folder with `kiosk`.
    pub bin: PathBuf,
    /// Folder with weights.
    pub models: PathBuf,
    /// Folder with recordings, as `image-build/prompts.sh` leaves them.
    pub prompts: PathBuf,
    /// What the program is made of.
    pub parts: Parts,
}

/// What was staged: `stage.json`, beside the tree and not in it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The variant's name.
    pub variant: String,
    /// Digest of the tree.
    pub digest: String,
    /// Whether cargo named the licences; without it the digest is another.
    pub has_licences: bool,
    /// Size of all files.
    pub bytes: u64,
    /// Everything in the tree.
    pub items: Vec<Item>,
}

impl Record {
    /// For people.
    pub fn to_text(&self) -> String {
        let n_files = self.items.iter().filter(|item| item.kind == Kind::File).count();
        let licences = if self.has_licences {
            ""
        } else {
            "\nlicences NOASSERTION: cargo or the sources were not at hand"
        };
        format!(
            "variant {}\nfiles   {}\nbytes   {}\ndigest  {}{licences}",
            self.variant, n_files, self.bytes, self.digest
        )
    }

    /// Reads the record of a staging.
    pub fn read(out: &Path) -> Result<Self, Fault> {
        let file = out.join(RECORD);
        if !file.is_file() {
            return Err(Fault::NotStaged(out.into()));
        }
        let bytes = fs::read(&file).map_err(|e| Fault::read(&file, e))?;
        serde_json::from_slice(&bytes).map_err(|e| Fault::Line(file, e.line(), e.to_string()))
    }
}

/// Stages into `out/root` and writes `out/stage.json`.
///
/// It is built beside `out` and renamed. An earlier staging is moved away first, so a cut in that moment leaves
/// `out.old` and no half tree.
pub fn stage(source: &Source, out: &Path) -> Result<Record, Fault> {
    if out.exists() && !out.join(RECORD).is_file() {
        return Err(Fault::OutNotOurs(out.into()));
    }
    let overlay = Overlay::gather(source)?;
    let (fresh, old) = (beside(out, "new"), beside(out, "old"));
    remove(&fresh)?;
    remove(&old)?;
    let record = write(&overlay, source, &fresh)?;
    if out.exists() {
        fs::rename(out, &old).map_err(|e| Fault::write(&old, e))?;
    }
    fs::rename(&fresh, out).map_err(|e| Fault::write(out, e))?;
    remove(&old)?;
    Ok(record)
}

fn write(overlay: &Overlay, source: &Source, fresh: &Path) -> Result<Record, Fault> {
    let tree = fresh.join(TREE);
    make_folder(&tree)?;
    for (path, (bytes, mode)) in &overlay.0 {
        let file = tree.join(path);
        make_folder(file.parent().expect("it is below the tree"))?;
        fs::write(&file, bytes).map_err(|e| Fault::write(&file, e))?;
        set_mode(&file, *mode)?;
    }
    let items = walk(&tree)?;
    // Folders last and from below: what is made in a folder moves its time.
    for item in items.iter().rev() {
        let path = tree.join(&item.path);
        if path.is_dir() {
            set_mode(&path, 0o755)?;
        }
        set_time(&path)?;
    }
    set_mode(&tree, 0o755)?;
    set_time(&tree)?;
    let items = walk(&tree)?;
    let record = Record {
        variant: source.variant.name.clone(),
        digest: digest(&items),
        has_licences: source.parts.has_licences,
        bytes: items.iter().map(|item| item.bytes).sum(),
        items,
    };
    let file = fresh.join(RECORD);
    let text = serde_json::to_string_pretty(&record).expect("a record can be written");
    fs::write(&file, text).map_err(|e| Fault::write(&file, e))?;
    Ok(record)
}

fn make_folder(folder: &Path) -> Result<(), Fault> {
    fs::create_dir_all(folder).map_err(|e| Fault::write(folder, e))
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Fault> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|e| Fault::write(path, e))
}

fn set_time(path: &Path) -> Result<(), Fault> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(TIME_S);
    let open = fs::File::open(path).map_err(|e| Fault::read(path, e))?;
    open.set_times(fs::FileTimes::new().set_modified(time).set_accessed(time))
        .map_err(|e| Fault::write(path, e))
}

fn beside(out: &Path, end: &str) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(end);
    out.with_file_name(name)
}

fn remove(folder: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Fault::write(folder, e)),
        _ => Ok(()),
    }
}

/// The tree below a staging's folder.
pub const TREE: &str = "root";
/// The record beside it.
pub const RECORD: &str = "stage.json";
/// 2026-01-01: every file of every staging is as old.
const TIME_S: u64 = 1_767_225_600;
