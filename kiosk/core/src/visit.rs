//! One person's visit, from the card on the reader to a sealed record that the centre has.
//!
//! [`Visit::handle`] is the whole control flow: one match on phase and event. Everything a phase needs is in the phase;
//! what the visit has gathered so far is in [`Case`].

mod actions;
mod case;
mod menus;
mod pages;
mod paper;

use crate::decision::{self, Judgement, Modality, Verdict};
use crate::draft::Draft;
use crate::event::{
    CardEvent, CardPinRefusal, Effect, Event, FaceEvent, FacePurpose, FingerEvent, FingerPurpose,
    Lookup, Picture,
};
use crate::identity::CardIdentity;
use crate::message::{Arg, Id, Say};
use crate::moment::Moment;
use crate::operator::{Operator, Pin, PinCheck, Role};
use crate::outcome::Outcome;
use crate::policy::PackSet;
use crate::record::{Appeal, RecordId};
use crate::view::{Delivery, Page, SlipState, Tap, Trouble};

use actions::may;
use case::{Case, Gathered};
use menus::{Menu, Witnessed};
use pages::primary;

pub(crate) use actions::pin_notice;
pub(crate) use case::state_id;
pub(crate) use pages::button;

/// What a visit needs to know about the place it happens in.
#[derive(Clone, Debug)]
pub struct Place {
    /// Terminal id, as in its certificate.
    pub device: String,
    /// Site id.
    pub site: String,
    /// Site name in words.
    pub site_name: String,
    /// Policy packs in force.
    pub packs: PackSet,
    /// Who may sign in here.
    pub operators: Vec<Operator>,
    /// Version of the consent notice.
    pub notice: String,
    /// SHA-256 of the notice's text.
    pub notice_digest: [u8; 32],
    /// What does not work now, as the last [`Event::Status`] said.
    pub troubles: Vec<Trouble>,
}

impl Place {
    /// Why this modality is off, and stays so until the terminal starts anew. A device that is only unplugged is asked
    /// again at each order.
    pub(crate) fn off(&self, modality: Modality) -> Option<Trouble> {
        let network = match modality {
            Modality::Face => Id::DeviceModels,
            Modality::Finger => Id::DeviceFingerModel,
        };
        self.troubles.iter().find(|trouble| trouble.what == network).copied()
    }

    /// Why a record may not be kept: said before anybody lays a card down, and not among the devices.
    pub(crate) fn cannot_keep(&self) -> Option<Trouble> {
        let grave = [Id::ErrStoreFull, Id::ErrStoreReadOnly, Id::ErrStoreIncomplete];
        self.troubles.iter().find(|trouble| grave.contains(&trouble.err)).copied()
    }
}

/// What the people decided to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Certify by face.
    Face,
    /// Certify by finger.
    Finger,
    /// Build a new face reference, then certify with it.
    ReEnrolFace,
    /// Prove the face, then build a new finger reference.
    ReEnrolFinger,
    /// Certify at the person's home, with a second person.
    HomeVisit,
    /// Take a survival statement on paper.
    Paper,
}

impl Plan {
    /// The plan that a tap asks for.
    fn of(tap: &Tap) -> Option<Self> {
        Some(match tap {
            Tap::CertifyFace => Self::Face,
            Tap::CertifyFinger => Self::Finger,
            Tap::ReEnrolFace => Self::ReEnrolFace,
            Tap::ReEnrolFinger => Self::ReEnrolFinger,
            _ => return None,
        })
    }

    /// The words of its button.
    fn label(self) -> Id {
        match self {
            Self::Face => Id::TapCertifyFace,
            Self::Finger => Id::TapCertifyFinger,
            Self::ReEnrolFace => Id::TapReEnrolFace,
            Self::ReEnrolFinger => Id::TapReEnrolFinger,
            Self::HomeVisit => Id::WayVisitHere,
            Self::Paper => Id::WayPaper,
        }
    }

    /// Whether a face is taken under it.
    fn takes_a_face(self) -> bool {
        !matches!(self, Self::Finger | Self::Paper)
    }

    /// Whether a finger is taken under it.
    fn takes_a_finger(self) -> bool {
        matches!(self, Self::Finger | Self::ReEnrolFinger)
    }
}

