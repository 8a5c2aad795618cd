//! Reading printed text: where its lines are in a picture, and what they say.
//! Two networks of PP-OCR; lines are expected to run level, as on a card that was
//! squared up. What the text means is for others.

use std::{fmt, path::Path};

use image::RgbImage;
use tract_onnx::prelude::Framework;

use crate::{
    Manifest, ModelError, ModelId,
    network::Network,
    pixels::{self, Region},
};

/// The networks that find and read lines of text, loaded once.
pub(crate) struct TextReader {
    detect: Network,
    /// The same weights for short and long lines, shortest first.
    read: Vec<Network>,
    characters: Vec<String>,
}

/// One line of text with its place in the picture.
#[derive(Clone, PartialEq)]
pub(crate) struct TextLine {
    pub(crate) text: String,
    /// Mean of the network's certainty over the characters, 0..1.
    pub(crate) certainty: f32,
    pub(crate) place: Region,
}

impl TextReader {
    /// Loads and verifies the manifest's `ocr-…` models.
    pub(crate) fn load(dir: &Path, manifest: &Manifest) -> Result<Self, ModelError> {
        let model = manifest.model("ocr-read")?;
        let read = |width| Network::load_shaped(dir, model, &[1, 3, LINE_HEIGHT, width]);
        Ok(Self {
            detect: Network::load(dir, manifest, "ocr-detect")?,
            read: LINE_WIDTHS.into_iter().map(read).collect::<Result<_, _>>()?,
            characters: characters(&model.id, &model.read_bytes(dir)?)?,
        })
    }

    /// Runs each network once.
    pub(crate) fn warm_up(&self) -> Result<(), ModelError> {
        self.read.iter().chain([&self.detect]).try_for_each(|network| network.time(1).map(drop))
    }

    /// The weights that read.
    pub(crate) fn model_id(&self) -> &ModelId {
        self.read[0].id()
    }

    /// Every line of the picture, from top to bottom and left to right.
    pub(crate) fn lines(&self, picture: &RgbImage) -> Result<Vec<TextLine>, ModelError> {
        let places = self.find(picture)?;
        let mut lines = self.read_lines(picture, &places)?;
        lines.retain(|line| !line.text.is_empty() && line.certainty >= CERTAINTY_MIN);
        Ok(lines)
    }

    fn find(&self, picture: &RgbImage) -> Result<Vec<Region>, ModelError> {
        let (width, height) = self.detect.picture_size();
        let size = (picture.width() as f32, picture.height() as f32);
        let scale = (size.0 / width as f32).max(size.1 / height as f32);
        let canvas =
            Region { x: 0.0, y: 0.0, width: scale * width as f32, height: scale * height as f32 };
        let scaled = pixels::resample(picture, canvas, (width, height));
        let map = self.detect.run(&pixels::pack(&scaled, self.detect.pixels()))?.swap_remove(0);
        let mut places: Vec<Region> =
            blobs(&map, width).into_iter().filter_map(|blob| blob.line(scale)).collect();
        places.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x.total_cmp(&b.x)));
        Ok(places)
    }

    /// On all cores but no more than four: each keeps scratch memory of its own.
    fn read_lines(
        &self,
        picture: &RgbImage,
        places: &[Region],
    ) -> Result<Vec<TextLine>, ModelError> {
        let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let share = places.len().div_ceil(n_cores.min(THREADS_MAX)).max(1);
        std::thread::scope(|scope| {
            let read = |places: &[Region]| -> Result<Vec<TextLine>, ModelError> {
                places.iter().map(|place| self.read_line(picture, *place)).collect()
            };
            let hands: Vec<_> =
                places.chunks(share).map(|part| scope.spawn(move || read(part))).collect();
            let mut lines = Vec::with_capacity(places.len());
            for hand in hands {
                lines.extend(hand.join().expect("reading a line does not panic")?);
            }
            Ok(lines)
        })
    }

    fn read_line(&self, picture: &RgbImage, place: Region) -> Result<TextLine, ModelError> {
        let wanted = (LINE_HEIGHT as f32 * place.width / place.height).ceil() as usize;
        let fits = |network: &&Network| network.picture_size().0 >= wanted;
        let network = self.read.iter().find(fits).or(self.read.last()).expect("two were loaded");
        let (width, _) = network.picture_size();
        let used = wanted.clamp(1, width);
        let strip = pixels::resample(picture, place, (used, LINE_HEIGHT));
        let packed = pixels::pack(&strip, network.pixels());
        let mut input = vec![0.0; 3 * LINE_HEIGHT * width];
        for (row, values) in input.chunks_exact_mut(width).zip(packed.chunks_exact(used)) {
            row[..used].copy_from_slice(values);
        }
        let steps = network.run(&input)?.swap_remove(0);
        let (text, certainty) = self.decode(&steps);
        Ok(TextLine { text, certainty, place })
    }

    /// The likeliest class of each step; repeats and blanks fall away (CTC).
    fn decode(&self, steps: &[f32]) -> (String, f32) {
        let (mut text, mut last, mut sum, mut n) = (String::new(), BLANK, 0.0, 0.0f32);
        for classes in steps.chunks_exact(self.characters.len() + 1) {
            let top = classes.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            let (class, certainty) = top.expect("there is at least the blank");
            if class != BLANK && class != last {
                text.push_str(&self.characters[class - 1]);
                sum += certainty;
                n += 1.0;
            }
            last = class;
        }
        (text.trim().to_owned(), sum / n.max(1.0))
    }
}

