//! Thousands of random fault scripts on a clock of their own: no hang over the deadline,
//! no panic, no wrong person, and a working device when the trouble is over.

use std::collections::HashSet;
use std::time::Duration;

use device_sim::random::Random;
use device_sim::script::Order;
use drivers::fingerprint::Capture;
use drivers::id_card::{POLL_MAX, Poll};

use crate::id_card::whose;
use crate::in_process::World;

#[test]
fn no_card_is_ever_mixed_with_another() {
    let mut tally = Tally::default();
    for seed in first_seed()..first_seed() + n_scripts() {
        card_script(seed, &mut tally);
    }
    eprintln!("card reader: {tally:?}");
    assert!(tally.n_cards > 0 && tally.n_errors > 0, "{tally:?}");
    assert_eq!(tally.n_undetected, 0, "{tally:?}");
}

#[test]
fn no_finger_hangs_the_module() {
    let mut tally = Tally::default();
    // An upload is thirty times the bytes of a card.
    for seed in first_seed()..first_seed() + n_scripts() / 10 {
        finger_script(seed, &mut tally);
    }
    eprintln!("fingerprint module: {tally:?}");
    assert!(tally.n_cards > 0, "{tally:?}");
}

#[derive(Debug, Default)]
struct Tally {
    n_scripts: u32,
    n_polls: u32,
    n_cards: u32,
    n_errors: u32,
    n_undetected: u32,
    longest: Duration,
}

fn card_script(seed: u64, tally: &mut Tally) {
    let world = World::new(seed);
    let mut random = Random::new(seed);
    let mut reader = world.reader().expect("nothing is wrong yet");
    let plan = plan(&world, &mut random, CARD_ORDERS);
    let mut lying: HashSet<u32> = HashSet::new();
    while world.now() < SCRIPT_TIME {
        let began = world.now();
        let polled = reader.poll();
        let took = world.now() - began;
        tally.longest = tally.longest.max(took);
        tally.n_polls += 1;
        assert!(took <= POLL_MAX + SLACK, "seed {seed}: {took:?}");
        match polled {
            Ok(Poll::Card(card)) => {
                tally.n_cards += 1;
                laid_during(&plan, began, world.now(), &mut lying);
                match whose(&card) {
                    Some(n) => {
                        assert!(lying.contains(&n), "seed {seed}: card {n} does not lie there")
                    }
                    None => tally.n_undetected += 1,
                }
            }
            Ok(_) => {}
            Err(_) => tally.n_errors += 1,
        }
        world.pass(Duration::from_millis(200));
    }
    for order in ["SAM OK", "REPLUG id-card", "CARD OFF", "NOISE id-card 0"] {
        world.order(order);
    }
    world.pass(Duration::from_secs(12));
    let _ = (0..4).map(|_| reader.poll()).last();
    world.pass(Duration::from_secs(3));
    world.order("CARD 5");
    let recovered =
        (0..4).any(|_| matches!(reader.poll(), Ok(Poll::Card(c)) if whose(&c) == Some(5)));
    assert!(recovered, "seed {seed}: the reader does not come back");
    tally.n_scripts += 1;
}

fn finger_script(seed: u64, tally: &mut Tally) {
    let world = World::new(seed);
    let mut random = Random::new(seed);
    let mut sensor = world.sensor().expect("nothing is wrong yet");
    plan(&world, &mut random, FINGER_ORDERS);
    while world.now() < SCRIPT_TIME {
        let began = world.now();
        let patience = Duration::from_secs(2);
        let captured = sensor.capture(world.instant(patience), &mut |_| ());
        let took = world.now() - began;
        tally.longest = tally.longest.max(took);
        tally.n_polls += 1;
        assert!(took <= patience + FINGER_MAX, "seed {seed}: {took:?}");
        match captured {
            Ok(Capture::Image(_)) => tally.n_cards += 1,
            Ok(_) => {}
            Err(_) => tally.n_errors += 1,
        }
        world.pass(Duration::from_millis(200));
    }
    for order in ["REPLUG fingerprint", "FINGER OFF", "NOISE fingerprint 0"] {
        world.order(order);
    }
    world.pass(Duration::from_secs(12));
    let _ = (0..3).map(|_| sensor.capture(world.instant(Duration::ZERO), &mut |_| ())).last();
    world.order("FINGER 2 right-thumb");
    let recovered = (0..4).any(|_| {
        let captured = sensor.capture(world.instant(Duration::from_secs(2)), &mut |_| ());
        matches!(captured, Ok(Capture::Image(_)))
    });
    assert!(recovered, "seed {seed}: the module does not come back");
    tally.n_scripts += 1;
}

