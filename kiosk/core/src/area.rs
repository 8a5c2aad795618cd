//! The first six digits of an identity number: the county in which it was given out (GB/T 2260).
//!
//! Pensioners carry codes that were abolished decades ago and the lists have gaps, so an unknown county is only worth
//! a second look. A province that does not exist is a mistake.

mod table;

/// What is known about an area code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// In one of the lists since 1980.
    Known,
    /// The province exists and the county is in no list.
    UnknownCounty,
    /// There is no such province.
    UnknownProvince,
}

/// Looks up six digits, as of a citizen number or a residence permit (81, 82, 83).
pub fn area(code: &str) -> Area {
    let (Some(province), Some(prefecture), Some(county)) =
        (code.get(..2), code.get(..4), code.get(4..6))
    else {
        return Area::UnknownProvince;
    };
    if !is_province(province) {
        return Area::UnknownProvince;
    }
    // A prefecture with many codes has several lines.
    let lines = from_line(prefecture).lines().map_while(|line| line.strip_prefix(prefecture));
    let mut spans = lines.flat_map(|spans| spans.split_ascii_whitespace());
    let within = |span: &str| match span.split_once('-') {
        Some((first, last)) => (first..=last).contains(&county),
        None => span == county,
    };
    if spans.any(within) { Area::Known } else { Area::UnknownCounty }
}

/// The table from the first line on that does not come before a prefecture.
fn from_line(prefecture: &str) -> &'static str {
    let (mut low, mut high) = (0, table::CODES.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        let begins = table::CODES[..middle].rfind('\n').map_or(0, |at| at + 1);
        let ends = table::CODES[middle..].find('\n').map_or(table::CODES.len(), |n| middle + n + 1);
        if &table::CODES[begins..ends] < prefecture { low = ends } else { high = begins }
    }
    &table::CODES[low..]
}

/// Whether two digits are a province, a special region or Taiwan.
pub fn is_province(digits: &str) -> bool {
    PROVINCES.as_bytes().chunks(3).any(|province| province[..2] == *digits.as_bytes())
}

/// GB/T 2260, first two digits; 71 is Taiwan's own code and 83 that of residence permits for people from there.
const PROVINCES: &str = "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 \
                         61 62 63 64 65 71 81 82 83";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_of_today_and_codes_given_up_long_ago_are_known() {
        // Chongwen in Beijing, Chongqing's old codes, Hainan before 2000, residence permits.
        let known =
            "110103 321102 510213 512301 512322 460033 430124 430104 110105 810000 820000 830000";
        for code in known.split(' ') {
            assert_eq!(area(code), Area::Known, "{code}");
        }
    }

    #[test]
    fn a_county_that_is_in_no_list_is_not_a_wrong_province() {
        assert_eq!(area("430199"), Area::UnknownCounty);
        assert_eq!(area("439901"), Area::UnknownCounty);
        for code in ["990101", "000000", "160101", "", "43", "四三零一零一"] {
            assert_eq!(area(code), Area::UnknownProvince, "{code}");
        }
    }

    #[test]
    fn the_table_is_in_order_and_all_of_it_can_be_found() {
        let mut n_codes = 0;
        assert!(table::CODES.is_ascii() && table::CODES.lines().is_sorted());
        for line in table::CODES.lines() {
            let (place, spans) = line.split_once(' ').unwrap();
            assert!(is_province(&place[..2]), "{line}");
            for span in spans.split(' ') {
                let (first, last) = span.split_once('-').unwrap_or((span, span));
                let (first, last): (u8, u8) = (first.parse().unwrap(), last.parse().unwrap());
                assert!(first <= last && last < 100, "{line}");
                for county in first..=last {
                    n_codes += 1;
                    assert_eq!(area(&format!("{place}{county:02}")), Area::Known);
                }
            }
        }
        assert_eq!(n_codes, 7191);
    }

    proptest! {
        #[test]
        fn any_string_has_an_answer(code in any::<String>()) {
            area(&code);
        }
    }
}
