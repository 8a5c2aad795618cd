//! Power, memory card and time: looked at every few seconds, told when they change. What an empty battery ends is core's to say.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use drivers::clock::{self, ClockReport, ClockWatch, Sync};
use drivers::memory_card::{Wear, WearWatch};
use drivers::power::{PowerWatch, Supply};
use kiosk_core::event::{Event, Power};
use kiosk_core::message::Id;
use kiosk_core::moment::Doubt;
use tracing::{info, warn};

use super::Loan;
use crate::clock::Clock;
use crate::happening::{Teller, Told};

/// What the room is asked to do.
pub enum Order {
    /// Nothing is held: look again after a while.
    Lend(Loan),
}

/// The room.
pub struct WatchRoom {
    power: PowerWatch,
    card: WearWatch,
    watch: ClockWatch,
    clock: Clock,
    /// The clock was set while nobody who knows the time was there to set it.
    has_jumped: bool,
    supply: Supply,
    teller: Teller,
    told_power: Told,
    told_card: Told,
    told_clock: Told,
}

impl WatchRoom {
    /// A room over what the kernel tells; `clock` is the one that doubts.
    pub fn new(
        power: PowerWatch,
        card: WearWatch,
        watch: ClockWatch,
        clock: Clock,
        teller: Teller,
    ) -> Self {
        Self {
            power,
            card,
            watch,
            clock,
            has_jumped: false,
            supply: Supply::default(),
            teller,
            told_power: Told::new(Id::DevicePower),
            told_card: Told::new(Id::DeviceMemoryCard),
            told_clock: Told::new(Id::DeviceClock),
        }
    }

    /// Works until nobody gives orders any more.
    pub fn run(mut self, orders: &Receiver<Order>) {
        loop {
            self.look_at_power();
            self.look_at_card();
            let report = self.watch.look();
            self.look_at_clock(&report);
            match orders.recv_timeout(LOOK_EVERY) {
                Ok(Order::Lend(loan)) => loan.wait(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look_at_power(&mut self) {
        let supply = self.power.look().supply;
        if supply == self.supply {
            return;
        }
        info!(supply = supply.code(), "power");
        self.supply = supply;
        let (power, trouble) = match supply {
            Supply::Mains | Supply::Battery => (Power::Enough, None),
            Supply::Low => (Power::Low, Some(Id::ErrPowerLow)),
            Supply::Critical => (Power::Empty, Some(Id::ErrPowerEmpty)),
        };
        self.told_power.tell(&self.teller, trouble);
        self.teller.event(Event::Power(power));
    }

    /// Before the card fails, or at its first error: there is time to send what it holds.
    fn look_at_card(&mut self) {
        let trouble = match self.card.look() {
            Wear::None => None,
            Wear::Worn => Some(Id::ErrMemoryCardWorn),
            Wear::Failing => Some(Id::ErrMemoryCardFailing),
        };
        self.told_card.tell(&self.teller, trouble);
    }

    /// A jump is seen once and doubted until somebody who knows the time has set it right.
    fn look_at_clock(&mut self, report: &ClockReport) {
        let doubts = report.doubts();
        self.has_jumped |= doubts.contains(&clock::Doubt::Jumped);
        self.has_jumped &= !matches!(report.sync, Sync::Follows { .. });
        // Once the centre was heard, the clock is held against its time; a jump may be our own doing.
        self.has_jumped &= !self.clock.was_heard();
        let gravest = doubts.first().copied().filter(|_| !self.clock.was_heard());
        let doubt = match gravest.or(self.has_jumped.then_some(clock::Doubt::Jumped)) {
            None => Doubt::None,
            Some(clock::Doubt::Unset | clock::Doubt::RtcLostTime) => Doubt::Unknown,
            Some(_) => Doubt::Doubtful,
        };
        if self.clock.doubt(doubt) {
            let reason = match gravest {
                Some(gravest) => gravest.code(),
                None if self.has_jumped => "clock-jumped",
                None => "none",
            };
            warn!(doubt = doubt.code(), reason, "the date is believed more or less than before");
        }
        let trouble = match self.clock.now().doubt {
            Doubt::None => None,
            Doubt::Doubtful => Some(Id::ErrClockDoubtful),
            Doubt::Unknown => Some(Id::ErrClockUnset),
        };
        if self.clock.is_real() {
            self.told_clock.tell(&self.teller, trouble);
        }
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
