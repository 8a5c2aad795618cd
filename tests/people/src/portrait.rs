//! The face of a simulated person: a picture with its landmarks, put before a camera in any pose.
//!
//! `gallery` reads pictures that a set-up step rendered, `drawn` makes one from numbers alone where there is none;
//! `canvas` completes the bust, `expression` moves lids and jaw, `turned` turns the head, `camera` adds the lens.

mod camera;
mod canvas;
mod drawn;
mod expression;
mod gallery;
mod turned;

use crate::{
    person::{Person, Sex},
    photo,
    random::Random,
};
use canvas::Canvas;
use image::RgbImage;
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

/// How the person holds themselves before the camera, and what the camera makes of it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Pose {
    /// Degrees; positive turns the nose towards the right side of the picture. Up to 35 either way looks right.
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
    canvas: Canvas,
    from_gallery: bool,
}

impl Portrait {
    /// The portrait of a person; the last few are kept.
    pub(crate) fn of(person: &Person) -> Arc<Self> {
        type Kept = BTreeMap<(u64, u32), Arc<Portrait>>;
        static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() > KEPT_MAX {
            kept.clear();
        }
        kept.entry((person.seed, person.index))
            .or_insert_with(|| Arc::new(Self::make(person)))
            .clone()
    }

    fn make(person: &Person) -> Self {
        let male = person.sex == Sex::Male;
        if let Some(source) = gallery::face(male, person.seed, person.rank()) {
            return Self { canvas: Canvas::new(&source), from_gallery: true };
        }
        let mut random =
            Random::of(&[person.seed, u64::from(person.rank()), u64::from(male), FACE]);
        Self { canvas: Canvas::new(&drawn::face(&mut random, male)), from_gallery: false }
    }

    /// Whether the face was rendered by the set-up step; a drawn one is no subject for face recognition.
    pub fn from_gallery(&self) -> bool {
        self.from_gallery
    }

    /// The formal portrait, 480 x 600 pixels.
    pub fn picture(&self) -> RgbImage {
        let view =
            turned::View { width: 480, height: 600, eyes_at: (240.0, 262.0), eye_distance: 112.0 };
        turned::draw(&self.canvas, &Pose::default(), &view, |_, _| [226.0, 233.0, 240.0])
    }

    /// A camera frame, 640 x 480 pixels; `noise_seed` decides the sensor noise of this frame.
    pub fn frame(&self, pose: &Pose, noise_seed: u64) -> RgbImage {
        let view = turned::View {
            width: FRAME_WIDTH,
            height: FRAME_HEIGHT,
            eyes_at: (320.0 + pose.dx, 196.0 + pose.dy),
            eye_distance: 70.0 * pose.scale.clamp(0.05, 4.0),
        };
        let canvas = expression::apply(&self.canvas, pose.eyes_open, pose.mouth_open);
        let mut frame = turned::draw(&canvas, pose, &view, camera::wall);
        camera::expose(&mut frame, pose, noise_seed);
        frame
    }

    /// The portrait on the card, 102 x 126 pixels, in the stand-in codec.
    pub(crate) fn card_photo_block(&self) -> [u8; 1024] {
        photo::encode(&self.picture())
    }
}

/// A frontal picture of a face with a transparent ground.
struct Source {
    pixels: image::RgbaImage,
    /// The usual 68 points, in pixels.
    landmarks: [[f32; 2]; 68],
}

/// Width of a camera frame in pixels.
pub const FRAME_WIDTH: u32 = 640;
/// Height of a camera frame in pixels.
pub const FRAME_HEIGHT: u32 = 480;
const KEPT_MAX: usize = 64;
const FACE: u64 = 21;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_the_same_on_every_call() {
        let person = Person::generate(3, 1);
        let pose = Pose { yaw_deg: 12.0, ..Pose::default() };
        assert!(person.frame(&pose, 5) == person.frame(&pose, 5));
        assert!(person.frame(&pose, 5) != person.frame(&pose, 6));
    }

    #[test]
    fn every_part_of_a_pose_changes_the_frame() {
        let person = Person::generate(3, 1);
        let still = person.frame(&Pose::default(), 1);
        let rest = Pose::default();
        for (what, pose) in [
            ("yaw", Pose { yaw_deg: 15.0, ..rest }),
            ("pitch", Pose { pitch_deg: 10.0, ..rest }),
            ("roll", Pose { roll_deg: 10.0, ..rest }),
            ("eyes", Pose { eyes_open: 0.0, ..rest }),
            ("mouth", Pose { mouth_open: 1.0, ..rest }),
            ("scale", Pose { scale: 0.5, ..rest }),
            ("dx", Pose { dx: 30.0, ..rest }),
            ("dy", Pose { dy: 30.0, ..rest }),
            ("light", Pose { light: 0.3, ..rest }),
            ("blur", Pose { blur: 3.0, ..rest }),
        ] {
            let changed = person.frame(&pose, 1);
            let n_changed =
                changed.iter().zip(still.iter()).filter(|(a, b)| a.abs_diff(**b) > 8).count();
            assert!(n_changed > 200, "{what}: {n_changed} samples");
        }
    }

    #[test]
    fn no_pose_panics() {
        let person = Person::generate(3, 2);
        for extreme in [-1.0e6, -90.0, 0.0, 90.0, 1.0e6, f32::NAN, f32::INFINITY] {
            let pose = Pose {
                yaw_deg: extreme,
                pitch_deg: extreme,
                roll_deg: extreme,
                eyes_open: extreme,
                mouth_open: extreme,
                scale: extreme,
                dx: extreme,
                dy: extreme,
                light: extreme,
                blur: extreme,
            };
            assert_eq!(person.frame(&pose, 0).dimensions(), (FRAME_WIDTH, FRAME_HEIGHT));
        }
    }
}