/// Where the visit is.
#[derive(Clone, Debug)]
enum Phase {
    AwaitingCard { prompt: Id, trouble: Option<Trouble> },
    CardPin { pin: Pin, notice: Option<Say>, is_asked: bool },
    LookingUp(Box<CardIdentity>),
    Reviewing,
    Consenting(Plan),
    Choosing(Menu),
    Document { picture: Picture, coaching: Option<Id> },
    Face { purpose: FacePurpose, prompt: Id, good: bool, progress: f32 },
    Finger { purpose: FingerPurpose, finger: u8, placed: u8, prompt: Id, progress: f32 },
    Judging(Judgement),
    Witnessing { cause: Witnessed, picked: Option<String>, pin: Pin, notice: Option<Say> },
    Sealing { outcome: Outcome, failed: Option<Trouble> },
    Closed { outcome: Outcome, delivery: Delivery, slip: SlipState },
}

/// How a visit leaves the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitEnd {
    /// A record is sealed.
    Recorded(RecordId),
    /// It is kept and will be taken up again.
    Parked,
    /// Nothing happened, or it was undone.
    Nothing,
}

/// A visit under way.
#[derive(Clone, Debug)]
pub struct Visit {
    phase: Phase,
    case: Case,
    /// How far what is on the disk goes.
    kept: Option<Gathered>,
    /// Set when the visit is over and the next person may come.
    end: Option<VisitEnd>,
}

impl Visit {
    /// Waits for a card; `operator` serves.
    pub fn start(operator: String) -> (Self, Vec<Effect>) {
        let phase = Phase::AwaitingCard { prompt: Id::LayCard, trouble: None };
        let visit = Self { phase, case: Case::new(operator), kept: None, end: None };
        (visit, vec![Effect::AwaitCard, Effect::Speak(Id::LayCard)])
    }

    /// Takes up a visit that was kept; `operator` goes on with it. None when it cannot be read any more.
    pub fn resume(operator: String, draft: Draft) -> Option<(Self, Vec<Effect>)> {
        let card = draft.card()?;
        let effects = vec![Effect::Restore(draft.visit), Effect::Find(card.number.clone())];
        let case = Case::restore(draft, operator);
        let phase = Phase::LookingUp(Box::new(card));
        Some((Self { phase, case, kept: None, end: None }, effects))
    }

    /// Over?
    pub fn end(&self) -> Option<VisitEnd> {
        self.end
    }

    /// Whether somebody's card has been read and no record is sealed yet.
    pub fn is_under_way(&self) -> bool {
        !matches!(self.phase, Phase::AwaitingCard { .. } | Phase::Closed { .. })
    }

    /// Whether nobody has laid a card yet.
    pub fn awaits_card(&self) -> bool {
        matches!(self.phase, Phase::AwaitingCard { .. })
    }

    /// Whether it is at its last step, which is in no draft: what was gathered in it is nowhere else until it is sealed, also
    /// where that failed.
    pub fn is_sealing(&self) -> bool {
        matches!(self.phase, Phase::Sealing { .. })
    }

    /// Whether something is being written or printed that must come to its end.
    pub fn must_finish(&self) -> bool {
        matches!(
            self.phase,
            Phase::Sealing { failed: None, .. } | Phase::Closed { slip: SlipState::Printing, .. }
        )
    }

    /// Something happened; moves on and says what has to be done.
    pub fn handle(&mut self, event: Event, now: Moment, place: &Place) -> Vec<Effect> {
        if let Event::Face(of, _)
        | Event::Finger(of, _)
        | Event::Document(of, _)
        | Event::DocumentRead(of, _) = &event
            && *of != self.case.sitting
        {
            return Vec::new();
        }
        let passing = matches!(
            event,
            Event::Face(_, FaceEvent::Seen { .. }) | Event::Finger(_, FingerEvent::Seen { .. })
        );
        let mut effects = self.step(event, now, place);
        if !passing {
            effects.extend(self.keep());
        }
        effects
    }

    /// What happened to the visit is on the disk before anything else happens to it.
    fn keep(&mut self) -> Option<Effect> {
        let is_over = matches!(self.phase, Phase::Sealing { .. } | Phase::Closed { .. });
        if is_over || self.end.is_some() {
            return None;
        }
        let gathered = self.case.gathered();
        if self.kept == Some(gathered) {
            return None;
        }
        let draft = self.case.draft()?;
        self.kept = Some(gathered);
        Some(Effect::SaveDraft(Box::new(draft)))
    }

