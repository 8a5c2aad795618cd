//! Fingerprints: a grey picture from a sensor becomes minutiae and a quality.
//! The capture is done elsewhere, and so is the decision; [`crate::matcher`]
//! compares, [`crate::iso19794`] writes.

mod quality;
mod ridges;

use std::{fmt, path::Path, sync::OnceLock};

use image::GrayImage;

pub use quality::{FingerCoaching, FingerQuality};
pub use ridges::Polarity;

use crate::{
    EngineFault, Manifest, ModelError, ModelId, iso19794,
    iso19794::{FingerPosition, FingerRecord, FingerView},
    manifest::Modality,
    matcher::{self, Descriptors},
    network::Network,
    vendor::Vendor,
};

/// A picture from a fingerprint sensor; dark ridges on a light ground.
#[derive(Clone, PartialEq, Eq)]
pub struct GreyImage {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pixels per inch of the sensor.
    pub ppi: u32,
    /// Row by row from the upper left, one byte a pixel, 0 is black.
    pub pixels: Vec<u8>,
}

/// The minutiae of one placement of a finger.
#[derive(Clone)]
pub struct FingerTemplate {
    /// Width of the picture at 500 pixels per inch.
    pub width: u32,
    /// Height of the picture at 500 pixels per inch.
    pub height: u32,
    /// The minutiae, best first.
    pub minutiae: Vec<Minutia>,
    /// Which extractor found them: a [`ModelId`] in words, or `foreign`.
    pub extractor: String,
    descriptors: OnceLock<Descriptors>,
}

/// Where a ridge ends or forks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minutia {
    /// Pixels from the left at 500 pixels per inch.
    pub x: f32,
    /// Pixels from the top at 500 pixels per inch.
    pub y: f32,
    /// Radians, counter-clockwise from the right as seen on the picture, 0..2 pi.
    pub angle: f32,
    /// What it is.
    pub kind: MinutiaKind,
    /// How sure the extractor is, 0..1.
    pub quality: f32,
}

/// Ending or fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinutiaKind {
    /// A ridge ends.
    Ending,
    /// A ridge forks.
    Bifurcation,
    /// Not known.
    Other,
}

/// The extractor for one sensor's picture size, and the matcher: ours, or a vendor's
/// engine of the manifest.
pub struct FingerEngine {
    extractor: Extractor,
}

enum Extractor {
    /// Our network; [`crate::matcher`] compares.
    Ours { network: Network, canvas: (usize, usize) },
    /// Templates are records of ISO/IEC 19794-2 on their way there and back.
    Vendor(Vendor),
}

impl FingerEngine {
    /// Loads and verifies the extractor for pictures of this size at 500 pixels
    /// per inch. Larger pictures are cut about their middle, smaller ones padded.
    pub fn load(
        dir: &Path,
        manifest: &Manifest,
        width: u32,
        height: u32,
    ) -> Result<Self, ModelError> {
        if let Some(engine) = manifest.engine(Modality::Finger) {
            let extractor = Extractor::Vendor(Vendor::start(dir, engine)?);
            return Ok(Self { extractor });
        }
        let canvas = canvas_for(width, height);
        let model = manifest.model(LEADER)?;
        let network = Network::load_shaped(dir, model, &[1, canvas.1, canvas.0, 1])?;
        Ok(Self { extractor: Extractor::Ours { network, canvas } })
    }

    /// Runs our network once, so that the first print is not slower than the rest.
    pub fn warm_up(&self) -> Result<(), ModelError> {
        match &self.extractor {
            Extractor::Ours { network, .. } => network.time(1).map(drop),
            Extractor::Vendor(_) => Ok(()),
        }
    }

    /// The weights or the engine that minutiae and scores come from.
    pub fn model_id(&self) -> &ModelId {
        match &self.extractor {
            Extractor::Ours { network, .. } => network.id(),
            Extractor::Vendor(vendor) => vendor.id(),
        }
    }

    /// Finds the minutiae of one picture.
    pub fn extract(&self, picture: &GreyImage) -> Result<FingerTemplate, ModelError> {
        let (network, canvas) = match &self.extractor {
            Extractor::Ours { network, canvas } => (network, *canvas),
            Extractor::Vendor(vendor) => return extract_by(vendor, picture),
        };
        let picture = picture.at_500_ppi();
        let (input, left, top) = picture.centred_on(canvas);
        let output = network.run(&input)?.swap_remove(0);
        let place = Placed { left, top, canvas_width: canvas.0 };
        let minutiae = place.minutiae(&output, picture.width, picture.height);
        let extractor = network.id().to_string();
        Ok(FingerTemplate::new(picture.width, picture.height, minutiae, extractor))
    }

