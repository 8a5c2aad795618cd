//! The packs in force: the last good edition of each stays until a better one is proved.

use std::collections::BTreeMap;

use super::{Pack, PackFault};

/// Packs by name.
#[derive(Clone, Debug, Default)]
pub struct PackSet {
    packs: BTreeMap<String, Pack>,
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
    /// Packs whose signatures were checked before. Of two editions the newer one stays.
    pub fn from_packs(packs: impl IntoIterator<Item = Pack>) -> Self {
        let mut set = Self::default();
        for pack in packs {
            set.keep_newer(pack);
        }
        set
    }

    /// Takes a pack only if signature, schema and every example hold and it is newer; else nothing changes.
    pub fn offer(&mut self, text: &str, signature: &Signature) -> Offer {
        let Signature::Good(signer) = signature else { return Offer::Unsigned };
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
        if let Some(known) = self.packs.get(&pack.id).filter(|known| known.version >= pack.version) {
            return Some(known.version);
        }
        self.packs.insert(pack.id.clone(), pack);
        None
    }

    /// The pack of this name.
    pub fn get(&self, id: &str) -> Option<&Pack> {
        self.packs.get(id)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Pack> {
        self.packs.values()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.packs.is_empty()
    }
}
