//! How long it takes to the first screen, in the machine's own time, and that it comes at all.

use std::path::Path;

use super::{Counter, Trial, outside};
use crate::fault::Fault;
use crate::machine::{Ports, copy_of};
use crate::workshop::say;

impl Trial {
    /// U-Boot, verified root, data partition, kiosk: there is a picture.
    pub(super) fn screen(&self) -> Result<(), Fault> {
        let disk = copy_of(&self.built.disk, &self.shop.path("trial/screen"))?;
        self.switch_on("screen", &disk, &Ports::default())?.first_screen()
    }

    /// The second start of a terminal (the data partition is made at the first) against an init that ends at once: the
    /// same machine, kernel, initial file system and checked root. Time stands still for the machine while this one is
    /// busy, and goes on as here while it waits for its disk.
    pub(super) fn boot(&self) -> Result<(), Fault> {
        let disk = copy_of(&self.built.disk, &self.shop.path("trial/boot"))?;
        let mut first = self.switch_on("boot", &disk, &Ports::default())?;
        first.wait_for(FIRST_SCREEN)?;
        first.wait_for("marked slot")?;
        drop(first);
        let (kernel, initrd, words) = self.built.direct.clone();
        let ports = |more: &str| Ports {
            direct: Some((kernel.clone(), initrd.clone(), format!("{words} {more}"))),
            is_counted: true,
            ..Ports::default()
        };
        let mut empty = self.switch_on("boot", &disk, &ports("kiosk.init=/usr/bin/true"))?;
        let empty_s = empty.when("Attempted to kill init")?;
        drop(empty);
        let ports = Ports { credentials: outside(KILLER), ..ports("") };
        let mut kiosk = self.switch_on("boot", &disk, &ports)?;
        let kiosk_s = kiosk.when(FIRST_SCREEN)?;
        kiosk.restarts(&self.empty_stick("sign")?)?;
        let ratio = kiosk_s / empty_s;
        say(&format!(
            "first screen at {kiosk_s:.1} s, an empty init at {empty_s:.1} s: {ratio:.2}"
        ));
        if ratio <= RATIO_MAX {
            Ok(())
        } else {
            Err(Fault::Tool(format!("{ratio:.2} times an empty init, at most {RATIO_MAX}")))
        }
    }
}

impl Counter<'_> {
    pub(super) fn first_screen(&mut self) -> Result<(), Fault> {
        self.wait_for("kiosk-boot: slot ")?;
        self.wait_for(FIRST_SCREEN)?;
        say(&format!("first screen after {} s", self.machine.elapsed().as_secs()));
        self.picture("first")
    }

    /// The program is killed, and started again; here, where a second is a second however busy this machine is.
    fn restarts(&mut self, sign: &Path) -> Result<(), Fault> {
        // When all that comes after the first screen has come.
        self.wait_for("marked slot")?;
        self.machine.plug(self.shop, sign)?;
        let died = self.when("kiosk.service: Main process exited")?;
        let again = self.when("Starting kiosk.service")?;
        let shown = self.when(FIRST_SCREEN)?;
        let (restarted_s, shown_s) = (again - died, shown - died);
        say(&format!(
            "the program was killed: started again after {restarted_s:.2} s, its screen after {shown_s:.1} s"
        ));
        match restarted_s <= RESTARTED_S_MAX {
            true => Ok(()),
            false => Err(Fault::Tool("it was not started again in time".into())),
        }
    }

    /// The machine's own time of the next line with this text, in seconds.
    pub(super) fn when(&mut self, text: &str) -> Result<f64, Fault> {
        self.wait_for(text)?;
        let stamp = self.machine.stamp();
        stamp.ok_or_else(|| Fault::Tool(format!("no time in the line with {text:?}")))
    }
}

/// A terminal that was not set up says so in the journal when its screen is up.
const FIRST_SCREEN: &str = "not set up: waiting";
/// Issue 6.
const RATIO_MAX: f64 = 3.0;
const RESTARTED_S_MAX: f64 = 2.0;
const KILLER: &str =
    "until [ -b /dev/sda ]; do sleep 1; done; systemctl kill -s KILL kiosk.service";
