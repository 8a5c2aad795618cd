//! The ID-card reader: one security module (SAM) behind a serial line. Finds, selects
//! and reads cards, keeps watch over a card that stays, and recovers the line by itself.
//! It gives what the card holds and the reader's answers; whether a card or a person is
//! accepted is decided elsewhere.

pub mod commands;
pub mod fields;
pub mod frame;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use crate::link::{Link, LinkConfig, LinkError};
pub use commands::CardFault;
use commands::{Blocks, Command, Meaning};
use frame::{Parser, Reply};

/// A reader that answers.
pub struct Reader {
    wire: Wire,
    settings: Settings,
    sam_id: Option<[u8; 16]>,
    last_card: Option<LastCard>,
    is_card_lying: bool,
    may_hide_card: bool,
    must_reopen: bool,
    hasher: RandomState,
}

/// What the reader found in its field.
pub enum Poll {
    /// Nothing lies there.
    NoCard,
    /// A card lies there and moved; it has to stay still.
    HoldStill,
    /// A card was read whole, and was verified by the security module.
    Card(Box<CardBlocks>),
    /// The card that was read last has not left.
    SameCardStillThere,
    /// The security module does not vouch for the card.
    Unverifiable(CardFault),
}

/// How to treat the reader.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Line speeds to try, the likeliest first, in baud.
    pub baud_rates_hz: Vec<u32>,
    /// Whether to read the fingerprint block. Off by default: its format is closed, and
    /// what is not needed is not read.
    pub with_fingerprint: bool,
    /// Whether to ask for an address that was written later.
    pub with_additional_address: bool,
    /// When a card is read a second time before it is believed.
    pub confirm: Confirm,
}

/// When a card is read twice. The checksum of the protocol is a single byte: one in
/// 256 damaged frames passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// Only when the line was seen to damage bytes since the card was laid.
    AfterNoise,
    /// Always; doubles the time of a read.
    Always,
}

/// The bytes of one card as the reader gave them. Prints without any of them.
#[derive(Clone, PartialEq, Eq)]
pub struct CardBlocks {
    /// Text block, see [`fields::decode`].
    pub text: [u8; 256],
    /// Photo block, 1024 bytes in the closed format of the card.
    pub photo: Vec<u8>,
    /// Fingerprint block, 512 or 1024 bytes; `None` if not asked for or not on the card.
    pub fingerprint: Option<Vec<u8>>,
    /// The security module that read it.
    pub sam_id: [u8; 16],
    /// Address written later, see [`fields::decode_address`].
    pub additional_address: Option<[u8; 70]>,
}

/// The reader failed. The card, if there is one, is untouched.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// Nothing answers at any speed.
    #[error("card reader does not answer")]
    Silent,
    /// The link is gone or cannot be opened.
    #[error("card reader is not connected")]
    Unplugged(#[source] LinkError),
    /// Answers come, and are damaged again and again.
    #[error("line to the card reader damages bytes")]
    Garbled,
    /// The security module failed its self-test.
    #[error("security module of the card reader is dead")]
    SamDead,
    /// The security module has no licence to work.
    #[error("security module of the card reader is not authorised")]
    SamUnauthorised,
    /// The reader refuses a request it should know.
    #[error("card reader refuses with status {0:#04x}")]
    Refused(u8),
}

impl Reader {
    /// Opens the link and looks for the speed the reader answers at.
    pub fn open(link: &LinkConfig, settings: Settings) -> Result<Self, ReaderError> {
        let first_hz = settings.baud_rates_hz.first().copied();
        let link = link.open(first_hz.unwrap_or(BAUD_DEFAULT_HZ));
        Self::over(link.map_err(ReaderError::Unplugged)?, settings)
    }

    /// Takes an open link and looks for the speed the reader answers at.
    pub fn over(link: Box<dyn Link>, settings: Settings) -> Result<Self, ReaderError> {
        let mut reader = Self {
            wire: Wire::new(link),
            settings,
            sam_id: None,
            last_card: None,
            is_card_lying: false,
            may_hide_card: true,
            must_reopen: false,
            hasher: RandomState::new(),
        };
        let limit = reader.wire.link.now() + POLL_MAX;
        reader.probe(limit).map_err(ReaderError::from)?;
        Ok(reader)
    }

