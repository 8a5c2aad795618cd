//! The bytes of the visit under way: pictures and templates that core names but never sees.
//!
//! They live in memory only, and are gone when the visit is.

use std::sync::{Arc, Mutex, MutexGuard};

use image::RgbImage;
use kiosk_core::event::Picture;
use models::face::FaceGallery;
use models::finger::{FingerTemplate, GreyImage};

use crate::picture;

/// See the module's head.
#[derive(Clone, Default)]
pub struct Tray {
    /// Whose things these are. Nothing of another visit is laid here.
    pub visit: [u8; 16],
    /// Raw photo block of the chip, 1024 bytes, kept even when it cannot be decoded.
    pub chip_block: Option<Vec<u8>>,
    /// The chip's photo, 102 × 126, RGB.
    pub chip_photo: Option<RgbImage>,
    /// Pictures taken, by role: JPEG, encoded once, when they are laid here.
    pub pictures: Vec<(Picture, Vec<u8>)>,
    /// The best fingerprint image.
    pub finger: Option<GreyImage>,
    /// Face references on file, their views dated.
    pub faces: Vec<FaceGallery>,
    /// Views on file that joined by themselves after a certification.
    pub later_faces: Vec<FaceGallery>,
    /// Finger references on file: how they are called, ISO position, template.
    pub fingers: Vec<(String, u8, FingerTemplate)>,
    /// A face reference built in this visit, with its quality 0 to 100.
    pub new_face: Option<(FaceGallery, u8)>,
    /// The live face of the last sitting where it is like the enrolled ones by a margin, with its quality 0 to 100. Kept
    /// only if the visit turns out plain.
    pub later_view: Option<(FaceGallery, u8)>,
    /// Placements of a finger reference built in this visit: position, quality 0 to 100, template.
    pub new_fingers: Vec<(u8, u8, FingerTemplate)>,
}

impl Tray {
    /// Keeps a picture; a newer one of the same role replaces it.
    pub fn keep(&mut self, role: Picture, image: &RgbImage) {
        self.pictures.retain(|(kept, _)| *kept != role);
        self.pictures.push((role, picture::jpeg(image)));
    }

    /// The bytes of a picture that was taken.
    pub fn picture(&self, role: Picture) -> Option<&[u8]> {
        self.pictures.iter().find(|(kept, _)| *kept == role).map(|(_, jpeg)| jpeg.as_slice())
    }
}

/// The tray as the rooms share it.
#[derive(Clone, Default)]
pub struct SharedTray(Arc<Mutex<Tray>>);

impl SharedTray {
    /// The tray, for a moment.
    pub fn open(&self) -> MutexGuard<'_, Tray> {
        self.0.lock().expect("a room that panics ends the program")
    }

    /// The tray, if it still is this visit's: who was too slow lays nothing on the next person's tray.
    pub fn open_for(&self, visit: [u8; 16]) -> Option<MutexGuard<'_, Tray>> {
        let tray = self.open();
        (tray.visit == visit).then_some(tray)
    }

    /// Forgets the person.
    pub fn clear(&self) {
        *self.open() = Tray::default();
    }
}
