"""The jobs of bench.py: what is asked, whom it is asked of, and whether the answers are right."""
import hashlib
import http.client
import json
import os
import re
import ssl
import sys

import lists
import views

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")
PROXIES = ("banyan", "nginx", "haproxy", "envoy", "caddy", "node")
POSTED = b'"' + b"x" * 10238 + b'"'


class Job:
    """What is asked, how, and of whom.

    `variant` names contestants that are set up for this job alone: of `banyan` and `banyan-all` the latter takes part
    in a job with the variant `all`. `label` is what the one to whom all are compared is called.
    """

    def __init__(self, title, path="/1k", peers=PROXIES, kind="wrk", words=(), variant="", connections=None, value=None,
                 label="nginx"):
        self.title, self.path, self.peers, self.kind = title, path, tuple(peers), kind
        self.words, self.variant, self.label = list(words), variant, label
        self.connections, self.value = connections, value

    def keys(self, known):
        """The contestants of the job among those that are known, by the names that tables have."""
        found = {}
        for name in self.peers:
            key = f"{name}-{self.variant}"
            key = key if key in known else name
            if key in known:
                found[name] = key
        return found


WITHOUT_NODE = ("banyan", "nginx", "haproxy", "envoy", "caddy")
COMPOSERS = ("banyan", "nginx", "node", "fastapi")
USERS = ["-s", f"{PEERS}/users.lua"]

JOBS = {
    "proxy": Job("GET of 1 KiB, kept connections", peers=PROXIES + ("fastapi", "krakend")),
    "flag": Job("the same by a flag, one half of the users to either server", "/tasks/1", words=USERS,
                peers=("banyan", "nginx", "haproxy", "envoy", "node", "fastapi")),
    "all": Job("1 KiB; banyan with a flag, every trace exported, metrics and the access log, the others plain",
               "/all/1k", words=USERS, variant="all", peers=("banyan", "nginx", "haproxy", "envoy", "node")),
    "view": Job("a view of three answers of 1 KiB: a task, its comments, and the user whom the task names", views.VIEW,
                peers=COMPOSERS + ("krakend",), variant="view", value=views.expected, label="nginx + Lua"),
    "list": Job("a list of 50 tasks, each with its user; 20 users in one request", lists.LIST, peers=COMPOSERS,
                variant="list", value=lists.expected, label="nginx + Lua"),
    "h2tls": Job("GET of 1 KiB by HTTP/2 over TLS 1.3, 4 connections with 100 streams", peers=WITHOUT_NODE,
                 kind="h2tls"),
    "handshakes": Job("a full handshake of TLS 1.3 (P-256) and a GET of 1 KiB", peers=WITHOUT_NODE, kind="handshakes"),
    "100k": Job("GET of 100 KiB", "/100k"),
    "10m": Job("GET of 10 MiB, 8 connections", "/10m", connections=8),
    "post": Job("POST of 10 KiB", "/post", words=["-s", f"{PEERS}/post.lua"]),
    "fresh": Job("GET of 1 KiB, a connection for each request", words=["-H", "Connection: close"]),
    "routes": Job("1 KiB behind 10 000 routes", "/many/9999/1k", peers=("banyan", "nginx", "haproxy", "envoy"),
                  variant="routes"),
    "idle": Job("idle connections, each of which has had one request", kind="idle"),
    "reload": Job("a reload with 1 000 routes in the middle of a steady load",
                  peers=("banyan", "nginx", "haproxy", "caddy"), kind="reload"),
}


def client_context():
    """A client's TLS 1.3, which takes the certificate of the run for what it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def ask(port, path, body=None, headers=(), tls=False):
    """One request: status, fields, and body of its answer."""
    if tls:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=client_context())
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST" if body else "GET", path, body, {"X-User": "user-1", **dict(headers)})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def check(name, found, upstream):
    """Ends the run unless everybody answers as the upstream itself does, to the byte, or with the value that is due."""
    wrong = wrong_answers(name, found, upstream)
    if wrong:
        sys.exit(f"{JOBS[name].title}: {', '.join(wrong)} answer otherwise than they should: {str(wrong)[:2000]}")
    if name == "flag":
        check_split({peer: one.port for peer, one in found.items()})


def wrong_answers(name, found, upstream):
    """What those answer, by their names, who do not answer as they should."""
    job, answers = JOBS[name], {}
    tls = job.kind in ("h2tls", "handshakes")
    ports = {peer: one.tls if tls else one.port for peer, one in found.items()}
    for peer, port in [*ports.items()] + ([] if job.value else [("upstream", upstream)]):
        try:
            status, _, body = ask(port, job.path, POSTED if name == "post" else None, tls=tls and peer != "upstream")
        except OSError as error:
            answers[peer] = str(error)
            continue
        answers[peer] = (status, json.loads(body) if job.value and status == 200 else hashlib.sha256(body).hexdigest())
    right = (200, job.value()) if job.value else answers["upstream"]
    return {peer: answer for peer, answer in answers.items() if answer != right}


def lost_spans(contestant):
    """How many spans a banyan did not export."""
    text = ask(contestant.ports["ADMIN"], "/metrics")[2].decode()
    results = dict(re.findall(r'^banyan_spans_total\{result="(\w+)"\} (\d+)', text, re.MULTILINE))
    if not int(results["exported"]):
        sys.exit("no span was exported")
    return sum(int(count) for result, count in results.items() if result != "exported")


def check_split(found):
    """Ends the run unless everybody sends about half of the users to either server, and each user to the same one."""
    for peer, port in found.items():
        sides = [[ask(port, "/tasks/1", headers={"X-User": f"user-{number}"})[1]["X-Side"] for number in range(100)]
                 for _ in range(2)]
        if sides[0] != sides[1] or not 30 <= sides[0].count("service") <= 70:
            sys.exit(f"{peer} splits the users otherwise than by halves: {sides}")
