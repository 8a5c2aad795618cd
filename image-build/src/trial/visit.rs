//! From the works' state to a receipt: not set up, the stick, the code, signing in, a card, a finger, the slip.

use std::thread;
use std::time::{Duration, Instant};

use super::{Counter, Trial, outside};
use crate::fault::Fault;
use crate::machine::{copy_of, enlarge};
use crate::scene::Scene;
use crate::workshop::say;

impl Trial {
    /// A new terminal is set up and serves one person. The disk stays for [`super::Part::Update`].
    pub(super) fn visit(&self) -> Result<(), Fault> {
        let disk = copy_of(&self.built.disk, &self.shop.path("trial/visit"))?;
        enlarge(&disk, LARGER_MIB)?;
        let mut scene =
            Scene::set(&self.shop, &self.order.root, &self.programs, &self.order.models)?;
        let mut ports = scene.ports()?;
        ports.credentials = outside(&format!("{LOOK} {HELPERS} {LAST}"));
        let mut counter = self.switch_on("visit", &disk, &ports)?;
        counter.first_start()?;
        counter.set_up(&scene)?;
        counter.serve(&mut scene)?;
        counter.machine.plug(&self.shop, &scene.foreign_sticks[1])?;
        counter.look()?;
        counter.empty_battery()?;
        counter.has_spoken()
    }
}

