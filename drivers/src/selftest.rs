//! The morning check of each device: does it answer, and is it fit for the day? Each takes
//! less than five seconds, whatever the device does. Gives codes and plain facts; the
//! words for them belong to those who show them.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::camera::Camera;
use crate::clock::{ClockReport, ClockWatch, Doubt, Rtc, Sync};
use crate::display::{DisplayConfig, DisplayError, Picture, Prompt, Scene, Screen};
use crate::fingerprint::{self, Sensor, SensorError};
use crate::id_card::{self, Reader, ReaderError};
use crate::link::LinkConfig;
use crate::panel::{Board, Input, Lamp, Output, PanelConfig, PanelError};
use crate::photo::{self, PhotoDecoder, PhotoError};
use crate::power::{PowerReport, PowerWatch, Supply};
use crate::printer::{self, Printer, PrinterError};
use crate::speaker::{self, SpeakerConfig, SpeakerError};

/// What a check of one device found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The device: `id-card-reader`, `finger-reader`, `printer`, `camera`, `photo-decoder`,
    /// `panel`, `customer-display`, `speaker`, `power`, `clock`.
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
    let link = link.clone();
    check_within("id-card-reader", LIMIT, move |facts| {
        let failed = |error: ReaderError| Outcome::Fails(error.code());
        let mut reader = Reader::open(&link, settings).map_err(failed)?;
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
    let link = link.clone();
    check_within("finger-reader", LIMIT, move |facts| {
        let failed = |error: SensorError| Outcome::Fails(error.code());
        let wished_hz = settings.profile.baud_max_hz;
        let mut sensor = Sensor::open(&link, settings).map_err(failed)?;
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
    let link = link.clone();
    check_within("printer", LIMIT, move |_| {
        let failed = |error: PrinterError| Outcome::Fails(error.code());
        let mut printer = Printer::open(&link, settings).map_err(failed)?;
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
        let by = Instant::now() + LIMIT;
        for _ in 0..FRAMES {
            let frame = camera.latest(by.min(Instant::now() + FRAME_PATIENCE));
            last = Some(frame.map_err(|error| Outcome::Fails(error.code()))?);
        }
        let frame = last.expect("at least one frame is taken");
        let (width, height) = frame.image.dimensions();
        facts.push(("size", format!("{width}x{height}")));
        if let Some(latency) = frame.latency {
            facts.push(("latency", format!("{} ms", latency.as_millis())));
        }
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
    let decoder = decoder.clone();
    check_within("photo-decoder", LIMIT, move |_| match decoder.decode(&[0; 1024]) {
        Ok(_) | Err(PhotoError::Refused(_) | PhotoError::BadOutput(_)) => Ok(()),
        Err(error) => Err(Outcome::Fails(photo::PhotoError::code(&error))),
    })
}

/// Checks the panel: its lines are there, case and door are shut. All lamps and the fill
/// light are lit for a moment and the buzzer sounds, for somebody to see and hear.
pub fn panel(config: &PanelConfig) -> Checked {
    let config = config.clone();
    check_within("panel", LIMIT, move |facts| {
        let failed = |error: PanelError| Outcome::Fails(error.code());
        let mut board = config.open().map_err(failed)?;
        show_panel(board.as_mut(), facts)
    })
}

fn show_panel(board: &mut dyn Board, facts: &mut Facts) -> Result<(), Outcome> {
    let failed = |error: PanelError| Outcome::Fails(error.code());
    board.watch(Duration::ZERO).map_err(failed)?;
    switch_all(board, true).map_err(failed)?;
    let watched = board.watch(LAMPS_LIT).map_err(failed);
    switch_all(board, false).map_err(failed)?;
    let inputs = watched?.now;
    let mut attention = Ok(());
    for (input, name, code) in [
        (Input::Presence, "presence", None),
        (Input::Door, "door", Some("panel-door-open")),
        // The last has the last word.
        (Input::Tamper, "case", Some("panel-case-open")),
    ] {
        let Some(is_active) = inputs.get(input) else {
            continue;
        };
        facts.push((name, if is_active { "active" } else { "quiet" }.into()));
        if let (true, Some(code)) = (is_active, code) {
            attention = Err(Outcome::Attention(code));
        }
    }
    attention
}

fn switch_all(board: &mut dyn Board, is_on: bool) -> Result<(), PanelError> {
    for lamp in Lamp::ALL {
        board.drive(Output::Lamp(lamp), is_on)?;
    }
    board.drive(Output::Buzzer, is_on)?;
    board.light(if is_on { 100 } else { 0 })
}

/// Checks the customer's display: its bus takes a picture. Whether somebody can see it, only
/// somebody can say; on SPI nothing answers at all.
pub fn customer_display(config: &DisplayConfig) -> Checked {
    let config = config.clone();
    check_within("customer-display", LIMIT, move |facts| {
        let failed = |error: DisplayError| Outcome::Fails(error.code());
        let answers = matches!(config, DisplayConfig::Ssd1306(_));
        facts.push(("answers", if answers { "yes" } else { "cannot" }.into()));
        let mut screen = config.open().map_err(failed)?;
        show_display(screen.as_mut(), facts)
    })
}

fn show_display(screen: &mut dyn Screen, facts: &mut Facts) -> Result<(), Outcome> {
    let size = screen.size();
    facts.push(("size", format!("{}x{}", size.width, size.height)));
    let scene = Scene {
        prompt: Prompt::new("device-ready", &[]).ok(),
        picture: Some(Picture::Progress(100)),
    };
    let canvas = scene.draw_on(screen);
    let shown = screen.push(&canvas, canvas.area()).and_then(|()| screen.probe());
    shown.map_err(|error| Outcome::Fails(error.code()))
}

/// Checks the speaker: the device plays a tone, and there are recordings of the prompts
/// `wanted`.
pub fn speaker(config: &SpeakerConfig, wanted: &[&str]) -> Checked {
    let config = config.clone();
    let wanted: BTreeSet<String> = wanted.iter().map(|id| (*id).to_owned()).collect();
    check_within("speaker", LIMIT, move |facts| {
        let failed = |error: SpeakerError| Outcome::Fails(error.code());
        speaker::play_tone(&config).map_err(failed)?;
        let recorded = speaker::recordings(&config.prompts);
        let n_missing = wanted.difference(&recorded).count();
        facts.push(("recordings", recorded.len().to_string()));
        facts.push(("missing", n_missing.to_string()));
        match (n_missing, config.volume) {
            (1.., _) => Err(Outcome::Attention("speaker-prompts-missing")),
            (_, 0) => Err(Outcome::Attention("speaker-mute")),
            _ => Ok(()),
        }
    })
}

/// Checks mains and battery.
pub fn power(watch: &mut PowerWatch) -> Checked {
    check("power", |facts| judge_power(watch.look(), facts))
}

fn judge_power(report: PowerReport, facts: &mut Facts) -> Result<(), Outcome> {
    if let Some(mains) = report.mains {
        facts.push(("mains", if mains { "yes" } else { "no" }.into()));
    }
    if let Some(percent) = report.battery.and_then(|battery| battery.percent) {
        facts.push(("battery-percent", percent.to_string()));
    }
    match (report.supply, report.battery) {
        (Supply::Critical, _) => Err(Outcome::Fails(report.supply.code())),
        (Supply::Low, _) => Err(Outcome::Attention(report.supply.code())),
        (_, Some(battery)) if battery.percent.is_none() => {
            Err(Outcome::Attention("power-gauge-silent"))
        }
        _ => Ok(()),
    }
}

/// Checks clock chip, time server and wall clock.
pub fn clock(watch: &mut ClockWatch) -> Checked {
    check("clock", |facts| judge_clock(&watch.look(), facts))
}

fn judge_clock(report: &ClockReport, facts: &mut Facts) -> Result<(), Outcome> {
    let server = match report.sync {
        Sync::Follows { error_max } => format!("{} ms", error_max.as_millis()),
        Sync::Free => "no".into(),
        Sync::Unknown => "unknown".into(),
    };
    facts.push(("time-server", server));
    let mut is_battery_low = false;
    let chip = match report.rtc {
        Rtc::Missing => "missing".into(),
        Rtc::LostTime => "lost-time".into(),
        Rtc::Unset => "unset".into(),
        Rtc::Runs { ahead_ms, is_battery_low: low } => {
            is_battery_low = low == Some(true);
            format!("{} s apart", ahead_ms / 1000)
        }
    };
    facts.push(("clock-chip", chip));
    match report.doubts().first() {
        Some(doubt @ Doubt::Unset) => Err(Outcome::Fails(doubt.code())),
        Some(doubt) => Err(Outcome::Attention(doubt.code())),
        None if is_battery_low => Err(Outcome::Attention("clock-chip-battery-low")),
        None => Ok(()),
    }
}

type Facts = Vec<(&'static str, String)>;

/// Runs a check on a thread of its own and waits for it no longer than `limit`. One that
/// hangs is left behind; the device is not to be used then, and is not.
fn check_within(
    device: &'static str,
    limit: Duration,
    run: impl FnOnce(&mut Facts) -> Result<(), Outcome> + Send + 'static,
) -> Checked {
    let began = Instant::now();
    let (done, result) = mpsc::channel();
    let checking = thread::Builder::new().name(format!("check-{device}"));
    let checking = checking.spawn(move || {
        let _ = done.send(check(device, run));
    });
    checking.expect("a process can start one more thread");
    result.recv_timeout(limit).unwrap_or_else(|_| Checked {
        device,
        outcome: Outcome::Fails(TOO_SLOW),
        facts: Vec::new(),
        took: began.elapsed(),
    })
}

fn check(device: &'static str, run: impl FnOnce(&mut Facts) -> Result<(), Outcome>) -> Checked {
    let began = Instant::now();
    let mut facts = Vec::new();
    let outcome = run(&mut facts).err().unwrap_or(Outcome::Works);
    Checked { device, outcome, facts, took: began.elapsed() }
}

/// All that the checks of panel, customer display, speaker, power and clock can tell beside
/// `ok`; each wants words for what happened and what to do.
pub const CODES: [&str; 28] = [
    "panel-unplugged",
    "panel-line-missing",
    "panel-line-busy",
    "panel-forbidden",
    "panel-settings",
    "panel-pwm-missing",
    "panel-case-open",
    "panel-door-open",
    "customer-display-unplugged",
    "customer-display-settings",
    "customer-display-line",
    "speaker-missing",
    "speaker-busy",
    "speaker-stalled",
    "speaker-failed",
    "speaker-recording",
    "speaker-prompts-missing",
    "speaker-mute",
    "power-battery-low",
    "power-battery-critical",
    "power-gauge-silent",
    "clock-unset",
    "clock-chip-lost-time",
    "clock-no-source",
    "clock-chip-disagrees",
    "clock-jumped",
    "clock-chip-battery-low",
    TOO_SLOW,
];
/// What a device is told by that did not come to an end.
pub const TOO_SLOW: &str = "selftest-too-slow";
/// Somebody waits for it, with a coat on.
const LIMIT: Duration = Duration::from_millis(4_800);
const LAMPS_LIT: Duration = Duration::from_millis(400);
/// Enough for the exposure to settle.
const FRAMES: u32 = 5;
const FRAME_PATIENCE: Duration = Duration::from_secs(1);
const DARK: u64 = 16;
const BRIGHT: u64 = 240;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::{CameraError, Frame};
    use crate::clock::Times;
    use crate::display::Ssd1306Config;
    use crate::panel::Line;
    use crate::panel::recording::Recording;
    use crate::power::{Battery, Flow};
    use image::{Rgb, RgbImage};
    use std::sync::Arc;

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
        let display = DisplayConfig::Ssd1306(Ssd1306Config {
            i2c: "no-such-bus".into(),
            address: 0x3C,
            is_upside_down: false,
        });
        let lamps = vec![(Lamp::Card, Line::named("NO-SUCH-LINE"))];
        let panel_code = panel(&PanelConfig { lamps, ..PanelConfig::default() }).outcome.code();
        assert!(["panel-unplugged", "panel-line-missing"].contains(&panel_code), "{panel_code}");
        let codes = [
            customer_display(&display).outcome.code(),
            id_card(&nowhere, Default::default()).outcome.code(),
            fingerprint(&nowhere, Default::default()).outcome.code(),
            printer(&nowhere, Default::default()).outcome.code(),
            photo(&PhotoDecoder::new(vec![])).outcome.code(),
        ];
        let expected = [
            "customer-display-unplugged",
            "id-card-reader-unplugged",
            "finger-reader-unplugged",
            "printer-unplugged",
            "photo-decoder-missing",
        ];
        assert_eq!(codes, expected);
    }

    #[test]
    fn a_check_that_hangs_is_left_behind() {
        let (never, wait) = mpsc::channel::<()>();
        let hung = check_within("printer", Duration::from_millis(50), move |_| {
            let _ = wait.recv();
            Ok(())
        });
        assert_eq!(hung.outcome, Outcome::Fails(TOO_SLOW));
        drop(never);
    }

    #[test]
    fn the_panel_is_shown_and_left_dark_and_an_open_case_is_told() {
        let recording = Recording::new();
        let mut board = recording.open().unwrap();
        assert_eq!(show_panel(board.as_mut(), &mut Vec::new()), Ok(()));
        let log = recording.take_log();
        let n = |end: &str| log.iter().filter(|line| line.ends_with(end)).count();
        assert_eq!((n(" on"), n(" off"), n("100%"), n(" 0%")), (6, 6, 1, 1));
        let mut facts = Vec::new();
        recording.set(Input::Door, true);
        let told = show_panel(board.as_mut(), &mut facts);
        assert_eq!(told, Err(Outcome::Attention("panel-door-open")));
        recording.set(Input::Tamper, true);
        let told = show_panel(board.as_mut(), &mut facts);
        assert_eq!(told, Err(Outcome::Attention("panel-case-open")));
        assert!(facts.contains(&("door", "active".into())), "{facts:?}");
        recording.plug(false);
        let told = show_panel(board.as_mut(), &mut facts);
        assert_eq!(told, Err(Outcome::Fails("panel-unplugged")));
    }

    #[test]
    fn the_speaker_plays_its_tone_and_misses_recordings() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("played.raw");
        let device = format!("file:FILE='{}',FORMAT=raw", out.display());
        let config = SpeakerConfig { device, prompts: folder.path().into(), volume: 80 };
        let missing = speaker(&config, &["lay-card"]);
        assert_eq!(missing.outcome, Outcome::Attention("speaker-prompts-missing"));
        assert!(std::fs::metadata(&out).unwrap().len() > 10_000, "a tone was played");
        std::fs::write(folder.path().join("lay-card.wav"), "").unwrap();
        assert_eq!(speaker(&config, &["lay-card"]).outcome, Outcome::Works);
        let mute = SpeakerConfig { volume: 0, ..config.clone() };
        assert_eq!(speaker(&mute, &[]).outcome.code(), "speaker-mute");
        let none = SpeakerConfig { device: "no-such-device".into(), ..config };
        assert_eq!(speaker(&none, &[]).outcome, Outcome::Fails("speaker-missing"));
    }

    #[test]
    fn power_and_clock_are_judged_by_what_is_told() {
        let report = |supply, percent| {
            let battery = Some(Battery { percent, flow: Flow::Discharging });
            PowerReport { mains: Some(false), battery, supply }
        };
        let judged = |supply, percent| judge_power(report(supply, percent), &mut Vec::new());
        assert_eq!(judged(Supply::Battery, Some(70)), Ok(()));
        let low = Outcome::Attention("power-battery-low");
        assert_eq!(judged(Supply::Low, Some(15)), Err(low));
        let critical = Outcome::Fails("power-battery-critical");
        assert_eq!(judged(Supply::Critical, Some(5)), Err(critical));
        let silent = Outcome::Attention("power-gauge-silent");
        assert_eq!(judged(Supply::Battery, None), Err(silent));

        let times = Times { wall_ms: 1_780_000_000_000, boot_ms: 10_000 };
        let runs = |low| Rtc::Runs { ahead_ms: 400, is_battery_low: low };
        let judged = |rtc, is_unset| {
            let report = ClockReport { times, rtc, sync: Sync::Free, jump_ms: None, is_unset };
            judge_clock(&report, &mut Vec::new())
        };
        assert_eq!(judged(runs(None), false), Ok(()));
        let low = Outcome::Attention("clock-chip-battery-low");
        assert_eq!(judged(runs(Some(true)), false), Err(low));
        let lost = Outcome::Attention("clock-chip-lost-time");
        assert_eq!(judged(Rtc::LostTime, false), Err(lost));
        assert_eq!(judged(Rtc::LostTime, true), Err(Outcome::Fails("clock-unset")));
    }

    #[test]
    fn every_code_is_in_the_list_once() {
        let missing = || Arc::new(std::io::ErrorKind::NotFound.into());
        let text = String::new;
        let panel = [
            PanelError::Unplugged(None),
            PanelError::LineMissing(text()),
            PanelError::LineBusy(text()),
            PanelError::Forbidden,
            PanelError::Settings(text()),
            PanelError::PwmMissing(missing()),
        ];
        let display = [
            DisplayError::Unplugged(text()),
            DisplayError::Settings(text()),
            DisplayError::Line(PanelError::Forbidden),
        ];
        let speaker = [
            SpeakerError::Missing(text()),
            SpeakerError::Busy,
            SpeakerError::Stalled,
            SpeakerError::Failed(text()),
            SpeakerError::Recording(text()),
        ];
        let doubts =
            [Doubt::Unset, Doubt::RtcLostTime, Doubt::NoSource, Doubt::RtcDisagrees, Doubt::Jumped];
        let mut told: Vec<&str> = panel.iter().map(PanelError::code).collect();
        told.extend(display.iter().map(DisplayError::code));
        told.extend(speaker.iter().map(SpeakerError::code));
        told.extend(doubts.iter().map(|doubt| doubt.code()));
        told.extend([Supply::Low.code(), Supply::Critical.code()]);
        for code in told {
            assert!(CODES.contains(&code), "{code} is not listed");
        }
        assert_eq!(BTreeSet::from(CODES).len(), CODES.len());
    }

    struct Grey(Option<u8>);

    impl Camera for Grey {
        fn latest(&mut self, _deadline: Instant) -> Result<Frame, CameraError> {
            let grey = self.0.ok_or(CameraError::Stalled)?;
            Ok(Frame {
                image: RgbImage::from_pixel(4, 4, Rgb([grey; 3])),
                captured_ms: 0,
                latency: None,
                index: 0,
            })
        }
    }
}
