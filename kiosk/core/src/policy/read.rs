//! Reads a pack's TOML key by key and remembers every fault with its line, so that an author sees all at once.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
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
    ours: RefCell<Vec<String>>,
}

impl<'t> Book<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, faults: RefCell::default(), ours: RefCell::default() }
    }

    pub(super) fn fault(&self, at: usize, code: &'static str, words: Words) {
        if self.faults.borrow().len() >= FAULTS_MAX {
            return;
        }
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        self.faults.borrow_mut().push(PackFault { line, column, code, words });
    }

    /// The same, unless something is wrong with that line already.
    pub(super) fn fault_of_line(&self, at: usize, code: &'static str, words: Words) {
        let n = self.faults.borrow().len();
        self.fault(at, code, words);
        let mut faults = self.faults.borrow_mut();
        let line = faults.get(n).map(|fault| fault.line);
        if faults[..n].iter().any(|earlier| Some(earlier.line) == line) {
            faults.truncate(n);
        }
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
    /// Required keys that are not there. Told at the end: one that was misspelt is one fault and not two.
    missing: RefCell<Vec<&'static str>>,
    /// What is read in the place of a key that was misspelt.
    instead: BTreeMap<&'static str, &'b str>,
    /// Tables of which a part stands under a misspelt name.
    torn: BTreeSet<&'static str>,
    is_torn: Cell<bool>,
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
            missing: RefCell::default(),
            instead: BTreeMap::new(),
            torn: BTreeSet::new(),
            is_torn: Cell::default(),
            excused: Cell::default(),
        }
    }

    /// The same, where all names are known beforehand: what stands under a misspelt one is read all the same, so that
    /// one wrong letter is one fault.
    pub(super) fn forgiving(mut self, known: &[&'static str]) -> Self {
        for key in self.table.keys().map(|key| key.get_ref().as_ref()) {
            match nearest(key, known.iter().copied()) {
                Some(meant) if meant == key => {}
                Some(meant) if self.table.contains_key(meant) => {
                    self.torn.insert(meant);
                }
                Some(meant) => {
                    self.instead.insert(meant, key);
                }
                None => {}
            }
        }
        self
    }

    /// Whether any of these names is there, misspelt or not.
    pub(super) fn has_any(&self, known: &[&'static str]) -> bool {
        !self.instead.is_empty() || known.iter().any(|key| self.has(key))
    }

    fn found(&self, key: &str) -> Option<&'b Spanned<DeValue<'t>>> {
        self.table.get(key).or_else(|| self.table.get(*self.instead.get(key)?))
    }

    /// Byte where a key's value stands, or where the table begins.
    pub(super) fn at(&self, key: &str) -> usize {
        self.found(key).map_or(self.span.start, |value| value.span().start)
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
        self.found(key).is_some()
    }

    fn value(&self, key: &'static str) -> Option<&'b Spanned<DeValue<'t>>> {
        self.asked.borrow_mut().insert(key);
        self.found(key)
    }

    fn required(&self, key: &'static str) -> Option<&'b Spanned<DeValue<'t>>> {
        let value = self.value(key);
        if value.is_none() {
            self.missing.borrow_mut().push(key);
        }
        value
    }

    fn tell_missing(&self, key: &str) {
        let mut words = Words::new(
            format!("{}缺少 {key}", self.place()),
            format!("{} lacks {key}", self.place_en()),
        );
        if key == "rules" {
            words = words.then(&Words::new(
                "：写出依据的规则编号，通知没有的项写在 ours",
                "; name the rules, or in ours the keys that the notice is silent about",
            ));
        }
        self.fault(key, "missing-key", words);
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

    /// Words that have to be there.
    pub(super) fn text(&self, key: &'static str) -> String {
        let text = self.required(key).and_then(|value| self.as_text(key, value));
        if text.as_ref().is_some_and(String::is_empty) {
            self.empty(key);
        }
        text.unwrap_or_default()
    }

    fn empty(&self, key: &str) {
        let words = Words::new(format!("{key} 不能为空"), format!("{key} must not be empty"));
        self.fault(key, "empty", words);
    }

    /// Absent and empty are the same: notices leave gaps.
    pub(super) fn text_or_none(&self, key: &'static str) -> Option<String> {
        self.value(key).and_then(|value| self.as_text(key, value)).filter(|text| !text.is_empty())
    }

    fn as_text(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type(key, "文字", "text");
            return None;
        };
        if !is_printable(text) {
            let words = Words::new(
                format!("{key} 含有控制字符"),
                format!("{key} has characters that steer a screen"),
            );
            self.book.fault(value.span().start, "control-character", words);
        }
        Some(text.trim().to_owned())
    }

    /// A date may stand in quotes or without.
    fn as_day_text(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match value.get_ref() {
            DeValue::Datetime(day) => Some(day.to_string()),
            _ => self.as_text(key, value),
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
        let text = self.value(key).and_then(|value| self.as_day_text(key, value))?;
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

    /// At least one word.
    pub(super) fn some_words<T: Word>(&self, key: &'static str) -> Vec<T> {
        self.some_texts(key).iter().filter_map(|text| self.as_word(key, text)).collect()
    }

    /// At least one text.
    pub(super) fn some_texts(&self, key: &'static str) -> Vec<String> {
        let (texts, value) = (self.texts(key), self.required(key));
        if value.is_some_and(|value| value.get_ref().as_array().is_some_and(|all| all.is_empty())) {
            self.empty(key);
        }
        texts
    }

    pub(super) fn texts(&self, key: &'static str) -> Vec<String> {
        match self.value(key).map(Spanned::get_ref) {
            None => Vec::new(),
            Some(DeValue::Array(items)) => {
                let texts: Vec<String> =
                    items.iter().filter_map(|item| self.as_text(key, item)).collect();
                self.each_once(key, &texts);
                texts
            }
            Some(_) => {
                self.wrong_type(key, "列表 [\"…\"]", "a list [\"…\"]");
                Vec::new()
            }
        }
    }

    fn each_once(&self, key: &str, texts: &[String]) {
        for (n, text) in texts.iter().enumerate() {
            if texts[..n].contains(text) {
                self.twice(key, text);
            }
            if text.is_empty() {
                self.empty(key);
            }
        }
    }

    /// Something stands twice that may stand once.
    pub(super) fn twice(&self, key: &str, what: &str) {
        let words = Words::new(format!("{what} 写了两次"), format!("{what} stands twice"));
        self.fault(key, "twice", words);
    }

    /// Pairs of days: `[["04-01", "05-31"]]`.
    pub(super) fn pairs(&self, key: &'static str) -> Vec<(MonthDay, MonthDay)> {
        match self.required(key).map(Spanned::get_ref) {
            None => Vec::new(),
            Some(DeValue::Array(items)) => {
                items.iter().filter_map(|item| self.as_pair(key, item.get_ref())).collect()
            }
            Some(_) => {
                self.wrong_type(key, " [[\"04-01\", \"05-31\"]]", "[[\"04-01\", \"05-31\"]]");
                Vec::new()
            }
        }
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

    /// The rules that a table rests on. What the notice does not say is named in `ours`; a table with a key that rests
    /// on neither hides where it comes from.
    pub(super) fn rules(&self) -> Vec<String> {
        let (rules, ours) = (self.numbers("rules"), self.ours());
        let is_said = |key: &str| ["rules", "ours"].contains(&key) || ours.iter().any(|o| o == key);
        let rests_on_nothing = self.table.keys().any(|key| !is_said(key.get_ref().as_ref()));
        match rules.is_empty() && rests_on_nothing {
            true if self.has("rules") => self.empty("rules"),
            true => self.missing.borrow_mut().push("rules"),
            false => {}
        }
        rules
    }

    /// The same for an example, which may stand for itself.
    pub(super) fn rules_if_any(&self) -> Vec<String> {
        self.numbers("rules")
    }

    /// Rule numbers of the reference: R1 to R127, C1 to C27.
    pub(super) fn numbers(&self, key: &'static str) -> Vec<String> {
        let rules = self.texts(key);
        for rule in rules.iter().filter(|rule| !is_rule(rule)) {
            self.fault(
                key,
                "unknown-rule",
                Words::new(format!("没有编号为 {rule} 的规则"), format!("there is no rule {rule}")),
            );
        }
        rules
    }

    /// Keys of this table that the notice is silent about; an agency has to confirm them.
    pub(super) fn ours(&self) -> Vec<String> {
        let keys = self.texts("ours");
        for key in &keys {
            if !self.has(key) || ["rules", "ours"].contains(&key.as_str()) {
                let words = Words::new(
                    format!("ours 里的 {key} 不在这一节"),
                    format!("ours names {key}, which is not in this table"),
                );
                self.fault("ours", "wrong-value", words);
            }
        }
        let named = keys.iter().map(|key| format!("{}.{key}", self.path));
        self.book.ours.borrow_mut().extend(named);
        keys
    }

    /// All keys that were marked so far, each with its table.
    pub(super) fn all_ours(&self) -> Vec<String> {
        self.book.ours.borrow().clone()
    }

    /// Whether the author marked a key of this table as not from the notice.
    pub(super) fn is_ours(&self, key: &str) -> bool {
        let named = format!("{}.{key}", self.path);
        self.book.ours.borrow().contains(&named)
    }

    pub(super) fn section(&self, key: &'static str) -> Option<Section<'b, 't>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Table(table) => {
                let child = self.child(key, table, value.span());
                child.is_torn.set(self.torn.contains(key));
                Some(child)
            }
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
            DeValue::Table(table) => {
                let name = ITEM_NAMES.iter().find_map(|name| table.get(*name)?.get_ref().as_str());
                let key = name.map_or(key.to_owned(), |name| format!("{key}.{name}"));
                Some(self.child(&key, table, item.span()))
            }
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
        let asked = self.asked.borrow();
        let mut missing = self.missing.take();
        let unknown = self.table.keys().filter(|key| !asked.contains(key.get_ref().as_ref()));
        for key in unknown {
            let name = key.get_ref();
            let hint = nearest(name, asked.iter().copied());
            let is_slip = missing.iter().any(|missing| Some(*missing) == hint);
            if self.excused.get() && !is_slip {
                continue;
            }
            missing.retain(|missing| Some(*missing) != hint);
            let name = printable(name);
            self.book.fault(
                key.span().start,
                "unknown-key",
                Words::new(
                    format!("{}没有 {name} 这一项{}", self.place(), meant_zh(hint)),
                    format!("{} has no key {name}{}", self.place_en(), meant_en(hint)),
                ),
            );
        }
        missing.iter().filter(|_| !self.is_torn.get()).for_each(|key| self.tell_missing(key));
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

/// Whether nothing in a text moves the cursor, hides or turns around what stands beside it.
fn is_printable(text: &str) -> bool {
    !text.chars().any(is_steering)
}

/// A text for a screen: what would steer it is shown as its number.
pub fn printable(text: &str) -> String {
    let shown = |c: char| match is_steering(c) {
        true => c.escape_unicode().to_string(),
        false => c.to_string(),
    };
    if is_printable(text) { text.to_owned() } else { text.chars().map(shown).collect() }
}

fn is_steering(c: char) -> bool {
    let invisible = matches!(
        c,
        '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
    );
    invisible || (c.is_control() && c != '\t')
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
/// Nobody reads more of them at once.
const FAULTS_MAX: usize = 100;
/// Keys by which one of several tables of a kind is told from the others.
const ITEM_NAMES: [&str; 6] = ["id", "group", "case", "name", "app_text", "rule"];
