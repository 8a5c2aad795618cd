//! A Raspberry Pi 3 with its own device tree: the image's kernel, checked root and program, its pins, and a clock on its
//! two-wire bus. QEMU gives it no screen, so its lamps are asked for by hand, and looked at in the register of the emulated
//! chip.

use std::fs::OpenOptions;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{Counter, PATIENCE, Trial};
use crate::disk::start_of;
use crate::fault::Fault;
use crate::image::image;
use crate::machine::{Ports, copy_of};
use crate::root::write;
use crate::workshop::{Workshop, run, say};

impl Trial {
    /// As it is delivered, pins are reached by the kernel's character device and by nothing else; registers only where
    /// the kernel is told to allow it.
    pub(super) fn pi(&self) -> Result<(), Fault> {
        let mut order = self.order.clone();
        order.variant = VARIANT.into();
        let built = image(&order)?;
        let disk = copy_of(&built.disk, &self.shop.path("trial/pi"))?;
        let card = OpenOptions::new().write(true).open(&disk).and_then(|it| it.set_len(CARD_BYTES));
        card.map_err(|e| Fault::write(&disk, e))?;
        lay_down(&self.shop, &disk)?;
        let (kernel, initrd, words) = built.direct;
        for (words, expected) in [
            (
                words.clone(),
                [("gpio-chip", true, "ok"), ("raspberry-pi", false, "panel-forbidden")],
            ),
            (open(&words)?, [("gpio-chip", true, "ok"), ("raspberry-pi", true, "ok")]),
        ] {
            let words = format!("{words} {CONSOLE} {UNIT}");
            let ports = Ports {
                direct: Some((kernel.clone(), initrd.clone(), words)),
                device_tree: Some(self.shop.path(VARIANT).join("device-trees").join(TREE)),
                ..Ports::default()
            };
            let mut counter = self.switch_on("pi", &disk, &ports)?;
            counter.wait_for("Machine model: Raspberry Pi 3")?;
            counter.clock()?;
            for (board, is_lit, code) in expected {
                counter.panel(board, is_lit, code)?;
            }
        }
        Ok(())
    }
}

impl Counter<'_> {
    /// The kernel takes the time from the chip, and the centre's time goes into both.
    fn clock(&mut self) -> Result<(), Fault> {
        self.wait_for("setting system clock to ")?;
        say(&format!("the clock's chip gave the time: {}", self.machine.rest_of_line()));
        self.wait_for("pi: clock ends ")?;
        let ahead = self.machine.rest_of_line();
        say(&format!(
            "set an hour ahead by the word of the program; clock and chip went ahead by {ahead} s"
        ));
        let is_hour = |word: &str| word.parse::<u64>().is_ok_and(|s| HOUR_S.contains(&s));
        match ahead.split(' ').count() == 2 && ahead.split(' ').all(is_hour) {
            true => Ok(()),
            false => Err(Fault::Tool("clock and chip were not set".into())),
        }
    }

    /// The check of the panel over a kind of board: what it says, and whether the lamp was lit.
    fn panel(&mut self, board: &str, is_lit: bool, code: &str) -> Result<(), Fault> {
        self.wait_for(&format!("pi: {board} begins"))?;
        let ends = format!("pi: {board} ends ");
        let deadline = Instant::now() + PATIENCE;
        let mut was_lit = false;
        while !self.machine.says(&ends) {
            was_lit |= self.machine.register(LEVELS)? & LAMP != 0;
            if Instant::now() > deadline {
                return Err(Fault::Tool(format!("{board}: the check does not end")));
            }
            thread::sleep(LOOK_AGAIN);
        }
        self.wait_for(&ends)?;
        let said = self.machine.rest_of_line();
        say(&format!("pins by {board}: {said}; the lamp was lit: {was_lit}"));
        match said == code && was_lit == is_lit {
            true => Ok(()),
            false => Err(Fault::Tool(format!("{board}: expected {code}, lit: {is_lit}"))),
        }
    }
}

/// The kernel's words as an agency would have to change them for the registers. The kernel looks at `lockdown=` before it
/// looks at `lsm=` and never goes back, so the word itself is taken out.
fn open(words: &str) -> Result<String, Fault> {
    if !words.split(' ').any(|word| word == LOCKED) {
        return Err(Fault::Tool(format!("the image's kernel is not told {LOCKED}")));
    }
    Ok(words.replace(LOCKED, "iomem=relaxed"))
}

