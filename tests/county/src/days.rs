//! Days of the simulation: they are counted from 1 January 2026.

use jiff::ToSpan;
use jiff::civil::Date;

/// A day of the simulation.
pub type Day = i32;

/// The civil date of a day.
pub fn date(day: Day) -> Date {
    FIRST.saturating_add(day.days())
}

/// The day of a civil date.
pub fn day(date: Date) -> Day {
    (date - FIRST).get_days()
}

/// Claimed Unix milliseconds of a time of day in China.
pub fn unix_ms(day: Day, ms_of_day: i64) -> i64 {
    (FIRST_UNIX + i64::from(day)) * DAY_MS + ms_of_day - CHINA_MS
}

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;
const CHINA_MS: i64 = 8 * 3_600_000;
const FIRST: Date = Date::constant(2026, 1, 1);
/// Days from 1970-01-01 to 2026-01-01.
const FIRST_UNIX: i64 = 20_454;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree() {
        assert_eq!(date(0), FIRST);
        assert_eq!(day(Date::constant(2027, 6, 30)), 545);
        let moment = kiosk_core::moment::Moment {
            wall_ms: unix_ms(545, 9 * 3_600_000),
            ..kiosk_core::moment::Moment::default()
        };
        assert_eq!(moment.date(), Date::constant(2027, 6, 30));
    }
}
