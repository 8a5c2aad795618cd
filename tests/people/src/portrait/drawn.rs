//! A face drawn from numbers alone, for machines where no portraits were set up.

use super::Source;
use crate::random::Random;
use image::{Rgba, RgbaImage};

/// A frontal face on a transparent ground, 512 x 512 pixels.
pub(super) fn face(random: &mut Random, male: bool) -> Source {
    let plan = Plan::of(random, male);
    let pixels = RgbaImage::from_fn(512, 512, |x, y| {
        plan.pixel((x as f32 - MIDDLE.0) / EYES, (y as f32 - MIDDLE.1) / EYES)
    });
    let landmarks = plan.landmarks().map(|[x, y]| [MIDDLE.0 + x * EYES, MIDDLE.1 + y * EYES]);
    Source { pixels, landmarks }
}

/// A face in eye distances, its origin between the eyes.
struct Plan {
    half_width: f32,
    chin: f32,
    jaw: f32,
    brow: f32,
    brow_weight: f32,
    nose: f32,
    nose_width: f32,
    mouth: f32,
    mouth_half: f32,
    lip: f32,
    eye_half: f32,
    eye_open: f32,
    hairline: f32,
    hair: [f32; 3],
    skin: [f32; 3],
    cloth: [f32; 3],
    age: f32,
    grain: u64,
}

impl Plan {
    fn of(random: &mut Random, male: bool) -> Self {
        let grey = random.between(70.0, 205.0);
        let tone = random.between(0.82, 1.06);
        let nose = random.between(0.68, 0.86);
        let mouth = nose + random.between(0.34, 0.46);
        Self {
            half_width: random.between(1.02, 1.24),
            chin: mouth + random.between(0.5, 0.72),
            jaw: random.between(2.0, 3.2),
            brow: -random.between(0.27, 0.42),
            brow_weight: random.between(0.2, if male { 0.75 } else { 0.45 }),
            nose,
            nose_width: random.between(0.22, 0.33),
            mouth,
            mouth_half: random.between(0.34, 0.5),
            lip: random.between(0.05, 0.11),
            eye_half: random.between(0.22, 0.28),
            eye_open: random.between(0.065, 0.1),
            hairline: -random.between(0.75, if male { 1.25 } else { 0.95 }),
            hair: [grey, grey * 0.98, grey * 0.97],
            skin: [222.0 * tone, 176.0 * tone, 146.0 * tone],
            cloth: *random.pick(&[
                [52.0, 60.0, 84.0],
                [70.0, 72.0, 70.0],
                [92.0, 58.0, 52.0],
                [60.0, 74.0, 62.0],
            ]),
            age: random.between(0.4, 1.0),
            grain: random.next(),
        }
    }

    fn pixel(&self, x: f32, y: f32) -> Rgba<u8> {
        let (colour, opacity) = if let Some(colour) = self.face_colour(x, y) {
            (colour, 1.0)
        } else if self.in_hair(x, y) {
            (self.hair.map(|channel| channel * (0.75 + 0.3 * self.noise(x * 14.0, y * 3.0))), 1.0)
        } else if x.abs() < 0.62 && y > 0.8 && y < self.chin + 0.5 {
            (self.skin.map(|channel| channel * (0.78 - 0.25 * x * x)), 1.0)
        } else if y > self.chin + 0.3 + 0.16 * x * x {
            (self.cloth.map(|channel| channel * (0.85 + 0.2 * self.noise(x * 6.0, y * 6.0))), 1.0)
        } else {
            ([0.0; 3], 0.0)
        };
        let [r, g, b] = colour.map(|channel| channel.clamp(0.0, 255.0) as u8);
        Rgba([r, g, b, (opacity * 255.0) as u8])
    }

    /// How far outside the contour of the face a place is; below 1 is inside.
    fn contour(&self, x: f32, y: f32) -> f32 {
        let u = x.abs() / self.half_width;
        if y < 0.35 {
            u * u + ((y - 0.35) / 1.95).powi(2)
        } else {
            u.powf(self.jaw) + ((y - 0.35) / (self.chin - 0.35)).powf(2.4)
        }
    }

