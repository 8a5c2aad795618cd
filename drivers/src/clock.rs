//! What is known about the machine's time: whether its clock chip kept it, whether the
//! kernel's clock follows a time server, and whether it jumped. Plain facts; how far a
//! date is believed is decided elsewhere.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Watches the machine's clocks. Ask it once a minute or so.
#[derive(Debug)]
pub struct ClockWatch {
    root: PathBuf,
    /// Nothing that happens here is older: milliseconds since 1970.
    oldest_ms: i64,
    last: Option<Times>,
}

/// Two clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The clock that can be set: milliseconds since 1970-01-01 UTC.
    pub wall_ms: i64,
    /// The one that only counts, sleep included: milliseconds since the machine started.
    pub boot_ms: i64,
}

/// What is known about the time at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockReport {
    /// The two clocks.
    pub times: Times,
    /// The clock chip.
    pub rtc: Rtc,
    /// The kernel's clock.
    pub sync: Sync,
    /// By how much the wall clock was set since the last look, forward or back; `None` where
    /// it was not, or where this is the first look.
    pub jump_ms: Option<i64>,
    /// Whether the wall clock is before anything that could happen here.
    pub is_unset: bool,
}

/// The clock chip, which keeps the time while the machine is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rtc {
    /// There is none, or it cannot be read.
    Missing,
    /// It says itself that its time is lost: its battery was flat.
    LostTime,
    /// Its time is before anything that could happen here.
    Unset,
    /// It runs.
    Runs {
        /// The wall clock's time less the chip's, in milliseconds. A chip counts whole
        /// seconds, so up to a second means nothing.
        ahead_ms: i64,
        /// Whether its battery wants to be changed; `None` where it does not tell.
        is_battery_low: Option<bool>,
    },
}

/// Whether the kernel's clock follows a time server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Yes.
    Follows {
        /// The largest error that it can have.
        error_max: Duration,
    },
    /// No: nobody has set it right since the start, or for long.
    Free,
    /// The kernel does not tell.
    Unknown,
}

/// A reason to doubt the date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// The wall clock was never set.
    Unset,
    /// The clock chip lost its time, and no time server has set it since.
    RtcLostTime,
    /// There is no clock chip, and no time server has set the clock.
    NoSource,
    /// The clock chip and the wall clock are far apart.
    RtcDisagrees,
    /// The wall clock was set back or forward while we ran.
    Jumped,
}

impl ClockWatch {
    /// Watches this machine. `oldest` is a time since 1970 that has passed for sure, such
    /// as when this program was built.
    pub fn new(oldest: Duration) -> Self {
        Self::over("/", oldest)
    }

    /// Watches a machine whose files are under another folder.
    pub fn over(root: impl Into<PathBuf>, oldest: Duration) -> Self {
        let oldest_ms = i64::try_from(oldest.as_millis()).unwrap_or(i64::MAX);
        Self { root: root.into(), oldest_ms, last: None }
    }

    /// Looks at all clocks.
    pub fn look(&mut self) -> ClockReport {
        let times = Times::now();
        self.look_at(times, kernel_sync())
    }

    /// Looks at the clock chip, with the other clocks as they are given.
    pub fn look_at(&mut self, times: Times, sync: Sync) -> ClockReport {
        let jump_ms = self.last.and_then(|last| times.jump_since(last));
        self.last = Some(times);
        let rtc = read_rtc(&self.root, times.wall_ms, self.oldest_ms);
        ClockReport { times, rtc, sync, jump_ms, is_unset: times.wall_ms < self.oldest_ms }
    }
}

impl Times {
    /// Now.
    pub fn now() -> Self {
        // CLOCK_BOOTTIME in hundredths of a second, which is fine enough for a jump.
        let uptime = fs::read_to_string("/proc/uptime").ok();
        let seconds = uptime.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
        let boot_ms = seconds.map_or(0, |seconds| (seconds * 1000.0) as i64);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX), boot_ms }
    }

    /// How much more, or less, the wall clock went than the one that only counts. A clock
    /// that is slewed gently by a time server stays under the limit.
    fn jump_since(self, last: Self) -> Option<i64> {
        let gone_ms = self.boot_ms.saturating_sub(last.boot_ms);
        let jump_ms = self.wall_ms.saturating_sub(last.wall_ms).saturating_sub(gone_ms);
        (jump_ms.saturating_abs() >= JUMP_MIN_MS + gone_ms / SLEW).then_some(jump_ms)
    }
}

impl ClockReport {
    /// All reasons to doubt the date, the gravest first; none where it can be believed.
    pub fn doubts(&self) -> Vec<Doubt> {
        let follows = matches!(self.sync, Sync::Follows { .. });
        let mut doubts = Vec::new();
        if self.is_unset {
            doubts.push(Doubt::Unset);
        }
        match self.rtc {
            Rtc::LostTime | Rtc::Unset if !follows => doubts.push(Doubt::RtcLostTime),
            Rtc::Missing if !follows => doubts.push(Doubt::NoSource),
            Rtc::Runs { ahead_ms, .. } if ahead_ms.saturating_abs() > DISAGREE_MS && !follows => {
                doubts.push(Doubt::RtcDisagrees);
            }
            _ => {}
        }
        // A time server that sets the clock right makes it jump, once, for the better.
        if self.jump_ms.is_some() && !follows {
            doubts.push(Doubt::Jumped);
        }
        doubts
    }
}

