//! What the customer sees: a prompt, and below or beside it a progress ring or a QR code.

use std::fmt;

use embedded_graphics::geometry::{Angle, AngleUnit, Point, Size};
use embedded_graphics::pixelcolor::{Rgb565, RgbColor, WebColors};
use embedded_graphics::prelude::{Drawable, Primitive};
use embedded_graphics::primitives::{Arc, Circle, PrimitiveStyle, Rectangle};
use qrcodegen::{QrCode, QrCodeEcc};

use super::{Canvas, Prompt, Screen};

/// What is to be seen. Nothing at all is a dark display.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scene {
    /// The words.
    pub prompt: Option<Prompt>,
    /// The picture with them.
    pub picture: Option<Picture>,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picture {
    /// How much is done, 0..=100.
    Progress(u8),
    /// A code to photograph.
    Qr(Qr),
}

/// A QR code. Does not print its content.
#[derive(Clone, PartialEq, Eq)]
pub struct Qr(QrCode);

/// The content is too long for a QR code.
#[derive(Debug, thiserror::Error)]
#[error("{0} bytes are too many for a QR code")]
pub struct QrTooLong(usize);

/// What suits a display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Dark on white, for a colour display in a bright room.
    Colour,
    /// White on black, for an OLED.
    Mono,
}

impl Scene {
    /// Words alone.
    pub fn text(prompt: Prompt) -> Self {
        Self { prompt: Some(prompt), picture: None }
    }

    /// All of it, as it suits a screen.
    pub fn draw_on(&self, screen: &dyn Screen) -> Canvas {
        let mut canvas = Canvas::new(screen.size());
        self.draw(&mut canvas, screen.look());
        canvas
    }

    /// Draws all of it.
    pub fn draw(&self, canvas: &mut Canvas, look: Look) {
        let whole = canvas.area();
        if self == &Self::default() {
            return fill(canvas, whole, Rgb565::BLACK);
        }
        fill(canvas, whole, look.ground());
        let margin = look.margin();
        let inner = Rectangle::new(
            whole.top_left + Point::new(margin as i32, margin as i32),
            whole.size.saturating_sub(Size::new_equal(2 * margin)),
        );
        let (words, picture) = match (&self.prompt, &self.picture) {
            (Some(_), Some(picture)) => split(inner, picture),
            _ => (inner, inner),
        };
        if let Some(prompt) = &self.prompt {
            prompt.draw(canvas, words, look.ink(), u32::MAX);
        }
        match &self.picture {
            Some(Picture::Progress(percent)) => ring(canvas, picture, *percent, look),
            Some(Picture::Qr(code)) => code.draw(canvas, picture),
            None => {}
        }
    }
}

impl Qr {
    /// A code of `content`. A little display shows some 20 bytes; what it cannot show with
    /// dots that a camera can part is left out.
    pub fn new(content: &[u8]) -> Result<Self, QrTooLong> {
        let code = QrCode::encode_binary(content, QrCodeEcc::Medium);
        code.map(Self).map_err(|_| QrTooLong(content.len()))
    }

    /// The white margin, the modules in a row with it, and the pixels of each, in a square
    /// of `room` pixels.
    fn fit(&self, room: u32) -> Option<(u32, u32, u32)> {
        let size = u32::try_from(self.0.size()).expect("a code has a size");
        let with = |quiet: u32| (quiet, size + 2 * quiet, room / (size + 2 * quiet));
        QUIET.into_iter().map(with).find(|(_, _, module)| *module >= MODULE_MIN)
    }

    /// Dark on white whatever the rest looks like, with whole pixels for its modules.
    fn draw(&self, canvas: &mut Canvas, area: Rectangle) {
        let room = area.size.width.min(area.size.height);
        let Some((quiet, n_modules, module)) = self.fit(room) else {
            return;
        };
        let square = Rectangle::with_center(area.center(), Size::new_equal(module * n_modules));
        fill(canvas, square, Rgb565::WHITE);
        for at in 0..n_modules * n_modules {
            let (x, y) = (at % n_modules, at / n_modules);
            let inside = |n: u32| n as i32 - quiet as i32;
            if self.0.get_module(inside(x), inside(y)) {
                let corner = Point::new((x * module) as i32, (y * module) as i32);
                let dot = Rectangle::new(square.top_left + corner, Size::new_equal(module));
                fill(canvas, dot, Rgb565::BLACK);
            }
        }
    }
}

