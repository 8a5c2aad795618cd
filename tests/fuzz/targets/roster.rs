//! A beneficiary as the authority lists them: any bytes are one or an error; numbers, names and templates inside are
//! read as the terminal reads them.
#![no_main]

use kiosk_core::folding;
use kiosk_core::identity::IdNumber;
use kiosk_core::roster::Beneficiary;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        number(text);
        names(text);
    }
    let Ok(known) = serde_json::from_slice::<Beneficiary>(bytes) else { return };
    assert_eq!(format!("{known:?}"), "Beneficiary(…)");
    number(&known.number);
    names(&known.name);
    let written = serde_json::to_vec(&known).expect("what was read can be written");
    let again: Beneficiary = serde_json::from_slice(&written).expect("and read again");
    assert!(again == known);
});

fn number(text: &str) {
    if let Ok(number) = IdNumber::parse(text) {
        assert!(matches!(number.as_str().len(), 15 | 18));
        assert!(IdNumber::parse(number.as_str()).as_ref() == Ok(&number));
        (number.birth(), number.sex(), number.masked());
    }
}

fn names(text: &str) {
    let (one, other) = text.split_once('|').unwrap_or((text, "买买提·艾力"));
    let folded = folding::fold(one);
    assert_eq!(folding::fold(&folded), folded, "folding twice changes something");
    let found = folding::differences(one, other);
    assert!(found.len() <= one.chars().count() + other.chars().count());
}
