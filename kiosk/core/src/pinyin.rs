//! How a name is typed on a Latin keyboard: whole syllables, initials, or the surname and then initials.
//!
//! Spelled as GB/T 28039-2011 spells names: the surname first, a compound surname as one word, no tones. `ü` is `v`, as
//! it is typed. Readings of characters come from the crate's tables, those of surnames from ours.

use std::collections::BTreeSet;

use ::pinyin::ToPinyinMulti;

use crate::folding::fold;

mod surnames;

/// Everything that may be typed to find a name; a beginning of any of them finds it too.
///
/// For 单秀英: `shanxiuying`, `shanxy`, `sxy`, and the same for `dan`, which is how somebody reads it who does not
/// know better. In order, without repetition; empty if no character has a reading.
pub fn spellings(name: &str) -> Vec<String> {
    let name = Syllables::of(name);
    let mut found = BTreeSet::new();
    for reading in name.readings() {
        found.insert(reading.concat());
        found.insert(firsts(&reading));
        let (surname, given) = reading.split_at(name.surname_len.min(reading.len()));
        found.insert(surname.concat() + &firsts(given));
    }
    found.remove("");
    found.into_iter().take(SPELLINGS_MAX).collect()
}

/// First letters of the likeliest reading: `zxy` for 张秀英.
pub fn initials(name: &str) -> String {
    Syllables::of(name).readings().next().map(|reading| firsts(&reading)).unwrap_or_default()
}

/// The likeliest reading in whole syllables: `zhangxiuying` for 张秀英.
pub fn whole(name: &str) -> String {
    Syllables::of(name).readings().next().map(|reading| reading.concat()).unwrap_or_default()
}

/// What was typed, as [`spellings`] writes it; none if it has anything but letters.
pub fn typed(text: &str) -> Option<String> {
    let text = fold(text);
    let keys = text.chars().filter(|c| !matches!(c, '\'' | '’' | '-'));
    let letters = keys.map(letter).collect::<Option<String>>()?;
    // Passports write ü as YU; no syllable begins with ly.
    Some(letters.replace("lyu", "lv")).filter(|letters| !letters.is_empty())
}

/// The ways to read each character of a name, the likeliest first.
struct Syllables {
    characters: Vec<Vec<String>>,
    /// How many of them are the surname.
    surname_len: usize,
}

impl Syllables {
    fn of(name: &str) -> Self {
        let name: Vec<char> = fold(name).chars().take(NAME_MAX).collect();
        let compound = name.get(..2).and_then(surnames::compound);
        let mut characters: Vec<Vec<String>> = match compound {
            Some(read) => {
                // 单于飞 may also be a 单 with the given name 于飞.
                let elsewhere = [surname_readings(name[0]), given_readings(name[1])];
                read.iter().zip(elsewhere).map(|(as_one, other)| with(as_one, other)).collect()
            }
            None => name.first().map(|surname| surname_readings(*surname)).into_iter().collect(),
        };
        let surname_len = characters.len();
        characters.extend(name.iter().skip(surname_len).map(|c| given_readings(*c)));
        characters.retain(|readings| !readings.is_empty());
        Self { characters, surname_len }
    }

    /// The likeliest reading of all, then those that differ from it in one character.
    fn readings(&self) -> impl Iterator<Item = Vec<String>> {
        let likeliest: Vec<String> =
            self.characters.iter().map(|readings| readings[0].clone()).collect();
        let others = self.characters.iter().enumerate().flat_map(|(at, readings)| {
            readings.iter().skip(1).map(move |reading| (at, reading.clone()))
        });
        let first = std::iter::once(likeliest.clone());
        first.chain(others.map(move |(at, reading)| {
            let mut other = likeliest.clone();
            other[at] = reading;
            other
        }))
    }
}

/// As a surname is read, then as the character is read elsewhere.
fn surname_readings(character: char) -> Vec<String> {
    let mut elsewhere = plain_readings(character);
    elsewhere.truncate(1);
    let as_surname = surnames::single(character).iter().rev();
    as_surname.fold(elsewhere, |others, reading| with(reading, others))
}

/// This reading before the others.
fn with(reading: &str, others: Vec<String>) -> Vec<String> {
    let others = others.into_iter().filter(|other| other != reading);
    std::iter::once(reading.to_owned()).chain(others).collect()
}

/// The tables also have readings that nobody has used for centuries; the first two are enough.
fn given_readings(character: char) -> Vec<String> {
    let mut readings = plain_readings(character);
    readings.truncate(GIVEN_READINGS_MAX);
    readings
}

