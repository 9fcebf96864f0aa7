#!/usr/bin/env bash
# rtmpcat beside rtmpdump, ffmpeg and the floor (a plain receive-and-write), in one run on one machine.
#
#   bash benches/compare.sh [RUNS] [SECTION…]
#
# RUNS of each (default 5), in turn (A B C A B C …); medians are printed. Sections, by default all of them:
#
#   throughput   a dump to a file            start   from the program's start to the first picture
#   pipe         a dump to a pipe            help    --help
#   line         the same over a line of 50 ms each way, TCP's own round trip included (root, /dev/net/tun)
#   tls rtmpe    enciphered dumps            calls   instructions and system calls of a dump (valgrind, strace)
#   density[=N]  N live pulls of 1 Mbit/s at a time, one process each (default 100, at most 500)
#
# Everything is on loopback and in memory (/dev/shm): the servers are nginx with its RTMP module, at full speed.
# CPU time is the operating system's (user + system) of the client alone, memory the highest resident set.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C
PATH=$PATH:/usr/sbin
runs=5
[[ ${1:-} =~ ^[0-9]+$ ]] && runs=$1 && shift
pulls=100
sections=" ${*:-throughput start line pipe tls rtmpe calls density help} "
for section in $sections; do
    case $section in
        throughput | start | line | pipe | tls | rtmpe | calls | density | help) ;;
        density=*[!0-9]* | density=) echo "density=N" >&2; exit 2 ;;
        density=*) pulls=${section#*=} ;;
        *) echo "there is no section $section" >&2; exit 2 ;;
    esac
done
[ "$pulls" -ge 1 ] && [ "$pulls" -le 500 ] || { echo "density: 1 to 500" >&2; exit 2; }
wanted() { [[ $sections == *" $1 "* || $sections == *" $1="* ]]; }

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
    wait
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
noise="-f lavfi -i nullsrc=size=480x270:rate=30,geq=random(1)*255:128:128 -f lavfi -i sine=frequency=440"
make video.flv 66 "$noise -t 2 -c:v libx264 -preset ultrafast -qp 30 -g 30 -pix_fmt yuv420p -c:a aac -b:a 128k"
make small.flv 400 "-f lavfi -i sine=frequency=440:sample_rate=44100 -t 60 -ac 1 -c:a aac -b:a 16k"
cp "$media"/video.flv "$media"/small.flv "$work"
if wanted calls; then
    # Of each kind a short one and a longer one: what the difference costs is free of what the start costs.
    make video-short.flv 2 "$noise -t 2 -c:v libx264 -preset ultrafast -qp 30 -g 30 -pix_fmt yuv420p -c:a aac -b:a 128k"
    make video-long.flv 12 "$noise -t 2 -c:v libx264 -preset ultrafast -qp 30 -g 30 -pix_fmt yuv420p -c:a aac -b:a 128k"
    make small-short.flv 4 "-f lavfi -i sine=frequency=440:sample_rate=44100 -t 60 -ac 1 -c:a aac -b:a 16k"
    make small-long.flv 24 "-f lavfi -i sine=frequency=440:sample_rate=44100 -t 60 -ac 1 -c:a aac -b:a 16k"
    cp "$media"/{video,small}-{short,long}.flv "$work"
fi
if wanted density; then
    make live.flv 1 "${noise/480x270/160x90} -t 20 -c:v libx264 -preset ultrafast -b:v 880k -maxrate 880k -bufsize 440k -g 60 -pix_fmt yuv420p -c:a aac -b:a 112k"
fi

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

