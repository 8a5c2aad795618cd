//! What a visit leaves behind: the record that is sealed and the slip that is taken home.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::benefit::Method;
use crate::decision::{Modality, Verdict};
use crate::decoder::Decoded;
use crate::event::{SealOrder, Slip};
use crate::message::{Arg, Id, Say};
use crate::moment::{Doubt, Moment};
use crate::outcome::Outcome;
use crate::policy::{Advice, Assessment, DueState, RecordKind, Settled, Site, Sms, Words, date};
use crate::record::{BenefitResult, Evidence, Record};

use super::Place;
use super::case::{Case, state_id};

pub(super) fn seal_order(case: &Case, outcome: &Outcome, now: Moment, place: &Place) -> SealOrder {
    let card = case.card.clone().expect("a visit is sealed only after a card was read");
    let record = Record {
        id: case.record,
        visit: case.visit,
        device: place.device.clone(),
        site: place.site.clone(),
        captured: now,
        subject: card,
        outcome: outcome.clone(),
        benefits: benefit_results(case),
        evidence: case.evidence.clone(),
        operators: case.served.iter().chain(&case.witness).cloned().collect(),
        consent: case.consent.clone(),
        pictures: Vec::new(),
        templates: Vec::new(),
        appeal: case.appeal.clone(),
        supersedes: case.supersedes,
        legal_basis: LEGAL_BASIS.into(),
    };
    let agreed = case.consent.as_ref().is_some_and(|c| c.choice == "agreed");
    let successes = case.settled.iter().filter(|line| counts(line)).filter_map(|line| {
        let success = crate::benefit::Success { on: now.date(), method: case.method? };
        Some((line.pack.clone(), success))
    });
    SealOrder {
        record,
        pictures: if agreed { case.pictures.clone() } else { Vec::new() },
        templates: if agreed { case.templates.clone() } else { Vec::new() },
        later_view: agreed && now.doubt == Doubt::None && is_plain(case, outcome),
        successes: successes.collect(),
        slip: slip(case, outcome, now, place),
    }
}

/// What the visit means for each benefit; nothing where nothing was proved.
pub(super) fn settled(case: &Case, outcome: &Outcome, now: Moment, place: &Place) -> Vec<Settled> {
    let (Some(method), Some(card)) = (case.method, &case.card) else {
        return Vec::new();
    };
    if !proves_life(outcome) {
        return Vec::new();
    }
    let day = (now.date(), now.doubt);
    let mut lines = place.packs.settle(&case.entitlements, card.birth, day, method).lines;
    // Evidence counts when the centre says so, not here.
    lines.iter_mut().for_each(|line| line.counted &= outcome.certifies());
    lines
}

/// Evidence that must be reported counts when the centre says so, not here (R85).
fn counts(line: &Settled) -> bool {
    line.counted && !line.report_required
}

fn benefit_results(case: &Case) -> Vec<BenefitResult> {
    let each = case.assessments.iter().map(|assessment| {
        let line = case.settled.iter().find(|line| line.pack == assessment.pack);
        let early = line.is_some_and(|line| line.kind == RecordKind::PreApprovalIdentity);
        let counted = line.filter(|line| counts(line));
        BenefitResult {
            pack: assessment.pack.clone(),
            pack_version: assessment.pack_version,
            state: match early {
                true => RecordKind::PreApprovalIdentity.id().into(),
                false => state_id(&assessment.state).name().into(),
            },
            counted: counted.is_some(),
            next_due: counted.and_then(|line| line.next).map(|day| day.to_string()),
        }
    });
    each.collect()
}

/// What the outcome means and what comes next, a sentence a line. The same words on screen and slip.
pub(super) fn closing_lines(
    case: &Case,
    outcome: &Outcome,
    now: Moment,
    place: &Place,
) -> Vec<Say> {
    let mut lines: Vec<Say> = Vec::new();
    let mut counted: Vec<&Settled> = case.settled.iter().filter(|line| counts(line)).collect();
    // The earliest date is the one to remember (R122).
    counted.sort_by_key(|line| line.next);
    for line in &counted {
        let due = |day| Id::NextDue.with([Arg::Text(line.title.clone()), Arg::Day(day)]);
        lines.extend(line.next.filter(|_| names_next_date(line, place)).map(due));
    }
    lines.extend(counted.iter().find_map(|line| line.resume.clone()).map(sentence));
    lines.extend(outcome_line(case, outcome, now, place));
    lines.extend(advice(&case.settled));
    lines.extend(reached_by_phone(case, outcome, place));
    if let Some(decoded) = &case.decoded {
        lines.extend(way_out(decoded));
    }
    lines.extend(date_doubt(now));
    lines.dedup();
    // More than a few sentences nobody remembers; whom to call is on the slip anyway.
    if lines.len() < LINES_FEW {
        lines.push(Id::NextCall.into());
    }
    lines
}

