#!/usr/bin/env bash
# The one gate: everything the project asks of a change, in one command.
#
#   bash tests/all.sh          install what is missing (as root; otherwise say how), then fmt, clippy, tests (doctests and examples
#                              too), the library alone, doc, package
#   bash tests/all.sh --check  only say what is missing
#
# Real servers and players are the point of the interop tests. When all of them are there, or RTMPCAT_INTEROP is set, a
# test that cannot find one fails. Otherwise (no root, no network) such tests are skipped, counted and named at the end.
# xiu is used where it is installed (on the PATH, or RTMPCAT_XIU=FILE): building it takes minutes, so it is never fetched.
# Servers and tools from npm and PyPI go into target/peers: nothing outside the package is touched but apt's packages.
set -u
cd "$(dirname "$0")/.."
command -v cargo >/dev/null || { echo "cargo is missing: https://rustup.rs installs it" >&2; exit 1; }
export LC_ALL=C.UTF-8 CARGO_TERM_COLOR=never RUST_BACKTRACE=${RUST_BACKTRACE:-0}
started=$SECONDS

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
logs=$target/all-sh
export RTMPCAT_PEERS=${RTMPCAT_PEERS:-$target/peers}
export RTMPCAT_SKIP_LOG=$logs/skipped.txt
mkdir -p "$logs" "$RTMPCAT_PEERS"
: >"$RTMPCAT_SKIP_LOG"
PATH=$PATH:$RTMPCAT_PEERS/python/bin:/usr/sbin:/sbin

NMS2=2.7.4 NMS4=4.4.3 YTDLP=2026.10.26 IMAGEIO=0.8.1

# --- What is there, what is missing ---------------------------------------------------------------------------------
have() { command -v "$1" >/dev/null 2>&1; }
nginx_module() { [ -e "/usr/lib/nginx/modules/$1" ] || [ -e "/usr/share/nginx/modules/$1" ]; }
gst_element() { have gst-inspect-1.0 && gst-inspect-1.0 "$1" >/dev/null 2>&1; }

missing_apt() {
    have nginx || echo nginx
    nginx_module ngx_rtmp_module.so || echo libnginx-mod-rtmp
    nginx_module ngx_stream_module.so || echo libnginx-mod-stream
    have ffmpeg && have ffprobe || echo ffmpeg
    have rtmpdump || echo rtmpdump
    have flvmeta || echo flvmeta
    have tshark || echo tshark
    have tcpdump || echo tcpdump
    have stunnel4 || echo stunnel4
    have ip || echo iproute2
    have nft || echo nftables
    have openssl || echo openssl
    have strace || echo strace
    have valgrind || echo valgrind
    have cc || echo gcc libc6-dev
    have groff || echo groff-base
    have mandoc || echo mandoc
    have zsh || echo zsh
    have fish || echo fish
    gst_element rtmp2src || echo gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    have node || echo nodejs
    have npm || echo npm
    python3 -c 'import venv, ensurepip' 2>/dev/null || echo python3 python3-venv
}
missing_peers() {
    local name version
    for name in nms2:$NMS2 nms4:$NMS4; do
        version=${name#*:} name=${name%%:*}
        grep -qs "\"version\": \"$version\"" "$RTMPCAT_PEERS/$name/node_modules/node-media-server/package.json" || echo "$name"
    done
    [ -x "$RTMPCAT_PEERS/python/bin/yt-dlp" ] && [ -x "$RTMPCAT_PEERS/imageio-ffmpeg" ] || echo python
}
install_peer() {
    case $1 in
    nms2 | nms4)
        local version=$NMS2
        [ "$1" = nms4 ] && version=$NMS4
        mkdir -p "$RTMPCAT_PEERS/$1" &&
            timeout 300 npm install --prefix "$RTMPCAT_PEERS/$1" --no-audit --no-fund --loglevel=error "node-media-server@$version"
        ;;
    python)
        python3 -m venv "$RTMPCAT_PEERS/python" &&
            timeout 300 "$RTMPCAT_PEERS/python/bin/pip" install --quiet "yt-dlp==$YTDLP" "imageio-ffmpeg==$IMAGEIO" &&
            ln -sf "$("$RTMPCAT_PEERS/python/bin/python" -c 'import imageio_ffmpeg as i; print(i.get_ffmpeg_exe())')" \
                "$RTMPCAT_PEERS/imageio-ffmpeg"
        ;;
    esac
}
apt_install() {
    # RUNLEVEL=1: a package's service (nginx on port 80) is installed but not started.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive timeout 600 \
        apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends "$@"
}
apt_install_what_can_be() {
    # Lists of packages may be old, or some source out of reach: what is known already may do.
    timeout 300 apt-get -qq update || :
    apt_install "$@" && return
    # One package that a distribution has not got must not keep the others away.
    local package
    for package in "$@"; do apt_install "$package"; done
}
apt_command="apt-get update && apt-get install --no-install-recommends"

