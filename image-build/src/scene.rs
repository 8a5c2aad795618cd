//! What stands around the emulated terminal: an authority, simulated devices, and the stick that sets it up. All of
//! them are programs of this repository that run on this machine, outside of the image.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fault::Fault;
use crate::machine::Ports;
use crate::root::{copy, make, read, write};
use crate::setup::setup;
use crate::stick::{OURS, stick};
use crate::workshop::{Workshop, beside, host, remove, run, say};

/// See the module's head. Its programs end with it.
pub struct Scene {
    authority_data: PathBuf,
    programs: PathBuf,
    authority_port: u16,
    /// Opens the file on the stick.
    pub code: String,
    /// A FAT file system with the file that sets the terminal up.
    pub setup_stick: PathBuf,
    /// Sticks of somebody else's.
    pub foreign_sticks: [PathBuf; 2],
    /// At the terminal's serial ports.
    pub devices: Devices,
    _authority: Standing,
}

impl Scene {
    /// Sets everything up anew. `programs` has `kiosk` (the desk build), `authority` and `device-sim`.
    pub fn set(
        shop: &Workshop,
        root: &Path,
        programs: &Path,
        models: &Path,
    ) -> Result<Self, Fault> {
        let folder = shop.path(SCENE);
        let people = people(shop, programs, models)?;
        remove(&folder)?;
        make(&folder)?;
        let (data, given) = (folder.join("authority"), folder.join("provisioned"));
        let authority = programs.join("authority");
        run(Command::new(&authority).arg("init").arg("--data").arg(&data).args(["--host", HOST]))?;
        let mut provision = Command::new(&authority);
        provision.arg("provision").arg("--data").arg(&data);
        provision.args(["--device", DEVICE, "--site", "trial", "--out"]).arg(&given);
        provision.arg("--roster").arg(people.join("roster.json"));
        run(provision.arg("--policy").arg(root.join("kiosk/policy")))?;

        let authority_port = free_port()?;
        let settings = folder.join("settings");
        make(&settings)?;
        write(&settings.join("authority.address"), &format!("{HOST}:{authority_port}"))?;
        write(&settings.join("site.toml"), &site(&read(&people.join("kiosk.toml"))?)?)?;
        let (setup_stick, code) = setup_stick(shop, &settings)?;
        let foreign =
            |name| stick(shop, name, "OTHER", |onto| write(&onto.join("setup.kiosk"), ""));
        let foreign_sticks = [foreign("one")?, foreign("two")?];

        let listen = format!("127.0.0.1:{authority_port}");
        let mut serve = Command::new(&authority);
        serve.arg("--data").arg(&data).args(["--listen", &listen, "--until-stdin-closes"]);
        Ok(Self {
            _authority: start(&mut serve, &folder.join("authority.log"))?,
            devices: Devices::set(programs, &folder.join("devices"))?,
            authority_data: data,
            programs: programs.to_owned(),
            authority_port,
            code,
            setup_stick,
            foreign_sticks,
        })
    }

    /// What is plugged into the machine from the start.
    pub fn ports(&self) -> Result<Ports, Fault> {
        let authority_port = Some(self.authority_port);
        Ok(Ports { authority_port, ..self.devices.ports()? })
    }

    /// The records that the centre has, masked.
    pub fn records(&self) -> Result<Value, Fault> {
        records(&self.programs, &self.authority_data)
    }
}

/// Simulated devices, with the same people each time.
pub struct Devices {
    folder: PathBuf,
    line: BufReader<UnixStream>,
    _standing: Standing,
}

impl Devices {
    /// Their ports are in a folder of their own.
    pub fn set(programs: &Path, folder: &Path) -> Result<Self, Fault> {
        remove(folder)?;
        make(folder)?;
        let mut simulate = Command::new(programs.join("device-sim"));
        simulate.arg("--dir").arg(folder).args(["--seed", &SEED.to_string(), "--people", "8"]);
        // The emulated processor is slow enough.
        simulate.args(["--fast", "--until-stdin-closes"]);
        let standing = start(&mut simulate, &beside(folder, "log"))?;
        let control = folder.join("control");
        let line = UnixStream::connect(&control).map_err(|e| Fault::read(&control, e))?;
        Ok(Self { folder: folder.to_owned(), line: BufReader::new(line), _standing: standing })
    }

    /// A machine with these and no network.
    pub fn ports(&self) -> Result<Ports, Fault> {
        let port = |name: &str| {
            let link = self.folder.join(name);
            link.canonicalize().map(Some).map_err(|e| Fault::read(&link, e))
        };
        let serial = [port("id-card")?, port("fingerprint")?, port("printer")?];
        Ok(Ports { serial, ..Ports::default() })
    }

