//! A variant as data: `variants/NAME.toml` on top of what it inherits. Unknown keys and unusable values are
//! told with file and line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::fault::{Fault, line_of};
use crate::tree::sum_of;

/// One kind of terminal, complete and checked.
#[derive(Clone, Debug, Serialize)]
pub struct Variant {
    /// The file's name.
    pub name: String,
    /// For people.
    pub description: String,
    /// Release of Debian.
    pub suite: String,
    /// Processor.
    pub architecture: Architecture,
    /// Debian packages that are asked for; what they need comes with them.
    pub packages: Vec<String>,
    /// On the kernel's command line.
    pub kernel_arguments: Vec<String>,
    /// What the firmware and the boot loader are for.
    pub board: Board,
    /// Kernel modules of the root file system; what they need comes with them.
    pub modules: Vec<String>,
    /// Those that draw and are touched; loaded before all others.
    pub screen_modules: Vec<String>,
    /// Those of the initial file system, to reach the disk.
    pub initrd_modules: Vec<String>,
    /// Drivers of what the boards have and a terminal does not use.
    pub left_out: Vec<String>,
    /// Older editions are not installed.
    pub oldest_update: String,
    /// Width and height in pixels.
    pub screen: (u32, u32),
    /// Degrees clockwise, 90 or 270, by which the picture is turned on a screen whose longer side lies otherwise.
    pub turned: Option<u16>,
    /// What the terminal may open.
    pub devices: Vec<Device>,
    /// Boards, by the names of their device trees.
    pub device_trees: Vec<String>,
    /// Where the sockets of these boards are.
    pub sockets: Vec<Sockets>,
    /// What is wired to these boards and has to be said in their device trees.
    pub chips: Vec<Chip>,
    /// Settings of lamps, buzzer and switches, as the kiosk reads them.
    pub panel: Option<toml::Table>,
    /// Settings of the customer's display, but for its node: one table, named as its kind.
    pub customer_display: Option<toml::Table>,
    /// Units that must never start.
    pub mask: Vec<String>,
    /// In the order of the disk.
    pub partitions: Vec<Partition>,
    /// What may not be outgrown.
    pub limits: Limits,
    /// The files it came from with their sums, the inherited one first.
    pub files: Vec<(PathBuf, String)>,
}

/// Processors that we build for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// 64-bit ARM.
    Arm64,
    /// 64-bit PC.
    Amd64,
}

/// Families of boards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Board {
    /// Raspberry Pi 3, 4 and CM4.
    RaspberryPi,
    /// QEMU's `virt` machine.
    Qemu,
}

/// What a device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reader of resident identity cards.
    IdCard,
    /// Fingerprint module.
    Fingerprint,
    /// Receipt printer.
    Printer,
    /// The camera that sees the person.
    Camera,
    /// The display.
    Screen,
    /// Touches on it.
    Touch,
    /// The small display that faces the customer.
    CustomerDisplay,
    /// The chip whose lines lamps, switches and displays hang on.
    Lines,
    /// Sound cards; the settings say which one speaks.
    Speaker,
}

/// How a device is found, and how the kiosk is told of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// What it is for.
    #[serde(serialize_with = "plain")]
    pub role: Spanned<Role>,
    /// The kernel's subsystem.
    pub subsystem: String,
    /// Its name in the kernel; `*` and `[0-9]` as udev has them.
    pub kernel: String,
    /// The socket it is in, counted as in [`Sockets`].
    #[serde(serialize_with = "plain_or_none")]
    pub socket: Option<Spanned<usize>>,
    /// Where the socket is no board's own, as udev's `ID_PATH`.
    pub path: Option<String>,
    /// A property that udev must have found to be 1.
    pub property: Option<String>,
    /// The kernel's driver of what it is on.
    pub driver: Option<String>,
    /// The class for systemd's `DeviceAllow=`.
    #[serde(serialize_with = "plain")]
    pub class: Spanned<String>,
    /// ALSA's name of the sound card.
    pub sound: Option<String>,
    /// Profile of a fingerprint module.
    pub profile: Option<String>,
    /// Line speed of a printer.
    pub baud_hz: Option<u32>,
    /// Dots across a printer's paper.
    pub width_dots: Option<u32>,
    /// Degrees clockwise that make a camera's picture upright.
    pub rotation: Option<u16>,
}

