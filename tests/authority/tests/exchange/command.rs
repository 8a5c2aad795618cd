//! The program as it is typed: init, provision, sign, serve, status, check, revoke.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use authority::{
    cose::{ContentType, Signed},
    hex,
    server::{Authority, Config},
};
use p256::ecdsa::VerifyingKey;
use serde_json::Value as Json;

use super::{
    paper,
    terminal::{Terminal, house},
};

fn authority(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_authority")).args(arguments).output().expect("the program")
}

fn json(arguments: &[&str]) -> Json {
    let output = authority(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// All files of a folder with their modes and contents.
fn files(folder: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .map(|path| {
            let mode = fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, mode, fs::read(&path).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn keys_are_private_and_made_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let init = ["init", "--data", text(&data), "--host", "127.0.0.1"];
    assert!(authority(&init).status.success());
    let made = files(&data.join("keys"));
    for (name, mode, _) in &made {
        let want = if name.contains(".key") { 0o600 } else { 0o644 };
        assert_eq!(*mode, want, "{name}");
    }
    assert_eq!(made.iter().filter(|file| file.1 == 0o600).count(), 6);
    assert!(authority(&init).status.success());
    assert_eq!(files(&data.join("keys")), made, "the second time changes nothing");
    fs::remove_file(data.join("keys/down.key.pem")).expect("a key to lose");
    assert!(authority(&init).status.success());
    let changed = files(&data.join("keys"));
    let same = changed.iter().filter(|file| made.contains(file)).count();
    assert_eq!((changed.len(), same), (made.len(), made.len() - 1), "only the lost one is new");
}

#[test]
fn a_terminal_is_given_what_the_document_lists() {
    let data = house();
    let folder = tempfile::tempdir().expect("a folder");
    let roster = folder.path().join("roster.json");
    fs::write(&roster, "{\"people\": []}").expect("a roster");
    let packs = folder.path().join("packs");
    fs::create_dir(&packs).expect("a folder");
    fs::write(packs.join("rural.toml"), "name = \"城乡居保\"\n").expect("a pack");
    fs::write(packs.join("notes.txt"), "not a pack").expect("a file");
    let out = folder.path().join("out");
    let order = [
        "provision",
        "--data",
        text(data.path()),
        "--device",
        "K-1",
        "--site",
        "S-1",
        "--out",
        text(&out),
        "--roster",
        text(&roster),
        "--policy",
        text(&packs),
    ];
    assert!(authority(&order).status.success());

    let given = files(&out);
    let names: Vec<&str> = given.iter().map(|file| file.0.as_str()).collect();
    let listed =
        ["authority.toml", "ca.pem", "roster.cose", "sign.key.pem", "tls.key.pem", "tls.pem"];
    assert_eq!(names, listed);
    assert!(given.iter().all(|file| !file.0.contains(".key") || file.1 == 0o600));
    let packs: Vec<String> = files(&out.join("policy")).into_iter().map(|file| file.0).collect();
    assert_eq!(packs, ["rural.cose"]);

    let identity: toml::Table =
        fs::read_to_string(out.join("authority.toml")).expect("a file").parse().expect("TOML");
    let key = |name: &str| {
        let public = hex::decode(identity[name].as_str().expect("a text")).expect("hex");
        VerifyingKey::from_sec1_bytes(&public).expect("a key")
    };
    assert_eq!(identity["suite"].as_str(), Some("INTL-1"));
    let signed = fs::read(out.join("roster.cose")).expect("a roster");
    let read = Signed::read(&signed, ContentType::Roster).expect("a signed roster");
    assert_eq!(read.verify(&key("down_key")), Ok(&b"{\"people\": []}"[..]));
    read.verify(&key("policy_key")).expect_err("another key");
    let signed = fs::read(out.join("policy/rural.cose")).expect("a pack");
    let read = Signed::read(&signed, ContentType::Policy).expect("a signed pack");
    assert_eq!(read.verify(&key("policy_key")), Ok("name = \"城乡居保\"\n".as_bytes()));

    assert!(authority(&order).status.success());
    assert_eq!(files(&out), given, "the second time keeps the keys");
    let signed_again = folder.path().join("again.cose");
    let sign = [
        "sign",
        "--data",
        text(data.path()),
        "--as",
        "roster",
        text(&roster),
        "--out",
        text(&signed_again),
    ];
    assert!(authority(&sign).status.success());
    assert_eq!(
        fs::read(&signed_again).expect("a file"),
        fs::read(out.join("roster.cose")).expect("a file")
    );
}

#[test]
fn names_and_files_that_are_none_are_refused_before_anything_is_made() {
    let data = house();
    let out = data.path().join("out");
    let provision = |device: &str, site: &str| {
        let order = [
            "provision",
            "--data",
            text(data.path()),
            "--device",
            device,
            "--site",
            site,
            "--out",
            text(&out),
        ];
        authority(&order)
    };
    for name in ["", "../K", "K 1", ".K", "K/1", "常青", "K\"\n", &"K".repeat(65)] {
        assert!(!provision(name, "S-1").status.success(), "device {name:?}");
        assert!(!provision("K-1", name).status.success(), "site {name:?}");
        assert!(!out.exists());
    }
    assert!(provision("K-1", "S-1").status.success());
    assert!(!provision("K-2", "S-1").status.success(), "the directory is another terminal's");
    assert!(!authority(&["--data", text(data.path())]).status.success(), "no --listen");
    assert!(!authority(&["status", "--data", text(&out)]).status.success(), "no data");
    let lost = ["revoke", "--data", text(data.path()), "--device", "K-9"];
    assert!(!authority(&lost).status.success(), "no such device");
}

#[test]
fn status_show_events_and_check_tell_what_is_there() {
    let data = house();
    let server = Authority::start(Config::new(data.path().to_owned())).expect("an authority");
    let terminal = Terminal::provisioned(data.path(), "K-1", server.address());
    let parcel = terminal.parcel(2, 1);
    let batch = paper::id(70);
    let manifest = terminal.manifest(batch, std::slice::from_ref(&parcel.entry));
    terminal.offer(batch, &manifest).expect("an answer");
    terminal.keep(parcel.id, &parcel.envelope).expect("a reply");
    terminal.keep(parcel.id, &parcel.envelope).expect("a reply");
    terminal.keep(parcel.id, &manifest).expect("a reply");
    terminal.append(parcel.entry.pictures[0].digest, 0, &parcel.picture).expect("a reply");
    terminal.commit(batch).expect("a reply");
    let at = text(data.path());
    assert!(authority(&["revoke", "--data", at, "--device", "K-1"]).status.success());

    let status = json(&["status", "--data", at, "--json"]);
    assert_eq!(status["records"], 1);
    assert_eq!(status["receipts"], 1);
    assert_eq!(status["duplicates_refused"], 1);
    assert_eq!(status["outcomes"]["CERTIFIED"], 1);
    assert_eq!(status["security_events_by_code"]["record-conflict"], 1);
    assert_eq!(status["devices"][0]["revoked"], true);
    assert_eq!(status["devices"][0]["seq_missing"], 1);
    let records = json(&["show", "--data", at, "--json"]);
    assert_eq!(records[0]["content"]["number"], "110*************29");
    assert_eq!(records[0]["receipt_no"], 1);
    let events = json(&["events", "--data", at, "--json"]);
    assert_eq!(events[0]["about"], hex::encode(&parcel.id));
    let found = json(&["check", "--data", at, "--json"]);
    assert_eq!(found["faults"], Json::Array(vec![]));
    assert_eq!((&found["records"], &found["pictures"]), (&Json::from(1), &Json::from(1)));

    let digest = hex::encode(&parcel.entry.pictures[0].digest);
    let picture = data.path().join("pictures").join(&digest[..2]).join(&digest);
    fs::write(&picture, b"rot").expect("a file");
    let output = authority(&["check", "--data", at]);
    assert!(!output.status.success(), "a rotten picture is found");
    assert!(String::from_utf8_lossy(&output.stdout).contains(&digest));
}

#[test]
fn a_lost_picture_file_is_asked_for_again() {
    let data = house();
    let server = Authority::start(Config::new(data.path().to_owned())).expect("an authority");
    let mut terminal = Terminal::provisioned(data.path(), "K-1", server.address());
    let parcel = terminal.parcel(1, 1);
    let digest = parcel.entry.pictures[0].digest;
    let batch = paper::id(70);
    let manifest = terminal.manifest(batch, std::slice::from_ref(&parcel.entry));
    terminal.offer(batch, &manifest).expect("an answer");
    assert_eq!(terminal.append(digest, 0, &parcel.picture).expect("a reply").status, 201);
    drop(server);
    let name = hex::encode(&digest);
    fs::remove_file(data.path().join("pictures").join(&name[..2]).join(&name)).expect("a file");
    let server = Authority::start(Config::new(data.path().to_owned())).expect("an authority");
    terminal.address = server.address();
    let answer = terminal.offer(batch, &manifest).expect("an answer").answer();
    assert_eq!(answer.1, [digest.to_vec()]);
}
