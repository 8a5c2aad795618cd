//! The running simulator: the counter's devices on ptys, a control socket, a script, and
//! one loop that waits for whatever comes next.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing::{debug, warn};

use crate::counter::{Counter, Setup};
use crate::pty::Pty;
use crate::script::{DeviceName, Order, OrderError};

/// What the simulator is told at its start.
#[derive(Debug, Clone)]
pub struct BenchSetup {
    /// The devices and the people.
    pub counter: Setup,
    /// Folder for the ptys, the control socket and `printer.out`.
    pub dir: PathBuf,
    /// Orders to carry out from the beginning.
    pub script: Vec<Order>,
    /// Whether to end when standard input closes.
    pub until_stdin_closes: bool,
}

/// The simulator with all its files open.
pub struct Bench {
    counter: Counter,
    is_paced: bool,
    dir: PathBuf,
    ptys: [Option<Pty>; 3],
    /// What the kiosk has not taken yet: a pty holds only a few kilobytes.
    outboxes: [Vec<u8>; 3],
    paper: File,
    listener: UnixListener,
    clients: Vec<Client>,
    script: Orders,
    stdin: Option<io::Stdin>,
    began: Instant,
    must_quit: bool,
}

impl Bench {
    /// Opens everything under the folder.
    pub fn open(setup: BenchSetup) -> io::Result<Self> {
        let dir = setup.dir;
        fs::create_dir_all(&dir)?;
        let control = dir.join("control");
        let _ = fs::remove_file(&control);
        let listener = UnixListener::bind(&control)?;
        listener.set_nonblocking(true)?;
        let mut paper = OpenOptions::new();
        let paper = paper.create(true).append(true).open(dir.join("printer.out"))?;
        let mut ptys = [None, None, None];
        for (pty, name) in ptys.iter_mut().zip(DeviceName::ALL) {
            *pty = Some(Pty::new(&dir.join(name.text()))?);
        }
        Ok(Self {
            counter: Counter::new(setup.counter),
            is_paced: setup.counter.is_paced,
            dir,
            ptys,
            outboxes: Default::default(),
            paper,
            listener,
            clients: Vec::new(),
            script: Orders::of_script(setup.script),
            stdin: setup.until_stdin_closes.then(io::stdin),
            began: Instant::now(),
            must_quit: false,
        })
    }

