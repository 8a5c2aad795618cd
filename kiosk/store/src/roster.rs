//! Whom the centre expects here. A row opens only with the number on the person's card.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use rusqlite::{OptionalExtension, params};

use kiosk_core::identity::IdNumber;

use crate::error::StoreError;
use crate::meta;
use crate::store::Store;

/// One person of a roster, in the caller's own bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct RosterEntry {
    /// Their number: it is used to seal and to find, and is not stored.
    pub number: IdNumber,
    /// The entry.
    pub bytes: Vec<u8>,
}

impl Store {
    /// Replaces the roster by a newer one in one step; a version that is not newer changes nothing and says `false`.
    pub fn import_roster(
        &mut self,
        version: u64,
        entries: &[RosterEntry],
    ) -> Result<bool, StoreError> {
        if self.roster_version()?.is_some_and(|have| have >= version) {
            return Ok(false);
        }
        let transaction = self.connection.transaction()?;
        transaction.execute("DELETE FROM roster", [])?;
        let mut insert = transaction
            .prepare("INSERT OR REPLACE INTO roster (subject, sealed) VALUES (?1, ?2)")?;
        for entry in entries {
            let key = self.keys.roster_row(&entry.number);
            let sealed = seal(&key, version, &entry.bytes)?;
            insert.execute(params![self.keys.subject(&entry.number).0, sealed])?;
        }
        drop(insert);
        meta::put_number(&transaction, meta::ROSTER_VERSION, version)?;
        transaction.commit()?;
        Ok(true)
    }

    /// The entry of a person, if the centre expects them here.
    pub fn roster_find(&self, number: &IdNumber) -> Result<Option<Vec<u8>>, StoreError> {
        let sealed: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT sealed FROM roster WHERE subject = ?1")?
            .query_row([self.keys.subject(number).0], |row| row.get(0))
            .optional()?;
        sealed.map(|sealed| open(&self.keys.roster_row(number), &sealed)).transpose()
    }

    /// How many people are on it.
    pub fn roster_count(&self) -> Result<u64, StoreError> {
        self.count_rows("SELECT count(*) FROM roster")
    }

    /// Version of the roster in use. None while there never was one.
    pub fn roster_version(&self) -> Result<Option<u64>, StoreError> {
        meta::number(&self.connection, meta::ROSTER_VERSION)
    }
}

/// `version u64 BE | nonce | ciphertext`. The nonce is random: a row's key sees one message a version.
fn seal(key: &[u8; 32], version: u64, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|_| StoreError::Random)?;
    let version = version.to_be_bytes();
    let sealed = ChaCha20Poly1305::new(key.into())
        .encrypt(&Nonce::from(nonce), Payload { msg: bytes, aad: &version })
        .expect("a roster entry is far below the cipher's limit");
    Ok([&version[..], &nonce, &sealed].concat())
}

fn open(key: &[u8; 32], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let damaged = || StoreError::Damaged("roster row");
    let (version, rest) = sealed.split_at_checked(8).ok_or_else(damaged)?;
    let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
    let nonce: [u8; NONCE_LEN] = nonce.try_into().expect("the split gave this length");
    ChaCha20Poly1305::new(key.into())
        .decrypt(&Nonce::from(nonce), Payload { msg: ciphertext, aad: version })
        .map_err(|_| damaged())
}

const NONCE_LEN: usize = 12;
