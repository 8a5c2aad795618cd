//! Policy packs: any text is a pack or a list of faults with their lines, and any pack can be explained.
#![no_main]

use kiosk_core::policy::{self, Pack};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let report = policy::check(text);
    let parsed = Pack::parse(text);
    assert_eq!(report.ok, parsed.is_ok(), "check and parse differ");
    if let Err(faults) = parsed {
        assert!(!faults.is_empty(), "refused without a reason");
    }
});
