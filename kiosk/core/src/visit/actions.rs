//! What a tap or an answer leads to. Each function moves the visit on by one step; none of them loops.

use jiff::ToSpan;

use super::*;
use crate::benefit::Method;
use crate::decision::{Comparison, Liveness};
use crate::event::Action;
use crate::message::Arg;
use crate::outcome::Outcome;
use crate::policy;
use crate::reading::{self, Finding, Reading};

impl Visit {
    pub(super) fn review(
        &mut self,
        card: CardIdentity,
        lookup: Lookup,
        now: Moment,
        place: &Place,
    ) -> Vec<Effect> {
        self.case.open(card, lookup, now, place);
        self.rest(Phase::Reviewing)
    }

    /// The operator chose what to do with this person.
    pub(super) fn chosen(&mut self, tap: Tap, now: Moment, place: &Place) -> Vec<Effect> {
        match tap {
            Tap::Appeal if self.case.may_appeal(place) => self.rest(Phase::Choosing(Menu::Appeal)),
            Tap::OtherWays => self.rest(Phase::Choosing(Menu::Ways)),
            Tap::Done if !self.case.anything_due() => {
                let outcome = self.case.nothing_due();
                self.seal(outcome, now, place)
            }
            Tap::NotTheirCard => {
                self.seal(Outcome::NotPresent("not-their-card".into()), now, place)
            }
            tap => match Plan::of(&tap).filter(|plan| self.may(*plan, place)) {
                Some(plan) => self.propose(plan),
                None => self.rest(Phase::Reviewing),
            },
        }
    }

    /// Whether a plan is open to this person now. The page asks the same question for its buttons.
    pub(super) fn may(&self, plan: Plan, place: &Place) -> bool {
        may(&self.case, plan, place)
    }

    pub(super) fn propose(&mut self, plan: Plan) -> Vec<Effect> {
        self.case.plan = Some(plan);
        self.case.face_proved = false;
        self.phase = Phase::Consenting(plan);
        vec![Effect::Speak(Id::ConsentBody)]
    }

    /// What the plan takes next: a document, the face, the finger, or nothing any more.
    pub(super) fn proceed(&mut self, plan: Plan, now: Moment, place: &Place) -> Vec<Effect> {
        if let Some(picture) = self.next_document(plan, place) {
            self.case.next_sitting();
            self.phase = Phase::Document { picture, coaching: None };
            return vec![Effect::PreviewDocument];
        }
        let built = self.case.templates.contains(&Modality::Face);
        match plan {
            Plan::Paper => {
                self.case.method = Some(Method::PaperStatement);
                self.seal(Outcome::EvidenceOnly, now, place)
            }
            Plan::Finger => {
                let finger = self.case.finger_on_file().unwrap_or(FINGER_DEFAULT);
                self.scan_finger(FingerPurpose::Verify, finger)
            }
            Plan::ReEnrolFinger if self.case.face_proved => {
                let placements = FingerPurpose::Enrol { placements: PLACEMENTS };
                self.scan_finger(placements, FINGER_DEFAULT)
            }
            Plan::ReEnrolFace if !built => self.watch_face(FacePurpose::Enrol, place),
            // A built reference is no certification by itself (C6): the person is verified with fresh frames.
            _ => self.watch_face(FacePurpose::Verify, place),
        }
    }

    /// The next document of the plan that was neither taken nor found impossible to take.
    fn next_document(&self, plan: Plan, place: &Place) -> Option<Picture> {
        documents(&self.case, plan, place).into_iter().find(|p| !self.case.asked.contains(p))
    }

    /// A side of the card was taken and read: kept, unless it is the wrong side or somebody else's card.
    pub(super) fn document_read(
        &mut self,
        picture: Picture,
        reading: &Reading,
        now: Moment,
        place: &Place,
    ) -> Vec<Effect> {
        let Some(card) = &self.case.card else {
            return self.rest(Phase::Document { picture, coaching: None });
        };
        let finding = reading::check(reading, picture, card);
        let again = match finding {
            Finding::OtherSide => Some(Id::DocumentOtherSide),
            Finding::OtherCard => Some(Id::DocumentOtherCard),
            Finding::Fits | Finding::Unsure(_) => None,
        };
        if again.is_some() {
            return self.rest(Phase::Document { picture, coaching: again });
        }
        self.case.note_reading(picture, reading, finding);
        self.case.keep_picture(picture);
        self.document_done(picture, now, place)
    }

