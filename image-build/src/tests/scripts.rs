//! What root does at a word of the program, with tools that only write down how they were called.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

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
        for folder in [
            "tools",
            "data/updates",
            "data/kiosk/update",
            "run/kiosk-clock",
            "run/kiosk-clock-set",
            "proc",
            "dev",
            "usr/share/kiosk",
        ] {
            fs::create_dir_all(made.path(folder)).unwrap();
        }
        for tool in TOOLS {
            made.tool(tool, i32::from(tool == fails));
        }
        made
    }

    /// A tool that ends so.
    fn tool(&self, name: &str, end: i32) {
        let file = self.path(&format!("tools/{name}"));
        let calls = self.text("calls");
        fs::write(&file, format!("#!/bin/sh\necho {name} \"$@\" >> {calls}\nexit {end}\n"))
            .unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
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

/// A machine that has run for 1000.07 s, with an edition of 2026-01-01.
fn clock(word: &str) -> Terminal {
    let it = Terminal::new("");
    it.write("proc/uptime", "1000.07 3999.99\n");
    it.write("dev/rtc0", "");
    it.write("usr/share/kiosk/version", "0.1.0\n");
    let made = SystemTime::UNIX_EPOCH + Duration::from_secs(MADE_S);
    let version = fs::File::options().write(true).open(it.path("usr/share/kiosk/version"));
    version.unwrap().set_modified(made).unwrap();
    it.write(WORD, word);
    it
}

/// The clock is stood to this, in seconds.
fn set(time: &str) -> (bool, Vec<String>) {
    let calls = [
        "systemctl stop kiosk-update.timer",
        &format!("date -u -s @{time}"),
        "systemctl start kiosk-update.timer",
        "busybox hwclock -w -u",
    ];
    (true, calls.map(str::to_owned).to_vec())
}

const WORD: &str = "run/kiosk-clock/word";
/// 2026-01-01
const MADE_S: u64 = 1_767_225_600;
const TWENTY_YEARS_S: u64 = 631_152_000;

#[test]
fn the_clock_is_set_to_the_word_and_what_went_by_since() {
    for (word, time) in [
        ("1794794400008 1000070\n", "1794794400.008"),
        ("1794794400000 990060\n", "1794794410.010"),
        ("1794794400000 400070\n", "1794795000.000"),
        ("1794794400000 400070", "1794795000.000"),
    ] {
        let it = clock(word);
        assert_eq!(it.run("set-clock"), set(time), "{word:?}");
        assert!(!it.path(WORD).exists(), "the word was taken");
    }
}

#[test]
fn a_board_without_a_chip_has_its_clock_set_alone() {
    let it = clock("1794794400008 1000070\n");
    fs::remove_file(it.path("dev/rtc0")).unwrap();
    let (ended_well, mut calls) = set("1794794400.008");
    calls.pop();
    assert_eq!(it.run("set-clock"), (ended_well, calls));
}

#[test]
fn a_time_before_the_edition_or_long_after_it_is_refused() {
    for (time_s, is_taken) in [
        (MADE_S - 1, false),
        (MADE_S, true),
        (MADE_S + TWENTY_YEARS_S, true),
        (MADE_S + TWENTY_YEARS_S + 1, false),
    ] {
        let it = clock(&format!("{time_s}000 1000070\n"));
        let wanted = if is_taken { set(&format!("{time_s}.000")) } else { (false, Vec::new()) };
        assert_eq!(it.run("set-clock"), wanted, "{time_s}");
    }
}

#[test]
fn what_is_no_word_of_this_start_sets_nothing_and_is_taken_away() {
    let long = "9".repeat(60_000);
    for word in [
        "",
        "\n",
        "1794794400000\n",
        "1794794400000 1000070 5\n",
        "1794794400000 -1\n",
        "-1794794400000 1000070\n",
        "01794794400000 1000070\n",
        "1794794400000 0x10\n",
        "1794794400000 1000070;reboot\n",
        "$(reboot) 1000070\n",
        "* *\n",
        "179479440000000000000 1000070\n",
        "now then\n",
        &long,
        // Of an earlier start, from the future, or too old.
        "1794794400000 1000080\n",
        "1794794400000 400069\n",
        "1794794400000 0\n",
    ] {
        let it = clock(word);
        assert_eq!(it.run("set-clock"), (false, Vec::new()), "{word:.40?}");
        assert!(!it.path(WORD).exists(), "{word:.40?} would be looked at for ever");
    }
}

#[test]
fn a_word_that_is_a_link_or_a_folder_is_not_looked_into() {
    let it = clock("");
    it.write("secret", "1794794400000 1000070\n");
    fs::remove_file(it.path(WORD)).unwrap();
    symlink(it.path("secret"), it.path(WORD)).unwrap();
    assert_eq!(it.run("set-clock"), (false, Vec::new()));
    assert!(fs::symlink_metadata(it.path(WORD)).is_err());
    fs::create_dir_all(it.path(WORD).join("deep")).unwrap();
    assert_eq!(it.run("set-clock"), (false, Vec::new()));
    assert!(!it.path(WORD).exists());
    it.write(WORD, "1794794400008 1000070\n");
    assert_eq!(it.run("set-clock"), set("1794794400.008"), "and the next word is heard");
}

#[test]
fn where_the_clock_cannot_be_set_the_nights_go_on() {
    let it = clock("1794794400008 1000070\n");
    it.tool("date", 1);
    let (_, mut calls) = set("1794794400.008");
    calls.pop();
    assert_eq!(it.run("set-clock"), (false, calls));
}
