//! The simulated card reader: finds, selects and reads like a SAM_V module, with its own
//! byte code.

use std::collections::VecDeque;
use std::time::Duration;

use crate::card::Card;
use crate::device::Device;

/// The reader and what lies on it.
pub struct IdCard {
    /// Whether its work takes as long as a real reader's.
    works: bool,
    received: Vec<u8>,
    jobs: VecDeque<Job>,
    card: Option<Card>,
    is_fake: bool,
    state: State,
    will_tear: bool,
    will_shake: bool,
    is_dead: bool,
    baud_hz: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Found,
    Selected,
    /// Selected, and read at least once: the reader finds no card until this one leaves.
    Read,
}

struct Job {
    done_at: Duration,
    request: Request,
    card_moved: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Request {
    Known(u8, u8),
    BadChecksum,
    BadLength,
}

impl IdCard {
    /// A reader without a card.
    pub fn new(is_paced: bool, baud_hz: u32) -> Self {
        Self {
            works: is_paced,
            received: Vec::new(),
            jobs: VecDeque::new(),
            card: None,
            is_fake: false,
            state: State::Idle,
            will_tear: false,
            will_shake: false,
            is_dead: false,
            baud_hz,
        }
    }

    /// Lays a card, or takes it away.
    pub fn lay(&mut self, card: Option<Card>) {
        if card.is_none() {
            self.is_fake = false;
            self.will_tear = false;
            self.will_shake = false;
        }
        self.card = card;
        self.state = State::Idle;
        for job in &mut self.jobs {
            job.card_moved = true;
        }
    }

    /// The card is not genuine.
    pub fn fake(&mut self) {
        self.is_fake = true;
        self.state = State::Idle;
    }

    /// The card is torn away during the next read.
    pub fn tear(&mut self) {
        self.will_tear = true;
    }

    /// The card moves during the next read.
    pub fn shake(&mut self) {
        self.will_shake = true;
    }

    /// The security module fails its self-test, or works again.
    pub fn set_dead(&mut self, is_dead: bool) {
        self.is_dead = is_dead;
    }

    /// Whether a card lies there.
    pub fn has_card(&self) -> bool {
        self.card.is_some()
    }

    /// Whether its work takes time; without, only the wire does.
    pub fn set_works(&mut self, works: bool) {
        self.works = works;
    }

    fn take_request(&mut self) -> Option<Request> {
        let at = self.received.windows(START.len()).position(|w| w == START);
        let Some(at) = at else {
            let keep = self.received.len().min(START.len() - 1);
            self.received.drain(..self.received.len() - keep);
            return None;
        };
        self.received.drain(..at);
        let size = self.received.get(4..6)?;
        let size = usize::from(u16::from_be_bytes([size[0], size[1]]));
        if !(3..=64).contains(&size) {
            self.received.drain(..1);
            return Some(Request::BadLength);
        }
        let frame = self.received.get(4..6 + size)?.to_vec();
        self.received.drain(..6 + size);
        if frame.iter().fold(0, |sum, b| sum ^ b) != 0 {
            return Some(Request::BadChecksum);
        }
        Some(Request::Known(frame[2], frame[3]))
    }

    fn work_time(&self, request: Request) -> Duration {
        let ms = match request {
            _ if !self.works => 0,
            Request::Known(0x20, _) => 25,
            Request::Known(0x30, 0x01) => 500,
            Request::Known(0x30, 0x10) => 700,
            Request::Known(0x30, _) => 40,
            Request::Known(0x10, _) => 100,
            _ => 3,
        };
        Duration::from_millis(ms)
    }

    fn answer(&mut self, job: &Job) -> Vec<u8> {
        let (command, parameter) = match job.request {
            Request::BadChecksum => return reply(0x10, &[]),
            Request::BadLength => return reply(0x11, &[]),
            Request::Known(command, parameter) => (command, parameter),
        };
        if self.is_dead {
            return reply(0x60, &[]);
        }
        match (command, parameter) {
            (0x10, 0xFF) => {
                self.state = State::Idle;
                reply(0x90, &[])
            }
            (0x11, 0xFF) => reply(0x90, &[]),
            (0x12, 0xFF) => reply(0x90, &SAM_ID),
            (0x20, 0x01) => self.find(job),
            (0x20, 0x02) => self.select(job),
            (0x30, 0x01) => self.read(job, false),
            (0x30, 0x10) => self.read(job, true),
            (0x30, 0x03) => self.read_additional_address(job),
            (0x60, code @ 0..=4) => {
                self.baud_hz = [115_200, 57_600, 38_400, 19_200, 9_600][usize::from(code)];
                reply(0x90, &[])
            }
            (0x61, 0xFF) => reply(0x90, &[]),
            _ => reply(0x21, &[]),
        }
    }

