//! The card's photo block is in a closed format, so a separate program decodes it: the
//! agency's own decoder, or the named stand-in of the simulator. The program gets 1024
//! bytes and gives a BMP; it may hang, crash or lie without harm to us.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use image::RgbImage;
use rustix::process::Signal;

use crate::helper;
use crate::photo_loader::Fault;

/// The decoder program and its time limit.
#[derive(Debug, Clone)]
pub struct PhotoDecoder {
    /// Program and its arguments.
    pub program: Vec<String>,
    /// Longest time for one photo; the program is killed then.
    pub deadline: Duration,
}

/// There is no photo. The raw block is still there and can be decoded elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    /// No program is set, or it cannot be started.
    #[error("photo decoder cannot be started")]
    Missing(#[source] io::Error),
    /// The program took too long and was killed.
    #[error("photo decoder took too long")]
    TimedOut,
    /// The program ended without a photo: it does not know this block.
    #[error("photo decoder refused the block ({0})")]
    Refused(String),
    /// A signal ended the program.
    #[error("photo decoder crashed (signal {0})")]
    Crashed(i32),
    /// Our own program that loads a vendor's library says what is wrong with it.
    #[error(transparent)]
    Told(Fault),
    /// The program's output is no picture of a card.
    #[error("photo decoder gave {0}")]
    BadOutput(&'static str),
}

impl PhotoDecoder {
    /// A decoder with the usual limit of two seconds.
    pub fn new(program: Vec<String>) -> Self {
        Self { program, deadline: DEADLINE }
    }

    /// Decodes `block`, 1024 bytes, to a picture of 102 x 126 pixels.
    pub fn decode(&self, block: &[u8]) -> Result<RgbImage, PhotoError> {
        let mut child = Decoding(self.start()?);
        let by = Instant::now() + self.deadline;
        let bmp = exchange(&mut child.0, block, self.deadline)?;
        if bmp.len() > BMP_SIZE {
            return Err(PhotoError::BadOutput("more than a picture"));
        }
        let status = wait(&mut child.0, by)?;
        if !status.success() {
            return Err(failure(status));
        }
        parse_bmp(&bmp)
    }

    fn start(&self) -> Result<Child, PhotoError> {
        let missing = || PhotoError::Missing(io::ErrorKind::NotFound.into());
        let (program, arguments) = self.program.split_first().ok_or_else(missing)?;
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A group of its own, so that its children die with it.
            .process_group(0)
            .spawn()
            .map_err(PhotoError::Missing)
    }
}

impl PhotoError {
    /// A stable name for messages, logs and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "photo-decoder-missing",
            Self::TimedOut => "photo-decoder-timed-out",
            Self::Refused(_) => "photo-decoder-refused",
            Self::Crashed(_) => "photo-decoder-crashed",
            Self::Told(fault) => fault.code(),
            Self::BadOutput(_) => "photo-decoder-bad-output",
        }
    }
}

/// A running decoder; it and its children end when this goes.
struct Decoding(Child);

impl Drop for Decoding {
    fn drop(&mut self) {
        helper::end(&mut self.0);
    }
}

/// Writes the block and reads the answer on a thread of its own each: a program that
/// reads nothing must not stop us from reading, and neither may outlast the limit.
fn exchange(child: &mut Child, block: &[u8], limit: Duration) -> Result<Vec<u8>, PhotoError> {
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let stdout = child.stdout.take().expect("stdout is piped");
    let block = block.to_vec();
    thread::spawn(move || {
        // A program that does not want the block says so by its exit.
        let _ = stdin.write_all(&block);
    });
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let mut bmp = Vec::new();
        let read = stdout.take(BMP_SIZE as u64 + 1).read_to_end(&mut bmp);
        let _ = done.send(read.map(|_| bmp));
    });
    match result.recv_timeout(limit) {
        Ok(Ok(bmp)) => Ok(bmp),
        Ok(Err(_)) => Err(PhotoError::BadOutput("a broken pipe")),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            Err(PhotoError::TimedOut)
        }
    }
}

/// A program of ours ends itself by a signal when its time is up.
fn failure(status: ExitStatus) -> PhotoError {
    let ran_out = [Signal::ALARM.as_raw(), Signal::XCPU.as_raw()];
    match (status.code().and_then(Fault::told_by), status.signal()) {
        (Some(Fault::Refused), _) | (None, None) => PhotoError::Refused(status.to_string()),
        (Some(fault), _) => PhotoError::Told(fault),
        (None, Some(signal)) if ran_out.contains(&signal) => PhotoError::TimedOut,
        (None, Some(signal)) => PhotoError::Crashed(signal),
    }
}

