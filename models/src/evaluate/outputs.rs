//! Where results go: looked at before the first file is worked on, because hours of work must not end at a folder that
//! is not there, and no result may take the place of what was measured.

use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
};

use super::Setting;
use crate::ModelError;

/// The picture of the DET curve belongs to its report.
pub(super) fn curve(out: &Path) -> PathBuf {
    out.with_extension("png")
}

/// Report, curve and scores can be written, are three files, and none of them is the list or a file of it.
pub(super) fn check(
    setting: &Setting<'_>,
    out: &Path,
    list: &Path,
    files: &[PathBuf],
) -> Result<(), ModelError> {
    let mut taken: HashSet<PathBuf> = files.iter().map(|file| whole(file)).collect();
    taken.insert(whole(list));
    let curve = curve(out);
    for place in [Some(out), Some(&*curve), setting.scores].into_iter().flatten() {
        let refused = |reason: &str| {
            Err(ModelError::Output { path: place.to_owned(), reason: reason.to_owned() })
        };
        if let Err(reason) = try_to_write(place) {
            return refused(&reason);
        }
        if !taken.insert(whole(place)) {
            return refused(
                "与清单、清单中的文件或另一结果相同 it is another result, the list, or one of its files",
            );
        }
    }
    Ok(())
}

/// Opens it and changes nothing; what was not there is not left there.
fn try_to_write(place: &Path) -> Result<(), String> {
    if place.file_name().is_none() || place.is_dir() {
        return Err("这是一个文件夹 it is a folder".into());
    }
    let was_there = place.exists();
    OpenOptions::new().append(true).create(true).open(place).map_err(|error| error.to_string())?;
    if was_there {
        return Ok(());
    }
    fs::remove_file(place).map_err(|error| error.to_string())
}

/// One name for all spellings of a place, whether it is there or not.
fn whole(place: &Path) -> PathBuf {
    let folder = match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    place.canonicalize().unwrap_or_else(|_| match (folder.canonicalize(), place.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => place.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Manifest;

    #[test]
    fn no_result_takes_the_place_of_what_was_measured_or_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["list.csv", "a.png"] {
            fs::write(at(name), name).unwrap();
        }
        let manifest = Manifest::of(dir.path()).unwrap();
        let refused = |out: &str, scores: Option<&str>| {
            let scores = scores.map(at);
            let setting = Setting {
                dir: dir.path(),
                manifest: &manifest,
                n_threads: 1,
                ppi: None,
                scores: scores.as_deref(),
            };
            check(&setting, &at(out), &at("list.csv"), &[at("below/../a.png")]).is_err()
        };
        assert!(!refused("out.json", Some("scores.csv")));
        assert!(!at("out.json").exists(), "nothing was written yet");
        assert!(refused("list.csv", None), "the list");
        fs::create_dir(at("below")).unwrap();
        assert!(refused("below/../list.csv", None), "the list by another name");
        assert!(refused("below", None), "a folder");
        assert!(refused("a.json", None), "its curve is a picture of the list");
        assert!(refused("out.png", None), "report and curve");
        assert!(refused("out.json", Some("out.json")), "report and scores");
        assert!(refused("out.json", Some("list.csv")), "scores and list");
        assert!(refused("nowhere/out.json", None), "no such folder");
        assert!(refused("out.json", Some("nowhere/scores.csv")), "no such folder for scores");
        assert_eq!(fs::read_to_string(at("list.csv")).unwrap(), "list.csv");
    }
}
