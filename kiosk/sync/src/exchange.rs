//! One batch between terminal and authority, as a machine without I/O: it says what to send and judges what came.
//!
//! [`Exchange::next`] names the next request and goes on naming it until an answer counts, so a lost request or a lost
//! reply is repeated by asking again. Only a verified receipt becomes [`Effect::Deliver`]; no answer, however hostile,
//! becomes anything that removes a record.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use minicbor::Decoder;
use minicbor::data::Type;

use kiosk_core::record::{Receipt, RecordId};

use crate::batch::{Manifest, Offer, fixed, key, length};
use crate::keys::VerifyKey;
use crate::receipt;

/// What has to be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `PUT /v1/batches/{id}` with the signed manifest.
    Manifest,
    /// `PUT /v1/records/{id}` with the envelope.
    Record(RecordId),
    /// `PUT /v1/pictures/{digest}?offset=N` with the sealed bytes from there on.
    Picture {
        /// Which picture.
        digest: [u8; 32],
        /// How many bytes the authority has.
        offset: u64,
    },
    /// `POST /v1/batches/{id}/commit`.
    Commit,
}

/// What came back over the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Body, cut off by the transport where it grows too long.
    pub body: Vec<u8>,
    /// `Retry-After`, if it was there.
    pub retry_after: Option<Duration>,
    /// `x-server-time`, Unix milliseconds, if it was there.
    pub server_time_ms: Option<i64>,
}

/// What has to be made durable because of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The centre has the record: the receipt was verified.
    Deliver(Receipt),
    /// The centre refuses this record; an operator has to look. It stays.
    Hold {
        /// Which.
        record: RecordId,
        /// The centre's word, or ours.
        code: String,
    },
    /// Something that no honest authority does. It is written down and changes nothing else.
    Security {
        /// The record it was about, where that is known.
        record: Option<RecordId>,
        /// What it was.
        code: &'static str,
    },
}

/// Why this attempt ends. Every record that has no receipt is still waiting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// 401: the authority does not know the certificate.
    #[error("the authority does not know this terminal")]
    UnknownDevice,
    /// 403: the terminal is revoked.
    #[error("this terminal is revoked")]
    Revoked,
    /// 429 or 503.
    #[error("the authority asks to come later")]
    Busy(Option<Duration>),
    /// 5xx.
    #[error("the authority failed with status {0}")]
    Fault(u16),
    /// 413: a smaller batch is needed.
    #[error("the batch is too large for the authority")]
    TooLarge,
    /// The batch itself was refused; its records have to go in another one.
    #[error("the authority refused the batch with status {0}")]
    BatchRefused(u16),
    /// An answer that the protocol does not know.
    #[error("the answer is not in the protocol: {0}")]
    Protocol(&'static str),
}

/// The state of one batch.
pub struct Exchange {
    manifest: Manifest,
    receipt_key: VerifyKey,
    phase: Phase,
    rounds: u32,
    records: VecDeque<RecordId>,
    pictures: VecDeque<[u8; 32]>,
    offset: u64,
    turns: u32,
    settled: HashSet<RecordId>,
    lengths: HashMap<[u8; 32], u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Offer,
    Records,
    Pictures,
    Commit,
    Done,
}

impl Exchange {
    /// Begins a batch, or takes an interrupted one up again: both start with the manifest.
    pub fn new(manifest: Manifest, receipt_key: VerifyKey) -> Self {
        let pictures = manifest.offers.iter().flat_map(|offer| &offer.pictures);
        let lengths = pictures.map(|picture| (picture.digest, picture.len)).collect();
        Self {
            manifest,
            receipt_key,
            phase: Phase::Offer,
            rounds: 0,
            records: VecDeque::new(),
            pictures: VecDeque::new(),
            offset: 0,
            turns: 0,
            settled: HashSet::new(),
            lengths,
        }
    }

    /// The batch.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What to send now; the same until an answer to it counts. None when the batch is over.
    pub fn next(&self) -> Option<Request> {
        match self.phase {
            Phase::Offer => Some(Request::Manifest),
            Phase::Records => self.records.front().copied().map(Request::Record),
            Phase::Pictures => {
                let digest = *self.pictures.front()?;
                Some(Request::Picture { digest, offset: self.offset })
            }
            Phase::Commit => Some(Request::Commit),
            Phase::Done => None,
        }
    }

    /// Records that are neither delivered nor held.
    pub fn left(&self) -> usize {
        self.manifest.offers.iter().filter(|offer| !self.settled.contains(&offer.record)).count()
    }

    /// Judges the answer to a request. An answer to anything but the current request is late, and ignored.
    pub fn answer(&mut self, to: Request, reply: &Reply) -> Result<Vec<Effect>, Stop> {
        if self.next() != Some(to) {
            return Ok(Vec::new());
        }
        match reply.status {
            401 => return Err(Stop::UnknownDevice),
            403 => return Err(Stop::Revoked),
            429 | 503 => return Err(Stop::Busy(reply.retry_after)),
            500..=599 => return Err(Stop::Fault(reply.status)),
            _ => {}
        }
        match to {
            Request::Manifest => self.offered(reply),
            Request::Record(record) => Ok(self.record_sent(record, reply)),
            Request::Picture { digest, offset } => Ok(self.picture_sent(digest, offset, reply)),
            Request::Commit => self.committed(reply),
        }
    }

