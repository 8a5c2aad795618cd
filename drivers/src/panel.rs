//! Lamps, fill light, buzzer, the tamper and door switches and the presence sensor: what a
//! board does for a terminal beside its big devices. Steadies what bounces, keeps what
//! does not, and puts everything back after the board was away. What a lamp or an open
//! door means is decided elsewhere.

pub mod gpio_chip;
pub mod pwm;
pub mod raspberry_pi;
pub mod recording;
mod steady;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use steady::Steady;

/// All that a kind of board has to do for the panel.
pub trait Board: Send {
    /// Switches an output. One that is not fitted is ignored.
    fn drive(&mut self, output: Output, is_on: bool) -> Result<(), PanelError>;

    /// Sets the fill light to `percent`, 0..=100. One that is not fitted is ignored.
    fn light(&mut self, percent: u8) -> Result<(), PanelError>;

    /// Waits up to `patience` for an input to change, and tells how all of them are.
    fn watch(&mut self, patience: Duration) -> Result<Watched, PanelError>;

    /// The board's clock: a recording has one that only its test moves.
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// What can be switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Output {
    /// A lamp.
    Lamp(Lamp),
    /// The buzzer.
    Buzzer,
}

/// The lamps of a terminal; each kind has those that its case has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lamp {
    /// Beside the place for the card.
    Card,
    /// Beside the fingerprint module.
    Finger,
    /// Beside the slot where the slip comes out.
    Slip,
    /// Green: ready.
    Ready,
    /// Red: something is wrong.
    Trouble,
}

/// What a lamp does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Glow {
    /// Dark.
    #[default]
    Off,
    /// Lit.
    On,
    /// On and off, once a second: slow enough for everybody's eyes and brain.
    Blink,
}

/// What the buzzer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beep {
    /// One short sound: a touch was taken, a card was seen.
    Short,
    /// Two sounds: done.
    Double,
    /// One long sound: something is wrong.
    Long,
}

/// What was watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// The switch that opens when somebody opens the case.
    Tamper,
    /// The switch of the service door (paper, card reader).
    Door,
    /// The sensor that sees somebody in front of the terminal.
    Presence,
}

/// How an input came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Which one.
    pub input: Input,
    /// Opened, or somebody is there.
    pub is_active: bool,
}

/// The inputs at the end of a wait, and which of them were active at some moment in it: a
/// case that was opened and shut again between two looks was still opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watched {
    /// How they are.
    pub now: Inputs,
    /// Which were active in between.
    pub touched: Inputs,
}

/// A value for each input; `None` where it is not fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inputs {
    /// See [`Input::Tamper`].
    pub tamper: Option<bool>,
    /// See [`Input::Door`].
    pub door: Option<bool>,
    /// See [`Input::Presence`].
    pub presence: Option<bool>,
}

/// The panel does not work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PanelError {
    /// The board, its chip or its driver is gone.
    #[error("panel board does not answer")]
    Unplugged(#[source] Option<Arc<io::Error>>),
    /// No line has this name.
    #[error("no line is called {0}")]
    LineMissing(String),
    /// Another program has this line.
    #[error("line {0} is taken")]
    LineBusy(String),
    /// We may not use the board.
    #[error("panel board may not be opened")]
    Forbidden,
    /// The settings cannot be meant.
    #[error("panel settings cannot be used: {0}")]
    Settings(String),
    /// There is no such PWM channel.
    #[error("fill light's PWM channel is missing")]
    PwmMissing(#[source] Arc<io::Error>),
}

/// What is fitted and how it is wired.
#[derive(Debug, Clone, Default)]
pub struct PanelConfig {
    /// How lines are reached.
    pub board: BoardKind,
    /// The lamps.
    pub lamps: Vec<(Lamp, Line)>,
    /// The buzzer.
    pub buzzer: Option<Line>,
    /// The fill light.
    pub light: Option<Light>,
    /// The tamper switch. Wire it so that a cut cable reads as opened.
    pub tamper: Option<Line>,
    /// The door switch.
    pub door: Option<Line>,
    /// The presence sensor.
    pub presence: Option<Line>,
}

/// How lines are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BoardKind {
    /// By the kernel's GPIO character device, lines by their names. Works everywhere.
    #[default]
    GpioChip,
    /// By the registers of a Raspberry Pi, for kernels of its maker; lines are `GPIO17`.
    RaspberryPi,
}

