//! What a helper process gives up before it loads somebody else's library: network, other
//! programs, other people's files, much memory, much time. A vendor's library may crash,
//! hang or lie; it must not reach the store, the keys or the line.
//! Linux on x86-64 and AArch64; the helper programs call this, the kiosk itself never does.

// Said in full because the program that confines engines of `models` takes this file in as
// well: the two floors share no crate, and one wall is enough to keep sound.
#[path = "sandbox/filter.rs"]
mod filter;

use std::ffi::{c_int, c_long, c_uint};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::stdio::{dup2_stdin, dup2_stdout, stdin, stdout};

pub use filter::{Wall, program};

/// What a helper process may use.
#[derive(Debug, Clone)]
pub struct Limits<'a> {
    /// Seconds of processor time; none for a process that serves all day.
    pub cpu_s: Option<u64>,
    /// Seconds until the process is ended, busy or not; none for one that serves all day.
    pub alarm_s: Option<u32>,
    /// Bytes of address space.
    pub memory: u64,
    /// Bytes of the largest file it may write.
    pub file_size: u64,
    /// Open files.
    pub n_files: u64,
    /// Folders and files it may read, beside the system's libraries.
    pub reads: &'a [&'a Path],
    /// Folders and files it may also write, beside the device files.
    pub writes: &'a [&'a Path],
}

/// Standard input and output of the process, where no library finds them.
#[derive(Debug)]
pub struct Streams {
    /// What comes from the driver.
    pub input: OwnedFd,
    /// What goes to the driver.
    pub output: OwnedFd,
}

/// Takes standard input and output away: what a library prints must not become a part of
/// the answer, and it is not asked what it would like to read.
pub fn take_streams() -> io::Result<Streams> {
    let input = stdin().try_clone_to_owned()?;
    let output = stdout().try_clone_to_owned()?;
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nowhere)?;
    dup2_stdout(&nowhere)?;
    Ok(Streams { input, output })
}

/// The process cannot be confined, and must not go on.
#[derive(Debug, thiserror::Error)]
#[error("cannot give up {0}")]
pub struct SandboxError(&'static str, #[source] io::Error);

/// Whether the kernel also guards the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Only the listed ones can be opened.
    Guarded,
    /// This kernel has no Landlock: file permissions have to do.
    Unguarded,
}

/// Gives up everything that is not listed, for good. Must come before the library is
/// loaded: its constructors already run inside.
pub fn confine(limits: &Limits) -> Result<Files, SandboxError> {
    confine_behind(limits, Wall::Outer)
}

/// As [`confine`], for a process that goes on as somebody else's program: behind
/// [`Wall::Launch`] it may do that, and it has no devices. It ends when its parent does.
pub fn confine_for_program(limits: &Limits) -> Result<Files, SandboxError> {
    control(PR_SET_PDEATHSIG, SIGKILL).map_err(|e| SandboxError("outliving us", e))?;
    confine_behind(limits, Wall::Launch)
}

fn confine_behind(limits: &Limits, wall: Wall) -> Result<Files, SandboxError> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(|e| SandboxError("cores", e.into()))?;
    for (resource, amount) in [
        (Resource::Cpu, limits.cpu_s),
        (Resource::As, Some(limits.memory)),
        (Resource::Fsize, Some(limits.file_size)),
        (Resource::Nofile, Some(limits.n_files)),
    ] {
        let Some(amount) = amount else { continue };
        // The margin makes the warning signal of the processor's limit come first.
        let limit = Rlimit { current: Some(amount), maximum: Some(amount + 1) };
        setrlimit(resource, limit).map_err(|e| SandboxError("resources", e.into()))?;
    }
    set_alarm(limits.alarm_s.unwrap_or(0));
    control(PR_SET_NO_NEW_PRIVS, 1).map_err(|e| SandboxError("privileges", e))?;
    // What is in memory here is about a person: no core, no debugger.
    control(PR_SET_DUMPABLE, 0).map_err(|e| SandboxError("being looked at", e))?;
    let files = guard_files(limits, wall).map_err(|e| SandboxError("files", e))?;
    raise(wall)?;
    Ok(files)
}

/// Puts a wall round the process and all its threads; walls only add up.
pub fn raise(wall: Wall) -> Result<(), SandboxError> {
    let program = program(wall, std::process::id());
    install(&program).map_err(|e| SandboxError("system calls", e))
}

/// Whether this kernel can guard files at all.
pub fn can_guard_files() -> bool {
    let version = [0, 0, LANDLOCK_CREATE_RULESET_VERSION, 0];
    system_call(LANDLOCK_CREATE_RULESET, version).is_ok()
}

/// Ends the process at once, without the library's farewells, which may crash.
#[expect(unsafe_code, reason = "the library's own exit handlers must not run")]
pub fn leave(code: u8) -> ! {
    // SAFETY: _exit takes any number, touches no memory of ours and does not return.
    unsafe { _exit(c_int::from(code)) }
}

