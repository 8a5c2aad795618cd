//! A reference authority that really runs, and a terminal's way to it over HTTPS with both certificates.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kiosk_core::moment::Moment;
use kiosk_core::record::{Receipt, RecordId};
use kiosk_store::{OutboxEntry, Store, StoreError};
use kiosk_sync::{
    AuthorityKeys, FileKey, Https, Identity, Offer, OfferedPicture, Outbox, OutboxError, Report,
    Sealer, Turn, run_batch,
};

use crate::beside;

/// A running authority; it ends when this is dropped.
pub(crate) struct Centre {
    child: Child,
    provisioned: PathBuf,
    keys: AuthorityKeys,
    signing: FileKey,
    transport: Https,
    n_turns: u8,
}

impl Centre {
    /// Makes keys under `dir`, gives a terminal its own, and starts the program.
    pub(crate) fn start(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let (data, provisioned) = (dir.join("authority"), dir.join("provisioned"));
        let program = beside("authority")?;
        let mut init = Command::new(&program);
        call(init.args(["init", "--host", "127.0.0.1", "--data"]).arg(&data))?;
        let mut provision = Command::new(&program);
        provision.args(["provision", "--device", DEVICE, "--site", SITE, "--data"]).arg(&data);
        call(provision.arg("--out").arg(&provisioned))?;
        let address = dir.join("authority.addr");
        let child = serve(&program, &data, &address)?;
        let read = |name| fs::read_to_string(provisioned.join(name));
        let (ca_pem, cert_pem, key_pem) = (read("ca.pem")?, read("tls.pem")?, read("tls.key.pem")?);
        let identity = Identity { ca_pem: &ca_pem, cert_pem: &cert_pem, key_pem: &key_pem };
        let base = format!("https://{}", fs::read_to_string(&address)?.trim());
        Ok(Self {
            child,
            keys: AuthorityKeys::from_toml(&read("authority.toml")?)?,
            signing: FileKey::from_pem(&read("sign.key.pem")?)?,
            transport: Https::new(&base, &identity)?,
            provisioned,
            n_turns: 0,
        })
    }

    /// Seals for this authority.
    pub(crate) fn sealer(&self) -> Result<Sealer, Box<dyn Error>> {
        let pem = fs::read_to_string(self.provisioned.join("sign.key.pem"))?;
        Ok(Sealer::new(Box::new(FileKey::from_pem(&pem)?), self.keys.enc.clone()))
    }

    /// One batch.
    pub(crate) fn turn(
        &mut self,
        store: &mut Store,
        at: Moment,
        records_max: usize,
    ) -> Result<Report, Box<dyn Error>> {
        self.n_turns += 1;
        let turn = Turn {
            key: &self.signing,
            authority: &self.keys,
            at,
            batch: [self.n_turns; 16],
            records_max,
        };
        Ok(run_batch(&mut Waiting(store), &mut self.transport, &turn)?)
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It stops when its standard input closes; how it ended changes no measurement.
        let _ = self.child.wait();
    }
}

/// The store as an outbox.
struct Waiting<'a>(&'a mut Store);

impl Outbox for Waiting<'_> {
    fn next(&mut self, max_records: usize, max_bytes: u64) -> Result<Vec<Offer>, OutboxError> {
        let entries = self.0.outbox_next(max_records, max_bytes).map_err(fault)?;
        Ok(entries.into_iter().map(offer).collect())
    }

    fn envelope(&mut self, record: RecordId) -> Result<Vec<u8>, OutboxError> {
        self.0.envelope(record).map_err(fault)
    }

    fn picture(&mut self, digest: &[u8; 32]) -> Result<Vec<u8>, OutboxError> {
        self.0.picture(digest).map_err(fault)
    }

    fn deliver(&mut self, receipt: &Receipt) -> Result<(), OutboxError> {
        self.0.deliver(receipt).map(drop).map_err(fault)
    }

    fn hold(&mut self, record: RecordId, code: &str) -> Result<(), OutboxError> {
        self.0.hold(record, code).map_err(fault)
    }

    /// An honest authority on this machine gives no cause.
    fn security(&mut self, _: Option<RecordId>, code: &str) -> Result<(), OutboxError> {
        Err(OutboxError::Fault(code.into()))
    }

    fn open_batch(&mut self) -> Result<Option<([u8; 16], Vec<u8>)>, OutboxError> {
        let open = self.0.open_batch().map_err(fault)?;
        Ok(open.map(|batch| (batch.id, batch.manifest)))
    }

    fn begin_batch(
        &mut self,
        batch: [u8; 16],
        manifest: &[u8],
        records: &[RecordId],
    ) -> Result<(), OutboxError> {
        self.0.begin_batch(batch, manifest, records).map_err(fault)
    }

    fn end_batch(&mut self, batch: [u8; 16]) -> Result<(), OutboxError> {
        self.0.end_batch(batch).map_err(fault)
    }

    fn previous_batch(&mut self) -> Result<Option<[u8; 32]>, OutboxError> {
        self.0.last_manifest_digest().map_err(fault)
    }

    fn audit_head(&mut self) -> Result<Option<[u8; 32]>, OutboxError> {
        self.0.audit_head().map_err(fault)
    }
}

fn offer(entry: OutboxEntry) -> Offer {
    let picture =
        |p: kiosk_store::PictureLine| OfferedPicture { role: p.role, digest: p.digest, len: p.len };
    Offer {
        record: entry.record,
        seq: entry.seq.0,
        lane: entry.lane,
        len: entry.len,
        digest: entry.digest,
        pictures: entry.pictures.into_iter().map(picture).collect(),
    }
}

fn fault(error: StoreError) -> OutboxError {
    OutboxError::Fault(Box::new(error))
}

fn call(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let done = command.stdout(Stdio::null()).status()?;
    if done.success() {
        Ok(())
    } else {
        Err(format!("the authority could not be set up: {done}").into())
    }
}

fn serve(program: &Path, data: &Path, address: &Path) -> Result<Child, Box<dyn Error>> {
    let mut child = Command::new(program)
        .args(["--until-stdin-closes", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .arg("--address-file")
        .arg(address)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let out = child.stdout.take().expect("piped above");
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    if line.is_empty() { Err("the authority did not start".into()) } else { Ok(child) }
}

/// The terminal's name.
pub(crate) const DEVICE: &str = "bench-0001";
/// Its place.
pub(crate) const SITE: &str = "bench";
