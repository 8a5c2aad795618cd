//! What is done with words and rules: the card's text, the person's row in the roster, what is due and why.

use std::error::Error;
use std::path::Path;

use drivers::id_card::fields;
use jiff::civil::date;
use kiosk_core::benefit::Method;
use kiosk_core::identity::IdNumber;
use kiosk_core::moment::Doubt;
use kiosk_core::policy::{Pack, PackSet};
use kiosk_core::roster::{Beneficiary, RosterKeys};
use kiosk_store::{RosterEntry, Store, StoreKey};
use people::Person;
use rusqlite::{Connection, params};
use serde_json::json;

use crate::clock::time;
use crate::table::{Against, Table};

/// Measures all three; stores go under `dir`.
pub(crate) fn measure(table: &mut Table, dir: &Path) -> Result<(), Box<dyn Error>> {
    let people: Vec<Person> = (0..N_ROSTER).map(|index| Person::generate(SEED, index)).collect();
    card(table, &people[0])?;
    let known = roster(table, dir, &people)?;
    policy(table, &known)
}

fn card(table: &mut Table, person: &Person) -> Result<(), Box<dyn Error>> {
    let block = card_text(person);
    let ours = time(N, || {
        let text = fields::decode(&block)?;
        let number = IdNumber::parse(&text.number)?;
        let (year, month, day) = text.birth;
        let birth = (number.birth().year(), number.birth().month(), number.birth().day());
        if birth != (i16::try_from(year)?, i8::try_from(month)?, i8::try_from(day)?) {
            return Err("the number and the printed birth differ".into());
        }
        Ok((text, number.sex()))
    })?;
    table.time("visit-card-decode", ours, Against::Nothing);
    Ok(())
}

/// The chip's block of 256 bytes: UTF-16LE, each field padded with blanks.
fn card_text(person: &Person) -> [u8; 256] {
    let day = |(year, month, day): people::Date| format!("{year:04}{month:02}{day:02}");
    let sex = if person.sex == people::Sex::Male { "1" } else { "2" };
    let fields: [(&str, usize); 10] = [
        (&person.name, 15),
        (sex, 1),
        (person.ethnic_code, 2),
        (&day(person.birth), 8),
        (&person.address, 35),
        (&person.number, 18),
        (&person.issuer, 15),
        (&day(person.valid_from), 8),
        (&person.valid_to.map_or_else(|| "长期".to_owned(), day), 8),
        ("", 18),
    ];
    let mut units = Vec::with_capacity(128);
    for (text, width) in fields {
        let end = units.len() + width;
        units.extend(text.encode_utf16().take(width));
        units.resize(end, u16::from(b' '));
    }
    let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    bytes.try_into().expect("the widths add up to 128 units")
}

/// Ours finds, opens and reads the row and asks for earlier successes and references; the reference only reads a
/// row of the same size by its key.
fn roster(table: &mut Table, dir: &Path, people: &[Person]) -> Result<Beneficiary, Box<dyn Error>> {
    let key = StoreKey::from_bytes([42; 32]);
    let mut store = Store::open(&dir.join("roster"), &key)?;
    let plain = Connection::open(dir.join("roster-plain.db"))?;
    plain.execute_batch(
        "PRAGMA journal_mode = WAL; CREATE TABLE roster (subject BLOB PRIMARY KEY, entry BLOB) WITHOUT ROWID; BEGIN;",
    )?;
    let mut entries = Vec::new();
    for person in people {
        let number = IdNumber::parse(&person.number)?;
        let bytes = row(person).to_string().into_bytes();
        let subject = key.subject(&number);
        plain.execute(
            "INSERT OR REPLACE INTO roster VALUES (?1, ?2)",
            params![subject.as_bytes(), bytes],
        )?;
        entries.push(RosterEntry { number, bytes, keys: RosterKeys::default() });
    }
    plain.execute_batch("COMMIT")?;
    store.import_roster(1, b"", &entries)?;
    let mut asked = entries.iter().cycle().step_by(STRIDE);
    let mut number = || asked.next().map(|entry| &entry.number).ok_or("the roster is empty");
    let ours = time(N, || {
        let number = number()?;
        let subject = key.subject(number);
        let row = store.roster_find(number)?.ok_or("nobody of this number")?;
        let known: Beneficiary = serde_json::from_slice(&row)?;
        Ok((known, store.successes(&subject)?, store.references(&subject)?))
    })?;
    let mut select = plain.prepare("SELECT entry FROM roster WHERE subject = ?1")?;
    let reference = time(N, || {
        let subject = key.subject(number()?);
        let row: Vec<u8> = select.query_row([subject.as_bytes()], |row| row.get(0))?;
        Ok(serde_json::from_slice::<Beneficiary>(&row)?)
    })?;
    let name = format!("one SELECT by key in plain SQLite, the same {N_ROSTER} rows, parsed");
    table.time("visit-roster-lookup", ours, Against::Millis(reference.median_ms, name));
    Ok(serde_json::from_slice(&entries[0].bytes)?)
}

/// A person as a roster knows them, with a finger of about half a kilobyte.
fn row(person: &Person) -> serde_json::Value {
    let entitlement = |pack: &str, on: &str, method: Method| json!({"pack": pack, "group": "retiree", "last": {"on": on, "method": method.id()}});
    json!({
        "number": person.number, "name": person.name, "village": person.village,
        "entitlements": [
            entitlement("cn.nm.region.enterprise_pension", "2025-09-12", Method::FaceModel),
            entitlement("cn.sx.province.enterprise_pension", "2025-11-20", Method::FingerprintModel),
            entitlement("cn.sn.xian.enterprise_pension", "2025-06-03", Method::Phone),
        ],
        "references": [{
            "modality": "finger", "format": "ISO19794-2:2005", "extractor": "finger-leader",
            "created": "2025-11-20", "template": "5a".repeat(512), "quality": 70,
        }],
    })
}

/// What is due for three benefits of one person, with the words of the reasons.
fn policy(table: &mut Table, known: &Beneficiary) -> Result<(), Box<dyn Error>> {
    let packs = packs()?;
    let (born, today) = (date(1949, 12, 31), date(2026, 11, 16));
    let ours = time(N, || {
        let assess = |entitlement: &kiosk_core::benefit::Entitlement| {
            let pack = packs.on(&entitlement.pack, today).ok_or("no such pack")?;
            Ok(pack.assess(entitlement, born, today, Doubt::None))
        };
        known.entitlements.iter().map(assess).collect::<Result<Vec<_>, Box<dyn Error>>>()
    })?;
    table.time("visit-policy", ours, Against::Nothing);
    Ok(())
}

/// Three packs of the repository.
pub(crate) fn packs() -> Result<PackSet, Box<dyn Error>> {
    let pack = |text| Pack::parse(text).map_err(|faults| format!("{} faults", faults.len()));
    Ok(PackSet::from_packs(PACKS.into_iter().map(pack).collect::<Result<Vec<_>, _>>()?))
}

const PACKS: [&str; 3] = [
    include_str!("../../../kiosk/policy/cn.nm.region.enterprise_pension.toml"),
    include_str!("../../../kiosk/policy/cn.sx.province.enterprise_pension.toml"),
    include_str!("../../../kiosk/policy/cn.sn.xian.enterprise_pension.toml"),
];
const SEED: u64 = 11;
/// A large village.
const N_ROSTER: u32 = 2000;
/// A prime, so that the rows asked for lie apart.
const STRIDE: usize = 617;
const N: usize = 1001;
