//! A county in simulation: people, terminals and the centre over months, each visit through the real core.
//!
//! Everything follows from a seed. What must hold is checked after every step; see [`watch::Invariant`].

pub mod centre;
pub mod chance;
pub mod clerk;
pub mod counter;
pub mod county;
pub mod days;
pub mod editions;
pub mod population;
pub mod report;
pub mod watch;

pub use county::{Plan, Report, Sabotage, run};
