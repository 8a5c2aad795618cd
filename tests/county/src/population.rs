//! Who lives in the county: ages, benefits, and how well machine and person get on.
//!
//! The share that comes to a counter is the notices' (R120: 17,319 of 244,523). The other shares are ours, chosen so
//! that every way through a visit is walked; the pyramid of ages follows the census of 2020 roughly.

use std::cell::OnceCell;

use jiff::ToSpan;
use jiff::civil::Date;
use kiosk_core::benefit::{Abode, Entitlement, Method, Success};
use kiosk_core::identity::IdNumber;

use crate::chance::Chance;
use crate::days::{self, Day};
use crate::editions::Editions;

/// Somebody who is paid.
pub struct Person {
    /// Position in the county.
    pub index: u32,
    /// Day of birth.
    pub born: Date,
    /// The terminal of their town.
    pub home: u16,
    /// What they draw, and what the centre knew of it when.
    pub benefits: Vec<Drawn>,
    /// Uses the phone where it can be used.
    pub by_phone: bool,
    /// Chance that one sitting of the face says "the same".
    pub likeness: f64,
    /// An enrolled finger, and the chance that one scan of it says "the same".
    pub finger: Option<f64>,
    /// A face reference is at the centre.
    pub has_model: bool,
    /// The chip's photo can be decoded.
    pub has_photo: bool,
    /// Cannot leave the bed.
    pub is_bedridden: bool,
    /// The roster spells the name otherwise.
    pub is_misspelt: bool,
    /// Not on a roster made before this day.
    pub known_from: Day,
    /// Last day of life.
    pub dies_on: Day,
    /// The next step that is planned for this person.
    pub planned: Option<(Day, Errand)>,
    /// The day of the first appeal that was filed at a counter and is not answered.
    pub appeal_since: Option<Day>,
    /// The centre has that appeal.
    pub appeal_is_known: bool,
    /// The true day of the last proof of life at a counter that is durable there.
    pub proved_on: Option<Day>,
    /// Somebody of the agency is to come to the home.
    pub awaits_visit: bool,
    number: OnceCell<IdNumber>,
}

/// A next step of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Comes to a counter.
    Come,
    /// Uses the phone.
    Phone,
    /// Is visited at home.
    VisitHome,
    /// The centre answers an appeal.
    Answer,
    /// The centre looks whether the payment has to stop.
    CheckLate,
}

/// One benefit.
pub struct Drawn {
    /// Index of the pack.
    pub pack: u8,
    /// As the roster names it.
    pub group: &'static str,
    /// First day of the entitlement.
    pub since: Date,
    /// Where the person lives, as far as the rules care.
    pub abode: Abode,
    /// What the centre knew, by the day from which rosters have it. Never empty.
    pub history: Vec<Known>,
}

/// What the centre knows about a benefit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Rosters made on this day and later have it.
    pub from: Day,
    /// Last success.
    pub last: Option<Success>,
    /// Payment is stopped.
    pub is_suspended: bool,
    /// A review runs until this day.
    pub under_review: Option<Date>,
}

impl Drawn {
    /// What the centre knows now.
    pub fn now(&self) -> Known {
        *self.history.last().expect("a history begins with the first day")
    }

    /// What a roster of this day has.
    pub fn as_of(&self, day: Day) -> Known {
        let known = self.history.iter().rev().find(|known| known.from <= day);
        *known.unwrap_or(&self.history[0])
    }

    /// The roster's line.
    pub fn entitlement(&self, known: &Known) -> Entitlement {
        Entitlement {
            pack: Editions::ids()[usize::from(self.pack)].to_owned(),
            group: self.group.to_owned(),
            last: known.last,
            suspended: known.is_suspended,
            under_review: known.under_review,
            retired_on: Some(self.since),
            abode: self.abode,
            ..Entitlement::default()
        }
    }
}

impl Person {
    /// The person at `index`.
    pub fn new(seed: u64, index: u32, n_terminals: u16) -> Self {
        let mut chance = Chance::of(&[seed, u64::from(index), 1]);
        let kind = KINDS[pick(&mut chance, KINDS.map(|kind| kind.weight))];
        let age = age(&mut chance, &kind);
        let born = days::date(-(age * 365 + chance.within(0, 364)));
        let to_counter = match age {
            ..70 => 0.0385,
            70..80 => 0.08,
            80..90 => 0.17,
            _ => 0.30,
        };
        let by_phone = !chance.is(to_counter);
        // Whoever comes to a counter often comes because the phone did not recognise them (R64).
        let has_changed = chance.is(0.12);
        let likeness = if has_changed { 0.35 } else { 0.97 - f64::from(age.max(60) - 60) * 0.004 };
        let finger_works = 0.97 - f64::from(age.max(60) - 60) * 0.006;
        let yearly_deaths = 0.006 * 1.09_f64.powi((age - 60).max(0));
        let lives_on = chance.unit().ln() / (1.0 - yearly_deaths.min(0.5)).ln();
        Self {
            index,
            born,
            home: u16::try_from(index % u32::from(n_terminals)).unwrap_or(0),
            benefits: benefits(&mut chance, &kind, born),
            by_phone,
            likeness,
            finger: chance.is(0.4).then_some(finger_works),
            has_model: chance.is(0.6),
            has_photo: !chance.is(0.02),
            is_bedridden: chance.is(if age >= 85 { 0.12 } else { 0.01 }),
            is_misspelt: chance.is(0.02),
            known_from: if chance.is(0.01) { DAY_FAR } else { DAY_LONG_AGO },
            dies_on: (lives_on * 365.0).min(f64::from(DAY_FAR)) as Day,
            planned: None,
            appeal_since: None,
            appeal_is_known: false,
            proved_on: None,
            awaits_visit: false,
            number: OnceCell::new(),
        }
    }

