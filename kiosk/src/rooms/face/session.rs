//! One sitting before the camera: neutral frames, quality, liveness, and the comparison at its end.

use std::time::{Duration, Instant};

use image::RgbImage;
use kiosk_core::decision::{Comparison, Liveness, Modality, Thresholds};
use kiosk_core::event::{Action, FacePurpose};
use kiosk_core::message::Id;
use models::face::{Coaching, Face, FaceEngine, FaceTemplate, compare};
use models::liveness::{self, ActionWatch, Neutral, Progress, Signals};
use models::{Manifest, ModelError, ThresholdSet};

use super::LivenessRule;
use crate::tray::SharedTray;

/// A reference with its name in the record and the kind of thresholds that fit it.
pub struct FaceReference {
    name: String,
    kind: &'static str,
    template: FaceTemplate,
}

/// What a frame led to.
pub enum Step {
    /// More frames are wanted; what to do better, and how far we are (0 to 1).
    More { coaching: Option<Id>, progress: f32 },
    /// Compared.
    Done(Box<Taken>),
    /// No good frames in time; the last hint says why.
    TimedOut(Option<Id>),
}

/// The fruit of a sitting.
pub struct Taken {
    /// One for each reference.
    pub comparisons: Vec<Comparison>,
    /// The best frame.
    pub best: RgbImage,
    /// When enrolling: the new reference and its quality, 0 to 100.
    pub reference: Option<(FaceTemplate, u8)>,
}

/// See the module's head.
pub struct Session {
    purpose: FacePurpose,
    rule: LivenessRule,
    references: Vec<FaceReference>,
    sets: Vec<(&'static str, ThresholdSet)>,
    model: String,
    good: Vec<Good>,
    last_hint: Option<Id>,
    /// Frames in a row that earned the last hint.
    n_hinted: u32,
    stage: Stage,
    until: Instant,
}

/// A frame that was good enough to be kept.
struct Good {
    frame: RgbImage,
    face: Face,
    quality: f32,
    pad: f32,
}

enum Stage {
    /// Neutral frames, nothing asked.
    Passive,
    /// The passive score did not convince; the action at this index is asked for.
    Asking { index: usize, watch: Box<ActionWatch> },
}

impl Session {
    /// A sitting that starts now.
    pub fn new(
        purpose: FacePurpose,
        rule: LivenessRule,
        references: Vec<FaceReference>,
        manifest: &Manifest,
        engine: &FaceEngine,
    ) -> Self {
        let id = engine.model_id();
        let set = |kind| Some((kind, manifest.thresholds("face", &id.name, kind)?.clone()));
        Self {
            purpose,
            rule,
            references,
            sets: ["chip", "live"].into_iter().filter_map(set).collect(),
            model: format!("{} {}", id.name, id.sha16),
            good: Vec::new(),
            last_hint: None,
            n_hinted: 0,
            stage: Stage::Passive,
            until: Instant::now() + SITTING_TIME,
        }
    }

    /// Looks at the next frame.
    pub fn see(&mut self, engine: &FaceEngine, frame: &RgbImage) -> Result<Step, ModelError> {
        let late = Instant::now() >= self.until;
        match &self.stage {
            Stage::Passive if late && self.good.is_empty() => Ok(Step::TimedOut(self.last_hint)),
            Stage::Passive if late => self.passive_end(engine),
            Stage::Passive => self.collect(engine, frame),
            // Who looks alive but did not act in time is no suspect: they may try again.
            Stage::Asking { index, .. } if late && self.pad() >= self.pad_min() => {
                Ok(Step::TimedOut(self.rule.actions.get(*index).map(|action| prompt(*action))))
            }
            Stage::Asking { .. } if late => self.finish(engine, false),
            Stage::Asking { .. } => self.watch_action(engine, frame),
        }
    }

