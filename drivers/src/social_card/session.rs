//! The conversation with one card from its first command to its last. Knows no reader and
//! no clock: whatever carries a command to a card and brings an answer will do.

use super::apdu::{Answer, Command, Status};
use super::fields::{Holder, Issuer};
use super::{HolderFile, Pin, Reading, SocialCard, SocialCardError, Spent};

/// Carries commands to the card in the slot.
pub trait Channel {
    /// The card's answer to `command`, as bytes.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost>;
}

/// No answer came.
#[derive(Debug)]
pub enum Lost {
    /// The card is gone, or was reset in between.
    Card,
    /// The reader failed.
    Reader(SocialCardError),
}

/// Reads the card. Whatever happens to it in between, the result is of one card alone.
/// `pin` comes with a mark to know it by and the tries that are to be kept; `spent` is
/// what was refused before, and comes back anew when a PIN was refused now.
pub fn read(
    channel: &mut dyn Channel,
    pin: Option<&(Pin, u64, u8)>,
    spent: Option<&Spent>,
) -> Result<(Reading, Option<Spent>), SocialCardError> {
    let mut session = Session { channel, n_commands: 0 };
    let mut new = None;
    match session.read(pin, spent, &mut new) {
        Ok(reading) => Ok((reading, new)),
        Err(Stop::Answer(reading)) => Ok((reading, new)),
        Err(Stop::Fault(error)) => Err(error),
    }
}

/// Why a session ends before its end.
enum Stop {
    Answer(Reading),
    Fault(SocialCardError),
}

struct Session<'a> {
    channel: &'a mut dyn Channel,
    n_commands: u32,
}

