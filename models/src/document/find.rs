//! Finds the outline of a card in a frame: straight edges by their votes, four of
//! them that make a card, then each side fitted again in the full picture.

use image::RgbImage;

use super::{Corners, square};
use crate::pixels::{self, Region};

/// The four corners of the most card-like outline, clockwise from the upper left.
pub(super) fn corners(frame: &RgbImage) -> Option<Corners> {
    let small = Small::of(frame);
    let edges = Edges::of(&small.picture);
    let (across, down) = edges.lines();
    let rough = best_outline(&edges, &across, &down)?;
    let in_frame = rough.map(|(x, y)| small.to_frame(x, y));
    Some(refine(frame, in_frame, small.scale))
}

/// The frame made small enough to search.
struct Small {
    picture: RgbImage,
    scale: f32,
}

impl Small {
    fn of(frame: &RgbImage) -> Self {
        let (width, height) = (frame.width() as f32, frame.height() as f32);
        let scale = (width.max(height) / SEARCH_SIDE).max(1.0);
        let whole = Region { x: 0.0, y: 0.0, width, height };
        let size = ((width / scale).round() as usize, (height / scale).round() as usize);
        Self { picture: pixels::resample(frame, whole, size), scale }
    }

    fn to_frame(&self, x: f32, y: f32) -> (f32, f32) {
        ((x + 0.5) * self.scale - 0.5, (y + 0.5) * self.scale - 0.5)
    }
}

/// Where the picture changes sharply, and in which direction, 0..180 degrees.
struct Edges {
    width: usize,
    height: usize,
    /// Degrees of the normal plus one; zero is no edge.
    normal: Vec<u8>,
}

/// A straight line: the points whose product with the normal is `rho`.
#[derive(Clone)]
struct Line {
    theta: f32,
    rho: f32,
    /// Edge pixels on the line up to each step along it.
    support: Vec<u16>,
}

impl Edges {
    fn of(picture: &RgbImage) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let slopes = slopes(picture);
        let strength = |x: usize, y: usize| slopes[y * width + x].0;
        let mean = slopes.iter().map(|s| s.0).sum::<f32>() / slopes.len().max(1) as f32;
        let least = (EDGE_OVER_MEAN * mean).max(EDGE_MIN);
        let mut normal = vec![0; width * height];
        for y in 1..height.saturating_sub(1) {
            for x in 1..width.saturating_sub(1) {
                let (value, gx, gy) = slopes[y * width + x];
                let (dx, dy) = if gx.abs() > gy.abs() { (1, 0) } else { (0, 1) };
                let ridge = value >= strength(x - dx, y - dy) && value >= strength(x + dx, y + dy);
                if value >= least && ridge {
                    let degrees = gy.atan2(gx).to_degrees().rem_euclid(180.0) as u8;
                    normal[y * width + x] = degrees.min(179) + 1;
                }
            }
        }
        Self { width, height, normal }
    }

    /// The strongest lines that run across, and those that run down.
    fn lines(&self) -> (Vec<Line>, Vec<Line>) {
        let reach = (self.width as f32).hypot(self.height as f32).ceil() as i32;
        let votes = self.votes(reach);
        let peaks = |is_across: bool| -> Vec<Line> {
            let mut found: Vec<(u32, i32, i32)> = Vec::new();
            for (index, n) in votes.iter().enumerate().filter(|(_, n)| **n >= VOTES_MIN) {
                let (theta, rho) = place(index, reach);
                if across(theta) == is_across {
                    found.push((*n, theta, rho));
                }
            }
            found.sort_by(|a, b| b.cmp(a));
            self.apart(found)
        };
        (peaks(true), peaks(false))
    }

    fn votes(&self, reach: i32) -> Vec<u32> {
        let mut votes = vec![0u32; 180 * (2 * reach as usize + 1)];
        let angles: Vec<(f32, f32)> = (0..180).map(|t| (t as f32).to_radians().sin_cos()).collect();
        for (at, normal) in self.normal.iter().enumerate().filter(|(_, n)| **n > 0) {
            let (x, y) = ((at % self.width) as f32, (at / self.width) as f32);
            for off in -NORMAL_SLACK..=NORMAL_SLACK {
                let theta = (i32::from(*normal) - 1 + off).rem_euclid(180);
                let (sin, cos) = angles[theta as usize];
                let rho = (x * cos + y * sin).round() as i32;
                votes[theta as usize * (2 * reach as usize + 1) + (rho + reach) as usize] += 1;
            }
        }
        votes
    }

    /// The best of them that are not nearly the same line.
    fn apart(&self, sorted: Vec<(u32, i32, i32)>) -> Vec<Line> {
        let mut kept: Vec<(i32, i32)> = Vec::new();
        for (_, theta, rho) in sorted {
            let near = |(t, r): &(i32, i32)| {
                let turn = (theta - t).rem_euclid(180).min((t - theta).rem_euclid(180));
                // On the other side of 0 degrees the same line has the opposite sign.
                let other = if (theta - t).abs() > 90 { -rho } else { rho };
                turn <= APART_DEGREES && (other - r).abs() <= APART_PIXELS
            };
            if !kept.iter().any(near) {
                kept.push((theta, rho));
            }
            if kept.len() == LINES_MAX {
                break;
            }
        }
        kept.into_iter().map(|(theta, rho)| self.line(theta as f32, rho as f32)).collect()
    }

    fn line(&self, theta: f32, rho: f32) -> Line {
        let mut line = Line { theta, rho, support: vec![0] };
        let (sin, cos) = theta.to_radians().sin_cos();
        let reach = (self.width + self.height) as i32;
        let mut n = 0;
        for along in -reach..reach {
            let (x, y) = line.point(along as f32);
            n += u16::from(self.has_edge(x, y, (cos, sin), theta));
            line.support.push(n);
        }
        line
    }

    /// An edge of this direction within a pixel of the point.
    fn has_edge(&self, x: f32, y: f32, (cos, sin): (f32, f32), theta: f32) -> bool {
        [0.0, -1.0, 1.0].into_iter().any(|off| {
            let (x, y) = ((x + off * cos).round(), (y + off * sin).round());
            let inside = x >= 0.0 && y >= 0.0 && x < self.width as f32 && y < self.height as f32;
            if !inside {
                return false;
            }
            let normal = self.normal[y as usize * self.width + x as usize];
            let turn = (f32::from(normal) - 1.0 - theta).rem_euclid(180.0);
            normal > 0 && turn.min(180.0 - turn) <= SIDE_SLACK_DEGREES
        })
    }
}

