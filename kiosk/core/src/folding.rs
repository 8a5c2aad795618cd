//! Characters that stand for each other in names: for search, and to say how two spellings of a name differ.
//!
//! Only keys for search are folded. Records, slips and forms keep the card's exact characters (R40).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use crate::benefit::vocabulary;

mod table;

/// A key under which spellings of the same name meet: simplified, no dots, no spaces.
pub fn fold(name: &str) -> String {
    name.chars().filter(|c| !is_invisible(*c) && !is_dot(*c)).map(folded).collect()
}

/// How one character of the card differs from one of the roster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CharDifference {
    /// Position in the card's name, from 1; for a character that only the roster has, the one after which it stands.
    pub at: usize,
    /// On the card.
    pub card: Option<char>,
    /// In the roster.
    pub roster: Option<char>,
    /// What kind of difference it is.
    pub kind: Difference,
}

impl fmt::Debug for CharDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CharDifference({}, {}, …)", self.at, self.kind.id())
    }
}

vocabulary! {
    /// Kinds of difference, from the harmless to the real.
    Difference {
        Traditional = "traditional", "繁体字与简体字", "traditional and simplified form";
        RareEncoding = "rare_encoding", "生僻字编码不同", "old and new code of a rare character";
        Compatibility = "compatibility", "兼容字形", "compatibility form";
        Dot = "dot", "间隔点写法不同", "another dot between the parts";
        Invisible = "invisible", "多余的空格或不可见字符", "a space or an invisible character";
        Width = "width", "全角与半角", "wide and narrow letters";
        Variant = "variant", "异体字", "variant form";
        Unencoded = "unencoded", "生僻字未能编码", "a rare character without a code";
        Lookalike = "lookalike", "形近字", "a character that looks alike";
        Different = "different", "不同的字", "another character";
        OnlyOnCard = "only_on_card", "参保信息中缺少", "missing in the roster";
        OnlyInRoster = "only_in_roster", "参保信息中多出", "only in the roster";
    }
}

impl Difference {
    /// Whether it is a matter of spelling only, so that the name is the same name.
    pub fn is_spelling(self) -> bool {
        self <= Self::Width
    }

    /// Whether it may well be the same name; a person has to look.
    pub fn may_be_spelling(self) -> bool {
        self <= Self::Unencoded
    }

    fn cost(self) -> usize {
        match self {
            _ if self.is_spelling() => 1,
            Self::Variant | Self::Unencoded => 2,
            Self::Lookalike => 3,
            Self::Different => 5,
            _ => 4,
        }
    }
}

/// How the roster's spelling differs from the card's, character by character. Empty when they are equal.
pub fn differences(card: &str, roster: &str) -> Vec<CharDifference> {
    let card: Vec<char> = card.chars().take(NAME_MAX).collect();
    let roster: Vec<char> = roster.chars().take(NAME_MAX).collect();
    let costs = costs(&card, &roster);
    let (mut i, mut j, mut found) = (card.len(), roster.len(), Vec::new());
    while i > 0 || j > 0 {
        let here = costs[i][j];
        if i > 0 && j > 0 {
            let kind = kind(card[i - 1], roster[j - 1]);
            if here == costs[i - 1][j - 1] + kind.map_or(0, Difference::cost) {
                let (card, roster) = (Some(card[i - 1]), Some(roster[j - 1]));
                found.extend(kind.map(|kind| CharDifference { at: i, card, roster, kind }));
                (i, j) = (i - 1, j - 1);
                continue;
            }
        }
        if i > 0 && here == costs[i - 1][j] + alone(card[i - 1], Difference::OnlyOnCard).cost() {
            let kind = alone(card[i - 1], Difference::OnlyOnCard);
            found.push(CharDifference { at: i, card: Some(card[i - 1]), roster: None, kind });
            i -= 1;
        } else {
            let kind = alone(roster[j - 1], Difference::OnlyInRoster);
            found.push(CharDifference { at: i, card: None, roster: Some(roster[j - 1]), kind });
            j -= 1;
        }
    }
    found.reverse();
    found
}

