//! The shipped `kiosk` for aarch64, built on any machine with C libraries and headers from a trixie that is only unpacked,
//! never run; by this machine's own compiler with Debian's `rust-src` of the same version, or by Debian's compiler with
//! its own library in a trixie below the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::tools;
use crate::fault::Fault;
use crate::program::{LIBRARY_LICENCE, PROGRAMS};
use crate::root::{copy, make};
use crate::tree::sum_of;
use crate::variant::Variant;
use crate::workshop::{Workshop, host, remove, run, run_aloud, say};

/// Whose Rust makes the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Compiler {
    /// This machine's; the standard library is built with the programs.
    Installed,
    /// Debian's `rustc-web`, whose library for aarch64 is a package: nothing of this machine's compiler is needed, and no
    /// feature that is not stable.
    Debian,
}

/// Builds the programs in a folder of the cache, which keeps what did not change; returns the folder with them.
pub fn kiosk(
    shop: &Workshop,
    root: &Path,
    variant: &Variant,
    compiler: Compiler,
    target: &Path,
) -> Result<PathBuf, Fault> {
    let sysroot = sysroot(shop, variant)?;
    let Build { mut cargo, at, licence } = match compiler {
        Compiler::Installed => of_this_machine(shop, root, variant, &sysroot, target)?,
        Compiler::Debian => of_debian(shop, root, variant, &sysroot, target)?,
    };
    surroundings(&mut cargo, &at);
    cargo.args(["--release", "--jobs", "2", "--target", TRIPLE]);
    cargo.args(PACKAGES).args(PROGRAMS.iter().flat_map(|program| ["--bin", program.name]));
    cargo.arg("--no-default-features");
    run_aloud(&mut cargo)?;
    let programs = target.join(TRIPLE).join("release");
    copy(&licence, &programs.join(LIBRARY_LICENCE))?;
    Ok(programs)
}

/// The folder that this clone is compiled in. By the times of files alone cargo would take what another clone built last for
/// this one's own.
pub fn target(shop: &Workshop, root: &Path, compiler: Compiler) -> PathBuf {
    let root = root.canonicalize().unwrap_or_else(|_| root.into());
    let name = sum_of(root.as_os_str().as_encoded_bytes());
    let end = if compiler == Compiler::Debian { "-debian" } else { "" };
    shop.path(&format!("target/{}{end}", &name[..8]))
}

/// `cargo build` of this machine, with a standard library to build.
fn of_this_machine(
    shop: &Workshop,
    root: &Path,
    variant: &Variant,
    sysroot: &Path,
    target: &Path,
) -> Result<Build, Fault> {
    let toolchain = toolchain(shop, variant)?;
    let path = std::env::var("PATH").unwrap_or_default();
    let mut cargo = host("cargo");
    cargo.current_dir(root).args(["build", "-Zbuild-std=std,panic_unwind"]);
    cargo.env_remove("RUSTUP_TOOLCHAIN").env("RUSTC_BOOTSTRAP", "1");
    cargo.env("PATH", format!("{}/bin:{path}", toolchain.display()));
    let text = |path: &Path| path.display().to_string();
    let at = Paths {
        sysroot: text(sysroot),
        toolchain: text(&toolchain),
        home: text(&cargo_home()),
        target: text(target),
    };
    Ok(Build { cargo, at, licence: toolchain.join(SOURCES).join("copyright") })
}

/// `cargo build` in a trixie of its own, where the repository is [`SOURCE_AT`]. What it needs is fetched before, by this
/// machine's cargo, so that only one has to find the registry.
fn of_debian(
    shop: &Workshop,
    root: &Path,
    variant: &Variant,
    sysroot: &Path,
    target: &Path,
) -> Result<Build, Fault> {
    let trixie = shop.path("compiler");
    tools(shop, variant, "cross: Debian's compiler", &trixie, &COMPILER)?;
    say(run(shop.tool_in(&trixie, &[], "rustc").arg("--version"))?.trim());
    run_aloud(host("cargo").current_dir(root).args(["fetch", "--locked", "--quiet"]))?;
    make(target)?;
    let home = cargo_home();
    let folders = [(root, SOURCE_AT), (home.as_path(), HOME_AT)];
    let mut cargo = shop.tool_in(&trixie, &folders, "env");
    cargo.args(["--chdir", SOURCE_AT, "cargo", "build", "--frozen"]);
    // Nothing that this machine's Rust is told reaches Debian's, but for the settings in cargo's folder.
    cargo.env_clear().env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    cargo.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("CARGO_HOME", HOME_AT);
    let at = Paths {
        sysroot: shop.seen(sysroot),
        toolchain: "/usr/lib/rustlib".into(),
        home: HOME_AT.into(),
        target: shop.seen(target),
    };
    Ok(Build { cargo, at, licence: trixie.join("usr/share/doc/libstd-rust-web-dev/copyright") })
}