    pub(super) fn document_done(
        &mut self,
        picture: Picture,
        now: Moment,
        place: &Place,
    ) -> Vec<Effect> {
        self.case.asked.push(picture);
        match self.case.plan {
            Some(plan) => self.proceed(plan, now, place),
            None => self.rest(Phase::Reviewing),
        }
    }

    fn watch_face(&mut self, purpose: FacePurpose, place: &Place) -> Vec<Effect> {
        let prompt = Id::FaceLook;
        self.phase = Phase::Face { purpose, prompt, good: false, progress: 0.0 };
        let (actions, action_s, passive) = liveness(&self.case, place);
        let sitting = self.case.next_sitting();
        let watch = Effect::WatchFace { sitting, purpose, actions, action_s, passive };
        vec![watch, Effect::Speak(Id::FaceLook)]
    }

    fn scan_finger(&mut self, purpose: FingerPurpose, finger: u8) -> Vec<Effect> {
        let prompt = Id::FingerPlace;
        self.phase = Phase::Finger { purpose, finger, placed: 0, prompt, progress: 0.0 };
        let sitting = self.case.next_sitting();
        vec![Effect::ScanFinger { sitting, purpose, finger }, Effect::Speak(Id::FingerPlace)]
    }

    /// Enough good frames were compared: on, or the ways on.
    pub(super) fn judge_face(
        &mut self,
        purpose: FacePurpose,
        seen: &[Comparison],
        now: Moment,
        place: &Place,
    ) -> Vec<Effect> {
        let exempt = self.case.exempt.is_some();
        let seen: Vec<Comparison> =
            seen.iter().map(|c| if exempt { excused(c) } else { c.clone() }).collect();
        let (papers, seen): (Vec<_>, Vec<_>) = seen.into_iter().partition(Comparison::is_of_papers);
        if let Some(refusal) = self.case.note_papers(&papers) {
            return self.ask(refusal);
        }
        let Some((best, judgement)) = decision::judge_best(&seen) else {
            self.case.note_not_compared("face", Picture::LiveFace);
            let reasons = vec![Id::WhyNoReference];
            return self.ask(Judgement { verdict: Verdict::Unsure, reasons });
        };
        self.case.note(&seen[best], &judgement);
        self.case.keep_picture(Picture::LiveFace);
        if judgement.verdict != Verdict::Same {
            return self.ask(judgement);
        }
        self.case.face_proved = true;
        if purpose == FacePurpose::Verify && seen[best].liveness == Liveness::NotEvaluated {
            return self.call_witness(Witnessed::Exempt);
        }
        self.face_proved(purpose, now, place)
    }

    fn face_proved(&mut self, purpose: FacePurpose, now: Moment, place: &Place) -> Vec<Effect> {
        match (self.case.plan, purpose) {
            (Some(plan), FacePurpose::Enrol) => {
                self.case.keep_template(Modality::Face);
                self.proceed(plan, now, place)
            }
            (Some(plan @ Plan::ReEnrolFinger), FacePurpose::Verify) => {
                self.proceed(plan, now, place)
            }
            (Some(Plan::HomeVisit), _) => {
                if self.case.rule_says(Method::HomeVisit, place, |rule| rule.two_person) {
                    return self.call_witness(Witnessed::HomeVisit);
                }
                self.prove(Method::HomeVisit, now, place)
            }
            (Some(Plan::ReEnrolFace), FacePurpose::Verify) => {
                self.case.method = Some(Method::FaceModel);
                self.seal(Outcome::ModelBuiltAndCertified, now, place)
            }
            _ => {
                let method = self.case.face_method();
                self.prove(method, now, place)
            }
        }
    }

    fn prove(&mut self, method: Method, now: Moment, place: &Place) -> Vec<Effect> {
        self.case.method = Some(method);
        let outcome = self.case.proof(method);
        self.seal(outcome, now, place)
    }

    /// A finger was compared, or its last placement is good.
    pub(super) fn judge_finger(
        &mut self,
        purpose: FingerPurpose,
        seen: &[Comparison],
        now: Moment,
        place: &Place,
    ) -> Vec<Effect> {
        if let FingerPurpose::Enrol { .. } = purpose {
            self.case.keep_template(Modality::Finger);
            self.case.method = Some(self.case.face_method());
            return self.seal(Outcome::ModelBuiltAndCertified, now, place);
        }
        let Some((best, judgement)) = decision::judge_best(seen) else {
            self.case.note_not_compared("finger", Picture::Finger);
            let reasons = vec![Id::WhyNoReference];
            return self.ask(Judgement { verdict: Verdict::Unsure, reasons });
        };
        self.case.note(&seen[best], &judgement);
        self.case.keep_picture(Picture::Finger);
        if judgement.verdict != Verdict::Same {
            return self.ask(judgement);
        }
        self.prove(Method::FingerprintModel, now, place)
    }

