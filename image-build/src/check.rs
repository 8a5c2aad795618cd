//! `image-build check`: what must not be in a terminal, looked for in the files as they lie there.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::device_tree::{BOARD, Tree, named};
use crate::fault::Fault;
use crate::program::{PROGRAMS, simulator_in};
use crate::stage::{RECORD, Record, TREE};
use crate::tree::{Item, Kind, digest, walk};
use crate::variant::{Chip, Variant, address_of};

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// One line a finding: `ok`, `skip` or `fault`, a code, and what.
    lines: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        !self.lines.iter().any(|line| line.starts_with("fault"))
    }

    /// For people and scripts.
    pub fn to_text(&self) -> String {
        self.lines.join("\n")
    }

    /// Takes over what another look found.
    pub fn add(&mut self, other: Self) {
        self.lines.extend(other.lines);
    }

    fn skip(&mut self, what: &str) {
        self.lines.push(format!("skip  {what}"));
    }

    /// Faults of one kind, or one line that there are none.
    fn say(&mut self, code: &str, faults: Vec<String>) {
        if faults.is_empty() {
            self.lines.push(format!("ok    {code}"));
        }
        self.lines.extend(faults.iter().map(|fault| format!("fault {code}: {fault}")));
    }
}

/// Looks at what `stage --out` made.
pub fn check(out: &Path) -> Result<Report, Fault> {
    let record = Record::read(out)?;
    let tree = out.join(TREE);
    let items = walk(&tree)?;
    let mut report = Report::default();
    report.say("as-recorded", differences(&record, &items));
    report.say("all-there", missing(&items));
    report.say("no-simulator", simulators(&tree, &items)?);
    report.say("no-listener", listeners(&tree, &items)?);
    report.say("no-links", strangers(&items));
    report.say("modes", modes(&items));
    units(&tree, &mut report)?;
    Ok(report)
}

/// Looks at the device trees of a variant's boards: whether the kernel finds there what the variant says is wired to
/// them, and whether the lines of the kiosk are there and nobody else's.
pub fn boards(variant: &Variant, folder: &Path) -> Result<Report, Fault> {
    let (mut chips, mut lines, mut cards, mut names) =
        <(Vec<_>, Vec<_>, Vec<_>, Vec<_>)>::default();
    for board in &variant.device_trees {
        let tree = Tree::read(&folder.join(format!("{board}.dtb")))?;
        let here = |fault: String| format!("{board}: {fault}");
        let card = tree.texts("/aliases", "mmc0").first().copied().unwrap_or_default();
        if !tree.is_enabled(card) {
            cards.push(format!("{board}: its card is not the first"));
        }
        if tree.texts(BOARD.0, BOARD.1) != [named(board)] {
            names.push(format!("{board}: its tree does not say its name"));
        }
        chips.extend(variant.chips.iter().filter_map(|chip| chip_fault(&tree, chip)).map(here));
        lines.extend(variant.lines().iter().filter_map(|line| line_fault(&tree, line)).map(here));
    }
    let mut report = Report::default();
    report.say("board-chips", chips);
    report.say("board-lines", lines);
    report.say("board-card", cards);
    report.say("board-name", names);
    Ok(report)
}

fn chip_fault(tree: &Tree, chip: &Chip) -> Option<String> {
    let (node, Chip { name, compatible, .. }) = (chip.node.get_ref(), chip);
    if !tree.has(node) {
        return Some(format!("{name}: there is no {node}"));
    }
    if !tree.is_enabled(node) {
        return Some(format!("{name}: {node} or what it is on is switched off"));
    }
    if !tree.texts(node, "compatible").contains(&compatible.as_str()) {
        return Some(format!("{name}: {node} is no {compatible}"));
    }
    if tree.cells(node, "reg").first().copied() != address_of(node) {
        return Some(format!("{name}: {node} has another address"));
    }
    let alias = chip.alias.as_ref()?;
    let is_named = tree.texts("/aliases", alias) == [node];
    (!is_named).then(|| format!("{name}: {alias} is not {node}"))
}

