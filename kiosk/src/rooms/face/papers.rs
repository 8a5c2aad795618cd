//! Papers before the camera: coached until a frame can be used, cards read, and at a re-enrolment every face on them
//! compared with the live one. What any of it means is core's to say.

use std::path::Path;
use std::time::{Duration, Instant};

use image::{RgbImage, imageops};
use jiff::civil::Date;
use kiosk_core::event::Picture;
use kiosk_core::identity::{IdNumber, PersonName, Sex, ValidTo};
use kiosk_core::message::Id;
use kiosk_core::reading::{Reading, Words};
use models::document::{self, CardReading, CardText, DocumentEngine};
use models::face::{Exhibit, FaceEngine, Part};
use models::{Manifest, ModelError};
use tracing::{info, warn};

use super::coach::{self, Coach};
use crate::tray::Tray;

/// A document that is being held up.
pub struct Taking {
    role: Picture,
    coach: Coach,
    good: Vec<(f32, RgbImage)>,
    /// The sharpest frame that had something to be said about it: better than none, for a person to judge.
    fallback: Option<(f32, RgbImage)>,
    until: Instant,
}

/// What a frame led to.
pub enum Step {
    /// More frames are wanted; what to do better.
    More(Option<Id>),
    /// The best frame.
    Taken(RgbImage),
    /// Nothing could be made out; why.
    NotTaken(Id),
}

impl Taking {
    /// Starts now.
    pub fn new(role: Picture) -> Self {
        let until = Instant::now() + TAKE_TIME;
        Self { role, coach: Coach::default(), good: Vec::new(), fallback: None, until }
    }

    /// Looks at the next frame.
    pub fn see(&mut self, faces: Option<&FaceEngine>, frame: RgbImage) -> Result<Step, ModelError> {
        let (hint, value) = self.judge(faces, &frame)?;
        let late = Instant::now() >= self.until;
        let Some(hint) = hint else {
            self.coach.good();
            self.good.push((value, frame));
            let is_enough = late || self.good.len() >= FRAMES;
            return Ok(if is_enough { self.end(Id::DocumentHoldStill) } else { Step::More(None) });
        };
        if value > self.fallback.as_ref().map_or(0.0, |(best, _)| *best) {
            self.fallback = Some((value, frame));
        }
        Ok(if late { self.end(hint) } else { Step::More(self.coach.steady(hint)) })
    }

    /// What is wrong with a frame, and its worth among its like; worth nothing if it must not be used.
    fn judge(
        &self,
        faces: Option<&FaceEngine>,
        frame: &RgbImage,
    ) -> Result<(Option<Id>, f32), ModelError> {
        let sharp = sharpness(frame);
        let blurred = (sharp < SHARP_MIN).then_some(Id::DocumentHoldStill);
        let worth = if blurred.is_some() { 0.0 } else { sharp };
        match self.role {
            Picture::IdFront | Picture::IdBack => {
                let look = document::look(frame);
                // A copy is refused however good its picture is.
                let usable = look.quality.filter(|quality| !quality.is_copy());
                let worth = usable.map_or(0.0, |quality| quality.sharpness);
                Ok((look.coaching.map(coach::of_card), worth))
            }
            Picture::IdInHand => {
                let seen = faces.map(|engine| engine.observe(frame)).transpose()?;
                let face = seen.map(|seen| seen.face);
                if matches!(face, Some(None)) {
                    return Ok((Some(Id::FaceLook), 0.0));
                }
                let width = face.flatten().map(|face| face.bbox.width);
                let hint = match document::look(frame).corners {
                    None => Some(Id::DocumentShowCard),
                    Some(corners) => width.and_then(|width| arm(&corners, width)),
                };
                let shown = || is_shown(self.role, frame).then_some(Id::DocumentNoScreen);
                Ok((blurred.or(hint).or_else(shown), worth))
            }
            _ => Ok((blurred.map(|_| Id::FaceHoldStill), worth)),
        }
    }

    fn end(&mut self, hint: Id) -> Step {
        let best = std::mem::take(&mut self.good).into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
        match best.or(self.fallback.take()) {
            Some((_, frame)) => Step::Taken(frame),
            None => Step::NotTaken(hint),
        }
    }
}

