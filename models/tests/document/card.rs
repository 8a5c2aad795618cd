//! Draws identity cards that nobody owns, and photographs of them: at an angle, out of
//! focus, in poor light, under a lamp. The layout follows the cards in use; what a real
//! one prints on top (hologram, relief, wear) is not drawn.

use image::{Rgb, RgbImage, imageops};
use models::document::ETHNIC_GROUPS;
use people::{Person, Sex};
use swash::{
    FontRef,
    scale::{Render, ScaleContext, Source},
    zeno::Format,
};

/// The font of the set-up; without it there is nothing to draw with.
pub fn font() -> Option<Vec<u8>> {
    let found = std::fs::read("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc").ok();
    if found.is_none() {
        eprintln!("skipped: fonts-noto-cjk is not installed");
    }
    found
}

/// The side with the portrait, 856 by 540 pixels.
pub fn front(font: &[u8], person: &Person) -> RgbImage {
    let mut sheet = Sheet::new(font, [224, 234, 240]);
    let black = [30, 30, 34];
    sheet.label("姓名", 56, 62);
    sheet.write(&person.name, 150, 58, 38.0, 2.0, black);
    sheet.label("性别", 56, 128);
    let sex = if person.sex == Sex::Male { "男" } else { "女" };
    sheet.write(sex, 150, 126, 33.0, 0.0, black);
    sheet.label("民族", 250, 128);
    sheet.write(&ethnicity(person), 344, 126, 33.0, 0.0, black);
    sheet.label("出生", 56, 190);
    let (year, month, day) = person.birth;
    for (text, x) in [(year.to_string(), 150), (month.to_string(), 292), (day.to_string(), 382)] {
        sheet.write(&text, x, 188, 33.0, 0.0, black);
    }
    for (text, x) in [("年", 248), ("月", 338), ("日", 428)] {
        sheet.label(text, x, 190);
    }
    sheet.label("住址", 56, 256);
    let address: Vec<char> = person.address.chars().collect();
    for (row, part) in address.chunks(11).enumerate() {
        let part: String = part.iter().collect();
        sheet.write(&part, 150, 252 + 44 * row as i32, 33.0, 0.0, black);
    }
    sheet.label("公民身份号码", 56, 462);
    sheet.write(&person.number, 290, 455, 40.0, 4.0, black);
    let portrait = imageops::thumbnail(&person.portrait(), 256, 320);
    imageops::overlay(&mut sheet.picture, &portrait, 550, 82);
    sheet.picture
}

/// The side with the emblem.
pub fn back(font: &[u8], person: &Person) -> RgbImage {
    let mut sheet = Sheet::new(font, [236, 232, 226]);
    let black = [30, 30, 34];
    sheet.disc((120.0, 120.0), 70.0, [190, 40, 40]);
    sheet.write("中华人民共和国", 268, 60, 52.0, 6.0, black);
    sheet.write("居民身份证", 262, 146, 66.0, 22.0, black);
    sheet.write("签发机关", 190, 398, 30.0, 2.0, black);
    sheet.write(&person.issuer, 344, 396, 33.0, 0.0, black);
    sheet.write("有效期限", 190, 460, 30.0, 2.0, black);
    sheet.write(&validity(person), 344, 458, 33.0, 0.0, black);
    sheet.picture
}

/// `2008.03.12-长期`
pub fn validity(person: &Person) -> String {
    let dotted = |(year, month, day): people::Date| format!("{year}.{month:02}.{day:02}");
    let to = person.valid_to.map_or("长期".to_owned(), dotted);
    format!("{}-{to}", dotted(person.valid_from))
}

pub fn ethnicity(person: &Person) -> String {
    let code: usize = person.ethnic_code.parse().unwrap_or(1);
    ETHNIC_GROUPS[code.clamp(1, 56) - 1].to_owned()
}

