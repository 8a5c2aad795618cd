//! Each row of the protocol's table, with an authority in this process.

use authority::{
    cose::{ContentType, Signed, sha256},
    hex,
    keys::Keys,
    report::{RecordLine, Status},
    server::{Authority, Config},
    store::Store,
};
use p256::ecdsa::VerifyingKey;
use tempfile::TempDir;

use super::{
    bent::{self, Hands, flipped},
    paper::{self, Announced, Entry, NAME, NUMBER, PICTURE, RECORD},
    terminal::{Reply, Terminal, house, receipt_number},
};

/// An authority with one terminal.
struct Scene {
    data: TempDir,
    authority: Authority,
    terminal: Terminal,
}

impl Scene {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(set: impl FnOnce(&mut Config)) -> Self {
        let data = house();
        let mut config = Config::new(data.path().to_owned());
        set(&mut config);
        let authority = Authority::start(config).expect("an authority");
        let terminal = Terminal::provisioned(data.path(), "K-1", authority.address());
        Self { data, authority, terminal }
    }

    fn other(&self, device: &str) -> Terminal {
        Terminal::provisioned(self.data.path(), device, self.authority.address())
    }

    fn hands<'a>(&'a self, other: &'a Terminal) -> Hands<'a> {
        Hands { device: "K-1", key: &self.terminal.key, other: &other.key, enc: self.terminal.enc }
    }

    fn status(&self) -> Status {
        Status::read(&Store::open_to_read(self.data.path()).expect("a store")).expect("a status")
    }
}

fn said(reply: std::io::Result<Reply>) -> String {
    reply.expect("a reply").says()
}

#[test]
fn a_record_gets_a_receipt_when_it_and_its_picture_are_here_and_the_same_one_ever_after() {
    let scene = Scene::new();
    let terminal = &scene.terminal;
    let parcel = terminal.parcel(1, 1);
    let batch = paper::id(70);
    let manifest = terminal.manifest(batch, std::slice::from_ref(&parcel.entry));
    let digest = sha256(&parcel.picture);

    let answer = terminal.offer(batch, &manifest).expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.answer(), (vec![parcel.id.to_vec()], vec![digest.to_vec()], vec![]));

    assert_eq!(said(terminal.keep(parcel.id, &parcel.envelope)), "201");
    assert_eq!(said(terminal.keep(parcel.id, &parcel.envelope)), "200");
    assert_eq!(terminal.commit(batch).expect("a reply").list(), Vec::<Vec<u8>>::new());
    assert_eq!(said(terminal.receipt(parcel.id)), "404 no-receipt");

    let half = parcel.picture.len() / 2;
    let reply = terminal.append(digest, 0, &parcel.picture[..half]).expect("a reply");
    assert_eq!((reply.status, reply.next_offset()), (202, half as u64));
    let reply = terminal.append(digest, 0, &parcel.picture[..half]).expect("a reply");
    assert_eq!((reply.status, reply.next_offset()), (409, half as u64));
    let reply = terminal.append(digest, half, &[]).expect("a reply");
    assert_eq!((reply.status, reply.next_offset()), (202, half as u64));
    assert_eq!(said(terminal.append(digest, half, &parcel.picture[half..])), "201");
    assert_eq!(said(terminal.append(digest, 0, &parcel.picture[..half])), "201");

    let first = terminal.commit(batch).expect("a reply").list();
    assert_eq!(first.len(), 1);
    assert_eq!(terminal.commit(batch).expect("a reply").list(), first);
    assert_eq!(terminal.receipt(parcel.id).expect("a reply").body, first[0]);
    assert_eq!(terminal.offer(batch, &manifest).expect("an answer").answer(), Default::default());
    check_receipt(terminal, &first[0], &parcel.entry, 1);

    let status = scene.status();
    assert_eq!((status.records, status.receipts, status.pictures), (1, 1, 1));
    assert_eq!((status.duplicates_refused, status.security_events), (1, 0));
    assert_eq!(status.outcomes["CERTIFIED"], 1);
}

