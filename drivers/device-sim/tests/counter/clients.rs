//! What is not ours at both ends: a client that hobbyists use with real fingerprint modules drives the simulator (PyPI
//! `adafruit-circuitpython-fingerprint`), and what the printer received is read by another ESC/POS parser (PyPI
//! `emupos`) and its QR code by zbar. `../set-up.sh` installs them; what is missing is said and left out.

use std::path::PathBuf;
use std::process::{Command, Output};

use drivers::printer::{self, Align, Line, Printed, Printer, Slip};

use crate::process::Sim;

#[test]
fn a_foreign_client_is_satisfied_by_the_fingerprint_simulator() {
    let Some(python) = python(&format!("{NO_BOARD}import serial, adafruit_fingerprint")) else {
        return;
    };
    let sim = Sim::start(&["--fast"]);
    sim.order("FINGER 3 right-index");
    let run = Command::new(&python)
        .args(["-c", &format!("{NO_BOARD}{CLIENT}")])
        .arg(sim.device("fingerprint"))
        .output()
        .unwrap();
    let told = succeeded(&run);
    assert_eq!(told, "verified 0\nlibrary 200\nimage 0 36864\ntemplates 0 0\n");
}

#[test]
fn a_foreign_parser_reads_the_slip_and_another_program_its_code() {
    let Some(python) = python(PARSER) else {
        return;
    };
    let sim = Sim::start(&["--fast"]);
    let mut printer = Printer::open(&sim.link("printer"), printer::Settings::default()).unwrap();
    assert_eq!(printer.print(&slip()).unwrap(), Printed::Done { paper_low: false });
    let picture = sim.dir().join("slip.png");
    let run = Command::new(&python)
        .args(["-c", PARSER])
        .arg(sim.dir().join("printer.out"))
        .args([picture.as_os_str(), "384".as_ref()])
        .output()
        .unwrap();
    let read: serde_json::Value = serde_json::from_str(&succeeded(&run)).unwrap();

    let tokens = read["tokens"].as_array().unwrap();
    let texts: Vec<_> = tokens.iter().filter_map(|token| token["text"].as_str()).collect();
    assert_eq!(texts, WORDS, "{tokens:?}");
    let unknown: Vec<_> = tokens.iter().filter(|token| !token["unknown"].is_null()).collect();
    assert!(unknown.is_empty(), "bytes that are no command: {unknown:?}");
    assert_eq!(read["strangers"], 0, "commands that its printer does not know: {tokens:?}");
    let names: Vec<_> = tokens.iter().filter_map(|token| token["command"].as_str()).collect();
    assert_eq!(names.last(), Some(&"GS V"), "{names:?}");
    let n_lines = names.iter().filter(|name| **name == "LF").count();
    assert_eq!(n_lines, WORDS.len());

    let Ok(run) = Command::new("zbarimg").args(["--quiet", "--raw"]).arg(&picture).output() else {
        eprintln!("skipped: there is no zbarimg (Debian: zbar-tools)");
        return;
    };
    assert_eq!(succeeded(&run).trim_end(), CODE);
}

/// The Python that has what `program` imports.
fn python(program: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("CACHE").map(PathBuf::from).or_else(|| {
        std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/changqing"))
    });
    let installed = cache.unwrap_or_default().join("clients-venv/bin/python");
    let python = if installed.exists() { installed } else { "python3".into() };
    let has_it = Command::new(&python).args(["-c", program]).output();
    if has_it.is_ok_and(|run| run.status.success()) {
        return Some(python);
    }
    eprintln!("skipped: {} lacks packages (drivers/device-sim/tests/set-up.sh)", python.display());
    None
}

fn succeeded(run: &Output) -> String {
    let told = String::from_utf8_lossy(&run.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{told}{wrong}");
    told
}

/// A slip of the kind that people take home, with a name that needs four bytes a character.
fn slip() -> Slip {
    let lines = [
        Line::new(WORDS[0]).size(2).bold().align(Align::Centre),
        Line::new(WORDS[1]),
        Line::new(WORDS[2]).align(Align::Right),
    ];
    let slip = lines.into_iter().fold(Slip::new(), Slip::line);
    slip.qr(CODE.as_bytes(), 5).unwrap().feed(2).cut()
}

const WORDS: [&str; 3] = ["领取养老金资格认证", "买买提·艾力 㐂𠮷", "2026-11-22 09:30"];
const CODE: &str = "https://example.invalid/r/0123456789abcdef0123456789abcdef";

/// The package wants two names that only boards have.
const NO_BOARD: &str = r#"
import sys, types
sys.modules["busio"] = types.SimpleNamespace(UART=object)
sys.modules["micropython"] = types.SimpleNamespace(const=lambda value: value)
"#;

const CLIENT: &str = r#"
import serial, adafruit_fingerprint
uart = serial.Serial(sys.argv[1], baudrate=57600, timeout=10)
finger = adafruit_fingerprint.Adafruit_Fingerprint(uart)
print("verified", finger.verify_password())
finger.read_sysparam()
print("library", finger.library_size)
took = finger.get_image()
print("image", took, len(finger.get_fpdata("image")))
print("templates", finger.count_templates(), finger.template_count)
"#;

const PARSER: &str = include_str!("receipt.py");