/// A line: its name and its wiring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The kernel's name of it, such as `GPIO17` or `BUZZER`.
    pub name: String,
    /// Whether a low level is what counts as active.
    pub is_active_low: bool,
    /// The resistor inside the chip; of inputs only.
    pub pull: Pull,
}

/// The resistor of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pull {
    /// None, or as the board has it.
    #[default]
    None,
    /// To the supply.
    Up,
    /// To ground.
    Down,
}

/// How the fill light is dimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Light {
    /// By switching a line from a thread, 200 times a second. A camera with a short
    /// exposure sees bands then; a PWM channel is better where there is one.
    Line(Line),
    /// By a PWM channel of the kernel.
    Pwm(pwm::Channel),
}

/// The panel of a terminal. One thread owns it and calls [`Panel::turn`] again and again.
pub struct Panel {
    open: Opener,
    board: Option<Box<dyn Board>>,
    /// Why there is no board, and when to try again.
    fault: Option<(PanelError, Instant)>,
    reopen_pause: Duration,
    /// Whether that was logged.
    is_lost: bool,
    /// All lamps blink together, from here.
    opened_at: Option<Instant>,
    lamps: Vec<(Lamp, Glow)>,
    /// What was last driven; what is to be driven anew after the board was away is not here.
    driven: Vec<(Output, bool)>,
    beep: Vec<(Instant, bool)>,
    light: Fade,
    steady: [(Input, Steady); 3],
}

/// Opens a board; called again after each fault.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Board>, PanelError> + Send>;

impl Panel {
    /// A panel as it is wired. The board is opened at the first turn.
    pub fn new(config: PanelConfig) -> Self {
        Self::over(Box::new(move || config.open()), REOPEN_PAUSE)
    }

    /// A panel over boards that `open` gives, tried again every `reopen_pause` after a fault.
    pub fn over(open: Opener, reopen_pause: Duration) -> Self {
        Self {
            open,
            board: None,
            fault: None,
            reopen_pause,
            is_lost: false,
            opened_at: None,
            lamps: Vec::new(),
            driven: Vec::new(),
            beep: Vec::new(),
            light: Fade::default(),
            steady: [
                (Input::Tamper, Steady::new(Duration::ZERO, TAMPER_OFF)),
                (Input::Door, Steady::new(DOOR, DOOR)),
                (Input::Presence, Steady::new(PRESENCE_ON, PRESENCE_OFF)),
            ],
        }
    }

    /// Wants a lamp to do this, from the next turn on.
    pub fn lamp(&mut self, lamp: Lamp, glow: Glow) {
        self.lamps.retain(|(known, _)| *known != lamp);
        self.lamps.push((lamp, glow));
    }

    /// Sounds the buzzer, from the next turn on. A new sound ends the one before.
    pub fn beep(&mut self, beep: Beep) {
        let mut at = self.now();
        self.beep.clear();
        for (is_on, length) in beep.parts() {
            self.beep.push((at, *is_on));
            at += *length;
        }
        self.beep.push((at, false));
    }

    /// Wants the fill light at `percent`. It gets there gently, within a third of a second:
    /// a sudden light makes people shut their eyes.
    pub fn light(&mut self, percent: u8) {
        let now = self.now();
        let (from, told) = (self.light.at(now), self.light.told);
        self.light = Fade { from, to: percent.min(100), begun: Some(now), told };
    }

    /// Does what is due, and waits up to `patience` for an input to change. After a fault
    /// the board is opened anew by itself; all lamps are then as they are wanted. As long as
    /// there is none, each turn tells why.
    pub fn turn(&mut self, patience: Duration) -> Result<Vec<Change>, PanelError> {
        let turned = self.turn_once(patience);
        if let Err(error) = &turned
            && self.fault.is_none()
        {
            if !std::mem::replace(&mut self.is_lost, true) {
                warn!(code = error.code(), "panel board is lost");
            }
            self.board = None;
            self.fault = Some((error.clone(), Instant::now() + self.reopen_pause));
        }
        turned
    }

