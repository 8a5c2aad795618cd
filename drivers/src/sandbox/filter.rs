//! The walls as programs of the kernel's packet filter (seccomp). Pure: makes
//! instructions, installs nothing. Numbers are from the kernel's system-call tables.

/// How much is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    /// Files, devices and threads still work; network, other programs and other processes
    /// do not. For loading a library, and for one that drives a device itself.
    Outer,
    /// As the outer one, and this process may go on as another program, which stays behind
    /// the wall. For a vendor's program that only computes.
    Launch,
    /// Only memory, clocks, and files that are open already. For pure computing.
    Inner,
}

/// One instruction, as the kernel reads it (`struct sock_filter`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    value: u32,
}

/// A program, as the kernel reads it (`struct sock_fprog`).
#[repr(C)]
pub(super) struct Program {
    pub length: u16,
    pub instructions: *const Instruction,
}

/// The filter of `wall` for the process `own_id`, which may signal only itself.
pub fn program(wall: Wall, own_id: u32) -> Vec<Instruction> {
    let mut program = vec![
        load(OFFSET_ARCHITECTURE),
        jump(IF_EQUAL, ARCHITECTURE, 1, 0),
        answer(KILL),
        load(OFFSET_NUMBER),
    ];
    // On x86-64 the same calls have a second set of numbers.
    program.extend([jump(IF_AT_LEAST, SECOND_NUMBERS, 0, 1), answer(NOT_PERMITTED)]);
    for number in OWN_SIGNALS {
        program.extend(only_if(number, OFFSET_FIRST, own_id));
    }
    match wall {
        Wall::Outer => program.extend(outer(FORBIDDEN.iter().copied())),
        Wall::Launch => {
            program.extend(outer(FORBIDDEN.iter().copied().filter(|call| *call != EXECVE)));
        }
        Wall::Inner => program.extend(inner()),
    }
    program
}

fn outer(forbidden: impl Iterator<Item = u32>) -> Vec<Instruction> {
    let mut part = only_if(SOCKET, OFFSET_FIRST, FAMILY_NETLINK).to_vec();
    part.extend([
        jump(IF_EQUAL, CLONE, 0, 4),
        load(OFFSET_FIRST),
        jump(IF_ANY_BIT, CLONE_THREAD, 0, 1),
        answer(ALLOW),
        answer(NOT_PERMITTED),
    ]);
    // Its flags are in memory, where no filter can look; glibc then uses the older call.
    part.extend([jump(IF_EQUAL, CLONE3, 0, 1), answer(NOT_KNOWN)]);
    for number in forbidden {
        part.extend([jump(IF_EQUAL, number, 0, 1), answer(NOT_PERMITTED)]);
    }
    part.push(answer(ALLOW));
    part
}

fn inner() -> Vec<Instruction> {
    let mut part = Vec::new();
    for number in COMPUTING {
        part.extend([jump(IF_EQUAL, *number, 0, 1), answer(ALLOW)]);
    }
    part.push(answer(NOT_PERMITTED));
    part
}

/// Lets the call `number` through when its argument at `offset` is `wanted`.
fn only_if(number: u32, offset: u32, wanted: u32) -> [Instruction; 5] {
    [
        jump(IF_EQUAL, number, 0, 4),
        load(offset),
        jump(IF_EQUAL, wanted, 0, 1),
        answer(ALLOW),
        answer(NOT_PERMITTED),
    ]
}

fn load(offset: u32) -> Instruction {
    Instruction { code: LOAD_WORD, if_true: 0, if_false: 0, value: offset }
}

fn jump(code: u16, value: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction { code, if_true, if_false, value }
}

fn answer(value: u32) -> Instruction {
    Instruction { code: RETURN, if_true: 0, if_false: 0, value }
}

const LOAD_WORD: u16 = 0x20;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7FFF_0000;
const KILL: u32 = 0x8000_0000;
/// EPERM.
const NOT_PERMITTED: u32 = 0x0005_0001;
/// ENOSYS.
const NOT_KNOWN: u32 = 0x0005_0026;
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCHITECTURE: u32 = 4;
/// Low half of the first argument on a little-endian machine.
const OFFSET_FIRST: u32 = 16;
const CLONE_THREAD: u32 = 0x1_0000;
/// USB libraries learn of plugging by it.
const FAMILY_NETLINK: u32 = 16;
const SECOND_NUMBERS: u32 = 0x4000_0000;
const CLONE3: u32 = 435;

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::*;

