//! A data partition that does not open: the terminal does not serve, and its screen says why.

use std::fs;
use std::os::unix::fs::FileExt;

use super::Trial;
use crate::disk::start_of;
use crate::fault::Fault;
use crate::machine::{Ports, copy_of};
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
            let file = fs::OpenOptions::new().write(true).open(&disk);
            file.and_then(|file| file.write_all_at(&vec![0xa5; BROKEN], at))
                .map_err(|e| Fault::write(&disk, e))?;
            let mut counter = self.switch_on("data", &disk, &Ports::default())?;
            counter.wait_for(&format!("the terminal cannot serve code=\"{code}\""))?;
            counter.picture(code)?;
            say(&format!("a broken {what} is told: {code}"));
        }
        Ok(())
    }
}

/// Where LUKS2 lets the encrypted file system begin; the header has two copies before it.
const FILES_AT: u64 = 16 << 20;
const BROKEN: usize = 1 << 20;
