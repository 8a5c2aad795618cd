//! `image-build trial`: the image in an emulated machine, driven from outside as people drive it: a stick, fingers on
//! the glass, a card, a finger on the module. Each screen is kept as a picture.

mod boot;
mod data;
mod face;
mod line;
mod pi;
mod reset;
mod update;
mod visit;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;

use crate::cross;
use crate::fault::Fault;
use crate::image::{Image, Order, disk_of_cached, image};
use crate::machine::{Machine, Ports};
use crate::tree::sum_file;
use crate::variant::Variant;
use crate::workshop::{Workshop, remove, say};

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Compiles and packs everything a second time: the same root hash.
    Twice,
    /// Boots to the first screen.
    Screen,
    /// Boot time against the same kernel with an empty init.
    Boot,
    /// First start, set-up from a stick, a visit from card to receipt.
    Visit,
    /// A face before the virtual camera, and an appeal. On a copy of the disk of `visit`.
    Face,
    /// A data partition that does not open. Breaks copies of the disk of `visit`.
    Data,
    /// An update whose installation loses its power ten times, then a damaged slot. On a copy of the disk of `visit`.
    Update,
    /// An update that does not work. On another copy.
    Rollback,
    /// The centre's time and an update that it offers, over the network. On another copy.
    Line,
    /// The authority orders the terminal to begin anew. On another copy.
    Reset,
    /// The pins of an emulated Raspberry Pi 3.
    Pi,
}

/// Builds what is not there, then tries the parts in this order.
pub fn trial(order: &Order, programs: &Path, parts: &[Part]) -> Result<(), Fault> {
    let built = image(order)?;
    let size = fs::metadata(&built.bundle).map_err(|e| Fault::read(&built.bundle, e))?.len();
    say(&format!("the update is {:.1} MB", size as f64 / 1e6));
    if size > BUNDLE_MAX {
        return Err(Fault::TooLarge("the update".into(), size, BUNDLE_MAX));
    }
    let shop = Workshop::open(&order.cache)?;
    let trial = Trial { shop, order: order.clone(), programs: programs.into(), built };
    for part in parts {
        say(&format!("trial: {part:?}"));
        match part {
            Part::Twice => trial.twice()?,
            Part::Screen => trial.screen()?,
            Part::Boot => trial.boot()?,
            Part::Visit => trial.visit()?,
            Part::Face => trial.face()?,
            Part::Data => trial.data()?,
            Part::Update => trial.update()?,
            Part::Rollback => trial.rollback()?,
            Part::Line => trial.line()?,
            Part::Reset => trial.reset()?,
            Part::Pi => trial.pi()?,
        }
    }
    Ok(())
}

/// Boots what an earlier build left in the cache to its first screen.
pub fn first_screen(order: &Order) -> Result<(), Fault> {
    let shop = Workshop::open(&order.cache)?;
    let folder = shop.path("trial/quick");
    let disk = folder.join("disk.img");
    disk_of_cached(order, &disk)?;
    let machine = Machine::start(&shop, &disk, &folder, &Ports::default())?;
    Counter { shop: &shop, machine }.first_screen()
}

/// What all parts need.
struct Trial {
    shop: Workshop,
    order: Order,
    programs: PathBuf,
    built: Image,
}

impl Trial {
    /// Compiled in another folder, so that neither what is kept there nor its name is in the bytes; then all that is done
    /// with the programs.
    fn twice(&self) -> Result<(), Fault> {
        let before = sum_file(&self.built.slot)?;
        let mut order = self.order.clone();
        if order.bin.is_none() {
            let variant = Variant::read(&order.root, &order.variant)?;
            let target = self.shop.path("trial/compiled-again");
            remove(&target)?;
            order.bin =
                Some(cross::kiosk(&self.shop, &order.root, &variant, order.compiler, &target)?);
        }
        let folder = self.shop.path(&self.order.variant);
        for made in ["initrd", "staged", &format!("{}/root", self.order.release.version)] {
            remove(&folder.join(made))?;
        }
        let again = image(&order)?;
        say(&format!("root hashes {} and {}", self.built.hash, again.hash));
        if again.hash == self.built.hash && sum_file(&again.slot)? == before {
            return Ok(());
        }
        Err(Fault::Tool("two builds of the same inputs are not the same".into()))
    }

    /// A stick with nothing on it: a sign for a unit from outside.
    fn empty_stick(&self, name: &str) -> Result<PathBuf, Fault> {
        let stick = self.shop.path(&format!("trial/stick-{name}.img"));
        let empty = fs::File::create(&stick).and_then(|file| file.set_len(1 << 20));
        empty.map_err(|e| Fault::write(&stick, e))?;
        Ok(stick)
    }

    /// A machine of this part in a folder of its own.
    fn switch_on(&self, part: &str, disk: &Path, ports: &Ports) -> Result<Counter<'_>, Fault> {
        let folder = self.shop.path("trial").join(part);
        let machine = Machine::start(&self.shop, disk, &folder, ports)?;
        Ok(Counter { shop: &self.shop, machine })
    }
}

/// A unit that a trial brings from outside and that is no part of the image: runs these words of a shell. systemd takes
/// single quotes, backslashes, `%` and single `$` for itself; QEMU takes names of 55 letters, and the variant `qemu` wants
/// a unit of this one.
fn outside(words: &str) -> Vec<(String, String)> {
    let unit = format!("[Service]\nExecStart=/bin/sh -c '{words}'\n");
    vec![("systemd.extra-unit.t.service".into(), unit)]
}

/// The machine and who stands in front of it.
struct Counter<'a> {
    shop: &'a Workshop,
    machine: Machine,
}

impl Counter<'_> {
    fn wait_for(&mut self, text: &str) -> Result<(), Fault> {
        self.machine.wait_for(&[text], PATIENCE).map(drop)
    }

    /// Where it is chance which of two things is said first: this one may stand before the end of the last wait.
    fn has_said(&mut self, text: &str) -> Result<(), Fault> {
        if self.machine.console().contains(text) { Ok(()) } else { self.wait_for(text) }
    }

    /// Waits until the journal says that this page is shown, and takes a picture when it is drawn.
    fn page(&mut self, name: &str) -> Result<(), Fault> {
        self.wait_for(&format!("screen page=\"{name}\""))?;
        say(&format!("page {name} after {} s", self.machine.elapsed().as_secs()));
        self.picture(name)
    }

    /// Touches what leads to a page. On a machine that is busy a touch may be lost, as with people: then once more.
    fn touch_to(&mut self, at: (u32, u32), page: &str) -> Result<(), Fault> {
        let shown = format!("screen page=\"{page}\"");
        for _ in 0..TOUCHES_MAX {
            self.touch(at)?;
            if self.machine.wait_for(&[&shown], TOUCH_PATIENCE).is_ok() {
                say(&format!("page {page} after {} s", self.machine.elapsed().as_secs()));
                return self.picture(page);
            }
            say(&format!("no page {page} after a touch; once more"));
        }
        Err(Fault::Tool(format!("{TOUCHES_MAX} touches led to no page {page}")))
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
}

/// Issue 6: fonts, networks and packs included.
const BUNDLE_MAX: u64 = 250_000_000;
/// As the variant `qemu` says.
const SCREEN: (u32, u32) = (800, 480);
/// An emulated machine on a busy one is slow.
const PATIENCE: Duration = Duration::from_secs(900);
const BETWEEN_TOUCHES: Duration = Duration::from_millis(1500);
const TOUCHES_MAX: u32 = 4;
const TOUCH_PATIENCE: Duration = Duration::from_secs(45);
