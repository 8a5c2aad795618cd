//! Lost replies, killed authorities and hostile bytes: nothing lost, nothing doubled, no panic.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use authority::{
    check::check,
    cose::{ContentType, Signed, sha256},
    intake::{Intake, IntakeError},
    report::{EventLine, Status},
    server::{Authority, Config},
    store::{Device, Event, Store},
};
use p256::ecdsa::VerifyingKey;

use super::{
    paper::{self, Seeded},
    terminal::{Parcel, Terminal, house, receipt_number},
};

/// What a terminal has learnt of its parcels while it kept trying.
#[derive(Default)]
struct Learnt {
    receipts: BTreeMap<Vec<u8>, Vec<u8>>,
    requests: usize,
}

/// Sends a batch until every parcel has a receipt; each failed request is just made again.
/// `before` is called before each request and may move the authority elsewhere.
fn deliver(
    terminal: &mut Terminal,
    parcels: &[Parcel],
    batch: [u8; 16],
    mut before: impl FnMut(&mut Terminal),
) -> Learnt {
    let mut learnt = Learnt::default();
    let entries: Vec<_> = parcels.iter().map(|parcel| parcel.entry.clone()).collect();
    let manifest = terminal.manifest(batch, &entries);
    while learnt.receipts.len() < parcels.len() {
        assert!(learnt.requests < 5_000, "the batch does not come through");
        let mut ask = |terminal: &mut Terminal| {
            learnt.requests += 1;
            before(terminal);
        };
        ask(terminal);
        let Ok(answer) = terminal.offer(batch, &manifest) else {
            continue;
        };
        if answer.status != 200 {
            continue;
        }
        let (records, pictures, _) = answer.answer();
        for parcel in parcels.iter().filter(|parcel| records.contains(&parcel.id.to_vec())) {
            ask(terminal);
            let _ = terminal.keep(parcel.id, &parcel.envelope);
        }
        for parcel in
            parcels.iter().filter(|parcel| pictures.contains(&sha256(&parcel.picture).to_vec()))
        {
            ask(terminal);
            send_picture(terminal, &parcel.picture);
        }
        ask(terminal);
        if let Ok(reply) = terminal.commit(batch)
            && reply.status == 200
        {
            keep_receipts(&mut learnt, terminal, parcels, &reply.list());
        }
    }
    learnt
}

/// Two pieces, each where the authority wants it.
fn send_picture(terminal: &Terminal, picture: &[u8]) {
    let digest = sha256(picture);
    let mut offset = 0;
    for _ in 0..4 {
        let end = picture.len().min(offset + picture.len() / 2 + 1);
        match terminal.append(digest, offset, &picture[offset..end]) {
            Ok(reply) if matches!(reply.status, 202 | 409) => {
                offset =
                    usize::try_from(reply.next_offset()).expect("an offset").min(picture.len());
            }
            _ => return,
        }
    }
}

fn keep_receipts(
    learnt: &mut Learnt,
    terminal: &Terminal,
    parcels: &[Parcel],
    receipts: &[Vec<u8>],
) {
    let key = VerifyingKey::from_sec1_bytes(&terminal.receipt_key).expect("a key");
    for receipt in receipts {
        let Ok(signed) = Signed::read(receipt, ContentType::Receipt) else {
            continue;
        };
        let Ok(payload) = signed.verify(&key) else {
            continue;
        };
        // Id and digest stand in the payload as they are; a lie about either is not for a parcel.
        let names = |bytes: &[u8]| payload.windows(bytes.len()).any(|window| window == bytes);
        let parcel = parcels.iter().find(|parcel| names(&parcel.id) && names(&parcel.entry.digest));
        let Some(parcel) = parcel else { continue };
        let known = learnt.receipts.insert(parcel.id.to_vec(), receipt.clone());
        assert!(known.is_none_or(|known| known == *receipt), "a receipt changed its bytes");
    }
}

fn check_nothing_is_lost_or_doubled(data: &Path, learnt: &[Learnt], records: u64) {
    assert_eq!(check(data).expect("a check").faults, Vec::<String>::new());
    let status = Status::read(&Store::open_to_read(data).expect("a store")).expect("a status");
    assert_eq!(
        (status.records, status.receipts, status.receipt_no_last),
        (records, records, records)
    );
    assert_eq!((status.pictures, status.security_events), (records, 0));
    let numbers: BTreeSet<u64> = learnt
        .iter()
        .flat_map(|learnt| learnt.receipts.values())
        .map(|receipt| receipt_number(receipt))
        .collect();
    assert_eq!(numbers, (1..=records).collect());
}

