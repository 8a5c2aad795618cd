//! The vendors' functions by their C names, and what they give as one BMP. The only
//! place that calls into a vendor's library.

use std::ffi::{CString, c_char, c_int, c_uchar};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use libloading::os::unix::{Library as Shared, RTLD_LOCAL, RTLD_NOW, Symbol};

use super::{Abi, Fault, Library};
use crate::photo::{HEIGHT, WIDTH};

/// How the bytes of `unpack` are to be read, for vendors differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout {
    /// Order of the colours in a pixel.
    pub order: Order,
    /// The lowest row comes first.
    pub bottom_first: bool,
    /// All bytes come from the last to the first; undone before anything else.
    pub reversed: bool,
}

/// Order of the colours in a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red, as in a BMP.
    Bgr,
}

/// A library with the one function that is wanted of it.
pub(super) enum Loaded {
    Unpack(Symbol<Unpack>),
    Buffer(Symbol<Buffer>),
    File(Symbol<GetBmp>),
}

type Unpack = unsafe extern "C" fn(*mut c_char, *mut c_char, c_int) -> c_int;
type Buffer = unsafe extern "C" fn(*mut c_uchar, *mut c_uchar, c_int) -> c_int;
type GetBmp = unsafe extern "C" fn(*const c_char, c_int) -> c_int;

#[expect(unsafe_code, reason = "a vendor's library has a C interface")]
impl Loaded {
    /// The library stays loaded until the process ends: its farewell may crash.
    pub fn open(library: &Library) -> Result<Self, Fault> {
        // SAFETY: its constructors run here. They are foreign code in a process that has
        // nothing to lose: it is confined and holds one photo.
        let shared = unsafe { Shared::open(Some(&library.path), RTLD_NOW | RTLD_LOCAL) };
        let shared = shared.map_err(|_| Fault::LibraryUnfit)?;
        // SAFETY: the types are those of the public vendor headers for these names.
        let loaded = unsafe {
            match library.abi {
                Abi::Unpack { .. } => {
                    shared.get(MANGLED).or_else(|_| shared.get(PLAIN)).map(Self::Unpack)
                }
                Abi::Buffer => shared.get(BUFFER).map(Self::Buffer),
                Abi::File { .. } => shared.get(GET_BMP).map(Self::File),
            }
        };
        std::mem::forget(shared);
        loaded.map_err(|_| Fault::LibraryUnfit)
    }

    /// A BMP of a card photo.
    pub fn decode(&self, abi: &Abi, block: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut input = block.to_vec();
        // Some vendors read past the end; there are zeroes.
        input.resize(INPUT_ROOM, 0);
        let mut output = vec![CANARY; OUTPUT_ROOM];
        match (self, abi) {
            (Self::Unpack(unpack), Abi::Unpack { mode, layout }) => {
                let (from, to) = (input.as_mut_ptr().cast(), output.as_mut_ptr().cast());
                // SAFETY: both areas are far larger than the interface says, and alive.
                let answer = unsafe { unpack(from, to, *mode) };
                judge(answer == 1, &output)?;
                Ok(bmp(&output[..PIXELS_SIZE], *layout))
            }
            (Self::Buffer(buffer), Abi::Buffer) => {
                let (from, to) = (input.as_mut_ptr(), output.as_mut_ptr());
                let size = BMP_SIZE as c_int;
                // SAFETY: as above.
                let answer = unsafe { buffer(from, to, size) };
                // One vendor says 0 where the others say 1.
                let good = answer == 1 || (answer == 0 && output.starts_with(b"BM"));
                judge(good, &output)?;
                Ok(output[..BMP_SIZE].to_vec())
            }
            (Self::File(get_bmp), Abi::File { interface, scratch, .. }) => {
                write_private(&scratch.join(BLOCK_NAME), block).map_err(|_| Fault::Io)?;
                let path = scratch.join(BLOCK_NAME);
                let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Fault::Io)?;
                // SAFETY: the path ends with a zero and is alive.
                let answer = unsafe { get_bmp(path.as_ptr(), *interface) };
                judge_file(answer)?;
                fs::read(scratch.join(PICTURE_NAME)).map_err(|_| Fault::NoPicture)
            }
            _ => Err(Fault::LibraryUnfit),
        }
    }
}