/// Reads cards; its networks are loaded when the first document is asked for.
#[derive(Default)]
pub struct Reader {
    engine: Option<DocumentEngine>,
    is_tried: bool,
}

impl Reader {
    /// Loads the networks, once. Without them pictures are taken all the same, and nothing is read.
    pub fn load(&mut self, models: &Path) {
        if std::mem::replace(&mut self.is_tried, true) {
            return;
        }
        let started = Instant::now();
        let manifest = Manifest::of(models);
        match manifest.and_then(|manifest| DocumentEngine::load(models, &manifest)) {
            Ok(engine) => {
                info!(ms = started.elapsed().as_millis(), "document networks loaded");
                self.engine = Some(engine);
            }
            Err(error) => warn!(%error, "document networks"),
        }
    }

    /// What stands on a side of a card; nothing where no network could look.
    pub fn read(&self, frame: &RgbImage) -> Option<Reading> {
        let engine = self.engine.as_ref()?;
        let started = Instant::now();
        let read = engine.read(frame).inspect_err(|error| warn!(%error, "document")).ok()?;
        info!(ms = started.elapsed().as_millis(), found = read.is_some(), "card read by camera");
        Some(match read {
            Some(card) => reading(&card),
            None => unread(engine.model_id().in_records()),
        })
    }
}

/// A picture of which nothing is read.
fn unread(model: String) -> Reading {
    Reading { words: None, is_doubtful: true, certainty: 0, shows_raster: false, model }
}

/// What there is to say of a picture that is no side of a card, or that no network could read: nothing, unless it shows
/// the raster of a screen.
pub fn doubted(role: Picture, frame: &RgbImage) -> Option<Reading> {
    is_shown(role, frame).then(|| Reading { shows_raster: true, ..unread(String::new()) })
}

fn is_shown(role: Picture, frame: &RgbImage) -> bool {
    match role {
        Picture::IdFront | Picture::IdBack => {
            document::look(frame).quality.is_some_and(|quality| quality.shows_raster())
        }
        Picture::IdInHand => document::shows_raster(frame),
        _ => false,
    }
}

fn reading(card: &CardReading) -> Reading {
    let (words, certainty) = match &card.text {
        CardText::Front(front) => {
            let words = Words::Front {
                name: PersonName(front.name.clone()),
                number: IdNumber::parse(&front.number).ok(),
                birth: front.birth.and_then(date),
                sex: front.sex.map(|sex| match sex {
                    document::Sex::Male => Sex::Male,
                    document::Sex::Female => Sex::Female,
                }),
            };
            (words, front.certainty)
        }
        CardText::Back(back) => {
            let valid_to = back.valid_to.and_then(|end| match end {
                document::ValidTo::Day(day) => date(day).map(ValidTo::Day),
                document::ValidTo::Open => Some(ValidTo::Open),
            });
            (Words::Back { valid_to }, back.certainty)
        }
    };
    Reading {
        words: Some(words),
        is_doubtful: !card.text.doubts().is_empty(),
        certainty: (100.0 * certainty).clamp(0.0, 100.0) as u8,
        shows_raster: card.quality.shows_raster(),
        model: card.model.in_records(),
    }
}

