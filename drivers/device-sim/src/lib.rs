//! All serial devices of a counter, simulated well and badly: ID-card reader, fingerprint
//! module and receipt printer. It shares no code with the drivers it is there to test.
//! Only simulated people; never part of what is shipped.

pub mod bench;
pub mod card;
pub mod counter;
pub mod device;
pub mod fingerprint;
pub mod id_card;
pub mod line;
pub mod photo;
pub mod printer;
mod pty;
pub mod random;
pub mod script;
