//! Attacks of our own making against liveness: prints, screens, worn masks, replayed
//! video, injected frames. The long one prints the table of MODEL_CARDS.md.

mod forge;

#[path = "../shared/loaded.rs"]
mod loaded;

use image::RgbImage;
use loaded::loaded;
use models::{
    Manifest,
    evaluate::wilson,
    face::{Face, FaceEngine, PadScore},
    liveness::{Action, ActionWatch, Neutral, PassiveWatch, Progress, Sight, Signals},
    manifest::default_dir,
};
use people::{Person, Pose};

fn engine() -> Option<FaceEngine> {
    loaded(FaceEngine::load(&default_dir(), &Manifest::built_in().unwrap()))
}

fn face(engine: &FaceEngine, frame: &RgbImage) -> Option<Face> {
    engine.observe(frame).unwrap().face
}

/// A room without anybody, for what is held into it.
fn room(i: u32) -> RgbImage {
    let away = Pose { scale: 0.05, dy: 900.0, ..Pose::default() };
    Person::generate(99, i).frame(&away, u64::from(i))
}

/// Frames of one presentation, judged together without asking anything.
fn sight(engine: &FaceEngine, frames: &[RgbImage]) -> Option<Sight> {
    let mut watch = PassiveWatch::default();
    for frame in frames {
        let Some(face) = face(engine, frame) else { continue };
        watch.see(frame, &face, engine.pad(frame, &face).unwrap());
    }
    watch.sight(PAD_MIN)
}

/// Photographs of real people: the anti-spoofing network knows a rendered face for what
/// it is, so attacks are made from these.
fn photographs() -> Vec<RgbImage> {
    let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/testdata");
    let dir = std::env::var_os("CHANGQING_TESTDATA").map_or(beside, Into::into);
    let people = std::fs::read_dir(dir.join("faces/lfw_subset")).into_iter().flatten().flatten();
    let mut paths: Vec<_> = people
        .flat_map(|person| std::fs::read_dir(person.path()).into_iter().flatten().flatten())
        .map(|file| file.path())
        .collect();
    paths.sort();
    paths.iter().map(|path| image::open(path).unwrap().to_rgb8()).collect()
}

/// What is shown to the camera, three frames each; nothing where it cannot be made.
fn shown(engine: &FaceEngine, kind: &str, photos: &[RgbImage], i: usize) -> Option<Vec<RgbImage>> {
    let (photo, n) = (&photos[i], i as u32);
    let frames = 0..3u32;
    let empty = room(n);
    Some(match kind {
        "photograph, not recaptured" => frames.map(|k| forge::moved(photo, n * 100 + k)).collect(),
        "print" => frames
            .map(|k| forge::printed(photo, &forge::held(photo, n, k), &empty, n * 100 + k))
            .collect(),
        "screen" => frames
            .map(|k| forge::on_screen(photo, &forge::held(photo, n, k), &empty, n * 100 + k))
            .collect(),
        "paper mask" | "paper mask with eye holes" => {
            let wearer = &photos[(i + 37) % photos.len()];
            let (own, other) = (face(engine, wearer)?, face(engine, photo)?);
            let holes = kind.ends_with("holes");
            let wear = |k| {
                let on = (wearer, &own.landmarks);
                forge::worn_mask(on, (photo, &other.landmarks), holes, n * 100 + k)
            };
            frames.map(wear).collect()
        }
        "injected still" => vec![photo.clone(); 4],
        other => unreachable!("{other}"),
    })
}

#[test]
#[ignore = "takes minutes; prints a table of MODEL_CARDS.md"]
fn passive_table() {
    let Some(engine) = engine() else { return };
    let photos = photographs();
    println!("{:28} {:>4} {:>22} {:>7}", "", "n", "taken for live", "frozen");
    for kind in PASSIVE {
        let seen: Vec<Sight> = (0..photos.len())
            .filter_map(|i| sight(&engine, &shown(&engine, kind, &photos, i)?))
            .collect();
        let live = seen.iter().filter(|s| matches!(s, Sight::Live(_))).count();
        let frozen = seen.iter().filter(|s| **s == Sight::Frozen).count();
        println!("{kind:28} {:>4} {:>22} {frozen:>7}", seen.len(), rate(live, seen.len()));
    }
}