    /// The terminal itself cannot give what is asked for: its record is held, the others go on.
    pub fn unavailable(&mut self, request: Request, code: &str) -> Vec<Effect> {
        match request {
            Request::Record(record) => self.hold(record, code.to_owned()),
            Request::Picture { digest, .. } => self.hold_owners(&digest, code),
            Request::Manifest | Request::Commit => Vec::new(),
        }
    }

    fn offered(&mut self, reply: &Reply) -> Result<Vec<Effect>, Stop> {
        match reply.status {
            200 => {}
            413 => return Err(Stop::TooLarge),
            status => return Err(Stop::BatchRefused(status)),
        }
        let wanted = decode_wanted(&reply.body).map_err(|_| Stop::Protocol("offer"))?;
        let mut effects = Vec::new();
        for (record, code) in wanted.refused {
            effects.extend(self.hold(record, code));
        }
        // What was not offered cannot be asked for; what is settled is not sent again.
        self.records = self.wanted_records(&wanted.records);
        self.pictures = self.wanted_pictures(&wanted.pictures);
        self.offset = 0;
        self.turns = 0;
        self.phase = Phase::Records;
        self.go_on();
        Ok(effects)
    }

    fn record_sent(&mut self, record: RecordId, reply: &Reply) -> Vec<Effect> {
        let effects = match reply.status {
            200 | 201 => Vec::new(),
            409 => {
                let code = "other-digest-under-this-id";
                let mut effects = vec![Effect::Security { record: Some(record), code }];
                effects.extend(self.hold(record, refusal_code(reply)));
                effects
            }
            422 => self.hold(record, refusal_code(reply)),
            // Perhaps the authority forgot the manifest, perhaps these bytes will never please it: neither is a reason
            // to hold the record, and neither may keep the others from going. It waits.
            _ => Vec::new(),
        };
        // Holding it has taken it off already.
        if self.records.front() == Some(&record) {
            self.records.pop_front();
        }
        self.go_on();
        effects
    }

    fn picture_sent(&mut self, digest: [u8; 32], offset: u64, reply: &Reply) -> Vec<Effect> {
        let len = self.lengths.get(&digest).copied().unwrap_or(0);
        match reply.status {
            200 | 201 => self.picture_over(),
            202 | 409 => {
                let next = decode_offset(&reply.body).ok().filter(|next| *next < len);
                let forward = reply.status == 202 && next > Some(offset);
                let elsewhere = reply.status == 409 && next.is_some_and(|next| next != offset);
                match next {
                    Some(next) if forward || (elsewhere && self.turn()) => self.offset = next,
                    // It would go on for ever; the picture waits, and the rest goes on.
                    _ => self.picture_over(),
                }
            }
            // What the authority kept was not ours; it dropped it, so once more from the start.
            422 if self.turn() => self.offset = 0,
            422 => {
                let code = refusal_code(reply);
                return self.hold_owners(&digest, &code);
            }
            _ => self.picture_over(),
        }
        Vec::new()
    }

    fn committed(&mut self, reply: &Reply) -> Result<Vec<Effect>, Stop> {
        match reply.status {
            200 => {}
            404 => return self.again("commit").map(|()| Vec::new()),
            _ => return Err(Stop::Protocol("commit")),
        }
        let receipts = decode_receipts(&reply.body).map_err(|_| Stop::Protocol("receipts"))?;
        let effects: Vec<_> =
            receipts.iter().filter_map(|signed| self.judge_receipt(signed)).collect();
        if self.left() == 0 {
            self.phase = Phase::Done;
        } else if self.again("receipts").is_err() {
            // Whoever is left waits for the next batch.
            self.phase = Phase::Done;
        }
        Ok(effects)
    }

    fn judge_receipt(&mut self, signed: &[u8]) -> Option<Effect> {
        let offers: &[Offer] = &self.manifest.offers;
        match receipt::verify(&self.receipt_key, &self.manifest.device, offers, signed) {
            Ok(receipt) => {
                let new = self.settled.insert(receipt.record);
                new.then_some(Effect::Deliver(receipt))
            }
            Err(error) => Some(Effect::Security { record: None, code: error.code() }),
        }
    }

    /// From the manifest again, a bounded number of times.
    fn again(&mut self, what: &'static str) -> Result<(), Stop> {
        self.rounds += 1;
        if self.rounds >= ROUNDS_MAX {
            return Err(Stop::Protocol(what));
        }
        self.phase = Phase::Offer;
        Ok(())
    }

    /// One more detour with this picture, if it is not one too many.
    fn turn(&mut self) -> bool {
        self.turns += 1;
        self.turns <= TURNS_MAX
    }

