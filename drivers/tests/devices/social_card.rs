//! The social-security card: in memory with thousands of random faults, and through the
//! real PC/SC service with a virtual reader, in a network of its own. An independent
//! program, opensc-tool, reads the same card.

use std::process::Command;
use std::time::{Duration, Instant};

use drivers::selftest::Outcome;
use drivers::social_card::session::{self, Channel, Lost};
use drivers::social_card::{self, HolderFile, Pin, Reader, Reading, Settings, SocialCardError};

use crate::common::Table;
use crate::pcsc_service::{Service, in_a_network_of_its_own, is_inside};
use crate::virtual_card::{Inserted, Style, Trouble, VirtualCard};

#[test]
fn every_way_in_which_cards_answer_gives_the_same_card() {
    let plain = read(VirtualCard::wang());
    let Reading::Card(card) = &plain else { panic!("{plain:?}") };
    assert_eq!(card.issuer.region.as_deref(), Some("430100"));
    assert_eq!(card.issuer.edition.as_deref(), Some("3.00"));
    assert_eq!(card.issuer.expires, Some((2029, 5, 6)));
    assert_eq!(card.issuer.card_number.as_deref(), Some("A01234567"));
    let HolderFile::Open(holder) = &card.holder else { panic!("{:?}", card.holder) };
    assert_eq!(holder.number, "430104194803120014");
    assert_eq!(holder.name.as_deref(), Some("王建国"));
    assert_eq!((holder.sex, holder.ethnic), (Some('1'), Some(1)));
    assert_eq!(holder.birth, Some((1948, 3, 12)));
    assert_eq!(holder.birthplace.as_deref(), Some("430104"));
    for style in [Style::Direct, Style::Exactly, Style::More] {
        for (from_one, read_way) in [(false, 4), (true, 4), (false, 0), (true, 0)] {
            let card = VirtualCard { style, from_one, read_way, ..VirtualCard::wang() };
            assert!(read(card) == plain, "{style:?} {from_one} {read_way}");
        }
    }
}

#[test]
fn a_free_file_never_sees_a_pin_and_a_locked_one_sees_it_once() {
    let mut free = Talk::with(VirtualCard::wang());
    assert_eq!(free.read(Some("907856")), "social-card-read");
    assert_eq!(free.card.n_verified, 0);
    let mut locked =
        Talk::with(VirtualCard { pin: Some([0x90, 0x78, 0x56]), ..VirtualCard::wang() });
    assert_eq!(locked.read(None), "social-card-pin-needed");
    assert_eq!(locked.card.n_verified, 0);
    assert_eq!(locked.read(Some("111111")), "social-card-pin-wrong");
    assert_eq!(locked.read(Some("111111")), "social-card-pin-not-tried");
    assert_eq!((locked.card.n_verified, locked.card.tries_left), (1, 2));
    assert_eq!(locked.read(Some("222222")), "social-card-pin-wrong");
    // One try is left and is kept: the next wrong one would block the card.
    assert_eq!(locked.read(Some("907856")), "social-card-pin-not-tried");
    assert_eq!((locked.card.n_verified, locked.card.tries_left), (2, 1));
    let mut right =
        Talk::with(VirtualCard { pin: Some([0x90, 0x78, 0x56]), ..VirtualCard::wang() });
    assert_eq!(right.read(Some("907856")), "social-card-read");
    let mut blocked = Talk::with(VirtualCard { tries_left: 0, ..right.card });
    assert_eq!(blocked.read(Some("907856")), "social-card-pin-blocked");
}

#[test]
fn ten_thousand_random_faults_never_mix_two_cards() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20260101);
    eprintln!("seed {seed}");
    let mut random = Random(seed);
    let mut told = std::collections::BTreeMap::new();
    for script in 0..10_000 {
        let mut channel = Evil::new(&mut random);
        let result = session::read(&mut channel, None, None);
        assert!(channel.n_commands <= 250, "script {script}: endless");
        let code = match &result {
            Ok((reading, _)) => reading.code(),
            Err(error) => error.code(),
        };
        *told.entry(code).or_insert(0) += 1;
        if let (Ok((Reading::Card(card), _)), false) = (&result, channel.corrupts) {
            let of_wang = card.issuer.region.as_deref() == Some("430100");
            let number = if of_wang { "430104194803120014" } else { "11010519491231002X" };
            if let HolderFile::Open(holder) = &card.holder {
                assert_eq!(holder.number, number, "script {script}: two cards are mixed");
            }
        }
    }
    eprintln!("told: {told:?}");
    for code in ["social-card-read", "social-card-moved", "social-card-reader-garbled"] {
        assert!(told.contains_key(code), "{code} never came up");
    }
}

