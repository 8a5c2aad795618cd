//! What a visit has gathered so far: who, what is due, what was found, who was there.

use jiff::civil::Date;

use crate::benefit::{Abode, Entitlement, Method};
use crate::decision::{self, Comparison, Judgement, Modality, Verdict};
use crate::decoder::Decoded;
use crate::draft::Draft;
use crate::event::{Lookup, Picture, Sitting};
use crate::identity::{CardIdentity, CardWarning, IdentitySource};
use crate::message::{Arg, Id, Say};
use crate::moment::{Doubt, Moment};
use crate::outcome::Outcome;
use crate::policy::{
    Actor, Assessment, Condition, DueState, MethodRule, Pack, Settled, Step, Words,
};
use crate::reading::{Finding, Reading};
use crate::record::{Appeal, Consent, Evidence, RecordId};
use crate::roster::{Review, packs_of, with_recent};

use super::{Place, Plan, TRIES_MAX};

/// The file of one visit.
#[derive(Clone, Debug)]
pub struct Case {
    pub(super) visit: [u8; 16],
    pub(super) record: RecordId,
    pub(super) begun_ms: i64,
    pub(super) sitting: Sitting,
    pub(super) card: Option<CardIdentity>,
    pub(super) lookup: Lookup,
    pub(super) warnings: Vec<CardWarning>,
    /// As the roster has them, with what was recorded here since.
    pub(super) entitlements: Vec<Entitlement>,
    /// What was filed here and is not answered.
    review: Option<Review>,
    pub(super) assessments: Vec<Assessment>,
    pub(super) plan: Option<Plan>,
    /// Who served, one after another.
    pub(super) served: Vec<String>,
    /// Who confirmed what the machine cannot.
    pub(super) witness: Option<String>,
    /// Who acts for the person (`proxy-…`): the person is not here.
    pub(super) proxy: Option<Id>,
    /// Why no action is asked for.
    pub(super) exempt: Option<Condition>,
    pub(super) supersedes: Option<RecordId>,
    pub(super) consent: Option<Consent>,
    /// How often the person was asked.
    pub(super) n_consented: u32,
    pub(super) evidence: Vec<Evidence>,
    /// Documents that were taken, or that cannot be.
    pub(super) asked: Vec<Picture>,
    pub(super) pictures: Vec<Picture>,
    pub(super) templates: Vec<Modality>,
    pub(super) appeal: Option<Appeal>,
    pub(super) face_refused: bool,
    pub(super) face_proved: bool,
    pub(super) method: Option<Method>,
    /// What the record that is sealed means for each benefit: screen and slip say the same, whatever the clock does.
    pub(super) settled: Vec<Settled>,
    /// What was behind the phone's message, once somebody asked.
    pub(super) decoded: Option<Box<Decoded>>,
    pub(super) face_tries: u8,
    pub(super) finger_tries: u8,
    pub(super) enrol_tries: u8,
    pub(super) tries_max: u8,
    /// Tries of a new face reference before somebody has to look (R75).
    uploads_max: u8,
}

/// See [`Case::gathered`]. Lists only grow, so their lengths tell whether they changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gathered {
    n_served: usize,
    proxy: Option<Id>,
    exempt: Option<Condition>,
    supersedes: Option<RecordId>,
    n_consented: u32,
    n_evidence: usize,
    n_pictures: usize,
    n_tries: u16,
}

impl Case {
    pub(super) fn new(operator: String) -> Self {
        Self {
            visit: [0; 16],
            record: RecordId([0; 16]),
            begun_ms: 0,
            sitting: Sitting::default(),
            card: None,
            lookup: Lookup::default(),
            warnings: Vec::new(),
            entitlements: Vec::new(),
            review: None,
            assessments: Vec::new(),
            plan: None,
            served: vec![operator],
            witness: None,
            proxy: None,
            exempt: None,
            supersedes: None,
            consent: None,
            n_consented: 0,
            evidence: Vec::new(),
            asked: Vec::new(),
            pictures: Vec::new(),
            templates: Vec::new(),
            appeal: None,
            face_refused: false,
            face_proved: false,
            method: None,
            settled: Vec::new(),
            decoded: None,
            face_tries: 0,
            finger_tries: 0,
            enrol_tries: 0,
            tries_max: TRIES_MAX,
            uploads_max: TRIES_MAX,
        }
    }

