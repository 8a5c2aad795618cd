//! Device trees of the boards: Debian's, with our overlays merged in when the image is made. They lie
//! beside the firmware, for U-Boot, and in each slot, for the kernel.

mod blob;
pub mod drivers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use blob::Tree;
use drivers::Drivers;

use crate::check;
use crate::debian::Kernel;
use crate::fault::Fault;
use crate::root::{copy, make, read};
use crate::tree::sum_file;
use crate::variant::Variant;
use crate::workshop::{Workshop, remove, run};

/// How `dtc` and `fdtoverlay` are run.
pub struct Tools<'a> {
    /// A tool by its name.
    pub tool: &'a dyn Fn(&str) -> Command,
    /// Where the tools see a path.
    pub seen: &'a dyn Fn(&Path) -> String,
}

/// The trees of a variant's boards as a folder of `BOARD.dtb`, checked, and the digest of what they were made from.
pub fn device_trees(
    shop: &Workshop,
    repository: &Path,
    variant: &Variant,
    kernel: &Kernel,
) -> Result<(PathBuf, String), Fault> {
    let inputs = [vec![kernel.digest.clone()], inputs(repository, variant)?].concat();
    let product = shop.path(&variant.name).join("device-trees");
    let digest = shop.step("device trees", &inputs, &product, |fresh| {
        let from = kernel.tree.join(format!("usr/lib/linux-image-{}/broadcom", kernel.version));
        let tools = Tools { tool: &|name| shop.tool(name), seen: &|path| shop.seen(path) };
        merge(&tools, variant, &repository.join(OVERLAYS), &from, fresh)
    })?;
    let report = check::boards(variant, &product)?;
    if !report.is_clean() {
        return Err(Fault::Tool(report.to_text()));
    }
    let tables = kernel.tree.join("usr/lib/modules").join(&kernel.version);
    let known = Drivers::read(&read(&tables.join("modules.alias"))?);
    for board in &variant.device_trees {
        let tree = Tree::read(&product.join(format!("{board}.dtb")))?;
        let mut missing = drivers::missing(variant, &known, &tree);
        missing.extend(drivers::unnamed(variant));
        if !missing.is_empty() {
            return Err(Fault::Tool(format!("{board}: {}", missing.join("; "))));
        }
    }
    Ok((product, digest))
}

/// What of the repository the trees are made from.
pub fn inputs(repository: &Path, variant: &Variant) -> Result<Vec<String>, Fault> {
    let mut inputs = variant.device_trees.clone();
    inputs.push(format!("{CARDS:?} {BOARD:?} {}", named("")));
    for overlay in variant.overlays() {
        inputs.push(sum_file(&repository.join(OVERLAYS).join(format!("{overlay}.dts")))?);
    }
    Ok(inputs)
}

/// Compiles a variant's overlays and writes the tree of each of its boards with them into the folder `to`.
pub fn merge(
    tools: &Tools<'_>,
    variant: &Variant,
    overlays: &Path,
    from: &Path,
    to: &Path,
) -> Result<(), Fault> {
    make(to)?;
    let work = to.join("work");
    make(&work)?;
    let seen = |path: &Path| (tools.seen)(path);
    let mut compiled = Vec::new();
    for overlay in variant.overlays() {
        let (source, blob) = (work.join(format!("{overlay}.dts")), work.join(overlay));
        copy(&overlays.join(format!("{overlay}.dts")), &source)?;
        let mut dtc = (tools.tool)("dtc");
        dtc.args(["-q", "-@", "-I", "dts", "-O", "dtb", "-o", &seen(&blob), &seen(&source)]);
        run(&mut dtc)?;
        compiled.push(seen(&blob));
    }
    for board in &variant.device_trees {
        let (plain, merged) = (work.join(board), to.join(format!("{board}.dtb")));
        copy(&from.join(format!("{board}.dtb")), &plain)?;
        if compiled.is_empty() {
            fs::rename(&plain, &merged).map_err(|e| Fault::write(&merged, e))?;
        } else {
            let mut fdtoverlay = (tools.tool)("fdtoverlay");
            run(fdtoverlay.args(["-i", &seen(&plain), "-o", &seen(&merged)]).args(&compiled))?;
        }
        for (_, card) in CARDS.iter().filter(|(chip, _)| board.starts_with(chip)) {
            let mut fdtput = (tools.tool)("fdtput");
            run(fdtput.args(["-t", "s", &seen(&merged), "/aliases", "mmc0", card]))?;
        }
        let (node, property) = BOARD;
        let mut fdtput = (tools.tool)("fdtput");
        run(fdtput.args(["-p", "-t", "s", &seen(&merged), node, property, &named(board)]))?;
    }
    remove(&work)
}

/// What a tree says of its board, as udev reads a file of properties.
pub fn named(board: &str) -> String {
    format!("{BOARD_KEY}={board}")
}

/// Where a tree says which board it is for. It comes with each slot, as the rules do that read it; the boot loader's script
/// does not.
pub const BOARD: (&str, &str) = ("/chosen", "kiosk,board");
/// udev's property of that.
pub const BOARD_KEY: &str = "KIOSK_BOARD";
/// What a board's card is in, by the board's chip. The kernel's trees leave the count to chance, and U-Boot looks for its
/// settings in the first.
const CARDS: [(&str, &str); 2] =
    [("bcm2837", "/soc/mmc@7e202000"), ("bcm2711", "/emmc2bus/mmc@7e340000")];
/// Our overlays, below the repository.
pub const OVERLAYS: &str = "image-build/boot/overlays";
