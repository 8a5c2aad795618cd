//! What happens to the terminal and what it wants done. Every door between core and the rest of the house is here.

use crate::benefit::{Method, Success};
use crate::decision::{Comparison, Modality};
use crate::decoder::Form;
use crate::draft::Draft;
use crate::identity::{CardIdentity, IdNumber};
use crate::lists::Ask;
use crate::message::{Id, Say};
use crate::operator::{Pin, PinCheck};
use crate::outcome::Tone;
use crate::policy::PackSet;
use crate::reading::Reading;
use crate::record::{Record, RecordId};
use crate::roster::{Beneficiary, Line, Recent};
use crate::view::{Delivery, DeviceLine, Header, OutboxLine, SlipState, Tap};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Facts for the header changed: outbox, devices, date.
    Status(Header),
    /// Other editions of the policy packs are in force; a visit under way ends by those it began with.
    Packs(Box<PackSet>),
    /// A finger touched the glass.
    Tapped(Tap),
    /// The PIN of this operator was compared.
    PinChecked(String, PinCheck),
    /// From the ID-card reader.
    Card(CardEvent),
    /// The answer to [`Effect::Find`].
    Found(Box<Lookup>),
    /// From the camera and the face networks.
    Face(Sitting, FaceEvent),
    /// From the fingerprint module and its network.
    Finger(Sitting, FingerEvent),
    /// A document picture was taken (or not: the reason).
    Document(Sitting, Result<(), Id>),
    /// A picture of an identity card was taken, and this was read from it.
    DocumentRead(Sitting, Box<Reading>),
    /// The record is durable here.
    Sealed(RecordId),
    /// It could not be sealed or stored; the visit is kept.
    SealFailed(Id),
    /// The state of a record changed.
    Delivery(RecordId, Delivery),
    /// What became of the slip.
    Slip(SlipState),
    /// The answer to [`Effect::ListOutbox`].
    Outbox(Vec<OutboxLine>),
    /// The answer to [`Effect::ListDrafts`]: visits that were begun here and not ended.
    Drafts(Vec<Draft>),
    /// The answer to [`Effect::ListPeople`].
    People(Vec<Line>),
    /// The answer to [`Effect::ListVillages`]: each with how many owe something soon.
    Villages(Vec<(String, u64)>),
    /// The answer to [`Effect::CheckDevices`].
    Checked(Vec<DeviceLine>),
    /// Whether there is power enough.
    Power(Power),
    /// Somebody stands in front of the terminal, or nobody does any more.
    Presence(bool),
}

/// Whether there is power enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Power {
    /// Yes.
    #[default]
    Enough,
    /// Somebody should plug the terminal in.
    Low,
    /// Nothing is begun any more, and what is open is kept for later.
    Empty,
}

/// One use of camera or finger reader. Its answers name it, so that what was seen of one person, or of one try, is
/// never taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sitting {
    /// Whose visit.
    pub visit: [u8; 16],
    /// Counts within the visit.
    pub number: u32,
}

/// From the ID-card reader.
#[derive(Clone, Debug)]
pub enum CardEvent {
    /// A card is there but moves.
    HoldStill,
    /// It is being read.
    Reading,
    /// It was read and its number is sound.
    Read {
        /// What it says.
        card: Box<CardIdentity>,
        /// Fresh identity for the visit.
        visit: [u8; 16],
        /// Fresh identity for its record.
        record: RecordId,
    },
    /// It cannot be used (`err-card-…`).
    Unusable(Id),
    /// A social-security card that tells its holder only after the holder's PIN.
    Locked,
    /// That card was drawn.
    Drawn,
    /// The answer to [`Effect::ReadWithPin`] when the PIN opened nothing.
    PinRefused(CardPinRefusal),
}

/// Why the PIN of a card opened nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardPinRefusal {
    /// It is wrong; so many tries are left before the card blocks it.
    Wrong {
        /// Tries left on the card.
        tries_left: u8,
    },
    /// It was not shown to the card: a wrong one more might block it, or it was wrong before.
    NotTried,
    /// The card has blocked its PIN.
    Blocked,
}

