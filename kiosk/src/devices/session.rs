//! What is asked of a device while its line is recorded, and again when the recording is played: the same requests in
//! the same order, and what the driver makes of the answers, in words without anything of a person.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use drivers::fingerprint::{self, Capture, GreyImage, Progress, Sensor, profile::Profile};
use drivers::id_card::{self, CardBlocks, Poll, Reader, fields};
use drivers::link::{Link, LinkError};
use drivers::printer::{self, Align, Line, Printer, Slip};
use sha2::{Digest, Sha256};

use crate::hex;

/// A device with a line of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Device {
    /// ID-card reader.
    IdCard,
    /// Fingerprint module.
    Fingerprint,
    /// Receipt printer.
    Printer,
}

/// What a driver has to be told about the device. A replay needs the same as its recording.
#[derive(Args)]
pub struct Manner {
    /// Profile of the fingerprint module.
    #[arg(long, default_value = "as608", value_parser = profile)]
    profile: &'static Profile,
    /// Line speed of the printer in baud.
    #[arg(long, default_value_t = 115_200)]
    baud: u32,
}

impl Device {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::IdCard => "id-card",
            Self::Fingerprint => "fingerprint",
            Self::Printer => "printer",
        }
    }

    /// Line speed to open its port at, in baud; the drivers look for the right one themselves.
    pub fn baud_hz(self, manner: &Manner) -> u32 {
        match self {
            Self::IdCard => 115_200,
            Self::Fingerprint => 57_600,
            Self::Printer => manner.baud,
        }
    }
}

/// Works with the device for `time` on its line's clock, and tells what the driver answers. A fault of the device is
/// such an answer; what the line was told to repeat and could not is an error.
pub fn hold(
    device: Device,
    manner: &Manner,
    line: SharedLine,
    time: Duration,
    tell: &mut dyn FnMut(&str),
) -> Result<(), Differs> {
    let until = line.now() + time;
    let mut session = Session { line, until, tell, told: None };
    match device {
        Device::IdCard => session.id_card(),
        Device::Fingerprint => session.fingerprint(manner.profile),
        Device::Printer => session.printer(manner.baud),
    };
    session.line.verdict()
}

/// A replay went another way than its recording.
#[derive(Debug, thiserror::Error)]
#[error("capture line {0}: the driver now sends other bytes than it did when this was recorded")]
pub struct Differs(usize);

/// A line that the session can look at while a driver has it.
#[derive(Clone)]
pub struct SharedLine(Arc<Mutex<Held>>);

struct Held {
    link: Box<dyn Link>,
    /// Where a replay could not go on; line 0 is its end.
    stuck: Option<usize>,
}

impl SharedLine {
    /// Shares a link.
    pub fn new(link: Box<dyn Link>) -> Self {
        Self(Arc::new(Mutex::new(Held { link, stuck: None })))
    }

    /// Whether a replay is at its end or cannot go on: what the driver says from there on means nothing.
    fn is_stuck(&self) -> bool {
        self.with(|held| held.stuck.is_some())
    }

    fn verdict(&self) -> Result<(), Differs> {
        match self.with(|held| held.stuck) {
            None | Some(0) => Ok(()),
            Some(line) => Err(Differs(line)),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Held) -> T) -> T {
        act(&mut self.0.lock().expect("nobody panics while holding the line"))
    }

    fn noting<T>(
        &self,
        act: impl FnOnce(&mut dyn Link) -> Result<T, LinkError>,
    ) -> Result<T, LinkError> {
        self.with(|held| {
            let result = act(&mut *held.link);
            if let Err(LinkError::ReplayDiffers { line }) = &result {
                held.stuck.get_or_insert(*line);
            }
            result
        })
    }
}

impl Link for SharedLine {
    fn read(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        self.noting(|link| link.read(into, deadline))
    }

    fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        self.noting(|link| link.write_all(bytes, deadline))
    }

    fn flush_input(&mut self) -> Result<(), LinkError> {
        self.noting(|link| link.flush_input())
    }

    fn set_baud(&mut self, baud_hz: u32) -> Result<(), LinkError> {
        self.noting(|link| link.set_baud(baud_hz))
    }

    fn reopen(&mut self) -> Result<(), LinkError> {
        self.noting(|link| link.reopen())
    }

    fn now(&self) -> Instant {
        self.with(|held| held.link.now())
    }

    fn pause(&mut self, time: Duration) {
        self.with(|held| held.link.pause(time));
    }
}

struct Session<'a> {
    line: SharedLine,
    until: Instant,
    tell: &'a mut dyn FnMut(&str),
    told: Option<String>,
}

