//! Variants as they are and broken ones; stagings of a small made-up repository; a planted fault for each check.

mod boards;
mod scripts;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::check::check;
use crate::fault::Fault;
use crate::overlay::written;
use crate::plan::plan;
use crate::program::{self, PROGRAMS};
use crate::sbom::{self, Parts};
use crate::splash::turned;
use crate::stage::{Record, Source, stage};
use crate::tree::{sum_of, walk};
use crate::variant::{Architecture, Variant};

#[test]
fn every_variant_is_complete_and_its_plan_says_what_builds_each_step() {
    for name in VARIANTS {
        let plan = plan(&repository(), &Variant::read(&repository(), name).unwrap()).unwrap();
        let done: Vec<&str> =
            plan.steps.iter().filter(|s| s.done_by == "stage").map(|s| s.name).collect();
        assert_eq!(done, ["overlay"], "{name}");
        assert_eq!(plan.to_text().matches("[image-build image]").count(), 5, "{name}");
        serde_json::from_str::<serde_json::Value>(&plan.to_json()).unwrap();
    }
}

#[test]
fn a_change_moves_the_inputs_of_its_own_step_and_of_all_after_it() {
    let house = House::new();
    let before = plan(&house.root, &house.variant().unwrap()).unwrap();
    house.edit(
        "image-build/files/usr/lib/sysctl.d/60-kiosk.conf",
        "kernel.panic = 5",
        "kernel.panic = 6",
    );
    let after = plan(&house.root, &house.variant().unwrap()).unwrap();
    let same = before.steps.iter().zip(&after.steps).map(|(a, b)| (a.name, a.inputs == b.inputs));
    let same: Vec<_> = same.filter(|(_, same)| *same).map(|(name, _)| name).collect();
    assert_eq!(same, ["base"]);
}

#[test]
fn a_finger_on_a_turned_panel_touches_what_is_shown_there() {
    let matrix_of = |variant: &Variant| {
        let [_, (_, rules), ..] = written(variant);
        let (_, rest) = rules.split_once("{LIBINPUT_CALIBRATION_MATRIX}=\"")?;
        let numbers = rest.split('"').next()?.split(' ').map(|number| number.parse().unwrap());
        Some(numbers.collect::<Vec<f32>>())
    };
    let mut variant = Variant::read(&repository(), "counter").unwrap();
    assert_eq!(matrix_of(&variant), None);
    // Each pixel of the picture is another one.
    let (width, height) = (3, 2);
    let picture: Vec<u8> = (0..width * height).flat_map(|n| [n as u8; 4]).collect();
    for degrees in [90, 270] {
        variant.turned = Some(degrees);
        let m = matrix_of(&variant).unwrap();
        let shown = turned(&picture, (width, height), degrees);
        for (i, pixel) in shown.chunks(4).enumerate() {
            let (x, y) = ((i as u32 % height) as f32 + 0.5, (i as u32 / height) as f32 + 0.5);
            let (x, y) = (x / height as f32, y / width as f32);
            let at = [m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]];
            let (x, y) = ((at[0] * width as f32) as u32, (at[1] * height as f32) as u32);
            assert_eq!(u32::from(pixel[0]), y * width + x, "{degrees}: place {i}");
        }
    }
}

#[test]
fn settings_have_every_key_that_the_kiosk_wants_and_none_that_it_refuses() {
    let source = [
        include_str!("../../kiosk/src/config.rs"),
        include_str!("../../kiosk/src/config/devices.rs"),
    ]
    .concat();
    let source = source.as_str();
    for name in VARIANTS {
        let [(path, text), ..] = written(&Variant::read(&repository(), name).unwrap());
        assert_eq!(path, "etc/kiosk/kiosk.toml");
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(wanted(source, "Config").difference(&table, &["operator"]), [""; 0], "{name}");
        // Root looks for it there.
        assert_eq!(table["served"]["file"].as_str(), Some("/run/kiosk/served"), "{name}");
        for (section, keys) in &table {
            let (section, section_type, keys) = match keys.as_table().unwrap().iter().next() {
                Some((kind, keys)) if section == "customer_display" => (kind, camel(kind), keys),
                _ => (section, format!("{}Config", camel(section)), keys),
            };
            let keys = keys.as_table().unwrap();
            let difference = wanted(source, &section_type).difference(keys, &[]);
            assert_eq!(difference, [""; 0], "{name} [{section}]");
        }
    }
}

