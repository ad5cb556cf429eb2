#!/usr/bin/env python3
"""Sends the requests of a corpus to nginx and to banyan, and compares what becomes of each.

Both are put before an upstream of the same kind, which writes down what it gets. A request that they treat differently
has to stand under the name of a class that says how; any other difference, and a class that does not hold any more, is
printed, and the exit code is 1. docs/parser-differences.md explains the classes.

    scripts/compare-heads.py --banyan .build/debug/banyan [--nginx /usr/sbin/nginx] [--heads FILE] [--show]
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADS = os.path.join(ROOT, "Tests/EndToEndTests/Heads/heads.txt")
# What comes behind each request: whoever has read the request to its right end answers this one, too, and closes.
END = b"GET /end HTTP/1.1\r\nHost: end.example\r\nConnection: close\r\n\r\n"
# How long either waits for the rest of a request that seems incomplete, in milliseconds.
PATIENCE = 600


class Upstream:
    """A server that answers whatever it can read, and remembers it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            try:
                while True:
                    request = read_request(stream)
                    if request is None:
                        return
                    with self.lock:
                        self.requests.append(request)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            except (OSError, ValueError):
                return

    def take(self):
        """The requests since it was last asked."""
        with self.lock:
            requests, self.requests = self.requests, []
        return requests


def read_request(stream):
    """One whole request by its own framing; None where it is cut off."""
    head = []
    while True:
        line = stream.readline()
        if not line.endswith(b"\r\n"):
            return None
        if line == b"\r\n":
            break
        head.append(line[:-2])
    fields = [tuple(part.strip() for part in line.split(b":", 1)) for line in head[1:] if b":" in line]
    fields = [(name.lower(), value) for name, value in fields]
    values = dict(fields)
    framing, body, trailers = "none", b"", []
    if b"transfer-encoding" in values:
        framing = "chunked"
        while True:
            size = int(stream.readline().split(b";")[0], 16)
            if size == 0:
                break
            piece = stream.read(size)
            if len(piece) < size or stream.readline() != b"\r\n":
                return None
            body += piece
        while True:
            line = stream.readline()
            if not line:
                return None
            if line == b"\r\n":
                break
            trailers.append(line.strip())
    elif b"content-length" in values:
        framing = "length"
        body = stream.read(int(values[b"content-length"]))
        if len(body) < int(values[b"content-length"]):
            return None
    method, _, rest = head[0].partition(b" ")
    own = {b"host", b"connection", b"via", b"forwarded", b"x-request-id", b"traceparent", b"x-forwarded-host",
           b"banyan-deadline-ms"}
    own |= {b"x-forwarded-for", b"x-forwarded-proto", b"content-length", b"transfer-encoding"}
    host = values.get(b"x-forwarded-host", b"").lower()
    return {
        "method": method,
        "target": rest.rpartition(b" ")[0],
        "host": re.sub(rb":\d*$", b"", host),
        "framing": framing,
        "body": body,
        "fields": sorted(field for field in fields if field[0] not in own),
        "trailers": trailers,
    }


class Proxy:
    """Either of the two, with the upstream behind it."""

    def __init__(self, folder):
        self.upstream = Upstream()
        self.folder = folder
        os.makedirs(folder)

    def send(self, request):
        """What becomes of a request: the statuses that come back, and the requests that reach the upstream."""
        with self.connect() as connection:
            connection.settimeout(20)
            answer = b""
            try:
                connection.sendall(request + END)
                while True:
                    piece = connection.recv(65536)
                    if not piece:
                        break
                    answer += piece
            except OSError:
                pass
        statuses = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", answer)]
        requests = self.upstream.take()
        ended = bool(requests) and requests[-1]["target"] == b"/end"
        return Outcome(statuses, requests[:-1] if ended else requests, ended)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Nginx(Proxy):
    def __init__(self, folder, program):
        super().__init__(folder)
        self.place = os.path.join(folder, "socket")
        configuration = f"""
            daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
            events {{ }}
            http {{
                access_log off; server_tokens off;
                client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
                client_header_timeout {PATIENCE}ms; client_body_timeout {PATIENCE}ms;
                large_client_header_buffers 4 8k; lingering_close off;
                server {{
                    listen unix:{self.place};
                    location / {{
                        proxy_pass http://127.0.0.1:{self.upstream.port};
                        proxy_http_version 1.1;
                        proxy_request_buffering off;
                        proxy_set_header X-Forwarded-Host $host;
                    }}
                }}
            }}"""
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w") as file:
            file.write(configuration)
        self.process = subprocess.Popen(
            [program, "-p", folder, "-c", path, "-e", os.path.join(folder, "error.log")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"nginx does not start: {self.process.stderr.read().decode()}")
                time.sleep(0.01)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self.place)
        except OSError:
            connection.close()
            raise
        return connection