    /// Looks once for a card and reads a new one. To be called every 300 ms or so;
    /// returns within [`POLL_MAX`], and after an error the next call reopens the device.
    pub fn poll(&mut self) -> Result<Poll, ReaderError> {
        let limit = self.wire.link.now() + POLL_MAX;
        self.recovering(limit, |reader| reader.look(limit))
    }

    /// Asks the security module whether it works.
    pub fn status(&mut self) -> Result<(), ReaderError> {
        let limit = self.wire.link.now() + POLL_MAX;
        self.recovering(limit, |reader| {
            let reply = reader.wire.exchange(Command::Status, limit)?;
            good(&reply)
        })
    }

    /// The 16 bytes that name the security module.
    pub fn sam_id(&mut self) -> Result<[u8; 16], ReaderError> {
        let limit = self.wire.link.now() + POLL_MAX;
        self.recovering(limit, |reader| reader.ask_sam_id(limit))
    }

    /// Restarts the security module, which also frees a card whose chip hangs.
    pub fn reset(&mut self) -> Result<(), ReaderError> {
        let limit = self.wire.link.now() + POLL_MAX;
        self.last_card = None;
        self.is_card_lying = false;
        self.recovering(limit, |reader| reader.restart(limit))
    }

    /// Forgets the card that lies there, so that the next poll reads it again.
    pub fn forget_card(&mut self) -> Result<(), ReaderError> {
        // A module keeps answering "no card" for the card it has read until its field
        // was off for a moment.
        self.reset()
    }

    /// Line speed the reader answers at, in baud.
    pub fn baud_hz(&self) -> u32 {
        self.wire.baud_hz
    }

    /// Runs `act`; silence and damage are met by a resync and one more try, and what
    /// cannot be helped so is left to a reopening before the next request.
    fn recovering<T>(
        &mut self,
        limit: Instant,
        mut act: impl FnMut(&mut Self) -> Result<T, Trouble>,
    ) -> Result<T, ReaderError> {
        if self.must_reopen {
            self.reopen(limit)?;
        }
        let mut tries_left = LINE_TRIES_MAX;
        loop {
            let trouble = match act(self) {
                Ok(value) => return Ok(value),
                Err(trouble) => trouble,
            };
            tries_left -= 1;
            let helps = matches!(trouble, Trouble::Silent | Trouble::Damaged);
            if helps && tries_left > 0 && self.wire.resync(limit).is_ok() {
                debug!("card reader: line resynchronised");
                continue;
            }
            self.must_reopen |= helps || matches!(trouble, Trouble::Link(_));
            return Err(trouble.into());
        }
    }

    fn reopen(&mut self, limit: Instant) -> Result<(), ReaderError> {
        warn!("card reader is opened anew");
        self.is_card_lying = false;
        self.wire.link.reopen().map_err(ReaderError::Unplugged)?;
        self.probe(limit)?;
        self.must_reopen = false;
        Ok(())
    }

    /// The last good speed first, then the list, then the first again: a reader that was
    /// just plugged in says nothing for 300 ms.
    fn probe(&mut self, limit: Instant) -> Result<(), Trouble> {
        let mut rates = self.settings.baud_rates_hz.clone();
        if self.wire.baud_hz != 0 {
            rates.insert(0, self.wire.baud_hz);
        }
        rates.extend(rates.first().copied());
        for baud_hz in rates {
            match self.wire.link.set_baud(baud_hz) {
                Ok(()) => {}
                Err(LinkError::Baud(_)) => continue,
                Err(error) => return Err(Trouble::Link(error)),
            }
            self.wire.baud_hz = baud_hz;
            match self.wire.exchange(Command::Status, limit) {
                Ok(_) => {
                    self.sam_id = None;
                    self.may_hide_card = true;
                    // What came at the wrong speeds was no fault of the line.
                    self.wire.saw_noise = false;
                    return Ok(());
                }
                Err(Trouble::Silent) => {}
                Err(other) => return Err(other),
            }
        }
        Err(Trouble::Silent)
    }

    fn ask_sam_id(&mut self, limit: Instant) -> Result<[u8; 16], Trouble> {
        if let Some(id) = self.sam_id {
            return Ok(id);
        }
        let reply = self.wire.exchange(Command::SamId, limit)?;
        good(&reply)?;
        let id = reply.data.try_into().map_err(|_| Trouble::Damaged)?;
        self.sam_id = Some(id);
        Ok(id)
    }

