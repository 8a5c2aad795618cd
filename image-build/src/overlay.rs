//! The list of everything that is staged: files of `image-build/files` as they are, and what is written from the
//! variant: settings, rules for devices, what the unit may open.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::device_tree::BOARD_KEY;
use crate::fault::Fault;
use crate::stage::Source;
use crate::tree::{Kind, walk};
use crate::variant::{Device, Role, Variant, display_node};
use crate::weights::Manifest;
use crate::{program, weights};

/// Files by path below the root, with their bytes and modes.
#[derive(Default)]
pub struct Overlay(pub BTreeMap<String, (Vec<u8>, u32)>);

impl Overlay {
    /// Everything of a variant, checked and within its limits.
    pub fn gather(source: &Source) -> Result<Self, Fault> {
        let Source { root, variant, bin, models, prompts, parts } = source;
        let mut overlay = Self::default();
        let mut rust = BTreeSet::new();
        for one in &program::PROGRAMS {
            let bytes = program::read(one, &bin.join(one.name), variant.architecture)?;
            within(one.name, bytes.len() as u64, variant.limits.kiosk_mib)?;
            rust.extend(program::rust_of(&bytes).map(str::to_owned));
            overlay.add(one.path.into(), bytes, 0o755)?;
        }
        if rust.len() > 1 {
            return Err(Fault::TwoRusts(
                bin.clone(),
                rust.into_iter().collect::<Vec<_>>().join(", "),
            ));
        }
        let parts = parts.clone().with_library(rust.first().map(String::as_str), bin);
        let manifest = Manifest::read(root)?;
        overlay.add_weights(&manifest, models, variant)?;
        if variant.sound().is_some() {
            overlay.add_prompts(&root.join(SPOKEN), prompts)?;
        }
        overlay.add_folder(&root.join("image-build/files"), "")?;
        overlay.add_folder(&root.join("kiosk/policy"), "usr/share/kiosk/policy/")?;
        overlay.add_file(
            &root.join(weights::MANIFEST),
            "usr/share/doc/kiosk/models-manifest.toml".into(),
        )?;
        for (path, text) in written(variant) {
            overlay.add(path, text.into_bytes(), 0o644)?;
        }
        for unit in &variant.mask {
            // An empty unit file is a masked one (systemd.unit(5)), and needs no link.
            overlay.add(format!("etc/systemd/system/{unit}"), Vec::new(), 0o644)?;
        }
        overlay.add(
            "usr/share/doc/kiosk/sbom.spdx.json".into(),
            parts.spdx(&manifest).into(),
            0o644,
        )?;
        overlay.add(
            "usr/share/doc/kiosk/LICENCES.txt".into(),
            parts.licences(&manifest).into(),
            0o644,
        )?;
        for part in &parts.crates {
            let folder = format!("{LICENCES}/{}-{}", part.name, part.version);
            for (name, text) in &part.texts {
                overlay.add_file(text, format!("{folder}/{name}"))?;
            }
        }
        let bytes = overlay.0.values().map(|(bytes, _)| bytes.len() as u64).sum();
        within("the overlay", bytes, variant.limits.overlay_mib)?;
        Ok(overlay)
    }

    fn add_weights(
        &mut self,
        manifest: &Manifest,
        folder: &Path,
        variant: &Variant,
    ) -> Result<(), Fault> {
        let mut total = 0;
        for model in &manifest.models {
            let bytes = model.file.bytes(folder)?;
            total += bytes.len() as u64;
            self.add(format!("usr/share/kiosk/models/{}", model.file.name), bytes, 0o644)?;
        }
        for package in &manifest.packages {
            if let Some(text) = &package.licence_text {
                let place = format!("{LICENCES}/{}-{}/LICENSE", package.name, package.version);
                self.add(place, text.bytes(folder)?, 0o644)?;
            }
        }
        within("models", total, variant.limits.models_mib)
    }

    /// A recording of everything that the terminal says aloud.
    fn add_prompts(&mut self, spoken: &Path, folder: &Path) -> Result<(), Fault> {
        let spoken = fs::read_to_string(spoken).map_err(|e| Fault::read(spoken, e))?;
        for id in spoken.lines() {
            let name = format!("{id}.wav");
            self.add_file(&folder.join(&name), format!("usr/share/kiosk/prompts/{name}"))?;
        }
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path, prefix: &str) -> Result<(), Fault> {
        for item in walk(folder)?.into_iter().filter(|item| item.kind == Kind::File) {
            self.add_file(&folder.join(&item.path), format!("{prefix}{}", item.path))?;
        }
        Ok(())
    }

    fn add_file(&mut self, file: &Path, path: String) -> Result<(), Fault> {
        let bytes = fs::read(file).map_err(|e| Fault::read(file, e))?;
        self.add(path, bytes, 0o644)
    }

