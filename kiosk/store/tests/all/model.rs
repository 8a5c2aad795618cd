//! Any order of operations, with a restart after any of them, leaves what plain maps say it should.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tempfile::TempDir;

use kiosk_core::record::RecordId;
use kiosk_store::{Delivery, RecordState, Store, StoreError};

use crate::made::{
    commit, envelope, key, lane, line, moment, number, receipt, reference, roster_entry, sha256,
    success,
};

#[derive(Clone, Debug)]
enum Step {
    Commit(u8),
    Deliver(u8),
    DeliverWrong(u8, u8),
    Hold(u8),
    Release(u8),
    Draft(u8, u8),
    DropDraft(u8),
    Roster(u8, u8),
    Meta(u8),
    BeginBatch(u8),
    EndBatch,
    Audit(u8),
    Reopen { clean: bool },
    Scrub,
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 0_u8..24;
    prop_oneof![
        6 => n().prop_map(Step::Commit),
        4 => n().prop_map(Step::Deliver),
        1 => (n(), 0_u8..3).prop_map(|(n, how)| Step::DeliverWrong(n, how)),
        2 => n().prop_map(Step::Hold),
        1 => n().prop_map(Step::Release),
        2 => (n(), any::<u8>()).prop_map(|(n, x)| Step::Draft(n, x)),
        1 => n().prop_map(Step::DropDraft),
        1 => (0_u8..4, any::<u8>()).prop_map(|(v, x)| Step::Roster(v, x)),
        1 => any::<u8>().prop_map(Step::Meta),
        1 => any::<u8>().prop_map(Step::BeginBatch),
        1 => Just(Step::EndBatch),
        1 => any::<u8>().prop_map(Step::Audit),
        3 => any::<bool>().prop_map(|clean| Step::Reopen { clean }),
        1 => Just(Step::Scrub),
    ]
}

/// The store as plain maps.
#[derive(Default)]
struct Model {
    order: Vec<u8>,
    states: BTreeMap<u8, RecordState>,
    tries: BTreeMap<u8, u32>,
    drafts: BTreeMap<[u8; 16], Vec<u8>>,
    roster: Option<(u8, u8)>,
    meta: Option<u8>,
    batches: Vec<(u8, Vec<u8>)>,
    batch_open: bool,
    audit: u64,
}

impl Model {
    fn seq(&self, n: u8) -> Option<u64> {
        self.order.iter().position(|known| *known == n).map(|at| at as u64 + 1)
    }

    fn waiting(&self) -> Vec<u8> {
        let waits = |n: &u8| self.states[n] == RecordState::Waiting;
        let mut waiting: Vec<_> = self.order.iter().copied().filter(waits).collect();
        waiting.sort_by_key(|n| (lane(*n), self.seq(*n)));
        waiting
    }
}

fn run(store: &mut Store, model: &mut Model, step: &Step) {
    match *step {
        Step::Commit(n) => {
            if model.seq(n).is_none() {
                model.order.push(n);
                model.states.insert(n, RecordState::Waiting);
                model.drafts.remove(&[n ^ 0xff; 16]);
                model.audit += 1;
            }
            assert_eq!(store.commit(commit(n)).unwrap().0, model.seq(n).unwrap());
        }
        Step::Deliver(n) => deliver(store, model, n),
        Step::DeliverWrong(n, how) => {
            let mut wrong = receipt(n, model.seq(n).unwrap_or(1));
            match how {
                0 => wrong.digest[0] ^= 1,
                1 => wrong.seq += 1,
                _ => wrong.record.0[0] ^= 0x80,
            }
            assert!(matches!(store.deliver(&wrong), Err(StoreError::ReceiptMismatch)));
            model.audit += 1;
        }
        Step::Hold(n) => match model.states.get_mut(&n) {
            None => assert!(store.hold(RecordId([n; 16]), "no").is_err()),
            Some(state) => {
                store.hold(RecordId([n; 16]), "no").unwrap();
                if !matches!(state, RecordState::Delivered { .. }) {
                    *state = RecordState::Held("no".into());
                    model.audit += 1;
                }
            }
        },
        Step::Release(n) => {
            if let Some(state) = model.states.get_mut(&n) {
                store.release(RecordId([n; 16]), &line("released", n)).unwrap();
                model.audit += 1;
                if matches!(state, RecordState::Held(_)) {
                    *state = RecordState::Waiting;
                }
            }
        }
        Step::Draft(n, x) => {
            store.save_draft([n ^ 0xff; 16], &[x; 40]).unwrap();
            model.drafts.insert([n ^ 0xff; 16], vec![x; 40]);
        }
        Step::DropDraft(n) => {
            store.drop_draft([n ^ 0xff; 16]).unwrap();
            model.drafts.remove(&[n ^ 0xff; 16]);
        }
        Step::Roster(version, x) => {
            let entries: Vec<_> = (0..5).map(|n| roster_entry(n, vec![x, n])).collect();
            let newer = model.roster.is_none_or(|(have, _)| version > have);
            assert_eq!(store.import_roster(u64::from(version), b"", &entries).unwrap(), newer);
            if newer {
                model.roster = Some((version, x));
            }
        }
        Step::Meta(x) => {
            store.set_meta("anchor", &[x]).unwrap();
            model.meta = Some(x);
        }
        Step::BeginBatch(x) => {
            if model.batches.iter().any(|(id, _)| *id == x) {
                return;
            }
            let records = model.waiting();
            let ids: Vec<_> = records.iter().map(|n| RecordId([*n; 16])).collect();
            store.begin_batch([x; 16], &[x; 30], &ids).unwrap();
            for n in records {
                *model.tries.entry(n).or_default() += 1;
            }
            model.batches.push((x, vec![x; 30]));
            model.batch_open = true;
        }
        Step::EndBatch => {
            if let Some((id, _)) = model.batches.last() {
                store.end_batch([*id; 16]).unwrap();
                model.batch_open = false;
            }
        }
        Step::Audit(x) => {
            store.audit(&line("looked", x)).unwrap();
            model.audit += 1;
        }
        Step::Scrub => {
            let scrub = store.scrub().unwrap();
            let pictures: u64 = model.order.iter().map(|n| u64::from(n % 3)).sum();
            assert_eq!((scrub.pictures_good, scrub.pictures_damaged), (pictures, 0));
            assert_eq!(scrub.pictures_swept, 0);
        }
        Step::Reopen { .. } => unreachable!("the driver reopens"),
    }
}

