//! A camera in front of a seat on which a simulated person sits, moves when asked, or holds up a card.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use drivers::camera::{Camera, CameraError, Frame};
use image::{Rgb, RgbImage, imageops};
use kiosk_core::event::Action;
use people::{Person, Pose};

/// What the camera sees. Set by whoever directs the visit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// An empty chair.
    Empty,
    /// The person sits down: at first too far away, then right.
    Arriving,
    /// The person sits still.
    Sitting,
    /// The person does what was asked.
    Acting(Action),
    /// The card lies under the camera.
    CardFront,
    /// Its other side.
    CardBack,
    /// The person holds the card beside the face.
    CardInHand,
}

/// The chair.
pub struct Seat {
    person: Option<Person>,
    card_of: Option<Person>,
    scene: Scene,
    n_frames: u32,
}

/// The chair as director and camera share it.
#[derive(Clone)]
pub struct SharedSeat(Arc<Mutex<Seat>>);

impl SharedSeat {
    /// Nobody is here.
    pub fn empty() -> Self {
        Self(Arc::new(Mutex::new(Seat {
            person: None,
            card_of: None,
            scene: Scene::Empty,
            n_frames: 0,
        })))
    }

    /// Somebody takes the chair, with somebody's card.
    pub fn take(&self, person: Person, card_of: Person) {
        let mut seat = self.open();
        seat.person = Some(person);
        seat.card_of = Some(card_of);
        seat.scene = Scene::Arriving;
        seat.n_frames = 0;
    }

    /// What is done now. Asking again for what is being done changes nothing.
    pub fn play(&self, scene: Scene) {
        let mut seat = self.open();
        if seat.scene == scene {
            return;
        }
        seat.scene = scene;
        seat.n_frames = 0;
    }

    /// As [`Self::play`], but lets somebody who is still arriving arrive.
    pub fn play_unless_arriving(&self, scene: Scene) {
        if !matches!(self.open().scene, Scene::Arriving) {
            self.play(scene);
        }
    }

    fn open(&self) -> MutexGuard<'_, Seat> {
        self.0.lock().expect("director and camera do not panic")
    }
}

/// A camera before the chair. Frames follow from the scene and their number alone, so that a visit can be told twice.
pub struct SeatCamera {
    seat: SharedSeat,
    index: u64,
    started: Instant,
    last: Instant,
    frame_time: Duration,
}

impl SeatCamera {
    /// Looks at the chair, a frame each `frame_time` at most.
    pub fn new(seat: SharedSeat, frame_time: Duration) -> Self {
        let now = Instant::now();
        Self { seat, index: 0, started: now, last: now, frame_time }
    }
}

impl Camera for SeatCamera {
    fn latest(&mut self, _: Instant) -> Result<Frame, CameraError> {
        let due = self.last + self.frame_time;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        self.last = Instant::now();
        let mut seat = self.seat.open();
        let image = seat.look();
        seat.n_frames += 1;
        drop(seat);
        self.index += 1;
        let captured_ms = self.started.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        Ok(Frame { image, captured_ms, latency: None, index: self.index })
    }
}

impl Seat {
    fn look(&self) -> RgbImage {
        let Some(person) = &self.person else {
            return wall();
        };
        match self.scene {
            Scene::Empty => wall(),
            Scene::CardFront => card(self.card_of.as_ref().unwrap_or(person), true),
            Scene::CardBack => card(self.card_of.as_ref().unwrap_or(person), false),
            Scene::CardInHand => in_hand(person, self.card_of.as_ref().unwrap_or(person)),
            Scene::Acting(_) => person.frame(&self.pose(), self.n_frames.into()),
            // How many frames pass before somebody reacts is chance: whichever the first of a few is, together they
            // are the same frames.
            _ => person.frame(&self.pose(), STILL_NOISE + u64::from(self.n_frames) % STILL_FRAMES),
        }
    }

