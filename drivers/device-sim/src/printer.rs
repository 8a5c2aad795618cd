//! The simulated receipt printer: takes ESC/POS, answers questions about paper and
//! cover, and stops when it cannot print.

use std::time::Duration;

use crate::device::Device;

/// The printer and its paper.
pub struct Printer {
    buffer: Vec<u8>,
    printed: Vec<u8>,
    replies: Vec<Vec<u8>>,
    is_paper_out: bool,
    is_paper_low: bool,
    is_cover_open: bool,
    is_cutter_stuck: bool,
}

impl Printer {
    /// A printer with paper.
    pub fn new() -> Self {
        Self {
            buffer: Vec::new(),
            printed: Vec::new(),
            replies: Vec::new(),
            is_paper_out: false,
            is_paper_low: false,
            is_cover_open: false,
            is_cutter_stuck: false,
        }
    }

    /// Sets the paper: out, low.
    pub fn set_paper(&mut self, is_out: bool, is_low: bool) {
        (self.is_paper_out, self.is_paper_low) = (is_out, is_low);
        self.work();
    }

    /// Opens or closes the cover.
    pub fn set_cover(&mut self, is_open: bool) {
        self.is_cover_open = is_open;
        self.work();
    }

    /// Jams or frees the knife.
    pub fn set_cutter(&mut self, is_stuck: bool) {
        self.is_cutter_stuck = is_stuck;
        self.work();
    }

    /// Takes the bytes that were printed since the last call: everything that came but
    /// the questions about status.
    pub fn take_printed(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.printed)
    }

    fn can_print(&self) -> bool {
        !(self.is_paper_out || self.is_cover_open || self.is_cutter_stuck)
    }

    fn work(&mut self) {
        while self.can_print() {
            let n = element_size(&self.buffer);
            if n == 0 {
                break;
            }
            let element: Vec<u8> = self.buffer.drain(..n).collect();
            if element == [0x1D, b'r', 1] {
                self.replies.push(vec![if self.is_paper_low { 0x03 } else { 0x00 }]);
            } else {
                self.printed.extend(element);
            }
        }
    }

    fn status(&self, n: u8) -> u8 {
        let bits = match n {
            1 => (!self.can_print(), 3),
            2 if self.is_paper_out => (true, 5),
            2 => (self.is_cover_open, 2),
            3 => (self.is_cutter_stuck, 3),
            4 if self.is_paper_out => return 0x72,
            4 if self.is_paper_low => return 0x1E,
            _ => (false, 0),
        };
        let both = if n == 2 && self.is_cover_open { 1 << 2 } else { 0 };
        0x12 | (u8::from(bits.0) << bits.1) | both
    }
}

impl Default for Printer {
    fn default() -> Self {
        Self::new()
    }
}

impl Device for Printer {
    fn receive(&mut self, bytes: &[u8], _now: Duration) {
        for byte in bytes {
            self.buffer.push(*byte);
            // A question about status is answered at once, whatever waits before it,
            // unless it is a part of a picture.
            if let [.., 0x10, 0x04, n @ 1..=4] = self.buffer[..] {
                let at = self.buffer.len() - 3;
                if !is_inside_picture(&self.buffer, at) {
                    self.buffer.truncate(at);
                    let status = self.status(n);
                    self.replies.push(vec![status]);
                }
            }
        }
        self.work();
    }

    fn replies(&mut self, _now: Duration) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.replies)
    }

    fn busy_until(&self) -> Option<Duration> {
        None
    }

    fn baud_hz(&self) -> u32 {
        115_200
    }

    fn power_off(&mut self) {
        self.buffer.clear();
        self.replies.clear();
    }

    fn start_size(&self) -> usize {
        1
    }
}

/// Size of the command or text at the front; 0 asks for more bytes.
fn element_size(bytes: &[u8]) -> usize {
    let needed = match bytes {
        [] | [0x10] | [0x1B] | [0x1C] | [0x1D] | [0x10, 0x04] => return 0,
        [0x10, 0x04, ..] => 3,
        [0x1B, b'@', ..] | [0x1C, b'&' | b'.', ..] => 2,
        [0x1B, b'a' | b'E' | b'd' | b'!' | b'J' | b'-' | b't' | b'R', ..] => 3,
        [0x1D, b'!' | b'r' | b'B' | b'h' | b'w', ..] => 3,
        [0x1D, b'V', 65 | 66, ..] => 4,
        [0x1D, b'V'] => return 0,
        [0x1D, b'V', ..] => 3,
        [0x1D, b'v', b'0', _, xl, xh, yl, yh, ..] => {
            let width = usize::from(u16::from_le_bytes([*xl, *xh]));
            8 + width * usize::from(u16::from_le_bytes([*yl, *yh]))
        }
        [0x1D, b'v', ..] => return 0,
        _ => 1,
    };
    if bytes.len() < needed { 0 } else { needed }
}

fn is_inside_picture(bytes: &[u8], at: usize) -> bool {
    let mut begins = 0;
    while begins < at {
        match element_size(&bytes[begins..]) {
            0 => return bytes[begins..].starts_with(&[0x1D, b'v', b'0']),
            n if begins + n > at => return n > 8,
            n => begins += n,
        }
    }
    false
}
