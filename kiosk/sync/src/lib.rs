//! Sealing what leaves the terminal, and getting it to the authority: `PROTOCOL.md` beside this package is the contract.
//!
//! Nothing here knows how records are stored or shown. Time, randomness and the network come in from outside.

pub mod backoff;
pub mod batch;
mod cose;
pub mod exchange;
pub mod keys;
pub mod receipt;
pub mod run;
pub mod seal;
pub mod transport;
pub mod update;

pub use backoff::Backoff;
pub use batch::{Manifest, Offer, OfferedPicture};
pub use cose::{ContentType, OpenError, open_signed};
pub use exchange::{Effect, Exchange, Reply, Request};
pub use keys::{AuthorityKeys, DeviceKey, FileKey, KeyError, SealingKey, VerifyKey};
pub use run::{Outbox, OutboxError, Report, SyncError, Turn, run_batch};
pub use seal::{Picture, SealError, Sealer};
pub use transport::https::{Https, Identity};
pub use transport::{Call, Method, Transport, TransportError};
