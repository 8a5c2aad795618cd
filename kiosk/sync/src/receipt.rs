//! Believing a receipt: the authority's signature, and every field that of the record it is meant for.

use minicbor::Decoder;

use kiosk_core::record::{Receipt, RecordId};

use crate::batch::{Offer, fixed, key};
use crate::cose::{ContentType, OpenError, open_signed};
use crate::keys::VerifyKey;

/// Why a receipt does not count. Each is worth a line in the audit trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not signed by the receipt key.
    #[error("the receipt is not the authority's")]
    Signature(#[source] OpenError),
    /// Signed, but not in the shape of a receipt.
    #[error("the receipt cannot be read")]
    Form,
    /// For another terminal.
    #[error("the receipt is for another terminal")]
    Device,
    /// For a record that is not in this batch.
    #[error("the receipt is for another record")]
    Record,
    /// For other bytes or another number than this terminal has.
    #[error("the receipt is for another digest or number")]
    Differs,
}

impl ReceiptError {
    /// The stable word for the audit trail.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Signature(_) => "receipt-forged",
            Self::Form => "receipt-form",
            Self::Device => "receipt-other-device",
            Self::Record => "receipt-other-record",
            Self::Differs => "receipt-other-digest",
        }
    }
}

/// A receipt for one of these offers of this terminal, or the reason why it does not count.
pub fn verify(
    receipt_key: &VerifyKey,
    device: &str,
    offers: &[Offer],
    signed: &[u8],
) -> Result<Receipt, ReceiptError> {
    let payload =
        open_signed(ContentType::Receipt, receipt_key, signed).map_err(ReceiptError::Signature)?;
    let (receipt, for_device) = decode(payload, signed).map_err(|_| ReceiptError::Form)?;
    if for_device != device {
        return Err(ReceiptError::Device);
    }
    let offer =
        offers.iter().find(|offer| offer.record == receipt.record).ok_or(ReceiptError::Record)?;
    if offer.digest != receipt.digest || offer.seq != receipt.seq {
        return Err(ReceiptError::Differs);
    }
    Ok(receipt)
}

fn decode<'b>(
    payload: &'b [u8],
    signed: &[u8],
) -> Result<(Receipt, &'b str), minicbor::decode::Error> {
    let wrong = minicbor::decode::Error::message;
    let d = &mut Decoder::new(payload);
    if d.map()? != Some(8) {
        return Err(wrong("a receipt has eight fields"));
    }
    key(d, 0)?;
    if d.u8()? != VERSION {
        return Err(wrong("version"));
    }
    key(d, 1)?;
    let record = RecordId(fixed(d)?);
    key(d, 2)?;
    let digest = fixed(d)?;
    key(d, 3)?;
    let device = d.str()?;
    key(d, 4)?;
    let seq = d.u64()?;
    key(d, 5)?;
    if d.str()? != STORED {
        return Err(wrong("not the word that counts"));
    }
    key(d, 6)?;
    let server_time_ms = d.i64()?;
    key(d, 7)?;
    let receipt_no = d.u64()?;
    if d.position() != payload.len() {
        return Err(wrong("bytes behind the receipt"));
    }
    let signed = signed.to_vec();
    Ok((Receipt { record, digest, seq, receipt_no, server_time_ms, signed }, device))
}

const VERSION: u8 = 1;
const STORED: &str = "stored";