    pub(super) fn identify(&mut self, visit: [u8; 16], record: RecordId, now: Moment) {
        self.visit = visit;
        self.record = record;
        self.begun_ms = now.wall_ms;
        self.sitting = Sitting { visit, number: 0 };
    }

    /// Takes a visit up that was begun before, maybe by a colleague, who then stands first among those who served.
    pub(super) fn restore(draft: Draft, operator: String) -> Self {
        let named = |id: &String| Id::named(id);
        let mut served = draft.served;
        if served.last() != Some(&operator) {
            served.push(operator.clone());
        }
        let mut case = Self {
            begun_ms: draft.begun_ms,
            served,
            proxy: draft.proxy.as_ref().and_then(named),
            exempt: draft.exempt.as_deref().and_then(Condition::from_id),
            supersedes: draft.supersedes.map(RecordId),
            consent: draft.consent,
            evidence: draft.evidence,
            asked: draft.asked.iter().filter_map(|role| Picture::named(role)).collect(),
            pictures: draft.pictures.iter().filter_map(|role| Picture::named(role)).collect(),
            templates: draft.templates.iter().filter_map(|name| Modality::named(name)).collect(),
            face_refused: draft.face_refused,
            face_tries: draft.face_tries,
            finger_tries: draft.finger_tries,
            enrol_tries: draft.enrol_tries,
            ..Self::new(operator)
        };
        case.visit = draft.visit;
        case.record = RecordId(draft.record);
        case.sitting = Sitting { visit: draft.visit, number: 0 };
        case
    }

    /// How much there is to keep: cheap to compare at every event.
    pub(super) fn gathered(&self) -> Gathered {
        Gathered {
            n_served: self.served.len(),
            proxy: self.proxy,
            exempt: self.exempt,
            supersedes: self.supersedes,
            n_consented: self.n_consented,
            n_evidence: self.evidence.len(),
            n_pictures: self.asked.len() + self.pictures.len() + self.templates.len(),
            n_tries: [self.face_tries, self.finger_tries, self.enrol_tries]
                .map(u16::from)
                .iter()
                .sum(),
        }
    }

    /// The visit as it is kept on the disk; none before a card was read.
    pub(super) fn draft(&self) -> Option<Draft> {
        let card = self.card.as_ref()?;
        let words = |pictures: &[Picture]| pictures.iter().map(|p| p.role().to_owned()).collect();
        Some(Draft {
            served: self.served.clone(),
            proxy: self.proxy.map(|id| id.name().to_owned()),
            exempt: self.exempt.map(|condition| condition.id().to_owned()),
            supersedes: self.supersedes.map(|record| record.0),
            consent: self.consent.clone(),
            evidence: self.evidence.clone(),
            asked: words(&self.asked),
            pictures: words(&self.pictures),
            templates: self.templates.iter().map(|m| m.name().to_owned()).collect(),
            face_refused: self.face_refused,
            face_tries: self.face_tries,
            finger_tries: self.finger_tries,
            enrol_tries: self.enrol_tries,
            ..Draft::of(card, self.visit, self.record, self.begun_ms)
        })
    }

    /// A sensor is used anew; answers of the use before no longer count.
    pub(super) fn next_sitting(&mut self) -> Sitting {
        self.sitting.number += 1;
        self.sitting
    }

    /// Opens the file: card, roster, and what each benefit asks for today.
    pub(super) fn open(&mut self, card: CardIdentity, lookup: Lookup, now: Moment, place: &Place) {
        self.warnings = card.warnings(now.date());
        if card.has_photo {
            self.keep_picture(Picture::ChipPhoto);
        }
        self.card = Some(card);
        self.lookup = lookup;
        self.assess(now, place);
    }

