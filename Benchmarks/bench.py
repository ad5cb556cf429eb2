#!/usr/bin/env python3
"""Banyan beside what one would pick instead: nginx (with Lua, where answers are composed), HAProxy, Caddy, Envoy, and
what teams write by hand with Node or FastAPI.

All contestants stand on one core with one worker each, load and upstreams on the other. Jobs come one after the other;
in each of many short rounds all contestants of a job are loaded in turn, beginning with another one each round. Before
and after, each answer is compared with what it should be. What counts is the processor time of a request, user and
system of all processes of the contestant, as a ratio to nginx within the round.

    scripts/bench.sh [--quick]                    builds, installs what is missing, and runs this
    Benchmarks/bench.py --banyan PROGRAM [--quick] [--rounds 15] [--seconds 1] [--jobs proxy,flag]
                        [--json FILE] [--svg FILE]

A peer that is not installed is left out, and named. `ENVOY` names a binary of Envoy where it is not in the path,
`FASTAPI` the folder into which FastAPI was installed, `KRAKEND` a binary of KrakenD.
"""
import argparse
import json
import os
import platform
import signal
import sys
import time

import contest
import holding
import jobs
import loads
import reloading
import tables
from field import Field
from jobs import JOBS

IDLE = 3  # seconds


def run(field, name, options):
    """One job: the results of each contestant, round by round, and the most memory that each took."""
    job = JOBS[name]
    load = {"wrk": loads.run_wrk, "h2tls": loads.H2(field.stage.folder), "handshakes": loads.run_handshakes}[job.kind]
    found = field.of(job)
    jobs.check(name, found, field.ports["MONOLITH"])
    names, results = list(found), {peer: [] for peer in found}
    for peer in names:
        found[peer].forget_peak()
        connections = min(job.connections or options.connections, loads.SLOW.get(peer, 1 << 20))
        load(found[peer], job, connections, 1)
    for number in range(options.rounds):
        first = number % len(names)
        for peer in names[first:] + names[:first]:
            if peer in loads.SLOW and number % 3:
                results[peer].append(None)
                continue
            result = loads.measure(load, found[peer], job, number, options)
            results[peer].append(result)
            print(f"  {name} {number + 1} {peer:8} {result['cpu']:8.1f} us {result['rate']:8.0f}/s  "
                  + "; ".join(sorted(set(result["errors"]))), file=sys.stderr)
    for peer in jobs.wrong_answers(name, found, field.ports["MONOLITH"]):
        # What the others have shown is not thrown away for the one that the load has broken.
        results[peer][-1]["errors"].append("answers otherwise afterwards")
    lost = jobs.lost_spans(found["banyan"]) if name == "all" else 0
    if lost:
        results["banyan"][-1]["errors"].append(f"{lost} spans lost")
    return results, {peer: one.peak() for peer, one in found.items()}


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?")
    return f"{model}, {os.cpu_count()} processors, Linux {platform.release()}"


def parse():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--banyan", default=".build-release/release/banyan")
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--seconds", type=int, default=1, help="what a turn under load takes")
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--jobs", default=",".join(JOBS))
    options.add_argument("--json")
    options.add_argument("--svg")
    options.add_argument("--quick", action="store_true", help="one round, and fewer idle connections")
    options = options.parse_args()
    if options.quick:
        options.rounds = 1
    options.jobs = options.jobs.split(",")
    unknown = [job for job in options.jobs if job not in JOBS]
    if unknown:
        sys.exit(f"no such job: {', '.join(unknown)}; there are {', '.join(JOBS)}")
    return options


def main():
    options = parse()
    contest.require("nginx", "wrk", "h2load", "taskset", "openssl")
    # What was started ends when this is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    os.sched_setaffinity(0, {1})
    holding.raise_limit()
    started = time.monotonic()
    with contest.Stage("bench") as stage:
        field, found, peaks = Field(stage, options), {}, {}
        for name in options.jobs:
            kind = JOBS[name].kind
            if kind in ("idle", "reload"):
                found[name] = {"idle": holding, "reload": reloading}[kind].run(field, JOBS[name], options)
            else:
                found[name], peaks[name] = run(field, name, options)
        idle = field.idle(IDLE)
        print(f"{time.strftime('%Y-%m-%d')}, {machine()}; {options.rounds} rounds of {options.seconds} s, "
              f"{options.connections} connections, {(time.monotonic() - started) / 60:.0f} minutes\n")
        print(", ".join(f"{tables.NAMES[name]} {version}" for name, version in field.versions.items()) + "."
              + "".join(f" {name}: {why}." for name, why in field.missing.items()) + "\n")
        for job, results in found.items():
            print("\n".join(tables.lines_of(job, results, peaks.get(job))))
        if idle:
            print(f"CPU in {IDLE} s after it all, when nobody asks: "
                  + ", ".join(f"{name} {percent:.1f} %" for name, percent in idle.items()))
        if options.json:
            with open(options.json, "w") as file:
                json.dump({
                    "date": time.strftime("%Y-%m-%d"), "machine": machine(), "versions": field.versions,
                    "missing": field.missing, "rounds": options.rounds, "seconds": options.seconds,
                    "connections": options.connections, "jobs": found, "memory": peaks, "idle": idle}, file, indent=1)
        if options.svg:
            with open(options.svg, "w") as file:
                file.write(tables.plot(found))


if __name__ == "__main__":
    main()
