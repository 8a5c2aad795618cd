//! The counter: three devices, the people who come, and the orders that say what happens.
//! No I/O; plugs and files are for the bench.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use people::Person;

use crate::card::Card;
use crate::device::Station;
use crate::fingerprint::{Fingerprint, HEIGHT, WIDTH};
use crate::id_card::IdCard;
use crate::line::{Faults, Line};
use crate::printer::Printer;
use crate::script::{DeviceName, Order};

/// Three devices and the people around them.
pub struct Counter {
    /// The card reader.
    pub id_card: Station<IdCard>,
    /// The fingerprint module.
    pub fingerprint: Station<Fingerprint>,
    /// The receipt printer.
    pub printer: Station<Printer>,
    roster: Arc<Roster>,
}

/// The people of one seed, with their cards and fingers once they were made: drawing a
/// face or a finger takes a while.
pub struct Roster {
    seed: u64,
    n_people: u32,
    cards: Mutex<HashMap<u32, Card>>,
    fingers: Mutex<HashMap<(u32, u8, u32), Vec<u8>>>,
}

/// How a counter is set up.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Makes the people and every random choice.
    pub seed: u64,
    /// People 0 .. this exist.
    pub n_people: u32,
    /// Whether bytes and work take the time they take on real devices.
    pub is_paced: bool,
}

/// An order that cannot be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CounterError {
    /// Nobody has this number.
    #[error("no person {n}, there are {n_people}")]
    NoPerson {
        /// The number.
        n: u32,
        /// How many people there are.
        n_people: u32,
    },
    /// No card lies there to be swapped.
    #[error("no card lies there")]
    NoCard,
}

impl Counter {
    /// A counter with nothing on it.
    pub fn new(setup: Setup) -> Self {
        let roster = Arc::new(Roster::new(setup.seed, setup.n_people));
        Self::with_roster(setup.seed, setup.is_paced, roster)
    }

    /// A counter with nothing on it, for people that were made before.
    pub fn with_roster(seed: u64, is_paced: bool, roster: Arc<Roster>) -> Self {
        let line = |n: u64| Line::new(seed.wrapping_mul(3).wrapping_add(n), is_paced);
        Self {
            id_card: Station::new(IdCard::new(is_paced, 115_200), line(0)),
            fingerprint: Station::new(Fingerprint::new(is_paced, seed), line(1)),
            printer: Station::new(Printer::new(), line(2)),
            roster,
        }
    }

    /// Does what an order says; orders about plugs and about the simulator itself are
    /// for the bench and do nothing here.
    pub fn obey(&mut self, order: &Order, now: Duration) -> Result<(), CounterError> {
        match *order {
            Order::Card(n) => {
                let card = self.roster.card(n)?;
                self.id_card.device.lay(Some(card));
            }
            Order::Swap(n) => {
                let card = self.roster.card(n)?;
                if !self.id_card.device.has_card() {
                    return Err(CounterError::NoCard);
                }
                self.id_card.device.lay(None);
                self.id_card.device.lay(Some(card));
            }
            Order::CardOff => self.id_card.device.lay(None),
            Order::Fake => self.id_card.device.fake(),
            Order::Tear => self.id_card.device.tear(),
            Order::Shake => self.id_card.device.shake(),
            Order::DeadSam => self.id_card.device.set_dead(true),
            Order::Work(works) => self.id_card.device.set_works(works),
            Order::SamOk => self.id_card.device.set_dead(false),
            Order::Finger(n, finger, impression) => {
                let image = self.roster.finger(n, finger, impression)?;
                self.fingerprint.device.lay(Some(image));
            }
            Order::FingerOff => self.fingerprint.device.lay(None),
            Order::Poor(poor) => self.fingerprint.device.make_poor(poor),
            Order::PaperOut => self.printer.device.set_paper(true, true),
            Order::PaperLow => self.printer.device.set_paper(false, true),
            Order::PaperIn => self.printer.device.set_paper(false, false),
            Order::CoverOpen => self.printer.device.set_cover(true),
            Order::CoverClose => self.printer.device.set_cover(false),
            Order::CutterJam(is_stuck) => self.printer.device.set_cutter(is_stuck),
            Order::Silence(name, time) => self.faults(name).silent_until = now + time,
            Order::Late(name, time) => self.faults(name).delay = time,
            Order::Noise(name, n) => self.faults(name).n_noisy_bytes = n,
            Order::BadChecksum(name) => self.faults(name).has_bad_checksum = true,
            Order::DoublePreamble(name) => self.faults(name).has_double_start = true,
            Order::Stale(name) => self.faults(name).is_stale = true,
            Order::Unplug(_) | Order::Replug(_) => {}
            Order::Sleep(_) | Order::Status | Order::Quit => {}
        }
        Ok(())
    }

    fn faults(&mut self, name: DeviceName) -> &mut Faults {
        match name {
            DeviceName::IdCard => self.id_card.line.faults(),
            DeviceName::Fingerprint => self.fingerprint.line.faults(),
            DeviceName::Printer => self.printer.line.faults(),
        }
    }
}

impl Roster {
    /// People 0 .. `n_people` of `seed`.
    pub fn new(seed: u64, n_people: u32) -> Self {
        Self { seed, n_people, cards: Mutex::default(), fingers: Mutex::default() }
    }

    /// The person with this number.
    pub fn person(&self, n: u32) -> Result<Person, CounterError> {
        if n >= self.n_people {
            let n_people = self.n_people;
            return Err(CounterError::NoPerson { n, n_people });
        }
        Ok(Person::generate(self.seed, n))
    }

    /// The card of a person.
    pub fn card(&self, n: u32) -> Result<Card, CounterError> {
        let person = self.person(n)?;
        let mut cards = self.cards.lock().unwrap_or_else(PoisonError::into_inner);
        let card = cards.entry(n).or_insert_with(|| Card::of(&person));
        Ok(card.clone())
    }

    fn finger(&self, n: u32, finger: u8, impression: u32) -> Result<Vec<u8>, CounterError> {
        let person = self.person(n)?;
        let mut fingers = self.fingers.lock().unwrap_or_else(PoisonError::into_inner);
        let image = fingers
            .entry((n, finger, impression))
            .or_insert_with(|| person.finger_image(finger, impression, WIDTH, HEIGHT));
        Ok(image.clone())
    }
}
