//! A fingerprint scanner that its maker drives: through the public LIVESCAN C interface of
//! the certified scanners (GA/T 626 family), in the plug-in process `livescan-plugin`.
//! The library only gives frames; whether a finger lies there, and lies well, is seen here.

mod check;
pub mod frame;
pub mod library;
mod process;
pub mod touch;

use std::io;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::finger_scanner::{self, Glass, LastImage, Look};
use crate::fingerprint::{Capture, GreyImage, Progress, Retry};
pub use check::check;
use process::Plugin;
use touch::{Poor, Touch};

/// A scanner behind its plug-in.
pub struct Scanner {
    source: Box<dyn Source>,
    settings: Settings,
    window: Window,
    must_lift: bool,
    must_reopen: bool,
    last_image: LastImage,
    /// The looks of the capture under way.
    watch: Watch,
}

/// Which scanner, and what its maker does differently.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The plug-in program and its arguments, the library among them.
    pub command: Vec<String>,
    /// Which window of a scanner that has several, from 0.
    pub channel: u8,
    /// Pixels an inch; the interface does not say, the standard demands 500.
    pub ppi: u32,
    /// The lowest row comes first.
    pub bottom_first: bool,
    /// Codes by which this maker says that no finger is there.
    pub no_finger_codes: Vec<i32>,
    /// Longest time until the scanner is ready.
    pub open_max: Duration,
    /// Longest time for one frame.
    pub frame_max: Duration,
}

/// What the scanner says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// Width of a frame in pixels.
    pub width: u32,
    /// Height of a frame in pixels.
    pub height: u32,
    /// Edition of the interface, in hundredths.
    pub version: i32,
    /// The maker's own words about it.
    pub about: String,
}

/// Where frames come from; also owns the time, so that a test can move it.
pub trait Source: Send {
    /// Opens the scanner, or opens it anew.
    fn open(&mut self) -> Result<Window, LivescanError>;
    /// One frame: width times height grey values.
    fn grab(&mut self) -> Result<Vec<u8>, LivescanError>;
    /// Now, on the clock of this source.
    fn now(&self) -> Instant;
    /// Lets `time` pass on the clock of this source.
    fn pause(&mut self, time: Duration);
}

/// The scanner or its plug-in failed.
#[derive(Debug, thiserror::Error)]
pub enum LivescanError {
    /// The plug-in program cannot be started.
    #[error("scanner plug-in cannot be started")]
    PluginMissing(#[source] io::Error),
    /// There is no such library file.
    #[error("scanner library is missing")]
    LibraryMissing,
    /// For another machine, or it has other functions.
    #[error("scanner library cannot be used")]
    LibraryUnfit,
    /// The plug-in could not be confined, so nothing was loaded.
    #[error("scanner plug-in cannot be confined")]
    Unconfined,
    /// The library crashed, or wrote where it must not.
    #[error("scanner library crashed")]
    Crashed,
    /// The library did not come back in time.
    #[error("scanner does not answer")]
    Silent,
    /// The plug-in's words make no sense.
    #[error("scanner plug-in garbles its words")]
    Garbled,
    /// The library does not find its scanner.
    #[error("scanner is not connected")]
    Unplugged,
    /// A frame of another size than was announced, or of an impossible one.
    #[error("frame has {got} bytes where {expected} were announced")]
    OtherSize {
        /// Bytes that came.
        got: usize,
        /// Bytes that were announced.
        expected: usize,
    },
    /// The very same image came twice: the library repeats an old one.
    #[error("scanner repeats an old image")]
    Repeats,
    /// The library reports a fault of its own.
    #[error("scanner library reports {0}")]
    Refused(i32),
}

impl Scanner {
    /// Starts the plug-in and opens the scanner.
    pub fn open(settings: Settings) -> Result<Self, LivescanError> {
        Self::over(Box::new(Plugin::new(&settings)), settings)
    }

