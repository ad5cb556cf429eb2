#!/usr/bin/env python3
"""What being observed costs: CPU per proxied request with spans, metrics and the access log, beside all of it off.

Runs the same gateway several times at once, on one core, in front of one upstream, and loads them in turn, a short slice
each, in an order that changes from round to round: a machine that is faster in one second than in the next is so for all
of them. Counted is the CPU time of the whole process, the thread that exports included, to the nanosecond.

    off     no access log, no spans (metrics are always counted)
    log     the access log, to /dev/null
    1%      the log, and one trace in a hundred exported to a collector
    100%    the log, and every trace exported
    hanging every trace recorded, for a collector that accepts and never answers

    Benchmarks/observability.py --banyan .build-release/release/banyan [--reference OLD] [--rounds 40] [--requests 8000]
    Benchmarks/observability.py --banyan .build-release/release/banyan --hang 60 [--rate 10000]

`--reference` takes an older program as "off", one that counts no metrics for instance. `--hang` asks at a steady rate for
so many seconds, in turn with everything off, with every trace exported, and for the collector that hangs, and tells
latencies, memory and lost spans. Needs what compare.py needs, and h2load (Debian: nghttp2-client).
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.request

import compare


def hang(server, held):
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        held.append(connection)


def collect(server):
    """A collector that takes everything, at as little cost as possible: it has the core of the upstream and the client."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=take, args=(connection,), daemon=True).start()


