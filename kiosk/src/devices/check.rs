//! The morning check of the devices in the settings, as data: for the command line and for a screen. Each check has a
//! thread of its own and five seconds; whoever waits for it does not depend on the device to end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use drivers::clock::ClockWatch;
use drivers::fingerprint::{self, profile::Profile};
use drivers::id_card;
use drivers::link::LinkConfig;
use drivers::photo::PhotoDecoder;
use drivers::power::PowerWatch;
use drivers::selftest::{self, Checked, Outcome};
use drivers::{livescan, photo_loader, printer, social_card};
use kiosk_core::outcome::Tone;
use kiosk_core::view::DeviceLine;
use serde::Serialize;

use crate::config::{CameraConfig, Config};
use crate::devices::words::{self, Words};
use crate::rooms::guide;
use crate::shell::real_camera;

/// How one device is, in words. Nothing in it is about a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checkup {
    /// Its name on the command line.
    pub device: &'static str,
    /// Its name for people.
    pub name: Words,
    /// Whether somebody has to do something.
    pub state: State,
    /// The code for support; `ok` when it works.
    pub code: String,
    /// What was found.
    pub what: Words,
    /// What to do; nothing when it works.
    pub todo: Option<Words>,
    /// For support: line speed, serial number of the reader's module, brightness.
    pub facts: BTreeMap<&'static str, String>,
    /// How long the check took.
    pub took_ms: u64,
}

/// Whether somebody has to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Fit for the day.
    Works,
    /// Works, and somebody should see to it.
    Attention,
    /// Does not work.
    Fails,
}

/// A device that can be checked.
pub struct Device {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its check, if it is in the settings.
    prepare: fn(&Config) -> Option<Check>,
}

/// A check that is ready to run.
type Check = Box<dyn FnOnce() -> Checked + Send>;

/// All devices, in the order they are shown. Whoever adds one adds its words to `words.toml`.
pub static DEVICES: [Device; 12] = [
    Device { name: "id-card", prepare: prepare_id_card },
    Device { name: "photo-decoder", prepare: prepare_photo },
    Device { name: "social-card", prepare: prepare_social_card },
    Device { name: "fingerprint", prepare: prepare_fingerprint },
    Device { name: "camera", prepare: prepare_camera },
    Device { name: "document-camera", prepare: prepare_document_camera },
    Device { name: "printer", prepare: prepare_printer },
    Device { name: "panel", prepare: prepare_panel },
    Device { name: "customer-display", prepare: prepare_customer_display },
    Device { name: "speaker", prepare: prepare_speaker },
    Device { name: "power", prepare: prepare_power },
    Device { name: "clock", prepare: prepare_clock },
];

/// Checks all devices of the settings at the same time, or only the one named. It ends within [`CHECK_MAX`] or little
/// more. A device must not be in use meanwhile: a serial port has one owner.
pub fn run(config: &Config, only: Option<&str>) -> Vec<Checkup> {
    let wanted = DEVICES.iter().filter(|device| only.is_none_or(|name| name == device.name));
    let checks = wanted.filter_map(|device| Some((device.name, (device.prepare)(config)?)));
    carry_out(checks.collect(), CHECK_MAX)
}

/// The same for the screen: what somebody has to see to comes first.
pub fn lines(mut checkups: Vec<Checkup>) -> Vec<DeviceLine> {
    checkups.sort_by_key(|checkup| match checkup.state {
        State::Fails => 0,
        State::Attention => 1,
        State::Works => 2,
    });
    checkups.into_iter().map(Checkup::line).collect()
}

