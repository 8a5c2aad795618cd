//! The counter of a story: who comes, what the sensors answer, and the terminal that is asked and obeyed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use kiosk_core::benefit::{Abode, Entitlement, Group, Method, Stage as LifeStage, Success};
use kiosk_core::decision::{Comparison, Liveness, Modality, Thresholds};
use kiosk_core::draft::Draft;
use kiosk_core::event::{
    CardEvent, Effect, Event, FaceEvent, FingerEvent, Latest, Lookup, SealOrder, Sitting,
};
use kiosk_core::identity::{CardIdentity, IdNumber, IdentitySource, PersonName, Sex, ValidTo};
use kiosk_core::lists::Ask;
use kiosk_core::message::Id;
use kiosk_core::moment::{Doubt, Interval, Moment};
use kiosk_core::operator::{Operator, PinCheck, Role};
use kiosk_core::policy::{DueState, Pack, PackSet};
use kiosk_core::record::RecordId;
use kiosk_core::roster::{Beneficiary, Filed, Line as PersonLine};
use kiosk_core::terminal::Terminal;
use kiosk_core::view::{Delivery, SlipState, Tap};
use kiosk_core::visit::Place;
use kiosk_tests::root;

use crate::facts::{self, Fact};
use crate::script::{Line, Word};
use crate::words;

/// Id, name, PIN and role of everybody who may sign in.
pub const OPERATORS: [(&str, &str, &str, Role); 3] = [
    ("op-1", "李经办", "135790", Role::Operator),
    ("op-2", "周经办", "112233", Role::Operator),
    ("sv-1", "赵主管", "246802", Role::Supervisor),
];

/// A terminal in a story.
pub struct Stage {
    terminal: Terminal,
    now: Moment,
    people: Vec<Person>,
    /// Who is meant by the words about a card, a benefit, a reference.
    present: usize,
    wrong_pins: BTreeMap<String, u8>,
    sitting: Sitting,
    sitting_before: Sitting,
    n_records: u8,
    /// The record of the visit on the screen.
    record: RecordId,
    sealing: Option<SealOrder>,
    /// Visits that are kept unfinished on the disk.
    drafts: BTreeMap<[u8; 16], Draft>,
}

struct Person {
    card: CardIdentity,
    is_on_roster: bool,
    lookup: Lookup,
}

/// Something in a file that cannot be meant.
pub type Misunderstood = String;

impl Stage {
    /// A locked terminal on 16 November 2026.
    pub fn new() -> Self {
        let mut stage = Self {
            terminal: Terminal::new(place()),
            now: Moment { boot_id: [1; 16], ..Moment::default() },
            people: Vec::new(),
            present: 0,
            wrong_pins: BTreeMap::new(),
            sitting: Sitting::default(),
            sitting_before: Sitting::default(),
            n_records: 0,
            record: RecordId([0; 16]),
            sealing: None,
            drafts: BTreeMap::new(),
        };
        stage.set_day(Date::constant(2026, 11, 16), 10 * 60);
        stage
    }

    /// What is on the screen.
    pub fn seen(&self) -> Vec<Fact> {
        facts::of_view(&self.terminal.view())
    }

    /// Whether a button with these words is on the page.
    pub fn shows(&self, label: &str) -> bool {
        facts::buttons(&self.terminal.view().page).iter().any(|button| button.label == label)
    }