    fn find(&mut self, job: &Job) -> Vec<u8> {
        if self.card.is_none() || self.state == State::Read || job.card_moved {
            return reply(0x80, &[]);
        }
        self.state = State::Found;
        reply(0x9F, &[0; 4])
    }

    fn select(&mut self, job: &Job) -> Vec<u8> {
        if self.state == State::Idle || job.card_moved {
            return reply(0x81, &[]);
        }
        if self.is_fake {
            self.state = State::Idle;
            return reply(0x32, &[]);
        }
        self.state = State::Selected;
        reply(0x90, &[0; 8])
    }

    fn read(&mut self, job: &Job, with_fingerprint: bool) -> Vec<u8> {
        let moved = job.card_moved | std::mem::take(&mut self.will_shake);
        if std::mem::take(&mut self.will_tear) {
            self.lay(None);
        }
        let is_selected = matches!(self.state, State::Selected | State::Read);
        let Some(card) = self.card.as_ref().filter(|_| is_selected && !moved) else {
            self.state = State::Idle;
            return reply(0x41, &[]);
        };
        self.state = State::Read;
        let mut data = vec![0x01, 0x00, 0x04, 0x00];
        if with_fingerprint {
            data.extend((card.fingerprint.len() as u16).to_be_bytes());
        }
        data.extend(card.text);
        data.extend(card.photo);
        if with_fingerprint {
            data.extend(&card.fingerprint);
        }
        reply(0x90, &data)
    }

    fn read_additional_address(&mut self, job: &Job) -> Vec<u8> {
        let is_selected = matches!(self.state, State::Selected | State::Read);
        match self.card.as_ref().filter(|_| is_selected && !job.card_moved) {
            None => reply(0x41, &[]),
            Some(card) => match &card.additional_address {
                None => reply(0x91, &[]),
                Some(address) => reply(0x90, address),
            },
        }
    }
}

impl Device for IdCard {
    fn receive(&mut self, bytes: &[u8], now: Duration) {
        self.received.extend_from_slice(bytes);
        while let Some(request) = self.take_request() {
            let begins = self.jobs.back().map_or(now, |job| job.done_at.max(now));
            self.jobs.push_back(Job {
                done_at: begins + self.work_time(request),
                request,
                card_moved: false,
            });
        }
    }

    fn replies(&mut self, now: Duration) -> Vec<Vec<u8>> {
        let is_done = self.jobs.front().is_some_and(|job| job.done_at <= now);
        let job = if is_done { self.jobs.pop_front() } else { None };
        job.map(|job| self.answer(&job)).into_iter().collect()
    }

    fn busy_until(&self) -> Option<Duration> {
        self.jobs.front().map(|job| job.done_at)
    }

    fn baud_hz(&self) -> u32 {
        self.baud_hz
    }

    fn power_off(&mut self) {
        self.received.clear();
        self.jobs.clear();
        self.state = State::Idle;
    }

    fn start_size(&self) -> usize {
        5
    }
}

fn reply(status: u8, data: &[u8]) -> Vec<u8> {
    let size = (data.len() + 4) as u16;
    let mut frame = vec![0xAA, 0xAA, 0xAA, 0x96, 0x69];
    frame.extend(size.to_be_bytes());
    frame.extend([0, 0, status]);
    frame.extend(data);
    let sum = frame[5..].iter().fold(0, |sum, b| sum ^ b);
    frame.push(sum);
    frame
}

const START: [u8; 4] = [0xAA, 0xAA, 0x96, 0x69];
/// 05.03-20230417-0001234567-0987654321, which no real module has.
pub const SAM_ID: [u8; 16] =
    [5, 0, 3, 0, 0x81, 0xB1, 0x34, 0x01, 0x87, 0xD6, 0x12, 0x00, 0xB1, 0x68, 0xDE, 0x3A];
