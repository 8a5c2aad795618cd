//! What hangs on a board's own buses and lines: what is written for it, and whether the kernel will find it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{House, repository};
use crate::check::boards;
use crate::device_tree::{OVERLAYS, Tools, Tree, drivers, merge};
use crate::overlay::written;
use crate::variant::Variant;

#[test]
fn what_is_on_the_boards_own_buses_is_given_to_the_kiosk_alone() {
    let rule = |name: &str, start: &str| {
        let text = file(&variant(name), "rules.d");
        text.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned()
    };
    let spi = "SUBSYSTEM==\"spidev\", KERNEL==\"spidev0.0\"";
    let lines = "SUBSYSTEM==\"gpio\", KERNEL==\"gpiochip[0-9]*\", DRIVERS==\"pinctrl-bcm2835\"";
    let bus = "SUBSYSTEM==\"i2c-dev\", KERNEL==\"i2c-6\"";
    let given = "OWNER=\"root\", GROUP=\"kiosk\", MODE=\"0660\"";
    for (name, start, link) in [
        ("counter", spi, "customer-display"),
        ("station", spi, "customer-display"),
        ("handheld", bus, "customer-display"),
        ("counter", lines, "lines"),
        ("station", lines, "lines"),
        ("handheld", lines, "lines"),
    ] {
        let wanted = format!("{start}, {given}, SYMLINK+=\"kiosk/{link}\"");
        assert_eq!(rule(name, start), wanted, "{name}");
    }
    assert_eq!(
        rule("handheld", "ACTION"),
        "ACTION==\"add\", SUBSYSTEM==\"i2c\", KERNEL==\"i2c-6\", RUN{builtin}+=\"kmod load i2c-dev\""
    );
    assert_eq!(rule("counter", "ACTION"), "", "nobody else gets at a two-wire bus");
    // udev knows no socket of a printer unless it is told to look.
    let printer = "SUBSYSTEM==\"usbmisc\", KERNEL==\"lp[0-9]*\", ";
    let counter = file(&variant("counter"), "rules.d");
    let [asks, gives] = ["IMPORT{builtin}=\"path_id\"", "ENV{KIOSK_SOCKET}"]
        .map(|it| counter.find(&format!("{printer}{it}")));
    assert!(asks.is_some() && asks < gives, "{counter}");
    let speaker = "SUBSYSTEM==\"sound\", KERNEL==\"card*\"";
    assert!(rule("handheld", speaker).ends_with("ATTR{id}=\"Speaker\""));
    assert_eq!(rule("counter", speaker), "", "the jack has a name of its own");
}

#[test]
fn one_image_finds_each_device_in_the_same_place_of_each_board() {
    for (board, sockets) in [
        ("bcm2837-rpi-3-b", "1.2 1.3 1.4 1.5"),
        ("bcm2837-rpi-3-b-plus", "1.1.2 1.1.3 1.3 1.2"),
        ("bcm2711-rpi-4-b", "1.3 1.4 1.1 1.2"),
        ("bcm2711-rpi-4-b", "1.3 1.4 1 2"),
        ("bcm2711-rpi-400", "1.3 1.1 1.2"),
        ("bcm2711-rpi-cm4-io", "1.1 1.2"),
    ] {
        for name in ["counter", "station"] {
            let rules = file(&variant(name), "rules.d");
            let kinds = ["tty ttyUSB0", "tty ttyUSB1", "video4linux video0", "usbmisc lp0"];
            let links = ["id-card", "fingerprint", "camera", "printer"];
            for ((socket, kind), link) in sockets.split(' ').zip(kinds).zip(links) {
                let path = format!("platform-3f980000.usb-usb-0:{socket}:1.0");
                let found = |board: &str| udev(&rules, board, kind, &path);
                assert_eq!(found(board), [link], "{name} {board} {socket}");
                assert_eq!(found("another"), [""; 0], "{name} {board} {socket}");
            }
            let behind_a_hub = "platform-3f980000.usb-usb-0:1.2.1:1.0";
            assert_eq!(udev(&rules, board, kinds[0], behind_a_hub), [""; 0]);
        }
    }
    let path = "pci-0000:00:02.0-usb-0:1:1.0";
    let qemu = file(&variant("qemu"), "rules.d");
    assert_eq!(udev(&qemu, "", "tty ttyUSB0", path), ["fingerprint"], "a path does without");
    assert!(!qemu.contains("IMPORT{file}"), "{qemu}");
}

