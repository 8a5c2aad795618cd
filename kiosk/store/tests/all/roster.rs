//! The roster against a plain list of people, replaced while the power goes, damaged, and kept up to date.

use std::fs;
use std::path::Path;

use jiff::civil::{Date, date};
use proptest::prelude::*;
use tempfile::TempDir;

use kiosk_core::identity::IdNumber;
use kiosk_core::roster::RosterKeys;
use kiosk_store::{RosterEntry, RosterList, RosterRow, Store, StoreError};

use crate::made::{commit, key, number};

/// Somebody of a made-up roster: their place in it is their entry.
#[derive(Clone, Debug)]
struct Made {
    n: u32,
    name: &'static str,
    spellings: Vec<&'static str>,
    village: &'static str,
    due: Option<Date>,
    suspend: Option<Date>,
    suspended: bool,
}

impl Made {
    fn keys(&self) -> RosterKeys {
        RosterKeys {
            folded: self.name.into(),
            spellings: self.spellings.iter().map(|s| (*s).to_owned()).collect(),
            village: self.village.into(),
            due: self.due,
            suspend: self.suspend,
            suspended: self.suspended,
        }
    }

    fn entry(&self) -> RosterEntry {
        let bytes = self.n.to_be_bytes().to_vec();
        RosterEntry { number: nth(self.n), bytes, keys: self.keys() }
    }

    /// Where they stand: 0 will be stopped, 1 due, 2 was stopped; with the day.
    fn standing(&self) -> Option<(u8, Date)> {
        match (self.suspended, self.suspend, self.due) {
            (_, Some(suspend), _) => Some((0, suspend)),
            (stopped, None, due) => due.map(|due| (1 + u8::from(stopped), due)),
        }
    }
}

/// Different for each `n` below 28 000.
fn nth(n: u32) -> IdNumber {
    let body = format!(
        "1101051949{:02}{:02}{:03}",
        1 + n / 10 % 12,
        1 + n / 120 % 28,
        n % 10 + n / 3360 * 10
    );
    let checks = (b'0'..=b'9').chain([b'X']).map(|check| format!("{body}{}", char::from(check)));
    checks.filter_map(|text| IdNumber::parse(&text).ok()).next().unwrap()
}

fn made() -> impl Strategy<Value = Made> {
    let names = prop::sample::select(vec![
        ("张秀英", vec!["zhangxiuying", "zhangxy", "zxy"]),
        ("张秀", vec!["zhangx", "zhangxiu", "zx"]),
        ("单玉", vec!["dany", "danyu", "dy", "shany", "shanyu", "sy"]),
        ("王芳", vec!["wangf", "wangfang", "wf"]),
        ("𠅤", vec!["x", "xi"]),
        ("", vec![]),
    ]);
    let villages = prop::sample::select(vec!["石桥村", "石桥", "长青村", ""]);
    let day = || {
        prop::option::of(
            (0_i64..60).prop_map(|days| TODAY.saturating_add(jiff::Span::new().days(days - 30))),
        )
    };
    (0_u32..60, names, villages, day(), day(), any::<bool>()).prop_map(
        |(n, (name, spellings), village, due, suspend, suspended)| Made {
            n,
            name,
            spellings,
            village,
            due,
            suspend,
            suspended,
        },
    )
}

const TODAY: Date = date(2026, 11, 16);

fn found(rows: Result<Vec<RosterRow>, StoreError>) -> Vec<u32> {
    let place = |row: RosterRow| {
        let n = u32::from_be_bytes(row.bytes.try_into().unwrap());
        assert_eq!(row.number, nth(n));
        n
    };
    rows.unwrap().into_iter().map(place).collect()
}

/// All pages of three, one after the other.
fn paged(page: impl Fn(usize, usize) -> Result<Vec<RosterRow>, StoreError>) -> Vec<u32> {
    let pages = (0..).map(|n| found(page(n * 3, 3))).take_while(|page| !page.is_empty());
    pages.flatten().collect()
}

fn sorted<K: Ord>(people: &[Made], key: impl Fn(&Made) -> Option<K>) -> Vec<u32> {
    let mut listed: Vec<(K, usize, u32)> = people
        .iter()
        .enumerate()
        .filter_map(|(at, person)| Some((key(person)?, at, person.n)))
        .collect();
    listed.sort();
    listed.into_iter().map(|(_, _, n)| n).collect()
}

