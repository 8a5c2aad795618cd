//! The voice: prompts by their ids, as recordings from a folder, over ALSA. Nobody ever
//! waits for it: a thread of its own plays, the newest prompt wins, and without a sound
//! card the visit goes on in writing. Which prompt is said when is decided elsewhere.

mod alsa;
mod wav;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{debug, warn};

pub use wav::{Sound, WavError};

/// What can play a sound, piece by piece.
pub trait Output: Send {
    /// Makes ready for sounds of this kind.
    fn prepare(&mut self, rate_hz: u32, n_channels: u16) -> Result<(), SpeakerError>;

    /// Plays a part of a sound, at most [`PIECE`] of it, and returns when there is room for
    /// more, or fails when the device takes nothing for [`STALL`].
    fn play(&mut self, samples: &[i16]) -> Result<(), SpeakerError>;

    /// Waits until all of it was heard.
    fn finish(&mut self) -> Result<(), SpeakerError>;

    /// Is silent at once.
    fn cut(&mut self);
}

/// Nothing is heard.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SpeakerError {
    /// There is no such sound device.
    #[error("sound device is missing: {0}")]
    Missing(String),
    /// Another program has it.
    #[error("sound device is taken by another program")]
    Busy,
    /// It takes no more sound.
    #[error("sound device has stalled")]
    Stalled,
    /// It refuses this kind of sound, or failed on the way.
    #[error("sound device failed: {0}")]
    Failed(String),
    /// The recording of a prompt is missing or is none.
    #[error("recording of a prompt cannot be used: {0}")]
    Recording(String),
}

/// Where sound goes and where it is from.
#[derive(Debug, Clone)]
pub struct SpeakerConfig {
    /// ALSA's name of the device, such as `default` or `plughw:1,0`.
    pub device: String,
    /// The folder of the recordings: `ID.wav`, 16 bits.
    pub prompts: PathBuf,
    /// Loudness, 0..=100.
    pub volume: u8,
}

/// The voice of a terminal. All its methods return at once.
pub struct Speaker {
    shared: Arc<Shared>,
    prompts: PathBuf,
    thread: Option<JoinHandle<()>>,
}

/// How the voice is.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    /// Prompts that were said to their end.
    pub n_said: u64,
    /// Prompts that were cut off or overtaken by a newer one.
    pub n_overtaken: u64,
    /// Why the last one was not heard.
    pub trouble: Option<SpeakerError>,
    /// Whether something is being said, or about to be.
    pub is_speaking: bool,
}

/// Opens the device; called again for each prompt after a fault.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Output>, SpeakerError> + Send>;

impl Speaker {
    /// A voice over ALSA. The device is opened with the first prompt.
    pub fn start(config: SpeakerConfig) -> Self {
        let device = config.device.clone();
        let open = move || Ok(Box::new(alsa::Device::open(&device)?) as Box<dyn Output>);
        Self::over(Box::new(open), config)
    }

    /// A voice over whatever `open` gives; the device of `config` is not looked at.
    pub fn over(open: Opener, config: SpeakerConfig) -> Self {
        let shared = Arc::new(Shared::default());
        shared.lock().volume = config.volume.min(100);
        let prompts = config.prompts.clone();
        let voice =
            Voice { shared: Arc::clone(&shared), open, output: None, prompts: config.prompts };
        let thread = thread::Builder::new().name("speaker".into());
        let thread = thread.spawn(move || voice.run());
        let thread = Some(thread.expect("a process can start one more thread"));
        Self { shared, prompts, thread }
    }

    /// Says a prompt. What is being said is cut off; what was to be said is forgotten.
    pub fn say(&self, id: &str) {
        self.shared.order(Some(id.to_owned()));
    }

    /// Says nothing more.
    pub fn hush(&self) {
        self.shared.order(None);
    }

    /// Sets the loudness, 0..=100, of what is being said too.
    pub fn set_volume(&self, percent: u8) {
        self.shared.lock().volume = percent.min(100);
    }

    /// How the voice is.
    pub fn condition(&self) -> Condition {
        self.shared.lock().condition.clone()
    }

    /// Whether there is a recording of this prompt.
    pub fn has(&self, id: &str) -> bool {
        recording(&self.prompts, id).is_some_and(|file| file.exists())
    }

