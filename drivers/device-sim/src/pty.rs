//! A pseudo-terminal under a fixed name: the kiosk opens the name as a serial port.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// Both ends of a pty; the name goes when this goes.
pub(crate) struct Pty {
    ours: OwnedFd,
    /// Held open, so that the kiosk may close and open its end as it likes.
    theirs: OwnedFd,
    name: PathBuf,
    device: PathBuf,
}

impl Pty {
    /// Makes a pty and the symlink `name` to it.
    pub(crate) fn new(name: &Path) -> io::Result<Self> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let device = ptsname(&ours, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let theirs = rustix::fs::open(device.as_c_str(), flags, Mode::empty())?;
        let mut termios = tcgetattr(&theirs)?;
        termios.make_raw();
        tcsetattr(&theirs, OptionalActions::Now, &termios)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        remove(name)?;
        let device = PathBuf::from(device.to_string_lossy().as_ref());
        symlink(&device, name)?;
        let name = name.to_owned();
        Ok(Self { ours, theirs, name, device })
    }

    /// The speed that the kiosk has set, in baud.
    pub(crate) fn host_baud_hz(&self) -> u32 {
        tcgetattr(&self.theirs).map_or(0, |termios| termios.output_speed())
    }

    /// What the kiosk has sent.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 4096];
        match rustix::io::read(&self.ours, &mut bytes) {
            Ok(n) => bytes.truncate(n),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => bytes.clear(),
            Err(error) => return Err(error.into()),
        }
        Ok(bytes)
    }

    /// Sends to the kiosk as much as it takes now; gives how many bytes that were.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut n = 0;
        while n < bytes.len() {
            match rustix::io::write(&self.ours, &bytes[n..]) {
                Ok(some) => n += some,
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(n)
    }

    /// Lets the next kiosk in after one that was killed: its exclusive mark stays on a
    /// pty that somebody holds open.
    pub(crate) fn forget_owner(&self) {
        let _ = rustix::termios::ioctl_tiocnxcl(&self.theirs);
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ours.as_fd()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // A simulator that was started meanwhile may have taken the name over.
        if fs::read_link(&self.name).is_ok_and(|device| device == self.device) {
            let _ = remove(&self.name);
        }
    }
}

fn remove(name: &Path) -> io::Result<()> {
    match fs::remove_file(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
