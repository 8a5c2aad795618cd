//! One room for each family of effects. Only here floors meet: drivers, models, store, sync and screen.
//!
//! Each room has a thread of its own, takes orders through a channel and answers with events.

pub mod card;
pub mod customer;
pub mod face;
pub mod finger;
pub mod guide;
pub mod keep;
pub mod panel;
pub mod paper;
pub mod roster;
pub mod scrub;
pub mod send;
pub mod social;
pub mod voice;
pub mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use kiosk_core::decision::Thresholds;
use models::ThresholdSet;

/// The models' calibrated limits as core's.
fn thresholds(set: &ThresholdSet) -> Thresholds {
    Thresholds {
        id: set.id.clone(),
        accept: set.accept,
        review: set.review,
        quality_min: set.quality_min.clamp(0.0, 100.0) as u8,
        pad_min: set.pad_min,
    }
}

/// A device that somebody else wants for a while. Its room lets go of it, says so, and waits to have it back.
pub struct Loan {
    gone: Sender<()>,
    back: Receiver<()>,
}

/// The other end of a [`Loan`]; the room has its device back when this is dropped.
pub struct Borrowed {
    gone: Receiver<()>,
    _back: Sender<()>,
}

impl Loan {
    /// Both ends.
    pub fn new() -> (Self, Borrowed) {
        let ((gone, told), (back, given)) = (mpsc::channel(), mpsc::channel());
        (Self { gone, back: given }, Borrowed { gone: told, _back: back })
    }

    /// Says that the device is free, and waits to have it back.
    pub fn wait(self) {
        if self.gone.send(()).is_ok() {
            // Nothing is ever sent: the other end goes.
            let _ = self.back.recv();
        }
    }
}

impl Borrowed {
    /// Waits until the room has let go; false when it does not in time.
    pub fn is_free(&self, patience: Duration) -> bool {
        self.gone.recv_timeout(patience).is_ok()
    }
}

/// Whether somebody's card is wanted, for all readers together: the first that read one lays it on the tray, and the
/// others leave it at that.
#[derive(Clone, Default)]
pub struct Awaited(Arc<AtomicBool>);

impl Awaited {
    /// A card is wanted from now on.
    pub fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether a card is wanted.
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// One was read; false when another reader was first.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}
