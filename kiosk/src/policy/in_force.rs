//! The policy packs in force: a new edition takes effect only if its signature, its schema and every example hold; else
//! the last good one stays. Editions that were in force are kept in a folder of their own, as they were signed, so that
//! a bad delivery cannot take the good one away.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kiosk_core::message::Id;
use kiosk_core::policy::{self, Offer, PackSet, Signature};
use kiosk_sync::{ContentType, VerifyKey, open_signed};
use tracing::{error, info, warn};

use crate::vault::write_whole;

/// Opens a signed file; `None` if the signature does not hold.
type Opener = Box<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send>;

/// Where packs come from and where the good ones are kept.
pub struct Shelf {
    delivered: PathBuf,
    kept: PathBuf,
    open: Opener,
    /// When the folder of deliveries was looked at last, and how it looked.
    seen: Option<SystemTime>,
}

/// What is in force, and what is to be said about it.
pub struct InForce {
    /// The packs.
    pub packs: PackSet,
    /// `err-policy-missing` or `err-policy-refused`.
    pub trouble: Option<Id>,
}

impl Shelf {
    /// Packs come into `delivered`, signed by `key`; the good ones are kept under `kept`.
    pub fn new(delivered: PathBuf, kept: PathBuf, key: VerifyKey) -> Self {
        let open =
            move |bytes: &[u8]| Some(open_signed(ContentType::Policy, &key, bytes).ok()?.to_vec());
        Self { delivered, kept, open: Box::new(open), seen: None }
    }

    /// What is in force now: the kept editions, and each delivered one that proves itself.
    pub fn load(&mut self) -> InForce {
        self.seen = changed(&self.delivered);
        let mut packs = PackSet::default();
        for (file, bytes) in files(&self.kept) {
            if let Offer::Unsigned | Offer::Faulty(_) = self.offer(&mut packs, &bytes) {
                warn!(file = %file.display(), "a kept policy pack is damaged");
            }
        }
        let mut is_refused = false;
        for (file, bytes) in files(&self.delivered) {
            is_refused |= self.take(&mut packs, &file, &bytes);
        }
        self.tidy(&packs);
        let trouble = match (packs.is_empty(), is_refused) {
            (true, _) => Some(Id::ErrPolicyMissing),
            (false, true) => Some(Id::ErrPolicyRefused),
            (false, false) => None,
        };
        InForce { packs, trouble }
    }

    /// The same, if something was delivered since the last look.
    pub fn reload(&mut self) -> Option<InForce> {
        (changed(&self.delivered) != self.seen).then(|| self.load())
    }

    /// Takes a delivered pack, or says that it was refused.
    fn take(&self, packs: &mut PackSet, file: &Path, bytes: &[u8]) -> bool {
        let file = file.display();
        match self.offer(packs, bytes) {
            Offer::Accepted { pack, version } => {
                info!(pack, version, "policy pack in force");
                if let Err(problem) = self.keep(&pack, version, bytes) {
                    warn!(%problem, "the policy pack is in force but could not be kept");
                }
                false
            }
            Offer::Older { pack, in_force, offered } => {
                if offered < in_force {
                    warn!(%file, pack, in_force, offered, "an older policy pack is passed over");
                }
                false
            }
            Offer::Unsigned => {
                error!(%file, "a policy pack is not signed by the authority");
                true
            }
            Offer::Faulty(faults) => {
                let first = faults.first().map(ToString::to_string).unwrap_or_default();
                error!(%file, n = faults.len(), first, "a policy pack has faults");
                true
            }
        }
    }

    fn offer(&self, packs: &mut PackSet, bytes: &[u8]) -> Offer {
        let Some(text) = (self.open)(bytes) else {
            return Offer::Unsigned;
        };
        // What is not even text has the faults of an empty pack.
        let text = String::from_utf8(text).unwrap_or_default();
        packs.offer(&text, &Signature::Good(SIGNER.into()))
    }

    fn keep(&self, pack: &str, version: u32, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.kept)?;
        write_whole(&self.kept.join(name(pack, version)), bytes, 0o644)
    }

    /// Editions that nobody looks back to any more.
    fn tidy(&self, packs: &PackSet) {
        let wanted: Vec<String> =
            packs.editions().map(|pack| name(&pack.id, pack.version)).collect();
        for file in names(&self.kept) {
            let known = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if !wanted.iter().any(|wanted| wanted == known)
                && let Err(problem) = fs::remove_file(&file)
            {
                warn!(%problem, "an old policy pack");
            }
        }
    }
}

