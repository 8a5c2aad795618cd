//! Reads a batch manifest, the list by which a terminal announces records and pictures.
//! It checks what the manifest says of itself; what is stored already is the store's business.

use crate::{
    cbor::{CborError, Reader},
    cose::SUITE,
    record::{Digest, Id, NAME_MAX, Picture, RecordError, check, text},
};

/// A manifest whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The batch it announces.
    pub batch: Id,
    /// The terminal that speaks.
    pub device: String,
    /// Lowest sequence number it may list.
    pub first_seq: u64,
    /// Highest sequence number it may list.
    pub last_seq: u64,
    /// SHA-256 of the terminal's previous signed manifest.
    pub previous: Option<Digest>,
    /// Head of the terminal's audit chain.
    pub audit_head: Option<Digest>,
    /// The records, in the terminal's order.
    pub entries: Vec<Entry>,
}

/// One record in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub record: Id,
    /// Its place among the terminal's records, from 1.
    pub seq: u64,
    /// 0 appeal, 1 proof of life, 2 enrolment, 3 audit and the rest.
    pub lane: u64,
    /// Length of its envelope in bytes.
    pub len: u64,
    /// SHA-256 of its envelope.
    pub digest: Digest,
    /// Its pictures.
    pub pictures: Vec<Picture>,
}

/// Why a payload is not a manifest that can be worked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not the protocol's CBOR, or a field with a value it cannot have.
    #[error("not a manifest")]
    Unreadable(#[from] RecordError),
    /// It names another suite than its header.
    #[error("another suite than INTL-1")]
    WrongSuite,
    /// More records or bytes than a batch may have.
    #[error("more than a batch may hold")]
    TooLarge,
}

impl From<CborError> for ManifestError {
    fn from(fault: CborError) -> Self {
        match fault {
            CborError::TooMany(_) => Self::TooLarge,
            other => Self::Unreadable(other.into()),
        }
    }
}

impl Manifest {
    /// Reads the payload of a signed manifest.
    pub fn read(payload: &[u8]) -> Result<Self, ManifestError> {
        let manifest = Reader::whole(payload, read_manifest)?;
        manifest.check_entries()?;
        Ok(manifest)
    }

    fn check_entries(&self) -> Result<(), ManifestError> {
        check(!self.entries.is_empty(), "entries")?;
        let range = self.first_seq..=self.last_seq;
        check(self.entries.iter().all(|entry| range.contains(&entry.seq)), "seq")?;
        check(all_differ(self.entries.iter().map(|entry| entry.seq)), "seq")?;
        check(all_differ(self.entries.iter().map(|entry| entry.record)), "record id")?;
        let bytes = self.entries.iter().try_fold(0_u64, |sum, entry| sum.checked_add(entry.len));
        let pictures = self.entries.iter().flat_map(|entry| &entry.pictures);
        let pictures_fit = pictures.clone().all(|picture| picture.len <= PICTURE_BYTES_MAX);
        if bytes.is_some_and(|bytes| bytes <= BATCH_BYTES_MAX) && pictures_fit {
            Ok(())
        } else {
            Err(ManifestError::TooLarge)
        }
    }
}

fn read_manifest(reader: &mut Reader<'_>) -> Result<Manifest, ManifestError> {
    reader.fields(10)?;
    reader.key(0)?;
    match reader.uint()? {
        1 => (),
        version => return Err(RecordError::Version(version).into()),
    }
    reader.key(1)?;
    let batch = reader.array_of()?;
    reader.key(2)?;
    let device = text(reader, "device", NAME_MAX)?;
    reader.key(3)?;
    let first_seq = reader.uint()?;
    reader.key(4)?;
    let last_seq = reader.uint()?;
    reader.key(5)?;
    if reader.text()? != SUITE {
        return Err(ManifestError::WrongSuite);
    }
    reader.key(6)?;
    let previous = reader.nullable(Reader::array_of)?;
    reader.key(7)?;
    let audit_head = reader.nullable(Reader::array_of)?;
    reader.key(8)?;
    read_moment(reader)?;
    reader.key(9)?;
    let entries = reader.list(BATCH_RECORDS_MAX, read_entry)?;
    Ok(Manifest { batch, device, first_seq, last_seq, previous, audit_head, entries })
}

fn read_moment(reader: &mut Reader<'_>) -> Result<(), CborError> {
    reader.tuple(3)?;
    reader.int()?;
    reader.array_of::<16>()?;
    reader.uint().map(drop)
}

fn read_entry(reader: &mut Reader<'_>) -> Result<Entry, ManifestError> {
    reader.tuple(6)?;
    let record = reader.array_of()?;
    let seq = reader.uint()?;
    check((1..=i64::MAX as u64).contains(&seq), "seq")?;
    let lane = reader.uint()?;
    check(lane <= LANE_MAX, "lane")?;
    let len = reader.uint()?;
    check(len > 0, "length")?;
    let digest = reader.array_of()?;
    let pictures = reader.list(PICTURES_MAX, read_picture)?;
    Ok(Entry { record, seq, lane, len, digest, pictures })
}

fn read_picture(reader: &mut Reader<'_>) -> Result<Picture, ManifestError> {
    reader.tuple(3)?;
    let role = text(reader, "picture role", NAME_MAX)?;
    let digest = reader.array_of()?;
    Ok(Picture::new(&role, digest, reader.uint()?)?)
}

fn all_differ<T: Ord>(values: impl Iterator<Item = T>) -> bool {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.windows(2).all(|pair| pair[0] != pair[1])
}

/// Records in a batch, at most.
pub const BATCH_RECORDS_MAX: usize = 50;
/// Bytes of all envelopes of a batch, at most.
pub const BATCH_BYTES_MAX: u64 = 4 << 20;
/// Bytes of one sealed picture, at most.
pub const PICTURE_BYTES_MAX: u64 = 8 << 20;
/// Pictures of one record, at most.
const PICTURES_MAX: usize = 64;
const LANE_MAX: u64 = 3;