    /// What each benefit asks for today. What the corrected record achieved is as if it had not been.
    pub(super) fn assess(&mut self, now: Moment, place: &Place) {
        (self.entitlements, self.review) = self.entitlements_now(now.date(), place);
        let born = self.card.as_ref().map(|card| card.birth).unwrap_or_default();
        let each = |entitlement: &Entitlement| {
            let pack = place.packs.on(&entitlement.pack, now.date())?;
            Some(pack.assess(entitlement, born, now.date(), now.doubt))
        };
        self.assessments = self.entitlements.iter().filter_map(each).collect();
        let tries = self.packs(place).map(|pack| pack.limits.tries).max();
        self.tries_max = tries.filter(|tries| *tries > 0).unwrap_or(TRIES_MAX);
        let uploads = self.packs(place).map(|pack| pack.model.max_uploads).max();
        self.uploads_max = uploads.unwrap_or(TRIES_MAX);
    }

    fn entitlements_now(&self, today: Date, place: &Place) -> (Vec<Entitlement>, Option<Review>) {
        let corrected = self.lookup.latest.filter(|l| Some(l.record) == self.supersedes);
        let mut recent = self.lookup.recent.clone();
        let kept = |on| corrected.is_none_or(|latest| latest.on != on);
        recent.successes.retain(|(_, success)| kept(success.on));
        recent.filed.retain(|filed| kept(filed.on));
        let Some(known) = &self.lookup.beneficiary else {
            return (Vec::new(), None);
        };
        let review = recent.review(packs_of(known, &place.packs, today));
        let each = |entitlement| with_recent(entitlement, &recent, review, today);
        (known.entitlements.iter().map(each).collect(), review)
    }

    /// Since when and until when a benefit is being reviewed; the first day is known only for what was filed here.
    pub(super) fn under_review(&self, pack: &str) -> Option<(Option<Date>, Date)> {
        let drawn = self.entitlements.iter().find(|drawn| drawn.pack == pack)?;
        let by = drawn.under_review?;
        Some((self.review.filter(|review| review.by == by).map(|review| review.since), by))
    }

    /// Whether the payment of a benefit was stopped.
    pub(super) fn is_suspended(&self, pack: &str) -> bool {
        self.entitlements.iter().any(|drawn| drawn.pack == pack && drawn.suspended)
    }

