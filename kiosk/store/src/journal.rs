//! The second copy of every sealed record: an append-only file that can be read without SQLite and without any key.
//!
//! Shape: the 8 bytes of [`MAGIC`], then frames `"kxr1" | length u32 LE | SHA-256 of the body | body`. The body is the
//! CBOR array `[1, seq, record id, visit, subject, lane, outcome, moment, digest, envelope, [[role, digest, len]]]`.
//! It holds nothing that is not sealed or in the clear in a batch manifest anyway, but for the outcome's code.
//!
//! A frame that never got its database commit stays; the frame that comes later under the same number counts.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use kiosk_core::moment::Moment;
use minicbor::{Decoder, Encoder};

use crate::error::StoreError;
use crate::pictures::sha256;

/// What a journal begins with.
pub const MAGIC: &[u8; 8] = b"kxj\x001\r\n\x1a";

/// One record as the journal keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The terminal's sequence number.
    pub seq: u64,
    /// Record id.
    pub record: [u8; 16],
    /// Visit id.
    pub visit: [u8; 16],
    /// See [`crate::SubjectRef`].
    pub subject: [u8; 32],
    /// Lane on the wire.
    pub lane: u8,
    /// Outcome code.
    pub outcome: String,
    /// Claimed time of capture.
    pub captured: Moment,
    /// SHA-256 of the envelope.
    pub digest: [u8; 32],
    /// The sealed record.
    pub envelope: Vec<u8>,
    /// Role, digest and sealed length of each picture.
    pub pictures: Vec<(String, [u8; 32], u64)>,
}

/// What was found in a journal.
#[derive(Default)]
pub struct Contents {
    /// Whole and unchanged frames, in the order of writing.
    pub frames: Vec<Frame>,
    /// Bytes that belong to no whole frame.
    pub damaged_bytes: u64,
    /// Where the last whole frame ends, from where the reading began.
    pub(crate) frames_end: u64,
}

/// Reads a journal as far as it can be read: past damage it goes on at the next whole frame.
pub fn read(path: &Path) -> Result<Contents, StoreError> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let mut contents = scan(&bytes, MAGIC.len());
    if !bytes.starts_with(MAGIC) {
        contents.damaged_bytes += MAGIC.len() as u64;
    }
    Ok(contents)
}

/// The open journal of a store.
pub(crate) struct Journal {
    file: File,
    len: u64,
}

impl Journal {
    /// Opens or begins a journal.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut len = file.metadata()?.len();
        if len < MAGIC.len() as u64 {
            file.set_len(0)?;
            file.write_all(MAGIC)?;
            file.sync_all()?;
            len = MAGIC.len() as u64;
        }
        Ok(Self { file, len })
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// What stands behind `from`, without changing anything.
    pub(crate) fn tail(&mut self, from: u64) -> Result<Contents, StoreError> {
        self.file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        Ok(scan(&bytes, 0))
    }

    /// Appends a frame; when this returns it is on the disk. After a failure the journal is as before.
    pub(crate) fn append(&mut self, frame: &Frame) -> Result<(), StoreError> {
        let bytes = encode(frame);
        let before = self.len;
        let written = self.write_at_end(&bytes);
        if written.is_err() {
            // Best effort: a torn tail is also cut when the store is opened.
            let _ = self.cut(before);
        }
        written
    }

    /// Takes back what was appended behind `len`.
    pub(crate) fn cut(&mut self, len: u64) -> Result<(), StoreError> {
        if self.file.metadata()?.len() > len {
            self.file.set_len(len)?;
            self.file.sync_all()?;
        }
        self.len = len;
        Ok(())
    }

    fn write_at_end(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.seek(SeekFrom::Start(self.len))?;
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.len += bytes.len() as u64;
        Ok(())
    }
}

/// A journal's bytes holding these frames, for rewriting a lost one.
pub(crate) fn whole<'a>(frames: impl Iterator<Item = &'a Frame>) -> Vec<u8> {
    frames.fold(MAGIC.to_vec(), |mut bytes, frame| {
        bytes.extend(encode(frame));
        bytes
    })
}

fn scan(bytes: &[u8], from: usize) -> Contents {
    let mut contents = Contents::default();
    let mut at = from.min(bytes.len());
    while at < bytes.len() {
        match frame_at(&bytes[at..]) {
            Some((frame, size)) => {
                contents.frames.push(frame);
                at += size;
                contents.frames_end = at as u64;
            }
            None => {
                let rest = &bytes[at + 1..];
                let next = rest.windows(4).position(|w| w == FRAME_MAGIC);
                let skip = 1 + next.unwrap_or(rest.len());
                contents.damaged_bytes += skip as u64;
                at += skip;
            }
        }
    }
    contents
}

