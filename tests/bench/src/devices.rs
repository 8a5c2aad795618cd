//! The drivers on the paced lines of the simulated counter, over real ptys: how close a card read and a fingerprint
//! upload come to what the wire and the device itself need, and what the processor does while nobody is there.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use drivers::fingerprint::{self, Capture, Progress, Sensor};
use drivers::id_card::{self, Poll, Reader};
use drivers::link::{LinkConfig, RecordingLink};
use drivers::printer::{self, Printer};

use crate::beside;
use crate::clock::{Timed, one};
use crate::table::{Against, Table};

/// Measures all three; the simulator's files go under `dir`.
pub(crate) fn measure(table: &mut Table, dir: &Path) -> Result<(), Box<dyn Error>> {
    let counter = Counter::start(dir)?;
    card(table, &counter)?;
    finger(table, &counter)?;
    idle(table, &counter)
}

/// From the first request to the believed card, of a reader that is open. The simulated reader answers at once here, so
/// that all of the time is the wire's and ours; what is held against us is the bytes of both directions and nothing else.
fn card(table: &mut Table, counter: &Counter) -> Result<(), Box<dyn Error>> {
    let lines = Lines::default();
    let link = counter.link("id-card").open(CARD_HZ)?;
    let link = RecordingLink::new(link, Box::new(lines.clone()));
    let mut reader = Reader::over(Box::new(link), id_card::Settings::default())?;
    let (mut ours, mut least) = (Vec::new(), Vec::new());
    counter.order("WORK OFF")?;
    for person in 0..CARDS {
        counter.order("CARD OFF")?;
        while !matches!(reader.poll()?, Poll::NoCard) {}
        counter.order(&format!("CARD {person}"))?;
        lines.take();
        let (millis, found) = one(|| Ok(reader.poll()?))?;
        if !matches!(found, Poll::Card(_)) {
            return Err(format!("{found:?} instead of a card").into());
        }
        ours.push(millis);
        least.push(card_least_ms(&lines.take()));
    }
    counter.order("CARD OFF")?;
    counter.order("WORK ON")?;
    let name = format!("bytes of both directions at {CARD_HZ} baud");
    let least = Timed::of(least).median_ms;
    table.time("device-card-read", Timed::of(ours), Against::Millis(least, name));
    Ok(())
}

/// What no driver can go below, from the capture lines of one read.
fn card_least_ms(lines: &str) -> f64 {
    let moves = lines.lines().filter_map(|line| line.split_once(" > ").or(line.split_once(" < ")));
    let n_bytes: usize = moves.map(|(_, hex)| hex.len() / 2).sum();
    wire_ms(n_bytes, CARD_HZ)
}

/// From the request for the image to its last pixel, 256 x 288 of them in four bits each.
fn finger(table: &mut Table, counter: &Counter) -> Result<(), Box<dyn Error>> {
    let settings = fingerprint::Settings::default();
    let mut sensor = Sensor::open(&counter.link("fingerprint"), settings)?;
    let baud_hz = sensor.parameters()?.baud_hz;
    let mut ours = Vec::new();
    for impression in 0..FINGERS {
        counter.order("FINGER OFF")?;
        sensor.finger_off(Instant::now() + PATIENCE)?;
        counter.order(&format!("FINGER 1 right-index {impression}"))?;
        let mut began = None;
        let captured = sensor.capture(Instant::now() + PATIENCE, &mut |progress| {
            if progress == Progress::Uploading(0.0) {
                began = Some(Instant::now());
            }
        })?;
        let (Capture::Image(_), Some(began)) = (captured, began) else {
            return Err("no image of a finger that lies there".into());
        };
        ours.push(began.elapsed().as_secs_f64() * 1e3);
    }
    counter.order("FINGER OFF")?;
    // Request and ack of twelve bytes each, and packets of 256 with eleven around them.
    let least = wire_ms(24 + 256 * 288 / 2 + 144 * 11, baud_hz);
    let name = format!("its bytes at {baud_hz} baud");
    table.time("device-finger-upload", Timed::of(ours), Against::Millis(least, name));
    Ok(())
}

/// Everything polled as often as while somebody is awaited, and nobody there: the share of one core.
fn idle(table: &mut Table, counter: &Counter) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::open(&counter.link("id-card"), id_card::Settings::default())?;
    let settings = fingerprint::Settings::default();
    let mut sensor = Sensor::open(&counter.link("fingerprint"), settings)?;
    let mut printer = Printer::open(&counter.link("printer"), printer::Settings::default())?;
    let (began, before) = (Instant::now(), busy()?);
    let mut n_polls = 0;
    while began.elapsed() < IDLE {
        reader.poll()?;
        sensor.finger_off(Instant::now())?;
        if n_polls % POLLS_PER_STATUS == 0 {
            printer.status()?;
        }
        n_polls += 1;
        thread::sleep(POLL_EVERY);
    }
    let share = (busy()? - before).as_secs_f64() / began.elapsed().as_secs_f64();
    table.number("device-idle-processor", share * 100.0, "%", n_polls);
    Ok(())
}

/// Time that this thread has had a processor.
fn busy() -> Result<Duration, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = stat.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanos))
}

fn wire_ms(n_bytes: usize, baud_hz: u32) -> f64 {
    n_bytes as f64 * 10.0 / f64::from(baud_hz) * 1e3
}

/// The simulator at the pace of real devices.
struct Counter {
    sim: Child,
    dir: PathBuf,
}

impl Counter {
    fn start(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let dir = dir.join("devices");
        fs::create_dir_all(&dir)?;
        let mut sim = Command::new(beside("device-sim")?)
            .arg("--dir")
            .arg(&dir)
            .args(["--seed", "11", "--people", "16", "--until-stdin-closes"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = sim.stdout.take().ok_or("the simulator has no output")?;
        let counter = Self { sim, dir };
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        if line != "ready\n" {
            return Err("the simulator does not start".into());
        }
        Ok(counter)
    }

    fn link(&self, name: &str) -> LinkConfig {
        LinkConfig::serial(self.dir.join(name))
    }

    fn order(&self, line: &str) -> Result<(), Box<dyn Error>> {
        let mut stream = UnixStream::connect(self.dir.join("control"))?;
        writeln!(stream, "{line}")?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        if answer == "ok\n" { Ok(()) } else { Err(format!("{line}: {answer}").into()) }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        drop(self.sim.stdin.take());
        let _ = self.sim.wait();
    }
}

/// Capture lines in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn take(&self) -> String {
        let lines = std::mem::take(&mut *self.0.lock().expect("nobody panics while writing"));
        String::from_utf8(lines).expect("capture lines are text")
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics while writing").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const CARD_HZ: u32 = 115_200;
const CARDS: u32 = 9;
const FINGERS: u32 = 5;
/// Where the request's two bytes stand in the hexadecimal text of its frame.
const PATIENCE: Duration = Duration::from_secs(20);
const IDLE: Duration = Duration::from_secs(20);
/// As the terminal polls while it waits for a card.
const POLL_EVERY: Duration = Duration::from_millis(300);
const POLLS_PER_STATUS: usize = 10;
