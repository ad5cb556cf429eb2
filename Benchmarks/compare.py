#!/usr/bin/env python3
"""CPU per proxied request: banyan beside nginx, on the same work, the same core, in the same run.

Starts a static upstream (nginx) on one core, and on the other an nginx that proxies to it and a banyan that proxies to
it; then runs wrk against the two in turn, round by round, and reads from /proc how much CPU time each has used. What
counts is the ratio within a round: absolute times are those of the machine and the moment.

    Benchmarks/compare.py --banyan .build-release/release/banyan [--rounds 5] [--seconds 4] [--connections 64] [--full]

Needs nginx, wrk and taskset (Debian: nginx-light, wrk, util-linux). Talks to 127.0.0.1 only, on ports that are free.
"""
import argparse

import contest


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
    contest.require("nginx", "wrk", "h2load", "taskset")
    upstream, proxy, gateway = contest.free_port(), contest.free_port(), contest.free_port()
    routes = contest.routes(gateway, {"up": upstream}, {"match": "/{rest...}", "to": "up"})
    with contest.Stage("compare") as stage:
        if options.full:
            routes["gateway"]["accessLog"] = {"output": "/dev/null"}
            routes["gateway"]["identity"] = [{"cookie": "user"}]
            routes["flags"] = "flags.json"
            routes["contexts"] = {"files": {"off": "up", "on": "up", "flag": "new"}}
            routes["routes"][0]["to"] = "files"
            stage.write("flags.json", {"flags": {"new": {
                "state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off",
                "targeting": {"fractional": [["on", 50], ["off", 50]]}}}})
        stage.upstream(upstream)
        nginx = stage.nginx("proxy", "0", (
            f"upstream u {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 100000000; }}\n"
            f"server {{ listen 127.0.0.1:{proxy}; location / {{ proxy_pass http://u; proxy_http_version 1.1;\n"
            'proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr; } }'))
        banyan = stage.banyan(options.banyan, routes)
        for port in (upstream, proxy, gateway):
            contest.wait_for(port)
        peers = {"banyan": (banyan.pid, gateway), "nginx": (contest.worker_of(nginx.pid), proxy)}
        idle = contest.memory(banyan.pid)
        contest.tell_slices(
            "CPU per request, banyan / nginx", peers,
            contest.in_turn(peers, options.slices, options.requests, options.connections))
        ratios = []
        for number in range(options.rounds):
            results = {}
            for name, (pid, port) in peers.items():
                results[name] = contest.load(pid, port, options.connections, options.seconds, "1")
                result = results[name]
                print(f"{number + 1} {name:7} {result['cpu']:6.2f} us/request (user {result['user']:5.2f}) "
                      f"{result['rate']:8.0f}/s  p50 {result['p50']}  p99 {result['p99']}", flush=True)
            ratios.append(results["banyan"]["cpu"] / results["nginx"]["cpu"])
        ratios.sort()
        print(f"CPU per request, banyan / nginx: median {ratios[len(ratios) // 2]:.3f} "
              f"({ratios[0]:.3f} to {ratios[-1]:.3f}, {len(ratios)} rounds)")
        print(f"resident memory: {idle / 1024:.1f} MiB idle, {contest.memory(banyan.pid) / 1024:.1f} MiB after the load")


if __name__ == "__main__":
    main()
