//! `kiosk policy`: names, checks and explains policy packs for the person who writes or applies them.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use kiosk_core::benefit::{Abode, Group, Method, Stage, Word};
use kiosk_core::moment::Doubt;
use kiosk_core::policy::{self, CheckReport, ListedFolder, Pack, PackSet, Question, Words};
use serde::Serialize;

pub mod in_force;

/// What is wanted of a pack.
#[derive(Subcommand)]
pub enum Command {
    /// Names the packs.
    List {
        /// A folder of packs instead of the built-in ones.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Explains a pack file, or what is wrong in it, line by line.
    Check {
        /// The pack.
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Says what one person owes under a pack, and why.
    Explain {
        /// Name of a pack, or its file.
        pack: String,
        #[command(flatten)]
        person: Person,
        /// The day that is asked about.
        #[arg(long, value_parser = day)]
        today: Date,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Somebody who draws a benefit, in the words of a pack's examples.
#[derive(Args)]
pub struct Person {
    /// Birth, YYYY-MM-DD.
    #[arg(long, value_parser = day)]
    born: Option<Date>,
    /// Last success.
    #[arg(long, value_parser = day)]
    last: Option<Date>,
    /// Its method, such as face_model.
    #[arg(long, requires = "last", value_parser = word::<Method>)]
    last_method: Option<Method>,
    /// Group of people, such as retiree.
    #[arg(long, value_parser = word::<Group>)]
    group: Option<Group>,
    /// First day of the entitlement.
    #[arg(long, value_parser = day)]
    retired_on: Option<Date>,
    /// Where the entitlement stands in its life, such as pre_approval.
    #[arg(long, value_parser = word::<Stage>)]
    stage: Option<Stage>,
    /// Where the person lives, such as overseas.
    #[arg(long, value_parser = word::<Abode>)]
    abode: Option<Abode>,
    /// Payment was stopped.
    #[arg(long)]
    suspended: bool,
    /// A review is running; its answer is expected by this day.
    #[arg(long, value_parser = day)]
    under_review: Option<Date>,
    /// The benefit is drawn twice.
    #[arg(long)]
    duplicate: bool,
    /// How far the day is believed: none, doubtful or unknown.
    #[arg(long, value_parser = word::<Doubt>)]
    doubt: Option<Doubt>,
    /// Asks what a success by this method on that day would mean.
    #[arg(long, value_parser = word::<Method>)]
    by: Option<Method>,
}

/// Does it. A pack with faults ends with a failure.
pub fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        Command::List { dir, json } => list(dir.as_deref(), json),
        Command::Check { file, json } => check(&file, json),
        Command::Explain { pack, person, today, json } => {
            let (pack, question) = (find(&pack)?, person.question());
            if let Some(problem) = question.problem(today) {
                return Err(both(&problem).into());
            }
            let explained = policy::explain(&pack, &question, today);
            print(json, &explained, || explained.to_text())
        }
    }
}

impl Person {
    fn question(self) -> Question {
        Question {
            born: self.born,
            last: self.last,
            last_method: self.last_method,
            group: self.group,
            retired_on: self.retired_on,
            stage: self.stage.unwrap_or_default(),
            abode: self.abode.unwrap_or_default(),
            suspended: self.suspended,
            under_review: self.under_review,
            duplicate: self.duplicate,
            doubt: self.doubt.unwrap_or_default(),
            by: self.by,
        }
    }
}

fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| format!("{text} is no day; write YYYY-MM-DD"))
}

fn word<T: Word>(text: &str) -> Result<T, String> {
    T::all().iter().copied().find(|word| word.id() == text).ok_or_else(|| {
        let known: Vec<&str> = T::all().iter().map(|word| word.id()).collect();
        format!("not known; known are {}", known.join(", "))
    })
}

