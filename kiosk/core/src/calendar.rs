//! Schedule kinds, windows and due dates: when a certification is owed.
//!
//! Civil dates only. A success fills the period in which it falls; a period runs from its own opening to the
//! day before the next one opens, so a late success still fills the period that was missed.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::benefit::vocabulary;

/// The calendar of one benefit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The general rule.
    pub schedule: Schedule,
    /// Years for which a notice said something else.
    pub overrides: Vec<Override>,
}

/// The general rule of a calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Valid for so many months from the last success (R19).
    Rolling {
        /// Validity.
        months: i32,
        /// How many days before the end the next one is welcome.
        open_days_before: i32,
    },
    /// So many times in a natural year, in equal parts (R20).
    CalendarYear {
        /// 1, 2, 3, 4, 6 or 12.
        count: i8,
    },
    /// Once in each window (R21, R23).
    Windows(Vec<Window>),
    /// Every month between two days (R22).
    Monthly {
        /// First day.
        from: i8,
        /// Last day; in shorter months the last day of the month.
        to: i8,
    },
    /// Once a year, until a day (R24).
    Deadline(Window),
    /// Around the month of birth or of retirement.
    BirthMonth {
        /// Which date gives the month.
        anchor: Anchor,
        /// Months before it in which one may come.
        months_before: i8,
        /// Months after it in which one may still come.
        months_after: i8,
        /// Again six months later.
        half_yearly: bool,
    },
    /// Once in each half of the year.
    HalfYear,
}

vocabulary! {
    /// Names of the schedule kinds in a pack.
    Kind {
        Rolling = "rolling", "滚动有效期", "rolling validity";
        CalendarYear = "calendar_year", "自然年度", "natural year";
        Windows = "windows", "窗口期", "windows";
        Monthly = "monthly", "每月", "monthly";
        Deadline = "deadline", "年度截止日", "yearly deadline";
        BirthMonth = "birth_month", "出生月或退休月", "month of birth or retirement";
        HalfYear = "half_year", "每半年", "half year";
    }
}

vocabulary! {
    /// Which of a person's dates gives the month of [`Schedule::BirthMonth`].
    Anchor {
        Birth = "birth", "出生", "birth";
        Retirement = "retirement", "退休", "retirement";
    }
}

/// A day in any year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonthDay {
    /// 1 to 12.
    pub month: i8,
    /// 1 to 31; 29 February is the 28th in other years.
    pub day: i8,
}

/// Part of a year. One that closes before it opens runs into the next year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// First day.
    pub opens: MonthDay,
    /// Last day.
    pub closes: MonthDay,
}

/// What a notice said for one year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The year.
    pub year: i16,
    /// Windows that replace the general ones. Where a notice contradicts itself, the earlier end (C3).
    pub windows: Vec<Window>,
    /// Why, for the person who reads it.
    pub note: String,
    /// The same in English, if the pack says it.
    pub note_en: Option<String>,
}

/// One period in which a certification is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First day on which a success fills it.
    pub opens: Date,
    /// Last day in time.
    pub due: Date,
}

/// A person's own dates, as far as a calendar needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// Birth.
    pub born: Date,
    /// First day of the entitlement.
    pub since: Option<Date>,
    /// Last success.
    pub last: Option<Date>,
}

/// Where somebody stands on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The present period is filled; this one comes next.
    Filled(Period),
    /// Nothing is owed yet.
    NotOpen(Period),
    /// Owed and in time.
    Open(Period),
    /// This one was missed.
    Late(Period),
    /// No date is known from which a period could be counted.
    Unrecorded,
}

impl MonthDay {
    /// A day that exists in some year.
    pub fn new(month: i8, day: i8) -> Option<Self> {
        Date::new(LEAP_YEAR, month, day).ok().map(|_| Self { month, day })
    }

    /// This day in a year.
    pub fn in_year(self, year: i16) -> Date {
        clamped(year, self.month, self.day)
    }
}

impl Window {
    fn in_year(self, year: i16) -> Period {
        let closing_year = if self.closes < self.opens { year.saturating_add(1) } else { year };
        Period { opens: self.opens.in_year(year), due: self.closes.in_year(closing_year) }
    }
}

impl Schedule {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Rolling { .. } => Kind::Rolling,
            Self::CalendarYear { .. } => Kind::CalendarYear,
            Self::Windows(_) => Kind::Windows,
            Self::Monthly { .. } => Kind::Monthly,
            Self::Deadline(_) => Kind::Deadline,
            Self::BirthMonth { .. } => Kind::BirthMonth,
            Self::HalfYear => Kind::HalfYear,
        }
    }
}

impl Calendar {
    /// Where somebody stands on this day. A last success in the future means that the clock is behind;
    /// the day of the success is then the better guess.
    pub fn standing(&self, dates: &Dates, today: Date) -> Standing {
        let today = dates.last.map_or(today, |last| last.max(today));
        match self.schedule {
            Schedule::Rolling { months, open_days_before } => {
                rolling(months, open_days_before, dates, today)
            }
            _ => self.in_periods(dates, today),
        }
    }

    /// The override that shaped a period, if one did.
    pub fn override_of(&self, period: Period) -> Option<&Override> {
        self.overrides.iter().find(|o| o.windows.iter().any(|w| w.in_year(o.year) == period))
    }

