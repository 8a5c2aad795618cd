//! One terminal with what is durable in it: records, outbox, what it knows of successes and references, its clock.

use std::collections::{BTreeMap, HashMap, VecDeque};

use jiff::civil::Date;
use kiosk_core::decision::Modality;
use kiosk_core::draft::Draft;
use kiosk_core::event::{Effect, Event, Latest, Lookup, SealOrder};
use kiosk_core::moment::Moment;
use kiosk_core::operator::{Operator, PinCheck, Role};
use kiosk_core::policy::PackSet;
use kiosk_core::record::{Record, RecordId};
use kiosk_core::roster::{Beneficiary, Filed, Recent};
use kiosk_core::terminal::Terminal;
use kiosk_core::timekeeper::{Reading, Timekeeper};
use kiosk_core::view::Tap;
use kiosk_core::visit::Place;

use crate::chance::Chance;
use crate::days::{self, Day};
use crate::population::Person;

/// A terminal at a counter.
pub struct Counter {
    /// Its number in the county.
    pub number: u16,
    /// The thing that is tested.
    pub terminal: Terminal,
    /// With how many changed editions it works.
    pub n_editions: usize,
    /// The day of its roster.
    pub roster_day: Day,
    /// Sealed and not acknowledged, oldest first.
    pub outbox: VecDeque<Kept>,
    /// No line to the centre before this day.
    pub offline_until: Day,
    /// The clock is wrong until this day.
    pub clock_wrong_until: Day,
    place: Place,
    day: Day,
    ms_of_day: i64,
    offset_ms: i64,
    boot: u64,
    /// True time of the last start.
    boot_ms: i64,
    keeper: Timekeeper,
    now: Moment,
    n_identities: u64,
    recent: HashMap<u32, Recent>,
    references: HashMap<u32, Vec<(Modality, Option<u8>)>>,
    latest: HashMap<u32, Latest>,
    drafts: BTreeMap<[u8; 16], Draft>,
}

/// A record that is durable on a terminal.
#[derive(Clone)]
pub struct Kept {
    /// Whom it is about.
    pub person: u32,
    /// The true day.
    pub day: Day,
    /// What goes to the centre.
    pub record: Record,
    /// Of its canonical bytes.
    pub digest: u64,
}

impl Counter {
    /// A new terminal, locked.
    pub fn new(number: u16, packs: &PackSet) -> Self {
        let place = place(number, packs);
        Self {
            number,
            terminal: Terminal::new(place.clone()),
            n_editions: 0,
            roster_day: 0,
            outbox: VecDeque::new(),
            offline_until: 0,
            clock_wrong_until: 0,
            place,
            day: 0,
            ms_of_day: OPENS_MS,
            offset_ms: 0,
            boot: 0,
            boot_ms: days::unix_ms(0, 0),
            keeper: Timekeeper::default(),
            now: Moment::default(),
            n_identities: 0,
            recent: HashMap::new(),
            references: HashMap::new(),
            latest: HashMap::new(),
            drafts: BTreeMap::new(),
        }
    }

    /// The doors open; somebody signs in.
    pub fn morning(&mut self, day: Day) {
        (self.day, self.ms_of_day) = (day, OPENS_MS);
        if day >= self.clock_wrong_until {
            self.offset_ms = 0;
        }
        // What somebody left unfinished yesterday is begun anew.
        self.drafts.clear();
        // Whoever did not sign out last evening was signed out in the night.
        self.handle(Event::Presence(false));
        self.sign_in(OPERATOR);
    }

    /// The clock jumps; while the machine runs the counting clock notices, over a restart nothing may.
    pub fn clock_jumps(&mut self, until: Day, chance: &mut Chance) {
        self.clock_wrong_until = until;
        self.offset_ms = match chance.within(0, 3) {
            // The battery is flat: the year 2000.
            0 => -26 * 365 * days::DAY_MS,
            1 => i64::from(chance.within(-40, 40)) * days::DAY_MS,
            2 => days::DAY_MS,
            _ => -days::DAY_MS,
        };
        if chance.is(0.5) {
            self.restart(OPERATOR);
        }
    }

