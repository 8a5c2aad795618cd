//! Updates over the real line: what is offered to whom, and the bytes.

use std::{fs, path::Path, process::Command};

use authority::{
    hex,
    server::{Authority, Config},
};
use minicbor::Decoder;
use sha2::{Digest, Sha256};

use super::terminal::{Reply, Terminal, house};

const MIB: usize = 1 << 20;

/// `authority …` as it is typed; what it says if it refuses.
fn authority(words: &[&str]) -> Result<(), String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_authority")).args(words).output().expect("the program");
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    output.status.success().then_some(()).ok_or(said)
}

fn offer(
    data: &Path,
    variant: &str,
    edition: &str,
    bundle: &Path,
    more: &[&str],
) -> Result<(), String> {
    let (data, bundle) = (data.to_str().expect("text"), bundle.to_str().expect("text"));
    let words =
        ["offer", "--data", data, "--variant", variant, "--edition", edition, "--bundle", bundle];
    authority(&[&words[..], more].concat())
}

/// Edition, size and digest of an offer; the status where there is none.
fn read(reply: &Reply) -> Result<(String, u64, Vec<u8>), u16> {
    if reply.status != 200 {
        return Err(reply.status);
    }
    let mut d = Decoder::new(&reply.body);
    assert_eq!(d.map().expect("a map"), Some(3));
    let key = |n: u8, d: &mut Decoder<'_>| assert_eq!(d.u8().expect("a key"), n);
    key(0, &mut d);
    let edition = d.str().expect("an edition").to_owned();
    key(1, &mut d);
    let size = d.u64().expect("a size");
    key(2, &mut d);
    Ok((edition, size, d.bytes().expect("a digest").to_vec()))
}

fn asks(terminal: &Terminal, variant: &str, edition: &str) -> Reply {
    let path = format!("/v1/update?variant={variant}&edition={edition}");
    terminal.send("GET", &path, &[]).expect("a reply")
}

fn piece(terminal: &Terminal, digest: &[u8], offset: usize) -> Reply {
    piece_of(terminal, digest, offset, MIB + 1)
}

fn piece_of(terminal: &Terminal, digest: &[u8], offset: usize, most: usize) -> Reply {
    let path = format!("/v1/updates/{}?offset={offset}&most={most}", hex::encode(digest));
    terminal.send("GET", &path, &[]).expect("a reply")
}

#[test]
fn what_is_offered_arrives_byte_by_byte_and_only_where_it_is_for() {
    let data = house();
    let server = Authority::start(Config::new(data.path().into())).expect("an authority");
    let [one, two] =
        ["K-1", "K-2"].map(|id| Terminal::provisioned(data.path(), id, server.address()));
    assert_eq!(read(&asks(&one, "qemu", "0.1.0")), Err(204), "nothing yet");

    let file = data.path().join("bundle");
    let bytes: Vec<u8> = (0..2 * MIB + 5).map(|i| (i / 3 % 253) as u8).collect();
    fs::write(&file, &bytes).expect("a file");
    offer(data.path(), "qemu", "0.1.1", &file, &[]).expect("it is offered");
    let digest = Sha256::digest(&bytes).to_vec();
    let offered = Ok(("0.1.1".to_owned(), bytes.len() as u64, digest.clone()));
    assert_eq!(read(&asks(&one, "qemu", "0.1.0")), offered);
    assert_eq!(read(&asks(&one, "qemu", "0.1.1")), Err(204), "it runs already");
    assert_eq!(read(&asks(&one, "counter", "0.1.0")), Err(204), "another kind");

    for (offset, length) in [(0, MIB), (MIB + 5, MIB), (2 * MIB, 5), (2 * MIB + 5, 0), (9 * MIB, 0)]
    {
        let reply = piece(&one, &digest, offset);
        let rest = bytes.get(offset..).unwrap_or_default();
        assert_eq!((reply.status, reply.body.len()), (200, length), "{offset}");
        assert!(reply.body == rest[..length]);
        assert!(reply.header("x-server-time").is_some());
    }
    assert!(piece_of(&one, &digest, 9, 3).body == bytes[9..12]);
    assert_eq!(piece(&one, &[7; 32], 0).says(), "404 unknown-update");

    fs::write(&file, b"for one of them").expect("a file");
    offer(data.path(), "qemu", "0.2.0+trial", &file, &["--device", "K-2"]).expect("it is offered");
    assert_eq!(read(&asks(&one, "qemu", "0.1.0")), offered);
    assert_eq!(read(&asks(&two, "qemu", "0.1.0")).map(|o| o.0), Ok("0.2.0+trial".to_owned()));
    assert_eq!(read(&asks(&two, "qemu", "0.2.0+trial")), Err(204), "a + is a +");

    let text = data.path().to_str().expect("text");
    let withdraw = ["withdraw", "--data", text, "--variant", "qemu"];
    authority(&withdraw).expect("it is withdrawn");
    assert_eq!(read(&asks(&one, "qemu", "0.1.0")), Err(204));
    assert_eq!(piece(&one, &digest, 0).says(), "404 unknown-update", "its bytes are gone");
    assert_eq!(read(&asks(&two, "qemu", "0.1.0")).map(|o| o.1), Ok(15));
    assert!(authority(&withdraw).is_err_and(|said| said.contains("nothing is offered")));
}

