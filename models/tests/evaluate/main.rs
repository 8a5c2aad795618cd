//! The calibration tool on lists as agencies have them: files of every kind, some of them
//! no pictures, some not there; the report says what became of each.

use std::{fs, path::Path, process::Command};

use image::{
    DynamicImage, GrayAlphaImage, GrayImage, Luma, LumaA, Rgb, RgbImage,
    codecs::jpeg::{JpegEncoder, PixelDensity},
    imageops::{self, FilterType},
};
use models::{
    Manifest, ModelError,
    evaluate::{self, Setting},
    manifest::default_dir,
};
use people::{Person, Pose};
use serde_json::Value;

type Evaluation = fn(&Setting<'_>, &Path, &Path) -> Result<Value, ModelError>;

/// Runs an evaluation on a list; nothing where the weights are not there.
fn run(evaluation: Evaluation, dir: &Path, list: &str) -> Option<Value> {
    let (pairs, out, scores) =
        (dir.join("pairs.csv"), dir.join("report.json"), dir.join("scores.csv"));
    fs::write(&pairs, list).unwrap();
    let (models, manifest) = (default_dir(), Manifest::built_in().unwrap());
    let setting = Setting {
        dir: &models,
        manifest: &manifest,
        n_threads: 2,
        ppi: None,
        scores: Some(&*scores),
    };
    match evaluation(&setting, &pairs, &out) {
        Err(ModelError::Missing { id, .. }) => {
            eprintln!("skipped: {id} is not there, run `models fetch`");
            None
        }
        report => {
            let report = report.unwrap();
            let written: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
            assert_eq!(written, report, "the file is the report");
            assert!(fs::metadata(out.with_extension("png")).unwrap().len() > 100, "a DET curve");
            Some(report)
        }
    }
}

fn keys(value: &Value) -> Vec<&String> {
    value.as_object().unwrap().keys().collect()
}

#[test]
fn faces_in_files_of_every_kind_and_bad_files_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let save = |picture: DynamicImage, name: &str| picture.save(dir.join(name)).unwrap();
    let frame = |person, noise| Person::generate(5, person).frame(&Pose::default(), noise);
    save(frame(0, 1).into(), "a1.png");
    // The name lies about the kind.
    save(DynamicImage::from(frame(0, 2)), "a2.bmp");
    fs::rename(dir.join("a2.bmp"), dir.join("a2.jpg")).unwrap();
    save(DynamicImage::from(frame(1, 1)).to_rgb16().into(), "b1.png");
    save(DynamicImage::from(frame(1, 2)).to_rgba8().into(), "b2.png");
    save(RgbImage::from_pixel(300, 200, Rgb([90, 90, 90])).into(), "wall.png");
    fs::write(dir.join("broken.png"), b"<html>not found</html>").unwrap();
    let mut jpeg = Vec::new();
    JpegEncoder::new(&mut jpeg).encode_image(&frame(0, 3)).unwrap();
    fs::write(dir.join("whole.jpg"), &jpeg).unwrap();
    fs::write(dir.join("half.jpg"), &jpeg[..jpeg.len() / 2]).unwrap();
    let list = "\u{feff}genuine,path_a,path_b\r\n1,a1.png,a2.jpg\r\n1,b1.png,./b2.png\r\n\
        0,a1.png,b1.png\r\n0,a2.jpg,b2.png\r\n0,wall.png,a1.png\r\n1,broken.png,a1.png\r\n\
        0,gone.png,b1.png\r\n0,half.jpg,b1.png\r\n0,whole.jpg,b1.png\r\n";
    let Some(report) = run(evaluate::face, dir, list) else { return };
    assert_eq!(report["n_files"], 9);
    assert_eq!(report["n_bad_files"], 3);
    let reason = |index: usize| report["bad_files"][index]["reason"].as_str().unwrap().to_owned();
    assert!(reason(0).contains("图片") || reason(0).contains("format"), "{}", reason(0));
    assert!(reason(1).contains("文件不存在"), "{}", reason(1));
    assert!(reason(2).contains("被截断") && reason(2).contains("cut off"), "{}", reason(2));
    assert_eq!(report["n_not_acquired"], 1);
    assert_eq!(report["failure_to_acquire"], 1.0 / 6.0);
    assert_eq!((&report["n_genuine"], &report["n_impostor"]), (&2.into(), &3.into()));
    assert_eq!(report["n_pairs_not_scored"], 4);
    assert!(report["at_accept"]["face-live-1"]["fmr"]["rate"].is_f64());
    assert_eq!(report["notes"], serde_json::json!([]));
    assert!(report["eer"].is_f64() && report["eer_interval"].as_array().unwrap().len() == 2);
    assert_eq!(keys(&report["fnmr_at_fmr"]), ["0.0001", "0.001", "0.01"]);
    assert!(report["fnmr_at_fmr"]["0.01"].is_null(), "three impostors say nothing of one in 100");
    assert_eq!(report["latency_ms"]["n"], 5);
}

