//! Faces: found in any orientation, described, judged for quality with one short
//! hint to the person, checked for presentation attacks, and turned into a template.
//! Which score is enough is a [`crate::ThresholdSet`]; who it is, nobody here knows.

mod agreement;
mod cover;
mod detect;
mod gallery;
mod landmarks;
mod later;
mod measure;
mod template;

use std::path::Path;

use image::RgbImage;

pub use agreement::{Agreement, Exhibit, PairAnswer, Part, Verdict};
pub use cover::Cover;
pub use gallery::{FaceGallery, FaceView, KindScore, VIEWS_MAX, ViewKind};
pub use measure::{Coaching, FaceQuality};
pub use template::{FaceTemplate, TemplateError};

use crate::{
    Manifest, ModelError, ModelId,
    manifest::Modality,
    network::Network,
    pixels::{self, Region},
    vendor::Vendor,
};
use agreement::Rules;
use detect::{Detection, Found, Turn};
use template::Content;

/// The networks that find and describe a face, loaded once. This is all that is used of
/// faces, whoever compares them: a vendor's engine of the manifest makes templates,
/// compares them and may judge liveness; finding, coaching and actions stay ours.
pub struct FaceEngine {
    detect: Network,
    landmark: Network,
    pose: Network,
    eye: Network,
    pad: Network,
    embed: Network,
    vendor: Option<Vendor>,
}

/// What was seen in one frame.
#[derive(Debug, Clone)]
pub struct FaceObservation {
    /// Faces found, however small.
    pub n_faces: usize,
    /// The largest face.
    pub face: Option<Face>,
    /// How good this face is for comparing.
    pub quality: FaceQuality,
    /// The one thing to say to the person now; nothing when all is well.
    pub coaching: Option<Coaching>,
}

/// One face, in the coordinates of the frame it was found in.
#[derive(Debug, Clone)]
pub struct Face {
    /// The box round the face.
    pub bbox: BBox,
    /// The usual 68 points: jaw, brows, nose, eyes, mouth.
    pub landmarks: [(f32, f32); 68],
    /// Degrees to the side. The network is biased; use changes from a neutral frame.
    pub yaw: f32,
    /// Degrees up or down, biased as `yaw` is.
    pub pitch: f32,
    /// Degrees the eye line is turned in the frame, clockwise.
    pub roll: f32,
    /// How open the eyes are by the eye network, the less open one, 0..1.
    pub eyes_open: f32,
    /// Height of the inner mouth over its width; about 0.02 closed, above 0.3 open.
    pub mouth_open: f32,
    /// Height of the eyes over their width, mean of both; falls when they close.
    pub eye_aspect: f32,
    /// Where the nose tip is between the sides of the jaw, -1..1; 0 is frontal.
    pub nose_offset: f32,
    /// The detector's own score, 0..1.
    pub detection: f32,
    turn: Turn,
}

/// A rectangle in pixels of the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BBox {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// Passive liveness of one frame, 0..1; 1 is a live face.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct PadScore(pub f32);

impl FaceEngine {
    /// Loads and verifies the six files of the manifest's `face-…` models, and starts a
    /// vendor's engine where the manifest has one for faces.
    pub fn load(dir: &Path, manifest: &Manifest) -> Result<Self, ModelError> {
        let load = |id: &str| Network::load(dir, manifest, id);
        let vendor = manifest.engine(Modality::Face).map(|e| Vendor::start(dir, e)).transpose()?;
        Ok(Self {
            vendor,
            detect: load("face-detect")?,
            landmark: load("face-landmark")?,
            pose: load("face-pose")?,
            eye: load("face-eye")?,
            pad: load("face-pad")?,
            embed: load("face-embed")?,
        })
    }

    /// Runs each of our networks once, so that the first face is not slower than the rest.
    pub fn warm_up(&self) -> Result<(), ModelError> {
        let ours = [&self.detect, &self.landmark, &self.pose, &self.eye, &self.pad, &self.embed];
        ours.into_iter().try_for_each(|network| network.time(1).map(drop))
    }

    /// The weights or the engine that a template and its scores come from.
    pub fn model_id(&self) -> &ModelId {
        self.vendor.as_ref().map_or(self.embed.id(), Vendor::id)
    }

    /// The weights or the engine that a liveness score comes from.
    pub fn pad_model_id(&self) -> &ModelId {
        self.live_judge().map_or(self.pad.id(), Vendor::id)
    }

