//! What is inside: every crate of the programs from `Cargo.lock`, Rust's own library, the weights, and their licences.
//!
//! Names, versions and sums come from the lock file; which of them are in the programs, licences and licence texts from cargo
//! where the sources are at hand. Without it the list is the lock's own closure and a licence is NOASSERTION.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cross::{PACKAGES, TRIPLE};
use crate::fault::Fault;
use crate::program::LIBRARY_LICENCE;
use crate::tree::sum_of;
use crate::weights::Manifest;
use crate::workshop::{host, run};

/// What the programs are made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The crates, as the lock sorts them, then Rust's own library.
    pub crates: Vec<Part>,
    /// Whether cargo named the licences.
    pub has_licences: bool,
}

/// One crate, or Rust's own library.
#[derive(Clone, Debug)]
pub struct Part {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SHA-256 of the archive; ours have none.
    pub checksum: Option<String>,
    /// An SPDX expression, if somebody says it.
    pub licence: Option<String>,
    /// What is to be said of its licence besides; may be empty.
    pub remark: String,
    /// Files with licence texts, each with its place below the crate.
    pub texts: Vec<(String, PathBuf)>,
    /// Where registries have it, as a package URL.
    pub purl: String,
}

impl Parts {
    /// Reads the lock file and asks cargo, offline.
    pub fn read(root: &Path) -> Result<Self, Fault> {
        let said = metadata(root).map(|metadata| shipped(&metadata, &linked(root)?));
        Self::with(root, said.transpose()?)
    }

    /// As [`Self::read`] with what cargo said of each crate, if it said anything.
    pub fn with(root: &Path, said: Option<BTreeMap<Key, Said>>) -> Result<Self, Fault> {
        let file = root.join("Cargo.lock");
        let text = fs::read_to_string(&file).map_err(|e| Fault::read(&file, e))?;
        let lock: Lock = toml::from_str(&text).map_err(|e| Fault::toml(&file, &text, &e))?;
        let names = said.as_ref().map_or_else(|| lock.closure(), |s| s.keys().cloned().collect());
        let part = |locked: &Locked| {
            let said = said.as_ref().and_then(|s| s.get(&locked.key()));
            Part {
                name: locked.name.clone(),
                version: locked.version.clone(),
                checksum: locked.checksum.clone(),
                licence: said.and_then(|s| s.licence.clone()),
                remark: said.map(|s| s.remark.clone()).unwrap_or_default(),
                texts: said.map(|s| s.texts.clone()).unwrap_or_default(),
                purl: format!("pkg:cargo/{}@{}", locked.name, locked.version.replace('+', "%2B")),
            }
        };
        let crates = lock.package.iter().filter(|l| names.contains(&l.key())).map(part).collect();
        Ok(Self { crates, has_licences: said.is_some() })
    }

    /// Adds the library of the Rust that made the programs, which is linked in as well, with the crates that it is made of.
    /// What Debian collected of all their licences lies beside the programs.
    pub fn with_library(mut self, version: Option<&str>, bin: &Path) -> Self {
        let version = version.unwrap_or("NOASSERTION");
        let file = bin.join(LIBRARY_LICENCE);
        self.crates.push(Part {
            name: "rust-std".into(),
            version: version.into(),
            checksum: None,
            licence: None,
            remark: "mostly MIT OR Apache-2.0; the licence of each part is in its file copyright"
                .into(),
            texts: file.is_file().then(|| ("copyright".into(), file)).into_iter().collect(),
            purl: format!("pkg:generic/rust-std@{version}"),
        });
        self
    }

    /// SPDX 2.3. The same inputs give the same bytes: the date is fixed and the name is made of the sums.
    pub fn spdx(&self, weights: &Manifest) -> String {
        let crates = self.crates.iter().map(|part| {
            json!({
                "SPDXID": id(&format!("crate-{}-{}", part.name, part.version)),
                "name": part.name,
                "versionInfo": part.version,
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": false,
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": part.licence.as_deref().unwrap_or("NOASSERTION"),
                "licenseComments": part.remark,
                "copyrightText": "NOASSERTION",
                "checksums": part.checksum.iter().map(sum).collect::<Vec<_>>(),
                "externalRefs": [{
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": part.purl,
                }],
            })
        });
        let models = weights.models.iter().map(|model| {
            json!({
                "SPDXID": id(&format!("model-{}", model.id)),
                "name": model.file.name,
                "versionInfo": weights.packages.iter().find(|p| p.id == model.package).map(|p| p.version.clone()),
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": false,
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": "NOASSERTION",
                "licenseComments": weights.packages.iter().find(|p| p.id == model.package).map(|p| p.licence.clone()),
                "copyrightText": "NOASSERTION",
                "checksums": [sum(&model.file.sha256)],
            })
        });
        let packages: Vec<Value> = crates.chain(models).collect();
        document("changqing-kiosk", &packages, &self.own_licences())
    }