/// The frame that begins here, and its size, if it is whole and unchanged.
fn frame_at(bytes: &[u8]) -> Option<(Frame, usize)> {
    let head = bytes.get(..FRAME_HEAD)?;
    if &head[..4] != FRAME_MAGIC {
        return None;
    }
    let len = u32::from_le_bytes(head[4..8].try_into().ok()?) as usize;
    let body = bytes.get(FRAME_HEAD..FRAME_HEAD.checked_add(len)?)?;
    if sha256(body) != head[8..] {
        return None;
    }
    Some((decode(body).ok()?, FRAME_HEAD + len))
}

fn encode(frame: &Frame) -> Vec<u8> {
    let body = encode_body(frame).expect("a Vec takes every write");
    let len = u32::try_from(body.len()).expect("a record is far smaller than 4 GiB");
    let mut bytes = FRAME_MAGIC.to_vec();
    bytes.extend(len.to_le_bytes());
    bytes.extend(sha256(&body));
    bytes.extend(body);
    bytes
}

fn encode_body(
    frame: &Frame,
) -> Result<Vec<u8>, minicbor::encode::Error<std::convert::Infallible>> {
    let mut e = Encoder::new(Vec::with_capacity(frame.envelope.len() + 256));
    e.array(11)?.u8(BODY_VERSION)?.u64(frame.seq)?.bytes(&frame.record)?.bytes(&frame.visit)?;
    e.bytes(&frame.subject)?.u8(frame.lane)?.str(&frame.outcome)?.encode(frame.captured)?;
    e.bytes(&frame.digest)?.bytes(&frame.envelope)?.array(frame.pictures.len() as u64)?;
    for (role, digest, len) in &frame.pictures {
        e.array(3)?.str(role)?.bytes(digest)?.u64(*len)?;
    }
    Ok(e.into_writer())
}

fn decode(body: &[u8]) -> Result<Frame, minicbor::decode::Error> {
    let mut d = Decoder::new(body);
    if d.array()? != Some(11) || d.u8()? != BODY_VERSION {
        return Err(minicbor::decode::Error::message("not a frame of this version"));
    }
    Ok(Frame {
        seq: d.u64()?,
        record: fixed(&mut d)?,
        visit: fixed(&mut d)?,
        subject: fixed(&mut d)?,
        lane: d.u8()?,
        outcome: d.str()?.to_owned(),
        captured: d.decode()?,
        digest: fixed(&mut d)?,
        envelope: d.bytes()?.to_vec(),
        pictures: pictures(&mut d)?,
    })
}

fn pictures(d: &mut Decoder<'_>) -> Result<Vec<(String, [u8; 32], u64)>, minicbor::decode::Error> {
    let n = d.array()?.ok_or_else(|| minicbor::decode::Error::message("indefinite array"))?;
    let mut pictures = Vec::new();
    for _ in 0..n {
        d.array()?;
        pictures.push((d.str()?.to_owned(), fixed(d)?, d.u64()?));
    }
    Ok(pictures)
}

fn fixed<const N: usize>(d: &mut Decoder<'_>) -> Result<[u8; N], minicbor::decode::Error> {
    d.bytes()?.try_into().map_err(|_| minicbor::decode::Error::message("wrong length"))
}

const FRAME_MAGIC: &[u8; 4] = b"kxr1";
const FRAME_HEAD: usize = 4 + 4 + 32;
const BODY_VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(seq: u64, envelope: Vec<u8>) -> Frame {
        Frame {
            seq,
            record: [1; 16],
            visit: [2; 16],
            subject: [3; 32],
            lane: 1,
            outcome: "CERTIFIED".into(),
            captured: Moment { wall_ms: -5, mono_ms: 7, ..Moment::default() },
            digest: sha256(&envelope),
            envelope,
            pictures: vec![("live-face".into(), [4; 32], 99)],
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(envelope: Vec<u8>, seq: u64) {
            let frame = frame(seq, envelope);
            let bytes = encode(&frame);
            prop_assert!(frame_at(&bytes) == Some((frame, bytes.len())));
        }

        #[test]
        fn a_cut_or_changed_frame_never_passes(cut in 0usize..200, bit in 0usize..1600) {
            let bytes = encode(&frame(1, vec![9; 100]));
            prop_assert!(frame_at(&bytes[..cut.min(bytes.len() - 1)]).is_none());
            let mut changed = bytes.clone();
            changed[bit / 8 % bytes.len()] ^= 1 << (bit % 8);
            prop_assert!(frame_at(&changed).is_none());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            scan(&bytes, 0);
        }
    }

    #[test]
    fn reading_goes_on_behind_damage() {
        let mut bytes =
            whole([frame(1, vec![1; 50]), frame(2, vec![2; 50]), frame(3, vec![3; 50])].iter());
        let second = bytes.len() / 2;
        bytes[second] ^= 1;
        let contents = scan(&bytes, MAGIC.len());
        assert_eq!(contents.frames.iter().map(|f| f.seq).collect::<Vec<_>>(), [1, 3]);
        assert!(contents.damaged_bytes > 0);
    }
}
