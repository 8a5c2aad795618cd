//! What root does at a word of the program, with tools that only write down how they were called.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, SystemTime};

use super::repository;
use crate::root::CALLED;

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
            "run/kiosk-line",
            "run/kiosk-line-set",
            "run/kiosk-screen",
            "sys/class/drm/card0",
            "sys/class/drm/card0-HDMI-A-1",
            "sys/class/drm/card0-HDMI-A-2",
            "usr/share/kiosk",
            "run/kiosk",
            "run/kiosk-setup",
            "run/kiosk-stick/sda1",
            "run/kiosk-net",
            "run/kiosk-data",
            "run/systemd/netif",
            "proc",
            "dev",
            "usr/lib",
        ] {
            fs::create_dir_all(made.path(folder)).unwrap();
        }
        for tool in TOOLS {
            made.tool(tool, "", i32::from(tool == fails));
        }
        made.slot('A', 3);
        made.tool("df", "1000", 0);
        made.write("proc/uptime", "1000.07 3999.99\n");
        made.write("usr/share/kiosk/splash-size", "1080,1920\n");
        made.panel("1080x1920");
        made
    }

    /// A panel in the second socket; none where it has no mode.
    fn panel(&self, mode: &str) {
        for (socket, mode) in [("HDMI-A-1", ""), ("HDMI-A-2", mode)] {
            let is = if mode.is_empty() { "disconnected" } else { "connected" };
            self.write(&format!("sys/class/drm/card0-{socket}/status"), &format!("{is}\n"));
            let modes = if mode.is_empty() { String::new() } else { format!("{mode}\n640x480\n") };
            self.write(&format!("sys/class/drm/card0-{socket}/modes"), &modes);
        }
    }

    /// A tool that says this and ends so; what it is given stays beside it.
    fn tool(&self, name: &str, says: &str, end: i32) {
        let file = self.path(&format!("tools/{name}"));
        let calls = self.text("calls");
        let given = format!("{}.given", file.display());
        let words =
            format!("cat > {given}\necho {name} \"$@\" >> {calls}\necho {says}\nexit {end}");
        fs::write(&file, format!("#!/bin/sh\n{words}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// This slot runs, and the other one has so many tries.
    fn slot(&self, runs: char, left: u32) {
        self.write("proc/cmdline", &format!("quiet rauc.slot={runs} panic=2\n"));
        self.tool("fw_printenv", &left.to_string(), 0);
    }

    /// What is known of the last installation.
    fn installed(&self) -> String {
        fs::read_to_string(self.path("data/updates/installed")).unwrap_or_default()
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
        self.run_for(script, &[])
    }

    /// The number it ends with.
    fn end_of(&self, script: &str) -> i32 {
        self.ended(script, &[]).code().unwrap()
    }

    /// With further words.
    fn run_for(&self, script: &str, words: &[&str]) -> (bool, Vec<String>) {
        let ended = self.ended(script, words);
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        let _ = fs::remove_file(self.path("calls"));
        let calls = calls.replace(&self.text(""), "/");
        // The whole machine's disks, hours and locks have nothing to do with it.
        let aside = ["sync", "sleep", "flock"];
        let calls = calls.lines().filter(|call| !aside.iter().any(|it| call.starts_with(it)));
        (ended.success(), calls.map(str::to_owned).collect())
    }

    fn ended(&self, script: &str, words: &[&str]) -> ExitStatus {
        let script = repository().join("image-build/files/usr/lib/kiosk").join(script);
        let path = format!("{}:{}", self.text("tools"), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        let ended = shell.arg(script).arg(self.root.path()).args(words).env("PATH", path).output();
        ended.unwrap().status
    }
}

const TOOLS: [&str; 17] = [
    "sync",
    "chown",
    "modprobe",
    "rauc",
    "systemctl",
    "date",
    "busybox",
    "udevadm",
    "fw_printenv",
    "setpriv",
    "sfdisk",
    "partx",
    "sleep",
    "mount",
    "umount",
    "flock",
    "df",
];
const WAITS: &str = "run/kiosk-installed";
const FETCHED: &str = "data/kiosk/update/update.raucb";
const BUNDLE: &str = "data/updates/update.raucb";
const INSTALL: [&str; 5] = [
    "chown root:root /data/updates/update.raucb",
    "systemctl --quiet is-active kiosk-good.service",
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
    fs::remove_file(it.path(WAITS)).unwrap();
    let does = |call: &String| call.starts_with("rauc") || call.ends_with("reboot");
    assert!(!it.run("update").1.iter().any(does), "there is nothing the next night");
}

#[test]
fn by_day_an_update_is_installed_for_the_next_start_and_at_night_it_runs() {
    let it = Terminal::new("");
    it.write(FETCHED, "bundle");
    let (ended_well, calls) = it.run_for("update", &["later"]);
    assert_eq!((ended_well, calls), (true, INSTALL[..4].iter().map(|&c| c.into()).collect()));
    assert_eq!(it.run_for("update", &["later"]), (true, Vec::new()), "and stays there all day");
    assert_eq!(it.run("update"), (true, vec!["systemctl reboot".to_owned()]));
}

#[test]
fn two_installations_at_once_are_one() {
    let it = Terminal::new("flock");
    it.write(BUNDLE, "bundle");
    assert_eq!(it.run("update"), (true, Vec::new()));
    assert!(it.path(BUNDLE).exists());
}

#[test]
fn nobody_who_is_served_loses_a_visit_to_an_update() {
    let it = Terminal::new("");
    it.write(BUNDLE, "bundle");
    it.write("run/kiosk/served", "");
    let served = it.text("run/kiosk/served");
    it.tool("sleep", &format!("; rm {served}"), 0);
    let (ended_well, calls) = it.run("update");
    assert!(ended_well && calls.last().is_some_and(|call| call == "systemctl reboot"), "{calls:?}");
    assert!(!it.path("run/kiosk/served").exists(), "it waited until that was over");
    let it = Terminal::new("");
    it.write(BUNDLE, "bundle");
    it.write("run/kiosk/served", "");
    let (_, calls) = it.run("update");
    assert_eq!(calls.last().map(String::as_str), Some("systemctl reboot"), "nobody signed out");
}

#[test]
fn what_rauc_refuses_is_gone_and_not_copied_again_until_the_next_start() {
    let it = Terminal::new("rauc");
    it.write(FETCHED, "bundle");
    let (ended_well, calls) = it.run("update");
    assert_eq!((ended_well, calls), (false, INSTALL[..4].iter().map(|&c| c.into()).collect()));
    assert!(!it.path(FETCHED).exists() && !it.path(BUNDLE).exists());
    let left = fs::read_dir(it.path("data/updates")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["installed"], "it takes no room");
    stick(&it, &[("update.raucb", "bundle")], 1000);
    assert_eq!(it.brought(&[BUNDLE]), [false]);
    fs::remove_file(it.path("run/kiosk-refused")).unwrap();
    assert_eq!(it.brought(&[BUNDLE]), [true], "the clock may have been wrong");
}

#[test]
fn what_runs_and_what_was_rolled_back_is_not_installed_from_a_stick_that_stays() {
    let it = Terminal::new("");
    let lies_there = |text: &str| {
        it.write(BUNDLE, text);
        let calls = it.run("update").1;
        assert!(!it.path(BUNDLE).exists());
        let _ = fs::remove_file(it.path(WAITS));
        let is_installed = calls.iter().any(|call| call.starts_with("rauc install"));
        stick(&it, &[("update.raucb", text)], 1000);
        if !is_installed {
            assert_eq!(it.brought(&[BUNDLE]), [false], "and is not copied from the stick");
        }
        is_installed
    };
    assert!(lies_there("two"), "the first time");
    assert!(it.installed().starts_with("B ") && it.installed().ends_with(" trial 1\n"));
    it.slot('B', 3);
    assert!(!lies_there("two"), "it runs");
    it.slot('A', 2);
    assert!(!lies_there("two"), "it did not work: A runs again");
    assert!(it.run("vouch").0, "A is found good once more");
    assert!(!lies_there("two"), "which says nothing of what is in B");
    assert!(lies_there("three"), "another one");
    it.slot('B', 3);
    assert!(it.run("vouch").0 && it.installed().ends_with(" good\n"));
    assert!(!lies_there("three"), "it runs and is good");
    it.slot('A', 3);
    assert!(lies_there("three"), "it had worked: its slot was damaged since");
}

#[test]
fn an_edition_that_is_not_found_good_installs_nothing_while_the_other_can_run() {
    let it = Terminal::new("systemctl");
    it.slot('B', 3);
    it.write(BUNDLE, "three");
    let is_installed = |calls: &[String]| calls.iter().any(|call| call.starts_with("rauc"));
    let (ended_well, calls) = it.run("update");
    assert!(ended_well && !is_installed(&calls) && it.path(BUNDLE).exists(), "{calls:?}");
    it.slot('B', 0);
    assert!(is_installed(&it.run("update").1), "nothing else would ever mend it");
}

#[test]
fn an_edition_is_vouched_for_or_gives_way_while_the_other_has_tries() {
    let reboot = "systemctl reboot".to_owned();
    let good = "rauc status mark-good".to_owned();
    for (fails, left, ended_well, says, is_silent_on) in [
        ("", 3, true, &good, &reboot),
        ("setpriv", 1, false, &reboot, &good),
        ("rauc", 3, false, &good, &reboot),
    ] {
        let it = Terminal::new(fails);
        it.slot('B', left);
        let (ended, calls) = it.run("vouch");
        assert_eq!(ended, ended_well, "{fails}");
        assert!(calls.contains(says) && !calls.contains(is_silent_on), "{fails}: {calls:?}");
    }
    let it = Terminal::new("setpriv");
    it.slot('B', 3);
    it.tool("head", "", 1);
    assert_eq!(it.end_of("vouch"), UNJUDGED, "it is the data");
    let (ended_well, calls) = it.run("vouch");
    assert!(!ended_well && !calls.contains(&reboot), "it is the data: {calls:?}");
    assert!(!it.path("data/updates/probe").exists());
    let it = Terminal::new("setpriv");
    it.slot('B', 0);
    let (ended_well, calls) = it.run("vouch");
    assert!(!ended_well && !calls.contains(&reboot), "it would start for ever");
    let counters = "udevadm wait --timeout=120 /dev/disk/by-partlabel/ubenv";
    let at = |word: &str| calls.iter().position(|call| call.starts_with(word));
    assert!(at(counters) < at("fw_printenv -n BOOT_A_LEFT") && at(counters).is_some());
}

#[test]
fn an_edition_that_was_judged_bad_is_not_tried_again_and_one_that_nobody_judged_is_once() {
    let reboot = "systemctl reboot".to_owned();
    let again = "rauc status mark-active other".to_owned();
    for (judged, tries) in [(true, 0), (false, 1)] {
        let it = Terminal::new("");
        it.write(BUNDLE, "two");
        assert!(it.run("update").0 && it.installed().ends_with(" trial 1\n"));
        it.slot('B', 3);
        if judged {
            it.tool("setpriv", "", 1);
            assert!(it.run("vouch").1.contains(&reboot));
            assert!(it.installed().starts_with("B ") && it.installed().ends_with(" bad\n"));
        }
        // Its three tries are used up.
        for wanted in [tries, 0] {
            it.slot('A', 0);
            fs::remove_file(it.path(WAITS)).unwrap_or_default();
            let (ended_well, calls) = it.run("update");
            assert_eq!(calls.iter().filter(|call| **call == again).count(), wanted, "{judged}");
            assert_eq!(calls.contains(&reboot), wanted == 1);
            assert!(ended_well);
        }
        it.write(BUNDLE, "two");
        let installs = |call: &String| call.starts_with("rauc install");
        assert!(!it.run("update").1.iter().any(installs), "nor from a stick that stays");
        if judged {
            // Nor where two bad ones come by turns.
            let other = ["three", "two"].map(|bundle| {
                it.write(BUNDLE, bundle);
                let is_installed = it.run("update").1.iter().any(installs);
                fs::remove_file(it.path(WAITS)).unwrap_or_default();
                is_installed
            });
            assert_eq!(other, [true, false]);
            let two = fs::read_to_string(it.path("data/updates/rejected")).unwrap();
            it.write("data/updates/installed", &format!("B {} bad\n", two.trim()));
        }
        // It may be found good all the same.
        it.slot('B', 3);
        it.tool("setpriv", "", 0);
        assert!(it.run("vouch").0 && it.installed().ends_with(" good\n"));
        let rejected = fs::read_to_string(it.path("data/updates/rejected")).unwrap_or_default();
        assert_eq!(rejected, "");
    }
}

#[test]
fn what_was_half_written_over_is_not_given_its_tries_once_more() {
    let it = Terminal::new("");
    it.write("data/updates/installed", "B 1234 trial 1\n");
    it.write(BUNDLE, "two");
    it.tool("rauc", "", 1);
    it.run("update");
    assert!(it.installed().ends_with(" writing\n"));
    it.tool("rauc", "", 0);
    it.slot('A', 0);
    assert!(!it.run("update").1.iter().any(|call| call.starts_with("rauc")));
}

#[test]
fn nothing_is_tried_once_more_before_the_edition_that_runs_was_judged() {
    let it = Terminal::new("systemctl");
    it.write("data/updates/installed", "B 1234 trial 1\n");
    it.slot('A', 0);
    assert!(!it.run("update").1.iter().any(|call| call.starts_with("rauc")));
}

/// The script is not even asked where the unit's conditions do not hold.
#[test]
fn the_units_of_updates_start_where_an_edition_is_to_be_tried_once_more() {
    for unit in ["kiosk-update.service", "kiosk-update-early.service"] {
        let file = repository().join("image-build/files/usr/lib/systemd/system").join(unit);
        let unit = fs::read_to_string(file).unwrap();
        for path in [
            "/data/updates/update.raucb",
            "/data/kiosk/update/update.raucb",
            "/data/updates/installed",
        ] {
            assert!(unit.contains(&format!("\nConditionPathExists=|{path}\n")), "{path}");
        }
        let all = unit.matches("\nCondition").count();
        assert_eq!(all, unit.matches("\nConditionPathExists=|").count(), "no condition is a must");
    }
}

#[test]
fn tries_that_are_left_are_not_given_once_more() {
    let it = Terminal::new("");
    it.write("data/updates/installed", "B 1234 trial 1\n");
    it.slot('A', 1);
    assert!(!it.run("update").1.iter().any(|call| call.starts_with("rauc")));
    let it = Terminal::new("rauc");
    it.write("data/updates/installed", "B 1234 trial 1\n");
    it.slot('A', 0);
    assert!(!it.run("update").1.contains(&"systemctl reboot".into()), "RAUC could not");
    assert_eq!(it.installed(), "B 1234 trial 1\n");
}

#[test]
fn an_edition_that_sees_no_screen_for_a_day_uses_up_a_try() {
    for (uptime, is_on_trial, left, starts_again) in [
        ("86400.99 1.00", true, 3, false),
        ("86401.00 1.00", true, 3, true),
        ("86401.00 1.00", false, 3, false),
        ("86401.00 1.00", true, 0, false),
    ] {
        let it = Terminal::new("");
        it.panel("");
        it.slot('B', left);
        it.write("proc/uptime", &format!("{uptime}\n"));
        let state = if is_on_trial { "trial 1" } else { "good" };
        it.write("data/updates/installed", &format!("B 1234 {state}\n"));
        let (_, calls) = it.run("vouch");
        let reboots = calls.contains(&"systemctl reboot".into());
        assert_eq!(reboots, starts_again, "{uptime} {is_on_trial} {left}");
        assert_eq!(it.installed(), format!("B 1234 {state}\n"), "that is no judgement");
    }
}

#[test]
fn an_edition_without_a_driver_for_the_screen_is_judged() {
    let it = Terminal::new("setpriv");
    it.slot('B', 3);
    for unknown in [true, false] {
        let socket = |n| it.path(&format!("sys/class/drm/card0-HDMI-A-{n}"));
        for n in [1, 2] {
            if unknown {
                fs::write(socket(n).join("status"), "unknown\n").unwrap();
            } else {
                fs::remove_dir_all(socket(n)).unwrap();
            }
        }
        assert_eq!(it.end_of("vouch"), 1, "{unknown}");
    }
}

#[test]
fn without_data_nothing_is_found_good_or_bad() {
    let reboot = "systemctl reboot".to_owned();
    let good = "rauc status mark-good".to_owned();
    let silent = |it: &Terminal, why: &str| {
        assert_eq!(it.end_of("vouch"), UNJUDGED, "{why}");
        let (_, calls) = it.run("vouch");
        assert!(!calls.contains(&reboot) && !calls.contains(&good), "{why}: {calls:?}");
    };
    // The program serves a page of words then, and the check of a terminal without a site ends well.
    let it = Terminal::new("");
    it.write("run/kiosk-data/fault", "err-data-key");
    silent(&it, "it did not open");
    // It may be this edition that cannot open it.
    for (uptime, left, starts_again) in
        [("21600.9", 3, false), ("21601.0", 3, true), ("21601.0", 0, false)]
    {
        it.write("proc/uptime", &format!("{uptime} 1.00\n"));
        it.slot('B', left);
        assert_eq!(it.run("vouch").1.contains(&reboot), starts_again, "{uptime} {left}");
    }
    it.write("proc/uptime", "1000.07 3999.99\n");
    fs::remove_file(it.path("run/kiosk-data/fault")).unwrap();
    fs::remove_dir_all(it.path("data/updates")).unwrap();
    silent(&it, "it is not there");
    let it = Terminal::new("setpriv");
    it.slot('B', 3);
    it.tool("df", "1", 0);
    silent(&it, "the program can write nothing, and root can");
}

#[test]
fn without_a_screen_no_edition_is_judged_and_it_is_asked_again() {
    let it = Terminal::new("setpriv");
    it.slot('B', 3);
    it.panel("");
    assert_eq!(it.end_of("vouch"), UNJUDGED);
    let (_, calls) = it.run("vouch");
    let is_looked_at = |call: &String| call.starts_with("setpriv") || call.ends_with("reboot");
    assert!(!calls.iter().any(is_looked_at), "{calls:?}");
    // Its plug is pulled during the check.
    it.panel("1080x1920");
    let status = it.text("sys/class/drm/card0-HDMI-A-2/status");
    it.tool("setpriv", &format!("; echo disconnected > {status}"), 1);
    assert_eq!(it.end_of("vouch"), UNJUDGED);
    it.panel("1080x1920");
    it.tool("setpriv", "", 1);
    assert_eq!(it.end_of("vouch"), 1, "that is a judgement");
    it.tool("setpriv", "", 0);
    assert_eq!(it.end_of("vouch"), 0);
    let unit = "image-build/files/usr/lib/systemd/system/kiosk-good.service";
    let unit = fs::read_to_string(repository().join(unit)).unwrap();
    assert!(unit.contains("Restart=on-failure\nRestartPreventExitStatus=1\n"));
}

/// As `vouch` says that it cannot say anything.
const UNJUDGED: i32 = 75;

#[test]
fn the_picture_is_turned_on_a_panel_whose_longer_side_lies_otherwise() {
    let it = Terminal::new("");
    let told = || fs::read_to_string(it.path("run/kiosk-screen/turned")).ok();
    let (yes, again) = (
        Some("SLINT_KMS_ROTATION=270\n".to_owned()),
        vec!["udevadm trigger --settle --action=change --subsystem-match=input".to_owned()],
    );
    it.panel("1920x1080");
    assert_eq!((it.run("turn-screen"), told()), ((true, Vec::new()), None), "nobody says how");
    it.write("usr/share/kiosk/turned", "270\n");
    for (mode, is_turned) in [
        ("1920x1080", true),
        ("1920x1080i", true),
        ("1920x1080", true),
        ("1080x1920", false),
        ("480x800", false),
        ("800x480", true),
        ("900x900", false),
        ("1280x1024", true),
    ] {
        it.panel(mode);
        let was = told();
        let wanted = yes.clone().filter(|_| is_turned);
        let calls = if was == wanted { Vec::new() } else { again.clone() };
        assert_eq!(it.run("turn-screen"), (true, calls), "{mode}");
        assert_eq!(told(), wanted, "{mode}");
    }
    it.write("usr/share/kiosk/splash-size", "800,480\n");
    it.panel("480x800");
    it.run("turn-screen");
    assert_eq!(told(), yes, "a variant that lies, on a panel that stands");
}

#[test]
fn the_program_waits_for_a_screen_and_not_for_ever() {
    let it = Terminal::new("");
    it.panel("");
    assert_eq!(it.run("turn-screen"), (false, Vec::new()));
    let status = it.text("sys/class/drm/card0-HDMI-A-1/status");
    let modes = status.replace("status", "modes");
    it.tool("sleep", &format!("; echo 1080x1920 > {modes}; echo connected > {status}"), 0);
    assert!(it.run("turn-screen").0, "it was switched on later");
}

#[test]
fn the_stick_comes_first() {
    let it = Terminal::new("rauc");
    it.write(FETCHED, "fetched");
    it.write(BUNDLE, "from the stick");
    it.run("update");
    assert!(!it.path(BUNDLE).exists());
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

/// A stick with these files, and so many MiB free for what it brings.
fn stick(it: &Terminal, files: &[(&str, &str)], free_mib: u64) {
    let place = it.path("run/kiosk-stick/sda1");
    fs::remove_dir_all(&place).unwrap();
    fs::create_dir(&place).unwrap();
    for (name, text) in files {
        fs::write(place.join(name), text).unwrap();
    }
    it.tool("df", &free_mib.to_string(), 0);
}

impl Terminal {
    /// Takes what the stick brings; which of these came.
    fn brought(&self, files: &[&str]) -> Vec<bool> {
        self.run_for("take-stick", &["sda1"]);
        files.iter().map(|file| self.path(file).exists()).collect()
    }
}

#[test]
fn a_stick_takes_no_room_that_the_terminal_needs_and_what_fails_is_no_reason_to_leave_the_rest() {
    let all = [BUNDLE, "run/kiosk-setup/setup.kiosk", "run/kiosk-setup/reset.kiosk"];
    let files = [("update.raucb", "bundle"), ("setup.kiosk", "site"), ("reset.kiosk", "order")];
    for (free_mib, comes) in [(599, false), (600, true)] {
        let it = Terminal::new("");
        stick(&it, &files, free_mib);
        assert_eq!(it.brought(&all), [comes, true, true], "{free_mib} MiB");
    }
    // One that cannot be read to its end.
    let it = Terminal::new("");
    stick(&it, &files, 1000);
    it.tool("cp", "; for last; do :; done; [ \"$1\" = \"${1%setup.kiosk}\" ] && exec /bin/cp \"$@\"; echo half > $last", 1);
    assert_eq!(it.brought(&all), [true, false, true]);
    let left = |folder: &str| fs::read_dir(it.path(folder)).unwrap().count();
    assert_eq!((left("run/kiosk-setup"), left("data/updates")), (1, 1), "no half of it stays");
    // An order that is no order.
    let it = Terminal::new("");
    stick(&it, &[("reset.kiosk", &"x".repeat((1 << 20) + 1))], 1000);
    assert_eq!(it.brought(&all), [false; 3]);
    // One that does not open.
    let it = Terminal::new("mount");
    stick(&it, &files, 1000);
    assert_eq!(it.brought(&all), [false; 3]);
}

#[test]
fn what_a_stick_left_half_is_taken_away_before_it_is_asked_how_much_room_there_is() {
    let it = Terminal::new("");
    it.write("data/updates/update.raucb.new", "half");
    stick(&it, &[("update.raucb", "bundle")], 1000);
    let half = it.text("data/updates/update.raucb.new");
    it.tool("df", &format!("; [ -e {half} ] && echo 599 || echo 1000"), 0);
    assert_eq!(it.brought(&[BUNDLE, "data/updates/update.raucb.new"]), [true, false]);
}

#[test]
fn who_knows_names_is_told_to_the_c_library() {
    let it = Terminal::new("");
    let written = |state: &str| {
        it.write("run/systemd/netif/state", state);
        assert!(it.run_for("names", &["once"]).0);
        fs::read_to_string(it.path("run/kiosk-net/resolv.conf")).unwrap()
    };
    let two =
        "# This is private data.\nOPER_STATE=routable\nDNS=10.0.2.3 192.168.1.1\nNTP=10.0.2.4\n";
    assert_eq!(written(two), "nameserver 10.0.2.3\nnameserver 192.168.1.1\n");
    assert_eq!(written("OPER_STATE=off\n"), "", "the cable is out");
}

#[test]
fn a_program_that_does_not_stay_up_is_not_vouched_for() {
    for (dies, is_good) in [(0, true), (1, true), (2, false)] {
        let it = Terminal::new("");
        it.slot('B', 3);
        let counted = it.text("starts");
        it.tool("systemctl", &format!("; [ $1 = show ] && cat {counted}; true"), 0);
        let again = format!("; echo {} > {counted}", 7 + dies);
        for when in ["sleep", "setpriv"] {
            it.write("starts", "7\n");
            it.tool("sleep", "", 0);
            it.tool("setpriv", "", 0);
            it.tool(when, &again, 0);
            let (ended_well, calls) = it.run("vouch");
            assert_eq!(ended_well, is_good, "{dies} in {when}: {calls:?}");
            assert_eq!(calls.iter().any(|call| call == "rauc status mark-good"), is_good);
            // What the check finds good the program believes.
            let is_checked = calls.iter().any(|call| call.starts_with("setpriv"));
            assert_eq!(is_checked, is_good || when == "setpriv");
        }
    }
}

/// What stands where a command stands and is a program of this machine is one that the image is asked for: a shell goes on
/// without a tool that it does not find.
#[test]
fn what_the_scripts_call_is_asked_of_the_image() {
    let folder = repository().join("image-build/files/usr/lib/kiosk");
    let scripts = fs::read_dir(folder).unwrap();
    let scripts: Vec<String> =
        scripts.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    let functions = scripts.iter().flat_map(|text| text.lines());
    let functions: Vec<&str> = functions.filter_map(|line| line.strip_suffix("() {")).collect();
    let mut n_found = 0;
    for text in &scripts {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let text = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ").replace("$((", "$");
        let places = text.split(['\n', ';', '|', '&', '(', '{']);
        for place in places {
            let lead = ["if", "elif", "then", "else", "do", "until", "while", "!", "exec"];
            let mut words = place.split_whitespace().skip_while(|word| lead.contains(word));
            let Some(word) = words.next() else {
                continue;
            };
            let is_own = SHELLS_OWN.contains(&word)
                || functions.contains(&word)
                || word.contains(['=', '$', '"', '/', ')']);
            let is_here =
                ["/usr/bin", "/usr/sbin"].iter().any(|at| PathBuf::from(at).join(word).exists());
            if !is_own && is_here {
                assert!(CALLED.contains(&word), "{word} in {place:?}");
                n_found += 1;
            }
        }
    }
    assert!(n_found > 60, "{n_found} calls");
}

const SHELLS_OWN: [&str; 11] =
    [".", ":", "echo", "printf", "read", "[", "test", "true", "false", "kill", "umask"];

/// A partition for keys, and a data partition that one key opens.
struct KeyPartition(Terminal);

impl KeyPartition {
    /// As a new terminal makes it.
    fn new() -> Self {
        let it = Terminal::new("");
        fs::create_dir(it.path("work")).unwrap();
        it.write("key", &"\0".repeat(1 << 20));
        let (given, right) = (it.text("tools/cryptsetup.given"), it.text("right"));
        it.tool(
            "cryptsetup",
            &format!("; [ ! -e {right} ] || cmp -s {given} {right} || exit 1"),
            0,
        );
        let made = Self(it);
        made.dd("nothing");
        assert_eq!(
            made.run("new_key && secret $copy | cryptsetup && look && unlocked && mark").0,
            "0"
        );
        fs::rename(given, right).unwrap();
        assert_eq!(made.copies()[0], made.copies()[1]);
        made
    }

    /// `dd` fails where its words have this.
    fn dd(&self, fails: &str) {
        let words = format!("; case \"$*\" in *{fails}*) exit 1;; esac; exec /bin/dd \"$@\"");
        self.0.tool("dd", &words, 1);
    }

    /// What these words of `open-data` come to; whether the partition was made to its end and could be read; and how
    /// often something was written.
    fn run(&self, words: &str) -> (String, bool, bool, usize) {
        let it = &self.0;
        let keys = repository().join("image-build/files/usr/lib/kiosk/keys");
        let (key, work) = (it.text("key"), it.text("work"));
        let text = format!(
            "set -u; key={key} disk=none work={work}; . {}; look; {words}; echo \" $? w$is_whole u$is_unreadable\"",
            keys.display()
        );
        let path = format!("{}:{}", it.text("tools"), std::env::var("PATH").unwrap());
        let said = Command::new("sh").args(["-c", &text]).env("PATH", path).output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let last: Vec<&str> = said.lines().last().unwrap().split_whitespace().collect();
        let calls = fs::read_to_string(it.path("calls")).unwrap_or_default();
        let _ = fs::remove_file(it.path("calls"));
        let n_written = calls.lines().filter(|call| call.contains(&format!("of={key}"))).count();
        (last[0].into(), last[1] == "wyes", last[2] == "uyes", n_written)
    }

    fn copies(&self) -> [Vec<u8>; 2] {
        let bytes = fs::read(self.0.path("key")).unwrap();
        [0, COPY].map(|at| bytes[at..at + 1024].to_vec())
    }

    fn spoil(&self, at: usize) {
        let mut bytes = fs::read(self.0.path("key")).unwrap();
        bytes[at..at + 512].fill(0xa5);
        fs::write(self.0.path("key"), bytes).unwrap();
    }
}

/// From one copy of the key to the other.
const COPY: usize = 512 << 10;

#[test]
fn one_lost_copy_of_the_key_is_made_good_and_a_whole_one_is_left_alone() {
    let opens = "unlocked && mark";
    let whole = KeyPartition::new();
    assert_eq!(whole.run(opens), ("0".into(), true, false, 0), "nothing is written at a start");
    let good = whole.copies();
    for at in [0, 512, COPY, COPY + 512] {
        whole.spoil(at);
        assert_eq!(whole.run(opens), ("0".into(), true, false, 1), "{at}");
        assert_eq!(whole.copies(), good, "{at}");
    }
}

#[test]
fn a_copy_of_the_key_that_can_neither_be_read_nor_written_is_no_reason_not_to_serve() {
    for place in ["0", "1024"] {
        let it = KeyPartition::new();
        it.dd(&format!("skip={place}"));
        let (ended, is_whole, is_unreadable, _) = it.run("unlocked && mark");
        assert_eq!((&*ended, is_whole, is_unreadable), ("0", true, true), "{place}");
        it.dd(&format!("seek={place}"));
        it.spoil(place.parse::<usize>().unwrap() * 512);
        assert_eq!(it.run("unlocked && mark").0, "0", "{place}");
    }
    let it = KeyPartition::new();
    it.spoil(512);
    it.spoil(COPY + 512);
    it.dd("seek=");
    assert_eq!(
        it.run("unlocked && mark").0,
        "1",
        "no mark would keep the partition from being made anew"
    );
}

#[test]
fn without_a_key_it_is_known_whether_there_is_work_that_it_opened() {
    let it = KeyPartition::new();
    it.spoil(0);
    it.spoil(COPY);
    assert_eq!(it.run("unlocked"), ("1".into(), true, false, 0), "the mark is there");
    it.spoil(512);
    it.dd("skip=1024");
    assert_eq!(it.run("unlocked"), ("1".into(), false, true, 0), "nobody knows");
    it.dd("nothing");
    it.spoil(COPY + 512);
    assert_eq!(
        it.run("unlocked"),
        ("1".into(), false, false, 0),
        "it was overwritten to begin anew"
    );
    it.dd("of=");
    assert_eq!(it.run("new_key").0, "1", "a key that cannot be kept is none");
}

/// A card of so many sectors, with a data partition of 1 GiB that begins at 1 GiB.
fn card(sectors: u64) -> Terminal {
    let it = Terminal::new("");
    let part = "sys/devices/mmcblk0/mmcblk0p8";
    fs::create_dir_all(it.path(part)).unwrap();
    fs::create_dir_all(it.path("sys/class/block")).unwrap();
    symlink(it.path(part), it.path("sys/class/block/mmcblk0p8")).unwrap();
    it.write("sys/devices/mmcblk0/size", &format!("{sectors}\n"));
    for (name, number) in [("start", GIB), ("size", GIB), ("partition", 8)] {
        it.write(&format!("{part}/{name}"), &format!("{number}\n"));
    }
    it
}

/// In sectors.
const GIB: u64 = 1 << 21;
const MIB: u64 = 1 << 11;

#[test]
fn the_data_partition_takes_the_rest_of_a_larger_card_in_whole_mebibytes() {
    let grow = [
        "sfdisk --quiet --no-reread --no-tell-kernel -N 8 /dev/mmcblk0",
        "partx --update --nr 8 /dev/mmcblk0",
    ];
    for (sectors, grows) in [
        (2 * GIB + 2048, false),
        (2 * GIB + 64 * MIB + 33, false),
        (2 * GIB + 64 * MIB + 34, true),
        (60 * GIB + 77, true),
        // What cannot be: a card that ends before its partition.
        (GIB, false),
    ] {
        let it = card(sectors);
        let wanted = if grows { grow.map(str::to_owned).to_vec() } else { Vec::new() };
        assert_eq!(it.run_for("grow-data", &["mmcblk0p8"]), (true, wanted), "{sectors}");
        if grows {
            let size = (sectors - 34 - GIB) / MIB * MIB;
            let given = fs::read_to_string(it.path("tools/sfdisk.given")).unwrap();
            assert_eq!(given, format!(", {size}\n"));
        }
    }
}

/// A machine that has run for 1000.07 s, on which it cannot be before 2026-01-01.
fn clock(word: &str) -> Terminal {
    let it = Terminal::new("");
    it.write("proc/uptime", "1000.07 3999.99\n");
    it.write("dev/rtc0", "");
    it.write("usr/lib/clock-epoch", "");
    let made = SystemTime::UNIX_EPOCH + Duration::from_secs(MADE_S);
    let version = fs::File::options().write(true).open(it.path("usr/lib/clock-epoch"));
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
    it.tool("date", "", 1);
    let (_, mut calls) = set("1794794400.008");
    calls.pop();
    assert_eq!(it.run("set-clock"), (false, calls));
}

/// The settings that a word comes to; none where it is refused.
fn line(it: &Terminal, word: &str) -> Option<String> {
    it.write(LINE, word);
    let (ended_well, calls) = it.run("set-line");
    assert!(!it.path(LINE).exists(), "{word:.40?} would be looked at for ever");
    assert_eq!(ended_well, !calls.is_empty(), "{word:.40?}");
    ended_well.then(|| fs::read_to_string(it.path(SITE)).unwrap_or_default())
}

const LINE: &str = "run/kiosk-line/word";
const SITE: &str = "run/systemd/network/80-kiosk.network.d/site.conf";
const AGAIN: &str = "systemctl --no-block try-restart systemd-networkd.service";

#[test]
fn the_line_has_the_address_of_the_site_until_the_router_gives_it() {
    let it = Terminal::new("");
    assert_eq!(it.run("set-line"), (true, Vec::new()), "no word was left yet");
    it.write(LINE, "router\n");
    assert_eq!(it.run("set-line"), (true, Vec::new()), "it does so anyway");
    for (word, lines) in [
        ("10.2.3.4/24 -\n", "Address=10.2.3.4/24\n"),
        ("10.2.3.4/24 10.2.3.1\n", "Address=10.2.3.4/24\nGateway=10.2.3.1\n"),
        (
            "172.16.9.2/30 172.16.9.1 223.5.5.5 10.0.0.1 10.255.0.249\n",
            "Address=172.16.9.2/30\nGateway=172.16.9.1\nDNS=223.5.5.5\nDNS=10.0.0.1\nDNS=10.255.0.249\n",
        ),
    ] {
        let settings = line(&it, word).unwrap();
        assert_eq!(settings, format!("[Network]\nDHCP=no\n{lines}"));
        it.write(LINE, word);
        assert_eq!(it.run("set-line"), (true, Vec::new()), "it is not set a second time");
    }
    it.write(LINE, "router\n");
    assert_eq!(it.run("set-line"), (true, vec![AGAIN.to_owned()]));
    assert!(!it.path(SITE).exists());
}

#[test]
fn what_is_no_address_does_not_get_into_the_settings_of_the_network() {
    let it = Terminal::new("");
    let before = line(&it, "10.2.3.4/24 10.2.3.1\n").unwrap();
    let long = "9".repeat(60_000);
    for word in [
        "",
        "\n",
        "router router\n",
        "routers\n",
        "10.2.3.4/24\n",
        "10.2.3.4 -\n",
        "10.2.3.4/ -\n",
        "/24 -\n",
        "10.2.3.4/31 -\n",
        "10.2.3.4/7 -\n",
        "10.2.3.4/024 -\n",
        "10.2.3.4/24/24 -\n",
        "10.2.3/24 -\n",
        "10.2.3.4.5/24 -\n",
        "10.2.3./24 -\n",
        "10.2..4/24 -\n",
        ".2.3.4/24 -\n",
        "10.2.3.256/24 -\n",
        "10.2.3.04/24 -\n",
        "10.2.3.4/24 10.2.3\n",
        "10.2.3.4/24 router\n",
        "10.2.3.4/24 - -\n",
        "10.2.3.4/24 - 1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4\n",
        "10.2.3.4/24 - Name=*\n",
        "10.2.3.4/24 $(reboot)\n",
        "* *\n",
        &long,
    ] {
        assert_eq!(line(&it, word), None, "{word:.40?}");
    }
    assert_eq!(fs::read_to_string(it.path(SITE)).unwrap(), before);
    fs::remove_file(it.path(LINE)).unwrap_or_default();
    it.write("secret", "10.9.9.9/24 -\n");
    symlink(it.path("secret"), it.path(LINE)).unwrap();
    assert_eq!(it.run("set-line"), (false, Vec::new()), "a link is not followed");
    fs::create_dir_all(it.path(LINE).join("deep")).unwrap();
    assert_eq!(it.run("set-line"), (false, Vec::new()), "a folder is no word");
    assert!(!it.path(LINE).exists());
    assert_eq!(fs::read_to_string(it.path(SITE)).unwrap(), before);
}
