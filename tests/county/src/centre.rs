//! A model of the centre: it takes each record once, keeps the ledger of successes, answers appeals, suspends.

use std::collections::{HashMap, HashSet};

use kiosk_core::benefit::{Method, Success};
use kiosk_core::moment::Doubt;
use kiosk_core::outcome::Outcome;
use kiosk_core::policy::{DueState, Pack, PackSet, Repeat, Stand};
use kiosk_core::record::RecordId;

use crate::counter::Kept;
use crate::days::{self, Day};
use crate::population::{Drawn, Known, Person};
use crate::watch::{Invariant, Watch};

/// The books.
#[derive(Default)]
pub struct Centre {
    received: HashMap<RecordId, u64>,
    visits: HashSet<[u8; 16]>,
    /// Person, benefit, due date of the period that was filled.
    filled: HashSet<Filled>,
    /// What each record that counted has changed, so that a correction can take it back.
    changed: HashMap<RecordId, Vec<(usize, Filled, Known)>>,
    /// Breaks an invariant on purpose: a record that arrives again is taken again.
    pub takes_twice: bool,
    /// Breaks an invariant on purpose: appeals protect nobody.
    pub ignores_appeals: bool,
}

/// A period of a benefit of a person that a success has filled.
type Filled = (u32, u8, Day);

/// What has to be done after a record was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing but to wait for the next date.
    Plan,
    /// The appeal has to be answered.
    Answer,
    /// Somebody has to go there.
    VisitHome,
    /// The person comes again soon.
    ComeAgain,
}

impl Centre {
    /// Days after the due date before a payment stops: longer than any terminal is without a line.
    pub fn grace_days(&self) -> Day {
        if self.ignores_appeals { 0 } else { GRACE_DAYS }
    }

    /// How many records it has.
    pub fn n_records(&self) -> usize {
        self.received.len()
    }

    /// Whether it has a record.
    pub fn has(&self, record: RecordId) -> bool {
        self.received.contains_key(&record)
    }

    /// Takes a record; nothing is to be done when it is there already.
    pub fn receive(
        &mut self,
        kept: &Kept,
        person: &mut Person,
        today: Day,
        last_contact: Day,
        packs: &PackSet,
        watch: &mut Watch,
    ) -> Option<Next> {
        let record = &kept.record;
        if let Some(known) = self.received.insert(record.id, kept.digest)
            && !self.takes_twice
        {
            watch.count("records that came again");
            watch.hold(Invariant::NobodyIsCountedTwice, known == kept.digest, || {
                format!("{} came again with other bytes", record.id)
            });
            return None;
        }
        let first = self.visits.insert(record.visit);
        watch.hold(Invariant::NobodyIsCountedTwice, first, || format!("{} twice", record.id));
        if let Some(corrected) = record.supersedes {
            let known = self.received.contains_key(&corrected);
            watch
                .hold(Invariant::NobodyIsLost, known, || format!("{corrected} is corrected first"));
            self.take_back(corrected, person, today);
            watch.count("corrections");
        }
        let on = evidence_day(kept, today, last_contact);
        self.count(kept, person, on, today, packs, watch);
        Some(match record.outcome {
            Outcome::AppealFiled => {
                self.review(person, on, today);
                Next::Answer
            }
            Outcome::VisitRequested | Outcome::SpecialRequested => {
                person.awaits_visit = true;
                Next::VisitHome
            }
            Outcome::DataFixNeeded(_) => {
                person.known_from = person.known_from.min(today + 1);
                Next::ComeAgain
            }
            Outcome::StoppedSuspectedFake | Outcome::Referred(_) | Outcome::NotPresent(_) => {
                Next::ComeAgain
            }
            _ => Next::Plan,
        })
    }

    fn count(
        &mut self,
        kept: &Kept,
        person: &mut Person,
        on: Day,
        today: Day,
        packs: &PackSet,
        watch: &mut Watch,
    ) {
        let method = method_of(kept);
        let reported = kept.record.outcome == Outcome::EvidenceOnly;
        for at in 0..person.benefits.len() {
            let drawn = &person.benefits[at];
            let id = crate::editions::Editions::ids()[usize::from(drawn.pack)];
            let claimed = kept.record.benefits.iter().find(|benefit| benefit.pack == id);
            // Evidence of somebody who is on another site's list names no benefit: the books know them.
            let guest = reported && kept.record.benefits.is_empty();
            let counts = guest || claimed.is_some_and(|benefit| benefit.counted || reported);
            if counts {
                self.succeed(
                    person,
                    at,
                    Success { on: days::date(on), method },
                    today,
                    packs,
                    watch,
                );
            }
        }
        if kept.record.outcome == Outcome::ModelBuiltAndCertified {
            person.has_model = true;
        }
    }

    /// What a record achieved is as if it had not been.
    fn take_back(&mut self, record: RecordId, person: &mut Person, today: Day) {
        for (at, filled, before) in self.changed.remove(&record).unwrap_or_default() {
            self.filled.remove(&filled);
            learn(&mut person.benefits[at], today, before);
        }
    }

