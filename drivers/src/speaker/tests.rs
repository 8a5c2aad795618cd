//! The voice over a device that the test holds, and over ALSA's own file and null devices.

use std::sync::mpsc::{self, Receiver, Sender};

use super::*;
use expect_test::expect;
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn the_newest_prompt_wins_and_nobody_waits() {
    let folder = prompts(&["one", "two", "three"]);
    let (device, desk) = Held::new();
    let speaker = Speaker::over(device.opener(), config(folder.path()));
    speaker.say("one");
    assert_eq!(desk.next(), "prepare 8000 Hz");
    assert_eq!(desk.next(), "play 320");
    // The device is in the middle of the first; neither order waits for it.
    speaker.say("two");
    speaker.say("three");
    desk.go_on();
    assert_eq!(desk.next(), "cut");
    assert_eq!(desk.next(), "prepare 8000 Hz");
    for _ in 0..3 {
        assert!(desk.next().starts_with("play"));
        desk.go_on();
    }
    assert_eq!(desk.next(), "finish");
    let condition = speaker.wait_silent(soon());
    assert_eq!((condition.n_said, condition.n_overtaken), (1, 2));
    assert!(!condition.is_speaking && condition.trouble.is_none());
}

#[test]
fn hush_and_the_end_cut_off_what_is_said() {
    let folder = prompts(&["one"]);
    let (device, desk) = Held::new();
    let speaker = Speaker::over(device.opener(), config(folder.path()));
    for end in ["hush", "drop"] {
        speaker.say("one");
        assert_eq!(desk.next(), "prepare 8000 Hz");
        assert_eq!(desk.next(), "play 320");
        match end {
            "hush" => speaker.hush(),
            _ => speaker.shared.order(None),
        }
        desk.go_on();
        assert_eq!(desk.next(), "cut", "{end}");
    }
    drop(speaker);
}

#[test]
fn loudness_goes_as_ears_do_and_never_beyond_the_recording() {
    let loud = [i16::MAX, i16::MIN, 1000];
    assert_eq!(at_volume(&loud, 100), loud);
    assert_eq!(at_volume(&loud, 50), [8191, -8192, 250]);
    assert_eq!(at_volume(&loud, 0), [0, 0, 0]);
}

#[test]
fn an_id_never_leads_out_of_the_folder() {
    let folder = Path::new("prompts");
    assert_eq!(recording(folder, "lay-card"), Some("prompts/lay-card.wav".into()));
    for odd in ["", "../secret", "a/b", "a.b", "王淑芬", "a\0"] {
        assert_eq!(recording(folder, odd), None, "{odd}");
    }
}

/// ALSA writes what it would play into a file: the very samples, at the volume that is set.
#[test]
fn alsa_gets_the_samples_of_the_recording() {
    let folder = prompts(&["one"]);
    let out = folder.path().join("played.raw");
    let mut config = config(folder.path());
    config.device = format!("file:FILE='{}',FORMAT=raw", out.display());
    let speaker = Speaker::start(config);
    for volume in [100, 50] {
        speaker.set_volume(volume);
        speaker.say("one");
        let condition = speaker.wait_silent(soon());
        assert!(condition.trouble.is_none(), "{:?}", condition.trouble);
    }
    assert_eq!(speaker.condition().n_said, 2);
    drop(speaker);
    let played = std::fs::read(&out).unwrap();
    let pairs = played.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    let played: Vec<i16> = pairs.collect();
    let sound = sound();
    let wanted = [at_volume(&sound.samples, 100), at_volume(&sound.samples, 50)].concat();
    let begin = played.windows(8).position(|part| part == &wanted[..8]).expect("it is there");
    assert_eq!(played[begin..begin + sound.samples.len()], sound.samples);
    let softer = &wanted[sound.samples.len()..];
    assert!(played.windows(softer.len()).any(|part| part == softer), "the second time at half");
}

