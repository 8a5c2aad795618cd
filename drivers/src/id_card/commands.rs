//! The requests of the card reader, which replies fit each, and what the status
//! words mean. No I/O.

use std::time::Duration;

use super::frame::{self, Reply};

/// One request to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Restarts the security module and switches the field off for a moment.
    Reset,
    /// Asks whether the security module works.
    Status,
    /// Asks for the 16 bytes that name the security module.
    SamId,
    /// Looks for a card in the field.
    Find,
    /// Selects the card that was found.
    Select,
    /// Reads text and photo.
    ReadBase,
    /// Reads text, photo and the fingerprint block.
    ReadBaseWithFingerprint,
    /// Reads the address that was written later.
    ReadAdditionalAddress,
}

impl Command {
    /// The bytes of the request.
    pub fn frame(self) -> Vec<u8> {
        let (command, parameter) = match self {
            Self::Reset => (0x10, 0xFF),
            Self::Status => (0x11, 0xFF),
            Self::SamId => (0x12, 0xFF),
            Self::Find => (0x20, 0x01),
            Self::Select => (0x20, 0x02),
            Self::ReadBase => (0x30, 0x01),
            Self::ReadBaseWithFingerprint => (0x30, 0x10),
            Self::ReadAdditionalAddress => (0x30, 0x03),
        };
        frame::request(command, parameter, &[])
    }

    /// Longest time until the whole reply is there, without the time on the wire.
    pub fn patience(self) -> Duration {
        Duration::from_millis(match self {
            Self::Status | Self::SamId | Self::Find | Self::Select => 300,
            Self::Reset => 1000,
            Self::ReadAdditionalAddress => 1500,
            Self::ReadBase => 2000,
            Self::ReadBaseWithFingerprint => 3000,
        })
    }

    /// Longest good reply in bytes, for the time it takes on a slow line.
    pub fn reply_size_max(self) -> usize {
        match self {
            Self::ReadBase => 1295,
            Self::ReadBaseWithFingerprint => 2321,
            Self::ReadAdditionalAddress => 81,
            _ => 32,
        }
    }

    /// Whether `reply` can be the reply to this request. The checksum is one byte and a
    /// reply names no request, so a late reply to another request is told by its length.
    pub fn accepts(self, reply: &Reply) -> bool {
        match (self, reply.status) {
            (Self::Find, FOUND) => reply.data.len() == 4,
            (_, FOUND) => false,
            (Self::Find, OK) => false,
            (Self::SamId, OK) => reply.data.len() == 16,
            (Self::Select, OK) => reply.data.len() == 8,
            (Self::ReadBase, OK) => Blocks::split(&reply.data, false).is_some(),
            (Self::ReadBaseWithFingerprint, OK) => Blocks::split(&reply.data, true).is_some(),
            (Self::ReadAdditionalAddress, OK) => reply.data.len() == ADDITIONAL_ADDRESS_SIZE,
            (Self::Reset | Self::Status, OK) => reply.data.is_empty(),
            _ => reply.data.is_empty(),
        }
    }
}

/// The parts of a read reply.
pub struct Blocks<'a> {
    /// 256 bytes of text.
    pub text: &'a [u8; 256],
    /// 1024 bytes of photo.
    pub photo: &'a [u8],
    /// 0, 512 or 1024 bytes of fingerprint data.
    pub fingerprint: &'a [u8],
}

impl<'a> Blocks<'a> {
    /// Splits the data of a read reply by the lengths it states; `None` if they do not fit.
    pub fn split(data: &'a [u8], with_fingerprint: bool) -> Option<Self> {
        let n_sizes = if with_fingerprint { 3 } else { 2 };
        let (sizes, rest) = data.split_at_checked(2 * n_sizes)?;
        let size = |i: usize| usize::from(u16::from_be_bytes([sizes[2 * i], sizes[2 * i + 1]]));
        let fingerprint_size = if with_fingerprint { size(2) } else { 0 };
        if size(0) != 256 || size(1) != PHOTO_SIZE || ![0, 512, 1024].contains(&fingerprint_size) {
            return None;
        }
        let (text, rest) = rest.split_first_chunk::<256>()?;
        let (photo, fingerprint) = rest.split_at_checked(PHOTO_SIZE)?;
        (fingerprint.len() == fingerprint_size).then_some(Self { text, photo, fingerprint })
    }
}

/// What a status word asks of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Done.
    Ok,
    /// A card was found.
    Found,
    /// The item is not on this card.
    NotOnCard,
    /// No card, or the card that was read is still there.
    NoCard,
    /// The card moved; the same again may work.
    Moved,
    /// The card cannot be verified; its chip is to be refused.
    Unverifiable(CardFault),
    /// The security module is dead.
    SamDead,
    /// The security module has no licence to work.
    SamUnauthorised,
    /// The reader did not understand us: bytes were damaged on the way.
    Damaged,
    /// The reader refuses, for a reason of its own.
    Refused,
}

