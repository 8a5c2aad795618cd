//! The DET curve as a picture: both error rates on logarithmic axes, 0.01 % to
//! 100 %, with the line of equal errors.

use std::path::Path;

use image::{Rgb, RgbImage};

use super::Rates;
use crate::ModelError;

/// Draws the curve and its axes into a PNG.
pub(super) fn draw(path: &Path, rates: &Rates) -> Result<(), ModelError> {
    let mut sheet = RgbImage::from_pixel(SIDE, SIDE, WHITE);
    for decade in 0..=DECADES {
        let at = MARGIN + decade * (SIDE - 2 * MARGIN) / DECADES;
        line(&mut sheet, (at, MARGIN), (at, SIDE - MARGIN), GRID);
        line(&mut sheet, (MARGIN, at), (SIDE - MARGIN, at), GRID);
        let label = LABELS[decade as usize];
        write(&mut sheet, at - 12, SIDE - MARGIN + 10, label);
        write(&mut sheet, 8, SIDE - at - 6, label);
    }
    line(&mut sheet, (MARGIN, SIDE - MARGIN), (SIDE - MARGIN, MARGIN), GRID);
    let points: Vec<_> = rates.curve().into_iter().map(place).collect();
    for pair in points.windows(2) {
        // A step: the rates change one at a time.
        let corner = (pair[1].0, pair[0].1);
        line(&mut sheet, pair[0], corner, CURVE);
        line(&mut sheet, corner, pair[1], CURVE);
    }
    sheet.save(path).map_err(|e| ModelError::io(path)(std::io::Error::other(e)))
}

/// False matches to the right, false non-matches upwards.
fn place((fmr, fnmr): (f64, f64)) -> (u32, u32) {
    let span = f64::from(SIDE - 2 * MARGIN);
    let part = |rate: f64| (rate.max(RATE_MIN).log10() / f64::from(DECADES) + 1.0).clamp(0.0, 1.0);
    let x = f64::from(MARGIN) + part(fmr) * span;
    let y = f64::from(SIDE - MARGIN) - part(fnmr) * span;
    (x as u32, y as u32)
}

fn line(sheet: &mut RgbImage, from: (u32, u32), to: (u32, u32), colour: Rgb<u8>) {
    let (dx, dy) = (i64::from(to.0) - i64::from(from.0), i64::from(to.1) - i64::from(from.1));
    let n = dx.abs().max(dy.abs()).max(1);
    for step in 0..=n {
        let x = i64::from(from.0) + dx * step / n;
        let y = i64::from(from.1) + dy * step / n;
        sheet.put_pixel(x as u32, y as u32, colour);
        if colour == CURVE {
            sheet.put_pixel(x as u32 + 1, y as u32, colour);
            sheet.put_pixel(x as u32, y as u32 + 1, colour);
        }
    }
}

/// Writes digits, dots and percent signs, three by five dots each, doubled.
fn write(sheet: &mut RgbImage, left: u32, top: u32, text: &str) {
    for (index, character) in text.chars().enumerate() {
        let rows = glyph(character);
        for (y, row) in rows.iter().enumerate() {
            for x in 0..3 {
                if row & (4 >> x) != 0 {
                    let (x, y) = (left + 8 * index as u32 + 2 * x, top + 2 * y as u32);
                    for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                        sheet.put_pixel(x + dx, y + dy, INK);
                    }
                }
            }
        }
    }
}

fn glyph(character: char) -> [u8; 5] {
    match character {
        '0' => [7, 5, 5, 5, 7],
        '1' => [2, 6, 2, 2, 7],
        '.' => [0, 0, 0, 0, 2],
        '%' => [5, 1, 2, 4, 5],
        _ => [0; 5],
    }
}

const SIDE: u32 = 640;
const MARGIN: u32 = 60;
const DECADES: u32 = 4;
const LABELS: [&str; 5] = ["0.01%", "0.1%", "1%", "10%", "100%"];
const RATE_MIN: f64 = 1e-4;
const WHITE: Rgb<u8> = Rgb([255, 255, 255]);
const GRID: Rgb<u8> = Rgb([205, 205, 205]);
const INK: Rgb<u8> = Rgb([40, 40, 40]);
const CURVE: Rgb<u8> = Rgb([170, 30, 30]);
