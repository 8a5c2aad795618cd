//! The terminal's two clocks: one that may lie and one that only counts. How far the first is believed is judged by
//! `kiosk_core::timekeeper`, with the centre's time where it was heard.

mod word;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kiosk_core::moment::{Doubt, Moment};
use kiosk_core::timekeeper::{Reading, Timekeeper, WallClock};

pub use word::ClockWord;

/// Reads both clocks of the machine.
#[derive(Clone, Debug)]
pub struct Clock {
    boot_id: [u8; 16],
    started: Instant,
    keeper: Arc<Mutex<Timekeeper>>,
    /// For a demonstration that has to tell the same story twice: the wall clock stands still at this time.
    fixed_wall_ms: Option<i64>,
    /// How far the wall clock is believed, by what is known of its chip: a [`Doubt`] by its code. Shared by all clones.
    doubt: Arc<AtomicU8>,
    /// Since the start the centre has said its time, which counts for more than the chip.
    heard: Arc<AtomicBool>,
}

impl Clock {
    /// The clocks of this machine.
    pub fn system() -> Self {
        let (keeper, heard) = (Arc::default(), Arc::default());
        let doubt = Arc::new(AtomicU8::new(Doubt::None.code()));
        let started = Instant::now();
        Self { boot_id: boot_id(), started, keeper, heard, doubt, fixed_wall_ms: None }
    }

    /// A wall clock that stands still; the monotonic one runs.
    #[cfg(feature = "desk")]
    pub fn fixed(wall_ms: i64) -> Self {
        Self { fixed_wall_ms: Some(wall_ms), ..Self::system() }
    }

    /// Now.
    pub fn now(&self) -> Moment {
        let reading = self.read();
        match self.fixed_wall_ms {
            // It stands still beside the counting clock and would be doubted at once.
            Some(_) => Timekeeper::default().moment(&reading),
            None => {
                let moment = self.keeper().moment(&reading);
                Moment { doubt: moment.doubt.max(self.doubted()), ..moment }
            }
        }
    }

    /// Both clocks, as they are.
    pub fn read(&self) -> Reading {
        let wall_ms = self.fixed_wall_ms.unwrap_or_else(wall_ms);
        let mono_ms = self.uptime().as_millis().try_into().unwrap_or(u64::MAX);
        Reading { wall_ms, boot_id: self.boot_id, mono_ms }
    }

    /// Goes on with what was known of the centre's time before a restart.
    pub fn restore(&self, bytes: &[u8]) {
        *self.keeper() = Timekeeper::restore(bytes);
    }

    /// The centre said its time after `asked`; a clock that stands still does not listen. By how many milliseconds our clock is ahead of it, and what is to be kept.
    pub fn heard(&self, asked: &Reading, server_ms: i64) -> Option<(i64, Vec<u8>)> {
        if self.fixed_wall_ms.is_some() {
            return None;
        }
        let answered = self.read();
        let mut keeper = self.keeper();
        let ahead_ms = keeper.heard(asked, server_ms, &answered)?;
        self.heard.store(true, Ordering::Relaxed);
        Some((ahead_ms, keeper.to_bytes()?))
    }

    /// Whether the centre has said its time since the start.
    pub fn was_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// What the wall clock ought to say, and the milliseconds since the machine's start at which that is true.
    fn wall_clock(&self) -> (WallClock, u64) {
        let now = self.read();
        (self.keeper().wall_clock(&now), now.mono_ms)
    }

    fn keeper(&self) -> std::sync::MutexGuard<'_, Timekeeper> {
        self.keeper.lock().expect("nobody panics while holding it")
    }

    /// Believes the wall clock no further than this from now on. A clock that stands still is not doubted. Gives
    /// whether that is something new.
    pub fn doubt(&self, doubt: Doubt) -> bool {
        self.is_real() && self.doubt.swap(doubt.code(), Ordering::Relaxed) != doubt.code()
    }

    /// Whether it is the machine's.
    pub fn is_real(&self) -> bool {
        self.fixed_wall_ms.is_none()
    }

    fn doubted(&self) -> Doubt {
        if self.was_heard() {
            return Doubt::None;
        }
        let code = self.doubt.load(Ordering::Relaxed);
        let all = [Doubt::None, Doubt::Doubtful, Doubt::Unknown];
        all.into_iter().find(|doubt| doubt.code() == code).expect("only codes are stored")
    }

    /// Since the machine was started, or since this program was where the kernel does not tell.
    fn uptime(&self) -> Duration {
        let told = std::fs::read_to_string("/proc/uptime").ok();
        let seconds = told.and_then(|text| text.split(' ').next()?.parse().ok());
        seconds.map_or_else(|| self.started.elapsed(), Duration::from_secs_f64)
    }
}

fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn boot_id() -> [u8; 16] {
    let told = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> =
        told.bytes().filter_map(|b| char::from(b).to_digit(16)).map(|d| d as u8).collect();
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    id
}
