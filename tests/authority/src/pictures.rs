//! Picture files: parts that grow by offset, whole ones under their digest.
//! A part is never trusted; a whole one was hashed, synced and renamed before anybody says so.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::{files, hex, record::Digest};

/// The folder of pictures.
#[derive(Debug, Clone)]
pub(crate) struct Pictures {
    folder: PathBuf,
}

impl Pictures {
    /// The pictures below `data`, with their folders made.
    pub(crate) fn at(data: &Path) -> io::Result<Self> {
        let folder = data.join("pictures");
        files::private_folder(&folder.join(PARTS))?;
        // The folders' own names must be durable too, or the pictures go with them.
        File::open(data)?.sync_all()?;
        File::open(&folder)?.sync_all()?;
        Ok(Self { folder })
    }

    /// The pictures below `data`, for reading alone.
    pub(crate) fn beside(data: &Path) -> Self {
        Self { folder: data.join("pictures") }
    }

    /// All bytes of a whole picture.
    pub(crate) fn read_whole(&self, digest: &Digest) -> io::Result<Vec<u8>> {
        fs::read(self.whole(digest))
    }

    /// How many bytes of a picture are kept for a device that is sending it.
    pub(crate) fn kept(&self, device: &str, digest: &Digest) -> io::Result<u64> {
        match fs::metadata(self.part(device, digest)) {
            Ok(metadata) => Ok(metadata.len()),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(fault) => Err(fault),
        }
    }

    /// Adds bytes to a part; when it returns they are on the disk.
    pub(crate) fn append(&self, device: &str, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        let path = self.part(device, digest);
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// All bytes of a part.
    pub(crate) fn read_part(&self, device: &str, digest: &Digest) -> io::Result<Vec<u8>> {
        fs::read(self.part(device, digest))
    }

    /// Lets a part go.
    pub(crate) fn drop_part(&self, device: &str, digest: &Digest) -> io::Result<()> {
        match fs::remove_file(self.part(device, digest)) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(fault),
            _ => Ok(()),
        }
    }

    /// Makes a part that was found good the whole picture.
    pub(crate) fn settle(&self, device: &str, digest: &Digest) -> io::Result<()> {
        let whole = self.whole(digest);
        files::private_folder(whole.parent().expect("a whole picture has a folder"))?;
        File::open(&self.folder)?.sync_all()?;
        files::settle(&self.part(device, digest), &whole)
    }

    /// Whether the whole picture's file is there.
    pub(crate) fn is_whole(&self, digest: &Digest) -> bool {
        self.whole(digest).is_file()
    }

    fn whole(&self, digest: &Digest) -> PathBuf {
        let name = hex::encode(digest);
        self.folder.join(&name[..2]).join(name)
    }

    /// Parts are kept for each device: nobody can spoil another's upload.
    fn part(&self, device: &str, digest: &Digest) -> PathBuf {
        self.folder.join(PARTS).join(format!("{device}-{}", hex::encode(digest)))
    }
}

const PARTS: &str = "parts";
