//! Holds `tests/requirements.toml` to the truth: every number is there, every pack cites what it is said to
//! cite, and every named test exists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kiosk_core::policy::Pack;

type Row = BTreeMap<String, String>;

#[test]
fn every_rule_and_contradiction_is_named_and_nothing_else() {
    let mut expected: Vec<String> = (1..=127).map(|n| format!("R{n}")).collect();
    expected.extend((1..=27).map(|n| format!("C{n}")));
    expected.sort();
    assert_eq!(table().into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn every_row_says_something_true() {
    for (number, row) in table() {
        assert!(!row.is_empty(), "{number} says nothing");
        for (how, what) in &row {
            match how.as_str() {
                "pack" => assert!(cites(what, &number), "{what} does not cite {number}"),
                "test" => assert!(exists(what), "{number}: there is no test {what}"),
                "phone" | "centre" => {
                    assert!(what.len() > 10, "{number}: {how} gives no reason")
                }
                other => panic!("{number}: unknown word {other}"),
            }
        }
        let placed = ["test", "phone", "centre"].iter().any(|how| row.contains_key(*how));
        assert!(placed, "{number} is in a pack, but nothing says what proves it");
    }
}

fn table() -> BTreeMap<String, Row> {
    toml::from_str(&read(&root().join("tests/requirements.toml"))).expect("the table is TOML")
}

/// Whether a pack that loads cites a number in one of its `rules`.
fn cites(pack: &str, number: &str) -> bool {
    let text = read(&root().join(format!("kiosk/policy/{pack}.toml")));
    assert!(Pack::parse(&text).is_ok(), "{pack} does not load");
    text.lines()
        .filter(|line| line.starts_with("rules = "))
        .any(|line| line.contains(&format!("\"{number}\"")))
}

fn exists(test: &str) -> bool {
    let (file, name) = test.split_once("::").expect("a test is file::name");
    let path = root().join(file);
    path.exists() && read(&path).contains(&format!("fn {name}("))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