    /// The line is there: the centre says its time.
    pub fn hears_the_centre(&mut self) {
        let (reading, true_ms) = (self.reading(), self.true_ms());
        self.keeper.heard(&reading, true_ms, &reading);
    }

    /// New packs take effect between two visits.
    pub fn adopt(&mut self, n_editions: usize, packs: &PackSet) {
        self.n_editions = n_editions;
        self.place.packs = packs.clone();
        self.handle(Event::Packs(Box::new(packs.clone())));
    }

    /// Whether an appeal was filed here in the week before this day and nobody was certified since.
    pub fn protects(&self, person: u32, today: Date) -> bool {
        let Some(recent) = self.recent.get(&person) else {
            return false;
        };
        let filed = recent.filed.iter().filter(|filed| filed.is_appeal).map(|filed| filed.on).max();
        filed.is_some_and(|on| {
            let certified = recent.successes.iter().any(|(_, success)| success.on >= on);
            on <= today && (today - on).get_days() <= ANSWER_DAYS && !certified
        })
    }

    /// The power went: what is not durable is gone.
    pub fn restart(&mut self, operator: &str) {
        self.boot += 1;
        self.boot_ms = self.true_ms();
        let known = self.keeper.to_bytes().unwrap_or_default();
        self.keeper = Timekeeper::restore(&known);
        self.terminal = Terminal::new(self.place.clone());
        self.sign_in(operator);
    }

    /// Somebody else sits down.
    pub fn hand_over(&mut self, operator: &str) {
        self.handle(Event::Tapped(Tap::SignOut));
        self.sign_in(operator);
    }

    /// Whether a visit is kept unfinished.
    pub fn keeps(&self, visit: [u8; 16]) -> bool {
        self.drafts.contains_key(&visit)
    }

    /// Something happens now. What only the disk is asked for is done at once; the rest is to be done by the caller.
    pub fn handle(&mut self, event: Event) -> Vec<Effect> {
        self.ms_of_day += 2_000;
        let reading = self.reading();
        self.now = self.keeper.moment(&reading);
        let now = self.now;
        let mut left = Vec::new();
        for effect in self.terminal.handle(event, now) {
            match effect {
                Effect::SaveDraft(draft) => {
                    self.drafts.insert(draft.visit, *draft);
                }
                Effect::Discard { visit, .. } => {
                    self.drafts.remove(&visit);
                }
                Effect::ListDrafts => {
                    let drafts = self.drafts.values().cloned().collect();
                    left.extend(self.handle(Event::Drafts(drafts)));
                }
                effect => left.push(effect),
            }
        }
        left
    }

    /// What no terminal can know.
    pub fn true_ms(&self) -> i64 {
        days::unix_ms(self.day, self.ms_of_day)
    }

    fn reading(&self) -> Reading {
        let mut boot_id = [0; 16];
        boot_id[..8].copy_from_slice(&self.boot.to_be_bytes());
        boot_id[8..10].copy_from_slice(&self.number.to_be_bytes());
        let true_ms = self.true_ms();
        Reading {
            wall_ms: true_ms + self.offset_ms,
            boot_id,
            mono_ms: u64::try_from(true_ms - self.boot_ms).unwrap_or(0),
        }
    }

    /// Identities that no other visit has.
    pub fn fresh_identities(&mut self) -> ([u8; 16], RecordId) {
        self.n_identities += 1;
        let mut id = [0; 16];
        id[..2].copy_from_slice(&self.number.to_be_bytes());
        id[8..].copy_from_slice(&self.n_identities.to_be_bytes());
        let mut record = id;
        record[2] = 1;
        (id, RecordId(record))
    }

