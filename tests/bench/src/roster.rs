//! A roster of 200 000 people: found by card, by name, by what is due, each ready for the screen. The reference is the
//! same question to a plain table with the same index in the same run, unencrypted, its rows only parsed.

use std::error::Error;
use std::path::Path;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use kiosk_core::folding::fold;
use kiosk_core::identity::IdNumber;
use kiosk_core::moment::Doubt;
use kiosk_core::pinyin;
use kiosk_core::policy::PackSet;
use kiosk_core::roster::{self, Beneficiary, Line, Recent, RosterKeys};
use kiosk_store::{RosterEntry, RosterList, RosterRow, Store, StoreKey};
use people::Person;
use rusqlite::{Connection, Params, params};
use serde_json::json;

use crate::clock::{Timed, one, time};
use crate::paper::packs;
use crate::table::{Against, Table};

/// Measures all rows; both databases go under `dir`.
pub(crate) fn measure(table: &mut Table, dir: &Path) -> Result<(), Box<dyn Error>> {
    let county = County::build(table, dir)?;
    let asked: Vec<Person> = (0..N_ROSTER).step_by(STRIDE).map(person).collect();
    county.by_card(table, &asked)?;
    county.by_name(table, &asked)?;
    county.by_letters(table, &asked)?;
    county.due(table)
}

/// The roster in the store, and beside it in a plain database.
struct County {
    store: Store,
    key: StoreKey,
    plain: Connection,
    packs: PackSet,
}

impl County {
    fn build(table: &mut Table, dir: &Path) -> Result<Self, Box<dyn Error>> {
        let key = StoreKey::from_bytes([42; 32]);
        let (store, packs) = (Store::open(&dir.join("county"), &key)?, packs()?);
        let plain = Connection::open(dir.join("county-plain.db"))?;
        plain.execute_batch(PLAIN)?;
        let mut county = Self { store, key, plain, packs };
        let (ms, ()) = one(|| county.import())?;
        table.time("roster-import", Timed { median_ms: ms, n: 1 }, Against::Nothing);
        county.fill_plain()?;
        Ok(county)
    }

    /// As the terminal does it, person by person, with the keys of each.
    fn import(&mut self) -> Result<(), Box<dyn Error>> {
        let mut import = self.store.begin_roster(1)?.ok_or("there is a roster already")?;
        for (number, bytes, keys) in everybody(&self.packs) {
            import.put(&RosterEntry { number, bytes, keys })?;
        }
        Ok(import.finish(b"bench")?)
    }

    fn fill_plain(&self) -> Result<(), Box<dyn Error>> {
        let mut person = self.plain.prepare("INSERT INTO person VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let mut spelling = self.plain.prepare("INSERT INTO spelling VALUES (?1, ?2)")?;
        for (id, (number, bytes, keys)) in (1_i64..).zip(everybody(&self.packs)) {
            let subject = self.key.subject(&number);
            let due = keys.due.map(|due| due.to_string());
            person.execute(params![id, subject.as_bytes(), keys.folded, due, bytes])?;
            for typed in keys.spellings {
                spelling.execute(params![id, typed])?;
            }
        }
        Ok(self.plain.execute_batch(PLAIN_ORDER)?)
    }

    fn by_card(&self, table: &mut Table, asked: &[Person]) -> Result<(), Box<dyn Error>> {
        let numbers = asked.iter().map(|p| IdNumber::parse(&p.number));
        let numbers: Vec<IdNumber> = numbers.collect::<Result<_, _>>()?;
        let mut next = numbers.iter().cycle();
        let mut next = || next.next().ok_or("nobody is asked for");
        let ours = time(N, || {
            let number = next()?.clone();
            let bytes = self.store.roster_find(&number)?.ok_or("nobody of this number")?;
            self.line(&RosterRow { number, bytes })
        })?;
        let sql = "SELECT entry FROM person WHERE subject = ?1";
        let reference = time(N, || {
            let subject = self.key.subject(next()?);
            self.plain_rows(sql, [subject.as_bytes()])
        })?;
        add(table, "roster-by-card", ours, reference);
        Ok(())
    }

    fn by_name(&self, table: &mut Table, asked: &[Person]) -> Result<(), Box<dyn Error>> {
        let names: Vec<String> = asked.iter().map(|person| fold(&person.name)).collect();
        let ask = |name: &str| self.store.roster_by_name(name, 0, PAGE);
        let sql = "SELECT entry FROM person WHERE name >= ?1 AND name < ?1 || char(1114111)
                   ORDER BY name LIMIT 20";
        self.texts(table, "roster-by-name", &names, ask, sql)
    }

    /// Initials and the beginning of whole syllables in turns.
    fn by_letters(&self, table: &mut Table, asked: &[Person]) -> Result<(), Box<dyn Error>> {
        let typed = |(at, person): (usize, &Person)| match at % 2 {
            0 => pinyin::initials(&person.name),
            _ => pinyin::whole(&person.name).chars().take(8).collect(),
        };
        let typed: Vec<String> = asked.iter().enumerate().map(typed).collect();
        let ask = |letters: &str| self.store.roster_by_letters(letters, 0, PAGE);
        let sql = "SELECT entry FROM person WHERE id IN
                       (SELECT DISTINCT person FROM spelling
                        WHERE spelling >= ?1 AND spelling < ?1 || '{' ORDER BY spelling LIMIT 20)";
        self.texts(table, "roster-by-letters", &typed, ask, sql)
    }

    fn texts(
        &self,
        table: &mut Table,
        name: &str,
        texts: &[String],
        ask: impl Fn(&str) -> Result<Vec<RosterRow>, kiosk_store::StoreError>,
        sql: &str,
    ) -> Result<(), Box<dyn Error>> {
        let mut next = texts.iter().cycle();
        let mut next = || next.next().ok_or("nothing is asked for");
        let ours = time(N, || self.lines(&ask(next()?)?))?;
        let reference = time(N, || self.plain_rows(sql, [next()?]))?;
        add(table, name, ours, reference);
        Ok(())
    }

    fn due(&self, table: &mut Table) -> Result<(), Box<dyn Error>> {
        let list = RosterList::Due { until: TODAY.saturating_add(30.days()) };
        let ours = time(N, || self.lines(&self.store.roster_list(&list, 0, PAGE)?))?;
        let sql = "SELECT entry FROM person WHERE due <= '2026-12-16' ORDER BY due LIMIT 20";
        let reference = time(N, || self.plain_rows(sql, []))?;
        add(table, "roster-due-first-page", ours, reference);
        Ok(())
    }

    fn lines(&self, rows: &[RosterRow]) -> Result<Vec<Line>, Box<dyn Error>> {
        if rows.is_empty() {
            return Err("nobody is found".into());
        }
        rows.iter().map(|row| self.line(row)).collect()
    }

    /// What the screen shows of somebody: their entry understood, what is due under the packs.
    fn line(&self, row: &RosterRow) -> Result<Line, Box<dyn Error>> {
        let known: Beneficiary = serde_json::from_slice(&row.bytes)?;
        Ok(Line::of(&known, &row.number, &Recent::default(), &self.packs, TODAY, Doubt::None))
    }

    fn plain_rows(
        &self,
        sql: &str,
        values: impl Params,
    ) -> Result<Vec<Beneficiary>, Box<dyn Error>> {
        let mut statement = self.plain.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(serde_json::from_slice(&row.get::<_, Vec<u8>>(0)?)?);
        }
        Ok(found)
    }
}