    /// A device failed: the person's tries are not spent on it.
    pub(super) fn failed(&mut self, modality: &str, err: Id) -> Vec<Effect> {
        self.case.note_not_taken(modality, err.name());
        self.wait_for_choice(Judgement { verdict: Verdict::Unsure, reasons: vec![err] })
    }

    /// The machine does not say yes, which costs one of the visit's tries.
    pub(super) fn ask(&mut self, judgement: Judgement) -> Vec<Effect> {
        self.case.spend_try();
        self.wait_for_choice(judgement)
    }

    fn wait_for_choice(&mut self, judgement: Judgement) -> Vec<Effect> {
        let spoken = pages::judge_headline(judgement.verdict);
        self.phase = Phase::Judging(judgement);
        vec![Effect::StopSensors, Effect::Speak(spoken)]
    }

    /// A suspicion leaves no second try at this sitting, but always a way out; the supervisor is called.
    pub(super) fn way_on(
        &mut self,
        judgement: Judgement,
        tap: Tap,
        now: Moment,
        place: &Place,
    ) -> Vec<Effect> {
        if judgement.verdict == Verdict::SuspectedFake {
            return match tap {
                Tap::Done => self.seal(Outcome::StoppedSuspectedFake, now, place),
                _ => self.rest(Phase::Judging(judgement)),
            };
        }
        let plan = self.case.plan;
        match tap {
            Tap::TryAgain if may_try_again(&self.case, place) => match plan {
                Some(plan) => self.proceed(plan, now, place),
                None => self.rest(Phase::Reviewing),
            },
            Tap::CertifyFinger if self.may(Plan::Finger, place) => self.propose(Plan::Finger),
            Tap::CertifyFace if self.may(Plan::Face, place) => self.propose(Plan::Face),
            Tap::SendForReview if may_be_reviewed(&self.case) => {
                let by = now.date().saturating_add(review_days(&self.case, place).days());
                self.seal(Outcome::UnderReview(by), now, place)
            }
            Tap::Witness if may_be_witnessed(&self.case, &judgement) => {
                self.call_witness(Witnessed::HomeVisit)
            }
            Tap::ReEnrolFace if may_remodel(&self.case, place) => self.propose(Plan::ReEnrolFace),
            Tap::Appeal if self.case.may_appeal(place) => self.rest(Phase::Choosing(Menu::Appeal)),
            Tap::HomeVisit => self.seal(Outcome::VisitRequested, now, place),
            Tap::Back => self.rest(Phase::Reviewing),
            _ => self.rest(Phase::Judging(judgement)),
        }
    }

    /// Somebody else has to confirm it with their PIN.
    pub(super) fn call_witness(&mut self, cause: Witnessed) -> Vec<Effect> {
        let pin = Pin::default();
        let notice = (cause == Witnessed::Exempt).then(|| Say::from(Id::WhyExemptWitness));
        self.phase = Phase::Witnessing { cause, picked: None, pin, notice };
        vec![Effect::StopSensors, Effect::Speak(Id::WitnessTitle)]
    }

    pub(super) fn pick_witness(
        &mut self,
        cause: Witnessed,
        id: String,
        place: &Place,
    ) -> Vec<Effect> {
        let refusal = witness_refused(&self.case, cause, &id, place);
        let picked = if refusal.is_none() { Some(id) } else { None };
        let notice = refusal.map(Say::from);
        self.rest(Phase::Witnessing { cause, picked, pin: Pin::default(), notice })
    }

