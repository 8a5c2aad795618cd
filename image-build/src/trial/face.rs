//! From a face to a receipt: somebody sits before the kernel's virtual camera, lays a card down, is seen, coached and
//! judged; and as there is nothing yet that the machine could compare the face with, two people say who it is.

use std::thread;
use std::time::Duration;

use people::Person;
use serde_json::Value;

use super::visit::AGREE;
use super::{Counter, Trial, outside};
use crate::fault::Fault;
use crate::machine::copy_of;
use crate::scene::{Centre, Devices, SEED};
use crate::sitter::sitter;
use crate::variant::Variant;
use crate::workshop::say;

impl Trial {
    /// On a copy of the disk that `visit` set up. The papers are left out, so what is judged ends in an appeal.
    pub(super) fn face(&self) -> Result<(), Fault> {
        let folder = self.shop.path("trial/face");
        let disk = copy_of(&self.set_up()?, &folder)?;
        let suite = Variant::read(&self.order.root, &self.order.variant)?.suite;
        let stick = sitter(&self.shop, &suite, &Person::generate(SEED, 0))?;
        let mut devices = Devices::set(&self.programs, &folder.join("devices"))?;
        let centre = Centre::serving(&self.shop, &self.programs)?;
        let mut ports = devices.ports()?;
        ports.authority_port = Some(centre.port);
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
        counter.judged()?;
        counter.appeal()?;
        counter.delivered()?;
        let records = centre.records()?;
        say(&format!("the centre has {records}"));
        // Whoever decides sees the face.
        let is_filed = |it: &Value| it["content"]["outcome"] == FILED && it["pictures"] == 1;
        match records.as_array().is_some_and(|all| all.iter().any(is_filed)) {
            true => Ok(()),
            false => Err(Fault::Tool("the centre has no appeal with a picture".into())),
        }
    }
}

impl Counter<'_> {
    fn judged(&mut self) -> Result<(), Fault> {
        self.has_said("camera gives frames")?;
        say("the camera's frames reach the terminal");
        thread::sleep(WATCHED);
        self.picture("face-watched")?;
        self.page("judge")
    }

    /// Two people say yes: whoever signed in, and a supervisor.
    fn appeal(&mut self) -> Result<(), Fault> {
        self.touch_to(APPEAL, "choice")?;
        self.touch_to(AGED, "witness")?;
        self.enter(Some(SUPERVISOR), SUPERVISORS_PIN, "supervisor", "screen page=\"result\"")
    }
}

/// The stick brings who sits down.
const SEATED: &str = "until [ -b /dev/sda ]; do sleep 1; done; \
    mkdir -p /run/sitter; mount -o ro /dev/sda /run/sitter; sh /run/sitter/feed /run/sitter";
/// In the third of three columns; the first of the people has no reference yet.
const NEW_FACE: (u32, u32) = (661, 357);
const CANNOT: (u32, u32) = (400, 434);
/// In the second of four columns; the first of the reasons; the second of two names.
const APPEAL: (u32, u32) = (302, 434);
const AGED: (u32, u32) = (204, 279);
const SUPERVISOR: (u32, u32) = (317, 240);
/// Of the demonstration's supervisor.
const SUPERVISORS_PIN: &str = "246802";
/// What the record says that came of it.
const FILED: &str = "APPEAL_FILED";
/// From the first frame to a picture of it on the page.
const WATCHED: Duration = Duration::from_secs(40);