#[test]
fn a_list_of_which_nothing_can_be_used_still_gives_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let list = "path_a,path_b,genuine\ngone.png,lost.png,1\n";
    let Some(report) = run(evaluate::finger, folder.path(), list) else { return };
    assert_eq!((&report["n_bad_files"], &report["n_genuine"]), (&2.into(), &0.into()));
    assert!(report["eer"].is_null() && report["eer_interval"].is_null());
    assert_eq!(report["notes"].as_array().unwrap().len(), 3, "{}", report["notes"]);
    let list = "path,live\ngone.png,1\n";
    let Some(report) = run(evaluate::pad, folder.path(), list) else { return };
    assert!(report["apcer"].is_null() && report["bpcer"].is_null());
    assert!(report["at_accept"]["face-live-1"]["apcer"].is_null());
    assert!(report["notes"].to_string().contains("没有可计分的攻击样本"), "{}", report["notes"]);
}

#[test]
fn prints_that_are_too_small_too_large_or_empty_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let ridges = |width, height| {
        let grey = |x: u32, y: u32| if (x + y / 2) % 9 < 4 { 40 } else { 220 };
        GrayImage::from_fn(width, height, |x, y| Luma([grey(x, y)]))
    };
    ridges(7, 5).save(dir.join("dot.png")).unwrap();
    ridges(4000, 30).save(dir.join("line.png")).unwrap();
    GrayImage::from_pixel(96, 96, Luma([255])).save(dir.join("blank.png")).unwrap();
    let list = "path_a,path_b,genuine\ndot.png,blank.png,0\nline.png,blank.png,0\n";
    let Some(report) = run(evaluate::finger, dir, list) else { return };
    assert_eq!((&report["n_bad_files"], &report["n_not_acquired"]), (&0.into(), &3.into()));
    assert_eq!(report["not_acquired_reasons"]["没有指纹纹线 no ridges in it"], 3);
    assert_eq!(report["failure_to_acquire"], 1.0);
}

/// Each copy of a print is compared with another placement of its finger and of another's.
#[test]
fn prints_as_they_come_still_match_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let print = |person, impression| {
        let pixels = Person::generate(5, person).finger_image(1, impression, SIZE.0, SIZE.1);
        GrayImage::from_raw(SIZE.0, SIZE.1, pixels).unwrap()
    };
    let (own, other, probe) = (print(0, 0), print(1, 0), print(0, 1));
    own.save(dir.join("own.png")).unwrap();
    other.save(dir.join("other.png")).unwrap();
    copies(&probe, dir);
    let mut list = "path_a,path_b,genuine\n".to_owned();
    for name in COPIES {
        list += &format!("{name},own.png,1\n{name},other.png,0\n");
    }
    let Some(report) = run(evaluate::finger, dir, &list) else { return };
    assert_eq!((&report["n_bad_files"], &report["n_not_acquired"]), (&0.into(), &0.into()));
    let at_accept = &report["at_accept"]["finger-leader-1"];
    let scores = fs::read_to_string(dir.join("scores.csv")).unwrap();
    assert_eq!(
        (&at_accept["fnmr"]["rate"], &at_accept["fmr"]["rate"]),
        (&0.0.into(), &0.0.into()),
        "{scores}"
    );
    assert_eq!(scores.lines().count(), list.lines().count());
}

