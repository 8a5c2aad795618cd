//! Sealing against a second implementation, and what must not open.

use coset::{CborSerializable, CoseEncrypt0, CoseSign1};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR};
use proptest::prelude::*;

use kiosk_sync::{
    AuthorityKeys, ContentType, DeviceKey, KeyError, OpenError, SealError, SealingKey, VerifyKey,
    open_signed,
};

use crate::centre::sign1;
use crate::terminal::{
    ENC, OTHER, RECEIPT, authority_keys, device_key, hex, picture, public_point, record, sealed,
    sealer, sha256,
};

/// Opens a seal as the authority would, by the document and `coset`.
pub(crate) fn unseal(content: &str, bytes: &[u8]) -> Vec<u8> {
    let seal = CoseEncrypt0::from_slice(bytes).unwrap();
    let header = seal.protected.original_data.clone().unwrap();
    let mut aad = minicbor::Encoder::new(Vec::new());
    aad.array(3).unwrap().str("Encrypt0").unwrap().bytes(&header).unwrap();
    aad.bytes(content.as_bytes()).unwrap();
    let encapsulated = seal.unprotected.rest[0].1.as_bytes().unwrap();
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &<X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(&ENC).unwrap(),
        &<X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).unwrap(),
        b"changqing/seal/1",
        &seal.ciphertext.unwrap(),
        &aad.into_writer(),
    )
    .unwrap()
}

#[test]
fn the_authority_opens_what_was_sealed_and_finds_the_terminals_signature() {
    let mut before = record(4, true);
    let sealed = sealer().seal(&mut before, vec![picture(5_000, 1)]).unwrap();
    assert_eq!(before.pictures[0].digest, sha256(&sealed.pictures[0].sealed));
    assert_eq!(unseal("changqing/picture", &sealed.pictures[0].sealed), picture(5_000, 1).bytes);
    let signed = unseal("changqing/record", &sealed.envelope);
    let parsed = CoseSign1::from_slice(&signed).unwrap();
    parsed
        .verify_signature(b"changqing/record", |signature, message| {
            let good = device_key().public().verifies(message, signature);
            if good { Ok(()) } else { Err(()) }
        })
        .unwrap();
    assert_eq!(parsed.payload.unwrap(), before.to_cbor());
}

#[test]
fn the_same_picture_never_seals_to_the_same_bytes() {
    let seal = || sealer().seal(&mut record(1, false), vec![picture(100, 1)]).unwrap();
    assert_ne!(seal().pictures[0].digest, seal().pictures[0].digest);
}

#[test]
fn our_signed_bytes_are_those_of_another_implementation() {
    let payload = record(3, true).to_cbor();
    let theirs = sign1("changqing/record", "INTL-1", &[0x11; 32], &[0x11; 32], &payload);
    let ours = unseal("changqing/record", &sealed_full().envelope);
    assert_eq!(hex(&ours), hex(&theirs));
}

fn sealed_full() -> kiosk_core::record::SealedRecord {
    sealer().seal(&mut record(3, true), Vec::new()).unwrap()
}

#[test]
fn a_broken_key_is_noticed_before_anything_is_saved() {
    struct Broken(kiosk_sync::FileKey);
    impl DeviceKey for Broken {
        fn public(&self) -> &VerifyKey {
            self.0.public()
        }
        fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
            self.0.sign(&message[1..])
        }
    }
    let sealer = kiosk_sync::Sealer::new(Box::new(Broken(device_key())), authority_keys("K-1").enc);
    let end = sealer.seal(&mut record(1, false), Vec::new()).map(drop);
    assert_eq!(end, Err(SealError::SelfCheck));
}

#[test]
fn a_picture_nobody_would_take_is_not_sealed() {
    for bytes in [Vec::new(), vec![0; 9 << 20]] {
        let picture = kiosk_sync::Picture { role: "live-face".into(), bytes };
        let end = sealer().seal(&mut record(1, false), vec![picture]).map(drop);
        assert_eq!(end, Err(SealError::PictureSize));
    }
}

#[test]
fn keys_that_cannot_serve_are_refused() {
    assert!(SealingKey::from_bytes(&[0; 32]).is_err(), "a point of small order");
    assert!(VerifyKey::from_sec1(&[4; 65]).is_err(), "not on the curve");
    assert_eq!(kiosk_sync::FileKey::from_pem("-----").map(drop), Err(KeyError::Private));
    let toml = |suite: &str| {
        AuthorityKeys::from_toml(&format!(
            "device='d'\nsite='s'\nsuite='{suite}'\nenc_key=''\nreceipt_key=''\ndown_key=''\npolicy_key=''"
        ))
        .map(drop)
    };
    assert_eq!(toml("GM-9"), Err(KeyError::Suite));
    assert_eq!(toml("INTL-1"), Err(KeyError::Public("enc_key")));
    assert!(matches!(AuthorityKeys::from_toml("").map(drop), Err(KeyError::File(_))));
}

#[test]
fn what_comes_down_opens_only_as_what_it_is() {
    let key = VerifyKey::from_sec1(&public_point(&RECEIPT)).unwrap();
    let other = VerifyKey::from_sec1(&public_point(&OTHER)).unwrap();
    let roster = sign1("changqing/roster", "INTL-1", &RECEIPT, &RECEIPT, b"{}");
    assert_eq!(open_signed(ContentType::Roster, &key, &roster), Ok(&b"{}"[..]));
    assert_eq!(open_signed(ContentType::Policy, &key, &roster), Err(OpenError::Header));
    assert_eq!(open_signed(ContentType::Roster, &other, &roster), Err(OpenError::Header));
    let down = sign1("changqing/roster", "INTL-0", &RECEIPT, &RECEIPT, b"{}");
    assert_eq!(open_signed(ContentType::Roster, &key, &down), Err(OpenError::Header));
    let forged = sign1("changqing/roster", "INTL-1", &OTHER, &RECEIPT, b"{}");
    assert_eq!(open_signed(ContentType::Roster, &key, &forged), Err(OpenError::Signature));
}

proptest! {
    #[test]
    fn a_changed_bit_never_opens(bit in 0_usize..4000) {
        let key = VerifyKey::from_sec1(&public_point(&RECEIPT)).unwrap();
        let mut signed = sign1("changqing/roster", "INTL-1", &RECEIPT, &RECEIPT, b"some words");
        let bit = bit % (signed.len() * 8);
        signed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(open_signed(ContentType::Roster, &key, &signed).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let key = device_key();
        let _ = open_signed(ContentType::Receipt, key.public(), &bytes);
        let _ = kiosk_sync::Manifest::open(key.public(), &bytes);
    }

    #[test]
    fn every_length_of_record_and_picture_survives(n in 0_u8..200, len in 4_usize..3000, full: bool) {
        let mut record = record(n, full);
        let sealed = sealer().seal(&mut record, vec![picture(len, 1)]).unwrap();
        let signed = unseal("changqing/record", &sealed.envelope);
        let payload = open_signed(ContentType::Record, device_key().public(), &signed).unwrap();
        prop_assert_eq!(payload, record.to_cbor());
    }
}

#[test]
fn a_sealed_record_says_nothing_of_the_person() {
    let sealed = sealed(2, 1);
    for needle in ["11010519491231002X".as_bytes(), "常青".as_bytes(), b"FMR\0", b"county-2026"] {
        assert!(!sealed.envelope.windows(needle.len()).any(|window| window == needle));
    }
}
