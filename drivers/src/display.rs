//! The customer's own little display: a prompt, a progress ring, a QR code. Shows texts by
//! their ids only, drawn at build time from a real font, so that no name can get there.
//! Which text is shown when is decided elsewhere.

mod canvas;
pub mod recording;
mod scene;
mod ssd1306;
mod st7789;
mod text;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use embedded_graphics::geometry::Size;
use embedded_graphics::primitives::Rectangle;
use tracing::{info, warn};

use crate::panel::{Line, PanelError};
pub use canvas::Canvas;
pub use scene::{Look, Picture, Qr, QrTooLong, Scene};
pub use text::{Prompt, PromptError};

/// All that a kind of display has to do.
pub trait Screen: Send {
    /// Its size in pixels, as it is mounted.
    fn size(&self) -> Size;

    /// What suits it.
    fn look(&self) -> Look;

    /// Shows the part `area` of the canvas.
    fn push(&mut self, canvas: &Canvas, area: Rectangle) -> Result<(), DisplayError>;

    /// Looks whether the display is still there, where its bus can tell.
    fn probe(&mut self) -> Result<(), DisplayError>;
}

/// The display does not work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DisplayError {
    /// The bus cannot be opened, or nobody answers on it.
    #[error("customer display does not answer: {0}")]
    Unplugged(String),
    /// The settings cannot be meant.
    #[error("customer display's settings cannot be used: {0}")]
    Settings(String),
    /// One of its lines (data/command, reset, backlight) cannot be used.
    #[error("customer display's line cannot be used")]
    Line(#[from] PanelError),
}

/// Which display and how it is wired.
#[derive(Debug, Clone)]
pub enum DisplayConfig {
    /// A colour display with an ST7789 on SPI.
    St7789(St7789Config),
    /// A small OLED with an SSD1306 on I2C, 128 x 64.
    Ssd1306(Ssd1306Config),
}

/// See [`DisplayConfig::St7789`].
#[derive(Debug, Clone)]
pub struct St7789Config {
    /// Device node, such as `/dev/spidev0.0`.
    pub spi: PathBuf,
    /// Speed of the bus in Hz; the chip is good for 62.5 MHz, long wires for less.
    pub speed_hz: u32,
    /// The line that tells data from commands.
    pub data_command: Line,
    /// The reset line; active means not reset.
    pub reset: Option<Line>,
    /// The line that lights it.
    pub backlight: Option<Line>,
    /// Width and height in pixels, as the chip has them: at most 240 x 320.
    pub size: (u16, u16),
    /// Where the glass begins in the chip's memory.
    pub offset: (u16, u16),
    /// Degrees clockwise that make the picture upright: 0, 90, 180, 270.
    pub rotation: u16,
    /// Whether the glass shows all colours inverted, as IPS ones do.
    pub is_inverted: bool,
}

/// See [`DisplayConfig::Ssd1306`].
#[derive(Debug, Clone)]
pub struct Ssd1306Config {
    /// Device node, such as `/dev/i2c-1`.
    pub i2c: PathBuf,
    /// Address on the bus: 0x3C or 0x3D.
    pub address: u8,
    /// Whether it is mounted upside down.
    pub is_upside_down: bool,
}

/// The customer's display. One thread owns it and calls [`CustomerDisplay::show`] with what
/// is to be seen, again and again: it does nothing as long as nothing changed.
pub struct CustomerDisplay {
    open: Opener,
    screen: Option<Box<dyn Screen>>,
    shown: Option<(Scene, Canvas)>,
    fault: Option<(DisplayError, Instant)>,
    reopen_pause: Duration,
    /// Whether that was logged.
    is_lost: bool,
}

/// Opens a display; called again after each fault.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Screen>, DisplayError> + Send>;

impl CustomerDisplay {
    /// A display as it is wired. It is opened when something is shown.
    pub fn new(config: DisplayConfig) -> Self {
        Self::over(Box::new(move || config.open()), REOPEN_PAUSE)
    }

    /// A display over screens that `open` gives, tried again every `reopen_pause`.
    pub fn over(open: Opener, reopen_pause: Duration) -> Self {
        Self { open, screen: None, shown: None, fault: None, reopen_pause, is_lost: false }
    }

    /// Shows a scene. After a fault the display is opened anew by itself, at one of the
    /// next calls; as long as there is none, each call tells why.
    pub fn show(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        if let Some((error, again_at)) = &self.fault
            && Instant::now() < *again_at
        {
            return Err(error.clone());
        }
        self.fault = None;
        let shown = self.show_once(scene);
        if let Err(error) = &shown {
            if !std::mem::replace(&mut self.is_lost, true) {
                warn!(code = error.code(), "customer display is lost");
            }
            self.screen = None;
            self.shown = None;
            self.fault = Some((error.clone(), Instant::now() + self.reopen_pause));
        }
        shown
    }

    fn show_once(&mut self, scene: &Scene) -> Result<(), DisplayError> {
        if self.screen.is_none() {
            self.screen = Some((self.open)()?);
            self.is_lost = false;
            info!("customer display is open");
        }
        let screen = self.screen.as_mut().expect("a screen was just opened");
        if self.shown.as_ref().is_some_and(|(shown, _)| shown == scene) {
            return screen.probe();
        }
        let canvas = scene.draw_on(screen.as_ref());
        let area = match &self.shown {
            Some((_, before)) => canvas.difference(before),
            None => canvas.area(),
        };
        if !area.is_zero_sized() {
            screen.push(&canvas, area)?;
        }
        self.shown = Some((scene.clone(), canvas));
        Ok(())
    }
}

impl DisplayConfig {
    /// Opens the display that is set.
    pub fn open(&self) -> Result<Box<dyn Screen>, DisplayError> {
        Ok(match self {
            Self::St7789(config) => st7789::open(config)?,
            Self::Ssd1306(config) => ssd1306::open(config)?,
        })
    }
}

impl DisplayError {
    /// A stable name for messages, logs and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unplugged(_) => "customer-display-unplugged",
            Self::Settings(_) => "customer-display-settings",
            Self::Line(_) => "customer-display-line",
        }
    }
}

const REOPEN_PAUSE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
