//! The social-security card in a PC/SC reader: who issued it, and whose it is. Only the
//! files that the card gives freely, or after the holder's own PIN; no key, no wallet,
//! nothing is written. What the card says is for others to judge.

pub mod apdu;
mod check;
pub mod fields;
mod pin;
pub mod session;
mod slot;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::debug;

pub use check::check;
pub use fields::{Holder, Issuer};
pub use pin::Pin;
use slot::Slot;

/// A reader with a slot for the card. Opens itself when it is first used, and again after
/// each fault.
pub struct Reader {
    settings: Settings,
    worker: Option<Worker>,
    stuck: Vec<Worker>,
    spent: Option<Spent>,
    hasher: RandomState,
}

/// Which reader, and how patient.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A part of the reader's name as PC/SC has it; none takes the first reader.
    pub reader: Option<String>,
    /// Longest time for one whole reading.
    pub patience: Duration,
    /// A PIN is not tried when the card is known to have no more tries left than this.
    pub tries_kept: u8,
}

/// How an attempt to read ended, when nothing failed.
#[derive(PartialEq, Eq)]
pub enum Reading {
    /// No card in the slot.
    NoCard,
    /// The card moved, or was drawn, while it was read. Nothing of it is kept.
    Moved,
    /// Something is in the slot and does not answer: upside down, dirty, or no chip.
    Mute,
    /// A chip card, but no social-security card.
    OtherCard,
    /// A social-security card whose free files are damaged or missing.
    Unreadable,
    /// The card.
    Card(Box<SocialCard>),
    /// The PIN is wrong.
    PinWrong {
        /// Tries left before the card blocks its PIN.
        tries_left: u8,
    },
    /// The PIN was not tried: too few tries are left, or this one was wrong before.
    PinNotTried,
    /// The card has blocked its PIN; its bank or the agency can free it.
    PinBlocked,
}

/// What the card gave.
#[derive(Clone, PartialEq, Eq)]
pub struct SocialCard {
    /// Who issued it.
    pub issuer: Issuer,
    /// Whose it is.
    pub holder: HolderFile,
}

/// The second file, which some provinces lock.
#[derive(Clone, PartialEq, Eq)]
pub enum HolderFile {
    /// Read.
    Open(Box<Holder>),
    /// The card wants its PIN first.
    Locked,
    /// Not on the card, or empty.
    Absent,
}

/// The reader failed.
#[derive(Debug, thiserror::Error)]
pub enum SocialCardError {
    /// The PC/SC service does not run.
    #[error("smart-card service is not there")]
    ServiceAway,
    /// The service knows no reader, or none of the wanted name.
    #[error("social-card reader is not connected")]
    NoReader,
    /// Another program has the card.
    #[error("social-card reader is in use")]
    Busy,
    /// No answer in all the patience.
    #[error("social-card reader does not answer")]
    Silent,
    /// The answer is no answer of a chip card.
    #[error("social-card reader damages bytes")]
    Garbled,
    /// The service reports another fault.
    #[error("social-card reader reports {0}")]
    Refused(&'static str),
}

impl Reader {
    /// Opens nothing yet.
    pub fn new(settings: Settings) -> Self {
        let hasher = RandomState::new();
        Self { settings, worker: None, stuck: Vec::new(), spent: None, hasher }
    }

    /// Waits until a card is in the slot; `false` if there is none at `deadline`.
    pub fn wait_for_card(&mut self, deadline: Instant) -> Result<bool, SocialCardError> {
        self.wait(true, deadline)
    }

    /// Waits until the slot is empty; `false` if a card is still there at `deadline`.
    pub fn wait_for_removal(&mut self, deadline: Instant) -> Result<bool, SocialCardError> {
        self.wait(false, deadline)
    }

    /// Reads the free files. A locked holder file comes back as [`HolderFile::Locked`].
    pub fn read(&mut self) -> Result<Reading, SocialCardError> {
        self.ask(Order::Read { pin: None, spent: None }, self.settings.patience)
    }

    /// Reads with the PIN that the holder has just entered, for a policy that asks for it.
    /// The card sees the PIN once, and only if it locks the file; there is no second try
    /// with the same PIN and no PIN of our own.
    pub fn read_with_pin(&mut self, pin: Pin) -> Result<Reading, SocialCardError> {
        let mark = self.hasher.hash_one(pin.digits());
        let spent = self.spent.clone();
        let order = Order::Read { pin: Some((pin, mark, self.settings.tries_kept)), spent };
        self.ask(order, self.settings.patience)
    }

    /// Name of the reader in use, for support.
    pub fn name(&mut self) -> Result<String, SocialCardError> {
        match self.exchange(Order::Name, self.settings.patience)? {
            Answer::Name(name) => Ok(name),
            _ => Err(SocialCardError::Garbled),
        }
    }

    fn wait(&mut self, wanted: bool, deadline: Instant) -> Result<bool, SocialCardError> {
        let patience = deadline.saturating_duration_since(Instant::now()) + WAIT_MARGIN;
        match self.exchange(Order::Wait { wanted, deadline }, patience)? {
            Answer::Present(present) => Ok(present == wanted),
            _ => Err(SocialCardError::Garbled),
        }
    }

    fn ask(&mut self, order: Order, patience: Duration) -> Result<Reading, SocialCardError> {
        match self.exchange(order, patience)? {
            Answer::Read(reading, spent) => {
                if spent.is_some() {
                    self.spent = spent;
                }
                Ok(reading)
            }
            _ => Err(SocialCardError::Garbled),
        }
    }