/// Cheapest way to turn each beginning of one name into each beginning of the other.
fn costs(card: &[char], roster: &[char]) -> Vec<Vec<usize>> {
    let mut costs = vec![vec![0; roster.len() + 1]; card.len() + 1];
    for i in 0..=card.len() {
        for j in 0..=roster.len() {
            let both = (i > 0 && j > 0).then(|| {
                costs[i - 1][j - 1] + kind(card[i - 1], roster[j - 1]).map_or(0, Difference::cost)
            });
            let left = (i > 0)
                .then(|| costs[i - 1][j] + alone(card[i - 1], Difference::OnlyOnCard).cost());
            let right = (j > 0)
                .then(|| costs[i][j - 1] + alone(roster[j - 1], Difference::OnlyInRoster).cost());
            costs[i][j] = [both, left, right].into_iter().flatten().min().unwrap_or(0);
        }
    }
    costs
}

fn alone(character: char, otherwise: Difference) -> Difference {
    if is_invisible(character) {
        Difference::Invisible
    } else if is_dot(character) {
        Difference::Dot
    } else {
        otherwise
    }
}

fn kind(a: char, b: char) -> Option<Difference> {
    if a == b {
        return None;
    }
    let tables = tables();
    let folds = [folded(a), folded(b)];
    let simple = |c: char| tables.traditional.get(&c).copied().unwrap_or(c);
    Some(if is_dot(a) && is_dot(b) {
        Difference::Dot
    } else if is_invisible(a) && is_invisible(b) {
        Difference::Invisible
    } else if narrow(a) == narrow(b) {
        Difference::Width
    } else if proper(a) == proper(b) {
        let old = is_private(a) || is_private(b);
        if old { Difference::RareEncoding } else { Difference::Compatibility }
    } else if simple(proper(a)) == simple(proper(b)) {
        Difference::Traditional
    } else if folds[0] == folds[1] {
        Difference::Variant
    } else if is_stand_in(a) || is_stand_in(b) {
        Difference::Unencoded
    } else if tables.lookalikes.iter().any(|group| folds.iter().all(|c| group.contains(*c))) {
        Difference::Lookalike
    } else {
        Difference::Different
    })
}

fn folded(character: char) -> char {
    if is_dot(character) {
        return DOT;
    }
    let tables = tables();
    let character = proper(narrow(character));
    let simple = tables.traditional.get(&character).copied().unwrap_or(character);
    tables.variants.get(&simple).copied().unwrap_or(simple)
}

/// The character that an old code means.
fn proper(character: char) -> char {
    if character < OLD_CODES {
        return character;
    }
    let known = table::PRIVATE.iter().chain(&table::COMPATIBLE).find(|(old, _)| *old == character);
    known.map_or(character, |(_, now)| *now)
}

/// Wide letters and digits as narrow capitals.
fn narrow(character: char) -> char {
    let narrow = match character {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(character) - WIDE_TO_NARROW)
            .expect("the range maps onto ASCII"),
        other => other,
    };
    narrow.to_ascii_uppercase()
}

/// Dots between the parts of a name, as keyboards and old systems write them.
fn is_dot(character: char) -> bool {
    matches!(
        character,
        DOT | '•'
            | '・'
            | '．'
            | '.'
            | '‧'
            | '∙'
            | '⋅'
            | '●'
            | '｡'
            | '。'
            | '､'
            | '･'
            | '˙'
    )
}

fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{FE00}'..='\u{FE0F}')
        || matches!(character, '\u{E0100}'..='\u{E01EF}' | '\u{3164}')
}

fn is_private(character: char) -> bool {
    matches!(character, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFD}')
}

/// What systems write where they have no code for a character.
fn is_stand_in(character: char) -> bool {
    is_private(character)
        || matches!(character, '?' | '？' | '*' | '＊' | '□' | '■' | '〓' | '\u{FFFD}')
}

struct Tables {
    traditional: BTreeMap<char, char>,
    variants: BTreeMap<char, char>,
    lookalikes: Vec<&'static str>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| Tables {
        traditional: heads(table::TRADITIONAL),
        variants: heads(table::VARIANTS),
        lookalikes: table::LOOKALIKES.split_whitespace().collect(),
    })
}

