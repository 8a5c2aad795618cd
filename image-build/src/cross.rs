//! The shipped `kiosk` for aarch64, built on any machine: Rust's standard library from Debian's `rust-src` of the
//! compiler's own version, C libraries and headers from a trixie that is only unpacked, never run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::Fault;
use crate::program::PROGRAMS;
use crate::tree::sum_of;
use crate::variant::Variant;
use crate::workshop::{Workshop, host, run, run_aloud};

/// Builds the programs in a folder of the cache, which keeps what did not change; returns the folder with them.
pub fn kiosk(
    shop: &Workshop,
    root: &Path,
    variant: &Variant,
    target: &Path,
) -> Result<PathBuf, Fault> {
    let version = compiler_version()?;
    let sysroot = sysroot(shop, variant, &version)?;
    let toolchain = toolchain(shop, &sysroot, &version)?;
    let mut cargo = host("cargo");
    cargo.current_dir(root).arg("build").args(["--release", "--jobs", "2"]);
    // Packages together, so that what they share is built once.
    cargo.args(["--package", "kiosk", "--package", "drivers", "--package", "models"]);
    cargo.args(PROGRAMS.iter().flat_map(|program| ["--bin", program.name]));
    cargo.arg("--no-default-features");
    cargo.args(["--target", TRIPLE, "-Zbuild-std=std,panic_unwind"]);
    surroundings(&mut cargo, &sysroot, &toolchain, target);
    run_aloud(&mut cargo)?;
    Ok(target.join(TRIPLE).join("release"))
}

/// C libraries of the image's own release, with the library sources of this very compiler.
fn sysroot(shop: &Workshop, variant: &Variant, version: &str) -> Result<PathBuf, Fault> {
    let product = shop.path("sysroot");
    let include = format!("--include={},rust-src={version}*", LIBRARIES.join(","));
    let (suite, mirror) = (&variant.suite, mirror()?);
    let inputs = [include.clone(), suite.clone()];
    shop.step("cross: libraries and headers", &inputs, &product, |fresh| {
        let mut debian = shop.debian("arm64", "extract");
        debian.arg(&include).arg(suite).arg(fresh);
        for part in [suite.clone(), format!("{suite}-backports")] {
            debian.arg(format!("deb {SIGNED_BY} {mirror} {part} main"));
        }
        run(&mut debian).map(drop)
    })?;
    Ok(product)
}

/// The installed compiler once more, as links, with a standard library to build.
fn toolchain(shop: &Workshop, sysroot: &Path, version: &str) -> Result<PathBuf, Fault> {
    let product = shop.path("toolchain");
    let installed = run(host("rustc").args(["--print", "sysroot"]))?;
    let inputs = [installed.trim().to_owned(), version.to_owned()];
    shop.step("cross: compiler", &inputs, &product, |fresh| {
        run(host("cp").args(["-a", "--link", installed.trim()]).arg(fresh))
            .or_else(|_| run(host("cp").args(["-aT", installed.trim()]).arg(fresh)))?;
        let library = fresh.join("lib/rustlib/src");
        crate::workshop::remove(&library)?;
        fs::create_dir_all(&library).map_err(|e| Fault::write(&library, e))?;
        let source = sysroot.join("usr/src").join(format!("rustc-{version}"));
        symlink(source, library.join("rust")).map_err(|e| Fault::write(&library, e))
    })?;
    Ok(product)
}

/// The folder that this clone is compiled in. By the times of files alone cargo would take what another clone built last for
/// this one's own.
pub fn target(shop: &Workshop, root: &Path) -> PathBuf {
    let root = root.canonicalize().unwrap_or_else(|_| root.into());
    let name = sum_of(root.as_os_str().as_encoded_bytes());
    shop.path(&format!("target/{}", &name[..8]))
}

