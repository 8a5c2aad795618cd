//! The power goes at any moment: every write of the real store is recorded below libc, and the disk is rebuilt as it
//! could have been at hundreds of moments, with what was not synced lost, kept, or torn into sectors.
//!
//! It lives inside the crate because it must be able to ask for `synchronous=NORMAL`, and to see itself fail then.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use kiosk_core::moment::Moment;
use kiosk_core::record::{Lane, Receipt, RecordId, SealedPicture, SealedRecord};

use crate::database::Synchronous;
use crate::{AuditLine, Commit, RecordState, Store, StoreKey, SubjectRef, Success};

const COMMITS: u64 = 40;
const POINTS: usize = 180;

#[test]
fn nothing_promised_is_lost_whenever_the_power_goes() {
    let Some(found) = replay("full") else { return };
    eprintln!("power loss, synchronous=FULL: {found:?}");
    assert!(found.points >= 500, "{found:?}");
    assert_eq!((found.lost, found.broken, &found.why[..]), (0, 0, &[][..]), "{found:?}");
}

#[test]
fn the_same_test_fails_when_commits_do_not_wait_for_the_disk() {
    let Some(found) = replay("normal") else {
        return;
    };
    eprintln!(
        "power loss, synchronous=NORMAL: {} of {} moments fail",
        found.lost + found.broken,
        found.points
    );
    assert!(found.lost + found.broken > 10, "{found:?}");
}

/// What runs under the shim. Its promises are lines in the file `ack`.
#[test]
#[ignore = "a child of the tests above"]
fn child() {
    let root = PathBuf::from(std::env::var_os("SHIM_ROOT").unwrap());
    let synchronous = match std::env::var("SYNCHRONOUS").as_deref() {
        Ok("normal") => Synchronous::Normal,
        _ => Synchronous::Full,
    };
    let mut ack = fs::File::create(root.join("ack")).unwrap();
    let mut store = Store::open_as(&root, &key(), synchronous).unwrap();
    for n in 1..=COMMITS {
        store.save_draft(visit(n), b"under way").unwrap();
        assert_eq!(store.commit(commit(n)).unwrap().0, n);
        ack.write_all(format!("saved {n}\n").as_bytes()).unwrap();
        if n % 3 == 0 {
            store.deliver(&receipt(n - 1)).unwrap();
            ack.write_all(format!("delivered {}\n", n - 1).as_bytes()).unwrap();
        }
    }
    store.close().unwrap();
}

fn key() -> StoreKey {
    StoreKey::from_bytes([42; 32])
}

fn visit(n: u64) -> [u8; 16] {
    [n as u8; 16]
}

fn noise(n: u64, len: usize) -> Vec<u8> {
    let mut state = n + 1;
    (0..len).map(|_| draw(&mut state) as u8).collect()
}

pub(crate) fn commit(n: u64) -> Commit {
    let envelope = noise(n, 3_000);
    let sealed = noise(n + 1_000, 5_000);
    let captured = Moment { wall_ms: n as i64, ..Moment::default() };
    Commit {
        record: SealedRecord {
            id: RecordId(visit(n)),
            lane: Lane::ProofOfLife,
            outcome: "CERTIFIED".into(),
            captured,
            digest: Sha256::digest(&envelope).into(),
            envelope,
            pictures: vec![SealedPicture {
                role: "live-face".into(),
                digest: Sha256::digest(&sealed).into(),
                sealed,
            }],
        },
        subject: SubjectRef([n as u8; 32]),
        visit: visit(n),
        supersedes: None,
        audit: AuditLine {
            at: captured,
            actor: "op-1".into(),
            event: "visit-sealed".into(),
            detail: n.to_string(),
        },
        references: Vec::new(),
        successes: vec![Success { pack: "urban".into(), method: "face".into(), captured }],
        slip: visit(n).to_vec(),
    }
}

pub(crate) fn receipt(n: u64) -> Receipt {
    Receipt {
        record: RecordId(visit(n)),
        digest: Sha256::digest(noise(n, 3_000)).into(),
        seq: n,
        receipt_no: n + 100,
        server_time_ms: 0,
        signed: vec![1; 200],
    }
}

#[derive(Debug, Default)]
struct Found {
    points: usize,
    lost: usize,
    broken: usize,
    why: Vec<String>,
}

