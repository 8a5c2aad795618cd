//! Records of the card's two files as plain values. A record is a tag, a length and a
//! value; provinces number the records differently, so the tag decides. Pure.

use std::fmt;
use std::ops::Range;

use encoding_rs::GBK;

use crate::id_card::fields::Date;

/// Who issued the card (file EF05). A field that is missing or damaged is none.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The card's own number, 16 bytes; its first six digits name the region.
    pub card_id: [u8; 16],
    /// Region of issue as an area code of six digits.
    pub region: Option<String>,
    /// Class of card: 1, 2 or 3.
    pub class: Option<char>,
    /// Edition of the card standard, such as 3.00.
    pub edition: Option<String>,
    /// Number of the organisation that set the card up, 24 digits.
    pub organisation: Option<String>,
    /// Day of issue.
    pub issued: Option<Date>,
    /// Last day of validity.
    pub expires: Option<Date>,
    /// The number printed on the card, 9 characters.
    pub card_number: Option<String>,
}

/// Whose card it is (file EF06). A field that is missing or damaged is none.
#[derive(Clone, PartialEq, Eq)]
pub struct Holder {
    /// Social-security number: for citizens the identity number.
    pub number: String,
    /// The name; none when its bytes are no GBK.
    pub name: Option<String>,
    /// The name as it stands on the card, GBK, without padding.
    pub name_bytes: Vec<u8>,
    /// `1` male, `2` female, as written.
    pub sex: Option<char>,
    /// Number of the ethnic group (GB/T 3304), 1 to 56, or 97 and 98.
    pub ethnic: Option<u8>,
    /// Area code of the birthplace, six digits.
    pub birthplace: Option<String>,
    /// Birth date.
    pub birth: Option<Date>,
}

/// One record of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is.
    pub tag: u8,
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record at the start of `bytes`; padding behind it is left alone. None if the
    /// length does not fit.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        let (length, rest) = match rest.split_first()? {
            (0x81, rest) => rest.split_first()?,
            (0x82.., _) => return None,
            (0x80, _) => return None,
            short => short,
        };
        Some(Self { tag: *tag, value: rest.get(..usize::from(*length))? })
    }
}

impl Issuer {
    /// From the records of EF05; none without the card's own number.
    pub fn of(records: &[Vec<u8>]) -> Option<Self> {
        let find = |tag| find(records, tag);
        let card_id: [u8; 16] = find(TAG_CARD_ID)?.try_into().ok()?;
        Some(Self {
            card_id,
            region: digits(&card_id[..3]),
            class: find(TAG_CLASS).and_then(one_character),
            edition: find(TAG_EDITION).and_then(text),
            organisation: find(TAG_ORGANISATION).and_then(digits),
            issued: find(TAG_ISSUED).and_then(date),
            expires: find(TAG_EXPIRES).and_then(date),
            card_number: find(TAG_CARD_NUMBER).and_then(text),
        })
    }
}

