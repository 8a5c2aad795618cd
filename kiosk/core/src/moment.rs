//! Time as the terminal can honestly claim it: a wall clock that may lie and a monotonic one that does not.

use jiff::civil::Date;
use minicbor::{Decode, Encode};

/// How far the wall clock can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Doubt {
    /// Agrees with the last signed server time.
    #[default]
    None,
    /// Jumped, or was not compared for long.
    Doubtful,
    /// Was never set since the battery ran flat.
    Unknown,
}

impl Doubt {
    /// Number on the wire: 0 none, 1 doubtful, 2 unknown.
    pub fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Doubtful => 1,
            Self::Unknown => 2,
        }
    }
}

/// One instant, claimed and counted.
///
/// Order within a terminal comes from `(boot_id, mono_ms)` and the record's sequence number, never from `wall_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Moment {
    /// Claimed wall clock, milliseconds since 1970-01-01 UTC.
    pub wall_ms: i64,
    /// The boot this monotonic time belongs to.
    pub boot_id: [u8; 16],
    /// Monotonic milliseconds since that boot.
    pub mono_ms: u64,
    /// Whether the wall clock can be believed.
    pub doubt: Doubt,
    /// Between which instants it is. None where the wall clock is believed, or where nothing else is known.
    pub within: Option<Interval>,
}

/// Two instants between which it is, as far as a terminal can prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Milliseconds since 1970-01-01 UTC; it is not earlier.
    pub earliest_ms: i64,
    /// It is not later; none where nothing bounds it.
    pub latest_ms: Option<i64>,
}

impl Interval {
    /// Whether an instant lies in it, or beside it by no more than `tolerance_ms`.
    pub fn holds(&self, ms: i64, tolerance_ms: i64) -> bool {
        ms.saturating_add(tolerance_ms) >= self.earliest_ms
            && self.latest_ms.is_none_or(|latest| ms.saturating_sub(tolerance_ms) <= latest)
    }

    /// The first and the last day in China that it may be.
    pub fn days(&self) -> (Date, Option<Date>) {
        (civil_date(self.earliest_ms), self.latest_ms.map(civil_date))
    }
}

impl Moment {
    /// The civil date in China (UTC+8, no daylight saving since 1991) that the wall clock claims, or the nearest that it
    /// can be.
    pub fn date(&self) -> Date {
        civil_date(self.likely_ms())
    }

    /// The same with the wall clock set to what it most likely is, for whatever has no room for an interval.
    pub fn believed(&self) -> Self {
        Self { wall_ms: self.likely_ms(), within: None, ..*self }
    }

    /// The wall clock, or the instant nearest to it that it can be.
    pub fn likely_ms(&self) -> i64 {
        let Some(Interval { earliest_ms, latest_ms }) = self.within else {
            return self.wall_ms;
        };
        self.wall_ms.min(latest_ms.unwrap_or(i64::MAX)).max(earliest_ms)
    }
}

fn civil_date(ms: i64) -> Date {
    let days = ms.saturating_add(CHINA_OFFSET_MS).div_euclid(DAY_MS);
    let days = i32::try_from(days).unwrap_or(0).clamp(-DAYS_MAX, DAYS_MAX);
    EPOCH
        .checked_add(jiff::Span::new().days(days))
        .expect("days are clamped to what a Date can hold")
}

impl<C> Encode<C> for Moment {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(4)?
            .i64(self.wall_ms)?
            .bytes(&self.boot_id)?
            .u64(self.mono_ms)?
            .u8(self.doubt.code())?
            .ok()
    }
}

impl<'b, C> Decode<'b, C> for Moment {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        if d.array()? != Some(4) {
            return Err(minicbor::decode::Error::message("a moment has four parts"));
        }
        let wall_ms = d.i64()?;
        let boot_id = d
            .bytes()?
            .try_into()
            .map_err(|_| minicbor::decode::Error::message("a boot id has 16 bytes"))?;
        let mono_ms = d.u64()?;
        let doubt = match d.u8()? {
            0 => Doubt::None,
            1 => Doubt::Doubtful,
            2 => Doubt::Unknown,
            _ => return Err(minicbor::decode::Error::message("unknown doubt")),
        };
        Ok(Self { wall_ms, boot_id, mono_ms, doubt, within: None })
    }
}

const EPOCH: Date = Date::constant(1970, 1, 1);
const DAY_MS: i64 = 86_400_000;
const CHINA_OFFSET_MS: i64 = 8 * 3_600_000;
/// About 5,000 years on either side: inside what `jiff` can hold.
const DAYS_MAX: i32 = 1_800_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall_ms: i64) -> Moment {
        Moment { wall_ms, ..Moment::default() }
    }

    #[test]
    fn the_date_changes_at_midnight_in_china() {
        assert_eq!(at(1_572_537_599_000).date(), Date::constant(2019, 10, 31));
        assert_eq!(at(1_572_537_600_000).date(), Date::constant(2019, 11, 1));
        assert_eq!(at(-1).date(), Date::constant(1970, 1, 1));
    }

    #[test]
    fn a_date_that_cannot_be_is_the_nearest_that_can() {
        let within = |earliest_ms, latest_ms| Some(Interval { earliest_ms, latest_ms });
        let date = |wall_ms, within| Moment { within, ..at(wall_ms) }.date();
        let (first, last) = (1_572_537_599_000, 1_572_537_600_000);
        assert_eq!(date(0, within(last, None)), Date::constant(2019, 11, 1));
        assert_eq!(date(i64::MAX, within(0, Some(first))), Date::constant(2019, 10, 31));
        assert_eq!(date(last, within(first, Some(last))), Date::constant(2019, 11, 1));
        let days = Interval { earliest_ms: first, latest_ms: Some(last) }.days();
        assert_eq!(days, (Date::constant(2019, 10, 31), Some(Date::constant(2019, 11, 1))));
    }

    #[test]
    fn an_absurd_clock_still_has_a_date() {
        at(i64::MAX - CHINA_OFFSET_MS).date();
        at(i64::MIN).date();
    }
}
