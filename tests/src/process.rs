//! Processes by their ids: whose children they are, whether they still run, and how to end them at once.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// A process that was seen running. Its start tells it from a later one that was given the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The number.
    pub id: u32,
    /// The name of its program, at most 15 bytes.
    pub name: String,
    /// When it started, in ticks since boot.
    started: u64,
}

impl Process {
    /// The running processes whose parent is `parent`.
    pub fn children(parent: u32) -> Vec<Self> {
        let all = fs::read_dir("/proc").expect("Linux has /proc");
        let ids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter_map(read).filter(|(_, of)| *of == parent).map(|(process, _)| process).collect()
    }

    /// Whether it has not ended. One that nobody has waited for yet has ended.
    pub fn runs(&self) -> bool {
        read(self.id).is_some_and(|(process, _)| process == *self)
    }

    /// Ends it at once, as the kernel does when memory runs out.
    pub fn kill(&self) {
        let done = Command::new("sh").args(["-c", "kill -9 \"$0\"", &self.id.to_string()]).status();
        assert!(done.expect("there is a shell").success(), "{self:?} cannot be ended");
    }
}

/// Waits until something holds; says in the panic what did not come.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let by = Instant::now() + WAIT_MAX;
    while !holds() {
        assert!(Instant::now() < by, "waited in vain: {what}");
        // Another program has to do it; nothing tells us when.
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// Reads `/proc/ID/stat`, whose second field is a name in parentheses that may hold anything.
fn read(id: u32) -> Option<(Process, u32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (head, tail) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    let fields: Vec<&str> = tail.split(' ').collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    let started = fields.get(19)?.parse().ok()?;
    Some((Process { id, name: name.into(), started }, fields.get(1)?.parse().ok()?))
}

const WAIT_MAX: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);
