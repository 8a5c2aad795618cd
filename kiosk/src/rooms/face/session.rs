//! One sitting before the camera: neutral frames, quality, liveness, and the comparison at its end.

use std::time::{Duration, Instant};

use image::RgbImage;
use kiosk_core::decision::{Comparison, Liveness, Modality, PAPERS, Thresholds};
use kiosk_core::event::FacePurpose;
use kiosk_core::message::Id;
use models::face::{
    Exhibit, Face, FaceEngine, FaceGallery, FaceTemplate, FaceView, KindScore, PadScore,
    PairAnswer, Part, ViewKind,
};
use models::liveness::{ActionWatch, Neutral, PassiveWatch, Progress, Sight, Signals};
use models::{Manifest, ModelError, ThresholdSet};
use tracing::warn;

use super::coach::{self, Coach};
use super::{LivenessRule, papers};
use crate::rooms::roster;
use crate::tray::{SharedTray, Tray};

/// Everything that a face can be compared with.
pub struct References {
    /// The enrolled views and the photo of the chip, each kind with thresholds of its own.
    enrolled: FaceGallery,
    /// Those, and the views that joined by themselves and still agree with them.
    on_file: FaceGallery,
    /// What was built in this visit.
    fresh: FaceGallery,
    /// When enrolling: the faces on the papers.
    papers: Vec<Exhibit>,
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
    /// When enrolling: the views of the new reference and its quality, 0 to 100.
    pub reference: Option<(FaceGallery, u8)>,
    /// When verifying: the live face, where it is like what was enrolled by a margin, and its quality.
    pub later_view: Option<(FaceGallery, u8)>,
}

/// See the module's head.
pub struct Session {
    purpose: FacePurpose,
    rule: LivenessRule,
    references: References,
    manifest: Manifest,
    network: String,
    model: String,
    good: Vec<Good>,
    passive: PassiveWatch,
    coach: Coach,
    stage: Stage,
    until: Instant,
}

