//! Measures a modality on a list of files: error rates with their intervals,
//! failures to acquire, latencies, a DET curve. It is the agency's calibration
//! tool on its own pilot data, so it reports sizes with every number.

mod det;
mod list;
mod ocr;
mod outputs;
mod print;
mod rates;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use image::{DynamicImage, RgbImage, imageops::FilterType};

use serde_json::{Value, json};

pub use ocr::ocr;
pub use rates::{Rates, wilson};

use crate::{
    EngineFault, Manifest, ModelError, ModelId,
    face::{FaceEngine, FaceTemplate},
    finger::{FingerEngine, FingerTemplate, LEADER},
    manifest::Modality,
    matcher, picture,
    threshold::ThresholdSet,
};
use list::{Pair, Pairs, Singles};

/// Where things are, and how many cores may be used.
pub struct Setting<'m> {
    /// The model folder.
    pub dir: &'m Path,
    /// The manifest.
    pub manifest: &'m Manifest,
    /// Files worked on at the same time.
    pub n_threads: usize,
    /// Resolution of fingerprint files, in pixels per inch. Unknown is 500, unless the
    /// distance of the ridges says that it cannot be.
    pub ppi: Option<u32>,
    /// Where the score of each pair or file goes, as a list like the one it is read from.
    pub scores: Option<&'m Path>,
}

/// Compares faces. `list` has the columns `path_a,path_b,genuine`.
pub fn face(setting: &Setting<'_>, list: &Path, out: &Path) -> Result<Value, ModelError> {
    let pairs = Pairs::read(list)?;
    outputs::check(setting, out, list, &pairs.paths)?;
    let engine = FaceEngine::load(setting.dir, setting.manifest)?;
    engine.warm_up()?;
    let made = each(setting, &pairs.paths, |path| face_template(&engine, path));
    let id = engine.model_id();
    let mut report = compared(setting, &pairs, &made, (out, id), |a, b| engine.compare(a, b))?;
    report["modality"] = json!("face");
    report["model"] = json!(id.to_string());
    finish(report, setting, out)
}

/// Compares fingerprints. `list` has the columns `path_a,path_b,genuine`.
pub fn finger(setting: &Setting<'_>, list: &Path, out: &Path) -> Result<Value, ModelError> {
    let pairs = Pairs::read(list)?;
    outputs::check(setting, out, list, &pairs.paths)?;
    let (made, report, id);
    match setting.manifest.engine(Modality::Finger) {
        // A vendor's engine takes every size, and compares what it made.
        Some(_) => {
            let engine = FingerEngine::load(setting.dir, setting.manifest, 0, 0)?;
            made = each(setting, &pairs.paths, |path| print::template(&engine, path, setting.ppi));
            id = engine.model_id().clone();
            report = compared(setting, &pairs, &made, (out, &id), |a, b| engine.compare(a, b));
        }
        None => {
            made = finger_templates(setting, &pairs.paths)?;
            id = setting.manifest.model(LEADER)?.model_id();
            let compare = |a: &FingerTemplate, b: &FingerTemplate| Ok(matcher::compare(a, b));
            report = compared(setting, &pairs, &made, (out, &id), compare);
        }
    }
    let mut report = report?;
    report["modality"] = json!("finger");
    report["model"] = json!(id.to_string());
    finish(report, setting, out)
}

/// Judges presentation attacks. `list` has the columns `path,live`.
pub fn pad(setting: &Setting<'_>, list: &Path, out: &Path) -> Result<Value, ModelError> {
    let files = Singles::read(list)?;
    outputs::check(setting, out, list, &files.paths)?;
    let engine = FaceEngine::load(setting.dir, setting.manifest)?;
    engine.warm_up()?;
    let made = each(setting, &files.paths, |path| pad_score(&engine, path));
    if let Some(file) = setting.scores {
        let score = |one: &Made<f32>| match one {
            Made::Good(score, _) => Some(*score),
            _ => None,
        };
        let scores: Vec<_> = made.iter().map(score).collect();
        fs::write(file, files.with_scores(&scores)).map_err(ModelError::io(file))?;
    }
    let mut report = judged(setting.manifest, engine.model_id(), &files, &made, out)?;
    report["model"] = json!(engine.pad_model_id().to_string());
    finish(report, setting, out)
}

