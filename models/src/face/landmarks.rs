//! The 68 points of a face, what can be read off them, and the alignment that
//! the embedding was trained with.

use image::RgbImage;

use super::{BBox, inside, softmax};
use crate::{
    ModelError,
    network::Network,
    pixels::{self, Affine},
};

/// Finds the points in an upright picture.
pub(super) fn find(
    network: &Network,
    upright: &RgbImage,
    bbox: BBox,
) -> Result<[(f32, f32); 68], ModelError> {
    let region = inside(bbox, 1.0, upright);
    let picture = pixels::resample(upright, region, network.picture_size());
    let outputs = network.run(&pixels::pack(&picture, network.pixels()))?;
    let points = &outputs[0];
    Ok(std::array::from_fn(|i| {
        let (x, y) = (points[2 * i], points[2 * i + 1]);
        (region.x + x * region.width, region.y + y * region.height)
    }))
}

/// The face cut out as the embedding wants it: 112 x 112, on five points.
pub(super) fn align(frame: &RgbImage, points: &[(f32, f32); 68]) -> RgbImage {
    pixels::warp(frame, &pixels::similarity(&five(points), &ALIGNED), (112, 112))
}

fn five(p: &[(f32, f32); 68]) -> [(f32, f32); 5] {
    [
        mean(&[p[37], p[38], p[40], p[41]]),
        mean(&[p[43], p[44], p[46], p[47]]),
        p[30],
        mean(&[p[48], p[60]]),
        mean(&[p[54], p[64]]),
    ]
}

/// How open the less open eye is, 0..1.
pub(super) fn eyes_open(
    network: &Network,
    upright: &RgbImage,
    points: &[(f32, f32); 68],
) -> Result<f32, ModelError> {
    let mut least = 1.0f32;
    for (outer, inner, lids) in EYES {
        let centre = mean(&lids.map(|i| points[i]));
        let (size, _) = network.picture_size();
        let map = eye_patch(centre, points[outer], points[inner], size as f32);
        let picture = pixels::warp(upright, &map, network.picture_size());
        let outputs = network.run(&pixels::pack(&picture, network.pixels()))?;
        least = least.min(softmax(&outputs[0])[1]);
    }
    Ok(least)
}

/// A square of 1.6 eye widths along the line of the eye.
fn eye_patch(centre: (f32, f32), left: (f32, f32), right: (f32, f32), size: f32) -> Affine {
    let (dx, dy) = (right.0 - left.0, right.1 - left.1);
    let (a, b) = (EYE_SCALE * dx / size, EYE_SCALE * dy / size);
    let half = size / 2.0 - 0.5;
    [a, -b, centre.0 - a * half + b * half, b, a, centre.1 - b * half - a * half]
}

/// Degrees by which the eye line is turned, clockwise in the picture.
pub(super) fn roll(points: &[(f32, f32); 68]) -> f32 {
    let [left, right, ..] = five(points);
    (right.1 - left.1).atan2(right.0 - left.0).to_degrees()
}

/// Distance between the centres of the eyes, in pixels.
pub(super) fn eye_distance(points: &[(f32, f32); 68]) -> f32 {
    let [left, right, ..] = five(points);
    distance(left, right)
}

/// Height over width of the eyes, mean of both.
pub(super) fn eye_aspect(p: &[(f32, f32); 68]) -> f32 {
    let one = |i: usize| {
        let height = distance(p[i + 1], p[i + 5]) + distance(p[i + 2], p[i + 4]);
        height / (2.0 * distance(p[i], p[i + 3])).max(1e-3)
    };
    (one(36) + one(42)) / 2.0
}

/// Height over width of the inner mouth.
pub(super) fn mouth_open(p: &[(f32, f32); 68]) -> f32 {
    let height = (61..=63).zip((65..=67).rev()).map(|(a, b)| distance(p[a], p[b])).sum::<f32>();
    height / 3.0 / distance(p[60], p[64]).max(1e-3)
}

/// Where the nose tip is between the sides of the jaw.
pub(super) fn nose_offset(p: &[(f32, f32); 68]) -> f32 {
    let (left, right) = (distance(p[30], p[2]), distance(p[30], p[14]));
    (left - right) / (left + right).max(1e-3)
}

fn distance(a: (f32, f32), b: (f32, f32)) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

fn mean(points: &[(f32, f32)]) -> (f32, f32) {
    let n = points.len() as f32;
    let sum = points.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
    (sum.0 / n, sum.1 / n)
}

/// The five points in the 112 x 112 picture that face embeddings agree on.
const ALIGNED: [(f32, f32); 5] = [
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
];
/// Corner, corner and lids of each eye.
const EYES: [(usize, usize, [usize; 4]); 2] =
    [(36, 39, [37, 38, 40, 41]), (42, 45, [43, 44, 46, 47])];
const EYE_SCALE: f32 = 1.6;
