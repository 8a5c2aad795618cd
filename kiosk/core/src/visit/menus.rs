//! The lists that a visit offers: the ways that are seldom needed, reasons, messages of the phone, days.
//!
//! Each menu has its page and what a tap on it leads to, side by side, so that no line is shown that means nothing.

use jiff::ToSpan;

use super::*;
use crate::benefit::Method;
use crate::decoder::{self, Decoded, Here, OnRoster};
use crate::message::Arg;
use crate::policy::{Condition, Words};
use crate::view::{Button, Choice, Pick, Way};

/// Which list is on the screen.
#[derive(Clone, Debug)]
pub(super) enum Menu {
    Ways,
    Messages,
    Decoded(Box<Decoded>),
    Appeal,
    Special,
    Exempt,
    Proxy,
    NotHere,
    Elsewhere,
    VisitFailed,
    VisitAgain(Id),
    Correct,
    Park,
    Discard,
    Help,
}

/// What a second person confirms with their PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Witnessed {
    /// Machine says no, two people say yes.
    Appeal(Id),
    /// No way is open to this person.
    Special(Id),
    /// Two people saw the person at home.
    HomeVisit,
    /// The person lives although no sign of life could be measured.
    Exempt,
}

impl Visit {
    /// Something was picked from the list.
    pub(super) fn picked(
        &mut self,
        menu: Menu,
        tap: Tap,
        now: Moment,
        place: &Place,
    ) -> Vec<Effect> {
        if tap == Tap::Back {
            return self.rest(match menu {
                Menu::Ways | Menu::Appeal => Phase::Reviewing,
                Menu::Decoded(_) => Phase::Choosing(Menu::Messages),
                _ => Phase::Choosing(Menu::Ways),
            });
        }
        let offered = page(&menu, &self.case, now, place);
        let is_offered = offered.options.iter().any(|pick| pick.tap == tap)
            || offered.buttons.iter().any(|button| button.enabled && button.tap == tap);
        if !is_offered {
            return self.rest(Phase::Choosing(menu));
        }
        match (menu, tap) {
            (Menu::Ways, Tap::Way(way)) => self.go(way),
            (Menu::Messages, Tap::Message(index)) => self.decode(index, now, place),
            (Menu::Decoded(decoded), Tap::Settle) => {
                let outcome = self.settled_by(&decoded);
                self.case.decoded = Some(decoded);
                self.seal(outcome, now, place)
            }
            (Menu::Decoded(decoded), tap) => {
                // The way out is on the slip of the certification as well: one trip is enough.
                self.case.decoded = Some(decoded);
                self.chosen(tap, now, place)
            }
            (Menu::Appeal, Tap::Reason(reason)) => self.call_witness(Witnessed::Appeal(reason)),
            (Menu::Special, Tap::Reason(reason)) => self.call_witness(Witnessed::Special(reason)),
            (Menu::Exempt, Tap::Reason(reason)) => {
                self.case.exempt = CONDITIONS.iter().find(|(_, id)| *id == reason).map(|(c, _)| *c);
                self.rest(Phase::Reviewing)
            }
            (Menu::Proxy, Tap::Reason(relation)) => {
                self.case.proxy = Some(relation);
                self.case.note_witness("proxy", relation);
                self.rest(Phase::Reviewing)
            }
            (Menu::NotHere, Tap::Reason(reason)) => {
                self.seal(Outcome::NotPresent(reason.name().into()), now, place)
            }
            (Menu::Elsewhere, Tap::Reason(method)) => {
                self.seal(Outcome::Referred(method.name().into()), now, place)
            }
            (Menu::VisitFailed, Tap::Reason(reason)) => {
                self.rest(Phase::Choosing(Menu::VisitAgain(reason)))
            }
            (Menu::VisitAgain(reason), Tap::Day(again)) => {
                self.seal(Outcome::NotPresent(paper::in_vain(reason, again)), now, place)
            }
            (Menu::Correct, Tap::Reason(reason)) => {
                self.case.supersedes = self.case.lookup.latest.map(|latest| latest.record);
                self.case.note_witness("correction", reason);
                self.case.assess(now, place);
                self.rest(Phase::Reviewing)
            }
            (Menu::Park, _) => self.leave(VisitEnd::Parked, Vec::new()),
            (Menu::Discard, _) => {
                let operator = self.case.served.last().cloned().unwrap_or_default();
                let discard = Effect::Discard { visit: self.case.visit, operator };
                self.leave(VisitEnd::Nothing, vec![discard])
            }
            (_, Tap::HomeVisit) => self.seal(Outcome::VisitRequested, now, place),
            (menu, _) => self.rest(Phase::Choosing(menu)),
        }
    }

