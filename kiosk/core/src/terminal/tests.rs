//! What happens to the terminal between and around visits, as stories.

use expect_test::{Expect, expect};

use super::*;
use crate::event::CardEvent;
use crate::identity::{CardIdentity, IdentitySource};
use crate::operator::{Operator, Role};
use crate::policy::{PackSet, Words};
use crate::record::RecordId;
use crate::view::{SlipState, Trouble};

#[test]
fn an_empty_battery_keeps_the_visit_and_closes_the_terminal_until_there_is_power() {
    check(
        "sign-in low card found empty pick empty enough pick",
        &expect![[r#"
            sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
            low -> waiting; 
            card -> waiting; Find
            found -> person; SaveDraft
            empty -> sign-in: err-power-empty; StopSensors, Forget, PowerDown
            pick -> sign-in: err-power-empty; 
            empty -> sign-in: err-power-empty; 
            enough -> sign-in; 
            pick -> sign-in of op; 
        "#]],
    );
}

#[test]
fn a_terminal_that_can_keep_nothing_says_so_before_a_card_is_laid_down() {
    check(
        "sign-in full mended",
        &expect![[r#"
            sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
            full -> waiting: err-store-full; 
            mended -> waiting; 
        "#]],
    );
}

#[test]
fn what_is_being_sealed_and_printed_comes_to_its_end_first() {
    check(
        "sign-in card found not-theirs empty sealed printed",
        &expect![[r#"
            sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
            card -> waiting; Find
            found -> person; SaveDraft
            not-theirs -> saving; StopSensors, Seal
            empty -> saving; 
            sealed -> result; Print, Speak(OutcomeNotPresent), Send
            printed -> sign-in: err-power-empty; StopSensors, Forget, PowerDown
        "#]],
    );
}

#[test]
fn the_devices_are_checked_between_visits_only() {
    check(
        "devices checked devices checked-late back checked-late sign-in devices back card devices",
        &expect![[r#"
            devices -> devices-checking, 0 lines; CheckDevices
            checked -> devices-failing, 2 lines; 
            devices -> devices-checking, 0 lines; CheckDevices
            checked-late -> devices-failing, 2 lines; 
            back -> sign-in; 
            checked-late -> sign-in; 
            sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
            devices -> devices-checking, 0 lines; CheckDevices
            back -> waiting; 
            card -> waiting; Find
            devices -> waiting; 
        "#]],
    );
}

#[test]
fn a_card_ends_the_look_at_the_devices() {
    check(
        "sign-in devices card found",
        &expect![[r#"
            sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
            devices -> devices-checking, 0 lines; CheckDevices
            card -> waiting; Find
            found -> person; SaveDraft
        "#]],
    );
}

#[test]
fn whoever_comes_is_greeted_where_a_card_is_awaited() {
    check(
        "comes sign-in comes goes card comes",
        &expect![[r#"
            comes -> sign-in; 
            sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
            comes -> waiting; Speak(LayCard)
            goes -> waiting; 
            card -> waiting; Find
            comes -> waiting; 
        "#]],
    );
}

#[test]
fn whoever_signed_in_and_went_away_is_signed_out() {
    check(
        "sign-in +14 mended +1 mended pick sign-in +14 devices +14 mended +1 mended",
        &expect![[r#"
            sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
            mended -> waiting; 
            mended -> sign-in: signed-out; StopSensors, Forget
            pick -> sign-in of op; 
            sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
            devices -> devices-checking, 0 lines; CheckDevices
            mended -> devices-checking, 0 lines; 
            mended -> sign-in: signed-out; StopSensors, Forget
        "#]],
    );
}

#[test]
fn nobody_is_signed_out_who_serves_or_has_just_served() {
    check(
        "+60 mended sign-in card found +59 mended not-theirs +60 mended sealed printed +14 mended finish +14 mended +1 mended",
        &expect![[r#"
            mended -> sign-in; 
            sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
            card -> waiting; Find
            found -> person; SaveDraft
            mended -> person; 
            not-theirs -> saving; StopSensors, Seal
            mended -> saving; 
            sealed -> result; Print, Speak(OutcomeNotPresent), Send
            printed -> result; 
            mended -> result; 
            finish -> waiting; Forget, AwaitCard, Speak(LayCard), ListDrafts
            mended -> waiting; 
            mended -> sign-in: signed-out; StopSensors, Forget
        "#]],
    );
}

#[test]
fn whoever_comes_after_a_quarter_of_an_hour_is_somebody_else() {
    check(
        "sign-in +15 devices back",
        &expect![[r#"
        sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
        devices -> sign-in: signed-out; StopSensors, Forget
        back -> sign-in: signed-out; 
    "#]],
    );
    check(
        "sign-in +14 comes +1 comes card",
        &expect![[r#"
        sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
        comes -> waiting; Speak(LayCard)
        comes -> sign-in: signed-out; StopSensors, Forget
        card -> sign-in: signed-out; 
    "#]],
    );
}

#[test]
fn what_could_not_be_saved_is_in_no_draft_and_stays_on_the_screen() {
    check(
        "sign-in card found not-theirs seal-failed +60 mended +60 comes sealed",
        &expect![[r#"
            sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
            card -> waiting; Find
            found -> person; SaveDraft
            not-theirs -> saving; StopSensors, Seal
            seal-failed -> err-store-fault; 
            mended -> err-store-fault; 
            comes -> err-store-fault; 
            sealed -> result; Print, Speak(OutcomeNotPresent), Send
        "#]],
    );
}

#[test]
fn a_slip_that_takes_long_is_still_part_of_the_visit() {
    check(
        "sign-in card found not-theirs sealed +20 printed +14 mended +1 mended",
        &expect![[r#"
            sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
            card -> waiting; Find
            found -> person; SaveDraft
            not-theirs -> saving; StopSensors, Seal
            sealed -> result; Print, Speak(OutcomeNotPresent), Send
            printed -> result; 
            mended -> result; 
            mended -> sign-in: signed-out; StopSensors, Forget
        "#]],
    );
}

#[test]
fn the_devices_are_not_looked_at_all_night() {
    check(
        "devices checked +14 mended +1 mended devices +15 back",
        &expect![[r#"
        devices -> devices-checking, 0 lines; CheckDevices
        checked -> devices-failing, 2 lines; 
        mended -> devices-failing, 2 lines; 
        mended -> sign-in; 
        devices -> devices-checking, 0 lines; CheckDevices
        back -> sign-in; 
    "#]],
    );
}

#[test]
fn a_visit_that_was_left_is_kept_and_not_shown_all_night() {
    check(
        "sign-in card found +59 comes +1 not-theirs sign-in",
        &expect![[r#"
        sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
        card -> waiting; Find
        found -> person; SaveDraft
        comes -> person; 
        not-theirs -> sign-in: signed-out; StopSensors, Forget
        sign-in -> waiting; AwaitCard, Speak(LayCard), ListDrafts
    "#]],
    );
}

/// A story of what happens; `+14` is fourteen minutes later.
fn check(story: &str, expected: &Expect) {
    let mut terminal = Terminal::new(place());
    let mut told = String::new();
    let mut now = now();
    for word in story.split_whitespace() {
        if let Some(minutes) = word.strip_prefix('+') {
            now.mono_ms += minutes.parse::<u64>().unwrap() * 60_000;
            continue;
        }
        let effects: Vec<Effect> =
            events(word).into_iter().flat_map(|event| terminal.handle(event, now)).collect();
        let effects: Vec<String> = effects.iter().filter_map(effect).collect();
        told += &format!("{word} -> {}; {}\n", page(&terminal), effects.join(", "));
    }
    expected.assert_eq(&told);
}

fn events(word: &str) -> Vec<Event> {
    let tapped = |tap| vec![Event::Tapped(tap)];
    let pick = Event::Tapped(Tap::PickOperator("op".into()));
    match word {
        "pick" => vec![pick],
        "sign-in" => vec![pick, Event::PinChecked("op".into(), PinCheck::Right)],
        "low" => vec![Event::Power(Power::Low)],
        "empty" => vec![Event::Power(Power::Empty)],
        "enough" => vec![Event::Power(Power::Enough)],
        "card" => {
            let card = Box::new(card());
            vec![Event::Card(CardEvent::Read { card, visit: [6; 16], record: RECORD })]
        }
        "found" => vec![Event::Found(Box::default())],
        "not-theirs" => tapped(Tap::NotTheirCard),
        "sealed" => vec![Event::Sealed(RECORD)],
        "seal-failed" => vec![Event::SealFailed(Id::ErrStoreFault)],
        "finish" => tapped(Tap::Done),
        "printed" => vec![Event::Slip(SlipState::Printed)],
        "devices" => tapped(Tap::ShowDevices),
        "back" => tapped(Tap::Back),
        "checked" | "checked-late" => {
            vec![Event::Checked(vec![line(Tone::Good), line(Tone::Stopped)])]
        }
        "comes" => vec![Event::Presence(true)],
        "full" => {
            status(&[(Id::DevicePrinter, Id::ErrPrinterPaper), (Id::DeviceStore, Id::ErrStoreFull)])
        }
        "mended" => status(&[(Id::DeviceStore, Id::ErrStoreRecovered)]),
        "goes" => vec![Event::Presence(false)],
        word => panic!("no event {word}"),
    }
}

fn status(troubles: &[(Id, Id)]) -> Vec<Event> {
    let troubles = troubles.iter().map(|&(what, err)| Trouble { what, err }).collect();
    vec![Event::Status(Header { troubles, ..Header::default() })]
}

fn page(terminal: &Terminal) -> String {
    match terminal.view().page {
        Page::SignIn(page) => {
            let picked = page.picked.map_or(String::new(), |picked| format!(" of {picked}"));
            let notice = page.notice.map_or(String::new(), |say| format!(": {}", say.id.name()));
            format!("sign-in{picked}{notice}")
        }
        Page::Waiting(page) => {
            let trouble = page.trouble.map_or(String::new(), |it| format!(": {}", it.err.name()));
            format!("waiting{trouble}")
        }
        Page::Person(_) => "person".into(),
        Page::Saving => "saving".into(),
        Page::Judge(page) => page.headline.name().into(),
        Page::Result(_) => "result".into(),
        Page::Devices(page) => format!("{}, {} lines", page.headline.id.name(), page.lines.len()),
        page => panic!("not in these stories: {page:?}"),
    }
}

fn effect(effect: &Effect) -> Option<String> {
    let shown = format!("{effect:?}");
    let name = shown.split(['(', ' ']).next().expect("an effect has a name");
    Some(if name == "Speak" { shown } else { name.into() })
}

fn line(tone: Tone) -> DeviceLine {
    let words = || Words { zh: "读卡器".into(), en: "reader".into() };
    DeviceLine { name: words(), tone, what: words(), todo: None, code: "ok".into() }
}

fn card() -> CardIdentity {
    let source = IdentitySource::SocialCard;
    CardIdentity { source, has_photo: false, ..crate::visit::tests::card() }
}

fn place() -> Place {
    Place {
        device: "d".into(),
        site: "s".into(),
        site_name: "S".into(),
        packs: PackSet::from_packs(Vec::new()),
        operators: vec![Operator { id: "op".into(), name: "op".into(), role: Role::Operator }],
        notice: "n".into(),
        notice_digest: [0; 32],
        troubles: Vec::new(),
    }
}

/// 2026-11-16, ten in the morning in China.
fn now() -> Moment {
    Moment { wall_ms: 1_794_794_400_000, ..Moment::default() }
}

const RECORD: RecordId = RecordId([7; 16]);
