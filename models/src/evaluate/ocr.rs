//! Measures the reading of cards: how many characters and fields come out right, how
//! often a card is read at all, and whether wrong readings are noticed as doubtful.

use std::{collections::BTreeMap, path::Path, time::Instant};

use serde_json::{Value, json};

use super::{
    Made, Setting, acquisition, colours, each, finish, list, outputs, timed, unreadable, wilson,
};
use crate::{
    ModelError,
    document::{CardText, Date, DocumentEngine, Sex, ValidTo},
};

/// Reads cards. `files` has the column `path` and any of `name`, `sex`, `ethnicity`,
/// `birth`, `address`, `number`, `issuer`, `valid_from`, `valid_to`; or `text`, all that
/// stands in the picture from top to bottom.
pub fn ocr(setting: &Setting<'_>, files: &Path, out: &Path) -> Result<Value, ModelError> {
    let cards = Truth::read(files)?;
    let paths: Vec<_> = cards.iter().map(|card| card.path.clone()).collect();
    outputs::check(setting, out, files, &paths)?;
    let engine = DocumentEngine::load(setting.dir, setting.manifest)?;
    engine.warm_up()?;
    let as_text = cards.iter().any(|card| card.fields.contains_key(TEXT));
    let made = each(setting, &paths, |path| read(&engine, path, as_text));
    let mut report = acquisition(&paths, &made);
    let tally = Tally::of(&cards, &made);
    tally.tell(&mut report);
    report["notes"] = json!(unreadable(&made).as_slice());
    report["modality"] = json!("ocr");
    report["model"] = json!(engine.model_id().to_string());
    finish(report, setting, out)
}

/// What stands on one card.
struct Truth {
    path: std::path::PathBuf,
    fields: BTreeMap<&'static str, String>,
}

/// What was read of it, by field.
struct Read {
    fields: BTreeMap<&'static str, String>,
    is_doubted: bool,
}

#[derive(Default)]
struct Tally {
    fields: BTreeMap<&'static str, (usize, usize)>,
    n_characters: usize,
    n_wrong: usize,
    n_characters_read: usize,
    n_wrong_read: usize,
    n_cards: usize,
    n_right: usize,
    n_wrong_unnoticed: usize,
    n_right_doubted: usize,
}

impl Truth {
    fn read(files: &Path) -> Result<Vec<Self>, ModelError> {
        let (table, head) = list::Table::open(files)?;
        let path_at = list::place_of(&head, "path");
        let path_at = path_at
            .ok_or_else(|| table.fault(1, "表头需要 path 这一列", "the header needs path"))?;
        let columns: Vec<_> =
            FIELDS.iter().filter_map(|f| Some((*f, list::place_of(&head, f)?))).collect();
        if columns.is_empty() {
            let (zh, en) = ("表头没有证件的任何一栏", "the header names no field of a card");
            return Err(table.fault(1, zh, en));
        }
        let card = |(line, row): &(usize, Vec<String>)| {
            let name = row.get(path_at).ok_or_else(|| table.too_short(*line))?;
            let value = |at: &usize| row.get(*at).filter(|value| !value.is_empty());
            let fields = columns.iter().filter_map(|(f, at)| Some((*f, plain(f, value(at)?))));
            Ok(Self { path: list::resolve(files, name), fields: fields.collect() })
        };
        table.rows.iter().map(card).collect()
    }
}

fn read(engine: &DocumentEngine, path: &Path, as_text: bool) -> Made<Read> {
    let picture = match colours(path) {
        Ok(picture) => picture,
        Err(reason) => return Made::Bad(reason),
    };
    let started = Instant::now();
    if as_text {
        let text = engine.text(&picture).map(|text| {
            let fields = BTreeMap::from([(TEXT, plain(TEXT, &text))]);
            (!text.is_empty()).then_some(Read { fields, is_doubted: false })
        });
        return timed(text, NO_TEXT, started);
    }
    let card = engine.read(&picture).map(|card| {
        card.map(|card| Read {
            is_doubted: !card.text.doubts().is_empty(),
            fields: said(&card.text),
        })
    });
    timed(card, NO_CARD, started)
}

fn said(text: &CardText) -> BTreeMap<&'static str, String> {
    let date = |(year, month, day): Date| format!("{year:04}{month:02}{day:02}");
    let pairs = match text {
        CardText::Front(front) => vec![
            ("name", front.name.clone()),
            ("sex", front.sex.map_or("", |s| if s == Sex::Male { "男" } else { "女" }).into()),
            ("ethnicity", front.ethnicity.clone()),
            ("birth", front.birth.map(date).unwrap_or_default()),
            ("address", front.address.clone()),
            ("number", front.number.clone()),
        ],
        CardText::Back(back) => vec![
            ("issuer", back.issuer.clone()),
            ("valid_from", back.valid_from.map(date).unwrap_or_default()),
            (
                "valid_to",
                match back.valid_to {
                    Some(ValidTo::Day(day)) => date(day),
                    Some(ValidTo::Open) => "长期".into(),
                    None => String::new(),
                },
            ),
        ],
    };
    pairs.into_iter().collect()
}