/// A frame that was good enough to be kept.
struct Good {
    frame: RgbImage,
    face: Face,
    quality: f32,
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
        references: References,
        manifest: &Manifest,
        engine: &FaceEngine,
    ) -> Self {
        let id = engine.model_id();
        Self {
            purpose,
            rule,
            references,
            manifest: manifest.clone(),
            network: id.name.clone(),
            model: id.in_records(),
            good: Vec::new(),
            passive: PassiveWatch::default(),
            coach: Coach::default(),
            stage: Stage::Passive,
            until: Instant::now() + SITTING_TIME,
        }
    }

    /// Looks at the next frame.
    pub fn see(&mut self, engine: &FaceEngine, frame: &RgbImage) -> Result<Step, ModelError> {
        let late = Instant::now() >= self.until;
        match &self.stage {
            Stage::Passive if late && self.good.is_empty() => Ok(Step::TimedOut(self.coach.last())),
            Stage::Passive if late => self.passive_end(engine),
            Stage::Passive => self.collect(engine, frame),
            // Who looks alive but did not act in time is no suspect: they may try again.
            Stage::Asking { index, .. } if late && matches!(self.sight(), Sight::Live(_)) => {
                let asked = self.rule.actions.get(*index);
                Ok(Step::TimedOut(asked.map(|action| coach::of_action(*action))))
            }
            Stage::Asking { .. } if late => self.finish(engine, false),
            Stage::Asking { .. } => self.watch_action(engine, frame),
        }
    }

    fn collect(&mut self, engine: &FaceEngine, frame: &RgbImage) -> Result<Step, ModelError> {
        let seen = engine.observe(frame)?;
        let Some(face) = seen.face.filter(|_| seen.coaching.is_none()) else {
            let hint = seen.coaching.map_or(Id::FaceLook, coach::of_face);
            let coaching = self.coach.steady(hint);
            return Ok(self.more(coaching));
        };
        self.coach.good();
        let pad = engine.pad(frame, &face)?;
        self.passive.see(frame, &face, pad);
        self.good.push(Good { frame: frame.clone(), face, quality: seen.quality.score });
        if self.good.len() >= self.wanted() {
            self.passive_end(engine)
        } else {
            Ok(self.more(None))
        }
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
        match self.sight() {
            // No action makes up for frames that are fed in the camera's place.
            Sight::Frozen => self.finish(engine, false),
            Sight::Live(_) if self.rule.passive => self.finish(engine, true),
            Sight::Live(_) | Sight::Doubtful(_) => self.ask(0, engine),
        }
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
        let watch = Box::new(ActionWatch::new(neutral, coach::watched(*action)));
        let prompt = coach::of_action(*action);
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
        let coaching = Some(coach::of_action(self.rule.actions[index]));
        Ok(Step::More { coaching, progress: 1.0 })
    }

    /// Compares the best frames with every reference.
    fn finish(&mut self, engine: &FaceEngine, live: bool) -> Result<Step, ModelError> {
        let liveness = match (live, self.sight()) {
            (true, Sight::Live(pad)) => Liveness::Passive(pad.0),
            (true, Sight::Doubtful(pad)) => Liveness::Action(pad.0),
            (false, Sight::Live(pad) | Sight::Doubtful(pad)) => Liveness::NotShown(pad.0),
            (_, Sight::Frozen) => Liveness::NotShown(0.0),
        };
        self.good.sort_by(|a, b| b.quality.total_cmp(&a.quality));
        let best = self.good.first().expect("a sitting without a good frame times out");
        let probe = engine.template(&best.frame, &best.face)?;
        let quality = best.quality.clamp(0.0, 100.0) as u8;
        let frame = best.frame.clone();
        let mut comparisons = self.compared(engine, &probe, quality, liveness)?;
        let shown = matches!(liveness, Liveness::Passive(_) | Liveness::Action(_));
        let later_view = if shown { self.later_view(engine, &probe, best.quality)? } else { None };
        let mut reference = None;
        if self.purpose == FacePurpose::Enrol {
            comparisons.extend(self.papers(engine, &probe, best.quality, liveness)?);
            reference = Some((self.views(engine)?, quality));
        }
        Ok(Step::Done(Box::new(Taken { comparisons, best: frame, reference, later_view })))
    }

    /// The live face as a view that may join those of an enrolment, where there was one.
    fn later_view(
        &self,
        engine: &FaceEngine,
        probe: &FaceTemplate,
        quality: f32,
    ) -> Result<Option<(FaceGallery, u8)>, ModelError> {
        let enrolled = &self.references.enrolled;
        let has_live = enrolled.views().iter().any(|view| view.kind == ViewKind::Live);
        if self.purpose != FacePurpose::Verify
            || !has_live
            || !engine.may_join(&self.manifest, enrolled, probe, quality)?
        {
            return Ok(None);
        }
        let quality = quality.clamp(0.0, 100.0) as u8;
        let mut view = FaceGallery::default();
        let template = probe.clone();
        add(&mut view, FaceView { template, kind: ViewKind::Live, day: None, quality });
        Ok(Some((view, quality)))
    }

    /// One comparison for each kind of view on file, and one with what was built in this visit.
    fn compared(
        &self,
        engine: &FaceEngine,
        probe: &FaceTemplate,
        quality: u8,
        liveness: Liveness,
    ) -> Result<Vec<Comparison>, ModelError> {
        let on_file = engine.scores(probe, &self.references.on_file)?;
        let on_file =
            on_file.iter().map(|found| (self.name_on_file(found), found.kind, found.score));
        let fresh = engine.scores(probe, &self.references.fresh)?.into_iter();
        let fresh = fresh.filter(|found| found.kind == ViewKind::Live);
        let fresh = fresh.map(|found| ("enrolled in this visit".into(), found.kind, found.score));
        let comparison = |(reference, kind, score)| Comparison {
            modality: Modality::Face,
            score: Some(score),
            quality,
            liveness,
            model: self.model.clone(),
            thresholds: self.thresholds(kind),
            reference,
        };
        Ok(on_file.chain(fresh).map(comparison).collect())
    }

    /// The faces on the papers against the live one and one another. A low liveness score of the face beside the card
    /// says nothing about a person whose living face scores low as well.
    fn papers(
        &self,
        engine: &FaceEngine,
        probe: &FaceTemplate,
        quality: f32,
        liveness: Liveness,
    ) -> Result<Vec<Comparison>, ModelError> {
        let mut exhibits = self.references.papers.clone();
        let is_seen_live = matches!(self.sight(), Sight::Live(_));
        let pad_min = self.pad_min();
        let unfair = |pad: &PadScore| !is_seen_live && pad.0 < pad_min;
        exhibits.iter_mut().for_each(|exhibit| exhibit.pad = exhibit.pad.filter(|p| !unfair(p)));
        let live = Exhibit { part: Part::LiveFace, template: probe.clone(), quality, pad: None };
        exhibits.insert(0, live);
        let pairs = engine.agreement(&self.manifest, &exhibits)?.pairs;
        let of_papers = |pair: &&PairAnswer| pair.parts != (Part::LiveFace, Part::ChipPhoto);
        let find = |part| exhibits.iter().find(|exhibit| exhibit.part == part);
        let comparison = |pair: &PairAnswer| {
            let (probe, reference) = (find(pair.parts.0)?, find(pair.parts.1)?);
            let of_probe = match (probe.part, probe.pad) {
                (Part::LiveFace, _) => liveness,
                (_, Some(pad)) if pad.0 >= pad_min => Liveness::Passive(pad.0),
                (_, Some(pad)) => Liveness::NotShown(pad.0),
                (_, None) => Liveness::NotEvaluated,
            };
            Some(Comparison {
                modality: Modality::Face,
                score: Some(pair.score),
                quality: probe.quality.min(reference.quality).clamp(0.0, 100.0) as u8,
                liveness: of_probe,
                model: self.model.clone(),
                thresholds: self.thresholds(reference.part.kind()),
                reference: name_of_pair(probe.part, reference.part),
            })
        };
        Ok(pairs.iter().filter(of_papers).filter_map(comparison).collect())
    }

    /// The best frames that do not show the same view again.
    fn views(&self, engine: &FaceEngine) -> Result<FaceGallery, ModelError> {
        let mut views = FaceGallery::default();
        for good in &self.good {
            if views.views().len() == VIEWS {
                break;
            }
            let template = engine.template(&good.frame, &good.face)?;
            let is_new = |kept: &FaceView| !kept.template.shows_the_same(&template);
            if views.views().iter().all(is_new) {
                let quality = good.quality.clamp(0.0, 100.0) as u8;
                add(&mut views, FaceView { template, kind: ViewKind::Live, day: None, quality });
            }
        }
        let chip = self.references.enrolled.views().iter().find(|view| view.kind == ViewKind::Chip);
        if let Some(chip) = chip {
            add(&mut views, chip.clone());
        }
        Ok(views)
    }

    /// Live views are called by the day of their enrolment, and the last later one by its own.
    fn name_on_file(&self, found: &KindScore) -> String {
        let live = self.references.enrolled.views().iter();
        let live = live.filter(|view| view.kind == ViewKind::Live);
        let enrolled = live.filter_map(|view| view.day).max();
        let date = |day: Option<u32>| day.and_then(roster::day_of);
        match found.kind {
            ViewKind::Live if found.newest_day == enrolled => roster::enrolled(date(enrolled)),
            ViewKind::Live => {
                let seen = date(found.newest_day).map(|day| format!(", seen {day}"));
                roster::enrolled(date(enrolled)) + &seen.unwrap_or_default()
            }
            ViewKind::Chip => papers::name(Part::ChipPhoto).into(),
            ViewKind::Printed => papers::name(Part::PrintedPhoto).into(),
        }
    }

    /// Without a calibrated set nothing is ever accepted by the machine alone.
    fn thresholds(&self, kind: ViewKind) -> Thresholds {
        match self.set(kind) {
            Some(set) => super::super::thresholds(set),
            None => Thresholds {
                id: "none".into(),
                accept: f32::INFINITY,
                review: f32::NEG_INFINITY,
                quality_min: 0,
                pad_min: 0.0,
            },
        }
    }

    fn set(&self, kind: ViewKind) -> Option<&ThresholdSet> {
        self.manifest.thresholds("face", &self.network, kind.reference())
    }

    fn pad_min(&self) -> f32 {
        let sets = [ViewKind::Chip, ViewKind::Live].into_iter().filter_map(|kind| self.set(kind));
        sets.map(|set| set.pad_min).fold(0.0, f32::max)
    }

    /// What the kept frames say together.
    fn sight(&self) -> Sight {
        self.passive.sight(self.pad_min()).unwrap_or(Sight::Doubtful(PadScore(0.0)))
    }
}

