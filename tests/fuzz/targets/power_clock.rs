//! What the kernel says in files about mains, battery and the clock chip: any text is a level between the limits, and a
//! clock that says anything is believed or doubted.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use drivers::clock::{ClockWatch, Sync, Times};
use drivers::power::{PowerLimits, PowerWatch};
use fuzz::Script;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    for file in FILES {
        let _ = fs::remove_file(ROOT.join(file));
    }
    let mut power = PowerWatch::over(ROOT.join("power"), PowerLimits::default());
    let mut clock = ClockWatch::over(&*ROOT, Duration::from_secs(1_767_225_600));
    for _ in 0..LOOKS {
        for file in FILES {
            let text = text(&mut script, file);
            if let Some(text) = text {
                fs::write(ROOT.join(file), text).expect("a folder in memory");
            }
        }
        let report = power.look();
        report.supply.code();
        let percent = report.battery.and_then(|battery| battery.percent);
        assert!(percent.is_none_or(|percent| percent <= 100));
        let [wall_ms, boot_ms] = [(); 2].map(|()| number(&mut script));
        let sync = if script.byte() % 2 == 1 { Sync::Free } else { Sync::Unknown };
        let doubts = clock.look_at(Times { wall_ms, boot_ms }, sync).doubts();
        assert!(doubts.iter().all(|doubt| doubt.code().starts_with("clock-")));
    }
});

/// A word that the file may hold, a number, or noise; none leaves the file as it is.
fn text(script: &mut Script, file: &str) -> Option<Vec<u8>> {
    Some(match script.byte() {
        0..=79 => return None,
        80..=149 => {
            let words = WORDS.iter().find(|(ending, _)| file.ends_with(ending)).map(|(_, words)| *words);
            let words = words.unwrap_or(&["0", "1", "50", "100", "99999999999999999999"]);
            words[usize::from(script.byte()) % words.len()].into()
        }
        150..=219 => number(script).to_string().into(),
        _ => {
            let n = usize::from(script.byte() % 24);
            script.take(n)
        }
    })
}

fn number(script: &mut Script) -> i64 {
    let n_bits = script.byte() % 64;
    let bytes = script.take(8);
    i64::from_le_bytes(bytes.try_into().expect("eight bytes")) >> n_bits
}

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = std::env::temp_dir().join(format!("fuzz-power-{}", std::process::id()));
    for folder in ["power/BAT0", "power/AC", "sys/class/rtc/rtc0"] {
        fs::create_dir_all(root.join(folder)).expect("a folder in memory");
    }
    root
});

const FILES: [&str; 12] = [
    "power/BAT0/type",
    "power/BAT0/status",
    "power/BAT0/present",
    "power/BAT0/scope",
    "power/BAT0/capacity",
    "power/BAT0/capacity_level",
    "power/BAT0/energy_now",
    "power/BAT0/energy_full",
    "power/BAT0/charge_now",
    "power/AC/type",
    "power/AC/online",
    "sys/class/rtc/rtc0/since_epoch",
];
const WORDS: [(&str, &[&str]); 4] = [
    ("type", &["Battery", "UPS", "Mains", "USB", "Wireless"]),
    ("status", &["Discharging", "Charging", "Full", "Not charging", "Unknown"]),
    ("scope", &["Device", "System"]),
    ("capacity_level", &["Full", "High", "Normal", "Low", "Critical", "Unknown"]),
];
const LOOKS: usize = 3;
