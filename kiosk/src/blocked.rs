//! The terminal cannot serve at all: its data partition did not open, or its store does not. The screen says so, with
//! what to do and a code for whoever is called; a black screen would say nothing.

use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use kiosk_core::message::{Arg, Id, Say};
use kiosk_core::view::{Header, View};
use tracing::error;
use ui::Screen;

use crate::config::DataConfig;
use crate::watchdog::Watchdog;
use crate::window::words;

/// What is wrong with the data partition, if it may not be used.
pub fn trouble(data: &DataConfig) -> Option<Id> {
    if data.mounted.iter().all(|place| is_mounted(place)) {
        return None;
    }
    let code = fs::read_to_string(&data.fault).unwrap_or_default();
    Some(Id::named(code.trim()).unwrap_or(Id::ErrDataGone))
}

/// The file systems of a place and of the folder that it is in differ.
fn is_mounted(place: &Path) -> bool {
    let file_system = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    let (own, around) = (file_system(place), place.parent().and_then(file_system));
    own.is_some() && own != around
}

/// Shows it for a while, or until it `is_over`; whoever started the program starts it again then. Systemd hears that
/// the terminal is ready only if `is_told_ready`: an edition whose own start fails must not pass for one that works.
pub fn show(
    what: Id,
    is_told_ready: bool,
    is_over: impl Fn() -> bool + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    error!(code = what.name(), "the terminal cannot serve");
    let screen = Screen::window()?;
    let proxy = screen.proxy();
    let waits = thread::Builder::new().name("blocked".into()).spawn(move || {
        let mut watchdog = Watchdog::of_systemd();
        proxy.show(view(what));
        if is_told_ready {
            watchdog.ready();
        }
        let shown = Instant::now();
        while shown.elapsed() < SHOWN_FOR && !is_over() {
            thread::sleep(LOOK_EVERY);
            watchdog.turned();
        }
        proxy.quit();
    })?;
    screen.run()?;
    drop(screen);
    waits.join().map_err(|_| "the screen fell over")?;
    Ok(())
}

fn view(what: Id) -> View {
    let remedy = what.name().replacen("err-", "rec-", 1);
    let code = Id::BlockedCode.with([Arg::Text(what.name().into())]);
    let lines = [Some(what.into()), Id::named(&remedy).map(Say::from), Some(code)];
    let page = words(Id::BlockedTitle, lines.into_iter().flatten());
    View { header: Header::default(), page }
}

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Less than the unit waits for a start (`TimeoutStartSec`).
const SHOWN_FOR: Duration = Duration::from_secs(150);

#[cfg(test)]
mod tests {
    use super::*;
    use kiosk_core::view::Page;

    #[test]
    fn a_folder_that_is_no_mount_is_told_with_the_code_that_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let fault = folder.path().join("fault");
        let data = DataConfig { mounted: vec!["/proc".into()], fault: fault.clone() };
        assert_eq!(trouble(&data), None, "a file system of its own");
        let data = DataConfig { mounted: vec![folder.path().join("data")], fault: fault.clone() };
        assert_eq!(trouble(&data), Some(Id::ErrDataGone), "it is not even there");
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(&fault, "err-data-key\n").unwrap();
        assert_eq!(trouble(&data), Some(Id::ErrDataKey));
    }

    #[test]
    fn the_page_says_what_happened_what_to_do_and_the_code() {
        let Page::Choice(page) = view(Id::ErrDataFiles).page else { panic!("not a page of words") };
        let said: Vec<Id> = page.lines.iter().map(|line| line.id).collect();
        assert_eq!(said, [Id::ErrDataFiles, Id::RecDataFiles, Id::BlockedCode]);
    }
}
