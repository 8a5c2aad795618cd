//! The fingerprint module, used only as a camera for fingers: it takes an image and
//! sends it over a serial line. Its own templates and matching are not used, for they
//! cannot leave the module. Minutiae and comparison are for others.

pub mod commands;
pub mod frame;
pub mod profile;

use std::fmt;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use crate::finger_scanner::{self, Glass, LastImage, Look};
use crate::link::{Link, LinkConfig, LinkError};
use commands::{BAUD_STEP_HZ, Command, Confirmation, PARAMETERS_SIZE, Parameters};
use frame::{Kind, Parser};
use profile::{Lamp, Profile};

/// A module that answers.
pub struct Sensor {
    wire: Wire,
    settings: Settings,
    parameters: Parameters,
    must_lift: bool,
    must_reopen: bool,
    last_image: LastImage,
}

/// How to treat the module.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What kind of module it is.
    pub profile: &'static Profile,
    /// Line speeds to try, the likeliest first, in baud.
    pub baud_rates_hz: Vec<u32>,
    /// Password of the module, 0 from the factory.
    pub password: u32,
    /// Whether to ask the module's own opinion before the upload. Off by default: worn
    /// fingers that the module gives up on are still good enough for a better extractor.
    pub asks_opinion: bool,
}

/// How a capture ended, when nothing failed.
#[derive(Debug)]
pub enum Capture {
    /// The person can help it: try again.
    Retry(Retry),
    /// An image.
    Image(GreyImage),
}

/// Why there is no image yet, and by that what to ask the person for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No finger came before the deadline.
    NoFinger,
    /// Breathe on the finger, or press harder.
    TooDry,
    /// Wipe the finger.
    TooWet,
    /// Keep the finger still.
    Moved,
    /// Lay the finger flat, in the middle.
    TooFewPoints,
    /// The finger of the image before was never lifted.
    LiftFirst,
}

impl Retry {
    /// A stable name for messages and records.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoFinger => "finger-none",
            Self::TooDry => "finger-too-dry",
            Self::TooWet => "finger-too-wet",
            Self::Moved => "finger-moved",
            Self::TooFewPoints => "finger-too-few-points",
            Self::LiftFirst => "finger-lift-first",
        }
    }
}

/// A grey image of a finger, row by row from the top left. Prints without its content.
#[derive(Clone, PartialEq, Eq)]
pub struct GreyImage {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Pixels an inch.
    pub ppi: u32,
    /// `width * height` values, 0 is black ridge.
    pub pixels: Vec<u8>,
}

/// What is going on during a capture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress {
    /// Nothing on the glass yet.
    WaitingForFinger,
    /// The finger of the image before still lies there.
    WaitingForLift,
    /// The image is taken; the finger may be lifted.
    Taken,
    /// The image is on its way, 0.0 ..= 1.0.
    Uploading(f32),
}

/// The light on the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// Dark.
    Off,
    /// Put your finger here.
    Waiting,
    /// Keep it there.
    Busy,
    /// Done.
    Good,
    /// Something is wrong.
    Bad,
}

/// The module failed.
#[derive(Debug, thiserror::Error)]
pub enum SensorError {
    /// Nothing answers at any speed.
    #[error("fingerprint module does not answer")]
    Silent,
    /// The link is gone or cannot be opened.
    #[error("fingerprint module is not connected")]
    Unplugged(#[source] LinkError),
    /// Packets come damaged again and again.
    #[error("line to the fingerprint module damages bytes")]
    Garbled,
    /// The module wants another password.
    #[error("fingerprint module wants another password")]
    Password,
    /// The image has another size than the profile says.
    #[error("image has {got} bytes where the profile says {expected}")]
    OtherSize {
        /// Bytes that came.
        got: usize,
        /// Bytes of the profile.
        expected: usize,
    },
    /// The very same image came twice: the module repeats an old one.
    #[error("fingerprint module repeats an old image")]
    Repeats,
    /// The module reports a fault of its own.
    #[error("fingerprint module reports {0:#04x}")]
    Refused(u8),
}

impl Sensor {
    /// Opens the link, finds the module's speed, and raises it.
    pub fn open(link: &LinkConfig, settings: Settings) -> Result<Self, SensorError> {
        let first_hz = settings.baud_rates_hz.first().copied();
        let link = link.open(first_hz.unwrap_or(BAUD_DEFAULT_HZ));
        Self::over(link.map_err(SensorError::Unplugged)?, settings)
    }

