//! Keys: what this terminal signs with, and the public keys of the authority it was provisioned with.

use std::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::UnwrapErr;
use hpke::{Deserializable, OpModeS, Serializable, setup_sender_with_rng};
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::DecodePrivateKey;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::cose::SUITE;

/// First 8 bytes of the SHA-256 of a public key.
pub type Kid = [u8; 8];

/// A key that does not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a private key in PKCS#8 PEM.
    #[error("not a P-256 private key in PKCS#8 PEM")]
    Private,
    /// A public key that is not a point, or not hex.
    #[error("{0} is not a public key")]
    Public(&'static str),
    /// `authority.toml` cannot be read.
    #[error("the authority's file is not valid: {0}")]
    File(String),
    /// Another suite than this program has.
    #[error("this program does not have the suite")]
    Suite,
    /// The place that keeps the key (a chip, a module) refused to sign.
    #[error("the key did not sign: {0}")]
    Refused(String),
}

impl KeyError {
    /// The stable word for messages and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Private => "sync-key-private",
            Self::Public(_) => "sync-key-public",
            Self::File(_) => "sync-key-file",
            Self::Suite => "sync-key-suite",
            Self::Refused(_) => "sync-key-refused",
        }
    }
}

/// The terminal's signing key, wherever it lives: a file, a TPM, a module.
pub trait DeviceKey: Send + Sync {
    /// Its public half.
    fn public(&self) -> &VerifyKey;
    /// ES256 over a message: `r || s`.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError>;
}

/// A key in a PKCS#8 PEM file.
pub struct FileKey {
    key: SigningKey,
    public: VerifyKey,
}

impl FileKey {
    /// Takes the text of a `sign.key.pem`.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = SigningKey::from_pkcs8_pem(pem).map_err(|_| KeyError::Private)?;
        Ok(Self { public: VerifyKey::new(*key.verifying_key()), key })
    }
}

impl DeviceKey for FileKey {
    fn public(&self) -> &VerifyKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let signature: Signature = self.key.sign(message);
        Ok(signature.to_bytes().into())
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileKey({:?})", self.public)
    }
}

/// A P-256 public key with its id.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyKey {
    key: VerifyingKey,
    kid: Kid,
}

impl VerifyKey {
    /// Takes the 65 bytes of an uncompressed point.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_sec1_bytes(bytes).map_err(|_| KeyError::Public("a key"))?;
        Ok(Self::new(key))
    }

    /// The key's id on the wire.
    pub fn kid(&self) -> &Kid {
        &self.kid
    }

    /// Whether `r || s` is this key's signature over the message; low and high `s` both count.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify(message, &signature).is_ok())
    }

    fn new(key: VerifyingKey) -> Self {
        let point = key.to_sec1_point(false);
        Self { key, kid: kid_of(point.as_bytes()) }
    }
}

impl fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyKey(")?;
        self.kid.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

type X25519Public = <X25519HkdfSha256 as hpke::Kem>::PublicKey;

/// The authority's X25519 key, to which records and pictures are sealed.
#[derive(Clone)]
pub struct SealingKey {
    key: X25519Public,
    kid: Kid,
}

impl SealingKey {
    /// Takes the 32 bytes of an X25519 public key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let wrong = || KeyError::Public("enc_key");
        let key = X25519Public::from_bytes(bytes).map_err(|_| wrong())?;
        // A point of small order would make the shared secret known to everybody; encapsulating to it fails.
        let random = &mut UnwrapErr(getrandom::SysRng);
        setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &key,
            b"",
            random,
        )
        .map_err(|_| wrong())?;
        Ok(Self { kid: kid_of(&key.to_bytes()), key })
    }

    pub(crate) fn public(&self) -> &X25519Public {
        &self.key
    }

    /// The key's id on the wire.
    pub fn kid(&self) -> &Kid {
        &self.kid
    }
}

/// Everything in `authority.toml`.
#[derive(Clone)]
pub struct AuthorityKeys {
    /// Id under which the authority knows this terminal.
    pub device: String,
    /// Where the terminal stands.
    pub site: String,
    /// Opens records and pictures.
    pub enc: SealingKey,
    /// Signs receipts.
    pub receipt: VerifyKey,
    /// Signs rosters and what else comes down.
    pub down: VerifyKey,
    /// Signs policy packs, offline.
    pub policy: VerifyKey,
}

impl AuthorityKeys {
    /// Takes the text of an `authority.toml`.
    pub fn from_toml(text: &str) -> Result<Self, KeyError> {
        let file: AuthorityFile =
            toml::from_str(text).map_err(|error| KeyError::File(error.message().to_owned()))?;
        if file.suite != SUITE {
            return Err(KeyError::Suite);
        }
        let enc: [u8; 32] = from_hex(&file.enc_key)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(KeyError::Public("enc_key"))?;
        Ok(Self {
            device: file.device,
            site: file.site,
            enc: SealingKey::from_bytes(&enc)?,
            receipt: point(&file.receipt_key, "receipt_key")?,
            down: point(&file.down_key, "down_key")?,
            policy: point(&file.policy_key, "policy_key")?,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorityFile {
    device: String,
    site: String,
    suite: String,
    enc_key: String,
    receipt_key: String,
    down_key: String,
    policy_key: String,
}

fn point(hex: &str, name: &'static str) -> Result<VerifyKey, KeyError> {
    let bytes = from_hex(hex).ok_or(KeyError::Public(name))?;
    VerifyKey::from_sec1(&bytes).map_err(|_| KeyError::Public(name))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().as_bytes();
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    text.chunks(2).map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()).collect()
}

fn kid_of(public: &[u8]) -> Kid {
    let digest = Sha256::digest(public);
    digest[..8].try_into().expect("a digest has more than 8 bytes")
}
