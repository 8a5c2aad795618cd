//! Four visits in the shipped program: what they leave behind, and to whom nothing is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use encoding_rs::GB18030;
use image::RgbImage;
use kiosk_tests::demo::{Demo, assert_the_authority_has_four, files, summary_of_four};
use kiosk_tests::{is_set_up, program};
use people::Person;

/// One run is looked at from all sides, because it takes its time.
#[test]
fn four_people_are_served_and_nothing_of_them_is_left_lying_about() {
    if !is_set_up() {
        return;
    }
    let folder = tempfile::tempdir().expect("there is room");
    let demo = Demo { out: folder.path().join("out"), seed: SEED, visits: 4, settings: None };
    let said = demo.run().said;
    assert_eq!(demo.summary(), summary_of_four(SEED));
    assert_the_authority_has_four(&demo);
    assert_each_page_has_a_picture(&demo.out.join("screens"));

    let secrets = Secrets::of(&visitors());
    let state = demo.out.join("state");
    secrets.assert_the_search_finds(&state.join("roster.json"));
    secrets.assert_absent("standard output", said.as_bytes());
    for log in [demo.log(), state.join("authority.log"), demo.out.join("timeline.jsonl")] {
        secrets.assert_not_in(&log);
    }
    secrets.assert_not_in(&state.join("devices/device-sim.log"));
    let disk = files(&state.join("terminal"));
    assert!(disk.len() > 5, "a store, its key and its pictures");
    disk.iter().for_each(|file| secrets.assert_not_in(file));
    assert_slips(&state.join("devices/printer.out"), &secrets);
    assert_it_is_well(&state.join("kiosk.toml"));
}

/// What an update is asked before it may stay: packs that are in force here, and a visit of nobody sealed with this
/// terminal's own keys. Where its own packs and edition lie is known on an appliance only.
fn assert_it_is_well(settings: &Path) {
    let said = Command::new(program("kiosk")).arg("health").arg("--config").arg(settings).output();
    let said = String::from_utf8(said.expect("kiosk starts").stdout).expect("it speaks UTF-8");
    for what in ["networks", "policies of the site", "visit"] {
        assert!(said.contains(&format!("ok    {what}: ")), "{what}: {said}");
    }
}

fn assert_each_page_has_a_picture(screens: &Path) {
    let found: BTreeSet<String> = files(screens).iter().map(|file| page_of(file)).collect();
    for page in PAGES {
        assert!(found.contains(page), "no picture of {page} in {found:?}");
    }
    let mut pictures = BTreeSet::new();
    for file in files(screens) {
        let picture = image::open(&file).expect("a picture can be read").into_rgb8();
        assert!(picture.width() >= 800 && picture.height() >= 480, "{} is small", file.display());
        assert!(has_content(&picture), "{} is blank", file.display());
        pictures.insert(picture.into_raw());
    }
    // Pages of two visitors may be alike, as "lay your card here" is; most are not.
    assert!(pictures.len() >= PAGES.len(), "only {} different pictures", pictures.len());
}

/// Whether there is more below the header than an empty page has; letters have soft edges of many colors.
fn has_content(picture: &RgbImage) -> bool {
    let below_header = picture.pixels().skip(picture.pixels().len() / 5);
    let mut colors = BTreeSet::new();
    below_header.map(|pixel| pixel.0).any(|color| colors.insert(color) && colors.len() > COLORS_MIN)
}

/// `v01-04-person.png` shows the page `person`.
fn page_of(picture: &Path) -> String {
    let stem = picture.file_stem().and_then(|stem| stem.to_str()).expect("names are ASCII");
    stem.splitn(3, '-').nth(2).expect("visit, number, page").to_owned()
}

/// Four slips were printed; each names its visitor masked.
fn assert_slips(printed: &Path, secrets: &Secrets) {
    secrets.assert_not_in(printed);
    let bytes = fs::read(printed).expect("the printer keeps its paper");
    let (text, _, _) = GB18030.decode(&bytes);
    assert_eq!(text.matches("CQ1:").count(), 4, "one code a slip");
    for (person, _) in visitors() {
        let number = format!("{}********{}", &person.number[..6], &person.number[14..]);
        assert!(text.contains(&number), "the slip of {person:?} has no masked number");
    }
}

/// Holder of the card and who sits before the camera, as the demonstration chooses them.
fn visitors() -> Vec<(Person, Person)> {
    let holders = (0..4).map(|index| Person::generate(SEED, index));
    holders.map(|holder| (holder.clone(), holder.visitor())).collect()
}

/// What may be nowhere in the clear, in each form in which a program might write it.
struct Secrets {
    /// What it is, by its bytes.
    all: BTreeMap<Vec<u8>, String>,
    /// Whether one begins with these two bytes; a disk is long.
    beginnings: Vec<bool>,
}

impl Secrets {
    fn of(visitors: &[(Person, Person)]) -> Self {
        let mut all = BTreeMap::new();
        for person in visitors.iter().flat_map(|(holder, sitter)| [holder, sitter]) {
            let texts =
                [("name", &person.name), ("number", &person.number), ("address", &person.address)];
            for (what, text) in texts {
                let units = || text.encode_utf16();
                for (form, bytes) in [
                    ("UTF-16LE", units().flat_map(u16::to_le_bytes).collect()),
                    ("UTF-16BE", units().flat_map(u16::to_be_bytes).collect()),
                    ("GB18030", GB18030.encode(text).0.into_owned()),
                    ("UTF-8", text.as_bytes().to_vec()),
                ] {
                    all.insert(bytes, format!("{what} of {person:?} in {form}"));
                }
            }
        }
        let mut beginnings = vec![false; 1 << 16];
        all.keys().for_each(|part| beginnings[beginning(part)] = true);
        Self { all, beginnings }
    }

    fn found_in(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for (at, two) in bytes.windows(2).enumerate() {
            if self.beginnings[beginning(two)] {
                let here = self.all.iter().filter(|(part, _)| bytes[at..].starts_with(part));
                found.extend(here.map(|(_, what)| what.as_str()));
            }
        }
        found
    }

    fn assert_absent(&self, place: &str, bytes: &[u8]) {
        let found = self.found_in(bytes);
        assert!(found.is_empty(), "{place} tells {found:?}");
    }

    fn assert_not_in(&self, file: &Path) {
        let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.assert_absent(&file.display().to_string(), &bytes);
    }

    /// A search that finds nothing anywhere proves nothing.
    fn assert_the_search_finds(&self, roster: &Path) {
        let found = self.found_in(&fs::read(roster).expect("the authority's roster is there"));
        assert!(found.iter().any(|what| what.starts_with("name")), "{found:?}");
        assert!(found.iter().any(|what| what.starts_with("number")), "{found:?}");
    }
}

fn beginning(part: &[u8]) -> usize {
    usize::from(part[0]) << 8 | usize::from(part[1])
}

const SEED: u64 = 1;
/// A page without words has fewer.
const COLORS_MIN: usize = 16;
const PAGES: [&str; 20] = [
    "sign-in",
    "lay-card",
    "reading-card",
    "person",
    "consent",
    "document-front",
    "document-back",
    "document-in-hand",
    "face-enrol-title-face-look",
    "face-enrol-title-good",
    "face-title-face-look",
    "face-title-good",
    "finger-place",
    "finger-hold",
    "judge-different",
    "appeal",
    "witness",
    "saving",
    "result-saved-here",
    "result-centre-has-it",
];
