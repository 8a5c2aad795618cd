//! The scanner against a glass that is played by letters, one a look, in time that moves
//! only when the scanner waits.

use std::sync::LazyLock;

use expect_test::{Expect, expect};

use super::*;

#[test]
fn a_finger_that_lies_still_is_taken_and_must_be_lifted() {
    check(
        "nnff ffn nGG",
        expect![[r#"
            WaitingForFinger Taken Uploading(1.0) -> image
            WaitingForLift WaitingForFinger -> finger-none
            WaitingForFinger Taken Uploading(1.0) -> image
        "#]],
    );
}

#[test]
fn a_finger_never_lifted_is_asked_to_lift() {
    check(
        "ff f",
        expect![[r#"
            WaitingForFinger Taken Uploading(1.0) -> image
            WaitingForLift -> finger-lift-first
        "#]],
    );
}

#[test]
fn what_helps_is_asked_of_the_person_and_is_no_fault() {
    check("nddddddd", expect!["WaitingForFinger -> finger-too-dry\n"]);
    check("nwwwwwwww", expect!["WaitingForFinger -> finger-too-wet\n"]);
    check("npppppppp", expect!["WaitingForFinger -> finger-too-few-points\n"]);
    check("fGfGfGfGfGfG", expect!["WaitingForFinger -> finger-moved\n"]);
    check("n", expect!["WaitingForFinger -> finger-none\n"]);
    check("ndddff", expect!["WaitingForFinger Taken Uploading(1.0) -> image\n"]);
}

/// Frames are counted, not seconds: a slow scanner says the same.
#[test]
fn a_finger_that_is_moved_about_is_told_long_before_the_deadline() {
    let mut scanner = scanner("nfGfGfGfGfGfGfGfG");
    let from = scanner.source.now();
    let taken = scanner.capture(from + 100 * CAPTURE, &mut |_| {}).unwrap();
    assert!(matches!(taken, Capture::Retry(Retry::Moved)));
    assert_eq!(scanner.source.now() - from, LOOK_EVERY * (UNSTEADY_LOOKS_MAX + 1));
}

#[test]
fn a_crash_is_got_over_and_two_are_told() {
    check(
        "ncff",
        expect![[r#"
        WaitingForFinger WaitingForFinger Taken Uploading(1.0) -> image
    "#]],
    );
    check(
        "ncnc nff",
        expect![[r#"
        WaitingForFinger WaitingForFinger -> err finger-reader-crashed
        WaitingForFinger Taken Uploading(1.0) -> image
    "#]],
    );
}

#[test]
fn each_fault_is_told_and_the_next_capture_works() {
    for (letter, code) in FAULTS {
        let story = story(&format!("n{letter} nff"));
        let expected = format!(
            "WaitingForFinger -> err {code}\nWaitingForFinger Taken Uploading(1.0) -> image\n"
        );
        assert_eq!(story, expected, "{letter}");
    }
}

#[test]
fn an_image_that_comes_twice_to_the_last_pixel_is_a_fault() {
    check(
        "rr nrr nff",
        expect![[r#"
        WaitingForFinger Taken Uploading(1.0) -> image
        WaitingForLift WaitingForFinger Taken -> err finger-reader-repeats
        WaitingForFinger Taken Uploading(1.0) -> image
    "#]],
    );
}

#[test]
fn a_makers_own_code_for_no_finger_is_an_answer() {
    let mut scanner = scanner("9999ff");
    scanner.settings.no_finger_codes = vec![-101];
    let until = scanner.source.now() + CAPTURE;
    assert!(matches!(scanner.capture(until, &mut |_| {}), Ok(Capture::Image(_))));
}

#[test]
fn ten_thousand_random_glasses_give_no_image_without_a_finger_and_no_hang() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(626);
    eprintln!("seed {seed}");
    let mut random: u64 = seed;
    let mut below = |bound: usize| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) as usize % bound
    };
    let letters: Vec<char> = "nnnnfffffGGddwwcchuz9r".chars().collect();
    for n in 0..10_000 {
        let script: String = (0..12).map(|_| letters[below(letters.len())]).collect();
        let glass = Glass { side: SMALL_SIDE, ..Glass::new(&script, Instant::now(), n) };
        let mut scanner = Scanner::over(Box::new(glass), Settings::default()).unwrap();
        for _ in 0..2 {
            let from = scanner.source.now();
            let result = scanner.capture(from + CAPTURE / 2, &mut |_| {});
            let took = scanner.source.now() - from;
            assert!(took <= CAPTURE + scanner.upload_max(), "{n}: {script} took {took:?}");
            if let Ok(Capture::Image(image)) = result {
                assert_eq!(
                    touch::judge(&image.pixels, SMALL_SIDE as usize),
                    Touch::Good,
                    "{script}"
                );
            }
        }
    }
}

const FAULTS: [(char, &str); 4] = [
    ('h', "finger-reader-silent"),
    ('u', "finger-reader-unplugged"),
    ('z', "finger-reader-other-size"),
    ('9', "finger-reader-refused"),
];
const SIDE: u32 = 64;
/// Where speed counts; too small for a part of a finger.
const SMALL_SIDE: u32 = 32;
const CAPTURE: Duration = Duration::from_millis(400);

fn check(script: &str, expected: Expect) {
    expected.assert_eq(&story(script));
}

/// One capture for each word of the script; a word's last letter stays on the glass.
fn story(script: &str) -> String {
    let mut text = String::new();
    let mut words = script.split(' ');
    let mut scanner = scanner(words.next().unwrap());
    loop {
        let until = scanner.source.now() + CAPTURE;
        let mut told = |progress| text.push_str(&format!("{progress:?} "));
        let result = match scanner.capture(until, &mut told) {
            Ok(Capture::Image(_)) => "image".to_owned(),
            Ok(Capture::Retry(retry)) => retry.code().to_owned(),
            Err(error) => format!("err {}", error.code()),
        };
        text.push_str(&format!("-> {result}\n"));
        let Some(word) = words.next() else { return text };
        let now = scanner.source.now();
        let n = 1000 * text.len() as u64;
        let before = std::mem::replace(&mut scanner.source, Box::new(Glass::new(word, now, n)));
        drop(before);
    }
}

fn scanner(script: &str) -> Scanner {
    let glass = Glass::new(script, Instant::now(), 1);
    Scanner::over(Box::new(glass), Settings::default()).unwrap()
}

/// A glass that plays letters.
struct Glass {
    letters: Vec<char>,
    n_looks: usize,
    noise: u64,
    now: Instant,
    side: u32,
}

impl Glass {
    fn new(script: &str, now: Instant, noise: u64) -> Self {
        Self { letters: script.chars().collect(), n_looks: 0, noise, now, side: SIDE }
    }

    /// A picture with a little grain, so that no two are the same to the last pixel.
    fn grainy(&mut self, picture: &[u8]) -> Vec<u8> {
        self.noise += 1;
        let mut picture = picture.to_vec();
        for bit in 0..32 {
            picture[bit * 7] ^= (self.noise >> bit & 1) as u8;
        }
        picture
    }
}

/// Ridges round a point, on the left upper part of the glass.
fn picture(side: i32, center: i32, contrast: f64, mean: f64, part: i32) -> Vec<u8> {
    let pixel = |i: i32| {
        let (x, y) = (i % side, i / side);
        let far = f64::from((x - center).pow(2) + (y - 20).pow(2)).sqrt();
        let ridge = mean + contrast * (far * std::f64::consts::TAU / 9.0).sin();
        if x < part && y < part { ridge.clamp(0.0, 255.0) as u8 } else { 240 }
    };
    (0..side * side).map(pixel).collect()
}

static PICTURES: LazyLock<[[Vec<u8>; 6]; 2]> = LazyLock::new(|| {
    [SIDE, SMALL_SIDE].map(|side| {
        let side = side as i32;
        [
            picture(side, 20, 0.0, 240.0, 0),
            picture(side, 20, 100.0, 128.0, side),
            picture(side, 26, 100.0, 128.0, side),
            picture(side, 20, 16.0, 200.0, side),
            picture(side, 20, 8.0, 30.0, side),
            picture(side, 20, 100.0, 128.0, 16),
        ]
    })
});

impl Source for Glass {
    fn open(&mut self) -> Result<Window, LivescanError> {
        Ok(Window { width: self.side, height: self.side, ..Window::default() })
    }

    fn grab(&mut self) -> Result<Vec<u8>, LivescanError> {
        let pictures = &PICTURES[usize::from(self.side == SMALL_SIDE)];
        let last = self.letters.len() - 1;
        let letter = self.letters[self.n_looks.min(last)];
        self.n_looks += 1;
        match letter {
            'n' => Ok(self.grainy(&pictures[0])),
            'f' => Ok(self.grainy(&pictures[1])),
            'G' => Ok(self.grainy(&pictures[2])),
            'd' => Ok(self.grainy(&pictures[3])),
            'w' => Ok(self.grainy(&pictures[4])),
            'p' => Ok(self.grainy(&pictures[5])),
            'r' => Ok(pictures[1].clone()),
            'c' => Err(LivescanError::Crashed),
            'h' => {
                self.now += Settings::default().frame_max;
                Err(LivescanError::Silent)
            }
            'u' => Err(LivescanError::Unplugged),
            'z' => Ok(vec![0; 7]),
            '9' => Err(LivescanError::Refused(-101)),
            other => panic!("unknown letter {other}"),
        }
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn pause(&mut self, time: Duration) {
        self.now += time;
    }
}