impl Line {
    fn point(&self, along: f32) -> (f32, f32) {
        let (sin, cos) = self.theta.to_radians().sin_cos();
        (self.rho * cos - along * sin, self.rho * sin + along * cos)
    }

    fn along(&self, (x, y): (f32, f32)) -> f32 {
        let (sin, cos) = self.theta.to_radians().sin_cos();
        y * cos - x * sin
    }

    /// Share of the way between two of its points that lies on an edge. The corners of
    /// a card are round, so its ends do not count.
    fn supported(&self, a: (f32, f32), b: (f32, f32)) -> f32 {
        let (from, to) = (self.along(a), self.along(b));
        let (from, to) = (from.min(to), from.max(to));
        let inset = CORNER_SHARE * (to - from);
        let half = (self.support.len() / 2) as f32;
        let at = |along: f32| (along + half).clamp(0.0, self.support.len() as f32 - 1.0) as usize;
        let (first, last) = (at(from + inset), at(to - inset));
        let n = last.saturating_sub(first).max(1);
        f32::from(self.support[last] - self.support[first]) / n as f32
    }

    fn meets(&self, other: &Self) -> Option<(f32, f32)> {
        let (s1, c1) = self.theta.to_radians().sin_cos();
        let (s2, c2) = other.theta.to_radians().sin_cos();
        let det = c1 * s2 - c2 * s1;
        (det.abs() > 0.3).then(|| {
            ((self.rho * s2 - other.rho * s1) / det, (c1 * other.rho - c2 * self.rho) / det)
        })
    }
}

fn across(theta: i32) -> bool {
    (45..135).contains(&theta)
}

fn place(index: usize, reach: i32) -> (i32, i32) {
    let columns = 2 * reach as usize + 1;
    ((index / columns) as i32, (index % columns) as i32 - reach)
}

/// Strength and direction of the change at each pixel, of the channel that changes most.
fn slopes(picture: &RgbImage) -> Vec<(f32, f32, f32)> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let raw = picture.as_raw();
    let mut slopes = vec![(0.0, 0.0, 0.0); width * height];
    for y in 1..height.saturating_sub(1) {
        for x in 1..width.saturating_sub(1) {
            let one = |channel: usize| {
                let at = |dx: usize, dy: usize| {
                    f32::from(raw[((y + dy - 1) * width + x + dx - 1) * 3 + channel])
                };
                let gx =
                    at(2, 0) + 2.0 * at(2, 1) + at(2, 2) - at(0, 0) - 2.0 * at(0, 1) - at(0, 2);
                let gy =
                    at(0, 2) + 2.0 * at(1, 2) + at(2, 2) - at(0, 0) - 2.0 * at(1, 0) - at(2, 0);
                (gx.hypot(gy) / 4.0, gx, gy)
            };
            let best = (0..3).map(one).max_by(|a, b| a.0.total_cmp(&b.0));
            slopes[y * width + x] = best.expect("there are three channels");
        }
    }
    slopes
}

