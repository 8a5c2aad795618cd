//! What the two people at the terminal see: one view model a screen, ready to be drawn.
//!
//! Whether a button may be pressed, which words stand where and what tone they have is decided here; `ui` only draws.

use jiff::civil::Date;

use crate::lists::Ask;
use crate::message::{Id, Say};
use crate::outcome::Tone;
use crate::policy::Words;

/// All that is on the screen now.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The strip at the top, the same on each page.
    pub header: Header,
    /// The page below it.
    pub page: Page,
}

/// The strip at the top: where, who, and whether everything that was recorded has arrived.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Header {
    /// Name of the site.
    pub site: String,
    /// Name of the operator who signed in.
    pub operator: Option<String>,
    /// Today as the terminal believes.
    pub today: Option<Date>,
    /// Set when the clock is in doubt.
    pub clock_doubtful: bool,
    /// Records that the centre has not acknowledged.
    pub waiting: u32,
    /// Records that the centre refused and somebody must look at.
    pub held: u32,
    /// Devices that are off, each with its reason (`err-…`).
    pub troubles: Vec<Trouble>,
    /// The edition that lies ready and is installed at night.
    pub update: Option<String>,
}

/// A device or service that does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which (`device-…`).
    pub what: Id,
    /// What happened (`err-…`); what to do is the `rec-…` of the same name.
    pub err: Id,
}

impl Trouble {
    /// What to do about it.
    pub fn rec(&self) -> Id {
        let fault = self.err.name().trim_start_matches("err-");
        Id::named(&format!("rec-{fault}")).expect("a test in message.rs pairs them")
    }
}

/// A button.
#[derive(Clone, Debug, PartialEq)]
pub struct Button {
    /// What it says.
    pub label: Id,
    /// What a tap on it means.
    pub tap: Tap,
    /// Whether it may be pressed now.
    pub enabled: bool,
    /// The one most people will want; at most one on a page.
    pub primary: bool,
}

/// Everything a finger on the glass can mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tap {
    /// An operator picks their name.
    PickOperator(String),
    /// A digit of the PIN.
    Digit(u8),
    /// Takes back the last digit.
    EraseDigit,
    /// The PIN is complete.
    EnterPin,
    /// Leaves the terminal locked.
    SignOut,
    /// Certify by face.
    CertifyFace,
    /// Certify by finger.
    CertifyFinger,
    /// Build a new face reference.
    ReEnrolFace,
    /// Build a new finger reference.
    ReEnrolFinger,
    /// Two people say yes although the machine says no.
    Appeal,
    /// A reason, a relation or a condition from the list on the page.
    Reason(Id),
    /// The list of ways that are seldom needed.
    OtherWays,
    /// One of them.
    Way(Way),
    /// The message of the phone app at this place of the list.
    Message(u16),
    /// A day from the list on the page.
    Day(Date),
    /// What the decoder found is the end of this visit; the way out is printed.
    Settle,
    /// Somebody at the centre looks at the pictures that did not make a reference.
    SendForReview,
    /// A second person confirms what the machine cannot.
    Witness,
    /// Keep the visit as it is and make room for the next person.
    Park,
    /// Leave no record of this visit but a line in the audit trail.
    Discard,
    /// The visits that were begun and not ended.
    ShowDrafts,
    /// Take this visit up again.
    Resume([u8; 16]),
    /// Ask for a home visit.
    HomeVisit,
    /// The person agrees to what was read out.
    Agree,
    /// The person does not.
    Decline,
    /// Once more.
    TryAgain,
    /// Take the document picture now.
    TakePicture,
    /// This cannot be taken from this person (no such finger, too worn, too ill).
    CannotTake,
    /// Leave this step.
    Back,
    /// The card belongs to somebody else.
    NotTheirCard,
    /// Close the result.
    Done,
    /// Print the slip again.
    PrintAgain,
    /// Show the list of records and receipts.
    ShowOutbox,
    /// Print the slip of the record with this number once more.
    PrintSlip(u64),
    /// Show the lists of people.
    ShowPeople,
    /// Another list of them.
    People(Ask),
    /// A letter of somebody's name in pinyin.
    Letter(char),
    /// Takes back the last letter.
    EraseLetter,
    /// The next page of the list, the first behind the last.
    NextPage,
    /// Begin the visit of the person at this place of the list, without a card.
    OpenPerson(u16),
    /// Check every device and show how each is.
    ShowDevices,
}

/// A way that is seldom needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Explain what the phone app said.
    Message,
    /// Ask for a special certification.
    Special,
    /// We are at the person's home and certify now.
    VisitHere,
    /// We were at the person's home in vain.
    VisitFailed,
    /// A survival statement on paper is handed in.
    Paper,
    /// Somebody acts for the person.
    Proxy,
    /// The person is not here, or does not wish to.
    NotHere,
    /// A way that counts is open at another place.
    Elsewhere,
    /// The person cannot follow an action.
    Exempt,
    /// Today's record is to be corrected.
    Correct,
    /// The visit is handed to a colleague.
    Park,
    /// The visit is undone.
    Discard,
    /// How it goes and what to do when it does not.
    Help,
}