#[test]
fn classes_are_allowed_by_their_numbers_because_their_drivers_come_after_the_unit() {
    let lines = |name: &str| {
        let text = file(&variant(name), "devices.conf");
        text.lines().filter(|line| line.starts_with("DeviceAllow=")).collect::<String>()
    };
    let wanted = |classes: &[&str]| {
        classes.iter().map(|class| format!("DeviceAllow=char-{class} rw")).collect::<String>()
    };
    assert_eq!(
        lines("counter"),
        wanted(&["116", "226", "gpiochip", "13", "153", "188", "180", "81"])
    );
    assert_eq!(
        lines("handheld"),
        wanted(&["116", "226", "gpiochip", "89", "13", "204", "188", "81"])
    );
    assert_eq!(lines("qemu"), wanted(&["116", "226", "13", "4", "188", "81"]));
}

#[test]
fn a_class_without_a_number_is_there_before_the_unit() {
    let house = House::new();
    house.edit(
        "image-build/variants/header.toml",
        "subsystem = \"usbmisc\"\nkernel = \"lp[0-9]*\"\nsocket = 4\nclass = \"char-usb\"",
        "subsystem = \"hidraw\"\nkernel = \"hidraw*\"\nclass = \"char-hidraw\"",
    );
    let text = file(&house.variant().unwrap(), "devices.conf");
    assert!(text.contains("[Unit]\nWants=modprobe@hid.service\nAfter=modprobe@hid.service\n"));
    assert!(text.contains("DeviceAllow=char-hidraw rw\n"));
    assert!(!file(&variant("counter"), "devices.conf").contains("modprobe"));
}

#[test]
fn the_settings_name_the_display_and_the_lines_that_a_site_need_not_know() {
    let settings = |name: &str| -> toml::Table {
        let text = file(&variant(name), "kiosk.toml");
        toml::from_str(&text).unwrap()
    };
    let counter = settings("counter");
    let display = &counter["customer_display"]["st7789"];
    assert_eq!(display["spi"].as_str(), Some("/dev/kiosk/customer-display"));
    assert_eq!(display["data_command"]["name"].as_str(), Some("GPIO25"));
    assert_eq!(counter["panel"]["fill_light"]["line"]["name"].as_str(), Some("GPIO18"));
    let station = settings("station");
    assert_eq!(station["panel"]["card_lamp"], counter["panel"]["card_lamp"]);
    assert_eq!(station["panel"]["door"]["name"].as_str(), Some("GPIO12"));
    assert!(counter["panel"].get("door").is_none());
    let display = &settings("handheld")["customer_display"]["ssd1306"];
    assert_eq!(display["i2c"].as_str(), Some("/dev/kiosk/customer-display"));
    let qemu = settings("qemu");
    assert!(!qemu.contains_key("panel") && !qemu.contains_key("customer_display"));
}

