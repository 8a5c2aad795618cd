//! Loads the agency's own library for card photos inside the helper program
//! `photo-decoder`, which `photo` starts: 1024 bytes in, a BMP of 102 x 126 out.
//! No library comes with us, and none of the format is known here.

mod abi;
mod check;

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::photo::{PhotoDecoder, PhotoError};
use crate::sandbox::{self, Limits, Wall};
use abi::Loaded;

pub use abi::{Layout, Order};
pub use check::check;

/// The library and how it is called.
#[derive(Debug, Clone)]
pub struct Library {
    /// Where it is.
    pub path: PathBuf,
    /// Which of the known ways it has.
    pub abi: Abi,
    /// Longest time for one photo. Whoever waits for the program should wait longer.
    pub limit: Duration,
}

/// The three ways in which vendors let a photo be decoded.
#[derive(Debug, Clone)]
pub enum Abi {
    /// `int unpack(char *block, char *pixels, int mode)`, in its C++ or its C name.
    Unpack {
        /// The vendor's constant, 708 or 752.
        mode: i32,
        /// How the pixels lie.
        layout: Layout,
    },
    /// `int wlt2bmpBuffer(block, bmp, size of bmp)`.
    Buffer,
    /// `int GetBmp(const char *path, int interface)`: files, and the library asks the
    /// reader for leave.
    File {
        /// 1 for a serial reader, 2 for USB.
        interface: i32,
        /// A folder in memory, for the one moment that the block is a file.
        scratch: PathBuf,
        /// What the library has to read besides: its licence file.
        reads: Vec<PathBuf>,
    },
}

/// Why the helper program gives no picture, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no such library file.
    #[error("photo library is missing")]
    LibraryMissing,
    /// For another machine, or something it needs is missing, or it has other functions.
    #[error("photo library cannot be loaded")]
    LibraryUnfit,
    /// It says that this is no block, or that it cannot decode it.
    #[error("photo library refused the block")]
    Refused,
    /// Its licence is missing or belongs to another reader.
    #[error("photo library has no licence for this reader")]
    Unlicensed,
    /// It does not find the card reader.
    #[error("photo library does not reach the reader")]
    ReaderAway,
    /// It wrote past the end of a picture.
    #[error("photo library wrote more than a picture")]
    Overran,
    /// It said that all was well, and there is no picture.
    #[error("photo library gave no picture")]
    NoPicture,
    /// It crashed.
    #[error("photo library crashed")]
    Crashed,
    /// It took too long.
    #[error("photo library took too long")]
    Hung,
    /// The process could not be confined, so nothing was loaded.
    #[error("photo decoder cannot be confined")]
    Unconfined,
    /// A photo block has 1024 bytes; something else came.
    #[error("photo decoder was given no block")]
    NotABlock,
    /// The scratch folder, or a pipe.
    #[error("photo decoder cannot read or write")]
    Io,
}

impl Fault {
    /// A stable name for messages, logs and support.
    pub fn code(self) -> &'static str {
        match self {
            Self::LibraryMissing => "photo-library-missing",
            Self::LibraryUnfit => "photo-library-unfit",
            Self::Refused => "photo-decoder-refused",
            Self::Unlicensed => "photo-library-unlicensed",
            Self::ReaderAway => "photo-library-reader-away",
            Self::Overran => "photo-library-overran",
            Self::NoPicture => "photo-library-no-picture",
            Self::Crashed => "photo-decoder-crashed",
            Self::Hung => "photo-decoder-timed-out",
            Self::Unconfined => "photo-decoder-unconfined",
            Self::NotABlock => "photo-decoder-not-a-block",
            Self::Io => "photo-decoder-io",
        }
    }

    /// The exit code that tells it; not 0, and none that a shell or a signal gives.
    pub fn exit_code(self) -> u8 {
        let place = FAULTS.iter().position(|fault| *fault == self);
        EXIT_FIRST + place.expect("the table has all faults") as u8
    }

    /// The fault that an exit code tells.
    pub fn told_by(exit_code: i32) -> Option<Self> {
        let place = exit_code.checked_sub(i32::from(EXIT_FIRST))?;
        FAULTS.get(usize::try_from(place).ok()?).copied()
    }
}

/// The helper program for one block: reads it from `input` and writes the picture to
/// standard output. Never comes back: success and fault are both exit codes.
pub fn serve(library: &Library, input: impl Read, inside: bool, probe: bool) -> ! {
    let code = match (probe, inside || !matches!(library.abi, Abi::File { .. })) {
        (true, _) => tell(prepare(library).map(|_| ())),
        (false, true) => tell(read_block(input).and_then(|block| decode(library, &block))),
        (false, false) => tell(read_block(input).and_then(|block| supervise(library, &block))),
    };
    sandbox::leave(code)
}

fn tell(result: Result<(), Fault>) -> u8 {
    let Err(fault) = result else { return 0 };
    // The kiosk reads the code; somebody who tries a library by hand reads this.
    let _ = writeln!(io::stderr(), "{fault} ({})", fault.code());
    fault.exit_code()
}

