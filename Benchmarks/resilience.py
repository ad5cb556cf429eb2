#!/usr/bin/env python3
"""What it costs to be ready for failures, and what a server that falls silent does to the requests.

Runs the same gateway three times at once, on one core, in front of two servers, and loads all in turn, a short slice each:

    plain       no retries, no ejection, nothing else
    ready       retries on all conditions, ejection by failures, success rate and latency, breakers of the upstream and of each
                server, hedges after a second, active checks, a context with a flag's fallback
    everything  the same with hedges after the 99th percentile, so that one request in a hundred is sent twice

    Benchmarks/resilience.py --banyan .build-release/release/banyan [--reference OLD] [--rounds 200] [--requests 2000]
    Benchmarks/resilience.py --banyan .build-release/release/banyan --silence [--rate 2000]
    Benchmarks/resilience.py --banyan .build-release/release/banyan --switch [--rate 2000]

`--reference` takes an older program as "plain". `--silence` stops one of the two servers (SIGSTOP) under a steady load, waits
until it is ejected, and tells the times of the requests before and after. `--switch` sends the requests to another pool and
back, ten times each, under a steady load, and has the process replaced five times by others under the load of a client that
opens its connections anew where they are closed (wrk: as many requests as there are answers); it counts what failed. Needs
what compare.py needs, h2load, and wrk for `--switch`.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import contest

FLAGS = {"flags": {"use": {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}}}


def everything(urls, hedge):
    return {
        "servers": urls, "timeout": "200ms", "totalTimeout": "3s",
        "retry": {"attempts": 2, "on": ["connect-failure", "reset", "timeout", "502", "503", "504"]},
        "outlier": {"latency": True}, "breaker": {"scope": "both", "slowAfter": "1s"},
        "hedge": {"after": hedge}, "health": {"path": "/1k", "interval": "2s"}}


def gateways(stage, options, ports):
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    admins = {name: contest.free_port() for name in ("plain", "ready", "everything")}
    peers = {}
    for name in admins:
        port = contest.free_port()
        routes = contest.routes(
            port, {"old": ports[0]}, {"match": "/{rest...}", "to": "service"},
            admin={"address": f"127.0.0.1:{admins[name]}"})
        plain = {"servers": urls}
        if not options.reference:
            plain.update({"retry": False, "outlier": False})
        routes["upstreams"]["new"] = plain if name == "plain" else everything(urls, "1s" if name == "ready" else "p99")
        context = {"off": "old", "on": "new", "flag": "use"}
        if name != "plain":
            context["fallback"] = "old"
        routes["contexts"] = {"service": context}
        stage.write("flags.json", FLAGS)
        routes["flags"] = "flags.json"
        program = options.reference if name == "plain" and options.reference else options.banyan
        gateway = stage.banyan(program, routes, f"{name}.json")
        peers[name] = (gateway.pid, port)
        contest.wait_for(port)
    return peers, admins


def state(admin):
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/upstreams/new", timeout=10) as answer:
        return [endpoint["state"] for endpoint in json.load(answer)["endpoints"]]


def silence(stage, options, port, admin, server):
    def tell(what, times, bad):
        at = {share: times[min(len(times) - 1, int(len(times) * share / 100))] for share in (50, 99)}
        print(f"{what:22} {len(times)} requests, {bad} failed, p50 {at[50]} us, p99 {at[99]} us, longest {times[-1]} us",
              flush=True)
        return at[99]

    worker = contest.worker_of(server.pid)
    log = stage.folder + "/times"
    contest.steady_load(port, options, 2, log)
    before = tell("both servers", *contest.steady_load(port, options, 10, log))
    os.kill(worker, signal.SIGSTOP)
    try:
        tell("one falls silent", *contest.steady_load(port, options, 5, log))
        deadline = time.monotonic() + 20
        while "available" == state(admin)[1]:
            if time.monotonic() > deadline:
                sys.exit("the silent server is not ejected: " + str(state(admin)))
            time.sleep(0.1)
        after = tell("after its ejection", *contest.steady_load(port, options, 10, log))
    finally:
        os.kill(worker, signal.SIGCONT)
    print(f"p99 after the ejection: {after / before:.2f} of that before")


def switch(stage, options, ports):
    """Counts what fails while pools are switched and the process is replaced."""
    port, admin = contest.free_port(), contest.free_port()
    routes = contest.routes(
        port, {}, {"match": "/{rest...}", "to": "shop"}, admin={"address": f"127.0.0.1:{admin}"},
        handover=f"{stage.folder}/handover.sock")
    routes["upstreams"]["shop"] = {
        "pools": {name: {"servers": [f"http://127.0.0.1:{server}"]} for name, server in zip(("blue", "green"), ports)},
        "active": "blue"}
    current = stage.banyan(options.banyan, routes)
    contest.wait_for(port)
    load = subprocess.Popen(
        ["taskset", "-c", "1", "h2load", "--h1", "-D", "24", "-c", str(options.connections),
         f"--rps={options.rate / options.connections}", f"http://127.0.0.1:{port}/1k"], stdout=subprocess.PIPE, text=True)
    for step in range(20):
        time.sleep(1)
        subprocess.run(
            [options.banyan, "switch", "shop", ("green", "blue")[step % 2], "--admin", f"127.0.0.1:{admin}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    output, _ = load.communicate(timeout=60)
    print(f"20 switches at {options.rate} requests/s")
    print("\n".join(line for line in output.splitlines() if line.startswith(("requests:", "status codes:"))), flush=True)
    load = subprocess.Popen(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{options.connections}", "-d14", f"http://127.0.0.1:{port}/1k"],
        stdout=subprocess.PIPE, text=True)
    for _ in range(5):
        time.sleep(2)
        following = stage.banyan(options.banyan, routes)
        current.wait(30)
        stage.started.remove(current)
        current = following
    output, _ = load.communicate(timeout=60)
    print("5 replacements of the process")
    # Errors have a line only where there are some.
    print("\n".join(line.strip() for line in output.splitlines() if "requests in" in line or "errors" in line or "Non" in line))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--banyan", default=".build-release/release/banyan")
    options.add_argument("--reference")
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--requests", type=int, default=2000)
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--silence", action="store_true")
    options.add_argument("--switch", action="store_true")
    options.add_argument("--rate", type=int, default=2000)
    options = options.parse_args()
    contest.require("nginx", "h2load", "taskset")
    os.sched_setaffinity(0, {1})
    ports = [contest.free_port(), contest.free_port()]
    with contest.Stage("resilience") as stage:
        stage.upstream(ports[0])
        second = stage.nginx("second", "1", (
            f"server {{ listen 127.0.0.1:{ports[1]}; location / {{ root {stage.folder}/www; open_file_cache max=100; }} }}"))
        for port in ports:
            contest.wait_for(port)
        if options.switch:
            contest.require("wrk")
            return switch(stage, options, ports)
        peers, admins = gateways(stage, options, ports)
        if options.silence:
            silence(stage, options, peers["everything"][1], admins["everything"], second)
        else:
            found = contest.in_turn(peers, options.rounds, options.requests, options.connections)
            for name in ("ready", "everything"):
                contest.tell_slices(f"{name}, as a share of plain", (name, "plain"), found)


if __name__ == "__main__":
    main()
