//! The 256-byte text block in its four layouts. Decodes what is written and judges
//! nothing about it: check digits and validity are for those who decide.

use std::fmt;

/// What the text block of a card says. Prints without any of it.
#[derive(Clone, PartialEq, Eq)]
pub struct CardText {
    /// Which of the four layouts the block has.
    pub kind: CardKind,
    /// Chinese name, or the English name where there is no Chinese one.
    pub name: String,
    /// The bytes of the Chinese name as they are on the card, UTF-16LE with padding:
    /// private-use characters and cut surrogates are meaningful only here.
    pub name_raw: Vec<u8>,
    /// English name of a foreigner's card.
    pub english_name: Option<String>,
    /// Sex as written.
    pub sex: Sex,
    /// GB/T 3304 code 1..=56, 97 or 98; only on a citizen's card.
    pub ethnic_code: Option<u8>,
    /// Day of birth: year, month, day.
    pub birth: Date,
    /// Address at the time of issue; foreigners' cards have none.
    pub address: Option<String>,
    /// 18 characters, or 15 on the 2017 foreigner's card.
    pub number: String,
    /// Issuing authority; foreigners' cards have none.
    pub issuer: Option<String>,
    /// First day of validity.
    pub valid_from: Date,
    /// Last day of validity.
    pub valid_to: ValidTo,
    /// Travel permit number of a residence permit of Hong Kong, Macau or Taiwan people.
    pub permit_number: Option<String>,
    /// Issue count of a residence permit, or renewal count of a 2023 foreigner's card.
    pub issue_count: Option<u8>,
    /// Nationality in three letters, foreigners only.
    pub nationality: Option<String>,
    /// Code of the accepting office, 2017 foreigner's card only.
    pub office_code: Option<String>,
    /// Three characters that link a 2023 card to the older number, as written.
    pub old_number_link: Option<String>,
}

impl fmt::Debug for CardText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardText({:?}, …)", self.kind)
    }
}

/// Year, month, day as written.
pub type Date = (u16, u8, u8);

/// The layout of a text block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardKind {
    /// Resident identity card of a citizen.
    Citizen,
    /// 'J': residence permit for Hong Kong, Macau and Taiwan residents.
    ResidencePermit,
    /// 'I': foreigner's permanent residence card of 2017.
    Foreigner2017,
    /// 'Y': foreigner's permanent residence card of 2023.
    Foreigner2023,
}

/// Sex by GB/T 2261.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// '0'
    Unknown,
    /// '1'
    Male,
    /// '2'
    Female,
    /// '9'
    NotStated,
}

/// The end of validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidTo {
    /// The last valid day.
    Date(Date),
    /// 长期: no end.
    Open,
}

/// The block breaks its layout. Names the field and never what stood in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// The type letter is none of the four.
    #[error("unknown type of card")]
    Kind,
    /// A field that every card has is empty.
    #[error("field {0} is empty")]
    Empty(&'static str),
    /// A field holds characters that it cannot have.
    #[error("field {0} cannot be read")]
    Malformed(&'static str),
}

/// Decodes a text block.
pub fn decode(block: &[u8; 256]) -> Result<CardText, FieldsError> {
    match unit(block, TYPE_AT) {
        SPACE | 0 => decode_citizen(block, CardKind::Citizen),
        LETTER_J => decode_citizen(block, CardKind::ResidencePermit),
        LETTER_I => decode_foreigner_2017(block),
        LETTER_Y => decode_foreigner_2023(block),
        _ => Err(FieldsError::Kind),
    }
}

/// The text of an additional-address block: 35 UTF-16 units.
pub fn decode_address(block: &[u8; 70]) -> String {
    text(block)
}

/// The name of an ethnic group by its GB/T 3304 code.
pub fn ethnic_name(code: u8) -> Option<&'static str> {
    match code {
        1..=56 => Some(ETHNIC_NAMES[usize::from(code) - 1]),
        97 => Some("其他"),
        98 => Some("外国血统中国籍人士"),
        _ => None,
    }
}

fn decode_citizen(block: &[u8; 256], kind: CardKind) -> Result<CardText, FieldsError> {
    let is_permit = kind == CardKind::ResidencePermit;
    let mut card = common(block, kind, at(block, 0, 30), 30, 36, (122, 36))?;
    card.name = needed(text(at(block, 0, 30)), "name")?;
    card.address = some(text(at(block, 52, 70)));
    card.issuer = some(text(at(block, 158, 30)));
    card.valid_from = date(at(block, 188, 16), "valid from")?;
    card.valid_to = valid_to(at(block, 204, 16))?;
    if is_permit {
        card.permit_number = some(text(at(block, 220, 18)));
        card.issue_count = digits(at(block, 238, 4));
    } else {
        card.ethnic_code = digits(at(block, 32, 4));
    }
    Ok(card)
}

