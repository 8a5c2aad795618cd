//! What the codes of the devices mean, in Chinese with English beside: `words.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// The same in two languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Simplified Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// What a code means and what to do about it; `ok` asks for nothing.
///
/// A code without words still leads somewhere: it is shown itself, for support.
pub fn of_code(code: &str) -> (Words, Option<Words>) {
    match BOOK.code.get(code) {
        Some(entry) => (entry.what.clone(), entry.todo.clone()),
        None => (
            words("检查没有通过。", "The check did not pass."),
            Some(words(
                "请重新插好这个设备再检查一次；还不行请把代码报给维修人员。",
                "Plug the device in again and repeat the check; if that does not help, give the code to support.",
            )),
        ),
    }
}

/// What people call a device.
pub fn of_device(name: &str) -> Words {
    BOOK.device.get(name).cloned().unwrap_or_else(|| words(name, name))
}

fn words(zh: &str, en: &str) -> Words {
    Words { zh: zh.into(), en: en.into() }
}

/// `words.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    device: BTreeMap<String, Words>,
    code: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    what: Words,
    todo: Option<Words>,
}

static BOOK: LazyLock<Book> = LazyLock::new(|| {
    toml::from_str(include_str!("words.toml")).expect("a test reads the words of this program")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_both_languages_and_every_fault_a_way_out() {
        for (code, entry) in &BOOK.code {
            for words in [Some(&entry.what), entry.todo.as_ref()].into_iter().flatten() {
                assert!(!words.zh.is_ascii() && words.en.is_ascii(), "{code}: {words:?}");
            }
            assert_eq!(entry.todo.is_none(), code == "ok", "{code}");
        }
    }

    #[test]
    fn every_code_that_a_check_can_give_has_words() {
        let mut n_codes = 0;
        for (file, source) in SOURCES {
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            for name in codes(code) {
                n_codes += 1;
                assert!(BOOK.code.contains_key(name), "{file}: {name} has no words");
            }
        }
        assert!(n_codes > 30, "only {n_codes} codes were found");
    }

    /// The texts in quotes that look like a code, `speaker-mute`, and are none of [`OTHERS`].
    fn codes(source: &str) -> impl Iterator<Item = &str> {
        let quoted = source.split('"').skip(1).step_by(2);
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
        let is_code = move |text: &&str| text.contains('-') && text.split('-').all(is_word);
        quoted.filter(is_code).filter(|text| !OTHERS.contains(text))
    }

    /// Names of devices and facts, and what is asked of a person at a finger reader.
    const OTHERS: [&str; 37] = [
        "document-camera",
        "social-card",
        "social-card-reader",
        "social-card-none",
        "social-card-moved",
        "social-card-mute",
        "social-card-other",
        "social-card-unreadable",
        "social-card-read",
        "social-card-pin-needed",
        "social-card-no-holder",
        "social-card-pin-wrong",
        "social-card-pin-not-tried",
        "social-card-pin-blocked",
        "livescan-plugin",
        "id-card",
        "id-card-reader",
        "finger-reader",
        "photo-decoder",
        "photo-library",
        "customer-display",
        "sam-id",
        "packet-size",
        "system-id",
        "device-ready",
        "battery-percent",
        "time-server",
        "lost-time",
        "clock-chip",
        "power-mains",
        "power-battery",
        "finger-none",
        "finger-too-dry",
        "finger-too-wet",
        "finger-moved",
        "finger-too-few-points",
        "finger-lift-first",
    ];
    const SOURCES: [(&str, &str); 17] = [
        ("social_card", include_str!("../../../drivers/src/social_card.rs")),
        ("social_card/check", include_str!("../../../drivers/src/social_card/check.rs")),
        ("livescan", include_str!("../../../drivers/src/livescan.rs")),
        ("livescan/check", include_str!("../../../drivers/src/livescan/check.rs")),
        ("selftest", include_str!("../../../drivers/src/selftest.rs")),
        ("id_card", include_str!("../../../drivers/src/id_card.rs")),
        ("fingerprint", include_str!("../../../drivers/src/fingerprint.rs")),
        ("printer", include_str!("../../../drivers/src/printer.rs")),
        ("camera", include_str!("../../../drivers/src/camera.rs")),
        ("photo", include_str!("../../../drivers/src/photo.rs")),
        ("photo_loader", include_str!("../../../drivers/src/photo_loader.rs")),
        ("panel", include_str!("../../../drivers/src/panel.rs")),
        ("display", include_str!("../../../drivers/src/display.rs")),
        ("speaker", include_str!("../../../drivers/src/speaker.rs")),
        ("power", include_str!("../../../drivers/src/power.rs")),
        ("clock", include_str!("../../../drivers/src/clock.rs")),
        ("check", include_str!("check.rs")),
    ];
}