impl fmt::Debug for Qr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Qr(…)")
    }
}

impl Look {
    fn ground(self) -> Rgb565 {
        match self {
            Self::Colour => Rgb565::WHITE,
            Self::Mono => Rgb565::BLACK,
        }
    }

    fn ink(self) -> Rgb565 {
        match self {
            Self::Colour => Rgb565::BLACK,
            Self::Mono => Rgb565::WHITE,
        }
    }

    /// What is done, and what is not.
    fn ring(self) -> (Rgb565, Option<Rgb565>) {
        match self {
            Self::Colour => (Rgb565::CSS_MEDIUM_BLUE, Some(Rgb565::CSS_LIGHT_GRAY)),
            Self::Mono => (Rgb565::WHITE, None),
        }
    }

    fn margin(self) -> u32 {
        match self {
            Self::Colour => 8,
            Self::Mono => 0,
        }
    }
}

/// A wide display has the picture at its side, others below the words. A code gets what its
/// modules fill; the words get the rest.
fn split(area: Rectangle, picture: &Picture) -> (Rectangle, Rectangle) {
    let (width, height) = (area.size.width, area.size.height);
    if width >= 2 * height {
        let words = Size::new(width - height, height);
        let beside = area.top_left + Point::new((width - height) as i32, 0);
        return (
            Rectangle::new(area.top_left, words),
            Rectangle::new(beside, Size::new_equal(height)),
        );
    }
    let wished = match picture {
        Picture::Progress(_) => height / 2,
        Picture::Qr(code) => {
            let fit = code.fit(width.min(height * 3 / 4));
            fit.map_or(0, |(_, n_modules, module)| n_modules * module)
        }
    };
    let words = height - wished;
    let below = area.top_left + Point::new(0, words as i32);
    let words = Rectangle::new(area.top_left, Size::new(width, words));
    (words, Rectangle::new(below, Size::new(width, wished)))
}

/// A ring that fills clockwise from the top, with the number in it where it has room.
fn ring(canvas: &mut Canvas, area: Rectangle, percent: u8, look: Look) {
    let percent = percent.min(100);
    let room = area.size.width.min(area.size.height);
    let stroke = (room / 9).max(3);
    let diameter = room.saturating_sub(stroke + 1);
    let (done, open) = look.ring();
    if let Some(open) = open {
        let circle = Circle::with_center(area.center(), diameter);
        draw(circle.into_styled(PrimitiveStyle::with_stroke(open, stroke)), canvas);
    }
    // An arc of nothing would still leave two hairs.
    if percent > 0 {
        let sweep: Angle = (360.0 * f32::from(percent) / 100.0).deg();
        let arc = Arc::with_center(area.center(), diameter, (-90.0_f32).deg(), sweep);
        draw(arc.into_styled(PrimitiveStyle::with_stroke(done, stroke)), canvas);
    }
    let inside =
        Rectangle::with_center(area.center(), Size::new_equal(diameter.saturating_sub(stroke)));
    Prompt::percent(percent).draw(canvas, inside, look.ink(), room / 4);
}

fn fill(canvas: &mut Canvas, area: Rectangle, colour: Rgb565) {
    draw(area.into_styled(PrimitiveStyle::with_fill(colour)), canvas);
}

fn draw(shape: impl Drawable<Color = Rgb565>, canvas: &mut Canvas) {
    let Ok(_) = shape.draw(canvas);
}

/// White modules around a code: as many as the standard wants, or half of them where there
/// is no room; most telephones find it still.
const QUIET: [u32; 2] = [4, 2];
/// Pixels of a module that a telephone can part.
const MODULE_MIN: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_on_a_glass_of_any_size_is_drawn() {
        for side in 0..40 {
            let scene = Scene { prompt: None, picture: Some(Picture::Progress(40)) };
            scene.draw(&mut Canvas::new(Size::new_equal(side)), Look::Mono);
        }
    }
}
