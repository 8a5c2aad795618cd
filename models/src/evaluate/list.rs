//! Lists of files to evaluate: comma-separated with a header line, quotes where a
//! path holds a comma. Paths are relative to the list.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use crate::ModelError;

/// Pairs of files; each file once.
pub(super) struct Pairs {
    pub(super) paths: Vec<PathBuf>,
    pub(super) pairs: Vec<Pair>,
}

/// Two files by index, and whether they are of the same finger or person.
pub(super) struct Pair {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) genuine: bool,
}

/// Single files and whether each is a live presentation.
pub(super) struct Singles {
    pub(super) paths: Vec<PathBuf>,
    pub(super) live: Vec<bool>,
}

impl Pairs {
    pub(super) fn read(list: &Path) -> Result<Self, ModelError> {
        let table = Table::read(list, &["path_a", "path_b", "genuine"])?;
        let mut index = HashMap::new();
        let mut paths = Vec::new();
        let mut of = |name: &str| {
            let path = resolve(list, name);
            // Two spellings of one file are one file; one that is not there has its name.
            let file = path.canonicalize().unwrap_or_else(|_| path.clone());
            *index.entry(file).or_insert_with(|| {
                paths.push(path);
                paths.len() - 1
            })
        };
        let mut pairs = Vec::with_capacity(table.rows.len());
        for (line, row) in &table.rows {
            let genuine = truth(&row[2]).ok_or_else(|| table.fault(*line, "genuine is 1 or 0"))?;
            pairs.push(Pair { a: of(&row[0]), b: of(&row[1]), genuine });
        }
        Ok(Self { paths, pairs })
    }

    /// The list once more, each pair with its score; nothing where it has none.
    pub(super) fn with_scores(&self, scores: &[Option<f32>]) -> String {
        let name = |index: usize| quoted(&self.paths[index].to_string_lossy());
        let row = |(pair, score): (&Pair, &Option<f32>)| {
            let score = score.map_or(String::new(), |score| score.to_string());
            format!("{},{},{},{score}\n", name(pair.a), name(pair.b), u8::from(pair.genuine))
        };
        let rows: String = self.pairs.iter().zip(scores).map(row).collect();
        format!("path_a,path_b,genuine,score\n{rows}")
    }

    /// Files that genuine pairs connect belong to one subject; a number for each file.
    pub(super) fn subjects(&self) -> Vec<usize> {
        let mut parent: Vec<usize> = (0..self.paths.len()).collect();
        for pair in self.pairs.iter().filter(|pair| pair.genuine) {
            let (a, b) = (root(&mut parent, pair.a), root(&mut parent, pair.b));
            parent[a] = b;
        }
        (0..parent.len()).map(|index| root(&mut parent, index)).collect()
    }
}

impl Singles {
    pub(super) fn read(list: &Path) -> Result<Self, ModelError> {
        let table = Table::read(list, &["path", "live"])?;
        let (mut paths, mut live) = (Vec::new(), Vec::new());
        for (line, row) in &table.rows {
            live.push(truth(&row[1]).ok_or_else(|| table.fault(*line, "live is 1 or 0"))?);
            paths.push(resolve(list, &row[0]));
        }
        Ok(Self { paths, live })
    }
}

fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

fn root(parent: &mut [usize], mut index: usize) -> usize {
    while parent[index] != index {
        parent[index] = parent[parent[index]];
        index = parent[index];
    }
    index
}

/// A path beside the list, or as the caller's folder sees it.
pub(super) fn resolve(list: &Path, name: &str) -> PathBuf {
    let beside = list.parent().unwrap_or(Path::new("")).join(name);
    if beside.exists() { beside } else { PathBuf::from(name) }
}

fn truth(word: &str) -> Option<bool> {
    match word.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "genuine" | "live" => Some(true),
        "0" | "false" | "no" | "impostor" | "attack" | "spoof" => Some(false),
        _ => None,
    }
}