impl References {
    /// Everything on the tray that this face can be compared with.
    pub fn of(
        engine: &FaceEngine,
        manifest: &Manifest,
        tray: &SharedTray,
        purpose: FacePurpose,
    ) -> Self {
        // A copy: the loop must not wait for the tray while networks look at it.
        let tray = tray.open().clone();
        let fresh = tray.new_face.as_ref().map(|(views, _)| views.clone()).unwrap_or_default();
        let papers = match purpose {
            FacePurpose::Verify => Vec::new(),
            FacePurpose::Enrol => papers::exhibits(engine, &tray).unwrap_or_else(|error| {
                warn!(%error, "faces on papers");
                Vec::new()
            }),
        };
        let enrolled = enrolled(engine, &tray);
        let later = tray.later_faces.iter().flat_map(FaceGallery::views).cloned();
        let on_file = engine.with_later(manifest, &enrolled, later).unwrap_or_else(|error| {
            warn!(%error, "later face views");
            enrolled.clone()
        });
        Self { enrolled, on_file, fresh, papers }
    }
}

/// The dated views of all enrolments, and the chip's photo: today's if it could be read, else the one kept with them.
fn enrolled(engine: &FaceEngine, tray: &Tray) -> FaceGallery {
    let mut gallery = FaceGallery::default();
    let today = tray.chip_photo.as_ref().and_then(|photo| chip_view(engine, photo));
    // What other weights or another engine made can be compared with nothing that is seen now.
    let readable = |view: &&FaceView| view.template.model() == engine.model_id().sha16;
    let kept = tray.faces.iter().flat_map(FaceGallery::views).filter(readable);
    let kept = kept.filter(|view| today.is_none() || view.kind != ViewKind::Chip).cloned();
    kept.chain(today.clone()).for_each(|view| add(&mut gallery, view));
    gallery
}

