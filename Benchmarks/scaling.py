#!/usr/bin/env python3
"""How the cost of a request grows: instructions outside of the kernel, counted by callgrind, which are the same on any machine.

Runs the gateway under valgrind with one thing more and more: routes, flags in the file, flags that the route's context asks
for, rules of a flag, servers of an upstream, parts of a view, fields of a request, connections. Of each it tells the
instructions of one request once everything is warm.

    Benchmarks/scaling.py [--banyan .build-release/release/banyan] [--requests 2000] [--only servers,parts]

Needs nginx, h2load and valgrind.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import time

import contest


def instructions(stage, banyan, routes, url, requests, connections=16, fields=()):
    """Instructions of one request: the count between two dumps, over the requests between them."""
    out = os.path.join(stage.folder, "callgrind")
    process = subprocess.Popen(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", banyan, "run", "-c",
         stage.write("gateway/routes.json", routes)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = int(url.split(":")[2].split("/")[0])
        deadline = time.monotonic() + 60
        while not contest.answers(port):
            if time.monotonic() > deadline:
                sys.exit("the gateway does not come up under valgrind")
            time.sleep(0.1)
        load = ["h2load", "--h1", "-c", str(connections), *(word for field in fields for word in ("-H", field)), url]

        def ask(count):
            told = subprocess.run([*load, "-n", str(count)], capture_output=True, text=True, timeout=300).stdout
            if f" {count} succeeded, 0 failed" not in told or f"status codes: {count} 2xx" not in told:
                sys.exit("errors: " + told)

        ask(max(500, 2 * connections))
        subprocess.run(["callgrind_control", "-z", str(process.pid)], capture_output=True, check=True)
        ask(requests)
        subprocess.run(["callgrind_control", "-d", str(process.pid)], capture_output=True, check=True)
        with open(out + ".1") as file:
            totals = [line for line in file if line.startswith(("totals:", "summary:"))]
        return int(totals[-1].split()[1]) / requests
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def plain(port, upstream, **more):
    routes = contest.routes(port, {"monolith": upstream}, {"match": "/{rest...}", "to": "monolith"})
    routes.update(more)
    return routes


def flag(rules):
    """A flag that sends one half of the users elsewhere, after so many rules that do not apply."""
    share = {"fractional": [["on", 50], ["off", 50]]}
    for number in range(rules):
        share = {"if": [{"==": [{"var": "organization"}, f"org-{number}"]}, "on", share]}
    return {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off", "targeting": share}


class Cases:
    """The configurations, by what grows in them: pairs of a size and what `instructions` is to be given."""

    def __init__(self, stage, upstream):
        self.stage, self.upstream = stage, upstream

    def routes(self, port):
        for count in (10, 1_000, 10_000):
            many = [{"match": f"GET /many/{number}/{{rest...}}", "to": "monolith"} for number in range(count)]
            yield count, plain(port, self.upstream, routes=many), f"/many/{count - 1}/1k", {}

    def flagged(self, port, rules=1, others=0):
        flags = {f"other-{number}": flag(1) for number in range(others)}
        self.stage.write("gateway/flags.json", {"flags": {"split": flag(rules), **flags}})
        routes = plain(
            port, self.upstream, flags="flags.json",
            contexts={"tasks": {"off": "monolith", "on": "service", "flag": "split"}},
            routes=[{"match": "/{rest...}", "to": "tasks"}])
        routes["upstreams"]["service"] = routes["upstreams"]["monolith"]
        routes["gateway"].update({"trustedProxies": ["127.0.0.0/8"], "identity": [{"header": "x-user"}]})
        return routes, {"fields": ["X-User: user-1"]}

    def flags(self, port):
        for count in (1, 100, 1_000):
            routes, more = self.flagged(port, others=count - 1)
            yield count, routes, "/1k", more

    def rules(self, port):
        for count in (0, 1, 10):
            routes, more = self.flagged(port, rules=count)
            yield count, routes, "/1k", more

    def servers(self, port):
        for count in (1, 2, 16, 64):
            servers = [f"http://127.0.0.{number + 1}:{self.upstream}" for number in range(count)]
            yield count, plain(port, self.upstream, upstreams={"monolith": {"servers": servers}}), "/1k", {}

    def parts(self, port):
        for count in (1, 2, 4, 8):
            parts = {f"part{number}": {"from": "monolith", "get": "/json"} for number in range(count)}
            yield count, plain(port, self.upstream, routes=[{"match": "GET /view", "aggregate": parts}]), "/view", {}

    def fields(self, port):
        for count in (0, 10, 40):
            fields = [f"X-Field-{number}: some text of thirty letters or so" for number in range(count)]
            yield count, plain(port, self.upstream), "/1k", {"fields": fields}

    def connections(self, port):
        for count in (1, 16, 256):
            yield count, plain(port, self.upstream), "/1k", {"connections": count}


def main():
    kinds = ("routes", "flags", "rules", "servers", "parts", "fields", "connections")
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--banyan", default=".build-release/release/banyan")
    options.add_argument("--requests", type=int, default=2000)
    options.add_argument("--only", default=",".join(kinds))
    options = options.parse_args()
    contest.require("nginx", "h2load", "valgrind", "callgrind_control")
    wanted = options.only.split(",")
    if not set(wanted) <= set(kinds):
        sys.exit(f"there are {', '.join(kinds)}")
    with contest.Stage("scaling") as stage:
        upstream = contest.free_port()
        # A folder of its own: what others write beside its files would wake the gateway.
        os.makedirs(stage.folder + "/gateway")
        os.makedirs(stage.folder + "/www")
        stage.write("www/1k", "a" * 1024)
        words = json.dumps({"title": "Replace the pump in hall 3", "words": ["x" * 60] * 15})
        stage.nginx("upstream", "1", (
            f"server {{ listen 0.0.0.0:{upstream}; open_file_cache max=100; root {stage.folder}/www;\n"
            "location ~ ^/many/ { rewrite /([^/]*)$ /$1 break; }\n"
            f"location = /json {{ default_type application/json; return 200 '{words}'; }} }}"))
        contest.wait_for(upstream)
        cases = Cases(stage, upstream)
        print("| what grows | instructions of a request |\n| --- | --- |")
        for kind in wanted:
            port = contest.free_port()
            found = [(size, instructions(stage, options.banyan, routes, f"http://127.0.0.1:{port}{path}",
                                         max(options.requests, 40 * more.get("connections", 0)), **more))
                     for size, routes, path, more in getattr(cases, kind)(port)]
            print(f"| {kind} | " + ", ".join(f"{size:,}: {count:,.0f}" for size, count in found) + " |", flush=True)


if __name__ == "__main__":
    main()
