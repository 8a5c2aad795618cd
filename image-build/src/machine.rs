//! A virtual terminal: QEMU's `virt` machine without KVM, with the ports, screen and fingers of a real one. What is
//! booted is the image; everything here is outside of it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::workshop::{Workshop, remove, run};

/// What is plugged in.
#[derive(Clone, Default)]
pub struct Ports {
    /// Host terminals of the simulated devices: card reader, fingerprint module, printer.
    pub serial: [Option<PathBuf>; 3],
    /// A port of this machine that the terminal reaches as the same port of `10.0.2.2`.
    pub authority_port: Option<u16>,
    /// The panel is 480 × 800 and not 800 × 480, and hangs with its right edge above.
    pub is_upright: bool,
    /// Credentials for systemd (systemd.system-credentials(7)): units that a test adds from outside.
    pub credentials: Vec<(String, String)>,
    /// One processor whose clock counts instructions: its times do not depend on how busy this machine is.
    pub is_counted: bool,
    /// Boots this kernel, initial file system and command line without a boot loader.
    pub direct: Option<(PathBuf, PathBuf, String)>,
    /// A Raspberry Pi 3 with this boot loader and device tree, the disk as its card; it has no other ports.
    pub raspberry_pi: Option<(PathBuf, PathBuf)>,
}

/// A running machine; dropping it cuts the power.
pub struct Machine {
    child: Child,
    qmp: BufReader<UnixStream>,
    console: PathBuf,
    started: Instant,
    n_pictures: u32,
    /// The last of them.
    shown: Vec<u8>,
    n_sticks: u32,
    is_upright: bool,
    folder: PathBuf,
    seen: String,
}

impl Machine {
    /// Switches on. `folder` is below the cache and takes console and pictures.
    pub fn start(
        shop: &Workshop,
        disk: &Path,
        folder: &Path,
        ports: &Ports,
    ) -> Result<Self, Fault> {
        fs::create_dir_all(folder).map_err(|e| Fault::write(folder, e))?;
        let (console, socket) = (folder.join("console.log"), folder.join("qmp"));
        remove(&console)?;
        remove(&socket)?;
        let mut qemu = shop.tool("qemu-system-aarch64");
        qemu.args(["-display", "none", "-no-user-config"]);
        let disk = format!("file={},format=raw,cache=writeback,discard=unmap", shop.seen(disk));
        match &ports.raspberry_pi {
            Some((loader, tree)) => {
                raspberry_pi(&mut qemu, &shop.seen(loader), &shop.seen(tree), &disk);
            }
            None => {
                virt(&mut qemu, ports, &disk);
                plug(&mut qemu, shop, ports);
                // Where a counted clock would have to wait for real sound, the terminal is mute.
                if !ports.is_counted {
                    speak(&mut qemu, &shop.seen(&folder.join(VOICE)));
                }
            }
        }
        qemu.arg("-serial").arg(format!("file:{}", shop.seen(&console)));
        qemu.arg("-qmp").arg(format!("unix:{},server=on,wait=off", shop.seen(&socket)));
        match &ports.direct {
            Some((kernel, initrd, words)) => {
                qemu.arg("-kernel").arg(shop.seen(kernel)).arg("-initrd").arg(shop.seen(initrd));
                qemu.args(["-append", words, "-no-reboot"]);
            }
            None if ports.raspberry_pi.is_some() => {}
            None => drop(qemu.args(["-bios", U_BOOT])),
        }
        qemu.stdin(Stdio::null()).stdout(Stdio::null());
        let errors = fs::File::create(folder.join("qemu.log"))
            .map_err(|e| Fault::write(folder.join("qemu.log"), e))?;
        let child = qemu.stderr(errors).spawn().map_err(|e| Fault::NoTool("qemu".into(), e))?;
        let started = Instant::now();
        let (child, qmp) = connect(&socket, child)?;
        Self::greet(child, qmp, console, started, ports.is_upright, folder)
    }

    fn greet(
        child: Child,
        qmp: UnixStream,
        console: PathBuf,
        started: Instant,
        is_upright: bool,
        folder: &Path,
    ) -> Result<Self, Fault> {
        let qmp = BufReader::new(qmp);
        let (folder, seen, shown) = (folder.to_owned(), String::new(), Vec::new());
        let mut machine = Self {
            child,
            qmp,
            console,
            started,
            n_pictures: 0,
            shown,
            n_sticks: 0,
            is_upright,
            folder,
            seen,
        };
        machine.read_line()?;
        machine.ask("qmp_capabilities", json!({}))?;
        Ok(machine)
    }

