//! Updates for terminals: bundles under their digests, and what is offered to which kind of terminal now.
//! A bundle is kept and handed out as it is; whose it is, is asked by the terminal that installs it.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    files::{self, Access},
    hex,
    record::Digest,
};

/// The folder of updates.
#[derive(Debug, Clone)]
pub struct Updates {
    folder: PathBuf,
}

/// What a terminal is to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// The edition.
    pub edition: String,
    /// Length of the bundle in bytes.
    pub size: u64,
    /// SHA-256 of the bundle, in hex.
    pub sha256: String,
}

/// Why nothing can be offered.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// The kind of terminal.
    #[error("{0:?} is no kind of terminal: 1 to 40 of 0-9, a-z, -")]
    Variant(String),
    /// The edition.
    #[error("{0:?} is no edition: 1 to 40 of 0-9, A-Z, a-z, ., +, -")]
    Edition(String),
    /// The bundle's length.
    #[error("the bundle has {0} bytes, not 1 to {SIZE_MAX}")]
    Size(u64),
    /// The bundle.
    #[error("the bundle {0} cannot be read")]
    Bundle(PathBuf, #[source] io::Error),
    /// Our own folder.
    #[error("the folder of updates")]
    Folder(#[from] io::Error),
}

impl Updates {
    /// The updates below `data`.
    #[must_use]
    pub fn at(data: &Path) -> Self {
        Self { folder: data.join("updates") }
    }

    /// Keeps a bundle and offers it to the terminals of a kind, or to one device of it; what was offered to the same
    /// before is offered no more.
    pub fn offer(
        &self,
        variant: &str,
        device: Option<&str>,
        edition: &str,
        bundle: &Path,
    ) -> Result<Offered, OfferError> {
        if !is_variant(variant) {
            return Err(OfferError::Variant(variant.into()));
        }
        if !is_edition(edition) {
            return Err(OfferError::Edition(edition.into()));
        }
        files::private_folder(&self.folder.join(OFFERS))?;
        let (size, digest) = self.keep(bundle)?;
        let offered = Offered { edition: edition.into(), size, sha256: hex::encode(&digest) };
        let text = serde_json::to_vec(&offered).map_err(io::Error::other)?;
        files::write(&self.note(variant, device), &text, Access::Public)?;
        self.forget_the_others()?;
        Ok(offered)
    }

    /// Offers nothing to these any more; false if nothing was.
    pub fn withdraw(&self, variant: &str, device: Option<&str>) -> Result<bool, OfferError> {
        if !is_variant(variant) {
            return Err(OfferError::Variant(variant.into()));
        }
        match fs::remove_file(self.note(variant, device)) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(false),
            removed => removed?,
        }
        self.forget_the_others()?;
        Ok(true)
    }

    /// What is offered to this device, which comes before what is offered to all of its kind.
    pub fn current(&self, variant: &str, device: &str) -> io::Result<Option<Offered>> {
        match read(&self.note(variant, Some(device)))? {
            None => read(&self.note(variant, None)),
            own => Ok(own),
        }
    }

    /// The bytes of a bundle from an offset on, at most `most` and [`PIECE_BYTES_MAX`]; none where there is no such bundle.
    pub fn piece(&self, digest: &Digest, offset: u64, most: u64) -> io::Result<Option<Vec<u8>>> {
        let mut file = match File::open(self.bundle(&hex::encode(digest))) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(most.min(PIECE_BYTES_MAX)).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// What is not as it was offered; nothing, if all is well.
    pub fn faults(&self) -> io::Result<Vec<String>> {
        let mut faults = Vec::new();
        for offered in self.offers()? {
            let name = &offered.sha256;
            match File::open(self.bundle(name)).and_then(|mut file| copy(&mut file, io::sink())) {
                Ok((_, digest)) if hex::encode(&digest) == *name => {}
                Ok(_) => faults.push(format!("{name} has other bytes")),
                Err(fault) => faults.push(format!("{name}: {fault}")),
            }
        }
        Ok(faults)
    }

    /// All that is offered to anybody.
    fn offers(&self) -> io::Result<Vec<Offered>> {
        let folder = match fs::read_dir(self.folder.join(OFFERS)) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            folder => folder?,
        };
        let mut offers = Vec::new();
        for note in folder {
            offers.extend(read(&note?.path())?);
        }
        Ok(offers)
    }

    /// Copies a bundle under its digest.
    fn keep(&self, bundle: &Path) -> Result<(u64, Digest), OfferError> {
        let unreadable = |fault| OfferError::Bundle(bundle.into(), fault);
        let mut from = File::open(bundle).map_err(unreadable)?;
        let size = from.metadata().map_err(unreadable)?.len();
        if !(1..=SIZE_MAX).contains(&size) {
            return Err(OfferError::Size(size));
        }
        let aside = self.folder.join(ASIDE);
        let mut onto = File::create(&aside)?;
        let (copied, digest) = copy(&mut from, &mut onto).map_err(unreadable)?;
        if copied != size {
            return Err(unreadable(io::Error::other("it changed while it was read")));
        }
        onto.sync_all()?;
        files::settle(&aside, &self.bundle(&hex::encode(&digest)))?;
        Ok((size, digest))
    }

    /// Removes bundles that nobody is offered.
    fn forget_the_others(&self) -> io::Result<()> {
        let named: Vec<_> = self.offers()?.iter().map(|it| self.bundle(&it.sha256)).collect();
        for file in fs::read_dir(&self.folder)? {
            let path = file?.path();
            if path.is_file() && !named.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn bundle(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}.raucb"))
    }

    /// Where an offer is written down. A device's name may hold anything.
    fn note(&self, variant: &str, device: Option<&str>) -> PathBuf {
        let of = device.map(|device| format!("@{}", hex::encode(device.as_bytes())));
        self.folder.join(OFFERS).join(format!("{variant}{}.json", of.unwrap_or_default()))
    }
}

/// Whether a kind of terminal may be called so.
#[must_use]
pub fn is_variant(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(plain)
}

/// Whether an edition may be called so.
#[must_use]
pub fn is_edition(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".+-".contains(&byte);
    (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(plain)
}

/// Copies all bytes; their number and SHA-256.
fn copy(from: &mut impl Read, mut onto: impl Write) -> io::Result<(u64, Digest)> {
    let (mut sum, mut buffer, mut copied) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok((copied, sum.finalize().into())),
            n => {
                sum.update(&buffer[..n]);
                onto.write_all(&buffer[..n])?;
                copied += n as u64;
            }
        }
    }
}

fn read(note: &Path) -> io::Result<Option<Offered>> {
    match fs::read(note) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => Ok(Some(serde_json::from_slice(&bytes?)?)),
    }
}

const OFFERS: &str = "offers";
const ASIDE: &str = "coming.tmp";
/// Longest piece of a bundle.
pub const PIECE_BYTES_MAX: u64 = 1 << 20;
const SIZE_MAX: u64 = 400 << 20;
const NAME_MAX: usize = 40;
