//! The kernel's door to a USB device that no driver has: transfers are handed in and come
//! back done (linux/usbdevice_fs.h). The calls go through the C library, so that a test can
//! stand in for the kernel.

use std::ffi::{c_int, c_uint, c_void};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// An open device. Fields are dropped in their order: the kernel forgets the transfers with
/// the file, before their memory goes.
pub(super) struct Usbfs {
    file: File,
    #[expect(clippy::vec_box, reason = "the kernel keeps the address of each")]
    transfers: Vec<Box<Transfer>>,
}

/// A transfer that is done.
pub(super) struct Done {
    pub endpoint: u8,
    /// What came; nothing for a transfer to the device.
    pub bytes: Vec<u8>,
    pub error: Option<io::Error>,
}

/// A transfer under way. The kernel knows the place of `urb` and of the memory of `buffer`
/// until it gives the transfer back.
struct Transfer {
    urb: Urb,
    buffer: Vec<u8>,
}

/// `struct usbdevfs_urb`.
#[repr(C)]
struct Urb {
    kind: u8,
    endpoint: u8,
    status: c_int,
    flags: c_uint,
    buffer: *mut c_void,
    buffer_length: c_int,
    actual_length: c_int,
    start_frame: c_int,
    number_of_packets: c_int,
    error_count: c_int,
    signal: c_uint,
    context: *mut c_void,
}

/// `struct usbdevfs_ioctl`.
#[repr(C)]
struct Inner {
    interface: c_int,
    code: c_int,
    data: *mut c_void,
}

// SAFETY: the pointers in it are to memory of the transfer itself, which goes with it.
#[expect(unsafe_code, reason = "a transfer holds its own addresses for the kernel")]
unsafe impl Send for Transfer {}

