//! The process is killed while it replaces the roster; the old one is in force, or the new one is.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use kiosk_core::identity::IdNumber;
use kiosk_store::{RosterEntry, Store};

use crate::made::{key, roster_entry};

/// Somebody of their own for each `n` below 3 360.
fn person(n: u64) -> RosterEntry {
    RosterEntry { number: nth(n), ..roster_entry(0, n.to_be_bytes().to_vec()) }
}

fn nth(n: u64) -> IdNumber {
    let body = format!("1101051949{:02}{:02}00{}", 1 + n / 10 % 12, 1 + n / 120 % 28, n % 10);
    let checks = (b'0'..=b'9').chain([b'X']).map(|check| format!("{body}{}", char::from(check)));
    checks.filter_map(|text| IdNumber::parse(&text).ok()).next().unwrap()
}

#[test]
fn killed_while_it_replaces_the_roster_it_has_the_old_one_or_the_new_one() {
    let _alone = crate::alone();
    let folder = TempDir::new().unwrap();
    let (mut in_use, mut interrupted) = (0, 0);
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "roster_kill::child", "--ignored", "--nocapture"])
            .env("STORE", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Each line is a step of an import; killed after a different one each time.
        let steps = lines.map_while(Result::ok).filter(|line| line.starts_with("step "));
        let last = steps.take(1 + round as usize).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open(folder.path(), &key()).unwrap();
        let version = store.roster_version().unwrap().unwrap_or(0);
        let said: u64 = last.split(' ').nth(2).unwrap().parse().unwrap();
        if last.starts_with("step done") {
            assert!(version >= said, "{last}: {version}");
        } else {
            interrupted += 1;
        }
        assert!(version >= in_use, "round {round}: {version} after {in_use}");
        in_use = version;
        let n = if version == 0 { 0 } else { PEOPLE + version };
        assert_eq!(store.roster_count().unwrap(), n, "round {round}");
        assert_eq!(store.roster_by_letters("c", 0, 9_999).unwrap().len() as u64, n);
        let one = store.roster_find(&nth(3)).unwrap();
        assert_eq!(one.is_some(), version > 0);
    }
    assert!(in_use > 0 && interrupted > 2, "{in_use} {interrupted}");
}

#[test]
#[ignore = "a child of the test above"]
fn child() {
    let mut store = Store::open(std::env::var_os("STORE").unwrap().as_ref(), &key()).unwrap();
    for version in store.roster_version().unwrap().unwrap_or(0) + 1.. {
        let mut import = store.begin_roster(version).unwrap().unwrap();
        for n in 0..PEOPLE + version {
            if n % 250 == 0 {
                println!("\nstep begun {version}");
            }
            import.put(&person(n)).unwrap();
        }
        println!("\nstep put {version}");
        import.finish(b"").unwrap();
        println!("\nstep done {version}");
    }
}

const ROUNDS: u64 = 12;
const PEOPLE: u64 = 1_000;
