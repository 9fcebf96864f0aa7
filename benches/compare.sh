#!/usr/bin/env bash
# rtmpcat beside rtmpdump, ffmpeg and the floor (a plain receive-and-write), in one run on one machine.
#
#   bash benches/compare.sh [RUNS] [SECTION…]
#
# RUNS of each (default 5), in turn (A B C A B C …); medians are printed. Sections, by default all of them:
#
#   file   a dump to a file                  start   from the program's start to the first picture
#   pipe   a dump to a pipe                  line    the same at 50 ms each way, TCP included (root, /dev/net/tun)
#   nginx  a dump to a file, from nginx      calls   instructions and system calls of a dump (valgrind, strace)
#   tls    RTMPS, beside openssl s_client    rtmpe   RTMPE, beside rtmpdump
#   help   --help
#   live[=N]  N live pulls of 1 Mbit/s at a time, one process each, to the null device, into pipes, into files and with a
#             terminal (default 500)
#
# Everything is on loopback and in memory (/dev/shm). The server is a generator that sends prepared chunks by sendfile, so that
# the client is what limits; where a section names it, nginx with its RTMP module. CPU time is the operating system's (user +
# system) of the client and its children, memory the highest resident set. With RTMPCAT_BIN=FILE another binary is measured.
# Where a goal is set, it is printed beside the ratio.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C
PATH=$PATH:/usr/sbin
runs=5
[[ ${1:-} =~ ^[0-9]+$ ]] && runs=$1 && shift
pulls=500
sections=" ${*:-file pipe nginx start line tls rtmpe calls live help} "
for section in $sections; do
    case $section in
        file | pipe | nginx | start | line | tls | rtmpe | calls | live | help) ;;
        live=*[!0-9]* | live=) echo "live=N" >&2; exit 2 ;;
        live=*) pulls=${section#*=} ;;
        *) echo "there is no section $section" >&2; exit 2 ;;
    esac
done
[ "$pulls" -ge 1 ] && [ "$pulls" -le 500 ] || { echo "live: 1 to 500" >&2; exit 2; }
wanted() { [[ $sections == *" $1 "* || $sections == *" $1="* ]]; }

for program in nginx rtmpdump ffmpeg python3; do
    command -v $program >/dev/null || { echo "$program is missing: bash tests/all.sh installs it" >&2; exit 1; }
done
target=${CARGO_TARGET_DIR:-target}
rtmpcat=${RTMPCAT_BIN:-$target/release/rtmpcat}
[ -n "${RTMPCAT_BIN:-}" ] || cargo build --release --quiet --bin rtmpcat
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
if wanted live; then
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
# serves NAME STREAM CHUNK: a generator, whose port is then in $work/NAME.
serves() { "$floor" file "$work/$2.flv" "$3" >"$work/$1" & children+=($!); }
serves file.65536 video 65536
serves file.4096 video 4096
serves file.128 video 128
serves file.small small 4096
until [ -s "$work/file.65536" ] && [ -s "$work/file.4096" ] && [ -s "$work/file.128" ] && [ -s "$work/file.small" ] && [ -s "$work/send.video" ] && [ -s "$work/send.small" ] && (: </dev/tcp/127.0.0.1/$port) 2>/dev/null; do :; done

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

# row NAME SIZE FLOOR RTMPDUMP GOAL-FLOOR GOAL-RTMPDUMP: one line of a table; a goal of 0 is none.
row() {
    awk -v n="$1" -v w="$(cut -d' ' -f1 "$work/result.$1" | median)" -v cpu="$(cut -d' ' -f2 "$work/result.$1" | median)" \
        -v m="$(cut -d' ' -f3 "$work/result.$1" | median)" -v failed="$(cut -d' ' -f4 "$work/result.$1" | grep -vc '^0$')" \
        -v s="$2" -v b="$3" -v d="$4" -v gb="$5" -v gd="$6" '
        function goal(ratio, most) { return most ? sprintf("≤ %.2f %s", most, ratio <= most ? "met" : "MISSED") : "" }
        BEGIN { printf "%-12s %8.2f %9.2f %9.2f %-13s %9.2f %-13s %8.1f %s\n", n, w, cpu * 1e9 / s, b ? cpu / b : 0,
            goal(b ? cpu / b : 0, gb), d ? cpu / d : 0, goal(d ? cpu / d : 0, gd), m / 1024, (failed > 0 ? failed " failed" : "") }'
}

