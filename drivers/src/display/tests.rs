//! What the customer sees, as pictures and on displays that fail.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::recording::Recording;
use super::*;
use expect_test::expect;

const CODE: &str = "CQ:7K2-94QX:20261121";

/// Scenes as a visit has them, and the hard ones.
pub(super) fn scenes() -> Vec<(&'static str, Scene)> {
    let prompt = |id: &str, numbers: &[u32]| Prompt::new(id, numbers).unwrap();
    let qr = Picture::Qr(Qr::new(CODE.as_bytes()).unwrap());
    let with = |prompt, picture| Scene { prompt: Some(prompt), picture: Some(picture) };
    vec![
        ("short", Scene::text(prompt("lay-card", &[]))),
        ("progress-0", with(prompt("reading-card", &[]), Picture::Progress(0))),
        ("progress-65", with(prompt("finger-hold", &[]), Picture::Progress(65))),
        ("progress-100", with(prompt("finger-lift", &[]), Picture::Progress(100))),
        ("qr", with(prompt("slip-printed", &[]), qr.clone())),
        ("long", Scene::text(prompt("consent-alternatives", &[]))),
        ("blank-filled", Scene::text(prompt("pin-wrong", &[2]))),
        ("qr-alone", Scene { prompt: None, picture: Some(qr) }),
        ("dark", Scene::default()),
    ]
}

/// Writes what every scene looks like into the folder that `CHANGQING_LOOK` names.
#[test]
fn every_scene_draws_at_every_size() {
    let out = std::env::var_os("CHANGQING_LOOK").map(PathBuf::from);
    for (look, size) in [
        (Look::Colour, Size::new(320, 240)),
        (Look::Colour, Size::new(240, 320)),
        (Look::Mono, Size::new(128, 64)),
    ] {
        for (name, scene) in scenes() {
            let mut canvas = Canvas::new(size);
            scene.draw(&mut canvas, look);
            let picture = canvas.to_image();
            let is_dark = picture.pixels().all(|pixel| pixel.0 == [0, 0, 0]);
            assert_eq!(is_dark, name == "dark", "{name} at {size:?}");
            if let Some(out) = &out {
                let file = format!("{name}-{}x{}.png", size.width, size.height);
                picture.save(out.join(file)).unwrap();
            }
        }
    }
}

#[test]
fn words_stay_on_the_display_and_are_not_cut_where_they_fit() {
    let short = ["lay-card", "hold-card-still", "finger-place", "face-look", "slip-printed"];
    for id in short {
        for (look, size) in [(Look::Colour, Size::new(240, 320)), (Look::Mono, Size::new(128, 64))]
        {
            let mut canvas = Canvas::new(size);
            Scene::text(Prompt::new(id, &[]).unwrap()).draw(&mut canvas, look);
            let ground = canvas.get(canvas.area().top_left);
            let inked = canvas.area().size.width / 4;
            let points = embedded_graphics::primitives::PointsIter::points(&canvas.area());
            let n_inked = points.filter(|point| canvas.get(*point) != ground).count();
            assert!(n_inked as u32 > inked, "{id} at {size:?}: {n_inked} points");
        }
    }
}

#[test]
fn the_ring_is_filled_by_as_much_as_is_done() {
    let inked = |percent| {
        let mut canvas = Canvas::new(Size::new(240, 240));
        let picture = Some(Picture::Progress(percent));
        Scene { prompt: None, picture }.draw(&mut canvas, Look::Colour);
        let blue = |pixel: &&image::Rgb<u8>| pixel.0[2] > 150 && pixel.0[0] < 80;
        canvas.to_image().pixels().filter(blue).count()
    };
    let whole = inked(100);
    assert!(whole > 5_000, "{whole} points");
    for percent in [0, 10, 25, 50, 65, 90] {
        let (is, wanted) = (inked(percent), whole * usize::from(percent) / 100);
        assert!(is.abs_diff(wanted) <= whole / 50, "{is} points at {percent} %");
    }
    assert_eq!(inked(255), whole);
}

/// A reader that is not ours finds the code on every display.
#[test]
fn a_telephone_reads_the_code() {
    let folder = tempfile::tempdir().unwrap();
    let (_, scene) = &scenes()[4];
    for (look, size) in [(Look::Colour, Size::new(320, 240)), (Look::Mono, Size::new(128, 64))] {
        let file = folder.path().join("code.png");
        let mut canvas = Canvas::new(size);
        scene.draw(&mut canvas, look);
        canvas.to_image().save(&file).unwrap();
        let read = std::process::Command::new("zbarimg").args(["-q", "--raw"]).arg(&file).output();
        let Ok(read) = read else {
            eprintln!("SKIPPED: zbarimg is not installed (Debian package zbar-tools)");
            return;
        };
        assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), CODE, "at {size:?}");
    }
}