impl Holder {
    /// From the records of EF06; none without a number.
    pub fn of(records: &[Vec<u8>]) -> Option<Self> {
        let find = |tag| find(records, tag);
        let name_bytes = find(TAG_NAME).map(unpadded).unwrap_or_default();
        Some(Self {
            number: find(TAG_NUMBER).and_then(text)?,
            name: gbk(name_bytes).filter(|name| !name.is_empty()),
            name_bytes: name_bytes.to_vec(),
            sex: find(TAG_SEX).and_then(one_character),
            ethnic: find(TAG_ETHNIC).and_then(|value| digits(value)?.parse().ok()),
            birthplace: find(TAG_BIRTHPLACE).and_then(digits),
            birth: find(TAG_BIRTH).and_then(date),
        })
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({:?}, …)", self.region)
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holder(…)")
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({:#04x}, {} bytes)", self.tag, self.value.len())
    }
}

/// The text of GBK bytes without padding; none if they are not GBK. A character that GBK
/// has no place for was written with one of its private ones, and stays that.
pub fn gbk(bytes: &[u8]) -> Option<String> {
    let text = GBK.decode_without_bom_handling_and_without_replacement(unpadded(bytes))?;
    let is_printable = |c: char| !c.is_control();
    text.chars().all(is_printable).then(|| text.into_owned())
}

/// Two decimal digits in a byte; none if a half byte is no digit.
pub fn digits(bytes: &[u8]) -> Option<String> {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    halves.map(|half| char::from_digit(u32::from(half), 10)).collect()
}

fn find(records: &[Vec<u8>], tag: u8) -> Option<&[u8]> {
    let parsed = records.iter().filter_map(|record| Record::parse(record));
    parsed.filter(|record| record.tag == tag).map(|record| record.value).next()
}

fn date(value: &[u8]) -> Option<Date> {
    let digits = digits(value).filter(|digits| digits.len() == 8)?;
    let number = |range: Range<usize>| digits.get(range)?.parse::<u16>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day);
    fits.then_some((year, month as u8, day as u8))
}

/// Plain letters, digits and signs, without padding; none if empty.
fn text(value: &[u8]) -> Option<String> {
    let value = unpadded(value);
    let is_plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    let sound = !value.is_empty() && value.iter().all(is_plain);
    sound.then(|| String::from_utf8_lossy(value).into_owned())
}

fn one_character(value: &[u8]) -> Option<char> {
    let text = text(value)?;
    (text.len() == 1).then(|| text.chars().next())?
}

/// Values are padded with 00, some with FF or spaces.
fn unpadded(value: &[u8]) -> &[u8] {
    let is_padding = |byte: &u8| matches!(byte, 0x00 | 0x20 | 0xFF);
    let end = value.iter().rposition(|byte| !is_padding(byte));
    &value[..end.map_or(0, |last| last + 1)]
}

const TAG_CARD_ID: u8 = 0x01;
const TAG_CLASS: u8 = 0x02;
const TAG_EDITION: u8 = 0x03;
const TAG_ORGANISATION: u8 = 0x04;
const TAG_ISSUED: u8 = 0x05;
const TAG_EXPIRES: u8 = 0x06;
const TAG_CARD_NUMBER: u8 = 0x07;
const TAG_NUMBER: u8 = 0x08;
const TAG_NAME: u8 = 0x09;
const TAG_SEX: u8 = 0x0A;
const TAG_ETHNIC: u8 = 0x0B;
const TAG_BIRTHPLACE: u8 = 0x0C;
const TAG_BIRTH: u8 = 0x0D;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_is_cut_at_its_length_and_needs_it() {
        let record = Record::parse(&[0x09, 3, b'a', b'b', b'c', 0, 0]).unwrap();
        assert_eq!((record.tag, record.value), (0x09, &b"abc"[..]));
        let long = [&[0x09, 0x81, 200][..], &[7; 200]].concat();
        assert_eq!(Record::parse(&long).unwrap().value.len(), 200);
        assert_eq!(Record::parse(&[0x09, 0]).unwrap().value, b"");
        for cut in [&[][..], &[9], &[9, 3, 1, 2], &[9, 0x81], &[9, 0x80], &[9, 0x82, 0, 1, 5]] {
            assert_eq!(Record::parse(cut), None);
        }
    }

    #[test]
    fn names_are_gbk_and_a_wrong_one_is_none() {
        let wang = [0xCD, 0xF5, 0xBD, 0xA8, 0xB9, 0xFA, 0, 0, 0];
        assert_eq!(gbk(&wang).as_deref(), Some("王建国"));
        // A name with the middle dot: 买买提·吐尔逊.
        let dot = [&[0xA1, 0xA4][..]].concat();
        assert_eq!(gbk(&dot).as_deref(), Some("·"));
        assert_eq!(gbk(&[0xCD, 0xF5, 0xBD]), None);
        assert_eq!(gbk(&[0x41, 0x0A, 0x42]), None);
        assert_eq!(gbk(&[0, 0xFF, 0x20]).as_deref(), Some(""));
    }

    #[test]
    fn digits_and_dates_are_decimal_or_none() {
        assert_eq!(digits(&[0x43, 0x01]).as_deref(), Some("4301"));
        assert_eq!(digits(&[0x4A]), None);
        assert_eq!(date(&[0x19, 0x48, 0x03, 0x12]), Some((1948, 3, 12)));
        for wrong in [&[0x19, 0x48, 0x13, 0x12][..], &[0x19, 0x48, 0x03, 0x00], &[0x19], &[]] {
            assert_eq!(date(wrong), None);
        }
    }

    proptest! {
        #[test]
        fn any_records_are_fields_or_none(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..12),
        ) {
            let _ = Issuer::of(&records);
            if let Some(holder) = Holder::of(&records) {
                prop_assert!(!holder.number.is_empty());
            }
        }

        #[test]
        fn a_written_record_reads_back(tag: u8, value in prop::collection::vec(any::<u8>(), 0..255)) {
            let length = value.len() as u8;
            let mut bytes = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
            bytes.extend(&value);
            let record = Record::parse(&bytes).unwrap();
            prop_assert_eq!((record.tag, record.value), (tag, &value[..]));
            bytes.pop();
            prop_assert!(value.is_empty() || Record::parse(&bytes).is_none());
        }

        #[test]
        fn any_bytes_are_text_or_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(text) = gbk(&bytes) {
                prop_assert!(!text.contains(char::REPLACEMENT_CHARACTER));
                prop_assert!(text.chars().count() <= bytes.len());
            }
        }
    }
}