    /// Runs until `QUIT`, or until standard input closes if it was told so.
    pub fn run(mut self) -> io::Result<()> {
        while !self.must_quit {
            self.run_orders();
            self.deliver()?;
            let ready = self.wait()?;
            self.take_in(&ready)?;
        }
        // A socket that nobody listens to refuses; one that a later simulator made under this name stays.
        Ok(())
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Bytes from the devices to the kiosk, and from the printer to its paper.
    fn deliver(&mut self) -> io::Result<()> {
        let now = self.now();
        for name in DeviceName::ALL {
            let Some(pty) = &self.ptys[name as usize] else {
                continue;
            };
            let host_baud_hz = pty.host_baud_hz();
            let bytes = match name {
                DeviceName::IdCard => self.counter.id_card.arrived(host_baud_hz, now),
                DeviceName::Fingerprint => self.counter.fingerprint.arrived(host_baud_hz, now),
                DeviceName::Printer => self.counter.printer.arrived(host_baud_hz, now),
            };
            let outbox = &mut self.outboxes[name as usize];
            outbox.extend(bytes);
            let n = pty.write(outbox)?;
            outbox.drain(..n);
            // Nobody listens: the bytes are lost, as on a wire.
            if outbox.len() > OUTBOX_MAX {
                outbox.clear();
            }
        }
        let printed = self.counter.printer.device.take_printed();
        self.paper.write_all(&printed)
    }

    fn next_due(&self) -> Option<Duration> {
        let dues = [
            self.counter.id_card.next_due(),
            self.counter.fingerprint.next_due(),
            self.counter.printer.next_due(),
            self.script.next_due(),
        ];
        let of_clients = self.clients.iter().map(|client| client.orders.next_due());
        dues.into_iter().chain(of_clients).flatten().min()
    }

    /// Waits for the next thing to happen; gives which inputs have something.
    fn wait(&self) -> io::Result<Ready> {
        let now = self.now();
        let time = self.next_due().map(|due| due.saturating_sub(now));
        // Not longer than this, to look after the exclusive marks.
        let time = time.unwrap_or(IDLE_MAX).min(IDLE_MAX);
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        let mut fds = vec![PollFd::new(&self.listener, PollFlags::IN)];
        let all_ptys = self.ptys.iter().zip(&self.outboxes).filter_map(|(pty, outbox)| {
            let mut what = PollFlags::IN;
            what.set(PollFlags::OUT, !outbox.is_empty());
            Some((pty.as_ref()?.as_fd(), what))
        });
        let all_clients = self.clients.iter().map(|client| client.stream.as_fd());
        let stdin = self.stdin.as_ref().map(|stdin| stdin.as_fd());
        let others = all_clients.chain(stdin).map(|fd| (fd, PollFlags::IN));
        let rest: Vec<(BorrowedFd<'_>, PollFlags)> = all_ptys.chain(others).collect();
        fds.extend(rest.iter().map(|(fd, what)| PollFd::new(fd, *what)));
        match poll(&mut fds, Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let hit = |fd: &PollFd<'_>| !fd.revents().is_empty();
        Ok(Ready {
            is_listener: hit(&fds[0]),
            is_stdin: self.stdin.is_some() && fds.last().is_some_and(hit),
        })
    }

    fn take_in(&mut self, ready: &Ready) -> io::Result<()> {
        let now = self.now();
        for name in DeviceName::ALL {
            let Some(pty) = &self.ptys[name as usize] else {
                continue;
            };
            pty.forget_owner();
            let bytes = pty.read()?;
            if bytes.is_empty() {
                continue;
            }
            let host_baud_hz = pty.host_baud_hz();
            match name {
                DeviceName::IdCard => self.counter.id_card.receive(&bytes, host_baud_hz, now),
                DeviceName::Fingerprint => {
                    self.counter.fingerprint.receive(&bytes, host_baud_hz, now);
                }
                DeviceName::Printer => self.counter.printer.receive(&bytes, host_baud_hz, now),
            }
        }
        if ready.is_listener {
            self.welcome();
        }
        if ready.is_stdin {
            let mut some = [0; 256];
            self.must_quit |= io::stdin().read(&mut some)? == 0;
        }
        self.clients.retain_mut(Client::read);
        Ok(())
    }

    fn welcome(&mut self) {
        match self.listener.accept() {
            Ok((stream, _)) if stream.set_nonblocking(true).is_ok() => {
                self.clients.push(Client::new(stream));
            }
            Ok(_) => {}
            Err(error) => debug!(%error, "no client after all"),
        }
    }

    fn run_orders(&mut self) {
        let mut script = std::mem::take(&mut self.script);
        self.run_queue(&mut script, |answer| {
            if answer != "ok" {
                warn!(answer, "script line");
            }
        });
        self.script = script;
        let mut clients = std::mem::take(&mut self.clients);
        for client in &mut clients {
            let stream = &mut client.stream;
            self.run_queue(&mut client.orders, |answer| {
                // A client that has gone misses its answer.
                let _ = writeln!(stream, "{answer}");
            });
        }
        self.clients.append(&mut clients);
    }

    fn run_queue(&mut self, orders: &mut Orders, mut answer: impl FnMut(&str)) {
        while let Some(order) = orders.next(self.now()) {
            let result = match order {
                Ok(Order::Sleep(time)) => {
                    orders.sleeps_until = Some(self.now() + time);
                    return;
                }
                Ok(order) => self.obey(&order),
                Err(error) => Err(error.to_string()),
            };
            match result {
                Ok(text) => answer(&text),
                Err(text) => answer(&format!("error {text}")),
            }
        }
        if std::mem::take(&mut orders.has_slept) {
            answer("ok");
        }
    }

    fn obey(&mut self, order: &Order) -> Result<String, String> {
        let now = self.now();
        match order {
            Order::Unplug(name) => {
                self.ptys[*name as usize] = None;
                self.outboxes[*name as usize].clear();
                match name {
                    DeviceName::IdCard => self.counter.id_card.unplug(),
                    DeviceName::Fingerprint => self.counter.fingerprint.unplug(),
                    DeviceName::Printer => self.counter.printer.unplug(),
                }
            }
            Order::Replug(name) => {
                if self.ptys[*name as usize].is_none() {
                    let pty = Pty::new(&self.dir.join(name.text()));
                    self.ptys[*name as usize] = Some(pty.map_err(|e| e.to_string())?);
                    if self.is_paced {
                        let silence = Order::Silence(*name, POWER_ON);
                        self.counter.obey(&silence, now).map_err(|e| e.to_string())?;
                    }
                }
            }
            Order::Status => return Ok(self.status()),
            Order::Quit => self.must_quit = true,
            other => self.counter.obey(other, now).map_err(|e| e.to_string())?,
        }
        Ok("ok".to_owned())
    }

    fn status(&self) -> String {
        let plug = |name: DeviceName| match &self.ptys[name as usize] {
            Some(pty) => format!("{name} plugged at {}", pty.host_baud_hz()),
            None => format!("{name} unplugged"),
        };
        let plugs = DeviceName::ALL.map(plug).join(", ");
        let card = self.counter.id_card.device.has_card();
        let finger = self.counter.fingerprint.device.has_finger();
        format!("ok {plugs}, card {card}, finger {finger}")
    }
}

/// Reads a script: one order a line, `#` begins a note.
pub fn parse_script(text: &str) -> Result<Vec<Order>, (usize, OrderError)> {
    let lines = text.lines().enumerate();
    let lines = lines.map(|(i, line)| (i + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(n, line)| line.parse().map_err(|e| (n, e))).collect()
}

/// Reads the script file; the error text names the line.
pub fn read_script(path: &Path) -> Result<Vec<Order>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    parse_script(&text).map_err(|(line, e)| format!("{}:{line}: {e}", path.display()))
}

struct Ready {
    is_listener: bool,
    is_stdin: bool,
}

/// Orders that wait their turn.
#[derive(Default)]
struct Orders {
    waiting: VecDeque<Result<Order, OrderError>>,
    sleeps_until: Option<Duration>,
    has_slept: bool,
}

impl Orders {
    fn of_script(script: Vec<Order>) -> Self {
        Self { waiting: script.into_iter().map(Ok).collect(), ..Self::default() }
    }

    fn next(&mut self, now: Duration) -> Option<Result<Order, OrderError>> {
        if let Some(until) = self.sleeps_until {
            if now < until {
                return None;
            }
            self.sleeps_until = None;
            self.has_slept = true;
            // The answer to SLEEP goes out before the next order is carried out.
            return None;
        }
        self.waiting.pop_front()
    }

    fn next_due(&self) -> Option<Duration> {
        let at_once = (!self.waiting.is_empty()).then_some(Duration::ZERO);
        self.sleeps_until.or(at_once)
    }
}

/// Somebody on the control socket.
struct Client {
    stream: UnixStream,
    received: Vec<u8>,
    orders: Orders,
}

impl Client {
    fn new(stream: UnixStream) -> Self {
        Self { stream, received: Vec::new(), orders: Orders::default() }
    }

    /// Reads whole lines; `false` when the client has gone and nothing is left to do.
    fn read(&mut self) -> bool {
        let mut some = [0; 1024];
        let is_open = match self.stream.read(&mut some) {
            Ok(0) => false,
            Ok(n) => {
                self.received.extend_from_slice(&some[..n]);
                true
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        while let Some(end) = self.received.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.received.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            self.orders.waiting.push_back(line.trim().parse());
        }
        is_open || !self.orders.waiting.is_empty()
    }
}

/// More than the largest reply at the largest speed.
const OUTBOX_MAX: usize = 1 << 20;
const IDLE_MAX: Duration = Duration::from_millis(200);
/// A device says nothing for so long after it got power.
const POWER_ON: Duration = Duration::from_millis(300);
