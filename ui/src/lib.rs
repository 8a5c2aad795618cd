//! Screens: draws the view model of `kiosk-core` and reports taps as its `Tap`.
//!
//! Nothing here decides. Words are in `locales`, sizes and colours in `theme.slint`, one page a file in `pages`.

mod adapter;
pub mod catalogue;
mod generated;
mod headless;
mod picture;
mod proxy;
mod screen;
mod taps;

pub use proxy::Proxy;
pub use screen::{Screen, ScreenError};