/// How a card is held to the camera.
#[derive(Clone, Copy)]
pub struct Shot {
    /// Length of the card in the frame, in pixels.
    pub size: f32,
    /// Degrees turned in the picture.
    pub turned: f32,
    /// Share by which the right side is farther away than the left.
    pub tilt: f32,
    /// Deviation of the blur, in pixels of the frame.
    pub blur: f32,
    /// 1 is a well lit room.
    pub light: f32,
    /// Radius of a reflected lamp in pixels of the frame; 0 is none.
    pub lamp: f32,
    /// Decides background and noise.
    pub seed: u32,
}

impl Default for Shot {
    fn default() -> Self {
        Self { size: 700.0, turned: 0.0, tilt: 0.0, blur: 0.6, light: 1.0, lamp: 0.0, seed: 1 }
    }
}

impl Shot {
    /// What a black-and-white copier makes of a card: paper, toner, a little grain.
    pub fn copied(card: &RgbImage, seed: u32) -> RgbImage {
        RgbImage::from_fn(card.width(), card.height(), |x, y| {
            let Rgb([r, g, b]) = *card.get_pixel(x, y);
            let luma = (u32::from(r) * 3 + u32::from(g) * 6 + u32::from(b)) / 10;
            let grain = (mix(seed ^ (x * 31 + y * 1009)) % 7) as i32 - 3;
            let toner = (luma as i32 - 128) * 5 / 4 + 140 + grain;
            Rgb([toner.clamp(12, 246) as u8; 3])
        })
    }

    /// Where the corners are, clockwise from the card's upper left.
    pub fn corners(&self) -> [(f32, f32); 4] {
        let (sin, cos) = self.turned.to_radians().sin_cos();
        let (w, h) = (self.size / 2.0, self.size / 2.0 * 540.0 / 856.0);
        [(-w, -h), (w, -h), (w, h), (-w, h)].map(|(x, y)| {
            let nearer = 1.0 - self.tilt * (x / w) / 2.0;
            let (x, y) = (x * (1.0 - self.tilt.abs() / 6.0), y * nearer);
            (640.0 + cos * x - sin * y, 360.0 + sin * x + cos * y)
        })
    }

    /// The photograph, 1280 by 720 pixels.
    pub fn take(&self, card: &RgbImage) -> RgbImage {
        self.photograph(card, |_, _, value| value)
    }

    /// The card on a screen whose pixels are so many of the camera's wide: stripes of three
    /// colours, a dark line between rows, bluish light.
    pub fn take_on_screen(&self, card: &RgbImage, pitch: f32) -> RgbImage {
        let scale = self.size / card.width() as f32 / pitch;
        self.photograph(card, |u, v, value| {
            let turn = |part: f32| (part * std::f32::consts::TAU).cos();
            let row = 0.85 + 0.15 * turn(v * scale);
            std::array::from_fn(|k| {
                let stripe = 0.8 + 0.2 * turn(u * scale + k as f32 / 3.0);
                value[k] * [0.94, 1.0, 1.1][k] * stripe * row * 1.15
            })
        })
    }

    /// `seen` makes of a place of the card and its colour what the camera sees there.
    fn photograph(
        &self,
        card: &RgbImage,
        seen: impl Fn(f32, f32, [f32; 3]) -> [f32; 3],
    ) -> RgbImage {
        let mut frame = self.background();
        self.paste(&mut frame, card, seen);
        if self.blur > 0.0 {
            frame = imageops::blur(&frame, self.blur);
        }
        self.expose(&mut frame);
        frame
    }

    /// A room: a wall, a table, things on it.
    fn background(&self) -> RgbImage {
        let hue = |k: u32| 60 + (mix(self.seed.wrapping_add(k)) % 110) as i32;
        let wall = [hue(1), hue(2), hue(3)];
        let table = [hue(4) - 30, hue(5) - 40, hue(6) - 50];
        let things: Vec<[i32; 5]> = (0..6)
            .map(|i| {
                let r = |k: u32| mix(self.seed * 64 + i * 8 + k) as i32;
                [r(1) % 1280, r(2) % 720, 40 + r(3) % 220, 30 + r(4) % 160, r(5) % 200]
            })
            .collect();
        RgbImage::from_fn(1280, 720, |x, y| {
            let (x, y) = (x as i32, y as i32);
            let mut colour = if y > 520 + x / 40 { table } else { wall };
            for [left, top, width, height, grey] in &things {
                if (*left..left + width).contains(&x) && (*top..top + height).contains(&y) {
                    colour = [*grey, grey * 4 / 5 + 20, grey * 2 / 3 + 30];
                }
            }
            Rgb(colour.map(|c| (c + (x + y) / 90).clamp(0, 255) as u8))
        })
    }

