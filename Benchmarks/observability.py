#!/usr/bin/env python3
"""What being observed costs: CPU per proxied request with spans, metrics and the access log, beside all of it off.

Runs the same gateway several times at once, on one core, in front of one upstream, and loads them in turn. Counted is the
CPU time of the whole process, the thread that exports included.

    off     no access log, no spans (metrics are always counted)
    log     the access log, to /dev/null
    1%      the log, and one trace in a hundred exported to a collector
    100%    the log, and every trace exported
    hanging every trace recorded, for a collector that accepts and never answers

    Benchmarks/observability.py --banyan .build-release/release/banyan [--reference OLD] [--rounds 7] [--seconds 3]

`--reference` takes an older program as "off", one that counts no metrics for instance. Needs what compare.py needs.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import compare


def hang(server, held):
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        held.append(connection)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--banyan", default=".build-release/release/banyan")
    options.add_argument("--reference")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--seconds", type=int, default=3)
    options.add_argument("--connections", type=int, default=64)
    options = options.parse_args()
    folder = tempfile.mkdtemp(prefix="banyan-observability-")
    os.chmod(folder, 0o755)  # nginx may drop its rights
    os.makedirs(folder + "/www")
    with open(folder + "/www/1k", "w") as file:
        file.write("a" * 1024)
    upstream, collector = compare.free_port(), compare.free_port()
    hanging, held = socket.create_server(("127.0.0.1", 0)), []
    threading.Thread(target=hang, args=(hanging, held), daemon=True).start()
    hung = {"url": f"http://127.0.0.1:{hanging.getsockname()[1]}"}
    log, otlp = {"output": "/dev/null"}, {"url": f"http://127.0.0.1:{collector}"}
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
            f"server {{ listen 127.0.0.1:{upstream}; location / {{ root {folder}/www; open_file_cache max=100; }} }}\n"
            f"server {{ listen 127.0.0.1:{collector}; client_max_body_size 100m; location / {{ return 200; }} }}")))
        peers = {}
        for name, settings in kinds.items():
            port = compare.free_port()
            path = f"{folder}/{len(peers)}.json"
            with open(path, "w") as file:
                json.dump({
                    "gateway": {
                        "listeners": [{"address": f"127.0.0.1:{port}"}], "workers": 1,
                        "limits": {"requestsPerConnection": 1000000000}, **settings},
                    "upstreams": {"up": f"http://127.0.0.1:{upstream}"},
                    "routes": [{"match": "/{rest...}", "to": "up"}]}, file)
            program = options.reference if name == "off" and options.reference else options.banyan
            started.append(subprocess.Popen(
                ["taskset", "-c", "0", program, "run", "-c", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            peers[name] = (started[-1].pid, port)
            compare.wait_for(port)
        compare.wait_for(upstream)
        ratios = {name: [] for name in kinds}
        slowest = {name: [] for name in kinds}
        for number in range(options.rounds):
            results = {}
            for name, (pid, port) in peers.items():
                result = results[name] = compare.load(pid, port, options.connections, options.seconds, "1")
                ratios[name].append(result["cpu"] / results["off"]["cpu"])
                slowest[name].append(result["p99"])
                print(f"{number + 1} {name:8} {result['cpu']:6.2f} us/request  {result['rate']:8.0f}/s  "
                      f"p50 {result['p50']}  p99 {result['p99']}  {compare.memory(pid) / 1024:.1f} MiB", flush=True)
        for name, found in ratios.items():
            found.sort()
            print(f"CPU per request, {name} / off: median {found[len(found) // 2]:.3f} "
                  f"({found[0]:.3f} to {found[-1]:.3f}, {len(found)} rounds); "
                  f"p99 median {sorted(slowest[name])[len(found) // 2]}")
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
