//! A V4L2 camera: chooses its best mode, sets it up for faces, streams through mapped
//! buffers, and opens it anew by its path after a stall or an unplugging.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tracing::{debug, info};
use v4l::buffer::Type;
use v4l::control::{Control, Description, MenuItem, Value};
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::io::traits::CaptureStream;
use v4l::prelude::MmapStream;
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, FourCC};

use super::pixels::{self, PixelFormat};
use super::pump::{Pump, RawFrame, Source, Timing};
use super::{Camera, CameraError, Frame, Rotation};

/// A camera of the kernel.
pub struct V4lCamera {
    pump: Pump,
    rotation: Rotation,
}

/// Which camera, and what is wished of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V4lSettings {
    /// Device file; one under `/dev/v4l/by-path` stays the same after replugging.
    pub path: PathBuf,
    /// How its picture is turned upright.
    pub rotation: Rotation,
    /// Wished size in pixels, before rotation.
    pub size: (u32, u32),
    /// Wished frames a second.
    pub frames_per_s: u32,
}

impl V4lSettings {
    /// A camera for faces at `path`, 1280 x 720 at 30 frames a second.
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            rotation: Rotation::None,
            size: (1280, 720),
            frames_per_s: 30,
        }
    }
}

impl V4lCamera {
    /// Starts the camera. One that is not there yet is waited for.
    pub fn start(settings: V4lSettings) -> Self {
        let rotation = settings.rotation;
        let pump = Pump::start(move || V4lSource::open(&settings), TIMING);
        Self { pump, rotation }
    }
}

impl Camera for V4lCamera {
    fn latest(&mut self, deadline: Instant) -> Result<Frame, CameraError> {
        let mut was_damaged = false;
        loop {
            let raw = match self.pump.take(deadline) {
                Ok(raw) => raw,
                Err(CameraError::Stalled) if was_damaged => return Err(CameraError::Damaged),
                Err(error) => return Err(error),
            };
            let (width, height) = (raw.width, raw.height);
            let rgb = pixels::to_rgb(raw.format, &raw.bytes, width, height, raw.stride);
            let Some(rgb) = rgb else {
                was_damaged = true;
                continue;
            };
            let image = pixels::rotate(rgb, self.rotation);
            let latency = Duration::from_millis(monotonic_ms().saturating_sub(raw.captured_ms));
            // Some drivers stamp frames with another clock, or not at all.
            let latency = (latency < LATENCY_MAX).then_some(latency);
            return Ok(Frame { image, captured_ms: raw.captured_ms, latency, index: raw.index });
        }
    }
}

/// A way a camera can stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mode {
    format: PixelFormat,
    width: u32,
    height: u32,
    frames_per_s: u32,
}

/// The mode nearest to the wish. Too slow is worse than too small, too small is worse
/// than too large, and a compressed format is worse than a plain one of the same size.
fn choose(modes: &[Mode], settings: &V4lSettings) -> Option<Mode> {
    let wished = u64::from(settings.size.0) * u64::from(settings.size.1);
    let cost = |mode: &&Mode| {
        let pixels = u64::from(mode.width) * u64::from(mode.height);
        let is_slow = mode.frames_per_s < settings.frames_per_s.min(FRAMES_PER_S_ENOUGH);
        let is_small = mode.width < settings.size.0 || mode.height < settings.size.1;
        let is_compressed = mode.format == PixelFormat::Mjpeg;
        let slowness = settings.frames_per_s.saturating_sub(mode.frames_per_s);
        (is_slow, is_small, pixels.abs_diff(wished), is_compressed, slowness)
    };
    modes.iter().min_by_key(cost).copied()
}

struct V4lSource {
    stream: Option<MmapStream<'static>>,
    mode: Mode,
    stride: usize,
    patience: Duration,
}

impl V4lSource {
    fn open(settings: &V4lSettings) -> Result<Self, CameraError> {
        let device = Device::with_path(&settings.path).map_err(CameraError::Unplugged)?;
        let mut format = device.format().map_err(CameraError::Unplugged)?;
        let mut modes = modes(&device, settings.size).map_err(CameraError::Unplugged)?;
        if modes.is_empty() {
            modes.extend(only_mode(&device, &format));
        }
        let wished = choose(&modes, settings).ok_or(CameraError::NoFormat)?;
        (format.width, format.height) = (wished.width, wished.height);
        format.fourcc = fourcc(wished.format);
        let format = device.set_format(&format).map_err(CameraError::Unplugged)?;
        if format.fourcc != fourcc(wished.format) {
            return Err(CameraError::NoFormat);
        }
        // The kernel may round; what it says then counts.
        let mode = Mode { width: format.width, height: format.height, ..wished };
        // Some cameras know one speed only.
        let _ = device.set_params(&Parameters::with_fps(mode.frames_per_s));
        set_up_for_faces(&device);
        let stream = MmapStream::with_buffers(&device, Type::VideoCapture, BUFFERS);
        info!(?mode, "camera mode");
        Ok(Self {
            stream: Some(stream.map_err(CameraError::Unplugged)?),
            mode,
            stride: format.stride as usize,
            patience: Duration::ZERO,
        })
    }
}

