//! The little OLED with an SSD1306 on I2C: 128 x 64 points, on or off.

use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::RgbColor;
use embedded_graphics::primitives::{PointsIter, Rectangle};
use embedded_hal::i2c::I2c;
use linux_embedded_hal::I2cdev;
use ssd1306::mode::BufferedGraphicsMode;
use ssd1306::prelude::{DisplayConfig as _, DisplayRotation, DisplaySize128x64, I2CInterface};
use ssd1306::{I2CDisplayInterface, Ssd1306};

use super::{Canvas, DisplayError, Look, Screen, Ssd1306Config};

/// Opens the bus and switches the display on.
pub(super) fn open(config: &Ssd1306Config) -> Result<Box<dyn Screen>, DisplayError> {
    let i2c =
        I2cdev::new(&config.i2c).map_err(|error| DisplayError::Unplugged(error.to_string()))?;
    Ok(Box::new(Oled::wake(i2c, config)?))
}

/// A display that is on.
pub(super) struct Oled<I2C>(
    Ssd1306<I2CInterface<I2C>, DisplaySize128x64, BufferedGraphicsMode<DisplaySize128x64>>,
);

impl<I2C: I2c> Oled<I2C> {
    pub(super) fn wake(i2c: I2C, config: &Ssd1306Config) -> Result<Self, DisplayError> {
        if !ADDRESSES.contains(&config.address) {
            return Err(DisplayError::Settings(format!("address {:#04x}", config.address)));
        }
        let rotation = match config.is_upside_down {
            true => DisplayRotation::Rotate180,
            false => DisplayRotation::Rotate0,
        };
        let bus = I2CDisplayInterface::new_custom_address(i2c, config.address);
        let oled = Ssd1306::new(bus, DisplaySize128x64, rotation);
        let mut oled = oled.into_buffered_graphics_mode();
        oled.init().map_err(told)?;
        oled.flush().map_err(told)?;
        Ok(Self(oled))
    }
}

impl<I2C: I2c + Send> Screen for Oled<I2C> {
    fn size(&self) -> Size {
        self.0.size()
    }

    fn look(&self) -> Look {
        Look::Mono
    }

    fn push(&mut self, canvas: &Canvas, area: Rectangle) -> Result<(), DisplayError> {
        for point in area.points() {
            // Grey edges of characters are lit from the middle on.
            let is_lit = canvas.get(point).g() >= 32;
            self.0.set_pixel(point.x as u32, point.y as u32, is_lit);
        }
        self.0.flush().map_err(told)
    }

    fn probe(&mut self) -> Result<(), DisplayError> {
        self.0.set_display_on(true).map_err(told)
    }
}

fn told(error: impl std::fmt::Debug) -> DisplayError {
    DisplayError::Unplugged(format!("{error:?}"))
}

