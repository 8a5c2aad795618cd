#!/bin/sh
# The networks on aarch64: golden vectors of all of them run as NEON code in an emulator, then the instructions of one
# whole face and one whole finger verification, ours against the same graphs in tract. A second ruler beside time: it
# does not depend on this machine, and says nothing of memory and pipelines. The words `vectors`, `face` and `finger`
# choose a part; without any all is done, which takes two free cores about an hour, most of it the finger's network.
# The compiler, libraries and built parts of `make image` are used; without them, or without qemu-user, it says so.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd -P)
cache=${CACHE:-$HOME/.cache/changqing}
image=$cache/image
sysroot=$image/sysroot
gnu=aarch64-linux-gnu
leave() {
    echo "NEON is left out: $1"
    exit 0
}
command -v qemu-aarch64 > /dev/null || leave "there is no qemu-aarch64 (Debian: qemu-user)"
command -v $gnu-gcc > /dev/null || leave "there is no $gnu-gcc"
command -v cc > /dev/null || leave "there is no C compiler for the counter"
[ -d "$image/toolchain" ] && [ -d "$sysroot" ] || leave "run make image first: it brings compiler and libraries"
export CHANGQING_MODELS="${CHANGQING_MODELS:-$cache/models}"
[ -e "$CHANGQING_MODELS/LEADER.onnx" ] || leave "there are no weights at $CHANGQING_MODELS"

# A folder of its own, begun with what the image was built from.
# See `target` in image-build/src/cross.rs.
clone=$(printf %s "$root" | sha256sum | head -c 8)
built=$image/target/$clone target=$cache/neon-target/$clone
mkdir -p "$cache/neon-target"
if [ ! -d "$target" ] && [ -d "$built" ]; then
    cp -a "$built" "$target.new"
    rm -f "$target.new/release/.cargo-lock" "$target.new"/*/release/.cargo-lock
    mv "$target.new" "$target"
fi
home=${CARGO_HOME:-$HOME/.cargo}
flags="--sysroot=$sysroot -ffile-prefix-map=$home=/cargo -ffile-prefix-map=$built=/target"
build() {
    env -u RUSTUP_TOOLCHAIN PATH="$image/toolchain/bin:$PATH" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$target" \
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$gnu-gcc \
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-Clink-arg=--sysroot=$sysroot --remap-path-prefix=$home=/cargo --remap-path-prefix=$sysroot=/sysroot --remap-path-prefix=$built=/target --remap-path-prefix=$image/toolchain=/toolchain" \
        CC_aarch64_unknown_linux_gnu=$gnu-gcc CXX_aarch64_unknown_linux_gnu=$gnu-g++ AR_aarch64_unknown_linux_gnu=$gnu-ar \
        CFLAGS_aarch64_unknown_linux_gnu="$flags" CXXFLAGS_aarch64_unknown_linux_gnu="$flags" \
        cargo test --offline --release --jobs 2 --no-run --package models --lib --message-format json \
        --target aarch64-unknown-linux-gnu -Zbuild-std=std,panic_unwind,test
}
cd "$root"
tests=$(build | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)
[ -n "$tests" ] || { echo "the tests of models were not built for aarch64"; exit 1; }

run() {
    qemu-aarch64 -L "$sysroot" "$@"
}
vectors() {
    echo "golden vectors of all networks and the definition of every kernel, on NEON:"
    for test in network::tests::every_face_network_answers_as_the_reference_runtime \
        ocr::tests::both_networks_answer_as_the_reference_runtime \
        finger::tests::the_extractor_finds_what_the_reference_runtime_finds; do
        # One at a time: each answer is on record whatever becomes of the next.
        run "$tests" --exact --test-threads=1 "$test"
    done
    run "$tests" --test-threads=2 --skip reference_runtime network:: finger:: ocr:: face::
}

major=$(qemu-aarch64 --version | sed -n '1s/.*version \([0-9]*\).*/\1/p')
cc -shared -fPIC -O2 -DVERSION="$([ "$major" -ge 9 ] && echo 2 || echo 1)" -o "$target/count.so" tests/bench/count.c
# The instructions between the two marks of a test. Standard error alone: the names of tests have no line end.
counted() {
    run -plugin "$target/count.so" "$tests" --exact --ignored --test-threads=1 "bench::tests::$1" 2>&1 > /dev/null |
        sed -n 's/^counted //p' | { read -r before && read -r after && echo $((after - before)) || echo 0; }
}
count() {
    COUNT_TRACT=1 counted "$1" > "$target/$1.tract" &
    ours=$(counted "$1")
    wait $!
    tract=$(cat "$target/$1.tract")
    [ "$ours" -gt 0 ] && [ "$tract" -gt 0 ] || { echo "$1 was not counted: the test did not get to its end"; exit 1; }
    ratio=$(echo "$ours $tract" | awk '{ printf "%.2f", $1 / $2 }')
    printf '%-24s %16s %16s %7s\n' instructions ours tract ratio "$1" "$ours" "$tract" "$ratio"
}
for part in ${*:-vectors face finger}; do
    case $part in
    vectors) vectors ;;
    face | finger) count "count_$part" ;;
    *) echo "there is no part $part" && exit 2 ;;
    esac
done
