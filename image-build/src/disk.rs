//! The disk as it leaves the works: boot files, both slots, and blank partitions for counters, key and data, which the
//! terminal fills itself.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::debian::{Kernel, u_boot};
use crate::fault::Fault;
use crate::root::{Root, copy, make, read, uuid_of, write};
use crate::slot::{fat, script};
use crate::tree::sum_file;
use crate::variant::{Board, Holds, Variant};
use crate::workshop::{Workshop, beside, remove, run};

/// What goes onto a disk.
pub struct Content<'a> {
    /// The terminal.
    pub variant: &'a Variant,
    /// Where firmware comes from.
    pub kernel: &'a Kernel,
    /// Device trees of the variant's boards, and the digest of what they were made from.
    pub trees: &'a (PathBuf, String),
    /// The root file system of both slots.
    pub root: &'a Root,
    /// The boot half of both slots.
    pub slot: &'a Path,
}

/// Writes the disk of a variant. The works fill both slots.
pub fn disk(
    shop: &Workshop,
    repository: &Path,
    content: &Content<'_>,
    product: &Path,
) -> Result<String, Fault> {
    let Content { variant, trees, root, slot, .. } = *content;
    let command = repository.join("image-build/boot/boot.cmd");
    let settings = repository.join("image-build/boot/uboot.env.txt");
    let table = table(variant);
    let inputs = [
        root.hash.clone(),
        sum_file(slot)?,
        sum_file(&command)?,
        sum_file(&settings)?,
        table.clone(),
        trees.1.clone(),
        PI_CONFIG.into(),
    ];
    shop.step("disk", &inputs, product, |fresh| {
        partition(shop, &table, variant, fresh)?;
        let starts = starts(shop, fresh)?;
        let firmware = firmware(shop, [&command, &settings], content, fresh)?;
        for (partition, start) in variant.partitions.iter().zip(starts) {
            match partition.holds {
                Holds::Firmware => lay(&firmware, fresh, start)?,
                Holds::Kernel => lay(slot, fresh, start)?,
                Holds::Root => lay(&root.image, fresh, start)?,
                Holds::BootCounters | Holds::Key | Holds::Data => {}
            }
        }
        if variant.board == Board::RaspberryPi {
            hybrid(fresh, variant)?;
        }
        remove(&firmware)
    })
}

/// The partition table as sfdisk reads it, with nothing random in it.
fn table(variant: &Variant) -> String {
    let mut text = format!("label: gpt\nlabel-id: {}\n", uuid_of(&variant.name));
    for partition in &variant.partitions {
        let name = partition.name.get_ref();
        let uuid = uuid_of(&format!("{} {name}", variant.name));
        let kind = match partition.holds {
            Holds::Firmware => "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",
            _ => "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
        };
        text += &format!("size={}M, name={name}, uuid={uuid}, type={kind}\n", partition.size_mib);
    }
    text
}

fn partition(shop: &Workshop, table: &str, variant: &Variant, disk: &Path) -> Result<(), Fault> {
    let mib: u64 = variant.partitions.iter().map(|p| p.size_mib).sum();
    let file = fs::File::create(disk).map_err(|e| Fault::write(disk, e))?;
    file.set_len((mib + SPARE_MIB) << 20).map_err(|e| Fault::write(disk, e))?;
    let words = beside(disk, "table");
    write(&words, table)?;
    let open = fs::File::open(&words).map_err(|e| Fault::read(&words, e))?;
    let mut sfdisk = shop.tool("sfdisk");
    run(sfdisk.args(["--quiet", "--no-tell-kernel", &shop.seen(disk)]).stdin(Stdio::from(open)))?;
    remove(&words)
}

/// First bytes of the partitions, in their order.
fn starts(shop: &Workshop, disk: &Path) -> Result<Vec<u64>, Fault> {
    Ok(partitions(shop, disk)?.into_iter().map(|(_, start)| start).collect())
}

/// The first byte of a partition of this name.
pub fn start_of(shop: &Workshop, disk: &Path, name: &str) -> Result<u64, Fault> {
    let found = partitions(shop, disk)?.into_iter().find(|(known, _)| known == name);
    found.map(|(_, start)| start).ok_or_else(|| Fault::Tool(format!("no partition {name}")))
}

/// Names of the partitions with their first bytes.
fn partitions(shop: &Workshop, disk: &Path) -> Result<Vec<(String, u64)>, Fault> {
    let said = run(shop.tool("sfdisk").args(["--json", &shop.seen(disk)]))?;
    let wrong = || Fault::Tool(format!("sfdisk says: {said}"));
    let json: serde_json::Value = serde_json::from_str(&said).map_err(|_| wrong())?;
    let list = json["partitiontable"]["partitions"].as_array().ok_or_else(wrong)?;
    let entry = |p: &serde_json::Value| {
        let name = p["name"].as_str().unwrap_or_default().to_owned();
        p["start"].as_u64().map(|start| (name, start * SECTOR)).ok_or_else(wrong)
    };
    list.iter().map(entry).collect()
}

