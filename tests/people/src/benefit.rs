//! What a simulated person is paid and when they last proved that they live. Plain data: rules are the product's.

use crate::{
    person::{Date, Person, Sex, Story},
    random::Random,
};

/// How a proof of life was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Method {
    /// Face against the card.
    Face,
    /// Finger against the enrolled template.
    Finger,
    /// A visit at home by two officers.
    HomeVisit,
    /// The application on a telephone.
    Phone,
    /// A paper form.
    Paper,
}

/// The last proof of life that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LastSuccess {
    /// The day it was given.
    pub date: Date,
    /// How.
    pub method: Method,
}

/// One benefit of one person.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Benefit {
    /// A short stable name: `resident-pension`, `employee-pension`, `old-age-allowance`, `survivor-allowance`.
    pub scheme: &'static str,
    /// The group inside the scheme that sets the schedule: `ordinary`, `aged-80`, `survivor`.
    pub group: &'static str,
    /// `None` if no proof was ever given here: the first enrolment is due.
    pub last_success: Option<LastSuccess>,
    /// The day since which nothing is paid, if payment is suspended.
    pub suspended_since: Option<Date>,
}

/// The benefits of a person; "today" of every story is in the year 2026.
pub(crate) fn of(person: &Person) -> Vec<Benefit> {
    let mut random = Random::of(&[person.seed, u64::from(person.index), BENEFITS]);
    let age = person.age_on(TODAY);
    let main = Benefit {
        scheme: main_scheme(person, age, &mut random),
        group: group(person, age),
        last_success: last_success(person.story(), &mut random),
        suspended_since: (person.story() == Story::Suspended).then_some((2026, 3, 1)),
    };
    let mut benefits = vec![main];
    if age >= 80 {
        benefits.push(Benefit {
            scheme: "old-age-allowance",
            group: "aged-80",
            ..benefits[0].clone()
        });
    }
    benefits
}

fn pension_age(sex: Sex) -> i16 {
    if sex == Sex::Male { 60 } else { 55 }
}

fn group(person: &Person, age: i16) -> &'static str {
    match age {
        80.. => "aged-80",
        _ if age < pension_age(person.sex) => "survivor",
        _ => "ordinary",
    }
}

fn main_scheme(person: &Person, age: i16, random: &mut Random) -> &'static str {
    if age < pension_age(person.sex) {
        "survivor-allowance"
    } else if random.chance(65) {
        "resident-pension"
    } else {
        "employee-pension"
    }
}

/// More than a year before [`TODAY`] where a proof is due, a few weeks before it where nothing is.
fn last_success(story: Story, random: &mut Random) -> Option<LastSuccess> {
    let day = random.within(1, 28) as u8;
    let (date, method) = match story {
        Story::Due => {
            return random
                .chance(50)
                .then_some(LastSuccess { date: (2025, 4, day), method: Method::Paper });
        }
        Story::DueWithFinger => ((2025, 5, day), Method::Finger),
        Story::FaceSwapped => ((2025, 6, day), Method::Face),
        Story::NothingDue => {
            ((2026, 10, day), *random.pick(&[Method::Face, Method::Finger, Method::Phone]))
        }
        Story::Suspended => ((2024, 2, day), Method::HomeVisit),
    };
    Some(LastSuccess { date, method })
}

/// The day that the stories are told for.
pub const TODAY: Date = (2026, 11, 16);
const BENEFITS: u64 = 3;