    /// A citizen number that nobody else in the county has.
    pub fn number(&self) -> &IdNumber {
        let made = || IdNumber::parse(&self.digits()).expect("numbers are made sound");
        self.number.get_or_init(made)
    }

    fn digits(&self) -> String {
        let (area, order) = (130_201 + self.index % 300, self.index / 300);
        let (year, month, day) = (self.born.year(), self.born.month(), self.born.day());
        let digits = format!("{area}{year:04}{month:02}{day:02}{order:03}");
        let sum: u32 = digits.bytes().zip(WEIGHTS).map(|(d, w)| u32::from(d - b'0') * w).sum();
        digits + &char::from(CHECK_DIGITS[(sum % 11) as usize]).to_string()
    }

    /// A name.
    pub fn name(&self) -> String {
        let (family, given) = (self.index as usize % FAMILY.len(), self.index as usize / 7);
        format!("{}{}", FAMILY[family], GIVEN[given % GIVEN.len()])
    }
}

/// People with numbers that differ.
pub const PEOPLE_MAX: u32 = 290_000;

#[derive(Clone, Copy)]
struct Kind {
    weight: u32,
    pack: u8,
    group: &'static str,
    ages: Option<(i32, i32)>,
}

const fn kind(weight: u32, pack: u8, group: &'static str) -> Kind {
    Kind { weight, pack, group, ages: None }
}

const KINDS: [Kind; 12] = [
    kind(300, 2, "resident"),
    kind(150, 0, "resident"),
    kind(120, 1, "retiree"),
    kind(90, 4, "retiree"),
    kind(90, 6, "retiree"),
    kind(60, 7, "retiree"),
    kind(90, 8, "retiree"),
    kind(50, 5, "retiree"),
    Kind { weight: 20, pack: 1, group: "survivor", ages: Some((20, 95)) },
    Kind { weight: 10, pack: 8, group: "survivor", ages: Some((8, 95)) },
    Kind { weight: 8, pack: 1, group: "work_injury", ages: Some((35, 75)) },
    Kind { weight: 12, pack: 3, group: "unemployed", ages: Some((28, 58)) },
];

fn pick<const N: usize>(chance: &mut Chance, weights: [u32; N]) -> usize {
    chance.weighted(weights.into_iter()).unwrap_or(0)
}

/// Per mille of people above 60 in bands of five years, up to 89; the rest is older.
fn age(chance: &mut Chance, kind: &Kind) -> i32 {
    if let Some((low, high)) = kind.ages {
        return chance.within(low, high);
    }
    let band = pick(chance, [278, 280, 188, 118, 77, 40, 19]);
    let low = 60 + 5 * i32::try_from(band).unwrap_or(0);
    chance.within(low, if low == 90 { 104 } else { low + 4 })
}

fn benefits(chance: &mut Chance, kind: &Kind, born: Date) -> Vec<Drawn> {
    let mut drawn = vec![benefit(chance, kind.pack, kind.group, born)];
    // A few draw a survivor's allowance beside their own pension.
    let share = match kind.group {
        "resident" => 0.05,
        "retiree" if kind.pack != 1 => 0.03,
        _ => return drawn,
    };
    if chance.is(share) {
        drawn.push(benefit(chance, 1, "survivor", born));
    }
    drawn
}

fn benefit(chance: &mut Chance, pack: u8, group: &'static str, born: Date) -> Drawn {
    let since = born.saturating_add(60.years()).min(days::date(chance.within(-900, -30)));
    let last = (!chance.is(0.02)).then(|| Success {
        on: days::date(-chance.within(10, if group == "unemployed" { 30 } else { 360 })),
        method: Method::Phone,
    });
    let first = Known { from: DAY_LONG_AGO, last, is_suspended: false, under_review: None };
    let abode = match chance.within(0, 199) {
        0..=3 => Abode::Elsewhere,
        4 => Abode::Overseas,
        5 => Abode::HkMoTw,
        _ => Abode::Local,
    };
    Drawn { pack, group, since, abode, history: vec![first] }
}

const FAMILY: [&str; 10] = ["王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴"];
const GIVEN: [&str; 8] = ["秀英", "桂兰", "建国", "德福", "玉珍", "国强", "凤英", "志明"];
/// GB 11643-1999.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECK_DIGITS: [u8; 11] = *b"10X98765432";
/// Before everything.
pub const DAY_LONG_AGO: Day = -10_000;
/// After everything.
pub const DAY_FAR: Day = 10_000;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_are_sound_and_nobody_shares_one() {
        let people = (0..2_000).map(|at| Person::new(1, at * 140, 200));
        let numbers: HashSet<IdNumber> = people.map(|person| person.number().clone()).collect();
        assert_eq!(numbers.len(), 2_000);
    }

    #[test]
    fn about_seven_in_a_hundred_come_to_a_counter() {
        let people = (0..20_000).map(|at| Person::new(7, at, 200));
        let share = people.filter(|person| !person.by_phone).count() as f64 / 20_000.0;
        assert!((0.062..0.080).contains(&share), "{share}");
    }
}
