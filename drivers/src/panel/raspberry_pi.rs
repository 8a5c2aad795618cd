//! The panel over the registers of a Raspberry Pi, for the kernels of its maker. Lines are
//! named as that kernel names them, `GPIO0` to `GPIO27`. On other kernels the registers
//! may not be opened; the GPIO character device does the same there.

use std::io;
use std::time::{Duration, Instant};

use rppal::gpio::{Error, Gpio, InputPin, OutputPin, Trigger};

use super::pwm::{Pwm, SOFT_PERIOD};
use super::{Board, Input, Inputs, Light, Line, Output, PanelConfig, PanelError, Pull, Watched};

/// Pins of a Raspberry Pi.
pub struct RaspberryPi {
    gpio: Gpio,
    outputs: Vec<(Output, Wired<OutputPin>)>,
    inputs: Vec<(Input, Wired<InputPin>)>,
    light: Option<Dimmer>,
}

/// A pin and whether low is active.
struct Wired<P> {
    pin: P,
    is_active_low: bool,
}

enum Dimmer {
    Kernel(Pwm),
    Pin(Wired<OutputPin>),
}

impl RaspberryPi {
    /// Takes all pins of `config`; outputs are inactive at first.
    pub fn open(config: &PanelConfig) -> Result<Self, PanelError> {
        let gpio = Gpio::new().map_err(|error| told("", error))?;
        let mut outputs = Vec::new();
        for (output, line) in config.outputs() {
            outputs.push((output, take_output(&gpio, line)?));
        }
        let mut inputs = Vec::new();
        for (input, line) in config.inputs() {
            inputs.push((input, take_input(&gpio, line)?));
        }
        let light = match &config.light {
            None => None,
            Some(Light::Pwm(channel)) => Some(Dimmer::Kernel(Pwm::open(channel)?)),
            Some(Light::Line(line)) => Some(Dimmer::Pin(take_output(&gpio, line)?)),
        };
        Ok(Self { gpio, outputs, inputs, light })
    }

    /// Takes the edges since the last time, the first of them after at most `patience`.
    fn edges(&self, patience: Duration) -> Result<Inputs, PanelError> {
        let mut touched = Inputs::default();
        let pins: Vec<&InputPin> = self.inputs.iter().map(|(_, wired)| &wired.pin).collect();
        if pins.is_empty() {
            std::thread::sleep(patience);
            return Ok(touched);
        }
        let by = Instant::now() + patience;
        for _ in 0..EDGES_MAX {
            let left = by.saturating_duration_since(Instant::now());
            let edge = self.gpio.poll_interrupts(&pins, false, Some(left));
            let Some((pin, event)) = edge.map_err(|error| told("", error))? else {
                break;
            };
            let of_pin = |(_, wired): &&(Input, Wired<InputPin>)| wired.pin.pin() == pin.pin();
            if let Some((input, wired)) = self.inputs.iter().find(of_pin) {
                let is_high = event.trigger == Trigger::RisingEdge;
                if is_high != wired.is_active_low {
                    touched.set(*input, true);
                }
            }
            // One edge is enough to look at all inputs; the others are taken without waiting.
            if left.is_zero() {
                continue;
            }
            return self.edges(Duration::ZERO).map(|more| either(touched, more));
        }
        Ok(touched)
    }
}

impl Board for RaspberryPi {
    fn drive(&mut self, output: Output, is_on: bool) -> Result<(), PanelError> {
        if let Some((_, wired)) = self.outputs.iter_mut().find(|(known, _)| *known == output) {
            wired.set(is_on);
        }
        Ok(())
    }

    fn light(&mut self, percent: u8) -> Result<(), PanelError> {
        match &mut self.light {
            Some(Dimmer::Kernel(pwm)) => pwm.set(percent),
            Some(Dimmer::Pin(wired)) => wired.dim(percent),
            None => Ok(()),
        }
    }

