//! Captures of a device's line: made while its driver works on the real port, and played against the driver again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drivers::link::{Capture, CaptureError, LinkConfig, LinkError, RecordingLink, ReplayLink};

use crate::devices::session::{self, Device, Differs, Manner, SharedLine};

/// Why there is no capture, or none that can be played.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file for the capture exists or cannot be made.
    #[error("{0} cannot be made; it must not exist yet")]
    Create(PathBuf, #[source] io::Error),
    /// The real port cannot be used.
    #[error("port {0}")]
    Port(PathBuf, #[source] LinkError),
    /// The capture cannot be read.
    #[error("{0} cannot be read")]
    Read(PathBuf, #[source] io::Error),
    /// The file is no capture.
    #[error("{0} is no capture")]
    Parse(PathBuf, #[source] CaptureError),
    /// The driver is not the one that was recorded.
    #[error(transparent)]
    Differs(#[from] Differs),
    /// The port for the kiosk cannot be made or used.
    #[error("port for the kiosk {0}")]
    Pty(PathBuf, #[source] io::Error),
}

/// Lets the driver work on the port at `port` for `time`, and keeps all bytes in `out`.
pub fn record(
    device: Device,
    manner: &Manner,
    port: &Path,
    out: &Path,
    time: Duration,
    tell: &mut dyn FnMut(&str),
) -> Result<(), RecordError> {
    let opened = LinkConfig::serial(port).open(device.baud_hz(manner));
    let link = opened.map_err(|error| RecordError::Port(port.into(), error))?;
    let file = create(out, device.name())?;
    let line = SharedLine::new(Box::new(RecordingLink::new(link, Box::new(file))));
    Ok(session::hold(device, manner, line, time, tell)?)
}

/// Plays the capture in `file` against the driver.
pub fn replay(
    device: Device,
    manner: &Manner,
    file: &Path,
    tell: &mut dyn FnMut(&str),
) -> Result<(), RecordError> {
    let text = fs::read_to_string(file).map_err(|error| RecordError::Read(file.into(), error))?;
    let capture = Capture::parse(&text).map_err(|error| RecordError::Parse(file.into(), error))?;
    let line = SharedLine::new(Box::new(ReplayLink::new(capture)));
    Ok(session::hold(device, manner, line, REPLAY_MAX, tell)?)
}

/// A new file that only its owner reads, with a note at its head.
pub(super) fn create(out: &Path, device: &str) -> Result<File, RecordError> {
    let failed = |error| RecordError::Create(out.into(), error);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(out).map_err(failed)?;
    writeln!(file, "# {device}; kiosk {}. {WARNING}", env!("CARGO_PKG_VERSION")).map_err(failed)?;
    Ok(file)
}

const WARNING: &str =
    "Holds all that was said, a card or a finger too: keep it as you would keep those.";
/// On the clock of the capture, which costs no time.
const REPLAY_MAX: Duration = Duration::from_secs(24 * 3600);
