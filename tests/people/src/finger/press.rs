//! One touch of the sensor: where the finger lies, how the skin stretches, how wet it is, what the sensor adds.

use super::master::Master;
use crate::random::Random;

/// A touch.
struct Touch {
    shift: [f32; 2],
    cos: f32,
    sin: f32,
    /// Skin that is dragged along: amplitude, wave vector, phase, once for each direction.
    drag: [[f32; 4]; 2],
    /// Above 0 wet (ridges swell), below 0 dry (ridges thin out).
    wet: f32,
    /// Half the contact's width and height in pixels.
    contact: [f32; 2],
    noise: u64,
}

impl Touch {
    fn of(path: &[u64; 4]) -> Self {
        let mut random = Random::of(&[path.as_slice(), &[TOUCH]].concat());
        let (sin, cos) = (random.bell() * 0.12).sin_cos();
        Self {
            shift: [random.bell() * 9.0, random.bell() * 11.0],
            cos,
            sin,
            drag: [(); 2].map(|()| {
                let (angle, number) =
                    (random.between(0.0, std::f32::consts::TAU), random.between(0.008, 0.018));
                [
                    random.between(0.5, 3.0),
                    angle.cos() * number,
                    angle.sin() * number,
                    random.between(0.0, 6.0),
                ]
            }),
            wet: (random.bell() * 0.16).clamp(-0.35, 0.35),
            contact: [random.between(118.0, 140.0), random.between(150.0, 178.0)],
            noise: random.next(),
        }
    }

    /// From the sensor's middle to the skin.
    fn on_skin(&self, x: f32, y: f32) -> (f32, f32) {
        let (u, v) = (
            self.cos * x + self.sin * y + self.shift[0],
            self.cos * y - self.sin * x + self.shift[1],
        );
        let [across, along] =
            self.drag.map(|[amplitude, kx, ky, phase]| amplitude * (kx * u + ky * v + phase).sin());
        (u + across, v + along)
    }

    /// How firmly the skin touches at a place of the sensor: 1 in the middle, 0 outside the contact.
    fn pressure(&self, x: f32, y: f32, ragged: f32) -> f32 {
        let radius =
            (x / self.contact[0]).powi(2) + ((y - 8.0) / self.contact[1]).powi(2) + 0.12 * ragged;
        ((1.06 - radius) * 6.0).clamp(0.0, 1.0)
    }
}

/// 8-bit grey, row by row.
pub(super) fn impression(master: &Master, path: &[u64; 4], width: usize, height: usize) -> Vec<u8> {
    let touch = Touch::of(path);
    let (coarse, fine) = (Lattice(touch.noise), Lattice(touch.noise ^ 0x5555));
    let pores = Lattice(master.seed);
    let mut grain = Random::of(&[touch.noise, GRAIN]);
    let mut grey = Vec::with_capacity(width * height);
    for row in 0..height {
        for column in 0..width {
            let (x, y) = (column as f32 - width as f32 / 2.0, row as f32 - height as f32 / 2.0);
            let (u, v) = touch.on_skin(x, y);
            let blotch = coarse.at(x / 26.0, y / 26.0);
            let ridge =
                master.at(u, v) + touch.wet + 0.5 * blotch + 0.35 * fine.at(x / 3.0, y / 3.0);
            let pore = if pores.at(u / 4.5, v / 4.5) > 0.42 { 0.45 } else { 0.0 };
            let ink = 1.0 / (1.0 + (-4.5 * (ridge - pore - 0.05)).exp());
            let pressure = touch.pressure(x, y, coarse.at(x / 40.0 + 90.0, y / 40.0));
            let light = PAPER - (PAPER - INK) * ink * pressure * (0.85 + 0.3 * blotch);
            grey.push((light + grain.bell() * 5.0 + 0.5).clamp(0.0, 255.0) as u8);
        }
    }
    grey
}

/// Smooth noise in -0.5..0.5 on the whole plane.
struct Lattice(u64);

impl Lattice {
    fn knot(&self, x: f32, y: f32) -> f32 {
        let mixed = (x as i64 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ (y as i64 as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        let mixed = (mixed ^ self.0).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        (mixed >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (u, v) = (smooth(x - left), smooth(y - top));
        let row = |top: f32| self.knot(left, top) * (1.0 - u) + self.knot(left + 1.0, top) * u;
        row(top) * (1.0 - v) + row(top + 1.0) * v
    }
}

const PAPER: f32 = 236.0;
const INK: f32 = 48.0;
const TOUCH: u64 = 41;
const GRAIN: u64 = 42;
