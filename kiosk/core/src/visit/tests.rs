//! Visits as stories: what happened, what the screen shows then, and what is to be done.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use jiff::civil::Date;
use proptest::prelude::*;

use super::*;
use crate::benefit::{Entitlement, Method, Success};
use crate::decision::{Comparison, Liveness, Thresholds};
use crate::event::{Latest, SealOrder, Sitting};
use crate::identity::{IdNumber, IdentitySource, PersonName, Sex, ValidTo};
use crate::policy::Pack;
use crate::reading::{Reading, Words};
use crate::roster::{Beneficiary, Recent};
use crate::view::{Button, Way};

const RECORD: RecordId = RecordId([7; 16]);

fn place() -> Place {
    let packs = [
        include_str!("../../../policy/cn.nm.region.enterprise_pension.toml"),
        include_str!("../../../policy/cn.sx.province.enterprise_pension.toml"),
    ];
    let operator = |id: &str, role| Operator { id: id.into(), name: id.into(), role };
    Place {
        device: "d".into(),
        site: "s".into(),
        site_name: "S".into(),
        packs: PackSet::from_packs(packs.map(|text| Pack::parse(text).unwrap())),
        operators: vec![
            operator("op", Role::Operator),
            operator("op2", Role::Operator),
            operator("sv", Role::Supervisor),
        ],
        notice: "n".into(),
        notice_digest: [0; 32],
        troubles: Vec::new(),
    }
}

const NEI_MENGGU: &str = include_str!("../../../policy/cn.nm.region.enterprise_pension.toml");

/// A terminal with this pack only.
fn place_with(pack: &str) -> Place {
    Place { packs: PackSet::from_packs([Pack::parse(pack).unwrap()]), ..place() }
}

/// 2026-11-16, ten in the morning in China.
fn now() -> Moment {
    Moment { wall_ms: 1_794_794_400_000, ..Moment::default() }
}

/// A card of nobody, read from its chip.
pub(crate) fn card() -> CardIdentity {
    CardIdentity {
        name: PersonName("测试人".into()),
        sex: Sex::Female,
        birth: Date::constant(1949, 12, 31),
        number: IdNumber::parse("11010519491231002X").unwrap(),
        address: String::new(),
        issuer: String::new(),
        valid_from: None,
        valid_to: ValidTo::Open,
        source: IdentitySource::Chip,
        has_photo: true,
    }
}

fn entitled(pack: &str, last: Date) -> Lookup {
    let entitlement = Entitlement {
        pack: pack.into(),
        last: Some(Success { on: last, method: Method::FaceModel }),
        ..Entitlement::default()
    };
    let beneficiary = Beneficiary {
        number: "11010519491231002X".into(),
        name: "测试人".into(),
        village: String::new(),
        entitlements: vec![entitlement],
        references: Vec::new(),
    };
    Lookup { beneficiary: Some(beneficiary), ..Lookup::default() }
}

fn overdue() -> Lookup {
    entitled("cn.nm.region.enterprise_pension", Date::constant(2025, 9, 1))
}

fn comparison(score: f32, liveness: Liveness) -> Comparison {
    Comparison {
        modality: Modality::Face,
        score: Some(score),
        quality: 80,
        liveness,
        model: "m".into(),
        thresholds: Thresholds {
            id: "t".into(),
            accept: 0.4,
            review: 0.3,
            quality_min: 40,
            pad_min: 0.5,
        },
        reference: "chip-photo".into(),
    }
}

/// The front of a card with this number was taken and read.
fn read(sitting: Sitting, number: &str) -> Event {
    let words = Words::Front {
        name: PersonName("测试人".into()),
        number: IdNumber::parse(number).ok(),
        birth: None,
        sex: None,
    };
    let reading = Reading {
        words: Some(words),
        is_doubtful: false,
        certainty: 90,
        shows_raster: false,
        model: "m".into(),
    };
    Event::DocumentRead(sitting, Box::new(reading))
}

/// A face that is the chip's, with a card in the hand that scores so.
fn with_papers(sitting: Sitting, score: f32, liveness: Liveness) -> Event {
    let papers = Comparison { reference: "id-in-hand".into(), ..comparison(score, liveness) };
    let own = comparison(0.8, Liveness::Passive(0.9));
    Event::Face(sitting, FaceEvent::Taken(vec![own, papers]))
}

/// The words of the stories.
fn happening(word: &str, sitting: Sitting) -> Event {
    let live = Liveness::Passive(0.9);
    let face = |score| Event::Face(sitting, FaceEvent::Taken(vec![comparison(score, live)]));
    match word {
        "card" => {
            Event::Card(CardEvent::Read { card: Box::new(card()), visit: [6; 16], record: RECORD })
        }
        "locked-card" => Event::Card(CardEvent::Locked),
        "card-drawn" => Event::Card(CardEvent::Drawn),
        "card-pin-wrong-2" => {
            Event::Card(CardEvent::PinRefused(CardPinRefusal::Wrong { tries_left: 2 }))
        }
        "card-pin-wrong-1" => {
            Event::Card(CardEvent::PinRefused(CardPinRefusal::Wrong { tries_left: 1 }))
        }
        "card-pin-not-tried" => Event::Card(CardEvent::PinRefused(CardPinRefusal::NotTried)),
        "card-pin-blocked" => Event::Card(CardEvent::PinRefused(CardPinRefusal::Blocked)),
        "fake-card" => Event::Card(CardEvent::Unusable(Id::ErrCardUnverifiable)),
        "overdue" => Event::Found(Box::new(overdue())),
        "overdue-with-finger" => {
            let mut found =
                entitled("cn.sx.province.enterprise_pension", Date::constant(2025, 9, 1));
            found.references.push((Modality::Finger, Some(2)));
            Event::Found(Box::new(found))
        }
        "certified-today" => {
            let today = (
                "cn.nm.region.enterprise_pension".into(),
                Success { on: Date::constant(2026, 11, 16), method: Method::FaceIdPhoto },
            );
            Event::Found(Box::new(Lookup {
                recent: Recent { successes: vec![today], ..Recent::default() },
                ..overdue()
            }))
        }
        "certified-here-today" => {
            let Event::Found(mut found) = happening("certified-today", sitting) else {
                unreachable!("the word is above");
            };
            let outcome = Id::OutcomeCertified;
            found.latest = Some(Latest { record: RecordId([8; 16]), on: now().date(), outcome });
            Event::Found(found)
        }
        "unknown" => Event::Found(Box::default()),
        "face-same" => face(0.8),
        "face-unsure" => face(0.35),
        "face-different" => face(0.1),
        "face-fake" => {
            Event::Face(sitting, FaceEvent::Taken(vec![comparison(0.9, Liveness::NotShown(0.1))]))
        }
        "face-of-nobody" => Event::Face(sitting, FaceEvent::Taken(Vec::new())),
        "no-camera" => Event::Face(sitting, FaceEvent::Failed(Id::ErrCameraSilent)),
        "finger-same" => {
            let seen = Comparison {
                modality: Modality::Finger,
                ..comparison(0.9, Liveness::NotEvaluated)
            };
            Event::Finger(sitting, FingerEvent::Taken(vec![seen]))
        }
        "finger-placed" => Event::Finger(sitting, FingerEvent::Placed),
        "finger-gone" => Event::Finger(sitting, FingerEvent::TimedOut),
        "pictured" => Event::Document(sitting, Ok(())),
        "front-read" => read(sitting, "11010519491231002X"),
        "front-of-another" => read(sitting, "440524188001010014"),
        "papers-differ" => with_papers(sitting, 0.1, live),
        "papers-poor" => with_papers(sitting, 0.35, live),
        "papers-fake" => with_papers(sitting, 0.9, Liveness::NotShown(0.1)),
        "sealed" => Event::Sealed(RECORD),
        "disk-full" => Event::SealFailed(Id::ErrStoreFull),
        "receipt" => Event::Delivery(RECORD, Delivery::CentreHasIt(41)),
        "receipt-of-another" => Event::Delivery(RecordId([9; 16]), Delivery::CentreHasIt(40)),
        "printed" => Event::Slip(SlipState::Printed),
        "pin-right" => Event::PinChecked("sv".into(), PinCheck::Right),
        "pin-right-op2" => Event::PinChecked("op2".into(), PinCheck::Right),
        "pin-wrong" => Event::PinChecked("sv".into(), PinCheck::Wrong { tries_left: 2 }),
        tap => Event::Tapped(match tap {
            "by-face" => Tap::CertifyFace,
            "by-finger" => Tap::CertifyFinger,
            "new-face" => Tap::ReEnrolFace,
            "new-finger" => Tap::ReEnrolFinger,
            "agree" => Tap::Agree,
            "decline" => Tap::Decline,
            "shoot" => Tap::TakePicture,
            "cannot" => Tap::CannotTake,
            "again" => Tap::TryAgain,
            "appeal" => Tap::Appeal,
            "aged" => Tap::Reason(Id::AppealReasonAged),
            "pick-op" => Tap::PickOperator("op".into()),
            "pick-sv" => Tap::PickOperator("sv".into()),
            "1" => Tap::Digit(1),
            "erase" => Tap::EraseDigit,
            "enter" => Tap::EnterPin,
            "back" => Tap::Back,
            "home" => Tap::HomeVisit,
            "ways" => Tap::OtherWays,
            "not-here" => Tap::Way(Way::NotHere),
            "refused" => Tap::Reason(Id::NotHereRefused),
            "deceased" => Tap::Reason(Id::NotHereDeceased),
            "proxy" => Tap::Way(Way::Proxy),
            "child" => Tap::Reason(Id::ProxyChild),
            "unit-clerk" => Tap::Reason(Id::ProxyUnitClerk),
            "special" => Tap::Way(Way::Special),
            "no-method" => Tap::Reason(Id::SpecialNoMethod),
            "exempt" => Tap::Way(Way::Exempt),
            "deaf" => Tap::Reason(Id::ExemptDeaf),
            "at-home" => Tap::Way(Way::VisitHere),
            "in-vain" => Tap::Way(Way::VisitFailed),
            "nobody" => Tap::Reason(Id::VisitFailedNobody),
            "next-week" => Tap::Day(Date::constant(2026, 11, 23)),
            "paper" => Tap::Way(Way::Paper),
            "message" => Tap::Way(Way::Message),
            "first-message" => Tap::Message(0),
            "settle" => Tap::Settle,
            "review" => Tap::SendForReview,
            "witness" => Tap::Witness,
            "pick-op2" => Tap::PickOperator("op2".into()),
            "correct" => Tap::Way(Way::Correct),
            "wrong-choice" => Tap::Reason(Id::CorrectChoice),
            "park" => Tap::Way(Way::Park),
            "yes-park" => Tap::Park,
            "discard" => Tap::Way(Way::Discard),
            "yes-discard" => Tap::Discard,
            "done" => Tap::Done,
            _ => panic!("no story has the word {word}"),
        }),
    }
}

