//! Recorded traffic as text lines, so that a fault in the field becomes a test:
//! `T > HEX` is what we sent and `T < HEX` what came, T in milliseconds since the
//! recording began. Lines that start with `#` are notes; `T = BAUD` is a change of
//! speed and `T !` an input flush or reopening.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write;
use std::time::{Duration, Instant};

use super::{Link, LinkError};

/// Passes everything through to another link and writes it down.
pub struct RecordingLink {
    inner: Box<dyn Link>,
    out: Box<dyn Write + Send>,
    began: Instant,
}

impl RecordingLink {
    /// Records the traffic of `inner` into `out`.
    pub fn new(inner: Box<dyn Link>, out: Box<dyn Write + Send>) -> Self {
        let began = inner.now();
        Self { inner, out, began }
    }

    fn note(&mut self, rest: &str) -> Result<(), LinkError> {
        let t_ms = self.inner.now().duration_since(self.began).as_millis();
        let line = format!("{t_ms} {rest}\n");
        let written = self.out.write_all(line.as_bytes());
        written.map_err(LinkError::Recording)
    }
}

impl Link for RecordingLink {
    fn read(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        let n = self.inner.read(into, deadline)?;
        if n > 0 {
            self.note(&format!("< {}", hex(&into[..n])))?;
        }
        Ok(n)
    }

    fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        self.note(&format!("> {}", hex(bytes)))?;
        self.inner.write_all(bytes, deadline)
    }

    fn flush_input(&mut self) -> Result<(), LinkError> {
        self.inner.flush_input()
    }

    fn set_baud(&mut self, baud_hz: u32) -> Result<(), LinkError> {
        self.note(&format!("= {baud_hz}"))?;
        self.inner.set_baud(baud_hz)
    }

    fn reopen(&mut self) -> Result<(), LinkError> {
        self.note("!")?;
        self.inner.reopen()
    }

    fn now(&self) -> Instant {
        self.inner.now()
    }

    fn pause(&mut self, time: Duration) {
        self.inner.pause(time);
    }
}

/// The lines of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    moves: Vec<Move>,
}

impl Capture {
    /// Reads capture lines; the text of the error names the line.
    pub fn parse(text: &str) -> Result<Self, CaptureError> {
        let mut moves = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let number = index + 1;
            let parsed = parse_line(line, number).ok_or(CaptureError { line: number })?;
            moves.extend(parsed);
        }
        Ok(Self { moves })
    }
}

/// A line of a capture has another shape than `T > HEX`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("capture line {line} cannot be read")]
pub struct CaptureError {
    /// Line of the capture, counted from 1.
    pub line: usize,
}

/// Plays a capture back: answers come when exactly the recorded bytes were sent,
/// on a clock that stands still unless something waits on it.
pub struct ReplayLink {
    moves: VecDeque<Move>,
    began: Instant,
    passed: Duration,
}

impl ReplayLink {
    /// A link that repeats the device's part of `capture`.
    pub fn new(capture: Capture) -> Self {
        Self { moves: capture.moves.into(), began: Instant::now(), passed: Duration::ZERO }
    }

    /// Whether every recorded byte was asked for and given.
    pub fn is_finished(&self) -> bool {
        self.moves.is_empty()
    }

    fn advance_to(&mut self, instant: Instant) {
        let then = instant.saturating_duration_since(self.began);
        self.passed = self.passed.max(then);
    }
}

impl Link for ReplayLink {
    fn read(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        let now = self.now();
        let Some(Move { bytes, t, sent: false, .. }) = self.moves.front_mut() else {
            self.advance_to(deadline);
            return Ok(0);
        };
        // Whoever was recorded had these bytes before sending anything more, however
        // late they were on that machine.
        let due = (self.began + *t).min(deadline).max(now);
        let n = bytes.len().min(into.len());
        into[..n].copy_from_slice(&bytes[..n]);
        bytes.drain(..n);
        if bytes.is_empty() {
            self.moves.pop_front();
        }
        self.advance_to(due);
        Ok(n)
    }

