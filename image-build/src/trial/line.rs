//! What comes over the line: the centre's time, by which the machine's clock is set, and an update that the authority
//! offers, which is fetched in the background and installed.

use super::{Trial, outside};
use crate::fault::Fault;
use crate::machine::{Ports, copy_of};
use crate::scene::Centre;
use crate::workshop::say;

impl Trial {
    /// On the disk that `visit` set up, with the authority that it knows. Needs neither a stick nor a finger.
    pub(super) fn line(&self) -> Result<(), Fault> {
        let two = self.edition(EDITION, false)?;
        let disk = copy_of(&self.set_up()?, &self.shop.path("trial/line"))?;
        let offer = (self.order.variant.as_str(), EDITION, two.bundle.as_path());
        let centre = Centre::offering(&self.shop, &self.programs, offer)?;
        let authority_port = Some(centre.port);
        let ports = Ports { credentials: outside(NIGHT), authority_port, ..Ports::default() };
        let mut counter = self.switch_on("line", &disk, &ports)?;
        let runs = counter.serves()?;
        counter.has_said("the clock was set")?;
        say("the machine's clock was set by the centre's time");
        counter.has_said(&format!("update edition=\"{EDITION}\" fetched"))?;
        say("the update was fetched");
        counter.has_said("what the terminal fetched was taken")?;
        counter.wait_for("the update is installed")?;
        counter.serves_in(runs.other())?;
        counter.picture("fetched-edition")?;
        counter.wait_for(runs.other().found_good())?;
        say("the edition that came over the line runs and was found good");
        Ok(())
    }
}

const EDITION: &str = "0.1.1";
/// It is night as soon as an update lies there.
const NIGHT: &str = "while sleep 5; do \
    if [ -e /data/kiosk/update/update.raucb ]; then systemctl start kiosk-update.service; fi; done";
