//! The words between the driver and its plug-in, as bytes: `LS`, a letter, the length in
//! four bytes, the content; numbers have the high byte first. No I/O.

use super::Window;

/// What the driver asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Open this window of the scanner.
    Open(u8),
    /// One frame.
    Grab,
}

/// What the plug-in answers.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is open.
    Opened(Window),
    /// A frame.
    Image(Vec<u8>),
    /// The library answered with this code, which is not good.
    Failed(i32),
}

/// Bytes that cannot be words of this protocol; the other side is out of its mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a word of the scanner plug-in")]
pub struct Nonsense;

/// Puts words together from pieces.
#[derive(Default)]
pub struct Parser {
    bytes: Vec<u8>,
}

impl Parser {
    /// Adds a piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// The next whole word; none if more bytes are needed.
    pub fn next_word(&mut self) -> Result<Option<(u8, Vec<u8>)>, Nonsense> {
        let n_known = self.bytes.len().min(MARK.len());
        if self.bytes[..n_known] != MARK[..n_known] {
            return Err(Nonsense);
        }
        let Some(head) = self.bytes.first_chunk::<HEAD>() else { return Ok(None) };
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
        if size > SIZE_MAX {
            return Err(Nonsense);
        }
        if self.bytes.len() < HEAD + size {
            return Ok(None);
        }
        let letter = head[2];
        let rest = self.bytes.split_off(HEAD + size);
        let content = std::mem::replace(&mut self.bytes, rest).split_off(HEAD);
        Ok(Some((letter, content)))
    }
}

impl Request {
    /// As bytes.
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Self::Open(channel) => word(b'O', &[&[channel]]),
            Self::Grab => word(b'G', &[]),
        }
    }

    /// From a word.
    pub fn parse(letter: u8, content: &[u8]) -> Result<Self, Nonsense> {
        match (letter, content) {
            (b'O', [channel]) => Ok(Self::Open(*channel)),
            (b'G', []) => Ok(Self::Grab),
            _ => Err(Nonsense),
        }
    }
}

impl Reply {
    /// As bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Opened(window) => {
                let numbers = [window.width, window.height, window.version as u32];
                let numbers: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
                word(b'W', &[&numbers, window.about.as_bytes()])
            }
            Self::Image(pixels) => word(b'I', &[pixels]),
            Self::Failed(code) => word(b'F', &[&code.to_be_bytes()]),
        }
    }

    /// From a word.
    pub fn parse(letter: u8, content: Vec<u8>) -> Result<Self, Nonsense> {
        match letter {
            b'W' => {
                let (numbers, about) = content.split_first_chunk::<12>().ok_or(Nonsense)?;
                let number = |i: usize| {
                    u32::from_be_bytes(*numbers[4 * i..].first_chunk().expect("three numbers"))
                };
                let about = String::from_utf8(about.to_vec()).map_err(|_| Nonsense)?;
                let version = number(2) as i32;
                Ok(Self::Opened(Window { width: number(0), height: number(1), version, about }))
            }
            b'I' => Ok(Self::Image(content)),
            b'F' => {
                let code = <[u8; 4]>::try_from(&content[..]).map_err(|_| Nonsense)?;
                Ok(Self::Failed(i32::from_be_bytes(code)))
            }
            _ => Err(Nonsense),
        }
    }
}

/// An image prints without its content.
impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Opened(window) => write!(f, "Opened({window:?})"),
            Self::Image(pixels) => write!(f, "Image({} bytes, …)", pixels.len()),
            Self::Failed(code) => write!(f, "Failed({code})"),
        }
    }
}

fn word(letter: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let size = u32::try_from(content.len()).expect("a frame is far below 4 GB");
    [&MARK[..], &[letter], &size.to_be_bytes(), &content].concat()
}

const MARK: &[u8; 2] = b"LS";
const HEAD: usize = 7;
/// The largest window, and the words about it.
const SIZE_MAX: usize = super::library::SIDE_MAX * super::library::SIDE_MAX + 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reply() -> impl Strategy<Value = Reply> {
        let window = (any::<u32>(), any::<u32>(), any::<i32>(), ".{0,40}");
        prop_oneof![
            window.prop_map(|(width, height, version, about)| {
                Reply::Opened(Window { width, height, version, about })
            }),
            prop::collection::vec(any::<u8>(), 0..3000).prop_map(Reply::Image),
            any::<i32>().prop_map(Reply::Failed),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_from_any_pieces(
            replies in prop::collection::vec(reply(), 0..4), piece in 1usize..50,
        ) {
            let bytes: Vec<u8> = replies.iter().flat_map(Reply::bytes).collect();
            let (mut parser, mut read) = (Parser::default(), Vec::new());
            for piece in bytes.chunks(piece) {
                parser.push(piece);
                while let Some((letter, content)) = parser.next_word().unwrap() {
                    read.push(Reply::parse(letter, content).unwrap());
                }
            }
            prop_assert_eq!(read, replies);
        }

        #[test]
        fn any_bytes_are_words_or_nonsense(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut parser = Parser::default();
            parser.push(&[b"LS", &bytes[..]].concat());
            while let Ok(Some((letter, content))) = parser.next_word() {
                let _ = Request::parse(letter, &content);
                let _ = Reply::parse(letter, content);
            }
        }
    }

    #[test]
    fn requests_read_back_and_a_huge_length_is_nonsense() {
        for request in [Request::Open(3), Request::Grab] {
            let mut parser = Parser::default();
            parser.push(&request.bytes());
            let (letter, content) = parser.next_word().unwrap().unwrap();
            assert_eq!(Request::parse(letter, &content), Ok(request));
        }
        let mut parser = Parser::default();
        parser.push(b"LSI\xFF\xFF\xFF\xFF");
        assert_eq!(parser.next_word(), Err(Nonsense));
    }
}