fn heads(groups: &str) -> BTreeMap<char, char> {
    let pairs = |group: &str| {
        let head = group.chars().next();
        let rest: Vec<char> = group.chars().skip(1).collect();
        head.into_iter()
            .flat_map(move |head| rest.clone().into_iter().map(move |other| (other, head)))
    };
    groups.split_whitespace().flat_map(|group| pairs(group).collect::<Vec<_>>()).collect()
}

/// U+00B7, as GB/T and the card write it.
const DOT: char = '·';
/// Names on cards have up to 30 characters.
const NAME_MAX: usize = 64;
const WIDE_TO_NARROW: u32 = 0xFEE0;
/// Private and compatibility codes lie above all others that a name is written with.
const OLD_CODES: char = '\u{E000}';

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_old_code_is_passed_over() {
        let mut codes = table::PRIVATE.iter().chain(&table::COMPATIBLE);
        assert!(codes.all(|(old, now)| proper(*old) == *now));
    }

    #[test]
    fn spellings_of_a_name_are_told_apart_character_by_character() {
        check("王建國", "王建国", &expect!["3 國>国 traditional"]);
        check("买买提·吐尔逊", "买买提•吐尔逊", &expect!["4 ·>• dot"]);
        check("买买提·吐尔逊", "买买提吐尔逊", &expect!["4 ·>- dot"]);
        check("张伟", "张 伟", &expect!["1 ->  invisible"]);
        check("李喆", "李哲", &expect!["2 喆>哲 variant"]);
        check("刘\u{9FB4}", "刘\u{E81E}", &expect!["2 \u{9fb4}>\u{e81e} rare_encoding"]);
        check("刘䶮", "刘?", &expect!["2 䶮>? unencoded"]);
        check("刘䶮", "刘龑", &expect!["2 䶮>龑 traditional"]);
        check("赵己", "赵已", &expect!["2 己>已 lookalike"]);
        check("赵秀英", "赵秀兰", &expect!["3 英>兰 different"]);
        check("赵秀英", "赵英", &expect!["2 秀>- only_on_card"]);
        check("赵英", "赵秀英", &expect!["1 ->秀 only_in_roster"]);
        check("ＡＬＩ", "Ali", &expect!["1 Ａ>A width, 2 Ｌ>l width, 3 Ｉ>i width"]);
        check("王芳", "王芳", &expect![""]);
    }

    fn check(card: &str, roster: &str, expect: &Expect) {
        let shown = |c: Option<char>| c.map_or_else(|| "-".to_owned(), String::from);
        let found = differences(card, roster);
        let lines: Vec<String> = found
            .iter()
            .map(|d| format!("{} {}>{} {}", d.at, shown(d.card), shown(d.roster), d.kind.id()))
            .collect();
        expect.assert_eq(&lines.join(", "));
    }

    #[test]
    fn a_difference_prints_without_the_name() {
        assert_eq!(
            format!("{:?}", differences("王建國", "王建国")),
            "[CharDifference(3, traditional, …)]"
        );
    }

    #[test]
    fn no_character_is_folded_in_two_ways() {
        for (other, head) in tables().traditional.iter().chain(&tables().variants) {
            assert_ne!(other, head);
            assert_eq!(folded(*head), *head, "{other} to {head} is not the end");
            assert_eq!(folded(*other), *head, "{other}");
        }
        assert!(tables().traditional.len() > 1100);
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(name in any::<String>()) {
            let once = fold(&name);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn equal_names_have_no_difference_and_others_have_one(a in "[王建國国·• 李]{0,8}", b in "[王建國国·• 李]{0,8}") {
            prop_assert!(differences(&a, &a).is_empty());
            let found = differences(&a, &b);
            prop_assert_eq!(found.is_empty(), a == b);
            if found.iter().all(|d| d.kind.is_spelling()) {
                prop_assert_eq!(fold(&a), fold(&b));
            }
        }
    }
}