impl Source for V4lSource {
    fn next(&mut self, patience: Duration) -> io::Result<RawFrame> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        if self.patience != patience {
            stream.set_timeout(patience);
            self.patience = patience;
        }
        let (bytes, meta) = CaptureStream::next(stream)?;
        let n = bytes.len().min(meta.bytesused as usize);
        let at = Duration::new(
            u64::try_from(meta.timestamp.sec).unwrap_or(0),
            u32::try_from(meta.timestamp.usec).unwrap_or(0) * 1000,
        );
        Ok(RawFrame {
            format: self.mode.format,
            width: self.mode.width,
            height: self.mode.height,
            stride: self.stride,
            bytes: bytes[..n].to_vec(),
            captured_ms: at.as_millis() as u64,
            index: 0,
        })
    }
}

impl Drop for V4lSource {
    fn drop(&mut self) {
        let stream = self.stream.take();
        // The crate's stream panics on drop when the device refuses to stop, which a
        // camera does that is being pulled out.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(stream)));
    }
}

/// The clock that the kernel stamps frames with.
#[expect(unsafe_code, reason = "the standard library does not say what its instants are since")]
fn monotonic_ms() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is alive, and the kernel knows this clock everywhere.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let (s, ns) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    s.unwrap_or(0) * 1000 + ns.unwrap_or(0) / 1_000_000
}

/// What a device does that lists no sizes, as a grabber of video signals may: its signal has one.
fn only_mode(device: &Device, now: &Format) -> Option<Mode> {
    let format = format_of(now.fourcc)?;
    let frames_per_s = fastest(device, now.fourcc, now.width, now.height);
    Some(Mode { format, width: now.width, height: now.height, frames_per_s })
}

fn modes(device: &Device, wished: (u32, u32)) -> io::Result<Vec<Mode>> {
    let mut modes = Vec::new();
    for description in device.enum_formats()? {
        let Some(format) = format_of(description.fourcc) else {
            continue;
        };
        // A driver that lists no sizes says so with an error.
        for size in device.enum_framesizes(description.fourcc).unwrap_or_default() {
            let (width, height) = nearest(&size.size, wished);
            let frames_per_s = fastest(device, description.fourcc, width, height);
            modes.push(Mode { format, width, height, frames_per_s });
        }
    }
    Ok(modes)
}

/// The size itself; of a range, which may have millions of them, the one nearest to the wish.
fn nearest(size: &FrameSizeEnum, wished: (u32, u32)) -> (u32, u32) {
    let on_grid = |wish: u32, min: u32, max: u32, step: u32| {
        let within = wish.clamp(min, max.max(min));
        within - (within - min) % step.max(1)
    };
    match size {
        FrameSizeEnum::Discrete(size) => (size.width, size.height),
        FrameSizeEnum::Stepwise(range) => (
            on_grid(wished.0, range.min_width, range.max_width, range.step_width),
            on_grid(wished.1, range.min_height, range.max_height, range.step_height),
        ),
    }
}

/// Fastest frames a second of a size; 30 where the driver does not say.
fn fastest(device: &Device, fourcc: FourCC, width: u32, height: u32) -> u32 {
    let intervals = device.enum_frameintervals(fourcc, width, height);
    let rates = intervals.unwrap_or_default().into_iter().map(|interval| {
        let shortest = match interval.interval {
            FrameIntervalEnum::Discrete(fraction) => fraction,
            FrameIntervalEnum::Stepwise(stepwise) => stepwise.min,
        };
        shortest.denominator / shortest.numerator.max(1)
    });
    rates.max().unwrap_or(30)
}

fn format_of(fourcc: FourCC) -> Option<PixelFormat> {
    match &fourcc.repr {
        b"YUYV" => Some(PixelFormat::Yuyv),
        b"NV12" => Some(PixelFormat::Nv12),
        b"MJPG" => Some(PixelFormat::Mjpeg),
        _ => None,
    }
}

fn fourcc(format: PixelFormat) -> FourCC {
    FourCC::new(match format {
        PixelFormat::Yuyv => b"YUYV",
        PixelFormat::Nv12 => b"NV12",
        PixelFormat::Mjpeg => b"MJPG",
    })
}

