//! Provisions a terminal: its keys and certificate, what it must trust, its roster and its packs.
//! A directory that was provisioned before keeps its keys and gets fresh signed files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    cose::{self, SUITE, public_bytes},
    files::{self, Access},
    hex,
    keys::{KeyError, Keys, Signer, new_signing_key, signing_key},
    store::{Store, StoreError},
};

/// What a terminal is provisioned with.
#[derive(Debug, Clone)]
pub struct Order {
    /// The terminal's id.
    pub device: String,
    /// Where it is sent.
    pub site: String,
    /// The directory that it is given.
    pub out: PathBuf,
    /// The roster of its site, JSON.
    pub roster: Option<PathBuf>,
    /// The folder of the policy packs, `*.toml`.
    pub policy: Option<PathBuf>,
}

/// Why a terminal is not provisioned.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A device or site name that would not survive as a name everywhere.
    #[error(
        "{0:?} is not a name: letters, digits, '-', '_' and '.', at most {NAME_MAX}, a letter or digit first"
    )]
    Name(String),
    /// A file.
    #[error("{0}")]
    File(PathBuf, #[source] io::Error),
    /// A roster that is no JSON.
    #[error("the roster {0} is not JSON")]
    Roster(PathBuf, #[source] serde_json::Error),
    /// A pack that is no text.
    #[error("the policy pack {0} is not UTF-8")]
    Policy(PathBuf),
    /// The directory belongs to another terminal or is damaged.
    #[error("{0} was not provisioned for this device")]
    Foreign(PathBuf),
    /// The keys.
    #[error("the keys")]
    Key(#[from] KeyError),
    /// The database.
    #[error("the store")]
    Store(#[from] StoreError),
}

/// Provisions a terminal and registers it.
pub fn provision(data: &Path, order: &Order, now_ms: i64) -> Result<(), ProvisionError> {
    check_name(&order.device)?;
    check_name(&order.site)?;
    let keys = Keys::at(data);
    files::private_folder(&order.out).map_err(at(&order.out))?;
    let public = device_keys(&keys, order)?;
    // Registered before the directory is complete: a terminal in hand is always known here.
    Store::open(data)?.register(&order.device, &order.site, &public, now_ms)?;
    write(order, "ca.pem", keys.ca()?.as_bytes(), Access::Public)?;
    write(order, IDENTITY, identity(&keys, order)?.as_bytes(), Access::Public)?;
    if let Some(roster) = &order.roster {
        let signed = sign_file(&keys, Signer::Down, roster)?;
        write(order, "roster.cose", &signed, Access::Private)?;
    }
    if let Some(folder) = &order.policy {
        sign_packs(&keys, order, folder)?;
    }
    Ok(())
}

/// The file's content signed as a roster or as a policy pack.
pub fn sign_file(keys: &Keys, signer: Signer, file: &Path) -> Result<Vec<u8>, ProvisionError> {
    let content = fs::read(file).map_err(at(file))?;
    if signer == Signer::Policy && std::str::from_utf8(&content).is_err() {
        return Err(ProvisionError::Policy(file.to_owned()));
    }
    if signer == Signer::Down {
        serde_json::from_slice::<serde::de::IgnoredAny>(&content)
            .map_err(|fault| ProvisionError::Roster(file.to_owned(), fault))?;
    }
    Ok(cose::sign(&keys.signing(signer)?, signer.content_type(), &content))
}

/// Makes the terminal's keys unless the directory has them; gives its public signing key.
fn device_keys(keys: &Keys, order: &Order) -> Result<Vec<u8>, ProvisionError> {
    let made_for = fs::read_to_string(order.out.join(IDENTITY)).unwrap_or_default();
    if !made_for.is_empty() && !made_for.contains(&format!("device = \"{}\"\n", order.device)) {
        return Err(ProvisionError::Foreign(order.out.clone()));
    }
    if made_for.is_empty() {
        let credential = keys.issue(&order.device)?;
        write(order, "tls.pem", credential.certificate.as_bytes(), Access::Public)?;
        write(order, "tls.key.pem", credential.key.as_bytes(), Access::Private)?;
        write(order, SIGN_KEY, new_signing_key()?.as_bytes(), Access::Private)?;
    }
    let path = order.out.join(SIGN_KEY);
    let pem = fs::read_to_string(&path).map_err(at(&path))?;
    let key = signing_key(&pem).ok_or_else(|| ProvisionError::Foreign(order.out.clone()))?;
    Ok(public_bytes(key.verifying_key()))
}

fn identity(keys: &Keys, order: &Order) -> Result<String, ProvisionError> {
    let enc = hex::encode(&keys.opening()?.public());
    let receipt = hex::encode(&keys.public(Signer::Receipt)?);
    let down = hex::encode(&keys.public(Signer::Down)?);
    let policy = hex::encode(&keys.public(Signer::Policy)?);
    Ok(format!(
        "device = \"{}\"\nsite = \"{}\"\nsuite = \"{SUITE}\"\nenc_key = \"{enc}\"\n\
         receipt_key = \"{receipt}\"\ndown_key = \"{down}\"\npolicy_key = \"{policy}\"\n",
        order.device, order.site
    ))
}

fn sign_packs(keys: &Keys, order: &Order, folder: &Path) -> Result<(), ProvisionError> {
    let out = order.out.join("policy");
    files::private_folder(&out).map_err(at(&out))?;
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let signed = sign_file(keys, Signer::Policy, &path)?;
            let name = path.with_extension("cose");
            let to = out.join(name.file_name().expect("a listed file has a name"));
            files::write(&to, &signed, Access::Public).map_err(at(&to))?;
        }
    }
    Ok(())
}

fn write(order: &Order, name: &str, bytes: &[u8], access: Access) -> Result<(), ProvisionError> {
    let path = order.out.join(name);
    files::write(&path, bytes, access).map_err(at(&path))
}

/// A name goes into certificates, paths and file names, so it is plain.
fn check_name(name: &str) -> Result<(), ProvisionError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = name.len() <= NAME_MAX && name.chars().all(plain);
    if fits && name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(ProvisionError::Name(name.to_owned()))
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ProvisionError {
    let path = path.to_owned();
    move |fault| ProvisionError::File(path, fault)
}

const IDENTITY: &str = "authority.toml";
const SIGN_KEY: &str = "sign.key.pem";
/// The longest common name of a certificate (RFC 5280, ub-common-name).
const NAME_MAX: usize = 64;
