//! An edition that the authority offers reaches the real terminal between the records of its visitors.

use std::fs;
use std::path::Path;
use std::process::Command;

use kiosk_tests::demo::Demo;
use kiosk_tests::process::wait_until;
use kiosk_tests::{is_set_up, program};

#[test]
fn an_edition_that_is_offered_lies_ready_for_the_night() {
    if !is_set_up() {
        return;
    }
    let folder = tempfile::tempdir().expect("there is room");
    let file = |name: &str| folder.path().join(name);
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i / 251) as u8).collect();
    fs::write(file("bundle"), &bytes).expect("a file");
    fs::write(file("version"), "0.1.0\n").expect("a file");
    let update = format!(
        "[update]\nvariant = \"qemu\"\nevery_s = 0\nfolder = {:?}\nedition_file = {:?}\n",
        file("update"),
        file("version")
    );
    fs::write(file("settings"), update).expect("a file");
    let settings = Some(file("settings"));
    let demo = Demo { out: file("out"), seed: 1, visits: 1, settings };
    let mut run = demo.start();
    run.until(1, "card-read");
    let offered = Command::new(program("authority"))
        .args(["offer", "--variant", "qemu", "--edition", "0.1.1"])
        .args(["--data", text(&demo.authority()), "--bundle", text(&file("bundle"))])
        .status();
    assert!(offered.expect("the authority's program").success());
    let log = || fs::read_to_string(demo.log()).expect("a log");
    wait_until("the update", || log().contains("update edition=\"0.1.1\" fetched"));
    assert!(fs::read(file("update/update.raucb")).expect("a file") == bytes);
    run.kill();
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}