/// Draws orders over the time of the script and hands them to the world.
fn plan(world: &World, random: &mut Random, orders: &[&str]) -> Vec<(Duration, Order)> {
    let n = 4 + random.below(20);
    let mut times: Vec<u64> =
        (0..n).map(|_| random.below(SCRIPT_TIME.as_millis() as usize) as u64).collect();
    times.sort_unstable();
    let mut plan = Vec::new();
    for ms in times {
        let line = orders[random.below(orders.len())];
        let line = line.replace('#', &random.below(4).to_string());
        let line = line.replace('@', &(1 + random.below(3000)).to_string());
        let order: Order = line.parse().unwrap();
        let at = Duration::from_millis(ms);
        world.later(at, order.clone());
        plan.push((at, order));
    }
    plan
}

/// The people whose cards lay on the reader at some moment of the poll.
fn laid_during(
    plan: &[(Duration, Order)],
    began: Duration,
    ended: Duration,
    lying: &mut HashSet<u32>,
) {
    lying.clear();
    let mut current = None;
    for (at, order) in plan.iter().filter(|(at, _)| *at <= ended) {
        match order {
            Order::Card(n) => current = Some(*n),
            Order::Swap(n) if current.is_some() => current = Some(*n),
            // A torn card is gone at a moment that the plan does not know.
            Order::CardOff => current = None,
            _ => {}
        }
        if *at < began {
            lying.clear();
        }
        lying.extend(current);
    }
}

/// 10 000 in the nightly run: `DEVICE_FAULT_SCRIPTS=10000`.
fn n_scripts() -> u64 {
    let wished = std::env::var("DEVICE_FAULT_SCRIPTS");
    wished.ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

fn first_seed() -> u64 {
    let wished = std::env::var("DEVICE_FAULT_SEED");
    wished.ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

const SCRIPT_TIME: Duration = Duration::from_secs(20);
const SLACK: Duration = Duration::from_secs(1);
/// Reopening with its probing, and an upload with all its repetitions, three times over.
const FINGER_MAX: Duration = Duration::from_secs(90);

const CARD_ORDERS: &[&str] = &[
    "CARD #",
    "CARD #",
    "CARD #",
    "CARD #",
    "CARD #",
    "SAM OK",
    "SAM OK",
    "REPLUG id-card",
    "REPLUG id-card",
    "REPLUG id-card",
    "CARD OFF",
    "SWAP #",
    "SWAP #",
    "TEAR",
    "SHAKE",
    "FAKE",
    "DEAD-SAM",
    "SAM OK",
    "SILENCE id-card @",
    "LATE id-card @",
    "NOISE id-card 20",
    "NOISE id-card 1",
    "BAD-CHECKSUM id-card",
    "DOUBLE-PREAMBLE id-card",
    "STALE id-card",
    "UNPLUG id-card",
    "REPLUG id-card",
    "REPLUG id-card",
];

const FINGER_ORDERS: &[&str] = &[
    "FINGER # right-index",
    "FINGER # right-index",
    "FINGER # left-thumb",
    "FINGER OFF",
    "FINGER OFF",
    "DRY",
    "WET",
    "MOVED",
    "SILENCE fingerprint @",
    "LATE fingerprint @",
    "NOISE fingerprint 20",
    "BAD-CHECKSUM fingerprint",
    "DOUBLE-PREAMBLE fingerprint",
    "STALE fingerprint",
    "UNPLUG fingerprint",
    "REPLUG fingerprint",
    "REPLUG fingerprint",
];
