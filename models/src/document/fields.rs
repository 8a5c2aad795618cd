//! What the lines of a card mean: the fields of both sides by their labels and their
//! order, and what can be checked without another source.

use std::fmt;

use crate::{ocr::TextLine, pixels::Region};

/// What was read from a picture of a card. It is never as good as the chip: whoever
/// uses it marks it so and lets a person confirm it. It does not print.
#[derive(Clone, PartialEq)]
pub enum CardText {
    /// The side with the portrait.
    Front(FrontText),
    /// The side with the emblem.
    Back(BackText),
}

/// The fields of the front; empty where nothing was read.
#[derive(Clone, PartialEq, Default)]
pub struct FrontText {
    /// 姓名
    pub name: String,
    /// 性别
    pub sex: Option<Sex>,
    /// 民族, without 族.
    pub ethnicity: String,
    /// 出生: year, month, day.
    pub birth: Option<Date>,
    /// 住址, its lines joined.
    pub address: String,
    /// 公民身份号码 as read; see [`FrontText::doubts`].
    pub number: String,
    /// The least certain of the lines these came from, 0..1.
    pub certainty: f32,
}

/// The fields of the back; empty where nothing was read.
#[derive(Clone, PartialEq, Default)]
pub struct BackText {
    /// 签发机关
    pub issuer: String,
    /// First day of validity.
    pub valid_from: Option<Date>,
    /// Last day of validity.
    pub valid_to: Option<ValidTo>,
    /// The least certain of the lines these came from, 0..1.
    pub certainty: f32,
}

/// Year, month, day as printed.
pub type Date = (u16, u8, u8);

/// Sex as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// 男
    Male,
    /// 女
    Female,
}

/// The end of validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidTo {
    /// The last valid day.
    Day(Date),
    /// 长期: no end.
    Open,
}

/// Why what was read may not be taken as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CardDoubt {
    /// A field was not read.
    Missing(CardField),
    /// The number's check digit, or the date inside it, does not fit.
    NumberWrong,
    /// The printed birth date differs from the one in the number.
    BirthDiffers,
    /// The printed sex differs from the one in the number.
    SexDiffers,
    /// The ethnic group is none of GB/T 3304.
    EthnicityUnknown,
    /// The validity ends before it begins.
    ValidityReversed,
    /// The network was not certain of a line.
    Uncertain,
}

/// The fields of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CardField {
    /// 姓名
    Name,
    /// 性别
    Sex,
    /// 民族
    Ethnicity,
    /// 出生
    Birth,
    /// 住址
    Address,
    /// 公民身份号码
    Number,
    /// 签发机关
    Issuer,
    /// 有效期限
    Validity,
}

impl CardText {
    /// What does not fit together, or was not read. Empty: a person may confirm it.
    pub fn doubts(&self) -> Vec<CardDoubt> {
        match self {
            Self::Front(front) => front.doubts(),
            Self::Back(back) => back.doubts(),
        }
    }

    /// Finds the fields in the lines of a squared-up card; nothing when these are not
    /// the lines of a card this way up.
    pub(super) fn of(lines: &[TextLine], size: (f32, f32)) -> Option<Self> {
        let rows = rows(lines);
        back(&rows).map(Self::Back).or_else(|| front(&rows, size).map(Self::Front))
    }
}

impl FrontText {
    /// See [`CardText::doubts`].
    pub fn doubts(&self) -> Vec<CardDoubt> {
        let missing = [
            (self.name.is_empty(), CardField::Name),
            (self.sex.is_none(), CardField::Sex),
            (self.ethnicity.is_empty(), CardField::Ethnicity),
            (self.birth.is_none(), CardField::Birth),
            (self.address.is_empty(), CardField::Address),
            (self.number.is_empty(), CardField::Number),
        ];
        let mut doubts = all_missing(&missing);
        let known = ETHNIC_GROUPS.contains(&self.ethnicity.as_str());
        if !known && !self.ethnicity.is_empty() {
            doubts.push(CardDoubt::EthnicityUnknown);
        }
        match inside_number(&self.number) {
            _ if self.number.is_empty() => {}
            None => doubts.push(CardDoubt::NumberWrong),
            Some((birth, sex)) => {
                if self.birth.is_some_and(|printed| printed != birth) {
                    doubts.push(CardDoubt::BirthDiffers);
                }
                if self.sex.is_some_and(|printed| printed != sex) {
                    doubts.push(CardDoubt::SexDiffers);
                }
            }
        }
        uncertain(self.certainty, doubts)
    }
}