impl Meaning {
    /// The meaning of SW3.
    pub fn of(status: u8) -> Self {
        match status {
            OK => Self::Ok,
            FOUND => Self::Found,
            0x91 => Self::NotOnCard,
            0x80 => Self::NoCard,
            0x81 | 0x41 | 0x47 => Self::Moved,
            0x31 => Self::Unverifiable(CardFault::CardRefusesReader),
            0x32 => Self::Unverifiable(CardFault::NotGenuine),
            0x33 => Self::Unverifiable(CardFault::Integrity),
            0x37 => Self::Unverifiable(CardFault::FingerprintIntegrity),
            0x40 => Self::Unverifiable(CardFault::UnknownType),
            0x60 => Self::SamDead,
            0x66 => Self::SamUnauthorised,
            0x10 | 0x11 | 0x21 | 0x3F => Self::Damaged,
            _ => Self::Refused,
        }
    }
}

/// Why the security module would not vouch for a card. This is an answer about the
/// chip; what follows for the person is decided elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardFault {
    /// 31: the card did not accept the security module.
    CardRefusesReader,
    /// 32: the security module did not accept the card: forged, or of another kind.
    NotGenuine,
    /// 33: the data on the card fails its verification.
    Integrity,
    /// 37: the fingerprint data on the card fails its verification.
    FingerprintIntegrity,
    /// 40: a card type this reader does not know.
    UnknownType,
    /// The card reads, but its text block breaks the layout of its type.
    TextUnreadable,
}

impl CardFault {
    /// A stable name for messages and records.
    pub fn code(self) -> &'static str {
        match self {
            Self::CardRefusesReader => "id-card-refuses-reader",
            Self::NotGenuine => "id-card-not-genuine",
            Self::Integrity => "id-card-integrity",
            Self::FingerprintIntegrity => "id-card-fingerprint-integrity",
            Self::UnknownType => "id-card-unknown-type",
            Self::TextUnreadable => "id-card-text-unreadable",
        }
    }
}

/// Bytes of the photo block.
pub const PHOTO_SIZE: usize = 1024;
/// Bytes of the additional address: 35 UTF-16 units.
pub const ADDITIONAL_ADDRESS_SIZE: usize = 70;
const OK: u8 = 0x90;
const FOUND: u8 = 0x9F;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id_card::frame::Parser;
    use proptest::prelude::*;

    const ALL: [Command; 8] = [
        Command::Reset,
        Command::Status,
        Command::SamId,
        Command::Find,
        Command::Select,
        Command::ReadBase,
        Command::ReadBaseWithFingerprint,
        Command::ReadAdditionalAddress,
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Lengths included: the one-byte checksum alone would let a wrong length pass.
        #[test]
        fn a_changed_bit_never_passes_as_another_reply(which in 0usize..8, seed: u64, bit: prop::sample::Index) {
            let command = ALL[which];
            let good = good_reply(command, seed);
            let mut bytes = to_frame(&good);
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut parser = Parser::default();
            parser.push(&bytes);
            let mut accepted = Vec::new();
            while let Some(reply) = parser.next_reply().or_else(|| parser.rescue()) {
                if command.accepts(&reply) {
                    accepted.push(reply);
                }
            }
            for reply in accepted {
                prop_assert!(reply == good, "a reply with a changed bit was accepted");
            }
        }
    }

    #[test]
    fn every_command_takes_its_own_good_reply_and_no_other_data() {
        for command in ALL {
            for other in ALL {
                let reply = good_reply(other, 1);
                let same_shape = reply.data.len() == good_reply(command, 1).data.len()
                    && (command == Command::Find) == (other == Command::Find);
                assert_eq!(command.accepts(&reply), same_shape, "{command:?} {other:?}");
            }
        }
    }

    fn good_reply(command: Command, seed: u64) -> Reply {
        let noise = |n: usize| -> Vec<u8> {
            let byte = |i| (seed.wrapping_mul(i as u64 * 2 + 7) >> 32) as u8;
            (0..n).map(byte).collect()
        };
        let data = match command {
            Command::Reset | Command::Status => vec![],
            Command::SamId => noise(16),
            Command::Find => noise(4),
            Command::Select => noise(8),
            Command::ReadAdditionalAddress => noise(70),
            Command::ReadBase => [vec![1, 0, 4, 0], noise(1280)].concat(),
            Command::ReadBaseWithFingerprint => [vec![1, 0, 4, 0, 4, 0], noise(2304)].concat(),
        };
        let status = if command == Command::Find { FOUND } else { OK };
        Reply { status, data }
    }

    fn to_frame(reply: &Reply) -> Vec<u8> {
        let mut body = ((reply.data.len() + 4) as u16).to_be_bytes().to_vec();
        body.extend([0, 0, reply.status]);
        body.extend(&reply.data);
        body.push(body.iter().fold(0, |a, b| a ^ b));
        [vec![0xAA, 0xAA, 0xAA, 0x96, 0x69], body].concat()
    }
}
