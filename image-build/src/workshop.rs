//! The workshop: a cache folder, steps that are done once for the same inputs, and the tools that they run.
//!
//! Tools that change with a Debian release (QEMU, RAUC, squashfs, U-Boot) come from a small trixie of their own below
//! the cache, the *builder*, so that an image does not depend on the machine that builds it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::fault::Fault;
use crate::tree::sum_of;

/// Where images are built.
pub struct Workshop {
    cache: PathBuf,
}

impl Workshop {
    /// Opens the cache folder; only root may unpack a root file system.
    pub fn open(cache: &Path) -> Result<Self, Fault> {
        if !rustix::process::geteuid().is_root() {
            return Err(Fault::NotRoot);
        }
        fs::create_dir_all(cache).map_err(|e| Fault::write(cache, e))?;
        let cache = cache.canonicalize().map_err(|e| Fault::read(cache, e))?;
        Ok(Self { cache })
    }

    /// Waits until nobody else builds below this cache; until the file is closed nobody else does.
    pub fn alone(&self) -> Result<fs::File, Fault> {
        let place = self.cache.join("lock");
        let file = fs::File::create(&place).map_err(|e| Fault::write(&place, e))?;
        file.lock().map_err(|e| Fault::write(&place, e))?;
        Ok(file)
    }

    /// A path below the cache.
    pub fn path(&self, name: &str) -> PathBuf {
        self.cache.join(name)
    }

    /// Where the builder's tools see a path of the cache.
    pub fn seen(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.cache).expect("products are below the cache");
        format!("{SEEN_AT}/{}", below.display())
    }

    /// Does a step unless its product was made from the same inputs before.
    ///
    /// The product is made beside its place and renamed, so a build that was cut goes on where it stood.
    pub fn step(
        &self,
        name: &str,
        inputs: &[String],
        product: &Path,
        work: impl FnOnce(&Path) -> Result<(), Fault>,
    ) -> Result<String, Fault> {
        let digest = sum_of(format!("{name}\n{}", inputs.join("\n")).as_bytes());
        let stamp = beside(product, "inputs");
        if product.exists() && fs::read_to_string(&stamp).is_ok_and(|was| was == digest) {
            say(&format!("{name}: as it was"));
            return Ok(digest);
        }
        say(&format!("{name} …"));
        let started = Instant::now();
        let fresh = beside(product, "new");
        if let Some(parent) = product.parent() {
            fs::create_dir_all(parent).map_err(|e| Fault::write(parent, e))?;
        }
        for old in [&fresh, &stamp] {
            remove(old)?;
        }
        work(&fresh)?;
        remove(product)?;
        fs::rename(&fresh, product).map_err(|e| Fault::write(product, e))?;
        fs::write(&stamp, &digest).map_err(|e| Fault::write(&stamp, e))?;
        say(&format!("{name}: done in {} s", started.elapsed().as_secs()));
        Ok(digest)
    }

    /// A tool of the builder. It sees the cache at [`SEEN_AT`] and this machine's `/dev`.
    pub fn tool(&self, name: &str) -> Command {
        self.tool_in(&self.builder(), &[], name)
    }

    /// A tool of a root below the cache. It sees the cache at [`SEEN_AT`], this machine's `/dev`, and each of these folders at
    /// its place.
    pub fn tool_in(&self, root: &Path, folders: &[(&Path, &str)], name: &str) -> Command {
        let mut command = host("unshare");
        command.args(["--mount", "--", "sh", "-c", ENTER]).arg(root);
        for (folder, place) in [(self.cache.as_path(), SEEN_AT)].iter().chain(folders) {
            command.arg(folder).arg(place);
        }
        command.args([INSIDE, name]);
        command
    }

    /// The builder's root.
    pub fn builder(&self) -> PathBuf {
        self.path("builder")
    }

    /// `mmdebstrap`, which makes every root below the cache.
    pub fn debian(&self, architecture: &str, variant: &str) -> Command {
        let mut command = host("mmdebstrap");
        command.env("SOURCE_DATE_EPOCH", TIME_S.to_string());
        command.args(["--mode=root", "--skip=check/qemu"]);
        command.args([format!("--architectures={architecture}"), format!("--variant={variant}")]);
        command.arg("--aptopt=APT::Install-Recommends \"false\"");
        command.arg("--aptopt=Acquire::Languages \"none\"");
        command
    }
}

/// A tool of this machine, at low priority and with plain words.
pub fn host(name: &str) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "10", name]).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command.stdin(Stdio::null());
    command
}

/// Runs a tool to its end and returns what it printed; what it complained of is the fault's text.
pub fn run(command: &mut Command) -> Result<String, Fault> {
    let name = words(command);
    let output = command.output().map_err(|e| Fault::NoTool(name.clone(), e))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = told.lines().rev().take(TOLD_LINES).collect();
        let last = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
        return Err(Fault::ToolFailed(name, last));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a tool that takes minutes; what it says goes to standard error as it comes.
pub fn run_aloud(command: &mut Command) -> Result<(), Fault> {
    let name = words(command);
    let status =
        command.stdout(io::stderr()).status().map_err(|e| Fault::NoTool(name.clone(), e))?;
    if status.success() { Ok(()) } else { Err(Fault::ToolFailed(name, status.to_string())) }
}

/// Progress, with the time of day left to whoever reads.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "image-build: {text}");
}

/// Removes a file or folder that may not be there.
pub fn remove(path: &Path) -> Result<(), Fault> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Fault::write(path, e)),
        _ => Ok(()),
    }
}

/// A path with a further ending.
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(end);
    path.with_file_name(name)
}

/// The tool's name and first arguments, without the way into another root.
fn words(command: &Command) -> String {
    let all: Vec<String> =
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let skip = all.iter().position(|word| word == INSIDE).map_or(2, |at| at + 1);
    all.into_iter().skip(skip).take(6).collect::<Vec<_>>().join(" ")
}

/// Where the builder's tools see the cache.
pub const SEEN_AT: &str = "/cache";
/// 2026-01-01: every file of every image is as old, but for the mark of the earliest time.
pub const TIME_S: u64 = 1_767_225_600;
/// Called with the root, folders each with its place there, [`INSIDE`], and the tool, which takes the place of the shell. The
/// mounts end with it.
const ENTER: &str = "while [ \"$1\" != inside: ]; do mkdir -p \"$0$2\" && mount --bind \"$1\" \"$0$2\" || exit 1; shift 2; done; \
    shift; mount --rbind /dev \"$0/dev\" && mount -t proc proc \"$0/proc\" && exec chroot \"$0\" \"$@\"";
const INSIDE: &str = "inside:";
const TOLD_LINES: usize = 12;
