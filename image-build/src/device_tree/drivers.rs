//! Whether an image has the drivers of what its boards' device trees say is there.

use std::collections::BTreeMap;

use super::Tree;
use crate::variant::Variant;

/// The modules of a kernel by what they drive.
pub struct Drivers(BTreeMap<String, String>);

impl Drivers {
    /// From the text of `modules.alias`. The first that names a thing drives it.
    pub fn read(aliases: &str) -> Self {
        let mut known = BTreeMap::new();
        for line in aliases.lines() {
            let named = line.strip_prefix(ALIAS).and_then(|rest| rest.split_once(' '));
            if let Some((kind, module)) = named {
                let kind = kind.strip_suffix("C*").unwrap_or(kind);
                known.entry(kind.to_owned()).or_insert_with(|| plain(module));
            }
        }
        Self(known)
    }

    fn of(&self, tree: &Tree, node: &str) -> Option<&str> {
        let kinds = tree.texts(node, "compatible").into_iter();
        kinds.filter_map(|kind| self.0.get(kind)).map(String::as_str).next()
    }
}

/// Nodes that are switched on and whose driver is a module of this kernel that the image has not; and what a card hangs
/// on and the initial file system has not.
pub fn missing(variant: &Variant, drivers: &Drivers, tree: &Tree) -> Vec<String> {
    let has = |lists: &[&Vec<String>], module: &str| {
        lists.iter().flat_map(|list| list.iter()).any(|named| plain(named) == module)
    };
    let Variant { modules, screen_modules, initrd_modules, left_out, .. } = variant;
    let everywhere = [modules, screen_modules, initrd_modules, left_out];
    let mut faults = Vec::new();
    for node in tree.nodes().filter(|node| tree.is_enabled(node)) {
        if let Some(module) = drivers.of(tree, node).filter(|it| !has(&everywhere, it)) {
            faults.push(format!("{node} wants the module {module}"));
        }
        // Its bus tells what is on it, but the sockets of a Pi 4 are there and nowhere else.
        let is_bus = tree.texts(node, "compatible").contains(&PCI);
        if is_bus && !has(&everywhere, USB_ON_PCI) {
            faults.push(format!("{node} has the sockets, which want the module {USB_ON_PCI}"));
        }
        if !is_card(node) {
            continue;
        }
        let supplies = SUPPLIES.iter().filter_map(|name| tree.cells(node, name).first().copied());
        let supplies = supplies.filter_map(|handle| tree.node_of(handle));
        for of in supplies.chain([node]) {
            let late = drivers.of(tree, of).filter(|it| !has(&[initrd_modules], it));
            faults.extend(late.map(|it| format!("{node} wants the module {it} from the start")));
        }
    }
    faults
}

/// What the board has that no tree names: the drivers ask for one another by other names.
pub fn unnamed(variant: &Variant) -> Vec<String> {
    let is_there = |module: &&str| variant.modules.iter().any(|named| plain(named) == **module);
    let lacks = UNNAMED.iter().filter(|module| !is_there(module));
    lacks.map(|module| format!("these boards want the module {module}")).collect()
}

/// The kernel takes both signs for one.
fn plain(module: &str) -> String {
    module.replace('-', "_")
}

fn is_card(node: &str) -> bool {
    node.rsplit('/').next().is_some_and(|name| name.starts_with("mmc@"))
}

/// A device tree's alias with any name and any type.
const ALIAS: &str = "alias of:N*T*C";
const SUPPLIES: [&str; 2] = ["vmmc-supply", "vqmmc-supply"];
/// The processor's clock, which stands at its lowest without; the line's chips of a Pi 3; touch screens that are no more;
/// sticks that say they are fast.
const UNNAMED: [&str; 5] = ["cpufreq_dt", "smsc", "microchip", "hid_generic", "uas"];
const PCI: &str = "brcm,bcm2711-pcie";
const USB_ON_PCI: &str = "xhci_pci";