impl Way {
    /// What it is called.
    pub fn label(self) -> Id {
        match self {
            Self::Message => Id::WayMessage,
            Self::Special => Id::WaySpecial,
            Self::VisitHere => Id::WayVisitHere,
            Self::VisitFailed => Id::WayVisitFailed,
            Self::Paper => Id::WayPaper,
            Self::Proxy => Id::WayProxy,
            Self::NotHere => Id::WayNotHere,
            Self::Elsewhere => Id::WayElsewhere,
            Self::Exempt => Id::WayExempt,
            Self::Correct => Id::WayCorrect,
            Self::Park => Id::WayPark,
            Self::Discard => Id::WayDiscard,
            Self::Help => Id::WayHelp,
        }
    }
}

/// One page.
#[derive(Clone, Debug, PartialEq)]
pub enum Page {
    /// Pick a name, enter a PIN.
    SignIn(SignIn),
    /// Ready: lay the card on the reader.
    Waiting(Waiting),
    /// Who this is and what is due.
    Person(Person),
    /// What will be done and which ways are open beside.
    Consent(Consent),
    /// Camera preview with coaching.
    Face(Face),
    /// Which finger, progress, coaching.
    Finger(Finger),
    /// A picture of a document or of the card in the hand.
    Document(Document),
    /// The machine is not sure, or says no: why, and the ways on.
    Judge(Judge),
    /// Something is chosen from a list: a reason, a way, a message, a day.
    Choice(Choice),
    /// A second person signs.
    Witness(SignIn),
    /// Being written; a moment.
    Saving,
    /// How it ended, and whether the centre has it.
    Result(Ending),
    /// The list of records and receipts.
    Outbox(Outbox),
    /// People of the roster, masked.
    People(People),
    /// How each device is.
    Devices(Devices),
}

impl Page {
    /// What the page is called in the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SignIn(_) => "sign-in",
            Self::Waiting(_) => "waiting",
            Self::Person(_) => "person",
            Self::Consent(_) => "consent",
            Self::Face(_) => "face",
            Self::Finger(_) => "finger",
            Self::Document(_) => "document",
            Self::Judge(_) => "judge",
            Self::Choice(_) => "choice",
            Self::Witness(_) => "witness",
            Self::Saving => "saving",
            Self::Result(_) => "result",
            Self::Outbox(_) => "outbox",
            Self::People(_) => "people",
            Self::Devices(_) => "devices",
        }
    }
}

/// See [`Page::SignIn`].
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SignIn {
    /// Headline (`sign-in` or `witness-title`).
    pub title: Option<Id>,
    /// Operators of this site: id and name.
    pub operators: Vec<(String, String)>,
    /// The one who was picked.
    pub picked: Option<String>,
    /// Digits entered so far; their values are never shown.
    pub n_digits: u8,
    /// What went wrong the last time.
    pub notice: Option<Say>,
    /// Below the pad.
    pub buttons: Vec<Button>,
}

/// See [`Page::Waiting`].
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// `lay-card`, `hold-card-still`, `reading-card`.
    pub prompt: Id,
    /// A card that could not be used, and what to do.
    pub trouble: Option<Trouble>,
    /// Outbox, sign out.
    pub buttons: Vec<Button>,
}

/// See [`Page::Person`].
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// As on the card; this page is read by the person beside the screen.
    pub name: String,
    /// Masked identity number.
    pub number: String,
    /// Age in full years, if the date is not in doubt.
    pub age: Option<i16>,
    /// Whether the card's picture is there to be compared with.
    pub has_photo: bool,
    /// What does not fit together on the card or with the roster.
    pub warnings: Vec<Say>,
    /// Each benefit with what is due.
    pub benefits: Vec<BenefitLine>,
    /// The sentence that sums it up.
    pub headline: Say,
    /// What can be done.
    pub buttons: Vec<Button>,
}

/// One benefit on the page.
#[derive(Clone, Debug, PartialEq)]
pub struct BenefitLine {
    /// Title from the policy pack.
    pub title: String,
    /// `state-…`.
    pub state: Id,
    /// Good: nothing to do. Waiting: due. Stopped: overdue or suspended.
    pub tone: Tone,
    /// By when.
    pub due: Option<Date>,
    /// Why, with the rule numbers.
    pub why: String,
}

/// See [`Page::Consent`].
#[derive(Clone, Debug, PartialEq)]
pub struct Consent {
    /// What will be taken (`method-…`).
    pub method: Id,
    /// The notice, sentence by sentence.
    pub body: Vec<Say>,
    /// Agree, decline, other ways.
    pub buttons: Vec<Button>,
}

/// See [`Page::Face`].
#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// `face-title` or `face-enrol-title`.
    pub title: Id,
    /// The one thing to do now.
    pub prompt: Say,
    /// Whether the picture is good (frame with tick) or not yet (frame with arrow).
    pub good: bool,
    /// 0 to 1.
    pub progress: f32,
    /// Which view of how many, when enrolling.
    pub step: Option<(u8, u8)>,
    /// Always a way out.
    pub buttons: Vec<Button>,
}

