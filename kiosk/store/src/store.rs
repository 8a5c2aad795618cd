//! The open store: who owns the data directory, how it is opened, checked, closed and recovered.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::audit::{self, AuditLine};
use crate::commit;
use crate::database::{self, Synchronous};
use crate::disk;
use crate::error::StoreError;
use crate::journal::{self, Frame, Journal};
use crate::key::{Keys, StoreKey};
use crate::lock::Lock;
use crate::meta;
use crate::pictures::Pictures;
use crate::roster::RosterFile;
use crate::rows;

/// An open data directory. There is one in a process, and one thread owns it.
pub struct Store {
    pub(crate) connection: Connection,
    pub(crate) keys: Keys,
    pub(crate) pictures: Pictures,
    pub(crate) journal: Journal,
    pub(crate) roster: Option<RosterFile>,
    pub(crate) folder: PathBuf,
    lock: Lock,
}

/// What a look at everything that is kept found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrub {
    /// Lines of the audit trail, all in their chain.
    pub audit_lines: u64,
    /// Pictures that are as they were sealed.
    pub pictures_good: u64,
    /// Pictures that are gone or changed: an alarm.
    pub pictures_damaged: u64,
    /// Files that no record named, removed.
    pub pictures_swept: u64,
    /// The roster was damaged and is gone; it can be imported again.
    pub roster_dropped: bool,
}

/// What a recovery from the journal brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Records that are back, all waiting to be sent; the authority recognises those it has.
    pub records: u64,
    /// Sequence numbers up to the last one that the journal does not have.
    pub missing: Vec<u64>,
    /// Bytes of the journal that could not be read.
    pub damaged_bytes: u64,
}

impl Store {
    /// Opens a data directory, or makes a new one. After a crash the whole database is checked first.
    pub fn open(dir: &Path, key: &StoreKey) -> Result<Self, StoreError> {
        Self::open_as(dir, key, Synchronous::Full)
    }

    pub(crate) fn open_as(
        dir: &Path,
        key: &StoreKey,
        synchronous: Synchronous,
    ) -> Result<Self, StoreError> {
        let mut store = Self::open_with(dir, key, synchronous)?;
        store.match_journal()?;
        Ok(store)
    }

    fn open_with(dir: &Path, key: &StoreKey, synchronous: Synchronous) -> Result<Self, StoreError> {
        disk::make_folder(dir)?;
        let (lock, unclean) = Lock::take(&dir.join(LOCK))?;
        let keys = Keys::of(key);
        let connection = database::open(&dir.join(DATABASE), &keys.database, synchronous, unclean)?;
        let pictures = Pictures::open(dir.join(PICTURES))?;
        let journal = Journal::open(&dir.join(JOURNAL))?;
        disk::sync_folder(dir)?;
        let folder = dir.to_owned();
        let mut store = Self { connection, keys, pictures, journal, roster: None, folder, lock };
        store.take_up_roster()?;
        Ok(store)
    }

    /// Closes with the sign that nothing was under way, so that the next start needs no check.
    pub fn close(self) -> Result<(), StoreError> {
        // The roster's own log goes into its file; what cannot be written is computed again.
        drop(self.roster);
        self.connection.close().map_err(|(_, error)| error)?;
        self.lock.close_clean()
    }

