//! A whole card reader that answers whatever it likes: the driver ends each poll in time, with an answer or a fault.
#![no_main]

use std::time::Duration;

use drivers::id_card::{POLL_MAX, Poll, Reader, Settings};
use fuzz::{Answer, Line, Script, card_reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let burst = usize::from(script.byte());
    let with_fingerprint = script.byte() % 2 == 1;
    let line = Line::new(burst, move |request| answer(request, &mut script));
    let clock = line.clock();
    let settings = Settings { with_fingerprint, ..Settings::default() };
    let Ok(mut reader) = Reader::over(Box::new(line), settings) else { return };
    for _ in 0..POLLS {
        let began = clock.passed();
        if let Ok(Poll::Card(card)) = reader.poll() {
            assert_eq!(card.photo.len(), 1024);
            assert!(drivers::id_card::fields::decode(&card.text).is_ok());
        }
        assert!(clock.passed() - began <= POLL_MAX + SLACK, "a poll took too long");
    }
});

fn answer(request: &[u8], script: &mut Script) -> Answer {
    let good = good(request);
    match script.byte() {
        0..=127 => after(card_reply(good.0, &good.1), 5),
        128..=159 => {
            let status = script.byte();
            let n = usize::from(script.byte());
            after(card_reply(status, &script.take(n)), 5)
        }
        160..=175 => after(card_reply(script.byte(), &good.1), 5),
        176..=191 => {
            let mut reply = card_reply(good.0, &good.1);
            let at = usize::from(script.byte()) * reply.len() / 256;
            reply[at] ^= script.byte();
            after(reply, 5)
        }
        192..=207 => {
            let n = usize::from(script.byte());
            after(script.take(n), 5)
        }
        208..=223 => {
            let mut reply = card_reply(good.0, &good.1);
            reply.truncate(usize::from(script.byte()) * 8);
            after(reply, 5)
        }
        224..=239 => after(card_reply(good.0, &good.1), u64::from(script.byte()) * 20),
        240..=250 => Answer::Bytes(Vec::new(), Duration::ZERO),
        _ => Answer::Gone,
    }
}

fn after(bytes: Vec<u8>, millis: u64) -> Answer {
    Answer::Bytes(bytes, Duration::from_millis(millis))
}

/// What a sound reader with a card says to this request.
fn good(request: &[u8]) -> (u8, Vec<u8>) {
    match (request.get(7), request.get(8)) {
        (Some(0x20), Some(1)) => (0x9F, vec![0; 4]),
        (Some(0x20), _) => (0x90, vec![0; 8]),
        (Some(0x12), _) => (0x90, vec![7; 16]),
        (Some(0x30), Some(1)) => (0x90, blocks(&[1, 0, 4, 0], 0)),
        (Some(0x30), Some(0x10)) => (0x90, blocks(&[1, 0, 4, 0, 4, 0], 1024)),
        (Some(0x30), _) => (0x91, vec![]),
        _ => (0x90, vec![]),
    }
}

fn blocks(sizes: &[u8], fingerprint: usize) -> Vec<u8> {
    let mut text = [b' ', 0].repeat(128);
    let mut put = |at: usize, words: &str| {
        let units: Vec<u8> = words.encode_utf16().flat_map(u16::to_le_bytes).collect();
        text[at..at + units.len()].copy_from_slice(&units);
    };
    put(0, "某人");
    put(30, "101");
    put(36, "19480312");
    put(52, "某地");
    put(122, "430104194803120014");
    put(158, "某公安局");
    put(188, "20080312长期");
    [sizes, &text, &vec![9; 1024 + fingerprint]].concat()
}

const POLLS: usize = 4;
/// The reply that is under way when the time is over.
const SLACK: Duration = Duration::from_secs(1);
