//! What ARCHITECTURE.md promises and a machine can see: who depends on whom, what core may name, and clean sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use kiosk_core::message::Id;
use kiosk_tests::root;
use serde_json::Value;

#[test]
fn core_depends_on_nothing_that_does_input_or_output() {
    let closure = METADATA.closure("kiosk-core");
    assert!(closure.contains("jiff"), "the closure was read: {closure:?}");
    let strangers: Vec<_> = closure.iter().filter(|name| !is_pure(name)).collect();
    assert!(strangers.is_empty(), "kiosk-core brings in {strangers:?}");
}

#[test]
fn core_names_no_file_no_net_no_process_no_thread_and_no_clock() {
    for source in sources().filter(|source| source.path.starts_with("kiosk/core/src/")) {
        let code = source.code();
        for word in ROOMS_OF_STD {
            assert!(!code.contains(word), "{} names {word}", source.path);
        }
    }
}

#[test]
fn each_floor_knows_only_what_is_below() {
    let may = [
        ("kiosk-core", vec![]),
        ("drivers", vec![]),
        ("models", vec![]),
        ("people", vec![]),
        ("authority", vec![]),
        // Somebody sits before the camera of its emulated machine.
        ("image-build", vec!["people"]),
        ("device-sim", vec!["people"]),
        ("kiosk-store", vec!["kiosk-core"]),
        ("kiosk-sync", vec!["kiosk-core"]),
        ("ui", vec!["kiosk-core"]),
    ];
    for (name, may) in may {
        assert_eq!(METADATA.own_dependencies(name), may, "{name}");
    }
    let all = ["drivers", "kiosk-core", "kiosk-store", "kiosk-sync", "models", "people", "ui"];
    assert_eq!(METADATA.own_dependencies("kiosk"), all);
}

#[test]
fn the_authority_shares_no_code_with_the_terminal() {
    for source in sources().filter(|source| source.path.starts_with("tests/authority/")) {
        for name in ["kiosk_core", "kiosk_store", "kiosk_sync", "drivers::", "models::", "ui::"] {
            assert!(!source.text.contains(name), "{} names {name}", source.path);
        }
    }
}

#[test]
fn the_shipped_terminal_holds_no_simulator() {
    let kiosk = METADATA.package("kiosk");
    let people = dependencies(kiosk).find(|dependency| dependency["name"] == "people");
    assert_eq!(people.map(|people| &people["optional"]), Some(&Value::Bool(true)));
    let features = kiosk["features"].as_object().expect("features are a table");
    let opening = features.iter().filter(|(_, opens)| opens.to_string().contains("people"));
    assert_eq!(opening.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["desk"]);

    let tree = cargo(&["tree", "--package", "kiosk", "--no-default-features", "--edges", "normal"]);
    assert!(tree.contains("kiosk-core v"), "the tree was read: {tree}");
    for simulator in ["people v", "device-sim v", "authority v"] {
        assert!(!tree.contains(simulator), "kiosk without `desk` brings in {simulator}");
    }
}

#[test]
fn only_the_desk_of_the_terminal_knows_of_simulators() {
    let of_the_desk = |path: &str| path.starts_with("kiosk/src/desk");
    let mut n_files = 0;
    for source in sources().filter(|source| source.path.starts_with("kiosk/src/")) {
        if of_the_desk(&source.path) {
            continue;
        }
        n_files += 1;
        for name in ["device-sim", "device_sim", "SeatCamera", "people::", "desk::camera"] {
            assert!(!source.text.contains(name), "{} names {name}", source.path);
        }
        // Whoever names the desk must stand behind its feature.
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let names_it = line.contains("desk::") || *line == "mod desk;";
            let guarded = at > 0 && lines[at - 1] == "#[cfg(feature = \"desk\")]";
            assert!(!names_it || guarded, "{} line {} is in every build", source.path, at + 1);
        }
    }
    assert!(n_files > 10, "only {n_files} files were looked at");
}

#[test]
fn every_fault_says_what_to_do() {
    let names: BTreeSet<&str> = Id::ALL.iter().map(|id| id.name()).collect();
    let faults: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix("err-")).collect();
    assert!(faults.len() > 10, "only {faults:?}");
    for fault in faults {
        let remedy = format!("rec-{fault}");
        assert!(names.contains(remedy.as_str()), "err-{fault} has no {remedy}");
    }
}

#[test]
fn every_source_says_what_it_is_for() {
    let silent: Vec<_> = sources().filter(|source| !source.text.starts_with("//! ")).collect();
    let paths: Vec<_> = silent.iter().map(|source| &source.path).collect();
    assert!(paths.is_empty(), "no `//!` at the head of {paths:?}");
}

