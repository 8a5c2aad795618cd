//! Lower-case hexadecimal text of bytes and back; anything else is not hexadecimal here.

/// The lower-case text of `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// The bytes of a lower-case text, or nothing if it is not one.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect()
}

/// The `N` bytes of a lower-case text.
#[must_use]
pub fn decode_exact<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lower_case_pairs_are_hexadecimal() {
        assert_eq!(decode("00ff1a"), Some(vec![0, 255, 26]));
        assert_eq!(encode(&[0, 255, 26]), "00ff1a");
        for text in ["0", "0G", "FF", "常", "+1"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode_exact::<2>("00ff1a"), None);
    }
}
