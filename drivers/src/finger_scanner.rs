//! What a fingerprint scanner of any kind does for the counter: waits for a finger, takes
//! one image, notices the lift. The serial module and the LIVESCAN plug-in both do it.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::fingerprint::{Capture, Light, Progress, Retry, Sensor, SensorError};
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

    /// Whether it answers; takes no finger.
    fn ping(&mut self) -> Result<(), ScannerError>;

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

    fn ping(&mut self) -> Result<(), ScannerError> {
        Sensor::parameters(self)?;
        Ok(())
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

    fn ping(&mut self) -> Result<(), ScannerError> {
        Scanner::finger_off(self, Instant::now())?;
        Ok(())
    }

    /// The interface has none.
    fn light(&mut self, _light: Light) -> Result<(), ScannerError> {
        Ok(())
    }

    fn upload_max(&self) -> Duration {
        Scanner::upload_max(self)
    }
}

/// What waiting for a finger takes of a scanner; both kinds wait alike.
pub(crate) trait Glass {
    /// A finger that lies there, as far as the scanner has it.
    type Finger;
    /// How the scanner fails.
    type Fault;

    /// One look at the glass.
    fn look(&mut self) -> Result<Look<Self::Finger>, Self::Fault>;

    /// Whether the finger of the last capture has to be lifted first.
    fn must_lift(&mut self) -> &mut bool;

    /// What to say when nothing came of all the looks.
    fn conclusion(&self) -> Retry {
        Retry::NoFinger
    }

    /// The scanner's clock.
    fn now(&self) -> Instant;

    /// Waits until it is time for the next look.
    fn pause(&mut self);
}

/// What one look found.
pub(crate) enum Look<F> {
    /// No finger.
    Empty,
    /// One that may yet lie still, or well.
    Unsure,
    /// One that cannot be used like this.
    Poor(Retry),
    /// One that can be taken.
    Finger(F),
}

/// Waits until a new finger lies there, or `deadline`; tells whether a lift or a finger is waited for.
pub(crate) fn wait_for_finger<G: Glass>(
    glass: &mut G,
    deadline: Instant,
    progress: &mut dyn FnMut(Progress),
) -> Result<Result<G::Finger, Retry>, G::Fault> {
    progress(match glass.must_lift() {
        true => Progress::WaitingForLift,
        false => Progress::WaitingForFinger,
    });
    loop {
        let look = glass.look()?;
        if matches!(look, Look::Empty) && std::mem::take(glass.must_lift()) {
            progress(Progress::WaitingForFinger);
        }
        let must_lift = *glass.must_lift();
        match look {
            Look::Finger(finger) if !must_lift => return Ok(Ok(finger)),
            Look::Poor(retry) if !must_lift => return Ok(Err(retry)),
            _ => {}
        }
        if glass.now() >= deadline {
            return Ok(Err(if must_lift { Retry::LiftFirst } else { glass.conclusion() }));
        }
        glass.pause();
    }
}

/// Waits until no finger is on the glass; `false` if one still is at `deadline`.
pub(crate) fn wait_for_lift<G: Glass>(glass: &mut G, deadline: Instant) -> Result<bool, G::Fault> {
    loop {
        if matches!(glass.look()?, Look::Empty) {
            *glass.must_lift() = false;
            return Ok(true);
        }
        if glass.now() >= deadline {
            return Ok(false);
        }
        glass.pause();
    }
}

/// Knows the last image again: no two placements of a finger give the same to the last pixel, so a scanner that shows
/// one twice repeats an old image.
#[derive(Default)]
pub(crate) struct LastImage {
    digest: Option<u64>,
    hasher: RandomState,
}

impl LastImage {
    /// Whether this is the last one again.
    pub(crate) fn is_repeated(&mut self, pixels: &[u8]) -> bool {
        let digest = self.hasher.hash_one(pixels);
        self.digest.replace(digest) == Some(digest)
    }
}
