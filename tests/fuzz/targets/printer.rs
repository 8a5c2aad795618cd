//! A printer that answers whatever it likes, and slips of any text: each print ends, and no text commands the printer.
#![no_main]

use std::time::Duration;

use drivers::printer::{Align, Line as Words, Printer, Settings, Slip};
use fuzz::{Answer, Line, Script};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8])| {
    let (text, bytes) = input;
    let mut script = Script::new(bytes);
    let words = Words::new(text).size(script.byte()).align(Align::Centre);
    let mut slip = Slip::new().line(words).feed(script.byte()).cut();
    let n_code = usize::from(script.byte());
    let module = u32::from(script.byte());
    if let Ok(coded) = slip.clone().qr(&script.take(n_code), module) {
        slip = coded;
    }
    let side = u32::from(script.byte()) * 12;
    slip = slip.picture(side, side / 7, |x, y| (x + y) % 3 == 0);
    check(text);
    let line = Line::new(usize::from(script.byte()), move |_| match script.byte() {
        0..=99 => Answer::Bytes(vec![0x12], Duration::from_millis(3)),
        100..=119 => Answer::Bytes(Vec::new(), Duration::ZERO),
        120..=124 => Answer::Gone,
        125..=149 => Answer::Bytes(script.take(3), Duration::from_millis(900)),
        _ => Answer::Bytes(vec![script.byte()], Duration::from_millis(3)),
    });
    let mut printer = Printer::over(Box::new(line), Settings::default());
    for _ in 0..PRINTS {
        let _ = printer.print(&slip);
        let _ = printer.status();
    }
});

/// A line of text holds no control byte but the line feed at its end.
fn check(text: &str) {
    let with = Slip::new().line(text).encode(384);
    let head = Slip::new().line("").encode(384).len() - 1;
    let (last, words) = with[head..].split_last().expect("a line has an end");
    assert_eq!(*last, b'\n');
    assert!(words.iter().all(|byte| *byte >= b' ' && *byte != 0x7F), "a text commands");
}

const PRINTS: usize = 3;
