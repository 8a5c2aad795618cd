//! A face is enrolled, without a network: somebody sits before the kernel's virtual camera, lays a card down, is seen,
//! coached and judged.

use std::thread;
use std::time::Duration;

use people::Person;

use super::visit::AGREE;
use super::{Counter, DRAWN, PATIENCE, Trial, outside};
use crate::fault::Fault;
use crate::machine::copy_of;
use crate::scene::{Devices, SEED};
use crate::sitter::sitter;
use crate::variant::Variant;
use crate::workshop::say;

impl Trial {
    /// On a copy of the disk that `visit` set up. How the face is judged is written down and not asked for: an emulated
    /// processor is too slow for the time that a person is given.
    pub(super) fn face(&self) -> Result<(), Fault> {
        let folder = self.shop.path("trial/face");
        let disk = copy_of(&self.set_up()?, &folder)?;
        let suite = Variant::read(&self.order.root, &self.order.variant)?.suite;
        let stick = sitter(&self.shop, &suite, &Person::generate(SEED, 0))?;
        let mut devices = Devices::set(&self.programs, &folder.join("devices"))?;
        let mut ports = devices.ports()?;
        ports.credentials = outside(SEATED);
        let mut counter = self.switch_on("face", &disk, &ports)?;
        counter.serves()?;
        counter.machine.plug(&self.shop, &stick)?;
        counter.wait_for("look: somebody sits down")?;
        counter.sign_in()?;
        devices.order("CARD 0")?;
        counter.page("person")?;
        counter.touch_to(NEW_FACE, "consent")?;
        counter.touch_to(AGREE, "document")?;
        // The card's two sides and the card in the hand are left out: nobody holds them before this camera.
        for _ in 0..2 {
            counter.touch(CANNOT)?;
        }
        counter.touch_to(CANNOT, "face")?;
        counter.judged()
    }
}

impl Counter<'_> {
    fn judged(&mut self) -> Result<(), Fault> {
        self.has_said("camera gives frames")?;
        say("the camera's frames reach the terminal");
        thread::sleep(WATCHED);
        self.picture("face-watched")?;
        let ends = ["screen page=\"judge\"", "screen page=\"result\""];
        let which = self.machine.wait_for(&ends, PATIENCE)?;
        thread::sleep(DRAWN);
        self.picture("face-judged")?;
        say(&format!("the face was seen; then: {}", ends[which]));
        Ok(())
    }
}

/// The stick brings who sits down.
const SEATED: &str = "until [ -b /dev/sda ]; do sleep 1; done; \
    mkdir -p /run/sitter; mount -o ro /dev/sda /run/sitter; sh /run/sitter/feed /run/sitter";
/// In the third of three columns; the first of the people has no reference yet.
const NEW_FACE: (u32, u32) = (661, 357);
const CANNOT: (u32, u32) = (400, 434);
/// From the first frame to a picture of it on the page.
const WATCHED: Duration = Duration::from_secs(40);
