"""The contestants of bench.py and their upstreams: how they are started, and what they use."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import configurations
import contest
import lists
import views

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "peers")
FIRST_CORE = ["taskset", "-c", "0"]


class Contestant:
    """A gateway that runs."""

    def __init__(self, name, ports, process):
        self.name, self.ports, self.process = name, ports, process
        self.port, self.tls, self.pid = ports["PORT"], ports["TLS"], process.pid

    def tree(self):
        """Its processes."""
        found, fresh = [], [self.pid]
        while fresh:
            pid = fresh.pop()
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children") as file:
                        fresh += [int(child) for child in file.read().split()]
            except FileNotFoundError:
                continue  # it ended meanwhile, as workers do after a reload
            found.append(pid)
        return found

    def cpu(self):
        """Nanoseconds of the processor so far."""
        return sum(contest.cpu_exactly(pid) for pid in self.tree())

    def forget_peak(self):
        """Lets the peak of its memory begin anew."""
        for pid in self.tree():
            with open(f"/proc/{pid}/clear_refs", "w") as file:
                file.write("5")

    def peak(self):
        """The most resident memory that its processes had, in KiB. What several of them share counts for each."""
        return sum(self.numbers(pid, "status", "VmHWM") for pid in self.tree())

    def own_memory(self):
        """Its memory in KiB without that of its files; of what several of its processes share one part each."""
        return sum(self.numbers(pid, "smaps_rollup", "Pss_Anon") for pid in self.tree())

    @staticmethod
    def numbers(pid, name, word):
        with open(f"/proc/{pid}/{name}") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith(word + ":"))


def version_of(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    found = re.search(r"(?<![\d.])\d+\.\d+(\.\d+)?", re.sub(r"\S+/\S*_bin\S*", "", done.stdout + done.stderr))
    return found.group() if found else "?"


class Field:
    """All contestants with their upstreams. They are started when a job first needs them, and run to the end."""

    def __init__(self, stage, options):
        self.stage = stage
        self.programs = {
            "banyan": options.banyan, "nginx": "nginx", "haproxy": "haproxy", "caddy": "caddy", "node": "node",
            "envoy": os.environ.get("ENVOY", "envoy"), "krakend": os.environ.get("KRAKEND", "krakend"),
            "fastapi": sys.executable}
        self.fastapi = os.environ.get("FASTAPI", os.path.join(os.path.dirname(HERE), ".tools", "fastapi"))
        self.missing, self.versions, self.running = {}, {}, {}
        for name, program in self.programs.items():
            self.look_for(name, program)
        words = ("MONOLITH", "SERVICE", "COLLECTOR", "TASKS", "USERS", "COMMENTS", "LISTED")
        self.ports = {word: contest.free_port() for word in words}
        self.make_certificate()
        self.start_upstreams()

    def look_for(self, name, program):
        asked = {"nginx": "-v", "haproxy": "-v", "caddy": "version", "krakend": "version"}.get(name, "--version")
        if name == "krakend" and "KRAKEND" not in os.environ:
            return
        found = shutil.which(program)
        if not found or name == "fastapi" and not os.path.isdir(os.path.join(self.fastapi, "fastapi")):
            self.missing[name] = "not installed"
        elif name == "fastapi":
            code = f"import sys; sys.path.insert(0, {self.fastapi!r}); import fastapi; print(fastapi.__version__)"
            self.versions[name] = version_of(found, "-c", code)
        else:
            self.programs[name] = os.path.abspath(found)
            self.versions[name] = version_of(found, asked)
        if name == "nginx" and not os.path.exists("/usr/lib/nginx/modules/ngx_http_lua_module.so"):
            self.missing["nginx-view"] = self.missing["nginx-list"] = "no Lua"

    def known(self):
        """The names of all contestants that can be started."""
        alone = ["nginx-view", "nginx-list", "nginx-routes", "haproxy-routes", "envoy-routes", "banyan-routes",
                 "banyan-all"]
        return [name for name in [*self.versions, *alone]
                if name not in self.missing and name.split("-")[0] in self.versions]

    def make_certificate(self):
        folder = self.stage.folder
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.crt"], check=True, capture_output=True)
        with open(f"{folder}/tls.crt") as certificate, open(f"{folder}/tls.key") as key:
            self.stage.write("tls.pem", certificate.read() + key.read())

    def start_upstreams(self):
        folder, ports = self.stage.folder, self.ports
        os.makedirs(folder + "/www", exist_ok=True)
        for name, size in (("1k", 1 << 10), ("100k", 100 << 10), ("10m", 10 << 20)):
            self.stage.write(f"www/{name}", "a" * size)
        servers = "open_file_cache max=100; client_max_body_size 64m; client_body_buffer_size 128k;\n"
        for port, side in ((ports["MONOLITH"], "monolith"), (ports["SERVICE"], "service")):
            servers += (
                f"server {{ listen 127.0.0.1:{port} backlog=4096;\n"
                f"location / {{ root {folder}/www; }}\n"
                f"location /tasks/ {{ add_header X-Side {side}; return 200 '{'t' * 1024}'; }}\n"
                "location /post { return 200; }\n"
                f"location ~ ^/(all|many)/ {{ rewrite /([^/]*)$ /$1 break; root {folder}/www; }} }}\n")
        # What takes spans.
        servers += f"server {{ listen 127.0.0.1:{ports['COLLECTOR']}; return 200; }}\n"
        servers += views.upstream(ports, 0) + lists.upstream(self.stage, ports["LISTED"])
        self.stage.nginx("upstream", "1", servers)
        for port in ports.values():
            contest.wait_for(port)

    def of(self, job):
        """Those who can do a job, by the names that tables have; they run then."""
        found = {}
        for name, key in job.keys(self.known()).items():
            if key not in self.running:
                try:
                    self.running[key] = self.start(key, **({"routes": 10_000} if key.endswith("-routes") else {}))
                except SystemExit:
                    if name in ("banyan", "nginx"):
                        raise
                    self.missing[key] = "did not start"
                    continue
            found[name] = self.running[key]
        return found

    def start(self, name, **settings):
        """Starts a contestant, and waits until it listens."""
        ports = {**self.ports, **{word: contest.free_port() for word in ("PORT", "TLS", "ADMIN")}}
        kind = name.split("-")[0]
        environment = {
            **os.environ, "GOMAXPROCS": "1", "HOME": self.stage.folder, "PYTHONPATH": self.fastapi,
            "BENCH_PORTS": json.dumps({word: ports[place] for word, place in (
                ("monolith", "MONOLITH"), ("service", "SERVICE"), ("tasks", "TASKS"), ("users", "USERS"),
                ("comments", "COMMENTS"), ("lists", "LISTED"))})}
        if name in ("nginx-view", "nginx-list"):
            servers = (views.views_of_nginx({**ports, "VIEWS": ports["PORT"]}) if name == "nginx-view"
                       else lists.list_of_nginx(ports["PORT"], ports["LISTED"]))
            process = self.stage.nginx(name, "0", servers, views.LUA)
        else:
            process = subprocess.Popen(
                FIRST_CORE + self.command(kind, name, ports, settings), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env=environment, cwd=self.stage.folder)
            self.stage.started.append(process)
        contest.wait_for(ports["PORT"])
        return Contestant(name, ports, process)

    def command(self, kind, name, ports, settings):
        program = self.programs[kind]
        if kind in configurations.FILES:
            file = configurations.peer(self.stage, ports, name, kind, **settings)
        if kind == "nginx":
            return [program, "-c", file]
        if kind == "haproxy":
            # A master and a worker, as it runs where it can be reloaded.
            return [program, "-W", "-db", "-f", file]
        if kind == "caddy":
            return [program, "run", "--adapter", "caddyfile", "--config", file]
        if kind == "envoy":
            return [program, "-c", file, "--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
        if kind == "node":
            services = ("PORT", "MONOLITH", "SERVICE", "TASKS", "USERS", "COMMENTS", "LISTED")
            return [program, os.path.join(PEERS, "proxy.js")] + [str(ports[word]) for word in services]
        if kind == "fastapi":
            return [program, "-m", "uvicorn", "fastapi_proxy:app", "--app-dir", PEERS, "--host", "127.0.0.1", "--port",
                    str(ports["PORT"]), "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level",
                    "error", "--backlog", "4096", "--timeout-keep-alive", "3600"]
        if kind == "krakend":
            return [program, "run", "-c", configurations.krakend(self.stage, ports, name)]
        return [program, "run", "-c", configurations.banyan(
            self.stage, ports, name, everything=name == "banyan-all", **settings)]

    def reload(self, contestant, **settings):
        """Changes the configuration of a contestant, and has it read."""
        kind = contestant.name.split("-")[0]
        if kind == "banyan":
            configurations.banyan(self.stage, contestant.ports, contestant.name, **settings)
            contestant.process.send_signal(signal.SIGHUP)
            return
        file = configurations.peer(self.stage, contestant.ports, contestant.name, kind, **settings)
        if kind == "caddy":
            words = [self.programs[kind], "reload", "--adapter", "caddyfile", "--config", file, "--address",
                     f"127.0.0.1:{contestant.ports['ADMIN']}"]
            self.stage.started.append(subprocess.Popen(
                words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={**os.environ, "HOME": self.stage.folder}))
        else:
            contestant.process.send_signal(signal.SIGHUP if kind == "nginx" else signal.SIGUSR2)

    def stop(self, contestant):
        """Ends one that was started for a job alone."""
        contestant.process.send_signal(signal.SIGTERM)
        try:
            contestant.process.wait(20)
        except subprocess.TimeoutExpired:
            contestant.process.kill()
            contestant.process.wait()
        self.stage.started.remove(contestant.process)

    def idle(self, seconds):
        """The share of the core that each of those who run takes while nobody asks for anything, in percent."""
        before = {name: one.cpu() for name, one in self.running.items()}
        time.sleep(seconds)
        return {name: (one.cpu() - before[name]) / seconds / 1e7 for name, one in self.running.items()}
