//! From phase and case to what is seen. No decision is made here that is not asked of `actions` or `case`.

use super::actions::{
    documents, may_be_reviewed, may_be_witnessed, may_remodel, may_try_again, witness_refused,
};
use super::case::state_id;
use super::*;
use crate::identity::CardWarning;
use crate::message::Arg;
use crate::outcome::Tone;
use crate::policy::{Assessment, Case as Papers, DueState, Step};
use crate::view::{
    BenefitLine, Button, Consent, Document, Ending, Face, Finger, Judge, Person, SignIn, Waiting,
};

pub(super) fn page(phase: &Phase, case: &Case, now: Moment, place: &Place) -> Page {
    match phase {
        Phase::AwaitingCard { prompt, trouble } => Page::Waiting(Waiting {
            prompt: *prompt,
            trouble: trouble.or_else(|| place.cannot_keep()),
            buttons: vec![
                button(Id::TapPeople, Tap::ShowPeople),
                button(Id::TapOutbox, Tap::ShowOutbox),
                button(Id::TapSignOut, Tap::SignOut),
            ],
        }),
        Phase::LookingUp(_) | Phase::CardPin { is_asked: true, .. } => {
            Page::Waiting(Waiting { prompt: Id::ReadingCard, trouble: None, buttons: Vec::new() })
        }
        Phase::CardPin { pin, notice, is_asked: false } => Page::Witness(SignIn {
            title: Some(Id::CardPinTitle),
            operators: Vec::new(),
            picked: Some(String::new()),
            n_digits: pin.n_digits(),
            notice: notice.clone(),
            buttons: vec![button(Id::TapBack, Tap::Back)],
        }),
        Phase::Reviewing => Page::Person(person(case, now, place)),
        Phase::Consenting(plan) => Page::Consent(consent(*plan, case, place)),
        Phase::Choosing(menu) => Page::Choice(menus::page(menu, case, now, place)),
        Phase::Document { picture, coaching } => {
            Page::Document(document(case, *picture, *coaching, place))
        }
        Phase::Face { purpose, prompt, good, progress, .. } => Page::Face(Face {
            title: if *purpose == FacePurpose::Enrol { Id::FaceEnrolTitle } else { Id::FaceTitle },
            prompt: Say::from(*prompt),
            good: *good,
            progress: *progress,
            step: None,
            buttons: vec![
                button(Id::TapCannotTake, Tap::CannotTake),
                button(Id::TapBack, Tap::Back),
            ],
        }),
        Phase::Finger { purpose, finger, placed, prompt, progress, .. } => {
            let step = match purpose {
                FingerPurpose::Verify => None,
                FingerPurpose::Enrol { placements } => {
                    Some(((*placed + 1).min(*placements), *placements))
                }
            };
            Page::Finger(Finger {
                title: if step.is_some() { Id::FingerEnrolTitle } else { Id::FingerTitle },
                finger: *finger,
                finger_name: finger_name(*finger),
                prompt: Say::from(*prompt),
                progress: *progress,
                step,
                buttons: vec![
                    button(Id::TapCannotTake, Tap::CannotTake),
                    button(Id::TapBack, Tap::Back),
                ],
            })
        }
        Phase::Judging(judgement) => Page::Judge(judge(case, judgement, place)),
        Phase::Witnessing { cause, picked, pin, notice } => Page::Witness(SignIn {
            title: Some(Id::WitnessTitle),
            operators: witnesses(case, *cause, place),
            picked: picked.clone(),
            n_digits: pin.n_digits(),
            notice: notice.clone(),
            buttons: vec![button(Id::TapBack, Tap::Back)],
        }),
        Phase::Sealing { failed: None, .. } => Page::Saving,
        Phase::Sealing { failed: Some(trouble), .. } => Page::Judge(Judge {
            headline: trouble.err,
            reasons: vec![trouble.rec().into()],
            buttons: vec![primary(Id::TapTryAgain, Tap::TryAgain)],
        }),
        Phase::Closed { outcome, delivery, slip } => Page::Result(Ending {
            headline: outcome.message(),
            tone: outcome.tone(),
            lines: paper::closing_lines(case, outcome, now, place),
            delivery: *delivery,
            slip: *slip,
            buttons: vec![
                primary(Id::TapDone, Tap::Done),
                button(Id::TapPrintAgain, Tap::PrintAgain),
            ],
        }),
    }
}

