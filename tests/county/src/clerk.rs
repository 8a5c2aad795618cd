//! One person at a counter: what the two people press, what the sensors answer, and what must hold at each step.

use std::collections::VecDeque;

use kiosk_core::decision::{Comparison, Liveness, Modality, Thresholds};
use kiosk_core::event::{
    CardEvent, Effect, Event, FaceEvent, FacePurpose, FingerEvent, FingerPurpose, SealOrder,
    Sitting,
};
use kiosk_core::identity::{CardIdentity, IdentitySource, PersonName, ValidTo};
use kiosk_core::message::Id;
use kiosk_core::moment::Doubt;
use kiosk_core::operator::PinCheck;
use kiosk_core::outcome::Outcome;
use kiosk_core::policy::Repeat;
use kiosk_core::record::RecordId;
use kiosk_core::view::{Button, Delivery, Page, Pick, SignIn, SlipState, Tap, Way};

use crate::chance::Chance;
use crate::counter::{COLLEAGUE, Counter, OPERATOR, SUPERVISOR};
use crate::population::Person;
use crate::watch::{Invariant, VOCABULARY, Watch};

/// What one visit came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A record is durable, and the person has been told.
    Recorded,
    /// The power went before anything was durable.
    NothingDurable,
    /// The power went after the record was durable, before the person was told.
    DurableUntold,
    /// The two people undid it.
    Undone,
}

/// A visit under way.
pub struct Visit<'a> {
    /// Where.
    pub counter: &'a mut Counter,
    /// Who the card belongs to.
    pub person: &'a Person,
    /// Somebody else sits there.
    pub is_impostor: bool,
    /// Does not want to today.
    pub refuses: bool,
    /// A certification is owed, by the true date and what the centre knows.
    pub owes: bool,
    /// Of this visit.
    pub chance: Chance,
    /// Where breaches go.
    pub watch: &'a mut Watch,
    /// Breaks an invariant on purpose: what is sealed is taken without asking.
    pub asks_nobody: bool,
}

/// What the machine owes an answer to.
enum Pending {
    Find,
    Face(Sitting, FacePurpose),
    Finger(Sitting, FingerPurpose, u8),
    Document(Sitting),
    Pin(String),
    Seal(Box<SealOrder>),
    Slip,
}

/// What is known in the course of a visit.
#[derive(Default)]
struct Course {
    visit: [u8; 16],
    record: Option<RecordId>,
    is_agreed: bool,
    is_proved: bool,
    is_durable: bool,
    is_over: bool,
    n_steps: u32,
    is_opened: bool,
    was_offered_certification: bool,
    /// The sitting whose answer counts.
    asked: Option<Sitting>,
    is_parked: bool,
    is_discarded: bool,
}