fn rate(k: usize, n: usize) -> String {
    let [low, high] = wilson(k, n).unwrap_or([0.0, 1.0]);
    format!("{k} ({:.0} to {:.0} %)", 100.0 * low, 100.0 * high)
}

/// How a person who is there does as asked, with small movements of their own.
fn act(action: Option<Action>, i: u32) -> Vec<Pose> {
    let still = |k: u32| Pose {
        yaw_deg: 2.0 * forge::noise(i * 100 + k),
        pitch_deg: 1.5 * forge::noise(i * 100 + k + 50),
        dx: 3.0 * forge::noise(i * 100 + k + 70),
        ..Pose::default()
    };
    let way = [0.0, 0.5, 1.0, 1.0, 0.5, 0.0];
    let Some(action) = action else { return (0..3).map(still).collect() };
    let at = |(k, part): (usize, &f32)| {
        let pose = still(20 + k as u32);
        match action {
            Action::Blink => Pose { eyes_open: 1.0 - part, ..pose },
            Action::OpenMouth => Pose { mouth_open: *part, ..pose },
            Action::Turn => Pose { yaw_deg: 30.0 * part, ..pose },
            Action::Nod => Pose { pitch_deg: -22.0 * part, ..pose },
        }
    };
    way.iter().enumerate().map(at).collect()
}

/// Whether the action is seen, when what `camera` makes of a person is looked at.
fn is_seen(
    engine: &FaceEngine,
    i: u32,
    asked: Action,
    done: Option<Action>,
    mut camera: impl FnMut(&RgbImage, u32) -> RgbImage,
) -> Option<bool> {
    let person = Person::generate(SEED, i);
    let mut k = 0;
    let mut signals = |poses: Vec<Pose>| -> Vec<Signals> {
        let frames = poses.iter().filter_map(|pose| {
            k += 1;
            let frame = person.frame(pose, u64::from(1000 * i + k));
            face(engine, &camera(&frame, k)).map(|face| Signals::from(&face))
        });
        frames.collect()
    };
    let neutral = Neutral::of(&signals(act(None, i)))?;
    let mut watch = ActionWatch::new(neutral, asked);
    Some(signals(act(done, i)).iter().any(|now| watch.see(now) == Progress::Done))
}

#[test]
#[ignore = "takes minutes; prints a table of MODEL_CARDS.md"]
fn action_table() {
    let Some(engine) = engine() else { return };
    assert!(Person::generate(SEED, 0).face().from_gallery(), "set CHANGQING_PORTRAITS");
    println!("{:44} {:>4} {:>22}", "", "n", "taken for done");
    let tell = |name: &str, seen: Vec<bool>| {
        let k = seen.iter().filter(|seen| **seen).count();
        println!("{name:44} {:>4} {:>22}", seen.len(), rate(k, seen.len()));
    };
    let all = [Action::Blink, Action::OpenMouth, Action::Turn, Action::Nod];
    let plain = |frame: &RgbImage, _| frame.clone();
    for asked in all {
        let done = (0..N_PEOPLE).filter_map(|i| is_seen(&engine, i, asked, Some(asked), plain));
        tell(&format!("person, {asked:?} asked and done"), done.collect());
        let still = (0..N_PEOPLE).filter_map(|i| is_seen(&engine, i, asked, None, plain));
        tell(&format!("person, {asked:?} asked and not done"), still.collect());
    }
    for asked in all {
        let held = (0..N_PEOPLE).filter_map(|i| {
            let (empty, mut first) = (room(i), None);
            is_seen(&engine, i, asked, None, |frame, k| {
                let picture = first.get_or_insert_with(|| frame.clone());
                forge::printed(picture, &forge::held(picture, i, k), &empty, i * 100 + k)
            })
        });
        tell(&format!("print moved in the hand, {asked:?} asked"), held.collect());
    }
    let replayed = (0..N_PEOPLE).filter_map(|i| {
        let empty = room(i);
        is_seen(&engine, i, Action::Nod, Some(Action::Blink), |frame, k| {
            forge::on_screen(frame, &forge::held(frame, i, k), &empty, i * 100 + k)
        })
    });
    tell("video of a blink, Nod asked", replayed.collect());
    let replayed = (0..N_PEOPLE).filter_map(|i| {
        let empty = room(i);
        is_seen(&engine, i, Action::Blink, Some(Action::Blink), |frame, k| {
            forge::on_screen(frame, &forge::held(frame, i, k), &empty, i * 100 + k)
        })
    });
    tell("video of a blink, Blink asked", replayed.collect());
}

