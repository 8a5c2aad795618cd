//! Whether a JPEG file reaches its own end mark. What is in it is for the decoder.

/// Walks over the segments and the coded data of each scan to the mark that ends the picture.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(0xff), Some(&END)) => return true,
            // Filling between segments, and marks that stand alone.
            (Some(0xff), Some(0xff)) => at += 1,
            (Some(0xff), Some(0x01 | 0xd0..=0xd8)) => at += 2,
            (Some(0xff), Some(&mark)) => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
                if mark == SCAN {
                    at = after_scan(bytes, at);
                }
            }
            // Bytes that belong to nothing; decoders step over them.
            (Some(_), Some(_)) => at += 1,
            _ => return false,
        }
    }
}

/// The first mark behind coded data, in which a zero follows each 255 that is no mark.
fn after_scan(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let is_mark = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7);
    rest.windows(2).position(is_mark).map_or(bytes.len(), |n| from + n)
}

const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
