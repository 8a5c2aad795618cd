//! How worn the card or chip is that a folder lies on: what an eMMC says of its life, and what the file system counted of
//! errors. An SD card says nothing of itself until it fails; then the file system's count is the first to tell.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How worn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Wear {
    /// Nothing is known against it.
    #[default]
    None,
    /// It has used up most of its spare blocks or nine tenths of its life: time to order another.
    Worn,
    /// Its spare blocks or its life are used up, or it already answered with errors: change it now.
    Failing,
}

/// Watches the card below a folder. Ask it every ten seconds or so.
#[derive(Debug, Default)]
pub struct WearWatch {
    /// `life_time` and `pre_eol_info` of a chip, where they are told.
    chips: Vec<PathBuf>,
    /// The file system's count, where it has one.
    errors: Option<PathBuf>,
}

impl WearWatch {
    /// Watches what carries this folder, as the kernel tells it below `/sys`. What the kernel does not tell is not watched.
    pub fn below(folder: &Path) -> Self {
        let number = fs::metadata(folder).map(|it| it.dev());
        number.map_or_else(
            |_| Self::default(),
            |it| Self::over(Path::new("/sys"), rustix::fs::major(it), rustix::fs::minor(it)),
        )
    }

    /// Watches the block device of this number below another folder than `/sys`.
    pub fn over(system: &Path, major: u32, minor: u32) -> Self {
        let Ok(device) = system.join(format!("dev/block/{major}:{minor}")).canonicalize() else {
            return Self::default();
        };
        let name = device.file_name();
        let mut chips = Vec::new();
        carriers(&device, &mut chips);
        Self { chips, errors: name.map(|it| system.join("fs/ext4").join(it).join("errors_count")) }
    }

    /// Looks at the card.
    pub fn look(&self) -> Wear {
        let errors = self.errors.as_deref().and_then(number);
        let counted = if errors.is_some_and(|n| n > 0) { Wear::Failing } else { Wear::None };
        self.chips.iter().map(|chip| of_chip(chip)).max().unwrap_or_default().max(counted)
    }
}

/// The `device` folders of the disks below a partition or an encrypted layer of one.
fn carriers(block: &Path, into: &mut Vec<PathBuf>) {
    let layers = fs::read_dir(block.join("slaves")).into_iter().flatten().flatten();
    let layers: Vec<PathBuf> = layers.filter_map(|it| it.path().canonicalize().ok()).collect();
    for layer in &layers {
        carriers(layer, into);
    }
    if layers.is_empty() {
        let is_part = block.join("partition").exists();
        let disk = if is_part { block.parent().unwrap_or(block) } else { block };
        into.push(disk.join("device"));
    }
}

/// JEDEC JESD84-B51, section 7.4: PRE_EOL_INFO \[267\] is 1 normal, 2 warning (80 % of the spare blocks used), 3 urgent;
/// DEVICE_LIFE_TIME_EST \[268, 269\] counts tenths of the life, 10 being 90 to 100 %, 11 beyond it, for either kind of cell.
fn of_chip(chip: &Path) -> Wear {
    let spare = match number(&chip.join("pre_eol_info")) {
        Some(2) => Wear::Worn,
        Some(3) => Wear::Failing,
        _ => Wear::None,
    };
    let lives = fs::read_to_string(chip.join("life_time")).unwrap_or_default();
    let life = lives.split_whitespace().filter_map(parsed).map(|tenths| match tenths {
        10 => Wear::Worn,
        11 => Wear::Failing,
        _ => Wear::None,
    });
    life.max().unwrap_or_default().max(spare)
}

fn number(file: &Path) -> Option<u64> {
    parsed(fs::read_to_string(file).ok()?.trim())
}

/// The kernel writes `0x0a` for chips and plain numbers for file systems.
fn parsed(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The data partition of a terminal: ext4 on an encrypted layer on the eighth partition of a chip.
    fn terminal(system: &Path) -> WearWatch {
        let layer = system.join("devices/virtual/block/dm-1");
        let chip = system.join("devices/platform/mmc0");
        let disk = chip.join("block/mmcblk0");
        let part = disk.join("mmcblk0p8");
        for folder in [layer.join("slaves"), part.clone(), system.join("dev/block")] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(part.join("partition"), "8\n").unwrap();
        symlink(&part, layer.join("slaves/mmcblk0p8")).unwrap();
        symlink(&chip, disk.join("device")).unwrap();
        symlink(&layer, system.join("dev/block/254:1")).unwrap();
        fs::create_dir_all(system.join("fs/ext4/dm-1")).unwrap();
        WearWatch::over(system, 254, 1)
    }

    #[test]
    fn a_chip_is_worn_by_its_own_words_and_failing_by_the_first_error() {
        let folder = tempfile::tempdir().unwrap();
        let watch = terminal(folder.path());
        let chip = folder.path().join("devices/platform/mmc0");
        let errors = folder.path().join("fs/ext4/dm-1/errors_count");
        let mut story = Vec::new();
        for (spare, lives, count) in [
            ("0x01", "0x01 0x02", "0"),
            ("0x02", "0x01 0x02", "0"),
            ("0x01", "0x01 0x0a", "0"),
            ("0x01", "0x0b 0x01", "0"),
            ("0x03", "0x00 0x00", "0"),
            ("0x01", "0x01 0x01", "1"),
            ("nonsense", "", ""),
        ] {
            fs::write(chip.join("pre_eol_info"), format!("{spare}\n")).unwrap();
            fs::write(chip.join("life_time"), format!("{lives}\n")).unwrap();
            fs::write(&errors, format!("{count}\n")).unwrap();
            story.push(watch.look());
        }
        use Wear::{Failing, None, Worn};
        assert_eq!(story, [None, Worn, Worn, Failing, Failing, Failing, None]);
    }

    #[test]
    fn what_tells_nothing_is_not_worn() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(terminal(folder.path()).look(), Wear::None);
        assert_eq!(WearWatch::over(folder.path(), 7, 7).look(), Wear::None);
        assert_eq!(WearWatch::below(Path::new("/nowhere")).look(), Wear::None);
    }
}
