//! The words of the screens, read from the catalogue as a translator would read it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use kiosk_core::message::{Arg, Id, Say};
use kiosk_tests::root;

/// A message in Chinese.
pub fn id(id: Id) -> String {
    CATALOGUE.get(id.name()).cloned().unwrap_or_else(|| id.name().to_owned())
}

/// A message with its values in Chinese.
pub fn say(say: &Say) -> String {
    let filled =
        say.with.iter().enumerate().fold(id(say.id), |text, (index, arg)| {
            text.replace(&format!("{{{index}}}"), &value(arg))
        });
    filled.replace('\n', "")
}

/// A name from a record in Chinese: a reason is often a message id.
pub fn named(name: &str) -> String {
    CATALOGUE.get(name).cloned().unwrap_or_else(|| name.to_owned())
}

/// The message whose Chinese words are these, among those whose name begins so.
pub fn find(prefixes: &[&str], text: &str) -> Option<Id> {
    let may_be = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    Id::ALL.iter().copied().find(|found| may_be(found.name()) && id(*found) == text)
}

/// 2026年11月16日.
pub fn day(date: Date) -> String {
    format!("{}年{}月{}日", date.year(), date.month(), date.day())
}

/// Reads 2026年11月16日.
pub fn parse_day(text: &str) -> Option<Date> {
    let (year, rest) = text.split_once('年')?;
    let (month, rest) = rest.split_once('月')?;
    let day = rest.strip_suffix('日')?;
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

fn value(arg: &Arg) -> String {
    match arg {
        Arg::Text(text) => text.clone(),
        Arg::Day(date) => day(*date),
        Arg::Number(number) => number.to_string(),
        Arg::Term(term) => id(*term),
        Arg::Words(words) => words.zh.clone(),
    }
}

static CATALOGUE: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let path = root().join("ui/locales/zh-CN.toml");
    let text = std::fs::read_to_string(path).expect("the catalogue is in the repository");
    toml::from_str(&text).expect("a test of ui reads the same file")
});
