//! The boot half of a slot: kernel, initial file system and the arguments that name the root's hash, as one FAT image
//! that the boot loader can read.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::debian::{Base, Kernel};
use crate::disk::lay_trees;
use crate::fault::Fault;
use crate::root::{Root, copy, make, modules, write};
use crate::tree::sum_file;
use crate::variant::{Holds, Variant};
use crate::workshop::{TIME_S, Workshop, host, remove, run};

/// Packs the initial file system; returns it with its digest.
pub fn initrd(
    shop: &Workshop,
    repository: &Path,
    variant: &Variant,
    base: &Base,
    kernel: &Kernel,
) -> Result<(PathBuf, String), Fault> {
    let init = repository.join("image-build/initrd/init");
    let inputs = [
        base.digest.clone(),
        kernel.digest.clone(),
        sum_file(&init)?,
        variant.initrd_modules.join(" "),
    ];
    let product = shop.path(&format!("{}/initrd", variant.name));
    let digest = shop.step("initrd", &inputs, &product, |fresh| {
        let tree = crate::workshop::beside(fresh, "tree");
        remove(&tree)?;
        for folder in ["bin", "dev", "proc", "sys", "run", "newroot", "usr/lib"] {
            make(&tree.join(folder))?;
        }
        programs(base, &tree)?;
        let order = modules(shop, kernel, &variant.initrd_modules, &tree)?;
        write(&tree.join("modules.load"), &(order.join("\n") + "\n"))?;
        copy(&init, &tree.join("init"))?;
        executable(&tree.join("init"))?;
        archive(shop, &tree, fresh)?;
        remove(&tree)
    })?;
    Ok((product, digest))
}

/// Busybox, `veritysetup` and the libraries that it names, out of the base.
fn programs(base: &Base, tree: &Path) -> Result<(), Fault> {
    let from = crate::workshop::beside(tree, "from");
    remove(&from)?;
    make(&from)?;
    let unpack = "tar -xf \"$0\" -C \"$1\" --no-same-owner ./usr/bin ./usr/sbin/veritysetup ./usr/lib/ld-linux-aarch64.so.1 ./usr/lib/aarch64-linux-gnu";
    run(host("sh").args(["-c", unpack]).arg(&base.archive).arg(&from))?;
    copy(&from.join("usr/bin/busybox"), &tree.join("bin/busybox"))?;
    copy(&from.join("usr/sbin/veritysetup"), &tree.join("bin/veritysetup"))?;
    // The names that the shebang and the loader's path in a program want.
    for (link, to) in [("bin/sh", "busybox"), ("lib", "usr/lib")] {
        std::os::unix::fs::symlink(to, tree.join(link)).map_err(|e| Fault::write(link, e))?;
    }
    let libraries = from.join("usr/lib/aarch64-linux-gnu");
    make(&tree.join("usr/lib/aarch64-linux-gnu"))?;
    copy(&from.join("usr/lib/ld-linux-aarch64.so.1"), &tree.join("usr/lib/ld-linux-aarch64.so.1"))?;
    let (mut seen, mut open) = (BTreeSet::new(), needed(&tree.join("bin/veritysetup"))?);
    while let Some(name) = open.pop() {
        if name.starts_with("ld-linux") || !seen.insert(name.clone()) {
            continue;
        }
        let file = libraries.join(&name);
        open.extend(needed(&file)?);
        copy(&file, &tree.join("usr/lib/aarch64-linux-gnu").join(&name))?;
    }
    // The C library loads this one by itself when a thread is cancelled.
    copy(&libraries.join("libgcc_s.so.1"), &tree.join("usr/lib/aarch64-linux-gnu/libgcc_s.so.1"))?;
    remove(&from)
}

/// The libraries that an ELF file names.
fn needed(file: &Path) -> Result<Vec<String>, Fault> {
    let said = run(host("aarch64-linux-gnu-readelf").arg("-d").arg(file))?;
    let names = said.lines().filter(|line| line.contains("(NEEDED)"));
    Ok(names.filter_map(|l| Some(l.split_once('[')?.1.trim_end_matches(']').to_owned())).collect())
}

/// Sorted, owned by root, one time for all: the same tree gives the same bytes.
fn archive(shop: &Workshop, tree: &Path, product: &Path) -> Result<(), Fault> {
    let script = format!(
        "cd \"$0\" && find . -exec touch -h -d @{TIME_S} {{}} + && find . -print0 | LC_ALL=C sort -z \
         | cpio -0 -o -H newc --quiet --reproducible -R 0:0 | zstd -q -15 > \"$1\""
    );
    run(shop.tool("sh").args(["-c", &script, &shop.seen(tree), &shop.seen(product)])).map(drop)
}