# compare TITLE STREAM PORT FLOOR-KiB GOAL-FLOOR GOAL-RTMPDUMP RUNNER: one table, the clients in turn.
compare() {
    local title=$1 stream=$2 url=rtmp://127.0.0.1:$3/vod/$2.flv buffer=$4 runner=$7 size client base dump
    size=$(stat -c %s "$work/$stream.flv")
    rm -f "$work"/result.*
    for _ in $(seq "$runs"); do
        $runner rtmpcat "$rtmpcat" -q -r "$url" -o OUT
        $runner rtmpdump rtmpdump -q -r "$url" -o OUT
        $runner ffmpeg ffmpeg -v error -nostdin -y -rtmp_buffer 36000000 -i "$url" -c copy -f flv OUT
        $runner floor "$floor" recv "$(cat "$work/send.$stream")" OUT "$buffer"
    done
    printf '\n%s (%d MB; floor: %d KiB)\n%-12s %8s %9s %9s %-13s %9s %-13s %8s\n' "$title" $((size / 1000000)) "$buffer" \
        client "wall s" "CPU s/GB" "× floor" goal "× rtmpdump" goal "peak MiB"
    base=$(cut -d' ' -f2 "$work/result.floor" | median) dump=$(cut -d' ' -f2 "$work/result.rtmpdump" | median)
    row floor "$size" "$base" "$dump" 0 0
    row rtmpcat "$size" "$base" "$dump" "$5" "$6"
    row rtmpdump "$size" "$base" "$dump" 0 0
    row ffmpeg "$size" "$base" "$dump" 0 0
    rm -f "$work"/result.*
}

# to_file NAME COMMAND…: one run; OUT among its words is a file.
to_file() {
    local words=("${@:2}")
    try "$1" "${words[@]/#%OUT/$work/out.flv}"
}

# to_pipe NAME COMMAND…: one run; OUT is standard output, a pipe that another program reads.
to_pipe() {
    local words=("${@:2}") out=-
    [ "$1" != floor ] || out=/dev/stdout
    [ -p "$work/pipe" ] || mkfifo "$work/pipe"
    cat "$work/pipe" >/dev/null & local reader=$!
    OUT=$work/pipe try "$1" "${words[@]/#%OUT/$out}"
    wait $reader
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
    printf '\nMilliseconds to the first audio or video on stdout, 50 ms each way, TCP included: 100 ms are a round trip\n(goals: rtmpcat serve ≤ 403, 300 with --fast-start; nginx, live ≤ 600)\n%-34s %10s %10s %10s %10s\n' "" rtmpcat fast-start rtmpdump ffmpeg
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

# pulls.py N SETTLE SECONDS OUTPUT FOLDER COMMAND…: N processes of a client that write to OUTPUT (null, pipe, file or terminal:
# to the null device, with standard error on a terminal), after they have settled: "CPU-ms/s PSS-KiB anonymous-KiB running", of one.
cat >"$work/pulls.py" <<'PYTHON'
import glob, os, pty, selectors, shutil, signal, subprocess, sys, threading, time
count, settle, seconds, output, folder = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4], sys.argv[5]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
os.makedirs(folder)
children, readers = [], selectors.DefaultSelector()
def drain():
    while True:
        for key, _ in readers.select(1):
            try:
                if not os.read(key.fd, 1 << 20):
                    readers.unregister(key.fd)
            except OSError:
                readers.unregister(key.fd)
def tree(child):
    # A process and its descendants.
    found = [child]
    for process in found:
        for path in glob.glob(f"/proc/{process}/task/*/children"):
            found += [int(word) for word in open(path).read().split()]
    return found
def busy(child):
    # Nanoseconds on a processor, all threads.
    return sum(int(open(path).read().split()[0]) for process in tree(child.pid) for path in glob.glob(f"/proc/{process}/task/*/schedstat"))
def held(child):
    lines = dict(line.split(":", 1) for line in open(f"/proc/{child.pid}/smaps_rollup").read().splitlines()[1:])
    size = lambda name: int(lines[name].split()[0])
    return size("Pss"), size("Anonymous")
try:
    terminal, slave = pty.openpty() if output == "terminal" else (None, subprocess.DEVNULL)
    if terminal is not None:
        readers.register(terminal, selectors.EVENT_READ)
    for number in range(count):
        target = {"file": f"{folder}/{number}.flv", "null": "/dev/null", "terminal": "/dev/null"}.get(output, "-")
        child = subprocess.Popen(sys.argv[6:] + ["-o", target], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if output == "pipe" else subprocess.DEVNULL, stderr=slave)
        children.append(child)
        if output == "pipe":
            readers.register(child.stdout.fileno(), selectors.EVENT_READ)
        time.sleep(0.02)
        if number == 0:
            threading.Thread(target=drain, daemon=True).start()
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