/// Each line is there once, and no chip that is switched on has its pin.
fn line_fault(tree: &Tree, line: &str) -> Option<String> {
    let names = tree.nodes().flat_map(|node| {
        tree.texts(node, "gpio-line-names").into_iter().enumerate().map(move |at| (node, at))
    });
    let found: Vec<_> = names.filter(|(_, (_, name))| *name == line).collect();
    let [(chip, (pin, _))] = found[..] else {
        return Some(format!("{} lines are called {line}", found.len()));
    };
    let taken = tree.nodes().filter(|node| tree.is_enabled(node)).find(|node| {
        let groups = tree.cells(node, "pinctrl-0");
        let mut groups = groups.iter().filter_map(|handle| tree.node_of(*handle));
        groups.any(|group| {
            let is_here = group.strip_prefix(chip).is_some_and(|below| below.starts_with('/'));
            is_here && tree.cells(group, "brcm,pins").iter().any(|at| *at as usize == pin)
        })
    });
    taken.map(|node| format!("{line} is a pin of {node}"))
}

fn differences(record: &Record, items: &[Item]) -> Vec<String> {
    let mut faults: Vec<String> = Vec::new();
    if digest(&record.items) != record.digest {
        faults.push(format!("{RECORD} does not agree with itself"));
    }
    let lost = record.items.iter().filter(|was| !items.iter().any(|is| is.path == was.path));
    faults.extend(lost.map(|item| format!("{} is gone", item.path)));
    for is in items {
        match record.items.iter().find(|was| was.path == is.path) {
            None => faults.push(format!("{} was not staged", is.path)),
            Some(was) if was != is => faults.push(format!("{} changed", is.path)),
            Some(_) => {}
        }
    }
    faults
}

fn missing(items: &[Item]) -> Vec<String> {
    let is_there = |path: &&&str| items.iter().any(|item| item.path == **path && item.bytes > 0);
    let programs = PROGRAMS.iter().map(|program| program.path);
    let must: Vec<&str> = MUST.iter().copied().chain(programs).collect();
    must.iter().filter(|path| !is_there(path)).map(|path| format!("{path} is missing")).collect()
}

fn simulators(tree: &Path, items: &[Item]) -> Result<Vec<String>, Fault> {
    let mut faults = Vec::new();
    for item in items.iter().filter(|item| item.kind == Kind::File) {
        let name = item.path.rsplit('/').next().unwrap_or_default();
        if NEVER.contains(&name) {
            faults.push(format!("{} must not be in a terminal", item.path));
        }
        let bytes = bytes(&tree.join(&item.path))?;
        if bytes.starts_with(b"\x7fELF") {
            if !PROGRAMS.iter().any(|program| program.path == item.path) {
                faults.push(format!("{} is a program that is not ours", item.path));
            }
            faults.extend(
                simulator_in(&bytes).map(|marker| format!("{} says {marker:?}", item.path)),
            );
        }
    }
    Ok(faults)
}

/// Units that listen: sockets, and services known to do it.
fn listeners(tree: &Path, items: &[Item]) -> Result<Vec<String>, Fault> {
    let mut faults = Vec::new();
    for item in
        items.iter().filter(|item| item.kind == Kind::File && item.path.contains("systemd/"))
    {
        // An empty file masks.
        if item.bytes == 0 {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes(&tree.join(&item.path))?).into_owned();
        let listens = text.lines().any(|line| line.trim_start().starts_with("Listen"));
        if item.path.ends_with(".socket") || listens {
            faults.push(format!("{} listens", item.path));
        }
        if item.path.ends_with(".service") && !OURS.iter().any(|name| item.path.ends_with(name)) {
            faults.push(format!("{} is a service that is not ours", item.path));
        }
    }
    Ok(faults)
}

fn strangers(items: &[Item]) -> Vec<String> {
    let strange = items.iter().filter(|item| item.kind == Kind::Strange);
    strange.map(|item| format!("{} is neither file nor folder", item.path)).collect()
}

