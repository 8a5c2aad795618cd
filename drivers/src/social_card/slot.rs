//! The reader as the PC/SC service gives it. Blocking; its deadline is the caller's thread.

use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

use pcsc::{
    Card, Context, Disposition, Error, MAX_BUFFER_SIZE, Protocols, ReaderState, Scope, ShareMode,
    State,
};

use super::session::{Channel, Lost};
use super::{Reading, SocialCardError};

/// One slot of one reader.
pub(super) struct Slot {
    context: Context,
    name: CString,
}

impl Slot {
    /// The first reader whose name has `wanted` in it.
    pub fn open(wanted: Option<&str>) -> Result<Self, SocialCardError> {
        let context = Context::establish(Scope::System).map_err(fault)?;
        let names = match context.list_readers_owned() {
            Err(Error::NoReadersAvailable) => Vec::new(),
            names => names.map_err(fault)?,
        };
        let fits =
            |name: &CString| wanted.is_none_or(|wanted| name.to_string_lossy().contains(wanted));
        let name = names.into_iter().find(fits).ok_or(SocialCardError::NoReader)?;
        Ok(Self { context, name })
    }

    pub fn name(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    /// Waits until a card is there or is not, as wanted; gives how it is at `deadline`.
    pub fn wait(&mut self, wanted: bool, deadline: Instant) -> Result<bool, SocialCardError> {
        let mut states = [ReaderState::new(self.name.clone(), State::UNAWARE)];
        let mut patience = Duration::ZERO;
        loop {
            match self.context.get_status_change(patience, &mut states) {
                Ok(()) | Err(Error::Timeout) => {}
                Err(error) => return Err(fault(error)),
            }
            let state = states[0].event_state();
            if state.intersects(State::UNKNOWN | State::UNAVAILABLE | State::IGNORE) {
                return Err(SocialCardError::NoReader);
            }
            let present = state.contains(State::PRESENT);
            patience = deadline.saturating_duration_since(Instant::now());
            if present == wanted || patience.is_zero() {
                return Ok(present);
            }
            states[0].sync_current_state();
        }
    }

    /// Has `read` talk with the card alone, and cuts its power afterwards, so that nothing
    /// stays open that a PIN has opened.
    pub fn read(
        &mut self,
        read: &mut dyn FnMut(&mut dyn Channel) -> Result<Reading, SocialCardError>,
    ) -> Result<Reading, SocialCardError> {
        if !self.wait(true, Instant::now())? {
            return Ok(Reading::NoCard);
        }
        let card = match connect(&self.context, &self.name) {
            Ok(card) => card,
            Err(Error::NoSmartcard | Error::RemovedCard) => return Ok(Reading::NoCard),
            Err(
                Error::UnresponsiveCard
                | Error::UnpoweredCard
                | Error::UnsupportedCard
                | Error::ProtoMismatch
                | Error::InvalidAtr,
            ) => return Ok(Reading::Mute),
            Err(error) => return Err(fault(error)),
        };
        let mut contact = Contact(card);
        let reading = read(&mut contact);
        // A card that is gone has no power. The service, told to cut it all the same, takes
        // the slot for empty and does not notice a card that is laid in quickly.
        let afterwards = match reading {
            Ok(Reading::Moved) => Disposition::LeaveCard,
            _ => Disposition::UnpowerCard,
        };
        let _ = contact.0.disconnect(afterwards);
        reading
    }
}

fn connect(context: &Context, name: &CStr) -> Result<Card, Error> {
    context.connect(name, ShareMode::Exclusive, Protocols::T0 | Protocols::T1)
}

struct Contact(Card);

impl Channel for Contact {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost> {
        let mut room = [0; MAX_BUFFER_SIZE];
        match self.0.transmit(command, &mut room) {
            // Some readers say nothing at all, and call it an answer, when a card is drawn.
            Ok([]) => Err(Lost::Card),
            Ok(answer) => Ok(answer.to_vec()),
            Err(
                Error::NoSmartcard
                | Error::RemovedCard
                | Error::ResetCard
                | Error::UnpoweredCard
                | Error::UnresponsiveCard
                | Error::NotTransacted
                | Error::CommError,
            ) => Err(Lost::Card),
            Err(error) => Err(Lost::Reader(fault(error))),
        }
    }
}

fn fault(error: Error) -> SocialCardError {
    match error {
        Error::NoService
        | Error::ServiceStopped
        | Error::ServerTooBusy
        | Error::InvalidHandle
        | Error::Shutdown => SocialCardError::ServiceAway,
        Error::NoReadersAvailable | Error::UnknownReader | Error::ReaderUnavailable => {
            SocialCardError::NoReader
        }
        Error::SharingViolation => SocialCardError::Busy,
        Error::Timeout | Error::WaitedTooLong => SocialCardError::Silent,
        Error::InsufficientBuffer => SocialCardError::Garbled,
        Error::InternalError => SocialCardError::Refused("an internal error"),
        Error::NoMemory => SocialCardError::Refused("too little memory"),
        _ => SocialCardError::Refused("another fault"),
    }
}