/// See [`Page::Finger`].
#[derive(Clone, Debug, PartialEq)]
pub struct Finger {
    /// `finger-title` or `finger-enrol-title`.
    pub title: Id,
    /// Which finger, ISO 19794-2 position 1 to 10 (1 right thumb … 6 left thumb …).
    pub finger: u8,
    /// Its name.
    pub finger_name: Id,
    /// The one thing to do now.
    pub prompt: Say,
    /// Upload of the image, 0 to 1.
    pub progress: f32,
    /// Placement and how many.
    pub step: Option<(u8, u8)>,
    /// Always a way out.
    pub buttons: Vec<Button>,
}

/// See [`Page::Document`].
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// `document-front`, `document-back`, `document-in-hand`.
    pub which: Id,
    /// Coaching.
    pub prompt: Say,
    /// Which of how many.
    pub step: (u8, u8),
    /// Take it, skip it.
    pub buttons: Vec<Button>,
}

/// See [`Page::Judge`].
#[derive(Clone, Debug, PartialEq)]
pub struct Judge {
    /// `judge-…`.
    pub headline: Id,
    /// Each reason in words.
    pub reasons: Vec<Say>,
    /// The ways on; never empty.
    pub buttons: Vec<Button>,
}

/// See [`Page::Choice`].
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// What is chosen.
    pub title: Id,
    /// What is known about it, a sentence a line.
    pub lines: Vec<Say>,
    /// What can be chosen.
    pub options: Vec<Pick>,
    /// Back, and what needs no choice.
    pub buttons: Vec<Button>,
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick {
    /// What it says.
    pub words: Say,
    /// What a tap on it means.
    pub tap: Tap,
}

/// Where a sealed record is. Only a verified receipt makes it [`Delivery::CentreHasIt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Durable on this terminal, waiting for the network.
    SavedHere,
    /// The authority's receipt was verified; its number.
    CentreHasIt(u64),
    /// The authority refused it; somebody must look.
    Held,
}

/// What became of the slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlipState {
    /// On its way.
    Printing,
    /// In the person's hand.
    Printed,
    /// Not printed; the reason. It can be printed again from the record.
    NotPrinted(Id),
}

/// See [`Page::Result`].
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// `outcome-…`.
    pub headline: Id,
    /// Colour, shape and sound.
    pub tone: Tone,
    /// What it means and what comes next, a sentence a line.
    pub lines: Vec<Say>,
    /// Where the record is.
    pub delivery: Delivery,
    /// What became of the slip.
    pub slip: SlipState,
    /// Done, print again.
    pub buttons: Vec<Button>,
}

/// See [`Page::Outbox`].
#[derive(Clone, Debug, PartialEq)]
pub struct Outbox {
    /// The summary.
    pub headline: Say,
    /// Newest first.
    pub lines: Vec<OutboxLine>,
    /// What became of a slip that was asked for again.
    pub slip: Option<SlipState>,
    /// An edition that waits for the night.
    pub update: Option<Say>,
    /// Back.
    pub buttons: Vec<Button>,
}

/// One record in the list. No name: the terminal cannot open what it sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxLine {
    /// The terminal's sequence number.
    pub seq: u64,
    /// `outcome-…`.
    pub outcome: Id,
    /// Day of capture.
    pub day: Date,
    /// Where it is.
    pub delivery: Delivery,
}

/// See [`Page::People`].
#[derive(Clone, Debug, PartialEq)]
pub struct People {
    /// Which list this is.
    pub headline: Say,
    /// Letters typed so far; none where no letters are asked for.
    pub typed: Option<String>,
    /// Most urgent first.
    pub lines: Vec<PersonLine>,
    /// Other lists, the next page, back.
    pub buttons: Vec<Button>,
}

/// One person in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonLine {
    /// Masked name.
    pub name: String,
    /// Masked number.
    pub number: String,
    /// Village or neighbourhood.
    pub village: String,
    /// The most urgent state of their benefits (`state-…`).
    pub state: Id,
    /// Sign beside it.
    pub tone: Tone,
    /// By when.
    pub due: Option<Date>,
}

/// See [`Page::Devices`].
#[derive(Clone, Debug, PartialEq)]
pub struct Devices {
    /// The summary, or that the check is under way.
    pub headline: Say,
    /// One line a device.
    pub lines: Vec<DeviceLine>,
    /// Check again, back.
    pub buttons: Vec<Button>,
}

/// How one device is. The words are the check's own, which knows more of devices than core.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceLine {
    /// What it is called.
    pub name: Words,
    /// Good: fit for the day. Waiting: works, and wants attention. Stopped: does not work.
    pub tone: Tone,
    /// What was found.
    pub what: Words,
    /// What to do; none when nothing.
    pub todo: Option<Words>,
    /// For support.
    pub code: String,
}