#[test]
fn the_real_service_reads_the_virtual_card() {
    if !is_inside() {
        let test = "social_card::the_real_service_reads_the_virtual_card";
        return in_a_network_of_its_own(test, &["opensc-tool"]);
    }
    let mut table = Table::new("social-security card");
    let mut service = Service::start(true);
    let mut reader = Reader::new(settings());
    table.row("empty slot", code(&mut reader), true);

    for style in [Style::Direct, Style::Exactly, Style::More] {
        let card = Inserted::new(VirtualCard { style, ..VirtualCard::wang() }, Trouble::None);
        let card = card.unwrap();
        assert!(reader.wait_for_card(soon()).unwrap());
        let Ok(Reading::Card(read)) = reader.read() else { panic!("{style:?}") };
        let HolderFile::Open(holder) = read.holder else { panic!("{style:?}") };
        assert_eq!(holder.name.as_deref(), Some("王建国"));
        if style == Style::Direct {
            opensc_reads_the_same(&holder.name_bytes);
            let left = social_card::check(settings()).outcome;
            assert_eq!(left, Outcome::Attention("social-card-left-in-reader"));
        }
        card.draw();
        assert!(reader.wait_for_removal(soon()).unwrap());
    }
    assert_eq!(social_card::check(settings()).outcome, Outcome::Works);

    let mut tried = |fault: &str, reader: &mut Reader, card: VirtualCard, trouble: Trouble| {
        let inserted = Inserted::new(card, trouble).unwrap();
        assert!(reader.wait_for_card(soon()).unwrap(), "{fault}: not noticed");
        let told = code(reader);
        drop(inserted);
        let recovered = recovers(reader);
        table.row(fault, told, recovered);
    };
    let wang = VirtualCard::wang;
    tried("drawn at the first command", &mut reader, wang(), Trouble::TornAt(0));
    tried("drawn among the issuer's records", &mut reader, wang(), Trouble::TornAt(4));
    tried("drawn among the holder's records", &mut reader, wang(), Trouble::TornAt(12));
    tried("drawn at the last command", &mut reader, wang(), Trouble::TornAt(23));
    tried("an answer of one byte", &mut reader, wang(), Trouble::CutAt(5));
    tried("upside down", &mut reader, wang(), Trouble::Mute);
    let other = VirtualCard { has_application: false, ..wang() };
    tried("another kind of card", &mut reader, other, Trouble::None);
    let empty = VirtualCard { issuer: Vec::new(), ..wang() };
    tried("empty issuer's file", &mut reader, empty, Trouble::None);
    let locked = VirtualCard { pin: Some([0x90, 0x78, 0x56]), ..wang() };
    tried("locked holder's file", &mut reader, locked.clone(), Trouble::None);

    with_a_pin(&mut reader, locked, &mut table);
    silence(&mut reader, &mut table);
    service.stop();
    table.row("service killed", code(&mut reader), {
        service = Service::start(true);
        recovers(&mut reader)
    });
    service.stop();
    service = Service::start(false);
    table.row("reader unplugged", code(&mut reader), {
        service.stop();
        service = Service::start(true);
        recovers(&mut reader)
    });
    drop(service);
    table.check(&expect_test::expect_file!["social_card.table"]);
}

fn with_a_pin(reader: &mut Reader, locked: VirtualCard, table: &mut Table) {
    let card = Inserted::new(locked, Trouble::None).unwrap();
    assert!(reader.wait_for_card(soon()).unwrap());
    let mut with = |digits| reader.read_with_pin(Pin::parse(digits).unwrap()).unwrap();
    let wrong = with("123456");
    table.row("wrong PIN", wrong.code(), wrong == Reading::PinWrong { tries_left: 2 });
    let again = with("123456");
    table.row("the same wrong PIN again", again.code(), true);
    let right = with("907856");
    table.row("the right PIN", right.code(), true);
    // What the PIN has opened is shut again: the next reading is locked.
    assert_eq!(code(reader), "social-card-pin-needed");
    assert_eq!(card.draw().n_verified, 2);
    assert!(reader.wait_for_removal(soon()).unwrap());
}

/// A card that never answers stops neither us nor the next card.
fn silence(reader: &mut Reader, table: &mut Table) {
    let card = Inserted::new(VirtualCard::wang(), Trouble::SilentAt(6)).unwrap();
    assert!(reader.wait_for_card(soon()).unwrap());
    let mut hasty = Reader::new(Settings { patience: Duration::from_secs(4), ..settings() });
    let told = code(&mut hasty);
    drop(card);
    let recovered = recovers(&mut hasty) && recovers(reader);
    table.row("a card that never answers", told, recovered);
}

fn code(reader: &mut Reader) -> &'static str {
    match reader.read() {
        Ok(reading) => reading.code(),
        Err(error) => error.code(),
    }
}