    fn picture_over(&mut self) {
        self.pictures.pop_front();
        self.offset = 0;
        self.turns = 0;
        self.go_on();
    }

    /// Skips phases that have nothing left to do.
    fn go_on(&mut self) {
        if self.phase == Phase::Records && self.records.is_empty() {
            self.phase = Phase::Pictures;
        }
        if self.phase == Phase::Pictures && self.pictures.is_empty() {
            self.phase = if self.left() == 0 { Phase::Done } else { Phase::Commit };
        }
    }

    fn hold(&mut self, record: RecordId, code: String) -> Vec<Effect> {
        let known = self.manifest.offers.iter().any(|offer| offer.record == record);
        if !known || !self.settled.insert(record) {
            return Vec::new();
        }
        self.records.retain(|waiting| *waiting != record);
        self.drop_ownerless_pictures();
        self.go_on();
        vec![Effect::Hold { record, code }]
    }

    fn hold_owners(&mut self, digest: &[u8; 32], code: &str) -> Vec<Effect> {
        let owners: Vec<_> = self
            .manifest
            .offers
            .iter()
            .filter(|offer| offer.pictures.iter().any(|picture| picture.digest == *digest))
            .map(|offer| offer.record)
            .collect();
        let effects =
            owners.into_iter().flat_map(|record| self.hold(record, code.to_owned())).collect();
        // A picture whose records were all settled before would be asked for without end.
        if self.pictures.front() == Some(digest) {
            self.picture_over();
        }
        effects
    }

    fn drop_ownerless_pictures(&mut self) {
        let front = self.pictures.front().copied();
        let wanted: HashSet<[u8; 32]> = self.open_pictures().collect();
        self.pictures.retain(|digest| wanted.contains(digest));
        if self.pictures.front().copied() != front {
            self.offset = 0;
            self.turns = 0;
        }
    }

    fn open_pictures(&self) -> impl Iterator<Item = [u8; 32]> + '_ {
        let open = self.manifest.offers.iter().filter(|o| !self.settled.contains(&o.record));
        open.flat_map(|offer| &offer.pictures).map(|picture| picture.digest)
    }

    /// In the order of the manifest, which is that of urgency, whatever order the authority names them in.
    fn wanted_records(&self, named: &HashSet<RecordId>) -> VecDeque<RecordId> {
        let offered = self.manifest.offers.iter().map(|offer| offer.record);
        offered.filter(|id| named.contains(id) && !self.settled.contains(id)).collect()
    }

    fn wanted_pictures(&self, named: &HashSet<[u8; 32]>) -> VecDeque<[u8; 32]> {
        let mut seen = HashSet::new();
        self.open_pictures()
            .filter(|digest| named.contains(digest) && seen.insert(*digest))
            .collect()
    }
}

struct Wanted {
    records: HashSet<RecordId>,
    pictures: HashSet<[u8; 32]>,
    refused: Vec<(RecordId, String)>,
}

type ReadError = minicbor::decode::Error;

fn decode_wanted(body: &[u8]) -> Result<Wanted, ReadError> {
    let d = &mut Decoder::new(body);
    d.map()?;
    key(d, 0)?;
    let records = (0..length(d)?).map(|_| fixed(d).map(RecordId)).collect::<Result<_, _>>()?;
    key(d, 1)?;
    let pictures = (0..length(d)?).map(|_| fixed(d)).collect::<Result<_, _>>()?;
    key(d, 2)?;
    let refused = (0..length(d)?).map(|_| decode_refused(d)).collect::<Result<_, _>>()?;
    Ok(Wanted { records, pictures, refused })
}

fn decode_refused(d: &mut Decoder<'_>) -> Result<(RecordId, String), ReadError> {
    d.array()?;
    Ok((RecordId(fixed(d)?), clean_code(d.str()?)))
}

fn decode_offset(body: &[u8]) -> Result<u64, ReadError> {
    let d = &mut Decoder::new(body);
    d.map()?;
    key(d, 0)?;
    d.u64()
}

fn decode_receipts(body: &[u8]) -> Result<Vec<&[u8]>, ReadError> {
    let d = &mut Decoder::new(body);
    (0..length(d)?).map(|_| d.bytes()).collect()
}

/// The code in a refusal's body, or the bare status where there is none that can be read.
fn refusal_code(reply: &Reply) -> String {
    let code = || {
        let d = &mut Decoder::new(&reply.body);
        d.map().ok()?;
        key(d, 0).ok()?;
        if d.datatype().ok()? != Type::String {
            return None;
        }
        d.str().ok().map(clean_code)
    };
    code().filter(|code| !code.is_empty()).unwrap_or_else(|| format!("status-{}", reply.status))
}

/// A word from outside goes on a screen and into the audit trail: short, and nothing but plain letters.
fn clean_code(code: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    code.chars().filter(plain).take(CODE_LEN_MAX).collect()
}

/// How often a batch starts from its manifest.
const ROUNDS_MAX: u32 = 3;
/// How often the authority may send a picture back to another offset.
const TURNS_MAX: u32 = 4;
const CODE_LEN_MAX: usize = 48;
