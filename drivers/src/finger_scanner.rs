//! What a fingerprint scanner of any kind does for the counter: waits for a finger, takes
//! one image, notices the lift. The serial module and the LIVESCAN plug-in both do it.

use std::time::{Duration, Instant};

use crate::fingerprint::{Capture, Light, Progress, Sensor, SensorError};
use crate::livescan::{LivescanError, Scanner};

/// A camera for fingers. After an error the next call opens the device anew.
pub trait FingerScanner: Send {
    /// Waits for a finger until `deadline` and takes an image of it. May run past the
    /// deadline by [`Self::upload_max`].
    fn capture(
        &mut self,
        deadline: Instant,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Capture, ScannerError>;

    /// Waits until no finger is on the glass; `false` if one still is at `deadline`.
    fn finger_off(&mut self, deadline: Instant) -> Result<bool, ScannerError>;

    /// Shows a light, if the scanner has one.
    fn light(&mut self, light: Light) -> Result<(), ScannerError>;

    /// Longest time from the deadline of a capture to its end.
    fn upload_max(&self) -> Duration;
}

/// A scanner of either kind failed.
#[derive(Debug, thiserror::Error)]
pub enum ScannerError {
    /// The serial module.
    #[error(transparent)]
    Module(#[from] SensorError),
    /// The LIVESCAN scanner.
    #[error(transparent)]
    Livescan(#[from] LivescanError),
}

impl ScannerError {
    /// A stable name for messages, logs and support; the same fault has the same name in
    /// both kinds.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Module(error) => error.code(),
            Self::Livescan(error) => error.code(),
        }
    }
}

impl FingerScanner for Sensor {
    fn capture(
        &mut self,
        deadline: Instant,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Capture, ScannerError> {
        Ok(Sensor::capture(self, deadline, progress)?)
    }

    fn finger_off(&mut self, deadline: Instant) -> Result<bool, ScannerError> {
        Ok(Sensor::finger_off(self, deadline)?)
    }

    fn light(&mut self, light: Light) -> Result<(), ScannerError> {
        Ok(Sensor::light(self, light)?)
    }

    fn upload_max(&self) -> Duration {
        Sensor::upload_max(self)
    }
}

impl FingerScanner for Scanner {
    fn capture(
        &mut self,
        deadline: Instant,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Capture, ScannerError> {
        Ok(Scanner::capture(self, deadline, progress)?)
    }

    fn finger_off(&mut self, deadline: Instant) -> Result<bool, ScannerError> {
        Ok(Scanner::finger_off(self, deadline)?)
    }

    /// The interface has none.
    fn light(&mut self, _light: Light) -> Result<(), ScannerError> {
        Ok(())
    }

    fn upload_max(&self) -> Duration {
        Scanner::upload_max(self)
    }
}
