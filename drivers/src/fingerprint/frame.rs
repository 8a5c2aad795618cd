//! Packets of the EF 01 family of fingerprint modules:
//! `EF 01 | address u32 | kind u8 | len u16 | payload | sum u16`, all big-endian. No I/O.

/// The kind of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 01: from us to the module.
    Command,
    /// 02: data, more follows.
    Data,
    /// 07: the answer to a command.
    Ack,
    /// 08: data, the last.
    EndOfData,
}

/// One packet whose checksum is right.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// What it is.
    pub kind: Kind,
    /// Its content; an ack begins with the confirmation code.
    pub payload: Vec<u8>,
}

/// The bytes of a packet to the module at `address`.
pub fn encode(address: u32, kind: Kind, payload: &[u8]) -> Vec<u8> {
    let n = u16::try_from(payload.len() + 2).expect("a payload is at most 256 bytes");
    let mut bytes = START.to_vec();
    bytes.extend(address.to_be_bytes());
    bytes.push(kind.code());
    bytes.extend(n.to_be_bytes());
    bytes.extend(payload);
    let sum = sum(&bytes[SUM_FROM..]);
    bytes.extend(sum.to_be_bytes());
    bytes
}

/// Takes bytes as they come and finds the packets of one module among them.
pub struct Parser {
    address: u32,
    bytes: Vec<u8>,
    saw_junk: bool,
}

impl Parser {
    /// A parser for packets from the module at `address`.
    pub fn new(address: u32) -> Self {
        Self { address, bytes: Vec::new(), saw_junk: false }
    }

    /// Adds bytes from the line.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole packet; `None` asks for more bytes.
    pub fn next_packet(&mut self) -> Option<Packet> {
        loop {
            self.seek_start()?;
            if self.bytes.len() < HEADER_SIZE {
                return None;
            }
            let Some((kind, n)) = self.header() else {
                self.drop_junk(1);
                continue;
            };
            let end = HEADER_SIZE + n;
            if self.bytes.len() < end {
                return None;
            }
            let stated = u16::from_be_bytes([self.bytes[end - 2], self.bytes[end - 1]]);
            if sum(&self.bytes[SUM_FROM..end - 2]) != stated {
                self.drop_junk(1);
                continue;
            }
            let packet: Vec<u8> = self.bytes.drain(..end).collect();
            let payload = packet[HEADER_SIZE..end - 2].to_vec();
            return Some(Packet { kind, payload });
        }
    }

    /// Whether bytes were dropped that belong to no packet; asking forgets it.
    pub fn take_saw_junk(&mut self) -> bool {
        std::mem::take(&mut self.saw_junk)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.saw_junk = false;
    }

    /// Kind and length (payload and sum) of the header at the front, if it can be one.
    fn header(&self) -> Option<(Kind, usize)> {
        if self.bytes[2..6] != self.address.to_be_bytes() {
            return None;
        }
        let kind = Kind::of(self.bytes[6])?;
        let n = usize::from(u16::from_be_bytes([self.bytes[7], self.bytes[8]]));
        (LENGTH_MIN..=LENGTH_MAX).contains(&n).then_some((kind, n))
    }

    fn seek_start(&mut self) -> Option<()> {
        let found = self.bytes.windows(START.len()).position(|w| w == START);
        let keep_from = found.unwrap_or_else(|| {
            let ends_in_start = self.bytes.last() == Some(&START[0]);
            self.bytes.len() - usize::from(ends_in_start)
        });
        self.drop_junk(keep_from);
        found.map(|_| ())
    }

    fn drop_junk(&mut self, n: usize) {
        self.saw_junk |= n > 0;
        self.bytes.drain(..n);
    }
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Command => 0x01,
            Self::Data => 0x02,
            Self::Ack => 0x07,
            Self::EndOfData => 0x08,
        }
    }

    fn of(code: u8) -> Option<Self> {
        match code {
            0x01 => Some(Self::Command),
            0x02 => Some(Self::Data),
            0x07 => Some(Self::Ack),
            0x08 => Some(Self::EndOfData),
            _ => None,
        }
    }
}

fn sum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, b| sum.wrapping_add(u16::from(*b)))
}

const START: [u8; 2] = [0xEF, 0x01];
/// The sum begins with the kind.
const SUM_FROM: usize = 6;
const HEADER_SIZE: usize = 9;
/// An empty data packet has only its sum.
const LENGTH_MIN: usize = 2;
const LENGTH_MAX: usize = 256 + 2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANY: u32 = 0xFFFF_FFFF;

    #[test]
    fn packets_are_the_published_bytes() {
        let verify = encode(ANY, Kind::Command, &[0x13, 0, 0, 0, 0]);
        assert_eq!(verify, *b"\xEF\x01\xFF\xFF\xFF\xFF\x01\x00\x07\x13\0\0\0\0\0\x1B");
        let image = encode(ANY, Kind::Command, &[0x01]);
        assert_eq!(image, *b"\xEF\x01\xFF\xFF\xFF\xFF\x01\x00\x03\x01\x00\x05");
        let ack = encode(ANY, Kind::Ack, &[0]);
        assert_eq!(ack, *b"\xEF\x01\xFF\xFF\xFF\xFF\x07\x00\x03\x00\x00\x0A");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_behind_junk_and_cut_anywhere(
            payload in proptest::collection::vec(any::<u8>(), 0..=256),
            junk in proptest::collection::vec(0u8..0xEF, 0..20),
            cut: prop::sample::Index,
        ) {
            let bytes = [junk.clone(), encode(ANY, Kind::Data, &payload)].concat();
            let cut = cut.index(bytes.len());
            let mut parser = Parser::new(ANY);
            parser.push(&bytes[..cut]);
            prop_assert!(parser.next_packet().is_none());
            parser.push(&bytes[cut..]);
            let packet = parser.next_packet().unwrap();
            prop_assert_eq!((packet.kind, packet.payload), (Kind::Data, payload));
            prop_assert_eq!(parser.take_saw_junk(), !junk.is_empty());
        }

        #[test]
        fn a_changed_bit_never_passes(
            payload in proptest::collection::vec(any::<u8>(), 1..=256),
            bit: prop::sample::Index,
        ) {
            let mut bytes = encode(ANY, Kind::Ack, &payload);
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut parser = Parser::new(ANY);
            parser.push(&bytes);
            let packet = parser.next_packet();
            prop_assert!(packet.is_none_or(|p| p.payload.len() != payload.len()));
        }

        #[test]
        fn random_bytes_never_panic(
            bytes in proptest::collection::vec(prop_oneof![Just(0xEF), Just(0x01), Just(0xFF), Just(0x00), any::<u8>()], 0..3000),
        ) {
            let mut parser = Parser::new(ANY);
            for burst in bytes.chunks(37) {
                parser.push(burst);
                while parser.next_packet().is_some() {}
                prop_assert!(parser.bytes.len() <= HEADER_SIZE + LENGTH_MAX + 37);
            }
        }
    }
}
