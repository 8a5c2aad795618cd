//! Lists of files to evaluate, as spreadsheets write them: a header line names the columns,
//! which may come in any order; commas, semicolons or tabs part them, quotes enclose a path
//! that holds one. UTF-8, UTF-16 with its mark, or else GB18030, which is what Chinese Excel
//! writes. A path is looked for beside the list first, then in the caller's folder.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use encoding_rs::{GB18030, UTF_8};

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
            let genuine = truth(&row[2]).ok_or_else(|| table.no_truth(*line, "genuine"))?;
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
            let is_live = truth(&row[1]).ok_or_else(|| table.no_truth(*line, "live"))?;
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
                let zh = format!("与第 {first} 行相矛盾");
                Err(table.fault(line, &zh, &format!("it says the opposite of line {first}")))
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

/// A path beside the list, or as the caller's folder sees it; written with either slash.
pub(super) fn resolve(list: &Path, name: &str) -> PathBuf {
    let folder = list.parent().unwrap_or(Path::new(""));
    let slashed = name.replace('\\', "/");
    let places = [folder.join(name), PathBuf::from(name), folder.join(&slashed), slashed.into()];
    places.into_iter().find(|place| place.exists()).unwrap_or_else(|| PathBuf::from(name))
}

fn truth(word: &str) -> Option<bool> {
    match word.trim().to_ascii_lowercase().as_str() {
        "1" | "１" | "true" | "t" | "yes" | "y" | "genuine" | "same" | "live" | "是" | "真"
        | "真人" | "同一人" | "活体" => Some(true),
        "0" | "０" | "false" | "f" | "no" | "n" | "impostor" | "different" | "attack" | "spoof"
        | "否" | "假" | "假体" | "不同人" | "非同一人" | "非活体" | "攻击" => {
            Some(false)
        }
        _ => None,
    }
}

/// Some columns of a file, with line numbers.
pub(super) struct Table {
    path: PathBuf,
    /// The fields of each row in the order the columns were asked for.
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    /// Reads columns that all have to be there.
    fn read(path: &Path, columns: &[&str]) -> Result<Self, ModelError> {
        let (mut table, head) = Self::open(path)?;
        let places: Option<Vec<usize>> =
            columns.iter().map(|column| place_of(&head, column)).collect();
        let needed = columns.join(",");
        let places = places.ok_or_else(|| {
            let zh = format!("表头需要 {needed} 这几列，用逗号、分号或制表符分隔");
            let en = format!("the header needs {needed}, parted by commas, semicolons or tabs");
            table.fault(1, &zh, &en)
        })?;
        for index in 0..table.rows.len() {
            let (line, row) = &mut table.rows[index];
            let picked: Option<Vec<String>> =
                places.iter().map(|place| row.get(*place).cloned()).collect();
            let line = *line;
            table.rows[index].1 = picked.ok_or_else(|| table.too_short(line))?;
        }
        Ok(table)
    }

    /// All columns, and the header that names them.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<String>), ModelError> {
        let mut table = Self { path: path.to_owned(), rows: Vec::new() };
        let text = text(path)?;
        // Excel's own note of the separator, which only Excel needs.
        let is_note = |line: &str| line.len() == 5 && line.starts_with("sep=");
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.trim().is_empty() && !is_note(line));
        let (_, head) =
            lines.next().ok_or_else(|| table.fault(1, "清单是空的", "the list is empty"))?;
        let separator = separator_of(head);
        let row = |(line, text)| (line, fields(text, separator));
        let is_blank = |row: &(usize, Vec<String>)| row.1.iter().all(String::is_empty);
        table.rows = lines.map(row).filter(|row| !is_blank(row)).collect();
        Ok((table, fields(head, separator)))
    }

    pub(super) fn fault(&self, line: usize, zh: &str, en: &str) -> ModelError {
        let reason = format!("第 {line} 行：{zh} line {line}: {en}");
        ModelError::Pairs { path: self.path.clone(), reason }
    }

    pub(super) fn too_short(&self, line: usize) -> ModelError {
        self.fault(line, "缺少一列", "a column is missing")
    }

    fn no_truth(&self, line: usize, column: &str) -> ModelError {
        let zh = format!("{column} 列应填 1 或 0（也可填 是/否、true/false）");
        self.fault(line, &zh, &format!("{column} is 1 or 0 (or 是/否, true/false)"))
    }
}

/// Where a column is, however its name is written.
pub(super) fn place_of(head: &[String], column: &str) -> Option<usize> {
    head.iter().position(|name| name.eq_ignore_ascii_case(column))
}

