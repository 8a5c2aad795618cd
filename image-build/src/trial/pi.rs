//! A Raspberry Pi 3 with its own device tree: the boot loader from the card chooses a slot, then the image's kernel, checked
//! root and program, its pins, adapters in its USB sockets, and a clock on its two-wire bus. QEMU gives it no screen, so its
//! lamps are asked for by hand, and looked at in the register of the emulated chip.

use std::fs::OpenOptions;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{Counter, PATIENCE, Trial};
use crate::disk::start_of;
use crate::fault::Fault;
use crate::image::image;
use crate::machine::{Ports, copy_of};
use crate::root::{read, write};
use crate::slot::script;
use crate::workshop::{run, say};

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
        let script = self.shop.path("trial/pi/look");
        write(&script, LOOK)?;
        self.onto_card(&disk, &script)?;
        let words = built.direct.2.split(" kiosk.slot=").next().unwrap_or_default().to_owned();
        let loader = self.shop.path("kernel/usr/lib/u-boot/rpi_arm64/u-boot.bin");
        let tree = self.shop.path(VARIANT).join("device-trees").join(TREE);
        let ports = Ports { raspberry_pi: Some((loader, tree)), ..Ports::default() };
        for (words, expected) in [
            (
                words.clone(),
                [("gpio-chip", true, "ok"), ("raspberry-pi", false, "panel-forbidden")],
            ),
            (open(&words)?, [("gpio-chip", true, "ok"), ("raspberry-pi", true, "ok")]),
        ] {
            self.tell(&disk, &format!("{words} {CONSOLE} {UNIT}"))?;
            let mut counter = self.switch_on("pi", &disk, &ports)?;
            counter.wait_for("kiosk-boot: slot a")?;
            counter.wait_for("kiosk-boot: device tree ")?;
            say(&format!("the boot loader's tree: {}", counter.machine.rest_of_line()));
            counter.wait_for("Machine model: Raspberry Pi 3")?;
            counter.clock()?;
            counter.sockets()?;
            for (board, is_lit, code) in expected {
                counter.panel(board, is_lit, code)?;
            }
            if !counter.machine.console().contains(OWN_TREE) {
                return Err(Fault::Tool("the slot's own device tree was not taken".into()));
            }
        }
        Ok(())
    }

    /// The boot loader's script with other words for the kernel, which has no console on this board as it is delivered.
    fn tell(&self, disk: &Path, words: &str) -> Result<(), Fault> {
        let text = read(&self.order.root.join("image-build/boot/boot.cmd"))?;
        if !text.contains(SLOTS_WORDS) {
            return Err(Fault::Tool(format!("boot.cmd has no {SLOTS_WORDS}")));
        }
        let text = text.replace(SLOTS_WORDS, words);
        let to = self.shop.path("trial/pi/boot.scr");
        script(&self.shop, &format!("setenv board raspberry-pi\n{text}"), &to)?;
        self.onto_card(disk, &to)
    }

    /// Lays a file onto the card's first partition, where the boot loader's files are.
    fn onto_card(&self, disk: &Path, file: &Path) -> Result<(), Fault> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let at = format!("{}@@{}", self.shop.seen(disk), start_of(&self.shop, disk, "boot")?);
        let (file, to) = (self.shop.seen(file), format!("::{name}"));
        run(self.shop.tool("mcopy").args(["-o", "-i", &at, &file, &to])).map(drop)
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

    /// What is in the sockets of this board has its name.
    fn sockets(&mut self) -> Result<(), Fault> {
        self.wait_for("pi: sockets end ")?;
        let said = self.machine.rest_of_line();
        say(&format!("card reader and fingerprint module are in {said}"));
        match said == IN_SOCKETS {
            true => Ok(()),
            false => Err(Fault::Tool("the sockets are not those of this board".into())),
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

/// What the board is asked: the check of the panel over both kinds, and the code of each.
const LOOK: &str = r#"chip=/sys/class/rtc/rtc0/since_epoch
clock_was=$(date +%s) chip_was=$(cat $chip) up=$(cut -d' ' -f1 /proc/uptime)
mkdir -p /run/kiosk-clock
echo "$((clock_was + 3600))000 ${up%.*}${up#*.}0" > /run/kiosk-clock/new
mv /run/kiosk-clock/new /run/kiosk-clock/word
tries=0
until [ $(($(cat $chip) - chip_was)) -ge 3590 ] || [ $tries -gt 300 ]; do sleep 1; tries=$((tries + 1)); done
echo "pi: clock ends $(($(date +%s) - clock_was)) $(($(cat $chip) - chip_was))"
tries=0
until [ -e /dev/kiosk/id-card ] && [ -e /dev/kiosk/fingerprint ] || [ $tries -gt 300 ]; do sleep 1; tries=$((tries + 1)); done
known() { udevadm info -q property --value --property="$1" "/dev/kiosk/$2"; }
echo "pi: sockets end $(known KIOSK_SOCKET id-card) $(known ID_PATH id-card) $(known KIOSK_SOCKET fingerprint) $(known ID_PATH fingerprint)"
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
/// What it says of the sockets: their numbers and where they are on this board.
const IN_SOCKETS: &str =
    "1 platform-3f980000.usb-usb-0:1.2:1.0 2 platform-3f980000.usb-usb-0:1.3:1.0";
/// A unit from outside that reads it, as a credential on the kernel's command line (systemd(1)): this board has no
/// other way in. It is base64 of `[Service]`, `ExecStart=/bin/sh -c "mkdir /run/card && mount -o ro /dev/mmcblk0p1 /run/card && sh /run/card/look"`.
const UNIT: &str = "systemd.wants=t.service systemd.set_credential_binary=systemd.extra-unit.t.service:\
    W1NlcnZpY2VdCkV4ZWNTdGFydD0vYmluL3NoIC1jICJta2RpciAvcnVuL2NhcmQgJiYgbW91bnQgLW8gcm8gL2Rldi9tbWNibGswcDEgL3J1bi9jYXJkICYmIHNoIC9ydW4vY2FyZC9sb29rIgo=";
/// What boot.cmd gives the kernel of the slot's own words.
const SLOTS_WORDS: &str = "${slotargs}";
/// Where it lays the tree that came with the slot.
const OWN_TREE: &str = "kiosk-boot: device tree broadcom/bcm2837-rpi-3-b.dtb at 0x08800000";
const VARIANT: &str = "counter";
const TREE: &str = "bcm2837-rpi-3-b.dtb";
/// The mini UART of that board. Without a screen the program would only start again and again, what QEMU has not of the
/// chip keeps its drivers waiting, and its watchdog has no time: who arms it is reset at once.
const CONSOLE: &str = "console=ttyS1,115200 loglevel=7 systemd.journald.forward_to_console=1 \
    systemd.mask=kiosk.service systemd.mask=kiosk-screen.service \
    module_blacklist=vc4,v3d,snd_bcm2835,vchiq systemd.watchdog_sec=0 \
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