    fn turn_once(&mut self, patience: Duration) -> Result<Vec<Change>, PanelError> {
        if self.board.is_none() {
            self.reopen(patience)?;
        }
        self.apply()?;
        let wait = patience.min(self.next_due());
        let board = self.board.as_mut().expect("a board is open after reopening");
        let watched = board.watch(wait)?;
        let now = board.now();
        self.apply()?;
        Ok(self.settle(&watched, now))
    }

    fn reopen(&mut self, patience: Duration) -> Result<(), PanelError> {
        if let Some((error, at)) = &self.fault {
            let wait = at.saturating_duration_since(Instant::now());
            thread::sleep(wait.min(patience));
            if wait > patience {
                return Err(error.clone());
            }
        }
        self.fault = None;
        self.board = Some((self.open)()?);
        self.driven.clear();
        self.light.told = None;
        self.opened_at = Some(self.now());
        self.is_lost = false;
        info!("panel board is open");
        Ok(())
    }

    /// Drives what is not as it is wanted.
    fn apply(&mut self) -> Result<(), PanelError> {
        let board = self.board.as_mut().expect("a board is open while it is driven");
        let now = board.now();
        let running = self.opened_at.map_or(Duration::ZERO, |at| now.duration_since(at));
        let past = self.beep.partition_point(|(at, _)| *at <= now);
        let buzzer = past.checked_sub(1).is_some_and(|last| self.beep[last].1);
        let mut wanted = vec![(Output::Buzzer, buzzer)];
        for (lamp, glow) in &self.lamps {
            wanted.push((Output::Lamp(*lamp), glow.is_lit(running)));
        }
        for (output, is_on) in wanted {
            if self.driven.contains(&(output, is_on)) {
                continue;
            }
            board.drive(output, is_on)?;
            self.driven.retain(|(known, _)| *known != output);
            self.driven.push((output, is_on));
        }
        let percent = self.light.at(now);
        if self.light.told != Some(percent) {
            board.light(percent)?;
            self.light.told = Some(percent);
        }
        Ok(())
    }

    /// How long nothing has to be driven.
    fn next_due(&self) -> Duration {
        let now = self.now();
        let beep = self.beep.iter().map(|(at, _)| *at).find(|at| *at > now);
        let blinks = self.lamps.iter().any(|(_, glow)| *glow == Glow::Blink);
        let fades = self.light.at(now) != self.light.to;
        let due =
            [beep.map(|at| at - now), blinks.then_some(BLINK_STEP), fades.then_some(FADE_STEP)];
        due.into_iter().flatten().min().unwrap_or(Duration::MAX)
    }

    fn settle(&mut self, watched: &Watched, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        for (input, steady) in &mut self.steady {
            let Some(is_active) = watched.now.get(*input) else {
                continue;
            };
            let touched = watched.touched.get(*input) == Some(true);
            if let Some(is_active) = steady.see(is_active, touched, now) {
                changes.push(Change { input: *input, is_active });
            }
        }
        changes
    }

    fn now(&self) -> Instant {
        self.board.as_ref().map_or_else(Instant::now, |board| board.now())
    }
}

impl PanelConfig {
    /// Opens the board that is set.
    pub fn open(&self) -> Result<Box<dyn Board>, PanelError> {
        self.check()?;
        Ok(match self.board {
            BoardKind::GpioChip => Box::new(gpio_chip::GpioChip::open(self)?),
            BoardKind::RaspberryPi => Box::new(raspberry_pi::RaspberryPi::open(self)?),
        })
    }

    /// All outputs with their lines; not the fill light.
    fn outputs(&self) -> impl Iterator<Item = (Output, &Line)> {
        let lamps = self.lamps.iter().map(|(lamp, line)| (Output::Lamp(*lamp), line));
        lamps.chain(self.buzzer.iter().map(|line| (Output::Buzzer, line)))
    }

    /// All inputs with their lines.
    fn inputs(&self) -> impl Iterator<Item = (Input, &Line)> {
        let all = [
            (Input::Tamper, &self.tamper),
            (Input::Door, &self.door),
            (Input::Presence, &self.presence),
        ];
        all.into_iter().filter_map(|(input, line)| Some((input, line.as_ref()?)))
    }