fn page_name(visit: &Visit, place: &Place) -> String {
    match visit.page(now(), place) {
        Page::Waiting(page) => match page.trouble {
            Some(trouble) => format!("Waiting {} {}", page.prompt.name(), trouble.err.name()),
            None => format!("Waiting {}", page.prompt.name()),
        },
        Page::Witness(page) if page.title == Some(Id::CardPinTitle) => {
            let notice = page
                .notice
                .map_or(String::new(), |say| format!(" {} {:?}", say.id.name(), say.with));
            format!("CardPin {}{notice}", page.n_digits)
        }
        Page::Person(page) => format!("Person {}", page.headline.id.name()),
        Page::Judge(page) => format!("Judge {}", page.headline.name()),
        Page::Result(page) => format!("Result {} {:?}", page.headline.name(), page.delivery),
        Page::Choice(page) => format!("Choice {}", page.title.name()),
        Page::Document(page) => format!("Document {} {:?}", page.which.name(), page.step),
        Page::Finger(page) => format!("Finger {} {:?}", page.finger, page.step),
        page => format!("{page:?}").split(['(', ' ', '{']).next().unwrap_or_default().to_owned(),
    }
}

fn effect_name(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Speak(_) | Effect::SaveDraft(_) => return None,
        Effect::Seal(order) => seal_name(order),
        Effect::Print(_) => "Print".into(),
        Effect::Find(_) => "Find".into(),
        Effect::WatchFace { purpose, .. } => format!("WatchFace {purpose:?}"),
        Effect::ScanFinger { purpose, finger, .. } => format!("ScanFinger {finger} {purpose:?}"),
        Effect::TakeDocument(_, role) => format!("TakeDocument {role:?}"),
        effect => format!("{effect:?}"),
    })
}

fn seal_name(order: &SealOrder) -> String {
    let counted = order.successes.len();
    let (code, n) = (order.record.outcome.code(), order.record.evidence.len());
    let view = if order.later_view { " view-may-join" } else { "" };
    format!("Seal {code} evidence={n} pictures={} counted={counted}{view}", order.pictures.len())
}

#[track_caller]
fn check(story: &str, expected: Expect) {
    check_at(&place(), story, expected);
}

#[track_caller]
fn check_at(place: &Place, story: &str, expected: Expect) {
    let (mut visit, _) = Visit::start("op".into());
    let mut told = String::new();
    for word in story.split_whitespace() {
        let effects = visit.handle(happening(word, visit.case.sitting), now(), place);
        let effects: Vec<_> = effects.iter().filter_map(effect_name).collect();
        told += &format!("{word:<12} -> {}, [{}]\n", page_name(&visit, place), effects.join(", "));
    }
    expected.assert_eq(&told);
}

/// A pack in force says that locked social-security cards are asked for their PIN.
fn place_with_card_pins() -> Place {
    let mut pack =
        Pack::parse(include_str!("../../../policy/cn.nm.region.enterprise_pension.toml")).unwrap();
    assert!(!pack.limits.social_card_pin, "no pack asks unless it says so");
    pack.limits.social_card_pin = true;
    Place { packs: PackSet::from_packs([pack]), ..place() }
}

