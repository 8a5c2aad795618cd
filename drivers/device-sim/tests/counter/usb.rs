//! A card reader on a real USB bus: the kernel's own gadget side plays the
//! plug, the simulator the device behind it. Wants root and a gadget controller
//! (`modprobe dummy_hcd libcomposite`), and skips without.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use device_sim::counter::Counter;
use drivers::id_card::{Reader, Settings};
use drivers::link::LinkConfig;

use crate::id_card::tell;
use crate::in_process::roster;

/// One device at a time: they share the controller.
#[test]
fn a_device_on_usb_is_driven_as_whatever_the_kernel_made_of_it() {
    if let Err(why) = controller() {
        eprintln!("skipped: no USB device can be played here ({why})");
        return;
    }
    for shape in [Shape::Bulk(1), Shape::Bulk(2), Shape::Hid, Shape::Serial] {
        let gadget = Gadget::plug_in(shape).unwrap();
        let mut reader = gadget.reader();
        assert_eq!(poll(&mut reader), "NoCard", "{shape:?}");
        gadget.order("CARD 1");
        assert_eq!(poll(&mut reader), "card 1", "{shape:?}");
        gadget.order("SWAP 2");
        assert_eq!(poll(&mut reader), "card 2", "{shape:?}");

        gadget.unplug();
        assert!(poll(&mut reader).starts_with("error"), "{shape:?}");
        gadget.replug();
        gadget.order("SWAP 3");
        assert_eq!(until_well(&mut reader), "card 3", "{shape:?}: replugged");

        if matches!(shape, Shape::Bulk(_)) {
            gadget.stall();
            gadget.order("SWAP 4");
            assert_eq!(until_well(&mut reader), "card 4", "{shape:?}: after a stall");
        }
        eprintln!("{shape:?}: found, read, swapped, pulled, found again");
    }
}

/// What the reader says once; a card by the number of its holder.
fn poll(reader: &mut Reader) -> String {
    tell(reader.poll())
}

fn until_well(reader: &mut Reader) -> String {
    until(|| Some(poll(reader)).filter(|said| !said.starts_with("error")))
}

fn until<T>(mut get: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(got) = get() {
            return got;
        }
        assert!(Instant::now() < deadline, "nothing in a minute");
        std::thread::yield_now();
    }
}

/// What the device says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// So many pairs of bulk pipes and no driver.
    Bulk(usize),
    Hid,
    Serial,
}

impl Shape {
    fn function(self) -> &'static str {
        match self {
            Shape::Bulk(_) => "ffs.changqing",
            Shape::Hid => "hid.0",
            Shape::Serial => "acm.0",
        }
    }
}

/// A plugged-in device; it is pulled when this goes.
struct Gadget {
    shape: Shape,
    folder: PathBuf,
    pipes: tempfile::TempDir,
    controller: String,
    counter: Arc<Mutex<Counter>>,
    /// Where a function of ours says what it is.
    control: Option<File>,
    server: Option<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
}

impl Gadget {
    fn plug_in(shape: Shape) -> io::Result<Self> {
        let folder = Path::new(GADGETS).join("changqing");
        let function = folder.join("functions").join(shape.function());
        let configuration = folder.join("configs/c.1");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("idVendor"), "0x0400")?;
        fs::write(folder.join("idProduct"), "0xc35a")?;
        fs::create_dir_all(&configuration)?;
        fs::create_dir_all(&function)?;
        let pipes = tempfile::tempdir()?;
        let control = match shape {
            Shape::Bulk(n_pairs) => {
                mount("functionfs", "changqing", pipes.path())?;
                let path = pipes.path().join("ep0");
                let mut control = OpenOptions::new().read(true).write(true).open(path)?;
                control.write_all(&descriptors(n_pairs))?;
                control.write_all(&no_strings())?;
                Some(control)
            }
            Shape::Hid => {
                fs::write(function.join("report_desc"), REPORTS)?;
                fs::write(function.join("report_length"), REPORT_SIZE.to_string())?;
                None
            }
            Shape::Serial => None,
        };
        std::os::unix::fs::symlink(&function, configuration.join("function"))?;
        let controller = controller()?;
        let counter = Arc::new(Mutex::new(Counter::with_roster(1, false, roster())));
        let (server, is_over) = (None, Arc::default());
        let mut gadget =
            Self { shape, folder, pipes, controller, counter, server, is_over, control };
        gadget.serve();
        gadget.replug();
        Ok(gadget)
    }

    /// Lets the simulator answer what comes through the pipes, until the device goes.
    fn serve(&mut self) {
        let (shape, folder) = (self.shape, self.pipes.path().to_owned());
        let (counter, is_over) = (Arc::clone(&self.counter), Arc::clone(&self.is_over));
        self.server = Some(std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                // Pulled, each pipe ends; plugged in again, it is opened anew.
                let Ok((mut to, mut from)) = open_pipes(shape, &folder) else { continue };
                while serve_one(shape, &counter, &mut to, &mut from).is_ok() {}
            }
        }));
    }

    fn link(&self) -> LinkConfig {
        LinkConfig::serial("usb:0400:c35a")
    }

    fn reader(&self) -> Reader {
        until(|| Reader::open(&self.link(), Settings::default()).ok())
    }

    fn counter(&self) -> MutexGuard<'_, Counter> {
        self.counter.lock().unwrap()
    }

    fn order(&self, line: &str) {
        self.counter().obey(&line.parse().unwrap(), Duration::ZERO).unwrap();
    }

    fn unplug(&self) {
        fs::write(self.folder.join("UDC"), "\n").unwrap();
    }

    fn replug(&self) {
        fs::write(self.folder.join("UDC"), &self.controller).unwrap();
    }

    /// Stalls the pipe that brings replies: the kernel does so when it is read at this end.
    fn stall(&self) {
        let _ = File::open(self.pipes.path().join("ep2")).and_then(|mut f| f.read(&mut [0; 64]));
    }
}

