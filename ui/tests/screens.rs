//! Every page from its sample views, at both sizes: what an eighty-year-old needs of it, as assertions.
//!
//! `cg test -p ui` also leaves each screen as a picture in `screens/` of the target's temporary folder.

#[path = "../src/samples.rs"]
mod samples;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use i_slint_backend_testing::{AccessibleRole, ElementHandle, ElementQuery};
use image::RgbImage;
use kiosk_core::view::{Page, Tap, View};
use slint::platform::{PointerEventButton, WindowEvent};
use slint::{ComponentHandle, LogicalPosition};
use ui::Screen;

/// Pixels that a button keeps from the edge of the panel, where a frame may cover the glass.
const EDGE: f32 = 12.0;

const SIZES: [(u32, u32); 2] = [(1280, 800), (800, 480)];

#[test]
fn every_button_is_large_inside_apart_and_labelled() {
    for size in SIZES {
        let screen = Screen::headless(size.0, size.1).expect("a headless screen");
        for (name, view) in with_troubles(samples::all()) {
            let at = format!("{name} at {}x{}", size.0, size.1);
            screen.show(&view);
            check_buttons(&at, size, &buttons(&screen));
        }
    }
}

#[test]
fn every_screen_is_drawn() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screens");
    std::fs::create_dir_all(&folder).expect("the target's temporary folder");
    let (live, card) = (portrait(640, 480), portrait(102, 126));
    for size in SIZES {
        let screen = Screen::headless(size.0, size.1).expect("a headless screen");
        for (name, view) in with_troubles(samples::all()) {
            screen.show(&view);
            screen.preview(&live);
            screen.picture_of_card(Some(&card));
            let picture = screen.snapshot().expect("drawn in memory");
            assert!(has_drawing(&picture), "{name} is blank");
            let file = folder.join(format!("{name}-{}x{}.png", size.0, size.1));
            picture.save(&file).expect("a picture can be written");
        }
    }
    eprintln!("screens are in {}", folder.display());
}

#[test]
fn each_button_means_its_tap_and_a_dead_one_nothing() {
    for size in SIZES {
        let (screen, heard) = listening(size);
        for (name, view) in samples::all() {
            for button in buttons_of(&view.page) {
                screen.show(&view);
                let pressed = screen.tap(&button.tap);
                let expected = if button.enabled { vec![button.tap.clone()] } else { Vec::new() };
                assert_eq!(heard.take(), expected, "{:?} on {name}", button.label);
                assert_eq!(pressed, button.enabled, "{:?} on {name}", button.label);
            }
        }
    }
}

#[test]
fn a_finger_on_the_words_of_a_button_is_its_tap() {
    let (screen, heard) = listening(SIZES[0]);
    screen.show(&sample("consent"));
    press(&screen, &labelled(&screen, "不同意"));
    press(&screen, &labelled(&screen, "同意"));
    assert_eq!(heard.take(), [Tap::Decline, Tap::Agree]);

    screen.show(&sample("person"));
    press(&screen, &labelled(&screen, "重新采集指纹"));
    assert_eq!(heard.take(), [], "this button is off");
}

#[test]
fn a_pin_is_typed_for_the_one_who_was_picked() {
    for size in SIZES {
        let (screen, heard) = listening(size);
        screen.show(&sample("sign-in"));
        assert!(!screen.tap(&Tap::Digit(7)), "nobody was picked yet");
        assert!(screen.tap(&Tap::PickOperator("02".into())));
        screen.show(&sample("sign-in-pin"));
        for label in ["1", "0", "9", "删除", "确定"] {
            press(&screen, &labelled(&screen, label));
        }
        let expected = [
            Tap::PickOperator("02".into()),
            Tap::Digit(1),
            Tap::Digit(0),
            Tap::Digit(9),
            Tap::EraseDigit,
            Tap::EnterPin,
        ];
        assert_eq!(heard.take(), expected);
    }
}

#[test]
fn the_last_of_many_operators_is_reached() {
    for size in SIZES {
        let (screen, heard) = listening(size);
        screen.show(&sample("sign-in-many"));
        assert!(screen.tap(&Tap::PickOperator("19".into())));
        assert!(screen.tap(&Tap::PickOperator("01".into())), "the screenfuls go round");
        let picked = [Tap::PickOperator("19".into()), Tap::PickOperator("01".into())];
        assert_eq!(heard.take(), picked);
    }
}

#[test]
fn a_press_that_began_on_the_page_before_means_nothing() {
    let (screen, heard) = listening(SIZES[0]);
    screen.show(&sample("consent"));
    let agree = middle(&labelled(&screen, "同意"));
    let window = screen.component().window();
    let button = PointerEventButton::Left;
    window.dispatch_event(WindowEvent::PointerPressed { position: agree, button });
    screen.show(&sample("person"));
    window.dispatch_event(WindowEvent::PointerReleased { position: agree, button });
    assert_eq!(heard.take(), []);
}

