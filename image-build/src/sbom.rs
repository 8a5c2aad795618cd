//! What is inside: every crate of the kiosk from `Cargo.lock`, the weights, and their licences.
//!
//! Names, versions and sums come from the lock file; licences and licence texts from `cargo metadata` where the
//! sources are at hand. Without it the list is the lock's own closure and a licence is NOASSERTION.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::tree::sum_of;
use crate::weights::Manifest;

/// The crates that the program is made of, sorted.
#[derive(Clone, Debug)]
pub struct Parts {
    /// All of them.
    pub crates: Vec<Part>,
    /// Digest of `Cargo.lock`.
    pub lock_sum: String,
    /// Whether cargo named the licences.
    pub has_licences: bool,
}

/// One crate.
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
    /// Files with licence texts.
    pub texts: Vec<PathBuf>,
}

impl Parts {
    /// Reads the lock file and asks cargo, offline.
    pub fn read(root: &Path) -> Result<Self, Fault> {
        Self::with(root, metadata(root))
    }

    /// As [`Self::read`] with what cargo said, if it said anything.
    pub fn with(root: &Path, metadata: Option<Value>) -> Result<Self, Fault> {
        let file = root.join("Cargo.lock");
        let text = fs::read_to_string(&file).map_err(|e| Fault::read(&file, e))?;
        let lock: Lock = toml::from_str(&text).map_err(|e| Fault::toml(&file, &text, &e))?;
        let said = metadata.as_ref().map(shipped).transpose()?;
        let names = said.as_ref().map_or_else(|| lock.closure(), |s| s.keys().cloned().collect());
        let part = |locked: &Locked| {
            let said = said.as_ref().and_then(|s| s.get(&locked.key()));
            Part {
                name: locked.name.clone(),
                version: locked.version.clone(),
                checksum: locked.checksum.clone(),
                licence: said.and_then(|s| s.licence.clone()),
                texts: said.map(|s| s.texts.clone()).unwrap_or_default(),
            }
        };
        let crates = lock.package.iter().filter(|l| names.contains(&l.key())).map(part).collect();
        Ok(Self { crates, lock_sum: sum_of(text.as_bytes()), has_licences: said.is_some() })
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
                "copyrightText": "NOASSERTION",
                "checksums": part.checksum.iter().map(sum).collect::<Vec<_>>(),
                "externalRefs": [{
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": format!("pkg:cargo/{}@{}", part.name, part.version),
                }],
            })
        });
        let models = weights.models.iter().map(|model| {
            json!({
                "SPDXID": id(&format!("model-{}", model.id)),
                "name": model.file,
                "versionInfo": weights.packages.iter().find(|p| p.id == model.package).map(|p| p.version.clone()),
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": false,
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": "NOASSERTION",
                "licenseComments": weights.packages.iter().find(|p| p.id == model.package).map(|p| p.licence.clone()),
                "copyrightText": "NOASSERTION",
                "checksums": [sum(&model.sha256)],
            })
        });
        let packages: Vec<Value> = crates.chain(models).collect();
        document("changqing-kiosk", &self.lock_sum, &packages)
    }

    /// A table for people.
    pub fn licences(&self, weights: &Manifest) -> String {
        let mut text = String::from(
            "Changqing kiosk is under GPL-3.0-only; its text is /usr/share/common-licenses/GPL-3.\n\nWeights\n\n",
        );
        for package in &weights.packages {
            text += &format!(
                "{} {}\n    {}\n    {}\n",
                package.name, package.version, package.licence, package.provenance
            );
        }
        text += "\nCrates; the texts are in licences/ where the sources have them\n\n";
        for part in &self.crates {
            let licence = part.licence.as_deref().unwrap_or("NOASSERTION");
            text += &format!("{} {}  {licence}\n", part.name, part.version);
        }
        text
    }
}