/// A threshold set read off a report: accept at the asked false match rate, review
/// at ten times that. For faces liveness is asked for from 0.5 on, or from where a report
/// of `pad` says that at most this share of attacks passes.
pub fn calibrate(
    report: &Value,
    id: &str,
    reference: &str,
    fmr: &str,
    pad: Option<(&Value, &str)>,
) -> Result<ThresholdSet, ModelError> {
    let missing = |(zh, en): Words| ModelError::Report(format!("报告中没有{zh} it has no {en}"));
    let mut measured_on = String::new();
    let mut pad_min = 0.5;
    if let Some((pad, apcer)) = pad {
        let at_apcer = pad["threshold_at_apcer"][apcer].as_f64();
        pad_min = at_apcer
            .ok_or_else(|| missing(("该比率下的活体阈值", "liveness threshold at this rate")))?;
        let (attacks, live) = (&pad["n_attack"], &pad["n_live"]);
        let by = pad["model"].as_str().unwrap_or_default();
        let bpcer = &pad["bpcer_at_apcer"][apcer];
        measured_on =
            format!("; APCER {apcer} on {attacks} attacks at BPCER {bpcer} on {live} live, {by}");
    }
    let threshold = |fmr: &str| report["threshold_at_fmr"][fmr].as_f64();
    let accept =
        threshold(fmr).ok_or_else(|| missing(("该比率下的阈值", "threshold at this rate")))?;
    let wider = ["0.0001", "0.001", "0.01", "0.1"].iter().skip_while(|rate| **rate != fmr).nth(1);
    let review = wider.and_then(|rate| threshold(rate)).unwrap_or(accept).min(accept);
    let modality = report["modality"].as_str().ok_or_else(|| missing(("模态", "modality")))?;
    let model = report["model"].as_str().ok_or_else(|| missing(("模型", "model")))?;
    Ok(ThresholdSet {
        id: id.to_owned(),
        modality: modality.to_owned(),
        probe: model.split(':').next().unwrap_or(model).to_owned(),
        reference: reference.to_owned(),
        accept: accept as f32,
        review: review as f32,
        quality_min: if modality == "face" { 40.0 } else { 20.0 },
        pad_min: if modality == "face" { pad_min as f32 } else { 0.0 },
        view_margin: None,
        view_quality_min: 0.0,
        measured: format!(
            "FMR {fmr} on {} impostor and {} genuine pairs, {model}{measured_on}",
            report["n_impostor"], report["n_genuine"]
        ),
    })
}

/// What became of one file.
enum Made<T> {
    /// A template or score, and how long it took.
    Good(T, f32),
    /// Readable, but nothing to compare was found, and why.
    NotAcquired(&'static str),
    /// Not readable as a picture.
    Bad(String),
}

/// Works on every path once, on several threads, telling how far it is.
fn each<T: Send>(
    setting: &Setting<'_>,
    paths: &[PathBuf],
    make: impl Fn(&Path) -> Made<T> + Sync,
) -> Vec<Made<T>> {
    let make = |index: usize| guarded(|| make(&paths[index])).unwrap_or_else(Made::Bad);
    in_turn(setting.n_threads, paths.len(), ("已处理文件", "files"), make)
}

/// One file that meets a mistake of ours must not cost the others' hours.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| "程序处理它时出错 the program failed on it".to_owned())
}

/// `work` for every index below `n`, in the order of the indices.
fn in_turn<T: Send>(
    n_threads: usize,
    n: usize,
    what: Words,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let progress = Progress::new(n, what);
    let done: Mutex<BTreeMap<usize, T>> = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= n {
                return;
            }
            let one = work(index);
            let mut done = done.lock().expect("no thread panics while it holds the list");
            done.insert(index, one);
            progress.tell(done.len());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..n_threads.max(1) {
            scope.spawn(work);
        }
    });
    done.into_inner().expect("the threads have ended").into_values().collect()
}

/// Chinese and English.
type Words = (&'static str, &'static str);

/// Says how far long work is: a line every few seconds, and one at its end.
struct Progress {
    n: usize,
    what: Words,
    started: Instant,
    told: Mutex<Instant>,
}

impl Progress {
    fn new(n: usize, what: Words) -> Self {
        let started = Instant::now();
        Self { n, what, started, told: Mutex::new(started) }
    }

