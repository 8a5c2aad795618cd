//! What drawing costs: the first page with window, fonts and all, and the pages after it.

use std::error::Error;

use kiosk_core::view::View;
use ui::Screen;

use crate::clock::{Timed, one};
use crate::samples;
use crate::table::{Against, Table};

/// Draws every sample page in memory at the size of the panel, once quiet and once with devices in trouble.
pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let views = samples::all();
    let (millis, screen) = one(|| {
        let screen = Screen::headless(WIDTH, HEIGHT)?;
        screen.show(&views[0].1);
        Ok(screen)
    })?;
    table.time("visit-screen-first", Timed::of(vec![millis]), Against::Nothing);
    let mut next = Vec::new();
    for (_, view) in views {
        next.push(draw(&screen, &view)?);
        let troubled = samples::troubled(view);
        next.push(draw(&screen, &troubled)?);
    }
    table.time("visit-screen-next", Timed::of(next), Against::Nothing);
    Ok(())
}

/// Milliseconds until this view is drawn.
fn draw(screen: &Screen, view: &View) -> Result<f64, Box<dyn Error>> {
    let shown = one(|| {
        screen.show(view);
        Ok(())
    })?;
    Ok(shown.0)
}

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 800;