    fn write_all(&mut self, bytes: &[u8], _deadline: Instant) -> Result<(), LinkError> {
        // What the device said and nobody read is lost, as with a flush.
        while self.moves.front().is_some_and(|m| !m.sent) {
            self.moves.pop_front();
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(next) = self.moves.pop_front() else {
                return Err(LinkError::ReplayDiffers { line: 0 });
            };
            let expected = next.sent && rest.starts_with(&next.bytes);
            if !expected || next.bytes.is_empty() {
                return Err(LinkError::ReplayDiffers { line: next.line });
            }
            rest = &rest[next.bytes.len()..];
            self.advance_to(self.began + next.t);
        }
        Ok(())
    }

    fn flush_input(&mut self) -> Result<(), LinkError> {
        Ok(())
    }

    fn set_baud(&mut self, _baud_hz: u32) -> Result<(), LinkError> {
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), LinkError> {
        Ok(())
    }

    fn now(&self) -> Instant {
        self.began + self.passed
    }

    fn pause(&mut self, time: Duration) {
        self.passed += time;
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Move {
    t: Duration,
    sent: bool,
    bytes: Vec<u8>,
    line: usize,
}

/// `None` for a line of another shape, `Some(None)` for a line without bytes.
fn parse_line(line: &str, number: usize) -> Option<Option<Move>> {
    let mut words = line.splitn(3, ' ');
    let t = Duration::from_millis(words.next()?.parse().ok()?);
    let sent = match words.next()? {
        ">" => true,
        "<" => false,
        "=" | "!" => return Some(None),
        _ => return None,
    };
    let bytes = unhex(words.next()?)?;
    Some(Some(Move { t, sent, bytes, line: number }))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes every byte");
    }
    text
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    if text.is_empty() || !text.len().is_multiple_of(2) {
        return None;
    }
    let pair = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
    text.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn what_was_recorded_plays_back_the_same() {
        let text = "# a note\n0 = 115200\n1 > aabb\n5 < 0102\n9 < 03\n12 > cc\n20 < 04\n";
        let first = converse(ReplayLink::new(Capture::parse(text).unwrap()));
        let second = converse(ReplayLink::new(Capture::parse(&first.1).unwrap()));
        assert_eq!(first.0, [1, 2, 3, 4]);
        assert_eq!(first, second);
    }

    #[test]
    fn other_bytes_than_recorded_are_told_with_their_line() {
        let mut link = ReplayLink::new(Capture::parse("0 > aa\n").unwrap());
        let soon = link.now() + Duration::from_millis(10);
        let error = link.write_all(&[0xab], soon).unwrap_err();
        assert!(matches!(error, LinkError::ReplayDiffers { line: 1 }));
    }

    #[test]
    fn a_line_of_another_shape_is_refused_with_its_number() {
        assert_eq!(Capture::parse("0 > aa\nx"), Err(CaptureError { line: 2 }));
        assert_eq!(Capture::parse("0 > a"), Err(CaptureError { line: 1 }));
    }

    /// Sends AA BB and CC, reads all that comes, and gives bytes and recording.
    fn converse(link: ReplayLink) -> (Vec<u8>, String) {
        let kept = Kept::default();
        let mut link = RecordingLink::new(Box::new(link), Box::new(kept.clone()));
        let mut got = Vec::new();
        for request in [&[0xaa, 0xbb][..], &[0xcc]] {
            let soon = link.now() + Duration::from_secs(1);
            link.write_all(request, soon).unwrap();
            let mut some = [0; 16];
            loop {
                let soon = link.now() + Duration::from_millis(30);
                match link.read(&mut some, soon).unwrap() {
                    0 => break,
                    n => got.extend_from_slice(&some[..n]),
                }
            }
        }
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        (got, text)
    }

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
