#!/usr/bin/env python3
"""CPU per view: banyan beside nginx with Lua, composing the same view of the same three answers.

The view is a task, its comments, and the user whom the task names: two requests at once, then a third, 1 KiB of JSON
each, from an nginx on the second core. In front of it, both on the first core: an nginx that composes the view in Lua
(views.nginx.conf and views.lua) and a banyan that composes it by its configuration. Both must answer the same, then wrk
loads them in turn, round by round. What counts is the ratio within a round.

    Benchmarks/views.py [--banyan .build-release/release/banyan] [--rounds 5] [--seconds 4] [--connections 64]
    Benchmarks/views.py --million     # a million views at the end, for the memory; otherwise a hundred thousand
    Benchmarks/views.py --delay 50    # instead: each upstream answers after 50 ms; how late is the view?

With --delay the view must come, at the 99th percentile and with few connections, within the delay of its longest chain
and 10 ms. Needs what compare.py needs, and nginx's Lua (Debian: libnginx-mod-http-lua, lua-cjson).
"""
import argparse
import json
import os
import re
import sys
import urllib.request

import contest

HERE = os.path.dirname(os.path.abspath(__file__))
LUA = "load_module modules/ndk_http_module.so; load_module modules/ngx_http_lua_module.so; pcre_jit on;\n"
VIEW = "/tasks/4711/details"
LONGEST_CHAIN = 2
MARGIN = 10  # ms


def answers():
    """Three answers of 1 KiB, by the service and the path that they have there."""
    task = {
        "id": 4711, "user_id": "u-2041", "organization_id": 17, "title": "Replace the pump in hall 3", "status": "open",
        "priority": 2, "labels": ["pump", "hall-3", "spare part ordered"], "estimate_hours": 6.5, "archived": False,
        "parent": None, "created_at": "2026-03-02T08:14:55Z", "due_at": "2026-04-01T16:00:00Z",
        "location": {"building": "B", "floor": 0, "position": {"x": 12.75, "y": -3.5}}}
    user = {
        "id": "u-2041", "name": "Chloë Martin", "email": "chloe.martin@example.org", "role": "maintainer",
        "active": True,
        "teams": [{"id": 3, "name": "Maintenance"}, {"id": 9, "name": "On call"}], "locale": "fr-CA",
        "settings": {"theme": "dark", "notify": {"mail": True, "push": False}}, "created_at": "2021-11-30T10:02:11Z"}
    comments = {"items": [
        {"id": 90 + number, "user_id": f"u-{2041 + number % 2}", "created_at": f"2026-03-0{number + 3}T09:30:00Z",
         "text": "The seal is worn, \"not\" the bearing; see the picture."} for number in range(4)], "next": None}
    found = {("TASKS", "/tasks/4711"): (task, "description"), ("USERS", "/users/u-2041"): (user, "about"),
             ("COMMENTS", "/tasks/4711/comments"): (comments, "summary")}
    for place, (value, filler) in found.items():
        value[filler] = ""
        words = "Runs hot after an hour and then stops; the spare is in the store. " * 20
        value[filler] = words[:1024 - len(text_of(value).encode())]
        found[place] = text_of(value)
        assert len(found[place].encode()) == 1024
    return found


