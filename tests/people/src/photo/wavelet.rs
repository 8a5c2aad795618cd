//! The 9/7 wavelet of JPEG 2000 on a plane of any size, by lifting.
//!
//! Coefficients lie in the usual square order: the coarsest picture at the top left, details around it.

/// Levels of detail; fewer where a side gets too short.
pub(super) fn levels(size: (usize, usize)) -> usize {
    let mut shorter = size.0.min(size.1);
    let mut n_levels = 0;
    while shorter >= 8 && n_levels < 5 {
        shorter = shorter.div_ceil(2);
        n_levels += 1;
    }
    n_levels
}

/// The plane's sides at each level, the full plane first.
pub(super) fn sizes(size: (usize, usize)) -> Vec<(usize, usize)> {
    let mut sizes = vec![size];
    for level in 0..levels(size) {
        let (width, height) = sizes[level];
        sizes.push((width.div_ceil(2), height.div_ceil(2)));
    }
    sizes
}

/// From samples to coefficients, scaled so that an error weighs about the same in each.
pub(super) fn forward(plane: &[f32], size: (usize, usize)) -> Vec<f32> {
    let mut plane = plane.to_vec();
    for &(width, height) in &sizes(size)[..levels(size)] {
        for y in 0..height {
            lines(&mut plane, y * size.0, 1, width, analyse);
        }
        for x in 0..width {
            lines(&mut plane, x, size.0, height, analyse);
        }
    }
    plane
}

/// From coefficients to samples.
pub(super) fn inverse(coefficients: &[f32], size: (usize, usize)) -> Vec<f32> {
    let mut plane = coefficients.to_vec();
    for &(width, height) in sizes(size)[..levels(size)].iter().rev() {
        for x in 0..width {
            lines(&mut plane, x, size.0, height, synthesise);
        }
        for y in 0..height {
            lines(&mut plane, y * size.0, 1, width, synthesise);
        }
    }
    plane
}

fn lines(
    plane: &mut [f32],
    start: usize,
    stride: usize,
    length: usize,
    transform: fn(&[f32]) -> Vec<f32>,
) {
    let line: Vec<f32> = (0..length).map(|i| plane[start + i * stride]).collect();
    for (i, value) in transform(&line).into_iter().enumerate() {
        plane[start + i * stride] = value;
    }
}

fn analyse(line: &[f32]) -> Vec<f32> {
    let mut line = line.to_vec();
    for (parity, factor) in LIFTS {
        lift(&mut line, parity, factor);
    }
    let even = line.iter().step_by(2).map(|v| v * LOW);
    let odd = line.iter().skip(1).step_by(2).map(|v| v * HIGH);
    even.chain(odd).collect()
}

fn synthesise(line: &[f32]) -> Vec<f32> {
    let n_even = line.len().div_ceil(2);
    let mut woven: Vec<f32> = (0..line.len())
        .map(|i| if i % 2 == 0 { line[i / 2] / LOW } else { line[n_even + i / 2] / HIGH })
        .collect();
    for (parity, factor) in LIFTS.into_iter().rev() {
        lift(&mut woven, parity, -factor);
    }
    woven
}

/// Adds to each sample of one parity its two neighbours, mirrored at the ends.
fn lift(line: &mut [f32], parity: usize, factor: f32) {
    let last = line.len() - 1;
    for i in (parity..line.len()).step_by(2) {
        let before = line[if i == 0 { 1.min(last) } else { i - 1 }];
        let after = line[if i == last { last.saturating_sub(1) } else { i + 1 }];
        line[i] += factor * (before + after);
    }
}

/// Cohen, Daubechies and Feauveau 9/7 in four lifting steps (Daubechies and Sweldens, 1998).
const LIFTS: [(usize, f32); 4] =
    [(1, -1.586_134_3), (0, -0.052_980_12), (1, 0.882_911_1), (0, 0.443_506_85)];
/// Scales that make the transform nearly orthonormal.
const LOW: f32 = 1.149_604_4;
const HIGH: f32 = 0.869_864_45;
