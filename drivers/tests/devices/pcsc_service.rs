//! The real PC/SC service with the virtual reader, where nobody else is.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::virtual_card;

/// The PC/SC service with the virtual reader, or with no reader.
pub struct Service {
    child: Child,
    _settings: tempfile::TempDir,
}

impl Service {
    pub fn start(with_reader: bool) -> Self {
        let settings = tempfile::tempdir().unwrap();
        if with_reader {
            let reader = format!(
                "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:0x{0:X}\n\
                 LIBPATH {DRIVER}\nCHANNELID 0x{0:X}\n",
                virtual_card::PORT
            );
            std::fs::write(settings.path().join("reader"), reader).unwrap();
        }
        let mut child = Command::new(SERVICE)
            .args(["--foreground", "--info", "--config"])
            .arg(settings.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let ready = log.any(|line| line.contains("daemon ready"));
        assert!(ready, "the service ended before it was ready");
        // It says so a moment before it listens.
        let until = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(SOCKET).is_err() {
            assert!(Instant::now() < until, "the service does not listen");
            std::thread::yield_now();
        }
        // It must be able to go on writing.
        std::thread::spawn(move || log.for_each(|l| eprintln!("{l}")));
        Self { child, _settings: settings }
    }

    pub fn stop(&mut self) {
        // What another service has put there since is not ours to remove.
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(SOCKET);
        let _ = std::fs::remove_file("/run/pcscd/pcscd.pid");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether this test was started by [`in_a_network_of_its_own`].
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs one test again where nobody else is: its own network, since the virtual reader listens for anybody, and its own
/// `/run`, where the service keeps its socket. `programs` are what it calls there.
pub fn in_a_network_of_its_own(test: &str, programs: &[&str]) {
    let has = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    for program in ["unshare", "ip"].iter().chain(programs) {
        if !has(program) {
            return eprintln!("skipped: {program} is not installed");
        }
    }
    for file in [SERVICE, DRIVER] {
        if !Path::new(file).is_file() {
            return eprintln!("skipped: {file} is not installed");
        }
    }
    let enter = "ip link set lo up && mount -t tmpfs tmpfs /run && mkdir /run/pcscd";
    let unshare = |command: &str, own: PathBuf| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--net", "--mount", "--kill-child", "sh", "-c", command]);
        unshare.arg(own);
        unshare
    };
    let allowed = unshare(enter, "true".into()).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: no right to a network namespace here");
    }
    let own = std::env::current_exe().unwrap();
    let inside = format!("{enter} && exec \"$0\" --exact {test} --nocapture");
    let status = unshare(&inside, own).env(INSIDE, "1").status().unwrap();
    assert!(status.success());
}

const INSIDE: &str = "PCSC_TEST_INSIDE";
const SOCKET: &str = "/run/pcscd/pcscd.comm";
const SERVICE: &str = "/usr/sbin/pcscd";
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
