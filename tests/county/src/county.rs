//! The days of the county: who comes when, which terminals have a line, a wrong clock, a new edition.

use std::collections::VecDeque;
use std::time::Duration;

use kiosk_core::benefit::{Method, Success};
use kiosk_core::policy::{DueState, PackSet};

use crate::centre::{self, Centre, Next, OUTAGE_MAX};
use crate::chance::Chance;
use crate::clerk::{End, Visit};
use crate::counter::Counter;
use crate::days::{self, Day};
use crate::editions::Editions;
use crate::population::{Drawn, Errand, Person};
use crate::watch::{Invariant, Watch};

/// How large, how long, from which seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// People who are paid.
    pub n_people: u32,
    /// Terminals.
    pub n_terminals: u16,
    /// Days.
    pub n_days: Day,
    /// An invariant to be broken on purpose.
    pub sabotage: Option<Sabotage>,
}

/// What is done wrong on purpose, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The centre takes a record again that arrives again.
    TakeTwice,
    /// The centre suspends whoever is late, appeal or not.
    IgnoreAppeals,
    /// A terminal loses the newest record of its outbox when the power goes.
    LoseRecords,
    /// Nobody was asked for consent.
    AskNobody,
    /// A person is forgotten after a visit.
    ForgetPeople,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The plan.
    pub plan: Plan,
    /// Counts and breaches.
    pub watch: Watch,
    /// People who came to a counter at least once.
    pub n_at_counters: u32,
    /// Processor time spent in visits and in finding out what each visitor owes.
    pub in_visits: Duration,
    /// All processor time.
    pub overall: Duration,
}

/// Everything.
struct County {
    plan: Plan,
    editions: Editions,
    people: Vec<Person>,
    counters: Vec<Counter>,
    last_contact: Vec<Day>,
    centre: Centre,
    agenda: Vec<Vec<(u32, Errand)>>,
    came: Vec<bool>,
    n_committed: u64,
    watch: Watch,
    in_visits: Duration,
}

/// Lives through the whole plan.
pub fn run(plan: Plan) -> Report {
    let begun = processor_time();
    let mut county = County::new(plan);
    for day in 0..county.plan.n_days {
        county.live(day);
    }
    county.settle();
    let n_at_counters = county.came.iter().filter(|came| **came).count();
    Report {
        n_at_counters: u32::try_from(n_at_counters).unwrap_or(u32::MAX),
        plan: county.plan,
        watch: county.watch,
        in_visits: county.in_visits,
        overall: processor_time().saturating_sub(begun),
    }
}

impl County {
    fn new(plan: Plan) -> Self {
        let editions = Editions::read();
        let people = 0..plan.n_people;
        let people: Vec<Person> =
            people.map(|index| Person::new(plan.seed, index, plan.n_terminals)).collect();
        let terminals = 0..plan.n_terminals;
        let mut centre = Centre::default();
        centre.takes_twice = plan.sabotage == Some(Sabotage::TakeTwice);
        centre.ignores_appeals = plan.sabotage == Some(Sabotage::IgnoreAppeals);
        let mut county = Self {
            counters: terminals.map(|number| Counter::new(number, editions.after(0))).collect(),
            last_contact: vec![0; usize::from(plan.n_terminals)],
            came: vec![false; people.len()],
            agenda: vec![Vec::new(); usize::try_from(plan.n_days).unwrap_or(0)],
            centre,
            people,
            editions,
            n_committed: 0,
            watch: Watch::default(),
            in_visits: Duration::ZERO,
            plan,
        };
        for index in 0..county.plan.n_people {
            county.plan_next(index, -1);
        }
        county
    }

    /// A day: mornings, errands, evenings.
    fn live(&mut self, day: Day) {
        for counter in &mut self.counters {
            let mut chance = Chance::of(&[self.plan.seed, day as u64, counter.number.into(), 2]);
            if chance.is(CLOCK_JUMPS) {
                counter.clock_jumps(day + chance.within(1, 5), &mut chance);
                self.watch.count("clock jumps");
            }
            counter.morning(day);
        }
        let errands = std::mem::take(&mut self.agenda[day as usize]);
        let (visits, others): (Vec<_>, Vec<_>) =
            errands.into_iter().partition(|(_, errand)| *errand == Errand::Come);
        for (index, errand) in others {
            self.run(index, errand, day);
        }
        // The reader has checked the number before a visit begins.
        for (index, _) in &visits {
            self.people[*index as usize].number();
        }
        let begun = processor_time();
        for (index, errand) in visits {
            self.run(index, errand, day);
        }
        self.in_visits += processor_time().saturating_sub(begun);
        for at in 0..self.counters.len() {
            self.evening(at, day);
        }
    }