    /// The line that dims the fill light, if one does.
    fn light_line(&self) -> Option<&Line> {
        match &self.light {
            Some(Light::Line(line)) => Some(line),
            _ => None,
        }
    }

    /// Whether the settings can be meant: no line does two things.
    pub fn check(&self) -> Result<(), PanelError> {
        let lines = self.outputs().map(|(_, line)| line).chain(self.inputs().map(|(_, l)| l));
        let mut names: Vec<&str> =
            lines.chain(self.light_line()).map(|line| line.name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(PanelError::Settings(format!("{} is used twice", pair[0]))),
            None => Ok(()),
        }
    }
}

impl Line {
    /// A line that is active when it is high, without a resistor.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), is_active_low: false, pull: Pull::None }
    }
}

impl Lamp {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Card, Self::Finger, Self::Slip, Self::Ready, Self::Trouble];
}

impl Glow {
    fn is_lit(self, running: Duration) -> bool {
        match self {
            Self::Off => false,
            Self::On => true,
            Self::Blink => running.as_millis() % 1000 < 500,
        }
    }
}

impl Beep {
    /// On or off, and for how long.
    fn parts(self) -> &'static [(bool, Duration)] {
        const SHORT: Duration = Duration::from_millis(80);
        const LONG: Duration = Duration::from_millis(700);
        match self {
            Self::Short => &[(true, SHORT)],
            Self::Double => &[(true, SHORT), (false, SHORT), (true, SHORT)],
            Self::Long => &[(true, LONG)],
        }
    }
}

impl Inputs {
    /// The value of one; `None` where it is not fitted.
    pub fn get(&self, input: Input) -> Option<bool> {
        match input {
            Input::Tamper => self.tamper,
            Input::Door => self.door,
            Input::Presence => self.presence,
        }
    }

    /// Sets the value of one.
    pub fn set(&mut self, input: Input, is_active: bool) {
        let slot = match input {
            Input::Tamper => &mut self.tamper,
            Input::Door => &mut self.door,
            Input::Presence => &mut self.presence,
        };
        *slot = Some(is_active);
    }
}

impl PanelError {
    fn unplugged(error: io::Error) -> Self {
        Self::Unplugged(Some(Arc::new(error)))
    }

    /// A stable name for messages, logs and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unplugged(_) => "panel-unplugged",
            Self::LineMissing(_) => "panel-line-missing",
            Self::LineBusy(_) => "panel-line-busy",
            Self::Forbidden => "panel-forbidden",
            Self::Settings(_) => "panel-settings",
            Self::PwmMissing(_) => "panel-pwm-missing",
        }
    }
}

/// The way of the fill light from one level to another.
#[derive(Default)]
struct Fade {
    from: u8,
    to: u8,
    begun: Option<Instant>,
    told: Option<u8>,
}

impl Fade {
    fn at(&self, now: Instant) -> u8 {
        let gone = self.begun.map_or(FADE, |begun| now.duration_since(begun)).min(FADE);
        let part = gone.as_millis() as i32;
        let way = i32::from(self.to) - i32::from(self.from);
        let level = i32::from(self.from) + way * part / FADE.as_millis() as i32;
        u8::try_from(level).expect("a level between two percentages is one")
    }
}

/// Where the kernel keeps PWM channels.
pub fn pwm_root() -> PathBuf {
    "/sys/class/pwm".into()
}

/// A case that was opened counts at once; it is shut when it was so for a while.
const TAMPER_OFF: Duration = Duration::from_secs(1);
/// Longer than any switch bounces.
const DOOR: Duration = Duration::from_millis(50);
/// Somebody who passes by is not a visitor.
const PRESENCE_ON: Duration = Duration::from_millis(300);
/// Somebody who leans back is not gone.
const PRESENCE_OFF: Duration = Duration::from_secs(3);
const FADE: Duration = Duration::from_millis(320);
const FADE_STEP: Duration = Duration::from_millis(20);
const BLINK_STEP: Duration = Duration::from_millis(50);
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