#[test]
fn a_board_that_does_not_fit_together_is_refused() {
    for (from, to, expected) in [
        ("\"GPIO25\"", "\"GPIO5\"", "the line GPIO5 is used twice"),
        ("[customer_display.st7789]", "[customer_display.st7735]", "one table of a known kind"),
        ("role = \"customer-display\"", "role = \"fingerprint\"", "there already"),
        (TREES, "", "no device tree of a board"),
        ("device_trees = [", "board = \"qemu\"\ndevice_trees = [", "of its own"),
        (LINES, "", "belong together"),
        ("[customer_display.st7789]", "[panel.more]", "one table of a known kind"),
    ] {
        let house = House::new();
        house.edit_variant(from, to);
        let told = house.variant().unwrap_err().chain();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_board_with_clock_and_lines_is_clean_and_each_planted_fault_is_found() {
    let variant = toy_variant();
    let folder = tempfile::tempdir().unwrap();
    let look = |nodes: &[Node]| {
        fs::write(folder.path().join("toy.dtb"), blob(nodes)).unwrap();
        boards(&variant, folder.path()).unwrap()
    };
    let report = look(&toy());
    assert!(report.is_clean(), "{}", report.to_text());
    let edit = |node: &str, name: &'static str, value: &[u8]| {
        let mut nodes = toy();
        let of = &mut nodes.iter_mut().find(|(path, _)| path == node).unwrap().1;
        of.retain(|(known, _)| *known != name);
        of.push((name, value.to_vec()));
        nodes
    };
    let without = |node: &str| toy().into_iter().filter(|(path, _)| path != node).collect();
    let rtc = "/soc/i2c@7e804000/rtc@68";
    let plants: [(Vec<Node>, &str); 15] = [
        (without(rtc), "chips: toy: clock: there is no /soc/i2c@7e804000/rtc@68"),
        (edit(rtc, "status", b"disabled\0"), "chips: toy: clock: /soc/i2c@7e804000/rtc@68 or"),
        (edit("/soc/i2c@7e804000", "status", b"disabled\0"), "or what it is on is switched off"),
        (edit("/soc", "status", b"reserved\0"), "or what it is on is switched off"),
        (edit(rtc, "compatible", b"nxp,pcf8563\0"), "is no maxim,ds3231"),
        (edit(rtc, "reg", &[0, 0, 0, 0x51]), "has another address"),
        (edit("/aliases", "rtc0", b"/soc/rtc\0"), "rtc0 is not /soc/i2c@7e804000/rtc@68"),
        (edit("/soc/gpio@0", "gpio-line-names", b"A\0B\0"), "lines: toy: 0 lines are called GPIO5"),
        (edit("/soc/gpio@1", "gpio-line-names", b"GPIO5\0"), "2 lines are called GPIO5"),
        (
            edit("/soc/gpio@0/pins", "brcm,pins", &[[0; 4], [0, 0, 0, 2]].concat()),
            "GPIO5 is a pin of /soc/i2c@7e804000",
        ),
        (without("/aliases"), "rtc0 is not"),
        (edit("/aliases", "mmc0", b"/soc/mmc\0"), "card: toy: its card is not the first"),
        (edit("/soc/mmc@7e202000", "status", b"disabled\0"), "its card is not the first"),
        (edit("/chosen", "kiosk,board", b"KIOSK_BOARD=joy\0"), "name: toy: its tree does not say"),
        (without("/chosen"), "name: toy: its tree does not say its name"),
    ];
    for (nodes, expected) in plants {
        let report = look(&nodes);
        let text = report.to_text();
        assert!(!report.is_clean() && text.contains(expected), "{expected}\n{text}");
    }
    fs::write(folder.path().join("toy.dtb"), b"no tree").unwrap();
    assert_eq!(boards(&variant, folder.path()).unwrap_err().code(), "err-tool");
    fs::remove_file(folder.path().join("toy.dtb")).unwrap();
    assert_eq!(boards(&variant, folder.path()).unwrap_err().code(), "err-read");
}

#[test]
fn a_torn_device_tree_is_none_and_no_bytes_panic() {
    let whole = blob(&toy());
    assert!(Tree::parse(&whole).is_some());
    for end in 0..whole.len() - STRINGS {
        assert!(Tree::parse(&whole[..end]).is_none(), "{end}");
    }
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut torn = whole.clone();
            torn[at] ^= 1 << bit;
            let _ = Tree::parse(&torn);
        }
    }
}

