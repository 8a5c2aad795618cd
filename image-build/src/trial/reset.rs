//! The authority orders a terminal to begin anew: it waits to be set up, is set up with the keys that it had, and its
//! store is the one that it had.

use super::{Counter, Trial, outside};
use crate::fault::Fault;
use crate::machine::{Ports, copy_of};
use crate::scene::{Centre, setup_stick};
use crate::workshop::say;

impl Trial {
    /// On a copy of the disk that `visit` set up.
    pub(super) fn reset(&self) -> Result<(), Fault> {
        let disk = copy_of(&self.set_up()?, &self.shop.path("trial/reset"))?;
        let centre = Centre::serving(&self.shop, &self.programs)?;
        let order = centre.reset_stick(&self.shop)?;
        let (setup, code) = setup_stick(&self.shop)?;
        let authority_port = Some(centre.port);
        let ports = Ports { authority_port, credentials: outside(LOOK), ..Ports::default() };
        let mut counter = self.switch_on("reset", &disk, &ports)?;
        counter.serves()?;
        let before = counter.store()?;
        counter.machine.plug(&self.shop, &order)?;
        counter.wait_for("reset.kiosk was taken")?;
        counter.wait_for("the site was set aside")?;
        counter.wait_for("not set up: waiting")?;
        counter.picture("begins-anew")?;
        counter.machine.plug(&self.shop, &setup)?;
        counter.wait_for("setup.kiosk was taken")?;
        counter.picture("code")?;
        counter.enter(None, &code, "setting-up", "screen page=\"sign-in\"")?;
        counter.picture("set-up-again")?;
        let after = counter.store()?;
        say(&format!("the store before and after: {before}; {after}"));
        match before == after {
            true => Ok(()),
            false => Err(Fault::Tool("the store is another one".into())),
        }
    }
}

impl Counter<'_> {
    /// What the unit from outside says of the store next.
    fn store(&mut self) -> Result<String, Fault> {
        self.wait_for("look: store ")?;
        Ok(self.machine.rest_of_line())
    }
}

/// The files' identities on the data partition, and how many bytes the second copy of all records has.
const LOOK: &str = "while sleep 20; do echo look: store \
    $$(stat -c %%i /data/kiosk/store.key /data/kiosk/store/store.db) \
    $$(stat -c %%s /data/kiosk/store/journal*); done";
