//! Keeps the newest frame of a source at hand: a thread empties the source as fast as it
//! delivers, so that a slow reader never sees an old picture, and reopens the source
//! when it stalls or goes away.

use std::error::Error as _;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::CameraError;
use super::pixels::PixelFormat;

/// A frame as the camera gave it.
pub(super) struct RawFrame {
    pub(super) format: PixelFormat,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) stride: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) captured_ms: u64,
    pub(super) index: u64,
}

/// An open camera.
pub(super) trait Source {
    /// The next frame; `TimedOut` if none comes within `patience`.
    fn next(&mut self, patience: Duration) -> io::Result<RawFrame>;
}

/// The thread and its newest frame.
pub(super) struct Pump {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Pump {
    /// Starts a thread that opens the source again and again by `open`.
    pub(super) fn start<S: Source>(
        mut open: impl FnMut() -> Result<S, CameraError> + Send + 'static,
        timing: Timing,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let run = move || {
            while !of_thread.is_stopped() {
                let trouble = match open() {
                    Ok(source) => of_thread.drain(source, timing.stall),
                    Err(error) => Some(error),
                };
                if let Some(error) = trouble {
                    of_thread.fail(error, timing.reopen);
                }
            }
        };
        let thread = thread::Builder::new().name("camera".into());
        let thread = thread.spawn(run).expect("a process can start one more thread");
        Self { shared, thread: Some(thread) }
    }

    /// Takes the newest frame, waiting until `deadline`.
    pub(super) fn take(&self, deadline: Instant) -> Result<RawFrame, CameraError> {
        let mut slot = self.shared.lock();
        loop {
            if let Some(frame) = slot.newest.take() {
                return Ok(frame);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(slot.trouble.take().unwrap_or(CameraError::Stalled));
            }
            let waited = self.shared.changed.wait_timeout(slot, left);
            slot = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.shared.lock().is_stopped = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How long the thread waits for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// Without a frame for this long, the camera has stalled.
    pub(super) stall: Duration,
    /// Pause before the camera is opened again.
    pub(super) reopen: Duration,
}

#[derive(Default)]
struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Default)]
struct Slot {
    newest: Option<RawFrame>,
    trouble: Option<CameraError>,
    n_frames: u64,
    is_stopped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.lock().is_stopped
    }

    fn drain<S: Source>(&self, mut source: S, stall: Duration) -> Option<CameraError> {
        info!("camera is open");
        while !self.is_stopped() {
            match source.next(stall) {
                Ok(frame) => self.put(frame),
                Err(e) if e.kind() == io::ErrorKind::TimedOut => return Some(CameraError::Stalled),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Some(CameraError::Unplugged(e)),
            }
        }
        None
    }

    fn put(&self, mut frame: RawFrame) {
        let mut slot = self.lock();
        frame.index = slot.n_frames;
        slot.n_frames += 1;
        slot.newest = Some(frame);
        slot.trouble = None;
        self.changed.notify_all();
    }

    fn fail(&self, error: CameraError, pause: Duration) {
        let mut slot = self.lock();
        if slot.trouble.is_none() {
            let problem = error.source().map(ToString::to_string);
            warn!(code = error.code(), problem, "camera is opened anew");
        }
        // What was taken before the failure is no picture of now.
        slot.newest = None;
        slot.trouble = Some(error);
        let until = Instant::now() + pause;
        while !slot.is_stopped {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(slot, left);
            slot = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    #[test]
    fn the_newest_frame_wins() {
        let (pump, send) = scripted();
        for value in 1..=50 {
            send.send(Ok(value)).unwrap();
        }
        let mut seen = 0;
        while seen != 50 {
            let frame = pump.take(far()).unwrap();
            assert!(frame.bytes[0] > seen, "an older frame came later");
            seen = frame.bytes[0];
            assert_eq!(frame.index, u64::from(seen) - 1);
        }
    }

    #[test]
    fn a_stall_and_an_unplugging_are_told_and_survived() {
        let (pump, send) = scripted();
        for (kind, code) in [
            (io::ErrorKind::TimedOut, "camera-stalled"),
            (io::ErrorKind::NotConnected, "camera-unplugged"),
        ] {
            send.send(Err(kind)).unwrap();
            let told = loop {
                match pump.take(Instant::now()) {
                    Err(error) if error.code() == code => break error,
                    _ => thread::yield_now(),
                }
            };
            assert_eq!(told.code(), code);
            send.send(Ok(7)).unwrap();
            assert_eq!(pump.take(far()).unwrap().bytes, [7]);
        }
    }

    #[test]
    fn no_camera_at_all_is_told_at_the_deadline() {
        let open = || Err::<Scripted, _>(CameraError::NoFormat);
        let pump = Pump::start(open, QUICK);
        let told = loop {
            match pump.take(Instant::now()) {
                Err(CameraError::NoFormat) => break true,
                _ => thread::yield_now(),
            }
        };
        assert!(told);
    }

    const QUICK: Timing =
        Timing { stall: Duration::from_secs(60), reopen: Duration::from_millis(1) };

    struct Scripted(Arc<Mutex<Receiver<Result<u8, io::ErrorKind>>>>);

    impl Source for Scripted {
        fn next(&mut self, _patience: Duration) -> io::Result<RawFrame> {
            let received = self.0.lock().unwrap().recv();
            let value = received.unwrap_or(Err(io::ErrorKind::NotConnected))?;
            Ok(RawFrame {
                format: PixelFormat::Mjpeg,
                width: 1,
                height: 1,
                stride: 1,
                bytes: vec![value],
                captured_ms: 0,
                index: 0,
            })
        }
    }

    /// The sender goes first at the end of a test, so that the source does not wait for it.
    fn scripted() -> (Pump, Sender<Result<u8, io::ErrorKind>>) {
        let (send, receive) = channel();
        let receive = Arc::new(Mutex::new(receive));
        let pump = Pump::start(move || Ok(Scripted(Arc::clone(&receive))), QUICK);
        (pump, send)
    }

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }
}