    fn run(&mut self, index: u32, errand: Errand, day: Day) {
        let person = &mut self.people[index as usize];
        if person.dies_on <= day {
            return;
        }
        if errand != Errand::CheckLate {
            // A later plan took the place of this one.
            if person.planned != Some((day, errand)) {
                return;
            }
            person.planned = None;
        }
        match errand {
            Errand::Come => self.come(index, day),
            Errand::Phone => self.phone(index, day),
            Errand::VisitHome => self.visit_home(index, day),
            Errand::Answer => self.answer(index, day),
            Errand::CheckLate => self.check_late(index, day),
        }
        let is_planned = self.people[index as usize].planned.is_some();
        self.watch.hold(Invariant::NobodyIsLost, is_planned, || {
            format!("nothing is planned for person {index} after {errand:?} on day {day}")
        });
    }

    fn answer(&mut self, index: u32, day: Day) {
        let approved = self.chance(index, day, 3).is(0.85);
        let packs = self.editions.after(self.editions.published_by(day));
        let person = &mut self.people[index as usize];
        self.centre.answer(person, approved, day, packs, &mut self.watch);
        self.watch.count(if approved { "appeals approved" } else { "appeals refused" });
        self.plan_next(index, day);
    }

    /// Somebody comes to a counter.
    fn come(&mut self, index: u32, day: Day) {
        let mut chance = self.chance(index, day, 4);
        self.came[index as usize] = true;
        let elsewhere = chance.is(0.06);
        let home = self.people[index as usize].home;
        let at = if elsewhere {
            usize::try_from(chance.within(0, i32::from(self.plan.n_terminals) - 1)).unwrap_or(0)
        } else {
            usize::from(home)
        };
        let owes = self.owes(index, day);
        let n_before = self.counters[at].outbox.len();
        let end = self.visit(index, at, owes, chance);
        let n_new = self.counters[at].outbox.len() - n_before;
        self.n_committed += n_new as u64;
        if n_new > 0 {
            self.note_what_is_durable(index, at, day);
        }
        if end != End::Recorded {
            // Whoever was not told comes again.
            if self.plan.sabotage == Some(Sabotage::LoseRecords) && n_new > 0 {
                self.counters[at].outbox.pop_back();
            }
            self.schedule(index, Errand::Come, day + 1);
            return;
        }
        if self.plan.sabotage == Some(Sabotage::ForgetPeople) && index.is_multiple_of(97) {
            return;
        }
        // The record will arrive and plan more; until then the person waits at most so long.
        self.schedule(index, self.usual(index), day + 120);
    }

    fn visit(&mut self, index: u32, at: usize, owes: bool, mut chance: Chance) -> End {
        let visit = Visit {
            counter: &mut self.counters[at],
            person: &self.people[index as usize],
            is_impostor: chance.is(0.002),
            refuses: chance.is(0.004),
            owes,
            chance,
            watch: &mut self.watch,
            asks_nobody: self.plan.sabotage == Some(Sabotage::AskNobody),
        };
        visit.serve()
    }

    /// The truth, as nobody but the simulation knows it at once.
    fn note_what_is_durable(&mut self, index: u32, at: usize, day: Day) {
        let kept = self.counters[at].outbox.back().expect("a record was committed");
        let person = &mut self.people[index as usize];
        match kept.record.outcome.code() {
            "APPEAL_FILED" => {
                person.appeal_since.get_or_insert(day);
            }
            "CERTIFIED" | "MODEL_BUILT_AND_CERTIFIED" if covers_all(kept, person) => {
                person.proved_on = Some(day);
            }
            _ => {}
        }
    }