# pulled OUTPUT GOAL-CPU: one table of live pulls.
pulled() {
    local client quiet=-q
    [ "$1" != terminal ] || quiet=
    : >"$work/counts"
    for client in "$rtmpcat" rtmpdump; do
        # shellcheck disable=SC2086
        echo "$(basename "$client") $(python3 "$work/pulls.py" "$pulls" 10 20 "$1" "$work/pulls" "$client" $quiet --live -r "$url")" >>"$work/counts"
    done
    printf '\n%d live pulls of 1 Mbit/s, one process each: %s\n' "$pulls" "$1"
    printf '%-12s %9s %9s %-13s %9s %9s %-13s %9s %-13s %8s\n' client "CPU ms/s" "× rtmpdump" goal "PSS KiB" "× rtmpdump" goal "anonymous" goal running
    awk -v most="$2" '
        function goal(ratio, most) { return most ? sprintf("≤ %.2f %s", most, ratio <= most ? "met" : "MISSED") : "" }
        { n[NR] = $1; c[NR] = $2; p[NR] = $3; v[NR] = $4; r[NR] = $5 }
        END { for (i = 1; i <= NR; i++) { cpu = c[2] ? c[i] / c[2] : 0; pss = p[2] ? p[i] / p[2] : 0
            printf "%-12s %9.2f %9.2f %-13s %9d %9.2f %-13s %9d %-13s %8d\n", n[i], c[i], cpu, (i == 1 ? goal(cpu, most) : ""),
                p[i], pss, (i == 1 ? goal(pss, 0.9) : ""), v[i], (i == 1 ? goal(v[i], 512) : ""), r[i] } }' "$work/counts"
}

live() {
    local url
    "$floor" live "$media/live.flv" 4096 >"$work/live" & children+=($!)
    until [ -s "$work/live" ]; do :; done
    url=rtmp://127.0.0.1:$(cat "$work/live")/live/one
    pulled null 1.1
    pulled pipe 1.1
    pulled file 0.8
    pulled terminal 0
}

echo "$(date -u +%F), $(nproc) × $(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r), median of $runs"
echo "rtmpdump: $(rtmpdump -h 2>&1 | sed -n 1p); ffmpeg: $(ffmpeg -version | sed -nE '1s/ Copyright.*//p')"
if wanted file; then
    compare "To a file: video, chunks of 65536" video "$(cat "$work/file.65536")" 1024 1.25 0.65 to_file
    compare "To a file: video, chunks of 4096" video "$(cat "$work/file.4096")" 1024 1.25 0.65 to_file
    compare "To a file: video, chunks of 128" video "$(cat "$work/file.128")" 1024 0 0.6 to_file
    compare "To a file: many small tags, chunks of 4096" small "$(cat "$work/file.small")" 1024 0 0.25 to_file
fi
if wanted pipe; then
    compare "To a pipe: video, chunks of 65536" video "$(cat "$work/file.65536")" 64 0 0 to_pipe
    compare "To a pipe: video, chunks of 4096" video "$(cat "$work/file.4096")" 64 1.25 0.55 to_pipe
    compare "To a pipe: video, chunks of 128" video "$(cat "$work/file.128")" 64 0 0 to_pipe
    compare "To a pipe: many small tags, chunks of 4096" small "$(cat "$work/file.small")" 64 0 0 to_pipe
fi
if wanted nginx; then
    compare "From nginx to a file: video, chunks of 4096" video $((port + 1)) 1024 0 0 to_file
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

if wanted tls && has stunnel4 openssl; then tls; fi
if wanted rtmpe; then rtmpe; fi
if wanted calls && has valgrind strace; then calls; fi
if wanted live; then live; fi

if wanted help; then
    rm -f "$work"/result.*
    for run in $(seq $((runs * 5))); do
        measure "$rtmpcat" --help >>"$work/result.rtmpcat"
        measure rtmpdump --help >>"$work/result.rtmpdump"
    done
    printf '\n--help: rtmpcat %s s, rtmpdump %s s (goal: ≤ 1.1 ×)\n' "$(median <"$work/result.rtmpcat")" "$(median <"$work/result.rtmpdump")"
fi
