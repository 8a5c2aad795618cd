//! Synthetic fingerprints: a master print for each finger, and impressions of it as a sensor would see them.
//!
//! After the method of SFinGe (Cappelli, 2003), written anew: singular points give the flow of the ridges, and
//! filtering noise along that flow again and again lets ridges grow, with endings and forks where they meet.

mod flow;
mod master;
mod press;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

/// One impression as 8-bit grey, dark ridges on light, row by row.
pub(crate) fn image(owner: &[u64; 2], finger: u8, impression: u32, width: u32, height: u32) -> Vec<u8> {
    let master = master_of(owner, finger);
    press::impression(&master, &[owner[0], owner[1], u64::from(finger), u64::from(impression)], width as usize, height as usize)
}

/// Growing a master takes some tenths of a second, so the last ones are kept.
fn master_of(owner: &[u64; 2], finger: u8) -> Arc<master::Master> {
    type Key = (u64, u64, u8);
    static KEPT: LazyLock<Mutex<BTreeMap<Key, Arc<master::Master>>>> = LazyLock::new(Mutex::default);
    let key = (owner[0], owner[1], finger);
    if let Some(master) = KEPT.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return master.clone();
    }
    let grown = Arc::new(master::Master::grow(&[owner[0], owner[1], u64::from(finger)], finger > 5));
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
    kept.insert(key, grown.clone());
    grown
}

const KEPT_MAX: usize = 64;
