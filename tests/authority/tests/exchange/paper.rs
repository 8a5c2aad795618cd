//! What a terminal would write: records, manifests, seals and signatures, with coset and minicbor.
//! Everything can be bent, so that a test writes what no honest terminal would.

use std::convert::Infallible;

use authority::cose::sha256;
use coset::{
    CborSerializable, CoseEncrypt0Builder, CoseSign1Builder, Header, HeaderBuilder,
    RegisteredLabelWithPrivate, cbor::Value as Cbor, iana,
};
use hpke::{
    Deserializable, Kem, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::X25519HkdfSha256, rand_core,
};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};

use super::value::{Value, fields, list, text};

pub(crate) const RECORD: &str = "changqing/record";
pub(crate) const PICTURE: &str = "changqing/picture";
pub(crate) const MANIFEST: &str = "changqing/manifest";
pub(crate) const INTL_1: &str = "INTL-1";

/// What stands in a protected header, true or not.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) algorithm: i64,
    pub(crate) content_type: &'static str,
    pub(crate) kid: Vec<u8>,
    pub(crate) suite: &'static str,
}

impl Head {
    /// The honest header of something signed by `key`.
    pub(crate) fn signed(content_type: &'static str, key: &SigningKey) -> Self {
        let public = key.verifying_key().to_sec1_point(false);
        Self { algorithm: -7, content_type, kid: kid(public.as_bytes()), suite: INTL_1 }
    }

    /// The honest header of something sealed to `key`.
    pub(crate) fn sealed(content_type: &'static str, key: &[u8; 32]) -> Self {
        Self { algorithm: -70_010, content_type, kid: kid(key), suite: INTL_1 }
    }

    fn build(&self) -> Header {
        let algorithm = match self.algorithm {
            -7 => RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256),
            private => RegisteredLabelWithPrivate::PrivateUse(private),
        };
        HeaderBuilder::new()
            .algorithm_label(algorithm)
            .content_type(self.content_type.to_owned())
            .key_id(self.kid.clone())
            .value(-70_001, Cbor::from(self.suite))
            .build()
    }
}

/// Signs `payload` under `head`.
pub(crate) fn sign_as(head: &Head, key: &SigningKey, payload: &[u8]) -> Vec<u8> {
    CoseSign1Builder::new()
        .protected(head.build())
        .payload(payload.to_vec())
        .create_signature(head.content_type.as_bytes(), |message| {
            let signature: Signature = key.sign(message);
            signature.to_bytes().to_vec()
        })
        .build()
        .to_vec()
        .expect("a COSE_Sign1")
}

/// Signs `payload` honestly.
pub(crate) fn sign(content_type: &'static str, key: &SigningKey, payload: &[u8]) -> Vec<u8> {
    sign_as(&Head::signed(content_type, key), key, payload)
}

/// Seals `plaintext` to `key` under `head`; the same seed gives the same bytes.
pub(crate) fn seal_as(head: &Head, key: &[u8; 32], plaintext: &[u8], seed: u64) -> Vec<u8> {
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key).expect("a public key");
    let mut encapsulated = Vec::new();
    let builder = CoseEncrypt0Builder::new().protected(head.build()).create_ciphertext(
        plaintext,
        head.content_type.as_bytes(),
        |plaintext, aad| {
            let (enc, ciphertext) =
                hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                    &OpModeS::Base,
                    &public,
                    b"changqing/seal/1",
                    plaintext,
                    aad,
                    &mut Seeded(seed),
                )
                .expect("a seal");
            encapsulated = enc.to_bytes().to_vec();
            ciphertext
        },
    );
    let open = HeaderBuilder::new().value(-70_011, Cbor::Bytes(encapsulated)).build();
    builder.unprotected(open).build().to_vec().expect("a COSE_Encrypt0")
}

/// Seals `plaintext` honestly.
pub(crate) fn seal(
    content_type: &'static str,
    key: &[u8; 32],
    plaintext: &[u8],
    seed: u64,
) -> Vec<u8> {
    seal_as(&Head::sealed(content_type, key), key, plaintext, seed)
}

/// The first eight bytes of the SHA-256 of a public key.
pub(crate) fn kid(public: &[u8]) -> Vec<u8> {
    sha256(public)[..8].to_vec()
}

/// A UUIDv7 out of a number.
pub(crate) fn id(number: u64) -> [u8; 16] {
    let mut id = *b"\x01\x9a\0\0\0\0\x70\0\x80\0\0\0\0\0\0\0";
    id[8..].copy_from_slice(&(0x8000_0000_0000_0000 | number).to_be_bytes());
    id
}