impl fmt::Debug for TextLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TextLine(…)")
    }
}

/// The characters are in the file of the network itself; a space comes after them.
fn characters(id: &str, bytes: &[u8]) -> Result<Vec<String>, ModelError> {
    let fault = |reason: String| ModelError::Network { id: id.to_owned(), reason };
    let proto = tract_onnx::onnx()
        .proto_model_for_read(&mut std::io::Cursor::new(bytes))
        .map_err(|e| fault(format!("{e:#}")))?;
    let list = proto.metadata_props.iter().find(|entry| entry.key == "character");
    let list = list.ok_or_else(|| fault("it holds no list of characters".to_owned()))?;
    let mut characters: Vec<String> = list.value.split('\n').map(str::to_owned).collect();
    // The list ends with a line break in some exports.
    if characters.last().is_some_and(String::is_empty) {
        characters.pop();
    }
    characters.push(" ".to_owned());
    Ok(characters)
}

/// A connected part of the map that is likely text.
struct Blob {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
    sum: f32,
    n: f32,
}

impl Blob {
    /// The whole line round its core, in pixels of the picture.
    fn line(&self, scale: f32) -> Option<Region> {
        let width = (self.right - self.left + 1) as f32;
        let height = (self.bottom - self.top + 1) as f32;
        if self.sum / self.n < BLOB_MIN || width.min(height) < BLOB_SIDE_MIN {
            return None;
        }
        let around = width * height * UNCLIP / (2.0 * (width + height));
        Some(Region {
            x: (self.left as f32 - around) * scale,
            y: (self.top as f32 - around) * scale,
            width: (width + 2.0 * around) * scale,
            height: (height + 2.0 * around) * scale,
        })
    }
}

fn blobs(map: &[f32], width: usize) -> Vec<Blob> {
    let mut seen: Vec<bool> = map.iter().map(|p| *p < PIXEL_MIN).collect();
    let mut found = Vec::new();
    for start in 0..map.len() {
        if seen[start] {
            continue;
        }
        found.push(flood(map, width, start, &mut seen));
    }
    found
}

fn flood(map: &[f32], width: usize, start: usize, seen: &mut [bool]) -> Blob {
    let (x, y) = (start % width, start / width);
    let mut blob = Blob { left: x, top: y, right: x, bottom: y, sum: 0.0, n: 0.0 };
    let mut open = vec![start];
    seen[start] = true;
    while let Some(at) = open.pop() {
        let (x, y) = (at % width, at / width);
        (blob.left, blob.right) = (blob.left.min(x), blob.right.max(x));
        (blob.top, blob.bottom) = (blob.top.min(y), blob.bottom.max(y));
        blob.sum += map[at];
        blob.n += 1.0;
        let sides = [
            (x > 0).then(|| at - 1),
            (x + 1 < width).then_some(at + 1),
            at.checked_sub(width),
            (at + width < map.len()).then_some(at + width),
        ];
        for next in sides.into_iter().flatten() {
            if !seen[next] {
                seen[next] = true;
                open.push(next);
            }
        }
    }
    blob
}