/// The asked columns of a file, with line numbers.
struct Table {
    path: PathBuf,
    rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    fn read(path: &Path, columns: &[&str]) -> Result<Self, ModelError> {
        let text = text(path)?;
        let mut table = Self { path: path.to_owned(), rows: Vec::new() };
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let (_, head) = lines.next().ok_or_else(|| table.fault(1, "the list is empty"))?;
        let head = fields(head);
        let place =
            |name: &&str| head.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
        let places: Option<Vec<usize>> = columns.iter().map(place).collect();
        let needed = columns.join(",");
        let places = places.ok_or_else(|| table.fault(1, &format!("the header needs {needed}")))?;
        for (index, line) in lines {
            let row = fields(line);
            let picked: Option<Vec<String>> =
                places.iter().map(|place| row.get(*place).map(|f| f.trim().to_owned())).collect();
            let picked = picked.ok_or_else(|| table.fault(index + 1, "a column is missing"))?;
            table.rows.push((index + 1, picked));
        }
        Ok(table)
    }

    fn fault(&self, line: usize, why: &str) -> ModelError {
        ModelError::Pairs { path: self.path.clone(), reason: format!("line {line}: {why}") }
    }
}

/// The text of a list, with or without a byte order mark, its lines ended in either way.
pub(super) fn text(list: &Path) -> Result<String, ModelError> {
    let bytes = fs::read(list).map_err(ModelError::io(list))?;
    let text = String::from_utf8(bytes).map_err(|_| ModelError::Pairs {
        path: list.to_owned(),
        reason: "it is not text in UTF-8".to_owned(),
    })?;
    Ok(text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n"))
}

pub(super) fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        let last = fields.last_mut().expect("it starts with one");
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                last.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => last.push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pairs.csv");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn each_file_is_listed_once_and_columns_may_be_in_any_order() {
        let (_dir, path) = list("genuine,path_b,path_a\n1,b.png,a.png\n0,\"c,1.png\",a.png\n\n");
        let pairs = Pairs::read(&path).unwrap();
        assert_eq!(pairs.paths, ["a.png", "b.png", "c,1.png"].map(PathBuf::from));
        assert_eq!(pairs.pairs.iter().map(|p| p.genuine).collect::<Vec<_>>(), [true, false]);
        let scored = "path_a,path_b,genuine,score\na.png,b.png,1,2.5\na.png,\"c,1.png\",0,\n";
        assert_eq!(pairs.with_scores(&[Some(2.5), None]), scored);
        let subjects = pairs.subjects();
        assert!(subjects[0] == subjects[1] && subjects[0] != subjects[2]);
    }

    #[test]
    fn two_spellings_of_one_file_are_one_file() {
        let (dir, path) = list("path_a,path_b,genuine\na.png,./a.png,1\nb.png,a.png,0\n");
        fs::write(dir.path().join("a.png"), b"").unwrap();
        let pairs = Pairs::read(&path).unwrap();
        assert_eq!(pairs.paths.len(), 2);
        assert_eq!((pairs.pairs[0].a, pairs.pairs[0].b, pairs.pairs[1].b), (0, 0, 0));
    }

    #[test]
    fn lists_of_other_systems_are_read() {
        let (_dir, path) = list("\u{feff}Path_A, Path_B ,GENUINE,note\r\na,b,1,x\r\n\r\na,c,0,y");
        let pairs = Pairs::read(&path).unwrap();
        assert_eq!((pairs.paths.len(), pairs.pairs.len()), (3, 2));
        let (_dir, path) = list("");
        fs::write(&path, b"path_a,path_b,genuine\n\xc4\xe3,b,1\n").unwrap();
        assert!(matches!(Pairs::read(&path), Err(ModelError::Pairs { .. })));
    }

    #[test]
    fn a_wrong_list_says_the_line() {
        let (_dir, path) = list("path_a,path_b,genuine\na,b,1\na,b,perhaps\n");
        let said = Pairs::read(&path).err().unwrap().to_string();
        assert!(said.contains("line 3"), "{said}");
        let (_dir, path) = list("a,b\n");
        assert!(Pairs::read(&path).is_err());
        let (_dir, path) = list("path,live\na.png,0\nb.png,true\n");
        assert_eq!(Singles::read(&path).unwrap().live, [false, true]);
    }
}
