//! The process is killed while it saves; what it had promised is there, once.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use kiosk_store::Store;

use crate::made::{commit, key, receipt};

const ROUNDS: u64 = 15;

#[test]
fn killed_at_any_moment_it_forgets_and_doubles_nothing() {
    let _alone = crate::alone();
    let folder = TempDir::new().unwrap();
    let mut promised = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--ignored", "--nocapture"])
            .env("STORE", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed while it works on the next one, a different stretch of it each time.
        let saved =
            lines.map_while(Result::ok).filter_map(|l| l.strip_prefix("saved ")?.parse().ok());
        for n in saved.take(1 + (round % 4) as usize) {
            promised = n;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open(folder.path(), &key()).unwrap();
        let lines = store.records(1_000).unwrap();
        assert!(lines.len() as u64 >= promised, "round {round}: {} < {promised}", lines.len());
        assert!(lines.iter().rev().zip(1..).all(|(line, seq)| line.seq.0 == seq));
        assert_eq!(store.verify_audit().unwrap(), lines.len() as u64);
        assert!(lines.iter().all(|line| store.envelope(line.record).is_ok()));
    }
    assert!(promised >= ROUNDS, "the child did save something");
}

#[test]
#[ignore = "a child of the test above"]
fn child() {
    let mut store = Store::open(std::env::var_os("STORE").unwrap().as_ref(), &key()).unwrap();
    let have = store.records(1).unwrap().first().map_or(0, |line| line.seq.0);
    for n in have + 1..250 {
        let seq = store.commit(commit(n as u8)).unwrap().0;
        assert_eq!(seq, n);
        println!("\nsaved {n}");
        store.deliver(&receipt(n as u8, n)).unwrap();
    }
}
