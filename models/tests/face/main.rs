//! Coaching and search on simulated people and on public photographs: what covers a
//! face, who else is there, which way up it is.

#[path = "../shared/loaded.rs"]
mod loaded;

use std::path::Path;

use image::{Rgb, RgbImage, imageops};
use loaded::loaded;
use models::{
    Manifest,
    face::{Coaching, FaceEngine, FaceObservation},
    manifest::default_dir,
};
use people::{Person, Pose};

fn engine() -> Option<FaceEngine> {
    loaded(FaceEngine::load(&default_dir(), &Manifest::built_in().unwrap()))
}

fn frames(n: u32) -> impl Iterator<Item = RgbImage> {
    (0..n).map(|index| Person::generate(5, index).frame(&Pose::default(), u64::from(index)))
}

/// Photographs of the evaluation data, where there are any.
fn photographs() -> Vec<std::path::PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/testdata");
    let dir = std::env::var_os("CHANGQING_TESTDATA").map_or(beside, Into::into);
    let dir = dir.join("faces/lfw_subset");
    if !dir.is_dir() {
        eprintln!("left out: there are no photographs at {}", dir.display());
    }
    let mut found = Vec::new();
    for person in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(person.path()).into_iter().flatten().flatten() {
            found.push(file.path());
        }
    }
    found.sort();
    found
}

/// Colours the inside of a polygon of landmarks.
fn paint(frame: &RgbImage, points: &[(f32, f32)], colour: [u8; 3]) -> RgbImage {
    let mut painted = frame.clone();
    let inside = |x: f32, y: f32| {
        let edges = points.iter().zip(points.iter().cycle().skip(1));
        edges.fold(false, |odd, (a, b)| {
            let crosses = (a.1 > y) != (b.1 > y);
            odd ^ (crosses && x < a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0))
        })
    };
    for (x, y, pixel) in painted.enumerate_pixels_mut() {
        if inside(x as f32, y as f32) {
            // Folds, so that it is no flat colour.
            let fold = ((y as f32 / 5.0).sin() * 6.0) as i16;
            *pixel = Rgb(colour.map(|c| (i16::from(c) + fold).clamp(0, 255) as u8));
        }
    }
    painted
}

fn masked(frame: &RgbImage, seen: &FaceObservation, colour: [u8; 3]) -> RgbImage {
    let points = &seen.face.as_ref().unwrap().landmarks;
    let mut outline: Vec<_> = (2..=14).map(|i| points[i]).collect();
    outline.push(points[28]);
    paint(frame, &outline, colour)
}

fn behind_glasses(frame: &RgbImage, seen: &FaceObservation) -> RgbImage {
    let points = &seen.face.as_ref().unwrap().landmarks;
    let mut frame = frame.clone();
    for (outer, inner) in [(36, 39), (42, 45)] {
        let (a, b) = (points[outer], points[inner]);
        let (cx, cy) = ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
        let (rx, ry) = ((b.0 - a.0) * 0.85, (b.0 - a.0) * 0.65);
        let ring = (0..24).map(|k| {
            let (sin, cos) = (k as f32 * std::f32::consts::TAU / 24.0).sin_cos();
            (cx + rx * cos, cy + ry * sin)
        });
        frame = paint(&frame, &ring.collect::<Vec<_>>(), [28, 26, 30]);
    }
    frame
}

fn under_brim(frame: &RgbImage, seen: &FaceObservation) -> RgbImage {
    let face = seen.face.as_ref().unwrap();
    let lower = (face.landmarks[29].1, face.bbox.y - face.bbox.height * 0.1);
    RgbImage::from_fn(frame.width(), frame.height(), |x, y| {
        let mut pixel = *frame.get_pixel(x, y);
        if (y as f32) < lower.0 && (y as f32) > lower.1 {
            pixel.0 = pixel.0.map(|v| (f32::from(v) * 0.3) as u8);
        }
        pixel
    })
}