/// The first partition: our boot script, and for a Raspberry Pi its firmware, U-Boot and device trees.
fn firmware(
    shop: &Workshop,
    [command, settings]: [&Path; 2],
    content: &Content<'_>,
    disk: &Path,
) -> Result<PathBuf, Fault> {
    let variant = content.variant;
    let (folder, image) = (beside(disk, "firmware.d"), beside(disk, "firmware"));
    remove(&folder)?;
    make(&folder)?;
    let board = match variant.board {
        Board::Qemu => "qemu",
        Board::RaspberryPi => "raspberry-pi",
    };
    let text = format!("setenv board {board}\n{}", read(command)?);
    script(shop, &text, &folder.join("boot.scr"))?;
    if variant.board == Board::RaspberryPi {
        raspberry_pi(shop, content, settings, &folder)?;
    }
    fat(shop, &folder, &image, variant.partition(Holds::Firmware).size_mib, "KIOSKBOOT")?;
    remove(&folder)?;
    Ok(image)
}

fn raspberry_pi(
    shop: &Workshop,
    content: &Content<'_>,
    settings: &Path,
    folder: &Path,
) -> Result<(), Fault> {
    let Content { variant, kernel, trees, .. } = *content;
    let from = kernel.tree.join("usr/lib/raspi-firmware");
    for name in PI_FIRMWARE {
        copy(&from.join(name), &folder.join(name))?;
    }
    copy(&u_boot(shop, kernel, Board::RaspberryPi), &folder.join("u-boot.bin"))?;
    lay_trees(variant, &trees.0, folder)?;
    let plain = beside(folder, "env");
    write(&plain, &read(settings)?)?;
    let to = folder.join("uboot.env");
    run(shop
        .tool("mkenvimage")
        .args(["-s", PI_SETTINGS_BYTES, "-o"])
        .args([shop.seen(&to), shop.seen(&plain)]))?;
    remove(&plain)?;
    write(&folder.join("config.txt"), PI_CONFIG)
}

/// Device trees of the boards under the names that firmware and U-Boot ask for. Both call a Compute Module 4 so, whatever
/// board carries it.
pub fn lay_trees(variant: &Variant, from: &Path, to: &Path) -> Result<(), Fault> {
    for board in &variant.device_trees {
        let tree = from.join(format!("{board}.dtb"));
        copy(&tree, &to.join(format!("{board}.dtb")))?;
        if let Some(module) = board.strip_suffix("-io") {
            copy(&tree, &to.join(format!("{module}.dtb")))?;
        }
    }
    Ok(())
}

/// Copies a partition's content to its place; blocks of zeros stay holes.
fn lay(content: &Path, disk: &Path, start: u64) -> Result<(), Fault> {
    let mut from = fs::File::open(content).map_err(|e| Fault::read(content, e))?;
    let mut to =
        fs::OpenOptions::new().write(true).open(disk).map_err(|e| Fault::write(disk, e))?;
    to.seek(SeekFrom::Start(start)).map_err(|e| Fault::write(disk, e))?;
    io::copy(&mut from, &mut to).map(drop).map_err(|e| Fault::write(disk, e))
}

/// The boot ROM of a Pi 3 reads no GPT: an old entry for the first partition stands beside the protective one.
fn hybrid(disk: &Path, variant: &Variant) -> Result<(), Fault> {
    let sectors = (variant.partition(Holds::Firmware).size_mib << 20) / SECTOR;
    let entry = |kind: u8, start: u32, count: u32| {
        let mut bytes = vec![0, 0xfe, 0xff, 0xff, kind, 0xfe, 0xff, 0xff];
        bytes.extend(start.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes
    };
    let count = u32::try_from(sectors).expect("the first partition is small");
    let both = [entry(0x0c, FIRST_SECTOR, count), entry(0xee, 1, FIRST_SECTOR - 1)].concat();
    let mut file =
        fs::OpenOptions::new().write(true).open(disk).map_err(|e| Fault::write(disk, e))?;
    file.seek(SeekFrom::Start(MBR_ENTRIES)).map_err(|e| Fault::write(disk, e))?;
    file.write_all(&both).map_err(|e| Fault::write(disk, e))
}

const SECTOR: u64 = 512;
/// As U-Boot for these boards was built (`CONFIG_ENV_SIZE`).
const PI_SETTINGS_BYTES: &str = "0x4000";
/// Both tables and the alignment before the first partition.
const SPARE_MIB: u64 = 2;
/// Where sfdisk lays the first partition.
const FIRST_SECTOR: u32 = 2048;
const MBR_ENTRIES: u64 = 446;
/// Pi 3 and Pi 4; a Pi 5 has its own in its EEPROM.
const PI_FIRMWARE: [&str; 5] =
    ["bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat"];
const PI_CONFIG: &str = "# Firmware of the board: start U-Boot, which chooses the slot, with the device tree of the board beside this file. That
# is the kernel's own, under the name that the kernel gives it.
arm_64bit=1
upstream_kernel=1
kernel=u-boot.bin
enable_uart=1
disable_splash=1
# Half a minute at full speed, until the kernel's own driver of the clock is there.
initial_turbo=30
";
