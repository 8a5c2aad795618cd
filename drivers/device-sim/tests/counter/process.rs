//! The drivers on ptys of the real simulator program.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use drivers::fingerprint::{self, Capture, Sensor};
use drivers::id_card::{self, Poll, Reader, fields};
use drivers::link::{Capture as Recording, LinkConfig, ReplayLink};
use drivers::photo::PhotoDecoder;
use drivers::printer::{self, Printed, Printer};
use drivers::selftest::{self, Outcome};

use crate::printer::slip;

#[test]
fn a_whole_visit_works_over_ptys() {
    let sim = Sim::start(&["--fast"]);
    let person = people::Person::generate(7, 3);

    let mut reader = Reader::open(&sim.link("id-card"), id_card::Settings::default()).unwrap();
    assert!(matches!(reader.poll(), Ok(Poll::NoCard)));
    sim.order("CARD 3");
    let Poll::Card(card) = reader.poll().unwrap() else {
        panic!("no card");
    };
    assert_eq!(fields::decode(&card.text).unwrap().number, person.number);
    assert_eq!(id_card::sam_id_text(&card.sam_id), "05.03-20230529-0001234567-0987654321");

    let decoder = vec![PROGRAM.to_owned(), "decode-photo".to_owned()];
    let mut decoder = PhotoDecoder::new(decoder);
    decoder.deadline = Duration::from_secs(30);
    let photo = decoder.decode(&card.photo).unwrap();
    assert_eq!(photo, people::photo::decode(&person.card_photo_block()).unwrap());
    assert_eq!(decoder.decode(&[0x57; 1024]).unwrap_err().code(), "photo-decoder-refused");

    let settings = fingerprint::Settings::default();
    let mut sensor = Sensor::open(&sim.link("fingerprint"), settings).unwrap();
    sim.order("FINGER 3 right-index");
    let captured = sensor.capture(soon(), &mut |_| ()).unwrap();
    assert!(matches!(captured, Capture::Image(_)));

    let mut printer = Printer::open(&sim.link("printer"), printer::Settings::default()).unwrap();
    let printed = printer.print(&slip()).unwrap();
    assert_eq!(printed, Printed::Done { paper_low: false });
    let paper = std::fs::read(sim.dir().join("printer.out")).unwrap();
    assert_eq!(paper, slip().encode(384));
}

#[test]
fn a_reader_pulled_out_and_put_back_is_found_again() {
    let sim = Sim::start(&["--fast"]);
    let mut reader = Reader::open(&sim.link("id-card"), id_card::Settings::default()).unwrap();
    sim.order("UNPLUG id-card");
    let error = reader.poll().unwrap_err();
    assert_eq!(error.code(), "id-card-reader-unplugged");
    assert!(!sim.dir().join("id-card").exists());
    let error = reader.poll().unwrap_err();
    assert_eq!(error.code(), "id-card-reader-unplugged");
    sim.order("REPLUG id-card");
    sim.order("CARD 1");
    assert!(matches!(reader.poll(), Ok(Poll::Card(_))));
}

#[test]
fn a_recorded_read_plays_back_to_the_same_card() {
    let sim = Sim::start(&["--fast"]);
    let file = sim.dir().join("reader.lines");
    let mut link = sim.link("id-card");
    link.record_to = Some(file.clone());
    let mut reader = Reader::open(&link, id_card::Settings::default()).unwrap();
    sim.order("CARD 2");
    let Poll::Card(card) = reader.poll().unwrap() else {
        panic!("no card");
    };
    let text = std::fs::read_to_string(&file).unwrap();
    let replay = ReplayLink::new(Recording::parse(&text).unwrap());
    let mut again = Reader::over(Box::new(replay), id_card::Settings::default()).unwrap();
    let Poll::Card(again) = again.poll().unwrap() else {
        panic!("no card in the replay");
    };
    assert!(again == card);
}

#[test]
fn the_morning_check_finds_what_is_wrong() {
    let sim = Sim::start(&["--fast"]);
    let check = || {
        let card = selftest::id_card(&sim.link("id-card"), Default::default());
        let finger = selftest::fingerprint(&sim.link("fingerprint"), Default::default());
        let printer = selftest::printer(&sim.link("printer"), Default::default());
        [card, finger, printer].map(|checked| checked.outcome)
    };
    assert_eq!(check(), [Outcome::Works; 3]);
    for order in ["CARD 1", "FINGER 1 2", "PAPER LOW"] {
        sim.order(order);
    }
    let codes = ["id-card-left-on-reader", "finger-reader-glass-not-empty", "printer-paper-low"];
    assert_eq!(check(), codes.map(Outcome::Attention));
    for order in ["DEAD-SAM", "UNPLUG fingerprint", "COVER OPEN"] {
        sim.order(order);
    }
    let codes = ["id-card-reader-sam-dead", "finger-reader-unplugged", "printer-cover-open"];
    assert_eq!(check(), codes.map(Outcome::Fails));
}

#[test]
fn the_control_socket_says_what_is_wrong() {
    let sim = Sim::start(&["--fast", "--people", "5"]);
    assert_eq!(sim.ask("CARD 9"), "error no person 9, there are 5");
    assert_eq!(sim.ask("CRD 1"), "error no such order \"CRD\"; device-sim --help lists them");
    assert_eq!(sim.ask("SWAP 1"), "error no card lies there");
    assert_eq!(sim.ask("SLEEP 5"), "ok");
    assert!(sim.ask("STATUS").starts_with("ok id-card plugged at"));
    assert_eq!(sim.ask("QUIT"), "ok");
}

#[test]
fn a_script_with_a_mistake_names_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("visit.script");
    std::fs::write(&script, "# a visit\nCARD 1\nFINGER one\n").unwrap();
    let run = Command::new(PROGRAM)
        .args(["--dir".as_ref(), dir.path().as_os_str()])
        .args(["--script".as_ref(), script.as_os_str()])
        .output()
        .unwrap();
    let told = String::from_utf8(run.stderr).unwrap();
    assert!(!run.status.success());
    assert!(told.contains("visit.script:3: FINGER wants"), "{told}");
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_device-sim");

/// The simulator as a child process; ends with the test.
pub(crate) struct Sim {
    child: Child,
    dir: tempfile::TempDir,
}

impl Sim {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(PROGRAM)
            .args(["--dir".as_ref(), dir.path().as_os_str()])
            .args(["--seed", "7", "--until-stdin-closes"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { child, dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn link(&self, name: &str) -> LinkConfig {
        LinkConfig::serial(self.device(name))
    }

    pub(crate) fn device(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn order(&self, line: &str) {
        assert_eq!(self.ask(line), "ok");
    }

    fn ask(&self, line: &str) -> String {
        let mut stream = UnixStream::connect(self.device("control")).unwrap();
        writeln!(stream, "{line}").unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}