fn check_receipt(terminal: &Terminal, receipt: &[u8], entry: &Entry, number: u64) {
    let key = VerifyingKey::from_sec1_bytes(&terminal.receipt_key).expect("a key");
    let signed = Signed::read(receipt, ContentType::Receipt).expect("a receipt");
    let payload = signed.verify(&key).expect("the authority's signature");
    let mut reader = minicbor::Decoder::new(payload);
    assert_eq!(reader.map().expect("a map"), Some(8));
    let key =
        |n: u8, reader: &mut minicbor::Decoder<'_>| assert_eq!(reader.u8().expect("a key"), n);
    key(0, &mut reader);
    assert_eq!(reader.u8().expect("a version"), 1);
    key(1, &mut reader);
    assert_eq!(reader.bytes().expect("an id"), entry.id);
    key(2, &mut reader);
    assert_eq!(reader.bytes().expect("a digest"), entry.digest);
    key(3, &mut reader);
    assert_eq!(reader.str().expect("a device"), terminal.device);
    key(4, &mut reader);
    assert_eq!(reader.i64().expect("a seq"), entry.seq);
    key(5, &mut reader);
    assert_eq!(reader.str().expect("a word"), "stored");
    key(6, &mut reader);
    assert!(reader.i64().expect("a time") > 0);
    key(7, &mut reader);
    assert_eq!(reader.u64().expect("a number"), number);
    assert_eq!(reader.position(), payload.len());
}

#[test]
fn every_reply_tells_the_time() {
    let scene = Scene::new();
    for path in ["/v1/time", "/v1/nothing", "/v1/receipts/00"] {
        let reply = scene.terminal.send("GET", path, &[]).expect("a reply");
        let time: i64 = reply.header("x-server-time").expect("a time").parse().expect("a number");
        assert!(time > 1_700_000_000_000, "{path} says {time}");
    }
    let reply = scene.terminal.send("GET", "/v1/time", &[]).expect("a reply");
    assert_eq!(reply.status, 200);
    assert!(reply.next_offset() > 1_700_000_000_000);
}

#[test]
fn who_is_not_known_is_turned_away_at_the_door_or_behind_it() {
    let scene = Scene::new();
    let keys = Keys::at(scene.data.path());
    let ca = keys.ca().expect("a CA");

    let nobody = scene.other("K-2").with_credential(&ca, None);
    nobody.send("GET", "/v1/time", &[]).expect_err("no certificate, no request");

    let foreign_house = house();
    let foreign = Keys::at(foreign_house.path()).issue("K-1").expect("a certificate");
    let forger =
        scene.other("K-2").with_credential(&ca, Some((&foreign.certificate, &foreign.key)));
    forger.send("GET", "/v1/time", &[]).expect_err("another CA, no request");

    let stray = keys.issue("K-9").expect("a certificate");
    let stray = scene.other("K-2").with_credential(&ca, Some((&stray.certificate, &stray.key)));
    assert_eq!(said(stray.send("GET", "/v1/time", &[])), "401 unknown-device");

    let revoked = scene.other("K-3");
    assert_eq!(said(revoked.send("GET", "/v1/time", &[])), "200");
    let mut store = Store::open(scene.data.path()).expect("a store");
    assert!(store.revoke("K-3", 1).expect("a store"));
    assert_eq!(said(revoked.send("GET", "/v1/time", &[])), "403 revoked");
    scene.other("K-3");
    assert_eq!(said(revoked.send("GET", "/v1/time", &[])), "403 revoked");
    assert_eq!(scene.status().security_events, 3);
}

#[test]
fn what_is_not_the_protocol_is_said_to_be_so() {
    let scene = Scene::new();
    let terminal = &scene.terminal;
    let id = "019a0000000070008000000000000001";
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/v1/records/019a0000000070008000000000000001"),
        ("DELETE", "/v1/time"),
        ("PUT", "/v1/records/1"),
        ("PUT", "/v1/records/019A0000000070008000000000000001"),
        ("PUT", "/v1/pictures/019a0000000070008000000000000001?offset=0"),
        ("PUT", "/v1/batches/../../etc/passwd"),
    ] {
        assert_eq!(
            said(terminal.send(method, path, &[])),
            "400 not-the-protocol",
            "{method} {path}"
        );
    }
    let digest = "0".repeat(64);
    for query in [
        "",
        "?offset=",
        "?offset=-1",
        "?offset=+1",
        "?offset=1&x=1",
        "?offset=99999999999999999999",
    ] {
        let path = format!("/v1/pictures/{digest}{query}");
        assert_eq!(said(terminal.send("PUT", &path, &[])), "400 not-the-protocol", "{path}");
    }
    assert_eq!(said(terminal.send("PUT", &format!("/v1/records/{id}"), b"x")), "400 not-announced");
    let path = format!("/v1/pictures/{digest}?offset=0");
    assert_eq!(said(terminal.send("PUT", &path, b"x")), "400 not-announced");
    assert_eq!(
        said(terminal.send("POST", &format!("/v1/batches/{id}/commit"), b"")),
        "404 unknown-batch"
    );
    assert_eq!(said(terminal.send("GET", &format!("/v1/receipts/{id}"), b"")), "404 no-receipt");
}

