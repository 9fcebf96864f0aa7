#!/usr/bin/env python3
"""Two network namespaces joined by a line that delays every packet: python3 benches/link.py NAME MILLISECONDS

Makes the namespaces NAMEa (10.77.0.1) and NAMEb (10.77.0.2), says "ready", and carries packets between them, each
MILLISECONDS after it came, until it is stopped; then they are gone. Needs root and iproute2; the delay is made here, with
two TUN devices, because not every kernel has netem.
"""
import fcntl, heapq, os, select, signal, struct, subprocess, sys, time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def ip(*words):
    subprocess.run(["ip", *words], check=True)


name, delay = sys.argv[1], float(sys.argv[2]) / 1000
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
made = []
try:
    ends = []
    for letter, address in (("a", "10.77.0.1"), ("b", "10.77.0.2")):
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        device = name + letter
        fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
        ends.append(end)
        ip("netns", "add", device)
        made.append(device)
        ip("link", "set", device, "netns", device)
        # Nothing may be lost here: the queue of the device holds more than any window.
        ip("-n", device, "link", "set", device, "txqueuelen", "20000", "up")
        ip("-n", device, "link", "set", "lo", "up")
        ip("-n", device, "address", "add", address + "/24", "dev", device)
    print("ready", flush=True)
    waiting, number = [], 0
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for end in select.select(ends, [], [], pause)[0]:
            other = ends[1 - ends.index(end)]
            try:
                for _ in range(64):
                    packet = os.read(end, 65536)
                    number += 1
                    heapq.heappush(waiting, (time.monotonic() + delay, number, other, packet))
            except BlockingIOError:
                pass
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, other, packet = heapq.heappop(waiting)
            os.write(other, packet)
finally:
    for device in made:
        subprocess.run(["ip", "netns", "delete", device], check=False)