    fn live_judge(&self) -> Option<&Vendor> {
        self.vendor.as_ref().filter(|vendor| vendor.judges_liveness())
    }

    /// Looks for faces and describes the largest. Also finds a person who lies down.
    pub fn observe(&self, frame: &RgbImage) -> Result<FaceObservation, ModelError> {
        if frame.width().min(frame.height()) < FRAME_MIN {
            return Ok(FaceObservation::empty(frame));
        }
        let Some((found, face)) = self.find(frame)? else {
            return Ok(FaceObservation::empty(frame));
        };
        let quality = measure::quality(frame, &face);
        let second = found.has_second_person();
        let coaching = measure::coaching(frame, &face, &quality, second);
        let n_faces = found.detections.len();
        Ok(FaceObservation { n_faces, face: Some(face), quality, coaching })
    }

    /// How live the face looks in this one frame; judge several frames together.
    pub fn pad(&self, frame: &RgbImage, face: &Face) -> Result<PadScore, ModelError> {
        if let Some(vendor) = self.live_judge() {
            return vendor.live(frame, face).map(PadScore);
        }
        let upright = face.turn.upright(frame);
        let bbox = face.turn.bbox_to_upright(face.bbox, frame);
        let region = inside(bbox, PAD_SCALE, &upright);
        let picture = pixels::resample(&upright, region, self.pad.picture_size());
        let outputs = self.pad.run(&pixels::pack(&picture, self.pad.pixels()))?;
        Ok(PadScore(softmax(&outputs[0])[0]))
    }

    /// The face as something to compare.
    pub fn template(&self, frame: &RgbImage, face: &Face) -> Result<FaceTemplate, ModelError> {
        let Some(vendor) = &self.vendor else { return self.embedding(frame, face) };
        let (quality, made) = vendor.describe(frame, face)?;
        Ok(FaceTemplate::of_vendor(made, quality, vendor.id()))
    }

    /// How much two templates are alike, the probe first: a cosine, or what the vendor's
    /// engine says. Templates of other weights tell nothing and compare as 0.
    pub fn compare(
        &self,
        probe: &FaceTemplate,
        reference: &FaceTemplate,
    ) -> Result<f32, ModelError> {
        match (&self.vendor, probe.content(), reference.content()) {
            (Some(vendor), Content::Vendor(a), Content::Vendor(b))
                if probe.is_comparable_with(reference) =>
            {
                vendor.compare(a, b)
            }
            _ => Ok(template::cosine(probe, reference)),
        }
    }

    /// What a probe scores against each kind of view on file; a kind of which no view can
    /// be compared with it has no score.
    pub fn scores(
        &self,
        probe: &FaceTemplate,
        on_file: &FaceGallery,
    ) -> Result<Vec<KindScore>, ModelError> {
        on_file.scores(probe, |a, b| self.compare(a, b))
    }

    /// Whether what was shown at a re-enrolment is one person.
    pub fn agreement(
        &self,
        manifest: &Manifest,
        exhibits: &[Exhibit],
    ) -> Result<Agreement, ModelError> {
        let rules = Rules { manifest, probe: &self.model_id().name };
        agreement::agreement(&rules, exhibits, |a, b| self.compare(a, b))
    }

    fn embedding(&self, frame: &RgbImage, face: &Face) -> Result<FaceTemplate, ModelError> {
        let chip = landmarks::align(frame, &face.landmarks);
        let mut outputs = self.embed.run(&pixels::pack(&chip, self.embed.pixels()))?;
        let id = self.embed.id();
        FaceTemplate::from_embedding(outputs.swap_remove(0), id).ok_or_else(|| {
            let reason = "the embedding is not a vector of finite numbers".to_owned();
            ModelError::Network { id: id.name.clone(), reason }
        })
    }

    /// The largest face and the orientation it stands upright in. The detector takes a
    /// face on its head for a face; the eye and embedding networks do not.
    fn find(&self, frame: &RgbImage) -> Result<Option<(Found, Face)>, ModelError> {
        let mut best: Option<(f32, Found, Face)> = None;
        for turn in [Turn::None, Turn::Quarter, Turn::ThreeQuarters, Turn::Half] {
            let found = detect::find(&self.detect, frame, turn)?;
            let Some(main) = found.main() else { continue };
            let face = self.describe(frame, main, turn)?;
            if turn == Turn::None && face.eyes_open >= EYES_SEEN {
                return Ok(Some((found, face)));
            }
            let strength = self.embedding(frame, &face)?.strength();
            if turn == Turn::None && strength >= STRENGTH_UPRIGHT {
                return Ok(Some((found, face)));
            }
            if best.as_ref().is_none_or(|(top, ..)| strength > *top) {
                best = Some((strength, found, face));
            }
        }
        Ok(best.map(|(_, found, face)| (found, face)))
    }

