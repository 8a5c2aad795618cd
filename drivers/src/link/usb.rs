//! A device by what it is and not by where it is plugged in: `usb:VENDOR:PRODUCT`. The kernel
//! has made of it a serial port, a HID device, a printer or nothing; whatever it was, it is
//! looked for anew each time it is opened, for a replugged device may have another name.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{BulkLink, FileLink, Link, LinkError, Reports, SerialLink};

/// A device on USB, plugged in anywhere.
pub struct UsbLink {
    id: UsbId,
    baud_hz: u32,
    inner: Option<Box<dyn Link>>,
}

/// What a device says it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UsbId {
    vendor: u16,
    product: u16,
}

/// What the kernel made of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// A serial bridge.
    Serial(PathBuf),
    /// A HID device with reports of its own.
    Hid(PathBuf),
    /// A printer.
    Printer(PathBuf),
    /// Nothing: the bare device, for its bulk pipes.
    Bare(PathBuf),
}

impl UsbId {
    /// Reads `usb:0400:c35a`; none if `port` is a path.
    pub fn parse(port: &Path) -> Option<Self> {
        let (vendor, product) = port.to_str()?.strip_prefix("usb:")?.split_once(':')?;
        let number = |hex: &str| (hex.len() == 4).then(|| u16::from_str_radix(hex, 16).ok())?;
        Some(Self { vendor: number(vendor)?, product: number(product)? })
    }
}

impl fmt::Debug for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "usb:{:04x}:{:04x}", self.vendor, self.product)
    }
}

impl UsbLink {
    /// Opens the first device that says it is `id`.
    pub fn open(id: UsbId, baud_hz: u32) -> Result<Self, LinkError> {
        let mut link = Self { id, baud_hz, inner: None };
        link.reopen()?;
        Ok(link)
    }

    fn inner(&mut self) -> Result<&mut Box<dyn Link>, LinkError> {
        self.inner.as_mut().ok_or_else(|| LinkError::Gone(io::ErrorKind::NotConnected.into()))
    }
}

impl Link for UsbLink {
    fn read(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        self.inner()?.read(into, deadline)
    }

    fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        self.inner()?.write_all(bytes, deadline)
    }

    fn flush_input(&mut self) -> Result<(), LinkError> {
        self.inner()?.flush_input()
    }

    fn set_baud(&mut self, baud_hz: u32) -> Result<(), LinkError> {
        self.inner()?.set_baud(baud_hz)?;
        self.baud_hz = baud_hz;
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), LinkError> {
        self.inner = None;
        let shape = find(Path::new(DEVICES), self.id);
        let absent = || LinkError::NotThere(io::ErrorKind::NotFound.into());
        self.inner = Some(match shape.ok_or_else(absent)? {
            Shape::Serial(path) => Box::new(SerialLink::open(&path, self.baud_hz)?),
            Shape::Hid(path) => Box::new(FileLink::open(&path, Reports::Hid)?),
            Shape::Printer(path) => Box::new(FileLink::open(&path, Reports::None)?),
            Shape::Bare(path) => Box::new(BulkLink::open(&path)?),
        });
        Ok(())
    }

    fn now(&self) -> Instant {
        self.inner.as_ref().map_or_else(Instant::now, |inner| inner.now())
    }

    fn pause(&mut self, time: Duration) {
        match &mut self.inner {
            Some(inner) => inner.pause(time),
            None => std::thread::sleep(time),
        }
    }
}

/// The first device below `devices` (the kernel's folder) that says it is `id`.
fn find(devices: &Path, id: UsbId) -> Option<Shape> {
    let mut folders: Vec<PathBuf> = entries(devices).collect();
    folders.sort();
    folders.into_iter().find_map(|folder| shape(&folder, id))
}

fn shape(folder: &Path, id: UsbId) -> Option<Shape> {
    let word = |file: &str| Some(fs::read_to_string(folder.join(file)).ok()?.trim().to_owned());
    let hex = |file: &str| u16::from_str_radix(&word(file)?, 16).ok();
    if (hex("idVendor")?, hex("idProduct")?) != (id.vendor, id.product) {
        return None;
    }
    let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
    for part in below(folder) {
        let Some(node) = name(&part) else { continue };
        let path = Path::new("/dev").join(&node);
        match () {
            () if node.starts_with("ttyUSB") || node.starts_with("ttyACM") => {
                return Some(Shape::Serial(path));
            }
            () if node.starts_with("hidraw") && node != "hidraw" => return Some(Shape::Hid(path)),
            () if node.starts_with("lp") => {
                return Some(Shape::Printer(Path::new("/dev/usb").join(node)));
            }
            () => {}
        }
    }
    let number = |file: &str| word(file)?.parse::<u16>().ok();
    let node = format!("{BARE}/{:03}/{:03}", number("busnum")?, number("devnum")?);
    Some(Shape::Bare(node.into()))
}

/// What the kernel hangs below a device: interfaces, and what their drivers made of them, at
/// most `1-1:1.0/0003:2B8B:2721.0001/hidraw/hidraw0` deep.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut layer = vec![folder.to_owned()];
    for _ in 0..DEPTH {
        let is_real = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
        layer = layer.iter().flat_map(|at| entries(at)).filter(is_real).collect();
        layer.sort();
        found.extend_from_slice(&layer);
    }
    found
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

const DEVICES: &str = "/sys/bus/usb/devices";
/// Where the kernel has the bare devices.
pub(super) const BARE: &str = "/dev/bus/usb";
const DEPTH: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_found_by_what_it_is_and_opened_as_what_the_kernel_made_of_it() {
        let root = tempfile::tempdir().unwrap();
        let device = |name: &str, id: [&str; 2], parts: &str| {
            let folder = root.path().join(name);
            fs::create_dir_all(folder.join(parts)).unwrap();
            let facts =
                [("idVendor", id[0]), ("idProduct", id[1]), ("busnum", "1"), ("devnum", "7")];
            facts.iter().for_each(|(file, text)| fs::write(folder.join(file), text).unwrap());
        };
        device("1-1", ["0400", "c35a"], "1-1:1.0/ep_01");
        device("1-2", ["2b8b", "2721"], "1-2:1.0/0003:2B8B:2721.0001/hidraw/hidraw3");
        device("1-3", ["1a86", "7523"], "1-3:1.0/ttyUSB2");
        device("1-4", ["0483", "5740"], "1-4:1.0/tty/ttyACM1");
        device("1-5", ["04b8", "0202"], "1-5:1.0/usbmisc/lp0");
        let found = |port: &str| find(root.path(), UsbId::parse(Path::new(port)).unwrap());
        let bare = Shape::Bare("/dev/bus/usb/001/007".into());
        assert_eq!(found("usb:0400:c35a"), Some(bare));
        assert_eq!(found("usb:2b8b:2721"), Some(Shape::Hid("/dev/hidraw3".into())));
        assert_eq!(found("usb:1A86:7523"), Some(Shape::Serial("/dev/ttyUSB2".into())));
        assert_eq!(found("usb:0483:5740"), Some(Shape::Serial("/dev/ttyACM1".into())));
        assert_eq!(found("usb:04b8:0202"), Some(Shape::Printer("/dev/usb/lp0".into())));
        assert_eq!(found("usb:dead:beef"), None);
    }

    #[test]
    fn a_path_is_no_identity() {
        for port in ["/dev/ttyUSB0", "usb:", "usb:400:c35a", "usb:0400-c35a", "usb:0400:c35g"] {
            assert!(UsbId::parse(Path::new(port)).is_none(), "{port}");
        }
    }
}
