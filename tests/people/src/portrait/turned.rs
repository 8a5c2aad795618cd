//! Turns the head: the flat picture lies on a head-shaped relief, which is rotated and seen in perspective.

use super::{
    Pose,
    canvas::{self, Canvas},
};
use image::{Rgb, RgbImage};

/// Where and how large the person appears.
pub(super) struct View {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Where the middle between the eyes lies when the head is straight, in pixels.
    pub(super) eyes_at: (f32, f32),
    /// In pixels.
    pub(super) eye_distance: f32,
}

/// Draws the person over a wall.
pub(super) fn draw(
    canvas: &Canvas,
    pose: &Pose,
    view: &View,
    wall: impl Fn(u32, u32) -> [f32; 3],
) -> RgbImage {
    let head = Head::of(canvas, pose);
    let mesh = Mesh::of(&head, view);
    let mut plate = Plate::new(view);
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            if !canvas.shows(cell(column, COLUMNS, canvas::WIDTH), cell(row, ROWS, canvas::HEIGHT))
            {
                continue;
            }
            let corner = row * (COLUMNS + 1) + column;
            let quad = [corner, corner + 1, corner + COLUMNS + 1, corner + COLUMNS + 2]
                .map(|i| mesh.vertices[i]);
            plate.triangle(canvas, [quad[0], quad[1], quad[2]]);
            plate.triangle(canvas, [quad[1], quad[3], quad[2]]);
        }
    }
    plate.over(view, wall)
}

/// The canvas pixels of a cell of the mesh in one direction.
fn cell(index: usize, n_cells: usize, length: usize) -> std::ops::Range<usize> {
    index * length / n_cells..((index + 1) * length / n_cells + 1).min(length)
}

/// The relief of a head and its rotation, all in eye distances.
struct Head {
    half_width: f32,
    middle: f32,
    chin: f32,
    nose: [f32; 2],
    rotation: [[f32; 3]; 3],
}

impl Head {
    fn of(canvas: &Canvas, pose: &Pose) -> Self {
        let marks = &canvas.landmarks;
        Self {
            half_width: ((marks[16][0] - marks[0][0]) / 2.0).clamp(0.8, 1.6) * 1.06,
            middle: (marks[16][0] + marks[0][0]) / 2.0,
            chin: marks[8][1],
            nose: marks[30],
            rotation: rotation(pose.yaw_deg, pose.pitch_deg, pose.roll_deg),
        }
    }

    /// Towards the camera.
    fn relief(&self, x: f32, y: f32) -> f32 {
        let (u, v) = ((x - self.middle) / self.half_width, (y - 0.2) / 2.15);
        let radius = (u * u + v * v).sqrt();
        let dome = if radius < 0.9 {
            (1.0 - radius * radius).sqrt()
        } else {
            0.436 - 1.1 * (radius - 0.9)
        };
        let along = (y / self.nose[1].max(0.3)).clamp(0.0, 1.25);
        let ridge = if y < 0.0 {
            0.0
        } else {
            along * along * (1.0 - ((along - 1.0) / 0.25).clamp(0.0, 1.0))
        };
        let across = (x - self.nose[0] * along) / (0.13 + 0.12 * along);
        let sockets =
            [-0.5, 0.5].map(|eye| (-((x - eye) / 0.28).powi(2) - (y / 0.2).powi(2)).exp());
        1.35 * dome.max(-0.5) + 0.42 * ridge * (-across * across).exp()
            - 0.07 * (sockets[0] + sockets[1])
    }

    /// How far a place goes along with the head: the neck takes the turn up, the shoulders stay.
    fn follows(&self, y: f32) -> f32 {
        let t = ((y - self.chin + 0.15) / 1.1).clamp(0.0, 1.0);
        1.0 - t * t * (3.0 - 2.0 * t)
    }

    /// Where a place of the flat picture goes in space.
    fn place(&self, x: f32, y: f32) -> [f32; 3] {
        let follows = self.follows(y);
        let z = self.relief(x, y) * follows;
        let arm = [x - self.middle, y - PIVOT[1], z - PIVOT[2]];
        let turned = self.rotation.map(|row| row[0] * arm[0] + row[1] * arm[1] + row[2] * arm[2]);
        let moved = [turned[0] + self.middle, turned[1] + PIVOT[1], turned[2] + PIVOT[2]];
        let still = [x, y, z];
        std::array::from_fn(|i| still[i] + (moved[i] - still[i]) * follows)
    }
}

fn rotation(yaw_deg: f32, pitch_deg: f32, roll_deg: f32) -> [[f32; 3]; 3] {
    let (sy, cy) = yaw_deg.to_radians().sin_cos();
    let (sp, cp) = (-pitch_deg).to_radians().sin_cos();
    let (sr, cr) = roll_deg.to_radians().sin_cos();
    let yaw = [[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]];
    let pitch = [[1.0, 0.0, 0.0], [0.0, cp, sp], [0.0, -sp, cp]];
    let roll = [[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]];
    product(roll, product(pitch, yaw))
}

