//! The root file system: base, kernel modules and our overlay in one tree, packed as squashfs with the tree of
//! dm-verity behind it. The same inputs give the same bytes and so the same root hash.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::debian::{Base, Kernel};
use crate::fault::Fault;
use crate::sbom::debian;
use crate::splash::{SPLASH, in_16_bits, splash, turned};
use crate::stage::TREE;
use crate::tree::{sum_file, sum_of};
use crate::variant::Variant;
use crate::workshop::{TIME_S, Workshop, host, remove, run};

/// One edition of the root file system.
#[derive(Clone)]
pub struct Release {
    /// Said by `kiosk` and in bundles, such as `0.1.0`.
    pub version: String,
    /// For the test of a roll-back: an edition whose networks are missing, so that it never passes its own check.
    pub is_spoilt: bool,
}

/// A packed root file system.
pub struct Root {
    /// squashfs with the verity tree behind it.
    pub image: PathBuf,
    /// Digest of the whole tree of blocks.
    pub hash: String,
    /// Where the verity tree begins, in bytes.
    pub hash_offset: u64,
}

/// What goes into a root file system.
pub struct Ingredients<'a> {
    /// The terminal.
    pub variant: &'a Variant,
    /// Debian's part.
    pub base: &'a Base,
    /// Kernel modules.
    pub kernel: &'a Kernel,
    /// Our part, as `stage` made it.
    pub staged: &'a Path,
    /// Digest of our part.
    pub staged_digest: &'a str,
    /// Certificate that update bundles are signed with.
    pub update_certificate: &'a Path,
    /// Which edition.
    pub release: &'a Release,
}

/// Packs the root file system of a variant.
pub fn root(shop: &Workshop, of: &Ingredients<'_>, product: &Path) -> Result<Root, Fault> {
    let inputs = [
        of.base.digest.clone(),
        of.kernel.digest.clone(),
        of.staged_digest.to_owned(),
        of.variant.modules.join(" "),
        of.variant.screen_modules.join(" "),
        sum_file(of.update_certificate)?,
        format!("{} {}", of.release.version, of.release.is_spoilt),
        format!("{:?} {:?} {SPLASH}", of.variant.screen, of.variant.turned),
        format!("{} {}", of.variant.compatible(), of.variant.oldest_update),
        TRIMMED.join(" "),
        PACKING.join(" "),
        of.kernel.packages(of.variant).join(" "),
    ];
    shop.step("root", &inputs, product, |fresh| {
        let tree = fresh.join("tree");
        assemble(shop, of, &tree)?;
        pack(shop, of, &tree, fresh)?;
        remove(&tree)
    })?;
    Root::packed(product)
}

impl Root {
    /// The one that lies here, whatever it was packed from.
    pub fn packed(product: &Path) -> Result<Self, Fault> {
        let verity = read(&product.join("verity"))?;
        let (hash, offset) = verity.trim().split_once(' ').unwrap_or_default();
        Ok(Self {
            image: product.join("root.img"),
            hash: hash.into(),
            hash_offset: offset.parse().map_err(|_| Fault::Tool(format!("no offset: {verity}")))?,
        })
    }
}

fn assemble(shop: &Workshop, of: &Ingredients<'_>, tree: &Path) -> Result<(), Fault> {
    make(tree)?;
    run(host("tar").args(["--numeric-owner", "-xf"]).arg(&of.base.archive).arg("-C").arg(tree))?;
    for path in TRIMMED {
        run(host("sh").args(["-c", "cd \"$0\" && rm -rf -- $1"]).arg(tree).arg(path))?;
    }
    let wanted = [of.variant.screen_modules.clone(), of.variant.modules.clone()].concat();
    modules(shop, of.kernel, &wanted, tree)?;
    let overlay = of.staged.join(TREE);
    run(host("cp")
        .args(["-aT", "--no-preserve=ownership", "--remove-destination"])
        .arg(overlay)
        .arg(tree))?;
    own_files(of, tree)?;
    has_tools(tree)?;
    picture(of.variant, tree)?;
    users(shop, tree)
}