fn compare(store: &Store, people: &[Made], letters: &str, words: &str, until: Date) {
    assert_eq!(store.roster_count().unwrap() as usize, people.len());
    for person in people {
        let entry = store.roster_find(&nth(person.n)).unwrap();
        assert_eq!(entry, Some(person.n.to_be_bytes().to_vec()));
    }
    assert_eq!(store.roster_find(&nth(99)).unwrap(), None);
    let typed = |p: &Made| p.spellings.iter().filter(|s| s.starts_with(letters)).min().copied();
    assert_eq!(paged(|s, t| store.roster_by_letters(letters, s, t)), sorted(people, typed));
    let named = |p: &Made| p.name.starts_with(words).then_some(p.name);
    assert_eq!(paged(|s, t| store.roster_by_name(words, s, t)), sorted(people, named));
    let lives = |p: &Made| {
        let day = p.standing().map_or(Date::MAX, |(_, day)| day);
        p.village.starts_with(words).then_some((p.village, day))
    };
    assert_eq!(paged(|s, t| store.roster_by_village(words, s, t)), sorted(people, lives));

    let list = |list: RosterList| paged(|s, t| store.roster_list(&list, s, t));
    let due = |p: &Made| p.standing().filter(|(what, day)| *what < 2 && *day <= until);
    assert_eq!(list(RosterList::Due { until }), sorted(people, due));
    let stopped = |p: &Made| p.standing().filter(|(what, _)| *what == 2);
    assert_eq!(list(RosterList::Suspended), sorted(people, stopped));
    for village in ["石桥村", "石桥", "没有"] {
        let here = |p: &Made| {
            p.standing().map(|(_, day)| day).filter(|day| p.village == village && *day <= until)
        };
        let village = village.to_owned();
        assert_eq!(list(RosterList::Village { village, until }), sorted(people, here));
    }
    let villages = store.roster_villages(until).unwrap();
    assert_eq!(villages.iter().map(|v| v.n_people).sum::<u64>() as usize, people.len());
    let owing = people.iter().filter(|p| p.standing().is_some_and(|(_, day)| day <= until));
    assert_eq!(villages.iter().map(|v| v.n_due).sum::<u64>() as usize, owing.count());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn the_roster_is_what_a_plain_list_says(
        people in prop::collection::vec(made(), 0..40),
        letters in prop::sample::select(vec!["", "z", "zx", "zxy", "zhang", "zhangxiu", "s", "dan", "q", "x"]),
        words in prop::sample::select(vec!["", "张", "张秀", "张秀英", "石", "石桥村", "𠅤", "没"]),
        days in -35_i64..35,
        reopen: bool,
    ) {
        let folder = TempDir::new().unwrap();
        let mut store = Store::open(folder.path(), &key()).unwrap();
        store.import_roster(3, b"basis", people.iter().map(Made::entry)).unwrap();
        if reopen {
            drop(store);
            store = Store::open(folder.path(), &key()).unwrap();
        }
        // Of two entries with one number the later holds.
        let last = |(at, p): (usize, &Made)| !people[at + 1..].iter().any(|later| later.n == p.n);
        let held: Vec<Made> =
            people.iter().enumerate().filter(|(at, p)| last((*at, p))).map(|(_, p)| p.clone()).collect();
        compare(&store, &held, letters, words, TODAY.saturating_add(jiff::Span::new().days(days)));
    }

    #[test]
    fn no_search_panics(text in any::<String>(), skip in 0_usize..50, take in 0_usize..50) {
        let folder = TempDir::new().unwrap();
        let mut store = Store::open(folder.path(), &key()).unwrap();
        prop_assert!(store.roster_by_name(&text, skip, take).unwrap().is_empty());
        store.import_roster(1, b"", [person(1, None).entry()]).unwrap();
        for found in [
            store.roster_by_name(&text, skip, take),
            store.roster_by_letters(&text, skip, take),
            store.roster_by_village(&text, skip, take),
        ] {
            prop_assert!(found.unwrap().len() <= take.min(1));
        }
    }
}

fn person(n: u32, due: Option<Date>) -> Made {
    let (name, spellings, village) = ("王芳", vec!["wf"], "长青村");
    Made { n, name, spellings, village, due, suspend: None, suspended: false }
}

#[test]
fn an_import_that_does_not_finish_leaves_the_roster_in_use() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open(folder.path(), &key()).unwrap();
    store.import_roster(1, b"", [person(1, Some(TODAY)).entry()]).unwrap();
    let mut import = store.begin_roster(2).unwrap().unwrap();
    for n in 2..500 {
        import.put(&person(n, Some(TODAY)).entry()).unwrap();
    }
    drop(import);
    assert_eq!(rosters(folder.path()), 1, "it gives its room back");
    for _ in 0..2 {
        assert_eq!((store.roster_version().unwrap(), store.roster_count().unwrap()), (Some(1), 1));
        assert_eq!(found(store.roster_by_letters("w", 0, 9)), [1]);
        drop(store);
        store = Store::open(folder.path(), &key()).unwrap();
        assert_eq!(rosters(folder.path()), 1, "what was left is gone");
    }
    assert!(store.begin_roster(1).unwrap().is_none(), "not newer");
    assert!(store.import_roster(2, b"", [person(7, None).entry()]).unwrap());
    assert_eq!((store.roster_count().unwrap(), rosters(folder.path())), (1, 1));
}