    fn in_periods(&self, dates: &Dates, today: Date) -> Standing {
        let start = dates.last.or(dates.since).unwrap_or(today).min(today);
        let periods = self.periods(dates, start, today);
        let now = periods.iter().rposition(|p| p.opens <= today);
        let (Some(now), false) = (now, periods.is_empty()) else {
            return Standing::Unrecorded;
        };
        let (current, next) = (periods[now], periods[now + 1]);
        match (dates.last, dates.since) {
            (Some(last), _) if last >= current.opens => Standing::Filled(next),
            (Some(last), _) => owed(&periods, today, |p| p.opens > last),
            (None, Some(since)) => owed(&periods, today, |p| p.due >= since),
            (None, None) if today <= current.due => Standing::Open(current),
            // Nobody knows since when: this year's last day is over, and that must not send anybody away.
            (None, None) if current.due.year() == today.year() => Standing::Late(current),
            (None, None) => Standing::NotOpen(next),
        }
    }

    /// Periods in order, from at least one before `from` to at least one after `to`.
    fn periods(&self, dates: &Dates, from: Date, to: Date) -> Vec<Period> {
        let years =
            from.year().saturating_sub(MARGIN_YEARS)..=to.year().saturating_add(MARGIN_YEARS);
        let mut periods = Vec::with_capacity(PERIODS_FEW);
        years.for_each(|year| self.add_year(dates, year, &mut periods));
        periods.sort_by_key(|p| p.opens);
        periods
    }

    fn add_year(&self, dates: &Dates, year: i16, periods: &mut Vec<Period>) {
        if let Some(instead) = self.overrides.iter().find(|o| o.year == year) {
            return periods.extend(instead.windows.iter().map(|w| w.in_year(year)));
        }
        match &self.schedule {
            Schedule::Rolling { .. } => {}
            Schedule::CalendarYear { count } => periods.extend(parts(year, *count)),
            Schedule::HalfYear => periods.extend(parts(year, 2)),
            Schedule::Windows(windows) => periods.extend(windows.iter().map(|w| w.in_year(year))),
            Schedule::Monthly { from, to } => {
                periods.extend((1..=MONTHS).map(|month| month_part(year, month, *from, *to)));
            }
            Schedule::Deadline(window) => periods.push(window.in_year(year)),
            Schedule::BirthMonth { anchor, months_before, months_after, half_yearly } => {
                let month = match anchor {
                    Anchor::Birth => Some(dates.born.month()),
                    Anchor::Retirement => dates.since.map(Date::month),
                };
                let later = month.filter(|_| *half_yearly).map(|month| month + MONTHS / 2);
                let months = month.into_iter().chain(later);
                periods.extend(months.map(|m| around(year, m, *months_before, *months_after)));
            }
        }
    }
}

/// Validity that runs from the last success. Without one, from the first day of the entitlement, on which the first
/// certification may be taken.
fn rolling(months: i32, open_days_before: i32, dates: &Dates, today: Date) -> Standing {
    let Some(start) = dates.last.or(dates.since) else {
        return Standing::Unrecorded;
    };
    let due = start.saturating_add(months.months());
    let opens = match dates.last {
        Some(_) => due.saturating_sub(open_days_before.days()).max(start),
        None => start,
    };
    let period = Period { opens, due };
    match (today <= due, today < opens, dates.last) {
        (false, _, _) => Standing::Late(period),
        (true, true, Some(_)) => Standing::Filled(period),
        (true, true, None) => Standing::NotOpen(period),
        (true, false, _) => Standing::Open(period),
    }
}

/// The first period that is owed, seen from today.
fn owed(periods: &[Period], today: Date, is_owed: impl Fn(&Period) -> bool) -> Standing {
    match periods.iter().find(|p| is_owed(p)) {
        None => Standing::Unrecorded,
        Some(first) if first.due < today => Standing::Late(*first),
        Some(first) if first.opens <= today => Standing::Open(*first),
        Some(first) => Standing::NotOpen(*first),
    }
}

fn parts(year: i16, count: i8) -> impl Iterator<Item = Period> {
    let length = MONTHS / count;
    (0..count).map(move |part| Period {
        opens: clamped(year, part * length + 1, 1),
        due: clamped(year, (part + 1) * length, 31),
    })
}

fn month_part(year: i16, month: i8, from: i8, to: i8) -> Period {
    Period { opens: clamped(year, month, from), due: clamped(year, month, to) }
}

fn around(year: i16, month: i8, before: i8, after: i8) -> Period {
    let first = clamped(year, 1, 1).saturating_add(i32::from(month - 1).months());
    let last = first.saturating_add(i32::from(after).months());
    Period { opens: first.saturating_sub(i32::from(before).months()), due: last.last_of_month() }
}

/// A date with the day cut to the month's length.
fn clamped(year: i16, month: i8, day: i8) -> Date {
    let year = year.clamp(YEAR_MIN, YEAR_MAX);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    };
    Date::new(year, month, day.clamp(1, last)).expect("year, month and day are in range")
}

fn is_leap(year: i16) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const LEAP_YEAR: i16 = 2024;
const MONTHS: i8 = 12;
/// Windows and birth months may reach into a neighbouring year; overrides may leave one empty.
const MARGIN_YEARS: i16 = 2;
/// Room for what most people's calendars hold at once.
const PERIODS_FEW: usize = 16;
const YEAR_MIN: i16 = 1800;
const YEAR_MAX: i16 = 2500;

#[cfg(test)]
mod tests;
