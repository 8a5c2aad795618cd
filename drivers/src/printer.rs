//! The receipt printer: ESC/POS over a serial line. Asks for paper and cover before and
//! after, so that a slip that did not come out is known and can be printed again. What
//! is on a slip is decided elsewhere.

pub mod slip;
pub mod status;

use std::time::{Duration, Instant};

use tracing::warn;

use crate::link::{Link, LinkConfig, LinkError};
pub use slip::{Align, Line, Slip};
use status::{Answer, Question, Status};

/// A printer.
pub struct Printer {
    link: Box<dyn Link>,
    settings: Settings,
    must_reopen: bool,
}

/// How to treat the printer.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Line speed in baud.
    pub baud_hz: u32,
    /// Dots across the paper: 384 for 58 mm, 576 for 80 mm.
    pub width_dots: u32,
    /// Whether it answers questions; some cheap ones only listen.
    pub answers: bool,
}

/// How printing ended, when nothing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Printed {
    /// The slip is out.
    Done {
        /// The roll is nearly at its end.
        paper_low: bool,
    },
    /// The slip was sent to a printer that cannot say what became of it.
    Sent,
    /// No paper. The slip is not out, or only a part of it.
    PaperOut,
    /// The cover is open. The slip is not out, or only a part of it.
    CoverOpen,
}

/// The printer failed. The slip is to be printed again later.
#[derive(Debug, thiserror::Error)]
pub enum PrinterError {
    /// No answer.
    #[error("printer does not answer")]
    Silent,
    /// The link is gone or cannot be opened.
    #[error("printer is not connected")]
    Unplugged(#[source] LinkError),
    /// The knife is stuck.
    #[error("printer's cutter is stuck")]
    CutterStuck,
    /// The printer reports a fault that it cannot leave by itself, or its head is too hot.
    #[error("printer reports a fault")]
    Fault,
}

impl Printer {
    /// Opens the link. Whether a printer is there shows at the first question.
    pub fn open(link: &LinkConfig, settings: Settings) -> Result<Self, PrinterError> {
        let link = link.open(settings.baud_hz).map_err(PrinterError::Unplugged)?;
        Ok(Self::over(link, settings))
    }

    /// Takes an open link.
    pub fn over(link: Box<dyn Link>, settings: Settings) -> Self {
        Self { link, settings, must_reopen: false }
    }

    /// Asks for paper, cover and faults.
    pub fn status(&mut self) -> Result<Status, PrinterError> {
        self.reopening(|printer| printer.ask_all())
    }

    /// Prints a slip and waits until it is out.
    pub fn print(&mut self, slip: &Slip) -> Result<Printed, PrinterError> {
        self.reopening(|printer| printer.print_once(slip))
    }

    fn reopening<T>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<T, PrinterError>,
    ) -> Result<T, PrinterError> {
        if self.must_reopen {
            warn!("printer is opened anew");
            self.link.reopen().map_err(PrinterError::Unplugged)?;
            self.must_reopen = false;
        }
        let result = act(self);
        if let Err(PrinterError::Silent | PrinterError::Unplugged(_)) = &result {
            self.must_reopen = true;
        }
        result
    }

    fn print_once(&mut self, slip: &Slip) -> Result<Printed, PrinterError> {
        if !self.settings.answers {
            self.send(slip)?;
            return Ok(Printed::Sent);
        }
        if let Some(hindrance) = self.ask_all()?.hindrance() {
            return hindrance;
        }
        self.send(slip)?;
        let printed = self.wait_until_out(slip)?;
        let status = self.ask_all()?;
        if let Some(hindrance) = status.hindrance() {
            return hindrance;
        }
        if !printed {
            return Err(PrinterError::Silent);
        }
        let paper_low = status.paper_low;
        Ok(Printed::Done { paper_low })
    }

    fn send(&mut self, slip: &Slip) -> Result<(), PrinterError> {
        let bytes = slip.encode(self.settings.width_dots);
        let deadline = self.link.now() + self.wire_time(bytes.len()) + PRINT_MAX;
        match self.link.write_all(&bytes, deadline) {
            Ok(()) => Ok(()),
            // A printer that ran out of paper holds the line; the status tells why.
            Err(LinkError::WriteLate) if self.settings.answers => Ok(()),
            Err(LinkError::WriteLate) => Err(PrinterError::Silent),
            Err(error) => Err(PrinterError::Unplugged(error)),
        }
    }

    /// Asks a question that stands in line behind the slip: its answer means that all
    /// before it was printed.
    fn wait_until_out(&mut self, slip: &Slip) -> Result<bool, PrinterError> {
        let by = self.link.now() + self.wire_time(slip.encode(self.settings.width_dots).len());
        let by = by + PRINT_MAX;
        loop {
            if let Some(byte) = self.ask(status::PAPER_IN_LINE, (by - self.link.now()).min(STEP))? {
                return Ok(status::is_answer_in_line(byte));
            }
            let hindered = self.ask_all()?.hindrance().is_some();
            if hindered || self.link.now() >= by {
                return Ok(false);
            }
        }
    }

    fn ask_all(&mut self) -> Result<Status, PrinterError> {
        let mut status = Status::default();
        for question in Question::ALL {
            let mut answer = None;
            for _ in 0..ASKS_MAX {
                let byte = self.ask(question.bytes(), STATUS_PATIENCE)?;
                answer = byte.and_then(Answer::checked);
                if answer.is_some() {
                    break;
                }
            }
            status.learn(question, answer.ok_or(PrinterError::Silent)?);
        }
        Ok(status)
    }

    fn ask(&mut self, question: &[u8], patience: Duration) -> Result<Option<u8>, PrinterError> {
        let unplugged = PrinterError::Unplugged;
        self.link.flush_input().map_err(unplugged)?;
        let deadline: Instant = self.link.now() + patience;
        match self.link.write_all(question, deadline) {
            Ok(()) => {}
            Err(LinkError::WriteLate) => return Ok(None),
            Err(error) => return Err(unplugged(error)),
        }
        let mut byte = [0; 1];
        let n = self.link.read(&mut byte, deadline).map_err(unplugged)?;
        Ok((n == 1).then_some(byte[0]))
    }

    fn wire_time(&self, n_bytes: usize) -> Duration {
        let bits = 10 * n_bytes as u64;
        Duration::from_micros(bits * 1_000_000 / u64::from(self.settings.baud_hz.max(1200)))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { baud_hz: 115_200, width_dots: 384, answers: true }
    }
}

impl PrinterError {
    /// A stable name for messages, logs and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Silent => "printer-silent",
            Self::Unplugged(_) => "printer-unplugged",
            Self::CutterStuck => "printer-cutter-stuck",
            Self::Fault => "printer-fault",
        }
    }
}

impl Status {
    /// What keeps a slip from coming out, as an answer or a fault.
    fn hindrance(&self) -> Option<Result<Printed, PrinterError>> {
        if self.cover_open {
            Some(Ok(Printed::CoverOpen))
        } else if self.paper_out {
            Some(Ok(Printed::PaperOut))
        } else if self.cutter_stuck {
            Some(Err(PrinterError::CutterStuck))
        } else if self.fault {
            Some(Err(PrinterError::Fault))
        } else {
            None
        }
    }
}

const STATUS_PATIENCE: Duration = Duration::from_millis(300);
const ASKS_MAX: u32 = 3;
/// Longest a slip takes from the last byte to the knife.
const PRINT_MAX: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_secs(2);