impl Session<'_> {
    /// Until a card was read, or the time is over.
    fn id_card(&mut self) {
        let reader = Reader::over(Box::new(self.line.clone()), id_card::Settings::default());
        let Some(mut reader) = self.good(reader) else { return };
        self.say(format!("card reader answers at {} baud", reader.baud_hz()));
        let status = reader.status();
        if self.good(status).is_some() {
            self.say("security module works".into());
        }
        let id = reader.sam_id();
        if let Some(id) = self.good(id) {
            self.say(format!("security module {}", id_card::sam_id_text(&id)));
        }
        while !self.is_over() {
            let found = reader.poll();
            match self.good(found) {
                Some(Poll::Card(card)) => return self.say(read(&card)),
                Some(Poll::NoCard) => self.say("no card".into()),
                Some(Poll::HoldStill) => self.say("do not move the card".into()),
                Some(Poll::SameCardStillThere) => self.say("the same card is still there".into()),
                Some(Poll::Unverifiable(fault)) => self.say(format!("refused: {}", fault.code())),
                None => {}
            }
            self.line.pause(POLL_EVERY);
        }
    }

    /// Until an image came, or the time is over.
    fn fingerprint(&mut self, profile: &'static Profile) {
        let settings = fingerprint::Settings { profile, ..fingerprint::Settings::default() };
        let sensor = Sensor::over(Box::new(self.line.clone()), settings);
        let Some(mut sensor) = self.good(sensor) else { return };
        let parameters = sensor.parameters();
        if let Some(found) = self.good(parameters) {
            let (baud, packet) = (found.baud_hz, found.packet_size);
            self.say(format!("fingerprint module answers at {baud} baud, packets of {packet}"));
        }
        while !self.is_over() {
            let mut was_taken = false;
            let captured = sensor.capture(self.until, &mut |progress| {
                was_taken |= progress == Progress::Taken;
            });
            if was_taken && !self.line.is_stuck() {
                self.say("finger taken".into());
            }
            match self.good(captured) {
                Some(Capture::Image(image)) => return self.say(image_words(&image)),
                Some(Capture::Retry(retry)) => self.say(format!("again: {}", retry.code())),
                None => {}
            }
        }
    }

    fn printer(&mut self, baud_hz: u32) {
        let settings = printer::Settings { baud_hz, ..printer::Settings::default() };
        let mut printer = Printer::over(Box::new(self.line.clone()), settings);
        let status = printer.status();
        if let Some(status) = self.good(status) {
            self.say(format!("{status:?}"));
        }
        let printed = printer.print(&test_slip());
        if let Some(printed) = self.good(printed) {
            self.say(format!("test slip: {printed:?}"));
        }
    }

    fn is_over(&self) -> bool {
        self.line.is_stuck() || self.line.now() >= self.until
    }

    /// What a driver gave; its fault is told. Behind the end of a replay nothing is either.
    fn good<T, E: Error + Coded>(&mut self, result: Result<T, E>) -> Option<T> {
        if self.line.is_stuck() {
            return None;
        }
        result.map_err(|fault| self.say(format!("fault {}: {fault}", fault.code()))).ok()
    }

    /// Says it, unless it was the last thing that was said.
    fn say(&mut self, words: String) {
        if self.told.as_ref() != Some(&words) {
            (self.tell)(&words);
            self.told = Some(words);
        }
    }
}

/// A fault with a stable name.
trait Coded {
    fn code(&self) -> &'static str;
}

impl Coded for id_card::ReaderError {
    fn code(&self) -> &'static str {
        self.code()
    }
}

impl Coded for fingerprint::SensorError {
    fn code(&self) -> &'static str {
        self.code()
    }
}

impl Coded for printer::PrinterError {
    fn code(&self) -> &'static str {
        self.code()
    }
}

/// The kind of card, and a mark that tells whether two reads gave the same bytes. It covers the photo block, so that
/// nobody gets from the mark to a name by trying.
fn read(card: &CardBlocks) -> String {
    let kind = fields::decode(&card.text).map_or("unreadable".into(), |t| format!("{:?}", t.kind));
    let (photo, finger) = (card.photo.len(), card.fingerprint.as_ref().map_or(0, Vec::len));
    let later = if card.additional_address.is_some() { "an" } else { "no" };
    let mark = mark(&[&card.text, &card.photo, card.fingerprint.as_deref().unwrap_or_default()]);
    format!(
        "card read: {kind}, photo {photo}, fingerprint {finger}, {later} later address, mark {mark}"
    )
}

fn image_words(image: &GreyImage) -> String {
    let GreyImage { width, height, ppi, pixels } = image;
    format!("image {width}x{height} at {ppi} per inch, mark {}", mark(&[pixels]))
}

fn mark(parts: &[&[u8]]) -> String {
    let digest = parts.iter().fold(Sha256::new(), |digest, part| digest.chain_update(part));
    hex::encode(&digest.finalize()[..MARK_SIZE])
}

/// The same bytes for ever: a replay compares them.
fn test_slip() -> Slip {
    let title = Line::new("测试页 Test slip").size(2).bold().align(Align::Centre);
    let slip = Slip::new().line(title).line("中文 GB18030 镕㐂𠮷").line("ABC abc 0123456789");
    slip.qr(b"changqing test slip", 6).expect("a short text fits").feed(2).cut()
}

fn profile(name: &str) -> Result<&'static Profile, String> {
    Profile::named(name).ok_or_else(|| format!("no profile {name}"))
}

const POLL_EVERY: Duration = Duration::from_millis(300);
const MARK_SIZE: usize = 6;
