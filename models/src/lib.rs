//! Model files and the code that runs them: faces, fingerprints, liveness.
//! Nothing here knows a person or a pension; a caller gets observations, scores
//! and the threshold set they are read with, and decides elsewhere.

#[cfg(test)]
mod arbitrary;
pub mod bench;
pub mod document;
pub mod error;
pub mod evaluate;
pub mod face;
pub mod fetch;
pub mod finger;
pub mod iso19794;
pub mod liveness;
pub mod manifest;
pub mod matcher;
mod network;
mod ocr;
pub mod picture;
mod pixels;
pub mod threshold;
mod vendor;

pub use error::ModelError;
pub use manifest::{Manifest, ModelId};
pub use threshold::ThresholdSet;
pub use vendor::EngineFault;

/// The version of this crate, as it goes into records.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
