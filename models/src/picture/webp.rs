//! WebP pictures, the first one where there are several.

use std::io::Cursor;

use image::{DynamicImage, RgbImage, RgbaImage, metadata::Orientation};
use image_webp::WebPDecoder;

use super::{PIXELS_MAX, PictureError, bounded};

pub(super) fn read(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes))?;
    let (width, height) = decoder.dimensions();
    bounded(width, height)?;
    decoder.set_memory_limit(PIXELS_MAX as usize * 8);
    let note = decoder.exif_metadata()?;
    let n = decoder.output_buffer_size().ok_or(PictureError::Size(width, height))?;
    let mut pixels = vec![0; n];
    decoder.read_image(&mut pixels)?;
    let picture: Option<DynamicImage> = match decoder.has_alpha() {
        true => RgbaImage::from_raw(width, height, pixels).map(Into::into),
        false => RgbImage::from_raw(width, height, pixels).map(Into::into),
    };
    let mut picture = picture.ok_or(PictureError::Size(width, height))?;
    if let Some(turn) = note.and_then(|note| Orientation::from_exif_chunk(&note)) {
        picture.apply_orientation(turn);
    }
    Ok(picture)
}
