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
    /// The case was opened or shut.
    Case {
        /// Which of the two.
        is_open: bool,
    },
    /// The outbox changed: waiting, held.
    Outbox(u32, u32),
    /// An edition lies ready for the night, or none does.
    Update(Option<String>),
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

/// What was last told of a device, so that it is told once.
pub struct Told {
    what: Id,
    last: Option<Id>,
}

impl Told {
    /// Nothing was told of `what` (`device-…`): it is taken to work.
    pub fn new(what: Id) -> Self {
        Self { what, last: None }
    }

    /// Whether trouble was told last.
    pub fn is_trouble(&self) -> bool {
        self.last.is_some()
    }

    /// Tells of trouble, or that there is none any more.
    pub fn tell(&mut self, teller: &Teller, trouble: Option<Id>) {
        if self.last != trouble {
            self.last = trouble;
            teller.device(self.what, trouble);
        }
    }
}

/// What was told since the last call, for tests.
#[cfg(test)]
pub fn words(told: &std::sync::mpsc::Receiver<Happening>) -> Vec<String> {
    let word = |happening| match happening {
        Happening::Event(event) => format!("Event({event:?})"),
        Happening::Device(what, trouble) => {
            format!("{} {}", what.name(), trouble.map_or("works", Id::name))
        }
        Happening::Case { is_open } => format!("case {}", if is_open { "open" } else { "shut" }),
        Happening::Preview(_) => "picture".into(),
        Happening::Outbox(waiting, held) => format!("outbox {waiting} {held}"),
        Happening::Update(edition) => format!("update {edition:?}"),
        Happening::Stop => "stop".into(),
    };
    told.try_iter().map(word).collect()
}
