//! Reads a record, the payload that a terminal signed, field by field as the protocol has it.
//! Of the person it keeps only a masked number; name, birth and templates are checked and let go.

use serde::Serialize;

use crate::{
    cbor::{CborError, Reader},
    hex,
};

/// Sixteen bytes that name a record, a visit or a batch.
pub type Id = [u8; 16];
/// The SHA-256 of an envelope or of a sealed picture.
pub type Digest = [u8; 32];

/// What the authority keeps of a record it has read; it holds nothing that names the person.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The record's own id, a UUIDv7.
    pub id: Id,
    /// The visit it belongs to.
    pub visit: Id,
    /// The terminal that says it made the record.
    pub device: String,
    /// Where the terminal stood.
    pub site: String,
    /// The terminal's wall clock, a claim.
    pub wall_ms: i64,
    /// The part that may be shown.
    pub summary: Summary,
    /// The pictures that belong to it.
    pub pictures: Vec<Picture>,
    /// The record this one replaces.
    pub supersedes: Option<Id>,
}

/// What `authority show` may print of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// One word of the outcome vocabulary.
    pub outcome: String,
    /// More about the outcome.
    pub detail: Option<String>,
    /// The number with all but its region and last two characters hidden.
    pub number: String,
    /// 0 the clock was sure, 1 doubtful, 2 unknown.
    pub doubt: u64,
    /// Between which instants it was captured, Unix milliseconds, where the clock was in doubt and something is known.
    pub captured_between: Option<(i64, Option<i64>)>,
    /// Benefit packs and the state each is in now.
    pub benefits: Vec<Benefit>,
    /// What was compared and with what verdict.
    pub checks: Vec<Check>,
    /// Modality and format of each template that came.
    pub templates: Vec<String>,
    /// Who served, then who witnessed.
    pub operators: Vec<String>,
    /// What the person chose on the notice, if there was one.
    pub consent: Option<String>,
    /// The reason of the appeal, if it is one.
    pub appeal: Option<String>,
    /// On what the record rests in law.
    pub legal_basis: String,
}

/// One benefit in a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Benefit {
    /// Name of the policy pack.
    pub pack: String,
    /// Its version.
    pub pack_version: u64,
    /// The state the terminal put it in.
    pub state: String,
    /// Whether this visit counts for it.
    pub counted: bool,
    /// When the next one is due, `YYYY-MM-DD`.
    pub next_due: Option<String>,
}

/// One comparison in a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Face, finger and so on.
    pub modality: String,
    /// What it came to.
    pub verdict: String,
    /// Which model measured it.
    pub model: String,
    /// Why, in the terminal's words.
    pub reasons: Vec<String>,
    /// How often it was tried.
    pub attempts: u64,
}

/// A picture that a record names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Picture {
    /// What it shows.
    pub role: String,
    /// SHA-256 of its sealed bytes.
    pub digest: Digest,
    /// Length of its sealed bytes.
    pub len: u64,
}