#[test]
fn lost_replies_and_lying_receipts_end_in_one_receipt_for_each_record() {
    let data = house();
    let mut config = Config::new(data.path().to_owned());
    for fault in [
        "drop-replies=0.2",
        "drop-requests=0.1",
        "busy=0.1",
        "refuse-records=0.2",
        "spoil-records=0.1",
        "forge-receipts=0.3",
        "wrong-receipts=0.3",
        "omit-receipts=0.2",
        "noise=0.05",
    ] {
        config.faults.add(fault).expect("a fault");
    }
    config.fault_seed = 11;
    let authority = Authority::start(config).expect("an authority");
    let mut terminal = Terminal::provisioned(data.path(), "K-1", authority.address());
    let parcels: Vec<_> = (1..=6).map(|seq| terminal.parcel(seq, 1)).collect();
    let learnt = deliver(&mut terminal, &parcels, paper::id(70), |_| ());
    assert!(learnt.requests > 20, "the faults did not happen");
    check_nothing_is_lost_or_doubled(data.path(), &[learnt], 6);
}

#[test]
fn terminals_that_send_at_once_share_one_row_of_receipt_numbers() {
    let data = house();
    let authority = Authority::start(Config::new(data.path().to_owned())).expect("an authority");
    let terminals: Vec<_> = (1..=4)
        .map(|n| Terminal::provisioned(data.path(), &format!("K-{n}"), authority.address()))
        .collect();
    let learnt: Vec<Learnt> = thread::scope(|scope| {
        let sending: Vec<_> = (1_u64..)
            .zip(terminals)
            .map(|(n, mut terminal)| {
                scope.spawn(move || {
                    let parcels: Vec<_> = (1..=3).map(|seq| terminal.parcel(seq, n)).collect();
                    deliver(&mut terminal, &parcels, paper::id(700 + n), |_| ())
                })
            })
            .collect();
        sending.into_iter().map(|sent| sent.join().expect("no panic")).collect()
    });
    check_nothing_is_lost_or_doubled(data.path(), &learnt, 12);
}

#[test]
fn events_of_one_device_are_counted_without_end_and_listed_with_one() {
    let data = house();
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    Terminal::provisioned(data.path(), "K-1", nowhere);
    let mut store = Store::open(data.path()).expect("a store");
    for n in 0..1_200 {
        let about = n.to_string();
        let event = Event { device: "K-1", code: "bad-signature", about: &about, security: true };
        store.note(event, n).expect("an event");
    }
    let listed = EventLine::all(&store).expect("a list").len();
    assert_eq!(listed, 1_001);
    assert_eq!(Status::read(&store).expect("a status").security_events, 1_200);
}

/// An authority in a process of its own, which can be killed.
struct Process {
    child: Child,
    address: std::net::SocketAddr,
}

