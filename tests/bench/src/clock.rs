//! Durations of repeated work, and their median.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

/// A median and what it is of.
#[derive(Clone, Copy)]
pub(crate) struct Timed {
    /// Milliseconds.
    pub(crate) median_ms: f64,
    /// Runs.
    pub(crate) n: usize,
}

impl Timed {
    /// The median of these milliseconds.
    pub(crate) fn of(mut millis: Vec<f64>) -> Self {
        millis.sort_by(f64::total_cmp);
        let n = millis.len();
        Self { median_ms: millis.get(n / 2).copied().unwrap_or(f64::NAN), n }
    }
}

/// Runs once to warm up, then `n` times against the clock.
pub(crate) fn time<T>(
    n: usize,
    mut work: impl FnMut() -> Result<T, Box<dyn Error>>,
) -> Result<Timed, Box<dyn Error>> {
    black_box(work()?);
    let once = || one(&mut work).map(|(millis, _)| millis);
    Ok(Timed::of(std::iter::repeat_with(once).take(n).collect::<Result<_, _>>()?))
}

/// Milliseconds of one piece of work, with what it made.
pub(crate) fn one<T>(
    work: impl FnOnce() -> Result<T, Box<dyn Error>>,
) -> Result<(f64, T), Box<dyn Error>> {
    let started = Instant::now();
    let made = black_box(work()?);
    Ok((started.elapsed().as_secs_f64() * 1e3, made))
}