fn date((year, month, day): document::Date) -> Option<Date> {
    let year = i16::try_from(year).ok()?;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// The faces on the papers of this visit. A part that shows none is left out: a person looks at the picture.
pub fn exhibits(engine: &FaceEngine, tray: &Tray) -> Result<Vec<Exhibit>, ModelError> {
    let mut found = Vec::new();
    if let Some(photo) = &tray.chip_photo {
        found.extend(exhibit(engine, Part::ChipPhoto, photo)?);
    }
    let taken = |role| Some(image::load_from_memory(tray.picture(role)?).ok()?.to_rgb8());
    if let Some(front) = taken(Picture::IdFront) {
        found.extend(portrait(engine, Part::PrintedPhoto, &front)?);
    }
    if let Some(frame) = taken(Picture::IdInHand) {
        found.extend(portrait(engine, Part::CardInHand, &frame)?);
        found.extend(exhibit(engine, Part::FaceBesideCard, &frame)?);
    }
    Ok(found)
}

/// The portrait of a card in a frame; the card may be held the wrong way up.
fn portrait(
    engine: &FaceEngine,
    part: Part,
    frame: &RgbImage,
) -> Result<Option<Exhibit>, ModelError> {
    let turned = || document::portrait_in(&imageops::rotate180(frame));
    let upright = document::portrait_in(frame).map(|p| exhibit(engine, part, &p)).transpose()?;
    if let Some(Some(found)) = upright {
        return Ok(Some(found));
    }
    Ok(turned().map(|p| exhibit(engine, part, &p)).transpose()?.flatten())
}

/// The face in a picture; of one that was there in person, with how alive it looks.
pub fn exhibit(
    engine: &FaceEngine,
    part: Part,
    picture: &RgbImage,
) -> Result<Option<Exhibit>, ModelError> {
    let seen = engine.observe(picture)?;
    let Some(face) = seen.face else { return Ok(None) };
    let template = engine.template(picture, &face)?;
    let was_there = part == Part::FaceBesideCard;
    let pad = was_there.then(|| engine.pad(picture, &face)).transpose()?;
    Ok(Some(Exhibit { part, template, quality: seen.quality.score, pad }))
}

/// How a part is called in a record. What is on papers begins as [`kiosk_core::decision::PAPERS`] says.
pub fn name(part: Part) -> &'static str {
    match part {
        Part::ChipPhoto => "chip-photo",
        Part::PrintedPhoto => "id-front",
        Part::CardInHand => "id-in-hand card",
        Part::FaceBesideCard => "id-in-hand face",
        Part::LiveFace => "live-face",
    }
}

/// Mean absolute difference of neighbouring grey values, 0 to 255: low when the picture is blurred or empty.
fn sharpness(picture: &RgbImage) -> f32 {
    let grey = imageops::grayscale(picture);
    let row = grey.width() as usize;
    let pixels = grey.as_raw();
    let sum: u64 = pixels
        .chunks_exact(row)
        .flat_map(|line| line.windows(2))
        .map(|pair| u64::from(pair[0].abs_diff(pair[1])))
        .sum();
    sum as f32 / pixels.len().max(1) as f32
}

/// What the arm has to do so that the card and the head have a fitting size (R73): a card is half as wide as a head is,
/// and nearer to the camera it looks larger.
fn arm(card: &document::Corners, face_width: f32) -> Option<Id> {
    let sides = (0..4).map(|n| (card[n], card[(n + 1) % 4]));
    let lengths = sides.map(|((x, y), (to_x, to_y))| (to_x - x).hypot(to_y - y));
    let ratio = lengths.fold(0.0, f32::max) / face_width.max(1.0);
    match ratio {
        ..CARD_OF_HEAD_MIN => Some(Id::DocumentComeCloser),
        CARD_OF_HEAD_MAX.. => Some(Id::FaceMoveBack),
        _ => None,
    }
}

/// A card that looks narrower than this part of the head has a photo too small to be compared.
const CARD_OF_HEAD_MIN: f32 = 0.35;
/// One that looks wider hides the head.
const CARD_OF_HEAD_MAX: f32 = 2.0;
/// Good frames of which the best is kept.
const FRAMES: usize = 3;
/// How long a document is coached before the best there is goes on to people's eyes.
const TAKE_TIME: Duration = Duration::from_secs(12);
/// Below this a picture is blurred: a printed card at 640 × 480 measures 3 to 8.
const SHARP_MIN: f32 = 1.2;

#[cfg(test)]
mod tests {
    use image::Rgb;
    use kiosk_core::decision::PAPERS;

    use super::*;

    fn wall() -> RgbImage {
        RgbImage::from_pixel(640, 480, Rgb([200, 200, 196]))
    }

    /// A sheet with strokes of print.
    fn sheet() -> RgbImage {
        RgbImage::from_fn(
            640,
            480,
            |x, y| Rgb([if x % 9 < 3 && y % 40 < 20 { 30 } else { 230 }; 3]),
        )
    }

    #[test]
    fn a_sharp_sheet_is_taken_after_a_few_frames_and_an_empty_one_is_not() {
        let mut taking = Taking::new(Picture::Paper);
        for _ in 1..FRAMES {
            assert!(matches!(taking.see(None, sheet()).unwrap(), Step::More(None)));
        }
        assert!(matches!(taking.see(None, sheet()).unwrap(), Step::Taken(_)));
        let mut taking = Taking::new(Picture::Paper);
        taking.until = Instant::now();
        let step = taking.see(None, wall()).unwrap();
        assert!(matches!(step, Step::NotTaken(Id::FaceHoldStill)));
    }