/// Where the USB sockets of a board are. The same place is called otherwise on each board.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sockets {
    /// The board's device tree.
    #[serde(serialize_with = "plain")]
    pub board: Spanned<String>,
    /// Of socket 1, 2 and so on, what udev's `ID_PATH` has behind `usb-0:`. A socket has a second path for what is fast.
    #[serde(serialize_with = "plain")]
    pub paths: Spanned<Vec<Vec<String>>>,
}

/// Something on a bus that cannot be asked what is on it: a clock, a display, or the bus itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Chip {
    /// For people.
    pub name: String,
    /// The file of `image-build/boot/overlays` that brings it, without its ending.
    #[serde(serialize_with = "plain")]
    pub overlay: Spanned<String>,
    /// Its place in the device tree of each board.
    #[serde(serialize_with = "plain")]
    pub node: Spanned<String>,
    /// What its driver knows it by.
    pub compatible: String,
    /// A further name under which the kernel counts it, such as `rtc0`.
    pub alias: Option<String>,
}

/// A piece of the disk.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Label in the partition table.
    #[serde(serialize_with = "plain")]
    pub name: Spanned<String>,
    /// What is in it.
    pub holds: Holds,
    /// Size.
    pub size_mib: u64,
}

/// What a partition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// What the board starts from.
    Firmware,
    /// Which slot is next and how often it was tried.
    BootCounters,
    /// Kernel and initial file system of a slot.
    Kernel,
    /// Root file system of a slot.
    Root,
    /// What opens the data; once overwritten, nothing does.
    Key,
    /// What stays when slots change.
    Data,
}

/// Sizes that may not be outgrown, unpacked.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The program.
    pub kiosk_mib: u64,
    /// All weights.
    pub models_mib: u64,
    /// Everything that is staged.
    pub overlay_mib: u64,
}

impl Variant {
    /// Reads `image-build/variants/NAME.toml` and what it inherits.
    pub fn read(root: &Path, name: &str) -> Result<Self, Fault> {
        let folder = root.join("image-build/variants");
        let mut parts = vec![Part::read(&folder, &format!("{name}.toml"))?];
        while let Some(parent) = parts[0].lines.inherits.clone() {
            if parts.iter().any(|part| part.file.ends_with(parent.get_ref())) {
                return Err(parts[0].wrong(&parent, "what is inherited must not inherit from it"));
            }
            parts.insert(0, Part::read(&folder, parent.get_ref())?);
        }
        for part in &parts {
            part.check()?;
        }
        check_together(&parts)?;
        Self::merge(name, parts)
    }

