//! What the ridges of a print of unknown origin say about how it was taken: how far apart
//! they lie, and whether the picture is a negative. A sensor's own pictures need none of it.

use super::GreyImage;

impl GreyImage {
    /// The resolution that the distance of the ridges speaks for, where 500 pixels per inch
    /// cannot be: ridges of a grown person lie 0.4 to 0.6 mm apart. Nothing where 500 may
    /// well be, or where there are too few ridges to tell.
    pub fn ppi_by_ridges(&self) -> Option<u32> {
        let period = self.ridge_period()?;
        let is_usual = (PERIOD_LEAST..=PERIOD_MOST).contains(&period);
        let ppi = 500.0 * period / PERIOD;
        let nearest = |a: &&u32, b: &&u32| {
            let off = |usual: &u32| (ppi / *usual as f32).ln().abs();
            off(a).total_cmp(&off(b))
        };
        // One of the resolutions that sensors have, so that all prints of one get the same.
        USUAL_PPI.iter().min_by(nearest).copied().filter(|_| !is_usual)
    }

    /// Whether the ground is dark and the print on it lighter: a negative.
    pub fn is_negative(&self) -> bool {
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
            (Some(ground), Some(print)) => enough && ground < DARK && print > ground + FLAT,
            _ => false,
        }
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
const USUAL_PPI: [u32; 4] = [250, 300, 800, 1000];
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
        assert_eq!(GreyImage::new(300, 300, 500, vec![230; 90_000]).unwrap().ppi_by_ridges(), None);
    }

    #[test]
    fn a_negative_is_known_by_its_ground() {
        let print = print(400, 400, 9.0, 0.7);
        assert!(!print.is_negative() && print.clone().negative().is_negative());
        assert_eq!(print.clone().negative().negative(), print);
        let blank = GreyImage::new(300, 300, 500, vec![10; 90_000]).unwrap();
        assert!(!blank.is_negative(), "there is nothing on it");
    }
}
