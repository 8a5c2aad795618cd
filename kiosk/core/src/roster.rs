//! The slice of the authority's list that this site serves: who is paid what, what they did last, how they are found.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::benefit::{Entitlement, Success};
use crate::folding::fold;
use crate::identity::{IdNumber, PersonName};
use crate::moment::Doubt;
use crate::pinyin;
use crate::policy::{Assessment, DueState, Pack, PackSet};

/// One beneficiary as the authority knows them.
///
/// `name` and `number` are the authority's spelling, which may differ from the card's: the difference is what the
/// message decoder explains.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beneficiary {
    /// Identity number as the authority has it.
    pub number: String,
    /// Name as the authority has it.
    pub name: String,
    /// Village or neighbourhood, for home-visit lists.
    #[serde(default)]
    pub village: String,
    /// What they draw.
    pub entitlements: Vec<Entitlement>,
    /// Biometric references that came down with the roster.
    #[serde(default)]
    pub references: Vec<RosterReference>,
}

/// A biometric reference in the roster.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterReference {
    /// `face` or `finger`.
    pub modality: String,
    /// `ISO19794-2:2005` or `f32x512`.
    pub format: String,
    /// Extractor that made it.
    pub extractor: String,
    /// Day it was made, YYYY-MM-DD.
    pub created: String,
    /// The template, hexadecimal.
    pub template: String,
    /// Quality at enrolment, 0 to 100.
    pub quality: u8,
}

/// What one person is found and listed by. All of it follows from the roster, the packs in force and a day.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RosterKeys {
    /// The name under which all its spellings meet.
    pub folded: String,
    /// What may be typed for the name on Latin keys, in order: whole syllables, initials, surname and initials.
    pub spellings: Vec<String>,
    /// The village, folded as names are.
    pub village: String,
    /// Last day in time of the earliest certification that is or will be owed. Somebody for whom no date is known owes
    /// it now; somebody under review owes nothing before the answer.
    pub due: Option<Date>,
    /// The earliest of these days after which the agency stops a payment. None where it does not, where it has, and
    /// while a review protects from it (R125).
    pub suspend: Option<Date>,
    /// Whether a payment was stopped.
    pub suspended: bool,
}

/// What was recorded here about a person and the roster may not know yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// Successes, each with its pack.
    pub successes: Vec<(String, Success)>,
    /// What the centre has to answer, the oldest first.
    pub filed: Vec<Filed>,
}

/// Something that was filed here and that the centre answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filed {
    /// Day of capture.
    pub on: Date,
    /// An appeal; else pictures that made no reference.
    pub is_appeal: bool,
}

impl Filed {
    /// Codes of the outcomes that are answered later ([`crate::outcome::Outcome::code`]).
    pub const OUTCOMES: [&str; 2] = ["APPEAL_FILED", "UNDER_REVIEW"];

    /// What a record with this outcome filed.
    pub fn of(outcome: &str, on: Date) -> Option<Self> {
        let [appeal, review] = Self::OUTCOMES;
        (outcome == appeal || outcome == review).then(|| Self { on, is_appeal: outcome == appeal })
    }
}

/// A review that runs because of what was filed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Review {
    /// Since when.
    pub since: Date,
    /// By when the answer is expected (C26).
    pub by: Date,
}

impl Recent {
    /// The review that was begun last, as long as these packs say. Somebody who comes while it runs and is told so
    /// leaves a record of a review as well; that one begins none.
    pub fn review<'p>(&self, packs: impl Iterator<Item = &'p Pack>) -> Option<Review> {
        let first = *self.filed.first()?;
        let mut days = (None, None);
        for pack in packs {
            days = (days.0.max(pack.appeal.review_days), days.1.max(pack.model.review_days));
        }
        let begun = |filed: Filed| {
            let days = if filed.is_appeal { days.0 } else { days.1 }.unwrap_or(REVIEW_DAYS);
            Review { since: filed.on, by: filed.on.saturating_add(i64::from(days).days()) }
        };
        let next = |running: Review, filed: &Filed| {
            let begins = filed.is_appeal || filed.on > running.remembered_until();
            if begins { begun(*filed) } else { running }
        };
        Some(self.filed[1..].iter().fold(begun(first), next))
    }
}

impl Review {
    /// An answer that is late is no answer: the person stays protected until a roster says more, or it is forgotten.
    fn remembered_until(&self) -> Date {
        self.by.saturating_add(LATE_ANSWER_DAYS.days())
    }
}

/// The keys of a person.
pub fn keys(
    person: &Beneficiary,
    number: &IdNumber,
    recent: &Recent,
    packs: &PackSet,
    today: Date,
) -> RosterKeys {
    let mut keys = RosterKeys {
        folded: fold(&person.name),
        spellings: pinyin::spellings(&person.name),
        village: fold(&person.village),
        ..RosterKeys::default()
    };
    for (assessment, suspends) in standings(person, number, recent, packs, today, Doubt::None) {
        let due = match assessment.state {
            // Somebody whose case is being looked at need not come before the answer.
            DueState::NotRequired(_) | DueState::UnderReview => None,
            _ => Some(assessment.due.unwrap_or(today)),
        };
        keys.due = earlier(keys.due, due);
        match assessment.state {
            DueState::Suspended => keys.suspended = true,
            _ if suspends => keys.suspend = earlier(keys.suspend, due),
            _ => {}
        }
    }
    keys
}

