//! The slip that the person takes home: large words, what comes next, and the record's number as QR.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use drivers::link::LinkConfig;
use drivers::printer::status::Status;
use drivers::printer::{self, Align, Line, Printed, Printer, PrinterError, Settings};
use kiosk_core::decoder::Form;
use kiosk_core::event::{Event, Slip};
use kiosk_core::message::Id;
use kiosk_core::outcome::Tone;
use kiosk_core::view::SlipState;
use serde::{Deserialize, Serialize};
use tracing::warn;
use ui::catalogue;

use super::Loan;
use crate::config::PrinterConfig;
use crate::happening::{Teller, Told};

/// What the room is asked to do.
pub enum Order {
    /// Print this.
    Print(Sheet),
    /// Let go of the printer for a while.
    Lend(Loan),
}

/// The room.
pub struct PaperRoom {
    config: Option<PrinterConfig>,
    teller: Teller,
    told: Told,
    printer: Option<Printer>,
}

impl PaperRoom {
    /// A room; without a printer every slip is told as not printed.
    pub fn new(config: Option<PrinterConfig>, teller: Teller) -> Self {
        Self { config, teller, told: Told::new(Id::DevicePrinter), printer: None }
    }

    /// Works until nobody gives orders any more. Between slips the printer is asked how it is, so that somebody can
    /// change the paper before it is wanted.
    pub fn run(mut self, orders: &Receiver<Order>) {
        self.look();
        loop {
            match orders.recv_timeout(LOOK_EVERY) {
                Ok(Order::Print(sheet)) => self.serve(&sheet),
                Ok(Order::Lend(loan)) => {
                    self.printer = None;
                    loan.wait();
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn serve(&mut self, sheet: &Sheet) {
        let printed = self.print(sheet);
        self.told.tell(&self.teller, printed.err());
        let state = printed.map_or_else(SlipState::NotPrinted, |()| SlipState::Printed);
        self.teller.event(Event::Slip(state));
    }

    fn look(&mut self) {
        if self.config.is_none() {
            return;
        }
        let status = self.open().and_then(Printer::status);
        let trouble = match status {
            Ok(status) => trouble(status),
            Err(error) => Some(self.lost(&error)),
        };
        self.told.tell(&self.teller, trouble);
    }

    fn print(&mut self, sheet: &Sheet) -> Result<(), Id> {
        let printed = self.open().and_then(|printer| printer.print(&sheet.laid_out()));
        match printed {
            Ok(Printed::Done { .. } | Printed::Sent) => Ok(()),
            Ok(Printed::PaperOut) => Err(Id::ErrPrinterPaper),
            Ok(Printed::CoverOpen) => Err(Id::ErrPrinterCover),
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// It is opened anew at the next look.
    fn lost(&mut self, error: &PrinterError) -> Id {
        if self.printer.take().is_some() {
            warn!(code = error.code(), "printer");
        }
        Id::ErrPrinterSilent
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

fn trouble(status: Status) -> Option<Id> {
    match status {
        s if s.cover_open => Some(Id::ErrPrinterCover),
        s if s.paper_out => Some(Id::ErrPrinterPaper),
        s if s.fault || s.cutter_stuck => Some(Id::ErrPrinterSilent),
        s if s.paper_low => Some(Id::ErrPrinterLow),
        _ => None,
    }
}

/// A slip in its final words, from top to bottom: as it is printed, and as the store keeps it.
#[derive(Serialize, Deserialize)]
pub struct Sheet(Vec<Part>);

#[derive(Serialize, Deserialize)]
enum Part {
    Line {
        text: String,
        size: u8,
        is_bold: bool,
        is_centred: bool,
    },
    Qr(String),
    /// So many empty lines.
    Feed(u8),
}

impl Sheet {
    /// Where and when, whom, how it ended in the largest type, what comes next.
    pub fn of(slip: &Slip) -> Self {
        let sign = match slip.tone {
            Tone::Good => "√",
            Tone::Waiting => "→",
            Tone::Stopped => "！",
        };
        let headline = format!("{sign} {}", catalogue::plain(slip.headline).zh);
        let mut parts = vec![
            centred(&slip.site, false),
            centred(&catalogue::day(slip.captured.date()).zh, false),
            Part::Feed(1),
            line(format!("{}  {}", slip.name, slip.number)),
            Part::Feed(1),
            Part::Line { text: headline, size: 2, is_bold: true, is_centred: false },
            Part::Feed(1),
        ];
        parts.extend(slip.lines.iter().map(|say| line(catalogue::words(say).zh)));
        parts.extend(slip.method.map(|method| line(catalogue::plain(method.message()).zh)));
        parts.extend(slip.forms.iter().flat_map(form));
        let number = format!("CQ1:{}", slip.record);
        parts.extend([Part::Feed(1), line(number.clone()), Part::Qr(number), Part::Feed(2)]);
        Self(parts)
    }

    /// As the store keeps it.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a sheet is plain data")
    }

    /// What [`Self::to_bytes`] made; none when it is no sheet.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    fn laid_out(&self) -> printer::Slip {
        self.0.iter().fold(printer::Slip::new(), laid_out).cut()
    }
}

fn laid_out(paper: printer::Slip, part: &Part) -> printer::Slip {
    match part {
        Part::Line { text, size, is_bold, is_centred } => {
            let mut line = Line::new(text.as_str()).size(*size);
            if *is_bold {
                line = line.bold();
            }
            if *is_centred {
                line = line.align(Align::Centre);
            }
            paper.line(line)
        }
        // The same stands above it in letters.
        Part::Qr(content) => {
            let without = paper.clone();
            paper.qr(content.as_bytes(), QR_MODULE_DOTS).unwrap_or(without)
        }
        Part::Feed(n) => paper.feed(*n),
    }
}

/// A form with what could be filled in, as often as the agency wants it, for the person to sign.
fn form(form: &Form) -> Vec<Part> {
    let Some(name) = &form.name else {
        return Vec::new();
    };
    let copy = |copy: u8| {
        let mut parts =
            vec![Part::Feed(1), centred(&format!("{name}（{copy}/{}）", form.copies), true)];
        parts.extend(form.filled.iter().map(|(label, value)| line(format!("{label}：{value}"))));
        parts.extend(form.stamp.as_ref().map(|stamp| line(format!("盖章：{stamp}"))));
        if form.id_copies > 0 {
            parts.push(line(format!("附：身份证复印件{}份", form.id_copies)));
        }
        parts.extend(form.also.iter().map(|paper| line(format!("附：{paper}"))));
        parts.extend(form.download.as_ref().map(|place| line(format!("空表可下载：{place}"))));
        parts.extend([line("本人签字：".into()), Part::Feed(2)]);
        parts
    };
    (1..=form.copies).flat_map(copy).collect()
}

fn line(text: String) -> Part {
    Part::Line { text, size: 1, is_bold: false, is_centred: false }
}

fn centred(text: &str, is_bold: bool) -> Part {
    Part::Line { text: text.into(), size: 1, is_bold, is_centred: true }
}

/// Large enough for a phone of ten years ago.
const QR_MODULE_DOTS: u32 = 6;
const LOOK_EVERY: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use kiosk_core::policy::Case;

    use super::*;

    #[test]
    fn a_form_is_printed_as_often_as_it_is_wanted_with_stamp_proof_and_where_it_is_found() {
        let wanted = Form {
            case: Case::ChangeName,
            name: Some("基本信息变更明细表".into()),
            copies: 3,
            id_copies: 3,
            stamp: Some("原单位（或档案托管机构）".into()),
            also: vec!["曾在派出所变更的，附变更证明".into()],
            download: Some("官网“资料下载”".into()),
            filled: vec![("变更前姓名", "张桂蘭".into())],
        };
        let texts: Vec<String> = form(&wanted)
            .into_iter()
            .filter_map(|part| match part {
                Part::Line { text, .. } => Some(text),
                _ => None,
            })
            .collect();
        let one = [
            "基本信息变更明细表（1/3）",
            "变更前姓名：张桂蘭",
            "盖章：原单位（或档案托管机构）",
            "附：身份证复印件3份",
            "附：曾在派出所变更的，附变更证明",
            "空表可下载：官网“资料下载”",
            "本人签字：",
        ];
        assert_eq!((&texts[..7], texts.len()), (one.map(String::from).as_slice(), 21));
        assert!(form(&Form { name: None, ..wanted }).is_empty(), "papers without a form");
    }
}
