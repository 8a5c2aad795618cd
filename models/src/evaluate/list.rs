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
    /// Rows left out: the same two files once more, in either order.
    pub(super) n_repeated: usize,
    /// Rows left out: a file and itself.
    pub(super) n_with_itself: usize,
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
            *index.entry(file_of(&path)).or_insert_with(|| {
                paths.push(path);
                paths.len() - 1
            })
        };
        let mut pairs = Vec::with_capacity(table.rows.len());
        let mut said = Said::default();
        let (mut n_repeated, mut n_with_itself) = (0, 0);
        for (line, row) in &table.rows {
            let genuine = truth(&row[2]).ok_or_else(|| table.fault(*line, "genuine is 1 or 0"))?;
            let (a, b) = (of(&row[0]), of(&row[1]));
            // Neither is evidence of its own: the rates and their intervals would be too good.
            if a == b {
                n_with_itself += 1;
            } else if said.before(&table, (a.min(b), a.max(b)), genuine, *line)? {
                n_repeated += 1;
            } else {
                pairs.push(Pair { a, b, genuine });
            }
        }
        Ok(Self { paths, pairs, n_repeated, n_with_itself })
    }

    /// The pairs once more, each with its score; nothing where it has none.
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
        let (mut paths, mut live, mut said) = (Vec::new(), Vec::new(), Said::default());
        for (line, row) in &table.rows {
            let is_live = truth(&row[1]).ok_or_else(|| table.fault(*line, "live is 1 or 0"))?;
            let path = resolve(list, &row[0]);
            if !said.before(&table, file_of(&path), is_live, *line)? {
                live.push(is_live);
                paths.push(path);
            }
        }
        Ok(Self { paths, live })
    }

    /// The files once more, each with its score; nothing where it has none.
    pub(super) fn with_scores(&self, scores: &[Option<f32>]) -> String {
        let row = |((path, live), score): ((&PathBuf, &bool), &Option<f32>)| {
            let score = score.map_or(String::new(), |score| score.to_string());
            format!("{},{},{score}\n", quoted(&path.to_string_lossy()), u8::from(*live))
        };
        let rows: String = self.paths.iter().zip(&self.live).zip(scores).map(row).collect();
        format!("path,live,score\n{rows}")
    }
}

/// What a list has said of a file or of two, and in which line.
struct Said<K>(HashMap<K, (bool, usize)>);

impl<K> Default for Said<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: std::hash::Hash + Eq> Said<K> {
    /// Whether the same was said before; a list that says the opposite cannot be used.
    fn before(&mut self, table: &Table, of: K, is: bool, line: usize) -> Result<bool, ModelError> {
        match self.0.get(&of) {
            Some((was, first)) if *was != is => {
                Err(table.fault(line, &format!("it says the opposite of line {first}")))
            }
            Some(_) => Ok(true),
            None => {
                self.0.insert(of, (is, line));
                Ok(false)
            }
        }
    }
}

/// Two spellings of one file are one file; one that is not there has its name.
fn file_of(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
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
        assert_eq!((pairs.paths.len(), pairs.pairs.len(), pairs.n_with_itself), (2, 1, 1));
        assert_eq!((pairs.pairs[0].a, pairs.pairs[0].b), (1, 0));
    }

    #[test]
    fn a_pair_counts_once_and_is_not_both() {
        let (_dir, path) = list("path_a,path_b,genuine\na,b,1\nb,a,1\na,b,1\na,c,0\n");
        let pairs = Pairs::read(&path).unwrap();
        assert_eq!((pairs.pairs.len(), pairs.n_repeated), (2, 2));
        let (_dir, path) = list("path_a,path_b,genuine\na,b,1\na,c,0\nb,a,0\n");
        let said = Pairs::read(&path).err().unwrap().to_string();
        assert!(said.contains("line 4") && said.contains("line 2"), "{said}");
        let (_dir, path) = list("path,live\na,1\na,1\nb,0\n");
        let files = Singles::read(&path).unwrap();
        assert_eq!(files.with_scores(&[Some(0.5), None]), "path,live,score\na,1,0.5\nb,0,\n");
        let (_dir, path) = list("path,live\na,1\na,0\n");
        assert!(Singles::read(&path).is_err());
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