    fn merge(name: &str, parts: Vec<Part>) -> Result<Self, Fault> {
        let file = parts.last().expect("its own file is read first").file.clone();
        let missing = |key: &str| Fault::Line(file.clone(), 1, format!("nobody says `{key}`"));
        let last =
            |get: fn(&Lines) -> Option<String>| parts.iter().rev().find_map(|p| get(&p.lines));
        let variant = Self {
            name: name.into(),
            description: last(|l| l.description.clone()).ok_or_else(|| missing("description"))?,
            suite: last(|l| l.suite.clone()).ok_or_else(|| missing("suite"))?,
            architecture: find(&parts, |l| l.architecture)
                .ok_or_else(|| missing("architecture"))?,
            packages: gather(&parts, |l| &l.packages),
            kernel_arguments: gather(&parts, |l| &l.kernel_arguments),
            board: find(&parts, |l| l.board).ok_or_else(|| missing("board"))?,
            modules: gather(&parts, |l| &l.modules),
            screen_modules: gather(&parts, |l| &l.screen_modules),
            initrd_modules: gather(&parts, |l| &l.initrd_modules),
            left_out: gather(&parts, |l| &l.left_out),
            oldest_update: last(|l| l.oldest_update.clone())
                .ok_or_else(|| missing("oldest_update"))?,
            screen: find(&parts, |l| l.screen).ok_or_else(|| missing("screen"))?,
            turned: find(&parts, |l| l.turned.as_ref().map(|turned| *turned.get_ref())),
            devices: parts.iter().flat_map(|p| p.lines.device.clone()).collect(),
            device_trees: gather(&parts, |l| &l.device_trees),
            sockets: parts.iter().flat_map(|p| p.lines.sockets.clone()).collect(),
            chips: parts.iter().flat_map(|p| p.lines.chip.clone()).collect(),
            panel: parts.iter().filter_map(|p| p.lines.panel.clone()).reduce(|mut all, own| {
                all.extend(own);
                all
            }),
            customer_display: find(&parts, |l| l.customer_display.clone()),
            mask: gather(&parts, |l| &l.units.mask),
            partitions: parts.iter().flat_map(|p| p.lines.partition.clone()).collect(),
            limits: find(&parts, |l| l.limits).ok_or_else(|| missing("limits"))?,
            files: parts.iter().map(Part::named).collect(),
        };
        variant.check_whole(|what| Fault::Line(file.clone(), 1, what))?;
        check_sockets(&parts)?;
        Ok(variant)
    }

    /// What can only be said of the whole.
    fn check_whole(&self, wrong: impl Fn(String) -> Fault) -> Result<(), Fault> {
        for role in [
            Role::IdCard,
            Role::Fingerprint,
            Role::Printer,
            Role::Camera,
            Role::Screen,
            Role::Touch,
        ] {
            if !self.devices.iter().any(|device| device.is(role)) {
                return Err(wrong(format!("no device for {role:?}")));
            }
        }
        let of =
            |holds| self.partitions.iter().filter(move |p| p.holds == holds).collect::<Vec<_>>();
        for (holds, n) in [
            (Holds::Firmware, 1),
            (Holds::BootCounters, 1),
            (Holds::Kernel, 2),
            (Holds::Root, 2),
            (Holds::Key, 1),
            (Holds::Data, 1),
        ] {
            let found = of(holds);
            if found.len() != n {
                return Err(wrong(format!("{} partitions hold {holds:?}, {n} must", found.len())));
            }
            if found.windows(2).any(|two| two[0].size_mib != two[1].size_mib) {
                return Err(wrong(format!("the two slots for {holds:?} differ in size")));
            }
        }
        if self.limits.overlay_mib > of(Holds::Root)[0].size_mib {
            return Err(wrong("the overlay may be larger than a root slot".into()));
        }
        self.check_board().map_err(wrong)
    }

    /// Boards, what is wired to them, and what the kiosk may open of it belong together.
    fn check_board(&self) -> Result<(), String> {
        match (self.board, self.device_trees.is_empty()) {
            (Board::RaspberryPi, true) => return Err("no device tree of a board".into()),
            (Board::Qemu, false) => return Err("QEMU brings a device tree of its own".into()),
            _ if self.device_trees.is_empty() && !self.chips.is_empty() => {
                return Err("a chip without a board".into());
            }
            _ => {}
        }
        let has = |role| self.devices.iter().any(|device| device.is(role));
        let is_known = |display: &toml::Table| {
            display.len() == 1
                && display.iter().all(|(kind, it)| display_node(kind).is_some() && it.is_table())
        };
        let is_display = self.customer_display.as_ref().map(is_known);
        if is_display != has(Role::CustomerDisplay).then_some(true) {
            return Err("a customer display wants its device and one table of a known kind".into());
        }
        let lines = self.lines();
        if let Some(twice) = lines.iter().enumerate().find(|(i, line)| lines[..*i].contains(line)) {
            return Err(format!("the line {} is used twice", twice.1));
        }
        match lines.is_empty() == has(Role::Lines) {
            true => Err("lines and the chip that they are on belong together".into()),
            false => Ok(()),
        }
    }

