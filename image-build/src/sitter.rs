//! Who sits before the virtual camera: a stick with generated frames, and Debian's `v4l2-ctl`, which feeds them into the
//! kernel's `vivid`. None of it is in the image.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use people::{Person, Pose};

use crate::fault::Fault;
use crate::root::{copy, write};
use crate::stick::stick;
use crate::workshop::{Workshop, run};

/// A stick with somebody who sits still, and the script `feed` that shows them to the camera for as long as it runs.
pub fn sitter(shop: &Workshop, suite: &str, person: &Person) -> Result<PathBuf, Fault> {
    let tools = tools(shop, suite)?;
    stick(shop, "sitter", "SITTER", |onto| {
        copy(&tools.join("usr/bin/v4l2-ctl"), &onto.join("v4l2-ctl"))?;
        for library in LIBRARIES {
            copy(&tools.join("usr/lib/aarch64-linux-gnu").join(library), &onto.join(library))?;
        }
        write(&onto.join("feed"), FEED)?;
        frames(person, &onto.join("frames.yuv"))
    })
}

fn tools(shop: &Workshop, suite: &str) -> Result<PathBuf, Fault> {
    let product = shop.path("v4l-utils");
    shop.step("tools for the virtual camera", &[suite.to_owned()], &product, |fresh| {
        let mut debian = shop.debian("arm64", "extract");
        run(debian.arg("--include=v4l-utils").arg(suite).arg(fresh)).map(drop)
    })?;
    Ok(product)
}

/// Frames of one who sits still: no two are alike, as of a real sensor.
fn frames(person: &Person, file: &Path) -> Result<(), Fault> {
    let mut out = fs::File::create(file).map_err(|e| Fault::write(file, e))?;
    for seed in 0..FRAMES {
        let frame = person.frame(&Pose::default(), seed);
        out.write_all(&yuyv(frame.as_raw())).map_err(|e| Fault::write(file, e))?;
    }
    Ok(())
}

/// Red, green, blue to BT.601 with limited range, two pixels in four bytes.
fn yuyv(rgb: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rgb.len() / 3 * 2);
    for pair in rgb.chunks_exact(6) {
        let [r0, g0, b0, r1, g1, b1] = [0, 1, 2, 3, 4, 5].map(|i| i32::from(pair[i]));
        let luma = |r: i32, g: i32, b: i32| ((66 * r + 129 * g + 25 * b + 128) >> 8) + 16;
        let (r, g, b) = ((r0 + r1) / 2, (g0 + g1) / 2, (b0 + b1) / 2);
        let blue = ((-38 * r - 74 * g + 112 * b + 128) >> 8) + 128;
        let red = ((112 * r - 94 * g - 18 * b + 128) >> 8) + 128;
        let four = [luma(r0, g0, b0), blue, luma(r1, g1, b1), red];
        bytes.extend(four.map(|value| value.clamp(0, 255) as u8));
    }
    bytes
}

const LIBRARIES: [&str; 5] =
    ["libv4l2.so.0", "libv4lconvert.so.0", "libjpeg.so.62", "libstdc++.so.6", "libgcc_s.so.1"];
/// Connects the driver's output with its input, both with the smallest signal that it can do, and plays the frames. Sixty
/// a second are more than an emulated processor can look at: most are dropped before the driver draws them.
const FEED: &str = r#"here=$1
export LD_LIBRARY_PATH=$here
# Nothing asks for a test driver by itself.
modprobe vivid
until [ -e /dev/video1 ]; do sleep 1; done
in="$here/v4l2-ctl -d /dev/video0" out="$here/v4l2-ctl -d /dev/video1"
for node in "$in" "$out"; do $node --set-dv-bt-timings index=0; done
output=$($in -L | sed -n 's/^[[:space:]]*\([0-9]*\): HDMI 000-0.*/\1/p' | head -n 1)
$in --set-ctrl "hdmi_000_0_is_connected_to=${output:-2}" --set-ctrl osd_text_mode=2 \
	--set-ctrl percentage_of_dropped_buffers=85
$in --set-fmt-video width=640,height=480,pixelformat=YUYV
$out --set-fmt-video-out width=640,height=480,pixelformat=YUYV
echo "look: somebody sits down"
exec $out --stream-out-mmap=3 --stream-from "$here/frames.yuv" --stream-loop > /dev/null
"#;
const FRAMES: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_come_out() {
        assert_eq!(yuyv(&[0; 6]), [16, 128, 16, 128]);
        assert_eq!(yuyv(&[255; 6]), [235, 128, 235, 128]);
        assert_eq!(yuyv(&[255, 0, 0, 255, 0, 0]), [82, 90, 82, 240]);
    }
}
