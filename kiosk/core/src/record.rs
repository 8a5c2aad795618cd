//! The fact that a visit leaves behind, and its one canonical encoding (`kiosk/sync/PROTOCOL.md`).
//!
//! A record is immutable from the moment it is sealed. A correction is a new record that supersedes it.

use std::fmt;

use minicbor::encode::{Error, Write};
use minicbor::{Encode, Encoder};
use serde::{Deserialize, Serialize};

use crate::identity::CardIdentity;
use crate::identity::ValidTo;
use crate::moment::{Interval, Moment};
use crate::outcome::Outcome;

/// Identity of a record: a UUIDv7 made when the visit is sealed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub [u8; 16]);

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordId({self})")
    }
}

/// Which queue a record waits in. Lower goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Somebody's pension hangs on a person's answer.
    Appeal,
    /// Proof of life.
    ProofOfLife,
    /// New biometric references.
    Enrolment,
    /// Everything else.
    Rest,
}

impl Lane {
    /// Number on the wire.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Where the record of a visit with this end waits.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::AppealFiled => Self::Appeal,
            Outcome::Certified | Outcome::ModelBuiltAndCertified => Self::ProofOfLife,
            Outcome::EvidenceOnly => Self::ProofOfLife,
            Outcome::ModelBuilt | Outcome::UnderReview(_) => Self::Enrolment,
            _ => Self::Rest,
        }
    }
}

/// A biometric or documentary finding with everything that a later reader needs to weigh it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// `face`, `finger`, `document`, `witness`.
    pub modality: String,
    /// `same`, `unsure`, `different`, `suspected-fake`, `captured`, `not-taken`.
    pub verdict: String,
    /// Comparison score, higher = more alike; the scale is the model's.
    pub score: Option<f32>,
    /// Quality of the probe, 0 to 100.
    pub quality: Option<u8>,
    /// Liveness score of the probe, 0 to 1, higher = live.
    pub pad: Option<f32>,
    /// Name and hash of the network that made the score.
    pub model: String,
    /// Which calibrated thresholds were in force.
    pub threshold_set: String,
    /// The accepting threshold of that set.
    pub accept: Option<f32>,
    /// What the probe was compared with: `chip-photo`, `enrolled 2026-05-01`, ….
    pub reference: String,
    /// Message ids of the reasons behind the verdict.
    pub reasons: Vec<String>,
    /// How often it was tried.
    pub attempts: u32,
}

/// What the person was told and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Version of the notice shown.
    pub notice: String,
    /// SHA-256 of the notice's text.
    pub notice_digest: [u8; 32],
    /// `agreed`, `declined-face`, `declined`.
    pub choice: String,
    /// `self`, `guardian`, `proxy`.
    pub who: String,
    /// Ways that were offered beside.
    pub alternatives: Vec<String>,
}

/// A picture that belongs to a record, named by the digest of its sealed bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureRef {
    /// `live-face`, `chip-photo`, `id-front`, `id-back`, `id-in-hand`, `finger`, `door`, `paper`.
    pub role: String,
    /// SHA-256 of the sealed bytes.
    pub digest: [u8; 32],
    /// Length of the sealed bytes.
    pub len: u64,
}

/// A biometric reference built in this visit.
#[derive(Clone, PartialEq, Eq)]
pub struct TemplateRecord {
    /// `face` or `finger`.
    pub modality: String,
    /// `ISO19794-2:2005`, `f32x512`, ….
    pub format: String,
    /// Name and hash of the extractor.
    pub extractor: String,
    /// The template itself.
    pub template: Vec<u8>,
    /// Quality at enrolment, 0 to 100.
    pub quality: u8,
}

impl fmt::Debug for TemplateRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TemplateRecord({} {}, …)", self.modality, self.format)
    }
}

/// What this visit meant for one benefit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BenefitResult {
    /// Policy pack that was applied.
    pub pack: String,
    /// Version of that pack.
    pub pack_version: u32,
    /// What was due before the visit, in the pack's words.
    pub state: String,
    /// Whether the visit counts as a success for this benefit.
    pub counted: bool,
    /// When the next certification is due, if the visit counts.
    pub next_due: Option<String>,
}

/// Why the person and the witness disagree with the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appeal {
    /// Message id of the reason.
    pub reason: String,
    /// Free words of the operator, if any.
    pub statement: Option<String>,
}

