//! What a visit has gathered so far, and the record and slip that are made of it.

use crate::benefit::{Method, Success};
use crate::decision::{Comparison, Judgement, Modality};
use crate::event::{Lookup, Picture, SealOrder, Sitting, Slip};
use crate::identity::{CardIdentity, CardWarning};
use crate::message::{Arg, Id, Say};
use crate::moment::Moment;
use crate::outcome::Outcome;
use crate::policy::{Assessment, DueState};
use crate::record::{Appeal, BenefitResult, Consent, Evidence, Record, RecordId};

use super::{Place, Plan, TRIES_MAX};

/// The file of one visit.
#[derive(Clone, Debug)]
pub struct Case {
    pub(super) visit: [u8; 16],
    pub(super) record: RecordId,
    pub(super) sitting: Sitting,
    pub(super) card: Option<CardIdentity>,
    pub(super) lookup: Lookup,
    pub(super) warnings: Vec<CardWarning>,
    pub(super) assessments: Vec<Assessment>,
    pub(super) plan: Option<Plan>,
    pub(super) operators: Vec<String>,
    pub(super) consent: Option<Consent>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) pictures: Vec<Picture>,
    pub(super) templates: Vec<Modality>,
    pub(super) appeal: Option<Appeal>,
    pub(super) face_refused: bool,
    pub(super) face_proved: bool,
    pub(super) method: Option<Method>,
    pub(super) attempts: u32,
    pub(super) face_tries: u8,
    pub(super) finger_tries: u8,
}

impl Case {
    pub(super) fn new(operator: String) -> Self {
        Self {
            visit: [0; 16],
            record: RecordId([0; 16]),
            sitting: Sitting::default(),
            card: None,
            lookup: Lookup::default(),
            warnings: Vec::new(),
            assessments: Vec::new(),
            plan: None,
            operators: vec![operator],
            consent: None,
            evidence: Vec::new(),
            pictures: Vec::new(),
            templates: Vec::new(),
            appeal: None,
            face_refused: false,
            face_proved: false,
            method: None,
            attempts: 0,
            face_tries: 0,
            finger_tries: 0,
        }
    }

    pub(super) fn identify(&mut self, visit: [u8; 16], record: RecordId) {
        self.visit = visit;
        self.record = record;
        self.sitting = Sitting { visit, number: 0 };
    }

    /// A sensor is used anew; answers of the use before no longer count.
    pub(super) fn next_sitting(&mut self) -> Sitting {
        self.sitting.number += 1;
        self.sitting
    }

    /// Opens the file: card, roster, and what each benefit asks for today.
    pub(super) fn open(&mut self, card: CardIdentity, lookup: Lookup, now: Moment, place: &Place) {
        self.warnings = card.warnings(now.date());
        self.assessments = assess(&card, &lookup, now, place);
        if card.has_photo {
            self.pictures.push(Picture::ChipPhoto);
        }
        self.card = Some(card);
        self.lookup = lookup;
    }

    /// Whether the roster spells the name otherwise than the card does.
    pub(super) fn name_differs(&self) -> bool {
        match (&self.card, &self.lookup.beneficiary) {
            (Some(card), Some(known)) => card.name.0 != known.name,
            _ => false,
        }
    }

    /// Whether the roster knows the person, but no policy pack in force says what they owe.
    pub(super) fn is_without_policy(&self) -> bool {
        self.lookup.beneficiary.is_some() && self.assessments.is_empty()
    }

    /// Whether any benefit waits for a certification.
    pub(super) fn anything_due(&self) -> bool {
        self.assessments.iter().any(|a| is_open(&a.state))
    }

    /// Whether a finger can be compared with anything, and which one to ask for.
    pub(super) fn finger_on_file(&self) -> Option<u8> {
        self.lookup.references.iter().find_map(|(modality, finger)| match modality {
            Modality::Finger => Some(finger.unwrap_or(RIGHT_THUMB)),
            Modality::Face => None,
        })
    }

    /// Whether a face can be compared with anything.
    pub(super) fn face_on_file(&self) -> bool {
        let enrolled = self.lookup.references.iter().any(|(m, _)| *m == Modality::Face);
        enrolled || self.card.as_ref().is_some_and(|card| card.has_photo)
    }

    /// What is being taken from the person under the present plan.
    fn modality(&self) -> Modality {
        match self.plan {
            Some(Plan::Finger) => Modality::Finger,
            Some(Plan::ReEnrolFinger) if self.face_proved => Modality::Finger,
            _ => Modality::Face,
        }
    }

    /// Tries that the present plan still has.
    pub(super) fn tries_left(&self) -> u8 {
        self.tries_left_of(self.modality())
    }

    /// Tries that face or finger still has in this visit.
    pub(super) fn tries_left_of(&self, modality: Modality) -> u8 {
        let spent = match modality {
            Modality::Face => self.face_tries,
            Modality::Finger => self.finger_tries,
        };
        TRIES_MAX.saturating_sub(spent)
    }

    /// Two people may say yes once the machine was asked and did not.
    pub(super) fn may_appeal(&self) -> bool {
        self.evidence.iter().any(|found| found.verdict != "same")
    }