    fn paste(
        &self,
        frame: &mut RgbImage,
        card: &RgbImage,
        seen: impl Fn(f32, f32, [f32; 3]) -> [f32; 3],
    ) {
        let c = self.corners();
        let map = Homography::between(&c, card.width() as f32, card.height() as f32);
        for (x, y, pixel) in frame.enumerate_pixels_mut() {
            let mut sum = [0.0f32; 3];
            let mut n = 0.0;
            for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                let (u, v) = map.at(x as f32 + dx - 0.5, y as f32 + dy - 0.5);
                if let Some(value) = on_card(card, u, v) {
                    let value = seen(u, v, value);
                    (0..3).for_each(|k| sum[k] += value[k]);
                    n += 1.0;
                }
            }
            for (value, sum) in pixel.0.iter_mut().zip(sum) {
                *value = ((sum + (4.0 - n) * f32::from(*value)) / 4.0) as u8;
            }
        }
    }

    fn expose(&self, frame: &mut RgbImage) {
        let c = self.corners();
        let lamp = ((c[0].0 * 2.0 + c[2].0) / 3.0, (c[0].1 + c[2].1) / 2.0);
        for (x, y, pixel) in frame.enumerate_pixels_mut() {
            let away = (x as f32 - lamp.0).hypot(y as f32 - lamp.1);
            let glare =
                if self.lamp > 0.0 { 340.0 * (-(away / self.lamp).powi(4)).exp() } else { 0.0 };
            let slope = 1.0 + 0.12 * (x as f32 / 1280.0 - 0.5);
            for k in 0..3 {
                let noise =
                    (mix(self.seed ^ (x * 7919 + y * 104_729 + k as u32 * 31)) % 9) as f32 - 4.0;
                let value = f32::from(pixel.0[k]) * self.light * slope + glare + noise;
                pixel.0[k] = value.clamp(0.0, 255.0) as u8;
            }
        }
    }
}

/// Bilinear, with round corners; nothing beside the card.
fn on_card(card: &RgbImage, u: f32, v: f32) -> Option<[f32; 3]> {
    let (w, h) = (card.width() as f32, card.height() as f32);
    if u < 0.0 || v < 0.0 || u > w - 1.0 || v > h - 1.0 {
        return None;
    }
    let (cx, cy) = (u.clamp(32.0, w - 33.0), v.clamp(32.0, h - 33.0));
    if (u - cx).hypot(v - cy) > 32.0 {
        return None;
    }
    let (x, y) = (u as u32, v as u32);
    let (px, py) = (u - x as f32, v - y as f32);
    let at = |dx: u32, dy: u32| {
        card.get_pixel((x + dx).min(card.width() - 1), (y + dy).min(card.height() - 1)).0
    };
    let (a, b, c, d) = (at(0, 0), at(1, 0), at(0, 1), at(1, 1));
    Some(std::array::from_fn(|k| {
        let upper = f32::from(a[k]) * (1.0 - px) + f32::from(b[k]) * px;
        let lower = f32::from(c[k]) * (1.0 - px) + f32::from(d[k]) * px;
        upper * (1.0 - py) + lower * py
    }))
}

/// Carries the frame back onto the card, solved from four points.
struct Homography([f32; 8]);

