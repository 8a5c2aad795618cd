//! A strict reader of core deterministic CBOR (RFC 8949 §4.2.1), and a writer of the same.
//! It refuses whatever has a second spelling: long integers, indefinite lengths, unordered keys.
//! It never allocates by a count that a stranger wrote; what the values mean is for others.

/// Why bytes are not the CBOR that the protocol asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// The bytes end inside an item.
    #[error("the bytes end inside an item")]
    Cut,
    /// Bytes follow the last item.
    #[error("bytes follow the last item")]
    Trailing,
    /// An integer or a length has a shorter spelling.
    #[error("an integer or a length is not in its shortest form")]
    NotShortest,
    /// An indefinite length, which has many spellings.
    #[error("an indefinite length")]
    Indefinite,
    /// Another type of item stands where this one must be.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A map key is missing, repeated, out of order or unknown.
    #[error("map key {0} is missing, out of order or unknown")]
    Key(i64),
    /// An array or a map has more items than its bound.
    #[error("more items than {0}")]
    TooMany(usize),
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// An unknown value is nested too deep.
    #[error("nested too deep")]
    TooDeep,
    /// A float is not a finite number.
    #[error("a float is not finite")]
    NotFinite,
}

/// Reads items one after another; every slice it gives borrows from the input.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads one whole item with `read` and refuses bytes after it.
    pub fn whole<T, E: From<CborError>>(
        bytes: &'a [u8],
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut reader = Self::new(bytes);
        let value = read(&mut reader)?;
        if reader.rest.is_empty() { Ok(value) } else { Err(CborError::Trailing.into()) }
    }

    /// An unsigned integer.
    pub fn uint(&mut self) -> Result<u64, CborError> {
        match self.head()? {
            (UINT, value) => Ok(value),
            _ => Err(CborError::Expected("an unsigned integer")),
        }
    }

    /// An integer of either sign that fits 64 bits.
    pub fn int(&mut self) -> Result<i64, CborError> {
        let (major, value) = self.head()?;
        let small = i64::try_from(value).map_err(|_| CborError::Expected("a 64-bit integer"));
        match major {
            UINT => small,
            NINT => small.map(|n| -1 - n),
            _ => Err(CborError::Expected("an integer")),
        }
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        match self.head()? {
            (BYTES, length) => self.take(length),
            _ => Err(CborError::Expected("a byte string")),
        }
    }

    /// A byte string of exactly `N` bytes.
    pub fn array_of<const N: usize>(&mut self) -> Result<[u8; N], CborError> {
        self.bytes()?
            .try_into()
            .map_err(|_| CborError::Expected("a byte string of its fixed length"))
    }

    /// A text.
    pub fn text(&mut self) -> Result<&'a str, CborError> {
        match self.head()? {
            (TEXT, length) => {
                std::str::from_utf8(self.take(length)?).map_err(|_| CborError::NotUtf8)
            }
            _ => Err(CborError::Expected("a text")),
        }
    }

    /// The length of an array of at most `max` items.
    pub fn array(&mut self, max: usize) -> Result<usize, CborError> {
        match self.head()? {
            (ARRAY, count) => self.count(count, max),
            _ => Err(CborError::Expected("an array")),
        }
    }

    /// An array of exactly `count` items.
    pub fn tuple(&mut self, count: usize) -> Result<(), CborError> {
        if self.array(usize::MAX)? == count {
            Ok(())
        } else {
            Err(CborError::Expected("an array of its fixed length"))
        }
    }

    /// The number of pairs in a map of at most `max` pairs.
    pub fn map(&mut self, max: usize) -> Result<usize, CborError> {
        match self.head()? {
            (MAP, count) => self.count(count, max),
            _ => Err(CborError::Expected("a map")),
        }
    }

    /// A map of exactly `count` pairs.
    pub fn fields(&mut self, count: usize) -> Result<(), CborError> {
        if self.map(usize::MAX)? == count {
            Ok(())
        } else {
            Err(CborError::Expected("a map with its fixed keys"))
        }
    }

    /// The key that must stand here.
    pub fn key(&mut self, key: i64) -> Result<(), CborError> {
        match self.int() {
            Ok(found) if found == key => Ok(()),
            Err(fault @ (CborError::Cut | CborError::NotShortest)) => Err(fault),
            _ => Err(CborError::Key(key)),
        }
    }

    /// An array of at most `max` items, each read by `item`.
    pub fn list<T, E: From<CborError>>(
        &mut self,
        max: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        let count = self.array(max)?;
        (0..count).map(|_| item(self)).collect()
    }

    /// Null, or what `value` reads.
    pub fn nullable<T, E: From<CborError>>(
        &mut self,
        value: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        match self.rest.split_first() {
            Some((&NULL, after)) => {
                self.rest = after;
                Ok(None)
            }
            _ => value(self).map(Some),
        }
    }

    /// A boolean.
    pub fn boolean(&mut self) -> Result<bool, CborError> {
        match self.byte()? {
            FALSE => Ok(false),
            TRUE => Ok(true),
            _ => Err(CborError::Expected("a boolean")),
        }
    }

    /// A finite float of 32 bits; no other width is accepted.
    pub fn float32(&mut self) -> Result<f32, CborError> {
        if self.byte()? != FLOAT32 {
            return Err(CborError::Expected("a 32-bit float"));
        }
        let bits = self.take(4)?.try_into().expect("four bytes were taken");
        let value = f32::from_be_bytes(bits);
        if value.is_finite() { Ok(value) } else { Err(CborError::NotFinite) }
    }

    /// Passes over one item of any type, checking that it is deterministic too.
    pub fn skip(&mut self) -> Result<(), CborError> {
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: usize) -> Result<(), CborError> {
        if depth > DEPTH_MAX {
            return Err(CborError::TooDeep);
        }
        match self.rest.first() {
            None => Err(CborError::Cut),
            Some(byte) if byte >> 5 == SIMPLE => self.skip_simple(),
            Some(_) => self.skip_item(depth),
        }
    }

    fn skip_simple(&mut self) -> Result<(), CborError> {
        match self.byte()? {
            FALSE | TRUE | NULL => Ok(()),
            FLOAT32 => self.take(4).map(drop),
            _ => Err(CborError::Expected("a boolean, null or a 32-bit float")),
        }
    }

    fn skip_item(&mut self, depth: usize) -> Result<(), CborError> {
        let (major, value) = self.head()?;
        match major {
            BYTES => self.take(value).map(drop),
            TEXT => {
                std::str::from_utf8(self.take(value)?).map(drop).map_err(|_| CborError::NotUtf8)
            }
            ARRAY => (0..self.count(value, usize::MAX)?).try_for_each(|_| self.skip_at(depth + 1)),
            MAP => self.skip_map(value, depth),
            TAG => Err(CborError::Expected("an untagged item")),
            _ => Ok(()),
        }
    }

    fn skip_map(&mut self, pairs: u64, depth: usize) -> Result<(), CborError> {
        let mut last: Option<&[u8]> = None;
        for _ in 0..self.count(pairs, usize::MAX)? {
            let start = self.rest;
            self.skip_at(depth + 1)?;
            let key = &start[..start.len() - self.rest.len()];
            if last.is_some_and(|last| last >= key) {
                return Err(CborError::Expected("map keys in ascending order"));
            }
            last = Some(key);
            self.skip_at(depth + 1)?;
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, CborError> {
        let (&first, after) = self.rest.split_first().ok_or(CborError::Cut)?;
        self.rest = after;
        Ok(first)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        let length = usize::try_from(length).map_err(|_| CborError::Cut)?;
        let (taken, after) = self.rest.split_at_checked(length).ok_or(CborError::Cut)?;
        self.rest = after;
        Ok(taken)
    }

    /// Every item has at least one byte, so a count beyond the bytes left is a lie.
    fn count(&self, count: u64, max: usize) -> Result<usize, CborError> {
        let count = usize::try_from(count).map_err(|_| CborError::Cut)?;
        if count > max {
            return Err(CborError::TooMany(max));
        }
        if count > self.rest.len() { Err(CborError::Cut) } else { Ok(count) }
    }

    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let first = self.byte()?;
        let (value, least) = match first & 0x1f {
            short @ 0..=23 => (u64::from(short), 0),
            24 => (self.number(1)?, 24),
            25 => (self.number(2)?, 1 << 8),
            26 => (self.number(4)?, 1 << 16),
            27 => (self.number(8)?, 1 << 32),
            31 => return Err(CborError::Indefinite),
            _ => return Err(CborError::Expected("a known item")),
        };
        if value < least {
            return Err(CborError::NotShortest);
        }
        Ok((first >> 5, value))
    }

    fn number(&mut self, width: u64) -> Result<u64, CborError> {
        Ok(self.take(width)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }
}

/// Writes items one after another in the one spelling that the reader accepts.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was written.
    #[must_use]
    pub fn done(self) -> Vec<u8> {
        self.bytes
    }

    /// An unsigned integer.
    #[must_use]
    pub fn uint(self, value: u64) -> Self {
        self.head(UINT, value)
    }

    /// An integer of either sign.
    #[must_use]
    pub fn int(self, value: i64) -> Self {
        match u64::try_from(value) {
            Ok(value) => self.head(UINT, value),
            Err(_) => self.head(NINT, (-1 - value).unsigned_abs()),
        }
    }

    /// A byte string.
    #[must_use]
    pub fn bytes(self, value: &[u8]) -> Self {
        self.head(BYTES, value.len() as u64).raw(value)
    }

    /// A text.
    #[must_use]
    pub fn text(self, value: &str) -> Self {
        self.head(TEXT, value.len() as u64).raw(value.as_bytes())
    }

    /// The head of an array; its items follow.
    #[must_use]
    pub fn array(self, count: usize) -> Self {
        self.head(ARRAY, count as u64)
    }

    /// The head of a map; its pairs follow in ascending order of their keys.
    #[must_use]
    pub fn map(self, count: usize) -> Self {
        self.head(MAP, count as u64)
    }

    /// Null.
    #[must_use]
    pub fn null(self) -> Self {
        self.raw(&[NULL])
    }

    /// A boolean.
    #[must_use]
    pub fn boolean(self, value: bool) -> Self {
        self.raw(&[if value { TRUE } else { FALSE }])
    }

    /// A float of 32 bits.
    #[must_use]
    pub fn float32(self, value: f32) -> Self {
        self.raw(&[FLOAT32]).raw(&value.to_be_bytes())
    }

    /// Bytes that are CBOR already.
    #[must_use]
    pub fn raw(mut self, encoded: &[u8]) -> Self {
        self.bytes.extend_from_slice(encoded);
        self
    }

    /// Each item of `items` by `write`, after an array head with their number.
    #[must_use]
    pub fn list<T>(self, items: &[T], write: impl FnMut(Self, &T) -> Self) -> Self {
        items.iter().fold(self.array(items.len()), write)
    }

    fn head(self, major: u8, value: u64) -> Self {
        let major = major << 5;
        let wide = value.to_be_bytes();
        match value {
            0..=23 => self.raw(&[major | wide[7]]),
            24..=0xff => self.raw(&[major | 24, wide[7]]),
            0x100..=0xffff => self.raw(&[major | 25]).raw(&wide[6..]),
            0x1_0000..=0xffff_ffff => self.raw(&[major | 26]).raw(&wide[4..]),
            _ => self.raw(&[major | 27]).raw(&wide),
        }
    }
}

