//! Devices that the kernel gives as plain files: HID card readers (`/dev/hidraw*`), which
//! speak in reports of 64 bytes, and USB printers (`/dev/usb/lp*`).

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{Link, LinkError};

/// A device file read and written as it is, or in reports.
pub struct FileLink {
    path: PathBuf,
    reports: Reports,
    file: Option<OwnedFd>,
    read_ahead: Vec<u8>,
}

/// Whether bytes travel in reports of a fixed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reports {
    /// A plain stream.
    None,
    /// HID reports without a number, of 64 bytes, padded with zeroes.
    Hid,
}

impl FileLink {
    /// Opens the device file at `path`.
    pub fn open(path: &Path, reports: Reports) -> Result<Self, LinkError> {
        let mut link = Self { path: path.to_owned(), reports, file: None, read_ahead: Vec::new() };
        link.reopen()?;
        Ok(link)
    }

    fn file(&self) -> Result<&OwnedFd, LinkError> {
        let closed = || LinkError::Gone(io::ErrorKind::NotConnected.into());
        self.file.as_ref().ok_or_else(closed)
    }

    /// Waits until the file is ready; `false` at the deadline.
    fn wait(&self, what: PollFlags, deadline: Instant) -> Result<bool, LinkError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|e| LinkError::Gone(io::Error::other(e)))?;
        let mut fds = [PollFd::new(self.file()?, what)];
        match poll(&mut fds, Some(&left)) {
            Ok(n) => Ok(n > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(LinkError::Gone(error.into())),
        }
    }

    fn write_piece(&self, bytes: &[u8], deadline: Instant) -> Result<usize, LinkError> {
        loop {
            match rustix::io::write(self.file()?, bytes) {
                Ok(n) => return Ok(n),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(LinkError::Gone(error.into())),
            }
            if !self.wait(PollFlags::OUT, deadline)? && Instant::now() >= deadline {
                return Err(LinkError::WriteLate);
            }
        }
    }
}

impl Link for FileLink {
    fn read(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        while self.read_ahead.is_empty() {
            // A whole report is read at once: what does not fit into a read is lost.
            let mut some = [0; 4096];
            match rustix::io::read(self.file()?, &mut some) {
                Ok(0) => return Err(LinkError::Gone(io::ErrorKind::UnexpectedEof.into())),
                Ok(n) => self.read_ahead.extend_from_slice(&some[..n]),
                Err(Errno::AGAIN | Errno::INTR) => {
                    if !self.wait(PollFlags::IN, deadline)? && Instant::now() >= deadline {
                        return Ok(0);
                    }
                }
                Err(error) => return Err(LinkError::Gone(error.into())),
            }
        }
        let n = self.read_ahead.len().min(into.len());
        into[..n].copy_from_slice(&self.read_ahead[..n]);
        self.read_ahead.drain(..n);
        Ok(n)
    }

    fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        if self.reports == Reports::None {
            while !bytes.is_empty() {
                bytes = &bytes[self.write_piece(bytes, deadline)?..];
            }
            return Ok(());
        }
        for part in bytes.chunks(REPORT_SIZE) {
            // The kernel wants the number of the report first, 0 for none.
            let mut report = [0; 1 + REPORT_SIZE];
            report[1..=part.len()].copy_from_slice(part);
            self.write_piece(&report, deadline)?;
        }
        Ok(())
    }

    fn flush_input(&mut self) -> Result<(), LinkError> {
        self.read_ahead.clear();
        let mut some = [0; 4096];
        for _ in 0..FLUSH_READS_MAX {
            match rustix::io::read(self.file()?, &mut some) {
                Ok(0) | Err(Errno::AGAIN) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(LinkError::Gone(error.into())),
            }
        }
        Ok(())
    }

    fn set_baud(&mut self, _baud_hz: u32) -> Result<(), LinkError> {
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), LinkError> {
        self.file = None;
        self.read_ahead.clear();
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = rustix::fs::open(&self.path, flags, Mode::empty());
        self.file = Some(file.map_err(|e| LinkError::NotThere(e.into()))?);
        Ok(())
    }
}

