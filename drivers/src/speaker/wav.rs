//! Reads a recording: RIFF WAVE, 16 bits, one or two channels. Takes any bytes without
//! harm.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// A sound in memory. Samples of the channels alternate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// Samples a second, of each channel.
    pub rate_hz: u32,
    /// One or two.
    pub n_channels: u16,
    /// The samples.
    pub samples: Vec<i16>,
}

/// A file is no recording that can be played.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// It cannot be read.
    #[error("file cannot be read")]
    Read(#[source] std::io::Error),
    /// It is longer than any prompt.
    #[error("file is too long")]
    TooLong,
    /// It is something else, or another kind of sound.
    #[error("not 16-bit PCM in a WAVE file")]
    Foreign,
}

impl Sound {
    /// Reads a file.
    pub fn read(file: &Path) -> Result<Self, WavError> {
        let file = std::fs::File::open(file).map_err(WavError::Read)?;
        let mut bytes = Vec::new();
        file.take(SIZE_MAX + 1).read_to_end(&mut bytes).map_err(WavError::Read)?;
        if bytes.len() as u64 > SIZE_MAX {
            return Err(WavError::TooLong);
        }
        Self::parse(&bytes)
    }

    /// Takes the bytes of a file. A data part that is cut short gives what is there, as
    /// programs that write to a pipe leave its length open.
    pub fn parse(bytes: &[u8]) -> Result<Self, WavError> {
        let rest = bytes.strip_prefix(b"RIFF").and_then(|rest| rest.get(4..));
        let mut rest = rest.and_then(|rest| rest.strip_prefix(b"WAVE")).ok_or(WavError::Foreign)?;
        let mut form = None;
        while let Some((head, after)) = rest.split_at_checked(8) {
            let (name, size) = head.split_at(4);
            let size = u32::from_le_bytes(size.try_into().expect("four bytes were split off"));
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let body = &after[..size.min(after.len())];
            match (name, form) {
                (b"fmt ", _) => form = Some(Self::form(body)?),
                (b"data", Some((rate_hz, n_channels))) => {
                    let whole = 2 * usize::from(n_channels);
                    let body = &body[..body.len() / whole * whole];
                    let pairs = body.chunks_exact(2);
                    let samples = pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
                    return Ok(Self { rate_hz, n_channels, samples: samples.collect() });
                }
                _ => {}
            }
            // Parts of odd length are padded.
            rest = after.get(size.saturating_add(size % 2)..).unwrap_or_default();
        }
        Err(WavError::Foreign)
    }

    /// The bytes of a file.
    pub fn encode(&self) -> Vec<u8> {
        let data: Vec<u8> = self.samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        let length = u32::try_from(data.len()).expect("a prompt is shorter than a day");
        let whole = 2 * self.n_channels;
        let mut out = b"RIFF".to_vec();
        out.extend((36 + length).to_le_bytes());
        out.extend(b"WAVEfmt \x10\0\0\0\x01\0");
        out.extend(self.n_channels.to_le_bytes());
        out.extend(self.rate_hz.to_le_bytes());
        out.extend((self.rate_hz * u32::from(whole)).to_le_bytes());
        out.extend(whole.to_le_bytes());
        out.extend(b"\x10\0data");
        out.extend(length.to_le_bytes());
        out.extend(data);
        out
    }

    /// The sound in pieces of at most `length`.
    pub fn pieces(&self, length: Duration) -> impl Iterator<Item = &[i16]> {
        let frames = u128::from(self.rate_hz) * length.as_millis() / 1000;
        let frames = usize::try_from(frames).unwrap_or(usize::MAX).max(1);
        self.samples.chunks(frames * usize::from(self.n_channels))
    }

    /// A tone, faded at both ends so that it does not click.
    pub fn tone(pitch_hz: u32, length: Duration) -> Self {
        let n = u32::try_from(u128::from(TONE_RATE_HZ) * length.as_millis() / 1000);
        let n = n.unwrap_or(TONE_RATE_HZ);
        let fade = TONE_RATE_HZ / 100;
        let samples = (0..n).map(|at| {
            let edge = at.min(n - at).min(fade);
            let turn = f64::from(at) * f64::from(pitch_hz) / f64::from(TONE_RATE_HZ);
            let level = f64::from(edge) / f64::from(fade) * 0.5;
            ((turn * std::f64::consts::TAU).sin() * level * f64::from(i16::MAX)) as i16
        });
        Self { rate_hz: TONE_RATE_HZ, n_channels: 1, samples: samples.collect() }
    }

    /// Rate and channels of the part `fmt `.
    fn form(body: &[u8]) -> Result<(u32, u16), WavError> {
        let half = |at: usize| Some(u16::from_le_bytes(*body.get(at..)?.first_chunk()?));
        let word = |at: usize| Some(u32::from_le_bytes(*body.get(at..)?.first_chunk()?));
        let all = (half(0), half(2), word(4), half(14));
        let (Some(kind), Some(n_channels), Some(rate_hz), Some(bits)) = all else {
            return Err(WavError::Foreign);
        };
        let is_ours = kind == PCM && bits == 16 && (1..=2).contains(&n_channels);
        match is_ours && RATES_HZ.contains(&rate_hz) {
            true => Ok((rate_hz, n_channels)),
            false => Err(WavError::Foreign),
        }
    }
}

const PCM: u16 = 1;
const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=48_000;
const TONE_RATE_HZ: u32 = 22_050;
/// More than a minute in the best quality.
const SIZE_MAX: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_recording_is_refused() {
        let good = Sound { rate_hz: 22_050, n_channels: 1, samples: vec![1, -2, 3] }.encode();
        let with = |at: usize, byte: u8| {
            let mut bad = good.clone();
            bad[at] = byte;
            bad
        };
        for bad in [with(20, 3), with(22, 0), with(22, 3), with(25, 0), with(34, 8), with(0, b'X')]
        {
            assert!(matches!(Sound::parse(&bad), Err(WavError::Foreign)));
        }
        assert!(matches!(Sound::parse(&good[..20]), Err(WavError::Foreign)));
        let missing = Sound::read(Path::new("no-such-recording.wav"));
        assert!(matches!(missing, Err(WavError::Read(_))));
    }

    #[test]
    fn other_parts_are_passed_over_and_a_length_left_open_is_no_harm() {
        let sound = Sound { rate_hz: 8_000, n_channels: 2, samples: vec![5, 6, 7, 8] };
        let bytes = sound.encode();
        let mut listed = bytes[..12].to_vec();
        listed.extend(b"LIST\x03\0\0\0abc\0");
        listed.extend(&bytes[12..]);
        assert_eq!(Sound::parse(&listed).unwrap(), sound);
        let mut piped = bytes.clone();
        piped[40..44].fill(0xFF);
        assert_eq!(Sound::parse(&piped).unwrap(), sound);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            samples in prop::collection::vec(any::<i16>(), 0..200),
            rate_hz in RATES_HZ,
        ) {
            let sound = Sound { rate_hz, n_channels: 1, samples };
            prop_assert_eq!(Sound::parse(&sound.encode()).unwrap(), sound);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..60) {
            let _ = Sound::parse(&bytes);
            let mut bent = Sound { rate_hz: 8_000, n_channels: 2, samples: vec![1; 8] }.encode();
            bent.truncate(cut);
            let _ = Sound::parse(&bent);
            bent.extend(bytes);
            let _ = Sound::parse(&bent);
        }
    }
}
