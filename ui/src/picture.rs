//! Pictures between the `image` crate and Slint.

use image::RgbImage;
use image::imageops::{self, FilterType};
use slint::{Image, Rgb8Pixel, SharedPixelBuffer};

/// The picture as Slint shows it; mirrored where the person coaches themselves, as a mirror would.
pub(crate) fn shown(picture: &RgbImage, mirrored: bool) -> Image {
    let (width, height) = picture.dimensions();
    let mut buffer =
        SharedPixelBuffer::<Rgb8Pixel>::clone_from_slice(picture.as_raw(), width, height);
    if mirrored && width > 0 {
        for row in buffer.make_mut_slice().chunks_exact_mut(width as usize) {
            row.reverse();
        }
    }
    Image::from_rgb8(buffer)
}

/// A chip photo (102x126 pixels), enlarged smoothly: the renderer only repeats pixels.
pub(crate) fn portrait(picture: &RgbImage) -> Image {
    let height = picture.height().max(1);
    let width = (picture.width() * PORTRAIT_HEIGHT / height).max(1);
    shown(&imageops::resize(picture, width, PORTRAIT_HEIGHT, FilterType::CatmullRom), false)
}

/// A drawn screen as a picture.
pub(crate) fn drawn(pixels: &SharedPixelBuffer<Rgb8Pixel>) -> RgbImage {
    RgbImage::from_raw(pixels.width(), pixels.height(), pixels.as_bytes().to_vec())
        .expect("a buffer of pixels has three bytes for each")
}

/// Pixels, as `CardPicture` in pages/person.slint shows it at 1280x800.
const PORTRAIT_HEIGHT: u32 = 248;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirrored_picture_swaps_left_and_right_only() {
        let picture = RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let shown = shown(&picture, true).to_rgb8().expect("made of pixels");
        let lefts: Vec<_> = shown.as_slice().iter().map(|p| (p.r, p.g)).collect();
        assert_eq!(lefts, [(2, 0), (1, 0), (0, 0), (2, 1), (1, 1), (0, 1)]);
    }
}
