//! The window: shows views, hears taps, and can be pressed and photographed without a display.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::time::Duration;

use image::RgbImage;
use kiosk_core::view::{Page, Tap, View};
use slint::platform::{PointerEventButton, SetPlatformError, WindowEvent};
use slint::{ComponentHandle, LogicalPosition, PhysicalSize, Rgb8Pixel, SharedPixelBuffer};

use crate::adapter::Painter;
use crate::generated::{Api, AppWindow, Theme};
use crate::headless::Headless;
use crate::picture;
use crate::proxy::Proxy;
use crate::taps;

/// The touch screen. Lives on the thread that made it; other threads use a [`Proxy`].
pub struct Screen {
    inner: Rc<Inner>,
    headless: Option<Headless>,
}

/// Why there is no screen.
#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    /// Text cannot be drawn without any font.
    #[error("no font was found; install a Chinese font such as the package fonts-noto-cjk")]
    NoFont,
    /// This thread already draws on a display.
    #[error("this thread already has another kind of screen")]
    Taken(#[from] SetPlatformError),
    /// No display, no panel, or no right to use it.
    #[error("the display could not be opened")]
    Display(#[from] slint::PlatformError),
}

impl Screen {
    /// A window on the desk (X11) or the whole panel (KMS), whichever there is.
    pub fn window() -> Result<Self, ScreenError> {
        Ok(Self::new(with_fonts(|| Ok(AppWindow::new()?))?, None))
    }

    /// A screen of this size in pixels that is drawn in memory. Its clock stands until [`Screen::advance`].
    pub fn headless(width: u32, height: u32) -> Result<Self, ScreenError> {
        let size = PhysicalSize::new(width, height);
        let (headless, app) = with_fonts(|| Headless::create(size, || Ok(AppWindow::new()?)))?;
        let theme = app.global::<Theme>();
        theme.set_width(width as f32);
        theme.set_height(height as f32);
        app.show()?;
        Ok(Self::new(app, Some(headless)))
    }

    fn new(app: AppWindow, headless: Option<Headless>) -> Self {
        let inner = Rc::new_cyclic(|inner| Inner {
            painter: RefCell::new(Painter::new(&app)),
            view: RefCell::new(None),
            on_tap: RefCell::new(None),
            places: RefCell::default(),
            choice_page: Cell::new(0),
            proxy: Proxy::default(),
            app: listening(app, inner),
        });
        CURRENT.set(Rc::downgrade(&inner));
        Self { inner, headless }
    }

    /// Shows this view in place of the last one.
    pub fn show(&self, view: &View) {
        self.inner.show(view);
        self.settle();
    }

    /// Shows a camera picture on the face and document pages; mirrored for a face.
    pub fn preview(&self, picture: &RgbImage) {
        self.inner.preview(picture);
    }

    /// The picture from the card's chip for the page about the person.
    pub fn picture_of_card(&self, picture: Option<&RgbImage>) {
        self.inner.painter.borrow_mut().picture_of_card(&self.inner.app, picture);
    }

    /// Who hears what a finger on the glass means. One listener; a new one replaces it.
    pub fn on_tap(&self, heard: impl Fn(Tap) + 'static) {
        self.inner.on_tap.replace(Some(Rc::new(heard)));
    }

    /// For other threads.
    pub fn proxy(&self) -> Proxy {
        self.inner.proxy.clone()
    }

    /// Shows the window and serves it until [`Proxy::quit`] or until it is closed.
    pub fn run(&self) -> Result<(), ScreenError> {
        self.inner.app.show()?;
        self.inner.fit();
        self.inner.open_mail();
        // What comes between this and the loop's first turn wakes nobody, so it is looked for then.
        slint::Timer::single_shot(Duration::ZERO, open_mail);
        Ok(self.inner.app.run()?)
    }

    /// Headless: takes what other threads sent and draws.
    pub fn settle(&self) {
        if let Some(headless) = &self.headless {
            self.inner.open_mail();
            headless.paint();
        }
    }

    /// Headless: lets time pass, then draws.
    pub fn advance(&self, by: Duration) {
        if let Some(headless) = &self.headless {
            headless.advance(by);
            self.settle();
        }
    }

    /// What is on the glass now, pixel by pixel.
    pub fn snapshot(&self) -> Result<RgbImage, ScreenError> {
        if let Some(headless) = &self.headless {
            self.settle();
            return Ok(headless.picture());
        }
        let taken = self.inner.app.window().take_snapshot()?;
        let mut opaque = SharedPixelBuffer::new(taken.width(), taken.height());
        for (to, from) in opaque.make_mut_slice().iter_mut().zip(taken.as_slice()) {
            *to = Rgb8Pixel::new(from.r, from.g, from.b);
        }
        Ok(picture::drawn(&opaque))
    }

    /// Presses the button that carries this tap with real pointer events at its middle.
    ///
    /// False when the present page has no such button or it is off. Headless it is pressed at once; in a window
    /// as soon as the running event loop has found it.
    pub fn tap(&self, tap: &Tap) -> bool {
        let Some(id) = self.inner.id_of(tap) else {
            return false;
        };
        let Some(headless) = &self.headless else {
            self.inner.press_soon(id, ATTEMPTS_MAX);
            return true;
        };
        for _ in 0..ATTEMPTS_MAX {
            self.settle();
            self.inner.call_roll();
            headless.paint();
            let pressed = self.inner.press(id);
            self.settle();
            match pressed {
                Pressed::Wanted => return true,
                Pressed::More => {}
                Pressed::Neither => return false,
            }
        }
        false
    }

    /// Colors and sizes, for tests that compute with them.
    #[doc(hidden)]
    pub fn theme(&self) -> Theme<'_> {
        self.inner.app.global::<Theme>()
    }

    /// The component, for tests that query its elements.
    #[doc(hidden)]
    pub fn component(&self) -> &AppWindow {
        &self.inner.app
    }
}