    /// Licences that SPDX's list does not have, with their texts; without them the document is not valid.
    fn own_licences(&self) -> Vec<Value> {
        let mut texts = BTreeMap::new();
        for part in &self.crates {
            let words = part.licence.as_deref().unwrap_or_default().split([' ', '(', ')']);
            for name in words.filter(|word| word.starts_with("LicenseRef-")) {
                let file =
                    part.texts.iter().find(|(_, file)| file.file_stem() == Some(name.as_ref()));
                if let Some(text) = file.and_then(|(_, file)| fs::read_to_string(file).ok()) {
                    texts.insert(name, text);
                } else {
                    texts.entry(name).or_insert_with(|| "NOASSERTION".into());
                }
            }
        }
        let info = |(name, text)| json!({"licenseId": name, "extractedText": text});
        texts.into_iter().map(info).collect()
    }

    /// A table for people.
    pub fn licences(&self, weights: &Manifest) -> String {
        let mut text = String::from(
            "Changqing kiosk is under GPL-3.0-only; its text is /usr/share/common-licenses/GPL-3.\n\
             The texts of the others are in licences/. Where their sources have no file of it, the words are those of others \
             under the same name; Apache-2.0 is also in /usr/share/common-licenses.\n\nWeights\n\n",
        );
        for package in &weights.packages {
            text += &format!(
                "{} {}\n    {}\n    {}\n",
                package.name, package.version, package.licence, package.provenance
            );
        }
        text += "\nCrates, and the library of the Rust that made the programs\n\n";
        for part in &self.crates {
            let licence = part.licence.as_deref().unwrap_or("NOASSERTION");
            text += &format!("{} {}  {licence}", part.name, part.version);
            if !part.remark.is_empty() {
                text += &format!(" ({})", part.remark);
            }
            text.push('\n');
        }
        text
    }
}

/// SPDX 2.3 of what Debian's packages brought, by dpkg's `status` of two trees: all of the root's, and of the kernel's those
/// that are named. Their licences are in the files `usr/share/doc/PACKAGE/copyright` of the image. Returns the names with it.
pub fn debian(root: &str, kernel: &str, of_kernel: &[String]) -> (BTreeSet<String>, String) {
    let is_named = |paragraph: &&str| {
        field(paragraph, "Package").is_some_and(|name| of_kernel.iter().any(|one| one == name))
    };
    let paragraphs = root.split("\n\n").chain(kernel.split("\n\n").filter(is_named));
    let (mut names, mut packages) = (BTreeSet::new(), BTreeMap::new());
    for paragraph in paragraphs {
        let (Some(name), Some(version)) =
            (field(paragraph, "Package"), field(paragraph, "Version"))
        else {
            continue;
        };
        let architecture = field(paragraph, "Architecture").unwrap_or("all");
        let purl = format!("pkg:deb/debian/{name}@{version}?arch={architecture}");
        let package = json!({
            "SPDXID": id(&format!("deb-{name}-{version}")),
            "name": name,
            "versionInfo": version,
            "supplier": "Organization: Debian",
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION",
            "copyrightText": "NOASSERTION",
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": purl,
            }],
        });
        names.insert(name.to_owned());
        packages.insert(purl, package);
    }
    (names, document("changqing-debian", &packages.into_values().collect::<Vec<_>>(), &[]))
}

/// A field of a paragraph in Debian's format.
fn field<'t>(paragraph: &'t str, name: &str) -> Option<&'t str> {
    paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The same packages give the same bytes: the date is fixed and the name is made of their sum.
fn document(name: &str, packages: &[Value], own_licences: &[Value]) -> String {
    let sum = sum_of(format!("{packages:?} {own_licences:?}").as_bytes());
    let describes = |package: &Value| {
        json!({
            "spdxElementId": "SPDXRef-DOCUMENT",
            "relationshipType": "DESCRIBES",
            "relatedSpdxElement": package["SPDXID"],
        })
    };
    let body = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": format!("urn:changqing:sbom:{sum}"),
        "creationInfo": {"created": CREATED, "creators": ["Tool: image-build"]},
        "packages": packages,
        "hasExtractedLicensingInfos": own_licences,
        "relationships": packages.iter().map(describes).collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&body).expect("values made here can be written") + "\n"
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Locked {
    fn key(&self) -> Key {
        (self.name.clone(), self.version.clone())
    }

    /// A dependency is `name`, or `name version` when there are several.
    fn is_named(&self, dependency: &str) -> bool {
        let mut words = dependency.split(' ');
        words.next() == Some(&self.name)
            && words.next().is_none_or(|version| version == self.version)
    }
}

impl Lock {
    /// Everything below `kiosk`: more than is shipped, as the lock knows no features and no platforms.
    fn closure(&self) -> BTreeSet<Key> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&Locked> = self.package.iter().filter(|p| p.name == "kiosk").collect();
        while let Some(locked) = open.pop() {
            if found.insert(locked.key()) {
                let needed = |p: &&Locked| locked.dependencies.iter().any(|d| p.is_named(d));
                open.extend(self.package.iter().filter(needed));
            }
        }
        found
    }
}

