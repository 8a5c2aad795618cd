//! The roster as pages of masked lines: found by what was typed, or listed by what is due.

use jiff::ToSpan;
use jiff::civil::Date;
use kiosk_core::folding::fold;
use kiosk_core::moment::Moment;
use kiosk_core::policy::PackSet;
use kiosk_core::roster::{Beneficiary, Line, Query};
use kiosk_store::{RosterList, RosterRow, RosterVillage, Store, StoreError};

use super::{recent, refresh};
use crate::vault::Vault;

/// Lines of one page on the screen.
pub const PAGE_LEN: usize = 20;

/// Which list is shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// Who is about to lose their payment, then who owes something soon.
    Due,
    /// Whose payment was stopped.
    Suspended,
    /// For home visits: who owes something in this village, by day.
    Village(String),
}

/// The roster as it is shown at one moment under the packs in force.
#[derive(Clone, Copy)]
pub struct Lists<'a> {
    /// Where it is kept.
    pub vault: &'a Vault,
    /// What says what is due.
    pub packs: &'a PackSet,
    /// Now, with the doubt about it.
    pub now: Moment,
}

impl Lists<'_> {
    /// The people whom this text means, best first: a whole number, letters of a name, a name, else a village.
    pub fn search(&self, text: &str, page: usize) -> Result<Vec<Line>, StoreError> {
        let store = self.vault.store();
        let skip = page.saturating_mul(PAGE_LEN);
        let rows = match Query::parse(text) {
            Query::Nothing => Vec::new(),
            Query::Number(number) if page == 0 => {
                let found = store.roster_find(&number)?;
                found.map(|bytes| RosterRow { number, bytes }).into_iter().collect()
            }
            Query::Number(_) => Vec::new(),
            Query::Letters(letters) => store.roster_by_letters(&letters, skip, PAGE_LEN)?,
            // Whether the words are a name or a village is the same for all pages of an answer.
            Query::Words(words) if store.roster_by_name(&words, 0, 1)?.is_empty() => {
                store.roster_by_village(&words, skip, PAGE_LEN)?
            }
            Query::Words(words) => store.roster_by_name(&words, skip, PAGE_LEN)?,
        };
        self.lines(&store, rows)
    }

    /// A page of a list, from 0.
    pub fn list(&self, kind: &Kind, page: usize) -> Result<Vec<Line>, StoreError> {
        self.catch_up()?;
        let until = self.until();
        let list = match kind {
            Kind::Due => RosterList::Due { until },
            Kind::Suspended => RosterList::Suspended,
            Kind::Village(village) => RosterList::Village { village: fold(village), until },
        };
        let store = self.vault.store();
        let rows = store.roster_list(&list, page.saturating_mul(PAGE_LEN), PAGE_LEN)?;
        self.lines(&store, rows)
    }

    /// All villages with how many owe something soon, for the page on which one is chosen.
    pub fn villages(&self) -> Result<Vec<RosterVillage>, StoreError> {
        self.catch_up()?;
        self.vault.store().roster_villages(self.until())
    }

    /// Those who were certified here since the last look; after a new month only as many as do not keep anybody
    /// waiting, the lines themselves are right at once.
    fn catch_up(&self) -> Result<(), StoreError> {
        for _ in 0..STEPS_BEFORE_A_LIST {
            if !refresh(self.vault, self.packs, self.today())? {
                break;
            }
        }
        Ok(())
    }

    fn lines(&self, store: &Store, rows: Vec<RosterRow>) -> Result<Vec<Line>, StoreError> {
        let line = |row: RosterRow| {
            let recent = recent(store, &self.vault.key, &row.number)?;
            let known = serde_json::from_slice::<Beneficiary>(&row.bytes);
            let known = known.map_err(|_| StoreError::Damaged("roster row"))?;
            let today = self.today();
            Ok(Line::of(&known, &row.number, &recent, self.packs, today, self.now.doubt))
        };
        rows.into_iter().map(line).collect()
    }

    fn today(&self) -> Date {
        self.now.date()
    }

    fn until(&self) -> Date {
        self.today().saturating_add(HORIZON_DAYS.days())
    }
}

/// How far a list looks ahead: as far as the notices remind.
const HORIZON_DAYS: i32 = 30;
const STEPS_BEFORE_A_LIST: usize = 2;