/// A picture as it is announced.
#[derive(Debug, Clone)]
pub(crate) struct Announced {
    pub(crate) role: String,
    pub(crate) digest: [u8; 32],
    pub(crate) len: usize,
}

impl Announced {
    pub(crate) fn of(sealed: &[u8]) -> Self {
        Self { role: "face".to_owned(), digest: sha256(sealed), len: sealed.len() }
    }
}

/// A whole record of one invented person with all that a record can hold.
pub(crate) fn record(device: &str, record_id: [u8; 16], pictures: &[Announced]) -> Value {
    let pictures = pictures.iter().map(|picture| {
        fields([
            text(&picture.role),
            Value::Bytes(picture.digest.to_vec()),
            Value::Int(i64::try_from(picture.len).expect("a length")),
        ])
    });
    fields([
        Value::Int(1),
        Value::Bytes(record_id.to_vec()),
        Value::Bytes(id(900).to_vec()),
        text(device),
        text("S-1"),
        list([
            Value::Int(1_760_000_000_000),
            Value::Bytes(vec![7; 16]),
            Value::Int(86_400_000),
            Value::Int(0),
        ]),
        fields([
            text(NUMBER),
            text(NAME),
            Value::Int(0),
            text("1949-12-31"),
            Value::Int(2),
            Value::Null,
        ]),
        list([text("CERTIFIED"), Value::Null]),
        list([fields([
            text("城乡居保"),
            Value::Int(3),
            text("current"),
            Value::Bool(true),
            text("2027-10-09"),
        ])]),
        list([fields([
            text("face"),
            text("same"),
            Value::Float(0.5),
            Value::Int(80),
            Value::Null,
            text("arc-1"),
            text("county-2026"),
            Value::Float(0.36),
            text("card"),
            list([text("clear")]),
            Value::Int(1),
        ])]),
        list([text("op-1")]),
        fields([
            text("notice-2"),
            Value::Bytes(vec![9; 32]),
            text("agreed"),
            text("self"),
            list([text("fingerprint"), text("paper")]),
        ]),
        Value::Array(pictures.collect()),
        list([fields([
            text("finger"),
            text("iso-19794-2"),
            text("crossing-1"),
            Value::Bytes(b"FMR\0".to_vec()),
            Value::Int(60),
        ])]),
        Value::Null,
        Value::Null,
        text("PIPL 13(1)(3)"),
    ])
}

/// One entry of a manifest.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: [u8; 16],
    pub(crate) seq: i64,
    pub(crate) len: usize,
    pub(crate) digest: [u8; 32],
    pub(crate) pictures: Vec<Announced>,
}

impl Entry {
    pub(crate) fn of(id: [u8; 16], seq: i64, envelope: &[u8], pictures: &[Announced]) -> Self {
        Self { id, seq, len: envelope.len(), digest: sha256(envelope), pictures: pictures.to_vec() }
    }

    fn value(&self) -> Value {
        let length = |len| Value::Int(i64::try_from(len).expect("a length"));
        let pictures = self.pictures.iter().map(|picture| {
            list([text(&picture.role), Value::Bytes(picture.digest.to_vec()), length(picture.len)])
        });
        list([
            Value::Bytes(self.id.to_vec()),
            Value::Int(self.seq),
            Value::Int(1),
            length(self.len),
            Value::Bytes(self.digest.to_vec()),
            Value::Array(pictures.collect()),
        ])
    }
}

/// A manifest that lists `entries`.
pub(crate) fn manifest(
    device: &str,
    batch: [u8; 16],
    previous: Option<[u8; 32]>,
    entries: &[Entry],
) -> Value {
    let seqs = || entries.iter().map(|entry| entry.seq);
    fields([
        Value::Int(1),
        Value::Bytes(batch.to_vec()),
        text(device),
        Value::Int(seqs().min().unwrap_or(1)),
        Value::Int(seqs().max().unwrap_or(1)),
        text(INTL_1),
        previous.map_or(Value::Null, |digest| Value::Bytes(digest.to_vec())),
        Value::Null,
        list([Value::Int(1_760_000_000_000), Value::Bytes(vec![7; 16]), Value::Int(86_400_000)]),
        Value::Array(entries.iter().map(Entry::value).collect()),
    ])
}

/// Random bytes that are the same for a seed; for tests alone.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }
}

impl rand_core::TryRng for Seeded {
    type Error = Infallible;

    #[expect(clippy::cast_possible_truncation, reason = "the low half is as random as the high")]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Seeded {}

/// An invented number and name that must not be seen in any output.
pub(crate) const NUMBER: &str = "110101194912310029";
pub(crate) const NAME: &str = "常青松";
