//! TLS to the authority: 1.3, the CA this terminal was given and no other, and a clock of ours that may be behind.
//!
//! A board without a clock chip starts in the past of the authority's certificate. Were that refused, it could never be
//! told what time it is.

use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore,
    SignatureScheme, StreamOwned,
};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

use super::https::Identity;
use crate::transport::TransportError;

/// Wraps lines to the authority in TLS.
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// With what this terminal shows and believes.
    pub(super) fn new(identity: &Identity<'_>) -> Result<Self, TransportError> {
        let unreadable = |what: &str| TransportError::Certificate(format!("{what} cannot be read"));
        let mut roots = RootCertStore::empty();
        for root in certificates(identity.ca_pem).ok_or_else(|| unreadable("ca.pem"))? {
            roots.add(root).map_err(|_| unreadable("ca.pem"))?;
        }
        let chain = certificates(identity.cert_pem).ok_or_else(|| unreadable("tls.pem"))?;
        let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes())
            .map_err(|_| unreadable("tls.key.pem"))?;
        let provider = Arc::new(tls13_only());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|_| unreadable("ca.pem"))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the suites are those of TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier(verifier)))
            .with_client_auth_cert(chain, key)
            .map_err(|_| TransportError::Certificate("tls.pem and its key differ".into()))?;
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Line;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Line>, Error> {
        let Some(plain) = chained else {
            return Ok(None);
        };
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|_| Error::Tls("no name of a server"))?;
        let mut connection = ClientConnection::new(Arc::clone(&self.0), name)?;
        let plain: Box<dyn Transport> = Box::new(plain);
        let mut plain = TransportAdapter::new(plain, Arc::clone(&details.current_time));
        plain.set_timeout(details.timeout);
        connection.complete_io(&mut plain)?;
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        let stream = StreamOwned::new(connection, plain);
        Ok(Some(Line { buffers: LazyBuffers::new(input, output), stream }))
    }
}

/// A line that is wrapped.
pub(super) struct Line {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line(…)")
    }
}

impl Transport for Line {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        Ok(self.stream.write_all(&self.buffers.output()[..amount])?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let n = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(n);
        Ok(n > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

/// All that is asked of a certificate, but that it has begun: where it has not, our clock is behind, and it is looked at
/// as on its first day. Who signed it, for whom, and whether it ended before another of its chain began are asked then.
#[derive(Debug)]
struct Verifier(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        mut now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = |now| {
            self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        for _ in 0..=intermediates.len() {
            match verified(now) {
                Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) if not_before > now => now = not_before,
                judged => return judged,
            }
        }
        verified(now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// With no older cipher suite there is no older version to fall back to.
fn tls13_only() -> CryptoProvider {
    let cipher_suites = vec![
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_AES_128_GCM_SHA256,
    ];
    CryptoProvider { cipher_suites, ..default_provider() }
}

fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().ok()?;
    (!found.is_empty()).then_some(found)
}
