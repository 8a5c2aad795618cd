//! `image-build trial`: the image in an emulated machine, driven from outside as people drive it: a stick, fingers on
//! the glass, a card, a finger on the module. Each screen is kept as a picture.

use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::fault::Fault;
use crate::image::{Order, image};
use crate::machine::{Machine, copy_of};
use crate::scene::Scene;
use crate::workshop::{Workshop, say};

/// Builds what is not there, then sets the terminal up and serves one person.
pub fn trial(order: &Order, programs: &Path) -> Result<(), Fault> {
    let built = image(order)?;
    let shop = Workshop::open(&order.cache)?;
    let folder = shop.path("trial");
    let disk = copy_of(&built.disk, &folder)?;
    let mut scene = Scene::set(&shop, &order.root, programs, &order.models)?;
    let mut ports = scene.ports()?;
    ports.credentials = credentials();
    let machine = Machine::start(&shop, &disk, &folder, &ports)?;
    let mut counter = Counter { shop: &shop, machine };
    counter.first_start()?;
    counter.set_up(&scene)?;
    counter.visit(&mut scene)?;
    counter.look()
}

/// The machine and who stands in front of it.
struct Counter<'a> {
    shop: &'a Workshop,
    machine: Machine,
}

impl Counter<'_> {
    fn first_start(&mut self) -> Result<(), Fault> {
        self.machine.wait_for(&["kiosk-boot: slot "], PATIENCE)?;
        say(&format!("boot loader chose slot {}", self.machine.rest_of_line()));
        self.machine.wait_for(&["kiosk-init: slot "], PATIENCE)?;
        say(&format!("verified root: slot {} of the machine's time", self.machine.rest_of_line()));
        self.machine.wait_for(&["not set up: waiting"], PATIENCE)?;
        self.picture("not-set-up")
    }

    fn set_up(&mut self, scene: &Scene) -> Result<(), Fault> {
        self.machine.plug(self.shop, &scene.stick)?;
        self.machine.wait_for(&["setup.kiosk was taken"], PATIENCE)?;
        thread::sleep(DRAWN);
        self.picture("code")?;
        self.digits(&scene.code)?;
        self.picture("code-entered")?;
        self.touch(ENTER)?;
        self.picture("setting-up")?;
        self.page("sign-in")
    }

    fn visit(&mut self, scene: &mut Scene) -> Result<(), Fault> {
        self.touch(FIRST_NAME)?;
        self.digits(PIN)?;
        self.picture("pin")?;
        self.touch(ENTER)?;
        self.page("waiting")?;
        let n_printed = scene.n_printed();
        scene.order("CARD 1")?;
        self.page("person")?;
        self.touch(BY_FINGER)?;
        self.page("consent")?;
        self.touch(AGREE)?;
        self.page("finger")?;
        scene.order("FINGER 1 right-thumb 3")?;
        self.page("result")?;
        scene.order("FINGER OFF")?;
        thread::sleep(SENT);
        self.picture("result-delivered")?;
        let records = scene.records()?;
        say(&format!("the centre has {records}"));
        say(&format!("the printer put {} bytes on paper", scene.n_printed() - n_printed));
        self.touch(DONE)?;
        scene.order("CARD OFF")?;
        self.page("waiting")?;
        if records.as_array().is_none_or(Vec::is_empty) || scene.n_printed() == n_printed {
            return Err(Fault::Tool("no record at the centre, or no slip".into()));
        }
        Ok(())
    }

    /// Figures that the units from outside put on the console.
    fn look(&mut self) -> Result<(), Fault> {
        for what in ["look: memory", "look: exposure"] {
            self.machine.wait_for(&[what], PATIENCE)?;
            say(&format!("{what}{}", self.machine.rest_of_line()));
        }
        Ok(())
    }

    /// Waits until the journal says that this page is shown, and takes a picture when it is drawn.
    fn page(&mut self, name: &str) -> Result<(), Fault> {
        self.machine.wait_for(&[&format!("screen page=\"{name}\"")], PATIENCE)?;
        say(&format!("page {name} after {} s", self.machine.elapsed().as_secs()));
        thread::sleep(DRAWN);
        self.picture(name)
    }

    fn picture(&mut self, name: &str) -> Result<(), Fault> {
        let file = self.machine.picture(self.shop, name)?;
        say(&format!("picture {}", file.display()));
        Ok(())
    }

    fn touch(&mut self, (x, y): (u32, u32)) -> Result<(), Fault> {
        self.machine.touch(x, y, SCREEN)?;
        thread::sleep(BETWEEN_TOUCHES);
        Ok(())
    }

    fn digits(&mut self, digits: &str) -> Result<(), Fault> {
        for digit in digits.bytes() {
            let key = match digit - b'0' {
                0 => (PAD_X[1], PAD_Y[3]),
                digit => (PAD_X[usize::from(digit - 1) % 3], PAD_Y[usize::from(digit - 1) / 3]),
            };
            self.touch(key)?;
        }
        Ok(())
    }
}

/// Units that look from inside and are no part of the image.
fn credentials() -> Vec<(String, String)> {
    // systemd takes single quotes, backslashes, `%` and single `$` for itself.
    let look = "while sleep 30; do \
        echo \"look: memory $$(systemctl show -P MemoryCurrent kiosk.service) \
        at most $$(systemctl show -P MemoryPeak kiosk.service)\"; \
        echo \"look: exposure $$(systemd-analyze security --no-pager kiosk.service | tail -n 1 | cut -d: -f2)\"; \
        done";
    let unit = format!("[Service]\nExecStart=/bin/sh -c '{look}'\n");
    // QEMU takes names of 55 letters; the variant `qemu` wants a unit of this one.
    vec![("systemd.extra-unit.t.service".into(), unit)]
}

/// As the variant `qemu` says.
const SCREEN: (u32, u32) = (800, 480);
/// Where the small screen has its pad, the first of the operators, and the buttons of the pages.
const PAD_X: [u32; 3] = [492, 612, 732];
const PAD_Y: [u32; 4] = [200, 272, 344, 415];
const ENTER: (u32, u32) = (PAD_X[2], PAD_Y[3]);
const FIRST_NAME: (u32, u32) = (111, 193);
const BY_FINGER: (u32, u32) = (400, 357);
const AGREE: (u32, u32) = (138, 432);
const DONE: (u32, u32) = (204, 432);
/// Of the demonstration's operator.
const PIN: &str = "135790";
/// An emulated machine on a busy one is slow.
const PATIENCE: Duration = Duration::from_secs(900);
const BETWEEN_TOUCHES: Duration = Duration::from_millis(700);
/// From the journal's line to pixels.
const DRAWN: Duration = Duration::from_secs(4);
/// From the result to the receipt of the centre and the slip.
const SENT: Duration = Duration::from_secs(40);