/// One person in a list on the screen; what is personal in it is masked.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// Whom it is about, for whatever is begun from the list. Never shown.
    pub number: IdNumber,
    /// First character of the name and stars.
    pub name: String,
    /// First and last digits of the number and stars.
    pub masked: String,
    /// Village or neighbourhood.
    pub village: String,
    /// The most urgent state of all benefits. None where no pack in force knows any of them.
    pub state: Option<DueState>,
    /// The earliest day by which something is or will be owed.
    pub due: Option<Date>,
    /// Whether the agency stops a payment after that.
    pub suspends: bool,
}

impl Line {
    /// The line of a person today, whatever the keys said when they were made.
    pub fn of(
        person: &Beneficiary,
        number: &IdNumber,
        recent: &Recent,
        packs: &PackSet,
        today: Date,
        doubt: Doubt,
    ) -> Self {
        let all = standings(person, number, recent, packs, today, doubt);
        let most_urgent = all.iter().min_by_key(|(assessment, _)| assessment.state.urgency());
        Self {
            number: number.clone(),
            name: PersonName(person.name.clone()).masked(),
            masked: number.masked(),
            village: person.village.clone(),
            state: most_urgent.map(|(assessment, _)| assessment.state),
            due: all.iter().filter_map(|(assessment, _)| assessment.due).min(),
            suspends: all.iter().any(|(assessment, suspends)| {
                *suspends && assessment.state.is_owed() && assessment.state != DueState::Suspended
            }),
        }
    }
}

/// What a clerk typed into the search field.
#[derive(Clone, PartialEq, Eq)]
pub enum Query {
    /// A whole number.
    Number(IdNumber),
    /// A name or a village, or its beginning, folded.
    Words(String),
    /// Latin letters of a name, or their beginning.
    Letters(String),
    /// Nothing, or digits that are no number.
    Nothing,
}

impl Query {
    /// Takes what was typed, in any width of letters and with or without spaces and dots.
    pub fn parse(text: &str) -> Self {
        let words = fold(text);
        if let Ok(number) = IdNumber::parse(&words) {
            return Self::Number(number);
        }
        if let Some(letters) = pinyin::typed(text) {
            return Self::Letters(letters);
        }
        if words.is_ascii() { Self::Nothing } else { Self::Words(words) }
    }
}

/// What is due for each benefit that a pack knows, and whether the agency stops the payment of the late.
fn standings(
    person: &Beneficiary,
    number: &IdNumber,
    recent: &Recent,
    packs: &PackSet,
    today: Date,
    doubt: Doubt,
) -> Vec<(Assessment, bool)> {
    let review = recent.review(packs_of(person, packs, today));
    let each = |entitlement: &Entitlement| {
        let pack = packs.on(&entitlement.pack, today)?;
        let entitlement = with_recent(entitlement, recent, review, today);
        Some((pack.assess(&entitlement, number.birth(), today, doubt), pack.late.suspend))
    };
    person.entitlements.iter().filter_map(each).collect()
}

/// The packs of a person's benefits that are in force on a day.
pub fn packs_of<'p>(
    person: &'p Beneficiary,
    packs: &'p PackSet,
    today: Date,
) -> impl Iterator<Item = &'p Pack> {
    person.entitlements.iter().filter_map(move |drawn| packs.on(&drawn.pack, today))
}

/// An entitlement as it stands with what was recorded here: a newer success counts and ends a suspension, and a review
/// protects until it is answered (R125).
pub fn with_recent(
    entitlement: &Entitlement,
    recent: &Recent,
    review: Option<Review>,
    today: Date,
) -> Entitlement {
    let mut known = entitlement.clone();
    for (_, success) in recent.successes.iter().filter(|(pack, _)| *pack == entitlement.pack) {
        if known.last.is_none_or(|last| last.on <= success.on) {
            known.last = Some(*success);
            known.suspended = false;
        }
    }
    let runs = |review: &Review| {
        let answered = known.last.is_some_and(|last| last.on >= review.since);
        !answered && today <= review.remembered_until()
    };
    if let (None, Some(review)) = (known.under_review, review.filter(runs)) {
        known.under_review = Some(review.by);
    }
    known
}

fn earlier(one: Option<Date>, other: Option<Date>) -> Option<Date> {
    one.into_iter().chain(other).min()
}

impl std::fmt::Debug for Beneficiary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beneficiary(…)")
    }
}

impl std::fmt::Debug for RosterReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RosterReference({}, …)", self.modality)
    }
}

impl std::fmt::Debug for RosterKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RosterKeys(…)")
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line({:?}, …)", self.state.map(|state| state.id()))
    }
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Number(_) => "Number(…)",
            Self::Words(_) => "Words(…)",
            Self::Letters(_) => "Letters(…)",
            Self::Nothing => "Nothing",
        })
    }
}

/// Days of a review where no pack names any: the week of R76.
pub const REVIEW_DAYS: u16 = 7;
/// How long after its day an answer may still be on its way.
const LATE_ANSWER_DAYS: i64 = 30;

#[cfg(test)]
mod tests;
