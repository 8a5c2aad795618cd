//! The committed vectors: bytes by fixed keys, good and bad, each saying what is wrong.
//! `UPDATE_EXPECT=1` writes them anew; otherwise they must be what this code writes, to the byte,
//! and the authority must judge them as they say.

use std::{fmt::Write, fs, path::PathBuf};

use authority::{
    cose::{ContentType, OpeningKey, public_bytes, sha256},
    hex,
    intake::{Intake, IntakeError, Piece},
    keys::Keys,
    manifest::Manifest,
    receipt::Receipt,
    record::{Picture, Record},
    store::{Device, Store},
};
use p256::{
    ecdsa::SigningKey,
    pkcs8::{EncodePrivateKey, LineEnding},
};
use toml::{Table, Value as Toml};

use super::{
    bent::{self, Case, Hands, flipped},
    paper::{self, Announced, Entry, Head, MANIFEST, PICTURE},
};

/// The fixed keys of the vectors. They protect nothing.
struct Fixed {
    device: SigningKey,
    other: SigningKey,
    receipt: SigningKey,
    enc: OpeningKey,
}

impl Fixed {
    fn new() -> Self {
        let key = |byte: u8| SigningKey::from_slice(&[byte; 32]).expect("a scalar");
        Self {
            device: key(0x11),
            other: key(0x22),
            receipt: key(0x33),
            enc: OpeningKey::new(&[0x44; 32]),
        }
    }

    fn hands(&self) -> Hands<'_> {
        Hands { device: "K-1", key: &self.device, other: &self.other, enc: self.enc.public() }
    }

    /// The entry that the vectors' manifests list.
    fn entry(&self) -> Entry {
        let jpeg = [&[0xff, 0xd8, 0xff, 0xe0][..], b"no real picture"].concat();
        let picture = paper::seal(PICTURE, &self.enc.public(), &jpeg, 5);
        let announced = [Announced::of(&picture)];
        let record = paper::record("K-1", paper::id(7), &announced).encode();
        let signed = paper::sign(paper::RECORD, &self.device, &record);
        let envelope = paper::seal(paper::RECORD, &self.enc.public(), &signed, 7);
        Entry::of(paper::id(7), 7, &envelope, &announced)
    }
}

fn keys_text(fixed: &Fixed) -> String {
    let pair = |key: &SigningKey| (hex::encode(&key.to_bytes()), public_bytes(key.verifying_key()));
    let mut text = HEAD.to_owned();
    for (name, key) in
        [("sign", &fixed.device), ("other_sign", &fixed.other), ("receipt", &fixed.receipt)]
    {
        let (secret, public) = pair(key);
        line(&mut text, &format!("{name}_secret"), &secret);
        line(&mut text, &format!("{name}_public"), &hex::encode(&public));
        line(&mut text, &format!("{name}_kid"), &hex::encode(&paper::kid(&public)));
    }
    let public = fixed.enc.public();
    line(&mut text, "enc_secret", &hex::encode(&[0x44; 32]));
    line(&mut text, "enc_public", &hex::encode(&public));
    line(&mut text, "enc_kid", &hex::encode(&paper::kid(&public)));
    line(&mut text, "device", "K-1");
    text
}

fn cases_text(table: &str, cases: &[Case]) -> String {
    let mut text = HEAD.to_owned();
    for case in cases {
        let _ = write!(text, "\n[[{table}]]\n");
        line(&mut text, "wrong", case.what);
        line(&mut text, "answer", case.want);
        line(&mut text, "id", &hex::encode(&case.id));
        line(&mut text, "bytes", &hex::encode(&case.bytes));
    }
    text
}

/// The parts of a whole good record, so that a writer can find where it differs.
fn layers_text(fixed: &Fixed) -> String {
    let record = paper::record("K-1", paper::id(1), &[]).encode();
    let signed = paper::sign(paper::RECORD, &fixed.device, &record);
    let envelope = paper::seal(paper::RECORD, &fixed.enc.public(), &signed, 1);
    let mut text = HEAD.to_owned();
    line(&mut text, "record", &hex::encode(&record));
    line(&mut text, "signed", &hex::encode(&signed));
    line(&mut text, "envelope", &hex::encode(&envelope));
    line(&mut text, "digest", &hex::encode(&sha256(&envelope)));
    let entry = fixed.entry();
    let manifest = paper::manifest("K-1", paper::id(70), None, &[entry]).encode();
    line(&mut text, "manifest", &hex::encode(&manifest));
    let signed = paper::sign(MANIFEST, &fixed.device, &manifest);
    line(&mut text, "signed_manifest", &hex::encode(&signed));
    text
}

