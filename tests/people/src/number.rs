//! The citizen number of GB 11643-1999: six digits of area, eight of birth, three of order, one check.

use crate::person::{Date, Sex};

/// The check character of the first 17 digits, by ISO 7064 MOD 11-2.
pub fn check_character(digits: &str) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits
        .chars()
        .zip(WEIGHTS)
        .map(|(digit, weight)| digit.to_digit(10).unwrap_or(0) * weight)
        .sum();
    char::from(b"10X98765432"[(sum % 11) as usize])
}

/// Builds a number; the last digit of the order is odd for men and even for women.
pub(crate) fn compose(area: &str, birth: Date, order: u32, sex: Sex) -> String {
    let (year, month, day) = birth;
    let order = order % 499 * 2 + u32::from(sex == Sex::Male);
    let digits = format!("{area}{year:04}{month:02}{day:02}{order:03}");
    let check = check_character(&digits);
    digits + &check.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_character_agrees_with_the_published_examples() {
        assert_eq!(check_character("11010519491231002"), 'X');
        assert_eq!(check_character("43010419480312001"), '4');
    }
}