    /// The lines that panel and customer's display use, by the kernel's names.
    pub fn lines(&self) -> Vec<&str> {
        let tables = self.panel.iter().chain(&self.customer_display);
        tables.flat_map(|table| table.values().flat_map(names)).collect()
    }

    /// The overlays of its chips, each once.
    pub fn overlays(&self) -> Vec<&str> {
        let mut overlays: Vec<&str> = Vec::new();
        for chip in &self.chips {
            if !overlays.contains(&chip.overlay.get_ref().as_str()) {
                overlays.push(chip.overlay.get_ref());
            }
        }
        overlays
    }

    /// The first partition of a kind; the two slots are alike.
    pub fn partition(&self, holds: Holds) -> &Partition {
        let found = self.partitions.iter().find(|p| p.holds == holds);
        found.expect("check_whole found each kind")
    }

    /// The device of a role that every terminal has.
    pub fn device(&self, role: Role) -> &Device {
        self.devices.iter().find(|d| d.is(role)).expect("check_whole found each role")
    }

    /// What RAUC compares before it installs: devices, screen and settings of another variant are other ones.
    pub fn compatible(&self) -> String {
        format!("changqing-{}", self.name)
    }

    /// ALSA's name of the sound card that speaks.
    pub fn sound(&self) -> Option<&str> {
        self.devices.iter().find_map(|device| device.sound.as_deref())
    }
}

impl Device {
    fn is(&self, role: Role) -> bool {
        *self.role.get_ref() == role
    }

    /// Its link under `/dev/kiosk`.
    pub fn link(&self) -> &'static str {
        match self.role.get_ref() {
            Role::IdCard => "id-card",
            Role::Fingerprint => "fingerprint",
            Role::Printer => "printer",
            Role::Camera => "camera",
            Role::Screen => "screen",
            Role::Touch => "touch",
            Role::CustomerDisplay => "customer-display",
            Role::Lines => "lines",
            Role::Speaker => "speaker",
        }
    }

    /// What `DeviceAllow=` names: the number, where the class has one. systemd looks names up when a unit starts, and a
    /// class whose driver is loaded after the first screen is not known by then.
    pub fn allowed(&self) -> String {
        let class = self.class.get_ref();
        let major = CLASSES.iter().find(|(name, _)| name == class).and_then(|(_, major)| *major);
        major.map_or_else(|| class.clone(), |major| format!("char-{major}"))
    }
}

/// The key of the kiosk's settings that names the node of a kind of customer's display.
pub fn display_node(kind: &str) -> Option<&'static str> {
    match kind {
        "st7789" => Some("spi"),
        "ssd1306" => Some("i2c"),
        _ => None,
    }
}

/// All that is called `name` in a table and below it.
fn names(value: &toml::Value) -> Vec<&str> {
    let Some(table) = value.as_table() else {
        return Vec::new();
    };
    let own = table.get("name").and_then(toml::Value::as_str);
    own.into_iter().chain(table.values().flat_map(names)).collect()
}

