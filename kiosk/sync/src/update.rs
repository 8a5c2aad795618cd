//! An update from the authority: what is offered to this terminal, and its bytes piece by piece.
//!
//! It never waits and never tries twice. Where the bytes lie is told by [`Parts`]; who signed them is asked by whoever
//! installs them.

use std::io;
use std::time::Duration;

use minicbor::Decoder;

use crate::batch::{fixed, key};
use crate::transport::{Call, Method, Transport, TransportError};

/// What the authority offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Its edition, in the characters of [`is_edition`].
    pub edition: String,
    /// Its length in bytes, from 1 to [`BUNDLE_BYTES_MAX`].
    pub size: u64,
    /// Its SHA-256.
    pub digest: [u8; 32],
}

/// Where the bytes of one bundle are gathered. The program implements it over a folder.
pub trait Parts {
    /// How many bytes of the bundle of this digest are there; those of another one are removed.
    fn kept(&mut self, digest: &[u8; 32]) -> io::Result<u64>;
    /// How many more bytes may be put there without taking from what the store needs.
    fn room(&mut self) -> io::Result<u64>;
    /// Adds bytes behind those that are there; when it returns they outlive a power cut.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// SHA-256 of all that is there.
    fn digest(&mut self) -> io::Result<[u8; 32]>;
    /// Removes all that is there.
    fn remove(&mut self) -> io::Result<()>;
}

/// What a piece came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// More is to be fetched.
    More,
    /// All bytes are there and their digest is the one that was offered.
    Whole,
}

/// Why there is no update, or no piece of it.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// No answer came. What is there stays.
    #[error("no answer came")]
    Transport(#[from] TransportError),
    /// 429 or 503. What is there stays.
    #[error("the authority asks to come later")]
    Busy(Option<Duration>),
    /// Another status that says no. What is there stays.
    #[error("the authority refused with status {0}")]
    Refused(u16),
    /// The offer is not in the protocol.
    #[error("the offer cannot be read")]
    Unreadable,
    /// The edition has no name that can be written down.
    #[error("the edition's name is not 1 to 40 letters, digits, dots, signs")]
    Edition,
    /// Nothing, or more than any update is.
    #[error("an update of {0} bytes")]
    Size(u64),
    /// The authority does not have it any more.
    #[error("the authority does not have this update any more")]
    Gone,
    /// A piece without bytes before the end.
    #[error("the update ends before its end")]
    Short,
    /// More bytes than were missing, or than a piece may have.
    #[error("the update goes on behind its end")]
    Long,
    /// All bytes came and are not those that were offered.
    #[error("the update is not the one that was offered")]
    Digest,
    /// The store needs what is free on the disk.
    #[error("{0} bytes more do not fit beside what the store needs")]
    NoRoom(u64),
    /// The disk.
    #[error("the bytes cannot be kept")]
    Disk(#[from] io::Error),
}

impl UpdateError {
    /// The stable word for messages and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Transport(error) => error.code(),
            Self::Busy(_) => "update-busy",
            Self::Refused(_) => "update-refused",
            Self::Unreadable => "update-unreadable",
            Self::Edition => "update-edition",
            Self::Size(_) => "update-size",
            Self::Gone => "update-gone",
            Self::Short => "update-short",
            Self::Long => "update-long",
            Self::Digest => "update-digest",
            Self::NoRoom(_) => "update-no-room",
            Self::Disk(_) => "update-disk",
        }
    }

    /// Whether the next try may go on where this one ended. Otherwise nothing was left behind.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Transport(_) | Self::Busy(_) | Self::Refused(_))
    }
}

/// Asks what a terminal of this kind that runs this edition is to run instead; none where that is what it runs.
pub fn offered(
    transport: &mut dyn Transport,
    variant: &str,
    edition: &str,
) -> Result<Option<Bundle>, UpdateError> {
    let body = match get(transport, format!("/v1/update?variant={variant}&edition={edition}"))? {
        (204, _) => return Ok(None),
        (200, body) => body,
        (status, _) => return Err(UpdateError::Refused(status)),
    };
    let bundle = read(&body).ok_or(UpdateError::Unreadable)?;
    if !is_edition(&bundle.edition) {
        return Err(UpdateError::Edition);
    }
    if bundle.size == 0 || bundle.size > BUNDLE_BYTES_MAX {
        return Err(UpdateError::Size(bundle.size));
    }
    Ok((bundle.edition != edition).then_some(bundle))
}

