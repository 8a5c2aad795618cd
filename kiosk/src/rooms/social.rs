//! The reader for social-security cards: another way to say who somebody is. A card that tells its holder only after a
//! PIN is told as locked; a PIN comes from core, which has it from the holder, goes to the card once and is forgotten.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use drivers::social_card::{Holder, HolderFile, Pin, Reader, Reading, Settings, SocialCardError};
use kiosk_core::event::{CardEvent, CardPinRefusal, Event};
use kiosk_core::identity::{CardIdentity, IdNumber, IdentitySource, PersonName, Sex, ValidTo};
use kiosk_core::message::Id;
use kiosk_core::operator;
use tracing::{info, warn};

use super::card::date;
use super::{Awaited, Loan};
use crate::happening::{Teller, Told};
use crate::ids::Ids;
use crate::tray::{SharedTray, Tray};

/// What the room is asked to do.
pub enum Order {
    /// Look for a card.
    Await,
    /// Read the card in the slot with the PIN of its holder.
    TryPin(operator::Pin),
    /// Let go of the reader for a while.
    Lend(Loan),
}

/// A slot for social-security cards; the driver, or a test.
pub trait Slot: Send {
    /// Whether there is a card now.
    fn has_card(&mut self) -> Result<bool, SocialCardError>;
    /// Reads its free files.
    fn read(&mut self) -> Result<Reading, SocialCardError>;
    /// Reads it with the PIN of its holder.
    fn read_with_pin(&mut self, pin: Pin) -> Result<Reading, SocialCardError>;
}

/// Makes the slot; called again when the reader was lent out.
pub type MakeSlot = Box<dyn FnMut() -> Box<dyn Slot> + Send>;

/// The room.
pub struct SocialRoom {
    make: MakeSlot,
    slot: Option<Box<dyn Slot>>,
    awaited: Awaited,
    /// The card in the slot was told of: it is not read again before it is drawn.
    is_spent: bool,
    /// The card in the slot was told to be locked.
    is_locked: bool,
    teller: Teller,
    told: Told,
    tray: SharedTray,
    ids: Ids,
}

impl Slot for Reader {
    fn has_card(&mut self) -> Result<bool, SocialCardError> {
        self.wait_for_card(Instant::now())
    }

    fn read(&mut self) -> Result<Reading, SocialCardError> {
        Reader::read(self)
    }

    fn read_with_pin(&mut self, pin: Pin) -> Result<Reading, SocialCardError> {
        Reader::read_with_pin(self, pin)
    }
}

impl SocialRoom {
    /// A room over the reader of the settings.
    pub fn new(
        settings: Settings,
        teller: Teller,
        tray: SharedTray,
        ids: Ids,
        awaited: Awaited,
    ) -> Self {
        let make = move || Box::new(Reader::new(settings.clone())) as Box<dyn Slot>;
        Self::over(Box::new(make), teller, tray, ids, awaited)
    }

    /// A room over the slots that `make` gives.
    pub fn over(
        make: MakeSlot,
        teller: Teller,
        tray: SharedTray,
        ids: Ids,
        awaited: Awaited,
    ) -> Self {
        let told = Told::new(Id::DeviceSocialCard);
        let (is_spent, is_locked) = (false, false);
        Self { make, slot: None, awaited, is_spent, is_locked, teller, told, tray, ids }
    }