    pub(super) fn spend_try(&mut self) {
        let spent = match self.modality() {
            Modality::Face => &mut self.face_tries,
            Modality::Finger => &mut self.finger_tries,
        };
        *spent = spent.saturating_add(1);
    }

    pub(super) fn agree(&mut self, place: &Place) {
        self.consent = Some(consent(place, "agreed"));
    }

    pub(super) fn decline(&mut self, plan: Plan, place: &Place) {
        if plan != Plan::Finger {
            self.face_refused = true;
        }
        let choice = if plan == Plan::Finger { "declined-finger" } else { "declined-face" };
        self.consent = Some(consent(place, choice));
    }

    pub(super) fn keep_picture(&mut self, picture: Picture) {
        if !self.pictures.contains(&picture) {
            self.pictures.push(picture);
        }
    }

    pub(super) fn note(&mut self, comparison: &Comparison, judgement: &Judgement) {
        self.attempts += 1;
        self.evidence.push(crate::decision::evidence(comparison, judgement, self.attempts));
    }

    /// "Cannot be taken" is a recorded fact, not a failure.
    pub(super) fn note_not_taken(&mut self, modality: &str, reason: &str) {
        self.attempts += 1;
        self.evidence.push(Evidence {
            modality: modality.into(),
            verdict: "not-taken".into(),
            score: None,
            quality: None,
            pad: None,
            model: String::new(),
            threshold_set: String::new(),
            accept: None,
            reference: String::new(),
            reasons: vec![reason.into()],
            attempts: self.attempts,
        });
    }

    /// How a proof by this method ends: it may be evidence that only the agency's own report makes count (R85).
    pub(super) fn proof(&self, method: Method) -> Outcome {
        let rules =
            || self.assessments.iter().flat_map(|a| &a.methods).filter(move |r| r.method == method);
        if rules().next().is_some() && rules().all(|rule| rule.report_required) {
            Outcome::EvidenceOnly
        } else {
            Outcome::Certified
        }
    }

    pub(super) fn seal_order(&self, outcome: &Outcome, now: Moment, place: &Place) -> SealOrder {
        let card = self.card.clone().expect("a visit is sealed only after a card was read");
        let successes = self.successes(outcome, now, place);
        let record = Record {
            id: self.record,
            visit: self.visit,
            device: place.device.clone(),
            site: place.site.clone(),
            captured: now,
            subject: card,
            outcome: outcome.clone(),
            benefits: self.benefit_results(&successes, now, place),
            evidence: self.evidence.clone(),
            operators: self.operators.clone(),
            consent: self.consent.clone(),
            pictures: Vec::new(),
            templates: Vec::new(),
            appeal: self.appeal.clone(),
            supersedes: None,
            legal_basis: LEGAL_BASIS.into(),
        };
        let agreed = self.consent.as_ref().is_some_and(|c| c.choice == "agreed");
        SealOrder {
            record,
            pictures: if agreed { self.pictures.clone() } else { Vec::new() },
            templates: if agreed { self.templates.clone() } else { Vec::new() },
            successes,
        }
    }

    fn successes(&self, outcome: &Outcome, now: Moment, place: &Place) -> Vec<(String, Success)> {
        // Evidence that must be reported counts when the centre says so, not here (R85).
        let Some(method) = self.method.filter(|_| outcome.certifies()) else {
            return Vec::new();
        };
        let counts = |a: &&Assessment| {
            let pack = place.packs.on(&a.pack, now.date());
            pack.is_some_and(|pack| pack.counts(method))
                && !matches!(a.state, DueState::NotRequired(_))
        };
        let success = |a: &Assessment| (a.pack.clone(), Success { on: now.date(), method });
        self.assessments.iter().filter(counts).map(success).collect()
    }

    fn benefit_results(
        &self,
        successes: &[(String, Success)],
        now: Moment,
        place: &Place,
    ) -> Vec<BenefitResult> {
        let result = |a: &Assessment| {
            let success = successes.iter().find(|(pack, _)| *pack == a.pack);
            BenefitResult {
                pack: a.pack.clone(),
                pack_version: a.pack_version,
                state: state_id(&a.state).name().into(),
                counted: success.is_some(),
                next_due: success.and_then(|(pack, s)| self.next_due(pack, s, now, place)),
            }
        };
        self.assessments.iter().map(result).collect()
    }

    fn next_due(
        &self,
        pack: &str,
        success: &Success,
        now: Moment,
        place: &Place,
    ) -> Option<String> {
        let entitlement = self.entitlement(pack)?;
        let born = self.card.as_ref()?.birth;
        let pack = place.packs.on(pack, now.date())?;
        let due = pack.next_due_after(entitlement, born, success.on, success.method)?;
        Some(due.to_string())
    }

    fn entitlement(&self, pack: &str) -> Option<&crate::benefit::Entitlement> {
        let known = self.lookup.beneficiary.as_ref()?;
        known.entitlements.iter().find(|e| e.pack == pack)
    }

