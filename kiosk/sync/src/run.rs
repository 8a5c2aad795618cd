//! One turn of sending: takes up the batch that was interrupted or makes one, and carries it through.
//!
//! It never waits and never tries twice: after an error the caller waits as [`crate::Backoff`] says and calls again;
//! what had arrived is not sent again.

use std::error::Error;
use std::time::Duration;

use kiosk_core::moment::Moment;
use kiosk_core::record::{Receipt, RecordId};

use crate::batch::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Manifest, Offer};
use crate::exchange::{Effect, Exchange, Request, Stop};
use crate::keys::{AuthorityKeys, DeviceKey, KeyError};
use crate::transport::{Call, Method, Transport, TransportError};

/// What the outbox could not do.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The bytes asked for are gone or changed: this one record is held, the others go on.
    #[error("the bytes are not as they were sealed")]
    Damaged,
    /// The store failed; nothing goes on.
    #[error("the store failed")]
    Fault(#[source] Box<dyn Error + Send + Sync>),
}

/// A batch's id and its signed manifest.
pub type SignedBatch = ([u8; 16], Vec<u8>);

/// The records that wait, wherever they are kept. The program implements it over its store.
pub trait Outbox {
    /// The records to send next, most urgent first, held ones left out; at least one if any waits.
    fn next(&mut self, max_records: usize, max_bytes: u64) -> Result<Vec<Offer>, OutboxError>;
    /// The sealed bytes of a record.
    fn envelope(&mut self, record: RecordId) -> Result<Vec<u8>, OutboxError>;
    /// The sealed bytes of a picture.
    fn picture(&mut self, digest: &[u8; 32]) -> Result<Vec<u8>, OutboxError>;
    /// Keeps a verified receipt and ends the waiting of its record, durably. Twice is as good as once.
    fn deliver(&mut self, receipt: &Receipt) -> Result<(), OutboxError>;
    /// Sets a record aside for an operator.
    fn hold(&mut self, record: RecordId, code: &str) -> Result<(), OutboxError>;
    /// Writes down that somebody behaved as no honest authority does.
    fn security(&mut self, record: Option<RecordId>, code: &str) -> Result<(), OutboxError>;
    /// The signed manifest of a batch that was begun and not ended.
    fn open_batch(&mut self) -> Result<Option<SignedBatch>, OutboxError>;
    /// Keeps a signed manifest, durably, before it is sent.
    fn begin_batch(
        &mut self,
        batch: [u8; 16],
        manifest: &[u8],
        records: &[RecordId],
    ) -> Result<(), OutboxError>;
    /// The batch is over; what has no receipt goes into the next one.
    fn end_batch(&mut self, batch: [u8; 16]) -> Result<(), OutboxError>;
    /// SHA-256 of the signed manifest before.
    fn previous_batch(&mut self) -> Result<Option<[u8; 32]>, OutboxError>;
    /// Head of the audit trail.
    fn audit_head(&mut self) -> Result<Option<[u8; 32]>, OutboxError>;
}

/// Who sends, to whom, and what this turn brings from outside.
pub struct Turn<'a> {
    /// Signs the manifest.
    pub key: &'a dyn DeviceKey,
    /// The authority, and the name it knows this terminal by.
    pub authority: &'a AuthorityKeys,
    /// The terminal's clock now.
    pub at: Moment,
    /// Random id for a batch, should a new one be made.
    pub batch: [u8; 16],
    /// Most records in a new batch; never above [`BATCH_RECORDS_MAX`].
    pub records_max: usize,
}

/// What a turn achieved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records of the batch. 0 when nothing waited.
    pub offered: usize,
    /// Records whose receipts were verified and kept.
    pub delivered: usize,
    /// Records that were set aside.
    pub held: usize,
    /// Records that wait for the next batch. If nothing was delivered or held, wait before that as after an error.
    pub left: usize,
    /// Answers that no honest authority gives.
    pub security: usize,
    /// The authority's clock as it last said, Unix milliseconds.
    pub server_time_ms: Option<i64>,
}

impl Report {
    /// Whether the outbox is smaller now. Where it is not, the next turn had better wait.
    pub fn progressed(&self) -> bool {
        self.delivered + self.held > 0
    }
}

/// Why a turn ended early. Nothing is lost; every record without a receipt still waits.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// No answer came.
    #[error("no answer came")]
    Transport(#[from] TransportError),
    /// An answer ended the turn.
    #[error("the authority ended the turn")]
    Stop(#[from] Stop),
    /// The store failed.
    #[error("the outbox failed")]
    Outbox(#[from] OutboxError),
    /// The manifest could not be signed.
    #[error("the manifest could not be signed")]
    Key(#[from] KeyError),
}

impl SyncError {
    /// The stable word for messages and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Transport(error) => error.code(),
            Self::Stop(stop) => stop.code(),
            Self::Outbox(_) => "sync-outbox",
            Self::Key(error) => error.code(),
        }
    }

    /// How long the authority asked to stay away.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Stop(Stop::Busy(asked)) => *asked,
            _ => None,
        }
    }

    /// Whether a smaller batch may get through where this one did not.
    pub fn wants_smaller_batch(&self) -> bool {
        matches!(self, Self::Stop(Stop::TooLarge) | Self::Transport(TransportError::Timeout))
    }
}

