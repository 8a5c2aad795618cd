//! Single rules of the store.

use std::fs;

use tempfile::TempDir;

use kiosk_core::record::RecordId;
use kiosk_store::{AUTOMATIC, Commit, NewReference, Reference, Seq, Store, StoreError};

use crate::made::{commit, key, lane, number, receipt, reference};

#[test]
fn two_processes_cannot_have_it_open() {
    let folder = TempDir::new().unwrap();
    let first = Store::open(folder.path(), &key()).unwrap();
    let second = Store::open(folder.path(), &key()).map(drop);
    assert!(matches!(second, Err(StoreError::InUse)), "{second:?}");
    drop(first);
    Store::open(folder.path(), &key()).unwrap();
}

#[test]
fn a_record_whose_bytes_do_not_fit_its_digest_is_not_saved() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open(folder.path(), &key()).unwrap();
    let mut bent = commit(2);
    bent.record.envelope[0] ^= 1;
    assert!(matches!(store.commit(bent), Err(StoreError::RecordDiffers)));
    let mut bent = commit(2);
    bent.record.pictures[0].sealed[0] ^= 1;
    assert!(matches!(store.commit(bent), Err(StoreError::RecordDiffers)));
    assert_eq!(store.commit(commit(2)).unwrap().0, 1);
}

#[test]
fn a_slip_is_kept_with_its_record_and_found_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open(folder.path(), &key()).unwrap();
    let seq = store.commit(commit(1)).unwrap();
    drop(store);
    let store = Store::open(folder.path(), &key()).unwrap();
    assert_eq!(store.slip(seq).unwrap(), Some(commit(1).slip));
    assert_eq!(store.slip(Seq(seq.0 + 1)).unwrap(), None);
}

#[test]
fn a_visit_has_one_record_and_a_record_one_visit() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open(folder.path(), &key()).unwrap();
    assert_eq!(store.commit(commit(1)).unwrap().0, 1);
    // Sealed anew after a crash: another record id and other bytes for the same visit.
    let mut again = commit(2);
    again.visit = commit(1).visit;
    assert_eq!(store.commit(again).unwrap().0, 1);
    let mut other_visit = commit(1);
    other_visit.visit = [99; 16];
    assert!(matches!(store.commit(other_visit), Err(StoreError::RecordDiffers)));
    assert_eq!(store.records(10).unwrap().len(), 1);
}

#[test]
fn a_batch_is_bounded_but_never_empty_while_something_waits() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open(folder.path(), &key()).unwrap();
    for n in 1..=6 {
        store.commit(commit(n)).unwrap();
    }
    assert_eq!(store.outbox_next(2, u64::MAX).unwrap().len(), 2);
    let smallest = store.outbox_next(10, 1).unwrap();
    assert_eq!(smallest.len(), 1);
    assert_eq!(smallest[0].lane, lane(2), "appeals go first");
    let two = smallest[0].len + 300 + 37 * 6;
    assert_eq!(store.outbox_next(10, two).unwrap().len(), 2);
}

#[test]
fn a_wrong_receipt_changes_nothing_and_is_written_down() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open(folder.path(), &key()).unwrap();
    store.commit(commit(1)).unwrap();
    let mut wrong = receipt(1, 1);
    wrong.digest[5] ^= 1;
    let error = store.deliver(&wrong).unwrap_err();
    assert_eq!(error.code(), "store-receipt-mismatch");
    assert_eq!(store.outbox_summary().unwrap().waiting, 1);
    assert_eq!(store.receipt(RecordId([1; 16])).unwrap(), None);
    assert_eq!(store.audit_lines(1).unwrap()[0].line.event, "security-receipt-mismatch");
    store.deliver(&receipt(1, 1)).unwrap();
    assert_eq!(store.receipt(RecordId([1; 16])).unwrap(), Some(receipt(1, 1).signed));
}

#[test]
fn pictures_of_a_visit_that_was_cut_short_are_swept() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open(folder.path(), &key()).unwrap();
    store.commit(commit(2)).unwrap();
    let orphan = folder.path().join("pictures/ab");
    fs::create_dir_all(&orphan).unwrap();
    fs::write(orphan.join("ab00"), b"sealed").unwrap();
    let scrub = store.scrub().unwrap();
    assert_eq!((scrub.pictures_good, scrub.pictures_swept), (2, 1));
    assert_eq!(store.scrub().unwrap().pictures_swept, 0);
}