#[test]
fn overlays_compile_and_every_board_then_has_what_its_variant_says() {
    let Some(kernel) = kernel() else {
        return;
    };
    if Command::new("dtc").arg("--version").output().is_err() {
        eprintln!("left out: no dtc on this machine (device-tree-compiler)");
        return;
    }
    let tools =
        Tools { tool: &|name| Command::new(name), seen: &|path| path.display().to_string() };
    for name in BOARDS {
        let (variant, made) = (variant(name), tempfile::tempdir().unwrap());
        let plain = boards(&variant, &kernel.trees).unwrap();
        for board in &variant.device_trees {
            let lacks = format!("fault board-chips: {board}: clock: there is no /soc/i2c@7e804000");
            assert!(plain.to_text().contains(&lacks), "Debian's own has it: {}", plain.to_text());
        }
        let folder = repository().join(OVERLAYS);
        merge(&tools, &variant, &folder, &kernel.trees, made.path()).unwrap();
        let report = boards(&variant, made.path()).unwrap();
        assert!(report.is_clean(), "{name}\n{}", report.to_text());
        let files = fs::read_dir(made.path()).unwrap().count();
        assert_eq!(files, variant.device_trees.len(), "nothing else lies there");
    }
}

/// What has a driver that is a module needs it in the image, and the clock's bus needs it before systemd asks the time.
#[test]
fn the_drivers_of_what_is_wired_to_a_board_are_in_its_image() {
    let Some(kernel) = kernel() else {
        return;
    };
    for name in BOARDS {
        let variant = variant(name);
        for board in &variant.device_trees {
            let tree = Tree::read(&kernel.trees.join(format!("{board}.dtb"))).unwrap();
            for chip in &variant.chips {
                let bus = chip.node.get_ref().split('/').take(3).collect::<Vec<_>>().join("/");
                let (is_clock, on) = (chip.name == "clock", tree.texts(&bus, "compatible"));
                let module = on.iter().find_map(|word| kernel.module(word));
                let Some(module) = module else {
                    assert!(on.contains(&"arm,pl011"), "{on:?} is built in");
                    continue;
                };
                let among = match is_clock {
                    true => &variant.initrd_modules,
                    false => &[&variant.modules[..], &variant.screen_modules].concat(),
                };
                let has = among.iter().any(|known| known.replace('-', "_") == module);
                assert!(has, "{name} lacks {module} for the {}", chip.name);
                assert_eq!(kernel.module(&chip.compatible).filter(|m| *m != module), None);
            }
        }
    }
}

#[test]
fn an_image_has_the_driver_of_everything_that_its_boards_have_or_says_that_it_is_left_out() {
    let Some(kernel) = kernel() else {
        return;
    };
    let known = drivers::Drivers::read(&kernel.aliases);
    for name in BOARDS {
        let variant = variant(name);
        for board in &variant.device_trees {
            let tree = Tree::read(&kernel.trees.join(format!("{board}.dtb"))).unwrap();
            let missing = |of: &Variant| drivers::missing(of, &known, &tree);
            assert_eq!(missing(&variant), Vec::<String>::new(), "{name} on {board}");
            let is_four = board.starts_with("bcm2711");
            let lacks = |module: &str| {
                let mut less = variant.clone();
                let Variant { modules, initrd_modules, left_out, .. } = &mut less;
                for list in [modules, initrd_modules, left_out] {
                    list.retain(|it| it != module);
                }
                missing(&less).iter().any(|fault| fault.contains(&module.replace('-', "_")))
            };
            for module in ["fixed", "gpio-regulator", "xhci-pci", "genet"] {
                assert_eq!(lacks(module), is_four, "{module} on {board}");
            }
            assert!(lacks("dwc2") && lacks("hci_uart"), "{board}");
            assert_eq!(drivers::unnamed(&variant), Vec::<String>::new());
            let mut less = variant.clone();
            less.modules.retain(|it| it != "cpufreq-dt");
            assert_eq!(drivers::unnamed(&less), ["these boards want the module cpufreq_dt"]);
            let mut late = variant.clone();
            let card = if is_four { "gpio-regulator" } else { "bcm2835" };
            late.initrd_modules.retain(|it| it != card);
            late.modules.push(card.into());
            let told = missing(&late).join("\n");
            assert!(told.contains("from the start"), "{card} on {board}: {told}");
        }
    }
}

