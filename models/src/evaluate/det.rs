//! The DET curve as a picture: both error rates on axes of normal deviates, as ISO/IEC 19795
//! draws them, with their names, the line of equal errors and the place where they meet.

use std::path::Path;

use image::{Rgb, RgbImage};

use super::Rates;
use crate::ModelError;

/// Draws the curve and its axes into a PNG.
pub(super) fn draw(path: &Path, rates: &Rates, names: &Names) -> Result<(), ModelError> {
    let sheet = sheet(rates, names);
    sheet.save(path).map_err(|e| ModelError::io(path)(std::io::Error::other(e)))
}

/// What the two errors and the two kinds of sample are called, in the letters that there are.
pub(super) struct Names {
    across: &'static str,
    upwards: &'static str,
    genuine: &'static str,
    impostor: &'static str,
}

pub(super) const COMPARISON: Names =
    Names { across: "FMR", upwards: "FNMR", genuine: "GENUINE", impostor: "IMPOSTOR" };
pub(super) const PRESENTATION: Names =
    Names { across: "APCER", upwards: "BPCER", genuine: "LIVE", impostor: "ATTACK" };

fn sheet(rates: &Rates, names: &Names) -> RgbImage {
    let Names { across, upwards, genuine, impostor } = names;
    let mut sheet = RgbImage::from_pixel(SIDE, SIDE, WHITE);
    axes(&mut sheet);
    let (n_genuine, n_impostor) = (rates.n_genuine(), rates.n_impostor());
    let eer = rates.eer().map_or("-".to_owned(), |eer| format!("{:.2}%", 100.0 * eer));
    let head = format!("EER {eer}   {genuine} {n_genuine}   {impostor} {n_impostor}");
    write(&mut sheet, centred(&head), 24, &head, INK);
    let title = |name: &str| format!("{name} (%)");
    write(&mut sheet, centred(&title(across)), SIDE - 36, &title(across), INK);
    write_upwards(&mut sheet, 14, centred(&title(upwards)), &title(upwards));
    // Rates of one kind alone have no curve.
    let Some(eer) = rates.eer() else { return sheet };
    let points: Vec<_> = rates.curve().into_iter().map(place).collect();
    for pair in points.windows(2) {
        // A step: the rates change one at a time.
        let corner = (pair[1].0, pair[0].1);
        thick_line(&mut sheet, pair[0], corner);
        thick_line(&mut sheet, corner, pair[1]);
    }
    let (x, y) = place((eer, eer));
    for (dx, dy) in (0..9).flat_map(|dx| (0..9).map(move |dy| (dx, dy))) {
        let is_rim = dx == 0 || dy == 0 || dx == 8 || dy == 8;
        sheet.put_pixel(x + dx - 4, y + dy - 4, if is_rim { INK } else { WHITE });
    }
    sheet
}

fn axes(sheet: &mut RgbImage) {
    for (rate, label) in TICKS {
        let (x, y) = place((rate, rate));
        line(sheet, (x, MARGIN), (x, SIDE - MARGIN), GRID);
        line(sheet, (MARGIN, y), (SIDE - MARGIN, y), GRID);
        write(sheet, x - width(label) / 2, SIDE - MARGIN + 12, label, INK);
        write(sheet, MARGIN - 10 - width(label), y - HEIGHT / 2, label, INK);
    }
    line(sheet, (MARGIN, SIDE - MARGIN), (SIDE - MARGIN, MARGIN), GRID);
    let (low, high) = (MARGIN, SIDE - MARGIN);
    for (from, to) in [((low, high), (high, high)), ((low, low), (low, high))] {
        line(sheet, from, to, INK);
    }
}

/// False matches to the right, false non-matches upwards; what lies outside is at the rim.
fn place((fmr, fnmr): (f64, f64)) -> (u32, u32) {
    let span = f64::from(SIDE - 2 * MARGIN);
    let (low, high) = (deviate(RATE_MIN), deviate(RATE_MAX));
    let part = |rate: f64| (deviate(rate.clamp(RATE_MIN, RATE_MAX)) - low) / (high - low);
    let x = f64::from(MARGIN) + part(fmr) * span;
    let y = f64::from(SIDE - MARGIN) - part(fnmr) * span;
    (x.round() as u32, y.round() as u32)
}