def take(connection):
    room = bytearray(1 << 21)
    held = 0
    while True:
        end = room.find(b"\r\n\r\n", 0, held) + 4
        if end < 4:
            count = connection.recv_into(memoryview(room)[held:held + 4096])
            if not count:
                return
            held += count
            continue
        left = int(re.search(rb"(?i)content-length: (\d+)", bytes(room[:end])).group(1)) - (held - end)
        while left > 0:
            count = connection.recv_into(room, min(left, len(room)))
            if not count:
                return
            left -= count
        held = 0
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def compare_cost(options, peers):
    names = list(peers)
    found = {name: [] for name in names}
    for name in names:
        compare.short_load(*peers[name], options.connections, options.requests)
    for number in range(options.rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(compare.short_load(*peers[name], options.connections, options.requests))
    for name in names:
        ratios = sorted(one / off for one, off in zip(found[name], found["off"]))
        quarter = len(ratios) // 4
        print(f"{name:8} {statistics.median(found[name]):6.2f} us/request, {statistics.median(ratios):.3f} of off "
              f"(half of the rounds within {ratios[quarter]:.3f} and {ratios[-1 - quarter]:.3f}), "
              f"{sum(found[name]) / sum(found['off']):.3f} of off in total, "
              f"{compare.memory(peers[name][0]) / 1024:.1f} MiB")


def steady(port, options, seconds, log):
    """Asks at the rate for so many seconds; the time of each request, in microseconds, least first."""
    each = options.rate / options.connections
    subprocess.run(
        ["taskset", "-c", "1", "h2load", "--h1", "-D", str(seconds), "-c", str(options.connections), f"--rps={each}",
         f"--log-file={log}", f"http://127.0.0.1:{port}/1k"],
        capture_output=True, check=True, timeout=seconds + 60)
    with open(log) as file:
        lines = [line.split("\t") for line in file]
    os.remove(log)
    if any(line[1] != "200" for line in lines):
        sys.exit("errors")
    return sorted(int(line[2]) for line in lines)


def told(name, times, seconds, pid):
    at = {share: times[min(len(times) - 1, int(len(times) * share / 100))] for share in (50, 99, 99.9)}
    print(f"{name:8} {len(times) / seconds:7.0f}/s  p50 {at[50]} us  p99 {at[99]} us  p99.9 {at[99.9]} us  "
          f"longest {times[-1]} us  {compare.memory(pid) / 1024:.1f} MiB", flush=True)
    return at[99]


def hold(options, peers, admins, folder):
    """A steady rate for a while: what a hanging collector does to the requests, and to the memory."""
    seconds = options.hang
    alone = max(seconds // 3, 1)
    ratios = []
    for name in ("100%", "hanging"):
        before = told("off", steady(peers["off"][1], options, alone, folder + "/times"), alone, peers["off"][0])
        steady(peers[name][1], options, 2, folder + "/times")
        start = compare.memory(peers[name][0])
        slow = told(name, steady(peers[name][1], options, seconds, folder + "/times"), seconds, peers[name][0])
        after = told("off", steady(peers["off"][1], options, alone, folder + "/times"), alone, peers["off"][0])
        ratios.append(f"p99 with {name}: {slow / ((before + after) / 2):.2f} of that with all off; "
                      f"memory {start / 1024:.1f} to {compare.memory(peers[name][0]) / 1024:.1f} MiB; "
                      + ", ".join(spans(admins[name])))
    print("\n".join(ratios))


def spans(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return [line for line in lines if line.startswith("banyan_spans_")]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--banyan", default=".build-release/release/banyan")
    options.add_argument("--reference")
    options.add_argument("--rounds", type=int, default=40)
    options.add_argument("--requests", type=int, default=8000)
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--hang", type=int, default=0, metavar="SECONDS")
    options.add_argument("--rate", type=int, default=10000)
    options = options.parse_args()
    folder = tempfile.mkdtemp(prefix="banyan-observability-")
    os.chmod(folder, 0o755)  # nginx may drop its rights
    os.makedirs(folder + "/www")
    with open(folder + "/www/1k", "w") as file:
        file.write("a" * 1024)
    os.sched_setaffinity(0, {1})
    upstream = compare.free_port()
    hanging, held, collector = socket.create_server(("127.0.0.1", 0)), [], socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=hang, args=(hanging, held), daemon=True).start()
    threading.Thread(target=collect, args=(collector,), daemon=True).start()
    hung = {"url": f"http://127.0.0.1:{hanging.getsockname()[1]}"}
    log, otlp = {"output": "/dev/null"}, {"url": f"http://127.0.0.1:{collector.getsockname()[1]}"}
    kinds = {
        "off": {"accessLog": False, "tracing": {}},
        "log": {"accessLog": log, "tracing": {}},
        "1%": {"accessLog": log, "tracing": {"otlp": otlp, "sampleRatio": 0.01}},
        "100%": {"accessLog": log, "tracing": {"otlp": otlp, "sampleRatio": 1}},
        "hanging": {"accessLog": log, "tracing": {"otlp": hung, "sampleRatio": 1}},
    }
    started = []
    try:
        started.append(compare.nginx(folder, "upstream", "1", (
            f"server {{ listen 127.0.0.1:{upstream}; location / {{ root {folder}/www; open_file_cache max=100; }} }}")))
        peers, admins = {}, {name: compare.free_port() for name in kinds}
        for name, settings in kinds.items():
            port = compare.free_port()
            path = f"{folder}/{len(peers)}.json"
            with open(path, "w") as file:
                json.dump({
                    "gateway": {
                        "listeners": [{"address": f"127.0.0.1:{port}"}], "workers": 1,
                        "admin": {"address": f"127.0.0.1:{admins[name]}"},
                        "limits": {"requestsPerConnection": 1000000000}, **settings},
                    "upstreams": {"up": f"http://127.0.0.1:{upstream}"},
                    "routes": [{"match": "/{rest...}", "to": "up"}]}, file)
            program = options.reference if name == "off" and options.reference else options.banyan
            started.append(subprocess.Popen(
                ["taskset", "-c", "0", program, "run", "-c", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            peers[name] = (started[-1].pid, port)
            compare.wait_for(port)
        compare.wait_for(upstream)
        if options.hang:
            hold(options, peers, admins, folder)
        else:
            compare_cost(options, peers)
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
