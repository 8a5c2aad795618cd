//! Finding faces: the whole frame first, then with a wider border (a face that
//! fills the picture), then part by part (a small face in a large photograph), or turned
//! by quarters (a person who lies down, a card that is held upside down).

use std::borrow::Cow;

use image::{RgbImage, imageops};

use super::BBox;
use crate::{
    ModelError,
    network::Network,
    pixels::{self, Region},
};

/// A face found in an upright picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detection {
    pub(super) bbox: BBox,
    pub(super) score: f32,
}

/// All faces of a frame in one orientation, largest first.
pub(super) struct Found {
    pub(super) detections: Vec<Detection>,
}

/// By how many quarters, clockwise, a frame is turned to stand upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    None,
    Quarter,
    Half,
    ThreeQuarters,
}

/// Looks in one orientation; with a wider border only upright, where a face may fill
/// the picture.
pub(super) fn find(network: &Network, frame: &RgbImage, turn: Turn) -> Result<Found, ModelError> {
    let upright = turn.upright(frame);
    let n_borders = if turn == Turn::None { BORDERS.len() } else { 1 };
    let mut detections = Vec::new();
    for border in &BORDERS[..n_borders] {
        if detections.is_empty() {
            detections = look(network, &upright, *border)?;
        }
    }
    if turn == Turn::None && detections.is_empty() {
        detections = look_at_parts(network, &upright)?;
    }
    Ok(Found { detections })
}

impl Found {
    pub(super) fn main(&self) -> Option<Detection> {
        self.detections.first().copied()
    }

    /// Somebody else stands close; faces far behind do not count.
    pub(super) fn has_second_person(&self) -> bool {
        let area = |d: &Detection| d.bbox.width * d.bbox.height;
        match self.detections.as_slice() {
            [main, second, ..] => area(second) > SECOND_PERSON_AREA * area(main),
            _ => false,
        }
    }
}

fn look(network: &Network, frame: &RgbImage, border: f32) -> Result<Vec<Detection>, ModelError> {
    let canvas = letterbox(frame, aspect(network), border);
    Ok(apart(look_in(network, frame, canvas)?))
}

/// In a large photograph a face of a hundred pixels is too small for the network when it
/// sees the whole; a camera's frame is not that large and costs nothing here.
fn look_at_parts(network: &Network, frame: &RgbImage) -> Result<Vec<Detection>, ModelError> {
    if frame.width().max(frame.height()) < PARTED_FROM {
        return Ok(Vec::new());
    }
    for n in PARTS {
        let mut found = Vec::new();
        for part in parts(frame, aspect(network), n) {
            let seen = look_in(network, frame, part)?;
            found.extend(seen.into_iter().filter(|detection| detection.score > PART_SCORE_MIN));
        }
        if !found.is_empty() {
            return Ok(apart(found));
        }
    }
    Ok(Vec::new())
}

/// Parts of the network's shape, an `n`-th of the frame wide; each overlaps its neighbours
/// by a quarter at least, so that a face is whole in one of them.
fn parts(frame: &RgbImage, aspect: f32, n: u32) -> Vec<Region> {
    let (w, h) = (frame.width() as f32, frame.height() as f32);
    let width = w.max(h * aspect) / n as f32;
    let height = width / aspect;
    let starts = |length: f32, part: f32| -> Vec<f32> {
        let n_steps = ((length - part) / (0.75 * part)).ceil().max(0.0);
        let step = (length - part) / n_steps.max(1.0);
        (0..=n_steps as u32).map(|i| (i as f32 * step).floor()).collect()
    };
    let (columns, rows) = (starts(w, width), starts(h, height));
    let part = |x, y| Region { x, y, width, height };
    rows.iter().flat_map(|y| columns.iter().map(move |x| part(*x, *y))).collect()
}

fn look_in(
    network: &Network,
    frame: &RgbImage,
    canvas: Region,
) -> Result<Vec<Detection>, ModelError> {
    let picture = pixels::resample(frame, canvas, network.picture_size());
    let outputs = network.run(&pixels::pack(&picture, network.pixels()))?;
    Ok(decode(&outputs[0], &outputs[1], canvas))
}

fn aspect(network: &Network) -> f32 {
    let (width, height) = network.picture_size();
    width as f32 / height as f32
}

/// Each face once, the largest first.
fn apart(mut detections: Vec<Detection>) -> Vec<Detection> {
    detections.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept = suppress(detections);
    let area = |d: &Detection| d.bbox.width * d.bbox.height;
    kept.sort_by(|a, b| area(b).total_cmp(&area(a)));
    kept
}

fn letterbox(frame: &RgbImage, aspect: f32, border: f32) -> Region {
    let (w, h) = (frame.width() as f32, frame.height() as f32);
    let width = w.max(h * aspect) * border;
    let height = width / aspect;
    let centre = |outer: f32, inner: f32| ((inner - outer) / 2.0).floor();
    Region { x: centre(width, w), y: centre(height, h), width, height }
}

fn decode(scores: &[f32], boxes: &[f32], canvas: Region) -> Vec<Detection> {
    let place = |b: &[f32]| BBox {
        x: canvas.x + b[0] * canvas.width,
        y: canvas.y + b[1] * canvas.height,
        width: (b[2] - b[0]) * canvas.width,
        height: (b[3] - b[1]) * canvas.height,
    };
    let pairs = scores.chunks_exact(2).zip(boxes.chunks_exact(4));
    pairs
        .filter(|(score, _)| score[1] > SCORE_MIN)
        .map(|(score, bbox)| Detection { bbox: place(bbox), score: score[1] })
        .filter(|d| d.bbox.width >= 2.0 && d.bbox.height >= 2.0)
        .collect()
}