    fn go(&mut self, way: Way) -> Vec<Effect> {
        let menu = match way {
            Way::VisitHere => return self.propose(Plan::HomeVisit),
            Way::Paper => return self.propose(Plan::Paper),
            Way::Message => Menu::Messages,
            Way::Special => Menu::Special,
            Way::VisitFailed => Menu::VisitFailed,
            Way::Proxy => Menu::Proxy,
            Way::NotHere => Menu::NotHere,
            Way::Elsewhere => Menu::Elsewhere,
            Way::Exempt => Menu::Exempt,
            Way::Correct => Menu::Correct,
            Way::Park => Menu::Park,
            Way::Discard => Menu::Discard,
            Way::Help => Menu::Help,
        };
        self.rest(Phase::Choosing(menu))
    }

    fn decode(&mut self, index: u16, now: Moment, place: &Place) -> Vec<Effect> {
        let texts = messages(&self.case, now, place);
        let (Some(text), Some(card)) = (texts.get(usize::from(index)), &self.case.card) else {
            return self.rest(Phase::Choosing(Menu::Messages));
        };
        let decoded =
            decoder::decode(text, card, roster(&self.case), &place.packs, now.date(), now.doubt);
        self.rest(Phase::Choosing(Menu::Decoded(Box::new(decoded))))
    }

    /// How a visit ends whose whole purpose was to understand the phone.
    fn settled_by(&self, decoded: &Decoded) -> Outcome {
        let cause = decoded.likely.kind.id().to_owned();
        match decoded.remedy.here {
            Here::Fix | Here::CertifyAndFix => Outcome::DataFixNeeded(cause),
            Here::ShowProof | Here::Wait | Here::NothingOwed if !self.case.anything_due() => {
                self.case.nothing_due()
            }
            _ => Outcome::Referred(cause),
        }
    }

    /// The visit leaves the screen without a record.
    fn leave(&mut self, end: VisitEnd, mut effects: Vec<Effect>) -> Vec<Effect> {
        self.end = Some(end);
        effects.insert(0, Effect::StopSensors);
        effects.push(Effect::Forget);
        effects
    }
}

/// The page of a list.
pub(super) fn page(menu: &Menu, case: &Case, now: Moment, place: &Place) -> Choice {
    let reasons = |title, lines: Vec<Say>, ids: &[Id]| Choice {
        title,
        lines,
        options: ids.iter().map(|id| pick(*id, Tap::Reason(*id))).collect(),
        buttons: vec![button(Id::TapBack, Tap::Back)],
    };
    let ask = |title, body: Id, yes: Button| Choice {
        title,
        lines: vec![body.into()],
        options: Vec::new(),
        buttons: vec![yes, button(Id::TapBack, Tap::Back)],
    };
    match menu {
        Menu::Ways => Choice {
            options: ways(case, now, place),
            ..reasons(Id::WaysTitle, vec![Id::WaysBody.into()], &[])
        },
        Menu::Messages => Choice {
            options: message_lines(case, now, place),
            ..reasons(Id::MessageTitle, vec![Id::MessageBody.into()], &[])
        },
        Menu::Decoded(decoded) => decoded_page(decoded, case, place),
        Menu::Appeal => reasons(Id::AppealTitle, vec![Id::AppealBody.into()], &APPEAL_REASONS),
        Menu::Special => reasons(Id::SpecialTitle, Vec::new(), &SPECIAL_REASONS),
        Menu::Exempt => {
            let ids: Vec<Id> = exemptions(case, place).map(|c| exempt_id(Some(c))).collect();
            reasons(Id::ExemptTitle, vec![Id::ExemptBody.into()], &ids)
        }
        Menu::Proxy => reasons(Id::ProxyTitle, vec![Id::ProxyBody.into()], &RELATIONS),
        Menu::NotHere => reasons(Id::NotHereTitle, Vec::new(), &ABSENCES),
        Menu::Elsewhere => {
            let ids: Vec<Id> = elsewhere(case).map(Method::message).collect();
            reasons(Id::ElsewhereTitle, vec![Id::ElsewhereBody.into()], &ids)
        }
        Menu::VisitFailed => reasons(Id::VisitFailedTitle, Vec::new(), &VAIN_VISITS),
        Menu::VisitAgain(_) => {
            Choice { options: days_again(now), ..reasons(Id::VisitAgainTitle, Vec::new(), &[]) }
        }
        Menu::Correct => {
            let latest = case.lookup.latest;
            let lines = latest.map(|l| Id::CorrectBody.with([Arg::Term(l.outcome)]));
            reasons(Id::CorrectTitle, lines.into_iter().collect(), &CORRECTIONS)
        }
        Menu::Park => ask(Id::ParkTitle, Id::ParkBody, primary(Id::TapPark, Tap::Park)),
        Menu::Discard => {
            ask(Id::DiscardTitle, Id::DiscardBody, button(Id::TapDiscard, Tap::Discard))
        }
        Menu::Help => reasons(Id::HelpTitle, help(case, place), &[]),
    }
}