/// What the board is asked: the check of the panel over both kinds, and the code of each. It lies on the card's first
/// partition, where the boot loader's files are.
fn lay_down(shop: &Workshop, disk: &Path) -> Result<(), Fault> {
    let script = shop.path("trial/pi/look");
    write(&script, LOOK)?;
    let at = format!("{}@@{}", shop.seen(disk), start_of(shop, disk, "boot")?);
    run(shop.tool("mcopy").args(["-o", "-i", &at, &shop.seen(&script), "::look"])).map(drop)
}

const LOOK: &str = r#"chip=/sys/class/rtc/rtc0/since_epoch
clock_was=$(date +%s) chip_was=$(cat $chip) up=$(cut -d' ' -f1 /proc/uptime)
mkdir -p /run/kiosk-clock
echo "$((clock_was + 3600))000 ${up%.*}${up#*.}0" > /run/kiosk-clock/new
mv /run/kiosk-clock/new /run/kiosk-clock/word
tries=0
until [ $(($(cat $chip) - chip_was)) -ge 3590 ] || [ $tries -gt 300 ]; do sleep 1; tries=$((tries + 1)); done
echo "pi: clock ends $(($(date +%s) - clock_was)) $(($(cat $chip) - chip_was))"
for board in gpio-chip raspberry-pi; do
cat > /run/look.toml <<END
[terminal]
site_name = "trial"
state = "/run/none"
provisioned = "/run/none"
models = "/run/none"
[authority]
url = "https://127.0.0.1:9"
[[operator]]
who = { id = "nobody", name = "nobody", role = "operator" }
pin_hash = "none"
[panel]
board = "$board"
card_lamp = { name = "GPIO5" }
END
echo "pi: $board begins"
kiosk selftest panel --json --config /run/look.toml > /run/look.json 2> /run/look.err
echo "pi: $board ends $(grep -o 'panel-[a-z]*' /run/look.json || grep -o -m 1 -w ok /run/look.json || cat /run/look.err)"
done
"#;
/// A unit from outside that reads it, as a credential on the kernel's command line (systemd(1)): this board has no
/// other way in. It is base64 of `[Service]`, `ExecStart=/bin/sh -c "mkdir /run/card && mount -o ro /dev/mmcblk0p1 /run/card && sh /run/card/look"`.
const UNIT: &str = "systemd.wants=t.service systemd.set_credential_binary=systemd.extra-unit.t.service:\
    W1NlcnZpY2VdCkV4ZWNTdGFydD0vYmluL3NoIC1jICJta2RpciAvcnVuL2NhcmQgJiYgbW91bnQgLW8gcm8gL2Rldi9tbWNibGswcDEgL3J1bi9jYXJkICYmIHNoIC9ydW4vY2FyZC9sb29rIgo=";
const VARIANT: &str = "counter";
const TREE: &str = "bcm2837-rpi-3-b.dtb";
/// The mini UART of that board. Without a screen the program would only start again and again, and what QEMU has not of
/// the chip keeps its drivers waiting.
const CONSOLE: &str = "console=ttyS1,115200 loglevel=7 systemd.journald.forward_to_console=1 \
    systemd.mask=kiosk.service systemd.mask=kiosk-screen.service \
    module_blacklist=dwc2,vc4,v3d,snd_bcm2835,vchiq \
    systemd.default_timeout_start_sec=900 systemd.default_device_timeout_sec=900";
const LOCKED: &str = "lockdown=integrity";
/// QEMU takes cards of a power of two.
const CARD_BYTES: u64 = 2 << 30;
/// Seconds that an hour takes while this machine and the emulated one look at it.
const HOUR_S: std::ops::Range<u64> = 3590..4200;
/// GPLEV0 of the chip, where the emulated one has it (BCM2835 ARM Peripherals, section 6.1), and the lamp's bit.
const LEVELS: u64 = 0x3f20_0034;
const LAMP: u32 = 1 << 5;
const LOOK_AGAIN: Duration = Duration::from_millis(50);