    /// Finds the minutiae of a print that may be a negative: its ground tells, or where that
    /// does not the extractor, which is surer of a print that is the right way round.
    pub fn extract_unturned(&self, picture: &GreyImage) -> Result<FingerTemplate, ModelError> {
        let needed = match picture.polarity() {
            _ if matches!(self.extractor, Extractor::Vendor(_)) => return self.extract(picture),
            Polarity::Positive => return self.extract(picture),
            Polarity::Negative => 1.0 / SURER,
            Polarity::Untold => SURER,
        };
        let sure = |t: &FingerTemplate| t.minutiae.iter().map(|m| m.quality).sum::<f32>();
        let plain = self.extract(picture)?;
        let turned = self.extract(&picture.clone().negative())?;
        Ok(if sure(&turned) > needed * sure(&plain) { turned } else { plain })
    }

    /// How much two templates are alike, the probe first: by [`crate::matcher`], or by the
    /// vendor's engine.
    pub fn compare(
        &self,
        probe: &FingerTemplate,
        reference: &FingerTemplate,
    ) -> Result<f32, ModelError> {
        let vendor = match &self.extractor {
            Extractor::Ours { .. } => return Ok(matcher::compare(probe, reference)),
            Extractor::Vendor(vendor) => vendor,
        };
        match (record_of(probe), record_of(reference)) {
            (Some(probe), Some(reference)) => vendor.compare(&probe, &reference),
            // A template that fits no record has nothing in common with any.
            _ => Ok(0.0),
        }
    }

    /// How good the picture and its minutiae are.
    pub fn quality(&self, picture: &GreyImage, template: &FingerTemplate) -> FingerQuality {
        quality::measure(&picture.at_500_ppi(), template)
    }
}

/// One view is asked for; the first counts. An engine that finds no finger may refuse.
fn extract_by(vendor: &Vendor, picture: &GreyImage) -> Result<FingerTemplate, ModelError> {
    let record = match vendor.extract(picture) {
        Err(ModelError::Engine { fault: EngineFault::Refused(_), .. }) => {
            let (width, height) = picture.size_at_500_ppi();
            let extractor = vendor.id().to_string();
            return Ok(FingerTemplate::new(width, height, Vec::new(), extractor));
        }
        record => record?,
    };
    let garbled =
        || ModelError::Engine { id: vendor.id().name.clone(), fault: EngineFault::Garbled };
    let views = iso19794::decode(&record).map_err(|_| garbled())?.views;
    let mut template = views.into_iter().next().ok_or_else(garbled)?.template;
    template.extractor = vendor.id().to_string();
    Ok(template)
}

/// A template as a record of one view.
fn record_of(template: &FingerTemplate) -> Option<Vec<u8>> {
    let view = FingerView {
        position: FingerPosition::Unknown,
        number: 0,
        impression: 0,
        quality: 100,
        template: template.clone(),
    };
    iso19794::encode(&FingerRecord { device: 0, views: vec![view] }).ok()
}

/// The network's input size, (width, height), for a picture of this size.
pub fn canvas_for(width: u32, height: u32) -> (usize, usize) {
    let up = |n: u32| (n.max(64) as usize).next_multiple_of(SIZE_MULTIPLE);
    (up(width), up(height))
}

impl GreyImage {
    /// A picture; nothing if the pixels do not fill it.
    pub fn new(width: u32, height: u32, ppi: u32, pixels: Vec<u8>) -> Option<Self> {
        let fills = pixels.len() as u64 == u64::from(width) * u64::from(height);
        (fills && width > 0 && height > 0 && ppi > 0).then_some(Self { width, height, ppi, pixels })
    }

    /// A picture file, as evaluation sets have them.
    pub fn from_luma(picture: &GrayImage, ppi: u32) -> Self {
        let (width, height) = picture.dimensions();
        Self { width, height, ppi, pixels: picture.as_raw().clone() }
    }

