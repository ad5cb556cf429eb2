#!/usr/bin/env python3
"""Banyan beside what one would pick instead: nginx, HAProxy, Caddy, Envoy, and a proxy of Node that is written by hand.

All contestants stand at once on one core with one worker each, load and upstreams on the other. Jobs come one after the
other; in each round all contestants of a job are loaded in turn, beginning with another one each round. Before and after,
each answer is compared with what the upstream itself says. What counts is the processor time of a request, user and system
of all processes of the contestant, as a ratio to nginx within the round.

    scripts/bench.sh [--quick]                    builds, installs what is missing, and runs this
    Benchmarks/bench.py --banyan PROGRAM [--quick] [--rounds 3] [--seconds 3] [--jobs proxy,flag] [--json FILE] [--svg FILE]

A peer that is not installed is left out, and named. `ENVOY` names a binary of Envoy where it is not in the path.
"""
import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request

import contest

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "peers")


class Job:
    """What is asked, and who can do it."""

    def __init__(self, title, path, words=(), besides=("caddy", "node"), check=()):
        self.title = title
        self.path = path
        self.words = list(words)
        self.peers = ("banyan", "nginx", "haproxy", "envoy") + tuple(besides)
        self.check = list(check)


JOBS = {
    "proxy": Job("GET of 1 KiB, kept connections", "/1k"),
    "flag": Job("the same by a flag, one half of the users to either server", "/tasks/1",
                ["-s", f"{PEERS}/users.lua"], ("node",), ["-H", "X-User: user-1"]),
    "all": Job("1 KiB; banyan with a flag, every trace exported, metrics and the access log, the others plain", "/all/1k",
               besides=("node",)),
    "100k": Job("GET of 100 KiB", "/100k"),
    "10m": Job("GET of 10 MiB", "/10m"),
    "post": Job("POST of 10 KiB", "/post", ["-s", f"{PEERS}/post.lua"]),
    "fresh": Job("GET of 1 KiB, a connection for each request", "/1k", ["-H", "Connection: close"]),
    "routes": Job("1 KiB behind 10 000 routes, the others plain", "/many/9999/1k"),
}


class Contestant:
    """A gateway that runs."""

    def __init__(self, name, port, process, version):
        self.name, self.port, self.pid, self.version = name, port, process.pid, version

    def tree(self):
        """Its processes."""
        found, fresh = [], [self.pid]
        while fresh:
            pid = fresh.pop()
            found.append(pid)
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children") as file:
                    fresh += [int(child) for child in file.read().split()]
        return found

    def cpu(self):
        """Nanoseconds of the processor so far."""
        return sum(contest.cpu_exactly(pid) for pid in self.tree())

    def memory(self):
        """The most resident memory that its processes had, in KiB."""
        total = 0
        for pid in self.tree():
            with open(f"/proc/{pid}/status") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
        return total