#[test]
#[ignore = "takes minutes; prints a table of MODEL_CARDS.md"]
fn mask_table() {
    let Some(engine) = engine() else { return };
    assert!(Person::generate(SEED, 0).face().from_gallery(), "set CHANGQING_PORTRAITS");
    for has_holes in [true, false] {
        for asked in [Action::OpenMouth, Action::Turn, Action::Nod, Action::Blink] {
            let worn = (0..N_PEOPLE).filter_map(|i| behind_mask(&engine, i, asked, has_holes));
            let seen: Vec<bool> = worn.collect();
            let k = seen.iter().filter(|seen| **seen).count();
            let holes = if has_holes { "with" } else { "without" };
            let name = format!("paper mask {holes} eye holes, {asked:?} asked and done");
            println!("{name:52} {:>4} {:>22}", seen.len(), rate(k, seen.len()));
        }
    }
}

/// Whether the action is seen of somebody who wears another's printed face and does it.
fn behind_mask(engine: &FaceEngine, i: u32, asked: Action, has_holes: bool) -> Option<bool> {
    let picture = Person::generate(SEED, i + 2).frame(&Pose::default(), 1);
    let points = face(engine, &picture)?.landmarks;
    is_seen(engine, i, asked, Some(asked), |frame, k| match face(engine, frame) {
        Some(own) => {
            let on = (frame, &own.landmarks);
            forge::worn_mask(on, (&picture, &points), has_holes, i * 100 + k)
        }
        None => frame.clone(),
    })
}

#[test]
fn a_still_that_is_fed_in_place_of_the_camera_is_noticed() {
    let Some(engine) = engine() else { return };
    let person = Person::generate(SEED, 0);
    let frames: Vec<_> = (0..4).map(|k| person.frame(&Pose::default(), k)).collect();
    assert_eq!(sight(&engine, &vec![frames[0].clone(); 4]), Some(Sight::Frozen));
    // The same pose before a camera differs by the noise of its sensor.
    let seen = sight(&engine, &frames);
    assert!(matches!(seen, Some(Sight::Live(_) | Sight::Doubtful(_))), "{seen:?}");
    let one_doubled = [&frames[0], &frames[0], &frames[1], &frames[2]].map(Clone::clone);
    assert_ne!(sight(&engine, &one_doubled), Some(Sight::Frozen));
}

#[test]
fn a_print_is_not_taken_for_live_and_does_not_blink() {
    let Some(engine) = engine() else { return };
    let person = Person::generate(SEED, 0);
    if !person.face().from_gallery() {
        eprintln!("left out: CHANGQING_PORTRAITS names no rendered portraits");
        return;
    }
    let (empty, picture) = (room(0), person.frame(&Pose::default(), 1));
    let hold = |k: u32| forge::printed(&picture, &forge::held(&picture, 0, k), &empty, k);
    let seen = sight(&engine, &[hold(1), hold(2), hold(3)]);
    assert!(matches!(seen, Some(Sight::Doubtful(PadScore(score))) if score < PAD_MIN), "{seen:?}");
    assert_eq!(is_seen(&engine, 0, Action::Blink, None, |_, k| hold(k)), Some(false));
    let blink = Some(Action::Blink);
    assert_eq!(is_seen(&engine, 0, Action::Blink, blink, |frame, _| frame.clone()), Some(true));
}

const SEED: u64 = 7;
const PAD_MIN: f32 = 0.5;
/// As many as there are rendered portraits.
const N_PEOPLE: u32 = 24;
const PASSIVE: [&str; 6] = [
    "photograph, not recaptured",
    "print",
    "screen",
    "paper mask",
    "paper mask with eye holes",
    "injected still",
];