    /// A success that the rules accept, whichever way it was reached. The period that it filled.
    pub fn succeed(
        &mut self,
        person: &mut Person,
        at: usize,
        success: Success,
        today: Day,
        packs: &PackSet,
        watch: &mut Watch,
    ) -> Option<Filled> {
        let (index, born) = (person.index, person.born);
        let drawn = &mut person.benefits[at];
        let (before, pack) = stand(drawn, born, days::day(success.on), packs)?;
        let done = matches!(before.state, DueState::Done(_));
        if done && pack.repeat_by(success.method) != Repeat::AllowExtend {
            watch.count("second successes that changed nothing");
            return None;
        }
        if before.state == DueState::NotOpen {
            watch.count("successes before the period opened");
            return None;
        }
        let known = drawn.now();
        if !pack.counts_for(&drawn.entitlement(&known), success.method) {
            return None;
        }
        if known.last.is_some_and(|last| last.on >= success.on) {
            watch.count("successes older than one that is known");
            return None;
        }
        let filled = before.due.map_or(i32::MIN, days::day);
        let filled = (index, drawn.pack, filled);
        let first = self.filled.insert(filled);
        watch.hold(Invariant::NobodyIsCountedTwice, first, || {
            format!("{}: the period until {:?} was filled before", pack.id, before.due)
        });
        learn(drawn, today, Known { last: Some(success), is_suspended: false, ..known });
        Some(filled)
    }

    /// An appeal protects from the day on which it is known (R125).
    fn review(&mut self, person: &mut Person, on: Day, today: Day) {
        person.appeal_since.get_or_insert(on);
        person.appeal_is_known = true;
        if self.ignores_appeals {
            return;
        }
        for drawn in &mut person.benefits {
            let until = Some(days::date(on.max(today) + REVIEW_DAYS));
            let known = Known { under_review: until, is_suspended: false, ..drawn.now() };
            learn(drawn, today, known);
        }
    }

    /// The answer to an appeal (R90): a success on the day of capture, or proof at the window.
    pub fn answer(
        &mut self,
        person: &mut Person,
        is_approved: bool,
        today: Day,
        packs: &PackSet,
        watch: &mut Watch,
    ) {
        let filed_on = person.appeal_since.take().unwrap_or(today).min(today);
        person.appeal_is_known = false;
        for at in 0..person.benefits.len() {
            let known = Known { under_review: None, ..person.benefits[at].now() };
            learn(&mut person.benefits[at], today, known);
            if is_approved {
                let success = Success { on: days::date(filed_on), method: Method::Appeal };
                self.succeed(person, at, success, today, packs, watch);
            }
        }
    }

    /// Stops the payment of whoever is late, unless something protects. True when somebody was suspended.
    pub fn suspend_if_late(
        &mut self,
        person: &mut Person,
        today: Day,
        packs: &PackSet,
        watch: &mut Watch,
    ) -> bool {
        if person.awaits_visit {
            return false;
        }
        let born = person.born;
        let mut any = false;
        for at in 0..person.benefits.len() {
            let Some((found, pack)) = stand(&person.benefits[at], born, today, packs) else {
                continue;
            };
            let due = found.due.map_or(today, days::day);
            if found.state != DueState::Overdue || due + self.grace_days() > today {
                continue;
            }
            let appeals = person.appeal_is_known && person.appeal_since.is_some();
            let in_time = person.proved_on.is_some_and(|on| on <= due && opened(&found, on));
            watch.hold(Invariant::NobodyIsSuspendedWrongly, !appeals && !in_time, || {
                format!(
                    "{} due {due}, day {today}: appeal since {:?}, proved on {:?}",
                    pack.id, person.appeal_since, person.proved_on
                )
            });
            let known = Known { is_suspended: true, ..person.benefits[at].now() };
            learn(&mut person.benefits[at], today, known);
            watch.count("suspensions");
            any = true;
        }
        any
    }
}

/// Where somebody stands by the centre's books, and by which pack.
pub fn stand<'p>(
    drawn: &Drawn,
    born: jiff::civil::Date,
    today: Day,
    packs: &'p PackSet,
) -> Option<(Stand, &'p Pack)> {
    let entitlement = drawn.entitlement(&drawn.now());
    let today = days::date(today);
    let pack = packs.on(&entitlement.pack, today)?;
    Some((pack.stand(&entitlement, born, today, Doubt::None), pack))
}

fn opened(found: &Stand, on: Day) -> bool {
    found.opens.is_none_or(|opens| days::day(opens) <= on)
}

fn learn(drawn: &mut Drawn, today: Day, known: Known) {
    drawn.history.push(Known { from: today, ..known });
}

/// The day of capture counts (R123), kept between the terminal's last contact and today where its clock is wrong.
fn evidence_day(kept: &Kept, today: Day, last_contact: Day) -> Day {
    let claimed = days::day(kept.record.captured.date());
    claimed.clamp(last_contact.min(today), today)
}

fn method_of(kept: &Kept) -> Method {
    let evidence = &kept.record.evidence;
    if evidence.iter().any(|found| found.modality == "witness" && found.reference == "home-visit") {
        return Method::HomeVisit;
    }
    let proof = evidence.iter().rev().find(|found| found.verdict == "same");
    match proof {
        Some(found) if found.modality == "finger" => Method::FingerprintModel,
        Some(found) if found.reference.starts_with("enrolled") => Method::FaceModel,
        Some(_) => Method::FaceIdPhoto,
        None => Method::PaperStatement,
    }
}

const GRACE_DAYS: Day = 30;
/// The longest time without a line.
pub const OUTAGE_MAX: Day = 20;
/// A week of review (R76).
const REVIEW_DAYS: Day = 7;