def version(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    found = re.search(r"(?<![\d.])\d+\.\d+(\.\d+)?", re.sub(r"\S+/\S*_bin\S*", "", done.stdout + done.stderr))
    return found.group() if found else "?"


class Field:
    """All contestants with their upstreams."""

    def __init__(self, stage, options):
        self.stage = stage
        self.monolith, self.service, self.collector = (contest.free_port() for _ in range(3))
        self.upstreams()
        self.missing = []
        self.contestants = {}
        self.add("nginx", "nginx", lambda program, port: [
            program, "-c", self.filled("nginx.conf", port)], lambda program: version(program, "-v"))
        self.add("haproxy", "haproxy", lambda program, port: [
            program, "-db", "-f", self.filled("haproxy.cfg", port)], lambda program: version(program, "-v"))
        self.add("caddy", "caddy", lambda program, port: [
            program, "run", "--adapter", "caddyfile", "--config", self.filled("Caddyfile", port)],
            lambda program: version(program, "version"))
        self.add("envoy", os.environ.get("ENVOY", "envoy"), lambda program, port: [
            program, "-c", self.filled("envoy.yaml", port), "--concurrency", "1", "--log-level", "error",
            "--disable-hot-restart"], lambda program: version(program, "--version"))
        self.add("node", "node", lambda program, port: [
            program, os.path.join(PEERS, "proxy.js"), str(port), str(self.monolith), str(self.service)],
            lambda program: version(program, "--version"))
        for name in ("banyan", "banyan-all"):
            self.add(name, options.banyan, lambda program, port: [
                program, "run", "-c", stage.write(f"{name}.json", self.routes(port, name == "banyan-all"))],
                lambda program: version(program, "--version"))
        for contestant in self.contestants.values():
            contest.wait_for(contestant.port)

    def upstreams(self):
        folder = self.stage.folder
        os.makedirs(folder + "/www/tasks", exist_ok=True)
        for name, size in (("1k", 1 << 10), ("100k", 100 << 10), ("10m", 10 << 20)):
            self.stage.write(f"www/{name}", "a" * size)
        one = ("location / {{ root {0}/www; }} location /tasks/ {{ add_header X-Side {1}; return 200 '{2}'; }}\n"
               "location /post {{ return 200; }}\n"
               "location ~ ^/(all|many)/ {{ rewrite /([^/]*)$ /$1 break; root {0}/www; }}")
        servers = "open_file_cache max=100; client_max_body_size 64m; client_body_buffer_size 128k;\n"
        for port, side in ((self.monolith, "monolith"), (self.service, "service")):
            servers += (f"server {{ listen 127.0.0.1:{port} backlog=4096; "
                        + one.format(folder, side, "t" * 1024) + " }\n")
        # What takes spans.
        servers += f"server {{ listen 127.0.0.1:{self.collector}; return 200; }}\n"
        self.stage.nginx("upstream", "1", servers)
        for port in (self.monolith, self.service, self.collector):
            contest.wait_for(port)

    def filled(self, name, port):
        with open(os.path.join(PEERS, name)) as file:
            text = file.read()
        for word, value in (("PORT", port), ("MONOLITH", self.monolith), ("SERVICE", self.service),
                            ("FOLDER", self.stage.folder)):
            text = text.replace(f"@{word}@", str(value))
        return self.stage.write("peer-" + name, text)

    def add(self, name, program, words, tell):
        found = shutil.which(program)
        if not found:
            self.missing.append(name)
            return
        port = contest.free_port()
        process = subprocess.Popen(
            ["taskset", "-c", "0"] + words(found, port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "GOMAXPROCS": "1", "HOME": self.stage.folder})
        self.stage.started.append(process)
        self.contestants[name] = Contestant(name, port, process, tell(found))

    def routes(self, port, everything):
        """Banyan's configuration for all jobs."""
        self.stage.write("flags.json", {"flags": {"split": {
            "state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off",
            "targeting": {"fractional": [["on", 50], ["off", 50]]}}}})
        many = [{"match": f"GET /many/{number}/{{rest...}}", "to": "monolith"} for number in range(10_000)]
        seen = {"accessLog": {"output": "/dev/null"}, "tracing": {
            "otlp": {"url": f"http://127.0.0.1:{self.collector}"}, "sampleRatio": 1}}
        return {
            "gateway": {
                "listeners": [{"address": f"127.0.0.1:{port}"}], "workers": 1,
                **(seen if everything else {"accessLog": False}),
                "limits": {"requestsPerConnection": 1_000_000_000}, "trustedProxies": ["127.0.0.0/8"],
                "identity": [{"header": "x-user"}]},
            "upstreams": {"monolith": f"http://127.0.0.1:{self.monolith}", "service": f"http://127.0.0.1:{self.service}"},
            "contexts": {"tasks": {"off": "monolith", "on": "service", "flag": "split"}},
            "flags": "flags.json",
            "routes": [{"match": "/tasks/{rest...}", "to": "tasks"}, {"match": "/all/{rest...}", "to": "tasks"}, *many, {"match": "/{rest...}", "to": "monolith"}]}

    def of(self, job):
        """Those who can do a job, by the names that tables have."""
        found = {}
        for name in JOBS[job].peers:
            key = "banyan-all" if name == "banyan" and job == "all" else name
            if key in self.contestants:
                found[name] = self.contestants[key]
        return found

    def check(self, name):
        """Whether everybody answers as the upstream itself does, to the byte."""
        job, answers = JOBS[name], {}
        for name, port in [("upstream", self.monolith)] + [(peer, one.port) for peer, one in self.of(name).items()]:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}{job.path}", headers={"X-User": "user-1"},
                data=b'"' + b"x" * 10238 + b'"' if job.path == "/post" else None)
            with urllib.request.urlopen(request, timeout=30) as answer:
                answers[name] = (answer.status, hashlib.sha256(answer.read()).hexdigest())
        wrong = [name for name in answers if answers[name] != answers["upstream"]]
        if wrong:
            sys.exit(f"{job.title}: {', '.join(wrong)} answer otherwise than the upstream: {answers}")


def load(contestant, job, connections, seconds):
    """One run: processor time of a request, requests per second, and two percentiles."""
    before = contestant.cpu()
    output = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *job.words,
         f"http://127.0.0.1:{contestant.port}{job.path}"], capture_output=True, text=True, check=True).stdout
    used = contestant.cpu() - before
    requests = int(contest.only(r"(\d+) requests in", output))
    errors = [line.strip() for line in output.splitlines() if "errors" in line or "Non-2xx" in line]
    return {
        "cpu": used / 1000 / max(requests, 1), "rate": requests / seconds, "p50": contest.percentile(output, 50),
        "p99": contest.percentile(output, 99), "errors": errors}


