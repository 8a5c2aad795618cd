//! The texts that the display knows, and how they are set: characters drawn at build time,
//! lines broken as Chinese is, at the largest size that fits.

use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::primitives::Rectangle;

use super::Canvas;

/// A text of the display, by its message id. Blanks take numbers only: nothing that a
/// person is called can get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt(String);

/// The display has no such text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// No text has this id.
    #[error("there is no text {0} for the customer display")]
    Unknown(String),
    /// The text has another number of blanks.
    #[error("text {id} has {wanted} blanks, and {given} numbers were given")]
    Blanks {
        /// Its id.
        id: String,
        /// How many it has.
        wanted: usize,
        /// How many were given.
        given: usize,
    },
}

impl Prompt {
    /// The text with this id, its blanks `{0}`, `{1}` filled with `numbers`.
    pub fn new(id: &str, numbers: &[u32]) -> Result<Self, PromptError> {
        let found = TEXTS.binary_search_by_key(&id, |(known, _)| known);
        let text = found.map(|at| TEXTS[at].1).map_err(|_| PromptError::Unknown(id.into()))?;
        let wanted = (0..).take_while(|n| text.contains(&format!("{{{n}}}"))).count();
        if wanted != numbers.len() {
            let (id, given) = (id.into(), numbers.len());
            return Err(PromptError::Blanks { id, wanted, given });
        }
        let mut filled = text.to_owned();
        for (n, number) in numbers.iter().enumerate() {
            filled = filled.replace(&format!("{{{n}}}"), &number.to_string());
        }
        Ok(Self(filled))
    }

    /// `75%`.
    pub(super) fn percent(percent: u8) -> Self {
        Self(format!("{percent}%"))
    }

    /// All ids that the display has a text for.
    pub fn ids() -> impl Iterator<Item = &'static str> {
        TEXTS.iter().map(|(id, _)| *id)
    }

    /// Sets the text in the middle of `area`, as large as it fits, at most `size_max`
    /// pixels. What does not fit even when small ends in an ellipsis.
    pub(super) fn draw(&self, canvas: &mut Canvas, area: Rectangle, ink: Rgb565, size_max: u32) {
        let fonts = FONTS.iter().filter(|font| font.size <= size_max || font.size == SMALLEST);
        let mut set = None;
        for font in fonts.rev() {
            let rows = font.rows(&self.0, area.size.width);
            let fits = rows.len() <= font.rows_in(area.size);
            set = Some((font, rows));
            if fits {
                set = Some((font, font.balanced(&self.0, area.size.width)));
                break;
            }
        }
        let (font, rows) = set.expect("there is a smallest font");
        let rows = font.cut(rows, area.size);
        let pitch = font.pitch(area.size);
        let height = pitch * rows.len() as u32;
        let top = area.top_left.y + (area.size.height.saturating_sub(height) / 2) as i32;
        for (at, row) in rows.iter().enumerate() {
            let left = area.size.width.saturating_sub(font.width(row)) / 2;
            let baseline = top + (pitch * at as u32 + font.baseline(pitch)) as i32;
            font.draw(row, canvas, Point::new(area.top_left.x + left as i32, baseline), ink);
        }
    }
}

/// A drawn character.
#[derive(Debug)]
struct Glyph {
    character: char,
    /// How far the next one is, in pixels.
    advance: u32,
    /// Where its left edge is, from the pen.
    left: i32,
    /// Where its top is, above the baseline.
    top: i32,
    width: u32,
    height: u32,
    /// Where its grey levels begin, four bits each.
    at: usize,
}

/// All drawn characters of one size.
struct Font {
    size: u32,
    glyphs: &'static [Glyph],
    levels: &'static [u8],
}

impl Font {
    fn glyph(&self, character: char) -> Option<&'static Glyph> {
        let found = self.glyphs.binary_search_by_key(&character, |glyph| glyph.character);
        found.ok().map(|at| &self.glyphs[at])
    }

    fn advance(&self, character: char) -> u32 {
        match self.glyph(character) {
            Some(glyph) => glyph.advance,
            None if character == '\u{3000}' => self.size,
            None => self.size / 3,
        }
    }

    fn width(&self, text: &str) -> u32 {
        text.chars().map(|c| self.advance(c)).sum()
    }

    /// From one line to the next: airy, where there is room.
    fn pitch(&self, area: Size) -> u32 {
        if area.height <= CRAMPED { self.size } else { self.size * 5 / 4 }
    }

    /// Where the baseline is, below the top of a line.
    fn baseline(&self, pitch: u32) -> u32 {
        (pitch - self.size) / 2 + self.size * 22 / 25
    }

    fn rows_in(&self, area: Size) -> usize {
        (area.height / self.pitch(area)) as usize
    }

    /// Breaks a text into lines of at most `width` pixels.
    fn rows(&self, text: &str, width: u32) -> Vec<String> {
        let mut rows = Vec::new();
        for paragraph in text.split('\n') {
            let mut row = String::new();
            for piece in pieces(paragraph) {
                if !row.is_empty() && self.width(&row) + self.width(piece) > width {
                    rows.push(std::mem::take(&mut row));
                }
                row.push_str(if row.is_empty() { piece.trim_start() } else { piece });
            }
            rows.push(row);
        }
        rows
    }

    /// As many lines as [`Font::rows`], about equally long: no word is left alone below.
    fn balanced(&self, text: &str, width: u32) -> Vec<String> {
        let mut rows = self.rows(text, width);
        for narrower in (self.size..width).rev().step_by(self.size as usize / 4) {
            let tried = self.rows(text, narrower);
            let is_wider = tried.iter().any(|row| self.width(row) > narrower);
            if tried.len() > rows.len() || is_wider {
                break;
            }
            rows = tried;
        }
        rows
    }

    fn cut(&self, mut rows: Vec<String>, area: Size) -> Vec<String> {
        let room = self.rows_in(area).max(1);
        if rows.len() <= room {
            return rows;
        }
        rows.truncate(room);
        let last = rows.last_mut().expect("there is room for one row at least");
        while self.width(last) + self.advance(ELLIPSIS) > area.width && last.pop().is_some() {}
        last.push(ELLIPSIS);
        rows
    }

    fn draw(&self, text: &str, canvas: &mut Canvas, mut pen: Point, ink: Rgb565) {
        for character in text.chars() {
            if let Some(glyph) = self.glyph(character) {
                let corner = pen + Point::new(glyph.left, -glyph.top);
                for at in 0..glyph.width * glyph.height {
                    let offset = Point::new((at % glyph.width) as i32, (at / glyph.width) as i32);
                    canvas.mix(corner + offset, ink, self.level(glyph.at + at as usize));
                }
            }
            pen.x += self.advance(character) as i32;
        }
    }

    fn level(&self, at: usize) -> u8 {
        let byte = self.levels[at / 2];
        if at.is_multiple_of(2) { byte >> 4 } else { byte & 15 }
    }
}

