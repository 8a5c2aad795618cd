//! `/etc/kiosk/kiosk.toml`, then `/etc/kiosk/kiosk.d/*.toml` in order. Unknown keys are refused with file and line.

mod devices;

use std::path::{Path, PathBuf};

use drivers::camera::Rotation;
use drivers::fingerprint::profile::Profile;
use kiosk_core::operator::Operator;
use kiosk_sync::update::is_variant;
use serde::Deserialize;

pub use devices::{
    CustomerDisplayConfig, LivescanConfig, PanelConfig, PowerConfig, SocialCardConfig,
    SpeakerConfig,
};

use crate::line::LineConfig;

/// Everything a terminal is told about the place it stands in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where things are.
    pub terminal: TerminalConfig,
    /// The central authority.
    pub authority: AuthorityConfig,
    /// Serial line of the ID-card reader.
    pub id_card: Option<IdCardConfig>,
    /// The fingerprint module or scanner.
    pub fingerprint: Option<FingerprintConfig>,
    /// Serial line of the receipt printer.
    pub printer: Option<PrinterConfig>,
    /// The camera that sees the person.
    pub camera: Option<CameraConfig>,
    /// The camera that sees papers on the desk; without it they are held before the other one.
    pub document_camera: Option<CameraConfig>,
    /// The reader for social-security cards.
    pub social_card: Option<SocialCardConfig>,
    /// The voice.
    pub speaker: Option<SpeakerConfig>,
    /// Lamps, light, buzzer, switches.
    pub panel: Option<PanelConfig>,
    /// The little display that faces the customer.
    pub customer_display: Option<CustomerDisplayConfig>,
    /// When a battery is empty, and what then.
    #[serde(default)]
    pub power: PowerConfig,
    /// Who may sign in.
    #[serde(default)]
    pub operator: Vec<OperatorConfig>,
    /// How a new terminal is told where it stands.
    pub setup: Option<SetupConfig>,
    /// The partition that everything is kept on; none: folders like any other.
    pub data: Option<DataConfig>,
    /// Who sets the machine's clock by the centre's time; none: it stays as it is.
    pub clock: Option<ClockConfig>,
    /// Who sets the line to the authority; none: it stays as it is.
    pub network: Option<NetworkConfig>,
    /// The address that the site gives this terminal; none: the office's router gives one.
    pub line: Option<LineConfig>,
    /// Updates from the authority; none: they come in another way.
    pub update: Option<UpdateConfig>,
    /// Who starts the machine again only where nobody is served; none: nobody asks.
    pub served: Option<ServedConfig>,
}

/// See [`Config::clock`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockConfig {
    /// Left for whoever may set the clock: the centre's time in milliseconds since 1970, and the milliseconds since the
    /// machine's start at which that was true.
    pub word: PathBuf,
}

/// See [`Config::network`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Left for whoever may set the line: `router`, or `ADDRESS/BITS GATEWAY NAMES...` with `-` where there is no gateway.
    pub word: PathBuf,
}

/// See [`Config::update`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateConfig {
    /// Writable: where an update is gathered, and lies as `update.raucb` until whoever may install it takes it.
    pub folder: PathBuf,
    /// Which kind of terminal this is.
    pub variant: String,
    /// Holds the edition that runs.
    #[serde(default = "edition_file")]
    pub edition_file: PathBuf,
    /// Seconds between two questions for another one.
    #[serde(default = "update_every_s")]
    pub every_s: u64,
}

/// See [`Config::served`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServedConfig {
    /// Is there while somebody has signed in or looks at the devices, and at no other time. Holds nothing.
    pub file: PathBuf,
}

/// See [`Config::data`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Folders that must be mount points; else the terminal does not serve.
    pub mounted: Vec<PathBuf>,
    /// Where whoever opens the partition leaves the code of what went wrong.
    pub fault: PathBuf,
}

