//! The terminal's two clocks: one that may lie and one that only counts.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kiosk_core::moment::{Doubt, Moment};

/// Reads both clocks of the machine.
#[derive(Clone, Debug)]
pub struct Clock {
    boot_id: [u8; 16],
    started: Instant,
    /// For a demonstration that has to tell the same story twice: the wall clock stands still at this time.
    fixed_wall_ms: Option<i64>,
}

impl Clock {
    /// The clocks of this machine.
    pub fn system() -> Self {
        Self { boot_id: boot_id(), started: Instant::now(), fixed_wall_ms: None }
    }

    /// A wall clock that stands still; the monotonic one runs.
    #[cfg(feature = "desk")]
    pub fn fixed(wall_ms: i64) -> Self {
        Self { fixed_wall_ms: Some(wall_ms), ..Self::system() }
    }

    /// Now.
    pub fn now(&self) -> Moment {
        let wall_ms = self.fixed_wall_ms.unwrap_or_else(wall_ms);
        let mono_ms = self.uptime().as_millis().try_into().unwrap_or(u64::MAX);
        let doubt = if wall_ms < BUILT_MS { Doubt::Unknown } else { Doubt::None };
        Moment { wall_ms, boot_id: self.boot_id, mono_ms, doubt }
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

/// A clock before 2026-01-01 was never set: the program did not exist then.
const BUILT_MS: i64 = 1_767_196_800_000;
