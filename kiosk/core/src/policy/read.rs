//! Reads a pack's TOML key by key and remembers every fault with its line, so that an author sees all at once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use jiff::civil::{Date, DateTime};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::parse::PackFault;
use super::words::Words;
use crate::benefit::Word;
use crate::calendar::MonthDay;

/// The text being read and what was found wrong with it.
pub(super) struct Book<'t> {
    text: &'t str,
    faults: RefCell<Vec<PackFault>>,
}

impl<'t> Book<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, faults: RefCell::default() }
    }

    pub(super) fn fault(&self, at: usize, code: &'static str, words: Words) {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        self.faults.borrow_mut().push(PackFault { line, column, code, words });
    }

    /// All faults in the order of their lines.
    pub(super) fn into_faults(self) -> Vec<PackFault> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| (fault.line, fault.column));
        faults
    }

    pub(super) fn is_clean(&self) -> bool {
        self.faults.borrow().is_empty()
    }
}

/// One table. A key that nobody asked for is told when the table is put away.
pub(super) struct Section<'b, 't> {
    book: &'b Book<'t>,
    table: &'b DeTable<'t>,
    span: Range<usize>,
    path: String,
    asked: RefCell<BTreeSet<&'static str>>,
    excused: Cell<bool>,
}

impl<'b, 't> Section<'b, 't> {
    pub(super) fn new(
        book: &'b Book<'t>,
        table: &'b DeTable<'t>,
        span: Range<usize>,
        path: &str,
    ) -> Self {
        Self {
            book,
            table,
            span,
            path: path.to_owned(),
            asked: RefCell::default(),
            excused: Cell::default(),
        }
    }

    /// Byte where a key's value stands, or where the table begins.
    pub(super) fn at(&self, key: &str) -> usize {
        self.table.get(key).map_or(self.span.start, |value| value.span().start)
    }

    /// Tells nothing about keys that were not asked for: an earlier fault hides which of them belong here.
    pub(super) fn excuse(&self) {
        self.excused.set(true);
    }

    /// Tells a fault at a key, or at the head of the table.
    pub(super) fn fault(&self, key: &str, code: &'static str, words: Words) {
        self.book.fault(self.at(key), code, words);
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn value(&self, key: &'static str) -> Option<&'b Spanned<DeValue<'t>>> {
        self.asked.borrow_mut().insert(key);
        self.table.get(key)
    }

    fn required(&self, key: &'static str) -> Option<&'b Spanned<DeValue<'t>>> {
        let value = self.value(key);
        if value.is_none() {
            self.fault(
                key,
                "missing-key",
                Words::new(
                    format!("{}缺少 {key}", self.place()),
                    format!("{} lacks {key}", self.place_en()),
                ),
            );
        }
        value
    }

    fn place(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!("[{}] ", self.path) }
    }

    fn place_en(&self) -> String {
        if self.path.is_empty() { "the pack".to_owned() } else { format!("[{}]", self.path) }
    }

    fn wrong_type(&self, key: &str, zh: &str, en: &str) {
        self.fault(
            key,
            "wrong-type",
            Words::new(format!("{key} 应为{zh}"), format!("{key} must be {en}")),
        );
    }

    pub(super) fn text(&self, key: &'static str) -> String {
        self.required(key).and_then(|value| self.as_text(key, value)).unwrap_or_default()
    }

    /// Absent and empty are the same: notices leave gaps.
    pub(super) fn text_or_none(&self, key: &'static str) -> Option<String> {
        self.value(key).and_then(|value| self.as_text(key, value)).filter(|text| !text.is_empty())
    }