impl BackText {
    /// See [`CardText::doubts`].
    pub fn doubts(&self) -> Vec<CardDoubt> {
        let missing = [
            (self.issuer.is_empty(), CardField::Issuer),
            (self.valid_from.is_none() || self.valid_to.is_none(), CardField::Validity),
        ];
        let mut doubts = all_missing(&missing);
        if let (Some(from), Some(ValidTo::Day(to))) = (self.valid_from, self.valid_to)
            && to < from
        {
            doubts.push(CardDoubt::ValidityReversed);
        }
        uncertain(self.certainty, doubts)
    }
}

impl fmt::Debug for CardText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Front(_) => "CardText::Front(…)",
            Self::Back(_) => "CardText::Back(…)",
        })
    }
}

impl fmt::Debug for FrontText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrontText(…)")
    }
}

impl fmt::Debug for BackText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackText(…)")
    }
}

fn all_missing(fields: &[(bool, CardField)]) -> Vec<CardDoubt> {
    fields.iter().filter(|(is, _)| *is).map(|(_, field)| CardDoubt::Missing(*field)).collect()
}

fn uncertain(certainty: f32, mut doubts: Vec<CardDoubt>) -> Vec<CardDoubt> {
    if certainty < CERTAIN_MIN {
        doubts.push(CardDoubt::Uncertain);
    }
    doubts
}

/// Birth and sex inside a number whose check digit holds (GB 11643-1999).
fn inside_number(number: &str) -> Option<(Date, Sex)> {
    let digits = number.as_bytes();
    let (body, check) = digits.split_at_checked(17)?;
    if check.len() != 1 || !body.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let sum: usize = body.iter().zip(WEIGHTS).map(|(d, w)| usize::from(d - b'0') * w).sum();
    if check[0] != CHECK_DIGITS[sum % 11] {
        return None;
    }
    let part = |range: std::ops::Range<usize>| number[range].parse().ok();
    let birth = day(part(6..10)?, part(10..12)?, part(12..14)?)?;
    let is_male = (body[16] - b'0') % 2 == 1;
    Some((birth, if is_male { Sex::Male } else { Sex::Female }))
}

fn day(year: u16, month: u16, day: u16) -> Option<Date> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let exists = (YEAR_MIN..=YEAR_MAX).contains(&year) && (1..=last).contains(&day);
    exists.then_some((year, month as u8, day as u8))
}

/// Lines at the same height, joined from left to right.
struct Row {
    text: String,
    certainty: f32,
    place: Region,
}

fn rows(lines: &[TextLine]) -> Vec<Row> {
    let mut lines: Vec<&TextLine> = lines.iter().collect();
    lines.sort_by(|a, b| middle(&a.place).total_cmp(&middle(&b.place)));
    let mut rows: Vec<Vec<&TextLine>> = Vec::new();
    for line in lines {
        match rows.last_mut() {
            Some(row) if is_beside(&row[0].place, &line.place) => row.push(line),
            _ => rows.push(vec![line]),
        }
    }
    rows.into_iter().map(row).collect()
}

fn row(mut lines: Vec<&TextLine>) -> Row {
    lines.sort_by(|a, b| a.place.x.total_cmp(&b.place.x));
    let text = lines.iter().map(|line| line.text.as_str()).collect::<String>();
    Row {
        text: text.chars().filter(|c| !c.is_whitespace()).collect(),
        certainty: lines.iter().map(|line| line.certainty).fold(1.0, f32::min),
        place: lines[0].place,
    }
}

fn middle(place: &Region) -> f32 {
    place.y + place.height / 2.0
}

fn is_beside(a: &Region, b: &Region) -> bool {
    (middle(a) - middle(b)).abs() < 0.5 * a.height.min(b.height)
}

