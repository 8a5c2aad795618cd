//! How good a face is for comparing, each cause measured, and the one sentence
//! to tell the person while they stand there.

use image::RgbImage;

use super::{BBox, Face, cover::Cover, landmarks};
use crate::pixels;

/// What was measured on the face and its light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceQuality {
    /// All of it in one number, 0..100.
    pub score: f32,
    /// Mean luma of the face, 0..255.
    pub brightness: f32,
    /// Standard deviation of the luma of the face.
    pub contrast: f32,
    /// Fine detail over contrast; below 0.1 the face is blurred.
    pub sharpness: f32,
    /// Distance between the eyes, in pixels.
    pub size: f32,
    /// How much brighter the surroundings are than the face, in luma.
    pub backlight: f32,
    /// Share of the face that is burnt out, 0..1.
    pub burnt: f32,
    /// What covers the face.
    pub cover: Cover,
}

/// One short sentence to say to the person. The most useful one comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coaching {
    /// Nobody is seen.
    NoFace,
    /// More than one person is close.
    SecondPerson,
    /// The face leaves the picture.
    MoveIntoFrame,
    /// Too far away.
    ComeCloser,
    /// Too close.
    MoveBack,
    /// A window or lamp is behind the person.
    Backlight,
    /// Not enough light.
    TooDark,
    /// The light burns out the face.
    TooBright,
    /// Mouth and nose are covered.
    TakeOffMask,
    /// The eyes are behind dark lenses.
    TakeOffGlasses,
    /// A brim keeps the light off the face.
    LiftHat,
    /// The head is turned.
    LookAtCamera,
    /// The eyes are shut.
    EyesClosed,
    /// The picture is blurred.
    HoldStill,
}

impl Coaching {
    /// The sentence: Chinese, English.
    pub fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::NoFace => ("请面向屏幕站好", "Please face the screen"),
            Self::SecondPerson => ("请一个人站在镜头前", "One person at a time, please"),
            Self::MoveIntoFrame => ("请站到画面中间", "Please move to the middle"),
            Self::ComeCloser => ("请靠近一点", "Please come a little closer"),
            Self::MoveBack => ("请退后一点", "Please step back a little"),
            Self::Backlight => ("背后太亮，请换个方向", "It is too bright behind you"),
            Self::TooDark => ("光线太暗", "It is too dark"),
            Self::TooBright => ("光线太强", "The light is too strong"),
            Self::TakeOffMask => ("请摘下口罩", "Please take off the mask"),
            Self::TakeOffGlasses => ("请摘下墨镜", "Please take off the dark glasses"),
            Self::LiftHat => ("请摘下帽子", "Please take off the hat"),
            Self::LookAtCamera => ("请看镜头", "Please look at the camera"),
            Self::EyesClosed => ("请睁开眼睛", "Please open your eyes"),
            Self::HoldStill => ("请保持不动", "Please hold still"),
        }
    }
}

/// Measures the face and its light.
pub(super) fn quality(frame: &RgbImage, face: &Face) -> FaceQuality {
    let chip = landmarks::align(frame, &face.landmarks);
    let grey: Vec<f32> = chip.pixels().map(pixels::luma).collect();
    let core = FaceCore::of(&grey);
    let size = landmarks::eye_distance(&face.landmarks);
    let surroundings = ring_brightness(frame, face.bbox);
    let mut quality = FaceQuality {
        score: 0.0,
        brightness: core.mean,
        contrast: core.deviation,
        sharpness: core.detail / (core.deviation + 4.0),
        size,
        backlight: surroundings - core.mean,
        burnt: core.burnt,
        cover: Cover::of(&chip),
    };
    quality.score = score(&quality, face);
    quality
}

/// A frame without a face still has a brightness.
pub(super) fn no_face(frame: &RgbImage) -> FaceQuality {
    let step = (frame.width() as usize * frame.height() as usize / 4096).max(1);
    let (mut sum, mut n) = (0.0, 0.0f32);
    for pixel in frame.pixels().step_by(step) {
        sum += pixels::luma(pixel);
        n += 1.0;
    }
    FaceQuality {
        score: 0.0,
        brightness: sum / n.max(1.0),
        contrast: 0.0,
        sharpness: 0.0,
        size: 0.0,
        backlight: 0.0,
        burnt: 0.0,
        cover: Cover::default(),
    }
}