    fn in_hair(&self, x: f32, y: f32) -> bool {
        (x / (self.half_width + 0.16)).powi(2) + ((y - 0.1) / 2.0).powi(2) < 1.0 && y < 0.35
    }

    fn face_colour(&self, x: f32, y: f32) -> Option<[f32; 3]> {
        if self.contour(x, y) > 1.0 || y < self.hairline + 0.25 * x * x {
            return None;
        }
        let mut colour = self.skin.map(|channel| channel * self.shade(x, y));
        for side in [-1.0, 1.0] {
            self.paint_eye(&mut colour, x * side, y);
        }
        self.paint_mouth(&mut colour, x, y);
        Some(colour)
    }

    /// Light from above on the relief of the face, with the darkening of folds.
    fn shade(&self, x: f32, y: f32) -> f32 {
        let step = 0.02;
        let slope = |dx: f32, dy: f32| {
            (self.height(x + dx, y + dy) - self.height(x - dx, y - dy)) / (2.0 * step)
        };
        let (sx, sy) = (slope(step, 0.0), slope(0.0, step));
        let facing = (1.0 + 0.22 * sx - 0.42 * -sy) / (1.0 + sx * sx + sy * sy).sqrt();
        let folds = [-1.0, 1.0].map(|side| {
            spot(x - side * (0.42 + 0.12 * (y - self.nose)), y - self.nose - 0.22, 0.035, 0.2)
        });
        let lines = ((y * 34.0).sin() * 0.5 + 0.5) * spot(x, y + 0.75, 0.6, 0.14);
        let pores = 0.05 * (self.noise(x * 40.0, y * 40.0) - 0.5);
        (0.62 + 0.42 * facing - self.age * (0.14 * (folds[0] + folds[1]) + 0.05 * lines) + pores)
            .clamp(0.1, 1.25)
    }

    fn height(&self, x: f32, y: f32) -> f32 {
        let dome = 1.3 * (1.0 - (self.contour(x, y) * 0.93).min(0.99)).sqrt();
        let along = (y / self.nose).clamp(0.0, 1.0);
        let bridge = 0.34
            * along
            * along
            * spot(x, 0.0, 0.1 + 0.06 * along, 1.0)
            * spot(0.0, (y - self.nose).max(0.0), 1.0, 0.09);
        let wings = [-1.0, 1.0]
            .map(|side| 0.1 * spot(x - side * self.nose_width * 0.7, y - self.nose, 0.08, 0.09));
        let sockets = [-0.5, 0.5].map(|eye| 0.2 * spot(x - eye, y + 0.05, 0.3, 0.17));
        let cheeks = [-0.62, 0.62].map(|cheek| 0.12 * spot(x - cheek, y - 0.5, 0.3, 0.28));
        let brow = 0.1 * spot(x, y - self.brow, 0.9, 0.16);
        let lips = 0.08 * spot(x, y - self.mouth, self.mouth_half, 0.14);
        let chin = 0.12 * spot(x, y - self.chin + 0.18, 0.24, 0.16);
        dome + bridge + wings[0] + wings[1] - sockets[0] - sockets[1]
            + cheeks[0]
            + cheeks[1]
            + brow
            + lips
            + chin
    }

    fn paint_eye(&self, colour: &mut [f32; 3], x: f32, y: f32) {
        let u = (x - 0.5) / self.eye_half;
        let arch = (1.0 - u * u).max(0.0);
        let brow = spot(x - 0.52, y - self.brow - 0.05 * u * u, 0.3, 0.05) * self.brow_weight;
        blend(colour, self.hair.map(|channel| channel * 0.5), brow);
        let nostril = spot(x - self.nose_width * 0.45, y - self.nose - 0.1, 0.06, 0.03);
        blend(colour, [70.0, 42.0, 36.0], nostril * 0.8);
        let upper = spot(0.0, y + self.eye_open * arch, 1.0, 0.022) * f32::from(u.abs() < 1.05);
        if y > -self.eye_open * arch && y < self.eye_open * 0.8 * arch {
            let iris = ((x - 0.5).powi(2) + (y + 0.01).powi(2)).sqrt();
            let white = [206.0, 198.0, 190.0].map(|channel| channel * (0.8 + 0.2 * arch));
            *colour = if iris < 0.035 {
                [14.0; 3]
            } else if iris < 0.09 {
                [62.0, 44.0, 34.0]
            } else {
                white
            };
            blend(colour, [240.0; 3], spot(x - 0.48, y + 0.03, 0.014, 0.014));
        }
        blend(colour, [46.0, 32.0, 28.0], upper);
        blend(
            colour,
            self.skin.map(|channel| channel * 0.72),
            0.5 * self.age * spot(x - 0.5, y - 0.19, 0.22, 0.03),
        );
    }

