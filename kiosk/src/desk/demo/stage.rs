//! What the demonstration needs around the terminal: an authority, devices on ptys, a roster and the settings.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use kiosk_core::benefit::Method;
use models::Manifest;
use models::finger::{FingerEngine, GreyImage};
use models::iso19794::{self, FingerPosition, FingerRecord, FingerView};
use people::Person;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::clerk::{OPERATOR, SUPERVISOR};
use super::{Purpose, Visitor};
use crate::operators;
use crate::rooms::roster::FINGER_FORMAT;

/// See the module's head. Its programs end when this one does: their standard input closes.
pub struct Stage {
    /// Settings of the terminal.
    pub config_file: PathBuf,
    state: PathBuf,
    authority: Child,
    simulator: Child,
    devices: Devices,
}

/// Orders to the simulated devices.
#[derive(Clone)]
pub struct Devices {
    control: PathBuf,
    line: Arc<Mutex<Option<BufReader<UnixStream>>>>,
}

impl Devices {
    /// Lays cards and fingers; waits until it is done.
    pub fn order(&self, order: &str) -> io::Result<()> {
        let mut line = self.line.lock().expect("one order at a time");
        if line.is_none() {
            *line = Some(BufReader::new(UnixStream::connect(&self.control)?));
        }
        let connected = line.as_mut().expect("connected above");
        writeln!(connected.get_mut(), "{order}")?;
        let mut answer = String::new();
        connected.read_line(&mut answer)?;
        if answer.starts_with("ok") {
            return Ok(());
        }
        Err(io::Error::other(format!("device-sim to {order}: {}", answer.trim())))
    }
}

impl Stage {
    /// Sets everything up under `dir/state`, or finds it there.
    pub fn set(
        dir: &Path,
        seed: u64,
        models: &Path,
        visitors: &[Visitor],
    ) -> Result<Self, Box<dyn Error>> {
        let state = dir.join("state");
        fs::create_dir_all(state.join("devices"))?;
        belongs_to(&state.join("seed"), &format!("--seed {seed} --visits {}", visitors.len()))?;
        if !state.join("provisioned/authority.toml").exists() {
            provision(&state, models, visitors)?;
        }
        let config_file = state.join("kiosk.toml");
        fs::write(&config_file, settings(&state, models)?)?;
        let n_people = visitors.iter().map(|v| v.holder.index.max(v.sitter.index) + 1).max();
        let devices = state.join("devices");
        let control = devices.join("control");
        Ok(Self {
            config_file,
            authority: start_authority(&state)?,
            simulator: start_simulator(&devices, seed, n_people.unwrap_or(1))?,
            devices: Devices { control, line: Arc::default() },
            state,
        })
    }

    /// Lays a file of settings beside those of the demonstration.
    pub fn add_settings(&self, file: &Path) -> io::Result<()> {
        let folder = self.config_file.with_extension("d");
        fs::create_dir_all(&folder)?;
        fs::copy(file, folder.join("more.toml"))?;
        Ok(())
    }

    /// Orders to the simulated devices.
    pub fn devices(&self) -> Devices {
        self.devices.clone()
    }

