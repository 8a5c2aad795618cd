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
    ///
    /// The list is CSV with a header line, columns in any order, parted by commas, semicolons
    /// or tabs; UTF-8, UTF-16 or GB18030, as Excel writes them. A path is looked for in the
    /// folder of the list first, then from the folder that the program was started in.
    /// `genuine` and `live` are 1 or 0, 是 or 否, true or false. Each file is worked on once.
    /// Files that cannot be used are named and counted, and stop nothing.
    ///
    /// Ends with 0 when the report was written, whatever it says: where nothing of a kind could
    /// be scored its rates are null and `notes` says so. Ends with 1 when there is no report,
    /// with 2 when the words of the command are wrong. models/README.md explains the report.
    #[command(verbatim_doc_comment)]
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
    /// Print a threshold set read off an evaluation report, and put it in force with --into.
    ///
    /// The terminal reads `manifest.toml` in its model folder (`models` in kiosk.toml); without
    /// that file the manifest it was built with. `--into FOLDER/manifest.toml` writes the whole
    /// manifest that is in force there with this set in the place of the one for the same
    /// references. The terminal takes it at its next start, and every record names the set.
    #[command(verbatim_doc_comment)]
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
        /// The model folder whose manifest is taken.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// Where the whole manifest goes with the new set in force.
        #[arg(long)]
        into: Option<PathBuf>,
    },
}