/// Whether all that our scripts call is there: a shell goes on without a tool that it does not find.
fn has_tools(tree: &Path) -> Result<(), Fault> {
    let is_there = |tool: &&str| {
        ["usr/bin", "usr/sbin"]
            .iter()
            .any(|folder| tree.join(folder).join(tool).symlink_metadata().is_ok())
    };
    match CALLED.iter().find(|tool| !is_there(tool)) {
        Some(tool) => Err(Fault::Tool(format!("the image has no {tool}, which its scripts call"))),
        None => Ok(()),
    }
}

/// The picture of the start, and for which screen it is.
fn picture(variant: &Variant, tree: &Path) -> Result<(), Fault> {
    let font = tree.join(FONT);
    let bytes = fs::read(&font).map_err(|e| Fault::read(&font, e))?;
    let pixels = splash(variant.screen, &bytes)
        .ok_or_else(|| Fault::Tool(format!("{} has not the letters", font.display())))?;
    let share = tree.join("usr/share/kiosk");
    let put = |name: &str, pixels: &[u8]| {
        for (bits, bytes) in [(16, &in_16_bits(pixels)[..]), (32, pixels)] {
            let file = share.join(format!("{name}-{bits}"));
            fs::write(&file, bytes).map_err(|e| Fault::write(&file, e))?;
        }
        Ok(())
    };
    put("splash", &pixels)?;
    if let Some(degrees) = variant.turned {
        put("splash-turned", &turned(&pixels, variant.screen, degrees))?;
        write(&share.join("turned"), &format!("{degrees}\n"))?;
    }
    let (width, height) = variant.screen;
    write(&share.join("splash-size"), &format!("{width},{height}\n"))
}

/// Copies modules with all they need, unpacked, and writes their table. Returns them in loading order.
pub fn modules(
    shop: &Workshop,
    kernel: &Kernel,
    wanted: &[String],
    tree: &Path,
) -> Result<Vec<String>, Fault> {
    let from = kernel.tree.join("usr/lib/modules").join(&kernel.version);
    let to = tree.join("usr/lib/modules").join(&kernel.version);
    make(&to)?;
    for table in ["modules.builtin", "modules.builtin.modinfo", "modules.order"] {
        copy(&from.join(table), &to.join(table))?;
    }
    let mut modprobe = shop.tool("modprobe");
    let base = shop.seen(&kernel.tree.join("usr"));
    modprobe.args(["-d", &base, "-S", &kernel.version, "--show-depends", "-a"]).args(wanted);
    let said = run(&mut modprobe)?;
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    for line in said.lines().filter_map(|line| line.strip_prefix("insmod ")) {
        let packed = line.split_whitespace().next().unwrap_or_default();
        let below = packed.split_once(&format!("{}/", kernel.version)).unwrap_or_default().1;
        if !seen.insert(below.to_owned()) {
            continue;
        }
        let plain = below.trim_end_matches(".xz");
        let file = to.join(plain);
        make(file.parent().expect("modules are in folders"))?;
        run(host("sh").args(["-c", "xz -dc \"$0\" > \"$1\""]).arg(from.join(below)).arg(&file))?;
        order.push(format!("usr/lib/modules/{}/{plain}", kernel.version));
    }
    run(shop.tool("depmod").args(["-b", &shop.seen(&tree.join("usr")), &kernel.version]))?;
    Ok(order)
}

