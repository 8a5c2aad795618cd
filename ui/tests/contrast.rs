//! Each ink of the theme can be read on each paper it is used on: at least 4.5:1 (WCAG 2.2, 1.4.3).

use slint::Color;
use ui::Screen;

#[test]
fn every_ink_is_readable_on_its_paper() {
    let screen = Screen::headless(1280, 800).expect("a headless screen");
    let t = screen.theme();
    let pairs = [
        ("ink on paper", t.get_ink(), t.get_paper()),
        ("ink on card", t.get_ink(), t.get_card()),
        ("soft ink on paper", t.get_ink_soft(), t.get_paper()),
        ("soft ink on card", t.get_ink_soft(), t.get_card()),
        ("soft ink on good", t.get_ink_soft(), t.get_good_paper()),
        ("soft ink on waiting", t.get_ink_soft(), t.get_waiting_paper()),
        ("soft ink on stopped", t.get_ink_soft(), t.get_stopped_paper()),
        ("strip", t.get_strip_ink(), t.get_strip()),
        ("soft strip", t.get_strip_ink_soft(), t.get_strip()),
        ("primary", t.get_primary_ink(), t.get_primary()),
        ("primary pressed", t.get_primary_ink(), t.get_primary_pressed()),
        ("primary as ink", t.get_primary(), t.get_paper()),
        ("plain", t.get_plain_ink(), t.get_plain()),
        ("plain pressed", t.get_plain_ink(), t.get_plain_pressed()),
        ("off", t.get_off_ink(), t.get_off()),
        ("good on card", t.get_good(), t.get_card()),
        ("good on good paper", t.get_good(), t.get_good_paper()),
        ("good on paper", t.get_good(), t.get_paper()),
        ("waiting on card", t.get_waiting(), t.get_card()),
        ("waiting on waiting paper", t.get_waiting(), t.get_waiting_paper()),
        ("stopped on card", t.get_stopped(), t.get_card()),
        ("stopped on paper", t.get_stopped(), t.get_paper()),
        ("stopped on stopped paper", t.get_stopped(), t.get_stopped_paper()),
    ];
    for (what, ink, paper) in pairs {
        let ratio = contrast(ink, paper);
        assert!(ratio >= 4.5, "{what}: {ratio:.2}");
    }
}

#[test]
fn the_formula_knows_black_on_white() {
    let ratio = contrast(Color::from_rgb_u8(0, 0, 0), Color::from_rgb_u8(255, 255, 255));
    assert!((ratio - 21.0).abs() < 0.01);
}

/// Contrast ratio as WCAG 2.2 defines it.
fn contrast(a: Color, b: Color) -> f32 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(color: Color) -> f32 {
    let linear = |c: u8| {
        let c = f32::from(c) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(color.red()) + 0.7152 * linear(color.green()) + 0.0722 * linear(color.blue())
}