    /// Takes frames from `source`.
    pub fn over(mut source: Box<dyn Source>, settings: Settings) -> Result<Self, LivescanError> {
        let window = source.open()?;
        Ok(Self {
            source,
            settings,
            window,
            must_lift: false,
            must_reopen: false,
            last_image: LastImage::default(),
            watch: Watch::default(),
        })
    }

    /// Waits for a finger until `deadline` and takes an image when it lies still and well.
    pub fn capture(
        &mut self,
        deadline: Instant,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Capture, LivescanError> {
        self.recovering(|scanner| scanner.capture_once(deadline, progress))
    }

    /// Waits until no finger is on the glass; `false` if one still is at `deadline`.
    pub fn finger_off(&mut self, deadline: Instant) -> Result<bool, LivescanError> {
        self.recovering(|scanner| finger_scanner::wait_for_lift(scanner, deadline))
    }

    /// Longest time from the deadline of a capture to its end: one frame, and one start of
    /// a plug-in that crashed.
    pub fn upload_max(&self) -> Duration {
        2 * self.settings.frame_max + self.settings.open_max
    }

    /// What the scanner says of itself.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// A crashed plug-in is started again at once, and the person notices nothing; a second
    /// crash, and any other fault, is told, and the next call opens the scanner anew.
    fn recovering<T>(
        &mut self,
        mut act: impl FnMut(&mut Self) -> Result<T, LivescanError>,
    ) -> Result<T, LivescanError> {
        if self.must_reopen {
            self.reopen()?;
        }
        let mut result = act(self);
        if matches!(result, Err(LivescanError::Crashed)) {
            self.must_reopen = true;
            self.reopen()?;
            result = act(self);
        }
        if let Err(error) = &result {
            self.must_reopen = !matches!(error, LivescanError::Repeats);
        }
        result
    }

    fn reopen(&mut self) -> Result<(), LivescanError> {
        warn!("fingerprint scanner is opened anew");
        self.window = self.source.open()?;
        self.must_reopen = false;
        Ok(())
    }

    fn capture_once(
        &mut self,
        deadline: Instant,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Capture, LivescanError> {
        self.watch = Watch::default();
        match finger_scanner::wait_for_finger(self, deadline, progress)? {
            Ok(pixels) => self.finish(pixels, progress),
            Err(retry) => Ok(Capture::Retry(retry)),
        }
    }

    fn finish(
        &mut self,
        pixels: Vec<u8>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Capture, LivescanError> {
        progress(Progress::Taken);
        if self.last_image.is_repeated(&pixels) {
            return Err(LivescanError::Repeats);
        }
        self.must_lift = true;
        progress(Progress::Uploading(1.0));
        let Window { width, height, .. } = self.window;
        Ok(Capture::Image(GreyImage { width, height, ppi: self.settings.ppi, pixels }))
    }

    fn see(&mut self) -> Result<Seen, LivescanError> {
        let mut pixels = match self.source.grab() {
            Err(LivescanError::Refused(code)) if self.settings.no_finger_codes.contains(&code) => {
                return Ok(Seen { touch: Touch::Nothing, pixels: Vec::new() });
            }
            pixels => pixels?,
        };
        let Window { width, height, .. } = self.window;
        let expected = (width * height) as usize;
        if pixels.len() != expected {
            return Err(LivescanError::OtherSize { got: pixels.len(), expected });
        }
        if self.settings.bottom_first {
            pixels = pixels.chunks(width as usize).rev().flatten().copied().collect();
        }
        Ok(Seen { touch: touch::judge(&pixels, width as usize), pixels })
    }
}

impl Glass for Scanner {
    type Finger = Vec<u8>;
    type Fault = LivescanError;

    fn look(&mut self) -> Result<Look<Vec<u8>>, LivescanError> {
        let seen = self.see()?;
        let is_empty = seen.touch == Touch::Nothing;
        // The finger of the last capture is none to judge.
        if self.must_lift && !is_empty {
            return Ok(Look::Unsure);
        }
        Ok(match self.watch.add(seen) {
            Some(Ok(pixels)) => Look::Finger(pixels),
            Some(Err(retry)) => Look::Poor(retry),
            None if is_empty => Look::Empty,
            None => Look::Unsure,
        })
    }

    fn must_lift(&mut self) -> &mut bool {
        &mut self.must_lift
    }

    fn conclusion(&self) -> Retry {
        self.watch.conclusion()
    }

    fn now(&self) -> Instant {
        self.source.now()
    }

    fn pause(&mut self) {
        self.source.pause(LOOK_EVERY);
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            channel: 0,
            ppi: 500,
            bottom_first: false,
            no_finger_codes: Vec::new(),
            open_max: Duration::from_secs(10),
            frame_max: Duration::from_secs(3),
        }
    }
}

impl LivescanError {
    /// A stable name for messages, logs and support; faults that the serial module has as
    /// well have the same names.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PluginMissing(_) => "finger-reader-plugin-missing",
            Self::LibraryMissing => "finger-reader-library-missing",
            Self::LibraryUnfit => "finger-reader-library-unfit",
            Self::Unconfined => "finger-reader-unconfined",
            Self::Crashed => "finger-reader-crashed",
            Self::Silent => "finger-reader-silent",
            Self::Garbled => "finger-reader-garbled",
            Self::Unplugged => "finger-reader-unplugged",
            Self::OtherSize { .. } => "finger-reader-other-size",
            Self::Repeats => "finger-reader-repeats",
            Self::Refused(_) => "finger-reader-refused",
        }
    }
}

/// One look at the glass.
struct Seen {
    touch: Touch,
    pixels: Vec<u8>,
}

/// The looks of one capture.
#[derive(Default)]
struct Watch {
    last: Option<Vec<u8>>,
    n_unsteady: u32,
    n_poor: u32,
    poor: Option<Poor>,
    moved: bool,
}

impl Watch {
    /// An image, or why there is none; none at all while it is too early to say.
    fn add(&mut self, seen: Seen) -> Option<Result<Vec<u8>, Retry>> {
        let Seen { touch, pixels } = seen;
        if touch == Touch::Nothing {
            // A finger that came and went may come again better before the deadline.
            *self = Self { moved: self.moved || self.last.is_some(), ..Self::default() };
            return None;
        }
        let steady = self.last.as_ref().is_some_and(|last| touch::is_steady(last, &pixels));
        self.moved |= self.last.is_some() && !steady;
        self.n_unsteady += u32::from(self.last.is_some() && !steady);
        self.last = Some(pixels);
        if !steady {
            return (self.n_unsteady >= UNSTEADY_LOOKS_MAX).then_some(Err(Retry::Moved));
        }
        self.moved = false;
        match touch {
            Touch::Good => self.last.take().map(Ok),
            Touch::Poor(poor) => {
                self.n_poor += 1;
                self.poor = Some(poor);
                (self.n_poor >= POOR_LOOKS_MAX).then(|| Err(retry(poor)))
            }
            Touch::Nothing => None,
        }
    }

    fn conclusion(&self) -> Retry {
        match (self.poor, self.moved || self.last.is_some()) {
            (Some(poor), _) => retry(poor),
            (None, true) => Retry::Moved,
            (None, false) => Retry::NoFinger,
        }
    }
}

fn retry(poor: Poor) -> Retry {
    match poor {
        Poor::Faint => Retry::TooDry,
        Poor::Dark => Retry::TooWet,
        Poor::Small => Retry::TooFewPoints,
    }
}

/// A finger that has just come is still spreading; after so many steady looks it is as good
/// as it will be.
const POOR_LOOKS_MAX: u32 = 6;
/// A finger that is being laid down is unsteady for a few looks; one that is so for longer is moved about.
const UNSTEADY_LOOKS_MAX: u32 = 12;
const LOOK_EVERY: Duration = Duration::from_millis(40);

#[cfg(test)]
mod tests;