#[test]
fn a_bad_manifest_is_refused_whole_and_leaves_nothing() {
    let scene = Scene::new();
    let terminal = &scene.terminal;
    let other = scene.other("K-2");
    let parcel = terminal.parcel(1, 1);
    let batch = paper::id(70);
    for case in bent::manifests(&scene.hands(&other), batch, &parcel.entry) {
        assert_eq!(said(terminal.offer(batch, &case.bytes)), case.want, "{}", case.what);
    }
    assert_eq!(said(terminal.offer(batch, &vec![0; 600 << 10])), "413 too-large");
    let status = scene.status();
    assert_eq!((status.batches, status.records, status.pictures), (0, 0, 0));
    assert_eq!(status.security_events, 3);
    let manifest = terminal.manifest(batch, std::slice::from_ref(&parcel.entry));
    assert_eq!(said(terminal.offer(batch, &manifest)), "200");
}

#[test]
fn a_bad_record_is_held_by_its_code_and_the_good_ones_beside_it_are_kept() {
    let scene = Scene::new();
    let terminal = &scene.terminal;
    let other = scene.other("K-2");
    let cases = bent::records(&scene.hands(&other));

    let batch = paper::id(500);
    let entries: Vec<_> =
        (1..).zip(&cases).map(|(seq, case)| Entry::of(case.id, seq, &case.bytes, &[])).collect();
    let manifest = terminal.manifest(batch, &entries);
    assert_eq!(said(terminal.offer(batch, &manifest)), "200");
    for case in &cases {
        assert_eq!(said(terminal.keep(case.id, &case.bytes)), case.want, "{}", case.what);
    }
    let refused = cases.iter().filter(|case| case.want != "201");
    let refused: Vec<_> =
        refused.map(|case| (case.id.to_vec(), case.want[4..].to_owned())).collect();
    let answer = terminal.offer(batch, &manifest).expect("an answer").answer();
    assert_eq!(answer, (vec![], vec![], refused));
    assert_eq!(terminal.commit(batch).expect("a reply").list().len(), 5);
    assert_eq!(scene.status().records, 5);
}

#[test]
fn an_id_a_seq_and_a_batch_stand_for_one_thing_each() {
    let scene = Scene::new();
    let terminal = &scene.terminal;
    let first = terminal.parcel(1, 1);
    let batch = paper::id(70);
    let manifest = terminal.manifest(batch, std::slice::from_ref(&first.entry));
    assert_eq!(said(terminal.offer(batch, &manifest)), "200");

    let again = terminal.envelope(&paper::record("K-1", first.id, &[]).encode(), 5);
    assert_eq!(said(terminal.keep(first.id, &again)), "409 record-conflict", "before it is stored");
    assert_eq!(said(terminal.keep(first.id, &first.envelope)), "201");
    assert_eq!(said(terminal.keep(first.id, &again)), "409 record-conflict", "after it is stored");

    let other_bytes = Entry::of(first.id, 1, &again, &[]);
    let reply = terminal.offer(paper::id(71), &terminal.manifest(paper::id(71), &[other_bytes]));
    let conflict = (first.id.to_vec(), "record-conflict".to_owned());
    assert_eq!(reply.expect("an answer").answer().2, [conflict]);

    let usurper = terminal.parcel(1, 2);
    let manifest = terminal.manifest(paper::id(72), std::slice::from_ref(&usurper.entry));
    let answer = terminal.offer(paper::id(72), &manifest).expect("an answer").answer();
    assert_eq!(answer, (vec![], vec![], vec![(usurper.id.to_vec(), "seq-conflict".to_owned())]));
    assert_eq!(said(terminal.keep(usurper.id, &usurper.envelope)), "409 seq-conflict");
    assert_eq!(terminal.commit(paper::id(72)).expect("a reply").list(), Vec::<Vec<u8>>::new());

    let second = terminal.parcel(2, 2);
    let other_manifest = terminal.manifest(batch, &[second.entry]);
    assert_eq!(said(terminal.offer(batch, &other_manifest)), "409 batch-conflict");

    let stranger = scene.other("K-2");
    let theirs = Entry { seq: 1, ..first.entry.clone() };
    let manifest = stranger.manifest(paper::id(73), &[theirs]);
    let answer = stranger.offer(paper::id(73), &manifest).expect("an answer").answer();
    assert_eq!(answer.2, [(first.id.to_vec(), "record-conflict".to_owned())]);
    assert_eq!(said(stranger.keep(first.id, &first.envelope)), "409 record-conflict");
    assert_eq!(said(stranger.receipt(first.id)), "404 no-receipt");
    assert_eq!(said(stranger.commit(batch)), "404 unknown-batch");

    let events = scene.status().security_events_by_code;
    assert_eq!(events["record-conflict"], 5);
    assert_eq!(events["seq-conflict"], 2);
    assert_eq!(events["batch-conflict"], 1);
}

