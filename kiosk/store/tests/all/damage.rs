//! Flipped bits are noticed, a lost database comes back from the journal, and a stolen disk says nothing.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use kiosk_store::{Store, StoreError, StoreKey};

use crate::made::{bytes, commit, envelope, key, number, reference, roster_entry};

const RECORDS: u8 = 12;

fn filled(folder: &Path) -> Store {
    let mut store = Store::open(folder, &key()).unwrap();
    for n in 1..=RECORDS {
        store.commit(commit(n)).unwrap();
    }
    store
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn flip(path: &Path, bit: usize) {
    let mut bytes = fs::read(path).unwrap();
    let bit = bit % (bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

/// Whether a look at everything finds something wrong.
fn noticed(folder: &Path) -> bool {
    let mut store = match Store::open(folder, &key()) {
        Ok(store) => store,
        Err(_) => return true,
    };
    let journal = kiosk_store::journal::read(&folder.join("journal.kxj")).unwrap();
    let journal_bad = journal.damaged_bytes > 0 || journal.frames.len() != usize::from(RECORDS);
    let scrub_bad = store.scrub().map_or(true, |scrub| scrub.pictures_damaged > 0);
    store.close().unwrap();
    journal_bad || scrub_bad
}

#[test]
fn every_flipped_bit_is_noticed_and_every_record_comes_back() {
    let original = TempDir::new().unwrap();
    filled(original.path()).close().unwrap();
    assert!(!noticed(original.path()));
    let mut draw = 7_usize;
    for round in 0..60 {
        let copy = TempDir::new().unwrap();
        copy_folder(original.path(), copy.path());
        let names = files(copy.path());
        let data: Vec<_> = names.iter().filter(|p| fs::metadata(p).unwrap().len() > 0).collect();
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let path = data[(draw >> 33) % data.len()];
        flip(path, draw >> 20);
        assert!(noticed(copy.path()), "round {round}: {} bit {}", path.display(), draw >> 20);
        // Whatever one bit hit: database and journal are never hit both.
        let in_journal = path.ends_with("journal.kxj");
        if !in_journal {
            let (store, recovery) = Store::recover(copy.path(), &key()).unwrap();
            assert_eq!((recovery.records, recovery.missing), (u64::from(RECORDS), vec![]));
            for line in store.records(100).unwrap() {
                assert_eq!(store.envelope(line.record).unwrap(), envelope(line.record.0[0]));
            }
        }
    }
}

#[test]
fn a_recovered_store_goes_on_and_can_be_opened_again() {
    let folder = TempDir::new().unwrap();
    filled(folder.path()).close().unwrap();
    fs::remove_file(folder.path().join("store.db")).unwrap();
    let refused = Store::open(folder.path(), &key()).map(drop);
    assert!(
        matches!(refused, Err(StoreError::BehindJournal { journal: 12, database: 0 })),
        "{refused:?}"
    );
    let (mut store, recovery) = Store::recover(folder.path(), &key()).unwrap();
    assert_eq!((recovery.records, recovery.damaged_bytes), (12, 0));
    assert_eq!(store.commit(commit(100)).unwrap().0, 13);
    assert_eq!(store.commit(commit(3)).unwrap().0, 3, "the same visit again is known");
    drop(store);
    let store = Store::open(folder.path(), &key()).unwrap();
    assert_eq!(store.outbox_summary().unwrap().waiting, 13);
}

#[test]
fn a_lost_journal_is_written_anew() {
    let folder = TempDir::new().unwrap();
    drop(filled(folder.path()));
    let journal = folder.path().join("journal.kxj");
    let before = fs::read(&journal).unwrap();
    fs::remove_file(&journal).unwrap();
    drop(Store::open(folder.path(), &key()).unwrap());
    assert!(fs::read(&journal).unwrap() == before);
}

#[test]
fn a_stolen_disk_says_nothing() {
    let folder = TempDir::new().unwrap();
    let mut store = filled(folder.path());
    let secret = "常青的花名册条目 roster entry of a person";
    let entry = roster_entry(1, secret.as_bytes().to_vec());
    store.import_roster(1, b"", [entry]).unwrap();
    store.save_draft([1; 16], b"a draft with a face in it").unwrap();
    store.set_meta("anchor", b"a fact about this terminal").unwrap();
    // Once with everything still in the write-ahead log, once with everything in the database.
    for round in ["open", "closed"] {
        let needles: Vec<Vec<u8>> = vec![
            secret.into(),
            "花名册".into(),
            "常青一".into(),
            b"changqingyi".to_vec(),
            "石桥村".into(),
            b"a draft with a face in it".to_vec(),
            b"a fact about this terminal".to_vec(),
            number(1).as_str().into(),
            number(2).as_str()[6..14].into(),
            reference(1).bytes[..16].to_vec(),
            b"CREATE TABLE".to_vec(),
            key().as_bytes()[..16].to_vec(),
            bytes("template 3", 16),
        ];
        let hidden = |path: &Path| {
            let disk = fs::read(path).unwrap();
            for needle in &needles {
                let found = disk.windows(needle.len()).any(|window| window == needle);
                assert!(
                    !found,
                    "{round}: {} in {}",
                    String::from_utf8_lossy(needle),
                    path.display()
                );
            }
        };
        files(folder.path()).iter().for_each(|path| hidden(path));
        if round == "open" {
            store.close().unwrap();
            store = Store::open(folder.path(), &key()).unwrap();
        }
    }
    drop(store);
    let other = Store::open(folder.path(), &StoreKey::from_bytes([43; 32])).map(drop);
    assert!(matches!(other, Err(StoreError::WrongKey)), "{other:?}");
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