fn carry_out(checks: Vec<(&'static str, Check)>, limit: Duration) -> Vec<Checkup> {
    let began = Instant::now();
    let start = |(device, check): (&'static str, Check)| {
        let (done, result) = mpsc::channel();
        // A check that hangs keeps its thread and its port; the rest of the program goes on.
        let started = thread::Builder::new()
            .name(format!("check-{device}"))
            .spawn(move || drop(done.send(check())));
        started.expect("the system has a thread to give");
        (device, result)
    };
    let running: Vec<_> = checks.into_iter().map(start).collect();
    let finish = |(device, result): (&'static str, mpsc::Receiver<Checked>)| {
        let left = limit.saturating_sub(began.elapsed());
        let unfinished = |code| Checked {
            device,
            outcome: Outcome::Fails(code),
            facts: Vec::new(),
            took: began.elapsed(),
        };
        let checked = result.recv_timeout(left).unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => unfinished(TOO_LATE),
            RecvTimeoutError::Disconnected => unfinished(FELL_OVER),
        });
        Checkup::of(device, checked)
    };
    running.into_iter().map(finish).collect()
}

impl Checkup {
    fn line(self) -> DeviceLine {
        let said = |Words { zh, en }: Words| kiosk_core::policy::Words { zh, en };
        DeviceLine {
            name: said(self.name),
            tone: match self.state {
                State::Works => Tone::Good,
                State::Attention => Tone::Waiting,
                State::Fails => Tone::Stopped,
            },
            what: said(self.what),
            todo: self.todo.map(said),
            code: self.code,
        }
    }

