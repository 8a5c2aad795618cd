//! Whom the centre expects here: found by card, by name, by village, and listed by what is due.
//!
//! The caller computes the keys ([`RosterKeys`]); the store keeps, orders and finds. A row of it opens only with the
//! number on the card, or with the number that lies sealed beside it.

use std::borrow::Borrow;
use std::path::PathBuf;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use jiff::civil::Date;
use rusqlite::{OptionalExtension, params};

use kiosk_core::identity::IdNumber;
use kiosk_core::roster::RosterKeys;

use crate::database;
use crate::error::StoreError;
use crate::key::Keys;
use crate::meta;
use crate::rows;
use crate::store::Store;

mod file;
#[cfg(test)]
mod tests;

pub(crate) use file::RosterFile;
use file::{About, Building, SealedRow, after, day_number};

/// One person of a roster, in the caller's own bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct RosterEntry {
    /// Their number: it is used to seal and to find, and is stored sealed only.
    pub number: IdNumber,
    /// The entry.
    pub bytes: Vec<u8>,
    /// What they are found and listed by.
    pub keys: RosterKeys,
}

/// One person as a search or a list finds them.
#[derive(Clone, PartialEq, Eq)]
pub struct RosterRow {
    /// Their number.
    pub number: IdNumber,
    /// The entry, as it was imported.
    pub bytes: Vec<u8>,
}

/// What a list is about. Its order is the one in which people should be served.
#[derive(Clone, PartialEq, Eq)]
pub enum RosterList {
    /// Whose payment will be stopped if they do not come by a day until then, the earliest first; after them those who
    /// owe something by then and lose nothing. Days that are over count.
    Due {
        /// The last day that counts.
        until: Date,
    },
    /// Whose payment was stopped and who loses no other, the longest first.
    Suspended,
    /// Who owes something by a day, or whose payment was stopped, in one village: for home visits, by day.
    Village {
        /// The village, folded.
        village: String,
        /// The last day that counts.
        until: Date,
    },
}

/// A village and how many live there.
#[derive(Clone, PartialEq, Eq)]
pub struct RosterVillage {
    /// Its name, folded.
    pub village: String,
    /// How many of the roster.
    pub n_people: u64,
    /// How many of them owe something by the day that was asked for.
    pub n_due: u64,
}

/// People whose keys were computed before something changed: a pack, the month, or a certification recorded here.
pub struct Stale {
    /// They, each to be given new keys in this order. May be none.
    pub rows: Vec<RosterRow>,
    ids: Vec<i64>,
    about: About,
}

/// A roster under way to replace the one in use. Dropped before [`RosterImport::finish`], it leaves that one in force.
pub struct RosterImport<'s> {
    store: &'s mut Store,
    building: Building,
    slot: u64,
    version: u64,
}

impl RosterImport<'_> {
    /// Adds a person. Of two with one number the later counts.
    pub fn put(&mut self, entry: &RosterEntry) -> Result<(), StoreError> {
        let keys = &self.store.keys;
        let subject = keys.subject(&entry.number).0;
        let sealed = seal(&keys.roster_row(&entry.number), self.version, &entry.bytes)?;
        let number = seal_number(keys, &subject, &entry.number)?;
        self.building.put(&subject, &number, &sealed, &entry.keys)
    }

    /// Puts it in the place of the one before, in one step. `basis` says what the keys were computed by, in the
    /// caller's words.
    pub fn finish(self, basis: &[u8]) -> Result<(), StoreError> {
        let Self { store, building, slot, version } = self;
        building.finish(version, basis)?;
        let transaction = store.connection.transaction()?;
        meta::put_number(&transaction, meta::ROSTER_VERSION, version)?;
        meta::put_number(&transaction, meta::ROSTER_SLOT, slot)?;
        transaction.execute("DELETE FROM roster", [])?;
        transaction.commit()?;
        store.roster = None;
        store.roster = Some(RosterFile::open(&store.roster_path(slot), &store.keys.roster_file)?);
        file::remove(&store.roster_path(other(slot)))
    }
}

