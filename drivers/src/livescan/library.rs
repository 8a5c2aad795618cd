//! The plug-in's side: a maker's library behind its C names, inside a confined process.
//! Answers one request after the other until the driver is gone.

use std::ffi::{c_char, c_int, c_uchar};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread;

use libloading::os::unix::{Library as Shared, RTLD_LOCAL, RTLD_NOW, Symbol};
use rustix::event::{PollFd, PollFlags, poll};

use super::Window;
use super::frame::{Parser, Reply, Request};
use crate::sandbox::{self, Limits, Streams};
use crate::social_card::fields::gbk;

/// Serves the library at `path` on standard input and output. `reads` and `writes` are
/// folders and files that it needs besides its own and the device files.
pub fn serve(path: &Path, reads: &[PathBuf], writes: &[PathBuf]) -> ! {
    let code = match prepare(path, reads, writes) {
        Ok((streams, library)) => {
            watch_driver(&streams);
            converse(streams, &library)
        }
        Err(code) => code,
    };
    sandbox::leave(code as u8)
}

fn prepare(path: &Path, reads: &[PathBuf], writes: &[PathBuf]) -> Result<(Streams, Library), i32> {
    if !path.is_file() {
        return Err(EXIT_MISSING);
    }
    let streams = sandbox::take_streams().map_err(|_| EXIT_UNCONFINED)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut allowed: Vec<&Path> = reads.iter().map(PathBuf::as_path).collect();
    allowed.push(folder);
    let writes: Vec<&Path> = writes.iter().map(PathBuf::as_path).collect();
    let limits = Limits {
        cpu_s: None,
        alarm_s: None,
        memory: MEMORY,
        file_size: FILE_SIZE,
        n_files: FILES,
        reads: &allowed,
        writes: &writes,
    };
    sandbox::confine(&limits).map_err(|_| EXIT_UNCONFINED)?;
    let library = Library::open(path).ok_or(EXIT_UNFIT)?;
    Ok((streams, library))
}

/// A library that hangs must not outlive the driver.
fn watch_driver(streams: &Streams) {
    let Ok(requests) = streams.input.try_clone() else { return };
    thread::spawn(move || {
        let mut gone = [PollFd::new(&requests, PollFlags::empty())];
        while poll(&mut gone, None).is_err() {}
        sandbox::leave(0)
    });
}

fn converse(streams: Streams, library: &Library) -> i32 {
    let (mut input, mut output) = (File::from(streams.input), File::from(streams.output));
    let mut parser = Parser::default();
    let mut open = None;
    let mut piece = [0; 256];
    loop {
        let (letter, content) = match parser.next_word() {
            Ok(Some(word)) => word,
            Ok(None) => match input.read(&mut piece) {
                Ok(n) if n > 0 => {
                    parser.push(&piece[..n]);
                    continue;
                }
                _ => return 0,
            },
            Err(_) => return EXIT_NONSENSE,
        };
        let reply = match (Request::parse(letter, &content), &open) {
            (Ok(Request::Open(channel)), _) => library.start(c_int::from(channel)).map(|new| {
                let window = new.1.clone();
                open = Some(new);
                Reply::Opened(window)
            }),
            (Ok(Request::Grab), Some((channel, window))) => library.grab(*channel, window),
            _ => return EXIT_NONSENSE,
        };
        let reply = match reply {
            Ok(reply) => reply,
            Err(Bad::Code(code)) => Reply::Failed(code),
            Err(Bad::Overran) => return EXIT_OVERRAN,
        };
        if output.write_all(&reply.bytes()).is_err() {
            return 0;
        }
    }
}

/// The functions that are used of a library.
struct Library {
    init: Symbol<unsafe extern "C" fn() -> c_int>,
    max_size: Symbol<unsafe extern "C" fn(c_int, *mut c_int, *mut c_int) -> c_int>,
    window: Option<Symbol<GetWindow>>,
    begin: Symbol<unsafe extern "C" fn(c_int) -> c_int>,
    raw: Symbol<unsafe extern "C" fn(c_int, *mut c_uchar) -> c_int>,
    end: Symbol<unsafe extern "C" fn(c_int) -> c_int>,
    version: Option<Symbol<unsafe extern "C" fn() -> c_int>>,
    about: Option<Symbol<unsafe extern "C" fn(*mut c_char) -> c_int>>,
}

type GetWindow =
    unsafe extern "C" fn(c_int, *mut c_int, *mut c_int, *mut c_int, *mut c_int) -> c_int;

/// What a library does not do well.
enum Bad {
    /// Its own code.
    Code(i32),
    /// It wrote past the end of a frame; nothing in this process can be trusted now.
    Overran,
}

