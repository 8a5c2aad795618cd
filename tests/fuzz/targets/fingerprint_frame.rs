//! Packets of the fingerprint module: no bytes panic, and how the bytes were cut changes nothing.
#![no_main]

use drivers::fingerprint::commands::{Command, Confirmation, Parameters};
use drivers::fingerprint::frame::{Packet, Parser};
use fuzz::{Script, finger_packet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let (cut, wrapped) = (usize::from(script.byte()), script.byte() % 2 == 1);
    let line = if wrapped { packets(script) } else { bytes.get(2..).unwrap_or_default().to_vec() };
    let whole = read(&line, line.len());
    assert!(whole == read(&line, cut), "the cuts changed the packets");
    for packet in &whole {
        Command::ReadParameters.accepts(&packet.payload);
        packet.payload.first().map(|code| Confirmation::of(*code));
        if let Some(block) = packet.payload.first_chunk::<16>() {
            let parsed = Parameters::parse(block);
            assert!(parsed.is_none_or(|p| p.packet_size <= 256 && p.baud_hz <= 230_400));
        }
    }
});

fn read(line: &[u8], cut: usize) -> Vec<Packet> {
    let mut parser = Parser::new(0xFFFF_FFFF);
    let mut found = Vec::new();
    for part in line.chunks(cut.max(1)) {
        parser.push(part);
        while let Some(packet) = parser.next_packet() {
            found.push(packet);
        }
    }
    found
}

/// Good packets with a little noise between them.
fn packets(mut script: Script) -> Vec<u8> {
    let mut line = Vec::new();
    while !script.is_over() {
        let n_noise = usize::from(script.byte() % 4);
        line.extend(script.take(n_noise));
        let (kind, n) = (script.byte() % 10, usize::from(script.byte()));
        line.extend(finger_packet(kind, &script.take(n)));
    }
    line
}