/// One file as it is written.
struct Part {
    file: PathBuf,
    text: String,
    lines: Lines,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    inherits: Option<Spanned<String>>,
    description: Option<String>,
    suite: Option<String>,
    architecture: Option<Architecture>,
    #[serde(default)]
    packages: Vec<Spanned<String>>,
    #[serde(default)]
    kernel_arguments: Vec<Spanned<String>>,
    board: Option<Board>,
    #[serde(default)]
    modules: Vec<Spanned<String>>,
    #[serde(default)]
    screen_modules: Vec<Spanned<String>>,
    #[serde(default)]
    initrd_modules: Vec<Spanned<String>>,
    #[serde(default)]
    left_out: Vec<Spanned<String>>,
    oldest_update: Option<String>,
    screen: Option<(u32, u32)>,
    turned: Option<Spanned<u16>>,
    #[serde(default)]
    units: Units,
    limits: Option<Limits>,
    #[serde(default)]
    partition: Vec<Partition>,
    #[serde(default)]
    device: Vec<Device>,
    #[serde(default)]
    device_trees: Vec<Spanned<String>>,
    #[serde(default)]
    sockets: Vec<Sockets>,
    #[serde(default)]
    chip: Vec<Chip>,
    panel: Option<toml::Table>,
    customer_display: Option<toml::Table>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Units {
    #[serde(default)]
    mask: Vec<Spanned<String>>,
}

impl Part {
    fn read(folder: &Path, name: &str) -> Result<Self, Fault> {
        let file = folder.join(name);
        let text = fs::read_to_string(&file).map_err(|e| Fault::read(&file, e))?;
        let lines = toml::from_str(&text).map_err(|e| Fault::toml(&file, &text, &e))?;
        Ok(Self { file, text, lines })
    }

    /// The file's name, without the folder of this machine, and its sum.
    fn named(&self) -> (PathBuf, String) {
        let name = self.file.file_name().unwrap_or_default();
        (name.into(), sum_of(self.text.as_bytes()))
    }

    fn wrong<T>(&self, at: &Spanned<T>, what: impl Into<String>) -> Fault {
        Fault::Line(self.file.clone(), line_of(&self.text, at.span().start), what.into())
    }

    fn check(&self) -> Result<(), Fault> {
        for package in &self.lines.packages {
            self.check_package(package)?;
        }
        for argument in &self.lines.kernel_arguments {
            self.check_argument(argument)?;
        }
        let early = self.lines.screen_modules.iter().chain(&self.lines.initrd_modules);
        for module in self.lines.modules.iter().chain(early).chain(&self.lines.left_out) {
            let is_name =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
            if module.get_ref().is_empty() || !module.get_ref().chars().all(is_name) {
                return Err(
                    self.wrong(module, format!("{:?} is no module's name", module.get_ref()))
                );
            }
        }
        for unit in &self.lines.units.mask {
            let is_kiosk = unit.get_ref().starts_with("kiosk.");
            if is_kiosk || !UNIT_ENDS.iter().any(|end| unit.get_ref().ends_with(end)) {
                return Err(self.wrong(unit, format!("{} is no unit to mask", unit.get_ref())));
            }
        }
        if let Some(turned) =
            self.lines.turned.as_ref().filter(|t| ![90, 270].contains(t.get_ref()))
        {
            return Err(self.wrong(turned, "a picture is turned by 90 or 270"));
        }
        self.lines.device_trees.iter().try_for_each(|tree| self.check_file(tree))?;
        self.lines.sockets.iter().try_for_each(|sockets| self.check_paths(sockets))?;
        self.lines.chip.iter().try_for_each(|chip| self.check_chip(chip))?;
        self.lines.device.iter().try_for_each(|device| self.check_device(device))
    }

    /// A file's name without its ending.
    fn check_file(&self, file: &Spanned<String>) -> Result<(), Fault> {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        match !file.get_ref().is_empty() && file.get_ref().chars().all(is_name) {
            true => Ok(()),
            false => Err(self.wrong(file, format!("{:?} is no file's name", file.get_ref()))),
        }
    }

    /// Numbers with points between them; no path is that of two sockets.
    fn check_paths(&self, Sockets { paths, .. }: &Sockets) -> Result<(), Fault> {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let mut seen = BTreeSet::new();
        for path in paths.get_ref().iter().flatten() {
            if !path.split('.').all(is_number) {
                return Err(self.wrong(paths, format!("{path:?} is no path of a socket")));
            }
            if !seen.insert(path) {
                return Err(self.wrong(paths, format!("{path} is the path of two sockets")));
            }
        }
        match paths.get_ref().iter().any(Vec::is_empty) {
            true => Err(self.wrong(paths, "a socket without a path")),
            false => Ok(()),
        }
    }

