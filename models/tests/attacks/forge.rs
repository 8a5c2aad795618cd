//! Makes presentation attacks from frames of simulated people: a print, a screen, a
//! cut-out mask. What the camera adds (blur, slope of the light, noise) comes last.

use image::{Rgb, RgbImage, imageops};

/// Corners of a sheet or screen in the frame, clockwise from the upper left.
pub type Quad = [(f32, f32); 4];

/// A sheet held to the camera, so that the face has about its usual size. `wobble`
/// moves it between the frames of one presentation; it has the proportions of `picture`.
pub fn held(picture: &RgbImage, seed: u32, wobble: u32) -> Quad {
    let r = |k: u32| noise(seed.wrapping_mul(97).wrapping_add(k));
    let w = |k: u32| 2.5 * noise(seed ^ wobble.wrapping_mul(7919).wrapping_add(k));
    let height = 352.0 * (1.0 + 0.12 * r(1));
    let width = height * picture.width() as f32 / picture.height() as f32;
    let (cx, cy) = (320.0 + 26.0 * r(2) + w(1), 235.0 + 14.0 * r(3) + w(2));
    let (sin, cos) = (0.1 * r(4)).sin_cos();
    let tilt = 0.12 * r(5);
    [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)].map(|(x, y)| {
        let (x, y) = (x * width, y * height * (1.0 - tilt * x));
        (cx + cos * x - sin * y, cy + sin * x + cos * y)
    })
}

/// A colour print: less contrast, raster, grain of the paper, a white edge.
pub fn printed(picture: &RgbImage, quad: &Quad, room: &RgbImage, seed: u32) -> RgbImage {
    let (w, h) = (picture.width() as f32, picture.height() as f32);
    let ink = |u: f32, v: f32| {
        let edge = u < 0.04 || v < 0.04 || u > 0.96 || v > 0.96;
        let value = if edge { [238.0; 3] } else { sample(picture, u * w, v * h) };
        let grey = (value[0] + value[1] + value[2]) / 3.0;
        let (x, y) = (u * w * 2.0, v * h * 2.0);
        let raster = 1.0 + 0.07 * (x * 2.3).sin() * (y * 2.3).sin();
        let grain = 5.0 * noise((x as u32).wrapping_mul(31) ^ (y as u32).wrapping_mul(1009) ^ seed);
        value.map(|v| (28.0 + 0.82 * (grey + 0.85 * (v - grey))) * raster + grain)
    };
    shoot(quad, room, seed, 0.9, ink)
}

/// A tablet: stripes of three colours that beat with the camera's pixels, a dark edge,
/// a reflected window, bluish light.
pub fn on_screen(picture: &RgbImage, quad: &Quad, room: &RgbImage, seed: u32) -> RgbImage {
    let (w, h) = (picture.width() as f32, picture.height() as f32);
    let pitch = 1.6 + 0.5 * noise(seed);
    let glow = |u: f32, v: f32| {
        if u < 0.03 || v < 0.03 || u > 0.97 || v > 0.97 {
            return [18.0, 18.0, 20.0];
        }
        let value = sample(picture, u * w, v * h);
        let (x, y) = (u * w / h * 352.0 * pitch, v * 352.0 * pitch);
        let row = 0.85 + 0.15 * (y * std::f32::consts::TAU).cos();
        let window = 30.0 * (-((u - 0.75).powi(2) + (v - 0.2).powi(2)) * 18.0).exp();
        std::array::from_fn(|k| {
            let stripe = 0.8 + 0.2 * ((x + k as f32 / 3.0) * std::f32::consts::TAU).cos();
            value[k] * [0.94, 1.0, 1.1][k] * stripe * row * 1.15 + window
        })
    };
    shoot(quad, room, seed, 0.5, glow)
}

/// Another person's face, printed and cut out along the jaw, worn over the wearer's own;
/// with holes through which their eyes are seen.
pub fn worn_mask(
    wearer: (&RgbImage, &[(f32, f32); 68]),
    face: (&RgbImage, &[(f32, f32); 68]),
    has_holes: bool,
    seed: u32,
) -> RgbImage {
    let (frame, at) = wearer;
    let (picture, points) = face;
    let (a, b) = (eyes(at), eyes(points));
    let outline: Vec<_> =
        (0..17).map(|i| at[i]).chain((17..27).rev().map(|i| raised(at, i))).collect();
    let (dx, dy) = (a.1.0 - a.0.0, a.1.1 - a.0.1);
    let (ex, ey) = (b.1.0 - b.0.0, b.1.1 - b.0.1);
    let square = dx * dx + dy * dy;
    let (c, s) = ((ex * dx + ey * dy) / square, (ey * dx - ex * dy) / square);
    let mut worn = frame.clone();
    for (x, y, pixel) in worn.enumerate_pixels_mut() {
        let (px, py) = (x as f32, y as f32);
        let hole = has_holes && in_eye(at, px, py);
        if !inside(&outline, px, py) || hole {
            continue;
        }
        let (u, v) = (px - a.0.0, py - a.0.1);
        let value = sample(picture, b.0.0 + c * u - s * v, b.0.1 + s * u + c * v);
        let grain = 4.0 * noise(x.wrapping_mul(31) ^ y.wrapping_mul(1009) ^ seed);
        pixel.0 = value.map(|v| (22.0 + 0.85 * v + grain).clamp(0.0, 255.0) as u8);
    }
    camera(&imageops::blur(&worn, 0.6), seed)
}

