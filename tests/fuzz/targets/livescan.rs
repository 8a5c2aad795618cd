//! What a maker's scanner plug-in says: any bytes are words or nonsense, how they were cut changes nothing, and a frame
//! of any size is looked at without harm.
#![no_main]

use drivers::livescan::Window;
use drivers::livescan::frame::{Parser, Reply, Request};
use drivers::livescan::touch;
use fuzz::Script;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let (cut, wrapped) = (usize::from(script.byte()), script.byte() % 2 == 1);
    let width = usize::from(script.byte()) * 2;
    let line = if wrapped { words(script) } else { bytes.get(3..).unwrap_or_default().to_vec() };
    let whole = read(&line, line.len());
    assert!(whole == read(&line, cut), "the cuts changed the words");
    for (letter, content) in whole {
        if let Ok(request) = Request::parse(letter, &content) {
            assert_eq!(request.bytes()[7..], content[..]);
        }
        let Ok(reply) = Reply::parse(letter, content) else { continue };
        if let Reply::Image(pixels) = &reply {
            touch::judge(pixels, width);
            assert!(pixels.is_empty() || touch::is_steady(pixels, pixels));
        }
        let again = read(&reply.bytes(), usize::MAX);
        let (letter, content) = again.into_iter().next().expect("what we write we can read");
        assert!(Reply::parse(letter, content) == Ok(reply));
    }
});

fn read(line: &[u8], cut: usize) -> Vec<(u8, Vec<u8>)> {
    let mut parser = Parser::default();
    let mut found = Vec::new();
    for part in line.chunks(cut.max(1)) {
        parser.push(part);
        while let Ok(Some(word)) = parser.next_word() {
            found.push(word);
        }
    }
    found
}

/// Words whose lengths are right.
fn words(mut script: Script) -> Vec<u8> {
    let mut line = Vec::new();
    while !script.is_over() {
        let n = usize::from(script.byte()) * 8;
        line.extend(match script.byte() {
            0..=99 => Reply::Image(script.take(n)).bytes(),
            100..=139 => Reply::Failed(i32::from(script.byte()) - 128).bytes(),
            140..=179 => {
                let about = String::from_utf8_lossy(&script.take(n)).into_owned();
                let (width, height) = (u32::from(script.byte()), u32::from(script.byte()));
                Reply::Opened(Window { width, height, version: 1, about }).bytes()
            }
            180..=219 => Request::Open(script.byte()).bytes(),
            _ => script.take(n % 32),
        });
    }
    line
}