/// What is neither Debian's nor of the overlay: who we are, how updates are checked, and empty places.
fn own_files(of: &Ingredients<'_>, tree: &Path) -> Result<(), Fault> {
    let Release { version, is_spoilt } = of.release;
    for folder in ["data", "boot", "etc/rauc", "var/lib/kiosk", "etc/systemd/system"] {
        make(&tree.join(folder))?;
    }
    write(&tree.join("etc/hostname"), "kiosk\n")?;
    write(&tree.join("etc/machine-id"), "")?;
    write(&tree.join("usr/share/kiosk/version"), &format!("{version}\n"))?;
    copy(of.update_certificate, &tree.join("etc/rauc/updates.pem"))?;
    let slots = tree.join("etc/rauc/system.conf");
    let words = read(&slots)?.replace("@COMPATIBLE@", &of.variant.compatible());
    write(&slots, &words.replace("@OLDEST@", &of.variant.oldest_update))?;
    bill(of, tree)?;
    link(
        "/usr/lib/systemd/system/multi-user.target",
        &tree.join("etc/systemd/system/default.target"),
    )?;
    link("/proc/self/mounts", &tree.join("etc/mtab"))?;
    link("/var/lib/kiosk/site/settings", &tree.join("etc/kiosk/kiosk.d"))?;
    remove(&tree.join("etc/resolv.conf"))?;
    link("/run/kiosk-net/resolv.conf", &tree.join("etc/resolv.conf"))?;
    if *is_spoilt {
        remove(&tree.join("usr/share/kiosk/models"))?;
        make(&tree.join("usr/share/kiosk/models"))?;
    }
    Ok(())
}

/// All packages of Debian: those of the tree, which have their licences there, and of those that kernel and boot partition are
/// made of the ones that are in them.
fn bill(of: &Ingredients<'_>, tree: &Path) -> Result<(), Fault> {
    let status = "var/lib/dpkg/status";
    let here = read(&tree.join(status))?;
    let beside = read(&of.kernel.tree.join(status))?;
    let brought = of.kernel.packages(of.variant);
    let doc = tree.join("usr/share/doc");
    for package in &brought {
        let from = of.kernel.tree.join("usr/share/doc").join(package);
        make(&doc.join(package))?;
        copy(&from.join("copyright"), &doc.join(package).join("copyright"))?;
    }
    let (names, list) = debian(&here, &beside, &brought);
    if let Some(missing) = of.variant.packages.iter().chain(&brought).find(|p| !names.contains(*p))
    {
        return Err(Fault::Tool(format!("the bill of materials does not have {missing}")));
    }
    let has_licence = |name: &&String| doc.join(name).join("copyright").is_file();
    if let Some(bare) = names.iter().find(|name| !has_licence(name)) {
        return Err(Fault::Tool(format!("{bare} came without its licence")));
    }
    write(&doc.join("kiosk/debian.spdx.json"), &list)
}

/// What the packages' own scripts would have made: names of users and of services. Nobody has a password.
fn users(shop: &Workshop, tree: &Path) -> Result<(), Fault> {
    for (from, to) in [
        ("usr/share/base-passwd/passwd.master", "etc/passwd"),
        ("usr/share/base-passwd/group.master", "etc/group"),
    ] {
        copy(&tree.join(from), &tree.join(to))?;
    }
    write(
        &tree.join("etc/nsswitch.conf"),
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    )?;
    let passwd = tree.join("etc/passwd");
    write(&passwd, &read(&passwd)?.replace(":*:", ":x:"))?;
    run(shop.tool("systemd-sysusers").arg(format!("--root={}", shop.seen(tree))))?;
    let shadow = tree.join("etc/shadow");
    let mut locked = read(&shadow)?;
    for name in read(&tree.join("etc/passwd"))?.lines().filter_map(|line| line.split(':').next()) {
        if !locked.lines().any(|line| line.starts_with(&format!("{name}:"))) {
            locked += &format!("{name}:!*:20454::::::\n");
        }
    }
    write(&shadow, &locked)?;
    fs::set_permissions(&shadow, fs::Permissions::from_mode(0o600))
        .map_err(|e| Fault::write(&shadow, e))?;
    if locked.lines().any(|line| line.split(':').nth(1) == Some("")) {
        return Err(Fault::Tool("etc/shadow has a user without a password".into()));
    }
    for old in ["etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock"] {
        remove(&tree.join(old))?;
    }
    Ok(())
}

