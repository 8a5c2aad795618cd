//! Instructions of the EF 01 modules and what their confirmation codes mean. No I/O.

/// An instruction with its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// 13: the handshake; the password is 0 from the factory.
    VerifyPassword(u32),
    /// 0F: state, library size, address, packet size and speed.
    ReadParameters,
    /// 0E 04: line speed as a multiple of 9600 baud.
    SetBaud(u8),
    /// 0E 06: packet size by its code, 0..=3 for 32, 64, 128, 256 bytes.
    SetPacketSize(u8),
    /// 01: takes an image if a finger is there.
    TakeImage,
    /// 02: lets the module look for minutiae, for its opinion on the image.
    Characterise,
    /// 0A: sends the image.
    UploadImage,
    /// 35: the light ring: control, speed, colour, count.
    Ring([u8; 4]),
    /// 50 or 51: a plain lamp on or off.
    Lamp(bool),
}

impl Command {
    /// The payload of the command packet.
    pub fn payload(self) -> Vec<u8> {
        match self {
            Self::VerifyPassword(password) => [&[0x13][..], &password.to_be_bytes()].concat(),
            Self::ReadParameters => vec![0x0F],
            Self::SetBaud(n) => vec![0x0E, 4, n],
            Self::SetPacketSize(code) => vec![0x0E, 6, code],
            Self::TakeImage => vec![0x01],
            Self::Characterise => vec![0x02, 1],
            Self::UploadImage => vec![0x0A],
            Self::Ring([control, speed, colour, count]) => {
                vec![0x35, control, speed, colour, count]
            }
            Self::Lamp(true) => vec![0x50],
            Self::Lamp(false) => vec![0x51],
        }
    }

    /// Whether an ack with this payload can be the answer to this command.
    pub fn accepts(self, payload: &[u8]) -> bool {
        match (self, payload.first()) {
            (_, None) => false,
            (Self::ReadParameters, Some(0)) => payload.len() == 1 + PARAMETERS_SIZE,
            _ => payload.len() == 1,
        }
    }
}

/// What a confirmation code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// 00
    Ok,
    /// 02
    NoFinger,
    /// 04
    TooDry,
    /// 05
    TooWet,
    /// 06
    Smeared,
    /// 07
    TooFewPoints,
    /// 01 and 0E: the packet did not arrive whole.
    Damaged,
    /// 13 and 21
    PasswordNeeded,
    /// Anything else.
    Other(u8),
}

impl Confirmation {
    /// The meaning of the first byte of an ack.
    pub fn of(code: u8) -> Self {
        match code {
            0x00 => Self::Ok,
            0x02 => Self::NoFinger,
            0x04 => Self::TooDry,
            0x05 => Self::TooWet,
            0x06 => Self::Smeared,
            0x07 => Self::TooFewPoints,
            0x01 | 0x0E => Self::Damaged,
            0x13 | 0x21 => Self::PasswordNeeded,
            other => Self::Other(other),
        }
    }
}

/// The answer to [`Command::ReadParameters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Identifies the kind of module, poorly.
    pub system_id: u16,
    /// How many templates the module can hold; we store none there.
    pub library_size: u16,
    /// Address of the module.
    pub address: u32,
    /// Payload of a data packet in bytes.
    pub packet_size: usize,
    /// Line speed in baud.
    pub baud_hz: u32,
}

impl Parameters {
    /// Reads the 16 bytes behind the confirmation code.
    pub fn parse(bytes: &[u8; PARAMETERS_SIZE]) -> Option<Self> {
        let half = |i: usize| u16::from_be_bytes([bytes[i], bytes[i + 1]]);
        let packet_code = half(12);
        let baud_n = half(14);
        if packet_code > 3 || !(1..=24).contains(&baud_n) {
            return None;
        }
        Some(Self {
            system_id: half(2),
            library_size: half(4),
            address: u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            packet_size: 32 << packet_code,
            baud_hz: u32::from(baud_n) * BAUD_STEP_HZ,
        })
    }
}

/// Line speeds are multiples of this.
pub const BAUD_STEP_HZ: u32 = 9600;
/// Bytes of the parameter block.
pub const PARAMETERS_SIZE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_read_as_the_manual_lays_them_out() {
        let bytes = [0, 4, 0, 9, 3, 0xE8, 0, 3, 255, 255, 255, 255, 0, 2, 0, 6];
        let read = Parameters::parse(&bytes).unwrap();
        assert_eq!((read.system_id, read.library_size), (9, 1000));
        assert_eq!((read.packet_size, read.baud_hz), (128, 57_600));
        assert_eq!(read.address, 0xFFFF_FFFF);
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        assert_eq!(Parameters::parse(&[0xFF; 16]), None);
    }
}
