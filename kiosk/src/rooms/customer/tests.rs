//! The room over a display that only keeps what it was shown.

use std::sync::mpsc;

use drivers::display::Prompt;
use drivers::display::recording::Recording;

use super::*;
use crate::happening::{Happening, words};

#[test]
fn a_display_that_was_pulled_is_told_and_whole_again_when_it_is_back() {
    let counter = Counter::new();
    let mut room = counter.room();
    room.scene = scene("lay-card");
    room.show();
    assert!(words(&counter.told).is_empty() && counter.display.picture().is_some());
    counter.display.plug(false);
    room.show();
    room.show();
    assert_eq!(words(&counter.told), ["device-customer-display err-customer-display"]);
    counter.display.plug(true);
    counter.display.take_parts();
    room.show();
    assert_eq!(words(&counter.told), ["device-customer-display works"]);
    assert_eq!(counter.display.take_parts(), ["0,0 320x240"]);
}

#[test]
fn of_scenes_that_have_piled_up_only_the_last_is_shown() {
    let counter = Counter::new();
    let (sender, orders) = mpsc::channel();
    for id in ["finger-hold", "finger-lift", "slip-printed"] {
        sender.send(Order::Show(scene(id))).expect("the room listens");
    }
    drop(sender);
    counter.room().run(&orders);
    // The last of them whole, and then the dark of the end.
    assert_eq!(counter.display.take_parts().len(), 2);
    let picture = counter.display.picture().expect("something was shown");
    assert!(picture.pixels().all(|pixel| pixel.0 == [0, 0, 0]));
}

struct Counter {
    display: Recording,
    teller: Teller,
    told: Receiver<Happening>,
}

impl Counter {
    fn new() -> Self {
        let (sender, told) = mpsc::channel();
        Self { display: Recording::default(), teller: Teller::new(sender), told }
    }

    fn room(&self) -> CustomerRoom {
        let display = self.display.clone();
        let make = move || {
            let display = display.clone();
            CustomerDisplay::over(Box::new(move || display.open()), Duration::ZERO)
        };
        CustomerRoom::over(Box::new(make), self.teller.clone())
    }
}

fn scene(id: &str) -> Scene {
    Scene::text(Prompt::new(id, &[]).expect("a text of the display"))
}