    fn paint_mouth(&self, colour: &mut [f32; 3], x: f32, y: f32) {
        let u = x / self.mouth_half;
        let arch = (1.0 - u * u).max(0.0).sqrt();
        let line = self.mouth + 0.02 * u * u;
        if y > line - self.lip * 0.8 * arch && y < line + self.lip * arch {
            blend(colour, [168.0, 96.0, 88.0], 0.75);
        }
        blend(
            colour,
            [74.0, 34.0, 32.0],
            spot(0.0, y - line, 1.0, 0.016) * f32::from(u.abs() < 1.0),
        );
    }

    /// Smooth noise in 0..1 from a hashed lattice.
    fn noise(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let at = |dx: i64, dy: i64| {
            Random::of(&[self.grain, (left as i64 + dx) as u64, (top as i64 + dy) as u64]).unit()
        };
        let (u, v) = (x - left, y - top);
        (1.0 - v) * ((1.0 - u) * at(0, 0) + u * at(1, 0))
            + v * ((1.0 - u) * at(0, 1) + u * at(1, 1))
    }

    fn landmarks(&self) -> [[f32; 2]; 68] {
        let mut points = [[0.0; 2]; 68];
        for (i, point) in points[..17].iter_mut().enumerate() {
            let angle = (i as f32 / 16.0 - 0.5) * std::f32::consts::PI;
            *point =
                [self.half_width * 0.97 * angle.sin(), 0.05 + (self.chin - 0.05) * angle.cos()];
        }
        for i in 0..5 {
            let t = i as f32 / 4.0;
            points[17 + i] = [-0.8 + 0.6 * t, self.brow - 0.06 * (1.0 - (2.0 * t - 1.0).powi(2))];
            points[22 + i] = [0.2 + 0.6 * t, points[17 + i][1]];
            points[31 + i] = [(t - 0.5) * self.nose_width * 1.4, self.nose + 0.12];
        }
        for i in 0..4 {
            points[27 + i] = [0.0, self.nose * i as f32 / 3.0];
        }
        let ring =
            [(-1.0, 0.0), (-0.35, -0.88), (0.35, -0.88), (1.0, 0.0), (0.35, 0.7), (-0.35, 0.7)];
        for (i, (u, v)) in ring.into_iter().enumerate() {
            points[36 + i] = [-0.5 + u * self.eye_half, v * self.eye_open];
            points[42 + i] = [0.5 + u * self.eye_half, v * self.eye_open];
        }
        for i in 0..12 {
            let angle = i as f32 / 12.0 * std::f32::consts::TAU;
            points[48 + i] = [-self.mouth_half * angle.cos(), self.mouth - self.lip * angle.sin()];
        }
        for i in 0..8 {
            let angle = i as f32 / 8.0 * std::f32::consts::TAU;
            points[60 + i] =
                [-self.mouth_half * 0.85 * angle.cos(), self.mouth - 0.012 * angle.sin()];
        }
        points
    }
}

/// 1 in the middle of a soft spot, 0 far from it.
fn spot(x: f32, y: f32, rx: f32, ry: f32) -> f32 {
    (-(x / rx).powi(2) - (y / ry).powi(2)).exp()
}

fn blend(colour: &mut [f32; 3], with: [f32; 3], share: f32) {
    for (channel, other) in colour.iter_mut().zip(with) {
        *channel += (other - *channel) * share.clamp(0.0, 1.0);
    }
}

/// Pixels between the eyes, and where their middle lies: as in the gallery.
const EYES: f32 = 118.0;
const MIDDLE: (f32, f32) = (256.0, 240.0);