/// On a sound card in real time, without a sound.
#[test]
fn a_real_card_plays_and_is_cut_off() {
    if !Path::new("/dev/snd/pcmC0D0p").exists() {
        eprintln!("SKIPPED: this machine has no sound card");
        return;
    }
    let folder = prompts(&["short"]);
    let long = Sound::tone(440, Duration::from_secs(20));
    std::fs::write(folder.path().join("long.wav"), long.encode()).unwrap();
    let device = "plughw:0,0".into();
    let speaker = Speaker::start(SpeakerConfig { device, volume: 0, ..config(folder.path()) });
    for _ in 0..2 {
        speaker.say("long");
        speaker.say("short");
        let condition = speaker.wait_silent(soon());
        assert!(condition.trouble.is_none(), "{:?}", condition.trouble);
    }
    assert_eq!(speaker.condition().n_said, 2);
}

/// For every fault: what is told, and whether the next prompt is heard.
#[test]
fn every_fault_of_the_speaker_is_survived() {
    let mut table = format!("{:<24}{:<34}recovered\n", "speaker", "told");
    for (fault, make) in FAULTS {
        let folder = prompts(&["good"]);
        std::fs::write(folder.path().join("bad.wav"), "no sound").unwrap();
        let mut faults = vec![make];
        let speaker = Speaker::over(
            Box::new(move || {
                let fault = faults.pop().and_then(|make| make());
                match fault {
                    Some((Place::Opening, error)) => Err(error),
                    Some((place, error)) => Ok(Box::new(Faulty(Some((place, error)), 0)) as _),
                    None => Ok(Box::new(Faulty(None, 0)) as _),
                }
            }),
            config(folder.path()),
        );
        let id = match *fault {
            "recording is missing" => "none",
            "recording is damaged" => "bad",
            "id is no id" => "../good",
            _ => "good",
        };
        speaker.say(id);
        let told = speaker.wait_silent(soon()).trouble.map_or("-", |error| error.code());
        speaker.say("good");
        let after = speaker.wait_silent(soon());
        let recovered = if after.trouble.is_none() && after.n_said > 0 { "yes" } else { "no" };
        table.push_str(&format!("{fault:<24}{told:<34}{recovered}\n"));
    }
    crate::show(&table);
    expect![[r#"
        speaker                 told                              recovered
        none                    -                                 yes
        no sound device         speaker-missing                   yes
        taken by another        speaker-busy                      yes
        refuses the rate        speaker-failed                    yes
        stalls in the middle    speaker-stalled                   yes
        pulled at the end       speaker-missing                   yes
        pulled while silent     -                                 yes
        recording is missing    speaker-recording                 yes
        recording is damaged    speaker-recording                 yes
        id is no id             speaker-recording                 yes
    "#]]
    .assert_eq(&table);
}

/// Whatever is said to a device that fails now and then: nothing hangs, every prompt has one
/// end, and the last one is heard when the device is sound.
#[test]
fn after_any_story_the_voice_still_speaks() {
    let folder = prompts(&["one", "two"]);
    proptest!(ProptestConfig::with_cases(1_000), |(story in vec(0u8..8, 0..30))| {
        let is_broken = Arc::new(Mutex::new(false));
        let device = Arc::clone(&is_broken);
        let open = move || match *device.lock().unwrap() {
            true => Err(SpeakerError::Busy),
            false => Ok(Box::new(Faulty(None, 0)) as Box<dyn Output>),
        };
        let speaker = Speaker::over(Box::new(open), config(folder.path()));
        let mut n_ordered = 0;
        for what in story {
            match what {
                0..=3 => {
                    n_ordered += 1;
                    speaker.say(["one", "two", "none", ""][usize::from(what)]);
                }
                4 => speaker.hush(),
                5 | 6 => *is_broken.lock().unwrap() = what == 5,
                _ => {
                    let condition = speaker.wait_silent(soon());
                    prop_assert!(!condition.is_speaking);
                    prop_assert!(condition.n_said + condition.n_overtaken <= n_ordered);
                }
            }
        }
        *is_broken.lock().unwrap() = false;
        let before = speaker.wait_silent(soon()).n_said;
        speaker.say("one");
        let after = speaker.wait_silent(soon());
        prop_assert_eq!(after.n_said, before + 1);
        prop_assert!(after.trouble.is_none());
    });
}

#[test]
fn a_device_that_alsa_does_not_know_is_told() {
    let folder = prompts(&["one"]);
    for name in ["no-such-device", "hw:77,0", "with\0nul"] {
        let speaker =
            Speaker::start(SpeakerConfig { device: name.into(), ..config(folder.path()) });
        speaker.say("one");
        let told = speaker.wait_silent(soon()).trouble.expect("there is no such device");
        assert_eq!(told.code(), "speaker-missing", "{name}");
    }
}

type Fault = (&'static str, fn() -> Option<(Place, SpeakerError)>);

const FAULTS: &[Fault] = &[
    ("none", || None),
    ("no sound device", || Some((Place::Opening, SpeakerError::Missing("default".into())))),
    ("taken by another", || Some((Place::Opening, SpeakerError::Busy))),
    ("refuses the rate", || Some((Place::Preparing, SpeakerError::Failed("rate".into())))),
    ("stalls in the middle", || Some((Place::Playing, SpeakerError::Stalled))),
    ("pulled at the end", || Some((Place::Finishing, SpeakerError::Missing("pulled".into())))),
    ("pulled while silent", || {
        Some((Place::PreparingAgain, SpeakerError::Missing("pulled".into())))
    }),
    ("recording is missing", || None),
    ("recording is damaged", || None),
    ("id is no id", || None),
];

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Opening,
    Preparing,
    PreparingAgain,
    Playing,
    Finishing,
}

/// A device that fails somewhere, and how often it was prepared.
struct Faulty(Option<(Place, SpeakerError)>, u32);

impl Faulty {
    fn at(&self, here: Place) -> Result<(), SpeakerError> {
        match &self.0 {
            Some((place, error)) if *place == here => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

impl Output for Faulty {
    fn prepare(&mut self, _rate_hz: u32, _n_channels: u16) -> Result<(), SpeakerError> {
        self.1 += 1;
        self.at(if self.1 == 1 { Place::Preparing } else { Place::PreparingAgain })
    }

    fn play(&mut self, _samples: &[i16]) -> Result<(), SpeakerError> {
        self.at(Place::Playing)
    }

    fn finish(&mut self) -> Result<(), SpeakerError> {
        self.at(Place::Finishing)
    }

    fn cut(&mut self) {}
}

/// A device that plays a piece only when the test lets it.
struct Held {
    told: Sender<String>,
    may: Arc<Mutex<Receiver<()>>>,
}

/// The test's end of it.
struct Desk {
    told: Receiver<String>,
    may: Sender<()>,
}

impl Held {
    fn new() -> (Self, Desk) {
        let (tell, told) = mpsc::channel();
        let (let_it, may) = mpsc::channel();
        let device = Self { told: tell, may: Arc::new(Mutex::new(may)) };
        (device, Desk { told, may: let_it })
    }

    fn opener(self) -> Opener {
        let (told, may) = (self.told, self.may);
        Box::new(move || {
            Ok(Box::new(Self { told: told.clone(), may: Arc::clone(&may) }) as Box<dyn Output>)
        })
    }

    fn tell(&self, what: String) {
        let _ = self.told.send(what);
    }
}

impl Desk {
    fn next(&self) -> String {
        self.told.recv_timeout(Duration::from_secs(60)).expect("the device is told something")
    }

    fn go_on(&self) {
        self.may.send(()).expect("the device waits");
    }
}

impl Output for Held {
    fn prepare(&mut self, rate_hz: u32, _n_channels: u16) -> Result<(), SpeakerError> {
        self.tell(format!("prepare {rate_hz} Hz"));
        Ok(())
    }

    fn play(&mut self, samples: &[i16]) -> Result<(), SpeakerError> {
        self.tell(format!("play {}", samples.len()));
        let may = self.may.lock().unwrap();
        may.recv_timeout(Duration::from_secs(60)).map_err(|_| SpeakerError::Stalled)
    }

    fn finish(&mut self) -> Result<(), SpeakerError> {
        self.tell("finish".into());
        Ok(())
    }

    fn cut(&mut self) {
        self.tell("cut".into());
    }
}

/// A folder with the same recording under all these ids.
fn prompts(ids: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for id in ids {
        std::fs::write(folder.path().join(format!("{id}.wav")), sound().encode()).unwrap();
    }
    folder
}

/// A tenth of a second, no two samples alike.
fn sound() -> Sound {
    let samples = (1..=800).map(|n| n * 40 - 16_000).collect();
    Sound { rate_hz: 8_000, n_channels: 1, samples }
}

fn config(prompts: &Path) -> SpeakerConfig {
    SpeakerConfig { device: "null".into(), prompts: prompts.into(), volume: 100 }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}
