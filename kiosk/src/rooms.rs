//! One room for each family of effects. Only here floors meet: drivers, models, store, sync and screen.
//!
//! Each room has a thread of its own, takes orders through a channel and answers with events.

pub mod card;
pub mod face;
pub mod finger;
pub mod keep;
pub mod paper;
pub mod roster;
pub mod send;

use kiosk_core::decision::Thresholds;
use models::ThresholdSet;

/// The models' calibrated limits as core's.
fn thresholds(set: &ThresholdSet) -> Thresholds {
    Thresholds {
        id: set.id.clone(),
        accept: set.accept,
        review: set.review,
        quality_min: set.quality_min.clamp(0.0, 100.0) as u8,
        pad_min: set.pad_min,
    }
}