    fn pose(&self) -> Pose {
        let still = Pose::default();
        // A cycle of eight frames: rest, move, hold, come back.
        let beat = [0.0, 0.5, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0][(self.n_frames % 8) as usize];
        match self.scene {
            Scene::Arriving if self.n_frames < ARRIVING_FRAMES => Pose { scale: 0.35, ..still },
            Scene::Acting(Action::Blink) => Pose { eyes_open: 1.0 - beat, ..still },
            Scene::Acting(Action::OpenMouth) => Pose { mouth_open: beat, ..still },
            Scene::Acting(Action::Turn) => Pose { yaw_deg: 30.0 * beat, ..still },
            Scene::Acting(Action::Nod) => Pose { pitch_deg: 20.0 * beat, ..still },
            _ => still,
        }
    }
}

fn wall() -> RgbImage {
    RgbImage::from_pixel(640, 480, Rgb([206, 204, 198]))
}

/// A card-shaped thing with a portrait and lines where text would be: a stand-in, not a likeness of the real card.
fn card(of: &Person, front: bool) -> RgbImage {
    let mut frame = RgbImage::from_pixel(640, 480, Rgb([112, 92, 74]));
    let face = Rgb([214, 226, 232]);
    fill(&mut frame, (60, 80), (520, 328), face);
    let ink = Rgb([40, 44, 52]);
    for line in 0..5u32 {
        let length = [180, 90, 220, 260, 200][line as usize];
        for stroke in (0..length).step_by(9) {
            fill(&mut frame, (90 + stroke, 115 + line * 48), (6, 16), ink);
        }
    }
    if front {
        let portrait = imageops::resize(&of.portrait(), 130, 162, imageops::FilterType::Triangle);
        imageops::overlay(&mut frame, &portrait, 420, 110);
    } else {
        fill(&mut frame, (430, 110), (110, 110), Rgb([178, 58, 52]));
    }
    frame
}

fn in_hand(person: &Person, card_of: &Person) -> RgbImage {
    let mut frame = person.frame(&Pose::default(), STILL_NOISE);
    let small = imageops::crop_imm(&card(card_of, true), 60, 80, 520, 328).to_image();
    let small = imageops::resize(&small, 208, 131, imageops::FilterType::Triangle);
    imageops::overlay(&mut frame, &small, 410, 300);
    frame
}

fn fill(frame: &mut RgbImage, at: (u32, u32), size: (u32, u32), colour: Rgb<u8>) {
    for y in at.1..at.1 + size.1 {
        for x in at.0..at.0 + size.0 {
            frame.put_pixel(x, y, colour);
        }
    }
}

/// Sensor noise of a frame in which nobody moves.
const STILL_NOISE: u64 = 7;
/// A sensor gives no two frames alike. The terminal looks at this many, or at a multiple of it.
const STILL_FRAMES: u64 = 5;
/// Frames in which the person is still too far away, so that the coaching can be seen.
const ARRIVING_FRAMES: u32 = 4;

#[cfg(test)]
mod tests {
    use models::document;

    use super::*;

    fn seen(scene: Scene) -> RgbImage {
        let seat = SharedSeat::empty();
        let person = Person::generate(2, 0);
        seat.take(person.clone(), person);
        seat.play(scene);
        seat.open().look()
    }

    #[test]
    fn the_cards_of_the_demonstration_can_be_photographed() {
        for scene in [Scene::CardFront, Scene::CardBack] {
            assert_eq!(document::look(&seen(scene)).coaching, None);
        }
        let in_hand = seen(Scene::CardInHand);
        assert!(document::look(&in_hand).corners.is_some());
        assert!(!document::shows_raster(&in_hand));
    }

    #[test]
    fn no_two_frames_of_a_still_person_are_alike() {
        let seat = SharedSeat::empty();
        let person = Person::generate(2, 0);
        seat.take(person.clone(), person);
        seat.play(Scene::Sitting);
        let first = seat.open().look();
        seat.open().n_frames += 1;
        assert_ne!(first, seat.open().look());
    }
}