fn product(a: [[f32; 3]; 3], b: [[f32; 3]; 3]) -> [[f32; 3]; 3] {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// A corner of the mesh: where it is seen, how near it is, and which canvas pixel it shows.
#[derive(Clone, Copy)]
struct Vertex {
    x: f32,
    y: f32,
    near: f32,
    u: f32,
    v: f32,
}

struct Mesh {
    vertices: Vec<Vertex>,
}

impl Mesh {
    fn of(head: &Head, view: &View) -> Self {
        let mut vertices = Vec::with_capacity((ROWS + 1) * (COLUMNS + 1));
        for row in 0..=ROWS {
            for column in 0..=COLUMNS {
                let u = column as f32 / COLUMNS as f32 * (canvas::WIDTH - 2) as f32;
                let v = row as f32 / ROWS as f32 * (canvas::HEIGHT - 2) as f32;
                let flat = (
                    (u - canvas::ORIGIN.0) / canvas::SCALE,
                    (v - canvas::ORIGIN.1) / canvas::SCALE,
                );
                let place = head.place(flat.0, flat.1);
                // The picture was taken by a camera already: only what came nearer or went away changes in size.
                let nearer = place[2] - head.relief(flat.0, flat.1) * head.follows(flat.1);
                let closer = CAMERA / (CAMERA - nearer.clamp(-3.0, 3.0));
                let (x, y) = (place[0] * closer, place[1] * closer);
                let (x, y) = (
                    view.eyes_at.0 + x * view.eye_distance,
                    view.eyes_at.1 + y * view.eye_distance,
                );
                vertices.push(Vertex { x, y, near: place[2], u, v });
            }
        }
        Self { vertices }
    }
}

/// What was drawn so far.
struct Plate {
    width: usize,
    height: usize,
    pixels: Vec<canvas::Pixel>,
    near: Vec<f32>,
}

impl Plate {
    fn new(view: &View) -> Self {
        let (width, height) = (view.width as usize, view.height as usize);
        Self {
            width,
            height,
            pixels: vec![[0.0; 4]; width * height],
            near: vec![f32::MIN; width * height],
        }
    }

    fn triangle(&mut self, canvas: &Canvas, [a, b, c]: [Vertex; 3]) {
        let area = (b.x - a.x) * (c.y - a.y) - (c.x - a.x) * (b.y - a.y);
        if area <= 1e-4 {
            return;
        }
        let span = |p: f32, q: f32, r: f32, max: usize| {
            let (low, high) = (p.min(q).min(r).ceil().max(0.0), p.max(q).max(r).floor() + 1.0);
            low as usize..(high.max(0.0) as usize).min(max)
        };
        for y in span(a.y, b.y, c.y, self.height) {
            for x in span(a.x, b.x, c.x, self.width) {
                let (dx, dy) = (x as f32 - a.x, y as f32 - a.y);
                let s = (dx * (c.y - a.y) - (c.x - a.x) * dy) / area;
                let t = ((b.x - a.x) * dy - dx * (b.y - a.y)) / area;
                if s < -1e-4 || t < -1e-4 || s + t > 1.0001 {
                    continue;
                }
                let mix = |p: f32, q: f32, r: f32| p + s * (q - p) + t * (r - p);
                let at = y * self.width + x;
                let colour = canvas.at_pixel(mix(a.u, b.u, c.u), mix(a.v, b.v, c.v));
                self.put(at, mix(a.near, b.near, c.near), colour);
            }
        }
    }

    fn put(&mut self, at: usize, near: f32, colour: canvas::Pixel) {
        if colour[3] < 0.02 || near < self.near[at] {
            return;
        }
        let under = self.pixels[at];
        let opacity = colour[3];
        self.pixels[at] = std::array::from_fn(|i| match i {
            3 => opacity + under[3] * (1.0 - opacity),
            _ => colour[i] * opacity + under[i] * (1.0 - opacity),
        });
        if opacity > 0.5 {
            self.near[at] = near;
        }
    }

    fn over(&self, view: &View, wall: impl Fn(u32, u32) -> [f32; 3]) -> RgbImage {
        // Far away the canvas ends above the frame's edge: the garment goes on.
        let foot = view.eyes_at.1 + FOOT * view.eye_distance;
        let last = foot.clamp(0.0, self.height as f32 - 1.0) as usize;
        RgbImage::from_fn(view.width, view.height, |x, y| {
            let pixel = self.pixels[(y as usize).min(last) * self.width + x as usize];
            let wall = wall(x, y);
            Rgb(std::array::from_fn(|i| {
                (pixel[i] + wall[i] * (1.0 - pixel[3]) + 0.5).clamp(0.0, 255.0) as u8
            }))
        })
    }
}

/// The canvas' last row but a few, in eye distances below the eyes.
const FOOT: f32 = (canvas::HEIGHT as f32 - 8.0 - canvas::ORIGIN.1) / canvas::SCALE;
const COLUMNS: usize = 80;
const ROWS: usize = 64;
/// The top of the neck, about which the head turns.
const PIVOT: [f32; 3] = [0.0, 1.1, -0.3];
/// How far away the camera stands.
const CAMERA: f32 = 11.0;
