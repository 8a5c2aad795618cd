//! `kiosk policy`: names, checks and explains policy packs for the person who writes or applies them.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jiff::civil::Date;
use kiosk_core::benefit::Method;
use kiosk_core::policy::{self, Pack, PackSet, Question};
use serde::Serialize;

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
        /// Birth, YYYY-MM-DD.
        #[arg(long, value_parser = day)]
        born: Option<Date>,
        /// Last success.
        #[arg(long, value_parser = day)]
        last: Option<Date>,
        /// Its method, such as face_model.
        #[arg(long)]
        last_method: Option<String>,
        /// Group of people, such as retiree.
        #[arg(long)]
        group: Option<String>,
        /// The day that is asked about.
        #[arg(long, value_parser = day)]
        today: Date,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Does it. A pack with faults ends with a failure.
pub fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        Command::List { dir, json } => list(dir.as_deref(), json),
        Command::Check { file, json } => check(&file, json),
        Command::Explain { pack, born, last, last_method, group, today, json } => {
            let method =
                last_method.map(|id| Method::from_id(&id).ok_or(format!("no method {id}")));
            let question = Question { born, last, last_method: method.transpose()?, group };
            let explained = policy::explain(&find(&pack)?, &question, today);
            print(json, &explained, || explained.to_text())
        }
    }
}

fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| format!("{text} is no day; write YYYY-MM-DD"))
}

fn list(dir: Option<&Path>, json: bool) -> Result<ExitCode, Box<dyn Error>> {
    let packs = match dir {
        Some(dir) => in_folder(dir)?,
        None => built_in(),
    };
    let listed = policy::list(&PackSet::from_packs(packs));
    print(json, &listed, || {
        let line = |p: &policy::ListedPack| {
            format!(
                "{} v{}  {}  {}  {}\n    {}\n",
                p.pack, p.version, p.region, p.agency, p.benefit, p.source
            )
        };
        listed.iter().map(line).collect()
    })
}

fn check(file: &Path, json: bool) -> Result<ExitCode, Box<dyn Error>> {
    let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let report = policy::check(&text);
    print(json, &report, || report.text.clone())?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn find(name: &str) -> Result<Pack, Box<dyn Error>> {
    if Path::new(name).exists() {
        return parse(&fs::read_to_string(name)?, name);
    }
    built_in().into_iter().find(|pack| pack.id == name).ok_or(format!("no pack {name}").into())
}

fn in_folder(dir: &Path) -> Result<Vec<Pack>, Box<dyn Error>> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "toml"));
    files.sort();
    files
        .iter()
        .map(|file| parse(&fs::read_to_string(file)?, &file.display().to_string()))
        .collect()
}

fn parse(text: &str, name: &str) -> Result<Pack, Box<dyn Error>> {
    Pack::parse(text).map_err(|faults| {
        format!("{name} has {} faults; see `kiosk policy check {name}`", faults.len()).into()
    })
}

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
    if json {
        println!("{}", serde_json::to_string_pretty(value)?);
    } else {
        println!("{}", text().trim_end());
    }
    Ok(ExitCode::SUCCESS)
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
