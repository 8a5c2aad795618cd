//! The authority orders a terminal to begin anew: its site goes, and nothing that it recorded does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kiosk_tests::demo::{Demo, assert_the_authority_has_four, summary_of_four};
use kiosk_tests::process::wait_until;
use kiosk_tests::{is_set_up, program};

#[test]
fn a_terminal_that_begins_anew_keeps_what_it_recorded_and_sends_it() {
    if !is_set_up() {
        return;
    }
    let folder = tempfile::tempdir().expect("there is room");
    let (out, site) = (folder.path().join("out"), folder.path().join("out/state/provisioned"));
    let brought = folder.path().join("reset.kiosk");
    let setup =
        format!("[setup]\nfile = {:?}\nsite = {site:?}\n", brought.with_file_name("setup.kiosk"));
    let settings = folder.path().join("settings");
    fs::write(&settings, setup).expect("a file");
    let demo = Demo { out, seed: 1, visits: 4, settings: Some(settings) };
    let said = |words: &str| fs::read_to_string(demo.log()).expect("a log").matches(words).count();

    let mut run = demo.start();
    run.until(1, "card-read");
    fs::write(&brought, b"no order at all").expect("a file");
    wait_until("the first refusal", || said("err-reset-refused") == 1);
    fs::remove_file(&brought).expect("a file");
    wait_until("the end of it", || said("works device=\"device-setup\"") == 1);
    order(&demo, "another-terminal", &brought);
    wait_until("the second refusal", || said("err-reset-refused") == 2);
    order(&demo, &device_of(&site), &brought);
    // Not while somebody is served.
    run.until(1, "record-sealed");
    assert!(site.exists());
    run.end_badly();
    assert_eq!(said("the site was set aside"), 1);
    let aside = aside(&site);
    assert!(!site.exists());

    // As an agency does it that kept what it had provisioned. The stick is still plugged in.
    let copied = Command::new("cp").arg("-r").args([&aside, &site]).status();
    assert!(copied.expect("cp").success());
    let ended = demo.start().end_well();
    assert!(ended.said.contains("visit 1: already recorded"), "{}", ended.said);
    assert_eq!(said("the site was set aside"), 1);
    assert_eq!(demo.summary(), summary_of_four(1));
    assert_the_authority_has_four(&demo);
}

fn order(demo: &Demo, device: &str, file: &Path) {
    let fresh = file.with_extension("new");
    let mut reset = Command::new(program("authority"));
    reset.arg("reset").arg("--data").arg(demo.authority());
    let status = reset.args(["--device", device, "--out"]).arg(&fresh).status();
    assert!(status.expect("the authority's program").success());
    fs::rename(fresh, file).expect("a file");
}

fn device_of(site: &Path) -> String {
    let text = fs::read_to_string(site.join("authority.toml")).expect("what was provisioned");
    let table: toml::Table = text.parse().expect("TOML");
    table["device"].as_str().expect("a name").to_owned()
}

/// The one folder that the site became.
fn aside(site: &Path) -> PathBuf {
    let beside = fs::read_dir(site.parent().expect("a folder")).expect("a folder");
    let paths = beside.map(|entry| entry.expect("an entry").path());
    let name = |path: &PathBuf| path.to_string_lossy().contains("provisioned.before-");
    let mut found: Vec<PathBuf> = paths.filter(name).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}
