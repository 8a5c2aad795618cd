//! `kiosk devices` and `kiosk selftest` as somebody at a keyboard uses them, on the simulated counter: a fault becomes
//! a capture that plays back the same, and the morning check says what is wrong and what to do.

#[path = "../drivers/tests/devices/pcsc_service.rs"]
mod pcsc_service;
#[path = "../drivers/tests/devices/virtual_card.rs"]
#[expect(dead_code, reason = "this card is never read to its end here")]
mod virtual_card;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use kiosk_tests::demo::Demo;
use kiosk_tests::process::wait_until;
use kiosk_tests::{is_set_up, program};
use serde_json::{Value, json};

use pcsc_service::{Service, in_a_network_of_its_own, is_inside};
use virtual_card::{Inserted, Trouble, VirtualCard};

#[test]
fn a_recorded_card_read_plays_back_with_the_same_answer() {
    let counter = Counter::start();
    counter.order("CARD 3");
    let recorded = counter.record("id-card", &[]);
    let said = text(&recorded);
    assert!(said.contains("card reader answers at 115200 baud\n"), "{said}");
    assert!(said.contains("card read: Citizen, photo 1024"), "{said}");
    // What a replay says cannot come from the device.
    counter.order("UNPLUG id-card");
    assert_eq!(text(&counter.replay("id-card")), said);
}

#[test]
fn a_recorded_finger_and_a_recorded_slip_play_back_with_the_same_answers() {
    let counter = Counter::start();
    counter.order("FINGER 3 right-index");
    let finger = text(&counter.record("fingerprint", &[]));
    assert!(finger.contains("image 256x288 at 500 per inch, mark "), "{finger}");
    assert_eq!(text(&counter.replay("fingerprint")), finger);

    counter.order("PAPER LOW");
    let slip = text(&counter.record("printer", &[]));
    assert!(slip.contains("test slip: Done { paper_low: true }\n"), "{slip}");
    assert_eq!(text(&counter.replay("printer")), slip);
}

#[test]
fn a_fault_in_the_field_plays_back_as_that_fault() {
    let counter = Counter::start();
    counter.order("DEAD-SAM");
    let said = text(&counter.record("id-card", &["--seconds", "1"]));
    assert!(said.contains("fault id-card-reader-sam-dead"), "{said}");
    assert_eq!(text(&counter.replay("id-card")), said);
}

#[test]
fn a_capture_that_was_changed_is_told_with_its_line() {
    let counter = Counter::start();
    counter.order("CARD 1");
    counter.record("id-card", &[]);
    let file = counter.capture("id-card");
    let capture = fs::read_to_string(&file).unwrap();
    // The driver sends a status request first; here it seems to have sent something else.
    let bent = capture.replacen("> aaaaaa9669000311", "> aaaaaa9669000312", 1);
    assert_ne!(bent, capture);
    fs::write(&file, bent).unwrap();
    let played = counter.replay("id-card");
    assert!(!played.status.success());
    let wrong = String::from_utf8_lossy(&played.stderr);
    assert!(wrong.contains("capture line 3: "), "{wrong}");
}

#[test]
fn a_capture_is_its_owners_alone_and_never_written_over() {
    let counter = Counter::start();
    counter.order("CARD 1");
    counter.record("id-card", &[]);
    let file = counter.capture("id-card");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&file).unwrap();
    let again = counter.run_record("id-card", &[]);
    assert!(!again.status.success());
    assert!(fs::read(&file).unwrap() == before);
}