fn person(case: &Case, now: Moment, place: &Place) -> Person {
    let card = case.card.as_ref().expect("a person is reviewed only after a card was read");
    let mut warnings: Vec<Say> = case.warnings.iter().map(|w| warning_id(*w).into()).collect();
    if case.name_differs() {
        warnings.push(Id::WarnNameDiffers.into());
    }
    warnings.extend(paper::date_doubt(now));
    if case.is_without_card() {
        warnings.push(Id::NotByCard.into());
    }
    warnings.extend(off(place));
    warnings.extend(notes(case, now, place));
    Person {
        name: card.name.0.clone(),
        number: card.number.masked(),
        age: age(card.birth, now),
        has_photo: card.has_photo,
        warnings,
        benefits: case.assessments.iter().map(benefit_line).collect(),
        headline: headline(case, now),
        buttons: person_buttons(case, place),
    }
}

/// Which networks are gone: what to use instead, or when both are, what happened.
fn off(place: &Place) -> Vec<Say> {
    match (place.off(Modality::Face), place.off(Modality::Finger)) {
        (Some(face), Some(finger)) => vec![face.err.into(), finger.err.into()],
        (one, other) => one.or(other).map(|trouble| trouble.rec().into()).into_iter().collect(),
    }
}

/// What is out of the ordinary about this visit.
fn notes(case: &Case, now: Moment, place: &Place) -> Vec<Say> {
    let mut notes = case.rules_abroad(now, place);
    notes.extend(case.proxy.map(|relation| Id::ProxyNote.with([Arg::Term(relation)])));
    let exempt = case.exempt.map(|condition| menus::exempt_id(Some(condition)));
    notes.extend(exempt.map(|condition| Id::ExemptNote.with([Arg::Term(condition)])));
    notes.extend(case.supersedes.map(|_| Say::from(Id::CorrectNote)));
    notes.extend(case.is_guest(place).then(|| Say::from(Id::GuestNote)));
    notes
}

/// What has to be done comes first: certify when something is due, close when nothing is.
fn person_buttons(case: &Case, place: &Place) -> Vec<Button> {
    let open = |plan, label, tap| Button { enabled: may(case, plan, place), ..button(label, tap) };
    let mut buttons = Vec::new();
    if !case.anything_due() {
        buttons.push(button(Id::TapDone, Tap::Done));
    }
    if case.is_guest(place) {
        buttons.push(open(Plan::Face, Id::TapCertifyFace, Tap::CertifyFace));
    }
    if case.may_be_certified() {
        buttons.push(open(Plan::Face, Id::TapCertifyFace, Tap::CertifyFace));
        buttons.push(open(Plan::Finger, Id::TapCertifyFinger, Tap::CertifyFinger));
    }
    if let Some(first) = buttons.iter_mut().find(|b| b.enabled) {
        first.primary = true;
    }
    buttons.push(open(Plan::ReEnrolFace, Id::TapReEnrolFace, Tap::ReEnrolFace));
    buttons.push(open(Plan::ReEnrolFinger, Id::TapReEnrolFinger, Tap::ReEnrolFinger));
    if case.may_appeal(place) {
        buttons.push(button(Id::TapAppeal, Tap::Appeal));
    }
    buttons.push(button(Id::TapOtherWays, Tap::OtherWays));
    buttons.push(button(Id::TapNotTheirCard, Tap::NotTheirCard));
    buttons
}

fn headline(case: &Case, now: Moment) -> Say {
    if case.lookup.beneficiary.is_none() {
        return Id::NotOnRoster.into();
    }
    if case.is_without_policy() {
        return Id::ErrPolicyMissing.into();
    }
    let soonest = case.assessments.iter().filter(|a| a.state.is_owed()).min_by_key(|a| a.due);
    match soonest.map(|a| (&a.state, a.due)) {
        Some((DueState::Overdue | DueState::Suspended, _)) => Id::OverdueStillOpen.into(),
        Some((_, Some(due))) => Id::DueBy.with([Arg::Day(due)]),
        Some((_, None)) => Id::StateDue.into(),
        None => {
            let line = |a: &Assessment| paper::review_line(case, a, now);
            let mut reviewed = case.assessments.iter().filter_map(line);
            let nothing = || paper::nothing_due_lines(case).into_iter().next();
            reviewed.next().or_else(nothing).unwrap_or(Id::StateNotRequired.into())
        }
    }
}