/// The ways that are open now, most needed first.
fn ways(case: &Case, now: Moment, place: &Place) -> Vec<Pick> {
    let known = case.lookup.beneficiary.is_some();
    let way = |way: Way| pick(way.label(), Tap::Way(way));
    let mut options = vec![way(Way::Message)];
    if known {
        options.push(pick(Id::TapHomeVisit, Tap::HomeVisit));
    }
    if may(case, Plan::HomeVisit, place) {
        options.push(way(Way::VisitHere));
    }
    if known {
        options.push(way(Way::VisitFailed));
    }
    if case.exempt.is_none() && case.proxy.is_none() && exemptions(case, place).next().is_some() {
        options.push(way(Way::Exempt));
    }
    if case.proxy.is_none() {
        options.push(way(Way::Proxy));
    }
    options.push(way(Way::NotHere));
    if may(case, Plan::Paper, place) {
        options.push(way(Way::Paper));
    }
    if case.anything_due() && elsewhere(case).next().is_some() {
        options.push(way(Way::Elsewhere));
    }
    if case.anything_due() {
        options.push(way(Way::Special));
    }
    let today = case.lookup.latest.filter(|latest| latest.on == now.date());
    if today.is_some() && case.supersedes.is_none() {
        options.push(way(Way::Correct));
    }
    options.push(way(Way::Park));
    options.push(way(Way::Discard));
    options.push(way(Way::Help));
    options
}

/// What a person asks most, and whom to call (R119).
fn help(case: &Case, place: &Place) -> Vec<Say> {
    let mut lines: Vec<Say> = HELP.map(Say::from).into();
    let numbers = case.packs(place).find(|pack| !pack.hotlines.is_empty());
    lines.extend(numbers.map(|pack| Id::DecodedCall.with([Arg::Text(pack.hotlines.join("、"))])));
    lines
}

/// Conditions under which every pack of this person asks for no action.
fn exemptions<'a>(case: &'a Case, place: &'a Place) -> impl Iterator<Item = Condition> + 'a {
    CONDITIONS.iter().map(|(condition, _)| *condition).filter(|condition| {
        let mut packs = case.packs(place).peekable();
        packs.peek().is_some() && packs.all(|pack| pack.liveness.exempt.contains(condition))
    })
}

pub(super) fn exempt_id(condition: Option<Condition>) -> Id {
    let found = CONDITIONS.iter().find(|(known, _)| Some(*known) == condition);
    found.map_or(Id::ExemptBedridden, |(_, id)| *id)
}

/// Ways that count for this person and that another place has; some only after another way has failed (R84).
fn elsewhere(case: &Case) -> impl Iterator<Item = Method> + '_ {
    let open = |method: &Method| {
        let mut rules = case.assessments.iter().flat_map(|a| &a.methods);
        rules.any(|rule| rule.method == *method && case.has_failed_any(&rule.only_if_failed))
    };
    ELSEWHERE.into_iter().filter(open)
}

fn roster(case: &Case) -> Option<OnRoster<'_>> {
    case.lookup.beneficiary.as_ref().map(OnRoster::from)
}

fn messages(case: &Case, now: Moment, place: &Place) -> Vec<String> {
    decoder::messages(&place.packs, roster(case), now.date())
}

fn message_lines(case: &Case, now: Moment, place: &Place) -> Vec<Pick> {
    let line = |(index, text): (u16, String)| Pick {
        words: Id::Plain.with([Arg::Text(text)]),
        tap: Tap::Message(index),
    };
    (0..).zip(messages(case, now, place)).map(line).collect()
}