/// A good card is read again by the same reader, and drawn. The service may still be busy
/// with the card before, so answers and faults may come first; they have to pass.
fn recovers(reader: &mut Reader) -> bool {
    let until = soon();
    let Ok(card) = Inserted::new(VirtualCard::li(), Trouble::None) else { return false };
    while Instant::now() < until {
        let there = matches!(reader.wait_for_card(soon()), Ok(true));
        if there && matches!(reader.read(), Ok(Reading::Card(_))) {
            drop(card);
            return matches!(reader.wait_for_removal(soon()), Ok(true));
        }
        let _ = reader.wait_for_removal(Instant::now() + Duration::from_millis(300));
    }
    false
}

/// The name of the holder, asked for by a program that we did not write.
fn opensc_reads_the_same(name: &[u8]) {
    let select = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF";
    let reader = "Virtual PCD 00 00";
    let output = Command::new("opensc-tool")
        .args([
            "--reader",
            reader,
            "--card-driver",
            "default",
            "-s",
            select,
            "-s",
            "00A4000002EF06",
            "-s",
            "00B2090400",
        ])
        .output()
        .expect("opensc-tool was there when the test began");
    let text = String::from_utf8_lossy(&output.stdout);
    let hex: Vec<String> = name.iter().map(|byte| format!("{byte:02X}")).collect();
    assert!(text.contains(&hex.join(" ")), "{text}");
    assert_eq!(text.matches("Received (SW1=0x90, SW2=0x00)").count(), 3, "{text}");
}

fn settings() -> Settings {
    Settings { reader: Some("Virtual PCD 00 00".into()), ..Settings::default() }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// One card in memory, spoken to several times.
struct Talk {
    card: VirtualCard,
    spent: Option<social_card::Spent>,
}

impl Talk {
    fn with(card: VirtualCard) -> Self {
        Self { card, spent: None }
    }

    fn read(&mut self, pin: Option<&str>) -> &'static str {
        let mark = pin.map_or(0, |pin| pin.parse().unwrap());
        let pin = pin.map(|pin| (Pin::parse(pin).unwrap(), mark, 1));
        let result = session::read(&mut Good(&mut self.card), pin.as_ref(), self.spent.as_ref());
        let (reading, spent) = result.unwrap();
        self.spent = spent.or(self.spent.take());
        reading.code()
    }
}

fn read(mut card: VirtualCard) -> Reading {
    session::read(&mut Good(&mut card), None, None).unwrap().0
}

struct Good<'a>(&'a mut VirtualCard);

impl Channel for Good<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost> {
        Ok(self.0.answer(command))
    }
}

/// A reader in which everything happens: cards change places without a word, answers are
/// cut, wrong or made up, the reader goes away.
struct Evil<'a> {
    random: &'a mut Random,
    card: VirtualCard,
    other: VirtualCard,
    /// Faults come in one of so many commands.
    one_in: u64,
    corrupts: bool,
    n_swaps: u32,
    n_commands: u32,
}

impl<'a> Evil<'a> {
    fn new(random: &'a mut Random) -> Self {
        let (mut card, mut other) = (VirtualCard::wang(), VirtualCard::li());
        if random.below(2) == 0 {
            std::mem::swap(&mut card, &mut other);
        }
        let styles = [Style::Direct, Style::Exactly, Style::More];
        card.style = styles[random.below(3) as usize];
        other.style = card.style;
        other.from_one = card.from_one;
        let (one_in, corrupts) = (2 + random.below(60), random.below(2) == 0);
        Self { random, card, other, one_in, corrupts, n_swaps: 0, n_commands: 0 }
    }
}

impl Channel for Evil<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Lost> {
        self.n_commands += 1;
        if self.random.below(self.one_in) != 0 {
            return Ok(self.card.answer(command));
        }
        let kinds = if self.corrupts { 8 } else { 4 };
        match self.random.below(kinds) {
            // Once: a card that goes and comes back is the same card.
            0 if self.n_swaps == 0 => {
                self.n_swaps += 1;
                self.other.take_place_of(&self.card);
                std::mem::swap(&mut self.card, &mut self.other);
                Ok(self.card.answer(command))
            }
            0 => Ok(self.card.answer(command)),
            1 => Err(Lost::Card),
            2 => Err(Lost::Reader(SocialCardError::Busy)),
            3 => Ok(vec![0x6F, 0x00]),
            4 => Ok((0..self.random.below(3)).map(|_| 0x90).collect()),
            5 => {
                let mut answer = self.card.answer(command);
                let at = self.random.below(answer.len() as u64) as usize;
                answer[at] ^= 1 << self.random.below(8);
                Ok(answer)
            }
            6 => Ok((0..self.random.below(300)).map(|_| self.random.below(256) as u8).collect()),
            _ => {
                Ok([0x61, 0x6C].map(|first| vec![first, 0xFF])[self.random.below(2) as usize]
                    .clone())
            }
        }
    }
}

/// A small generator, so that a seed gives the same faults everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }
}
