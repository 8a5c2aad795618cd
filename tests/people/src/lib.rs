//! Simulated people for the device simulator, the demonstration and the tests.
//!
//! Everything about a person follows from a seed and an index, on every machine alike: number, name, card,
//! benefits, face and fingers. Nobody here exists, and nothing here is shipped in the product.

pub mod benefit;
pub mod finger;
pub mod number;
pub mod person;
pub mod photo;
pub mod portrait;
mod random;

pub use benefit::{Benefit, LastSuccess, Method};
pub use person::{Date, Person, Sex, Story};
pub use portrait::{Portrait, Pose};
