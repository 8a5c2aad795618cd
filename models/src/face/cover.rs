//! What covers a face: a mask, dark glasses, the shadow of a brim. Read off the aligned
//! face by comparing its parts with its own skin, so that no skin colour is assumed.

use image::RgbImage;

use crate::pixels;

/// How much of the face is covered. Each is about 0 on a bare face.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cover {
    /// How much less red the mouth and chin are than the bridge of the nose; above
    /// 0.2 there is cloth or paper. A dark mask on a pale face is not told apart.
    pub mask: f32,
    /// How much darker the eyes and lids are than the cheeks; above 0.58 there are lenses.
    pub glasses: f32,
    /// How much darker brows and forehead are than the cheeks.
    pub brim: f32,
}

impl Cover {
    /// Of the aligned face, 112 x 112.
    pub(super) fn of(chip: &RgbImage) -> Self {
        let bridge = share_of(&mut values(chip, &BRIDGE, redness), 0.5);
        let mouth = share_of(&mut values(chip, &MOUTH, redness), 0.85);
        let brightness = |patch: &[Patch]| share_of(&mut values(chip, patch, luma), 0.5).max(1.0);
        // White cloth over a pale face is told by its brightness; bright lips are red.
        let is_grey = mouth < REDNESS_MIN;
        let brighter = brightness(&MOUTH) / brightness(&BRIDGE) - PALE_FROM;
        let paleness = if is_grey { brighter } else { 0.0 };
        let cheeks = share_of(&mut values(chip, &CHEEKS, luma), 0.5).max(1.0);
        let eyes = share_of(&mut values(chip, &EYES, luma), 0.8);
        let forehead = share_of(&mut values(chip, &FOREHEAD, luma), 0.8);
        Self {
            mask: (bridge - mouth).max(paleness).max(0.0),
            glasses: (1.0 - eyes / cheeks).clamp(0.0, 1.0),
            brim: (1.0 - forehead / cheeks).clamp(0.0, 1.0),
        }
    }

    pub(super) fn has_mask(&self) -> bool {
        self.mask > MASK_MAX
    }

    pub(super) fn has_glasses(&self) -> bool {
        self.glasses > GLASSES_MAX && self.brim <= BRIM_MAX
    }

    /// Hair over the forehead leaves the eyes in the light; a brim does not.
    pub(super) fn has_brim(&self) -> bool {
        self.brim > BRIM_MAX && self.glasses > BRIM_EYES_MAX
    }
}

/// Left, top, right, lower edge in the aligned face: eyes at 51, nose tip at 72, mouth at 92.
type Patch = (u32, u32, u32, u32);

fn values(chip: &RgbImage, patches: &[Patch], of: impl Fn(&image::Rgb<u8>) -> f32) -> Vec<f32> {
    let within = |(left, top, right, lower): &Patch| {
        let (left, right, rows) = (*left, *right, *top..*lower);
        rows.flat_map(move |y| (left..right).map(move |x| (x, y)))
    };
    patches.iter().flat_map(within).map(|(x, y)| of(chip.get_pixel(x, y))).collect()
}

fn luma(pixel: &image::Rgb<u8>) -> f32 {
    pixels::luma(pixel)
}

/// Red against blue, whatever the brightness: 0 is grey, skin is 0.3 to 0.9.
fn redness(pixel: &image::Rgb<u8>) -> f32 {
    let [red, _, blue] = pixel.0.map(f32::from);
    ((red + 8.0) / (blue + 8.0)).ln()
}

fn share_of(values: &mut [f32], share: f32) -> f32 {
    let at = ((values.len() - 1) as f32 * share) as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

const BRIDGE: [Patch; 1] = [(50, 42, 63, 54)];
const MOUTH: [Patch; 1] = [(40, 80, 73, 104)];
const CHEEKS: [Patch; 3] = [(30, 66, 42, 76), (70, 66, 82, 76), (50, 64, 63, 74)];
const EYES: [Patch; 2] = [(30, 45, 47, 58), (65, 45, 82, 58)];
const FOREHEAD: [Patch; 1] = [(38, 26, 75, 38)];
const REDNESS_MIN: f32 = 0.1;
const PALE_FROM: f32 = 1.1;
const MASK_MAX: f32 = 0.2;
const GLASSES_MAX: f32 = 0.58;
const BRIM_MAX: f32 = 0.5;
const BRIM_EYES_MAX: f32 = 0.3;
