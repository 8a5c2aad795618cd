//! Finger minutiae records of ISO/IEC 19794-2:2005 (the text GB/T 26237.2 adopts):
//! several views in one record, written and read; records of 2011 and of ANSI INCITS
//! 378-2004 are read. Any bytes give a record or an
//! error; lengths are believed only as far as bytes are there.

use std::f32::consts::TAU;

use crate::finger::{FingerTemplate, Minutia, MinutiaKind};

/// One record: the placements of one or more fingers from one sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct FingerRecord {
    /// The vendor's number for the sensor, 12 bits; 0 is unknown.
    pub device: u16,
    /// The views, in order.
    pub views: Vec<FingerView>,
}

/// One placement of one finger.
#[derive(Debug, Clone, PartialEq)]
pub struct FingerView {
    /// Which finger.
    pub position: FingerPosition,
    /// Which placement of this finger, 0..15.
    pub number: u8,
    /// How it was taken; 0 is live-scan plain.
    pub impression: u8,
    /// 0..100.
    pub quality: u8,
    /// The minutiae.
    pub template: FingerTemplate,
}

/// A finger, by the numbers of ISO/IEC 19794-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum FingerPosition {
    /// Not known which.
    Unknown = 0,
    /// Right thumb.
    RightThumb = 1,
    /// Right index finger.
    RightIndex = 2,
    /// Right middle finger.
    RightMiddle = 3,
    /// Right ring finger.
    RightRing = 4,
    /// Right little finger.
    RightLittle = 5,
    /// Left thumb.
    LeftThumb = 6,
    /// Left index finger.
    LeftIndex = 7,
    /// Left middle finger.
    LeftMiddle = 8,
    /// Left ring finger.
    LeftRing = 9,
    /// Left little finger.
    LeftLittle = 10,
}

/// Why bytes are not a finger minutiae record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Another format.
    #[error("not a finger minutiae record")]
    Format,
    /// A version this reader does not know.
    #[error("a finger minutiae record of an unknown version")]
    Version,
    /// Cut, too long, or a length inside that does not add up.
    #[error("the length of the finger minutiae record does not add up")]
    Length,
    /// A value the standard does not allow.
    #[error("a value in the finger minutiae record is out of range")]
    Value,
    /// More than the standard can hold.
    #[error("too many views or minutiae for one record")]
    TooMany,
}

/// Writes a record at 197 pixels per centimetre (500 per inch). Positions become
/// whole pixels and angles 1/256 of a turn.
pub fn encode(record: &FingerRecord) -> Result<Vec<u8>, RecordError> {
    if record.views.len() > VIEWS_MAX {
        return Err(RecordError::TooMany);
    }
    let widest = |of: fn(&FingerTemplate) -> u32| {
        record.views.iter().map(|view| of(&view.template)).max().unwrap_or(0)
    };
    let size = |n: u32| u16::try_from(n).map_err(|_| RecordError::Value);
    let mut out = b"FMR\0 20\0\0\0\0\0".to_vec();
    out.extend((record.device & 0x0fff).to_be_bytes());
    out.extend(size(widest(|t| t.width))?.to_be_bytes());
    out.extend(size(widest(|t| t.height))?.to_be_bytes());
    out.extend(PIXELS_PER_CM.to_be_bytes());
    out.extend(PIXELS_PER_CM.to_be_bytes());
    out.extend([record.views.len() as u8, 0]);
    for view in &record.views {
        encode_view(view, &mut out)?;
    }
    let length = out.len() as u32;
    out[8..12].copy_from_slice(&length.to_be_bytes());
    Ok(out)
}

