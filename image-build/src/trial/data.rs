//! A data partition that does not open: the terminal does not serve, and its screen says why. One that runs full or
//! becomes read-only: told at the counter.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::visit::LARGER_MIB;
use super::{Trial, outside};
use crate::disk::start_of;
use crate::fault::Fault;
use crate::machine::{Ports, copy_of, enlarge};
use crate::workshop::say;

impl Trial {
    /// On a terminal that was set up and has served: a header that no key opens, and a file system that is beyond
    /// repair. Neither is made anew.
    pub(super) fn data(&self) -> Result<(), Fault> {
        let set_up = self.set_up()?;
        for (what, first, code) in
            [("header", 0, "err-data-key"), ("file system", FILES_AT, "err-data-files")]
        {
            let disk = copy_of(&set_up, &self.shop.path("trial/data"))?;
            let at = start_of(&self.shop, &disk, "data")? + first;
            spoil(&disk, at, BROKEN)?;
            self.is_told(&disk, what, code)?;
        }
        self.keys(&set_up)?;
        self.hindered(&set_up)
    }

    fn is_told(&self, disk: &Path, what: &str, code: &str) -> Result<(), Fault> {
        let mut counter = self.switch_on("data", disk, &Ports::default())?;
        counter.wait_for(&format!("the terminal cannot serve code=\"{code}\""))?;
        // Until then the picture of the start stands there.
        thread::sleep(DRAWN);
        counter.picture(code)?;
        say(&format!("a broken {what} is told: {code}"));
        Ok(())
    }

    /// A card that lost one copy of the key serves on and has both again; without either it says so, and the partition
    /// stays as it is.
    fn keys(&self, set_up: &Path) -> Result<(), Fault> {
        let disk = copy_of(set_up, &self.shop.path("trial/data"))?;
        let at = start_of(&self.shop, &disk, "key")?;
        let copies = [at, at + COPY];
        for one in copies {
            spoil(&disk, one, SECTOR)?;
            let mut counter = self.switch_on("data", &disk, &Ports::default())?;
            counter.wait_for("screen page=\"sign-in\"")?;
            say("with one copy of the key the terminal serves");
        }
        let [first, second] = copies.map(|at| read_at(&disk, at));
        if first? != second? {
            return Err(Fault::Tool("the copy of the key was not made good".into()));
        }
        for one in copies {
            spoil(&disk, one, SECTOR)?;
        }
        self.is_told(&disk, "key in both copies", "err-data-key")
    }

    /// A partition that runs full and one that the kernel makes read-only, under a terminal that serves: told before
    /// the next person sits down. Its content came onto a larger card, and the file system took that first.
    fn hindered(&self, set_up: &Path) -> Result<(), Fault> {
        let disk = copy_of(set_up, &self.shop.path("trial/data"))?;
        enlarge(&disk, LARGER_MIB)?;
        let ports = Ports { credentials: outside(HINDERED), ..Ports::default() };
        let mut counter = self.switch_on("data", &disk, &ports)?;
        counter.grown()?;
        counter.wait_for("screen page=\"sign-in\"")?;
        counter.wait_for("as good")?;
        for (what, code) in [("full", "err-store-full"), ("read-only", "err-store-read-only")] {
            let stick = self.empty_stick(what)?;
            counter.machine.plug(&self.shop, &stick)?;
            counter.wait_for(&format!("look: {what} "))?;
            let mib = counter.machine.rest_of_line();
            say(&format!("the file system has {mib} MiB"));
            if !mib.parse().is_ok_and(|mib: u64| mib >= GROWN_MIB) {
                return Err(Fault::Tool("the file system did not take the card".into()));
            }
            counter.sign_in()?;
            counter.has_said(&format!("trouble device=\"device-store\" code=\"{code}\""))?;
            counter.picture(code)?;
            say(&format!("a data partition that is {what} is told: {code}"));
            counter.touch(SIGN_OUT)?;
            counter.wait_for("screen page=\"sign-in\"")?;
        }
        Ok(())
    }
}

/// So many bytes of a disk become other ones.
fn spoil(disk: &Path, at: u64, n: usize) -> Result<(), Fault> {
    let file = fs::OpenOptions::new().write(true).open(disk);
    file.and_then(|file| file.write_all_at(&vec![0xa5; n], at)).map_err(|e| Fault::write(disk, e))
}

fn read_at(disk: &Path, at: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; SECTOR];
    let file = fs::File::open(disk);
    file.and_then(|file| file.read_exact_at(&mut bytes, at)).map_err(|e| Fault::read(disk, e))?;
    Ok(bytes)
}

/// Two sticks are the signs to begin. The kernel's own way to make everything read-only is that of a failing card.
const HINDERED: &str = "until [ -b /dev/sda ]; do sleep 1; done; \
    fallocate -l $$(df --output=avail --block-size=1 /data | tail -n 1) /data/fill; \
    dd if=/dev/zero of=/data/rest bs=64K; sync; \
    echo look: full $$(df --output=size --block-size=1M /data | tail -n 1); \
    until [ -b /dev/sdb ]; do sleep 1; done; \
    rm /data/fill /data/rest; sync; echo u > /proc/sysrq-trigger; sleep 5; \
    echo look: read-only $$(df --output=size --block-size=1M /data | tail -n 1); sleep 900";
/// What a file system has at least that grew twice, in the visit and here, less its own tables.
const GROWN_MIB: u64 = 1024 + 2 * LARGER_MIB - 256;
/// From the last line of a start that fails to pixels.
const DRAWN: Duration = Duration::from_secs(30);
const SIGN_OUT: (u32, u32) = (692, 434);

/// Where LUKS2 lets the encrypted file system begin; the header has two copies before it.
const FILES_AT: u64 = 16 << 20;
const BROKEN: usize = 1 << 20;
/// From one copy of the key to the other, as `open-data` has them.
const COPY: u64 = 512 << 10;
const SECTOR: usize = 512;