    /// The same picture at the resolution extractor and matcher work in.
    fn at_500_ppi(&self) -> Self {
        if self.ppi == 500 {
            return self.clone();
        }
        let scale = self.ppi as f32 / 500.0;
        let (width, height) = self.size_at_500_ppi();
        let mut pixels = Vec::with_capacity((width * height) as usize);
        for y in 0..height {
            for x in 0..width {
                let at = |i: u32| (i as f32 + 0.5) * scale - 0.5;
                pixels.push(self.bilinear(at(x), at(y)));
            }
        }
        Self { width, height, ppi: 500, pixels }
    }

    pub(crate) fn size_at_500_ppi(&self) -> (u32, u32) {
        let size = |n: u32| ((n as f32 * 500.0 / self.ppi as f32).round() as u32).max(1);
        (size(self.width), size(self.height))
    }

    fn bilinear(&self, x: f32, y: f32) -> u8 {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (x0, y0) = (x as u32, y as u32);
        let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
        let (px, py) = (x - x0 as f32, y - y0 as f32);
        let at = |x: u32, y: u32| f32::from(self.pixels[(y * self.width + x) as usize]);
        let upper = at(x0, y0) * (1.0 - px) + at(x1, y0) * px;
        let lower = at(x0, y1) * (1.0 - px) + at(x1, y1) * px;
        (upper * (1.0 - py) + lower * py).round() as u8
    }

    /// The picture in the middle of a canvas of its upper left pixel's grey, and
    /// where the picture's own corner came to lie.
    fn centred_on(&self, (width, height): (usize, usize)) -> (Vec<f32>, i32, i32) {
        let left = (width as i32 - self.width as i32).div_euclid(2);
        let top = (height as i32 - self.height as i32).div_euclid(2);
        let ground = f32::from(self.pixels[0]);
        let mut canvas = vec![ground; width * height];
        for y in 0..height as i32 {
            let row = y - top;
            if row < 0 || row >= self.height as i32 {
                continue;
            }
            for x in 0..width as i32 {
                let column = x - left;
                if column >= 0 && column < self.width as i32 {
                    let from = row as usize * self.width as usize + column as usize;
                    canvas[y as usize * width + x as usize] = f32::from(self.pixels[from]);
                }
            }
        }
        (canvas, left, top)
    }
}

/// Where a picture lies on the network's canvas.
struct Placed {
    left: i32,
    top: i32,
    canvas_width: usize,
}

impl Placed {
    /// The network answers position, direction, type and quality for each pixel.
    fn minutiae(&self, output: &[f32], width: u32, height: u32) -> Vec<Minutia> {
        let mut found: Vec<Minutia> = output
            .chunks_exact(4)
            .enumerate()
            .filter(|(_, cell)| cell[3] >= QUALITY_MIN)
            .map(|(index, cell)| self.minutia(index, cell))
            .filter(|m| m.x >= 0.0 && m.y >= 0.0 && m.x < width as f32 && m.y < height as f32)
            .collect();
        found.sort_by(|a, b| b.quality.total_cmp(&a.quality));
        found.truncate(MINUTIAE_MAX);
        found
    }

    fn minutia(&self, index: usize, cell: &[f32]) -> Minutia {
        let (x, y) = (index % self.canvas_width, index / self.canvas_width);
        Minutia {
            x: (x as i32 - self.left) as f32,
            y: (y as i32 - self.top) as f32,
            angle: cell[1].rem_euclid(std::f32::consts::TAU),
            kind: if cell[2] >= 0.5 { MinutiaKind::Ending } else { MinutiaKind::Bifurcation },
            quality: cell[3].min(1.0),
        }
    }
}

impl FingerTemplate {
    /// A template from minutiae found by any extractor.
    pub fn new(width: u32, height: u32, minutiae: Vec<Minutia>, extractor: String) -> Self {
        Self { width, height, minutiae, extractor, descriptors: OnceLock::new() }
    }

    /// What the matcher derives from the minutiae, made at the first comparison.
    pub(crate) fn descriptors(&self) -> &Descriptors {
        self.descriptors.get_or_init(|| matcher::describe(&self.minutiae))
    }
}

impl PartialEq for FingerTemplate {
    fn eq(&self, other: &Self) -> bool {
        (self.width, self.height, &self.minutiae, &self.extractor)
            == (other.width, other.height, &other.minutiae, &other.extractor)
    }
}

impl fmt::Debug for GreyImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GreyImage({}x{} {} ppi, …)", self.width, self.height, self.ppi)
    }
}

impl fmt::Debug for FingerTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FingerTemplate({} minutiae, …)", self.minutiae.len())
    }
}

