//! A small county in every run of the tests, and each invariant broken on purpose once.

use county::watch::Invariant;
use county::{Plan, Report, Sabotage, run};

fn small(seed: u64, sabotage: Option<Sabotage>) -> Report {
    let report = run(Plan { seed, n_people: 5_000, n_terminals: 20, n_days: 546, sabotage });
    println!("{report}");
    report
}

#[test]
fn eighteen_months_of_a_small_county_hold() {
    let report = small(1, None);
    assert!(report.watch.holds(), "\n{report}");
    assert!(report.watch.n_visits > 500, "\n{report}");
    for what in [
        "clock jumps",
        "outages",
        "records that came again",
        "records with an interval",
        "suspensions",
        "home visits",
    ] {
        assert!(report.watch.n(what) > 0, "no {what}\n{report}");
    }
}

#[test]
fn the_same_seed_gives_the_same_county() {
    assert_eq!(small(2, None).watch, small(2, None).watch);
}

#[track_caller]
fn is_noticed(sabotage: Sabotage, by: Invariant) {
    let report = small(3, Some(sabotage));
    assert!(report.watch.broken.contains_key(&by), "{sabotage:?} went unnoticed\n{report}");
}

#[test]
fn a_record_taken_twice_is_noticed() {
    is_noticed(Sabotage::TakeTwice, Invariant::NobodyIsCountedTwice);
}

#[test]
fn a_suspension_in_spite_of_an_appeal_is_noticed() {
    is_noticed(Sabotage::IgnoreAppeals, Invariant::NobodyIsSuspendedWrongly);
}

#[test]
fn a_lost_record_is_noticed() {
    is_noticed(Sabotage::LoseRecords, Invariant::NobodyIsLost);
}

#[test]
fn a_forgotten_person_is_noticed() {
    is_noticed(Sabotage::ForgetPeople, Invariant::NobodyIsLost);
}

#[test]
fn taking_without_asking_is_noticed() {
    is_noticed(Sabotage::AskNobody, Invariant::NothingIsTakenWithoutConsent);
}
