//! How an identity number in the roster differs from the one on the card.

use crate::identity::{IdNumber, IdNumberError};

/// How two numbers differ. It holds positions, never digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberDifference {
    /// The same number.
    None,
    /// The roster has the 15 digits from before 1999; it is the same person's number.
    Legacy,
    /// The same number in another writing: small x, spaces, wide digits.
    Writing,
    /// These positions (from 1) differ.
    Digits(Vec<usize>),
    /// Two neighbouring digits changed places; the position of the first.
    Swapped(usize),
    /// The roster's number cannot be one.
    Malformed(IdNumberError),
    /// Another number.
    Other,
}

impl NumberDifference {
    /// Whether both are the same number.
    pub fn is_same(&self) -> bool {
        matches!(self, Self::None | Self::Legacy | Self::Writing)
    }
}

/// Compares the roster's number with the card's.
pub(super) fn compare(card: &IdNumber, roster: &str) -> NumberDifference {
    let written = plain(roster);
    if roster == card.as_str() {
        return NumberDifference::None;
    }
    if written == card.as_str() {
        return NumberDifference::Writing;
    }
    let parsed = IdNumber::parse(&written);
    if written.len() == LEGACY_LENGTH && parsed.as_ref() == Ok(card) {
        return NumberDifference::Legacy;
    }
    let here = card.as_str().as_bytes();
    let differing: Vec<usize> = match written.len() == here.len() {
        true => (0..here.len()).filter(|&i| here[i] != written.as_bytes()[i]).collect(),
        false => {
            return parsed.err().map_or(NumberDifference::Other, NumberDifference::Malformed);
        }
    };
    match differing.as_slice() {
        &[a, b]
            if b == a + 1
                && here[a] == written.as_bytes()[b]
                && here[b] == written.as_bytes()[a] =>
        {
            NumberDifference::Swapped(a + 1)
        }
        few if few.len() <= DIGITS_MAX => {
            NumberDifference::Digits(few.iter().map(|i| i + 1).collect())
        }
        _ => parsed.err().map_or(NumberDifference::Other, NumberDifference::Malformed),
    }
}

fn plain(number: &str) -> String {
    crate::folding::fold(number)
}

const LEGACY_LENGTH: usize = 15;
/// More than that is another number: a born-date typed wrongly changes up to three digits and the check digit.
const DIGITS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_differ_is_named() {
        let card = IdNumber::parse("11010519491231002X").unwrap();
        for (roster, expected) in [
            ("11010519491231002X", NumberDifference::None),
            ("110105 19491231 002x", NumberDifference::Writing),
            ("１１０１０５１９４９１２３１００２Ｘ", NumberDifference::Writing),
            ("110105491231002", NumberDifference::Legacy),
            ("110105194912310021", NumberDifference::Digits(vec![18])),
            ("11010519491213002X", NumberDifference::Swapped(13)),
            ("1101051949123100", NumberDifference::Malformed(IdNumberError::Length)),
            ("430104194803120014", NumberDifference::Other),
            ("", NumberDifference::Malformed(IdNumberError::Length)),
            (
                "身份证号码待补充待补充待补充待补充",
                NumberDifference::Malformed(IdNumberError::Length),
            ),
        ] {
            assert_eq!(compare(&card, roster), expected);
        }
    }
}