class Banyan(Proxy):
    def __init__(self, folder, program):
        super().__init__(folder)
        configuration = f"""{{
            "gateway": {{
                "listeners": [{{ "address": "127.0.0.1:0" }}], "accessLog": false,
                "timeouts": {{ "head": "{PATIENCE}ms", "body": "{PATIENCE}ms", "idle": "{PATIENCE}ms" }}
            }},
            "flags": "flags.json",
            "upstreams": {{ "upstream": "http://127.0.0.1:{self.upstream.port}" }},
            "routes": [{{ "match": "/{{rest...}}", "to": "upstream" }}]
        }}"""
        for name, text in [("routes.json", configuration), ("flags.json", '{"flags": {}}')]:
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        self.process = subprocess.Popen(
            [program, "run", "-c", os.path.join(folder, "routes.json"), "--workers", "1"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        line = self.process.stdout.readline().decode()
        found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
        if not found:
            sys.exit(f"banyan does not start: {line}")
        self.port = int(found[1])
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port))


class Outcome:
    """What became of a request."""

    def __init__(self, statuses, requests, ended):
        self.statuses = [status for status in statuses if status >= 200]
        self.requests = requests
        self.ended = ended

    @property
    def word(self):
        """`passed` where a whole request reached the upstream, else the status of the answer, or `silence`."""
        if self.requests:
            return "passed"
        return str(self.statuses[0]) if self.statuses else "silence"

    def differences(self, other):
        """In what two outcomes differ whose words are the same."""
        found = set()
        if len(self.requests) != len(other.requests):
            return {"count"}
        for mine, theirs in zip(self.requests, other.requests):
            found |= {key for key in mine if mine[key] != theirs[key]}
        # Whether what comes behind the request is read as a request is told only where this one was taken.
        if self.requests and self.ended != other.ended:
            found.add("next")
        return found

    def __str__(self):
        lines = [f"{self.word}, statuses {self.statuses}, the next request is {'' if self.ended else 'not '}read"]
        return "\n        ".join(lines + [str(request) for request in self.requests])


class Section:
    """A class of the corpus: how its requests fare, and the requests."""

    def __init__(self, header):
        parts = [part.strip() for part in header.split("|")]
        self.name = parts[0]
        expected = dict(part.split(": ") for part in parts[1:])
        self.banyan = set(expected.get("banyan", "").split())
        self.nginx = set(expected.get("nginx", "").split())
        self.differ = set(expected.get("differ", "").split())
        self.heads = []

    def fault(self, banyan, nginx):
        """What is not as the class says; None if nothing is."""
        if self.name == "same":
            if banyan.word != nginx.word or banyan.differences(nginx):
                return f"they differ in {sorted(banyan.differences(nginx)) or 'whether they take it'}"
            return None
        if banyan.word not in self.banyan:
            return f"banyan: {banyan.word}, not {sorted(self.banyan)}"
        if nginx.word not in self.nginx:
            return f"nginx: {nginx.word}, not {sorted(self.nginx)}"
        if banyan.word == nginx.word and banyan.differences(nginx) != self.differ:
            return f"they differ in {sorted(banyan.differences(nginx))}, not {sorted(self.differ)}"
        return None


def read_corpus(path):
    """The sections of a corpus: `[class | banyan: ... | nginx: ...]`, then a request a line.

    A request is written with the escapes of C; `<100*ab>` stands for `ab` a hundred times.
    """
    sections = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            if line.startswith("[") and line.endswith("]"):
                sections.append(Section(line[1:-1]))
                continue
            text = re.sub(r"<(\d+)\*([^>]*)>", lambda found: found[2] * int(found[1]), line)
            request = text.encode("utf-8").decode("unicode_escape").encode("latin-1")
            sections[-1].heads.append((line, request))
    return sections


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--banyan", required=True)
    parser.add_argument("--nginx", default=shutil.which("nginx") or "/usr/sbin/nginx")
    parser.add_argument("--heads", default=HEADS)
    parser.add_argument("--show", action="store_true", help="print what becomes of every request")
    arguments = parser.parse_args()
    sections = read_corpus(arguments.heads)
    faults = count = 0
    with tempfile.TemporaryDirectory() as folder:
        banyan = Banyan(os.path.join(folder, "banyan"), arguments.banyan)
        nginx = Nginx(os.path.join(folder, "nginx"), arguments.nginx)
        try:
            for section in sections:
                for line, request in section.heads:
                    count += 1
                    outcomes = banyan.send(request), nginx.send(request)
                    fault = section.fault(*outcomes)
                    if fault or arguments.show:
                        print(f"{section.name}: {line}\n    {fault or 'as expected'}")
                        for name, outcome in zip(["banyan", "nginx "], outcomes):
                            print(f"    {name}: {outcome}")
                    faults += fault is not None
        finally:
            banyan.stop()
            nginx.stop()
    print(f"{count} requests in {len(sections)} classes, {faults} not as they should be")
    return 1 if faults or not count else 0


if __name__ == "__main__":
    sys.exit(main())
