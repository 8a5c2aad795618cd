//! What a simulated person's card holds, byte by byte, written independently of the
//! driver that reads it.

use people::{Person, Sex};

/// The blocks of one card.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    /// 256 bytes of text.
    pub text: [u8; 256],
    /// 1024 bytes of photo, in the stand-in codec.
    pub photo: [u8; 1024],
    /// One 512-byte block for each registered finger.
    pub fingerprint: Vec<u8>,
    /// 70 bytes, if an address was written later.
    pub additional_address: Option<[u8; 70]>,
}

impl Card {
    /// The card of a person.
    pub fn of(person: &Person) -> Self {
        Self {
            text: text(person),
            photo: person.card_photo_block(),
            fingerprint: fingerprint(person.index),
            additional_address: (person.index % 3 == 2).then(|| address(person)),
        }
    }
}

fn text(person: &Person) -> [u8; 256] {
    let sex = match person.sex {
        Sex::Male => "1",
        Sex::Female => "2",
    };
    let day = |(year, month, day): people::Date| format!("{year:04}{month:02}{day:02}");
    let valid_to = person.valid_to.map_or_else(|| "长期".to_owned(), day);
    let fields: [(&str, usize); 10] = [
        (&person.name, 15),
        (sex, 1),
        (person.ethnic_code, 2),
        (&day(person.birth), 8),
        (&person.address, 35),
        (&person.number, 18),
        (&person.issuer, 15),
        (&day(person.valid_from), 8),
        (&valid_to, 8),
        ("", 18),
    ];
    let mut units = Vec::with_capacity(128);
    for (text, width) in fields {
        let end = units.len() + width;
        units.extend(text.encode_utf16().take(width));
        units.resize(end, u16::from(b' '));
    }
    let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    bytes.try_into().expect("the widths add up to 128 units")
}

/// People of every third number have moved since their card was issued.
fn address(person: &Person) -> [u8; 70] {
    let mut units: Vec<u16> = person.address.encode_utf16().take(31).collect();
    units.extend("新村九组".encode_utf16());
    units.resize(35, u16::from(b' '));
    let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    bytes.try_into().expect("35 units are 70 bytes")
}

/// Headers as on real cards; the minutiae behind them are closed, so they are noise here.
/// People differ in whether two, one or no finger is registered.
fn fingerprint(index: u32) -> Vec<u8> {
    let fingers: &[u8] = match index % 4 {
        0 | 1 => &[11, 16],
        2 => &[12],
        _ => &[],
    };
    let mut blocks = Vec::new();
    for finger in fingers {
        let mut block = vec![0x5A; 512];
        block[0] = b'C';
        block[4] = 1;
        block[5] = *finger;
        block[6] = 60;
        blocks.extend(block);
    }
    blocks
}