/// Everything this terminal knows about the holder of a number.
#[derive(Clone, Debug, Default)]
pub struct Lookup {
    /// As the roster says; `None` when the roster does not hold the number.
    pub beneficiary: Option<Beneficiary>,
    /// What was recorded here since the roster was made.
    pub recent: Recent,
    /// References that can be compared with: the modality, and the ISO finger position where it is a finger.
    pub references: Vec<(Modality, Option<u8>)>,
    /// The newest record about this person that was made here.
    pub latest: Option<Latest>,
}

/// A record that was made here before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest {
    /// Which.
    pub record: RecordId,
    /// Day of capture.
    pub on: jiff::civil::Date,
    /// How it ended (`outcome-…`).
    pub outcome: Id,
}

/// What the face is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FacePurpose {
    /// Compare with the references.
    Verify,
    /// Take several good views as a new reference, and compare them with the chip photo and with each other.
    Enrol,
}

/// An action that shows life. Judged as change against the person's own neutral frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Close and open the eyes.
    Blink,
    /// Open the mouth.
    OpenMouth,
    /// Turn the head.
    Turn,
    /// Lower or lift the head and come back.
    Nod,
}

/// From the camera and the face networks.
#[derive(Clone, Debug)]
pub enum FaceEvent {
    /// The latest frame: what to do better (None: it is good), and how far we are (0 to 1).
    Seen {
        /// `face-…` coaching.
        coaching: Option<Id>,
        /// 0 to 1.
        progress: f32,
    },
    /// Enough good frames were taken.
    Taken(Vec<Comparison>),
    /// Time ran out without enough good frames; the last coaching says why.
    TimedOut(Option<Id>),
    /// The camera or the networks failed (`err-…`).
    Failed(Id),
}

/// From the fingerprint module and its network.
#[derive(Clone, Debug)]
pub enum FingerEvent {
    /// Waiting for the finger, uploading (0 to 1), or a coaching hint.
    Seen {
        /// `finger-…`.
        prompt: Id,
        /// 0 to 1.
        progress: f32,
    },
    /// Compared with the references of this finger; empty while enrolling until the last placement.
    Taken(Vec<Comparison>),
    /// One more placement of an enrolment is good.
    Placed,
    /// Nobody put a finger there in time.
    TimedOut,
    /// The module or the network failed (`err-…`).
    Failed(Id),
}

/// What the finger is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FingerPurpose {
    /// Compare with the references.
    Verify,
    /// Take so many placements as a new reference.
    Enrol {
        /// Placements wanted.
        placements: u8,
    },
}

/// Pictures that a visit may hold in memory until it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Best live frame.
    LiveFace,
    /// The chip's photo, decoded, or its raw block.
    ChipPhoto,
    /// Front of the card.
    IdFront,
    /// Back of the card.
    IdBack,
    /// The card in the person's hand beside the face.
    IdInHand,
    /// Best fingerprint image.
    Finger,
    /// The door of the home that was visited.
    Door,
    /// A survival statement on paper.
    Paper,
}

