//! The colour display with an ST7789 on SPI. The bus goes one way: that nobody listens
//! cannot be seen, only that the bus itself is gone.

use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::primitives::{PointsIter, Rectangle};
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{self, OutputPin};
use embedded_hal::spi::SpiDevice;
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{Delay, SpidevDevice};
use mipidsi::NoResetPin;
use mipidsi::interface::{Interface, InterfaceKind};
use mipidsi::models::ST7789;
use mipidsi::options::{ColorInversion, Orientation, Rotation};

use super::{Canvas, DisplayError, Look, Screen, St7789Config};
use crate::panel::PanelError;
use crate::panel::gpio_chip::Pin;

/// Opens the bus and the lines, and wakes the display: half a second.
pub(super) fn open(config: &St7789Config) -> Result<Box<dyn Screen>, DisplayError> {
    let unplugged = |error: std::io::Error| DisplayError::Unplugged(error.to_string());
    let mut spi = SpidevDevice::open(&config.spi)
        .map_err(|error| DisplayError::Unplugged(error.to_string()))?;
    let mut options = SpidevOptions::new();
    options.bits_per_word(8).max_speed_hz(config.speed_hz).mode(SpiModeFlags::SPI_MODE_0);
    spi.configure(&options).map_err(unplugged)?;
    let data_command = Level(Pin::output(&config.data_command)?);
    let reset = config.reset.as_ref().map(|line| Pin::output(line).map(Level)).transpose()?;
    let backlight = config.backlight.as_ref().map(Pin::output).transpose()?;
    let builder = builder(spi, data_command, config)?;
    match reset {
        Some(reset) => Tft::wake(builder.reset_pin(reset), backlight, &mut Delay),
        None => Tft::wake(builder, backlight, &mut Delay),
    }
}

/// A display that is awake.
struct Tft<SPI, DC, RST>
where
    SPI: SpiDevice,
    DC: OutputPin,
    RST: OutputPin,
{
    display: mipidsi::Display<Wire<SPI, DC>, ST7789, RST>,
    backlight: Option<Pin>,
}

/// What is known before the chip is woken.
fn builder<SPI: SpiDevice, DC: OutputPin>(
    spi: SPI,
    data_command: DC,
    config: &St7789Config,
) -> Result<Builder<SPI, DC, NoResetPin>, DisplayError> {
    let rotation = match config.rotation {
        0 => Rotation::Deg0,
        90 => Rotation::Deg90,
        180 => Rotation::Deg180,
        270 => Rotation::Deg270,
        other => return Err(DisplayError::Settings(format!("a rotation of {other} degrees"))),
    };
    let inverted = match config.is_inverted {
        true => ColorInversion::Inverted,
        false => ColorInversion::Normal,
    };
    let wire = Wire { spi, data_command, bytes: Vec::with_capacity(TRANSFER_SIZE) };
    Ok(mipidsi::Builder::new(ST7789, wire)
        .display_size(config.size.0, config.size.1)
        .display_offset(config.offset.0, config.offset.1)
        .orientation(Orientation::new().rotate(rotation))
        .invert_colors(inverted))
}

type Builder<SPI, DC, RST> = mipidsi::Builder<Wire<SPI, DC>, ST7789, RST>;

impl<SPI, DC, RST> Tft<SPI, DC, RST>
where
    SPI: SpiDevice + Send + 'static,
    DC: OutputPin + Send + 'static,
    RST: OutputPin + Send + 'static,
{
    /// Resets the chip, by its line or by a command, and sets it up.
    fn wake(
        builder: Builder<SPI, DC, RST>,
        backlight: Option<Pin>,
        delay: &mut impl DelayNs,
    ) -> Result<Box<dyn Screen>, DisplayError> {
        let display = builder.init(delay).map_err(|error| match error {
            mipidsi::InitError::InvalidConfiguration(error) => {
                DisplayError::Settings(format!("{error:?}"))
            }
            mipidsi::InitError::Interface(error) => DisplayError::Unplugged(format!("{error:?}")),
            mipidsi::InitError::ResetPin(error) => DisplayError::Unplugged(format!("{error:?}")),
        })?;
        let mut tft = Self { display, backlight: None };
        if let Some(backlight) = backlight {
            // What the chip's memory holds at first is noise, so it goes black in the dark.
            let black = Canvas::new(tft.size());
            tft.push(&black, black.area())?;
            backlight.set(true)?;
            tft.backlight = Some(backlight);
        }
        Ok(Box::new(tft))
    }
}