    /// All that this terminal knows of a person.
    pub fn lookup(&self, person: &Person) -> Lookup {
        let mut references = Vec::new();
        references.extend(person.has_model.then_some((Modality::Face, None)));
        references.extend(person.finger.map(|_| (Modality::Finger, Some(2))));
        references.extend(self.references.get(&person.index).into_iter().flatten().copied());
        let recent = self.recent.get(&person.index).cloned().unwrap_or_default();
        let is_known = person.known_from <= self.roster_day;
        Lookup {
            beneficiary: is_known.then(|| beneficiary(person, self.roster_day)),
            recent,
            references,
            latest: self.latest.get(&person.index).copied(),
        }
    }

    /// The one durable step: record, outbox, successes and references together.
    pub fn commit(&mut self, person: u32, order: SealOrder) -> &Kept {
        let templates = order.templates.iter().map(|modality| (*modality, None));
        self.references.entry(person).or_default().extend(templates);
        let (record, on) = (order.record.id, order.record.captured.date());
        let filed = Filed::of(order.record.outcome.code(), on);
        let corrects = order.record.supersedes.is_some();
        if !order.successes.is_empty() || filed.is_some() || corrects {
            let recent = self.recent.entry(person).or_default();
            // Only a record of the same day is corrected.
            recent.filed.retain(|filed| !corrects || filed.on != on);
            recent.successes.extend(order.successes);
            recent.filed.extend(filed);
        }
        let outcome = order.record.outcome.message();
        self.latest.insert(person, Latest { record, on, outcome });
        self.drafts.remove(&order.record.visit);
        let digest = digest(&order.record);
        self.outbox.push_back(Kept { person, day: self.day, record: order.record, digest });
        self.outbox.back().expect("it was pushed just now")
    }

    /// The pack that applies today as this terminal believes.
    pub fn pack_version(&self, pack: &str) -> Option<u32> {
        self.place.packs.on(pack, self.now.date()).map(|pack| pack.version)
    }

    /// The rules on this terminal.
    pub fn packs(&self) -> &PackSet {
        &self.place.packs
    }

    fn sign_in(&mut self, operator: &str) {
        let mut taps = vec![Tap::PickOperator(operator.into())];
        taps.extend((1..=4).map(Tap::Digit));
        taps.push(Tap::EnterPin);
        for tap in taps {
            self.handle(Event::Tapped(tap));
        }
        self.handle(Event::PinChecked(operator.into(), PinCheck::Right));
    }
}

/// FNV-1a of the canonical bytes: enough to tell whether the same record arrives again.
fn digest(record: &Record) -> u64 {
    let bytes = minicbor::to_vec(record).expect("writing to memory does not fail");
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn beneficiary(person: &Person, roster_day: Day) -> Beneficiary {
    let entitlement = |drawn: &crate::population::Drawn| {
        let known = drawn.as_of(roster_day);
        drawn.entitlement(&known)
    };
    let name = person.name();
    Beneficiary {
        number: person.number().as_str().to_owned(),
        name: if person.is_misspelt { format!("{name}·") } else { name },
        village: String::new(),
        entitlements: person.benefits.iter().map(entitlement).collect(),
        references: Vec::new(),
    }
}

fn place(number: u16, packs: &PackSet) -> Place {
    let operator = |id: &str, role| Operator { id: id.into(), name: id.into(), role };
    Place {
        device: format!("counter-{number:04}"),
        site: format!("site-{number:04}"),
        site_name: format!("第{number}服务站"),
        packs: packs.clone(),
        operators: vec![
            operator(OPERATOR, Role::Operator),
            operator(COLLEAGUE, Role::Operator),
            operator(SUPERVISOR, Role::Supervisor),
        ],
        notice: "2026-01".into(),
        notice_digest: [7; 32],
        troubles: Vec::new(),
    }
}

/// Who signs in.
pub const OPERATOR: &str = "op-1";
/// Who takes over.
pub const COLLEAGUE: &str = "op-2";
/// Who has to agree to what overrides the machine.
pub const SUPERVISOR: &str = "sv-1";
/// Days of a review where no pack says otherwise.
const ANSWER_DAYS: i32 = 7;
const OPENS_MS: i64 = 9 * 3_600_000;
