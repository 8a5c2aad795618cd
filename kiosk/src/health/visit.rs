//! A visit of nobody, from card to sealed record: core decides with a pack of the program's own, the terminal's keys
//! seal, a store that is thrown away keeps. Sensors are not asked; what they would say is given.

use std::path::Path;
use std::sync::mpsc;

use jiff::civil::Date;
use kiosk_core::benefit::{Entitlement, Method, Success};
use kiosk_core::decision::{Comparison, Liveness, Modality, Thresholds};
use kiosk_core::event::{CardEvent, Effect, Event, FaceEvent, Lookup, SealOrder};
use kiosk_core::identity::{CardIdentity, IdNumber, IdentitySource};
use kiosk_core::moment::Moment;
use kiosk_core::operator::{Operator, PinCheck, Role};
use kiosk_core::policy::{Pack, PackSet};
use kiosk_core::record::RecordId;
use kiosk_core::roster::Beneficiary;
use kiosk_core::terminal::Terminal;
use kiosk_core::view::Tap;
use kiosk_core::visit::Place;
use kiosk_sync::Sealer;

use super::Answer;
use crate::happening::{Happening, Teller};
use crate::rooms::keep::KeepRoom;
use crate::tray::SharedTray;
use crate::vault::{Provisioned, Vault};

/// Serves nobody and keeps the record below `scratch`.
pub fn visit(provisioned: &Provisioned, scratch: &Path) -> Answer {
    let order = served().ok_or("a visit of nobody comes to no record")?;
    let id = order.record.id;
    let state = scratch.join("visit");
    let vault = Vault::open(&state)?;
    let sealer = Sealer::new(Box::new(provisioned.sign_key()?), provisioned.keys.enc.clone());
    let (sender, told) = mpsc::channel();
    let (orders, inbox) = mpsc::channel();
    orders.send(order)?;
    drop(orders);
    KeepRoom::new(vault, sealer, Teller::new(sender), SharedTray::default()).run(&inbox);
    match told.try_recv() {
        Ok(Happening::Event(Event::Sealed(sealed))) if sealed == id => {}
        Ok(Happening::Event(Event::SealFailed(why))) => return Err(why.name().into()),
        _ => return Err("the record was neither sealed nor refused".into()),
    }
    match Vault::open(&state)?.outbox_counts() {
        Some((1, 0)) => Ok("from card to sealed record, found again in its store".into()),
        _ => Err("the record is not in its store".into()),
    }
}

/// What core wants sealed when everything goes well.
fn served() -> Option<Box<SealOrder>> {
    let mut visit = Visit(Terminal::new(place()?));
    visit.happens(Event::Tapped(Tap::PickOperator(OPERATOR.into())));
    visit.happens(Event::PinChecked(OPERATOR.into(), PinCheck::Right));
    let number = IdNumber::parse(NUMBER).ok()?;
    let card = CardIdentity::of_roster(&number, NAME);
    let card = Box::new(CardIdentity { source: IdentitySource::Chip, has_photo: true, ..card });
    let read = CardEvent::Read { card, visit: [1; 16], record: RecordId([1; 16]) };
    visit.happens(Event::Card(read));
    let last = Success { on: LAST, method: Method::FaceModel };
    let entitlement =
        Entitlement { pack: PACK_ID.into(), last: Some(last), ..Entitlement::default() };
    let beneficiary = Beneficiary {
        number: NUMBER.into(),
        name: NAME.into(),
        village: String::new(),
        entitlements: vec![entitlement],
        references: Vec::new(),
    };
    let known = Lookup { beneficiary: Some(beneficiary), ..Lookup::default() };
    visit.happens(Event::Found(Box::new(known)));
    visit.happens(Event::Tapped(Tap::CertifyFace));
    let wanted = visit.happens(Event::Tapped(Tap::Agree));
    let sitting = wanted.into_iter().find_map(|effect| match effect {
        Effect::WatchFace { sitting, .. } => Some(sitting),
        _ => None,
    })?;
    let seen = visit.happens(Event::Face(sitting, FaceEvent::Taken(vec![the_same()])));
    seen.into_iter().find_map(|effect| match effect {
        Effect::Seal(order) => Some(order),
        _ => None,
    })
}

struct Visit(Terminal);

impl Visit {
    fn happens(&mut self, event: Event) -> Vec<Effect> {
        // The terminal's own clock may be wrong at this start; the pack's windows are asked about a fixed day.
        self.0.handle(event, Moment { wall_ms: NOW_MS, ..Moment::default() })
    }
}

fn place() -> Option<Place> {
    let operator = Operator { id: OPERATOR.into(), name: OPERATOR.into(), role: Role::Operator };
    Some(Place {
        device: "health".into(),
        site: "health".into(),
        site_name: "health".into(),
        packs: PackSet::from_packs([Pack::parse(PACK).ok()?]),
        operators: vec![operator],
        notice: "health".into(),
        notice_digest: [0; 32],
        troubles: Vec::new(),
    })
}

fn the_same() -> Comparison {
    let thresholds =
        Thresholds { id: "health".into(), accept: 0.5, review: 0.4, quality_min: 40, pad_min: 0.5 };
    Comparison {
        modality: Modality::Face,
        score: Some(1.0),
        quality: 100,
        liveness: Liveness::Passive(1.0),
        model: "health".into(),
        thresholds,
        reference: "health".into(),
    }
}

const PACK: &str = include_str!("../../policy/cn.nm.region.enterprise_pension.toml");
const PACK_ID: &str = "cn.nm.region.enterprise_pension";
const OPERATOR: &str = "health";
const NAME: &str = "测试人";
/// The standard's own example (GB 11643-1999): of nobody.
const NUMBER: &str = "11010519491231002X";
/// More than a year before the visit: a certification is due.
const LAST: Date = Date::constant(2025, 9, 1);
/// 2026-11-16, ten in the morning in China.
const NOW_MS: i64 = 1_794_794_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_certified() {
        let order = served().unwrap();
        assert_eq!(order.record.outcome, kiosk_core::outcome::Outcome::Certified);
        assert_eq!(order.record.subject.number, IdNumber::parse(NUMBER).unwrap());
    }
}
