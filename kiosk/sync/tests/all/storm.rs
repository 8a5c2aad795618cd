//! Two terminals and one centre over a line that loses, doubles and delays; either side may fall over at any time.

use std::cell::RefCell;
use std::sync::LazyLock;

use proptest::prelude::*;

use kiosk_sync::{
    AuthorityKeys, Call, FileKey, Reply, Report, SyncError, Transport, TransportError, Turn,
    run_batch,
};

use crate::centre::Centre;
use crate::terminal::{Fixed, MemoryOutbox, authority_keys, device_key, moment, sealed};

/// A bad line to a centre. Percentages are drawn anew for every request.
struct Line<'a> {
    centre: &'a RefCell<Centre>,
    fate: &'a RefCell<Fixed>,
    bad_percent: u64,
    old: &'a RefCell<Vec<Call>>,
}

impl Transport for Line<'_> {
    fn send(&mut self, call: &Call) -> Result<Reply, TransportError> {
        let (mut fate, mut centre) = (self.fate.borrow_mut(), self.centre.borrow_mut());
        let mut bad = |percent| fate.below(100) < percent;
        let (lost, doubled, forgets) =
            (bad(self.bad_percent), bad(self.bad_percent), bad(self.bad_percent / 5));
        let (cut, late) = (bad(self.bad_percent), bad(self.bad_percent));
        if forgets {
            centre.forget();
        }
        let mut old = self.old.borrow_mut();
        if late && !old.is_empty() {
            let n = old.len() as u64;
            let again = old.swap_remove(fate.below(n) as usize);
            centre.answer(&again);
        }
        if lost {
            old.push(call.clone());
            return Err(TransportError::NoRoute);
        }
        let reply = centre.answer(call);
        if doubled {
            centre.answer(call);
        }
        if cut { Err(TransportError::Timeout) } else { Ok(reply) }
    }
}

fn turn(
    outbox: &mut MemoryOutbox,
    line: &mut Line<'_>,
    device: &str,
    batch: u64,
) -> Result<Report, SyncError> {
    let mut id = [device.as_bytes()[2]; 16];
    id[..8].copy_from_slice(&batch.to_be_bytes());
    static KEYS: LazyLock<[AuthorityKeys; 2]> =
        LazyLock::new(|| [authority_keys("K-1"), authority_keys("K-2")]);
    static KEY: LazyLock<FileKey> = LazyLock::new(device_key);
    let authority = KEYS.iter().find(|keys| keys.device == device).unwrap();
    let turn = Turn { key: &*KEY, authority, at: moment(batch), batch: id, records_max: 3 };
    run_batch(outbox, line, &turn)
}

fn storm(seed: u64, bad_percent: u64) -> (u64, u64, u64) {
    let mut centre = Centre::default();
    let mut outboxes = [
        MemoryOutbox::with((0..5).map(|n| sealed(n, usize::from(n % 3))).collect()),
        MemoryOutbox::with((10..14).map(|n| sealed(n, usize::from(n % 2))).collect()),
    ];
    let poisoned = outboxes[0].records[&2].id;
    centre.poison = Some(poisoned);
    let centre = RefCell::new(centre);
    let (fate, old) = (RefCell::new(Fixed(seed)), RefCell::new(Vec::new()));
    let mut turns = 0;
    while outboxes.iter().any(|outbox| outbox.waiting() > 0) {
        turns += 1;
        assert!(turns < 2_000, "seed {seed} does not converge at {bad_percent} %");
        // After a hundred turns the line is repaired.
        let bad_percent = if turns > 100 { 0 } else { bad_percent };
        let mut line = Line { centre: &centre, fate: &fate, bad_percent, old: &old };
        let _ = turn(&mut outboxes[0], &mut line, "K-1", turns);
        let _ = turn(&mut outboxes[1], &mut line, "K-2", turns);
    }
    let mut centre = centre.into_inner();
    for outbox in &outboxes {
        for (seq, record) in &outbox.records {
            if record.id == poisoned {
                assert_eq!(outbox.held[&record.id], "unreadable");
                continue;
            }
            let receipts = &outbox.receipts[&record.id];
            assert!(receipts.iter().all(|r| r.seq == *seq && r.signed == receipts[0].signed));
            assert_eq!(centre.records[&record.id], record.envelope, "seed {seed}");
            for picture in &record.pictures {
                assert_eq!(centre.pictures[&picture.digest], picture.sealed);
            }
        }
        assert_eq!(outbox.security, Vec::<String>::new());
    }
    centre.records.retain(|id, _| *id != poisoned);
    assert_eq!(centre.records.len(), 8, "nothing twice, nothing besides");
    let pictures: usize = outboxes
        .iter()
        .flat_map(|o| o.records.values())
        .filter(|r| r.id != poisoned)
        .flat_map(|r| &r.pictures)
        .map(|p| p.sealed.len())
        .sum();
    (turns, centre.picture_bytes_in, pictures as u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_record_arrives_once_whatever_the_line_does(seed: u64, bad_percent in 0_u64..60) {
        storm(seed, bad_percent);
    }
}

#[test]
fn a_good_line_carries_every_byte_once_in_as_few_turns_as_there_are_batches() {
    let (turns, sent, sealed) = storm(1, 0);
    assert_eq!((turns, sent), (2, sealed));
}

#[test]
fn a_batch_names_the_one_before_and_is_repeated_byte_by_byte() {
    let centre = RefCell::new(Centre::default());
    let (fate, old) = (RefCell::new(Fixed(1)), RefCell::new(Vec::new()));
    let mut outbox = MemoryOutbox::with((0..5).map(|n| sealed(n, 0)).collect());
    let mut dead = Line { centre: &centre, fate: &fate, bad_percent: 100, old: &old };
    assert!(turn(&mut outbox, &mut dead, "K-1", 1).is_err());
    assert!(turn(&mut outbox, &mut dead, "K-1", 2).is_err());
    assert_eq!(outbox.batches.len(), 1, "the interrupted batch goes on, no new one is made");
    let mut good = Line { centre: &centre, fate: &fate, bad_percent: 0, old: &old };
    let first = turn(&mut outbox, &mut good, "K-1", 3).unwrap();
    assert_eq!((first.offered, first.delivered, first.left), (3, 3, 0));
    let second = turn(&mut outbox, &mut good, "K-1", 4).unwrap();
    assert_eq!((second.offered, second.delivered, second.left), (2, 2, 0));
    assert_eq!(turn(&mut outbox, &mut good, "K-1", 5).unwrap(), Report::default());
    let open = |n: usize| {
        kiosk_sync::Manifest::open(kiosk_sync::DeviceKey::public(&device_key()), &outbox.batches[n])
            .unwrap()
    };
    assert_eq!(open(0).previous, None);
    assert_eq!(open(1).previous, Some(crate::terminal::sha256(&outbox.batches[0])));
}

#[test]
fn a_picture_lost_on_the_terminal_holds_its_record_and_no_other() {
    let centre = RefCell::new(Centre::default());
    let (fate, old) = (RefCell::new(Fixed(1)), RefCell::new(Vec::new()));
    let mut outbox = MemoryOutbox::with((0..3).map(|n| sealed(n, 1)).collect());
    outbox.damaged = Some(outbox.records[&2].pictures[0].digest);
    let mut good = Line { centre: &centre, fate: &fate, bad_percent: 0, old: &old };
    let report = turn(&mut outbox, &mut good, "K-1", 1).unwrap();
    assert_eq!((report.delivered, report.held, report.left), (2, 1, 0));
    assert_eq!(outbox.held[&outbox.records[&2].id], "damaged-on-terminal");
}
