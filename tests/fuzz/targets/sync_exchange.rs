//! A centre that answers a batch with any bytes: the exchange ends, and nothing counts as delivered.
#![no_main]

use std::sync::LazyLock;

use authority::cose;
use fuzz::Script;
use kiosk_core::moment::{Doubt, Moment};
use kiosk_core::record::{Lane, RecordId};
use kiosk_sync::{Effect, Exchange, Manifest, Offer, OfferedPicture, Reply, VerifyKey};
use libfuzzer_sys::fuzz_target;
use p256::ecdsa::SigningKey;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let mut exchange = Exchange::new(manifest(), KEY.clone());
    for _ in 0..ANSWERS_MAX {
        let Some(request) = exchange.next() else { return };
        let status = match script.byte() {
            0..=149 => 200,
            150..=179 => 202,
            180..=199 => 409,
            200..=219 => 422,
            220..=239 => 404,
            _ => u16::from(script.byte()) * 3,
        };
        let n = usize::from(script.byte());
        let body = script.take(n);
        let reply = Reply { status, body, retry_after: None, server_time_ms: None };
        let Ok(effects) = exchange.answer(request, &reply) else { return };
        let delivered = effects.iter().any(|effect| matches!(effect, Effect::Deliver(_)));
        assert!(!delivered, "a receipt that nobody signed");
    }
    panic!("the exchange does not end");
});

fn manifest() -> Manifest {
    let offer = |n: u8| Offer {
        record: RecordId([n; 16]),
        seq: u64::from(n),
        lane: Lane::Appeal,
        len: 10,
        digest: [n; 32],
        pictures: vec![OfferedPicture { role: "face".into(), digest: [n + 100; 32], len: 300 }],
    };
    Manifest {
        batch: [9; 16],
        device: "t".into(),
        previous: None,
        audit_head: None,
        at: Moment { wall_ms: 0, boot_id: [0; 16], mono_ms: 0, doubt: Doubt::None, within: None },
        offers: (1..=3).map(offer).collect(),
    }
}

static KEY: LazyLock<VerifyKey> = LazyLock::new(|| {
    let secret = SigningKey::from_slice(&[7; 32]).expect("a number below the order of the curve");
    let public = cose::public_bytes(secret.verifying_key());
    VerifyKey::from_sec1(&public).expect("a point of the curve")
});

/// More than three pictures of three hundred bytes can take in all rounds, one byte at a time.
const ANSWERS_MAX: usize = 10_000;
