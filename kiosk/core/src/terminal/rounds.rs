//! What goes on from one visit to the next: editions of the packs, and a round of home visits.

use jiff::civil::Date;

use super::*;
use crate::event::CardEvent;
use crate::identity::{CardIdentity, IdNumber};
use crate::operator::{Operator, Role};
use crate::policy::Pack;
use crate::record::RecordId;
use crate::roster::Line;

const PACK: &str = include_str!("../../../policy/cn.nm.region.enterprise_pension.toml");

fn packs(version: u32) -> PackSet {
    let text = PACK.replacen("version = 3", &format!("version = {version}"), 1);
    PackSet::from_packs([Pack::parse(&text).unwrap()])
}

fn serving() -> Terminal {
    let operator = Operator { id: "op".into(), name: "op".into(), role: Role::Operator };
    let mut terminal = Terminal::new(Place {
        device: "d".into(),
        site: "s".into(),
        site_name: "S".into(),
        packs: packs(3),
        operators: vec![operator],
        notice: "n".into(),
        notice_digest: [0; 32],
        troubles: Vec::new(),
    });
    tap(&mut terminal, Tap::PickOperator("op".into()));
    happens(&mut terminal, Event::PinChecked("op".into(), PinCheck::Right));
    terminal
}

fn happens(terminal: &mut Terminal, event: Event) -> Vec<Effect> {
    terminal.handle(event, Moment { wall_ms: 1_794_794_400_000, ..Moment::default() })
}

fn tap(terminal: &mut Terminal, tap: Tap) -> Vec<Effect> {
    happens(terminal, Event::Tapped(tap))
}

fn number() -> IdNumber {
    IdNumber::parse("11010519491231002X").unwrap()
}

fn card() -> Event {
    let card = Box::new(CardIdentity::of_roster(&number(), "测试人"));
    Event::Card(CardEvent::Read { card, visit: [6; 16], record: RecordId([7; 16]) })
}

#[track_caller]
fn check_version(terminal: &Terminal, version: u32) {
    assert_eq!(terminal.place().packs.iter().next().map(|pack| pack.version), Some(version));
}

#[test]
fn a_visit_ends_by_the_edition_it_began_with() {
    let mut terminal = serving();
    happens(&mut terminal, Event::Packs(Box::new(packs(4))));
    check_version(&terminal, 4);
    happens(&mut terminal, card());
    happens(&mut terminal, Event::Found(Box::default()));
    happens(&mut terminal, Event::Packs(Box::new(packs(5))));
    check_version(&terminal, 4);
    tap(&mut terminal, Tap::Done);
    happens(&mut terminal, Event::Sealed(RecordId([7; 16])));
    check_version(&terminal, 4);
    tap(&mut terminal, Tap::Done);
    check_version(&terminal, 5);
}

#[test]
fn a_round_goes_on_with_the_list_after_each_visit_and_ends_with_a_card() {
    let mut terminal = serving();
    let village = crate::lists::Ask::Village("上湾村".into());
    tap(&mut terminal, Tap::ShowPeople);
    tap(&mut terminal, Tap::People(village.clone()));
    let line = Line {
        number: number(),
        name: "测**".into(),
        masked: number().masked(),
        village: "上湾村".into(),
        state: None,
        due: Some(Date::constant(2026, 12, 1)),
        suspends: false,
    };
    happens(&mut terminal, Event::People(vec![line]));
    assert_eq!(tap(&mut terminal, Tap::OpenPerson(1)), [], "nobody stands there");
    let opens = tap(&mut terminal, Tap::OpenPerson(0));
    assert_eq!(opens, [Effect::OpenPerson(number())]);
    happens(&mut terminal, card());
    happens(&mut terminal, Event::Found(Box::default()));
    assert!(matches!(terminal.view().page, Page::Person(_)));
    tap(&mut terminal, Tap::Done);
    happens(&mut terminal, Event::Sealed(RecordId([7; 16])));
    let next = tap(&mut terminal, Tap::Done);
    assert_eq!(next.last(), Some(&Effect::ListPeople { ask: village, page: 0 }));
    assert!(matches!(terminal.view().page, Page::Choice(_)), "the list is there again");
    tap(&mut terminal, Tap::Back);
    assert!(matches!(terminal.view().page, Page::Waiting(_)));
}
