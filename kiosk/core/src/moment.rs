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
}

impl Moment {
    /// The civil date in China (UTC+8, no daylight saving since 1991) that the wall clock claims.
    pub fn date(&self) -> Date {
        let days = (self.wall_ms + CHINA_OFFSET_MS).div_euclid(DAY_MS);
        let days = i32::try_from(days).unwrap_or(0).clamp(-DAYS_MAX, DAYS_MAX);
        EPOCH
            .checked_add(jiff::Span::new().days(days))
            .expect("days are clamped to what a Date can hold")
    }
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
        Ok(Self { wall_ms, boot_id, mono_ms, doubt })
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
    fn an_absurd_clock_still_has_a_date() {
        at(i64::MAX - CHINA_OFFSET_MS).date();
        at(i64::MIN).date();
    }
}
