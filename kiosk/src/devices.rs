//! `kiosk selftest`: the morning check. `kiosk devices`: makes and plays captures, so that a fault in the field
//! becomes a test. The devices themselves are the drivers' business.

pub mod check;
mod record;
mod session;
mod tee;
mod words;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::config::Config;
use check::{Checkup, DEVICES, State};
use session::Device;

/// What is wanted of a device's traffic.
#[derive(Subcommand)]
pub enum Command {
    /// Writes down all that goes over a device's line. A capture of a card holds the whole card: keep it as one.
    ///
    /// With DEVICE, its driver works on the port: the card reader until a card was read, the fingerprint module until
    /// an image came, the printer prints a test slip. Without, a port for a running kiosk is made beside FILE, and what
    /// goes through it to the real port is kept.
    Record {
        /// Device node of the real device.
        #[arg(long)]
        port: PathBuf,
        /// New file for the capture.
        #[arg(long)]
        out: PathBuf,
        /// Ends after so many seconds, whatever happened; without DEVICE only when interrupted, unless this is given.
        #[arg(long)]
        seconds: Option<u64>,
        #[command(flatten)]
        manner: session::Manner,
        /// Which device it is.
        device: Option<Device>,
    },
    /// Plays a capture against the driver and says what the driver answered.
    Replay {
        /// The capture.
        file: PathBuf,
        #[command(flatten)]
        manner: session::Manner,
        /// Which device it is of.
        device: Device,
    },
}

/// What is to be checked.
#[derive(Args)]
pub struct Selftest {
    /// Only this device.
    #[arg(value_parser = PossibleValuesParser::new(DEVICES.iter().map(|device| device.name)))]
    device: Option<String>,
    /// Settings that name the devices.
    #[arg(long, default_value = "/etc/kiosk/kiosk.toml")]
    config: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Does it. Something that cannot be done, or a replay that goes another way, ends with a failure; a fault that was
/// recorded or repeated does not.
pub fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    let tell = &mut |line: &str| println!("{line}");
    match command {
        Command::Record { port, out, seconds, manner, device: Some(device) } => {
            let time = seconds.map_or(RECORD_TIME, Duration::from_secs);
            record::record(device, &manner, &port, &out, time, tell)?;
        }
        Command::Record { port, out, seconds, manner: _, device: None } => {
            tee::run(&port, &out, seconds.map(Duration::from_secs), tell)?;
        }
        Command::Replay { file, manner, device } => record::replay(device, &manner, &file, tell)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks the devices of the settings. A device that fails, or one that was asked for and is not in the settings, ends
/// with a failure; one that only wants attention does not.
pub fn selftest(wanted: &Selftest) -> Result<ExitCode, Box<dyn Error>> {
    let config = Config::read(&wanted.config)?;
    let checkups = check::run(&config, wanted.device.as_deref());
    if checkups.is_empty() {
        return Err("no such device in the settings · 设置里没有这个设备".into());
    }
    if wanted.json {
        let ok = !checkups.iter().any(|checkup| checkup.state == State::Fails);
        println!("{}", serde_json::to_string_pretty(&Report { ok, devices: &checkups })?);
    } else {
        print!("{}", text(&checkups));
    }
    let failed = checkups.iter().any(|checkup| checkup.state == State::Fails);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    /// Whether no device fails.
    ok: bool,
    devices: &'a [Checkup],
}

fn text(checkups: &[Checkup]) -> String {
    let mut text = String::new();
    for checkup in checkups {
        let mark = match checkup.state {
            State::Works => "✓",
            State::Attention => "!",
            State::Fails => "✗",
        };
        let Checkup { name, what, .. } = checkup;
        text += &format!("{mark} {} {}：{} {}\n", name.zh, name.en, what.zh, what.en);
        if let Some(todo) = &checkup.todo {
            text += &format!("    → {}\n    → {}\n", todo.zh, todo.en);
        }
        let facts = checkup.facts.iter().map(|(name, value)| format!("{name} {value}"));
        let took = format!("{:.1} s", checkup.took_ms as f64 / 1000.0);
        let facts: Vec<String> = [checkup.code.clone(), took].into_iter().chain(facts).collect();
        text += &format!("    {}\n", facts.join(" · "));
    }
    text
}

/// Long enough to walk to the reader and lay a card.
const RECORD_TIME: Duration = Duration::from_secs(60);
