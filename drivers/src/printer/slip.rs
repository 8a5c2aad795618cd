//! A slip as parts, and its ESC/POS bytes: GB18030 text, sizes, bold, QR and pictures as
//! raster, feed and cut. No I/O.

use std::fmt;

use encoding_rs::GB18030;
use qrcodegen::{QrCode, QrCodeEcc};

/// What is to be printed, from top to bottom. Prints without its content.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Slip {
    parts: Vec<Part>,
}

/// A line of text and its looks.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    text: String,
    size: u8,
    is_bold: bool,
    align: Align,
}

/// Where a part stands on the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// At the left edge.
    #[default]
    Left,
    /// In the middle.
    Centre,
    /// At the right edge.
    Right,
}

/// The content is too long for a QR code.
#[derive(Debug, thiserror::Error)]
#[error("{0} bytes are too many for a QR code")]
pub struct QrTooLong(usize);

impl Slip {
    /// An empty slip.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line of text.
    pub fn line(mut self, line: impl Into<Line>) -> Self {
        self.parts.push(Part::Line(line.into()));
        self
    }

    /// Adds a QR code of `content`, centred, with modules of `module_dots` dots; smaller
    /// if it would be wider than the paper.
    pub fn qr(mut self, content: &[u8], module_dots: u32) -> Result<Self, QrTooLong> {
        let code = QrCode::encode_binary(content, QrCodeEcc::Medium);
        let code = code.map_err(|_| QrTooLong(content.len()))?;
        self.parts.push(Part::Qr(code, module_dots.clamp(1, 16)));
        Ok(self)
    }

    /// Adds a picture, centred; `is_black(x, y)` gives its dots. For what the printer's own
    /// font cannot show, such as rare characters of a name.
    pub fn picture(mut self, width: u32, height: u32, is_black: impl Fn(u32, u32) -> bool) -> Self {
        self.parts.push(Part::Raster(Raster::from_fn(width, height, is_black)));
        self
    }

    /// Adds `n` empty lines.
    pub fn feed(mut self, n: u8) -> Self {
        self.parts.push(Part::Feed(n));
        self
    }

    /// Adds a cut, behind enough feed for the knife.
    pub fn cut(mut self) -> Self {
        self.parts.push(Part::Cut);
        self
    }

    /// The bytes for a printer with `width_dots` dots across.
    pub fn encode(&self, width_dots: u32) -> Vec<u8> {
        let mut out = vec![];
        out.extend(RESET);
        out.extend(CHINESE_ON);
        for part in &self.parts {
            match part {
                Part::Line(line) => line.encode(&mut out),
                Part::Qr(code, module) => qr_raster(code, *module, width_dots).encode(&mut out),
                Part::Raster(raster) => raster.encode(&mut out),
                Part::Feed(n) => out.extend([0x1B, b'd', *n]),
                Part::Cut => out.extend(FEED_AND_CUT),
            }
        }
        out
    }
}

impl Line {
    /// A line of ordinary text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), size: 1, is_bold: false, align: Align::Left }
    }

    /// Letters `times` as wide and high, 1..=8.
    pub fn size(mut self, times: u8) -> Self {
        self.size = times.clamp(1, 8);
        self
    }

    /// In bold.
    pub fn bold(mut self) -> Self {
        self.is_bold = true;
        self
    }

    /// Where it stands.
    pub fn align(mut self, align: Align) -> Self {
        self.align = align;
        self
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend([0x1B, b'a', self.align.code()]);
        out.extend([0x1B, b'E', u8::from(self.is_bold)]);
        let step = self.size - 1;
        out.extend([0x1D, b'!', (step << 4) | step]);
        // A control character in a text would be a command to the printer.
        let shown: String = self.text.chars().filter(|c| !c.is_control()).collect();
        out.extend(GB18030.encode(&shown).0.as_ref());
        out.push(b'\n');
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Align {
    fn code(self) -> u8 {
        match self {
            Self::Left => 0,
            Self::Centre => 1,
            Self::Right => 2,
        }
    }
}

impl fmt::Debug for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slip({} parts, …)", self.parts.len())
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line(…)")
    }
}

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Line(Line),
    Qr(QrCode, u32),
    Raster(Raster),
    Feed(u8),
    Cut,
}

