//! How a visit can end: one vocabulary for the screen, the slip and the batch.

use jiff::civil::Date;

use crate::message::Id;

/// The end of a visit. Nobody leaves with a bare "failed": every variant says what happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Proof of life recorded; it counts when the centre has it.
    Certified,
    /// A biometric reference was built; a certification is still owed.
    ModelBuilt,
    /// Re-enrolled and certified in one visit.
    ModelBuiltAndCertified,
    /// Evidence was taken that the agency's rules count only after its own report.
    EvidenceOnly,
    /// With the centre for review, answer expected by this date.
    UnderReview(Date),
    /// Machine says no, two people say yes; the centre decides.
    AppealFiled,
    /// Base data and card differ; to be corrected first.
    DataFixNeeded(String),
    /// This person owes nothing here; the reason is a message id.
    NotRequired(String),
    /// Already certified on this date by this method.
    AlreadyDone {
        /// Day of the earlier success.
        on: Date,
        /// Method of the earlier success.
        method: String,
    },
    /// Another place has to do it.
    Referred(String),
    /// A home visit was asked for.
    VisitRequested,
    /// A special certification was asked for.
    SpecialRequested,
    /// The person is not here, or does not wish to: refused, hospital, abroad, reported dead.
    NotPresent(String),
    /// A presentation attack is suspected. The session ends, the person is not locked out.
    StoppedSuspectedFake,
    /// A device failed and no other way was open.
    DeviceProblem(String),
}

/// How an outcome is shown: never by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Done; green with a tick.
    Good,
    /// Something is still to come; amber with a clock.
    Waiting,
    /// Stopped; red with a sign, and what to do.
    Stopped,
}

impl Outcome {
    /// The stable word in records, slips and lists.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Certified => "CERTIFIED",
            Self::ModelBuilt => "MODEL_BUILT",
            Self::ModelBuiltAndCertified => "MODEL_BUILT_AND_CERTIFIED",
            Self::EvidenceOnly => "EVIDENCE_ONLY",
            Self::UnderReview(_) => "UNDER_REVIEW",
            Self::AppealFiled => "APPEAL_FILED",
            Self::DataFixNeeded(_) => "DATA_FIX_NEEDED",
            Self::NotRequired(_) => "NOT_REQUIRED",
            Self::AlreadyDone { .. } => "ALREADY_DONE",
            Self::Referred(_) => "REFERRED",
            Self::VisitRequested => "VISIT_REQUESTED",
            Self::SpecialRequested => "SPECIAL_REQUESTED",
            Self::NotPresent(_) => "NOT_PRESENT",
            Self::StoppedSuspectedFake => "STOPPED_SUSPECTED_FAKE",
            Self::DeviceProblem(_) => "DEVICE_PROBLEM",
        }
    }

    /// What the code alone does not say, for the record.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::UnderReview(by) => Some(by.to_string()),
            Self::DataFixNeeded(what) | Self::NotRequired(what) | Self::Referred(what) => {
                Some(what.clone())
            }
            Self::NotPresent(why) | Self::DeviceProblem(why) => Some(why.clone()),
            Self::AlreadyDone { on, method } => Some(format!("{on} {method}")),
            _ => None,
        }
    }

    /// Its headline.
    pub fn message(&self) -> Id {
        match self {
            Self::Certified => Id::OutcomeCertified,
            Self::ModelBuilt => Id::OutcomeModelBuilt,
            Self::ModelBuiltAndCertified => Id::OutcomeModelBuiltAndCertified,
            Self::EvidenceOnly => Id::OutcomeEvidenceOnly,
            Self::UnderReview(_) => Id::OutcomeUnderReview,
            Self::AppealFiled => Id::OutcomeAppealFiled,
            Self::DataFixNeeded(_) => Id::OutcomeDataFixNeeded,
            Self::NotRequired(_) => Id::OutcomeNotRequired,
            Self::AlreadyDone { .. } => Id::OutcomeAlreadyDone,
            Self::Referred(_) => Id::OutcomeReferred,
            Self::VisitRequested => Id::OutcomeVisitRequested,
            Self::SpecialRequested => Id::OutcomeSpecialRequested,
            Self::NotPresent(_) => Id::OutcomeNotPresent,
            Self::StoppedSuspectedFake => Id::OutcomeStoppedSuspectedFake,
            Self::DeviceProblem(_) => Id::OutcomeDeviceProblem,
        }
    }

    /// The headline of the outcome with this code.
    pub fn message_of(code: &str) -> Option<Id> {
        Id::named(&format!("outcome-{}", code.to_ascii_lowercase().replace('_', "-")))
    }

    /// How it is shown.
    pub fn tone(&self) -> Tone {
        match self {
            Self::Certified | Self::ModelBuiltAndCertified => Tone::Good,
            Self::NotRequired(_) | Self::AlreadyDone { .. } => Tone::Good,
            Self::StoppedSuspectedFake | Self::DeviceProblem(_) => Tone::Stopped,
            _ => Tone::Waiting,
        }
    }

    /// Whether a certification was achieved by this visit.
    pub fn certifies(&self) -> bool {
        matches!(self, Self::Certified | Self::ModelBuiltAndCertified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_the_headline_of_its_code() {
        let text = String::new;
        let on = Date::default();
        let outcomes = [
            Outcome::Certified,
            Outcome::ModelBuilt,
            Outcome::ModelBuiltAndCertified,
            Outcome::EvidenceOnly,
            Outcome::UnderReview(on),
            Outcome::AppealFiled,
            Outcome::DataFixNeeded(text()),
            Outcome::NotRequired(text()),
            Outcome::AlreadyDone { on, method: text() },
            Outcome::Referred(text()),
            Outcome::VisitRequested,
            Outcome::SpecialRequested,
            Outcome::NotPresent(text()),
            Outcome::StoppedSuspectedFake,
            Outcome::DeviceProblem(text()),
        ];
        for outcome in outcomes {
            assert_eq!(Outcome::message_of(outcome.code()), Some(outcome.message()));
        }
    }
}