fn wait(child: &mut Child, by: Instant) -> Result<ExitStatus, PhotoError> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() >= by => return Err(PhotoError::TimedOut),
            Ok(None) => thread::sleep(EXIT_POLL),
            Err(error) => return Err(PhotoError::Refused(error.to_string())),
        }
    }
}

/// Takes exactly the BMP that card decoders give: 102 x 126, 24 bits, no compression.
pub fn parse_bmp(bmp: &[u8]) -> Result<RgbImage, PhotoError> {
    let half = |i: usize| u16::from_le_bytes([bmp[i], bmp[i + 1]]);
    let word = |i: usize| i32::from_le_bytes([bmp[i], bmp[i + 1], bmp[i + 2], bmp[i + 3]]);
    if bmp.len() != BMP_SIZE || !bmp.starts_with(b"BM") || word(10) != BMP_HEADER as i32 {
        return Err(PhotoError::BadOutput("no BMP of the right size"));
    }
    let (width, height) = (word(18), word(22));
    if width != WIDTH as i32 || height.unsigned_abs() != HEIGHT {
        return Err(PhotoError::BadOutput("a picture of other measures"));
    }
    if half(28) != 24 || word(30) != 0 {
        return Err(PhotoError::BadOutput("a BMP of another kind"));
    }
    let row_at = |y: u32| {
        let stored = if height > 0 { HEIGHT - 1 - y } else { y };
        BMP_HEADER + stored as usize * ROW_SIZE
    };
    Ok(RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let at = row_at(y) + 3 * x as usize;
        image::Rgb([bmp[at + 2], bmp[at + 1], bmp[at]])
    }))
}

/// Width of a card photo in pixels.
pub const WIDTH: u32 = 102;
/// Height of a card photo in pixels.
pub const HEIGHT: u32 = 126;
const BMP_HEADER: usize = 54;
/// Three bytes a pixel and two of padding.
const ROW_SIZE: usize = WIDTH as usize * 3 + 2;
const BMP_SIZE: usize = BMP_HEADER + HEIGHT as usize * ROW_SIZE;
const DEADLINE: Duration = Duration::from_secs(2);
const EXIT_POLL: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_bmp_comes_back_the_right_way_up() {
        let mut bmp = header();
        bmp[BMP_SIZE - ROW_SIZE..BMP_SIZE - ROW_SIZE + 3].copy_from_slice(&[1, 2, 3]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bmp).unwrap();
        let picture = run(&format!("cat > /dev/null; cat {}", file.path().display())).unwrap();
        assert_eq!(picture.get_pixel(0, 0).0, [3, 2, 1]);
    }

    #[test]
    fn what_a_decoder_may_do_wrong_is_told_and_harms_nothing() {
        assert_eq!(code("exit 3"), "photo-decoder-refused");
        assert_eq!(code("kill -SEGV $$"), "photo-decoder-crashed");
        assert_eq!(code("exit 80"), "photo-library-missing");
        assert_eq!(code("echo BM"), "photo-decoder-bad-output");
        assert_eq!(code("cat /dev/zero"), "photo-decoder-bad-output");
        assert_eq!(code("head -c 38862 /dev/zero"), "photo-decoder-bad-output");
        let none = PhotoDecoder::new(vec!["no-such-program-here".into()]);
        assert!(matches!(none.decode(&[0; 1024]), Err(PhotoError::Missing(_))));
        let none = PhotoDecoder::new(vec![]);
        assert!(matches!(none.decode(&[0; 1024]), Err(PhotoError::Missing(_))));
    }

    #[test]
    fn a_decoder_that_hangs_is_killed_with_its_children() {
        let began = Instant::now();
        let mut decoder = shell("sleep 600 & sleep 600");
        decoder.deadline = Duration::from_millis(100);
        assert!(matches!(decoder.decode(&[0; 1024]), Err(PhotoError::TimedOut)));
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    fn header() -> Vec<u8> {
        let mut bmp = vec![0; BMP_SIZE];
        bmp[..2].copy_from_slice(b"BM");
        bmp[10] = 54;
        bmp[14] = 40;
        bmp[18] = 102;
        bmp[22] = 126;
        bmp[26] = 1;
        bmp[28] = 24;
        bmp
    }

    fn run(script: &str) -> Result<RgbImage, PhotoError> {
        let mut decoder = shell(script);
        decoder.deadline = Duration::from_secs(20);
        decoder.decode(&[0; 1024])
    }

    fn code(script: &str) -> &'static str {
        run(script).unwrap_err().code()
    }

    fn shell(script: &str) -> PhotoDecoder {
        PhotoDecoder::new(vec!["sh".into(), "-c".into(), script.into()])
    }
}
