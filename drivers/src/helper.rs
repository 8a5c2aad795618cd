//! A helper process that leads a group of its own: its end, with everything that it started, and what its exit says.

// The engines of `models` take this file in as well: the two floors share no crate.
use std::process::Child;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// Ends the helper and its children, unless it has ended already.
pub(crate) fn end(helper: &mut Child) {
    if let Ok(Some(_)) = helper.try_wait() {
        return;
    }
    let _ = kill_process_group(Pid::from_child(helper), Signal::KILL);
    let _ = helper.wait();
}

/// The exit code of a helper that has shut its pipe and so is ending; it gets a moment to say by it why.
pub(crate) fn exit_code(helper: &mut Child) -> Option<i32> {
    if let Ok(process) = pidfd_open(Pid::from_child(helper), PidfdFlags::empty()) {
        let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&EXIT_MAX));
    }
    let _ = helper.kill();
    helper.wait().ok().and_then(|status| status.code())
}

const EXIT_MAX: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