/// Records a run, then looks at the disk at many moments of it. None where there is no C compiler.
fn replay(synchronous: &str) -> Option<Found> {
    let work = TempDir::new().unwrap();
    let Some(shim) = build_shim(work.path()) else {
        eprintln!("skipped: no C compiler (cc) here to build the shim of the power-loss test");
        return None;
    };
    let events = record(&shim, work.path(), synchronous);
    let step = (events.len() / POINTS).max(1);
    let mut disk = Disk::default();
    let (mut found, mut sectors) = (Found::default(), 7_u64);
    for (n, event) in events.iter().enumerate() {
        disk.take(event);
        if n % step != 0 {
            continue;
        }
        for fate in [Fate::Lost, Fate::Kept, Fate::Torn] {
            found.points += 1;
            look(&disk, fate, &mut sectors, &mut found);
        }
    }
    Some(found)
}

fn build_shim(work: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power_loss_shim.c");
    let shim = work.join("shim.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&shim, &source])
        .arg("-ldl")
        .status()
        .ok()?;
    assert!(built.success(), "the shim does not compile");
    Some(shim)
}

fn record(shim: &Path, work: &Path, synchronous: &str) -> Vec<Event> {
    let (root, log) = (work.join("disk"), work.join("log"));
    fs::create_dir(&root).unwrap();
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "power_loss::child", "--ignored", "--test-threads=1"])
        .env("LD_PRELOAD", shim)
        .env("SHIM_ROOT", &root)
        .env("SHIM_LOG", &log)
        .env("SYNCHRONOUS", synchronous)
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    parse(&fs::read(log).unwrap())
}

struct Event {
    op: u8,
    path: String,
    offset: u64,
    data: Vec<u8>,
}

fn parse(mut log: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some((head, rest)) = log.split_first_chunk::<15>() {
        let path_len = usize::from(u16::from_le_bytes([head[1], head[2]]));
        let offset = u64::from_le_bytes(head[3..11].try_into().unwrap());
        let len = u32::from_le_bytes(head[11..15].try_into().unwrap()) as usize;
        let (path, rest) = rest.split_at(path_len);
        let (data, rest) = rest.split_at(len);
        let path = String::from_utf8(path.to_vec()).unwrap();
        events.push(Event { op: head[0], path, offset, data: data.to_vec() });
        log = rest;
    }
    events
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Lost,
    Kept,
    Torn,
}

/// What is certainly on the disk, and what was only asked for.
#[derive(Default)]
struct Disk {
    files: Vec<File>,
    now: HashMap<String, usize>,
    safe: BTreeMap<String, usize>,
    names: Vec<Name>,
    saved: u64,
    delivered: u64,
}

#[derive(Default)]
struct File {
    safe: Vec<u8>,
    asked: Vec<Change>,
}

enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

#[derive(Clone)]
enum Name {
    Make(String, usize),
    Move(String, String, usize),
    Remove(String),
}

const FOLDER: usize = usize::MAX;

impl Disk {
    fn take(&mut self, event: &Event) {
        let path = &event.path;
        match event.op {
            b'A' => self.promise(std::str::from_utf8(&event.data).unwrap()),
            b'C' => {
                self.files.push(File::default());
                let file = self.files.len() - 1;
                self.now.insert(path.clone(), file);
                self.names.push(Name::Make(path.clone(), file));
            }
            b'M' => self.names.push(Name::Make(path.clone(), FOLDER)),
            b'W' => self.asked(path, Change::Write(event.offset, event.data.clone())),
            b'T' => self.asked(path, Change::Truncate(event.offset)),
            b'S' => {
                let file = &mut self.files[self.now[path]];
                for change in std::mem::take(&mut file.asked) {
                    change.apply(&mut file.safe);
                }
            }
            b'R' => {
                let to = String::from_utf8(event.data.clone()).unwrap();
                let file = self.now.remove(path).unwrap();
                self.now.insert(to.clone(), file);
                self.names.push(Name::Move(path.clone(), to, file));
            }
            b'U' => {
                self.now.remove(path);
                self.names.push(Name::Remove(path.clone()));
            }
            b'D' => {
                let (there, elsewhere) =
                    std::mem::take(&mut self.names).into_iter().partition(|n| n.folder() == path);
                self.names = elsewhere;
                let there: Vec<Name> = there;
                there.iter().for_each(|name| name.apply(&mut self.safe));
            }
            other => panic!("event {other}"),
        }
    }

    fn promise(&mut self, line: &str) {
        let (word, n) = line.trim().split_once(' ').unwrap();
        let n = n.parse().unwrap();
        if word == "saved" { self.saved = n } else { self.delivered = n }
    }

    fn asked(&mut self, path: &str, change: Change) {
        let file = self.now[path];
        self.files[file].asked.push(change);
    }

