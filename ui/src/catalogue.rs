//! Words for message ids, in Chinese and English, from `locales/*.toml`.
//!
//! The files are compiled in; tests at the foot hold them and `kiosk_core::message::Id` together.

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use kiosk_core::message::{Arg, Id, Say};

/// One message in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Simplified Chinese, shown first and large.
    pub zh: String,
    /// English, shown small beside it.
    pub en: String,
}

/// A language of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Simplified Chinese.
    Chinese,
    /// English.
    English,
}

/// The words of a message with its values.
pub fn words(say: &Say) -> Words {
    Words { zh: text(Language::Chinese, say), en: text(Language::English, say) }
}

/// The words of a message without values.
pub fn plain(id: Id) -> Words {
    words(&id.into())
}

/// The words of a message in one language; for slips and lists.
pub fn text(language: Language, say: &Say) -> String {
    fill(language, say.id.name(), &say.with)
}

/// A day in the words of both languages: 2026年11月21日, 21 Nov 2026.
pub fn day(date: Date) -> Words {
    Words { zh: day_in(Language::Chinese, date), en: day_in(Language::English, date) }
}

/// Words of the screen itself (`ui-…`), which no message of core names.
pub(crate) fn chrome(name: &str, with: &[Arg]) -> Words {
    Words { zh: fill(Language::Chinese, name, with), en: fill(Language::English, name, with) }
}

type Texts = HashMap<String, String>;

static CHINESE: LazyLock<Texts> = LazyLock::new(|| parse(include_str!("../locales/zh-CN.toml")));
static ENGLISH: LazyLock<Texts> = LazyLock::new(|| parse(include_str!("../locales/en.toml")));

fn parse(file: &str) -> Texts {
    toml::from_str(file).expect("a test reads both files of the catalogue")
}

fn texts(language: Language) -> &'static Texts {
    match language {
        Language::Chinese => &CHINESE,
        Language::English => &ENGLISH,
    }
}

/// Fills `{0}`, `{1}`, … in order. A missing value leaves nothing, a value too many is not shown.
fn fill(language: Language, name: &str, with: &[Arg]) -> String {
    let pattern = texts(language).get(name).map_or(name, String::as_str);
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((index, tail)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        let value = index.parse::<usize>().ok().and_then(|i| with.get(i));
        out.push_str(&value.map(|arg| show(language, arg)).unwrap_or_default());
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn show(language: Language, arg: &Arg) -> String {
    match arg {
        Arg::Text(text) => text.clone(),
        Arg::Number(number) => number.to_string(),
        Arg::Day(date) => day_in(language, *date),
        Arg::Term(id) => fill(language, id.name(), &[]),
        Arg::Words(words) => match language {
            Language::Chinese => words.zh.clone(),
            Language::English => words.en.clone(),
        },
    }
}

fn day_in(language: Language, date: Date) -> String {
    let (year, month, day) = (date.year(), date.month(), date.day());
    match language {
        Language::Chinese => format!("{year}年{month}月{day}日"),
        Language::English => {
            let name = MONTHS[usize::from(month.unsigned_abs()) - 1];
            format!("{day} {name} {year}")
        }
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Every `ui-…` message that the screens use.
#[cfg(test)]
const CHROME: [&str; 20] = [
    "ui-erase",
    "ui-enter",
    "ui-close",
    "ui-more",
    "ui-pick-first",
    "ui-clock",
    "ui-troubles",
    "ui-all-delivered",
    "ui-waiting",
    "ui-held",
    "ui-step",
    "ui-picture",
    "ui-age",
    "ui-due",
    "ui-due-passed",
    "ui-due-next",
    "ui-not-yet",
    "ui-returned",
    "ui-printing",
    "ui-no-picture",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names() -> BTreeSet<&'static str> {
        Id::ALL.iter().map(|id| id.name()).chain(CHROME).collect()
    }

    fn placeholders(text: &str) -> BTreeSet<String> {
        text.split('{')
            .skip(1)
            .filter_map(|s| s.split_once('}'))
            .map(|(i, _)| i.to_owned())
            .collect()
    }

    #[test]
    fn every_message_has_words_in_both_languages() {
        for language in [Language::Chinese, Language::English] {
            let missing: Vec<_> = names()
                .into_iter()
                .filter(|name| texts(language).get(*name).is_none_or(|text| text.trim().is_empty()))
                .collect();
            assert!(missing.is_empty(), "{language:?} lacks {missing:?}");
        }
    }

    #[test]
    fn no_words_are_there_for_nothing() {
        let names = names();
        for language in [Language::Chinese, Language::English] {
            let unknown: Vec<_> =
                texts(language).keys().filter(|key| !names.contains(key.as_str())).collect();
            assert!(unknown.is_empty(), "{language:?} has {unknown:?}, which no message names");
        }
    }

    #[test]
    fn both_languages_take_the_same_values() {
        for name in names() {
            let [zh, en] = [&CHINESE, &ENGLISH].map(|texts| placeholders(&texts[name]));
            assert_eq!(zh, en, "{name}");
            for index in zh {
                assert!(index.parse::<usize>().is_ok(), "{name} has {{{index}}}");
            }
        }
    }

    #[test]
    fn chinese_uses_chinese_punctuation() {
        for (name, text) in &*CHINESE {
            let found: Vec<_> = text.chars().filter(|c| ",.;:?!()\"'".contains(*c)).collect();
            assert!(found.is_empty(), "{name} has {found:?}");
            assert!(!text.contains("  "), "{name} has two spaces");
        }
    }

    #[test]
    fn values_are_filled_in_the_words_of_the_language() {
        let date = jiff::civil::date(2027, 3, 9);
        let next = words(&Id::NextDue.with([Arg::Text("养老金".into()), Arg::Day(date)]));
        assert_eq!(next.zh, "养老金：下次请在2027年3月9日前认证");
        assert_eq!(next.en, "养老金: next by 9 Mar 2027");
        let title = words(&Id::ConsentTitle.with([Arg::Term(Id::MethodFinger)]));
        assert_eq!(title.zh, "办理前请您了解：指纹认证");
        let receipt = words(&Id::CentreHasIt.with([Arg::Number(41)]));
        assert_eq!(receipt.zh, "中心已收到　回执号 41");
    }

    #[test]
    fn a_missing_value_leaves_nothing_behind() {
        assert_eq!(words(&Id::DueBy.into()).zh, "请在前完成认证");
        assert_eq!(words(&Id::LayCard.with([Arg::Number(7)])).en, "Lay the ID card on the reader");
    }
}