near= # what stands before a client's command
# starting TITLE URL: milliseconds from the start of the program to the first whole audio or video tag on its stdout.
# A client that is gone keeps nginx busy for a tenth of a second: the next one begins when the server answers C0 and C1.
first() {
    local name=$1
    shift
    $near bash -c 'exec 3<>"/dev/tcp/${0%:*}/${0##*:}" && { printf "\3"; head -c 1536 /dev/zero; } >&3 && head -c 1 <&3' "$at" >/dev/null
    $near "$floor" first "$@" >>"$work/first.$name"
}
starting() {
    local title=$1 url=$2 run at
    at=${url#*://} at=${at%%/*}
    [[ $at == *:* ]] || at=$at:1935
    rm -f "$work"/first.*
    for run in $(seq "$runs"); do
        first rtmpcat "$rtmpcat" -q -r "$url"
        first fast "$rtmpcat" -q --fast-start -r "$url"
        first rtmpdump rtmpdump -q -r "$url"
        first ffmpeg ffmpeg -v quiet -nostdin -i "$url" -c copy -f flv -
    done
    printf '%-34s %10s %10s %10s %10s\n' "$title" "$(median <"$work/first.rtmpcat")" "$(median <"$work/first.fast")" \
        "$(median <"$work/first.rtmpdump")" "$(median <"$work/first.ffmpeg")"
}

# A line of 50 ms each way between two network namespaces, servers in one, clients in the other (benches/link.py).
line() {
    local link=rc$((port % 1000)) host=10.77.0.1 node peer
    there() { ip netns exec ${link}a "$@"; }
    reached() { until there bash -c "(: </dev/tcp/$host/$1) 2>/dev/null"; do :; done; }
    python3 benches/link.py $link 50 >"$work/link" & children+=($!)
    until [ -s "$work/link" ]; do :; done
    near="ip netns exec ${link}b"
    sed "s/127\.0\.0\.1:/$host:/; s|pid $work/pid|pid $work/pid2|" "$work/nginx.conf" >"$work/nginx-line.conf"
    there nginx -p "$work" -e "$work/error.log" -c "$work/nginx-line.conf" & children+=($!)
    there "$rtmpcat" serve -q --fast --listen $host:1935 "$work/video.flv" & children+=($!)
    reached $((port + 1)) && reached 1935
    publish() {
        there ffmpeg -v error -nostdin -re -stream_loop -1 -i "$work/video.flv" -c copy -f flv "$1" 2>/dev/null & children+=($!)
        # Until the first picture has come through: who plays then finds it live.
        there "$floor" first "$rtmpcat" -q --live -r "$1" >/dev/null
    }
    publish rtmp://$host:$((port + 1))/live/one
    printf '\nMilliseconds to the first audio or video on stdout, 50 ms each way, TCP included\n%-34s %10s %10s %10s %10s\n' "" rtmpcat fast-start rtmpdump ffmpeg
    starting "rtmpcat serve, file" rtmp://$host/vod/video.flv
    starting "nginx, file" rtmp://$host:$((port + 1))/vod/video.flv
    starting "nginx, live" rtmp://$host:$((port + 1))/live/one
    for peer in nms2 nms4; do
        node=$(readlink -f "$target")/peers/$peer/node_modules/node-media-server
        [ -d "$node" ] && has node || continue
        mkdir -p "$work/$peer"
        (cd "$work/$peer" && exec ip netns exec ${link}a node -e "new (require('$node'))({
            logType: 0, bind: '$host', rtmp: { port: 194${peer#nms}, chunk_size: 60000, gop_cache: true, ping: 30, ping_timeout: 60 },
            http: { port: 800${peer#nms}, allow_origin: '*', mediaroot: './media' }, store: { path: './data' }, notify: {}, record: {},
            webadmin: { enable: false }, auth: { play: false, publish: false, secret: 'none', jwt: { secret: 'none', users: [] } } }).run();" >/dev/null 2>&1) &
        children+=($!)
        reached 194${peer#nms}
        publish rtmp://$host:194${peer#nms}/live/one
        starting "Node-Media-Server ${peer#nms}, live" rtmp://$host:194${peer#nms}/live/one
    done
    near=
}

# try NAME COMMAND…: one run, kept for the table.
try() {
    local name=$1; shift
    measure "$@" >>"$work/result.$name"
}

# table TITLE SIZE BASE NAME…: what was tried; CPU beside that of BASE.
table() {
    local title=$1 size=$2 base name
    base=$(cut -d' ' -f2 "$work/result.$3" | median)
    printf '\n%s (%d MB)\n%-16s %10s %12s %16s %10s %6s\n' "$title" $((size / 1000000)) client "wall s" "CPU s/GB" "× $3" "peak MiB" failed
    for name in "${@:4}"; do
        awk -v n="$name" -v w="$(cut -d' ' -f1 "$work/result.$name" | median)" -v cpu="$(cut -d' ' -f2 "$work/result.$name" | median)" \
            -v m="$(cut -d' ' -f3 "$work/result.$name" | median)" -v b="$base" -v s="$size" -v f="$(cut -d' ' -f4 "$work/result.$name" | grep -vc '^0$')" \
            'BEGIN { printf "%-16s %10.2f %12.2f %16.2f %10.1f %6d\n", n, w, cpu * 1e9 / s, b ? cpu / b : 0, m / 1024, f }'
    done
    rm -f "$work"/result.*
}

# awaits PORT: somebody listens there.
awaits() { until (: </dev/tcp/127.0.0.1/"$1") 2>/dev/null; do :; done; }

# has PROGRAM…: they are there, or the section is passed over.
has() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || { printf '\n(%s is missing: passed over)\n' "$program"; return 1; }
    done
}

# into_pipe NAME COMMAND…: one run with its standard output in a pipe that is read by another program.
into_pipe() {
    cat "$work/pipe" >/dev/null & local reader=$!
    OUT=$work/pipe try "$@"
    wait $reader
}

pipes() { # title, stream, port
    local title=$1 stream=$2 url=rtmp://127.0.0.1:$3/vod/$2.flv
    [ -p "$work/pipe" ] || mkfifo "$work/pipe"
    for _ in $(seq "$runs"); do
        into_pipe rtmpcat "$rtmpcat" -q -r "$url" -o -
        into_pipe rtmpdump rtmpdump -q -r "$url" -o -
        into_pipe ffmpeg ffmpeg -v error -nostdin -rtmp_buffer 36000000 -i "$url" -c copy -f flv -
        into_pipe floor "$floor" recv "$(cat "$work/send.$stream")" /dev/stdout
    done
    table "$title" "$(stat -c %s "$work/$stream.flv")" rtmpdump floor rtmpcat rtmpdump ffmpeg
}

tls() {
    local out=$work/out.flv size
    size=$(stat -c %s "$work/video.flv")
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    printf 'foreground = yes\npid =\ncert = %s\nkey = %s\n[rtmps]\naccept = 127.0.0.1:%d\nconnect = 127.0.0.1:%d\n[bytes]\naccept = 127.0.0.1:%d\nconnect = 127.0.0.1:%d\n' \
        "$work/cert.pem" "$work/key.pem" $((port + 3)) $((port + 1)) $((port + 4)) "$(cat "$work/send.video")" >"$work/stunnel.conf"
    stunnel4 "$work/stunnel.conf" 2>/dev/null & children+=($!)
    awaits $((port + 3))
    for _ in $(seq "$runs"); do
        try rtmpcat "$rtmpcat" -q --cafile "$work/cert.pem" -r "rtmps://localhost:$((port + 3))/vod/video.flv" -o "$out"
        OUT=$out try s_client openssl s_client -quiet -connect 127.0.0.1:$((port + 4))
        try rtmpcat-plain "$rtmpcat" -q -r "rtmp://localhost:$((port + 1))/vod/video.flv" -o "$out"
    done
    table "TLS: stunnel before nginx, chunks of 4096; s_client receives the file's bytes alone" "$size" s_client s_client rtmpcat rtmpcat-plain
}

rtmpe() {
    local out=$work/out.flv scheme
    "$rtmpcat" serve -q --fast --chunk-size 4096 --listen 127.0.0.1:$((port + 5)) "$work/video.flv" & children+=($!)
    awaits $((port + 5))
    for _ in $(seq "$runs"); do
        for scheme in rtmpe rtmp; do
            try rtmpcat-$scheme "$rtmpcat" -q -r "$scheme://127.0.0.1:$((port + 5))/vod/video.flv" -o "$out"
            try rtmpdump-$scheme rtmpdump -q -r "$scheme://127.0.0.1:$((port + 5))/vod/video.flv" -o "$out"
        done
    done
    table "RTMPE and RTMP: rtmpcat serve, chunks of 4096" "$(stat -c %s "$work/video.flv")" rtmpdump-rtmpe rtmpcat-rtmpe rtmpdump-rtmpe rtmpcat-rtmp rtmpdump-rtmp
}

# counted CLIENT STREAM: instructions in user mode, and system calls, of a dump to a file.
counted() {
    local command=("$1" -q -r "rtmp://127.0.0.1:$((port + 1))/vod/$2.flv" -o "$work/out.flv") instructions calls
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "${command[@]}" 2>"$work/callgrind" || :
    instructions=$(sed -nE 's/.*Collected : *([0-9]+).*/\1/p' "$work/callgrind")
    strace -f -c -o "$work/strace" "${command[@]}" 2>/dev/null || :
    calls=$(awk '$NF == "total" { print $4 }' "$work/strace")
    echo "${instructions:-0} ${calls:-0}"
}

calls() {
    local kind client short long
    printf '\nUser instructions (callgrind) and system calls (strace) per MB at chunks of 4096, and those before the first\n'
    printf '%-22s %14s %12s %12s %12s %14s %12s\n' "" "M instr./MB" "× rtmpdump" "calls/MB" "× rtmpdump" "start: M instr." "calls"
    for kind in video small; do
        : >"$work/counts"
        for client in "$rtmpcat" rtmpdump; do
            short=$(counted "$client" $kind-short) long=$(counted "$client" $kind-long)
            echo "$(basename "$client") $short $long" >>"$work/counts"
        done
        awk -v kind=$kind -v s="$(stat -c %s "$work/$kind-short.flv")" -v l="$(stat -c %s "$work/$kind-long.flv")" '
            { mb = (l - s) / 1e6; name[NR] = $1; i[NR] = ($4 - $2) / mb; c[NR] = ($5 - $3) / mb; si[NR] = $2 - i[NR] * s / 1e6; sc[NR] = $3 - c[NR] * s / 1e6; if (sc[NR] < 0) sc[NR] = 0 }
            END { for (n = 1; n <= NR; n++) printf "%-22s %14.2f %12.2f %12.0f %12.3f %14.1f %12.0f\n", kind ", " name[n], i[n] / 1e6, i[n] / i[2], c[n], c[n] / c[2], si[n] / 1e6, sc[n] }' "$work/counts"
    done
}

# density: SECONDS of N processes of a client, after they have settled: "ms-of-CPU-per-second PSS-KiB private-KiB alive", of one.
cat >"$work/density.py" <<'PYTHON'
import glob, os, shutil, signal, subprocess, sys, time
count, settle, seconds, folder = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
os.makedirs(folder)
children = []
def busy(child):
    # Nanoseconds on a processor, all threads.
    return sum(int(open(path).read().split()[0]) for path in glob.glob(f"/proc/{child.pid}/task/*/schedstat"))
def held(child):
    lines = dict(line.split(":", 1) for line in open(f"/proc/{child.pid}/smaps_rollup").read().splitlines()[1:])
    size = lambda name: int(lines[name].split()[0])
    return size("Pss"), size("Private_Dirty") + size("Private_Clean")
try:
    for number in range(count):
        children.append(subprocess.Popen(sys.argv[5:] + ["-o", f"{folder}/{number}.flv"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(0.02)
    time.sleep(settle)
    alive = [child for child in children if child.poll() is None]
    before, begun = [busy(child) for child in alive], time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    pairs = [(busy(child) - was, *held(child)) for child, was in zip(alive, before) if child.poll() is None]
    n = max(len(pairs), 1)
    print(f"{sum(p[0] for p in pairs) / n / 1e6 / took:.3f} {sum(p[1] for p in pairs) / n:.0f} {sum(p[2] for p in pairs) / n:.0f} {len(pairs)}")
finally:
    for child in children:
        child.kill()
    for child in children:
        child.wait()
    shutil.rmtree(folder, ignore_errors=True)
PYTHON

density() {
    local url=rtmp://127.0.0.1:$((port + 1))/live/one client
    ffmpeg -v error -nostdin -re -stream_loop -1 -i "$media/live.flv" -c copy -f flv "$url" 2>/dev/null & children+=($!)
    : >"$work/counts"
    for client in "$rtmpcat" rtmpdump; do
        echo "$(basename "$client") $(python3 "$work/density.py" "$pulls" 10 20 "$work/pulls" "$client" -q --live -r "$url")" >>"$work/counts"
    done
    printf '\nDensity: %d live pulls of 1 Mbit/s to files, one process each, after 10 s, for 20 s\n' "$pulls"
    printf '%-10s %12s %12s %10s %12s %14s %8s\n' client "CPU ms/s" "× rtmpdump" "PSS KiB" "× rtmpdump" "private KiB" running
    awk '{ n[NR] = $1; c[NR] = $2; p[NR] = $3; v[NR] = $4; r[NR] = $5 }
        END { for (i = 1; i <= NR; i++) printf "%-10s %12.2f %12.2f %10d %12.2f %14d %8d\n", n[i], c[i], c[2] ? c[i] / c[2] : 0, p[i], p[2] ? p[i] / p[2] : 0, v[i], r[i] }' "$work/counts"
}

echo "$(date -u +%F), $(nproc) × $(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r), median of $runs"
echo "rtmpdump: $(rtmpdump -h 2>&1 | sed -n 1p); ffmpeg: $(ffmpeg -version | sed -nE '1s/ Copyright.*//p')"
if wanted throughput; then
    compare "Video, chunks of 65536" video $((port + 2))
    compare "Video, chunks of 4096" video $((port + 1))
    compare "Video, chunks of 128" video "$port"
    compare "Many small tags, chunks of 4096" small $((port + 1))
fi

if wanted start; then
    "$floor" relay $((port + 1)) 50 >"$work/relay" & children+=($!)
    until [ -s "$work/relay" ]; do :; done
    printf '\nMilliseconds to the first audio or video on stdout\n%-34s %10s %10s %10s %10s\n' "" rtmpcat fast-start rtmpdump ffmpeg
    starting "nginx, file" "rtmp://127.0.0.1:$((port + 1))/vod/video.flv"
    starting "nginx, file, 50 ms each way" "rtmp://127.0.0.1:$(cat "$work/relay")/vod/video.flv"
    echo "(the relay answers TCP's own handshake at once: on a real line add a round trip to each)"
fi

if wanted line && has ip; then
    if [ "$(id -u)" = 0 ] && [ -c /dev/net/tun ]; then line; else printf '\n(a line needs root and /dev/net/tun: passed over)\n'; fi
fi

if wanted pipe; then
    pipes "To a pipe: video, chunks of 65536" video $((port + 2))
    pipes "To a pipe: video, chunks of 4096" video $((port + 1))
    pipes "To a pipe: video, chunks of 128" video "$port"
    pipes "To a pipe: many small tags, chunks of 4096" small $((port + 1))
fi
if wanted tls && has stunnel4 openssl; then tls; fi
if wanted rtmpe; then rtmpe; fi
if wanted calls && has valgrind strace; then calls; fi
if wanted density; then density; fi

if wanted help; then
    rm -f "$work"/result.*
    for run in $(seq $((runs * 5))); do
        measure "$rtmpcat" --help >>"$work/result.rtmpcat"
        measure rtmpdump --help >>"$work/result.rtmpdump"
    done
    printf '\n--help: rtmpcat %s s, rtmpdump %s s\n' "$(median <"$work/result.rtmpcat")" "$(median <"$work/result.rtmpdump")"
fi
