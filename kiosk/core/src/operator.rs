//! Who may serve, and who may say yes beside the machine.

use std::fmt;

use serde::Deserialize;

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Serves people.
    Operator,
    /// Serves, and is the second person for appeals and exceptions.
    Supervisor,
}

/// Somebody who may sign in at this site.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Stable id, as it stands in records.
    pub id: String,
    /// Name shown to colleagues.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// Digits typed so far. They are compared by the shell (Argon2id) and never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Pin(String);

impl Pin {
    /// Adds a digit; beyond the longest PIN nothing happens.
    pub fn push(&mut self, digit: u8) {
        if self.0.len() < PIN_DIGITS_MAX && digit < 10 {
            self.0.push(char::from(b'0' + digit));
        }
    }

    /// Takes back the last digit.
    pub fn erase(&mut self) {
        self.0.pop();
    }

    /// How many digits there are.
    pub fn n_digits(&self) -> u8 {
        u8::try_from(self.0.len()).unwrap_or(u8::MAX)
    }

    /// Whether it is long enough to be checked.
    pub fn is_complete(&self) -> bool {
        self.0.len() >= PIN_DIGITS_MIN
    }

    /// Whether it has the six digits that a social-security card wants.
    pub fn is_of_a_card(&self) -> bool {
        self.0.len() == CARD_PIN_DIGITS
    }

    /// The digits, for the one comparison.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

/// What came of comparing a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinCheck {
    /// It is theirs.
    Right,
    /// It is not; so many tries are left before the lock (R112).
    Wrong {
        /// Tries before the lock.
        tries_left: u8,
    },
    /// Locked; so many minutes until it opens by itself.
    Locked {
        /// Minutes until it opens.
        minutes: u32,
    },
}

const PIN_DIGITS_MIN: usize = 4;
const PIN_DIGITS_MAX: usize = 8;
/// Three bytes of two digits each (LD/T 32).
const CARD_PIN_DIGITS: usize = 6;