fn modes(items: &[Item]) -> Vec<String> {
    let wanted = |item: &Item| match item.kind {
        Kind::Folder => 0o755,
        Kind::File if PROGRAMS.iter().any(|program| program.path == item.path) => 0o755,
        Kind::File | Kind::Strange => 0o644,
    };
    let wrong = items.iter().filter(|item| item.kind != Kind::Strange && item.mode != wanted(item));
    wrong
        .map(|item| format!("{} has mode {:o}, not {:o}", item.path, item.mode, wanted(item)))
        .collect()
}

/// What systemd itself says of the units.
fn units(tree: &Path, report: &mut Report) -> Result<(), Fault> {
    let folder = tree.join("usr/lib/systemd/system");
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        report.skip("units-parse and unit-exposure: systemd-analyze is not on this machine");
        return Ok(());
    }
    let own = folder.canonicalize().map_err(|e| Fault::read(&folder, e))?;
    let said = said(
        Command::new("systemd-analyze")
            .env("SYSTEMD_UNIT_PATH", format!("{}:", own.display()))
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .args(VERIFIED.map(|unit| own.join(unit))),
    )?;
    // The program is in the tree, not on this machine.
    let lines =
        said.lines().filter(|line| !line.contains("Command /usr/bin/kiosk is not executable"));
    report.say("units-parse", lines.map(str::to_owned).collect());
    let said = self::said(
        Command::new("systemd-analyze")
            .args(["security", "--offline=yes", "--no-pager", "--root"])
            .arg(tree.canonicalize().map_err(|e| Fault::read(tree, e))?)
            .arg("kiosk.service"),
    )?;
    match exposure(&said) {
        Some(score) if score <= EXPOSURE_MAX => {
            report.lines.push(format!("ok    unit-exposure {score:.1}"))
        }
        Some(score) => {
            report.say("unit-exposure", vec![format!("{score:.1} is above {EXPOSURE_MAX:.1}")])
        }
        None => report.say("unit-exposure", vec![format!("no score in: {}", said.trim())]),
    }
    Ok(())
}

/// `→ Overall exposure level for kiosk.service: 1.5 OK`
fn exposure(said: &str) -> Option<f32> {
    let line = said.lines().find(|line| line.contains("Overall exposure level"))?;
    line.rsplit(": ").next()?.split_whitespace().next()?.parse().ok()
}

fn said(command: &mut Command) -> Result<String, Fault> {
    let output =
        command.env("LC_ALL", "C.UTF-8").output().map_err(|e| Fault::read("systemd-analyze", e))?;
    let both = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&both).into_owned())
}

fn bytes(file: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(file).map_err(|e| Fault::read(file, e))
}

/// Files without which a terminal does not serve or its maker does not keep the law.
const MUST: [&str; 8] = [
    "etc/kiosk/kiosk.toml",
    "usr/lib/systemd/system/kiosk.service",
    "usr/lib/systemd/system/kiosk.service.d/devices.conf",
    "usr/lib/udev/rules.d/70-kiosk.rules",
    "usr/lib/sysusers.d/kiosk.conf",
    "usr/share/doc/kiosk/models-manifest.toml",
    "usr/share/doc/kiosk/sbom.spdx.json",
    "usr/share/doc/kiosk/LICENCES.txt",
];
/// The program and what leads to it, and root's answers to its words, with what each starts.
const VERIFIED: [&str; 5] = [
    "kiosk.service",
    "kiosk-first.target",
    "kiosk-power-off.path",
    "kiosk-clock.path",
    "kiosk-line.path",
];
/// Services of our own; each is on the list because somebody thought about it.
const OURS: [&str; 11] = [
    "/kiosk.service",
    "/kiosk-line.service",
    "/kiosk-clock.service",
    "/kiosk-data.service",
    "/kiosk-good.service",
    "/kiosk-power-off.service",
    "/kiosk-screen.service",
    "/kiosk-stick@.service",
    "/kiosk-names.service",
    "/kiosk-update-early.service",
    "/kiosk-update.service",
];
/// Programs of the workbench.
const NEVER: [&str; 5] = ["device-sim", "authority", "models", "image-build", "make-portraits"];
/// Issue 6: of ten, lower is tighter.
const EXPOSURE_MAX: f32 = 2.0;