    fn collect(&mut self, engine: &FaceEngine, frame: &RgbImage) -> Result<Step, ModelError> {
        let seen = engine.observe(frame)?;
        let Some(face) = seen.face.filter(|_| seen.coaching.is_none()) else {
            let coaching = self.steady(seen.coaching.map_or(Id::FaceLook, hint));
            return Ok(self.more(coaching));
        };
        self.n_hinted = 0;
        let pad = engine.pad(frame, &face)?.0;
        self.good.push(Good { frame: frame.clone(), face, quality: seen.quality.score, pad });
        if self.good.len() >= self.wanted() {
            self.passive_end(engine)
        } else {
            Ok(self.more(None))
        }
    }

    /// A hint that one frame earned and the next takes back would only confuse: it is told when it lasts.
    fn steady(&mut self, hint: Id) -> Option<Id> {
        self.n_hinted = if self.last_hint == Some(hint) { self.n_hinted + 1 } else { 1 };
        self.last_hint = Some(hint);
        (self.n_hinted >= HINT_FRAMES).then_some(hint)
    }

    fn wanted(&self) -> usize {
        match self.purpose {
            FacePurpose::Verify => VERIFY_FRAMES,
            FacePurpose::Enrol => ENROL_FRAMES,
        }
    }

    fn more(&self, coaching: Option<Id>) -> Step {
        Step::More { coaching, progress: self.good.len() as f32 / self.wanted() as f32 }
    }

    /// Enough neutral frames: convinced, or an action is asked for.
    fn passive_end(&mut self, engine: &FaceEngine) -> Result<Step, ModelError> {
        if self.rule.passive && self.pad() >= self.pad_min() {
            return self.finish(engine, true);
        }
        self.ask(0, engine)
    }

    fn ask(&mut self, index: usize, engine: &FaceEngine) -> Result<Step, ModelError> {
        let Some(action) = self.rule.actions.get(index) else {
            return self.finish(engine, index > 0);
        };
        let signals: Vec<Signals> =
            self.good.iter().map(|good| Signals::from(&good.face)).collect();
        let Some(neutral) = Neutral::of(&signals) else {
            return self.finish(engine, false);
        };
        let watch = Box::new(ActionWatch::new(neutral, watched(*action)));
        let prompt = prompt(*action);
        self.stage = Stage::Asking { index, watch };
        self.until = Instant::now() + self.rule.time;
        Ok(Step::More { coaching: Some(prompt), progress: 1.0 })
    }

    fn watch_action(&mut self, engine: &FaceEngine, frame: &RgbImage) -> Result<Step, ModelError> {
        let seen = engine.observe(frame)?;
        let Stage::Asking { index, watch } = &mut self.stage else {
            unreachable!("called only while an action is asked for");
        };
        let index = *index;
        if let Some(face) = &seen.face
            && watch.see(&Signals::from(face)) == Progress::Done
        {
            return self.ask(index + 1, engine);
        }
        Ok(Step::More { coaching: Some(prompt(self.rule.actions[index])), progress: 1.0 })
    }

    /// Compares the best frames with every reference.
    fn finish(&mut self, engine: &FaceEngine, live: bool) -> Result<Step, ModelError> {
        let pad = self.pad();
        let liveness = match (live, pad >= self.pad_min()) {
            (true, true) => Liveness::Passive(pad),
            (true, false) => Liveness::Action(pad),
            (false, _) => Liveness::NotShown(pad),
        };
        self.good.sort_by(|a, b| b.quality.total_cmp(&a.quality));
        let best = self.good.first().expect("a sitting without a good frame times out");
        let template = engine.template(&best.frame, &best.face)?;
        let quality = best.quality.clamp(0.0, 100.0) as u8;
        let comparisons = self
            .references
            .iter()
            .map(|reference| self.compare(reference, &template, quality, liveness))
            .collect();
        let reference = (self.purpose == FacePurpose::Enrol).then(|| (template.clone(), quality));
        let best = best.frame.clone();
        Ok(Step::Done(Box::new(Taken { comparisons, best, reference })))
    }