fn suppress(sorted: Vec<Detection>) -> Vec<Detection> {
    let mut kept: Vec<Detection> = Vec::new();
    for candidate in sorted {
        if kept.iter().all(|k| overlap(k.bbox, candidate.bbox) < OVERLAP_MAX) {
            kept.push(candidate);
        }
    }
    kept
}

fn overlap(a: BBox, b: BBox) -> f32 {
    let width = (a.x + a.width).min(b.x + b.width) - a.x.max(b.x);
    let height = (a.y + a.height).min(b.y + b.height) - a.y.max(b.y);
    let both = width.max(0.0) * height.max(0.0);
    both / (a.width * a.height + b.width * b.height - both)
}

impl Turn {
    /// The frame turned so that the face stands upright.
    pub(super) fn upright<'f>(self, frame: &'f RgbImage) -> Cow<'f, RgbImage> {
        match self {
            Self::None => Cow::Borrowed(frame),
            Self::Quarter => Cow::Owned(imageops::rotate90(frame)),
            Self::Half => Cow::Owned(imageops::rotate180(frame)),
            Self::ThreeQuarters => Cow::Owned(imageops::rotate270(frame)),
        }
    }

    /// A point of the upright picture in the frame.
    pub(super) fn point_to_frame(self, (x, y): (f32, f32), frame: &RgbImage) -> (f32, f32) {
        let (w, h) = (frame.width() as f32 - 1.0, frame.height() as f32 - 1.0);
        match self {
            Self::None => (x, y),
            Self::Quarter => (y, h - x),
            Self::Half => (w - x, h - y),
            Self::ThreeQuarters => (w - y, x),
        }
    }

    /// A point of the frame in the upright picture.
    fn point_to_upright(self, (x, y): (f32, f32), frame: &RgbImage) -> (f32, f32) {
        let (w, h) = (frame.width() as f32 - 1.0, frame.height() as f32 - 1.0);
        match self {
            Self::None => (x, y),
            Self::Quarter => (h - y, x),
            Self::Half => (w - x, h - y),
            Self::ThreeQuarters => (y, w - x),
        }
    }

    pub(super) fn bbox_to_frame(self, bbox: BBox, frame: &RgbImage) -> BBox {
        corners(bbox, |p| self.point_to_frame(p, frame))
    }

    pub(super) fn bbox_to_upright(self, bbox: BBox, frame: &RgbImage) -> BBox {
        corners(bbox, |p| self.point_to_upright(p, frame))
    }
}

fn corners(bbox: BBox, map: impl Fn((f32, f32)) -> (f32, f32)) -> BBox {
    let a = map((bbox.x, bbox.y));
    let b = map((bbox.x + bbox.width, bbox.y + bbox.height));
    BBox { x: a.0.min(b.0), y: a.1.min(b.1), width: (a.0 - b.0).abs(), height: (a.1 - b.1).abs() }
}

/// The detector's published operating point.
const SCORE_MIN: f32 = 0.65;
/// Two boxes that overlap more than this are one face.
const OVERLAP_MAX: f32 = 0.4;
/// How much border a look adds round the frame, as a factor of its size.
const BORDERS: [f32; 2] = [1.0, 1.6];
/// A second face of at least this share of the first one's area is a second person.
const SECOND_PERSON_AREA: f32 = 0.3;
/// Longer side of a frame that is also looked at in parts, in pixels.
const PARTED_FROM: u32 = 1400;
/// Parts along the longer side, one try after the other.
const PARTS: [u32; 2] = [2, 4];
/// More looks, more chances to see a face in a pattern.
const PART_SCORE_MIN: f32 = 0.8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_goes_to_the_upright_picture_and_back() {
        let mut frame = RgbImage::new(7, 4);
        frame.put_pixel(5, 1, image::Rgb([255, 0, 0]));
        for turn in [Turn::None, Turn::Quarter, Turn::Half, Turn::ThreeQuarters] {
            let upright = turn.upright(&frame);
            let (x, y) = turn.point_to_upright((5.0, 1.0), &frame);
            assert_eq!(upright.get_pixel(x as u32, y as u32).0[0], 255, "{turn:?}");
            assert_eq!(turn.point_to_frame((x, y), &frame), (5.0, 1.0), "{turn:?}");
        }
    }

    #[test]
    fn every_face_is_whole_in_one_of_the_parts() {
        for (width, height) in [(2048, 1536), (1400, 1400), (800, 2000), (2000, 300)] {
            let frame = RgbImage::new(width, height);
            for n in PARTS {
                let parts = parts(&frame, 4.0 / 3.0, n);
                assert!(parts.len() <= 60, "{}", parts.len());
                // A face as wide as a tenth of a part, anywhere.
                let side = parts[0].width / 10.0;
                for (x, y) in (0..40).flat_map(|i| (0..40).map(move |j| (i as f32, j as f32))) {
                    let x = x / 39.0 * (width as f32 - side);
                    let y = y / 39.0 * (height as f32 - side);
                    let holds = |p: &Region| {
                        let inside = |at, from, length| at >= from && at + side <= from + length;
                        inside(x, p.x, p.width + 1.0) && inside(y, p.y, p.height + 1.0)
                    };
                    assert!(parts.iter().any(holds), "{x} {y} of {width} x {height} in {n}");
                }
            }
        }
    }

    #[test]
    fn of_two_boxes_on_one_face_the_better_stays() {
        let bbox = |x| BBox { x, y: 0.0, width: 10.0, height: 10.0 };
        let found = |x, score| Detection { bbox: bbox(x), score };
        let kept = suppress(vec![found(0.0, 0.9), found(1.0, 0.8), found(30.0, 0.7)]);
        assert_eq!(kept.iter().map(|d| d.score).collect::<Vec<_>>(), [0.9, 0.7]);
    }
}