#[test]
#[ignore = "prints what is measured"]
fn show() {
    let Some(engine) = engine() else { return };
    let all: Vec<(String, RgbImage)> = frames(12)
        .enumerate()
        .map(|(i, frame)| (format!("person {i}"), frame))
        .chain(photographs().into_iter().map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, image::open(path).unwrap().to_rgb8())
        }))
        .collect();
    for (name, frame) in all {
        let seen = engine.observe(&frame).unwrap();
        if seen.face.is_none() {
            println!("{name} none");
            continue;
        }
        let c = seen.quality.cover;
        print!("{name:28} {:.2} {:.2} {:.2} {:?}", c.mask, c.glasses, c.brim, seen.coaching);
        for changed in [
            masked(&frame, &seen, [150, 190, 215]),
            masked(&frame, &seen, [232, 232, 230]),
            masked(&frame, &seen, [34, 34, 38]),
            behind_glasses(&frame, &seen),
            under_brim(&frame, &seen),
        ] {
            let seen = engine.observe(&changed).unwrap();
            let c = seen.quality.cover;
            print!(" | {:.2} {:.2} {:.2} {:?}", c.mask, c.glasses, c.brim, seen.coaching);
        }
        println!();
    }
}

/// The hint for the first person of the gallery in this pose.
fn told(engine: &FaceEngine, pose: Pose) -> Option<Coaching> {
    engine.observe(&subject().frame(&pose, 3)).unwrap().coaching
}

/// A person with a rendered face; a drawn one is no subject for the networks.
fn subject() -> Person {
    Person::generate(5, 0)
}

fn ready() -> Option<FaceEngine> {
    let engine = engine()?;
    if !subject().face().from_gallery() {
        eprintln!("left out: CHANGQING_PORTRAITS names no rendered portraits");
        return None;
    }
    Some(engine)
}

#[test]
fn a_good_frame_earns_no_hint() {
    let Some(engine) = ready() else { return };
    let hints: Vec<_> = frames(12).map(|f| engine.observe(&f).unwrap().coaching).collect();
    let told = hints.iter().flatten();
    // One of the rendered faces is nearly asleep.
    assert!(
        told.clone().count() <= 1 && told.clone().all(|h| *h == Coaching::EyesClosed),
        "{hints:?}"
    );
}

#[test]
fn each_fault_of_a_pose_or_its_light_has_its_hint() {
    let Some(engine) = ready() else { return };
    let usual = Pose::default();
    assert_eq!(told(&engine, Pose { light: 0.15, ..usual }), Some(Coaching::TooDark));
    assert_eq!(told(&engine, Pose { light: 3.0, ..usual }), Some(Coaching::TooBright));
    let blurred = imageops::blur(&subject().frame(&usual, 3), 6.0);
    assert_eq!(engine.observe(&blurred).unwrap().coaching, Some(Coaching::HoldStill));
    assert_eq!(told(&engine, Pose { scale: 0.3, ..usual }), Some(Coaching::ComeCloser));
    assert_eq!(told(&engine, Pose { yaw_deg: 35.0, ..usual }), Some(Coaching::LookAtCamera));
    assert_eq!(told(&engine, Pose { eyes_open: 0.0, ..usual }), Some(Coaching::EyesClosed));
    assert_eq!(told(&engine, Pose { scale: 0.01, ..usual }), Some(Coaching::NoFace));
}

#[test]
fn a_lamp_behind_the_person_is_told_from_a_dark_room() {
    let Some(engine) = ready() else { return };
    let frame = subject().frame(&Pose::default(), 3);
    let face = engine.observe(&frame).unwrap().face.unwrap();
    let (cx, cy) = (face.bbox.x + face.bbox.width / 2.0, face.bbox.y + face.bbox.height / 2.0);
    let lit = RgbImage::from_fn(frame.width(), frame.height(), |x, y| {
        let (dx, dy) = ((x as f32 - cx) / face.bbox.width, (y as f32 - cy) / face.bbox.height);
        let is_behind = dx.hypot(dy) > 0.75 && (y as f32) < face.bbox.y + face.bbox.height;
        let light = if is_behind { 1.9 } else { 0.4 };
        Rgb(frame.get_pixel(x, y).0.map(|v| (f32::from(v) * light).min(255.0) as u8))
    });
    assert_eq!(engine.observe(&lit).unwrap().coaching, Some(Coaching::Backlight));
}