/// Everything about one visit, as it goes to the centre.
#[derive(Clone, PartialEq)]
pub struct Record {
    /// Identity of the record.
    pub id: RecordId,
    /// Identity of the visit.
    pub visit: [u8; 16],
    /// Terminal.
    pub device: String,
    /// Where it stood.
    pub site: String,
    /// When the evidence was captured (R123: capture counts, not sync).
    pub captured: Moment,
    /// Who the document says this is.
    pub subject: CardIdentity,
    /// How the visit ended.
    pub outcome: Outcome,
    /// What it meant for each benefit.
    pub benefits: Vec<BenefitResult>,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// Who served, one after another; then who witnessed or approved.
    pub operators: Vec<String>,
    /// What the person agreed to. None where nothing biometric was done.
    pub consent: Option<Consent>,
    /// Pictures, sealed beside.
    pub pictures: Vec<PictureRef>,
    /// References built.
    pub templates: Vec<TemplateRecord>,
    /// Present when the visit ended in an appeal.
    pub appeal: Option<Appeal>,
    /// The record that this one corrects.
    pub supersedes: Option<RecordId>,
    /// Legal basis of the processing.
    pub legal_basis: String,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({}, {}, …)", self.id, self.outcome.code())
    }
}

impl Record {
    /// The canonical bytes that are signed. Stored and sent as they are, never encoded twice.
    pub fn to_cbor(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("a Vec takes every write")
    }
}

impl<C> Encode<C> for Record {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), Error<W::Error>> {
        let n_keys = 17 + u64::from(self.captured.within.is_some());
        e.map(n_keys)?.u8(0)?.u8(RECORD_VERSION)?;
        e.u8(1)?.bytes(&self.id.0)?;
        e.u8(2)?.bytes(&self.visit)?;
        e.u8(3)?.str(&self.device)?;
        e.u8(4)?.str(&self.site)?;
        e.u8(5)?.encode_with(self.captured, c)?;
        e.u8(6)?;
        encode_subject(&self.subject, e)?;
        e.u8(7)?.array(2)?.str(self.outcome.code())?;
        optional_text(e, self.outcome.detail().as_deref())?;
        e.u8(8)?;
        list(e, &self.benefits, encode_benefit)?;
        e.u8(9)?;
        list(e, &self.evidence, encode_evidence)?;
        e.u8(10)?;
        list(e, &self.operators, |o, e| e.str(o)?.ok())?;
        e.u8(11)?;
        match &self.consent {
            Some(consent) => encode_consent(consent, e)?,
            None => e.null()?.ok()?,
        }
        e.u8(12)?;
        list(e, &self.pictures, |p, e| {
            e.map(3)?.u8(0)?.str(&p.role)?.u8(1)?.bytes(&p.digest)?.u8(2)?.u64(p.len)?.ok()
        })?;
        e.u8(13)?;
        list(e, &self.templates, encode_template)?;
        e.u8(14)?;
        match &self.appeal {
            Some(appeal) => {
                e.map(2)?.u8(0)?.str(&appeal.reason)?.u8(1)?;
                optional_text(e, appeal.statement.as_deref())?;
            }
            None => e.null()?.ok()?,
        }
        e.u8(15)?;
        match self.supersedes {
            Some(id) => e.bytes(&id.0)?.ok()?,
            None => e.null()?.ok()?,
        }
        e.u8(16)?.str(&self.legal_basis)?;
        if let Some(Interval { earliest_ms, latest_ms }) = self.captured.within {
            e.u8(17)?.array(2)?.i64(earliest_ms)?;
            match latest_ms {
                Some(latest_ms) => e.i64(latest_ms)?.ok()?,
                None => e.null()?.ok()?,
            }
        }
        Ok(())
    }
}

fn list<T, W: Write>(
    e: &mut Encoder<W>,
    items: &[T],
    each: impl Fn(&T, &mut Encoder<W>) -> Result<(), Error<W::Error>>,
) -> Result<(), Error<W::Error>> {
    e.array(items.len() as u64)?;
    items.iter().try_for_each(|item| each(item, e))
}

fn optional_text<W: Write>(e: &mut Encoder<W>, text: Option<&str>) -> Result<(), Error<W::Error>> {
    match text {
        Some(text) => e.str(text)?.ok(),
        None => e.null()?.ok(),
    }
}

fn optional_float<W: Write>(e: &mut Encoder<W>, x: Option<f32>) -> Result<(), Error<W::Error>> {
    match x {
        Some(x) => e.f32(x)?.ok(),
        None => e.null()?.ok(),
    }
}

