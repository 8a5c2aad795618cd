//! `TWLT`, a stand-in for the picture on an identity card: 102 x 126 pixels in 1024 bytes.
//!
//! This is NOT the codec of real cards (that one is closed and licensed). It exists so that a simulated card can
//! carry a portrait that still shows who it is. A 9/7 wavelet, quantised with more care inside the face than
//! around it, goes through an adaptive arithmetic coder; the quantiser is the finest that fits.

mod bands;
mod coder;
mod wavelet;

use image::{Rgb, RgbImage};

/// Pixels across.
pub const WIDTH: u32 = 102;
/// Pixels down.
pub const HEIGHT: u32 = 126;
/// The first bytes of each block; a real card starts differently, so nobody takes one for the other.
pub const MAGIC: [u8; 4] = *b"TWLT";

/// Why a block is no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhotoError {
    /// The block does not begin with [`MAGIC`]: perhaps the photo of a real card, which nothing here can read.
    NotOurs,
    /// The check over the block is wrong.
    Damaged,
}

impl std::fmt::Display for PhotoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotOurs => "not a photo of a simulated card",
            Self::Damaged => "photo of a simulated card is damaged",
        })
    }
}

impl std::error::Error for PhotoError {}

/// Packs a picture of any size; it is brought to 102 x 126 pixels first.
pub fn encode(picture: &RgbImage) -> [u8; 1024] {
    let planes = Planes::of(picture);
    let (mut too_fine, mut fits) = (0u8, u8::MAX);
    let mut best = planes.pack(fits);
    while fits - too_fine > 1 {
        let middle = too_fine + (fits - too_fine) / 2;
        let packed = planes.pack(middle);
        if packed.len() <= ROOM {
            (fits, best) = (middle, packed);
        } else {
            too_fine = middle;
        }
    }
    best.truncate(ROOM);
    let mut block = [0; 1024];
    block[..4].copy_from_slice(&MAGIC);
    block[HEAD - 1] = fits;
    block[HEAD..HEAD + best.len()].copy_from_slice(&best);
    let check = check(&block);
    block[4..6].copy_from_slice(&check);
    block
}

/// Unpacks a picture of 102 x 126 pixels.
pub fn decode(block: &[u8; 1024]) -> Result<RgbImage, PhotoError> {
    if block[..4] != MAGIC {
        return Err(PhotoError::NotOurs);
    }
    if block[4..6] != check(block) {
        return Err(PhotoError::Damaged);
    }
    Ok(Planes::unpack(block[HEAD - 1], &block[HEAD..]).picture())
}

/// Brightness in full size, the two colour differences in a quarter of the width and height.
struct Planes {
    luma: Vec<f32>,
    chroma: [Vec<f32>; 2],
}

impl Planes {
    fn of(picture: &RgbImage) -> Self {
        let picture =
            image::imageops::resize(picture, WIDTH, HEIGHT, image::imageops::FilterType::Triangle);
        let difference = |channel: usize| {
            let full: Vec<f32> =
                picture.pixels().map(|p| f32::from(p[channel]) - luma(p)).collect();
            shrink(&full)
        };
        Self {
            luma: picture.pixels().map(|p| luma(p) - 128.0).collect(),
            chroma: [difference(0), difference(2)],
        }
    }

    fn pack(&self, step_code: u8) -> Vec<u8> {
        let step = step(step_code);
        let mut encoder = coder::Encoder::default();
        let mut model = bands::Model::new();
        bands::write(
            &mut encoder,
            &mut model,
            &wavelet::forward(&self.luma, LUMA_SIZE),
            LUMA_SIZE,
            step,
            true,
        );
        let mut model = bands::Model::new();
        for plane in &self.chroma {
            let coefficients = wavelet::forward(plane, CHROMA_SIZE);
            bands::write(
                &mut encoder,
                &mut model,
                &coefficients,
                CHROMA_SIZE,
                step * CHROMA_STEP,
                false,
            );
        }
        encoder.finish()
    }

    fn unpack(step_code: u8, bytes: &[u8]) -> Self {
        let step = step(step_code);
        let mut decoder = coder::Decoder::new(bytes);
        let mut model = bands::Model::new();
        let luma = wavelet::inverse(
            &bands::read(&mut decoder, &mut model, LUMA_SIZE, step, true),
            LUMA_SIZE,
        );
        let mut model = bands::Model::new();
        let chroma = [(); 2].map(|()| {
            let coefficients =
                bands::read(&mut decoder, &mut model, CHROMA_SIZE, step * CHROMA_STEP, false);
            wavelet::inverse(&coefficients, CHROMA_SIZE)
        });
        Self { luma, chroma }
    }

    fn picture(&self) -> RgbImage {
        let (red, blue) = (grow(&self.chroma[0]), grow(&self.chroma[1]));
        RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
            let at = (y * WIDTH + x) as usize;
            let luma = self.luma[at] + 128.0;
            let (r, b) = (luma + red[at], luma + blue[at]);
            let g = (luma - 0.299 * r - 0.114 * b) / 0.587;
            Rgb([r, g, b].map(|sample| (sample + 0.5).clamp(0.0, 255.0) as u8))
        })
    }
}