/// The two that its wiring can choose.
const ADDRESSES: [u8; 2] = [0x3C, 0x3D];

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::display::tests::{Bus, scenes};
    use crate::display::{CustomerDisplay, Scene};
    use embedded_graphics::geometry::Point;
    use embedded_graphics::pixelcolor::Rgb565;
    use embedded_hal::i2c::{self, Operation};
    use std::time::Duration;

    #[test]
    fn the_chip_gets_the_picture_that_was_drawn() {
        let bus = Bus::default();
        let mut display = display(&bus);
        let mut chip = Chip::default();
        for (name, scene) in scenes() {
            display.show(&scene).unwrap();
            chip.obey(&bus.take());
            assert!(chip.is_on);
            assert_eq!(chip.picture(), lit(&scene), "{name} came out otherwise");
        }
    }

    #[test]
    fn a_display_that_is_pulled_is_noticed_though_nothing_changed() {
        let bus = Bus::default();
        let mut display = display(&bus);
        let (_, scene) = &scenes()[0];
        display.show(scene).unwrap();
        bus.plug(false);
        assert_eq!(display.show(scene).unwrap_err().code(), "customer-display-unplugged");
        bus.take();
        bus.plug(true);
        display.show(scene).unwrap();
        let mut chip = Chip::default();
        chip.obey(&bus.take());
        assert_eq!(chip.picture(), lit(scene), "all of it is sent again");
    }

    #[test]
    fn an_address_that_it_cannot_have_is_refused() {
        let odd = Ssd1306Config { address: 0x50, ..config() };
        let refused = Oled::wake(I2cBus(Bus::default()), &odd).err().unwrap();
        assert_eq!(refused.code(), "customer-display-settings");
    }

    fn display(bus: &Bus) -> CustomerDisplay {
        let bus = bus.clone();
        let open = move || {
            let oled = Oled::wake(I2cBus(bus.clone()), &config())?;
            Ok(Box::new(oled) as Box<dyn Screen>)
        };
        CustomerDisplay::over(Box::new(open), Duration::ZERO)
    }

    pub(in crate::display) fn config() -> Ssd1306Config {
        Ssd1306Config { i2c: "no-such-bus".into(), address: 0x3C, is_upside_down: false }
    }

    /// The points that a scene lights, row by row.
    fn lit(scene: &Scene) -> Vec<bool> {
        let mut canvas = Canvas::new(Size::new(128, 64));
        scene.draw(&mut canvas, Look::Mono);
        let colours = canvas.area().points().map(|point| canvas.get(point));
        colours.map(|colour: Rgb565| colour.g() >= 32).collect()
    }

    /// What the chip's data sheet says of the bytes, without our driver's code.
    struct Chip {
        memory: Vec<u8>,
        columns: (usize, usize),
        pages: (usize, usize),
        at: (usize, usize),
        is_on: bool,
        is_flipped: (bool, bool),
    }

    impl Default for Chip {
        fn default() -> Self {
            let memory = vec![0; 128 * 8];
            let (columns, pages) = ((0, 127), (0, 7));
            let is_flipped = (false, false);
            Self { memory, columns, pages, at: (0, 0), is_on: false, is_flipped }
        }
    }

    impl Chip {
        fn obey(&mut self, transfers: &[(bool, Vec<u8>)]) {
            for (_, bytes) in transfers {
                match bytes[0] {
                    0x40 => bytes[1..].iter().for_each(|byte| self.store(*byte)),
                    0x00 => self.command(&bytes[1..]),
                    other => panic!("control byte {other:#04x}"),
                }
            }
        }

        fn command(&mut self, bytes: &[u8]) {
            let pair = || (usize::from(bytes[1]), usize::from(bytes[2]));
            match bytes[0] {
                0x21 => (self.columns, self.at.0) = (pair(), pair().0),
                0x22 => (self.pages, self.at.1) = (pair(), pair().0),
                0xAE | 0xAF => self.is_on = bytes[0] == 0xAF,
                0xA0 | 0xA1 => self.is_flipped.0 = bytes[0] == 0xA0,
                0xC0 | 0xC8 => self.is_flipped.1 = bytes[0] == 0xC0,
                _ => {}
            }
        }

        fn store(&mut self, byte: u8) {
            self.memory[self.at.1 * 128 + self.at.0] = byte;
            self.at.0 += 1;
            if self.at.0 > self.columns.1 {
                self.at = (self.columns.0, self.at.1 + 1);
            }
            if self.at.1 > self.pages.1 {
                self.at.1 = self.pages.0;
            }
        }

        fn picture(&self) -> Vec<bool> {
            assert_eq!(self.is_flipped, (false, false), "usual modules are mounted this way");
            let points = (0..64).flat_map(|y| (0..128).map(move |x| Point::new(x, y)));
            let bit =
                |p: Point| self.memory[p.y as usize / 8 * 128 + p.x as usize] >> (p.y % 8) & 1;
            points.map(|point| bit(point) == 1).collect()
        }
    }

    struct I2cBus(Bus);

    impl i2c::ErrorType for I2cBus {
        type Error = i2c::ErrorKind;
    }

    impl I2c for I2cBus {
        fn transaction(
            &mut self,
            address: u8,
            parts: &mut [Operation<'_>],
        ) -> Result<(), i2c::ErrorKind> {
            assert_eq!(address, 0x3C);
            for part in parts {
                let Operation::Write(bytes) = part else {
                    panic!("the display is only written to");
                };
                let nobody = i2c::ErrorKind::NoAcknowledge(i2c::NoAcknowledgeSource::Address);
                self.0.write(bytes).map_err(|()| nobody)?;
            }
            Ok(())
        }
    }
}
