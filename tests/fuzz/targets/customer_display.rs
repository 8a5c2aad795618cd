//! The customer's display: any text id, numbers, progress and code on a glass of any size are drawn or refused, and only
//! the part that changed is named.
#![no_main]

use drivers::display::{Canvas, Look, Picture, Prompt, Qr, Scene};
use embedded_graphics::geometry::Size;
use fuzz::Script;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let side = |script: &mut Script| u32::from(script.byte()) + u32::from(script.byte() % 2) * 80;
    let size = Size::new(side(&mut script), side(&mut script));
    let look = if script.byte() % 2 == 1 { Look::Mono } else { Look::Colour };
    let mut before = Canvas::new(size);
    for _ in 0..SCENES {
        let scene = scene(&mut script);
        let mut canvas = Canvas::new(size);
        scene.draw(&mut canvas, look);
        let changed = canvas.difference(&before);
        assert!(changed.size.width <= size.width && changed.size.height <= size.height);
        before = canvas;
    }
});

fn scene(script: &mut Script) -> Scene {
    let ids: Vec<&str> = Prompt::ids().collect();
    let id = ids[usize::from(script.byte()) % ids.len()];
    let n = usize::from(script.byte() % 3);
    let numbers: Vec<u32> = (0..n).map(|_| u32::from(script.byte()) << (script.byte() % 25)).collect();
    let prompt = Prompt::new(id, &numbers).or_else(|_| Prompt::new(id, &[]));
    let picture = match script.byte() % 3 {
        0 => None,
        1 => Some(Picture::Progress(script.byte())),
        _ => {
            let n = usize::from(script.byte()) * usize::from(script.byte() % 16);
            Qr::new(&script.take(n)).ok().map(Picture::Qr)
        }
    };
    Scene { prompt: prompt.ok(), picture }
}

const SCENES: usize = 2;