    /// Takes a line that tells the circumstances; false if it is none.
    pub fn set(&mut self, line: &Line) -> Result<bool, Misunderstood> {
        let words: Vec<&str> = line.words.iter().map(Word::text).collect();
        match (line.keyword.as_str(), words.as_slice()) {
            ("规则" | "标题", _) => {}
            ("今天", [day, time @ ..]) => {
                let day = words::parse_day(day).ok_or("这不是日期")?;
                self.set_day(day, time.first().map_or(Ok(10 * 60), |time| minutes(time))?);
            }
            ("时钟", [doubt, days @ ..]) => {
                self.now.doubt = doubt_of(doubt)?;
                self.now.within = interval(days)?;
            }
            ("村", [village]) => self.beneficiary()?.village = (*village).to_owned(),
            ("老人", [name, number]) => self.introduce(name, number)?,
            ("证件", facts) => self.card_facts(facts)?,
            ("名册", ["没有此人"]) => self.person()?.is_on_roster = false,
            ("名册", ["姓名", name]) => {
                let name = (*name).to_owned();
                self.beneficiary()?.name = name;
            }
            ("待遇", [title, facts @ ..]) => {
                let entitlement = entitlement(title, facts)?;
                self.beneficiary()?.entitlements.push(entitlement);
            }
            ("本机记录", [title, day, method]) => {
                let success = Success { on: date(day)?, method: method_of(method)? };
                let pack = pack_of(title);
                self.person()?.lookup.recent.successes.push((pack, success));
            }
            ("留存", kept) => {
                for kept in kept {
                    let reference = reference(kept)?;
                    self.person()?.lookup.references.push(reference);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes a line in which something happens; nothing if it is none.
    pub fn step(&mut self, line: &Line) -> Result<Option<Vec<Fact>>, Misunderstood> {
        let words: Vec<&str> = line.words.iter().map(Word::text).collect();
        let events = match (line.keyword.as_str(), words.as_slice()) {
            ("经办", [name]) => self.sign_in(name)?,
            ("点", [label]) => vec![Event::Tapped(self.button(label)?)],
            ("密码", [digits]) => typed(digits)?,
            ("放证件", []) => vec![self.card_laid()?],
            ("读卡器", [what]) => vec![Event::Card(card_event(what)?)],
            ("人脸", answer) => vec![Event::Face(self.sitting, self.face(answer)?)],
            ("迟到的人脸", answer) => {
                vec![Event::Face(self.sitting_before, self.face(answer)?)]
            }
            ("指纹", answer) => vec![Event::Finger(self.sitting, self.finger(answer)?)],
            ("照片", [answer]) => vec![Event::Document(self.sitting, document(answer)?)],
            ("存盘", [answer]) => vec![self.stored(answer)?],
            ("回执", [number]) => {
                let number = number.parse().map_err(|_| "回执要有号码")?;
                vec![Event::Delivery(self.record, Delivery::CentreHasIt(number))]
            }
            ("退回", []) => vec![Event::Delivery(self.record, Delivery::Held)],
            ("凭条", ["已打印"]) => vec![Event::Slip(SlipState::Printed)],
            ("凭条", [why]) => vec![Event::Slip(SlipState::NotPrinted(fault(why)?))],
            ("断电", []) => {
                self.terminal = Terminal::new(place());
                self.now.boot_id[0] += 1;
                Vec::new()
            }
            _ => return Ok(None),
        };
        Ok(Some(events.into_iter().flat_map(|event| self.happens(event)).collect()))
    }

    /// Hands an event to the terminal and answers at once what a program answers by itself.
    fn happens(&mut self, event: Event) -> Vec<Fact> {
        self.now.mono_ms += 1_000;
        self.now.wall_ms += 1_000;
        let mut facts = Vec::new();
        for effect in self.terminal.handle(event, self.now) {
            facts.extend(facts::of_effect(&effect));
            if let Some(answer) = self.obey(effect) {
                facts.extend(self.happens(answer));
            }
        }
        facts
    }

    fn obey(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Find(number) => Some(Event::Found(Box::new(self.lookup(&number)))),
            Effect::CheckPin { operator, pin } => {
                let check = self.check(&operator, pin.reveal());
                Some(Event::PinChecked(operator, check))
            }
            Effect::WatchFace { sitting, .. }
            | Effect::ScanFinger { sitting, .. }
            | Effect::TakeDocument(sitting, _) => {
                if sitting != self.sitting {
                    self.sitting_before = std::mem::replace(&mut self.sitting, sitting);
                }
                None
            }
            Effect::Seal(order) => {
                self.record = order.record.id;
                self.sealing = Some(*order);
                None
            }
            Effect::SaveDraft(draft) => {
                self.drafts.insert(draft.visit, *draft);
                None
            }
            Effect::Discard { visit, .. } => {
                self.drafts.remove(&visit);
                None
            }
            Effect::ListPeople { ask, page } => Some(Event::People(self.people_of(&ask, page))),
            Effect::ListVillages => Some(Event::Villages(self.villages())),
            Effect::OpenPerson(number) => self.opened(&number),
            Effect::ListDrafts => Some(Event::Drafts(self.drafts.values().cloned().collect())),
            _ => None,
        }
    }

    fn check(&mut self, operator: &str, digits: &str) -> PinCheck {
        let known = OPERATORS.iter().find(|(id, ..)| *id == operator);
        let wrong = self.wrong_pins.entry(operator.to_owned()).or_default();
        if *wrong >= PIN_TRIES {
            return PinCheck::Locked { minutes: 24 * 60 };
        }
        if known.is_some_and(|(_, _, pin, _)| *pin == digits) {
            *wrong = 0;
            return PinCheck::Right;
        }
        *wrong += 1;
        match PIN_TRIES - *wrong {
            0 => PinCheck::Locked { minutes: 24 * 60 },
            tries_left => PinCheck::Wrong { tries_left },
        }
    }

    fn lookup(&self, number: &IdNumber) -> Lookup {
        let known = self.people.iter().find(|person| person.card.number == *number);
        match known {
            Some(person) if person.is_on_roster => person.lookup.clone(),
            _ => Lookup::default(),
        }
    }

    /// The lines of a list, as the program's store would give them.
    fn people_of(&self, ask: &Ask, page: u16) -> Vec<PersonLine> {
        let all = self.people.iter().filter(|person| person.is_on_roster && page == 0);
        let mut lines: Vec<PersonLine> = all.filter_map(|person| self.line(person)).collect();
        lines.retain(|line| match ask {
            Ask::Village(village) => line.village == *village,
            Ask::Suspended => line.state == Some(DueState::Suspended),
            _ => true,
        });
        lines.sort_by_key(|line| line.due);
        lines
    }

    /// Somebody who owes something now.
    fn line(&self, person: &Person) -> Option<PersonLine> {
        let known = person.lookup.beneficiary.as_ref()?;
        let (packs, today) = (&self.terminal.place().packs, self.now.date());
        let (number, recent) = (&person.card.number, &person.lookup.recent);
        let line = PersonLine::of(known, number, recent, packs, today, self.now.doubt);
        line.state.is_some_and(|state| state.is_owed()).then_some(line)
    }

    fn villages(&self) -> Vec<(String, u64)> {
        let mut villages = BTreeMap::new();
        for line in self.people_of(&Ask::Due, 0) {
            *villages.entry(line.village).or_insert(0) += 1;
        }
        villages.into_iter().collect()
    }

    /// A visit without a card.
    fn opened(&mut self, number: &IdNumber) -> Option<Event> {
        let person = self.people.iter().position(|person| person.card.number == *number)?;
        self.present = person;
        let name = self.people[person].lookup.beneficiary.as_ref()?.name.clone();
        self.n_records += 1;
        let (visit, record) = ([self.n_records; 16], RecordId([self.n_records; 16]));
        let card = Box::new(CardIdentity::of_roster(number, &name));
        Some(Event::Card(CardEvent::Read { card, visit, record }))
    }

    fn sign_in(&mut self, name: &str) -> Result<Vec<Event>, Misunderstood> {
        let known = OPERATORS.iter().find(|(_, known, ..)| *known == name);
        let (id, _, pin, _) = known.ok_or("没有这位工作人员")?;
        let mut events = vec![Event::Tapped(Tap::PickOperator((*id).into()))];
        events.extend(typed(pin)?);
        Ok(events)
    }

    fn button(&self, label: &str) -> Result<Tap, Misunderstood> {
        let buttons = facts::buttons(&self.terminal.view().page);
        match buttons.into_iter().find(|button| button.label == label) {
            Some(button) if button.enabled => Ok(button.tap),
            Some(_) => Err("这个按钮现在是灰色的".into()),
            None => Err("这一页没有这个按钮".into()),
        }
    }

    fn card_laid(&mut self) -> Result<Event, Misunderstood> {
        self.n_records += 1;
        let (visit, record) = ([self.n_records; 16], RecordId([self.n_records; 16]));
        let card = Box::new(self.person()?.card.clone());
        Ok(Event::Card(CardEvent::Read { card, visit, record }))
    }

    fn stored(&mut self, answer: &str) -> Result<Event, Misunderstood> {
        if answer != "成功" {
            return Ok(Event::SealFailed(fault(answer)?));
        }
        let order = self.sealing.take().ok_or("没有要存的记录")?;
        self.drafts.remove(&order.record.visit);
        let lookup = &mut self.person()?.lookup;
        lookup.latest = Some(Latest {
            record: order.record.id,
            on: order.record.captured.date(),
            outcome: order.record.outcome.message(),
        });
        let filed = Filed::of(order.record.outcome.code(), order.record.captured.date());
        lookup.recent.filed.extend(filed);
        lookup.recent.successes.extend(order.successes);
        lookup.references.extend(order.templates.into_iter().map(|modality| (modality, None)));
        Ok(Event::Sealed(order.record.id))
    }

    fn face(&self, answer: &[&str]) -> Result<FaceEvent, Misunderstood> {
        Ok(match answer {
            ["提示", coaching] => {
                let coaching = words::find(&["face-"], coaching).ok_or("没有这句提示")?;
                FaceEvent::Seen { coaching: Some(coaching), progress: 0.5 }
            }
            ["超时"] => FaceEvent::TimedOut(None),
            ["没有留存"] => FaceEvent::Taken(Vec::new()),
            [answer] => match score(answer) {
                Some((score, quality)) => {
                    FaceEvent::Taken(vec![self.compared(Modality::Face, score, quality)])
                }
                None if *answer == "疑似造假" => {
                    let liveness = Liveness::NotShown(0.1);
                    let seen = self.compared(Modality::Face, 0.9, 80);
                    FaceEvent::Taken(vec![Comparison { liveness, ..seen }])
                }
                None => FaceEvent::Failed(fault(answer)?),
            },
            _ => return Err("人脸有什么结果？".into()),
        })
    }

    fn finger(&self, answer: &[&str]) -> Result<FingerEvent, Misunderstood> {
        Ok(match answer {
            ["提示", prompt] => {
                let prompt = words::find(&["finger-"], prompt).ok_or("没有这句提示")?;
                FingerEvent::Seen { prompt, progress: 0.5 }
            }
            ["超时"] => FingerEvent::TimedOut,
            ["按好一次"] => FingerEvent::Placed,
            ["全部按好"] | ["没有留存"] => FingerEvent::Taken(Vec::new()),
            [answer] => match score(answer) {
                Some((score, quality)) => {
                    let seen = self.compared(Modality::Finger, score, quality);
                    FingerEvent::Taken(vec![Comparison {
                        liveness: Liveness::NotEvaluated,
                        ..seen
                    }])
                }
                None => FingerEvent::Failed(fault(answer)?),
            },
            _ => return Err("指纹有什么结果？".into()),
        })
    }

    /// A face is compared with an enrolled reference where there is one, else with the photo on the chip.
    fn compared(&self, modality: Modality, score: f32, quality: u8) -> Comparison {
        let kept = self.people.get(self.present).map(|person| &person.lookup.references);
        let enrolled = kept.is_some_and(|kept| kept.iter().any(|(kept, _)| *kept == modality));
        Comparison {
            modality,
            score: Some(score),
            quality,
            liveness: Liveness::Passive(0.9),
            model: "story".into(),
            thresholds: Thresholds {
                id: "story".into(),
                accept: 0.4,
                review: 0.3,
                quality_min: 40,
                pad_min: 0.5,
            },
            reference: if enrolled { "enrolled 2025-05-01".into() } else { "chip-photo".into() },
        }
    }

    fn set_day(&mut self, day: Date, minutes: i64) {
        let days = i64::from((day - Date::constant(1970, 1, 1)).get_days());
        self.now.wall_ms = days * 86_400_000 + (minutes - 8 * 60) * 60_000;
    }

    fn introduce(&mut self, name: &str, number: &str) -> Result<(), Misunderstood> {
        let parsed = IdNumber::parse(number).map_err(|error| format!("号码：{error}"))?;
        if let Some(known) = self.people.iter().position(|p| p.card.number == parsed) {
            self.present = known;
            return Ok(());
        }
        let beneficiary = Beneficiary {
            number: number.into(),
            name: name.into(),
            village: "石桥村".into(),
            entitlements: Vec::new(),
            references: Vec::new(),
        };
        let lookup = Lookup { beneficiary: Some(beneficiary), ..Lookup::default() };
        self.present = self.people.len();
        self.people.push(Person { card: card(name, parsed), is_on_roster: true, lookup });
        Ok(())
    }

    fn card_facts(&mut self, facts: &[&str]) -> Result<(), Misunderstood> {
        let card = &mut self.person()?.card;
        match facts {
            ["没有照片"] => card.has_photo = false,
            ["有效期到", day] => card.valid_to = ValidTo::Day(date(day)?),
            ["出生", day] => card.birth = date(day)?,
            ["性别", "男"] => card.sex = Sex::Male,
            ["性别", "女"] => card.sex = Sex::Female,
            _ => return Err("证件怎么了？".into()),
        }
        Ok(())
    }

    fn person(&mut self) -> Result<&mut Person, Misunderstood> {
        self.people.get_mut(self.present).ok_or_else(|| "先说是哪位老人".into())
    }

    fn beneficiary(&mut self) -> Result<&mut Beneficiary, Misunderstood> {
        let person = self.person()?;
        person.lookup.beneficiary.as_mut().ok_or_else(|| "名册里没有此人".into())
    }
}

/// The title of a pack, or its name where none is known.
pub fn title_of(pack: &str) -> String {
    PACKS.get(pack).map_or_else(|| pack.to_owned(), |pack| pack.title.clone())
}

fn pack_of(title: &str) -> String {
    let known = PACKS.iter().find(|pack| pack.title == title);
    known.map_or_else(|| title.to_owned(), |pack| pack.id.clone())
}

fn place() -> Place {
    let operator = |&(id, name, _, role): &(&str, &str, &str, Role)| Operator {
        id: id.into(),
        name: name.into(),
        role,
    };
    Place {
        device: "counter-0001".into(),
        site: "town-17".into(),
        site_name: "常青镇社会保障服务站".into(),
        packs: PACKS.clone(),
        operators: OPERATORS.iter().map(operator).collect(),
        notice: "2026-01".into(),
        notice_digest: [0; 32],
        troubles: Vec::new(),
    }
}

static PACKS: LazyLock<PackSet> = LazyLock::new(|| {
    let folder = std::fs::read_dir(root().join("kiosk/policy")).expect("the packs are there");
    let files = folder.map(|file| file.expect("a folder can be listed").path());
    let packs = files.filter(|path| path.extension().is_some_and(|ext| ext == "toml"));
    PackSet::from_packs(packs.map(|path| {
        let text = std::fs::read_to_string(&path).expect("a pack can be read");
        Pack::parse(&text).unwrap_or_else(|faults| panic!("{}: {faults:?}", path.display()))
    }))
});

fn card(name: &str, number: IdNumber) -> CardIdentity {
    CardIdentity {
        name: PersonName(name.into()),
        sex: number.sex(),
        birth: number.birth(),
        number,
        address: String::new(),
        issuer: String::new(),
        valid_from: None,
        valid_to: ValidTo::Open,
        source: IdentitySource::Chip,
        has_photo: true,
    }
}

fn entitlement(title: &str, facts: &[&str]) -> Result<Entitlement, Misunderstood> {
    let mut found = Entitlement { pack: pack_of(title), ..Entitlement::default() };
    let mut rest = facts;
    while !rest.is_empty() {
        rest = match rest {
            ["上次", day, method, rest @ ..] => {
                found.last = Some(Success { on: date(day)?, method: method_of(method)? });
                rest
            }
            ["退休", day, rest @ ..] => {
                found.retired_on = Some(date(day)?);
                rest
            }
            ["审核到", day, rest @ ..] => {
                found.under_review = Some(date(day)?);
                rest
            }
            ["暂停", rest @ ..] => {
                found.suspended = true;
                rest
            }
            ["重复领取", rest @ ..] => {
                found.duplicate = true;
                rest
            }
            [word, rest @ ..] => {
                let stage = LifeStage::ALL.iter().find(|stage| stage.zh() == *word);
                let abode = Abode::ALL.iter().find(|abode| abode.zh() == *word);
                let group = Group::ALL.iter().find(|group| group.zh() == *word);
                match (stage, abode, group) {
                    (Some(stage), ..) => found.stage = *stage,
                    (_, Some(abode), _) => found.abode = *abode,
                    (_, _, Some(group)) => found.group = group.id().into(),
                    _ => return Err(format!("待遇的“{word}”不明白")),
                }
                rest
            }
            [] => rest,
        };
    }
    Ok(found)
}

fn reference(kept: &str) -> Result<(Modality, Option<u8>), Misunderstood> {
    if kept == "人脸" {
        return Ok((Modality::Face, None));
    }
    let finger = facts::FINGERS.iter().position(|finger| *finger == kept);
    let finger = finger.and_then(|at| u8::try_from(at + 1).ok()).ok_or("留存了什么？")?;
    Ok((Modality::Finger, Some(finger)))
}

/// Score and quality of an answer in words.
fn score(answer: &str) -> Option<(f32, u8)> {
    match answer {
        "是本人" => Some((0.8, 80)),
        "不确定" => Some((0.35, 80)),
        "不是本人" => Some((0.1, 80)),
        "模糊" => Some((0.1, 20)),
        _ => None,
    }
}

fn card_event(what: &str) -> Result<CardEvent, Misunderstood> {
    Ok(match what {
        "证件在动" => CardEvent::HoldStill,
        "正在读" => CardEvent::Reading,
        what => CardEvent::Unusable(fault(what)?),
    })
}

fn document(answer: &str) -> Result<Result<(), Id>, Misunderstood> {
    if answer == "拍好" {
        return Ok(Ok(()));
    }
    let coaching = words::find(&["face-", "document-", "err-"], answer);
    coaching.map(Err).ok_or_else(|| "照片怎么了？".into())
}

fn typed(digits: &str) -> Result<Vec<Event>, Misunderstood> {
    let digit = |c: char| c.to_digit(10).and_then(|digit| u8::try_from(digit).ok());
    let taps: Option<Vec<Tap>> = digits.chars().map(|c| digit(c).map(Tap::Digit)).collect();
    let taps = taps.ok_or("密码只有数字")?;
    Ok(taps.into_iter().chain([Tap::EnterPin]).map(Event::Tapped).collect())
}

fn fault(words: &str) -> Result<Id, Misunderstood> {
    words::find(&["err-"], words).ok_or_else(|| format!("没有“{words}”这句话"))
}

fn date(text: &str) -> Result<Date, Misunderstood> {
    words::parse_day(text).ok_or_else(|| format!("“{text}”不是日期"))
}

fn method_of(text: &str) -> Result<Method, Misunderstood> {
    let known = Method::ALL.iter().copied().find(|method| method.zh() == text);
    known.ok_or_else(|| format!("没有“{text}”这种方式"))
}

fn doubt_of(text: &str) -> Result<Doubt, Misunderstood> {
    match text {
        "可信" => Ok(Doubt::None),
        "存疑" => Ok(Doubt::Doubtful),
        "没有校准" => Ok(Doubt::Unknown),
        _ => Err("时钟怎么了？".into()),
    }
}

/// Between which days it is; the last one may be missing.
fn interval(days: &[&str]) -> Result<Option<Interval>, Misunderstood> {
    let [first, rest @ ..] = days else {
        return Ok(None);
    };
    let latest_ms = rest.first().map(|day| date(day).map(noon_ms)).transpose()?;
    Ok(Some(Interval { earliest_ms: noon_ms(date(first)?), latest_ms }))
}

fn noon_ms(day: Date) -> i64 {
    let days = i64::from((day - Date::constant(1970, 1, 1)).get_days());
    days * 86_400_000 + 4 * 3_600_000
}

fn minutes(time: &str) -> Result<i64, Misunderstood> {
    let read = || {
        let (hour, minute) = time.split_once(':')?;
        Some(hour.parse::<i64>().ok()? * 60 + minute.parse::<i64>().ok()?)
    };
    read().ok_or_else(|| format!("“{time}”不是时间"))
}

const PIN_TRIES: u8 = 3;
