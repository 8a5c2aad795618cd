//! The real client against a real TLS server on the loopback, with certificates that fit and that do not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};

use kiosk_sync::{Call, Https, Identity, Method, Transport, TransportError};

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca() -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key in PEM.
fn leaf(ca: &Ca, name: &str) -> (String, String) {
    leaf_of(ca, name, 2000..4000)
}

/// One that is valid from the beginning of a year to that of another.
fn leaf_of(ca: &Ca, name: &str, years: Range<i32>) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(years.start, 1, 1);
    params.not_after = date_time_ymd(years.end, 1, 1);
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, ca).unwrap().pem(), key.serialize_pem())
}

fn server_config(
    ca: &Ca,
    host: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    shows(ca, leaf(ca, host), versions)
}

/// A server that shows this certificate.
fn shows(
    ca: &Ca,
    (cert, key): (String, String),
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let provider = Arc::new(default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

/// Serves one connection and ends.
fn serve(config: Arc<ServerConfig>, answer: Vec<u8>) -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        talk(config, stream, &answer).unwrap_or_default()
    });
    (base, served)
}

fn talk(config: Arc<ServerConfig>, stream: TcpStream, answer: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let answered = read_request(&mut tls).and_then(|request| {
        tls.write_all(answer)?;
        tls.conn.send_close_notify();
        tls.flush().map(|()| request)
    });
    // Closing with bytes unread would reset the line, and an alert on its way would be lost.
    let _ = std::io::copy(&mut tls.sock, &mut std::io::sink());
    answered
}

fn read_request(tls: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    while !request.ends_with(BODY) {
        let mut piece = [0; 4096];
        let n = tls.read(&mut piece)?;
        if n == 0 {
            break;
        }
        request.extend(&piece[..n]);
    }
    Ok(request)
}

fn call_as(ca: &Ca, client_ca: &Ca, base: &str) -> Result<kiosk_sync::Reply, TransportError> {
    let (cert, key) = leaf(client_ca, "K-1");
    let identity = Identity { ca_pem: &ca.pem(), cert_pem: &cert, key_pem: &key };
    let mut https = Https::new(base, &identity)?;
    https.send(&Call { method: Method::Put, path: "/v1/records/00".into(), body: BODY.into() })
}

const BODY: &[u8] = &[1, 2, 3];

const GOOD: &[u8] = b"HTTP/1.1 429 Too Many\r\nretry-after: 7\r\nx-server-time: 1791000000123\r\n\
    content-length: 2\r\n\r\nok";

#[test]
fn a_good_answer_comes_with_its_headers() {
    let ca = ca();
    let (base, served) =
        serve(server_config(&ca, "127.0.0.1", &[&rustls::version::TLS13]), GOOD.into());
    let reply = call_as(&ca, &ca, &base).unwrap();
    assert_eq!((reply.status, &reply.body[..]), (429, &b"ok"[..]));
    assert_eq!(reply.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(reply.server_time_ms, Some(1_791_000_000_123));
    let request = String::from_utf8(served.join().unwrap()).unwrap();
    assert!(request.starts_with("PUT /v1/records/00 HTTP/1.1\r\n"), "{request}");
    assert!(!request.to_lowercase().contains("accept-encoding"), "{request}");
}

#[test]
fn only_our_ca_our_host_and_tls_1_3_will_do() {
    let (ours, theirs) = (ca(), ca());
    let tls13: &[_] = &[&rustls::version::TLS13];
    let end = |server: &Ca, host: &str, client: &Ca, versions| {
        let (base, served) = serve(server_config(server, host, versions), GOOD.into());
        let end = call_as(&ours, client, &base).map(|_| ()).map_err(|error| error.code());
        served.join().unwrap();
        end
    };
    assert_eq!(end(&ours, "127.0.0.1", &ours, tls13), Ok(()));
    assert_eq!(end(&theirs, "127.0.0.1", &ours, tls13), Err("sync-certificate"));
    assert_eq!(end(&ours, "127.0.0.2", &ours, tls13), Err("sync-certificate"));
    assert_eq!(end(&ours, "127.0.0.1", &theirs, tls13), Err("sync-certificate"));
    let tls12: &[_] = &[&rustls::version::TLS12];
    assert_eq!(end(&ours, "127.0.0.1", &ours, tls12), Err("sync-certificate"));
}

#[test]
fn a_clock_that_is_behind_does_not_shut_the_authority_out_but_an_old_certificate_does() {
    let (ours, theirs) = (ca(), ca());
    let end = |issuer: &Ca, host: &str, (begins, ends): (i32, i32)| {
        let shown = leaf_of(issuer, host, begins..ends);
        let config = shows(&ours, shown, &[&rustls::version::TLS13]);
        let (base, served) = serve(config, GOOD.into());
        let end = call_as(&ours, &ours, &base).map(|_| ()).map_err(|error| error.code());
        served.join().unwrap();
        end
    };
    let here = "127.0.0.1";
    assert_eq!(end(&ours, here, (3990, 4000)), Ok(()), "our clock cannot be right");
    assert_eq!(end(&ours, here, (2000, 2001)), Err("sync-certificate"), "it has ended");
    assert_eq!(end(&ours, here, (3990, 3980)), Err("sync-certificate"), "it ends before it begins");
    assert_eq!(end(&theirs, here, (3990, 4000)), Err("sync-certificate"), "somebody else's");
    assert_eq!(end(&ours, "127.0.0.2", (3990, 4000)), Err("sync-certificate"), "for another");
}

#[test]
fn an_endless_answer_is_cut_off() {
    let ca = ca();
    let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    endless.resize(3 << 20, b'x');
    let (base, served) =
        serve(server_config(&ca, "127.0.0.1", &[&rustls::version::TLS13]), endless);
    assert_eq!(call_as(&ca, &ca, &base), Err(TransportError::TooLong));
    served.join().unwrap();
}

#[test]
fn nobody_there_is_no_route() {
    let ca = ca();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(call_as(&ca, &ca, &format!("https://{free}")), Err(TransportError::NoRoute));
}

#[test]
fn an_address_is_host_and_port_and_nothing_else() {
    let ca = ca();
    for bad in ["http://a:1", "https://a", "https://a:1/x", "https://u@a:1", "https://a:99999", ""]
    {
        assert_eq!(call_as(&ca, &ca, bad), Err(TransportError::Address), "{bad}");
    }
}
