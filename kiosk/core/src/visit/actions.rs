//! What a tap or an answer leads to. Each function moves the visit on by one step; none of them loops.

use super::*;
use crate::benefit::Method;
use crate::decision::Comparison;
use crate::event::Action;
use crate::message::Arg;
use crate::outcome::Outcome;
use crate::policy::{self, DueState};

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
            Tap::CertifyFace if self.may(Plan::Face) => self.propose(Plan::Face),
            Tap::CertifyFinger if self.may(Plan::Finger) => self.propose(Plan::Finger),
            Tap::ReEnrolFace if self.may(Plan::ReEnrolFace) => self.propose(Plan::ReEnrolFace),
            Tap::ReEnrolFinger if self.may(Plan::ReEnrolFinger) => {
                self.propose(Plan::ReEnrolFinger)
            }
            Tap::Appeal if self.case.may_appeal() => self.rest(Phase::Appealing),
            Tap::Done if !self.case.anything_due() => {
                let outcome = nothing_due(&self.case);
                self.seal(outcome, now, place)
            }
            Tap::HomeVisit => self.seal(Outcome::VisitRequested, now, place),
            Tap::Refused => self.seal(Outcome::NotPresent("refused".into()), now, place),
            Tap::NotTheirCard => {
                self.seal(Outcome::NotPresent("not-their-card".into()), now, place)
            }
            _ => self.rest(Phase::Reviewing),
        }
    }

    /// Whether a plan is open to this person now. The page asks the same question for its buttons.
    pub(super) fn may(&self, plan: Plan) -> bool {
        may(&self.case, plan)
    }

    fn propose(&mut self, plan: Plan) -> Vec<Effect> {
        self.case.plan = Some(plan);
        self.phase = Phase::Consenting(plan);
        vec![Effect::Speak(Id::ConsentTitle)]
    }

    /// The person agreed: to the sensors.
    pub(super) fn begin(&mut self, plan: Plan, place: &Place) -> Vec<Effect> {
        match plan {
            Plan::Face | Plan::ReEnrolFinger => self.watch_face(FacePurpose::Verify, place),
            Plan::ReEnrolFace => self.next_document(0, place),
            Plan::Finger => {
                let finger = self.case.finger_on_file().unwrap_or(FINGER_DEFAULT);
                self.scan_finger(FingerPurpose::Verify, finger)
            }
        }
    }

    /// The next document that every pack of this person asks for, or the face when there is none left.
    pub(super) fn next_document(&mut self, from: usize, place: &Place) -> Vec<Effect> {
        let wanted = |name: &str| {
            let packs = self.case.assessments.iter().filter_map(|a| place.packs.get(&a.pack));
            packs.into_iter().any(|pack| pack.model.steps.iter().any(|step| step.id() == name))
        };
        match (from..DOCUMENTS.len()).find(|&step| wanted(DOCUMENTS[step].1)) {
            Some(step) => {
                self.case.next_sitting();
                self.phase = Phase::Documents { step, coaching: None };
                vec![Effect::PreviewDocument]
            }
            None => self.watch_face(FacePurpose::Enrol, place),
        }
    }

    pub(super) fn watch_face(&mut self, purpose: FacePurpose, place: &Place) -> Vec<Effect> {
        let prompt = Id::FaceLook;
        self.phase = Phase::Face { purpose, prompt, good: false, progress: 0.0 };
        let (actions, action_s) = liveness(&self.case, place);
        let sitting = self.case.next_sitting();
        vec![Effect::WatchFace { sitting, purpose, actions, action_s }, Effect::Speak(Id::FaceLook)]
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
        let Some((best, judgement)) = decision::judge_best(seen) else {
            self.case.note_not_taken("face", "no-reference");
            let reasons = vec![Id::WhyNoReference];
            return self.ask(Judgement { verdict: Verdict::Unsure, reasons });
        };
        self.case.note(&seen[best], &judgement);
        self.case.keep_picture(Picture::LiveFace);
        if judgement.verdict != Verdict::Same {
            return self.ask(judgement);
        }
        self.face_proved(purpose, now, place)
    }

    fn face_proved(&mut self, purpose: FacePurpose, now: Moment, place: &Place) -> Vec<Effect> {
        self.case.face_proved = true;
        match (self.case.plan, purpose) {
            // A built reference is no certification by itself (C6): the person is verified with fresh frames.
            (_, FacePurpose::Enrol) => {
                self.case.templates.push(Modality::Face);
                self.watch_face(FacePurpose::Verify, place)
            }
            (Some(Plan::ReEnrolFinger), FacePurpose::Verify) => {
                let placements = FingerPurpose::Enrol { placements: PLACEMENTS };
                self.scan_finger(placements, FINGER_DEFAULT)
            }
            (Some(Plan::ReEnrolFace), FacePurpose::Verify) => {
                self.case.method = Some(Method::FaceModel);
                self.seal(Outcome::ModelBuiltAndCertified, now, place)
            }
            (_, FacePurpose::Verify) => {
                let method = face_method(&self.case);
                self.case.method = Some(method);
                let outcome = self.case.proof(method);
                self.seal(outcome, now, place)
            }
        }
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
            self.case.templates.push(Modality::Finger);
            self.case.method = Some(face_method(&self.case));
            return self.seal(Outcome::ModelBuiltAndCertified, now, place);
        }
        let Some((best, judgement)) = decision::judge_best(seen) else {
            self.case.note_not_taken("finger", "no-reference");
            let reasons = vec![Id::WhyNoReference];
            return self.ask(Judgement { verdict: Verdict::Unsure, reasons });
        };
        self.case.note(&seen[best], &judgement);
        self.case.keep_picture(Picture::Finger);
        if judgement.verdict != Verdict::Same {
            return self.ask(judgement);
        }
        self.case.method = Some(Method::FingerprintModel);
        let outcome = self.case.proof(Method::FingerprintModel);
        self.seal(outcome, now, place)
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
        match tap {
            Tap::TryAgain if self.case.tries_left() > 0 => self.again(place),
            Tap::CertifyFinger if self.may(Plan::Finger) => self.propose(Plan::Finger),
            Tap::CertifyFace if self.may(Plan::Face) => self.propose(Plan::Face),
            Tap::Appeal => self.rest(Phase::Appealing),
            Tap::HomeVisit => self.seal(Outcome::VisitRequested, now, place),
            Tap::Back => self.rest(Phase::Reviewing),
            _ => self.rest(Phase::Judging(judgement)),
        }
    }

    fn again(&mut self, place: &Place) -> Vec<Effect> {
        match self.case.plan {
            Some(Plan::Finger) => {
                let finger = self.case.finger_on_file().unwrap_or(FINGER_DEFAULT);
                self.scan_finger(FingerPurpose::Verify, finger)
            }
            Some(Plan::ReEnrolFinger) if self.case.face_proved => {
                let placements = FingerPurpose::Enrol { placements: PLACEMENTS };
                self.scan_finger(placements, FINGER_DEFAULT)
            }
            Some(Plan::ReEnrolFace) if !self.case.face_proved => {
                self.watch_face(FacePurpose::Enrol, place)
            }
            _ => self.watch_face(FacePurpose::Verify, place),
        }
    }

    pub(super) fn pick_witness(&mut self, reason: Id, id: String, place: &Place) -> Vec<Effect> {
        let refusal = witness_refused(&self.case, &id, place);
        let picked = if refusal.is_none() { Some(id) } else { None };
        let notice = refusal.map(Say::from);
        self.rest(Phase::Witnessing { reason, picked, pin: Pin::default(), notice })
    }

    pub(super) fn seal(&mut self, outcome: Outcome, now: Moment, place: &Place) -> Vec<Effect> {
        let order = self.case.seal_order(&outcome, now, place);
        self.phase = Phase::Sealing { outcome, failed: None };
        vec![Effect::StopSensors, Effect::Seal(Box::new(order))]
    }

    /// The record is durable: only now anybody is told so.
    pub(super) fn close(&mut self, outcome: Outcome, now: Moment, place: &Place) -> Vec<Effect> {
        let slip = self.case.slip(&outcome, now, place);
        let spoken = slip.headline;
        let delivery = Delivery::SavedHere;
        self.phase = Phase::Closed { outcome, delivery, slip: SlipState::Printing };
        vec![Effect::Print(Box::new(slip)), Effect::Speak(spoken), Effect::Send]
    }
}