#[test]
fn a_code_that_is_too_long_is_refused_or_left_out() {
    assert_eq!(
        Qr::new(&[b'x'; 3000]).unwrap_err().to_string(),
        "3000 bytes are too many for a QR code"
    );
    let long = Picture::Qr(Qr::new(&[b'x'; 100]).unwrap());
    let mut canvas = Canvas::new(Size::new(128, 64));
    Scene { prompt: None, picture: Some(long) }.draw(&mut canvas, Look::Mono);
    assert!(canvas == Canvas::new(Size::new(128, 64)), "dots that no camera can part");
}

/// For every fault: what is told, and whether the picture is whole afterwards.
#[test]
fn every_fault_of_the_customer_display_is_survived() {
    let mut table = format!("{:<24}{:<34}recovered\n", "customer-display", "told");
    for (fault, opening) in faults() {
        let (glass, mut opening) = (Recording::default(), opening);
        let of_display = glass.clone();
        let mut display = CustomerDisplay::over(
            Box::new(move || match opening.take() {
                Some(error) => Err(error),
                None => of_display.open(),
            }),
            Duration::ZERO,
        );
        let mut told = Vec::new();
        for (turn, (_, scene)) in scenes().iter().take(4).enumerate() {
            glass.plug(!(fault == "pulled while it shows" && turn == 1));
            if let Err(error) = display.show(scene) {
                told.push(error.code());
                glass.take_parts();
            }
        }
        let whole = glass.take_parts().iter().any(|part| part == "0,0 320x240");
        let told = if told.is_empty() { "-".into() } else { told.join(", ") };
        let recovered = if whole { "yes" } else { "no" };
        table.push_str(&format!("{fault:<24}{told:<34}{recovered}\n"));
    }
    crate::show(&table);
    expect![[r#"
        customer-display        told                              recovered
        none                    -                                 yes
        pulled while it shows   customer-display-unplugged        yes
        no bus at the start     customer-display-unplugged        yes
        line is missing         customer-display-line             yes
        settings are odd        customer-display-settings         yes
    "#]]
    .assert_eq(&table);
}

#[test]
fn real_buses_that_are_not_there_are_told() {
    let st7789 = DisplayConfig::St7789(st7789::tests::config(0));
    let ssd1306 = DisplayConfig::Ssd1306(ssd1306::tests::config());
    for config in [st7789, ssd1306] {
        let told = CustomerDisplay::new(config).show(&Scene::default()).unwrap_err();
        assert_eq!(told.code(), "customer-display-unplugged");
    }
}

#[test]
fn while_there_is_no_display_each_call_tells_why_and_does_not_try() {
    let mut n_tried = 0;
    let (tried, count) = std::sync::mpsc::channel();
    let open = move || {
        tried.send(()).unwrap();
        Err(DisplayError::Unplugged("no bus".into()))
    };
    let mut display = CustomerDisplay::over(Box::new(open), Duration::from_secs(3600));
    for _ in 0..5 {
        let told = display.show(&Scene::default()).unwrap_err();
        assert_eq!(told.code(), "customer-display-unplugged");
        n_tried += count.try_iter().count();
    }
    assert_eq!(n_tried, 1);
}

fn faults() -> Vec<(&'static str, Option<DisplayError>)> {
    let line = PanelError::LineMissing("DC".into());
    vec![
        ("none", None),
        ("pulled while it shows", None),
        ("no bus at the start", Some(DisplayError::Unplugged("no bus".into()))),
        ("line is missing", Some(DisplayError::Line(line))),
        ("settings are odd", Some(DisplayError::Settings("45 degrees".into()))),
    ]
}

/// A bus that keeps what was written, with the level of the data/command line. Clones are
/// the same bus.
#[derive(Clone, Default)]
pub(super) struct Bus(Arc<Mutex<Wires>>);

#[derive(Default)]
struct Wires {
    written: Vec<(bool, Vec<u8>)>,
    means_data: bool,
    is_cut: bool,
}

impl Bus {
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), ()> {
        let mut wires = self.lock();
        let means_data = wires.means_data;
        wires.written.push((means_data, bytes.to_vec()));
        if wires.is_cut { Err(()) } else { Ok(()) }
    }

    pub(super) fn means_data(&self, means_data: bool) {
        self.lock().means_data = means_data;
    }

    pub(super) fn plug(&self, is_plugged: bool) {
        self.lock().is_cut = !is_plugged;
    }

    pub(super) fn take(&self) -> Vec<(bool, Vec<u8>)> {
        std::mem::take(&mut self.lock().written)
    }

    fn lock(&self) -> MutexGuard<'_, Wires> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
