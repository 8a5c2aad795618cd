//! Stories of fingers on the glass.

use std::time::Duration;

use drivers::fingerprint::{Capture, Progress, Retry, Sensor, SensorError};
use expect_test::{Expect, expect};

use crate::in_process::{World, roster};

#[test]
fn a_finger_comes_and_its_image_is_the_fingers() {
    let world = World::new(1);
    let mut sensor = world.sensor().unwrap();
    assert_eq!(sensor.parameters().unwrap().baud_hz, 115_200);
    world.order("FINGER 3 right-index");
    let (began, mut seen) = (world.now(), Vec::new());
    let captured = sensor.capture(world.instant(SOON), &mut |p| seen.push(p)).unwrap();
    let took = world.now() - began;
    let Capture::Image(image) = captured else {
        panic!("no image");
    };
    let laid = roster().person(3).unwrap().finger_image(2, 0, 256, 288);
    let far = image.pixels.iter().zip(&laid).filter(|(a, b)| a.abs_diff(**b) > 40).count();
    assert_eq!((image.width, image.height, image.pixels.len()), (256, 288, 73_728));
    assert_eq!(far, 0, "pixels are not those of the finger");
    check_progress(&seen);
    let wire = device_sim::line::wire_time(36_864 + 144 * 11, 115_200);
    let device = Duration::from_millis(250);
    let ratio = took.as_secs_f64() / (wire + device).as_secs_f64();
    eprintln!("finger: {took:?}, wire {wire:?}, ratio {ratio:.3}");
    assert!(ratio <= 1.10, "{ratio}");
}

#[test]
fn a_finger_that_was_seen_lifted_need_not_be_lifted_again() {
    let world = World::new(1);
    let mut sensor = world.sensor().unwrap();
    for impression in 0..2 {
        world.order(&format!("FINGER 3 right-index {impression}"));
        let captured = sensor.capture(world.instant(SOON), &mut |_| ());
        assert!(matches!(captured, Ok(Capture::Image(_))), "{captured:?}");
        world.order("FINGER OFF");
        assert!(sensor.finger_off(world.instant(SOON)).unwrap());
    }
}

#[test]
fn poor_fingers_are_coached_and_not_faults() {
    check(
        &[
            "capture",
            "FINGER 1 2",
            "DRY",
            "capture",
            "WET",
            "capture",
            "MOVED",
            "capture",
            "capture",
        ],
        expect![[r#"
            capture -> Retry(NoFinger)
            FINGER 1 2
            DRY
            capture -> Retry(TooDry)
            WET
            capture -> Retry(TooWet)
            MOVED
            capture -> Retry(Moved)
            capture -> Image(GreyImage(256x288, …))
        "#]],
    );
}

#[test]
fn a_finger_must_be_lifted_between_images() {
    check(
        &["FINGER 1 2", "capture", "capture", "FINGER OFF", "capture", "FINGER 1 2 1", "capture"],
        expect![[r#"
            FINGER 1 2
            capture -> Image(GreyImage(256x288, …))
            capture -> Retry(LiftFirst)
            FINGER OFF
            capture -> Retry(NoFinger)
            FINGER 1 2 1
            capture -> Image(GreyImage(256x288, …))
        "#]],
    );
}

#[test]
fn an_unplugged_module_is_told_and_opened_anew() {
    check(
        &[
            "UNPLUG fingerprint",
            "FINGER 1 2",
            "capture",
            "capture",
            "REPLUG fingerprint",
            "capture",
        ],
        expect![[r#"
            UNPLUG fingerprint
            FINGER 1 2
            capture -> error finger-reader-unplugged
            capture -> error finger-reader-unplugged
            REPLUG fingerprint
            capture -> Image(GreyImage(256x288, …))
        "#]],
    );
}

#[test]
fn a_silent_module_is_told_in_time() {
    let world = World::new(1);
    world.order("SILENCE fingerprint 60000");
    assert!(matches!(world.sensor(), Err(SensorError::Silent)));
    assert!(world.now() < Duration::from_secs(4), "{:?}", world.now());
}

#[test]
fn noise_in_an_upload_is_met_by_another_upload() {
    let world = World::new(5);
    let mut sensor = world.sensor().unwrap();
    world.order("FINGER 1 2");
    let mut n_uploads = 0;
    let later = world.now() + Duration::from_secs(1);
    world.later(later, "NOISE fingerprint 3".parse().unwrap());
    let captured = sensor.capture(world.instant(SOON), &mut |p| {
        n_uploads += usize::from(p == Progress::Uploading(0.0));
    });
    assert!(matches!(captured, Ok(Capture::Image(_))), "{captured:?}");
    assert_eq!(n_uploads, 2);
}

pub(crate) const SOON: Duration = Duration::from_secs(2);

fn check_progress(seen: &[Progress]) {
    let shares: Vec<f32> = seen
        .iter()
        .filter_map(|p| match p {
            Progress::Uploading(share) => Some(*share),
            _ => None,
        })
        .collect();
    assert_eq!(seen[0], Progress::WaitingForFinger);
    assert_eq!(seen[1], Progress::Taken);
    assert!(shares.is_sorted() && shares.len() > 100);
    assert_eq!((shares[0], shares[shares.len() - 1]), (0.0, 1.0));
}

fn check(steps: &[&str], expected: Expect) {
    let world = World::new(1);
    let mut sensor = world.sensor().unwrap();
    let mut story = String::new();
    for step in steps {
        let told = match *step {
            "capture" => format!("capture -> {}", tell(&mut sensor, &world)),
            order => {
                world.order(order);
                order.to_owned()
            }
        };
        story.push_str(&told);
        story.push('\n');
    }
    expected.assert_eq(&story);
}

/// An answer in words.
pub(crate) fn tell(sensor: &mut Sensor, world: &World) -> String {
    match sensor.capture(world.instant(SOON), &mut |_| ()) {
        Ok(captured) => format!("{captured:?}"),
        Err(error) => format!("error {}", error.code()),
    }
}

#[test]
fn an_opinion_is_asked_for_only_when_wished() {
    let world = World::new(1);
    let settings = drivers::fingerprint::Settings { asks_opinion: true, ..Default::default() };
    let link = world.link(device_sim::script::DeviceName::Fingerprint);
    let mut sensor = Sensor::over(link, settings).unwrap();
    world.order("FINGER 1 2");
    world.order("FEW");
    let captured = sensor.capture(world.instant(SOON), &mut |_| ());
    assert!(matches!(captured, Ok(Capture::Retry(Retry::TooFewPoints))));
}