#[test]
fn a_broken_variant_is_told_with_its_line() {
    let broken = [
        ("role = \"id-card\"", "colour = 3\nrole = \"id-card\"", "unknown field `colour`"),
        ("role = \"printer\"", "role = \"scanner\"", "unknown variant `scanner`"),
        ("role = \"camera\"", "role = \"id-card\"", "a device of this role is there already"),
        ("\nclass = \"char-usb\"", "\nclass = \"char-mem\"", "no class char-mem"),
        ("profile = \"as608\"", "rotation = 90", "a setting that Fingerprint does not have"),
        ("inherits =", "packages = [\"openssh-server\"]\ninherits =", "would let somebody in"),
        ("inherits =", "packages = [\"kmod\"]\ninherits =", "the package kmod is there twice"),
        ("inherits =", "packages = [\"Kmod\"]\ninherits =", "no Debian package's name"),
        ("inherits =", "kernel_arguments = [\"init=/bin/sh\"]\ninherits =", "would open the box"),
        ("inherits =", "kernel_arguments = [\"a b\"]\ninherits =", "not one kernel argument"),
        ("inherits =", "turned = 180\ninherits =", "turned by 90 or 270"),
        ("overlay = \"clock-ds3231\"", "overlay = \"../clock\"", "no file's name"),
        ("node = \"/soc/i2c@7e804000/rtc@68\"", "node = \"/clock\"", "no place with an address"),
        ("socket = 3", "socket = 0", "no board of this variant has socket 0"),
        ("socket = 3", "socket = 5", "no board of this variant has socket 5"),
        ("socket = 3", "socket = \"1.3\"", "invalid type: string"),
        ("socket = 4", "socket = 2", "a device is in socket 2 already"),
        ("socket = 2", "socket = 2\npath = \"*-usb-0:1.2:1.0*\"", "not both"),
        ("board = \"bcm2711-rpi-400\"", "board = \"bcm2711-rpi-4-b\"", "there already"),
        ("[[\"1.1\"], [\"1.2\"]]", "[[\"1.1\"], [\"1.2.\"]]", "\"1.2.\" is no path of a socket"),
        ("[[\"1.1\"], [\"1.2\"]]", "[[\"1.1\"], [\"1.1\"]]", "1.1 is the path of two sockets"),
        ("[[\"1.1\"], [\"1.2\"]]", "[[\"1.1\"], []]", "a socket without a path"),
        ("\"bcm2711-rpi-cm4-io\",\n]", "\"bcm2711-rpi-zero\",\n]", "nobody says the sockets"),
        (
            "node = \"/soc/spi@7e204000/display@0\"",
            "node = \"/soc/i2c@7e804000/rtc@68\"",
            "a chip of this place is there already",
        ),
    ];
    for (from, to, expected) in broken {
        let house = House::new();
        let (name, text) = house.edit_variant(from, to);
        let told = house.variant().unwrap_err().chain();
        // A device that is wrong as a whole is told at its role.
        let at = if to == "rotation = 90" { "role = \"fingerprint\"" } else { to.trim_start() };
        let line = 1 + text[..text.rfind(at).unwrap()].matches('\n').count();
        assert!(told.contains(&format!("{name}.toml:{line}: ")), "{told} is not on line {line}");
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_disk_that_cannot_hold_two_slots_is_refused() {
    for (from, to, expected) in [
        (
            "name = \"root-b\"\nholds = \"root\"\nsize_mib = 256",
            "name = \"root-b\"\nholds = \"root\"\nsize_mib = 128",
            "differ in size",
        ),
        ("overlay_mib = 110", "overlay_mib = 300", "larger than a root slot"),
        ("holds = \"data\"", "holds = \"kernel\"", "3 partitions hold Kernel"),
    ] {
        let house = House::new();
        house.edit("image-build/variants/base.toml", from, to);
        let told = house.variant().unwrap_err().chain();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn files_that_inherit_in_a_circle_are_refused() {
    for (inherited, circle) in [("counter", "header"), ("header", "header")] {
        let house = House::new();
        house.edit(
            "image-build/variants/header.toml",
            "inherits = \"base.toml\"",
            &format!("inherits = \"{inherited}.toml\""),
        );
        let told = house.variant().unwrap_err().chain();
        assert!(told.contains(&format!("{circle}.toml:")), "{told}");
        assert!(told.contains("must not inherit from it"), "{told}");
    }
}

#[test]
fn staging_twice_gives_the_same_tree_and_one_changed_byte_another() {
    let house = House::new();
    let first = house.stage("one").unwrap();
    let second = house.stage("two").unwrap();
    assert_eq!(first, second);
    assert_eq!(times(&house.out("one")), [1_767_225_600].into());
    assert_eq!(times(&house.out("two")), [1_767_225_600].into());
    assert_eq!(house.stage("one").unwrap(), first, "a staging is replaced by the same");
    house.edit("kiosk/policy/a.toml", "name", "nane");
    let third = house.stage("two").unwrap();
    assert_ne!(third.digest, first.digest);
    let changed =
        third.items.iter().zip(&first.items).filter(|(a, b)| a != b).map(|(a, _)| &a.path);
    assert_eq!(changed.collect::<Vec<_>>(), ["usr/share/kiosk/policy/a.toml"]);
}

#[test]
fn a_program_with_a_simulator_is_refused_by_each_of_its_signs() {
    let house = House::new();
    for marker in [
        "changqing-desk-build",
        "Shows whole visits with simulated people and devices",
        "changqing demo ",
        "no display here: the screens are drawn in memory",
        "device-sim",
        "tests/people/src/",
        "kiosk/src/desk/",
    ] {
        house.write("bin/kiosk", &[kiosk(EM_AARCH64).as_slice(), marker.as_bytes()].concat());
        assert_eq!(house.stage("out").unwrap_err().code(), "err-simulator-inside", "{marker}");
        assert!(!house.out("out").exists());
    }
}

#[test]
fn the_desk_build_that_lies_here_is_refused() {
    let beside = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("kiosk");
    if !beside.is_file() {
        eprintln!("skipped: no desk build of the kiosk beside the tests");
        return;
    }
    let refused = program::read(&PROGRAMS[0], &beside, Architecture::Arm64).unwrap_err();
    assert_eq!(refused.code(), "err-simulator-inside");
}

#[test]
fn what_is_not_the_right_program_is_refused() {
    let house = House::new();
    for (bytes, code) in [
        (b"#!/bin/sh\n/etc/kiosk/kiosk.toml".to_vec(), "err-not-elf"),
        (kiosk(62), "err-wrong-processor"),
        (kiosk(EM_AARCH64)[..24].to_vec(), "err-not-the-kiosk"),
        ([kiosk(EM_AARCH64), vec![0; 61 << 20]].concat(), "err-too-large"),
    ] {
        house.write("bin/kiosk", &bytes);
        assert_eq!(house.stage("out").unwrap_err().code(), code);
    }
    house.write("bin/kiosk", &kiosk(EM_AARCH64));
    house.write("bin/engine-cage", &kiosk(EM_AARCH64));
    assert_eq!(house.stage("out").unwrap_err().code(), "err-not-the-kiosk", "another program");
    fs::remove_file(house.root.join("bin/kiosk")).unwrap();
    assert_eq!(house.stage("out").unwrap_err().code(), "err-no-program");
}

#[test]
fn weights_that_were_not_measured_are_refused_and_an_earlier_staging_stays() {
    let house = House::new();
    let first = house.stage("out").unwrap();
    house.write("weights/a.onnx", b"other weights");
    assert_eq!(house.stage("out").unwrap_err().code(), "err-model-wrong-sum");
    fs::remove_file(house.root.join("weights/a.onnx")).unwrap();
    assert_eq!(house.stage("out").unwrap_err().code(), "err-model-missing");
    assert_eq!(Record::read(&house.out("out")).unwrap(), first);
    assert!(walk(&house.root).unwrap().iter().all(|i| !i.path.contains("out.new")));
}

#[test]
fn weights_beside_those_of_the_manifest_stay_outside() {
    let house = House::new();
    house.write("weights/foreign.onnx", b"x");
    let record = house.stage("out").unwrap();
    let weights = record.items.iter().filter(|i| i.path.starts_with("usr/share/kiosk/models/"));
    assert_eq!(weights.map(|i| &i.path).collect::<Vec<_>>(), ["usr/share/kiosk/models/a.onnx"]);
}

#[test]
fn a_terminal_that_speaks_carries_what_it_says_and_nothing_more() {
    let house = House::new();
    let record = house.stage("out").unwrap();
    let prompts = record.items.iter().filter(|i| i.path.starts_with("usr/share/kiosk/prompts/"));
    let prompts: Vec<_> = prompts.map(|i| i.path.as_str()).collect();
    assert_eq!(prompts, ["usr/share/kiosk/prompts/lay-card.wav"]);
    let settings = fs::read_to_string(house.out("out").join("root/etc/kiosk/kiosk.toml")).unwrap();
    assert!(settings.contains("[speaker]\n"), "{settings}");
    fs::remove_file(house.out("prompts/lay-card.wav")).unwrap();
    assert!(house.stage("mute").is_err(), "a recording is missing");
}

#[test]
fn a_folder_of_somebody_else_is_not_replaced() {
    let house = House::new();
    house.write("out/letter.txt", b"dear");
    assert_eq!(house.stage("out").unwrap_err().code(), "err-out-not-ours");
    assert_eq!(fs::read(house.out("out").join("letter.txt")).unwrap(), b"dear");
    assert_eq!(check(&house.out("out")).unwrap_err().code(), "err-not-staged");
}

#[test]
fn a_fresh_staging_is_clean_and_each_planted_fault_is_found() {
    let house = House::new();
    house.stage("out").unwrap();
    let report = check(&house.out("out")).unwrap();
    assert!(report.is_clean(), "{}", report.to_text());
    let has_systemd = !report.to_text().contains("skip");
    if !has_systemd {
        eprintln!("skipped: systemd-analyze is not here; units are not parsed");
    }
    let plants: [Plant; 14] = [
        ("as-recorded: usr/share/kiosk/policy/a.toml changed", false, &|t| {
            append(t, "usr/share/kiosk/policy/a.toml", "x")
        }),
        ("as-recorded: usr/bin/sh was not staged", false, &|t| append(t, "usr/bin/sh", "x")),
        ("as-recorded: usr/share/kiosk/variant is gone", false, &|t| {
            fs::remove_file(t.join("usr/share/kiosk/variant")).unwrap()
        }),
        ("all-there: etc/kiosk/kiosk.toml is missing", false, &|t| {
            fs::remove_file(t.join("etc/kiosk/kiosk.toml")).unwrap()
        }),
        ("no-simulator: usr/bin/device-sim must not", false, &|t| {
            append(t, "usr/bin/device-sim", "x")
        }),
        ("no-simulator: usr/lib/authority must not", false, &|t| {
            append(t, "usr/lib/authority", "x")
        }),
        ("no-simulator: usr/bin/kiosk says \"device-sim\"", false, &|t| {
            append(t, "usr/bin/kiosk", "device-sim")
        }),
        ("no-simulator: usr/lib/x is a program", false, &|t| append(t, "usr/lib/x", "\x7fELF")),
        ("no-listener: usr/lib/systemd/system/a.socket listens", false, &|t| {
            append(t, "usr/lib/systemd/system/a.socket", "[Socket]\nListenStream=22\n")
        }),
        ("no-listener: usr/lib/systemd/system/sshd.service is a service", false, &|t| {
            append(t, "usr/lib/systemd/system/sshd.service", "[Service]\n")
        }),
        ("no-links: etc/out is neither", false, &|t| symlink("/tmp", t.join("etc/out")).unwrap()),
        ("modes: usr/bin/kiosk has mode 4755", false, &|t| {
            fs::set_permissions(t.join("usr/bin/kiosk"), fs::Permissions::from_mode(0o4755))
                .unwrap()
        }),
        ("units-parse: ", true, &|t| {
            append(t, "usr/lib/systemd/system/kiosk.service", "\n[Service]\nNoSuchKey=1\n")
        }),
        ("unit-exposure: ", true, &|t| {
            append(
                t,
                "usr/lib/systemd/system/kiosk.service",
                "\n[Service]\nUser=root\nNoNewPrivileges=no\nCapabilityBoundingSet=~\n",
            )
        }),
    ];
    for (expected, needs_systemd, plant) in plants {
        if needs_systemd && !has_systemd {
            continue;
        }
        house.stage("out").unwrap();
        plant(&house.out("out").join("root"));
        let report = check(&house.out("out")).unwrap();
        let text = report.to_text();
        assert!(
            !report.is_clean() && text.contains(&format!("fault {expected}")),
            "{expected}\n{text}"
        );
    }
}

#[test]
fn the_bill_of_materials_has_the_kiosks_crates_and_weights_and_nothing_else() {
    let house = House::new();
    house.stage("out").unwrap();
    let file = house.out("out").join("root/usr/share/doc/kiosk/sbom.spdx.json");
    let sbom: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let packages = sbom["packages"].as_array().unwrap();
    let names: Vec<_> = packages.iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["kiosk", "sha2", "rust-std", "a.onnx"]);
    assert_eq!(packages[1]["versionInfo"], "0.11.0");
    assert_eq!(packages[1]["checksums"][0]["checksumValue"], "cafe");
    assert_eq!(packages[1]["licenseDeclared"], "NOASSERTION");
    assert_eq!(packages[2]["versionInfo"], "1.95.0");
    let taken = fs::read(house.out("out").join("root/usr/share/doc/kiosk/licences/p-1/LICENSE"));
    assert_eq!(taken.unwrap(), b"take");
    let text = "root/usr/share/doc/kiosk/licences/rust-std-1.95.0/copyright";
    assert!(!house.out("out").join(text).exists());
    house.write("bin/rust-std.copyright", b"of many");
    house.stage("out").unwrap();
    assert_eq!(fs::read(house.out("out").join(text)).unwrap(), b"of many");
    let mut other = elf(EM_AARCH64, "memory-mb");
    other.extend(b"rustc version 1.96.0 (ac68 2026-05-25)\0");
    house.write("bin/engine-cage", &other);
    assert_eq!(house.stage("out").unwrap_err().code(), "err-two-rusts");
}

#[test]
fn the_real_bill_of_materials_has_no_crate_of_the_desk() {
    let parts = Parts::read(&repository()).unwrap();
    if !parts.has_licences {
        eprintln!("skipped: cargo metadata cannot be asked here");
        return;
    }
    let names: Vec<&str> = parts.crates.iter().map(|part| part.name.as_str()).collect();
    assert!(names.contains(&"kiosk-core") && names.contains(&"rusqlite"));
    assert!(
        ["people", "device-sim", "authority", "tempfile"].iter().all(|desk| !names.contains(desk))
    );
    let without = parts.crates.iter().filter(|part| part.licence.is_none()).map(|part| &part.name);
    assert_eq!(without.collect::<Vec<_>>(), [""; 0]);
    // The one draws and was chosen, the other could draw and was not; a test needs the third, a build script the fourth.
    assert!(names.contains(&"i-slint-renderer-software"));
    let others = ["i-slint-renderer-skia", "i-slint-backend-testing", "cc"];
    assert!(others.iter().all(|other| !names.contains(other)));
    // Slint's are its own, and a validator refuses names without texts.
    let manifest = crate::weights::Manifest::read(&repository()).unwrap();
    let bill: serde_json::Value = serde_json::from_str(&parts.spdx(&manifest)).unwrap();
    let own = bill["hasExtractedLicensingInfos"].as_array().unwrap();
    let names: Vec<_> = own.iter().map(|one| one["licenseId"].as_str().unwrap()).collect();
    assert_eq!(names, ["LicenseRef-Slint-Royalty-free-2.0", "LicenseRef-Slint-Software-3.0"]);
    assert!(own.iter().all(|one| one["extractedText"].as_str().unwrap().len() > 1000));
    // Some have a folder for them, with files that are named after the licence.
    let vtable = parts.crates.iter().find(|part| part.name == "vtable").unwrap();
    assert!(vtable.texts.iter().any(|(place, _)| place == "LICENSES/MIT.txt"));
    let bare = parts.crates.iter().filter(|part| part.texts.is_empty() && part.checksum.is_some());
    assert!(bare.clone().count() > 5 && bare.clone().all(|part| part.remark.contains("; by ")));
    // The store is in C and comes as a build script's crate, with licences that ask to be shown.
    let store = parts.crates.iter().find(|part| part.name == "sqlcipher-src").unwrap();
    let texts: Vec<&str> = store.texts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(texts, ["LICENSE", "sqlcipher/LICENSE-libtomcrypt", "sqlcipher/LICENSE-sqlcipher"]);
}

/// A small repository of its own, with a program, weights and what is staged from them.
struct House {
    root: PathBuf,
}

impl House {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("image-build-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let house = Self { root: std::env::temp_dir().join(name) };
        for folder in ["image-build/boot", "image-build/files", "image-build/variants"] {
            for item in walk(&repository().join(folder)).unwrap().iter().filter(|i| i.bytes > 0) {
                let path = format!("{folder}/{}", item.path);
                house.write(&path, &fs::read(repository().join(&path)).unwrap());
            }
        }
        house.write("kiosk/policy/a.toml", b"name = \"a\"\n");
        house.write("image-build/prompts.txt", b"lay-card\n");
        house.write("prompts/lay-card.wav", b"RIFF");
        house.write("prompts/consent-title.wav", b"RIFF");
        house.write("Cargo.lock", LOCK.as_bytes());
        house.write("weights/a.onnx", b"weights");
        house.write("weights/p.LICENSE", b"take");
        let manifest =
            MANIFEST.replace("SUM", &sum_of(b"weights")).replace("TEXT", &sum_of(b"take"));
        house.write("models/manifest.toml", manifest.as_bytes());
        house.write("bin/kiosk", &kiosk(EM_AARCH64));
        for (name, sign) in [
            ("engine-cage", "memory-mb"),
            ("photo-decoder", "photo decoder cannot read or write"),
            ("livescan-plugin", "LIVESCAN_BeginCapture"),
        ] {
            house.write(&format!("bin/{name}"), &elf(EM_AARCH64, sign));
        }
        house
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let file = self.root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    /// Replaces something that is there once and returns the new text.
    fn edit(&self, path: &str, from: &str, to: &str) -> String {
        let text = fs::read_to_string(self.root.join(path)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from} in {path}");
        let text = text.replace(from, to);
        self.write(path, text.as_bytes());
        text
    }

    /// As [`House::edit`], in the first of the files of the variant `counter` that has it; which one that is.
    fn edit_variant(&self, from: &str, to: &str) -> (&'static str, String) {
        let path = |name: &str| format!("image-build/variants/{name}.toml");
        let has =
            |name: &&str| fs::read_to_string(self.root.join(path(name))).unwrap().contains(from);
        let name = ["counter", "header", "base"].into_iter().find(has).unwrap();
        (name, self.edit(&path(name), from, to))
    }

    fn variant(&self) -> Result<Variant, Fault> {
        Variant::read(&self.root, "counter")
    }

    fn out(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn stage(&self, out: &str) -> Result<Record, Fault> {
        let source = Source {
            root: self.root.clone(),
            variant: self.variant()?,
            bin: self.root.join("bin"),
            models: self.root.join("weights"),
            prompts: self.root.join("prompts"),
            parts: Parts::with(&self.root, None)?,
        };
        stage(&source, &self.out(out))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.root).unwrap();
    }
}

/// What `check` says, whether systemd says it, and the fault.
type Plant<'a> = (&'a str, bool, &'a dyn Fn(&Path));

/// Names of a struct's fields in a source text, and which must be written.
struct Wanted {
    known: Vec<String>,
    needed: Vec<String>,
}

impl Wanted {
    /// Keys that are not known, and keys that are missing.
    fn difference(&self, table: &toml::Table, but: &[&str]) -> Vec<String> {
        let strange =
            table.keys().filter(|key| !self.known.contains(key)).map(|k| format!("strange {k}"));
        let missing = self
            .needed
            .iter()
            .filter(|key| !table.contains_key(*key) && !but.contains(&key.as_str()));
        strange.chain(missing.map(|k| format!("missing {k}"))).collect()
    }
}

fn wanted(source: &str, name: &str) -> Wanted {
    let start =
        source.find(&format!("pub struct {name} {{")).unwrap_or_else(|| panic!("no {name}"));
    let body = &source[start..start + source[start..].find("\n}").unwrap()];
    let head = source[..start].rsplit("\n\n").next().unwrap_or_default();
    let has_defaults = head.contains("deny_unknown_fields, default");
    let (mut wanted, mut has_default) = (Wanted { known: Vec::new(), needed: Vec::new() }, false);
    for line in body.lines().skip(1).map(str::trim) {
        has_default |= line.starts_with("#[serde(default");
        if let Some((field, of)) = line.strip_prefix("pub ").and_then(|l| l.split_once(": ")) {
            wanted.known.push(field.into());
            if !has_default && !has_defaults && !of.starts_with("Option<") {
                wanted.needed.push(field.into());
            }
            has_default = false;
        }
    }
    wanted
}

fn camel(snake: &str) -> String {
    snake.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// The shortest thing that passes for a kiosk of a processor.
fn kiosk(machine: u16) -> Vec<u8> {
    elf(machine, "/etc/kiosk/kiosk.toml")
}

/// The same for any program that is known by these words.
fn elf(machine: u16, sign: &str) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(18, 0);
    bytes.extend(machine.to_le_bytes());
    bytes.resize(64, 0);
    bytes.extend(sign.as_bytes());
    bytes.extend(b"\0GCC: 12.2.0\0rustc version 1.95.0 (5980 2026-04-14)\0");
    bytes
}

fn append(tree: &Path, path: &str, text: &str) {
    let file = tree.join(path);
    let mut bytes = fs::read(&file).unwrap_or_default();
    bytes.extend(text.as_bytes());
    fs::write(file, bytes).unwrap();
}

/// All times of a staged tree.
fn times(out: &Path) -> BTreeSet<i64> {
    let tree = out.join("root");
    let time = |path: &str| fs::metadata(tree.join(path)).unwrap().mtime();
    walk(&tree).unwrap().iter().map(|item| time(&item.path)).collect()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

const VARIANTS: [&str; 4] = ["counter", "station", "handheld", "qemu"];
const EM_AARCH64: u16 = 183;
const LOCK: &str = r#"
version = 4
[[package]]
name = "kiosk"
version = "0.1.0"
dependencies = ["sha2 0.11.0"]
[[package]]
name = "sha2"
version = "0.11.0"
checksum = "cafe"
[[package]]
name = "sha2"
version = "0.10.0"
checksum = "beef"
[[package]]
name = "authority"
version = "0.1.0"
"#;
const MANIFEST: &str = r#"
[[package]]
id = "p"
name = "p"
version = "1"
licence = "MIT"
licence_text = { inside = "p/LICENSE", file = "p.LICENSE", bytes = 4, sha256 = "TEXT" }
provenance = "made up"
[[model]]
id = "a"
package = "p"
file = "a.onnx"
sha256 = "SUM"
"#;

#[test]
fn the_list_of_debian_has_each_package_once_with_its_version() {
    let status = "Package: b\nStatus: install ok\nVersion: 2:1.0-1\nArchitecture: arm64\n\nPackage: a\nVersion: 3\n";
    let kernel =
        "Package: a\nVersion: 3\n\nPackage: linux\nVersion: 6\n\nPackage: kmod\nVersion: 1\n";
    let (all, list) = sbom::debian(status, kernel, &["linux".into(), "a".into()]);
    assert_eq!(all.into_iter().collect::<Vec<_>>(), ["a", "b", "linux"]);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let names: Vec<_> = list["packages"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["a", "b", "linux"]);
    assert_eq!(list["packages"][1]["versionInfo"], "2:1.0-1");
}
