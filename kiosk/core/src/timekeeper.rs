//! How far the wall clock can be believed: it is held against the clock that only counts and against the centre's time.
//!
//! Nothing here reads a clock. A wrong clock sends nobody away; it makes a moment doubtful and gives it an interval.

use minicbor::{Decode, Encode};

use crate::moment::{Doubt, Interval, Moment};

/// Both clocks at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Wall clock, milliseconds since 1970-01-01 UTC.
    pub wall_ms: i64,
    /// The boot that the counting clock belongs to.
    pub boot_id: [u8; 16],
    /// Milliseconds since that boot.
    pub mono_ms: u64,
}

/// What is known about the time.
#[derive(Clone, Debug, Default)]
pub struct Timekeeper {
    anchor: Option<Anchor>,
    /// When the wall clock was believed last.
    believed: Option<Reading>,
}

/// The wall clock beside the centre's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WallClock {
    /// The centre was not heard since the machine started, or not exactly enough to set a clock by.
    Unknown,
    /// It says what it ought to.
    Right,
    /// It ought to say this: milliseconds since 1970-01-01 UTC.
    Ought(i64),
}

/// The centre's time when it was heard last. It is kept over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Anchor {
    #[n(0)]
    earliest_ms: i64,
    #[n(1)]
    latest_ms: i64,
    #[cbor(n(2), with = "minicbor::bytes")]
    boot_id: [u8; 16],
    #[n(3)]
    mono_ms: u64,
    /// What the wall clock said then.
    #[n(4)]
    wall_ms: i64,
}

impl Timekeeper {
    /// Goes on with what [`Timekeeper::to_bytes`] kept. Bytes that cannot be read are as good as none.
    pub fn restore(bytes: &[u8]) -> Self {
        Self { anchor: minicbor::decode(bytes).ok(), believed: None }
    }

    /// What has to be kept over restarts; none before the centre was heard.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let anchor = self.anchor.as_ref()?;
        Some(minicbor::to_vec(anchor).expect("a Vec takes every write"))
    }

    /// The centre said its time at some instant between two readings of our clocks. By how many milliseconds the wall
    /// clock is ahead of it; none if the readings do not belong together.
    pub fn heard(&mut self, asked: &Reading, server_ms: i64, answered: &Reading) -> Option<i64> {
        let took_ms = elapsed_ms(asked, answered)?;
        if server_ms < BUILT_MS {
            return None;
        }
        self.anchor = Some(Anchor {
            earliest_ms: server_ms,
            latest_ms: server_ms.saturating_add(took_ms),
            boot_id: answered.boot_id,
            mono_ms: answered.mono_ms,
            wall_ms: answered.wall_ms,
        });
        Some(answered.wall_ms.saturating_sub(server_ms.saturating_add(took_ms / 2)))
    }

    /// What the wall clock ought to say at a reading.
    pub fn wall_clock(&self, now: &Reading) -> WallClock {
        let Some(interval) = self.anchor.as_ref().and_then(|anchor| anchor.now(now)) else {
            return WallClock::Unknown;
        };
        let width_ms = interval.latest_ms.map_or(i64::MAX, |latest| latest - interval.earliest_ms);
        if width_ms > SET_MS {
            WallClock::Unknown
        } else if interval.holds(now.wall_ms, SET_MS) {
            WallClock::Right
        } else {
            WallClock::Ought(interval.earliest_ms + width_ms / 2)
        }
    }

    /// The moment of a reading, with the doubt about it.
    pub fn moment(&mut self, now: &Reading) -> Moment {
        let (doubt, within) = match self.judge(now) {
            None => (Doubt::None, None),
            Some((doubt, interval)) => (doubt, Some(interval)),
        };
        if doubt == Doubt::None {
            self.believed = Some(*now);
        }
        let Reading { wall_ms, boot_id, mono_ms } = *now;
        Moment { wall_ms, boot_id, mono_ms, doubt, within }
    }

    /// The doubt and between which instants it is; none where the wall clock is to be believed.
    fn judge(&self, now: &Reading) -> Option<(Doubt, Interval)> {
        if let Some(interval) = self.anchor.as_ref().and_then(|anchor| anchor.now(now)) {
            let fits = interval.holds(now.wall_ms, TOLERANCE_MS);
            return (!fits).then_some((doubt_of(now), interval));
        }
        // Time does not run backwards, and this program was not there before it was written.
        let floor_ms = self.anchor.as_ref().map_or(BUILT_MS, |anchor| anchor.earliest_ms);
        let since_floor = Interval { earliest_ms: floor_ms, latest_ms: None };
        if now.wall_ms < floor_ms.saturating_sub(TOLERANCE_MS) {
            return Some((doubt_of(now), since_floor));
        }
        let compared_ill = self.anchor.as_ref().is_some_and(|anchor| anchor.leaves_doubt(now));
        (compared_ill || self.jumped(now)).then_some((Doubt::Doubtful, since_floor))
    }

    /// The wall clock moved otherwise than the counting one: it was wrong before or is wrong now, and neither is proved.
    fn jumped(&self, now: &Reading) -> bool {
        let Some(before) = &self.believed else {
            return false;
        };
        elapsed_ms(before, now).is_some_and(|elapsed_ms| {
            before.wall_ms.saturating_add(elapsed_ms).abs_diff(now.wall_ms) > JUMP_MS
        })
    }
}