fn copies(probe: &GrayImage, dir: &Path) {
    let save = |picture: DynamicImage, name: &str| picture.save(dir.join(name)).unwrap();
    let negative = |picture: &GrayImage| {
        let mut turned = picture.clone();
        imageops::invert(&mut turned);
        turned
    };
    let middle = |size| {
        let (left, top) = ((SIZE.0 - size) / 2, (SIZE.1 - size) / 2);
        imageops::crop_imm(probe, left, top, size, size).to_image()
    };
    save(negative(probe).into(), "negative.png");
    save(middle(160).into(), "small.png");
    save(negative(&middle(192)).into(), "small-negative.png");
    let four_bits = GrayImage::from_fn(SIZE.0, SIZE.1, |x, y| Luma([probe[(x, y)][0] / 16]));
    save(four_bits.into(), "four-bits.png");
    let ink = |x, y| LumaA([0, 255 - probe[(x, y)][0]]);
    save(GrayAlphaImage::from_fn(SIZE.0, SIZE.1, ink).into(), "alpha.png");
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 30).encode_image(probe).unwrap();
    fs::write(dir.join("quality-30.jpg"), jpeg).unwrap();
    // 400 pixels per inch may well be 500 by their ridges, so only the file can say it.
    let at_400 = imageops::resize(probe, SIZE.0 * 4 / 5, SIZE.1 * 4 / 5, FilterType::Triangle);
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 90);
    encoder.set_pixel_density(PixelDensity::dpi(400));
    encoder.encode_image(&at_400).unwrap();
    fs::write(dir.join("at-400-said.jpg"), jpeg).unwrap();
    let mut sheet = GrayImage::from_pixel(1900, 1700, Luma([250]));
    imageops::replace(&mut sheet, probe, 1200, 900);
    save(sheet.into(), "sheet.png");
}

const SIZE: (u32, u32) = (256, 288);
const COPIES: [&str; 8] = [
    "negative.png",
    "small.png",
    "small-negative.png",
    "four-bits.png",
    "alpha.png",
    "quality-30.jpg",
    "at-400-said.jpg",
    "sheet.png",
];

#[test]
fn a_list_of_nothing_or_of_one_kind_gives_a_report_without_rates() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let save = |noise| {
        let frame = Person::generate(5, 0).frame(&Pose::default(), noise);
        frame.save(dir.join(format!("{noise}.png"))).unwrap();
    };
    [1, 2].into_iter().for_each(save);
    for (list, n_genuine) in
        [("path_a,path_b,genuine\n", 0), ("path_a,path_b,genuine\n1.png,2.png,1\n", 1)]
    {
        let Some(report) = run(evaluate::face, dir, list) else { return };
        assert_eq!((&report["n_genuine"], &report["n_impostor"]), (&n_genuine.into(), &0.into()));
        assert!(report["eer"].is_null() && report["fnmr_at_fmr"]["0.001"].is_null());
        let no_threshold = evaluate::calibrate(&report, "a-1", "live", "0.001", None);
        assert!(matches!(no_threshold, Err(ModelError::Report(_))));
    }
    let Some(report) = run(evaluate::pad, dir, "path,live\n1.png,1\n2.png,true\n") else { return };
    assert!(report["apcer"].is_null() && report["bpcer"].is_f64());
    let live = Manifest::built_in().unwrap();
    let live = live.thresholds("face", "face-embed", "live").unwrap();
    assert_eq!(report["threshold_set"], live.id);
    assert_eq!(report["threshold"], live.pad_min);
    let at_accept = &report["at_accept"]["face-live-1"];
    assert_eq!(
        (&at_accept["accept"], &at_accept["bpcer"]),
        (&report["threshold"], &report["bpcer"])
    );
}

/// The program itself, as somebody at a terminal sees it: its end, output and complaints.
fn program(dir: &Path, words: &[&str]) -> (bool, String, String) {
    let program = Command::new(env!("CARGO_BIN_EXE_models")).args(words).current_dir(dir).output();
    let program = program.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (program.status.success(), text(program.stdout), text(program.stderr))
}

#[test]
fn what_cannot_be_used_is_named_on_the_terminal_and_the_end_is_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    if Manifest::built_in().unwrap().check(&default_dir()).iter().any(|one| one.2.is_err()) {
        eprintln!("skipped: not all models are there, run `models fetch`");
        return;
    }
    let rows: String = (0..30).map(|n| format!("照片 {n}.png;是\r\n")).collect();
    let list = format!("path;live\r\n{rows}");
    fs::write(dir.join("list.csv"), encoding_rs::GB18030.encode(&list).0).unwrap();
    let words = ["evaluate", "pad", "--pairs", "list.csv", "--out", "report.json"];
    let (is_done, said, complained) = program(dir, &words);
    assert!(is_done && said.contains("n_bad_files          30"), "{said}{complained}");
    assert_eq!(complained.matches("文件不存在").count(), 20, "{complained}");
    assert!(complained.contains("照片 19.png") && complained.contains("10 more"), "{complained}");
    assert!(complained.contains("没有可读的文件"), "{complained}");
    let (is_done, _, complained) =
        program(dir, &["evaluate", "pad", "--pairs", "none.csv", "--out", "r.json"]);
    assert!(!is_done && complained.contains("none.csv"), "{complained}");
}