apt=$(missing_apt | tr '\n' ' ')
if [ "${1:-}" = --check ]; then
    [ -z "$apt" ] || echo "missing: $apt" "(as root: $apt_command $apt)"
    peers=$(missing_peers | tr '\n' ' ')
    [ -z "$peers" ] || echo "missing in $RTMPCAT_PEERS: $peers(bash tests/all.sh fetches them)"
    [ -z "$apt$peers" ] && echo "nothing is missing"
    exit
fi
cant=""
if [ -n "$apt" ]; then
    if [ "$(id -u)" = 0 ] && have apt-get; then
        echo "== installing: $apt"
        # shellcheck disable=SC2086
        apt_install_what_can_be $apt >"$logs/apt.log" 2>&1 || tail -n 20 "$logs/apt.log"
        hash -r
    else
        echo "== missing programs; to install them:  sudo sh -c '$apt_command -y $apt'"
    fi
    cant=$(missing_apt | tr '\n' ' ')
fi
for peer in $(missing_peers); do
    echo "== fetching: $peer"
    install_peer "$peer" >"$logs/$peer.log" 2>&1 || { tail -n 5 "$logs/$peer.log"; cant="$cant$peer "; }
done
[ -z "$cant" ] || echo "== still missing: $cant"
[ -n "$cant" ] || export RTMPCAT_INTEROP=1

# --- The gate -------------------------------------------------------------------------------------------------------
# Each step counts as one check; `cargo test` counts each of its tests as well. All steps run even when one fails.
passed=0 failed=0 ignored=0 broken=()
step() {
    local name=$1 begun=$SECONDS
    shift
    echo "== $name: $*"
    if "$@" 2>&1 | tee "$logs/$name.log"; then
        passed=$((passed + 1))
        echo "== $name: ok ($((SECONDS - begun)) s)"
    else
        failed=$((failed + 1))
        broken+=("$name")
        echo "== $name: FAILED ($((SECONDS - begun)) s)"
    fi
}
set -o pipefail
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4} # they mostly wait for each other's sockets
step fmt cargo fmt --check
step clippy cargo clippy --locked --all-targets --quiet -- -D warnings
step build cargo test --locked --no-run --quiet
step test cargo test --locked --no-fail-fast
step library cargo test --locked --no-default-features --lib --examples --quiet
RUSTDOCFLAGS="-D warnings" step doc cargo doc --locked --no-deps --quiet
step package cargo package --locked --allow-dirty --no-verify --quiet

# --- The counts -----------------------------------------------------------------------------------------------------
count() { sed -nE "s/^test result: .* ([0-9]+) $1;.*/\1/p" "$logs/test.log" | awk '{ n += $1 } END { print n + 0 }'; }
tests_failed=$(count failed)
passed=$((passed + $(count passed)))
ignored=$(count ignored)
# The step itself stands for what cargo says beside its tests, e.g. that something does not compile.
if [ "$tests_failed" -gt 0 ]; then failed=$((failed + tests_failed - 1)); fi
skipped=0
if [ -s "$RTMPCAT_SKIP_LOG" ]; then
    sort -u "$RTMPCAT_SKIP_LOG" -o "$RTMPCAT_SKIP_LOG"
    skipped=$(sed 's/: .*//' "$RTMPCAT_SKIP_LOG" | sort -u | wc -l)
    passed=$((passed - skipped)) # to cargo a test that stopped early has passed
    echo
    echo "skipped:"
    sed 's/^/  /' "$RTMPCAT_SKIP_LOG"
fi
if [ "$failed" -gt 0 ]; then
    echo
    echo "failed: ${broken[*]}"
    grep -hE '^test .* FAILED$' "$logs/test.log" | sed 's/^/  /'
fi
echo
echo "took $((SECONDS - started)) s; logs in $logs"
echo "$passed passed, $failed failed, $((skipped + ignored)) skipped"
[ "$failed" -eq 0 ]
