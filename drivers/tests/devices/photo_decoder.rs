//! The shipped `photo-decoder` with libraries that behave well and badly: a small C
//! library for each of the three vendor interfaces is built here.

use std::fs;
use std::path::Path;

use drivers::photo::{PhotoDecoder, PhotoError};
use drivers::photo_loader;
use drivers::sandbox;
use drivers::selftest::Outcome;
use image::RgbImage;

use crate::common::{Built, Table, build};

#[test]
fn each_interface_gives_the_same_picture() {
    let Some(built) = Built::all() else { return };
    for way in &built.0 {
        let picture = way.decode(b'o').expect("a good block is decoded");
        for (x, y) in [(0, 0), (50, 60), (101, 125), (101, 0)] {
            let grey = grey(x, y);
            let expected = match way.name {
                "unpack" => [grey, grey / 2, grey / 4],
                // A BMP has blue first.
                _ => [grey / 4, grey / 2, grey],
            };
            assert_eq!(picture.get_pixel(x, y).0, expected, "{} {x},{y}", way.name);
        }
    }
}

#[test]
fn whatever_a_library_does_wrong_is_told_and_the_next_photo_comes() {
    let Some(built) = Built::all() else { return };
    let mut table = Table::new("photo loader");
    for way in &built.0 {
        for (letter, fault) in FAULTS {
            // There the library owns the memory it writes to, and harms only itself.
            if (way.name, letter) == ("file", b's') {
                continue;
            }
            let told = way.decode(letter).map_or_else(|error| error.code(), |_| "ok");
            let recovered = way.decode(b'o').is_ok();
            table.row(&format!("{}: {fault}", way.name), told, recovered);
        }
        table.row(&format!("{}: not a block", way.name), way.code(&[0; 1024]), true);
        table.row(&format!("{}: cut block", way.name), way.code(&[0; 99]), true);
        way.scratch_is_empty();
    }
    let way = &built.0[0];
    let elsewhere = |arguments: &[&str]| {
        let decoder = PhotoDecoder::new(way.command(arguments));
        decoder.decode(&block(b'o')).map_or_else(|error| error.code(), |_| "ok")
    };
    let not_there = way.folder().join("none.so");
    let text = way.folder().join("text.so");
    fs::write(&text, "no library").unwrap();
    let other = built.0[1].library.clone();
    for (fault, library) in [("no library", not_there), ("text", text), ("other names", other)] {
        let told = elsewhere(&["--abi", "unpack", &library.to_string_lossy()]);
        table.row(&format!("unpack: {fault}"), told, way.decode(b'o').is_ok());
    }
    table.check(&expect_test::expect_file!["photo_decoder.table"]);
}

#[test]
fn a_library_reaches_nothing_but_its_photo() {
    let Some(built) = Built::all() else { return };
    let escapes = ["inet", "unix", "fork", "signal", "ptrace", "exec", "read", "write"];
    for way in &built.0 {
        let picture = way.decode(b'e').expect("an escaper still decodes");
        let shown = |place: usize| picture.get_pixel(place as u32, 0).0 == [255; 3];
        for (place, escape) in escapes.iter().enumerate() {
            // Without Landlock the outer wall leaves files to their permissions.
            if matches!(*escape, "read" | "write") && !sandbox::can_guard_files() {
                eprintln!("skipped: this kernel has no Landlock; {escape} is not tried");
                continue;
            }
            assert!(!shown(place), "{}: {escape} from a constructor", way.name);
            assert!(!shown(escapes.len() + place), "{}: {escape} from a call", way.name);
        }
        assert!(!Path::new("/var/tmp/photo-escape").exists());
    }
}