    fn restart(&mut self, limit: Instant) -> Result<(), Trouble> {
        let reply = self.wire.exchange(Command::Reset, limit)?;
        self.wire.link.pause(RESET_PAUSE);
        good(&reply)?;
        self.may_hide_card = false;
        Ok(())
    }

    fn look(&mut self, limit: Instant) -> Result<Poll, Trouble> {
        if self.is_card_lying && self.is_still_there(limit)? {
            return Ok(Poll::SameCardStillThere);
        }
        self.is_card_lying = false;
        let mut moved = false;
        for _ in 0..CARD_TRIES_MAX {
            match self.read_card(limit)? {
                Attempt::NoCard if moved => return Ok(Poll::HoldStill),
                Attempt::NoCard => return Ok(Poll::NoCard),
                Attempt::Unverifiable(fault) => return Ok(Poll::Unverifiable(fault)),
                Attempt::Moved => moved = true,
                Attempt::Read(card) => return Ok(self.keep(card)),
            }
            if self.wire.link.now() + CARD_CYCLE > limit {
                return Ok(Poll::HoldStill);
            }
        }
        // Some chips hang after a bad read until the field was off.
        self.restart(limit)?;
        Ok(Poll::HoldStill)
    }

    /// The selected card answers for its additional address, another card does not.
    fn is_still_there(&mut self, limit: Instant) -> Result<bool, Trouble> {
        let reply = self.wire.exchange(Command::ReadAdditionalAddress, limit)?;
        let now = self.wire.link.now();
        match Meaning::of(reply.status) {
            Meaning::Ok | Meaning::NotOnCard => {
                if let Some(last) = &mut self.last_card {
                    last.last_seen = now;
                }
                Ok(true)
            }
            Meaning::SamDead => Err(Trouble::SamDead),
            Meaning::SamUnauthorised => Err(Trouble::SamUnauthorised),
            Meaning::Damaged => Err(Trouble::Damaged),
            _ => Ok(false),
        }
    }

    /// A card that bounced on the glass is the same card and not a new one.
    fn keep(&mut self, card: Box<CardBlocks>) -> Poll {
        let digest = self.hasher.hash_one(card.text);
        let now = self.wire.link.now();
        let this = LastCard { digest, last_seen: now };
        let before = self.last_card.replace(this);
        self.is_card_lying = true;
        let bounced = before.is_some_and(|b| b.digest == digest && now - b.last_seen < BOUNCE_MAX);
        if bounced {
            return Poll::SameCardStillThere;
        }
        if fields::decode(&card.text).is_err() {
            return Poll::Unverifiable(CardFault::TextUnreadable);
        }
        Poll::Card(card)
    }

    /// Find, select and read; no step may be left out.
    fn read_card(&mut self, limit: Instant) -> Result<Attempt, Trouble> {
        let mut found = self.find(limit)?;
        // A module does not find a card that it has read: neither the one whose reply was
        // lost on the line nor the one that lay there when the kiosk started.
        if matches!(found, Some(Attempt::NoCard)) && self.may_hide_card {
            self.restart(limit)?;
            found = self.find(limit)?;
        }
        if let Some(other) = found {
            return Ok(other);
        }
        let sam_id = self.ask_sam_id(limit)?;
        let reply = self.wire.exchange(Command::Select, limit)?;
        if Meaning::of(reply.status) != Meaning::Ok {
            return other_answer(&reply);
        }
        self.may_hide_card = true;
        let attempt = self.read_blocks(sam_id, limit)?;
        self.may_hide_card = false;
        Ok(attempt)
    }

    /// Looks for a card; `None` if there is one to be selected.
    fn find(&mut self, limit: Instant) -> Result<Option<Attempt>, Trouble> {
        let reply = self.wire.exchange(Command::Find, limit)?;
        match Meaning::of(reply.status) {
            Meaning::Found => Ok(None),
            Meaning::NoCard => {
                self.wire.saw_noise = false;
                Ok(Some(Attempt::NoCard))
            }
            _ => other_answer(&reply).map(Some),
        }
    }