impl Anchor {
    /// What the counting clock has made of the centre's time; none after a restart of the machine.
    fn now(&self, now: &Reading) -> Option<Interval> {
        let then = Reading { wall_ms: 0, boot_id: self.boot_id, mono_ms: self.mono_ms };
        let elapsed = elapsed_ms(&then, now)?;
        let drift = elapsed / DRIFT_PARTS;
        Some(Interval {
            earliest_ms: self.earliest_ms.saturating_add(elapsed - drift),
            latest_ms: Some(self.latest_ms.saturating_add(elapsed + drift)),
        })
    }

    /// Whether the wall clock was wrong when it was compared last, or was not compared for long.
    fn leaves_doubt(&self, now: &Reading) -> bool {
        let compared = Interval { earliest_ms: self.earliest_ms, latest_ms: Some(self.latest_ms) };
        !compared.holds(self.wall_ms, TOLERANCE_MS)
            || now.wall_ms.saturating_sub(self.latest_ms) > COMPARED_MAX_MS
    }
}

/// A clock before the program was written was never set.
fn doubt_of(now: &Reading) -> Doubt {
    if now.wall_ms < BUILT_MS { Doubt::Unknown } else { Doubt::Doubtful }
}

/// Milliseconds by the counting clock; none between two boots.
fn elapsed_ms(from: &Reading, to: &Reading) -> Option<i64> {
    let elapsed = to.mono_ms.checked_sub(from.mono_ms).filter(|_| from.boot_id == to.boot_id)?;
    i64::try_from(elapsed).ok()
}