/// Where compiler, linker, `pkg-config` and bindgen find what is not this machine's. Paths of this machine are mapped
/// away, so that two machines build the same bytes.
fn surroundings(cargo: &mut Command, sysroot: &Path, toolchain: &Path, target: &Path) {
    let sysroot_text = sysroot.display().to_string();
    let home = std::env::var("CARGO_HOME")
        .unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").unwrap_or_default()));
    let path = std::env::var("PATH").unwrap_or_default();
    let c = format!(
        "--sysroot={sysroot_text} -ffile-prefix-map={home}=/cargo -ffile-prefix-map={}=/target",
        target.display()
    );
    let libraries = format!("{sysroot_text}/usr/lib/{GNU}");
    let rust = format!(
        "-Clink-arg=--sysroot={sysroot_text} --remap-path-prefix={home}=/cargo \
         --remap-path-prefix={sysroot_text}=/sysroot --remap-path-prefix={}=/target \
         --remap-path-prefix={}=/toolchain",
        target.display(),
        toolchain.display()
    );
    let include = format!("{sysroot_text}/usr/include");
    cargo
        .env_remove("RUSTUP_TOOLCHAIN")
        .env("PATH", format!("{}/bin:{path}", toolchain.display()))
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", target)
        .env(format!("CARGO_TARGET_{UPPER}_LINKER"), format!("{GNU}-gcc"))
        .env(format!("CARGO_TARGET_{UPPER}_RUSTFLAGS"), rust)
        .env(format!("CC_{LOWER}"), format!("{GNU}-gcc"))
        .env(format!("CXX_{LOWER}"), format!("{GNU}-g++"))
        .env(format!("AR_{LOWER}"), format!("{GNU}-ar"))
        .env(format!("CFLAGS_{LOWER}"), &c)
        .env(format!("CXXFLAGS_{LOWER}"), &c)
        .env(
            format!("BINDGEN_EXTRA_CLANG_ARGS_{LOWER}"),
            format!("--sysroot={sysroot_text} -I{include} -I{include}/{GNU}"),
        )
        .env("PKG_CONFIG_ALLOW_CROSS", "1")
        .env("PKG_CONFIG_SYSROOT_DIR", &sysroot_text)
        .env(
            "PKG_CONFIG_LIBDIR",
            format!("{libraries}/pkgconfig:{sysroot_text}/usr/share/pkgconfig"),
        )
        .env("OPENSSL_LIB_DIR", &libraries)
        .env("OPENSSL_INCLUDE_DIR", include);
}

fn compiler_version() -> Result<String, Fault> {
    let said = run(host("rustc").arg("--version"))?;
    let version = said.split_whitespace().nth(1).map(str::to_owned);
    version.ok_or_else(|| Fault::Tool(format!("rustc says no version: {said}")))
}

/// The mirror that this machine takes Debian's packages from.
fn mirror() -> Result<String, Fault> {
    let said = run(host("apt-get").args(["indextargets", "--format", "$(REPO_URI) $(LABEL)"]))?;
    let uri = said.lines().find_map(|line| line.strip_suffix(" Debian"));
    uri.map(str::to_owned)
        .ok_or_else(|| Fault::Tool("apt names no mirror of Debian; run: apt-get update".into()))
}

/// What the program is linked with, and what its build scripts read.
const LIBRARIES: [&str; 12] = [
    "base-files",
    "libc6-dev",
    "libstdc++-14-dev",
    "linux-libc-dev",
    "libudev-dev",
    "libinput-dev",
    "libxkbcommon-dev",
    "libfontconfig-dev",
    "libpcsclite-dev",
    "libasound2-dev",
    "libdrm-dev",
    "libssl-dev",
];
const SIGNED_BY: &str = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
const TRIPLE: &str = "aarch64-unknown-linux-gnu";
const GNU: &str = "aarch64-linux-gnu";
const UPPER: &str = "AARCH64_UNKNOWN_LINUX_GNU";
const LOWER: &str = "aarch64_unknown_linux_gnu";