    fn tell(&self, n_done: usize) {
        let mut told = self.told.lock().expect("nothing panics while it is held");
        let is_last = n_done == self.n && self.started.elapsed() > TELL_EVERY;
        if is_last || told.elapsed() > TELL_EVERY {
            *told = Instant::now();
            let (all, what, s) = (self.n, self.what, self.started.elapsed().as_secs());
            let (zh, en) = what;
            eprintln!("{zh} {n_done}/{all}，{s} 秒  {n_done} of {all} {en}, {s} s");
        }
    }
}

/// A picture in colours, not larger than the cameras of a terminal give it.
fn colours(path: &Path) -> Result<RgbImage, String> {
    let picture = readable(path)?;
    let is_large = picture.width().max(picture.height()) > PHOTO_SIDE_MAX;
    Ok(match is_large {
        true => picture.resize(PHOTO_SIDE_MAX, PHOTO_SIDE_MAX, FilterType::Triangle).to_rgb8(),
        false => picture.to_rgb8(),
    })
}

fn readable(path: &Path) -> Result<DynamicImage, String> {
    picture::open(path).map_err(|error| error.told())
}

fn face_template(engine: &FaceEngine, path: &Path) -> Made<FaceTemplate> {
    let picture = match colours(path) {
        Ok(picture) => picture,
        Err(reason) => return Made::Bad(reason),
    };
    let started = Instant::now();
    let template = engine.observe(&picture).and_then(|seen| match seen.face {
        Some(face) => engine.template(&picture, &face).map(Some),
        None => Ok(None),
    });
    timed(template, NO_FACE, started)
}

fn pad_score(engine: &FaceEngine, path: &Path) -> Made<f32> {
    let picture = match colours(path) {
        Ok(picture) => picture,
        Err(reason) => return Made::Bad(reason),
    };
    let started = Instant::now();
    let score = engine.observe(&picture).and_then(|seen| match seen.face {
        Some(face) => engine.pad(&picture, &face).map(|score| Some(score.0)),
        None => Ok(None),
    });
    timed(score, NO_FACE, started)
}

fn timed<T>(
    made: Result<Option<T>, ModelError>,
    if_none: &'static str,
    started: Instant,
) -> Made<T> {
    timed_or(made.map(|found| found.ok_or(if_none)), started)
}

fn timed_or<T>(made: Result<Result<T, &'static str>, ModelError>, started: Instant) -> Made<T> {
    let millis = started.elapsed().as_secs_f32() * 1e3;
    match made {
        Ok(Ok(value)) => Made::Good(value, millis),
        Ok(Err(reason)) => Made::NotAcquired(reason),
        // A vendor's engine that takes no such picture answers; it does not fail.
        Err(ModelError::Engine { fault: EngineFault::Refused(_), .. }) => {
            Made::NotAcquired(REFUSED)
        }
        Err(error) => Made::Bad(format!("{} {error}", error.advice().zh)),
    }
}

/// Files of one size share an engine; only one engine is in memory at a time.
fn finger_templates(
    setting: &Setting<'_>,
    paths: &[PathBuf],
) -> Result<Vec<Made<FingerTemplate>>, ModelError> {
    let mut by_canvas: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    let mut made: Vec<_> = paths.iter().map(|_| Made::NotAcquired("")).collect();
    let canvases =
        in_turn(setting.n_threads, paths.len(), ("已查看文件", "files looked at"), |index| {
            guarded(|| print::canvas(&paths[index], setting.ppi))
                .unwrap_or_else(|reason| Err(Made::Bad(reason)))
        });
    for (index, canvas) in canvases.into_iter().enumerate() {
        match canvas {
            Ok(canvas) => by_canvas.entry(canvas).or_default().push(index),
            Err(Made::Bad(reason)) => made[index] = Made::Bad(reason),
            Err(Made::NotAcquired(reason)) => made[index] = Made::NotAcquired(reason),
            Err(Made::Good(..)) => {}
        }
    }
    for ((width, height), indices) in by_canvas {
        let engine =
            FingerEngine::load(setting.dir, setting.manifest, width as u32, height as u32)?;
        let group: Vec<_> = indices.iter().map(|index| paths[*index].clone()).collect();
        engine.warm_up()?;
        let n = group.len();
        eprintln!("{n} 枚指纹，不超过 {width} x {height}  {n} prints of up to {width} x {height}");
        let results = each(setting, &group, |path| print::template(&engine, path, setting.ppi));
        for (index, result) in indices.into_iter().zip(results) {
            made[index] = result;
        }
    }
    Ok(made)
}