fn deliver(store: &mut Store, model: &mut Model, n: u8) {
    let Some(seq) = model.seq(n) else {
        assert!(store.deliver(&receipt(n, 1)).is_err());
        model.audit += 1;
        return;
    };
    let delivered = RecordState::Delivered { receipt_no: 1_000 + u64::from(n) };
    let known = model.states[&n] == delivered;
    let expected = if known { Delivery::Known } else { Delivery::New };
    assert_eq!(store.deliver(&receipt(n, seq)).unwrap(), expected);
    model.states.insert(n, delivered);
    model.tries.remove(&n);
}

fn compare(store: &Store, model: &Model) {
    let lines = store.records(1_000).unwrap();
    assert_eq!(lines.len(), model.order.len());
    for (line, n) in lines.iter().rev().zip(&model.order) {
        assert_eq!((line.seq.0, line.record), (model.seq(*n).unwrap(), RecordId([*n; 16])));
        assert_eq!((&line.state, line.captured), (&model.states[n], moment(*n)));
        assert_eq!(line.tries, model.tries.get(n).copied().unwrap_or(0));
        assert_eq!(store.visit_record([n ^ 0xff; 16]).unwrap().as_ref(), Some(line));
        assert_eq!(store.envelope(line.record).unwrap(), envelope(*n));
    }
    let next = store.outbox_next(1_000, u64::MAX).unwrap();
    let waiting = model.waiting();
    assert_eq!(next.iter().map(|e| e.record.0[0]).collect::<Vec<_>>(), waiting);
    for entry in &next {
        for picture in &entry.pictures {
            assert_eq!(store.picture(&picture.digest).unwrap().len() as u64, picture.len);
        }
    }
    let summary = store.outbox_summary().unwrap();
    assert_eq!(summary.waiting as usize, waiting.len());
    assert_eq!((summary.waiting + summary.held + summary.delivered) as usize, model.order.len());
    let oldest = waiting.iter().min_by_key(|n| model.seq(**n)).map(|n| moment(*n));
    assert_eq!(summary.oldest_waiting, oldest);
    let drafts: BTreeMap<_, _> =
        store.drafts().unwrap().into_iter().map(|draft| (draft.visit, draft.bytes)).collect();
    assert_eq!(drafts, model.drafts);
    assert_eq!(store.roster_version().unwrap(), model.roster.map(|(v, _)| u64::from(v)));
    for n in 0..5 {
        assert_eq!(store.roster_find(&number(n)).unwrap(), model.roster.map(|(_, x)| vec![x, n]));
    }
    assert_eq!(store.meta("anchor").unwrap(), model.meta.map(|x| vec![x]));
    let open = store.open_batch().unwrap().map(|batch| batch.manifest);
    let last = model.batches.last();
    assert_eq!(open, last.filter(|_| model.batch_open).map(|(_, manifest)| manifest.clone()));
    assert_eq!(store.last_manifest_digest().unwrap(), last.map(|(_, m)| sha256(m)));
    assert_eq!(store.verify_audit().unwrap(), model.audit);
    compare_people(store, model);
}

fn compare_people(store: &Store, model: &Model) {
    for person in 0..5 {
        let mut successes = BTreeMap::new();
        let mut references = BTreeMap::new();
        for n in model.order.iter().filter(|n| *n % 5 == person) {
            successes.insert(success(*n).pack, success(*n));
            if n % 2 == 1 {
                references.insert(reference(*n).modality, reference(*n).bytes);
            }
        }
        let subject = key().subject(&number(person));
        assert_eq!(store.successes(&subject).unwrap(), successes.into_values().collect::<Vec<_>>());
        let kept = store.references(&subject).unwrap();
        assert_eq!(
            kept.into_iter().map(|r| (r.modality, r.bytes)).collect::<BTreeMap<_, _>>(),
            references
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn the_store_is_what_plain_maps_say(steps in proptest::collection::vec(step(), 1..40)) {
        let folder = TempDir::new().unwrap();
        let mut model = Model::default();
        let mut store = Store::open(folder.path(), &key()).unwrap();
        for step in &steps {
            match step {
                Step::Reopen { clean } => {
                    if *clean { store.close().unwrap() } else { drop(store) }
                    store = Store::open(folder.path(), &key()).unwrap();
                    compare(&store, &model);
                }
                step => run(&mut store, &mut model, step),
            }
        }
        compare(&store, &model);
    }
}
