#!/bin/sh
# Inside the little machine: card readers of each USB kind, a printer and a serial bridge, all played by the kernel's
# gadget framework over our simulated devices; the terminal's drivers find each by what it is. PROGRAMS is a folder with
# `kiosk` and `device-sim`, HERE that of this file.
set -eu
out=/tmp/out
mkdir -p "$out"
"$PROGRAMS/device-sim" --dir "$out/sim" --seed 7 --people 8 --fast > "$out/sim.log" 2>&1 &
sleep 4
for kind in desktop bare hid printer serial; do
    device=id-card id=0400:c35a
    case $kind in
        bare) id=0400:c35b ;;
        hid) id=2b8b:2721 ;;
        printer) device=printer id=04b8:0202 ;;
        serial) device=fingerprint id=0483:5740 ;;
    esac
    mkfifo "$out/$kind.in"
    python3 "$HERE/gadget.py" $kind "$out/sim/$device" < "$out/$kind.in" > "$out/$kind.out" 2>&1 &
    exec 7> "$out/$kind.in"
    waited=0
    until grep -q ready "$out/$kind.out" || [ $waited -ge 20 ]; do sleep 1; waited=$((waited + 1)); done
    sleep 3
    echo "--- $kind: $device at usb:$id"
    "$PROGRAMS/kiosk" devices record --port "usb:$id" --out "$out/$kind.lines" --seconds 20 $device 2>&1 || cat "$out/$kind.out"
    echo end >&7
    exec 7>&-
    sleep 2
done
ls -R /sys/bus/usb/devices/ | head -20
dmesg | tail -20