    /// Takes an open link, finds the module's speed, and raises it.
    pub fn over(link: Box<dyn Link>, settings: Settings) -> Result<Self, SensorError> {
        let mut sensor = Self {
            wire: Wire::new(link),
            settings,
            parameters: UNKNOWN,
            must_lift: false,
            must_reopen: false,
            last_image: LastImage::default(),
        };
        sensor.prepare()?;
        Ok(sensor)
    }

    /// Waits for a finger until `deadline`, takes an image and brings it here. The upload
    /// may run past the deadline by [`Self::upload_max`]. After an error the next call
    /// reopens the device.
    pub fn capture(
        &mut self,
        deadline: Instant,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Capture, SensorError> {
        self.recovering(|sensor| sensor.capture_once(deadline, progress))
    }

    /// Waits until no finger is on the glass; `false` if one still is at `deadline`.
    pub fn finger_off(&mut self, deadline: Instant) -> Result<bool, SensorError> {
        self.recovering(|sensor| finger_scanner::wait_for_lift(sensor, deadline))
    }

    /// Shows a light, if the module has one.
    pub fn light(&mut self, light: Light) -> Result<(), SensorError> {
        let Some(command) = light_command(self.settings.profile.lamp, light) else {
            return Ok(());
        };
        self.recovering(|sensor| sensor.wire.command(command).map(|_| ()))
    }

    /// Asks the module for its parameters, as a sign of life.
    pub fn parameters(&mut self) -> Result<Parameters, SensorError> {
        self.recovering(|sensor| sensor.wire.parameters())
    }

    /// Longest time of an upload with all its repetitions at the present speed.
    pub fn upload_max(&self) -> Duration {
        (self.upload_time() + UPLOAD_SLACK + Duration::from_secs(1)) * UPLOADS_MAX
    }

    /// What kind of module it is.
    pub fn profile(&self) -> &'static Profile {
        self.settings.profile
    }

    fn upload_time(&self) -> Duration {
        let size = self.settings.profile.upload_size();
        let n_packets = size.div_ceil(self.parameters.packet_size);
        wire_time(size + n_packets * PACKET_OVERHEAD, self.wire.baud_hz)
    }

    fn recovering<T>(
        &mut self,
        mut act: impl FnMut(&mut Self) -> Result<T, Trouble>,
    ) -> Result<T, SensorError> {
        if self.must_reopen {
            self.reopen()?;
        }
        let mut tries_left = LINE_TRIES_MAX;
        loop {
            let trouble = match act(self) {
                Ok(value) => return Ok(value),
                Err(trouble) => trouble,
            };
            tries_left -= 1;
            let helps = matches!(trouble, Trouble::Silent | Trouble::Damaged);
            if helps && tries_left > 0 && self.wire.resync().is_ok() {
                debug!("fingerprint module: line resynchronised");
                continue;
            }
            self.must_reopen |= helps || matches!(trouble, Trouble::Link(_));
            return Err(trouble.into());
        }
    }

    fn reopen(&mut self) -> Result<(), SensorError> {
        warn!("fingerprint module is opened anew");
        self.wire.link.reopen().map_err(SensorError::Unplugged)?;
        self.prepare()?;
        self.must_reopen = false;
        Ok(())
    }

    /// Handshake, parameters, fastest safe speed, largest packets. After a speed at which
    /// the line fails comes the next slower one: a long or unshielded cable is slow and not broken.
    fn prepare(&mut self) -> Result<(), SensorError> {
        self.find_speed()?;
        let mut wished_hz = self.settings.profile.baud_max_hz;
        for _ in 1..SPEED_TRIES_MAX {
            match self.change_speed(wished_hz) {
                Ok(()) => return Ok(()),
                Err(Trouble::Silent | Trouble::Damaged) => {}
                Err(trouble) => return Err(trouble.into()),
            }
            wished_hz = self.slower_than(wished_hz);
            self.find_speed()?;
        }
        self.change_speed(wished_hz).map_err(SensorError::from)
    }

    /// Only a speed that is also looked for: the module keeps it, and must be found there
    /// when the answer to the change was lost.
    fn slower_than(&self, baud_hz: u32) -> u32 {
        let slower = self.settings.baud_rates_hz.iter().filter(|hz| **hz < baud_hz);
        slower.max().copied().unwrap_or(baud_hz)
    }

