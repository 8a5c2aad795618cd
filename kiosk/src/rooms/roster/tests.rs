//! A roster file in a store of its own, searched and listed as a clerk would.

use expect_test::{Expect, expect};
use jiff::civil::date;
use kiosk_core::moment::{Doubt, Moment};
use kiosk_core::policy::Pack;
use kiosk_store::{AUTOMATIC, AuditLine, Commit, NewReference, Success as Kept};
use serde_json::json;
use tempfile::TempDir;

use super::lists::{Kind, Lists};
use super::*;

/// 2026-09-16, noon in China.
const NOW: Moment = Moment {
    wall_ms: 1_789_531_200_000,
    boot_id: [0; 16],
    mono_ms: 0,
    doubt: Doubt::None,
    within: None,
};
const PACK: &str = "cn.sx.province.enterprise_pension";

struct Office {
    vault: Vault,
    packs: PackSet,
    _folder: TempDir,
}

impl Office {
    fn open(people: &serde_json::Value) -> Self {
        let folder = TempDir::new().unwrap();
        let vault = Vault::open(folder.path()).unwrap();
        let pack = include_str!("../../../policy/cn.sx.province.enterprise_pension.toml");
        let packs = PackSet::from_packs([Pack::parse(pack).unwrap()]);
        let payload = json!({ "people": people, "site": "s", "version": 1 }).to_string();
        take(&mut vault.store(), payload.as_bytes(), &packs, NOW.date()).unwrap();
        Self { vault, packs, _folder: folder }
    }

    fn lists(&self) -> Lists<'_> {
        Lists { vault: &self.vault, packs: &self.packs, now: NOW }
    }

    fn check(&self, found: Result<Vec<roster::Line>, StoreError>, expect: &Expect) {
        let line = |line: roster::Line| {
            let due = line.due.map_or_else(|| "-".into(), |due| due.to_string());
            let state = line.state.map_or("-", |state| state.id());
            format!("{} {} {} {state} {due}\n", line.name, line.masked, line.village)
        };
        expect.assert_eq(&found.unwrap().into_iter().map(line).collect::<String>());
    }
}

fn person(
    number: &str,
    name: &str,
    village: &str,
    last: &str,
    suspended: bool,
) -> serde_json::Value {
    let last = json!({ "on": last, "method": "window" });
    json!({
        "number": number, "name": name, "village": village,
        "entitlements": [{ "pack": PACK, "last": last, "suspended": suspended }],
    })
}

fn county() -> Office {
    Office::open(&json!([
        person("11010519491231002X", "單秀英", "石桥村", "2025-10-10", false),
        person("430104194803120014", "张秀英", "石桥村", "2025-09-20", false),
        person("110105491231004", "张伟", "长青村", "2026-08-01", false),
        person("110105194912310062", "欧阳锋", "长青村", "2024-01-01", true),
    ]))
}

#[test]
fn a_terminal_that_moves_takes_the_roster_of_its_new_site_whatever_its_version() {
    let office = county();
    let mut store = office.vault.store();
    let site = |version: u64| json!({ "people": [], "site": "s", "version": version }).to_string();
    for (name, n_left) in [("old", 4), ("old", 4), ("new", 0), ("new", 0)] {
        of_site(&mut store, name).unwrap();
        take(&mut store, site(1).as_bytes(), &office.packs, NOW.date()).unwrap();
        assert_eq!(store.roster_count().unwrap(), n_left, "{name}");
    }
    assert_eq!(store.roster_version().unwrap(), Some(1));
}

