//! The questions a printer answers at once (DLE EOT n) or in line (GS r 1), and the
//! bits of its answers. No I/O.

/// A question that is answered at once, even when the printer is halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// n = 2: why it is offline.
    Offline,
    /// n = 3: what is broken.
    Error,
    /// n = 4: the paper sensors.
    Paper,
}

impl Question {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Offline, Self::Error, Self::Paper];

    /// The bytes that ask it.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::Offline => &[0x10, 0x04, 2],
            Self::Error => &[0x10, 0x04, 3],
            Self::Paper => &[0x10, 0x04, 4],
        }
    }
}

/// An answer whose fixed bits are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer(u8);

impl Answer {
    /// Takes `byte` if it can be an answer: bits 1 and 4 are always set, 0 and 7 never.
    pub fn checked(byte: u8) -> Option<Self> {
        (byte & 0b1001_0011 == 0b0001_0010).then_some(Self(byte))
    }
}

/// What the printer says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    /// No paper under the head.
    pub paper_out: bool,
    /// The roll is nearly at its end.
    pub paper_low: bool,
    /// The cover is open.
    pub cover_open: bool,
    /// The knife is stuck.
    pub cutter_stuck: bool,
    /// Any other fault, an overheated head included.
    pub fault: bool,
}

impl Status {
    /// Adds what an answer tells.
    pub fn learn(&mut self, question: Question, answer: Answer) {
        let bit = |n: u8| answer.0 & (1 << n) != 0;
        match question {
            Question::Offline => {
                self.cover_open |= bit(2);
                self.paper_out |= bit(5);
            }
            Question::Error => {
                self.cutter_stuck |= bit(3);
                self.fault |= bit(5) || bit(6);
            }
            Question::Paper => {
                self.paper_low |= bit(2) || bit(3);
                self.paper_out |= bit(5) || bit(6);
            }
        }
    }
}

/// GS r 1: asks for the paper sensor when everything before is printed.
pub const PAPER_IN_LINE: &[u8] = &[0x1D, 0x72, 1];

/// Whether `byte` can be an answer to [`PAPER_IN_LINE`]: bits 4 and 7 are never set.
pub fn is_answer_in_line(byte: u8) -> bool {
    byte & 0b1001_0000 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_mean_what_the_manual_says() {
        check(Question::Offline, 0x12, Status::default());
        let cover_open = true;
        check(Question::Offline, 0x16, Status { cover_open, ..Status::default() });
        let paper_out = true;
        check(Question::Paper, 0x72, Status { paper_out, paper_low: false, ..Status::default() });
        let paper_low = true;
        check(Question::Paper, 0x1E, Status { paper_low, ..Status::default() });
        let cutter_stuck = true;
        check(Question::Error, 0x1A, Status { cutter_stuck, ..Status::default() });
    }

    #[test]
    fn noise_is_no_answer() {
        let answers = (0..=255).filter(|b| Answer::checked(*b).is_some()).count();
        assert_eq!(answers, 16);
        assert_eq!(Answer::checked(0xFF), None);
        assert_eq!(Answer::checked(0x00), None);
    }

    fn check(question: Question, byte: u8, expected: Status) {
        let mut status = Status::default();
        status.learn(question, Answer::checked(byte).unwrap());
        assert_eq!(status, expected);
    }
}
