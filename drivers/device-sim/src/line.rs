//! The wire between a simulated device and the kiosk: bytes come in small bursts at the
//! pace of the line speed, and the wire can damage, delay and repeat them.

use std::collections::VecDeque;
use std::time::Duration;

use crate::random::Random;

/// From the device to the kiosk. Times are since the simulator began.
pub struct Line {
    random: Random,
    is_paced: bool,
    queue: VecDeque<Burst>,
    free_at: Duration,
    previous: Vec<u8>,
    faults: Faults,
}

/// What the wire is going to do wrong. Each is used up by what it spoils.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Nothing passes, in either direction, until then.
    pub silent_until: Duration,
    /// So many of the coming bytes are changed, lost or doubled.
    pub n_noisy_bytes: usize,
    /// The last byte of the next reply is wrong.
    pub has_bad_checksum: bool,
    /// The next reply begins twice.
    pub has_double_start: bool,
    /// The next reply follows the one before it, sent once more.
    pub is_stale: bool,
    /// The next reply comes later by this.
    pub delay: Duration,
}

struct Burst {
    due: Duration,
    baud_hz: u32,
    bytes: Vec<u8>,
}

impl Line {
    /// A line whose bursts follow from `seed`; unpaced it takes no time at all.
    pub fn new(seed: u64, is_paced: bool) -> Self {
        Self {
            random: Random::new(seed),
            is_paced,
            queue: VecDeque::new(),
            free_at: Duration::ZERO,
            previous: Vec::new(),
            faults: Faults::default(),
        }
    }

    /// What the wire is going to do wrong.
    pub fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// Whether nothing passes now.
    pub fn is_silent(&self, now: Duration) -> bool {
        now < self.faults.silent_until
    }

    /// Puts a reply of the device on the wire. `start` is how many of its first bytes a
    /// doubled beginning repeats.
    pub fn send(&mut self, reply: &[u8], start: usize, baud_hz: u32, now: Duration) {
        if self.is_silent(now) {
            return;
        }
        let mut bytes = Vec::new();
        if std::mem::take(&mut self.faults.is_stale) {
            bytes.extend(&self.previous);
        }
        if std::mem::take(&mut self.faults.has_double_start) {
            bytes.extend(&reply[..start.min(reply.len())]);
        }
        bytes.extend(reply);
        if std::mem::take(&mut self.faults.has_bad_checksum) {
            let change = 1 + self.random.below(255) as u8;
            if let Some(last) = bytes.last_mut() {
                *last ^= change;
            }
        }
        self.previous = reply.to_vec();
        let delay = std::mem::take(&mut self.faults.delay);
        self.queue_up(&bytes, baud_hz, now + delay);
    }

    /// The bytes that have arrived by `now`, as a host at `host_baud_hz` sees them.
    pub fn arrived(&mut self, host_baud_hz: u32, now: Duration) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.queue.front().is_some_and(|burst| burst.due <= now) {
            let burst = self.queue.pop_front().expect("the front was just seen");
            if burst.due < self.faults.silent_until {
                continue;
            }
            if burst.baud_hz == host_baud_hz {
                let burst = self.spoil(burst.bytes);
                bytes.extend(burst);
            } else {
                let n = burst.bytes.len() as u64 * u64::from(host_baud_hz);
                let n = n / u64::from(burst.baud_hz.max(1));
                bytes.extend((0..n).map(|_| self.random.byte()));
            }
        }
        bytes
    }

    /// When the next bytes arrive.
    pub fn next_due(&self) -> Option<Duration> {
        self.queue.front().map(|burst| burst.due)
    }

    /// Loses what is under way, as pulling the plug does.
    pub fn cut(&mut self) {
        self.queue.clear();
    }

    fn spoil(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            let hit = self.faults.n_noisy_bytes > 0 && self.random.below(NOISE_SPREAD) == 0;
            if !hit {
                out.push(byte);
                continue;
            }
            self.faults.n_noisy_bytes -= 1;
            match self.random.below(3) {
                0 => out.push(byte ^ (1 + self.random.below(255) as u8)),
                1 => {}
                _ => out.extend([byte, self.random.byte()]),
            }
        }
        out
    }

    fn queue_up(&mut self, bytes: &[u8], baud_hz: u32, now: Duration) {
        let mut due = now.max(self.free_at);
        let mut rest = bytes;
        while !rest.is_empty() {
            let n = (1 + self.random.below(BURST_MAX)).min(rest.len());
            let (burst, after) = rest.split_at(n);
            if self.is_paced {
                due += wire_time(n, baud_hz);
            }
            self.queue.push_back(Burst { due, baud_hz, bytes: burst.to_vec() });
            rest = after;
        }
        self.free_at = due;
    }
}

/// Time of `n_bytes` at 8N1, ten bits a byte.
pub fn wire_time(n_bytes: usize, baud_hz: u32) -> Duration {
    Duration::from_nanos(10_000_000_000 * n_bytes as u64 / u64::from(baud_hz.max(1)))
}

/// One byte in so many is hit while there is noise.
const NOISE_SPREAD: usize = 24;
/// A USB bridge hands over at most so many bytes at a time.
const BURST_MAX: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_the_time_of_the_line() {
        let mut line = Line::new(1, true);
        line.send(&[7; 1152], 0, 115_200, Duration::ZERO);
        let almost = line.arrived(115_200, Duration::from_millis(99));
        assert!((1000..1152).contains(&almost.len()), "{}", almost.len());
        let rest = line.arrived(115_200, Duration::from_millis(101));
        assert_eq!(almost.len() + rest.len(), 1152);
    }

    #[test]
    fn another_speed_sees_other_bytes() {
        let mut line = Line::new(1, false);
        line.send(&[7; 64], 0, 57_600, Duration::ZERO);
        let seen = line.arrived(115_200, Duration::ZERO);
        assert_eq!(seen.len(), 128);
        assert_ne!(seen, vec![7; 128]);
    }

    #[test]
    fn each_fault_spoils_one_reply() {
        let mut line = Line::new(1, false);
        check(&mut line, b"old", b"old");
        line.faults().is_stale = true;
        check(&mut line, b"new", b"oldnew");
        line.faults().has_double_start = true;
        check(&mut line, b"abcd", b"ababcd");
        check(&mut line, b"abcd", b"abcd");
        line.faults().has_bad_checksum = true;
        let seen = seen(&mut line, b"abcd");
        assert_eq!(seen[..3], *b"abc");
        assert_ne!(seen[3], b'd');
        line.faults().silent_until = Duration::from_secs(1);
        check(&mut line, b"abcd", b"");
    }

    fn check(line: &mut Line, reply: &[u8], expected: &[u8]) {
        assert_eq!(seen(line, reply), expected);
    }

    fn seen(line: &mut Line, reply: &[u8]) -> Vec<u8> {
        line.send(reply, 2, 9600, Duration::ZERO);
        line.arrived(9600, Duration::ZERO)
    }
}