    fn find_speed(&mut self) -> Result<(), SensorError> {
        let mut rates = self.settings.baud_rates_hz.clone();
        if self.wire.baud_hz != 0 {
            rates.insert(0, self.wire.baud_hz);
        }
        rates.push(self.settings.profile.baud_max_hz);
        // A module that was just plugged in says nothing for up to 200 ms.
        rates.extend(rates.first().copied());
        for baud_hz in rates {
            if let Err(error) = self.wire.set_baud(baud_hz) {
                match error {
                    LinkError::Baud(_) => continue,
                    other => return Err(SensorError::Unplugged(other)),
                }
            }
            let hello = Command::VerifyPassword(self.settings.password);
            match self.wire.command(hello) {
                Ok(Confirmation::Ok) => return Ok(()),
                Ok(Confirmation::PasswordNeeded) => return Err(SensorError::Password),
                Ok(_) | Err(Trouble::Silent | Trouble::Damaged) => {}
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Err(SensorError::Silent)
    }

    fn change_speed(&mut self, wished_hz: u32) -> Result<(), Trouble> {
        self.parameters = self.wire.parameters()?;
        if self.parameters.packet_size < PACKET_SIZE_MAX {
            let largest = Command::SetPacketSize(PACKET_SIZE_MAX_CODE);
            self.wire.command(largest)?;
        }
        if self.wire.baud_hz != wished_hz {
            let n = u8::try_from(wished_hz / BAUD_STEP_HZ).expect("a profile has 24 steps at most");
            // The ack still comes at the old speed.
            self.wire.command(Command::SetBaud(n))?;
            self.wire.set_baud(wished_hz).map_err(Trouble::Link)?;
            self.wire.link.pause(BAUD_PAUSE);
        }
        for _ in 0..ECHOES_TO_TRUST {
            self.parameters = self.wire.parameters()?;
        }
        Ok(())
    }

    fn capture_once(
        &mut self,
        deadline: Instant,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Capture, Trouble> {
        let taken = match finger_scanner::wait_for_finger(self, deadline, progress)? {
            Ok(()) => self.opinion()?,
            Err(retry) => Err(retry),
        };
        if let Err(retry) = taken {
            return Ok(Capture::Retry(retry));
        }
        progress(Progress::Taken);
        let image = self.upload(progress)?;
        if self.last_image.is_repeated(&image.pixels) {
            return Err(Trouble::Repeats);
        }
        self.must_lift = true;
        Ok(Capture::Image(image))
    }

    fn opinion(&mut self) -> Result<Result<(), Retry>, Trouble> {
        if !self.settings.asks_opinion {
            return Ok(Ok(()));
        }
        match self.wire.command(Command::Characterise)? {
            Confirmation::Ok => Ok(Ok(())),
            other => coaching(other).map(Err),
        }
    }

    /// The image stays in the module, so a damaged upload is simply asked for again.
    fn upload(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<GreyImage, Trouble> {
        let mut result = self.upload_once(progress);
        for _ in 1..UPLOADS_MAX {
            if !matches!(result, Err(Trouble::Silent | Trouble::Damaged)) {
                break;
            }
            self.wire.resync()?;
            result = self.upload_once(progress);
        }
        result
    }

    fn upload_once(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<GreyImage, Trouble> {
        let profile = self.settings.profile;
        let deadline = self.wire.link.now() + self.upload_time() + UPLOAD_SLACK;
        progress(Progress::Uploading(0.0));
        match self.wire.command(Command::UploadImage)? {
            Confirmation::Ok => {}
            Confirmation::Other(code) => return Err(Trouble::Refused(code)),
            _ => return Err(Trouble::Damaged),
        }
        let expected = profile.upload_size();
        let upload = self.wire.data(expected, deadline, &mut |done| {
            progress(Progress::Uploading(done as f32 / expected as f32));
        })?;
        if upload.len() != expected {
            let got = upload.len();
            return Err(Trouble::OtherSize { got, expected });
        }
        Ok(GreyImage {
            width: profile.width,
            height: profile.height,
            ppi: profile.ppi,
            pixels: profile.unpack(&upload),
        })
    }
}

impl Glass for Sensor {
    /// The image stays in the module until it is asked for.
    type Finger = ();
    type Fault = Trouble;

    fn look(&mut self) -> Result<Look<()>, Trouble> {
        match self.wire.command(Command::TakeImage)? {
            Confirmation::Ok => Ok(Look::Finger(())),
            Confirmation::NoFinger => Ok(Look::Empty),
            other => coaching(other).map(Look::Poor),
        }
    }

    fn must_lift(&mut self) -> &mut bool {
        &mut self.must_lift
    }

    fn now(&self) -> Instant {
        self.wire.link.now()
    }

    fn pause(&mut self) {
        self.wire.link.pause(FINGER_POLL);
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            profile: &profile::PROFILES[0],
            baud_rates_hz: vec![57_600, 115_200, 9_600, 19_200, 38_400],
            password: 0,
            asks_opinion: false,
        }
    }
}

impl fmt::Debug for GreyImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GreyImage({}x{}, …)", self.width, self.height)
    }
}

impl SensorError {
    /// A stable name for messages, logs and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Silent => "finger-reader-silent",
            Self::Unplugged(_) => "finger-reader-unplugged",
            Self::Garbled => "finger-reader-garbled",
            Self::Password => "finger-reader-password",
            Self::OtherSize { .. } => "finger-reader-other-size",
            Self::Repeats => "finger-reader-repeats",
            Self::Refused(_) => "finger-reader-refused",
        }
    }
}

impl From<Trouble> for SensorError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Silent => Self::Silent,
            Trouble::Damaged => Self::Garbled,
            Trouble::Link(error) => Self::Unplugged(error),
            Trouble::OtherSize { got, expected } => Self::OtherSize { got, expected },
            Trouble::Repeats => Self::Repeats,
            Trouble::Refused(code) => Self::Refused(code),
        }
    }
}

