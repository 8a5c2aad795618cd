//! What a terminal sends, read by the reference authority: any bytes are an envelope, a record, a manifest or an error.
#![no_main]

use std::sync::LazyLock;

use authority::cbor::Reader;
use authority::cose::{ContentType, OpeningKey, Signed};
use authority::manifest::Manifest;
use authority::record::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Record::read(bytes);
    let _ = Manifest::read(bytes);
    for content_type in [ContentType::Record, ContentType::Manifest, ContentType::Picture] {
        let _ = Signed::read(bytes, content_type).map(|signed| signed.kid());
        let _ = KEY.open(bytes, content_type);
    }
    let mut reader = Reader::new(bytes);
    while reader.skip().is_ok() {}
});

static KEY: LazyLock<OpeningKey> = LazyLock::new(|| OpeningKey::new(&[7; 32]));
