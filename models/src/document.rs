//! Identity cards held to the camera: found, squared up, measured with one short hint,
//! and read. What is read this way is never as good as the chip: it is marked as read
//! from a picture, and whoever uses it lets a person confirm it.

mod fields;
mod find;
mod measure;
mod raster;
mod square;

use std::{fmt, path::Path};

use image::{RgbImage, imageops};

pub use fields::{
    BackText, CardDoubt, CardField, CardText, Date, ETHNIC_GROUPS, FrontText, Sex, ValidTo,
};
use measure::RASTER_MAX;
pub use measure::{CardCoaching, CardQuality};

use crate::{Manifest, ModelError, ModelId, ocr::TextReader};

/// Corners in pixels of the frame: upper left, upper right, lower right, lower left.
pub type Corners = [(f32, f32); 4];

/// The networks that read a card, loaded once. Some 60 MiB: load it when a document is
/// asked for.
pub struct DocumentEngine {
    reader: TextReader,
}

/// What was seen of a card in one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The card's corners, to be drawn over the preview.
    pub corners: Option<Corners>,
    /// What was measured; nothing without a card.
    pub quality: Option<CardQuality>,
    /// The one thing to say now; nothing when the frame can be read.
    pub coaching: Option<CardCoaching>,
}

/// One side of a card, read from a picture.
#[derive(Clone, PartialEq)]
pub struct CardReading {
    /// The fields, as read. [`CardText::doubts`] says what does not fit.
    pub text: CardText,
    /// The card squared up and the right way up, 856 by 540 pixels: ten a millimetre.
    pub picture: RgbImage,
    /// The part with the portrait; nothing on the back.
    pub portrait: Option<RgbImage>,
    /// What was measured on the card in the frame.
    pub quality: CardQuality,
    /// The weights that read it, as they go into a record.
    pub model: ModelId,
}

/// Where a reading comes from, as it is marked wherever it goes.
pub const SOURCE: &str = "ocr";

/// Looks for a card in a frame of the preview. No network is needed for this.
pub fn look(frame: &RgbImage) -> Look {
    let none = Look { corners: None, quality: None, coaching: Some(CardCoaching::ShowCard) };
    if frame.width().min(frame.height()) < FRAME_MIN {
        return none;
    }
    let Some(corners) = find::corners(frame) else { return none };
    let quality = CardQuality::of(frame, &corners);
    let coaching = quality.coaching(frame, &corners);
    Look { corners: Some(corners), quality: Some(quality), coaching }
}

/// The portrait of a card that a person holds beside their face, with some paper round
/// it and as the card is held; the face engine finds it in any orientation.
pub fn portrait_in(frame: &RgbImage) -> Option<RgbImage> {
    let card = square::square_up(frame, &look(frame).corners?, CARD_SIZE);
    let (x, y, width, height) = PORTRAIT;
    Some(imageops::crop_imm(&card, x, y, width, height).to_image())
}

/// Whether a frame shows the raster of a screen on the card in it or in its middle: a person
/// with their card, shown to the camera as a picture.
pub fn shows_raster(frame: &RgbImage) -> bool {
    let (left, top) = (frame.width() as f32 / 4.0, frame.height() as f32 / 4.0);
    let (right, bottom) = (3.0 * left, 3.0 * top);
    let middle = [(left, top), (right, top), (right, bottom), (left, bottom)];
    raster::of(frame, &middle) > RASTER_MAX
        || look(frame).quality.is_some_and(|quality| quality.shows_raster())
}

impl DocumentEngine {
    /// Loads and verifies the manifest's `ocr-…` models.
    pub fn load(dir: &Path, manifest: &Manifest) -> Result<Self, ModelError> {
        Ok(Self { reader: TextReader::load(dir, manifest)? })
    }

    /// The weights that read.
    pub fn model_id(&self) -> &ModelId {
        self.reader.model_id()
    }

    /// Runs each network once, so that the first card is not slower than the rest.
    pub fn warm_up(&self) -> Result<(), ModelError> {
        self.reader.warm_up()
    }

    /// Looks for a card in a frame of the preview; see [`look`].
    pub fn look(&self, frame: &RgbImage) -> Look {
        look(frame)
    }

    /// Finds the card in the frame and reads it, also when it is held upside down.
    /// Nothing when there is no card, or no side of one could be made out.
    pub fn read(&self, frame: &RgbImage) -> Result<Option<CardReading>, ModelError> {
        let Look { corners: Some(corners), quality: Some(quality), .. } = look(frame) else {
            return Ok(None);
        };
        let upright = square::square_up(frame, &corners, CARD_SIZE);
        let turned = imageops::rotate180(&upright);
        for picture in [upright, turned] {
            let lines = self.reader.lines(&picture)?;
            let size = (CARD_SIZE.0 as f32, CARD_SIZE.1 as f32);
            if let Some(text) = CardText::of(&lines, size) {
                return Ok(Some(self.reading(text, picture, quality)));
            }
        }
        Ok(None)
    }

    /// All text of a picture, a line each, from top to bottom; no card is looked for.
    pub fn text(&self, picture: &RgbImage) -> Result<String, ModelError> {
        let lines = self.reader.lines(picture)?;
        Ok(lines.into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n"))
    }

    fn reading(&self, text: CardText, picture: RgbImage, quality: CardQuality) -> CardReading {
        let (x, y, width, height) = PORTRAIT;
        let portrait = matches!(text, CardText::Front(_))
            .then(|| imageops::crop_imm(&picture, x, y, width, height).to_image());
        CardReading { text, picture, portrait, quality, model: self.model_id().clone() }
    }
}

impl fmt::Debug for CardReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardReading({:?})", self.text)
    }
}

/// Ten pixels a millimetre of ISO/IEC 7810 ID-1.
const CARD_SIZE: (u32, u32) = (856, 540);
/// The portrait with some paper round it: left, top, width, height.
const PORTRAIT: (u32, u32, u32, u32) = (510, 50, 320, 380);
const FRAME_MIN: u32 = 64;
