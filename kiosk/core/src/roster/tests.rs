//! Keys and lines of invented people under the packs of the repository.

use expect_test::{Expect, expect};
use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::benefit::Method;
use crate::policy::tests::all as packs;

const NUMBER: &str = "11010519491231002X";
const DEADLINE: &str = "cn.nm.region.enterprise_pension";
const ROLLING: &str = "cn.sx.province.enterprise_pension";

fn person(name: &str, entitlements: Vec<Entitlement>) -> Beneficiary {
    Beneficiary {
        number: NUMBER.into(),
        name: name.into(),
        village: "石 桥村".into(),
        entitlements,
        references: Vec::new(),
    }
}

fn entitlement(pack: &str, last: Option<Date>) -> Entitlement {
    let last = last.map(|on| Success { on, method: Method::FaceModel });
    Entitlement { pack: pack.into(), last, ..Entitlement::default() }
}

fn keys_of(entitlements: Vec<Entitlement>, recent: &[(String, Success)]) -> RosterKeys {
    let number = IdNumber::parse(NUMBER).unwrap();
    let recent = Recent { successes: recent.to_vec(), ..Recent::default() };
    keys(&person("單秀英", entitlements), &number, &recent, packs(), date(2026, 9, 16))
}

fn check(entitlements: Vec<Entitlement>, recent: &[(String, Success)], expect: &Expect) {
    let keys = keys_of(entitlements, recent);
    let day = |day: Option<Date>| day.map_or_else(|| "-".into(), |day| day.to_string());
    let suspended = if keys.suspended { ", suspended" } else { "" };
    expect.assert_eq(&format!("due {}, stops {}{suspended}", day(keys.due), day(keys.suspend)));
}

#[test]
fn a_person_is_found_by_folded_name_letters_and_village() {
    let keys = keys_of(Vec::new(), &[]);
    assert_eq!((keys.folded.as_str(), keys.village.as_str()), ("单秀英", "石桥村"));
    assert!(keys.spellings.iter().any(|spelling| spelling == "sxy"));
    assert_eq!((keys.due, keys.suspend, keys.suspended), (None, None, false));
}

#[test]
fn the_earliest_day_of_all_benefits_counts() {
    let long_ago = Some(date(2025, 9, 1));
    check(vec![entitlement(DEADLINE, long_ago)], &[], &expect!["due 2026-10-31, stops 2026-10-31"]);
    check(vec![entitlement(ROLLING, long_ago)], &[], &expect!["due 2026-09-01, stops 2026-09-01"]);
    let both = vec![entitlement(DEADLINE, long_ago), entitlement(ROLLING, long_ago)];
    check(both, &[], &expect!["due 2026-09-01, stops 2026-09-01"]);
    check(vec![entitlement("no.such.pack", long_ago)], &[], &expect!["due -, stops -"]);
}

#[test]
fn whoever_has_no_date_owes_it_now_and_whoever_owes_nothing_has_none() {
    check(vec![entitlement(ROLLING, None)], &[], &expect!["due 2026-09-16, stops 2026-09-16"]);
    let duplicate = Entitlement { duplicate: true, ..entitlement(ROLLING, None) };
    check(vec![duplicate], &[], &expect!["due -, stops -"]);
}

#[test]
fn a_stopped_payment_and_one_under_review_are_not_about_to_be_stopped() {
    let long_ago = Some(date(2024, 9, 1));
    let stopped = Entitlement { suspended: true, ..entitlement(ROLLING, long_ago) };
    check(vec![stopped.clone()], &[], &expect!["due 2025-09-01, stops -, suspended"]);
    let review =
        Entitlement { under_review: Some(date(2026, 10, 1)), ..entitlement(ROLLING, long_ago) };
    check(vec![review], &[], &expect!["due -, stops -"]);

    let recent = [(ROLLING.to_owned(), Success { on: date(2026, 9, 15), method: Method::Window })];
    check(vec![stopped], &recent, &expect!["due 2027-09-15, stops 2027-09-15"]);
}

