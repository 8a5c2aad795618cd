//! Finger minutiae records: any bytes give a record or an error, and what was read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use models::iso19794::{decode, encode};

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    check(&bytes);
    // The length inside has to be that outside, which chance does not find often.
    if bytes.len() > 12 {
        let whole = bytes.len() as u32;
        bytes[..4].copy_from_slice(b"FMR\0");
        bytes[8..12].copy_from_slice(&whole.to_be_bytes());
        for version in [b" 20\0", b"030\0"] {
            bytes[4..8].copy_from_slice(version);
            check(&bytes);
        }
        bytes[4..8].copy_from_slice(b" 20\0");
        bytes[8..10].copy_from_slice(&(whole as u16).to_be_bytes());
        check(&bytes);
    }
});

fn check(bytes: &[u8]) {
    let Ok(record) = decode(bytes) else { return };
    let n_minutiae: usize = record.views.iter().map(|view| view.template.minutiae.len()).sum();
    assert!(n_minutiae * 5 <= bytes.len(), "more minutiae than bytes for them");
    let all = record.views.iter().flat_map(|view| &view.template.minutiae);
    for minutia in all {
        assert!(minutia.x.is_finite() && minutia.y.is_finite() && minutia.angle.is_finite());
    }
    if let Ok(written) = encode(&record) {
        let again = decode(&written).expect("what we write we can read");
        assert_eq!(again.views.len(), record.views.len());
    }
}