#[test]
fn a_second_person_who_is_close_is_seen_and_one_far_behind_is_not() {
    let Some(engine) = ready() else { return };
    let beside = |scale: f32| {
        let mut frame = subject().frame(&Pose { dx: -140.0, ..Pose::default() }, 3);
        let other = Person::generate(5, 1).frame(&Pose { scale, ..Pose::default() }, 4);
        let part = imageops::crop_imm(&other, 200, 0, 240, 480).to_image();
        imageops::overlay(&mut frame, &part, 400, 0);
        engine.observe(&frame).unwrap()
    };
    assert_eq!(beside(0.9).coaching, Some(Coaching::SecondPerson));
    let far = beside(0.35);
    assert_ne!(far.coaching, Some(Coaching::SecondPerson), "{} faces", far.n_faces);
}

#[test]
fn whatever_covers_the_face_is_asked_to_be_taken_off() {
    let Some(engine) = ready() else { return };
    let (mut n, mut n_told) = (0, [0, 0, 0]);
    for frame in frames(8) {
        let seen = engine.observe(&frame).unwrap();
        let hint = |frame: &RgbImage| engine.observe(frame).unwrap().coaching;
        let masks = [[150, 190, 215], [232, 232, 230], [34, 34, 38]];
        let is_mask =
            |colour: &[u8; 3]| hint(&masked(&frame, &seen, *colour)) == Some(Coaching::TakeOffMask);
        n += 1;
        n_told[0] += masks.iter().filter(|colour| is_mask(colour)).count();
        let glasses = hint(&behind_glasses(&frame, &seen));
        n_told[1] += usize::from(glasses == Some(Coaching::TakeOffGlasses));
        n_told[2] += usize::from(hint(&under_brim(&frame, &seen)) == Some(Coaching::LiftHat));
    }
    // Of three colours of masks a dark one on a pale face is the hardest.
    assert!(n_told[0] * 10 >= 8 * 3 * n, "masks, glasses, brims: {n_told:?} of {n}");
    assert!(n_told[1] + 1 >= n && n_told[2] + 1 >= n, "masks, glasses, brims: {n_told:?} of {n}");
}

#[test]
fn bare_faces_of_the_evaluation_data_are_hardly_ever_called_covered() {
    let Some(engine) = engine() else { return };
    let covers = [Coaching::TakeOffMask, Coaching::TakeOffGlasses, Coaching::LiftHat];
    let photographs = photographs();
    let called = photographs.iter().filter(|path| {
        let picture = image::open(path).unwrap().to_rgb8();
        engine.observe(&picture).unwrap().coaching.is_some_and(|hint| covers.contains(&hint))
    });
    let n_called = called.count();
    assert!(n_called * 100 <= 3 * photographs.len(), "{n_called} of {}", photographs.len());
}

#[test]
fn a_person_who_lies_down_is_found_and_is_the_same() {
    let Some(engine) = ready() else { return };
    for frame in frames(4) {
        let upright = engine.observe(&frame).unwrap().face.unwrap();
        let reference = engine.template(&frame, &upright).unwrap();
        for (turn, turned) in [
            (90.0, imageops::rotate90(&frame)),
            (180.0, imageops::rotate180(&frame)),
            (-90.0, imageops::rotate270(&frame)),
        ] {
            let face = engine.observe(&turned).unwrap().face.unwrap();
            let off = (face.roll - upright.roll - turn).rem_euclid(360.0);
            assert!(off.min(360.0 - off) < 8.0, "turned by {turn}: roll {}", face.roll);
            let again = engine.template(&turned, &face).unwrap();
            let same = engine.compare(&reference, &again).unwrap();
            assert!(same > 0.7, "turned by {turn}: {same}");
        }
    }
}
