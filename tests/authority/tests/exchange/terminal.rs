//! A tiny terminal for tests: HTTP/1.1 over rustls, one connection a request.
//! It believes nothing and retries nothing unless a test tells it to.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use authority::{
    hex,
    keys::Keys,
    provision::{Order, provision},
};
use minicbor::{Decoder, data::Type};
use p256::{ecdsa::SigningKey, pkcs8::DecodePrivateKey};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tempfile::TempDir;

use super::paper::{self, Announced, Entry, MANIFEST, PICTURE, RECORD};

/// An authority's data in a folder that goes away, with its keys made.
pub(crate) fn house() -> TempDir {
    let data = tempfile::tempdir().expect("a folder");
    Keys::at(data.path()).make(&[]).expect("keys");
    data
}

/// A provisioned terminal.
pub(crate) struct Terminal {
    pub(crate) device: String,
    pub(crate) key: SigningKey,
    pub(crate) enc: [u8; 32],
    pub(crate) receipt_key: Vec<u8>,
    pub(crate) address: SocketAddr,
    tls: Arc<ClientConfig>,
}

/// A reply of the authority.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Needed records, needed pictures, and refused records with their codes.
type Answer = (Vec<Vec<u8>>, Vec<Vec<u8>>, Vec<(Vec<u8>, String)>);

/// A sealed record with its picture, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) id: [u8; 16],
    pub(crate) envelope: Vec<u8>,
    pub(crate) picture: Vec<u8>,
    pub(crate) entry: Entry,
}

impl Terminal {
    /// Provisions `device` at the authority of `data`, to speak to `address`.
    pub(crate) fn provisioned(data: &Path, device: &str, address: SocketAddr) -> Self {
        let out = data.join(format!("terminal-{device}"));
        let order = Order {
            device: device.to_owned(),
            site: "S-1".to_owned(),
            out: out.clone(),
            roster: None,
            policy: None,
        };
        provision(data, &order, 1).expect("a provisioned terminal");
        let read = |name: &str| fs::read_to_string(out.join(name)).expect("a provisioned file");
        let identity: toml::Table = read("authority.toml").parse().expect("TOML");
        let key = |name: &str| hex::decode(identity[name].as_str().expect("a text")).expect("hex");
        Self {
            device: device.to_owned(),
            key: SigningKey::from_pkcs8_pem(&read("sign.key.pem")).expect("a key"),
            enc: key("enc_key").try_into().expect("32 bytes"),
            receipt_key: key("receipt_key"),
            address,
            tls: client(&read("ca.pem"), Some((&read("tls.pem"), &read("tls.key.pem")))),
        }
    }

    /// This terminal with another certificate, or none.
    pub(crate) fn with_credential(mut self, ca: &str, credential: Option<(&str, &str)>) -> Self {
        self.tls = client(ca, credential);
        self
    }

    /// A record with `seq` and one picture, sealed by a seed.
    pub(crate) fn parcel(&self, seq: i64, seed: u64) -> Parcel {
        let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe0];
        jpeg.extend((0..40_000).map(|i| u8::try_from((i * 7 + seq) % 251).expect("a byte")));
        let picture = paper::seal(PICTURE, &self.enc, &jpeg, seed ^ 0x0fac_e000);
        let announced = [Announced::of(&picture)];
        let id = paper::id(seed << 16 | u64::try_from(seq).expect("a positive seq"));
        let record = paper::record(&self.device, id, &announced).encode();
        let envelope = self.envelope(&record, seed);
        let entry = Entry::of(id, seq, &envelope, &announced);
        Parcel { id, envelope, picture, entry }
    }

    /// The envelope of a record's bytes.
    pub(crate) fn envelope(&self, record: &[u8], seed: u64) -> Vec<u8> {
        paper::seal(RECORD, &self.enc, &paper::sign(RECORD, &self.key, record), seed)
    }

    /// The signed manifest of some entries.
    pub(crate) fn manifest(&self, batch: [u8; 16], entries: &[Entry]) -> Vec<u8> {
        let manifest = paper::manifest(&self.device, batch, None, entries);
        paper::sign(MANIFEST, &self.key, &manifest.encode())
    }

    pub(crate) fn offer(&self, batch: [u8; 16], manifest: &[u8]) -> io::Result<Reply> {
        self.send("PUT", &format!("/v1/batches/{}", hex::encode(&batch)), manifest)
    }

    pub(crate) fn keep(&self, id: [u8; 16], envelope: &[u8]) -> io::Result<Reply> {
        self.send("PUT", &format!("/v1/records/{}", hex::encode(&id)), envelope)
    }

    pub(crate) fn append(
        &self,
        digest: [u8; 32],
        offset: usize,
        piece: &[u8],
    ) -> io::Result<Reply> {
        let path = format!("/v1/pictures/{}?offset={offset}", hex::encode(&digest));
        self.send("PUT", &path, piece)
    }

    pub(crate) fn commit(&self, batch: [u8; 16]) -> io::Result<Reply> {
        self.send("POST", &format!("/v1/batches/{}/commit", hex::encode(&batch)), &[])
    }

    pub(crate) fn receipt(&self, id: [u8; 16]) -> io::Result<Reply> {
        self.send("GET", &format!("/v1/receipts/{}", hex::encode(&id)), &[])
    }

    /// One request on a connection of its own.
    pub(crate) fn send(&self, method: &str, path: &str, body: &[u8]) -> io::Result<Reply> {
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        let tls = ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut stream = StreamOwned::new(tls, stream);
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: authority\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        // An authority that refuses early may stop reading; its reply still counts.
        let _ = stream.write_all(body).and_then(|()| stream.flush());
        let mut reply = Vec::new();
        match stream.read_to_end(&mut reply) {
            Err(fault) if reply.is_empty() => return Err(fault),
            _ => (),
        }
        let reply = Reply::parse(&reply).ok_or(io::ErrorKind::UnexpectedEof)?;
        // Noise instead of CBOR is as good as no reply.
        if reply.body.first() == Some(&0xff) {
            Err(io::ErrorKind::InvalidData.into())
        } else {
            Ok(reply)
        }
    }
}