def run(field, name, options):
    """One job: the results of each contestant, round by round."""
    job, found = JOBS[name], field.of(name)
    field.check(name)
    names, results = list(found), {peer: [] for peer in found}
    for peer in names:
        load(found[peer], job, options.connections, 1)
    for number in range(options.rounds):
        first = number % len(names)
        for peer in names[first:] + names[:first]:
            result = load(found[peer], job, options.connections, options.seconds)
            result["alone"] = load(found[peer], job, 1, 1)
            results[peer].append(result)
            print(f"  {name} {number + 1} {peer:8} {result['cpu']:8.1f} us {result['rate']:8.0f}/s", file=sys.stderr)
    field.check(name)
    return results


def table(name, results):
    """The lines of a table in Markdown."""
    lines = [f"### {name}: {JOBS[name].title}", "",
             "| | CPU µs a request | over nginx (least–most) | requests/s | p50, p99 | p50, p99 with one connection | errors |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    ratios = {peer: [one["cpu"] / other["cpu"] for one, other in zip(rounds, results["nginx"])]
              for peer, rounds in results.items()}
    for peer in sorted(results, key=lambda peer: statistics.median(ratios[peer])):
        rounds, ratio = results[peer], ratios[peer]
        middle = sorted(rounds, key=lambda one: one["cpu"])[len(rounds) // 2]
        errors = sorted({error for one in rounds for error in one["errors"] + one["alone"]["errors"]})
        lines.append(
            f"| {peer} | {statistics.median(one['cpu'] for one in rounds):.1f} | {statistics.median(ratio):.2f} "
            f"({min(ratio):.2f}–{max(ratio):.2f}) | {statistics.median(one['rate'] for one in rounds):.0f} | "
            f"{middle['p50']}, {middle['p99']} | {middle['alone']['p50']}, {middle['alone']['p99']} | "
            f"{'; '.join(errors) or 'none'} |")
    return lines + [""]


def plot(found):
    """Bars of the processor time of a request over nginx's, as SVG."""
    width, height, left = 560, 16, 190
    rows, y = [], 24
    for job, results in found.items():
        rows.append(f'<text x="8" y="{y}" font-weight="bold">{job}: {JOBS[job].title}</text>')
        y += 8
        ratios = {peer: statistics.median(one["cpu"] / other["cpu"] for one, other in zip(rounds, results["nginx"]))
                  for peer, rounds in results.items()}
        for peer in sorted(ratios, key=ratios.get):
            bar = min(ratios[peer], 6) / 6 * (width - left - 60)
            colour = "#2a7" if peer == "banyan" else "#89a"
            rows.append(f'<text x="24" y="{y + 12}">{peer}</text><rect x="{left - 60}" y="{y}" width="{bar:.0f}" '
                        f'height="{height - 4}" fill="{colour}"/><text x="{left - 54 + bar:.0f}" y="{y + 11}">'
                        f'{ratios[peer]:.2f}</text>')
            y += height
        y += 28
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" font-family="sans-serif" '
            f'font-size="12"><rect width="100%" height="100%" fill="white"/>' + "".join(rows) + "</svg>\n")


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?")
    return f"{model}, {os.cpu_count()} processors, Linux {platform.release()}"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--banyan", default=".build-release/release/banyan")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=3)
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--jobs", default=",".join(JOBS))
    options.add_argument("--json")
    options.add_argument("--svg")
    options.add_argument("--quick", action="store_true", help="one round of a second")
    options = options.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 1
    contest.require("nginx", "wrk", "taskset")
    jobs = options.jobs.split(",")
    unknown = [job for job in jobs if job not in JOBS]
    if unknown:
        sys.exit(f"no such job: {', '.join(unknown)}; there are {', '.join(JOBS)}")
    os.sched_setaffinity(0, {1})
    with contest.Stage("bench") as stage:
        field = Field(stage, options)
        found = {job: run(field, job, options) for job in jobs}
        print(f"{time.strftime('%Y-%m-%d')}, {machine()}; {options.rounds} rounds of {options.seconds} s, "
              f"{options.connections} connections\n")
        print(", ".join(f"{name}: {c.version}" for name, c in field.contestants.items() if name != "banyan-all") + ". "
              + ", ".join(f"{name}: {c.memory() / 1024:.0f} MiB" for name, c in field.contestants.items())
              + " of memory at most." + (f" Not here: {', '.join(field.missing)}." if field.missing else "") + "\n")
        for job, results in found.items():
            print("\n".join(table(job, results)))
        if options.json:
            with open(options.json, "w") as file:
                json.dump({"date": time.strftime("%Y-%m-%d"), "machine": machine(), "versions": {
                    name: c.version for name, c in field.contestants.items()}, "jobs": found}, file, indent=1)
        if options.svg:
            with open(options.svg, "w") as file:
                file.write(plot(found))


if __name__ == "__main__":
    main()