    /// Bytes still free on the disk of the data directory.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        disk::free_bytes(&self.folder)
    }

    /// Bytes that may be written beside the store before it would have too little.
    pub fn spare_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.free_bytes()?.saturating_sub(RESERVE_BYTES))
    }

    /// Whether a new visit may begin: below the reserve it may not, so that one under way can always be finished; nor on
    /// a worn card that its file system can only read any more.
    pub fn check_reserve(&self) -> Result<(), StoreError> {
        if disk::is_read_only(&self.folder)? {
            return Err(StoreError::ReadOnly);
        }
        if self.free_bytes()? < RESERVE_BYTES { Err(StoreError::DiskFull) } else { Ok(()) }
    }

    /// Reads and checks everything: pages, audit chain, every picture, the roster; removes pictures that belong to no
    /// record.
    pub fn scrub(&mut self) -> Result<Scrub, StoreError> {
        database::quick_check(&self.connection)?;
        let mut scrub = Scrub { audit_lines: self.verify_audit()?, ..Scrub::default() };
        let named = self.named_pictures()?;
        for digest in &named {
            match self.pictures.get(digest) {
                Ok(_) => scrub.pictures_good += 1,
                Err(StoreError::PictureDamaged) => scrub.pictures_damaged += 1,
                Err(error) => return Err(error),
            }
        }
        scrub.pictures_swept = self.pictures.sweep(&named)?;
        scrub.roster_dropped = self.scrub_roster()?;
        Ok(scrub)
    }

    /// Builds a new database out of the journal alone. The old one is put aside, never deleted.
    ///
    /// Records, their order and the outbox come back; receipts, drafts, roster and references do not.
    pub fn recover(dir: &Path, key: &StoreKey) -> Result<(Self, Recovery), StoreError> {
        let contents = journal::read(&dir.join(JOURNAL))?;
        put_aside(dir)?;
        let mut store = Self::open_with(dir, key, Synchronous::Full)?;
        let damaged_bytes = contents.damaged_bytes;
        let frames: BTreeMap<u64, Frame> =
            contents.frames.into_iter().map(|frame| (frame.seq, frame)).collect();
        let recovery = store.take_frames(&frames, damaged_bytes)?;
        store.rewrite_journal(frames.values())?;
        Ok((store, recovery))
    }

    fn take_frames(
        &mut self,
        frames: &BTreeMap<u64, Frame>,
        damaged_bytes: u64,
    ) -> Result<Recovery, StoreError> {
        let last = frames.keys().next_back().copied().unwrap_or(0);
        let transaction = self.connection.transaction()?;
        for frame in frames.values() {
            commit::insert_frame(&transaction, frame)?;
        }
        audit::append(&transaction, &self.keys, &recovered_line(frames.len()))?;
        transaction.commit()?;
        let missing = (1..=last).filter(|seq| !frames.contains_key(seq)).collect();
        Ok(Recovery { records: frames.len() as u64, missing, damaged_bytes })
    }

    /// The journal is written before the database, so it may be one ahead; it may never be more, and never behind.
    fn match_journal(&mut self) -> Result<(), StoreError> {
        let from = meta::number(&self.connection, meta::JOURNAL_LEN)?;
        let from = from.unwrap_or(journal::MAGIC.len() as u64);
        if self.journal.len() < from {
            tracing::warn!("the journal is shorter than it was; writing it anew from the database");
            let frames = commit::all_frames(&self.connection)?;
            return self.rewrite_journal(frames.iter());
        }
        let tail = self.journal.tail(from)?;
        let database = commit::last_seq(&self.connection)?;
        match tail.frames.iter().map(|frame| frame.seq).max() {
            Some(journal) if journal > database + 1 => {
                Err(StoreError::BehindJournal { journal, database })
            }
            // What a power cut tore was never acknowledged. A whole frame stays, it may be all there is of a visit.
            _ => self.journal.cut(from + tail.frames_end),
        }
    }

    fn rewrite_journal<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a Frame>,
    ) -> Result<(), StoreError> {
        let path = self.folder.join(JOURNAL);
        disk::write_whole(&path, &self.folder.join(JOURNAL_SCRATCH), &journal::whole(frames))?;
        self.journal = Journal::open(&path)?;
        meta::put_number(&self.connection, meta::JOURNAL_LEN, self.journal.len())
    }

    fn named_pictures(&self) -> Result<HashSet<[u8; 32]>, StoreError> {
        let mut statement =
            self.connection.prepare("SELECT DISTINCT digest FROM record_picture")?;
        let digests = statement.query_map([], |row| row.get(0))?;
        Ok(digests.collect::<Result<_, _>>()?)
    }

    /// Digests of the pictures of all records that wait, the oldest record's first.
    pub fn pictures_to_send(&self) -> Result<Vec<[u8; 32]>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT digest FROM record_picture JOIN outbox USING (seq) WHERE held IS NULL ORDER BY seq, place",
        )?;
        let digests = statement.query_map([], |row| row.get(0))?;
        Ok(digests.collect::<Result<_, _>>()?)
    }

    /// Whether a picture is as it was sealed. One that does not wait any more is not missed.
    pub fn is_picture_whole(&self, digest: &[u8; 32]) -> Result<bool, StoreError> {
        match self.pictures.get(digest) {
            Ok(_) => Ok(true),
            Err(StoreError::PictureDamaged | StoreError::Io(_)) => {
                let mut waits = self.connection.prepare_cached(
                    "SELECT 1 FROM record_picture JOIN outbox USING (seq) WHERE held IS NULL AND digest = ?1",
                )?;
                Ok(!waits.exists([digest])?)
            }
            Err(error) => Err(error),
        }
    }

    /// How many rows a table has, for tests and for support.
    pub(crate) fn count_rows(&self, sql: &'static str) -> Result<u64, StoreError> {
        Ok(self.connection.prepare_cached(sql)?.query_row([], |row| rows::count(row, 0))?)
    }
}

fn recovered_line(records: usize) -> AuditLine {
    AuditLine {
        at: Default::default(),
        actor: "terminal".into(),
        event: "store-recovered".into(),
        detail: format!("{records} records from the journal"),
    }
}

/// Renames the database and what belongs to it, so that support can still look at it.
fn put_aside(dir: &Path) -> Result<(), StoreError> {
    let free = |n: &u32| !dir.join(format!("{DATABASE}.damaged-{n}")).exists();
    let n = (1..).find(free).expect("there are more numbers than files");
    for ending in ["", "-wal", "-shm"] {
        let from = dir.join(format!("{DATABASE}{ending}"));
        if from.exists() {
            fs::rename(&from, dir.join(format!("{DATABASE}.damaged-{n}{ending}")))?;
        }
    }
    disk::sync_folder(dir)
}

const DATABASE: &str = "store.db";
const LOCK: &str = "store.lock";
const PICTURES: &str = "pictures";
const JOURNAL: &str = "journal.kxj";
const JOURNAL_SCRATCH: &str = "journal.kxj.tmp";
/// A visit needs well under 2 MB; the rest is for an update from a stick and for the checks of the file system.
const RESERVE_BYTES: u64 = 500 * 1024 * 1024;
