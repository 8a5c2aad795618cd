//! The panel: lamps, light and buzzer as the view wants them; case, door and whoever comes are told.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use drivers::panel::{Beep, Change, Glow, Input, Lamp, Panel, PanelConfig};
use kiosk_core::event::Event;
use kiosk_core::message::Id;

use super::Loan;
use super::guide::Lamps;
use crate::happening::{Happening, Teller, Told};

/// What the room is asked to do.
pub enum Order {
    /// Be like this from now on.
    Show {
        /// What each lamp does.
        lamps: Lamps,
        /// Whether the light is on.
        is_lit: bool,
        /// A sound.
        beep: Option<Beep>,
    },
    /// Let go of the board for a while.
    Lend(Loan),
}

/// Makes the driver; called again when the board was lent out.
pub type MakePanel = Box<dyn FnMut() -> Panel + Send>;

/// The room.
pub struct PanelRoom {
    make: MakePanel,
    panel: Panel,
    /// How bright the light is while it is on, 0 to 100.
    fill_percent: u8,
    /// The last order, which is repeated to a new board.
    wanted: Option<(Lamps, bool)>,
    teller: Teller,
    told: Told,
}

impl PanelRoom {
    /// A room over the board of the settings.
    pub fn new(config: PanelConfig, fill_percent: u8, teller: Teller) -> Self {
        Self::over(Box::new(move || Panel::new(config.clone())), fill_percent, teller)
    }

    /// A room over the panels that `make` gives.
    pub fn over(mut make: MakePanel, fill_percent: u8, teller: Teller) -> Self {
        let panel = make();
        let told = Told::new(Id::DevicePanel);
        Self { make, panel, fill_percent, wanted: None, teller, told }
    }

    /// Works until nobody gives orders any more; then all is dark.
    pub fn run(mut self, orders: &Receiver<Order>) {
        loop {
            match orders.try_recv() {
                Ok(order) => self.obey(order),
                Err(TryRecvError::Empty) => self.turn(),
                Err(TryRecvError::Disconnected) => return self.go_dark(),
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Show { lamps, is_lit, beep } => {
                self.want(lamps, is_lit);
                if let Some(beep) = beep {
                    self.panel.beep(beep);
                }
            }
            Order::Lend(loan) => self.lend(loan),
        }
    }

    fn want(&mut self, lamps: Lamps, is_lit: bool) {
        for (lamp, glow) in lamps {
            self.panel.lamp(lamp, glow);
        }
        if self.wanted.is_none_or(|(_, was_lit)| was_lit != is_lit) {
            self.panel.light(if is_lit { self.fill_percent } else { 0 });
        }
        self.wanted = Some((lamps, is_lit));
    }

    fn lend(&mut self, loan: Loan) {
        // A panel that was only made has not opened its board.
        self.panel = (self.make)();
        loan.wait();
        if let Some((lamps, is_lit)) = self.wanted.take() {
            self.want(lamps, is_lit);
        }
    }

    fn turn(&mut self) {
        let turned = self.panel.turn(TURN);
        self.told.tell(&self.teller, turned.is_err().then_some(Id::ErrPanelSilent));
        for change in turned.unwrap_or_default() {
            self.changed(change);
        }
    }

    fn changed(&self, change: Change) {
        match change.input {
            Input::Tamper => self.teller.tell(Happening::Case { is_open: change.is_active }),
            Input::Door => {
                let trouble = change.is_active.then_some(Id::ErrDoorOpen);
                self.teller.device(Id::DeviceDoor, trouble);
            }
            Input::Presence => self.teller.event(Event::Presence(change.is_active)),
        }
    }

    /// A terminal that is off must not look as if it waited for a card.
    fn go_dark(mut self) {
        for lamp in Lamp::ALL {
            self.panel.lamp(lamp, Glow::Off);
        }
        self.panel.light(0);
        // The fade takes a few steps.
        for _ in 0..DARK_TURNS {
            if self.panel.turn(TURN).is_err() {
                return;
            }
        }
    }
}

/// How long orders wait at most while the inputs are watched.
const TURN: Duration = Duration::from_millis(50);
const DARK_TURNS: u32 = 20;

#[cfg(test)]
mod tests;
