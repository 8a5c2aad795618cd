//! For every device, each fault tried alone: what was told, and whether the device came
//! back by itself.

use std::io::{self, Write as _};
use std::time::Duration;

use expect_test::expect;

use crate::fingerprint::tell as tell_finger;
use crate::id_card::tell as tell_card;
use crate::in_process::World;
use crate::printer::slip;

#[test]
fn every_fault_of_the_card_reader_is_survived() {
    let table = table("id-card", CARD_FAULTS, |world| {
        let mut reader = world.reader().expect("the reader answers");
        reader.poll().expect("nothing is wrong yet");
        let world = world.clone();
        Box::new(move |fault| {
            if let Some(fault) = fault {
                world.order("CARD 1");
                world.order(fault);
            }
            tell_card(reader.poll())
        })
    });
    expect![[r#"
        id-card             told on the way                                    recovered
        BAD-CHECKSUM        -                                                  yes
        DOUBLE-PREAMBLE     -                                                  yes
        STALE               NoCard                                             yes
        NOISE 20            error id-card-reader-silent                        yes
        LATE 400            -                                                  yes
        LATE 2600           error id-card-reader-silent                        yes
        SILENCE 500         -                                                  yes
        SILENCE 9000        error id-card-reader-silent                        yes
        UNPLUG              error id-card-reader-unplugged                     yes
        SHAKE               -                                                  yes
        TEAR                HoldStill                                          yes
        SWAP 1              -                                                  yes
        FAKE                Unverifiable(NotGenuine)                           yes
        DEAD-SAM            error id-card-reader-sam-dead                      yes
    "#]]
    .assert_eq(&table);
}

#[test]
fn every_fault_of_the_fingerprint_module_is_survived() {
    let table = table("fingerprint", FINGER_FAULTS, |world| {
        let mut sensor = world.sensor().expect("the module answers");
        let world = world.clone();
        Box::new(move |fault| {
            if let Some(fault) = fault {
                world.order("FINGER 1 right-index");
                world.order(fault);
            }
            tell_finger(&mut sensor, &world)
        })
    });
    expect![[r#"
        fingerprint         told on the way                                    recovered
        BAD-CHECKSUM        -                                                  yes
        DOUBLE-PREAMBLE     -                                                  yes
        STALE               -                                                  yes
        NOISE 20            -                                                  yes
        LATE 400            -                                                  yes
        LATE 2600           error finger-reader-silent                         yes
        SILENCE 500         -                                                  yes
        SILENCE 9000        error finger-reader-silent                         yes
        UNPLUG              error finger-reader-unplugged                      yes
        DRY                 Retry(TooDry)                                      yes
        WET                 Retry(TooWet)                                      yes
        MOVED               Retry(Moved)                                       yes
    "#]]
    .assert_eq(&table);
}

#[test]
fn every_fault_of_the_printer_is_survived() {
    let table = table("printer", PRINTER_FAULTS, |world| {
        let mut printer = world.printer();
        let world = world.clone();
        Box::new(move |fault| {
            if let Some(fault) = fault {
                world.order(fault);
            }
            match printer.print(&slip()) {
                Ok(printed) => format!("{printed:?}"),
                Err(error) => format!("error {}", error.code()),
            }
        })
    });
    expect![[r#"
        printer             told on the way                                    recovered
        NOISE 2             -                                                  yes
        STALE               -                                                  yes
        LATE 400            -                                                  yes
        SILENCE 500         -                                                  yes
        SILENCE 9000        error printer-silent                               yes
        UNPLUG              error printer-unplugged                            yes
        PAPER OUT           PaperOut                                           yes
        COVER OPEN          CoverOpen                                          yes
        CUTTER JAM          error printer-cutter-stuck                         yes
    "#]]
    .assert_eq(&table);
}

/// A fault, and what somebody does about it after the first try.
type Fault = (&'static str, Option<&'static str>);

const CARD_FAULTS: &[Fault] = &[
    ("BAD-CHECKSUM id-card", None),
    ("DOUBLE-PREAMBLE id-card", None),
    ("STALE id-card", None),
    ("NOISE id-card 20", None),
    ("LATE id-card 400", None),
    ("LATE id-card 2600", None),
    ("SILENCE id-card 500", None),
    ("SILENCE id-card 9000", None),
    ("UNPLUG id-card", Some("REPLUG id-card")),
    ("SHAKE", None),
    ("TEAR", Some("CARD 1")),
    ("SWAP 1", None),
    ("FAKE", Some("SWAP 1")),
    ("DEAD-SAM", Some("SAM OK")),
];

const FINGER_FAULTS: &[Fault] = &[
    ("BAD-CHECKSUM fingerprint", None),
    ("DOUBLE-PREAMBLE fingerprint", None),
    ("STALE fingerprint", None),
    ("NOISE fingerprint 20", None),
    ("LATE fingerprint 400", None),
    ("LATE fingerprint 2600", None),
    ("SILENCE fingerprint 500", None),
    ("SILENCE fingerprint 9000", None),
    ("UNPLUG fingerprint", Some("REPLUG fingerprint")),
    ("DRY", None),
    ("WET", None),
    ("MOVED", None),
];

const PRINTER_FAULTS: &[Fault] = &[
    ("NOISE printer 2", None),
    ("STALE printer", None),
    ("LATE printer 400", None),
    ("SILENCE printer 500", None),
    ("SILENCE printer 9000", None),
    ("UNPLUG printer", Some("REPLUG printer")),
    ("PAPER OUT", Some("PAPER IN")),
    ("COVER OPEN", Some("COVER CLOSE")),
    ("CUTTER JAM", Some("CUTTER OK")),
];

type Act = Box<dyn FnMut(Option<&str>) -> String>;

fn table(device: &str, faults: &[Fault], set_up: impl Fn(&World) -> Act) -> String {
    let mut table = format!("{device:<20}{:<51}recovered\n", "told on the way");
    for (fault, remedy) in faults {
        let world = World::new(1);
        let mut act = set_up(&world);
        let mut told = Vec::new();
        let mut recovered = "no";
        for turn in 0..TURNS_MAX {
            let answer = act((turn == 0).then_some(*fault));
            if ["card 1", "Image(GreyImage(256x288, …))", "Done { paper_low: false }"]
                .contains(&answer.as_str())
            {
                recovered = "yes";
                break;
            }
            if told.last() != Some(&answer) {
                told.push(answer);
            }
            if let (0, Some(remedy)) = (turn, remedy) {
                world.order(remedy);
            }
            world.pass(Duration::from_millis(500));
        }
        let told = if told.is_empty() { "-".to_owned() } else { told.join(", ") };
        let name = fault.replace(&format!(" {device}"), "");
        table.push_str(&format!("{name:<20}{told:<51}{recovered}\n"));
    }
    // Not by a macro: the harness would keep it back.
    writeln!(io::stdout(), "\n{table}").expect("standard output is open");
    table
}

const TURNS_MAX: u32 = 12;
