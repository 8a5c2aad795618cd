//! Writes receipts: the signed word that a record and all its pictures are durable here.

use p256::ecdsa::SigningKey;

use crate::{
    cbor::{CborError, Reader, Writer},
    cose::{ContentType, Signed, sign},
    record::{Digest, Id},
};

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The record that is stored.
    pub record: Id,
    /// SHA-256 of its envelope.
    pub digest: Digest,
    /// The terminal that made it.
    pub device: String,
    /// Its place among that terminal's records.
    pub seq: u64,
    /// The authority's clock, Unix milliseconds.
    pub server_time_ms: i64,
    /// The authority's own count of receipts, from 1 without gaps.
    pub number: u64,
}

impl Receipt {
    /// The signed receipt, which is stored and given out as these bytes ever after.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let payload = Writer::new()
            .map(8)
            .int(0)
            .uint(1)
            .int(1)
            .bytes(&self.record)
            .int(2)
            .bytes(&self.digest)
            .int(3)
            .text(&self.device)
            .int(4)
            .uint(self.seq)
            .int(5)
            .text("stored")
            .int(6)
            .int(self.server_time_ms)
            .int(7)
            .uint(self.number)
            .done();
        sign(key, ContentType::Receipt, &payload)
    }

    /// What a receipt of our own says; nothing if it is none.
    pub(crate) fn read(signed: &[u8]) -> Option<Self> {
        let payload = Signed::read(signed, ContentType::Receipt).ok()?.unverified();
        Reader::whole(payload, read_receipt).ok()
    }
}

fn read_receipt(reader: &mut Reader<'_>) -> Result<Receipt, CborError> {
    reader.fields(8)?;
    reader.key(0)?;
    reader.uint()?;
    reader.key(1)?;
    let record = reader.array_of()?;
    reader.key(2)?;
    let digest = reader.array_of()?;
    reader.key(3)?;
    let device = reader.text()?.to_owned();
    reader.key(4)?;
    let seq = reader.uint()?;
    reader.key(5)?;
    reader.text()?;
    reader.key(6)?;
    let server_time_ms = reader.int()?;
    reader.key(7)?;
    let number = reader.uint()?;
    Ok(Receipt { record, digest, device, seq, server_time_ms, number })
}