#[test]
fn a_line_shows_the_most_urgent_state_and_nothing_personal() {
    let number = IdNumber::parse(NUMBER).unwrap();
    let late = person(
        "單秀英",
        vec![
            entitlement(DEADLINE, Some(date(2026, 2, 1))),
            entitlement(ROLLING, Some(date(2025, 9, 1))),
        ],
    );
    let line =
        Line::of(&late, &number, &Recent::default(), packs(), date(2026, 9, 16), Doubt::None);
    assert_eq!((line.name.as_str(), line.masked.as_str()), ("單**", "110105********002X"));
    assert_eq!((line.state, line.suspends), (Some(DueState::Overdue), true));
    assert_eq!(line.due, Some(date(2026, 9, 1)));
    let printed = format!("{line:?} {:?} {:?}", keys_of(Vec::new(), &[]), Query::parse("單秀英"));
    assert_eq!(printed, r#"Line(Some("overdue"), …) RosterKeys(…) Words(…)"#);
}

#[test]
fn what_is_typed_is_a_number_letters_or_words() {
    let words = |text: &str| Query::Words(text.into());
    let letters = |text: &str| Query::Letters(text.into());
    let number = || Query::Number(IdNumber::parse(NUMBER).unwrap());
    assert_eq!(Query::parse("１１０１０５ 19491231 002x"), number());
    assert_eq!(Query::parse("110105491231002"), number());
    assert_eq!(Query::parse("張 秀"), words("张秀"));
    assert_eq!(Query::parse("买买提•吐"), words("买买提吐"));
    assert_eq!(Query::parse("石桥村3组"), words("石桥村3组"));
    assert_eq!(Query::parse("Zhang Xiu"), letters("zhangxiu"));
    for nothing in ["", " ", "1101051949", "zxy2", "·"] {
        assert_eq!(Query::parse(nothing), Query::Nothing, "{nothing}");
    }
}

proptest! {
    #[test]
    fn nobody_can_be_listed_in_a_way_that_panics(
        name in any::<String>(),
        typed in any::<String>(),
        day in -4000_i64..200_000,
        last in prop::option::of(-4000_i64..200_000),
        suspended: bool,
    ) {
        let on = |days: i64| date(1970, 1, 1).saturating_add(jiff::Span::new().days(days));
        let one = Entitlement { suspended, ..entitlement(ROLLING, last.map(on)) };
        let number = IdNumber::parse(NUMBER).unwrap();
        let person = person(&name, vec![one, entitlement(DEADLINE, None)]);
        let keys = keys(&person, &number, &Recent::default(), packs(), on(day));
        prop_assert!(keys.suspend.is_none_or(|stops| keys.due.is_some_and(|due| due <= stops)));
        Line::of(&person, &number, &Recent::default(), packs(), on(day), Doubt::Doubtful);
        Query::parse(&typed);
        prop_assert_eq!(&keys.folded, &fold(&keys.folded));
    }
}

#[test]
fn what_was_filed_here_protects_until_it_is_answered() {
    let number = IdNumber::parse(NUMBER).unwrap();
    let filed = |day, is_appeal| Filed { on: date(2026, 9, day), is_appeal };
    let stand = |filed: &[Filed], successes: &[(String, Success)], today: Date| {
        let late = Entitlement { suspended: true, ..entitlement(ROLLING, Some(date(2025, 1, 1))) };
        let recent = Recent { successes: successes.to_vec(), filed: filed.to_vec() };
        let line =
            Line::of(&person("單秀英", vec![late]), &number, &recent, packs(), today, Doubt::None);
        line.state.map(|state| state.id()).unwrap()
    };
    let appeal = [filed(10, true)];
    assert_eq!(stand(&[], &[], date(2026, 9, 11)), "suspended");
    assert_eq!(stand(&appeal, &[], date(2026, 9, 11)), "under_review");
    assert_eq!(stand(&appeal, &[], date(2026, 10, 17)), "under_review", "a late answer");
    assert_eq!(stand(&appeal, &[], date(2026, 10, 18)), "suspended", "no answer at all");
    let approved = Success { on: date(2026, 9, 10), method: Method::Appeal };
    assert_eq!(stand(&appeal, &[(ROLLING.into(), approved)], date(2026, 9, 20)), "done");
    let recent = |filed: &[Filed]| Recent { filed: filed.to_vec(), ..Recent::default() };
    let since = |filed: &[Filed]| recent(filed).review([].into_iter()).map(|r| (r.since, r.by));
    let told = [filed(1, false), filed(3, false)];
    assert_eq!(since(&told), Some((date(2026, 9, 1), date(2026, 9, 8))), "told, not filed again");
    let again = [filed(1, true), filed(3, true)];
    assert_eq!(since(&again), Some((date(2026, 9, 3), date(2026, 9, 10))));
}