impl Picture {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::LiveFace,
        Self::ChipPhoto,
        Self::IdFront,
        Self::IdBack,
        Self::IdInHand,
        Self::Finger,
        Self::Door,
        Self::Paper,
    ];

    /// The picture of this word.
    pub fn named(role: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|picture| picture.role() == role)
    }

    /// The word in records.
    pub fn role(self) -> &'static str {
        match self {
            Self::LiveFace => "live-face",
            Self::ChipPhoto => "chip-photo",
            Self::IdFront => "id-front",
            Self::IdBack => "id-back",
            Self::IdInHand => "id-in-hand",
            Self::Finger => "finger",
            Self::Door => "door",
            Self::Paper => "paper",
        }
    }
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Compare a PIN; answered by [`Event::PinChecked`].
    CheckPin {
        /// Whose.
        operator: String,
        /// The digits.
        pin: Pin,
    },
    /// Poll the reader until a card was read; answered by [`Event::Card`].
    AwaitCard,
    /// Read the social-security card in its slot with the PIN that its holder has just entered; answered by
    /// [`Event::Card`]. The digits go to the card once and are kept nowhere.
    ReadWithPin(Pin),
    /// Look a number up; answered by [`Event::Found`].
    Find(IdNumber),
    /// Watch the camera; answered by [`Event::Face`].
    WatchFace {
        /// Named by the answers.
        sitting: Sitting,
        /// Verify or enrol.
        purpose: FacePurpose,
        /// Actions to ask for if the passive score does not convince, in this order.
        actions: Vec<Action>,
        /// Seconds for each action.
        action_s: u8,
        /// Whether a good passive score is enough; else the actions are asked for in any case (C20).
        passive: bool,
    },
    /// Scan a finger; answered by [`Event::Finger`].
    ScanFinger {
        /// Named by the answers.
        sitting: Sitting,
        /// Verify or enrol.
        purpose: FingerPurpose,
        /// ISO 19794-2 position.
        finger: u8,
    },
    /// Show the camera for a document.
    PreviewDocument,
    /// Take the document picture now; answered by [`Event::Document`].
    TakeDocument(Sitting, Picture),
    /// Stop camera and finger; late answers are ignored.
    StopSensors,
    /// Sign, encrypt and store; answered by [`Event::Sealed`] or [`Event::SealFailed`].
    Seal(Box<SealOrder>),
    /// Keep the newest state of the visit, with what lies in memory, so that a crash or a colleague takes it up.
    SaveDraft(Box<Draft>),
    /// Lay what was kept of this visit back into memory.
    Restore([u8; 16]),
    /// The visit leaves no record: drop what was kept, and note in the audit trail who did so.
    Discard {
        /// The visit.
        visit: [u8; 16],
        /// Who.
        operator: String,
    },
    /// Answered by [`Event::Drafts`].
    ListDrafts,
    /// Answered by [`Event::People`].
    ListPeople {
        /// Whom.
        ask: Ask,
        /// From 0.
        page: u16,
    },
    /// Answered by [`Event::Villages`].
    ListVillages,
    /// Begin a visit of somebody from the roster who has no card on the reader; answered as a card is
    /// ([`CardEvent::Read`], see [`CardIdentity::of_roster`]).
    OpenPerson(IdNumber),
    /// Forget everything about the person that was held in memory.
    Forget,
    /// Print.
    Print(Box<Slip>),
    /// Print the slip that was kept with the record of this number.
    PrintKept(u64),
    /// Say it aloud.
    Speak(Id),
    /// Try to send now.
    Send,
    /// Answered by [`Event::Outbox`].
    ListOutbox,
    /// Check every device; answered by [`Event::Checked`].
    CheckDevices,
    /// All is kept: close everything, before the battery does.
    PowerDown,
}

/// What is to be sealed. The shell adds the bytes that core never sees.
#[derive(Clone, Debug, PartialEq)]
pub struct SealOrder {
    /// The record; its pictures and templates are still empty.
    pub record: Record,
    /// Pictures that go with it.
    pub pictures: Vec<Picture>,
    /// New references that go with it and are kept here.
    pub templates: Vec<Modality>,
    /// The live face may join the views on file by itself, if it is like them by a margin.
    pub later_view: bool,
    /// What this visit achieved, so that the terminal knows it at once: pack and success.
    pub successes: Vec<(String, Success)>,
    /// Kept with the record: printed again whenever somebody asks, after a power cut too.
    pub slip: Slip,
}

/// What the person takes home on paper.
#[derive(Clone, Debug, PartialEq)]
pub struct Slip {
    /// Where.
    pub site: String,
    /// When, in words of the clock.
    pub captured: crate::moment::Moment,
    /// Masked name.
    pub name: String,
    /// Masked number.
    pub number: String,
    /// `outcome-…`, in large type.
    pub headline: Id,
    /// Sign beside the headline.
    pub tone: Tone,
    /// Sentence by sentence what it means and what comes next.
    pub lines: Vec<Say>,
    /// How it was done.
    pub method: Option<Method>,
    /// The record, for the QR.
    pub record: RecordId,
    /// Forms that the person takes along, with what could be filled in; printed as often as each says.
    pub forms: Vec<Form>,
}
