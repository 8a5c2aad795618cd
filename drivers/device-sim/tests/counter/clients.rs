//! The simulator against a client that is not ours: the fingerprint package that hobbyists
//! use with real modules (PyPI `adafruit-circuitpython-fingerprint`, with `pyserial`).

use std::process::Command;

use crate::process::Sim;

#[test]
fn a_foreign_client_is_satisfied_by_the_fingerprint_simulator() {
    let python = std::env::var("FINGERPRINT_CLIENT_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_it = Command::new(&python)
        .args(["-c", &format!("{NO_BOARD}import serial, adafruit_fingerprint")])
        .output()
        .is_ok_and(|run| run.status.success());
    if !has_it {
        eprintln!("skipped: {python} has no adafruit_fingerprint (set FINGERPRINT_CLIENT_PYTHON)");
        return;
    }
    let sim = Sim::start(&["--fast"]);
    sim.order("FINGER 3 right-index");
    let run = Command::new(&python)
        .args(["-c", &format!("{NO_BOARD}{CLIENT}")])
        .arg(sim.device("fingerprint"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    let wrong = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{told}{wrong}");
    assert_eq!(told, "verified 0\nlibrary 200\nimage 0 36864\ntemplates 0 0\n");
}

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