fn encode_view(view: &FingerView, out: &mut Vec<u8>) -> Result<(), RecordError> {
    if view.number > 15 || view.impression > 15 || view.quality > 100 {
        return Err(RecordError::Value);
    }
    let n = u8::try_from(view.template.minutiae.len()).map_err(|_| RecordError::TooMany)?;
    let number = view.number << 4 | view.impression;
    out.extend([view.position as u8, number, view.quality, n]);
    for minutia in &view.template.minutiae {
        let kind: u16 = match minutia.kind {
            MinutiaKind::Other => 0,
            MinutiaKind::Ending => 1,
            MinutiaKind::Bifurcation => 2,
        };
        let place = |v: f32| v.round().clamp(0.0, f32::from(COORDINATE_MAX)) as u16;
        out.extend((kind << 14 | place(minutia.x)).to_be_bytes());
        out.extend(place(minutia.y).to_be_bytes());
        let angle = (minutia.angle.rem_euclid(TAU) / TAU * 256.0).round() as u32 % 256;
        let quality = (minutia.quality * 100.0).round().clamp(1.0, 100.0);
        out.extend([angle as u8, quality as u8]);
    }
    out.extend([0, 0]);
    Ok(())
}

/// Reads a record of ISO/IEC 19794-2:2005, ISO/IEC 19794-2:2011 or ANSI INCITS
/// 378-2004; positions come back at 500 pixels per inch.
pub fn decode(bytes: &[u8]) -> Result<FingerRecord, RecordError> {
    let total = bytes.len();
    let mut rest = Bytes(bytes);
    if rest.take(4)? != b"FMR\0" {
        return Err(RecordError::Format);
    }
    let version = rest.take(4)?;
    let record = match version {
        // ANSI has the same version and a length of two bytes (or six, zeros first).
        b" 20\0" if rest.peek_u32()? as usize == total => decode_2005(&mut rest)?,
        b" 20\0" => decode_ansi(&mut rest, total)?,
        b"030\0" => decode_2011(&mut rest, total)?,
        _ => return Err(RecordError::Version),
    };
    if rest.0.is_empty() { Ok(record) } else { Err(RecordError::Length) }
}

fn decode_2005(bytes: &mut Bytes<'_>) -> Result<FingerRecord, RecordError> {
    bytes.take(4)?;
    decode_views(bytes, ISO_STEPS)
}

fn decode_ansi(bytes: &mut Bytes<'_>, total: usize) -> Result<FingerRecord, RecordError> {
    let length = match bytes.u16()? {
        0 => bytes.u32()? as usize,
        short => usize::from(short),
    };
    if length != total {
        return Err(RecordError::Length);
    }
    // The maker of the software and its version.
    bytes.take(4)?;
    decode_views(bytes, ANSI_STEPS)
}

/// What the 2005 and the ANSI record share; a turn has `steps` steps of angle.
fn decode_views(bytes: &mut Bytes<'_>, steps: f32) -> Result<FingerRecord, RecordError> {
    let device = bytes.u16()? & 0x0fff;
    let (width, height) = (bytes.u16()?, bytes.u16()?);
    let sheet = Sheet::new(width, height, bytes.u16()?, bytes.u16()?, steps)?;
    let n_views = usize::from(bytes.u8()?);
    if bytes.u8()? != 0 || n_views > VIEWS_MAX {
        return Err(RecordError::Value);
    }
    let views = (0..n_views).map(|_| decode_view(bytes, &sheet)).collect::<Result<_, _>>()?;
    Ok(FingerRecord { device, views })
}

fn decode_view(bytes: &mut Bytes<'_>, sheet: &Sheet) -> Result<FingerView, RecordError> {
    let position = FingerPosition::from_code(bytes.u8()?).ok_or(RecordError::Value)?;
    let numbers = bytes.u8()?;
    let quality = bytes.u8()?;
    let n = bytes.u8()?;
    if quality > 100 {
        return Err(RecordError::Value);
    }
    let template = sheet.minutiae(bytes, n, true)?;
    let (number, impression) = (numbers >> 4, numbers & 0x0f);
    Ok(FingerView { position, number, impression, quality, template })
}

