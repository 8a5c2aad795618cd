//! Frames of the card reader: `AA AA AA 96 69 | len u16 BE | body | xor`. No I/O.
//! What a body means is left to `commands`.

/// The frame of a request: `command`, `parameter`, `data`.
pub fn request(command: u8, parameter: u8, data: &[u8]) -> Vec<u8> {
    let n = u16::try_from(data.len() + 3).expect("a request is a few bytes long");
    let mut frame = PREAMBLE.to_vec();
    frame.extend(n.to_be_bytes());
    frame.extend([command, parameter]);
    frame.extend(data);
    frame.push(xor(&frame[PREAMBLE.len()..]));
    frame
}

/// A reply whose checksum is right.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// SW3, the result of the reader; SW1 and SW2 come from the card's chip.
    pub status: u8,
    /// The bytes after the three status bytes.
    pub data: Vec<u8>,
}

/// Takes bytes as they come and finds the replies among them.
#[derive(Default)]
pub struct Parser {
    bytes: Vec<u8>,
    saw_junk: bool,
}

impl Parser {
    /// Adds bytes from the line.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Nothing asks for more than one frame, so more than two is noise.
        if self.bytes.len() > 2 * FRAME_SIZE_MAX {
            let too_much = self.bytes.len() - FRAME_SIZE_MAX;
            self.drop_junk(too_much);
        }
    }

    /// The next whole reply; `None` asks for more bytes.
    pub fn next_reply(&mut self) -> Option<Reply> {
        loop {
            self.seek_preamble()?;
            let n = self.body_size()?;
            if !(REPLY_BODY_MIN..=BODY_SIZE_MAX).contains(&n) {
                self.drop_junk(1);
                continue;
            }
            let end = HEADER_SIZE + n;
            if self.bytes.len() < end {
                return None;
            }
            // The xor over lengths, body and checksum is nought.
            if xor(&self.bytes[START.len()..end]) != 0 {
                self.drop_junk(1);
                continue;
            }
            let frame: Vec<u8> = self.bytes.drain(..end).collect();
            return Some(Reply {
                status: frame[HEADER_SIZE + 2],
                data: frame[HEADER_SIZE + 3..end - 1].to_vec(),
            });
        }
    }

    /// Looks for a reply behind a false beginning: noise that looked like a header can
    /// announce more bytes than will ever come. For when the line has gone quiet.
    pub fn rescue(&mut self) -> Option<Reply> {
        while !self.bytes.is_empty() {
            if let Some(reply) = self.next_reply() {
                return Some(reply);
            }
            if !self.bytes.is_empty() {
                self.drop_junk(1);
            }
        }
        None
    }

    /// Whether bytes were dropped that belong to no frame; asking forgets it.
    pub fn take_saw_junk(&mut self) -> bool {
        std::mem::take(&mut self.saw_junk)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    fn body_size(&self) -> Option<usize> {
        let size = self.bytes.get(START.len()..HEADER_SIZE)?;
        Some(usize::from(u16::from_be_bytes([size[0], size[1]])))
    }

    /// Drops what stands before `AA AA 96 69`; a third leading AA counts as no junk.
    fn seek_preamble(&mut self) -> Option<()> {
        let found = self.bytes.windows(START.len()).position(|w| w == START);
        let keep_from = found.unwrap_or(self.bytes.len().saturating_sub(START.len()));
        let only_lead = self.bytes[..keep_from].iter().all(|b| *b == START[0]);
        if only_lead {
            self.bytes.drain(..keep_from);
        } else {
            self.drop_junk(keep_from);
        }
        found.map(|_| ())
    }

    fn drop_junk(&mut self, n: usize) {
        self.saw_junk |= n > 0;
        self.bytes.drain(..n);
    }
}

fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

