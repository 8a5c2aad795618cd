//! Measurements: our own times beside named references.
fn main() {}
