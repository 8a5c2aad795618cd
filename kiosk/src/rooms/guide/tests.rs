//! What the counter does on each page, as a table; and that every spoken text can be recorded.

use drivers::panel::Glow;
use expect_test::expect;
use kiosk_core::message::Say;
use kiosk_core::view::{
    Consent, Delivery, Ending, Face, Finger, Header, Person, SignIn, Trouble, Waiting,
};

use super::*;

#[test]
fn lamps_light_sound_and_display_follow_the_screen() {
    let mut before = None;
    let mut table = String::new();
    for (name, view) in visit() {
        let lit: Vec<String> = lamps(&view)
            .into_iter()
            .filter(|(_, glow)| *glow != Glow::Off)
            .map(|(lamp, glow)| format!("{lamp:?} {glow:?}"))
            .collect();
        let light = if wants_light(&view) { ", lit" } else { "" };
        let sound = beep(before.as_ref(), &view).map(|beep| format!(", beep {beep:?}"));
        let Scene { prompt, picture } = scene(&view, Some(RECORD));
        let shown = prompt.map_or("dark".into(), |prompt| format!("{prompt:?}"));
        let picture = picture.map_or(String::new(), |picture| format!(" {picture:?}"));
        let sound = sound.unwrap_or_default();
        table += &format!("{name}: {}{light}{sound}; {shown}{picture}\n", lit.join(", "));
        before = Some(view);
    }
    expect![[r#"
        sign-in: Ready On; dark
        waiting: Card Blink, Ready On; Prompt("请把身份证放在读卡器上")
        person: Ready On, beep Short; dark
        consent: Ready On; dark
        face: Ready On, lit; Prompt("请靠近一点") Progress(40)
        finger: Finger Blink, Ready On; Prompt("请把手指平放在指纹窗口上") Progress(5)
        printing: Ready On, beep Double; Prompt("认证成功") Qr(Qr(…))
        printed: Slip Blink, Ready On; Prompt("认证成功") Qr(Qr(…))
        stopped: Slip Blink, Trouble On; Prompt("本次办理已停止") Qr(Qr(…))
    "#]]
    .assert_eq(&table);
}

#[test]
fn every_spoken_text_can_be_recorded() {
    let texts = include_str!("../../../../ui/locales/zh-CN.toml");
    let texts: toml::Table = texts.parse().expect("the catalogue is TOML");
    let mut n_spoken = 0;
    for id in spoken() {
        let text = texts[id.name()].as_str().expect("a message is text");
        assert!(!text.contains('{'), "{} has a blank and no recording", id.name());
        n_spoken += 1;
    }
    assert!(n_spoken > 40, "only {n_spoken} texts are spoken");
}

#[test]
fn all_that_is_spoken_is_recorded_for_the_image_and_nothing_else() {
    let listed = include_str!("../../../../image-build/prompts.txt");
    let spoken: Vec<&str> = spoken().map(|id| id.name()).collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), spoken, "image-build/prompts.txt");
}

#[test]
fn each_coaching_of_a_face_or_a_finger_is_spoken() {
    let coached = |id: &&Id| {
        let name = id.name();
        let is_coaching = name.starts_with("face-") || name.starts_with("finger-");
        is_coaching && !name.contains("title") && !UNSPOKEN.contains(id)
    };
    for id in Id::ALL.iter().filter(coached) {
        assert!(spoken().any(|spoken| spoken == *id), "{} is not spoken", id.name());
    }
}

/// Names of fingers, what passes too quickly to be said, and the advice that stands beside a judgement, which is said.
const UNSPOKEN: [Id; 7] = [
    Id::FaceSitInTheLight,
    Id::FaceComparing,
    Id::FingerRightThumb,
    Id::FingerRightIndex,
    Id::FingerLeftThumb,
    Id::FingerLeftIndex,
    Id::FingerOther,
];

fn visit() -> Vec<(&'static str, View)> {
    let face = Face {
        title: Id::FaceTitle,
        prompt: Say::from(Id::FaceComeCloser),
        good: false,
        progress: 0.4,
        step: None,
        buttons: Vec::new(),
    };
    let finger = Finger {
        title: Id::FingerTitle,
        finger: 1,
        finger_name: Id::FingerRightThumb,
        prompt: Say::from(Id::FingerPlace),
        progress: 0.05,
        step: None,
        buttons: Vec::new(),
    };
    let consent = Consent { method: Id::MethodFinger, body: Vec::new(), buttons: Vec::new() };
    let waiting = Waiting { prompt: Id::LayCard, trouble: None, buttons: Vec::new() };
    let mut views = vec![
        ("sign-in", with(Page::SignIn(SignIn::default()))),
        ("waiting", with(Page::Waiting(waiting))),
        ("person", with(Page::Person(person()))),
        ("consent", with(Page::Consent(consent))),
        ("face", with(Page::Face(face))),
        ("finger", with(Page::Finger(finger))),
        ("printing", ending(Id::OutcomeCertified, Tone::Good, SlipState::Printing)),
        ("printed", ending(Id::OutcomeCertified, Tone::Good, SlipState::Printed)),
    ];
    let stopped = Id::OutcomeStoppedSuspectedFake;
    let mut stopped = ending(stopped, Tone::Stopped, SlipState::Printed);
    let trouble = Trouble { what: Id::DeviceCamera, err: Id::ErrCameraSilent };
    stopped.header.troubles.push(trouble);
    views.push(("stopped", stopped));
    views
}

fn with(page: Page) -> View {
    View { header: Header::default(), page }
}

fn person() -> Person {
    Person {
        name: "王小明".into(),
        number: "110105********002X".into(),
        age: Some(77),
        has_photo: false,
        warnings: Vec::new(),
        benefits: Vec::new(),
        headline: Id::StateDue.into(),
        buttons: Vec::new(),
    }
}

fn ending(headline: Id, tone: Tone, slip: SlipState) -> View {
    let (delivery, lines, buttons) = (Delivery::SavedHere, Vec::new(), Vec::new());
    with(Page::Result(Ending { headline, tone, lines, delivery, slip, buttons }))
}

const RECORD: RecordId = RecordId([7; 16]);