#[test]
fn a_module_has_the_name_of_its_file() {
    let nameless = tracked().iter().filter(|path| *path == "mod.rs" || path.ends_with("/mod.rs"));
    assert_eq!(nameless.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn nothing_is_left_for_later_in_a_source() {
    for source in sources() {
        for word in [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!(")] {
            assert!(!source.text.contains(word), "{} has {word}", source.path);
        }
    }
}

/// Packages come by name from wherever the machine gets them; files are found relative to something.
#[test]
fn no_tracked_file_names_a_registry_or_a_folder_of_one_machine() {
    // A lock file names cargo's index in a form of its own, whatever serves it.
    for path in tracked().iter().filter(|path| !path.ends_with("Cargo.lock")) {
        let Ok(text) = fs::read_to_string(root().join(path)) else {
            continue;
        };
        for place in PLACES {
            assert!(!text.contains(place), "{path} names {place}");
        }
    }
}

/// What cargo knows of the workspace.
struct Metadata(Value);

static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    // Without a platform cargo wants packages that only other systems need.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let words = ["metadata", "--format-version", "1", "--filter-platform", &platform];
    Metadata(serde_json::from_str(&cargo(&words)).expect("metadata is JSON"))
});

impl Metadata {
    fn packages(&self) -> impl Iterator<Item = &Value> {
        self.0["packages"].as_array().expect("packages are a list").iter()
    }

    /// A package of ours.
    fn package(&self, name: &str) -> &Value {
        let ours = |package: &&Value| package["name"] == name && package["source"].is_null();
        self.packages().find(ours).unwrap_or_else(|| panic!("there is no package {name}"))
    }

    /// What a package of ours builds upon among ours; dependencies of its tests aside.
    fn own_dependencies(&self, name: &str) -> Vec<&str> {
        let own: BTreeSet<&str> = dependencies(self.package(name))
            .filter(|dependency| dependency["kind"] != "dev" && !dependency["path"].is_null())
            .filter_map(|dependency| dependency["name"].as_str())
            .collect();
        own.into_iter().collect()
    }

    /// Names of all packages that end up in the program of one of ours, and of the macros that help to build it.
    fn closure(&self, name: &str) -> BTreeSet<&str> {
        let nodes = self.0["resolve"]["nodes"].as_array().expect("nodes are a list");
        let nodes: BTreeMap<&str, &Value> =
            nodes.iter().map(|node| (text(&node["id"]), node)).collect();
        let names: BTreeMap<&str, &str> =
            self.packages().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let mut seen = BTreeSet::new();
        let mut open = vec![text(&self.package(name)["id"])];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                let below = nodes[id]["deps"].as_array().expect("dependencies are a list");
                open.extend(below.iter().filter(|d| is_normal(d)).map(|d| text(&d["pkg"])));
            }
        }
        seen.into_iter().map(|id| names[id]).collect()
    }
}

fn is_normal(dependency: &Value) -> bool {
    let kinds = dependency["dep_kinds"].as_array().expect("kinds are a list");
    kinds.iter().any(|kind| kind["kind"].is_null())
}

fn dependencies(package: &Value) -> impl Iterator<Item = &Value> {
    package["dependencies"].as_array().expect("dependencies are a list").iter()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("ids and names are text")
}

/// What core may stand on: dates, formats, error types, readings of characters (tables and nothing else), and what
/// macros are made with.
fn is_pure(name: &str) -> bool {
    let families = ["jiff", "kiosk-core", "minicbor", "serde", "thiserror", "toml"];
    let singles = [
        "equivalent",
        "foldhash",
        "hashbrown",
        "indexmap",
        "log",
        "memchr",
        "pinyin",
        "proc-macro2",
        "quote",
        "syn",
        "unicode-ident",
        "winnow",
    ];
    let of_family = |family: &&str| {
        name == *family || name.strip_prefix(*family).is_some_and(|n| n.starts_with(['-', '_']))
    };
    singles.contains(&name) || families.iter().any(of_family)
}

/// A tracked Rust file.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Without the tests at its foot; empty, if the file is nothing but tests.
    fn code(&self) -> &str {
        if self.path.ends_with("tests.rs") {
            return "";
        }
        let end = self.text.find("#[cfg(test)]").unwrap_or(self.text.len());
        &self.text[..end]
    }
}

fn sources() -> impl Iterator<Item = Source> {
    let rust = tracked().iter().filter(|path| path.ends_with(".rs"));
    rust.filter_map(|path| {
        // A file may be gone from the folder and not yet from the index.
        let text = fs::read_to_string(root().join(path)).ok()?;
        Some(Source { path: path.clone(), text })
    })
}

/// The files that git keeps, relative to the repository.
fn tracked() -> &'static [String] {
    static TRACKED: LazyLock<Vec<String>> = LazyLock::new(|| {
        let listed = run(Command::new("git").args(["ls-files", "-z"]));
        listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
    });
    assert!(TRACKED.len() > 100, "git knows only {} files", TRACKED.len());
    &TRACKED
}

fn cargo(words: &[&str]) -> String {
    run(Command::new(env!("CARGO")).args(words).args(["--offline"]))
}

fn run(command: &mut Command) -> String {
    let done = command.current_dir(Path::new(&root())).output().expect("the program is installed");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("its output is text")
}

const ROOMS_OF_STD: [&str; 12] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::io",
    "std::env",
    "std::os",
    "std::path",
    "Instant",
    "SystemTime",
    "std::{",
    "println!",
];
/// Cut in two, so that this file does not name them.
const PLACES: [&str; 13] = [
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/home", "/"),
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("registry", ".npmjs"),
    concat!("npm", "mirror"),
    concat!("rs", "proxy"),
    concat!("githubuser", "content"),
    concat!("hugging", "face"),
    concat!("deb.debian", ".org"),
    concat!("proxy.golang", ".org"),
];