    fn of(device: &'static str, checked: Checked) -> Self {
        let code = checked.outcome.code();
        let (what, todo) = words::of_code(code);
        Self {
            device,
            name: words::of_device(device),
            state: match checked.outcome {
                Outcome::Works => State::Works,
                Outcome::Attention(_) => State::Attention,
                Outcome::Fails(_) => State::Fails,
            },
            code: code.to_owned(),
            what,
            todo,
            facts: checked.facts.into_iter().collect(),
            took_ms: u64::try_from(checked.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

fn prepare_id_card(config: &Config) -> Option<Check> {
    let link = LinkConfig::serial(&config.id_card.as_ref()?.port);
    Some(Box::new(move || selftest::id_card(&link, id_card::Settings::default())))
}

fn prepare_photo(config: &Config) -> Option<Check> {
    let program = config.id_card.as_ref()?.photo_decoder.clone();
    let file = Path::new(program.first()?).file_name()?;
    // A vendor's library need not survive a block that is not real; our loader of it can be asked.
    if file == LOADER {
        return Some(Box::new(move || photo_loader::check(&program)));
    }
    Some(Box::new(|| selftest::photo(&PhotoDecoder::new(program))))
}

fn prepare_fingerprint(config: &Config) -> Option<Check> {
    let config = config.fingerprint.as_ref()?;
    if let Some(livescan) = &config.livescan {
        let settings = livescan.settings();
        return Some(Box::new(move || livescan::check(settings)));
    }
    let link = LinkConfig::serial(config.port.as_ref()?);
    let Some(profile) = Profile::named(&config.profile) else {
        return Some(Box::new(|| failed("fingerprint", "finger-reader-profile-unknown")));
    };
    let settings = fingerprint::Settings { profile, ..fingerprint::Settings::default() };
    Some(Box::new(move || selftest::fingerprint(&link, settings)))
}

fn prepare_camera(config: &Config) -> Option<Check> {
    look_through(config.camera.clone()?)
}

fn prepare_document_camera(config: &Config) -> Option<Check> {
    look_through(config.document_camera.clone()?)
}

fn look_through(config: CameraConfig) -> Option<Check> {
    Some(Box::new(move || match real_camera(Some(&config)) {
        Ok(mut camera) => selftest::camera(&mut *camera),
        Err(_) => failed("camera", "camera-unplugged"),
    }))
}

fn prepare_printer(config: &Config) -> Option<Check> {
    let config = config.printer.as_ref()?;
    let link = LinkConfig::serial(&config.port);
    let (baud_hz, width_dots) = (config.baud_hz, config.width_dots);
    let settings = printer::Settings { baud_hz, width_dots, ..printer::Settings::default() };
    Some(Box::new(move || selftest::printer(&link, settings)))
}

fn prepare_social_card(config: &Config) -> Option<Check> {
    let settings = config.social_card.as_ref()?.settings();
    Some(Box::new(move || social_card::check(settings)))
}

fn prepare_panel(config: &Config) -> Option<Check> {
    let settings = config.panel.as_ref()?.settings();
    Some(Box::new(move || selftest::panel(&settings)))
}

fn prepare_customer_display(config: &Config) -> Option<Check> {
    let settings = config.customer_display.as_ref()?.settings();
    Some(Box::new(move || selftest::customer_display(&settings)))
}

fn prepare_speaker(config: &Config) -> Option<Check> {
    let settings = config.speaker.as_ref()?.settings();
    let wanted: Vec<&str> = guide::spoken().map(|id| id.name()).collect();
    Some(Box::new(move || selftest::speaker(&settings, &wanted)))
}

/// Every terminal has some power.
fn prepare_power(config: &Config) -> Option<Check> {
    let mut watch = PowerWatch::over(&config.power.folder, config.power.limits());
    // A single reading that says critical is not believed.
    watch.look();
    Some(Box::new(move || selftest::power(&mut watch)))
}

/// Every terminal has some clock.
fn prepare_clock(_: &Config) -> Option<Check> {
    Some(Box::new(|| selftest::clock(&mut ClockWatch::new(OLDEST))))
}

fn failed(device: &'static str, code: &'static str) -> Checked {
    let (outcome, facts) = (Outcome::Fails(code), Vec::new());
    Checked { device, outcome, facts, took: Duration::ZERO }
}

/// Longest time for a device.
pub const CHECK_MAX: Duration = Duration::from_secs(5);
/// 2026-01-01 UTC: this program is younger than that.
pub const OLDEST: Duration = Duration::from_secs(1_767_225_600);
/// The program of ours that loads a vendor's library.
const LOADER: &str = "photo-decoder";
const TOO_LATE: &str = "check-too-late";
const FELL_OVER: &str = "check-fell-over";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_hangs_is_told_and_does_not_hold_the_others() {
        let (_held, gate) = mpsc::channel::<()>();
        let hangs: Check = Box::new(move || {
            let _ = gate.recv();
            failed("id-card", "never-told")
        });
        let told = carry_out(vec![("id-card", hangs)], Duration::ZERO);
        assert_eq!((told[0].code.as_str(), told[0].state), ("check-too-late", State::Fails));
    }

    #[test]
    fn a_check_that_falls_over_is_told_and_the_others_go_on() {
        let falls: Check = Box::new(|| panic!("a check that falls over, for this test"));
        let works: Check = Box::new(|| Checked { outcome: Outcome::Works, ..failed("camera", "") });
        let checks = vec![("printer", falls), ("camera", works)];
        let checkups = carry_out(checks, Duration::from_secs(600));
        let told: Vec<_> = checkups.iter().map(|c| (c.device, c.code.as_str(), c.state)).collect();
        let expected =
            [("printer", "check-fell-over", State::Fails), ("camera", "ok", State::Works)];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_has_to_be_seen_to_comes_first_on_the_screen() {
        let outcomes = [Outcome::Works, Outcome::Attention("a-b"), Outcome::Fails("c-d")];
        let checkup =
            |outcome| Checkup::of("printer", Checked { outcome, ..failed("printer", "") });
        let tones: Vec<Tone> =
            lines(outcomes.map(checkup).into()).into_iter().map(|line| line.tone).collect();
        assert_eq!(tones, [Tone::Stopped, Tone::Waiting, Tone::Good]);
    }

    #[test]
    fn every_device_has_a_name_in_both_languages() {
        for device in &DEVICES {
            assert_ne!(words::of_device(device.name).zh, device.name, "{}", device.name);
        }
    }
}
