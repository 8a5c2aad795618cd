//! The door: TLS 1.3 with client certificates of our CA, and who stands behind each connection.
//! A connection that says nothing for a while is closed; so is one that a test wants cut.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, Sleep, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::keys::{KeyError, Keys};

/// Gives connections whose certificate was verified.
pub(crate) struct Door {
    address: SocketAddr,
    arrivals: mpsc::Receiver<(Line, Peer)>,
}

/// Who stands behind a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The common name of the certificate, if it has one.
    pub(crate) name: Option<String>,
    cut: Arc<AtomicBool>,
}

/// Why the door cannot be hung.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// A key file.
    #[error("the keys")]
    Key(#[from] KeyError),
    /// A certificate or key that TLS does not take.
    #[error("the certificate")]
    Certificate(#[from] rustls::Error),
    /// A file that is no PEM.
    #[error("a PEM file")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// Our own CA is not fit to verify terminals.
    #[error("the verifier of terminals")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// The address cannot be listened on.
    #[error("the address")]
    Address(#[from] io::Error),
}

impl Door {
    /// Listens on `address` with the keys of the authority.
    pub(crate) async fn open(keys: &Keys, address: SocketAddr) -> Result<Self, DoorError> {
        let acceptor = TlsAcceptor::from(Arc::new(tls(keys)?));
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (sender, arrivals) = mpsc::channel(BACKLOG);
        tokio::spawn(welcome(listener, acceptor, sender));
        Ok(Self { address, arrivals })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Listener for Door {
    type Io = Line;
    type Addr = Peer;

    async fn accept(&mut self) -> (Line, Peer) {
        match self.arrivals.recv().await {
            Some(arrival) => arrival,
            // The welcoming task ends with the runtime only; there is nobody left to serve.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer { name: None, cut: Arc::default() })
    }
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}

impl Peer {
    /// Breaks the connection before another byte is sent on it.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }
}

/// A connection with its idle time and its cut.
pub(crate) struct Line {
    stream: TlsStream<TcpStream>,
    idle: Pin<Box<Sleep>>,
    cut: Arc<AtomicBool>,
    _place: OwnedSemaphorePermit,
}

impl Line {
    fn is_cut(&self) -> io::Result<()> {
        if self.cut.load(Ordering::Relaxed) {
            Err(io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(())
        }
    }

    fn after<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.idle.as_mut().reset(Instant::now() + IDLE_MAX);
            return poll;
        }
        match self.idle.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.after(cx, poll)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_cut()?;
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.after(cx, poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_cut()?;
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.after(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Accepts and shakes hands, so that a slow hand keeps nobody else waiting.
async fn welcome(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    arrivals: mpsc::Sender<(Line, Peer)>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(shake_hands(stream, acceptor.clone(), place, arrivals.clone()));
            }
            Err(fault) => {
                // Out of files, usually: closing connections brings them back.
                tracing::warn!(%fault, "no connection can be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
        if arrivals.is_closed() {
            return;
        }
    }
}

async fn shake_hands(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    place: OwnedSemaphorePermit,
    arrivals: mpsc::Sender<(Line, Peer)>,
) {
    let Ok(Ok(stream)) = timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await else {
        tracing::debug!("a handshake failed");
        return;
    };
    let certificates = stream.get_ref().1.peer_certificates();
    let name = certificates.and_then(|chain| chain.first()).and_then(|leaf| common_name(leaf));
    let cut = Arc::<AtomicBool>::default();
    let peer = Peer { name, cut: Arc::clone(&cut) };
    let line = Line { stream, idle: Box::pin(sleep(IDLE_MAX)), cut, _place: place };
    // A closed channel means that the authority stops; the connection closes with it.
    let _ = arrivals.send((line, peer)).await;
}

fn tls(keys: &Keys) -> Result<ServerConfig, DoorError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(keys.ca()?.as_bytes())?)?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()?;
    let credential = keys.server()?;
    let certificate = CertificateDer::from_pem_slice(credential.certificate.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(credential.key.as_bytes())?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The common name in the subject of a verified certificate (RFC 5280 §4.1).
fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate, _) = der(certificate)?;
    let (_, mut fields, _) = der(certificate)?;
    let mut subject: &[u8] = &[];
    // version [0], serial number, signature algorithm, issuer, validity, subject
    for tag in [0xa0, 0x02, 0x30, 0x30, 0x30, 0x30] {
        let (found, value, rest) = der(fields)?;
        if found != tag {
            return None;
        }
        (subject, fields) = (value, rest);
    }
    let mut name = None;
    while !subject.is_empty() {
        let (_, set, rest) = der(subject)?;
        let (_, attribute, _) = der(set)?;
        let (_, kind, value) = der(attribute)?;
        if kind == COMMON_NAME {
            // Two common names would let each reader pick its own.
            let (_, text, _) = der(value)?;
            if name.replace(String::from_utf8(text.to_vec()).ok()?).is_some() {
                return None;
            }
        }
        subject = rest;
    }
    name
}

/// Tag, value and what follows of the first DER item.
fn der(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], mut rest) = bytes.split_first_chunk::<2>()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let width = usize::from(first & 0x7f);
        let (number, after) = rest.split_at_checked(width)?;
        length =
            (width <= 4).then(|| number.iter().fold(0, |n, &byte| n << 8 | usize::from(byte)))?;
        rest = after;
    }
    let (value, after) = rest.split_at_checked(length)?;
    Some((tag, value, after))
}

/// 2.5.4.3
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
const BACKLOG: usize = 16;
const CONNECTIONS_MAX: usize = 256;
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
const IDLE_MAX: Duration = Duration::from_secs(60);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_name_is_read_and_nothing_panics_on_damage() {
        let data = tempfile::tempdir().expect("a folder");
        let keys = Keys::at(data.path());
        keys.make(&[]).expect("keys");
        let credential = keys.issue("KIOSK-0007").expect("a certificate");
        let leaf = CertificateDer::from_pem_slice(credential.certificate.as_bytes()).expect("PEM");
        assert_eq!(common_name(&leaf).as_deref(), Some("KIOSK-0007"));
        for end in 0..leaf.len() {
            common_name(&leaf[..end]);
            let mut bent = leaf.to_vec();
            bent[end] ^= 0x80;
            common_name(&bent);
        }
    }
}