    /// Everything that was printed on the serial console.
    pub fn console(&self) -> String {
        fs::read(&self.console)
            .map(|b| String::from_utf8_lossy(&b).into_owned())
            .unwrap_or_default()
    }

    /// Waits until the console, from where the last wait ended, says one of these; says which.
    pub fn wait_for(&mut self, texts: &[&str], patience: Duration) -> Result<usize, Fault> {
        let deadline = Instant::now() + patience;
        loop {
            let all = self.console();
            let fresh = &all[self.seen.len().min(all.len())..];
            let found = texts.iter().enumerate().filter_map(|(i, t)| Some((fresh.find(t)?, i, t)));
            if let Some((at, which, text)) = found.min() {
                let end = all.len() - fresh.len() + at + text.len();
                self.seen = all[..end].to_owned();
                return Ok(which);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Fault::Tool(format!("QEMU ended ({status}) before {texts:?}")));
            }
            if Instant::now() > deadline {
                let tail: String = all.lines().rev().take(15).collect::<Vec<_>>().join("\n  ");
                return Err(Fault::Tool(format!(
                    "waited in vain for {texts:?}; newest first:\n  {tail}"
                )));
            }
            thread::sleep(POLL);
        }
    }

    /// Whether the console has said this since the last wait ended.
    pub fn says(&self, text: &str) -> bool {
        self.fresh().contains(text)
    }

    /// The console behind the end of the last wait.
    fn fresh(&self) -> String {
        let mut all = self.console();
        all.split_off(self.seen.len().min(all.len()))
    }

    /// A register of the machine, read from outside.
    pub fn register(&mut self, address: u64) -> Result<u32, Fault> {
        let line = format!("xp /1wx {address:#x}");
        let said = self.ask("human-monitor-command", json!({"command-line": line}))?;
        let word = said.as_str().and_then(|said| said.trim().rsplit_once("0x"));
        word.and_then(|(_, digits)| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| Fault::Tool(format!("QEMU says of {address:#x}: {said}")))
    }

    /// The rest of the line that the last wait ended in.
    pub fn rest_of_line(&self) -> String {
        self.fresh().lines().next().unwrap_or_default().trim().to_owned()
    }

    /// Uptime of the machine's own clock when it printed the line that the last wait ended in, in seconds.
    pub fn stamp(&self) -> Option<f64> {
        let line = self.seen.lines().last()?;
        line.split_once(']')?.0.trim_start_matches('[').trim().parse().ok()
    }

    /// Since it was switched on.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What the screen shows once it is another picture than the last one and stands still, or after a while all the same,
    /// as a PNG in the machine's folder.
    pub fn picture(&mut self, shop: &Workshop, name: &str) -> Result<PathBuf, Fault> {
        self.n_pictures += 1;
        let file = self.folder.join(format!("{:02}-{name}.png", self.n_pictures));
        let words = json!({"filename": shop.seen(&file), "format": "png"});
        let (begun, mut before) = (Instant::now(), Vec::new());
        for _ in 0..LOOKS_MAX {
            self.ask("screendump", words.clone())?;
            let now = fs::read(&file).map_err(|e| Fault::read(&file, e))?;
            let is_drawn = now.len() > BLANK_MAX && size_of(&now) != INACTIVE;
            let is_new = !self.shown.is_empty() && now != self.shown;
            if now == before && is_drawn && (is_new || begun.elapsed() > DRAWN) {
                break;
            }
            before = now;
            thread::sleep(LOOK_AGAIN);
        }
        self.shown = before;
        Ok(file)
    }

    /// A finger on the glass, in pixels of what the person sees.
    pub fn touch(&mut self, x: u32, y: u32, screen: (u32, u32)) -> Result<(), Fault> {
        let scale = |at: u32, of: u32| at * ABS_MAX / of;
        let (x, y) = (scale(x, screen.0), scale(y, screen.1));
        let at =
            if self.is_upright { [("x", ABS_MAX - y), ("y", x)] } else { [("x", x), ("y", y)] };
        let finger = |kind: &str, id: i32, axis: &str, value: u32| {
            json!({"type": "mtt", "data": {
                "type": kind, "slot": 0, "tracking-id": id, "axis": axis, "value": value}})
        };
        let mut down = vec![finger("begin", 1, "x", 0)];
        down.extend(at.map(|(axis, value)| finger("data", 1, axis, value)));
        down.push(json!({"type": "btn", "data": {"button": "touch", "down": true}}));
        self.ask("input-send-event", json!({"events": down}))?;
        thread::sleep(TOUCH);
        let up = json!([finger("end", -1, "x", 0), {"type": "btn", "data": {"button": "touch", "down": false}}]);
        self.ask("input-send-event", json!({"events": up}))?;
        Ok(())
    }

    /// Plugs in a USB stick with this content.
    pub fn plug(&mut self, shop: &Workshop, stick: &Path) -> Result<(), Fault> {
        self.n_sticks += 1;
        let (node, id) = (format!("stick{}", self.n_sticks), format!("plugged{}", self.n_sticks));
        let file = json!({"driver": "file", "filename": shop.seen(stick)});
        self.ask("blockdev-add", json!({"driver": "raw", "node-name": node, "file": file}))?;
        let device = json!({"driver": "usb-storage", "id": id, "drive": node, "bus": "usb.0"});
        self.ask("device_add", device).map(drop)
    }

    /// Plugs in what nobody should.
    pub fn plug_keyboard(&mut self) -> Result<(), Fault> {
        let device = json!({"driver": "usb-kbd", "id": "keyboard", "bus": "usb.0"});
        self.ask("device_add", device).map(drop)
    }

    /// Pulls the plug.
    pub fn cut(self) {
        drop(self);
    }

    /// A QMP command.
    pub fn ask(&mut self, command: &str, arguments: Value) -> Result<Value, Fault> {
        let line = json!({"execute": command, "arguments": arguments}).to_string() + "\n";
        let stream = self.qmp.get_mut();
        stream.write_all(line.as_bytes()).map_err(|e| Fault::write("qmp", e))?;
        loop {
            let reply = self.read_line()?;
            if let Some(error) = reply.get("error") {
                return Err(Fault::Tool(format!("QEMU refuses {command}: {error}")));
            }
            if let Some(answer) = reply.get("return") {
                return Ok(answer.clone());
            }
        }
    }

    /// Samples of what the terminal said aloud that are not silence.
    pub fn n_spoken(&self) -> Result<usize, Fault> {
        let file = self.folder.join(VOICE);
        let bytes = fs::read(&file).map_err(|e| Fault::read(&file, e))?;
        let samples = bytes.get(WAV_HEAD..).unwrap_or_default().chunks_exact(2);
        Ok(samples.filter(|s| i16::from_le_bytes([s[0], s[1]]).unsigned_abs() > QUIET_MAX).count())
    }

    fn read_line(&mut self) -> Result<Value, Fault> {
        let mut line = String::new();
        self.qmp.read_line(&mut line).map_err(|e| Fault::read("qmp", e))?;
        serde_json::from_str(&line).map_err(|e| Fault::Tool(format!("QEMU says {line:?}: {e}")))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A copy of a disk to boot from; blocks are shared where the file system can.
pub fn copy_of(disk: &Path, folder: &Path) -> Result<PathBuf, Fault> {
    fs::create_dir_all(folder).map_err(|e| Fault::write(folder, e))?;
    let copy = folder.join("disk.img");
    remove(&copy)?;
    run(crate::workshop::host("cp")
        .args(["--sparse=always", "--reflink=auto"])
        .arg(disk)
        .arg(&copy))?;
    Ok(copy)
}

/// The disk becomes larger by so many MiB, as where a terminal's content is on a larger card.
pub fn enlarge(disk: &Path, mib: u64) -> Result<(), Fault> {
    let file = fs::OpenOptions::new().write(true).open(disk);
    let grown = file.and_then(|file| file.set_len(file.metadata()?.len() + (mib << 20)));
    grown.map_err(|e| Fault::write(disk, e))
}

/// The machine that has the ports of a real one.
fn virt(qemu: &mut Command, ports: &Ports, disk: &str) {
    qemu.args(["-M", "virt,gic-version=3", "-cpu", "cortex-a72", "-m", "1024"]);
    qemu.args(match ports.is_counted {
        true => ["-accel", "tcg", "-smp", "1", "-icount", "shift=1"].as_slice(),
        false => ["-accel", "tcg,thread=multi", "-smp", "2"].as_slice(),
    });
    qemu.arg("-drive").arg(format!("if=none,id=disk,{disk}"));
    qemu.args(["-device", "virtio-blk-pci,drive=disk"]);
    let panel = if ports.is_upright { "xres=480,yres=800" } else { "xres=800,yres=480" };
    qemu.arg("-device").arg(format!("virtio-gpu-pci,{panel}"));
    qemu.args(["-device", "virtio-multitouch-pci", "-device", "virtio-rng-pci"]);
    qemu.args(["-watchdog-action", "reset", "-device", "i6300esb"]);
    qemu.args(["-device", "qemu-xhci,id=usb"]);
}

/// QEMU's Raspberry Pi 3, which does what the board's firmware does: loads boot loader and device tree. Its own pins, card and watchdog, no screen and no sockets; a clock chip on the header's two-wire
/// bus, which answers as a DS3231 does as far as its time goes. The console is its second port.
fn raspberry_pi(qemu: &mut Command, loader: &str, tree: &str, disk: &str) {
    qemu.args(["-M", "raspi3b", "-accel", "tcg,thread=multi", "-kernel", loader, "-dtb", tree]);
    qemu.arg("-drive").arg(format!("if=sd,{disk}"));
    qemu.args(["-device", "ds1338,bus=i2c-bus.1,address=0x68"]);
    // Adapters with nothing behind them in sockets 1 and 2, on a hub as the board has one.
    qemu.args(["-device", "usb-hub,bus=usb-bus.0,port=1"]);
    for port in ["1.2", "1.3"] {
        let name = port.replace('.', "-");
        qemu.arg("-chardev").arg(format!("null,id=socket-{name}"));
        let adapter = format!("usb-serial,chardev=socket-{name},always-plugged=on");
        qemu.arg("-device").arg(format!("{adapter},bus=usb-bus.0,port={port}"));
    }
    qemu.args(["-serial", "null"]);
}

fn plug(qemu: &mut Command, shop: &Workshop, ports: &Ports) {
    // Fingerprints are many bytes; a 16550 takes them one by one, which takes an emulated processor too long.
    let kinds = ["pci-serial", "usb-serial,bus=usb.0,port=1", "usb-serial,bus=usb.0,port=2"];
    for (i, (port, kind)) in ports.serial.iter().zip(kinds).enumerate() {
        let Some(port) = port else { continue };
        qemu.arg("-chardev").arg(format!("serial,id=port{i},path={}", port.display()));
        qemu.arg("-device").arg(format!("{kind},chardev=port{i}"));
    }
    // Without an authority the cable leads nowhere.
    let network =
        if ports.authority_port.is_some() { "user,id=net" } else { "user,id=net,restrict=on" };
    qemu.args(["-netdev", network, "-device", "virtio-net-pci,netdev=net"]);
    for (name, text) in &ports.credentials {
        let file = shop.path(&format!("credential-{name}"));
        if fs::write(&file, text).is_ok() {
            qemu.arg("-fw_cfg")
                .arg(format!("name=opt/io.systemd.credentials/{name},file={}", shop.seen(&file)));
        }
    }
}

/// A sound card; what it is given is kept in this file.
fn speak(qemu: &mut Command, voice: &str) {
    qemu.arg("-audiodev").arg(format!("wav,id=voice,path={voice}"));
    qemu.args(["-device", "virtio-sound-pci,audiodev=voice"]);
}

/// Width and height as a PNG says them in its first block.
fn size_of(png: &[u8]) -> (u32, u32) {
    let number =
        |at: usize| png.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    (number(16), number(20))
}

/// QEMU makes its socket a moment after it starts.
fn connect(socket: &Path, mut child: Child) -> Result<(Child, UnixStream), Fault> {
    let deadline = Instant::now() + SOCKET_PATIENCE;
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok((child, stream)),
            Err(e) if Instant::now() > deadline || matches!(child.try_wait(), Ok(Some(_))) => {
                let log = fs::read_to_string(socket.with_file_name("qemu.log")).unwrap_or_default();
                let _ = child.kill();
                return Err(Fault::Tool(format!("QEMU does not start ({e}): {}", log.trim())));
            }
            Err(_) => thread::sleep(POLL),
        }
    }
}

/// What the terminal says aloud, in the folder of a trial.
const VOICE: &str = "voice.wav";
/// Bytes before the samples of a WAV file, and what is still silence of 16 bits.
const WAV_HEAD: usize = 44;
const QUIET_MAX: u16 = 500;
const U_BOOT: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";
/// QEMU's absolute axes end here.
const ABS_MAX: u32 = 0x7fff;
const POLL: Duration = Duration::from_millis(500);
const LOOKS_MAX: u32 = 20;
/// A PNG of one colour is smaller, one with letters larger.
const BLANK_MAX: usize = 4096;
/// Width and height of the picture that QEMU makes of a screen that is off.
const INACTIVE: (u32, u32) = (640, 480);
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// From the journal's line to pixels.
const DRAWN: Duration = Duration::from_secs(10);
const TOUCH: Duration = Duration::from_millis(120);
const SOCKET_PATIENCE: Duration = Duration::from_secs(20);