    /// Two people stand for it.
    pub(super) fn witnessed(
        &mut self,
        cause: Witnessed,
        witness: String,
        now: Moment,
        place: &Place,
    ) -> Vec<Effect> {
        self.case.witness = Some(witness);
        match cause {
            Witnessed::Appeal(reason) => {
                self.case.appeal = Some(Appeal { reason: reason.name().into(), statement: None });
                self.seal(Outcome::AppealFiled, now, place)
            }
            Witnessed::Special(reason) => {
                self.case.note_witness("special", reason);
                self.seal(Outcome::SpecialRequested, now, place)
            }
            Witnessed::HomeVisit => {
                self.case.note_witness("home-visit", Id::MethodHomeVisit);
                self.prove(Method::HomeVisit, now, place)
            }
            Witnessed::Exempt => {
                self.case.note_witness("exempt", menus::exempt_id(self.case.exempt));
                self.face_proved(FacePurpose::Verify, now, place)
            }
        }
    }

    pub(super) fn seal(&mut self, outcome: Outcome, now: Moment, place: &Place) -> Vec<Effect> {
        self.case.settled = paper::settled(&self.case, &outcome, now, place);
        let order = paper::seal_order(&self.case, &outcome, now, place);
        self.phase = Phase::Sealing { outcome, failed: None };
        vec![Effect::StopSensors, Effect::Seal(Box::new(order))]
    }

    /// The record is durable: only now anybody is told so.
    pub(super) fn close(&mut self, outcome: Outcome, now: Moment, place: &Place) -> Vec<Effect> {
        let slip = paper::slip(&self.case, &outcome, now, place);
        let spoken = slip.headline;
        let delivery = Delivery::SavedHere;
        self.phase = Phase::Closed { outcome, delivery, slip: SlipState::Printing };
        vec![Effect::Print(Box::new(slip)), Effect::Speak(spoken), Effect::Send]
    }
}

/// Whether a plan is open to this person now. Tries are counted over the whole visit: going back gives no new ones.
pub(super) fn may(case: &Case, plan: Plan, place: &Place) -> bool {
    let known = case.lookup.beneficiary.is_some();
    let here = case.proxy.is_none();
    let works = |modality| place.off(modality).is_none() && case.tries_left_of(modality) > 0;
    let face = here && !case.face_refused && works(Modality::Face);
    let finger = here && works(Modality::Finger);
    match plan {
        Plan::Face => {
            let wanted = case.may_be_certified() || case.is_guest(place);
            wanted && case.face_on_file() && face && (known || !case.is_without_card())
        }
        Plan::Finger => case.may_be_certified() && case.finger_on_file().is_some() && finger,
        // A new reference wants the document itself (R79).
        Plan::ReEnrolFace => {
            let face = here && !case.face_refused && place.off(Modality::Face).is_none();
            known && face && case.uploads_left() > 0 && !case.is_without_card()
        }
        Plan::ReEnrolFinger => {
            known && case.face_on_file() && face && finger && !case.is_without_card()
        }
        Plan::HomeVisit => case.may_be_certified() && case.knows(Method::HomeVisit) && here,
        Plan::Paper => case.may_be_certified() && case.knows(Method::PaperStatement),
    }
}

/// Whether the same may be tried once more: there are tries left, and what it needs is not off.
pub(super) fn may_try_again(case: &Case, place: &Place) -> bool {
    let is_off = |plan: Plan| {
        (plan.takes_a_face() && place.off(Modality::Face).is_some())
            || (plan.takes_a_finger() && place.off(Modality::Finger).is_some())
    };
    case.tries_left() > 0 && !case.plan.is_some_and(is_off)
}

/// The documents of a plan in their order: for a re-enrolment what any pack of this person asks for (R72).
pub(super) fn documents(case: &Case, plan: Plan, place: &Place) -> Vec<Picture> {
    match plan {
        Plan::HomeVisit => vec![Picture::Door],
        Plan::Paper => vec![Picture::Paper],
        Plan::ReEnrolFace => {
            let wanted = |name: &str| {
                case.packs(place).any(|pack| pack.model.steps.iter().any(|step| step.id() == name))
            };
            let asked = ENROLMENT_DOCUMENTS.iter().filter(|(_, name)| wanted(name));
            asked.map(|(picture, _)| *picture).collect()
        }
        Plan::Face | Plan::Finger | Plan::ReEnrolFinger => Vec::new(),
    }
}

/// Pictures that made no reference after all tries are looked at by a person (R75).
pub(super) fn may_be_reviewed(case: &Case) -> bool {
    case.plan == Some(Plan::ReEnrolFace) && case.tries_left() == 0
}

/// Where the face was not recognised after all its tries, a new reference is the next rung (C7).
pub(super) fn may_remodel(case: &Case, place: &Place) -> bool {
    let used_up = case.plan == Some(Plan::Face) && case.tries_left() == 0;
    used_up && may(case, Plan::ReEnrolFace, place)
}

