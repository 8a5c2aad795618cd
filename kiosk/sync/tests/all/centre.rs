//! A centre in memory: honest by itself, and the place where the other tests plug in their lies.
//!
//! It signs with `coset`, a second implementation of what the terminal reads.

use std::collections::{BTreeMap, BTreeSet};

use coset::cbor::value::Value;
use coset::{CborSerializable, CoseSign1Builder, HeaderBuilder, iana};
use minicbor::{Decoder, Encoder};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};

use kiosk_core::record::RecordId;
use kiosk_sync::{Call, DeviceKey, Manifest, Method, Offer, Reply};

use crate::terminal::{RECEIPT, device_key, public_point, sha256, unhex};

/// What a receipt says. Each lie changes one field.
#[derive(Clone)]
pub(crate) struct Words {
    pub(crate) version: u8,
    pub(crate) record: RecordId,
    pub(crate) digest: [u8; 32],
    pub(crate) device: String,
    pub(crate) seq: u64,
    pub(crate) word: &'static str,
    pub(crate) receipt_no: u64,
}

impl Words {
    pub(crate) fn of(device: &str, offer: &Offer, receipt_no: u64) -> Self {
        Self {
            version: 1,
            record: offer.record,
            digest: offer.digest,
            device: device.into(),
            seq: offer.seq,
            word: "stored",
            receipt_no,
        }
    }

    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        e.map(8).unwrap().u8(0).unwrap().u8(self.version).unwrap();
        e.u8(1).unwrap().bytes(&self.record.0).unwrap();
        e.u8(2).unwrap().bytes(&self.digest).unwrap();
        e.u8(3).unwrap().str(&self.device).unwrap().u8(4).unwrap().u64(self.seq).unwrap();
        e.u8(5).unwrap().str(self.word).unwrap();
        e.u8(6)
            .unwrap()
            .i64(1_791_000_009_000)
            .unwrap()
            .u8(7)
            .unwrap()
            .u64(self.receipt_no)
            .unwrap();
        e.into_writer()
    }

    pub(crate) fn signed(&self) -> Vec<u8> {
        sign1("changqing/receipt", "INTL-1", &RECEIPT, &RECEIPT, &self.payload())
    }
}

/// COSE_Sign1 by the other implementation; the key that signs may differ from the one the header names.
pub(crate) fn sign1(
    content: &str,
    suite: &str,
    signer: &[u8; 32],
    named: &[u8; 32],
    payload: &[u8],
) -> Vec<u8> {
    let key = SigningKey::from_slice(signer).unwrap();
    let header = HeaderBuilder::new()
        .algorithm(iana::Algorithm::ES256)
        .content_type(content.to_owned())
        .key_id(sha256(&public_point(named))[..8].to_vec())
        .value(-70001, Value::Text(suite.into()))
        .build();
    let signed = CoseSign1Builder::new()
        .protected(header)
        .payload(payload.to_vec())
        .create_signature(content.as_bytes(), |message| {
            let signature: Signature = key.sign(message);
            signature.to_bytes().to_vec()
        })
        .build();
    signed.to_vec().unwrap()
}

#[derive(Default)]
pub(crate) struct Centre {
    manifests: BTreeMap<String, Manifest>,
    pub(crate) records: BTreeMap<RecordId, Vec<u8>>,
    pub(crate) pictures: BTreeMap<[u8; 32], Vec<u8>>,
    pub(crate) receipts: BTreeMap<RecordId, Vec<u8>>,
    pub(crate) poison: Option<RecordId>,
    complete: BTreeSet<[u8; 32]>,
    pub(crate) lens: BTreeMap<[u8; 32], u64>,
    pub(crate) picture_bytes_in: u64,
}

impl Centre {
    pub(crate) fn answer(&mut self, call: &Call) -> Reply {
        let path = call.path.trim_start_matches("/v1/").to_owned();
        let (kind, rest) = path.split_once('/').unwrap_or((&path, ""));
        match (call.method, kind) {
            (Method::Put, "batches") => self.take_manifest(rest, &call.body),
            (Method::Put, "records") => self.take_record(rest, &call.body),
            (Method::Put, "pictures") => self.take_picture(rest, &call.body),
            (Method::Post, "batches") => self.commit(rest.trim_end_matches("/commit")),
            _ => reply(404, Vec::new()),
        }
    }

    /// The machine is replaced by an empty one, except for its promises.
    pub(crate) fn forget(&mut self) {
        self.manifests.clear();
        self.pictures.retain(|digest, _| self.complete.contains(digest));
    }

