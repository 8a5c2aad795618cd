//! The example is read with every key; what cannot be meant is refused in words.

use super::*;

#[test]
fn the_example_has_every_table_and_is_read() {
    let config = read(EXAMPLE).expect("the example is right");
    assert!(config.id_card.is_some() && config.camera.is_some() && config.printer.is_some());
    let livescan = config.fingerprint.and_then(|fingerprint| fingerprint.livescan);
    assert_eq!(livescan.map(|livescan| livescan.settings().ppi), Some(500));
    let social = config.social_card.map(|social| social.settings().reader);
    assert_eq!(social, Some(Some("ACS".into())));
    assert_eq!(config.speaker.map(|speaker| speaker.settings().volume), Some(80));
    let panel = config.panel.expect("the example has a panel").settings();
    assert!(panel.lamps.len() == 5 && panel.light.is_some() && panel.tamper.is_some());
    let display = config.customer_display.map(|display| display.settings());
    assert!(matches!(display, Some(drivers::display::DisplayConfig::St7789(_))));
    assert_eq!(config.power.shut_down.len(), 2);
    assert!(config.clock.is_some_and(|clock| clock.word.ends_with("kiosk-clock/word")));
    assert!(config.network.is_some_and(|network| network.word.ends_with("kiosk-line/word")));
    assert!(config.line.is_some_and(|line| line.address == "10.2.3.4/24"));
    assert!(config.served.is_some_and(|served| served.file.ends_with("kiosk/served")));
    assert_eq!(config.update.map(|update| update.every_s), Some(21_600));
}

#[test]
fn what_cannot_be_meant_is_refused_in_words() {
    for (from, to, expected) in [
        (
            "10.2.3.4/24",
            "10.2.3.4/40",
            "[line] address 10.2.3.4/40 is none that a terminal can have",
        ),
        ("volume = 80", "volume = 101", "[speaker] volume is more than 100"),
        ("fill_percent = 60", "fill_percent = 200", "[panel] fill_percent is more than 100"),
        ("critical_percent = 8", "critical_percent = 20", "critical_percent is not below"),
        ("rotation = 0 ", "rotation = 45 ", "[camera] rotation is none of"),
        ("# port = \"/dev/ttyAMA0\"", "port = \"x\"", "both port and livescan"),
        ("\"GPIO6\"", "\"GPIO5\"", "GPIO5 is used twice"),
        ("[panel]", "[panell]", "unknown field `panell`"),
        ("buzzer = {", "buzer = {", "unknown field `buzer`"),
        ("pull = \"down\"", "pull = \"left\"", "unknown variant `left`"),
        ("variant = \"counter\"", "variant = \"../x\"", "[update] variant ../x is no kind"),
        ("customer_display.st7789", "customer_display.st7735", "unknown variant `st7735`"),
    ] {
        assert!(EXAMPLE.contains(from), "{from} is in the example");
        let told = read(&EXAMPLE.replacen(from, to, 1)).expect_err(to);
        assert!(told.contains(expected), "{to}: {told}");
    }
}

#[test]
fn a_module_needs_a_profile_that_is_known() {
    let module = EXAMPLE.replace("# port = \"/dev/ttyAMA0\"", "port = \"x\"");
    let (before, after) = module.split_once("\n[fingerprint.livescan]").expect("there");
    let (_, after) = after.split_once("# 凭条打印机").expect("there");
    let module = format!("{before}\n# {after}");
    assert!(read(&module).is_ok());
    let told = read(&module.replace("\"as608\"", "\"as609\"")).expect_err("no such profile");
    assert!(told.contains("profile as609 is not known"), "{told}");
    let told = read(&module.replace("port = \"x\"", "")).expect_err("no port");
    assert!(told.contains("needs port or livescan"), "{told}");
}

fn read(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kiosk.toml");
    std::fs::write(&file, text).expect("a file");
    Config::read(&file).map_err(|problem| crate::chain(&problem))
}

const EXAMPLE: &str = include_str!("../../example.toml");

#[test]
fn settings_of_the_site_lie_in_any_folder_and_need_not_be_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (file, site) = (folder.path().join("kiosk.toml"), folder.path().join("settings"));
    let works = EXAMPLE.split("[[operator]]").next().unwrap();
    std::fs::write(&file, works).unwrap();
    assert!(matches!(Config::read_with(&file, &site), Err(ConfigError::NotSetUp(_))));
    std::fs::create_dir(&site).unwrap();
    let operators = EXAMPLE.split_once("[[operator]]").unwrap().1;
    std::fs::write(site.join("site.toml"), format!("[[operator]]{operators}")).unwrap();
    assert_eq!(Config::read_with(&file, &site).unwrap().operator.len(), 2);
    assert!(!Config::read_incomplete(&file).unwrap().is_set_up());
}
