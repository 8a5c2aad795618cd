//! The commands that look at packs, with what people lay before them: pipes, devices, folders, huge and foreign files.

use clap::Parser;
use tempfile::TempDir;

use super::*;

const PACK: &str = PACKS[4];

/// A shell that knows `policy` only.
#[derive(Parser)]
struct Shell {
    #[command(subcommand)]
    command: Command,
}

fn code(file: &Path) -> &'static str {
    let report = checked(file);
    assert!(!report.ok && serde_json::to_string(&report).unwrap().contains("\"faults\":[{"));
    report.faults[0].code
}

fn run_with(words: &[&str]) -> Result<ExitCode, String> {
    let shell = Shell::try_parse_from([&["kiosk"], words].concat()).map_err(|e| e.to_string())?;
    run(shell.command).map_err(|e| e.to_string())
}

#[test]
fn only_a_regular_file_of_a_pack_s_size_is_read() {
    let place = TempDir::new().unwrap();
    let at = |name: &str| place.path().join(name);
    assert_eq!(code(&at("absent.toml")), "unreadable");
    assert_eq!(code(place.path()), "unreadable");
    assert_eq!(code(Path::new("/dev/zero")), "unreadable");
    let made = std::process::Command::new("mkfifo").arg(at("pipe.toml")).status();
    if made.is_ok_and(|status| status.success()) {
        assert_eq!(code(&at("pipe.toml")), "unreadable");
    }
    // Sparse: no disk is filled, but somebody who reads it whole would notice.
    File::create(at("huge.toml")).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(code(&at("huge.toml")), "too-long");
    fs::write(at("gbk.toml"), b"title = \"\xc4\xda\"").unwrap();
    assert_eq!(code(&at("gbk.toml")), "not-utf8");
    fs::write(at("good.toml"), PACK).unwrap();
    assert!(checked(&at("good.toml")).ok && parsed(&at("good.toml")).is_ok());
    assert!(parsed(&at("huge.toml")).is_err());
}

#[test]
fn a_folder_is_listed_whatever_is_in_it() {
    let place = TempDir::new().unwrap();
    let empty = in_folder(place.path()).unwrap();
    assert!(listed(&empty, Some(place.path())).contains("没有策略包"));
    for (name, text) in [
        ("a.toml", PACK),
        ("b.toml", "[scope"),
        ("c.toml", PACKS[0]),
        ("d.toml", PACK),
        ("e.txt", "no pack"),
    ] {
        fs::write(place.path().join(name), text).unwrap();
    }
    let folder = in_folder(place.path()).unwrap();
    let text = listed(&folder, Some(place.path()));
    assert_eq!(text.matches("内蒙古自治区本级2019年认证通知").count(), 2, "{text}");
    assert!(text.contains("c.toml") && !text.contains("b.toml"));
    let problems: Vec<String> = folder.problems.iter().map(both).collect();
    assert!(problems.len() == 2 && problems[0].contains("b.toml"), "{problems:?}");
    assert!(problems[1].contains("a.toml") && problems[1].contains("d.toml"), "{problems:?}");
}

#[test]
fn what_cannot_be_is_refused_in_plain_words() {
    let asked = |more: &[&str]| {
        let words = ["explain", "cn.sn.xian.enterprise_pension", "--today", "2020-04-04"];
        run_with(&[&words[..], more].concat())
    };
    assert!(asked(&["--born", "1950-01-01", "--last", "2019-02-02"]).is_ok());
    for (more, words) in [
        (&["--born", "2020-04-05"][..], "出生日期 2020-04-05 晚于今天 2020-04-04"),
        (&["--born", "1950-01-01", "--last", "1949-01-01"], "上次认证日期 1949-01-01 早于出生日期"),
        (&["--last-method", "phone"], "--last"),
        (&["--last", "2019-02-30"], "2019-02-30 is no day"),
        (&["--by", "guess"], "known are"),
    ] {
        let problem = asked(more).unwrap_err();
        assert!(problem.contains(words), "{problem}");
    }
    assert!(asked(&["--born", "2020-04-05", "--doubt", "unknown"]).is_ok());
    assert!(
        run_with(&["explain", "/dev/zero", "--today", "2020-04-04"])
            .unwrap_err()
            .contains("普通文件")
    );
}
