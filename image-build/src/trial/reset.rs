//! The authority orders a terminal to begin anew: it waits to be set up, is set up with the keys that it had and an address
//! of its own, and its store is the one that it had. All that on a panel that is mounted otherwise than the variant's, so that
//! picture and touches are turned.

use super::{Counter, Trial, outside};
use crate::fault::Fault;
use crate::machine::{Ports, copy_of};
use crate::scene::{Centre, HOST, moving_stick};
use crate::workshop::say;

impl Trial {
    /// On a copy of the disk that `visit` set up.
    pub(super) fn reset(&self) -> Result<(), Fault> {
        let disk = copy_of(&self.set_up()?, &self.shop.path("trial/reset"))?;
        let centre = Centre::serving(&self.shop, &self.programs)?;
        let order = centre.reset_stick(&self.shop)?;
        let (setup, code) = moving_stick(&self.shop, ADDRESS)?;
        let authority_port = Some(centre.port);
        let asks = format!("busybox nc -w 5 {HOST} {} < /dev/null > /dev/null", centre.port);
        let credentials =
            outside(&format!("while sleep 20; do {STORE}; {LINE}; {asks} && {REACHED}; done"));
        let ports = Ports { authority_port, credentials, is_upright: true, ..Ports::default() };
        let mut counter = self.switch_on("reset", &disk, &ports)?;
        counter.wait_for("kiosk-init: slot ")?;
        counter.picture("starting")?;
        counter.wait_for("screen page=\"sign-in\"")?;
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
        if before != after {
            return Err(Fault::Tool("the store is another one".into()));
        }
        counter.wait_for(&format!("look: line {ADDRESS} and that is all"))?;
        counter.wait_for("look: the centre is reached")?;
        say(&format!("it has the address that the site gives, {ADDRESS}, and reaches the centre"));
        drop(counter);
        let mut counter = self.switch_on("reset-again", &disk, &ports)?;
        counter.wait_for(&format!("look: line {ADDRESS} and that is all"))?;
        counter.wait_for("look: the centre is reached")?;
        say("after a power cut it has it again");
        match counter.machine.console().contains(DHCP) {
            true => Err(Fault::Tool("the router was asked first".into())),
            false => Ok(()),
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

/// What networkd says when a router gave it an address.
const DHCP: &str = "DHCPv4 address";
/// At the new site; the old one's router gives another one.
const ADDRESS: &str = "10.0.2.77/24";
/// The files' identities on the data partition, and how many bytes the second copy of all records has.
const STORE: &str = "echo look: store $$(stat -c %%i /data/kiosk/store.key /data/kiosk/store/store.db) \
    $$(stat -c %%s /data/kiosk/store/journal*)";
/// All addresses of the line.
const LINE: &str = "echo look: line $$(ip -4 -o addr show scope global | tr -s \" \" | cut -d \" \" -f 4) \
    and that is all";
const REACHED: &str = "echo look: the centre is reached";
