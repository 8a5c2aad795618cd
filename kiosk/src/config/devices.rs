//! Settings of the devices beside card reader, camera and printer, and what they mean to the drivers.

use std::path::PathBuf;
use std::time::Duration;

use drivers::display::{self, Ssd1306Config, St7789Config};
use drivers::panel::{self, BoardKind, Lamp};
use drivers::power::PowerLimits;
use drivers::{livescan, social_card, speaker};
use serde::Deserialize;

/// `[fingerprint.livescan]`: a scanner that its maker's library drives.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LivescanConfig {
    /// Our plug-in and its arguments, the maker's library among them.
    pub command: Vec<String>,
    /// Which window of a scanner that has several.
    #[serde(default)]
    pub channel: u8,
    /// Pixels an inch.
    #[serde(default = "livescan_ppi")]
    pub ppi: u32,
    /// The lowest row comes first.
    #[serde(default)]
    pub bottom_first: bool,
    /// Codes by which this maker says that no finger is there.
    #[serde(default)]
    pub no_finger_codes: Vec<i32>,
}

/// `[social_card]`: a PC/SC reader for social-security cards.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocialCardConfig {
    /// A part of the reader's name; none takes the first.
    pub reader: Option<String>,
}

/// `[speaker]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeakerConfig {
    /// The folder of the recordings, `ID.wav`.
    pub prompts: PathBuf,
    /// ALSA's name of the device.
    #[serde(default = "sound_device")]
    pub device: String,
    /// Loudness, 0 to 100.
    #[serde(default = "volume")]
    pub volume: u8,
}

/// `[panel]`: what the board of the case does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PanelConfig {
    /// How lines are reached.
    #[serde(default)]
    pub board: Board,
    /// Lamp beside the place for the card.
    pub card_lamp: Option<Line>,
    /// Lamp beside the fingerprint module.
    pub finger_lamp: Option<Line>,
    /// Lamp beside the slot of the slip.
    pub slip_lamp: Option<Line>,
    /// Green: ready.
    pub ready_lamp: Option<Line>,
    /// Red: something is wrong.
    pub trouble_lamp: Option<Line>,
    /// The buzzer.
    pub buzzer: Option<Line>,
    /// The light on the face.
    pub fill_light: Option<FillLight>,
    /// How bright it is while somebody is looked at, 0 to 100.
    #[serde(default = "fill_percent")]
    pub fill_percent: u8,
    /// The switch that opens with the case.
    pub tamper: Option<Line>,
    /// The switch of the service door.
    pub door: Option<Line>,
    /// The sensor that sees somebody come.
    pub presence: Option<Line>,
}

/// How lines are reached.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Board {
    /// The kernel's GPIO character device.
    #[default]
    GpioChip,
    /// The registers of a Raspberry Pi.
    RaspberryPi,
}

/// A line of the board.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The kernel's name of it.
    pub name: String,
    /// Whether a low level counts as active.
    #[serde(default)]
    pub active_low: bool,
    /// The resistor of an input.
    #[serde(default)]
    pub pull: Pull,
}

/// The resistor of an input.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pull {
    /// None.
    #[default]
    None,
    /// To the supply.
    Up,
    /// To ground.
    Down,
}

/// How the light on the face is dimmed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FillLight {
    /// By switching a line.
    Line(Line),
    /// By a PWM channel of the kernel.
    Pwm(Pwm),
}

/// A PWM channel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pwm {
    /// Number of the chip.
    #[serde(default)]
    pub chip: u32,
    /// Number of the channel on its chip.
    #[serde(default)]
    pub channel: u32,
    /// Microseconds of one on-and-off.
    #[serde(default = "pwm_period_us")]
    pub period_us: u64,
    /// Whether the light is on while the line is low.
    #[serde(default)]
    pub inverted: bool,
}

/// `[customer_display.st7789]` or `[customer_display.ssd1306]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CustomerDisplayConfig {
    /// A colour display on SPI.
    St7789(St7789),
    /// A small OLED on I2C.
    Ssd1306(Ssd1306),
}

/// See [`CustomerDisplayConfig::St7789`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct St7789 {
    /// Device node of the bus.
    pub spi: PathBuf,
    /// The line that tells data from commands.
    pub data_command: Line,
    /// The reset line.
    pub reset: Option<Line>,
    /// The line that lights it.
    pub backlight: Option<Line>,
    /// Speed of the bus in Hz.
    #[serde(default = "spi_speed_hz")]
    pub speed_hz: u32,
    /// Width and height in pixels.
    #[serde(default = "display_size")]
    pub size: (u16, u16),
    /// Where the glass begins in the chip's memory.
    #[serde(default)]
    pub offset: (u16, u16),
    /// Degrees clockwise that make the picture upright.
    #[serde(default)]
    pub rotation: u16,
    /// Whether the glass shows all colours inverted, as IPS ones do.
    #[serde(default = "yes")]
    pub inverted: bool,
}

