//! Stories of each schedule kind, day by day.

use expect_test::{Expect, expect};

use super::*;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn month_day(month: i8, day: i8) -> MonthDay {
    MonthDay::new(month, day).unwrap()
}

fn window(opens: (i8, i8), closes: (i8, i8)) -> Window {
    Window { opens: month_day(opens.0, opens.1), closes: month_day(closes.0, closes.1) }
}

/// `last` may be `-`; each day tells where somebody born on 20 August 1950 stands.
fn check(schedule: Schedule, last: &str, days: &str, expect: &Expect) {
    let calendar = Calendar { schedule, overrides: Vec::new() };
    let dates =
        Dates { born: day("1950-08-20"), since: Some(day("2010-01-01")), last: last.parse().ok() };
    let line = |today: &str| format!("{today} {}\n", told(calendar.standing(&dates, day(today))));
    expect.assert_eq(&days.split(' ').map(line).collect::<String>());
}

fn told(standing: Standing) -> String {
    let (word, period) = match standing {
        Standing::Filled(period) => ("filled, next", period),
        Standing::NotOpen(period) => ("not open", period),
        Standing::Open(period) => ("open", period),
        Standing::Late(period) => ("late", period),
        Standing::Unrecorded => return "unrecorded".to_owned(),
    };
    format!("{word} {} to {}", period.opens, period.due)
}