/// The one of which the header holds most.
fn separator_of(head: &str) -> char {
    let n = |separator: &char| head.matches(*separator).count();
    [';', '\t', ','].into_iter().max_by_key(n).expect("there are three")
}

/// The text of a list, its lines ended in either way.
fn text(list: &Path) -> Result<String, ModelError> {
    let bytes = fs::read(list).map_err(ModelError::io(list))?;
    let encoding = if str::from_utf8(&bytes).is_ok() { UTF_8 } else { GB18030 };
    // A mark at the beginning outvotes it.
    let (text, _, is_damaged) = encoding.decode(&bytes);
    if is_damaged || text.contains('\0') {
        let reason = "不是 UTF-8 或 GB18030 文本，请在 Excel 中另存为“CSV UTF-8” \
            it is text neither in UTF-8 nor in GB18030: save it as \"CSV UTF-8\" in Excel";
        return Err(ModelError::Pairs { path: list.to_owned(), reason: reason.to_owned() });
    }
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

fn fields(line: &str, separator: char) -> Vec<String> {
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
            c if c == separator && !quoted => fields.push(String::new()),
            c => last.push(c),
        }
    }
    fields.iter().map(|field| field.trim().to_owned()).collect()
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
        let (dir, path) = list("path_a,path_b,genuine\na.png,c/../a.png,1\nb.png,a.png,0\n");
        fs::create_dir(dir.path().join("c")).unwrap();
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
        let told = "genuine\tpath_b\tpath_a\r\n是\t照片 二.png\t张,三.png\r\n否\t丙.png\t张,三.png\r\n\t\t\r\n";
        let utf_16: Vec<u8> = "\u{feff}"
            .encode_utf16()
            .chain(told.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        let semicolons = told.replace('\t', ";");
        let kinds = [
            told.as_bytes().to_vec(),
            GB18030.encode(told).0.into_owned(),
            GB18030.encode(&semicolons).0.into_owned(),
            format!("sep=;\n{semicolons}").into_bytes(),
            utf_16,
        ];
        for bytes in kinds {
            fs::write(&path, &bytes).unwrap();
            let pairs = Pairs::read(&path).unwrap();
            let names = ["张,三.png", "照片 二.png", "丙.png"];
            assert_eq!(pairs.paths, names.map(PathBuf::from), "{bytes:x?}");
            assert_eq!(pairs.pairs.iter().map(|p| p.genuine).collect::<Vec<_>>(), [true, false]);
        }
    }

    #[test]
    fn what_is_no_text_says_what_to_do() {
        let (_dir, path) = list("");
        for bytes in [&b"PK\x03\x04\x14\0\x06\0"[..], b"path_a,path_b,genuine\n\xff\xff,b,1\n"] {
            fs::write(&path, bytes).unwrap();
            let said = Pairs::read(&path).err().unwrap().to_string();
            assert!(said.contains("CSV UTF-8"), "{said}");
        }
        fs::write(&path, "path_a;path_b\n").unwrap();
        let said = Pairs::read(&path).err().unwrap().to_string();
        assert!(said.contains("表头") && said.contains("path_a,path_b,genuine"), "{said}");
    }

    #[test]
    fn a_path_is_looked_for_beside_the_list_and_then_from_the_callers_folder() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("lists/pairs.csv");
        fs::create_dir_all(dir.path().join("lists/人脸")).unwrap();
        let beside = dir.path().join("lists/人脸/a.png");
        fs::write(&beside, b"").unwrap();
        assert_eq!(resolve(&list, "人脸/a.png"), beside);
        assert_eq!(resolve(&list, "人脸\\a.png"), beside, "a spreadsheet of Windows");
        // The tests of a crate run in its folder.
        assert_eq!(resolve(&list, "Cargo.toml"), PathBuf::from("Cargo.toml"));
        fs::write(dir.path().join("lists/Cargo.toml"), b"").unwrap();
        assert_eq!(resolve(&list, "Cargo.toml"), dir.path().join("lists/Cargo.toml"));
        assert_eq!(resolve(&list, "gone.png"), PathBuf::from("gone.png"));
    }

    #[test]
    fn a_wrong_list_says_the_line() {
        let (_dir, path) = list("path_a,path_b,genuine\na,b,1\na,b,perhaps\n");
        let said = Pairs::read(&path).err().unwrap().to_string();
        assert!(said.contains("line 3"), "{said}");
        let (_dir, path) = list("a,b\n");
        assert!(Pairs::read(&path).is_err());
        let (_dir, path) = list("path,live\na.png,0\nb.png,true\nc.png,攻击\nd.png,Y\n");
        assert_eq!(Singles::read(&path).unwrap().live, [false, true, false, true]);
    }
}
