//! A batch's manifest: what is offered, chained to the batch before.

use minicbor::{Decoder, Encoder};

use kiosk_core::moment::Moment;
use kiosk_core::record::{Lane, RecordId};

use crate::cose::{self, ContentType, OpenError, SUITE, encoded};
use crate::keys::{DeviceKey, KeyError, VerifyKey};

/// A record offered to the authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub record: RecordId,
    /// Its number on this terminal.
    pub seq: u64,
    /// Its queue.
    pub lane: Lane,
    /// Length of the envelope.
    pub len: u64,
    /// SHA-256 of the envelope.
    pub digest: [u8; 32],
    /// Its pictures.
    pub pictures: Vec<OfferedPicture>,
}

/// A picture of an offered record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedPicture {
    /// See [`kiosk_core::record::PictureRef::role`].
    pub role: String,
    /// SHA-256 of the sealed bytes.
    pub digest: [u8; 32],
    /// Length of the sealed bytes.
    pub len: u64,
}

/// What a batch holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Random id of the batch.
    pub batch: [u8; 16],
    /// Terminal.
    pub device: String,
    /// SHA-256 of the signed manifest before this one.
    pub previous: Option<[u8; 32]>,
    /// Head of the terminal's audit trail.
    pub audit_head: Option<[u8; 32]>,
    /// The terminal's clock when the batch was made. Its doubt is not sent.
    pub at: Moment,
    /// The records, most urgent first.
    pub offers: Vec<Offer>,
}

impl Manifest {
    /// Signs the manifest. The result is stored before it is sent, and sent again as it is.
    pub fn sign(&self, key: &dyn DeviceKey) -> Result<Vec<u8>, KeyError> {
        cose::sign(key, ContentType::Manifest, &self.to_cbor())
    }

    /// Reads this terminal's own signed manifest back, to take an interrupted batch up again.
    pub fn open(key: &VerifyKey, signed: &[u8]) -> Result<Self, OpenError> {
        let payload = cose::open_signed(ContentType::Manifest, key, signed)?;
        decode(payload).map_err(|_| OpenError::Form)
    }

    /// The payload that is signed.
    pub fn to_cbor(&self) -> Vec<u8> {
        let numbers = || self.offers.iter().map(|offer| offer.seq);
        let (first, last) = (numbers().min().unwrap_or(0), numbers().max().unwrap_or(0));
        encoded(|e| {
            e.map(10)?.u8(0)?.u8(VERSION)?.u8(1)?.bytes(&self.batch)?;
            e.u8(2)?.str(&self.device)?.u8(3)?.u64(first)?.u8(4)?.u64(last)?;
            e.u8(5)?.str(SUITE)?.u8(6)?;
            optional(e, self.previous.as_ref())?;
            e.u8(7)?;
            optional(e, self.audit_head.as_ref())?;
            e.u8(8)?.array(3)?.i64(self.at.wall_ms)?;
            e.bytes(&self.at.boot_id)?.u64(self.at.mono_ms)?;
            e.u8(9)?.array(self.offers.len() as u64)?;
            self.offers.iter().try_for_each(|offer| encode_offer(e, offer))
        })
    }
}

type WriteError = minicbor::encode::Error<std::convert::Infallible>;

fn optional(e: &mut Encoder<Vec<u8>>, digest: Option<&[u8; 32]>) -> Result<(), WriteError> {
    match digest {
        Some(digest) => e.bytes(digest)?.ok(),
        None => e.null()?.ok(),
    }
}

fn encode_offer(e: &mut Encoder<Vec<u8>>, offer: &Offer) -> Result<(), WriteError> {
    e.array(6)?.bytes(&offer.record.0)?.u64(offer.seq)?.u8(offer.lane.code())?;
    e.u64(offer.len)?.bytes(&offer.digest)?.array(offer.pictures.len() as u64)?;
    for picture in &offer.pictures {
        e.array(3)?.str(&picture.role)?.bytes(&picture.digest)?.u64(picture.len)?;
    }
    Ok(())
}

type ReadError = minicbor::decode::Error;

fn decode(payload: &[u8]) -> Result<Manifest, ReadError> {
    let d = &mut Decoder::new(payload);
    d.map()?;
    key(d, 0)?;
    if d.u8()? != VERSION {
        return Err(ReadError::message("version"));
    }
    key(d, 1)?;
    let batch = fixed(d)?;
    key(d, 2)?;
    let device = d.str()?.to_owned();
    for number in [3, 4] {
        key(d, number)?;
        d.u64()?;
    }
    key(d, 5)?;
    d.str()?;
    key(d, 6)?;
    let previous = optional_fixed(d)?;
    key(d, 7)?;
    let audit_head = optional_fixed(d)?;
    key(d, 8)?;
    d.array()?;
    let at =
        Moment { wall_ms: d.i64()?, boot_id: fixed(d)?, mono_ms: d.u64()?, ..Moment::default() };
    key(d, 9)?;
    let offers = (0..length(d)?).map(|_| decode_offer(d)).collect::<Result<_, _>>()?;
    Ok(Manifest { batch, device, previous, audit_head, at, offers })
}

fn decode_offer(d: &mut Decoder<'_>) -> Result<Offer, ReadError> {
    d.array()?;
    Ok(Offer {
        record: RecordId(fixed(d)?),
        seq: d.u64()?,
        lane: lane(d.u8()?)?,
        len: d.u64()?,
        digest: fixed(d)?,
        pictures: (0..length(d)?).map(|_| decode_picture(d)).collect::<Result<_, _>>()?,
    })
}

fn decode_picture(d: &mut Decoder<'_>) -> Result<OfferedPicture, ReadError> {
    d.array()?;
    Ok(OfferedPicture { role: d.str()?.to_owned(), digest: fixed(d)?, len: d.u64()? })
}

fn lane(code: u8) -> Result<Lane, ReadError> {
    [Lane::Appeal, Lane::ProofOfLife, Lane::Enrolment, Lane::Rest]
        .into_iter()
        .find(|lane| lane.code() == code)
        .ok_or_else(|| ReadError::message("lane"))
}

/// The next map key, which has to be this one.
pub(crate) fn key(d: &mut Decoder<'_>, expected: u8) -> Result<(), ReadError> {
    if d.u8()? == expected { Ok(()) } else { Err(ReadError::message("key")) }
}

/// The length of an array that says it.
pub(crate) fn length(d: &mut Decoder<'_>) -> Result<u64, ReadError> {
    d.array()?.ok_or_else(|| ReadError::message("an array without length"))
}

/// Bytes of a known number.
pub(crate) fn fixed<const N: usize>(d: &mut Decoder<'_>) -> Result<[u8; N], ReadError> {
    d.bytes()?.try_into().map_err(|_| ReadError::message("length"))
}

fn optional_fixed(d: &mut Decoder<'_>) -> Result<Option<[u8; 32]>, ReadError> {
    if d.datatype()? == minicbor::data::Type::Null {
        d.null()?;
        return Ok(None);
    }
    fixed(d).map(Some)
}

/// Most records in a batch.
pub const BATCH_RECORDS_MAX: usize = 50;
/// Most bytes of envelopes in a batch.
pub const BATCH_BYTES_MAX: u64 = 4 * 1024 * 1024;
const VERSION: u8 = 1;
