//! A social-security card that answers whatever it likes: the conversation ends after a bounded number of commands, the
//! PIN is shown at most once, and what is read is sane.
#![no_main]

use drivers::social_card::apdu::Answer;
use drivers::social_card::fields::{Holder, Issuer, Record};
use drivers::social_card::session::{self, Channel, Lost};
use drivers::social_card::{HolderFile, Pin, Reading, SocialCardError};
use fuzz::Script;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    records(bytes);
    let mut script = Script::new(bytes);
    let is_locked = script.byte() % 2 == 1;
    let pin = Pin::parse("904217").filter(|_| script.byte() % 2 == 1).map(|pin| (pin, 1, 1));
    let n_pins_max = u32::from(pin.is_some());
    let mut card = Card { script, is_locked, n_commands: 0, n_pins: 0, selected: 0 };
    if let Ok((Reading::Card(read), _)) = session::read(&mut card, pin.as_ref(), None) {
        assert_eq!(format!("{read:?}"), "SocialCard(…)");
        if let HolderFile::Open(holder) = &read.holder {
            assert!(!holder.number.is_empty());
        }
    }
    assert!(card.n_commands <= COMMANDS_MAX, "a conversation without end");
    assert!(card.n_pins <= n_pins_max, "a PIN twice, or one that nobody entered");
});

/// Records as they lie on a card, one behind the other.
fn records(bytes: &[u8]) {
    let records: Vec<Vec<u8>> = bytes.chunks(40).map(<[u8]>::to_vec).collect();
    for record in &records {
        if let Some(parsed) = Record::parse(record) {
            assert!(parsed.value.len() < record.len());
        }
        Answer::parse(record);
    }
    let _ = Issuer::of(&records);
    if let Some(holder) = Holder::of(&records) {
        assert!(holder.name.is_none_or(|name| !name.contains(char::REPLACEMENT_CHARACTER)));
    }
}

struct Card {
    script: Script,
    is_locked: bool,
    n_commands: u32,
    n_pins: u32,
    selected: u8,
}

impl Channel for Card {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost> {
        self.n_commands += 1;
        self.n_pins += u32::from(command[1] == 0x20);
        match self.script.byte() {
            0..=179 => Ok(self.good(command)),
            180..=209 => {
                let n = usize::from(self.script.byte());
                Ok(self.script.take(n))
            }
            210..=219 => Ok(vec![0x61, self.script.byte()]),
            220..=229 => Ok(vec![0x6C, self.script.byte()]),
            230..=239 => Ok(vec![0x6A, self.script.byte()]),
            240..=244 => Err(Lost::Card),
            245..=249 => Err(Lost::Reader(SocialCardError::Garbled)),
            _ => Ok(Vec::new()),
        }
    }
}

impl Card {
    /// What a sound card says, with content from the script.
    fn good(&mut self, command: &[u8]) -> Vec<u8> {
        match (command[1], command.get(5..7)) {
            (0xA4, Some([0xEF, file])) => self.selected = *file,
            (0x20, _) => self.is_locked = false,
            (0xB2, _) if self.selected == 0x06 && self.is_locked => return vec![0x69, 0x82],
            (0xB2, _) => {
                // Records whose lengths are right, so that the fields behind them are reached.
                let n = usize::from(self.script.byte() % 40);
                let value = match command[2] {
                    1 if self.selected == 0x05 => vec![0x43; 16],
                    _ => self.script.take(n),
                };
                return [vec![command[2], value.len() as u8], value, vec![0x90, 0]].concat();
            }
            _ => {}
        }
        vec![0x90, 0]
    }
}

/// Of the driver's own bound, and the one command that meets it.
const COMMANDS_MAX: u32 = 251;
