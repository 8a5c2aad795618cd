//! The terminal's storage key and what is derived from it; the index value that stands for a person.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use kiosk_core::identity::IdNumber;

/// The 32 random bytes that everything stored on this terminal hangs on. Destroying them destroys the store.
pub struct StoreKey(Zeroizing<[u8; 32]>);

impl StoreKey {
    /// Takes key bytes from wherever the terminal keeps them (a TPM, a credential file).
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A new random key, or the operating system's refusal to give random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// The key's bytes, for the place that keeps them.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The index value of a person, the same for the same number under the same key.
    pub fn subject(&self, number: &IdNumber) -> SubjectRef {
        subject_under(&derive(self, SUBJECT), number)
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(…)")
    }
}

/// HMAC-SHA256 of an identity number under a key of this terminal: finds a person's rows, names nobody.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectRef(pub(crate) [u8; 32]);

impl SubjectRef {
    /// The bytes, for logs of tests and for keys of maps.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectRef(…)")
    }
}

/// The keys in use while a store is open.
pub(crate) struct Keys {
    pub(crate) database: Zeroizing<[u8; 32]>,
    audit: Zeroizing<[u8; 32]>,
    subject: Zeroizing<[u8; 32]>,
    roster: Zeroizing<[u8; 32]>,
    pub(crate) roster_file: Zeroizing<[u8; 32]>,
    pub(crate) roster_number: Zeroizing<[u8; 32]>,
}

impl Keys {
    pub(crate) fn of(key: &StoreKey) -> Self {
        Self {
            database: derive(key, DATABASE),
            audit: derive(key, AUDIT),
            subject: derive(key, SUBJECT),
            roster: derive(key, ROSTER),
            roster_file: derive(key, ROSTER_FILE),
            roster_number: derive(key, ROSTER_NUMBER),
        }
    }

    pub(crate) fn subject(&self, number: &IdNumber) -> SubjectRef {
        subject_under(&self.subject, number)
    }

    /// A person's roster row opens only with the number on their card.
    pub(crate) fn roster_row(&self, number: &IdNumber) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(keyed_hash(&self.roster, &[number.as_str().as_bytes()]))
    }

    pub(crate) fn audit_hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        keyed_hash(&self.audit, parts)
    }
}

fn subject_under(key: &[u8; 32], number: &IdNumber) -> SubjectRef {
    SubjectRef(keyed_hash(key, &[number.as_str().as_bytes()]))
}

fn derive(key: &StoreKey, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut derived = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, key.as_bytes())
        .expand(purpose, &mut *derived)
        .expect("32 bytes are less than HKDF's limit");
    derived
}

fn keyed_hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

const DATABASE: &[u8] = b"changqing/store/database/1";
const AUDIT: &[u8] = b"changqing/store/audit/1";
const SUBJECT: &[u8] = b"changqing/store/subject/1";
const ROSTER: &[u8] = b"changqing/store/roster/1";
const ROSTER_FILE: &[u8] = b"changqing/store/roster-file/1";
const ROSTER_NUMBER: &[u8] = b"changqing/store/roster-number/1";
