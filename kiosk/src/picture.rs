//! Pictures as bytes.

use image::{ExtendedColorType, ImageEncoder, ImageError, RgbImage};
use models::finger::GreyImage;

/// A picture as it goes to the centre, and into a draft.
pub fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
        .write_image(image.as_raw(), image.width(), image.height(), ExtendedColorType::Rgb8)
        .expect("a camera's picture is within JPEG's 65,535 pixels, and a Vec takes every write");
    bytes
}

/// A fingerprint without loss: minutiae must not be invented by a codec.
pub fn finger_png(finger: &GreyImage) -> Result<Vec<u8>, ImageError> {
    png(&finger.pixels, finger.width, finger.height, ExtendedColorType::L8)
}

/// A small picture without loss, to be compared later.
pub fn photo_png(photo: &RgbImage) -> Result<Vec<u8>, ImageError> {
    png(photo.as_raw(), photo.width(), photo.height(), ExtendedColorType::Rgb8)
}

fn png(
    pixels: &[u8],
    width: u32,
    height: u32,
    colour: ExtendedColorType,
) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes).write_image(pixels, width, height, colour)?;
    Ok(bytes)
}

/// A 640 × 480 face has about 75 KB at this quality.
const JPEG_QUALITY: u8 = 90;
