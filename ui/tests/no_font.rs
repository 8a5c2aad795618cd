//! A terminal without any font says so; it must not restart for ever on a panic of the font library.

use std::process::Command;

use ui::{Screen, ScreenError};

#[test]
fn a_missing_font_is_named_and_not_a_crash() {
    if std::env::var_os(CHILD).is_some() {
        let error = Screen::headless(800, 480).err().expect("there is no font in this process");
        assert!(matches!(error, ScreenError::NoFont), "{error}");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let conf = folder.path().join("fonts.conf");
    std::fs::write(&conf, "<?xml version=\"1.0\"?><fontconfig></fontconfig>").expect("a file");
    let child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "a_missing_font_is_named_and_not_a_crash"])
        .env(CHILD, "1")
        .env("FONTCONFIG_FILE", conf)
        .output()
        .expect("this test once more");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}

/// Set for the process that has no font.
const CHILD: &str = "UI_TEST_WITHOUT_FONT";
