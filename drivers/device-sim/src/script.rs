//! The lines that tell the simulator what happens at the counter, from a script file or
//! the control socket.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// `CARD n`: the card of person `n` is laid on the reader.
    Card(u32),
    /// `CARD OFF`: the card is taken away.
    CardOff,
    /// `SWAP n`: the card is changed for that of person `n` in one movement.
    Swap(u32),
    /// `FAKE`: the card that lies there, or the next one, is not genuine.
    Fake,
    /// `TEAR`: the card is torn away in the middle of the next read.
    Tear,
    /// `SHAKE`: the card moves during the next read and stays.
    Shake,
    /// `DEAD-SAM`: the security module fails its self-test from now on.
    DeadSam,
    /// `SAM OK`: it works again.
    SamOk,
    /// `WORK OFF` and `WORK ON`: whether the reader's own work takes time, or only the wire does.
    Work(bool),
    /// `FINGER n NAME [IMPRESSION]`: a finger of person `n` is laid on the glass.
    Finger(u32, u8, u32),
    /// `FINGER OFF`: it is lifted.
    FingerOff,
    /// `DRY`, `WET`, `MOVED`, `FEW`: the next image is poor in this way.
    Poor(Poor),
    /// `PAPER OUT`
    PaperOut,
    /// `PAPER LOW`
    PaperLow,
    /// `PAPER IN`
    PaperIn,
    /// `COVER OPEN`
    CoverOpen,
    /// `COVER CLOSE`
    CoverClose,
    /// `CUTTER JAM` and `CUTTER OK`
    CutterJam(bool),
    /// `SILENCE device ms`
    Silence(DeviceName, Duration),
    /// `LATE device ms`: the next reply comes later.
    Late(DeviceName, Duration),
    /// `NOISE device n`: so many of the coming bytes are damaged; 0 ends the noise.
    Noise(DeviceName, usize),
    /// `BAD-CHECKSUM device`
    BadChecksum(DeviceName),
    /// `DOUBLE-PREAMBLE device`
    DoublePreamble(DeviceName),
    /// `STALE device`
    Stale(DeviceName),
    /// `UNPLUG device`
    Unplug(DeviceName),
    /// `REPLUG device`
    Replug(DeviceName),
    /// `SLEEP ms`: the lines after this wait.
    Sleep(Duration),
    /// `STATUS`: one line about what lies where.
    Status,
    /// `QUIT`
    Quit,
}

/// A simulated device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceName {
    /// The card reader.
    IdCard,
    /// The fingerprint module.
    Fingerprint,
    /// The receipt printer.
    Printer,
}

impl DeviceName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::IdCard, Self::Fingerprint, Self::Printer];

    /// Its name in scripts, and of its file.
    pub fn text(self) -> &'static str {
        match self {
            Self::IdCard => "id-card",
            Self::Fingerprint => "fingerprint",
            Self::Printer => "printer",
        }
    }
}

/// What is wrong with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poor {
    /// Too dry.
    Dry,
    /// Too wet.
    Wet,
    /// Moved.
    Moved,
    /// Too few minutiae.
    Few,
}

/// A line that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The first word is none of ours.
    #[error("no such order {0:?}; device-sim --help lists them")]
    Unknown(String),
    /// The words after it do not fit.
    #[error("{order} wants {wants}")]
    Operands {
        /// First word of the line.
        order: String,
        /// What should follow.
        wants: &'static str,
    },
}

impl FromStr for Order {
    type Err = OrderError;

    fn from_str(line: &str) -> Result<Self, OrderError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (order, operands) = words.split_first().unwrap_or((&"", &[]));
        let wants = wants(order).ok_or_else(|| OrderError::Unknown((*order).to_owned()))?;
        parse(order, operands)
            .ok_or_else(|| OrderError::Operands { order: (*order).to_owned(), wants })
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// All orders, for who types them. A test holds this list against [`FromStr`].
pub const ORDERS: &str = "\
Orders, one a line, in --script or through D/control (a Unix socket; each is answered with ok or error):
  CARD 3                      the card of person 3 is laid on the reader; CARD OFF takes it away
  SWAP 4                      it is changed for that of person 4 in one movement
  FAKE | TEAR | SHAKE         it is not genuine | is torn away | moves, during the next read
  DEAD-SAM | SAM OK           the reader's security module fails | works again
  WORK OFF | WORK ON          the reader answers without taking time to work | as a real one
  FINGER 3 right-index 1      a finger of person 3 is laid on the glass, its second impression; FINGER OFF lifts it
  DRY | WET | MOVED | FEW     the next image of a finger is poor in this way
  PAPER OUT | PAPER LOW | PAPER IN | COVER OPEN | COVER CLOSE | CUTTER JAM | CUTTER OK
  SILENCE id-card 800         the device says nothing for 800 ms (id-card, fingerprint or printer)
  LATE printer 500            its next reply comes 500 ms later
  NOISE fingerprint 20        the next 20 bytes are damaged
  BAD-CHECKSUM id-card | DOUBLE-PREAMBLE id-card | STALE id-card
  UNPLUG printer | REPLUG printer
  SLEEP 1000                  the lines after it wait
  STATUS                      one line about what lies where
  QUIT";

/// What follows each order, for the message of an error.
fn wants(order: &str) -> Option<&'static str> {
    Some(match order {
        "CARD" => "a person's number or OFF",
        "SWAP" => "a person's number",
        "FINGER" => {
            "a person's number, a finger like right-index or 2, perhaps an impression; or OFF"
        }
        "PAPER" => "OUT, LOW or IN",
        "COVER" => "OPEN or CLOSE",
        "CUTTER" => "JAM or OK",
        "SAM" => "OK",
        "WORK" => "OFF or ON",
        "SILENCE" | "LATE" => "a device and milliseconds",
        "NOISE" => "a device and a number of bytes",
        "BAD-CHECKSUM" | "DOUBLE-PREAMBLE" | "STALE" | "UNPLUG" | "REPLUG" => "a device",
        "SLEEP" => "milliseconds",
        "FAKE" | "TEAR" | "SHAKE" | "DEAD-SAM" | "DRY" | "WET" | "MOVED" | "FEW" | "STATUS"
        | "QUIT" => "nothing more",
        _ => return None,
    })
}

