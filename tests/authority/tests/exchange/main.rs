//! The whole exchange against a running authority, by a terminal that tests can bend.

mod exchange;
mod faults;
mod paper;
mod terminal;
mod value;