fn rosters(folder: &Path) -> usize {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names
        .filter(|n| {
            n.to_string_lossy().starts_with("roster") && n.to_string_lossy().ends_with(".db")
        })
        .count()
}

#[test]
fn a_damaged_roster_is_noticed_and_comes_again() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open(folder.path(), &key()).unwrap();
    let people: Vec<RosterEntry> = (0..400).map(|n| person(n, Some(TODAY)).entry()).collect();
    store.import_roster(5, b"", &people).unwrap();
    store.commit(commit(1)).unwrap();
    store.close().unwrap();
    for at in [10, 5_000, 40_000] {
        let path = folder.path().join("roster-a.db");
        let path = if path.exists() { path } else { folder.path().join("roster-b.db") };
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 4;
        fs::write(&path, bytes).unwrap();

        let mut store = Store::open(folder.path(), &key()).unwrap();
        let dropped = store.scrub().unwrap().roster_dropped;
        // What every opening reads is noticed at once.
        assert!(dropped || at < 40_000, "{at}");
        assert_eq!((store.roster_version().unwrap(), store.roster_count().unwrap()), (None, 0));
        assert_eq!(store.records(9).unwrap().len(), 1, "records do not suffer");
        assert!(store.import_roster(4, b"", &people).is_ok_and(|taken| !taken), "an older one");
        assert!(store.import_roster(5, b"", &people).unwrap());
        assert!(!store.scrub().unwrap().roster_dropped);
        assert_eq!(store.roster_count().unwrap(), 400);
        store.close().unwrap();
    }
}

#[test]
fn keys_follow_certifications_and_packs_through_crashes() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open(folder.path(), &key()).unwrap();
    let entry = |n: u8| RosterEntry {
        number: number(n),
        bytes: vec![n],
        keys: RosterKeys { due: Some(TODAY), ..RosterKeys::default() },
    };
    // Certified here before the roster came.
    store.commit(commit(1)).unwrap();
    store.import_roster(1, b"packs 1", (0..5).map(entry)).unwrap();
    let due = |store: &Store| -> Vec<u8> {
        let list = RosterList::Due { until: TODAY };
        let rows = store.roster_list(&list, 0, 9).unwrap();
        rows.into_iter().map(|row| row.bytes[0]).collect()
    };
    assert_eq!(due(&store), [0, 1, 2, 3, 4]);
    // commit(n) is about person n % 5.
    let done = |n: u8| {
        vec![RosterKeys { due: Some(date(2027, 11, 1)), ..RosterKeys::default() }; n.into()]
    };
    let next = |store: &Store, basis: &[u8]| {
        store
            .roster_stale(basis, 2)
            .unwrap()
            .map(|s| s.rows.iter().map(|r| r.bytes[0]).collect::<Vec<_>>())
    };
    assert_eq!(next(&store, b"packs 1"), Some(vec![1]));
    let stale = store.roster_stale(b"packs 1", 2).unwrap().unwrap();
    store.roster_rekey(stale, done(1)).unwrap();
    assert_eq!((next(&store, b"packs 1"), due(&store)), (None, vec![0, 2, 3, 4]));

    // Certified now; the program dies before the keys follow.
    for n in [7, 8, 12] {
        store.commit(commit(n)).unwrap();
    }
    drop(store);
    let mut store = Store::open(folder.path(), &key()).unwrap();
    assert_eq!(next(&store, b"packs 1"), Some(vec![2, 3]));
    while let Some(stale) = store.roster_stale(b"packs 1", 2).unwrap() {
        let n = stale.rows.len() as u8;
        store.roster_rekey(stale, done(n)).unwrap();
    }
    assert_eq!(due(&store), [0, 4]);

    // Other packs: everybody anew, in steps, taken up after a restart where they stopped.
    let stale = store.roster_stale(b"packs 2", 2).unwrap().unwrap();
    assert_eq!(stale.rows.iter().map(|row| row.bytes[0]).collect::<Vec<_>>(), [0, 1]);
    store.roster_rekey(stale, done(2)).unwrap();
    store.close().unwrap();
    let mut store = Store::open(folder.path(), &key()).unwrap();
    let mut left = Vec::new();
    while let Some(stale) = store.roster_stale(b"packs 2", 2).unwrap() {
        left.extend(stale.rows.iter().map(|row| row.bytes[0]));
        let n = stale.rows.len() as u8;
        store.roster_rekey(stale, done(n)).unwrap();
    }
    assert_eq!((left, due(&store)), (vec![2, 3, 4], vec![]));
}
