//! The morning check of each device: does it answer, and is it fit for the day? Gives
//! codes and plain facts; the words for them belong to those who show them.

use std::time::{Duration, Instant};

use crate::camera::Camera;
use crate::fingerprint::{self, Sensor, SensorError};
use crate::id_card::{self, Reader, ReaderError};
use crate::link::LinkConfig;
use crate::photo::{self, PhotoDecoder, PhotoError};
use crate::printer::{self, Printer, PrinterError};

/// What a check of one device found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The device: `id-card-reader`, `finger-reader`, `printer`, `camera`, `photo-decoder`.
    pub device: &'static str,
    /// How it is.
    pub outcome: Outcome,
    /// Facts for support, none about a person: name and value.
    pub facts: Vec<(&'static str, String)>,
    /// How long the check took.
    pub took: Duration,
}

/// How a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Fit for the day.
    Works,
    /// Works, and somebody should see to it; a stable code says why.
    Attention(&'static str),
    /// Does not work; a stable code says why.
    Fails(&'static str),
}

impl Outcome {
    /// The stable code, `ok` when it works.
    pub fn code(self) -> &'static str {
        match self {
            Self::Works => "ok",
            Self::Attention(code) | Self::Fails(code) => code,
        }
    }
}

/// Checks the card reader: it answers, its security module works, and no card was left.
pub fn id_card(link: &LinkConfig, settings: id_card::Settings) -> Checked {
    check("id-card-reader", |facts| {
        let failed = |error: ReaderError| Outcome::Fails(error.code());
        let mut reader = Reader::open(link, settings).map_err(failed)?;
        facts.push(("baud", reader.baud_hz().to_string()));
        reader.status().map_err(failed)?;
        let id = reader.sam_id().map_err(failed)?;
        facts.push(("sam-id", id_card::sam_id_text(&id)));
        match reader.poll().map_err(failed)? {
            id_card::Poll::NoCard => Ok(()),
            _ => Err(Outcome::Attention("id-card-left-on-reader")),
        }
    })
}

/// Checks the fingerprint module: it answers at its full speed and its glass is empty.
pub fn fingerprint(link: &LinkConfig, settings: fingerprint::Settings) -> Checked {
    check("finger-reader", |facts| {
        let failed = |error: SensorError| Outcome::Fails(error.code());
        let wished_hz = settings.profile.baud_max_hz;
        let mut sensor = Sensor::open(link, settings).map_err(failed)?;
        let parameters = sensor.parameters().map_err(failed)?;
        facts.push(("baud", parameters.baud_hz.to_string()));
        facts.push(("packet-size", parameters.packet_size.to_string()));
        facts.push(("system-id", parameters.system_id.to_string()));
        // A latent print in the grease on the glass is taken for a finger.
        if !sensor.finger_off(Instant::now()).map_err(failed)? {
            return Err(Outcome::Attention("finger-reader-glass-not-empty"));
        }
        match parameters.baud_hz < wished_hz {
            true => Err(Outcome::Attention("finger-reader-slow")),
            false => Ok(()),
        }
    })
}

/// Checks the printer: it answers, has paper, and its cover is closed. Prints nothing.
pub fn printer(link: &LinkConfig, settings: printer::Settings) -> Checked {
    check("printer", |_| {
        let failed = |error: PrinterError| Outcome::Fails(error.code());
        let mut printer = Printer::open(link, settings).map_err(failed)?;
        if !settings.answers {
            return Ok(());
        }
        let status = printer.status().map_err(failed)?;
        match status {
            s if s.cover_open => Err(Outcome::Fails("printer-cover-open")),
            s if s.paper_out => Err(Outcome::Fails("printer-paper-out")),
            s if s.cutter_stuck => Err(Outcome::Fails("printer-cutter-stuck")),
            s if s.fault => Err(Outcome::Fails("printer-fault")),
            s if s.paper_low => Err(Outcome::Attention("printer-paper-low")),
            _ => Ok(()),
        }
    })
}

/// Checks a camera: frames come, and they are neither black nor white.
pub fn camera(camera: &mut dyn Camera) -> Checked {
    check("camera", |facts| {
        let mut last = None;
        for _ in 0..FRAMES {
            let frame = camera.latest(Instant::now() + FRAME_PATIENCE);
            last = Some(frame.map_err(|error| Outcome::Fails(error.code()))?);
        }
        let frame = last.expect("at least one frame is taken");
        let (width, height) = frame.image.dimensions();
        facts.push(("size", format!("{width}x{height}")));
        let samples = frame.image.as_raw();
        let sum: u64 = samples.iter().map(|s| u64::from(*s)).sum();
        let mean = sum / samples.len().max(1) as u64;
        facts.push(("brightness", mean.to_string()));
        match mean {
            0..DARK => Err(Outcome::Attention("camera-dark")),
            DARK..BRIGHT => Ok(()),
            _ => Err(Outcome::Attention("camera-bright")),
        }
    })
}

/// Checks that the photo decoder can be started. It is given a block of nothing, which a
/// sound decoder refuses.
pub fn photo(decoder: &PhotoDecoder) -> Checked {
    check("photo-decoder", |_| match decoder.decode(&[0; 1024]) {
        Ok(_) | Err(PhotoError::Refused(_) | PhotoError::BadOutput(_)) => Ok(()),
        Err(error) => Err(Outcome::Fails(photo::PhotoError::code(&error))),
    })
}

fn check(
    device: &'static str,
    run: impl FnOnce(&mut Vec<(&'static str, String)>) -> Result<(), Outcome>,
) -> Checked {
    let began = Instant::now();
    let mut facts = Vec::new();
    let outcome = run(&mut facts).err().unwrap_or(Outcome::Works);
    Checked { device, outcome, facts, took: began.elapsed() }
}

/// Enough for the exposure to settle.
const FRAMES: u32 = 5;
const FRAME_PATIENCE: Duration = Duration::from_secs(1);
const DARK: u64 = 16;
const BRIGHT: u64 = 240;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::{CameraError, Frame};
    use image::{Rgb, RgbImage};

    #[test]
    fn a_camera_in_the_dark_wants_attention_and_a_stalled_one_fails() {
        assert_eq!(camera(&mut Grey(Some(120))).outcome, Outcome::Works);
        assert_eq!(camera(&mut Grey(Some(3))).outcome.code(), "camera-dark");
        assert_eq!(camera(&mut Grey(Some(250))).outcome.code(), "camera-bright");
        assert_eq!(camera(&mut Grey(None)).outcome, Outcome::Fails("camera-stalled"));
    }

    #[test]
    fn devices_that_are_not_there_fail_with_their_codes() {
        let nowhere = LinkConfig::serial("no-such-device");
        let codes = [
            id_card(&nowhere, Default::default()).outcome.code(),
            fingerprint(&nowhere, Default::default()).outcome.code(),
            printer(&nowhere, Default::default()).outcome.code(),
            photo(&PhotoDecoder::new(vec![])).outcome.code(),
        ];
        let expected = [
            "id-card-reader-unplugged",
            "finger-reader-unplugged",
            "printer-unplugged",
            "photo-decoder-missing",
        ];
        assert_eq!(codes, expected);
    }

    struct Grey(Option<u8>);

    impl Camera for Grey {
        fn latest(&mut self, _deadline: Instant) -> Result<Frame, CameraError> {
            let grey = self.0.ok_or(CameraError::Stalled)?;
            Ok(Frame {
                image: RgbImage::from_pixel(4, 4, Rgb([grey; 3])),
                captured_ms: 0,
                index: 0,
            })
        }
    }
}
