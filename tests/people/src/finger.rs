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
pub(crate) fn image(
    owner: &[u64; 2],
    finger: u8,
    impression: u32,
    width: u32,
    height: u32,
) -> Vec<u8> {
    let master = master_of(owner, finger);
    press::impression(
        &master,
        &[owner[0], owner[1], u64::from(finger), u64::from(impression)],
        width as usize,
        height as usize,
    )
}

/// Growing a master takes some tenths of a second, so the last ones are kept.
fn master_of(owner: &[u64; 2], finger: u8) -> Arc<master::Master> {
    type Key = (u64, u64, u8);
    static KEPT: LazyLock<Mutex<BTreeMap<Key, Arc<master::Master>>>> =
        LazyLock::new(Mutex::default);
    let key = (owner[0], owner[1], finger);
    if let Some(master) = KEPT.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return master.clone();
    }
    let grown =
        Arc::new(master::Master::grow(&[owner[0], owner[1], u64::from(finger)], finger > 5));
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
    kept.insert(key, grown.clone());
    grown
}

const KEPT_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impression_is_the_same_on_every_call_and_fills_the_size_asked_for() {
        let first = image(&[1, 2], 2, 0, 160, 120);
        assert_eq!(first.len(), 160 * 120);
        assert_eq!(first, image(&[1, 2], 2, 0, 160, 120));
        assert_ne!(first, image(&[1, 2], 2, 1, 160, 120));
    }

    #[test]
    fn ridges_are_as_wide_as_on_skin() {
        let picture = image(&[1, 2], 2, 0, 256, 288);
        let column = |x: usize| (84..204).map(move |y| (y, x));
        let crossings: usize = (96..160)
            .map(|x| {
                let dark: Vec<bool> = column(x).map(|(y, x)| dark(&picture, x, y)).collect();
                dark.windows(2).filter(|pair| pair[0] != pair[1]).count()
            })
            .sum();
        // 120 rows of ridges 9 px apart, which run in all directions: some 10 to 32 edges in each of 64 columns.
        assert!((64 * 10..64 * 32).contains(&crossings), "{crossings} edges");
    }

    #[test]
    fn two_fingers_of_one_person_differ() {
        let (a, b) = (image(&[1, 2], 2, 0, 256, 288), image(&[1, 2], 3, 0, 256, 288));
        let same = a.iter().zip(&b).filter(|(p, q)| (**p < 140) == (**q < 140)).count();
        assert!(same * 100 < 70 * a.len(), "{same} of {} pixels agree", a.len());
    }

    /// Averages a little against the grain of the sensor.
    fn dark(picture: &[u8], x: usize, y: usize) -> bool {
        let sum: u32 = (y - 1..=y + 1)
            .flat_map(|y| (x - 1..=x + 1).map(move |x| (x, y)))
            .map(|(x, y)| u32::from(picture[y * 256 + x]))
            .sum();
        sum < 9 * 140
    }
}
