//! What a USB device says of itself, as bytes (USB 2.0, chapter 9.6): which interface has
//! bulk pipes. No I/O.

/// The bulk pipes of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipes {
    /// Number of the interface.
    pub interface: u8,
    /// One pair, or two where heads of frames travel apart from the rest.
    pub pairs: Vec<Pair>,
}

/// A pipe to the device and one from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Address of the endpoint that takes bytes.
    pub to: u8,
    /// Address of the endpoint that brings bytes.
    pub from: u8,
    /// Longest packet of `from` in bytes.
    pub packet_size: usize,
}

#[derive(Clone, Default)]
struct Interface {
    number: u8,
    class: u8,
    to: Vec<u8>,
    from: Vec<(u8, usize)>,
}

impl Pipes {
    /// From the descriptors of a device and of its first configuration, as the kernel gives
    /// them; none without a pair of bulk pipes. An interface of the vendor's own class is
    /// preferred, and a disk is never taken.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let interfaces = interfaces(bytes);
        let fits = |i: &&Interface| i.class != DISK && !i.to.is_empty() && !i.from.is_empty();
        let mut fitting: Vec<&Interface> = interfaces.iter().filter(fits).collect();
        fitting.sort_by_key(|interface| interface.class != VENDOR);
        let best = fitting.first()?;
        let n = if best.to.len() >= 2 && best.from.len() >= 2 { 2 } else { 1 };
        let pairs = best.to.iter().zip(&best.from).take(n);
        let pair = |(to, (from, packet_size)): (&u8, &(u8, usize))| Pair {
            to: *to,
            from: *from,
            packet_size: *packet_size,
        };
        Some(Self { interface: best.number, pairs: pairs.map(pair).collect() })
    }
}

/// The interfaces of the first configuration as they are without being changed, with their
/// bulk pipes.
fn interfaces(bytes: &[u8]) -> Vec<Interface> {
    let mut found: Vec<Interface> = Vec::new();
    let (mut rest, mut n_configurations, mut is_first_setting) = (bytes, 0, false);
    while let Some((size, _)) = rest.split_first() {
        let size = usize::from(*size);
        let Some((one, after)) = rest.split_at_checked(size).filter(|_| size >= 2) else { break };
        rest = after;
        match (one[1], one) {
            (CONFIGURATION, _) => n_configurations += 1,
            (INTERFACE, [_, _, number, setting, _, class, ..]) => {
                is_first_setting = *setting == 0;
                if is_first_setting {
                    found.push(Interface { number: *number, class: *class, ..Default::default() });
                }
            }
            (ENDPOINT, [_, _, address, kind, low, high, ..]) if is_first_setting => {
                let size = usize::from(u16::from_le_bytes([*low, *high]) & SIZE_BITS);
                if let Some(interface) = found.last_mut().filter(|_| kind & 3 == BULK && size > 0) {
                    match address & FROM_DEVICE {
                        0 => interface.to.push(*address),
                        _ => interface.from.push((*address, size)),
                    }
                }
            }
            _ => {}
        }
        if n_configurations > 1 {
            break;
        }
    }
    for interface in &mut found {
        interface.to.sort_unstable();
        interface.from.sort_unstable();
    }
    found
}

const CONFIGURATION: u8 = 2;
const INTERFACE: u8 = 4;
const ENDPOINT: u8 = 5;
const BULK: u8 = 2;
const FROM_DEVICE: u8 = 0x80;
/// The upper bits say how often a packet may come, for other kinds of pipes.
const SIZE_BITS: u16 = 0x07FF;
const DISK: u8 = 0x08;
const VENDOR: u8 = 0xFF;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_pipes_of_the_published_kinds_of_readers_are_found() {
        let desktop = [device(), interface(0, 0, 0xFF), bulk(0x81, 64), bulk(0x02, 64)].concat();
        check(&desktop, 0, &[(0x02, 0x81, 64)]);
        let bare = [
            device(),
            interface(0, 0, 0xFF),
            bulk(0x81, 64),
            bulk(0x02, 64),
            bulk(0x85, 64),
            bulk(0x06, 64),
        ];
        check(&bare.concat(), 0, &[(0x02, 0x81, 64), (0x06, 0x85, 64)]);
    }

    #[test]
    fn a_disk_and_other_settings_are_left_alone_and_the_vendors_own_interface_is_preferred() {
        let many = [
            device(),
            interface(0, 0, 0x08),
            bulk(0x81, 512),
            bulk(0x01, 512),
            interface(1, 0, 0x0A),
            bulk(0x82, 512),
            bulk(0x02, 512),
            interface(2, 0, 0xFF),
            interrupt(0x83),
            bulk(0x84, 512),
            bulk(0x04, 512),
            interface(2, 1, 0xFF),
            bulk(0x87, 512),
            bulk(0x07, 512),
        ];
        check(&many.concat(), 2, &[(0x04, 0x84, 512)]);
        let disk = [device(), interface(0, 0, 0x08), bulk(0x81, 512), bulk(0x01, 512)].concat();
        assert_eq!(Pipes::of(&disk), None);
    }

    proptest! {
        #[test]
        fn any_bytes_have_pipes_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(pipes) = Pipes::of(&bytes) {
                prop_assert!(matches!(pipes.pairs.len(), 1 | 2));
            }
        }
    }

    fn check(bytes: &[u8], interface: u8, expected: &[(u8, u8, usize)]) {
        let pair = |(to, from, packet_size): &(u8, u8, usize)| Pair {
            to: *to,
            from: *from,
            packet_size: *packet_size,
        };
        let pairs = expected.iter().map(pair).collect();
        assert_eq!(Pipes::of(bytes), Some(Pipes { interface, pairs }));
    }

    fn device() -> Vec<u8> {
        let mut bytes = vec![0; 18 + 9];
        (bytes[0], bytes[1]) = (18, 1);
        (bytes[18], bytes[19]) = (9, 2);
        bytes
    }

    fn interface(number: u8, setting: u8, class: u8) -> Vec<u8> {
        vec![9, 4, number, setting, 2, class, 0, 0, 0]
    }

    fn bulk(address: u8, size: u16) -> Vec<u8> {
        [vec![7, 5, address, 2], size.to_le_bytes().to_vec(), vec![0]].concat()
    }

    fn interrupt(address: u8) -> Vec<u8> {
        vec![7, 5, address, 3, 8, 0, 10]
    }
}