fn encode_subject<W: Write>(s: &CardIdentity, e: &mut Encoder<W>) -> Result<(), Error<W::Error>> {
    e.map(6)?.u8(0)?.str(s.number.as_str())?;
    e.u8(1)?.str(&s.name.0)?;
    e.u8(2)?.u8(s.source.code())?;
    e.u8(3)?.str(&s.birth.to_string())?;
    e.u8(4)?.u8(s.sex.code())?;
    e.u8(5)?;
    match s.valid_to {
        ValidTo::Day(day) => e.str(&day.to_string())?.ok(),
        ValidTo::Open => e.null()?.ok(),
    }
}

fn encode_benefit<W: Write>(b: &BenefitResult, e: &mut Encoder<W>) -> Result<(), Error<W::Error>> {
    e.map(5)?.u8(0)?.str(&b.pack)?;
    e.u8(1)?.u32(b.pack_version)?;
    e.u8(2)?.str(&b.state)?;
    e.u8(3)?.bool(b.counted)?.u8(4)?;
    optional_text(e, b.next_due.as_deref())
}

fn encode_evidence<W: Write>(v: &Evidence, e: &mut Encoder<W>) -> Result<(), Error<W::Error>> {
    e.map(11)?.u8(0)?.str(&v.modality)?;
    e.u8(1)?.str(&v.verdict)?.u8(2)?;
    optional_float(e, v.score)?;
    e.u8(3)?;
    match v.quality {
        Some(quality) => e.u8(quality)?.ok()?,
        None => e.null()?.ok()?,
    }
    e.u8(4)?;
    optional_float(e, v.pad)?;
    e.u8(5)?.str(&v.model)?.u8(6)?.str(&v.threshold_set)?.u8(7)?;
    optional_float(e, v.accept)?;
    e.u8(8)?.str(&v.reference)?.u8(9)?;
    list(e, &v.reasons, |reason, e| e.str(reason)?.ok())?;
    e.u8(10)?.u32(v.attempts)?.ok()
}

fn encode_consent<W: Write>(c: &Consent, e: &mut Encoder<W>) -> Result<(), Error<W::Error>> {
    e.map(5)?.u8(0)?.str(&c.notice)?;
    e.u8(1)?.bytes(&c.notice_digest)?;
    e.u8(2)?.str(&c.choice)?;
    e.u8(3)?.str(&c.who)?.u8(4)?;
    list(e, &c.alternatives, |way, e| e.str(way)?.ok())
}

fn encode_template<W: Write>(
    t: &TemplateRecord,
    e: &mut Encoder<W>,
) -> Result<(), Error<W::Error>> {
    e.map(5)?.u8(0)?.str(&t.modality)?;
    e.u8(1)?.str(&t.format)?;
    e.u8(2)?.str(&t.extractor)?;
    e.u8(3)?.bytes(&t.template)?;
    e.u8(4)?.u8(t.quality)?.ok()
}

/// A record sealed for the authority: the only form that is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedRecord {
    /// Identity of the record inside.
    pub id: RecordId,
    /// Its queue.
    pub lane: Lane,
    /// Outcome code, for lists; it tells nothing about a person.
    pub outcome: String,
    /// Claimed time of capture.
    pub captured: Moment,
    /// SHA-256 of `envelope`.
    pub digest: [u8; 32],
    /// Encrypted to the authority, signed inside.
    pub envelope: Vec<u8>,
    /// Its pictures, each encrypted to the authority.
    pub pictures: Vec<SealedPicture>,
}

/// A sealed picture of a record.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPicture {
    /// See [`PictureRef::role`].
    pub role: String,
    /// SHA-256 of `sealed`.
    pub digest: [u8; 32],
    /// Encrypted bytes.
    pub sealed: Vec<u8>,
}

/// What the authority's verified receipt says. Made only by the code that checked the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Record it is for.
    pub record: RecordId,
    /// Digest that the authority has.
    pub digest: [u8; 32],
    /// The terminal's sequence number.
    pub seq: u64,
    /// The authority's number of this receipt.
    pub receipt_no: u64,
    /// The authority's clock, Unix milliseconds.
    pub server_time_ms: i64,
    /// The signed bytes, kept as proof.
    pub signed: Vec<u8>,
}

const RECORD_VERSION: u8 = 1;
