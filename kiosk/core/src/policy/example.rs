//! A pack's own test cases: a person, a day, and what has to come out.

use jiff::civil::Date;

use super::assess::{Assessment, DueState};
use super::read::{Book, Section};
use super::{Pack, Words};
use crate::benefit::{Abode, Entitlement, Method, Stage, Success, Word};
use crate::moment::Doubt;

/// One test case of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Bytes in the text where the expected values stand, to name their lines.
    at: [usize; 7],
    /// What it shows.
    pub note: Option<String>,
    /// The entitlement.
    pub entitlement: Entitlement,
    /// Birth.
    pub born: Date,
    /// The day.
    pub today: Date,
    /// How far the day is believed.
    pub doubt: Doubt,
    is_method_known: bool,
    /// A success on that day by this method, of which `next` is expected.
    pub by: Option<Method>,
    expect: String,
    reason: Option<String>,
    due: Option<Date>,
    opens: Option<Date>,
    may_certify: Option<bool>,
    next: Option<Date>,
    counts: Option<bool>,
    /// Rules that it shows.
    pub rules: Vec<String>,
}

/// Doubt as a pack writes it.
impl Word for Doubt {
    fn all() -> &'static [Self] {
        &[Self::None, Self::Doubtful, Self::Unknown]
    }

    fn id(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Doubtful => "doubtful",
            Self::Unknown => "unknown",
        }
    }
}

/// Reads one `[[examples]]` table.
pub(super) fn read(s: &Section<'_, '_>) -> Option<Example> {
    let (born, today) = (s.day_or_none("born"), s.day("today"));
    let method = s.word_or_none("last_method");
    let is_method_known = method.is_some();
    let method = method.unwrap_or(Method::FaceModel);
    let entitlement = Entitlement {
        pack: String::new(),
        group: s.text_or_none("group").unwrap_or_default(),
        last: s.day_or_none("last").map(|on| Success { on, method }),
        suspended: s.flag("suspended", false),
        under_review: s.day_or_none("under_review"),
        retired_on: s.day_or_none("retired_on"),
        stage: s.word_or_none::<Stage>("stage").unwrap_or_default(),
        abode: s.word_or_none::<Abode>("abode").unwrap_or_default(),
        duplicate: s.flag("duplicate", false),
    };
    Some(Example {
        at: EXPECTED.map(|key| s.at(key)),
        note: s.text_or_none("note"),
        entitlement,
        born: born.unwrap_or(DEFAULT_BIRTH),
        doubt: s.word_or_none("doubt").unwrap_or_default(),
        by: s.word_or_none("by"),
        is_method_known,
        expect: expected(s),
        reason: s.text_or_none("reason"),
        due: s.day_or_none("due"),
        opens: s.day_or_none("opens"),
        may_certify: s.has("may_certify").then(|| s.flag("may_certify", false)),
        next: s.day_or_none("next"),
        counts: s.has("counts").then(|| s.flag("counts", false)),
        rules: s.rules_if_any(),
        today: today?,
    })
}

fn expected(s: &Section<'_, '_>) -> String {
    let expect = s.text("expect");
    if s.has("expect") && !DueState::IDS.contains(&expect.as_str()) {
        let known = DueState::IDS.join(", ");
        let words = Words::new(
            format!("expect 不认识“{expect}”；可用：{known}"),
            format!("expect does not know \"{expect}\"; known: {known}"),
        );
        s.fault("expect", "unknown-word", words);
    }
    expect
}

/// Holds a pack against each of its examples and tells those that fail.
pub(super) fn hold(pack: &Pack, book: &Book<'_>) {
    for example in &pack.examples {
        for (what, expected, found) in example.differences(pack) {
            let at = EXPECTED.iter().position(|key| *key == what).map_or(0, |n| example.at[n]);
            let words = Words::new(
                format!("算例不符：{what} 应为 {expected}，算得 {found}"),
                format!("the example fails: {what} should be {expected} and is {found}"),
            );
            book.fault(at, "example-fails", words);
        }
    }
}

impl Example {
    /// What comes out.
    pub fn assess(&self, pack: &Pack) -> Assessment {
        let entitlement = self.entitlement(pack);
        pack.assess(&entitlement, self.born, self.today, self.doubt)
    }

    /// A success of which the example tells no method was by one that counts.
    fn entitlement(&self, pack: &Pack) -> Entitlement {
        let mut entitlement = self.entitlement.clone();
        if let (Some(last), false) = (&mut entitlement.last, self.is_method_known) {
            last.method = pack.some_method();
        }
        entitlement
    }

    fn differences(&self, pack: &Pack) -> Vec<(&'static str, String, String)> {
        let found = self.assess(pack);
        let mut all = vec![("expect", Some(self.expect.clone()), found.state.id().to_owned())];
        all.push(("due", self.due.map(|d| d.to_string()), shown(found.due)));
        all.push(("opens", self.opens.map(|d| d.to_string()), shown(found.opens)));
        all.push((
            "may_certify",
            self.may_certify.map(|m| m.to_string()),
            found.may_certify.to_string(),
        ));
        if let DueState::NotRequired(reason) = found.state {
            all.push(("reason", self.reason.clone(), reason.id().to_owned()));
        } else {
            all.push(("reason", self.reason.clone(), "-".to_owned()));
        }
        let by = self.by.unwrap_or_else(|| pack.some_method());
        let (entitlement, day) = (self.entitlement(pack), (self.today, self.doubt));
        let before = pack.stand(&entitlement, self.born, self.today, self.doubt);
        let counted = pack.next_if_counted(&before, &entitlement, self.born, day, by);
        all.push(("next", self.next.map(|d| d.to_string()), shown(counted.or(before.due))));
        all.push(("counts", self.counts.map(|c| c.to_string()), counted.is_some().to_string()));
        all.into_iter()
            .filter_map(|(what, expected, found)| expected.map(|expected| (what, expected, found)))
            .filter(|(_, expected, found)| expected != found)
            .collect()
    }
}

fn shown(day: Option<Date>) -> String {
    day.map_or_else(|| "-".to_owned(), |day| day.to_string())
}

/// Keys of an example that say what has to come out.
const EXPECTED: [&str; 7] = ["expect", "due", "opens", "may_certify", "reason", "next", "counts"];
/// Old enough for every pack.
const DEFAULT_BIRTH: Date = Date::constant(1945, 6, 15);