/// Packs the boot half that belongs to a root file system.
pub fn slot(
    shop: &Workshop,
    variant: &Variant,
    kernel: &Kernel,
    initrd: &(PathBuf, String),
    trees: &(PathBuf, String),
    root: &Root,
    product: &Path,
) -> Result<String, Fault> {
    let arguments = arguments(variant, root);
    let mib = variant.partition(Holds::Kernel).size_mib;
    let inputs = [
        root.hash.clone(),
        kernel.digest.clone(),
        initrd.1.clone(),
        arguments.clone(),
        trees.1.clone(),
        mib.to_string(),
    ];
    shop.step("slot", &inputs, product, |fresh| {
        let folder = crate::workshop::beside(fresh, "files");
        remove(&folder)?;
        make(&folder)?;
        let image = kernel.tree.join("boot").join(format!("vmlinuz-{}", kernel.version));
        copy(&image, &folder.join("Image"))?;
        fits(&image)?;
        // As U-Boot names a board's tree.
        let own = folder.join("broadcom");
        if !variant.device_trees.is_empty() {
            make(&own)?;
            lay_trees(variant, &trees.0, &own)?;
        }
        copy(&initrd.0, &folder.join("initrd"))?;
        let words = format!("setenv slotargs \"{arguments}\"\n");
        script(shop, &words, &folder.join("slot.scr"))?;
        fat(shop, &folder, fresh, mib, "SLOT")?;
        remove(&folder)
    })
}

/// Whether a kernel ends, in memory, before what boot.cmd lays behind it on a Raspberry Pi. Its size with all that it needs
/// at once is in its head (Linux, Documentation/arch/arm64/booting.rst).
fn fits(image: &Path) -> Result<(), Fault> {
    let bytes = fs::read(image).map_err(|e| Fault::read(image, e))?;
    let size = bytes.get(16..24).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
    match size {
        Some(size) if size > 0 && size <= KERNEL_BYTES_MAX => Ok(()),
        Some(size) => Err(Fault::TooLarge("the kernel in memory".into(), size, KERNEL_BYTES_MAX)),
        None => Err(Fault::Tool(format!("{} is no kernel", image.display()))),
    }
}

/// What the kernel is told, but for the name of the slot.
pub fn arguments(variant: &Variant, root: &Root) -> String {
    let words = variant.kernel_arguments.join(" ");
    format!("{words} kiosk.roothash={} kiosk.hashoffset={}", root.hash, root.hash_offset)
}

/// A U-Boot script; its header has a time of its own.
pub fn script(shop: &Workshop, text: &str, to: &Path) -> Result<(), Fault> {
    let plain = crate::workshop::beside(to, "cmd");
    write(&plain, text)?;
    let mut mkimage = shop.tool("mkimage");
    mkimage.env("SOURCE_DATE_EPOCH", TIME_S.to_string());
    mkimage.args(["-A", "arm64", "-T", "script", "-C", "none", "-n", "kiosk", "-d"]);
    run(mkimage.args([shop.seen(&plain), shop.seen(to)]))?;
    remove(&plain)
}

/// A FAT file system with the files of a folder, of a fixed identity.
pub fn fat(shop: &Workshop, folder: &Path, to: &Path, mib: u64, label: &str) -> Result<(), Fault> {
    let file = fs::File::create(to).map_err(|e| Fault::write(to, e))?;
    file.set_len(mib << 20).map_err(|e| Fault::write(to, e))?;
    let script = format!(
        "find \"$0\" -exec touch -d @{TIME_S} {{}} + && mkfs.vfat --invariant -n {label} \"$1\" > /dev/null \
         && cd \"$0\" && mcopy -s -m -i \"$1\" -- * ::"
    );
    run(shop.tool("sh").args(["-c", &script, &shop.seen(folder), &shop.seen(to)])).map(drop)
}

/// From 2 MiB to where QEMU, and boot.cmd, may have a device tree.
const KERNEL_BYTES_MAX: u64 = 0x0800_0000 - 0x0020_0000;

fn executable(file: &Path) -> Result<(), Fault> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).map_err(|e| Fault::write(file, e))
}