#[test]
fn a_press_survives_the_progress_of_its_page() {
    let (screen, heard) = listening(SIZES[0]);
    screen.show(&sample("face"));
    let back = middle(&labelled(&screen, "返回"));
    let window = screen.component().window();
    let button = PointerEventButton::Left;
    window.dispatch_event(WindowEvent::PointerPressed { position: back, button });
    screen.show(&sample("face-good"));
    screen.preview(&portrait(640, 480));
    screen.settle();
    window.dispatch_event(WindowEvent::PointerReleased { position: back, button });
    assert_eq!(heard.take(), [Tap::Back]);
}

#[test]
fn the_strip_opens_to_what_each_device_needs() {
    for size in SIZES {
        let (screen, heard) = listening(size);
        screen.show(&samples::troubled(sample("waiting")));
        press(&screen, &labelled(&screen, "4 项设备异常"));
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screens");
        std::fs::create_dir_all(&file).expect("the target's temporary folder");
        let picture = screen.snapshot().expect("drawn in memory");
        picture.save(file.join(format!("troubles-{}x{}.png", size.0, size.1))).expect("a picture");
        assert!(says(&screen, "请检查读卡器的线是否插好，本机会自动重连。"));
        check_buttons("troubles", size, &buttons(&screen));
        press(&screen, &labelled(&screen, "关闭"));
        assert!(says(&screen, "请把身份证放在读卡器上"));
        assert_eq!(heard.take(), [], "looking is not a tap");
    }
}

#[test]
fn other_threads_send_views_and_only_the_newest_is_shown() {
    let (screen, _) = listening(SIZES[0]);
    let proxy = screen.proxy();
    let sender = std::thread::spawn(move || {
        for name in ["saving", "waiting", "consent"] {
            proxy.show(sample(name));
            proxy.preview(portrait(64, 48));
        }
    });
    sender.join().expect("the proxy never waits");
    screen.settle();
    assert!(says(&screen, "不同意"));
}

#[test]
fn the_camera_picture_and_the_card_picture_go_when_their_page_goes() {
    let screen = Screen::headless(1280, 800).expect("a headless screen");
    let blank = |name| {
        screen.show(&sample(name));
        screen.snapshot().expect("drawn in memory")
    };
    let face = blank("face");
    let person = blank("person");
    screen.picture_of_card(Some(&portrait(102, 126)));
    assert_ne!(screen.snapshot().expect("drawn"), person, "the card's picture is shown");
    screen.show(&sample("face"));
    screen.preview(&portrait(640, 480));
    assert_ne!(screen.snapshot().expect("drawn"), face, "the camera's picture is shown");
    screen.show(&sample("waiting"));
    assert_eq!(blank("face"), face, "no picture of the last person");
    assert_eq!(blank("person"), person, "no picture of the last person");
}

/// Green and red alone say nothing to one man in twelve: the frame has another width and another mark (R56).
#[test]
fn a_good_face_and_a_bad_one_are_told_apart_without_colour() {
    for (width, height) in SIZES {
        let screen = Screen::headless(width, height).expect("a headless screen");
        let mut greys = [false, true].map(|is_good| {
            let mut view = sample("face");
            if let Page::Face(face) = &mut view.page {
                face.good = is_good;
            }
            screen.show(&view);
            screen.preview(&portrait(640, 480));
            image::imageops::grayscale(&screen.snapshot().expect("drawn in memory")).into_raw()
        });
        let (bad, good) = greys.split_at_mut(1);
        let pairs = bad[0].iter().zip(&good[0]);
        let n_other = pairs.filter(|(bad, good)| bad.abs_diff(**good) > 40).count();
        assert!(n_other > 500, "only {n_other} points differ at {width}x{height}");
    }
}

