//! A vendor's engine in a process of its own: verified, confined, asked one thing at a
//! time, given up when it is late, started again at the next question. It may crash, hang
//! or lie; what it gets is pictures and templates, and what it can give is scores.

mod exit;
#[path = "../../drivers/src/helper.rs"]
mod helper;
mod wire;

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use image::RgbImage;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio},
};

use crate::{
    ModelError, ModelId,
    face::Face,
    finger::GreyImage,
    manifest::{Engine, Modality},
};
use exit::{EXIT_NOT_STARTED, EXIT_UNCONFINED};
use wire::{Parser, Reply, Request};

/// What is wrong with a vendor's engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineFault {
    /// The program that confines it is not installed; without it nothing is started.
    #[error("the program engine-cage is not beside this one")]
    NoCage,
    /// The process could not be confined, so the engine was not started.
    #[error("it cannot be confined")]
    Unconfined,
    /// The operating system does not start it.
    #[error("it cannot be started")]
    NotStarted,
    /// It ended by itself.
    #[error("it crashed")]
    Crashed,
    /// It did not answer in time and was ended.
    #[error("it did not answer in time")]
    Silent,
    /// What it says is not what `ENGINE_PROTOCOL.md` allows.
    #[error("it does not keep to the protocol")]
    Garbled,
    /// It calls itself another version than the manifest does.
    #[error("it says that it is version {0}")]
    OtherVersion(String),
    /// It cannot do it with this picture.
    #[error("it refused the picture (code {0})")]
    Refused(u32),
}

/// An engine of the manifest, running or to be started.
pub(crate) struct Vendor {
    engine: Engine,
    id: ModelId,
    dir: PathBuf,
    cage: PathBuf,
    judges_liveness: bool,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    requests: ChildStdin,
    replies: ChildStdout,
    parser: Parser,
}

impl Vendor {
    /// Verifies the program, starts it, and hears its version.
    pub(crate) fn start(dir: &Path, engine: &Engine) -> Result<Self, ModelError> {
        let fault = |fault| ModelError::Engine { id: engine.id.clone(), fault };
        let cage = cage().ok_or_else(|| fault(EngineFault::NoCage))?;
        let mut vendor = Self {
            engine: engine.clone(),
            id: engine.model_id(),
            dir: dir.to_owned(),
            cage,
            judges_liveness: false,
            running: Mutex::new(None),
        };
        let (running, judges_liveness) = vendor.launch()?;
        vendor.judges_liveness = judges_liveness;
        *vendor.running.get_mut().expect("nobody else has it yet") = Some(running);
        tracing::info!(engine = %vendor.id, "a vendor's engine compares");
        Ok(vendor)
    }

    /// Which engine this is.
    pub(crate) fn id(&self) -> &ModelId {
        &self.id
    }

    /// Whether it judges liveness; if not, our network does.
    pub(crate) fn judges_liveness(&self) -> bool {
        self.judges_liveness
    }

    /// A face as a template, and its quality in the engine's own words.
    pub(crate) fn describe(
        &self,
        frame: &RgbImage,
        face: &Face,
    ) -> Result<(f32, Vec<u8>), ModelError> {
        self.template(&Request::Describe(frame, face))
    }

    /// How live a face looks, 0..1.
    pub(crate) fn live(&self, frame: &RgbImage, face: &Face) -> Result<f32, ModelError> {
        self.score(&Request::Live(frame, face)).map(|score| score.clamp(0.0, 1.0))
    }

    /// A print as a record of ISO/IEC 19794-2.
    pub(crate) fn extract(&self, print: &GreyImage) -> Result<Vec<u8>, ModelError> {
        self.template(&Request::Extract(print)).map(|(_, bytes)| bytes)
    }

    /// How much two templates are alike.
    pub(crate) fn compare(&self, probe: &[u8], reference: &[u8]) -> Result<f32, ModelError> {
        self.score(&Request::Compare(probe, reference))
    }

    fn template(&self, request: &Request<'_>) -> Result<(f32, Vec<u8>), ModelError> {
        match self.ask(request)? {
            Reply::Template { quality, bytes } => Ok((quality, bytes)),
            Reply::Refused(code) => Err(self.fault(EngineFault::Refused(code))),
            _ => Err(self.fault(EngineFault::Garbled)),
        }
    }

    fn score(&self, request: &Request<'_>) -> Result<f32, ModelError> {
        match self.ask(request)? {
            Reply::Score(score) => Ok(score),
            Reply::Refused(code) => Err(self.fault(EngineFault::Refused(code))),
            _ => Err(self.fault(EngineFault::Garbled)),
        }
    }

    /// One question. A process that did not answer well is not asked again: the next
    /// question finds a new one.
    fn ask(&self, request: &Request<'_>) -> Result<Reply, ModelError> {
        let mut place = match self.running.lock() {
            Ok(place) => place,
            // Whoever held it took the process out first, so nothing in here is half done.
            Err(poisoned) => poisoned.into_inner(),
        };
        let mut running = match place.take() {
            Some(running) => running,
            None => self.launch()?.0,
        };
        let patience = Duration::from_millis(self.engine.answer_ms);
        let reply = running.ask(request, patience).map_err(|fault| self.fault(fault))?;
        *place = Some(running);
        Ok(reply)
    }