/// One bit a dot, rows padded to whole bytes, black is 1.
#[derive(Clone, PartialEq, Eq)]
struct Raster {
    width_bytes: u16,
    height: u16,
    bits: Vec<u8>,
}

impl Raster {
    fn from_fn(width: u32, height: u32, is_black: impl Fn(u32, u32) -> bool) -> Self {
        let (width, height) = (width.min(RASTER_MAX), height.min(RASTER_MAX));
        let width_bytes = width.div_ceil(8);
        let mut bits = vec![0u8; (width_bytes * height) as usize];
        for y in 0..height {
            for x in (0..width).filter(|x| is_black(*x, y)) {
                bits[(y * width_bytes + x / 8) as usize] |= 0x80 >> (x % 8);
            }
        }
        Self { width_bytes: width_bytes as u16, height: height as u16, bits }
    }

    /// GS v 0, in bands: cheap printers hold only a small picture at a time.
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend([0x1B, b'a', Align::Centre.code()]);
        let band_size = usize::from(self.width_bytes) * BAND_ROWS;
        for band in self.bits.chunks(band_size.max(1)) {
            let rows = (band.len() / usize::from(self.width_bytes)) as u16;
            out.extend([0x1D, b'v', b'0', 0]);
            out.extend(self.width_bytes.to_le_bytes());
            out.extend(rows.to_le_bytes());
            out.extend(band);
        }
    }
}

fn qr_raster(code: &QrCode, module_dots: u32, width_dots: u32) -> Raster {
    let side = code.size() as u32 + 2 * QUIET_MODULES;
    let module = module_dots.min(width_dots / side).max(1);
    Raster::from_fn(side * module, side * module, |x, y| {
        let at = |dot: u32| (dot / module) as i32 - QUIET_MODULES as i32;
        code.get_module(at(x), at(y))
    })
}

const RESET: [u8; 2] = [0x1B, b'@'];
/// FS &: two-byte Chinese characters.
const CHINESE_ON: [u8; 2] = [0x1C, b'&'];
/// GS V 66 n: feed to the knife and n dots more, then cut all but a bridge.
const FEED_AND_CUT: [u8; 4] = [0x1D, b'V', 66, 24];
/// White modules that a QR code needs around it.
const QUIET_MODULES: u32 = 4;
const BAND_ROWS: usize = 128;
/// Longer than any paper is wide.
const RASTER_MAX: u32 = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_these_bytes() {
        let slip = Slip::new()
            .line(Line::new("已认证").size(2).bold().align(Align::Centre))
            .line("A")
            .feed(2)
            .cut();
        let expected: &[&[u8]] = &[
            b"\x1B@\x1C&",
            b"\x1Ba\x01\x1BE\x01\x1D!\x11\xD2\xD1\xC8\xCF\xD6\xA4\n",
            b"\x1Ba\x00\x1BE\x00\x1D!\x00A\n",
            b"\x1Bd\x02\x1DVB\x18",
        ];
        assert_eq!(slip.encode(384), expected.concat());
        assert_eq!(format!("{slip:?}"), "Slip(4 parts, …)");
    }

    #[test]
    fn a_text_cannot_command_the_printer() {
        let bytes = Slip::new().line("a\x1B@\x1DVb").encode(384);
        assert!(bytes.ends_with(b"a@Vb\n"));
    }

    #[test]
    fn a_qr_code_never_is_wider_than_the_paper() {
        let slip = Slip::new().qr(&[7; 400], 16).unwrap();
        let bytes = slip.encode(384);
        let at = bytes.windows(3).position(|w| w == b"\x1Dv0").unwrap();
        let width_bytes = u16::from_le_bytes([bytes[at + 4], bytes[at + 5]]);
        assert!(width_bytes <= 48, "{width_bytes}");
    }

    #[test]
    fn too_much_for_a_qr_code_is_told() {
        assert!(Slip::new().qr(&[0; 4000], 4).is_err());
    }
}
