//! The two COSE shapes of the protocol: Signed (COSE_Sign1) and Sealed (COSE_Encrypt0 with HPKE).
//! Headers are compared with the only bytes they may have; the signed bytes are never encoded again.

use hpke::{
    Deserializable, Kem, OpModeR, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::X25519HkdfSha256,
};
use p256::ecdsa::{
    Signature, SigningKey, VerifyingKey,
    signature::{Signer, Verifier},
};
use sha2::{Digest, Sha256};

use crate::cbor::{CborError, Reader, Writer};

/// The only suite this authority speaks.
pub const SUITE: &str = "INTL-1";

/// The first 8 bytes of the SHA-256 of a public key.
pub type KeyId = [u8; 8];

/// What a payload is; its text stands in the header and in what is signed or authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    /// A signed record, or the sealed envelope of one.
    Record,
    /// A sealed picture.
    Picture,
    /// A signed batch manifest.
    Manifest,
    /// A signed receipt.
    Receipt,
    /// A signed roster: the JSON of the roster file.
    Roster,
    /// A signed policy pack: the TOML text.
    Policy,
    /// A signed order to one terminal to begin anew: JSON, see [`crate::reset`].
    Reset,
}

impl ContentType {
    /// The text on the wire.
    #[must_use]
    pub fn text(self) -> &'static str {
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

/// Why something signed or sealed is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CoseError {
    /// The bytes are not the protocol's CBOR.
    #[error("not the protocol's CBOR")]
    Cbor(#[from] CborError),
    /// The header names another algorithm or another suite.
    #[error("another algorithm or suite than INTL-1")]
    WrongSuite,
    /// The header says that this is something else.
    #[error("another content type")]
    WrongContentType,
    /// The key id belongs to no key that may have done this.
    #[error("a key id that is not known here")]
    UnknownKey,
    /// The signature is not by that key over these bytes.
    #[error("the signature does not fit")]
    BadSignature,
    /// HPKE does not open it.
    #[error("the seal does not open")]
    BadSeal,
}

/// A COSE_Sign1 whose header was read and whose signature was not yet verified.
#[derive(Debug, Clone)]
pub struct Signed<'a> {
    content_type: ContentType,
    protected: &'a [u8],
    payload: &'a [u8],
    signature: [u8; 64],
    kid: KeyId,
}

impl<'a> Signed<'a> {
    /// Reads `bytes` as Signed(`content_type`).
    pub fn read(bytes: &'a [u8], content_type: ContentType) -> Result<Self, CoseError> {
        Reader::whole(bytes, |reader| {
            reader.tuple(4)?;
            let protected = reader.bytes()?;
            reader.fields(0)?;
            let payload = reader.bytes()?;
            let signature = reader.array_of()?;
            let kid = read_header(protected, ES256, content_type)?;
            Ok(Self { content_type, protected, payload, signature, kid })
        })
    }

    /// Who claims to have signed.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        self.kid
    }

    /// The payload of something that we signed ourselves.
    pub(crate) fn unverified(&self) -> &'a [u8] {
        self.payload
    }

    /// The payload, once `key` is seen to have signed it.
    pub fn verify(&self, key: &VerifyingKey) -> Result<&'a [u8], CoseError> {
        let message = to_be_signed(self.content_type, self.protected, self.payload);
        let signature =
            Signature::from_slice(&self.signature).map_err(|_| CoseError::BadSignature)?;
        key.verify(&message, &signature).map_err(|_| CoseError::BadSignature)?;
        Ok(self.payload)
    }
}

/// The bytes of Signed(`content_type`, `payload`) by `key`; the same arguments give the same bytes.
#[must_use]
pub fn sign(key: &SigningKey, content_type: ContentType, payload: &[u8]) -> Vec<u8> {
    let protected = header(ES256, content_type, &key_id(&public_bytes(key.verifying_key())));
    let signature: Signature = key.sign(&to_be_signed(content_type, &protected, payload));
    Writer::new()
        .array(4)
        .bytes(&protected)
        .map(0)
        .bytes(payload)
        .bytes(&signature.to_bytes())
        .done()
}

