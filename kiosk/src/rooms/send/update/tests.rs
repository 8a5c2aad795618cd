//! Updates from a centre in memory, and what becomes of them over nights and restarts.

use std::collections::BTreeSet;

use kiosk_sync::{Call, Reply, TransportError};
use tempfile::TempDir;

use super::*;
use crate::health::devices::MEMORY;

/// Two pieces and a bit.
const SIZE: usize = (2 << 20) + 77;

/// A centre that offers one bundle, and counts what it is asked.
#[derive(Default)]
struct Centre {
    offers: Option<(&'static str, Vec<u8>)>,
    asked: u32,
    pieces: u32,
    /// After so many pieces the line is dead.
    pieces_max: Option<u32>,
}

impl Centre {
    fn offering(edition: &'static str, seed: u8) -> Self {
        Self { offers: Some((edition, vec![seed; SIZE])), ..Self::default() }
    }
}

impl Transport for Centre {
    fn send(&mut self, call: &Call) -> Result<Reply, TransportError> {
        let reply = |status, body| Reply { status, body, retry_after: None, server_time_ms: None };
        let Some((path, query)) = call.path.split_once('?') else {
            panic!("{} has no query", call.path);
        };
        let Some((edition, bytes)) = &self.offers else {
            self.asked += 1;
            return Ok(reply(204, Vec::new()));
        };
        if path == "/v1/update" {
            self.asked += 1;
            assert!(query.starts_with("variant=qemu&edition=0.1."), "{query}");
            let mut e = minicbor::Encoder::new(Vec::new());
            e.map(3).unwrap().u8(0).unwrap().str(edition).unwrap();
            e.u8(1).unwrap().u64(bytes.len() as u64).unwrap();
            e.u8(2).unwrap().bytes(&Sha256::digest(bytes)).unwrap();
            return Ok(reply(200, e.into_writer()));
        }
        if self.pieces_max == Some(self.pieces) {
            return Err(TransportError::Timeout);
        }
        self.pieces += 1;
        let (offset, most) = query.strip_prefix("offset=").unwrap().split_once("&most=").unwrap();
        let [offset, most]: [usize; 2] = [offset, most].map(|number| number.parse().unwrap());
        Ok(reply(200, bytes[offset..].iter().copied().take(most).collect()))
    }
}

/// A terminal with a store and a folder for updates.
struct Terminal {
    folder: TempDir,
    vault: Vault,
    updates: Updates,
}

impl Terminal {
    fn new(every_s: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(&folder.path().join("state")).unwrap();
        fs::write(folder.path().join("version"), "0.1.0\n").unwrap();
        let updates =
            Updates::new(&config(&folder, every_s), &folder.path().join("state")).unwrap();
        Self { folder, vault, updates }
    }

    /// The program is started again.
    fn restart(&mut self) {
        self.updates = Updates::new(&self.updates.config, &self.updates.state).unwrap();
    }

    /// Root takes what lies ready, and this edition is started.
    fn night(&mut self, edition: &str) {
        fs::remove_file(self.file("update.raucb")).unwrap();
        self.boot(edition);
    }

    fn boot(&mut self, edition: &str) {
        fs::write(self.folder.path().join("version"), format!("{edition}\n")).unwrap();
        self.restart();
    }

    /// The health check is content with what runs.
    fn is_found_good(&self) {
        let memory = format!("edition = {:?}\nworks = []\n", self.updates.edition);
        fs::write(self.folder.path().join("state").join(MEMORY), memory).unwrap();
    }

    fn turn(&mut self, centre: &mut Centre) -> bool {
        self.updates.go_on(centre, &self.vault, &mut || false)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("update").join(name)
    }

    /// Names in the folder, a part by its kind alone.
    fn lies(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.file("")).unwrap().map(|e| e.unwrap().path());
        let name = |path: &Path| match path.extension().is_some_and(|kind| kind == PART) {
            true => format!("part of {}", fs::metadata(path).unwrap().len()),
            false => path.file_name().unwrap().to_string_lossy().into_owned(),
        };
        entries.map(|path| name(&path)).collect()
    }