    fn owes(&self, index: u32, day: Day) -> bool {
        let person = &self.people[index as usize];
        let packs = self.editions.after(self.editions.published_by(day));
        let is_owed = |drawn| {
            let found = centre::stand(drawn, person.born, day, packs);
            found.is_some_and(|(found, _)| found.state.is_owed())
        };
        let has_proved = person.proved_on.is_some_and(|on| on + 25 > day);
        !has_proved && person.benefits.iter().any(is_owed)
    }

    fn phone(&mut self, index: u32, day: Day) {
        let on = days::date(day);
        let packs = self.editions.after(self.editions.published_by(day));
        let person = &mut self.people[index as usize];
        for at in 0..person.benefits.len() {
            let success = Success { on, method: Method::Phone };
            self.centre.succeed(person, at, success, day, packs, &mut self.watch);
        }
        self.watch.count("certifications by phone");
        self.plan_next(index, day);
    }

    fn visit_home(&mut self, index: u32, day: Day) {
        let mut chance = self.chance(index, day, 5);
        if chance.is(0.1) {
            self.schedule(index, Errand::VisitHome, day + chance.within(5, 15));
            return;
        }
        let packs = self.editions.after(self.editions.published_by(day));
        let person = &mut self.people[index as usize];
        person.awaits_visit = false;
        for at in 0..person.benefits.len() {
            let success = Success { on: days::date(day), method: Method::HomeVisit };
            self.centre.succeed(person, at, success, day, packs, &mut self.watch);
        }
        self.watch.count("home visits");
        self.plan_next(index, day);
    }

    fn check_late(&mut self, index: u32, day: Day) {
        let packs = self.editions.after(self.editions.published_by(day));
        // The centre waits for the slowest terminal before it stops a payment.
        let slowest = self.last_contact.iter().min().copied().unwrap_or(day);
        if slowest + OUTAGE_MAX < day {
            self.at(index, Errand::CheckLate, day + 1);
            return;
        }
        let person = &mut self.people[index as usize];
        if self.centre.suspend_if_late(person, day, packs, &mut self.watch) {
            // Who is not paid comes.
            let soon = self.chance(index, day, 9).within(3, 23);
            self.schedule(index, Errand::Come, day + soon);
        } else if person.awaits_visit || person.appeal_since.is_some() {
            self.at(index, Errand::CheckLate, day + 10);
        }
    }

    /// The line is there or not; what is in the outbox goes, and receipts may be lost on the way back.
    fn evening(&mut self, at: usize, day: Day) {
        let mut chance = Chance::of(&[self.plan.seed, day as u64, at as u64, 6]);
        let counter = &mut self.counters[at];
        if chance.is(OUTAGES) {
            counter.offline_until = day + chance.within(2, OUTAGE_MAX - 1);
            self.watch.count("outages");
        }
        if day < counter.offline_until {
            return;
        }
        self.deliver(at, day, &mut chance, RECEIPTS_LOST);
        let counter = &mut self.counters[at];
        counter.hears_the_centre();
        counter.roster_day = day;
        let n_published = self.editions.published_by(day);
        if counter.n_editions < n_published && chance.is(0.4) {
            counter.adopt(n_published, self.editions.after(n_published));
            self.watch.count("editions adopted");
        }
    }

    fn deliver(&mut self, at: usize, day: Day, chance: &mut Chance, receipts_lost: f64) {
        let last_contact = self.last_contact[at];
        let packs = self.editions.after(self.editions.published_by(day));
        let mut follows = Vec::new();
        let mut left = VecDeque::new();
        for kept in std::mem::take(&mut self.counters[at].outbox) {
            let person = &mut self.people[kept.person as usize];
            let watch = &mut self.watch;
            let next = self.centre.receive(&kept, person, day, last_contact, packs, watch);
            follows.extend(next.map(|next| (kept.person, next)));
            // The receipt did not come back: the record stays, and goes out again.
            if chance.is(receipts_lost) {
                left.push_back(kept);
            }
        }
        self.counters[at].outbox = left;
        self.last_contact[at] = day;
        for (index, next) in follows {
            self.follow(index, next, day, chance);
        }
    }

