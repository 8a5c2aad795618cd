//! How good a fingerprint is, in the spirit of NFIQ 2: where there is ridge, how
//! clear its direction is, how strong its contrast, and how many minutiae it gave.

use super::{FingerTemplate, GreyImage};

/// What was measured on one placement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FingerQuality {
    /// All of it in one number, 0..100.
    pub score: f32,
    /// Minutiae found.
    pub n_minutiae: usize,
    /// Share of the picture covered by ridges, 0..100.
    pub area_percent: f32,
    /// How clear the ridge direction is where there is ridge, 0..1.
    pub coherence: f32,
    /// Standard deviation of the grey values where there is ridge.
    pub contrast: f32,
    /// Mean grey value where there is ridge, 0..255.
    pub brightness: f32,
    /// What would make the next placement better.
    pub coaching: Option<FingerCoaching>,
}

/// One short sentence for the next placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FingerCoaching {
    /// Nothing lies on the sensor.
    NoFinger,
    /// The skin is dry: faint or broken ridges.
    TooDry,
    /// The skin is wet: ridges run together.
    TooWet,
    /// Only a part of the finger touches.
    PressFlat,
    /// The print is smeared.
    HoldStill,
}

impl FingerCoaching {
    /// The sentence: Chinese, English.
    pub fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::NoFinger => ("请把手指放在指纹窗口上", "Please place your finger on the window"),
            Self::TooDry => {
                ("手指太干，请哈一口气再按", "Too dry: breathe on the finger, then press")
            }
            Self::TooWet => ("手指太湿，请擦干再按", "Too wet: wipe the finger, then press"),
            Self::PressFlat => {
                ("请把手指放平、放正再按", "Please lay the finger flat and straight")
            }
            Self::HoldStill => ("请按住不要移动", "Please press and do not move"),
        }
    }
}

/// Measures a picture at 500 pixels per inch.
pub(super) fn measure(picture: &GreyImage, template: &FingerTemplate) -> FingerQuality {
    let blocks = ridge_blocks(picture);
    let n_all = ((picture.width / BLOCK) * (picture.height / BLOCK)).max(1);
    let n = blocks.len().max(1) as f32;
    let mean = |of: fn(&Block) -> f32| blocks.iter().map(of).sum::<f32>() / n;
    let mut quality = FingerQuality {
        score: 0.0,
        n_minutiae: template.minutiae.len(),
        area_percent: 100.0 * blocks.len() as f32 / n_all as f32,
        coherence: mean(|b| b.coherence),
        contrast: mean(|b| b.deviation),
        brightness: mean(|b| b.mean),
        coaching: None,
    };
    let area_mm2 = blocks.len() as f32 * (BLOCK as f32 * MM_PER_PIXEL).powi(2);
    quality.score = score(&quality, template, area_mm2);
    quality.coaching = coaching(&quality, area_mm2);
    quality
}

/// Area, direction, contrast and minutiae each take their share.
fn score(quality: &FingerQuality, template: &FingerTemplate, area_mm2: f32) -> f32 {
    let sure: f32 = template.minutiae.iter().map(|m| m.quality).sum();
    let sure = sure / template.minutiae.len().max(1) as f32;
    let parts = [
        (ramp(area_mm2, 15.0, 120.0), 0.30),
        (ramp(quality.coherence, 0.25, 0.75), 0.25),
        (ramp(quality.n_minutiae as f32, 4.0, 30.0), 0.30),
        (ramp(sure, 0.55, 0.9), 0.15),
    ];
    let sum: f32 = parts.iter().map(|(part, share)| part * share).sum();
    100.0 * sum * ramp(quality.n_minutiae as f32, 3.0, 8.0)
}

fn coaching(quality: &FingerQuality, area_mm2: f32) -> Option<FingerCoaching> {
    if area_mm2 < NO_FINGER_MM2 {
        return Some(FingerCoaching::NoFinger);
    }
    if quality.score >= GOOD_SCORE {
        return None;
    }
    if quality.brightness < 80.0 {
        return Some(FingerCoaching::TooWet);
    }
    if quality.brightness > 185.0 || quality.contrast < 28.0 {
        return Some(FingerCoaching::TooDry);
    }
    if area_mm2 < SMALL_MM2 {
        return Some(FingerCoaching::PressFlat);
    }
    Some(if quality.coherence < 0.4 {
        FingerCoaching::HoldStill
    } else {
        FingerCoaching::PressFlat
    })
}

fn ramp(value: f32, zero_at: f32, one_at: f32) -> f32 {
    ((value - zero_at) / (one_at - zero_at)).clamp(0.0, 1.0)
}

/// Statistics of one block of pixels.
struct Block {
    mean: f32,
    deviation: f32,
    coherence: f32,
}

/// The blocks that hold ridges: enough contrast and a direction.
fn ridge_blocks(picture: &GreyImage) -> Vec<Block> {
    let (columns, rows) = (picture.width / BLOCK, picture.height / BLOCK);
    let blocks = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
    blocks
        .map(|(column, row)| Block::of(picture, column * BLOCK, row * BLOCK))
        .filter(|block| block.deviation > 12.0 && block.coherence > 0.15)
        .collect()
}

impl Block {
    fn of(picture: &GreyImage, left: u32, top: u32) -> Self {
        let at = |x: u32, y: u32| {
            let (x, y) = (x.min(picture.width - 1), y.min(picture.height - 1));
            f32::from(picture.pixels[(y * picture.width + x) as usize])
        };
        let (mut sum, mut square, mut xx, mut yy, mut xy) =
            (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
        for y in top..top + BLOCK {
            for x in left..left + BLOCK {
                let v = at(x, y);
                let dx = at(x + 1, y) - at(x.saturating_sub(1), y);
                let dy = at(x, y + 1) - at(x, y.saturating_sub(1));
                sum += v;
                square += v * v;
                xx += dx * dx;
                yy += dy * dy;
                xy += dx * dy;
            }
        }
        let n = (BLOCK * BLOCK) as f32;
        let mean = sum / n;
        let along = ((xx - yy).powi(2) + 4.0 * xy * xy).sqrt();
        Self {
            mean,
            deviation: (square / n - mean * mean).max(0.0).sqrt(),
            coherence: along / (xx + yy).max(1.0),
        }
    }
}

const BLOCK: u32 = 16;
const MM_PER_PIXEL: f32 = 25.4 / 500.0;
const NO_FINGER_MM2: f32 = 8.0;
const SMALL_MM2: f32 = 60.0;
/// From this score on nothing is said.
const GOOD_SCORE: f32 = 45.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn measure_plain(picture: &GreyImage) -> FingerQuality {
        let template = FingerTemplate::new(picture.width, picture.height, Vec::new(), "t".into());
        measure(picture, &template)
    }

    #[test]
    fn an_empty_window_is_no_finger() {
        let picture = GreyImage::new(256, 288, 500, vec![230; 256 * 288]).unwrap();
        let quality = measure_plain(&picture);
        assert_eq!(quality.coaching, Some(FingerCoaching::NoFinger));
        assert_eq!((quality.score, quality.area_percent), (0.0, 0.0));
    }

    #[test]
    fn stripes_cover_the_picture_and_have_a_direction() {
        let ridge = |i: usize| if (i % 256 + i / 256) % 9 < 4 { 40 } else { 220 };
        let picture = GreyImage::new(256, 288, 500, (0..256 * 288).map(ridge).collect()).unwrap();
        let quality = measure_plain(&picture);
        assert!(quality.area_percent > 95.0 && quality.coherence > 0.7, "{quality:?}");
    }
}
