//! The bust: the face picture in a fixed scale, with shoulders carried on beyond its edges.

use super::Source;

/// Red, green, blue, opacity.
pub(super) type Pixel = [f32; 4];

/// A picture measured in eye distances, its origin between the eyes.
#[derive(Clone)]
pub(super) struct Canvas {
    pub(super) pixels: Vec<Pixel>,
    /// The 68 landmarks in eye distances from the middle between the eyes.
    pub(super) landmarks: [[f32; 2]; 68],
}

impl Canvas {
    pub(super) fn new(source: &Source) -> Self {
        let frame = EyeFrame::of(&source.landmarks);
        let bust = Bust::of(source, &frame);
        let mut pixels = Vec::with_capacity(WIDTH * HEIGHT);
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                pixels.push(bust.at((x as f32 - ORIGIN.0) / SCALE, (y as f32 - ORIGIN.1) / SCALE));
            }
        }
        Self { pixels, landmarks: source.landmarks.map(|point| frame.inward(point)) }
    }

    /// Whether anything is to be seen in a rectangle of pixels.
    pub(super) fn shows(
        &self,
        columns: std::ops::Range<usize>,
        rows: std::ops::Range<usize>,
    ) -> bool {
        rows.step_by(2)
            .any(|y| columns.clone().step_by(2).any(|x| self.pixels[y * WIDTH + x][3] > 0.0))
    }

    /// The colour at a place in eye distances, between the pixels.
    pub(super) fn at(&self, x: f32, y: f32) -> Pixel {
        self.at_pixel(x * SCALE + ORIGIN.0, y * SCALE + ORIGIN.1)
    }

    pub(super) fn at_pixel(&self, x: f32, y: f32) -> Pixel {
        let (x, y) = (x.clamp(0.0, (WIDTH - 2) as f32), y.clamp(0.0, (HEIGHT - 2) as f32));
        let (left, top) = (x as usize, y as usize);
        let (u, v) = (x - left as f32, y - top as f32);
        let at = top * WIDTH + left;
        let [a, b, c, d] = [
            self.pixels[at],
            self.pixels[at + 1],
            self.pixels[at + WIDTH],
            self.pixels[at + WIDTH + 1],
        ];
        std::array::from_fn(|i| {
            (1.0 - v) * ((1.0 - u) * a[i] + u * b[i]) + v * ((1.0 - u) * c[i] + u * d[i])
        })
    }
}

/// Upright coordinates between the eyes, in eye distances.
struct EyeFrame {
    middle: [f32; 2],
    along: [f32; 2],
}

impl EyeFrame {
    fn of(landmarks: &[[f32; 2]; 68]) -> Self {
        let mean = |range: std::ops::Range<usize>| {
            let n = range.len() as f32;
            let sum = range
                .fold([0.0, 0.0], |sum, i| [sum[0] + landmarks[i][0], sum[1] + landmarks[i][1]]);
            [sum[0] / n, sum[1] / n]
        };
        let (left, right) = (mean(36..42), mean(42..48));
        Self {
            middle: [(left[0] + right[0]) / 2.0, (left[1] + right[1]) / 2.0],
            along: [right[0] - left[0], right[1] - left[1]],
        }
    }

    fn outward(&self, x: f32, y: f32) -> (f32, f32) {
        let [ax, ay] = self.along;
        (self.middle[0] + x * ax - y * ay, self.middle[1] + x * ay + y * ax)
    }

    fn inward(&self, point: [f32; 2]) -> [f32; 2] {
        let [ax, ay] = self.along;
        let (dx, dy) = (point[0] - self.middle[0], point[1] - self.middle[1]);
        let square = ax * ax + ay * ay;
        [(dx * ax + dy * ay) / square, (dy * ax - dx * ay) / square]
    }
}

/// The head of the picture on shoulders that are drawn.
struct Bust<'a> {
    source: &'a Source,
    frame: &'a EyeFrame,
    chin: f32,
    middle: f32,
    /// The last usable row of the picture, in eye distances.
    foot: f32,
    cloth: [f32; 3],
}

impl<'a> Bust<'a> {
    fn of(source: &'a Source, frame: &'a EyeFrame) -> Self {
        let distance = frame.along[0].hypot(frame.along[1]);
        let foot = (source.pixels.height() as f32 - 6.0 - frame.middle[1]) / distance;
        let [middle, chin] = frame.inward(source.landmarks[8]);
        // Any number that belongs to the picture will do to choose the garment.
        let choice = (source.landmarks[8][0] * 10.0 + source.landmarks[8][1] * 70.0) as usize;
        Self {
            source,
            frame,
            chin,
            middle: middle * 0.5,
            foot,
            cloth: GARMENTS[choice % GARMENTS.len()],
        }
    }

