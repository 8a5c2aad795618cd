//! What the ridges of a print of unknown origin say about how it was taken: how far apart
//! they lie, and whether the picture is a negative. A sensor's own pictures need none of it.

use super::GreyImage;

/// Which way light and dark are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polarity {
    /// Dark ridges on a light ground.
    Positive,
    /// Light ridges on a dark ground.
    Negative,
    /// There is too little ground to tell.
    Untold,
}

impl GreyImage {
    /// The resolution that the distance of the ridges speaks for, where the one that is said
    /// cannot be: ridges of a grown person lie 0.4 to 0.6 mm apart. Nothing where that may
    /// well be, or where there are too few ridges to tell.
    pub fn ppi_by_ridges(&self) -> Option<u32> {
        let period = self.ridge_period()?;
        let as_said = period * 500.0 / self.ppi as f32;
        let is_usual = (PERIOD_LEAST..=PERIOD_MOST).contains(&as_said);
        let ppi = 500.0 * period / PERIOD;
        let nearest = |a: &&u32, b: &&u32| {
            let off = |usual: &u32| (ppi / *usual as f32).ln().abs();
            off(a).total_cmp(&off(b))
        };
        // One of the resolutions that sensors have, so that all prints of one get the same.
        USUAL_PPI.iter().min_by(nearest).copied().filter(|_| !is_usual)
    }

    /// What the ground speaks for: a print on a light one is as it should be, one on a dark
    /// one a negative. A print that fills its picture has no ground.
    pub fn polarity(&self) -> Polarity {
        let (mut ground, mut print) = (Vec::new(), Vec::new());
        for (left, top) in self.windows(GROUND_WINDOW, GROUND_WINDOW) {
            let (mean, deviation) = self.grey_of(left, top, GROUND_WINDOW);
            match deviation {
                d if d < FLAT => ground.push(mean),
                d if d > RIDGED => print.push(mean),
                _ => {}
            }
        }
        let enough = 20 * ground.len() >= print.len() && print.len() >= WINDOWS_MIN;
        match (median(ground), median(print)) {
            (Some(ground), Some(print)) if enough && ground < DARK && print > ground + FLAT => {
                Polarity::Negative
            }
            (Some(ground), Some(print)) if enough && ground > print + FLAT => Polarity::Positive,
            _ => Polarity::Untold,
        }
    }

    /// The part that holds ridges, with a little around them; nothing where there are none.
    pub fn cropped_to_ridges(&self) -> Option<Self> {
        let ridged: Vec<(u32, u32)> = self
            .windows(WINDOW, WINDOW / 2)
            .filter(|&(left, top)| self.period_in(left, top).is_some())
            .collect();
        let edges = |of: fn(&(u32, u32)) -> u32, size: u32| {
            let least = ridged.iter().map(of).min()?.saturating_sub(WINDOW / 2);
            let most = ridged.iter().map(of).max()? + WINDOW + WINDOW / 2;
            Some((least, most.min(size)))
        };
        let (left, right) = edges(|at| at.0, self.width)?;
        let (top, bottom) = edges(|at| at.1, self.height)?;
        let row = |y: u32| {
            let start = (y * self.width) as usize;
            &self.pixels[start + left as usize..start + right as usize]
        };
        let pixels = (top..bottom).flat_map(|y| row(y).iter().copied()).collect();
        Some(Self { width: right - left, height: bottom - top, ppi: self.ppi, pixels })
    }

    /// The picture with light and dark changed.
    pub fn negative(mut self) -> Self {
        self.pixels.iter_mut().for_each(|grey| *grey = 255 - *grey);
        self
    }

    /// Pixels from ridge to ridge, the median over the picture.
    fn ridge_period(&self) -> Option<f32> {
        let windows = self.windows(WINDOW, WINDOW / 2);
        let periods: Vec<f32> =
            windows.filter_map(|(left, top)| self.period_in(left, top)).collect();
        if periods.len() < WINDOWS_MIN { None } else { median(periods) }
    }

    fn windows(&self, size: u32, step: u32) -> impl Iterator<Item = (u32, u32)> {
        let starts = move |length: u32| {
            let last = (length + 1).saturating_sub(size);
            (0..last).step_by(step as usize)
        };
        let (columns, rows) = (starts(self.width), starts(self.height));
        rows.flat_map(move |top| columns.clone().map(move |left| (left, top)))
    }

