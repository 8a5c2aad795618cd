//! The file that sets a terminal up: keys of the terminal, the authority's public keys, the site's settings, sealed
//! with a code. `image-build setup` writes it; the format is at [`MAGIC`].

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use kiosk_core::message::Id;
use zeroize::Zeroizing;

use crate::config::{Config, ConfigError, SetupConfig};
use crate::hex;
use crate::vault::{Provisioned, VaultError};

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// It cannot be read.
    #[error("the set-up file cannot be read")]
    Read(#[source] std::io::Error),
    /// It is something else, or for a later program.
    #[error("the set-up file is not one that this program knows")]
    NotOurs,
    /// The code is another one, or the file is damaged: nobody can tell which.
    #[error("the code does not open the set-up file")]
    WrongCode,
    /// It holds a file that has no place here.
    #[error("the set-up file brings {0}, which has no place here")]
    Stray(String),
    /// Its keys cannot be used.
    #[error("the keys in the set-up file cannot be used")]
    Keys(#[from] VaultError),
    /// Its settings cannot be used.
    #[error("the settings in the set-up file cannot be used")]
    Settings(#[from] ConfigError),
    /// It cannot be put in its place.
    #[error("the set-up cannot be written")]
    Write(#[source] std::io::Error),
}

impl SetupError {
    /// For whoever stands at the screen.
    pub fn told(&self) -> Id {
        match self {
            Self::WrongCode => Id::SetupWrongCode,
            Self::Read(_) | Self::Write(_) => Id::SetupFault,
            Self::NotOurs | Self::Stray(_) | Self::Keys(_) | Self::Settings(_) => Id::SetupNotOurs,
        }
    }
}

/// Opens the file, looks at all that it brings, and puts it in its place as a whole or not at all.
pub fn install(setup: &SetupConfig, config: &Path, code: &str) -> Result<(), SetupError> {
    let size = fs::metadata(&setup.file).map_err(SetupError::Read)?.len();
    if size > BYTES_MAX {
        return Err(SetupError::NotOurs);
    }
    let sealed = fs::read(&setup.file).map_err(SetupError::Read)?;
    let files = open(&sealed, code)?;
    let fresh = setup.site.with_extension("new");
    clear(&fresh).map_err(SetupError::Write)?;
    for (name, bytes) in &files {
        write(&fresh, name, bytes).map_err(SetupError::Write)?;
    }
    let provisioned = Provisioned::read(&fresh.join("provisioned"))?;
    provisioned.sign_key()?;
    Config::read_with(config, &fresh.join("settings"))?;
    let old = setup.site.with_extension("old");
    clear(&old).map_err(SetupError::Write)?;
    if setup.site.exists() {
        fs::rename(&setup.site, &old).map_err(SetupError::Write)?;
    }
    fs::rename(&fresh, &setup.site).map_err(SetupError::Write)?;
    let parent = setup.site.parent().unwrap_or(Path::new("."));
    fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(SetupError::Write)
}

type Files = BTreeMap<PathBuf, Zeroizing<Vec<u8>>>;

/// What the code opens, each file with a place that it may have.
fn open(sealed: &[u8], code: &str) -> Result<Files, SetupError> {
    let rest = sealed.strip_prefix(MAGIC).ok_or(SetupError::NotOurs)?;
    let (salt, rest) = rest.split_first_chunk::<SALT_BYTES>().ok_or(SetupError::NotOurs)?;
    let (nonce, msg) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SetupError::NotOurs)?;
    let key = key(code, salt);
    let text = ChaCha20Poly1305::new((&*key).into())
        .decrypt(&Nonce::from(*nonce), Payload { msg, aad: MAGIC })
        .map(Zeroizing::new)
        .map_err(|_| SetupError::WrongCode)?;
    let named: BTreeMap<&str, &str> =
        serde_json::from_slice(&text).map_err(|_| SetupError::NotOurs)?;
    let file = |(name, text): (&str, &str)| {
        let bytes = hex::decode(text).ok_or(SetupError::NotOurs)?;
        Ok((place(name)?, Zeroizing::new(bytes)))
    };
    named.into_iter().map(file).collect()
}

/// Below `provisioned` or `settings`, and nowhere else.
fn place(name: &str) -> Result<PathBuf, SetupError> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let known = path.starts_with("provisioned") || path.starts_with("settings");
    let is_file = path.components().count() > 1;
    if plain && known && is_file { Ok(path.into()) } else { Err(SetupError::Stray(name.into())) }
}

/// About a second on a Pi: ten digits are few.
fn key(code: &str, salt: &[u8]) -> Zeroizing<[u8; 32]> {
    let params = Params::new(64 * 1024, 3, 1, None).expect("constants within Argon2's bounds");
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(code.as_bytes(), salt, &mut *key)
        .expect("lengths within Argon2's bounds");
    key
}

fn write(folder: &Path, name: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().unwrap_or(folder))?;
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    out.write_all(bytes)?;
    out.sync_all()
}

fn clear(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Then 16 bytes of salt, 12 of nonce, and ChaCha20-Poly1305 (the magic is authenticated) of JSON that names each file
/// with its bytes in hexadecimal. The key is Argon2id of the code's digits: 64 MiB, 3 passes, 1 lane.
pub const MAGIC: &[u8] = b"changqing/setup/1\n";
/// Digits of a code.
pub const CODE_DIGITS: usize = 10;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
/// A roster of tens of thousands fits.
const BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(code: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
        let named: BTreeMap<&str, String> =
            files.iter().map(|(name, bytes)| (*name, hex::encode(bytes))).collect();
        let text = serde_json::to_vec(&named).unwrap();
        let (salt, nonce) = ([7; SALT_BYTES], [9; NONCE_BYTES]);
        let msg = ChaCha20Poly1305::new((&*key(code, &salt)).into())
            .encrypt(&Nonce::from(nonce), Payload { msg: &text, aad: MAGIC })
            .unwrap();
        [MAGIC, &salt, &nonce, &msg].concat()
    }

    #[test]
    fn a_code_opens_what_was_sealed_with_it_and_nothing_else_does() {
        let files: [(&str, &[u8]); 2] =
            [("provisioned/ca.pem", b"pem"), ("settings/site.toml", b"[terminal]\n")];
        let sealed = seal("0123456789", &files);
        let opened = open(&sealed, "0123456789").unwrap();
        assert_eq!(opened[Path::new("provisioned/ca.pem")].as_slice(), b"pem");
        assert!(matches!(open(&sealed, "0123456780"), Err(SetupError::WrongCode)));
        let mut bent = sealed.clone();
        *bent.last_mut().unwrap() ^= 1;
        assert!(matches!(open(&bent, "0123456789"), Err(SetupError::WrongCode)));
        assert!(matches!(open(&sealed[1..], "0123456789"), Err(SetupError::NotOurs)));
        assert!(matches!(open(&sealed[..MAGIC.len() + 3], "0123456789"), Err(SetupError::NotOurs)));
    }

    #[test]
    fn nothing_is_put_beside_its_place() {
        for name in ["../x", "/etc/x", "provisioned", "other/x", "settings/../../x", ""] {
            assert!(matches!(place(name), Err(SetupError::Stray(_))), "{name}");
        }
        assert!(place("provisioned/policy/a.cose").is_ok());
    }

    #[test]
    fn what_the_image_builder_seals_is_opened() {
        let sealed = include_bytes!("../../../image-build/vectors/setup.kiosk");
        let opened = open(sealed, "3141592653").unwrap();
        assert_eq!(opened[Path::new("settings/site.toml")].as_slice(), b"[terminal]\n");
    }
}
