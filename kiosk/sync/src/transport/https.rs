//! HTTPS with mutual certificates: TLS 1.3, only the CA this terminal was given, bounded time and size, no proxy,
//! no redirect, no compression.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring::{cipher_suite, default_provider};
use ureq::config::Config;
use ureq::http::Response;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Error};

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
        let tls = tls_config(identity)?;
        let config = Config::builder()
            .tls_config(tls)
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
        Ok(Self { agent: config.new_agent(), base: checked_base(base)? })
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

fn tls_config(identity: &Identity<'_>) -> Result<TlsConfig, TransportError> {
    let unreadable = |what: &str| TransportError::Certificate(format!("{what} cannot be read"));
    let roots = certificates(identity.ca_pem).ok_or_else(|| unreadable("ca.pem"))?;
    let chain = certificates(identity.cert_pem).ok_or_else(|| unreadable("tls.pem"))?;
    let key =
        PrivateKey::from_pem(identity.key_pem.as_bytes()).map_err(|_| unreadable("tls.key.pem"))?;
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .client_cert(Some(ClientCert::new_with_certs(&chain, key)))
        .unversioned_rustls_crypto_provider(Arc::new(tls13_only()))
        .build())
}

/// With no older cipher suite there is no older version to fall back to.
fn tls13_only() -> rustls::crypto::CryptoProvider {
    let cipher_suites = vec![
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_AES_128_GCM_SHA256,
    ];
    rustls::crypto::CryptoProvider { cipher_suites, ..default_provider() }
}

fn certificates(pem: &str) -> Option<Vec<Certificate<'static>>> {
    let mut found = Vec::new();
    for item in parse_pem(pem.as_bytes()) {
        if let PemItem::Certificate(certificate) = item.ok()? {
            found.push(certificate);
        }
    }
    (!found.is_empty()).then_some(found)
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