    fn grey_of(&self, left: u32, top: u32, size: u32) -> (f32, f32) {
        let (mut sum, mut square) = (0.0, 0.0);
        for y in top..top + size {
            for x in left..left + size {
                let grey = self.grey(x, y);
                sum += grey;
                square += grey * grey;
            }
        }
        let n = (size * size) as f32;
        let mean = sum / n;
        (mean, (square / n - mean * mean).max(0.0).sqrt())
    }

    fn grey(&self, x: u32, y: u32) -> f32 {
        f32::from(self.pixels[(y * self.width + x) as usize])
    }

    /// Across the ridges of one window the grey goes up and down; the distance at which it
    /// is most like itself again is theirs.
    fn period_in(&self, left: u32, top: u32) -> Option<f32> {
        let across = self.direction_across(left, top)?;
        let (sin, cos) = across.sin_cos();
        let centre = ((left + WINDOW / 2) as f32, (top + WINDOW / 2) as f32);
        let half = WINDOW as f32 / 2.0 - 1.0;
        let profile: Vec<f32> = (0..2 * half as i32)
            .map(|step| {
                let t = step as f32 - half;
                let along = (-ALONG..=ALONG).map(|s| {
                    let s = s as f32;
                    let (x, y) = (centre.0 + t * cos - s * sin, centre.1 + t * sin + s * cos);
                    f32::from(self.bilinear(x, y))
                });
                along.sum::<f32>() / (2 * ALONG + 1) as f32
            })
            .collect();
        first_return(&profile)
    }

    /// The direction in which the grey changes most, where there is a clear one.
    fn direction_across(&self, left: u32, top: u32) -> Option<f32> {
        let (_, deviation) = self.grey_of(left, top, WINDOW);
        if deviation < RIDGED {
            return None;
        }
        let (mut xx, mut yy, mut xy) = (0.0f32, 0.0f32, 0.0f32);
        for y in top + 1..top + WINDOW - 1 {
            for x in left + 1..left + WINDOW - 1 {
                let dx = self.grey(x + 1, y) - self.grey(x - 1, y);
                let dy = self.grey(x, y + 1) - self.grey(x, y - 1);
                xx += dx * dx;
                yy += dy * dy;
                xy += dx * dy;
            }
        }
        let clear = (xx - yy).hypot(2.0 * xy) / (xx + yy).max(1.0);
        (clear > CLEAR).then(|| (2.0 * xy).atan2(xx - yy) / 2.0)
    }
}

/// The first distance beyond the first valley at which the profile is like itself again,
/// between its neighbours by a parabola.
fn first_return(profile: &[f32]) -> Option<f32> {
    let mean = profile.iter().sum::<f32>() / profile.len() as f32;
    let alike = |lag: usize| {
        let pairs = profile.iter().zip(&profile[lag..]);
        let sum: f32 = pairs.map(|(a, b)| (a - mean) * (b - mean)).sum();
        sum / (profile.len() - lag) as f32
    };
    let likeness: Vec<f32> = (0..=LAG_MAX).map(alike).collect();
    let valley = (1..LAG_MAX).find(|&lag| likeness[lag] < 0.0)?;
    let peak = (valley + 1..LAG_MAX)
        .find(|&lag| likeness[lag] > likeness[lag - 1] && likeness[lag] >= likeness[lag + 1])?;
    if likeness[peak] < RETURN_MIN * likeness[0] {
        return None;
    }
    let (a, b, c) = (likeness[peak - 1], likeness[peak], likeness[peak + 1]);
    let bent = a - 2.0 * b + c;
    let offset = if bent.abs() > f32::EPSILON { 0.5 * (a - c) / bent } else { 0.0 };
    Some(peak as f32 + offset)
}