/// Receipts as a terminal might get them for one record of its own.
fn receipts_text(fixed: &Fixed) -> String {
    let honest = Receipt {
        record: paper::id(7),
        digest: fixed.entry().digest,
        device: "K-1".to_owned(),
        seq: 7,
        server_time_ms: 1_760_000_360_000,
        number: 41,
    };
    let good = honest.sign(&fixed.receipt);
    let bend = |bend: fn(&mut Receipt)| {
        let mut lie = honest.clone();
        bend(&mut lie);
        lie.sign(&fixed.receipt)
    };
    let payload = authority::cose::Signed::read(&good, ContentType::Receipt)
        .and_then(|signed| signed.verify(fixed.receipt.verifying_key()))
        .expect("an honest receipt");
    let headed = |bend: fn(&mut Head)| {
        let mut head = Head::signed("changqing/receipt", &fixed.receipt);
        bend(&mut head);
        paper::sign_as(&head, &fixed.receipt, payload)
    };
    let forged_kid = {
        let mut head = Head::signed("changqing/receipt", &fixed.receipt);
        head.algorithm = -7;
        paper::sign_as(&head, &fixed.other, payload)
    };
    let word = payload.windows(6).position(|six| six == b"stored").expect("the word");
    let mut other_word = payload.to_vec();
    other_word[word..word + 6].copy_from_slice(b"denied");
    let mut newer = payload.to_vec();
    newer[2] = 2;
    let sign = |payload: &[u8]| paper::sign("changqing/receipt", &fixed.receipt, payload);
    let mut text = HEAD.to_owned();
    line(&mut text, "record", &hex::encode(&honest.record));
    line(&mut text, "digest", &hex::encode(&honest.digest));
    line(&mut text, "device", &honest.device);
    let _ = writeln!(text, "seq = {}", honest.seq);
    for (wrong, bytes) in [
        ("nothing", good.clone()),
        ("signed by another key", honest.sign(&fixed.other)),
        ("signed by another key under the true key id", forged_kid),
        ("a bent signature", flipped(good.clone())),
        ("another record", bend(|receipt| receipt.record = paper::id(8))),
        ("another digest", bend(|receipt| receipt.digest[0] ^= 1)),
        ("another device", bend(|receipt| receipt.device = "K-2".to_owned())),
        ("another seq", bend(|receipt| receipt.seq = 8)),
        ("another content type", headed(|head| head.content_type = MANIFEST)),
        ("another suite", headed(|head| head.suite = "GM-1")),
        ("another word than stored", sign(&other_word)),
        ("a newer version", sign(&newer)),
        ("a cut payload", sign(&payload[..payload.len() - 1])),
        ("bytes after the payload", sign(&[payload, &[0]].concat())),
        ("bytes after the signature", [&good[..], &[0]].concat()),
        ("cut", good[..good.len() - 1].to_vec()),
        ("nothing there", Vec::new()),
    ] {
        let _ = write!(text, "\n[[receipt]]\n");
        line(&mut text, "wrong", wrong);
        line(&mut text, "bytes", &hex::encode(&bytes));
    }
    text
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = \"{value}\"");
}

fn check(name: &str, text: &str) -> Table {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, text).expect("a vector file");
    }
    let committed = fs::read_to_string(&path).expect("the committed vectors");
    assert!(
        committed == text,
        "{name} is not what this code writes; UPDATE_EXPECT=1 writes it anew"
    );
    committed.parse().expect("TOML")
}

fn bytes_of(table: &Toml, key: &str) -> Vec<u8> {
    hex::decode(text_of(table, key)).expect("hex")
}

fn text_of<'a>(table: &'a Toml, key: &str) -> &'a str {
    table[key].as_str().expect("a text")
}

/// An intake with the vectors' keys.
fn intake(fixed: &Fixed) -> (tempfile::TempDir, Intake, Device) {
    let data = tempfile::tempdir().expect("a folder");
    let keys = data.path().join("keys");
    fs::create_dir(&keys).expect("a folder");
    fs::write(keys.join("enc.key"), hex::encode(&[0x44; 32])).expect("a key");
    let pem = fixed.receipt.to_pkcs8_pem(LineEnding::LF).expect("a key");
    fs::write(keys.join("receipt.key.pem"), pem.as_bytes()).expect("a key");
    Keys::at(data.path()).make(&[]).expect("the other keys");
    let public = public_bytes(fixed.device.verifying_key());
    let mut store = Store::open(data.path()).expect("a store");
    store.register("K-1", "S-1", &public, 1).expect("a device");
    let device = store.device("K-1").expect("a store").expect("a device");
    let intake = Intake::open(data.path()).expect("an intake");
    (data, intake, device)
}

fn answer<T>(taken: Result<T, IntakeError>, good: &str) -> String {
    match taken {
        Ok(_) => good.to_owned(),
        Err(IntakeError::Refused(refusal)) => format!("{} {}", refusal.status, refusal.code.text()),
        Err(fault) => panic!("{fault}"),
    }
}

#[test]
fn keys_and_layers_are_as_committed() {
    let fixed = Fixed::new();
    check("authority-keys.toml", &keys_text(&fixed));
    check("authority-layers.toml", &layers_text(&fixed));
}