/// One form for what is written in several: dates as digits, no spaces.
fn plain(field: &str, value: &str) -> String {
    let value: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    match field {
        "sex" => match value.to_ascii_lowercase().as_str() {
            "male" | "m" | "1" => "男".to_owned(),
            "female" | "f" | "2" => "女".to_owned(),
            _ => value,
        },
        "birth" | "valid_from" | "valid_to" if value.starts_with(|c: char| c.is_ascii_digit()) => {
            let parts = value.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty());
            parts.map(|part| format!("{part:0>2}")).collect()
        }
        "number" => value.to_ascii_uppercase(),
        _ => value,
    }
}

impl Tally {
    fn of(cards: &[Truth], made: &[Made<Read>]) -> Self {
        let mut tally = Self::default();
        for (card, made) in cards.iter().zip(made) {
            match made {
                Made::Good(read, _) => tally.add(card, Some(read)),
                Made::NotAcquired(_) => tally.add(card, None),
                Made::Bad(_) => {}
            }
        }
        tally
    }

    fn add(&mut self, card: &Truth, read: Option<&Read>) {
        let mut is_right = true;
        for (field, truth) in &card.fields {
            let said = read.and_then(|read| read.fields.get(field)).map_or("", String::as_str);
            let wrong = distance(truth, said);
            let n = truth.chars().count();
            self.n_characters += n;
            self.n_wrong += wrong;
            if read.is_some() {
                self.n_characters_read += n;
                self.n_wrong_read += wrong;
            }
            let (n_fields, n_right) = self.fields.entry(*field).or_default();
            *n_fields += 1;
            *n_right += usize::from(wrong == 0);
            is_right &= wrong == 0;
        }
        let Some(read) = read else { return };
        self.n_cards += 1;
        self.n_right += usize::from(is_right);
        self.n_wrong_unnoticed += usize::from(!is_right && !read.is_doubted);
        self.n_right_doubted += usize::from(is_right && read.is_doubted);
    }

    fn tell(&self, report: &mut Value) {
        let rate = |k: usize, n: usize| (n > 0).then(|| k as f64 / n as f64);
        let fields: BTreeMap<_, _> = self
            .fields
            .iter()
            .map(|(field, (n, right))| {
                let interval = wilson(*right, *n);
                (*field, json!({ "n": n, "right": rate(*right, *n), "interval": interval }))
            })
            .collect();
        report["n_characters"] = json!(self.n_characters);
        report["character_error_rate"] = json!(rate(self.n_wrong, self.n_characters));
        report["character_error_rate_when_read"] =
            json!(rate(self.n_wrong_read, self.n_characters_read));
        report["field_accuracy"] = json!(fields);
        report["n_cards_read"] = json!(self.n_cards);
        report["card_accuracy"] = json!(rate(self.n_right, self.n_cards));
        report["card_accuracy_interval"] = json!(wilson(self.n_right, self.n_cards));
        report["wrong_without_doubt"] = json!(rate(self.n_wrong_unnoticed, self.n_cards));
        report["right_but_doubted"] = json!(rate(self.n_right_doubted, self.n_cards));
    }
}

/// Characters to insert, leave out or change (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}

const TEXT: &str = "text";
const NO_TEXT: &str = "图中没有文字 no text in it";
const NO_CARD: &str = "图中没有找到身份证 no card in it";
const FIELDS: [&str; 10] = [
    TEXT,
    "name",
    "sex",
    "ethnicity",
    "birth",
    "address",
    "number",
    "issuer",
    "valid_from",
    "valid_to",
];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_distance_counts_each_wrong_character_once() {
        assert_eq!(distance("王建国", "王建国"), 0);
        assert_eq!(distance("王建国", "王健国"), 1);
        assert_eq!(distance("王建国", "建国"), 1);
        assert_eq!(distance("", "建国"), 2);
    }

    #[test]
    fn an_unread_card_counts_as_wrong_and_a_doubted_one_as_noticed() {
        let card =
            || Truth { path: "a".into(), fields: BTreeMap::from([("name", "王建国".into())]) };
        let read = |name: &str, is_doubted| {
            Made::Good(Read { fields: BTreeMap::from([("name", name.into())]), is_doubted }, 1.0)
        };
        let made = [
            read("王建国", false),
            read("王健国", true),
            read("王健国", false),
            Made::NotAcquired(""),
        ];
        let tally = Tally::of(&[card(), card(), card(), card()], &made);
        let mut report = json!({});
        tally.tell(&mut report);
        assert_eq!(report["character_error_rate"], json!(5.0 / 12.0));
        assert_eq!(report["character_error_rate_when_read"], json!(2.0 / 9.0));
        assert_eq!(report["field_accuracy"]["name"]["right"], json!(0.25));
        assert_eq!(report["wrong_without_doubt"], json!(1.0 / 3.0));
    }

    #[test]
    fn dates_and_sexes_are_compared_in_one_form() {
        assert_eq!(plain("birth", "1948-3-12"), "19480312");
        assert_eq!(plain("valid_to", "长期"), "长期");
        assert_eq!(plain("sex", "F"), "女");
    }

    #[test]
    fn a_list_without_fields_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cards.csv");
        fs::write(&path, "path\na.png\n").unwrap();
        assert!(Truth::read(&path).is_err());
        fs::write(&path, "\r\nNumber,Path\r\n11010519491231002x,a.png\r\n").unwrap();
        let cards = Truth::read(&path).unwrap();
        assert_eq!(cards[0].fields["number"], "11010519491231002X");
    }
}