fn decode_foreigner_2017(block: &[u8; 256]) -> Result<CardText, FieldsError> {
    let kind = CardKind::Foreigner2017;
    let mut card = common(block, kind, at(block, 158, 30), 120, 220, (122, 30))?;
    name_foreigner(&mut card, text(at(block, 0, 120)))?;
    card.nationality = some(text(at(block, 152, 6)));
    card.valid_from = date(at(block, 188, 16), "valid from")?;
    card.valid_to = valid_to(at(block, 204, 16))?;
    card.office_code = some(text(at(block, 240, 8)));
    Ok(card)
}

fn decode_foreigner_2023(block: &[u8; 256]) -> Result<CardText, FieldsError> {
    let kind = CardKind::Foreigner2023;
    let mut card = common(block, kind, at(block, 0, 30), 30, 36, (122, 36))?;
    // A long English name runs on behind the dates; the space at the seam is a real one.
    let parts = [at(block, 52, 70), at(block, 220, 22)].concat();
    name_foreigner(&mut card, text(&parts))?;
    card.issue_count = digits(at(block, 32, 4));
    card.valid_from = date(at(block, 188, 16), "valid from")?;
    card.valid_to = valid_to(at(block, 204, 16))?;
    card.nationality = some(text(at(block, 242, 6)));
    card.old_number_link = some(text(at(block, 250, 6)));
    Ok(card)
}

/// The fields that every layout has, wherever they stand; dates of validity follow.
fn common(
    block: &[u8; 256],
    kind: CardKind,
    name_raw: &[u8],
    sex_at: usize,
    birth_at: usize,
    (number_at, number_size): (usize, usize),
) -> Result<CardText, FieldsError> {
    Ok(CardText {
        kind,
        name: text(name_raw),
        name_raw: name_raw.to_vec(),
        english_name: None,
        sex: sex(unit(block, sex_at))?,
        ethnic_code: None,
        birth: date(at(block, birth_at, 16), "birth")?,
        address: None,
        number: number(at(block, number_at, number_size))?,
        issuer: None,
        valid_from: (0, 0, 0),
        valid_to: ValidTo::Open,
        permit_number: None,
        issue_count: None,
        nationality: None,
        office_code: None,
        old_number_link: None,
    })
}

fn name_foreigner(card: &mut CardText, english: String) -> Result<(), FieldsError> {
    if card.name.is_empty() {
        card.name = needed(english.clone(), "name")?;
    }
    card.english_name = some(english);
    Ok(())
}

fn sex(unit: u16) -> Result<Sex, FieldsError> {
    match char::from_u32(u32::from(unit)) {
        Some('0') => Ok(Sex::Unknown),
        Some('1') => Ok(Sex::Male),
        Some('2') => Ok(Sex::Female),
        Some('9') => Ok(Sex::NotStated),
        _ => Err(FieldsError::Malformed("sex")),
    }
}

fn number(field: &[u8]) -> Result<String, FieldsError> {
    let number = needed(text(field), "number")?;
    let is_plain = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase();
    if number.chars().all(is_plain) { Ok(number) } else { Err(FieldsError::Malformed("number")) }
}

fn valid_to(field: &[u8]) -> Result<ValidTo, FieldsError> {
    if text(field) == "长期" {
        return Ok(ValidTo::Open);
    }
    date(field, "valid to").map(ValidTo::Date)
}

/// Eight digits that name a day of the calendar.
fn date(field: &[u8], name: &'static str) -> Result<Date, FieldsError> {
    let written = text(field);
    let bad = FieldsError::Malformed(name);
    if written.len() != 8 || !written.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad);
    }
    let part = |range: std::ops::Range<usize>| written[range].parse::<u16>().map_err(|_| bad);
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return Err(bad),
    };
    if !(1..=last).contains(&day) || year < YEAR_MIN {
        return Err(bad);
    }
    Ok((year, month as u8, day as u8))
}

fn digits(field: &[u8]) -> Option<u8> {
    text(field).parse().ok()
}

