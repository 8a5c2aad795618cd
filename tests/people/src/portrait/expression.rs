//! Lids that close and a jaw that opens, by moving skin in the flat picture before the head is turned.

use super::canvas::{Canvas, HEIGHT, ORIGIN, SCALE, WIDTH};
use std::borrow::Cow;

/// The canvas with another expression; the same canvas where nothing moves.
pub(super) fn apply(canvas: &Canvas, eyes_open: f32, mouth_open: f32) -> Cow<'_, Canvas> {
    let (shut, open) = (1.0 - eyes_open.clamp(0.0, 1.0), mouth_open.clamp(0.0, 1.0));
    let mut changed = Cow::Borrowed(canvas);
    if shut > 0.01 {
        for eye in [36, 42] {
            close_eye(changed.to_mut(), canvas, eye, shut);
        }
    }
    if open > 0.01 {
        open_mouth(changed.to_mut(), canvas, open);
    }
    changed
}

/// Draws the skin between brow and lid down over the eye.
fn close_eye(changed: &mut Canvas, still: &Canvas, eye: usize, shut: f32) {
    let marks = &still.landmarks[eye..eye + 6];
    let (inner, outer) = (marks[0], marks[3]);
    let half = (outer[0] - inner[0]) / 2.0;
    let middle = (outer[0] + inner[0]) / 2.0;
    let corners =
        |x: f32| inner[1] + (outer[1] - inner[1]) * (x - inner[0]) / (outer[0] - inner[0]);
    let rise = (marks[1][1] + marks[2][1]) / 2.0 - corners(middle) - 0.015;
    let sink = (marks[4][1] + marks[5][1]) / 2.0 - corners(middle) + 0.02;
    let reach = 0.26;
    for_window(middle, inner[1], half + 0.12, 0.5, |x, y, at| {
        let across = (x - middle) / (half * 1.12);
        let arch = (1.0 - across * across).max(0.0);
        let (upper, lower) = (corners(x) + rise * 1.25 * arch, corners(x) + sink * 1.25 * arch);
        let lid = upper + (lower - upper) * shut * 0.92;
        let top = upper - reach;
        if y <= top || y >= lid {
            return;
        }
        // The skin keeps its place below the brow and is drawn out towards the lid.
        let t = (y - top) / (lid - top);
        let from = top + t * (upper - 0.01 - top);
        changed.pixels[at] = still.at(x, from);
    });
}

/// Moves the lower lip and the chin down and shows the dark between the lips.
fn open_mouth(changed: &mut Canvas, still: &Canvas, open: f32) {
    let marks = &still.landmarks;
    let (left, right, chin) = (marks[60], marks[64], marks[8]);
    let middle = (left[0] + right[0]) / 2.0;
    let half = (right[0] - left[0]) / 2.0;
    let dip = (marks[62][1] + marks[66][1] - left[1] - right[1]) / 2.0;
    let line = |x: f32| {
        let across = (x - middle) / half;
        (left[1] + right[1]) / 2.0
            + (right[1] - left[1]) / 2.0 * across
            + dip * (1.0 - across * across).max(0.0)
    };
    let drop = open * 0.42;
    let to_chin = (chin[1] - line(middle)).max(0.3);
    // How far the skin at a place goes down: sharp at the lip, broad at the chin, nothing at the collar.
    let shift = |x: f32, y: f32| {
        let t = ((y - line(x)) / to_chin).max(0.0);
        let across = (x - middle) / half;
        let at_lip = (1.0 - across * across * 0.95).max(0.0).sqrt();
        let at_chin = (-(x - middle) * (x - middle) / 0.9).exp();
        let blend = (t * 1.6).min(1.0);
        let fade = 1.0 - ((t - 1.0) / 1.1).clamp(0.0, 1.0);
        drop * (at_lip * (1.0 - blend) + at_chin * blend) * fade * fade * (3.0 - 2.0 * fade)
    };
    for_window(middle, line(middle) + 0.75, 1.25, 1.0, |x, y, at| {
        if y <= line(x) {
            return;
        }
        let gap = if (x - middle).abs() < half { shift(x, line(x)) } else { 0.0 };
        let into = y - line(x);
        if into < gap {
            changed.pixels[at] = cavity(into / drop, gap - into, (x - middle) / half);
            return;
        }
        let mut from = y;
        for _ in 0..6 {
            from = (y - shift(x, from)).max(line(x));
        }
        changed.pixels[at] = still.at(x, from);
    });
}

/// Upper teeth, then tongue in the dark.
fn cavity(depth: f32, to_lip: f32, across: f32) -> [f32; 4] {
    let teeth =
        if depth < 0.24 && across.abs() < 0.8 { 150.0 * (1.0 - across * across) } else { 0.0 };
    let tongue = if to_lip < 0.09 { 45.0 } else { 0.0 };
    [
        40.0 + teeth + tongue,
        18.0 + teeth * 0.92 + tongue * 0.3,
        18.0 + teeth * 0.82 + tongue * 0.3,
        1.0,
    ]
}

/// Visits the pixels of a window given in eye distances: the place, and where it lies in the canvas.
fn for_window(
    x: f32,
    y: f32,
    half_width: f32,
    half_height: f32,
    mut visit: impl FnMut(f32, f32, usize),
) {
    let pixel =
        |value: f32, origin: f32, max: usize| ((value * SCALE + origin).max(0.0) as usize).min(max);
    for row in pixel(y - half_height, ORIGIN.1, HEIGHT)..pixel(y + half_height, ORIGIN.1, HEIGHT) {
        for column in pixel(x - half_width, ORIGIN.0, WIDTH)..pixel(x + half_width, ORIGIN.0, WIDTH)
        {
            visit(
                (column as f32 - ORIGIN.0) / SCALE,
                (row as f32 - ORIGIN.1) / SCALE,
                row * WIDTH + column,
            );
        }
    }
}
