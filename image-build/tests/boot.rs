//! A disk of the root file system that lies in the cache boots to its first screen: a minute on two quiet cores. It is
//! left out where there is none, or without the rights to run its tools.

use std::path::PathBuf;
use std::process::Command;

#[test]
fn a_disk_of_the_cached_root_boots_to_its_first_screen() {
    let home = std::env::var("HOME").unwrap_or_default();
    let cache = std::env::var("CACHE").unwrap_or(format!("{home}/.cache/changqing"));
    let cache = PathBuf::from(cache).join("image");
    let packed = cache.join("qemu").join(env!("CARGO_PKG_VERSION")).join("slot.img");
    if !packed.exists() {
        eprintln!("left out: no image in the cache; make image VARIANT=qemu builds it, as root");
        return;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: only root may run the tools of the image");
        return;
    }
    let mut trial = Command::new(env!("CARGO_BIN_EXE_image-build"));
    trial.args(["trial", "--as-built", "--models", ".", "--prompts", ".", "--cache"]).arg(cache);
    assert!(trial.status().unwrap().success(), "no first screen");
}
