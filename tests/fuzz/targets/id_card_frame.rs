//! Frames of the card reader: no bytes panic, nothing grows without end, and how the bytes were cut changes nothing.
#![no_main]

use drivers::id_card::commands::{Blocks, Command, Meaning};
use drivers::id_card::frame::{Parser, Reply};
use fuzz::{Script, card_reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let (cut, wrapped) = (usize::from(script.byte()), script.byte() % 2 == 1);
    let line = if wrapped { frames(script) } else { bytes.get(2..).unwrap_or_default().to_vec() };
    let whole = replies(&line, line.len());
    assert!(whole == replies(&line, cut), "the cuts changed the replies");
    for reply in &whole {
        Meaning::of(reply.status);
        COMMANDS.iter().for_each(|command| drop(command.accepts(reply)));
        Blocks::split(&reply.data, false);
        Blocks::split(&reply.data, true);
    }
});

fn replies(line: &[u8], cut: usize) -> Vec<Reply> {
    let mut parser = Parser::default();
    let mut found = Vec::new();
    for part in line.chunks(cut.max(1)) {
        parser.push(part);
        while let Some(reply) = parser.next_reply() {
            found.push(reply);
        }
    }
    found.extend(parser.rescue());
    let size: usize = found.iter().map(|reply| reply.data.len()).sum();
    assert!(size <= line.len(), "more came out than went in");
    found
}

/// Good frames with a little noise between them.
fn frames(mut script: Script) -> Vec<u8> {
    let mut line = Vec::new();
    while !script.is_over() && line.len() < LINE_MAX {
        let n_noise = usize::from(script.byte() % 4);
        line.extend(script.take(n_noise));
        let (status, n) = (script.byte(), usize::from(script.byte()));
        line.extend(card_reply(status, &script.take(n)));
    }
    line
}

const COMMANDS: [Command; 8] = [
    Command::Reset,
    Command::Status,
    Command::SamId,
    Command::Find,
    Command::Select,
    Command::ReadBase,
    Command::ReadBaseWithFingerprint,
    Command::ReadAdditionalAddress,
];
/// A parser keeps at most two of its largest frames when nobody asks for replies in between.
const LINE_MAX: usize = 4096;