    fn step(&mut self, event: Event, now: Moment, place: &Place) -> Vec<Effect> {
        let phase = std::mem::replace(
            &mut self.phase,
            Phase::AwaitingCard { prompt: Id::LayCard, trouble: None },
        );
        match (phase, event) {
            // The card.
            (
                Phase::AwaitingCard { .. } | Phase::CardPin { .. },
                Event::Card(CardEvent::HoldStill),
            ) => self.rest(Phase::AwaitingCard { prompt: Id::HoldCardStill, trouble: None }),
            (Phase::AwaitingCard { .. }, Event::Card(CardEvent::Reading)) => {
                self.rest(Phase::AwaitingCard { prompt: Id::ReadingCard, trouble: None })
            }
            (
                Phase::AwaitingCard { .. } | Phase::CardPin { .. },
                Event::Card(CardEvent::Unusable(err)),
            ) => self.card_unusable(err),
            (
                Phase::AwaitingCard { .. } | Phase::CardPin { .. },
                Event::Card(CardEvent::Read { card, visit, record }),
            ) => {
                let find = Effect::Find(card.number.clone());
                self.case.identify(visit, record, now);
                self.phase = Phase::LookingUp(card);
                vec![find]
            }

            // A card that wants the PIN of its holder.
            (Phase::AwaitingCard { .. }, Event::Card(CardEvent::Locked)) => {
                self.card_locked(now, place)
            }
            (
                Phase::CardPin { mut pin, notice, is_asked: false },
                Event::Tapped(tap @ (Tap::Digit(_) | Tap::EraseDigit)),
            ) => {
                match tap {
                    Tap::Digit(_) if pin.is_of_a_card() => {}
                    Tap::Digit(digit) => pin.push(digit),
                    _ => pin.erase(),
                }
                self.rest(Phase::CardPin { pin, notice, is_asked: false })
            }
            (Phase::CardPin { pin, is_asked: false, .. }, Event::Tapped(Tap::EnterPin))
                if pin.is_of_a_card() =>
            {
                let (now_empty, notice) = (Pin::default(), None);
                self.phase = Phase::CardPin { pin: now_empty, notice, is_asked: true };
                vec![Effect::ReadWithPin(pin)]
            }
            (Phase::CardPin { .. }, Event::Card(CardEvent::PinRefused(why))) => {
                self.card_pin_refused(why)
            }
            (Phase::CardPin { .. }, Event::Tapped(Tap::Back) | Event::Card(CardEvent::Drawn)) => {
                self.rest(Phase::AwaitingCard { prompt: Id::LayCard, trouble: None })
            }

            // Who this is and what is due.
            (Phase::LookingUp(card), Event::Found(lookup)) => {
                self.review(*card, *lookup, now, place)
            }
            (Phase::Reviewing, Event::Tapped(tap)) => self.chosen(tap, now, place),

            // What will be done, and whether the person wants it.
            (Phase::Consenting(plan), Event::Tapped(Tap::Agree)) => {
                self.case.agree(place);
                self.proceed(plan, now, place)
            }
            (Phase::Consenting(plan), Event::Tapped(Tap::Decline)) => {
                self.case.decline(plan, place);
                self.rest(Phase::Reviewing)
            }
            (Phase::Consenting(_), Event::Tapped(Tap::Back)) => self.rest(Phase::Reviewing),

            // The lists.
            (Phase::Choosing(menu), Event::Tapped(tap)) => self.picked(menu, tap, now, place),

            // Pictures of the documents.
            (Phase::Document { picture, .. }, Event::Tapped(Tap::TakePicture)) => {
                self.phase = Phase::Document { picture, coaching: Some(Id::DocumentTaking) };
                vec![Effect::TakeDocument(self.case.sitting, picture)]
            }
            (Phase::Document { picture, .. }, Event::Document(_, Ok(()))) => {
                self.case.keep_picture(picture);
                self.document_done(picture, now, place)
            }
            (Phase::Document { picture, .. }, Event::DocumentRead(_, reading)) => {
                self.document_read(picture, &reading, now, place)
            }
            (Phase::Document { picture, .. }, Event::Document(_, Err(why))) => {
                self.rest(Phase::Document { picture, coaching: Some(why) })
            }
            // A statement that is not shown proves nothing.
            (Phase::Document { picture, .. }, Event::Tapped(Tap::CannotTake))
                if picture != Picture::Paper =>
            {
                self.case.note_not_taken("document", picture.role());
                self.document_done(picture, now, place)
            }
            (Phase::Document { .. }, Event::Tapped(Tap::Back)) => {
                self.phase = Phase::Reviewing;
                vec![Effect::StopSensors]
            }

            // The face.
            (
                Phase::Face { purpose, .. },
                Event::Face(_, FaceEvent::Seen { coaching, progress }),
            ) => {
                let prompt = coaching.unwrap_or(Id::FaceLook);
                self.rest(Phase::Face { purpose, prompt, good: coaching.is_none(), progress })
            }
            (Phase::Face { purpose, .. }, Event::Face(_, FaceEvent::Taken(seen))) => {
                self.judge_face(purpose, &seen, now, place)
            }
            (Phase::Face { .. }, Event::Face(_, FaceEvent::TimedOut(why))) => {
                self.case.note_not_taken("face", "timed-out");
                let reasons = [Id::WhyQualityLow].into_iter().chain(why).collect();
                self.ask(Judgement { verdict: Verdict::Unsure, reasons })
            }
            (Phase::Face { .. }, Event::Face(_, FaceEvent::Failed(err))) => {
                self.failed("face", err)
            }
            (Phase::Face { .. } | Phase::Finger { .. }, Event::Tapped(Tap::Back)) => {
                self.phase = Phase::Reviewing;
                vec![Effect::StopSensors]
            }
            (Phase::Face { .. }, Event::Tapped(Tap::CannotTake)) => {
                self.case.note_not_taken("face", "cannot-be-taken");
                self.ask(cannot_be_taken())
            }

            // The finger.
            (
                Phase::Finger { purpose, finger, placed, .. },
                Event::Finger(_, FingerEvent::Seen { prompt, progress }),
            ) => self.rest(Phase::Finger { purpose, finger, placed, prompt, progress }),
            (
                Phase::Finger { purpose, finger, placed, .. },
                Event::Finger(_, FingerEvent::Placed),
            ) => {
                let prompt = Id::FingerLift;
                self.rest(Phase::Finger {
                    purpose,
                    finger,
                    placed: placed + 1,
                    prompt,
                    progress: 0.0,
                })
            }
            (Phase::Finger { purpose, .. }, Event::Finger(_, FingerEvent::Taken(seen))) => {
                self.judge_finger(purpose, &seen, now, place)
            }
            (Phase::Finger { .. }, Event::Finger(_, FingerEvent::TimedOut)) => {
                self.case.note_not_taken("finger", "timed-out");
                let reasons = vec![Id::WhyQualityLow];
                self.ask(Judgement { verdict: Verdict::Unsure, reasons })
            }
            (Phase::Finger { .. }, Event::Finger(_, FingerEvent::Failed(err))) => {
                self.failed("finger", err)
            }
            (Phase::Finger { .. }, Event::Tapped(Tap::CannotTake)) => {
                self.case.note_not_taken("finger", "cannot-be-taken");
                self.ask(cannot_be_taken())
            }

            // The machine does not say yes: the ways on.
            (Phase::Judging(judgement), Event::Tapped(tap)) => {
                self.way_on(judgement, tap, now, place)
            }

            // Two people say yes.
            (Phase::Witnessing { .. }, Event::Tapped(Tap::Back)) => self.rest(Phase::Reviewing),
            (Phase::Witnessing { cause, .. }, Event::Tapped(Tap::PickOperator(id))) => {
                self.pick_witness(cause, id, place)
            }
            (
                Phase::Witnessing { cause, picked: Some(picked), mut pin, notice },
                Event::Tapped(tap @ (Tap::Digit(_) | Tap::EraseDigit)),
            ) => {
                match tap {
                    Tap::Digit(digit) => pin.push(digit),
                    _ => pin.erase(),
                }
                self.rest(Phase::Witnessing { cause, picked: Some(picked), pin, notice })
            }
            (
                Phase::Witnessing { cause, picked: Some(operator), pin, .. },
                Event::Tapped(Tap::EnterPin),
            ) if pin.is_complete() => {
                let check = Effect::CheckPin { operator: operator.clone(), pin };
                let (picked, pin) = (Some(operator), Pin::default());
                self.phase = Phase::Witnessing { cause, picked, pin, notice: None };
                vec![check]
            }
            (
                Phase::Witnessing { cause, picked: Some(witness), .. },
                Event::PinChecked(of, PinCheck::Right),
            ) if of == witness => self.witnessed(cause, witness, now, place),
            (
                Phase::Witnessing { cause, picked: Some(picked), .. },
                Event::PinChecked(of, check),
            ) if of == picked && check != PinCheck::Right => {
                let (picked, pin) = (Some(picked), Pin::default());
                let notice = Some(actions::pin_notice(check));
                self.rest(Phase::Witnessing { cause, picked, pin, notice })
            }

            // Durable, then the receipt.
            (Phase::Sealing { outcome, .. }, Event::Sealed(record))
                if record == self.case.record =>
            {
                self.close(outcome, now, place)
            }
            (Phase::Sealing { outcome, .. }, Event::SealFailed(err)) => {
                let failed = Some(Trouble { what: Id::DeviceStore, err });
                self.rest(Phase::Sealing { outcome, failed })
            }
            (Phase::Sealing { outcome, failed: Some(_) }, Event::Tapped(Tap::TryAgain)) => {
                self.seal(outcome, now, place)
            }
            (Phase::Closed { outcome, slip, .. }, Event::Delivery(record, delivery))
                if record == self.case.record =>
            {
                self.rest(Phase::Closed { outcome, delivery, slip })
            }
            (Phase::Closed { outcome, delivery, .. }, Event::Slip(slip)) => {
                self.rest(Phase::Closed { outcome, delivery, slip })
            }
            (Phase::Closed { outcome, delivery, .. }, Event::Tapped(Tap::PrintAgain)) => {
                let slip = paper::slip(&self.case, &outcome, now, place);
                self.phase = Phase::Closed { outcome, delivery, slip: SlipState::Printing };
                vec![Effect::Print(Box::new(slip))]
            }
            (phase @ Phase::Closed { .. }, Event::Tapped(Tap::Done)) => {
                self.phase = phase;
                self.end = Some(VisitEnd::Recorded(self.case.record));
                vec![Effect::Forget]
            }

            // Late and repeated events are ordinary: a frame after the decision, a second tap, another card's echo.
            (phase, _) => self.rest(phase),
        }
    }

