#!/usr/bin/env bash
# Writes layout/start.ld: which functions a dump runs, so that the linker puts them side by side.
#
#   bash layout/learn.sh
#
# Memory is counted in pages, and the kernel maps a file's pages in windows of 64 KiB: a dump runs 0.8 MB of a program
# of 4.4 MB, but when these functions lie anywhere it holds 3 MB of it. Here the program is built with its symbols, run
# under callgrind for each kind of session, and the names that were run are written as patterns without their hashes and
# numbers, which change from build to build. A name that a later build does not have matches nothing and does no harm; a
# function that is new lies in the rest. Run it after large changes; needs valgrind and ffmpeg.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C
target=${CARGO_TARGET_DIR:-target}/layout
CARGO_PROFILE_RELEASE_STRIP=none RTMPCAT_LAYOUT=0 cargo build --release --locked --quiet --bin rtmpcat --target-dir "$target"
rtmpcat=$target/release/rtmpcat

work=$(mktemp -d)
children=()
finish() {
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || :; done
    rm -rf "$work"
}
trap finish EXIT
ffmpeg -v error -nostdin -f lavfi -i testsrc=size=320x180:rate=30 -f lavfi -i sine -t 10 -c:v libx264 -g 30 -c:a aac "$work/vod.flv"

# serving NAME ARGUMENT…: a server on a free port; its port for the scheme of the last word of its first lines.
"$rtmpcat" serve --fast --listen 127.0.0.1:0 --listen-tls 127.0.0.1:0 --write-cert "$work/cert.pem" "$work/vod.flv" 2>"$work/files" & children+=($!)
"$rtmpcat" serve --listen 127.0.0.1:0 2>"$work/live" & children+=($!)
address() { # file, scheme
    local found
    until found=$(grep -m 1 -oE "$2://[^/ ]+" "$work/$1"); do :; done
    echo "$found"
}
files=$(address files rtmp) tls=$(address files rtmps) live=$(address live rtmp)

: >"$work/names"
learn() {
    valgrind --tool=callgrind --demangle=no --callgrind-out-file="$work/callgrind" "$rtmpcat" "$@" >/dev/null 2>"$work/said" ||
        { echo "failed: rtmpcat $*" >&2; tail -n 5 "$work/said" >&2; exit 1; }
    # Names of functions and of objects stand written out where they are first used, later by their numbers.
    awk '
        { kind = substr($0, 1, index($0, "=") - 1); sub(/^c?(ob|fn)=/, "", $1) }
        kind ~ /^c?ob$/ { if (NF > 1) object[$1] = $2; if (kind == "ob") at = object[$1] ~ /\/rtmpcat$/ }
        kind ~ /^c?fn$/ { if (NF > 1) name[$1] = $2; if (kind == "fn" && at) print name[$1] }
    ' "$work/callgrind" >>"$work/names"
}
# The commonest first: what only the later ones run lies behind it.
learn -q -r "$files/vod/vod.flv" -o "$work/out.flv"
learn "$files/vod/vod.flv" -o "$work/out.flv"
learn -r "$live/live/pattern" --live --stop 2 -o "$work/live.flv"
learn -r "$live/live/pattern" --live --stop 2 -o -
learn --retry 3 -r "$files/vod/vod.flv" -o -
learn --cafile "$work/cert.pem" -r "$tls/vod/vod.flv" -o "$work/out.flv"
learn --help

{
    echo "/* Made by layout/learn.sh: the functions that a dump runs, side by side. See there. */"
    echo "SECTIONS {"
    echo "  .text.start : {"
    printf "    %s\n" "*crt1.o(.text)" "*crtbegin*.o(.text)"
    sed -E -e "s/'[0-9]+\$//" -e 's/17h[0-9a-f]{16}E(\.llvm\.[0-9]+)?$/17h*/' -e 's/\.[0-9]+$/.*/' -e 's/Cs[0-9A-Za-z]{6,14}_([0-9])/Cs*_\1/g' "$work/names" |
        grep -E '^[A-Za-z_][A-Za-z0-9_.$*]*$' | awk '!seen[$0]++ { printf "    *(.text*.%s)\n", $0 }'
    echo "  }"
    echo "} INSERT BEFORE .text;"
} >"$work/start.ld"
mv "$work/start.ld" layout/start.ld
echo "layout/start.ld: $(grep -c '^    ' layout/start.ld) functions"