#[test]
fn the_morning_check_tells_a_good_library_from_a_missing_one() {
    let Some(built) = Built::all() else { return };
    for way in &built.0 {
        assert_eq!(photo_loader::check(&way.decoder().program).outcome, Outcome::Works);
    }
    let missing = built.0[0].command(&["--abi", "buffer", "/no/such/library.so"]);
    assert_eq!(photo_loader::check(&missing).outcome.code(), "photo-library-missing");
    let unfit = built.0[0].command(&["--abi", "buffer", "/etc/passwd"]);
    assert_eq!(photo_loader::check(&unfit).outcome.code(), "photo-library-unfit");
    assert_eq!(photo_loader::check(&[]).outcome.code(), "photo-decoder-missing");
}

/// Letter of the stand-in block, and what the library then does.
const FAULTS: [(u8, &str); 13] = [
    (b'c', "crashes"),
    (b'a', "aborts"),
    (b'h', "hangs"),
    (b'b', "never ends"),
    (b's', "writes too much"),
    (b'w', "scribbles over its stack"),
    (b'r', "returns an error"),
    (b'l', "has no licence"),
    (b'd', "finds no reader"),
    (b'z', "says well and gives nothing"),
    (b'x', "exits well without a picture"),
    (b'm', "eats memory"),
    (b'p', "prints to the output"),
];

struct Way {
    name: &'static str,
    library: std::path::PathBuf,
    folder: tempfile::TempDir,
}

impl Built<Way> {
    /// The three libraries; None, with a line that says so, where there is no C compiler.
    fn all() -> Option<Self> {
        let ways = [("unpack", "UNPACK"), ("buffer", "BUFFER"), ("file", "FILES")];
        let ways = ways.map(|(name, flag)| {
            let folder = tempfile::tempdir().unwrap();
            let library = build("stand_in_photo.c", &format!("-D{flag}"), folder.path())?;
            fs::create_dir(folder.path().join("scratch")).unwrap();
            Some(Way { name, library, folder })
        });
        ways.into_iter().collect::<Option<Vec<_>>>().map(Built)
    }
}

impl Way {
    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Vec<String> {
        let mut command = vec![env!("CARGO_BIN_EXE_photo-decoder").to_owned()];
        command.extend(arguments.iter().map(|argument| argument.to_string()));
        command
    }

    fn decoder(&self) -> PhotoDecoder {
        let (library, scratch) = (self.library.to_string_lossy(), self.scratch());
        let order = ["--order", "rgb", "--scratch", &scratch];
        let mut arguments = vec!["--abi", self.name];
        arguments.extend(order);
        arguments.push(&library);
        let mut decoder = PhotoDecoder::new(self.command(&arguments));
        // The program's own limits are tried here; a busy machine must not hide them.
        decoder.deadline = std::time::Duration::from_secs(30);
        decoder
    }

    fn scratch(&self) -> String {
        self.folder().join("scratch").to_string_lossy().into_owned()
    }

    fn decode(&self, letter: u8) -> Result<RgbImage, PhotoError> {
        // A busy machine must not look like a library that hangs, nor the other way round.
        let limit_ms = if matches!(letter, b'h' | b'b') { "1000" } else { "25000" };
        let mut decoder = self.decoder();
        decoder.program.extend(["--limit-ms".into(), limit_ms.into()]);
        decoder.decode(&block(letter))
    }

    fn code(&self, block: &[u8]) -> &'static str {
        self.decoder().decode(block).map_or_else(|error| error.code(), |_| "ok")
    }

    fn scratch_is_empty(&self) {
        let left = fs::read_dir(self.scratch()).unwrap().count();
        assert_eq!(left, 0, "{}: the block is left in a file", self.name);
    }
}

/// A block of the stand-in codec.
fn block(letter: u8) -> [u8; 1024] {
    let mut block: [u8; 1024] = std::array::from_fn(|i| (i * 37 % 256) as u8);
    block[..5].copy_from_slice(&[b'T', b'W', b'L', b'T', letter]);
    block
}

/// What the stand-in codec makes of a place in [`block`].
fn grey(x: u32, y: u32) -> u8 {
    let at = (y * 40 / 126 * 32 + x * 32 / 102) as usize;
    let two = block(b'o')[5 + at / 2];
    (if at % 2 == 1 { two & 15 } else { two >> 4 }) * 17
}
