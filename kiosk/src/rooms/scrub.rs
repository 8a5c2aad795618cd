//! Once a day the pictures of all records that wait are read, so that a card that forgets is noticed while the person and
//! their papers may still be found. Picture by picture: whoever serves people waits for none but one of them.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use kiosk_core::message::Id;
use kiosk_store::StoreError;
use tracing::{error, info, warn};

use crate::happening::{Teller, Told};
use crate::vault::Vault;

/// The room has nothing to be asked for.
pub enum Order {}

/// The room.
pub struct ScrubRoom {
    vault: Vault,
    told: Told,
    teller: Teller,
}

/// Why it was not read to its end.
enum Stopped {
    /// The program ends.
    Ended,
    Store(StoreError),
}

impl ScrubRoom {
    /// A room over the store.
    pub fn new(vault: Vault, teller: Teller) -> Self {
        Self { vault, told: Told::new(Id::DeviceKept), teller }
    }

    /// Works until the program ends.
    pub fn run(mut self, orders: &Receiver<Order>) {
        let mut wait = FIRST_AFTER;
        while let Err(RecvTimeoutError::Timeout) = orders.recv_timeout(wait) {
            match self.read_through(orders) {
                Ok(()) => {}
                Err(Stopped::Ended) => return,
                Err(Stopped::Store(problem)) => {
                    warn!(code = problem.code(), %problem, "what waits cannot be read through");
                }
            }
            wait = EVERY;
        }
    }

    /// Tells at the first one that is not as it was.
    fn read_through(&mut self, orders: &Receiver<Order>) -> Result<(), Stopped> {
        let pictures = self.vault.store().pictures_to_send()?;
        let (n, mut n_damaged) = (pictures.len(), 0);
        for digest in pictures {
            if let Err(RecvTimeoutError::Disconnected) = orders.recv_timeout(BETWEEN) {
                return Err(Stopped::Ended);
            }
            if !self.vault.store().is_picture_whole(&digest)? {
                n_damaged += 1;
                error!(picture = crate::hex::encode(&digest), "a picture that waits is damaged");
                self.told.tell(&self.teller, Some(Id::ErrStoreRotten));
            }
        }
        info!(pictures = n, damaged = n_damaged, "what waits was read through");
        if n_damaged == 0 {
            self.told.tell(&self.teller, None);
        }
        Ok(())
    }
}

impl From<StoreError> for Stopped {
    fn from(problem: StoreError) -> Self {
        Self::Store(problem)
    }
}

/// The first people come then, and their devices are loaded.
const FIRST_AFTER: Duration = Duration::from_secs(600);
const EVERY: Duration = Duration::from_secs(24 * 3600);
/// A few pictures a second.
const BETWEEN: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::mpsc;

    use kiosk_core::identity::IdNumber;
    use kiosk_core::moment::Moment;
    use kiosk_core::record::{Lane, RecordId, SealedPicture, SealedRecord};
    use kiosk_store::{AuditLine, Commit};
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::happening::words;

    fn vault(state: &Path) -> Vault {
        let vault = Vault::open(state).unwrap();
        let digest = |bytes: &[u8]| -> [u8; 32] { Sha256::digest(bytes).into() };
        let picture = |n: u8| {
            let sealed = vec![n; 9];
            SealedPicture { role: format!("role-{n}"), digest: digest(&sealed), sealed }
        };
        let (at, envelope) = (Moment::default(), b"sealed".to_vec());
        let record = SealedRecord {
            id: RecordId([1; 16]),
            lane: Lane::ProofOfLife,
            outcome: "CERTIFIED".into(),
            captured: at,
            digest: digest(&envelope),
            envelope,
            pictures: vec![picture(1), picture(2)],
        };
        let number = IdNumber::parse("11010519491231002X").unwrap();
        let (actor, event, detail) = ("op".into(), "visit-sealed".into(), String::new());
        let commit = Commit {
            supersedes: None,
            record,
            subject: vault.key.subject(&number),
            visit: [1; 16],
            audit: AuditLine { at, actor, event, detail },
            references: Vec::new(),
            successes: Vec::new(),
            slip: Vec::new(),
        };
        vault.store().commit(commit).unwrap();
        vault
    }

    fn picture(state: &Path, vault: &Vault) -> PathBuf {
        let named = vault.store().pictures_to_send().unwrap();
        let name = crate::hex::encode(&named[0]);
        state.join("store/pictures").join(&name[..2]).join(name)
    }

    #[test]
    fn what_cannot_be_read_any_more_is_told_once() {
        let state = tempfile::tempdir().unwrap();
        let (sender, told) = mpsc::channel();
        let (_orders, orders) = mpsc::channel();
        let mut room = ScrubRoom::new(vault(state.path()), Teller::new(sender));
        let look = |room: &mut ScrubRoom| {
            room.read_through(&orders).ok().unwrap();
            words(&told)
        };
        assert_eq!(look(&mut room), [""; 0]);
        let picture = picture(state.path(), &room.vault);
        let whole = std::fs::read(&picture).unwrap();
        std::fs::write(&picture, b"rotten").unwrap();
        assert_eq!(look(&mut room), ["device-kept err-store-rotten"]);
        assert_eq!(look(&mut room), [""; 0]);
        std::fs::write(&picture, whole).unwrap();
        assert_eq!(look(&mut room), ["device-kept works"]);
    }

    #[test]
    fn the_program_waits_for_no_reading_when_it_ends() {
        let state = tempfile::tempdir().unwrap();
        let (sender, _told) = mpsc::channel();
        let (held, orders) = mpsc::channel();
        let mut room = ScrubRoom::new(vault(state.path()), Teller::new(sender));
        drop(held);
        assert!(room.read_through(&orders).is_err());
        room.run(&orders);
    }
}
