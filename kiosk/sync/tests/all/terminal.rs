//! Fixed keys, an invented record, and an outbox in memory.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Mutex;

use hpke::rand_core::{TryCryptoRng, TryRng};
use kiosk_core::identity::{CardIdentity, IdNumber, IdentitySource, PersonName, Sex, ValidTo};
use kiosk_core::moment::{Doubt, Moment};
use kiosk_core::outcome::Outcome;
use kiosk_core::record::{
    Appeal, BenefitResult, Consent, Evidence, Receipt, Record, RecordId, SealedRecord,
    TemplateRecord,
};
use kiosk_sync::{
    AuthorityKeys, FileKey, Offer, OfferedPicture, Outbox, OutboxError, Picture, Sealer,
};
use p256::SecretKey;
use p256::pkcs8::EncodePrivateKey;
use sha2::{Digest, Sha256};

pub(crate) const SIGN: [u8; 32] = [0x11; 32];
pub(crate) const RECEIPT: [u8; 32] = [0x33; 32];
pub(crate) const OTHER: [u8; 32] = [0x22; 32];
pub(crate) const ENC: [u8; 32] = [0x44; 32];

pub(crate) fn device_key() -> FileKey {
    let secret = SecretKey::from_slice(&SIGN).unwrap();
    FileKey::from_pem(&secret.to_pkcs8_pem(Default::default()).unwrap()).unwrap()
}

pub(crate) fn authority_keys(device: &str) -> AuthorityKeys {
    let receipt = hex(&public_point(&RECEIPT));
    let enc = hex(&enc_public());
    AuthorityKeys::from_toml(&format!(
        "device = \"{device}\"\nsite = \"S-1\"\nsuite = \"INTL-1\"\nenc_key = \"{enc}\"\n\
         receipt_key = \"{receipt}\"\ndown_key = \"{receipt}\"\npolicy_key = \"{receipt}\"\n"
    ))
    .unwrap()
}

pub(crate) fn sealer() -> Sealer {
    Sealer::new(Box::new(device_key()), authority_keys("K-1").enc)
}

pub(crate) fn public_point(secret: &[u8; 32]) -> Vec<u8> {
    let key = SecretKey::from_slice(secret).unwrap();
    key.public_key().to_sec1_bytes().to_vec()
}

pub(crate) fn enc_public() -> Vec<u8> {
    use hpke::{Deserializable, Kem, Serializable, kem::X25519HkdfSha256};
    let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(&ENC).unwrap();
    X25519HkdfSha256::sk_to_pk(&secret).to_bytes().to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Numbers that look random and are the same every time. A splitmix64.
pub(crate) struct Fixed(pub(crate) u64);

impl Fixed {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.draw() % n
    }
}

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.draw() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.draw())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            *byte = self.draw() as u8;
        }
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

pub(crate) fn moment(n: u64) -> Moment {
    Moment {
        wall_ms: 1_791_000_000_000 + n as i64 * 60_000,
        boot_id: [7; 16],
        mono_ms: 86_400_000 + n * 60_000,
        doubt: Doubt::None,
        within: None,
    }
}

/// A record of an invented person with every field filled, or with as few as may be.
pub(crate) fn record(n: u8, full: bool) -> Record {
    let mut id = [0; 16];
    id[0] = 1;
    id[6] = 0x70;
    id[8] = 0x80;
    id[15] = n;
    Record {
        id: RecordId(id),
        visit: [n; 16],
        device: "K-1".into(),
        site: "S-1".into(),
        captured: moment(u64::from(n)),
        subject: subject(),
        outcome: if full { Outcome::AppealFiled } else { Outcome::Certified },
        benefits: if full { vec![benefit()] } else { Vec::new() },
        evidence: if full { vec![evidence()] } else { Vec::new() },
        operators: vec!["op-1".into()],
        consent: full.then(consent),
        pictures: Vec::new(),
        templates: if full { vec![template()] } else { Vec::new() },
        appeal: full.then(|| Appeal { reason: "face-changed".into(), statement: None }),
        supersedes: full.then_some(RecordId([9; 16])),
        legal_basis: "PIPL-13-1-3".into(),
    }
}

fn subject() -> CardIdentity {
    let number = IdNumber::parse("11010519491231002X").unwrap();
    CardIdentity {
        name: PersonName("常青".into()),
        sex: Sex::Female,
        birth: number.birth(),
        number,
        address: String::new(),
        issuer: String::new(),
        valid_from: None,
        valid_to: ValidTo::Open,
        source: IdentitySource::Chip,
        has_photo: true,
    }
}

fn benefit() -> BenefitResult {
    BenefitResult {
        pack: "urban".into(),
        pack_version: 3,
        state: "current".into(),
        counted: true,
        next_due: Some("2027-10-03".into()),
    }
}

fn evidence() -> Evidence {
    Evidence {
        modality: "face".into(),
        verdict: "unsure".into(),
        score: Some(0.5),
        quality: Some(80),
        pad: None,
        model: "edge-1".into(),
        threshold_set: "county-2026".into(),
        accept: Some(0.36),
        reference: "chip-photo".into(),
        reasons: vec!["why-old-photo".into()],
        attempts: 3,
    }
}

fn consent() -> Consent {
    Consent {
        notice: "n-2".into(),
        notice_digest: [9; 32],
        choice: "agreed".into(),
        who: "self".into(),
        alternatives: vec!["fingerprint".into(), "paper".into()],
    }
}