/// Two lines across and two down, put in order, with the corners they make.
struct Outline<'l> {
    upper: &'l Line,
    right: &'l Line,
    lower: &'l Line,
    left: &'l Line,
    corners: Corners,
}

/// Of all outlines of two lines across and two down: the one with the best edges.
fn best_outline(edges: &Edges, across: &[Line], down: &[Line]) -> Option<Corners> {
    let mut best: Option<(f32, Corners)> = None;
    for (a, b) in pairs(across) {
        for (c, d) in pairs(down) {
            let Some(outline) = Outline::of([a, b], [c, d]) else { continue };
            let Some(score) = outline.score(edges) else { continue };
            if best.as_ref().is_none_or(|(top, _)| score > *top) {
                best = Some((score, outline.corners));
            }
        }
    }
    best.map(|(_, corners)| corners)
}

fn pairs(lines: &[Line]) -> impl Iterator<Item = (&Line, &Line)> {
    lines.iter().enumerate().flat_map(|(i, a)| lines[i + 1..].iter().map(move |b| (a, b)))
}

impl<'l> Outline<'l> {
    fn of(
        [mut upper, mut lower]: [&'l Line; 2],
        [mut left, mut right]: [&'l Line; 2],
    ) -> Option<Self> {
        let middle = |across: &Line| Some((across.meets(left)?.1 + across.meets(right)?.1) / 2.0);
        if middle(upper)? > middle(lower)? {
            std::mem::swap(&mut upper, &mut lower);
        }
        if upper.meets(left)?.0 > upper.meets(right)?.0 {
            std::mem::swap(&mut left, &mut right);
        }
        let corners =
            [upper.meets(left)?, upper.meets(right)?, lower.meets(right)?, lower.meets(left)?];
        Some(Self { upper, right, lower, left, corners })
    }

    /// Nothing for what cannot be a card.
    fn score(&self, edges: &Edges) -> Option<f32> {
        let (width, height, c) = (edges.width as f32, edges.height as f32, &self.corners);
        let slack = OUTSIDE_SLACK * width;
        let inside = |(x, y): &(f32, f32)| {
            *x > -slack && *y > -slack && *x < width + slack && *y < height + slack
        };
        let share = square::area(c) / (width * height);
        if !c.iter().all(inside) || share < AREA_MIN || !is_card_shaped(c) {
            return None;
        }
        let sides = [
            self.upper.supported(c[0], c[1]),
            self.right.supported(c[1], c[2]),
            self.lower.supported(c[2], c[3]),
            self.left.supported(c[3], c[0]),
        ];
        let least = sides.into_iter().fold(1.0, f32::min);
        let mean = sides.iter().sum::<f32>() / 4.0;
        let seen = least >= SUPPORT_MIN && mean >= SUPPORT_MEAN_MIN;
        seen.then_some(mean + 0.3 * least + 0.5 * share)
    }
}

fn is_card_shaped(c: &Corners) -> bool {
    let side = |a: usize, b: usize| (c[a].0 - c[b].0).hypot(c[a].1 - c[b].1);
    let (upper, lower, left, right) = (side(0, 1), side(3, 2), side(0, 3), side(1, 2));
    let even = |a: f32, b: f32| a.min(b) >= OPPOSITE_MIN * a.max(b);
    let aspect = (upper + lower) / (left + right).max(1e-3);
    even(upper, lower) && even(left, right) && (ASPECT_MIN..ASPECT_MAX).contains(&aspect)
}

/// Each side again, from the sharpest change near it in the full picture.
fn refine(frame: &RgbImage, rough: Corners, scale: f32) -> Corners {
    let sides: [Option<Side>; 4] =
        std::array::from_fn(|i| Side::fit(frame, rough[i], rough[(i + 1) % 4], scale));
    std::array::from_fn(|i| {
        let met = match (&sides[(i + 3) % 4], &sides[i]) {
            (Some(before), Some(after)) => before.meets(after),
            _ => None,
        };
        let near = |p: &(f32, f32)| (p.0 - rough[i].0).hypot(p.1 - rough[i].1) < 4.0 * scale + 4.0;
        met.filter(near).unwrap_or(rough[i])
    })
}

/// A fitted side: a point and a direction.
struct Side {
    at: (f32, f32),
    along: (f32, f32),
}

impl Side {
    fn fit(frame: &RgbImage, a: (f32, f32), b: (f32, f32), scale: f32) -> Option<Self> {
        let length = (b.0 - a.0).hypot(b.1 - a.1).max(1.0);
        let along = ((b.0 - a.0) / length, (b.1 - a.1) / length);
        let normal = (-along.1, along.0);
        let reach = (1.5 * scale).ceil() as i32 + 2;
        let n = 48;
        let mut offs: Vec<(f32, f32)> = (0..n)
            .filter_map(|i| {
                let way = length * (0.1 + 0.8 * i as f32 / (n - 1) as f32);
                let at = (a.0 + along.0 * way, a.1 + along.1 * way);
                sharpest(frame, at, normal, reach).map(|off| (way, off))
            })
            .collect();
        let (slope, level) = trimmed_fit(&mut offs)?;
        let at = |way: f32| {
            let off = level + slope * way;
            (a.0 + along.0 * way + normal.0 * off, a.1 + along.1 * way + normal.1 * off)
        };
        let (first, last) = (at(0.0), at(length));
        Some(Self { at: first, along: (last.0 - first.0, last.1 - first.1) })
    }

    fn meets(&self, other: &Self) -> Option<(f32, f32)> {
        let det = self.along.0 * other.along.1 - self.along.1 * other.along.0;
        let (dx, dy) = (other.at.0 - self.at.0, other.at.1 - self.at.1);
        let way = (dx * other.along.1 - dy * other.along.0) / det;
        let met = (self.at.0 + way * self.along.0, self.at.1 + way * self.along.1);
        (met.0.is_finite() && met.1.is_finite()).then_some(met)
    }
}

/// How far along the normal the luma changes most; nothing where it hardly changes.
fn sharpest(frame: &RgbImage, at: (f32, f32), normal: (f32, f32), reach: i32) -> Option<f32> {
    let value = |off: f32| {
        let (x, y) = (at.0 + normal.0 * off, at.1 + normal.1 * off);
        let inside = x >= 0.0
            && y >= 0.0
            && x < frame.width() as f32 - 1.0
            && y < frame.height() as f32 - 1.0;
        inside.then(|| pixels::luma(&image::Rgb(pixels::bilinear(frame, x, y))))
    };
    let change = |off: i32| {
        let (before, after) = (value(off as f32 - 1.0)?, value(off as f32 + 1.0)?);
        Some(((after - before).abs(), off as f32))
    };
    let best = (-reach..=reach).filter_map(change).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= CHANGE_MIN).then_some(best.1)
}

/// A straight line through the offsets, without the third that lies farthest off.
fn trimmed_fit(offs: &mut Vec<(f32, f32)>) -> Option<(f32, f32)> {
    for _ in 0..2 {
        let (slope, level) = fit(offs)?;
        let miss = |p: &(f32, f32)| (p.1 - level - slope * p.0).abs();
        offs.sort_by(|a, b| miss(a).total_cmp(&miss(b)));
        offs.truncate((offs.len() * 4).div_ceil(5));
    }
    fit(offs)
}

fn fit(points: &[(f32, f32)]) -> Option<(f32, f32)> {
    if points.len() < FIT_POINTS_MIN {
        return None;
    }
    let n = points.len() as f32;
    let (mx, my) = points.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0 / n, s.1 + p.1 / n));
    let (xy, xx) = points
        .iter()
        .fold((0.0, 1e-6), |s, p| (s.0 + (p.0 - mx) * (p.1 - my), s.1 + (p.0 - mx).powi(2)));
    let slope = xy / xx;
    Some((slope, my - slope * mx))
}

