//! A whole fingerprint module that answers whatever it likes: an image has the right size or there is none.
#![no_main]

use std::time::Duration;

use drivers::fingerprint::profile::PROFILES;
use drivers::fingerprint::{Capture, Light, Sensor, Settings};
use drivers::link::Link;
use fuzz::{Answer, Line, Script, finger_packet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let burst = 1 + 4 * usize::from(script.byte());
    let profile = &PROFILES[usize::from(script.byte()) % PROFILES.len()];
    let asks_opinion = script.byte() % 2 == 1;
    let size = profile.upload_size();
    let line = Line::new(burst, move |request| answer(request, &mut script, size));
    let deadline = line.now() + Duration::from_secs(60);
    let settings = Settings { profile, asks_opinion, ..Settings::default() };
    let Ok(mut sensor) = Sensor::over(Box::new(line), settings) else { return };
    for _ in 0..CAPTURES {
        let _ = sensor.light(Light::Waiting);
        if let Ok(Capture::Image(image)) = sensor.capture(deadline, &mut |_| ()) {
            assert_eq!(image.pixels.len(), (profile.width * profile.height) as usize);
        }
    }
});

fn answer(request: &[u8], script: &mut Script, size: usize) -> Answer {
    let code = request.get(9).copied().unwrap_or(0);
    let good = match code {
        0x0F => finger_packet(7, &[0, 0, 0, 0, 9, 0, 200, 0, 3, 255, 255, 255, 255, 0, 3, 0, 12]),
        _ => finger_packet(7, &[0]),
    };
    match script.byte() {
        0..=159 if code == 0x0A => bytes([good, image(script, size)].concat(), 5),
        0..=159 => bytes(good, 5),
        160..=191 => bytes(finger_packet(7, &[script.byte()]), 5),
        192..=207 => {
            let n = usize::from(script.byte());
            bytes(finger_packet(script.byte() % 10, &script.take(n)), 5)
        }
        208..=223 => {
            let n = usize::from(script.byte());
            bytes(script.take(n), 5)
        }
        224..=239 => bytes(good, u64::from(script.byte()) * 20),
        240..=250 => bytes(Vec::new(), 0),
        _ => Answer::Gone,
    }
}

/// The packets of an upload; each may be damaged, short, too early the last one, or something else.
fn image(script: &mut Script, size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut left = size;
    while left > 0 {
        let n = left.min(256);
        left -= n;
        let kind = if left == 0 { 8 } else { 2 };
        let fill = vec![0x5A; n];
        match script.byte() {
            0..=230 => out.extend(finger_packet(kind, &fill)),
            231..=235 => out.extend(finger_packet(kind, &fill[..n / 2])),
            236..=240 => out.extend(finger_packet(8, &fill)),
            241..=244 => out.extend(finger_packet(2, &fill)),
            245..=248 => {
                let mut packet = finger_packet(kind, &fill);
                let at = usize::from(script.byte()) % packet.len();
                packet[at] ^= script.byte();
                out.extend(packet);
            }
            249..=251 => out.extend(finger_packet(7, &[script.byte()])),
            252 | 253 => out.extend(script.take(4)),
            _ => return out,
        }
    }
    out
}

fn bytes(bytes: Vec<u8>, millis: u64) -> Answer {
    Answer::Bytes(bytes, Duration::from_millis(millis))
}

const CAPTURES: usize = 3;
