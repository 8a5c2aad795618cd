//! The device side of a line, played from the fuzzer's bytes, and its frames written with code of our own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use drivers::link::{Link, LinkError};

/// Bytes taken one after another; noughts when they are used up.
pub struct Script {
    bytes: Vec<u8>,
    at: usize,
}

impl Script {
    /// A script of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), at: 0 }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte.unwrap_or(0)
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.byte()).collect()
    }

    /// Whether all bytes were taken.
    pub fn is_over(&self) -> bool {
        self.at >= self.bytes.len()
    }
}

/// What a device does with a request: bytes that come after a time, or the plug is pulled.
pub enum Answer {
    /// These bytes, after so long.
    Bytes(Vec<u8>, Duration),
    /// The device goes away until it is opened again.
    Gone,
}

/// A link whose time moves only when somebody waits on it.
pub struct Line {
    answer: Box<dyn FnMut(&[u8]) -> Answer + Send>,
    began: Instant,
    clock: Clock,
    inbox: Vec<(Duration, Vec<u8>)>,
    burst: usize,
    is_gone: bool,
}

impl Line {
    /// A line to a device that answers so, in bursts of at most `burst` bytes.
    pub fn new(burst: usize, answer: impl FnMut(&[u8]) -> Answer + Send + 'static) -> Self {
        let (began, clock) = (Instant::now(), Clock::default());
        let answer = Box::new(answer);
        Self { answer, began, clock, inbox: Vec::new(), burst: burst.max(1), is_gone: false }
    }

    /// The clock of this line, for who asks when the driver has the line.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    fn gone(&self) -> Result<(), LinkError> {
        match self.is_gone {
            true => Err(LinkError::Gone(std::io::ErrorKind::BrokenPipe.into())),
            false => Ok(()),
        }
    }
}

impl Link for Line {
    fn read(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        self.gone()?;
        let by = deadline.saturating_duration_since(self.began);
        let Some((due, bytes)) = self.inbox.first_mut().filter(|(due, _)| *due <= by) else {
            self.clock.move_to(by);
            return Ok(0);
        };
        self.clock.move_to(*due);
        let n = bytes.len().min(into.len()).min(self.burst);
        into[..n].copy_from_slice(&bytes[..n]);
        bytes.drain(..n);
        if bytes.is_empty() {
            self.inbox.remove(0);
        }
        Ok(n)
    }

    fn write_all(&mut self, bytes: &[u8], _deadline: Instant) -> Result<(), LinkError> {
        self.gone()?;
        match (self.answer)(bytes) {
            Answer::Bytes(bytes, _) if bytes.is_empty() => {}
            Answer::Bytes(bytes, after) => self.inbox.push((self.clock.passed() + after, bytes)),
            Answer::Gone => self.is_gone = true,
        }
        Ok(())
    }

    fn flush_input(&mut self) -> Result<(), LinkError> {
        self.gone()?;
        // What is still on its way cannot be thrown away.
        let passed = self.clock.passed();
        self.inbox.retain(|(due, _)| *due > passed);
        Ok(())
    }

    fn set_baud(&mut self, _baud_hz: u32) -> Result<(), LinkError> {
        self.gone()
    }

    fn reopen(&mut self) -> Result<(), LinkError> {
        self.inbox.clear();
        self.is_gone = false;
        Ok(())
    }

    fn now(&self) -> Instant {
        self.began + self.clock.passed()
    }

    fn pause(&mut self, time: Duration) {
        self.clock.move_to(self.clock.passed() + time);
    }
}

/// Time on a line, which never goes back.
#[derive(Clone, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// Since the line was made.
    pub fn passed(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn move_to(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).expect("a line lives for minutes");
        self.0.fetch_max(micros, Ordering::Relaxed);
    }
}

/// A reply of the card reader: `AA AA AA 96 69 | len | 00 00 status | data | xor`.
pub fn card_reply(status: u8, data: &[u8]) -> Vec<u8> {
    let mut body = ((data.len() + 4) as u16).to_be_bytes().to_vec();
    body.extend([0, 0, status]);
    body.extend(data);
    body.push(body.iter().fold(0, |sum, byte| sum ^ byte));
    [&[0xAA, 0xAA, 0xAA, 0x96, 0x69][..], &body].concat()
}

/// A packet of the fingerprint module: `EF 01 | FF FF FF FF | kind | len | payload | sum`.
pub fn finger_packet(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut summed = vec![kind];
    summed.extend(((payload.len() + 2) as u16).to_be_bytes());
    summed.extend(payload);
    let sum = summed.iter().fold(0u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
    [&[0xEF, 0x01, 0xFF, 0xFF, 0xFF, 0xFF][..], &summed, &sum.to_be_bytes()].concat()
}