fn benefit_line(assessment: &Assessment) -> BenefitLine {
    BenefitLine {
        title: assessment.title.clone(),
        state: state_id(&assessment.state),
        tone: match assessment.state {
            DueState::Overdue | DueState::Suspended => Tone::Stopped,
            DueState::Due | DueState::DueSoon | DueState::UnderReview => Tone::Waiting,
            _ => Tone::Good,
        },
        due: assessment.due,
        why: without_citations(&assessment.why),
    }
}

/// Numbers of rules in brackets, and whether somebody has confirmed them, are for whoever checks a pack; who stands at
/// the counter has no list of them.
pub(super) fn without_citations(why: &str) -> String {
    let why = why.replace(crate::policy::UNCONFIRMED, "");
    let mut parts = why.split('（');
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('）') {
            Some((rules, rest)) if rules.split('、').all(is_citation) => told += rest,
            _ => told = told + "（" + part,
        }
    }
    told
}

/// Such as R24 or C3.
fn is_citation(word: &str) -> bool {
    let number = word.strip_prefix(['R', 'C']);
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
}

fn consent(plan: Plan, case: &Case, place: &Place) -> Consent {
    let mut body = vec![Id::ConsentBody.into(), Id::ConsentAlternatives.into()];
    if matches!(plan, Plan::Face | Plan::ReEnrolFace) {
        body.push(model_state(case).into());
    }
    if matches!(plan, Plan::ReEnrolFace | Plan::ReEnrolFinger) {
        body.extend(originals(case, place));
    }
    Consent {
        method: match plan {
            Plan::Finger => Id::MethodFinger,
            Plan::Face => Id::MethodFacePhoto,
            Plan::ReEnrolFace => Id::FaceEnrolTitle,
            Plan::ReEnrolFinger => Id::FingerEnrolTitle,
            Plan::HomeVisit => Id::MethodHomeVisit,
            Plan::Paper => Id::MethodPaper,
        },
        body,
        buttons: vec![
            primary(Id::TapAgree, Tap::Agree),
            button(Id::TapDecline, Tap::Decline),
            button(Id::TapBack, Tap::Back),
        ],
    }
}

/// The person is told whether a reference of theirs was built (R77).
fn model_state(case: &Case) -> Id {
    let built = case.lookup.references.iter().any(|(modality, _)| *modality == Modality::Face);
    if built { Id::ModelBuilt } else { Id::ModelMissing }
}

/// Originals to be shown for a new reference (R79), and what is enough for whoever has no social card yet (R48).
fn originals(case: &Case, place: &Place) -> Vec<Say> {
    let list = |papers: &[String]| [Arg::Text(papers.join("、"))];
    let Some(pack) = case.packs(place).find(|pack| !pack.model.bring.is_empty()) else {
        return Vec::new();
    };
    let without = pack.material(Papers::NoSocialCard).filter(|papers| !papers.also.is_empty());
    let mut lines = vec![Id::ShowOriginals.with(list(&pack.model.bring))];
    lines.extend(without.map(|papers| Id::ShowWithoutCard.with(list(&papers.also))));
    lines
}

fn document(case: &Case, picture: Picture, coaching: Option<Id>, place: &Place) -> Document {
    let which = match picture {
        Picture::IdBack => Id::DocumentBack,
        Picture::IdInHand => Id::DocumentInHand,
        Picture::Door => Id::DocumentDoor,
        Picture::Paper => Id::DocumentPaper,
        _ => Id::DocumentFront,
    };
    let all = case.plan.map(|plan| documents(case, plan, place)).unwrap_or_default();
    let count = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    let step = all.iter().position(|p| *p == picture).unwrap_or(0) + 1;
    let mut buttons = vec![primary(Id::TapTakePicture, Tap::TakePicture)];
    if picture != Picture::Paper {
        buttons.push(button(Id::TapCannotTake, Tap::CannotTake));
    }
    buttons.push(button(Id::TapBack, Tap::Back));
    let prompt = coaching.unwrap_or(which).into();
    Document { which, prompt, step: (count(step), count(all.len().max(1))), buttons }
}