    /// The service's calls have no deadline, so a thread makes them. One that is stuck is
    /// left behind; it ends when its call does, and there is a bound to them.
    fn exchange(&mut self, order: Order, patience: Duration) -> Result<Answer, SocialCardError> {
        self.stuck.retain(|worker| matches!(worker.answers.try_recv(), Err(TryRecvError::Empty)));
        if self.stuck.len() >= STUCK_MAX {
            return Err(SocialCardError::Silent);
        }
        let settings = &self.settings;
        let worker = self.worker.take().unwrap_or_else(|| Worker::start(settings.clone()));
        let sent = worker.orders.send(order);
        sent.map_err(|_| SocialCardError::Refused("a thread that ended"))?;
        match worker.answers.recv_timeout(patience) {
            Ok(Ok(answer)) => {
                self.worker = Some(worker);
                Ok(answer)
            }
            Ok(Err(error)) => {
                debug!(code = error.code(), "social-card reader is opened anew");
                Err(error)
            }
            Err(RecvTimeoutError::Timeout) => {
                self.stuck.push(worker);
                Err(SocialCardError::Silent)
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(SocialCardError::Refused("a thread that ended"))
            }
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { reader: None, patience: PATIENCE, tries_kept: 1 }
    }
}

impl Reading {
    /// A stable name for messages and records.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCard => "social-card-none",
            Self::Moved => "social-card-moved",
            Self::Mute => "social-card-mute",
            Self::OtherCard => "social-card-other",
            Self::Unreadable => "social-card-unreadable",
            Self::Card(card) => match card.holder {
                HolderFile::Open(_) => "social-card-read",
                HolderFile::Locked => "social-card-pin-needed",
                HolderFile::Absent => "social-card-no-holder",
            },
            Self::PinWrong { .. } => "social-card-pin-wrong",
            Self::PinNotTried => "social-card-pin-not-tried",
            Self::PinBlocked => "social-card-pin-blocked",
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for SocialCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SocialCard(…)")
    }
}

impl fmt::Debug for HolderFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "Open(…)",
            Self::Locked => "Locked",
            Self::Absent => "Absent",
        })
    }
}

impl SocialCardError {
    /// A stable name for messages, logs and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ServiceAway => "social-card-service-away",
            Self::NoReader => "social-card-reader-unplugged",
            Self::Busy => "social-card-reader-busy",
            Self::Silent => "social-card-reader-silent",
            Self::Garbled => "social-card-reader-garbled",
            Self::Refused(_) => "social-card-reader-refused",
        }
    }
}

/// What a card is known to have refused, so that it is not asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    card: [u8; 16],
    marks: Vec<u64>,
    tries_left: u8,
}

impl Spent {
    /// Whether a PIN of this `mark` may be shown to `card`.
    fn allows(&self, card: &[u8; 16], mark: u64, tries_kept: u8) -> bool {
        self.card != *card || (!self.marks.contains(&mark) && self.tries_left > tries_kept)
    }

    fn add(before: Option<&Self>, card: [u8; 16], mark: u64, tries_left: u8) -> Self {
        let mut marks = match before {
            Some(before) if before.card == card => before.marks.clone(),
            _ => Vec::new(),
        };
        marks.push(mark);
        Self { card, marks, tries_left }
    }
}

/// What the thread is asked.
enum Order {
    Wait { wanted: bool, deadline: Instant },
    Read { pin: Option<(Pin, u64, u8)>, spent: Option<Spent> },
    Name,
}

enum Answer {
    Present(bool),
    Read(Reading, Option<Spent>),
    Name(String),
}

/// The thread that talks with the service. It ends at its first fault, or when nobody
/// listens any more.
struct Worker {
    orders: Sender<Order>,
    answers: Receiver<Result<Answer, SocialCardError>>,
}

impl Worker {
    fn start(settings: Settings) -> Self {
        let (orders, asked) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        thread::spawn(move || {
            let mut slot = None;
            for order in asked {
                let result = serve(&settings, &mut slot, &order);
                let failed = result.is_err();
                if answer.send(result).is_err() || failed {
                    break;
                }
            }
        });
        Self { orders, answers }
    }
}

/// A service that was started again in between is simply connected to again. Not with a
/// PIN, which may have been shown before the service went.
fn serve(
    settings: &Settings,
    slot: &mut Option<Slot>,
    order: &Order,
) -> Result<Answer, SocialCardError> {
    let again = slot.is_some() && !matches!(order, Order::Read { pin: Some(_), .. });
    let result = obey(settings, slot, order);
    if again && matches!(result, Err(SocialCardError::ServiceAway)) {
        *slot = None;
        return obey(settings, slot, order);
    }
    result
}

fn obey(
    settings: &Settings,
    slot: &mut Option<Slot>,
    order: &Order,
) -> Result<Answer, SocialCardError> {
    if slot.is_none() {
        *slot = Some(Slot::open(settings.reader.as_deref())?);
    }
    let slot = slot.as_mut().expect("opened above");
    match order {
        Order::Wait { wanted, deadline } => slot.wait(*wanted, *deadline).map(Answer::Present),
        Order::Name => Ok(Answer::Name(slot.name())),
        Order::Read { pin, spent } => {
            let mut new = None;
            let reading = slot.read(&mut |channel| {
                let (reading, told) = session::read(channel, pin.as_ref(), spent.as_ref())?;
                new = told;
                Ok(reading)
            })?;
            Ok(Answer::Read(reading, new))
        }
    }
}

/// A card answers in well under a second; a worn contact is tried again by its reader.
const PATIENCE: Duration = Duration::from_secs(8);
const WAIT_MARGIN: Duration = Duration::from_secs(3);
const STUCK_MAX: usize = 8;
