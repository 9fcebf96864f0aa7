#!/usr/bin/env bash
# rtmpcat beside rtmpdump, ffmpeg and the floor (a plain receive-and-write), in one run on one machine.
#
#   bash benches/compare.sh [RUNS]       RUNS of each (default 5), in turn (A B C A B C …); medians are printed
#
# Everything is on loopback and in memory (/dev/shm): the servers are nginx with its RTMP module, at full speed.
# CPU time is the operating system's (user + system) of the client alone, memory the highest resident set.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C
PATH=$PATH:/usr/sbin
runs=${1:-5}

for program in nginx rtmpdump ffmpeg python3; do
    command -v $program >/dev/null || { echo "$program is missing: bash tests/all.sh installs it" >&2; exit 1; }
done
cargo build --release --quiet --bin rtmpcat
target=${CARGO_TARGET_DIR:-target}
rtmpcat=$target/release/rtmpcat
floor=$(cargo bench --no-run --quiet --bench floor --message-format=json | sed -nE '/"name":"floor"/s/.*"executable":"([^"]+)".*/\1/p' | tail -n 1)

work=$(mktemp -d /dev/shm/rtmpcat-bench.XXXXXX)
children=()
finish() {
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || :; done
    rm -rf "$work"
}
trap finish EXIT

# --- Sources: real codecs, looped ------------------------------------------------------------------------------------
media=$target/bench-media
mkdir -p "$media"
make() { # name, loops, ffmpeg arguments for one round
    [ -e "$media/$1" ] && return
    # shellcheck disable=SC2086
    ffmpeg -v error -nostdin -y $3 "$work/round.flv"
    ffmpeg -v error -nostdin -y -stream_loop "$2" -i "$work/round.flv" -c copy -flvflags add_keyframe_index "$work/$1"
    mv "$work/$1" "$media/$1"
}
noise="-f lavfi -i nullsrc=size=1280x720:rate=30,geq=random(1)*255:128:128 -f lavfi -i sine=frequency=440"
make video.flv 39 "$noise -t 2 -c:v libx264 -preset ultrafast -qp 18 -g 30 -pix_fmt yuv420p -c:a aac -b:a 128k"
make small.flv 400 "-f lavfi -i sine=frequency=440:sample_rate=44100 -t 60 -ac 1 -c:a aac -b:a 16k"
cp "$media"/video.flv "$media"/small.flv "$work"

# --- Servers ---------------------------------------------------------------------------------------------------------
port=$((19000 + $$ % 1000))
module=$(ls /usr/lib/nginx/modules/ngx_rtmp_module.so /usr/share/nginx/modules/ngx_rtmp_module.so 2>/dev/null | head -n 1)
{
    echo "load_module $module; daemon off; master_process off; pid $work/pid; error_log $work/error.log;"
    [ "$(id -u)" != 0 ] || echo "user root;"
    echo "events { worker_connections 1024; } rtmp {"
    for pair in 0:128 1:4096 2:65536; do
        echo "server { listen 127.0.0.1:$((port + ${pair%:*})); chunk_size ${pair#*:}; out_queue 65536;"
        echo "application vod { play $work; } application live { live on; publish_notify on; } }"
    done
    echo "}"
} >"$work/nginx.conf"
nginx -p "$work" -e "$work/error.log" -c "$work/nginx.conf" &
children+=($!)
"$floor" send "$work/video.flv" >"$work/send.video" & children+=($!)
"$floor" send "$work/small.flv" >"$work/send.small" & children+=($!)
until [ -s "$work/send.video" ] && [ -s "$work/send.small" ] && (: </dev/tcp/127.0.0.1/$port) 2>/dev/null; do :; done