#[test]
fn a_running_kiosk_can_be_listened_to() {
    let counter = Counter::start();
    counter.order("CARD 2");
    let out = counter.capture("kiosk");
    let mut tee = Command::new(program("kiosk"))
        .args(["devices", "record", "--port"])
        .arg(counter.device("id-card"))
        .arg("--out")
        .arg(&out)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(tee.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = out.with_extension("port");
    assert!(line.contains(&port.display().to_string()), "{line}");
    // Another record stands for the kiosk: its driver reads the card through the port.
    let through = counter.run_record_at(&port, &counter.capture("through"), "id-card", &[]);
    assert!(text(&through).contains("card read: Citizen"));
    tee.kill().unwrap();
    tee.wait().unwrap();
    let played = counter.run_replay(&out, "id-card");
    assert_eq!(text(&played), text(&through));
}

#[test]
fn the_morning_check_finds_all_devices_well() {
    let counter = Counter::start();
    let (report, ended_well) = counter.selftest(&[]);
    let failing = report.to_string().contains("\"fails\"");
    assert_eq!((report["ok"] == true, ended_well), (!failing, !failing));
    assert_eq!(codes(&report), ["id-card ok", "photo-decoder ok", "fingerprint ok", "printer ok"]);
    assert_eq!(report["devices"][0]["what"], json!({"zh": "正常。", "en": "Works."}));
}

#[test]
fn the_morning_check_says_what_is_wrong_and_what_to_do() {
    let counter = Counter::start();
    for order in ["PAPER OUT", "DEAD-SAM", "UNPLUG fingerprint"] {
        counter.order(order);
    }
    let (report, ended_well) = counter.selftest(&[]);
    assert!(!ended_well);
    assert_eq!(report["ok"], false);
    let expected = [
        "id-card id-card-reader-sam-dead",
        "photo-decoder ok",
        "fingerprint finger-reader-unplugged",
        "printer printer-paper-out",
    ];
    assert_eq!(codes(&report), expected);
    for failed in [0, 2, 3] {
        let device = &report["devices"][failed];
        assert_eq!(device["state"], "fails");
        assert!(device["todo"]["zh"].as_str().is_some_and(|todo| todo.starts_with('请')));
    }

    let told = counter.run_selftest(&["printer"]);
    assert!(!told.status.success());
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(said.starts_with("✗ 打印机 receipt printer：打印纸用完了。"), "{said}");
    assert!(said.contains("→ 请换一卷打印纸"), "{said}");
    assert!(said.contains("printer-paper-out"), "{said}");
}

#[test]
fn what_only_wants_attention_does_not_stop_the_day() {
    let counter = Counter::start();
    counter.order("PAPER LOW");
    let (report, ended_well) = counter.selftest(&["printer"]);
    assert!(ended_well);
    assert_eq!(codes(&report), ["printer printer-paper-low"]);
    assert_eq!(report["devices"][0]["state"], "attention");
}

#[test]
fn every_kind_of_device_is_checked_and_each_fault_has_its_code_and_its_words() {
    let counter = Counter::start();
    counter
        .add_settings(&MORE_DEVICES.replace("FOLDER", &counter.device("").display().to_string()));
    let (report, ended_well) = counter.selftest(&[]);
    assert!(!ended_well);
    let devices = report["devices"].as_array().unwrap();
    let found: Vec<String> = devices.iter().map(row).collect();
    let expected = [
        "id-card ok",
        "photo-decoder ok",
        "social-card social-card-service-away|social-card-reader-unplugged",
        "fingerprint finger-reader-plugin-missing",
        "document-camera camera-unplugged",
        "printer ok",
        "panel panel-unplugged|panel-line-missing",
        "customer-display customer-display-unplugged",
        "speaker speaker-prompts-missing",
        "power power-battery-low",
        "clock *",
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        let (device, codes) = expected.split_once(' ').unwrap();
        let (of, code) = found.split_once(' ').unwrap();
        assert_eq!(of, device);
        assert!(codes == "*" || codes.split('|').any(|known| known == code), "{found}");
    }
    for device in devices.iter().filter(|device| device["state"] != "works") {
        for words in ["what", "todo"] {
            assert!(device[words]["zh"].as_str().is_some_and(|zh| !zh.is_ascii()), "{device}");
            assert!(device[words]["en"].as_str().is_some_and(str::is_ascii), "{device}");
        }
    }
    let text = counter.run_selftest(&["customer-display"]);
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(text.starts_with("✗ 客显屏 customer display：") && text.contains("    → 请"), "{text}");
}

/// A port that is no path is a device on USB, wherever it is plugged in.
#[test]
fn a_card_reader_that_is_named_by_what_it_is_and_is_not_there_is_told() {
    let counter = Counter::start();
    let port = counter.device("id-card").display().to_string();
    let settings = fs::read_to_string(counter.settings()).unwrap();
    fs::write(counter.settings(), settings.replace(&port, "usb:0400:c35a")).unwrap();
    let (report, ended_well) = counter.selftest(&["id-card"]);
    assert!(!ended_well);
    assert_eq!(codes(&report), ["id-card id-card-reader-unplugged"]);
}

/// Ten minutes of silence are told as what they are, and nobody waits for their end.
#[test]
fn a_device_that_says_nothing_is_told_and_not_waited_for() {
    let counter = Counter::start();
    for order in ["id-card", "fingerprint", "printer"] {
        counter.order(&format!("SILENCE {order} 600000"));
    }
    let (report, ended_well) = counter.selftest(&[]);
    assert!(!ended_well);
    for device in report["devices"].as_array().unwrap() {
        let serial = ["id-card", "fingerprint", "printer"].iter().any(|of| device["device"] == *of);
        let code = device["code"].as_str().unwrap();
        let told = code.ends_with("-silent") || code == "check-too-late";
        assert!(!serial || told, "{device}");
    }
}

#[test]
fn a_device_that_is_not_in_the_settings_cannot_be_asked_for() {
    let counter = Counter::start();
    let told = counter.run_selftest(&["camera"]);
    assert!(!told.status.success());
    assert!(String::from_utf8_lossy(&told.stderr).contains("设置里没有这个设备"));
}

/// In the running program: pulled out, told, plugged in again, found; what was never there is told as well, what there is
/// is used, and every visit comes to its end.
#[test]
fn a_running_kiosk_tells_what_is_missing_and_finds_again_what_was_pulled_out() {
    if !is_set_up() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let settings = MORE_DEVICES.replace("FOLDER", &folder.path().display().to_string());
    // The fingerprint module is the demonstration's.
    let settings = settings
        .replace("[fingerprint.livescan]", "")
        .replace(r#"command = ["no-such-plugin-here"]"#, "");
    fs::write(at("more.toml"), settings).unwrap();
    record_prompt(&at("lay-card.wav"));
    let more = Some(at("more.toml"));
    let demo = Demo { out: at("out"), seed: 5, visits: 1, settings: more };
    let running = demo.start();
    let log = || fs::read_to_string(demo.log()).unwrap_or_default();
    let told = |line: &str| wait_until(line, || log().contains(line));
    for line in [
        "trouble device=\"device-panel\" code=\"err-panel-silent\"",
        "trouble device=\"device-customer-display\" code=\"err-customer-display\"",
        "trouble device=\"device-social-card\" code=\"err-social-reader-silent\"",
        "trouble device=\"device-speaker\" code=\"err-speaker-prompts\"",
    ] {
        told(line);
    }
    let mut control = UnixStream::connect(at("out/state/devices/control")).unwrap();
    writeln!(control, "UNPLUG printer").unwrap();
    told("trouble device=\"device-printer\" code=\"err-printer-silent\"");
    writeln!(control, "REPLUG printer").unwrap();
    told("works device=\"device-printer\"");
    running.end_well();
    assert!(fs::metadata(at("played.raw")).unwrap().len() > 1_000, "a prompt was played");
}

/// A scanner whose maker's library was built here, through the plug-in that is shipped.
#[test]
fn the_morning_check_asks_a_maker_s_scanner_through_our_plug_in() {
    let counter = Counter::start();
    let library = counter.device("libvendor.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../drivers/tests/devices/libraries");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-w", "-DLIVESCAN", "-o"])
        .arg(&library)
        .arg(Path::new(source).join("stand_in_livescan.c"))
        .arg("-lm")
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return eprintln!("skipped: no C compiler here, so no maker's library to try");
    }
    let port = counter.device("fingerprint").display().to_string();
    let plugin = program("livescan-plugin").display().to_string();
    let livescan = format!("[fingerprint.livescan]\ncommand = [{plugin:?}, {library:?}]");
    let settings = fs::read_to_string(counter.settings()).unwrap();
    let with_port = format!("[fingerprint]\n            port = \"{port}\"");
    assert!(settings.contains(&with_port));
    fs::write(counter.settings(), settings.replace(&with_port, &livescan)).unwrap();
    for (glass, code) in [("n", "ok"), ("f", "finger-reader-glass-not-empty")] {
        fs::write(counter.device("glass"), glass).unwrap();
        let (report, _) = counter.selftest(&["fingerprint"]);
        assert_eq!(codes(&report), [format!("fingerprint {code}")]);
        assert_eq!(report["devices"][0]["facts"]["size"], "256x360");
    }
}

/// The running program, the real PC/SC service and a virtual reader, where nobody else is.
#[test]
fn a_running_kiosk_reads_cards_through_the_real_service_and_outlives_it() {
    if !is_set_up() {
        return;
    }
    if !is_inside() {
        let test = "a_running_kiosk_reads_cards_through_the_real_service_and_outlives_it";
        return in_a_network_of_its_own(test, &[]);
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("more.toml"), "[social_card]\nreader = \"Virtual PCD 00 00\"\n").unwrap();
    let service = Service::start(true);
    let other = VirtualCard { has_application: false, ..VirtualCard::wang() };
    let card = Inserted::new(other, Trouble::None).unwrap();
    let demo = Demo { out: at("out"), seed: 5, visits: 2, settings: Some(at("more.toml")) };
    let running = demo.start();
    let told = |line: &str| {
        wait_until(line, || fs::read_to_string(demo.log()).unwrap_or_default().contains(line));
    };
    told("reading=\"social-card-other\"");
    drop((card, service));
    told("trouble device=\"device-social-card\" code=\"err-social-reader-silent\"");
    let _service = Service::start(true);
    told("works device=\"device-social-card\"");
    running.end_well();
}

/// A second of sound, 8 kHz, 16 bits.
fn record_prompt(file: &Path) {
    let samples: Vec<u8> = (0..8000_i16).flat_map(|n| (n % 40 * 200).to_le_bytes()).collect();
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + samples.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8_000_u32.to_le_bytes());
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((samples.len() as u32).to_le_bytes());
    wav.extend(samples);
    fs::write(file, wav).unwrap();
}

