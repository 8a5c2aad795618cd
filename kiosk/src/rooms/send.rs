//! Sending: batch after batch until nothing waits, with growing pauses when the authority cannot be reached. Then, and
//! only then, updates.

mod update;

use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use kiosk_core::event::Event;
use kiosk_core::message::Id;
use kiosk_core::record::{Receipt, RecordId};
use kiosk_core::timekeeper::Reading;
use kiosk_core::view::Delivery;
use kiosk_store::{AuditLine, StoreError};
use kiosk_sync::run::server_time;
use kiosk_sync::{
    AuthorityKeys, Backoff, DeviceKey, Https, Offer, OfferedPicture, Outbox, OutboxError, Turn,
    run_batch,
};
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::config::AuthorityConfig;
use crate::happening::{Happening, Teller};
use crate::vault::Vault;

pub use update::Updates;

/// What the room is asked to do.
pub enum Order {
    /// Something new waits.
    Send,
}

/// The room.
pub struct SendRoom {
    /// Where the authority is.
    pub config: AuthorityConfig,
    /// The store.
    pub vault: Vault,
    /// Whom to believe.
    pub authority: AuthorityKeys,
    /// Signs manifests.
    pub key: Box<dyn DeviceKey>,
    /// The line.
    pub transport: Https,
    /// What the authority offers to run instead, where it is asked for that.
    pub updates: Option<Updates>,
    /// Claims the time of a batch.
    pub clock: Clock,
    /// The event loop.
    pub teller: Teller,
}

impl SendRoom {
    /// Works until nobody gives orders any more.
    pub fn run(mut self, orders: &Receiver<Order>) {
        let mut backoff = Backoff::default();
        let mut records_max = RECORDS_MAX;
        loop {
            let wait = match self.turn(records_max) {
                Ok(true) => Duration::ZERO,
                Ok(false) => {
                    backoff.success();
                    records_max = (records_max + 5).min(RECORDS_MAX);
                    match self.look_for_updates(orders) {
                        true => Duration::ZERO,
                        false => Duration::from_secs(self.config.every_s),
                    }
                }
                Err((asked, smaller)) => {
                    if smaller {
                        records_max = (records_max / 2).max(1);
                    }
                    backoff.after_failure(random(), asked)
                }
            };
            // While the authority is silent, new records do not make us knock more often.
            let failing = backoff.failures() > 0;
            if !self.rest(orders, wait, failing) {
                return;
            }
        }
    }

    /// Nothing waits: an update is asked for and fetched, until there is something to send. Whether another turn is due
    /// at once.
    fn look_for_updates(&mut self, orders: &Receiver<Order>) -> bool {
        let Some(updates) = &mut self.updates else {
            return false;
        };
        let mut interrupted = || !matches!(orders.try_recv(), Err(TryRecvError::Empty));
        let goes_on = updates.go_on(&mut self.transport, &self.vault, &mut interrupted);
        if let Some(ready) = updates.news(&self.vault) {
            self.teller.tell(Happening::Update(ready));
        }
        goes_on
    }

    /// Sleeps, or wakes at an order. False when the program ends.
    fn rest(&self, orders: &Receiver<Order>, wait: Duration, failing: bool) -> bool {
        let until = std::time::Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(std::time::Instant::now());
            match orders.recv_timeout(left) {
                Ok(Order::Send) if failing && left > Duration::ZERO => {}
                Ok(Order::Send) | Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// One batch. True when more may wait; else how long the authority asks to stay away, and whether a smaller batch
    /// may get through.
    fn turn(&mut self, records_max: usize) -> Result<bool, (Option<Duration>, bool)> {
        self.find_authority();
        let asked = self.clock.read();
        let mut batch = [0; 16];
        getrandom::fill(&mut batch).expect("the kernel has randomness after boot");
        let turn = Turn {
            key: &*self.key,
            authority: &self.authority,
            at: self.clock.now(),
            batch,
            records_max,
        };
        let mut outbox =
            VaultOutbox { vault: &self.vault, teller: &self.teller, clock: &self.clock };
        let report = run_batch(&mut outbox, &mut self.transport, &turn);
        self.teller.outbox(&self.vault);
        match report {
            Ok(report) => {
                self.compare_clocks(&asked, report.server_time_ms);
                if report.offered > 0 {
                    info!(delivered = report.delivered, held = report.held, "batch");
                }
                self.teller.device(Id::OutboxTitle, None);
                // An authority that takes a batch and gives no receipt is not asked again at once.
                if report.offered > 0 && !report.progressed() {
                    Err((None, false))
                } else {
                    Ok(report.offered > 0)
                }
            }
            Err(problem) => {
                warn!(code = problem.code(), "sending");
                let refused = matches!(problem, kiosk_sync::SyncError::Stop(_));
                let err = if refused { Id::ErrSyncRefused } else { Id::ErrSyncNoRoute };
                self.teller.device(Id::OutboxTitle, Some(err));
                Err((problem.retry_after(), problem.wants_smaller_batch()))
            }
        }
    }

    /// Where nothing waited the centre is asked for its time alone; without an answer the clock stays as it was.
    fn compare_clocks(&mut self, asked: &Reading, said_ms: Option<i64>) {
        let (asked, said_ms) = match said_ms {
            Some(said_ms) => (*asked, Some(said_ms)),
            None => (self.clock.read(), server_time(&mut self.transport).ok().flatten()),
        };
        let heard = said_ms.and_then(|said_ms| self.clock.heard(&asked, said_ms));
        let Some((ahead_ms, known)) = heard else {
            return;
        };
        if ahead_ms.abs() > DRIFT_TOLD_MS {
            warn!(ahead_ms, "the clock differs from the centre's");
        }
        if let Err(problem) = self.vault.store().set_meta(CLOCK, &known) {
            warn!(code = problem.code(), "the centre's time");
        }
    }

    /// The authority of a desk changes its port at each start.
    fn find_authority(&mut self) {
        let Some(file) = &self.config.address_file else {
            return;
        };
        if let Ok(address) = fs::read_to_string(file)
            && let Err(error) = self.transport.set_base(&format!("https://{}", address.trim()))
        {
            warn!(code = error.code(), "the address of the authority");
        }
    }
}

/// The store as an outbox.
struct VaultOutbox<'a> {
    vault: &'a Vault,
    teller: &'a Teller,
    clock: &'a Clock,
}

impl Outbox for VaultOutbox<'_> {
    fn next(&mut self, max_records: usize, max_bytes: u64) -> Result<Vec<Offer>, OutboxError> {
        let entries = self.vault.store().outbox_next(max_records, max_bytes).map_err(fault)?;
        let offer = |entry: kiosk_store::OutboxEntry| Offer {
            record: entry.record,
            seq: entry.seq.0,
            lane: entry.lane,
            len: entry.len,
            digest: entry.digest,
            pictures: entry
                .pictures
                .into_iter()
                .map(|p| OfferedPicture { role: p.role, digest: p.digest, len: p.len })
                .collect(),
        };
        Ok(entries.into_iter().map(offer).collect())
    }

