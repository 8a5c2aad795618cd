//! The word about the time: this program may not set the machine's clock, so it says what it ought to be, with the
//! instant at which that was true, and somebody with the right to does it.

use std::path::{Path, PathBuf};

use kiosk_core::timekeeper::WallClock;
use tracing::warn;

use super::Clock;
use crate::vault::write_whole;

/// A file for whoever may set the clock: `UNIX_MS UPTIME_MS`.
pub struct ClockWord {
    file: PathBuf,
    /// When the last one was left, in milliseconds since the machine's start; none once it was obeyed.
    left_ms: Option<u64>,
}

impl ClockWord {
    /// Into this file.
    pub fn new(file: &Path) -> Self {
        Self { file: file.into(), left_ms: None }
    }

    /// Leaves a word where the clock is wrong and `is_idle`: a clock does not move while somebody is served. Whether the
    /// last word was obeyed, which is told once.
    pub fn is_obeyed(&mut self, clock: &Clock, is_idle: bool) -> bool {
        let (wall_clock, now_ms) = clock.wall_clock();
        match wall_clock {
            WallClock::Right => self.left_ms.take().is_some(),
            WallClock::Ought(wall_ms) if is_idle && self.is_due(now_ms) => {
                self.leave(wall_ms, now_ms);
                false
            }
            WallClock::Ought(_) | WallClock::Unknown => false,
        }
    }

    /// Whoever refused the last word would refuse the next one at once.
    fn is_due(&self, now_ms: u64) -> bool {
        self.left_ms.is_none_or(|left_ms| now_ms.saturating_sub(left_ms) > AGAIN_MS)
    }

    fn leave(&mut self, wall_ms: i64, now_ms: u64) {
        self.left_ms = Some(now_ms);
        let word = format!("{wall_ms} {now_ms}\n");
        match write_whole(&self.file, word.as_bytes(), 0o600) {
            Ok(()) => warn!("the clock is wrong; a word is left for whoever may set it"),
            Err(problem) => warn!(%problem, "the word about the time cannot be left"),
        }
    }
}

const AGAIN_MS: u64 = 600_000;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const HOUR: i64 = 3_600_000;

    /// The centre says that it is so much later than our clock has it.
    fn hear(clock: &Clock, later_ms: i64) {
        let asked = clock.read();
        clock.heard(&asked, asked.wall_ms + later_ms).unwrap();
    }

    #[test]
    fn a_word_that_nobody_obeys_is_said_again_after_a_while() {
        let left_ms = Some(5);
        let word = ClockWord { left_ms, ..ClockWord::new(Path::new("word")) };
        assert!(!word.is_due(5) && !word.is_due(5 + AGAIN_MS) && word.is_due(6 + AGAIN_MS));
    }

    #[test]
    fn a_wrong_clock_leaves_one_word_and_only_between_visits() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("word");
        let (clock, mut word) = (Clock::system(), ClockWord::new(&file));
        assert!(!word.is_obeyed(&clock, true) && !file.exists(), "nobody was heard");
        hear(&clock, 1_000);
        assert!(!word.is_obeyed(&clock, true) && !file.exists(), "a second is nothing");
        hear(&clock, HOUR);
        let before = clock.read();
        assert!(!word.is_obeyed(&clock, false) && !file.exists(), "somebody is served");
        assert!(!word.is_obeyed(&clock, true));
        let after = clock.read();
        let said = fs::read_to_string(&file).unwrap();
        let (wall_ms, mono_ms) = said.strip_suffix('\n').unwrap().split_once(' ').unwrap();
        let (wall_ms, mono_ms) = (wall_ms.parse::<i64>().unwrap(), mono_ms.parse::<u64>().unwrap());
        assert!((before.mono_ms..=after.mono_ms).contains(&mono_ms));
        // The two belong together: neither how long we took nor a jump of the real clock matters.
        let slow_ms = i64::try_from(after.mono_ms - before.mono_ms).unwrap() + 1_000;
        let off_ms = wall_ms - before.wall_ms - HOUR;
        assert!((-1_000..=slow_ms).contains(&off_ms), "{off_ms}");
        fs::remove_file(&file).unwrap();
        assert!(!word.is_obeyed(&clock, true) && !file.exists(), "it is not said again at once");
        hear(&clock, 0);
        assert!(word.is_obeyed(&clock, true), "the clock is right");
        assert!(!word.is_obeyed(&clock, true), "which is told once");
    }
}