/// The normal deviate of a share (the inverse of the normal distribution), by halving.
fn deviate(share: f64) -> f64 {
    let (mut low, mut high) = (-6.0f64, 6.0f64);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        match share_below(middle) < share {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

/// The normal distribution, by the series of its error function.
fn share_below(deviate: f64) -> f64 {
    let (mut term, mut sum, square) = (deviate, deviate, deviate * deviate);
    for n in 1..120 {
        term *= square / f64::from(2 * n + 1);
        sum += term;
    }
    0.5 + sum * (-square / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

fn line(sheet: &mut RgbImage, from: (u32, u32), to: (u32, u32), colour: Rgb<u8>) {
    let (dx, dy) = (i64::from(to.0) - i64::from(from.0), i64::from(to.1) - i64::from(from.1));
    let n = dx.abs().max(dy.abs()).max(1);
    for step in 0..=n {
        let x = i64::from(from.0) + dx * step / n;
        let y = i64::from(from.1) + dy * step / n;
        sheet.put_pixel(x as u32, y as u32, colour);
    }
}

fn thick_line(sheet: &mut RgbImage, from: (u32, u32), to: (u32, u32)) {
    for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        line(sheet, (from.0 + dx, from.1 + dy), (to.0 + dx, to.1 + dy), CURVE);
    }
}

fn write(sheet: &mut RgbImage, left: u32, top: u32, text: &str, colour: Rgb<u8>) {
    for (x, y) in dots(text) {
        sheet.put_pixel(left + x, top + y, colour);
    }
}

/// The text turned to the left, read from below.
fn write_upwards(sheet: &mut RgbImage, left: u32, top: u32, text: &str) {
    let width = width(text);
    for (x, y) in dots(text) {
        sheet.put_pixel(left + y, top + width - x, INK);
    }
}

/// The inked dots of a text from its upper left corner, each dot of a glyph doubled.
fn dots(text: &str) -> impl Iterator<Item = (u32, u32)> {
    text.chars().enumerate().flat_map(|(index, character)| {
        let rows = glyph(character);
        let left = ADVANCE * index as u32;
        (0..2 * 5).flat_map(move |x: u32| {
            let inked = move |y: &u32| rows[(*y / 2) as usize] & (16 >> (x / 2)) != 0;
            (0..HEIGHT).filter(inked).map(move |y| (left + x, y))
        })
    })
}

fn width(text: &str) -> u32 {
    ADVANCE * text.chars().count() as u32 - 2
}

fn centred(text: &str) -> u32 {
    (SIDE - width(text)) / 2
}

/// Seven rows of five dots.
#[rustfmt::skip]
fn glyph(character: char) -> [u8; 7] {
    match character {
        '0' => [14, 17, 19, 21, 25, 17, 14],
        '1' => [4, 12, 4, 4, 4, 4, 14],
        '2' => [14, 17, 1, 2, 4, 8, 31],
        '3' => [31, 2, 4, 2, 1, 17, 14],
        '4' => [2, 6, 10, 18, 31, 2, 2],
        '5' => [31, 16, 30, 1, 1, 17, 14],
        '6' => [6, 8, 16, 30, 17, 17, 14],
        '7' => [31, 1, 2, 4, 8, 8, 8],
        '8' => [14, 17, 17, 14, 17, 17, 14],
        '9' => [14, 17, 17, 15, 1, 2, 12],
        'A' => [14, 17, 17, 31, 17, 17, 17],
        'B' => [30, 17, 17, 30, 17, 17, 30],
        'C' => [14, 17, 16, 16, 16, 17, 14],
        'E' => [31, 16, 16, 30, 16, 16, 31],
        'F' => [31, 16, 16, 30, 16, 16, 16],
        'G' => [14, 17, 16, 23, 17, 17, 15],
        'I' => [14, 4, 4, 4, 4, 4, 14],
        'K' => [17, 18, 20, 24, 20, 18, 17],
        'L' => [16, 16, 16, 16, 16, 16, 31],
        'M' => [17, 27, 21, 21, 17, 17, 17],
        'N' => [17, 17, 25, 21, 19, 17, 17],
        'O' => [14, 17, 17, 17, 17, 17, 14],
        'P' => [30, 17, 17, 30, 16, 16, 16],
        'R' => [30, 17, 17, 30, 20, 18, 17],
        'S' => [15, 16, 16, 14, 1, 1, 30],
        'T' => [31, 4, 4, 4, 4, 4, 4],
        'U' => [17, 17, 17, 17, 17, 17, 14],
        'V' => [17, 17, 17, 17, 17, 10, 4],
        '.' => [0, 0, 0, 0, 0, 12, 12],
        '%' => [24, 25, 2, 4, 8, 19, 3],
        '(' => [2, 4, 8, 8, 8, 4, 2],
        ')' => [8, 4, 2, 2, 2, 4, 8],
        '-' => [0, 0, 0, 31, 0, 0, 0],
        _ => [0; 7],
    }
}

/// Rates in percent; the axes go from the first to a little above the last.
const TICKS: [(f64, &str); 9] = [
    (0.0001, "0.01"),
    (0.001, "0.1"),
    (0.005, "0.5"),
    (0.01, "1"),
    (0.02, "2"),
    (0.05, "5"),
    (0.1, "10"),
    (0.2, "20"),
    (0.4, "40"),
];
const RATE_MIN: f64 = 1e-4;
const RATE_MAX: f64 = 0.6;
const SIDE: u32 = 720;
const MARGIN: u32 = 90;
const HEIGHT: u32 = 14;
const ADVANCE: u32 = 12;
const WHITE: Rgb<u8> = Rgb([255, 255, 255]);
const GRID: Rgb<u8> = Rgb([205, 205, 205]);
const INK: Rgb<u8> = Rgb([40, 40, 40]);
const CURVE: Rgb<u8> = Rgb([170, 30, 30]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::rates::Scores;

    #[test]
    fn deviates_are_as_in_the_books() {
        for (share, expected) in
            [(0.5, 0.0), (0.975, 1.959_964), (0.0001, -3.719_016), (0.6, 0.253_347)]
        {
            assert!((deviate(share) - expected).abs() < 1e-5, "{share}: {}", deviate(share));
        }
    }

    #[test]
    fn every_label_has_its_glyphs_and_axes_are_named() {
        let labels = [
            "FMR", "FNMR", "APCER", "BPCER", "EER", "GENUINE", "IMPOSTOR", "LIVE", "ATTACK",
            "(%)-.",
        ];
        let told = labels.into_iter().chain(TICKS.map(|(_, label)| label)).collect::<String>();
        let missing: Vec<char> = told.chars().filter(|c| glyph(*c) == [0; 7]).collect();
        assert!(missing.is_empty(), "{missing:?}");
        let mut scores = Scores::default();
        for n in 0..50 {
            scores.add(n as f32, true, (n, n));
            scores.add(n as f32 - 30.0, false, (n, n + 1));
        }
        let rates = Rates::of(&scores);
        assert_ne!(sheet(&rates, &COMPARISON), sheet(&rates, &PRESENTATION));
        let n_red = sheet(&rates, &COMPARISON).pixels().filter(|pixel| **pixel == CURVE).count();
        assert!(n_red > 500, "{n_red} pixels of the curve");
    }

    #[test]
    fn rates_of_one_kind_alone_have_no_curve() {
        let mut scores = Scores::default();
        scores.add(0.5, true, (0, 0));
        for scores in [Scores::default(), scores] {
            let sheet = sheet(&Rates::of(&scores), &COMPARISON);
            assert!(sheet.pixels().all(|pixel| *pixel != CURVE));
        }
    }
}