    /// Starts the authority again if somebody killed it.
    pub fn tend(&mut self) -> Result<(), Box<dyn Error>> {
        if let Some(status) = self.authority.try_wait()? {
            warn!(%status, "the authority ended; it is started again");
            self.authority = start_authority(&self.state)?;
        }
        if let Some(status) = self.simulator.try_wait()? {
            return Err(format!("device-sim ended: {status}").into());
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in [&mut self.authority, &mut self.simulator] {
            drop(child.stdin.take());
            if let Err(problem) = child.wait() {
                warn!(%problem, "a program of the stage");
            }
        }
    }
}

/// A folder goes on with what it was begun with: other people would not be in its roster.
fn belongs_to(file: &Path, wanted: &str) -> Result<(), Box<dyn Error>> {
    match fs::read_to_string(file) {
        Ok(begun) if begun == wanted => Ok(()),
        Ok(begun) => Err(format!(
            "this folder holds a demonstration begun with {begun:?}, not {wanted:?}; name another --out"
        )
        .into()),
        Err(_) => Ok(fs::write(file, wanted)?),
    }
}

/// Keys, roster and packs, as a real authority hands them to a real terminal.
fn provision(state: &Path, models: &Path, visitors: &[Visitor]) -> Result<(), Box<dyn Error>> {
    let roster = state.join("roster.json");
    let people = visitors.iter().map(|v| entry(v, models)).collect::<Result<Vec<_>, _>>()?;
    fs::write(&roster, serde_json::to_vec(&json!({"version": 1, "people": people}))?)?;
    let policy = state.join("policy");
    fs::create_dir_all(&policy)?;
    for (name, text) in PACKS {
        fs::write(policy.join(name), text)?;
    }
    let data = state.join("authority");
    call("authority", &["init", "--data", &path(&data), "--host", "127.0.0.1"])?;
    call(
        "authority",
        &[
            "provision",
            "--data",
            &path(&data),
            "--device",
            "desk-0001",
            "--site",
            "desk",
            "--out",
            &path(&state.join("provisioned")),
            "--roster",
            &path(&roster),
            "--policy",
            &path(&policy),
        ],
    )?;
    info!("keys, roster and policy packs are provisioned");
    Ok(())
}

/// A visitor as the roster knows them.
fn entry(visitor: &Visitor, models: &Path) -> Result<Value, Box<dyn Error>> {
    let last = |on: &str, method: Method| json!({"on": on, "method": method.id()});
    let entitlements = match visitor.purpose {
        Purpose::ReEnrol => json!([
            {"pack": "cn.nm.region.enterprise_pension", "group": "retiree",
             "last": last("2025-09-12", Method::FaceModel)},
        ]),
        Purpose::Finger => json!([
            {"pack": "cn.sx.province.enterprise_pension", "group": "retiree",
             "last": last("2025-11-20", Method::FingerprintModel)},
        ]),
        Purpose::Appeal => json!([
            {"pack": "cn.sn.xian.enterprise_pension", "group": "retiree",
             "last": last("2025-06-03", Method::Phone)},
        ]),
        Purpose::NothingDue => json!([
            {"pack": "cn.sn.xian.enterprise_pension", "group": "retiree",
             "last": last("2026-10-08", Method::Phone)},
        ]),
    };
    let references = match visitor.purpose {
        Purpose::Finger => match finger_reference(&visitor.holder, models) {
            Ok(reference) => json!([reference]),
            // The terminal is started all the same, with fingerprints off: that is worth seeing.
            Err(problem) => {
                warn!(%problem, "no fingerprint on file for this visitor");
                json!([])
            }
        },
        _ => json!([]),
    };
    Ok(json!({
        "number": visitor.holder.number,
        "name": visitor.holder.name,
        "village": visitor.holder.village,
        "entitlements": entitlements,
        "references": references,
    }))
}

/// Three placements of the right thumb, as an enrolment at another counter left them.
fn finger_reference(person: &Person, models: &Path) -> Result<Value, Box<dyn Error>> {
    let manifest = Manifest::of(models)?;
    let engine = FingerEngine::load(models, &manifest, FINGER_WIDTH, FINGER_HEIGHT)?;
    let mut views = Vec::new();
    for impression in 0..3u8 {
        let pixels = person.finger_image(1, impression.into(), FINGER_WIDTH, FINGER_HEIGHT);
        let image = GreyImage::new(FINGER_WIDTH, FINGER_HEIGHT, 500, pixels)
            .ok_or("a simulated finger has another size")?;
        let template = engine.extract(&image)?;
        let quality = engine.quality(&image, &template).score.clamp(0.0, 100.0) as u8;
        let position = FingerPosition::RightThumb;
        views.push(FingerView { position, number: impression, impression: 0, quality, template });
    }
    let extractor = views[0].template.extractor.clone();
    let quality = views.iter().map(|view| view.quality).max().unwrap_or(0);
    let template = iso19794::encode(&FingerRecord { device: 0, views })?;
    Ok(json!({
        "modality": "finger", "format": FINGER_FORMAT, "extractor": extractor,
        "created": "2025-11-20", "template": crate::hex::encode(&template), "quality": quality,
    }))
}

fn settings(state: &Path, models: &Path) -> Result<String, Box<dyn Error>> {
    let operator = |(id, pin): (&str, &str), name: &str, role: &str| -> Result<Value, String> {
        let who = json!({"id": id, "name": name, "role": role});
        Ok(json!({"who": who, "pin_hash": operators::hash(pin)?}))
    };
    let devices = state.join("devices");
    let settings = json!({
        "terminal": {
            "site_name": "常青示范服务站",
            "state": state.join("terminal"),
            "provisioned": state.join("provisioned"),
            "models": models,
        },
        "authority": {"address_file": state.join("authority.addr"), "every_s": 5},
        "id_card": {
            "port": devices.join("id-card"),
            "photo_decoder": [path(&beside("device-sim")?), "decode-photo"],
        },
        "fingerprint": {"port": devices.join("fingerprint")},
        "printer": {"port": devices.join("printer")},
        "operator": [
            operator(OPERATOR, "李经办", "operator")?,
            operator(SUPERVISOR, "赵主管", "supervisor")?,
        ],
    });
    Ok(toml::to_string(&settings)?)
}

fn start_authority(state: &Path) -> Result<Child, Box<dyn Error>> {
    let data = path(&state.join("authority"));
    let address = path(&state.join("authority.addr"));
    let mut child = Command::new(beside("authority")?)
        .args(["--data", &data, "--listen", "127.0.0.1:0", "--address-file", &address])
        .arg("--until-stdin-closes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(state.join("authority.log"))?)
        .spawn()?;
    first_line(&mut child, "authority")?;
    Ok(child)
}

fn start_simulator(devices: &Path, seed: u64, n_people: u32) -> Result<Child, Box<dyn Error>> {
    let mut child = Command::new(beside("device-sim")?)
        .args(["--dir", &path(devices), "--seed", &seed.to_string()])
        .args(["--people", &n_people.to_string(), "--until-stdin-closes"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(devices.join("device-sim.log"))?)
        .spawn()?;
    first_line(&mut child, "device-sim")?;
    Ok(child)
}

/// A program of the stage says one line when it is ready.
fn first_line(child: &mut Child, name: &str) -> Result<(), Box<dyn Error>> {
    let out = child.stdout.take().expect("piped above");
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    if line.is_empty() {
        return Err(format!("{name} did not start: {}", child.wait()?).into());
    }
    Ok(())
}

fn call(program: &str, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let done = Command::new(beside(program)?).args(arguments).output()?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        return Err(format!("{program} {}: {said}", arguments[0]).into());
    }
    Ok(())
}

/// The programs are built into one folder.
fn beside(program: &str) -> Result<PathBuf, Box<dyn Error>> {
    let here = std::env::current_exe()?;
    let there = here.with_file_name(program);
    if !there.exists() {
        return Err(
            format!("{program} is not beside {}; build the workspace", here.display()).into()
        );
    }
    Ok(there)
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

const FINGER_WIDTH: u32 = 256;
const FINGER_HEIGHT: u32 = 288;
/// The packs of the demonstration, as they stand in the repository.
const PACKS: [(&str, &str); 3] = [
    (
        "cn.nm.region.enterprise_pension.toml",
        include_str!("../../../policy/cn.nm.region.enterprise_pension.toml"),
    ),
    (
        "cn.sx.province.enterprise_pension.toml",
        include_str!("../../../policy/cn.sx.province.enterprise_pension.toml"),
    ),
    (
        "cn.sn.xian.enterprise_pension.toml",
        include_str!("../../../policy/cn.sn.xian.enterprise_pension.toml"),
    ),
];