impl<SPI, DC, RST> Screen for Tft<SPI, DC, RST>
where
    SPI: SpiDevice + Send,
    DC: OutputPin + Send,
    RST: OutputPin + Send,
{
    fn size(&self) -> Size {
        OriginDimensions::size(&self.display)
    }

    fn look(&self) -> Look {
        Look::Colour
    }

    fn push(&mut self, canvas: &Canvas, area: Rectangle) -> Result<(), DisplayError> {
        let Some(end) = area.bottom_right() else {
            return Ok(());
        };
        let edge = |at: i32| u16::try_from(at).expect("a canvas lies right of and below zero");
        let (left, top) = (edge(area.top_left.x), edge(area.top_left.y));
        let colours = area.points().map(|point| canvas.get(point));
        let pushed = self.display.set_pixels(left, top, edge(end.x), edge(end.y), colours);
        pushed.map_err(|error| DisplayError::Unplugged(format!("{error:?}")))
    }

    fn probe(&mut self) -> Result<(), DisplayError> {
        Ok(())
    }
}

impl<SPI, DC, RST> Drop for Tft<SPI, DC, RST>
where
    SPI: SpiDevice,
    DC: OutputPin,
    RST: OutputPin,
{
    fn drop(&mut self) {
        if let Some(backlight) = &self.backlight {
            let _ = backlight.set(false);
        }
    }
}

/// The bus with the line that tells data from commands.
struct Wire<SPI, DC> {
    spi: SPI,
    data_command: DC,
    bytes: Vec<u8>,
}

/// What went wrong on the way.
#[derive(Debug)]
enum WireError<S, D> {
    Bus(S),
    Line(D),
}

impl<SPI: SpiDevice, DC: OutputPin> Wire<SPI, DC> {
    fn flush(&mut self) -> Result<(), WireError<SPI::Error, DC::Error>> {
        self.spi.write(&self.bytes).map_err(WireError::Bus)?;
        self.bytes.clear();
        Ok(())
    }
}

impl<SPI: SpiDevice, DC: OutputPin> Interface for Wire<SPI, DC> {
    type Word = u8;
    type Error = WireError<SPI::Error, DC::Error>;
    const KIND: InterfaceKind = InterfaceKind::Serial4Line;

    fn send_command(&mut self, command: u8, arguments: &[u8]) -> Result<(), Self::Error> {
        self.data_command.set_low().map_err(WireError::Line)?;
        self.spi.write(&[command]).map_err(WireError::Bus)?;
        self.data_command.set_high().map_err(WireError::Line)?;
        match arguments.is_empty() {
            true => Ok(()),
            false => self.spi.write(arguments).map_err(WireError::Bus),
        }
    }

    fn send_pixels<const N: usize>(
        &mut self,
        pixels: impl IntoIterator<Item = [u8; N]>,
    ) -> Result<(), Self::Error> {
        for pixel in pixels {
            self.bytes.extend(pixel);
            if self.bytes.len() + N > TRANSFER_SIZE {
                self.flush()?;
            }
        }
        self.flush()
    }

    fn send_repeated_pixel<const N: usize>(
        &mut self,
        pixel: [u8; N],
        count: u32,
    ) -> Result<(), Self::Error> {
        self.send_pixels(std::iter::repeat_n(pixel, count as usize))
    }
}

/// A line as a driver wants it: high is active, whatever the wiring.
struct Level(Pin);

impl digital::ErrorType for Level {
    type Error = LineError;
}

impl OutputPin for Level {
    fn set_low(&mut self) -> Result<(), LineError> {
        self.0.set(false).map_err(LineError)
    }

    fn set_high(&mut self) -> Result<(), LineError> {
        self.0.set(true).map_err(LineError)
    }
}

