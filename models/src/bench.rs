//! How long each network and the matcher take on this machine, one thread, for
//! comparing with another runtime on the same input.

use std::{path::Path, time::Instant};

use serde_json::{Value, json};

use crate::{
    Manifest, ModelError,
    finger::{FingerTemplate, LEADER, Minutia, MinutiaKind},
    matcher,
    network::Network,
};

/// Times every network `n` times and the matcher; one row a step, in milliseconds. Every
/// network stays loaded, so that the peak of memory is that of a terminal with all of them.
pub fn bench(dir: &Path, manifest: &Manifest, n: usize) -> Result<Value, ModelError> {
    let mut rows = Vec::new();
    let mut loaded = Vec::new();
    for model in manifest.models() {
        let started = Instant::now();
        let network = Network::load(dir, manifest, &model.id)?;
        let load_ms = started.elapsed().as_secs_f32() * 1e3;
        let runs = if model.id == LEADER { n.div_ceil(8) } else { n };
        network.time(1)?;
        let mut millis = network.time(runs)?;
        millis.sort_by(f32::total_cmp);
        rows.push(json!({
            "name": model.id, "file": model.file, "shape": model.shape, "unit": "ms", "n": runs,
            "median": millis[runs / 2], "min": millis[0], "load": load_ms,
        }));
        loaded.push(network);
    }
    rows.push(time_matcher(n));
    let n_loaded = loaded.len();
    Ok(json!({ "rows": rows, "n_loaded": n_loaded, "peak_memory_kb": peak_memory_kb() }))
}

fn time_matcher(n: usize) -> Value {
    let templates: Vec<_> = (0..16).map(scatter).collect();
    for template in &templates {
        matcher::compare(template, template);
    }
    let mut millis: Vec<f32> = (0..n.max(16) * 4)
        .map(|round| {
            let (a, b) = (&templates[round % 16], &templates[(round / 16 + round + 1) % 16]);
            let started = Instant::now();
            matcher::compare(a, b);
            started.elapsed().as_secs_f32() * 1e3
        })
        .collect();
    millis.sort_by(f32::total_cmp);
    let median = millis[millis.len() / 2];
    json!({ "name": "finger-match", "unit": "ms", "n": millis.len(), "median": median,
        "min": millis[0], "per_second": 1e3 / median })
}

/// Forty minutiae strewn by rule.
fn scatter(seed: u32) -> FingerTemplate {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_777_216.0
    };
    let mut one = || Minutia {
        x: 256.0 * next(),
        y: 288.0 * next(),
        angle: std::f32::consts::TAU * next(),
        kind: MinutiaKind::Ending,
        quality: 0.6 + 0.4 * next(),
    };
    let minutiae = (0..40).map(|_| one()).collect();
    FingerTemplate::new(256, 288, minutiae, "bench".to_owned())
}

/// The largest resident size of this process so far, as Linux tells it.
fn peak_memory_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use people::{Person, Pose};

    use super::*;
    use crate::{
        face::FaceEngine,
        finger::{FingerEngine, GreyImage},
        manifest::default_dir,
    };

    /// One verification between two marks for the emulator's counter (`tests/bench/count.c`):
    /// giving way to other threads is a system call that nothing else in here makes.
    fn marked(verification: impl FnOnce()) {
        std::thread::yield_now();
        verification();
        std::thread::yield_now();
    }

    #[test]
    #[ignore = "counted by tests/bench/neon.sh"]
    fn count_face() {
        let engine = FaceEngine::load(&default_dir(), &Manifest::built_in().unwrap()).unwrap();
        let frame = Person::generate(11, 0).frame(&Pose::default(), 1);
        let verify = || {
            let seen = engine.observe(&frame).unwrap().face.expect("a face");
            engine.pad(&frame, &seen).unwrap();
            engine.template(&frame, &seen).unwrap()
        };
        let stored = verify();
        marked(|| assert!(engine.compare(&verify(), &stored).unwrap() > 0.9));
    }

    #[test]
    #[ignore = "counted by tests/bench/neon.sh"]
    fn count_finger() {
        let manifest = Manifest::built_in().unwrap();
        let engine = FingerEngine::load(&default_dir(), &manifest, 256, 288).unwrap();
        let pixels = Person::generate(11, 0).finger_image(1, 0, 256, 288);
        let print = GreyImage::new(256, 288, 500, pixels).unwrap();
        let enrolled = vec![engine.extract(&print).unwrap(); 3];
        marked(|| {
            let probe = engine.extract(&print).unwrap();
            engine.quality(&print, &probe);
            assert!(matcher::best_of(&probe, &enrolled) > 3.5);
        });
    }
}
