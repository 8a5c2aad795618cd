//! Portraits that a set-up step rendered into the folder `$CHANGQING_PORTRAITS`: faces of nobody.
//!
//! `man-00.png` (transparent ground) lies beside `man-00.txt` (68 lines `x y`, in pixels), and so on; `woman-…` too.

use super::Source;
use std::path::{Path, PathBuf};

/// The face for somebody of this rank, or `None` where no gallery was set up.
pub(super) fn face(male: bool, seed: u64, rank: u32) -> Option<Source> {
    let folder = PathBuf::from(std::env::var_os("CHANGQING_PORTRAITS")?);
    let stem = if male { "man" } else { "woman" };
    let n_faces = (0..FACES_MAX)
        .take_while(|i| folder.join(format!("{stem}-{i:02}.png")).is_file())
        .count() as u64;
    if n_faces == 0 {
        return None;
    }
    // Neighbours in a roster get different faces until the gallery has been gone round once.
    let chosen = (u64::from(rank) + seed % n_faces) % n_faces;
    read(&folder, &format!("{stem}-{chosen:02}"))
}

fn read(folder: &Path, stem: &str) -> Option<Source> {
    let pixels = image::open(folder.join(format!("{stem}.png"))).ok()?.to_rgba8();
    let text = std::fs::read_to_string(folder.join(format!("{stem}.txt"))).ok()?;
    let numbers: Vec<f32> =
        text.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let points: Vec<[f32; 2]> = numbers.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
    Some(Source { pixels, landmarks: points.try_into().ok()? })
}

const FACES_MAX: usize = 99;