#[derive(Debug)]
struct LineError(#[expect(dead_code, reason = "printed by Debug, for support")] PanelError);

impl digital::Error for LineError {
    fn kind(&self) -> digital::ErrorKind {
        digital::ErrorKind::Other
    }
}

/// What the kernel takes in one transfer.
const TRANSFER_SIZE: usize = 4096;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::display::CustomerDisplay;
    use crate::display::tests::{Bus, scenes};
    use crate::panel::Line;
    use embedded_graphics::geometry::Point;
    use embedded_graphics::pixelcolor::Rgb565;
    use embedded_graphics::pixelcolor::raw::RawU16;
    use embedded_hal::spi::{self, Operation};
    use std::convert::Infallible;
    use std::time::Duration;

    #[test]
    fn the_chip_gets_the_picture_that_was_drawn() {
        let bus = Bus::default();
        let mut display = display(&bus, 0);
        let mut chip = Chip::default();
        for (name, scene) in scenes() {
            display.show(&scene).unwrap();
            chip.obey(&bus.take());
            let mut wanted = Canvas::new(Size::new(240, 320));
            scene.draw(&mut wanted, Look::Colour);
            assert!(chip.picture() == wanted, "{name} came out otherwise");
            display.show(&scene).unwrap();
            assert_eq!(bus.take(), [], "{name} was sent twice");
        }
        assert!(chip.is_awake && chip.is_on);
    }

    #[test]
    fn a_bus_that_fails_is_told_and_the_whole_picture_sent_again() {
        let bus = Bus::default();
        let mut display = display(&bus, 0);
        let (_, scene) = &scenes()[0];
        display.show(scene).unwrap();
        bus.take();
        bus.plug(false);
        let (_, other) = &scenes()[1];
        assert_eq!(display.show(other).unwrap_err().code(), "customer-display-unplugged");
        bus.plug(true);
        display.show(other).unwrap();
        let mut chip = Chip::default();
        chip.obey(&bus.take());
        let mut wanted = Canvas::new(Size::new(240, 320));
        other.draw(&mut wanted, Look::Colour);
        assert!(chip.picture() == wanted);
    }

    #[test]
    fn a_display_on_its_side_is_wide() {
        let mut delay = NoDelay;
        let builder = builder(Spi(Bus::default()), Dc(Bus::default()), &config(90)).unwrap();
        assert_eq!(Tft::wake(builder, None, &mut delay).unwrap().size(), Size::new(320, 240));
        let odd = super::builder(Spi(Bus::default()), Dc(Bus::default()), &config(45));
        assert_eq!(odd.err().unwrap().code(), "customer-display-settings");
    }

    fn display(bus: &Bus, rotation: u16) -> CustomerDisplay {
        let bus = bus.clone();
        let open = move || {
            let builder = builder(Spi(bus.clone()), Dc(bus.clone()), &config(rotation))?;
            Tft::wake(builder, None, &mut NoDelay)
        };
        CustomerDisplay::over(Box::new(open), Duration::ZERO)
    }

    pub(in crate::display) fn config(rotation: u16) -> St7789Config {
        St7789Config {
            spi: "no-such-bus".into(),
            speed_hz: 40_000_000,
            data_command: Line::named("NO-SUCH-LINE"),
            reset: None,
            backlight: None,
            size: (240, 320),
            offset: (0, 0),
            rotation,
            is_inverted: true,
        }
    }

    /// What the chip's data sheet says of the bytes, without our driver's code.
    struct Chip {
        columns: (u16, u16),
        rows: (u16, u16),
        pixels: Canvas,
        is_awake: bool,
        is_on: bool,
    }

    impl Default for Chip {
        fn default() -> Self {
            let pixels = Canvas::new(Size::new(240, 320));
            Self { columns: (0, 239), rows: (0, 319), pixels, is_awake: false, is_on: false }
        }
    }

    impl Chip {
        fn obey(&mut self, bytes: &[(bool, Vec<u8>)]) {
            let mut command = 0;
            let mut written = Vec::new();
            for (is_data, bytes) in bytes {
                match is_data {
                    false => {
                        self.write(&std::mem::take(&mut written));
                        command = bytes[0];
                        self.is_awake |= command == 0x11;
                        self.is_on |= command == 0x29;
                    }
                    true if command == 0x2A => self.columns = edges(bytes),
                    true if command == 0x2B => self.rows = edges(bytes),
                    true if command == 0x2C => written.extend(bytes),
                    true => {}
                }
            }
            self.write(&written);
        }

        fn write(&mut self, bytes: &[u8]) {
            let width = usize::from(self.columns.1 - self.columns.0) + 1;
            for (at, pair) in bytes.chunks_exact(2).enumerate() {
                let x = i32::from(self.columns.0) + (at % width) as i32;
                let y = i32::from(self.rows.0) + (at / width) as i32;
                let raw = RawU16::new(u16::from_be_bytes([pair[0], pair[1]]));
                self.pixels.mix(Point::new(x, y), Rgb565::from(raw), 15);
            }
        }

        fn picture(&self) -> Canvas {
            self.pixels.clone()
        }
    }

    fn edges(bytes: &[u8]) -> (u16, u16) {
        (u16::from_be_bytes([bytes[0], bytes[1]]), u16::from_be_bytes([bytes[2], bytes[3]]))
    }

    struct Spi(Bus);

    impl spi::ErrorType for Spi {
        type Error = spi::ErrorKind;
    }

    impl SpiDevice for Spi {
        fn transaction(&mut self, parts: &mut [Operation<'_, u8>]) -> Result<(), spi::ErrorKind> {
            for part in parts {
                let Operation::Write(bytes) = part else {
                    panic!("the display is only written to");
                };
                assert!(bytes.len() <= TRANSFER_SIZE, "{} bytes at once", bytes.len());
                self.0.write(bytes).map_err(|()| spi::ErrorKind::Other)?;
            }
            Ok(())
        }
    }

    struct Dc(Bus);

    impl digital::ErrorType for Dc {
        type Error = Infallible;
    }

    impl OutputPin for Dc {
        fn set_low(&mut self) -> Result<(), Infallible> {
            self.0.means_data(false);
            Ok(())
        }

        fn set_high(&mut self) -> Result<(), Infallible> {
            self.0.means_data(true);
            Ok(())
        }
    }

    struct NoDelay;

    impl DelayNs for NoDelay {
        fn delay_ns(&mut self, _ns: u32) {}
    }
}
