//! Picture geometry: cutting, scaling, turning and packing pixels for a network.
//! Scaling follows the half-pixel rule of the libraries the networks were trained
//! with, and averages when a picture shrinks by two or more.

use image::{Rgb, RgbImage};

use crate::manifest::{ChannelOrder, Pixels};

/// A rectangle in picture coordinates, in pixels; it may leave the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Region {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) width: f32,
    pub(crate) height: f32,
}

/// Maps a point of the destination to the source: `x' = a x + b y + c`, `y' = d x + e y + f`.
pub(crate) type Affine = [f32; 6];

/// The region scaled to `size` (width, height); outside the picture it is black.
pub(crate) fn resample(picture: &RgbImage, region: Region, size: (usize, usize)) -> RgbImage {
    let columns = taps(region.x, region.width, size.0, picture.width());
    let rows = taps(region.y, region.height, size.1, picture.height());
    let raw = picture.as_raw();
    let stride = picture.width() as usize * 3;
    let mut out = Vec::with_capacity(size.0 * size.1 * 3);
    for row in &rows {
        for column in &columns {
            out.extend(blend(raw, stride, row, column));
        }
    }
    RgbImage::from_raw(size.0 as u32, size.1 as u32, out).expect("the buffer has its size")
}

/// Source samples of one destination column or row, with their weights.
type Taps = Vec<(usize, f32)>;

fn taps(from: f32, length: f32, n: usize, limit: u32) -> Vec<Taps> {
    let scale = length / n as f32;
    let last = limit as i64 - 1;
    // Bilinear taps stay inside the region, as when the region is cut out first.
    let low = from.ceil().max(0.0) as i64;
    let high = ((from + length).ceil() as i64 - 1).min(last);
    let inside = |i: i64| (low..=high.max(low)).contains(&i) && i <= last;
    let one = |index: usize| -> Taps {
        let start = from + index as f32 * scale;
        if start + scale <= 0.0 || start >= limit as f32 {
            return Vec::new();
        }
        if scale >= 2.0 {
            let n = scale.round() as i64;
            let at = |k| (start + (k as f32 + 0.5) * scale / n as f32).floor() as i64;
            return (0..n)
                .map(at)
                .filter(|i| inside(*i))
                .map(|i| (i as usize, 1.0 / n as f32))
                .collect();
        }
        let at = start + scale / 2.0 - 0.5;
        let floor = at.floor();
        let part = at - floor;
        let clamp = |i: i64| i.clamp(low.min(last), high.max(low).min(last)) as usize;
        vec![(clamp(floor as i64), 1.0 - part), (clamp(floor as i64 + 1), part)]
    };
    (0..n).map(one).collect()
}

fn blend(raw: &[u8], stride: usize, row: &Taps, column: &Taps) -> [u8; 3] {
    let mut sum = [0.0f32; 3];
    for (y, wy) in row {
        for (x, wx) in column {
            let at = y * stride + x * 3;
            let weight = wy * wx;
            for (sum, value) in sum.iter_mut().zip(&raw[at..at + 3]) {
                *sum += weight * f32::from(*value);
            }
        }
    }
    sum.map(|value| (value + 0.5) as u8)
}

/// A picture of `size` whose pixels are read through `map`, bilinear, black outside.
pub(crate) fn warp(picture: &RgbImage, map: &Affine, size: (usize, usize)) -> RgbImage {
    RgbImage::from_fn(size.0 as u32, size.1 as u32, |x, y| {
        let (x, y) = (x as f32, y as f32);
        let source_x = map[0] * x + map[1] * y + map[2];
        let source_y = map[3] * x + map[4] * y + map[5];
        Rgb(bilinear(picture, source_x, source_y))
    })
}

pub(crate) fn bilinear(picture: &RgbImage, x: f32, y: f32) -> [u8; 3] {
    let (x0, y0) = (x.floor(), y.floor());
    let (px, py) = (x - x0, y - y0);
    let mut sum = [0.0f32; 3];
    for (dx, dy, weight) in [
        (0.0, 0.0, (1.0 - px) * (1.0 - py)),
        (1.0, 0.0, px * (1.0 - py)),
        (0.0, 1.0, (1.0 - px) * py),
        (1.0, 1.0, px * py),
    ] {
        let (x, y) = (x0 + dx, y0 + dy);
        let inside =
            x >= 0.0 && y >= 0.0 && x < picture.width() as f32 && y < picture.height() as f32;
        if inside && weight > 0.0 {
            let pixel = picture.get_pixel(x as u32, y as u32);
            for (sum, value) in sum.iter_mut().zip(pixel.0) {
                *sum += weight * f32::from(value);
            }
        }
    }
    sum.map(|value| (value + 0.5) as u8)
}

