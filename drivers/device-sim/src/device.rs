//! What the three simulated devices have in common: they take bytes, work for a while,
//! and answer. Time is given to them.

use std::time::Duration;

use crate::line::Line;

/// A device without its wire.
pub trait Device {
    /// Takes bytes that arrived intact.
    fn receive(&mut self, bytes: &[u8], now: Duration);

    /// What it says by `now`: replies, each as one piece.
    fn replies(&mut self, now: Duration) -> Vec<Vec<u8>>;

    /// When it will have finished what it works at.
    fn busy_until(&self) -> Option<Duration>;

    /// Its line speed in baud.
    fn baud_hz(&self) -> u32;

    /// Loses everything that a loss of power loses.
    fn power_off(&mut self);

    /// How many bytes begin each of its replies.
    fn start_size(&self) -> usize;
}

/// A device on its wire.
pub struct Station<D> {
    /// The device.
    pub device: D,
    /// The wire.
    pub line: Line,
}

impl<D: Device> Station<D> {
    /// A device on a line.
    pub fn new(device: D, line: Line) -> Self {
        Self { device, line }
    }

    /// Bytes from a host that sends at `host_baud_hz`.
    pub fn receive(&mut self, bytes: &[u8], host_baud_hz: u32, now: Duration) {
        // At another speed a device sees framing errors and drops the bytes.
        if host_baud_hz == self.device.baud_hz() && !self.line.is_silent(now) {
            self.device.receive(bytes, now);
        }
    }

    /// Bytes that have reached a host that listens at `host_baud_hz`.
    pub fn arrived(&mut self, host_baud_hz: u32, now: Duration) -> Vec<u8> {
        loop {
            // A reply goes out at the speed from before a change of speed.
            let baud_hz = self.device.baud_hz();
            let replies = self.device.replies(now);
            if replies.is_empty() {
                break;
            }
            for reply in replies {
                let start = self.device.start_size();
                self.line.send(&reply, start, baud_hz, now);
            }
        }
        self.line.arrived(host_baud_hz, now)
    }

    /// When something will happen next without anybody's doing.
    pub fn next_due(&self) -> Option<Duration> {
        let dues = [self.device.busy_until(), self.line.next_due()];
        dues.into_iter().flatten().min()
    }

    /// Power and bytes under way are gone.
    pub fn unplug(&mut self) {
        self.line.cut();
        self.device.power_off();
    }
}