fn plain_readings(character: char) -> Vec<String> {
    if let Some(letter) = letter(character) {
        return vec![letter.into()];
    }
    let mut readings: Vec<String> = Vec::new();
    for reading in character.to_pinyin_multi().into_iter().flatten() {
        let plain: String = reading.plain().chars().filter_map(letter).collect();
        if !plain.is_empty() && !readings.contains(&plain) {
            readings.push(plain);
        }
    }
    readings
}

fn letter(character: char) -> Option<char> {
    match character {
        'a'..='z' => Some(character),
        'A'..='Z' => Some(character.to_ascii_lowercase()),
        'ü' | 'Ü' => Some('v'),
        'ê' | 'Ê' => Some('e'),
        _ => None,
    }
}

fn firsts(syllables: &[String]) -> String {
    syllables.iter().filter_map(|syllable| syllable.chars().next()).collect()
}

/// Names on cards have up to 30 characters.
const NAME_MAX: usize = 30;
const GIVEN_READINGS_MAX: usize = 2;
/// A name of three characters has at most 21.
const SPELLINGS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_found_by_what_a_clerk_types() {
        check("张秀英", &expect!["zhangxiuyang zhangxiuying zhangxy zxy"]);
        check("張秀英", &expect!["zhangxiuyang zhangxiuying zhangxy zxy"]);
        check("单秀英", &expect!["danxiuying danxy dxy shanxiuyang shanxiuying shanxy sxy"]);
        check("吕玉", &expect!["lvy lvyu ly"]);
        check("欧阳锋", &expect!["ouyangf ouyangfeng oyf"]);
        check("阿依古丽·库尔班", &expect!["ayglkeb ayigulikuerban ayikulikuerban ayklkeb"]);
        check("ＡＬＩ", &expect!["ali"]);
        check("·", &expect![""]);
    }

    fn check(name: &str, expect: &Expect) {
        expect.assert_eq(&spellings(name).join(" "));
    }

    #[test]
    fn surnames_are_read_as_surnames() {
        let names = "单于飞 chanyufei 单雄信 shanxiongxin 曾国藩 zengguofan 仇英 qiuying 解缙 xiejin \
                     区寄 ouji 查良镛 zhaliangyong 盖叫天 gejiaotian 朴树 piaoshu 缪荃孙 miaoquansun \
                     翟让 zhairang 任弼时 renbishi 乐嘉 yuejia 尉迟恭 yuchigong 万俟卨 moqixie \
                     吕洞宾 lvdongbin 逄先知 pangxianzhi 员半千 yunbanqian 种师道 chongshidao";
        let words: Vec<&str> = names.split_whitespace().collect();
        for pair in words.chunks(2) {
            let (name, read) = (pair[0], pair[1]);
            assert_eq!(whole(name), read, "{name}");
            assert!(spellings(name).iter().any(|spelling| spelling == read));
        }
    }

    #[test]
    fn typed_text_is_written_as_names_are() {
        let check = |text, typed_as: Option<&str>| assert_eq!(typed(text).as_deref(), typed_as);
        check("Zhang Xiu", Some("zhangxiu"));
        check("ＺＸＹ", Some("zxy"));
        check("xi'an", Some("xian"));
        check("LYU", Some("lv"));
        check("lü", Some("lv"));
        check("张x", None);
        check("430104", None);
        check(" ", None);
    }

    proptest! {
        #[test]
        fn any_string_can_be_spelled(name in any::<String>()) {
            let found = spellings(&name);
            prop_assert!(found.len() <= SPELLINGS_MAX);
            for spelling in &found {
                prop_assert!(spelling.bytes().all(|b| b.is_ascii_lowercase()), "{}", spelling);
            }
            typed(&name);
        }

        #[test]
        fn another_writing_of_a_name_is_spelled_the_same(name in "[王單单張秀英國·• 䶮吕呂a]{0,6}") {
            let folded = fold(&name);
            prop_assert_eq!(initials(&name), initials(&folded));
            prop_assert_eq!(whole(&name), whole(&folded));
            prop_assert_eq!(spellings(&name), spellings(&folded));
        }

        #[test]
        fn initials_and_whole_are_among_the_spellings(name in "\\p{Han}{1,6}") {
            let found = spellings(&name);
            let (initials, whole) = (initials(&name), whole(&name));
            prop_assert!(initials.is_empty() || found.contains(&initials));
            prop_assert!(whole.is_empty() || found.contains(&whole));
        }
    }
}