fn compared<T: Sync>(
    setting: &Setting<'_>,
    pairs: &Pairs,
    made: &[Made<T>],
    (out, id): (&Path, &ModelId),
    compare: impl Fn(&T, &T) -> Result<f32, ModelError> + Sync,
) -> Result<Value, ModelError> {
    let mut scores = rates::Scores::default();
    let mut comparisons = Vec::new();
    let subjects = pairs.subjects();
    let compare = |pair: &Pair| match (&made[pair.a], &made[pair.b]) {
        (Made::Good(a, _), Made::Good(b, _)) => {
            let started = Instant::now();
            let score = compare(a, b).inspect_err(|error| tracing::warn!(%error, "a pair")).ok()?;
            Some((score, started.elapsed().as_secs_f32() * 1e3))
        }
        _ => None,
    };
    let blocks: Vec<&[Pair]> = pairs.pairs.chunks(COMPARED_TOGETHER).collect();
    let work = |index: usize| blocks[index].iter().map(compare).collect::<Vec<_>>();
    let scored = in_turn(setting.n_threads, blocks.len(), ("已比对组", "blocks of pairs"), work);
    let scored: Vec<Option<(f32, f32)>> = scored.into_iter().flatten().collect();
    for (pair, scored) in pairs.pairs.iter().zip(&scored) {
        if let Some((score, millis)) = scored {
            comparisons.push(*millis);
            scores.add(*score, pair.genuine, (subjects[pair.a], subjects[pair.b]));
        }
    }
    if let Some(file) = setting.scores {
        let scores: Vec<_> = scored.iter().map(|scored| scored.map(|(score, _)| score)).collect();
        fs::write(file, pairs.with_scores(&scores)).map_err(ModelError::io(file))?;
    }
    let rates = Rates::of(&scores);
    let curve = outputs::curve(out);
    det::draw(&curve, &rates, &det::COMPARISON)?;
    let mut report = acquisition(&pairs.paths, made);
    report["n_pairs_repeated"] = json!(pairs.n_repeated);
    report["n_pairs_with_itself"] = json!(pairs.n_with_itself);
    report["n_genuine"] = json!(rates.n_genuine());
    report["n_impostor"] = json!(rates.n_impostor());
    report["n_pairs_not_scored"] = json!(pairs.pairs.len() - comparisons.len());
    report["eer"] = json!(rates.eer());
    report["eer_threshold"] = json!(rates.eer_threshold());
    report["eer_interval"] = json!(rates.eer_interval(&scores));
    report["fnmr_at_fmr"] = at_rates(&REPORTED, |fmr| rates.fnmr_at(fmr));
    report["threshold_at_fmr"] =
        at_rates(&CALIBRATED, |fmr| rates.threshold_at(fmr).map(f64::from));
    report["at_accept"] = at_accept(&rates, setting.manifest, id);
    report["comparison_ms"] = percentiles(comparisons);
    report["det_curve"] = json!(curve.file_name().map(|name| name.to_string_lossy()));
    report["notes"] =
        notes(&rates, made, [("真匹配对", "genuine pair"), ("假匹配对", "impostor pair")]);
    Ok(report)
}

fn judged(
    manifest: &Manifest,
    id: &ModelId,
    files: &Singles,
    made: &[Made<f32>],
    out: &Path,
) -> Result<Value, ModelError> {
    let set = manifest.thresholds("face", &id.name, "live");
    let pad_min = set.map_or(PAD_MIN, |set| set.pad_min);
    let mut scores = rates::Scores::default();
    for (index, (one, live)) in made.iter().zip(&files.live).enumerate() {
        if let Made::Good(score, _) = one {
            scores.add(*score, *live, (index, index));
        }
    }
    let rates = Rates::of(&scores);
    let curve = outputs::curve(out);
    det::draw(&curve, &rates, &det::PRESENTATION)?;
    let at_pad_min = AtThreshold::of(&rates, pad_min);
    let (n_attack, n_live) = (rates.n_impostor(), rates.n_genuine());
    let mut report = acquisition(&files.paths, made);
    report["modality"] = json!("pad");
    report["n_attack"] = json!(n_attack);
    report["n_live"] = json!(n_live);
    report["n_genuine"] = json!(n_live);
    report["n_impostor"] = json!(n_attack);
    report["threshold_set"] = json!(set.map(|set| &set.id));
    report["threshold"] = json!(pad_min);
    report["apcer"] = json!(at_pad_min.passed);
    report["bpcer"] = json!(at_pad_min.refused);
    report["apcer_interval"] = json!(at_pad_min.passed_interval);
    report["bpcer_interval"] = json!(at_pad_min.refused_interval);
    report["at_accept"] = pad_at_accept(&rates, manifest, id);
    report["eer"] = json!(rates.eer());
    report["eer_interval"] = json!(rates.eer_interval(&scores));
    report["fnmr_at_fmr"] = at_rates(&REPORTED, |fmr| rates.fnmr_at(fmr));
    report["threshold_at_apcer"] =
        at_rates(&CALIBRATED, |apcer| rates.threshold_at(apcer).map(f64::from));
    report["bpcer_at_apcer"] = at_rates(&CALIBRATED, |apcer| rates.fnmr_at(apcer));
    report["det_curve"] = json!(curve.file_name().map(|name| name.to_string_lossy()));
    report["notes"] = notes(&rates, made, [("活体样本", "live file"), ("攻击样本", "attack")]);
    Ok(report)
}