/// What Debian's kernel package brought into the cache.
struct Kernel {
    trees: PathBuf,
    aliases: String,
}

impl Kernel {
    /// The module that calls itself by a word of a device tree.
    fn module(&self, compatible: &str) -> Option<&str> {
        let alias = format!("alias of:N*T*C{compatible} ");
        self.aliases.lines().find_map(|line| line.strip_prefix(&alias))
    }
}

fn kernel() -> Option<Kernel> {
    let home = std::env::var("HOME").unwrap_or_default();
    let cache = std::env::var("CACHE").unwrap_or(format!("{home}/.cache/changqing"));
    let lib = Path::new(&cache).join("image/kernel/usr/lib");
    let found = fs::read_dir(&lib).into_iter().flatten().flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let version = name.strip_prefix("linux-image-")?;
        let aliases = lib.join("modules").join(version).join("modules.alias");
        let aliases = fs::read_to_string(aliases).ok()?;
        Some(Kernel { trees: entry.path().join("broadcom"), aliases })
    });
    if found.is_none() {
        eprintln!("left out: no kernel package in the cache; make image brings it");
    }
    found
}

fn variant(name: &str) -> Variant {
    Variant::read(&repository(), name).unwrap()
}

/// What is written for a variant into the file whose path contains this.
fn file(variant: &Variant, path: &str) -> String {
    let file = written(variant).into_iter().find(|(known, _)| known.contains(path));
    file.unwrap().1
}

/// The names below `/dev/kiosk` that our rules give to a device of a subsystem and a name, on a board that udev was told of.
fn udev<'a>(rules: &'a str, board: &str, device: &str, path: &str) -> Vec<&'a str> {
    let (subsystem, kernel) = device.split_once(' ').unwrap();
    let given = [("SUBSYSTEM", subsystem), ("KERNEL", kernel), ("ATTR{index}", "0")];
    let mut known: BTreeMap<&str, &str> = given.into();
    known.insert("ENV{ID_PATH}", path);
    let mut links = Vec::new();
    for rule in rules.lines().filter(|line| !line.starts_with('#')) {
        let words = rule.split(", ").map(|word| word.split_once('=').unwrap());
        let words = words.map(|(key, value)| (key, value.trim_matches('"')));
        // Like udev's, a rule ends at the first word that does not match.
        for (key, value) in words {
            match value.strip_prefix("=\"") {
                Some(glob) if !known.get(key).is_some_and(|it| matches(glob, it)) => break,
                Some(_) => {}
                None if key == "IMPORT{file}" => drop(known.insert("ENV{KIOSK_BOARD}", board)),
                None if key.starts_with("ENV") => drop(known.insert(key, value)),
                None if key == "SYMLINK+" => links.extend(value.strip_prefix("kiosk/")),
                None => {}
            }
        }
    }
    links
}

/// One of several patterns of udev.
fn matches(globs: &str, text: &str) -> bool {
    let one = |glob: &str| {
        let mut parts = glob.split("[0-9]*").flat_map(|part| part.split('*'));
        let Some(rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
            return false;
        };
        let rest =
            parts.try_fold(rest, |rest, part| rest.find(part).map(|at| &rest[at + part.len()..]));
        rest.is_some_and(|rest| rest.is_empty() || glob.ends_with('*'))
    };
    globs.split('|').any(one)
}

