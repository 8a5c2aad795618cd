//! Stories of slips.

use drivers::printer::{Align, Line, Slip};
use expect_test::{Expect, expect};

use crate::in_process::World;

#[test]
fn a_slip_comes_out_as_it_was_built() {
    let world = World::new(1);
    let slip = slip();
    let printed = world.printer().print(&slip);
    assert!(matches!(printed, Ok(drivers::printer::Printed::Done { paper_low: false })));
    assert_eq!(world.take_printed(), slip.encode(384));
}

#[test]
fn paper_and_cover_are_answers_and_the_knife_is_a_fault() {
    check(
        &[
            "PAPER OUT",
            "print",
            "PAPER LOW",
            "print",
            "PAPER IN",
            "COVER OPEN",
            "print",
            "COVER CLOSE",
            "CUTTER JAM",
            "print",
            "CUTTER OK",
            "print",
        ],
        expect![[r#"
            PAPER OUT
            print -> PaperOut, 0 slips
            PAPER LOW
            print -> Done { paper_low: true }, 1 slips
            PAPER IN
            COVER OPEN
            print -> CoverOpen, 0 slips
            COVER CLOSE
            CUTTER JAM
            print -> error printer-cutter-stuck, 0 slips
            CUTTER OK
            print -> Done { paper_low: false }, 1 slips
        "#]],
    );
}

#[test]
fn paper_that_ends_in_the_middle_is_told() {
    let world = World::new(1);
    let at = world.now() + std::time::Duration::from_millis(25);
    let mut printer = world.printer();
    world.later(at, "PAPER OUT".parse().unwrap());
    let printed = printer.print(&slip());
    assert!(matches!(printed, Ok(drivers::printer::Printed::PaperOut)), "{printed:?}");
}

#[test]
fn an_unplugged_printer_is_told_and_opened_anew() {
    check(
        &["UNPLUG printer", "print", "REPLUG printer", "wait", "print"],
        expect![[r#"
            UNPLUG printer
            print -> error printer-unplugged, 0 slips
            REPLUG printer
            wait
            print -> Done { paper_low: false }, 1 slips
        "#]],
    );
}

fn check(steps: &[&str], expected: Expect) {
    let world = World::new(1);
    let mut printer = world.printer();
    let mut story = String::new();
    for step in steps {
        let told = match *step {
            "print" => {
                let told = match printer.print(&slip()) {
                    Ok(printed) => format!("{printed:?}"),
                    Err(error) => format!("error {}", error.code()),
                };
                let bytes = world.take_printed();
                let cut = b"\x1DVB\x18";
                let n_slips = bytes.windows(cut.len()).filter(|w| w == cut).count();
                format!("print -> {told}, {n_slips} slips")
            }
            "wait" => {
                world.pass(std::time::Duration::from_secs(1));
                "wait".to_owned()
            }
            order => {
                world.order(order);
                order.to_owned()
            }
        };
        story.push_str(&told);
        story.push('\n');
    }
    expected.assert_eq(&story);
}

/// A slip with everything on it; its picture holds a question about status.
pub(crate) fn slip() -> Slip {
    let title = Line::new("领取养老金资格认证").size(2).bold().align(Align::Centre);
    Slip::new()
        .line(title)
        .line("结果: 已认证")
        .picture(24, 1, |x, _| (0x10_04_01u32 << 8) & (0x8000_0000 >> x) != 0)
        .qr(b"a seal of a few bytes", 4)
        .unwrap()
        .feed(1)
        .cut()
}
