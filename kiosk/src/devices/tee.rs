//! A port between a running kiosk and a real device that keeps what goes over it: the kiosk's settings name this port
//! for a while, and its own driver does all the work.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use drivers::link::{Link, LinkConfig, RecordingLink};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::devices::record::{RecordError, create};

/// Passes bytes both ways for `time`, or until the real device goes away. The port for the kiosk is `out` with the
/// ending `port`.
pub fn run(
    port: &Path,
    out: &Path,
    time: Option<Duration>,
    tell: &mut dyn FnMut(&str),
) -> Result<(), RecordError> {
    let lost = |error| RecordError::Port(port.into(), error);
    let real = LinkConfig::serial(port).open(BAUD_FIRST_HZ).map_err(lost)?;
    let file = create(out, "a running kiosk")?;
    let mut real = RecordingLink::new(real, Box::new(file));
    let name = out.with_extension("port");
    let ours = Pty::new(&name).map_err(|error| RecordError::Pty(name.clone(), error))?;
    tell(&format!("the kiosk's settings shall name the port {}", name.display()));
    let until = time.map(|time| real.now() + time);
    let mut baud_hz = BAUD_FIRST_HZ;
    while until.is_none_or(|until| real.now() < until) {
        let wished_hz = ours.baud_hz();
        if wished_hz != baud_hz {
            real.set_baud(wished_hz).map_err(lost)?;
            baud_hz = wished_hz;
        }
        let asked = ours.read().map_err(|error| RecordError::Pty(name.clone(), error))?;
        if !asked.is_empty() {
            real.write_all(&asked, Instant::now() + WRITE_MAX).map_err(lost)?;
        }
        let mut some = [0; 512];
        let n = real.read(&mut some, Instant::now() + TURN).map_err(lost)?;
        ours.write(&some[..n]).map_err(|error| RecordError::Pty(name.clone(), error))?;
    }
    Ok(())
}

/// A pseudo-terminal with a name, which goes with it.
struct Pty {
    ours: OwnedFd,
    /// Held open, so that the kiosk may close its end and come again.
    theirs: OwnedFd,
    name: PathBuf,
}

impl Pty {
    fn new(name: &Path) -> io::Result<Self> {
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
        std::os::unix::fs::symlink(device.to_string_lossy().as_ref(), name)?;
        Ok(Self { ours, theirs, name: name.into() })
    }

    /// The speed that the kiosk has set, in baud.
    fn baud_hz(&self) -> u32 {
        tcgetattr(&self.theirs).map_or(BAUD_FIRST_HZ, |termios| termios.output_speed())
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 4096];
        let n = match rustix::io::read(&self.ours, &mut bytes) {
            Ok(n) => n,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        bytes.truncate(n);
        Ok(bytes)
    }

    /// What a kiosk that reads nothing cannot take is lost, as on a real line.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match rustix::io::write(&self.ours, bytes) {
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.name);
    }
}

/// Until the kiosk has set its own.
const BAUD_FIRST_HZ: u32 = 38_400;
/// How long the device is listened to before the kiosk is asked again.
const TURN: Duration = Duration::from_millis(2);
const WRITE_MAX: Duration = Duration::from_secs(10);
