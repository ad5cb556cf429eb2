"""The loads of bench.py: wrk and h2load on the second core, and what a contestant spends meanwhile."""
import os
import re
import socket
import subprocess
import sys
import time

import contest
import views
from jobs import client_context

SECOND_CORE = ["taskset", "-c", "1"]
STREAMS = 100
H2_CONNECTIONS = 4
# No more at once than any contestant is willing to have in progress.
HANDSHAKES = 200
# Left to themselves, they choose ciphers of different cost.
SAME_FOR_ALL = ["--tls13-ciphers=TLS_AES_128_GCM_SHA256", "--groups=X25519"]


# Connections of those who need a gentler load: at 64 FastAPI is slower than at 8, and much of a slice would be under
# way at its end, uncounted. Their turn comes in every third round.
SLOW = {"fastapi": 8}


def share(times, percent):
    return times[min(len(times) - 1, len(times) * percent // 100)]


def run_wrk(contestant, job, connections, seconds):
    """Requests by HTTP/1.1 in clear."""
    before = contestant.cpu()
    output = subprocess.run(
        [*SECOND_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", *job.words,
         f"http://127.0.0.1:{contestant.port}{job.path}"], capture_output=True, text=True, check=True).stdout
    used = contestant.cpu() - before
    requests = int(contest.only(r"(\d+) requests in", output))
    rate = float(contest.only(r"Requests/sec:\s+([\d.]+)", output))
    errors = [line.strip() for line in output.splitlines() if "errors" in line or "Non-2xx" in line]
    return {
        "cpu": used / 1000 / max(requests, 1), "rate": rate, "p50": views.milliseconds(contest.percentile(output, 50)),
        "p99": views.milliseconds(contest.percentile(output, 99)), "errors": errors}


class H2:
    """Requests by HTTP/2 over TLS 1.3, so many that they take about the time that is wanted."""

    def __init__(self, folder):
        self.log = os.path.join(folder, "h2load.log")
        self.rates = {}

    def __call__(self, contestant, job, connections, seconds):
        alone = connections == 1
        rate = self.rates.get((contestant.name, alone)) or self.ask(contestant, job, alone, 400)["rate"]
        result = self.ask(contestant, job, alone, max(400, int(rate * seconds)))
        self.rates[contestant.name, alone] = result["rate"]
        return result

    def ask(self, contestant, job, alone, requests):
        before = contestant.cpu()
        output = h2load(
            "-n", str(requests), "-c", str(1 if alone else H2_CONNECTIONS), "-m", str(1 if alone else STREAMS),
            f"--log-file={self.log}", f"https://127.0.0.1:{contestant.tls}{job.path}")
        used = contestant.cpu() - before
        if "Application protocol: h2\n" not in output:
            sys.exit(f"{contestant.name} does not speak HTTP/2: {output}")
        with open(self.log) as file:
            times = sorted(int(line.split("\t")[2]) / 1000 for line in file)
        os.remove(self.log)
        return {"cpu": used / 1000 / requests, "rate": rate_of(output), "errors": failures(output, requests),
                "p50": share(times, 50), "p99": share(times, 99)}


def run_handshakes(contestant, job, connections, seconds):
    """Connections that are made for a request each; with one connection, one after the other, to see their latency."""
    if connections == 1:
        return single_handshakes(contestant, job)
    took, count, errors = 0, 0, []
    before = contestant.cpu()
    while took < seconds:
        output = h2load("-n", str(HANDSHAKES), "-c", str(HANDSHAKES), f"https://127.0.0.1:{contestant.tls}{job.path}")
        took += HANDSHAKES / rate_of(output)
        count += HANDSHAKES
        errors += failures(output, HANDSHAKES)
    used = contestant.cpu() - before
    return {"cpu": used / 1000 / count, "rate": count / took, "p50": None, "p99": None, "errors": errors}


def single_handshakes(contestant, job):
    context = client_context()
    request = f"GET {job.path} HTTP/1.1\r\nHost: 127.0.0.1:{contestant.tls}\r\nConnection: close\r\n\r\n".encode()
    times, errors = [], []
    for _ in range(100):
        start = time.perf_counter()
        with socket.create_connection(("127.0.0.1", contestant.tls), 10) as plain:
            # The request leaves at once, behind the end of the handshake.
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(plain) as connection:
                connection.sendall(request)
                answer = b""
                while not answer.endswith(b"a" * 1024):
                    part = connection.recv(4096)
                    if not part:
                        errors.append("no whole answer")
                        break
                    answer += part
                if connection.session_reused:
                    errors.append("resumed")
        times.append((time.perf_counter() - start) * 1000)
    times.sort()
    return {"p50": share(times, 50), "p99": share(times, 99), "errors": errors}


def h2load(*words):
    output = subprocess.run(
        [*SECOND_CORE, "h2load", *SAME_FOR_ALL, *words], capture_output=True, text=True, check=True, timeout=120).stdout
    if "TLS Protocol: TLSv1.3" not in output:
        sys.exit(f"no TLS 1.3: {output}")
    return output


def rate_of(output):
    return float(contest.only(r"finished in [^,]*, ([\d.]+) req/s", output))


def failures(output, requests):
    """What went wrong, if anything did."""
    # The last number is that of the bytes of all bodies.
    if all(words in output for words in (
            f" {requests} succeeded, 0 failed", f"status codes: {requests} 2xx", f"({requests * 1024}) data")):
        return []
    return [line for line in output.splitlines() if re.match("requests:|status codes:|traffic:", line)]


def measure(load, contestant, job, number, options):
    """The turn that a contestant has in a round: under load, and in every third round with one connection, too."""
    connections = min(job.connections or options.connections, SLOW.get(contestant.name, 1 << 20))
    result = load(contestant, job, connections, options.seconds)
    if number % 3 == 0:
        result["alone"] = load(contestant, job, 1, 1)
        result["errors"] = result["errors"] + result["alone"]["errors"]
    return result