/// The picture itself, a little moved and with the noise of a camera: what stands for a
/// live person where there are only photographs.
pub fn moved(picture: &RgbImage, seed: u32) -> RgbImage {
    let (dx, dy) = (1.5 * noise(seed), 1.5 * noise(seed ^ 0x77));
    let moved = RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        Rgb(sample(picture, x as f32 + dx, y as f32 + dy).map(|v| v as u8))
    });
    camera(&moved, seed)
}

/// The sheet in the room, as the camera sees it.
fn shoot(
    quad: &Quad,
    room: &RgbImage,
    seed: u32,
    blur: f32,
    surface: impl Fn(f32, f32) -> [f32; 3],
) -> RgbImage {
    let map = inverse(quad);
    let mut frame = room.clone();
    for (x, y, pixel) in frame.enumerate_pixels_mut() {
        let mut sum = [0.0f32; 3];
        for (dx, dy) in [(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)] {
            let (u, v) = map(x as f32 + dx, y as f32 + dy);
            let value = match (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v) {
                true => surface(u, v),
                false => pixel.0.map(f32::from),
            };
            (0..3).for_each(|k| sum[k] += value[k] / 4.0);
        }
        pixel.0 = sum.map(|v| v.clamp(0.0, 255.0) as u8);
    }
    camera(&imageops::blur(&frame, blur), seed)
}

fn camera(frame: &RgbImage, seed: u32) -> RgbImage {
    let slope = 0.1 * noise(seed ^ 0x55);
    RgbImage::from_fn(frame.width(), frame.height(), |x, y| {
        let light = 1.0 + slope * (x as f32 / frame.width() as f32 - 0.5);
        let grain = 2.5 * noise(x.wrapping_mul(7919) ^ y.wrapping_mul(104_729) ^ seed);
        let pixel = frame.get_pixel(x, y).0;
        Rgb(pixel.map(|v| (f32::from(v) * light + grain).clamp(0.0, 255.0) as u8))
    })
}

/// From the frame to the unit square; a held sheet is nearly a parallelogram, so each
/// point is found by two steps of Newton's method on the bilinear map.
fn inverse(quad: &Quad) -> impl Fn(f32, f32) -> (f32, f32) {
    let q = *quad;
    move |x, y| {
        let (mut u, mut v) = (0.5, 0.5);
        for _ in 0..4 {
            let on = |k: fn((f32, f32)) -> f32| {
                let [a, b, c, d] = q.map(k);
                let value = a + (b - a) * u + (d - a) * v + (a - b + c - d) * u * v;
                (value, b - a + (a - b + c - d) * v, d - a + (a - b + c - d) * u)
            };
            let ((fx, xu, xv), (fy, yu, yv)) = (on(|p| p.0), on(|p| p.1));
            let det = xu * yv - xv * yu;
            let (ox, oy) = (x - fx, y - fy);
            u += (ox * yv - oy * xv) / det;
            v += (xu * oy - yu * ox) / det;
        }
        (u, v)
    }
}

fn sample(picture: &RgbImage, x: f32, y: f32) -> [f32; 3] {
    let (w, h) = (picture.width() - 1, picture.height() - 1);
    let (x, y) = (x.clamp(0.0, w as f32), y.clamp(0.0, h as f32));
    let (x0, y0) = (x as u32, y as u32);
    let (px, py) = (x - x0 as f32, y - y0 as f32);
    let at = |x: u32, y: u32| picture.get_pixel(x.min(w), y.min(h)).0.map(f32::from);
    let (a, b, c, d) = (at(x0, y0), at(x0 + 1, y0), at(x0, y0 + 1), at(x0 + 1, y0 + 1));
    std::array::from_fn(|k| {
        (a[k] * (1.0 - px) + b[k] * px) * (1.0 - py) + (c[k] * (1.0 - px) + d[k] * px) * py
    })
}

fn eyes(p: &[(f32, f32); 68]) -> ((f32, f32), (f32, f32)) {
    let mean = |range: std::ops::Range<usize>| {
        let sum = p[range].iter().fold((0.0, 0.0), |s, p| (s.0 + p.0 / 6.0, s.1 + p.1 / 6.0));
        (sum.0, sum.1)
    };
    (mean(36..42), mean(42..48))
}

/// A point of the brow, raised onto the forehead.
fn raised(p: &[(f32, f32); 68], index: usize) -> (f32, f32) {
    let up = 0.5 * (p[33].1 - p[27].1);
    (p[index].0, p[index].1 - up)
}

fn in_eye(p: &[(f32, f32); 68], x: f32, y: f32) -> bool {
    [36usize, 42].into_iter().any(|first| {
        let (a, b) = (p[first], p[first + 3]);
        let (cx, cy, half) = ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0, (b.0 - a.0) / 2.0);
        ((x - cx) / (half * 1.1)).powi(2) + ((y - cy) / (half * 0.6)).powi(2) < 1.0
    })
}

fn inside(points: &[(f32, f32)], x: f32, y: f32) -> bool {
    let edges = points.iter().zip(points.iter().cycle().skip(1));
    edges.fold(false, |odd, (a, b)| {
        odd ^ ((a.1 > y) != (b.1 > y) && x < a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0))
    })
}

/// -1..1, the same for the same number.
pub fn noise(value: u32) -> f32 {
    let value = (value ^ (value >> 16)).wrapping_mul(0x45d9_f3b3);
    let value = (value ^ (value >> 15)).wrapping_mul(0x2c1b_3c6d);
    ((value ^ (value >> 13)) % 2001) as f32 / 1000.0 - 1.0
}
