//! The panel over a recording board, on a clock that the test moves.

use super::recording::Recording;
use super::*;
use expect_test::expect;
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn lamps_buzzer_and_light_do_what_was_ordered() {
    let (board, mut panel) = panel();
    panel.turn(Duration::ZERO).unwrap();
    panel.lamp(Lamp::Card, Glow::Blink);
    panel.lamp(Lamp::Ready, Glow::On);
    panel.beep(Beep::Double);
    panel.light(40);
    run(&board, &mut panel, 1100);
    panel.lamp(Lamp::Card, Glow::Off);
    panel.light(0);
    run(&board, &mut panel, 400);
    let log = board.take_log();
    let lights: Vec<u32> = log.iter().filter_map(|line| percent(line)).collect();
    let others: Vec<&str> =
        log.iter().filter(|line| percent(line).is_none()).map(String::as_str).collect();
    expect![[r#"
        0 Buzzer off
        0 Buzzer on
        0 Lamp(Card) on
        0 Lamp(Ready) on
        80 Buzzer off
        160 Buzzer on
        240 Buzzer off
        500 Lamp(Card) off
        1000 Lamp(Card) on
        1100 Lamp(Card) off"#]]
    .assert_eq(&others.join("\n"));
    let top = lights.iter().position(|percent| *percent == 40).unwrap();
    assert!(lights[..top].is_sorted() && lights[top..].iter().rev().is_sorted(), "{lights:?}");
    assert!(lights.len() > 10, "the light jumps: {lights:?}");
    assert_eq!(lights.last(), Some(&0));
}

#[test]
fn what_is_seen_is_told_once_and_a_short_opening_is_not_missed() {
    let (board, mut panel) = panel();
    let mut told = vec![tell(&panel.turn(Duration::ZERO).unwrap())];
    let mut look = |board: &Recording, ms: u64| {
        told.push(run(board, &mut panel, ms));
    };
    board.set(Input::Tamper, true);
    board.set(Input::Tamper, false);
    look(&board, 2000);
    board.set(Input::Door, true);
    look(&board, 200);
    // Somebody walks past.
    board.set(Input::Presence, true);
    look(&board, 100);
    board.set(Input::Presence, false);
    look(&board, 500);
    // Somebody comes, leans back once, and goes.
    board.set(Input::Presence, true);
    look(&board, 1000);
    board.set(Input::Presence, false);
    look(&board, 1000);
    board.set(Input::Presence, true);
    look(&board, 1000);
    board.set(Input::Presence, false);
    look(&board, 4000);
    expect![[r#"
        Tamper off, Door off, Presence off
        Tamper on, Tamper off
        Door on

        
        Presence on


        Presence off"#]]
    .assert_eq(&told.join("\n"));
}

/// For every fault: what is told, and whether lamps, light and switches are back after it.
#[test]
fn every_fault_of_the_panel_is_survived() {
    let mut table = format!("{:<24}{:<34}recovered\n", "panel", "told");
    for (fault, error) in faults() {
        let (board, _) = panel();
        let mut error = Some(error);
        let opener = board.clone();
        let mut panel = Panel::over(
            Box::new(move || match error.take() {
                Some(Some(error)) => Err(error),
                _ => opener.open(),
            }),
            Duration::ZERO,
        );
        panel.lamp(Lamp::Ready, Glow::On);
        let mut told = Vec::new();
        for turn in 0..4 {
            board.plug(!(fault == "pulled while it runs" && turn == 1));
            if let Err(error) = panel.turn(Duration::ZERO) {
                told.push(error.code());
                board.take_log();
            }
            board.pass(Duration::from_secs(1));
        }
        let changes = tell(&panel.turn(Duration::ZERO).unwrap());
        let log = board.take_log();
        let is_lit = log.iter().any(|line| line.ends_with("Lamp(Ready) on"));
        let recovered = if is_lit { "yes" } else { "no" };
        if !changes.is_empty() {
            told.push("change");
        }
        let told = if told.is_empty() { "-".into() } else { told.join(", ") };
        table.push_str(&format!("{fault:<24}{told:<34}{recovered}\n"));
    }
    crate::show(&table);
    expect![[r#"
        panel                   told                              recovered
        none                    -                                 yes
        pulled while it runs    panel-unplugged                   yes
        not there at the start  panel-unplugged                   yes
        line has another name   panel-line-missing                yes
        line taken by another   panel-line-busy                   yes
        no right to open it     panel-forbidden                   yes
        one line used twice     panel-settings                    yes
        PWM channel missing     panel-pwm-missing                 yes
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_line_that_is_used_twice_is_refused() {
    let config = PanelConfig {
        buzzer: Some(Line::named("GPIO17")),
        light: Some(Light::Line(Line::named("GPIO17"))),
        ..PanelConfig::default()
    };
    assert_eq!(config.open().err().unwrap().code(), "panel-settings");
}

/// Whatever happens to the board, in the end its outputs are as they are wanted.
#[test]
fn after_any_story_the_outputs_are_as_they_are_wanted() {
    proptest!(ProptestConfig::with_cases(10_000), |(story in vec((0u8..9, 0u8..=100), 0..60))| {
        let (board, mut panel) = panel();
        let (mut lamp, mut light) = (false, 0);
        for (what, n) in story {
            match what {
                0 => panel.lamp(Lamp::Card, Glow::Blink),
                1 | 2 => {
                    lamp = what == 1;
                    panel.lamp(Lamp::Ready, if lamp { Glow::On } else { Glow::Off });
                }
                3 => {
                    light = n;
                    panel.light(n);
                }
                4 => panel.beep(Beep::Double),
                5 | 6 => board.plug(what == 5),
                7 => board.set(Input::Tamper, n > 50),
                _ => board.pass(Duration::from_millis(10 * u64::from(n))),
            }
            let turned = panel.turn(Duration::ZERO);
            prop_assert!(turned.is_ok() || turned.unwrap_err().code() == "panel-unplugged");
        }
        // Pulled once more, so that all has to be driven anew.
        board.plug(false);
        panel.turn(Duration::ZERO).unwrap_err();
        board.take_log();
        board.plug(true);
        panel.turn(Duration::ZERO).unwrap();
        run(&board, &mut panel, 1_000);
        let log = board.take_log();
        let last = |what: &str| log.iter().rev().find_map(|line| line.split_once(what)).map(|l| l.1);
        prop_assert!(matches!((last("Lamp(Ready) "), lamp), (Some("on"), true) | (Some("off") | None, false)));
        prop_assert_eq!(last("Buzzer "), Some("off"));
        let shown = format!("{light}%");
        prop_assert_eq!(last("Light "), Some(shown.as_str()));
    });
}

fn faults() -> Vec<(&'static str, Option<PanelError>)> {
    let missing = || Arc::new(io::ErrorKind::NotFound.into());
    vec![
        ("none", None),
        ("pulled while it runs", None),
        ("not there at the start", Some(PanelError::Unplugged(None))),
        ("line has another name", Some(PanelError::LineMissing("BUZZER".into()))),
        ("line taken by another", Some(PanelError::LineBusy("BUZZER".into()))),
        ("no right to open it", Some(PanelError::Forbidden)),
        ("one line used twice", Some(PanelError::Settings("twice".into()))),
        ("PWM channel missing", Some(PanelError::PwmMissing(missing()))),
    ]
}

fn panel() -> (Recording, Panel) {
    let board = Recording::new();
    let of_panel = board.clone();
    (board, Panel::over(Box::new(move || of_panel.open()), Duration::ZERO))
}

/// Lets `ms` pass in steps of 20, a turn after each; gives what was told.
fn run(board: &Recording, panel: &mut Panel, ms: u64) -> String {
    let mut told = Vec::new();
    for _ in 0..ms / 20 {
        told.extend(panel.turn(Duration::ZERO).unwrap());
        board.pass(Duration::from_millis(20));
    }
    told.extend(panel.turn(Duration::ZERO).unwrap());
    tell(&told)
}

fn tell(changes: &[Change]) -> String {
    let on = |change: &Change| if change.is_active { "on" } else { "off" };
    let all = changes.iter().map(|change| format!("{:?} {}", change.input, on(change)));
    all.collect::<Vec<_>>().join(", ")
}

/// The level in a line such as `20 Light 5%`.
fn percent(line: &str) -> Option<u32> {
    line.split_once("Light ")?.1.strip_suffix('%')?.parse().ok()
}
