//! Bytes that bind: ours, written here by fixed keys, and the authority's, written by the authority's own tests.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use expect_test::expect_file;
use serde::Deserialize;

use kiosk_core::moment::{Doubt, Interval, Moment};
use kiosk_core::record::{Lane, RecordId};
use kiosk_sync::receipt::verify;
use kiosk_sync::{DeviceKey, Manifest, Offer, VerifyKey};

use crate::centre::{Words, sign1};
use crate::sealing::unseal;
use crate::terminal::{
    ENC, Fixed, OTHER, RECEIPT, SIGN, device_key, enc_public, hex, moment, offer, picture,
    public_point, record, sealer, sha256, unhex,
};

#[test]
fn records() {
    let mut text = heading("Records: payload, signed inside, envelope outside; and a picture.");
    let within = |latest_ms| Some(Interval { earliest_ms: 1_790_999_000_000, latest_ms });
    for (name, n, full, within) in [
        ("as little as may be", 1, false, None),
        ("every field", 2, true, None),
        ("a clock in doubt, not earlier than an instant", 3, false, within(None)),
        ("a clock in doubt between two instants", 4, false, within(Some(1_791_001_000_000))),
    ] {
        let mut record = record(n, full);
        if within.is_some() {
            record.captured = Moment { doubt: Doubt::Doubtful, within, ..record.captured };
        }
        let pictures = if full { vec![picture(64, 1)] } else { Vec::new() };
        let plain = pictures.first().map(|p| hex(&p.bytes));
        let sealed = sealer().seal_with(&mut record, pictures, &mut Fixed(u64::from(n))).unwrap();
        let signed = unseal("changqing/record", &sealed.envelope);
        writeln!(text, "\n[[record]]\nname = \"{name}\"").unwrap();
        line(&mut text, "payload", &record.to_cbor());
        line(&mut text, "signed", &signed);
        line(&mut text, "envelope", &sealed.envelope);
        line(&mut text, "digest", &sealed.digest);
        if let Some(plain) = plain {
            writeln!(text, "picture = \"{plain}\"").unwrap();
            line(&mut text, "picture_sealed", &sealed.pictures[0].sealed);
            line(&mut text, "picture_digest", &sealed.pictures[0].digest);
        }
    }
    expect_file!["../vectors/records.toml"].assert_eq(&text);
}

#[test]
fn manifests() {
    let mut text = heading("Manifests: payload and signed bytes. The second names the first.");
    let sealed = |n: u8, pictures| {
        let pictures = (0..pictures).map(|p| picture(64, p)).collect();
        sealer().seal_with(&mut record(n, n == 2), pictures, &mut Fixed(u64::from(n))).unwrap()
    };
    let first = Manifest {
        batch: [1; 16],
        device: "K-1".into(),
        previous: None,
        audit_head: None,
        at: moment(100),
        offers: vec![offer(1, &sealed(1, 0))],
    };
    let second = Manifest {
        batch: [2; 16],
        previous: Some(sha256(&first.sign(&device_key()).unwrap())),
        audit_head: Some([5; 32]),
        offers: vec![offer(24, &sealed(2, 2)), offer(23, &sealed(1, 0))],
        ..first.clone()
    };
    for (name, manifest) in [("the first of a terminal", first), ("the second", second)] {
        let signed = manifest.sign(&device_key()).unwrap();
        assert_eq!(Manifest::open(device_key().public(), &signed), Ok(as_sent(&manifest)));
        writeln!(text, "\n[[manifest]]\nname = \"{name}\"").unwrap();
        line(&mut text, "payload", &manifest.to_cbor());
        line(&mut text, "signed", &signed);
    }
    expect_file!["../vectors/manifests.toml"].assert_eq(&text);
}

/// The doubt of a manifest's clock is not sent.
fn as_sent(manifest: &Manifest) -> Manifest {
    let mut sent = manifest.clone();
    sent.at.doubt = Default::default();
    sent
}

