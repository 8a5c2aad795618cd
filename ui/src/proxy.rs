//! How other threads reach the screen: the newest view and the newest camera picture win.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use image::RgbImage;
use kiosk_core::view::{Tap, View};

/// Sends views and camera pictures to the screen from any thread, and never waits.
///
/// A picture or view that was not drawn yet is replaced by the next one, so a slow panel cannot make a queue grow.
#[derive(Clone, Default)]
pub struct Proxy {
    mailbox: Arc<Mailbox>,
}

impl Proxy {
    /// Shows this view as soon as the screen gets to it.
    pub fn show(&self, view: View) {
        put(&self.mailbox.view, view);
        self.wake();
    }

    /// Shows this camera picture.
    pub fn preview(&self, picture: RgbImage) {
        put(&self.mailbox.preview, picture);
        self.wake();
    }

    /// Shows this card picture on the page about the person.
    pub fn picture_of_card(&self, picture: Option<RgbImage>) {
        put(&self.mailbox.card, picture);
        self.wake();
    }

    /// Presses the button that carries this tap in the running window; nothing when there is none.
    pub fn tap(&self, tap: Tap) {
        // Without a loop there is no window to press on; a headless screen is pressed by `Screen::tap`.
        let _ = slint::invoke_from_event_loop(move || crate::screen::press_soon(&tap));
    }

    /// Ends [`crate::Screen::run`].
    pub fn quit(&self) {
        // No loop to end is as good as an ended one.
        let _ = slint::quit_event_loop();
    }

    /// What came since the last time.
    pub(crate) fn take(&self) -> Mail {
        self.mailbox.woken.store(false, Ordering::Release);
        Mail {
            view: take(&self.mailbox.view),
            preview: take(&self.mailbox.preview),
            card: take(&self.mailbox.card),
        }
    }

    fn wake(&self) {
        if self.mailbox.woken.swap(true, Ordering::AcqRel) {
            return;
        }
        // Without a loop (headless, or not started yet) the mail is taken by `Screen::settle` or `run`.
        if slint::invoke_from_event_loop(crate::screen::open_mail).is_err() {
            self.mailbox.woken.store(false, Ordering::Release);
        }
    }
}

/// What other threads sent.
pub(crate) struct Mail {
    pub(crate) view: Option<View>,
    pub(crate) preview: Option<RgbImage>,
    pub(crate) card: Option<Option<RgbImage>>,
}

#[derive(Default)]
struct Mailbox {
    woken: AtomicBool,
    view: Mutex<Option<View>>,
    preview: Mutex<Option<RgbImage>>,
    card: Mutex<Option<Option<RgbImage>>>,
}

fn put<T>(slot: &Mutex<Option<T>>, value: T) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}
