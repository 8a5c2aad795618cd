//! Updates on a terminal that was set up: a good one, a damaged slot, power cuts in the middle, one that does not work.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::{Counter, Trial};
use crate::disk::start_of;
use crate::fault::Fault;
use crate::image::{Image, image};
use crate::machine::{Ports, copy_of};
use crate::root::{Release, copy, make};
use crate::slot::fat;
use crate::workshop::{remove, say};

impl Trial {
    /// See the module's head.
    pub(super) fn update(&self) -> Result<(), Fault> {
        let two = self.edition("0.1.1", false)?;
        let three = self.edition("0.1.2-broken", true)?;
        let set_up = self.shop.path("trial/visit/disk.img");
        if !set_up.exists() {
            return Err(Fault::Tool("no terminal that was set up; try `visit` first".into()));
        }
        let disk = copy_of(&set_up, &self.shop.path("trial/update"))?;
        self.good(&disk, &self.stick("two", &two)?)?;
        self.damaged(&disk)?;
        self.cut_and_broken(&disk, &self.stick("three", &three)?)
    }

    /// From slot A to slot B, with its store and its site.
    fn good(&self, disk: &Path, stick: &Path) -> Result<(), Fault> {
        let mut counter = self.on(disk)?;
        counter.serves("a")?;
        counter.wait_for("marked slot rootfs.0 as good")?;
        counter.machine.plug(&self.shop, stick)?;
        counter.wait_for("update.raucb was taken")?;
        counter.wait_for("the update is installed")?;
        say("the good update is installed");
        counter.serves("b")?;
        counter.picture("second-edition")?;
        counter.wait_for("marked slot rootfs.1 as good")?;
        say("the second edition runs and was found good");
        Ok(())
    }

    /// One block of the running slot is another: the checked root refuses, and the other slot starts.
    fn damaged(&self, disk: &Path) -> Result<(), Fault> {
        let start = start_of(&self.shop, disk, "root-b")?;
        let file = fs::OpenOptions::new().write(true).open(disk);
        file.and_then(|file| file.write_all_at(&[0xa5; 4096], start))
            .map_err(|e| Fault::write(disk, e))?;
        let mut counter = self.on(disk)?;
        for left in ["B=2", "B=1", "B=0"] {
            counter.wait_for(&format!("kiosk-boot: slot b A=3 {left}"))?;
        }
        counter.serves("a")?;
        say("after a damaged block the other slot serves");
        counter.wait_for("marked slot rootfs.0 as good")
    }

    /// The bundle stays on the data partition, so each start goes on with the installation until it is cut again.
    fn cut_and_broken(&self, disk: &Path, stick: &Path) -> Result<(), Fault> {
        let mut counter = self.on(disk)?;
        counter.serves("a")?;
        counter.machine.plug(&self.shop, stick)?;
        counter.wait_for("update.raucb was taken")?;
        for after_s in CUTS_S {
            counter.wait_for(INSTALLING)?;
            thread::sleep(Duration::from_secs(after_s));
            counter.machine.cut();
            say(&format!("power cut {after_s} s into an installation"));
            counter = self.on(disk)?;
            counter.serves("a")?;
        }
        counter.wait_for("the update is installed")?;
        for left in ["B=2", "B=1", "B=0"] {
            counter.wait_for(&format!("kiosk-boot: slot b A=3 {left}"))?;
            counter.wait_for("does not work; the other slot has 3 tries")?;
        }
        counter.serves("a")?;
        counter.picture("rolled-back")?;
        say("an edition that does not work was tried three times; the one before serves again");
        Ok(())
    }

    fn on(&self, disk: &Path) -> Result<Counter<'_>, Fault> {
        // At night a timer does this; the unit does not wait for the night.
        let unit = "[Service]\nExecStart=/bin/sh -c 'while sleep 5; do \
            if [ -e /data/updates/update.raucb ]; then systemctl start kiosk-update.service; fi; done'\n";
        let credentials = vec![("systemd.extra-unit.t.service".into(), unit.into())];
        self.switch_on("update", disk, &Ports { credentials, ..Ports::default() })
    }

    fn edition(&self, version: &str, is_spoilt: bool) -> Result<Image, Fault> {
        let mut order = self.order.clone();
        order.release = Release { version: version.into(), is_spoilt };
        image(&order)
    }

    /// A stick with an update.
    fn stick(&self, name: &str, edition: &Image) -> Result<PathBuf, Fault> {
        let onto = self.shop.path(&format!("trial/stick-{name}.d"));
        remove(&onto)?;
        make(&onto)?;
        copy(&edition.bundle, &onto.join("update.raucb"))?;
        let stick = self.shop.path(&format!("trial/stick-{name}.img"));
        fat(&self.shop, &onto, &stick, STICK_MIB, "CHANGQING")?;
        remove(&onto)?;
        Ok(stick)
    }
}

impl Counter<'_> {
    /// This slot starts and the kiosk serves in it: set up, so somebody may sign in.
    fn serves(&mut self, slot: &str) -> Result<(), Fault> {
        self.wait_for(&format!("kiosk-boot: slot {slot} "))?;
        self.wait_for("screen page=\"sign-in\"")?;
        say(&format!("slot {slot} serves after {} s", self.machine.elapsed().as_secs()));
        Ok(())
    }
}

const INSTALLING: &str = "installing /data/updates/update.raucb";
/// Seconds into an installation.
const CUTS_S: [u64; 2] = [4, 15];
const STICK_MIB: u64 = 256;
