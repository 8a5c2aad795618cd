//! Manifests and records as no honest terminal writes them, each with what is wrong and the answer.
//! The exchange sends them; the committed vectors hold them.

use p256::ecdsa::SigningKey;

use super::{
    paper::{self, Announced, Entry, Head, MANIFEST, PICTURE, RECORD},
    value::{Value, list, text},
};

/// Who writes: a device, its key, another device's key, and the key to seal to.
pub(crate) struct Hands<'a> {
    pub(crate) device: &'a str,
    pub(crate) key: &'a SigningKey,
    pub(crate) other: &'a SigningKey,
    pub(crate) enc: [u8; 32],
}

/// Bytes, what is wrong with them, and the status and code that they are answered with.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    /// The record's or the batch's id.
    pub(crate) id: [u8; 16],
    /// What was signed, before it was signed; empty where that is the trouble.
    pub(crate) bytes: Vec<u8>,
    pub(crate) want: &'static str,
}

/// Manifests of `batch` that list `entry`; none of them can be taken.
pub(crate) fn manifests(hands: &Hands<'_>, batch: [u8; 16], entry: &Entry) -> Vec<Case> {
    let honest = paper::manifest(hands.device, batch, None, std::slice::from_ref(entry));
    let signed = |value: &Value| paper::sign(MANIFEST, hands.key, &value.encode());
    let headed = |bend: fn(&mut Head)| {
        let mut head = Head::signed(MANIFEST, hands.key);
        bend(&mut head);
        paper::sign_as(&head, hands.key, &honest.encode())
    };
    let bent = |path: &[i64], item: Value| signed(&honest.with(path, item));
    let in_entry = |path: &[i64], item: Value| bent(&[&[9, 0], path].concat(), item);
    let twice = Value::Array(vec![honest.at(&[9, 0]).clone(), honest.at(&[9, 0]).clone()]);
    let crowd: Vec<Entry> = (1_i64..=51)
        .map(|seq| Entry { id: paper::id(seq.unsigned_abs()), seq, ..entry.clone() })
        .collect();
    let crowd = paper::manifest(hands.device, batch, None, &crowd);
    let huge = Value::Raw(vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    let other_batch = Value::Bytes(paper::id(999).to_vec());
    [
        ("nothing", vec![], "400 malformed"),
        ("noise", vec![0xff; 100], "400 malformed"),
        ("a bent signature", flipped(signed(&honest)), "400 bad-signature"),
        (
            "another's signature",
            paper::sign(MANIFEST, hands.other, &honest.encode()),
            "400 unknown-key",
        ),
        ("another's manifest", bent(&[2], text("K-2")), "400 wrong-device"),
        ("another batch", bent(&[1], other_batch), "400 wrong-id"),
        ("another content type", headed(|h| h.content_type = RECORD), "400 wrong-content-type"),
        ("another suite", headed(|h| h.suite = "GM-1"), "400 wrong-suite"),
        ("another algorithm", headed(|h| h.algorithm = -70_010), "400 wrong-suite"),
        ("another suite inside", bent(&[5], text("GM-1")), "400 wrong-suite"),
        ("a newer version", bent(&[0], Value::Int(2)), "400 newer-version"),
        ("a key too many", signed(&honest.and(10, Value::Null)), "400 malformed"),
        ("a key too few", signed(&honest.without(7)), "400 malformed"),
        ("an integer too long", bent(&[0], Value::Raw(vec![0x18, 1])), "400 malformed"),
        ("no entries", bent(&[9], list([])), "400 malformed"),
        ("an entry twice", bent(&[9], twice), "400 malformed"),
        ("a seq of 0", in_entry(&[1], Value::Int(0)), "400 malformed"),
        ("a seq out of range", in_entry(&[1], Value::Int(77)), "400 malformed"),
        ("a lane that is none", in_entry(&[2], Value::Int(4)), "400 malformed"),
        ("a short digest", in_entry(&[4], Value::Bytes(vec![0; 31])), "400 malformed"),
        ("an empty picture", in_entry(&[5, 0, 2], Value::Int(0)), "400 malformed"),
        ("a huge envelope", in_entry(&[3], Value::Int((4 << 20) + 1)), "413 too-large"),
        ("a huge picture", in_entry(&[5, 0, 2], Value::Int((8 << 20) + 1)), "413 too-large"),
        ("51 entries", signed(&crowd), "413 too-large"),
        ("a count from another world", bent(&[9], huge), "413 too-large"),
    ]
    .map(|(what, bytes, want)| Case { what, id: batch, bytes, want })
    .into()
}

/// Envelopes without pictures, good and bad, with ids from 1.
pub(crate) fn records(hands: &Hands<'_>) -> Vec<Case> {
    let signed = |record: &Value| paper::sign(RECORD, hands.key, &record.encode());
    let sealed = |plaintext: &[u8]| paper::seal(RECORD, &hands.enc, plaintext, 1);
    let whole = |record: &Value| sealed(&signed(record));
    let headed = |record: &Value, bend: fn(&mut Head)| {
        let mut head = Head::sealed(RECORD, &hands.enc);
        bend(&mut head);
        paper::seal_as(&head, &hands.enc, &signed(record), 1)
    };
    let mut cases = Vec::new();
    let mut add = |what, want, make: &dyn Fn(Value) -> Vec<u8>| {
        let id = paper::id(cases.len() as u64 + 1);
        let bytes = make(paper::record(hands.device, id, &[]));
        cases.push(Case { what, id, bytes, want });
    };
    add("nothing: a good record", "201", &|r| whole(&r));
    add("noise", "422 malformed", &|_| vec![0xff; 10]);
    add("a bent seal", "422 bad-seal", &|r| flipped(whole(&r)));
    add("a seal for another", "422 unknown-key", &|r| {
        paper::seal(RECORD, &[9; 32], &signed(&r), 1)
    });
    add("another suite", "422 wrong-suite", &|r| headed(&r, |h| h.suite = "GM-1"));
    add("sealed as a picture", "422 wrong-content-type", &|r| {
        headed(&r, |h| h.content_type = PICTURE)
    });
    add("no signature inside", "422 malformed", &|r| sealed(&r.encode()));
    add("a bent signature", "422 bad-signature", &|r| sealed(&flipped(signed(&r))));
    add("another's signature", "422 unknown-key", &|r| {
        sealed(&paper::sign(RECORD, hands.other, &r.encode()))
    });
    add("signed as a manifest", "422 wrong-content-type", &|r| {
        sealed(&paper::sign(MANIFEST, hands.key, &r.encode()))
    });
    add("another id inside", "422 wrong-id", &|r| {
        whole(&r.with(&[1], Value::Bytes(paper::id(999).to_vec())))
    });
    add("another's record", "422 wrong-device", &|r| whole(&r.with(&[3], text("K-2"))));
    add("a picture that was not announced", "422 wrong-pictures", &|r| {
        let picture = Announced { role: "face".to_owned(), digest: [1; 32], len: 10 };
        let pictures = paper::record(hands.device, paper::id(1), &[picture]);
        whole(&r.with(&[12], pictures.at(&[12]).clone()))
    });
    add("a newer version", "422 newer-version", &|r| whole(&r.with(&[0], Value::Int(2))));
    add("nothing: a key above 17 is passed over", "201", &|r| {
        whole(&r.and(18, list([text("later")])))
    });
    add("keys out of order", "422 malformed", &|r| {
        whole(&r.and(20, Value::Null).and(18, Value::Null))
    });
    add("a key too few", "422 malformed", &|r| whole(&r.without(16)));
    add("a record id that is no UUIDv7", "422 malformed", &|r| {
        whole(&r.with(&[1], Value::Bytes(vec![0x44; 16])))
    });
    add("a day that is none", "422 malformed", &|r| whole(&r.with(&[6, 3], text("1949-02-30"))));
    add("a sex that is none", "422 malformed", &|r| whole(&r.with(&[6, 4], Value::Int(3))));
    add("a source that is none", "422 malformed", &|r| whole(&r.with(&[6, 2], Value::Int(4))));
    add("a doubt that is none", "422 malformed", &|r| whole(&r.with(&[5, 3], Value::Int(3))));
    add("a score that is no number", "422 malformed", &|r| {
        whole(&r.with(&[9, 0, 2], Value::Float(f32::NAN)))
    });
    add("a half float", "422 malformed", &|r| {
        whole(&r.with(&[9, 0, 2], Value::Raw(vec![0xf9, 0x38, 0x00])))
    });
    add("an integer too long", "422 malformed", &|r| {
        whole(&r.with(&[0], Value::Raw(vec![0x18, 1])))
    });
    add("an indefinite array", "422 malformed", &|r| {
        whole(&r.with(&[10], Value::Raw(vec![0x9f, 0x61, b'x', 0xff])))
    });
    add("a cut record", "422 malformed", &|r| {
        let record = r.encode();
        sealed(&paper::sign(RECORD, hands.key, &record[..record.len() / 2]))
    });
    add("nothing: an appeal that supersedes, all else empty", "201", &|r| whole(&appeal(&r)));
    let between = |r: &Value, doubt, ends: [Value; 2]| {
        whole(&r.with(&[5, 3], Value::Int(doubt)).and(17, list(ends)))
    };
    let (early, late) = (Value::Int(1_759_000_000_000), Value::Int(1_760_000_000_001));
    add("nothing: a clock in doubt, not earlier than an instant", "201", &|r| {
        between(&r, 2, [early.clone(), Value::Null])
    });
    add("nothing: a clock in doubt between two instants", "201", &|r| {
        between(&r, 1, [early.clone(), late.clone()])
    });
    add("an interval that ends before it begins", "422 malformed", &|r| {
        between(&r, 1, [late.clone(), early.clone()])
    });
    add("an interval around a clock without doubt", "422 malformed", &|r| {
        between(&r, 0, [early.clone(), late.clone()])
    });
    add("an interval without a beginning", "422 malformed", &|r| {
        between(&r, 1, [Value::Null, late.clone()])
    });
    cases
}

/// The record with every nullable field the other way and every list empty.
fn appeal(record: &Value) -> Value {
    let appeal = Value::Map(vec![(0, text("face-differs")), (1, Value::Null)]);
    record
        .with(&[7], list([text("APPEAL"), text("the face does not match")]))
        .with(&[8], list([]))
        .with(&[9], list([]))
        .with(&[10], list([]))
        .with(&[11], Value::Null)
        .with(&[13], list([]))
        .with(&[14], appeal)
        .with(&[15], Value::Bytes(paper::id(1).to_vec()))
        .with(&[6, 5], text("2036-02-29"))
}

/// The bytes with their last bit flipped.
pub(crate) fn flipped(mut bytes: Vec<u8>) -> Vec<u8> {
    *bytes.last_mut().expect("a byte") ^= 1;
    bytes
}