    fn check_chip(&self, chip: &Chip) -> Result<(), Fault> {
        self.check_file(&chip.overlay)?;
        let node = chip.node.get_ref();
        match node.starts_with('/') && address_of(node).is_some() {
            true => Ok(()),
            false => Err(self.wrong(&chip.node, format!("{node} is no place with an address"))),
        }
    }

    fn check_package(&self, package: &Spanned<String>) -> Result<(), Fault> {
        let name = package.get_ref();
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
        if name.len() < 2 || !name.chars().all(is_name) {
            return Err(self.wrong(package, format!("{name:?} is no Debian package's name")));
        }
        if REFUSED_PACKAGES.iter().any(|refused| name.starts_with(refused)) {
            return Err(self.wrong(package, format!("{name} would let somebody in")));
        }
        Ok(())
    }

    fn check_argument(&self, argument: &Spanned<String>) -> Result<(), Fault> {
        let text = argument.get_ref();
        if text.is_empty() || text.contains(char::is_whitespace) || text.contains('"') {
            return Err(self.wrong(argument, format!("{text:?} is not one kernel argument")));
        }
        if REFUSED_ARGUMENTS.iter().any(|refused| text.starts_with(refused)) {
            return Err(self.wrong(argument, format!("{text} would open the box")));
        }
        Ok(())
    }

    fn check_device(&self, device: &Device) -> Result<(), Fault> {
        if !CLASSES.iter().any(|(class, _)| class == device.class.get_ref()) {
            return Err(self.wrong(&device.class, format!("no class {}", device.class.get_ref())));
        }
        let words = [
            Some(&device.subsystem),
            Some(&device.kernel),
            device.path.as_ref(),
            device.property.as_ref(),
            device.driver.as_ref(),
            device.profile.as_ref(),
            device.sound.as_ref(),
        ];
        let is_word = |c: char| c.is_ascii_alphanumeric() || "*[]-:._|,=".contains(c);
        if !words.iter().flatten().all(|word| !word.is_empty() && word.chars().all(is_word)) {
            return Err(self.wrong(&device.role, "a value of this device is not a udev word"));
        }
        if let (Some(socket), Some(_)) = (&device.socket, &device.path) {
            return Err(self.wrong(socket, "a device is in a socket or has a path, not both"));
        }
        let role = *device.role.get_ref();
        let strange = (device.profile.is_some() && role != Role::Fingerprint)
            || ((device.baud_hz.is_some() || device.width_dots.is_some()) && role != Role::Printer)
            || (device.sound.is_some() != (role == Role::Speaker))
            || (device.rotation.is_some() && role != Role::Camera);
        if strange || device.rotation.is_some_and(|r| ![0, 90, 180, 270].contains(&r)) {
            return Err(self.wrong(&device.role, format!("a setting that {role:?} does not have")));
        }
        Ok(())
    }
}

/// Nothing is said twice, in one file or over two.
fn check_together(parts: &[Part]) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    for part in parts {
        let lines = &part.lines;
        let words = [
            ("package", &lines.packages),
            ("argument", &lines.kernel_arguments),
            ("unit", &lines.units.mask),
            ("module", &lines.modules),
            ("early module", &lines.initrd_modules),
            ("screen module", &lines.screen_modules),
            ("device tree", &lines.device_trees),
        ];
        for (kind, word) in
            words.iter().flat_map(|(kind, list)| list.iter().map(move |w| (*kind, w)))
        {
            if !seen.insert((kind, word.get_ref().clone())) {
                return Err(
                    part.wrong(word, format!("the {kind} {} is there twice", word.get_ref()))
                );
            }
        }
        for partition in &lines.partition {
            if !seen.insert(("partition", partition.name.get_ref().clone())) {
                return Err(
                    part.wrong(&partition.name, "a partition of this name is there already")
                );
            }
        }
        for sockets in &lines.sockets {
            if !seen.insert(("sockets", sockets.board.get_ref().clone())) {
                return Err(
                    part.wrong(&sockets.board, "the sockets of this board are there already")
                );
            }
        }
        for chip in &lines.chip {
            if !seen.insert(("chip", chip.node.get_ref().clone())) {
                return Err(part.wrong(&chip.node, "a chip of this place is there already"));
            }
        }
        for device in &lines.device {
            if !seen.insert(("device", device.link().into())) {
                return Err(part.wrong(&device.role, "a device of this role is there already"));
            }
        }
    }
    Ok(())
}

