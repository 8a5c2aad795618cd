//! How good the picture of a card is, each cause measured, and the one sentence to
//! say while it is held to the camera.

use image::RgbImage;

use super::{Corners, raster, square};
use crate::pixels;

/// What was measured on a card in a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CardQuality {
    /// Length of the card's long side, in pixels of the frame.
    pub size: f32,
    /// Mean luma of the card, 0..255.
    pub brightness: f32,
    /// Steepness of its edges over their height; below 0.36 small print is lost.
    pub sharpness: f32,
    /// Share of the card on which a light is reflected, 0..1.
    pub glare: f32,
    /// How much the colours of its parts differ; a black-and-white copy has hardly any.
    pub colour: f32,
    /// How far one fine period stands out, as the raster of a screen does; about 1 without.
    pub raster: f32,
    /// How unequal opposite sides are, 0 when the card is held level.
    pub tilt: f32,
}

/// One short sentence to say while a card is held to the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CardCoaching {
    /// No card is seen.
    ShowCard,
    /// The card is too far away.
    ComeCloser,
    /// A part of the card is outside of the picture.
    MoveIntoFrame,
    /// The card is held at an angle.
    HoldLevel,
    /// Not enough light.
    TooDark,
    /// It has no colours, as a photocopy has none.
    ShowOriginal,
    /// It shows the raster of a screen.
    NoScreen,
    /// A light is reflected on the card.
    Glare,
    /// The picture is blurred.
    HoldStill,
}

impl CardCoaching {
    /// The sentence: Chinese, English.
    pub fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::ShowCard => ("请把身份证放到镜头前", "Please hold the card to the camera"),
            Self::ComeCloser => ("请把身份证拿近一点", "Please bring the card closer"),
            Self::MoveIntoFrame => ("请把整张身份证放进画面", "Please show the whole card"),
            Self::HoldLevel => ("请把身份证放平", "Please hold the card straight"),
            Self::TooDark => ("光线太暗", "It is too dark"),
            Self::ShowOriginal => ("请出示身份证原件", "Please show the card itself, not a copy"),
            Self::NoScreen => {
                ("请出示身份证实物，不要用屏幕", "Please show the card itself, not a screen")
            }
            Self::Glare => {
                ("身份证反光，请换个角度", "The card reflects a light; tilt it a little")
            }
            Self::HoldStill => ("请保持不动", "Please hold still"),
        }
    }
}

impl CardQuality {
    pub(super) fn of(frame: &RgbImage, corners: &Corners) -> Self {
        let side =
            |a: usize, b: usize| (corners[a].0 - corners[b].0).hypot(corners[a].1 - corners[b].1);
        let (upper, lower, left, right) = (side(0, 1), side(3, 2), side(0, 3), side(1, 2));
        let uneven = |a: f32, b: f32| 1.0 - a.min(b) / a.max(b).max(1.0);
        let size = upper.max(lower);
        // At the size it has in the frame: enlarging would read as blur.
        let width = (size as u32).clamp(64, 1024);
        let card = square::square_up(frame, corners, (width, width * 54 / 86));
        let luma = Luma::of(&card);
        Self {
            size,
            brightness: luma.mean(),
            sharpness: luma.sharpness(),
            glare: luma.glare(),
            colour: colour(&card),
            raster: raster::of(frame, corners),
            tilt: uneven(upper, lower).max(uneven(left, right)),
        }
    }

    /// Whether it has no colours although there is light to see them by, as a photocopy has
    /// none: refused. A copy in colours is not told from a card.
    pub fn is_copy(&self) -> bool {
        self.brightness >= BRIGHTNESS_MIN && self.colour < COLOUR_MIN
    }

    /// Whether it may be shown on a screen: a weak sign, for people's eyes.
    pub fn shows_raster(&self) -> bool {
        self.raster > RASTER_MAX
    }

    /// What to say now, if anything.
    pub(super) fn coaching(&self, frame: &RgbImage, corners: &Corners) -> Option<CardCoaching> {
        let (width, height) = (frame.width() as f32, frame.height() as f32);
        let outside = |(x, y): &(f32, f32)| {
            *x < -EDGE_SLACK
                || *y < -EDGE_SLACK
                || *x > width + EDGE_SLACK
                || *y > height + EDGE_SLACK
        };
        let hints = [
            (corners.iter().any(outside), CardCoaching::MoveIntoFrame),
            (self.size < SIZE_MIN, CardCoaching::ComeCloser),
            (self.tilt > TILT_MAX, CardCoaching::HoldLevel),
            (self.brightness < BRIGHTNESS_MIN, CardCoaching::TooDark),
            (self.glare > GLARE_MAX, CardCoaching::Glare),
            (self.is_copy(), CardCoaching::ShowOriginal),
            (self.shows_raster(), CardCoaching::NoScreen),
            (self.sharpness < SHARPNESS_MIN, CardCoaching::HoldStill),
        ];
        hints.into_iter().find_map(|(holds, hint)| holds.then_some(hint))
    }
}