impl Counter<'_> {
    fn first_start(&mut self) -> Result<(), Fault> {
        self.wait_for("kiosk-boot: slot ")?;
        say(&format!("boot loader chose slot {}", self.machine.rest_of_line()));
        self.wait_for("kiosk-init: slot ")?;
        say(&format!("verified root: slot {} of the machine's time", self.machine.rest_of_line()));
        self.picture("starting")?;
        self.grown()?;
        self.wait_for("not set up: waiting")?;
        self.picture("not-set-up")
    }

    /// The data partition took what the card has behind it.
    pub(super) fn grown(&mut self) -> Result<(), Fault> {
        self.wait_for("the data partition takes the rest of the card: ")?;
        say(&format!("the data partition on a larger card: {}", self.machine.rest_of_line()));
        Ok(())
    }

    fn set_up(&mut self, scene: &Scene) -> Result<(), Fault> {
        self.machine.plug_keyboard()?;
        self.machine.plug(self.shop, &scene.setup_stick)?;
        self.wait_for("setup.kiosk was taken")?;
        self.picture("code")?;
        self.enter(None, &scene.code, "setting-up", "screen page=\"sign-in\"")?;
        self.picture("sign-in")
    }

    pub(super) fn sign_in(&mut self) -> Result<(), Fault> {
        self.enter(Some(FIRST_NAME), PIN, "pin", "screen page=\"waiting\"")?;
        self.picture("waiting")
    }

    /// Touches whose digits they are, types them and waits for what they lead to. On a machine that is busy a touch may
    /// be lost, as with people: then all of it once more.
    pub(super) fn enter(
        &mut self,
        whose: Option<(u32, u32)>,
        digits: &str,
        name: &str,
        leads_to: &str,
    ) -> Result<(), Fault> {
        for _ in 0..TYPED_MAX {
            if let Some(whose) = whose {
                self.touch(whose)?;
            }
            self.digits(digits)?;
            self.picture(name)?;
            self.touch(ENTER)?;
            if self.machine.wait_for(&[leads_to], TYPED_PATIENCE).is_ok() {
                return Ok(());
            }
            say("the digits led to nothing; once more");
            for _ in 0..digits.len() {
                self.touch(ERASE)?;
            }
        }
        Err(Fault::Tool(format!("{name}: digits led to nothing")))
    }

    fn serve(&mut self, scene: &mut Scene) -> Result<(), Fault> {
        self.sign_in()?;
        let n_printed = scene.devices.n_printed();
        scene.devices.order("CARD 1")?;
        self.page("person")?;
        self.touch_to(BY_FINGER, "consent")?;
        self.touch_to(AGREE, "finger")?;
        self.killed(scene)?;
        scene.devices.order("FINGER 1 right-thumb 3")?;
        self.page("result")?;
        scene.devices.order("FINGER OFF")?;
        self.delivered()?;
        let records = scene.records()?;
        say(&format!("the centre has {records}"));
        let deadline = Instant::now() + PRINTED;
        while scene.devices.n_printed() == n_printed && Instant::now() < deadline {
            thread::sleep(LOOK_AGAIN);
        }
        say(&format!("the printer put {} bytes on paper", scene.devices.n_printed() - n_printed));
        scene.devices.order("CARD OFF")?;
        self.touch_to(DONE, "waiting")?;
        if records.as_array().is_none_or(Vec::is_empty) || scene.devices.n_printed() == n_printed {
            return Err(Fault::Tool("no record at the centre, or no slip".into()));
        }
        Ok(())
    }

    /// The record is at the centre, and the page of the result says so.
    pub(super) fn delivered(&mut self) -> Result<(), Fault> {
        self.wait_for("batch delivered=")?;
        self.picture("result-delivered")
    }

    /// The program dies in the middle of a visit: it is there again (how soon: [`super::Part::Boot`]), and whoever signs
    /// in goes on with the visit.
    fn killed(&mut self, scene: &mut Scene) -> Result<(), Fault> {
        scene.devices.order("CARD OFF")?;
        self.machine.plug(self.shop, &scene.foreign_sticks[0])?;
        self.wait_for("kiosk.service: Main process exited")?;
        self.wait_for("screen page=\"sign-in\"")?;
        self.picture("after-death")?;
        self.sign_in()?;
        self.touch_to(DRAFTS, "choice")?;
        self.touch_to(FIRST_DRAFT, "person")?;
        // The way is chosen anew, and so is the consent to it asked anew.
        self.touch_to(BY_FINGER, "consent")?;
        self.touch_to(AGREE, "finger")
    }

    /// Figures that the unit from outside puts on the console before it leaves the word of an empty battery.
    fn look(&mut self) -> Result<(), Fault> {
        self.wait_for("look: memory ")?;
        let text = self.machine.rest_of_line();
        say(&format!("memory of kiosk.service, bytes now and at most: {text}"));
        let peak = text.split(' ').next_back().and_then(|word| word.parse::<u64>().ok());
        self.wait_for("look: keyboards ")?;
        let keyboards = self.machine.rest_of_line();
        say(&format!("USB keyboards that got a driver: {keyboards}"));
        if keyboards != "0" {
            return Err(Fault::Tool("a keyboard that was plugged in works".into()));
        }
        self.wait_for("look: watchdog ")?;
        let watchdog = self.machine.rest_of_line();
        say(&format!("the hardware's watchdog and its seconds: {watchdog}"));
        self.wait_for("look: names ")?;
        let names = self.machine.rest_of_line();
        say(&format!("who is asked for names: {names}"));
        if watchdog != "active 15" || names != ROUTER {
            return Err(Fault::Tool("no watchdog, or nobody is asked for names".into()));
        }
        self.wait_for("look: an engine reads libraries and no settings")?;
        self.wait_for("photo-library-unfit")?;
        say("beside the kiosk, in its sandbox, engine and photo decoder are confined and work");
        self.wait_for("look: exposure ")?;
        let text = self.machine.rest_of_line();
        say(&format!("exposure of kiosk.service on the booted system: {text}"));
        let exposure = text.split(' ').find_map(|word| word.parse::<f32>().ok());
        match (peak, exposure) {
            (Some(peak), _) if peak > MEMORY_MAX => {
                Err(Fault::TooLarge("kiosk in memory".into(), peak, MEMORY_MAX))
            }
            (Some(_), Some(exposure)) if exposure <= EXPOSURE_MAX => Ok(()),
            _ => Err(Fault::Tool("memory or exposure could not be read, or is too high".into())),
        }
    }

    /// The word that the program leaves when its battery is empty switches the machine off.
    fn empty_battery(&mut self) -> Result<(), Fault> {
        self.wait_for("Power down")?;
        say("the kiosk's word of an empty battery switched the machine off");
        Ok(())
    }

    /// A sound card kept what it was given.
    fn has_spoken(&self) -> Result<(), Fault> {
        let n = self.machine.n_spoken()?;
        say(&format!("samples that the terminal said aloud: {n}"));
        if n > SPOKEN_MIN { Ok(()) } else { Err(Fault::Tool("the terminal said nothing".into())) }
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

/// A card is larger than the image.
pub(super) const LARGER_MIB: u64 = 512;
/// Does from inside what the trial asks for by plugging sticks in.
const LOOK: &str = "until [ -b /dev/sdb ]; do sleep 1; done; systemctl kill -s KILL kiosk.service; \
        until [ -b /dev/sdc ]; do sleep 1; done; \
        echo \"look: memory $$(systemctl show -P MemoryCurrent kiosk.service) \
        $$(systemctl show -P MemoryPeak kiosk.service)\"; \
        echo \"look: keyboards $$(grep -l Keyboard /sys/class/input/*/name | wc -l)\"; \
        echo \"look: watchdog $$(cat /sys/class/watchdog/watchdog0/state /sys/class/watchdog/watchdog0/timeout | xargs)\"; \
        echo \"look: names $$(cat /etc/resolv.conf)\";";
/// Runs the programs that confine what others wrote as the kiosk would, in its own sandbox: an engine that may read
/// libraries and may not read settings, and a library of Debian's that is no photo library.
const HELPERS: &str = "echo \"engine-cage --memory-mb 512 /bin/cat /usr/lib/os-release > /dev/null \
        && ! engine-cage --memory-mb 512 /bin/cat /etc/kiosk/kiosk.toml \
        && echo look: an engine reads libraries and no settings; \
        /usr/libexec/kiosk/photo-decoder --abi unpack --probe /usr/lib/aarch64-linux-gnu/libz.so.1\" > /run/helpers; \
        unit=/run/systemd/system/helpers.service; \
        sed -e \"s|^ExecStart=.*|ExecStart=-/bin/sh /run/helpers|\" -e \"s|^Type=.*|Type=oneshot|\" \
        -e \"/^ExecStartPre/d\" -e \"/^WatchdogSec/d\" -e \"/^Restart/d\" -e \"/^RuntimeDirectory/d\" \
        /usr/lib/systemd/system/kiosk.service > $$unit; \
        cp -r /usr/lib/systemd/system/kiosk.service.d $$unit.d; systemctl daemon-reload; systemctl start helpers;";
const LAST: &str = "echo \"look: exposure $$(systemd-analyze security --no-pager kiosk.service | tail -n 1 | cut -d: -f2)\"; \
        setpriv --reuid=kiosk --regid=kiosk --clear-groups touch /run/kiosk-power/off";

/// Where the small screen has its pad, the first of the operators, and the buttons of the pages.
const PAD_X: [u32; 3] = [492, 612, 732];
const PAD_Y: [u32; 4] = [200, 272, 344, 415];
const ERASE: (u32, u32) = (PAD_X[0], PAD_Y[3]);
const ENTER: (u32, u32) = (PAD_X[2], PAD_Y[3]);
const FIRST_NAME: (u32, u32) = (111, 193);
/// In the second of three columns and in the second of four.
const BY_FINGER: (u32, u32) = (350, 357);
pub(super) const AGREE: (u32, u32) = (138, 432);
/// In the first of three columns.
const DRAFTS: (u32, u32) = (138, 357);
const FIRST_DRAFT: (u32, u32) = (400, 280);
const DONE: (u32, u32) = (204, 432);
const TYPED_MAX: u32 = 3;
const TYPED_PATIENCE: Duration = Duration::from_secs(60);
/// Of the demonstration's operator.
const PIN: &str = "135790";
/// From the result to the slip on paper.
const PRINTED: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// QEMU's router knows names.
const ROUTER: &str = "nameserver 10.0.2.3";
/// A second of speech.
const SPOKEN_MIN: usize = 22_050;
/// Issue 6.
const MEMORY_MAX: u64 = 250 << 20;
const EXPOSURE_MAX: f32 = 2.0;