    fn card_unusable(&mut self, err: Id) -> Vec<Effect> {
        let trouble = Some(Trouble { what: Id::DeviceIdCard, err });
        self.phase = Phase::AwaitingCard { prompt: Id::LayCard, trouble };
        vec![Effect::Speak(err)]
    }

    /// Its holder is asked for the PIN only where a pack in force says so: before the card is read nobody knows whose
    /// pack will count.
    fn card_locked(&mut self, now: Moment, place: &Place) -> Vec<Effect> {
        if !place.packs.iter_on(now.date()).any(|pack| pack.limits.social_card_pin) {
            return self.card_unusable(Id::ErrSocialCardLocked);
        }
        self.phase = Phase::CardPin { pin: Pin::default(), notice: None, is_asked: false };
        vec![Effect::Speak(Id::CardPinTitle)]
    }

    /// The last try is the holder's own, at the counter of their bank, where a blocked card can be freed.
    fn card_pin_refused(&mut self, why: CardPinRefusal) -> Vec<Effect> {
        match why {
            CardPinRefusal::Wrong { tries_left } if tries_left > CARD_PIN_TRIES_KEPT => {
                let notice = Some(Id::CardPinWrong.with([Arg::Number(tries_left.into())]));
                self.rest(Phase::CardPin { pin: Pin::default(), notice, is_asked: false })
            }
            CardPinRefusal::Wrong { .. } | CardPinRefusal::NotTried => {
                self.card_unusable(Id::ErrSocialCardPinKept)
            }
            CardPinRefusal::Blocked => self.card_unusable(Id::ErrSocialCardPinBlocked),
        }
    }

    /// What the two people see now.
    pub fn page(&self, now: Moment, place: &Place) -> Page {
        pages::page(&self.phase, &self.case, now, place)
    }

    fn rest(&mut self, phase: Phase) -> Vec<Effect> {
        self.phase = phase;
        Vec::new()
    }
}

fn cannot_be_taken() -> Judgement {
    Judgement { verdict: Verdict::Unsure, reasons: vec![Id::WhyNoReference] }
}

/// Tries of face or finger in one visit before only the other ways on are offered, where no pack says otherwise.
const TRIES_MAX: u8 = 3;
/// Placements of one finger that make a reference: the cheapest gain in accuracy that was measured.
const PLACEMENTS: u8 = 3;
/// Tries of a card's PIN that are left to its holder: the driver shows no PIN to a card with no more than these.
const CARD_PIN_TRIES_KEPT: u8 = 1;
/// The time that the notices give for an action (R58).
const ACTION_S: u8 = 10;

#[cfg(test)]
pub(crate) mod tests;
