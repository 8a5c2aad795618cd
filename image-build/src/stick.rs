//! USB sticks for the emulated terminal.

use std::path::{Path, PathBuf};

use crate::fault::Fault;
use crate::root::make;
use crate::slot::fat;
use crate::workshop::{Workshop, remove};

/// A stick of this label, with what `fill` lays into a folder.
pub fn stick(
    shop: &Workshop,
    name: &str,
    label: &str,
    fill: impl FnOnce(&Path) -> Result<(), Fault>,
) -> Result<PathBuf, Fault> {
    let onto = shop.path(&format!("trial/stick-{name}.d"));
    remove(&onto)?;
    make(&onto)?;
    fill(&onto)?;
    let stick = shop.path(&format!("trial/stick-{name}.img"));
    fat(shop, &onto, &stick, STICK_MIB, label)?;
    remove(&onto)?;
    Ok(stick)
}

/// The one that a terminal looks at (`71-kiosk-stick.rules`).
pub const OURS: &str = "CHANGQING";
/// The update fits.
const STICK_MIB: u64 = 256;
