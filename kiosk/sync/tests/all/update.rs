//! Updates from a centre that is honest, and from one that cuts, bends, lengthens, changes its mind or never ends.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use minicbor::Encoder;
use sha2::{Digest, Sha256};

use kiosk_sync::update::{
    BUNDLE_BYTES_MAX, Bundle, Fetched, PIECE_BYTES_MAX, Parts, UpdateError, fetch, is_edition,
    offered,
};
use kiosk_sync::{Call, Method, Reply, Transport, TransportError};

/// Two pieces and a bit.
const SIZE: usize = 2 * PIECE + 4_321;
const PIECE: usize = PIECE_BYTES_MAX as usize;

/// A centre with one bundle; answers that were laid ready come first.
struct Centre {
    bytes: Vec<u8>,
    digest: [u8; 32],
    lies: VecDeque<Result<Reply, TransportError>>,
    asked: Vec<String>,
}

impl Centre {
    fn new(seed: u8) -> Self {
        let mut bytes = vec![seed; SIZE];
        bytes[PIECE..].fill(seed ^ 1);
        let digest = Sha256::digest(&bytes).into();
        Self { bytes, digest, lies: VecDeque::new(), asked: Vec::new() }
    }

    fn bundle(&self) -> Bundle {
        Bundle { edition: "0.1.1".into(), size: SIZE as u64, digest: self.digest }
    }
}

impl Transport for Centre {
    fn send(&mut self, call: &Call) -> Result<Reply, TransportError> {
        assert_eq!((call.method, call.body.len()), (Method::Get, 0));
        self.asked.push(call.path.clone());
        if let Some(lie) = self.lies.pop_front() {
            return lie;
        }
        let (path, query) = call.path.split_once("?offset=").expect("a piece is asked for");
        let (offset, most) = query.split_once("&most=").expect("with a bound");
        let hex: String = self.digest.iter().map(|b| format!("{b:02x}")).collect();
        if path != format!("/v1/updates/{hex}") {
            return Ok(reply(404, &[]));
        }
        let rest = &self.bytes[offset.parse().expect("a number")..];
        Ok(reply(200, &rest[..rest.len().min(most.parse().expect("a number"))]))
    }
}

/// A folder in memory.
#[derive(Default)]
struct Memory {
    of: Option<[u8; 32]>,
    bytes: Vec<u8>,
    used: u64,
}

impl Parts for Memory {
    fn kept(&mut self, digest: &[u8; 32]) -> io::Result<u64> {
        if self.of.replace(*digest) != Some(*digest) {
            self.bytes.clear();
        }
        Ok(self.bytes.len() as u64)
    }

    fn room(&mut self) -> io::Result<u64> {
        Ok(ROOM.saturating_sub(self.used + self.bytes.len() as u64))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend(bytes);
        Ok(())
    }

    fn digest(&mut self) -> io::Result<[u8; 32]> {
        Ok(Sha256::digest(&self.bytes).into())
    }

    fn remove(&mut self) -> io::Result<()> {
        *self = Self { used: self.used, ..Self::default() };
        Ok(())
    }
}

const ROOM: u64 = 10 << 20;

fn reply(status: u16, body: &[u8]) -> Reply {
    let retry_after = (status == 503).then_some(Duration::from_secs(9));
    Reply { status, body: body.into(), retry_after, server_time_ms: None }
}

fn offer(edition: &str, size: u64, digest: &[u8]) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.map(3).unwrap().u8(0).unwrap().str(edition).unwrap();
    e.u8(1).unwrap().u64(size).unwrap().u8(2).unwrap().bytes(digest).unwrap();
    e.into_writer()
}

/// What asking for an update comes to.
fn ask(answer: Result<Reply, TransportError>) -> Result<Option<Bundle>, &'static str> {
    let mut centre = Centre::new(0);
    centre.lies.push_back(answer);
    let asked = offered(&mut centre, "qemu", "0.1.0").map_err(|error| error.code());
    assert_eq!(centre.asked, ["/v1/update?variant=qemu&edition=0.1.0"]);
    asked
}

/// Pieces until the whole is there or an error comes.
fn whole(centre: &mut Centre, parts: &mut Memory, bundle: &Bundle) -> Result<u32, UpdateError> {
    let mut n_pieces = 1;
    while fetch(centre, parts, bundle, PIECE_BYTES_MAX)? == Fetched::More {
        n_pieces += 1;
        assert!(n_pieces < 1_000, "without end");
    }
    Ok(n_pieces)
}