    fn as_text(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.trim().to_owned()),
            DeValue::Datetime(day) => Some(day.to_string()),
            _ => {
                self.wrong_type(key, "文字", "text");
                None
            }
        }
    }

    pub(super) fn flag(&self, key: &'static str, otherwise: bool) -> bool {
        match self.value(key).map(Spanned::get_ref) {
            None => otherwise,
            Some(DeValue::Boolean(flag)) => *flag,
            Some(_) => {
                self.wrong_type(key, " true 或 false", "true or false");
                otherwise
            }
        }
    }

    pub(super) fn number(&self, key: &'static str, range: RangeInclusive<i64>) -> i64 {
        let least = *range.start();
        if self.required(key).is_none() {
            return least;
        }
        self.number_or_none(key, range).unwrap_or(least)
    }

    pub(super) fn number_or(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
        otherwise: i64,
    ) -> i64 {
        self.number_or_none(key, range).unwrap_or(otherwise)
    }

    pub(super) fn number_or_none(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let DeValue::Integer(digits) = self.value(key)?.get_ref() else {
            self.wrong_type(key, "整数", "a whole number");
            return None;
        };
        let number = i64::from_str_radix(digits.as_str(), digits.radix()).ok();
        let fits = number.filter(|number| range.contains(number));
        if fits.is_none() {
            let (least, most) = (range.start(), range.end());
            self.fault(
                key,
                "out-of-range",
                Words::new(
                    format!("{key} 应在 {least} 至 {most} 之间"),
                    format!("{key} must be {least} to {most}"),
                ),
            );
        }
        fits
    }

    pub(super) fn day(&self, key: &'static str) -> Option<Date> {
        self.required(key)?;
        self.day_or_none(key)
    }

    /// A date, or a local date and time of which the date is taken.
    pub(super) fn day_or_none(&self, key: &'static str) -> Option<Date> {
        let text = self.value(key).and_then(|value| self.as_text(key, value))?;
        let day = match text.contains('T') {
            true => text.parse::<DateTime>().map(DateTime::date),
            false => text.parse::<Date>(),
        };
        if day.is_err() {
            self.fault(
                key,
                "wrong-date",
                Words::new(
                    format!("{key} 不是存在的日期：{text}，应写作 2019-10-31"),
                    format!("{key} is no date that exists: {text}; write 2019-10-31"),
                ),
            );
        }
        day.ok()
    }

    /// `10-31`, or several of which the earliest holds (C3).
    pub(super) fn month_day(&self, key: &'static str) -> Option<MonthDay> {
        let texts = match self.required(key)?.get_ref() {
            DeValue::Array(_) => self.texts(key),
            _ => vec![self.text(key)],
        };
        texts.iter().filter_map(|text| self.as_month_day(key, text)).min()
    }

    pub(super) fn as_month_day(&self, key: &str, text: &str) -> Option<MonthDay> {
        let day =
            text.split_once('-').and_then(|(m, d)| MonthDay::new(m.parse().ok()?, d.parse().ok()?));
        if day.is_none() {
            self.fault(
                key,
                "wrong-date",
                Words::new(
                    format!("{key} 不是月-日：{text}，应写作 10-31"),
                    format!("{key} is no month and day: {text}; write 10-31"),
                ),
            );
        }
        day
    }

    pub(super) fn word<T: Word>(&self, key: &'static str) -> Option<T> {
        self.required(key)?;
        self.word_or_none(key)
    }

    pub(super) fn word_or_none<T: Word>(&self, key: &'static str) -> Option<T> {
        let text = self.value(key).and_then(|value| self.as_text(key, value))?;
        self.as_word(key, &text)
    }

    fn as_word<T: Word>(&self, key: &str, text: &str) -> Option<T> {
        let found = T::all().iter().copied().find(|word| word.id() == text);
        if found.is_none() {
            let known: Vec<&str> = T::all().iter().map(|word| word.id()).collect();
            let hint = nearest(text, known.iter().copied());
            self.fault(
                key,
                "unknown-word",
                Words::new(
                    format!("{key} 不认识“{text}”{}；可用：{}", meant_zh(hint), known.join("、")),
                    format!(
                        "{key} does not know \"{text}\"{}; known: {}",
                        meant_en(hint),
                        known.join(", ")
                    ),
                ),
            );
        }
        found
    }

    pub(super) fn words<T: Word>(&self, key: &'static str) -> Vec<T> {
        self.texts(key).iter().filter_map(|text| self.as_word(key, text)).collect()
    }

    pub(super) fn texts(&self, key: &'static str) -> Vec<String> {
        match self.value(key).map(Spanned::get_ref) {
            None => Vec::new(),
            Some(DeValue::Array(items)) => {
                items.iter().filter_map(|item| self.as_text(key, item)).collect()
            }
            Some(_) => {
                self.wrong_type(key, "列表 [\"…\"]", "a list [\"…\"]");
                Vec::new()
            }
        }
    }

    /// Pairs of days: `[["04-01", "05-31"]]`.
    pub(super) fn pairs(&self, key: &'static str) -> Vec<(MonthDay, MonthDay)> {
        let Some(DeValue::Array(items)) = self.required(key).map(Spanned::get_ref) else {
            return Vec::new();
        };
        items.iter().filter_map(|item| self.as_pair(key, item.get_ref())).collect()
    }

    fn as_pair(&self, key: &'static str, item: &DeValue<'_>) -> Option<(MonthDay, MonthDay)> {
        let DeValue::Array(ends) = item else {
            self.wrong_type(key, " [[\"04-01\", \"05-31\"]]", "[[\"04-01\", \"05-31\"]]");
            return None;
        };
        let ends: Vec<String> = ends.iter().filter_map(|end| self.as_text(key, end)).collect();
        let [opens, closes] = ends.as_slice() else {
            self.wrong_type(key, " [[\"04-01\", \"05-31\"]]", "[[\"04-01\", \"05-31\"]]");
            return None;
        };
        Some((self.as_month_day(key, opens)?, self.as_month_day(key, closes)?))
    }

    /// Rule numbers of the reference: R1 to R127, C1 to C27.
    pub(super) fn rules(&self) -> Vec<String> {
        let rules = self.texts("rules");
        for rule in rules.iter().filter(|rule| !is_rule(rule)) {
            self.fault(
                "rules",
                "unknown-rule",
                Words::new(format!("没有编号为 {rule} 的规则"), format!("there is no rule {rule}")),
            );
        }
        rules
    }

    pub(super) fn section(&self, key: &'static str) -> Option<Section<'b, 't>> {
        match self.value(key)?.get_ref() {
            DeValue::Table(table) => Some(self.child(key, table, self.table[key].span())),
            _ => {
                self.wrong_type(key, "一节", "a table");
                None
            }
        }
    }

    pub(super) fn required_section(&self, key: &'static str) -> Option<Section<'b, 't>> {
        self.required(key)?;
        self.section(key)
    }

    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'b, 't>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, "多节 [[…]]", "tables [[…]]");
            return Vec::new();
        };
        let table = |item: &'b Spanned<DeValue<'t>>| match item.get_ref() {
            DeValue::Table(table) => Some(self.child(key, table, item.span())),
            _ => None,
        };
        let found: Vec<_> = items.iter().filter_map(table).collect();
        if found.len() < items.len() {
            self.wrong_type(key, "多节 [[…]]", "tables [[…]]");
        }
        found
    }

    fn child(&self, key: &str, table: &'b DeTable<'t>, span: Range<usize>) -> Section<'b, 't> {
        let path =
            if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Section::new(self.book, table, span, &path)
    }
}