/// Whether a plan is open to this person now. Tries are counted over the whole visit: going back gives no new ones.
pub(super) fn may(case: &Case, plan: Plan) -> bool {
    let known = case.lookup.beneficiary.is_some();
    let face = !case.face_refused && case.tries_left_of(Modality::Face) > 0;
    let finger = case.tries_left_of(Modality::Finger) > 0;
    match plan {
        Plan::Face => case.anything_due() && case.face_on_file() && face,
        Plan::Finger => case.anything_due() && case.finger_on_file().is_some() && finger,
        Plan::ReEnrolFace => known && face,
        Plan::ReEnrolFinger => known && case.face_on_file() && face && finger,
    }
}

/// Nobody approves their own; the second person is a supervisor of this site.
pub(super) fn witness_refused(case: &Case, id: &str, place: &Place) -> Option<Id> {
    if case.operators.first().is_some_and(|first| first == id) {
        return Some(Id::WitnessIsOperator);
    }
    let witness = place.operators.iter().find(|operator| operator.id == id);
    match witness {
        Some(operator) if operator.role == Role::Supervisor => None,
        _ => Some(Id::WitnessMayNot),
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

fn nothing_due(case: &Case) -> Outcome {
    let done = case.assessments.iter().find_map(|a| match &a.state {
        DueState::Done(success) => Some(*success),
        _ => None,
    });
    if let Some(success) = done {
        return Outcome::AlreadyDone { on: success.on, method: success.method.id().into() };
    }
    let reviewed = case.assessments.iter().any(|a| a.state == DueState::UnderReview);
    match case.assessments.first() {
        None if case.is_without_policy() => Outcome::Referred(Id::ErrPolicyMissing.name().into()),
        None => Outcome::DataFixNeeded(Id::NotOnRoster.name().into()),
        Some(first) if reviewed => first.due.map_or(Outcome::AppealFiled, Outcome::UnderReview),
        Some(first) => Outcome::NotRequired(super::case::state_id(&first.state).name().into()),
    }
}

/// The photo on the chip and an enrolled reference are different methods in a policy pack.
fn face_method(case: &Case) -> Method {
    let by_model = case.evidence.last().is_some_and(|e| e.reference.starts_with("enrolled"));
    if by_model { Method::FaceModel } else { Method::FaceIdPhoto }
}

/// The actions that every pack of this person allows, and the seconds for each (R58, C20).
fn liveness(case: &Case, place: &Place) -> (Vec<Action>, u8) {
    let mut packs = case.assessments.iter().filter_map(|a| place.packs.get(&a.pack));
    let Some(pack) = packs.next() else {
        return (vec![Action::Blink], ACTION_S);
    };
    let named = |action: &policy::Action| match action.id() {
        "blink" => Some(Action::Blink),
        "open_mouth" => Some(Action::OpenMouth),
        "shake_head" | "turn" => Some(Action::Turn),
        _ => None,
    };
    let mut actions: Vec<Action> = pack.liveness.actions.iter().filter_map(named).collect();
    actions.truncate(usize::from(pack.liveness.n_actions.max(1)));
    if actions.is_empty() {
        actions.push(Action::Blink);
    }
    (actions, u8::try_from(pack.liveness.timeout_s).unwrap_or(ACTION_S))
}

/// The finger asked for when none is on file: the right thumb, as the identity card registers it.
const FINGER_DEFAULT: u8 = 1;
