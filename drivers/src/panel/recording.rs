//! A board that only writes down what it was told, on a clock that only its test moves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Board, Input, Inputs, Output, PanelError, Watched};

/// A board that records. Clones are the same board: one for the panel, one for the test.
#[derive(Clone)]
pub struct Recording(Arc<Mutex<Record>>);

struct Record {
    begin: Instant,
    now: Instant,
    log: Vec<String>,
    inputs: Inputs,
    touched: Inputs,
    is_plugged: bool,
}

impl Recording {
    /// A board with nothing switched and all inputs inactive.
    pub fn new() -> Self {
        let begin = Instant::now();
        let inputs = Inputs { tamper: Some(false), door: Some(false), presence: Some(false) };
        let touched = Inputs::default();
        let log = Vec::new();
        let now = begin;
        Self(Arc::new(Mutex::new(Record { begin, now, log, inputs, touched, is_plugged: true })))
    }

    /// Sets an input.
    pub fn set(&self, input: Input, is_active: bool) {
        let mut record = self.lock();
        record.inputs.set(input, is_active);
        if is_active {
            record.touched.set(input, true);
        }
    }

    /// Takes the board away or puts it back. What was away has forgotten its outputs.
    pub fn plug(&self, is_plugged: bool) {
        self.lock().is_plugged = is_plugged;
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.lock().now += time;
    }

    /// What was driven since the last call, one line each: milliseconds, what, how.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().log)
    }

    /// The board again, as an opener would give it.
    pub fn open(&self) -> Result<Box<dyn Board>, PanelError> {
        self.lock().answer()?;
        Ok(Box::new(self.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

impl Board for Recording {
    fn drive(&mut self, output: Output, is_on: bool) -> Result<(), PanelError> {
        let mut record = self.lock();
        record.answer()?;
        record.note(format!("{output:?} {}", if is_on { "on" } else { "off" }));
        Ok(())
    }

    fn light(&mut self, percent: u8) -> Result<(), PanelError> {
        let mut record = self.lock();
        record.answer()?;
        record.note(format!("Light {percent}%"));
        Ok(())
    }

    fn watch(&mut self, _patience: Duration) -> Result<Watched, PanelError> {
        let mut record = self.lock();
        record.answer()?;
        let touched = std::mem::take(&mut record.touched);
        Ok(Watched { now: record.inputs, touched })
    }

    fn now(&self) -> Instant {
        self.lock().now
    }
}

impl Record {
    fn answer(&self) -> Result<(), PanelError> {
        match self.is_plugged {
            true => Ok(()),
            false => Err(PanelError::Unplugged(None)),
        }
    }

    fn note(&mut self, what: String) {
        let ms = (self.now - self.begin).as_millis();
        self.log.push(format!("{ms} {what}"));
    }
}