impl Drop for Section<'_, '_> {
    fn drop(&mut self) {
        if self.excused.get() {
            return;
        }
        let asked = self.asked.borrow();
        for key in self.table.keys().filter(|key| !asked.contains(key.get_ref().as_ref())) {
            let name = key.get_ref();
            let hint = nearest(name, asked.iter().copied());
            self.book.fault(
                key.span().start,
                "unknown-key",
                Words::new(
                    format!("{}没有 {name} 这一项{}", self.place(), meant_zh(hint)),
                    format!("{} has no key {name}{}", self.place_en(), meant_en(hint)),
                ),
            );
        }
    }
}

fn meant_zh(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!("，是否想写 {hint}"))
}

fn meant_en(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!(", did you mean {hint}"))
}

fn is_rule(rule: &str) -> bool {
    let within = |digits: &str, most: u32| {
        !digits.starts_with('0') && digits.parse::<u32>().is_ok_and(|n| (1..=most).contains(&n))
    };
    match rule.split_at_checked(1) {
        Some(("R", digits)) => within(digits, RULES),
        Some(("C", digits)) => within(digits, CONTRADICTIONS),
        _ => false,
    }
}

/// The known word that was probably meant.
fn nearest<'w>(written: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    known
        .map(|word| (distance(written, word), word))
        .min()
        .filter(|(distance, word)| *distance * 3 <= word.chars().count())
        .map(|(_, word)| word)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Rules and contradictions in `reference/requirements.md`.
const RULES: u32 = 127;
const CONTRADICTIONS: u32 = 27;
