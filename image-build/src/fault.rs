//! Everything that stops a build, each with a code that scripts can rely on.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Nowhere above is a repository.
    #[error("no image-build/variants here or above; name the repository with --root")]
    NoRepository,
    /// A file or folder cannot be read.
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] io::Error),
    /// A file or folder cannot be written.
    #[error("cannot write {0}")]
    Write(PathBuf, #[source] io::Error),
    /// A file of ours says something that is not understood. The line counts from 1.
    #[error("{0}:{1}: {2}")]
    Line(PathBuf, usize, String),
    /// A program that the build runs said something that is not understood.
    #[error("{0}")]
    Tool(String),
    /// A root file system needs its true owners.
    #[error("an image is built by root: it unpacks files of many owners")]
    NotRoot,
    /// A program that the build runs is not on this machine.
    #[error("{0} cannot be run")]
    NoTool(String, #[source] io::Error),
    /// A program that the build runs refused.
    #[error("{0} failed: {1}")]
    ToolFailed(String, String),
    /// Debian keeps the sources of some versions only.
    #[error(
        "the library's source of Rust {0} could not be had; Debian's own compiler needs none: --compiler debian"
    )]
    NoLibrarySource(String, #[source] Box<Fault>),
    /// The folder of programs has no `kiosk`.
    #[error(
        "{0} is not there; build it with: cargo build --release -p kiosk --no-default-features"
    )]
    NoProgram(PathBuf),
    /// It is not a program for Linux at all.
    #[error("{0} is not an ELF program")]
    NotElf(PathBuf),
    /// It is a program for another processor.
    #[error("{0} is built for {1}, the variant wants {2}")]
    WrongProcessor(PathBuf, String, String),
    /// Some other program is named `kiosk`.
    #[error("{0} does not know the kiosk's settings file: it is not the kiosk")]
    NotTheKiosk(PathBuf),
    /// The desk build: a simulator in the field is a presentation attack.
    #[error("{0} contains the simulator ({1:?}); build it with --no-default-features")]
    SimulatorInside(PathBuf, &'static str),
    /// The programs of a terminal are built together.
    #[error("the programs in {0} were made by different Rusts: {1}; build them again, together")]
    TwoRusts(PathBuf, String),
    /// Nobody may be given the programs without the licences of the library in them.
    #[error(
        "{0} is not there: the licences of the library of the Rust that made the programs; image-build puts it there when it builds them"
    )]
    NoLibraryLicence(PathBuf),
    /// A file of weights is not there.
    #[error("{0} is not there; run: models fetch")]
    ModelMissing(PathBuf),
    /// A file of weights is not the one that was measured.
    #[error("{0} is not the file of the manifest: its sum is {1}")]
    ModelWrongSum(PathBuf, String),
    /// Something has outgrown its place.
    #[error("{0} takes {1} bytes, the variant allows {2}")]
    TooLarge(String, u64, u64),
    /// Two sources want the same place.
    #[error("two sources for {0}")]
    Twice(String),
    /// What stands at the output is not ours to replace.
    #[error("{0} is there and was not made by image-build stage; remove it first")]
    OutNotOurs(PathBuf),
    /// Nobody may be given an image without them.
    #[error("cargo cannot name the licences of all crates here; run: cargo fetch --locked")]
    NoLicences,
    /// There is no image to boot.
    #[error("no image in {0}; run: make image VARIANT=qemu")]
    NotBuilt(PathBuf),
    /// The folder is not what an authority provisions.
    #[error("{0} has no authority.toml: make it with: authority provision")]
    NotProvisioned(PathBuf),
    /// What is checked was not staged.
    #[error("{0} has no stage.json: it was not made by image-build stage")]
    NotStaged(PathBuf),
}

impl Fault {
    /// The code for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRepository => "err-no-repository",
            Self::Read(..) => "err-read",
            Self::Write(..) => "err-write",
            Self::Line(..) => "err-source-wrong",
            Self::Tool(..) => "err-tool",
            Self::NotRoot => "err-not-root",
            Self::NoTool(..) => "err-no-tool",
            Self::ToolFailed(..) => "err-tool-failed",
            Self::NoLibrarySource(..) => "err-no-library-source",
            Self::NoProgram(..) => "err-no-program",
            Self::NotElf(..) => "err-not-elf",
            Self::WrongProcessor(..) => "err-wrong-processor",
            Self::NotTheKiosk(..) => "err-not-the-kiosk",
            Self::SimulatorInside(..) => "err-simulator-inside",
            Self::TwoRusts(..) => "err-two-rusts",
            Self::NoLibraryLicence(..) => "err-no-library-licence",
            Self::ModelMissing(..) => "err-model-missing",
            Self::ModelWrongSum(..) => "err-model-wrong-sum",
            Self::TooLarge(..) => "err-too-large",
            Self::Twice(..) => "err-twice",
            Self::OutNotOurs(..) => "err-out-not-ours",
            Self::NoLicences => "err-no-licences",
            Self::NotBuilt(..) => "err-not-built",
            Self::NotProvisioned(..) => "err-not-provisioned",
            Self::NotStaged(..) => "err-not-staged",
        }
    }

    /// The text with all its sources.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }

    /// A fault of reading.
    pub fn read(path: impl AsRef<Path>, e: io::Error) -> Self {
        Self::Read(path.as_ref().into(), e)
    }

    /// A fault of writing.
    pub fn write(path: impl AsRef<Path>, e: io::Error) -> Self {
        Self::Write(path.as_ref().into(), e)
    }

    /// A fault of parsing, with the line where it starts.
    pub fn toml(path: &Path, text: &str, e: &toml::de::Error) -> Self {
        let at = e.span().map_or(0, |span| span.start);
        Self::Line(path.into(), line_of(text, at), e.message().replace('\n', " "))
    }
}

/// The line of a byte, from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count()
}