fn add(table: &mut Table, name: &str, ours: Timed, reference: Timed) {
    let what = format!("plain SQLite with the same index, {N_ROSTER} rows, parsed");
    table.time(name, ours, Against::Millis(reference.median_ms, what));
}

fn person(index: u32) -> Person {
    Person::generate(SEED, index)
}

/// The people of a large county one after the other: number, entry, keys.
fn everybody(packs: &PackSet) -> impl Iterator<Item = (IdNumber, Vec<u8>, RosterKeys)> {
    (0..N_ROSTER).map(|index| {
        let entry = entry(&person(index));
        let bytes = entry.to_string().into_bytes();
        let known: Beneficiary =
            serde_json::from_value(entry).expect("an entry is a person of a roster");
        let number = IdNumber::parse(&known.number).expect("the simulated numbers are sound");
        let keys = roster::keys(&known, &number, &Recent::default(), packs, TODAY);
        (number, bytes, keys)
    })
}

/// One or two benefits, certified at some day of the last 400, and a finger of half a kilobyte.
fn entry(person: &Person) -> serde_json::Value {
    let day = |n: u32| TODAY.saturating_sub(i64::from(person.index.wrapping_mul(n) % 400).days());
    let entitlement = |pack: &str, on: Date, suspended: bool| json!({"pack": pack, "suspended": suspended, "last": {"on": on.to_string(), "method": "window"}});
    let mut entitlements = vec![entitlement(
        "cn.sx.province.enterprise_pension",
        day(617),
        person.index.is_multiple_of(97),
    )];
    if person.index.is_multiple_of(5) {
        entitlements.push(entitlement("cn.nm.region.enterprise_pension", day(331), false));
    }
    json!({
        "number": person.number, "name": person.name, "village": person.village,
        "entitlements": entitlements,
        "references": [{
            "modality": "finger", "format": "ISO19794-2:2005", "extractor": "finger-leader",
            "created": "2025-11-20", "template": "5a".repeat(512), "quality": 70,
        }],
    })
}

const PLAIN: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = OFF;
    CREATE TABLE person (id INTEGER PRIMARY KEY, subject BLOB, name TEXT, due TEXT, entry BLOB);
    CREATE TABLE spelling (person INTEGER, spelling TEXT);
    BEGIN;";
const PLAIN_ORDER: &str = "
    COMMIT;
    CREATE INDEX person_subject ON person (subject);
    CREATE INDEX person_name ON person (name);
    CREATE INDEX person_due ON person (due);
    CREATE INDEX spelling_order ON spelling (spelling, person);";
const SEED: u64 = 11;
const N_ROSTER: u32 = 200_000;
/// A prime, so that those asked for lie apart.
const STRIDE: usize = 977;
const N: usize = 501;
const PAGE: usize = 20;
const TODAY: Date = date(2026, 11, 16);