    /// What the outcome means and what comes next, a sentence a line. The same words on screen and slip.
    pub(super) fn closing_lines(&self, outcome: &Outcome, now: Moment, place: &Place) -> Vec<Say> {
        let mut lines: Vec<Say> = Vec::new();
        for (pack, success) in self.successes(outcome, now, place) {
            let title = place.packs.get(&pack).map_or(pack.clone(), |p| p.title.clone());
            if let Some(due) = self.next_due(&pack, &success, now, place)
                && let Ok(due) = due.parse()
            {
                lines.push(Id::NextDue.with([Arg::Text(title), Arg::Day(due)]));
            }
        }
        match outcome {
            Outcome::AlreadyDone { .. } | Outcome::NotRequired(_) => {
                lines.extend(self.nothing_due_lines())
            }
            Outcome::EvidenceOnly => lines.push(Id::NextPhoneCheck.into()),
            Outcome::AppealFiled => lines.push(Id::NextAppealAnswer.into()),
            Outcome::ModelBuilt => lines.push(Id::NextCertify.into()),
            Outcome::StoppedSuspectedFake => lines.push(Id::NextSupervisor.into()),
            _ => {}
        }
        // More than three sentences nobody remembers; whom to call is on the slip anyway.
        if lines.len() < 3 {
            lines.push(Id::NextCall.into());
        }
        lines
    }

    /// Until when nobody has to come, and by when the next certification is due.
    pub(super) fn nothing_due_lines(&self) -> Vec<Say> {
        let mut lines = Vec::new();
        for a in &self.assessments {
            if !matches!(a.state, DueState::Done(_) | DueState::NotOpen) {
                continue;
            }
            let title = || Arg::Text(a.title.clone());
            lines.extend(
                a.opens.or(a.due).map(|day| Id::NothingDueUntil.with([title(), Arg::Day(day)])),
            );
            if a.opens.is_some() {
                lines.extend(a.due.map(|day| Id::NextDue.with([title(), Arg::Day(day)])));
            }
        }
        lines
    }

    pub(super) fn slip(&self, outcome: &Outcome, now: Moment, place: &Place) -> Slip {
        let card = self.card.as_ref().expect("a slip is printed only after a card was read");
        Slip {
            site: place.site_name.clone(),
            captured: now,
            name: card.name.masked(),
            number: card.number.masked(),
            headline: outcome_id(outcome),
            tone: outcome.tone(),
            lines: self.closing_lines(outcome, now, place),
            method: self.method.filter(|_| proves_life(outcome)),
            record: self.record,
        }
    }
}

fn proves_life(outcome: &Outcome) -> bool {
    outcome.certifies() || *outcome == Outcome::EvidenceOnly
}

fn assess(card: &CardIdentity, lookup: &Lookup, now: Moment, place: &Place) -> Vec<Assessment> {
    let Some(known) = &lookup.beneficiary else {
        return Vec::new();
    };
    let each = |entitlement: &crate::benefit::Entitlement| {
        let pack = place.packs.on(&entitlement.pack, now.date())?;
        let mut entitlement = entitlement.clone();
        for (pack, success) in &lookup.recent {
            let newer = entitlement.last.as_ref().is_none_or(|last| last.on <= success.on);
            if *pack == entitlement.pack && newer {
                entitlement.last = Some(*success);
                entitlement.suspended = false;
            }
        }
        Some(pack.assess(&entitlement, card.birth, now.date(), now.doubt))
    };
    known.entitlements.iter().filter_map(each).collect()
}

fn consent(place: &Place, choice: &str) -> Consent {
    Consent {
        notice: place.notice.clone(),
        notice_digest: place.notice_digest,
        choice: choice.into(),
        who: "self".into(),
        alternatives: ["face", "finger", "staff-check", "paper", "home-visit"]
            .map(String::from)
            .into(),
    }
}

/// Whether a benefit in this state waits for a certification.
pub(super) fn is_open(state: &DueState) -> bool {
    matches!(state, DueState::Due | DueState::DueSoon | DueState::Overdue | DueState::Suspended)
}

pub(super) fn state_id(state: &DueState) -> Id {
    match state {
        DueState::NotRequired(_) => Id::StateNotRequired,
        DueState::UnderReview => Id::StateUnderReview,
        DueState::Done(_) => Id::StateDone,
        DueState::NotOpen => Id::StateNotOpen,
        DueState::Due => Id::StateDue,
        DueState::DueSoon => Id::StateDueSoon,
        DueState::Overdue => Id::StateOverdue,
        DueState::Suspended => Id::StateSuspended,
    }
}

pub(super) fn outcome_id(outcome: &Outcome) -> Id {
    let name = format!("outcome-{}", outcome.code().to_ascii_lowercase().replace('_', "-"));
    Id::named(&name).expect("a test walks the vocabulary")
}

/// ISO 19794-2 position of the right thumb: the finger that the identity card registers first.
const RIGHT_THUMB: u8 = 1;
/// 社会保险法 and 人社厅发〔2018〕54号: certification is the agency's duty; biometrics rest on the separate consent.
const LEGAL_BASIS: &str = "人社厅发〔2018〕54号; separate consent (PIPL art. 29)";