/// Why a payload is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not the protocol's CBOR.
    #[error("not the protocol's CBOR")]
    Cbor(#[from] CborError),
    /// A version that this reader is too old for.
    #[error("version {0} is newer than this reader")]
    Version(u64),
    /// A field has a value that it cannot have.
    #[error("field {0} has a value it cannot have")]
    Field(&'static str),
}

impl Record {
    /// Reads the payload of the inner signature.
    pub fn read(payload: &[u8]) -> Result<Self, RecordError> {
        Reader::whole(payload, read_record)
    }
}

impl Picture {
    /// Reads role, digest and length, which follow in this order everywhere.
    pub(crate) fn new(role: &str, digest: Digest, len: u64) -> Result<Self, RecordError> {
        check(len > 0, "picture length")?;
        Ok(Self { role: role.to_owned(), digest, len })
    }
}

fn read_record(reader: &mut Reader<'_>) -> Result<Record, RecordError> {
    let keys = reader.map(KEYS_MAX)?;
    reader.key(0)?;
    let version = reader.uint()?;
    check(version > 0, "version")?;
    if version > VERSION {
        return Err(RecordError::Version(version));
    }
    reader.key(1)?;
    let id = read_record_id(reader)?;
    reader.key(2)?;
    let visit = reader.array_of()?;
    reader.key(3)?;
    let device = text(reader, "device", NAME_MAX)?;
    reader.key(4)?;
    let site = text(reader, "site", NAME_MAX)?;
    reader.key(5)?;
    let (wall_ms, doubt) = read_moment(reader)?;
    reader.key(6)?;
    let number = read_identity(reader)?;
    reader.key(7)?;
    reader.tuple(2)?;
    let outcome = text(reader, "outcome", NAME_MAX)?;
    let detail = reader.nullable(|r| optional_text(r, "outcome detail", TEXT_MAX))?;
    reader.key(8)?;
    let benefits = reader.list(LIST_MAX, read_benefit)?;
    reader.key(9)?;
    let checks = reader.list(LIST_MAX, read_check)?;
    reader.key(10)?;
    let operators = reader.list(LIST_MAX, |r| optional_text(r, "operator", NAME_MAX))?;
    reader.key(11)?;
    let consent = reader.nullable(read_consent)?;
    reader.key(12)?;
    let pictures = reader.list(LIST_MAX, read_picture)?;
    reader.key(13)?;
    let templates = reader.list(LIST_MAX, read_template)?;
    reader.key(14)?;
    let appeal = reader.nullable(read_appeal)?;
    reader.key(15)?;
    let supersedes = reader.nullable(Reader::array_of)?;
    reader.key(16)?;
    let legal_basis = optional_text(reader, "legal basis", TEXT_MAX)?;
    let captured_between = read_rest(reader, keys)?;
    check(captured_between.is_none() || doubt > 0, "captured between")?;
    let summary = Summary {
        outcome,
        detail,
        number,
        doubt,
        captured_between,
        benefits,
        checks,
        templates,
        operators,
        consent,
        appeal,
        legal_basis,
    };
    Ok(Record { id, visit, device, site, wall_ms, summary, pictures, supersedes })
}

/// Key 17 is there or not; keys above it come from a newer writer of the same version: passed over, yet in order.
fn read_rest(
    reader: &mut Reader<'_>,
    keys: usize,
) -> Result<Option<(i64, Option<i64>)>, RecordError> {
    let (mut last, mut between) = (KEYS - 1, None);
    for _ in KEYS..keys as u64 {
        let key = reader.uint()?;
        if key <= last {
            return Err(CborError::Expected("map keys in ascending order").into());
        }
        last = key;
        match key {
            CAPTURED_BETWEEN => between = Some(read_between(reader)?),
            _ => reader.skip()?,
        }
    }
    Ok(between)
}

fn read_between(reader: &mut Reader<'_>) -> Result<(i64, Option<i64>), RecordError> {
    reader.tuple(2)?;
    let earliest = reader.int()?;
    let latest = reader.nullable(Reader::int)?;
    check(latest.is_none_or(|latest| earliest <= latest), "captured between")?;
    Ok((earliest, latest))
}

fn read_record_id(reader: &mut Reader<'_>) -> Result<Id, RecordError> {
    let id: Id = reader.array_of()?;
    check(id[6] >> 4 == 7 && id[8] >> 6 == 0b10, "record id")?;
    Ok(id)
}

fn read_moment(reader: &mut Reader<'_>) -> Result<(i64, u64), RecordError> {
    reader.tuple(4)?;
    let wall_ms = reader.int()?;
    let _boot_id: Id = reader.array_of()?;
    let _mono_ms = reader.uint()?;
    let doubt = reader.uint()?;
    check(doubt <= 2, "doubt")?;
    Ok((wall_ms, doubt))
}

fn read_identity(reader: &mut Reader<'_>) -> Result<String, RecordError> {
    reader.fields(6)?;
    reader.key(0)?;
    let number = optional_text(reader, "number", NAME_MAX)?;
    reader.key(1)?;
    optional_text(reader, "name", NAME_MAX)?;
    reader.key(2)?;
    check(reader.uint()? <= 3, "source")?;
    reader.key(3)?;
    date(reader, "birth")?;
    reader.key(4)?;
    check(matches!(reader.uint()?, 0 | 1 | 2 | 9), "sex")?;
    reader.key(5)?;
    reader.nullable(|r| date(r, "valid_to"))?;
    Ok(masked(&number))
}

fn read_benefit(reader: &mut Reader<'_>) -> Result<Benefit, RecordError> {
    reader.fields(5)?;
    reader.key(0)?;
    let pack = text(reader, "pack", NAME_MAX)?;
    reader.key(1)?;
    let pack_version = reader.uint()?;
    reader.key(2)?;
    let state = text(reader, "state", NAME_MAX)?;
    reader.key(3)?;
    let counted = reader.boolean()?;
    reader.key(4)?;
    let next_due = reader.nullable(|r| date(r, "next_due"))?;
    Ok(Benefit { pack, pack_version, state, counted, next_due })
}

fn read_check(reader: &mut Reader<'_>) -> Result<Check, RecordError> {
    reader.fields(11)?;
    reader.key(0)?;
    let modality = text(reader, "modality", NAME_MAX)?;
    reader.key(1)?;
    let verdict = text(reader, "verdict", NAME_MAX)?;
    reader.key(2)?;
    reader.nullable(Reader::float32)?;
    reader.key(3)?;
    reader.nullable(Reader::uint)?;
    reader.key(4)?;
    reader.nullable(Reader::float32)?;
    reader.key(5)?;
    let model = optional_text(reader, "model", NAME_MAX)?;
    reader.key(6)?;
    optional_text(reader, "threshold set", NAME_MAX)?;
    reader.key(7)?;
    reader.nullable(Reader::float32)?;
    reader.key(8)?;
    optional_text(reader, "reference", NAME_MAX)?;
    reader.key(9)?;
    let reasons = reader.list(LIST_MAX, |r| optional_text(r, "reason", TEXT_MAX))?;
    reader.key(10)?;
    let attempts = reader.uint()?;
    Ok(Check { modality, verdict, model, reasons, attempts })
}

fn read_consent(reader: &mut Reader<'_>) -> Result<String, RecordError> {
    reader.fields(5)?;
    reader.key(0)?;
    text(reader, "notice", NAME_MAX)?;
    reader.key(1)?;
    let _notice_digest: Digest = reader.array_of()?;
    reader.key(2)?;
    let choice = optional_text(reader, "choice", NAME_MAX)?;
    reader.key(3)?;
    optional_text(reader, "who", NAME_MAX)?;
    reader.key(4)?;
    reader.list(LIST_MAX, |r| optional_text(r, "alternative", TEXT_MAX))?;
    Ok(choice)
}

fn read_picture(reader: &mut Reader<'_>) -> Result<Picture, RecordError> {
    reader.fields(3)?;
    reader.key(0)?;
    let role = text(reader, "picture role", NAME_MAX)?;
    reader.key(1)?;
    let digest = reader.array_of()?;
    reader.key(2)?;
    Picture::new(&role, digest, reader.uint()?)
}

fn read_template(reader: &mut Reader<'_>) -> Result<String, RecordError> {
    reader.fields(5)?;
    reader.key(0)?;
    let modality = text(reader, "template modality", NAME_MAX)?;
    reader.key(1)?;
    let format = text(reader, "template format", NAME_MAX)?;
    reader.key(2)?;
    optional_text(reader, "template extractor", NAME_MAX)?;
    reader.key(3)?;
    check(!reader.bytes()?.is_empty(), "template")?;
    reader.key(4)?;
    reader.uint()?;
    Ok(format!("{modality} {format}"))
}

fn read_appeal(reader: &mut Reader<'_>) -> Result<String, RecordError> {
    reader.fields(2)?;
    reader.key(0)?;
    let reason = optional_text(reader, "appeal reason", TEXT_MAX)?;
    reader.key(1)?;
    reader.nullable(|r| optional_text(r, "appeal statement", STATEMENT_MAX))?;
    Ok(reason)
}

/// A text that says something: not empty, at most `max` bytes.
pub(crate) fn text(
    reader: &mut Reader<'_>,
    field: &'static str,
    max: usize,
) -> Result<String, RecordError> {
    let value = optional_text(reader, field, max)?;
    check(!value.is_empty(), field)?;
    Ok(value)
}

fn optional_text(
    reader: &mut Reader<'_>,
    field: &'static str,
    max: usize,
) -> Result<String, RecordError> {
    let value = reader.text()?;
    check(value.len() <= max && !value.contains('\0'), field)?;
    Ok(value.to_owned())
}

fn date(reader: &mut Reader<'_>, field: &'static str) -> Result<String, RecordError> {
    let value = reader.text()?;
    check(is_date(value), field)?;
    Ok(value.to_owned())
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let digits = |range: std::ops::Range<usize>| {
        bytes[range].iter().try_fold(0_u32, |value, digit| {
            digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0'))
        })
    };
    match (digits(0..4), digits(5..7), digits(8..10)) {
        (Some(year), Some(month), Some(day)) => (1..=days_in(year, month)).contains(&day),
        _ => false,
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 0,
    }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Region and last two characters of a citizen number; nothing of a shorter one.
fn masked(number: &str) -> String {
    let length = number.chars().count();
    let hidden = |index: usize| length < SHOWN_MIN || (3..length - 2).contains(&index);
    number.chars().enumerate().map(|(index, c)| if hidden(index) { '*' } else { c }).collect()
}

pub(crate) fn check(holds: bool, field: &'static str) -> Result<(), RecordError> {
    if holds { Ok(()) } else { Err(RecordError::Field(field)) }
}

/// The id as it stands in paths and lists.
#[must_use]
pub fn id_text(id: &Id) -> String {
    hex::encode(id)
}

const VERSION: u64 = 1;
/// Keys that every record has.
const KEYS: u64 = 17;
const CAPTURED_BETWEEN: u64 = 17;
/// Known keys and room for a newer writer's.
const KEYS_MAX: usize = 64;
const LIST_MAX: usize = 64;
pub(crate) const NAME_MAX: usize = 256;
const TEXT_MAX: usize = 1024;
const STATEMENT_MAX: usize = 16 * 1024;
/// A number shorter than this is hidden whole.
const SHOWN_MIN: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_shows_its_region_and_its_end_only() {
        assert_eq!(masked("110101194912310029"), "110*************29");
        assert_eq!(masked("123456"), "******");
        assert_eq!(masked(""), "");
    }

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        for (text, want) in [
            ("1949-12-31", true),
            ("2024-02-29", true),
            ("2023-02-29", false),
            ("1900-02-29", false),
            ("2024-13-01", false),
            ("2024-00-10", false),
            ("2024-01-00", false),
            ("20240101", false),
            ("2024-1-01x", false),
            ("+024-01-01", false),
        ] {
            assert_eq!(is_date(text), want, "{text}");
        }
    }
}
