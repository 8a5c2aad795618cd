//! A social-security card in software, for tests: it answers commands as the reference
//! says, in the several ways that real cards have, and it can stand behind the virtual
//! reader of vsmartcard (2 bytes of length, then a command or one control byte).

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// How the card answers a read for "all there is".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// At once.
    Direct,
    /// "Ask for exactly so many", as contact cards with T=0.
    Exactly,
    /// "There is more to fetch".
    More,
}

/// One card. Synthetic; the numbers belong to nobody.
#[derive(Debug, Clone)]
pub struct VirtualCard {
    pub issuer: Vec<(u8, Vec<u8>)>,
    pub holder: Vec<(u8, Vec<u8>)>,
    pub style: Style,
    /// Records are numbered from 1 and not by their tag.
    pub from_one: bool,
    /// Second parameter of a read that the card knows.
    pub read_way: u8,
    pub has_application: bool,
    /// The holder's file wants this PIN.
    pub pin: Option<[u8; 3]>,
    pub tries_left: u8,
    pub n_verified: u32,
    pub state: State,
}

/// Where the conversation is.
#[derive(Debug, Clone, Default)]
pub struct State {
    application: bool,
    file: u16,
    pin_shown: bool,
    ready: Vec<u8>,
}

impl VirtualCard {
    /// 王建国, Changsha, an old person as this product meets them.
    pub fn wang() -> Self {
        Self {
            issuer: vec![
                (0x01, [&[0x43, 0x01, 0x00][..], &[0x11; 13]].concat()),
                (0x02, b"3".to_vec()),
                (0x03, b"3.00".to_vec()),
                (0x04, vec![0x91; 12]),
                (0x05, vec![0x20, 0x19, 0x05, 0x06]),
                (0x06, vec![0x20, 0x29, 0x05, 0x06]),
                (0x07, b"A01234567".to_vec()),
            ],
            holder: vec![
                (0x08, b"430104194803120014".to_vec()),
                (0x09, padded(&[0xCD, 0xF5, 0xBD, 0xA8, 0xB9, 0xFA])),
                (0x0A, b"1".to_vec()),
                (0x0B, vec![0x01]),
                (0x0C, vec![0x43, 0x01, 0x04]),
                (0x0D, vec![0x19, 0x48, 0x03, 0x12]),
            ],
            style: Style::Direct,
            from_one: false,
            read_way: 0x04,
            has_application: true,
            pin: None,
            tries_left: 3,
            n_verified: 0,
            state: State::default(),
        }
    }

    /// 李秀英, another card of another place.
    pub fn li() -> Self {
        let mut card = Self::wang();
        card.issuer[0].1 = [&[0x11, 0x01, 0x05][..], &[0x22; 13]].concat();
        card.holder[0].1 = b"11010519491231002X".to_vec();
        card.holder[1].1 = padded(&[0xC0, 0xEE, 0xD0, 0xE3, 0xD3, 0xA2]);
        card.holder[2].1 = b"2".to_vec();
        card.from_one = true;
        card
    }

    pub fn reset(&mut self) {
        self.state = State::default();
    }

    /// As if this card had been where the other was, in the middle of a conversation.
    pub fn take_place_of(&mut self, other: &Self) {
        self.state = other.state.clone();
    }

    /// The answer to one command.
    pub fn answer(&mut self, command: &[u8]) -> Vec<u8> {
        match command {
            [0x00, 0xA4, 0x04, 0x00, 0x0F, name @ ..] => self.select_application(name),
            [0x00, 0xA4, 0x00 | 0x02, _, 0x02, high, low] => {
                self.select_file(u16::from_be_bytes([*high, *low]))
            }
            [0x00, 0xB2, number, way, expected] => self.read(*number, *way, *expected),
            [0x00, 0xC0, 0, 0, size] => {
                let ready = std::mem::take(&mut self.state.ready);
                match usize::from(*size) == ready.len() {
                    true => [&ready[..], &[0x90, 0x00]].concat(),
                    false => word(0x6C00 | ready.len() as u16),
                }
            }
            [0x00, 0x20, 0, 0, 0x03, pin @ ..] => self.verify(pin),
            _ => word(0x6D00),
        }
    }

    fn select_application(&mut self, name: &[u8]) -> Vec<u8> {
        self.reset();
        self.state.application =
            self.has_application && name == b"sx1.sh.\xC9\xE7\xBB\xE1\xB1\xA3\xD5\xCF";
        match self.state.application {
            true if self.style == Style::More => {
                self.state.ready = vec![0x6F, 0x02, 0x84, 0x00];
                word(0x6104)
            }
            true => word(0x9000),
            false => word(0x6A82),
        }
    }

