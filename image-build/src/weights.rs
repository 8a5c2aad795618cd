//! The weights of `models/manifest.toml`: only they go into a terminal, and only the files that were measured.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::fault::Fault;
use crate::tree::sum_of;

/// The parts of the manifest that matter here; the `models` package reads it strictly.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// Published packages that carry weights.
    #[serde(rename = "package")]
    pub packages: Vec<Package>,
    /// Files of weights.
    #[serde(rename = "model")]
    pub models: Vec<Model>,
}

/// A published package.
#[derive(Clone, Debug, Deserialize)]
pub struct Package {
    /// Short name inside the manifest.
    pub id: String,
    /// Its name in its registry.
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// As the package states it.
    pub licence: String,
    /// Its text, if the package has one.
    pub licence_text: Option<File>,
    /// What is known of where the weights come from.
    pub provenance: String,
}

/// One file of weights.
#[derive(Clone, Debug, Deserialize)]
pub struct Model {
    /// Name inside the manifest.
    pub id: String,
    /// The package it comes in.
    pub package: String,
    /// The file.
    #[serde(flatten)]
    pub file: File,
}

/// A file of a package.
#[derive(Clone, Debug, Deserialize)]
pub struct File {
    /// Its name in the model folder.
    #[serde(rename = "file")]
    pub name: String,
    /// Lower-case hex.
    pub sha256: String,
}

impl Manifest {
    /// Reads the manifest of the repository.
    pub fn read(root: &Path) -> Result<Self, Fault> {
        let file = root.join(MANIFEST);
        let text = fs::read_to_string(&file).map_err(|e| Fault::read(&file, e))?;
        let manifest: Self = toml::from_str(&text).map_err(|e| Fault::toml(&file, &text, &e))?;
        let texts = manifest.packages.iter().filter_map(|package| package.licence_text.as_ref());
        let mut files = manifest.models.iter().map(|model| &model.file).chain(texts);
        match files.find(|one| one.name.contains('/')) {
            Some(one) => Err(Fault::Line(file, 1, format!("{} is no plain file name", one.name))),
            None => Ok(manifest),
        }
    }
}

impl File {
    /// The bytes of the file in a folder, if they are the ones of the manifest.
    pub fn bytes(&self, folder: &Path) -> Result<Vec<u8>, Fault> {
        let file = folder.join(&self.name);
        if !file.is_file() {
            return Err(Fault::ModelMissing(file));
        }
        let bytes = fs::read(&file).map_err(|e| Fault::read(&file, e))?;
        let sum = sum_of(&bytes);
        if sum == self.sha256 { Ok(bytes) } else { Err(Fault::ModelWrongSum(file, sum)) }
    }
}

/// Where the manifest is in the repository.
pub const MANIFEST: &str = "models/manifest.toml";