/// The record of 2011: each representation with a head of its own.
fn decode_2011(bytes: &mut Bytes<'_>, total: usize) -> Result<FingerRecord, RecordError> {
    if bytes.u32()? as usize != total {
        return Err(RecordError::Length);
    }
    let n_views = usize::from(bytes.u16()?);
    let certified = bytes.u8()? != 0;
    if n_views > VIEWS_MAX {
        return Err(RecordError::TooMany);
    }
    let mut device = 0;
    let views = (0..n_views)
        .map(|_| decode_representation(bytes, certified, &mut device))
        .collect::<Result<_, _>>()?;
    Ok(FingerRecord { device, views })
}

fn decode_representation(
    bytes: &mut Bytes<'_>,
    certified: bool,
    device: &mut u16,
) -> Result<FingerView, RecordError> {
    let length = bytes.u32()? as usize;
    let mut own = Bytes(bytes.take(length.checked_sub(4).ok_or(RecordError::Length)?)?);
    // Date and time, technology, maker; then the type of the sensor.
    own.take(9 + 1 + 2)?;
    *device = own.u16()? & 0x0fff;
    let n_qualities = usize::from(own.u8()?);
    let qualities = own.take(5 * n_qualities)?;
    let quality = qualities.first().copied().filter(|q| *q <= 100).unwrap_or(0);
    if certified {
        let n = usize::from(own.u8()?);
        own.take(3 * n)?;
    }
    let position = FingerPosition::from_code(own.u8()?).ok_or(RecordError::Value)?;
    let number = own.u8()?;
    let (per_cm_x, per_cm_y) = (own.u16()?, own.u16()?);
    let impression = own.u8()?;
    let (width, height) = (own.u16()?, own.u16()?);
    let sheet = Sheet::new(width, height, per_cm_x, per_cm_y, ISO_STEPS)?;
    let field = own.u8()? >> 4;
    if number > 15 || impression > 15 || !(5..=6).contains(&field) {
        return Err(RecordError::Value);
    }
    let n = own.u8()?;
    let template = sheet.minutiae(&mut own, n, field == 6)?;
    if !own.0.is_empty() {
        return Err(RecordError::Length);
    }
    Ok(FingerView { position, number, impression, quality, template })
}

/// Size of the pictures, the way to 500 pixels per inch, and the steps of an angle.
struct Sheet {
    width: u32,
    height: u32,
    scale_x: f32,
    scale_y: f32,
    steps: f32,
}

impl Sheet {
    fn new(
        width: u16,
        height: u16,
        per_cm_x: u16,
        per_cm_y: u16,
        steps: f32,
    ) -> Result<Self, RecordError> {
        let scale = |per_cm: u16| match per_cm {
            0 => Err(RecordError::Value),
            n if n.abs_diff(PIXELS_PER_CM) <= 1 => Ok(1.0),
            n => Ok(f32::from(PIXELS_PER_CM) / f32::from(n)),
        };
        let (scale_x, scale_y) = (scale(per_cm_x)?, scale(per_cm_y)?);
        let to = |n: u16, scale: f32| (f32::from(n) * scale).round() as u32;
        let (width, height) = (to(width, scale_x), to(height, scale_y));
        Ok(Self { width, height, scale_x, scale_y, steps })
    }

    /// The minutiae of a view and the extended data after them (ridge counts, cores,
    /// deltas), which is allowed and not used.
    fn minutiae(
        &self,
        bytes: &mut Bytes<'_>,
        n: u8,
        with_quality: bool,
    ) -> Result<FingerTemplate, RecordError> {
        let minutiae =
            (0..n).map(|_| self.minutia(bytes, with_quality)).collect::<Result<_, _>>()?;
        let extended = usize::from(bytes.u16()?);
        bytes.take(extended)?;
        let extractor = FOREIGN.to_owned();
        Ok(FingerTemplate::new(self.width, self.height, minutiae, extractor))
    }