#[test]
fn an_offer_is_believed_only_if_it_could_be_one() {
    let bundle = Bundle { edition: "0.1.1+b-2".into(), size: 7, digest: [5; 32] };
    let good = offer("0.1.1+b-2", 7, &[5; 32]);
    assert_eq!(ask(Ok(reply(200, &good))), Ok(Some(bundle)));
    assert_eq!(ask(Ok(reply(204, &[]))), Ok(None));
    assert_eq!(ask(Ok(reply(200, &offer("0.1.0", 7, &[5; 32])))), Ok(None), "it runs already");
    assert_eq!(
        ask(Ok(reply(200, &offer("0.1.1", BUNDLE_BYTES_MAX, &[5; 32]))))
            .map(|bundle| bundle.is_some()),
        Ok(true)
    );
    for (edition, size, code) in [
        ("", 7, "update-edition"),
        ("../x", 7, "update-edition"),
        ("a b", 7, "update-edition"),
        ("新", 7, "update-edition"),
        (&"9".repeat(41), 7, "update-edition"),
        ("1", 0, "update-size"),
        ("1", BUNDLE_BYTES_MAX + 1, "update-size"),
    ] {
        assert_eq!(ask(Ok(reply(200, &offer(edition, size, &[5; 32])))), Err(code), "{edition}");
    }
    let unreadable = Err("update-unreadable");
    assert_eq!(ask(Ok(reply(200, &offer("1", 7, &[5; 31])))), unreadable);
    for end in 0..good.len() {
        assert_eq!(ask(Ok(reply(200, &good[..end]))), unreadable, "cut at {end}");
    }
    assert_eq!(ask(Ok(reply(200, &[&good[..], &[0]].concat()))), unreadable);
    assert_eq!(ask(Ok(reply(400, &[]))), Err("update-refused"), "an older authority");
    assert_eq!(ask(Ok(reply(503, &[]))), Err("update-busy"));
    assert_eq!(ask(Err(TransportError::NoRoute)), Err("sync-no-route"));
    assert!(is_edition("0.1.1") && is_edition(&"9".repeat(40)) && !is_edition("0/1"));
}

#[test]
fn an_honest_update_arrives_whole_in_pieces() {
    let (mut centre, mut parts) = (Centre::new(0), Memory::default());
    let bundle = centre.bundle();
    assert_eq!(whole(&mut centre, &mut parts, &bundle).unwrap(), 3);
    assert_eq!(parts.bytes, centre.bytes);
    assert!(
        centre.asked[2].ends_with(&format!("?offset={}&most={PIECE}", 2 * PIECE)),
        "{}",
        centre.asked[2]
    );
    assert_eq!(fetch(&mut centre, &mut parts, &bundle, PIECE_BYTES_MAX).unwrap(), Fetched::Whole);
    assert_eq!(centre.asked.len(), 3, "what is whole is not asked for again");
}

#[test]
fn after_a_lost_line_or_a_restart_it_goes_on_where_it_was() {
    let (mut centre, mut parts) = (Centre::new(0), Memory::default());
    let bundle = centre.bundle();
    fetch(&mut centre, &mut parts, &bundle, PIECE_BYTES_MAX).unwrap();
    for lost in [
        Err(TransportError::Timeout),
        Err(TransportError::Broken("cut".into())),
        Ok(reply(503, &[])),
        Ok(reply(500, &[])),
        Ok(reply(401, &[])),
    ] {
        centre.lies.push_back(lost);
        let error = fetch(&mut centre, &mut parts, &bundle, PIECE_BYTES_MAX).unwrap_err();
        assert!(error.is_passing(), "{error}");
        assert_eq!(parts.bytes.len(), PIECE, "{error}");
    }
    // Nothing but the bytes is remembered, so a new program is as good as this one.
    parts = Memory { of: parts.of, bytes: parts.bytes[..PIECE / 2].into(), used: 0 };
    assert_eq!(whole(&mut centre, &mut parts, &bundle).unwrap(), 2);
    assert!(
        centre.asked[6].ends_with(&format!("?offset={}&most={PIECE}", PIECE / 2)),
        "{}",
        centre.asked[6]
    );
    assert_eq!(parts.bytes, centre.bytes);
}

