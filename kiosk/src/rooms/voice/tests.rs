//! The room over a device that swallows every sound, and over one that is not there.

use std::sync::mpsc;

use drivers::speaker::Output;

use super::*;
use crate::happening::{Happening, words};

#[test]
fn a_missing_prompt_and_a_missing_device_are_told_once_each_and_the_visit_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let counter = Counter::new(folder.path(), true);
    let mut room = counter.room;
    say(&mut room, 2);
    assert_eq!(words(&counter.told), ["device-speaker err-speaker-prompts"]);
    record(folder.path(), Id::LayCard);
    say(&mut room, 1);
    assert_eq!(words(&counter.told), ["device-speaker works"]);

    let counter = Counter::new(folder.path(), false);
    let mut room = counter.room;
    say(&mut room, 2);
    assert_eq!(words(&counter.told), ["device-speaker err-speaker-silent"]);
}

#[test]
fn coaching_does_not_repeat_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    record(folder.path(), Id::FaceLook);
    record(folder.path(), Id::FaceComeCloser);
    let mut room = Counter::new(folder.path(), true).room;
    let coached = [Id::FaceLook, Id::FaceLook, Id::FaceComeCloser, Id::FaceComeCloser];
    let said: Vec<u64> = coached
        .into_iter()
        .map(|id| {
            room.obey(Order::Coach(id));
            quiet(&mut room)
        })
        .collect();
    assert_eq!(said, [1, 1, 2, 2]);
}

struct Counter {
    room: VoiceRoom,
    told: Receiver<Happening>,
}

impl Counter {
    fn new(prompts: &std::path::Path, has_device: bool) -> Self {
        let (sender, told) = mpsc::channel();
        let config = SpeakerConfig { device: String::new(), prompts: prompts.into(), volume: 80 };
        let make = move || {
            let open = move || match has_device {
                true => Ok(Box::new(Deaf) as Box<dyn Output>),
                false => Err(SpeakerError::Missing("no card".into())),
            };
            Speaker::over(Box::new(open), config.clone())
        };
        let room = VoiceRoom::over(Box::new(make), true, Teller::new(sender));
        Self { room, told }
    }
}

/// Says the same so many times, to its end, and lets the room tell how that was.
fn say(room: &mut VoiceRoom, n_times: u32) {
    for _ in 0..n_times {
        room.obey(Order::Say(Id::LayCard));
        quiet(room);
        room.tell();
    }
}

/// Waits until nothing is being said; how much was said until now.
fn quiet(room: &mut VoiceRoom) -> u64 {
    let soon = Instant::now() + Duration::from_secs(60);
    room.speaker().wait_silent(soon).n_said
}

/// A tenth of a second of silence: 16 bits, one channel, 8 kHz.
fn record(prompts: &std::path::Path, id: Id) {
    let samples = [0_u8; 1600];
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + samples.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8_000_u32.to_le_bytes());
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((samples.len() as u32).to_le_bytes());
    wav.extend(samples);
    std::fs::write(prompts.join(format!("{}.wav", id.name())), wav).expect("a file");
}

/// Takes every sound.
struct Deaf;

impl Output for Deaf {
    fn prepare(&mut self, _rate_hz: u32, _n_channels: u16) -> Result<(), SpeakerError> {
        Ok(())
    }

    fn play(&mut self, _samples: &[i16]) -> Result<(), SpeakerError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SpeakerError> {
        Ok(())
    }

    fn cut(&mut self) {}
}