#[test]
fn manifests_are_judged_as_committed() {
    let fixed = Fixed::new();
    let cases = bent::manifests(&fixed.hands(), paper::id(70), &fixed.entry());
    let table = check("authority-manifests.toml", &cases_text("manifest", &cases));
    let (_data, mut intake, device) = intake(&fixed);
    for case in table["manifest"].as_array().expect("a list") {
        let id = bytes_of(case, "id").try_into().expect("an id");
        let taken = intake.offer(&device, &id, &bytes_of(case, "bytes"), 1);
        assert_eq!(answer(taken, "200"), text_of(case, "answer"), "{}", text_of(case, "wrong"));
    }
}

#[test]
fn records_are_judged_as_committed() {
    let fixed = Fixed::new();
    let cases = bent::records(&fixed.hands());
    let table = check("authority-records.toml", &cases_text("record", &cases));
    let (_data, mut intake, device) = intake(&fixed);
    for (seq, case) in (1..).zip(table["record"].as_array().expect("a list")) {
        let id = bytes_of(case, "id").try_into().expect("an id");
        let bytes = bytes_of(case, "bytes");
        let batch = paper::id(1_000 + u64::try_from(seq).expect("a seq"));
        let manifest = paper::manifest("K-1", batch, None, &[Entry::of(id, seq, &bytes, &[])]);
        let manifest = paper::sign(MANIFEST, &fixed.device, &manifest.encode());
        intake.offer(&device, &batch, &manifest, 1).expect("a good manifest");
        let taken = intake.keep(&device, &id, &bytes, 1);
        assert_eq!(answer(taken, "201"), text_of(case, "answer"), "{}", text_of(case, "wrong"));
    }
}

#[test]
fn receipts_are_as_committed() {
    check("authority-receipts.toml", &receipts_text(&Fixed::new()));
}

/// What the terminal's own tests committed, by the same fixed keys.
fn theirs(name: &str) -> Option<Table> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../kiosk/sync/tests/vectors");
    let Ok(text) = fs::read_to_string(folder.join(name)) else {
        eprintln!("skipped: the terminal has committed no {name}");
        return None;
    };
    Some(text.parse().expect("TOML"))
}

#[test]
fn the_terminals_manifests_are_taken() {
    let fixed = Fixed::new();
    let Some(table) = theirs("manifests.toml") else {
        return;
    };
    let (_data, mut intake, device) = intake(&fixed);
    for case in table["manifest"].as_array().expect("a list") {
        let name = text_of(case, "name");
        let manifest = Manifest::read(&bytes_of(case, "payload")).expect(name);
        let signed = bytes_of(case, "signed");
        let answer = intake.offer(&device, &manifest.batch, &signed, 1).expect(name);
        assert!(!answer.records.is_empty(), "{name}");
    }
}

#[test]
fn the_terminals_records_and_pictures_are_kept_and_get_receipts() {
    let fixed = Fixed::new();
    let Some(table) = theirs("records.toml") else {
        return;
    };
    let (_data, mut intake, device) = intake(&fixed);
    for (seq, case) in (1_i64..).zip(table["record"].as_array().expect("a list")) {
        let name = text_of(case, "name");
        let record = Record::read(&bytes_of(case, "payload")).expect(name);
        let envelope = bytes_of(case, "envelope");
        assert_eq!(hex::encode(&sha256(&envelope)), text_of(case, "digest"), "{name}");
        let batch = paper::id(1_000 + seq.unsigned_abs());
        let entry = Entry::of(record.id, seq, &envelope, &announced(&record));
        let manifest = paper::manifest("K-1", batch, None, &[entry]);
        let manifest = paper::sign(MANIFEST, &fixed.device, &manifest.encode());
        intake.offer(&device, &batch, &manifest, 1).expect(name);
        intake.keep(&device, &record.id, &envelope, 1).expect(name);
        for picture in &record.pictures {
            let sealed = bytes_of(case, "picture_sealed");
            let piece = intake.append(&device, &picture.digest, 0, &sealed, 1);
            assert_eq!(piece.expect(name), Piece::Whole, "{name}");
        }
        let receipts = intake.commit(&device, &batch, 1).expect(name);
        assert_eq!(receipts.len(), 1, "{name}");
    }
}

fn announced(record: &Record) -> Vec<Announced> {
    let announce = |picture: &Picture| Announced {
        role: picture.role.clone(),
        digest: picture.digest,
        len: usize::try_from(picture.len).expect("a length"),
    };
    record.pictures.iter().map(announce).collect()
}

/// One header for all files, as the terminal's tests read them too.
const HEAD: &str = "\
# Bytes of the protocol in kiosk/sync/PROTOCOL.md, hexadecimal, by the fixed keys of
# authority-keys.toml, of an invented person. Written by the authority's tests
# (UPDATE_EXPECT=1); each entry says what is wrong with it and what it is answered with.
";