    fn minutia(&self, bytes: &mut Bytes<'_>, with_quality: bool) -> Result<Minutia, RecordError> {
        let (x, y) = (bytes.u16()?, bytes.u16()?);
        let angle = bytes.u8()?;
        let quality = if with_quality { bytes.u8()? } else { 0 };
        let kind = match x >> 14 {
            0 => MinutiaKind::Other,
            1 => MinutiaKind::Ending,
            2 => MinutiaKind::Bifurcation,
            _ => return Err(RecordError::Value),
        };
        Ok(Minutia {
            x: f32::from(x & COORDINATE_MAX) * self.scale_x,
            y: f32::from(y & COORDINATE_MAX) * self.scale_y,
            angle: (f32::from(angle) / self.steps * TAU).rem_euclid(TAU),
            kind,
            // Zero means "not reported"; a middle value keeps such minutiae usable.
            quality: if quality == 0 { 0.5 } else { f32::from(quality.min(100)) / 100.0 },
        })
    }
}

/// What is left to read.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, n: usize) -> Result<&'b [u8], RecordError> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(RecordError::Length)?;
        self.0 = rest;
        Ok(head)
    }

    fn u8(&mut self) -> Result<u8, RecordError> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, RecordError> {
        let b = self.take(2)?;
        Ok(u16::from_be_bytes([b[0], b[1]]))
    }

    fn peek_u32(&self) -> Result<u32, RecordError> {
        Bytes(self.0).u32()
    }

    fn u32(&mut self) -> Result<u32, RecordError> {
        let b = self.take(4)?;
        Ok(u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }
}

impl FingerPosition {
    /// Every position, by its number.
    pub const ALL: [Self; 11] = [
        Self::Unknown,
        Self::RightThumb,
        Self::RightIndex,
        Self::RightMiddle,
        Self::RightRing,
        Self::RightLittle,
        Self::LeftThumb,
        Self::LeftIndex,
        Self::LeftMiddle,
        Self::LeftRing,
        Self::LeftLittle,
    ];