const PREAMBLE: [u8; 5] = [0xAA, 0xAA, 0xAA, 0x96, 0x69];
/// Readers send two or three leading AA; the shorter form is found in both.
const START: [u8; 4] = [0xAA, 0xAA, 0x96, 0x69];
const HEADER_SIZE: usize = START.len() + 2;
const REPLY_BODY_MIN: usize = 4;
const BODY_SIZE_MAX: usize = 4089;
const FRAME_SIZE_MAX: usize = HEADER_SIZE + BODY_SIZE_MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_are_the_published_bytes() {
        check_request(0x10, 0xFF, &[], "AAAAAA9669000310FFEC");
        check_request(0x11, 0xFF, &[], "AAAAAA9669000311FFED");
        check_request(0x12, 0xFF, &[], "AAAAAA9669000312FFEE");
        check_request(0x20, 0x01, &[], "AAAAAA96690003200122");
        check_request(0x20, 0x02, &[], "AAAAAA96690003200221");
        check_request(0x30, 0x01, &[], "AAAAAA96690003300132");
        check_request(0x30, 0x10, &[], "AAAAAA96690003301023");
        check_request(0x30, 0x03, &[], "AAAAAA96690003300330");
        check_request(0x60, 0x00, &[], "AAAAAA96690003600063");
        check_request(0x61, 0xFF, &[0x50], "AAAAAA9669000461FF50CA");
    }

    #[test]
    fn replies_are_the_published_bytes() {
        check_reply("AAAAAA9669000800009F0000000097", 0x9F, 4);
        check_reply("AAAAAA96690004000080 84", 0x80, 0);
        check_reply("AAAAAA9669000C00009000000000000000009C", 0x90, 8);
        check_reply("AAAAAA96690004000081 85", 0x81, 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_reads_back_behind_junk_and_cut_anywhere(
            status: u8,
            data in proptest::collection::vec(any::<u8>(), 0..400),
            junk in proptest::collection::vec(0u8..0xAA, 0..8),
            cut: prop::sample::Index,
        ) {
            let mut bytes = junk.clone();
            bytes.extend(reply_frame(status, &data));
            let cut = cut.index(bytes.len());
            let mut parser = Parser::default();
            parser.push(&bytes[..cut]);
            prop_assert!(parser.next_reply().is_none());
            parser.push(&bytes[cut..]);
            let reply = parser.next_reply().unwrap();
            prop_assert_eq!((reply.status, reply.data), (status, data));
            prop_assert_eq!(parser.take_saw_junk(), !junk.is_empty());
            prop_assert!(parser.next_reply().is_none());
        }

        #[test]
        fn random_bytes_never_panic_and_memory_stays_bounded(
            bursts in proptest::collection::vec(
                proptest::collection::vec(prop_oneof![Just(0xAA), Just(0x96), Just(0x69), any::<u8>()], 0..900), 0..12),
        ) {
            let mut parser = Parser::default();
            for burst in bursts {
                parser.push(&burst);
                while parser.next_reply().is_some() {}
                prop_assert!(parser.bytes.len() <= 2 * FRAME_SIZE_MAX);
            }
            while parser.rescue().is_some() {}
            prop_assert!(parser.bytes.is_empty());
        }
    }

    #[test]
    fn a_false_header_hides_the_reply_only_until_the_line_is_quiet() {
        let mut parser = Parser::default();
        parser.push(&[0xAA, 0xAA, 0x96, 0x69, 0x0F, 0x00, 1, 2]);
        parser.push(&reply_frame(0x90, &[7]));
        assert!(parser.next_reply().is_none());
        assert_eq!(parser.rescue().unwrap().data, [7]);
        assert!(parser.take_saw_junk());
    }

    fn reply_frame(status: u8, data: &[u8]) -> Vec<u8> {
        let mut body = vec![0, 0, status];
        body.extend(data);
        let mut frame = PREAMBLE.to_vec();
        frame.extend((body.len() as u16 + 1).to_be_bytes());
        frame.extend(body);
        frame.push(frame[5..].iter().fold(0, |a, b| a ^ b));
        frame
    }

    fn check_request(command: u8, parameter: u8, data: &[u8], expected: &str) {
        assert_eq!(request(command, parameter, data), unhex(expected));
    }

    fn check_reply(frame: &str, status: u8, data_size: usize) {
        let mut parser = Parser::default();
        parser.push(&unhex(frame));
        let reply = parser.next_reply().unwrap();
        assert_eq!((reply.status, reply.data.len()), (status, data_size));
        assert!(!parser.take_saw_junk());
    }

    fn unhex(text: &str) -> Vec<u8> {
        let text: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
        let byte = |two: &[char]| u8::from_str_radix(&String::from_iter(two), 16).unwrap();
        text.chunks(2).map(byte).collect()
    }
}
