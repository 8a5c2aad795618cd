//! A face drawn from numbers alone, for machines where no portraits were set up.

use crate::random::Random;
use image::{Rgb, RgbImage};

/// A frontal face on a plain ground, 512 x 512 pixels.
pub(super) fn face(random: &mut Random) -> RgbImage {
    let (half_width, half_height) = (random.between(120.0, 145.0), random.between(165.0, 190.0));
    let eyes = random.between(52.0, 64.0);
    let skin = [random.between(190.0, 225.0), random.between(150.0, 180.0), random.between(120.0, 145.0)];
    let spot = |x: f32, y: f32, cx: f32, cy: f32, rx: f32, ry: f32| (-((x - cx) / rx).powi(2) - ((y - cy) / ry).powi(2)).exp();
    RgbImage::from_fn(512, 512, |x, y| {
        let (x, y) = (x as f32 - 256.0, y as f32 - 262.0);
        let edge = (x / half_width).powi(2) + (y / half_height).powi(2);
        if edge > 1.0 {
            return Rgb([198, 202, 200]);
        }
        let mut shade = (1.05 - 0.5 * edge * edge) - 0.25 * spot(x, y, 12.0, 30.0, 9.0, 40.0);
        for side in [-1.0, 1.0] {
            shade -= 0.75 * spot(x, y, side * eyes, -20.0, 20.0, 9.0) + 0.5 * spot(x, y, side * eyes, -48.0, 32.0, 7.0);
        }
        shade -= 0.4 * spot(x, y, 0.0, 92.0, 42.0, 7.0) + 0.3 * spot(x, y, 0.0, 52.0, 20.0, 6.0);
        Rgb(skin.map(|channel| (channel * shade.clamp(0.05, 1.2)).clamp(0.0, 255.0) as u8))
    })
}
