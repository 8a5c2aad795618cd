//! The whole exchange against a running authority, by a terminal that tests can bend.

mod bent;
mod command;
mod exchange;
mod faults;
mod paper;
mod terminal;
mod updates;
mod value;
mod vectors;