    fn add(&mut self, path: String, bytes: Vec<u8>, mode: u32) -> Result<(), Fault> {
        match self.0.insert(path.clone(), (bytes, mode)) {
            Some(_) => Err(Fault::Twice(path)),
            None => Ok(()),
        }
    }
}

/// The files that are made from a variant, with their paths.
pub fn written(variant: &Variant) -> [(String, String); 5] {
    [
        ("etc/kiosk/kiosk.toml".into(), settings(variant)),
        ("usr/lib/udev/rules.d/70-kiosk.rules".into(), rules(variant)),
        ("usr/lib/systemd/system/kiosk.service.d/devices.conf".into(), allowed(variant)),
        ("usr/share/kiosk/variant".into(), format!("{}\n", variant.name)),
        ("usr/share/kiosk/screen-modules".into(), variant.screen_modules.join(" ") + "\n"),
    ]
}

/// Settings as `kiosk/src/config.rs` reads them. What belongs to one site is taken from a stick at the first start.
fn settings(variant: &Variant) -> String {
    let (width, height) = variant.screen;
    let finger = variant.device(Role::Fingerprint).profile.as_deref().unwrap_or("as608");
    let printer = variant.device(Role::Printer);
    let (baud_hz, dots) = (printer.baud_hz.unwrap_or(115_200), printer.width_dots.unwrap_or(576));
    let rotation = variant.device(Role::Camera).rotation.unwrap_or(0);
    format!(
        r#"# The {name} terminal as it leaves the works. What one site adds is in kiosk.d, on the data partition: its
# [[operator]] tables, and a whole [terminal] or [authority] where they differ. A table there replaces the one here.

[terminal]
site_name = "未设置 not set"
state = "/var/lib/kiosk"
provisioned = "/var/lib/kiosk/site/provisioned"
models = "/usr/share/kiosk/models"
screen = [{width}, {height}]

[authority]
address_file = "/var/lib/kiosk/site/settings/authority.address"
every_s = 300

[setup]
file = "/run/kiosk-setup/setup.kiosk"
site = "/var/lib/kiosk/site"

[data]
mounted = ["/data", "/var/lib/kiosk"]
fault = "/run/kiosk-data/fault"

[clock]
word = "/run/kiosk-clock/word"

[network]
word = "/run/kiosk-line/word"

[served]
file = "/run/kiosk/served"

[update]
folder = "/var/lib/kiosk/update"
variant = "{name}"

[power]
shut_down = ["/usr/bin/touch", "/run/kiosk-power/off"]

[id_card]
port = "/dev/kiosk/id-card"

[fingerprint]
port = "/dev/kiosk/fingerprint"
profile = "{finger}"

[printer]
port = "/dev/kiosk/printer"
baud_hz = {baud_hz}
width_dots = {dots}

[camera]
device = "/dev/kiosk/camera"
rotation = {rotation}

{board}"#,
        name = variant.name,
        board = board_settings(variant)
    )
}

/// What hangs on the board's own lines and buses, and what speaks.
fn board_settings(variant: &Variant) -> String {
    let mut tables = toml::Table::new();
    if let Some(sound) = variant.sound() {
        let speaker = [("prompts", "/usr/share/kiosk/prompts"), ("device", sound)];
        let speaker = speaker.map(|(key, value)| (key.to_owned(), value.into()));
        tables.insert("speaker".into(), toml::Table::from_iter(speaker).into());
    }
    if let Some(panel) = &variant.panel {
        tables.insert("panel".into(), panel.clone().into());
    }
    if let Some(mut display) = variant.customer_display.clone() {
        for (kind, table) in &mut display {
            let key = display_node(kind).expect("a variant's display is of a known kind");
            let link = variant.device(Role::CustomerDisplay).link();
            let table = table.as_table_mut().expect("it was read as a table");
            table.insert(key.into(), format!("/dev/kiosk/{link}").into());
        }
        tables.insert("customer_display".into(), display.into());
    }
    toml::to_string(&tables).expect("what was read as TOML can be written")
}