/// What is known of today where the clock is in doubt: due dates are read with it.
pub(super) fn date_doubt(now: Moment) -> Option<Say> {
    if now.doubt == Doubt::None {
        return None;
    }
    let Some((earliest, latest)) = now.within.map(|within| within.days()) else {
        return Some(Id::DateDoubtful.into());
    };
    Some(match latest {
        Some(latest) => Id::DateBetween.with([Arg::Day(earliest), Arg::Day(latest)]),
        None => Id::DateNotBefore.with([Arg::Day(earliest)]),
    })
}

/// Since when a benefit is being reviewed, and by when the answer comes. Nobody whose payment was stopped before is told
/// that it goes on, and nobody waits for an answer whose day is over.
pub(super) fn review_line(case: &Case, assessment: &Assessment, now: Moment) -> Option<Say> {
    if assessment.state != DueState::UnderReview {
        return None;
    }
    let (since, by) = case.under_review(&assessment.pack)?;
    if now.doubt == Doubt::None && by < now.date() {
        return Some(sentence(Words::new(
            format!("审核原定{}前答复，已过期，请向经办机构询问", date(by)),
            format!("The decision was due by {by} and is late: ask the agency"),
        )));
    }
    if case.is_suspended(&assessment.pack) {
        let (zh, en) =
            since.map(|day| (date(day) + "起", format!(" since {day}"))).unwrap_or_default();
        return Some(sentence(Words::new(
            format!("{zh}正在审核，{}前答复；待遇仍在暂停", date(by)),
            format!("In review{en}, decision by {by}; the payment is still stopped"),
        )));
    }
    Some(match since {
        Some(since) => Id::InReviewSince.with([Arg::Day(since), Arg::Day(by)]),
        None => Id::InReview.with([Arg::Day(by)]),
    })
}

fn outcome_line(case: &Case, outcome: &Outcome, now: Moment, place: &Place) -> Vec<Say> {
    match outcome {
        Outcome::AlreadyDone { .. } | Outcome::NotRequired(_) | Outcome::DataFixNeeded(_) => {
            nothing_due_lines(case)
        }
        Outcome::EvidenceOnly if case.method == Some(Method::PaperStatement) => {
            vec![Id::NextPaper.into()]
        }
        Outcome::EvidenceOnly if case.is_guest(place) => vec![Id::NextGuest.into()],
        Outcome::EvidenceOnly => vec![Id::NextPhoneCheck.into()],
        Outcome::AppealFiled => {
            let days = case.packs(place).filter_map(|pack| pack.appeal.review_days).max();
            let by = |days: u16| now.date().saturating_add(i64::from(days).days());
            let by = days.map(|days| Id::NextAnswerBy.with([Arg::Day(by(days))]));
            let means = appeal_lines(case, place);
            [Id::NextAppealAnswer.into()].into_iter().chain(by).chain(means).collect()
        }
        Outcome::ModelBuilt => vec![Id::NextCertify.into()],
        Outcome::StoppedSuspectedFake => vec![Id::NextSupervisor.into()],
        Outcome::UnderReview(by) => {
            let mut reviewed = case.assessments.iter().filter_map(|a| review_line(case, a, now));
            let counts = case.packs(place).any(|pack| pack.model.counts_as_success);
            let next = if counts { Id::NextReviewCounts } else { Id::NextReview };
            vec![reviewed.next().unwrap_or_else(|| next.with([Arg::Day(*by)]))]
        }
        Outcome::Referred(why) if ELSEWHERE.contains(&why.as_str()) => {
            elsewhere_lines(case, why, place)
        }
        Outcome::SpecialRequested => vec![Id::NextSpecial.into()],
        Outcome::VisitRequested => {
            [Id::NextHomeVisit.into()].into_iter().chain(visit_reported(case, place)).collect()
        }
        // Nobody is asked to come again for somebody who died.
        Outcome::NotPresent(why) if why == Id::NotHereDeceased.name() => Vec::new(),
        Outcome::NotPresent(why) => match again_on(why) {
            Some(day) => vec![Id::VisitAgainOn.with([Arg::Day(day)])],
            None => vec![Id::NextNotHere.into()],
        },
        _ => Vec::new(),
    }
}