    /// The finger of this number in ISO/IEC 19794-2.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The finger of this number on a resident identity card (GA 490): 11 to 20,
    /// and 97 to 99 for a finger that is not sure.
    pub fn from_card_code(code: u8) -> Option<Self> {
        match code {
            11..=20 => Self::from_code(code - 10),
            97..=99 => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// The extractor's name in a record that does not tell it.
pub const FOREIGN: &str = "foreign";
const PIXELS_PER_CM: u16 = 197;
/// The standard counts to 255; sixteen placements of ten fingers are enough here.
const VIEWS_MAX: usize = 160;
const COORDINATE_MAX: u16 = 0x3fff;
/// Steps of a full turn: 1.40625 degrees in ISO records, 2 degrees in ANSI records.
const ISO_STEPS: f32 = 256.0;
const ANSI_STEPS: f32 = 180.0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::arbitrary::number;

    use super::*;

    #[test]
    fn one_view_has_the_bytes_of_the_standard() {
        let minutia = Minutia {
            x: 10.0,
            y: 300.0,
            angle: TAU / 4.0,
            kind: MinutiaKind::Ending,
            quality: 0.75,
        };
        let bytes = encode(&record(vec![minutia])).unwrap();
        let expected = [
            b"FMR\0 20\0".as_slice(),
            &[0, 0, 0, 36, 0, 0, 1, 0, 1, 32, 0, 197, 0, 197, 1, 0],
            &[2, 0x10, 80, 1, 0x40, 10, 1, 44, 64, 75, 0, 0],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn card_codes_are_the_same_fingers() {
        assert_eq!(FingerPosition::from_card_code(11), Some(FingerPosition::RightThumb));
        assert_eq!(FingerPosition::from_card_code(20), Some(FingerPosition::LeftLittle));
        assert_eq!(FingerPosition::from_card_code(97), Some(FingerPosition::Unknown));
        assert_eq!(FingerPosition::from_card_code(1), None);
    }

    #[test]
    fn a_record_of_another_resolution_comes_to_500_ppi() {
        let minutia =
            Minutia { x: 100.0, y: 50.0, angle: 0.0, kind: MinutiaKind::Other, quality: 0.5 };
        let mut bytes = encode(&record(vec![minutia])).unwrap();
        bytes[18..22].copy_from_slice(&[1, 138, 1, 138]); // 394 per centimetre
        let read = decode(&bytes).unwrap();
        let minutia = read.views[0].template.minutiae[0];
        assert_eq!((minutia.x, minutia.y), (50.0, 25.0));
    }

    #[test]
    fn an_ansi_record_is_read_with_its_steps_of_two_degrees() {
        let bytes = [
            b"FMR\0 20\0".as_slice(),
            &[0, 38, 0, 0, 0, 0, 0, 0, 1, 0, 1, 32, 0, 197, 0, 197, 1, 0],
            &[2, 0x10, 80, 1, 0x80, 10, 1, 44, 45, 75, 0, 0],
        ];
        let read = decode(&bytes.concat()).unwrap();
        let minutia = read.views[0].template.minutiae[0];
        assert_eq!((minutia.x, minutia.y), (10.0, 300.0));
        assert!((minutia.angle - TAU / 4.0).abs() < 1e-5);
        assert_eq!(minutia.kind, MinutiaKind::Bifurcation);
    }

    #[test]
    fn a_record_of_2011_is_read() {
        let own = [
            [0u8; 14].as_slice(),
            &[1, 70, 0, 0, 0, 0, 2, 1, 0, 197, 0, 197, 0, 1, 0, 1, 32, 0x50, 1],
            &[0x40, 10, 1, 44, 64, 0, 0],
        ]
        .concat();
        let head = b"FMR\x00030\x00".as_slice();
        let length = |n: usize| (n as u32).to_be_bytes();
        let total = 15 + 4 + own.len();
        let bytes =
            [head, &length(total), &[0, 1, 0], &length(4 + own.len()), own.as_slice()].concat();
        let read = decode(&bytes).unwrap();
        let view = &read.views[0];
        assert_eq!((view.position, view.quality), (FingerPosition::RightIndex, 70));
        assert_eq!((view.template.width, view.template.height), (256, 288));
        assert!((view.template.minutiae[0].angle - TAU / 4.0).abs() < 1e-5);
        assert!(decode(&bytes[..total - 1]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(minutiae in proptest::collection::vec(any_minutia(), 0..255)) {
            let written = record(minutiae);
            let bytes = encode(&written).unwrap();
            prop_assert_eq!(decode(&bytes), Ok(written));
        }

        #[test]
        fn a_cut_record_is_refused(minutiae in proptest::collection::vec(any_minutia(), 0..20), part in number(0.0..1.0)) {
            let bytes = encode(&record(minutiae)).unwrap();
            let cut = (bytes.len() as f64 * f64::from(part)) as usize;
            prop_assert!(decode(&bytes[..cut]).is_err());
        }

        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
            let head = b"FMR\0 20\0\0\0";
            let n = head.len().min(bytes.len());
            bytes[..n].copy_from_slice(&head[..n]);
            if bytes.len() > 12 {
                let length = (bytes.len() as u32).to_be_bytes();
                bytes[8..12].copy_from_slice(&length);
                let _ = decode(&bytes);
                bytes[4..8].copy_from_slice(b"030\0");
                let _ = decode(&bytes);
            }
        }
    }

    /// A minutia that the format can hold exactly.
    fn any_minutia() -> impl Strategy<Value = Minutia> {
        let kinds = [MinutiaKind::Ending, MinutiaKind::Bifurcation, MinutiaKind::Other];
        (0u16..256, 0u16..288, any::<u8>(), 0usize..3, 1u8..=100).prop_map(
            move |(x, y, angle, kind, quality)| Minutia {
                x: f32::from(x),
                y: f32::from(y),
                angle: f32::from(angle) / 256.0 * TAU,
                kind: kinds[kind],
                quality: f32::from(quality) / 100.0,
            },
        )
    }

    fn record(minutiae: Vec<Minutia>) -> FingerRecord {
        let template = FingerTemplate::new(256, 288, minutiae, FOREIGN.to_owned());
        let view = FingerView {
            position: FingerPosition::RightIndex,
            number: 1,
            impression: 0,
            quality: 80,
            template,
        };
        FingerRecord { device: 0, views: vec![view] }
    }
}