    fn select_file(&mut self, file: u16) -> Vec<u8> {
        if !self.state.application || !matches!(file, 0xEF05 | 0xEF06) {
            return word(0x6A82);
        }
        self.state.file = file;
        word(0x9000)
    }

    fn read(&mut self, number: u8, way: u8, expected: u8) -> Vec<u8> {
        if way != self.read_way {
            return word(0x6A86);
        }
        let records = match self.state.file {
            0xEF05 => &self.issuer,
            0xEF06 if self.pin.is_some() && !self.state.pin_shown => return word(0x6982),
            0xEF06 => &self.holder,
            _ => return word(0x6986),
        };
        let first = match self.from_one {
            true => 1,
            false => records.first().map_or(1, |record| record.0),
        };
        let place = usize::from(number).checked_sub(usize::from(first));
        let Some((tag, value)) = place.and_then(|place| records.get(place)) else {
            return word(0x6A83);
        };
        let record = [&[*tag, value.len() as u8][..], value].concat();
        match self.style {
            Style::Exactly if usize::from(expected) != record.len() => {
                word(0x6C00 | record.len() as u16)
            }
            Style::More => {
                let size = record.len() as u16;
                self.state.ready = record;
                word(0x6100 | size)
            }
            _ => [&record[..], &[0x90, 0x00]].concat(),
        }
    }

    fn verify(&mut self, shown: &[u8]) -> Vec<u8> {
        self.n_verified += 1;
        match self.pin {
            _ if self.tries_left == 0 => word(0x6983),
            Some(pin) if pin == shown => {
                self.tries_left = 3;
                self.state.pin_shown = true;
                word(0x9000)
            }
            _ => {
                self.tries_left -= 1;
                word(0x63C0 | u16::from(self.tries_left))
            }
        }
    }
}

/// What the card in the reader does at a command, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// Drawn out at this command.
    TornAt(u32),
    /// Answers this command with one byte.
    CutAt(u32),
    /// Never answers this command.
    SilentAt(u32),
    /// Has no answer to reset: dirty, or upside down.
    Mute,
}

/// A card in the virtual reader; dropping it draws the card.
pub struct Inserted {
    stream: TcpStream,
    ended: Receiver<VirtualCard>,
    _wake: Sender<()>,
}

impl Inserted {
    /// Lays `card` into the first slot of the virtual reader.
    pub fn new(mut card: VirtualCard, trouble: Trouble) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", PORT))?;
        let mut wire = stream.try_clone()?;
        let (end, ended) = mpsc::channel();
        let (wake, sleep) = mpsc::channel::<()>();
        thread::spawn(move || {
            let mut n_commands = 0;
            while let Some(message) = receive(&mut wire) {
                let answer = match (&message[..], trouble) {
                    ([0..=2], _) => {
                        card.reset();
                        continue;
                    }
                    ([4], Trouble::Mute) => vec![0x00],
                    ([4], _) => ANSWER_TO_RESET.to_vec(),
                    (command, trouble) => {
                        n_commands += 1;
                        let at = n_commands - 1;
                        match trouble {
                            Trouble::TornAt(n) if n == at => break,
                            Trouble::CutAt(n) if n == at => vec![0x90],
                            Trouble::SilentAt(n) if n == at => {
                                let _ = sleep.recv();
                                break;
                            }
                            _ => card.answer(command),
                        }
                    }
                };
                let size = (answer.len() as u16).to_be_bytes();
                if wire.write_all(&[&size[..], &answer].concat()).is_err() {
                    break;
                }
            }
            let _ = wire.shutdown(Shutdown::Both);
            let _ = end.send(card);
        });
        Ok(Self { stream, ended, _wake: wake })
    }

    /// Draws the card and gives it back with what it remembers.
    pub fn draw(self) -> VirtualCard {
        let _ = self.stream.shutdown(Shutdown::Both);
        self.ended.recv().expect("the card's thread ends with its connection")
    }
}

impl Drop for Inserted {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn receive(wire: &mut TcpStream) -> Option<Vec<u8>> {
    let mut size = [0; 2];
    wire.read_exact(&mut size).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(size))];
    wire.read_exact(&mut message).ok()?;
    Some(message)
}

fn word(word: u16) -> Vec<u8> {
    word.to_be_bytes().to_vec()
}

fn padded(name: &[u8]) -> Vec<u8> {
    let mut name = name.to_vec();
    name.resize(30, 0);
    name
}

/// Port of the first slot of the virtual reader.
pub const PORT: u16 = 35963;
/// T=0 and T=1, no history.
const ANSWER_TO_RESET: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];