    fn follow(&mut self, index: u32, next: Next, day: Day, chance: &mut Chance) {
        let planned = self.people[index as usize].planned;
        let awaited = matches!(planned, Some((_, Errand::Answer | Errand::VisitHome)));
        match next {
            // Somebody is to come or to answer first.
            Next::Plan | Next::ComeAgain if awaited => {}
            Next::Plan => self.plan_next(index, day),
            Next::Answer => self.schedule(index, Errand::Answer, day + chance.within(3, 10)),
            Next::VisitHome => self.schedule(index, Errand::VisitHome, day + chance.within(5, 20)),
            Next::ComeAgain => self.schedule(index, Errand::Come, day + chance.within(1, 10)),
        }
    }

    /// In the end every line is there: each durable record has arrived, once.
    fn settle(&mut self) {
        let day = self.plan.n_days;
        for at in 0..self.counters.len() {
            let mut chance = Chance::of(&[self.plan.seed, at as u64, 7]);
            self.deliver(at, day, &mut chance, 0.0);
        }
        let (arrived, committed) = (self.centre.n_records() as u64, self.n_committed);
        self.watch.hold(Invariant::NobodyIsLost, arrived == committed, || {
            format!("{committed} records were durable, {arrived} arrived")
        });
        for person in &self.people {
            let is_planned = person.planned.is_some() || person.dies_on <= day;
            self.watch.hold(Invariant::NobodyIsLost, is_planned, || {
                format!("person {} has no next step in the end", person.index)
            });
        }
    }

    /// The next step after the books have changed.
    fn plan_next(&mut self, index: u32, today: Day) {
        let mut chance = self.chance(index, today, 8);
        let packs = self.editions.after(self.editions.published_by(today));
        let person = &self.people[index as usize];
        let soonest = person
            .benefits
            .iter()
            .filter_map(|drawn| wanted(drawn, person, today, packs, &mut chance))
            .min();
        let (mut on, due) = soonest.unwrap_or((today + 180, None));
        if chance.is(0.04) {
            on += chance.within(20, 70);
        }
        self.schedule(index, self.usual(index), on.max(today + 1));
        if let Some(due) = due {
            self.at(index, Errand::CheckLate, due + self.centre.grace_days() + 1);
        }
    }

    fn usual(&self, index: u32) -> Errand {
        if self.people[index as usize].by_phone { Errand::Phone } else { Errand::Come }
    }

    /// The one next step of a person; it takes the place of the one before.
    fn schedule(&mut self, index: u32, errand: Errand, day: Day) {
        self.people[index as usize].planned = Some((day, errand));
        self.at(index, errand, day);
    }

    fn at(&mut self, index: u32, errand: Errand, day: Day) {
        let slot = usize::try_from(day).ok().and_then(|day| self.agenda.get_mut(day));
        if let Some(errands) = slot {
            errands.push((index, errand));
        }
    }

    fn chance(&self, index: u32, day: Day, purpose: u64) -> Chance {
        Chance::of(&[self.plan.seed, u64::from(index), day as u64, purpose])
    }
}

/// When somebody will come for a benefit, and by when they have to.
fn wanted(
    drawn: &Drawn,
    person: &Person,
    today: Day,
    packs: &PackSet,
    chance: &mut Chance,
) -> Option<(Day, Option<Day>)> {
    let (found, _) = centre::stand(drawn, person.born, today, packs)?;
    let due = found.due.map(days::day);
    let opens = found.opens.map_or(today, days::day).max(today + 1);
    let on = match found.state {
        DueState::NotRequired(_) => return None,
        DueState::UnderReview => today + 20,
        DueState::Overdue | DueState::Suspended => chance.within(today + 1, today + 30),
        _ => chance.within(opens, due.unwrap_or(opens + 60)),
    };
    Some((on, due))
}

/// What this thread has had of a processor so far; other programs on the machine do not make it longer.
fn processor_time() -> Duration {
    let read = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = read.split(' ').next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}

/// Whether a record counts for all that a person draws.
fn covers_all(kept: &crate::counter::Kept, person: &Person) -> bool {
    kept.record.benefits.len() == person.benefits.len()
        && kept.record.benefits.iter().all(|benefit| benefit.counted)
}

const CLOCK_JUMPS: f64 = 0.002;
const OUTAGES: f64 = 0.02;
const RECEIPTS_LOST: f64 = 0.05;
