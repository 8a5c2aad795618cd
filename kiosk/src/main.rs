//! The terminal's program: `kiosk run` on the appliance, `kiosk demo` on a desk, and the small commands beside them.

mod blocked;
mod clock;
mod config;
#[cfg(feature = "desk")]
mod desk;
mod devices;
mod drafts;
mod happening;
mod health;
mod hex;
mod ids;
mod line;
mod operators;
mod picture;
mod policy;
mod rooms;
mod served;
mod setup;
mod shell;
mod tray;
mod vault;
mod watchdog;
mod window;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing::{Level, error};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// 常青 Changqing: proves, without a phone, that an old person is alive and is who they say.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves people: the appliance.
    Run {
        /// Settings; the folder of the same name with `.d` adds to them.
        #[arg(long, default_value = "/etc/kiosk/kiosk.toml")]
        config: PathBuf,
    },
    /// Says whether this edition works here, without devices; after an update it decides whether the edition stays.
    Health {
        /// Settings; the folder of the same name with `.d` adds to them.
        #[arg(long, default_value = "/etc/kiosk/kiosk.toml")]
        config: PathBuf,
    },
    /// Explains policy packs.
    Policy {
        #[command(subcommand)]
        command: policy::Command,
    },
    /// Checks the devices in the morning: each in under five seconds, with what to do about it.
    Selftest(devices::Selftest),
    /// Makes and plays captures of a device's traffic.
    Devices {
        #[command(subcommand)]
        command: devices::Command,
    },
    /// Makes the hash of a PIN for the settings; the PIN comes from standard input.
    HashPin,
    /// Shows whole visits with simulated people and devices.
    #[cfg(feature = "desk")]
    Demo(desk::demo::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr();
    let serves = matches!(arguments.command, Command::Run { .. });
    let done = match arguments.command {
        Command::Run { config } => window::run(&config).map(|()| ExitCode::SUCCESS),
        Command::Health { config } => health::run(&config),
        Command::Policy { command } => policy::run(command),
        Command::Selftest(wanted) => devices::selftest(&wanted),
        Command::Devices { command } => devices::run(command),
        Command::HashPin => hash_pin().map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "desk")]
        Command::Demo(arguments) => desk::demo::run(&arguments),
    };
    done.unwrap_or_else(|problem| {
        // The journal is for the service; somebody at a shell is answered whatever is logged.
        if serves {
            error!("{}", chain(&*problem));
        } else {
            eprintln!("kiosk: {}", chain(&*problem));
        }
        ExitCode::FAILURE
    })
}

/// The journal takes standard error. `KIOSK_LOG=debug` says more.
fn log_to_stderr() {
    let wanted = std::env::var("KIOSK_LOG").ok().and_then(|wanted| wanted.parse::<Targets>().ok());
    let filter = wanted.unwrap_or_else(|| {
        let quiet = ["i_slint_core", "tract_core"].map(|target| (target, Level::WARN));
        Targets::new().with_default(Level::INFO).with_targets(quiet)
    });
    let journal = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(filter);
    tracing_subscriber::registry().with(journal).init();
}

fn hash_pin() -> Result<(), Box<dyn Error>> {
    let mut pin = String::new();
    std::io::stdin().read_line(&mut pin)?;
    println!("{}", operators::hash(pin.trim())?);
    Ok(())
}

/// An error with all its sources in one line.
fn chain(problem: &dyn Error) -> String {
    let mut text = problem.to_string();
    let mut source = problem.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
