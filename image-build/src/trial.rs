//! `image-build trial`: boots the image of the variant `qemu` and looks at it from outside.

use std::time::Duration;

use crate::fault::Fault;
use crate::image::{Order, image};
use crate::machine::{Machine, Ports, copy_of};
use crate::workshop::{Workshop, say};

/// Builds what is not there, boots it, and takes a picture of the first screen.
pub fn trial(order: &Order) -> Result<(), Fault> {
    let built = image(order)?;
    let shop = Workshop::open(&order.cache)?;
    let folder = shop.path("trial");
    let disk = copy_of(&built.disk, &folder)?;
    let mut machine = Machine::start(&shop, &disk, &folder, &Ports::default())?;
    machine.wait_for(&["kiosk-boot: slot "], PATIENCE)?;
    say(&format!("boot loader chose slot {}", machine.rest_of_line()));
    machine.wait_for(&["kiosk-init: slot "], PATIENCE)?;
    say(&format!("verified root: slot {} of the machine's time", machine.rest_of_line()));
    machine.wait_for(&["Started kiosk.service"], PATIENCE)?;
    say(&format!("the kiosk serves after {} s", machine.elapsed().as_secs()));
    let picture = machine.picture(&shop, "first-screen")?;
    say(&format!("first screen: {}", picture.display()));
    // A finger on an empty place must change nothing and reach the program all the same.
    machine.touch(SCREEN.0 / 2, SCREEN.1 - 4, SCREEN)?;
    let picture = machine.picture(&shop, "touched")?;
    say(&format!("after a touch: {}", picture.display()));
    machine.cut();
    Ok(())
}

/// As the variant `qemu` says.
const SCREEN: (u32, u32) = (800, 480);
/// An emulated machine on a busy one is slow.
const PATIENCE: Duration = Duration::from_secs(900);
