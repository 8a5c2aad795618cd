//! A screen without a display: Slint draws into memory and the caller owns the clock.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use slint::platform::software_renderer::{MinimalSoftwareWindow, RepaintBufferType};
use slint::platform::{Platform, PlatformError, SetPlatformError, WindowAdapter};
use slint::{PhysicalSize, Rgb8Pixel, SharedPixelBuffer};

use crate::screen::ScreenError;

/// Memory that is drawn into, and the clock that runs for it.
pub(crate) struct Headless {
    window: Rc<MinimalSoftwareWindow>,
    shared: Rc<Shared>,
    pixels: RefCell<SharedPixelBuffer<Rgb8Pixel>>,
}

impl Headless {
    /// Takes the thread for headless screens (a thread can have one kind), then has `make` create its window.
    pub(crate) fn create<T>(
        size: PhysicalSize,
        make: impl FnOnce() -> Result<T, ScreenError>,
    ) -> Result<(Self, T), ScreenError> {
        let shared = shared()?;
        let made = make()?;
        let window = shared.newest.borrow_mut().take().expect("a new component asks for a window");
        window.set_size(size);
        let pixels = RefCell::new(SharedPixelBuffer::new(size.width, size.height));
        Ok((Self { window, shared, pixels }, made))
    }

    /// Runs timers and bindings that wait, and draws what has changed.
    pub(crate) fn paint(&self) {
        slint::platform::update_timers_and_animations();
        self.window.draw_if_needed(|renderer| {
            let mut pixels = self.pixels.borrow_mut();
            let width = pixels.width() as usize;
            renderer.render(pixels.make_mut_slice(), width);
        });
        slint::platform::update_timers_and_animations();
    }

    /// What is drawn.
    pub(crate) fn picture(&self) -> image::RgbImage {
        crate::picture::drawn(&self.pixels.borrow())
    }

    /// Lets time pass on the clock of this thread's screens.
    pub(crate) fn advance(&self, by: Duration) {
        self.shared.now.set(self.shared.now.get() + by);
    }
}

#[derive(Default)]
struct Shared {
    now: Cell<Duration>,
    newest: RefCell<Option<Rc<MinimalSoftwareWindow>>>,
}

struct MemoryPlatform(Rc<Shared>);

impl Platform for MemoryPlatform {
    fn create_window_adapter(&self) -> Result<Rc<dyn WindowAdapter>, PlatformError> {
        let window = MinimalSoftwareWindow::new(RepaintBufferType::ReusedBuffer);
        self.0.newest.replace(Some(window.clone()));
        Ok(window)
    }

    fn duration_since_start(&self) -> Duration {
        self.0.now.get()
    }
}

thread_local! {
    static SHARED: RefCell<Option<Rc<Shared>>> = const { RefCell::new(None) };
}

fn shared() -> Result<Rc<Shared>, SetPlatformError> {
    SHARED.with_borrow_mut(|slot| {
        if let Some(shared) = slot {
            return Ok(shared.clone());
        }
        let shared = Rc::new(Shared::default());
        slint::platform::set_platform(Box::new(MemoryPlatform(shared.clone())))?;
        Ok(slot.insert(shared).clone())
    })
}