/// See [`Config::setup`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupConfig {
    /// Where the agency's sealed file appears.
    pub file: PathBuf,
    /// Writable: takes `provisioned` and `settings` out of it. `[terminal] provisioned` and the folder of further settings
    /// are below it.
    pub site: PathBuf,
}

/// See [`Config::terminal`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TerminalConfig {
    /// Name of the site, shown and printed.
    pub site_name: String,
    /// Writable: store, keys.
    pub state: PathBuf,
    /// What the authority gave this terminal (`kiosk/sync/PROTOCOL.md`).
    pub provisioned: PathBuf,
    /// Weights, as `models fetch` left them.
    pub models: PathBuf,
    /// Width and height of the screen in pixels, where it is drawn in memory.
    #[serde(default = "screen_size")]
    #[cfg_attr(not(feature = "desk"), expect(dead_code, reason = "a real screen knows its size"))]
    pub screen: (u32, u32),
}

/// See [`Config::authority`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityConfig {
    /// `https://HOST:PORT`.
    pub url: Option<String>,
    /// A file that holds `HOST:PORT`, read again at each attempt.
    pub address_file: Option<PathBuf>,
    /// Seconds between attempts when nothing new was recorded.
    #[serde(default = "sync_every_s")]
    pub every_s: u64,
}

/// See [`Config::id_card`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdCardConfig {
    /// Device node.
    pub port: PathBuf,
    /// Program that decodes the photo block, with its arguments. None: the visit goes on without the chip photo.
    #[serde(default)]
    pub photo_decoder: Vec<String>,
}

/// See [`Config::fingerprint`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FingerprintConfig {
    /// Device node of a serial module. This, or `livescan`.
    pub port: Option<PathBuf>,
    /// Name of the module's profile.
    #[serde(default = "finger_profile")]
    pub profile: String,
    /// A scanner that its maker's library drives.
    pub livescan: Option<LivescanConfig>,
}

/// See [`Config::printer`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrinterConfig {
    /// Device node.
    pub port: PathBuf,
    /// Line speed in baud.
    #[serde(default = "printer_baud_hz")]
    pub baud_hz: u32,
    /// Dots across the paper: 384 for 58 mm, 576 for 80 mm.
    #[serde(default = "printer_width_dots")]
    pub width_dots: u32,
}

/// See [`Config::camera`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// Device node.
    pub device: PathBuf,
    /// Degrees clockwise that make the picture upright.
    #[serde(default)]
    pub rotation: u16,
}

/// Somebody who may sign in here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorConfig {
    /// Who they are and what they may do.
    pub who: Operator,
    /// Argon2id hash of their PIN (PHC string), made by `kiosk hash-pin`.
    pub pin_hash: String,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] std::io::Error),
    /// The file says something that is not understood; the source names line and key.
    #[error("{0} is not right")]
    Parse(PathBuf, #[source] Box<toml::de::Error>),
    /// A value cannot be used.
    #[error("{0}")]
    Value(String),
    /// Nothing is wrong, but the site has not said who serves there.
    #[error("{0}")]
    NotSetUp(String),
}