/// The numbers a network is fed, channel after channel.
pub(crate) fn pack(picture: &RgbImage, pixels: &Pixels) -> Vec<f32> {
    let channel = |index: usize| {
        let (subtract, scale) = (pixels.subtract[index], 1.0 / pixels.divide[index]);
        move |value: f32| (value - subtract) * scale
    };
    let colour = |source: usize, index: usize| {
        let of = channel(index);
        picture.as_raw().iter().skip(source).step_by(3).map(move |v| of(f32::from(*v)))
    };
    match pixels.order {
        ChannelOrder::Grey => picture.pixels().map(|p| channel(0)(luma(p).round())).collect(),
        ChannelOrder::Rgb => colour(0, 0).chain(colour(1, 1)).chain(colour(2, 2)).collect(),
        ChannelOrder::Bgr => colour(2, 0).chain(colour(1, 1)).chain(colour(0, 2)).collect(),
    }
}

/// Luma by ITU-R BT.601, 0..255.
pub(crate) fn luma(pixel: &Rgb<u8>) -> f32 {
    let [r, g, b] = pixel.0.map(f32::from);
    0.299 * r + 0.587 * g + 0.114 * b
}

/// The similarity that carries `from` best onto `to` (least squares), as a map of
/// destination points to source points.
pub(crate) fn similarity<const N: usize>(from: &[(f32, f32); N], to: &[(f32, f32); N]) -> Affine {
    let mean = |points: &[(f32, f32); N]| {
        let sum = points.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
        (sum.0 / N as f32, sum.1 / N as f32)
    };
    let (cf, ct) = (mean(from), mean(to));
    let (mut re, mut im, mut norm) = (0.0, 0.0, 1e-9);
    // `to` to `from`: the inverse map, which is what sampling needs.
    for (f, t) in from.iter().zip(to) {
        let (fx, fy) = (f.0 - cf.0, f.1 - cf.1);
        let (tx, ty) = (t.0 - ct.0, t.1 - ct.1);
        re += fx * tx + fy * ty;
        im += fy * tx - fx * ty;
        norm += fx * fx + fy * fy;
    }
    // The forward fit is (re, -im) / norm; its inverse is its conjugate over its square.
    let square = (re * re + im * im).max(1e-9) / norm;
    let (a, b) = (re / square, im / square);
    [a, -b, cf.0 - a * ct.0 + b * ct.1, b, a, cf.1 - b * ct.0 - a * ct.1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_similarity_carries_the_destination_back_to_the_source() {
        let from = [(10.0, 10.0), (30.0, 12.0), (20.0, 40.0)];
        // The destination is the source turned by 30 degrees, halved and moved.
        let (s, c) = (0.5f32.asin().sin(), 0.5f32.asin().cos());
        let to = from.map(|(x, y)| (0.5 * (c * x - s * y) + 5.0, 0.5 * (s * x + c * y) - 3.0));
        let m = similarity(&from, &to);
        for (f, t) in from.iter().zip(&to) {
            let x = m[0] * t.0 + m[1] * t.1 + m[2];
            let y = m[3] * t.0 + m[4] * t.1 + m[5];
            assert!((x - f.0).abs() < 1e-3 && (y - f.1).abs() < 1e-3, "{x} {y} {f:?}");
        }
    }

    #[test]
    fn a_picture_resampled_to_its_own_size_is_itself() {
        let picture = RgbImage::from_fn(7, 5, |x, y| Rgb([x as u8 * 30, y as u8 * 40, 9]));
        let whole = Region { x: 0.0, y: 0.0, width: 7.0, height: 5.0 };
        assert_eq!(resample(&picture, whole, (7, 5)), picture);
    }

    #[test]
    fn outside_the_picture_is_black() {
        let picture = RgbImage::from_pixel(4, 4, Rgb([200, 200, 200]));
        let around = Region { x: -4.0, y: -4.0, width: 12.0, height: 12.0 };
        let out = resample(&picture, around, (12, 12));
        assert_eq!(out.get_pixel(0, 0).0, [0, 0, 0]);
        assert_eq!(out.get_pixel(5, 5).0, [200, 200, 200]);
        assert_eq!(out.get_pixel(11, 5).0, [0, 0, 0]);
    }
}
