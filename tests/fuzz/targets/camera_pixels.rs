//! Frames of cameras: cut or damaged ones give nothing, whole ones a picture of the size that was asked for.
#![no_main]

use drivers::camera::pixels::{PixelFormat, to_rgb};
use fuzz::Script;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let format = match script.byte() % 4 {
        0 => PixelFormat::Yuyv,
        1 => PixelFormat::Nv12,
        _ => PixelFormat::Mjpeg,
    };
    let (width, height) = (u32::from(script.byte()), u32::from(script.byte()));
    let stride = usize::from(script.byte()) * 2;
    let frame = bytes.get(4..).unwrap_or_default();
    if let Some(image) = to_rgb(format, frame, width, height, stride) {
        assert_eq!(image.dimensions(), (width, height));
    }
});