impl Doubt {
    /// A stable name for messages, logs and support.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unset => "clock-unset",
            Self::RtcLostTime => "clock-chip-lost-time",
            Self::NoSource => "clock-no-source",
            Self::RtcDisagrees => "clock-chip-disagrees",
            Self::Jumped => "clock-jumped",
        }
    }
}

fn read_rtc(root: &Path, wall_ms: i64, oldest_ms: i64) -> Rtc {
    let told = fs::read_to_string(root.join("sys/class/rtc/rtc0/since_epoch"));
    let flags = voltage_flags(&root.join("dev/rtc0"));
    if flags.is_some_and(|flags| flags & (DATA_INVALID | BACKUP_EMPTY) != 0) {
        return Rtc::LostTime;
    }
    let Ok(told) = told else {
        return match root.join("sys/class/rtc/rtc0").exists() {
            // A driver refuses to tell a time that its chip marks as lost.
            true => Rtc::LostTime,
            false => Rtc::Missing,
        };
    };
    let Ok(seconds) = told.trim().parse::<i64>() else {
        return Rtc::Missing;
    };
    let rtc_ms = seconds.saturating_mul(1000);
    if rtc_ms < oldest_ms {
        return Rtc::Unset;
    }
    let is_battery_low = flags.map(|flags| flags & BACKUP_LOW != 0);
    Rtc::Runs { ahead_ms: wall_ms.saturating_sub(rtc_ms), is_battery_low }
}

/// What the chip says about its supply; `None` where it says nothing.
#[expect(unsafe_code, reason = "the kernel has no other way to tell a chip's supply")]
fn voltage_flags(device: &Path) -> Option<u32> {
    let device = fs::File::open(device).ok()?;
    let mut flags: libc::c_uint = 0;
    // SAFETY: the descriptor is open, and RTC_VL_READ writes one unsigned int to where its
    // argument points, which outlives the call (linux/rtc.h).
    let done = unsafe { libc::ioctl(device.as_raw_fd(), RTC_VL_READ, &raw mut flags) };
    (done == 0).then_some(flags)
}

/// Asks the kernel; changes nothing.
#[expect(unsafe_code, reason = "no safe crate that we have wraps adjtimex")]
fn kernel_sync() -> Sync {
    // SAFETY: a timex is plain numbers, for which zeroes are values; modes 0 reads only.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a timex of ours that outlives the call.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        return Sync::Unknown;
    }
    if state == libc::TIME_ERROR || timex.status & libc::STA_UNSYNC != 0 {
        return Sync::Free;
    }
    let error_us = u64::try_from(timex.maxerror).unwrap_or(u64::MAX);
    Sync::Follows { error_max: Duration::from_micros(error_us) }
}

