//! Signed bundles for RAUC. Without keys of the agency's own, keys for the desk are made once in the cache; an image
//! that trusts them takes updates from whoever has that folder, so `image` says so.

use std::path::{Path, PathBuf};

use crate::fault::Fault;
use crate::root::{Root, copy, make, write};
use crate::tree::sum_file;
use crate::workshop::{Workshop, beside, host, remove, run, say};

/// A key and its certificate, PEM.
#[derive(Clone)]
pub struct Signer {
    /// PKCS#8.
    pub key: PathBuf,
    /// X.509; the image trusts bundles under it.
    pub certificate: PathBuf,
}

impl Signer {
    /// Keys for the desk, made at the first call.
    pub fn for_the_desk(shop: &Workshop) -> Result<Self, Fault> {
        let folder = shop.path("keys");
        let signer =
            Self { key: folder.join("updates.key"), certificate: folder.join("updates.pem") };
        say(
            "updates are signed with the desk's own keys; give --update-key and --update-certificate for the field",
        );
        if !signer.certificate.exists() {
            make(&folder)?;
            let mut openssl = host("openssl");
            openssl.args(["req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "7300"]);
            openssl.args(["-subj", "/O=Changqing/CN=updates of the desk", "-keyout"]);
            run(openssl.arg(&signer.key).arg("-out").arg(&signer.certificate))?;
        }
        Ok(signer)
    }
}

/// Packs root and boot half as one signed bundle.
pub fn bundle(
    shop: &Workshop,
    signer: &Signer,
    compatible: &str,
    version: &str,
    root: &Root,
    slot: &Path,
    product: &Path,
) -> Result<(), Fault> {
    let inputs = [
        root.hash.clone(),
        sum_file(slot)?,
        version.to_owned(),
        sum_file(&signer.certificate)?,
        compatible.into(),
    ];
    shop.step("update", &inputs, product, |fresh| {
        let folder = beside(fresh, "d");
        remove(&folder)?;
        make(&folder)?;
        copy(&root.image, &folder.join("root.img"))?;
        copy(slot, &folder.join("boot.img"))?;
        write(&folder.join("manifest.raucm"), &manifest(compatible, version))?;
        let keys = folder.with_extension("keys");
        make(&keys)?;
        copy(&signer.key, &keys.join("key"))?;
        copy(&signer.certificate, &keys.join("pem"))?;
        let (key, pem) = (shop.seen(&keys.join("key")), shop.seen(&keys.join("pem")));
        // RAUC wants the ending of a bundle.
        let raw = beside(fresh, "raucb");
        remove(&raw)?;
        let mut rauc = shop.tool("rauc");
        rauc.arg("bundle").args([
            format!("--cert={pem}"),
            format!("--key={key}"),
            format!("--keyring={pem}"),
            "--mksquashfs-args=-comp zstd -Xcompression-level 1 -no-progress".to_owned(),
        ]);
        let packed = run(rauc.args([shop.seen(&folder), shop.seen(&raw)]));
        remove(&keys)?;
        packed?;
        std::fs::rename(&raw, fresh).map_err(|e| Fault::write(fresh, e))?;
        remove(&folder)
    })?;
    Ok(())
}

fn manifest(compatible: &str, version: &str) -> String {
    format!(
        "[update]\ncompatible={compatible}\nversion={version}\n\n[bundle]\nformat=verity\n\n\
         [image.rootfs]\nfilename=root.img\n\n[image.boot]\nfilename=boot.img\n"
    )
}
