//! What a terminal remembers, encrypted at rest and durable before anybody is told "saved".
//!
//! One [`Store`] owns the data directory: an encrypted database, the sealed pictures beside it, and an append-only
//! second copy of every sealed record. It keeps facts; it decides nothing, and it knows nothing of networks or screens.

mod audit;
mod batch;
mod commit;
mod database;
mod disk;
mod draft;
mod error;
pub mod journal;
mod key;
mod lock;
mod meta;
mod outbox;
mod pictures;
#[cfg(test)]
mod power_loss;
mod reference;
mod roster;
mod rows;
mod store;
mod success;

pub use audit::{AuditEntry, AuditLine};
pub use batch::OpenBatch;
pub use commit::Commit;
pub use draft::Draft;
pub use error::StoreError;
pub use key::{StoreKey, SubjectRef};
pub use outbox::{Delivery, OutboxEntry, OutboxSummary, PictureLine, RecordLine, RecordState, Seq};
pub use reference::{AUTOMATIC, NewReference, Reference};
pub use roster::{RosterEntry, RosterImport, RosterList, RosterRow, RosterVillage, Stale};
pub use store::{Recovery, Scrub, Store};
pub use success::Success;
