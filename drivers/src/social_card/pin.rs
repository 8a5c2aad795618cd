//! A PIN that the holder has entered. There is no way to make one but from their digits,
//! it prints as nothing, and its memory is wiped.

use std::fmt;

use zeroize::Zeroize;

/// Six digits, as the card wants them: two in a byte.
pub struct Pin([u8; 3]);

impl Pin {
    /// The PIN of exactly six digits; none if it is anything else.
    pub fn parse(digits: &str) -> Option<Self> {
        let digits: &[u8; 6] = digits.as_bytes().try_into().ok()?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let two = |i: usize| (digits[i] - b'0') << 4 | (digits[i + 1] - b'0');
        Some(Self([two(0), two(2), two(4)]))
    }

    pub(super) fn digits(&self) -> &[u8; 3] {
        &self.0
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_six_digits_and_prints_as_nothing() {
        assert_eq!(Pin::parse("907856").unwrap().digits(), &[0x90, 0x78, 0x56]);
        for wrong in ["", "12345", "1234567", "12345a", "12345\u{FF16}", "一二"] {
            assert!(Pin::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(format!("{:?}", Pin::parse("907856")), "Some(Pin(…))");
    }
}
