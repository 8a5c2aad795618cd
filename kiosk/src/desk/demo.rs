//! `kiosk demo`: whole visits in the real program, with simulated people, devices on ptys and a running authority.
//!
//! It plays the people, never the terminal: cards and fingers are laid on the simulated devices, buttons are pressed on
//! the screen. What the terminal does is what `kiosk run` does.

mod clerk;
mod record;
mod stage;

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use image::RgbImage;
use kiosk_core::event::Event;
use kiosk_core::view::{Page, Tap, View};
use kiosk_store::{RecordLine, RecordState};
use people::Person;
use sha2::{Digest, Sha256};
use tracing::info;
use ui::{Proxy, Screen};

use crate::clock::Clock;
use crate::config::Config;
use crate::desk::camera::{SeatCamera, SharedSeat};
use crate::happening::{Happening, Teller};
use crate::ids::Ids;
use crate::shell::{Display, Outside, Shell, Turn};
use crate::window::WindowDisplay;
use clerk::Clerk;
use record::Recorder;
use stage::Stage;

/// Arguments of `kiosk demo`.
#[derive(clap::Args, Clone)]
pub struct Arguments {
    /// Draw in memory instead of a window.
    #[arg(long)]
    headless: bool,
    /// How many people come. Four kinds take turns: re-enrolment, fingerprint, appeal, nothing due.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=VISITS_MAX))]
    visits: u32,
    /// Makes the people and everything they do.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write timeline.jsonl, screens/*.png and summary.json here; a second run takes up where the first stopped.
    #[arg(long)]
    out: Option<PathBuf>,
    /// More settings of the terminal: tables of devices that the demonstration has not.
    #[arg(long)]
    settings: Option<PathBuf>,
    /// Weights, as `models fetch` left them; else where CHANGQING_MODELS says.
    #[arg(long)]
    models: Option<PathBuf>,
}

/// What a visitor comes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The phone refused the face: build a new reference and certify.
    ReEnrol,
    /// Prove life with a finger on file.
    Finger,
    /// The machine says no, two people say yes.
    Appeal,
    /// Nothing is due.
    NothingDue,
}

/// One visitor of the demonstration.
#[derive(Clone)]
pub struct Visitor {
    /// Counts from 1.
    pub number: u32,
    /// Why they come.
    pub purpose: Purpose,
    /// Whose card they bring.
    pub holder: Person,
    /// Who sits on the chair.
    pub sitter: Person,
    /// Identity of their visit, so that a second run knows what is done.
    pub visit: [u8; 16],
}

/// Runs the demonstration.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let kept;
    let dir = match &arguments.out {
        Some(dir) => dir.clone(),
        None => {
            kept = tempfile::tempdir()?;
            kept.path().to_owned()
        }
    };
    let at = |problem: std::io::Error| format!("{}: {problem}", dir.display());
    std::fs::create_dir_all(&dir).map_err(at)?;
    let dir = dir.canonicalize().map_err(at)?;
    let _alone = only_here(&dir)?;
    let visitors: Vec<Visitor> =
        (0..arguments.visits).map(|i| visitor(arguments.seed, i)).collect();
    let models = arguments.models.clone().unwrap_or_else(models::manifest::default_dir);
    let stage = Stage::set(&dir, arguments.seed, &models, &visitors)?;
    if let Some(more) = &arguments.settings {
        stage.add_settings(more)?;
    }
    let config = Config::read(&stage.config_file)?;
    let play = Play::new(arguments, &dir, stage, visitors)?;
    let has_display = std::env::var_os("DISPLAY").is_some_and(|d| !d.is_empty());
    if arguments.headless || !has_display {
        if !arguments.headless {
            println!("no display here: the screens are drawn in memory");
        }
        play.in_memory(config)
    } else {
        play.in_a_window(config)
    }
}