/// Automatic exposure and white balance, mains flicker of 50 Hz, light for a face before
/// a window. A camera without a control simply lacks it.
fn set_up_for_faces(device: &Device) {
    let controls = device.query_controls().unwrap_or_default();
    for (id, wish) in FACE_CONTROLS {
        let Some(control) = controls.iter().find(|c| c.id == *id) else {
            continue;
        };
        let value = match wish {
            Wish::On => Value::Boolean(true),
            Wish::Menu(names) => match menu_index(control, names) {
                Some(index) => Value::Integer(index),
                None => continue,
            },
            Wish::Middle => Value::Integer((control.minimum + control.maximum) / 2),
        };
        let set = device.set_control(Control { id: *id, value });
        debug!(control = control.name, done = set.is_ok(), "camera control");
    }
}

fn menu_index(control: &Description, names: &[&str]) -> Option<i64> {
    let items = control.items.as_ref()?;
    names.iter().find_map(|name| {
        let is_it = |item: &MenuItem| matches!(item, MenuItem::Name(n) if n.contains(name));
        let found = items.iter().find(|(_, item)| is_it(item))?;
        Some(i64::from(found.0))
    })
}

enum Wish {
    On,
    /// The first of these menu words that the camera has.
    Menu(&'static [&'static str]),
    Middle,
}