    fn at(&self, x: f32, y: f32) -> Pixel {
        let head = self.on_neck(self.head(x, y), x, y);
        let Some(cloth) = self.garment(x - self.middle, y) else {
            return head;
        };
        let inside = head[3] * (1.0 - step(self.chin + 0.18, self.chin + 0.4, y));
        std::array::from_fn(|i| if i == 3 { 1.0 } else { cloth[i] + (head[i] - cloth[i]) * inside })
    }

    /// The picture inside a wide oval, so that nothing of its surroundings comes along; below, only the neck.
    fn head(&self, x: f32, y: f32) -> Pixel {
        let mut pixel = self.sample(x, y.min(self.foot));
        let oval = ((x - self.middle) / 1.8).powi(2) + ((y - 0.05) / 2.3).powi(2);
        let beside =
            ((x - self.middle).abs() - 0.5 - 0.9 * (self.chin + 0.5 - y).max(0.0)).max(0.0);
        pixel[3] *= (1.0 - step(0.9, 1.0, oval)) * (1.0 - step(0.0, 0.35, beside));
        pixel
    }

    /// Fills the opening of the collar with the skin under the chin.
    fn on_neck(&self, head: Pixel, x: f32, y: f32) -> Pixel {
        let (side, below) = ((x - self.middle).abs(), y - self.chin);
        if head[3] > 0.99 || side > 0.6 || below < 0.0 {
            return head;
        }
        let skin = self.sample(self.middle + (x - self.middle) * 0.8, self.chin - 0.12);
        let shade = 0.8 - 0.3 * side;
        std::array::from_fn(|i| {
            if i == 3 { 1.0 } else { head[i] * head[3] + skin[i] * shade * (1.0 - head[3]) }
        })
    }

    /// A buttoned jacket with a standing shirt collar.
    fn garment(&self, x: f32, y: f32) -> Option<[f32; 3]> {
        let (side, neck) = (x.abs(), self.chin + 0.36);
        let shoulder = neck + 0.4 * (side - 0.5).max(0.0) + 1.6 * (side - 2.35).max(0.0).powi(2);
        let opening = neck + 0.62 * (1.0 - side / 0.5);
        if y < shoulder - 0.1 || (side < 0.42 && y < opening - 0.12) || side > 3.2 {
            return None;
        }
        let light = 0.98 - 0.11 * side - 0.05 * x + 0.05 * (x * 5.0 + (y * 2.3).sin() * 1.7).sin();
        let edge = step(0.0, 0.16, y - shoulder + 0.1) * 0.35 + 0.65;
        if y < opening + 0.04 && side < 0.62 {
            return Some([222.0, 222.0, 218.0].map(|channel| channel * light * edge));
        }
        let seam = if side < 0.015 || (y - opening - 0.06).abs() < 0.012 { 0.72 } else { 1.0 };
        let button = (x - 0.06).hypot((y - neck - 0.9).rem_euclid(0.7) - 0.35) < 0.05;
        let shade = light * edge * seam * if button { 0.55 } else { 1.0 };
        Some(self.cloth.map(|channel| channel * shade))
    }

    fn sample(&self, x: f32, y: f32) -> Pixel {
        let (x, y) = self.frame.outward(x, y);
        let pixels = &self.source.pixels;
        let (right, bottom) = (pixels.width() - 2, pixels.height() - 2);
        if y < -2.0 || x < -2.0 || x > right as f32 + 2.0 {
            return [0.0; 4];
        }
        let (x, y) = (x.clamp(0.0, right as f32), y.clamp(0.0, bottom as f32));
        let (left, top) = (x as u32, y as u32);
        let (u, v) = (x - left as f32, y - top as f32);
        let [a, b, c, d] = [(0, 0), (1, 0), (0, 1), (1, 1)]
            .map(|(dx, dy)| pixels.get_pixel(left + dx, top + dy).0.map(f32::from));
        let mut pixel: Pixel = std::array::from_fn(|i| {
            (1.0 - v) * ((1.0 - u) * a[i] + u * b[i]) + v * ((1.0 - u) * c[i] + u * d[i])
        });
        pixel[3] /= 255.0;
        pixel
    }
}

/// 0 below `low`, 1 above `high`, smooth between.
fn step(low: f32, high: f32, value: f32) -> f32 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

const GARMENTS: [[f32; 3]; 6] = [
    [54.0, 62.0, 88.0],
    [78.0, 80.0, 78.0],
    [98.0, 62.0, 56.0],
    [66.0, 80.0, 68.0],
    [46.0, 48.0, 54.0],
    [92.0, 82.0, 100.0],
];
/// Pixels to an eye distance.
pub(super) const SCALE: f32 = 110.0;
pub(super) const WIDTH: usize = 1000;
pub(super) const HEIGHT: usize = 770;
/// The middle between the eyes, in pixels.
pub(super) const ORIGIN: (f32, f32) = (500.0, 270.0);
