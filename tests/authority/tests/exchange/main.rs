//! The whole exchange against a running authority, by a terminal that tests can bend.

mod exchange;
mod paper;
mod terminal;
mod value;
