//! `image-build setup`: seals what sets a new terminal up with a code of ten digits. The agency sends the file on a USB
//! stick and the code by another way. `kiosk/src/setup/sealed.rs` opens it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};

use crate::fault::Fault;
use crate::tree::{Kind, walk};

/// Seals the two folders and returns the code.
pub fn setup(provisioned: &Path, settings: &Path, out: &Path) -> Result<String, Fault> {
    if !provisioned.join("authority.toml").is_file() {
        return Err(Fault::NotProvisioned(provisioned.into()));
    }
    let mut files = BTreeMap::new();
    for (name, folder) in [("provisioned", provisioned), ("settings", settings)] {
        for item in walk(folder)?.into_iter().filter(|item| item.kind == Kind::File) {
            let file = folder.join(&item.path);
            let bytes = fs::read(&file).map_err(|e| Fault::read(&file, e))?;
            files.insert(format!("{name}/{}", item.path), bytes);
        }
    }
    let (code, salt, nonce) = (code()?, random()?, random()?);
    let sealed = seal(&code, salt, nonce, &files);
    fs::write(out, sealed).map_err(|e| Fault::write(out, e))?;
    Ok(code)
}

fn seal(code: &str, salt: Salt, nonce: [u8; 12], files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let named: BTreeMap<&String, String> = files.iter().map(|(n, bytes)| (n, hex(bytes))).collect();
    let text = serde_json::to_vec(&named).expect("text by text can be written");
    let params = Params::new(64 * 1024, 3, 1, None).expect("constants within Argon2's bounds");
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(code.as_bytes(), &salt, &mut key)
        .expect("lengths within Argon2's bounds");
    let sealed = ChaCha20Poly1305::new((&key).into())
        .encrypt(&Nonce::from(nonce), Payload { msg: &text, aad: MAGIC })
        .expect("it is shorter than a gigabyte");
    [MAGIC, &salt, &nonce, &sealed].concat()
}

/// Each code is as likely as any other.
fn code() -> Result<String, Fault> {
    loop {
        let number = u64::from_le_bytes(random()?) >> 30;
        if number < CODES {
            return Ok(format!("{number:010}"));
        }
    }
}

fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| Fault::Tool(format!("no random bytes: {e}")))?;
    Ok(bytes)
}

type Salt = [u8; 16];

const MAGIC: &[u8] = b"changqing/setup/1\n";
const CODES: u64 = 10_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// The kiosk's own test opens the same bytes.
    #[test]
    fn the_sealed_bytes_are_those_of_the_vector() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/setup.kiosk");
        let files = [("settings/site.toml".to_owned(), b"[terminal]\n".to_vec())].into();
        let sealed = seal("3141592653", *b"salt of a vector", *b"nonce of one", &files);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&file, &sealed).unwrap();
        }
        assert_eq!(fs::read(file).unwrap(), sealed);
    }

    #[test]
    fn a_code_has_ten_digits() {
        for _ in 0..100 {
            let code = code().unwrap();
            assert!(code.len() == 10 && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
        }
    }
}