impl Reply {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let body = bytes[end + 4..].to_vec();
        let reply = Self { status, headers, body };
        let length = reply.header("content-length").and_then(|length| length.parse().ok());
        // A reply that was cut in its body is no reply.
        (length.unwrap_or(0) <= reply.body.len()).then_some(reply)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }

    /// The status, and the code if it is a refusal.
    pub(crate) fn says(&self) -> String {
        match self.code() {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }

    fn code(&self) -> Option<String> {
        let mut decoder = Decoder::new(&self.body);
        decoder.map().ok()?;
        decoder.u8().ok()?;
        decoder.str().ok().map(str::to_owned)
    }

    /// The number under key 0.
    pub(crate) fn next_offset(&self) -> u64 {
        let mut decoder = Decoder::new(&self.body);
        decoder.map().expect("a map");
        decoder.u8().expect("a key");
        decoder.u64().expect("an offset")
    }

    /// The byte strings of an array.
    pub(crate) fn list(&self) -> Vec<Vec<u8>> {
        bytes_list(&mut Decoder::new(&self.body))
    }

    /// Needed records, needed pictures, refused records with their codes.
    pub(crate) fn answer(&self) -> Answer {
        let mut decoder = Decoder::new(&self.body);
        assert_eq!(decoder.map().expect("a map"), Some(3));
        let key = |decoder: &mut Decoder<'_>| decoder.u8().expect("a key");
        key(&mut decoder);
        let records = bytes_list(&mut decoder);
        key(&mut decoder);
        let pictures = bytes_list(&mut decoder);
        key(&mut decoder);
        let count = decoder.array().expect("an array").expect("a length");
        let refused = (0..count).map(|_| {
            assert_eq!(decoder.array().expect("a pair"), Some(2));
            let id = decoder.bytes().expect("an id").to_vec();
            (id, decoder.str().expect("a code").to_owned())
        });
        let refused = refused.collect();
        (records, pictures, refused)
    }
}

/// What a signed receipt says, without looking at its signature.
pub(crate) fn receipt_number(receipt: &[u8]) -> u64 {
    let mut outer = Decoder::new(receipt);
    outer.array().expect("a COSE_Sign1");
    outer.bytes().expect("a header");
    outer.map().expect("an open header");
    let mut payload = Decoder::new(outer.bytes().expect("a payload"));
    let pairs = payload.map().expect("a map").expect("a length");
    for _ in 0..pairs {
        if payload.u8().expect("a key") == 7 {
            return payload.u64().expect("a number");
        }
        payload.skip().expect("a value");
    }
    panic!("a receipt without a number")
}

fn bytes_list(decoder: &mut Decoder<'_>) -> Vec<Vec<u8>> {
    let count = decoder.array().expect("an array").expect("a length");
    (0..count)
        .map(|_| {
            assert_eq!(decoder.datatype().expect("a type"), Type::Bytes);
            decoder.bytes().expect("bytes").to_vec()
        })
        .collect()
}

fn client(ca: &str, credential: Option<(&str, &str)>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).expect("PEM")).expect("a CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots);
    Arc::new(match credential {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM"),
            )
            .expect("a client certificate"),
    })
}

const PATIENCE: Duration = Duration::from_secs(20);
