//! `image-build image`: from a variant to a disk and a signed bundle, step by step. Each step is one function; what did
//! not change since the last build is not done again.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cross::{self, Compiler};
use crate::debian::{base, builder, kernel};
use crate::device_tree::device_trees;
use crate::disk::{Content, disk};
use crate::fault::Fault;
use crate::program::LIBRARY_LICENCE;
use crate::root::{Ingredients, Release, Root, root};
use crate::sbom::Parts;
use crate::slot::{arguments, initrd, slot};
use crate::stage::{Source, stage};
use crate::tree;
use crate::update::{Signer, bundle};
use crate::variant::Variant;
use crate::workshop::{Workshop, remove, say};

/// What is to be built.
#[derive(Clone)]
pub struct Order {
    /// The repository.
    pub root: PathBuf,
    /// Such as `counter`.
    pub variant: String,
    /// Where everything is kept.
    pub cache: PathBuf,
    /// Folder with a `kiosk` that was built elsewhere; else it is built here.
    pub bin: Option<PathBuf>,
    /// Whose Rust builds it.
    pub compiler: Compiler,
    /// Weights, as `models fetch` left them.
    pub models: PathBuf,
    /// Recordings, as `image-build/prompts.sh` leaves them.
    pub prompts: PathBuf,
    /// Who signs updates; else the desk.
    pub signer: Option<Signer>,
    /// Which edition.
    pub release: Release,
}

/// What was built.
#[derive(Clone)]
pub struct Image {
    /// The whole disk.
    pub disk: PathBuf,
    /// The signed update.
    pub bundle: PathBuf,
    /// Root file system with its verity tree.
    pub root: PathBuf,
    /// Boot half of a slot.
    pub slot: PathBuf,
    /// dm-verity's root hash.
    pub hash: String,
    /// Kernel, initial file system and the arguments that the boot loader gives for slot A.
    pub direct: (PathBuf, PathBuf, String),
}

/// A disk of its own from the root file system and boot half that an earlier build left, whatever changed since.
pub fn disk_of_cached(order: &Order, product: &Path) -> Result<(), Fault> {
    let shop = Workshop::open(&order.cache)?;
    let _alone = shop.alone()?;
    let variant = Variant::read(&order.root, &order.variant)?;
    let folder = shop.path(&variant.name).join(&order.release.version);
    let slot = folder.join("slot.img");
    if !slot.is_file() {
        return Err(Fault::NotBuilt(folder));
    }
    let kernel = kernel(&shop, &variant)?;
    let trees = device_trees(&shop, &order.root, &variant, &kernel)?;
    let packed = Root::packed(&folder.join("root"))?;
    let content =
        Content { variant: &variant, kernel: &kernel, trees: &trees, root: &packed, slot: &slot };
    remove(product)?;
    disk(&shop, &order.root, &content, product).map(drop)
}

/// Builds everything that is not there yet.
pub fn image(order: &Order) -> Result<Image, Fault> {
    let shop = Workshop::open(&order.cache)?;
    let _alone = shop.alone()?;
    let variant = Variant::read(&order.root, &order.variant)?;
    let folder = shop.path(&variant.name).join(&order.release.version);
    fs::create_dir_all(&folder).map_err(|e| Fault::write(&folder, e))?;

    builder(&shop, &variant)?;
    let base = base(&shop, &variant)?;
    let kernel = kernel(&shop, &variant)?;
    let bin = match &order.bin {
        Some(bin) => bin.clone(),
        None => {
            let target = cross::target(&shop, &order.root, order.compiler);
            cross::kiosk(&shop, &order.root, &variant, order.compiler, &target)?
        }
    };
    let initrd = initrd(&shop, &order.root, &variant, &base, &kernel)?;
    let trees = device_trees(&shop, &order.root, &variant, &kernel)?;

    let staged = shop.path(&variant.name).join("staged");
    let parts = Parts::read(&order.root)?;
    if !parts.has_licences {
        return Err(Fault::NoLicences);
    }
    let library = bin.join(LIBRARY_LICENCE);
    if !library.is_file() {
        return Err(Fault::NoLibraryLicence(library));
    }
    let source = Source {
        root: order.root.clone(),
        variant: variant.clone(),
        bin,
        models: order.models.clone(),
        prompts: order.prompts.clone(),
        parts,
    };
    let record = stage(&source, &staged)?;
    let signer = match &order.signer {
        Some(signer) => signer.clone(),
        None => Signer::for_the_desk(&shop)?,
    };
    let ingredients = Ingredients {
        variant: &variant,
        base: &base,
        kernel: &kernel,
        staged: &staged,
        staged_digest: &record.digest,
        update_certificate: &signer.certificate,
        release: &order.release,
    };
    let packed = root(&shop, &ingredients, &folder.join("root"))?;
    let boot = folder.join("slot.img");
    slot(&shop, &variant, &kernel, &initrd, &trees, &packed, &boot)?;
    let disk_file = folder.join("disk.img");
    let content =
        Content { variant: &variant, kernel: &kernel, trees: &trees, root: &packed, slot: &boot };
    disk(&shop, &order.root, &content, &disk_file)?;
    let bundle_file = folder.join("update.raucb");
    let compatible = variant.compatible();
    bundle(&shop, &signer, &compatible, &order.release.version, &packed, &boot, &bundle_file)?;
    let words = format!("{} kiosk.slot=a rauc.slot=A", arguments(&variant, &packed));
    let kernel_file = kernel.tree.join("boot").join(format!("vmlinuz-{}", kernel.version));
    let image = Image {
        direct: (kernel_file, initrd.0, words),
        disk: disk_file,
        bundle: bundle_file,
        root: packed.image,
        slot: boot,
        hash: packed.hash,
    };
    report(&image)?;
    Ok(image)
}

/// What it came to, for people.
fn report(image: &Image) -> Result<(), Fault> {
    let mib = |path: &Path| -> Result<f64, Fault> {
        let meta = fs::metadata(path).map_err(|e| Fault::read(path, e))?;
        Ok(meta.len() as f64 / f64::from(1 << 20))
    };
    say(&format!("disk   {}", image.disk.display()));
    say(&format!("update {} ({:.1} MiB)", image.bundle.display(), mib(&image.bundle)?));
    say(&format!("root   {:.1} MiB, boot half {:.1} MiB", mib(&image.root)?, mib(&image.slot)?));
    say(&format!("root hash {}", image.hash));
    let sum = tree::sum_file(&image.root)?;
    say(&format!("sha256 of the root {}", &sum[..16]));
    Ok(())
}