const LINE_HEIGHT: usize = 48;
/// Short lines are most of a card; only the number and a long address need more.
const LINE_WIDTHS: [usize; 2] = [320, 640];
const THREADS_MAX: usize = 4;
const BLANK: usize = 0;
/// The published operating points of PP-OCR.
const PIXEL_MIN: f32 = 0.3;
const BLOB_MIN: f32 = 0.5;
const UNCLIP: f32 = 1.6;
const BLOB_SIDE_MIN: f32 = 3.0;
/// Below this a line is a pattern and not text.
const CERTAINTY_MIN: f32 = 0.5;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::manifest::default_dir;

    /// What onnxruntime 1.31.1 answered to a pattern made by rule: the largest values.
    #[derive(Deserialize)]
    struct Golden {
        model: String,
        shape: Vec<usize>,
        n: usize,
        at: Vec<usize>,
        values: Vec<f32>,
        sum: f64,
    }

    #[test]
    fn both_networks_answer_as_the_reference_runtime() {
        let manifest = Manifest::built_in().unwrap();
        let golden: Vec<Golden> =
            serde_json::from_str(include_str!("../tests/golden/ocr.json")).unwrap();
        for golden in golden {
            let model = manifest.model(&golden.model).unwrap();
            let network = match Network::load_shaped(&default_dir(), model, &golden.shape) {
                Err(ModelError::Missing { id, .. }) => {
                    eprintln!("skipped: {id} is not there, run `models fetch`");
                    continue;
                }
                loaded => loaded.unwrap(),
            };
            let output = network.run(&pattern(&golden.shape)).unwrap().swap_remove(0);
            assert_eq!(output.len(), golden.n, "{}", golden.model);
            for (at, expected) in golden.at.iter().zip(&golden.values) {
                let off = (output[*at] - expected).abs();
                assert!(off <= 1e-4, "{} at {at}: {off}", golden.model);
            }
            let sum: f64 = output.iter().map(|v| f64::from(*v)).sum();
            assert!((sum - golden.sum).abs() <= 1e-4 * golden.n as f64, "{}", golden.model);
        }
    }

    /// Strokes of whole numbers, which every language makes alike.
    fn pattern(shape: &[usize]) -> Vec<f32> {
        let (height, width) = (shape[2], shape[3]);
        let at = |index: usize| {
            let (c, y, x) = (index / (height * width), index / width % height, index % width);
            let line = (10..38).contains(&(y % 64)) && x % 352 >= 40 && x % 28 < 24;
            let stroke = line && (x / 4 + y / 5 * (x / 28 % 3 + 1)).is_multiple_of(3);
            let value = if stroke { 8 } else { 220 + (x * 7 + y * 13 + c * 5) % 23 };
            value as f32 / 127.5 - 1.0
        };
        (0..3 * height * width).map(at).collect()
    }

    #[test]
    fn neighbouring_pixels_are_one_line_and_doubtful_ones_none() {
        let mut map = vec![0.0; 20 * 12];
        for (x, y) in (2..12).flat_map(|x| (3..7).map(move |y| (x, y))) {
            map[y * 20 + x] = 0.9;
        }
        for (x, y) in (14..19).flat_map(|x| (3..7).map(move |y| (x, y))) {
            map[y * 20 + x] = 0.35;
        }
        let found = blobs(&map, 20);
        assert_eq!(found.len(), 2);
        let line = found[0].line(2.0).unwrap();
        assert!((line.x + line.width / 2.0 - 14.0).abs() < 1.5, "{line:?}");
        assert!(line.width > 20.0 && line.height > 8.0);
        assert!(found[1].line(2.0).is_none());
    }
}