/// What the answer to an appeal means, by the person's first pack (R90, C6).
fn appeal_lines(case: &Case, place: &Place) -> Vec<Say> {
    let Some(pack) = case.packs(place).next() else {
        return Vec::new();
    };
    let approved =
        if pack.appeal.counts_as_success { Id::NextAppealApproved } else { Id::NextAppealCertify };
    let refused = Id::NextAppealRefused.with([Arg::Text(pack.appeal.on_reject.clone())]);
    vec![approved.into(), refused]
}

/// Who reports to the agency that somebody has to be visited (R97).
fn visit_reported(case: &Case, place: &Place) -> Option<Say> {
    let mut packs = case.packs(place).map(|pack| &pack.home_visit);
    let rule = packs.find(|rule| !rule.reported_by.is_empty())?;
    let zh: Vec<&str> = rule.reported_by.iter().map(|actor| actor.zh()).collect();
    let en: Vec<&str> = rule.reported_by.iter().map(|actor| actor.en()).collect();
    Some(Id::NextVisitBy.with([Arg::Words(Words::new(zh.join("或"), en.join(" or ")))]))
}

/// Text messages are the centre's; the person is told whether one comes (R95) and how to be reminded (R94).
fn reached_by_phone(case: &Case, outcome: &Outcome, place: &Place) -> Vec<Say> {
    if !outcome.certifies() {
        return Vec::new();
    }
    let sms = case.packs(place).any(|pack| pack.notify.sms != Sms::None);
    let asks = case.packs(place).any(|pack| pack.notify.ask_phone);
    let lines = [(sms, Id::NextSms), (asks, Id::NextLeavePhone)];
    lines.into_iter().filter(|(said, _)| *said).map(|(_, id)| id.into()).collect()
}

fn names_next_date(line: &Settled, place: &Place) -> bool {
    place.packs.edition(&line.pack, line.pack_version).is_none_or(|pack| pack.notify.next_date)
}

/// Where a way is open that this terminal does not have.
fn elsewhere_lines(case: &Case, method: &str, place: &Place) -> Vec<Say> {
    let Some(pack) = case.packs(place).next() else {
        return Vec::new();
    };
    let method = Id::named(method).unwrap_or(Id::MethodWindow);
    let agency = Arg::Text(pack.scope.agency.clone());
    let mut lines = vec![Id::NextElsewhere.with([agency, Arg::Term(method)])];
    let spoken = pack.method(Method::Voice).and_then(|rule| rule.digit_strings);
    if let (Id::MethodVoice, Some(n)) = (method, spoken) {
        lines.push(Id::VoiceDigits.with([Arg::Number(n.into())]));
    }
    lines.extend(pack.sites.iter().take(SITES_MAX).map(site_line));
    if !pack.hotlines.is_empty() {
        lines.push(Id::DecodedCall.with([Arg::Text(pack.hotlines.join("、"))]));
    }
    lines
}

fn site_line(site: &Site) -> Say {
    let facts = [Some(&site.name), site.address.as_ref(), site.phone.as_ref(), site.hours.as_ref()];
    let facts: Vec<&str> = facts.into_iter().flatten().map(String::as_str).collect();
    Id::DecodedSite.with([Arg::Text(facts.join("　"))])
}

fn advice(settled: &[Settled]) -> Option<Say> {
    settled.iter().find_map(|line| line.advice).map(|advice| match advice {
        Advice::OnePhoneCheck => Id::NextPhoneCheck.into(),
        Advice::ModelWhenBack => Id::NextModelWhenBack.into(),
    })
}

/// The reason of a visit in vain and the day of the next one, as the record's detail.
pub(super) fn in_vain(reason: Id, again: Date) -> String {
    format!("{} {again}", reason.name())
}

