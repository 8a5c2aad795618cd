//! The image that lies in the cache boots to its first screen. It is left out where there is none, or without the rights
//! to run its tools.

use std::path::PathBuf;
use std::process::Command;

#[test]
fn the_image_in_the_cache_boots_to_its_first_screen() {
    let home = std::env::var("HOME").unwrap_or_default();
    let cache = std::env::var("CACHE").unwrap_or(format!("{home}/.cache/changqing"));
    let cache = PathBuf::from(cache).join("image");
    let disk = cache.join("qemu").join(env!("CARGO_PKG_VERSION")).join("disk.img");
    if !disk.exists() {
        eprintln!("left out: no image in the cache; make image VARIANT=qemu builds it, as root");
        return;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: only root may run the tools of the image");
        return;
    }
    if std::env::var_os("CHANGQING_BOOT_IMAGE").is_none() {
        eprintln!("left out: it takes minutes; CHANGQING_BOOT_IMAGE=1 asks for it");
        return;
    }
    let mut trial = Command::new(env!("CARGO_BIN_EXE_image-build"));
    trial.args(["trial", "--as-built", "--models", ".", "--cache"]).arg(cache);
    assert!(trial.status().unwrap().success(), "no first screen");
}