impl Usbfs {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self { file, transfers: Vec::new() })
    }

    /// What the device says of itself and of its first configuration.
    pub fn descriptors(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&self.file).take(DESCRIPTORS_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Takes an interface, from a driver of the kernel if one has it.
    pub fn claim(&mut self, interface: u8) -> io::Result<()> {
        let mut number = c_uint::from(interface);
        let first = self.call(CLAIM, (&raw mut number).cast());
        if !first.as_ref().is_err_and(|e| e.raw_os_error() == Some(Errno::BUSY.raw_os_error())) {
            return first.map(drop);
        }
        let code = DISCONNECT as c_int;
        let mut inner = Inner { interface: interface.into(), code, data: std::ptr::null_mut() };
        self.call(INNER, (&raw mut inner).cast())?;
        self.call(CLAIM, (&raw mut number).cast()).map(drop)
    }

    /// Hands in a transfer of at most `size` bytes from the device.
    pub fn receive(&mut self, endpoint: u8, size: usize) -> io::Result<()> {
        self.submit(endpoint, vec![0; size])
    }

    /// Hands in a transfer of `bytes` to the device.
    pub fn send(&mut self, endpoint: u8, bytes: &[u8]) -> io::Result<()> {
        self.submit(endpoint, bytes.to_vec())
    }

    /// Whether a transfer with this endpoint was handed in and is not done.
    pub fn is_under_way(&self, endpoint: u8) -> bool {
        self.transfers.iter().any(|transfer| transfer.urb.endpoint == endpoint)
    }

    /// A transfer that is done, if one is.
    pub fn reap(&mut self) -> io::Result<Option<Done>> {
        let mut reaped: *mut Urb = std::ptr::null_mut();
        match self.call(REAP_NOW, (&raw mut reaped).cast()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(Errno::AGAIN.raw_os_error()) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let mut urbs = self.transfers.iter().map(|transfer| &raw const transfer.urb);
        let Some(at) = urbs.position(|urb| std::ptr::eq(urb, reaped)) else { return Ok(None) };
        Ok(Some(self.transfers.swap_remove(at).done()))
    }

    /// Waits until something is done, or the device is gone; `false` at the deadline.
    pub fn wait(&self, deadline: Instant) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        // The kernel says of a device with something done that it can be written.
        match poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], Some(&left)) {
            Ok(n) => Ok(n > 0),
            Err(Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes back what was handed in for `endpoint`. What it did is lost.
    pub fn cancel(&mut self, endpoint: u8) {
        let is_of = |transfer: &&mut Box<Transfer>| transfer.urb.endpoint == endpoint;
        if let Some(transfer) = self.transfers.iter_mut().find(is_of) {
            let urb: *mut Urb = &raw mut transfer.urb;
            // It comes back as done, cancelled, and is then reaped like any other.
            let _ = self.call(DISCARD, urb.cast());
        }
    }

    /// Lets a stalled endpoint work again.
    pub fn clear_halt(&mut self, endpoint: u8) -> io::Result<()> {
        let mut number = c_uint::from(endpoint);
        self.call(CLEAR_HALT, (&raw mut number).cast())
    }

    fn submit(&mut self, endpoint: u8, buffer: Vec<u8>) -> io::Result<()> {
        let mut transfer = Box::new(Transfer::new(endpoint, buffer)?);
        let urb: *mut Urb = &raw mut transfer.urb;
        // Kept before the kernel knows of it; its place does not change in the list.
        self.transfers.push(transfer);
        let submitted = self.call(SUBMIT, urb.cast());
        if submitted.is_err() {
            self.transfers.pop();
        }
        submitted
    }

    #[expect(unsafe_code, reason = "the kernel gives bare USB devices by ioctl alone")]
    fn call(&self, code: u32, argument: *mut c_void) -> io::Result<()> {
        // SAFETY: each caller passes what its code takes (linux/usbdevice_fs.h): a number, a
        // place for a pointer or one of the structures above, alive during the call. A
        // transfer and its memory stay in `transfers` until the kernel has given them back,
        // and the kernel writes to them only then, inside the call that reaps.
        let done = unsafe { libc::ioctl(self.file.as_raw_fd(), code as _, argument) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Transfer {
    fn new(endpoint: u8, mut buffer: Vec<u8>) -> io::Result<Self> {
        let length = c_int::try_from(buffer.len()).map_err(io::Error::other)?;
        let urb = Urb {
            kind: BULK,
            endpoint,
            status: 0,
            flags: 0,
            buffer: buffer.as_mut_ptr().cast(),
            buffer_length: length,
            actual_length: 0,
            start_frame: 0,
            number_of_packets: 0,
            error_count: 0,
            signal: 0,
            context: std::ptr::null_mut(),
        };
        Ok(Self { urb, buffer })
    }

    fn done(mut self) -> Done {
        let Urb { endpoint, status, actual_length, .. } = self.urb;
        let is_from_device = endpoint & FROM_DEVICE != 0;
        let n = if is_from_device { usize::try_from(actual_length).unwrap_or(0) } else { 0 };
        self.buffer.truncate(n);
        let error = (status < 0).then(|| io::Error::from_raw_os_error(-status));
        Done { endpoint, bytes: std::mem::take(&mut self.buffer), error }
    }
}

/// A number of an ioctl: which way its argument goes, its size, and which it is of this door.
const fn code(way: u32, size: usize, number: u32) -> u32 {
    way << 30 | (size as u32) << 16 | (b'U' as u32) << 8 | number
}

const NONE: u32 = 0;
const WRITE: u32 = 1;
const READ: u32 = 2;
const SUBMIT: u32 = code(READ, size_of::<Urb>(), 10);
const DISCARD: u32 = code(NONE, 0, 11);
const REAP_NOW: u32 = code(WRITE, size_of::<*mut c_void>(), 13);
const CLAIM: u32 = code(READ, size_of::<c_uint>(), 15);
const INNER: u32 = code(WRITE | READ, size_of::<Inner>(), 18);
const CLEAR_HALT: u32 = code(READ, size_of::<c_uint>(), 21);
const DISCONNECT: u32 = code(NONE, 0, 22);
const BULK: u8 = 3;
const FROM_DEVICE: u8 = 0x80;
/// Far more than a reader says of itself.
const DESCRIPTORS_MAX: u64 = 16 << 10;