    /// Lays cards and fingers; waits until it is done.
    pub fn order(&mut self, order: &str) -> Result<(), Fault> {
        let spoken = |e| Fault::Tool(format!("device-sim: {e}"));
        writeln!(self.line.get_mut(), "{order}").map_err(spoken)?;
        let mut answer = String::new();
        self.line.read_line(&mut answer).map_err(spoken)?;
        match answer.trim() {
            answer if answer.starts_with("ok") => Ok(()),
            answer => Err(Fault::Tool(format!("device-sim to {order}: {answer}"))),
        }
    }

    /// Bytes that the printer put on paper so far.
    pub fn n_printed(&self) -> u64 {
        fs::metadata(self.folder.join("printer.out")).map_or(0, |meta| meta.len())
    }
}

/// A program that stands beside the machine until this is dropped.
struct Standing(Child);

impl Drop for Standing {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It may have ended by itself.
        let _ = self.0.wait();
    }
}

/// The authority of an earlier scene, alone, for the disk that was set up there. It works on a copy of what that one
/// keeps: two trials of the same disk do not hear of each other's records.
pub struct Centre {
    /// The port that the terminal was told.
    pub port: u16,
    programs: PathBuf,
    data: PathBuf,
    _standing: Standing,
}

impl Centre {
    /// Serves as before.
    pub fn serving(shop: &Workshop, programs: &Path) -> Result<Self, Fault> {
        Self::standing(shop, programs, again(shop)?, &[])
    }

    /// Offers `bundle` as `edition` to terminals of `variant`, with a clock that is ahead of this machine's.
    pub fn offering(
        shop: &Workshop,
        programs: &Path,
        (variant, edition, bundle): (&str, &str, &Path),
    ) -> Result<Self, Fault> {
        let data = again(shop)?;
        let mut offer = Command::new(programs.join("authority"));
        offer.arg("offer").arg("--data").arg(&data).args(["--variant", variant]);
        run(offer.args(["--edition", edition]).arg("--bundle").arg(bundle))?;
        Self::standing(shop, programs, data, &["--fault", AHEAD])
    }

    fn standing(
        shop: &Workshop,
        programs: &Path,
        data: PathBuf,
        how: &[&str],
    ) -> Result<Self, Fault> {
        let address = read(&shop.path(SCENE).join("settings/authority.address"))?;
        let port = address.trim().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let port = port.ok_or_else(|| Fault::Tool(format!("no port in {address}")))?;
        let mut serve = Command::new(programs.join("authority"));
        serve.arg("--data").arg(&data).args(["--listen", &format!("127.0.0.1:{port}")]);
        serve.args(how).arg("--until-stdin-closes");
        let standing = start(&mut serve, &beside(&data, "log"))?;
        Ok(Self { port, programs: programs.to_owned(), data, _standing: standing })
    }

    /// A stick that orders the terminal to begin anew.
    pub fn reset_stick(&self, shop: &Workshop) -> Result<PathBuf, Fault> {
        stick(shop, "reset", OURS, |onto| {
            let mut reset = Command::new(self.programs.join("authority"));
            reset.arg("reset").arg("--data").arg(&self.data).args(["--device", DEVICE, "--out"]);
            run(reset.arg(onto.join("reset.kiosk"))).map(drop)
        })
    }

    /// As [`Scene::records`].
    pub fn records(&self) -> Result<Value, Fault> {
        records(&self.programs, &self.data)
    }
}

/// A stick for another site, which gives the terminal of the last scene this address; and its code.
pub fn moving_stick(shop: &Workshop, address: &str) -> Result<(PathBuf, String), Fault> {
    let (folder, settings) = (shop.path(SCENE), shop.path(SCENE).join("settings-elsewhere"));
    remove(&settings)?;
    make(&settings)?;
    for name in ["authority.address", "site.toml"] {
        copy(&folder.join("settings").join(name), &settings.join(name))?;
    }
    let line = format!("[line]\naddress = \"{address}\"\ngateway = \"{HOST}\"\n");
    write(&settings.join("line.toml"), &line)?;
    setup_stick(shop, &settings)
}

/// A stick that sets the terminal of the last scene up, with the keys that it was provisioned with; and its code.
fn setup_stick(shop: &Workshop, settings: &Path) -> Result<(PathBuf, String), Fault> {
    let mut code = String::new();
    let stick = stick(shop, "setup", OURS, |onto| {
        let file = onto.join("setup.kiosk");
        code = setup(&shop.path(SCENE).join("provisioned"), settings, &file)?;
        Ok(())
    })?;
    Ok((stick, code))
}

