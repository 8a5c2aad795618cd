//! The command line of the reference authority.

use std::{
    error::Error,
    fs,
    io::{self, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use authority::{
    check::check,
    fault::Faults,
    keys::{Keys, Signer},
    provision::{Order, provision, sign_file},
    refusal::chain,
    report::{EventLine, RecordLine, Status},
    reset::reset,
    server::{Authority, Config},
    store::Store,
    updates::Updates,
};
use clap::{Parser, Subcommand, ValueEnum};
use serde::Serialize;

/// The reference central authority: takes sealed batches, gives signed receipts.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

/// Serve; what runs without a subcommand.
#[derive(Debug, clap::Args)]
struct Serve {
    /// The authority's data, made by `authority init`.
    #[arg(long, required = true)]
    data: Option<PathBuf>,
    /// Where to listen; port 0 lets the system choose.
    #[arg(long, required = true)]
    listen: Option<SocketAddr>,
    /// Stop when standard input closes.
    #[arg(long)]
    until_stdin_closes: bool,
    /// Write the address it listens on to this file.
    #[arg(long)]
    address_file: Option<PathBuf>,
    /// Misbehave on order, for tests.
    #[arg(long = "fault", hide = true)]
    faults: Vec<String>,
    /// The seed of the faults.
    #[arg(long, hide = true, default_value_t = 0)]
    fault_seed: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the keys that are missing.
    Init {
        /// The authority's data.
        #[arg(long)]
        data: PathBuf,
        /// Names and addresses of the server's certificate.
        #[arg(long = "host")]
        hosts: Vec<String>,
    },
    /// Make the directory that a terminal is given, and register the terminal.
    Provision {
        /// The authority's data.
        #[arg(long)]
        data: PathBuf,
        /// The terminal's id.
        #[arg(long)]
        device: String,
        /// Where it is sent.
        #[arg(long)]
        site: String,
        /// The directory to make.
        #[arg(long)]
        out: PathBuf,
        /// The roster of the site, JSON.
        #[arg(long)]
        roster: Option<PathBuf>,
        /// The folder of policy packs, TOML.
        #[arg(long)]
        policy: Option<PathBuf>,
    },
    /// Sign a file as it goes down to terminals.
    Sign {
        /// The authority's data.
        #[arg(long)]
        data: PathBuf,
        /// What the file is.
        #[arg(long = "as")]
        kind: Kind,
        /// The file.
        file: PathBuf,
        /// The signed file to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Print what is stored, in numbers.
    Status {
        /// The authority's data.
        #[arg(long)]
        data: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the records, masked.
    Show {
        /// The authority's data.
        #[arg(long)]
        data: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print what was refused and what somebody should look into.
    Events {
        /// The authority's data.
        #[arg(long)]
        data: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Open, verify and hash all that is stored; fail if anything is not what it was.
    Check {
        /// The authority's data.
        #[arg(long)]
        data: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Offer an edition to the terminals of a kind, or to one of them; they fetch it and install it at night.
    Offer {
        /// The authority's data.
        #[arg(long)]
        data: PathBuf,
        /// The kind of terminal, as its image was built: counter, station, handheld, qemu.
        #[arg(long)]
        variant: String,
        /// The edition's name.
        #[arg(long)]
        edition: String,
        /// The signed bundle, as `image-build image` makes it.
        #[arg(long)]
        bundle: PathBuf,
        /// Only to the terminal of this id.
        #[arg(long)]
        device: Option<String>,
    },
    /// Offer nothing any more; what was fetched and not installed yet is removed by the terminals.
    Withdraw {
        /// The authority's data.
        #[arg(long)]
        data: PathBuf,
        /// The kind of terminal.
        #[arg(long)]
        variant: String,
        /// Only what was offered to the terminal of this id.
        #[arg(long)]
        device: Option<String>,
    },
    /// Write the order for a stick that makes a terminal forget its site and wait to be set up anew; its records stay.
    Reset {
        /// The authority's data.
        #[arg(long)]
        data: PathBuf,
        /// The terminal's id.
        #[arg(long)]
        device: String,
        /// The file to write, `reset.kiosk`.
        #[arg(long)]
        out: PathBuf,
    },
    /// Revoke a terminal for good.
    Revoke {
        /// The authority's data.
        #[arg(long)]
        data: PathBuf,
        /// The terminal's id.
        #[arg(long)]
        device: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// A roster, JSON.
    Roster,
    /// A policy pack, TOML.
    Policy,
}

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let outcome = match arguments.command {
        Some(command) => run(command),
        None => serve(arguments.serve),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("authority: {}", chain(&*fault));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Init { data, hosts } => Keys::at(&data).make(&hosts)?,
        Command::Provision { data, device, site, out, roster, policy } => {
            provision(&data, &Order { device, site, out, roster, policy }, now_ms())?;
        }
        Command::Sign { data, kind, file, out } => sign(&data, kind, &file, &out)?,
        Command::Status { data, json } => {
            let status = Status::read(&Store::open_to_read(&data)?)?;
            print(json, &status, |status| print!("{status}"))?;
        }
        Command::Show { data, json } => {
            let records = RecordLine::all(&Store::open_to_read(&data)?)?;
            print(json, &records, |records| {
                records.iter().for_each(|record| println!("{record}"))
            })?;
        }
        Command::Events { data, json } => {
            let events = EventLine::all(&Store::open_to_read(&data)?)?;
            print(json, &events, |events| events.iter().for_each(|event| println!("{event}")))?;
        }
        Command::Check { data, json } => {
            let findings = check(&data)?;
            print(json, &findings, |findings| print!("{findings}"))?;
            if !findings.faults.is_empty() {
                return Err(format!("{} faults were found", findings.faults.len()).into());
            }
        }
        Command::Offer { data, variant, edition, bundle, device } => {
            offer(&data, &variant, device.as_deref(), &edition, &bundle)?;
        }
        Command::Withdraw { data, variant, device } => {
            withdraw(&data, &variant, device.as_deref())?;
        }
        Command::Reset { data, device, out } => {
            fs::write(out, reset(&Keys::at(&data), &device, now_ms())?)?;
        }
        Command::Revoke { data, device } => revoke(&data, &device)?,
    }
    Ok(())
}

fn serve(serve: Serve) -> Outcome {
    let data = serve.data.ok_or("--data is needed")?;
    let listen = serve.listen.ok_or("--listen is needed")?;
    if is_new(&data)? {
        // Only a folder with nothing in it: keys that are missing beside records are a loss, not a beginning.
        tracing::warn!(data = %data.display(), "no authority here yet: a new one is made, with keys of its own");
        Keys::at(&data).make(&[listen.ip().to_string(), "localhost".into()])?;
    }
    let mut faults = Faults::default();
    serve.faults.iter().try_for_each(|fault| faults.add(fault))?;
    let authority =
        Authority::start(Config { data, listen, faults, fault_seed: serve.fault_seed })?;
    println!("listening on {}", authority.address());
    if let Some(path) = serve.address_file {
        write_address(&path, authority.address())?;
    }
    wait(serve.until_stdin_closes)?;
    drop(authority);
    Ok(())
}

/// Whether there is no authority yet.
fn is_new(data: &Path) -> io::Result<bool> {
    Ok(!data.exists() || fs::read_dir(data)?.next().is_none())
}

/// Returns on the terminal's interrupt, on termination, or when standard input closes.
fn wait(until_stdin_closes: bool) -> io::Result<()> {
    let (ended, end) = mpsc::channel();
    if until_stdin_closes {
        let ended = ended.clone();
        thread::spawn(move || {
            // An input that cannot be read any more is closed as well.
            let _ = io::copy(&mut io::stdin().lock().take(u64::MAX), &mut io::sink());
            ended.send(())
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(signalled());
        ended.send(())
    });
    // The channel closes only with both threads, which is an end too.
    let _ = end.recv();
    Ok(())
}

async fn signalled() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .expect("termination may be handled");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => (),
        _ = terminate.recv() => (),
    }
}

/// Whoever waits for the file finds the whole address in it.
fn write_address(path: &Path, address: SocketAddr) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let aside = path.with_file_name(name);
    fs::write(&aside, address.to_string())?;
    fs::rename(&aside, path)
}

fn sign(data: &Path, kind: Kind, file: &Path, out: &Path) -> Outcome {
    let signer = match kind {
        Kind::Roster => Signer::Down,
        Kind::Policy => Signer::Policy,
    };
    Ok(fs::write(out, sign_file(&Keys::at(data), signer, file)?)?)
}

fn offer(
    data: &Path,
    variant: &str,
    device: Option<&str>,
    edition: &str,
    bundle: &Path,
) -> Outcome {
    if let Some(device) = device {
        registered(data, device)?;
    }
    // Else a wrong folder would become an authority without keys.
    Keys::at(data).ca()?;
    let offered = Updates::at(data).offer(variant, device, edition, bundle)?;
    let whom = device.unwrap_or("every terminal");
    println!("{edition} for {variant} ({whom}): {} bytes, {}", offered.size, offered.sha256);
    Ok(())
}

fn withdraw(data: &Path, variant: &str, device: Option<&str>) -> Outcome {
    match Updates::at(data).withdraw(variant, device)? {
        true => Ok(()),
        false => Err(format!("nothing is offered to {}", device.unwrap_or(variant)).into()),
    }
}

fn registered(data: &Path, device: &str) -> Outcome {
    match Store::open_to_read(data)?.device(device)? {
        Some(device) if device.revoked => Err(format!("{} is revoked", device.id).into()),
        Some(_) => Ok(()),
        None => Err(format!("no device {device} is registered").into()),
    }
}

fn revoke(data: &Path, device: &str) -> Outcome {
    if Store::open(data)?.revoke(device, now_ms())? {
        Ok(())
    } else {
        Err(format!("no device {device} is registered").into())
    }
}

fn print<T: Serialize>(json: bool, value: &T, plain: impl FnOnce(&T)) -> Outcome {
    if json {
        println!("{}", serde_json::to_string_pretty(value)?);
    } else {
        plain(value);
    }
    Ok(())
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
