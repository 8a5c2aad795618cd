//! A sound device of ALSA, opened so that nothing ever waits for longer than is asked.

use std::ffi::CString;
use std::time::{Duration, Instant};

use alsa::pcm::{Access, Format, HwParams, PCM, State};
use alsa::{Direction, ValueOr};

use super::{Output, STALL, SpeakerError};

/// An open device.
pub(super) struct Device {
    pcm: PCM,
    kind: Option<(u32, u16)>,
}

impl Device {
    pub(super) fn open(name: &str) -> Result<Self, SpeakerError> {
        let missing = || SpeakerError::Missing(name.escape_default().to_string());
        let device = CString::new(name).map_err(|_| missing())?;
        match PCM::open(&device, Direction::Playback, true).map_err(told) {
            Ok(pcm) => Ok(Self { pcm, kind: None }),
            Err(SpeakerError::Failed(_)) => Err(missing()),
            Err(error) => Err(error),
        }
    }

    /// Waits until there is room, at most until `by`.
    fn wait(&self, by: Instant) -> Result<(), SpeakerError> {
        let left = by.saturating_duration_since(Instant::now());
        let left_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
        if left_ms == 0 {
            return Err(SpeakerError::Stalled);
        }
        match self.pcm.wait(Some(left_ms)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(SpeakerError::Stalled),
            Err(error) => self.recover(error),
        }
    }

    /// After a gap or a sleep of the machine the device goes on by itself; all else is a
    /// fault.
    fn recover(&self, error: alsa::Error) -> Result<(), SpeakerError> {
        match error.errno() {
            libc::EPIPE | libc::ESTRPIPE | libc::EINTR => {
                self.pcm.try_recover(error, true).map_err(told)
            }
            _ => Err(told(error)),
        }
    }
}

impl Output for Device {
    fn prepare(&mut self, rate_hz: u32, n_channels: u16) -> Result<(), SpeakerError> {
        if self.kind == Some((rate_hz, n_channels)) {
            return self.pcm.prepare().map_err(told);
        }
        self.cut();
        let hw = HwParams::any(&self.pcm).map_err(told)?;
        hw.set_access(Access::RWInterleaved).map_err(told)?;
        hw.set_format(Format::s16()).map_err(told)?;
        hw.set_channels(n_channels.into()).map_err(told)?;
        hw.set_rate(rate_hz, ValueOr::Nearest).map_err(told)?;
        // Short, so that a newer prompt is heard soon.
        hw.set_buffer_time_near(BUFFER_US, ValueOr::Nearest).map_err(told)?;
        self.pcm.hw_params(&hw).map_err(told)?;
        drop(hw);
        self.kind = Some((rate_hz, n_channels));
        self.pcm.prepare().map_err(told)
    }

    fn play(&mut self, samples: &[i16]) -> Result<(), SpeakerError> {
        let (_, n_channels) = self.kind.expect("the device is prepared before it plays");
        let io = self.pcm.io_i16().map_err(told)?;
        let mut rest = samples;
        let mut by = Instant::now() + STALL;
        while !rest.is_empty() {
            match io.writei(rest) {
                Ok(n_frames) => {
                    rest = &rest[(n_frames * usize::from(n_channels)).min(rest.len())..];
                    by = Instant::now() + STALL;
                }
                Err(error) if error.errno() == libc::EAGAIN => self.wait(by)?,
                Err(error) => self.recover(error)?,
            }
            if Instant::now() >= by {
                return Err(SpeakerError::Stalled);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SpeakerError> {
        let by = Instant::now() + STALL;
        loop {
            match self.pcm.drain() {
                Ok(()) => return Ok(()),
                Err(error) if error.errno() == libc::EAGAIN => {}
                // What was so short that it is over already.
                Err(error) if error.errno() == libc::EPIPE => return Ok(()),
                Err(error) => return Err(told(error)),
            }
            if self.pcm.state() != State::Draining {
                return Ok(());
            }
            if Instant::now() >= by {
                self.cut();
                return Err(SpeakerError::Stalled);
            }
            std::thread::sleep(DRAIN_POLL);
        }
    }

    fn cut(&mut self) {
        let _ = self.pcm.drop();
    }
}

fn told(error: alsa::Error) -> SpeakerError {
    match error.errno() {
        libc::EBUSY => SpeakerError::Busy,
        libc::ENODEV | libc::ENOENT => SpeakerError::Missing(error.to_string()),
        _ => SpeakerError::Failed(error.to_string()),
    }
}

const BUFFER_US: u32 = 200_000;
const DRAIN_POLL: Duration = Duration::from_millis(10);
