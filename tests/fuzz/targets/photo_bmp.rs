//! What a photo decoder gives back: exactly one kind of BMP is a picture, and nothing else is.
#![no_main]

use drivers::photo::{HEIGHT, WIDTH, parse_bmp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    // The right length is never met by chance.
    let mut whole = bytes.to_vec();
    whole.resize(SIZE, 0);
    check(&whole);
    if whole.len() > 34 {
        whole[..2].copy_from_slice(b"BM");
        whole[10..14].copy_from_slice(&54u32.to_le_bytes());
        whole[18..22].copy_from_slice(&WIDTH.to_le_bytes());
        check(&whole);
    }
});

fn check(bytes: &[u8]) {
    if let Ok(picture) = parse_bmp(bytes) {
        assert_eq!(picture.dimensions(), (WIDTH, HEIGHT));
    }
}

const SIZE: usize = 54 + 126 * 308;
