"""What the comparisons share: contestants on cores of their own, loads that they get in turn, and what they have used."""
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


def answers(port):
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def wait_for(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if answers(port):
            return
        time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


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


def only(pattern, output):
    """The first group of the pattern, which has to be there."""
    found = re.search(pattern, output)
    if not found:
        sys.exit(f"no {pattern} in: {output}")
    return found.group(1)


def percentile(output, share):
    # At the beginning of a line: the share of a standard deviation may end in the same digits.
    return re.search(rf"^\s*{share}%\s+(\S+)", output, re.MULTILINE).group(1)


def in_turn(peers, rounds, requests, connections, path="/1k"):
    """Loads all peers in turn, a short slice each, beginning with another one each round; their times by their names."""
    names, found = list(peers), {name: [] for name in peers}
    for name in names:
        short_load(*peers[name], connections, requests, path)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(short_load(*peers[name], connections, requests, path))
    return found


def steady_load(port, options, seconds, log):
    """Asks at `options.rate` for so many seconds: the times in microseconds, least first, and how many were not 200."""
    subprocess.run(
        ["taskset", "-c", "1", "h2load", "--h1", "-D", str(seconds), "-c", str(options.connections),
         f"--rps={options.rate / options.connections}", f"--log-file={log}", f"http://127.0.0.1:{port}/1k"],
        capture_output=True, check=True, timeout=seconds + 60)
    with open(log) as file:
        lines = [line.split("\t") for line in file]
    os.remove(log)
    return sorted(int(line[2]) for line in lines), sum(line[1] != "200" for line in lines)


class Spread:
    """The ratios of two lists of times, pair by pair."""

    def __init__(self, times, others):
        ratios = sorted(one / other for one, other in zip(times, others))
        quarter = len(ratios) // 4
        self.count = len(ratios)
        self.median = (ratios[(self.count - 1) // 2] + ratios[self.count // 2]) / 2
        self.half = (ratios[quarter], ratios[-1 - quarter])
        self.total = sum(times) / sum(others)


def tell_slices(what, peers, found):
    """Prints what the first of two contestants costs, as a share of the other."""
    one, other = peers
    spread = Spread(found[one], found[other])
    print(f"{what}, {spread.count} short slices: median {spread.median:.3f} (half of them within {spread.half[0]:.3f} and "
          f"{spread.half[1]:.3f}), in total {spread.total:.3f}; least "
          + ", ".join(f"{name} {min(found[name]):.1f} us" for name in found), flush=True)


def require(*tools):
    for tool in tools:
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed")


class Stage:
    """A folder and the processes of one run, all of which go at its end."""

    def __init__(self, name):
        self.folder = tempfile.mkdtemp(prefix=f"banyan-{name}-")
        os.chmod(self.folder, 0o755)  # nginx may drop its rights
        self.started = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name, value):
        """Writes a file of JSON, or of text; its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(value if isinstance(value, str) else json.dumps(value))
        return path

    def nginx(self, name, core, servers, main=""):
        """Starts an nginx with one worker on a core."""
        folder = self.folder
        conf = self.write(name + ".conf", (
            f"{main}worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.log;\n"
            "events { worker_connections 4096; }\n"
            "http { access_log off; keepalive_requests 100000000; keepalive_timeout 3600;\n"
            f"client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy;\n"
            f"fastcgi_temp_path {folder}/x1; uwsgi_temp_path {folder}/x2; scgi_temp_path {folder}/x3;\n{servers} }}\n"))
        self.started.append(
            subprocess.Popen(["taskset", "-c", core, "nginx", "-c", conf], stderr=subprocess.DEVNULL))
        return self.started[-1]

    def upstream(self, port):
        """Starts an nginx on the second core that has a file of 1 KiB."""
        os.makedirs(self.folder + "/www")
        self.write("www/1k", "a" * 1024)
        self.nginx("upstream", "1", (
            f"server {{ listen 127.0.0.1:{port}; location / {{ root {self.folder}/www; open_file_cache max=100; }} }}"))

    def banyan(self, program, routes, name="routes.json"):
        """Starts a gateway on the first core."""
        self.started.append(subprocess.Popen(
            ["taskset", "-c", "0", program, "run", "-c", self.write(name, routes)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return self.started[-1]


def routes(port, upstreams, route, **gateway):
    """The configuration of a gateway with one worker, whose connections never end."""
    return {
        "gateway": {
            "listeners": [{"address": f"127.0.0.1:{port}"}], "workers": 1, "accessLog": False,
            "limits": {"requestsPerConnection": 1000000000}, **gateway},
        "upstreams": {name: f"http://127.0.0.1:{port}" for name, port in upstreams.items()},
        "routes": [route]}