/// What can go wrong with one command, before it is known whether it matters.
pub(crate) enum Trouble {
    Silent,
    Damaged,
    Link(LinkError),
    OtherSize { got: usize, expected: usize },
    Repeats,
    Refused(u8),
}

/// Commands and answers over the link, half duplex.
struct Wire {
    link: Box<dyn Link>,
    parser: Parser,
    baud_hz: u32,
}

impl Wire {
    fn new(link: Box<dyn Link>) -> Self {
        Self { link, parser: Parser::new(ADDRESS), baud_hz: 0 }
    }

    fn set_baud(&mut self, baud_hz: u32) -> Result<(), LinkError> {
        self.link.set_baud(baud_hz)?;
        self.baud_hz = baud_hz;
        Ok(())
    }

    fn command(&mut self, command: Command) -> Result<Confirmation, Trouble> {
        let ack = self.exchange(command)?;
        Ok(Confirmation::of(ack[0]))
    }

    fn parameters(&mut self) -> Result<Parameters, Trouble> {
        let ack = self.exchange(Command::ReadParameters)?;
        let block: &[u8; PARAMETERS_SIZE] = match ack[1..].try_into() {
            Ok(block) => block,
            Err(_) => return Err(Trouble::Refused(ack[0])),
        };
        Parameters::parse(block).ok_or(Trouble::Damaged)
    }

    /// Sends a command and waits for an ack that can be its own; never empty.
    fn exchange(&mut self, command: Command) -> Result<Vec<u8>, Trouble> {
        self.link.flush_input().map_err(Trouble::Link)?;
        self.parser.clear();
        let packet = frame::encode(ADDRESS, Kind::Command, &command.payload());
        let patience = match command {
            Command::TakeImage | Command::Characterise => SLOW_ACK,
            _ => QUICK_ACK,
        };
        let on_wire = wire_time(packet.len() + 32, self.baud_hz);
        let deadline = self.link.now() + patience + on_wire;
        self.link.write_all(&packet, deadline).map_err(Trouble::Link)?;
        loop {
            let packet = self.packet(deadline)?;
            if packet.kind == Kind::Ack && command.accepts(&packet.payload) {
                return Ok(packet.payload);
            }
        }
    }

