//! The reference central authority: takes sealed batches of terminals and gives signed receipts.
//! It is written from the protocol document alone and shares no code with the terminal's side.
//! It is a stand-in for tests and desks; it never runs on a terminal.

pub mod cbor;
pub mod check;
pub mod cose;
mod door;
pub mod fault;
mod files;
pub mod hex;
pub mod intake;
pub mod keys;
pub mod manifest;
mod pictures;
pub mod provision;
pub mod receipt;
pub mod record;
pub mod refusal;
pub mod report;
pub mod reset;
pub mod server;
pub mod store;
pub mod updates;

pub use door::DoorError;