fn list(dir: Option<&Path>, json: bool) -> Result<ExitCode, Box<dyn Error>> {
    let folder = match dir {
        Some(dir) => in_folder(dir)?,
        None => {
            let packs = policy::list(&PackSet::from_packs(built_in()));
            ListedFolder { packs, problems: Vec::new() }
        }
    };
    print(json, &folder.packs, || listed(&folder, dir))?;
    // A bad file hides no good one, and is not passed over either.
    folder.problems.iter().for_each(|problem| eprintln!("kiosk: {}", both(problem)));
    Ok(if folder.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn listed(folder: &ListedFolder, dir: Option<&Path>) -> String {
    let line = |p: &policy::ListedPack| {
        let file = p.file.as_ref().map_or(String::new(), |file| format!("  {file}"));
        format!(
            "{} v{}  {}  {}  {}{file}\n    {}\n",
            p.pack, p.version, p.region, p.agency, p.benefit, p.source
        )
    };
    match dir {
        Some(dir) if folder.packs.is_empty() => {
            format!("{}：没有策略包 / no policy pack (*.toml)", shown(dir))
        }
        _ => folder.packs.iter().map(line).collect(),
    }
}

fn check(file: &Path, json: bool) -> Result<ExitCode, Box<dyn Error>> {
    let report = checked(file);
    print(json, &report, || {
        let place = |fault: &policy::CheckedFault| match fault.line {
            0 => format!("{}: {fault}\n", shown(file)),
            line => format!("{}:{line}:{}: {fault}\n", shown(file), fault.column),
        };
        if report.ok { report.text.clone() } else { report.faults.iter().map(place).collect() }
    })?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn checked(file: &Path) -> CheckReport {
    read(file).map_or_else(policy::unreadable, |bytes| policy::check_bytes(&bytes))
}

fn find(name: &str) -> Result<Pack, Box<dyn Error>> {
    if let Some(pack) = built_in().into_iter().find(|pack| pack.id == name) {
        return Ok(pack);
    }
    let file = Path::new(name);
    if file.exists() || name.contains(['/', '\\']) {
        return parsed(file);
    }
    let known: Vec<String> = built_in().into_iter().map(|pack| pack.id).collect();
    let name = policy::printable(name);
    let known = known.join(", ");
    Err(format!(
        "没有叫“{name}”的策略包，也没有这个文件；已有：{known} / no pack {name}, and no file of that name"
    )
    .into())
}

fn parsed(file: &Path) -> Result<Pack, Box<dyn Error>> {
    let name = shown(file);
    let bytes = read(file).map_err(|why| format!("{name}: {}", both(&why)))?;
    let report = policy::check_bytes(&bytes);
    let Some(first) = report.faults.first() else {
        let text = String::from_utf8_lossy(&bytes);
        return Ok(Pack::parse(&text).expect("the check has just parsed it"));
    };
    let more = match report.faults.len() {
        1 => String::new(),
        n => format!(" ({n} in all; see `kiosk policy check {name}`)"),
    };
    Err(format!("{name}:{}: {} / {}{more}", first.line, first.zh, first.en).into())
}

fn in_folder(dir: &Path) -> Result<ListedFolder, Box<dyn Error>> {
    let entries = fs::read_dir(dir).map_err(|e| format!("{}: {e}", shown(dir)))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "toml"));
    files.sort();
    Ok(policy::list_files(files.iter().map(|file| (shown(file), checked(file)))))
}

/// The bytes of a pack file. A pipe or a device would never end, and no pack is as long as the limit.
fn read(file: &Path) -> Result<Vec<u8>, Words> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Words::new("没有这个文件", "no such file"),
        io::ErrorKind::PermissionDenied => {
            Words::new("没有权限读取", "it may not be read by this account")
        }
        _ => Words::new(format!("读取失败：{error}"), format!("it cannot be read: {error}")),
    };
    let about = fs::metadata(file).map_err(failed)?;
    if about.is_dir() {
        return Err(Words::new(
            "这是文件夹；请用 kiosk policy list --dir",
            "this is a folder; use kiosk policy list --dir",
        ));
    }
    if !about.is_file() {
        return Err(Words::new("不是普通文件", "it is no regular file"));
    }
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that too much is told as such.
    let most = policy::BYTES_MAX as u64 + 1;
    File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}

/// A path for a screen.
fn shown(path: &Path) -> String {
    policy::printable(&path.display().to_string())
}

fn both(words: &Words) -> String {
    format!("{} / {}", words.zh, words.en)
}

/// The packs that the program carries.
fn built_in() -> Vec<Pack> {
    let parsed =
        |text: &&str| Pack::parse(text).expect("a test parses every pack of the repository");
    PACKS.iter().map(parsed).collect()
}

fn print<T: Serialize>(
    json: bool,
    value: &T,
    text: impl FnOnce() -> String,
) -> Result<ExitCode, Box<dyn Error>> {
    let text = if json { serde_json::to_string_pretty(value)? } else { text() };
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        // Whoever reads has seen enough: `kiosk policy list | head -1`.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// The packs of the repository, as the image carries them.
const PACKS: [&str; 9] = [
    include_str!("../policy/cn.gd.province.resident_pension.toml"),
    include_str!("../policy/cn.he.tangshan.enterprise_pension.toml"),
    include_str!("../policy/cn.he.tangshan.resident_pension.toml"),
    include_str!("../policy/cn.he.tangshan.unemployment.toml"),
    include_str!("../policy/cn.nm.region.enterprise_pension.toml"),
    include_str!("../policy/cn.sn.province.institution_pension.toml"),
    include_str!("../policy/cn.sn.xian.enterprise_pension.toml"),
    include_str!("../policy/cn.sx.jinzhong.enterprise_pension.toml"),
    include_str!("../policy/cn.sx.province.enterprise_pension.toml"),
];

#[cfg(test)]
mod tests;
