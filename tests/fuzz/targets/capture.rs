//! Recorded traffic from the field: any text is a capture or an error, and a driver that it is played to comes to an end.
#![no_main]

use drivers::id_card::{Reader, Settings};
use drivers::link::{Capture, ReplayLink};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(capture) = Capture::parse(text) else { return };
    let replay = ReplayLink::new(capture);
    if let Ok(mut reader) = Reader::over(Box::new(replay), Settings::default()) {
        let _ = reader.poll();
    }
});