    fn take_manifest(&mut self, id: &str, body: &[u8]) -> Reply {
        let manifest = Manifest::open(device_key().public(), body).unwrap();
        for picture in manifest.offers.iter().flat_map(|offer| &offer.pictures) {
            self.lens.insert(picture.digest, picture.len);
        }
        let need: Vec<_> =
            manifest.offers.iter().filter(|o| !self.records.contains_key(&o.record)).collect();
        let pictures: Vec<_> = manifest
            .offers
            .iter()
            .flat_map(|offer| &offer.pictures)
            .filter(|picture| !self.whole(&picture.digest))
            .collect();
        let mut e = Encoder::new(Vec::new());
        e.map(3).unwrap().u8(0).unwrap().array(need.len() as u64).unwrap();
        for offer in need {
            e.bytes(&offer.record.0).unwrap();
        }
        e.u8(1).unwrap().array(pictures.len() as u64).unwrap();
        for picture in pictures {
            e.bytes(&picture.digest).unwrap();
        }
        e.u8(2).unwrap().array(0).unwrap();
        self.manifests.insert(id.to_owned(), manifest);
        reply(200, e.into_writer())
    }

    fn take_record(&mut self, id: &str, body: &[u8]) -> Reply {
        let record = RecordId(unhex(id).try_into().unwrap());
        if self.poison == Some(record) {
            return refusal(422, "unreadable");
        }
        if self.manifests.is_empty() {
            return refusal(400, "not-announced");
        }
        match self.records.get(&record) {
            Some(known) if known == body => reply(200, Vec::new()),
            Some(_) => refusal(409, "other-digest"),
            None => {
                self.records.insert(record, body.to_vec());
                reply(201, Vec::new())
            }
        }
    }

    fn take_picture(&mut self, rest: &str, body: &[u8]) -> Reply {
        let (digest, offset) = rest.split_once("?offset=").unwrap();
        let digest: [u8; 32] = unhex(digest).try_into().unwrap();
        let offset: usize = offset.parse().unwrap();
        if self.manifests.is_empty() {
            return refusal(400, "not-announced");
        }
        self.picture_bytes_in += body.len() as u64;
        let kept = self.pictures.entry(digest).or_default();
        if kept.len() as u64 == self.lens[&digest] {
            return reply(201, Vec::new());
        }
        if kept.len() != offset {
            return reply(409, offset_body(kept.len() as u64));
        }
        kept.extend(body);
        if (kept.len() as u64) < self.lens[&digest] {
            return reply(202, offset_body(kept.len() as u64));
        }
        if sha256(kept) == digest {
            self.complete.insert(digest);
            return reply(201, Vec::new());
        }
        kept.clear();
        refusal(422, "digest")
    }

    fn commit(&mut self, id: &str) -> Reply {
        let Some(manifest) = self.manifests.get(id).cloned() else {
            return refusal(404, "unknown-batch");
        };
        let stored: Vec<_> = manifest
            .offers
            .iter()
            .filter(|offer| self.records.contains_key(&offer.record))
            .filter(|offer| offer.pictures.iter().all(|picture| self.whole(&picture.digest)))
            .collect();
        let mut e = Encoder::new(Vec::new());
        e.array(stored.len() as u64).unwrap();
        for offer in stored {
            let no = self.receipts.len() as u64 + 1;
            let words = Words::of(&manifest.device, offer, no);
            let signed = self.receipts.entry(offer.record).or_insert_with(|| words.signed());
            e.bytes(signed).unwrap();
        }
        reply(200, e.into_writer())
    }

    fn whole(&self, digest: &[u8; 32]) -> bool {
        self.complete.contains(digest)
    }
}

pub(crate) fn reply(status: u16, body: Vec<u8>) -> Reply {
    Reply { status, body, retry_after: None, server_time_ms: Some(1_791_000_010_000) }
}

pub(crate) fn refusal(status: u16, code: &str) -> Reply {
    let mut e = Encoder::new(Vec::new());
    e.map(2).unwrap().u8(0).unwrap().str(code).unwrap().u8(1).unwrap().str("no").unwrap();
    reply(status, e.into_writer())
}

pub(crate) fn offset_body(next: u64) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.map(1).unwrap().u8(0).unwrap().u64(next).unwrap();
    e.into_writer()
}

/// The receipts inside a commit's answer.
pub(crate) fn receipts_in(body: &[u8]) -> Vec<Vec<u8>> {
    let mut d = Decoder::new(body);
    (0..d.array().unwrap().unwrap()).map(|_| d.bytes().unwrap().to_vec()).collect()
}

pub(crate) fn receipts_body(receipts: &[Vec<u8>]) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.array(receipts.len() as u64).unwrap();
    for receipt in receipts {
        e.bytes(receipt).unwrap();
    }
    e.into_writer()
}