/// A copy of what the authority of the last scene keeps.
fn again(shop: &Workshop) -> Result<PathBuf, Fault> {
    let folder = shop.path(SCENE);
    let copy = folder.join("authority-again");
    remove(&copy)?;
    run(host("cp").arg("-a").arg(folder.join("authority")).arg(&copy))?;
    Ok(copy)
}

fn records(programs: &Path, data: &Path) -> Result<Value, Fault> {
    let mut show = Command::new(programs.join("authority"));
    let said = run(show.args(["show", "--json", "--data"]).arg(data))?;
    serde_json::from_str(&said).map_err(|e| Fault::Tool(format!("authority show: {e}")))
}

/// The people of `kiosk demo`, their roster with references, and operators with their PINs; made once and kept.
fn people(shop: &Workshop, programs: &Path, models: &Path) -> Result<PathBuf, Fault> {
    let kept = shop.path("trial/people");
    if kept.join("roster.json").exists() {
        return Ok(kept);
    }
    say("people and their references …");
    let folder = shop.path("trial/people.new");
    remove(&folder)?;
    make(&folder)?;
    let mut demo = Command::new(programs.join("kiosk"));
    demo.args(["demo", "--headless", "--visits", "2", "--seed", &SEED.to_string(), "--out"])
        .arg(&folder);
    demo.arg("--models").arg(models).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = demo.spawn().map_err(|e| Fault::NoTool("kiosk demo".into(), e))?;
    // Its stage is set when its settings are there; nobody is served here.
    let settings = folder.join("state/kiosk.toml");
    let deadline = Instant::now() + PEOPLE_PATIENCE;
    while !settings.exists() && Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(Fault::Tool(format!("kiosk demo ended: {status}")));
        }
        thread::sleep(POLL);
    }
    thread::sleep(POLL);
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
    let ready = shop.path("trial/people.ready");
    remove(&ready)?;
    make(&ready)?;
    for name in ["roster.json", "kiosk.toml"] {
        copy(&folder.join("state").join(name), &ready.join(name))?;
    }
    remove(&kept)?;
    fs::rename(&ready, &kept).map_err(|e| Fault::write(&kept, e))?;
    Ok(kept)
}

/// The site's settings: its name, and the operators of the demonstration.
fn site(demonstration: &str) -> Result<String, Fault> {
    let all: toml::Table = toml::from_str(demonstration)
        .map_err(|e| Fault::Tool(format!("settings of the demonstration: {e}")))?;
    let mut site: toml::Table = toml::from_str(TERMINAL).expect("a constant");
    let operators = all.get("operator").cloned();
    let operators = operators.ok_or_else(|| Fault::Tool("the demonstration has nobody".into()))?;
    site.insert("operator".into(), operators);
    Ok(site.to_string())
}

/// Starts a program that says a line when it is ready.
fn start(command: &mut Command, log: &Path) -> Result<Standing, Fault> {
    let errors = fs::File::create(log).map_err(|e| Fault::write(log, e))?;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .map_err(|e| Fault::NoTool(format!("{command:?}"), e))?;
    let mut line = String::new();
    let out = child.stdout.take().expect("piped above");
    BufReader::new(out).read_line(&mut line).map_err(|e| Fault::read(log, e))?;
    if line.is_empty() {
        return Err(Fault::Tool(format!("it did not start: {}", read(log)?)));
    }
    Ok(Standing(child))
}

fn free_port() -> Result<u16, Fault> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.map(|address| address.port()).map_err(|e| Fault::Tool(format!("no free port: {e}")))
}

/// The terminal, as the authority knows it.
const DEVICE: &str = "trial-0001";
/// Below the cache.
const SCENE: &str = "trial/scene";
/// An hour.
const AHEAD: &str = "clock-offset-ms=3600000";
/// Of the simulated people.
pub const SEED: u64 = 1;
/// This machine as the emulated one sees it.
pub const HOST: &str = "10.0.2.2";
const TERMINAL: &str = r#"[terminal]
site_name = "常青镇便民服务中心"
state = "/var/lib/kiosk"
provisioned = "/var/lib/kiosk/site/provisioned"
models = "/usr/share/kiosk/models"
"#;
const POLL: Duration = Duration::from_millis(500);
const PEOPLE_PATIENCE: Duration = Duration::from_secs(600);