impl Homography {
    fn between(c: &[(f32, f32); 4], width: f32, height: f32) -> Self {
        let to = [(0.0, 0.0), (width - 1.0, 0.0), (width - 1.0, height - 1.0), (0.0, height - 1.0)];
        let mut rows = [[0.0f64; 9]; 8];
        for (i, ((x, y), (u, v))) in c.iter().zip(to).enumerate() {
            let (x, y, u, v) = (f64::from(*x), f64::from(*y), f64::from(u), f64::from(v));
            rows[2 * i] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
            rows[2 * i + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
        }
        for i in 0..8 {
            let best =
                (i..8).max_by(|a, b| rows[*a][i].abs().total_cmp(&rows[*b][i].abs())).unwrap();
            rows.swap(i, best);
            let pivot = rows[i];
            for (k, row) in rows.iter_mut().enumerate() {
                if k != i {
                    let share = row[i] / pivot[i];
                    row.iter_mut().zip(pivot).for_each(|(value, p)| *value -= share * p);
                }
            }
        }
        Self(std::array::from_fn(|i| (rows[i][8] / rows[i][i]) as f32))
    }

    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        let m = &self.0;
        let w = m[6] * x + m[7] * y + 1.0;
        ((m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w)
    }
}

struct Sheet<'f> {
    font: FontRef<'f>,
    picture: RgbImage,
}

impl<'f> Sheet<'f> {
    fn new(font: &'f [u8], [r, g, b]: [u8; 3]) -> Self {
        // A guilloche of two waves, as faint as on the card.
        let picture = RgbImage::from_fn(856, 540, |x, y| {
            let wave = ((x as f32 / 9.0 + (y as f32 / 23.0).sin() * 3.0).sin()
                + (y as f32 / 7.0 + (x as f32 / 31.0).cos() * 3.0).sin())
                * 5.0;
            let fade = x as f32 / 856.0 * 8.0;
            let tint = |base: u8, by: f32| (f32::from(base) + by).clamp(0.0, 246.0) as u8;
            Rgb([tint(r, wave + fade), tint(g, wave * 0.6), tint(b, -wave * 0.5 - fade)])
        });
        Self {
            font: FontRef::from_index(font, 2).expect("the collection holds five fonts"),
            picture,
        }
    }

    /// A label of the form, small and blue.
    fn label(&mut self, text: &str, x: i32, y: i32) {
        self.write(text, x, y, 28.0, 2.0, [38, 110, 160]);
    }

    fn write(&mut self, text: &str, x: i32, y: i32, size: f32, gap: f32, ink: [u8; 3]) {
        let mut context = ScaleContext::new();
        let mut scaler = context.builder(self.font).size(size).build();
        let advances = self.font.glyph_metrics(&[]).scale(size);
        let mut pen = x as f32;
        for character in text.chars() {
            let glyph = self.font.charmap().map(character);
            let drawn =
                Render::new(&[Source::Outline]).format(Format::Alpha).render(&mut scaler, glyph);
            if let Some(image) = drawn {
                let left = pen as i32 + image.placement.left;
                let top = y + (size * 0.88) as i32 - image.placement.top;
                self.ink(&image.data, image.placement.width, (left, top), ink);
            }
            pen += advances.advance_width(glyph) + gap;
        }
    }

    fn ink(&mut self, mask: &[u8], width: u32, (left, top): (i32, i32), ink: [u8; 3]) {
        for (i, alpha) in mask.iter().enumerate() {
            let (x, y) = (left + (i as u32 % width) as i32, top + (i as u32 / width) as i32);
            if x < 0 || y < 0 || x >= 856 || y >= 540 {
                continue;
            }
            let pixel = self.picture.get_pixel_mut(x as u32, y as u32);
            let part = f32::from(*alpha) / 255.0;
            for (under, ink) in pixel.0.iter_mut().zip(ink) {
                *under = (f32::from(*under) * (1.0 - part) + f32::from(ink) * part) as u8;
            }
        }
    }

    fn disc(&mut self, (cx, cy): (f32, f32), radius: f32, ink: [u8; 3]) {
        for (x, y, pixel) in self.picture.enumerate_pixels_mut() {
            if (x as f32 - cx).hypot(y as f32 - cy) < radius {
                *pixel = Rgb(ink);
            }
        }
    }
}

fn mix(value: u32) -> u32 {
    let value = (value ^ (value >> 16)).wrapping_mul(0x45d9_f3b3);
    let value = (value ^ (value >> 15)).wrapping_mul(0x2c1b_3c6d);
    value ^ (value >> 13)
}
