//! From the formats of cameras to upright RGB. No I/O.

use image::{ImageFormat, RgbImage, imageops};

use super::Rotation;

/// A format that cameras stream and we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelFormat {
    /// 4:2:2 in one plane: Y0 U Y1 V.
    Yuyv,
    /// 4:2:0 in two planes: all Y, then U and V in turn.
    Nv12,
    /// One JPEG a frame.
    Mjpeg,
}

/// Makes RGB of a frame; `None` if it is cut off or damaged. `stride` is bytes a row of
/// the first plane, at least what the width needs.
pub fn to_rgb(
    format: PixelFormat,
    bytes: &[u8],
    width: u32,
    height: u32,
    stride: usize,
) -> Option<RgbImage> {
    match format {
        PixelFormat::Yuyv => yuyv_to_rgb(bytes, width, height, stride),
        PixelFormat::Nv12 => nv12_to_rgb(bytes, width, height, stride),
        PixelFormat::Mjpeg => mjpeg_to_rgb(bytes, width, height),
    }
}

/// Turns a picture upright.
pub fn rotate(image: RgbImage, rotation: Rotation) -> RgbImage {
    match rotation {
        Rotation::None => image,
        Rotation::Quarter => imageops::rotate90(&image),
        Rotation::Half => imageops::rotate180(&image),
        Rotation::ThreeQuarters => imageops::rotate270(&image),
    }
}

fn yuyv_to_rgb(bytes: &[u8], width: u32, height: u32, stride: usize) -> Option<RgbImage> {
    let (w, h) = (width as usize, height as usize);
    let row_size = w.div_ceil(2) * 4;
    let mut rgb = Vec::with_capacity(w * h * 3);
    for y in 0..h {
        let row = bytes.get(y * stride..)?.get(..row_size)?;
        let row_end = (y + 1) * w * 3;
        for four in row.chunks_exact(4) {
            rgb.extend(rgb_of(four[0], four[1], four[3]));
            rgb.extend(rgb_of(four[2], four[1], four[3]));
        }
        rgb.truncate(row_end);
    }
    RgbImage::from_raw(width, height, rgb)
}

fn nv12_to_rgb(bytes: &[u8], width: u32, height: u32, stride: usize) -> Option<RgbImage> {
    let (w, h) = (width as usize, height as usize);
    let chroma = bytes.get(stride * h..)?;
    let mut rgb = Vec::with_capacity(w * h * 3);
    for y in 0..h {
        let luma = bytes.get(y * stride..)?.get(..w)?;
        let uv = chroma.get(y / 2 * stride..)?.get(..w.div_ceil(2) * 2)?;
        for (x, l) in luma.iter().enumerate() {
            let at = x / 2 * 2;
            rgb.extend(rgb_of(*l, uv[at], uv[at + 1]));
        }
    }
    RgbImage::from_raw(width, height, rgb)
}

/// A camera that drops bytes in the middle gives half a JPEG; such a frame is refused.
fn mjpeg_to_rgb(bytes: &[u8], width: u32, height: u32) -> Option<RgbImage> {
    let is_jpeg = bytes.starts_with(&[0xFF, 0xD8]);
    // The end marker may be followed by padding.
    let end = bytes.iter().rposition(|b| *b != 0)?;
    if !is_jpeg || end < 3 || bytes[end - 1..=end] != [0xFF, 0xD9] {
        return None;
    }
    let image = image::load_from_memory_with_format(bytes, ImageFormat::Jpeg).ok()?;
    let image = image.into_rgb8();
    (image.dimensions() == (width, height)).then_some(image)
}

/// BT.601 with luma 16..=235, as UVC cameras deliver, in 8-bit fixed point.
fn rgb_of(y: u8, u: u8, v: u8) -> [u8; 3] {
    let y = 298 * (i32::from(y) - 16) + 128;
    let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
    let r = (y + 409 * v) >> 8;
    let g = (y - 100 * u - 208 * v) >> 8;
    let b = (y + 516 * u) >> 8;
    [r, g, b].map(|c| c.clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, codecs::jpeg::JpegEncoder};
    use proptest::prelude::*;

    #[test]
    fn known_colours_come_out() {
        check([16, 128, 128], [0, 0, 0]);
        check([235, 128, 128], [255, 255, 255]);
        check([81, 90, 240], [255, 0, 0]);
        check([145, 54, 34], [0, 255, 0]);
        check([41, 240, 110], [0, 0, 255]);
    }

    #[test]
    fn padded_rows_are_cut() {
        let row = [16, 128, 235, 128, 9, 9, 9, 9];
        let image = to_rgb(PixelFormat::Yuyv, &[row, row].concat(), 2, 2, 8).unwrap();
        assert_eq!(image.as_raw()[..6], [0, 0, 0, 255, 255, 255]);
        assert_eq!(image.as_raw()[6..], [0, 0, 0, 255, 255, 255]);
    }

    #[test]
    fn a_cut_jpeg_is_no_frame_and_a_padded_one_is() {
        let picture = RgbImage::from_fn(32, 16, |x, _| Rgb([x as u8 * 8, 100, 50]));
        let mut jpeg = Vec::new();
        picture.write_with_encoder(JpegEncoder::new(&mut jpeg)).unwrap();
        let read = |bytes: &[u8]| to_rgb(PixelFormat::Mjpeg, bytes, 32, 16, 0);
        assert!(read(&jpeg).is_some());
        assert!(read(&[&jpeg[..], &[0; 40]].concat()).is_some());
        assert!(read(&jpeg[..jpeg.len() / 2]).is_none());
        assert!(to_rgb(PixelFormat::Mjpeg, &jpeg, 16, 16, 0).is_none());
    }

    #[test]
    fn a_quarter_turn_brings_the_left_edge_to_the_top() {
        let image = RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8, 0, 0]));
        let turned = rotate(image, Rotation::Quarter);
        assert_eq!(turned.dimensions(), (1, 2));
        assert_eq!(turned.get_pixel(0, 0).0[0], 0);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..3000),
            width in 0u32..40, height in 0u32..40, pad in 0usize..9,
        ) {
            for format in [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Mjpeg] {
                let stride = width as usize * if format == PixelFormat::Yuyv { 2 } else { 1 } + pad;
                if let Some(image) = to_rgb(format, &bytes, width, height, stride) {
                    prop_assert_eq!(image.dimensions(), (width, height));
                }
            }
        }
    }

    fn check([y, u, v]: [u8; 3], expected: [u8; 3]) {
        let near = |got: &RgbImage| {
            let far = got.as_raw().iter().zip(expected.iter().cycle());
            far.map(|(a, b)| a.abs_diff(*b)).max().unwrap() <= 2
        };
        let yuyv = to_rgb(PixelFormat::Yuyv, &[y, u, y, v], 2, 1, 4).unwrap();
        let nv12 = to_rgb(PixelFormat::Nv12, &[y, y, y, y, u, v], 2, 2, 2).unwrap();
        assert!(near(&yuyv) && near(&nv12), "{yuyv:?} {nv12:?} {expected:?}");
    }
}