impl Visit<'_> {
    /// From the card to the end.
    pub fn serve(mut self) -> End {
        self.watch.n_visits += 1;
        let mut course = Course::default();
        let mut pending = VecDeque::new();
        let card = self.card(&mut course);
        self.happens(card, &mut course, &mut pending);
        loop {
            if course.is_over && course.is_parked && !course.is_durable {
                self.take_up(COLLEAGUE, &mut course, &mut pending);
            }
            if course.is_over {
                return self.ended(&course);
            }
            course.n_steps += 1;
            if self.chance.is(POWER_CUT) && !self.survives(&mut course, &mut pending) {
                return interrupted(&course);
            }
            let ends = course.n_steps <= STEPS_MAX;
            self.watch.hold(Invariant::EveryVisitEndsInTheVocabulary, ends, || {
                format!(
                    "no end after {STEPS_MAX} steps, at {:?}",
                    self.counter.terminal.view().page
                )
            });
            let next = self.next(&mut course, &mut pending).filter(|_| ends);
            let Some(event) = next else {
                self.counter.restart(OPERATOR);
                return interrupted(&course);
            };
            self.happens(event, &mut course, &mut pending);
        }
    }

    fn ended(&mut self, course: &Course) -> End {
        let holds = course.is_durable || course.is_discarded;
        self.watch.hold(Invariant::EveryVisitEndsInTheVocabulary, holds, || {
            "a visit ended without a record".into()
        });
        if course.is_durable { End::Recorded } else { End::Undone }
    }

    /// The power goes and comes back. True when the visit was kept and goes on.
    fn survives(&mut self, course: &mut Course, pending: &mut VecDeque<Pending>) -> bool {
        self.watch.count("power cuts in a visit");
        let kept = self.counter.keeps(course.visit);
        let begun = course.is_opened && !course.is_durable;
        self.watch.hold(Invariant::NobodyIsLost, kept == begun, || {
            format!("opened {}, durable {}, kept {kept}", course.is_opened, course.is_durable)
        });
        let operator = if self.chance.is(0.5) { OPERATOR } else { COLLEAGUE };
        self.counter.restart(operator);
        if !kept || self.chance.is(0.3) {
            return false;
        }
        course.is_over = true;
        self.go_on(course, pending);
        true
    }

    /// A visit that was put aside goes on with somebody else.
    fn take_up(&mut self, operator: &str, course: &mut Course, pending: &mut VecDeque<Pending>) {
        self.watch.count("visits handed over");
        self.counter.hand_over(operator);
        self.go_on(course, pending);
    }

    fn go_on(&mut self, course: &mut Course, pending: &mut VecDeque<Pending>) {
        self.watch.count("visits taken up again");
        pending.clear();
        (course.is_over, course.is_parked, course.is_proved) = (false, false, false);
        course.asked = None;
        self.happens(Event::Tapped(Tap::ShowDrafts), course, pending);
        self.happens(Event::Tapped(Tap::Resume(course.visit)), course, pending);
        self.watch.hold(Invariant::NobodyIsLost, !pending.is_empty(), || {
            "a visit that was kept cannot be taken up".into()
        });
    }

    fn card(&mut self, course: &mut Course) -> Event {
        let (visit, record) = self.counter.fresh_identities();
        (course.visit, course.record) = (visit, Some(record));
        let number = self.person.number().clone();
        let card = CardIdentity {
            name: PersonName(self.person.name()),
            sex: number.sex(),
            birth: number.birth(),
            number,
            address: String::new(),
            issuer: String::new(),
            valid_from: None,
            valid_to: ValidTo::Open,
            source: IdentitySource::Chip,
            has_photo: self.person.has_photo,
        };
        Event::Card(CardEvent::Read { card: Box::new(card), visit, record })
    }

    fn happens(&mut self, event: Event, course: &mut Course, pending: &mut VecDeque<Pending>) {
        self.watch.n_steps += 1;
        for effect in self.counter.handle(event) {
            self.obey(effect, course, pending);
        }
    }

    fn obey(&mut self, effect: Effect, course: &mut Course, pending: &mut VecDeque<Pending>) {
        let takes = matches!(
            effect,
            Effect::WatchFace { .. } | Effect::ScanFinger { .. } | Effect::TakeDocument(..)
        );
        if takes {
            let agreed = course.is_agreed && !self.asks_nobody;
            self.watch.hold(Invariant::NothingIsTakenWithoutConsent, agreed, || {
                format!("{effect:?} before anybody agreed")
            });
        }
        match effect {
            Effect::Find(_) => pending.push_back(Pending::Find),
            Effect::CheckPin { operator, .. } => pending.push_back(Pending::Pin(operator)),
            Effect::WatchFace { sitting, purpose, .. } => {
                course.asked = Some(sitting);
                pending.push_back(Pending::Face(sitting, purpose));
            }
            Effect::ScanFinger { sitting, purpose, .. } => {
                course.asked = Some(sitting);
                pending.push_back(Pending::Finger(sitting, purpose, 0));
            }
            Effect::TakeDocument(sitting, _) => pending.push_back(Pending::Document(sitting)),
            // One in ten answers was under way already and comes too late.
            Effect::StopSensors => {
                course.asked = None;
                pending.retain(|p| !p.is_a_sensor() || self.chance.is(0.1));
            }
            Effect::Seal(order) => {
                self.check_seal(&order, course);
                pending.push_back(Pending::Seal(order));
            }
            Effect::Print(_) => {
                let durable = course.is_durable;
                self.watch.hold(Invariant::NothingIsPromisedBeforeItIsDurable, durable, || {
                    "a slip is printed before the record is durable".into()
                });
                pending.push_back(Pending::Slip);
            }
            Effect::Forget => course.is_over = true,
            _ => {}
        }
    }

    /// The machine's answer if it owes one, else a tap.
    fn next(&mut self, course: &mut Course, pending: &mut VecDeque<Pending>) -> Option<Event> {
        let page = self.counter.terminal.view().page;
        let taps = taps(&page);
        let may_press = !taps.is_empty();
        let picks = matches!(page, Page::Witness(_));
        let has_way_on = may_press || picks || !pending.is_empty();
        self.watch.hold(Invariant::APageHasAWayOn, has_way_on, || format!("{page:?}"));
        self.check_page(&page, course);
        // Now and then somebody presses before the machine has answered.
        let impatient = may_press && self.chance.is(0.02);
        if let (false, Some(waiting)) = (impatient, pending.pop_front()) {
            return Some(self.answer(waiting, course, pending));
        }
        let tap = match &page {
            Page::Witness(page) => self.witness(page),
            page => self.press(page, &taps, course),
        };
        let way_on = tap.is_some() || !pending.is_empty();
        self.watch.hold(Invariant::APageHasAWayOn, way_on, || {
            format!("nothing that a clerk would press on {page:?}")
        });
        match tap {
            Some(tap) => {
                course.is_agreed |= tap == Tap::Agree;
                course.is_parked |= tap == Tap::Park;
                course.is_discarded |= tap == Tap::Discard;
                Some(Event::Tapped(tap))
            }
            None => pending.pop_front().map(|waiting| self.answer(waiting, course, pending)),
        }
    }

    fn check_page(&mut self, page: &Page, course: &mut Course) {
        match page {
            Page::Result(page) => {
                let durable = course.is_durable && page.delivery == Delivery::SavedHere;
                self.watch.hold(Invariant::NothingIsPromisedBeforeItIsDurable, durable, || {
                    format!("{:?} is shown", page.delivery)
                });
            }
            Page::Person(page) => {
                // Somebody who is told to be done will not ask for a new reference.
                let is_told_done = page.buttons.iter().any(|button| button.tap == Tap::Done);
                let certifies = |button: &&Button| match button.tap {
                    Tap::CertifyFace | Tap::CertifyFinger => button.enabled,
                    Tap::ReEnrolFace => button.enabled && !is_told_done,
                    _ => false,
                };
                let offered = page.buttons.iter().any(|button| certifies(&button));
                course.was_offered_certification |= offered;
            }
            _ => {}
        }
    }

    /// What a clerk would press, by weight. A button that is new to this file is never pressed.
    fn press(&mut self, page: &Page, taps: &[&Tap], course: &Course) -> Option<Tap> {
        let hurries = course.n_steps > HURRY_AFTER;
        let weights: Vec<u32> = taps.iter().map(|tap| self.weight(page, tap, hurries)).collect();
        let index = self.chance.weighted(weights.iter().copied())?;
        Some(taps[index].clone())
    }

    fn weight(&self, page: &Page, tap: &Tap, hurries: bool) -> u32 {
        let wants = u32::from(!self.refuses && !self.person.is_bedridden);
        let is_judge = matches!(page, Page::Judge(_));
        let leaves = self.refuses || hurries;
        match tap {
            Tap::Done => 1_000,
            Tap::Agree => 970,
            Tap::Decline => 15,
            Tap::TakePicture => 500,
            Tap::CannotTake => 10,
            Tap::TryAgain => 60,
            Tap::CertifyFace => wants * if is_judge { 25 } else { 200 },
            Tap::CertifyFinger => wants * if is_judge { 25 } else { 30 },
            Tap::ReEnrolFace => wants * 6,
            Tap::ReEnrolFinger => wants * 4,
            Tap::Appeal if self.is_impostor => 0,
            Tap::Appeal => 25,
            Tap::Reason(_) | Tap::Message(_) | Tap::Day(_) => 50,
            Tap::SendForReview => 30,
            Tap::Witness => 60,
            Tap::Settle => 30,
            Tap::Park | Tap::Discard => 50,
            Tap::OtherWays if leaves || self.person.is_bedridden => 300,
            Tap::OtherWays => 12,
            Tap::Way(way) => self.weight_of(*way, leaves),
            Tap::HomeVisit if self.person.is_bedridden || hurries => 400,
            Tap::HomeVisit => 4,
            Tap::NotTheirCard if self.is_impostor => 40,
            Tap::PrintAgain => 10,
            Tap::Back if hurries => 1,
            Tap::Back => 8,
            _ => 0,
        }
    }

    fn weight_of(&self, way: Way, leaves: bool) -> u32 {
        match way {
            Way::NotHere if leaves => 2_000,
            Way::VisitHere if self.person.is_bedridden => 300,
            Way::Exempt if self.person.is_bedridden => 50,
            Way::Correct => 30,
            Way::Message => 20,
            Way::Proxy | Way::NotHere | Way::Special | Way::Paper | Way::Elsewhere => 8,
            Way::VisitHere | Way::VisitFailed | Way::Exempt => 8,
            Way::Park => 6,
            Way::Discard | Way::Help => 2,
        }
    }

    /// Somebody of those who may signs.
    fn witness(&mut self, page: &SignIn) -> Option<Tap> {
        match (&page.picked, page.n_digits) {
            (None, _) if self.chance.is(0.03) => Some(Tap::Back),
            (None, _) => {
                let weights = page.operators.iter().map(|_| 1);
                let index = self.chance.weighted(weights)?;
                Some(Tap::PickOperator(page.operators[index].0.clone()))
            }
            (Some(_), ..4) => Some(Tap::Digit(3)),
            (Some(_), _) => Some(Tap::EnterPin),
        }
    }

    fn answer(
        &mut self,
        waiting: Pending,
        course: &mut Course,
        pending: &mut VecDeque<Pending>,
    ) -> Event {
        match waiting {
            Pending::Find => {
                course.is_opened = true;
                Event::Found(Box::new(self.counter.lookup(self.person)))
            }
            Pending::Pin(operator) => {
                let right = self.chance.is(0.95);
                let check = if right { PinCheck::Right } else { PinCheck::Wrong { tries_left: 2 } };
                Event::PinChecked(operator, check)
            }
            Pending::Face(sitting, purpose) => {
                if self.chance.is(0.2) {
                    pending.push_front(Pending::Face(sitting, purpose));
                    let coaching = self.chance.is(0.5).then_some(Id::FaceComeCloser);
                    return Event::Face(sitting, FaceEvent::Seen { coaching, progress: 0.3 });
                }
                Event::Face(sitting, self.face(sitting, course))
            }
            Pending::Finger(sitting, purpose, placed) => {
                if let FingerPurpose::Enrol { placements } = purpose
                    && placed + 1 < placements
                {
                    pending.push_front(Pending::Finger(sitting, purpose, placed + 1));
                    return Event::Finger(sitting, FingerEvent::Placed);
                }
                Event::Finger(sitting, self.finger(sitting, purpose, course))
            }
            Pending::Document(sitting) => {
                let blurred = self.chance.is(0.1);
                let taken = if blurred { Err(Id::FaceHoldStill) } else { Ok(()) };
                Event::Document(sitting, taken)
            }
            Pending::Seal(order) => self.seal(*order, course),
            Pending::Slip => Event::Slip(if self.chance.is(0.98) {
                SlipState::Printed
            } else {
                SlipState::NotPrinted(Id::ErrPrinterPaper)
            }),
        }
    }

    fn face(&mut self, sitting: Sitting, course: &mut Course) -> FaceEvent {
        let likeness = if self.is_impostor { 0.001 } else { self.person.likeness };
        let fake = if self.is_impostor { 0.2 } else { 0.002 };
        if self.chance.is(likeness) {
            course.is_proved |= course.asked == Some(sitting);
            return FaceEvent::Taken(vec![self.compared(Modality::Face, 0.8)]);
        }
        if self.chance.is(fake) {
            let liveness = Liveness::NotShown(0.1);
            let seen = Comparison { liveness, ..self.compared(Modality::Face, 0.9) };
            return FaceEvent::Taken(vec![seen]);
        }
        match self.chance.within(0, 99) {
            0..=44 => FaceEvent::Taken(vec![self.compared(Modality::Face, 0.35)]),
            45..=79 => FaceEvent::Taken(vec![self.compared(Modality::Face, 0.1)]),
            80..=91 => FaceEvent::TimedOut(Some(Id::FaceTooDark)),
            92..=95 => FaceEvent::Failed(Id::ErrCameraSilent),
            _ => FaceEvent::Taken(Vec::new()),
        }
    }

    fn finger(
        &mut self,
        sitting: Sitting,
        purpose: FingerPurpose,
        course: &mut Course,
    ) -> FingerEvent {
        let works = self.person.finger.unwrap_or(0.8);
        let works = if self.is_impostor { 0.001 } else { works };
        if self.chance.is(works) {
            let verified = purpose == FingerPurpose::Verify;
            course.is_proved |= verified && course.asked == Some(sitting);
            let seen = verified.then(|| self.compared(Modality::Finger, 0.8));
            return FingerEvent::Taken(seen.into_iter().collect());
        }
        match self.chance.within(0, 9) {
            0..=3 => FingerEvent::TimedOut,
            4 => FingerEvent::Failed(Id::ErrFingerSilent),
            _ if purpose == FingerPurpose::Verify => {
                FingerEvent::Taken(vec![self.compared(Modality::Finger, 0.1)])
            }
            _ => FingerEvent::TimedOut,
        }
    }

    fn compared(&self, modality: Modality, score: f32) -> Comparison {
        let liveness = match modality {
            Modality::Face => Liveness::Passive(0.9),
            Modality::Finger => Liveness::NotEvaluated,
        };
        let reference = if self.person.has_model { "enrolled 2025-05-01" } else { "chip-photo" };
        Comparison {
            modality,
            score: Some(score),
            quality: 80,
            liveness,
            model: "county".into(),
            thresholds: Thresholds {
                id: "county".into(),
                accept: 0.4,
                review: 0.3,
                quality_min: 40,
                pad_min: 0.5,
            },
            reference: reference.into(),
        }
    }

    /// The disk takes it, or does not. The power may go right after it did.
    fn seal(&mut self, order: SealOrder, course: &mut Course) -> Event {
        if self.chance.is(DISK_FAULT) {
            self.watch.count("sealings that failed");
            return Event::SealFailed(Id::ErrStoreFault);
        }
        let code = order.record.outcome.code();
        *self.watch.outcomes.entry(code.into()).or_default() += 1;
        let kept = self.counter.commit(self.person.index, order);
        let sealed = kept.record.id;
        let once = !course.is_durable;
        self.watch.hold(Invariant::NobodyIsCountedTwice, once, || "two records of a visit".into());
        course.is_durable = true;
        Event::Sealed(sealed)
    }

    fn check_seal(&mut self, order: &SealOrder, course: &Course) {
        let record = &order.record;
        let code = record.outcome.code();
        let certifies = record.outcome.certifies();
        let watch = &mut *self.watch;
        watch.hold(
            Invariant::EveryVisitEndsInTheVocabulary,
            VOCABULARY.contains(&code) && Some(record.id) == course.record,
            || format!("{code}, {}", record.id),
        );
        let agreed = record.consent.as_ref().is_some_and(|c| c.choice == "agreed");
        watch.hold(
            Invariant::NothingIsTakenWithoutConsent,
            (agreed && course.is_agreed)
                || (order.pictures.is_empty() && order.templates.is_empty()),
            || format!("{:?} of {code}", order.pictures),
        );
        // At a bedside two people may say yes where the machine is unsure.
        let several = record.operators.iter().any(|who| Some(who) != record.operators.first());
        let by_two = several && record.evidence.iter().any(|found| found.modality == "witness");
        let proved = course.is_proved || by_two;
        watch.hold(Invariant::OnlyAProofCertifies, !certifies || proved, || {
            format!("{code} without a comparison that said yes")
        });
        let counted = || record.benefits.iter().filter(|benefit| benefit.counted);
        let counts = certifies || counted().next().is_none();
        watch.hold(Invariant::NothingCountsBeforeTheCentreSaysSo, counts, || {
            format!("{code} counts")
        });
        let appeals = record.outcome == Outcome::AppealFiled;
        let signed = record.operators.last().is_some_and(|last| last == SUPERVISOR);
        let two = record.appeal.is_some() && several && signed;
        watch.hold(
            Invariant::AnAppealHasTwoPeople,
            if appeals { two } else { record.appeal.is_none() },
            || format!("{code} by {:?}", record.operators),
        );
        let today = record.captured.date();
        for benefit in counted() {
            let ahead = benefit.next_due.as_ref().and_then(|due| due.parse().ok());
            let ahead = ahead.is_none_or(|due: jiff::civil::Date| due >= today);
            watch.hold(Invariant::TheNextDateIsAhead, ahead, || {
                format!("{}: {:?} on {today}", benefit.pack, benefit.next_due)
            });
        }
        self.check_benefits(order);
        let refused =
            matches!(record.outcome, Outcome::AlreadyDone { .. } | Outcome::NotRequired(_));
        let (within, true_ms) = (record.captured.within, self.counter.true_ms());
        let holds = within.is_none_or(|within| within.holds(true_ms, 0));
        self.watch.hold(Invariant::TheIntervalHoldsTheTruth, holds, || {
            format!("{true_ms} is not in {within:?}")
        });
        if within.is_some() {
            self.watch.count("records with an interval");
        }
        let by_clock = record.captured.doubt != Doubt::None && self.owes && refused;
        self.watch.hold(
            Invariant::ADoubtfulClockRefusesNobody,
            !by_clock || course.was_offered_certification,
            || format!("{code} on {today}, {:?}", record.captured.doubt),
        );
    }

    /// Each benefit once, by the edition in force, and not again where the rules allow no second one.
    fn check_benefits(&mut self, order: &SealOrder) {
        let record = &order.record;
        for (at, benefit) in record.benefits.iter().enumerate() {
            let again = record.benefits[..at].iter().any(|before| before.pack == benefit.pack);
            let drawn =
                self.person.benefits.iter().filter(|d| {
                    crate::editions::Editions::ids()[usize::from(d.pack)] == benefit.pack
                });
            let drawn = drawn.count() == 1;
            self.watch.hold(Invariant::NobodyIsCountedTwice, !(again && drawn), || {
                format!("{} stands twice", benefit.pack)
            });
            let in_force = self.counter.pack_version(&benefit.pack) == Some(benefit.pack_version);
            self.watch.hold(Invariant::TheEditionInForceIsApplied, in_force, || {
                format!("{} version {}", benefit.pack, benefit.pack_version)
            });
            let today = record.captured.date();
            let late = [Id::StateOverdue, Id::StateSuspended].map(Id::name);
            let protected = self.counter.protects(self.person.index, today);
            let is_known = record.supersedes.is_some() || !late.contains(&&*benefit.state);
            self.watch.hold(
                Invariant::AnAppealFiledHereIsKnownHere,
                !protected || is_known,
                || format!("{} on {today}: {}", benefit.pack, benefit.state),
            );
            let blocks = self.counter.packs().on(&benefit.pack, record.captured.date());
            let blocks = blocks.is_some_and(|pack| pack.repeat == Repeat::Block);
            let was_done = benefit.state == Id::StateDone.name();
            // In which period a day falls that is in doubt, nobody at the terminal can say.
            let is_sure = record.captured.doubt == Doubt::None;
            self.watch.hold(
                Invariant::ADonePeriodTakesNoSecondSuccess,
                !(benefit.counted && blocks && was_done && is_sure),
                || format!("{} counts again in a period that is done", benefit.pack),
            );
        }
    }
}