/// Reading everywhere the loader looks, reading and writing where the caller says.
fn guard_files(limits: &Limits, wall: Wall) -> io::Result<Files> {
    let handled: u64 = READ | WRITE;
    let Ok(ruleset) = landlock(LANDLOCK_CREATE_RULESET, &handled.to_ne_bytes()) else {
        return Ok(Files::Unguarded);
    };
    let system = SYSTEM_READS.iter().map(Path::new);
    for path in system.chain(limits.reads.iter().copied()) {
        allow(ruleset, path, READ)?;
    }
    let devices = if wall == Wall::Launch { &HARMLESS_DEVICES[..] } else { &["/dev"] };
    for path in devices.iter().map(Path::new) {
        allow(ruleset, path, READ | WRITE_FILE)?;
    }
    for path in limits.writes {
        allow(ruleset, path, READ | WRITE)?;
    }
    system_call(LANDLOCK_RESTRICT_SELF, [ruleset, 0, 0, 0])?;
    Ok(Files::Guarded)
}

/// A path that is not there needs no leave.
fn allow(ruleset: c_long, path: &Path, access: u64) -> io::Result<()> {
    let Ok(opened) = File::open(path) else { return Ok(()) };
    let is_folder = opened.metadata()?.is_dir();
    let access = if is_folder { access } else { access & (READ_FILE | WRITE_FILE) };
    let mut rule = [0; 12];
    rule[..8].copy_from_slice(&access.to_ne_bytes());
    rule[8..].copy_from_slice(&opened.as_raw_fd().to_ne_bytes());
    let rule = rule.as_ptr() as c_long;
    system_call(LANDLOCK_ADD_RULE, [ruleset, LANDLOCK_PATH_BENEATH, rule, 0])?;
    Ok(())
}

fn landlock(call: c_long, attributes: &[u8]) -> io::Result<c_long> {
    let (at, size) = (attributes.as_ptr() as c_long, attributes.len() as c_long);
    system_call(call, [at, size, 0, 0])
}

fn install(program: &[filter::Instruction]) -> io::Result<()> {
    let length = u16::try_from(program.len()).expect("a filter has some hundred instructions");
    let program = filter::Program { length, instructions: program.as_ptr() };
    let at = (&raw const program) as c_long;
    system_call(filter::SECCOMP, [SECCOMP_SET_MODE_FILTER, SECCOMP_ALL_THREADS, at, 0])?;
    Ok(())
}

fn control(option: c_int, value: c_long) -> io::Result<()> {
    #[expect(unsafe_code, reason = "neither std nor rustix as built here has prctl")]
    // SAFETY: the options used take one number and no address.
    let result = unsafe { prctl(option, value, 0 as c_long, 0 as c_long, 0 as c_long) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set_alarm(seconds: u32) {
    #[expect(unsafe_code, reason = "std has no alarm")]
    // SAFETY: takes a number; without a handler the signal ends the process.
    unsafe {
        alarm(seconds)
    };
}

/// The addresses among `arguments` must be of live memory of the call's own shape.
fn system_call(number: c_long, arguments: [c_long; 4]) -> io::Result<c_long> {
    let [a, b, c, d] = arguments;
    #[expect(unsafe_code, reason = "no crate here wraps seccomp or Landlock")]
    // SAFETY: only this module calls; each caller holds what its addresses point to until
    // the call is over, and the kernel only reads from them.
    let result = unsafe { syscall(number, a, b, c, d) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[expect(unsafe_code, reason = "functions of the C library")]
unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn prctl(option: c_int, ...) -> c_int;
    fn alarm(seconds: c_uint) -> c_uint;
    fn _exit(code: c_int) -> !;
}

/// Where the loader, the time zone and USB libraries look. Not `/etc`, `/var` or `/home`.
const SYSTEM_READS: [&str; 8] = [
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/proc/self",
    "/sys",
    "/run/udev",
];
const HARMLESS_DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];
const PR_SET_PDEATHSIG: c_int = 1;
const SIGKILL: c_long = 9;
const PR_SET_DUMPABLE: c_int = 4;
const PR_SET_NO_NEW_PRIVS: c_int = 38;
const SECCOMP_SET_MODE_FILTER: c_long = 1;
const SECCOMP_ALL_THREADS: c_long = 1;
const LANDLOCK_CREATE_RULESET: c_long = 444;
const LANDLOCK_CREATE_RULESET_VERSION: c_long = 1;
const LANDLOCK_ADD_RULE: c_long = 445;
const LANDLOCK_RESTRICT_SELF: c_long = 446;
const LANDLOCK_PATH_BENEATH: c_long = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const READ: u64 = READ_FILE | READ_DIR;
/// Write, remove, and make anything: bits 1 and 4 to 12 of the first Landlock edition.
const WRITE: u64 = WRITE_FILE | 0x1FF0;