#[test]
fn a_picture_is_taken_only_if_it_is_the_announced_one_and_opens() {
    let scene = Scene::new();
    let terminal = &scene.terminal;
    let sealed = |plaintext: &[u8]| paper::seal(PICTURE, &terminal.enc, plaintext, 3);
    let png = sealed(b"\x89PNG\r\n\x1a\n and so on");
    let pictures = [
        png.clone(),
        sealed(b"GIF89a"),
        paper::seal(RECORD, &terminal.enc, b"\xff\xd8\xff", 3),
        vec![0xff; 40],
    ];
    let announced = pictures.each_ref().map(|picture| Announced::of(picture));
    let [png_digest, gif, record, noise] = announced.each_ref().map(|announced| announced.digest);
    let envelope = terminal.envelope(&paper::record("K-1", paper::id(1), &announced).encode(), 1);
    let batch = paper::id(70);
    let entry = Entry::of(paper::id(1), 1, &envelope, &announced);
    assert_eq!(said(terminal.offer(batch, &terminal.manifest(batch, &[entry]))), "200");
    assert_eq!(said(terminal.keep(paper::id(1), &envelope)), "201");

    assert_eq!(said(terminal.append(gif, 0, &pictures[1])), "422 not-a-picture");
    assert_eq!(said(terminal.append(record, 0, &pictures[2])), "422 wrong-content-type");
    assert_eq!(said(terminal.append(noise, 0, &pictures[3])), "422 malformed");
    let too_long = [&png[..], &[0]].concat();
    assert_eq!(said(terminal.append(png_digest, 0, &too_long)), "422 wrong-digest");
    assert_eq!(said(terminal.append(png_digest, 0, &flipped(png.clone()))), "422 wrong-digest");
    assert_eq!(said(terminal.append(png_digest, 0, &vec![0; (1 << 20) + 1])), "413 too-large");
    let reply = terminal.append(png_digest, 7, &png).expect("a reply");
    assert_eq!((reply.status, reply.next_offset()), (409, 0), "the bad bytes were dropped");

    let stranger = scene.other("K-2");
    assert_eq!(said(stranger.append(png_digest, 0, &png)), "400 not-announced");
    for (offset, byte) in png.iter().enumerate() {
        let want = if offset + 1 == png.len() { 201 } else { 202 };
        let reply = terminal.append(png_digest, offset, &[*byte]).expect("a reply");
        assert_eq!(reply.status, want, "byte {offset}");
    }
    assert_eq!(terminal.commit(batch).expect("a reply").list(), Vec::<Vec<u8>>::new());
    assert_eq!(scene.status().pictures, 1);
}