/// What may not be parted: a number or a Latin word, and marks with what they belong to.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut begin = 0;
    let mut before: Option<char> = None;
    for (at, character) in text.char_indices() {
        let belongs = before.is_some_and(|before| {
            OPENING.contains(before)
                || CLOSING.contains(character)
                || (before.is_ascii_graphic() && character.is_ascii_graphic())
        });
        if at > begin && !belongs {
            pieces.push(&text[begin..at]);
            begin = at;
        }
        before = Some(character);
    }
    if begin < text.len() {
        pieces.push(&text[begin..]);
    }
    pieces
}

const OPENING: &str = "“‘（《";
const CLOSING: &str = "，。！？；：、”’）》…%";
const ELLIPSIS: char = '…';
/// A little OLED has no room for air between lines.
const CRAMPED: u32 = 64;
const SMALLEST: u32 = 16;
static FONTS: [Font; 3] = [
    Font { size: SMALLEST, glyphs: GLYPHS_16, levels: LEVELS_16 },
    Font { size: 24, glyphs: GLYPHS_24, levels: LEVELS_24 },
    Font { size: 36, glyphs: GLYPHS_36, levels: LEVELS_36 },
];

include!(concat!(env!("OUT_DIR"), "/display_texts.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_every_text_was_drawn_at_every_size() {
        assert!(TEXTS.len() > 100, "only {} texts", TEXTS.len());
        for font in &FONTS {
            let mut empty = Vec::new();
            for (id, text) in TEXTS {
                for character in text.chars().filter(|c| !c.is_whitespace()) {
                    let glyph = font.glyph(character);
                    let glyph = glyph.unwrap_or_else(|| panic!("{id}: no {character:?}"));
                    let n = (glyph.width * glyph.height) as usize;
                    let ink: u32 =
                        (glyph.at..glyph.at + n).map(|at| u32::from(font.level(at))).sum();
                    if ink == 0 {
                        empty.push(character);
                    }
                }
            }
            assert_eq!(empty, [], "drawn without ink at {} pixels", font.size);
        }
    }

    #[test]
    fn glyphs_are_few_and_a_name_has_none() {
        let n = FONTS[0].glyphs.len();
        assert!((300..900).contains(&n), "{n} glyphs");
        // Common characters of names that no text of ours has.
        for character in "翀珺喆堃祎赟䶮淑芬凤娟".chars() {
            assert!(FONTS.iter().all(|font| font.glyph(character).is_none()), "{character}");
        }
        assert_eq!(Prompt::new("王淑芬", &[]), Err(PromptError::Unknown("王淑芬".into())));
    }

    #[test]
    fn blanks_take_numbers_and_only_as_many_as_there_are() {
        let left = Prompt::new("pin-wrong", &[2]).unwrap();
        assert_eq!(left.0, "密码不对，还可以再试 2 次。");
        let blanks = |given| PromptError::Blanks { id: "pin-wrong".into(), wanted: 1, given };
        assert_eq!(Prompt::new("pin-wrong", &[]), Err(blanks(0)));
        assert_eq!(Prompt::new("pin-wrong", &[1, 2]), Err(blanks(2)));
    }

    #[test]
    fn lines_break_as_chinese_does() {
        let font = &FONTS[0];
        let rows = font.rows("请问（窗口）或拨打 12333。\n好", 16 * 4);
        assert_eq!(rows, ["请问（窗", "口）或拨", "打 ", "12333。", "好"]);
        let rows = font.rows("请把证放，好", 16 * 4);
        assert_eq!(rows, ["请把证", "放，好"], "no line begins with a comma");
        let rows = font.balanced("请把身份证放在读卡器上", 16 * 8);
        assert_eq!(rows, ["请把身份证放", "在读卡器上"]);
        assert_eq!(font.rows("", 64), [""]);
        let cut = font.cut(font.rows("请把身份证放在读卡器上", 64), Size::new(64, 32));
        assert_eq!(cut, ["请把身份", "证放在…"]);
    }
}