def text_of(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def upstream(ports, delay):
    """The servers of the three services; with a delay the answers are Lua's, which can wait without a process each."""
    servers = ""
    for (service, path), text in answers().items():
        if delay:
            length = len(text.encode())
            answer = (f"content_by_lua_block {{ ngx.sleep({delay / 1000}); ngx.header['Content-Length'] = {length};"
                      f" ngx.print([==[{text}]==]) }}")
        else:
            # Backslashes count in nginx's strings as well.
            answer = "return 200 '" + text.replace("\\", "\\\\") + "';"
        servers += (f"server {{ listen 127.0.0.1:{ports[service]}; default_type application/json;\n"
                    f"location = {path} {{ {answer} }} location / {{ return 404; }} }}\n")
    return servers


def views_of_nginx(ports):
    conf = open(os.path.join(HERE, "views.nginx.conf")).read()
    for name, value in {**ports, "FOLDER": HERE}.items():
        conf = re.sub(rf"\b{name}\b", str(value), conf)
    return conf


def views_of_banyan(ports):
    upstreams = {name.lower(): ports[name] for name in ("TASKS", "USERS", "COMMENTS")}
    return contest.routes(ports["BANYAN"], upstreams, route_of_banyan())


def route_of_banyan():
    return {"match": "GET /tasks/{id}/details", "aggregate": {
        "task": {"from": "tasks", "get": "/tasks/{id}"},
        "user": {"from": "users", "get": "/users/{task.user_id}"},
        "comments": {"from": "comments", "get": "/tasks/{id}/comments"}}}


def expected():
    """The view, as a value."""
    parts = {service: json.loads(text) for (service, _), text in answers().items()}
    return {"task": parts["TASKS"], "user": parts["USERS"], "comments": parts["COMMENTS"]}


def check(peers):
    """Ends the run unless both answer with the view."""
    for name, (_, port) in peers.items():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{VIEW}", timeout=5) as answer:
            kind, found = answer.headers["Content-Type"], json.load(answer)
        if kind != "application/json" or found != expected():
            sys.exit(f"{name} does not answer with the view, but as {kind} with {found}")


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def spread(values):
    values = sorted(values)
    return f"median {values[len(values) // 2]:.3f} ({values[0]:.3f} to {values[-1]:.3f}, {len(values)} rounds)"


def rounds(peers, options):
    """Loads the two in turn; prints each run, and at the end the ratios."""
    runs = {name: [] for name in peers}
    for number in range(options.rounds):
        # Each is first in every other round: what the machine does besides changes in the middle of one.
        for name, (pid, port) in sorted(peers.items(), reverse=number % 2 == 0):
            run = contest.load(pid, port, options.connections, options.seconds, "1", VIEW)
            runs[name].append(run)
            print(f"{number + 1} {name:9} {run['cpu']:6.2f} us/view (user {run['user']:5.2f}) {run['rate']:8.0f}/s  "
                  f"p50 {run['p50']}  p99 {run['p99']}  {contest.memory(pid) / 1024:.1f} MiB", flush=True)
    pairs = list(zip(runs["banyan"], runs["nginx+Lua"]))
    print("banyan / nginx+Lua, CPU per view:", spread([mine["cpu"] / its["cpu"] for mine, its in pairs]))
    print("  of it outside of the kernel:   ", spread([mine["user"] / its["user"] for mine, its in pairs]))
    for share in ("p50", "p99"):
        ratios = [milliseconds(mine[share]) / milliseconds(its[share]) for mine, its in pairs]
        print(f"  {share} with {options.connections} connections:      ", spread(ratios))


def memory_over_time(peers, options):
    """Prints banyan's resident memory on the way through many views, beginning after the rounds."""
    pid, port = peers["banyan"]
    wanted = 1_000_000 if options.million else 100_000
    count, told, first = 0, 0, contest.memory(pid)
    print(f"resident memory of banyan: {first / 1024:.1f} MiB", end="", flush=True)
    while count < wanted:
        count += contest.load(pid, port, options.connections, options.seconds, "1", VIEW)["requests"]
        if count - told >= wanted / 10 or count >= wanted:
            told = count
            print(f", {contest.memory(pid) / 1024:.1f} after {count // 1000}k views", end="", flush=True)
    print(f"; {(contest.memory(pid) - first) / 1024:+.1f} MiB")


def lateness(peers, options):
    """Loads the two lightly while the upstreams are slow; returns 1 where banyan's views are later than they may be."""
    bar = options.delay * LONGEST_CHAIN + MARGIN
    late = []
    for number in range(options.rounds):
        for name, (pid, port) in peers.items():
            run = contest.load(pid, port, min(options.connections, 8), options.seconds, "1", VIEW)
            print(f"{number + 1} {name:9} p50 {run['p50']}  p99 {run['p99']}  ({run['requests']} views)", flush=True)
            if name == "banyan":
                late.append(milliseconds(run["p99"]))
    late.sort()
    median = late[len(late) // 2]
    print(f"banyan, p99: median {median:.1f} ms ({late[0]:.1f} to {late[-1]:.1f}, {len(late)} rounds), where {bar} ms "
          f"are allowed ({LONGEST_CHAIN} x {options.delay} ms and {MARGIN} ms)")
    return 0 if median <= bar else 1


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--banyan", default=".build-release/release/banyan")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--slices", type=int, default=40)
    options.add_argument("--views", type=int, default=3000)
    options.add_argument("--delay", type=int, default=0, metavar="MS")
    options.add_argument("--million", action="store_true")
    options = options.parse_args()
    contest.require("nginx", "wrk", "h2load", "taskset")
    ports = {name: contest.free_port() for name in ("TASKS", "USERS", "COMMENTS", "VIEWS", "BANYAN")}
    with contest.Stage("views") as stage:
        stage.nginx("upstream", "1", upstream(ports, options.delay), LUA)
        nginx = stage.nginx("views", "0", views_of_nginx(ports), LUA)
        banyan = stage.banyan(options.banyan, views_of_banyan(ports))
        for port in ports.values():
            contest.wait_for(port)
        peers = {
            "banyan": (banyan.pid, ports["BANYAN"]),
            "nginx+Lua": (contest.worker_of(nginx.pid), ports["VIEWS"])}
        check(peers)
        if options.delay:
            status = lateness(peers, options)
        else:
            contest.tell_slices(
                "banyan / nginx+Lua, CPU per view", peers,
                contest.in_turn(peers, options.slices, options.views, options.connections, VIEW))
            rounds(peers, options)
            memory_over_time(peers, options)
            status = 0
        check(peers)
        return status


if __name__ == "__main__":
    sys.exit(main())