#[test]
fn a_disk_that_fails_is_our_fault_and_nothing_is_said_to_be_stored() {
    let scene = Scene::new();
    let terminal = &scene.terminal;
    let parcel = terminal.parcel(1, 1);
    let digest = sha256(&parcel.picture);
    let batch = paper::id(70);
    let manifest = terminal.manifest(batch, std::slice::from_ref(&parcel.entry));
    assert_eq!(said(terminal.offer(batch, &manifest)), "200");
    assert_eq!(said(terminal.keep(parcel.id, &parcel.envelope)), "201");
    // A file where the picture's folder has to be.
    let folder = hex::encode(&digest[..1]);
    let obstacle = scene.data.path().join("pictures").join(folder);
    std::fs::write(&obstacle, b"").expect("a file");
    assert_eq!(said(terminal.append(digest, 0, &parcel.picture)), "500 fault");
    assert_eq!(scene.status().pictures, 0);
    let receipts = terminal.commit(batch).expect("a reply").list();
    assert_eq!(receipts, Vec::<Vec<u8>>::new());

    std::fs::remove_file(&obstacle).expect("the file");
    // All bytes had arrived; whatever offset the terminal asks for, nothing is left to send.
    assert_eq!(said(terminal.append(digest, 0, &parcel.picture)), "201");
    assert_eq!(terminal.commit(batch).expect("a reply").list().len(), 1);
}

#[test]
fn two_records_may_share_a_picture() {
    let scene = Scene::new();
    let terminal = &scene.terminal;
    let picture = terminal.parcel(1, 1).picture;
    let announced = [Announced::of(&picture)];
    let envelope =
        |n| terminal.envelope(&paper::record("K-1", paper::id(n), &announced).encode(), n);
    let envelopes = [envelope(1), envelope(2)];
    let entries = [1, 2]
        .map(|n: u64| Entry::of(paper::id(n), n as i64, &envelopes[n as usize - 1], &announced));
    let batch = paper::id(70);
    let answer = terminal.offer(batch, &terminal.manifest(batch, &entries)).expect("an answer");
    assert_eq!(answer.answer().1, [announced[0].digest.to_vec()]);
    assert_eq!(said(terminal.append(announced[0].digest, 0, &picture)), "201");
    for n in [1, 2] {
        assert_eq!(said(terminal.keep(paper::id(n), &envelopes[n as usize - 1])), "201");
    }
    let receipts = terminal.commit(batch).expect("a reply").list();
    let numbers: Vec<_> = receipts.iter().map(|receipt| receipt_number(receipt)).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_busy_authority_says_when_to_come_back_and_stores_nothing() {
    let scene = Scene::with(|config| config.faults.busy = 1.0);
    let reply = scene.terminal.send("GET", "/v1/time", &[]).expect("a reply");
    assert_eq!(reply.says(), "503 busy");
    assert_eq!(reply.header("retry-after"), Some("1"));
}

#[test]
fn a_device_that_asks_too_much_at_once_is_told_to_wait() {
    let scene = Scene::with(|config| config.faults.slow = std::time::Duration::from_millis(500));
    let terminal = &scene.terminal;
    let mut said: Vec<String> = std::thread::scope(|scope| {
        let asked: Vec<_> =
            (0..8).map(|_| scope.spawn(|| said(terminal.send("GET", "/v1/time", &[])))).collect();
        asked.into_iter().map(|asked| asked.join().expect("no panic")).collect()
    });
    said.sort();
    said.dedup();
    assert_eq!(said, ["200", "429 too-many"]);
}

#[test]
fn the_list_of_records_names_nobody() {
    let scene = Scene::new();
    let terminal = &scene.terminal;
    let parcel = terminal.parcel(1, 1);
    let batch = paper::id(70);
    terminal.offer(batch, &terminal.manifest(batch, &[parcel.entry])).expect("an answer");
    assert_eq!(said(terminal.keep(parcel.id, &parcel.envelope)), "201");
    let store = Store::open_to_read(scene.data.path()).expect("a store");
    let lines = RecordLine::all(&store).expect("a list");
    let text = format!("{:?}{}{}", lines, lines[0], serde_json::to_string(&lines).expect("JSON"));
    assert!(text.contains("110*************29") && text.contains("CERTIFIED"), "{text}");
    for secret in [NUMBER, NAME, &NUMBER[6..14], "1949"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let written = std::fs::read(scene.data.path().join("authority.db-wal")).expect("the log");
    for secret in [NUMBER.as_bytes(), NAME.as_bytes()] {
        assert!(!written.windows(secret.len()).any(|window| window == secret), "kept in clear");
    }
}
