//! `kiosk run`: the loop on a thread of its own, the window or the bare screen on the main one.

use std::error::Error;
use std::path::Path;
use std::thread;

use image::RgbImage;
use kiosk_core::event::Event;
use kiosk_core::message::{Id, Say};
use kiosk_core::view::{Choice, Page, View};
use tracing::error;
use ui::{Proxy, Screen};

use crate::blocked;
use crate::clock::Clock;
use crate::config::Config;
use crate::happening::Happening;
use crate::ids::Ids;
use crate::line;
use crate::rooms::face::OpenCamera;
use crate::served::Served;
use crate::setup;
use crate::shell::{Display, Outside, Shell, real_camera};
use crate::watchdog::Watchdog;

/// A page of words for a terminal that serves nobody yet, or not any more: there is nothing to press.
pub fn words(title: Id, lines: impl IntoIterator<Item = impl Into<Say>>) -> Page {
    let lines = lines.into_iter().map(Into::into).collect();
    Page::Choice(Choice { title, lines, options: Vec::new(), buttons: Vec::new() })
}

/// Serves people until the window is closed; a terminal that was not set up asks for that first.
pub fn run(file: &Path) -> Result<(), Box<dyn Error>> {
    let config = Config::read_incomplete(file)?;
    // Also where this start comes to a page of words and to no shell.
    if let Some(served) = &config.served {
        Served::nobody(&served.file);
    }
    if let Some(data) = config.data.clone()
        && let Some(what) = blocked::trouble(&data)
    {
        return blocked::show(what, true, move || blocked::trouble(&data).is_none());
    }
    let is_new = config.setup.is_some() && !config.is_set_up();
    let config = if is_new { config } else { Config::read(file)? };
    if let Some(network) = &config.network {
        line::tell(network, config.line.as_ref());
    }
    if is_new {
        return setup::run(file);
    }
    let clock = Clock::system();
    let (camera, documents) = (config.camera.clone(), config.document_camera.clone());
    let outside = Outside {
        ids: Ids::random(clock.clone()),
        clock,
        open_camera: Box::new(move || real_camera(camera.as_ref())),
        open_document_camera: documents
            .map(|camera| Box::new(move || real_camera(Some(&camera))) as OpenCamera),
    };
    let is_appliance = config.data.is_some();
    let mut shell = match Shell::start(config, outside) {
        // Nobody reads a terminal's journal when it stands in a hall.
        Err(problem) if is_appliance => {
            error!("{}", crate::chain(&problem));
            return blocked::show(problem.told(), false, || false);
        }
        started => started?,
    };
    let screen = Screen::window()?;
    let teller = shell.teller();
    screen.on_tap(move |tap| teller.event(Event::Tapped(tap)));
    let teller = shell.teller();
    let mut proxy = WindowDisplay(screen.proxy());
    let loop_thread = thread::Builder::new().name("loop".into()).spawn(move || {
        shell.run(&mut proxy, &mut Watchdog::of_systemd());
        shell.end();
        proxy.0.quit();
    })?;
    screen.run()?;
    teller.tell(Happening::Stop);
    if loop_thread.join().is_err() {
        return Err("the event loop fell over; what was sealed is safe, the visit under way begins again with the card".into());
    }
    Ok(())
}

/// A window on another thread.
pub struct WindowDisplay(pub Proxy);

impl Display for WindowDisplay {
    fn show(&mut self, view: &View) {
        self.0.show(view.clone());
    }

    fn preview(&mut self, picture: RgbImage) {
        self.0.preview(picture);
    }

    fn picture_of_card(&mut self, picture: Option<RgbImage>) {
        self.0.picture_of_card(picture);
    }
}
