//! The audit trail: an append-only chain of keyed hashes, written in the transaction of what it tells about.

use minicbor::{Decoder, Encoder};
use rusqlite::{Connection, OptionalExtension, params};

use kiosk_core::moment::Moment;

use crate::error::StoreError;
use crate::key::Keys;
use crate::rows;
use crate::store::Store;

/// Something that was done, by whom. It never names the person it was done for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// When, as the terminal claims it.
    pub at: Moment,
    /// Operator id, or `terminal`, or `centre`.
    pub actor: String,
    /// What, as a stable word: `visit-sealed`, `signed-in`, ….
    pub event: String,
    /// Ids and codes only.
    pub detail: String,
}

/// A line with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Place, from 1.
    pub seq: u64,
    /// What was written.
    pub line: AuditLine,
    /// HMAC of the hash before, the place and the line.
    pub hash: [u8; 32],
}

impl Store {
    /// Appends a line by itself, for events that belong to no record.
    pub fn audit(&mut self, line: &AuditLine) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        append(&transaction, &self.keys, line)?;
        Ok(transaction.commit()?)
    }

    /// Hash of the last line. None while there is no line.
    pub fn audit_head(&self) -> Result<Option<[u8; 32]>, StoreError> {
        Ok(last(&self.connection)?.map(|(_, hash)| hash))
    }

    /// Recomputes the whole chain; returns how many lines hold, or [`StoreError::Damaged`] at the first that does not.
    pub fn verify_audit(&self) -> Result<u64, StoreError> {
        let mut statement =
            self.connection.prepare("SELECT seq, body, hash FROM audit ORDER BY seq")?;
        let mut rows = statement.query([])?;
        let (mut expected, mut head) = (0, CHAIN_START);
        while let Some(row) = rows.next()? {
            expected += 1;
            let (seq, body): (u64, Vec<u8>) = (rows::count(row, 0)?, row.get(1)?);
            head = chained(&self.keys, &head, seq, &body);
            if seq != expected || head != row.get::<_, [u8; 32]>(2)? {
                return Err(StoreError::Damaged("audit chain"));
            }
        }
        Ok(expected)
    }

    /// The newest lines, newest first.
    pub fn audit_lines(&self, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT seq, body, hash FROM audit ORDER BY seq DESC LIMIT ?1")?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = statement.query_map([limit], |row| {
            Ok((rows::count(row, 0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?))
        })?;
        found
            .map(|row| {
                let (seq, body, hash) = row?;
                let line = decode(&body).map_err(|_| StoreError::Damaged("audit line"))?;
                Ok(AuditEntry { seq, line, hash })
            })
            .collect()
    }
}

/// Appends a line inside a transaction that is under way.
pub(crate) fn append(
    connection: &Connection,
    keys: &Keys,
    line: &AuditLine,
) -> Result<(), StoreError> {
    let (before, head) = last(connection)?.unwrap_or((0, CHAIN_START));
    let body = encode(line);
    let hash = chained(keys, &head, before + 1, &body);
    connection
        .prepare_cached("INSERT INTO audit (seq, body, hash) VALUES (?1, ?2, ?3)")?
        .execute(params![(before + 1).cast_signed(), body, hash])?;
    Ok(())
}

fn last(connection: &Connection) -> Result<Option<(u64, [u8; 32])>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?;
    Ok(statement.query_row([], |row| Ok((rows::count(row, 0)?, row.get(1)?))).optional()?)
}

fn chained(keys: &Keys, head: &[u8; 32], seq: u64, body: &[u8]) -> [u8; 32] {
    keys.audit_hash(&[head, &seq.to_be_bytes(), body])
}

fn encode(line: &AuditLine) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.array(4)
        .and_then(|e| e.encode(line.at))
        .and_then(|e| e.str(&line.actor))
        .and_then(|e| e.str(&line.event))
        .and_then(|e| e.str(&line.detail))
        .expect("a Vec takes every write");
    e.into_writer()
}

fn decode(body: &[u8]) -> Result<AuditLine, minicbor::decode::Error> {
    let mut d = Decoder::new(body);
    d.array()?;
    Ok(AuditLine {
        at: d.decode()?,
        actor: d.str()?.to_owned(),
        event: d.str()?.to_owned(),
        detail: d.str()?.to_owned(),
    })
}

const CHAIN_START: [u8; 32] = [0; 32];
