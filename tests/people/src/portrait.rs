//! The face of a simulated person: a picture with its landmarks, put before a camera in any pose.
//!
//! Where the picture comes from is decided in `drawn`; how it moves is decided here.

mod drawn;

use crate::{
    person::{Person, Sex},
    photo,
    random::Random,
};
use image::{Rgb, RgbImage};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

/// How the person holds themselves before the camera, and what the camera makes of it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Pose {
    /// Degrees; positive turns the nose towards the right side of the picture.
    pub yaw_deg: f32,
    /// Degrees; positive raises the chin.
    pub pitch_deg: f32,
    /// Degrees; positive leans the head clockwise in the picture.
    pub roll_deg: f32,
    /// 0 shut … 1 open.
    pub eyes_open: f32,
    /// 0 shut … 1 wide open.
    pub mouth_open: f32,
    /// 1 is the right distance; 0.3 is too far away.
    pub scale: f32,
    /// Pixels to the right of the middle of the frame.
    pub dx: f32,
    /// Pixels below the usual place.
    pub dy: f32,
    /// 1 is a well lit room; 0.15 is too dark, above 1.6 too bright.
    pub light: f32,
    /// Deviation of the blur in pixels; 0 is sharp, 4 is useless.
    pub blur: f32,
}

impl Default for Pose {
    fn default() -> Self {
        Self {
            yaw_deg: 0.0,
            pitch_deg: 0.0,
            roll_deg: 0.0,
            eyes_open: 1.0,
            mouth_open: 0.0,
            scale: 1.0,
            dx: 0.0,
            dy: 0.0,
            light: 1.0,
            blur: 0.0,
        }
    }
}

/// A face, ready to be drawn in any pose.
pub struct Portrait {
    texture: RgbImage,
}

impl Portrait {
    /// The portrait of a person, made once for each person and kept.
    pub(crate) fn of(person: &Person) -> Arc<Self> {
        static KEPT: LazyLock<Mutex<BTreeMap<(u64, u32), Arc<Portrait>>>> = LazyLock::new(Mutex::default);
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry((person.seed, person.index)).or_insert_with(|| Arc::new(Self::make(person))).clone()
    }

    fn make(person: &Person) -> Self {
        let mut random = Random::of(&[person.seed, u64::from(person.rank()), u64::from(person.sex == Sex::Male), FACE]);
        Self { texture: drawn::face(&mut random) }
    }

    /// The formal portrait, 480 x 600 pixels.
    pub fn picture(&self) -> RgbImage {
        self.view(&Pose::default(), 480, 600, [225, 232, 240])
    }

    /// A camera frame, 640 x 480 pixels; `noise_seed` decides the sensor noise of this frame.
    pub fn frame(&self, pose: &Pose, noise_seed: u64) -> RgbImage {
        let mut frame = self.view(pose, FRAME_WIDTH, FRAME_HEIGHT, [188, 190, 184]);
        let mut random = Random::of(&[noise_seed, NOISE]);
        for sample in frame.iter_mut() {
            *sample = (f32::from(*sample) * pose.light + 2.0 * random.bell()).clamp(0.0, 255.0) as u8;
        }
        frame
    }

    /// The portrait on the card, 102 x 126 pixels, in the stand-in codec.
    pub(crate) fn card_photo_block(&self) -> [u8; 1024] {
        let picture = image::imageops::resize(&self.picture(), photo::WIDTH, photo::HEIGHT, image::imageops::FilterType::Triangle);
        photo::encode(&picture)
    }

    fn view(&self, pose: &Pose, width: u32, height: u32, wall: [u8; 3]) -> RgbImage {
        let side = self.texture.width() as f32;
        let zoom = side / (0.9 * width.min(height) as f32 * pose.scale.max(0.05));
        let (sin, cos) = pose.roll_deg.to_radians().sin_cos();
        RgbImage::from_fn(width, height, |x, y| {
            let u = (x as f32 - width as f32 / 2.0 - pose.dx) * zoom / pose.yaw_deg.to_radians().cos();
            let v = (y as f32 - height as f32 / 2.0 - pose.dy) * zoom;
            let (s, t) = (cos * u + sin * v + side / 2.0, cos * v - sin * u + side / 2.0);
            if s < 0.0 || t < 0.0 || s >= side || t >= side { Rgb(wall) } else { *self.texture.get_pixel(s as u32, t as u32) }
        })
    }
}

/// Width of a camera frame in pixels.
pub const FRAME_WIDTH: u32 = 640;
/// Height of a camera frame in pixels.
pub const FRAME_HEIGHT: u32 = 480;
const FACE: u64 = 21;
const NOISE: u64 = 22;
