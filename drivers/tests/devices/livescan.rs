//! The shipped `livescan-plugin` with a library that is built here and does all that a
//! maker's library may do.

use std::fs;
use std::time::{Duration, Instant};

use drivers::finger_scanner::FingerScanner;
use drivers::fingerprint::Capture;
use drivers::livescan::{self, LivescanError, Scanner, Settings};
use drivers::selftest::Outcome;

use crate::common::{Table, build};

#[test]
fn a_finger_comes_through_the_public_interface() {
    let Some(desk) = Desk::new() else { return };
    desk.lay('n');
    let mut scanner = desk.open().expect("the scanner opens");
    let window = scanner.window().clone();
    assert_eq!((window.width, window.height, window.version), (256, 360, 105));
    assert_eq!(window.about, "测试采集仪");
    assert!(scanner.finger_off(soon()).unwrap());
    desk.lay('f');
    let Ok(Capture::Image(image)) = scanner.capture(soon(), &mut |_| {}) else { panic!() };
    assert_eq!((image.width, image.height, image.ppi), (256, 360, 500));
    assert_eq!(image.pixels.len(), 256 * 360);
    let lift = scanner.capture(Instant::now(), &mut |_| {}).unwrap();
    assert!(matches!(lift, Capture::Retry(retry) if retry.code() == "finger-lift-first"));
}

#[test]
fn whatever_a_library_does_wrong_is_told_and_the_next_finger_comes() {
    let Some(desk) = Desk::new() else { return };
    let mut table = Table::new("livescan scanner");
    for (letter, fault) in AT_OPENING {
        desk.lay(letter);
        let told = desk.open().err().map_or("ok", |error| error.code());
        desk.lay('n');
        table.row(fault, told, desk.open().is_ok());
    }
    for (letter, fault) in AT_CAPTURE {
        desk.lay('n');
        let mut scanner = desk.open().unwrap();
        desk.lay(letter);
        // What is judged by frames has all the time it needs, however slow the machine.
        let until = match letter {
            'm' => soon(),
            _ => Instant::now() + Duration::from_millis(900),
        };
        let told = capture(&mut scanner, until);
        table.row(fault, told, recovers(&desk, &mut scanner));
    }
    let (told, recovered) = repeats(&desk);
    table.row("the same frame for ever", told, recovered);
    for (fault, told) in without_a_library(&desk) {
        table.row(fault, told, true);
    }
    table.check(&expect_test::expect_file!["livescan.table"]);
}

#[test]
fn a_library_without_network_still_works_and_says_so() {
    let Some(desk) = Desk::new() else { return };
    desk.lay('n');
    let mut scanner = desk.open().unwrap();
    desk.lay('N');
    let result = FingerScanner::capture(&mut scanner, soon(), &mut |_| {});
    // The stand-in answers -777 when it got no socket, and 1 when it did.
    assert_eq!(result.unwrap_err().to_string(), "scanner library reports -777");
}

#[test]
fn the_morning_check_tells_a_good_scanner_from_a_missing_one() {
    let Some(desk) = Desk::new() else { return };
    desk.lay('n');
    let good = livescan::check(desk.settings());
    assert_eq!(good.outcome, Outcome::Works);
    assert!(good.facts.contains(&("size", "256x360".to_owned())));
    desk.lay('f');
    let left = livescan::check(desk.settings()).outcome;
    assert_eq!(left, Outcome::Attention("finger-reader-glass-not-empty"));
    desk.lay('i');
    assert_eq!(livescan::check(desk.settings()).outcome.code(), "finger-reader-unplugged");
}

const AT_OPENING: [(char, &str); 4] = [
    ('i', "no scanner at the start"),
    ('c', "crashes at the start"),
    ('h', "hangs at the start"),
    ('Z', "a window of impossible size"),
];

const AT_CAPTURE: [(char, &str); 14] = [
    ('n', "no finger"),
    ('d', "a dry finger"),
    ('w', "a wet finger"),
    ('p', "the tip of a finger"),
    ('m', "a finger that moves"),
    ('C', "crashes with each frame"),
    ('H', "hangs"),
    ('B', "never ends"),
    ('S', "writes too much"),
    ('x', "leaves without a word"),
    ('u', "scanner unplugged"),
    ('e', "a code of its maker"),
    ('?', "another error"),
    ('f', "a good finger"),
];

fn without_a_library(desk: &Desk) -> [(&'static str, &'static str); 4] {
    let told = |command: Vec<String>| {
        let result = Scanner::open(Settings { command, ..desk.settings() });
        result.err().map_or("ok", |error| error.code())
    };
    let plugin = || env!("CARGO_BIN_EXE_livescan-plugin").to_owned();
    let folder = desk.folder.path().join("empty");
    fs::create_dir(&folder).unwrap();
    let unfit = build("stand_in_livescan.c", "-DNOTHING", &folder).unwrap();
    [
        ("no plug-in", told(vec!["no-such-plugin-here".into()])),
        ("another program as plug-in", told(vec!["yes".into()])),
        ("no library", told(vec![plugin(), "/no/such/library.so".into()])),
        ("a library without the functions", told(vec![plugin(), unfit.display().to_string()])),
    ]
}

/// A library that gives its old frame again after a lift.
fn repeats(desk: &Desk) -> (&'static str, bool) {
    desk.lay('r');
    let mut scanner = desk.open().unwrap();
    assert_eq!(capture(&mut scanner, soon()), "image");
    desk.lay('n');
    assert_eq!(capture(&mut scanner, Instant::now()), "finger-none");
    desk.lay('r');
    let told = capture(&mut scanner, soon());
    (told, recovers(desk, &mut scanner))
}

/// The same scanner takes the next good finger.
fn recovers(desk: &Desk, scanner: &mut Scanner) -> bool {
    desk.lay('n');
    // A fault may still be told here, once; after it the scanner opens anew.
    let empty = (0..2).any(|_| matches!(scanner.finger_off(soon()), Ok(true)));
    // A lift is noticed while capturing.
    let _ = scanner.capture(Instant::now(), &mut |_| {});
    desk.lay('f');
    empty && capture(scanner, soon()) == "image"
}

fn capture(scanner: &mut Scanner, until: Instant) -> &'static str {
    match scanner.capture(until, &mut |_| {}) {
        Ok(Capture::Image(_)) => "image",
        Ok(Capture::Retry(retry)) => retry.code(),
        Err(error) => error.code(),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// A scanner on a desk, and what lies on its glass.
struct Desk {
    folder: tempfile::TempDir,
    library: String,
}

impl Desk {
    /// None, with a line that says so, where there is no C compiler.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let library = build("stand_in_livescan.c", "-DLIVESCAN", folder.path())?;
        Some(Self { library: library.display().to_string(), folder })
    }

    fn lay(&self, letter: char) {
        // Renamed into place, so that no look sees half of it.
        let new = self.folder.path().join("new");
        fs::write(&new, letter.to_string()).unwrap();
        fs::rename(new, self.folder.path().join("glass")).unwrap();
    }

    fn settings(&self) -> Settings {
        let plugin = env!("CARGO_BIN_EXE_livescan-plugin").to_owned();
        Settings {
            command: vec![plugin, self.library.clone()],
            open_max: Duration::from_secs(2),
            frame_max: Duration::from_secs(2),
            ..Settings::default()
        }
    }

    fn open(&self) -> Result<Scanner, LivescanError> {
        Scanner::open(self.settings())
    }
}
