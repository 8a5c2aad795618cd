//! Synthetic fingerprints: a master print for each finger, and impressions of it as a sensor would see them.

use crate::random::Random;

/// One impression as 8-bit grey, dark ridges on light, row by row.
pub(crate) fn image(owner: &[u64], finger: u8, impression: u32, width: u32, height: u32) -> Vec<u8> {
    let mut random = Random::of(&[owner, &[u64::from(finger), FINGER]].concat());
    let (core_x, core_y) = (random.between(0.4, 0.6), random.between(0.35, 0.55));
    let (squeeze, wave) = (random.between(0.6, 1.3), random.between(0.0, 6.0));
    let mut placement = Random::of(&[owner, &[u64::from(finger), u64::from(impression), PLACEMENT]].concat());
    let (dx, dy) = (placement.between(-8.0, 8.0), placement.between(-8.0, 8.0));
    let ridge = |x: u32, y: u32| {
        let u = x as f32 - core_x * width as f32 + dx;
        let v = (y as f32 - core_y * height as f32 + dy) * squeeze;
        let radius = (u * u + v * v).sqrt() + 3.0 * (v.atan2(u) * 3.0 + wave).sin();
        (radius * std::f32::consts::TAU / 9.0).sin()
    };
    let mut grey = Vec::with_capacity((width * height) as usize);
    for y in 0..height {
        for x in 0..width {
            grey.push((140.0 + 70.0 * ridge(x, y) + 8.0 * placement.bell()).clamp(0.0, 255.0) as u8);
        }
    }
    grey
}

const FINGER: u64 = 11;
const PLACEMENT: u64 = 12;