#[test]
fn another_bundle_takes_the_place_of_the_one_before() {
    let data = house();
    let server = Authority::start(Config::new(data.path().into())).expect("an authority");
    let terminal = Terminal::provisioned(data.path(), "K-1", server.address());
    let file = data.path().join("bundle");
    for (edition, bytes) in [("1", "first"), ("2", "second")] {
        fs::write(&file, bytes).expect("a file");
        offer(data.path(), "qemu", edition, &file, &[]).expect("it is offered");
        let (found, _, digest) = read(&asks(&terminal, "qemu", "0")).expect("an offer");
        assert_eq!((found.as_str(), piece(&terminal, &digest, 0).body), (edition, bytes.into()));
    }
    let check = ["check", "--data", data.path().to_str().expect("text")];
    authority(&check).expect("all is well");
    let of = hex::encode(&Sha256::digest("second"));
    let bundle = data.path().join("updates").join(format!("{of}.raucb"));
    fs::write(&bundle, "seconD").expect("a damaged disk");
    assert!(authority(&check).is_err());
    fs::write(&bundle, "second").expect("a mended one");
    let kept = fs::read_dir(data.path().join("updates")).expect("a folder");
    let kept = kept.filter(|entry| entry.as_ref().expect("an entry").path().is_file()).count();
    assert_eq!(kept, 1, "the first one is gone");
    assert_eq!(piece(&terminal, &Sha256::digest("first"), 0).says(), "404 unknown-update");
}

#[test]
fn strangers_and_what_is_not_the_protocol_are_refused() {
    let data = house();
    let server = Authority::start(Config::new(data.path().into())).expect("an authority");
    let terminal = Terminal::provisioned(data.path(), "K-1", server.address());
    for query in [
        "",
        "?variant=qemu",
        "?edition=1&variant=qemu",
        "?variant=../x&edition=1",
        "?variant=qemu&edition=1%202",
        "?variant=qemu&edition=1&more=2",
    ] {
        let reply = terminal.send("GET", &format!("/v1/update{query}"), &[]).expect("a reply");
        assert_eq!(reply.says(), "400 not-the-protocol", "{query}");
    }
    let none = format!("/v1/updates/{}", hex::encode(&[7; 32]));
    let without = format!("{none}?offset=0");
    let nothing = format!("{none}?offset=0&most=0");
    let less = format!("{none}?offset=-1&most=1");
    for path in [
        &none,
        &without,
        &nothing,
        &less,
        "/v1/updates/..%2fkeys?offset=0&most=1",
        "/v1/updates/07?offset=0&most=1",
    ] {
        assert_eq!(
            terminal.send("GET", path, &[]).expect("a reply").says(),
            "400 not-the-protocol"
        );
    }
    let text = data.path().to_str().expect("text");
    authority(&["revoke", "--data", text, "--device", "K-1"]).expect("it is revoked");
    assert_eq!(asks(&terminal, "qemu", "1").says(), "403 revoked");
    assert_eq!(piece(&terminal, &[7; 32], 0).says(), "403 revoked");
}

#[test]
fn what_cannot_be_offered_is_said() {
    let data = house();
    let server = Authority::start(Config::new(data.path().into())).expect("an authority");
    Terminal::provisioned(data.path(), "K-1", server.address());
    let file = data.path().join("bundle");
    fs::write(&file, b"x").expect("a file");
    let (empty, large) = (data.path().join("empty"), data.path().join("large"));
    fs::write(&empty, b"").expect("a file");
    fs::File::create(&large).and_then(|file| file.set_len((400 << 20) + 1)).expect("a file");
    let elsewhere = data.path().join("nothing-here");
    for (refused, words) in [
        (offer(data.path(), "../keys", "1", &file, &[]), "no kind of terminal"),
        (offer(data.path(), "qemu", "a b", &file, &[]), "no edition"),
        (offer(data.path(), "qemu", "1", &empty, &[]), "has 0 bytes"),
        (offer(data.path(), "qemu", "1", &large, &[]), "has 419430401 bytes"),
        (offer(data.path(), "qemu", "1", &elsewhere, &[]), "cannot be read"),
        (offer(data.path(), "qemu", "1", &file, &["--device", "K-9"]), "no device K-9"),
        (offer(&elsewhere, "qemu", "1", &file, &[]), "authority: "),
    ] {
        let said = refused.expect_err(words);
        assert!(said.contains(words), "{said}");
    }
    assert!(!elsewhere.exists());
}