#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::*;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::ffi::c_long;

    pub const ARCHITECTURE: u32 = 0xC000_003E;
    pub const SECCOMP: c_long = 317;
    pub const SOCKET: u32 = 41;
    pub const CLONE: u32 = 56;
    pub const EXECVE: u32 = 59;
    /// kill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo.
    pub const OWN_SIGNALS: [u32; 4] = [62, 234, 129, 297];
    /// socketpair; fork, vfork, execve, execveat; ptrace, process_vm_readv and writev, pidfd
    /// signals and files; tkill; mounts, roots and namespaces; modules, kexec, reboot, swap;
    /// clocks; keys; bpf, perf, userfaultfd, io_uring; open_by_handle_at; a new prctl-free
    /// personality; I/O ports.
    pub const FORBIDDEN: &[u32] = &[
        53, 57, 58, 59, 322, 101, 310, 311, 424, 438, 200, 165, 166, 155, 161, 272, 308, 428, 429,
        430, 432, 442, 175, 313, 176, 246, 320, 169, 167, 168, 164, 227, 159, 305, 248, 249, 250,
        321, 298, 323, 425, 426, 427, 304, 135, 172, 173, 105, 106, 113, 114, 117, 119,
    ];
    /// read, write, readv, writev, close, fstat, lseek; mmap, mprotect, munmap, mremap, brk,
    /// madvise; signal handling and return, alternate stack; clocks and short sleeps, time,
    /// futex, yield; own numbers; random; processor count; rseq, membarrier; exit.
    pub const COMPUTING: &[u32] = &[
        0, 1, 19, 20, 3, 5, 8, 9, 10, 11, 25, 12, 28, 13, 14, 15, 131, 228, 229, 230, 96, 201, 35,
        202, 24, 39, 186, 318, 204, 334, 324, 60, 231, 219,
    ];
}

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use std::ffi::c_long;

    pub const ARCHITECTURE: u32 = 0xC000_00B7;
    pub const SECCOMP: c_long = 277;
    pub const SOCKET: u32 = 198;
    pub const CLONE: u32 = 220;
    pub const EXECVE: u32 = 221;
    /// kill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo.
    pub const OWN_SIGNALS: [u32; 4] = [129, 131, 138, 240];
    /// As on x86-64; this machine has no fork and no I/O ports.
    pub const FORBIDDEN: &[u32] = &[
        199, 221, 281, 117, 270, 271, 424, 438, 130, 40, 39, 41, 51, 97, 268, 428, 429, 430, 432,
        442, 105, 273, 106, 104, 294, 142, 224, 225, 170, 112, 171, 266, 217, 218, 219, 280, 241,
        282, 425, 426, 427, 265, 92, 144, 146, 143, 145, 147, 149,
    ];
    /// As on x86-64.
    pub const COMPUTING: &[u32] = &[
        63, 64, 65, 66, 57, 80, 62, 222, 226, 215, 216, 214, 233, 134, 135, 139, 132, 113, 114,
        115, 169, 101, 98, 124, 172, 178, 278, 123, 293, 283, 93, 94, 128,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program as the kernel would, over a call's number and first argument.
    fn verdict(wall: Wall, number: u32, first: u32) -> u32 {
        let program = program(wall, 77);
        let (mut at, mut word) = (0, 0);
        loop {
            let Instruction { code, if_true, if_false, value } = program[at];
            let jumped = |truth: bool| usize::from(if truth { if_true } else { if_false });
            at += 1;
            match code {
                LOAD_WORD => {
                    word = match value {
                        OFFSET_NUMBER => number,
                        OFFSET_ARCHITECTURE => ARCHITECTURE,
                        OFFSET_FIRST => first,
                        other => panic!("reads at {other}"),
                    }
                }
                IF_EQUAL => at += jumped(word == value),
                IF_AT_LEAST => at += jumped(word >= value),
                IF_ANY_BIT => at += jumped(word & value != 0),
                RETURN => return value,
                other => panic!("unknown code {other}"),
            }
        }
    }

    #[test]
    fn each_wall_answers_every_call() {
        for number in (0..600).chain([SECOND_NUMBERS, SECOND_NUMBERS + 1, u32::MAX]) {
            for wall in [Wall::Outer, Wall::Launch, Wall::Inner] {
                let verdict = verdict(wall, number, 0);
                assert!([ALLOW, NOT_PERMITTED, NOT_KNOWN].contains(&verdict), "{number}");
            }
        }
    }

    #[test]
    fn network_and_processes_end_at_the_outer_wall_and_threads_do_not() {
        let outer = |number, first| verdict(Wall::Outer, number, first);
        assert_eq!(outer(SOCKET, 2), NOT_PERMITTED);
        assert_eq!(outer(SOCKET, FAMILY_NETLINK), ALLOW);
        assert_eq!(outer(CLONE, 17), NOT_PERMITTED);
        assert_eq!(outer(CLONE, CLONE_THREAD | 0x100), ALLOW);
        assert_eq!(outer(CLONE3, 0), NOT_KNOWN);
        assert_eq!(outer(OWN_SIGNALS[0], 1), NOT_PERMITTED);
        assert_eq!(outer(OWN_SIGNALS[0], 77), ALLOW);
        for forbidden in FORBIDDEN {
            assert_eq!(outer(*forbidden, 0), NOT_PERMITTED);
        }
    }

    #[test]
    fn a_process_that_launches_may_become_a_program_and_nothing_else_more() {
        for number in 0..600 {
            let (outer, launch) =
                (verdict(Wall::Outer, number, 0), verdict(Wall::Launch, number, 0));
            let expected = if number == EXECVE { (NOT_PERMITTED, ALLOW) } else { (outer, outer) };
            assert_eq!((outer, launch), expected, "{number}");
        }
    }

    #[test]
    fn inside_only_computing_is_left() {
        let allowed = |number: &u32| verdict(Wall::Inner, *number, 0) == ALLOW;
        let mut computing: Vec<u32> = (0..600).filter(allowed).collect();
        let mut expected = COMPUTING.to_vec();
        computing.sort_unstable();
        expected.sort_unstable();
        assert_eq!(computing, expected);
    }
}
