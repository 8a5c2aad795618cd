//! Picture files as evaluation sets have them: PNG, JPEG, BMP, TIFF, WebP and the portable
//! grey and colour maps, told apart by their bytes and not by their names. What lies
//! under transparency is white paper; a camera's note on orientation is heeded.

mod jpeg;
mod ppi;
mod webp;

use std::{
    fs,
    io::{Cursor, Read},
    path::Path,
};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, Rgb, RgbImage, Rgba};
use tiff::{
    ColorType,
    decoder::{Decoder, DecodingResult},
    tags::Tag,
};

/// Why a file is no picture that can be used.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
    /// Its bytes are no picture of a known kind, or end too early.
    #[error("{0}")]
    Image(#[from] image::ImageError),
    /// Its bytes are no TIFF that can be read.
    #[error("{0}")]
    Tiff(#[from] tiff::TiffError),
    /// Its bytes are no WebP that can be read.
    #[error("{0}")]
    WebP(#[from] image_webp::DecodingError),
    /// It stops before its own end mark, so a part of it is not there.
    #[error("a JPEG that is cut off")]
    Cut,
    /// The portable map is cut or says something impossible.
    #[error("a portable map that is cut or wrong")]
    Map,
    /// No sensor takes a picture of this size.
    #[error("a picture of {0} by {1} pixels cannot be used")]
    Size(u32, u32),
    /// The file is larger than any picture's.
    #[error("a file of {0} bytes is no picture")]
    Length(u64),
    /// A kind of TIFF that no scanner of fingers or cards writes.
    #[error("a TIFF of this kind is not read: {0}")]
    Kind(String),
}

impl PictureError {
    /// What is wrong, in Chinese and English.
    pub fn told(&self) -> String {
        match self {
            Self::Io(source) => format!("{} {self}: {source}", self.zh()),
            _ => format!("{} {self}", self.zh()),
        }
    }

    fn zh(&self) -> &'static str {
        match self {
            Self::Io(e) if e.kind() == std::io::ErrorKind::NotFound => "文件不存在",
            Self::Io(_) => "文件无法读取",
            Self::Image(ImageError::Unsupported(_)) => {
                "不支持的图片格式，请存为 PNG、JPEG、BMP 或 TIFF"
            }
            Self::Image(_) | Self::Tiff(_) | Self::WebP(_) | Self::Map => "图片损坏或不完整",
            Self::Cut => "JPEG 文件不完整（被截断）",
            Self::Size(..) => "图片尺寸过大或为零",
            Self::Length(_) => "文件过大，不是图片",
            Self::Kind(_) => "不支持这种 TIFF，请存为 8 位灰度或彩色",
        }
    }
}

/// Reads a picture file.
pub fn open(path: &Path) -> Result<DynamicImage, PictureError> {
    open_with_ppi(path).map(|(picture, _)| picture)
}

/// Reads a picture file, and the pixels per inch that it states, if it does.
pub fn open_with_ppi(path: &Path) -> Result<(DynamicImage, Option<u32>), PictureError> {
    let file = fs::metadata(path)?;
    // A pipe that nobody writes into would be waited for without an end.
    if !file.is_file() {
        return Err(std::io::Error::other("it is no file").into());
    }
    let size = file.len();
    if size > FILE_MAX {
        return Err(PictureError::Length(size));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(FILE_MAX).read_to_end(&mut bytes)?;
    let (picture, ppi) = match bytes.as_slice() {
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => of_tiff(&bytes)?,
        [b'P', b'2' | b'3' | b'5' | b'6', ..] => (of_map(&bytes)?, None),
        [b'R', b'I', b'F', b'F', ..] => (webp::read(&bytes)?, None),
        // The decoder fills what is missing of a JPEG with grey and says nothing.
        jpeg @ [0xff, 0xd8, ..] if !jpeg::is_whole(jpeg) => return Err(PictureError::Cut),
        _ => (of_other(&bytes)?, ppi::stated(&bytes)),
    };
    Ok((on_paper(picture), ppi))
}

fn of_other(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(u64::from(PIXELS_MAX) * 8);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    bounded(width, height)?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn of_tiff(bytes: &[u8]) -> Result<(DynamicImage, Option<u32>), PictureError> {
    let mut decoder = Decoder::new(Cursor::new(bytes))?;
    let (width, height) = decoder.dimensions()?;
    bounded(width, height)?;
    let kind = decoder.colortype()?;
    let values = match decoder.read_image()? {
        DecodingResult::U8(values) => values,
        DecodingResult::U16(values) if kind.bit_depth() == 16 => {
            values.into_iter().map(|value| (value >> 8) as u8).collect()
        }
        _ => return Err(PictureError::Kind(format!("{kind:?}"))),
    };
    let picture = match kind {
        ColorType::Gray(8 | 16) => grey(width, height, values),
        ColorType::Gray(bits @ (1 | 2 | 4)) => {
            grey(width, height, unpacked(&values, width as usize, usize::from(bits)))
        }
        ColorType::RGB(8 | 16) => RgbImage::from_raw(width, height, values).map(Into::into),
        ColorType::GrayA(8 | 16) => {
            image::GrayAlphaImage::from_raw(width, height, values).map(Into::into)
        }
        ColorType::RGBA(8 | 16) => {
            image::RgbaImage::from_raw(width, height, values).map(Into::into)
        }
        ColorType::Palette(8) => {
            let map = decoder.get_tag(Tag::ColorMap)?.into_u16_vec()?;
            of_palette(width, height, &values, &map)
        }
        _ => None,
    };
    let picture = picture.ok_or_else(|| PictureError::Kind(format!("{kind:?}")))?;
    Ok((picture, ppi::stated_by_tiff(&mut decoder)))
}

/// Several pixels in a byte, the first in its upper bits; each row begins with a new byte.
fn unpacked(values: &[u8], width: usize, bits: usize) -> Vec<u8> {
    let top = u8::MAX >> (8 - bits);
    let pixel = |row: &[u8], x: usize| {
        let shift = 8 - bits - x * bits % 8;
        ((row[x * bits / 8] >> shift) & top) * (255 / top)
    };
    let rows = values.chunks_exact((width * bits).div_ceil(8));
    rows.flat_map(|row| (0..width).map(move |x| pixel(row, x))).collect()
}

/// The map holds all reds, then all greens, then all blues.
fn of_palette(width: u32, height: u32, values: &[u8], map: &[u16]) -> Option<DynamicImage> {
    let n = map.len() / 3;
    let part = |index: u8, colour: usize| {
        let at = colour * n + usize::from(index).min(n.saturating_sub(1));
        map.get(at).map_or(0, |value| (value >> 8) as u8)
    };
    let colours = values.iter().flat_map(|index| [0, 1, 2].map(|colour| part(*index, colour)));
    RgbImage::from_raw(width, height, colours.collect()).map(Into::into)
}

/// Portable maps: a head of four words, then numbers in text (P2, P3) or bytes (P5, P6).
fn of_map(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    let mut rest = &bytes[2..];
    let mut number = || number(&mut rest).ok_or(PictureError::Map);
    let (width, height, top) = (number()?, number()?, number()?);
    bounded(width, height)?;
    if top == 0 || top > 0xffff {
        return Err(PictureError::Map);
    }
    let channels = if matches!(bytes[1], b'2' | b'5') { 1 } else { 3 };
    let n = width as usize * height as usize * channels;
    let values: Option<Vec<u32>> = if matches!(bytes[1], b'2' | b'3') {
        (0..n).map(|_| self::number(&mut rest)).collect()
    } else {
        // One space parts the head from the bytes.
        let data = rest.get(1..).ok_or(PictureError::Map)?;
        let wide = usize::from(top > 255) + 1;
        data.get(..n * wide).map(|data| {
            let one = |pair: &[u8]| pair.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
            data.chunks_exact(wide).map(one).collect()
        })
    };
    let values = values.ok_or(PictureError::Map)?;
    let values = values.into_iter().map(|value| (value.min(top) * 255 / top) as u8).collect();
    let picture = match channels {
        1 => grey(width, height, values),
        _ => RgbImage::from_raw(width, height, values).map(Into::into),
    };
    picture.ok_or(PictureError::Map)
}

/// The next number, over spaces and comments.
fn number(rest: &mut &[u8]) -> Option<u32> {
    loop {
        match rest.first()? {
            b'#' => *rest = &rest[rest.iter().position(|byte| *byte == b'\n')?..],
            byte if byte.is_ascii_whitespace() => *rest = &rest[1..],
            _ => break,
        }
    }
    let n = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(n);
    *rest = after;
    str::from_utf8(digits).ok()?.parse().ok()
}

fn grey(width: u32, height: u32, values: Vec<u8>) -> Option<DynamicImage> {
    image::GrayImage::from_raw(width, height, values).map(Into::into)
}

/// An empty ground counts as white: black would be skin to a fingerprint's measure.
fn on_paper(picture: DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return picture;
    }
    let picture = picture.to_rgba8();
    let blend = |Rgba([r, g, b, alpha]): Rgba<u8>| {
        let over = |value: u8| {
            let (value, alpha) = (u32::from(value), u32::from(alpha));
            ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        Rgb([over(r), over(g), over(b)])
    };
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| blend(*picture.get_pixel(x, y)))
        .into()
}

fn bounded(width: u32, height: u32) -> Result<(), PictureError> {
    let fits = |n: u32| n > 0 && n <= SIDE_MAX;
    if fits(width) && fits(height) && u64::from(width) * u64::from(height) <= u64::from(PIXELS_MAX)
    {
        Ok(())
    } else {
        Err(PictureError::Size(width, height))
    }
}

/// A sheet of paper at 600 pixels per inch is smaller.
const SIDE_MAX: u32 = 12_000;
const PIXELS_MAX: u32 = 60_000_000;
const FILE_MAX: u64 = 512 << 20;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;
    use tiff::encoder::{TiffEncoder, colortype};

    use super::*;

    const SIZE: (u32, u32) = (5, 3);
    /// Five by three pixels, and a note that they are to be turned by a quarter.
    const WEBP: &[u8] =
        b"RIFFR\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x08\x00\x00\x00\x04\x00\x00\x02\x00\
        \x00VP8L\x11\x00\x00\x00/\x04\x80\x00\x00\x07P\x85\x22W\xa1\xff\x81\x88\xe8\x7f\
        \x00\x00EXIF\x1a\x00\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\
        \x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00";

    /// Greys that tell every pixel from its neighbours.
    fn plain() -> Vec<u8> {
        (0..15).map(|i| i * 17).collect()
    }

    fn kept(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        // The name says nothing about the kind.
        let path = dir.path().join("picture.dat");
        fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    fn read(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
        let (_dir, path) = kept(bytes);
        open(&path)
    }

    #[track_caller]
    fn check(bytes: &[u8]) {
        let picture = read(bytes).unwrap();
        assert_eq!((picture.width(), picture.height()), SIZE);
        assert_eq!(picture.to_luma8().into_raw(), plain());
    }

    fn stated(bytes: &[u8]) -> Option<u32> {
        let (_dir, path) = kept(bytes);
        open_with_ppi(&path).unwrap().1
    }

    fn encoded(picture: &DynamicImage, format: image::ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    fn tiff_of<C: colortype::ColorType>(values: &[C::Inner]) -> Vec<u8>
    where
        [C::Inner]: tiff::encoder::TiffValue,
    {
        let mut bytes = Vec::new();
        let mut encoder = TiffEncoder::new(Cursor::new(&mut bytes)).unwrap();
        encoder.write_image::<C>(SIZE.0, SIZE.1, values).unwrap();
        bytes
    }

    #[test]
    fn every_kind_is_read_whatever_its_name() {
        let grey: DynamicImage = grey(SIZE.0, SIZE.1, plain()).unwrap();
        for format in [image::ImageFormat::Png, image::ImageFormat::Bmp] {
            check(&encoded(&grey, format));
            check(&encoded(&grey.to_rgb8().into(), format));
        }
        check(&encoded(&grey.to_luma16().into(), image::ImageFormat::Png));
        check(&encoded(&grey.to_rgba8().into(), image::ImageFormat::Png));
        check(&tiff_of::<colortype::Gray8>(&plain()));
        let wide: Vec<u16> = plain().iter().map(|v| u16::from(*v) * 257).collect();
        check(&tiff_of::<colortype::Gray16>(&wide));
        check(&tiff_of::<colortype::RGB8>(&grey.to_rgb8().into_raw()));
        check(&tiff_of::<colortype::RGBA8>(&grey.to_rgba8().into_raw()));
    }

    /// A grey TIFF of one strip, as scanners write it for line art and some sensors for prints.
    fn packed_tiff(bits: u32, zero_is_white: bool, strip: &[u8]) -> Vec<u8> {
        let (width, height) = SIZE;
        let long = |tag: u16, value: u32| {
            [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &value.to_le_bytes()].concat()
        };
        let at = 8 + 2 + 9 * 12 + 4;
        let [grey, n] = [u32::from(!zero_is_white), strip.len() as u32];
        let entries = [
            long(256, width),
            long(257, height),
            long(258, bits),
            long(259, 1),
            long(262, grey),
            long(273, at),
            long(277, 1),
            long(278, height),
            long(279, n),
        ];
        [&b"II*\0\x08\0\0\0\x09\0"[..], &entries.concat(), &[0; 4], strip].concat()
    }

    #[test]
    fn shades_of_less_than_a_byte_are_spread_over_all_of_it() {
        let four = [0x01, 0x23, 0x40, 0x56, 0x78, 0x90, 0xab, 0xcd, 0xe0];
        check(&packed_tiff(4, false, &four));
        check(&packed_tiff(4, true, &four.map(|byte| !byte)));
        let one = read(&packed_tiff(1, false, &[0b1010_0000, 0, 0b0000_1111])).unwrap();
        let rows = [[255, 0, 255, 0, 0], [0; 5], [0, 0, 0, 0, 255]];
        assert_eq!(one.to_luma8().into_raw(), rows.concat());
    }

    #[test]
    fn portable_maps_are_read_in_text_and_in_bytes() {
        let text: Vec<String> = plain().iter().map(u8::to_string).collect();
        check(format!("P2\n# a note\n5 3\n255\n{}\n", text.join(" ")).as_bytes());
        let triple: Vec<String> = plain().iter().map(|v| format!("{v} {v} {v}")).collect();
        check(format!("P3 5 3 255 {}", triple.join(" ")).as_bytes());
        check(&[b"P5 5 3 255\n".as_slice(), &plain()].concat());
        let wide: Vec<u8> = plain().iter().flat_map(|v| [*v, *v]).collect();
        check(&[b"P5 5 3 65535\n".as_slice(), &wide].concat());
        let triple: Vec<u8> = plain().iter().flat_map(|v| [*v; 3]).collect();
        check(&[b"P6 5 3 255\n".as_slice(), &triple].concat());
    }

    #[test]
    fn a_stated_resolution_is_read_from_every_kind_that_has_one() {
        let grey: DynamicImage = grey(SIZE.0, SIZE.1, plain()).unwrap();
        let png = encoded(&grey, image::ImageFormat::Png);
        assert_eq!(stated(&png), None, "nothing is said");
        // After signature and IHDR; the check of a chunk that the decoder needs not is its own.
        let with = |across: u32, down: u32, unit: u8| {
            let data = [&b"pHYs"[..], &across.to_be_bytes(), &down.to_be_bytes(), &[unit]].concat();
            let check = crc(&data).to_be_bytes();
            [&png[..33], &9u32.to_be_bytes(), &data, &check, &png[33..]].concat()
        };
        assert_eq!(stated(&with(19_685, 19_685, 1)), Some(500));
        assert_eq!(stated(&with(39_370, 39_370, 1)), Some(1000));
        assert_eq!(stated(&with(39_370, 19_685, 1)), None, "no sensor's pixels");
        assert_eq!(stated(&with(1, 1, 0)), None, "only their shape");
        let mut jpeg = encoded(&grey.to_rgb8().into(), image::ImageFormat::Jpeg);
        let jfif = jpeg.windows(5).position(|w| w == b"JFIF\0").unwrap();
        jpeg[jfif + 7..jfif + 12].copy_from_slice(&[1, 2, 88, 2, 88]);
        assert_eq!(stated(&jpeg), Some(600));
        jpeg[jfif + 7..jfif + 12].copy_from_slice(&[2, 0, 197, 0, 197]);
        assert_eq!(stated(&jpeg), Some(500), "197 to the centimetre");
        let mut bmp = encoded(&grey.to_rgb8().into(), image::ImageFormat::Bmp);
        bmp[38..46].copy_from_slice(&[19_685u32.to_le_bytes(); 2].concat());
        assert_eq!(stated(&bmp), Some(500));
        bmp[38..46].fill(0);
        assert_eq!(stated(&bmp), None);
        assert_eq!(stated(b"P5 1 1 255\n1"), None);
        let tiff = |unit| {
            let mut bytes = Vec::new();
            let mut encoder = TiffEncoder::new(Cursor::new(&mut bytes)).unwrap();
            let mut one = encoder.new_image::<colortype::Gray8>(SIZE.0, SIZE.1).unwrap();
            one.resolution(unit, tiff::encoder::Rational { n: 1000, d: 2 });
            one.write_data(&plain()).unwrap();
            bytes
        };
        use tiff::tags::ResolutionUnit as Unit;
        assert_eq!(stated(&tiff(Unit::Inch)), Some(500));
        assert_eq!(stated(&tiff(Unit::Centimeter)), Some(1270));
        assert_eq!(stated(&tiff(Unit::None)), None);
    }

    /// The check of a PNG chunk.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
            })
        })
    }

    #[test]
    fn under_transparency_lies_white_paper() {
        let clear = image::RgbaImage::from_pixel(2, 1, Rgba([0, 0, 0, 0]));
        let picture = read(&encoded(&clear.into(), image::ImageFormat::Png)).unwrap();
        assert_eq!(picture.to_luma8().into_raw(), [255, 255]);
    }

    #[test]
    fn a_palette_gives_its_colours() {
        let mut map = vec![0u16; 768];
        (map[7], map[256 + 7], map[512 + 7]) = (0xff00, 0x8000, 0x0100);
        let picture = of_palette(2, 1, &[7, 0], &map).unwrap();
        assert_eq!(picture.to_rgb8().into_raw(), [255, 128, 1, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_told_so() {
        assert!(matches!(read(b""), Err(PictureError::Image(_))));
        assert!(matches!(read(b"P5 5 3 255\n123"), Err(PictureError::Map)));
        assert!(matches!(read(b"P5 50000 50000 255\n"), Err(PictureError::Size(50_000, _))));
        assert!(matches!(read(b"P5 0 3 255\n"), Err(PictureError::Size(0, 3))));
        assert!(matches!(open(Path::new("not there")), Err(PictureError::Io(_))));
        let png = encoded(&grey(SIZE.0, SIZE.1, plain()).unwrap(), image::ImageFormat::Png);
        assert!(read(&png[..png.len() / 2]).is_err());
    }

    #[test]
    fn a_webp_is_read_turned_as_its_note_says() {
        let picture = read(WEBP).unwrap();
        assert_eq!((picture.width(), picture.height()), (3, 5));
        assert!(read(&WEBP[..WEBP.len() / 2]).is_err());
        assert!(matches!(read(b"RIFF\x04\0\0\0WAVE"), Err(PictureError::WebP(_))));
    }

    #[test]
    fn every_kind_that_is_cut_off_is_told_so() {
        let picture = RgbImage::from_fn(64, 48, |x, y| Rgb([x, y, x * y].map(|v| (v % 256) as u8)));
        let picture = DynamicImage::from(picture);
        use image::ImageFormat::{Bmp, Jpeg, Png};
        for format in [Png, Jpeg, Bmp] {
            let bytes = encoded(&picture, format);
            assert!(read(&bytes).is_ok(), "{format:?}");
            for part in [4, 2] {
                assert!(read(&bytes[..bytes.len() - bytes.len() / part]).is_err(), "{format:?}");
            }
        }
        let tiff = tiff_of::<colortype::Gray8>(&plain());
        assert!(read(&tiff[..tiff.len() / 2]).is_err());
        let jpeg = encoded(&picture, Jpeg);
        assert!(matches!(read(&jpeg[..jpeg.len() - 2]), Err(PictureError::Cut)), "no end mark");
        // Telephones append further pictures, and a small one inside has an end of its own.
        assert!(read(&[&*jpeg, b"more"].concat()).is_ok());
        let note = [&[0xff, 0xe1, 0, 6, 0xff, 0xd9, 0xff, 0xd9], &jpeg[2..]].concat();
        assert!(read(&[&jpeg[..2], &*note].concat()).is_ok());
        let cut = [&jpeg[..2], &note[..note.len() / 2]].concat();
        assert!(matches!(read(&cut), Err(PictureError::Cut)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0usize..8) {
            let heads: [&[u8]; 8] = [b"RIFF\x40\0\0\0WEBPVP8L", b"", b"BM", b"\xff\xd8\xff\xe0\0\x10JFIF\0", b"II*\0\x08\0\0\0", b"P5 9 9 255\n", b"P2 3 3 9 ", b"\x89PNG\r\n\x1a\n"];
            bytes.splice(0..0, heads[kind].iter().copied());
            let _ = read(&bytes);
        }
    }
}
