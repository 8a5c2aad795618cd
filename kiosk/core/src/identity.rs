//! Who a document says somebody is: numbers with their checksum, card data, and masked printing.

use std::fmt;

use jiff::civil::Date;

/// A citizen number of 18 characters whose checksum, date and order hold (GB 11643-1999).
///
/// Also the numbers of residence permits (81, 82, 83) and of the 2023 foreigner card (9…), which share the checksum.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdNumber(String);

/// Why a string is not an identity number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdNumberError {
    /// Not 18 (or legacy 15) characters.
    #[error("the number does not have 18 characters")]
    Length,
    /// A character that cannot stand in a number.
    #[error("the number has a character that cannot stand there")]
    Character,
    /// The date inside does not exist.
    #[error("the number holds a date that does not exist")]
    Birth,
    /// The check digit differs.
    #[error("the check digit does not fit")]
    Checksum,
}

/// Sex as in GB/T 2261.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// Code 1.
    Male,
    /// Code 2.
    Female,
    /// Code 0 or 9.
    Unstated,
}

impl Sex {
    /// GB/T 2261.1 code.
    pub fn code(self) -> u8 {
        match self {
            Self::Male => 1,
            Self::Female => 2,
            Self::Unstated => 0,
        }
    }
}

impl IdNumber {
    /// Takes an 18-character number, or a 15-character one from before 1999 which is widened.
    pub fn parse(text: &str) -> Result<Self, IdNumberError> {
        let text = text.trim().to_ascii_uppercase();
        match text.len() {
            18 => Self::check(text),
            15 => Self::widen(&text),
            _ => Err(IdNumberError::Length),
        }
    }

    fn check(text: String) -> Result<Self, IdNumberError> {
        let (body, check) = text.as_bytes().split_at(17);
        if !body.iter().all(u8::is_ascii_digit) || !matches!(check[0], b'0'..=b'9' | b'X') {
            return Err(IdNumberError::Character);
        }
        birth_in(&text).ok_or(IdNumberError::Birth)?;
        if check[0] != check_digit(body) {
            return Err(IdNumberError::Checksum);
        }
        Ok(Self(text))
    }

    /// Numbers from before 1999 have two-digit years and no check digit.
    /// The orders 996 to 999 were kept for people born before 1900.
    fn widen(text: &str) -> Result<Self, IdNumberError> {
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(IdNumberError::Character);
        }
        let century = if text[12..] >= *"996" { "18" } else { "19" };
        let body = format!("{}{century}{}", &text[..6], &text[6..]);
        let check = char::from(check_digit(body.as_bytes()));
        Self::check(format!("{body}{check}"))
    }

    /// All 18 characters. For records and for forms on paper only.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Birth date inside the number.
    pub fn birth(&self) -> Date {
        birth_in(&self.0).expect("the constructor checked the date")
    }

    /// Sex by the parity of the 17th digit.
    pub fn sex(&self) -> Sex {
        if (self.0.as_bytes()[16] - b'0').is_multiple_of(2) { Sex::Female } else { Sex::Male }
    }

    /// `110105********002X`: what a screen or slip may show.
    pub fn masked(&self) -> String {
        format!("{}********{}", &self.0[..6], &self.0[14..])
    }
}

impl fmt::Debug for IdNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdNumber(…)")
    }
}

fn birth_in(text: &str) -> Option<Date> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i16>().ok();
    let (year, month, day) = (part(6..10)?, part(10..12)?, part(12..14)?);
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// ISO 7064 MOD 11-2 over 17 digits.
fn check_digit(body: &[u8]) -> u8 {
    let sum: u32 = body.iter().zip(WEIGHTS).map(|(d, w)| u32::from(d - b'0') * w).sum();
    CHECK_DIGITS[(sum % 11) as usize]
}

/// A name as the card spells it; it prints masked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PersonName(pub String);

impl PersonName {
    /// First character and stars: `王**`.
    pub fn masked(&self) -> String {
        let mut characters = self.0.chars();
        let first: String = characters.next().into_iter().collect();
        first + &"*".repeat(characters.count().min(MASK_STARS_MAX))
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(…)")
    }
}

/// Where an identity claim comes from. A camera picture or a typed number never equals the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// The card's chip, through the secure access module.
    Chip,
    /// Read from a picture of the card.
    Ocr,
    /// Typed by the operator.
    Typed,
}