    fn envelope(&mut self, record: RecordId) -> Result<Vec<u8>, OutboxError> {
        self.vault.store().envelope(record).map_err(damaged)
    }

    fn picture(&mut self, digest: &[u8; 32]) -> Result<Vec<u8>, OutboxError> {
        self.vault.store().picture(digest).map_err(damaged)
    }

    fn deliver(&mut self, receipt: &Receipt) -> Result<(), OutboxError> {
        self.vault.store().deliver(receipt).map_err(fault)?;
        let delivery = Delivery::CentreHasIt(receipt.receipt_no);
        self.teller.event(Event::Delivery(receipt.record, delivery));
        Ok(())
    }

    fn hold(&mut self, record: RecordId, code: &str) -> Result<(), OutboxError> {
        warn!(%record, code, "record set aside");
        self.vault.store().hold(record, code).map_err(fault)?;
        self.teller.event(Event::Delivery(record, Delivery::Held));
        Ok(())
    }

    fn security(&mut self, record: Option<RecordId>, code: &str) -> Result<(), OutboxError> {
        error!(code, "an answer that no honest authority gives");
        let line = AuditLine {
            at: self.clock.now(),
            actor: "centre".into(),
            event: "security".into(),
            detail: format!("{code} {}", record.map(|id| id.to_string()).unwrap_or_default()),
        };
        self.vault.store().audit(&line).map_err(fault)
    }

    fn open_batch(&mut self) -> Result<Option<([u8; 16], Vec<u8>)>, OutboxError> {
        let open = self.vault.store().open_batch().map_err(fault)?;
        Ok(open.map(|batch| (batch.id, batch.manifest)))
    }

    fn begin_batch(
        &mut self,
        batch: [u8; 16],
        manifest: &[u8],
        records: &[RecordId],
    ) -> Result<(), OutboxError> {
        self.vault.store().begin_batch(batch, manifest, records).map_err(fault)
    }

    fn end_batch(&mut self, batch: [u8; 16]) -> Result<(), OutboxError> {
        self.vault.store().end_batch(batch).map_err(fault)
    }

    fn previous_batch(&mut self) -> Result<Option<[u8; 32]>, OutboxError> {
        self.vault.store().last_manifest_digest().map_err(fault)
    }

    fn audit_head(&mut self) -> Result<Option<[u8; 32]>, OutboxError> {
        self.vault.store().audit_head().map_err(fault)
    }
}

fn fault(error: StoreError) -> OutboxError {
    OutboxError::Fault(Box::new(error))
}

/// Bytes that are gone or changed set one record aside; anything else stops the line.
fn damaged(error: StoreError) -> OutboxError {
    error!(code = error.code(), "sealed bytes");
    match error.code() {
        "store-damaged"
        | "store-picture-damaged"
        | "store-picture-missing"
        | "store-unknown-record" => OutboxError::Damaged,
        _ => fault(error),
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the kernel has randomness after boot");
    u64::from_le_bytes(bytes)
}

/// Name under which the store keeps what is known of the centre's time.
pub const CLOCK: &str = "clock";
/// A difference from the centre's clock that is worth a line in the journal.
const DRIFT_TOLD_MS: i64 = 5_000;
const RECORDS_MAX: usize = 50;