/// Fetches one more piece of `most` bytes, from 1 to [`PIECE_BYTES_MAX`]. After an error that is not passing nothing is
/// left.
pub fn fetch(
    transport: &mut dyn Transport,
    parts: &mut dyn Parts,
    bundle: &Bundle,
    most: u64,
) -> Result<Fetched, UpdateError> {
    let fetched = piece(transport, parts, bundle, most.clamp(1, PIECE_BYTES_MAX));
    if fetched.as_ref().is_err_and(|error| !error.is_passing()) {
        parts.remove()?;
    }
    fetched
}

/// Whether an edition may be called so.
pub fn is_edition(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
    (1..=EDITION_CHARS_MAX).contains(&name.len()) && name.chars().all(plain)
}

/// Whether a kind of terminal may be called so.
pub fn is_variant(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=EDITION_CHARS_MAX).contains(&name.len()) && name.chars().all(plain)
}

fn piece(
    transport: &mut dyn Transport,
    parts: &mut dyn Parts,
    bundle: &Bundle,
    most: u64,
) -> Result<Fetched, UpdateError> {
    let kept = parts.kept(&bundle.digest)?;
    let missing = bundle.size.checked_sub(kept).ok_or(UpdateError::Long)?;
    if missing > 0 {
        if parts.room()? < missing {
            return Err(UpdateError::NoRoom(missing));
        }
        let bytes = bytes_from(transport, &bundle.digest, kept, most)?;
        let n_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match n_bytes {
            0 => return Err(UpdateError::Short),
            n if n > missing.min(most) => return Err(UpdateError::Long),
            _ => parts.append(&bytes)?,
        }
        if n_bytes < missing {
            return Ok(Fetched::More);
        }
    }
    if parts.digest()? == bundle.digest { Ok(Fetched::Whole) } else { Err(UpdateError::Digest) }
}

fn bytes_from(
    transport: &mut dyn Transport,
    digest: &[u8; 32],
    offset: u64,
    most: u64,
) -> Result<Vec<u8>, UpdateError> {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    match get(transport, format!("/v1/updates/{hex}?offset={offset}&most={most}"))? {
        (200, bytes) => Ok(bytes),
        (404, _) => Err(UpdateError::Gone),
        (status, _) => Err(UpdateError::Refused(status)),
    }
}

fn get(transport: &mut dyn Transport, path: String) -> Result<(u16, Vec<u8>), UpdateError> {
    let call = Call { method: Method::Get, path, body: Vec::new() };
    // Bytes behind the longest piece are the authority's lie and not the line's fault.
    let reply = transport.send(&call).map_err(|error| match error {
        TransportError::TooLong => UpdateError::Long,
        error => error.into(),
    })?;
    match reply.status {
        429 | 503 => Err(UpdateError::Busy(reply.retry_after)),
        status => Ok((status, reply.body)),
    }
}

fn read(body: &[u8]) -> Option<Bundle> {
    let mut d = Decoder::new(body);
    if d.map().ok()? != Some(3) {
        return None;
    }
    key(&mut d, 0).ok()?;
    let edition = d.str().ok()?.to_owned();
    key(&mut d, 1).ok()?;
    let size = d.u64().ok()?;
    key(&mut d, 2).ok()?;
    let digest = fixed(&mut d).ok()?;
    (d.position() == body.len()).then_some(Bundle { edition, size, digest })
}

/// Longest piece of a bundle.
pub const PIECE_BYTES_MAX: u64 = 1 << 20;
/// Longest bundle; a root slot and its kernel are smaller.
pub const BUNDLE_BYTES_MAX: u64 = 400 << 20;
const EDITION_CHARS_MAX: usize = 40;
