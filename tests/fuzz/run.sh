#!/bin/sh
# Builds every target and runs each for SECONDS (default 600), JOBS at once (default 1), with bounded memory:
#   tests/fuzz/run.sh [SECONDS] [TARGET...]
# The stable toolchain is enough. PROGRAMS names a folder with targets that are built already.
# Corpus and finds stay in the cache; target/fuzz of the checkout gets one log a target and summary.tsv.
# Ends with a failure if anything was found. An input that takes two minutes is a find: no clock counts only our own
# time, and a busy machine takes ten seconds for nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
seconds=${1:-600}
[ $# -eq 0 ] || shift
jobs=${JOBS:-1}
cache=${CACHE:-$HOME/.cache/changqing}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
out=$root/target/fuzz

# What cargo-fuzz would pass, without a sanitizer: no decoder here reaches an unsafe block of ours.
# The target is named so that build scripts are built without these flags.
export CARGO_TARGET_DIR="$cache/target/$(echo "$root" | cksum | cut -d " " -f 1)"
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
cd "$here"
if [ -z "${PROGRAMS:-}" ]; then
    cargo build --release --target "$host"
    PROGRAMS=$CARGO_TARGET_DIR/$host/release
fi

mkdir -p "$out"
[ $# -gt 0 ] || set -- $(cd targets && ls -- *.rs | sed 's/\.rs$//')
one() {
    target=$1
    mkdir -p "$cache/corpus/$target" "$cache/found/$target"
    seeds=
    [ "$target" != policy_pack ] || seeds=$root/kiosk/policy
    # shellcheck disable=SC2086
    "$PROGRAMS/$target" -max_total_time="$seconds" -rss_limit_mb=512 -timeout=120 -max_len=16384 \
        -print_final_stats=1 -artifact_prefix="$cache/found/$target/" "$cache/corpus/$target" $seeds \
        > "$out/$target.log" 2>&1 && found=none || found=CRASH
    last=$(grep -a '^#[0-9].* cov: ' "$out/$target.log" | tail -n 1)
    figure() { echo "$last" | sed -n "s/.* $1: \([0-9]*\).*/\1/p"; }
    stat() { sed -n "s/^stat::$1: *//p" "$out/$target.log"; }
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$target" "$(stat number_of_executed_units)" "$(figure cov)" \
        "$(figure ft)" "$(stat peak_rss_mb)" "$found" > "$out/$target.row"
}
for target in "$@"; do
    # As soon as one ends the next begins. The shell forgets those that ended when it has listed them once; a list made
    # in another shell, as a pipe would be, is always empty.
    jobs > "$out/running"
    while [ "$(wc -l < "$out/running")" -ge "$jobs" ]; do
        sleep 1
        jobs > "$out/running"
    done
    one "$target" &
done
wait
printf 'target\tinputs\tedges\tfeatures\tpeak MB\tfound\n' > "$out/summary.tsv"
for target in "$@"; do cat "$out/$target.row"; done >> "$out/summary.tsv"
cat "$out/summary.tsv"
! grep -q CRASH "$out/summary.tsv"