/// How many files gave something to compare, and how long they took.
fn acquisition<T>(paths: &[PathBuf], made: &[Made<T>]) -> Value {
    let mut bad = Vec::new();
    let mut latencies = Vec::new();
    let mut failed = Vec::new();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (path, one) in paths.iter().zip(made) {
        match one {
            Made::Good(_, millis) => latencies.push(*millis),
            Made::NotAcquired(reason) => {
                failed.push(json!({ "path": path, "reason": reason }));
                *reasons.entry(reason).or_default() += 1;
            }
            Made::Bad(reason) => {
                tracing::warn!(path = %path.display(), reason, "not usable");
                bad.push(json!({ "path": path, "reason": reason }));
            }
        }
    }
    let (n_readable, n_failed) = (paths.len() - bad.len(), failed.len());
    json!({
        "n_files": paths.len(),
        "n_bad_files": bad.len(),
        "bad_files": bad,
        "n_not_acquired": n_failed,
        "not_acquired": failed,
        "not_acquired_reasons": reasons,
        "failure_to_acquire": (n_readable > 0).then(|| n_failed as f64 / n_readable as f64),
        "failure_to_acquire_interval": wilson(n_failed, n_readable),
        "latency_ms": percentiles(latencies),
        "latency_of": LATENCY_OF,
    })
}

fn at_rates(rates: &[(&str, f64)], of: impl Fn(f64) -> Option<f64>) -> Value {
    let all: HashMap<_, _> = rates.iter().map(|(name, fmr)| (*name, of(*fmr))).collect();
    json!(all)
}

fn percentiles(mut values: Vec<f32>) -> Value {
    values.sort_by(f32::total_cmp);
    let at = |part: f64| {
        let index = (part * values.len() as f64).ceil() as usize;
        values.get(index.saturating_sub(1)).map(|v| (f64::from(*v) * 1e4).round() / 1e4)
    };
    json!({ "n": values.len(), "p50": at(0.5), "p90": at(0.9), "p95": at(0.95), "p99": at(0.99), "max": at(1.0) })
}

/// What the threshold sets that the terminal reads these scores with would have made of
/// them; which of the sets fits depends on what the list's references are.
fn at_accept(rates: &Rates, manifest: &Manifest, id: &ModelId) -> Value {
    let (n_genuine, n_impostor) = (rates.n_genuine(), rates.n_impostor());
    let with = |n: usize, rate: Option<f64>, interval: Option<[f64; 2]>| {
        rate.map(|rate| json!({ "rate": rate, "n": n, "interval": interval }))
    };
    let row = |set: &ThresholdSet| {
        let at = AtThreshold::of(rates, set.accept);
        let fnmr = with(n_genuine, at.refused, at.refused_interval);
        let fmr = with(n_impostor, at.passed, at.passed_interval);
        (set.id.clone(), json!({ "accept": set.accept, "fnmr": fnmr, "fmr": fmr }))
    };
    Value::Object(
        manifest.threshold_sets().iter().filter(|set| set.probe == id.name).map(row).collect(),
    )
}

/// The same of the least liveness that each set of these faces asks for.
fn pad_at_accept(rates: &Rates, manifest: &Manifest, id: &ModelId) -> Value {
    let row = |set: &ThresholdSet| {
        let at = AtThreshold::of(rates, set.pad_min);
        let row = json!({ "accept": set.pad_min, "apcer": at.passed, "bpcer": at.refused });
        (set.id.clone(), row)
    };
    let sets = manifest.threshold_sets().iter();
    let judges = |set: &&ThresholdSet| set.probe == id.name && set.pad_min > 0.0;
    Value::Object(sets.filter(judges).map(row).collect())
}

