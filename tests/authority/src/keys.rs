//! The authority's keys and certificates: made once, kept as private files, loaded when needed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use p256::{
    ecdsa::SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding},
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::{
    cose::{ContentType, OpeningKey, public_bytes},
    files::{self, Access},
    hex,
};

/// The folder of the keys in the authority's data.
#[derive(Debug, Clone)]
pub struct Keys {
    folder: PathBuf,
}

/// Why a key cannot be made or loaded.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file cannot be read or written.
    #[error("key file {0}")]
    File(String, #[source] io::Error),
    /// A file is there and is no key.
    #[error("key file {0} is damaged")]
    Damaged(String),
    /// A certificate cannot be made.
    #[error("no certificate can be made")]
    Certificate(#[from] rcgen::Error),
    /// The system gives no random bytes.
    #[error("no random bytes")]
    Random(#[from] getrandom::Error),
}

/// Which P-256 key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// Signs receipts.
    Receipt,
    /// Signs what goes down to terminals.
    Down,
    /// Signs policy packs.
    Policy,
}

/// A certificate with its key, as PEM texts. It has no `Debug`.
pub struct Credential {
    /// The certificate.
    pub certificate: String,
    /// Its private key, PKCS#8.
    pub key: String,
}

impl Keys {
    /// The keys below `data`; they need not be there yet.
    #[must_use]
    pub fn at(data: &Path) -> Self {
        Self { folder: data.join("keys") }
    }

    /// Makes whatever is missing; what is there stays, except a server certificate for other hosts.
    pub fn make(&self, hosts: &[String]) -> Result<(), KeyError> {
        files::private_folder(&self.folder).map_err(|fault| file_fault("keys", fault))?;
        for signer in [Signer::Receipt, Signer::Down, Signer::Policy] {
            self.make_if_missing(signer.file(), new_signing_key)?;
        }
        self.make_if_missing(ENC_KEY, || Ok(hex::encode(&random::<32>()?)))?;
        self.make_if_missing(CA_KEY, || Ok(KeyPair::generate()?.serialize_pem()))?;
        self.make_if_missing(SERVER_KEY, || Ok(KeyPair::generate()?.serialize_pem()))?;
        if !self.folder.join(CA).exists() {
            let certificate = ca_params()?.self_signed(&self.key_pair(CA_KEY)?)?.pem();
            self.write(CA, &certificate, Access::Public)?;
        }
        self.make_server_certificate(hosts)
    }

    fn make_server_certificate(&self, hosts: &[String]) -> Result<(), KeyError> {
        let wanted = hosts.join("\n");
        let made_for = fs::read_to_string(self.folder.join(SERVER_HOSTS)).unwrap_or_default();
        if self.folder.join(SERVER).exists() && (hosts.is_empty() || wanted == made_for) {
            return Ok(());
        }
        let defaults = DEFAULT_HOSTS.map(str::to_owned);
        let names = if hosts.is_empty() { &defaults[..] } else { hosts };
        let mut params = leaf_params("changqing authority", ExtendedKeyUsagePurpose::ServerAuth)?;
        params.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
        let certificate = params.signed_by(&self.key_pair(SERVER_KEY)?, &self.issuer()?)?.pem();
        self.write(SERVER, &certificate, Access::Public)?;
        self.write(SERVER_HOSTS, &names.join("\n"), Access::Public)
    }

    /// The certificate of our CA, PEM.
    pub fn ca(&self) -> Result<String, KeyError> {
        self.read(CA)
    }

    /// What the server shows to terminals.
    pub fn server(&self) -> Result<Credential, KeyError> {
        Ok(Credential { certificate: self.read(SERVER)?, key: self.read(SERVER_KEY)? })
    }

    /// A fresh client certificate whose common name is `device`.
    pub fn issue(&self, device: &str) -> Result<Credential, KeyError> {
        let key = KeyPair::generate()?;
        let params = leaf_params(device, ExtendedKeyUsagePurpose::ClientAuth)?;
        let certificate = params.signed_by(&key, &self.issuer()?)?.pem();
        Ok(Credential { certificate, key: key.serialize_pem() })
    }

    /// The key that opens envelopes and pictures.
    pub fn opening(&self) -> Result<OpeningKey, KeyError> {
        let text = self.read(ENC_KEY)?;
        let secret = hex::decode_exact(text.trim_end()).ok_or_else(|| damaged(ENC_KEY))?;
        Ok(OpeningKey::new(&secret))
    }

    /// One of the signing keys.
    pub fn signing(&self, signer: Signer) -> Result<SigningKey, KeyError> {
        let file = signer.file();
        signing_key(&self.read(file)?).ok_or_else(|| damaged(file))
    }

    /// The 65 public bytes of a signing key.
    pub fn public(&self, signer: Signer) -> Result<Vec<u8>, KeyError> {
        Ok(public_bytes(self.signing(signer)?.verifying_key()))
    }

    fn issuer(&self) -> Result<Issuer<'static, KeyPair>, KeyError> {
        Ok(Issuer::from_ca_cert_pem(&self.ca()?, self.key_pair(CA_KEY)?)?)
    }

    fn key_pair(&self, file: &str) -> Result<KeyPair, KeyError> {
        KeyPair::from_pem(&self.read(file)?).map_err(|_| damaged(file))
    }

    fn make_if_missing(
        &self,
        file: &str,
        make: impl FnOnce() -> Result<String, KeyError>,
    ) -> Result<(), KeyError> {
        if self.folder.join(file).exists() {
            return Ok(());
        }
        self.write(file, &make()?, Access::Private)
    }

    fn read(&self, file: &str) -> Result<String, KeyError> {
        fs::read_to_string(self.folder.join(file)).map_err(|fault| file_fault(file, fault))
    }

    fn write(&self, file: &str, text: &str, access: Access) -> Result<(), KeyError> {
        files::write(&self.folder.join(file), text.as_bytes(), access)
            .map_err(|fault| file_fault(file, fault))
    }
}