fn template() -> TemplateRecord {
    TemplateRecord {
        modality: "finger".into(),
        format: "ISO19794-2:2005".into(),
        extractor: "crossings-1".into(),
        template: b"FMR\0".to_vec(),
        quality: 60,
    }
}

/// Bytes of the first marker of a JPEG and then noise.
pub(crate) fn picture(len: usize, seed: u64) -> Picture {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0];
    let mut noise = Fixed(seed);
    bytes.extend((4..len.max(4)).map(|_| noise.draw() as u8));
    Picture { role: "live-face".into(), bytes }
}

/// Sealed once and then remembered: a picture of 300 kB goes in two pieces, and takes its time to seal.
pub(crate) fn sealed(n: u8, pictures: usize) -> SealedRecord {
    static MADE: Mutex<BTreeMap<(u8, usize), SealedRecord>> = Mutex::new(BTreeMap::new());
    let make = || {
        let pictures = (0..pictures).map(|p| picture(300_000 * p + 900, p as u64)).collect();
        let random = &mut Fixed(u64::from(n));
        sealer().seal_with(&mut record(n, n.is_multiple_of(2)), pictures, random).unwrap()
    };
    MADE.lock().unwrap().entry((n, pictures)).or_insert_with(make).clone()
}

pub(crate) fn offer(seq: u64, record: &SealedRecord) -> Offer {
    Offer {
        record: record.id,
        seq,
        lane: record.lane,
        len: record.envelope.len() as u64,
        digest: record.digest,
        pictures: record
            .pictures
            .iter()
            .map(|p| OfferedPicture {
                role: p.role.clone(),
                digest: p.digest,
                len: p.sealed.len() as u64,
            })
            .collect(),
    }
}

/// The store as plain maps. Nothing can be deleted from it.
#[derive(Default)]
pub(crate) struct MemoryOutbox {
    pub(crate) records: BTreeMap<u64, SealedRecord>,
    pub(crate) receipts: BTreeMap<RecordId, Vec<Receipt>>,
    pub(crate) held: BTreeMap<RecordId, String>,
    pub(crate) security: Vec<String>,
    pub(crate) batches: Vec<Vec<u8>>,
    pub(crate) open: Option<([u8; 16], Vec<u8>)>,
    pub(crate) damaged: Option<[u8; 32]>,
}

impl MemoryOutbox {
    pub(crate) fn with(records: Vec<SealedRecord>) -> Self {
        Self { records: (1..).zip(records).collect(), ..Self::default() }
    }

    pub(crate) fn waiting(&self) -> usize {
        let over = |record: &&SealedRecord| {
            !self.receipts.contains_key(&record.id) && !self.held.contains_key(&record.id)
        };
        self.records.values().filter(over).count()
    }
}

impl Outbox for MemoryOutbox {
    fn next(&mut self, max_records: usize, _: u64) -> Result<Vec<Offer>, OutboxError> {
        let mut waiting: Vec<_> = self
            .records
            .iter()
            .filter(|(_, r)| !self.receipts.contains_key(&r.id) && !self.held.contains_key(&r.id))
            .map(|(seq, record)| offer(*seq, record))
            .collect();
        waiting.sort_by_key(|offer| (offer.lane, offer.seq));
        waiting.truncate(max_records);
        Ok(waiting)
    }

    fn envelope(&mut self, record: RecordId) -> Result<Vec<u8>, OutboxError> {
        let found = self.records.values().find(|r| r.id == record);
        Ok(found.ok_or(OutboxError::Damaged)?.envelope.clone())
    }

    fn picture(&mut self, digest: &[u8; 32]) -> Result<Vec<u8>, OutboxError> {
        if self.damaged == Some(*digest) {
            return Err(OutboxError::Damaged);
        }
        let mut pictures = self.records.values().flat_map(|r| &r.pictures);
        Ok(pictures.find(|p| p.digest == *digest).ok_or(OutboxError::Damaged)?.sealed.clone())
    }

    fn deliver(&mut self, receipt: &Receipt) -> Result<(), OutboxError> {
        let own = &self.records[&receipt.seq];
        assert_eq!(
            (own.id, own.digest),
            (receipt.record, receipt.digest),
            "a wrong receipt came through"
        );
        self.receipts.entry(receipt.record).or_default().push(receipt.clone());
        Ok(())
    }

    fn hold(&mut self, record: RecordId, code: &str) -> Result<(), OutboxError> {
        self.held.insert(record, code.to_owned());
        Ok(())
    }

    fn security(&mut self, _: Option<RecordId>, code: &str) -> Result<(), OutboxError> {
        self.security.push(code.to_owned());
        Ok(())
    }

    fn open_batch(&mut self) -> Result<Option<([u8; 16], Vec<u8>)>, OutboxError> {
        Ok(self.open.clone())
    }

    fn begin_batch(
        &mut self,
        batch: [u8; 16],
        manifest: &[u8],
        _: &[RecordId],
    ) -> Result<(), OutboxError> {
        self.open = Some((batch, manifest.to_vec()));
        self.batches.push(manifest.to_vec());
        Ok(())
    }

    fn end_batch(&mut self, batch: [u8; 16]) -> Result<(), OutboxError> {
        assert_eq!(self.open.as_ref().map(|(id, _)| *id), Some(batch));
        self.open = None;
        Ok(())
    }

    fn previous_batch(&mut self) -> Result<Option<[u8; 32]>, OutboxError> {
        Ok(self.batches.last().map(|manifest| sha256(manifest)))
    }

    fn audit_head(&mut self) -> Result<Option<[u8; 32]>, OutboxError> {
        Ok(Some([5; 32]))
    }
}