    #[test]
    fn without_a_card_no_front_is_taken_and_the_person_is_told_what_to_show() {
        let mut taking = Taking::new(Picture::IdFront);
        let told: Vec<_> = (0..4)
            .map(|_| match taking.see(None, wall()).unwrap() {
                Step::More(told) => told,
                _ => panic!("there is time left"),
            })
            .collect();
        assert_eq!(told[3], Some(Id::DocumentShowCard));
        taking.until = Instant::now();
        let step = taking.see(None, wall()).unwrap();
        assert!(matches!(step, Step::NotTaken(Id::DocumentShowCard)));
    }

    /// Something of a card's shape with print and a portrait, on a table; `raster` stripes it as a screen does.
    fn card(portrait: [u8; 3], raster: bool) -> RgbImage {
        RgbImage::from_fn(1280, 720, |x, y| {
            let (u, v) = (x.wrapping_sub(290), y.wrapping_sub(140));
            if u >= 700 || v >= 441 {
                return Rgb([60; 3]);
            }
            // Strokes at uneven distances, as letters have them.
            let print = v % 60 > 20 && v % 60 < 44 && u * u / 37 % 14 < 3 && (40..380).contains(&u);
            let ink = if (440..640).contains(&u) && (60..320).contains(&v) {
                portrait
            } else if print {
                [40; 3]
            } else {
                [225; 3]
            };
            let stripe = if raster && u % 3 == 0 { 40 } else { 0 };
            Rgb(ink.map(|grey| grey.saturating_sub(stripe)))
        })
    }

    /// What becomes of three frames when there is no more time.
    fn taken(frame: &RgbImage) -> Step {
        let mut taking = Taking::new(Picture::IdFront);
        taking.until = Instant::now();
        taking.see(None, frame.clone()).unwrap()
    }

    #[test]
    fn a_photocopy_is_refused_however_good_and_a_screen_is_noted() {
        let (skin, grey) = ([200, 90, 60], [120; 3]);
        assert!(matches!(taken(&card(skin, false)), Step::Taken(_)));
        assert!(matches!(taken(&card(grey, false)), Step::NotTaken(Id::DocumentShowOriginal)));
        let screen = card(skin, true);
        assert!(matches!(taken(&screen), Step::Taken(_)), "a weak sign stops nobody");
        let mut taking = Taking::new(Picture::IdFront);
        let told: Vec<_> = (0..4).map(|_| taking.see(None, screen.clone()).unwrap()).collect();
        assert!(matches!(told[3], Step::More(Some(Id::DocumentNoScreen))));
        assert!(doubted(Picture::IdFront, &screen).is_some_and(|noted| noted.shows_raster));
        assert_eq!(doubted(Picture::IdFront, &card(skin, false)), None);
        assert!(doubted(Picture::IdInHand, &screen).is_some());
        assert_eq!(doubted(Picture::IdInHand, &card(skin, false)), None);
        assert_eq!(doubted(Picture::Door, &screen), None);
    }

    #[test]
    fn the_card_and_the_head_have_to_have_a_fitting_size() {
        let card =
            |width: f32| [(10.0, 10.0), (10.0 + width, 10.0), (10.0 + width, 50.0), (10.0, 50.0)];
        assert_eq!(arm(&card(60.0), 200.0), Some(Id::DocumentComeCloser));
        assert_eq!(arm(&card(120.0), 200.0), None);
        assert_eq!(arm(&card(240.0), 200.0), None);
        assert_eq!(arm(&card(420.0), 200.0), Some(Id::FaceMoveBack));
    }

    #[test]
    fn what_is_on_papers_is_called_so_that_core_knows_it() {
        for part in [Part::PrintedPhoto, Part::CardInHand, Part::FaceBesideCard] {
            assert!(name(part).starts_with(PAPERS));
        }
        assert!(
            !name(Part::LiveFace).starts_with(PAPERS) && !name(Part::ChipPhoto).starts_with(PAPERS)
        );
    }
}