#[test]
fn every_model_is_checked_also_behind_one_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let (is_done, said, complained) = program(folder.path(), &["check", "--dir", "."]);
    assert!(!is_done);
    assert_eq!(said.matches("错误 wrong").count(), 9, "{said}");
    assert_eq!(complained.matches("err-model-missing").count(), 9, "{complained}");
}

#[test]
fn a_calibrated_set_is_put_in_force_where_the_terminal_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let report = serde_json::json!({
        "modality": "face", "model": "face-embed:0011", "n_genuine": 40, "n_impostor": 20_000,
        "threshold_at_fmr": { "0.1": 0.2, "0.01": 0.31, "0.001": 0.52, "0.0001": null },
    });
    fs::write(dir.join("report.json"), report.to_string()).unwrap();
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    let words = |id, into| {
        [
            "calibrate",
            "--report",
            "report.json",
            "--reference",
            "chip",
            "--dir",
            ".",
            "--id",
            id,
            "--into",
            into,
        ]
    };
    let (is_done, said, complained) = program(dir, &words("pilot-1", "manifest.toml"));
    assert!(is_done && said.contains("pilot-1"), "{complained}");
    // The terminal reads the manifest of its model folder like this.
    let manifest = Manifest::of(dir).unwrap();
    let set = manifest.thresholds("face", "face-embed", "chip").unwrap();
    assert_eq!((&*set.id, set.accept, set.review), ("pilot-1", 0.52, 0.31));
    assert_eq!(
        manifest.threshold_sets().len(),
        Manifest::built_in().unwrap().threshold_sets().len()
    );
    let (is_done, ..) = program(dir, &words("pilot-2", "manifest.toml"));
    let manifest = Manifest::of(dir).unwrap();
    assert!(is_done && manifest.thresholds("face", "face-embed", "chip").unwrap().id == "pilot-2");
    let pad = serde_json::json!({
        "model": "face-pad:22", "n_attack": 10, "n_live": 8,
        "threshold_at_apcer": { "0.1": 0.9 }, "bpcer_at_apcer": { "0.1": 0.75 },
    });
    fs::write(dir.join("pad.json"), pad.to_string()).unwrap();
    let words_pad = [&words("pilot-4", "manifest.toml")[..], &["--pad", "pad.json"]].concat();
    let (is_done, said, complained) = program(dir, &words_pad);
    assert!(is_done && said.contains("10 attacks") && said.contains(", face-pad:22"), "{said}");
    assert!(complained.contains("1.0 of 10 attacks") && complained.contains("75 % of the living"));
    let (is_done, _, complained) = program(dir, &words("pilot-3", "notes.txt"));
    assert!(!is_done && complained.contains("notes.txt"), "{complained}");
    assert_eq!(fs::read_to_string(dir.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn a_threshold_set_is_read_off_the_reports() {
    let face = serde_json::json!({
        "modality": "face", "model": "face-embed:0011", "n_genuine": 40, "n_impostor": 2000,
        "threshold_at_fmr": { "0.1": 0.2, "0.01": 0.31, "0.001": 0.42, "0.0001": null },
    });
    let pad = serde_json::json!({
        "model": "face-pad:22", "n_attack": 100, "n_live": 90,
        "threshold_at_apcer": { "0.1": 0.62, "0.01": 0.8 },
    });
    let set = evaluate::calibrate(&face, "pilot-1", "chip", "0.001", None).unwrap();
    assert_eq!((set.accept, set.review, set.pad_min), (0.42, 0.31, 0.5));
    assert_eq!((&*set.probe, &*set.reference), ("face-embed", "chip"));
    let set = evaluate::calibrate(&face, "pilot-1", "chip", "0.01", Some((&pad, "0.1"))).unwrap();
    assert_eq!((set.accept, set.review, set.pad_min), (0.31, 0.2, 0.62));
    assert!(set.measured.contains("100 attacks"), "{}", set.measured);
    let too_few = evaluate::calibrate(&face, "pilot-1", "chip", "0.0001", None);
    assert!(matches!(too_few, Err(ModelError::Report(_))));
}
