//! Looks at all that is stored as if for the first time: opens, verifies, hashes and counts.
//! It reads beside a running authority and repairs nothing.

use std::{fmt, path::Path};

use p256::ecdsa::VerifyingKey;
use rusqlite::Row;
use serde::Serialize;

use crate::{
    cose::{ContentType, OpeningKey, Signed, sha256},
    hex,
    intake::read_record,
    keys::{KeyError, Keys, Signer},
    pictures::Pictures,
    receipt::Receipt,
    record::{Digest, Id, id_text},
    store::{Count, Store, StoreError},
    updates::Updates,
};

/// What a check looked at and found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Records that were opened, verified and read again.
    pub records: u64,
    /// Receipts that were verified against their records.
    pub receipts: u64,
    /// Pictures whose files were hashed.
    pub pictures: u64,
    /// What is not as it should be; nothing, if all is well.
    pub faults: Vec<String>,
}

/// The check itself cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A key is missing.
    #[error("the keys")]
    Key(#[from] KeyError),
    /// The database cannot be read.
    #[error("the store")]
    Store(#[from] StoreError),
}

/// Checks the authority's data.
pub fn check(data: &Path) -> Result<Findings, CheckError> {
    let keys = Keys::at(data);
    let check = Check {
        store: Store::open_to_read(data)?,
        pictures: Pictures::beside(data),
        opening: keys.opening()?,
        receipt_key: *keys.signing(Signer::Receipt)?.verifying_key(),
    };
    let mut findings = Findings::default();
    check.database(&mut findings)?;
    check.records(&mut findings)?;
    check.receipts(&mut findings)?;
    check.pictures(&mut findings)?;
    let faults = Updates::at(data).faults().unwrap_or_else(|fault| vec![fault.to_string()]);
    findings.faults.extend(faults.iter().map(|fault| format!("update: {fault}")));
    Ok(findings)
}

struct Check {
    store: Store,
    pictures: Pictures,
    opening: OpeningKey,
    receipt_key: VerifyingKey,
}

struct StoredReceipt {
    number: u64,
    body: Vec<u8>,
    record: Id,
    device: String,
    digest: Digest,
    seq: u64,
}

impl Check {
    fn database(&self, findings: &mut Findings) -> Result<(), StoreError> {
        self.each(
            "PRAGMA integrity_check",
            |row| row.get::<_, String>(0),
            |found| {
                if found != "ok" {
                    findings.faults.push(format!("database: {found}"));
                }
                Ok(())
            },
        )
    }

    fn records(&self, findings: &mut Findings) -> Result<(), StoreError> {
        let read = |row: &Row<'_>| {
            Ok((row.get::<_, Id>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?))
        };
        self.each("SELECT id, device, envelope FROM record", read, |(id, device, envelope)| {
            findings.records += 1;
            if let Some(fault) = self.record(&id, &device, &envelope)? {
                findings.faults.push(format!("record {}: {fault}", id_text(&id)));
            }
            Ok(())
        })
    }

    fn record(&self, id: &Id, device: &str, envelope: &[u8]) -> Result<Option<String>, StoreError> {
        let Some(claim) = self.store.claim(device, id)? else {
            return Ok(Some("no manifest announced it".to_owned()));
        };
        if sha256(envelope) != claim.digest {
            return Ok(Some("its bytes have another digest".to_owned()));
        }
        let record = read_record(&self.store, &self.opening, device, id, &claim, envelope)?;
        Ok(record.err().map(|refusal| refusal.to_string()))
    }

    fn receipts(&self, findings: &mut Findings) -> Result<(), StoreError> {
        let sql = "SELECT number, body, id, device, digest, seq
                   FROM receipt JOIN record ON record.id = receipt.record ORDER BY number";
        self.each(sql, StoredReceipt::of, |receipt| {
            findings.receipts += 1;
            if receipt.number != findings.receipts {
                findings.faults.push(format!("receipt {}: a gap before it", receipt.number));
            }
            if !receipt.fits(&self.receipt_key) {
                findings.faults.push(format!("receipt {}: not of its record", receipt.number));
            }
            self.pictures_of(&receipt, findings)
        })
    }

    fn pictures_of(
        &self,
        receipt: &StoredReceipt,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let claim = self.store.claim(&receipt.device, &receipt.record)?;
        for picture in claim.into_iter().flat_map(|claim| claim.pictures) {
            if !self.store.has_picture(&picture.digest)? {
                let digest = hex::encode(&picture.digest);
                findings
                    .faults
                    .push(format!("receipt {}: picture {digest} is missing", receipt.number));
            }
        }
        Ok(())
    }

    fn pictures(&self, findings: &mut Findings) -> Result<(), StoreError> {
        for digest in self.store.picture_digests()? {
            findings.pictures += 1;
            let fault = match self.pictures.read_whole(&digest) {
                Ok(bytes) if sha256(&bytes) == digest => continue,
                Ok(_) => "its bytes have another digest".to_owned(),
                Err(fault) => fault.to_string(),
            };
            findings.faults.push(format!("picture {}: {fault}", hex::encode(&digest)));
        }
        Ok(())
    }

    fn each<T>(
        &self,
        sql: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
        mut look: impl FnMut(T) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut query = self.store.connection().prepare(sql)?;
        for item in query.query_map([], read)? {
            look(item?)?;
        }
        Ok(())
    }
}

impl StoredReceipt {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get::<_, Count>(0)?.0,
            body: row.get(1)?,
            record: row.get(2)?,
            device: row.get(3)?,
            digest: row.get(4)?,
            seq: row.get::<_, Count>(5)?.0,
        })
    }

    fn fits(&self, key: &VerifyingKey) -> bool {
        let signed = Signed::read(&self.body, ContentType::Receipt);
        let is_signed = signed.is_ok_and(|signed| signed.verify(key).is_ok());
        is_signed
            && Receipt::read(&self.body).is_some_and(|receipt| {
                receipt.record == self.record
                    && receipt.device == self.device
                    && receipt.digest == self.digest
                    && receipt.seq == self.seq
                    && receipt.number == self.number
            })
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} records, {} receipts and {} pictures looked at",
            self.records, self.receipts, self.pictures
        )?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "{fault}"))
    }
}