fn median(mut values: Vec<f32>) -> Option<f32> {
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The usual distance of ridges, in pixels at 500 per inch; between least and most nothing
/// is concluded from it. (Grown people's fingers of the sets at hand: 7.6 to 10.9.)
const PERIOD: f32 = 9.0;
const PERIOD_LEAST: f32 = 5.8;
const PERIOD_MOST: f32 = 13.5;
const USUAL_PPI: [u32; 5] = [250, 300, 500, 800, 1000];
const WINDOW: u32 = 64;
const LAG_MAX: usize = 40;
/// Rows averaged to both sides; ridges bend, so few.
const ALONG: i32 = 5;
const WINDOWS_MIN: usize = 6;
/// Standard deviations of the grey: of ground, and of ridges.
const FLAT: f32 = 10.0;
const RIDGED: f32 = 18.0;
const DARK: f32 = 80.0;
const GROUND_WINDOW: u32 = 16;
/// Coherence of the direction, 0..1.
const CLEAR: f32 = 0.35;
const RETURN_MIN: f32 = 0.15;

#[cfg(test)]
mod tests {
    use std::f32::consts::FRAC_PI_2;

    use super::*;

    /// Parallel ridges of this period over the middle of a light ground.
    fn print(width: u32, height: u32, period: f32, turn: f32) -> GreyImage {
        let (sin, cos) = turn.sin_cos();
        let grey = |x: u32, y: u32| {
            let (dx, dy) = (x as f32 - width as f32 / 2.0, y as f32 - height as f32 / 2.0);
            if dx.hypot(dy) > 0.4 * height as f32 {
                return 235;
            }
            let phase = (dx * cos + dy * sin) * std::f32::consts::TAU / period;
            (120.0 + 80.0 * phase.cos()) as u8
        };
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| grey(x, y)));
        GreyImage::new(width, height, 500, pixels.collect()).unwrap()
    }

    #[test]
    fn the_distance_of_ridges_is_measured_in_every_direction() {
        for turn in [0.0, 0.4, 0.8, FRAC_PI_2, 2.2, 3.0] {
            for period in [5.0, 9.0, 17.5] {
                let found = print(400, 400, period, turn).ridge_period().unwrap();
                assert!((found - period).abs() < 0.05 * period, "{found} {period} {turn}");
            }
        }
    }

    #[test]
    fn only_what_cannot_be_500_pixels_per_inch_is_doubted() {
        let ppi = |period| print(400, 400, period, 0.7).ppi_by_ridges();
        assert_eq!([7.0, 9.0, 12.0].map(ppi), [None; 3]);
        assert_eq!((ppi(18.0), ppi(4.6)), (Some(1000), Some(250)));
        let said = |ppi, period| {
            let print = print(400, 400, period, 0.7);
            GreyImage { ppi, ..print }.ppi_by_ridges()
        };
        assert_eq!((said(1000, 18.0), said(1000, 9.0)), (None, Some(500)));
        assert_eq!((said(300, 5.4), said(300, 9.0)), (None, Some(500)));
        assert_eq!(GreyImage::new(300, 300, 500, vec![230; 90_000]).unwrap().ppi_by_ridges(), None);
    }

    #[test]
    fn a_negative_is_known_by_its_ground() {
        let print = print(400, 400, 9.0, 0.7);
        assert_eq!(print.polarity(), Polarity::Positive);
        assert_eq!(print.clone().negative().polarity(), Polarity::Negative);
        assert_eq!(print.clone().negative().negative(), print);
        let blank = GreyImage::new(300, 300, 500, vec![10; 90_000]).unwrap();
        assert_eq!(blank.polarity(), Polarity::Untold, "there is nothing on it");
        let full = super::tests::print(160, 160, 9.0, 0.7);
        let pixels = (0..100).flat_map(|y| full.pixels[(y + 30) * 160 + 30..][..100].to_vec());
        let full = GreyImage::new(100, 100, 500, pixels.collect()).unwrap();
        assert_eq!(full.polarity(), Polarity::Untold, "there is no ground");
    }

    #[test]
    fn a_print_on_a_large_sheet_is_found() {
        let small = print(300, 300, 9.0, 0.7);
        let mut sheet = GreyImage::new(2400, 1800, 500, vec![235; 2400 * 1800]).unwrap();
        for y in 0..300 {
            let at = (900 + y) * 2400 + 1500;
            sheet.pixels[at..at + 300].copy_from_slice(&small.pixels[y * 300..][..300]);
        }
        let found = sheet.cropped_to_ridges().unwrap();
        assert!(found.width.max(found.height) <= 400, "{found:?}");
        let middle = found.pixels.iter().filter(|grey| **grey < 200).count();
        let all = small.pixels.iter().filter(|grey| **grey < 200).count();
        assert_eq!(middle, all, "all of it");
        let blank = GreyImage::new(300, 300, 500, vec![10; 90_000]).unwrap();
        assert_eq!(blank.cropped_to_ridges(), None);
    }
}