    fn compare(
        &self,
        reference: &FaceReference,
        probe: &FaceTemplate,
        quality: u8,
        liveness: Liveness,
    ) -> Comparison {
        Comparison {
            modality: Modality::Face,
            score: Some(compare(probe, &reference.template)),
            quality,
            liveness,
            model: self.model.clone(),
            thresholds: self.thresholds(reference.kind),
            reference: reference.name.clone(),
        }
    }

    /// Without a calibrated set nothing is ever accepted by the machine alone.
    fn thresholds(&self, kind: &str) -> Thresholds {
        match self.sets.iter().find(|(of, _)| *of == kind) {
            Some((_, set)) => super::super::thresholds(set),
            None => Thresholds {
                id: "none".into(),
                accept: f32::INFINITY,
                review: f32::NEG_INFINITY,
                quality_min: 0,
                pad_min: 0.0,
            },
        }
    }

    fn pad_min(&self) -> f32 {
        self.sets.iter().map(|(_, set)| set.pad_min).fold(0.0, f32::max)
    }

    /// Median over the kept frames.
    fn pad(&self) -> f32 {
        let mut scores: Vec<f32> = self.good.iter().map(|good| good.pad).collect();
        scores.sort_by(f32::total_cmp);
        scores.get(scores.len() / 2).copied().unwrap_or(0.0)
    }
}

/// Everything this face can be compared with: the chip's photo, references on file, and one built in this visit.
pub fn references(engine: &FaceEngine, tray: &SharedTray) -> Vec<FaceReference> {
    let tray = tray.open();
    let mut found = Vec::new();
    if let Some(photo) = &tray.chip_photo
        && let Some(template) = photo_template(engine, photo)
    {
        found.push(FaceReference { name: "chip-photo".into(), kind: "chip", template });
    }
    for (name, template) in &tray.faces {
        found.push(FaceReference { name: name.clone(), kind: "live", template: template.clone() });
    }
    if let Some((template, _)) = &tray.new_face {
        let name = "enrolled in this visit".into();
        found.push(FaceReference { name, kind: "live", template: template.clone() });
    }
    found
}

fn photo_template(engine: &FaceEngine, photo: &RgbImage) -> Option<FaceTemplate> {
    let face = engine.observe(photo).ok()?.face?;
    engine.template(photo, &face).ok()
}

fn hint(coaching: Coaching) -> Id {
    match coaching {
        Coaching::NoFace | Coaching::MoveIntoFrame => Id::FaceLook,
        Coaching::SecondPerson => Id::FaceOnlyOne,
        Coaching::ComeCloser => Id::FaceComeCloser,
        Coaching::MoveBack => Id::FaceMoveBack,
        Coaching::Backlight => Id::FaceBacklight,
        Coaching::TooDark => Id::FaceTooDark,
        Coaching::TooBright => Id::FaceTooBright,
        Coaching::TakeOffMask | Coaching::TakeOffGlasses | Coaching::LiftHat => Id::FaceUncover,
        Coaching::LookAtCamera => Id::FaceLookHere,
        Coaching::EyesClosed => Id::FaceEyesOpen,
        Coaching::HoldStill => Id::FaceHoldStill,
    }
}

fn prompt(action: Action) -> Id {
    match action {
        Action::Blink => Id::FaceBlink,
        Action::OpenMouth => Id::FaceOpenMouth,
        Action::Turn => Id::FaceTurn,
    }
}

fn watched(action: Action) -> liveness::Action {
    match action {
        Action::Blink => liveness::Action::Blink,
        Action::OpenMouth => liveness::Action::OpenMouth,
        Action::Turn => liveness::Action::Turn,
    }
}

/// Good frames of a verification: liveness is a median, so an odd number.
const VERIFY_FRAMES: usize = 5;
/// Good frames of an enrolment.
const ENROL_FRAMES: usize = 9;
/// Frames in a row that a hint must last before it is told.
const HINT_FRAMES: u32 = 3;
/// An elder is not hurried: a minute of frames before other ways are offered.
const SITTING_TIME: Duration = Duration::from_secs(60);