impl Store {
    /// Begins to replace the roster by a newer one; a version that is not newer gets none.
    ///
    /// People are written as they come, so it does not matter how many they are. A crash leaves the roster in use.
    pub fn begin_roster(&mut self, version: u64) -> Result<Option<RosterImport<'_>>, StoreError> {
        let newest = meta::number(&self.connection, meta::ROSTER_VERSION)?;
        let in_use = self.roster_version()?;
        if newest.is_some_and(|newest| version < newest)
            || in_use.is_some_and(|in_use| version <= in_use)
        {
            return Ok(None);
        }
        let slot = other(meta::number(&self.connection, meta::ROSTER_SLOT)?.unwrap_or(1));
        let building = Building::begin(self.roster_path(slot), &self.keys.roster_file)?;
        Ok(Some(RosterImport { store: self, building, slot, version }))
    }

    /// Replaces the roster by a newer one in one step; a version that is not newer changes nothing and says `false`.
    pub fn import_roster<E: Borrow<RosterEntry>>(
        &mut self,
        version: u64,
        basis: &[u8],
        entries: impl IntoIterator<Item = E>,
    ) -> Result<bool, StoreError> {
        let Some(mut import) = self.begin_roster(version)? else {
            return Ok(false);
        };
        for entry in entries {
            import.put(entry.borrow())?;
        }
        import.finish(basis)?;
        Ok(true)
    }

    /// The entry of a person, if the centre expects them here.
    pub fn roster_find(&self, number: &IdNumber) -> Result<Option<Vec<u8>>, StoreError> {
        let subject = self.keys.subject(number).0;
        let sealed = match &self.roster {
            Some(file) => file.entry_of(&subject)?,
            None => self
                .connection
                .prepare_cached("SELECT sealed FROM roster WHERE subject = ?1")?
                .query_row([subject], |row| row.get(0))
                .optional()?,
        };
        sealed.map(|sealed| open(&self.keys.roster_row(number), &sealed)).transpose()
    }

    /// How many people are on it.
    pub fn roster_count(&self) -> Result<u64, StoreError> {
        match &self.roster {
            Some(file) => file.count(),
            None => self.count_rows("SELECT count(*) FROM roster"),
        }
    }

    /// Version of the roster in use. None while there is none that can be searched.
    pub fn roster_version(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.roster.as_ref().map(|file| file.about.version))
    }

    /// People whose name may be typed like this on Latin keys, or begins so: whole matches first, then in the order of
    /// the alphabet.
    pub fn roster_by_letters(
        &self,
        letters: &str,
        skip: usize,
        take: usize,
    ) -> Result<Vec<RosterRow>, StoreError> {
        self.roster_rows(BY_LETTERS, params![letters, after(letters)], skip, take)
    }

    /// People whose folded name is this or begins so, whole matches first.
    pub fn roster_by_name(
        &self,
        folded: &str,
        skip: usize,
        take: usize,
    ) -> Result<Vec<RosterRow>, StoreError> {
        self.roster_rows(BY_NAME, params![folded, after(folded)], skip, take)
    }

    /// Everybody of the villages whose folded name is this or begins so.
    pub fn roster_by_village(
        &self,
        folded: &str,
        skip: usize,
        take: usize,
    ) -> Result<Vec<RosterRow>, StoreError> {
        self.roster_rows(BY_VILLAGE, params![folded, after(folded)], skip, take)
    }

    /// A part of a list.
    pub fn roster_list(
        &self,
        list: &RosterList,
        skip: usize,
        take: usize,
    ) -> Result<Vec<RosterRow>, StoreError> {
        match list {
            RosterList::Due { until } => {
                self.roster_rows(LIST_DUE, [day_number(*until)], skip, take)
            }
            RosterList::Suspended => self.roster_rows(LIST_SUSPENDED, [], skip, take),
            RosterList::Village { village, until } => {
                let values = params![village, day_number(*until)];
                self.roster_rows(LIST_VILLAGE, values, skip, take)
            }
        }
    }

    /// All villages by name. Reads an index of everybody: for the page on which one is chosen.
    pub fn roster_villages(&self, until: Date) -> Result<Vec<RosterVillage>, StoreError> {
        let Some(file) = &self.roster else {
            return Ok(Vec::new());
        };
        let mut statement = file.connection.prepare_cached(VILLAGES)?;
        let found = statement.query_map([day_number(until)], |row| {
            Ok(RosterVillage {
                village: row.get(0)?,
                n_people: rows::count(row, 1)?,
                n_due: rows::count(row, 2)?,
            })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// The next people whose keys are out of date, those first of whom there is a new record; none when all are as `basis`
    /// says. Each answer goes back with [`Store::roster_rekey`], in whatever pauses there are.
    pub fn roster_stale(&self, basis: &[u8], take: usize) -> Result<Option<Stale>, StoreError> {
        let Some(file) = &self.roster else {
            return Ok(None);
        };
        let recorded = self.recorded_since(file.about.keyed_seq, take)?;
        if let Some((last, _)) = recorded.last() {
            let about = About { keyed_seq: *last, ..file.about.clone() };
            let ids = recorded.iter().map(|(_, subject)| file.id_of(subject));
            let ids: Vec<i64> = ids.filter_map(Result::transpose).collect::<Result<_, _>>()?;
            return self.stale(file, ids, about).map(Some);
        }
        let done = if file.about.basis == basis { file.about.cursor } else { 0 };
        let sql = "SELECT id FROM person WHERE id > ?1 ORDER BY id";
        let ids = file.ids(sql, [done], 0, take)?;
        if ids.is_empty() && done == i64::MAX {
            return Ok(None);
        }
        let cursor = ids.last().copied().unwrap_or(i64::MAX);
        let about = About { basis: basis.to_vec(), cursor, ..file.about.clone() };
        self.stale(file, ids, about).map(Some)
    }

    /// Gives the roster up, and how new it was: another site's takes its place, and counts its versions by itself.
    pub fn forget_roster(&mut self) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        for key in [meta::ROSTER_VERSION, meta::ROSTER_SLOT] {
            transaction.execute("DELETE FROM meta WHERE key = ?1", [key])?;
        }
        transaction.execute("DELETE FROM roster", [])?;
        transaction.commit()?;
        self.roster = None;
        [0, 1].iter().try_for_each(|slot| file::remove(&self.roster_path(*slot)))
    }

    /// Gives people the keys that were computed for them anew, one for each row. Names and villages stay as imported.
    pub fn roster_rekey(&mut self, stale: Stale, keys: Vec<RosterKeys>) -> Result<(), StoreError> {
        let Some(file) = &mut self.roster else {
            return Ok(());
        };
        let keys: Vec<(i64, RosterKeys)> = stale.ids.into_iter().zip(keys).collect();
        file.rekey(&keys, stale.about)
    }

    /// Opens the roster in use, and removes what an import that did not finish left. One that cannot be read counts as
    /// none: it comes again from the centre.
    pub(crate) fn take_up_roster(&mut self) -> Result<(), StoreError> {
        let slot = meta::number(&self.connection, meta::ROSTER_SLOT)?;
        let Some(slot) = slot.filter(|slot| self.roster_path(*slot).exists()) else {
            return [0, 1].iter().try_for_each(|slot| file::remove(&self.roster_path(*slot)));
        };
        file::remove(&self.roster_path(other(slot)))?;
        match RosterFile::open(&self.roster_path(slot), &self.keys.roster_file) {
            Ok(file) => self.roster = Some(file),
            Err(error) => tracing::warn!(code = error.code(), "the roster cannot be read"),
        }
        Ok(())
    }

    /// Reads every page of the roster. A damaged one is given up, so that it is imported again.
    pub(crate) fn scrub_roster(&mut self) -> Result<bool, StoreError> {
        let Some(file) = &self.roster else {
            return Ok(false);
        };
        if database::quick_check(&file.connection).is_ok() {
            return Ok(false);
        }
        self.roster = None;
        [0, 1].iter().try_for_each(|slot| file::remove(&self.roster_path(*slot)))?;
        Ok(true)
    }

    fn roster_path(&self, slot: u64) -> PathBuf {
        self.folder.join(if slot == 0 { "roster-a.db" } else { "roster-b.db" })
    }

    fn roster_rows(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        skip: usize,
        take: usize,
    ) -> Result<Vec<RosterRow>, StoreError> {
        let Some(file) = &self.roster else {
            return Ok(Vec::new());
        };
        let ids = file.ids(sql, values, skip, take)?;
        ids.into_iter().map(|id| self.open_row(&file.row(id)?)).collect()
    }

    fn open_row(&self, row: &SealedRow) -> Result<RosterRow, StoreError> {
        let number = open_number(&self.keys, &row.subject, &row.number)?;
        let bytes = open(&self.keys.roster_row(&number), &row.entry)?;
        Ok(RosterRow { number, bytes })
    }

    fn stale(&self, file: &RosterFile, ids: Vec<i64>, about: About) -> Result<Stale, StoreError> {
        let rows = ids.iter().map(|id| self.open_row(&file.row(*id)?));
        Ok(Stale { rows: rows.collect::<Result<_, _>>()?, ids, about })
    }

    /// The next people with a record after this one: what they achieved, filed or had corrected changes their days.
    fn recorded_since(&self, seq: u64, take: usize) -> Result<Vec<(u64, [u8; 32])>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, subject FROM record WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        let take = i64::try_from(take).unwrap_or(i64::MAX);
        let found = statement.query_map(params![seq.cast_signed(), take], |row| {
            Ok((rows::count(row, 0)?, row.get(1)?))
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

fn other(slot: u64) -> u64 {
    1 - slot.min(1)
}

/// `version u64 BE | nonce | ciphertext`. The nonce is random: a row's key sees one message a version.
fn seal(key: &[u8; 32], version: u64, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let version = version.to_be_bytes();
    Ok([&version[..], &encrypt(key, &version, bytes)?].concat())
}

fn open(key: &[u8; 32], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let (version, rest) = sealed.split_at_checked(8).ok_or(StoreError::Damaged("roster row"))?;
    decrypt(key, version, rest)
}

/// A number under the terminal's key, bound to the row. Random nonces: the key sees far fewer than 2^32 of them.
fn seal_number(keys: &Keys, subject: &[u8], number: &IdNumber) -> Result<Vec<u8>, StoreError> {
    encrypt(&keys.roster_number, subject, number.as_str().as_bytes())
}

fn open_number(keys: &Keys, subject: &[u8], sealed: &[u8]) -> Result<IdNumber, StoreError> {
    let bytes = decrypt(&keys.roster_number, subject, sealed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| StoreError::Damaged("roster row"))?;
    IdNumber::parse(text).map_err(|_| StoreError::Damaged("roster row"))
}

/// `nonce | ciphertext`.
fn encrypt(key: &[u8; 32], aad: &[u8], msg: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|_| StoreError::Random)?;
    let sealed = ChaCha20Poly1305::new(key.into())
        .encrypt(&Nonce::from(nonce), Payload { msg, aad })
        .expect("a roster entry is far below the cipher's limit");
    Ok([&nonce[..], &sealed].concat())
}

fn decrypt(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let damaged = || StoreError::Damaged("roster row");
    let (nonce, msg) = sealed.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
    let nonce: [u8; NONCE_LEN] = nonce.try_into().expect("the split gave this length");
    ChaCha20Poly1305::new(key.into())
        .decrypt(&Nonce::from(nonce), Payload { msg, aad })
        .map_err(|_| damaged())
}

const NONCE_LEN: usize = 12;

// Standings are numbered in `schema/roster.sql`.
const BY_LETTERS: &str =
    "SELECT person FROM spelling WHERE spelling >= ?1 AND spelling < ?2 ORDER BY spelling, person";
const BY_NAME: &str = "SELECT id FROM person WHERE name >= ?1 AND name < ?2 ORDER BY name, id";
const BY_VILLAGE: &str =
    "SELECT id FROM person WHERE village >= ?1 AND village < ?2 ORDER BY village, day, id";
const LIST_DUE: &str =
    "SELECT id FROM person WHERE standing IN (0, 1) AND day <= ?1 ORDER BY standing, day, id";
const LIST_SUSPENDED: &str = "SELECT id FROM person WHERE standing = 2 ORDER BY day, id";
const LIST_VILLAGE: &str =
    "SELECT id FROM person WHERE village = ?1 AND day <= ?2 ORDER BY day, id";
const VILLAGES: &str = "SELECT village, count(*), count(*) FILTER (WHERE day <= ?1) FROM person
                        GROUP BY village ORDER BY village";
