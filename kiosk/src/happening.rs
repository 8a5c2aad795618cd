//! What the rooms tell the one event loop.

use std::sync::mpsc::Sender;

use image::RgbImage;
use kiosk_core::event::Event;
use kiosk_core::message::Id;

use crate::vault::Vault;

/// Something for the event loop.
pub enum Happening {
    /// For core.
    Event(Event),
    /// A camera frame for the screen only.
    Preview(RgbImage),
    /// A device works again, or does not: which (`device-…`), and why (`err-…`).
    Device(Id, Option<Id>),
    /// The outbox changed: waiting, held.
    Outbox(u32, u32),
    /// The program is asked to end.
    Stop,
}

/// A room's end of the wire to the event loop. When nobody listens any more the program is ending.
#[derive(Clone)]
pub struct Teller(Sender<Happening>);

impl Teller {
    /// Around a channel.
    pub fn new(sender: Sender<Happening>) -> Self {
        Self(sender)
    }

    /// For core.
    pub fn event(&self, event: Event) {
        self.tell(Happening::Event(event));
    }

    /// For the header.
    pub fn device(&self, what: Id, trouble: Option<Id>) {
        self.tell(Happening::Device(what, trouble));
    }

    /// For the header: how much the centre does not have yet.
    pub fn outbox(&self, vault: &Vault) {
        if let Some((waiting, held)) = vault.outbox_counts() {
            self.tell(Happening::Outbox(waiting, held));
        }
    }

    /// Anything.
    pub fn tell(&self, happening: Happening) {
        if self.0.send(happening).is_err() {
            tracing::debug!("told after the end");
        }
    }
}