impl Pending {
    fn is_a_sensor(&self) -> bool {
        matches!(self, Self::Face(..) | Self::Finger(..) | Self::Document(_))
    }
}

fn interrupted(course: &Course) -> End {
    if course.is_durable { End::DurableUntold } else { End::NothingDurable }
}

/// All that may be pressed on a page.
fn taps(page: &Page) -> Vec<&Tap> {
    let none: &[Pick] = &[];
    let (options, buttons): (&[Pick], &[Button]) = match page {
        Page::SignIn(page) | Page::Witness(page) => (none, &page.buttons),
        Page::Waiting(page) => (none, &page.buttons),
        Page::Person(page) => (none, &page.buttons),
        Page::Consent(page) => (none, &page.buttons),
        Page::Face(page) => (none, &page.buttons),
        Page::Finger(page) => (none, &page.buttons),
        Page::Document(page) => (none, &page.buttons),
        Page::Judge(page) => (none, &page.buttons),
        Page::Choice(page) => (&page.options, &page.buttons),
        Page::Result(page) => (none, &page.buttons),
        Page::Outbox(page) => (none, &page.buttons),
        _ => (none, &[]),
    };
    let pressed = buttons.iter().filter(|button| button.enabled).map(|button| &button.tap);
    options.iter().map(|pick| &pick.tap).chain(pressed).collect()
}

const POWER_CUT: f64 = 0.001;
const DISK_FAULT: f64 = 0.003;
const STEPS_MAX: u32 = 400;
const HURRY_AFTER: u32 = 60;