/// One rule a device: it belongs to the kiosk alone and has a name that stays.
fn rules(variant: &Variant) -> String {
    let rule = |device: &Device| {
        let mut rule =
            format!("SUBSYSTEM==\"{}\", KERNEL==\"{}\"", device.subsystem, device.kernel);
        if let Some(socket) = &device.socket {
            rule += &format!(", ENV{{KIOSK_SOCKET}}==\"{}\"", socket.get_ref());
        }
        if let Some(path) = &device.path {
            rule += &format!(", ENV{{ID_PATH}}==\"{path}\"");
        }
        if let Some(property) = &device.property {
            rule += &format!(", ENV{{{property}}}==\"1\"");
        }
        if let Some(driver) = &device.driver {
            rule += &format!(", DRIVERS==\"{driver}\"");
        }
        // A camera has a second node for its metadata, which shows nothing.
        if *device.role.get_ref() == Role::Camera {
            rule += ", ATTR{index}==\"0\"";
        }
        rule += ", OWNER=\"root\", GROUP=\"kiosk\", MODE=\"0660\"";
        // ALSA has names of its own, and a card has several nodes.
        match *device.role.get_ref() {
            Role::Speaker => rule + "\n",
            _ => format!("{rule}, SYMLINK+=\"kiosk/{}\"\n", device.link()),
        }
    };
    let mut head = format!("# Devices of the {} terminal.\n", variant.name);
    // Nothing asks for the driver that gives a bus a node.
    for bus in variant.devices.iter().filter(|device| device.subsystem == "i2c-dev") {
        head += &format!(
            "ACTION==\"add\", SUBSYSTEM==\"i2c\", KERNEL==\"{}\", RUN{{builtin}}+=\"kmod load i2c-dev\"\n",
            bus.kernel
        );
    }
    // udev looks for the socket of most kinds by itself, of these not.
    let asked = |device: &&Device| {
        (device.path.is_some() || device.socket.is_some()) && device.subsystem == "usbmisc"
    };
    for device in variant.devices.iter().filter(asked) {
        head += &format!(
            "SUBSYSTEM==\"usbmisc\", KERNEL==\"{}\", IMPORT{{builtin}}=\"path_id\"\n",
            device.kernel
        );
    }
    // Which number a card gets is chance; by this name it is known.
    if variant.sound().is_some_and(|sound| sound.ends_with(USB_SPEAKER)) {
        head +=
            "SUBSYSTEM==\"sound\", KERNEL==\"card*\", SUBSYSTEMS==\"usb\", ATTR{id}=\"Speaker\"\n";
    }
    // The glass turns with the panel: libinput's matrix takes its places to those of the picture.
    if let Some(degrees) = variant.turned {
        let matrix = if degrees == 90 { "0 1 0 -1 0 1" } else { "0 -1 1 1 0 0" };
        head += &format!(
            "SUBSYSTEM==\"input\", ENV{{ID_INPUT_TOUCHSCREEN}}==\"1\", TEST==\"/run/kiosk-screen/turned\", \
             ENV{{LIBINPUT_CALIBRATION_MATRIX}}=\"{matrix}\"\n"
        );
    }
    head += &sockets(variant);
    head + &variant.devices.iter().map(rule).collect::<String>()
}

/// In which of the board's sockets a device is. The board's device tree says which board it is, in a file that udev reads.
fn sockets(variant: &Variant) -> String {
    if variant.devices.iter().all(|device| device.socket.is_none()) {
        return String::new();
    }
    let mut rules = format!("ENV{{ID_PATH}}==\"*-usb-0:*\", IMPORT{{file}}=\"{BOARD_SEEN}\"\n");
    for of in &variant.sockets {
        for (i, paths) in of.paths.get_ref().iter().enumerate() {
            let paths: Vec<_> = paths.iter().map(|path| format!("*-usb-0:{path}:1.0*")).collect();
            rules += &format!(
                "ENV{{{BOARD_KEY}}}==\"{}\", ENV{{ID_PATH}}==\"{}\", ENV{{KIOSK_SOCKET}}=\"{}\"\n",
                of.board.get_ref(),
                paths.join("|"),
                i + 1
            );
        }
    }
    rules
}

/// Classes and not nodes, because a device that is plugged in again is a new node; within a class the file's mode
/// decides, and udev gives the kiosk only its own.
fn allowed(variant: &Variant) -> String {
    let classes: BTreeSet<(&str, String)> =
        variant.devices.iter().map(|d| (d.class.get_ref().as_str(), d.allowed())).collect();
    let line = |(class, allowed): &(&str, String)| format!("# {class}\nDeviceAllow={allowed} rw\n");
    let lines: String = classes.iter().map(line).collect();
    // A class without a number of its own has to be there when the unit starts.
    let unit = match classes.iter().any(|(class, _)| *class == "char-hidraw") {
        true => "[Unit]\nWants=modprobe@hid.service\nAfter=modprobe@hid.service\n",
        false => "",
    };
    format!("# Devices of the {} terminal.\n{unit}[Service]\n{lines}", variant.name)
}

/// Where udev sees what `device_tree` wrote.
const BOARD_SEEN: &str = "/sys/firmware/devicetree/base/chosen/kiosk,board";
/// How a variant names a sound card on USB.
const USB_SPEAKER: &str = "CARD=Speaker";
/// The ids of what has to be spoken, one a line.
const SPOKEN: &str = "image-build/prompts.txt";
/// Texts of licences, a folder for each crate and package.
const LICENCES: &str = "usr/share/doc/kiosk/licences";

fn within(what: &str, bytes: u64, allowed_mib: u64) -> Result<(), Fault> {
    let allowed = allowed_mib << 20;
    if bytes > allowed { Err(Fault::TooLarge(what.into(), bytes, allowed)) } else { Ok(()) }
}