/// `_IOR('p', 0x13, unsigned int)` of linux/rtc.h.
const RTC_VL_READ: libc::Ioctl = 0x8004_7013_u32 as libc::Ioctl;
const DATA_INVALID: u32 = 1;
const BACKUP_LOW: u32 = 2;
const BACKUP_EMPTY: u32 = 4;
/// Looks come at odd moments, and the one clock is read after the other.
const JUMP_MIN_MS: i64 = 1_000;
/// A time server moves the kernel's clock by at most one part in 2,000.
const SLEW: i64 = 2_000;
/// A clock chip loses a few seconds a day; this is what a month without power makes.
const DISAGREE_MS: i64 = 5 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    /// For every fault of the clocks: what is doubted, and whether nothing is any more once the
    /// clocks were set right.
    #[test]
    fn every_fault_of_the_clocks_is_told() {
        let mut table = format!("{:<34}{:<36}recovered\n", "clock", "doubts");
        for (fault, rtc, sync, looks) in FAULTS {
            let root = tempfile::tempdir().unwrap();
            if let Some(rtc) = rtc {
                let folder = root.path().join("sys/class/rtc/rtc0");
                fs::create_dir_all(&folder).unwrap();
                // A chip that marks its time as lost has the folder and refuses the file.
                if !rtc.is_empty() {
                    fs::write(folder.join("since_epoch"), format!("{rtc}\n")).unwrap();
                }
            }
            let mut watch = ClockWatch::over(root.path(), OLDEST);
            let mut doubts = Vec::new();
            for (wall_s, boot_s) in *looks {
                let times = Times { wall_ms: wall_s * 1000, boot_ms: boot_s * 1000 };
                doubts = watch.look_at(times, *sync).doubts();
            }
            let codes: Vec<&str> = doubts.iter().map(|doubt| doubt.code()).collect();
            let codes = if codes.is_empty() { "-".into() } else { codes.join(", ") };
            let recovered =
                if set_right(&mut watch, root.path()).is_empty() { "yes" } else { "no" };
            table.push_str(&format!("{fault:<34}{codes:<36}{recovered}\n"));
        }
        crate::show(&table);
        expect![[r#"
            clock                             doubts                              recovered
            none                              -                                   yes
            no network, chip runs             -                                   yes
            no chip, no network               clock-no-source                     yes
            no chip, time server              -                                   yes
            chip refuses to tell              clock-chip-lost-time                yes
            chip tells nonsense               clock-no-source                     yes
            chip at its beginning, 2000       clock-unset, clock-chip-lost-time   yes
            chip an hour off                  clock-chip-disagrees                yes
            chip an hour off, time server     -                                   yes
            set back a day while we ran       clock-jumped                        yes
            set on an hour while we ran       clock-chip-disagrees, clock-jumped  yes
            set right by a time server        -                                   yes
            slewed gently for a day           -                                   yes
            slept for a night                 -                                   yes
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn a_jump_is_told_with_its_size_and_once() {
        let mut watch = ClockWatch::over("no-such-root", OLDEST);
        let mut jump =
            |wall_ms, boot_ms| watch.look_at(Times { wall_ms, boot_ms }, Sync::Unknown).jump_ms;
        assert_eq!(jump(5_000_000, 0), None, "the first look knows no other");
        assert_eq!(jump(5_060_500, 60_000), None);
        assert_eq!(jump(5_000_500, 120_000), Some(-120_000));
        assert_eq!(jump(5_060_500, 180_000), None);
        assert_eq!(jump(i64::MAX, 240_000), Some(i64::MAX - 5_060_500 - 60_000));
        jump(i64::MIN, 0);
    }

    #[test]
    fn this_machine_has_clocks_that_go_on() {
        let mut watch = ClockWatch::new(OLDEST);
        let (first, second) = (watch.look(), watch.look());
        assert!(second.times.boot_ms >= first.times.boot_ms && first.times.boot_ms > 0);
        assert_eq!(second.sync == Sync::Unknown, first.sync == Sync::Unknown);
        assert_eq!(second.jump_ms, None);
        match Path::new("/sys/class/rtc/rtc0").exists() {
            true => assert_ne!(second.rtc, Rtc::Missing),
            false => eprintln!("SKIPPED: this machine has no clock chip"),
        }
        println!("{second:?}");
    }

    /// What is doubted when chip and wall clock were set right and a minute has passed.
    fn set_right(watch: &mut ClockWatch, root: &Path) -> Vec<Doubt> {
        let folder = root.join("sys/class/rtc/rtc0");
        fs::create_dir_all(&folder).unwrap();
        let look_s = [(1_790_000_000, 100_000), (1_790_000_060, 100_060)];
        let looks = look_s.map(|(wall_s, boot_s)| {
            fs::write(folder.join("since_epoch"), format!("{wall_s}\n")).unwrap();
            watch.look_at(Times { wall_ms: wall_s * 1000, boot_ms: boot_s * 1000 }, Sync::Free)
        });
        looks[1].doubts()
    }

    type Fault = (&'static str, Option<&'static str>, Sync, &'static [(i64, i64)]);

    const FOLLOWS: Sync = Sync::Follows { error_max: Duration::from_millis(20) };
    /// 2026-01-01.
    const OLDEST: Duration = Duration::from_secs(1_767_196_800);
    const FAULTS: &[Fault] = &[
        ("none", Some("1780000000"), FOLLOWS, &[(1_780_000_000, 10)]),
        ("no network, chip runs", Some("1780000000"), Sync::Free, &[(1_780_000_001, 10)]),
        ("no chip, no network", None, Sync::Free, &[(1_780_000_000, 10)]),
        ("no chip, time server", None, FOLLOWS, &[(1_780_000_000, 10)]),
        ("chip refuses to tell", Some(""), Sync::Free, &[(1_780_000_000, 10)]),
        ("chip tells nonsense", Some("soon"), Sync::Free, &[(1_780_000_000, 10)]),
        ("chip at its beginning, 2000", Some("946684812"), Sync::Free, &[(946_684_812, 10)]),
        ("chip an hour off", Some("1780003600"), Sync::Free, &[(1_780_000_000, 10)]),
        ("chip an hour off, time server", Some("1780003600"), FOLLOWS, &[(1_780_000_000, 10)]),
        (
            "set back a day while we ran",
            Some("1779913660"),
            Sync::Free,
            &[(1_780_000_000, 10), (1_779_913_660, 70)],
        ),
        (
            "set on an hour while we ran",
            Some("1780000060"),
            Sync::Free,
            &[(1_780_000_000, 10), (1_780_003_660, 70)],
        ),
        (
            "set right by a time server",
            Some("1780003660"),
            FOLLOWS,
            &[(1_780_000_000, 10), (1_780_003_660, 70)],
        ),
        (
            "slewed gently for a day",
            Some("1780086420"),
            Sync::Free,
            &[(1_780_000_000, 10), (1_780_086_440, 86_410)],
        ),
        (
            "slept for a night",
            Some("1780040000"),
            Sync::Free,
            &[(1_780_000_000, 10), (1_780_040_000, 40_010)],
        ),
    ];
}