/// The luma of a card, and the darkest channel that tells a white light.
struct Luma {
    width: usize,
    luma: Vec<f32>,
    least: Vec<u8>,
}

impl Luma {
    fn of(card: &RgbImage) -> Self {
        Self {
            width: card.width() as usize,
            luma: card.pixels().map(pixels::luma).collect(),
            least: card.pixels().map(|p| p.0.into_iter().min().unwrap_or(0)).collect(),
        }
    }

    fn mean(&self) -> f32 {
        self.luma.iter().sum::<f32>() / self.luma.len().max(1) as f32
    }

    /// The steepest steps from pixel to pixel over the highest steps within a stroke:
    /// a blurred edge is as high as a sharp one and not as steep.
    fn sharpness(&self) -> f32 {
        let (mut steep, mut high) = (Vec::new(), Vec::new());
        for row in self.luma.chunks_exact(self.width) {
            let inner = &row[self.width / 20..self.width - self.width / 20];
            for window in inner.windows(STROKE).step_by(2) {
                let (low, top) = window
                    .iter()
                    .fold((255.0f32, 0.0f32), |(low, top), v| (low.min(*v), top.max(*v)));
                high.push(top - low);
                steep.push(window.windows(2).map(|p| (p[1] - p[0]).abs()).fold(0.0, f32::max));
            }
        }
        share_of(&mut steep, 0.98) / share_of(&mut high, 0.98).max(20.0)
    }

    /// Cells of eight by eight pixels in which nearly everything is burnt out.
    fn glare(&self) -> f32 {
        let height = self.luma.len() / self.width;
        let (columns, rows) = (self.width / CELL, height / CELL);
        let burnt = |column: usize, row: usize| {
            let pixel = |i: usize| {
                let (x, y) = (column * CELL + i % CELL, row * CELL + i / CELL);
                usize::from(self.least[y * self.width + x] >= BURNT)
            };
            (0..CELL * CELL).map(pixel).sum::<usize>() * 10 >= CELL * CELL * 9
        };
        let n = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
        let n_burnt = n.filter(|(column, row)| burnt(*column, *row)).count();
        n_burnt as f32 / (columns * rows).max(1) as f32
    }
}

/// Deviation of both colour differences over cells of the card, so that noise is evened
/// out and the tint of the light does not count; without the rim, where what lies behind
/// the round corners shows.
fn colour(card: &RgbImage) -> f32 {
    let (rim_x, rim_y) = (card.width() / 16, card.height() / 10);
    let (width, height) = (card.width() - 2 * rim_x, card.height() - 2 * rim_y);
    let inner = image::imageops::crop_imm(card, rim_x, rim_y, width, height).to_image();
    let (columns, rows) = (width / CELL as u32, height / CELL as u32);
    let cells = image::imageops::thumbnail(&inner, columns.max(1), rows.max(1));
    let spread = |of: fn([f32; 3]) -> f32| {
        let values: Vec<f32> = cells.pixels().map(|p| of(p.0.map(f32::from))).collect();
        let n = values.len().max(1) as f32;
        let mean = values.iter().sum::<f32>() / n;
        values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n
    };
    (spread(|[r, g, _]| r - g) + spread(|[_, g, b]| b - g)).sqrt()
}

fn share_of(values: &mut [f32], share: f32) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = ((values.len() - 1) as f32 * share) as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

/// Width of the strokes of the print, in pixels.
const STROKE: usize = 6;
const CELL: usize = 8;
/// White paper in good light stays below this in one channel at least.
const BURNT: u8 = 250;
const EDGE_SLACK: f32 = 4.0;
/// The address is 2.5 mm high: twelve pixels of a card that is 400 wide.
const SIZE_MIN: f32 = 360.0;
const TILT_MAX: f32 = 0.22;
const BRIGHTNESS_MIN: f32 = 60.0;
/// A copy measures what the light's slope makes of grey, about 1.
const COLOUR_MIN: f32 = 3.0;
/// Set by hand between cards and screens that our tests draw.
pub(super) const RASTER_MAX: f32 = 2.5;
const GLARE_MAX: f32 = 0.006;
const SHARPNESS_MIN: f32 = 0.36;