/// Sorts after the editions before it.
fn name(pack: &str, version: u32) -> String {
    format!("{pack}.{version:07}.cose")
}

/// Signed packs of a folder. One that cannot be read, is no file or is too long is as good as unsigned.
fn files(folder: &Path) -> impl Iterator<Item = (PathBuf, Vec<u8>)> {
    names(folder).into_iter().map(|file| (file.clone(), read(&file).unwrap_or_default()))
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(file)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(SIGNED_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Their paths, in the order of their names.
fn names(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "cose"));
    files.sort();
    files
}

/// The newest change of a folder or of a file in it.
fn changed(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?;
    let of = |path: &Path| fs::metadata(path).and_then(|about| about.modified()).ok();
    entries.flatten().filter_map(|entry| of(&entry.path())).chain(of(folder)).max()
}

/// A pack and its envelope.
const SIGNED_BYTES_MAX: u64 = policy::BYTES_MAX as u64 + 4096;
/// The authority's policy key is one for all packs; a pack that names its signer names the authority.
const SIGNER: &str = "authority";

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const PACK: &str = include_str!("../../policy/cn.nm.region.enterprise_pension.toml");
    const ID: &str = "cn.nm.region.enterprise_pension";

    /// In this office a signature is a word at the beginning.
    struct Office(TempDir);

    impl Office {
        fn open() -> Self {
            let office = Self(TempDir::new().unwrap());
            fs::create_dir_all(office.0.path().join("delivered")).unwrap();
            office
        }

        fn shelf(&self) -> Shelf {
            let open = |bytes: &[u8]| Some(bytes.strip_prefix(b"SIGNED ")?.to_vec());
            let folder = self.0.path();
            Shelf {
                delivered: folder.join("delivered"),
                kept: folder.join("state/policy"),
                open: Box::new(open),
                seen: None,
            }
        }

        fn deliver(&self, text: &str) {
            fs::write(self.0.path().join("delivered/pack.cose"), text).unwrap();
        }

        /// Version in force, and what the screen says, after a new start.
        #[track_caller]
        fn check(&self, version: Option<u32>, trouble: Option<Id>) {
            let found = self.shelf().load();
            let in_force = found.packs.get(ID).map(|pack| pack.version);
            assert_eq!((in_force, found.trouble), (version, trouble));
        }
    }

    fn edition(version: u32) -> String {
        let changed = PACK.replacen("version = 3", &format!("version = {version}"), 1);
        format!("SIGNED {changed}")
    }

    #[test]
    fn the_last_good_edition_stays_whatever_is_delivered() {
        let office = Office::open();
        office.check(None, Some(Id::ErrPolicyMissing));
        office.deliver(&edition(3));
        office.check(Some(3), None);
        let forged = edition(4).replacen("SIGNED", "FORGED", 1);
        let broken = edition(5).replacen("due = \"2020-10-31\"", "due = \"2020-01-01\"", 1);
        let cut = edition(6)[..900].to_owned();
        for bad in [&forged, &broken, &cut, "SIGNED \u{0}", ""] {
            office.deliver(bad);
            office.check(Some(3), Some(Id::ErrPolicyRefused));
        }
        office.deliver(&edition(7));
        office.check(Some(7), None);
        office.deliver(&edition(2));
        office.check(Some(7), None);
        fs::remove_file(office.0.path().join("delivered/pack.cose")).unwrap();
        office.check(Some(7), None);
    }

    #[test]
    fn a_kept_edition_that_is_damaged_makes_room_for_the_delivered_one() {
        let office = Office::open();
        office.deliver(&edition(3));
        office.check(Some(3), None);
        let kept = office.0.path().join("state/policy").join(name(ID, 3));
        fs::write(&kept, "SIGNED nonsense").unwrap();
        office.check(Some(3), None);
        assert_eq!(fs::read_to_string(kept).unwrap(), edition(3), "it is kept anew");
    }

    #[test]
    fn only_so_many_editions_are_kept_and_a_delivery_is_noticed_while_running() {
        let office = Office::open();
        let mut shelf = office.shelf();
        assert!(shelf.load().packs.is_empty());
        for version in 3..12 {
            office.deliver(&edition(version));
            shelf.seen = None;
            let found = shelf.reload().unwrap();
            assert_eq!(found.packs.get(ID).map(|pack| pack.version), Some(version));
        }
        assert!(shelf.reload().is_none(), "nothing new");
        assert_eq!(names(&shelf.kept).len(), 4);
    }
}