impl Stop {
    /// The stable word for messages and support.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownDevice => "sync-unknown-device",
            Self::Revoked => "sync-revoked",
            Self::Busy(_) => "sync-busy",
            Self::Fault(_) => "sync-authority-fault",
            Self::TooLarge => "sync-too-large",
            Self::BatchRefused(_) => "sync-batch-refused",
            Self::Protocol(_) => "sync-protocol",
        }
    }
}

/// Sends one batch, or ends at the first thing that does not work.
pub fn run_batch(
    outbox: &mut dyn Outbox,
    transport: &mut dyn Transport,
    turn: &Turn<'_>,
) -> Result<Report, SyncError> {
    let Some((manifest, signed)) = batch(outbox, turn)? else {
        return Ok(Report::default());
    };
    let id = manifest.batch;
    let mut report = Report { offered: manifest.offers.len(), ..Report::default() };
    let mut exchange = Exchange::new(manifest, turn.authority.receipt.clone());
    let over = carry(outbox, transport, &mut exchange, &signed, &mut report);
    if ends_batch(&over) {
        outbox.end_batch(id)?;
    }
    over?;
    report.left = exchange.left();
    Ok(report)
}

/// The server's time, and whether it is there at all.
pub fn server_time(transport: &mut dyn Transport) -> Result<Option<i64>, TransportError> {
    let call = Call { method: Method::Get, path: "/v1/time".into(), body: Vec::new() };
    Ok(transport.send(&call)?.server_time_ms)
}

fn carry(
    outbox: &mut dyn Outbox,
    transport: &mut dyn Transport,
    exchange: &mut Exchange,
    signed: &[u8],
    report: &mut Report,
) -> Result<(), SyncError> {
    while let Some(request) = exchange.next() {
        let effects = match call(outbox, exchange.manifest(), signed, request) {
            Ok(call) => {
                let reply = transport.send(&call)?;
                report.server_time_ms = reply.server_time_ms.or(report.server_time_ms);
                exchange.answer(request, &reply)?
            }
            Err(OutboxError::Damaged) => exchange.unavailable(request, "damaged-on-terminal"),
            Err(fault) => return Err(fault.into()),
        };
        for effect in effects {
            apply(outbox, effect, report)?;
        }
    }
    Ok(())
}

fn apply(outbox: &mut dyn Outbox, effect: Effect, report: &mut Report) -> Result<(), OutboxError> {
    match effect {
        Effect::Deliver(receipt) => {
            outbox.deliver(&receipt)?;
            report.delivered += 1;
        }
        Effect::Hold { record, code } => {
            outbox.hold(record, &code)?;
            report.held += 1;
        }
        Effect::Security { record, code } => {
            outbox.security(record, code)?;
            report.security += 1;
        }
    }
    Ok(())
}

/// A batch that was refused as such, or is through, is not sent again; one that the line cut short is.
fn ends_batch(over: &Result<(), SyncError>) -> bool {
    match over {
        Ok(()) => true,
        Err(SyncError::Stop(stop)) => {
            matches!(stop, Stop::TooLarge | Stop::BatchRefused(_) | Stop::Protocol(_))
        }
        Err(_) => false,
    }
}

/// The interrupted batch, or a new one. None when nothing waits.
fn batch(
    outbox: &mut dyn Outbox,
    turn: &Turn<'_>,
) -> Result<Option<(Manifest, Vec<u8>)>, SyncError> {
    if let Some((id, signed)) = outbox.open_batch()? {
        match Manifest::open(turn.key.public(), &signed) {
            Ok(manifest) => return Ok(Some((manifest, signed))),
            // Signed by a key that was replaced since: its records go out under the new one.
            Err(_) => outbox.end_batch(id)?,
        }
    }
    let offers = outbox.next(turn.records_max.clamp(1, BATCH_RECORDS_MAX), BATCH_BYTES_MAX)?;
    if offers.is_empty() {
        return Ok(None);
    }
    let manifest = Manifest {
        batch: turn.batch,
        device: turn.authority.device.clone(),
        previous: outbox.previous_batch()?,
        audit_head: outbox.audit_head()?,
        at: turn.at,
        offers,
    };
    let signed = manifest.sign(turn.key)?;
    let records: Vec<_> = manifest.offers.iter().map(|offer| offer.record).collect();
    outbox.begin_batch(manifest.batch, &signed, &records)?;
    Ok(Some((manifest, signed)))
}

fn call(
    outbox: &mut dyn Outbox,
    manifest: &Manifest,
    signed: &[u8],
    request: Request,
) -> Result<Call, OutboxError> {
    let batch = hex(&manifest.batch);
    Ok(match request {
        Request::Manifest => put(format!("/v1/batches/{batch}"), signed.to_vec()),
        Request::Record(record) => put(format!("/v1/records/{record}"), outbox.envelope(record)?),
        Request::Picture { digest, offset } => {
            let bytes = outbox.picture(&digest)?;
            let from = usize::try_from(offset).map_err(|_| OutboxError::Damaged)?;
            let rest = bytes.get(from..).ok_or(OutboxError::Damaged)?;
            let chunk = &rest[..rest.len().min(PICTURE_CHUNK)];
            put(format!("/v1/pictures/{}?offset={offset}", hex(&digest)), chunk.to_vec())
        }
        Request::Commit => {
            let path = format!("/v1/batches/{batch}/commit");
            Call { method: Method::Post, path, body: Vec::new() }
        }
    })
}

fn put(path: String, body: Vec<u8>) -> Call {
    Call { method: Method::Put, path, body }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Most bytes of a picture in one request.
const PICTURE_CHUNK: usize = 256 * 1024;
