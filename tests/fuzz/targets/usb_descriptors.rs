//! What a USB device says of itself when it is plugged in: any bytes have a pair of bulk pipes or none.
#![no_main]

use drivers::link::bulk::descriptors::Pipes;
use fuzz::Script;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    check(&sound(Script::new(bytes)));
});

fn check(bytes: &[u8]) {
    let Some(pipes) = Pipes::of(bytes) else { return };
    assert!(matches!(pipes.pairs.len(), 1 | 2));
    for pair in &pipes.pairs {
        assert!(pair.to & 0x80 == 0 && pair.from & 0x80 != 0);
        assert!((1..2048).contains(&pair.packet_size), "a packet without end");
    }
}

/// Descriptors whose lengths are right.
fn sound(mut script: Script) -> Vec<u8> {
    let mut bytes = [vec![18, 1], vec![0; 16], vec![9, 2], vec![0; 7]].concat();
    while !script.is_over() {
        let byte = |script: &mut Script| script.byte();
        bytes.extend(match byte(&mut script) % 4 {
            0 => vec![9, 4, byte(&mut script) % 4, byte(&mut script) % 2, 2, byte(&mut script), 0, 0, 0],
            1 => vec![9, 2, 0, 0, 0, 0, 0, 0, 0],
            _ => {
                let (address, kind) = (byte(&mut script), byte(&mut script));
                vec![7, 5, address, kind, byte(&mut script), byte(&mut script), 0]
            }
        });
    }
    bytes
}