fn read_block(input: impl Read) -> Result<[u8; BLOCK_SIZE], Fault> {
    let mut block = Vec::new();
    let read = input.take(BLOCK_SIZE as u64 + 1).read_to_end(&mut block);
    read.map_err(|_| Fault::Io)?;
    block.try_into().map_err(|_| Fault::NotABlock)
}

/// Confined from before the library is loaded; standard output is out of its reach.
fn prepare(library: &Library) -> Result<(Loaded, OwnedFd), Fault> {
    if !library.path.is_file() {
        return Err(Fault::LibraryMissing);
    }
    let answer = sandbox::take_streams().map_err(|_| Fault::Io)?.output;
    let folder = library.path.parent().unwrap_or(Path::new("/"));
    let (mut reads, mut writes) = (vec![folder], Vec::new());
    if let Abi::File { scratch, reads: more, .. } = &library.abi {
        reads.extend(more.iter().map(PathBuf::as_path));
        writes.push(scratch.as_path());
    }
    let limits = Limits {
        cpu_s: Some(CPU_S),
        alarm_s: Some(library.limit.as_secs() as u32 + ALARM_MARGIN_S),
        memory: MEMORY,
        file_size: FILE_SIZE,
        n_files: FILES,
        reads: &reads,
        writes: &writes,
    };
    sandbox::confine(&limits).map_err(|_| Fault::Unconfined)?;
    Ok((Loaded::open(library)?, answer))
}

fn decode(library: &Library, block: &[u8; BLOCK_SIZE]) -> Result<(), Fault> {
    let (loaded, answer) = prepare(library)?;
    if !matches!(library.abi, Abi::File { .. }) {
        sandbox::raise(Wall::Inner).map_err(|_| Fault::Unconfined)?;
    }
    let bmp = loaded.decode(&library.abi, block)?;
    let mut answer = std::fs::File::from(answer);
    answer.write_all(&bmp).map_err(|_| Fault::Io)
}

/// For a library that wants files: a second process does the work, and this one removes
/// the files however the second one ends.
fn supervise(library: &Library, block: &[u8]) -> Result<(), Fault> {
    let Abi::File { scratch, .. } = &library.abi else { return Err(Fault::Io) };
    remove_leftovers(scratch);
    let decoder = PhotoDecoder { program: own_command()?, deadline: library.limit };
    let decoded = decoder.decode(block);
    remove_leftovers(scratch);
    let picture = decoded.map_err(|error| match error {
        PhotoError::Told(fault) => fault,
        PhotoError::Crashed(_) => Fault::Crashed,
        PhotoError::TimedOut => Fault::Hung,
        PhotoError::Missing(_) => Fault::Io,
        PhotoError::Refused(_) => Fault::Refused,
        PhotoError::BadOutput(_) => Fault::NoPicture,
    })?;
    let bmp = abi::bmp(picture.as_raw(), Layout::default());
    io::stdout().write_all(&bmp).map_err(|_| Fault::Io)
}

fn own_command() -> Result<Vec<String>, Fault> {
    let own = std::env::current_exe().map_err(|_| Fault::Io)?;
    let mut command = vec![own.into_os_string().into_string().map_err(|_| Fault::Io)?];
    command.push(INSIDE.into());
    command.extend(std::env::args().skip(1));
    Ok(command)
}

/// Also takes what a run before left behind that was killed from outside.
fn remove_leftovers(scratch: &Path) {
    for name in [abi::BLOCK_NAME, abi::PICTURE_NAME] {
        let _ = std::fs::remove_file(scratch.join(name));
    }
}

/// The option by which the second process knows its part.
pub const INSIDE: &str = "--inside";
const BLOCK_SIZE: usize = 1024;
const EXIT_FIRST: u8 = 80;
const FAULTS: [Fault; 12] = [
    Fault::LibraryMissing,
    Fault::LibraryUnfit,
    Fault::Refused,
    Fault::Unlicensed,
    Fault::ReaderAway,
    Fault::Overran,
    Fault::NoPicture,
    Fault::Crashed,
    Fault::Hung,
    Fault::Unconfined,
    Fault::NotABlock,
    Fault::Io,
];
const CPU_S: u64 = 2;
/// For the case that nobody waits any more.
const ALARM_MARGIN_S: u32 = 2;
const MEMORY: u64 = 256 << 20;
const FILE_SIZE: u64 = 64 << 10;
const FILES: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_an_exit_code_of_its_own_and_comes_back_from_it() {
        for fault in FAULTS {
            assert_eq!(Fault::told_by(i32::from(fault.exit_code())), Some(fault));
        }
        for code in [-1, 0, 1, 2, 79, 80 + FAULTS.len() as i32, 127, i32::MIN, i32::MAX] {
            assert_eq!(Fault::told_by(code), None);
        }
    }

    #[test]
    fn only_1024_bytes_are_a_block() {
        assert!(read_block(&[7; 1024][..]).is_ok());
        assert_eq!(read_block(&[7; 1023][..]), Err(Fault::NotABlock));
        assert_eq!(read_block(&[7; 1025][..]), Err(Fault::NotABlock));
        assert_eq!(read_block(&[][..]), Err(Fault::NotABlock));
    }
}
