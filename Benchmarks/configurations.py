"""What the contestants of bench.py are told: the files of peers/ with ports and routes put in, and the configurations
of banyan and KrakenD."""
import os

import lists
import views

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")
FILES = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "caddy": "Caddyfile", "envoy": "envoy.yaml"}


def routes_of(kind, count, map_file, ports):
    """So many routes that lead to the monolith, as each peer has them; Caddy's end with one for all tasks, which it
    does not split by user."""
    paths = [f"/many/{number}/" for number in range(count)]
    if not count:
        return ""
    if kind == "nginx":
        return "\n".join(f"location {path} {{ proxy_pass http://monolith; }}" for path in paths)
    if kind == "haproxy":
        return f"use_backend %[path,map_beg({map_file})] if {{ path,map_beg({map_file}) -m found }}"
    if kind == "envoy":
        # The indentation of the file's own routes.
        return ("\n" + " " * 24).join(
            f'- {{ match: {{ prefix: "{path}" }}, route: {{ cluster: monolith, timeout: 0s }} }}' for path in paths)
    return "\n".join([f"reverse_proxy {path}* 127.0.0.1:{ports['MONOLITH']}" for path in paths]
                     + [f"reverse_proxy /tasks/* 127.0.0.1:{ports['SERVICE']}"])


def peer(stage, ports, name, kind, routes=0, share=50):
    """Writes the file of a peer; its path. `share` of 100 users go to the service."""
    map_file = stage.write(f"{name}.map", "".join(f"/many/{number}/ monolith\n" for number in range(routes)))
    with open(os.path.join(PEERS, FILES[kind])) as file:
        text = file.read()
    known = {**ports, "NAME": name, "FOLDER": stage.folder, "SHARE": share,
             "ROUTES": routes_of(kind, routes, map_file, ports)}
    for word, value in known.items():
        text = text.replace(f"@{word}@", str(value))
    return stage.write(f"{name}-{FILES[kind]}", text)


def banyan(stage, ports, name, routes=0, share=50, everything=False):
    """Writes banyan's configuration for all jobs; its path."""
    flags = stage.write(f"{name}-flags.json", {"flags": {"split": {
        "state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off",
        "targeting": {"fractional": [["on", share], ["off", 100 - share]] if share < 100 else [["on", 100]]}}}})
    seen = {"accessLog": {"output": "/dev/null"}, "admin": {"address": f"127.0.0.1:{ports['ADMIN']}"}, "tracing": {
        "otlp": {"url": f"http://127.0.0.1:{ports['COLLECTOR']}"}, "sampleRatio": 1}}
    servers = {"monolith": "MONOLITH", "service": "SERVICE", "tasks": "TASKS", "users": "USERS", "comments": "COMMENTS",
               "lists": "LISTED"}
    return stage.write(f"{name}.json", {
        "gateway": {
            "listeners": [{"address": f"127.0.0.1:{ports['PORT']}"}, {
                "address": f"127.0.0.1:{ports['TLS']}", "tls": {
                    "certificate": f"{stage.folder}/tls.crt", "key": f"{stage.folder}/tls.key", "minVersion": "1.3"}}],
            "workers": 1, **(seen if everything else {"accessLog": False}),
            "limits": {"requestsPerConnection": 1_000_000_000}, "timeouts": {"idle": "1h"},
            "trustedProxies": ["127.0.0.0/8"], "identity": [{"header": "x-user"}]},
        "upstreams": {server: f"http://127.0.0.1:{ports[word]}" for server, word in servers.items()},
        "contexts": {"split": {"off": "monolith", "on": "service", "flag": "split"}},
        "flags": os.path.basename(flags),
        "routes": [
            {"match": "/tasks/{rest...}", "to": "split"}, {"match": "/all/{rest...}", "to": "split"},
            views.route_of_banyan(), lists.route_of_banyan(),
            *({"match": f"/many/{number}/{{rest...}}", "to": "monolith"} for number in range(routes)),
            {"match": "/{rest...}", "to": "monolith"}]})


def krakend(stage, ports, name):
    """Writes KrakenD's configuration of the plain proxy and the view; its path. Its sequence asks for one part after
    the other."""
    def part(group, word, path):
        return {"host": [f"http://127.0.0.1:{ports[word]}"], "url_pattern": path, "group": group}
    return stage.write(f"{name}.json", {
        "version": 3, "port": ports["PORT"], "listen_ip": "127.0.0.1", "timeout": "30s",
        "max_idle_connections_per_host": 256,
        "endpoints": [
            {"endpoint": "/1k", "output_encoding": "no-op", "backend": [
                {"host": [f"http://127.0.0.1:{ports['MONOLITH']}"], "url_pattern": "/1k", "encoding": "no-op"}]},
            {"endpoint": "/tasks/{id}/details", "extra_config": {"proxy": {"sequential": True}}, "backend": [
                part("task", "TASKS", "/tasks/{id}"), part("user", "USERS", "/users/{resp0_task.user_id}"),
                part("comments", "COMMENTS", "/tasks/{id}/comments")]}]})