/// What was found, and what can be done about it here.
fn decoded_page(decoded: &Decoded, case: &Case, place: &Place) -> Choice {
    let found = |id: Id, cause: &decoder::Cause| {
        let zh = super::pages::without_citations(&cause.evidence.zh);
        id.with([Arg::Words(Words::new(zh, &cause.evidence.en))])
    };
    let mut lines = vec![found(Id::DecodedCause, &decoded.likely)];
    let others = decoded.others.iter().take(OTHER_CAUSES_MAX);
    lines.extend(others.map(|cause| found(Id::DecodedOther, cause)));
    lines.extend(paper::way_out(decoded));
    let plans: &[Tap] = match decoded.remedy.here {
        Here::Certify | Here::CertifyAndFix => &[Tap::CertifyFace, Tap::CertifyFinger],
        Here::Remodel => &[Tap::ReEnrolFace, Tap::ReEnrolFinger],
        _ => &[],
    };
    let open = |tap: &&Tap| Plan::of(tap).is_some_and(|plan| may(case, plan, place));
    let mut buttons: Vec<Button> = plans
        .iter()
        .filter(open)
        .filter_map(|tap| Some(button(Plan::of(tap)?.label(), tap.clone())))
        .collect();
    buttons.push(button(Id::TapSettle, Tap::Settle));
    buttons[0].primary = true;
    buttons.push(button(Id::TapBack, Tap::Back));
    Choice { title: Id::DecodedTitle, lines, options: Vec::new(), buttons }
}

fn days_again(now: Moment) -> Vec<Pick> {
    let day = |days: i64| {
        let day = now.date().saturating_add(days.days());
        Pick { words: Id::VisitAgainOn.with([Arg::Day(day)]), tap: Tap::Day(day) }
    };
    VISIT_AGAIN_DAYS.map(day).into()
}

fn pick(label: Id, tap: Tap) -> Pick {
    Pick { words: label.into(), tap }
}

const HELP: [Id; 6] =
    [Id::HelpCard, Id::HelpFace, Id::HelpFinger, Id::HelpWays, Id::HelpRefuse, Id::HelpSlip];
const APPEAL_REASONS: [Id; 4] =
    [Id::AppealReasonAged, Id::AppealReasonIll, Id::AppealReasonPhotoBad, Id::AppealReasonOther];
/// R15 and R91.
const SPECIAL_REASONS: [Id; 6] = [
    Id::SpecialBedridden,
    Id::SpecialIll,
    Id::SpecialFace,
    Id::SpecialNoMethod,
    Id::SpecialTerminal,
    Id::SpecialAgency,
];
const CONDITIONS: [(Condition, Id); 5] = [
    (Condition::Deaf, Id::ExemptDeaf),
    (Condition::Dementia, Id::ExemptDementia),
    (Condition::Bedridden, Id::ExemptBedridden),
    (Condition::Blind, Id::ExemptBlind),
    (Condition::DeformedFace, Id::ExemptDeformedFace),
];
/// Who may act for somebody (C9).
const RELATIONS: [Id; 5] =
    [Id::ProxySpouse, Id::ProxyChild, Id::ProxyRelative, Id::ProxyUnitClerk, Id::ProxyStation];
const ABSENCES: [Id; 7] = [
    Id::NotHereRefused,
    Id::NotHereHospital,
    Id::NotHereAway,
    Id::NotHereAbroad,
    Id::NotHereUnknown,
    Id::NotHereDeceased,
    Id::NotHereOther,
];
const VAIN_VISITS: [Id; 5] = [
    Id::VisitFailedNobody,
    Id::VisitFailedMoved,
    Id::VisitFailedHospital,
    Id::VisitFailedRefused,
    Id::VisitFailedRoad,
];
/// What no terminal takes, but a rule may count (R11, R83, R98).
const ELSEWHERE: [Method; 3] = [Method::Voice, Method::FingerVein, Method::Window];
const CORRECTIONS: [Id; 3] = [Id::CorrectPerson, Id::CorrectChoice, Id::CorrectData];
/// When a team can come again: tomorrow, in three days, in one, two and four weeks.
const VISIT_AGAIN_DAYS: [i64; 5] = [1, 3, 7, 14, 28];
/// More possible causes only confuse; the likely one comes first.
const OTHER_CAUSES_MAX: usize = 2;
