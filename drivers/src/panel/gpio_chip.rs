//! The panel over the kernel's GPIO character device. Lines are found by their names,
//! whatever chip they are on; edges are kept by the kernel, so none is missed.

use std::io;
use std::time::Duration;

use gpiocdev::line::{Bias, EdgeDetection, EdgeKind, Value};
use gpiocdev::{FoundLine, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::pwm::{Pwm, SOFT_PERIOD, SoftPwm};
use super::{Board, Input, Light, Line, Output, PanelConfig, PanelError, Pull, Watched};

/// Lines of GPIO chips.
pub struct GpioChip {
    outputs: Vec<(Output, Pin)>,
    inputs: Vec<(Input, Pin)>,
    light: Option<Dimmer>,
}

impl GpioChip {
    /// Takes all lines of `config`; outputs are inactive at first.
    pub fn open(config: &PanelConfig) -> Result<Self, PanelError> {
        let outputs = config.outputs().map(|(output, line)| Ok((output, Pin::output(line)?)));
        let inputs = config.inputs().map(|(input, line)| Ok((input, Pin::input(line)?)));
        Ok(Self {
            outputs: outputs.collect::<Result<_, PanelError>>()?,
            inputs: inputs.collect::<Result<_, PanelError>>()?,
            light: config.light.as_ref().map(Dimmer::open).transpose()?,
        })
    }

    /// Waits until an input has an edge.
    fn wait(&self, patience: Duration) -> Result<(), PanelError> {
        let requests = self.inputs.iter().map(|(_, pin)| &pin.request);
        let mut fds: Vec<_> = requests.map(|r| PollFd::new(r, PollFlags::IN)).collect();
        let patience = Timespec::try_from(patience.min(WAIT_MAX));
        let patience = patience.expect("a wait of at most a minute fits a timespec");
        match poll(&mut fds, Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(PanelError::unplugged(error.into())),
        }
    }
}

impl Board for GpioChip {
    fn drive(&mut self, output: Output, is_on: bool) -> Result<(), PanelError> {
        match self.outputs.iter().find(|(known, _)| *known == output) {
            Some((_, pin)) => pin.set(is_on),
            None => Ok(()),
        }
    }

    fn light(&mut self, percent: u8) -> Result<(), PanelError> {
        match &self.light {
            Some(Dimmer::Kernel(pwm)) => pwm.set(percent),
            Some(Dimmer::Thread(pwm)) => pwm.set(percent),
            None => Ok(()),
        }
    }

    fn watch(&mut self, patience: Duration) -> Result<Watched, PanelError> {
        self.wait(patience)?;
        let mut watched = Watched::default();
        for (input, pin) in &self.inputs {
            let was_active = pin.drain()?;
            let is_active = pin.get()?;
            watched.now.set(*input, is_active);
            watched.touched.set(*input, was_active || is_active);
        }
        Ok(watched)
    }
}

impl Drop for GpioChip {
    fn drop(&mut self) {
        // A released line keeps its level; a lamp must not stay lit.
        for (_, pin) in &self.outputs {
            let _ = pin.set(false);
        }
    }
}

/// A line by its name, as an output that drivers of other devices can use.
#[derive(Debug)]
pub struct Pin {
    name: String,
    request: Request,
}

impl Pin {
    /// Takes a line as an output, inactive at first.
    pub fn output(line: &Line) -> Result<Self, PanelError> {
        let found = find(&line.name)?;
        let mut builder = Request::builder();
        builder.with_consumer(CONSUMER).with_found_line(&found).as_output(Value::Inactive);
        Self::request(line, builder)
    }

    fn input(line: &Line) -> Result<Self, PanelError> {
        let found = find(&line.name)?;
        let mut builder = Request::builder();
        builder.with_consumer(CONSUMER).with_found_line(&found).as_input();
        builder.with_edge_detection(EdgeDetection::BothEdges);
        match line.pull {
            Pull::None => {}
            Pull::Up => _ = builder.with_bias(Bias::PullUp),
            Pull::Down => _ = builder.with_bias(Bias::PullDown),
        }
        Self::request(line, builder)
    }

    fn request(line: &Line, mut builder: gpiocdev::request::Builder) -> Result<Self, PanelError> {
        if line.is_active_low {
            builder.as_active_low();
        }
        let request = builder.request().map_err(|error| told(&line.name, error))?;
        Ok(Self { name: line.name.clone(), request })
    }

    /// Switches an output.
    pub fn set(&self, is_on: bool) -> Result<(), PanelError> {
        let value = if is_on { Value::Active } else { Value::Inactive };
        self.request.set_lone_value(value).map_err(|error| told(&self.name, error))
    }

    fn get(&self) -> Result<bool, PanelError> {
        let value = self.request.lone_value().map_err(|error| told(&self.name, error))?;
        Ok(value == Value::Active)
    }

    /// Takes the edges that the kernel kept, at most as many as it keeps, and tells whether
    /// the line was active at some moment.
    fn drain(&self) -> Result<bool, PanelError> {
        let told = |error| told(&self.name, error);
        let mut was_active = false;
        for _ in 0..EDGES_MAX {
            if !self.request.has_edge_event().map_err(told)? {
                break;
            }
            let edge = self.request.read_edge_event().map_err(told)?;
            was_active |= edge.kind == EdgeKind::Rising;
        }
        Ok(was_active)
    }
}

enum Dimmer {
    Kernel(Pwm),
    Thread(SoftPwm),
}

impl Dimmer {
    fn open(light: &Light) -> Result<Self, PanelError> {
        Ok(match light {
            Light::Pwm(channel) => Self::Kernel(Pwm::open(channel)?),
            Light::Line(line) => {
                let pin = Pin::output(line)?;
                Self::Thread(SoftPwm::start(SOFT_PERIOD, move |is_on| pin.set(is_on)))
            }
        })
    }
}

fn find(name: &str) -> Result<FoundLine, PanelError> {
    let names = [name];
    let found = gpiocdev::find_named_lines(&names, true);
    let found = found.map_err(|error| told(name, error))?.remove(name);
    let found = found.ok_or_else(|| PanelError::LineMissing(name.into()))?;
    match found.info.used {
        true => Err(PanelError::LineBusy(name.into())),
        false => Ok(found),
    }
}

fn told(name: &str, error: gpiocdev::Error) -> PanelError {
    match error {
        gpiocdev::Error::NonuniqueLineName(_) => {
            PanelError::Settings(format!("{name} is the name of several lines"))
        }
        // Chips that may not be opened are passed over, as if there were none.
        gpiocdev::Error::NoGpioChips() if has_chips() => PanelError::Forbidden,
        gpiocdev::Error::NoGpioChips() => PanelError::Unplugged(None),
        error => PanelError::unplugged(io::Error::other(error)),
    }
}

fn has_chips() -> bool {
    gpiocdev::chip::chips().is_ok_and(|chips| !chips.is_empty())
}

const CONSUMER: &str = "kiosk";
/// The kernel keeps 16 edges a line.
const EDGES_MAX: u32 = 16;
const WAIT_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::{Change, Lamp, Panel};
    use std::fs;
    use std::path::{Path, PathBuf};

    #[test]
    fn lines_that_are_not_there_are_told() {
        let config = PanelConfig {
            lamps: vec![(Lamp::Card, Line::named("NO-SUCH-LINE"))],
            ..PanelConfig::default()
        };
        let code = GpioChip::open(&config).err().unwrap().code();
        assert!(["panel-unplugged", "panel-line-missing"].contains(&code), "{code}");
    }

    /// Against the kernel's own simulator of GPIO chips, where there is one.
    #[test]
    fn lamps_and_switches_work_on_a_simulated_chip() {
        let Some(sim) = Sim::make() else {
            eprintln!("SKIPPED: this kernel has no gpio-sim under {CONFIGFS}, or we may not");
            return;
        };
        let mut tamper = Line::named("CQ-TAMPER");
        tamper.is_active_low = true;
        let config = PanelConfig {
            lamps: vec![(Lamp::Card, Line::named("CQ-LAMP"))],
            light: Some(Light::Line(Line::named("CQ-LIGHT"))),
            tamper: Some(tamper),
            presence: Some(Line::named("CQ-PRESENCE")),
            ..PanelConfig::default()
        };
        sim.pull(TAMPER, true);
        let of_panel = config.clone();
        let mut panel = Panel::over(Box::new(move || of_panel.open()), Duration::ZERO);
        panel.lamp(Lamp::Card, crate::panel::Glow::On);
        panel.light(100);
        let began = panel.turn(Duration::ZERO).unwrap();
        let inactive = |input| Change { input, is_active: false };
        assert_eq!(began, [inactive(Input::Tamper), inactive(Input::Presence)]);
        assert!(sim.level(LAMP));
        // Shut again before anybody looked: the kernel kept the edge.
        sim.pull(TAMPER, false);
        sim.pull(TAMPER, true);
        let opened = Change { input: Input::Tamper, is_active: true };
        assert_eq!(panel.turn(Duration::from_secs(5)).unwrap(), [opened]);
        while !sim.level(LIGHT) {
            panel.turn(Duration::from_millis(20)).unwrap();
        }
        assert_eq!(GpioChip::open(&config).err().unwrap().code(), "panel-line-busy");
        sim.plug(false);
        assert_eq!(panel.turn(Duration::ZERO).unwrap_err().code(), "panel-unplugged");
        assert_eq!(panel.turn(Duration::ZERO).unwrap_err().code(), "panel-unplugged");
        sim.plug(true);
        panel.turn(Duration::ZERO).unwrap();
        assert!(sim.level(LAMP), "the lamp is lit again");
        drop(panel);
        assert!(!sim.level(LAMP), "a lamp does not stay lit");
        assert!(!sim.level(LIGHT));
    }

    const CONFIGFS: &str = "/sys/kernel/config/gpio-sim";
    const LAMP: u32 = 0;
    const TAMPER: u32 = 1;
    const PRESENCE: u32 = 2;
    const LIGHT: u32 = 3;

    /// A chip of `gpio-sim` with four named lines; it goes with the test.
    struct Sim {
        config: PathBuf,
    }

    impl Sim {
        fn make() -> Option<Self> {
            let config = Path::new(CONFIGFS).join(format!("changqing-{}", std::process::id()));
            fs::create_dir(&config).ok()?;
            let bank = config.join("bank");
            fs::create_dir(&bank).ok()?;
            fs::write(bank.join("num_lines"), "4").ok()?;
            let names =
                [(LAMP, "LAMP"), (TAMPER, "TAMPER"), (PRESENCE, "PRESENCE"), (LIGHT, "LIGHT")];
            for (line, name) in names {
                let folder = bank.join(format!("line{line}"));
                fs::create_dir(&folder).ok()?;
                fs::write(folder.join("name"), format!("CQ-{name}")).ok()?;
            }
            let sim = Self { config };
            fs::write(sim.config.join("live"), "1").ok()?;
            Some(sim)
        }

        /// Takes the chip away or puts it back.
        fn plug(&self, is_plugged: bool) {
            fs::write(self.config.join("live"), if is_plugged { "1" } else { "0" }).unwrap();
        }

        /// Where the test's side of a line is.
        fn line(&self, line: u32) -> PathBuf {
            let read = |file: &str| fs::read_to_string(self.config.join(file)).unwrap();
            let (device, chip) = (read("dev_name"), read("bank/chip_name"));
            let chip = Path::new("/sys/devices/platform").join(device.trim()).join(chip.trim());
            chip.join(format!("sim_gpio{line}"))
        }

        fn pull(&self, line: u32, is_high: bool) {
            let pull = if is_high { "pull-up" } else { "pull-down" };
            fs::write(self.line(line).join("pull"), pull).unwrap();
        }

        fn level(&self, line: u32) -> bool {
            fs::read_to_string(self.line(line).join("value")).unwrap().trim() == "1"
        }
    }

    impl Drop for Sim {
        fn drop(&mut self) {
            let _ = fs::write(self.config.join("live"), "0");
            for folder in ["bank/line0", "bank/line1", "bank/line2", "bank/line3", "bank", ""] {
                let _ = fs::remove_dir(self.config.join(folder));
            }
        }
    }
}
