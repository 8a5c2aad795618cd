//! A device that the kernel has no driver for, spoken to over its bulk pipes: desktop card
//! readers of the vendor class take a whole frame in one transfer, and bare security modules
//! have one pair of pipes for the head of a frame and one for the rest.

pub mod descriptors;
mod usbfs;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::io::Errno;

use super::{Link, LinkError};
use descriptors::Pipes;
use usbfs::{Done, Usbfs};

/// The bulk pipes of one interface.
pub struct BulkLink {
    path: PathBuf,
    open: Option<Open>,
}

struct Open {
    device: Usbfs,
    pipes: Pipes,
    /// What came through each pair of pipes and was not read.
    inboxes: Vec<VecDeque<u8>>,
    /// Bytes of the head that were given since the last request.
    n_head: usize,
}

impl BulkLink {
    /// Opens the device node at `path`, below `/dev/bus/usb` or a link to one there.
    pub fn open(path: &Path) -> Result<Self, LinkError> {
        let mut link = Self { path: path.to_owned(), open: None };
        link.reopen()?;
        Ok(link)
    }

    /// A device that went away or is out of its mind is closed at once, so that the kernel can
    /// give its name to the next.
    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Open) -> Result<T, LinkError>,
    ) -> Result<T, LinkError> {
        let closed = || LinkError::Gone(io::ErrorKind::NotConnected.into());
        let result = act(self.open.as_mut().ok_or_else(closed)?);
        if matches!(result, Err(LinkError::Gone(_))) {
            self.open = None;
        }
        result
    }
}

impl Link for BulkLink {
    fn read(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        self.with(|open| open.read(into, deadline))
    }

    fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        self.with(|open| open.write(bytes, deadline))
    }

    fn flush_input(&mut self) -> Result<(), LinkError> {
        self.with(Open::flush)
    }

    fn set_baud(&mut self, _baud_hz: u32) -> Result<(), LinkError> {
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), LinkError> {
        self.open = None;
        self.open = Some(Open::new(&self.path).map_err(LinkError::NotThere)?);
        Ok(())
    }
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        let mut device = Usbfs::open(path)?;
        let unfit = || io::Error::other("device has no pair of bulk pipes");
        let pipes = Pipes::of(&device.descriptors()?).ok_or_else(unfit)?;
        device.claim(pipes.interface)?;
        let inboxes = vec![VecDeque::new(); pipes.pairs.len()];
        Ok(Self { device, pipes, inboxes, n_head: 0 })
    }

    fn read(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        loop {
            let n = self.give(into);
            if n > 0 {
                return Ok(n);
            }
            self.listen()?;
            let Some(done) = self.device.reap().map_err(gone)? else {
                let is_ready = self.device.wait(deadline).map_err(gone)?;
                if !is_ready && Instant::now() >= deadline {
                    return Ok(0);
                }
                continue;
            };
            self.take(done)?;
        }
    }

    /// What was received, in the order of the frame: the rest of it not before its head.
    fn give(&mut self, into: &mut [u8]) -> usize {
        let which = match self.inboxes.len() {
            1 => 0,
            _ if self.n_head < HEAD_SIZE => 0,
            _ => 1,
        };
        let inbox = &mut self.inboxes[which];
        let room = if self.pipes.pairs.len() > 1 && which == 0 {
            into.len().min(HEAD_SIZE - self.n_head)
        } else {
            into.len()
        };
        let n = inbox.len().min(room);
        for (to, byte) in into.iter_mut().zip(inbox.drain(..n)) {
            *to = byte;
        }
        self.n_head += if which == 0 { n } else { 0 };
        n
    }

    /// Has the kernel wait for one packet on each pipe that brings bytes. Packets are at least
    /// never longer than that, whatever the length of a reply.
    fn listen(&mut self) -> Result<(), LinkError> {
        for pair in &self.pipes.pairs {
            if !self.device.is_under_way(pair.from) {
                self.device.receive(pair.from, pair.packet_size).map_err(gone)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, done: Done) -> Result<(), LinkError> {
        if let Some(error) = done.error {
            // A pipe that the device has stalled would stay so.
            if error.raw_os_error() == Some(Errno::PIPE.raw_os_error()) {
                return self.device.clear_halt(done.endpoint).map_err(gone);
            }
            return Err(LinkError::Gone(error));
        }
        let at = self.pipes.pairs.iter().position(|pair| pair.from == done.endpoint);
        if let Some(at) = at {
            let room = INBOX_MAX.saturating_sub(self.inboxes[at].len());
            self.inboxes[at].extend(done.bytes.into_iter().take(room));
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        self.n_head = 0;
        let parts = match self.pipes.pairs.len() {
            1 => vec![bytes],
            _ => {
                let (head, rest) = bytes.split_at(bytes.len().min(HEAD_SIZE));
                vec![head, rest]
            }
        };
        let pairs = self.pipes.pairs.clone();
        for (part, pair) in parts.into_iter().zip(pairs) {
            if !part.is_empty() {
                self.send(pair.to, part, deadline)?;
            }
        }
        Ok(())
    }

    /// One transfer, however many packets it takes.
    fn send(&mut self, to: u8, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        self.device.send(to, bytes).map_err(gone)?;
        while self.device.is_under_way(to) {
            match self.device.reap().map_err(gone)? {
                Some(done) => self.take(done)?,
                None => {
                    let is_ready = self.device.wait(deadline).map_err(gone)?;
                    if !is_ready && Instant::now() >= deadline {
                        self.device.cancel(to);
                        return Err(LinkError::WriteLate);
                    }
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        for _ in 0..FLUSH_PACKETS_MAX {
            match self.device.reap().map_err(gone)? {
                Some(done) => self.take(done)?,
                None => break,
            }
            self.listen()?;
        }
        self.inboxes.iter_mut().for_each(VecDeque::clear);
        self.n_head = 0;
        Ok(())
    }
}

fn gone(error: io::Error) -> LinkError {
    LinkError::Gone(error)
}

/// Preamble and length of a frame of the card reader, which bare modules want by themselves.
const HEAD_SIZE: usize = 7;
/// More than the largest reply; what nobody reads is not kept without end.
const INBOX_MAX: usize = 16 << 10;
const FLUSH_PACKETS_MAX: u32 = 256;