/// The extractor's name in the manifest.
pub const LEADER: &str = "finger-leader";
/// How much surer the extractor must be of the other polarity before it is believed against
/// what is likelier. Set by hand.
const SURER: f32 = 1.1;
/// The extractor halves its picture five times.
const SIZE_MULTIPLE: usize = 32;
/// The extractor's published operating point.
const QUALITY_MIN: f32 = 0.55;
/// More than any finger has; ISO/IEC 19794-2 can count to 255.
const MINUTIAE_MAX: usize = 150;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::default_dir;

    #[test]
    fn a_picture_knows_its_size_and_does_not_print() {
        assert!(GreyImage::new(4, 4, 500, vec![0; 15]).is_none());
        let picture = GreyImage::new(4, 4, 500, vec![7; 16]).unwrap();
        assert_eq!(format!("{picture:?}"), "GreyImage(4x4 500 ppi, …)");
    }

    #[test]
    fn a_larger_picture_is_cut_and_a_smaller_one_padded() {
        let picture = GreyImage::new(2, 2, 500, vec![9, 1, 2, 3]).unwrap();
        let (canvas, left, top) = picture.centred_on((4, 4));
        assert_eq!((left, top), (1, 1));
        assert_eq!(canvas[..8], [9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 1.0, 9.0]);
        let wide = GreyImage::new(4, 1, 500, vec![1, 2, 3, 4]).unwrap();
        let (canvas, left, _) = wide.centred_on((2, 1));
        assert_eq!((canvas, left), (vec![2.0, 3.0], -1));
    }

    #[test]
    fn a_picture_of_1000_ppi_comes_to_half_its_size() {
        let picture = GreyImage::new(6, 4, 1000, vec![50; 24]).unwrap().at_500_ppi();
        assert_eq!((picture.width, picture.height, picture.ppi), (3, 2, 500));
        assert_eq!(picture.pixels, vec![50; 6]);
    }

    #[test]
    fn the_extractor_finds_what_the_reference_runtime_finds() {
        let manifest = Manifest::built_in().unwrap();
        let engine = match FingerEngine::load(&default_dir(), &manifest, 256, 288) {
            Err(ModelError::Missing { id, .. }) => {
                eprintln!("skipped: {id} is not there, run `models fetch`");
                return;
            }
            loaded => loaded.unwrap(),
        };
        let golden: Golden =
            serde_json::from_str(include_str!("../tests/golden/finger.json")).unwrap();
        let picture = planted_ridges(golden.width, golden.height);
        let Extractor::Ours { network, canvas } = &engine.extractor else {
            panic!("the built-in manifest has no engine of a vendor")
        };
        let (input, ..) = picture.centred_on(*canvas);
        let output = network.run(&input).unwrap().swap_remove(0);
        for (value, expected) in output.iter().step_by(golden.step).zip(&golden.values) {
            assert!((value - expected).abs() < 2e-3, "{value} and not {expected}");
        }
        let found = engine.extract(&picture).unwrap().minutiae;
        assert_eq!(found.len(), golden.minutiae.len());
        for [x, y, angle, _, quality] in golden.minutiae {
            let same = |m: &&Minutia| m.x == x && m.y == y;
            let minutia = found.iter().find(same).expect("the same places");
            assert!((minutia.angle - angle.rem_euclid(std::f32::consts::TAU)).abs() < 1e-2);
            assert!((minutia.quality - quality).abs() < 1e-2);
        }
    }

    /// What onnxruntime 1.31.1 answered to the planted ridges: every `step`-th value,
    /// and each minutia as x, y, angle, type, quality.
    #[derive(serde::Deserialize)]
    struct Golden {
        width: u32,
        height: u32,
        step: usize,
        values: Vec<f32>,
        minutiae: Vec<[f32; 5]>,
    }

    /// Rings with two planted minutiae.
    fn planted_ridges(width: u32, height: u32) -> GreyImage {
        let grey = |x: f64, y: f64| {
            let rings = (x - 120.5).hypot(y - 150.5) * std::f64::consts::TAU / 9.0;
            let first = (y - 90.5).atan2(x - 70.5);
            let second = (y - 200.5).atan2(x - 170.5);
            (127.5 + 100.0 * (rings + first - second).cos()).floor() as u8
        };
        let rows = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixels = rows.map(|(x, y)| grey(f64::from(x), f64::from(y))).collect();
        GreyImage::new(width, height, 500, pixels).unwrap()
    }
}