    /// Waits until nothing is being said; for the morning check and for tests.
    pub fn wait_silent(&self, by: Instant) -> Condition {
        let mut state = self.shared.lock();
        while state.condition.is_speaking {
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.condition.clone()
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.shared.lock().must_end = true;
        self.shared.order(None);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl SpeakerError {
    /// A stable name for messages, logs and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "speaker-missing",
            Self::Busy => "speaker-busy",
            Self::Stalled => "speaker-stalled",
            Self::Failed(_) => "speaker-failed",
            Self::Recording(_) => "speaker-recording",
        }
    }
}

/// The ids that a folder has recordings of.
pub fn recordings(folder: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    names.filter_map(|name| Some(name.strip_suffix(".wav")?.to_owned())).collect()
}

/// Plays a short tone, for the morning check.
pub(crate) fn play_tone(config: &SpeakerConfig) -> Result<(), SpeakerError> {
    let tone = Sound::tone(TONE_HZ, TONE_LENGTH);
    let mut device = alsa::Device::open(&config.device)?;
    device.prepare(tone.rate_hz, tone.n_channels)?;
    for piece in tone.pieces(PIECE) {
        device.play(&at_volume(piece, config.volume))?;
    }
    device.finish()
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Counts orders: a new number means that something newer is wanted.
    order: u64,
    wanted: Option<String>,
    volume: u8,
    must_end: bool,
    condition: Condition,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, id: Option<String>) {
        let mut state = self.lock();
        state.order += 1;
        if state.wanted.is_some() {
            state.condition.n_overtaken += 1;
        }
        state.condition.is_speaking |= id.is_some();
        state.wanted = id;
        self.changed.notify_all();
    }

    /// The next prompt and the number of its order; `None` when it is over.
    fn next(&self) -> Option<(String, u64)> {
        let mut state = self.lock();
        loop {
            if state.must_end {
                return None;
            }
            if let Some(id) = state.wanted.take() {
                return Some((id, state.order));
            }
            state.condition.is_speaking = false;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_overtaken(&self, order: u64) -> bool {
        self.lock().order != order
    }
}

/// The thread and what it has.
struct Voice {
    shared: Arc<Shared>,
    open: Opener,
    output: Option<Box<dyn Output>>,
    prompts: PathBuf,
}

enum Said {
    All,
    Overtaken,
}

impl Voice {
    fn run(mut self) {
        while let Some((id, order)) = self.shared.next() {
            let said = self.say(&id, order);
            if let Err(error) = &said {
                // The device is opened anew for the next prompt; this one is past.
                self.output = None;
                warn!(code = error.code(), id, "a prompt was not heard");
            }
            let mut state = self.shared.lock();
            match said {
                Ok(Said::All) => {
                    state.condition.n_said += 1;
                    state.condition.trouble = None;
                }
                Ok(Said::Overtaken) => state.condition.n_overtaken += 1,
                Err(error) => state.condition.trouble = Some(error),
            }
        }
    }

    fn say(&mut self, id: &str, order: u64) -> Result<Said, SpeakerError> {
        let file = recording(&self.prompts, id);
        let file = file.ok_or_else(|| SpeakerError::Recording(format!("{id} is no id")))?;
        let sound = Sound::read(&file)
            .map_err(|error| SpeakerError::Recording(format!("{id}: {error}")))?;
        let was_open = self.output.is_some();
        match self.prepare(&sound) {
            // Pulled and plugged again since the last prompt.
            Err(_) if was_open => {
                self.output = None;
                self.prepare(&sound)?;
            }
            prepared => prepared?,
        }
        let output = self.output.as_mut().expect("a device was just prepared");
        for piece in sound.pieces(PIECE) {
            if self.shared.is_overtaken(order) {
                output.cut();
                return Ok(Said::Overtaken);
            }
            let volume = self.shared.lock().volume;
            output.play(&at_volume(piece, volume))?;
        }
        output.finish()?;
        Ok(Said::All)
    }

    fn prepare(&mut self, sound: &Sound) -> Result<(), SpeakerError> {
        if self.output.is_none() {
            self.output = Some((self.open)()?);
            debug!("sound device is open");
        }
        let output = self.output.as_mut().expect("a device was just opened");
        output.prepare(sound.rate_hz, sound.n_channels)
    }
}

/// Where the recording of a prompt is. An id is a plain word, and never a way to elsewhere.
fn recording(folder: &Path, id: &str) -> Option<PathBuf> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_id = !id.is_empty() && id.chars().all(is_plain);
    is_id.then(|| folder.join(format!("{id}.wav")))
}

/// Half of the way sounds about half as loud: the square of it, as ears go.
fn at_volume(samples: &[i16], percent: u8) -> Vec<i16> {
    let gain = i32::from(percent) * i32::from(percent);
    let louder = |sample: &i16| i32::from(*sample) * gain / 10_000;
    let within = |sample: i32| i16::try_from(sample).expect("a gain of at most one keeps it");
    samples.iter().map(|sample| within(louder(sample))).collect()
}

/// Old ears hear this well.
const TONE_HZ: u32 = 880;
const TONE_LENGTH: Duration = Duration::from_millis(300);
/// How much is played between two looks for a newer prompt.
pub const PIECE: Duration = Duration::from_millis(40);
/// A device that takes nothing for this long has stalled.
pub const STALL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
