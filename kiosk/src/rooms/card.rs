//! The ID-card reader: polls, decodes the chip's text and photo, and tells core who lies there.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use drivers::id_card::fields::{self, CardText};
use drivers::id_card::{CardBlocks, Poll, Reader, ReaderError, Settings};
use drivers::link::LinkConfig;
use drivers::photo::PhotoDecoder;
use jiff::civil::Date;
use kiosk_core::event::{CardEvent, Event};
use kiosk_core::identity::{CardIdentity, IdNumber, IdentitySource, PersonName, Sex, ValidTo};
use kiosk_core::message::Id;
use tracing::{info, warn};

use super::{Awaited, Loan};
use crate::config::IdCardConfig;
use crate::happening::{Teller, Told};
use crate::ids::Ids;
use crate::tray::{SharedTray, Tray};

/// What the room is asked to do.
pub enum Order {
    /// Poll until a card was read, here or by another reader.
    Await,
    /// Let go of the reader for a while.
    Lend(Loan),
}

/// The room.
pub struct CardRoom {
    config: IdCardConfig,
    teller: Teller,
    tray: SharedTray,
    ids: Ids,
    reader: Option<Reader>,
    awaited: Awaited,
    checked: Instant,
    told_reader: Told,
    said: Option<Said>,
}

/// What the person was told last, so that it is said once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    HoldStill,
    Unusable(Id),
}

impl CardRoom {
    /// A room that is not yet open.
    pub fn new(
        config: IdCardConfig,
        teller: Teller,
        tray: SharedTray,
        ids: Ids,
        awaited: Awaited,
    ) -> Self {
        let (checked, told_reader) = (Instant::now(), Told::new(Id::DeviceIdCard));
        let (reader, said) = (None, None);
        Self { config, teller, tray, ids, reader, awaited, checked, told_reader, said }
    }

    /// Works until nobody gives orders any more.
    pub fn run(mut self, orders: &Receiver<Order>) {
        loop {
            match orders.recv_timeout(POLL_EVERY) {
                Ok(Order::Await) => self.said = None,
                Ok(Order::Lend(loan)) => {
                    self.reader = None;
                    loan.wait();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.turn();
        }
    }

    /// Between visits only the reader's health is asked: a card is read when somebody is being served, never before.
    fn turn(&mut self) {
        let asked = match self.awaited.is_open() {
            true => self.reader().and_then(Reader::poll).map(Some),
            false if self.checked.elapsed() < HEALTH_EVERY => return,
            false => self.reader().and_then(Reader::status).map(|()| None),
        };
        self.checked = Instant::now();
        match asked {
            Ok(found) => {
                self.told_reader.tell(&self.teller, None);
                if let Some(found) = found {
                    self.tell(found);
                }
            }
            Err(error) => {
                if !self.told_reader.is_trouble() {
                    warn!(code = error.code(), "id-card reader");
                }
                self.told_reader.tell(&self.teller, Some(reader_fault(&error)));
            }
        }
    }

    fn reader(&mut self) -> Result<&mut Reader, ReaderError> {
        if self.reader.is_none() {
            let settings = Settings { with_additional_address: true, ..Settings::default() };
            self.reader = Some(Reader::open(&LinkConfig::serial(&self.config.port), settings)?);
        }
        Ok(self.reader.as_mut().expect("opened above"))
    }

    fn tell(&mut self, found: Poll) {
        match found {
            Poll::NoCard => self.said = None,
            // A card that stayed after a visit belongs to somebody who is leaving.
            Poll::SameCardStillThere => {}
            Poll::HoldStill => self.tell_once(Said::HoldStill, CardEvent::HoldStill),
            Poll::Unverifiable(_) => self.unusable(Id::ErrCardUnverifiable),
            Poll::Card(blocks) => self.read(&blocks),
        }
    }

    fn read(&mut self, blocks: &CardBlocks) {
        let identity = fields::decode(&blocks.text).ok().and_then(|text| identity(text, blocks));
        let Some(mut card) = identity else {
            return self.unusable(Id::ErrCardUnreadable);
        };
        if !self.awaited.take() {
            return;
        }
        self.teller.event(Event::Card(CardEvent::Reading));
        let chip_photo = self.decode_photo(&blocks.photo);
        card.has_photo = chip_photo.is_some();
        info!(photo = card.has_photo, "card read");
        let chip_block = Some(blocks.photo.clone());
        self.begin(Box::new(card), Tray { chip_block, chip_photo, ..Tray::default() });
    }

    /// A visit begins with what lies on the tray; no other card is awaited.
    fn begin(&mut self, card: Box<CardIdentity>, tray: Tray) {
        let (visit, record) = self.ids.visit_and_record();
        *self.tray.open() = Tray { visit, ..tray };
        self.teller.event(Event::Card(CardEvent::Read { card, visit, record }));
    }

    fn decode_photo(&self, block: &[u8]) -> Option<image::RgbImage> {
        if self.config.photo_decoder.is_empty() {
            return None;
        }
        let decoder = PhotoDecoder::new(self.config.photo_decoder.clone());
        let decoded = decoder.decode(block);
        if let Err(error) = &decoded {
            warn!(code = error.code(), "chip photo");
        }
        let trouble = decoded.is_err().then_some(Id::ErrPhotoDecoder);
        self.teller.device(Id::DevicePhotoDecoder, trouble);
        decoded.ok()
    }

    fn unusable(&mut self, err: Id) {
        self.tell_once(Said::Unusable(err), CardEvent::Unusable(err));
    }

    fn tell_once(&mut self, said: Said, event: CardEvent) {
        if self.said != Some(said) {
            self.said = Some(said);
            self.teller.event(Event::Card(event));
        }
    }
}

/// The card's own words as core's nouns. None when the number or the birth date cannot be used.
fn identity(text: CardText, blocks: &CardBlocks) -> Option<CardIdentity> {
    let newer = blocks.additional_address.as_ref().map(fields::decode_address);
    let address = newer.filter(|a| !a.is_empty()).or(text.address).unwrap_or_default();
    Some(CardIdentity {
        name: PersonName(text.name),
        sex: match text.sex {
            fields::Sex::Male => Sex::Male,
            fields::Sex::Female => Sex::Female,
            _ => Sex::Unstated,
        },
        birth: date(text.birth)?,
        number: IdNumber::parse(&text.number).ok()?,
        address,
        issuer: text.issuer.unwrap_or_default(),
        valid_from: date(text.valid_from),
        valid_to: match text.valid_to {
            fields::ValidTo::Date(day) => ValidTo::Day(date(day)?),
            fields::ValidTo::Open => ValidTo::Open,
        },
        source: IdentitySource::Chip,
        has_photo: false,
    })
}

pub(super) fn date((year, month, day): fields::Date) -> Option<Date> {
    let year = i16::try_from(year).ok()?;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn reader_fault(error: &ReaderError) -> Id {
    match error {
        ReaderError::SamDead | ReaderError::SamUnauthorised => Id::ErrIdCardDead,
        _ => Id::ErrIdCardSilent,
    }
}

/// Kiosks in the field poll three times a second.
const POLL_EVERY: Duration = Duration::from_millis(300);
/// How often the reader is asked for a sign of life when no card is awaited.
const HEALTH_EVERY: Duration = Duration::from_secs(3);