    /// Reads the selected card until what was read can be believed.
    fn read_blocks(&mut self, sam_id: [u8; 16], limit: Instant) -> Result<Attempt, Trouble> {
        let mut before: Option<Box<CardBlocks>> = None;
        for _ in 0..READS_MAX {
            let card = match self.read_once(sam_id, limit)? {
                Attempt::Read(card) => card,
                other => return Ok(other),
            };
            let again = before.as_ref().is_some_and(|b| *b == card);
            let noise = std::mem::take(&mut self.wire.saw_noise);
            let must_confirm = noise || self.settings.confirm == Confirm::Always;
            if again || (before.is_none() && !must_confirm) {
                return Ok(Attempt::Read(card));
            }
            before = Some(card);
        }
        Err(Trouble::Damaged)
    }

    fn read_once(&mut self, sam_id: [u8; 16], limit: Instant) -> Result<Attempt, Trouble> {
        let with_fingerprint = self.settings.with_fingerprint;
        let command = match with_fingerprint {
            true => Command::ReadBaseWithFingerprint,
            false => Command::ReadBase,
        };
        let reply = self.wire.exchange(command, limit)?;
        if Meaning::of(reply.status) != Meaning::Ok {
            return other_answer(&reply);
        }
        let blocks = Blocks::split(&reply.data, with_fingerprint).ok_or(Trouble::Damaged)?;
        let fingerprint = (!blocks.fingerprint.is_empty()).then(|| blocks.fingerprint.to_vec());
        let mut card = Box::new(CardBlocks {
            text: *blocks.text,
            photo: blocks.photo.to_vec(),
            fingerprint,
            sam_id,
            additional_address: None,
        });
        if self.settings.with_additional_address {
            let reply = self.wire.exchange(Command::ReadAdditionalAddress, limit)?;
            match Meaning::of(reply.status) {
                Meaning::Ok => card.additional_address = reply.data.try_into().ok(),
                Meaning::NotOnCard => {}
                _ => return other_answer(&reply),
            }
        }
        Ok(Attempt::Read(card))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            baud_rates_hz: vec![115_200, 57_600, 38_400, 19_200, 9_600, 230_400],
            with_fingerprint: false,
            with_additional_address: true,
            confirm: Confirm::AfterNoise,
        }
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCard => f.write_str("NoCard"),
            Self::HoldStill => f.write_str("HoldStill"),
            Self::Card(_) => f.write_str("Card(…)"),
            Self::SameCardStillThere => f.write_str("SameCardStillThere"),
            Self::Unverifiable(fault) => write!(f, "Unverifiable({fault:?})"),
        }
    }
}

impl fmt::Debug for CardBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardBlocks(…)")
    }
}

impl ReaderError {
    /// A stable name for messages, logs and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Silent => "id-card-reader-silent",
            Self::Unplugged(_) => "id-card-reader-unplugged",
            Self::Garbled => "id-card-reader-garbled",
            Self::SamDead => "id-card-reader-sam-dead",
            Self::SamUnauthorised => "id-card-reader-sam-unauthorised",
            Self::Refused(_) => "id-card-reader-refused",
        }
    }
}

impl From<Trouble> for ReaderError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Silent => Self::Silent,
            Trouble::Damaged => Self::Garbled,
            Trouble::Link(error) => Self::Unplugged(error),
            Trouble::SamDead => Self::SamDead,
            Trouble::SamUnauthorised => Self::SamUnauthorised,
            Trouble::Refused(status) => Self::Refused(status),
        }
    }
}

/// The text of a security module's id, as it is printed on readers.
pub fn sam_id_text(id: &[u8; 16]) -> String {
    let half = |i: usize| u16::from_le_bytes([id[i], id[i + 1]]);
    let word = |i: usize| u32::from_le_bytes([id[i], id[i + 1], id[i + 2], id[i + 3]]);
    let (a, b, date, c, d) = (half(0), half(2), word(4), word(8), word(12));
    format!("{a:02}.{b:02}-{date}-{c:010}-{d:010}")
}

/// The card that was read last, without what it holds.
struct LastCard {
    digest: u64,
    last_seen: Instant,
}

/// How one walk through find, select and read ended.
enum Attempt {
    NoCard,
    Moved,
    Unverifiable(CardFault),
    Read(Box<CardBlocks>),
}

/// What can go wrong with one request, before it is known whether it matters.
enum Trouble {
    Silent,
    Damaged,
    Link(LinkError),
    SamDead,
    SamUnauthorised,
    Refused(u8),
}

/// Requests and replies over the link, half duplex.
struct Wire {
    link: Box<dyn Link>,
    parser: Parser,
    baud_hz: u32,
    saw_noise: bool,
}