/// Control ids of `linux/v4l2-controls.h`.
const FACE_CONTROLS: &[(u32, Wish)] = &[
    // Exposure, automatic.
    (0x009a_0901, Wish::Menu(&["Auto Mode", "Aperture Priority"])),
    // White balance, automatic.
    (0x0098_090c, Wish::On),
    // Power line frequency.
    (0x0098_0918, Wish::Menu(&["50 Hz"])),
    // Backlight compensation.
    (0x0098_091c, Wish::Middle),
];
const BUFFERS: u32 = 4;
/// No frame that was taken while somebody waited for it is older.
const LATENCY_MAX: Duration = Duration::from_secs(10);
const FRAMES_PER_S_ENOUGH: u32 = 15;
const TIMING: Timing = Timing { stall: Duration::from_secs(2), reopen: Duration::from_secs(1) };

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};
    use std::thread;

    use PixelFormat::{Mjpeg, Nv12, Yuyv};

    #[test]
    fn of_a_range_of_sizes_one_is_taken_that_the_device_can_do() {
        let range = |max_width, max_height, step| {
            let range = v4l::framesize::Stepwise {
                min_width: 32,
                max_width,
                step_width: step,
                min_height: 32,
                max_height,
                step_height: step,
            };
            nearest(&FrameSizeEnum::Stepwise(range), (1280, 720))
        };
        assert_eq!(range(3280, 2464, 2), (1280, 720));
        assert_eq!(range(640, 480, 2), (640, 480));
        assert_eq!(range(3280, 2464, 100), (1232, 632));
        assert_eq!(range(3280, 2464, 0), (1280, 720));
    }

    #[test]
    fn the_mode_nearest_to_the_wish_is_chosen() {
        // A usual USB camera: plain frames are too slow at the wished size.
        let usb = [
            mode(Yuyv, 640, 480, 30),
            mode(Yuyv, 1280, 720, 10),
            mode(Mjpeg, 1280, 720, 30),
            mode(Mjpeg, 1920, 1080, 30),
        ];
        check(&usb, Some(mode(Mjpeg, 1280, 720, 30)));
        check(
            &[mode(Mjpeg, 1280, 720, 30), mode(Nv12, 1280, 720, 30)],
            Some(mode(Nv12, 1280, 720, 30)),
        );
        check(
            &[mode(Yuyv, 640, 480, 30), mode(Yuyv, 1920, 1080, 30)],
            Some(mode(Yuyv, 1920, 1080, 30)),
        );
        check(
            &[mode(Yuyv, 640, 480, 30), mode(Yuyv, 1920, 1080, 5)],
            Some(mode(Yuyv, 640, 480, 30)),
        );
        check(&[], None);
    }

    #[test]
    fn a_camera_that_is_not_there_is_told() {
        let mut camera = V4lCamera::start(V4lSettings::at("no-such-camera"));
        let told = loop {
            match camera.latest(Instant::now()) {
                Err(CameraError::Unplugged(_)) => break true,
                _ => std::thread::yield_now(),
            }
        };
        assert!(told);
    }

    /// One turn of a camera that a test plays.
    #[derive(Clone, Copy)]
    enum Turn {
        Frame,
        Damaged,
        Fails(io::ErrorKind),
        Absent,
        NoFormat,
    }

    /// What a camera does, one turn each time somebody has looked; good frames when the turns are over.
    #[derive(Default)]
    struct Stage {
        turns: Mutex<VecDeque<Turn>>,
        was_looked_at: AtomicBool,
        is_over: AtomicBool,
    }

    impl Stage {
        fn turn(&self) -> Turn {
            while !self.was_looked_at.swap(false, Ordering::AcqRel) {
                if self.is_over.load(Ordering::Acquire) {
                    return Turn::Absent;
                }
                thread::yield_now();
            }
            self.turns.lock().unwrap().pop_front().unwrap_or(Turn::Frame)
        }

        fn is_next(&self, is_it: impl Fn(&Turn) -> bool) -> bool {
            self.turns.lock().unwrap().front().is_some_and(is_it)
        }
    }

    struct Played(Arc<Stage>);

    impl Source for Played {
        fn next(&mut self, _patience: Duration) -> io::Result<RawFrame> {
            let bytes = match self.0.turn() {
                Turn::Frame => vec![128; 16 * 2],
                Turn::Damaged => vec![128; 7],
                Turn::Fails(kind) => return Err(kind.into()),
                Turn::Absent | Turn::NoFormat => return Err(io::ErrorKind::NotConnected.into()),
            };
            let captured_ms = monotonic_ms().saturating_sub(30);
            let (format, width, height, stride, index) = (Yuyv, 4, 4, 8, 0);
            Ok(RawFrame { format, width, height, stride, bytes, captured_ms, index })
        }
    }

    fn played(stage: &Arc<Stage>) -> V4lCamera {
        let stage = Arc::clone(stage);
        let open = move || match () {
            () if stage.is_next(|turn| matches!(turn, Turn::Absent)) => {
                stage.turn();
                Err(CameraError::Unplugged(io::ErrorKind::NotConnected.into()))
            }
            () if stage.is_next(|turn| matches!(turn, Turn::NoFormat)) => {
                stage.turn();
                Err(CameraError::NoFormat)
            }
            () => Ok(Played(Arc::clone(&stage))),
        };
        let timing = Timing { stall: Duration::from_secs(60), reopen: Duration::from_millis(1) };
        V4lCamera { pump: Pump::start(open, timing), rotation: Rotation::None }
    }

    #[test]
    fn every_fault_of_the_camera_is_survived() {
        use io::ErrorKind::{NotConnected, TimedOut};
        let mut table = format!("{:<26}{:<32}recovered\n", "camera", "told");
        for (fault, turns) in [
            ("none", vec![]),
            ("not there at the start", vec![Turn::Absent; 3]),
            ("pulled while it runs", vec![Turn::Frame, Turn::Fails(NotConnected), Turn::Absent]),
            ("gives no frame for long", vec![Turn::Frame, Turn::Fails(TimedOut)]),
            ("gives no format we read", vec![Turn::NoFormat]),
            ("one frame is cut", vec![Turn::Damaged]),
            ("every frame is cut", vec![Turn::Damaged; 40]),
            ("stalls again and again", [Turn::Fails(TimedOut), Turn::Frame].repeat(5)),
        ] {
            let (told, is_back) = watch(turns);
            let recovered = if is_back { "yes" } else { "NO" };
            table += &format!("{fault:<26}{:<32}{recovered}\n", told.join(" "));
        }
        crate::show(&table);
        for row in table.lines().skip(1) {
            assert!(row.ends_with("yes"), "{row}");
        }
        for told in ["camera-unplugged", "camera-stalled", "camera-no-format", "camera-damaged"] {
            assert!(table.contains(told), "{told} never came up");
        }
    }

    /// Looks until all turns were played and four frames came after them; what was told, and whether they came.
    fn watch(turns: Vec<Turn>) -> (Vec<&'static str>, bool) {
        // Whoever does not wait hears of a stall whenever the next frame is not there yet.
        let stalls = turns.iter().any(|turn| matches!(turn, Turn::Fails(io::ErrorKind::TimedOut)));
        let stage = Arc::new(Stage { turns: Mutex::new(turns.into()), ..Stage::default() });
        let mut camera = played(&stage);
        let (mut told, mut n_frames) = (Vec::new(), 0);
        for _ in 0..LOOKS_MAX {
            match camera.latest(Instant::now()) {
                Ok(frame) => {
                    let latency = frame.latency.expect("the clock of the kernel");
                    assert!(latency >= Duration::from_millis(30), "{latency:?}");
                    n_frames += u32::from(stage.is_next(|_| true)) ^ 1;
                }
                Err(CameraError::Stalled) if !stalls => {}
                Err(error) if !told.contains(&error.code()) => told.push(error.code()),
                Err(_) => {}
            }
            if n_frames >= 4 {
                break;
            }
            stage.was_looked_at.store(true, Ordering::Release);
            thread::yield_now();
        }
        stage.is_over.store(true, Ordering::Release);
        (told, n_frames >= 4)
    }

    const LOOKS_MAX: u32 = 2_000_000;

    fn mode(format: PixelFormat, width: u32, height: u32, frames_per_s: u32) -> Mode {
        Mode { format, width, height, frames_per_s }
    }

    fn check(modes: &[Mode], expected: Option<Mode>) {
        assert_eq!(choose(modes, &V4lSettings::at("x")), expected);
    }
}
