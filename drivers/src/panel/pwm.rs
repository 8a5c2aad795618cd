//! Dims the fill light: by a PWM channel of the kernel, or by switching a line from a
//! thread. The thread sleeps while the light is fully on or off.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::PanelError;

/// A PWM channel of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Where channels are; [`super::pwm_root`] on a real machine.
    pub root: PathBuf,
    /// Number of the chip.
    pub chip: u32,
    /// Number of the channel on its chip.
    pub channel: u32,
    /// How long one on-and-off takes. A camera sees no bands at 100 microseconds.
    pub period: Duration,
    /// Whether the light is on while the line is low.
    pub is_inverted: bool,
}

/// An open PWM channel.
pub(super) struct Pwm {
    folder: PathBuf,
    period_ns: u128,
}

impl Pwm {
    pub(super) fn open(channel: &Channel) -> Result<Self, PanelError> {
        if channel.period.is_zero() {
            return Err(PanelError::Settings("the PWM period is zero".into()));
        }
        Self::set_up(channel).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => PanelError::Forbidden,
            _ => PanelError::PwmMissing(Arc::new(error)),
        })
    }

    fn set_up(channel: &Channel) -> io::Result<Self> {
        let chip = channel.root.join(format!("pwmchip{}", channel.chip));
        let folder = chip.join(format!("pwm{}", channel.channel));
        if !folder.exists() {
            std::fs::write(chip.join("export"), channel.channel.to_string())?;
            wait_for(&folder.join("enable"))?;
        }
        let pwm = Self { folder, period_ns: channel.period.as_nanos() };
        pwm.write("enable", "0").or_else(ignore_unset)?;
        // A duty longer than the period is refused, so the old one goes first.
        pwm.write("duty_cycle", "0").or_else(ignore_unset)?;
        pwm.write("period", &pwm.period_ns.to_string())?;
        let polarity = if channel.is_inverted { "inversed" } else { "normal" };
        pwm.write("polarity", polarity).or_else(|error| match channel.is_inverted {
            true => Err(error),
            // A driver without polarity has the normal one.
            false => Ok(()),
        })?;
        pwm.write("duty_cycle", "0")?;
        pwm.write("enable", "1")?;
        Ok(pwm)
    }

    pub(super) fn set(&self, percent: u8) -> Result<(), PanelError> {
        let duty_ns = self.period_ns * u128::from(percent.min(100)) / 100;
        let written = self.write("duty_cycle", &duty_ns.to_string());
        written.map_err(PanelError::unplugged)
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        let file = std::fs::OpenOptions::new().write(true).open(self.folder.join(file));
        io::Write::write_all(&mut file?, value.as_bytes())
    }
}

impl Drop for Pwm {
    fn drop(&mut self) {
        let _ = self.write("duty_cycle", "0");
        let _ = self.write("enable", "0");
    }
}

/// A line that a thread switches.
pub(super) struct SoftPwm {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    order: Mutex<Order>,
    changed: Condvar,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Order {
    percent: u8,
    must_stop: bool,
    has_failed: bool,
}

impl SoftPwm {
    /// Starts a thread that switches by `set`. An error of `set` ends it and is told by
    /// [`SoftPwm::set`].
    pub(super) fn start<E>(
        period: Duration,
        mut set: impl FnMut(bool) -> Result<(), E> + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let run = move || {
            if of_thread.switch(period, &mut set).is_err() {
                of_thread.change(|order| order.has_failed = true);
            }
            let _ = set(false);
        };
        let thread = thread::Builder::new().name("fill-light".into());
        let thread = thread.spawn(run).expect("a process can start one more thread");
        Self { shared, thread: Some(thread) }
    }

    pub(super) fn set(&self, percent: u8) -> Result<(), PanelError> {
        let order = self.shared.change(|order| order.percent = percent.min(100));
        match order.has_failed {
            true => Err(PanelError::Unplugged(None)),
            false => Ok(()),
        }
    }
}

impl Drop for SoftPwm {
    fn drop(&mut self) {
        self.shared.change(|order| order.must_stop = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Order)) -> Order {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut order);
        self.changed.notify_all();
        *order
    }

