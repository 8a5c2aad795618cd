//! The first start: the terminal has no keys, no site and nobody who may sign in, and says so. It is set up by a file
//! that the agency sealed with a code of ten digits; the file comes on a USB stick, the code by another way.

pub mod reset;
pub mod sealed;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, SystemTime};

use kiosk_core::message::Id;
use kiosk_core::view::{Header, Page, SignIn, Tap, View};
use tracing::{info, warn};
use ui::{Proxy, Screen};
use zeroize::Zeroizing;

use crate::config::{Config, SetupConfig};
use crate::watchdog::Watchdog;
use crate::window::words;

/// Shows what to do until the terminal is set up; whoever started the program starts it again then.
pub fn run(file: &Path) -> Result<(), Box<dyn Error>> {
    let config = Config::read_incomplete(file)?;
    let setup = config.setup.ok_or("the terminal is not set up, and has no [setup]")?;
    let screen = Screen::window()?;
    let (sender, taps) = mpsc::channel();
    screen.on_tap(move |tap| {
        // Nobody listens any more: the window closes.
        let _ = sender.send(tap);
    });
    let (proxy, file) = (screen.proxy(), file.to_owned());
    let waits = thread::Builder::new().name("setup".into()).spawn(move || {
        wait(&file, setup, &taps, &proxy);
        proxy.quit();
    })?;
    screen.run()?;
    // The window was closed: the thread hears it, as nobody taps any more.
    drop(screen);
    waits.join().map_err(|_| "setting up fell over")?;
    Ok(())
}

/// Until it is set up or the window is gone.
fn wait(config: &Path, setup: SetupConfig, taps: &Receiver<Tap>, proxy: &Proxy) {
    let mut watchdog = Watchdog::of_systemd();
    let mut desk = Desk::new(config.to_owned(), setup);
    desk.look();
    proxy.show(desk.view());
    watchdog.ready();
    info!("not set up: waiting for the agency's file");
    while !desk.is_done {
        match taps.recv_timeout(LOOK_EVERY) {
            Ok(Tap::EnterPin) if desk.can_open() => {
                desk.opening();
                proxy.show(desk.view());
                desk.open();
            }
            Ok(tap) => desk.press(&tap),
            Err(RecvTimeoutError::Timeout) => desk.look(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        proxy.show(desk.view());
        watchdog.turned();
    }
    info!("set up");
}

/// What is known and typed so far.
struct Desk {
    config: PathBuf,
    setup: SetupConfig,
    /// When the file that lies there was written; none: none lies there.
    found: Option<SystemTime>,
    code: Zeroizing<String>,
    trouble: Option<Id>,
    is_opening: bool,
    is_done: bool,
}

impl Desk {
    fn new(config: PathBuf, setup: SetupConfig) -> Self {
        let (code, trouble) = (Zeroizing::default(), None);
        Self { config, setup, found: None, code, trouble, is_opening: false, is_done: false }
    }

    /// A stick was plugged in, or another one.
    fn look(&mut self) {
        let written = std::fs::metadata(&self.setup.file).and_then(|meta| meta.modified()).ok();
        if written != self.found {
            self.found = written;
            self.code.clear();
            self.trouble = None;
        }
    }

    fn press(&mut self, tap: &Tap) {
        match tap {
            Tap::Digit(digit) if self.code.len() < sealed::CODE_DIGITS => {
                self.code.push(char::from(b'0' + digit % 10));
                self.trouble = None;
            }
            Tap::EraseDigit => drop(self.code.pop()),
            _ => {}
        }
    }

    fn can_open(&self) -> bool {
        self.found.is_some() && self.code.len() == sealed::CODE_DIGITS
    }

    /// The key of the file takes a second or two to compute.
    fn opening(&mut self) {
        self.is_opening = true;
    }

    fn open(&mut self) {
        let code = std::mem::take(&mut self.code);
        let done = sealed::install(&self.setup, &self.config, &code);
        self.is_opening = false;
        match done {
            Ok(()) => self.is_done = true,
            Err(problem) => {
                warn!("{}", crate::chain(&problem));
                self.trouble = Some(problem.told());
            }
        }
    }

    fn view(&self) -> View {
        let page = match (self.is_opening || self.is_done, self.found) {
            (true, _) => words(Id::SetupTitle, [Id::SetupOpening]),
            (false, None) => {
                words(Id::SetupTitle, [Id::SetupStick, Id::SetupCodeApart, Id::SetupHelp])
            }
            (false, Some(_)) => self.pad(),
        };
        View { header: Header::default(), page }
    }

    fn pad(&self) -> Page {
        Page::SignIn(SignIn {
            title: Some(Id::SetupCode),
            // The pad takes digits for somebody; nobody is known here yet.
            picked: Some(String::new()),
            n_digits: u8::try_from(self.code.len()).unwrap_or(u8::MAX),
            notice: self.trouble.map(Into::into),
            ..SignIn::default()
        })
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_follows_the_stick_and_the_digits() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("setup.kiosk");
        let setup = SetupConfig { file: file.clone(), site: folder.path().join("site") };
        let mut desk = Desk::new(folder.path().join("kiosk.toml"), setup);
        desk.look();
        assert!(matches!(desk.view().page, Page::Choice(_)), "no stick yet");
        std::fs::write(&file, b"not sealed at all").unwrap();
        desk.look();
        for digit in 0..12 {
            assert_eq!(desk.can_open(), digit >= 10);
            desk.press(&Tap::Digit(digit % 10));
        }
        assert!(matches!(desk.view().page, Page::SignIn(page) if page.n_digits == 10));
        desk.open();
        let Page::SignIn(page) = desk.view().page else { panic!("still asked for the code") };
        assert_eq!(page.notice.map(|notice| notice.id), Some(Id::SetupNotOurs));
        std::fs::remove_file(&file).unwrap();
        desk.look();
        assert!(matches!(desk.view().page, Page::Choice(_)), "the stick is gone");
    }
}