    /// The packs of this person's benefits, in the editions that they were assessed by.
    pub(super) fn packs<'p>(&self, place: &'p Place) -> impl Iterator<Item = &'p Pack> {
        let edition = |a: &Assessment| place.packs.edition(&a.pack, a.pack_version);
        self.assessments.iter().filter_map(edition)
    }

    /// Whether a certification can be taken: of what is owed, and of what is being reviewed, since an answer may be a no.
    pub(super) fn may_be_certified(&self) -> bool {
        self.anything_due() || self.assessments.iter().any(|a| a.state == DueState::UnderReview)
    }

    /// How early a way comes on the ladder of the first pack; what it does not name comes last (C7).
    pub(super) fn rung(&self, step: Step, place: &Place) -> usize {
        let ladder = self.packs(place).next().map(|pack| pack.escalation.as_slice());
        let place = ladder.and_then(|ladder| ladder.iter().position(|rung| *rung == step));
        place.unwrap_or(usize::MAX)
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

    /// Whether any benefit waits for a certification. By a clock that may be wrong nobody is told to be done.
    pub(super) fn anything_due(&self) -> bool {
        let doubtful = |a: &Assessment| a.doubt != Doubt::None && a.may_certify;
        self.assessments.iter().any(|a| a.state.is_owed() || doubtful(a))
    }

    /// What the notices say to somebody who lives elsewhere (R9 to R14, R99), in order of preference.
    pub(super) fn rules_abroad(&self, now: Moment, place: &Place) -> Vec<Say> {
        let rule = |drawn: &Entitlement| {
            let pack = place.packs.on(&drawn.pack, now.date())?;
            let abroad = match drawn.abode {
                Abode::Local => None,
                Abode::Elsewhere => pack.away.as_ref(),
                Abode::HkMoTw => pack.hkmotw.as_ref(),
                Abode::Overseas => pack.overseas_on(now.date()),
            }?;
            let (who, ways) = (drawn.abode, abroad.ways.join("；"));
            let mut zh = format!("{}居住，按{}：{ways}", who.zh(), abroad.rule);
            if let Some(list_to) = &abroad.list_to {
                zh += &format!("；名单由经办机构报{list_to}");
            }
            Some(Id::Plain.with([Arg::Words(Words::new(zh, format!("lives {}", who.en())))]))
        };
        let mut lines: Vec<Say> = self.entitlements.iter().filter_map(rule).collect();
        lines.dedup();
        lines
    }

    /// Whether any benefit of this person knows this way.
    pub(super) fn knows(&self, method: Method) -> bool {
        self.assessments.iter().flat_map(|a| &a.methods).any(|rule| rule.method == method)
    }

    /// Whether one of these ways was tried and did not say yes, where any is named.
    pub(super) fn has_failed_any(&self, methods: &[Method]) -> bool {
        let failed = |modality: Modality| {
            let mut found = self.evidence.iter().filter(|f| f.modality == modality.name());
            found.any(|found| found.verdict != "same")
        };
        methods.is_empty()
            || methods.iter().any(|method| match method {
                Method::FaceIdPhoto | Method::FaceModel => failed(Modality::Face),
                Method::FingerprintModel => failed(Modality::Finger),
                _ => true,
            })
    }

    /// Whether the person was found in the roster while no card was at hand.
    pub(super) fn is_without_card(&self) -> bool {
        self.card.as_ref().is_some_and(|card| card.source == IdentitySource::Typed)
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

    /// Whether a face is being taken under the present plan.
    pub(super) fn takes_a_face(&self) -> bool {
        self.plan.is_some_and(Plan::takes_a_face) && self.modality() == Modality::Face
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
        match self.plan {
            Some(Plan::ReEnrolFace) => self.uploads_left(),
            _ => self.tries_left_of(self.modality()),
        }
    }

    /// Tries that a new face reference still has in this visit; they are counted apart, since a new reference is what
    /// helps where the old one fails (C7).
    pub(super) fn uploads_left(&self) -> u8 {
        self.uploads_max.saturating_sub(self.enrol_tries)
    }

    /// Tries that face or finger still has in this visit.
    pub(super) fn tries_left_of(&self, modality: Modality) -> u8 {
        let spent = match modality {
            Modality::Face => self.face_tries,
            Modality::Finger => self.finger_tries,
        };
        self.tries_max.saturating_sub(spent)
    }

    /// Two people may say yes once the machine was asked and did not, and the unit's clerk may ask for it (R89).
    /// Who may file it is said by the packs (C9).
    pub(super) fn may_appeal(&self, place: &Place) -> bool {
        let asked = self.evidence.iter().any(|f| f.modality != WITNESS && f.verdict != "same");
        let staff = self.are_appellants(&[Actor::OperatorAndSupervisor, Actor::Operator], place);
        let comes_for_it = match self.proxy {
            Some(Id::ProxyUnitClerk) => self.are_appellants(&[Actor::UnitClerk], place),
            Some(Id::ProxyStation) => self.are_appellants(&[Actor::StreetStation], place),
            _ => false,
        };
        (asked && staff) || comes_for_it
    }

    /// Whether any pack of this person lets one of these file an appeal; where there is no pack, the staff may.
    fn are_appellants(&self, actors: &[Actor], place: &Place) -> bool {
        let mut packs = self.packs(place).peekable();
        if packs.peek().is_none() {
            return actors.contains(&Actor::OperatorAndSupervisor);
        }
        packs.any(|pack| actors.iter().any(|actor| pack.appeal.who.contains(actor)))
    }

    /// Whether the person is on the list of another site and the rules let any site serve them (R100): what is taken
    /// here is evidence, and the centre finds what it counts for.
    pub(super) fn is_guest(&self, place: &Place) -> bool {
        let mut packs = place.packs.iter();
        self.lookup.beneficiary.is_none() && packs.any(|pack| pack.scope.accepts_other_sites)
    }

    /// Whether a rule of this person's packs for a method says so; true where no pack names the method.
    pub(super) fn rule_says(
        &self,
        method: Method,
        place: &Place,
        says: impl Fn(&MethodRule) -> bool,
    ) -> bool {
        let mut rules = self.packs(place).filter_map(|pack| pack.method(method)).peekable();
        rules.peek().is_none() || rules.any(says)
    }

    pub(super) fn spend_try(&mut self) {
        let spent = match (self.plan, self.modality()) {
            (Some(Plan::ReEnrolFace), _) => &mut self.enrol_tries,
            (_, Modality::Face) => &mut self.face_tries,
            (_, Modality::Finger) => &mut self.finger_tries,
        };
        *spent = spent.saturating_add(1);
    }

    pub(super) fn agree(&mut self, place: &Place) {
        self.consent = Some(self.consent_given(place, "agreed"));
    }

    pub(super) fn decline(&mut self, plan: Plan, place: &Place) {
        if plan.takes_a_face() {
            self.face_refused = true;
        }
        let choice = if plan == Plan::Finger { "declined-finger" } else { "declined-face" };
        self.consent = Some(self.consent_given(place, choice));
    }

    fn consent_given(&mut self, place: &Place, choice: &str) -> Consent {
        self.n_consented += 1;
        Consent {
            notice: place.notice.clone(),
            notice_digest: place.notice_digest,
            choice: choice.into(),
            who: if self.proxy.is_some() { "proxy" } else { "self" }.into(),
            alternatives: ["face", "finger", "staff-check", "paper", "home-visit"]
                .map(String::from)
                .into(),
        }
    }

    pub(super) fn keep_picture(&mut self, picture: Picture) {
        if !self.pictures.contains(&picture) {
            self.pictures.push(picture);
        }
    }

    pub(super) fn keep_template(&mut self, modality: Modality) {
        if !self.templates.contains(&modality) {
            self.templates.push(modality);
        }
    }

    fn attempt(&self) -> u32 {
        u32::try_from(self.evidence.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    pub(super) fn note(&mut self, comparison: &Comparison, judgement: &Judgement) {
        self.evidence.push(crate::decision::evidence(comparison, judgement, self.attempt()));
    }

    /// What was read from a card by camera, marked as such, and whether it fits the chip.
    pub(super) fn note_reading(&mut self, picture: Picture, reading: &Reading, found: Finding) {
        let (verdict, why) = match found {
            Finding::Fits => (Verdict::Same, Vec::new()),
            Finding::Unsure(why) => (Verdict::Unsure, why),
            Finding::OtherSide | Finding::OtherCard => return,
        };
        let reasons = [Id::WhyDocumentByCamera].into_iter().chain(why);
        self.evidence.push(Evidence {
            modality: "document".into(),
            verdict: verdict.name().into(),
            score: None,
            quality: Some(reading.certainty),
            pad: None,
            model: reading.model.clone(),
            threshold_set: String::new(),
            accept: None,
            reference: picture.role().into(),
            reasons: reasons.map(|id| id.name().into()).collect(),
            attempts: self.attempt(),
        });
    }

    /// Notes how the documents compare with the live face. What surely is somebody else's makes no reference, and is
    /// asked for anew; what is unsure is for people to look at. So is a doubt whether the one frame with the card shows
    /// a living face: that the person lives is shown by the sitting before the camera, and one frame is no proof.
    pub(super) fn note_papers(&mut self, papers: &[Comparison]) -> Option<Judgement> {
        let judged: Vec<Judgement> = papers.iter().map(decision::judge).collect();
        for (comparison, judgement) in papers.iter().zip(&judged) {
            self.note(comparison, judgement);
        }
        if judged.iter().all(|judgement| judgement.verdict != Verdict::Different) {
            return None;
        }
        self.asked.retain(|p| !matches!(p, Picture::IdFront | Picture::IdInHand));
        Some(Judgement { verdict: Verdict::Different, reasons: vec![Id::WhyPapersDiffer] })
    }

    /// "Cannot be taken" is a recorded fact, not a failure.
    pub(super) fn note_not_taken(&mut self, modality: &str, reason: &str) {
        self.note_fact(modality, "not-taken", "", reason);
    }

    /// A good capture and nothing on file: whoever decides an appeal has to see it.
    pub(super) fn note_not_compared(&mut self, modality: &str, picture: Picture) {
        self.note_fact(modality, "captured", "", "no-reference");
        self.keep_picture(picture);
    }

    /// Something that a person said or confirmed, and why.
    pub(super) fn note_witness(&mut self, what: &str, reason: Id) {
        self.note_fact(WITNESS, "captured", what, reason.name());
    }

    fn note_fact(&mut self, modality: &str, verdict: &str, reference: &str, reason: &str) {
        self.evidence.push(Evidence {
            modality: modality.into(),
            verdict: verdict.into(),
            score: None,
            quality: None,
            pad: None,
            model: String::new(),
            threshold_set: String::new(),
            accept: None,
            reference: reference.into(),
            reasons: vec![reason.into()],
            attempts: self.attempt(),
        });
    }

    /// The photo on the chip and an enrolled reference are different methods in a policy pack.
    pub(super) fn face_method(&self) -> Method {
        let face = self.evidence.iter().rfind(|found| found.modality == Modality::Face.name());
        let by_model = face.is_some_and(|found| found.reference.starts_with("enrolled"));
        if by_model { Method::FaceModel } else { Method::FaceIdPhoto }
    }

    /// How a proof by this method ends: where no rule counts it, or only after the agency's own report (R85), it is
    /// evidence.
    pub(super) fn proof(&self, method: Method) -> Outcome {
        let mut rules =
            self.assessments.iter().flat_map(|a| &a.methods).filter(|r| r.method == method);
        if rules.any(|rule| !rule.report_required) {
            Outcome::Certified
        } else {
            Outcome::EvidenceOnly
        }
    }

    /// How a visit ends in which nothing is owed.
    pub(super) fn nothing_due(&self) -> Outcome {
        let done = self.assessments.iter().find_map(|a| match &a.state {
            DueState::Done(success) => Some(*success),
            _ => None,
        });
        if let Some(success) = done {
            return Outcome::AlreadyDone { on: success.on, method: success.method.id().into() };
        }
        let reviewed = self.assessments.iter().find(|a| a.state == DueState::UnderReview);
        match self.assessments.first() {
            None if self.is_without_policy() => {
                Outcome::Referred(Id::ErrPolicyMissing.name().into())
            }
            None => Outcome::DataFixNeeded(Id::NotOnRoster.name().into()),
            Some(_) if reviewed.is_some() => self.review_end(),
            Some(first) => match first.state {
                DueState::NotRequired(reason) if reason.needs_the_window() => {
                    Outcome::DataFixNeeded(reason.id().into())
                }
                DueState::NotRequired(reason) => Outcome::NotRequired(reason.id().into()),
                _ => Outcome::NotRequired(state_id(&first.state).name().into()),
            },
        }
    }

    fn review_end(&self) -> Outcome {
        let answer = self.entitlements.iter().find_map(|entitlement| entitlement.under_review);
        answer.map_or(Outcome::AppealFiled, Outcome::UnderReview)
    }
}

pub(crate) fn state_id(state: &DueState) -> Id {
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

/// The modality of evidence that people gave.
const WITNESS: &str = "witness";
/// ISO 19794-2 position of the right thumb: the finger that the identity card registers first.
const RIGHT_THUMB: u8 = 1;
