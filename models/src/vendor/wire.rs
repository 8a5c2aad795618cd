//! The words between this program and a vendor's engine, as bytes, by
//! `ENGINE_PROTOCOL.md`: `EN`, a letter, the length in four bytes, the content; numbers
//! have the high byte first. No I/O.

use image::RgbImage;

use crate::{face::Face, finger::GreyImage, manifest::Modality};

/// What is asked.
pub(super) enum Request<'a> {
    /// Who are you, and do you speak this version for this modality?
    Hello(Modality),
    /// A template of this face.
    Describe(&'a RgbImage, &'a Face),
    /// How live this face looks.
    Live(&'a RgbImage, &'a Face),
    /// The minutiae of this print.
    Extract(&'a GreyImage),
    /// How much these two templates are alike, the probe first.
    Compare(&'a [u8], &'a [u8]),
}

/// What the engine answers.
#[derive(Clone, PartialEq)]
pub(super) enum Reply {
    /// Its version, and whether it judges liveness.
    Identity { version: String, judges_liveness: bool },
    /// A template and its quality.
    Template { quality: f32, bytes: Vec<u8> },
    /// A score.
    Score(f32),
    /// It cannot do it with this picture, for a reason of its own: an answer and no fault.
    Refused(u32),
}

/// Bytes that cannot be words of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nonsense;

/// Puts words together from pieces.
#[derive(Default)]
pub(super) struct Parser {
    bytes: Vec<u8>,
}

impl Parser {
    /// Adds a piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// The next whole answer; nothing if more bytes are needed.
    pub(super) fn next_reply(&mut self) -> Result<Option<Reply>, Nonsense> {
        let n_known = self.bytes.len().min(MARK.len());
        if self.bytes[..n_known] != MARK[..n_known] {
            return Err(Nonsense);
        }
        let Some(head) = self.bytes.first_chunk::<HEAD>() else { return Ok(None) };
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
        if size > ANSWER_MAX {
            return Err(Nonsense);
        }
        if self.bytes.len() < HEAD + size {
            return Ok(None);
        }
        let letter = head[2];
        let rest = self.bytes.split_off(HEAD + size);
        let content = std::mem::replace(&mut self.bytes, rest).split_off(HEAD);
        Reply::parse(letter, content).map(Some)
    }

    /// Whether nothing came that nobody asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Request<'_> {
    /// As bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Hello(modality) => {
                let modality = match modality {
                    Modality::Face => 1,
                    Modality::Finger => 2,
                };
                word(b'H', &[&[VERSION, modality]])
            }
            Self::Describe(frame, face) => word(b'D', &[&face_head(frame, face), frame.as_raw()]),
            Self::Live(frame, face) => word(b'L', &[&face_head(frame, face), frame.as_raw()]),
            Self::Extract(print) => {
                let head = [print.width, print.height, print.ppi].map(u32::to_be_bytes);
                word(b'X', &[head.as_flattened(), &print.pixels])
            }
            Self::Compare(probe, reference) => {
                let size = probe.len() as u32;
                word(b'C', &[&size.to_be_bytes(), probe, reference])
            }
        }
    }
}

/// Width, height, the box, the number of points and the points.
fn face_head(frame: &RgbImage, face: &Face) -> Vec<u8> {
    let mut head = [frame.width(), frame.height()].map(u32::to_be_bytes).concat();
    let bbox = face.bbox;
    let corners = [bbox.x, bbox.y, bbox.width, bbox.height];
    head.extend(corners.iter().flat_map(|v| v.to_be_bytes()));
    head.extend((face.landmarks.len() as u16).to_be_bytes());
    head.extend(
        face.landmarks.iter().flat_map(|(x, y)| [x.to_be_bytes(), y.to_be_bytes()].concat()),
    );
    head
}

impl Reply {
    fn parse(letter: u8, content: Vec<u8>) -> Result<Self, Nonsense> {
        match letter {
            b'I' => {
                let (flags, version) = content.split_first().ok_or(Nonsense)?;
                let version = String::from_utf8(version.to_vec()).map_err(|_| Nonsense)?;
                Ok(Self::Identity { version, judges_liveness: flags & 1 == 1 })
            }
            b'T' => {
                let (quality, bytes) = content.split_first_chunk::<4>().ok_or(Nonsense)?;
                let fits = (1..=TEMPLATE_MAX).contains(&bytes.len());
                let bytes = fits.then(|| bytes.to_vec()).ok_or(Nonsense)?;
                Ok(Self::Template { quality: finite(*quality)?, bytes })
            }
            b'S' => {
                let score = <[u8; 4]>::try_from(&content[..]).map_err(|_| Nonsense)?;
                finite(score).map(Self::Score)
            }
            b'R' => {
                let code = <[u8; 4]>::try_from(&content[..]).map_err(|_| Nonsense)?;
                Ok(Self::Refused(u32::from_be_bytes(code)))
            }
            _ => Err(Nonsense),
        }
    }
}

