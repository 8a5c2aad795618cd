//! What the networks are fed, as raw little-endian floats for the reference: `NAME.rule.f32` holds the numbers that
//! `models bench` uses, `NAME.person.f32` the simulated person cut and scaled as each network wants it.

use std::error::Error;
use std::fs;
use std::path::Path;

use image::{RgbImage, imageops};
use models::Manifest;
use models::manifest::{ChannelOrder, Model, Pixels};
use serde_json::json;

use crate::biometry::Biometry;

/// Writes both inputs of every network, and `index.json` with files and shapes.
pub(crate) fn write(
    dir: &Path,
    manifest: &Manifest,
    biometry: &Biometry,
) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(dir)?;
    let mut index = Vec::new();
    for model in manifest.models() {
        let n_values: usize = model.shape.iter().product();
        let rule: Vec<f32> = (0..u32::try_from(n_values)?).map(noise).collect();
        let person = person(model, biometry)?;
        if person.len() != n_values {
            return Err(format!("the input of {} has another size", model.id).into());
        }
        fs::write(dir.join(format!("{}.rule.f32", model.id)), bytes(&rule))?;
        fs::write(dir.join(format!("{}.person.f32", model.id)), bytes(&person))?;
        index.push(json!({"name": model.id, "file": model.file, "shape": model.shape}));
    }
    fs::write(dir.join("index.json"), serde_json::to_vec(&index)?)?;
    Ok(())
}

fn person(model: &Model, biometry: &Biometry) -> Result<Vec<f32>, Box<dyn Error>> {
    if model.id == models::finger::LEADER {
        return Ok(biometry.print.pixels.iter().map(|grey| f32::from(*grey)).collect());
    }
    let face = &biometry.face;
    let (x, y) = (face.bbox.x + face.bbox.width / 2.0, face.bbox.y + face.bbox.height / 2.0);
    let size = face.bbox.width.max(face.bbox.height);
    let square = match model.id.as_str() {
        "face-detect" | "ocr-detect" | "ocr-read" => None,
        "face-landmark" | "face-embed" => Some((x, y, size)),
        "face-pose" => Some((x, y, size * 1.5)),
        "face-pad" => Some((x, y, size * 2.7)),
        "face-eye" => {
            let (left, right) = (face.landmarks[36], face.landmarks[39]);
            let width = (right.0 - left.0).hypot(right.1 - left.1);
            Some(((left.0 + right.0) / 2.0, (left.1 + right.1) / 2.0, width * 1.6))
        }
        other => return Err(format!("no input is known for {other}").into()),
    };
    let cut = square.map_or_else(|| biometry.frame.clone(), |s| cut(&biometry.frame, s));
    let (width, height) = (u32::try_from(model.shape[3])?, u32::try_from(model.shape[2])?);
    let scaled = imageops::resize(&cut, width, height, imageops::FilterType::Triangle);
    Ok(pack(&scaled, &model.pixels))
}

/// A square about a point, as far as the frame goes.
fn cut(frame: &RgbImage, (x, y, size): (f32, f32, f32)) -> RgbImage {
    let left = (x - size / 2.0).max(0.0) as u32;
    let top = (y - size / 2.0).max(0.0) as u32;
    let width = (size as u32).clamp(1, frame.width() - left);
    let height = (size as u32).clamp(1, frame.height() - top);
    imageops::crop_imm(frame, left, top, width, height).to_image()
}

/// Channel after channel, as the manifest says.
fn pack(picture: &RgbImage, pixels: &Pixels) -> Vec<f32> {
    let plane = |index: usize, of: fn(&image::Rgb<u8>) -> f32| {
        let (subtract, divide) = (pixels.subtract[index], pixels.divide[index]);
        picture.pixels().map(move |pixel| (of(pixel) - subtract) / divide)
    };
    let red = |pixel: &image::Rgb<u8>| f32::from(pixel.0[0]);
    let green = |pixel: &image::Rgb<u8>| f32::from(pixel.0[1]);
    let blue = |pixel: &image::Rgb<u8>| f32::from(pixel.0[2]);
    match pixels.order {
        ChannelOrder::Grey => plane(0, green).collect(),
        ChannelOrder::Rgb => plane(0, red).chain(plane(1, green)).chain(plane(2, blue)).collect(),
        ChannelOrder::Bgr => plane(0, blue).chain(plane(1, green)).chain(plane(2, red)).collect(),
    }
}

/// The rule of `models bench`: a number in 0..1 that looks like chance.
fn noise(index: u32) -> f32 {
    let mixed = (index ^ (index >> 15)).wrapping_mul(0x2c1b_3c6d);
    (mixed.wrapping_mul(0x297a_2d39) >> 8) as f32 / 16_777_216.0
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
