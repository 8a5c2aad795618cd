//! What the authority signed, read by the terminal: any payload is a receipt, a manifest or an error. The signature
//! is made here with the authority's own code, so that the reader behind it is reached.
#![no_main]

use std::sync::LazyLock;

use authority::cose::{self, ContentType};
use kiosk_core::record::{Lane, RecordId};
use kiosk_sync::{Manifest, Offer, VerifyKey, open_signed, receipt};
use libfuzzer_sys::fuzz_target;
use p256::ecdsa::SigningKey;

fuzz_target!(|bytes: &[u8]| {
    let key = &*KEY;
    let _ = open_signed(kiosk_sync::ContentType::Roster, &key.public, bytes);
    let signed = cose::sign(&key.secret, ContentType::Receipt, bytes);
    if let Ok(receipt) = receipt::verify(&key.public, DEVICE, &key.offers, &signed) {
        assert_eq!((receipt.record, receipt.seq), (RecordId([7; 16]), 3));
    }
    let signed = cose::sign(&key.secret, ContentType::Manifest, bytes);
    if let Ok(manifest) = Manifest::open(&key.public, &signed) {
        assert!(manifest.offers.len() <= bytes.len());
        let again = cose::sign(&key.secret, ContentType::Manifest, &manifest.to_cbor());
        assert!(Manifest::open(&key.public, &again).as_ref() == Ok(&manifest));
    }
});

struct Key {
    secret: SigningKey,
    public: VerifyKey,
    offers: Vec<Offer>,
}

static KEY: LazyLock<Key> = LazyLock::new(|| {
    let secret = SigningKey::from_slice(&[7; 32]).expect("a number below the order of the curve");
    let public = VerifyKey::from_sec1(&cose::public_bytes(secret.verifying_key()));
    let offer = Offer {
        record: RecordId([7; 16]),
        seq: 3,
        lane: Lane::Appeal,
        len: 10,
        digest: [1; 32],
        pictures: Vec::new(),
    };
    Key { secret, public: public.expect("a point of the curve"), offers: vec![offer] }
});

const DEVICE: &str = "t";
