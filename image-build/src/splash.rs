//! What the screen shows from the moment it is there until the kiosk draws: a picture as the framebuffer takes it, drawn
//! with the image's own font.

use swash::FontRef;
use swash::scale::{Render, ScaleContext, Source};

/// Draws it: width × height pixels, four bytes each, blue, green, red and an unused one. `None` where the font is no
/// font or lacks a character.
pub fn splash((width, height): (u32, u32), font: &[u8]) -> Option<Vec<u8>> {
    let mut canvas = Canvas { width, height, pixels: GROUND.repeat((width * height) as usize) };
    let font = chinese(font)?;
    let unit = width.min(height);
    for line in LINES {
        let size = (unit / line.part) as f32;
        let baseline = height as f32 * 0.5 + unit as f32 * line.below;
        canvas.write(&font, line.text, size, baseline as i32, line.ink)?;
    }
    Some(canvas.pixels)
}

/// The picture, of this width and height, turned clockwise by 90 or 270 degrees, four bytes a pixel.
pub fn turned(pixels: &[u8], (width, height): (u32, u32), degrees: u16) -> Vec<u8> {
    let (width, height) = (width as usize, height as usize);
    let pixel = |x: usize, y: usize| &pixels[(y * width + x) * 4..][..4];
    let place = |row: usize, column: usize| match degrees {
        90 => pixel(row, height - 1 - column),
        _ => pixel(width - 1 - row, column),
    };
    (0..width)
        .flat_map(|row| (0..height).flat_map(move |column| place(row, column)))
        .copied()
        .collect()
}

/// The same picture as a Raspberry Pi's console has it: five bits of red, six of green, five of blue.
pub fn in_16_bits(pixels: &[u8]) -> Vec<u8> {
    let short = |pixel: &[u8]| {
        let [blue, green, red] = [0, 1, 2].map(|i| u16::from(pixel[i]));
        (red >> 3 << 11 | green >> 2 << 5 | blue >> 3).to_le_bytes()
    };
    pixels.chunks_exact(4).flat_map(short).collect()
}

/// A line of the picture, in the middle of its width.
struct Line {
    text: &'static str,
    /// The letters are as high as the shorter side of the screen divided by this.
    part: u32,
    /// The baseline below the middle of the screen, as a part of the shorter side.
    below: f32,
    /// Blue, green, red.
    ink: [u8; 3],
}

struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Canvas {
    fn write(
        &mut self,
        font: &FontRef<'_>,
        text: &str,
        size: f32,
        baseline: i32,
        ink: [u8; 3],
    ) -> Option<()> {
        let mut context = ScaleContext::new();
        let mut scaler = context.builder(*font).size(size).build();
        let metrics = font.glyph_metrics(&[]).scale(size);
        let glyphs: Vec<u16> = text.chars().map(|letter| font.charmap().map(letter)).collect();
        if glyphs.contains(&0) {
            return None;
        }
        let wide: f32 = glyphs.iter().map(|glyph| metrics.advance_width(*glyph)).sum();
        let mut pen = (self.width as f32 - wide) / 2.0;
        for glyph in glyphs {
            let image = Render::new(&[Source::Outline]).render(&mut scaler, glyph)?;
            let place = image.placement;
            let (left, top) = (pen as i32 + place.left, baseline - place.top);
            for (i, grey) in image.data.iter().enumerate() {
                let (x, y) = (i as i32 % place.width as i32, i as i32 / place.width as i32);
                self.blend(left + x, top + y, *grey, ink);
            }
            pen += metrics.advance_width(glyph);
        }
        Some(())
    }

    fn blend(&mut self, x: i32, y: i32, grey: u8, ink: [u8; 3]) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
            return;
        };
        if x >= self.width || y >= self.height {
            return;
        }
        let at = ((y * self.width + x) * 4) as usize;
        let mix = |ground: u8, ink: u8| {
            let (ground, ink, grey) = (u32::from(ground), u32::from(ink), u32::from(grey));
            ((ground * (255 - grey) + ink * grey) / 255) as u8
        };
        for (pixel, ink) in self.pixels[at..at + 3].iter_mut().zip(ink) {
            *pixel = mix(*pixel, ink);
        }
    }
}

/// The face with the forms of the mainland, where the file is a collection.
fn chinese(bytes: &[u8]) -> Option<FontRef<'_>> {
    let faces: Vec<_> = (0..FACES_MAX).map_while(|i| FontRef::from_index(bytes, i)).collect();
    let is_ours =
        |face: &&FontRef<'_>| face.localized_strings().any(|name| name.chars().eq(FACE.chars()));
    faces.iter().find(is_ours).or(faces.first()).copied()
}

/// Changes with the picture.
pub const SPLASH: &str = "splash 2";
const FACES_MAX: usize = 32;
const FACE: &str = "Noto Sans CJK SC";
/// `strip` of `ui/theme.slint`, as blue, green, red and the unused byte.
const GROUND: [u8; 4] = [0x3b, 0x34, 0x14, 0];
const WHITE: [u8; 3] = [0xff, 0xff, 0xff];
/// `strip-ink-soft` of `ui/theme.slint`.
const SOFT: [u8; 3] = [0xe2, 0xe0, 0xcf];
const LINES: [Line; 3] = [
    Line { text: "常青", part: 4, below: -0.02, ink: WHITE },
    Line { text: "正在启动，请稍候", part: 15, below: 0.16, ink: WHITE },
    Line { text: "Starting, one moment please", part: 26, below: 0.23, ink: SOFT },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_letters_on_its_ground_and_fills_the_screen() {
        let Ok(font) = std::fs::read("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc") else {
            eprintln!("left out: no font; make packages installs it");
            return;
        };
        for screen in [(800, 480), (1080, 1920)] {
            let pixels = splash(screen, &font).unwrap();
            assert_eq!(pixels.len(), screen.0 as usize * screen.1 as usize * 4);
            let inked = pixels.chunks(4).filter(|pixel| **pixel != GROUND).count();
            let part = inked as f64 / (pixels.len() / 4) as f64;
            assert!((0.005..0.2).contains(&part), "{part} of {screen:?} is inked");
        }
    }

    #[test]
    fn what_is_no_font_draws_nothing() {
        assert!(splash((80, 48), b"no font").is_none());
    }

    #[test]
    fn a_turned_picture_has_its_top_at_the_right_or_at_the_left() {
        // Three wide and two high: abc above def.
        let letters = |text: &str| text.bytes().flat_map(|letter| [letter; 4]).collect::<Vec<u8>>();
        let picture = letters("abcdef");
        assert_eq!(turned(&picture, (3, 2), 90), letters("daebfc"));
        assert_eq!(turned(&picture, (3, 2), 270), letters("cfbead"));
    }

    #[test]
    fn a_picture_of_16_bits_has_the_colours_of_the_other() {
        let pixels = [[255, 255, 255, 0], [255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 9]].concat();
        let short: Vec<u8> = [0xffff_u16, 0x001f, 0x07e0, 0xf800].map(u16::to_le_bytes).concat();
        assert_eq!(in_16_bits(&pixels), short);
    }
}
