//! Once a day everything that is kept is read, so that a card that forgets is noticed before somebody asks for what was on
//! it. Picture by picture: whoever serves people waits for none but one of them.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use kiosk_core::message::Id;
use kiosk_store::StoreError;
use tracing::{error, info};

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

/// The program ends.
struct Ended;

impl ScrubRoom {
    /// A room over the store.
    pub fn new(vault: Vault, teller: Teller) -> Self {
        Self { vault, told: Told::new(Id::DeviceKept), teller }
    }

    /// Works until the program ends.
    pub fn run(mut self, orders: &Receiver<Order>) {
        let mut wait = FIRST_AFTER;
        while let Err(RecvTimeoutError::Timeout) = orders.recv_timeout(wait) {
            if let Err(Ended) = self.look(orders) {
                return;
            }
            wait = EVERY;
        }
    }

    fn look(&mut self, orders: &Receiver<Order>) -> Result<(), Ended> {
        let is_whole = match self.read_all(orders) {
            Ok(n_damaged) => n_damaged == 0,
            Err(Stopped::Ended) => return Err(Ended),
            Err(Stopped::Store(problem)) => {
                error!(code = problem.code(), %problem, "what is kept cannot be read through");
                false
            }
        };
        self.told.tell(&self.teller, (!is_whole).then_some(Id::ErrStoreRotten));
        Ok(())
    }

    /// How many pictures are not as they were.
    fn read_all(&self, orders: &Receiver<Order>) -> Result<u64, Stopped> {
        let scrub = self.vault.store().scrub_database()?;
        let named = self.vault.store().named_pictures()?;
        let (n, mut n_damaged) = (named.len(), 0);
        for digest in named {
            if let Err(RecvTimeoutError::Disconnected) = orders.recv_timeout(BETWEEN) {
                return Err(Stopped::Ended);
            }
            n_damaged += u64::from(!self.vault.store().is_picture_whole(&digest)?);
        }
        let (swept, audit_lines) = (scrub.pictures_swept, scrub.audit_lines);
        info!(
            pictures = n,
            damaged = n_damaged,
            swept,
            audit_lines,
            "what is kept was read through"
        );
        Ok(n_damaged)
    }
}

/// Why it was not read to its end.
enum Stopped {
    Ended,
    Store(StoreError),
}

impl From<StoreError> for Stopped {
    fn from(problem: StoreError) -> Self {
        Self::Store(problem)
    }
}

/// Opening looked at the database, and the first people come.
const FIRST_AFTER: Duration = Duration::from_secs(3600);
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
        let named = vault.store().named_pictures().unwrap();
        let name = crate::hex::encode(named.iter().next().unwrap());
        state.join("store/pictures").join(&name[..2]).join(name)
    }

    #[test]
    fn what_cannot_be_read_any_more_is_told_once_and_what_nobody_names_is_gone() {
        let state = tempfile::tempdir().unwrap();
        let (sender, told) = mpsc::channel();
        let (_orders, orders) = mpsc::channel();
        let mut room = ScrubRoom::new(vault(state.path()), Teller::new(sender));
        let look = |room: &mut ScrubRoom| {
            room.look(&orders).ok().unwrap();
            words(&told)
        };
        let orphan = state.path().join("store/pictures/ab/ab00");
        std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
        std::fs::write(&orphan, b"of a visit that was cut short").unwrap();
        assert_eq!(look(&mut room), [""; 0]);
        assert!(!orphan.exists());
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
        assert!(room.look(&orders).is_err());
        room.run(&orders);
    }
}