/// At a bedside two people may confirm whom the machine could not recognise, but not whom it takes for another.
pub(super) fn may_be_witnessed(case: &Case, judgement: &Judgement) -> bool {
    case.plan == Some(Plan::HomeVisit) && judgement.verdict == Verdict::Unsure
}

fn review_days(case: &Case, place: &Place) -> i64 {
    let days = case.packs(place).filter_map(|pack| pack.model.review_days).max();
    i64::from(days.unwrap_or(crate::roster::REVIEW_DAYS))
}

/// Nobody approves their own; for what overrides the machine the second person is a supervisor of this site.
pub(super) fn witness_refused(
    case: &Case,
    cause: Witnessed,
    id: &str,
    place: &Place,
) -> Option<Id> {
    if case.served.iter().any(|served| served == id) {
        return Some(Id::WitnessIsOperator);
    }
    match place.operators.iter().find(|operator| operator.id == id) {
        Some(operator) if operator.role == Role::Supervisor => None,
        Some(_) if !wants_a_supervisor(case, cause, place) => None,
        _ => Some(Id::WitnessMayNot),
    }
}

/// What overrides the machine is a supervisor's, and a special certification unless the packs say otherwise.
fn wants_a_supervisor(case: &Case, cause: Witnessed, place: &Place) -> bool {
    match cause {
        Witnessed::Appeal(_) => true,
        Witnessed::Special(_) => case.rule_says(Method::Special, place, |rule| rule.supervisor),
        Witnessed::HomeVisit | Witnessed::Exempt => false,
    }
}

/// What a wrong or locked PIN is called.
pub(crate) fn pin_notice(check: PinCheck) -> Say {
    match check {
        PinCheck::Right => Id::SignIn.into(),
        PinCheck::Wrong { tries_left } => Id::PinWrong.with([Arg::Number(tries_left.into())]),
        PinCheck::Locked { minutes } => Id::OperatorLocked.with([Arg::Number(minutes.into())]),
    }
}

/// Of somebody who cannot act, a missing sign of life is not held against them: a second person confirms it instead.
fn excused(comparison: &Comparison) -> Comparison {
    let liveness = match comparison.liveness {
        Liveness::NotShown(_) => Liveness::NotEvaluated,
        shown => shown,
    };
    Comparison { liveness, ..comparison.clone() }
}

/// The actions to ask for, of those that the pack allows, the seconds for each, and whether a passive check is enough
/// (R58, C20). A pack says which may be asked for and how many; the ones that a mask does worst are asked for first.
fn liveness(case: &Case, place: &Place) -> (Vec<Action>, u8, bool) {
    if case.exempt.is_some() {
        return (Vec::new(), ACTION_S, true);
    }
    let Some(pack) = case.packs(place).next() else {
        return (vec![STRONGEST[0]], ACTION_S, true);
    };
    let named = |action: &policy::Action| match action.id() {
        "blink" => Some(Action::Blink),
        "open_mouth" => Some(Action::OpenMouth),
        "shake_head" | "turn_head" => Some(Action::Turn),
        "nod" => Some(Action::Nod),
        _ => None,
    };
    let mut actions: Vec<Action> = pack.liveness.actions.iter().filter_map(named).collect();
    actions.sort_by_key(|action| STRONGEST.iter().position(|strong| strong == action));
    actions.truncate(usize::from(pack.liveness.n_actions.max(1)));
    if actions.is_empty() {
        actions.push(STRONGEST[0]);
    }
    let action_s = u8::try_from(pack.liveness.timeout_s).unwrap_or(ACTION_S);
    (actions, action_s, pack.liveness.passive)
}

/// The documents of a re-enrolment in the order of the notices (R72), with the step's name in a policy pack.
const ENROLMENT_DOCUMENTS: [(Picture, &str); 3] = [
    (Picture::IdFront, "id_front"),
    (Picture::IdBack, "id_back"),
    (Picture::IdInHand, "id_in_hand"),
];
/// How seldom a paper mask with holes for the eyes did them in trials (MODEL_CARDS.md): seldom first.
const STRONGEST: [Action; 4] = [Action::OpenMouth, Action::Turn, Action::Nod, Action::Blink];
/// The finger asked for when none is on file: the right thumb, as the identity card registers it.
const FINGER_DEFAULT: u8 = 1;
