//! The resolution that a picture file states in its head: PNG's pHYs, JPEG's JFIF, BMP's
//! pixels a metre, TIFF's resolution tags. Whether it can be believed is for others to say.

use std::io::{Read, Seek};

use tiff::{decoder::Decoder, tags::Tag};

/// Pixels per inch as stated by anything but a TIFF; nothing where nothing is stated, or
/// where width and height differ: such pixels are no sensor's.
pub(super) fn stated(bytes: &[u8]) -> Option<u32> {
    let (across, down) = match bytes {
        [0x89, b'P', b'N', b'G', ..] => of_png(bytes)?,
        [0xff, 0xd8, ..] => of_jpeg(bytes)?,
        [b'B', b'M', ..] => of_bmp(bytes)?,
        _ => return None,
    };
    even(across, down)
}

/// As stated by a TIFF: by the inch unless it says centimetre; a unit of none is no
/// resolution.
pub(super) fn stated_by_tiff<R: Read + Seek>(decoder: &mut Decoder<R>) -> Option<u32> {
    let unit = decoder.find_tag(Tag::ResolutionUnit).ok()?;
    let unit = unit.map_or(Some(TIFF_INCH), |value| value.into_u16().ok())?;
    let per_inch = match unit {
        TIFF_INCH => 1.0,
        TIFF_CENTIMETRE => 2.54,
        _ => return None,
    };
    let mut along = |tag| match *decoder.find_tag(tag).ok()??.into_u32_vec().ok()? {
        [above, below] if below > 0 => Some(f64::from(above) / f64::from(below) * per_inch),
        _ => None,
    };
    even(along(Tag::XResolution)?, along(Tag::YResolution)?)
}

fn even(across: f64, down: f64) -> Option<u32> {
    let is_even = across > 0.0 && (across / down - 1.0).abs() < UNEVEN_MAX;
    (is_even && across < PPI_MAX).then_some(across.round() as u32).filter(|ppi| *ppi > 0)
}

/// Chunks of length, name, data and check; pHYs lies before the first IDAT.
fn of_png(bytes: &[u8]) -> Option<(f64, f64)> {
    let mut rest = bytes.get(8..)?;
    loop {
        let (head, after) = rest.split_first_chunk::<8>()?;
        let length = be32(head)? as usize;
        match &head[4..] {
            b"pHYs" => {
                // The last byte says metre; pixels without a unit tell only their shape.
                let is_by_metre = after.get(8) == Some(&1) && length == 9;
                let (across, down) = (be32(after)?, be32(after.get(4..)?)?);
                return is_by_metre.then(|| (metric(across), metric(down)));
            }
            b"IDAT" => return None,
            _ => rest = after.get(length.checked_add(4)?..)?,
        }
    }
}

/// Segments of marker, length and data; JFIF's is among the first.
fn of_jpeg(bytes: &[u8]) -> Option<(f64, f64)> {
    let mut rest = bytes.get(2..)?;
    loop {
        let ([0xff, marker, high, low], after) = rest.split_first_chunk::<4>()? else {
            return None;
        };
        // The picture itself begins here.
        if *marker == 0xda {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([*high, *low])).checked_sub(2)?;
        let data = after.get(..length)?;
        if let (0xe0, [b'J', b'F', b'I', b'F', 0, _, _, unit, x0, x1, y0, y1, ..]) = (marker, data)
        {
            let along = |high, low| f64::from(u16::from_be_bytes([high, low]));
            let (across, down) = (along(*x0, *x1), along(*y0, *y1));
            return match unit {
                1 => Some((across, down)),
                2 => Some((across * 2.54, down * 2.54)),
                _ => None,
            };
        }
        rest = &after[length..];
    }
}

/// The head of 40 bytes and its longer successors hold pixels a metre; zero is not said.
fn of_bmp(bytes: &[u8]) -> Option<(f64, f64)> {
    let le32 = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    (le32(14)? >= 40).then_some(())?;
    Some((metric(le32(38)?), metric(le32(42)?)))
}

fn be32(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|four| u32::from_be_bytes(*four))
}

fn metric(per_metre: u32) -> f64 {
    f64::from(per_metre) * 0.0254
}

const TIFF_INCH: u16 = 2;
const TIFF_CENTIMETRE: u16 = 3;
const UNEVEN_MAX: f64 = 0.02;
const PPI_MAX: f64 = 100_000.0;