#[test]
fn people_are_found_by_number_letters_name_and_village() {
    let office = county();
    let search = |text: &str, expect: Expect| office.check(office.lists().search(text, 0), &expect);
    search(
        "sxy",
        expect![[r#"
        單** 110105********002X 石桥村 due_soon 2026-10-10
    "#]],
    );
    search(
        "zhangx",
        expect![[r#"
        张** 430104********0014 石桥村 due_soon 2026-09-20
    "#]],
    );
    search(
        "张",
        expect![[r#"
        张* 110105********0046 长青村 done 2027-08-01
        张** 430104********0014 石桥村 due_soon 2026-09-20
    "#]],
    );
    search(
        "石桥",
        expect![[r#"
        张** 430104********0014 石桥村 due_soon 2026-09-20
        單** 110105********002X 石桥村 due_soon 2026-10-10
    "#]],
    );
    search(
        "oyf",
        expect![[r#"
        欧** 110105********0062 长青村 suspended 2025-01-01
    "#]],
    );
    search(
        "430104194803120014",
        expect![[r#"
        张** 430104********0014 石桥村 due_soon 2026-09-20
    "#]],
    );
    search("110105194912310100", expect![[""]]);
    search("?", expect![[""]]);
    assert!(office.lists().search("张", 1).unwrap().is_empty());
}

#[test]
fn those_come_first_who_are_about_to_lose_their_payment() {
    let office = county();
    let list = |kind: Kind, expect: Expect| office.check(office.lists().list(&kind, 0), &expect);
    list(
        Kind::Due,
        expect![[r#"
        张** 430104********0014 石桥村 due_soon 2026-09-20
        單** 110105********002X 石桥村 due_soon 2026-10-10
    "#]],
    );
    list(
        Kind::Suspended,
        expect![[r#"
        欧** 110105********0062 长青村 suspended 2025-01-01
    "#]],
    );
    list(
        Kind::Village("石 桥村".into()),
        expect![[r#"
        张** 430104********0014 石桥村 due_soon 2026-09-20
        單** 110105********002X 石桥村 due_soon 2026-10-10
    "#]],
    );
    let villages = office.lists().villages().unwrap();
    let villages: Vec<_> =
        villages.iter().map(|v| (v.village.as_str(), v.n_people, v.n_due)).collect();
    assert_eq!(villages, [("石桥村", 2, 2), ("长青村", 2, 1)]);
}

#[test]
fn whoever_was_certified_here_leaves_the_list_at_once() {
    let office = county();
    let number = IdNumber::parse("430104194803120014").unwrap();
    certify(&office.vault, &number, Vec::new());
    let left = office.lists().list(&Kind::Due, 0).unwrap();
    assert!(left.iter().all(|line| line.number != number) && left.len() == 1);
}

fn certify(vault: &Vault, number: &IdNumber, references: Vec<NewReference>) {
    let envelope = b"sealed".to_vec();
    let record = kiosk_core::record::SealedRecord {
        id: kiosk_core::record::RecordId([1; 16]),
        lane: kiosk_core::record::Lane::ProofOfLife,
        outcome: "CERTIFIED".into(),
        captured: NOW,
        digest: <sha2::Sha256 as sha2::Digest>::digest(&envelope).into(),
        envelope,
        pictures: Vec::new(),
    };
    let line = AuditLine {
        at: NOW,
        actor: "op-1".into(),
        event: "visit-sealed".into(),
        detail: String::new(),
    };
    let commit = Commit {
        supersedes: None,
        record,
        subject: vault.key.subject(number),
        visit: [1; 16],
        audit: line,
        references,
        successes: vec![Kept { pack: PACK.into(), method: "window".into(), captured: NOW }],
        slip: Vec::new(),
    };
    vault.store().commit(commit).unwrap();
}

/// One live view in the form of `CQF2`.
fn one_view() -> Vec<u8> {
    let head = [b"CQF2".as_slice(), &[7; 8], &2u16.to_le_bytes(), &[1]].concat();
    let view = [&[0, 80][..], &[0xff; 4], &3.5f32.to_le_bytes()].concat();
    [head, view, 1f32.to_le_bytes().to_vec(), 0f32.to_le_bytes().to_vec()].concat()
}

#[test]
fn a_view_that_joined_by_itself_is_no_reference_and_lies_apart() {
    let office = county();
    let number = IdNumber::parse("430104194803120014").unwrap();
    let view = |origin: &str| NewReference {
        modality: "face".into(),
        format: FACE_FORMAT.into(),
        extractor: "m".into(),
        bytes: one_view(),
        quality: 80,
        origin: origin.into(),
    };
    certify(&office.vault, &number, vec![view(AUTOMATIC)]);
    let tray = SharedTray::default();
    let lookup = find(&office.vault, &tray, &number);
    assert_eq!(lookup.references, [], "there is no enrolment it could belong to");
    let tray = tray.open();
    assert_eq!((tray.faces.len(), tray.later_faces.len()), (0, 1));
    let day = tray.later_faces[0].views()[0].day;
    assert_eq!(day, Some(day_number(NOW.date())), "dated by its record");
}

#[test]
fn a_roster_with_somebody_who_has_no_number_changes_nothing() {
    let office = county();
    let try_taking = |people: serde_json::Value| {
        let payload = json!({ "people": people, "version": 2 }).to_string();
        take(&mut office.vault.store(), payload.as_bytes(), &office.packs, date(2026, 9, 16))
    };
    let good = || person("11010519491231002X", "單秀英", "石桥村", "2025-10-10", false);
    let nobody = person("11010519491231002", "單秀英", "石桥村", "2025-10-10", false);
    assert!(matches!(try_taking(json!([good(), nobody])), Err(RosterError::Number(1))));
    assert!(matches!(try_taking(json!([good(), { "name": 1 }])), Err(RosterError::Parse(_))));
    assert!(matches!(try_taking(json!("people")), Err(RosterError::Parse(_))));
    assert_eq!(office.vault.store().roster_version().unwrap(), Some(1));
    assert_eq!(office.vault.store().roster_count().unwrap(), 4);
    try_taking(json!([good()])).unwrap();
    assert_eq!(office.vault.store().roster_count().unwrap(), 1);
}