    fn describe(&self, frame: &RgbImage, main: Detection, turn: Turn) -> Result<Face, ModelError> {
        let upright = turn.upright(frame);
        let points = landmarks::find(&self.landmark, &upright, main.bbox)?;
        let eyes_open = landmarks::eyes_open(&self.eye, &upright, &points)?;
        let (yaw, pitch) = self.pose(&upright, main.bbox)?;
        let in_frame = points.map(|p| turn.point_to_frame(p, frame));
        Ok(Face {
            bbox: turn.bbox_to_frame(main.bbox, frame),
            roll: landmarks::roll(&in_frame),
            mouth_open: landmarks::mouth_open(&points),
            eye_aspect: landmarks::eye_aspect(&points),
            nose_offset: landmarks::nose_offset(&points),
            landmarks: in_frame,
            detection: main.score,
            yaw,
            pitch,
            eyes_open,
            turn,
        })
    }

    fn pose(&self, upright: &RgbImage, bbox: BBox) -> Result<(f32, f32), ModelError> {
        let x = (bbox.x - bbox.width / 4.0).max(0.0);
        let y = (bbox.y - bbox.height / 4.0).max(0.0);
        let right = (bbox.x + bbox.width * 1.25).min(upright.width() as f32);
        let lower = (bbox.y + bbox.height * 1.25).min(upright.height() as f32);
        let region = Region { x, y, width: right - x, height: lower - y };
        let picture = pixels::resample(upright, region, self.pose.picture_size());
        let bins = self.pose.run(&pixels::pack(&picture, self.pose.pixels()))?;
        Ok((degrees(&bins[0]), degrees(&bins[1])))
    }
}

impl FaceObservation {
    fn empty(frame: &RgbImage) -> Self {
        let quality = measure::no_face(frame);
        let is_dark = quality.brightness < FRAME_BRIGHTNESS_MIN;
        let coaching = if is_dark { Coaching::TooDark } else { Coaching::NoFace };
        Self { n_faces: 0, face: None, quality, coaching: Some(coaching) }
    }
}

/// The box scaled about its centre and moved to lie inside the picture.
fn inside(bbox: BBox, scale: f32, picture: &RgbImage) -> Region {
    let (w, h) = (picture.width() as f32, picture.height() as f32);
    let scale = scale.min((w - 1.0) / bbox.width).min((h - 1.0) / bbox.height);
    let (width, height) = (bbox.width * scale, bbox.height * scale);
    let x = (bbox.x + (bbox.width - width) / 2.0).min(w - 1.0 - width).max(0.0);
    let y = (bbox.y + (bbox.height - height) / 2.0).min(h - 1.0 - height).max(0.0);
    Region { x: x.floor(), y: y.floor(), width: width.floor(), height: height.floor() }
}

/// The expected angle over bins of three degrees.
fn degrees(bins: &[f32]) -> f32 {
    let expected: f32 = softmax(bins).iter().enumerate().map(|(i, p)| i as f32 * p).sum();
    expected * 3.0 - 99.0
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f32> = logits.iter().map(|v| (v - top).exp()).collect();
    let sum: f32 = exp.iter().sum();
    exp.iter().map(|v| v / sum).collect()
}

/// How much of the surroundings the anti-spoofing network was trained with.
const PAD_SCALE: f32 = 2.7;
/// No face is looked for in a picture smaller than this, in pixels.
const FRAME_MIN: u32 = 16;
/// In a frame that is darker than this nobody could be found, so nobody is called away.
const FRAME_BRIGHTNESS_MIN: f32 = 30.0;
/// The eye network is seldom sure of an open eye in a face that does not stand upright (at
/// most 0.2 in 15 turned faces that were taken for upright ones), nor behind shut lids.
const EYES_SEEN: f32 = 0.5;
/// The embedding of an upright face is longer: 3.1 to 4.6 against at most 2.9 on its head or
/// side. Between, every turn is tried and the longest counts.
const STRENGTH_UPRIGHT: f32 = 3.2;