/// SPDX 2.3 of what Debian's packages brought, from their own lists (dpkg's `status`). Their licences are in the files
/// `usr/share/doc/PACKAGE/copyright` of the image.
pub fn debian(statuses: &[String]) -> String {
    let paragraphs = statuses.iter().flat_map(|status| status.split("\n\n"));
    let mut packages = BTreeMap::new();
    for paragraph in paragraphs {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let (Some(name), Some(version)) = (field("Package"), field("Version")) else { continue };
        let architecture = field("Architecture").unwrap_or("all");
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
        packages.insert(purl, package);
    }
    let names: Vec<&String> = packages.keys().collect();
    let sum = sum_of(format!("{names:?}").as_bytes());
    document("changqing-debian", &sum, &packages.into_values().collect::<Vec<_>>())
}

/// The same packages give the same bytes: the date is fixed and the name is made of `sum`.
fn document(name: &str, sum: &str, packages: &[Value]) -> String {
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
struct Said {
    licence: Option<String>,
    texts: Vec<PathBuf>,
}

/// None: cargo or the sources are not at hand.
fn metadata(root: &Path) -> Option<Value> {
    let output = Command::new("cargo")
        .args([
            "metadata",
            "--offline",
            "--locked",
            "--format-version",
            "1",
            "--no-default-features",
        ])
        .args(["--filter-platform", "aarch64-unknown-linux-gnu", "--manifest-path"])
        .arg(root.join("kiosk/Cargo.toml"))
        .output()
        .ok()?;
    output.status.success().then(|| serde_json::from_slice(&output.stdout).ok())?
}

/// The crates that `kiosk` without `desk` is linked with.
fn shipped(metadata: &Value) -> Result<BTreeMap<Key, Said>, Fault> {
    let strange = || Fault::Tool("cargo metadata says something else than it used to".into());
    let list = |value: &Value| value.as_array().cloned().ok_or_else(strange);
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(strange);
    let mut packages = BTreeMap::new();
    for package in list(&metadata["packages"])? {
        packages.insert(text(&package["id"])?, package);
    }
    let mut needs = BTreeMap::new();
    for node in list(&metadata["resolve"]["nodes"])? {
        let mut normal = Vec::new();
        for needed in list(&node["deps"])? {
            if list(&needed["dep_kinds"])?.iter().any(|kind| kind["kind"].is_null()) {
                normal.push(text(&needed["pkg"])?);
            }
        }
        needs.insert(text(&node["id"])?, normal);
    }
    let mut found = BTreeMap::new();
    let mut open: Vec<String> =
        packages.iter().filter(|(_, p)| p["name"] == "kiosk").map(|(id, _)| id.clone()).collect();
    while let Some(id) = open.pop() {
        let package = packages.get(&id).ok_or_else(strange)?;
        let key = (text(&package["name"])?, text(&package["version"])?);
        let licence = package["license"].as_str().map(|l| l.replace('/', " OR "));
        let texts = licence_texts(Path::new(&text(&package["manifest_path"])?));
        if found.insert(key, Said { licence, texts }).is_none() {
            open.extend(needs.get(&id).ok_or_else(strange)?.iter().cloned());
        }
    }
    Ok(found)
}

/// Files beside a crate's manifest that hold licence texts, sorted.
fn licence_texts(manifest: &Path) -> Vec<PathBuf> {
    let entries = manifest.parent().and_then(|folder| fs::read_dir(folder).ok());
    let mut files: Vec<PathBuf> =
        entries.into_iter().flatten().flatten().map(|e| e.path()).collect();
    files.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        file.is_file() && TEXTS.iter().any(|start| name.starts_with(start))
    });
    files.sort();
    files
}

/// SPDX allows letters, digits, dots and hyphens.
fn id(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    format!("SPDXRef-{}", text.chars().map(plain).collect::<String>())
}

fn sum(hex: &String) -> Value {
    json!({"algorithm": "SHA256", "checksumValue": hex})
}

type Key = (String, String);

const TEXTS: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];
/// Not a clock's: two stagings must be the same.
const CREATED: &str = "2026-01-01T00:00:00Z";