fn parse(order: &str, operands: &[&str]) -> Option<Order> {
    Some(match (order, operands) {
        ("CARD", ["OFF"]) => Order::CardOff,
        ("CARD", [n]) => Order::Card(n.parse().ok()?),
        ("SWAP", [n]) => Order::Swap(n.parse().ok()?),
        ("FAKE", []) => Order::Fake,
        ("TEAR", []) => Order::Tear,
        ("SHAKE", []) => Order::Shake,
        ("DEAD-SAM", []) => Order::DeadSam,
        ("SAM", ["OK"]) => Order::SamOk,
        ("WORK", ["OFF"]) => Order::Work(false),
        ("WORK", ["ON"]) => Order::Work(true),
        ("FINGER", ["OFF"]) => Order::FingerOff,
        ("FINGER", [n, name]) => Order::Finger(n.parse().ok()?, finger(name)?, 0),
        ("FINGER", [n, name, impression]) => {
            Order::Finger(n.parse().ok()?, finger(name)?, impression.parse().ok()?)
        }
        ("DRY", []) => Order::Poor(Poor::Dry),
        ("WET", []) => Order::Poor(Poor::Wet),
        ("MOVED", []) => Order::Poor(Poor::Moved),
        ("FEW", []) => Order::Poor(Poor::Few),
        ("PAPER", ["OUT"]) => Order::PaperOut,
        ("PAPER", ["LOW"]) => Order::PaperLow,
        ("PAPER", ["IN"]) => Order::PaperIn,
        ("COVER", ["OPEN"]) => Order::CoverOpen,
        ("COVER", ["CLOSE"]) => Order::CoverClose,
        ("CUTTER", ["JAM"]) => Order::CutterJam(true),
        ("CUTTER", ["OK"]) => Order::CutterJam(false),
        ("SILENCE", [name, ms]) => Order::Silence(device(name)?, millis(ms)?),
        ("LATE", [name, ms]) => Order::Late(device(name)?, millis(ms)?),
        ("NOISE", [name, n]) => Order::Noise(device(name)?, n.parse().ok()?),
        ("BAD-CHECKSUM", [name]) => Order::BadChecksum(device(name)?),
        ("DOUBLE-PREAMBLE", [name]) => Order::DoublePreamble(device(name)?),
        ("STALE", [name]) => Order::Stale(device(name)?),
        ("UNPLUG", [name]) => Order::Unplug(device(name)?),
        ("REPLUG", [name]) => Order::Replug(device(name)?),
        ("SLEEP", [ms]) => Order::Sleep(millis(ms)?),
        ("STATUS", []) => Order::Status,
        ("QUIT", []) => Order::Quit,
        _ => return None,
    })
}

fn device(name: &str) -> Option<DeviceName> {
    DeviceName::ALL.into_iter().find(|device| device.text() == name)
}

fn millis(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

/// ISO finger codes: 1..=5 right thumb to little, 6..=10 left thumb to little.
fn finger(name: &str) -> Option<u8> {
    if let Ok(code) = name.parse() {
        return (1..=10).contains(&code).then_some(code);
    }
    let (hand, finger) = name.split_once('-')?;
    let fingers = ["thumb", "index", "middle", "ring", "little"];
    let nth = fingers.iter().position(|f| *f == finger)? as u8;
    match hand {
        "right" => Some(1 + nth),
        "left" => Some(6 + nth),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_mean_what_they_say() {
        assert_eq!("CARD 3".parse(), Ok(Order::Card(3)));
        assert_eq!("FINGER 3 right-index".parse(), Ok(Order::Finger(3, 2, 0)));
        assert_eq!("FINGER 3 left-thumb 2".parse(), Ok(Order::Finger(3, 6, 2)));
        let silence = Order::Silence(DeviceName::IdCard, Duration::from_millis(500));
        assert_eq!("SILENCE id-card 500".parse(), Ok(silence));
    }

    #[test]
    fn the_list_for_who_types_has_every_example_right() {
        let examples = ORDERS.lines().skip(1).flat_map(|line| {
            let orders = line.trim_start().split("   ").next().unwrap();
            orders.split(" | ")
        });
        for example in examples {
            assert!(example.parse::<Order>().is_ok(), "{example}");
        }
    }

    #[test]
    fn a_wrong_line_says_what_is_wrong() {
        check("", "no such order \"\"; device-sim --help lists them");
        check("CRD 3", "no such order \"CRD\"; device-sim --help lists them");
        check("CARD three", "CARD wants a person's number or OFF");
        check("UNPLUG mouse", "UNPLUG wants a device");
        check("TEAR now", "TEAR wants nothing more");
    }

    fn check(line: &str, expected: &str) {
        assert_eq!(line.parse::<Order>().unwrap_err().to_string(), expected);
    }
}
