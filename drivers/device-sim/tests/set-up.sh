#!/bin/sh
# Installs by package name what the simulator is tested with that is not ours, once, into a cache outside the checkout:
# set-up.sh CACHE_FOLDER. Tests look for Python there; without it they say so and are left out.
set -eu
venv=$1/clients-venv
wanted="adafruit-circuitpython-fingerprint==2.2.25 pyserial==3.5 pillow==13.0.0 segno==1.6.6 python-barcode==0.16.1"
# Its parser of receipts runs on an older Python than its server wants, and without the server.
parser="emupos==0.4.0"
stamp="$wanted $parser"
if [ "$(cat "$venv/made-of" 2> /dev/null)" = "$stamp" ]; then exit 0; fi
echo "clients and parsers that are not ours: installed once"
rm -rf "$venv"
python3 -m venv "$venv"
# The words of $wanted are separate packages.
# shellcheck disable=SC2086
"$venv/bin/pip" install -q --disable-pip-version-check $wanted
"$venv/bin/pip" install -q --disable-pip-version-check --no-deps --ignore-requires-python "$parser"
echo "$stamp" > "$venv/made-of"
