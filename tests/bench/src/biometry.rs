//! Faces and fingers as the terminal does them, on a simulated person: the real frame, the real chip photo, the
//! real print. The references are the same networks in onnxruntime without anything around them.

use std::error::Error;
use std::path::Path;

use image::RgbImage;
use models::Manifest;
use models::face::{Face, FaceEngine, FaceTemplate};
use models::finger::{FingerEngine, GreyImage};
use models::matcher;
use people::{Person, Pose};

use crate::clock::time;
use crate::networks::Networks;
use crate::table::Table;

/// Engines and what they are fed.
pub(crate) struct Biometry {
    faces: FaceEngine,
    fingers: FingerEngine,
    /// A camera frame with one face.
    pub(crate) frame: RgbImage,
    /// Where that face is.
    pub(crate) face: Face,
    chip: RgbImage,
    /// A placement of the right thumb, 256 x 288.
    pub(crate) print: GreyImage,
    other_print: GreyImage,
}

impl Biometry {
    /// Loads all networks and makes the person.
    pub(crate) fn load(dir: &Path, manifest: &Manifest) -> Result<Self, Box<dyn Error>> {
        let faces = FaceEngine::load(dir, manifest)?;
        let fingers = FingerEngine::load(dir, manifest, PRINT_WIDTH, PRINT_HEIGHT)?;
        let person = Person::generate(SEED, 0);
        let frame = person.frame(&Pose::default(), 1);
        let face = faces.observe(&frame)?.face.ok_or("no face in the simulated frame")?;
        let chip = people::photo::decode(&person.card_photo_block())?;
        let (print, other_print) = (print(&person, 0)?, print(&person, 1)?);
        Ok(Self { faces, fingers, frame, face, chip, print, other_print })
    }

    /// The steps of a visit, then both verifications as wholes.
    pub(crate) fn measure(
        &self,
        table: &mut Table,
        networks: &Networks,
    ) -> Result<(), Box<dyn Error>> {
        let (faces, fingers) = (&self.faces, &self.fingers);
        let observe = time(N, || Ok(faces.observe(&self.frame)?))?;
        table.time("visit-face-observe", observe, networks.sum(&OBSERVE));
        let pad = time(N, || Ok(faces.pad(&self.frame, &self.face)?))?;
        table.time("visit-face-pad", pad, networks.sum(&[("face-pad", 1)]));
        let embed = time(N, || Ok(faces.template(&self.frame, &self.face)?))?;
        table.time("visit-face-embed", embed, networks.sum(&[EMBED]));
        let chip = time(N, || self.chip_template())?;
        let with_embed = [OBSERVE.as_slice(), &[EMBED]].concat();
        table.time("visit-chip-photo-template", chip, networks.sum(&with_embed));
        let (live, stored) = (faces.template(&self.frame, &self.face)?, self.chip_template()?);
        let compare = time(N_FAST, || Ok(faces.compare(&live, &stored)?))?;
        table.time("visit-face-compare", compare, networks.sum(&[]));
        let extract = time(N_SLOW, || Ok(fingers.extract(&self.print)?))?;
        table.time("visit-finger-extract", extract, networks.sum(&[LEADER]));
        let enrolled = fingers.extract(&self.other_print)?;
        let probe = fingers.extract(&self.print)?;
        let compare = time(N_FAST, || Ok(matcher::compare(&probe, &enrolled)))?;
        table.time("visit-finger-compare", compare, networks.sum(&[]));
        self.wholes(table, networks)
    }

    /// One live frame against a stored template; one placement against three enrolled ones.
    fn wholes(&self, table: &mut Table, networks: &Networks) -> Result<(), Box<dyn Error>> {
        let stored = self.chip_template()?;
        let whole = time(N, || {
            let seen = self.faces.observe(&self.frame)?.face.ok_or("the face went away")?;
            let pad = self.faces.pad(&self.frame, &seen)?;
            let probe = self.faces.template(&self.frame, &seen)?;
            Ok((self.faces.compare(&probe, &stored)?, pad))
        })?;
        let all = [OBSERVE.as_slice(), &[("face-pad", 1), EMBED]].concat();
        table.time("face-verification", whole, networks.sum(&all));
        let enrolled = vec![self.fingers.extract(&self.other_print)?; 3];
        let whole = time(N_SLOW, || {
            let probe = self.fingers.extract(&self.print)?;
            let quality = self.fingers.quality(&self.print, &probe);
            Ok((matcher::best_of(&probe, &enrolled), quality))
        })?;
        table.time("finger-verification", whole, networks.sum(&[LEADER]));
        Ok(())
    }

    fn chip_template(&self) -> Result<FaceTemplate, Box<dyn Error>> {
        let seen = self.faces.observe(&self.chip)?.face.ok_or("no face in the chip photo")?;
        Ok(self.faces.template(&self.chip, &seen)?)
    }
}

fn print(person: &Person, impression: u32) -> Result<GreyImage, Box<dyn Error>> {
    let pixels = person.finger_image(1, impression, PRINT_WIDTH, PRINT_HEIGHT);
    Ok(GreyImage::new(PRINT_WIDTH, PRINT_HEIGHT, 500, pixels).ok_or("a print of another size")?)
}

/// Networks behind one look at a frame, and how often each runs.
const OBSERVE: [(&str, u32); 4] =
    [("face-detect", 1), ("face-landmark", 1), ("face-eye", 2), ("face-pose", 1)];
const EMBED: (&str, u32) = ("face-embed", 1);
const LEADER: (&str, u32) = (models::finger::LEADER, 1);
const PRINT_WIDTH: u32 = 256;
const PRINT_HEIGHT: u32 = 288;
const SEED: u64 = 11;
const N: usize = 41;
const N_SLOW: usize = 9;
const N_FAST: usize = 501;