/// What cargo says of a crate.
pub struct Said {
    licence: Option<String>,
    remark: String,
    texts: Vec<(String, PathBuf)>,
}

/// None: cargo or the sources are not at hand.
fn metadata(root: &Path) -> Option<Value> {
    let output = host("cargo")
        .current_dir(root)
        .args([
            "metadata",
            "--offline",
            "--locked",
            "--format-version",
            "1",
            "--no-default-features",
        ])
        .args(["--filter-platform", TRIPLE, "--manifest-path", "kiosk/Cargo.toml"])
        .output()
        .ok()?;
    output.status.success().then(|| serde_json::from_slice(&output.stdout).ok())?
}

/// The crates whose code is in the programs: what they are linked with, and C sources that a build script compiles, which are
/// in crates named `…-src`.
fn linked(root: &Path) -> Result<BTreeSet<Key>, Fault> {
    let mut built = crates(root, "normal,build,no-proc-macro")?;
    built.retain(|(name, _)| name.ends_with("-src"));
    built.extend(crates(root, "normal,no-proc-macro")?);
    Ok(built)
}

/// The crates along these edges from the programs, with the features that they are built with.
fn crates(root: &Path, edges: &str) -> Result<BTreeSet<Key>, Fault> {
    let mut cargo = host("cargo");
    cargo.current_dir(root).args(["tree", "--offline", "--locked", "--prefix", "none"]);
    cargo.args(PACKAGES).args(["--no-default-features", "--format", "{p}", "--target", TRIPLE]);
    let said = run(cargo.args(["--edges", edges]))?;
    let key = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
    };
    // An empty line is between two programs.
    let lines = said.lines().filter(|line| !line.is_empty());
    lines.map(|line| key(line).ok_or_else(strange)).collect()
}

fn strange() -> Fault {
    Fault::Tool("cargo says something else than it used to".into())
}

/// Licences and their texts of these crates.
fn shipped(metadata: &Value, linked: &BTreeSet<Key>) -> Result<BTreeMap<Key, Said>, Fault> {
    let list = |value: &Value| value.as_array().cloned().ok_or_else(strange);
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(strange);
    let mut found = BTreeMap::new();
    for package in list(&metadata["packages"])? {
        let key = (text(&package["name"])?, text(&package["version"])?);
        if !linked.contains(&key) {
            continue;
        }
        let authors = list(&package["authors"])?.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let manifest = text(&package["manifest_path"])?;
        let folder = Path::new(&manifest).parent().ok_or_else(strange)?;
        // Ours are under the licence of the repository.
        let is_ours = package["source"].is_null();
        let texts = if is_ours { Vec::new() } else { licence_texts(folder)? };
        let remark = if is_ours || !texts.is_empty() {
            String::new()
        } else {
            format!("no licence file in its sources; by {}", authors.join(", "))
        };
        let licence = package["license"].as_str().map(|l| l.replace('/', " OR "));
        let said = Said { licence, remark, texts };
        found.insert(key, said);
    }
    if found.len() == linked.len() { Ok(found) } else { Err(strange()) }
}

/// Files of a crate that hold licence texts, sorted. What is compiled in has some in folders of its own; REUSE has a folder
/// `LICENSES` for all.
fn licence_texts(folder: &Path) -> Result<Vec<(String, PathBuf)>, Fault> {
    let (mut found, mut open) = (Vec::new(), vec![String::new()]);
    while let Some(below) = open.pop() {
        let here = folder.join(&below);
        for entry in fs::read_dir(&here).map_err(|e| Fault::read(&here, e))? {
            let entry = entry.map_err(|e| Fault::read(&here, e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{below}{name}");
            if entry.path().is_dir() {
                if !NOT_BUILT.contains(&&*name) {
                    open.push(path + "/");
                }
            } else if below.ends_with("LICENSES/") || is_licence(&name.to_uppercase()) {
                found.push((path, entry.path()));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_licence(name: &str) -> bool {
    TEXTS.iter().any(|start| name.starts_with(start)) && !CODE.iter().any(|end| name.ends_with(end))
}

/// SPDX allows letters, digits, dots and hyphens.
fn id(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    format!("SPDXRef-{}", text.chars().map(plain).collect::<String>())
}

fn sum(hex: &String) -> Value {
    json!({"algorithm": "SHA256", "checksumValue": hex})
}

/// Name and version.
pub type Key = (String, String);

const TEXTS: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
const CODE: [&str; 3] = [".RS", ".C", ".H"];
const NOT_BUILT: [&str; 3] = ["tests", "examples", "benches"];
/// Not a clock's: two stagings must be the same.
const CREATED: &str = "2026-01-01T00:00:00Z";
