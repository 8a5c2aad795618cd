//! Exit codes of `engine-cage`, which takes this file in: no shell and no signal gives them.

/// The process could not be confined.
pub const EXIT_UNCONFINED: u8 = 82;
/// The engine cannot be executed.
pub const EXIT_NOT_STARTED: u8 = 81;
