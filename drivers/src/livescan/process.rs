//! The plug-in process seen from the driver: started, asked, given up when it is late, and
//! ended with everything it started.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::frame::{Parser, Reply, Request};
use super::library::{EXIT_MISSING, EXIT_UNCONFINED, EXIT_UNFIT, SIDE_MAX, SIDE_MIN};
use super::{LivescanError, Settings, Source, Window};
use crate::helper;

/// The plug-in, running or to be started.
pub(super) struct Plugin {
    command: Vec<String>,
    channel: u8,
    open_max: Duration,
    frame_max: Duration,
    running: Option<Running>,
}

struct Running {
    child: Child,
    requests: ChildStdin,
    replies: ChildStdout,
    parser: Parser,
}

impl Plugin {
    pub fn new(settings: &Settings) -> Self {
        Self {
            command: settings.command.clone(),
            channel: settings.channel,
            open_max: settings.open_max,
            frame_max: settings.frame_max,
            running: None,
        }
    }

    /// A process that did not answer well is not asked again.
    fn ask(&mut self, request: Request, patience: Duration) -> Result<Reply, LivescanError> {
        let Some(mut running) = self.running.take() else { return Err(LivescanError::Crashed) };
        let reply = running.ask(request, Instant::now() + patience)?;
        self.running = Some(running);
        Ok(reply)
    }
}

impl Source for Plugin {
    fn open(&mut self) -> Result<Window, LivescanError> {
        self.running = None;
        self.running = Some(Running::start(&self.command)?);
        match self.ask(Request::Open(self.channel), self.open_max)? {
            Reply::Opened(window) => {
                let sides = [window.width, window.height];
                let fits = |side: &u32| (SIDE_MIN..=SIDE_MAX).contains(&(*side as usize));
                if sides.iter().all(fits) {
                    return Ok(window);
                }
                let got = window.width.saturating_mul(window.height) as usize;
                Err(LivescanError::OtherSize { got, expected: SIDE_MAX * SIDE_MAX })
            }
            Reply::Failed(code) => Err(meaning(code)),
            Reply::Image(_) => Err(LivescanError::Garbled),
        }
    }

    fn grab(&mut self) -> Result<Vec<u8>, LivescanError> {
        match self.ask(Request::Grab, self.frame_max)? {
            Reply::Image(pixels) => Ok(pixels),
            Reply::Failed(code) => Err(meaning(code)),
            Reply::Opened(_) => Err(LivescanError::Garbled),
        }
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn pause(&mut self, time: Duration) {
        thread::sleep(time);
    }
}

impl Running {
    fn start(command: &[String]) -> Result<Self, LivescanError> {
        let missing = || LivescanError::PluginMissing(std::io::ErrorKind::NotFound.into());
        let (program, arguments) = command.split_first().ok_or_else(missing)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(LivescanError::PluginMissing)?;
        let requests = child.stdin.take().expect("stdin is piped");
        let replies = child.stdout.take().expect("stdout is piped");
        Ok(Self { child, requests, replies, parser: Parser::default() })
    }

    fn ask(&mut self, request: Request, deadline: Instant) -> Result<Reply, LivescanError> {
        // Few bytes, and never two requests at once: the pipe has room.
        if self.requests.write_all(&request.bytes()).is_err() {
            return Err(self.cause_of_death());
        }
        loop {
            match self.parser.next_word() {
                Ok(Some((letter, content))) => {
                    return Reply::parse(letter, content).map_err(|_| LivescanError::Garbled);
                }
                Ok(None) => {}
                Err(_) => return Err(LivescanError::Garbled),
            }
            if !self.wait(deadline)? {
                return Err(LivescanError::Silent);
            }
            let mut piece = [0; 64 << 10];
            match rustix::io::read(&self.replies, &mut piece) {
                Ok(0) => return Err(self.cause_of_death()),
                Ok(n) => self.parser.push(&piece[..n]),
                Err(Errno::INTR) => {}
                Err(_) => return Err(LivescanError::Crashed),
            }
        }
    }

    /// Waits for bytes, or the end of them; `false` at the deadline.
    fn wait(&self, deadline: Instant) -> Result<bool, LivescanError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| LivescanError::Silent)?;
        let mut replies = [PollFd::new(&self.replies, PollFlags::IN)];
        match poll(&mut replies, Some(&left)) {
            Ok(n) => Ok(n > 0),
            Err(Errno::INTR) => Ok(true),
            Err(_) => Err(LivescanError::Crashed),
        }
    }

    /// The pipe is shut, so the process is ending; it gets a moment to say by its exit why.
    fn cause_of_death(&mut self) -> LivescanError {
        match helper::exit_code(&mut self.child) {
            Some(EXIT_MISSING) => LivescanError::LibraryMissing,
            Some(EXIT_UNFIT) => LivescanError::LibraryUnfit,
            Some(EXIT_UNCONFINED) => LivescanError::Unconfined,
            _ => LivescanError::Crashed,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        helper::end(&mut self.child);
    }
}

/// The interface's own codes; makers add theirs.
fn meaning(code: i32) -> LivescanError {
    match code {
        NO_DEVICE | NOT_INITIALISED => LivescanError::Unplugged,
        NOT_IMPLEMENTED => LivescanError::LibraryUnfit,
        code => LivescanError::Refused(code),
    }
}

const NOT_IMPLEMENTED: i32 = -3;
const NO_DEVICE: i32 = -4;
const NOT_INITIALISED: i32 = -5;
