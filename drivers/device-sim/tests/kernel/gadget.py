#!/usr/bin/env python3
"""A USB device that does not exist: the kernel's own gadget framework gives it, this program moves its bytes to and from
the pty of a simulated device, and no code of the terminal is in it.

    gadget.py KIND PTY       KIND: desktop, bare, hid, printer, serial

`desktop` and `bare` are the two kinds of card reader with bulk pipes, by FunctionFS; the others are functions of the
kernel. Orders come as lines on standard input: `unplug`, `plug`, `end`; each is answered with `ok`.
"""

import os
import select
import struct
import sys
import termios
import threading
import tty

CONFIG = "/sys/kernel/config/usb_gadget"
KINDS = {
    "desktop": (0x0400, 0xC35A, "ffs.desktop"),
    "bare": (0x0400, 0xC35B, "ffs.bare"),
    "hid": (0x2B8B, 0x2721, "hid.reader"),
    "printer": (0x04B8, 0x0202, "printer.slip"),
    "serial": (0x0483, 0x5740, "acm.port"),
}
PACKET = 64
HEAD = 7


def write(path, text):
    mode = "wb" if isinstance(text, bytes) else "w"
    with open(path, mode) as file:
        file.write(text)


def endpoint(address):
    return struct.pack("<BBBBHB", 7, 5, address, 2, PACKET, 0)


def descriptors(addresses):
    """FunctionFS, second edition of its head, full speed and high speed alike."""
    interface = struct.pack("<BBBBBBBBB", 9, 4, 0, 0, len(addresses), 0xFF, 0, 0, 1)
    full = interface + b"".join(endpoint(address) for address in addresses)
    high = interface + b"".join(
        struct.pack("<BBBBHB", 7, 5, address, 2, 512, 0) for address in addresses
    )
    count = 1 + len(addresses)
    body = struct.pack("<II", count, count) + full + high
    return struct.pack("<III", 3, 12 + len(body), 1 | 2) + body


def strings():
    text = struct.pack("<H", 0x409) + b"card reader\0"
    return struct.pack("<IIII", 2, 16 + len(text), 1, 1) + text


class Gadget:
    def __init__(self, kind, pty):
        self.kind = kind
        vendor, product, function = KINDS[kind]
        self.folder = f"{CONFIG}/{kind}"
        self.pty = os.open(pty, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.pty)
        os.makedirs(f"{self.folder}/strings/0x409")
        write(f"{self.folder}/idVendor", f"{vendor:#06x}")
        write(f"{self.folder}/idProduct", f"{product:#06x}")
        os.makedirs(f"{self.folder}/configs/c.1")
        made = f"{self.folder}/functions/{function}"
        os.makedirs(made)
        if kind == "hid":
            # One report of 64 bytes each way, without a number.
            report = bytes.fromhex("0600ff0901a101150026ff00750895400902810209039102c0")
            write(f"{made}/report_length", "64")
            write(f"{made}/report_desc", report)
        os.symlink(made, f"{self.folder}/configs/c.1/{function}")
        self.udc = None
        self.start(function)
        self.plug()

    def start(self, function):
        if self.kind in ("desktop", "bare"):
            mount = f"/tmp/ffs-{self.kind}"
            os.makedirs(mount)
            if os.system(f"mount -t functionfs {function.split('.')[1]} {mount}") != 0:
                sys.exit("no FunctionFS")
            # The numbers of the published readers; the kernel numbers pipes as the controller can.
            addresses = [0x81, 0x02] if self.kind == "desktop" else [0x81, 0x02, 0x85, 0x06]
            self.ep0 = os.open(f"{mount}/ep0", os.O_RDWR)
            os.write(self.ep0, descriptors(addresses))
            os.write(self.ep0, strings())
            pipes = [os.open(f"{mount}/ep{n + 1}", os.O_RDWR) for n in range(len(addresses))]
            threading.Thread(target=self.events, daemon=True).start()
            threading.Thread(target=self.requests, args=(pipes[1::2],), daemon=True).start()
            threading.Thread(target=self.replies, args=(pipes[0::2],), daemon=True).start()

    def events(self):
        while os.read(self.ep0, 12):
            pass

    def requests(self, pipes):
        """What the host sends goes to the device; with two pipes the head comes first."""
        at = 0
        while True:
            try:
                data = os.read(pipes[at], 512)
            except OSError:
                at = 0
                threading.Event().wait(0.05)
                continue
            os.write(self.pty, data)
            at = (at + 1) % len(pipes)

    def replies(self, pipes):
        """A whole reply in one transfer, or its head on one pipe and the rest on the other."""
        while True:
            reply = self.reply()
            parts = [reply] if len(pipes) == 1 else [reply[:HEAD], reply[HEAD:]]
            for pipe, part in zip(pipes, parts):
                try:
                    os.write(pipe, part)
                except OSError:
                    break

    def reply(self):
        """A frame of the card reader, by the length in its head; what is no frame as it came."""
        data = b""
        while True:
            data += os.read(self.pty, 4096)
            while len(data) < HEAD or len(data) < HEAD + int.from_bytes(data[5:7], "big"):
                if not select.select([self.pty], [], [], 0.2)[0]:
                    return data
                data += os.read(self.pty, 4096)
            return data

    def function_file(self):
        return {"hid": "/dev/hidg0", "printer": "/dev/g_printer0", "serial": "/dev/ttyGS0"}[self.kind]

    def serve(self):
        """The kernel's own functions have a device file each."""
        while True:
            try:
                file = os.open(self.function_file(), os.O_RDWR | os.O_NOCTTY)
                if self.kind == "serial":
                    tty.setraw(file)
                threads = [
                    threading.Thread(target=self.to_device, args=(file,), daemon=True),
                    threading.Thread(target=self.to_host, args=(file,), daemon=True),
                ]
                [thread.start() for thread in threads]
                return
            except OSError:
                threading.Event().wait(0.1)

    def to_device(self, file):
        while True:
            try:
                data = os.read(file, 4096)
            except OSError:
                threading.Event().wait(0.05)
                continue
            if self.kind == "hid":
                length = int.from_bytes(data[5:7], "big")
                data = data[: HEAD + length]
            os.write(self.pty, data)

    def to_host(self, file):
        while True:
            if self.kind == "hid":
                reply = self.reply()
                parts = [reply[at : at + PACKET].ljust(PACKET, b"\0") for at in range(0, len(reply), PACKET)]
            else:
                parts = [os.read(self.pty, 4096)]
            for part in parts:
                while True:
                    try:
                        os.write(file, part)
                        break
                    except BlockingIOError:
                        threading.Event().wait(0.01)
                    except OSError:
                        break

    def plug(self):
        taken = {open(f"{CONFIG}/{other}/UDC").read().strip() for other in os.listdir(CONFIG)}
        self.udc = next(udc for udc in sorted(os.listdir("/sys/class/udc")) if udc not in taken)
        write(f"{self.folder}/UDC", self.udc)
        if self.kind not in ("desktop", "bare") and not getattr(self, "is_served", False):
            self.is_served = True
            self.serve()

    def unplug(self):
        write(f"{self.folder}/UDC", "\n")


def main():
    gadget = Gadget(sys.argv[1], sys.argv[2])
    print("ready", flush=True)
    for line in sys.stdin:
        order = line.strip()
        if order == "unplug":
            gadget.unplug()
        elif order == "plug":
            gadget.plug()
        print("ok", flush=True)
        if order == "end":
            os._exit(0)


main()