/// See [`CustomerDisplayConfig::Ssd1306`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ssd1306 {
    /// Device node of the bus.
    pub i2c: PathBuf,
    /// Address on the bus.
    #[serde(default = "oled_address")]
    pub address: u8,
    /// Whether it is mounted upside down.
    #[serde(default)]
    pub upside_down: bool,
}

/// `[power]`: a battery of the machine's own, if it has one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PowerConfig {
    /// Percent from which the battery is low.
    pub low_percent: u8,
    /// Percent from which nothing is begun any more.
    pub critical_percent: u8,
    /// What is called once everything is closed because the battery is empty; none leaves the machine on.
    pub shut_down: Vec<String>,
    /// Where the kernel tells of supplies.
    pub folder: PathBuf,
}

impl LivescanConfig {
    /// For the driver.
    pub fn settings(&self) -> livescan::Settings {
        livescan::Settings {
            command: self.command.clone(),
            channel: self.channel,
            ppi: self.ppi,
            bottom_first: self.bottom_first,
            no_finger_codes: self.no_finger_codes.clone(),
            ..livescan::Settings::default()
        }
    }
}

impl SocialCardConfig {
    /// For the driver.
    pub fn settings(&self) -> social_card::Settings {
        let reader = self.reader.clone();
        social_card::Settings { reader, ..social_card::Settings::default() }
    }
}

impl SpeakerConfig {
    /// For the driver.
    pub fn settings(&self) -> speaker::SpeakerConfig {
        let Self { device, prompts, volume } = self.clone();
        speaker::SpeakerConfig { device, prompts, volume }
    }
}

impl PanelConfig {
    /// For the driver.
    pub fn settings(&self) -> panel::PanelConfig {
        let lamps = [
            (Lamp::Card, &self.card_lamp),
            (Lamp::Finger, &self.finger_lamp),
            (Lamp::Slip, &self.slip_lamp),
            (Lamp::Ready, &self.ready_lamp),
            (Lamp::Trouble, &self.trouble_lamp),
        ];
        let line = |line: &Option<Line>| line.as_ref().map(Line::settings);
        panel::PanelConfig {
            board: match self.board {
                Board::GpioChip => BoardKind::GpioChip,
                Board::RaspberryPi => BoardKind::RaspberryPi,
            },
            lamps: lamps.into_iter().filter_map(|(lamp, l)| Some((lamp, line(l)?))).collect(),
            buzzer: line(&self.buzzer),
            light: self.fill_light.as_ref().map(FillLight::settings),
            tamper: line(&self.tamper),
            door: line(&self.door),
            presence: line(&self.presence),
        }
    }
}

impl Line {
    fn settings(&self) -> panel::Line {
        panel::Line {
            name: self.name.clone(),
            is_active_low: self.active_low,
            pull: match self.pull {
                Pull::None => panel::Pull::None,
                Pull::Up => panel::Pull::Up,
                Pull::Down => panel::Pull::Down,
            },
        }
    }
}

impl FillLight {
    fn settings(&self) -> panel::Light {
        match self {
            Self::Line(line) => panel::Light::Line(line.settings()),
            Self::Pwm(pwm) => panel::Light::Pwm(panel::pwm::Channel {
                root: panel::pwm_root(),
                chip: pwm.chip,
                channel: pwm.channel,
                period: Duration::from_micros(pwm.period_us),
                is_inverted: pwm.inverted,
            }),
        }
    }
}

impl CustomerDisplayConfig {
    /// For the driver.
    pub fn settings(&self) -> display::DisplayConfig {
        match self {
            Self::St7789(config) => display::DisplayConfig::St7789(St7789Config {
                spi: config.spi.clone(),
                speed_hz: config.speed_hz,
                data_command: config.data_command.settings(),
                reset: config.reset.as_ref().map(Line::settings),
                backlight: config.backlight.as_ref().map(Line::settings),
                size: config.size,
                offset: config.offset,
                rotation: config.rotation,
                is_inverted: config.inverted,
            }),
            Self::Ssd1306(config) => display::DisplayConfig::Ssd1306(Ssd1306Config {
                i2c: config.i2c.clone(),
                address: config.address,
                is_upside_down: config.upside_down,
            }),
        }
    }
}

impl PowerConfig {
    /// For the driver.
    pub fn limits(&self) -> PowerLimits {
        let (low, critical) = (self.low_percent, self.critical_percent);
        PowerLimits { low, critical, ..PowerLimits::default() }
    }
}

impl Default for PowerConfig {
    fn default() -> Self {
        let PowerLimits { low, critical, .. } = PowerLimits::default();
        Self {
            low_percent: low,
            critical_percent: critical,
            shut_down: Vec::new(),
            folder: "/sys/class/power_supply".into(),
        }
    }
}

fn livescan_ppi() -> u32 {
    500
}

fn sound_device() -> String {
    "default".into()
}

fn volume() -> u8 {
    80
}

fn fill_percent() -> u8 {
    60
}

fn pwm_period_us() -> u64 {
    100
}

fn spi_speed_hz() -> u32 {
    40_000_000
}

fn display_size() -> (u16, u16) {
    (240, 320)
}

fn oled_address() -> u8 {
    0x3C
}

fn yes() -> bool {
    true
}
