//! `kiosk demo --headless` as somebody at a keyboard starts it, follows its lines and interrupts it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::process::{Process, wait_until};
use crate::program;

/// One command line, which may be run again.
#[derive(Clone, Debug)]
pub struct Demo {
    /// `--out`.
    pub out: PathBuf,
    /// `--seed`.
    pub seed: u64,
    /// `--visits`.
    pub visits: u32,
    /// `--settings`: more tables of the terminal's settings.
    pub settings: Option<PathBuf>,
}

impl Demo {
    /// Starts it. What it says on standard error is added to `kiosk.log` beside `out`.
    pub fn start(&self) -> Running {
        let log = OpenOptions::new().create(true).append(true).open(self.log());
        let log: File = log.expect("the folder of a test can be written");
        let mut command = Command::new(program("kiosk"));
        command.args(["demo", "--headless", "--visits", &self.visits.to_string()]);
        command.args(["--seed", &self.seed.to_string(), "--out"]).arg(&self.out);
        if let Some(settings) = &self.settings {
            command.arg("--settings").arg(settings);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("kiosk starts");
        let lines = BufReader::new(child.stdout.take().expect("piped above")).lines();
        Running { child, lines, said: String::new(), log: self.log() }
    }

    /// Runs it to its end, which must be a good one.
    pub fn run(&self) -> Ended {
        self.start().end_well()
    }

    /// What the program said on standard error, in all its runs.
    pub fn log(&self) -> PathBuf {
        self.out.with_extension("log")
    }

    /// `summary.json`.
    pub fn summary(&self) -> Value {
        let text = fs::read(self.out.join("summary.json")).expect("a run leaves a summary");
        serde_json::from_slice(&text).expect("the summary is JSON")
    }

    /// `timeline.jsonl` without the times: `visit 1 card-read`.
    pub fn timeline(&self) -> Vec<String> {
        let text = fs::read_to_string(self.out.join("timeline.jsonl")).expect("a run leaves lines");
        text.lines().map(without_time).collect()
    }

    /// The data of its authority.
    pub fn authority(&self) -> PathBuf {
        self.out.join("state/authority")
    }
}

/// A run that can be followed.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: String,
    log: PathBuf,
}

impl Running {
    /// Reads on until a line of this visit begins with these words.
    pub fn until(&mut self, visit: u32, event: &str) {
        let wanted = format!("visit {visit}  {event}");
        loop {
            let line = self.lines.next();
            let line = line.unwrap_or_else(|| panic!("ended before {wanted}\n{}", self.story()));
            let line = line.expect("a pipe can be read");
            self.said += &line;
            self.said.push('\n');
            if line.contains(&wanted) {
                return;
            }
        }
    }

    /// The programs that it started and that run now.
    pub fn children(&self) -> Vec<Process> {
        Process::children(self.child.id())
    }

    /// The one of its programs that has this name.
    pub fn child(&self, name: &str) -> Process {
        let found = self.children().into_iter().find(|child| child.name == name);
        found.unwrap_or_else(|| panic!("kiosk has no child {name}"))
    }

    /// Ends it at once. The programs that it started must end by themselves.
    pub fn kill(mut self) {
        let children = self.children();
        self.child.kill().expect("it still runs");
        self.child.wait().expect("it is our child");
        assert_ended(&children);
    }

    /// Follows it to its end, which must be a good one; nothing that it started may be left.
    pub fn end_well(mut self) -> Ended {
        let mut children = Vec::new();
        while let Some(line) = self.lines.next() {
            self.said += &line.expect("a pipe can be read");
            self.said.push('\n');
            if children.is_empty() {
                children = self.children();
            }
        }
        let status = self.child.wait().expect("it is our child");
        assert!(status.success(), "{status}\n{}", self.story());
        assert_ended(&children);
        Ended { said: std::mem::take(&mut self.said) }
    }

    /// Follows it to its end, which must be a bad one: the terminal stopped by itself.
    pub fn end_badly(mut self) {
        for line in self.lines.by_ref() {
            self.said += &line.expect("a pipe can be read");
            self.said.push('\n');
        }
        let status = self.child.wait().expect("it is our child");
        assert!(!status.success(), "{}", self.story());
    }

    /// What it said, for whoever has to find out why it ended badly.
    fn story(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        format!("{}\n{log}", self.said)
    }
}

impl Drop for Running {
    /// A test that fails leaves nothing running. After a good end there is nothing to do.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that ended well.
pub struct Ended {
    /// Standard output.
    pub said: String,
}

/// Programs whose standard input closed end by themselves.
fn assert_ended(programs: &[Process]) {
    assert!(!programs.is_empty(), "no program was started");
    for program in programs {
        wait_until(&format!("the end of {program:?}"), || !program.runs());
    }
}

/// Whether the folder holds a file somewhere, also in folders inside.
pub fn has_file(folder: &Path) -> bool {
    !files(folder).is_empty()
}

/// All files below a folder; none, if there is no such folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What four visitors leave: one of each kind.
pub fn four_outcomes() -> BTreeMap<String, u64> {
    let kinds = ["ALREADY_DONE", "APPEAL_FILED", "EVIDENCE_ONLY", "MODEL_BUILT_AND_CERTIFIED"];
    kinds.map(|kind| (kind.to_owned(), 1)).into()
}

/// `summary.json` of four visitors when all is well.
pub fn summary_of_four(seed: u64) -> Value {
    serde_json::json!({
        "seed": seed,
        "visits": 4,
        "outcomes": four_outcomes(),
        "records_sealed": 4,
        "receipts_verified": 4,
        "outbox_left": 0,
    })
}

/// The authority holds four records with four receipts and nothing twice, and finds nothing wrong with them.
pub fn assert_the_authority_has_four(demo: &Demo) {
    let status = crate::authority("status", &demo.authority());
    let number = |key: &str| status[key].as_u64();
    assert_eq!(status["outcomes"], serde_json::json!(four_outcomes()));
    for key in ["records", "receipts", "receipt_no_last"] {
        assert_eq!(number(key), Some(4), "{key} in {status}");
    }
    for key in ["records_without_receipt", "security_events", "chain_gaps"] {
        assert_eq!(number(key), Some(0), "{key} in {status}");
    }
    assert_eq!(status["refused"], serde_json::json!({}));
    assert_eq!(status["devices"][0]["seq_last"], 4);
    assert_eq!(status["devices"][0]["seq_missing"], 0);
    let check = crate::authority("check", &demo.authority());
    assert_eq!(check["records"], 4);
    assert_eq!(check["receipts"], 4);
    assert_eq!(check["faults"], serde_json::json!([]));
}

fn without_time(line: &str) -> String {
    let line: Value = serde_json::from_str(line).expect("each line is JSON");
    let event = line["event"].as_str().expect("each line names an event");
    format!("visit {} {event}", line["visit"])
}
