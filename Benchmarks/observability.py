#!/usr/bin/env python3
"""What being observed costs: CPU per proxied request with spans, metrics and the access log, beside all of it off.

Runs the same gateway several times at once, on one core, in front of one upstream, and loads them in turn, a short slice
each, in an order that changes from round to round: a machine that is faster in one second than in the next is so for all
of them. Counted is the CPU time of the whole process, the thread that exports included, to the nanosecond.

    off     no access log, no spans (metrics are always counted)
    again   the same once more: how far it lies from 1 is what the machine does to the others
    log     the access log, to /dev/null
    1%      the log, and one trace in a hundred exported to a collector
    100%    the log, and every trace exported
    hanging every trace recorded, for a collector that accepts and never answers

    Benchmarks/observability.py --banyan .build-release/release/banyan [--reference OLD] [--rounds 300] [--requests 2000]
    Benchmarks/observability.py --banyan .build-release/release/banyan --hang 60 [--rate 10000]

`--reference` takes an older program as "off", one that counts no metrics for instance. `--hang` asks at a steady rate for
so many seconds, in turn with everything off, with every trace exported, and for the collector that hangs, and tells
latencies, memory and lost spans. Needs what compare.py needs, and h2load (Debian: nghttp2-client).
"""
import argparse
import os
import re
import socket
import statistics
import sys
import threading
import urllib.request

import contest


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
    found = contest.in_turn(peers, options.rounds, options.requests, options.connections)
    for name in peers:
        spread = contest.Spread(found[name], found["off"])
        print(f"{name:8} {statistics.median(found[name]):6.2f} us/request, {spread.median:.3f} of off (half of the rounds "
              f"within {spread.half[0]:.3f} and {spread.half[1]:.3f}), {spread.total:.3f} of off in total, "
              f"{contest.memory(peers[name][0]) / 1024:.1f} MiB")


def steady(port, options, seconds, log):
    """The times of requests at the rate, of which each has to be answered."""
    times, bad = contest.steady_load(port, options, seconds, log)
    if bad:
        sys.exit("errors")
    return times


def told(name, times, seconds, pid):
    at = {share: times[min(len(times) - 1, int(len(times) * share / 100))] for share in (50, 99, 99.9)}
    print(f"{name:8} {len(times) / seconds:7.0f}/s  p50 {at[50]} us  p99 {at[99]} us  p99.9 {at[99.9]} us  "
          f"longest {times[-1]} us  {contest.memory(pid) / 1024:.1f} MiB", flush=True)
    return at[99]


def hold(options, peers, admins, folder):
    """A steady rate for a while: what a hanging collector does to the requests, and to the memory."""
    seconds = options.hang
    alone = max(seconds // 3, 1)
    ratios = []
    for name in ("100%", "hanging"):
        before = told("off", steady(peers["off"][1], options, alone, folder + "/times"), alone, peers["off"][0])
        steady(peers[name][1], options, 2, folder + "/times")
        start = contest.memory(peers[name][0])
        slow = told(name, steady(peers[name][1], options, seconds, folder + "/times"), seconds, peers[name][0])
        after = told("off", steady(peers["off"][1], options, alone, folder + "/times"), alone, peers["off"][0])
        ratios.append(f"p99 with {name}: {slow / ((before + after) / 2):.2f} of that with all off; "
                      f"memory {start / 1024:.1f} to {contest.memory(peers[name][0]) / 1024:.1f} MiB; "
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
    options.add_argument("--rounds", type=int, default=300)
    options.add_argument("--requests", type=int, default=2000)
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--hang", type=int, default=0, metavar="SECONDS")
    options.add_argument("--rate", type=int, default=10000)
    options = options.parse_args()
    contest.require("nginx", "h2load", "taskset")
    os.sched_setaffinity(0, {1})
    upstream = contest.free_port()
    hanging, held, collector = socket.create_server(("127.0.0.1", 0)), [], socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=hang, args=(hanging, held), daemon=True).start()
    threading.Thread(target=collect, args=(collector,), daemon=True).start()
    hung = {"url": f"http://127.0.0.1:{hanging.getsockname()[1]}"}
    log, otlp = {"output": "/dev/null"}, {"url": f"http://127.0.0.1:{collector.getsockname()[1]}"}
    kinds = {
        "off": {"accessLog": False, "tracing": {}},
        "again": {"accessLog": False, "tracing": {}},
        "log": {"accessLog": log, "tracing": {}},
        "1%": {"accessLog": log, "tracing": {"otlp": otlp, "sampleRatio": 0.01}},
        "100%": {"accessLog": log, "tracing": {"otlp": otlp, "sampleRatio": 1}},
        "hanging": {"accessLog": log, "tracing": {"otlp": hung, "sampleRatio": 1}},
    }
    with contest.Stage("observability") as stage:
        stage.upstream(upstream)
        peers, admins = {}, {name: contest.free_port() for name in kinds}
        for name, settings in kinds.items():
            port = contest.free_port()
            program = options.reference if name == "off" and options.reference else options.banyan
            gateway = stage.banyan(program, contest.routes(
                port, {"up": upstream}, {"match": "/{rest...}", "to": "up"},
                admin={"address": f"127.0.0.1:{admins[name]}"}, **settings), f"{len(peers)}.json")
            peers[name] = (gateway.pid, port)
            contest.wait_for(port)
        contest.wait_for(upstream)
        if options.hang:
            hold(options, peers, admins, stage.folder)
        else:
            compare_cost(options, peers)


if __name__ == "__main__":
    main()
