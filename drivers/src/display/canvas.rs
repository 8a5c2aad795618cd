//! A picture in memory that everything is drawn on before it goes to a display.

use std::convert::Infallible;

use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::{Rgb565, RgbColor};
use embedded_graphics::primitives::{PointsIter, Rectangle};
use embedded_graphics::{Pixel, prelude::Dimensions};
use image::{Rgb, RgbImage};

/// A picture in memory; black at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    size: Size,
    pixels: Vec<Rgb565>,
}

impl Canvas {
    /// A black picture of `size` pixels.
    pub fn new(size: Size) -> Self {
        let n_pixels = size.width as usize * size.height as usize;
        Self { size, pixels: vec![Rgb565::BLACK; n_pixels] }
    }

    /// The whole of it.
    pub fn area(&self) -> Rectangle {
        Rectangle::new(Point::zero(), self.size)
    }

    /// The colour of a point; black outside.
    pub fn get(&self, point: Point) -> Rgb565 {
        self.index(point).map_or(Rgb565::BLACK, |index| self.pixels[index])
    }

    /// The smallest rectangle that holds all points that are another than in `before`.
    pub fn difference(&self, before: &Self) -> Rectangle {
        if self.size != before.size {
            return self.area();
        }
        let points = self.area().points().zip(self.pixels.iter().zip(&before.pixels));
        let changed = points.filter(|(_, (now, then))| now != then).map(|(point, _)| point);
        let corners = changed.fold(None, |corners: Option<(Point, Point)>, point| {
            let (low, high) = corners.unwrap_or((point, point));
            Some((low.component_min(point), high.component_max(point)))
        });
        corners.map_or(Rectangle::zero(), |(low, high)| Rectangle::with_corners(low, high))
    }

    /// Mixes `ink` over a point; `level` 0 leaves it, 15 covers it.
    pub(super) fn mix(&mut self, point: Point, ink: Rgb565, level: u8) {
        let Some(index) = self.index(point) else {
            return;
        };
        let below = self.pixels[index];
        let level = u32::from(level.min(15));
        let mixed = |below: u8, ink: u8| {
            let sum = u32::from(below) * (15 - level) + u32::from(ink) * level;
            u8::try_from((sum + 7) / 15).expect("a mean of two channels is no more than either")
        };
        self.pixels[index] = Rgb565::new(
            mixed(below.r(), ink.r()),
            mixed(below.g(), ink.g()),
            mixed(below.b(), ink.b()),
        );
    }

    /// The picture, for a file or an eye.
    pub fn to_image(&self) -> RgbImage {
        RgbImage::from_fn(self.size.width, self.size.height, |x, y| {
            let colour = self.get(Point::new(x as i32, y as i32));
            let full = |channel: u8, max: u8| (u32::from(channel) * 255 / u32::from(max)) as u8;
            Rgb([full(colour.r(), 31), full(colour.g(), 63), full(colour.b(), 31)])
        })
    }

    fn index(&self, point: Point) -> Option<usize> {
        let area = self.bounding_box();
        area.contains(point).then(|| point.y as usize * self.size.width as usize + point.x as usize)
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb565;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb565>>,
    {
        for Pixel(point, colour) in pixels {
            if let Some(index) = self.index(point) {
                self.pixels[index] = colour;
            }
        }
        Ok(())
    }
}
