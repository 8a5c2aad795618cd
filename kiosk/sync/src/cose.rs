//! The two envelopes of the wire, byte for byte: COSE_Sign1 and COSE_Encrypt0 with the headers of suite `INTL-1`.
//!
//! Nothing is read out of a header. The one header that may stand there is built and compared, so neither another
//! algorithm nor another suite, key or content type can be talked into being accepted.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::CryptoRng;
use hpke::{OpModeS, Serializable};
use minicbor::{Decoder, Encoder};

use crate::keys::{DeviceKey, KeyError, Kid, SealingKey, VerifyKey};

/// What a signed or sealed thing is. It is authenticated together with the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// A record, signed or sealed.
    Record,
    /// A sealed picture.
    Picture,
    /// A batch's manifest.
    Manifest,
    /// The authority's receipt.
    Receipt,
    /// A roster.
    Roster,
    /// A policy pack.
    Policy,
    /// An order to one terminal to begin anew.
    Reset,
}

impl ContentType {
    /// The text in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Record => "changqing/record",
            Self::Picture => "changqing/picture",
            Self::Manifest => "changqing/manifest",
            Self::Receipt => "changqing/receipt",
            Self::Roster => "changqing/roster",
            Self::Policy => "changqing/policy",
            Self::Reset => "changqing/reset",
        }
    }
}

/// Why something that came signed is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not the bytes of a signed object, or not in the one form they may have.
    #[error("these are not the bytes of a signed object")]
    Form,
    /// Signed as something else, in another suite, or by another key.
    #[error("the header is not the one expected")]
    Header,
    /// The signature does not fit.
    #[error("the signature does not fit")]
    Signature,
}

/// The payload of a signed object, if it is of this type and by this key.
pub fn open_signed<'b>(
    content: ContentType,
    key: &VerifyKey,
    bytes: &'b [u8],
) -> Result<&'b [u8], OpenError> {
    let parts = split_signed(bytes).map_err(|_| OpenError::Form)?;
    let header = signed_header(content, key.kid());
    if parts.header != header {
        return Err(OpenError::Header);
    }
    // One content has one form: a longer length or a trailing byte would give a second digest to the same signature.
    if join_signed(&header, parts.payload, parts.signature) != bytes {
        return Err(OpenError::Form);
    }
    let message = to_be_signed(&header, content, parts.payload);
    if !key.verifies(&message, parts.signature) {
        return Err(OpenError::Signature);
    }
    Ok(parts.payload)
}

/// Signs a payload as what it is.
pub(crate) fn sign(
    key: &dyn DeviceKey,
    content: ContentType,
    payload: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let header = signed_header(content, key.public().kid());
    let signature = key.sign(&to_be_signed(&header, content, payload))?;
    Ok(join_signed(&header, payload, &signature))
}

/// Encrypts to the authority: only its `enc` key opens the result.
pub(crate) fn seal(
    key: &SealingKey,
    content: ContentType,
    plaintext: &[u8],
    random: &mut impl CryptoRng,
) -> Vec<u8> {
    let header = sealed_header(content, key.kid());
    let (encapsulated, ciphertext) =
        hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            key.public(),
            SEAL_INFO,
            plaintext,
            &sealed_aad(&header, content),
            random,
        )
        .expect("the key was checked when it was read, and a record is below the cipher's limit");
    join_sealed(&header, &encapsulated.to_bytes(), &ciphertext)
}

struct SignedParts<'b> {
    header: &'b [u8],
    payload: &'b [u8],
    signature: &'b [u8],
}

fn split_signed(bytes: &[u8]) -> Result<SignedParts<'_>, minicbor::decode::Error> {
    let mut d = Decoder::new(bytes);
    d.array()?;
    let header = d.bytes()?;
    d.map()?;
    Ok(SignedParts { header, payload: d.bytes()?, signature: d.bytes()? })
}

fn signed_header(content: ContentType, kid: &Kid) -> Vec<u8> {
    encoded(|e| {
        e.map(4)?.u8(LABEL_ALGORITHM)?.i8(ES256)?;
        e.u8(LABEL_CONTENT_TYPE)?.str(content.as_str())?;
        e.u8(LABEL_KID)?.bytes(kid)?.i32(LABEL_SUITE)?.str(SUITE)?.ok()
    })
}

fn sealed_header(content: ContentType, kid: &Kid) -> Vec<u8> {
    encoded(|e| {
        e.map(4)?.u8(LABEL_ALGORITHM)?.i32(HPKE_BASE)?;
        e.u8(LABEL_CONTENT_TYPE)?.str(content.as_str())?;
        e.u8(LABEL_KID)?.bytes(kid)?.i32(LABEL_SUITE)?.str(SUITE)?.ok()
    })
}

fn to_be_signed(header: &[u8], content: ContentType, payload: &[u8]) -> Vec<u8> {
    encoded(|e| {
        e.array(4)?.str("Signature1")?.bytes(header)?;
        e.bytes(content.as_str().as_bytes())?.bytes(payload)?.ok()
    })
}

fn sealed_aad(header: &[u8], content: ContentType) -> Vec<u8> {
    encoded(|e| {
        e.array(3)?.str("Encrypt0")?.bytes(header)?.bytes(content.as_str().as_bytes())?.ok()
    })
}

fn join_signed(header: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    encoded(|e| e.array(4)?.bytes(header)?.map(0)?.bytes(payload)?.bytes(signature)?.ok())
}

fn join_sealed(header: &[u8], encapsulated: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    encoded(|e| {
        e.array(3)?.bytes(header)?.map(1)?.i32(LABEL_ENCAPSULATED)?.bytes(encapsulated)?;
        e.bytes(ciphertext)?.ok()
    })
}

type WriteError = minicbor::encode::Error<std::convert::Infallible>;

/// Bytes of CBOR written into memory, which cannot fail.
pub(crate) fn encoded(
    write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Result<(), WriteError>,
) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write(&mut encoder).expect("a Vec takes every write");
    encoder.into_writer()
}

/// The suite in every header.
pub(crate) const SUITE: &str = "INTL-1";
const SEAL_INFO: &[u8] = b"changqing/seal/1";
const LABEL_ALGORITHM: u8 = 1;
const LABEL_CONTENT_TYPE: u8 = 3;
const LABEL_KID: u8 = 4;
const LABEL_SUITE: i32 = -70001;
const LABEL_ENCAPSULATED: i32 = -70011;
const ES256: i8 = -7;
const HPKE_BASE: i32 = -70010;
