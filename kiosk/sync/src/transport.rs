//! How a request gets there: HTTPS here, other ways beside it later.

pub mod https;
mod tls;

use crate::exchange::Reply;

/// Method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Asks.
    Get,
    /// Puts under a name; twice is as good as once.
    Put,
    /// Asks to do something.
    Post,
}

/// One request, ready to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// Method.
    pub method: Method,
    /// Path and query, from `/v1` on.
    pub path: String,
    /// Body; empty for none.
    pub body: Vec<u8>,
}

/// Why no answer came. Nothing is known about what arrived at the other side.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No way to the address.
    #[error("no way to the authority")]
    NoRoute,
    /// Too slow.
    #[error("the authority did not answer in time")]
    Timeout,
    /// One side does not accept the other's certificate.
    #[error("the certificates do not fit: {0}")]
    Certificate(String),
    /// The answer grew beyond what any answer may have.
    #[error("the answer is too long")]
    TooLong,
    /// The address is not `https://HOST:PORT`.
    #[error("the address is not https://HOST:PORT")]
    Address,
    /// The line broke, or what came is not HTTP.
    #[error("the line broke: {0}")]
    Broken(String),
}

impl TransportError {
    /// The stable word for messages and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRoute => "sync-no-route",
            Self::Timeout => "sync-timeout",
            Self::Certificate(_) => "sync-certificate",
            Self::TooLong => "sync-answer-too-long",
            Self::Address => "sync-address",
            Self::Broken(_) => "sync-line-broken",
        }
    }
}

/// A way to the authority.
pub trait Transport {
    /// Sends one request and waits for its answer, within bounds of time and size.
    fn send(&mut self, call: &Call) -> Result<Reply, TransportError>;
}