/// Presses this tap on the screen of this thread; called in the event loop.
pub(crate) fn press_soon(tap: &Tap) {
    if let Some(inner) = CURRENT.with_borrow(Weak::upgrade)
        && let Some(id) = inner.id_of(tap)
    {
        inner.press_soon(id, ATTEMPTS_MAX);
    }
}

/// Takes the mail of the screen on this thread; called in the event loop.
pub(crate) fn open_mail() {
    if let Some(inner) = CURRENT.with_borrow(Weak::upgrade) {
        inner.open_mail();
    }
}

thread_local! {
    static CURRENT: RefCell<Weak<Inner>> = const { RefCell::new(Weak::new()) };
}

struct Inner {
    app: AppWindow,
    painter: RefCell<Painter>,
    view: RefCell<Option<View>>,
    on_tap: RefCell<Option<Listener>>,
    places: RefCell<HashMap<i32, LogicalPosition>>,
    choice_page: Cell<usize>,
    proxy: Proxy,
}

impl Inner {
    fn show(&self, view: &View) {
        let other_page = self.view.borrow().as_ref().is_none_or(|last| {
            std::mem::discriminant(&last.page) != std::mem::discriminant(&view.page)
        });
        if other_page {
            self.choice_page.set(0);
            self.painter.borrow_mut().turn_page(&self.app, &view.page);
        }
        self.painter.borrow_mut().paint(&self.app, view, self.choice_page.get());
        self.view.replace(Some(view.clone()));
    }

    /// A bare panel has its size from the start and never tells that it changed.
    fn fit(&self) {
        let window = self.app.window();
        let size = window.size().to_logical(window.scale_factor());
        if size.width > 0.0 && size.height > 0.0 {
            let theme = self.app.global::<Theme>();
            theme.set_width(size.width);
            theme.set_height(size.height);
        }
    }

    fn preview(&self, picture: &RgbImage) {
        let mirrored =
            matches!(self.view.borrow().as_ref().map(|view| &view.page), Some(Page::Face(_)));
        self.app.global::<Api>().set_preview(picture::shown(picture, mirrored));
    }

