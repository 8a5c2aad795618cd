//! The voice: says prompts by their ids, coaches without talking over itself, and tells when it is not heard.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use drivers::speaker::{self, Speaker, SpeakerConfig, SpeakerError};
use kiosk_core::message::Id;
use tracing::warn;

use super::{Loan, guide};
use crate::happening::{Teller, Told};

/// What the room is asked to do.
pub enum Order {
    /// Say this now.
    Say(Id),
    /// Say this unless something is being said, or it was just said.
    Coach(Id),
    /// Let go of the sound device for a while.
    Lend(Loan),
}

/// Makes the driver; called again when the device was lent out.
pub type MakeSpeaker = Box<dyn FnMut() -> Speaker + Send>;

/// The room.
pub struct VoiceRoom {
    make: MakeSpeaker,
    speaker: Option<Speaker>,
    /// Whether there is a recording of each prompt.
    has_recordings: bool,
    coached: Option<(Id, Instant)>,
    teller: Teller,
    told: Told,
}

impl VoiceRoom {
    /// A room over the device of the settings.
    pub fn new(config: SpeakerConfig, teller: Teller) -> Self {
        let recorded = speaker::recordings(&config.prompts);
        let n_missing = guide::spoken().filter(|id| !recorded.contains(id.name())).count();
        if n_missing > 0 {
            warn!(n_missing, "prompts have no recording");
        }
        let make = Box::new(move || Speaker::start(config.clone()));
        Self::over(make, n_missing == 0, teller)
    }

    /// A room over the voices that `make` gives.
    pub fn over(make: MakeSpeaker, has_recordings: bool, teller: Teller) -> Self {
        let told = Told::new(Id::DeviceSpeaker);
        Self { make, speaker: None, has_recordings, coached: None, teller, told }
    }

    /// Works until nobody gives orders any more.
    pub fn run(mut self, orders: &Receiver<Order>) {
        self.tell();
        loop {
            match orders.recv_timeout(LISTEN_EVERY) {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.tell();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Say(id) => {
                self.coached = Some((id, Instant::now()));
                self.speaker().say(id.name());
            }
            Order::Coach(id) => self.coach(id),
            Order::Lend(loan) => {
                self.speaker = None;
                loan.wait();
            }
        }
    }

    /// Somebody who is slow does not need to hear the same every second.
    fn coach(&mut self, id: Id) {
        let again = |at: &Instant| at.elapsed() >= REPEAT_AFTER;
        let is_new = self.coached.as_ref().is_none_or(|(last, at)| *last != id || again(at));
        if is_new && !self.speaker().condition().is_speaking {
            self.obey(Order::Say(id));
        }
    }

    fn speaker(&mut self) -> &Speaker {
        self.speaker.get_or_insert_with(&mut self.make)
    }

    /// A prompt that is missing is a smaller matter than a device that is.
    fn tell(&mut self) {
        let condition = self.speaker.as_ref().map(Speaker::condition).unwrap_or_default();
        let trouble = match condition.trouble {
            Some(SpeakerError::Recording(_)) => Some(Id::ErrSpeakerPrompts),
            Some(_) => Some(Id::ErrSpeakerSilent),
            None if !self.has_recordings => Some(Id::ErrSpeakerPrompts),
            None => None,
        };
        self.told.tell(&self.teller, trouble);
    }
}

/// How soon a device that fails is noticed.
const LISTEN_EVERY: Duration = Duration::from_millis(500);
const REPEAT_AFTER: Duration = Duration::from_secs(6);

#[cfg(test)]
mod tests;
