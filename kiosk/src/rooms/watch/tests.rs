//! Power and clocks that come and go, and what is told.

use std::fs;
use std::path::Path;
use std::sync::mpsc;

use drivers::clock::{Rtc, Times};
use drivers::power::PowerLimits;
use expect_test::expect;

use super::*;
use crate::happening::Happening;

#[test]
fn a_battery_that_empties_is_told_step_by_step_and_so_is_mains_power() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut room, told) = room(folder.path());
    let mut story = String::new();
    for percent in [60, 20, 18, 8, 8, 8] {
        battery(folder.path(), "Discharging", percent);
        room.look_at_power();
        story += &format!("{percent} %: {}\n", words(&told));
    }
    battery(folder.path(), "Charging", 9);
    room.look_at_power();
    story += &format!("plugged in: {}\n", words(&told));
    expect![[r#"
        60 %: Event(Power(Enough))
        20 %: device-power err-power-low, Event(Power(Low))
        18 %: 
        8 %: 
        8 %: device-power err-power-empty, Event(Power(Empty))
        8 %: 
        plugged in: device-power works, Event(Power(Enough))
    "#]]
    .assert_eq(&story);
}

#[test]
fn a_card_that_makes_errors_is_told_once() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("dev/block/254:1")).expect("a folder");
    let files = folder.path().join("fs/ext4/254:1");
    fs::create_dir_all(&files).expect("a folder");
    let (mut room, told) = room(folder.path());
    let mut story = Vec::new();
    for errors in ["0", "3", "4", "0"] {
        fs::write(files.join("errors_count"), errors).expect("a file");
        room.look_at_card();
        story.push(words(&told));
    }
    let failing = "device-memory-card err-memory-card-failing";
    assert_eq!(story, ["", failing, "", "device-memory-card works"]);
}

#[test]
fn a_clock_is_doubted_as_long_as_there_is_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut room, told) = room(folder.path());
    let runs = Rtc::Runs { ahead_ms: 0, is_battery_low: None };
    let follows = Sync::Follows { error_max: Duration::ZERO };
    let mut story = String::new();
    for (name, rtc, sync, jump_ms) in [
        ("well", runs, Sync::Free, None),
        ("set by hand", runs, Sync::Free, Some(86_400_000)),
        ("a minute later", runs, Sync::Free, None),
        ("the network is there", runs, follows, None),
        ("a flat battery", Rtc::LostTime, Sync::Free, None),
        ("a new battery", runs, Sync::Free, None),
    ] {
        let times = Times { wall_ms: 1_780_000_000_000, boot_ms: 0 };
        room.look_at_clock(&ClockReport { times, rtc, sync, jump_ms, is_unset: false });
        story += &format!("{name}: {:?}; {}\n", room.clock.now().doubt, words(&told));
    }
    expect![[r#"
        well: None; 
        set by hand: Doubtful; device-clock err-clock-doubtful
        a minute later: Doubtful; 
        the network is there: None; device-clock works
        a flat battery: Unknown; device-clock err-clock-unset
        a new battery: None; device-clock works
    "#]]
    .assert_eq(&story);
}

#[test]
fn a_clock_that_is_set_by_the_centre_is_not_somebody_who_turned_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut room, told) = room(folder.path());
    let look = |room: &mut WatchRoom, jump_ms| {
        let times = Times { wall_ms: 1_780_000_000_000, boot_ms: 0 };
        let rtc = Rtc::Runs { ahead_ms: 86_400_000, is_battery_low: None };
        room.look_at_clock(&ClockReport { times, rtc, sync: Sync::Free, jump_ms, is_unset: false });
        (room.clock.now().doubt, words(&told))
    };
    assert_eq!(look(&mut room, None).0, Doubt::Doubtful, "the chip says something else");
    let asked = room.clock.read();
    room.clock.heard(&asked, asked.wall_ms).expect("the centre is heard");
    let well = (Doubt::None, "device-clock works".to_owned());
    assert_eq!(look(&mut room, Some(-86_400_000)), well);
    assert!(!room.has_jumped);
}

fn room(folder: &Path) -> (WatchRoom, Receiver<Happening>) {
    let (sender, told) = mpsc::channel();
    let power = PowerWatch::over(folder, PowerLimits::default());
    let card = WearWatch::over(folder, 254, 1);
    let clocks = ClockWatch::over(folder, Duration::ZERO);
    (WatchRoom::new(power, card, clocks, Clock::system(), Teller::new(sender)), told)
}

fn battery(folder: &Path, status: &str, percent: u8) {
    let folder = folder.join("BAT0");
    fs::create_dir_all(&folder).expect("a folder");
    for (file, value) in [("type", "Battery"), ("status", status)] {
        fs::write(folder.join(file), value).expect("a file");
    }
    fs::write(folder.join("capacity"), percent.to_string()).expect("a file");
}

fn words(told: &Receiver<Happening>) -> String {
    crate::happening::words(told).join(", ")
}