/// Two demonstrations in one folder would take each other's devices away. Held as long as the file is open.
fn only_here(dir: &Path) -> Result<File, Box<dyn Error>> {
    let path = dir.join("lock");
    let file = File::create(&path).map_err(|problem| format!("{}: {problem}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(format!("another demonstration runs in {}", dir.display()).into()),
    }
}

fn visitor(seed: u64, index: u32) -> Visitor {
    let purpose = PURPOSES[index as usize % PURPOSES.len()];
    let story = [0, 1, 2, 3][index as usize % 4];
    let holder = Person::generate(seed, index / 4 * 8 + story);
    let sitter = if purpose == Purpose::Appeal { stranger(&holder) } else { holder.clone() };
    let mut visit = [0; 16];
    let digest = Sha256::digest(format!("changqing demo {seed} {index}"));
    visit.copy_from_slice(&digest[..16]);
    visit[6] = 0x70 | visit[6] & 0x0f;
    visit[8] = 0x80 | visit[8] & 0x3f;
    Visitor { number: index + 1, purpose, holder, sitter, visit }
}

/// Somebody whom the machine will not take for the holder of the card, as it does with a face that age or illness
/// changed beyond what the card shows.
fn stranger(holder: &Person) -> Person {
    holder.visitor()
}

/// A performance.
struct Play {
    arguments: Arguments,
    stage: Stage,
    visitors: Vec<Visitor>,
    recorder: Recorder,
    seat: SharedSeat,
    visit_slot: Arc<Mutex<Option<[u8; 16]>>>,
    clock: Clock,
}

impl Play {
    fn new(
        arguments: &Arguments,
        dir: &Path,
        stage: Stage,
        visitors: Vec<Visitor>,
    ) -> Result<Self, Box<dyn Error>> {
        let keep = arguments.out.is_some();
        Ok(Self {
            arguments: arguments.clone(),
            stage,
            visitors,
            recorder: Recorder::new(dir, keep)?,
            seat: SharedSeat::empty(),
            visit_slot: Arc::default(),
            clock: Clock::fixed(TODAY_MS),
        })
    }

    fn outside(&self, frame_time: Duration) -> Outside {
        let seat = self.seat.clone();
        Outside {
            clock: self.clock.clone(),
            ids: Ids::given(self.clock.clone(), self.visit_slot.clone()),
            open_camera: Box::new(move || Ok(Box::new(SeatCamera::new(seat.clone(), frame_time)))),
            open_document_camera: None,
        }
    }

    fn in_memory(mut self, config: Config) -> Result<ExitCode, Box<dyn Error>> {
        let (width, height) = config.terminal.screen;
        let screen = Screen::headless(width, height)?;
        let mut shell = Shell::start(config, self.outside(Duration::ZERO))?;
        let teller = shell.teller();
        screen.on_tap(move |tap| teller.event(Event::Tapped(tap)));
        let mut glass = Glass { screen, key: String::new(), recorder: self.recorder.clone() };
        let done = self.perform(&mut shell, &mut glass, Pace::Brisk);
        shell.end();
        done
    }

    fn in_a_window(mut self, config: Config) -> Result<ExitCode, Box<dyn Error>> {
        let mut shell = Shell::start(config, self.outside(FRAME_TIME))?;
        let screen = Screen::window()?;
        let teller = shell.teller();
        screen.on_tap(move |tap| teller.event(Event::Tapped(tap)));
        let proxy = screen.proxy();
        let mut hands = Hands { display: WindowDisplay(proxy.clone()), teller: shell.teller() };
        let director = thread::Builder::new().name("loop".into()).spawn(move || {
            let done = self.perform(&mut shell, &mut hands, Pace::Human).map_err(|e| e.to_string());
            shell.end();
            Proxy::quit(&proxy);
            done
        })?;
        screen.run()?;
        let done = director.join().map_err(|_| "the demonstration fell over")?;
        Ok(done?)
    }

    /// All visits, then until the centre has everything.
    fn perform(
        &mut self,
        shell: &mut Shell,
        counter: &mut dyn Counter,
        pace: Pace,
    ) -> Result<ExitCode, Box<dyn Error>> {
        let recorded: Vec<Visitor> =
            self.visitors.iter().filter(|v| record_of(shell, v).is_some()).cloned().collect();
        self.recorder.forget_unfinished(|number| recorded.iter().any(|v| v.number == number))?;
        for visitor in self.visitors.clone() {
            if record_of(shell, &visitor).is_some() {
                println!("visit {}: already recorded", visitor.number);
                continue;
            }
            self.visit(shell, counter, &visitor, pace)?;
        }
        self.drain(shell, counter)?;
        for visitor in recorded {
            let state = record_of(shell, &visitor).map(|line| line.state);
            let has_receipt = matches!(state, Some(RecordState::Delivered { .. }));
            self.recorder.catch_up(visitor.number, has_receipt)?;
        }
        let summary = record::summary(shell, &self.arguments, &self.visitors)?;
        self.recorder.summary(&summary)?;
        println!("{}", serde_json::to_string_pretty(&summary)?);
        Ok(if summary.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn visit(
        &mut self,
        shell: &mut Shell,
        counter: &mut dyn Counter,
        visitor: &Visitor,
        pace: Pace,
    ) -> Result<(), Box<dyn Error>> {
        *self.visit_slot.lock().expect("the card room does not panic") = Some(visitor.visit);
        self.recorder.begin(visitor.number);
        let mut clerk = Clerk::new(visitor.clone(), self.seat.clone(), self.stage.devices());
        let by = Instant::now() + VISIT_TIME;
        let mut acted_on: Option<Page> = None;
        loop {
            self.stage.tend()?;
            shell.refresh(counter.display());
            let view = shell.view();
            // The header changes by itself; a digit pressed again for that would be one too many.
            if acted_on.as_ref() != Some(&view.page) {
                if pace == Pace::Human {
                    thread::sleep(HUMAN_PAUSE);
                }
                if let Some(tap) = clerk.act(&view)?
                    && !counter.tap(&tap)
                {
                    return Err(format!("no button for {tap:?} on the page").into());
                }
                acted_on = Some(view.page);
            }
            if clerk.is_over() {
                self.recorder.end()?;
                return Ok(());
            }
            match shell.turn(counter.display(), Duration::from_millis(200)) {
                Turn::Heard(event) => self.recorder.event(&event)?,
                Turn::Stop => return Err("the terminal stopped".into()),
                Turn::Quiet | Turn::Aside => {}
            }
            if Instant::now() > by {
                return Err(format!("visit {} did not end in time", visitor.number).into());
            }
        }
    }

    /// Waits until nothing is left to send.
    fn drain(
        &mut self,
        shell: &mut Shell,
        counter: &mut dyn Counter,
    ) -> Result<(), Box<dyn Error>> {
        let by = Instant::now() + DRAIN_TIME;
        while shell.vault().store().outbox_summary()?.waiting > 0 && Instant::now() < by {
            self.stage.tend()?;
            shell.turn(counter.display(), Duration::from_millis(200));
        }
        info!("nothing left to send, or time is up");
        Ok(())
    }
}

fn record_of(shell: &Shell, visitor: &Visitor) -> Option<RecordLine> {
    shell.vault().store().visit_record(visitor.visit).ok().flatten()
}

/// How fast people are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Brisk,
    Human,
}

/// The counter: something to look at and something to press.
trait Counter {
    fn display(&mut self) -> &mut dyn Display;
    fn tap(&mut self, tap: &Tap) -> bool;
}

/// A screen in memory; each page is kept as a picture when the next one comes.
struct Glass {
    screen: Screen,
    key: String,
    recorder: Recorder,
}

impl Counter for Glass {
    fn display(&mut self) -> &mut dyn Display {
        self
    }

    fn tap(&mut self, tap: &Tap) -> bool {
        self.screen.tap(tap)
    }
}

impl Display for Glass {
    fn show(&mut self, view: &View) {
        let key = record::page_key(view);
        if key != self.key && !self.key.is_empty() {
            match self.screen.snapshot() {
                Ok(picture) => self.recorder.picture(&self.key, &picture),
                Err(problem) => tracing::warn!(%problem, "picture of the screen"),
            }
        }
        self.key = key;
        self.screen.show(view);
    }

    fn preview(&mut self, picture: RgbImage) {
        self.screen.preview(&picture);
    }

    fn picture_of_card(&mut self, picture: Option<RgbImage>) {
        self.screen.picture_of_card(picture.as_ref());
    }
}

/// A window; taps go straight to the loop.
struct Hands {
    display: WindowDisplay,
    teller: Teller,
}

impl Counter for Hands {
    fn display(&mut self) -> &mut dyn Display {
        &mut self.display
    }

    fn tap(&mut self, tap: &Tap) -> bool {
        self.teller.tell(Happening::Event(Event::Tapped(tap.clone())));
        true
    }
}

const PURPOSES: [Purpose; 4] =
    [Purpose::ReEnrol, Purpose::Finger, Purpose::Appeal, Purpose::NothingDue];
/// 2026-11-16 10:00 in China: the day that the simulated people's stories are told for.
const TODAY_MS: i64 = 1_794_794_400_000;
/// Every visitor needs a person of their own with a face and fingers, made before the first sits down.
const VISITS_MAX: i64 = 1000;
const VISIT_TIME: Duration = Duration::from_secs(180);
const DRAIN_TIME: Duration = Duration::from_secs(120);
const FRAME_TIME: Duration = Duration::from_millis(66);
const HUMAN_PAUSE: Duration = Duration::from_millis(900);
