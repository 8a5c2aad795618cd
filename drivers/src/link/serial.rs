//! A serial port of the kernel, real or pty, through the `serialport` crate.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serialport::{ClearBuffer, SerialPort};

use super::{Link, LinkError};

/// A port at 8N1 without flow control.
pub struct SerialLink {
    path: PathBuf,
    baud_hz: u32,
    port: Option<Box<dyn SerialPort>>,
}

impl SerialLink {
    /// Opens `path` at `baud_hz` for us alone.
    pub fn open(path: &Path, baud_hz: u32) -> Result<Self, LinkError> {
        let mut link = Self { path: path.to_owned(), baud_hz, port: None };
        link.reopen()?;
        Ok(link)
    }

    fn port(&mut self) -> Result<&mut Box<dyn SerialPort>, LinkError> {
        let closed = || LinkError::Gone(io::ErrorKind::NotConnected.into());
        self.port.as_mut().ok_or_else(closed)
    }

    fn wait(&mut self, deadline: Instant) -> Result<(), LinkError> {
        let left = deadline.saturating_duration_since(Instant::now());
        // A timeout below a millisecond would be cut to zero and spin.
        let left = left.max(Duration::from_millis(1));
        self.port()?.set_timeout(left).map_err(gone)
    }
}

impl Link for SerialLink {
    fn read(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        loop {
            self.wait(deadline)?;
            match self.port()?.read(into) {
                // A pty whose other end closed reads as end of file.
                Ok(0) => return Err(LinkError::Gone(io::ErrorKind::UnexpectedEof.into())),
                Ok(n) => return Ok(n),
                Err(e) if e.kind() == io::ErrorKind::TimedOut => return Ok(0),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(LinkError::Gone(e)),
            }
        }
    }

    fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        while !bytes.is_empty() {
            self.wait(deadline)?;
            match self.port()?.write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(e) if e.kind() == io::ErrorKind::TimedOut => return Err(LinkError::WriteLate),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(LinkError::Gone(e)),
            }
            if !bytes.is_empty() && Instant::now() >= deadline {
                return Err(LinkError::WriteLate);
            }
        }
        Ok(())
    }

    fn flush_input(&mut self) -> Result<(), LinkError> {
        self.port()?.clear(ClearBuffer::Input).map_err(gone)
    }

    fn set_baud(&mut self, baud_hz: u32) -> Result<(), LinkError> {
        let failed = |e: serialport::Error| match e.kind() {
            serialport::ErrorKind::InvalidInput => LinkError::Baud(baud_hz),
            _ => gone(e),
        };
        self.port()?.set_baud_rate(baud_hz).map_err(failed)?;
        self.baud_hz = baud_hz;
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), LinkError> {
        // The old descriptor holds the exclusive lock, so it goes first.
        self.port = None;
        let path = self.path.to_string_lossy();
        let port = serialport::new(path, self.baud_hz)
            .open()
            .map_err(|e| LinkError::NotThere(e.into()))?;
        self.port = Some(port);
        if let Some(port) = self.port.as_mut() {
            // Some readers are powered over these lines; a pty has none and says ENOTTY.
            let _ = port.write_data_terminal_ready(true);
            let _ = port.write_request_to_send(true);
        }
        Ok(())
    }
}

fn gone(error: serialport::Error) -> LinkError {
    LinkError::Gone(error.into())
}
