//! Sentences in Chinese and English: the calendar in words, the dates, the rule numbers.

use jiff::civil::Date;

use crate::calendar::{Anchor, Calendar, MonthDay, Schedule, Window};

/// One sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Words {
    /// Simplified Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Words {
    /// Both at once.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    /// One sentence after another.
    pub(crate) fn then(mut self, next: &Words) -> Self {
        self.zh += &next.zh;
        if !self.en.is_empty() && !next.en.is_empty() && !next.en.starts_with([';', ',']) {
            self.en += " ";
        }
        self.en += &next.en;
        self
    }
}

/// The general rule as a clause without a full stop.
pub(super) fn schedule(calendar: &Calendar) -> Words {
    match &calendar.schedule {
        Schedule::Rolling { months, .. } => Words::new(
            format!("认证一次，有效期{months}个月"),
            format!("one certification is valid for {months} months"),
        ),
        Schedule::CalendarYear { count: 1 } => {
            Words::new("每个自然年度认证一次", "once in each natural year")
        }
        Schedule::CalendarYear { count } => Words::new(
            format!("每个自然年度认证{count}次"),
            format!("{count} times in each natural year"),
        ),
        Schedule::HalfYear => Words::new("每半年认证一次", "once in each half of the year"),
        Schedule::Monthly { from, to } => Words::new(
            format!("每月{from}日至{to}日认证一次"),
            format!("each month from the {from}. to the {to}."),
        ),
        Schedule::Windows(windows) => yearly(windows),
        Schedule::Deadline(window) if window.opens == (MonthDay { month: 1, day: 1 }) => {
            Words::new(
                format!("每年{}前认证一次", month_day(window.closes)),
                format!("once a year until {}", english(window.closes)),
            )
        }
        Schedule::Deadline(window) => yearly(std::slice::from_ref(window)),
        Schedule::BirthMonth { anchor, half_yearly, .. } => birth_month(*anchor, *half_yearly),
    }
}

fn birth_month(anchor: Anchor, half_yearly: bool) -> Words {
    let (zh, en) = (anchor.zh(), anchor.en());
    if half_yearly {
        return Words::new(
            format!("每年在{zh}月份及其后第六个月各认证一次"),
            format!("in the month of {en} and six months later"),
        );
    }
    Words::new(
        format!("每年在{zh}月份前后认证一次"),
        format!("once a year around the month of {en}"),
    )
}

fn yearly(windows: &[Window]) -> Words {
    let each = if windows.len() > 1 { "各" } else { "" };
    let spans: Vec<Words> = windows.iter().map(span).collect();
    let zh: Vec<&str> = spans.iter().map(|w| w.zh.as_str()).collect();
    let en: Vec<&str> = spans.iter().map(|w| w.en.as_str()).collect();
    Words::new(
        format!("每年{}{each}认证一次", zh.join("、")),
        format!("once in each of: {}", en.join(", ")),
    )
}

/// What no notice says, and what is asked of the agency therefore.
pub(super) fn confirmed(is_confirmed: bool) -> Words {
    if is_confirmed {
        return Words::default();
    }
    Words::new(UNCONFIRMED, "(ours, to be confirmed by the agency)")
}

/// `4月1日至5月31日`.
pub(super) fn span(window: &Window) -> Words {
    let (next, next_en) =
        if window.closes < window.opens { ("次年", " of the next year") } else { ("", "") };
    Words::new(
        format!("{}至{next}{}", month_day(window.opens), month_day(window.closes)),
        format!("{} to {}{next_en}", english(window.opens), english(window.closes)),
    )
}

fn month_day(day: MonthDay) -> String {
    format!("{}月{}日", day.month, day.day)
}

fn english(day: MonthDay) -> String {
    format!("{} {}", day.day, MONTH_NAMES[usize::from(day.month.unsigned_abs()) - 1])
}

/// `2019年10月31日`.
pub(crate) fn date(day: Date) -> String {
    format!("{}年{}月{}日", day.year(), day.month(), day.day())
}

/// `（R24、C3）`, or nothing.
pub(super) fn cited(rules: &[String]) -> Words {
    if rules.is_empty() {
        return Words::default();
    }
    Words::new(format!("（{}）", rules.join("、")), format!("({})", rules.join(", ")))
}

/// Beside what no notice says.
pub(crate) const UNCONFIRMED: &str = "（暂定，待经办机构确认）";
const MONTH_NAMES: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