# --- Measuring -------------------------------------------------------------------------------------------------------
# measure COMMAND…: "wall-seconds cpu-seconds peak-KiB exit-code" of one run.
cat >"$work/measure.py" <<'PYTHON'
import os, sys, threading, time
begun = time.monotonic()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_OPEN, 1, os.environ.get("OUT", "/dev/null"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
peak = 0
def watch():
    # getrusage's maximum would count this program's own pages, from before exec.
    global peak
    while True:
        try:
            with open(f"/proc/{child}/status") as status:
                peak = max([peak] + [int(line.split()[1]) for line in status if line.startswith("VmHWM")])
        except OSError:
            return
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()
_, status, usage = os.wait4(child, 0)
print(f"{time.monotonic() - begun:.4f} {usage.ru_utime + usage.ru_stime:.4f} {peak} {os.waitstatus_to_exitcode(status)}")
PYTHON
measure() { python3 "$work/measure.py" "$@"; }
median() { sort -n | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'; }

# compare TITLE STREAM PORT: one table, the clients in turn.
compare() {
    local title=$1 stream=$2 port=$3 out=$work/out.flv size run
    size=$(stat -c %s "$work/$stream.flv")
    rm -f "$work"/result.*
    for run in $(seq "$runs"); do
        measure "$rtmpcat" -q -r "rtmp://127.0.0.1:$port/vod/$stream.flv" -o "$out" >>"$work/result.rtmpcat"
        measure rtmpdump -q -r "rtmp://127.0.0.1:$port/vod/$stream.flv" -o "$out" >>"$work/result.rtmpdump"
        measure ffmpeg -v error -nostdin -y -rtmp_buffer 36000000 -i "rtmp://127.0.0.1:$port/vod/$stream.flv" -c copy -f flv "$out" >>"$work/result.ffmpeg"
        measure "$floor" recv "$(cat "$work/send.$stream")" "$out" >>"$work/result.floor"
    done
    printf '\n%s (%d MB)\n' "$title" $((size / 1000000))
    printf '%-10s %10s %12s %12s %12s %10s\n' client "wall s" "CPU s/GB" "× floor" "× rtmpdump" "peak MiB"
    local base dump client cpu
    base=$(cut -d' ' -f2 "$work/result.floor" | median) dump=$(cut -d' ' -f2 "$work/result.rtmpdump" | median)
    for client in floor rtmpcat rtmpdump ffmpeg; do
        cpu=$(cut -d' ' -f2 "$work/result.$client" | median)
        awk -v c=$client -v w="$(cut -d' ' -f1 "$work/result.$client" | median)" -v cpu="$cpu" -v b="$base" -v d="$dump" -v s="$size" \
            -v m="$(cut -d' ' -f3 "$work/result.$client" | median)" \
            'BEGIN { printf "%-10s %10.2f %12.2f %12.2f %12.2f %10.1f\n", c, w, cpu * 1e9 / s, cpu / b, cpu / d, m / 1024 }'
    done
}

# starting TITLE URL: milliseconds from the start of the program to the first whole audio or video tag on its stdout.
starting() {
    local title=$1 url=$2 run
    rm -f "$work"/first.*
    for run in $(seq "$runs"); do
        "$floor" first "$rtmpcat" -q -r "$url" >>"$work/first.rtmpcat"
        "$floor" first "$rtmpcat" -q --fast-start -r "$url" >>"$work/first.fast"
        "$floor" first rtmpdump -q -r "$url" >>"$work/first.rtmpdump"
        "$floor" first ffmpeg -v quiet -nostdin -i "$url" -c copy -f flv - >>"$work/first.ffmpeg"
    done
    printf '%-34s %10s %10s %10s %10s\n' "$title" "$(median <"$work/first.rtmpcat")" "$(median <"$work/first.fast")" \
        "$(median <"$work/first.rtmpdump")" "$(median <"$work/first.ffmpeg")"
}

echo "$(date -u +%F), $(nproc) × $(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r), median of $runs"
echo "rtmpdump: $(rtmpdump -h 2>&1 | sed -n 1p); ffmpeg: $(ffmpeg -version | sed -nE '1s/ Copyright.*//p')"
compare "Video, chunks of 65536" video $((port + 2))
compare "Video, chunks of 4096" video $((port + 1))
compare "Video, chunks of 128" video "$port"
compare "Many small tags, chunks of 4096" small $((port + 1))

"$floor" relay $((port + 1)) 50 >"$work/relay" & children+=($!)
until [ -s "$work/relay" ]; do :; done
printf '\nMilliseconds to the first audio or video on stdout\n%-34s %10s %10s %10s %10s\n' "" rtmpcat fast-start rtmpdump ffmpeg
starting "nginx, file" "rtmp://127.0.0.1:$((port + 1))/vod/video.flv"
starting "nginx, file, 50 ms each way" "rtmp://127.0.0.1:$(cat "$work/relay")/vod/video.flv"
echo "(the relay answers TCP's own handshake at once: on a real line add a round trip to each)"

rm -f "$work"/result.*
for run in $(seq $((runs * 5))); do
    measure "$rtmpcat" --help >>"$work/result.rtmpcat"
    measure rtmpdump --help >>"$work/result.rtmpdump"
done
printf '\n--help: rtmpcat %s s, rtmpdump %s s\n' "$(median <"$work/result.rtmpcat")" "$(median <"$work/result.rtmpdump")"
