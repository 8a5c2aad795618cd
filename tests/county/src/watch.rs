//! What must hold after every step, and what was counted on the way.

use std::collections::BTreeMap;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Whoever is alive has a next step planned; every durable record arrives.
    NobodyIsLost,
    /// A record counts once, a benefit once a record, and not again in a period that allows no second one.
    NobodyIsCountedTwice,
    /// No suspension while an appeal is running, or after a proof of life in time.
    NobodyIsSuspendedWrongly,
    /// Each visit ends, and in an outcome of the vocabulary.
    EveryVisitEndsInTheVocabulary,
    /// Something may be pressed, or the machine is at work.
    APageHasAWayOn,
    /// No sensor, picture or template before somebody agreed in this visit.
    NothingIsTakenWithoutConsent,
    /// Nothing is printed or said to be saved before it is durable.
    NothingIsPromisedBeforeItIsDurable,
    /// Only a comparison that says yes, or two people, certify.
    OnlyAProofCertifies,
    /// What the centre has yet to confirm is not said to count.
    NothingCountsBeforeTheCentreSaysSo,
    /// An appeal has two different people, the second a supervisor.
    AnAppealHasTwoPeople,
    /// A record names the edition that was in force on the terminal.
    TheEditionInForceIsApplied,
    /// The next date is after the day of capture.
    TheNextDateIsAhead,
    /// Where the rules allow one success in a period, a second one is not said to count (C2), unless the clock is in doubt.
    ADonePeriodTakesNoSecondSuccess,
    /// Whoever appealed here is not said to be late here before the answer.
    AnAppealFiledHereIsKnownHere,
    /// What a record says of the time of its capture, where the clock is in doubt, holds the true time.
    TheIntervalHoldsTheTruth,
    /// A clock in doubt sends nobody away who owes a certification.
    ADoubtfulClockRefusesNobody,
}

/// Counts and breaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Visits that ended in a record, by outcome.
    pub outcomes: BTreeMap<String, u64>,
    /// Other things that happened, by name.
    pub happened: BTreeMap<&'static str, u64>,
    /// Events that the terminals took.
    pub n_steps: u64,
    /// Visits that began with a card.
    pub n_visits: u64,
    /// How often each invariant was broken, and the first case.
    pub broken: BTreeMap<Invariant, (u64, String)>,
}

impl Watch {
    /// Notes a breach unless `holds`.
    pub fn hold(&mut self, invariant: Invariant, holds: bool, case: impl FnOnce() -> String) {
        if !holds {
            self.broken.entry(invariant).or_insert_with(|| (0, case())).0 += 1;
        }
    }

    /// Counts something.
    pub fn count(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    /// Whether everything held.
    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }

    /// How often something happened.
    pub fn n(&self, what: &str) -> u64 {
        self.happened.get(what).copied().unwrap_or(0)
    }
}

/// All codes of [`kiosk_core::outcome::Outcome`].
pub const VOCABULARY: [&str; 15] = [
    "CERTIFIED",
    "MODEL_BUILT",
    "MODEL_BUILT_AND_CERTIFIED",
    "EVIDENCE_ONLY",
    "UNDER_REVIEW",
    "APPEAL_FILED",
    "DATA_FIX_NEEDED",
    "NOT_REQUIRED",
    "ALREADY_DONE",
    "REFERRED",
    "VISIT_REQUESTED",
    "SPECIAL_REQUESTED",
    "NOT_PRESENT",
    "STOPPED_SUSPECTED_FAKE",
    "DEVICE_PROBLEM",
];