/// What to say now, if anything.
pub(super) fn coaching(
    frame: &RgbImage,
    face: &Face,
    quality: &FaceQuality,
    second_person: bool,
) -> Option<Coaching> {
    let turned = face.yaw.abs() > YAW_MAX || face.nose_offset.abs() > NOSE_OFFSET_MAX;
    let nodded = face.pitch > PITCH_MAX || face.pitch < PITCH_MIN;
    let hints = [
        (second_person, Coaching::SecondPerson),
        (fills(frame, face.bbox), Coaching::MoveBack),
        (leaves(frame, face.bbox), Coaching::MoveIntoFrame),
        (quality.size < SIZE_MIN, Coaching::ComeCloser),
        (quality.backlight > BACKLIGHT_MAX && quality.brightness < 90.0, Coaching::Backlight),
        (quality.brightness < BRIGHTNESS_MIN, Coaching::TooDark),
        (quality.brightness > BRIGHTNESS_MAX || quality.burnt > BURNT_MAX, Coaching::TooBright),
        (quality.cover.has_mask(), Coaching::TakeOffMask),
        (quality.cover.has_brim(), Coaching::LiftHat),
        (quality.cover.has_glasses(), Coaching::TakeOffGlasses),
        (turned || nodded, Coaching::LookAtCamera),
        // A blurred picture shows no eyes, open or shut.
        (quality.sharpness < SHARPNESS_MIN, Coaching::HoldStill),
        (face.eyes_open < EYES_OPEN_MIN, Coaching::EyesClosed),
    ];
    hints.into_iter().find_map(|(holds, hint)| holds.then_some(hint))
}

/// Each cause takes its share; a single bad one is enough to spoil the whole.
fn score(quality: &FaceQuality, face: &Face) -> f32 {
    let turned = face.yaw.abs().max(face.nose_offset.abs() * 60.0);
    let parts = [
        ramp(quality.size, 8.0, 24.0),
        ramp(quality.brightness, 15.0, 60.0),
        ramp(-quality.brightness, -245.0, -200.0),
        ramp(-quality.burnt, -0.5, -0.1),
        ramp(quality.contrast, 4.0, 20.0),
        ramp(quality.sharpness, 0.03, SHARPNESS_MIN),
        ramp(-turned, -65.0, -25.0),
        ramp(face.detection, 0.6, 0.9).max(0.5),
    ];
    100.0 * parts.iter().product::<f32>()
}

fn ramp(value: f32, zero_at: f32, one_at: f32) -> f32 {
    ((value - zero_at) / (one_at - zero_at)).clamp(0.0, 1.0)
}

/// Luma statistics of the middle of an aligned face (no hair, no background).
struct FaceCore {
    mean: f32,
    deviation: f32,
    detail: f32,
    burnt: f32,
}

impl FaceCore {
    fn of(grey: &[f32]) -> Self {
        let at = |x: usize, y: usize| grey[y * 112 + x];
        let (mut sum, mut square, mut detail, mut burnt, mut n) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for y in 30..104 {
            for x in 24..88 {
                let v = at(x, y);
                let around = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
                sum += v;
                square += v * v;
                detail += (4.0 * v - around).abs();
                burnt += f32::from(u8::from(v >= 250.0));
                n += 1.0;
            }
        }
        let mean: f32 = sum / n;
        let deviation = (square / n - mean * mean).max(0.0).sqrt();
        Self { mean, deviation, detail: detail / n, burnt: burnt / n }
    }
}

/// Mean luma round the face, out to twice its box.
fn ring_brightness(frame: &RgbImage, bbox: BBox) -> f32 {
    let step_x = (bbox.width / 12.0).max(1.0);
    let step_y = (bbox.height / 12.0).max(1.0);
    let (mut sum, mut n) = (0.0, 0.0f32);
    for row in -6..18 {
        for column in -6..18 {
            let inside_face = (0..12).contains(&row) && (0..12).contains(&column);
            let x = bbox.x + column as f32 * step_x;
            let y = bbox.y + row as f32 * step_y;
            let outside =
                x < 0.0 || y < 0.0 || x >= frame.width() as f32 || y >= frame.height() as f32;
            if !inside_face && !outside {
                sum += pixels::luma(frame.get_pixel(x as u32, y as u32));
                n += 1.0;
            }
        }
    }
    sum / n.max(1.0)
}

fn fills(frame: &RgbImage, bbox: BBox) -> bool {
    bbox.height > FILL_MAX * frame.height() as f32 || bbox.width > FILL_MAX * frame.width() as f32
}

fn leaves(frame: &RgbImage, bbox: BBox) -> bool {
    let (dx, dy) = (bbox.width * 0.08, bbox.height * 0.08);
    bbox.x < -dx
        || bbox.y < -dy
        || bbox.x + bbox.width > frame.width() as f32 + dx
        || bbox.y + bbox.height > frame.height() as f32 + dy
}

/// The pose network reads 10 to 20 degrees down on frontal faces, so the limits
/// are not symmetric.
const PITCH_MIN: f32 = -40.0;
const PITCH_MAX: f32 = 20.0;
const YAW_MAX: f32 = 25.0;
const NOSE_OFFSET_MAX: f32 = 0.45;
const EYES_OPEN_MIN: f32 = 0.3;
const SIZE_MIN: f32 = 24.0;
const FILL_MAX: f32 = 0.9;
const BRIGHTNESS_MIN: f32 = 45.0;
const BRIGHTNESS_MAX: f32 = 225.0;
const BURNT_MAX: f32 = 0.3;
const BACKLIGHT_MAX: f32 = 70.0;
const SHARPNESS_MIN: f32 = 0.1;