fn judge(good: bool, output: &[u8]) -> Result<(), Fault> {
    if output[BMP_SIZE..].iter().any(|byte| *byte != CANARY) {
        return Err(Fault::Overran);
    }
    if !good {
        return Err(Fault::Refused);
    }
    // Untouched or wiped: no face is one even grey to the last pixel.
    let pixels = &output[HEADER..PIXELS_SIZE];
    if pixels.iter().all(|byte| *byte == pixels[0]) { Err(Fault::NoPicture) } else { Ok(()) }
}

fn judge_file(answer: c_int) -> Result<(), Fault> {
    match answer {
        1 => Ok(()),
        0 | -6 => Err(Fault::ReaderAway),
        -5 => Err(Fault::Unlicensed),
        -2 | -3 => Err(Fault::Io),
        _ => Err(Fault::Refused),
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

/// Packs 38 556 bytes of pixels, laid out as `layout` says, into a BMP of 38 862 bytes.
pub(super) fn bmp(pixels: &[u8], layout: Layout) -> Vec<u8> {
    let mut pixels = pixels.to_vec();
    if layout.reversed {
        pixels.reverse();
    }
    let words = [BMP_SIZE as u32, 0, HEADER as u32, 40, WIDTH, HEIGHT, 1 | (24 << 16), 0];
    let mut bmp = b"BM".to_vec();
    bmp.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bmp.resize(HEADER, 0);
    let rows: Vec<&[u8]> = pixels.chunks_exact(3 * WIDTH as usize).collect();
    // A BMP begins with its lowest row.
    let upwards: Vec<&[u8]> = match layout.bottom_first {
        true => rows,
        false => rows.into_iter().rev().collect(),
    };
    for row in upwards {
        for pixel in row.chunks_exact(3) {
            match layout.order {
                Order::Rgb => bmp.extend([pixel[2], pixel[1], pixel[0]]),
                Order::Bgr => bmp.extend(pixel),
            }
        }
        bmp.extend([0; 2]);
    }
    bmp
}

/// The block while it is a file; the ending is part of the interface.
pub(super) const BLOCK_NAME: &str = "photo.wlt";
/// What the library makes of it.
pub(super) const PICTURE_NAME: &str = "photo.bmp";
const MANGLED: &str = "_Z6unpackPcS_i";
const PLAIN: &str = "unpack";
const BUFFER: &str = "wlt2bmpBuffer";
const GET_BMP: &str = "GetBmp";
const HEADER: usize = 54;
const PIXELS_SIZE: usize = (WIDTH * HEIGHT * 3) as usize;
const BMP_SIZE: usize = HEADER + (HEIGHT * (WIDTH * 3 + 2)) as usize;
const INPUT_ROOM: usize = 64 << 10;
const OUTPUT_ROOM: usize = 256 << 10;
const CANARY: u8 = 0xA5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bmp_has_the_size_the_reference_states() {
        assert_eq!((PIXELS_SIZE, BMP_SIZE), (38_556, 38_862));
        assert_eq!(bmp(&[0; PIXELS_SIZE], Layout::default()).len(), BMP_SIZE);
    }

    #[test]
    fn every_layout_of_one_picture_gives_the_same_bmp() {
        let pixels: Vec<u8> = (0..PIXELS_SIZE).map(|i| (i * 7 % 251) as u8).collect();
        let expected = bmp(&pixels, Layout::default());
        let swapped: Vec<u8> = pixels.chunks(3).flat_map(|p| [p[2], p[1], p[0]]).collect();
        let row = 3 * WIDTH as usize;
        let flipped: Vec<u8> = pixels.chunks(row).rev().flatten().copied().collect();
        let backwards: Vec<u8> = pixels.iter().rev().copied().collect();
        let plain = Layout::default();
        for (bytes, layout) in [
            (swapped, Layout { order: Order::Bgr, ..plain }),
            (flipped, Layout { bottom_first: true, ..plain }),
            (backwards, Layout { reversed: true, ..plain }),
        ] {
            assert!(bmp(&bytes, layout) == expected, "{layout:?}");
        }
    }

    #[test]
    fn what_the_file_interface_answers_is_told_apart() {
        let told = [1, 0, -1, -2, -3, -4, -5, -6, 99].map(|answer| match judge_file(answer) {
            Ok(()) => "ok",
            Err(fault) => fault.code(),
        });
        let (refused, away) = ("photo-decoder-refused", "photo-library-reader-away");
        let (io, unlicensed) = ("photo-decoder-io", "photo-library-unlicensed");
        assert_eq!(told, ["ok", away, refused, io, io, refused, unlicensed, away, refused]);
    }
}