#[test]
fn a_centre_that_lies_leaves_nothing_behind() {
    let longer = vec![7; PIECE + 1];
    for (lies, code) in [
        (vec![Ok(reply(200, &[]))], "update-short"),
        (vec![Ok(reply(200, &longer))], "update-long"),
        (vec![Err(TransportError::TooLong)], "update-long"),
        (vec![Ok(reply(404, &[]))], "update-gone"),
        (vec![Ok(reply(200, &longer[..PIECE]))], "update-digest"),
        (vec![Ok(reply(200, &longer[..1]))], "update-digest"),
    ] {
        let (mut centre, mut parts) = (Centre::new(0), Memory::default());
        let bundle = centre.bundle();
        assert_eq!(
            fetch(&mut centre, &mut parts, &bundle, PIECE_BYTES_MAX).unwrap(),
            Fetched::More
        );
        centre.lies = lies.into();
        let error = whole(&mut centre, &mut parts, &bundle).unwrap_err();
        assert_eq!((error.code(), parts.bytes.len()), (code, 0));
        assert!(!error.is_passing());
    }
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let (mut centre, mut parts) = (Centre::new(0), Memory::default());
    let bundle = Bundle { size: 10, ..centre.bundle() };
    centre.lies.push_back(Ok(reply(200, &[1; 11])));
    assert_eq!(whole(&mut centre, &mut parts, &bundle).unwrap_err().code(), "update-long");
    let more = Bundle { size: SIZE as u64 + 5, ..centre.bundle() };
    assert_eq!(whole(&mut centre, &mut parts, &more).unwrap_err().code(), "update-short");
    assert!(parts.bytes.is_empty());
    parts = Memory { of: Some(bundle.digest), bytes: vec![0; 11], used: 0 };
    assert_eq!(whole(&mut centre, &mut parts, &bundle).unwrap_err().code(), "update-long");
    assert!(parts.bytes.is_empty(), "more than the bundle has lay there");
}

#[test]
fn a_piece_is_as_long_as_the_line_bears_and_no_longer() {
    let (mut centre, mut parts) = (Centre::new(0), Memory::default());
    let bundle = centre.bundle();
    fetch(&mut centre, &mut parts, &bundle, 1_000).unwrap();
    assert_eq!(parts.bytes.len(), 1_000);
    centre.lies.push_back(Ok(reply(200, &[0; 1_001])));
    let error = fetch(&mut centre, &mut parts, &bundle, 1_000).unwrap_err();
    assert_eq!((error.code(), parts.bytes.len()), ("update-long", 0));
    fetch(&mut centre, &mut parts, &bundle, u64::MAX).unwrap();
    assert!(centre.asked[2].ends_with(&format!("&most={PIECE}")), "{}", centre.asked[2]);
}

#[test]
fn another_offer_in_the_middle_starts_anew() {
    let (mut first, mut second, mut parts) = (Centre::new(0), Centre::new(9), Memory::default());
    let bundle = first.bundle();
    fetch(&mut first, &mut parts, &bundle, PIECE_BYTES_MAX).unwrap();
    let bundle = second.bundle();
    assert_eq!(whole(&mut second, &mut parts, &bundle).unwrap(), 3);
    assert_eq!(parts.bytes, second.bytes);
}

#[test]
fn bytes_one_by_one_end_with_the_size_that_was_said() {
    let (mut centre, mut parts) = (Centre::new(0), Memory::default());
    let bundle = Bundle { size: 100, ..centre.bundle() };
    centre.lies = (0..1_000).map(|_| Ok(reply(200, &[1]))).collect();
    assert_eq!(whole(&mut centre, &mut parts, &bundle).unwrap_err().code(), "update-digest");
    assert_eq!((centre.asked.len(), parts.bytes.len()), (100, 0));
}

#[test]
fn what_the_store_needs_is_not_taken() {
    let (mut centre, mut parts) = (Centre::new(0), Memory::default());
    let bundle = centre.bundle();
    fetch(&mut centre, &mut parts, &bundle, PIECE_BYTES_MAX).unwrap();
    parts.used = ROOM - SIZE as u64 + 1;
    assert_eq!(
        fetch(&mut centre, &mut parts, &bundle, PIECE_BYTES_MAX).unwrap_err().code(),
        "update-no-room"
    );
    assert_eq!((centre.asked.len(), parts.bytes.len()), (1, 0), "and what was there is given back");
    parts.used -= 1;
    assert_eq!(whole(&mut centre, &mut parts, &bundle).unwrap(), 3);
}