    fn news(&mut self) -> Option<Option<String>> {
        self.updates.news(&self.vault)
    }
}

fn config(folder: &TempDir, every_s: u64) -> UpdateConfig {
    UpdateConfig {
        folder: folder.path().join("update"),
        variant: "qemu".into(),
        edition_file: folder.path().join("version"),
        every_s,
    }
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn what_is_offered_is_fetched_once_and_lies_ready() {
    let mut terminal = Terminal::new(0);
    let mut centre = Centre::offering("0.1.1", 1);
    assert_eq!(terminal.news(), None);
    assert!(!terminal.turn(&mut centre));
    assert_eq!(fs::read(terminal.file("update.raucb")).unwrap(), vec![1; SIZE]);
    assert_eq!(terminal.lies(), names(["update.raucb"]));
    assert_eq!(terminal.news(), Some(Some("0.1.1".into())));
    assert_eq!(terminal.news(), None, "it is told once");
    terminal.turn(&mut centre);
    terminal.restart();
    assert_eq!(terminal.news(), Some(Some("0.1.1".into())), "and again after a restart");
    terminal.turn(&mut centre);
    assert_eq!((centre.asked, centre.pieces), (3, 3));
}

#[test]
fn what_root_refused_is_not_fetched_again_until_there_is_something_else() {
    let mut terminal = Terminal::new(0);
    let mut centre = Centre::offering("0.1.1", 1);
    terminal.turn(&mut centre);
    terminal.news();
    // At night root takes it away and refuses it.
    fs::remove_file(terminal.file("update.raucb")).unwrap();
    for _ in 0..3 {
        terminal.restart();
        terminal.turn(&mut centre);
    }
    assert_eq!((centre.pieces, terminal.lies()), (3, names([])));
    assert_eq!(terminal.news(), None);
    let mut centre = Centre::offering("0.1.1", 2);
    terminal.turn(&mut centre);
    assert_eq!((centre.pieces, terminal.lies()), (3, names(["update.raucb"])));
}

#[test]
fn what_served_and_was_damaged_later_is_fetched_again() {
    let mut terminal = Terminal::new(0);
    let mut centre = Centre::offering("0.1.1", 1);
    terminal.is_found_good();
    terminal.turn(&mut centre);
    terminal.night("0.1.1");
    terminal.turn(&mut centre);
    terminal.is_found_good();
    terminal.turn(&mut centre);
    // Much later a block of its slot rots.
    terminal.boot("0.1.0");
    terminal.is_found_good();
    terminal.turn(&mut centre);
    assert_eq!((centre.pieces, terminal.lies()), (6, names(["update.raucb"])));
    assert_eq!(terminal.news(), Some(Some("0.1.1".into())));
    // This time it does not pass.
    terminal.night("0.1.1");
    terminal.turn(&mut centre);
    terminal.boot("0.1.0");
    terminal.turn(&mut centre);
    assert_eq!((centre.pieces, terminal.lies()), (6, names([])));
}

#[test]
fn what_ran_and_did_not_pass_its_trial_is_not_fetched_again() {
    let mut terminal = Terminal::new(0);
    let mut centre = Centre::offering("0.1.1", 1);
    terminal.is_found_good();
    terminal.turn(&mut centre);
    terminal.night("0.1.1");
    for _ in 0..3 {
        terminal.restart();
        terminal.turn(&mut centre);
    }
    terminal.boot("0.1.0");
    terminal.is_found_good();
    for _ in 0..3 {
        terminal.turn(&mut centre);
    }
    assert_eq!((centre.pieces, terminal.lies()), (3, names([])));
}

#[test]
fn a_line_that_breaks_and_a_program_that_ends_cost_no_byte_twice() {
    let mut terminal = Terminal::new(0);
    let mut centre = Centre { pieces_max: Some(1), ..Centre::offering("0.1.1", 1) };
    assert!(!terminal.turn(&mut centre));
    assert_eq!(terminal.lies(), names(["part of 1048576"]));
    terminal.restart();
    centre.pieces_max = Some(2);
    terminal.turn(&mut centre);
    assert_eq!(terminal.lies(), names(["part of 2097152"]));
    terminal.restart();
    centre.pieces_max = None;
    terminal.turn(&mut centre);
    assert_eq!((centre.pieces, terminal.lies()), (3, names(["update.raucb"])));
}

#[test]
fn a_power_cut_between_remembering_and_renaming_loses_nothing() {
    let mut terminal = Terminal::new(0);
    let mut centre = Centre::offering("0.1.1", 1);
    terminal.turn(&mut centre);
    let digest: [u8; 32] = Sha256::digest(vec![1; SIZE]).into();
    let part = terminal.file(&format!("{}.{PART}", hex::encode(&digest)));
    fs::rename(terminal.file("update.raucb"), part).unwrap();
    terminal.restart();
    terminal.turn(&mut centre);
    assert_eq!((centre.pieces, terminal.lies()), (3, names(["update.raucb"])));
}

#[test]
fn whoever_wants_the_line_has_it_after_one_piece() {
    let mut terminal = Terminal::new(3_600);
    let mut centre = Centre::offering("0.1.1", 1);
    for n_pieces in 1..=2 {
        assert!(terminal.updates.go_on(&mut centre, &terminal.vault, &mut || true));
        assert_eq!(centre.pieces, n_pieces);
    }
    assert!(!terminal.updates.go_on(&mut centre, &terminal.vault, &mut || true));
    assert_eq!(terminal.lies(), names(["update.raucb"]));
    assert_eq!(centre.asked, 1, "and it is asked for again only when it is time to");
}

#[test]
fn a_slow_line_has_shorter_pieces() {
    let after = |most, fetched, seconds| next_most(most, &fetched, Duration::from_secs(seconds));
    let mib = PIECE_BYTES_MAX;
    assert_eq!(after(mib, Ok(Fetched::More), 131), mib / 2);
    assert_eq!(after(mib / 8, Ok(Fetched::More), 16), mib / 8);
    assert_eq!(after(mib / 8, Ok(Fetched::More), 4), mib / 4);
    assert_eq!(after(mib, Ok(Fetched::More), 0), mib);
    let lost = || Err(UpdateError::Transport(TransportError::Timeout));
    assert_eq!(after(mib, lost(), 0), mib / 2);
    assert_eq!((0..20).fold(mib, |most, _| after(most, lost(), 180)), PIECE_BYTES_MIN);
}

#[test]
fn another_offer_in_the_middle_takes_the_place_of_the_first() {
    let mut terminal = Terminal::new(0);
    let mut first = Centre { pieces_max: Some(1), ..Centre::offering("0.1.1", 1) };
    terminal.turn(&mut first);
    terminal.turn(&mut Centre::offering("0.1.2", 2));
    assert_eq!(fs::read(terminal.file("update.raucb")).unwrap(), vec![2; SIZE]);
    assert_eq!(terminal.lies(), names(["update.raucb"]));
    assert_eq!(terminal.news(), Some(Some("0.1.2".into())));
}

#[test]
fn what_is_withdrawn_or_runs_already_is_cleared_away() {
    for mut over in [Centre::default(), Centre::offering("0.1.0", 9)] {
        let mut terminal = Terminal::new(0);
        let mut cut = Centre { pieces_max: Some(1), ..Centre::offering("0.1.1", 1) };
        terminal.turn(&mut cut);
        terminal.turn(&mut over);
        assert_eq!(terminal.lies(), names([]), "a part");
        let mut whole = Centre::offering("0.1.1", 1);
        terminal.turn(&mut whole);
        terminal.news();
        terminal.turn(&mut over);
        assert_eq!((terminal.lies(), terminal.news()), (names([]), Some(None)));
        terminal.turn(&mut whole);
        assert_eq!(terminal.lies(), names(["update.raucb"]), "it is offered again");
    }
}

#[test]
fn a_terminal_that_does_not_know_what_it_runs_asks_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Updates::new(&config(&folder, 0), folder.path()).is_none());
    fs::write(folder.path().join("version"), "0.1/0\n").unwrap();
    assert!(Updates::new(&config(&folder, 0), folder.path()).is_none());
}
