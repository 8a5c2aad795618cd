//! Perspective: a card seen at an angle becomes the picture of a scan.

use image::{Rgb, RgbImage};

use super::Corners;
use crate::pixels;

/// The outline as a picture of `size` (width, height) in pixels.
pub(super) fn square_up(frame: &RgbImage, corners: &Corners, size: (u32, u32)) -> RgbImage {
    let map = Projection::onto(corners);
    let (width, height) = (size.0 as f32, size.1 as f32);
    RgbImage::from_fn(size.0, size.1, |x, y| {
        let (u, v) = ((x as f32 + 0.5) / width, (y as f32 + 0.5) / height);
        let (x, y) = map.at(u, v);
        Rgb(pixels::bilinear(frame, x, y))
    })
}

/// Area inside the corners, in square pixels.
pub(super) fn area(c: &Corners) -> f32 {
    let cross = |a: usize, b: usize| c[a].0 * c[b].1 - c[b].0 * c[a].1;
    (cross(0, 1) + cross(1, 2) + cross(2, 3) + cross(3, 0)).abs() / 2.0
}

/// Carries the unit square onto four corners (Heckbert 1989).
pub(super) struct Projection {
    x: [f32; 3],
    y: [f32; 3],
    w: [f32; 2],
}

impl Projection {
    pub(super) fn onto(c: &Corners) -> Self {
        let [p0, p1, p2, p3] = *c;
        let (sx, sy) = (p0.0 - p1.0 + p2.0 - p3.0, p0.1 - p1.1 + p2.1 - p3.1);
        let (dx1, dy1) = (p1.0 - p2.0, p1.1 - p2.1);
        let (dx2, dy2) = (p3.0 - p2.0, p3.1 - p2.1);
        let det = dx1 * dy2 - dx2 * dy1;
        let det = if det.abs() < 1e-6 { 1e-6 } else { det };
        let g = (sx * dy2 - dx2 * sy) / det;
        let h = (dx1 * sy - sx * dy1) / det;
        Self {
            x: [p1.0 - p0.0 + g * p1.0, p3.0 - p0.0 + h * p3.0, p0.0],
            y: [p1.1 - p0.1 + g * p1.1, p3.1 - p0.1 + h * p3.1, p0.1],
            w: [g, h],
        }
    }

    /// Where a point of the unit square lies.
    pub(super) fn at(&self, u: f32, v: f32) -> (f32, f32) {
        let w = self.w[0] * u + self.w[1] * v + 1.0;
        let on = |row: &[f32; 3]| (row[0] * u + row[1] * v + row[2]) / w;
        (on(&self.x), on(&self.y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corners_of_the_square_are_the_corners_of_the_card() {
        let corners = [(10.0, 20.0), (90.0, 10.0), (100.0, 70.0), (5.0, 60.0)];
        let map = Projection::onto(&corners);
        for (corner, (u, v)) in corners.iter().zip([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
        {
            let (x, y) = map.at(u, v);
            assert!((x - corner.0).abs() < 1e-3 && (y - corner.1).abs() < 1e-3, "{x} {y}");
        }
        assert!((area(&[(0.0, 0.0), (4.0, 0.0), (4.0, 3.0), (0.0, 3.0)]) - 12.0).abs() < 1e-4);
    }
}
