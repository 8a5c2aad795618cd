//! A vendor's engine in the place of our networks, put there by a manifest beside the
//! weights: it compares, its name, version and digest come with the scores, and whatever
//! it does wrong is told and harms nothing. The engine is built here from `stand_in.c`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use image::{Rgb, RgbImage};
use models::{
    EngineFault, Manifest, ModelError,
    evaluate::{self, Setting},
    face::{Face, FaceEngine, FaceGallery, FaceView, ViewKind},
    finger::{FingerEngine, GreyImage},
    manifest::{default_dir, hex_digest},
};
use people::{Person, Pose};

/// A model folder with the engine and a manifest that names it for both modalities.
struct Folder(tempfile::TempDir);

impl Folder {
    /// Nothing where there are no weights or no compiler. `first` is the engine's argument.
    fn new(first: &str) -> Option<Self> {
        let ours = default_dir();
        if !ours.join("fr_detect.onnx").exists() {
            eprintln!("skipped: no weights here, run `models fetch`");
            return None;
        }
        let folder = Self(tempfile::tempdir().unwrap());
        for file in fs::read_dir(ours).unwrap().flatten() {
            if file.path().extension().is_some_and(|e| e == "onnx") {
                std::os::unix::fs::symlink(file.path(), folder.path().join(file.file_name()))
                    .unwrap();
            }
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/stand_in.c");
        let compiled = Command::new("cc")
            .args(["-O1", "-w", "-o"])
            .arg(folder.program())
            .arg(source)
            .arg("-lm")
            .status();
        let Ok(compiled) = compiled else {
            eprintln!("skipped: no C compiler here, so no engine to try");
            return None;
        };
        assert!(compiled.success());
        folder.describe(first);
        Some(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn program(&self) -> PathBuf {
        self.path().join("stand-in")
    }

    /// Writes the manifest: the built-in one and the engine with its thresholds.
    fn describe(&self, first: &str) {
        let program = fs::read(self.program()).unwrap();
        let (bytes, sha256) = (program.len(), hex_digest(&program));
        let mut text = include_str!("../../manifest.toml").to_owned();
        for modality in ["face", "finger"] {
            text += &format!(
                "\n[[engine]]\nid = \"stand-in-{modality}\"\nmodality = \"{modality}\"\n\
                 version = \"4.2\"\nfile = \"stand-in\"\nbytes = {bytes}\nsha256 = \"{sha256}\"\n\
                 arguments = [\"{first}\"]\nlicence = \"none\"\nprovenance = \"a test\"\n\
                 answer_ms = 3000\nmemory_mb = 256\n\
                 [[threshold_set]]\nid = \"stand-in-{modality}-1\"\nmodality = \"{modality}\"\n\
                 probe = \"stand-in-{modality}\"\nreference = \"live\"\naccept = 0.6\n\
                 review = 0.4\nmeasured = \"never\"\n"
            );
        }
        fs::write(self.path().join("manifest.toml"), text).unwrap();
    }

    fn faces(&self) -> Result<FaceEngine, ModelError> {
        FaceEngine::load(self.path(), &Manifest::of(self.path()).unwrap())
    }

    fn fingers(&self) -> FingerEngine {
        FingerEngine::load(self.path(), &Manifest::of(self.path()).unwrap(), 256, 288).unwrap()
    }
}

fn person(index: u32, noise: u64) -> RgbImage {
    Person::generate(5, index).frame(&Pose::default(), noise)
}

/// The picture with a letter that makes the engine misbehave.
fn marked(frame: &RgbImage, letter: u8) -> RgbImage {
    let mut frame = frame.clone();
    frame.put_pixel(0, 0, Rgb([letter; 3]));
    frame.put_pixel(1, 0, Rgb([1, 2, 0]));
    frame
}

fn seen(engine: &FaceEngine, frame: &RgbImage) -> Face {
    engine.observe(frame).unwrap().face.expect("a rendered face is found")
}

#[test]
fn an_engine_of_the_manifest_takes_the_place_of_our_networks() {
    let Some(folder) = Folder::new("") else { return };
    let engine = folder.faces().unwrap();
    let digest = &hex_digest(&fs::read(folder.program()).unwrap())[..16];
    assert_eq!(engine.model_id().in_records(), format!("stand-in-face 4.2 {digest}"));
    assert_eq!(engine.pad_model_id(), engine.model_id(), "it says that it judges liveness");
    let frames = [person(0, 1), person(0, 2), person(1, 1)];
    let faces = frames.each_ref().map(|frame| seen(&engine, frame));
    let made = [0, 1, 2].map(|i| engine.template(&frames[i], &faces[i]).unwrap());
    let own = engine.compare(&made[0], &made[1]).unwrap();
    let other = engine.compare(&made[0], &made[2]).unwrap();
    assert!(own > other + 0.2, "{own} {other}");
    assert!((engine.pad(&frames[0], &faces[0]).unwrap().0 - 0.9).abs() < 1e-6);
    // Its templates are kept and come back; ours are nothing to it.
    let view = FaceView { template: made[1].clone(), kind: ViewKind::Live, day: None, quality: 80 };
    let mut on_file = FaceGallery::default();
    on_file.add(view).unwrap();
    assert_eq!(on_file.format(), "CQF3");
    let on_file = FaceGallery::from_bytes(&on_file.to_bytes()).unwrap();
    assert_eq!(engine.scores(&made[0], &on_file).unwrap()[0].score, own);
    let ours = FaceEngine::load(folder.path(), &Manifest::built_in().unwrap()).unwrap();
    let vector = ours.template(&frames[0], &faces[0]).unwrap();
    assert_eq!(engine.compare(&vector, &made[0]).unwrap(), 0.0);
    assert_eq!(ours.scores(&vector, &on_file).unwrap(), []);
}

#[test]
fn prints_go_to_the_engine_and_come_back_as_records_of_the_standard() {
    let Some(folder) = Folder::new("") else { return };
    let engine = folder.fingers();
    let print = |impression| {
        let pixels = Person::generate(5, 0).finger_image(1, impression, 256, 288);
        GreyImage::new(256, 288, 500, pixels).unwrap()
    };
    let template = engine.extract(&print(0)).unwrap();
    assert_eq!(template.minutiae.len(), 100);
    assert!(template.extractor.starts_with("stand-in-finger:"), "{}", template.extractor);
    assert!(template.extractor.ends_with(":4.2"));
    assert_eq!(engine.compare(&template, &template).unwrap(), 1.0);
    assert!(engine.compare(&template, &engine.extract(&print(1)).unwrap()).unwrap() < 0.9);
    let mut refused = print(0);
    refused.pixels[..5].copy_from_slice(&[b'r', b'r', b'r', 1, 2]);
    assert_eq!(engine.extract(&refused).unwrap().minutiae, [], "no finger is an answer");
}

#[test]
fn whatever_an_engine_does_wrong_is_told_and_the_next_face_is_compared() {
    let Some(folder) = Folder::new("") else { return };
    let engine = folder.faces().unwrap();
    let frame = person(0, 1);
    let face = seen(&engine, &frame);
    for (letter, expected) in [
        (b'c', EngineFault::Crashed),
        (b'a', EngineFault::Crashed),
        (b'x', EngineFault::Crashed),
        (b'm', EngineFault::Crashed),
        (b'h', EngineFault::Silent),
        (b'g', EngineFault::Garbled),
        (b'l', EngineFault::Garbled),
        (b'n', EngineFault::Garbled),
        (b'u', EngineFault::Garbled),
        (b'r', EngineFault::Refused(7)),
    ] {
        let told = engine.template(&marked(&frame, letter), &face);
        let Err(ModelError::Engine { id, fault }) = told else { panic!("{}", letter as char) };
        assert_eq!((&*id, fault), ("stand-in-face", expected), "{}", letter as char);
        engine.template(&frame, &face).expect("a new process serves the next face");
    }
    // Two answers to one question: the second must not become the next one's.
    let doubled = engine.pad(&marked(&frame, b't'), &face);
    let next = engine.template(&frame, &face);
    let is_garbled = |made: &Result<_, ModelError>| {
        matches!(made, Err(ModelError::Engine { fault: EngineFault::Garbled, .. }))
    };
    assert!(doubled.is_ok() != next.is_ok() || is_garbled(&next), "{doubled:?}");
}

#[test]
fn an_engine_reaches_nothing_but_what_it_is_given() {
    let Some(folder) = Folder::new("") else { return };
    let engine = folder.faces().unwrap();
    let frame = person(0, 1);
    let face = seen(&engine, &frame);
    let ways = (engine.pad(&marked(&frame, b'e'), &face).unwrap().0 * 128.0).round() as u32;
    let names = ["inet", "unix", "fork", "signal", "environment", "read", "write"];
    let is_open = |name: &str| ways >> names.iter().position(|n| *n == name).unwrap() & 1 == 1;
    let mut closed = &names[..];
    if is_open("read") && is_open("write") {
        eprintln!("left out: this kernel has no Landlock, so files are left to permissions");
        closed = &names[..5];
    }
    closed.iter().for_each(|name| assert!(!is_open(name), "{name}"));
    let _ = fs::remove_file("/var/tmp/engine-escape");
}

#[test]
fn an_engine_that_is_not_the_one_of_the_manifest_is_not_used() {
    let Some(folder) = Folder::new("v") else { return };
    let fault = |engine: Result<FaceEngine, ModelError>| match engine.err() {
        Some(ModelError::Engine { fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(folder.faces()), EngineFault::OtherVersion("9.9".into()));
    folder.describe("c");
    assert_eq!(fault(folder.faces()), EngineFault::Crashed);
    folder.describe("");
    let engine = folder.faces().unwrap();
    drop(engine);
    let mut program = fs::read(folder.program()).unwrap();
    let last = program.len() - 1;
    program[last] ^= 1;
    fs::write(folder.program(), program).unwrap();
    assert!(matches!(folder.faces(), Err(ModelError::WrongHash { .. })));
    let checked = Manifest::of(folder.path()).unwrap();
    let wrong: Vec<_> =
        checked.check(folder.path()).into_iter().filter(|one| one.2.is_err()).collect();
    assert_eq!(wrong.len(), 2, "once for each modality");
}

#[test]
fn an_agency_measures_and_calibrates_its_engine_with_the_same_tool() {
    let Some(folder) = Folder::new("") else { return };
    let dir = folder.path();
    for (person_index, noise) in [(0, 1), (0, 2), (1, 1), (1, 2)] {
        let name = format!("{person_index}-{noise}.png");
        person(person_index, noise).save(dir.join(name)).unwrap();
    }
    let list = "path_a,path_b,genuine\n0-1.png,0-2.png,1\n1-1.png,1-2.png,1\n\
        0-1.png,1-1.png,0\n0-2.png,1-2.png,0\n";
    fs::write(dir.join("pairs.csv"), list).unwrap();
    let manifest = Manifest::of(dir).unwrap();
    let setting = Setting { dir, manifest: &manifest, n_threads: 2, ppi: None, scores: None };
    let report =
        evaluate::face(&setting, &dir.join("pairs.csv"), &dir.join("report.json")).unwrap();
    assert_eq!((&report["n_genuine"], &report["n_impostor"]), (&2.into(), &2.into()));
    assert_eq!(report["eer"], 0.0);
    assert!(report["model"].as_str().unwrap().starts_with("stand-in-face:"));
    assert!(report["at_accept"]["stand-in-face-1"].is_object(), "{report}");
}
