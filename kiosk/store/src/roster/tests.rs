//! A roster of the first schema stays readable until a new one is there.

use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::*;
use crate::StoreKey;

#[test]
fn a_store_of_the_first_schema_keeps_its_roster_until_the_next_import() {
    let folder = TempDir::new().unwrap();
    let key = StoreKey::from_bytes([42; 32]);
    let number = IdNumber::parse("11010519491231002X").unwrap();
    first_schema(folder.path(), &key, &number);

    let mut store = Store::open(folder.path(), &key).unwrap();
    assert_eq!(store.roster_find(&number).unwrap().as_deref(), Some(&b"an old row"[..]));
    assert_eq!((store.roster_count().unwrap(), store.roster_version().unwrap()), (1, None));
    assert!(store.roster_by_letters("c", 0, 10).unwrap().is_empty());

    let entry = |bytes: &[u8]| RosterEntry {
        number: number.clone(),
        bytes: bytes.to_vec(),
        keys: RosterKeys { spellings: vec!["cq".into()], ..RosterKeys::default() },
    };
    assert!(!store.import_roster(6, b"", [entry(b"older")]).unwrap());
    // The same version again, because the one that is there cannot be searched.
    assert!(store.import_roster(7, b"", [entry(b"a new row")]).unwrap());
    store.close().unwrap();
    let store = Store::open(folder.path(), &key).unwrap();
    assert_eq!(store.roster_find(&number).unwrap().as_deref(), Some(&b"a new row"[..]));
    assert_eq!((store.roster_count().unwrap(), store.roster_version().unwrap()), (1, Some(7)));
    assert_eq!(store.roster_by_letters("c", 0, 10).unwrap().len(), 1);
    assert_eq!(store.count_rows("SELECT count(*) FROM roster").unwrap(), 0);
}

/// As the program of the first schema left it: version 7 of a roster with one row.
fn first_schema(folder: &std::path::Path, key: &StoreKey, number: &IdNumber) {
    let keys = Keys::of(key);
    let connection = Connection::open(folder.join("store.db")).unwrap();
    database::unlock(&connection, &keys.database).unwrap();
    connection.execute_batch(include_str!("../schema/0001_first.sql")).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    let sealed = seal(&keys.roster_row(number), 7, b"an old row").unwrap();
    connection
        .execute("INSERT INTO roster VALUES (?1, ?2)", params![keys.subject(number).0, sealed])
        .unwrap();
    meta::put_number(&connection, meta::ROSTER_VERSION, 7).unwrap();
    connection.close().unwrap();
}

#[test]
fn a_list_is_read_off_an_index_and_nothing_is_sorted_for_it() {
    let folder = TempDir::new().unwrap();
    let key = StoreKey::from_bytes([42; 32]);
    let mut store = Store::open(folder.path(), &key).unwrap();
    store.import_roster(1, b"", std::iter::empty::<RosterEntry>()).unwrap();
    let file = store.roster.as_ref().unwrap();
    let statements =
        [BY_LETTERS, BY_NAME, BY_VILLAGE, LIST_DUE, LIST_SUSPENDED, LIST_VILLAGE, VILLAGES];
    for sql in statements {
        let mut plan = file.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let values = rusqlite::params_from_iter((0..plan.parameter_count()).map(|_| 1));
        let steps = plan.query_map(values, |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
        assert_eq!(steps.len(), 1, "{sql}: {steps:?}");
        assert!(steps[0].contains("COVERING INDEX"), "{sql}: {steps:?}");
    }
}
