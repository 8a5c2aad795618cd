//! A camera as the newest picture on demand. What is in the picture, and whether it is
//! good enough, is for others.

pub mod pixels;
mod pump;
pub mod v4l;

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use image::RgbImage;

/// Anything that delivers pictures as they happen.
pub trait Camera: Send {
    /// The newest frame that was not given before, waiting for one until `deadline`.
    fn latest(&mut self, deadline: Instant) -> Result<Frame, CameraError>;
}

/// One picture. Prints without its content.
#[derive(Clone)]
pub struct Frame {
    /// Upright, as the settings turn it; not mirrored.
    pub image: RgbImage,
    /// When it was taken, in milliseconds of the monotonic clock of the camera's source.
    pub captured_ms: u64,
    /// From the picture to this frame, decoded and upright; unknown for a source without a clock of its own.
    pub latency: Option<Duration>,
    /// Counts the frames since the camera was opened first; gaps are frames not asked for.
    pub index: u64,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = self.image.dimensions();
        write!(f, "Frame({} {width}x{height}, …)", self.index)
    }
}

/// How a camera hangs in its case: how far its picture is turned clockwise to be upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rotation {
    /// Upright.
    #[default]
    None,
    /// A quarter turn.
    Quarter,
    /// Upside down.
    Half,
    /// Three quarter turns.
    ThreeQuarters,
}

impl Rotation {
    /// The rotation by 0, 90, 180 or 270 degrees.
    pub fn from_degrees(degrees: u16) -> Option<Self> {
        match degrees {
            0 => Some(Self::None),
            90 => Some(Self::Quarter),
            180 => Some(Self::Half),
            270 => Some(Self::ThreeQuarters),
            _ => None,
        }
    }
}

/// The camera failed; it is reopened while one waits for the next frame.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// No such camera, or it went away.
    #[error("camera is not connected")]
    Unplugged(#[source] io::Error),
    /// The camera is there and gives no frames.
    #[error("camera gives no frames")]
    Stalled,
    /// The camera offers no format that we read.
    #[error("camera offers no usable format")]
    NoFormat,
    /// Frames come, and none of them can be decoded.
    #[error("camera gives damaged frames")]
    Damaged,
}

impl CameraError {
    /// A stable name for messages, logs and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unplugged(_) => "camera-unplugged",
            Self::Stalled => "camera-stalled",
            Self::NoFormat => "camera-no-format",
            Self::Damaged => "camera-damaged",
        }
    }
}
