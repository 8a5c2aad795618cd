//! What a cheap camera does to a scene: exposure, a soft lens, a noisy sensor.

use super::Pose;
use crate::random::Random;
use image::RgbImage;

/// A painted wall with light falling from the left.
pub(super) fn wall(x: u32, y: u32) -> [f32; 3] {
    let fall = 1.0 - 0.00022 * x as f32 - 0.00018 * y as f32;
    [186.0 * fall, 188.0 * fall, 180.0 * fall]
}

/// Exposes, blurs and adds noise; the darker the room, the higher the gain and the noise.
pub(super) fn expose(frame: &mut RgbImage, pose: &Pose, noise_seed: u64) {
    let blur_px = (pose.blur.clamp(0.0, 20.0).powi(2) + LENS * LENS).sqrt();
    blur(frame, blur_px);
    let mut random = Random::of(&[noise_seed, NOISE]);
    let deviation = SENSOR + 1.6 * (1.0 / pose.light.clamp(0.1, 2.0) - 1.0).max(0.0);
    let grains: [f32; 256] = std::array::from_fn(|_| random.bell() * deviation);
    let mut bytes = [0u8; 8];
    for (i, sample) in frame.iter_mut().enumerate() {
        if i % 8 == 0 {
            bytes = random.next().to_le_bytes();
        }
        let value = f32::from(*sample) * pose.light + grains[usize::from(bytes[i % 8])];
        *sample = (value + 0.5).clamp(0.0, 255.0) as u8;
    }
}

/// A Gaussian in two passes, each of which turns the picture on its side.
fn blur(frame: &mut RgbImage, deviation: f32) {
    let reach = (deviation * 2.5).ceil() as usize;
    let bell = |i: usize| (-((i as f32 - reach as f32) / deviation).powi(2) / 2.0).exp();
    let total: f32 = (0..=2 * reach).map(bell).sum();
    let weights: Vec<f32> = (0..=2 * reach).map(|i| bell(i) / total).collect();
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let turned = pass(frame, width, height, &weights);
    frame.copy_from_slice(&pass(&turned, height, width, &weights));
}

/// Blurs along the rows and writes them as columns; the edge repeats.
fn pass(from: &[u8], width: usize, height: usize, weights: &[f32]) -> Vec<u8> {
    let reach = weights.len() / 2;
    let mut to = vec![0; from.len()];
    let mut row = vec![[0.0f32; 3]; width + 2 * reach];
    for y in 0..height {
        for (i, pixel) in row.iter_mut().enumerate() {
            let at = (y * width + i.saturating_sub(reach).min(width - 1)) * 3;
            *pixel = [from[at].into(), from[at + 1].into(), from[at + 2].into()];
        }
        for x in 0..width {
            let mut sum = [0.5; 3];
            for (pixel, weight) in row[x..].iter().zip(weights) {
                (0..3).for_each(|c| sum[c] += pixel[c] * weight);
            }
            let at = (x * height + y) * 3;
            to[at..at + 3].copy_from_slice(&sum.map(|channel| channel as u8));
        }
    }
    to
}

/// Even a sharp lens spreads a point this far, in pixels.
const LENS: f32 = 0.5;
/// Deviation of the noise of a cheap sensor under a ceiling lamp, in grey levels.
const SENSOR: f32 = 4.5;
const NOISE: u64 = 22;