fn front(rows: &[Row], (_, height): (f32, f32)) -> Option<FrontText> {
    let number_at = rows.iter().rposition(|row| number_in(&row.text).is_some())?;
    // The number stands at the foot; upside down it would be at the top.
    if middle(&rows[number_at].place) < 0.6 * height {
        return None;
    }
    let birth_at = rows[..number_at].iter().position(|row| birth_in(&row.text).is_some());
    let sex_at = rows[..number_at].iter().position(|row| sex_in(&row.text).is_some());
    let mut text = FrontText { certainty: 1.0, ..FrontText::default() };
    let mut take = |row: &Row| text.certainty = text.certainty.min(row.certainty);
    take(&rows[number_at]);
    text.number = number_in(&rows[number_at].text)?;
    if let Some(at) = birth_at {
        take(&rows[at]);
        text.birth = birth_in(&rows[at].text);
    }
    if let Some(at) = sex_at {
        take(&rows[at]);
        text.sex = sex_in(&rows[at].text);
        text.ethnicity = ethnicity_in(&rows[at].text);
    }
    let name_end = sex_at.or(birth_at).unwrap_or(0);
    if let Some(row) = rows[..name_end].iter().rev().find(|row| !name_in(&row.text).is_empty()) {
        take(row);
        text.name = name_in(&row.text);
    }
    let address = &rows[birth_at.or(sex_at).map_or(number_at, |at| at + 1)..number_at];
    address.iter().for_each(take);
    text.address = address_in(address);
    Some(text)
}

fn back(rows: &[Row]) -> Option<BackText> {
    let dates_at = rows.iter().rposition(|row| validity_in(&row.text).is_some());
    let issuer_at = rows.iter().position(|row| issuer_in(&row.text).is_some());
    let is_titled = rows.iter().any(|row| row.text.contains("居民身份证"));
    if !is_titled && (dates_at.is_none() || issuer_at.is_none()) {
        return None;
    }
    // Upside down the title would be below the dates.
    let title_at = rows.iter().position(|row| row.text.contains("居民身份证"));
    if let (Some(title), Some(dates)) = (title_at, dates_at.or(issuer_at))
        && dates < title
    {
        return None;
    }
    let mut text = BackText { certainty: 1.0, ..BackText::default() };
    if let Some(row) = issuer_at.map(|at| &rows[at]) {
        text.certainty = text.certainty.min(row.certainty);
        text.issuer = issuer_in(&row.text).unwrap_or_default();
    }
    if let Some(row) = dates_at.map(|at| &rows[at]) {
        text.certainty = text.certainty.min(row.certainty);
        let (from, to) = validity_in(&row.text)?;
        (text.valid_from, text.valid_to) = (Some(from), Some(to));
    }
    Some(text)
}

/// Eighteen characters of a number at the end of a row, after the label.
fn number_in(row: &str) -> Option<String> {
    let characters: Vec<char> = row.chars().collect();
    let at = characters.len().checked_sub(18)?;
    let digits: Option<String> = characters[at..].iter().map(|c| as_digit(*c)).collect();
    let digits = digits?;
    let shape = digits[..17].bytes().all(|b| b.is_ascii_digit());
    let label_is_short = at <= 8 && !characters[..at].iter().any(char::is_ascii_digit);
    (shape && label_is_short).then_some(digits)
}

/// Letters that are read for the digits they look like.
fn as_digit(c: char) -> Option<char> {
    match c {
        '0'..='9' | 'X' => Some(c),
        'x' | '×' | 'Ⅹ' => Some('X'),
        'O' | 'o' | 'D' | 'Q' => Some('0'),
        'I' | 'l' | '|' => Some('1'),
        'B' => Some('8'),
        'S' => Some('5'),
        'Z' => Some('2'),
        _ => None,
    }
}

fn birth_in(row: &str) -> Option<Date> {
    let row = strip(row, "出生");
    let (year, rest) = row.split_once('年')?;
    let (month, rest) = rest.split_once('月')?;
    let date = rest.split('日').next()?;
    let number = |text: &str| {
        let digits: Option<String> = text.chars().map(as_digit).collect();
        digits?.parse::<u16>().ok()
    };
    day(number(year)?, number(month)?, number(date)?)
}

fn sex_in(row: &str) -> Option<Sex> {
    let row = strip(row, "性别");
    let marked = row.contains("民族") || row.chars().count() <= 2;
    match row.chars().next()? {
        '男' if marked => Some(Sex::Male),
        '女' if marked => Some(Sex::Female),
        _ => None,
    }
}

fn ethnicity_in(row: &str) -> String {
    let after = row.split_once("民族").map_or("", |(_, after)| after);
    // The networks now and then read the traditional form.
    if after == "漢" { "汉".to_owned() } else { after.to_owned() }
}

