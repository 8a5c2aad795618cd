//! Orders a terminal to forget its site and to be set up anew. What it recorded stays on it.

use serde::Serialize;

use crate::{
    cose::{self, ContentType},
    keys::{KeyError, Keys, Signer},
};

/// What the terminal is told, as JSON in this order.
#[derive(Serialize)]
struct Order<'a> {
    /// The terminal that is meant; no other one obeys.
    device: &'a str,
    /// When it was ordered, milliseconds since 1970-01-01 UTC: two orders to one terminal are two.
    ordered_ms: i64,
}

/// The signed order: what a stick brings as `reset.kiosk`. A terminal obeys each once.
pub fn reset(keys: &Keys, device: &str, now_ms: i64) -> Result<Vec<u8>, KeyError> {
    let order = Order { device, ordered_ms: now_ms };
    let text = serde_json::to_vec(&order).expect("a name and a number can be written");
    Ok(cose::sign(&keys.signing(Signer::Down)?, ContentType::Reset, &text))
}
