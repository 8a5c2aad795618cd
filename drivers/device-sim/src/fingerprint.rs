//! The simulated fingerprint module of the EF 01 family, with its own byte code.

use std::collections::VecDeque;
use std::time::Duration;

use crate::device::Device;
use crate::random::Random;
use crate::script::Poor;

/// The module and what lies on its glass.
pub struct Fingerprint {
    is_paced: bool,
    received: Vec<u8>,
    jobs: VecDeque<(Duration, Vec<u8>)>,
    finger: Option<Vec<u8>>,
    poor: Option<Poor>,
    image: Vec<u8>,
    random: Random,
    baud_n: u8,
    packet_code: u8,
}

impl Fingerprint {
    /// A module at its factory speed; `seed` makes the grain of its images.
    pub fn new(is_paced: bool, seed: u64) -> Self {
        Self {
            is_paced,
            received: Vec::new(),
            jobs: VecDeque::new(),
            finger: None,
            poor: None,
            image: vec![0xFF; IMAGE_SIZE],
            random: Random::new(seed),
            baud_n: 6,
            packet_code: 2,
        }
    }

    /// Lays a finger, 256 x 288 grey pixels, or lifts it.
    pub fn lay(&mut self, finger: Option<Vec<u8>>) {
        self.finger = finger;
    }

    /// The next image will be poor.
    pub fn make_poor(&mut self, poor: Poor) {
        self.poor = Some(poor);
    }

    /// Whether a finger lies there.
    pub fn has_finger(&self) -> bool {
        self.finger.is_some()
    }

    fn take_packet(&mut self) -> Option<Result<Vec<u8>, ()>> {
        loop {
            let at = self.received.windows(2).position(|w| w == [0xEF, 0x01]);
            let Some(at) = at else {
                let keep = usize::from(self.received.last() == Some(&0xEF));
                self.received.drain(..self.received.len() - keep);
                return None;
            };
            self.received.drain(..at);
            let header = self.received.get(2..9)?;
            let size = usize::from(u16::from_be_bytes([header[5], header[6]]));
            if header[..5] != [0xFF, 0xFF, 0xFF, 0xFF, 0x01] || !(3..=258).contains(&size) {
                self.received.drain(..2);
                continue;
            }
            let packet = self.received.get(6..9 + size)?.to_vec();
            self.received.drain(..9 + size);
            let (body, stated) = packet.split_at(packet.len() - 2);
            let sum = body.iter().map(|b| u32::from(*b)).sum::<u32>() as u16;
            if stated != sum.to_be_bytes() {
                return Some(Err(()));
            }
            return Some(Ok(body[3..].to_vec()));
        }
    }

    fn work_time(&self, payload: &[u8]) -> Duration {
        let ms = match payload.first() {
            _ if !self.is_paced => 0,
            Some(0x01) if self.finger.is_some() => 250,
            Some(0x01) => 60,
            Some(0x02) => 300,
            _ => 3,
        };
        Duration::from_millis(ms)
    }

    fn answer(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        let ack = |code: u8| vec![packet(0x07, &[code])];
        match payload {
            [0x13, password @ ..] if password.len() == 4 => {
                ack(if password == [0; 4] { 0x00 } else { 0x13 })
            }
            [0x0F] => vec![packet(0x07, &self.parameters())],
            [0x0E, 4, n @ 1..=12] => {
                self.baud_n = *n;
                ack(0)
            }
            [0x0E, 5, 1..=5] => ack(0),
            [0x0E, 6, code @ 0..=3] => {
                self.packet_code = *code;
                ack(0)
            }
            [0x0E, ..] => ack(0x1A),
            [0x01] => ack(self.take_image()),
            [0x02, 1 | 2] => ack(match self.poor.take() {
                Some(Poor::Few) => 0x07,
                _ => 0x00,
            }),
            [0x0A] => self.upload(),
            [0x1D] => vec![packet(0x07, &[0, 0, 0])],
            [0x1F, _] => vec![packet(0x07, &[0; 33])],
            [0x35, _, _, _, _] | [0x50] | [0x51] | [0x0D] | [0x33] => ack(0),
            [0x40] => ack(0),
            [0x53] => ack(0x55),
            _ => ack(0x19),
        }
    }