/// squashfs with fixed times and order, then the verity tree with a salt of the content's own digest.
fn pack(shop: &Workshop, of: &Ingredients<'_>, tree: &Path, product: &Path) -> Result<(), Fault> {
    let image = product.join("root.img");
    let time = TIME_S.to_string();
    age(tree, of)?;
    let mut squash = shop.tool("mksquashfs");
    squash.args([shop.seen(tree), shop.seen(&image)]);
    squash.args(PACKING);
    squash.args(["-quiet", "-no-progress", "-processors", "2", "-no-xattrs"]);
    squash.args(["-mkfs-time", &time]);
    squash.args(["-wildcards", "-e", "proc/*", "sys/*", "dev/*", "run/*", "tmp/*"]);
    run(&mut squash)?;
    let file =
        fs::OpenOptions::new().write(true).open(&image).map_err(|e| Fault::write(&image, e))?;
    let bytes = file.metadata().map_err(|e| Fault::read(&image, e))?.len();
    let whole = bytes.next_multiple_of(BLOCK_SIZE);
    file.set_len(whole).map_err(|e| Fault::write(&image, e))?;
    drop(file);
    let sum = sum_file(&image)?;
    let seen = shop.seen(&image);
    let said = run(shop.tool("veritysetup").arg("format").args([&seen, &seen]).args([
        format!("--salt={sum}"),
        format!("--uuid={}", uuid_of(&sum)),
        format!("--data-block-size={BLOCK_SIZE}"),
        format!("--hash-block-size={BLOCK_SIZE}"),
        format!("--data-blocks={}", whole / BLOCK_SIZE),
        format!("--hash-offset={whole}"),
    ]))?;
    let hash = said.lines().find_map(|line| line.strip_prefix("Root hash:")).map(str::trim);
    let hash =
        hash.ok_or_else(|| Fault::Tool(format!("veritysetup names no root hash: {said}")))?;
    write(&product.join("verity"), &format!("{hash} {whole}\n"))
}

/// Gives every file the one time, but for the mark of the earliest time that it can be. A board whose clock has lost its
/// time begins there (systemd(1)), when the certificate of updates is valid already; and no word sets the clock behind it.
fn age(tree: &Path, of: &Ingredients<'_>) -> Result<(), Fault> {
    let mark = tree.join(EPOCH);
    write(&mark, "")?;
    let all = "find \"$0\" -exec touch -h -d @$1 {} + && touch -d @$3 \"$2\"";
    let times = [TIME_S, begins_s(of.update_certificate)?.max(TIME_S)].map(|s| s.to_string());
    let mut shell = host("sh");
    shell.args(["-c", all]).arg(tree).arg(&times[0]).arg(&mark).arg(&times[1]);
    run(&mut shell).map(drop)
}

/// When a certificate begins to be valid, in seconds since 1970.
fn begins_s(certificate: &Path) -> Result<u64, Fault> {
    let words = ["x509", "-noout", "-startdate", "-dateopt", "iso_8601", "-in"];
    let said = run(host("openssl").args(words).arg(certificate))?;
    let date = said.trim().strip_prefix("notBefore=").unwrap_or_default();
    let said = run(host("date").args(["-u", "+%s", "-d", date]))?;
    said.trim().parse().map_err(|_| Fault::Tool(format!("no date: {said}")))
}

/// A UUID made of a digest, so that nothing random is in an image.
pub fn uuid_of(text: &str) -> String {
    let sum = sum_of(text.as_bytes());
    format!("{}-{}-4{}-8{}-{}", &sum[..8], &sum[8..12], &sum[13..16], &sum[17..20], &sum[20..32])
}

pub fn make(folder: &Path) -> Result<(), Fault> {
    fs::create_dir_all(folder).map_err(|e| Fault::write(folder, e))
}

pub fn write(file: &Path, text: &str) -> Result<(), Fault> {
    fs::write(file, text).map_err(|e| Fault::write(file, e))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).map_err(|e| Fault::write(file, e))
}

pub fn read(file: &Path) -> Result<String, Fault> {
    fs::read_to_string(file).map_err(|e| Fault::read(file, e))
}

pub fn copy(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::copy(from, to).map(drop).map_err(|e| Fault::read(from, e))
}

