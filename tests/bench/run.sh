#!/bin/sh
# Measures and compares; called by `make bench` after the release programs are built. The reference runtime comes by
# package name into the cache; results go to target/bench of the checkout.
# Speed comes first, alone on the machine; accuracy after it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${CACHE:-$HOME/.cache/changqing}
venv=$cache/bench-venv
wanted="onnxruntime==1.31.1 numpy==2.4.6"
if [ "$(cat "$venv/made-of" 2>/dev/null)" != "$wanted" ]; then
    echo "onnxruntime for comparison: installed once"
    rm -rf "$venv"
    python3 -m venv "$venv"
    # The words of $wanted are separate packages.
    # shellcheck disable=SC2086
    "$venv/bin/pip" install -q --disable-pip-version-check $wanted
    echo "$wanted" > "$venv/made-of"
fi
"$(make -s -C "$root" where)/release/bench" \
    "$venv/bin/python" "$root/tests/bench/reference.py" "$root/target/bench"
exec "$root/tests/bench/accuracy.sh"