impl Process {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_authority"))
            .args(["--listen", "127.0.0.1:0", "--until-stdin-closes", "--data"])
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a process");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on ").expect("an address");
        Self { address: address.parse().expect("an address"), child }
    }

    fn kill(&mut self) {
        self.child.kill().expect("a kill");
        self.child.wait().expect("an end");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
fn an_authority_killed_at_any_moment_loses_nothing_and_doubles_nothing() {
    const RECORDS: i64 = 12;
    let seed = 2026;
    eprintln!("seed {seed}");
    let data = house();
    let mut dice = Seeded(seed);
    let mut process = Process::start(data.path());
    let mut terminal = Terminal::provisioned(data.path(), "K-1", process.address);
    let mut learnt = Vec::new();
    let mut kills = 0;
    for round in 0..3 {
        let parcels: Vec<_> =
            (1..=RECORDS / 3).map(|n| terminal.parcel(round * RECORDS / 3 + n, seed)).collect();
        let batch = paper::id(700 + u64::try_from(round).expect("a round"));
        learnt.push(deliver(&mut terminal, &parcels, batch, |terminal| {
            if dice.below(4) > 0 {
                return;
            }
            kills += 1;
            // The kill falls into a request under way: another one of this terminal's is asked
            // for while the process dies, and nobody knows how far it came.
            let moment = dice.below(60_000);
            let parcel = &parcels[dice.below(parcels.len())];
            die_during(&mut process, moment, || {
                let _ = terminal.keep(parcel.id, &parcel.envelope);
                send_picture(terminal, &parcel.picture);
                let _ = terminal.commit(batch);
            });
            process = Process::start(data.path());
            terminal.address = process.address;
        }));
    }
    assert!(kills > 5, "only {kills} kills at seed {seed}");
    drop(process);
    check_nothing_is_lost_or_doubled(data.path(), &learnt, RECORDS.unsigned_abs());
    assert_eq!(fs::read_dir(data.path().join("pictures/parts")).expect("a folder").count(), 0);
}

/// Kills the process while `work` runs, after so many turns of waiting; no clock is asked.
fn die_during(process: &mut Process, moment: usize, work: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let work = scope.spawn(work);
        for _ in 0..moment {
            if work.is_finished() {
                break;
            }
            thread::yield_now();
        }
        process.kill();
    });
}

/// Any bytes in place of a manifest, an envelope or a picture are refused and nothing panics.
#[test]
fn no_bytes_make_the_intake_panic_or_keep_anything() {
    let seed = 7;
    eprintln!("seed {seed}");
    let data = house();
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let terminal = Terminal::provisioned(data.path(), "K-1", nowhere);
    let device = Device { id: "K-1".to_owned(), site: "S-1".to_owned(), revoked: false };
    let mut intake = Intake::open(data.path()).expect("an intake");
    let parcel = terminal.parcel(1, 1);
    let batch = paper::id(70);
    let manifest = terminal.manifest(batch, std::slice::from_ref(&parcel.entry));
    let mut dice = Seeded(seed);
    for _ in 0..300 {
        let bent = bend(&manifest, &mut dice);
        let taken = intake.offer(&device, &batch, &bent, 1);
        assert!(matches!(taken, Err(IntakeError::Refused(_))) || bent == manifest, "{bent:02x?}");
    }
    intake.offer(&device, &batch, &manifest, 1).expect("the honest one is taken");
    for _ in 0..300 {
        let bent = bend(&parcel.envelope, &mut dice);
        let taken = intake.keep(&device, &parcel.id, &bent, 1);
        assert!(matches!(taken, Err(IntakeError::Refused(_))));
    }
    let digest = sha256(&parcel.picture);
    for _ in 0..100 {
        let bent = bend(&parcel.picture, &mut dice);
        let taken = intake.append(&device, &digest, 0, &bent, 1);
        match taken {
            Err(IntakeError::Refused(_)) => (),
            Ok(authority::intake::Piece::More(_)) if bent.len() < parcel.picture.len() => {
                // A short piece is kept as a part; a wrong rest lets it go again.
                let rest = vec![0; parcel.picture.len() - bent.len()];
                let taken = intake.append(&device, &digest, bent.len() as u64, &rest, 1);
                assert!(matches!(taken, Err(IntakeError::Refused(_))));
            }
            other => panic!("{other:?}"),
        }
    }
    intake.keep(&device, &parcel.id, &parcel.envelope, 1).expect("the honest one is taken");
    assert_eq!(intake.commit(&device, &batch, 1).expect("an answer"), Vec::<Vec<u8>>::new());
}

/// One to three bits, bytes, cuts or repeats of honest bytes.
fn bend(honest: &[u8], dice: &mut Seeded) -> Vec<u8> {
    let mut bytes = honest.to_vec();
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len().max(1));
        match dice.below(5) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            1 if !bytes.is_empty() => {
                bytes[at] = [0x00, 0x1b, 0x5b, 0x9b, 0xbb, 0xff][dice.below(6)]
            }
            2 => bytes.truncate(at),
            3 => bytes.insert(at, 0xff),
            _ => {
                let tail = bytes[at..].to_vec();
                bytes.extend_from_slice(&tail[..tail.len().min(64)]);
            }
        }
    }
    // A byte may have been set to what it was.
    if bytes == honest { bend(honest, dice) } else { bytes }
}