/// Why the machine does not say yes, and every way that is still open. There always is one.
fn judge(case: &Case, judgement: &Judgement, place: &Place) -> Judge {
    let suspected = judgement.verdict == Verdict::SuspectedFake;
    let tries_left = if suspected { 0 } else { case.tries_left() };
    let mut reasons: Vec<Say> = judgement.reasons.iter().map(|id| Say::from(*id)).collect();
    reasons.extend(judgement.reasons.iter().filter_map(|id| fault_remedy(*id)));
    if tries_left == 0 && !suspected {
        reasons.push(Id::WhyTriesUsed.into());
    }
    // Seat and light are what helps most before the next try (R50, R54).
    if tries_left > 0 && case.takes_a_face() && judgement.reasons.contains(&Id::WhyQualityLow) {
        reasons.push(Id::FaceSitInTheLight.into());
    }
    let mut buttons = Vec::new();
    if !suspected && may_try_again(case, place) {
        buttons.push(primary(Id::TapTryAgain, Tap::TryAgain));
    }
    if suspected {
        buttons.push(primary(Id::TapDone, Tap::Done));
    } else {
        let mut ways = Vec::new();
        if may(case, Plan::Finger, place) && case.plan != Some(Plan::Finger) {
            ways.push((Step::Fingerprint, button(Id::TapCertifyFinger, Tap::CertifyFinger)));
        }
        if may(case, Plan::Face, place) && case.plan == Some(Plan::Finger) {
            ways.push((Step::RetryGuided, button(Id::TapCertifyFace, Tap::CertifyFace)));
        }
        if may_remodel(case, place) {
            ways.push((Step::Remodel, button(Id::TapReEnrolFace, Tap::ReEnrolFace)));
        }
        if may_be_reviewed(case) {
            ways.push((Step::Remodel, button(Id::TapSendForReview, Tap::SendForReview)));
        }
        if may_be_witnessed(case, judgement) {
            ways.push((Step::RetryGuided, button(Id::TapWitness, Tap::Witness)));
        }
        if case.may_appeal(place) {
            ways.push((Step::Appeal, button(Id::TapAppeal, Tap::Appeal)));
        }
        ways.push((Step::HomeVisit, button(Id::TapHomeVisit, Tap::HomeVisit)));
        // The ladder of the pack says what is tried first (C7).
        ways.sort_by_key(|(step, _)| case.rung(*step, place));
        buttons.extend(ways.into_iter().map(|(_, way)| way));
        buttons.push(button(Id::TapBack, Tap::Back));
    }
    Judge { headline: judge_headline(judgement.verdict), reasons, buttons }
}

fn fault_remedy(id: Id) -> Option<Say> {
    let fault = id.name().strip_prefix("err-")?;
    Id::named(&format!("rec-{fault}")).map(Say::from)
}

pub(super) fn judge_headline(verdict: Verdict) -> Id {
    match verdict {
        Verdict::SuspectedFake => Id::JudgeSuspectedFake,
        Verdict::Different => Id::JudgeDifferent,
        Verdict::Unsure | Verdict::Same => Id::JudgeUnsure,
    }
}

fn witnesses(case: &Case, cause: Witnessed, place: &Place) -> Vec<(String, String)> {
    let may = |o: &&Operator| witness_refused(case, cause, &o.id, place).is_none();
    place.operators.iter().filter(may).map(|o| (o.id.clone(), o.name.clone())).collect()
}

fn age(born: jiff::civil::Date, now: Moment) -> Option<i16> {
    let today = now.date();
    let had_birthday = (today.month(), today.day()) >= (born.month(), born.day());
    let years = today.year() - born.year() - i16::from(!had_birthday);
    (now.doubt == crate::moment::Doubt::None && years >= 0).then_some(years)
}

fn warning_id(warning: CardWarning) -> Id {
    match warning {
        CardWarning::BirthDiffers => Id::WarnBirthDiffers,
        CardWarning::SexDiffers => Id::WarnSexDiffers,
        CardWarning::Expired => Id::WarnExpired,
        CardWarning::ValidityReversed => Id::WarnValidityReversed,
        CardWarning::UnknownCounty => Id::WarnUnknownCounty,
    }
}

fn finger_name(finger: u8) -> Id {
    match finger {
        1 => Id::FingerRightThumb,
        2 => Id::FingerRightIndex,
        6 => Id::FingerLeftThumb,
        7 => Id::FingerLeftIndex,
        _ => Id::FingerOther,
    }
}

pub(crate) fn button(label: Id, tap: Tap) -> Button {
    Button { label, tap, enabled: true, primary: false }
}

pub(crate) fn primary(label: Id, tap: Tap) -> Button {
    Button { primary: true, ..button(label, tap) }
}