fn name_in(row: &str) -> String {
    let name = strip(row, "姓名");
    let as_dot = |c| if matches!(c, '.' | '•' | '・' | '‧' | '●') { '·' } else { c };
    name.chars().map(as_dot).filter(|c| c.is_alphabetic() || *c == '·').collect()
}

fn address_in(rows: &[Row]) -> String {
    let text: String = rows.iter().map(|row| row.text.as_str()).collect();
    strip(&text, "住址").to_owned()
}

fn issuer_in(row: &str) -> Option<String> {
    let labelled = row.contains("签发机关") || row.contains("发机关");
    let after = row.split_once("机关").map_or(row, |(_, after)| after);
    let is_office = after.ends_with('局') || after.ends_with("分局") || after.contains("公安");
    (labelled || is_office).then(|| after.to_owned())
}

fn validity_in(row: &str) -> Option<(Date, ValidTo)> {
    let after = row.split_once("期限").map_or(row, |(_, after)| after);
    let start = after.find(|c: char| c.is_ascii_digit())?;
    let (from, to) = after[start..].split_once(['-', '—', '–', '一', '至', '~'])?;
    let from = dotted(from)?;
    let to = to.trim_start_matches(['-', '—', '–', '一']);
    if to.contains("长") || to.contains("期") {
        return Some((from, ValidTo::Open));
    }
    Some((from, ValidTo::Day(dotted(to)?)))
}

/// `2008.03.12`; the dots may be lost.
fn dotted(text: &str) -> Option<Date> {
    let digits: String = text.chars().filter_map(as_digit).collect();
    if digits.len() != 8 {
        return None;
    }
    let part = |range: std::ops::Range<usize>| digits[range].parse().ok();
    day(part(0..4)?, part(4..6)?, part(6..8)?)
}

/// The row without its label, of which a character may have been lost.
fn strip<'r>(row: &'r str, label: &str) -> &'r str {
    if let Some((before, after)) = row.split_once(label)
        && before.chars().count() <= 1
    {
        return after;
    }
    let second = label.chars().nth(1).expect("labels have two characters");
    match row.strip_prefix(second) {
        Some(after) => after,
        None => row,
    }
}