fn luma(pixel: &Rgb<u8>) -> f32 {
    0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2])
}

/// The quantiser's step in grey levels: sixteen codes double it.
fn step(code: u8) -> f32 {
    const ROOTS: [f32; 16] = [
        1.0,
        1.044_273_8,
        1.090_507_7,
        1.138_788_6,
        1.189_207_1,
        1.241_857_8,
        1.296_839_6,
        1.354_255_5,
        std::f32::consts::SQRT_2,
        1.476_826_1,
        1.542_210_8,
        1.610_490_3,
        1.681_792_8,
        1.756_252_2,
        1.834_008_1,
        1.915_206_6,
    ];
    ROOTS[usize::from(code % 16)] * (1u32 << (code / 16)) as f32
}

fn shrink(full: &[f32]) -> Vec<f32> {
    let (width, height) = CHROMA_SIZE;
    let mut small = vec![0.0; width * height];
    for y in 0..height {
        for x in 0..width {
            let columns = x * 4..(x * 4 + 4).min(WIDTH as usize);
            let rows = y * 4..(y * 4 + 4).min(HEIGHT as usize);
            let n_pixels = (columns.len() * rows.len()) as f32;
            let sum: f32 = rows
                .flat_map(|row| {
                    columns.clone().map(move |column| full[row * WIDTH as usize + column])
                })
                .sum();
            small[y * width + x] = sum / n_pixels;
        }
    }
    small
}

fn grow(small: &[f32]) -> Vec<f32> {
    let (width, height) = CHROMA_SIZE;
    let sample = |x: f32, y: f32| {
        let (x, y) = (x.clamp(0.0, (width - 1) as f32), y.clamp(0.0, (height - 1) as f32));
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
        let (u, v) = (x - left as f32, y - top as f32);
        let at = |x: usize, y: usize| small[y * width + x];
        (1.0 - v) * ((1.0 - u) * at(left, top) + u * at(right, top))
            + v * ((1.0 - u) * at(left, bottom) + u * at(right, bottom))
    };
    let row = |y: u32| (0..WIDTH).map(move |x| ((x as f32 - 1.5) / 4.0, (y as f32 - 1.5) / 4.0));
    (0..HEIGHT).flat_map(row).map(|(x, y)| sample(x, y)).collect()
}

/// CRC-16/CCITT over everything except the check itself.
fn check(block: &[u8; 1024]) -> [u8; 2] {
    let mut crc = 0xffff_u16;
    for &byte in block[..4].iter().chain(&block[6..]) {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
        }
    }
    crc.to_be_bytes()
}

const LUMA_SIZE: (usize, usize) = (WIDTH as usize, HEIGHT as usize);
const CHROMA_SIZE: (usize, usize) = (LUMA_SIZE.0.div_ceil(4), LUMA_SIZE.1.div_ceil(4));
/// Colour is quantised coarser: it says little about who somebody is.
const CHROMA_STEP: f32 = 1.5;
/// Magic, check, quantiser.
const HEAD: usize = 7;
const ROOM: usize = 1024 - HEAD;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_picture_survives_the_thousand_bytes() {
        for seed in 0..4 {
            let picture = crate::Person::generate(7, seed).portrait();
            let small = image::imageops::resize(
                &picture,
                WIDTH,
                HEIGHT,
                image::imageops::FilterType::Triangle,
            );
            let back = decode(&encode(&small)).expect("our own block");
            let psnr = psnr(&small, &back);
            assert!(psnr > 27.0, "person {seed}: {psnr:.1} dB");
        }
    }

    #[test]
    fn even_noise_fits_into_the_block() {
        let mut random = crate::random::Random::of(&[5]);
        let noise = RgbImage::from_fn(WIDTH, HEIGHT, |_, _| {
            Rgb([random.next() as u8, random.next() as u8, random.next() as u8])
        });
        assert!(decode(&encode(&noise)).is_ok());
    }

    #[test]
    fn a_block_without_the_magic_is_refused() {
        assert_eq!(decode(&[0; 1024]), Err(PhotoError::NotOurs));
    }

    #[test]
    fn a_changed_bit_never_passes() {
        let block = encode(&RgbImage::from_fn(WIDTH, HEIGHT, |x, y| Rgb([x as u8, y as u8, 90])));
        for bit in 0..8192 {
            let mut changed = block;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&changed).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 1024)) {
            let mut block: [u8; 1024] = bytes.try_into().expect("1024 bytes");
            block[..4].copy_from_slice(&MAGIC);
            let check = check(&block);
            block[4..6].copy_from_slice(&check);
            prop_assert!(decode(&block).is_ok());
        }
    }

    fn psnr(a: &RgbImage, b: &RgbImage) -> f32 {
        let squares: f32 =
            a.pixels().zip(b.pixels()).map(|(p, q)| (luma(p) - luma(q)).powi(2)).sum();
        10.0 * (255.0f32.powi(2) * (WIDTH * HEIGHT) as f32 / squares).log10()
    }
}
