//! Updates on a terminal that was set up: a good one whose installation loses its power ten times, then a damaged slot;
//! and an edition that does not work.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Counter, PATIENCE, Trial, outside};
use crate::disk::start_of;
use crate::fault::Fault;
use crate::image::{Image, image};
use crate::machine::{Ports, copy_of};
use crate::root::{Release, copy};
use crate::stick::{OURS, stick};
use crate::workshop::say;

impl Trial {
    /// See the module's head.
    pub(super) fn update(&self) -> Result<(), Fault> {
        let two = self.edition("0.1.1", false)?;
        let disk = copy_of(&self.set_up()?, &self.shop.path("trial/update"))?;
        let runs = self.good(&disk, &self.stick("two", &two)?)?;
        self.damaged(&disk, runs)
    }

    /// It starts, and cannot do what it is for.
    pub(super) fn rollback(&self) -> Result<(), Fault> {
        let three = self.edition("0.1.2-broken", true)?;
        let disk = copy_of(&self.set_up()?, &self.shop.path("trial/rollback"))?;
        let stick = self.stick("three", &three)?;
        let mut counter = self.on("rollback", &disk, "")?;
        let runs = counter.serves()?;
        counter.wait_for(runs.found_good())?;
        counter.machine.plug(&self.shop, &stick)?;
        counter.wait_for("update.raucb was taken")?;
        counter.wait_for("the update is installed")?;
        for left in [2, 1, 0] {
            counter.wait_for(&runs.other().starts())?;
            say(&format!("the broken edition starts, {left} tries left"));
            counter.wait_for("does not work; the other slot has 3 tries")?;
        }
        counter.serves_in(runs)?;
        counter.picture("rolled-back")?;
        say("an edition that does not work was tried three times; the one before serves again");
        counter.has_said("the update is left out: it was tried and did not work")?;
        say("and is not taken from the stick again");
        Ok(())
    }

    /// The disk that `visit` left.
    pub(super) fn set_up(&self) -> Result<PathBuf, Fault> {
        let disk = self.shop.path("trial/visit/disk.img");
        let missing = || Fault::Tool("no terminal that was set up; try `visit` first".into());
        disk.exists().then_some(disk).ok_or_else(missing)
    }

    /// From slot A to slot B, with its store and its site; returns the slot that runs at last. The bundle stays on the
    /// data partition until it is installed, so each start goes on with the installation, and the power goes again.
    fn good(&self, disk: &Path, stick: &Path) -> Result<Slot, Fault> {
        let hurried = format!("if [ -e /data/updates/update.raucb ]; then {HURRIED} fi;");
        let mut counter = self.on("update", disk, HURRIED)?;
        let mut runs = counter.serves()?;
        counter.machine.plug(&self.shop, stick)?;
        counter.wait_for("update.raucb was taken")?;
        for (i, moment) in CUTS.iter().enumerate() {
            counter.wait_for(INSTALLING)?;
            counter.wait_for(moment)?;
            counter.machine.cut();
            say(&format!("power cut {} at {moment:?}", i + 1));
            counter = self.on("update", disk, &hurried)?;
            // The last one may come after RAUC's last word: then the new edition runs, and is installed once more.
            runs = counter.serves()?;
        }
        counter.wait_for("the update is installed")?;
        say("the good update is installed");
        counter.serves_in(runs.other())?;
        counter.picture("second-edition")?;
        counter.wait_for(runs.other().found_good())?;
        say("the second edition runs and was found good");
        Ok(runs.other())
    }

    /// One block of the running slot is another: the checked root refuses, and the other slot starts.
    fn damaged(&self, disk: &Path, runs: Slot) -> Result<(), Fault> {
        let start = start_of(&self.shop, disk, &format!("root-{}", runs.0))?;
        let file = fs::OpenOptions::new().write(true).open(disk);
        file.and_then(|file| file.write_all_at(&[0xa5; 4096], start))
            .map_err(|e| Fault::write(disk, e))?;
        let mut counter = self.on("update", disk, "")?;
        for left in [2, 1, 0] {
            counter.wait_for(&runs.starts())?;
            say(&format!("the damaged slot starts, {left} tries left"));
        }
        counter.serves_in(runs.other())?;
        counter.picture("other-slot")?;
        say("after a damaged block the other slot serves");
        counter.wait_for(runs.other().found_good())
    }

    /// With a unit from outside that does not wait for the night, in which a timer does this.
    fn on(&self, part: &str, disk: &Path, before: &str) -> Result<Counter<'_>, Fault> {
        let words = format!(
            "{before} while sleep 5; do \
            if [ -e /data/updates/update.raucb ]; then systemctl start kiosk-update.service; fi; done"
        );
        self.switch_on(part, disk, &Ports { credentials: outside(&words), ..Ports::default() })
    }

    pub(super) fn edition(&self, version: &str, is_spoilt: bool) -> Result<Image, Fault> {
        let mut order = self.order.clone();
        order.release = Release { version: version.into(), is_spoilt };
        image(&order)
    }

    /// A stick with an update.
    fn stick(&self, name: &str, edition: &Image) -> Result<PathBuf, Fault> {
        stick(&self.shop, name, OURS, |onto| copy(&edition.bundle, &onto.join("update.raucb")))
    }
}

impl Counter<'_> {
    /// A slot starts and the kiosk serves in it: set up, so somebody may sign in.
    pub(super) fn serves(&mut self) -> Result<Slot, Fault> {
        let slots = [Slot('a'), Slot('b')];
        let starts = slots.map(|slot| slot.starts());
        let which = self.machine.wait_for(&[&starts[0], &starts[1]], PATIENCE)?;
        self.wait_for("screen page=\"sign-in\"")?;
        let (slot, after) = (slots[which], self.machine.elapsed().as_secs());
        say(&format!("slot {} serves after {after} s", slot.0));
        Ok(slot)
    }

    pub(super) fn serves_in(&mut self, slot: Slot) -> Result<(), Fault> {
        match self.serves()? {
            found if found == slot => Ok(()),
            found => Err(Fault::Tool(format!("slot {} serves, not {}", found.0, slot.0))),
        }
    }
}

/// `a` or `b`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(char);

impl Slot {
    pub(super) fn other(self) -> Self {
        Self(if self.0 == 'a' { 'b' } else { 'a' })
    }

    /// What the boot loader says.
    fn starts(self) -> String {
        format!("kiosk-boot: slot {} ", self.0)
    }

    /// What RAUC says.
    pub(super) fn found_good(self) -> &'static str {
        if self.0 == 'a' { "marked slot rootfs.0 as good" } else { "marked slot rootfs.1 as good" }
    }
}

const INSTALLING: &str = "installing /data/updates/update.raucb";
/// When the power goes: what RAUC says of an installation, from its first look at the bundle to the last of the copy.
const CUTS: [&str; 10] = [
    "Installing",
    "Verifying signature",
    "Determining target install group",
    "Copying image to rootfs",
    "50% Copying image to rootfs",
    "62% Copying image to rootfs",
    "Copying image to boot",
    "85% Copying image to boot",
    "97% Copying image to boot",
    "Updating slots done",
];
/// The health check takes minutes on an emulated processor; in the starts between the cuts a word takes its place. The
/// edition that is installed at last has to pass it.
const HURRIED: &str = "hurried=/run/systemd/system/kiosk-good.service.d; mkdir -p $$hurried; \
    { echo [Service]; echo ExecStart=; echo \"ExecStart=/usr/bin/rauc status mark-good\"; } > $$hurried/hurried.conf; \
    systemctl daemon-reload; systemctl restart kiosk-good.service;";