    /// 16 bytes behind the code: state, system, library, security, address, packet, baud.
    fn parameters(&self) -> [u8; 17] {
        let mut block = [0; 17];
        block[4] = 9;
        block[5..7].copy_from_slice(&200u16.to_be_bytes());
        block[8] = 3;
        block[9..13].fill(0xFF);
        block[14] = self.packet_code;
        block[16] = self.baud_n;
        block
    }

    fn take_image(&mut self) -> u8 {
        let Some(finger) = &self.finger else {
            return 0x02;
        };
        match self.poor {
            Some(Poor::Dry) => {
                self.poor = None;
                return 0x04;
            }
            Some(Poor::Wet) => {
                self.poor = None;
                return 0x05;
            }
            Some(Poor::Moved) => {
                self.poor = None;
                return 0x06;
            }
            Some(Poor::Few) | None => {}
        }
        // No two images of a sensor are the same: one pixel in 16 is a step off.
        let random = &mut self.random;
        let mut grainy = |grey: u8| {
            let step = i16::from(grey >> 4) + [-1, 1, 0][random.below(48).min(2)];
            step.clamp(0, 15) as u8
        };
        let packed = finger.chunks_exact(2).map(|two| (grainy(two[0]) << 4) | grainy(two[1]));
        self.image = packed.collect();
        0x00
    }

    fn upload(&mut self) -> Vec<Vec<u8>> {
        let mut replies = vec![packet(0x07, &[0])];
        let chunk = 32usize << self.packet_code;
        let n = self.image.len().div_ceil(chunk);
        for (index, data) in self.image.chunks(chunk).enumerate() {
            let kind = if index + 1 == n { 0x08 } else { 0x02 };
            replies.push(packet(kind, data));
        }
        replies
    }
}

impl Device for Fingerprint {
    fn receive(&mut self, bytes: &[u8], now: Duration) {
        self.received.extend_from_slice(bytes);
        while let Some(packet) = self.take_packet() {
            // An empty payload stands for a packet that came damaged.
            let payload = packet.unwrap_or_default();
            let done_at = now + self.work_time(&payload);
            self.jobs.push_back((done_at, payload));
        }
    }

    fn replies(&mut self, now: Duration) -> Vec<Vec<u8>> {
        if self.jobs.front().is_none_or(|(done_at, _)| *done_at > now) {
            return Vec::new();
        }
        let (_, payload) = self.jobs.pop_front().expect("the front was just seen");
        if payload.is_empty() {
            return vec![packet(0x07, &[0x01])];
        }
        self.answer(&payload)
    }

    fn busy_until(&self) -> Option<Duration> {
        self.jobs.front().map(|(done_at, _)| *done_at)
    }

    fn baud_hz(&self) -> u32 {
        u32::from(self.baud_n) * 9600
    }

    fn power_off(&mut self) {
        self.received.clear();
        self.jobs.clear();
        self.image = vec![0xFF; IMAGE_SIZE];
    }

    fn start_size(&self) -> usize {
        2
    }
}

fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xEF, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, kind];
    packet.extend(((payload.len() + 2) as u16).to_be_bytes());
    packet.extend(payload);
    let sum = packet[6..].iter().map(|b| u32::from(*b)).sum::<u32>() as u16;
    packet.extend(sum.to_be_bytes());
    packet
}

/// Width of an image in pixels.
pub const WIDTH: u32 = 256;
/// Height of an image in pixels.
pub const HEIGHT: u32 = 288;
const IMAGE_SIZE: usize = (WIDTH * HEIGHT / 2) as usize;
