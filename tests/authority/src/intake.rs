//! The intake: what a known device sends is opened, verified and stored, or refused with a code.
//! It knows the protocol's rules and no HTTP; each method ends durable or leaves nothing behind.

use std::{io, path::Path};

use p256::ecdsa::SigningKey;

use crate::{
    cose::{ContentType, CoseError, OpeningKey, Signed, sha256},
    hex,
    keys::{KeyError, Keys, Signer},
    manifest::{Manifest, PICTURE_BYTES_MAX},
    pictures::Pictures,
    record::{Digest, Id, Record, id_text},
    refusal::{Code, Refusal, chain, cose_code, manifest_refusal, record_code},
    store::{Answer, Claim, DUPLICATES, Device, Event, Offer, Store, StoreError},
};

/// Takes what devices send.
pub struct Intake {
    store: Store,
    pictures: Pictures,
    opening: OpeningKey,
    receipt_key: SigningKey,
}

/// What became of a record that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is stored now.
    New,
    /// The same bytes were stored before.
    Again,
}

/// What became of a piece of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The picture is whole and durable.
    Whole,
    /// The next piece starts here.
    More(u64),
    /// This piece does not start where the kept bytes end, which is here.
    Elsewhere(u64),
}

/// Why something is not taken: a refusal, which is an answer, or a fault of ours.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The device's doing.
    #[error("refused")]
    Refused(#[from] Refusal),
    /// The database.
    #[error("the store fails")]
    Store(#[from] StoreError),
    /// A file of a picture or of an update.
    #[error("a file fails")]
    Picture(#[from] io::Error),
    /// A key is missing or damaged.
    #[error("a key fails")]
    Key(#[from] KeyError),
}

impl Intake {
    /// Opens the authority's data; keys must have been made.
    pub fn open(data: &Path) -> Result<Self, IntakeError> {
        let keys = Keys::at(data);
        let opening = keys.opening()?;
        let receipt_key = keys.signing(Signer::Receipt)?;
        let store = Store::open(data)?;
        let mut intake = Self { store, pictures: Pictures::at(data)?, opening, receipt_key };
        intake.forget_lost_pictures()?;
        Ok(intake)
    }

    /// The key that signs receipts.
    pub(crate) fn receipt_key(&self) -> &SigningKey {
        &self.receipt_key
    }

    /// The device of a certificate's common name, unless it is unknown or revoked.
    pub fn admit(&mut self, name: &str, now_ms: i64) -> Result<Device, IntakeError> {
        let refusal = match self.store.device(name)? {
            Some(device) if !device.revoked => return Ok(device),
            Some(_) => Code::Revoked.refuse(403, "this device is revoked"),
            None => Code::UnknownDevice.refuse(401, "no device of this name is registered"),
        };
        self.note(name, &refusal, "", now_ms)?;
        Err(refusal.into())
    }

    /// Takes a signed manifest.
    pub fn offer(
        &mut self,
        device: &Device,
        batch: &Id,
        signed: &[u8],
        now_ms: i64,
    ) -> Result<Answer, IntakeError> {
        let offered = match self.read_manifest(device, batch, signed)? {
            Ok(manifest) => self.store.offer(&manifest, signed, now_ms)?,
            Err(refusal) => return self.refuse(device, refusal, &id_text(batch), now_ms),
        };
        match offered {
            Offer::Known(answer) => Ok(answer),
            Offer::Conflict => {
                let refusal = Code::BatchConflict.refuse(409, "this batch id has another manifest");
                self.refuse(device, refusal, &id_text(batch), now_ms)
            }
        }
    }

    fn read_manifest(
        &self,
        device: &Device,
        batch: &Id,
        signed: &[u8],
    ) -> Result<Result<Manifest, Refusal>, StoreError> {
        let payload = match verified(&self.store, &device.id, signed, ContentType::Manifest)? {
            Ok(payload) => payload,
            Err(fault) => return Ok(Err(cose_code(fault).refuse(400, chain(&fault)))),
        };
        Ok(Manifest::read(payload).map_err(manifest_refusal).and_then(|manifest| {
            if manifest.device != device.id {
                Err(Code::WrongDevice.refuse(400, "the manifest speaks for another device"))
            } else if manifest.batch != *batch {
                Err(Code::WrongId.refuse(400, "the manifest is of another batch"))
            } else {
                Ok(manifest)
            }
        }))
    }

    /// Takes the envelope of an announced record.
    pub fn keep(
        &mut self,
        device: &Device,
        id: &Id,
        envelope: &[u8],
        now_ms: i64,
    ) -> Result<Kept, IntakeError> {
        let digest = sha256(envelope);
        if let Some(held) = self.store.held(id)? {
            if held.device == device.id && held.digest == digest {
                self.store.count(DUPLICATES)?;
                return Ok(Kept::Again);
            }
            return self.refuse(device, record_conflict(), &id_text(id), now_ms);
        }
        let Some(claim) = self.store.claim(&device.id, id)? else {
            let refusal = self.unannounced(device, id)?;
            return self.refuse(device, refusal, &id_text(id), now_ms);
        };
        if claim.digest != digest {
            return self.refuse(device, record_conflict(), &id_text(id), now_ms);
        }
        match read_record(&self.store, &self.opening, &device.id, id, &claim, envelope)? {
            Ok(record) => self.store.keep(&record, &claim, envelope, now_ms)?,
            Err(refusal) => {
                self.store.refuse(&device.id, id, &digest, refusal.code, now_ms)?;
                return self.refuse(device, refusal, &id_text(id), now_ms);
            }
        }
        Ok(Kept::New)
    }

    fn unannounced(&self, device: &Device, id: &Id) -> Result<Refusal, StoreError> {
        Ok(match self.store.refused_claim(&device.id, id)?.as_deref() {
            Some(code) if code == Code::SeqConflict.text() => {
                Code::SeqConflict.refuse(409, "this sequence number belongs to another record")
            }
            Some(_) => record_conflict(),
            None => Code::NotAnnounced.refuse(400, "no manifest announced this record"),
        })
    }

    /// Takes a piece of an announced picture.
    pub fn append(
        &mut self,
        device: &Device,
        digest: &Digest,
        offset: u64,
        bytes: &[u8],
        now_ms: i64,
    ) -> Result<Piece, IntakeError> {
        let Some(len) = self.store.announced_picture(&device.id, digest)? else {
            let refusal = Code::NotAnnounced.refuse(400, "no manifest announced this picture");
            return self.refuse(device, refusal, &hex::encode(digest), now_ms);
        };
        if self.store.has_picture(digest)? {
            return Ok(Piece::Whole);
        }
        let kept = self.pictures.kept(&device.id, digest)?;
        if kept >= len {
            // We died between the last byte and the verdict; there is nothing left to send.
            return self.finish_picture(device, digest, len, now_ms);
        }
        if offset != kept {
            return Ok(Piece::Elsewhere(kept));
        }
        let end = kept.saturating_add(bytes.len() as u64);
        if end > len.min(PICTURE_BYTES_MAX) {
            return self.drop_picture(device, digest, Code::WrongDigest, now_ms);
        }
        self.pictures.append(&device.id, digest, bytes)?;
        if end < len {
            Ok(Piece::More(end))
        } else {
            self.finish_picture(device, digest, len, now_ms)
        }
    }

    fn finish_picture(
        &mut self,
        device: &Device,
        digest: &Digest,
        len: u64,
        now_ms: i64,
    ) -> Result<Piece, IntakeError> {
        let sealed = self.pictures.read_part(&device.id, digest)?;
        if sha256(&sealed) != *digest {
            return self.drop_picture(device, digest, Code::WrongDigest, now_ms);
        }
        // A receipt lets the terminal delete its copy, so a picture nobody can open gets none.
        match self.opening.open(&sealed, ContentType::Picture) {
            Ok(picture) if is_picture(&picture) => (),
            Ok(_) => return self.drop_picture(device, digest, Code::NotAPicture, now_ms),
            Err(fault) => return self.drop_picture(device, digest, cose_code(fault), now_ms),
        }
        self.pictures.settle(&device.id, digest)?;
        self.store.keep_picture(digest, len, now_ms)?;
        Ok(Piece::Whole)
    }

    fn drop_picture(
        &mut self,
        device: &Device,
        digest: &Digest,
        code: Code,
        now_ms: i64,
    ) -> Result<Piece, IntakeError> {
        self.pictures.drop_part(&device.id, digest)?;
        let refusal = code.refuse(422, "the kept bytes of this picture are dropped");
        self.refuse(device, refusal, &hex::encode(digest), now_ms)
    }

    /// Receipts for every complete record of a batch.
    pub fn commit(
        &mut self,
        device: &Device,
        batch: &Id,
        now_ms: i64,
    ) -> Result<Vec<Vec<u8>>, IntakeError> {
        let receipts = self.store.commit(&device.id, batch, &self.receipt_key, now_ms)?;
        receipts.ok_or_else(|| {
            Code::UnknownBatch.refuse(404, "this device offered no such batch").into()
        })
    }

    /// The receipt of one record.
    pub fn receipt(&self, device: &Device, id: &Id) -> Result<Vec<u8>, IntakeError> {
        let receipt = self.store.receipt(&device.id, id)?;
        receipt.ok_or_else(|| Code::NoReceipt.refuse(404, "no receipt was issued for it").into())
    }

    /// Pictures whose files were lost outside our doing are asked for again.
    fn forget_lost_pictures(&mut self) -> Result<(), IntakeError> {
        for digest in self.store.picture_digests()? {
            if !self.pictures.is_whole(&digest) {
                tracing::warn!(picture = hex::encode(&digest), "a picture's file is gone");
                self.store.forget_picture(&digest)?;
            }
        }
        Ok(())
    }

    /// Remembers a refusal and hands it back.
    fn refuse<T>(
        &mut self,
        device: &Device,
        refusal: Refusal,
        about: &str,
        now_ms: i64,
    ) -> Result<T, IntakeError> {
        self.note(&device.id, &refusal, about, now_ms)?;
        Err(refusal.into())
    }

    fn note(
        &mut self,
        device: &str,
        refusal: &Refusal,
        about: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let code = refusal.code.text();
        let security = refusal.code.is_security_event();
        self.store.note(Event { device, code, about, security }, now_ms)
    }
}

/// Opens, verifies and reads an envelope that `device` announced as `claim`.
pub(crate) fn read_record(
    store: &Store,
    opening: &OpeningKey,
    device: &str,
    id: &Id,
    claim: &Claim,
    envelope: &[u8],
) -> Result<Result<Record, Refusal>, StoreError> {
    let unreadable = |fault: CoseError| cose_code(fault).refuse(422, chain(&fault));
    let signed = match opening.open(envelope, ContentType::Record) {
        Ok(signed) => signed,
        Err(fault) => return Ok(Err(unreadable(fault))),
    };
    let payload = match verified(store, device, &signed, ContentType::Record)? {
        Ok(payload) => payload,
        Err(fault) => return Ok(Err(unreadable(fault))),
    };
    Ok(Record::read(payload)
        .map_err(|fault| record_code(fault).refuse(422, chain(&fault)))
        .and_then(|record| check_record(record, device, id, claim, envelope)))
}

/// The payload of something this device signed.
fn verified<'a>(
    store: &Store,
    device: &str,
    signed: &'a [u8],
    content_type: ContentType,
) -> Result<Result<&'a [u8], CoseError>, StoreError> {
    let signed = match Signed::read(signed, content_type) {
        Ok(signed) => signed,
        Err(fault) => return Ok(Err(fault)),
    };
    let key = store.device_key(device, &signed.kid())?;
    Ok(key.ok_or(CoseError::UnknownKey).and_then(|key| signed.verify(&key)))
}

fn check_record(
    record: Record,
    device: &str,
    id: &Id,
    claim: &Claim,
    envelope: &[u8],
) -> Result<Record, Refusal> {
    let mut pictures = record.pictures.clone();
    pictures.sort();
    if record.id != *id {
        Err(Code::WrongId.refuse(422, "the record inside has another id"))
    } else if record.device != device {
        Err(Code::WrongDevice.refuse(422, "the record inside is of another device"))
    } else if pictures != claim.pictures {
        Err(Code::WrongPictures.refuse(422, "the record names other pictures than its manifest"))
    } else if claim.len != envelope.len() as u64 {
        Err(Code::Malformed.refuse(422, "the manifest gives another length"))
    } else {
        Ok(record)
    }
}

fn record_conflict() -> Refusal {
    Code::RecordConflict.refuse(409, "this record id stands for other bytes")
}

/// JPEG, PNG, or the chip's photo block as the card gave it: the centre has the licensed decoder.
fn is_picture(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
        || bytes.starts_with(b"\x89PNG\r\n\x1a\n")
        || bytes.len() == CHIP_PHOTO_BYTES
}

/// Size of the photo block of a resident identity card.
const CHIP_PHOTO_BYTES: usize = 1024;
