//! The slice of the authority's list that this site serves: who is paid what, and what they did last.

use serde::{Deserialize, Serialize};

use crate::benefit::Entitlement;

/// One beneficiary as the authority knows them.
///
/// `name` and `number` are the authority's spelling, which may differ from the card's: the difference is what the
/// message decoder explains.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beneficiary {
    /// Identity number as the authority has it.
    pub number: String,
    /// Name as the authority has it.
    pub name: String,
    /// Village or neighbourhood, for home-visit lists.
    #[serde(default)]
    pub village: String,
    /// What they draw.
    pub entitlements: Vec<Entitlement>,
    /// Biometric references that came down with the roster.
    #[serde(default)]
    pub references: Vec<RosterReference>,
}

/// A biometric reference in the roster.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterReference {
    /// `face` or `finger`.
    pub modality: String,
    /// `ISO19794-2:2005` or `f32x512`.
    pub format: String,
    /// Extractor that made it.
    pub extractor: String,
    /// Day it was made, YYYY-MM-DD.
    pub created: String,
    /// The template, hexadecimal.
    pub template: String,
    /// Quality at enrolment, 0 to 100.
    pub quality: u8,
}

impl std::fmt::Debug for Beneficiary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beneficiary(…)")
    }
}

impl std::fmt::Debug for RosterReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RosterReference({}, …)", self.modality)
    }
}
