//! HTTPS with mutual certificates: TLS 1.3, only the CA this terminal was given, bounded time and size, no proxy,
//! no redirect, no compression.

use std::time::Duration;

use ureq::config::Config;
use ureq::http::Response;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, TcpConnector};
use ureq::{Agent, Body, Error};

use super::tls::Tls;
use crate::exchange::Reply;
use crate::transport::{Call, Method, Transport, TransportError};
use crate::update::PIECE_BYTES_MAX;

/// What this terminal shows and what it believes, from the provisioned directory.
pub struct Identity<'a> {
    /// Text of `ca.pem`: the only issuer whose server certificates count.
    pub ca_pem: &'a str,
    /// Text of `tls.pem`: this terminal's certificate, then its issuers if any.
    pub cert_pem: &'a str,
    /// Text of `tls.key.pem`.
    pub key_pem: &'a str,
}

/// A way to the authority over HTTPS.
pub struct Https {
    agent: Agent,
    base: String,
}

impl Https {
    /// Prepares a way to `https://HOST:PORT`; nothing is sent yet.
    pub fn new(base: &str, identity: &Identity<'_>) -> Result<Self, TransportError> {
        let line = TcpConnector::default().chain(Tls::new(identity)?);
        let config = Config::builder()
            .https_only(true)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(USER_AGENT)
            .timeout_resolve(Some(CONNECT_TIME_MAX))
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_global(Some(CALL_TIME_MAX))
            .max_response_header_size(HEADER_BYTES_MAX)
            .build();
        let agent = Agent::with_parts(config, line, DefaultResolver::default());
        Ok(Self { agent, base: checked_base(base)? })
    }

    /// Another address of the same authority, for the next request.
    pub fn set_base(&mut self, base: &str) -> Result<(), TransportError> {
        self.base = checked_base(base)?;
        Ok(())
    }

    fn exchange(&self, call: &Call) -> Result<Response<Body>, Error> {
        let url = format!("{}{}", self.base, call.path);
        match call.method {
            Method::Get => self.agent.get(&url).call(),
            Method::Put => self.agent.put(&url).content_type(CBOR).send(&call.body[..]),
            Method::Post => self.agent.post(&url).content_type(CBOR).send(&call.body[..]),
        }
    }
}

impl Transport for Https {
    fn send(&mut self, call: &Call) -> Result<Reply, TransportError> {
        let mut response = self.exchange(call).map_err(|error| judge(&error))?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let server_time_ms = header("x-server-time").and_then(|text| text.parse().ok());
        let retry_after =
            header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let body = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(|error| judge(&error))?;
        Ok(Reply { status: response.status().as_u16(), body, retry_after, server_time_ms })
    }
}

/// `https://HOST:PORT` and nothing else: no path, no user, no query.
fn checked_base(base: &str) -> Result<String, TransportError> {
    let base = base.trim().trim_end_matches('/');
    let authority = base.strip_prefix("https://").ok_or(TransportError::Address)?;
    let (host, port) = authority.rsplit_once(':').ok_or(TransportError::Address)?;
    let host_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let good = !host.is_empty() && host.chars().all(host_plain) && port.parse::<u16>().is_ok();
    if good { Ok(base.to_owned()) } else { Err(TransportError::Address) }
}

fn judge(error: &Error) -> TransportError {
    match error {
        Error::Timeout(_) => TransportError::Timeout,
        Error::HostNotFound | Error::ConnectionFailed => TransportError::NoRoute,
        Error::BodyExceedsLimit(_) => TransportError::TooLong,
        Error::BadUri(_) => TransportError::Address,
        Error::Tls(what) => TransportError::Certificate((*what).to_owned()),
        Error::Rustls(error) => judge_tls(error),
        Error::Io(error) => judge_io(error),
        other => TransportError::Broken(other.to_string()),
    }
}

fn judge_io(error: &std::io::Error) -> TransportError {
    use std::io::ErrorKind;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some(tls) = inner {
        return judge_tls(tls);
    }
    match error.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::NetworkUnreachable
        | ErrorKind::HostUnreachable
        | ErrorKind::AddrNotAvailable => TransportError::NoRoute,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => TransportError::Timeout,
        _ => TransportError::Broken(error.to_string()),
    }
}

/// A refused certificate wants an engineer; a broken record wants another try.
fn judge_tls(error: &rustls::Error) -> TransportError {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(_)
        | Tls::NoCertificatesPresented
        | Tls::UnsupportedNameType
        | Tls::AlertReceived(_)
        | Tls::PeerIncompatible(_)
        | Tls::InconsistentKeys(_) => TransportError::Certificate(error.to_string()),
        other => TransportError::Broken(other.to_string()),
    }
}

const USER_AGENT: &str = concat!("changqing/", env!("CARGO_PKG_VERSION"));
const CBOR: &str = "application/cbor";
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// 1 MiB at 64 kbit/s takes 131 seconds.
const CALL_TIME_MAX: Duration = Duration::from_secs(180);
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Fifty receipts are 20 kB; the longest answer is a piece of an update, and one byte more tells that it is too long.
const ANSWER_BYTES_MAX: u64 = PIECE_BYTES_MAX + 1;
