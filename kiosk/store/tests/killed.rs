//! The store killed in the middle. A program of its own: a child that another test is just starting holds, for a moment,
//! the lock of every store that is open in its parent.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[path = "all/kill.rs"]
mod kill;
#[path = "all/made.rs"]
mod made;
#[path = "all/roster_kill.rs"]
mod roster_kill;

/// One of these tests at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
