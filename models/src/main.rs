//! `models`: brings, checks, lists and evaluates the weights of the manifest.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand, ValueEnum};
use models::{
    Manifest, ModelError, ThresholdSet, bench,
    evaluate::{self, Setting},
    fetch::{Fetched, fetch},
    manifest::default_dir,
};

/// Weights for faces, fingerprints and documents: bring, check, list, evaluate.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// A manifest to use instead of the model folder's own (`manifest.toml` in it) or, where
    /// there is none, the built-in one.
    #[arg(long, global = true)]
    manifest: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring every missing model by its package name and check it.
    Fetch {
        /// The model folder [default: $CHANGQING_MODELS or ~/.cache/changqing/models].
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Check size and digest of every model.
    Check {
        /// The model folder.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Say what each model is, where it comes from and under which licence.
    List,
    /// Measure a modality on a list of files.
    Evaluate {
        /// What to measure.
        #[arg(value_enum)]
        what: What,
        /// The list: path_a,path_b,genuine; for pad path,live; for ocr path and the fields
        /// of the card (name, number, …) or text.
        #[arg(long)]
        pairs: PathBuf,
        /// Where the report goes; the DET curve goes beside it as PNG.
        #[arg(long)]
        out: PathBuf,
        /// The model folder.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Files worked on at the same time [default: all cores].
        #[arg(long)]
        threads: Option<usize>,
        /// Resolution of fingerprint files, in pixels per inch [default: what the file
        /// states from 200 on, else 500, unless the distance of the ridges says that it cannot
        /// be].
        #[arg(long, value_parser = clap::value_parser!(u32).range(100..=2000))]
        ppi: Option<u32>,
        /// Where the score of each pair or file goes, for faces, fingers and `pad`: the list
        /// once more, with a column `score`.
        #[arg(long)]
        scores: Option<PathBuf>,
    },
    /// Time every network and the matcher on one thread; prints JSON.
    Bench {
        /// The model folder.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Runs of each network.
        #[arg(long, default_value_t = 40)]
        runs: usize,
    },
    /// Print a threshold set read off an evaluation report.
    Calibrate {
        /// A report of `evaluate`.
        #[arg(long)]
        report: PathBuf,
        /// Name of the new threshold set.
        #[arg(long)]
        id: String,
        /// Kind of reference: live, chip, printed, an extractor, foreign.
        #[arg(long)]
        reference: String,
        /// The false match rate to accept at: 0.01, 0.001 or 0.0001.
        #[arg(long, default_value = "0.001")]
        fmr: String,
        /// A report of `evaluate pad`, to take the least liveness from.
        #[arg(long)]
        pad: Option<PathBuf>,
        /// The share of attacks that may pass: 0.1, 0.01, 0.001 or 0.0001.
        #[arg(long, default_value = "0.1", requires = "pad")]
        apcer: String,
    },
}

impl Command {
    /// The model folder that was named.
    fn dir(&self) -> Option<&Path> {
        match self {
            Self::Fetch { dir }
            | Self::Check { dir }
            | Self::Evaluate { dir, .. }
            | Self::Bench { dir, .. } => dir.as_deref(),
            Self::List | Self::Calibrate { .. } => None,
        }
    }
}

/// What `evaluate` measures.
#[derive(Clone, Copy, ValueEnum)]
enum What {
    Face,
    Finger,
    Pad,
    Ocr,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, ModelError> {
    let manifest = match &cli.manifest {
        Some(path) => Manifest::read(path)?,
        None => Manifest::of(cli.command.dir().unwrap_or(&default_dir()))?,
    };
    match cli.command {
        Command::Fetch { dir } => run_fetch(&manifest, dir.unwrap_or_else(default_dir)),
        Command::Check { dir } => Ok(run_check(&manifest, dir.unwrap_or_else(default_dir))),
        Command::List => Ok(run_list(&manifest)),
        Command::Evaluate { what, pairs, out, dir, threads, ppi, scores } => {
            let n_threads = threads.unwrap_or_else(all_cores);
            let dir = dir.unwrap_or_else(default_dir);
            let scores = scores.as_deref();
            let setting = Setting { dir: &dir, manifest: &manifest, n_threads, ppi, scores };
            run_evaluate(&setting, what, &pairs, &out)
        }
        Command::Bench { dir, runs } => {
            let dir = dir.unwrap_or_else(default_dir);
            println!("{:#}", bench::bench(&dir, &manifest, runs.max(1))?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Calibrate { report, id, reference, fmr, pad, apcer } => {
            let pad = pad.as_deref().map(read_report).transpose()?;
            let pad = pad.as_ref().map(|pad| (pad, &*apcer));
            let report = read_report(&report)?;
            let set = evaluate::calibrate(&report, &id, &reference, &fmr, pad)?;
            check_set(&manifest, &set)?;
            caution(&manifest, &set, &report, &fmr);
            print_set(&set)
        }
    }
}

fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn run_evaluate(
    setting: &Setting<'_>,
    what: What,
    pairs: &Path,
    out: &Path,
) -> Result<ExitCode, ModelError> {
    let report = match what {
        What::Face => evaluate::face(setting, pairs, out)?,
        What::Finger => evaluate::finger(setting, pairs, out)?,
        What::Pad => evaluate::pad(setting, pairs, out)?,
        What::Ocr => evaluate::ocr(setting, pairs, out)?,
    };
    for key in SHOWN {
        if !report[key].is_null() {
            println!("{key:20} {}", report[key]);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read_report(path: &Path) -> Result<serde_json::Value, ModelError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ModelError::Io { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|e| ModelError::Report(e.to_string()))
}

/// A set that nothing could ever be judged by is not printed.
fn check_set(manifest: &Manifest, set: &ThresholdSet) -> Result<(), ModelError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if set.id.is_empty() || set.id.len() > ID_MAX || !set.id.chars().all(is_plain) {
        let what = "--id is 1 to 64 letters, digits, dots, dashes and underlines";
        return Err(ModelError::Report(what.into()));
    }
    if manifest.threshold_sets().iter().any(|other| other.id == set.id) {
        return Err(ModelError::Report(format!("there is a set {} already", set.id)));
    }
    let extractors = || {
        let models = manifest.models().iter().map(|model| model.id.as_str());
        models.chain(manifest.engines().iter().map(|engine| engine.id.as_str()))
    };
    let is_known = match set.modality.as_str() {
        "face" => ["live", "chip", "printed"].contains(&&*set.reference),
        _ => set.reference == "foreign" || extractors().any(|id| id == set.reference),
    };
    match is_known {
        true => Ok(()),
        false => Err(ModelError::Report(format!("there is no reference {:?}", set.reference))),
    }
}

/// Says what somebody should think of before they put the set in force.
fn caution(manifest: &Manifest, set: &ThresholdSet, report: &serde_json::Value, fmr: &str) {
    let n_impostor = report["n_impostor"].as_f64().unwrap_or(0.0);
    let above = n_impostor * fmr.parse().unwrap_or(0.0);
    if above < EXCEEDING_MIN {
        eprintln!(
            "注意：样本太少，阈值只由 {above:.1} 对不同人决定。\
             Take care: only {above:.1} of {n_impostor} impostor pairs decide this threshold."
        );
    }
    let now = manifest.thresholds(&set.modality, &set.probe, &set.reference);
    if let Some(now) = now.filter(|now| set.accept < now.accept) {
        eprintln!(
            "注意：比现行阈值 {} 宽松（{} 低于 {}）。Take care: it accepts more than {}, which is in force.",
            now.id, set.accept, now.accept, now.id
        );
    }
}

fn print_set(set: &ThresholdSet) -> Result<ExitCode, ModelError> {
    let text = toml::to_string(set).map_err(|e| ModelError::Manifest(e.to_string()))?;
    println!("[[threshold_set]]\n{text}");
    Ok(ExitCode::SUCCESS)
}

fn run_fetch(manifest: &Manifest, dir: PathBuf) -> Result<ExitCode, ModelError> {
    for (model, fetched) in fetch(manifest, &dir)? {
        let what = match fetched {
            Fetched::Present => "present",
            Fetched::Brought => "brought",
        };
        println!("{what:8} {:14} {}", model.id, model.file);
    }
    Ok(ExitCode::SUCCESS)
}

fn run_check(manifest: &Manifest, dir: PathBuf) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for (id, file, checked) in manifest.check(&dir) {
        match checked {
            Ok(()) => println!("right    {id:14} {file}"),
            Err(error) => {
                complain(&error);
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn run_list(manifest: &Manifest) -> ExitCode {
    for model in manifest.models() {
        let package = manifest.package(&model.package).expect("the manifest was checked");
        println!("{} ({} bytes, sha256 {})", model.id, model.bytes, model.sha256);
        println!("  from     {} {}: {}", package.name, package.version, model.inside);
        println!("  licence  {}", package.licence);
        println!("  origin   {}", package.provenance);
        println!("  input    {}", model.input);
        println!("  output   {}", model.output);
        list_thresholds(manifest, &model.id);
    }
    for engine in manifest.engines() {
        let (id, version, file) = (&engine.id, &engine.version, &engine.file);
        println!("{id} {version}: {file} ({} bytes, sha256 {})", engine.bytes, engine.sha256);
        println!("  compares {:?}s in a process of its own", engine.modality);
        println!("  licence  {}", engine.licence);
        println!("  origin   {}", engine.provenance);
        list_thresholds(manifest, id);
    }
    ExitCode::SUCCESS
}

fn list_thresholds(manifest: &Manifest, probe: &str) {
    for set in manifest.threshold_sets().iter().filter(|set| set.probe == probe) {
        let (accept, review) = (set.accept, set.review);
        println!("  scores   {}: same from {accept}, different below {review}", set.id);
    }
}

/// The error with its causes, then its code and what to do.
fn complain(error: &ModelError) {
    eprint!("models: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        eprint!(": {cause}");
        source = cause.source();
    }
    let advice = error.advice();
    eprintln!("\n  {}  {}  {}", advice.code, advice.zh, advice.en);
}

const ID_MAX: usize = 64;
/// Fewer impostor pairs than these above a threshold say little about it ("rule of three").
const EXCEEDING_MIN: f64 = 3.0;
/// Keys of a report that are printed, where it has them.
#[rustfmt::skip]
const SHOWN: [&str; 17] = [
    "n_genuine", "n_impostor", "eer", "eer_interval", "fnmr_at_fmr", "apcer", "bpcer",
    "n_characters", "character_error_rate", "field_accuracy", "wrong_without_doubt",
    "n_pairs_repeated", "n_pairs_with_itself", "failure_to_acquire", "not_acquired_reasons", "n_bad_files", "latency_ms",
];