impl IdentitySource {
    /// Number on the wire.
    pub fn code(self) -> u8 {
        match self {
            Self::Chip => 0,
            Self::Ocr => 1,
            Self::Typed => 2,
        }
    }
}

/// Until when a card is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidTo {
    /// Last day of validity.
    Day(Date),
    /// 长期: issued to people of 46 and older, so to nearly every pensioner.
    Open,
}

/// What a document says about its holder.
#[derive(Clone, PartialEq, Eq)]
pub struct CardIdentity {
    /// Name as the card spells it.
    pub name: PersonName,
    /// Sex as printed.
    pub sex: Sex,
    /// Birth date as printed.
    pub birth: Date,
    /// Identity number, checksum already checked.
    pub number: IdNumber,
    /// Address at the time of issue (户籍), or the newer one on the chip.
    pub address: String,
    /// Issuing office.
    pub issuer: String,
    /// First day of validity.
    pub valid_from: Option<Date>,
    /// Last day of validity.
    pub valid_to: ValidTo,
    /// Chip, picture or keyboard.
    pub source: IdentitySource,
    /// Whether the chip carried a picture that could be decoded.
    pub has_photo: bool,
}

impl fmt::Debug for CardIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardIdentity(…)")
    }
}

/// Something on a card that does not fit together. It is shown and recorded; it never ends a visit by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardWarning {
    /// The printed birth date differs from the one in the number.
    BirthDiffers,
    /// The printed sex differs from the parity in the number.
    SexDiffers,
    /// The card's validity is over.
    Expired,
    /// The validity ends before it begins.
    ValidityReversed,
}

impl CardIdentity {
    /// All checks that need no other source than the card and a date.
    pub fn warnings(&self, today: Date) -> Vec<CardWarning> {
        let mut found = Vec::new();
        if self.number.birth() != self.birth {
            found.push(CardWarning::BirthDiffers);
        }
        if self.sex != Sex::Unstated && self.number.sex() != self.sex {
            found.push(CardWarning::SexDiffers);
        }
        if let ValidTo::Day(last) = self.valid_to {
            if last < today {
                found.push(CardWarning::Expired);
            }
            if self.valid_from.is_some_and(|first| last < first) {
                found.push(CardWarning::ValidityReversed);
            }
        }
        found
    }
}

/// GB 11643-1999, table of weights.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECK_DIGITS: [u8; 11] = *b"10X98765432";
const MASK_STARS_MAX: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_examples_hold() {
        for good in ["11010519491231002X", "430104194803120014", "11010519491231002x"] {
            assert!(IdNumber::parse(good).is_ok(), "{good}");
        }
        let number = IdNumber::parse("11010519491231002X").unwrap();
        assert_eq!(number.birth(), Date::constant(1949, 12, 31));
        assert_eq!(number.sex(), Sex::Female);
        assert_eq!(number.masked(), "110105********002X");
        assert_eq!(format!("{number:?}"), "IdNumber(…)");
    }

    #[test]
    fn each_single_wrong_digit_is_noticed() {
        let good = b"430104194803120014";
        for at in 0..18 {
            for digit in b'0'..=b'9' {
                let mut bad = *good;
                if bad[at] == digit {
                    continue;
                }
                bad[at] = digit;
                let bad = String::from_utf8(bad.to_vec()).unwrap();
                assert!(IdNumber::parse(&bad).is_err(), "{bad}");
            }
        }
    }

    #[test]
    fn a_number_from_before_1999_is_widened() {
        let number = IdNumber::parse("110105491231002").unwrap();
        assert_eq!(number.as_str(), "11010519491231002X");
        assert_eq!(IdNumber::parse("110105491231996").unwrap().birth().year(), 1849);
    }

    #[test]
    fn bad_numbers_say_what_is_wrong() {
        let check = |text, why| assert_eq!(IdNumber::parse(text), Err(why), "{text}");
        check("1101051949123100", IdNumberError::Length);
        check("11010519491331002X", IdNumberError::Birth);
        check("110105194912310021", IdNumberError::Checksum);
        check("1101051949123100AX", IdNumberError::Character);
        check("身份证号码不对", IdNumberError::Length);
        check("号码号码号码", IdNumberError::Character);
    }
}