/// Below this a line was hard to read.
const CERTAIN_MIN: f32 = 0.8;
const YEAR_MIN: u16 = 1850;
const YEAR_MAX: u16 = 2150;
/// GB 11643-1999, table of weights.
const WEIGHTS: [usize; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECK_DIGITS: [u8; 11] = *b"10X98765432";
/// The ethnic groups of GB/T 3304 as a card prints them, code 1 first; then 其他.
#[rustfmt::skip]
pub const ETHNIC_GROUPS: [&str; 57] = [
    "汉", "蒙古", "回", "藏", "维吾尔", "苗", "彝", "壮", "布依", "朝鲜", "满", "侗", "瑶", "白",
    "土家", "哈尼", "哈萨克", "傣", "黎", "傈僳", "佤", "畲", "高山", "拉祜", "水", "东乡", "纳西",
    "景颇", "柯尔克孜", "土", "达斡尔", "仫佬", "羌", "布朗", "撒拉", "毛南", "仡佬", "锡伯", "阿昌",
    "普米", "塔吉克", "怒", "乌孜别克", "俄罗斯", "鄂温克", "德昂", "保安", "裕固", "京", "塔塔尔",
    "独龙", "鄂伦春", "赫哲", "门巴", "珞巴", "基诺", "其他",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str, x: f32, y: f32) -> TextLine {
        let place = Region { x, y, width: 40.0 * text.chars().count() as f32, height: 36.0 };
        TextLine { text: text.to_owned(), certainty: 0.97, place }
    }

    fn front_lines() -> Vec<TextLine> {
        vec![
            line("姓名", 40.0, 60.0),
            line("王建国", 150.0, 58.0),
            line("性别男", 40.0, 125.0),
            line("民族汉", 250.0, 127.0),
            line("出生1948年3月12日", 40.0, 190.0),
            line("住址", 40.0, 255.0),
            line("湖南省长沙市岳麓区麓山南", 150.0, 253.0),
            line("路1号", 150.0, 300.0),
            line("公民身份号码", 40.0, 460.0),
            line("430104194803120014", 290.0, 458.0),
        ]
    }

    fn front_of(lines: &[TextLine]) -> Option<FrontText> {
        match CardText::of(lines, (856.0, 540.0))? {
            CardText::Front(front) => Some(front),
            CardText::Back(_) => None,
        }
    }

    #[test]
    fn the_front_is_read_by_its_labels() {
        let text = front_of(&front_lines()).unwrap();
        assert_eq!((text.name.as_str(), text.sex), ("王建国", Some(Sex::Male)));
        assert_eq!((text.ethnicity.as_str(), text.birth), ("汉", Some((1948, 3, 12))));
        assert_eq!(text.address, "湖南省长沙市岳麓区麓山南路1号");
        assert_eq!(text.number, "430104194803120014");
        assert_eq!(text.doubts(), []);
        assert_eq!(format!("{text:?}"), "FrontText(…)");
    }

    #[test]
    fn each_contradiction_is_a_doubt() {
        let doubts = |change: &dyn Fn(&mut FrontText)| {
            let mut text = front_of(&front_lines()).unwrap();
            change(&mut text);
            text.doubts()
        };
        assert_eq!(doubts(&|t| t.number = "430104194803120015".into()), [CardDoubt::NumberWrong]);
        assert_eq!(doubts(&|t| t.birth = Some((1948, 3, 13))), [CardDoubt::BirthDiffers]);
        assert_eq!(doubts(&|t| t.sex = Some(Sex::Female)), [CardDoubt::SexDiffers]);
        assert_eq!(doubts(&|t| t.ethnicity = "汊".into()), [CardDoubt::EthnicityUnknown]);
        assert_eq!(doubts(&|t| t.name.clear()), [CardDoubt::Missing(CardField::Name)]);
        assert_eq!(doubts(&|t| t.certainty = 0.5), [CardDoubt::Uncertain]);
    }

    #[test]
    fn a_label_that_lost_a_character_does_not_enter_the_field() {
        let mut lines = front_lines();
        lines[0].text = "名".into();
        lines[5].text = "址".into();
        let text = front_of(&lines).unwrap();
        assert_eq!(text.name, "王建国");
        assert!(text.address.starts_with("湖南"), "{}", text.address);
    }

    #[test]
    fn letters_that_look_like_digits_are_digits_in_a_number() {
        assert_eq!(number_in("公民身份号码43O1O4l948O312OO14").unwrap(), "430104194803120014");
        assert_eq!(number_in("11010519491231002x").unwrap(), "11010519491231002X");
        assert_eq!(number_in("号码4301041948031200141"), None);
    }

    #[test]
    fn the_back_is_read_by_its_labels() {
        let lines = [
            line("中华人民共和国", 300.0, 60.0),
            line("居民身份证", 320.0, 140.0),
            line("签发机关", 180.0, 400.0),
            line("长沙市公安局岳麓分局", 340.0, 402.0),
            line("有效期限2008.03.12-长期", 180.0, 460.0),
        ];
        let Some(CardText::Back(text)) = CardText::of(&lines, (856.0, 540.0)) else { panic!() };
        assert_eq!(text.issuer, "长沙市公安局岳麓分局");
        assert_eq!((text.valid_from, text.valid_to), (Some((2008, 3, 12)), Some(ValidTo::Open)));
        assert_eq!(text.doubts(), []);
        let row = "有效期限2019.01.31-2018.01.31";
        assert_eq!(validity_in(row).unwrap().1, ValidTo::Day((2018, 1, 31)));
        let reversed = BackText { valid_to: Some(ValidTo::Day((2001, 1, 1))), ..text };
        assert_eq!(reversed.doubts(), [CardDoubt::ValidityReversed]);
    }

    #[test]
    fn a_card_that_stands_on_its_head_is_not_read_this_way() {
        let turned: Vec<_> = front_lines()
            .into_iter()
            .map(|l| TextLine { place: Region { y: 500.0 - l.place.y, ..l.place }, ..l })
            .collect();
        assert!(CardText::of(&turned, (856.0, 540.0)).is_none());
        assert!(CardText::of(&[], (856.0, 540.0)).is_none());
    }

    proptest! {
        #[test]
        fn no_text_panics(texts in proptest::collection::vec("[0-9X年月日姓名男女民族.长期至签发机关-]{0,24}|\\PC{0,12}", 0..8)) {
            let lines: Vec<_> = texts.iter().enumerate()
                .map(|(i, text)| line(text, 40.0, 60.0 * i as f32)).collect();
            if let Some(text) = CardText::of(&lines, (856.0, 540.0)) {
                text.doubts();
            }
        }
    }
}
