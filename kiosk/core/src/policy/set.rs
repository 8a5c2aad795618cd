//! The packs in force: the last good edition of each stays until a better one is proved.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::{Pack, PackFault, SignInLimits};

/// Packs by name, each with its editions.
#[derive(Clone, Debug, Default)]
pub struct PackSet {
    /// Never empty, in the order of their versions. Shared, since a set is copied for every place that asks it.
    packs: BTreeMap<String, Vec<Arc<Pack>>>,
}

/// What the program found about a pack's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Good, and made by this signer.
    Good(String),
    /// Absent or wrong.
    Bad,
}

/// What became of an offered pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// In force now.
    Accepted {
        /// Its name.
        pack: String,
        /// Its edition.
        version: u32,
    },
    /// The signature is absent, wrong, or by somebody whom the pack does not name.
    Unsigned,
    /// Schema or an example does not hold.
    Faulty(Vec<PackFault>),
    /// Not newer than the one in force.
    Older {
        /// Its name.
        pack: String,
        /// Edition in force.
        in_force: u32,
        /// Edition offered.
        offered: u32,
    },
}

impl PackSet {
    /// Packs whose signatures were checked before.
    pub fn from_packs(packs: impl IntoIterator<Item = Pack>) -> Self {
        let mut set = Self::default();
        let mut packs: Vec<Pack> = packs.into_iter().collect();
        packs.sort_by_key(|pack| pack.version);
        for pack in packs {
            set.keep_newer(pack);
        }
        set
    }

    /// Takes a pack only if signature, schema and every example hold and it is newer; else nothing changes.
    pub fn offer(&mut self, text: &str, signature: &Signature) -> Offer {
        let Signature::Good(signer) = signature else {
            return Offer::Unsigned;
        };
        let pack = match Pack::parse(text) {
            Ok(pack) => pack,
            Err(faults) => return Offer::Faulty(faults),
        };
        if pack.signer.as_ref().is_some_and(|named| named != signer) {
            return Offer::Unsigned;
        }
        let (id, offered) = (pack.id.clone(), pack.version);
        match self.keep_newer(pack) {
            None => Offer::Accepted { pack: id, version: offered },
            Some(in_force) => Offer::Older { pack: id, in_force, offered },
        }
    }

    fn keep_newer(&mut self, pack: Pack) -> Option<u32> {
        let editions = self.packs.entry(pack.id.clone()).or_default();
        if let Some(known) = editions.last().filter(|known| known.version >= pack.version) {
            return Some(known.version);
        }
        editions.push(Arc::new(pack));
        let surplus = editions.len().saturating_sub(EDITIONS_MAX);
        editions.drain(..surplus);
        None
    }

    /// The newest edition of this name.
    pub fn get(&self, id: &str) -> Option<&Pack> {
        self.packs.get(id)?.last().map(Arc::as_ref)
    }

    /// The edition in force on a day: the newest that has begun, else the oldest, since somebody has to be served.
    pub fn on(&self, id: &str, day: Date) -> Option<&Pack> {
        let editions = self.packs.get(id)?;
        let begun = editions.iter().rev().find(|pack| pack.valid_from <= day);
        begun.or(editions.first()).map(Arc::as_ref)
    }

    /// This edition, if it is kept.
    pub fn edition(&self, id: &str, version: u32) -> Option<&Pack> {
        let mut editions = self.packs.get(id)?.iter().map(Arc::as_ref);
        editions.find(|pack| pack.version == version)
    }

    /// The edition of each that is in force on a day, by name.
    pub fn iter_on(&self, day: Date) -> impl Iterator<Item = &Pack> {
        self.packs.keys().filter_map(move |id| self.on(id, day))
    }

    /// The newest edition of each, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Pack> {
        self.packs.values().filter_map(|editions| editions.last().map(Arc::as_ref))
    }

    /// All editions that are kept, by name and version.
    pub fn editions(&self) -> impl Iterator<Item = &Pack> {
        self.packs.values().flatten().map(Arc::as_ref)
    }

    /// When an operator of this terminal is locked: the strictest of what the packs say (R112).
    pub fn sign_in_limits(&self) -> SignInLimits {
        let said = self.iter().map(|pack| pack.limits.sign_in);
        let stricter = |one: SignInLimits, other: SignInLimits| SignInLimits {
            pin_tries: one.pin_tries.min(other.pin_tries),
            lock_h: one.lock_h.max(other.lock_h),
        };
        said.reduce(stricter).unwrap_or_default()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.packs.is_empty()
    }
}

/// Editions kept of one pack: the one in force, one to come, and two to look back.
const EDITIONS_MAX: usize = 4;