#[test]
fn a_locked_card_is_not_used_where_no_pack_asks_for_its_pin() {
    check(
        "locked-card 1 enter",
        expect![[r#"
        locked-card  -> Waiting lay-card err-social-card-locked, []
        1            -> Waiting lay-card err-social-card-locked, []
        enter        -> Waiting lay-card err-social-card-locked, []
    "#]],
    );
}

#[test]
fn the_holder_enters_the_pin_of_a_locked_card_and_the_card_s_last_try_is_theirs() {
    check_at(
        &place_with_card_pins(),
        "locked-card 1 1 1 1 1 enter erase 1 1 1 1 enter 1 card-pin-wrong-2 enter 1 1 1 1 1 1 \
         enter card-pin-wrong-1 locked-card card-drawn locked-card 1 1 1 1 1 1 enter card overdue",
        expect![[r#"
            locked-card  -> CardPin 0, []
            1            -> CardPin 1, []
            1            -> CardPin 2, []
            1            -> CardPin 3, []
            1            -> CardPin 4, []
            1            -> CardPin 5, []
            enter        -> CardPin 5, []
            erase        -> CardPin 4, []
            1            -> CardPin 5, []
            1            -> CardPin 6, []
            1            -> CardPin 6, []
            1            -> CardPin 6, []
            enter        -> Waiting reading-card, [ReadWithPin(Pin(…))]
            1            -> Waiting reading-card, []
            card-pin-wrong-2 -> CardPin 0 card-pin-wrong [Number(2)], []
            enter        -> CardPin 0 card-pin-wrong [Number(2)], []
            1            -> CardPin 1 card-pin-wrong [Number(2)], []
            1            -> CardPin 2 card-pin-wrong [Number(2)], []
            1            -> CardPin 3 card-pin-wrong [Number(2)], []
            1            -> CardPin 4 card-pin-wrong [Number(2)], []
            1            -> CardPin 5 card-pin-wrong [Number(2)], []
            1            -> CardPin 6 card-pin-wrong [Number(2)], []
            enter        -> Waiting reading-card, [ReadWithPin(Pin(…))]
            card-pin-wrong-1 -> Waiting lay-card err-social-card-pin-kept, []
            locked-card  -> CardPin 0, []
            card-drawn   -> Waiting lay-card, []
            locked-card  -> CardPin 0, []
            1            -> CardPin 1, []
            1            -> CardPin 2, []
            1            -> CardPin 3, []
            1            -> CardPin 4, []
            1            -> CardPin 5, []
            1            -> CardPin 6, []
            enter        -> Waiting reading-card, [ReadWithPin(Pin(…))]
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
        "#]],
    );
}

#[test]
fn a_pin_that_is_blocked_or_was_not_tried_leads_to_another_way() {
    check_at(
        &place_with_card_pins(),
        "locked-card 1 1 1 1 1 1 enter card-pin-blocked locked-card back locked-card 1 1 1 1 1 1 \
         enter card-pin-not-tried locked-card fake-card locked-card card",
        expect![[r#"
            locked-card  -> CardPin 0, []
            1            -> CardPin 1, []
            1            -> CardPin 2, []
            1            -> CardPin 3, []
            1            -> CardPin 4, []
            1            -> CardPin 5, []
            1            -> CardPin 6, []
            enter        -> Waiting reading-card, [ReadWithPin(Pin(…))]
            card-pin-blocked -> Waiting lay-card err-social-card-pin-blocked, []
            locked-card  -> CardPin 0, []
            back         -> Waiting lay-card, []
            locked-card  -> CardPin 0, []
            1            -> CardPin 1, []
            1            -> CardPin 2, []
            1            -> CardPin 3, []
            1            -> CardPin 4, []
            1            -> CardPin 5, []
            1            -> CardPin 6, []
            enter        -> Waiting reading-card, [ReadWithPin(Pin(…))]
            card-pin-not-tried -> Waiting lay-card err-social-card-pin-kept, []
            locked-card  -> CardPin 0, []
            fake-card    -> Waiting lay-card err-card-unverifiable, []
            locked-card  -> CardPin 0, []
            card         -> Waiting reading-card, [Find]
        "#]],
    );
}

#[test]
fn a_face_that_is_the_card_s_certifies_and_only_a_receipt_says_the_centre_has_it() {
    check(
        "card overdue by-face agree face-same sealed printed receipt-of-another receipt done",
        expect![[r#"
        card         -> Waiting reading-card, [Find]
        overdue      -> Person overdue-still-open, []
        by-face      -> Consent, []
        agree        -> Face, [WatchFace Verify]
        face-same    -> Saving, [StopSensors, Seal CERTIFIED evidence=1 pictures=2 counted=1 view-may-join]
        sealed       -> Result outcome-certified SavedHere, [Print, Send]
        printed      -> Result outcome-certified SavedHere, []
        receipt-of-another -> Result outcome-certified SavedHere, []
        receipt      -> Result outcome-certified CentreHasIt(41), []
        done         -> Result outcome-certified CentreHasIt(41), [Forget]
    "#]],
    );
}

#[test]
fn re_enrolment_takes_the_documents_builds_a_reference_and_certifies_with_fresh_frames() {
    check(
        "card overdue new-face agree shoot pictured cannot shoot pictured face-same face-same sealed",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            new-face     -> Consent, []
            agree        -> Document document-front (1, 3), [PreviewDocument]
            shoot        -> Document document-front (1, 3), [TakeDocument IdFront]
            pictured     -> Document document-back (2, 3), [PreviewDocument]
            cannot       -> Document document-in-hand (3, 3), [PreviewDocument]
            shoot        -> Document document-in-hand (3, 3), [TakeDocument IdInHand]
            pictured     -> Face, [WatchFace Enrol]
            face-same    -> Face, [WatchFace Verify]
            face-same    -> Saving, [StopSensors, Seal MODEL_BUILT_AND_CERTIFIED evidence=3 pictures=4 counted=1]
            sealed       -> Result outcome-model-built-and-certified SavedHere, [Print, Send]
        "#]],
    );
}

#[test]
fn what_the_camera_reads_off_the_card_is_held_against_the_chip() {
    check(
        "card overdue new-face agree shoot front-of-another shoot front-read shoot front-read",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            new-face     -> Consent, []
            agree        -> Document document-front (1, 3), [PreviewDocument]
            shoot        -> Document document-front (1, 3), [TakeDocument IdFront]
            front-of-another -> Document document-front (1, 3), []
            shoot        -> Document document-front (1, 3), [TakeDocument IdFront]
            front-read   -> Document document-back (2, 3), [PreviewDocument]
            shoot        -> Document document-back (2, 3), [TakeDocument IdBack]
            front-read   -> Document document-back (2, 3), []
        "#]],
    );
}

#[test]
fn a_card_in_the_hand_of_somebody_else_makes_no_reference_and_is_shown_again() {
    check(
        "card overdue new-face agree cannot cannot shoot pictured papers-differ again shoot pictured \
         shoot pictured papers-poor",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            new-face     -> Consent, []
            agree        -> Document document-front (1, 3), [PreviewDocument]
            cannot       -> Document document-back (2, 3), [PreviewDocument]
            cannot       -> Document document-in-hand (3, 3), [PreviewDocument]
            shoot        -> Document document-in-hand (3, 3), [TakeDocument IdInHand]
            pictured     -> Face, [WatchFace Enrol]
            papers-differ -> Judge judge-different, [StopSensors]
            again        -> Document document-front (1, 3), [PreviewDocument]
            shoot        -> Document document-front (1, 3), [TakeDocument IdFront]
            pictured     -> Document document-in-hand (3, 3), [PreviewDocument]
            shoot        -> Document document-in-hand (3, 3), [TakeDocument IdInHand]
            pictured     -> Face, [WatchFace Enrol]
            papers-poor  -> Face, [WatchFace Verify]
        "#]],
    );
    check(
        "card overdue new-face agree cannot cannot shoot pictured papers-fake",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            new-face     -> Consent, []
            agree        -> Document document-front (1, 3), [PreviewDocument]
            cannot       -> Document document-back (2, 3), [PreviewDocument]
            cannot       -> Document document-in-hand (3, 3), [PreviewDocument]
            shoot        -> Document document-in-hand (3, 3), [TakeDocument IdInHand]
            pictured     -> Face, [WatchFace Enrol]
            papers-fake  -> Face, [WatchFace Verify]
        "#]],
    );
}

#[test]
fn a_new_finger_is_taken_only_from_a_person_whose_face_was_proved() {
    check(
        "card overdue new-finger agree face-same finger-placed finger-placed finger-same sealed",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            new-finger   -> Consent, []
            agree        -> Face, [WatchFace Verify]
            face-same    -> Finger 1 Some((1, 3)), [ScanFinger 1 Enrol { placements: 3 }]
            finger-placed -> Finger 1 Some((2, 3)), []
            finger-placed -> Finger 1 Some((3, 3)), []
            finger-same  -> Saving, [StopSensors, Seal MODEL_BUILT_AND_CERTIFIED evidence=1 pictures=2 counted=1]
            sealed       -> Result outcome-model-built-and-certified SavedHere, [Print, Send]
        "#]],
    );
}

#[test]
fn a_finger_proof_that_must_be_reported_is_evidence() {
    check(
        "card overdue-with-finger by-finger agree finger-gone again finger-same sealed",
        expect![[r#"
        card         -> Waiting reading-card, [Find]
        overdue-with-finger -> Person overdue-still-open, []
        by-finger    -> Consent, []
        agree        -> Finger 2 None, [ScanFinger 2 Verify]
        finger-gone  -> Judge judge-unsure, [StopSensors]
        again        -> Finger 2 None, [ScanFinger 2 Verify]
        finger-same  -> Saving, [StopSensors, Seal EVIDENCE_ONLY evidence=2 pictures=2 counted=0]
        sealed       -> Result outcome-evidence-only SavedHere, [Print, Send]
    "#]],
    );
}

#[test]
fn when_the_machine_says_no_two_people_may_say_yes_but_nobody_alone() {
    check(
        "card overdue by-face agree face-different appeal aged pick-op pick-sv 1 1 1 1 enter pin-wrong 1 1 1 1 enter pin-right sealed",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            by-face      -> Consent, []
            agree        -> Face, [WatchFace Verify]
            face-different -> Judge judge-different, [StopSensors]
            appeal       -> Choice appeal-title, []
            aged         -> Witness, [StopSensors]
            pick-op      -> Witness, []
            pick-sv      -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            enter        -> Witness, [CheckPin { operator: "sv", pin: Pin(…) }]
            pin-wrong    -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            enter        -> Witness, [CheckPin { operator: "sv", pin: Pin(…) }]
            pin-right    -> Saving, [StopSensors, Seal APPEAL_FILED evidence=1 pictures=2 counted=0]
            sealed       -> Result outcome-appeal-filed SavedHere, [Print, Send]
        "#]],
    );
}

#[test]
fn whoever_decides_an_appeal_sees_a_face_that_nothing_was_on_file_for() {
    check(
        "card overdue new-face agree cannot cannot cannot face-of-nobody appeal aged pick-sv 1 1 1 1 enter pin-right",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            new-face     -> Consent, []
            agree        -> Document document-front (1, 3), [PreviewDocument]
            cannot       -> Document document-back (2, 3), [PreviewDocument]
            cannot       -> Document document-in-hand (3, 3), [PreviewDocument]
            cannot       -> Face, [WatchFace Enrol]
            face-of-nobody -> Judge judge-unsure, [StopSensors]
            appeal       -> Choice appeal-title, []
            aged         -> Witness, [StopSensors]
            pick-sv      -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            enter        -> Witness, [CheckPin { operator: "sv", pin: Pin(…) }]
            pin-right    -> Saving, [StopSensors, Seal APPEAL_FILED evidence=4 pictures=2 counted=0]
        "#]],
    );
}

#[test]
fn a_suspected_fake_stops_the_session_and_offers_no_appeal_and_no_second_try() {
    check(
        "card overdue by-face agree face-fake again appeal by-finger done sealed",
        expect![[r#"
        card         -> Waiting reading-card, [Find]
        overdue      -> Person overdue-still-open, []
        by-face      -> Consent, []
        agree        -> Face, [WatchFace Verify]
        face-fake    -> Judge judge-suspected-fake, [StopSensors]
        again        -> Judge judge-suspected-fake, []
        appeal       -> Judge judge-suspected-fake, []
        by-finger    -> Judge judge-suspected-fake, []
        done         -> Saving, [StopSensors, Seal STOPPED_SUSPECTED_FAKE evidence=1 pictures=2 counted=0]
        sealed       -> Result outcome-stopped-suspected-fake SavedHere, [Print, Send]
    "#]],
    );
}

#[test]
fn tries_end_and_ways_on_remain() {
    check(
        "card overdue by-face agree face-unsure again face-unsure again face-unsure again home sealed",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            by-face      -> Consent, []
            agree        -> Face, [WatchFace Verify]
            face-unsure  -> Judge judge-unsure, [StopSensors]
            again        -> Face, [WatchFace Verify]
            face-unsure  -> Judge judge-unsure, [StopSensors]
            again        -> Face, [WatchFace Verify]
            face-unsure  -> Judge judge-unsure, [StopSensors]
            again        -> Judge judge-unsure, []
            home         -> Saving, [StopSensors, Seal VISIT_REQUESTED evidence=3 pictures=2 counted=0]
            sealed       -> Result outcome-visit-requested SavedHere, [Print, Send]
        "#]],
    );
}

/// The ways on after a failure, in the order of the screen.
fn ways_on(ladder: &str) -> Vec<Id> {
    let pack = include_str!("../../../policy/cn.sx.province.enterprise_pension.toml");
    let changed = pack.replacen(
        "\"retry_guided\", \"remodel\", \"fingerprint\", \"appeal\", \"special\"",
        ladder,
        1,
    );
    let place = place_with(&changed);
    let (mut visit, _) = Visit::start("op".into());
    for word in ["card", "overdue-with-finger", "by-face", "agree", "face-unsure"] {
        visit.handle(happening(word, visit.case.sitting), now(), &place);
    }
    let Page::Judge(page) = visit.page(now(), &place) else { panic!("the machine is unsure") };
    page.buttons.iter().map(|button| button.label).collect()
}

#[test]
fn after_a_failure_the_ladder_of_the_pack_says_what_comes_first() {
    use Id::{TapAppeal, TapBack, TapCertifyFinger, TapHomeVisit, TapTryAgain};
    assert_eq!(
        ways_on("\"fingerprint\", \"appeal\", \"home_visit\""),
        [TapTryAgain, TapCertifyFinger, TapAppeal, TapHomeVisit, TapBack]
    );
    assert_eq!(
        ways_on("\"home_visit\", \"appeal\""),
        [TapTryAgain, TapHomeVisit, TapAppeal, TapCertifyFinger, TapBack]
    );
}

#[test]
fn going_back_gives_no_new_tries_and_no_way_round_a_suspicion() {
    check(
        "card overdue by-face agree face-different back by-face agree face-different back by-face agree face-different back by-face appeal",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            by-face      -> Consent, []
            agree        -> Face, [WatchFace Verify]
            face-different -> Judge judge-different, [StopSensors]
            back         -> Person overdue-still-open, []
            by-face      -> Consent, []
            agree        -> Face, [WatchFace Verify]
            face-different -> Judge judge-different, [StopSensors]
            back         -> Person overdue-still-open, []
            by-face      -> Consent, []
            agree        -> Face, [WatchFace Verify]
            face-different -> Judge judge-different, [StopSensors]
            back         -> Person overdue-still-open, []
            by-face      -> Person overdue-still-open, []
            appeal       -> Choice appeal-title, []
        "#]],
    );
    check(
        "card overdue by-face agree face-fake back home done",
        expect![[r#"
        card         -> Waiting reading-card, [Find]
        overdue      -> Person overdue-still-open, []
        by-face      -> Consent, []
        agree        -> Face, [WatchFace Verify]
        face-fake    -> Judge judge-suspected-fake, [StopSensors]
        back         -> Judge judge-suspected-fake, []
        home         -> Judge judge-suspected-fake, []
        done         -> Saving, [StopSensors, Seal STOPPED_SUSPECTED_FAKE evidence=1 pictures=2 counted=0]
    "#]],
    );
}

#[test]
fn what_was_seen_of_one_person_is_never_taken_for_another() {
    let place = place();
    let (mut visit, _) = Visit::start("op".into());
    for word in ["card", "overdue", "by-face", "agree"] {
        visit.handle(happening(word, visit.case.sitting), now(), &place);
    }
    let of_somebody_else = Sitting { visit: [5; 16], number: 1 };
    let of_the_try_before = Sitting { number: 0, ..visit.case.sitting };
    for stale in [of_somebody_else, of_the_try_before] {
        assert_eq!(visit.handle(happening("face-same", stale), now(), &place), []);
        assert_eq!(page_name(&visit, &place), "Face");
    }
}

#[test]
fn nothing_due_is_said_and_recorded() {
    check(
        "card certified-today by-face done sealed",
        expect![[r#"
        card         -> Waiting reading-card, [Find]
        certified-today -> Person nothing-due-until, []
        by-face      -> Person nothing-due-until, []
        done         -> Saving, [StopSensors, Seal ALREADY_DONE evidence=0 pictures=0 counted=0]
        sealed       -> Result outcome-already-done SavedHere, [Print, Send]
    "#]],
    );
}

#[test]
fn somebody_who_is_not_on_the_roster_is_recorded_and_told_what_to_do() {
    check(
        "card unknown new-face done sealed",
        expect![[r#"
        card         -> Waiting reading-card, [Find]
        unknown      -> Person not-on-roster, []
        new-face     -> Person not-on-roster, []
        done         -> Saving, [StopSensors, Seal DATA_FIX_NEEDED evidence=0 pictures=0 counted=0]
        sealed       -> Result outcome-data-fix-needed SavedHere, [Print, Send]
    "#]],
    );
}

#[test]
fn whoever_is_on_the_list_of_another_site_can_leave_evidence_here() {
    check(
        "card unknown by-face agree face-same sealed",
        expect![[r#"
        card         -> Waiting reading-card, [Find]
        unknown      -> Person not-on-roster, []
        by-face      -> Consent, []
        agree        -> Face, [WatchFace Verify]
        face-same    -> Saving, [StopSensors, Seal EVIDENCE_ONLY evidence=1 pictures=2 counted=0]
        sealed       -> Result outcome-evidence-only SavedHere, [Print, Send]
    "#]],
    );
    let pack = NEI_MENGGU.replace("accepts_other_sites = true", "accepts_other_sites = false");
    let place = place_with(&pack);
    let (mut visit, _) = Visit::start("op".into());
    for word in ["card", "unknown", "by-face"] {
        visit.handle(happening(word, visit.case.sitting), now(), &place);
    }
    assert_eq!(page_name(&visit, &place), "Person not-on-roster", "the rules have to say so");
}

#[test]
fn after_the_last_try_of_the_face_a_new_reference_is_offered_with_tries_of_its_own() {
    check(
        "card overdue by-face agree face-different again face-different again face-different again new-face agree",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            by-face      -> Consent, []
            agree        -> Face, [WatchFace Verify]
            face-different -> Judge judge-different, [StopSensors]
            again        -> Face, [WatchFace Verify]
            face-different -> Judge judge-different, [StopSensors]
            again        -> Face, [WatchFace Verify]
            face-different -> Judge judge-different, [StopSensors]
            again        -> Judge judge-different, []
            new-face     -> Consent, []
            agree        -> Document document-front (1, 3), [PreviewDocument]
        "#]],
    );
    let place = place_with(&NEI_MENGGU.replace("max_uploads = 3", "max_uploads = 1"));
    let (mut visit, _) = Visit::start("op".into());
    for word in
        ["card", "overdue", "new-face", "agree", "cannot", "cannot", "cannot", "face-unsure"]
    {
        visit.handle(happening(word, visit.case.sitting), now(), &place);
    }
    let Page::Judge(page) = visit.page(now(), &place) else { panic!("the machine is unsure") };
    let labels: Vec<Id> = page.buttons.iter().map(|button| button.label).collect();
    assert!(labels.contains(&Id::TapSendForReview), "the pack allows one picture: {labels:?}");
}

#[test]
fn an_edition_that_has_not_begun_says_nothing_yet() {
    let next = NEI_MENGGU
        .replace("version = 3", "version = 4")
        .replace("valid_from = \"2019-08-01\"", "valid_from = \"2027-01-01\"")
        .replace("max_uploads = 3", "max_uploads = 1")
        .replace("tries = 3", "tries = 1")
        .replace("app_text = \"", "app_text = \"明年的");
    let editions = [NEI_MENGGU, &next].map(|text| Pack::parse(text).unwrap());
    let place = Place { packs: PackSet::from_packs(editions), ..place() };
    let (mut visit, _) = Visit::start("op".into());
    for word in ["card", "overdue"] {
        visit.handle(happening(word, visit.case.sitting), now(), &place);
    }
    let tries = [visit.case.tries_left_of(Modality::Face), visit.case.uploads_left()];
    assert_eq!(tries, [3, 3]);
    for word in ["ways", "message"] {
        visit.handle(happening(word, visit.case.sitting), now(), &place);
    }
    let Page::Choice(page) = visit.page(now(), &place) else { panic!("messages are a list") };
    let texts = format!("{:?}", page.options);
    assert!(!page.options.is_empty() && !texts.contains("明年的"), "{texts}");
}

#[test]
fn the_packs_say_who_may_appeal_and_when_a_second_person_is_called() {
    let after = |pack: &str, words: &str| {
        let place = place_with(pack);
        let (mut visit, _) = Visit::start("op".into());
        for word in words.split(' ') {
            visit.handle(happening(word, visit.case.sitting), now(), &place);
        }
        page_name(&visit, &place).split(' ').next().unwrap_or_default().to_owned()
    };
    let appeal = "card overdue ways proxy unit-clerk appeal";
    assert_eq!(after(NEI_MENGGU, appeal), "Person");
    let unit = NEI_MENGGU.replace("who = [\"operator+supervisor\"]", "who = [\"unit_clerk\"]");
    assert_eq!(after(&unit, appeal), "Choice");
    assert_eq!(after(&unit, "card overdue by-face agree face-different appeal"), "Judge");
    let home = "card overdue ways at-home agree shoot pictured face-same";
    assert_eq!(after(NEI_MENGGU, home), "Witness");
    let (before, visit_rule) = NEI_MENGGU.split_once("id = \"home_visit\"").unwrap();
    let alone = visit_rule.replacen("two_person = true", "two_person = false", 1);
    assert_eq!(after(&format!("{before}id = \"home_visit\"{alone}"), home), "Saving");
}

#[test]
fn who_declines_the_face_is_offered_other_ways_and_no_picture_leaves() {
    check(
        "card overdue by-face decline by-face new-face ways home sealed",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            by-face      -> Consent, []
            decline      -> Person overdue-still-open, []
            by-face      -> Person overdue-still-open, []
            new-face     -> Person overdue-still-open, []
            ways         -> Choice ways-title, []
            home         -> Saving, [StopSensors, Seal VISIT_REQUESTED evidence=0 pictures=0 counted=0]
            sealed       -> Result outcome-visit-requested SavedHere, [Print, Send]
        "#]],
    );
}

#[test]
fn a_full_disk_keeps_the_visit_and_sealing_is_tried_again() {
    check(
        "card overdue by-face agree face-same disk-full done again sealed",
        expect![[r#"
        card         -> Waiting reading-card, [Find]
        overdue      -> Person overdue-still-open, []
        by-face      -> Consent, []
        agree        -> Face, [WatchFace Verify]
        face-same    -> Saving, [StopSensors, Seal CERTIFIED evidence=1 pictures=2 counted=1 view-may-join]
        disk-full    -> Judge err-store-full, []
        done         -> Judge err-store-full, []
        again        -> Saving, [StopSensors, Seal CERTIFIED evidence=1 pictures=2 counted=1 view-may-join]
        sealed       -> Result outcome-certified SavedHere, [Print, Send]
    "#]],
    );
}

#[test]
fn a_dead_camera_leaves_the_other_ways() {
    check(
        "fake-card card overdue by-face agree no-camera cannot back ways not-here refused sealed",
        expect![[r#"
            fake-card    -> Waiting lay-card err-card-unverifiable, []
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            by-face      -> Consent, []
            agree        -> Face, [WatchFace Verify]
            no-camera    -> Judge judge-unsure, [StopSensors]
            cannot       -> Judge judge-unsure, []
            back         -> Person overdue-still-open, []
            ways         -> Choice ways-title, []
            not-here     -> Choice not-here-title, []
            refused      -> Saving, [StopSensors, Seal NOT_PRESENT evidence=1 pictures=1 counted=0]
            sealed       -> Result outcome-not-present SavedHere, [Print, Send]
        "#]],
    );
}

#[test]
fn at_home_two_people_certify_with_the_door_and_the_face() {
    check(
        "card overdue-with-finger ways at-home agree shoot pictured face-same pick-op pick-op2 1 1 1 1 enter pin-right-op2 sealed",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue-with-finger -> Person overdue-still-open, []
            ways         -> Choice ways-title, []
            at-home      -> Consent, []
            agree        -> Document document-door (1, 1), [PreviewDocument]
            shoot        -> Document document-door (1, 1), [TakeDocument Door]
            pictured     -> Face, [WatchFace Verify]
            face-same    -> Witness, [StopSensors]
            pick-op      -> Witness, []
            pick-op2     -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            enter        -> Witness, [CheckPin { operator: "op2", pin: Pin(…) }]
            pin-right-op2 -> Saving, [StopSensors, Seal CERTIFIED evidence=2 pictures=3 counted=1]
            sealed       -> Result outcome-certified SavedHere, [Print, Send]
        "#]],
    );
}

#[test]
fn at_home_two_people_may_stand_for_a_face_that_cannot_be_taken_but_not_for_another_one() {
    check(
        "card overdue-with-finger ways at-home agree cannot cannot witness pick-op2 1 1 1 1 enter pin-right-op2 sealed",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue-with-finger -> Person overdue-still-open, []
            ways         -> Choice ways-title, []
            at-home      -> Consent, []
            agree        -> Document document-door (1, 1), [PreviewDocument]
            cannot       -> Face, [WatchFace Verify]
            cannot       -> Judge judge-unsure, [StopSensors]
            witness      -> Witness, [StopSensors]
            pick-op2     -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            enter        -> Witness, [CheckPin { operator: "op2", pin: Pin(…) }]
            pin-right-op2 -> Saving, [StopSensors, Seal CERTIFIED evidence=3 pictures=1 counted=1]
            sealed       -> Result outcome-certified SavedHere, [Print, Send]
        "#]],
    );
    check(
        "card overdue-with-finger ways at-home agree cannot face-different witness",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue-with-finger -> Person overdue-still-open, []
            ways         -> Choice ways-title, []
            at-home      -> Consent, []
            agree        -> Document document-door (1, 1), [PreviewDocument]
            cannot       -> Face, [WatchFace Verify]
            face-different -> Judge judge-different, [StopSensors]
            witness      -> Judge judge-different, []
        "#]],
    );
}

#[test]
fn a_visit_in_vain_names_the_reason_and_the_next_day() {
    check(
        "card overdue ways in-vain nobody next-week sealed",
        expect![[r#"
        card         -> Waiting reading-card, [Find]
        overdue      -> Person overdue-still-open, []
        ways         -> Choice ways-title, []
        in-vain      -> Choice visit-failed-title, []
        nobody       -> Choice visit-again-title, []
        next-week    -> Saving, [StopSensors, Seal NOT_PRESENT evidence=0 pictures=0 counted=0]
        sealed       -> Result outcome-not-present SavedHere, [Print, Send]
    "#]],
    );
}

#[test]
fn who_cannot_act_is_certified_when_a_second_person_confirms() {
    check(
        "card overdue ways exempt deaf by-face agree face-fake pick-op2 1 1 1 1 enter pin-right-op2 sealed",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            ways         -> Choice ways-title, []
            exempt       -> Choice exempt-title, []
            deaf         -> Person overdue-still-open, []
            by-face      -> Consent, []
            agree        -> Face, [WatchFace Verify]
            face-fake    -> Witness, [StopSensors]
            pick-op2     -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            enter        -> Witness, [CheckPin { operator: "op2", pin: Pin(…) }]
            pin-right-op2 -> Saving, [StopSensors, Seal CERTIFIED evidence=2 pictures=2 counted=1]
            sealed       -> Result outcome-certified SavedHere, [Print, Send]
        "#]],
    );
}

#[test]
fn somebody_who_acts_for_a_person_can_report_and_ask_but_not_certify() {
    check(
        "card overdue ways proxy child by-face ways not-here deceased sealed",
        expect![[r#"
        card         -> Waiting reading-card, [Find]
        overdue      -> Person overdue-still-open, []
        ways         -> Choice ways-title, []
        proxy        -> Choice proxy-title, []
        child        -> Person overdue-still-open, []
        by-face      -> Person overdue-still-open, []
        ways         -> Choice ways-title, []
        not-here     -> Choice not-here-title, []
        deceased     -> Saving, [StopSensors, Seal NOT_PRESENT evidence=1 pictures=0 counted=0]
        sealed       -> Result outcome-not-present SavedHere, [Print, Send]
    "#]],
    );
    check(
        "card overdue ways proxy unit-clerk appeal",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            ways         -> Choice ways-title, []
            proxy        -> Choice proxy-title, []
            unit-clerk   -> Person overdue-still-open, []
            appeal       -> Person overdue-still-open, []
        "#]],
    );
}

#[test]
fn a_special_certification_is_asked_for_with_a_supervisor() {
    check(
        "card overdue ways special no-method pick-op2 pick-sv 1 1 1 1 enter pin-right sealed",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            ways         -> Choice ways-title, []
            special      -> Choice special-title, []
            no-method    -> Witness, [StopSensors]
            pick-op2     -> Witness, []
            pick-sv      -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            1            -> Witness, []
            enter        -> Witness, [CheckPin { operator: "sv", pin: Pin(…) }]
            pin-right    -> Saving, [StopSensors, Seal SPECIAL_REQUESTED evidence=1 pictures=0 counted=0]
            sealed       -> Result outcome-special-requested SavedHere, [Print, Send]
        "#]],
    );
}

#[test]
fn pictures_that_make_no_reference_go_to_a_person_after_the_last_try() {
    check(
        "card overdue new-face agree cannot cannot cannot face-unsure review again face-unsure again face-unsure review sealed",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            overdue      -> Person overdue-still-open, []
            new-face     -> Consent, []
            agree        -> Document document-front (1, 3), [PreviewDocument]
            cannot       -> Document document-back (2, 3), [PreviewDocument]
            cannot       -> Document document-in-hand (3, 3), [PreviewDocument]
            cannot       -> Face, [WatchFace Enrol]
            face-unsure  -> Judge judge-unsure, [StopSensors]
            review       -> Judge judge-unsure, []
            again        -> Face, [WatchFace Enrol]
            face-unsure  -> Judge judge-unsure, [StopSensors]
            again        -> Face, [WatchFace Enrol]
            face-unsure  -> Judge judge-unsure, [StopSensors]
            review       -> Saving, [StopSensors, Seal UNDER_REVIEW evidence=6 pictures=2 counted=0]
            sealed       -> Result outcome-under-review SavedHere, [Print, Send]
        "#]],
    );
}

#[test]
fn what_the_phone_said_is_explained_and_settled() {
    check(
        "card certified-today ways message first-message settle sealed",
        expect![[r#"
        card         -> Waiting reading-card, [Find]
        certified-today -> Person nothing-due-until, []
        ways         -> Choice ways-title, []
        message      -> Choice message-title, []
        first-message -> Choice decoded-title, []
        settle       -> Saving, [StopSensors, Seal REFERRED evidence=0 pictures=0 counted=0]
        sealed       -> Result outcome-referred SavedHere, [Print, Send]
    "#]],
    );
}

#[test]
fn today_s_record_is_corrected_by_one_that_supersedes_it() {
    check(
        "card certified-here-today ways correct wrong-choice by-face agree face-same sealed",
        expect![[r#"
            card         -> Waiting reading-card, [Find]
            certified-here-today -> Person nothing-due-until, []
            ways         -> Choice ways-title, []
            correct      -> Choice correct-title, []
            wrong-choice -> Person overdue-still-open, []
            by-face      -> Consent, []
            agree        -> Face, [WatchFace Verify]
            face-same    -> Saving, [StopSensors, Seal CERTIFIED evidence=2 pictures=2 counted=1]
            sealed       -> Result outcome-certified SavedHere, [Print, Send]
        "#]],
    );
}

/// A view that nobody asked for is kept from a plain certification only.
#[test]
fn only_a_plain_certification_by_the_face_keeps_a_view() {
    let keeps = |story: &str, now: Moment| {
        let (mut visit, _) = Visit::start("op".into());
        let mut sealed = None;
        for word in story.split_whitespace() {
            for effect in visit.handle(happening(word, visit.case.sitting), now, &place()) {
                if let Effect::Seal(order) = effect {
                    sealed = Some((order.record.outcome.code(), order.later_view));
                }
            }
        }
        sealed.unwrap_or_else(|| panic!("nothing was sealed in {story}"))
    };
    let plain = "card overdue by-face agree face-same";
    assert_eq!(keeps(plain, now()), ("CERTIFIED", true));
    let doubtful = Moment { doubt: crate::moment::Doubt::Doubtful, ..now() };
    assert!(!keeps(plain, doubtful).1, "the day is not known");
    for story in [
        "card overdue by-face decline by-face new-face ways home",
        "card overdue by-face agree face-unsure again face-same",
        "card overdue by-face agree face-different again face-same",
        "card overdue by-face agree face-fake done",
        "card overdue by-face agree face-different appeal aged pick-op pick-sv 1 1 1 1 enter pin-right",
        "card overdue ways exempt deaf by-face agree face-same",
        "card overdue ways exempt deaf by-face agree face-fake pick-op2 1 1 1 1 enter pin-right-op2",
        "card overdue ways special no-method pick-op2 pick-sv 1 1 1 1 enter pin-right",
        "card overdue-with-finger ways at-home agree shoot pictured face-same pick-op pick-op2 1 1 1 1 enter pin-right-op2",
        "card overdue-with-finger by-finger agree finger-same",
        "card overdue new-face agree shoot pictured cannot shoot pictured face-same face-same",
        "card certified-here-today ways correct wrong-choice by-face agree face-same",
    ] {
        let (outcome, keeps) = keeps(story, now());
        assert!(!keeps, "{outcome} by {story}");
    }
}

#[test]
fn a_visit_is_kept_at_each_step_and_taken_up_by_a_colleague() {
    let place = place();
    let (mut visit, _) = Visit::start("op".into());
    let mut kept = Vec::new();
    for word in [
        "card",
        "overdue",
        "new-face",
        "agree",
        "shoot",
        "pictured",
        "cannot",
        "cannot",
        "face-unsure",
    ] {
        for effect in visit.handle(happening(word, visit.case.sitting), now(), &place) {
            if let Effect::SaveDraft(draft) = effect {
                kept.push((word, *draft));
            }
        }
    }
    let words: Vec<&str> = kept.iter().map(|(word, _)| *word).collect();
    assert_eq!(words, ["overdue", "agree", "pictured", "cannot", "cannot", "face-unsure"]);
    let draft = kept.pop().unwrap().1;
    let (mut visit, effects) = Visit::resume("op2".into(), draft.clone()).unwrap();
    assert_eq!(effects[0], Effect::Restore([6; 16]));
    visit.handle(happening("overdue", Sitting::default()), now(), &place);
    assert_eq!(visit.case.uploads_left(), 2, "tries are not given anew");
    // The documents are not asked for again, and the consent and the colleague are in the record.
    let effects = ["new-face", "agree"]
        .map(|word| visit.handle(happening(word, visit.case.sitting), now(), &place));
    assert!(matches!(effects[1][0], Effect::WatchFace { purpose: FacePurpose::Enrol, .. }));
    for word in ["face-same", "face-same"] {
        for effect in visit.handle(happening(word, visit.case.sitting), now(), &place) {
            if let Effect::Seal(order) = effect {
                assert_eq!(order.record.operators, ["op", "op2"]);
                assert!(order.pictures.contains(&Picture::IdFront));
                return;
            }
        }
    }
    panic!("the visit did not end");
}

#[test]
fn a_visit_is_parked_or_undone_without_a_record() {
    for (story, end, last) in [
        (["card", "overdue", "ways", "park", "yes-park"], VisitEnd::Parked, Effect::Forget),
        (["card", "overdue", "ways", "discard", "yes-discard"], VisitEnd::Nothing, Effect::Forget),
    ] {
        let place = place();
        let (mut visit, _) = Visit::start("op".into());
        let mut effects = Vec::new();
        for word in story {
            effects = visit.handle(happening(word, visit.case.sitting), now(), &place);
        }
        assert_eq!(visit.end(), Some(end));
        assert_eq!(effects.last(), Some(&last));
        let discards = effects.iter().any(|e| matches!(e, Effect::Discard { .. }));
        assert_eq!(discards, end == VisitEnd::Nothing);
    }
}

#[test]
fn every_outcome_has_words() {
    for code in [
        Outcome::Certified,
        Outcome::ModelBuilt,
        Outcome::ModelBuiltAndCertified,
        Outcome::EvidenceOnly,
        Outcome::UnderReview(Date::constant(2026, 1, 1)),
        Outcome::AppealFiled,
        Outcome::DataFixNeeded(String::new()),
        Outcome::NotRequired(String::new()),
        Outcome::AlreadyDone { on: Date::constant(2026, 1, 1), method: String::new() },
        Outcome::Referred(String::new()),
        Outcome::VisitRequested,
        Outcome::SpecialRequested,
        Outcome::NotPresent(String::new()),
        Outcome::StoppedSuspectedFake,
        Outcome::DeviceProblem(String::new()),
    ] {
        code.message();
    }
}

const WORDS: &[&str] = &[
    "card",
    "fake-card",
    "locked-card",
    "card-drawn",
    "card-pin-wrong-2",
    "card-pin-blocked",
    "overdue",
    "overdue-with-finger",
    "certified-today",
    "unknown",
    "face-same",
    "face-unsure",
    "face-different",
    "face-fake",
    "front-read",
    "front-of-another",
    "papers-differ",
    "papers-poor",
    "papers-fake",
    "no-camera",
    "finger-same",
    "finger-placed",
    "finger-gone",
    "pictured",
    "sealed",
    "disk-full",
    "receipt",
    "receipt-of-another",
    "printed",
    "pin-right",
    "pin-wrong",
    "by-face",
    "by-finger",
    "new-face",
    "new-finger",
    "agree",
    "decline",
    "shoot",
    "cannot",
    "again",
    "appeal",
    "aged",
    "pick-op",
    "pick-sv",
    "1",
    "enter",
    "back",
    "home",
    "ways",
    "not-here",
    "refused",
    "proxy",
    "child",
    "unit-clerk",
    "special",
    "no-method",
    "exempt",
    "deaf",
    "at-home",
    "in-vain",
    "nobody",
    "next-week",
    "paper",
    "message",
    "first-message",
    "settle",
    "review",
    "witness",
    "pick-op2",
    "pin-right-op2",
    "correct",
    "wrong-choice",
    "park",
    "discard",
    "certified-here-today",
    "done",
    "agree",
    "face-same",
    "sealed",
];

fn buttons(page: &Page) -> Option<Vec<Button>> {
    Some(match page {
        Page::SignIn(page) | Page::Witness(page) => page.buttons.clone(),
        Page::Waiting(page) if page.prompt == Id::ReadingCard => return None,
        Page::Waiting(page) => page.buttons.clone(),
        Page::Person(page) => page.buttons.clone(),
        Page::Consent(page) => page.buttons.clone(),
        Page::Face(page) => page.buttons.clone(),
        Page::Finger(page) => page.buttons.clone(),
        Page::Document(page) => page.buttons.clone(),
        Page::Judge(page) => page.buttons.clone(),
        Page::Choice(page) => page.buttons.clone(),
        Page::Result(page) => page.buttons.clone(),
        Page::Outbox(page) => page.buttons.clone(),
        Page::People(page) => page.buttons.clone(),
        Page::Devices(page) => page.buttons.clone(),
        Page::Saving => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: nobody is sent away, nothing is said to be with the centre that is not,
    /// and the machine's own yes is the only thing that certifies.
    #[test]
    fn no_order_of_events_leads_to_a_dead_end(words in prop::collection::vec(0..WORDS.len(), 1..60)) {
        let place = place_with_card_pins();
        let (mut visit, _) = Visit::start("op".into());
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        let mut is_saved = false;
        for word in words.into_iter().map(|i| WORDS[i]) {
            let effects = visit.handle(happening(word, visit.case.sitting), now(), &place);
            *seen.entry(word).or_default() += 1;
            is_saved |= word == "sealed";
            for effect in &effects {
                if let Effect::Seal(order) = effect {
                    let certified = order.record.outcome.certifies();
                    let by_two = order.record.operators.len() == 2 && order.record.evidence.iter().any(|e| e.reference == "home-visit");
                    prop_assert!(!certified || seen.contains_key("face-same") || seen.contains_key("finger-same") || by_two);
                    prop_assert!(order.record.appeal.is_some() == (order.record.outcome == Outcome::AppealFiled));
                    prop_assert!(order.record.appeal.is_none() || order.record.operators == ["op", "sv"]);
                    let agreed = order.record.consent.as_ref().is_some_and(|c| c.choice == "agreed");
                    prop_assert!(agreed || order.pictures.is_empty());
                }
            }
            let page = visit.page(now(), &place);
            if let Page::Result(page) = &page {
                prop_assert!(is_saved);
                let known = seen.contains_key("receipt");
                prop_assert!(known || page.delivery == Delivery::SavedHere);
            }
            if let Some(buttons) = buttons(&page) {
                prop_assert!(buttons.iter().any(|b| b.enabled), "no way on from {page:?}");
                prop_assert!(buttons.iter().filter(|b| b.primary).count() <= 1);
            }
        }
    }
}

fn without(network: Id, err: Id) -> Place {
    Place { troubles: vec![Trouble { what: network, err }], ..place() }
}

/// The buttons that may be pressed after a story.
fn open_buttons(story: &str, place: &Place) -> Vec<Tap> {
    let (mut visit, _) = Visit::start("op".into());
    for word in story.split_whitespace() {
        visit.handle(happening(word, visit.case.sitting), now(), place);
    }
    let buttons = match visit.page(now(), place) {
        Page::Person(page) => page.buttons,
        Page::Judge(page) => page.buttons,
        page => panic!("no story asks for the buttons of {page:?}"),
    };
    buttons.into_iter().filter(|button| button.enabled).map(|button| button.tap).collect()
}

#[test]
fn what_a_missing_network_cannot_do_is_not_offered_and_what_can_be_done_comes_first() {
    let no_face = without(Id::DeviceModels, Id::ErrFaceModelMissing);
    let open = open_buttons("card overdue-with-finger", &no_face);
    assert_eq!(open[0], Tap::CertifyFinger);
    assert!(!open.contains(&Tap::CertifyFace) && !open.contains(&Tap::ReEnrolFace), "{open:?}");
    let no_finger = without(Id::DeviceFingerModel, Id::ErrFingerModelMissing);
    let open = open_buttons("card overdue-with-finger", &no_finger);
    assert_eq!(open[0], Tap::CertifyFace);
    assert!(!open.contains(&Tap::CertifyFinger) && !open.contains(&Tap::ReEnrolFinger), "{open:?}");
}

#[test]
fn a_network_that_is_gone_is_not_tried_again_and_there_is_another_way() {
    let no_face = without(Id::DeviceModels, Id::ErrFaceModelMissing);
    let (mut visit, _) = Visit::start("op".into());
    for word in ["card", "overdue-with-finger", "by-face", "agree"] {
        visit.handle(happening(word, visit.case.sitting), now(), &place());
    }
    visit.handle(happening("no-camera", visit.case.sitting), now(), &no_face);
    let Page::Judge(page) = visit.page(now(), &no_face) else { panic!("judging") };
    let taps: Vec<Tap> = page.buttons.into_iter().map(|button| button.tap).collect();
    assert!(!taps.contains(&Tap::TryAgain) && taps.contains(&Tap::CertifyFinger), "{taps:?}");
    visit.handle(Event::Tapped(Tap::TryAgain), now(), &no_face);
    assert!(matches!(visit.page(now(), &no_face), Page::Judge(_)));
}

#[test]
fn the_screen_says_why_without_the_numbers_of_rules() {
    let told = pages::without_citations;
    assert_eq!(told("每年一次（R24）；已过期（R26、C24）。"), "每年一次；已过期。");
    assert_eq!(told("一次（含补认证）（R1）（R"), "一次（含补认证）（R");
    assert_eq!(
        told("未到年龄（R8）；自60周岁起（暂定，待经办机构确认）。"),
        "未到年龄；自60周岁起。"
    );
}

#[test]
fn a_slip_is_printed_again_from_the_list_of_records() {
    let mut terminal = crate::terminal::Terminal::new(place());
    let line = crate::view::OutboxLine {
        seq: 41,
        outcome: Id::OutcomeCertified,
        day: now().date(),
        delivery: Delivery::SavedHere,
    };
    let mut hear = |event| terminal.handle(event, now());
    hear(Event::Tapped(Tap::PickOperator("op".into())));
    hear(Event::PinChecked("op".into(), PinCheck::Right));
    hear(Event::Tapped(Tap::ShowOutbox));
    hear(Event::Outbox(vec![line]));
    assert_eq!(hear(Event::Tapped(Tap::PrintSlip(40))), [], "no such record on the page");
    assert_eq!(hear(Event::Tapped(Tap::PrintSlip(41))), [Effect::PrintKept(41)]);
    let no_paper = SlipState::NotPrinted(Id::ErrPrinterPaper);
    hear(Event::Slip(no_paper));
    let Page::Outbox(page) = terminal.view().page else { panic!("the list stays open") };
    assert_eq!(page.slip, Some(no_paper));
}
