//! The little display that faces the customer: shows the newest scene, and looks now and then whether it is still there.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use drivers::display::{CustomerDisplay, DisplayConfig, Scene};
use kiosk_core::message::Id;

use super::Loan;
use crate::happening::{Teller, Told};

/// What the room is asked to do.
pub enum Order {
    /// Show this.
    Show(Scene),
    /// Let go of the display for a while.
    Lend(Loan),
}

/// Makes the driver; called again when the display was lent out.
pub type MakeDisplay = Box<dyn FnMut() -> CustomerDisplay + Send>;

/// The room.
pub struct CustomerRoom {
    make: MakeDisplay,
    display: CustomerDisplay,
    scene: Scene,
    teller: Teller,
    told: Told,
}

impl CustomerRoom {
    /// A room over the display of the settings.
    pub fn new(config: DisplayConfig, teller: Teller) -> Self {
        Self::over(Box::new(move || CustomerDisplay::new(config.clone())), teller)
    }

    /// A room over the displays that `make` gives.
    pub fn over(mut make: MakeDisplay, teller: Teller) -> Self {
        let display = make();
        let told = Told::new(Id::DeviceCustomerDisplay);
        Self { make, display, scene: Scene::default(), teller, told }
    }

    /// Works until nobody gives orders any more; then the display is dark.
    pub fn run(mut self, orders: &Receiver<Order>) {
        loop {
            match orders.recv_timeout(PROBE_EVERY) {
                Ok(order) => self.obey(order, orders),
                Err(RecvTimeoutError::Timeout) => self.show(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.scene = Scene::default();
        self.show();
    }

    /// Of scenes that have piled up while a slow bus drew, only the last is shown.
    fn obey(&mut self, order: Order, orders: &Receiver<Order>) {
        let mut next = Some(order);
        while let Some(order) = next {
            match order {
                Order::Show(scene) => self.scene = scene,
                Order::Lend(loan) => {
                    self.display = (self.make)();
                    loan.wait();
                }
            }
            next = orders.try_recv().ok();
        }
        self.show();
    }

    fn show(&mut self) {
        let shown = self.display.show(&self.scene);
        self.told.tell(&self.teller, shown.is_err().then_some(Id::ErrCustomerDisplay));
    }
}

/// How often a display that shows the same for long is looked after.
const PROBE_EVERY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