/// A device of each kind, none of them there: a battery and a sound device made of files, all others missing.
const MORE_DEVICES: &str = r#"
    [social_card]
    reader = "no reader of this name"
    [fingerprint.livescan]
    command = ["no-such-plugin-here"]
    [document_camera]
    device = "no-such-camera"
    [panel]
    card_lamp = { name = "NO-SUCH-LINE" }
    [customer_display.ssd1306]
    i2c = "no-such-bus"
    [speaker]
    prompts = "FOLDER"
    device = "file:FILE='FOLDER/played.raw',FORMAT=raw"
    [power]
    folder = "FOLDER/power"
"#;

/// The simulator and settings that name its devices.
struct Counter {
    sim: Child,
    folder: tempfile::TempDir,
}

impl Counter {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut sim = Command::new(program("device-sim"))
            .arg("--dir")
            .arg(folder.path())
            .args(["--seed", "7", "--people", "8", "--fast", "--until-stdin-closes"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(sim.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let counter = Self { sim, folder };
        fs::write(counter.settings(), counter.settings_text()).unwrap();
        counter
    }

    fn device(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn capture(&self, device: &str) -> PathBuf {
        self.device(&format!("{device}.lines"))
    }

    fn settings(&self) -> PathBuf {
        self.device("kiosk.toml")
    }

    fn settings_text(&self) -> String {
        let at = |name: &str| self.device(name).display().to_string();
        let sim = program("device-sim").display().to_string();
        format!(
            r#"
            operator = [{{ who = {{ id = "w", name = "某", role = "operator" }}, pin_hash = "" }}]
            [terminal]
            site_name = "测试"
            state = "{0}"
            provisioned = "{0}"
            models = "{0}"
            [authority]
            url = "https://127.0.0.1:9"
            [id_card]
            port = "{1}"
            photo_decoder = ["{sim}", "decode-photo"]
            [fingerprint]
            port = "{2}"
            [printer]
            port = "{3}"
            "#,
            at(""),
            at("id-card"),
            at("fingerprint"),
            at("printer")
        )
    }

    /// Settings beside the settings, and a battery that is low.
    fn add_settings(&self, text: &str) {
        let folder = self.settings().with_extension("d");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("more.toml"), text).unwrap();
        let battery = self.device("power/BAT0");
        fs::create_dir_all(&battery).unwrap();
        for (file, value) in [("type", "Battery"), ("status", "Discharging"), ("capacity", "15")] {
            fs::write(battery.join(file), value).unwrap();
        }
    }

    fn order(&self, line: &str) {
        let mut stream = UnixStream::connect(self.device("control")).unwrap();
        writeln!(stream, "{line}").unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        assert_eq!(answer, "ok\n");
    }

    fn record(&self, device: &str, more: &[&str]) -> Output {
        let done = self.run_record(device, more);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done
    }

    fn run_record(&self, device: &str, more: &[&str]) -> Output {
        self.run_record_at(&self.device(device), &self.capture(device), device, more)
    }

    fn run_record_at(&self, port: &Path, out: &Path, device: &str, more: &[&str]) -> Output {
        let mut words: Vec<&Path> = ["devices", "record", "--port"].map(Path::new).into();
        words.extend([port, Path::new("--out"), out]);
        words.extend(more.iter().map(Path::new));
        words.push(Path::new(device));
        self.run(&words)
    }

    fn replay(&self, device: &str) -> Output {
        self.run_replay(&self.capture(device), device)
    }

    fn run_replay(&self, file: &Path, device: &str) -> Output {
        self.run(&[Path::new("devices"), Path::new("replay"), file, Path::new(device)])
    }

    fn selftest(&self, more: &[&str]) -> (Value, bool) {
        let more: Vec<&str> = more.iter().copied().chain(["--json"]).collect();
        let done = self.run_selftest(&more);
        let said = String::from_utf8_lossy(&done.stderr);
        let report = serde_json::from_slice(&done.stdout);
        (report.unwrap_or_else(|_| panic!("no report: {said}")), done.status.success())
    }

    fn run_selftest(&self, more: &[&str]) -> Output {
        let settings = self.settings();
        let mut words: Vec<&Path> = ["selftest", "--config"].map(Path::new).into();
        words.push(&settings);
        words.extend(more.iter().map(Path::new));
        self.run(&words)
    }

    fn run(&self, words: &[&Path]) -> Output {
        Command::new(program("kiosk")).args(words).output().unwrap()
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        drop(self.sim.stdin.take());
        let _ = self.sim.wait();
    }
}

fn text(done: &Output) -> String {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout.clone()).unwrap()
}

fn codes(report: &Value) -> Vec<String> {
    // Power and clock are those of the machine that runs the test.
    let is_of_counter =
        |device: &&Value| device["device"] != "power" && device["device"] != "clock";
    let devices = report["devices"].as_array().unwrap().iter().filter(is_of_counter);
    devices.map(row).collect()
}

/// `printer printer-paper-low`.
fn row(device: &Value) -> String {
    let word = |name: &str| device[name].as_str().unwrap().to_owned();
    format!("{} {}", word("device"), word("code"))
}