/// 2026-01-01 in China.
const BUILT_MS: i64 = 1_767_196_800_000;
/// What a clock may be off without changing a due date more than the walk to the counter does.
const TOLERANCE_MS: i64 = 120_000;
/// A clock that is off by more than this is worth setting, by a time that is known at least as exactly.
const SET_MS: i64 = 5_000;
/// Corrections by less than this are the everyday work of a time service.
const JUMP_MS: u64 = 60_000;
/// A cheap crystal is off by less than one part in five thousand.
const DRIFT_PARTS: i64 = 5_000;
/// A clock chip that was compared with nothing for a quarter of a year is shown as doubtful.
const COMPARED_MAX_MS: i64 = 92 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-16 10:00 in China.
    const TEN: i64 = 1_794_794_400_000;
    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;

    fn at(boot: u8, mono_ms: i64, wall_ms: i64) -> Reading {
        Reading { wall_ms, boot_id: [boot; 16], mono_ms: mono_ms.unsigned_abs() }
    }

    /// The doubt, and the ends of the interval in minutes after ten.
    fn check(
        keeper: &mut Timekeeper,
        now: Reading,
        doubt: Doubt,
        within: Option<(i64, Option<i64>)>,
    ) {
        let moment = keeper.moment(&now);
        let minutes = |ms: i64| (ms - TEN) / 60_000;
        let found = moment.within.map(|w| (minutes(w.earliest_ms), w.latest_ms.map(minutes)));
        assert_eq!((moment.doubt, found), (doubt, within));
    }

    fn compared() -> Timekeeper {
        let mut keeper = Timekeeper::default();
        let drift = keeper.heard(&at(1, 1_000, TEN), TEN + 100, &at(1, 1_200, TEN + 200));
        assert_eq!(drift, Some(0));
        keeper
    }

    #[test]
    fn a_clock_that_was_never_set_is_unknown() {
        let mut keeper = Timekeeper::default();
        let floor = (BUILT_MS - TEN) / 60_000;
        check(&mut keeper, at(1, 0, 0), Doubt::Unknown, Some((floor, None)));
        check(&mut keeper, at(1, 10, TEN), Doubt::None, None);
    }

    #[test]
    fn a_jump_is_doubted_until_the_centre_is_heard() {
        let mut keeper = Timekeeper::default();
        check(&mut keeper, at(1, 0, TEN), Doubt::None, None);
        check(&mut keeper, at(1, HOUR, TEN + HOUR + 30_000), Doubt::None, None);
        let ahead = at(1, 2 * HOUR, TEN + 2 * HOUR + DAY);
        let floor = (BUILT_MS - TEN) / 60_000;
        check(&mut keeper, ahead, Doubt::Doubtful, Some((floor, None)));
        // A battery that is flat, in the same boot.
        check(&mut keeper, at(1, 2 * HOUR, 0), Doubt::Unknown, Some((floor, None)));
        keeper.heard(&ahead, ahead.wall_ms, &ahead).unwrap();
        check(&mut keeper, at(1, 3 * HOUR, TEN + 3 * HOUR + DAY), Doubt::None, None);
    }

    #[test]
    fn after_the_centre_was_heard_the_counting_clock_knows_better() {
        let mut keeper = compared();
        check(&mut keeper, at(1, HOUR, TEN + HOUR), Doubt::None, None);
        check(&mut keeper, at(1, HOUR, TEN - DAY), Doubt::Doubtful, Some((59, Some(59))));
        check(&mut keeper, at(1, HOUR, 0), Doubt::Unknown, Some((59, Some(59))));
        let moment = keeper.moment(&at(1, HOUR, TEN + 40 * DAY));
        assert_eq!(moment.date().to_string(), "2026-11-16", "the interval corrects the date");
    }

    #[test]
    fn after_a_restart_it_is_never_earlier_than_the_centre_said() {
        let kept = compared().to_bytes().unwrap();
        let mut keeper = Timekeeper::restore(&kept);
        check(&mut keeper, at(1, HOUR, TEN + DAY), Doubt::Doubtful, Some((59, Some(59))));
        check(&mut keeper, at(2, 5, TEN + 3 * DAY), Doubt::None, None);
        check(&mut keeper, at(2, 5, TEN - DAY), Doubt::Doubtful, Some((0, None)));
        check(&mut keeper, at(3, 5, TEN + 100 * DAY), Doubt::Doubtful, Some((0, None)));
        assert!(Timekeeper::restore(b"noise").to_bytes().is_none());
    }

    #[test]
    fn what_the_clock_ought_to_say_is_known_only_from_an_exact_answer_of_this_start() {
        let mut keeper = Timekeeper::default();
        assert_eq!(keeper.wall_clock(&at(1, 0, 0)), WallClock::Unknown);
        // Heard at 10 s of this start, within 2 s; the clock was never set.
        keeper.heard(&at(1, 8_000, 500), TEN, &at(1, 10_000, 2_500)).unwrap();
        assert_eq!(keeper.wall_clock(&at(1, 10_000, 2_500)), WallClock::Ought(TEN + 1_000));
        assert_eq!(keeper.wall_clock(&at(1, 15_000, 7_500)), WallClock::Ought(TEN + 6_000));
        let hour = keeper.wall_clock(&at(1, HOUR + 10_000, 0));
        assert_eq!(hour, WallClock::Ought(TEN + HOUR + 1_000), "drift is on both sides");
        for (wall_ms, found) in [
            (TEN - 4_999, WallClock::Right),
            (TEN - 5_001, WallClock::Ought(TEN + 1_000)),
            (TEN + 6_999, WallClock::Right),
            (TEN + 7_001, WallClock::Ought(TEN + 1_000)),
        ] {
            assert_eq!(keeper.wall_clock(&at(1, 10_000, wall_ms)), found, "{}", wall_ms - TEN);
        }
        let (too_long_ago, other_start) = (at(1, 4 * HOUR, 0), at(2, 10_000, 0));
        assert_eq!(keeper.wall_clock(&too_long_ago), WallClock::Unknown);
        assert_eq!(keeper.wall_clock(&other_start), WallClock::Unknown);
        let mut slow = Timekeeper::default();
        slow.heard(&at(1, 0, 0), TEN, &at(1, 5_001, 0)).unwrap();
        assert_eq!(
            slow.wall_clock(&at(1, 5_001, 0)),
            WallClock::Unknown,
            "half a minute under way"
        );
    }

    #[test]
    fn a_clock_that_is_set_right_by_the_centre_is_no_jump() {
        let mut keeper = Timekeeper::default();
        let behind = |mono_ms| at(1, mono_ms, TEN - DAY + mono_ms);
        check(&mut keeper, behind(0), Doubt::None, None);
        keeper.heard(&behind(1_000), TEN, &behind(1_000)).unwrap();
        let before = keeper.moment(&behind(2_000));
        assert_eq!(before.doubt, Doubt::Doubtful);
        let WallClock::Ought(wall_ms) = keeper.wall_clock(&behind(2_000)) else {
            panic!("it is a day behind");
        };
        // Set ten seconds later, as the counting clock has it.
        let set = |mono_ms: i64| at(1, mono_ms, wall_ms + mono_ms - 2_000);
        check(&mut keeper, set(12_000), Doubt::None, None);
        assert_eq!(keeper.wall_clock(&set(12_000)), WallClock::Right);
        assert!(before.within.is_some(), "what was said before stays as it was said");
        // Not before it was compared again is it believed over a restart.
        let next = at(2, 0, TEN + HOUR);
        let again = |keeper: &Timekeeper| {
            let mut next_start = Timekeeper::restore(&keeper.to_bytes().unwrap());
            next_start.moment(&next).doubt
        };
        assert_eq!(again(&keeper), Doubt::Doubtful);
        keeper.heard(&set(13_000), TEN + 12_000, &set(13_000)).unwrap();
        assert_eq!(again(&keeper), Doubt::None);
    }

    #[test]
    fn a_clock_that_was_wrong_stays_doubtful_over_a_restart() {
        let mut keeper = Timekeeper::default();
        let wrong = at(1, 0, TEN + DAY);
        assert_eq!(keeper.heard(&wrong, TEN, &wrong), Some(DAY));
        check(&mut keeper, at(1, 0, TEN + DAY), Doubt::Doubtful, Some((0, Some(0))));
        check(&mut keeper, at(2, 0, TEN + 2 * DAY), Doubt::Doubtful, Some((0, None)));
    }

    #[test]
    fn an_answer_of_another_boot_or_an_impossible_time_tells_nothing() {
        let mut keeper = Timekeeper::default();
        assert_eq!(keeper.heard(&at(1, 5, TEN), TEN, &at(2, 6, TEN)), None);
        assert_eq!(keeper.heard(&at(1, 6, TEN), TEN, &at(1, 5, TEN)), None);
        assert_eq!(keeper.heard(&at(1, 5, TEN), 0, &at(1, 6, TEN)), None);
        assert_eq!(keeper.to_bytes(), None);
    }
}