/// The X25519 key that opens what terminals seal. It has no `Debug`.
pub struct OpeningKey {
    secret: <X25519HkdfSha256 as Kem>::PrivateKey,
    kid: KeyId,
}

impl OpeningKey {
    /// The key of 32 secret bytes.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(secret)
            .expect("any 32 bytes are an X25519 key");
        let kid = key_id(&hpke::Serializable::to_bytes(&X25519HkdfSha256::sk_to_pk(&secret)));
        Self { secret, kid }
    }

    /// The 32 public bytes.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        hpke::Serializable::to_bytes(&X25519HkdfSha256::sk_to_pk(&self.secret)).into()
    }

    /// The plaintext of `bytes` = Sealed(`content_type`).
    pub fn open(&self, bytes: &[u8], content_type: ContentType) -> Result<Vec<u8>, CoseError> {
        Reader::whole(bytes, |reader| {
            reader.tuple(3)?;
            let protected = reader.bytes()?;
            reader.fields(1)?;
            reader.key(ENCAPSULATED)?;
            let encapsulated = reader.array_of::<32>()?;
            let ciphertext = reader.bytes()?;
            if read_header(protected, HPKE, content_type)? != self.kid {
                return Err(CoseError::UnknownKey);
            }
            self.open_parts(content_type, protected, &encapsulated, ciphertext)
        })
    }

    fn open_parts(
        &self,
        content_type: ContentType,
        protected: &[u8],
        encapsulated: &[u8; 32],
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, CoseError> {
        let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated)
            .map_err(|_| CoseError::BadSeal)?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.secret,
            &encapsulated,
            SEAL_INFO,
            ciphertext,
            &seal_aad(content_type, protected),
        )
        .map_err(|_| CoseError::BadSeal)
    }
}

/// The 65 bytes of an uncompressed SEC1 point.
#[must_use]
pub fn public_bytes(key: &VerifyingKey) -> Vec<u8> {
    key.to_sec1_point(false).as_bytes().to_vec()
}

/// The key id of a public key's bytes.
#[must_use]
pub fn key_id(public: &[u8]) -> KeyId {
    let digest: [u8; 32] = Sha256::digest(public).into();
    *digest.first_chunk().expect("a SHA-256 has more than eight bytes")
}

/// The SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn header(algorithm: i64, content_type: ContentType, kid: &KeyId) -> Vec<u8> {
    Writer::new()
        .map(4)
        .int(1)
        .int(algorithm)
        .int(3)
        .text(content_type.text())
        .int(4)
        .bytes(kid)
        .int(SUITE_LABEL)
        .text(SUITE)
        .done()
}

fn read_header(
    bytes: &[u8],
    algorithm: i64,
    content_type: ContentType,
) -> Result<KeyId, CoseError> {
    Reader::whole(bytes, |reader| {
        reader.fields(4)?;
        reader.key(1)?;
        let found_algorithm = reader.int()?;
        reader.key(3)?;
        let found_type = reader.text()?;
        reader.key(4)?;
        let kid = reader.array_of()?;
        reader.key(SUITE_LABEL)?;
        let suite = reader.text()?;
        if found_type != content_type.text() {
            Err(CoseError::WrongContentType)
        } else if found_algorithm != algorithm || suite != SUITE {
            Err(CoseError::WrongSuite)
        } else {
            Ok(kid)
        }
    })
}

fn to_be_signed(content_type: ContentType, protected: &[u8], payload: &[u8]) -> Vec<u8> {
    Writer::new()
        .array(4)
        .text("Signature1")
        .bytes(protected)
        .bytes(content_type.text().as_bytes())
        .bytes(payload)
        .done()
}

fn seal_aad(content_type: ContentType, protected: &[u8]) -> Vec<u8> {
    Writer::new()
        .array(3)
        .text("Encrypt0")
        .bytes(protected)
        .bytes(content_type.text().as_bytes())
        .done()
}

const ES256: i64 = -7;
const HPKE: i64 = -70_010;
const SUITE_LABEL: i64 = -70_001;
const ENCAPSULATED: i64 = -70_011;
const SEAL_INFO: &[u8] = b"changqing/seal/1";