    fn open_mail(&self) {
        let mail = self.proxy.take();
        if let Some(view) = mail.view {
            self.show(&view);
        }
        if let Some(card) = mail.card {
            self.painter.borrow_mut().picture_of_card(&self.app, card.as_ref());
        }
        if let Some(preview) = mail.preview {
            self.preview(&preview);
        }
    }

    fn id_of(&self, tap: &Tap) -> Option<i32> {
        self.view.borrow().as_ref().and_then(|view| taps::id_of(view, tap))
    }

    /// Asks every enabled button where it is; the answers come when bindings run next.
    fn call_roll(&self) {
        self.places.borrow_mut().clear();
        let api = self.app.global::<Api>();
        api.set_roll_call(api.get_roll_call().wrapping_add(1));
    }

    /// Presses the button of this number, else "more": the button may be on a later screenful, and they go round.
    fn press(&self, id: i32) -> Pressed {
        let (wanted, more) = {
            let places = self.places.borrow();
            (places.get(&id).copied(), places.get(&taps::MORE).copied())
        };
        let Some(position) = wanted.or(more) else {
            return Pressed::Neither;
        };
        let button = PointerEventButton::Left;
        let window = self.app.window();
        window.dispatch_event(WindowEvent::PointerMoved { position });
        window.dispatch_event(WindowEvent::PointerPressed { position, button });
        window.dispatch_event(WindowEvent::PointerReleased { position, button });
        window.dispatch_event(WindowEvent::PointerExited);
        if wanted.is_some() { Pressed::Wanted } else { Pressed::More }
    }

    /// In a window the loop has to turn between the question and the press.
    fn press_soon(self: &Rc<Self>, id: i32, attempts_left: usize) {
        if attempts_left == 0 {
            return;
        }
        self.call_roll();
        let inner = self.clone();
        slint::Timer::single_shot(LOOP_TURN, move || {
            if inner.press(id) != Pressed::Wanted {
                inner.press_soon(id, attempts_left - 1);
            }
        });
    }

    fn tapped(&self, id: i32) {
        if id == taps::MORE {
            return self.more();
        }
        let tap = self.view.borrow().as_ref().and_then(|view| taps::tap_of(view, id));
        // Cloned, so that the listener may show a view or replace itself.
        let heard = self.on_tap.borrow().clone();
        if let (Some(tap), Some(heard)) = (tap, heard) {
            heard(tap);
        }
    }

    fn more(&self) {
        let Some(view) = self.view.borrow().clone() else {
            return;
        };
        self.choice_page.set(self.choice_page.get() + 1);
        self.painter.borrow_mut().paint(&self.app, &view, self.choice_page.get());
    }
}

type Listener = Rc<dyn Fn(Tap)>;

/// What a simulated finger found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pressed {
    Wanted,
    More,
    Neither,
}

/// Connects the component's callbacks.
fn listening(app: AppWindow, inner: &Weak<Inner>) -> AppWindow {
    let api = app.global::<Api>();
    let on_tap = inner.clone();
    api.on_tapped(move |id| {
        if let Some(inner) = on_tap.upgrade() {
            inner.tapped(id);
        }
    });
    let on_here = inner.clone();
    api.on_here(move |id, x, y| {
        if let Some(inner) = on_here.upgrade() {
            inner.places.borrow_mut().insert(id, LogicalPosition::new(x, y));
        }
    });
    app
}

/// Slint's font library panics when fontconfig knows no font at all; that is a fault to report, not a crash.
fn with_fonts<T>(make: impl FnOnce() -> Result<T, ScreenError>) -> Result<T, ScreenError> {
    catch_unwind(AssertUnwindSafe(make)).map_err(|_| ScreenError::NoFont)?
}

/// Screenfuls of operators that a simulated finger turns at most; no site has so many.
const ATTEMPTS_MAX: usize = 64;
/// Enough for the event loop to run the bindings that wait.
const LOOP_TURN: Duration = Duration::from_millis(20);
