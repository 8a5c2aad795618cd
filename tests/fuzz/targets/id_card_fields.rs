//! The text block in its four layouts, and the address written later: no block panics, and what is decoded is sane.
#![no_main]

use drivers::id_card::fields::{self, ValidTo};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((layout, rest)) = bytes.split_first() else { return };
    let mut block = [0; 256];
    let n = rest.len().min(256);
    block[..n].copy_from_slice(&rest[..n]);
    // The letter that tells the layout is the only thing that has to be hit.
    let letter = [b' ', b'J', b'I', b'Y', 0].get(usize::from(layout % 6));
    if let Some(letter) = letter {
        block[248..250].copy_from_slice(&[*letter, 0]);
    }
    if let Ok(card) = fields::decode(&block) {
        assert!(!card.name.is_empty() || card.english_name.is_some());
        assert!(!card.number.is_empty() && card.number.chars().count() <= 18);
        for (_, month, day) in [card.birth, card.valid_from] {
            assert!((1..=12).contains(&month) && (1..=31).contains(&day), "a date that is none");
        }
        if let ValidTo::Date((_, month, day)) = card.valid_to {
            assert!((1..=12).contains(&month) && (1..=31).contains(&day), "a date that is none");
        }
        assert!(card.ethnic_code.is_none_or(|code| code < 100));
        assert_eq!(format!("{card:?}"), format!("CardText({:?}, …)", card.kind));
    }
    if let Some(address) = rest.first_chunk::<70>() {
        assert!(fields::decode_address(address).chars().count() <= 35);
    }
});
