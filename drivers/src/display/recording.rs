//! A display that only keeps what it was shown, and can be pulled off its bus.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use embedded_graphics::geometry::Size;
use embedded_graphics::primitives::Rectangle;
use image::RgbImage;

use super::{Canvas, DisplayError, Look, Screen};

/// A display that records, 320 x 240. Clones are the same display: one for the driver, one for the test.
#[derive(Clone, Default)]
pub struct Recording(Arc<Mutex<Record>>);

#[derive(Default)]
struct Record {
    parts: Vec<String>,
    picture: Option<RgbImage>,
    is_pulled: bool,
}

impl Recording {
    /// Pulls the display or puts it back. What was pulled has forgotten its picture.
    pub fn plug(&self, is_plugged: bool) {
        let mut record = self.lock();
        record.is_pulled = !is_plugged;
        record.picture = None;
    }

    /// Which parts were sent since the last call: corner and size.
    pub fn take_parts(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().parts)
    }

    /// What is to be seen.
    pub fn picture(&self) -> Option<RgbImage> {
        self.lock().picture.clone()
    }

    /// The display again, as an opener would give it.
    pub fn open(&self) -> Result<Box<dyn Screen>, DisplayError> {
        self.lock().answer()?;
        Ok(Box::new(self.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn answer(&self) -> Result<(), DisplayError> {
        match self.is_pulled {
            true => Err(DisplayError::Unplugged("pulled".into())),
            false => Ok(()),
        }
    }
}

impl Screen for Recording {
    fn size(&self) -> Size {
        Size::new(320, 240)
    }

    fn look(&self) -> Look {
        Look::Colour
    }

    fn push(&mut self, canvas: &Canvas, area: Rectangle) -> Result<(), DisplayError> {
        let mut record = self.lock();
        record.answer()?;
        let (corner, size) = (area.top_left, area.size);
        record.parts.push(format!("{},{} {}x{}", corner.x, corner.y, size.width, size.height));
        record.picture = Some(canvas.to_image());
        Ok(())
    }

    fn probe(&mut self) -> Result<(), DisplayError> {
        self.lock().answer()
    }
}
