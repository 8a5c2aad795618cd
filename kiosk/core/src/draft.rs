//! A visit that is not over yet, as it is kept on the disk: after a crash, or for a colleague, it is taken up again.
//!
//! Only what people did and sensors found is kept. What is due and what may be done is asked anew when the visit goes on,
//! since roster, policy and date may have changed meanwhile.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::identity::{CardIdentity, IdNumber, IdentitySource, PersonName, Sex, ValidTo};
use crate::record::{Consent, Evidence, RecordId};

/// See the module's head. It holds a person's data: it belongs into the encrypted store and nowhere else.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Identity of the visit.
    pub visit: [u8; 16],
    /// Identity of the record that it will leave.
    pub record: [u8; 16],
    /// Claimed wall clock when the card was read, milliseconds since 1970-01-01 UTC.
    pub begun_ms: i64,
    pub(crate) card: Card,
    /// Who served so far, in this order.
    pub served: Vec<String>,
    /// Who acts for the person (`proxy-…`).
    pub proxy: Option<String>,
    /// Why no action is asked for ([`crate::policy::Condition`]).
    pub exempt: Option<String>,
    /// The record that this visit corrects.
    pub supersedes: Option<[u8; 16]>,
    /// What the person agreed to.
    pub consent: Option<Consent>,
    /// What was found.
    pub evidence: Vec<Evidence>,
    /// Roles of the documents that were taken, or that cannot be.
    pub asked: Vec<String>,
    /// Roles of the pictures that lie in memory.
    pub pictures: Vec<String>,
    /// Modalities of the references that were built and lie in memory.
    pub templates: Vec<String>,
    /// The face must not be taken.
    pub face_refused: bool,
    /// Tries of the face that are spent.
    pub face_tries: u8,
    /// Tries of the finger that are spent.
    pub finger_tries: u8,
    /// Tries of a new face reference that are spent; visits that were kept by an older program have none.
    #[serde(default)]
    pub enrol_tries: u8,
}

/// A card in plain words.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Card {
    number: String,
    name: String,
    sex: u8,
    birth: String,
    address: String,
    issuer: String,
    valid_from: Option<String>,
    valid_to: Option<String>,
    source: u8,
    has_photo: bool,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({}, …)", RecordId(self.visit))
    }
}

impl Draft {
    /// A visit of this person to which nothing happened yet.
    pub(crate) fn of(
        card: &CardIdentity,
        visit: [u8; 16],
        record: RecordId,
        begun_ms: i64,
    ) -> Self {
        Self {
            visit,
            record: record.0,
            begun_ms,
            card: Card::from(card),
            served: Vec::new(),
            proxy: None,
            exempt: None,
            supersedes: None,
            consent: None,
            evidence: Vec::new(),
            asked: Vec::new(),
            pictures: Vec::new(),
            templates: Vec::new(),
            face_refused: false,
            face_tries: 0,
            finger_tries: 0,
            enrol_tries: 0,
        }
    }

    /// Who it is about. None when the bytes were not written by this program.
    pub fn card(&self) -> Option<CardIdentity> {
        let card = &self.card;
        Some(CardIdentity {
            name: PersonName(card.name.clone()),
            sex: [Sex::Unstated, Sex::Male, Sex::Female]
                .into_iter()
                .find(|s| s.code() == card.sex)?,
            birth: card.birth.parse().ok()?,
            number: IdNumber::parse(&card.number).ok()?,
            address: card.address.clone(),
            issuer: card.issuer.clone(),
            valid_from: match &card.valid_from {
                Some(day) => Some(day.parse().ok()?),
                None => None,
            },
            valid_to: match &card.valid_to {
                Some(day) => ValidTo::Day(day.parse().ok()?),
                None => ValidTo::Open,
            },
            source: IdentitySource::ALL.into_iter().find(|source| source.code() == card.source)?,
            has_photo: card.has_photo,
        })
    }

    /// The name as a list may show it.
    pub fn masked_name(&self) -> String {
        PersonName(self.card.name.clone()).masked()
    }
}

impl From<&CardIdentity> for Card {
    fn from(card: &CardIdentity) -> Self {
        Self {
            number: card.number.as_str().to_owned(),
            name: card.name.0.clone(),
            sex: card.sex.code(),
            birth: card.birth.to_string(),
            address: card.address.clone(),
            issuer: card.issuer.clone(),
            valid_from: card.valid_from.map(|day| day.to_string()),
            valid_to: match card.valid_to {
                ValidTo::Day(day) => Some(day.to_string()),
                ValidTo::Open => None,
            },
            source: card.source.code(),
            has_photo: card.has_photo,
        }
    }
}
