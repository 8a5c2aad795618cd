//! Commands to a chip card and its answers as bytes (ISO 7816-4, short form). No I/O, and
//! nothing about one kind of card but the few commands that are needed.

use std::fmt;

use zeroize::Zeroize;

/// A command. Prints without its content, which may be a PIN.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    header: [u8; 4],
    content: Vec<u8>,
    /// Most bytes of an answer, 0 for all there are; none where no content is expected.
    expected: Option<u8>,
}

/// What a card answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Content, without the two status bytes.
    pub content: Vec<u8>,
    /// How it went.
    pub status: Status,
}

/// The two bytes at the end of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 9000.
    Ok,
    /// 61xx: so many more bytes are to be fetched, 0 is 256.
    More(u8),
    /// 6Cxx: ask again for exactly so many bytes.
    Exactly(u8),
    /// 6982: a right is missing, such as the PIN.
    Locked,
    /// 63Cx: so many tries of the PIN are left.
    TriesLeft(u8),
    /// 6983 or 6984: the PIN is blocked.
    Blocked,
    /// 6A82, 6A83 or 6A88: no such application, file or record.
    NotThere,
    /// 6A86, 6A81 or 6B00: this way of asking is not known.
    OtherWay,
    /// Any other.
    Other(u16),
}

impl Command {
    /// Selects the application of this name.
    pub fn select_application(name: &[u8]) -> Self {
        Self::with([0x00, 0xA4, 0x04, 0x00], name.to_vec())
    }

    /// Selects a file by its number; `way` is the first parameter, which differs between
    /// cards: 0 or 2.
    pub fn select_file(file: u16, way: u8) -> Self {
        Self::with([0x00, 0xA4, way, 0x00], file.to_be_bytes().to_vec())
    }

    /// Reads the record `number` of the selected file; `way` is the second parameter, 4 or 0.
    pub fn read_record(number: u8, way: u8) -> Self {
        Self { header: [0x00, 0xB2, number, way], content: Vec::new(), expected: Some(0) }
    }

    /// Fetches what a card has ready.
    pub fn fetch(size: u8) -> Self {
        Self { header: [0x00, 0xC0, 0, 0], content: Vec::new(), expected: Some(size) }
    }

    /// Shows the PIN to the card.
    pub fn verify(digits: &[u8]) -> Self {
        Self::with([0x00, 0x20, 0, 0], digits.to_vec())
    }

    /// The same command, for exactly `size` bytes.
    pub fn for_exactly(&self, size: u8) -> Self {
        let mut command = self.clone();
        command.expected = Some(size);
        command
    }

    /// As it goes to the card.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.to_vec();
        if !self.content.is_empty() {
            bytes.push(u8::try_from(self.content.len()).expect("commands here are short"));
            bytes.extend(&self.content);
        }
        bytes.extend(self.expected);
        bytes
    }

    /// A command that carries content and expects none.
    fn with(header: [u8; 4], content: Vec<u8>) -> Self {
        Self { header, content, expected: None }
    }
}

impl Answer {
    /// The answer in `bytes`; none if they are too few or too many to be one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, status) = bytes.split_last_chunk::<2>()?;
        if content.len() > CONTENT_MAX {
            return None;
        }
        Some(Self { content: content.to_vec(), status: Status::of(*status) })
    }
}

impl Status {
    fn of([first, second]: [u8; 2]) -> Self {
        match (first, second) {
            (0x90, 0x00) => Self::Ok,
            (0x61, more) => Self::More(more),
            (0x6C, exactly) => Self::Exactly(exactly),
            (0x69, 0x82) => Self::Locked,
            (0x69, 0x83 | 0x84) => Self::Blocked,
            (0x63, tries) if tries & 0xF0 == 0xC0 => Self::TriesLeft(tries & 0x0F),
            (0x6A, 0x82 | 0x83 | 0x88) => Self::NotThere,
            (0x6A, 0x81 | 0x86) | (0x6B, 0x00) => Self::OtherWay,
            (first, second) => Self::Other(u16::from_be_bytes([first, second])),
        }
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        self.content.zeroize();
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({:02X?}, …)", self.header)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes, {:?})", self.content.len(), self.status)
    }
}

/// Content of one short answer.
pub const CONTENT_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_are_the_bytes_of_the_reference() {
        let name = super::super::session::APPLICATION;
        let select = [&[0x00, 0xA4, 0x04, 0x00, 0x0F], &name[..]].concat();
        assert_eq!(Command::select_application(name).bytes(), select);
        let ef05 = Command::select_file(0xEF05, 0);
        assert_eq!(ef05.bytes(), [0x00, 0xA4, 0x00, 0x00, 0x02, 0xEF, 0x05]);
        assert_eq!(Command::read_record(8, 4).bytes(), [0x00, 0xB2, 0x08, 0x04, 0x00]);
        let again = Command::read_record(8, 4).for_exactly(0x14);
        assert_eq!(again.bytes(), [0x00, 0xB2, 0x08, 0x04, 0x14]);
        assert_eq!(Command::fetch(9).bytes(), [0x00, 0xC0, 0x00, 0x00, 0x09]);
        let verify = [0x00, 0x20, 0x00, 0x00, 0x03, 0x90, 0x78, 0x56];
        assert_eq!(Command::verify(&[0x90, 0x78, 0x56]).bytes(), verify);
    }

    #[test]
    fn a_pin_is_not_printed() {
        let verify = Command::verify(&[0x90, 0x78, 0x56]);
        assert_eq!(format!("{verify:?}"), "Command([00, 20, 00, 00], …)");
    }

    #[test]
    fn status_words_mean_what_the_reference_says() {
        let of = |word: u16| Status::of(word.to_be_bytes());
        assert_eq!(of(0x9000), Status::Ok);
        assert_eq!(of(0x61_20), Status::More(0x20));
        assert_eq!(of(0x6C_14), Status::Exactly(0x14));
        assert_eq!(of(0x63C2), Status::TriesLeft(2));
        assert_eq!(of(0x6983), Status::Blocked);
        assert_eq!(of(0x6982), Status::Locked);
        assert_eq!(of(0x6A82), Status::NotThere);
        assert_eq!(of(0x6300), Status::Other(0x6300));
        assert_eq!(of(0x9001), Status::Other(0x9001));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_none(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let answer = Answer::parse(&bytes);
            prop_assert_eq!(answer.is_some(), (2..=258).contains(&bytes.len()));
            if let Some(answer) = answer {
                prop_assert_eq!(&answer.content[..], &bytes[..bytes.len() - 2]);
            }
        }
    }
}