#[test]
fn a_birth_month_reaches_into_its_neighbours() {
    let schedule = Schedule::BirthMonth {
        anchor: Anchor::Birth,
        months_before: 1,
        months_after: 0,
        half_yearly: false,
    };
    check(
        schedule,
        "2020-08-31",
        "2021-06-30 2021-07-01 2021-08-31 2021-09-01",
        &expect![[r#"
        2021-06-30 filled, next 2021-07-01 to 2021-08-31
        2021-07-01 open 2021-07-01 to 2021-08-31
        2021-08-31 open 2021-07-01 to 2021-08-31
        2021-09-01 late 2021-07-01 to 2021-08-31
    "#]],
    );
}

#[test]
fn a_birth_month_comes_again_after_half_a_year() {
    let schedule = Schedule::BirthMonth {
        anchor: Anchor::Birth,
        months_before: 0,
        months_after: 0,
        half_yearly: true,
    };
    check(
        schedule,
        "2020-08-05",
        "2021-01-31 2021-02-01 2021-02-28 2021-03-01",
        &expect![[r#"
        2021-01-31 filled, next 2021-02-01 to 2021-02-28
        2021-02-01 open 2021-02-01 to 2021-02-28
        2021-02-28 open 2021-02-01 to 2021-02-28
        2021-03-01 late 2021-02-01 to 2021-02-28
    "#]],
    );
}

#[test]
fn a_retirement_month_opens_three_months_earlier() {
    let schedule = Schedule::BirthMonth {
        anchor: Anchor::Retirement,
        months_before: 3,
        months_after: 0,
        half_yearly: false,
    };
    check(
        schedule,
        "2020-01-20",
        "2020-09-30 2020-10-01 2021-01-31 2021-02-01",
        &expect![[r#"
        2020-09-30 filled, next 2020-10-01 to 2021-01-31
        2020-10-01 open 2020-10-01 to 2021-01-31
        2021-01-31 open 2020-10-01 to 2021-01-31
        2021-02-01 late 2020-10-01 to 2021-01-31
    "#]],
    );
}

#[test]
fn half_years_meet_at_midsummer() {
    check(
        Schedule::HalfYear,
        "2020-06-30",
        "2020-06-30 2020-07-01 2020-12-31 2021-01-01",
        &expect![[r#"
        2020-06-30 filled, next 2020-07-01 to 2020-12-31
        2020-07-01 open 2020-07-01 to 2020-12-31
        2020-12-31 open 2020-07-01 to 2020-12-31
        2021-01-01 late 2020-07-01 to 2020-12-31
    "#]],
    );
}

#[test]
fn quarters_are_parts_of_a_natural_year() {
    check(
        Schedule::CalendarYear { count: 4 },
        "2020-03-31",
        "2020-03-31 2020-04-01 2020-07-01",
        &expect![[r#"
        2020-03-31 filled, next 2020-04-01 to 2020-06-30
        2020-04-01 open 2020-04-01 to 2020-06-30
        2020-07-01 late 2020-04-01 to 2020-06-30
    "#]],
    );
}

#[test]
fn a_window_may_run_over_new_year() {
    let schedule = Schedule::Windows(vec![window((11, 15), (1, 15))]);
    check(
        schedule,
        "2020-01-10",
        "2020-11-14 2020-11-15 2021-01-15 2021-01-16",
        &expect![[r#"
        2020-11-14 filled, next 2020-11-15 to 2021-01-15
        2020-11-15 open 2020-11-15 to 2021-01-15
        2021-01-15 open 2020-11-15 to 2021-01-15
        2021-01-16 late 2020-11-15 to 2021-01-15
    "#]],
    );
}

#[test]
fn a_month_may_end_before_its_last_day() {
    check(
        Schedule::Monthly { from: 5, to: 31 },
        "2021-01-06",
        "2021-02-04 2021-02-05 2021-02-28 2021-03-01",
        &expect![[r#"
        2021-02-04 filled, next 2021-02-05 to 2021-02-28
        2021-02-05 open 2021-02-05 to 2021-02-28
        2021-02-28 open 2021-02-05 to 2021-02-28
        2021-03-01 late 2021-02-05 to 2021-02-28
    "#]],
    );
}

#[test]
fn a_leap_day_is_the_28th_in_other_years() {
    let schedule = Schedule::Deadline(window((1, 1), (2, 29)));
    check(
        schedule,
        "2019-02-01",
        "2020-02-29 2020-03-01 2021-02-28",
        &expect![[r#"
        2020-02-29 open 2020-01-01 to 2020-02-29
        2020-03-01 late 2020-01-01 to 2020-02-29
        2021-02-28 late 2020-01-01 to 2020-02-29
    "#]],
    );
    let rolling = Schedule::Rolling { months: 12, open_days_before: 30 };
    check(
        rolling,
        "2020-02-29",
        "2021-01-28 2021-01-29 2021-02-28 2021-03-01",
        &expect![[r#"
        2021-01-28 filled, next 2021-01-29 to 2021-02-28
        2021-01-29 open 2021-01-29 to 2021-02-28
        2021-02-28 open 2021-01-29 to 2021-02-28
        2021-03-01 late 2021-01-29 to 2021-02-28
    "#]],
    );
}

#[test]
fn somebody_without_any_success_is_counted_from_the_first_day() {
    let rolling = Schedule::Rolling { months: 12, open_days_before: 30 };
    check(
        rolling,
        "-",
        "2010-06-01 2011-01-01 2011-01-02",
        &expect![[r#"
            2010-06-01 open 2010-01-01 to 2011-01-01
            2011-01-01 open 2010-01-01 to 2011-01-01
            2011-01-02 late 2010-01-01 to 2011-01-01
        "#]],
    );
    check(
        Schedule::CalendarYear { count: 1 },
        "-",
        "2010-06-01 2011-01-01",
        &expect![[r#"
        2010-06-01 open 2010-01-01 to 2010-12-31
        2011-01-01 late 2010-01-01 to 2010-12-31
    "#]],
    );
}

#[test]
fn nobody_is_late_without_a_date_to_count_from() {
    let calendar = Calendar { schedule: Schedule::HalfYear, overrides: Vec::new() };
    let dates = Dates { born: day("1950-08-20"), since: None, last: None };
    assert!(matches!(calendar.standing(&dates, day("2020-06-30")), Standing::Open(_)));
    let rolling = Schedule::Rolling { months: 12, open_days_before: 30 };
    let calendar = Calendar { schedule: rolling, overrides: Vec::new() };
    assert_eq!(calendar.standing(&dates, day("2020-06-30")), Standing::Unrecorded);
}
