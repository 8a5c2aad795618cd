//! What root does at a word of the program, with tools that only write down how they were called.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use super::repository;

/// A folder that stands for the root, and tools that do nothing.
struct Terminal {
    root: tempfile::TempDir,
}

impl Terminal {
    /// `fails` is the tool that says no.
    fn new(fails: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let made = Self { root };
        for folder in ["tools", "data/updates", "data/kiosk/update"] {
            fs::create_dir_all(made.path(folder)).unwrap();
        }
        for tool in TOOLS {
            let end = i32::from(tool == fails);
            let text =
                format!("#!/bin/sh\necho {tool} \"$@\" >> {}\nexit {end}\n", made.text("calls"));
            fs::write(made.path(&format!("tools/{tool}")), text).unwrap();
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(made.path(&format!("tools/{tool}")), mode).unwrap();
        }
        made
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn text(&self, path: &str) -> String {
        self.path(path).to_str().unwrap().to_owned()
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    /// Runs a script; gives how it ended and which tools it called, with the root left out.
    fn run(&self, script: &str) -> (bool, Vec<String>) {
        let script = repository().join("image-build/files/usr/lib/kiosk").join(script);
        let path = format!("{}:{}", self.text("tools"), std::env::var("PATH").unwrap());
        let ended = Command::new("sh").arg(script).arg(self.root.path()).env("PATH", path).output();
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        let _ = fs::remove_file(self.path("calls"));
        let calls = calls.replace(&self.text(""), "/");
        // The whole machine's disks have nothing to do with it.
        let calls = calls.lines().filter(|call| !call.starts_with("sync"));
        (ended.unwrap().status.success(), calls.map(str::to_owned).collect())
    }
}

const TOOLS: [&str; 7] = ["sync", "chown", "modprobe", "rauc", "systemctl", "date", "busybox"];
const FETCHED: &str = "data/kiosk/update/update.raucb";
const BUNDLE: &str = "data/updates/update.raucb";
const INSTALL: [&str; 4] = [
    "chown root:root /data/updates/update.raucb",
    "modprobe loop",
    "rauc install /data/updates/update.raucb",
    "systemctl reboot",
];

#[test]
fn what_the_program_fetched_is_taken_and_installed_once() {
    let it = Terminal::new("");
    it.write(FETCHED, "bundle");
    assert_eq!(it.run("update"), (true, INSTALL.map(str::to_owned).to_vec()));
    assert!(!it.path(FETCHED).exists() && !it.path(BUNDLE).exists());
    assert_eq!(it.run("update"), (true, Vec::new()), "there is nothing the next night");
}

#[test]
fn what_rauc_refuses_is_put_aside_for_itself_alone() {
    let it = Terminal::new("rauc");
    it.write(FETCHED, "bundle");
    let (ended_well, calls) = it.run("update");
    assert_eq!((ended_well, calls), (false, INSTALL[..3].iter().map(|&c| c.into()).collect()));
    let refused = it.path("data/updates/refused.raucb");
    assert_eq!(fs::metadata(&refused).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!it.path(FETCHED).exists() && !it.path(BUNDLE).exists());
}

#[test]
fn the_stick_comes_first() {
    let it = Terminal::new("rauc");
    it.write(FETCHED, "fetched");
    it.write(BUNDLE, "from the stick");
    it.run("update");
    assert_eq!(fs::read(it.path("data/updates/refused.raucb")).unwrap(), b"from the stick");
    assert_eq!(fs::read(it.path(FETCHED)).unwrap(), b"fetched");
}

#[test]
fn links_and_folders_of_the_program_lead_nowhere() {
    let it = Terminal::new("");
    it.write("secret", "root's");
    symlink(it.path("secret"), it.path(FETCHED)).unwrap();
    assert_eq!(it.run("update"), (true, Vec::new()), "a link");
    assert!(fs::symlink_metadata(it.path(BUNDLE)).is_err());

    fs::create_dir_all(it.path(FETCHED).join("deep")).unwrap();
    symlink(it.path("secret"), it.path(FETCHED).join("deep/link")).unwrap();
    assert_eq!(it.run("update"), (true, Vec::new()), "a folder");
    assert!(fs::symlink_metadata(it.path(BUNDLE)).is_err());
    assert_eq!(fs::read(it.path("secret")).unwrap(), b"root's");

    fs::create_dir(it.path("elsewhere")).unwrap();
    it.write("elsewhere/update.raucb", "somebody's");
    fs::remove_dir_all(it.path("data/kiosk/update")).unwrap();
    symlink(it.path("elsewhere"), it.path("data/kiosk/update")).unwrap();
    assert_eq!(it.run("update"), (true, Vec::new()), "a folder that is a link");
    assert!(it.path("elsewhere/update.raucb").exists());
}