fn chip_view(engine: &FaceEngine, photo: &RgbImage) -> Option<FaceView> {
    let Exhibit { template, quality, .. } =
        papers::exhibit(engine, Part::ChipPhoto, photo).ok().flatten()?;
    let quality = quality.clamp(0.0, 100.0) as u8;
    Some(FaceView { template, kind: ViewKind::Chip, day: None, quality })
}

/// A view of other weights can be compared with nothing here; the person has other ways.
fn add(gallery: &mut FaceGallery, view: FaceView) {
    if let Err(error) = gallery.add(view) {
        warn!(%error, "face view");
    }
}

/// The paper comes first.
fn name_of_pair(probe: Part, reference: Part) -> String {
    let (probe, reference) = (papers::name(probe), papers::name(reference));
    match reference.starts_with(PAPERS) {
        true => format!("{reference} with {probe}"),
        false => format!("{probe} with {reference}"),
    }
}

/// Good frames of a verification: liveness is a median, so an odd number.
const VERIFY_FRAMES: usize = 5;
/// Good frames of an enrolment.
const ENROL_FRAMES: usize = 10;
/// Views of a new reference.
const VIEWS: usize = 5;
/// An elder is not hurried: a minute of frames before other ways are offered.
const SITTING_TIME: Duration = Duration::from_secs(60);
