//! What lies on the glass, seen in a frame: ridges are dark lines on a light ground, so
//! where a finger lies there is contrast within a few pixels. Pure. No judgement of
//! quality for matching, only whether asking the person again would help.

/// What a frame shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// No finger.
    Nothing,
    /// A finger with which something is wrong.
    Poor(Poor),
    /// A finger.
    Good,
}

/// What is wrong with a finger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poor {
    /// Ridges hardly show: dry, or too light a touch.
    Faint,
    /// Ridges run together: wet, or too hard.
    Dark,
    /// Only a small part lies on the glass.
    Small,
}

/// Judges a frame of rows of `width` grey values, 0 is black.
pub fn judge(pixels: &[u8], width: usize) -> Touch {
    let (mut n_tiles, mut n_ridged, mut n_faint, mut n_dark) = (0u32, 0u32, 0u32, 0u32);
    let width = width.max(TILE);
    for band in pixels.chunks_exact(width * TILE) {
        for left in (0..=width - TILE).step_by(TILE) {
            n_tiles += 1;
            let (mean, spread) = statistics(band, width, left);
            match () {
                () if spread >= RIDGED => n_ridged += 1,
                () if mean <= DARK => n_dark += 1,
                () if spread >= FAINT => n_faint += 1,
                () => {}
            }
        }
    }
    // A large window is not better filled for being large, so an area is enough.
    let enough = |percent: u32, n_enough: u32| (n_tiles * percent / 100).clamp(1, n_enough);
    let (good, touched) = (enough(22, GOOD_TILES), enough(6, TOUCHED_TILES));
    match () {
        () if n_dark >= enough(20, GOOD_TILES) && n_dark > n_ridged => Touch::Poor(Poor::Dark),
        () if n_ridged >= good => Touch::Good,
        () if n_ridged + n_faint < touched => Touch::Nothing,
        () if n_ridged + n_faint >= good && n_faint > n_ridged => Touch::Poor(Poor::Faint),
        () => Touch::Poor(Poor::Small),
    }
}

/// Whether a finger kept still between two frames. A scanner's own noise is a few grey
/// values; a finger that moves by half a ridge changes most pixels by far more.
pub fn is_steady(before: &[u8], after: &[u8]) -> bool {
    if before.len() != after.len() || before.is_empty() {
        return false;
    }
    // A prime step falls on all columns in turn, and a fifth of the pixels tells as much.
    let pairs = before.iter().zip(after).step_by(5);
    let (sum, n) = pairs.fold((0, 0), |(sum, n), (a, b)| (sum + u64::from(a.abs_diff(*b)), n + 1));
    sum <= STEADY * n
}

/// Mean and standard deviation of the tile whose left edge is at `left`.
fn statistics(band: &[u8], width: usize, left: usize) -> (u32, u32) {
    let (mut sum, mut squares) = (0u32, 0u32);
    for row in band.chunks_exact(width).step_by(ROW_STEP) {
        for pixel in &row[left..left + TILE] {
            let value = u32::from(*pixel);
            sum += value;
            squares += value * value;
        }
    }
    // Each product is at most 255 squared times 128 squared, which fits.
    let n = (TILE * TILE / ROW_STEP) as u32;
    let variance = (n * squares - sum * sum) / (n * n);
    (sum / n, variance.isqrt())
}

/// A little more than one ridge and one valley at 500 pixels an inch.
const TILE: usize = 16;
/// Every second row shows the same ridges, in half the time.
const ROW_STEP: usize = 2;
/// Spread, in grey values, of ridges that can be used.
const RIDGED: u32 = 22;
/// Spread of ridges that hardly show, above the noise of a glass.
const FAINT: u32 = 8;
/// Mean, in grey values, where ridges have run together.
const DARK: u32 = 60;
/// Half a square centimetre at 500 pixels an inch.
const GOOD_TILES: u32 = 75;
/// A tenth of one.
const TOUCHED_TILES: u32 = 20;
/// Mean change, in grey values.
const STEADY: u64 = 14;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_on_the_glass_is_told_apart() {
        assert_eq!(judge(&finger(0, 100, 128), 256), Touch::Good);
        assert_eq!(judge(&vec![240; 256 * 360], 256), Touch::Nothing);
        let grain: Vec<u8> = (0..256 * 360u64).map(|i| 240 + (i * i % 5) as u8).collect();
        assert_eq!(judge(&grain, 256), Touch::Nothing);
        assert_eq!(judge(&vec![255; 256 * 360], 256), Touch::Nothing);
        assert_eq!(judge(&vec![0; 256 * 360], 256), Touch::Poor(Poor::Dark));
        assert_eq!(judge(&finger(0, 18, 200), 256), Touch::Poor(Poor::Faint));
        assert_eq!(judge(&finger(0, 10, 25), 256), Touch::Poor(Poor::Dark));
        let mut part = finger(0, 100, 128);
        part[256 * 120..].fill(240);
        assert_eq!(judge(&part, 256), Touch::Poor(Poor::Small));
    }

    #[test]
    fn noise_is_steady_and_a_shift_of_half_a_ridge_is_not() {
        let still = finger(0, 100, 128);
        let noisy: Vec<u8> = still.iter().enumerate().map(|(i, p)| p ^ (i as u8 & 3)).collect();
        assert!(is_steady(&still, &noisy));
        assert!(!is_steady(&still, &finger(4, 100, 128)));
        assert!(!is_steady(&still, &still[1..]));
        assert!(!is_steady(&[], &[]));
    }

    /// What the thresholds make of real fingers: not a measure of quality, only that nobody
    /// with a finger that a matcher can use is sent away.
    #[test]
    fn real_fingers_of_the_public_sets_are_seen() {
        let sets = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/testdata/fingerprints");
        for set in ["FVC2002_DB1_B", "FVC2004_DB1_B", "FVC2004_DB3_B"] {
            let Ok(folder) = std::fs::read_dir(format!("{sets}/{set}")) else {
                eprintln!("skipped: no {set} here");
                continue;
            };
            let (mut n, mut n_good, mut n_nothing) = (0, 0, 0);
            for file in folder {
                let Ok(image) = image::open(file.unwrap().path()) else { continue };
                let image = image.to_luma8();
                let touch = judge(image.as_raw(), image.width() as usize);
                n += 1;
                n_good += u32::from(touch == Touch::Good);
                n_nothing += u32::from(touch == Touch::Nothing);
            }
            eprintln!("{set}: {n} fingers, {n_good} good, {n_nothing} not seen");
            assert!(n_nothing == 0 && n_good * 100 >= n * 90, "{set}: {n_good} of {n}");
        }
    }

    proptest! {
        #[test]
        fn any_frame_is_something(
            pixels in prop::collection::vec(any::<u8>(), 0..5000), width in 0usize..300,
        ) {
            judge(&pixels, width);
            is_steady(&pixels, &pixels);
        }
    }

    /// Rings of ridges, nine pixels apart, in an ellipse on a light ground, as on a glass of
    /// 256 x 360.
    fn finger(shift: i32, contrast: i32, mean: i32) -> Vec<u8> {
        let pixel = |i: i32| {
            let (x, y) = (i % 256 - 128, i / 256 - 180);
            if x * x * 4 + y * y > 170 * 170 {
                return 240;
            }
            let far = f64::from((x - shift) * (x - shift) + y * y).sqrt();
            let wave = (far * std::f64::consts::TAU / 9.0).sin();
            (mean + (wave * f64::from(contrast)) as i32).clamp(0, 255) as u8
        };
        (0..256 * 360).map(pixel).collect()
    }
}
