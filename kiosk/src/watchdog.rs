//! What systemd is told: that the terminal serves, and that work is still being finished.
//!
//! Nothing here runs by itself. Each finished turn of the loop may feed the watchdog; a loop that hangs starves it, and
//! systemd starts the program again. Without systemd (a desk, a test) nobody is told.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use tracing::warn;

/// The way to systemd.
pub struct Watchdog {
    socket: Option<UnixDatagram>,
    fed: Option<Instant>,
}

impl Watchdog {
    /// As `NOTIFY_SOCKET` says (sd_notify(3)).
    pub fn of_systemd() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET").and_then(|name| {
            connect(name.as_bytes()).inspect_err(|e| warn!("systemd's socket: {e}")).ok()
        });
        Self { socket, fed: None }
    }

    /// The first screen is there and the store is open.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// A turn of the loop was finished.
    pub fn turned(&mut self) {
        let now = Instant::now();
        if self.fed.is_none_or(|fed| now - fed >= SELDOM) {
            self.fed = Some(now);
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, what: &str) {
        if let Some(socket) = &self.socket
            && let Err(e) = socket.send(what.as_bytes())
        {
            warn!(what, "systemd was not told: {e}");
        }
    }
}

/// A path, or after `@` a name in the abstract namespace.
fn connect(name: &[u8]) -> std::io::Result<UnixDatagram> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// A camera's frames turn the loop thirty times a second; systemd need not hear of each.
const SELDOM: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_hears_of_the_start_and_of_finished_turns_and_of_nothing_else() {
        let name = format!("changqing-watchdog-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let systemd = UnixDatagram::bind_addr(&address).unwrap();
        systemd.set_nonblocking(true).unwrap();
        let socket = connect(format!("@{name}").as_bytes()).unwrap();
        let mut watchdog = Watchdog { socket: Some(socket), fed: None };
        watchdog.ready();
        assert_eq!(heard(&systemd), ["READY=1"]);
        watchdog.turned();
        watchdog.turned();
        assert_eq!(heard(&systemd), ["WATCHDOG=1"], "one of two turns in the same moment is told");
        watchdog.fed = watchdog.fed.map(|fed| fed - SELDOM);
        watchdog.turned();
        assert_eq!(heard(&systemd), ["WATCHDOG=1"]);
        assert_eq!(heard(&systemd), [""; 0], "nothing is told without a turn");
    }

    fn heard(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 64];
        std::iter::from_fn(|| {
            let n = socket.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..n]).into_owned())
        })
        .collect()
    }
}
