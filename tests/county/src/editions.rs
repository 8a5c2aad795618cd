//! The nine policy packs, and the editions that come out while the county is at work, some of them in mid-window.

use kiosk_core::policy::{Offer, Pack, PackSet, Signature};

use crate::days::{self, Day};

/// Packs as they are in force after each change.
pub struct Editions {
    /// The first is the state of the first day.
    sets: Vec<PackSet>,
    /// The day on which each change is published; one less than sets.
    published: Vec<Day>,
}

impl Editions {
    /// Reads the packs of the repository and writes the changes.
    pub fn read() -> Self {
        let packs = PACKS.map(|text| Pack::parse(text).expect("core's tests hold the packs"));
        let mut sets = vec![PackSet::from_packs(packs)];
        let mut published = Vec::new();
        for change in CHANGES {
            let mut set = sets.last().cloned().expect("there is the first");
            let offer = set.offer(&change.text(), &Signature::Good(SIGNER.into()));
            assert!(matches!(offer, Offer::Accepted { .. }), "{}: {offer:?}", change.pack);
            sets.push(set);
            published.push(change.on);
        }
        Self { sets, published }
    }

    /// How many changes are published by the evening of a day.
    pub fn published_by(&self, day: Day) -> usize {
        self.published.iter().filter(|on| **on <= day).count()
    }

    /// The packs after so many changes.
    pub fn after(&self, n_changes: usize) -> &PackSet {
        &self.sets[n_changes]
    }

    /// All names, in the order of the packs.
    pub fn ids() -> [&'static str; 9] {
        IDS
    }
}

/// A new edition: what is said otherwise for one year or from one day on.
struct Change {
    on: Day,
    pack: &'static str,
    version: (&'static str, &'static str),
    replace: (&'static str, &'static str),
    append: &'static str,
}

impl Change {
    fn text(&self) -> String {
        let at = IDS.iter().position(|id| *id == self.pack).expect("a change names a pack");
        let old = PACKS[at];
        let from = old.lines().find(|line| line.starts_with("valid_from")).expect("packs have it");
        let text = old
            .replacen(self.version.0, self.version.1, 1)
            .replacen(from, &format!("valid_from = \"{}\"", days::date(self.on)), 1)
            .replacen(self.replace.0, self.replace.1, 1);
        assert_ne!(text, old);
        format!("{text}\n{}", self.append)
    }
}

const CHANGES: [Change; 4] = [
    // 10 May 2026, in the middle of the window of April and May: June is added for this year.
    Change {
        on: 129,
        pack: "cn.he.tangshan.resident_pension",
        version: ("version = 2", "version = 3"),
        replace: ("", ""),
        append: "[[schedule.overrides]]\nyear = 2026\n\
                 windows = [[\"04-01\", \"06-30\"], [\"11-01\", \"12-31\"]]\nnote = \"延长到六月底\"\n",
    },
    // 1 July 2026: an earlier reminder.
    Change {
        on: 181,
        pack: "cn.sn.xian.enterprise_pension",
        version: ("version = 2", "version = 3"),
        replace: ("remind_days_before = 30", "remind_days_before = 60"),
        append: "",
    },
    // 15 October 2026, two weeks before the deadline: a month more.
    Change {
        on: 287,
        pack: "cn.nm.region.enterprise_pension",
        version: ("version = 3", "version = 4"),
        replace: ("", ""),
        append: "[[schedule.overrides]]\nyear = 2026\nstart = \"01-01\"\ndeadline = \"11-30\"\n\
                 note = \"延长一个月\"\n",
    },
    // 1 February 2027: one may come earlier.
    Change {
        on: 396,
        pack: "cn.sx.province.enterprise_pension",
        version: ("version = 2", "version = 3"),
        replace: ("remind_days_before = 30", "remind_days_before = 45"),
        append: "",
    },
];

const IDS: [&str; 9] = [
    "cn.gd.province.resident_pension",
    "cn.he.tangshan.enterprise_pension",
    "cn.he.tangshan.resident_pension",
    "cn.he.tangshan.unemployment",
    "cn.nm.region.enterprise_pension",
    "cn.sn.province.institution_pension",
    "cn.sn.xian.enterprise_pension",
    "cn.sx.jinzhong.enterprise_pension",
    "cn.sx.province.enterprise_pension",
];

const PACKS: [&str; 9] = [
    include_str!("../../../kiosk/policy/cn.gd.province.resident_pension.toml"),
    include_str!("../../../kiosk/policy/cn.he.tangshan.enterprise_pension.toml"),
    include_str!("../../../kiosk/policy/cn.he.tangshan.resident_pension.toml"),
    include_str!("../../../kiosk/policy/cn.he.tangshan.unemployment.toml"),
    include_str!("../../../kiosk/policy/cn.nm.region.enterprise_pension.toml"),
    include_str!("../../../kiosk/policy/cn.sn.province.institution_pension.toml"),
    include_str!("../../../kiosk/policy/cn.sn.xian.enterprise_pension.toml"),
    include_str!("../../../kiosk/policy/cn.sx.jinzhong.enterprise_pension.toml"),
    include_str!("../../../kiosk/policy/cn.sx.province.enterprise_pension.toml"),
];

const SIGNER: &str = "county";
