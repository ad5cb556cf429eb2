#!/usr/bin/env python3
"""CPU per proxied request: banyan beside nginx, on the same work, the same core, in the same run.

Starts a static upstream (nginx) on one core, and on the other an nginx that proxies to it and a banyan that proxies to
it; then runs wrk against the two in turn, round by round, and reads from /proc how much CPU time each has used. What
counts is the ratio within a round: absolute times are those of the machine and the moment.

    Benchmarks/compare.py --banyan .build-release/release/banyan [--rounds 5] [--seconds 4] [--connections 64] [--full]

Needs nginx, wrk and taskset (Debian: nginx-light, wrk, util-linux). Talks to 127.0.0.1 only, on ports that are free.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


def nginx(folder, name, core, servers, main=""):
    conf = os.path.join(folder, name + ".conf")
    with open(conf, "w") as file:
        file.write(
            f"{main}worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.log;\n"
            "events { worker_connections 4096; }\n"
            "http { access_log off; keepalive_requests 100000000; keepalive_timeout 3600;\n"
            f"client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy;\n"
            f"fastcgi_temp_path {folder}/x1; uwsgi_temp_path {folder}/x2; scgi_temp_path {folder}/x3;\n{servers} }}\n")
    process = subprocess.Popen(["taskset", "-c", core, "nginx", "-c", conf], stderr=subprocess.DEVNULL)
    return process


def worker_of(pid):
    for _ in range(200):
        found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
        if found:
            return int(found[0])
        time.sleep(0.02)
    sys.exit("nginx has no worker")


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[11]), int(fields[12])


def memory(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1))


def load(pid, port, connections, seconds, core, path="/1k"):
    before = cpu(pid)
    output = subprocess.run(
        ["taskset", "-c", core, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
         f"http://127.0.0.1:{port}{path}"],
        capture_output=True, text=True, check=True).stdout
    after = cpu(pid)
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    errors = re.findall(r"(?:Socket errors|Non-2xx).*", output)
    if errors:
        sys.exit("errors: " + "; ".join(errors))
    user, system = (after[0] - before[0]) / TICKS, (after[1] - before[1]) / TICKS
    return {
        "cpu": (user + system) / requests * 1e6, "user": user / requests * 1e6,
        "requests": requests, "rate": requests / seconds, "p50": percentile(output, 50), "p99": percentile(output, 99)}


def cpu_exactly(pid):
    """Nanoseconds of the processor that all threads of a process have had."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total


def short_load(pid, port, connections, requests, path="/1k"):
    """Microseconds of the processor for each of so many requests, which are over in a fraction of a second: one after the
    other for all contestants, in an order that changes, such slices meet the machine in the same state."""
    before = cpu_exactly(pid)
    output = subprocess.run(
        ["taskset", "-c", "1", "h2load", "--h1", "-n", str(requests), "-c", str(connections),
         f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True, timeout=120).stdout
    if f" {requests} succeeded, 0 failed" not in output:
        sys.exit("errors: " + output)
    return (cpu_exactly(pid) - before) / requests / 1000


def percentile(output, share):
    # At the beginning of a line: the share of a standard deviation may end in the same digits.
    return re.search(rf"^\s*{share}%\s+(\S+)", output, re.MULTILINE).group(1)


def compare_slices(peers, options):
    """Loads the two in turn, a short slice each, and prints the ratio of their processor time."""
    found = {name: [] for name in peers}
    for name, (pid, port) in peers.items():
        short_load(pid, port, options.connections, options.requests)
    for number in range(options.slices):
        for name in list(peers) if number % 2 else reversed(peers):
            found[name].append(short_load(*peers[name], options.connections, options.requests))
    ratios = sorted(mine / its for mine, its in zip(found["banyan"], found["nginx"]))
    quarter = len(ratios) // 4
    print(f"CPU per request, banyan / nginx, {len(ratios)} short slices: median {ratios[len(ratios) // 2]:.3f} (half of them "
          f"within {ratios[quarter]:.3f} and {ratios[-1 - quarter]:.3f}), in total "
          f"{sum(found['banyan']) / sum(found['nginx']):.3f}; least "
          + ", ".join(f"{name} {min(found[name]):.1f} us" for name in found), flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--banyan", default=".build-release/release/banyan")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--slices", type=int, default=40)
    options.add_argument("--requests", type=int, default=8000)
    options.add_argument("--full", action="store_true", help="with a flag decision, the access log and a view's identity")
    options = options.parse_args()
    for tool in ("nginx", "wrk", "h2load", "taskset"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed")
    folder = tempfile.mkdtemp(prefix="banyan-compare-")
    os.chmod(folder, 0o755)  # nginx may drop its rights
    os.makedirs(folder + "/www")
    with open(folder + "/www/1k", "w") as file:
        file.write("a" * 1024)
    upstream, proxy, gateway = free_port(), free_port(), free_port()
    routes = {
        "gateway": {
            "listeners": [{"address": f"127.0.0.1:{gateway}"}], "workers": 1, "accessLog": False,
            "limits": {"requestsPerConnection": 1000000000}},
        "upstreams": {"up": f"http://127.0.0.1:{upstream}"},
        "routes": [{"match": "/{rest...}", "to": "up"}]}
    if options.full:
        routes["gateway"]["accessLog"] = {"output": "/dev/null"}
        routes["gateway"]["identity"] = [{"cookie": "user"}]
        routes["flags"] = "flags.json"
        routes["contexts"] = {"files": {"off": "up", "on": "up", "flag": "new"}}
        routes["routes"][0]["to"] = "files"
        with open(folder + "/flags.json", "w") as file:
            json.dump({"flags": {"new": {
                "state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off",
                "targeting": {"fractional": [["on", 50], ["off", 50]]}}}}, file)
    with open(folder + "/routes.json", "w") as file:
        json.dump(routes, file)
    started = []
    try:
        started.append(nginx(folder, "upstream", "1", (
            f"server {{ listen 127.0.0.1:{upstream}; location / {{ root {folder}/www; open_file_cache max=100; }} }}")))
        started.append(nginx(folder, "proxy", "0", (
            f"upstream u {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 100000000; }}\n"
            f"server {{ listen 127.0.0.1:{proxy}; location / {{ proxy_pass http://u; proxy_http_version 1.1;\n"
            'proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr; } }')))
        started.append(subprocess.Popen(
            ["taskset", "-c", "0", options.banyan, "run", "-c", folder + "/routes.json"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for port in (upstream, proxy, gateway):
            wait_for(port)
        peers = {"nginx": (worker_of(started[1].pid), proxy), "banyan": (started[2].pid, gateway)}
        idle = memory(started[2].pid)
        compare_slices(peers, options)
        ratios = []
        for number in range(options.rounds):
            results = {}
            for name, (pid, port) in peers.items():
                results[name] = load(pid, port, options.connections, options.seconds, "1")
                result = results[name]
                print(f"{number + 1} {name:7} {result['cpu']:6.2f} us/request (user {result['user']:5.2f}) "
                      f"{result['rate']:8.0f}/s  p50 {result['p50']}  p99 {result['p99']}", flush=True)
            ratios.append(results["banyan"]["cpu"] / results["nginx"]["cpu"])
        ratios.sort()
        print(f"CPU per request, banyan / nginx: median {ratios[len(ratios) // 2]:.3f} "
              f"({ratios[0]:.3f} to {ratios[-1]:.3f}, {len(ratios)} rounds)")
        print(f"resident memory: {idle / 1024:.1f} MiB idle, {memory(started[2].pid) / 1024:.1f} MiB after the load")
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