impl Session<'_> {
    fn read(
        &mut self,
        pin: Option<&(Pin, u64, u8)>,
        spent: Option<&Spent>,
        new: &mut Option<Spent>,
    ) -> Result<Reading, Stop> {
        let selected = self.exchange(&Command::select_application(APPLICATION))?;
        if selected.status != Status::Ok {
            return Ok(Reading::OtherCard);
        }
        if !self.select(ISSUER_FILE)? {
            return Ok(Reading::Unreadable);
        }
        let (records, _) = self.records(1..=LAST_ISSUER_RECORD)?;
        let Some(issuer) = Issuer::of(&records) else { return Ok(Reading::Unreadable) };
        let mut holder = self.holder()?;
        if let (HolderFile::Locked, Some((pin, mark, kept))) = (&holder, pin) {
            if spent.is_some_and(|spent| !spent.allows(&issuer.card_id, *mark, *kept)) {
                return Ok(Reading::PinNotTried);
            }
            // Never again, not for another length either: each time may cost a try.
            match self.transmit(&Command::verify(pin.digits()))?.status {
                Status::Ok => holder = self.holder()?,
                Status::TriesLeft(tries_left) => {
                    *new = Some(Spent::add(spent, issuer.card_id, *mark, tries_left));
                    return Ok(Reading::PinWrong { tries_left });
                }
                Status::Blocked => return Ok(Reading::PinBlocked),
                // It may still have counted; the person decides whether to go on.
                _ => return Ok(Reading::PinNotTried),
            }
        }
        self.still_the_same(&issuer)?;
        Ok(Reading::Card(Box::new(SocialCard { issuer, holder })))
    }

    /// The numbers of the holder's records differ between provinces.
    fn holder(&mut self) -> Result<HolderFile, Stop> {
        if !self.select(HOLDER_FILE)? {
            return Ok(HolderFile::Absent);
        }
        for numbers in HOLDER_RECORDS {
            let (records, locked) = self.records(numbers)?;
            if locked {
                return Ok(HolderFile::Locked);
            }
            if let Some(holder) = Holder::of(&records) {
                return Ok(HolderFile::Open(Box::new(holder)));
            }
        }
        Ok(HolderFile::Absent)
    }

    /// A card that was changed in between has another number, or wants to be selected.
    fn still_the_same(&mut self, issuer: &Issuer) -> Result<(), Stop> {
        if self.select(ISSUER_FILE)? {
            let (records, _) = self.records(1..=LAST_ISSUER_RECORD)?;
            if Issuer::of(&records).as_ref() == Some(issuer) {
                return Ok(());
            }
        }
        Err(Stop::Answer(Reading::Moved))
    }

    fn select(&mut self, file: u16) -> Result<bool, Stop> {
        for way in [0x00, 0x02] {
            match self.exchange(&Command::select_file(file, way))?.status {
                Status::Ok => return Ok(true),
                Status::OtherWay | Status::NotThere => {}
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    /// The records of these numbers that there are, and whether the card locks them.
    fn records(
        &mut self,
        numbers: std::ops::RangeInclusive<u8>,
    ) -> Result<(Vec<Vec<u8>>, bool), Stop> {
        let mut records = Vec::new();
        for number in numbers {
            let mut answer = self.exchange(&Command::read_record(number, 0x04))?;
            if answer.status == Status::OtherWay {
                answer = self.exchange(&Command::read_record(number, 0x00))?;
            }
            match answer.status {
                Status::Ok => records.push(answer.content),
                Status::Locked => return Ok((Vec::new(), true)),
                _ => {}
            }
        }
        Ok((records, false))
    }

    /// One command with what it takes to bring the whole answer: another length, and the
    /// rest of it.
    fn exchange(&mut self, command: &Command) -> Result<Answer, Stop> {
        let mut answer = self.transmit(command)?;
        if let Status::Exactly(size) = answer.status {
            answer = self.transmit(&command.for_exactly(size))?;
        }
        let mut content = answer.content;
        while let Status::More(size) = answer.status {
            answer = self.transmit(&Command::fetch(size))?;
            content.extend(answer.content);
            if content.len() > ANSWER_MAX {
                return Err(Stop::Fault(SocialCardError::Garbled));
            }
        }
        Ok(Answer { content, status: answer.status })
    }

    fn transmit(&mut self, command: &Command) -> Result<Answer, Stop> {
        self.n_commands += 1;
        if self.n_commands > COMMANDS_MAX {
            return Err(Stop::Fault(SocialCardError::Garbled));
        }
        match self.channel.transmit(&command.bytes()) {
            Ok(bytes) => Answer::parse(&bytes).ok_or(Stop::Fault(SocialCardError::Garbled)),
            Err(Lost::Card) => Err(Stop::Answer(Reading::Moved)),
            Err(Lost::Reader(error)) => Err(Stop::Fault(error)),
        }
    }
}

/// `sx1.sh.` and 社会保障 in GBK.
pub const APPLICATION: &[u8; 15] = b"sx1.sh.\xC9\xE7\xBB\xE1\xB1\xA3\xD5\xCF";
const ISSUER_FILE: u16 = 0xEF05;
const HOLDER_FILE: u16 = 0xEF06;
const LAST_ISSUER_RECORD: u8 = 7;
/// By the tag in some provinces, from 1 in others.
const HOLDER_RECORDS: [std::ops::RangeInclusive<u8>; 2] = [0x08..=0x0D, 0x01..=0x06];
/// No file that is read here has a record near to this.
const ANSWER_MAX: usize = 1024;
/// The longest sound conversation has about a hundred.
const COMMANDS_MAX: u32 = 250;

#[cfg(test)]
mod tests {
    use super::*;

    /// A locked card that wants the PIN with another length.
    struct Card {
        selected: u8,
        n_pins: u32,
    }

    impl Channel for Card {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost> {
            Ok(match (command[1], command.get(5..7)) {
                (0xA4, Some([0xEF, file])) => {
                    self.selected = *file;
                    vec![0x90, 0]
                }
                (0x20, _) => {
                    self.n_pins += 1;
                    vec![0x6C, 5]
                }
                (0xB2, _) if self.selected == 0x06 => vec![0x69, 0x82],
                (0xB2, _) => [vec![command[2], 16], vec![0x43; 16], vec![0x90, 0]].concat(),
                _ => vec![0x90, 0],
            })
        }
    }

    #[test]
    fn a_pin_is_shown_once_whatever_the_card_answers() {
        let mut card = Card { selected: 0, n_pins: 0 };
        let pin = (Pin::parse("904217").unwrap(), 1, 1);
        let (reading, _) = read(&mut card, Some(&pin), None).unwrap();
        assert!(matches!(reading, Reading::PinNotTried));
        assert_eq!(card.n_pins, 1);
    }
}