const REPORT_SIZE: usize = 64;
const FLUSH_READS_MAX: u32 = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id_card::{Poll, Reader, Settings};
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use std::thread;
    use std::time::Duration;

    #[test]
    fn a_card_reader_that_speaks_in_reports_is_understood() {
        let (ours, theirs) = pair();
        let reader = thread::spawn(move || {
            let mut requests = Vec::new();
            while let Some(report) = read(&theirs) {
                assert_eq!((report.len(), report[0]), (65, 0));
                let request = (report[8], report[9]);
                requests.push(request);
                for report in answer(request).chunks(64) {
                    let mut padded = [0; 64];
                    padded[..report.len()].copy_from_slice(report);
                    rustix::io::write(&theirs, &padded).unwrap();
                }
            }
            requests
        });
        let mut card_reader = Reader::over(Box::new(over(ours)), Settings::default()).unwrap();
        assert!(matches!(card_reader.poll(), Ok(Poll::Card(_))));
        drop(card_reader);
        let asked = reader.join().unwrap();
        let steps = [(0x11, 0xFF), (0x20, 1), (0x12, 0xFF), (0x20, 2), (0x30, 1), (0x30, 3)];
        assert_eq!(asked, steps);
    }

    #[test]
    fn silence_and_unplugging_are_told_apart() {
        let (ours, theirs) = pair();
        let mut link = over(ours);
        let mut some = [0; 8];
        let soon = Instant::now() + Duration::from_millis(5);
        assert_eq!(link.read(&mut some, soon).unwrap(), 0);
        drop(theirs);
        let far = Instant::now() + Duration::from_secs(60);
        assert!(matches!(link.read(&mut some, far), Err(LinkError::Gone(_))));
    }

    fn answer(request: (u8, u8)) -> Vec<u8> {
        let (status, data) = match request {
            (0x20, 1) => (0x9F, vec![0; 4]),
            (0x20, 2) => (0x90, vec![0; 8]),
            (0x12, _) => (0x90, vec![7; 16]),
            (0x30, 1) => (0x90, [vec![1, 0, 4, 0], card_text(), vec![9; 1024]].concat()),
            (0x30, 3) => (0x91, vec![]),
            _ => (0x90, vec![]),
        };
        let mut body = ((data.len() + 4) as u16).to_be_bytes().to_vec();
        body.extend([0, 0, status]);
        body.extend(data);
        body.push(body.iter().fold(0, |a, b| a ^ b));
        [vec![0xAA, 0xAA, 0xAA, 0x96, 0x69], body].concat()
    }

    fn card_text() -> Vec<u8> {
        let fields = [
            ("张三", 15),
            ("1", 1),
            ("01", 2),
            ("19480312", 8),
            ("某地", 35),
            ("430104194803120014", 18),
            ("某公安局", 15),
            ("20080312", 8),
            ("长期", 8),
            ("", 18),
        ];
        let padded = fields.map(|(text, n)| format!("{text:<n$}"));
        padded.concat().encode_utf16().flat_map(|u| u.to_le_bytes()).collect()
    }

    fn over(file: OwnedFd) -> FileLink {
        FileLink {
            path: PathBuf::new(),
            reports: Reports::Hid,
            file: Some(file),
            read_ahead: Vec::new(),
        }
    }

    /// Keeps the borders of reports, as hidraw does.
    fn pair() -> (OwnedFd, OwnedFd) {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        rustix::io::ioctl_fionbio(&ours, true).unwrap();
        (ours, theirs)
    }

    fn read(file: &OwnedFd) -> Option<Vec<u8>> {
        let mut report = vec![0; 128];
        let n = rustix::io::read(file, &mut report).unwrap();
        report.truncate(n);
        (n > 0).then_some(report)
    }
}