    fn watch(&mut self, patience: Duration) -> Result<Watched, PanelError> {
        let mut watched = Watched { touched: self.edges(patience)?, ..Watched::default() };
        for (input, wired) in &self.inputs {
            let is_active = wired.pin.is_high() != wired.is_active_low;
            watched.now.set(*input, is_active);
            if is_active {
                watched.touched.set(*input, true);
            }
        }
        Ok(watched)
    }
}

impl Drop for RaspberryPi {
    fn drop(&mut self) {
        for (_, wired) in &mut self.outputs {
            wired.set(false);
        }
    }
}

impl Wired<OutputPin> {
    fn set(&mut self, is_on: bool) {
        match is_on != self.is_active_low {
            true => self.pin.set_high(),
            false => self.pin.set_low(),
        }
    }

    fn dim(&mut self, percent: u8) -> Result<(), PanelError> {
        if percent == 0 || percent >= 100 {
            self.pin.clear_pwm().map_err(|error| told("", error))?;
            self.set(percent > 0);
            return Ok(());
        }
        let high = if self.is_active_low { 100 - percent } else { percent };
        let width = SOFT_PERIOD * u32::from(high) / 100;
        self.pin.set_pwm(SOFT_PERIOD, width).map_err(|error| told("", error))
    }
}

fn take_output(gpio: &Gpio, line: &Line) -> Result<Wired<OutputPin>, PanelError> {
    let pin = gpio.get(number(line)?).map_err(|error| told(&line.name, error))?;
    let is_active_low = line.is_active_low;
    let pin = if is_active_low { pin.into_output_high() } else { pin.into_output_low() };
    Ok(Wired { pin, is_active_low })
}

fn take_input(gpio: &Gpio, line: &Line) -> Result<Wired<InputPin>, PanelError> {
    let pin = gpio.get(number(line)?).map_err(|error| told(&line.name, error))?;
    let mut pin = match line.pull {
        Pull::None => pin.into_input(),
        Pull::Up => pin.into_input_pullup(),
        Pull::Down => pin.into_input_pulldown(),
    };
    let told = |error| told(&line.name, error);
    pin.set_interrupt(Trigger::Both, None).map_err(told)?;
    Ok(Wired { pin, is_active_low: line.is_active_low })
}

/// The number in `GPIO17`.
fn number(line: &Line) -> Result<u8, PanelError> {
    let number = line.name.strip_prefix("GPIO").and_then(|digits| digits.parse().ok());
    number.filter(|n| *n <= GPIO_MAX).ok_or_else(|| PanelError::LineMissing(line.name.clone()))
}

fn either(a: Inputs, b: Inputs) -> Inputs {
    let or = |a: Option<bool>, b: Option<bool>| a.or(b);
    Inputs {
        tamper: or(a.tamper, b.tamper),
        door: or(a.door, b.door),
        presence: or(a.presence, b.presence),
    }
}

fn told(name: &str, error: Error) -> PanelError {
    match error {
        Error::UnknownModel => PanelError::Unplugged(None),
        Error::PinUsed(_) => PanelError::LineBusy(name.into()),
        Error::PinNotAvailable(_) => PanelError::LineMissing(name.into()),
        Error::PermissionDenied(_) => PanelError::Forbidden,
        Error::Io(error) => PanelError::unplugged(error),
        Error::ThreadPanic => PanelError::unplugged(io::Error::other(error)),
    }
}

/// The last pin of the header.
const GPIO_MAX: u8 = 27;
const EDGES_MAX: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_named_as_the_kernel_names_them() {
        let code = |name: &str| number(&Line::named(name)).map_err(|error| error.code());
        assert_eq!(code("GPIO17"), Ok(17));
        for name in ["GPIO28", "GPIO300", "GPIO-1", "17", "GPIO", "BUZZER"] {
            assert_eq!(code(name), Err("panel-line-missing"), "{name}");
        }
    }

    #[test]
    fn another_machine_is_no_raspberry_pi() {
        if std::path::Path::new("/proc/device-tree/model").exists() {
            eprintln!("SKIPPED: this machine has a device tree and may be a Raspberry Pi");
            return;
        }
        let code = RaspberryPi::open(&PanelConfig::default()).err().unwrap().code();
        assert_eq!(code, "panel-unplugged");
    }
}
