//! Invented visits whose bytes follow from a number.

use sha2::{Digest, Sha256};

use kiosk_core::identity::IdNumber;
use kiosk_core::moment::Moment;
use kiosk_core::record::{Lane, Receipt, RecordId, SealedPicture, SealedRecord};
use kiosk_core::roster::RosterKeys;
use kiosk_store::{AuditLine, Commit, NewReference, RosterEntry, StoreKey, Success};

pub(crate) fn key() -> StoreKey {
    StoreKey::from_bytes([42; 32])
}

pub(crate) fn number(n: u8) -> IdNumber {
    let body = format!("110105194912{:02}00{}", 1 + n % 28, n % 10);
    let numbers = (b'0'..=b'9').chain([b'X']).map(|check| format!("{body}{}", char::from(check)));
    numbers.filter_map(|text| IdNumber::parse(&text).ok()).next().unwrap()
}

pub(crate) fn bytes(seed: &str, len: usize) -> Vec<u8> {
    (0..len.div_ceil(32))
        .flat_map(|block| <[u8; 32]>::from(Sha256::digest(format!("{seed} {block}"))))
        .take(len)
        .collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn moment(n: u8) -> Moment {
    Moment { wall_ms: i64::from(n) * 60_000, mono_ms: u64::from(n), ..Moment::default() }
}

pub(crate) fn lane(n: u8) -> Lane {
    [Lane::Rest, Lane::ProofOfLife, Lane::Appeal, Lane::Enrolment][usize::from(n % 4)]
}

pub(crate) fn envelope(n: u8) -> Vec<u8> {
    bytes(&format!("envelope {n}"), 200 + 37 * usize::from(n))
}

pub(crate) fn commit(n: u8) -> Commit {
    let envelope = envelope(n);
    let pictures = (0..n % 3).map(|p| {
        let sealed = bytes(&format!("picture {n} {p}"), 900);
        SealedPicture { role: "live-face".into(), digest: sha256(&sealed), sealed }
    });
    Commit {
        record: SealedRecord {
            id: RecordId([n; 16]),
            lane: lane(n),
            outcome: "CERTIFIED".into(),
            captured: moment(n),
            digest: sha256(&envelope),
            envelope,
            pictures: pictures.collect(),
        },
        subject: key().subject(&number(n % 5)),
        visit: [n ^ 0xff; 16],
        supersedes: None,
        audit: line("visit-sealed", n),
        references: (0..n % 2).map(|_| reference(n)).collect(),
        successes: vec![success(n)],
        slip: bytes("slip", n.into()),
    }
}

pub(crate) fn line(event: &str, n: u8) -> AuditLine {
    AuditLine { at: moment(n), actor: "op-1".into(), event: event.into(), detail: n.to_string() }
}

pub(crate) fn reference(n: u8) -> NewReference {
    NewReference {
        modality: if n % 4 == 1 { "face" } else { "finger" }.into(),
        format: "f32x512".into(),
        extractor: "edge-1".into(),
        bytes: bytes(&format!("template {n}"), 64),
        quality: n % 101,
        origin: "visit".into(),
    }
}

pub(crate) fn success(n: u8) -> Success {
    Success { pack: format!("pack-{}", n % 2), method: "face".into(), captured: moment(n) }
}

pub(crate) fn roster_entry(n: u8, bytes: Vec<u8>) -> RosterEntry {
    let keys = RosterKeys {
        folded: "常青一".into(),
        spellings: vec!["changqingyi".into(), "cqy".into()],
        village: "石桥村".into(),
        ..RosterKeys::default()
    };
    RosterEntry { number: number(n), bytes, keys }
}

pub(crate) fn receipt(n: u8, seq: u64) -> Receipt {
    Receipt {
        record: RecordId([n; 16]),
        digest: sha256(&envelope(n)),
        seq,
        receipt_no: 1_000 + u64::from(n),
        server_time_ms: 5,
        signed: bytes(&format!("receipt {n}"), 100),
    }
}