#[test]
fn a_picture_that_is_gone_or_changed_is_not_whole_and_one_that_does_not_wait_is_not_missed() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open(folder.path(), &key()).unwrap();
    store.commit(commit(2)).unwrap();
    let file = |digest: &[u8; 32]| {
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        folder.path().join("pictures").join(&name[..2]).join(name)
    };
    let named = store.pictures_to_send().unwrap();
    assert_eq!(named.len(), 2);
    assert!(named.iter().all(|digest| store.is_picture_whole(digest).unwrap()));
    fs::write(file(&named[0]), b"bent").unwrap();
    fs::remove_file(file(&named[1])).unwrap();
    assert!(named.iter().all(|digest| !store.is_picture_whole(digest).unwrap()));
    // What cannot be read at all.
    fs::create_dir(file(&named[1])).unwrap();
    assert!(!store.is_picture_whole(&named[1]).unwrap());
    assert!(store.is_picture_whole(&[7; 32]).unwrap());
    store.hold(RecordId([2; 16]), "damaged-on-terminal").unwrap();
    assert!(store.pictures_to_send().unwrap().is_empty());
    assert!(named.iter().all(|digest| store.is_picture_whole(digest).unwrap()));
}

#[test]
fn there_is_room_to_begin_a_visit_or_it_is_said() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path(), &key()).unwrap();
    let free = store.free_bytes().unwrap();
    assert!(free > 0);
    assert_eq!(store.check_reserve().is_ok(), free >= 500 << 20);
}

/// A visit about the person of `made::number(1)` in this month, with one face reference of this origin.
fn face_visit(n: u8, month: i64, origin: &str) -> Commit {
    let mut visit = commit(n);
    visit.subject = key().subject(&number(1));
    visit.record.captured.wall_ms = month * 30 * 24 * 3600 * 1000;
    visit.references =
        vec![NewReference { modality: "face".into(), origin: origin.into(), ..reference(n) }];
    visit
}

/// Which visits the person's references come from; those that joined by themselves with an `a`.
fn kept(store: &Store) -> String {
    let references = store.references(&key().subject(&number(1))).unwrap();
    let name = |one: &Reference| {
        let n = one.record.unwrap().0[0];
        assert_eq!(one.bytes, reference(n).bytes);
        format!("{n}{}", if one.is_automatic() { "a" } else { "" })
    };
    references.iter().map(name).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_view_that_joins_by_itself_is_one_of_few_and_goes_with_its_record() {
    let folder = TempDir::new().unwrap();
    let mut store = Store::open(folder.path(), &key()).unwrap();
    let mut visit = |n, month, origin| {
        store.commit(face_visit(n, month, origin)).unwrap();
        kept(&store)
    };
    assert_eq!(visit(1, 0, "this-terminal"), "1");
    assert_eq!(visit(2, 12, AUTOMATIC), "1 2a");
    assert_eq!(visit(3, 13, AUTOMATIC), "1 3a", "one a season");
    assert_eq!(visit(4, 24, AUTOMATIC), "1 3a 4a");
    assert_eq!(visit(5, 36, AUTOMATIC), "1 3a 4a 5a");
    assert_eq!(visit(6, 48, AUTOMATIC), "1 4a 5a 6a", "the oldest goes, the enrolment stays");
    let mut correction = face_visit(7, 49, "this-terminal");
    correction.references.clear();
    correction.supersedes = Some(RecordId([5; 16]));
    store.commit(correction).unwrap();
    assert_eq!(kept(&store), "1 4a 6a", "what a corrected visit kept may be somebody else's");
    store.hold(RecordId([6; 16]), "record-conflict").unwrap();
    assert_eq!(kept(&store), "1 4a", "the centre does not take its record");
    store.hold(RecordId([1; 16]), "record-conflict").unwrap();
    store.commit(face_visit(8, 60, AUTOMATIC)).unwrap();
    assert_eq!(kept(&store), "1 4a 8a", "an enrolment stays until somebody decides");
    store.commit(face_visit(9, 61, "this-terminal")).unwrap();
    assert_eq!(kept(&store), "9", "a new enrolment begins anew");
}