/// A node's path and properties.
type Node = (String, Vec<(&'static str, Vec<u8>)>);

/// A counter with the clock and one line on a board of its own.
fn toy_variant() -> Variant {
    let mut variant = variant("counter");
    variant.device_trees = vec!["toy".into()];
    variant.chips.truncate(1);
    variant.customer_display = None;
    variant.panel.as_mut().unwrap().retain(|lamp, _| lamp == "card_lamp");
    variant
}

/// In the order of a device tree: each node after the one that it is in.
fn toy() -> Vec<Node> {
    let node = |path: &str, properties: &[(&'static str, &[u8])]| {
        (path.to_owned(), properties.iter().map(|(name, value)| (*name, value.to_vec())).collect())
    };
    vec![
        node("/", &[("compatible", b"toy\0")]),
        node(
            "/aliases",
            &[("rtc0", b"/soc/i2c@7e804000/rtc@68\0"), ("mmc0", b"/soc/mmc@7e202000\0")],
        ),
        node("/chosen", &[("kiosk,board", b"KIOSK_BOARD=toy\0")]),
        node("/soc", &[]),
        node("/soc/gpio@0", &[("gpio-line-names", b"ID_SDA\0SCL1\0GPIO5\0")]),
        node("/soc/gpio@0/pins", &[("phandle", &[0, 0, 0, 9]), ("brcm,pins", &[0, 0, 0, 1])]),
        node("/soc/gpio@1", &[("gpio-line-names", b"PWR_LED\0")]),
        node("/soc/i2c@7e804000", &[("status", b"okay\0"), ("pinctrl-0", &[0, 0, 0, 9])]),
        node(
            "/soc/i2c@7e804000/rtc@68",
            &[("compatible", b"dallas,ds3231\0maxim,ds3231\0"), ("reg", &[0, 0, 0, 0x68])],
        ),
        node("/soc/mmc@7e202000", &[("status", b"okay\0")]),
        node("/soc/spi@0", &[("status", b"disabled\0"), ("pinctrl-0", &[0, 0, 0, 8])]),
    ]
}

/// As chapter 5 of the specification has it; strings come last.
fn blob(nodes: &[Node]) -> Vec<u8> {
    let (mut body, mut strings, mut open) = (Vec::new(), Vec::new(), 0);
    let put = |body: &mut Vec<u8>, bytes: &[u8]| {
        body.extend(bytes);
        body.resize(body.len().next_multiple_of(4), 0);
    };
    for (path, properties) in nodes {
        let depth = path.split('/').filter(|name| !name.is_empty()).count();
        while open > depth {
            put(&mut body, &2_u32.to_be_bytes());
            open -= 1;
        }
        put(&mut body, &1_u32.to_be_bytes());
        put(&mut body, format!("{}\0", path.rsplit('/').next().unwrap()).as_bytes());
        open += 1;
        for (name, value) in properties {
            put(&mut body, &3_u32.to_be_bytes());
            put(&mut body, &(value.len() as u32).to_be_bytes());
            put(&mut body, &(strings.len() as u32).to_be_bytes());
            put(&mut body, value);
            strings.extend(format!("{name}\0").bytes());
        }
    }
    for _ in 0..open {
        put(&mut body, &2_u32.to_be_bytes());
    }
    put(&mut body, &9_u32.to_be_bytes());
    strings.resize(STRINGS, 0);
    let at = HEAD + body.len();
    let head = [0xd00d_feed, at + STRINGS, HEAD, at, 0, 17, 16, 0, STRINGS, body.len()];
    let head = head.iter().flat_map(|word| (*word as u32).to_be_bytes()).collect::<Vec<u8>>();
    [head, body, strings].concat()
}

const BOARDS: [&str; 3] = ["counter", "station", "handheld"];
const HEAD: usize = 40;
const STRINGS: usize = 256;
const TREES: &str = "device_trees = [\n    \"bcm2837-rpi-3-b\", \"bcm2837-rpi-3-b-plus\", \"bcm2711-rpi-4-b\", \"bcm2711-rpi-400\", \"bcm2711-rpi-cm4-io\",\n]\n";
const LINES: &str = "[[device]]\nrole = \"lines\"\nsubsystem = \"gpio\"\nkernel = \"gpiochip[0-9]*\"\ndriver = \"pinctrl-bcm2835\"\nclass = \"char-gpiochip\"\n";