const UINT: u8 = 0;
const NINT: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const FLOAT32: u8 = 0xfa;

/// How deep an item may be nested that is passed over unread.
const DEPTH_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hex: &str, want: Result<(), CborError>) {
        let bytes = crate::hex::decode(hex).expect("the test's own hex");
        assert_eq!(Reader::whole(&bytes, Reader::skip), want, "{hex}");
    }

    #[test]
    fn only_the_deterministic_spelling_passes() {
        check("00", Ok(()));
        check("1818", Ok(()));
        check("1817", Err(CborError::NotShortest));
        check("190018", Err(CborError::NotShortest));
        check("1a0000ffff", Err(CborError::NotShortest));
        check("1b00000000ffffffff", Err(CborError::NotShortest));
        check("1bffffffffffffffff", Ok(()));
        check("580100", Err(CborError::NotShortest));
        check("5f4100ff", Err(CborError::Indefinite));
        check("9fff", Err(CborError::Indefinite));
        check("a201000200", Ok(()));
        check("a202000100", Err(CborError::Expected("map keys in ascending order")));
        check("a201000100", Err(CborError::Expected("map keys in ascending order")));
        check("f93c00", Err(CborError::Expected("a boolean, null or a 32-bit float")));
        check("fa3f800000", Ok(()));
        check("c100", Err(CborError::Expected("an untagged item")));
        check("62c328", Err(CborError::NotUtf8));
        check("0000", Err(CborError::Trailing));
        check("1c", Err(CborError::Expected("a known item")));
    }

    #[test]
    fn a_huge_count_is_refused_before_anything_is_kept_for_it() {
        check("9bffffffffffffffff", Err(CborError::Cut));
        check("bb7fffffffffffffff", Err(CborError::Cut));
        check("5bffffffffffffffff", Err(CborError::Cut));
        let bytes = [0x9a, 0x00, 0x01, 0x00, 0x00];
        let list = Reader::new(&bytes).list(50, Reader::uint);
        assert_eq!(list, Err(CborError::TooMany(50)));
    }

    #[test]
    fn deep_nesting_ends_before_the_stack_does() {
        let bytes = vec![0x81; 100_000];
        assert_eq!(Reader::new(&bytes).skip(), Err(CborError::TooDeep));
    }

    #[test]
    fn what_is_written_reads_back_and_every_cut_is_seen() {
        let bytes = Writer::new()
            .map(3)
            .int(1)
            .int(-70_001)
            .int(2)
            .text("常青")
            .int(3)
            .list(
                &[0_u64, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), u64::MAX],
                |w, n| w.uint(*n),
            )
            .done();
        assert_eq!(Reader::whole(&bytes, Reader::skip), Ok(()));
        for end in 0..bytes.len() {
            assert_eq!(
                Reader::whole(&bytes[..end], Reader::skip),
                Err(CborError::Cut),
                "cut at {end}"
            );
        }
        let mut reader = Reader::new(&bytes);
        reader.fields(3).expect("three fields");
        reader.key(1).expect("key 1");
        assert_eq!(reader.int(), Ok(-70_001));
    }

    #[test]
    fn a_second_reader_agrees_on_what_the_writer_writes() {
        let bytes = Writer::new().array(3).int(i64::MIN).float32(0.5).bytes(&[7; 300]).done();
        let mut other = minicbor::Decoder::new(&bytes);
        assert_eq!(other.array().expect("array"), Some(3));
        assert_eq!(other.i64().expect("integer"), i64::MIN);
        assert!((other.f32().expect("float") - 0.5).abs() < f32::EPSILON);
        assert_eq!(other.bytes().expect("bytes"), [7; 300]);
    }
}
