#!/usr/bin/env bash
# Fuzzes each target for a while and says what came of it.
#
#   tests/fuzz/run.sh [-s SECONDS] [-k] [TARGET ...]
#
# -s  seconds for each target (default 600)
# -k  keep: put the smallest set of inputs that reaches as much back into tests/corpora
#
# Needs cargo-fuzz (cargo install cargo-fuzz) and a nightly compiler. Findings lie in tests/fuzz/artifacts; each becomes a
# fix and an input named found-... in tests/corpora/TARGET.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=600 keep=
while getopts s:k option; do
    case $option in
        s) seconds=$OPTARG ;;
        k) keep=yes ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
all=$(find tests/corpora -mindepth 1 -maxdepth 1 -type d ! -name targets -printf '%f\n' | sort)
work=${FUZZ_WORK:-target/fuzz-work}
mkdir -p "$work" tests/fuzz/artifacts

cargo +nightly fuzz build --fuzz-dir tests/fuzz targets
# The program itself, so that the paths above stay ours and a finding of one target does not end the others.
program=$(find "${CARGO_TARGET_DIR:-tests/fuzz/target}" -path '*-linux-gnu/release/targets' -type f -executable | head -1)

failed=0
for target in ${*:-$all}; do
    mkdir -p "$work/$target"
    log=$work/$target.log
    # Far beyond what any input may cost (the sanitizer keeps freed memory for a while); over ten seconds is a hang.
    RTMPCAT_TARGET=$target nice -n 10 "$program" "$work/$target" "tests/corpora/$target" \
        -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=1500 -malloc_limit_mb=512 \
        -artifact_prefix="tests/fuzz/artifacts/$target-" -print_final_stats=1 >"$log" 2>&1 || failed=1
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "$target: ${runs:-?} executions, $(grep -oE 'cov: [0-9]+' "$log" | tail -1), findings: $(ls tests/fuzz/artifacts | grep -c "^$target-" || true)"
    if [ -n "$keep" ]; then
        rm -rf "$work/$target.min"
        mkdir -p "$work/$target.min"
        # What is there already goes first, so it stays; of what is new, only small inputs.
        cp tests/corpora/"$target"/* "$work/$target.min/"
        RTMPCAT_TARGET=$target "$program" -merge=1 -max_len=2048 "$work/$target.min" "$work/$target" >/dev/null 2>&1 || failed=1
        budget=11000
        for input in $(ls -rS "$work/$target.min"); do
            [ -e "tests/corpora/$target/$input" ] && continue
            size=$(stat -c %s "$work/$target.min/$input")
            budget=$((budget - size))
            [ "$budget" -lt 0 ] && break
            cp "$work/$target.min/$input" "tests/corpora/$target/${input:0:12}"
        done
    fi
done
exit $failed
