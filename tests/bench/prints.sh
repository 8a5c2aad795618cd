#!/bin/sh
# Fingerprints as they come: error rates of damaged copies of the evaluation data, by prints.py. Some fifteen minutes.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${CACHE:-$HOME/.cache/changqing}
data=${CHANGQING_TESTDATA:-$root/../shared/testdata}
models=${MODELS:-$(make -s -C "$root" where)/release/models}
[ -d "$data/fingerprints" ] || { echo "prints are left out: there is no evaluation data at $data"; exit 0; }
[ -x "$cache/accuracy-venv/bin/python" ] || { echo "prints are left out: run make bench first, it brings Pillow"; exit 0; }
[ -x "$models" ] || { echo "prints are left out: run make build first"; exit 0; }
exec nice -n 19 "$cache/accuracy-venv/bin/python" "$root/tests/bench/prints.py" "$models" "$data" "${PRINTS_OUT:-$root/target/bench}"