/// Longer side of the picture that is searched, in pixels.
const SEARCH_SIDE: f32 = 320.0;
/// An edge must be this steep, in luma a pixel, and this much steeper than the mean.
const EDGE_MIN: f32 = 10.0;
const EDGE_OVER_MEAN: f32 = 1.2;
/// A line needs so many edge pixels: a third of the shortest side that can be a card's.
const VOTES_MIN: u32 = 24;
/// Degrees by which a pixel's direction may differ from the line it votes for.
const NORMAL_SLACK: i32 = 3;
const SIDE_SLACK_DEGREES: f32 = 12.0;
const APART_DEGREES: i32 = 4;
const APART_PIXELS: i32 = 4;
/// Lines kept in each direction.
const LINES_MAX: usize = 18;
/// Share of a side at each end that is not looked at.
const CORNER_SHARE: f32 = 0.06;
/// Share of the frame by which a corner may lie outside of it.
const OUTSIDE_SLACK: f32 = 0.03;
/// A smaller card is too far away to be found.
const AREA_MIN: f32 = 0.05;
/// 85.6 mm by 54.0 mm is 1.585; leaning back makes it wider or narrower.
const ASPECT_MIN: f32 = 1.25;
const ASPECT_MAX: f32 = 2.1;
/// Opposite sides of a card that is not tilted too far.
const OPPOSITE_MIN: f32 = 0.65;
/// Share of each side, and of all four, that must be seen: a thumb may cover a part.
const SUPPORT_MIN: f32 = 0.45;
const SUPPORT_MEAN_MIN: f32 = 0.6;
const CHANGE_MIN: f32 = 8.0;
const FIT_POINTS_MIN: usize = 12;