/// C libraries of the image's own release.
fn sysroot(shop: &Workshop, variant: &Variant) -> Result<PathBuf, Fault> {
    let product = shop.path("sysroot");
    let include = format!("--include={}", LIBRARIES.join(","));
    let inputs = [include.clone(), variant.suite.clone()];
    shop.step("cross: libraries and headers", &inputs, &product, |fresh| {
        let mut debian = shop.debian("arm64", "extract");
        run(debian.arg(&include).arg(&variant.suite).arg(fresh)).map(drop)
    })?;
    Ok(product)
}

/// The installed compiler once more, as links, with the sources of the library of this very version.
fn toolchain(shop: &Workshop, variant: &Variant) -> Result<PathBuf, Fault> {
    let product = shop.path("toolchain");
    let installed = run(host("rustc").args(["--print", "sysroot"]))?;
    let version = compiler_version()?;
    let (installed, suite) = (installed.trim(), &variant.suite);
    let include = format!("--include=rust-src={version}*");
    let inputs = [installed.to_owned(), include.clone(), suite.clone()];
    shop.step("cross: compiler", &inputs, &product, |fresh| {
        run(host("cp").args(["-a", "--link", installed]).arg(fresh))
            .or_else(|_| run(host("cp").args(["-aT", installed]).arg(fresh)))?;
        let packed = fresh.join("rust-src");
        let mut debian = shop.debian("arm64", "extract");
        debian.arg(&include).arg(suite).arg(&packed);
        let mirror = mirror()?;
        for part in [suite.clone(), format!("{suite}-backports")] {
            debian.arg(format!("deb {SIGNED_BY} {mirror} {part} main"));
        }
        run(&mut debian).map_err(|e| Fault::NoLibrarySource(version.clone(), Box::new(e)))?;
        let library = fresh.join(SOURCES);
        remove(&library)?;
        make(&library)?;
        let sources = packed.join("usr/src").join(format!("rustc-{version}"));
        for (from, to) in
            [(sources, "rust"), (packed.join("usr/share/doc/rust-src/copyright"), "copyright")]
        {
            fs::rename(&from, library.join(to)).map_err(|e| Fault::write(&from, e))?;
        }
        remove(&packed)
    })?;
    Ok(product)
}

/// What one compiler is started with.
struct Build {
    /// `cargo build`, without what both have in common.
    cargo: Command,
    /// As that cargo sees them.
    at: Paths,
    /// The licences of the compiler's own library, in one file.
    licence: PathBuf,
}

/// Where the compiler finds what.
struct Paths {
    /// C libraries and headers.
    sysroot: String,
    /// The compiler's own libraries.
    toolchain: String,
    /// Cargo's folder with the sources of others.
    home: String,
    /// What is built.
    target: String,
}

/// Where linker, `pkg-config` and bindgen find what is not this machine's. Paths of this machine are mapped away, so that
/// two machines with the same compiler build the same bytes.
fn surroundings(cargo: &mut Command, at: &Paths) {
    let Paths { sysroot, toolchain, home, target } = at;
    let c = format!(
        "--sysroot={sysroot} -ffile-prefix-map={home}=/cargo -ffile-prefix-map={target}=/target"
    );
    let libraries = format!("{sysroot}/usr/lib/{GNU}");
    let rust = format!(
        "-Clink-arg=--sysroot={sysroot} --remap-path-prefix={home}=/cargo \
         --remap-path-prefix={sysroot}=/sysroot --remap-path-prefix={target}=/target \
         --remap-path-prefix={toolchain}=/toolchain"
    );
    let include = format!("{sysroot}/usr/include");
    cargo
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
            format!("--sysroot={sysroot} -I{include} -I{include}/{GNU}"),
        )
        .env("PKG_CONFIG_ALLOW_CROSS", "1")
        .env("PKG_CONFIG_SYSROOT_DIR", sysroot)
        .env("PKG_CONFIG_LIBDIR", format!("{libraries}/pkgconfig:{sysroot}/usr/share/pkgconfig"))
        .env("OPENSSL_LIB_DIR", &libraries)
        .env("OPENSSL_INCLUDE_DIR", include);
}

fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
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
/// Debian's Rust, C compilers for both processors, `libclang` for bindgen, and the font that `drivers/build.rs` draws from.
const COMPILER: [&str; 10] = [
    "rustc-web",
    "cargo-web",
    "libstd-rust-web-dev:arm64",
    "gcc",
    "libc6-dev",
    "gcc-aarch64-linux-gnu",
    "g++-aarch64-linux-gnu",
    "libclang-dev",
    "pkg-config",
    "fonts-noto-cjk",
];
/// Where Debian's compiler sees the repository.
const SOURCE_AT: &str = "/source";
/// Where it sees cargo's folder.
const HOME_AT: &str = "/cargo";
const SIGNED_BY: &str = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
/// What the programs are in. Together, so that what they share is built once.
pub const PACKAGES: [&str; 6] =
    ["--package", "kiosk", "--package", "drivers", "--package", "models"];
/// In the toolchain.
const SOURCES: &str = "lib/rustlib/src";
/// As Rust calls the processor and its system.
pub const TRIPLE: &str = "aarch64-unknown-linux-gnu";
const GNU: &str = "aarch64-linux-gnu";
const UPPER: &str = "AARCH64_UNKNOWN_LINUX_GNU";
const LOWER: &str = "aarch64_unknown_linux_gnu";
