//! One byte link with deadlines under every serial device: a real port, a pty, a
//! recorder around either, or a replayer of what was recorded.
//! What the bytes mean is left to the device modules.

pub mod bulk;
mod capture;
mod file;
mod serial;
mod usb;

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

pub use bulk::BulkLink;
pub use capture::{Capture, CaptureError, RecordingLink, ReplayLink};
pub use file::{FileLink, Reports};
pub use serial::SerialLink;
pub use usb::{UsbId, UsbLink};

/// A half-duplex byte stream to one device.
///
/// A link also owns the time its deadlines are measured in, so that a test can move it.
pub trait Link: Send {
    /// Reads what has arrived, waiting for at least one byte until `deadline`.
    /// `Ok(0)` means that nothing came in time.
    fn read(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, LinkError>;

    /// Writes all of `bytes`, or says why not.
    fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError>;

    /// Throws away what has arrived and was not read.
    fn flush_input(&mut self) -> Result<(), LinkError>;

    /// Changes the line speed, in baud; a link without a line speed accepts any.
    fn set_baud(&mut self, baud_hz: u32) -> Result<(), LinkError>;

    /// Closes the device and opens it anew at the same place and speed.
    fn reopen(&mut self) -> Result<(), LinkError>;

    /// Now, on the clock of this link.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Lets `time` pass on the clock of this link.
    fn pause(&mut self, time: Duration) {
        thread::sleep(time);
    }
}

/// Where a device is, and whether its traffic is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkConfig {
    /// Device file: `/dev/ttyUSB0`, `/dev/hidraw0`, `/dev/usb/lp0`, `/dev/bus/usb/001/004`, or a
    /// link to one; or what the device says it is, wherever it is plugged in: `usb:0400:c35a`.
    pub path: PathBuf,
    /// File that receives every byte as capture lines. Only for synthetic subjects:
    /// a capture of a card read holds the whole card.
    pub record_to: Option<PathBuf>,
}

impl LinkConfig {
    /// A link to the device file at `path`, serial or not, nothing recorded.
    pub fn serial(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), record_to: None }
    }

    /// Opens the link at `baud_hz`.
    pub fn open(&self, baud_hz: u32) -> Result<Box<dyn Link>, LinkError> {
        let link = self.open_device(baud_hz)?;
        match &self.record_to {
            None => Ok(link),
            Some(file) => {
                let file = std::fs::File::create(file).map_err(LinkError::Recording)?;
                Ok(Box::new(RecordingLink::new(link, Box::new(file))))
            }
        }
    }

    /// The kind of a device file shows in the name the kernel gave it.
    fn open_device(&self, baud_hz: u32) -> Result<Box<dyn Link>, LinkError> {
        if let Some(id) = UsbId::parse(&self.path) {
            return Ok(Box::new(UsbLink::open(id, baud_hz)?));
        }
        let real = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let real = real.to_string_lossy();
        let reports = match () {
            () if real.starts_with("/dev/hidraw") => Reports::Hid,
            () if real.starts_with("/dev/usb/lp") => Reports::None,
            () if real.starts_with(usb::BARE) => return Ok(Box::new(BulkLink::open(&self.path)?)),
            () => return Ok(Box::new(SerialLink::open(&self.path, baud_hz)?)),
        };
        Ok(Box::new(FileLink::open(&self.path, reports)?))
    }
}

/// The byte link failed; what was said is unknown, and the device is to be reopened.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No device file, or somebody else has it.
    #[error("device cannot be opened")]
    NotThere(#[source] io::Error),
    /// The device went away while it was in use.
    #[error("device went away")]
    Gone(#[source] io::Error),
    /// The device took no more bytes before the deadline.
    #[error("device takes no more bytes")]
    WriteLate,
    /// The port does not know this line speed.
    #[error("line speed {0} not possible")]
    Baud(u32),
    /// The capture file cannot be written.
    #[error("capture cannot be written")]
    Recording(#[source] io::Error),
    /// A replayed conversation went another way than the recorded one.
    #[error("replay line {line}: other bytes were sent than recorded")]
    ReplayDiffers {
        /// Line of the capture, counted from 1.
        line: usize,
    },
}