fn needed(text: String, name: &'static str) -> Result<String, FieldsError> {
    if text.is_empty() {
        return Err(FieldsError::Empty(name));
    }
    Ok(text)
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// UTF-16LE without its padding of spaces or zeroes; a surrogate whose partner was cut
/// off by the width of the field becomes U+FFFD.
fn text(field: &[u8]) -> String {
    let units = field.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let written = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    let written: String = written.collect();
    written.trim_matches([' ', '\0']).to_owned()
}

fn at(block: &[u8; 256], start: usize, size: usize) -> &[u8] {
    &block[start..start + size]
}

fn unit(block: &[u8; 256], start: usize) -> u16 {
    u16::from_le_bytes([block[start], block[start + 1]])
}

const TYPE_AT: usize = 248;
const SPACE: u16 = b' ' as u16;
const LETTER_J: u16 = b'J' as u16;
const LETTER_I: u16 = b'I' as u16;
const LETTER_Y: u16 = b'Y' as u16;
/// No card and nobody alive is older.
const YEAR_MIN: u16 = 1850;

/// GB/T 3304, code 1 first.
const ETHNIC_NAMES: [&str; 56] = [
    "汉",
    "蒙古",
    "回",
    "藏",
    "维吾尔",
    "苗",
    "彝",
    "壮",
    "布依",
    "朝鲜",
    "满",
    "侗",
    "瑶",
    "白",
    "土家",
    "哈尼",
    "哈萨克",
    "傣",
    "黎",
    "傈僳",
    "佤",
    "畲",
    "高山",
    "拉祜",
    "水",
    "东乡",
    "纳西",
    "景颇",
    "柯尔克孜",
    "土",
    "达斡尔",
    "仫佬",
    "羌",
    "布朗",
    "撒拉",
    "毛南",
    "仡佬",
    "锡伯",
    "阿昌",
    "普米",
    "塔吉克",
    "怒",
    "乌孜别克",
    "俄罗斯",
    "鄂温克",
    "德昂",
    "保安",
    "裕固",
    "京",
    "塔塔尔",
    "独龙",
    "鄂伦春",
    "赫哲",
    "门巴",
    "珞巴",
    "基诺",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_citizen_card_reads_back() {
        let block = citizen("阿卜杜拉·买买提", "长期");
        let card = decode(&block).unwrap();
        assert_eq!(card.kind, CardKind::Citizen);
        assert_eq!(card.name, "阿卜杜拉·买买提");
        assert_eq!((card.sex, card.ethnic_code), (Sex::Male, Some(5)));
        assert_eq!(card.birth, (1948, 3, 12));
        assert_eq!(card.address.as_deref(), Some("长沙市岳麓区"));
        assert_eq!(card.number, "430104194803120014");
        assert_eq!(card.valid_from, (2008, 3, 12));
        assert_eq!(card.valid_to, ValidTo::Open);
        assert_eq!(ethnic_name(5), Some("维吾尔"));
        assert_eq!(format!("{card:?}"), "CardText(Citizen, …)");
    }

    #[test]
    fn rare_characters_keep_their_bytes() {
        // U+20BB7 is a surrogate pair, U+E863 private use.
        let card = decode(&citizen("\u{20BB7}\u{E863}", "20280312")).unwrap();
        assert_eq!(card.name, "\u{20BB7}\u{E863}");
        assert_eq!(card.name_raw[..6], [0x42, 0xD8, 0xB7, 0xDF, 0x63, 0xE8]);
        assert_eq!(card.valid_to, ValidTo::Date((2028, 3, 12)));
    }

    #[test]
    fn a_surrogate_cut_by_the_field_does_not_lose_the_name() {
        let mut block = citizen("王", "长期");
        block[28..30].copy_from_slice(&0xD842u16.to_le_bytes());
        let card = decode(&block).unwrap();
        assert!(card.name.starts_with('王') && card.name.ends_with('\u{FFFD}'));
        assert_eq!(card.name_raw.len(), 30);
    }

    #[test]
    fn a_residence_permit_reads_back() {
        let mut block = citizen("陈大文", "20280312");
        put(&mut block, 32, 4, "");
        put(&mut block, 122, 36, "810000194803120011");
        put(&mut block, 220, 18, "H12345678");
        put(&mut block, 238, 4, "02");
        put(&mut block, 248, 2, "J");
        let card = decode(&block).unwrap();
        assert_eq!(card.kind, CardKind::ResidencePermit);
        assert_eq!(card.permit_number.as_deref(), Some("H12345678"));
        assert_eq!((card.issue_count, card.ethnic_code), (Some(2), None));
    }

    #[test]
    fn a_foreigner_card_of_2017_reads_back() {
        let mut block = empty();
        put(&mut block, 0, 120, "DOE, JANE MARIE");
        put(&mut block, 120, 2, "2");
        put(&mut block, 122, 30, "CAN310050010101");
        put(&mut block, 152, 6, "CAN");
        put(&mut block, 188, 16, "20180101");
        put(&mut block, 204, 16, "20280101");
        put(&mut block, 220, 16, "19500101");
        put(&mut block, 240, 8, "3100");
        put(&mut block, 248, 2, "I");
        let card = decode(&block).unwrap();
        assert_eq!(card.name, "DOE, JANE MARIE");
        assert_eq!(card.nationality.as_deref(), Some("CAN"));
        assert_eq!((card.sex, card.birth), (Sex::Female, (1950, 1, 1)));
        assert_eq!(card.office_code.as_deref(), Some("3100"));
    }

    #[test]
    fn a_foreigner_card_of_2023_joins_its_english_name() {
        let mut block = empty();
        let english = "A NAME OF MORE THAN THIRTY-FIVE LETTERS IN ALL";
        assert_eq!(english.len(), 46);
        put(&mut block, 0, 30, "简·多伊");
        put(&mut block, 30, 2, "2");
        put(&mut block, 32, 4, "01");
        put(&mut block, 36, 16, "19500101");
        put(&mut block, 52, 70, &english[..35]);
        put(&mut block, 122, 36, "911124195001010026");
        put(&mut block, 188, 16, "20240101");
        put(&mut block, 204, 16, "20340101");
        put(&mut block, 220, 22, &english[35..]);
        put(&mut block, 242, 6, "CAN");
        put(&mut block, 248, 2, "Y");
        put(&mut block, 250, 6, "123");
        let card = decode(&block).unwrap();
        assert_eq!(card.name, "简·多伊");
        assert_eq!(card.english_name.as_deref(), Some(english));
        assert_eq!(card.old_number_link.as_deref(), Some("123"));
        assert_eq!(card.issue_count, Some(1));
    }

    #[test]
    fn zero_padding_reads_like_spaces() {
        let mut block = citizen("王建国", "长期");
        for unit in block.chunks_exact_mut(2) {
            if unit == [0x20, 0] {
                unit[0] = 0;
            }
        }
        assert_eq!(
            decode(&block),
            decode(&citizen("王建国", "长期")).map(|mut c| {
                c.name_raw = block[..30].to_vec();
                c
            })
        );
    }

    #[test]
    fn a_broken_field_is_named_and_not_shown() {
        let mut block = citizen("王建国", "长期");
        put(&mut block, 36, 16, "19480230");
        assert_eq!(decode(&block), Err(FieldsError::Malformed("birth")));
        put(&mut block, 0, 30, "");
        put(&mut block, 36, 16, "19480229");
        assert_eq!(decode(&block), Err(FieldsError::Empty("name")));
        put(&mut block, 248, 2, "Q");
        assert_eq!(decode(&block), Err(FieldsError::Kind));
    }

    proptest! {
        #[test]
        fn random_blocks_never_panic(bytes in proptest::collection::vec(any::<u8>(), 256), kind in 0usize..4) {
            let mut block: [u8; 256] = bytes.try_into().unwrap();
            put(&mut block, 248, 2, ["", "J", "I", "Y"][kind]);
            let _ = decode(&block);
        }
    }

    fn citizen(name: &str, valid_to: &str) -> [u8; 256] {
        let mut block = empty();
        put(&mut block, 0, 30, name);
        put(&mut block, 30, 2, "1");
        put(&mut block, 32, 4, "05");
        put(&mut block, 36, 16, "19480312");
        put(&mut block, 52, 70, "长沙市岳麓区");
        put(&mut block, 122, 36, "430104194803120014");
        put(&mut block, 158, 30, "长沙市公安局");
        put(&mut block, 188, 16, "20080312");
        put(&mut block, 204, 16, valid_to);
        block
    }

    fn empty() -> [u8; 256] {
        let mut block = [0; 256];
        block.chunks_exact_mut(2).for_each(|unit| unit[0] = b' ');
        block
    }

    fn put(block: &mut [u8; 256], start: usize, size: usize, text: &str) {
        let units: Vec<u16> = text.encode_utf16().collect();
        for i in 0..size / 2 {
            let unit = units.get(i).copied().unwrap_or(SPACE);
            block[start + 2 * i..start + 2 * i + 2].copy_from_slice(&unit.to_le_bytes());
        }
    }
}