/// A template prints without its content.
impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Identity { version, .. } => write!(f, "Identity({version})"),
            Self::Template { .. } => f.write_str("Template(…)"),
            Self::Score(score) => write!(f, "Score({score})"),
            Self::Refused(code) => write!(f, "Refused({code})"),
        }
    }
}

fn finite(bytes: [u8; 4]) -> Result<f32, Nonsense> {
    let value = f32::from_be_bytes(bytes);
    value.is_finite().then_some(value).ok_or(Nonsense)
}

fn word(letter: u8, parts: &[&[u8]]) -> Vec<u8> {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    let size = u32::try_from(size).expect("a frame is far below 4 GB");
    let mut word = Vec::with_capacity(HEAD + size as usize);
    word.extend([MARK, &[letter], &size.to_be_bytes()[..]].concat());
    parts.iter().for_each(|part| word.extend_from_slice(part));
    word
}

/// Of the protocol.
const VERSION: u8 = 1;
const MARK: &[u8] = b"EN";
const HEAD: usize = 7;
/// The largest template; fingers have about 1 KB, faces a few.
pub(super) const TEMPLATE_MAX: usize = 64 << 10;
const ANSWER_MAX: usize = TEMPLATE_MAX + 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::arbitrary::number;

    use super::*;

    fn answers(bytes: &[u8], piece: usize) -> Result<Vec<Reply>, Nonsense> {
        let (mut parser, mut read) = (Parser::default(), Vec::new());
        for piece in bytes.chunks(piece) {
            parser.push(piece);
            while let Some(reply) = parser.next_reply()? {
                read.push(reply);
            }
        }
        Ok(read)
    }

    proptest! {
        #[test]
        fn an_answer_reads_back_from_any_pieces(
            score in number(-1e6..1e6), code in any::<u32>(),
            template in prop::collection::vec(any::<u8>(), 1..300), piece in 1usize..50,
        ) {
            let bytes = [
                word(b'S', &[&score.to_be_bytes()]),
                word(b'T', &[&3.5f32.to_be_bytes(), &template]),
                word(b'I', &[&[1], b"4.2"]),
                word(b'R', &[&code.to_be_bytes()]),
            ].concat();
            let expected = [
                Reply::Score(score),
                Reply::Template { quality: 3.5, bytes: template },
                Reply::Identity { version: "4.2".into(), judges_liveness: true },
                Reply::Refused(code),
            ];
            prop_assert_eq!(answers(&bytes, piece), Ok(expected.to_vec()));
        }

        #[test]
        fn any_bytes_are_answers_or_nonsense(
            letter in prop::sample::select(b"ITSRx".to_vec()),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = answers(&word(letter, &[&bytes]), 7);
            let _ = answers(&[MARK, &bytes].concat(), 7);
        }
    }

    #[test]
    fn a_score_that_is_no_number_and_a_huge_answer_are_nonsense() {
        assert_eq!(answers(&word(b'S', &[&f32::NAN.to_be_bytes()]), 99), Err(Nonsense));
        assert_eq!(answers(&word(b'T', &[&[0; 4]]), 99), Err(Nonsense));
        assert_eq!(answers(b"ENT\xff\xff\xff\xff", 99), Err(Nonsense));
        assert_eq!(answers(b"EX", 99), Err(Nonsense));
        assert_eq!(answers(b"EN", 99), Ok(Vec::new()));
    }

    #[test]
    fn a_print_is_asked_about_as_the_protocol_says() {
        let print = GreyImage::new(2, 1, 500, vec![7, 9]).unwrap();
        let expected = b"ENX\0\0\0\x0e\0\0\0\x02\0\0\0\x01\0\0\x01\xf4\x07\x09";
        assert_eq!(Request::Extract(&print).bytes(), expected);
        assert_eq!(Request::Compare(b"ab", b"c").bytes(), b"ENC\0\0\0\x07\0\0\0\x02abc");
        assert_eq!(Request::Hello(Modality::Finger).bytes(), b"ENH\0\0\0\x02\x01\x02");
    }
}