    /// Collects data packets until the last one.
    fn data(
        &mut self,
        expected: usize,
        deadline: Instant,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<u8>, Trouble> {
        let mut data = Vec::with_capacity(expected);
        loop {
            let packet = self.packet(deadline)?;
            if self.parser.take_saw_junk() {
                return Err(Trouble::Damaged);
            }
            if packet.kind == Kind::Ack {
                return Err(Trouble::Damaged);
            }
            data.extend(packet.payload);
            progress(data.len().min(expected));
            if packet.kind == Kind::EndOfData || data.len() > expected {
                return Ok(data);
            }
        }
    }

    fn packet(&mut self, deadline: Instant) -> Result<frame::Packet, Trouble> {
        let mut some = [0; 512];
        loop {
            if let Some(packet) = self.parser.next_packet() {
                return Ok(packet);
            }
            match self.link.read(&mut some, deadline) {
                Ok(0) => return Err(Trouble::Silent),
                Ok(n) => self.parser.push(&some[..n]),
                Err(error) => return Err(Trouble::Link(error)),
            }
            if self.link.now() > deadline {
                return Err(Trouble::Silent);
            }
        }
    }

    /// Makes sure that nothing late is under way: waits until the line is quiet, then
    /// asks for the parameters, whose length no other ack has.
    fn resync(&mut self) -> Result<(), Trouble> {
        let mut some = [0; 512];
        let quiet_by = self.link.now() + DRAIN_MAX;
        while self.link.now() < quiet_by {
            let until = quiet_by.min(self.link.now() + QUIET);
            if self.link.read(&mut some, until).map_err(Trouble::Link)? == 0 {
                break;
            }
        }
        let mut result = self.parameters();
        for _ in 1..LINE_TRIES_MAX {
            if result.is_ok() {
                break;
            }
            result = self.parameters();
        }
        result.map(|_| ())
    }
}

/// What a code other than "taken" or "no finger" asks the person for.
fn coaching(confirmation: Confirmation) -> Result<Retry, Trouble> {
    match confirmation {
        Confirmation::TooDry => Ok(Retry::TooDry),
        Confirmation::TooWet => Ok(Retry::TooWet),
        Confirmation::Smeared => Ok(Retry::Moved),
        Confirmation::TooFewPoints => Ok(Retry::TooFewPoints),
        // 03: the module's own word for a bad picture.
        Confirmation::Other(0x03) => Ok(Retry::TooDry),
        Confirmation::Other(code) => Err(Trouble::Refused(code)),
        _ => Err(Trouble::Damaged),
    }
}

/// Ring: control 1 breathes, 3 is steady on, 4 off; colours 1 red, 2 blue, 4 green.
fn light_command(lamp: Lamp, light: Light) -> Option<Command> {
    match (lamp, light) {
        (Lamp::None, _) => None,
        (Lamp::OnOff, light) => Some(Command::Lamp(light != Light::Off)),
        (Lamp::Ring, Light::Off) => Some(Command::Ring([4, 0, 1, 0])),
        (Lamp::Ring, Light::Waiting) => Some(Command::Ring([1, 100, 2, 0])),
        (Lamp::Ring, Light::Busy) => Some(Command::Ring([3, 0, 2, 0])),
        (Lamp::Ring, Light::Good) => Some(Command::Ring([3, 0, 4, 0])),
        (Lamp::Ring, Light::Bad) => Some(Command::Ring([3, 0, 1, 0])),
    }
}

/// Time of `n_bytes` on the wire at 8N1, ten bits a byte.
fn wire_time(n_bytes: usize, baud_hz: u32) -> Duration {
    let bits = 10 * n_bytes as u64;
    Duration::from_micros(bits * 1_000_000 / u64::from(baud_hz.max(1200)))
}

const ADDRESS: u32 = 0xFFFF_FFFF;
const BAUD_DEFAULT_HZ: u32 = 57_600;
const PACKET_SIZE_MAX: usize = 256;
const PACKET_SIZE_MAX_CODE: u8 = 3;
const PACKET_OVERHEAD: usize = 11;
const LINE_TRIES_MAX: u32 = 3;
const UPLOADS_MAX: u32 = 3;
const SPEED_TRIES_MAX: u32 = 3;
const ECHOES_TO_TRUST: u32 = 3;
const QUICK_ACK: Duration = Duration::from_millis(300);
/// A module that sees a finger takes its time over the image.
const SLOW_ACK: Duration = Duration::from_millis(1500);
const UPLOAD_SLACK: Duration = Duration::from_secs(2);
const FINGER_POLL: Duration = Duration::from_millis(100);
const BAUD_PAUSE: Duration = Duration::from_millis(30);
const QUIET: Duration = Duration::from_millis(150);
const DRAIN_MAX: Duration = Duration::from_secs(5);
const UNKNOWN: Parameters = Parameters {
    system_id: 0,
    library_size: 0,
    address: ADDRESS,
    packet_size: 32,
    baud_hz: BAUD_DEFAULT_HZ,
};