fn link(to: &str, at: &Path) -> Result<(), Fault> {
    remove(at)?;
    symlink(to, at).map_err(|e| Fault::write(at, e))
}

const BLOCK_SIZE: u64 = 4096;
/// What `files/usr/lib/kiosk` calls; a test reads the scripts for it.
pub const CALLED: &[&str] = &[
    "blkid",
    "busybox",
    "cat",
    "chmod",
    "chown",
    "cp",
    "cryptsetup",
    "date",
    "dd",
    "df",
    "dirname",
    "e2fsck",
    "flock",
    "fw_printenv",
    "grep",
    "head",
    "mkdir",
    "mkfs.ext4",
    "modprobe",
    "mount",
    "mv",
    "partx",
    "rauc",
    "readlink",
    "resize2fs",
    "rm",
    "sed",
    "setpriv",
    "sfdisk",
    "sh",
    "sha256sum",
    "sleep",
    "stat",
    "sync",
    "systemctl",
    "tail",
    "timeout",
    "touch",
    "tr",
    "truncate",
    "udevadm",
    "umount",
];
/// A start reads a little of many files: lz4 in small blocks takes a second less of it than zstd in large ones.
const PACKING: [&str; 6] = ["-noappend", "-comp", "lz4", "-Xhc", "-b", "64K"];
const EPOCH: &str = "usr/lib/clock-epoch";
/// Of the image's own package.
const FONT: &str = "usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc";
/// What packages bring and a terminal never needs: package management, Perl, tables of hardware that is not in it,
/// fonts beyond the two that are drawn with. Patterns of the shell.
const TRIMMED: [&str; 18] = [
    "var/lib/apt var/cache/apt var/lib/dpkg/info var/log/*",
    "usr/bin/perl* usr/lib/aarch64-linux-gnu/perl* usr/share/perl*",
    "usr/lib/udev/hwdb.bin usr/lib/udev/hwdb.d usr/share/libwacom",
    "usr/share/info usr/share/bash-completion usr/share/zsh usr/share/locale usr/share/i18n",
    "usr/share/X11/locale",
    "usr/share/fonts/opentype/noto/NotoSerif*",
    "usr/lib/systemd/system/*getty* usr/lib/systemd/system/*debug-shell*",
    "etc/systemd/system/getty.target.wants etc/systemd/system/*.wants/*timer",
    "usr/lib/systemd/system/sysinit.target.wants/systemd-hwdb-update.service",
    "usr/lib/systemd/system/sysinit.target.wants/ldconfig.service",
    "usr/lib/systemd/system/sysinit.target.wants/systemd-journal-catalog-update.service",
    "usr/lib/systemd/catalog usr/lib/aarch64-linux-gnu/gconv",
    "var/cache/fontconfig etc/ld.so.cache.bak usr/lib/aarch64-linux-gnu/dri",
    // Units are written by nobody at the start; `systemd.wants=` of the trial needs the one that stays.
    "usr/lib/systemd/system-generators/systemd-[!d]*",
    // Rules for devices that a terminal does not have, and for people who sit at it.
    "usr/lib/udev/rules.d/60-autosuspend* usr/lib/udev/rules.d/60-cdrom* usr/lib/udev/rules.d/60-dmi* \
     usr/lib/udev/rules.d/60-fido* usr/lib/udev/rules.d/60-infiniband* usr/lib/udev/rules.d/60-sensor* \
     usr/lib/udev/rules.d/60-persistent-storage-mtd* usr/lib/udev/rules.d/60-persistent-storage-tape*",
    "usr/lib/udev/rules.d/64-* usr/lib/udev/rules.d/65-* usr/lib/udev/rules.d/7[05]-[!k]* \
     usr/lib/udev/rules.d/71-seat* usr/lib/udev/rules.d/73-seat* usr/lib/udev/rules.d/78-*",
    "usr/lib/udev/rules.d/80-debian* usr/lib/udev/rules.d/90-iocost* usr/lib/udev/rules.d/96-*",
    "dev/* run/* tmp/*",
];