impl Signer {
    /// What this key may sign.
    #[must_use]
    pub fn content_type(self) -> ContentType {
        match self {
            Self::Receipt => ContentType::Receipt,
            Self::Down => ContentType::Roster,
            Self::Policy => ContentType::Policy,
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Receipt => "receipt.key.pem",
            Self::Down => "down.key.pem",
            Self::Policy => "policy.key.pem",
        }
    }
}

/// A fresh P-256 key as PKCS#8 PEM.
pub(crate) fn new_signing_key() -> Result<String, KeyError> {
    // One in 2^32 draws is no scalar of the curve; the next one is.
    loop {
        let secret: [u8; 32] = random()?;
        if let Ok(key) = SigningKey::from_slice(&secret) {
            let pem = key.to_pkcs8_pem(LineEnding::LF).expect("a P-256 key has a PKCS#8 form");
            return Ok(pem.to_string());
        }
    }
}

/// The P-256 key of a PKCS#8 PEM text.
pub(crate) fn signing_key(pem: &str) -> Option<SigningKey> {
    SigningKey::from_pkcs8_pem(pem).ok()
}

fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn ca_params() -> Result<CertificateParams, KeyError> {
    let mut params = CertificateParams::new([])?;
    params.distinguished_name.push(DnType::CommonName, "changqing authority CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_period(&mut params);
    Ok(params)
}

fn leaf_params(name: &str, usage: ExtendedKeyUsagePurpose) -> Result<CertificateParams, KeyError> {
    let mut params = CertificateParams::new([])?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    set_period(&mut params);
    Ok(params)
}

/// A terminal whose clock fell back to the factory's date must still find the way here.
fn set_period(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(1970, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
}

fn file_fault(file: &str, fault: io::Error) -> KeyError {
    KeyError::File(file.to_owned(), fault)
}

fn damaged(file: &str) -> KeyError {
    KeyError::Damaged(file.to_owned())
}

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key.pem";
const SERVER: &str = "server.pem";
const SERVER_KEY: &str = "server.key.pem";
const SERVER_HOSTS: &str = "server.hosts";
const ENC_KEY: &str = "enc.key";
const DEFAULT_HOSTS: [&str; 2] = ["127.0.0.1", "localhost"];