#[test]
fn receipts() {
    let mut text = heading(
        "Receipts for record 0100…0001, digest 01…, number 7 of K-1; and what they are worth.",
    );
    let offer = Offer {
        record: record(1, false).id,
        seq: 7,
        lane: Lane::ProofOfLife,
        len: 1,
        digest: [1; 32],
        pictures: Vec::new(),
    };
    let words = Words::of("K-1", &offer, 9);
    let changed = |change: &dyn Fn(&mut Words)| {
        let mut words = words.clone();
        change(&mut words);
        words.signed()
    };
    let by = |signer, named| sign1("changqing/receipt", "INTL-1", signer, named, &words.payload());
    let table = [
        ("good", words.signed()),
        ("forged", by(&OTHER, &RECEIPT)),
        ("another kid", by(&OTHER, &OTHER)),
        ("another digest", changed(&|w| w.digest[31] ^= 1)),
        ("another record", changed(&|w| w.record = RecordId([8; 16]))),
        ("another number", changed(&|w| w.seq = 8)),
        ("another device", changed(&|w| w.device = "K-11".into())),
        ("another word", changed(&|w| w.word = "held")),
    ];
    let key = VerifyKey::from_sec1(&public_point(&RECEIPT)).unwrap();
    for (name, signed) in table {
        let worth = match verify(&key, "K-1", std::slice::from_ref(&offer), &signed) {
            Ok(receipt) => {
                assert_eq!((receipt.receipt_no, &receipt.signed), (9, &signed));
                "counts"
            }
            Err(error) => error.code(),
        };
        writeln!(text, "\n[[receipt]]\nname = \"{name}\"\nworth = \"{worth}\"").unwrap();
        line(&mut text, "signed", &signed);
    }
    expect_file!["../vectors/receipts.toml"].assert_eq(&text);
}

#[derive(Deserialize)]
struct TheirReceipts {
    record: String,
    digest: String,
    device: String,
    seq: u64,
    receipt: Vec<TheirReceipt>,
}

#[derive(Deserialize)]
struct TheirReceipt {
    wrong: String,
    bytes: String,
}

#[test]
fn of_the_authoritys_receipts_exactly_the_good_one_counts() {
    let keys: BTreeMap<String, String> = toml::from_str(&theirs("authority-keys.toml")).unwrap();
    let file: TheirReceipts = toml::from_str(&theirs("authority-receipts.toml")).unwrap();
    let key = VerifyKey::from_sec1(&unhex(&keys["receipt_public"])).unwrap();
    assert_eq!(hex(key.kid()), keys["receipt_kid"]);
    let offer = Offer {
        record: RecordId(unhex(&file.record).try_into().unwrap()),
        seq: file.seq,
        lane: Lane::ProofOfLife,
        len: 1,
        digest: unhex(&file.digest).try_into().unwrap(),
        pictures: Vec::new(),
    };
    assert!(file.receipt.len() > 10);
    for receipt in file.receipt {
        let worth =
            verify(&key, &file.device, std::slice::from_ref(&offer), &unhex(&receipt.bytes));
        assert_eq!(worth.is_ok(), receipt.wrong == "nothing", "{}", receipt.wrong);
    }
}

/// Committed by the authority's tests; both sides read the same document and no line of each other's code.
fn theirs(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn heading(what: &str) -> String {
    let mut text = format!(
        "# {what}\n# Hex; by the keys below, of an invented person. UPDATE_EXPECT=1 writes it anew.\n"
    );
    for (name, secret) in [("sign", SIGN), ("receipt", RECEIPT), ("other", OTHER)] {
        line(&mut text, &format!("{name}_secret"), &secret);
        line(&mut text, &format!("{name}_public"), &public_point(&secret));
    }
    line(&mut text, "enc_secret", &ENC);
    line(&mut text, "enc_public", &enc_public());
    text
}

fn line(text: &mut String, name: &str, bytes: &[u8]) {
    writeln!(text, "{name} = \"{}\"", hex(bytes)).unwrap();
}