impl Drop for Gadget {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.unplug();
        // A serial port is kept until nobody has it open; a read of a bare pipe that was pulled
        // never ends.
        if let Some(server) = self.server.take().filter(|_| self.shape == Shape::Serial) {
            server.join().unwrap();
        }
        if self.control.take().is_some() {
            let _ = Command::new("umount").arg("-l").arg(self.pipes.path()).status();
        }
        let function = self.folder.join("functions").join(self.shape.function());
        let configuration = self.folder.join("configs/c.1");
        let _ = fs::remove_file(configuration.join("function"));
        for folder in [&configuration, &function, &self.folder] {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The device's ends of its pipes: those that bring requests, and those for replies.
fn open_pipes(shape: Shape, folder: &Path) -> io::Result<(Vec<File>, Vec<File>)> {
    let open = |path: PathBuf| OpenOptions::new().read(true).write(true).open(path);
    let bulk = |first: usize, n: usize| -> io::Result<Vec<File>> {
        (0..n).map(|i| open(folder.join(format!("ep{}", first + 2 * i)))).collect()
    };
    let both_ways =
        |name: &str| -> io::Result<_> { Ok((vec![open(name.into())?], vec![open(name.into())?])) };
    match shape {
        Shape::Bulk(n_pairs) => Ok((bulk(1, n_pairs)?, bulk(2, n_pairs)?)),
        Shape::Hid => both_ways("/dev/hidg0"),
        Shape::Serial => both_ways("/dev/ttyGS0").inspect(|(to, _)| make_raw(&to[0])),
    }
}

/// One request from the host, and what the device says to it.
fn serve_one(
    shape: Shape,
    counter: &Mutex<Counter>,
    to_device: &mut [File],
    from_device: &mut [File],
) -> io::Result<()> {
    let mut request = vec![0; 4096];
    let mut n = 0;
    for pipe in to_device {
        n += match pipe.read(&mut request[n..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            some => some,
        };
    }
    let (mut counter, now) = (counter.lock().unwrap(), Duration::ZERO);
    counter.id_card.receive(&request[..n], BAUD_HZ, now);
    let reply = counter.id_card.arrived(BAUD_HZ, now);
    drop(counter);
    match (shape, from_device) {
        (Shape::Hid, [pipe]) => {
            for part in reply.chunks(REPORT_SIZE) {
                let mut report = [0; REPORT_SIZE];
                report[..part.len()].copy_from_slice(part);
                pipe.write_all(&report)?;
            }
            Ok(())
        }
        (_, [pipe]) if !reply.is_empty() => pipe.write_all(&reply),
        (_, [head, rest]) if !reply.is_empty() => {
            head.write_all(&reply[..HEAD_SIZE.min(reply.len())])?;
            rest.write_all(&reply[HEAD_SIZE.min(reply.len())..])
        }
        _ => Ok(()),
    }
}

/// The first gadget controller of this machine, or why none can be used.
fn controller() -> io::Result<String> {
    if !rustix::process::getuid().is_root() {
        return Err(io::Error::other("not root"));
    }
    fs::metadata(GADGETS)?;
    let first = fs::read_dir("/sys/class/udc")?.next();
    let name = first.ok_or_else(|| io::Error::other("no controller"))??.file_name();
    Ok(name.to_string_lossy().into_owned())
}

fn mount(kind: &str, what: &str, at: &Path) -> io::Result<()> {
    let done = Command::new("mount").args(["-t", kind, what]).arg(at).status()?;
    done.success().then_some(()).ok_or_else(|| io::Error::other("not mounted"))
}

/// A serial line hands over bytes as they are.
fn make_raw(file: &File) {
    let mut termios = rustix::termios::tcgetattr(file).unwrap();
    termios.make_raw();
    rustix::termios::tcsetattr(file, rustix::termios::OptionalActions::Now, &termios).unwrap();
}

/// One interface of the vendor's class, at full and high speed (linux/usb/functionfs.h).
fn descriptors(n_pairs: usize) -> Vec<u8> {
    let n_pipes = 2 * n_pairs as u8;
    let of_speed = |packet_size: u16| {
        let mut bytes = vec![9, 4, 0, 0, n_pipes, 0xff, 0, 0, 0];
        for n in 0..n_pairs as u8 {
            let [low, high] = packet_size.to_le_bytes();
            bytes.extend([7, 5, 2 * n + 1, 2, low, high, 0]);
            bytes.extend([7, 5, 0x80 | (2 * n + 2), 2, low, high, 0]);
        }
        bytes
    };
    let (full, high) = (of_speed(64), of_speed(512));
    let n_bytes = 20 + full.len() + high.len();
    let n_each = 1 + u32::from(n_pipes);
    let mut bytes: Vec<u8> =
        [3, n_bytes as u32, 0b11, n_each, n_each].iter().flat_map(|n| n.to_le_bytes()).collect();
    bytes.extend(full);
    bytes.extend(high);
    bytes
}

fn no_strings() -> Vec<u8> {
    [2_u32, 16, 0, 0].iter().flat_map(|n| n.to_le_bytes()).collect()
}

const GADGETS: &str = "/sys/kernel/config/usb_gadget";
const BAUD_HZ: u32 = 115_200;
const HEAD_SIZE: usize = 7;
const REPORT_SIZE: usize = 64;
/// Reports of the vendor's own, 64 bytes each way.
const REPORTS: &[u8] = &[
    0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x09, 0x01, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08,
    0x95, 0x40, 0x81, 0x02, 0x09, 0x01, 0x95, 0x40, 0x91, 0x02, 0xc0,
];