impl Config {
    /// Reads a file and the `*.toml` files of the folder beside it that has its name with `.d` instead of `.toml`.
    ///
    /// A table of a later file replaces the same table of an earlier one.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        Self::read_with(file, &file.with_extension("d"))
    }

    /// As [`Self::read`] with another folder.
    pub fn read_with(file: &Path, folder: &Path) -> Result<Self, ConfigError> {
        let config = merged(file, folder)?;
        config.check()?;
        Ok(config)
    }

    /// As [`Self::read`] where nothing of the site may be there yet.
    pub fn read_incomplete(file: &Path) -> Result<Self, ConfigError> {
        merged(file, &file.with_extension("d"))
    }

    /// Whether keys and site are there.
    pub fn is_set_up(&self) -> bool {
        !self.operator.is_empty() && self.terminal.provisioned.join("authority.toml").exists()
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.authority.url.is_none() && self.authority.address_file.is_none() {
            return Err(ConfigError::Value("[authority] needs url or address_file".into()));
        }
        if self.operator.is_empty() {
            return Err(ConfigError::NotSetUp("no [[operator]]: nobody could sign in".into()));
        }
        let line = self.line.as_ref().map_or(Ok(()), LineConfig::check);
        line.and_then(|()| self.check_devices()).map_err(ConfigError::Value)
    }

    /// What no type can hold: values that exclude each other, and numbers out of bounds.
    fn check_devices(&self) -> Result<(), String> {
        let percents = [
            ("[speaker] volume", self.speaker.as_ref().map(|speaker| speaker.volume)),
            ("[panel] fill_percent", self.panel.as_ref().map(|panel| panel.fill_percent)),
            ("[power] low_percent", Some(self.power.low_percent)),
        ];
        for (name, percent) in percents {
            if percent.is_some_and(|percent| percent > 100) {
                return Err(format!("{name} is more than 100"));
            }
        }
        if self.power.critical_percent >= self.power.low_percent {
            return Err("[power] critical_percent is not below low_percent".into());
        }
        for (name, camera) in [("camera", &self.camera), ("document_camera", &self.document_camera)]
        {
            let rotation = camera.as_ref().map_or(0, |camera| camera.rotation);
            if Rotation::from_degrees(rotation).is_none() {
                return Err(format!("[{name}] rotation is none of 0, 90, 180, 270"));
            }
        }
        if let Some(update) = self.update.as_ref().filter(|update| !is_variant(&update.variant)) {
            return Err(format!("[update] variant {} is no kind of terminal", update.variant));
        }
        if let Some(panel) = &self.panel {
            panel.settings().check().map_err(|problem| format!("[panel]: {problem}"))?;
        }
        self.fingerprint.as_ref().map_or(Ok(()), FingerprintConfig::check)
    }
}

impl FingerprintConfig {
    fn check(&self) -> Result<(), String> {
        match (&self.port, &self.livescan) {
            (Some(_), Some(_)) => Err("[fingerprint] has both port and livescan".into()),
            (None, None) => Err("[fingerprint] needs port or livescan".into()),
            (None, Some(livescan)) if livescan.command.is_empty() => {
                Err("[fingerprint.livescan] command names no program".into())
            }
            (Some(_), None) if Profile::named(&self.profile).is_none() => {
                Err(format!("[fingerprint] profile {} is not known", self.profile))
            }
            _ => Ok(()),
        }
    }
}

fn merged(file: &Path, folder: &Path) -> Result<Config, ConfigError> {
    let mut merged = parse(file, true)?;
    for part in parts(folder)? {
        merged.extend(parse(&part, false)?);
    }
    let text = toml::to_string(&merged).expect("a table that was parsed can be written");
    toml::from_str(&text).map_err(|e| ConfigError::Parse(file.into(), Box::new(e)))
}

fn parse(file: &Path, is_whole: bool) -> Result<toml::Table, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|e| ConfigError::Read(file.into(), e))?;
    // Parsed twice: once alone, so that an unknown key is told with this file's own line.
    if is_whole {
        toml::from_str::<Config>(&text)
            .map_err(|e| ConfigError::Parse(file.into(), Box::new(e)))?;
    }
    toml::from_str(&text).map_err(|e| ConfigError::Parse(file.into(), Box::new(e)))
}

fn parts(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let read = |e| ConfigError::Read(folder.into(), e);
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            parts.push(path);
        }
    }
    parts.sort();
    Ok(parts)
}

fn screen_size() -> (u32, u32) {
    (1280, 800)
}

fn sync_every_s() -> u64 {
    300
}

fn edition_file() -> PathBuf {
    "/usr/share/kiosk/version".into()
}

fn update_every_s() -> u64 {
    6 * 3600
}

fn finger_profile() -> String {
    "as608".into()
}

fn printer_baud_hz() -> u32 {
    115_200
}

fn printer_width_dots() -> u32 {
    576
}

#[cfg(test)]
mod tests;