#[expect(unsafe_code, reason = "a maker's library has a C interface")]
impl Library {
    /// It stays loaded until the process ends: its farewell may crash.
    fn open(path: &Path) -> Option<Self> {
        // SAFETY: its constructors run here, foreign code in a process that is confined and
        // that the driver can lose.
        let shared = unsafe { Shared::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.ok()?;
        // SAFETY: the types are those of the public headers for these names.
        let library = unsafe {
            Self {
                init: shared.get("LIVESCAN_Init").ok()?,
                max_size: shared.get("LIVESCAN_GetMaxImageSize").ok()?,
                window: shared.get("LIVESCAN_GetCaptWindow").ok(),
                begin: shared.get("LIVESCAN_BeginCapture").ok()?,
                raw: shared.get("LIVESCAN_GetFPRawData").ok()?,
                end: shared.get("LIVESCAN_EndCapture").ok()?,
                version: shared.get("LIVESCAN_GetVersion").ok(),
                about: shared.get("LIVESCAN_GetDesc").ok(),
            }
        };
        std::mem::forget(shared);
        Some(library)
    }

    fn start(&self, channel: c_int) -> Result<(c_int, Window), Bad> {
        // SAFETY: takes nothing.
        good(unsafe { (self.init)() })?;
        let (width, height) = self.size(channel)?;
        // SAFETY: takes nothing.
        let version = self.version.as_ref().map_or(0, |version| unsafe { version() });
        Ok((channel, Window { width, height, version, about: self.about() }))
    }

    /// The present window, or where that is not known the largest image.
    fn size(&self, channel: c_int) -> Result<(u32, u32), Bad> {
        let (mut x, mut y, mut width, mut height) = (0, 0, 0, 0);
        if let Some(window) = &self.window {
            // SAFETY: four numbers that are alive.
            let code = unsafe { window(channel, &mut x, &mut y, &mut width, &mut height) };
            if code == GOOD && width > 0 && height > 0 {
                return Ok((width as u32, height as u32));
            }
        }
        // SAFETY: two numbers that are alive.
        good(unsafe { (self.max_size)(channel, &mut width, &mut height) })?;
        Ok((width.max(0) as u32, height.max(0) as u32))
    }

    fn about(&self) -> String {
        let Some(about) = &self.about else { return String::new() };
        // The header says 1024; who writes more harms only a spare part.
        let mut text = [0u8; 4096];
        // SAFETY: an area larger than the header says.
        let code = unsafe { about(text.as_mut_ptr().cast()) };
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(0);
        let text = gbk(&text[..end]).filter(|_| code == GOOD).unwrap_or_default();
        text.chars().take(ABOUT_MAX).collect()
    }

    fn grab(&self, channel: c_int, window: &Window) -> Result<Reply, Bad> {
        let size = (window.width * window.height) as usize;
        // Some makers' own examples give twice the size; what is behind that is watched.
        let mut room = vec![CANARY; 2 * size + WATCHED];
        // SAFETY: a number.
        good(unsafe { (self.begin)(channel) })?;
        // SAFETY: an area more than twice as large as the header says.
        let code = unsafe { (self.raw)(channel, room.as_mut_ptr()) };
        // SAFETY: a number. Its own failure changes nothing of the frame.
        unsafe { (self.end)(channel) };
        if room[2 * size..].iter().any(|byte| *byte != CANARY) {
            return Err(Bad::Overran);
        }
        if code < GOOD {
            return Err(Bad::Code(code));
        }
        room.truncate(size);
        Ok(Reply::Image(room))
    }
}

fn good(code: c_int) -> Result<(), Bad> {
    if code == GOOD { Ok(()) } else { Err(Bad::Code(code)) }
}

/// The plug-in's exit codes.
pub(super) const EXIT_MISSING: i32 = 80;
pub(super) const EXIT_UNFIT: i32 = 81;
pub(super) const EXIT_UNCONFINED: i32 = 82;
const EXIT_OVERRAN: i32 = 83;
const EXIT_NONSENSE: i32 = 84;
/// Pixels of the smallest side that a finger fits on.
pub(super) const SIDE_MIN: usize = 100;
/// Pixels of the largest side, that of a window for four fingers.
pub(super) const SIDE_MAX: usize = 2048;
/// 1 is good; correcting makers also say 2 and 3 for a frame.
const GOOD: c_int = 1;
const CANARY: u8 = 0xA5;
const WATCHED: usize = 64 << 10;
const ABOUT_MAX: usize = 100;
const MEMORY: u64 = 1 << 30;
const FILE_SIZE: u64 = 16 << 20;
const FILES: u64 = 256;