fn again_on(detail: &str) -> Option<Date> {
    detail.split_once(' ').and_then(|(_, day)| day.parse().ok())
}

/// Until when nobody has to come, and by when the next certification is due.
pub(super) fn nothing_due_lines(case: &Case) -> Vec<Say> {
    let mut lines = Vec::new();
    for a in &case.assessments {
        match a.state {
            DueState::NotRequired(reason) => {
                lines.push(sentence(Words::new(format!("{}。", reason.zh()), reason.en())));
                continue;
            }
            DueState::Done(_) | DueState::NotOpen => {}
            _ => continue,
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

/// The way out of what the phone said: what to bring, in how many copies, where, and from when on it works.
pub(super) fn way_out(decoded: &Decoded) -> Vec<Say> {
    let remedy = &decoded.remedy;
    let mut lines = vec![sentence(remedy.words.clone())];
    for form in &remedy.forms {
        let papers = [Arg::Number(form.id_copies.into())];
        lines.push(match &form.name {
            Some(name) => Id::DecodedForm.with(
                [Arg::Text(name.clone()), Arg::Number(form.copies.into())]
                    .into_iter()
                    .chain(papers),
            ),
            None if form.id_copies > 0 => Id::DecodedPapers.with(papers),
            None => continue,
        });
        if !form.also.is_empty() {
            lines.push(Id::DecodedBring.with([Arg::Text(form.also.join("、"))]));
        }
    }
    let places = remedy.places.iter().map(|place| Words::new(place.zh(), place.en()));
    lines.extend(places.map(|words| Id::DecodedPlace.with([Arg::Words(words)])));
    lines.extend(remedy.sites.iter().take(SITES_MAX).map(site_line));
    if !remedy.hotlines.is_empty() {
        lines.push(Id::DecodedCall.with([Arg::Text(remedy.hotlines.join("、"))]));
    }
    lines.extend(remedy.effective_on.map(|day| Id::DecodedEffective.with([Arg::Day(day)])));
    lines
}

pub(super) fn slip(case: &Case, outcome: &Outcome, now: Moment, place: &Place) -> Slip {
    let card = case.card.as_ref().expect("a slip is printed only after a card was read");
    Slip {
        site: place.site_name.clone(),
        captured: now,
        name: card.name.masked(),
        number: card.number.masked(),
        headline: outcome.message(),
        tone: outcome.tone(),
        lines: closing_lines(case, outcome, now, place),
        method: case.method.filter(|_| proves_life(outcome)),
        record: case.record,
        forms: case.decoded.as_ref().map(|d| d.remedy.forms.clone()).unwrap_or_default(),
    }
}

pub(super) fn sentence(words: Words) -> Say {
    Id::Plain.with([Arg::Words(words)])
}

/// A certification by the face at the first look, that nobody had to help, excuse or correct: only from such a visit a
/// view is kept that nobody asked for.
fn is_plain(case: &Case, outcome: &Outcome) -> bool {
    let by_face = matches!(case.method, Some(Method::FaceModel | Method::FaceIdPhoto));
    let alone = case.exempt.is_none() && case.witness.is_none() && case.proxy.is_none();
    let first = case.supersedes.is_none() && case.appeal.is_none() && case.templates.is_empty();
    let says_same = |found: &Evidence| {
        found.modality == Modality::Face.name() && found.verdict == Verdict::Same.name()
    };
    let clean = !case.evidence.is_empty() && case.evidence.iter().all(says_same);
    *outcome == Outcome::Certified && by_face && alone && first && clean
}

fn proves_life(outcome: &Outcome) -> bool {
    outcome.certifies() || *outcome == Outcome::EvidenceOnly
}

/// With fewer sentences than this there is room to say whom to call.
const LINES_FEW: usize = 3;
/// Ways that another place has, by the names of their messages.
const ELSEWHERE: [&str; 3] = ["method-voice", "method-vein", "method-window"];
/// Of all the offices of a city the slip names the first ones.
const SITES_MAX: usize = 2;
/// 社会保险法 and 人社厅发〔2018〕54号: certification is the agency's duty; biometrics rest on the separate consent.
const LEGAL_BASIS: &str = "人社厅发〔2018〕54号; separate consent (PIPL art. 29)";
