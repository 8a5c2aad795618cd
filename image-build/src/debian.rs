//! What comes from Debian: the builder's tools, the base of the root file system, kernel and firmware.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fault::Fault;
use crate::variant::{Board, Variant};
use crate::workshop::{Workshop, host, run};

/// The base root file system as an archive, and the digest of what it was made from.
pub struct Base {
    /// `base.tar`.
    pub archive: PathBuf,
    /// Changes with the list of packages.
    pub digest: String,
}

/// Kernel, its modules, and what the board starts from.
pub struct Kernel {
    /// An unpacked tree with `boot`, `usr/lib/modules` and firmware.
    pub tree: PathBuf,
    /// Such as `6.12.107+deb13-arm64`.
    pub version: String,
    /// Changes with the kernel.
    pub digest: String,
}

impl Kernel {
    /// The packages of its tree that are in a terminal of this variant; the others only came with them.
    pub fn packages(&self, variant: &Variant) -> Vec<String> {
        let firmware: &[&str] = match variant.board {
            Board::Qemu => &[],
            Board::RaspberryPi => &["raspi-firmware", "u-boot-rpi"],
        };
        let kernel = [format!("linux-image-{}", self.version)].into_iter();
        kernel.chain(firmware.iter().map(|name| (*name).to_owned())).collect()
    }
}

/// The builder: QEMU, RAUC, squashfs and U-Boot tools of the image's own release.
pub fn builder(shop: &Workshop, variant: &Variant) -> Result<(), Fault> {
    tools(shop, variant, "builder", &shop.builder(), &TOOLS)
}

/// A small Debian for this machine, whose tools are run. Of arm64 it has what is asked for by name.
pub fn tools(
    shop: &Workshop,
    variant: &Variant,
    name: &str,
    product: &Path,
    packages: &[&str],
) -> Result<(), Fault> {
    let include = format!("--include={}", packages.join(","));
    let inputs = [include.clone(), variant.suite.clone()];
    shop.step(name, &inputs, product, |fresh| {
        let machine = run(host("dpkg").arg("--print-architecture"))?;
        let foreign = if include.contains(":arm64") { ",arm64" } else { "" };
        let mut debian = shop.debian(&format!("{}{foreign}", machine.trim()), "minbase");
        run(debian.arg(&include).arg(&variant.suite).arg(fresh)).map(drop)
    })?;
    Ok(())
}

/// The packages of the variant with all that they need, unpacked only: no script of a package runs, so nothing depends
/// on the machine, and no processor has to be emulated. What those scripts would have made is made by `root`.
pub fn base(shop: &Workshop, variant: &Variant) -> Result<Base, Fault> {
    let include = format!("--include={}", variant.packages.join(","));
    let inputs = [include.clone(), variant.suite.clone(), DPKG.join(" "), LISTED.into()];
    let archive = shop.path("base.tar");
    let digest = shop.step("base", &inputs, &archive, |fresh| {
        let mut debian = shop.debian("arm64", "extract");
        debian.args(DPKG.map(|option| format!("--dpkgopt={option}"))).arg(LISTED);
        run(debian.args([&include, "--format=tar", &variant.suite]).arg(fresh)).map(drop)
    })?;
    Ok(Base { archive, digest })
}

/// Kernel and firmware, unpacked only.
pub fn kernel(shop: &Workshop, variant: &Variant) -> Result<Kernel, Fault> {
    let include = "--include=base-files,linux-image-arm64,raspi-firmware,u-boot-rpi".to_owned();
    let inputs = [include.clone(), variant.suite.clone(), LISTED.into()];
    let tree = shop.path("kernel");
    let digest = shop.step("kernel", &inputs, &tree, |fresh| {
        let mut debian = shop.debian("arm64", "extract");
        debian.args([&include, "--components=main,non-free-firmware", LISTED]);
        debian.arg(&variant.suite).arg(fresh);
        run(&mut debian)?;
        let version = version_in(fresh)?;
        run(shop.tool("depmod").args(["-b", &shop.seen(&fresh.join("usr")), &version])).map(drop)
    })?;
    let version = version_in(&tree)?;
    Ok(Kernel { tree, version, digest })
}

/// The U-Boot of the board, from the builder or the firmware tree.
pub fn u_boot(shop: &Workshop, kernel: &Kernel, board: Board) -> PathBuf {
    match board {
        Board::Qemu => shop.builder().join("usr/lib/u-boot/qemu_arm64/u-boot.bin"),
        Board::RaspberryPi => kernel.tree.join("usr/lib/u-boot/rpi_arm64/u-boot.bin"),
    }
}

fn version_in(tree: &Path) -> Result<String, Fault> {
    let folder = tree.join("usr/lib/modules");
    let mut names = fs::read_dir(&folder).map_err(|e| Fault::read(&folder, e))?.flatten();
    let name = names.next().map(|entry| entry.file_name().to_string_lossy().into_owned());
    name.ok_or_else(|| Fault::Tool("the kernel package brought no modules".into()))
}

/// What is unpacked only is not in dpkg's list, and the bill of materials is made from that.
const LISTED: &str = "--extract-hook=for deb in \"$1\"/var/cache/apt/archives/*.deb; do \
    dpkg-deb -f \"$deb\" Package Version Architecture && echo || exit 1; done > \"$1/var/lib/dpkg/status\"";
/// Manuals and translations stay out; licences stay in, and links of one package's folder to another's.
const DPKG: [&str; 5] = [
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*/*",
    "path-include=/usr/share/doc/*/copyright",
];
const TOOLS: [&str; 23] = [
    "ca-certificates",
    "qemu-system-arm",
    "u-boot-qemu",
    "ipxe-qemu",
    "seabios",
    "qemu-utils",
    "qemu-system-gui",
    "rauc",
    "squashfs-tools",
    "mtools",
    "dosfstools",
    "e2fsprogs",
    "u-boot-tools",
    "cryptsetup-bin",
    "openssl",
    "fdisk",
    "cpio",
    "zstd",
    "xz-utils",
    "kmod",
    "device-tree-compiler",
    "systemd",
    "python3",
];