fn with_troubles(samples: Vec<(&'static str, View)>) -> Vec<(String, View)> {
    let troubled: Vec<_> = samples
        .iter()
        .filter(|(name, _)| ["sign-in", "waiting", "person-worst", "result-worst"].contains(name))
        .map(|(name, view)| (format!("{name}-troubled"), samples::troubled(view.clone())))
        .collect();
    samples.into_iter().map(|(name, view)| (name.to_owned(), view)).chain(troubled).collect()
}

fn sample(name: &str) -> View {
    let found = samples::all().into_iter().find(|(n, _)| *n == name);
    found.unwrap_or_else(|| panic!("no sample {name}")).1
}

fn listening((width, height): (u32, u32)) -> (Screen, Rc<RefCell<Vec<Tap>>>) {
    let screen = Screen::headless(width, height).expect("a headless screen");
    let heard = Rc::new(RefCell::new(Vec::new()));
    let into = heard.clone();
    screen.on_tap(move |tap| into.borrow_mut().push(tap));
    (screen, heard)
}

fn buttons(screen: &Screen) -> Vec<ElementHandle> {
    ElementQuery::from_root(screen.component())
        .match_accessible_role(AccessibleRole::Button)
        .find_all()
}

fn labelled(screen: &Screen, label: &str) -> ElementHandle {
    let found =
        buttons(screen).into_iter().find(|b| b.accessible_label().as_deref() == Some(label));
    found.unwrap_or_else(|| panic!("no button {label}"))
}

fn says(screen: &Screen, text: &str) -> bool {
    screen.settle();
    ElementHandle::find_by_accessible_label(screen.component(), text).next().is_some()
}

fn middle(element: &ElementHandle) -> LogicalPosition {
    let (place, size) = (element.absolute_position(), element.size());
    LogicalPosition::new(place.x + size.width / 2.0, place.y + size.height / 2.0)
}

fn press(screen: &Screen, element: &ElementHandle) {
    let (position, button) = (middle(element), PointerEventButton::Left);
    let window = screen.component().window();
    window.dispatch_event(WindowEvent::PointerMoved { position });
    window.dispatch_event(WindowEvent::PointerPressed { position, button });
    window.dispatch_event(WindowEvent::PointerReleased { position, button });
    screen.settle();
}

/// The elders' standard for everything that can be pressed.
fn check_buttons(at: &str, (width, height): (u32, u32), buttons: &[ElementHandle]) {
    let areas: Vec<_> = buttons
        .iter()
        .map(|b| {
            let label = b.accessible_label().unwrap_or_default();
            let (p, s) = (b.absolute_position(), b.size());
            (label, [p.x, p.y, p.x + s.width, p.y + s.height])
        })
        .collect();
    for (button, (label, area)) in buttons.iter().zip(&areas) {
        for text in button.query_descendants().match_inherits("Text").find_all() {
            let (p, s) = (text.absolute_position(), text.size());
            let within = p.x >= area[0]
                && p.y >= area[1]
                && p.x + s.width <= area[2]
                && p.y + s.height <= area[3];
            assert!(within, "{at}: the words of {label} reach out of it");
        }
    }
    for (label, [x0, y0, x1, y1]) in &areas {
        assert!(!label.trim().is_empty(), "{at}: a button without words at {x0}, {y0}");
        assert!(x1 - x0 >= 60.0 && y1 - y0 >= 60.0, "{at}: {label} is {} x {}", x1 - x0, y1 - y0);
        let inside =
            *x0 >= EDGE && *y0 >= 0.0 && *x1 <= width as f32 - EDGE && *y1 <= height as f32 - EDGE;
        assert!(inside, "{at}: {label} reaches {x0}, {y0}, {x1}, {y1}");
    }
    for (i, (label, a)) in areas.iter().enumerate() {
        for (other, b) in &areas[i + 1..] {
            let apart =
                f32::max(f32::max(b[0] - a[2], a[0] - b[2]), f32::max(b[1] - a[3], a[1] - b[3]));
            assert!(apart >= 11.5, "{at}: {label} and {other} are {apart} px apart");
        }
    }
}

fn buttons_of(page: &Page) -> Vec<kiosk_core::view::Button> {
    match page {
        Page::SignIn(p) | Page::Witness(p) => p.buttons.clone(),
        Page::Waiting(p) => p.buttons.clone(),
        Page::Person(p) => p.buttons.clone(),
        Page::Consent(p) => p.buttons.clone(),
        Page::Face(p) => p.buttons.clone(),
        Page::Finger(p) => p.buttons.clone(),
        Page::Document(p) => p.buttons.clone(),
        Page::Judge(p) => p.buttons.clone(),
        Page::Choice(p) => p.buttons.clone(),
        Page::Saving => Vec::new(),
        Page::Result(p) => p.buttons.clone(),
        Page::Outbox(p) => p.buttons.clone(),
        Page::People(p) => p.buttons.clone(),
        Page::Devices(p) => p.buttons.clone(),
    }
}

/// A drawn head and shoulders in place of a camera: nobody's face.
fn portrait(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (x as f32 / width as f32 - 0.5, y as f32 / height as f32);
        let aspect = width as f32 / height as f32;
        let within = |cx: f32, cy: f32, rx: f32, ry: f32| {
            ((u * aspect - cx) / rx).powi(2) + ((v - cy) / ry).powi(2) < 1.0
        };
        let shade = |c: [u8; 3]| image::Rgb(c);
        match () {
            () if within(-0.09, 0.42, 0.025, 0.02) || within(0.09, 0.42, 0.025, 0.02) => {
                shade([50, 40, 38])
            }
            () if within(0.0, 0.62, 0.07, 0.02) => shade([150, 80, 76]),
            () if within(0.0, 0.48, 0.21, 0.29) => shade([216, 178, 150]),
            () if within(0.0, 0.38, 0.25, 0.3) => shade([122, 122, 126]),
            () if within(0.0, 1.1, 0.5, 0.36) => shade([70, 86, 104]),
            () => shade([190, 200 - (v * 30.0) as u8, 198]),
        }
    })
}

/// Smooth text alone brings more colors than this.
fn has_drawing(picture: &RgbImage) -> bool {
    let mut seen = std::collections::HashSet::new();
    picture.pixels().any(|pixel| seen.insert(pixel.0) && seen.len() > 40)
}