/// Each board of a variant whose devices are in sockets has its sockets, and no socket is asked for that none of them has.
fn check_sockets(parts: &[Part]) -> Result<(), Fault> {
    let lists: Vec<&Sockets> = parts.iter().flat_map(|part| &part.lines.sockets).collect();
    let of = |tree: &str| lists.iter().find(|sockets| sockets.board.get_ref() == tree);
    let trees =
        parts.iter().flat_map(|part| part.lines.device_trees.iter().map(move |t| (part, t)));
    let mut taken = BTreeSet::new();
    for part in parts {
        for socket in part.lines.device.iter().filter_map(|device| device.socket.as_ref()) {
            let n = *socket.get_ref();
            let mut boards = trees.clone().filter_map(|(_, tree)| of(tree.get_ref()));
            if n == 0 || !boards.any(|sockets| n <= sockets.paths.get_ref().len()) {
                return Err(part.wrong(socket, format!("no board of this variant has socket {n}")));
            }
            if !taken.insert(n) {
                return Err(part.wrong(socket, format!("a device is in socket {n} already")));
            }
        }
    }
    for (part, tree) in trees.filter(|_| !taken.is_empty()) {
        if of(tree.get_ref()).is_none() {
            return Err(part.wrong(tree, format!("nobody says the sockets of {}", tree.get_ref())));
        }
    }
    Ok(())
}

fn find<T>(parts: &[Part], get: impl Fn(&Lines) -> Option<T>) -> Option<T> {
    parts.iter().rev().find_map(|part| get(&part.lines))
}

fn gather(parts: &[Part], get: impl Fn(&Lines) -> &Vec<Spanned<String>>) -> Vec<String> {
    parts.iter().flat_map(|part| get(&part.lines)).map(|word| word.get_ref().clone()).collect()
}

fn plain<T: Serialize, S: serde::Serializer>(value: &Spanned<T>, to: S) -> Result<S::Ok, S::Error> {
    value.get_ref().serialize(to)
}

fn plain_or_none<T: Serialize, S: serde::Serializer>(
    value: &Option<Spanned<T>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().map(Spanned::get_ref).serialize(to)
}

/// The address behind the `@` of a node's name.
pub fn address_of(node: &str) -> Option<u32> {
    u32::from_str_radix(node.rsplit('/').next()?.split_once('@')?.1, 16).ok()
}

const UNIT_ENDS: [&str; 7] =
    [".service", ".socket", ".timer", ".target", ".mount", ".automount", ".path"];
/// Classes of `/proc/devices` that a terminal's devices can be in, with those numbers that are the same for ever
/// (admin-guide/devices.txt of the kernel).
const CLASSES: [(&str, Option<u16>); 13] = [
    ("char-ttyUSB", Some(188)),
    ("char-ttyACM", Some(166)),
    ("char-ttyS", Some(4)),
    ("char-ttyAMA", Some(204)),
    ("char-hidraw", None),
    ("char-usb", Some(180)),
    ("char-video4linux", Some(81)),
    ("char-drm", Some(226)),
    ("char-input", Some(13)),
    ("char-spi", Some(153)),
    ("char-i2c", Some(89)),
    ("char-gpiochip", None),
    ("char-alsa", Some(116)),
];
const REFUSED_PACKAGES: [&str; 6] =
    ["openssh-server", "dropbear", "telnetd", "inetutils-telnetd", "vsftpd", "avahi-daemon"];
const REFUSED_ARGUMENTS: [&str; 7] =
    ["init=", "rdinit=", "rd.break", "systemd.debug", "systemd.unit=", "single", "iomem=relaxed"];
