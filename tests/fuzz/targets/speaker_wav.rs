//! Recordings of the speaker: any bytes are a sound or an error, and a sound is no larger than its file.
#![no_main]

use std::time::Duration;

use drivers::speaker::Sound;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    // The two marks at the head are never met by chance.
    let mut marked = bytes.to_vec();
    if marked.len() >= 40 {
        marked[..4].copy_from_slice(b"RIFF");
        marked[8..16].copy_from_slice(b"WAVEfmt ");
        check(&marked);
        marked[16..24].copy_from_slice(b"\x10\0\0\0\x01\0\x01\0");
        marked[32..40].copy_from_slice(b"\x02\0\x10\0data");
        check(&marked);
    }
});

fn check(bytes: &[u8]) {
    let Ok(sound) = Sound::parse(bytes) else { return };
    assert!(sound.samples.len() * 2 <= bytes.len(), "more sound than bytes for it");
    assert!(matches!(sound.n_channels, 1 | 2) && sound.rate_hz > 0);
    let pieces: usize = sound.pieces(Duration::from_millis(40)).map(<[i16]>::len).sum();
    assert!(pieces <= sound.samples.len());
    assert!(Sound::parse(&sound.encode()).expect("what we write we can read") == sound);
}
