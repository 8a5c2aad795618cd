//! Sealing at capture: signed by the terminal, then encrypted to the authority, and never opened here again.

use hpke::rand_core::{CryptoRng, UnwrapErr};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use kiosk_core::record::{Lane, PictureRef, Record, SealedPicture, SealedRecord};

use crate::cose::{self, ContentType};
use crate::keys::{DeviceKey, KeyError, SealingKey};

/// A picture before it is sealed. It exists in memory only.
pub struct Picture {
    /// See [`PictureRef::role`].
    pub role: String,
    /// JPEG or PNG bytes.
    pub bytes: Vec<u8>,
}

/// Why a record could not be sealed. The visit is kept and sealed again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key did not sign.
    #[error("the signing key refused")]
    Key(#[from] KeyError),
    /// The signature just made does not verify: the key's place is broken.
    #[error("the signature just made does not verify")]
    SelfCheck,
    /// A picture that the authority would not take: to be made smaller before it is sealed.
    #[error("a picture is empty or larger than may be sent")]
    PictureSize,
}

impl SealError {
    /// The stable word for messages and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key(error) => error.code(),
            Self::SelfCheck => "sync-seal-self-check",
            Self::PictureSize => "sync-picture-size",
        }
    }
}

/// Seals what this terminal captures.
pub struct Sealer {
    key: Box<dyn DeviceKey>,
    authority: SealingKey,
}

impl Sealer {
    /// With the terminal's signing key and the authority's sealing key.
    pub fn new(key: Box<dyn DeviceKey>, authority: SealingKey) -> Self {
        Self { key, authority }
    }

    /// The terminal's signing key, for manifests.
    pub fn key(&self) -> &dyn DeviceKey {
        &*self.key
    }

    /// Seals the pictures, puts their digests into the record, signs the record and seals it.
    pub fn seal(
        &self,
        record: &mut Record,
        pictures: Vec<Picture>,
    ) -> Result<SealedRecord, SealError> {
        self.seal_with(record, pictures, &mut UnwrapErr(getrandom::SysRng))
    }

    /// [`Self::seal`] with randomness from outside: for vectors only, since a repeated number opens the seal.
    #[doc(hidden)]
    pub fn seal_with(
        &self,
        record: &mut Record,
        pictures: Vec<Picture>,
        random: &mut impl CryptoRng,
    ) -> Result<SealedRecord, SealError> {
        let takes = |picture: &Picture| (1..=PICTURE_BYTES_MAX).contains(&picture.bytes.len());
        if !pictures.iter().all(takes) {
            return Err(SealError::PictureSize);
        }
        let sealed: Vec<_> =
            pictures.into_iter().map(|picture| self.seal_picture(picture, random)).collect();
        record.pictures = sealed.iter().map(reference).collect();
        let payload = Zeroizing::new(record.to_cbor());
        let signed = Zeroizing::new(cose::sign(&*self.key, ContentType::Record, &payload)?);
        cose::open_signed(ContentType::Record, self.key.public(), &signed)
            .map_err(|_| SealError::SelfCheck)?;
        let envelope = cose::seal(&self.authority, ContentType::Record, &signed, random);
        Ok(SealedRecord {
            id: record.id,
            lane: Lane::of(&record.outcome),
            outcome: record.outcome.code().to_owned(),
            captured: record.captured,
            digest: sha256(&envelope),
            envelope,
            pictures: sealed,
        })
    }

    fn seal_picture(&self, mut picture: Picture, random: &mut impl CryptoRng) -> SealedPicture {
        let sealed = cose::seal(&self.authority, ContentType::Picture, &picture.bytes, random);
        picture.bytes.zeroize();
        SealedPicture { role: picture.role, digest: sha256(&sealed), sealed }
    }
}

fn reference(picture: &SealedPicture) -> PictureRef {
    PictureRef {
        role: picture.role.clone(),
        digest: picture.digest,
        len: picture.sealed.len() as u64,
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Sealing adds some 150 bytes, and the authority takes 8 MiB.
const PICTURE_BYTES_MAX: usize = 8 * 1024 * 1024 - 1024;
