//! Every decision of the terminal: who this is, what they owe, what may be done, how it ended.
//!
//! Core has no I/O, no clock, no thread and no device. What happened arrives as an [`event::Event`],
//! what has to be done leaves as an [`event::Effect`]; given the same events it gives the same effects.

pub mod area;
pub mod benefit;
pub mod calendar;
pub mod decision;
pub mod decoder;
pub mod draft;
pub mod event;
pub mod folding;
pub mod identity;
pub mod lists;
pub mod message;
pub mod moment;
pub mod operator;
pub mod outcome;
pub mod pinyin;
pub mod policy;
pub mod reading;
pub mod record;
pub mod roster;
pub mod terminal;
pub mod timekeeper;
pub mod view;
pub mod visit;
