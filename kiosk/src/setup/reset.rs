//! The authority's order to begin anew, for a terminal that moves to another site or whose settings are wrong. A stick
//! brings it, signed for this terminal; between two visits the site is set aside, and the terminal waits to be set up.
//! The store, its key and all that was recorded stay where they are, and what waits is sent once it is set up again.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use kiosk_sync::{AuthorityKeys, ContentType, VerifyKey, open_signed};
use serde::Deserialize;

use crate::config::SetupConfig;

/// Looks for the order.
pub struct Reset {
    /// Where root lays what a stick brought.
    file: PathBuf,
    site: PathBuf,
    device: String,
    key: VerifyKey,
    /// When the file that was looked at last was written.
    seen: Option<SystemTime>,
    state: State,
}

/// What came of the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No order, or one that was obeyed already.
    None,
    /// Something that is not the authority's, or not for this terminal.
    Refused,
    /// To be obeyed between two visits: when it was given, milliseconds since 1970-01-01 UTC.
    Ordered(u64),
}

/// What the authority signs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    device: String,
    ordered_ms: u64,
}

impl Reset {
    /// For this terminal; the order comes beside the agency's file.
    pub fn new(setup: &SetupConfig, keys: &AuthorityKeys) -> Self {
        Self {
            file: setup.file.with_file_name(FILE),
            site: setup.site.clone(),
            device: keys.device.clone(),
            key: keys.down.clone(),
            seen: None,
            state: State::None,
        }
    }

    /// What a stick brought.
    pub fn look(&mut self) -> State {
        let written = fs::metadata(&self.file).and_then(|meta| meta.modified()).ok();
        if written != self.seen {
            self.seen = written;
            self.state = written.map_or(State::None, |_| self.read());
        }
        self.state
    }

    fn read(&self) -> State {
        let order = fs::read(&self.file).ok().filter(|bytes| bytes.len() <= BYTES_MAX);
        let order = order.and_then(|bytes| {
            let text = open_signed(ContentType::Reset, &self.key, &bytes).ok()?.to_vec();
            serde_json::from_slice(&text).ok()
        });
        match order {
            Some(Order { device, ordered_ms }) if device == self.device => {
                match self.obeyed().is_some_and(|last| last >= ordered_ms) {
                    true => State::None,
                    false => State::Ordered(ordered_ms),
                }
            }
            _ => State::Refused,
        }
    }

    /// The last order that was obeyed: the site that it ended is called after it, so that both are one step and the same
    /// stick does nothing twice.
    fn obeyed(&self) -> Option<u64> {
        let name = self.site.file_name()?.to_str()?;
        let beside = fs::read_dir(self.site.parent()?).ok()?;
        let names = beside.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter_map(|it| it.strip_prefix(name)?.strip_prefix(BEFORE)?.parse().ok()).max()
    }

    /// Sets the site aside, where there is an order: keys and settings of before are kept. What cannot be done, on a card
    /// that takes nothing any more, is not tried again and again.
    pub fn obey(&mut self) -> io::Result<()> {
        let State::Ordered(ordered_ms) = std::mem::replace(&mut self.state, State::None) else {
            return Ok(());
        };
        let mut aside = self.site.clone().into_os_string();
        aside.push(format!("{BEFORE}{ordered_ms}"));
        fs::rename(&self.site, &aside)?;
        fs::File::open(self.site.parent().unwrap_or(&self.site))?.sync_all()
    }
}

/// On the stick.
const FILE: &str = "reset.kiosk";
/// Between the site's name and the order that ended it.
const BEFORE: &str = ".before-";
/// An order is some two hundred bytes.
const BYTES_MAX: usize = 4096;