    /// Works until nobody gives orders any more.
    pub fn run(mut self, orders: &Receiver<Order>) {
        loop {
            match orders.recv_timeout(POLL_EVERY) {
                Ok(Order::Await) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Order::TryPin(pin)) => self.try_pin(&pin),
                Ok(Order::Lend(loan)) => {
                    self.slot = None;
                    loan.wait();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.turn();
        }
    }

    /// Asking the service whether there is a card costs nothing, so its health is known at all times. A card is read
    /// only when somebody is being served.
    fn turn(&mut self) {
        let looked = self.look();
        self.heed(&looked);
    }

    fn heed(&mut self, looked: &Result<(), SocialCardError>) {
        if let Err(error) = looked
            && !self.told.is_trouble()
        {
            warn!(code = error.code(), "social-card reader");
        }
        self.told.tell(&self.teller, looked.is_err().then_some(Id::ErrSocialReaderSilent));
    }

    fn look(&mut self) -> Result<(), SocialCardError> {
        let slot = self.slot.get_or_insert_with(&mut self.make);
        if !slot.has_card()? {
            self.is_spent = false;
            if std::mem::take(&mut self.is_locked) {
                self.teller.event(Event::Card(CardEvent::Drawn));
            }
        } else if !self.is_spent && self.awaited.is_open() {
            let reading = slot.read()?;
            self.tell(reading);
        }
        Ok(())
    }

    /// Whatever comes of it, core is answered: it waits for that.
    fn try_pin(&mut self, pin: &operator::Pin) {
        let looked = self.look_with(pin);
        self.heed(&looked);
        if looked.is_err() {
            self.is_locked = false;
            self.teller.event(Event::Card(CardEvent::Drawn));
        }
    }

    fn look_with(&mut self, pin: &operator::Pin) -> Result<(), SocialCardError> {
        let pin = Pin::parse(pin.reveal());
        let slot = self.slot.get_or_insert_with(&mut self.make);
        let reading = match pin {
            Some(pin) if self.is_locked && self.awaited.is_open() => slot.read_with_pin(pin)?,
            _ => Reading::NoCard,
        };
        if reading == Reading::NoCard {
            self.is_locked = false;
            self.teller.event(Event::Card(CardEvent::Drawn));
        } else {
            self.tell(reading);
        }
        Ok(())
    }

    fn tell(&mut self, reading: Reading) {
        info!(reading = reading.code(), "social-security card");
        self.is_locked = false;
        let event = match reading {
            Reading::NoCard => return,
            Reading::Moved => {
                self.is_spent = false;
                return self.teller.event(Event::Card(CardEvent::HoldStill));
            }
            Reading::Mute | Reading::OtherCard => CardEvent::Unusable(Id::ErrSocialCardOther),
            Reading::Unreadable => CardEvent::Unusable(Id::ErrSocialCardUnreadable),
            Reading::Card(card) => match card.holder {
                HolderFile::Open(holder) => match identity(&holder) {
                    Some(card) => return self.lay(card),
                    None => CardEvent::Unusable(Id::ErrSocialCardUnreadable),
                },
                HolderFile::Locked => CardEvent::Locked,
                HolderFile::Absent => CardEvent::Unusable(Id::ErrSocialCardLocked),
            },
            Reading::PinWrong { tries_left } => {
                CardEvent::PinRefused(CardPinRefusal::Wrong { tries_left })
            }
            Reading::PinNotTried => CardEvent::PinRefused(CardPinRefusal::NotTried),
            Reading::PinBlocked => CardEvent::PinRefused(CardPinRefusal::Blocked),
        };
        self.is_locked = matches!(event, CardEvent::Locked | CardEvent::PinRefused(_));
        self.is_spent = true;
        self.teller.event(Event::Card(event));
    }

    fn lay(&mut self, card: CardIdentity) {
        self.is_spent = true;
        if !self.awaited.take() {
            return;
        }
        self.teller.event(Event::Card(CardEvent::Reading));
        let (visit, record) = self.ids.visit_and_record();
        *self.tray.open() = Tray { visit, ..Tray::default() };
        let card = Box::new(card);
        self.teller.event(Event::Card(CardEvent::Read { card, visit, record }));
    }
}

/// The holder as core's nouns; none when the number cannot be one or the name cannot be read.
fn identity(holder: &Holder) -> Option<CardIdentity> {
    let number = IdNumber::parse(&holder.number).ok()?;
    Some(CardIdentity {
        name: PersonName(holder.name.clone()?),
        sex: match holder.sex {
            Some('1') => Sex::Male,
            Some('2') => Sex::Female,
            _ => Sex::Unstated,
        },
        birth: match holder.birth {
            Some(birth) => date(birth)?,
            None => number.birth(),
        },
        number,
        address: String::new(),
        issuer: String::new(),
        valid_from: None,
        valid_to: ValidTo::Open,
        source: IdentitySource::SocialCard,
        has_photo: false,
    })
}

/// How long a card waits in the slot before it is noticed.
const POLL_EVERY: Duration = Duration::from_millis(400);

#[cfg(test)]
mod tests;
