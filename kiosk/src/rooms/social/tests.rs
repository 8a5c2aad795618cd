//! Cards in a slot that a test holds.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use drivers::social_card::{Issuer, SocialCard};
use expect_test::expect;

use super::*;
use crate::clock::Clock;
use crate::happening::{Happening, words};

#[test]
fn a_card_says_who_somebody_is_once_and_every_fault_is_told() {
    let counter = Counter::new();
    let mut story = String::new();
    for (name, looks) in [
        ("no reader", vec![Err(SocialCardError::NoReader)]),
        ("plugged in", vec![Ok(None)]),
        ("nobody is served", vec![card(Some(HOLDER)), Ok(None)]),
    ] {
        story += &counter.play(name, looks);
    }
    counter.awaited.open();
    for (name, looks) in [
        ("upside down", vec![Ok(Some(Reading::Mute)), Ok(Some(Reading::Mute))]),
        ("another card", vec![Ok(None), Ok(Some(Reading::OtherCard))]),
        ("drawn too soon", vec![Ok(None), Ok(Some(Reading::Moved))]),
        ("locked", vec![Ok(None), card(None)]),
        ("a number that is none", vec![Ok(None), card(Some("123456789012345678"))]),
        ("the card", vec![Ok(None), card(Some(HOLDER)), card(Some(HOLDER))]),
        ("left in the slot", vec![card(Some(HOLDER))]),
    ] {
        story += &counter.play(name, looks);
    }
    expect![[r#"
        no reader: device-social-card err-social-reader-silent
        plugged in: device-social-card works
        nobody is served: 
        upside down: err-social-card-other
        another card: err-social-card-other
        drawn too soon: hold still
        locked: locked
        a number that is none: drawn, err-social-card-unreadable
        the card: reading, read SocialCard
        left in the slot: 
    "#]]
    .assert_eq(&story);
}

#[test]
fn the_reader_that_was_second_leaves_the_tray_alone() {
    let counter = Counter::new();
    counter.awaited.open();
    assert!(counter.awaited.take(), "the other reader was first");
    let visit = [9; 16];
    *counter.tray.open() = Tray { visit, ..Tray::default() };
    assert_eq!(counter.play("late", vec![card(Some(HOLDER))]), "late: \n");
    assert_eq!(counter.tray.open().visit, visit);
}

#[test]
fn the_next_visit_wants_the_card_drawn_and_laid_in_again() {
    let counter = Counter::new();
    counter.awaited.open();
    counter.play("first", vec![card(Some(HOLDER))]);
    counter.awaited.open();
    assert_eq!(counter.play("left", vec![card(Some(HOLDER))]), "left: \n");
    let again = counter.play("again", vec![Ok(None), card(Some(HOLDER))]);
    assert_eq!(again, "again: reading, read SocialCard\n");
}

#[test]
fn a_pin_goes_to_the_card_once_and_only_to_a_card_that_wants_it() {
    let counter = Counter::new();
    let mut story = counter.enter("nobody asked", card(Some(HOLDER)));
    counter.awaited.open();
    story += &counter.play("locked", vec![card(None)]);
    let wrong = Ok(Some(Reading::PinWrong { tries_left: 2 }));
    story += &counter.enter("wrong", wrong);
    story += &counter.play("still there", vec![card(None)]);
    story += &counter.enter("not tried", Ok(Some(Reading::PinNotTried)));
    story += &counter.enter("drawn meanwhile", Ok(Some(Reading::NoCard)));
    story += &counter.play("laid in again", vec![Ok(None), card(None)]);
    story += &counter.enter("reader pulled out", Err(SocialCardError::NoReader));
    story += &counter.play("plugged in", vec![Ok(None), card(None)]);
    story += &counter.enter("right", card(Some(HOLDER)));
    story += &counter.enter("too late", card(Some(HOLDER)));
    expect![[r#"
        nobody asked: drawn
        locked: locked
        wrong: Event(Card(PinRefused(Wrong { tries_left: 2 })))
        still there: 
        not tried: Event(Card(PinRefused(NotTried)))
        drawn meanwhile: drawn
        laid in again: locked
        reader pulled out: device-social-card err-social-reader-silent, drawn
        plugged in: device-social-card works, locked
        right: reading, read SocialCard
        too late: drawn
    "#]]
    .assert_eq(&story);
}

type Look = Result<Option<Reading>, SocialCardError>;

/// A slot that goes on from look to look.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<VecDeque<Look>>>);

impl Slot for Script {
    fn has_card(&mut self) -> Result<bool, SocialCardError> {
        let mut looks = self.0.lock().expect("one test");
        match looks.front().expect("the test has laid something") {
            Ok(Some(_)) => Ok(true),
            Ok(None) => {
                looks.pop_front();
                Ok(false)
            }
            Err(_) => Err(looks.pop_front().expect("there").expect_err("an error")),
        }
    }

    fn read_with_pin(&mut self, pin: Pin) -> Result<Reading, SocialCardError> {
        assert_eq!(format!("{pin:?}"), "Pin(…)");
        self.read()
    }

    fn read(&mut self) -> Result<Reading, SocialCardError> {
        let look = self.0.lock().expect("one test").pop_front().expect("there");
        Ok(look?.expect("asked only when there is a card"))
    }
}

struct Counter {
    room: Mutex<SocialRoom>,
    script: Script,
    told: Receiver<Happening>,
    awaited: Awaited,
    tray: SharedTray,
}

impl Counter {
    fn new() -> Self {
        let (sender, told) = mpsc::channel();
        let (script, awaited, tray) =
            (Script::default(), Awaited::default(), SharedTray::default());
        let slot = script.clone();
        let make: MakeSlot = Box::new(move || Box::new(slot.clone()));
        let ids = Ids::random(Clock::system());
        let teller = Teller::new(sender);
        let room = SocialRoom::over(make, teller, tray.clone(), ids, awaited.clone());
        Self { room: Mutex::new(room), script, told, awaited, tray }
    }

    /// A turn for each look; what was told, in a line.
    fn play(&self, name: &str, looks: Vec<Look>) -> String {
        let n_looks = looks.len();
        *self.script.0.lock().expect("one test") = looks.into();
        for _ in 0..n_looks {
            self.room.lock().expect("one test").turn();
        }
        self.told(name)
    }

    /// The holder enters a PIN, and this comes of it.
    fn enter(&self, name: &str, look: Look) -> String {
        *self.script.0.lock().expect("one test") = VecDeque::from([look]);
        let mut pin = operator::Pin::default();
        (1..=6).for_each(|digit| pin.push(digit));
        self.room.lock().expect("one test").try_pin(&pin);
        self.told(name)
    }

    fn told(&self, name: &str) -> String {
        let told = words(&self.told).into_iter().map(|word| match word {
            word if word.contains("HoldStill") => "hold still".into(),
            word if word.contains("Locked") => "locked".into(),
            word if word.contains("Drawn") => "drawn".into(),
            word if word.contains("PinRefused") => word,
            word if word.contains("Reading") => "reading".into(),
            word if word.contains("Read {") => {
                assert!(!word.contains("王"), "a name is printed");
                "read SocialCard".into()
            }
            word if word.contains("Unusable") => {
                let id = Id::ALL.iter().find(|id| word.contains(&format!("({id:?})")));
                id.expect("an id").name().into()
            }
            word => word,
        });
        format!("{name}: {}\n", told.collect::<Vec<String>>().join(", "))
    }
}

/// A card whose holder file is open, or locked.
fn card(number: Option<&str>) -> Look {
    let holder = number.map_or(HolderFile::Locked, |number| {
        HolderFile::Open(Box::new(Holder {
            number: number.into(),
            name: Some("王小明".into()),
            name_bytes: Vec::new(),
            sex: Some('1'),
            ethnic: Some(1),
            birthplace: None,
            birth: Some((1949, 12, 31)),
        }))
    });
    let issuer = Issuer {
        card_id: [1; 16],
        region: None,
        class: None,
        edition: None,
        organisation: None,
        issued: None,
        expires: None,
        card_number: None,
    };
    Ok(Some(Reading::Card(Box::new(SocialCard { issuer, holder }))))
}

/// The example number of GB 11643.
const HOLDER: &str = "11010519491231002X";