    /// The file is verified each time: it may have been changed since.
    fn launch(&self) -> Result<(Running, bool), ModelError> {
        let program = self.engine.verify(&self.dir)?;
        let mut running = Running::start(&self.cage, &self.engine, &self.dir, &program)
            .map_err(|fault| self.fault(fault))?;
        let hello = Request::Hello(self.engine.modality);
        let patience = Duration::from_millis(self.engine.start_ms);
        match running.ask(&hello, patience).map_err(|fault| self.fault(fault))? {
            Reply::Identity { version, judges_liveness } if version == self.engine.version => {
                Ok((running, judges_liveness && self.engine.modality == Modality::Face))
            }
            Reply::Identity { version, .. } => {
                let version = version.chars().take(40).collect();
                Err(self.fault(EngineFault::OtherVersion(version)))
            }
            _ => Err(self.fault(EngineFault::Garbled)),
        }
    }

    fn fault(&self, fault: EngineFault) -> ModelError {
        if !matches!(fault, EngineFault::Refused(_)) {
            tracing::warn!(engine = %self.id, %fault, "a vendor's engine failed");
        }
        ModelError::Engine { id: self.engine.id.clone(), fault }
    }
}

impl Running {
    fn start(
        cage: &Path,
        engine: &Engine,
        dir: &Path,
        program: &Path,
    ) -> Result<Self, EngineFault> {
        let mut child = Command::new(cage)
            .arg("--memory-mb")
            .arg(engine.memory_mb.to_string())
            .arg("--reads")
            .arg(dir)
            .arg("--")
            .arg(program)
            .args(&engine.arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|_| EngineFault::NotStarted)?;
        let requests = child.stdin.take().expect("stdin is piped");
        let replies = child.stdout.take().expect("stdout is piped");
        let running = Self { child, requests, replies, parser: Parser::default() };
        // Neither a program that reads nothing nor one that says nothing may hold us up.
        ioctl_fionbio(&running.requests, true).map_err(|_| EngineFault::NotStarted)?;
        ioctl_fionbio(&running.replies, true).map_err(|_| EngineFault::NotStarted)?;
        Ok(running)
    }

    fn ask(&mut self, request: &Request<'_>, patience: Duration) -> Result<Reply, EngineFault> {
        if !self.parser.is_empty() {
            return Err(EngineFault::Garbled);
        }
        let deadline = Instant::now() + patience;
        let bytes = request.bytes();
        let mut rest = &bytes[..];
        loop {
            if let Some(reply) = self.parser.next_reply().map_err(|_| EngineFault::Garbled)? {
                // An answer before the question was heard is none.
                return if rest.is_empty() { Ok(reply) } else { Err(EngineFault::Garbled) };
            }
            self.wait(deadline, !rest.is_empty())?;
            self.send(&mut rest)?;
            self.receive()?;
        }
    }

    /// Waits until bytes can go or come.
    fn wait(&mut self, deadline: Instant, is_sending: bool) -> Result<(), EngineFault> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| EngineFault::Silent)?;
        let mut pipes = vec![PollFd::new(&self.replies, PollFlags::IN)];
        if is_sending {
            pipes.push(PollFd::new(&self.requests, PollFlags::OUT));
        }
        match poll(&mut pipes, Some(&left)) {
            Ok(0) => Err(EngineFault::Silent),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(_) => Err(EngineFault::Crashed),
        }
    }

    fn send(&mut self, rest: &mut &[u8]) -> Result<(), EngineFault> {
        if rest.is_empty() {
            return Ok(());
        }
        match rustix::io::write(&self.requests, rest) {
            Ok(n) => *rest = &rest[n..],
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return Err(self.cause_of_death()),
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(), EngineFault> {
        let mut piece = [0; 16 << 10];
        match rustix::io::read(&self.replies, &mut piece) {
            Ok(0) => Err(self.cause_of_death()),
            Ok(n) => {
                self.parser.push(&piece[..n]);
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(_) => Err(EngineFault::Crashed),
        }
    }

    /// The pipe is shut, so the process is ending; it gets a moment to say by its exit why.
    fn cause_of_death(&mut self) -> EngineFault {
        match helper::exit_code(&mut self.child) {
            Some(code) if code == i32::from(EXIT_UNCONFINED) => EngineFault::Unconfined,
            Some(code) if code == i32::from(EXIT_NOT_STARTED) => EngineFault::NotStarted,
            _ => EngineFault::Crashed,
        }
    }
}

/// The process is its whole group: behind its wall it cannot start others.
impl Drop for Running {
    fn drop(&mut self) {
        helper::end(&mut self.child);
    }
}

/// The confining program, installed beside this one. (Cargo puts tests one folder lower.)
fn cage() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let folders = own.ancestors().skip(1).take(2);
    folders.map(|folder| folder.join(CAGE)).find(|path| File::open(path).is_ok())
}

const CAGE: &str = "engine-cage";