impl Command {
    /// The model folder that was named.
    fn dir(&self) -> Option<&Path> {
        match self {
            Self::Fetch { dir }
            | Self::Check { dir }
            | Self::Evaluate { dir, .. }
            | Self::Calibrate { dir, .. }
            | Self::Bench { dir, .. } => dir.as_deref(),
            Self::List => None,
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
    let text = match &cli.manifest {
        Some(path) => read_text(path)?,
        None => Manifest::text_of(cli.command.dir().unwrap_or(&default_dir()))?,
    };
    let manifest = Manifest::parse(&text)?;
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
        Command::Calibrate { report, id, reference, fmr, pad, apcer, dir: _, into } => {
            let pad = pad.as_deref().map(read_report).transpose()?;
            let pad = pad.as_ref().map(|pad| (pad, &*apcer));
            let report = read_report(&report)?;
            let set = evaluate::calibrate(&report, &id, &reference, &fmr, pad)?;
            check_set(&manifest, &set)?;
            caution(&manifest, &set, &report, &fmr);
            if let Some((pad, apcer)) = pad {
                caution_pad(pad, apcer);
            }
            if let Some(into) = into {
                put_in_force(&text, &set, &into)?;
            }
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
    name_refused(&report, "bad_files", "不可用 unusable");
    name_refused(&report, "not_acquired", "未采集到 not acquired");
    for key in SHOWN {
        if !report[key].is_null() {
            println!("{key:20} {}", report[key]);
        }
    }
    for note in report["notes"].as_array().into_iter().flatten() {
        eprintln!("{}", note.as_str().unwrap_or_default());
    }
    Ok(ExitCode::SUCCESS)
}

/// The first files that gave nothing, each with its reason; all of them are in the report.
fn name_refused(report: &serde_json::Value, key: &str, what: &str) {
    let all = report[key].as_array().map_or(&[][..], Vec::as_slice);
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    for one in all.iter().take(NAMED_MAX) {
        eprintln!("{what}: {}: {}", word(&one["path"]), word(&one["reason"]));
    }
    if all.len() > NAMED_MAX {
        let n = all.len() - NAMED_MAX;
        eprintln!("{what}: 其余 {n} 个见报告的 {key}  and {n} more, see {key} in the report");
    }
}

fn read_text(path: &Path) -> Result<String, ModelError> {
    std::fs::read_to_string(path).map_err(|source| ModelError::Io { path: path.to_owned(), source })
}

/// Writes the manifest with the set where a manifest may be: never over another file.
fn put_in_force(text: &str, set: &ThresholdSet, into: &Path) -> Result<(), ModelError> {
    if into.exists() && Manifest::read(into).is_err() {
        let reason = "这里的文件不是模型清单 the file there is no manifest".to_owned();
        return Err(ModelError::Output { path: into.to_owned(), reason });
    }
    let text = Manifest::text_with(text, set)?;
    let io = |source| ModelError::Io { path: into.to_owned(), source };
    let beside = into.with_extension("toml.new");
    std::fs::write(&beside, text).map_err(io)?;
    std::fs::rename(&beside, into).map_err(io)
}

fn read_report(path: &Path) -> Result<serde_json::Value, ModelError> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|e| ModelError::Report(e.to_string()))
}

/// A set that nothing could ever be judged by is not printed.
fn check_set(manifest: &Manifest, set: &ThresholdSet) -> Result<(), ModelError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if set.id.is_empty() || set.id.len() > ID_MAX || !set.id.chars().all(is_plain) {
        let what = "--id 由 1 至 64 个字母、数字、点、横线组成 \
            --id is 1 to 64 letters, digits, dots, dashes and underlines";
        return Err(ModelError::Report(what.into()));
    }
    if manifest.threshold_sets().iter().any(|other| other.id == set.id) {
        return Err(ModelError::Report(format!(
            "已有阈值 {id} there is a set {id} already",
            id = set.id
        )));
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
        false => Err(ModelError::Report(format!(
            "没有这种参考 there is no reference {:?}",
            set.reference
        ))),
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
    if now.is_some_and(|now| now.view_margin.is_some()) {
        eprintln!(
            "注意：新阈值没有 view_margin，已核验的人脸不再自动成为新的参考。\
             Take care: it has no view_margin, so verified faces no longer become views on file."
        );
    }
    if let Some(now) = now.filter(|now| set.accept < now.accept) {
        eprintln!(
            "注意：比现行阈值 {} 宽松（{} 低于 {}）。Take care: it accepts more than {}, which is in force.",
            now.id, set.accept, now.accept, now.id
        );
    }
}

/// A threshold of liveness that few attacks decide, or that refuses the living.
fn caution_pad(pad: &serde_json::Value, apcer: &str) {
    let n_attack = pad["n_attack"].as_f64().unwrap_or(0.0);
    let passing = n_attack * apcer.parse().unwrap_or(0.0);
    if passing < EXCEEDING_MIN {
        eprintln!(
            "注意：攻击样本太少，活体阈值只由 {passing:.1} 个决定。\
             Take care: only {passing:.1} of {n_attack} attacks decide the liveness threshold."
        );
    }
    let bpcer = pad["bpcer_at_apcer"][apcer].as_f64().unwrap_or(0.0);
    if bpcer > BPCER_MAX {
        let percent = 100.0 * bpcer;
        eprintln!(
            "注意：按此活体阈值，{percent:.0}% 的真人会被怀疑。\
             Take care: this liveness threshold suspects {percent:.0} % of the living."
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
            Fetched::Present => "已有 present",
            Fetched::Brought => "已取回 brought",
        };
        println!("{what:8} {:14} {}", model.id, model.file);
    }
    Ok(ExitCode::SUCCESS)
}

fn run_check(manifest: &Manifest, dir: PathBuf) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for (id, file, checked) in manifest.check(&dir) {
        match checked {
            Ok(()) => println!("正确 right    {id:14} {file}"),
            Err(error) => {
                println!("错误 wrong    {id:14} {file}");
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

/// What to do, in both languages, with its code; then the error with its causes.
fn complain(error: &ModelError) {
    let advice = error.advice();
    eprintln!("{} {} [{}]", advice.zh, advice.en, advice.code);
    eprint!("  {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        eprint!(": {cause}");
        source = cause.source();
    }
    eprintln!();
}

const ID_MAX: usize = 64;
/// Files that are named on the terminal.
const NAMED_MAX: usize = 20;
/// Fewer impostor pairs than these above a threshold say little about it ("rule of three").
const EXCEEDING_MIN: f64 = 3.0;
/// Where more of the living are suspected, attendants stop to listen.
const BPCER_MAX: f64 = 0.05;
/// Keys of a report that are printed, where it has them.
#[rustfmt::skip]
const SHOWN: [&str; 19] = [
    "threshold_set", "threshold", "n_genuine", "n_impostor", "eer", "eer_interval", "fnmr_at_fmr", "apcer", "bpcer",
    "n_characters", "character_error_rate", "field_accuracy", "wrong_without_doubt",
    "n_pairs_repeated", "n_pairs_with_itself", "failure_to_acquire", "not_acquired_reasons", "n_bad_files", "latency_ms",
];
