//! The room over a board that only writes down, on a clock that only the test moves.

use std::sync::mpsc;

use drivers::panel::recording::Recording;

use super::*;
use crate::happening::words;

#[test]
fn the_panel_does_what_the_view_wants_and_again_after_it_was_away() {
    let counter = Counter::new();
    let mut room = counter.room();
    room.obey(show(Glow::On, true));
    counter.pass(&mut room);
    assert!(counter.did("Lamp(Card) on") && counter.did("Light 60%") && counter.did("Buzzer on"));
    counter.forget();
    counter.board.plug(false);
    room.turn();
    room.turn();
    assert_eq!(words(&counter.told), ["device-panel err-panel-silent"], "told once");
    counter.board.plug(true);
    counter.forget();
    counter.pass(&mut room);
    assert_eq!(words(&counter.told), ["device-panel works"]);
    assert!(counter.did("Lamp(Card) on") && counter.did("Light 60%"), "as it was wanted");
    counter.forget();
    room.go_dark();
    assert!(
        counter.did("Lamp(Card) off"),
        "the clock of this board stands, so its light has no time to fade"
    );
}

#[test]
fn case_door_and_whoever_comes_are_told() {
    let counter = Counter::new();
    let mut room = counter.room();
    counter.pass(&mut room);
    assert_eq!(words(&counter.told).len(), 3, "how all are at the start");
    for (input, is_active, expected) in [
        (Input::Tamper, true, "case open"),
        (Input::Tamper, false, "case shut"),
        (Input::Door, true, "device-door err-door-open"),
        (Input::Door, false, "device-door works"),
        (Input::Presence, true, "Event(Presence(true))"),
        (Input::Presence, false, "Event(Presence(false))"),
    ] {
        counter.board.set(input, is_active);
        counter.pass(&mut room);
        assert_eq!(words(&counter.told), [expected]);
    }
}

#[test]
fn a_lent_board_comes_back_as_it_was() {
    let counter = Counter::new();
    let mut room = counter.room();
    room.obey(show(Glow::On, true));
    counter.pass(&mut room);
    counter.forget();
    let (loan, borrowed) = Loan::new();
    drop(borrowed);
    room.obey(Order::Lend(loan));
    counter.pass(&mut room);
    assert!(counter.did("Lamp(Card) on") && counter.did("Light 60%"));
}

struct Counter {
    board: Recording,
    log: std::cell::RefCell<Vec<String>>,
    teller: Teller,
    told: Receiver<Happening>,
}

impl Counter {
    fn new() -> Self {
        let (sender, told) = mpsc::channel();
        let (board, teller) = (Recording::new(), Teller::new(sender));
        Self { board, log: std::cell::RefCell::default(), teller, told }
    }

    fn room(&self) -> PanelRoom {
        let board = self.board.clone();
        let make = move || {
            let board = board.clone();
            Panel::over(Box::new(move || board.open()), Duration::ZERO)
        };
        PanelRoom::over(Box::new(make), 60, self.teller.clone())
    }

    /// Five seconds, in steps.
    fn pass(&self, room: &mut PanelRoom) {
        for _ in 0..100 {
            room.turn();
            self.board.pass(Duration::from_millis(50));
        }
    }

    fn forget(&self) {
        words(&self.told);
        self.board.take_log();
        self.log.borrow_mut().clear();
    }

    /// Whether the board was told so since the test last forgot.
    fn did(&self, what: &str) -> bool {
        let mut log = self.log.borrow_mut();
        log.extend(self.board.take_log());
        log.iter().any(|line| line.ends_with(what))
    }
}

fn show(glow: Glow, is_lit: bool) -> Order {
    let lamps = Lamp::ALL.map(|lamp| (lamp, if lamp == Lamp::Card { glow } else { Glow::Off }));
    Order::Show { lamps, is_lit, beep: Some(Beep::Short) }
}