    /// The disk as the next start finds it.
    fn rebuild(&self, root: &Path, fate: Fate, sectors: &mut u64) {
        let mut names = self.safe.clone();
        let kept = match fate {
            Fate::Lost => 0,
            Fate::Kept => self.names.len(),
            Fate::Torn => draw(sectors) as usize % (self.names.len() + 1),
        };
        self.names[..kept].iter().for_each(|name| name.apply(&mut names));
        let folder_is_there = |path: &str| match path.rsplit_once('/') {
            Some((folder, _)) => names.contains_key(folder),
            None => true,
        };
        // The map is in order, so a folder comes before what is in it.
        for (path, file) in names.iter().filter(|(path, _)| folder_is_there(path)) {
            if *file == FOLDER {
                fs::create_dir(root.join(path)).unwrap();
            } else if root.join(path).parent().is_some_and(Path::is_dir) {
                fs::write(root.join(path), self.files[*file].after(fate, sectors)).unwrap();
            }
        }
    }
}

impl File {
    fn after(&self, fate: Fate, sectors: &mut u64) -> Vec<u8> {
        let mut bytes = self.safe.clone();
        for change in &self.asked {
            match (fate, change) {
                (Fate::Lost, _) => {}
                (Fate::Kept, change) => change.apply(&mut bytes),
                (Fate::Torn, Change::Write(offset, data)) => {
                    for (n, sector) in data.chunks(512).enumerate() {
                        if draw(sectors).is_multiple_of(2) {
                            write_at(&mut bytes, offset + 512 * n as u64, sector);
                        }
                    }
                }
                (Fate::Torn, change) if draw(sectors).is_multiple_of(2) => change.apply(&mut bytes),
                (Fate::Torn, _) => {}
            }
        }
        bytes
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => write_at(bytes, *offset, data),
            Self::Truncate(len) => bytes.resize(usize::try_from(*len).unwrap(), 0),
        }
    }
}

impl Name {
    fn folder(&self) -> &str {
        let (Self::Make(path, _) | Self::Move(_, path, _) | Self::Remove(path)) = self;
        path.rsplit_once('/').map_or(".", |(folder, _)| folder)
    }

    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Make(path, file) => drop(names.insert(path.clone(), *file)),
            Self::Remove(path) => drop(names.remove(path)),
            Self::Move(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }
}

fn write_at(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let at = usize::try_from(offset).unwrap();
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

fn draw(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 33
}

fn look(disk: &Disk, fate: Fate, sectors: &mut u64, found: &mut Found) {
    let root = TempDir::new_in(memory()).unwrap();
    disk.rebuild(root.path(), fate, sectors);
    match inspect(root.path(), disk) {
        Ok(true) => {}
        Ok(false) => found.lost += 1,
        Err(why) => {
            found.broken += 1;
            if found.why.len() < 5 {
                found.why.push(why);
            }
        }
    }
}

/// Memory where there is some, for hundreds of small disks.
fn memory() -> PathBuf {
    let shm = PathBuf::from("/dev/shm");
    if shm.is_dir() { shm } else { std::env::temp_dir() }
}

/// Whether everything promised is there, whole, and the store goes on working.
fn inspect(root: &Path, disk: &Disk) -> Result<bool, String> {
    let mut store =
        Store::open(root, &key()).map_err(|error| format!("{} {error:?}", error.code()))?;
    let say = |error: crate::StoreError| format!("{error:?}");
    let lines = store.records(1_000).map_err(say)?;
    if (lines.len() as u64) < disk.saved {
        return Ok(false);
    }
    for (line, seq) in lines.iter().rev().zip(1..) {
        if line.seq.0 != seq {
            return Err(format!("number {seq} is missing"));
        }
        if store.envelope(line.record).map_err(say)? != noise(seq, 3_000) {
            return Err(format!("record {seq} is changed"));
        }
        let digest = Sha256::digest(noise(seq + 1_000, 5_000)).into();
        store.picture(&digest).map_err(|error| format!("picture of {seq}: {error:?}"))?;
    }
    let delivered = |line: &&crate::RecordLine| matches!(line.state, RecordState::Delivered { .. });
    let delivered: Vec<_> = lines.iter().filter(delivered).map(|line| line.seq.0).collect();
    if disk.delivered > 0 && !delivered.contains(&disk.delivered) {
        return Ok(false);
    }
    let summary = store.outbox_summary().map_err(say)?;
    if summary.waiting + summary.delivered != lines.len() as u64 {
        return Err("the outbox and the records differ".into());
    }
    if store.verify_audit().map_err(say)? != lines.len() as u64 {
        return Err("the audit trail and the records differ".into());
    }
    // The visit that was cut short is saved again, once.
    let next = lines.len() as u64 + 1;
    let again = store.commit(commit(next)).map_err(say)?;
    if again.0 == next { Ok(true) } else { Err("the next number is wrong".into()) }
}
