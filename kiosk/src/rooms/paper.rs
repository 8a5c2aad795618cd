//! The slip that the person takes home: large words, what comes next, and the record's number as QR.

use std::sync::mpsc::Receiver;

use drivers::link::LinkConfig;
use drivers::printer::{self, Align, Line, Printed, Printer, PrinterError, Settings};
use kiosk_core::decoder::Form;
use kiosk_core::event::{Event, Slip};
use kiosk_core::message::Id;
use kiosk_core::outcome::Tone;
use kiosk_core::view::SlipState;
use tracing::warn;
use ui::catalogue;

use crate::config::PrinterConfig;
use crate::happening::Teller;

/// The room.
pub struct PaperRoom {
    config: Option<PrinterConfig>,
    teller: Teller,
    printer: Option<Printer>,
}

impl PaperRoom {
    /// A room; without a printer every slip is told as not printed.
    pub fn new(config: Option<PrinterConfig>, teller: Teller) -> Self {
        Self { config, teller, printer: None }
    }

    /// Works until nobody gives orders any more.
    pub fn run(mut self, orders: &Receiver<Box<Slip>>) {
        while let Ok(slip) = orders.recv() {
            let state = match self.print(&slip) {
                Ok(()) => SlipState::Printed,
                Err(err) => SlipState::NotPrinted(err),
            };
            let trouble = match state {
                SlipState::NotPrinted(err) => Some(err),
                _ => None,
            };
            self.teller.device(Id::DevicePrinter, trouble);
            self.teller.event(Event::Slip(state));
        }
    }

    fn print(&mut self, slip: &Slip) -> Result<(), Id> {
        let printer = self.open().map_err(|error| self::silent(&error))?;
        match printer.print(&layout(slip)) {
            Ok(Printed::Done { .. } | Printed::Sent) => Ok(()),
            Ok(Printed::PaperOut | Printed::CoverOpen) => Err(Id::ErrPrinterPaper),
            Err(error) => {
                self.printer = None;
                Err(silent(&error))
            }
        }
    }

    fn open(&mut self) -> Result<&mut Printer, PrinterError> {
        if self.printer.is_none() {
            let Some(config) = &self.config else {
                return Err(PrinterError::Silent);
            };
            let settings = Settings {
                baud_hz: config.baud_hz,
                width_dots: config.width_dots,
                ..Settings::default()
            };
            self.printer = Some(Printer::open(&LinkConfig::serial(&config.port), settings)?);
        }
        Ok(self.printer.as_mut().expect("opened above"))
    }
}

fn silent(error: &PrinterError) -> Id {
    warn!(code = error.code(), "printer");
    Id::ErrPrinterSilent
}

/// The slip from top to bottom: where and when, whom, how it ended in the largest type, what comes next.
pub fn layout(slip: &Slip) -> printer::Slip {
    let day = catalogue::day(slip.captured.date()).zh;
    let sign = match slip.tone {
        Tone::Good => "√",
        Tone::Waiting => "→",
        Tone::Stopped => "！",
    };
    let headline = format!("{sign} {}", catalogue::plain(slip.headline).zh);
    let mut paper = printer::Slip::new()
        .line(Line::new(slip.site.as_str()).align(Align::Centre))
        .line(Line::new(day).align(Align::Centre))
        .feed(1)
        .line(Line::new(format!("{}  {}", slip.name, slip.number)))
        .feed(1)
        .line(Line::new(headline).size(2).bold())
        .feed(1);
    for say in &slip.lines {
        paper = paper.line(Line::new(catalogue::words(say).zh));
    }
    if let Some(method) = slip.method {
        paper = paper.line(Line::new(catalogue::plain(method.message()).zh));
    }
    paper = slip.forms.iter().fold(paper, form);
    let number = format!("CQ1:{}", slip.record);
    paper = paper.feed(1).line(Line::new(number.as_str()));
    match paper.clone().qr(number.as_bytes(), QR_MODULE_DOTS) {
        Ok(with_qr) => with_qr.feed(2).cut(),
        Err(_) => paper.feed(2).cut(),
    }
}

/// A form with what could be filled in, as often as the agency wants it, for the person to sign.
fn form(mut paper: printer::Slip, form: &Form) -> printer::Slip {
    let Some(name) = &form.name else {
        return paper;
    };
    for copy in 1..=form.copies {
        let title = format!("{name}（{copy}/{}）", form.copies);
        paper = paper.feed(1).line(Line::new(title).align(Align::Centre).bold());
        for (label, value) in &form.filled {
            paper = paper.line(Line::new(format!("{label}：{value}")));
        }
        if let Some(stamp) = &form.stamp {
            paper = paper.line(Line::new(format!("盖章：{stamp}")));
        }
        paper = paper.line(Line::new("本人签字：")).feed(2);
    }
    paper
}

/// Large enough for a phone of ten years ago.
const QR_MODULE_DOTS: u32 = 6;
