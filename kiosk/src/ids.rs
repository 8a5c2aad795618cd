//! Fresh identities: UUIDv7 for visits and records.

use std::sync::{Arc, Mutex};

use kiosk_core::record::RecordId;

use crate::clock::Clock;

/// Makes identities.
#[derive(Clone)]
pub struct Ids {
    clock: Clock,
    /// A demonstration tells the same story twice: its identities are given.
    given: Option<Arc<Mutex<Option<[u8; 16]>>>>,
}

impl Ids {
    /// From the clock and the kernel's randomness.
    pub fn random(clock: Clock) -> Self {
        Self { clock, given: None }
    }

    /// The next visit takes the identity that lies in the slot.
    #[cfg(feature = "desk")]
    pub fn given(clock: Clock, slot: Arc<Mutex<Option<[u8; 16]>>>) -> Self {
        Self { clock, given: Some(slot) }
    }

    /// For a new visit and for the record that it will leave.
    pub fn visit_and_record(&self) -> ([u8; 16], RecordId) {
        let slot = self.given.as_ref().and_then(|slot| slot.lock().ok()?.take());
        let visit = slot.unwrap_or_else(|| self.uuid_v7());
        let mut record = visit;
        // The record is the visit's sibling: same time, other last bit, so that no second clock reading is needed.
        record[15] ^= 1;
        (visit, RecordId(record))
    }

    fn uuid_v7(&self) -> [u8; 16] {
        let mut id = [0; 16];
        getrandom::fill(&mut id).expect("the kernel has randomness after boot");
        let ms = self.clock.now().wall_ms.max(0).to_be_bytes();
        id[..6].copy_from_slice(&ms[2..]);
        id[6] = 0x70 | id[6] & 0x0f;
        id[8] = 0x80 | id[8] & 0x3f;
        id
    }
}