    fn switch<E>(
        &self,
        period: Duration,
        set: &mut impl FnMut(bool) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut order = Order::default();
        while !order.must_stop {
            let on = period * u32::from(order.percent) / 100;
            order = match order.percent {
                0 => {
                    set(false)?;
                    self.wait(order, None)
                }
                100 => {
                    set(true)?;
                    self.wait(order, None)
                }
                _ => {
                    set(true)?;
                    let after = self.wait(order, Some(on));
                    set(false)?;
                    self.wait(after, Some(period - on))
                }
            };
        }
        Ok(())
    }

    /// Waits until the order is another than `known`, or for `time`.
    fn wait(&self, known: Order, time: Option<Duration>) -> Order {
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |order: &mut Order| *order == known;
        let Some(time) = time else {
            return *self.changed.wait_while(order, same).unwrap_or_else(PoisonError::into_inner);
        };
        let waited = self.changed.wait_timeout_while(order, time, same);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// After the export the files are there at once, and udev lets us write a moment later.
fn wait_for(file: &Path) -> io::Result<()> {
    let by = Instant::now() + UDEV_PATIENCE;
    loop {
        let opened = std::fs::OpenOptions::new().write(true).open(file);
        match opened {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= by => return Err(error),
            Err(_) => thread::sleep(UDEV_POLL),
        }
    }
}

/// A channel without a period refuses to be switched off or to take a duty of zero.
fn ignore_unset(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::InvalidInput => Ok(()),
        _ => Err(error),
    }
}

/// Twice the speed at which people see a flicker from the corner of the eye.
pub(super) const SOFT_PERIOD: Duration = Duration::from_millis(5);
const UDEV_PATIENCE: Duration = Duration::from_secs(1);
const UDEV_POLL: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::mpsc;

    #[test]
    fn a_kernel_channel_gets_its_period_and_duty() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("pwmchip0/pwm1");
        fs::create_dir_all(&folder).unwrap();
        for file in ["enable", "duty_cycle", "period", "polarity"] {
            fs::write(folder.join(file), "").unwrap();
        }
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
        let pwm = Pwm::open(&channel(root.path(), 1)).unwrap();
        assert_eq!([read("period"), read("polarity"), read("enable")], ["100000", "inversed", "1"]);
        pwm.set(30).unwrap();
        // The kernel's files forget the value before; ours have to be emptied for it.
        assert!(read("duty_cycle").starts_with("30000"));
        fs::write(folder.join("duty_cycle"), "").unwrap();
        fs::write(folder.join("enable"), "").unwrap();
        drop(pwm);
        assert_eq!([read("duty_cycle"), read("enable")], ["0", "0"]);
    }

    #[test]
    fn a_channel_that_is_not_there_is_told() {
        let root = tempfile::tempdir().unwrap();
        let missing = Pwm::open(&channel(root.path(), 0)).err().unwrap();
        assert_eq!(missing.code(), "panel-pwm-missing");
        let mut none = channel(root.path(), 0);
        none.period = Duration::ZERO;
        assert_eq!(Pwm::open(&none).err().unwrap().code(), "panel-settings");
    }

    #[test]
    fn a_switched_line_rests_at_both_ends_and_alternates_between() {
        let (log, switched) = mpsc::channel();
        let light = SoftPwm::start(Duration::from_millis(1), move |is_on| log.send(is_on));
        let next = || switched.recv_timeout(LONG).unwrap();
        assert!(!next());
        light.set(100).unwrap();
        assert!(next());
        light.set(50).unwrap();
        let on_off: Vec<bool> = (0..6).map(|_| next()).collect();
        assert_eq!(on_off, [true, false, true, false, true, false]);
        drop(light);
        assert_eq!(switched.iter().last(), Some(false), "the light is left off");
    }

    #[test]
    fn a_line_that_fails_is_told_at_the_next_order() {
        let (log, switched) = mpsc::channel();
        let light = SoftPwm::start(Duration::from_millis(1), move |_| {
            let _ = log.send(());
            Err(())
        });
        // Once by the order that fails, once to leave it off: then the thread has ended.
        while switched.recv_timeout(LONG).is_ok() {}
        assert_eq!(light.set(10).unwrap_err().code(), "panel-unplugged");
    }

    fn channel(root: &Path, channel: u32) -> Channel {
        let period = Duration::from_micros(100);
        Channel { root: root.into(), chip: 0, channel, period, is_inverted: true }
    }

    const LONG: Duration = Duration::from_secs(60);
}