impl Wire {
    fn new(link: Box<dyn Link>) -> Self {
        Self { link, parser: Parser::default(), baud_hz: 0, saw_noise: false }
    }

    /// Sends a request and waits for a reply that can be its own.
    fn exchange(&mut self, command: Command, limit: Instant) -> Result<Reply, Trouble> {
        self.link.flush_input().map_err(Trouble::Link)?;
        self.parser.clear();
        let frame = command.frame();
        let on_wire = wire_time(frame.len() + command.reply_size_max(), self.baud_hz);
        let deadline = limit.min(self.link.now() + command.patience() + on_wire);
        self.link.write_all(&frame, deadline).map_err(Trouble::Link)?;
        let reply = self.reply(command, deadline)?;
        let saw_junk = self.parser.take_saw_junk();
        self.saw_noise |= saw_junk;
        reply.ok_or(Trouble::Silent)
    }

    fn reply(&mut self, command: Command, deadline: Instant) -> Result<Option<Reply>, Trouble> {
        let mut some = [0; 512];
        loop {
            let n = self.link.read(&mut some, deadline).map_err(Trouble::Link)?;
            self.parser.push(&some[..n]);
            while let Some(reply) = self.parser.next_reply() {
                if command.accepts(&reply) {
                    return Ok(Some(reply));
                }
                self.saw_noise = true;
            }
            if n == 0 {
                let rescued = self.parser.rescue();
                return Ok(rescued.filter(|reply| command.accepts(reply)));
            }
        }
    }

    /// Makes sure that no late reply is under way: waits until the line is quiet, then
    /// asks for the SAM id, whose 16 bytes no other reply has. A reader answers in order,
    /// so a late read of the card before cannot be taken for the card now.
    fn resync(&mut self, limit: Instant) -> Result<(), Trouble> {
        self.saw_noise = true;
        let mut some = [0; 512];
        let quiet_by = limit.min(self.link.now() + DRAIN_MAX);
        loop {
            let until = quiet_by.min(self.link.now() + QUIET);
            if self.link.read(&mut some, until).map_err(Trouble::Link)? == 0 {
                break;
            }
            if self.link.now() >= quiet_by {
                break;
            }
        }
        let first = self.exchange(Command::SamId, limit);
        match first {
            Ok(_) => Ok(()),
            Err(Trouble::Silent) => self.exchange(Command::SamId, limit).map(|_| ()),
            Err(other) => Err(other),
        }
    }
}

fn good(reply: &Reply) -> Result<(), Trouble> {
    match Meaning::of(reply.status) {
        Meaning::Ok => Ok(()),
        Meaning::SamDead => Err(Trouble::SamDead),
        Meaning::SamUnauthorised => Err(Trouble::SamUnauthorised),
        Meaning::Damaged => Err(Trouble::Damaged),
        _ => Err(Trouble::Refused(reply.status)),
    }
}

/// What an answer other than the wished one means in the middle of a read.
fn other_answer(reply: &Reply) -> Result<Attempt, Trouble> {
    match Meaning::of(reply.status) {
        Meaning::Moved | Meaning::NoCard => Ok(Attempt::Moved),
        Meaning::Unverifiable(fault) => Ok(Attempt::Unverifiable(fault)),
        _ => Err(good(reply).err().unwrap_or(Trouble::Refused(reply.status))),
    }
}

/// Time of `n_bytes` on the wire at 8N1, ten bits a byte.
fn wire_time(n_bytes: usize, baud_hz: u32) -> Duration {
    let bits = 10 * n_bytes as u64;
    Duration::from_micros(bits * 1_000_000 / u64::from(baud_hz.max(1200)))
}

/// Longest time of one call.
pub const POLL_MAX: Duration = Duration::from_secs(15);
const BAUD_DEFAULT_HZ: u32 = 115_200;
const LINE_TRIES_MAX: u32 = 3;
const CARD_TRIES_MAX: u32 = 3;
const READS_MAX: u32 = 3;
/// Longest ordinary find, select and read.
const CARD_CYCLE: Duration = Duration::from_secs(4);
const RESET_PAUSE: Duration = Duration::from_millis(500);
const BOUNCE_MAX: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_millis(150);
const DRAIN_MAX: Duration = Duration::from_secs(3);
