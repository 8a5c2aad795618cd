//! Stories of cards on the reader.

use std::time::Duration;

use drivers::id_card::fields::{self, ValidTo};
use drivers::id_card::{Confirm, Poll, Reader, ReaderError, Settings};
use expect_test::{Expect, expect};

use crate::in_process::{World, roster};

#[test]
fn a_card_comes_stays_and_goes() {
    check(
        &["poll", "CARD 1", "poll", "poll", "CARD OFF", "poll"],
        expect![[r#"
            poll -> NoCard
            CARD 1
            poll -> card 1
            poll -> SameCardStillThere
            CARD OFF
            poll -> NoCard
        "#]],
    );
}

#[test]
fn a_swapped_card_is_another_card() {
    check(
        &["CARD 1", "poll", "SWAP 2", "poll", "SWAP 1", "poll"],
        expect![[r#"
            CARD 1
            poll -> card 1
            SWAP 2
            poll -> card 2
            SWAP 1
            poll -> card 1
        "#]],
    );
}

#[test]
fn a_card_that_bounces_is_the_same_card() {
    check(
        &[
            "CARD 1",
            "poll",
            "CARD OFF",
            "poll",
            "CARD 1",
            "poll",
            "CARD OFF",
            "poll",
            "wait 3000",
            "CARD 1",
            "poll",
        ],
        expect![[r#"
            CARD 1
            poll -> card 1
            CARD OFF
            poll -> NoCard
            CARD 1
            poll -> SameCardStillThere
            CARD OFF
            poll -> NoCard
            wait 3000
            CARD 1
            poll -> card 1
        "#]],
    );
}

#[test]
fn a_card_that_was_read_before_the_kiosk_started_is_found() {
    let world = World::new(1);
    world.order("CARD 1");
    let told = |reader: &mut Reader| tell(reader.poll());
    assert_eq!(told(&mut world.reader().unwrap()), "card 1");
    assert_eq!(told(&mut world.reader().unwrap()), "card 1");
}

#[test]
fn a_card_that_moves_is_asked_to_hold_still() {
    check(
        &["CARD 1", "TEAR", "poll", "poll", "CARD 1", "SHAKE", "poll"],
        expect![[r#"
            CARD 1
            TEAR
            poll -> HoldStill
            poll -> NoCard
            CARD 1
            SHAKE
            poll -> card 1
        "#]],
    );
}

#[test]
fn a_fake_card_is_an_answer_and_a_dead_module_a_fault() {
    check(
        &["CARD 1", "FAKE", "poll", "CARD OFF", "DEAD-SAM", "poll", "SAM OK", "CARD 2", "poll"],
        expect![[r#"
            CARD 1
            FAKE
            poll -> Unverifiable(NotGenuine)
            CARD OFF
            DEAD-SAM
            poll -> error id-card-reader-sam-dead
            SAM OK
            CARD 2
            poll -> card 2
        "#]],
    );
}

#[test]
fn an_unplugged_reader_is_told_and_opened_anew() {
    check(
        &[
            "CARD 1",
            "poll",
            "UNPLUG id-card",
            "poll",
            "poll",
            "REPLUG id-card",
            "poll",
            "CARD OFF",
            "wait 3000",
            "CARD 1",
            "poll",
        ],
        expect![[r#"
            CARD 1
            poll -> card 1
            UNPLUG id-card
            poll -> error id-card-reader-unplugged
            poll -> error id-card-reader-unplugged
            REPLUG id-card
            poll -> SameCardStillThere
            CARD OFF
            wait 3000
            CARD 1
            poll -> card 1
        "#]],
    );
}

#[test]
fn a_late_reply_to_the_card_before_is_never_taken_for_the_card_now() {
    let world = World::new(1);
    let mut reader = world.reader().unwrap();
    assert!(matches!(reader.poll(), Ok(Poll::NoCard)));
    world.order("CARD 1");
    // The read is under way after 200 ms, is done after 600, and its reply comes after 3200.
    let after = |ms| world.now() + Duration::from_millis(ms);
    world.later(after(200), "LATE id-card 2600".parse().unwrap());
    world.later(after(1500), "SWAP 2".parse().unwrap());
    let told: Vec<_> = (0..3).map(|_| tell(reader.poll())).collect();
    let expected = ["error id-card-reader-silent", "card 2", "SameCardStillThere"];
    assert_eq!(told, expected);
}

#[test]
fn the_text_and_the_later_address_are_the_persons() {
    let world = World::new(1);
    let mut reader = world.reader().unwrap();
    for n in 0..6 {
        let person = roster().person(n).unwrap();
        world.order(&format!("CARD {n}"));
        let Poll::Card(card) = reader.poll().unwrap() else {
            panic!("no card {n}");
        };
        let text = fields::decode(&card.text).unwrap();
        assert_eq!((text.name, text.number), (person.name.clone(), person.number.clone()));
        assert_eq!(text.address.as_deref(), Some(person.address.as_str()));
        assert_eq!(text.issuer.as_deref(), Some(person.issuer.as_str()));
        assert_eq!((text.birth.0 as i16, text.birth.1, text.birth.2), person.birth);
        assert_eq!(text.valid_to == ValidTo::Open, person.valid_to.is_none());
        assert_eq!(card.photo, person.card_photo_block());
        assert_eq!(card.fingerprint, None);
        let address = card.additional_address.as_ref().map(fields::decode_address);
        assert_eq!(address.is_some(), n % 3 == 2);
        assert!(address.is_none_or(|a| a.ends_with("新村九组")));
        world.order("CARD OFF");
        assert!(matches!(reader.poll(), Ok(Poll::NoCard)));
    }
}

#[test]
fn the_fingerprint_block_comes_only_when_asked_for() {
    let world = World::new(1);
    let link = world.link(device_sim::script::DeviceName::IdCard);
    let settings = Settings { with_fingerprint: true, ..Settings::default() };
    let mut reader = Reader::over(link, settings).unwrap();
    let sizes: Vec<_> = (0..4)
        .map(|n| {
            world.order(&format!("CARD {n}"));
            let Ok(Poll::Card(card)) = reader.poll() else {
                panic!("no card {n}");
            };
            card.fingerprint.map_or(0, |f| f.len())
        })
        .collect();
    assert_eq!(sizes, [1024, 1024, 512, 0]);
}

#[test]
fn a_read_takes_hardly_longer_than_its_bytes() {
    let world = World::new(1);
    let mut reader = world.reader().unwrap();
    reader.sam_id().unwrap();
    world.order("CARD 1");
    let (began, n_before) = (world.now(), world.n_bytes());
    assert!(matches!(reader.poll(), Ok(Poll::Card(_))));
    let took = world.now() - began;
    // Find, select, read and later address at their working times, and the requests.
    let device = Duration::from_millis(25 + 25 + 500 + 40);
    let wire = device_sim::line::wire_time(world.n_bytes() - n_before + 4 * 10, 115_200);
    let ratio = took.as_secs_f64() / (device + wire).as_secs_f64();
    eprintln!("card read: {took:?}, wire {wire:?}, device {device:?}, ratio {ratio:.3}");
    assert!(ratio <= 1.10, "{ratio}");
}

#[test]
fn reading_twice_can_be_asked_for() {
    let world = World::new(1);
    let settings = Settings { confirm: Confirm::Always, ..Settings::default() };
    let link = world.link(device_sim::script::DeviceName::IdCard);
    let mut reader = Reader::over(link, settings).unwrap();
    world.order("CARD 1");
    let before = world.n_bytes();
    assert!(matches!(reader.poll(), Ok(Poll::Card(_))));
    assert!(world.n_bytes() - before > 2 * 1295);
}

#[test]
fn a_silent_reader_is_told_in_time() {
    let world = World::new(1);
    world.order("SILENCE id-card 60000");
    let result = world.reader();
    assert!(matches!(result, Err(ReaderError::Silent)));
    assert!(world.now() < Duration::from_secs(4), "{:?}", world.now());
}

/// Runs orders and polls, and compares the whole story.
fn check(steps: &[&str], expected: Expect) {
    let world = World::new(1);
    let mut reader = world.reader().unwrap();
    let mut story = String::new();
    for step in steps {
        let told = match step.split_once(' ') {
            None if *step == "poll" => format!("poll -> {}", tell(reader.poll())),
            Some(("wait", ms)) => {
                world.pass(Duration::from_millis(ms.parse().unwrap()));
                (*step).to_owned()
            }
            _ => {
                world.order(step);
                (*step).to_owned()
            }
        };
        story.push_str(&told);
        story.push('\n');
    }
    expected.assert_eq(&story);
}

/// An answer in words, cards by the number of their person.
pub(crate) fn tell(polled: Result<Poll, ReaderError>) -> String {
    match polled {
        Ok(Poll::Card(card)) => match whose(&card) {
            Some(n) => format!("card {n}"),
            None => "a card of nobody".to_owned(),
        },
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("error {}", error.code()),
    }
}

/// The person whose card has exactly these blocks.
pub(crate) fn whose(read: &drivers::id_card::CardBlocks) -> Option<u32> {
    (0..crate::in_process::N_PEOPLE).find(|n| {
        let card = roster().card(*n).unwrap();
        card.text == read.text
            && card.photo[..] == read.photo
            && card.additional_address == read.additional_address
    })
}