/// Both errors at one threshold, with 95 % intervals; nothing of a kind that is not there.
struct AtThreshold {
    passed: Option<f64>,
    passed_interval: Option<[f64; 2]>,
    refused: Option<f64>,
    refused_interval: Option<[f64; 2]>,
}

impl AtThreshold {
    fn of(rates: &Rates, threshold: f32) -> Self {
        let (n_genuine, n_impostor) = (rates.n_genuine(), rates.n_impostor());
        let (fmr, fnmr) = (rates.fmr(threshold), rates.fnmr(threshold));
        let interval = |rate: f64, n: usize| wilson((rate * n as f64).round() as usize, n);
        Self {
            passed: (n_impostor > 0).then_some(fmr),
            passed_interval: interval(fmr, n_impostor),
            refused: (n_genuine > 0).then_some(fnmr),
            refused_interval: interval(fnmr, n_genuine),
        }
    }
}

fn unreadable<T>(made: &[Made<T>]) -> Option<String> {
    let none = made.iter().all(|one| matches!(one, Made::Bad(_)));
    none.then(|| "没有可读的文件。No file could be read.".to_owned())
}

/// Sentences for the reader of a report in which there is nothing where a rate should be.
fn notes<T>(rates: &Rates, made: &[Made<T>], [genuine, impostor]: [Words; 2]) -> Value {
    let mut notes: Vec<String> = unreadable(made).into_iter().collect();
    for (n, (zh, en)) in [(rates.n_genuine(), genuine), (rates.n_impostor(), impostor)] {
        if n == 0 {
            notes.push(format!(
                "没有可计分的{zh}，需要它的比率为空。No {en} was scored: rates that need one are null."
            ));
        }
    }
    json!(notes)
}

fn finish(mut report: Value, setting: &Setting<'_>, out: &Path) -> Result<Value, ModelError> {
    report["n_threads"] = json!(setting.n_threads);
    let text = serde_json::to_string_pretty(&report).expect("a report is plain JSON");
    fs::write(out, text).map_err(ModelError::io(out))?;
    Ok(report)
}

const NO_FACE: &str = "图中没有找到人脸 no face in it";
const REFUSED: &str = "厂商算法不接受 the engine does not take it";
/// What times are of. A network's first run pays for memory that no later one asks for, and a
/// terminal pays it before anybody stands there: so each has run once before the first file.
const LATENCY_OF: &str = "one file from the decoded picture to its template, score or text, \
    n_threads files at a time; every network had run once before";
/// The least liveness where no threshold set says one.
const PAD_MIN: f32 = 0.5;
/// False match rates of a report.
const REPORTED: [(&str, f64); 3] = [("0.01", 1e-2), ("0.001", 1e-3), ("0.0001", 1e-4)];
/// Those that thresholds are read off at: one more, for the width of the doubt.
const CALIBRATED: [(&str, f64); 4] =
    [("0.1", 1e-1), ("0.01", 1e-2), ("0.001", 1e-3), ("0.0001", 1e-4)];
/// A face of a photograph that is made this small still has more pixels than the networks take.
const PHOTO_SIDE_MAX: u32 = 2048;
const COMPARED_TOGETHER: usize = 512;
const TELL_EVERY: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn liveness_is_judged_by_what_each_set_asks_for_and_not_by_its_score() {
        let manifest = Manifest::built_in().unwrap();
        let id = manifest.model("face-embed").unwrap().model_id();
        let live = manifest.thresholds("face", "face-embed", "live").unwrap();
        let between = (live.accept + live.pad_min) / 2.0;
        assert!(live.accept < between && between < live.pad_min);
        let mut scores = rates::Scores::default();
        scores.add(between, true, (0, 0));
        scores.add(between, false, (1, 1));
        let told = pad_at_accept(&Rates::of(&scores), &manifest, &id);
        let row = json!({ "accept": live.pad_min, "apcer": 0.0, "bpcer": 1.0 });
        assert_eq!(told[&live.id], row);
        let told = at_accept(&Rates::of(&scores), &manifest, &id);
        assert_eq!(told[&live.id]["fnmr"]["rate"], 0.0);
        assert_eq!(told[&live.id]["fmr"]["rate"], 1.0);
    }
}
